"""Build the notebooks from their text: `python tools/build.py [STEM ...]`.

Each `notebooks/src/STEM.py` (jupytext's percent format) becomes `notebooks/STEM.ipynb`, with the links to Colab and
Kaggle and the first cell stamped in, stable cell ids, and the outputs of a fresh kernel; what the run measured becomes
`notebooks/results/STEM.digits.json`. Without STEM, those are run whose code, or the code of `utils` that they import,
has changed; the others keep their outputs, and only their text is brought up to date. The README's table of lessons is
stamped too, and the two printable pages are written.

`python tools/build.py --on mnist [STEM ...]` runs lessons on another data set and keeps the records alone;
`--larger` brings all those up to date that the course keeps.
"""

import argparse
import ast
import gzip
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlencode

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

import pages
from pages import REPOSITORY
from photographs import on_photographs
from run import LESSONS, execute, given, grids_of, record_of, save, values_of
from scale import at_scale
from utils import kept, records
from utils.evidence import Evidence, settled, verdicts
from utils.fingerprint import ROOT, appearance, digest, fingerprint
from utils.guide import guide
from utils.larger import Tables, missing
from utils.records import RESULTS

NAME = REPOSITORY.rpartition("/")[2]
HEADING = re.compile(r"^#+ (?!BEGIN |END )(.+)", re.MULTILINE)  # not the marks of an answer

KAGGLE_INPUT = "/kaggle/input"  # where the data sets lie that a notebook there has been given
FIRST_CELL = f"""\
# @title This cell finds the course: on Colab and Kaggle it fetches it, and elsewhere it says what is missing.
import glob, os, shutil, subprocess, sys

address, course = "{REPOSITORY}", os.path.expanduser("~/{NAME}")
if "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
    added = glob.glob("{KAGGLE_INPUT}/**/utils/records.py", recursive=True)  # the course as a data set of Kaggle
    if not os.path.exists(course):
        if added:
            shutil.copytree(os.path.dirname(os.path.dirname(added[0])), course)  # Kaggle's folder takes no files
        elif subprocess.run(["git", "clone", "--depth", "1", address, course]).returncode:
            raise ImportError(
                f"{{address}} could not be fetched. On Kaggle turn on Settings > Internet; or, without the internet, "
                "add the course as a data set: File > Upload input, its zip. Then run this cell again"
            )
    os.chdir(f"{{course}}/notebooks")
    sys.path.insert(0, course)
    sys.modules.pop("utils", None)  # somebody else's, if there is one
else:
    try:
        import utils.records
    except ImportError:
        raise ImportError(
            f"this notebook needs the course around it. In a terminal: git clone {{address}} && cd {NAME} && make lab. "
            "Then put the notebook into the folder that JupyterLab shows, and open it there"
        ) from None"""
# Folded where JupyterLab and Colab can fold: a reader meets the lesson, not its plumbing.
PLUMBING = {"jupyter": {"source_hidden": True}, "cellView": "form"}
FOLDED = {"collapsed": True, "jupyter": {"outputs_hidden": True}}  # JupyterLab writes both, if it finds only one


def on_colab(stem: str, folder: str = "notebooks") -> str:
    """The address that opens the built notebook on Colab."""
    page = REPOSITORY.replace("https://github.com", "https://colab.research.google.com/github")
    return f"{page}/blob/main/{folder}/{stem}.ipynb"


def on_kaggle(stem: str, folder: str = "notebooks") -> str:
    """The address that copies the built notebook to Kaggle and opens it there."""
    return f"https://kaggle.com/kernels/welcome?src={REPOSITORY}/blob/main/{folder}/{stem}.ipynb"


def on_hub() -> str:
    """The link of nbgitpuller that clones the course into a user's home on a JupyterHub, and opens lesson 00."""
    where = {"repo": REPOSITORY, "branch": "main", "urlpath": f"lab/tree/{NAME}/notebooks/00_start_here.ipynb"}
    return f"https://YOUR-HUB/hub/user-redirect/git-pull?{urlencode(where)}"


def badges(stem: str) -> str:
    """Both as pictures in markdown: for the README, since a notebook shows no picture of another host."""
    colab = f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({on_colab(stem)})"
    return f"{colab} [![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]({on_kaggle(stem)})"


def assemble(source: Path, folder: str = "notebooks") -> NotebookNode:
    """The notebook that a text describes, not run yet: cells with badge, first cell and ids, and its fingerprint."""
    cells = jupytext.read(source, fmt="py:percent").cells
    title, _, rest = cells[0].source.partition("\n")
    doors = f"[Open in Colab]({on_colab(source.stem, folder)}) · [in Kaggle]({on_kaggle(source.stem, folder)})"
    cells[0].source = f"{title}\n\n{doors}\n{rest}".rstrip().replace("SECONDS", seconds(source.stem))
    cells.insert(1, new_code_cell(FIRST_CELL))
    for cell in cells:
        if cell.cell_type == "markdown" and "<!-- lessons -->" in cell.source:
            cell.source = cell.source.replace("<!-- lessons -->", table("", colab=False))
    sections = [""]  # an id counts within its section, so that a new cell shifts few others
    for cell in cells:
        if cell.cell_type == "markdown" and (heading := HEADING.search(cell.source)):
            section, count = re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-")[:40], 0
            while section in sections:
                section += "-again"
            sections.append(section)
        count += 1
        cell.id, cell.metadata = f"{section}-{count}", {}
    cells[1].metadata = PLUMBING
    for cell in kept_back(cells):
        cell.metadata = FOLDED
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "fingerprint": fingerprint(code),
        "appearance": digest(appearance(code), shows_of_others("\n".join(code))),
    }
    return nbformat.from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def kept_back(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells whose stored outputs would give a prediction away: after `ask`, up to and with the one that reveals."""
    found, asked = [], ""
    for cell in cells:
        if cell.cell_type == "code":
            found += [cell] if asked and shows(cell.source) else []
            if asked and f"{asked}.reveal(" in cell.source:
                asked = ""
            if ask := re.search(r"^(\w+) = widgets\.ask\(", cell.source, re.MULTILINE):
                asked = ask[1]
    return found


def shows(code: str) -> bool:
    """Whether a cell may print or display: it does more than to import, define and assign."""
    silent = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign
    return not all(isinstance(statement, silent) for statement in ast.parse(code).body)


def shows_of_others(code: str) -> str:
    """What a lesson shows of other runs, as text: kept tables at a larger scale, records, or guide and ledger."""
    found = [(stem, dataset, records.read(stem, dataset)) for stem, names in larger_in(code) for dataset in names]
    tables = Tables(record or missing(stem, dataset) for stem, dataset, record in found)
    compared = kept_records_shown() if "kept.verdicts_on(" in code else ""
    return repr(tables) + compared + (guide()._repr_html_() + repr(verdicts(before="14")) if turn(code) == 2 else "")


def kept_records_shown() -> str:
    """What lesson 15 shows of other runs: long trainings, and the lessons before the capstone on two data sets."""
    scale = [file.read_text(encoding="utf-8") for file in sorted(kept.SCALE.glob("*.json"))]
    settled_there = [kept.verdicts_on(dataset) for dataset in ("digits", "mnist", "cifar10")]
    return repr((scale, settled_there, kept.rates_on_both("digits", "mnist")))


def turn(code: str) -> int:
    """When a lesson is run: 1 after those whose records it compares, 2 last, for it shows what all have measured."""
    return 2 if "evidence.verdicts(" in code else int("kept.verdicts_on(" in code)


def larger_in(code: str) -> list[tuple[str, list[str]]]:
    """The tables at a larger scale that a lesson shows: its stem, and the names of the data sets."""
    calls = re.findall(r'larger\("(\w+)", headline((?:, "[\w+]+")*)\)', code)
    return [(stem, re.findall(r'"([^"]+)"', names) or ["mnist"]) for stem, names in calls]


def seconds(stem: str, folder: Path = RESULTS) -> str:
    """The processor time of the lesson's run, as its record keeps it, in whole seconds."""
    record = records.read(stem, folder=folder)
    return f"{math.ceil(record['seconds'])}" if record else "some"


def build(source: Path, target: Path, run: bool) -> None:
    """Write a lesson's notebook and its record; run it if asked to, or if its outputs or its record are out of date."""
    notebook, results = assemble(source), target.parent / "results"
    kept = records.read(source.stem, folder=results)
    stale = not kept or kept["fingerprint"] != notebook.metadata.fingerprint
    lines = write(notebook, target, run=run or stale)
    if lines is not None:
        save(record_of(notebook, lines, source.stem, "digits"), results)
        save_grids(target, grids_of(lines))
        write(assemble(source), target, run=False)  # with the seconds that it took


def write(notebook: NotebookNode, target: Path, *, run: bool) -> list[dict] | None:
    """Write an assembled notebook, with the outputs of the old one while they are true.

    Returns what it entered in its record if it was run, else None.
    """
    old = nbformat.read(target, as_version=4) if target.exists() else notebook
    done = [cell for cell in old.cells if cell.cell_type == "code" and cell.execution_count]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    hashes = ("fingerprint", "appearance")
    lines = None
    if run or len(done) != len(code) or any(old.metadata.get(name) != notebook.metadata[name] for name in hashes):
        print(f"running {target.stem}", flush=True)
        lines = execute(notebook, COURSE_GRIDS="yes")
    else:
        for cell, before in zip(code, done, strict=True):
            cell.outputs, cell.execution_count = before.outputs, before.execution_count
    nbformat.validate(notebook)
    target.write_text(nbformat.writes(notebook) + "\n")
    return lines


def save_grids(target: Path, cells: dict[str, dict]) -> None:
    """What the widgets of a lesson show at every setting, {cell id: grid}, in `grids/STEM.json.gz`, for the site.

    It is packed, since it lies in the repository: SVG repeats itself. It bears no stamp, so that a run that shows the
    same leaves the same file. A lesson without widgets has none.
    """
    file = target.parent / "grids" / f"{target.stem}.json.gz"
    file.unlink(missing_ok=True)
    if cells:
        file.parent.mkdir(exist_ok=True)
        text = json.dumps(cells, ensure_ascii=False, separators=(",", ":"))
        file.write_bytes(gzip.compress(text.encode(), mtime=0))


def kept_records() -> list[tuple[str, str]]:
    """The records at a larger scale that the course keeps: those that a lesson shows, and on MNIST each lesson's that
    reads the images of one's choice, `load()`."""
    wanted = []
    for source in sorted(LESSONS.glob("src/*.py")):
        text = source.read_text(encoding="utf-8")
        named = [dataset for _, datasets in larger_in(text) for dataset in datasets]
        wanted += [(source.stem, dataset) for dataset in dict.fromkeys([*["mnist"] * ("load()" in text), *named])]
    return wanted


def is_current(stem: str, dataset: str) -> bool:
    """Whether the kept record is of the present code."""
    record = records.read(stem, dataset)
    return bool(record) and record["fingerprint"] == assemble(LESSONS / "src" / f"{stem}.py").metadata.fingerprint


def measure(stem: str, dataset: str, note: str = "") -> None:
    """Run a lesson on a data set, and keep its record, with a note that says what its reader must know."""
    print(f"running {stem} on {dataset}", flush=True)
    notebook, begin = assemble(LESSONS / "src" / f"{stem}.py"), time.monotonic()
    record, twin = record_of(notebook, execute(notebook, **given(dataset)), stem, dataset), records.read(stem)
    if twin and twin["fingerprint"] == record["fingerprint"]:
        record["twin"] = values_of(twin)
    save(record | ({"note": note} if note else {}))
    print(f"{stem} on {dataset}: {time.monotonic() - begin:.0f} s", flush=True)


def renew() -> None:
    """Take over the records at a larger scale whose code was rewritten and still computes the same on the digits.

    A record is renewed if the lesson's present record on the digits, made on the same machine, has every figure to the
    last digit as the twin had that was made by the code of the larger run. Another one gets a line that names the
    commit it came with, for its table.
    """
    photographs = [(file.name.split(".")[0], "cifar10") for file in sorted(RESULTS.glob("*.cifar10.json"))]
    for stem, dataset in dict.fromkeys([*kept_records(), *photographs]):
        record, digits = records.read(stem, dataset), records.read(stem)
        if record and not is_current(stem, dataset):
            made_alike = all(digits[part] == record[part] for part in ("machine", "versions"))
            same = made_alike and record.get("twin") == values_of(digits)
            named = record.pop("measured_by", None)
            if same:
                save(record | {"fingerprint": digits["fingerprint"]})
            else:
                save(record | {"measured_by": named or last_commit(RESULTS / f"{stem}.{dataset}.json")})
            print(f"{stem} on {dataset}: {'renewed' if same else 'to be measured again'}")


def last_commit(file: Path) -> str:
    """The commit that a file came with, as people name it."""
    return subprocess.check_output(["git", "log", "-1", "--format=commit %h", "--", file], cwd=ROOT, text=True).strip()


def side_by_side(work: Callable, jobs: Iterable[tuple]) -> None:
    """Do all jobs, one on each core: a kernel has one thread. The first error is raised when all have ended."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(work, *job) for job in jobs]:
            done.result()


def table(folder: str = "notebooks/", *, colab: bool = True) -> str:
    """The table of lessons, from the first lines of each: for the README, or for a notebook beside the lessons."""
    rows = ["| | lesson | after |" + " |" * colab + " reading | on two cores |"]
    rows.append("|---" * (5 + colab) + "|")
    for source in sorted(LESSONS.glob("src/*.py")):
        text = source.read_text()
        title = re.search(r"^# # (\d+b?) · (.+)", text, re.MULTILINE)
        times = re.search(r"About (\d+) min\w*(?:, after ([^;]+))?;.*?in SECONDS s", text, re.DOTALL)
        if not (title and times):
            sys.exit(
                f"{source} needs a title '# # 01 · …' and a line "
                "'*About 20 minutes, after 00; the cells run in SECONDS s on …*'"
            )
        link = f"[{title[2]}]({folder}{source.stem}.ipynb)"
        opened = f" {badges(source.stem)} |" * colab
        rows.append(f"| {title[1]} | {link} | {times[2] or '–'} |{opened} {times[1]} min | {seconds(source.stem)} s |")
    return "\n".join(rows)


def stamp(readme: str) -> str:
    """The README, up to date between `<!-- lessons -->` and `<!-- /lessons -->`; the same for the other parts."""
    parts = {
        "lessons": table(),
        "clone": f"```\ngit clone {REPOSITORY}\ncd {NAME}\n```",
        "issues": f"<{REPOSITORY}/issues>",
        "hub": f"```\n{on_hub()}\n```",
        "scale": at_scale(),
        "photographs": on_photographs(),
    }
    for name, text in parts.items():
        before, opened, rest = readme.partition(f"<!-- {name} -->\n")
        _, closed, after = rest.partition(f"<!-- /{name} -->")
        if opened and closed:
            readme = f"{before}{opened}{text}\n{closed}{after}"
    return readme


def on_code_host(evidence: Evidence) -> str:
    """The address of a cell for readers of a page: its section in the notebook as the code host shows it.

    A page is read far from the notebooks, as a file, printed or in a frame, so a relative link would lead nowhere.
    Code hosts have anchors for headings and none for cells.
    """
    return f"{REPOSITORY}/blob/main/notebooks/{evidence.notebook}#{quote(evidence.section.replace(' ', '-'))}"


def printable() -> dict[str, str]:
    """The two printable pages: their file names and contents."""
    return {
        "field_guide.html": pages.field_guide(guide(), on_code_host),
        "ledger.html": pages.ledger(settled(), on_code_host),
    }


def asked_for(folder: Path, names: list[str]) -> list[tuple[Path, bool]]:
    """The texts in a folder that the command line asks for; and whether it names them, to be run in any case."""
    sources, named = sorted(folder.glob("*.py")), set(names)
    if unknown := named - {source.stem for source in sources}:
        sys.exit(f"there is no {', '.join(sorted(unknown))}: name a file in {folder}, without .py")
    return [(source, source.stem in named) for source in sources if source.stem in named or not named]


def build_all(names: list[str]) -> None:
    """The notebooks that are named, or all; those that show what others measured come last."""
    asked = asked_for(LESSONS / "src", names)
    for when in range(3):
        now = [job for job in asked if turn(job[0].read_text(encoding="utf-8")) == when]
        side_by_side(build, [(source, LESSONS / f"{source.stem}.ipynb", run) for source, run in now])
    for source, _ in asked:
        if "<!-- lessons -->" in source.read_text(encoding="utf-8"):  # its table has the seconds of all
            write(assemble(source), LESSONS / f"{source.stem}.ipynb", run=False)
    readme = ROOT / "README.md"
    readme.write_text(stamp(readme.read_text()))
    for name, text in printable().items():
        (LESSONS / name).write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "stems", nargs="*", metavar="STEM", help="lessons to run in any case, e.g. 01_one_gradient_step"
    )
    parser.add_argument("--on", metavar="DATASET", help="keep records of runs on this data set, and change no notebook")
    parser.add_argument("--note", default="", help="kept in these records, e.g. that images were decoded from JPEG")
    parser.add_argument("--larger", action="store_true", help="the kept records at a larger scale that are out of date")
    parser.add_argument("--renew", action="store_true", help="keep those whose code computes the same on the digits")
    asked = parser.parse_args()
    if asked.renew:
        renew()
    elif asked.larger:
        side_by_side(measure, [job for job in kept_records() if not is_current(*job)])
    elif asked.on:
        sources = [source for source, _ in asked_for(LESSONS / "src", asked.stems)]
        side_by_side(measure, [(source.stem, asked.on, asked.note) for source in sources])
    else:
        build_all(asked.stems)


if __name__ == "__main__":
    main()
