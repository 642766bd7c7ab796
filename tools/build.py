"""Build the notebooks from their text: `python tools/build.py [STEM ...]`.

Each `notebooks/src/STEM.py` (jupytext's percent format) becomes `notebooks/STEM.ipynb`, with the Colab badge and the
first cell stamped in, stable cell ids, and the outputs of a fresh kernel. Without STEM, those are run whose code, or
the code of `utils` that they import, has changed; the others keep their outputs, and only their text is brought up to
date. The README's table of lessons is stamped too, and the two printable pages are written.
"""

import ast
import hashlib
import json
import os
import re
import sys
import tempfile
import tomllib
from base64 import b64decode
from collections.abc import Sequence
from modulefinder import ModuleFinder
from pathlib import Path
from urllib.parse import quote

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

import pages
from utils.evidence import Evidence, settled, verdicts
from utils.guide import guide

ROOT = Path(__file__).resolve().parents[1]
LESSONS = ROOT / "notebooks"
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
NAME = REPOSITORY.rpartition("/")[2]
HEADING = re.compile(r"^#+ (?!BEGIN |END )(.+)", re.MULTILINE)  # not the marks of an answer

FIRST_CELL = f"""\
# On Colab this cell fetches the course and installs nothing. Elsewhere it does nothing.
import os, subprocess, sys

if "google.colab" in sys.modules:
    course = os.path.expanduser("~/{NAME}")
    if not os.path.exists(course):
        address = "{REPOSITORY}"
        subprocess.run(["git", "clone", "--depth", "1", address, course], check=True)
    os.chdir(f"{{course}}/notebooks")
    sys.path.insert(0, course)
    sys.modules.pop("utils", None)  # somebody else's, if there is one"""


def badge(stem: str, folder: str = "notebooks") -> str:
    """The link, as a picture in markdown, that opens the built notebook on Colab."""
    page = REPOSITORY.replace("https://github.com", "https://colab.research.google.com/github")
    picture = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({picture})]({page}/blob/main/{folder}/{stem}.ipynb)"


def assemble(source: Path, folder: str = "notebooks") -> NotebookNode:
    """The notebook that a text describes, not run yet: cells with badge, first cell and ids, and its fingerprint."""
    cells = jupytext.read(source, fmt="py:percent").cells
    title, _, rest = cells[0].source.partition("\n")
    cells[0].source = f"{title}\n\n{badge(source.stem, folder)}\n{rest}".rstrip()
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
    metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "fingerprint": fingerprint([cell.source for cell in cells if cell.cell_type == "code"]),
    }
    return nbformat.from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def fingerprint(code: list[str]) -> str:
    """A hash of the code that outputs depend on: these cells and all of `utils` that they import, however indirectly.

    Comments, docstrings and layout do not count, and every Python version finds the same hash. A lesson that shows
    what others measured depends on their outputs, too.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text("\n".join(code))
        finder = ModuleFinder([str(ROOT)])
        finder.run_script(str(script))  # reads the imports; runs nothing
    files = sorted(Path(module.__file__) for module in finder.modules.values() if module.__file__)
    utils = [file.read_text() for file in files if file.is_relative_to(ROOT)]
    shown = [not cell.endswith(";") for cell in code]
    read = [guide()._repr_html_(), repr(verdicts(before="14"))] if "utils.evidence" in finder.modules else []
    trees = [skeleton(ast.parse(text)) for text in code + utils]
    return hashlib.sha256(repr((shown, trees, *read)).encode()).hexdigest()[:16]


def skeleton(node):
    """A syntax tree as nested tuples, without docstrings, positions and empty fields (which differ among Pythons)."""
    if isinstance(node, list):
        return tuple(map(skeleton, node))
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
        node.body = node.body[1:]
    if isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty pieces
        node.values = [piece for piece in node.values if getattr(piece, "value", None) != ""]
    fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
    return type(node).__name__, *((name, skeleton(value)) for name, value in fields)


def environment(state: str) -> dict[str, str]:
    """A kernel's environment variables: the user's, less what would change a result. Its files go to folder `state`."""
    one_thread = {"OMP_NUM_THREADS": "1"}  # sums in the same order on every machine, and no waiting for a busy core
    users = {name: value for name, value in os.environ.items() if not name.startswith(("COURSE_", "MPLBACKEND"))}
    ours = {"COURSE_LEDGER": f"{state}/ledger", "IPYTHONDIR": f"{state}/ipython", "TQDM_DISABLE": "1"}
    return users | ours | one_thread | {"PYTHONPATH": str(ROOT)}


def execute(notebook: NotebookNode, *, measure: Sequence[str] = (), **variables: str) -> list:
    """Run the code cells in a fresh kernel, in place, and keep of the outputs what is the same each time.

    measure    expressions to evaluate after the last cell; their values are returned: a text or a float each
    variables  environment variables to set
    """
    values = ", ".join(measure)
    notebook.cells.append(new_code_cell(f"print(__import__('json').dumps([{values}], default=float))"))
    where = {"metadata": {"path": str(LESSONS)}}
    client = NotebookClient(notebook, resources=where, timeout=1800, record_timing=False, store_widget_state=False)
    with tempfile.TemporaryDirectory() as state:
        client.execute(env=environment(state) | variables)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    notebook.metadata.language_info = {"name": "python"}  # not the kernel's exact version
    return json.loads(notebook.cells.pop().outputs[0].text)


def build(source: Path, target: Path, *, run: bool) -> None:
    """Write the notebook of a text; run it if asked to, or if its outputs are out of date."""
    write(assemble(source), target, run=run)


def write(notebook: NotebookNode, target: Path, *, run: bool) -> None:
    """Write an assembled notebook, with the outputs of the old one while they are true."""
    old = nbformat.read(target, as_version=4) if target.exists() else notebook
    done = [cell for cell in old.cells if cell.cell_type == "code" and cell.execution_count]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if run or old.metadata.get("fingerprint") != notebook.metadata.fingerprint or len(done) != len(code):
        print(f"running {target.stem}", flush=True)
        execute(notebook)
    else:
        for cell, before in zip(code, done, strict=True):
            cell.outputs, cell.execution_count = before.outputs, before.execution_count
    nbformat.validate(notebook)
    target.write_text(nbformat.writes(notebook) + "\n")


def table(folder: str = "notebooks/", *, colab: bool = True) -> str:
    """The table of lessons, from the first lines of each: for the README, or for a notebook beside the lessons."""
    rows = ["| | lesson | after |" + " |" * colab + " reading | on two cores |"]
    rows.append("|---" * (5 + colab) + "|")
    for source in sorted(LESSONS.glob("src/*.py")):
        text = source.read_text()
        title = re.search(r"^# # (\d+) · (.+)", text, re.MULTILINE)
        times = re.search(r"About (\d+) min\w*(?:, after ([^;]+))?;.*?in (\d+) s", text, re.DOTALL)
        if not (title and times):
            sys.exit(
                f"{source} needs a title '# # 01 · …' and a line "
                "'*About 20 minutes, after 00; the cells run in 8 s on …*'"
            )
        link = f"[{title[2]}]({folder}{source.stem}.ipynb)"
        opened = f" {badge(source.stem)} |" * colab
        rows.append(f"| {title[1]} | {link} | {times[2] or '–'} |{opened} {times[1]} min | {times[3]} s |")
    return "\n".join(rows)


def overview() -> bytes:
    """The README's one picture: the last that lesson 00 shows."""
    cells = nbformat.read(LESSONS / "00_start_here.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return b64decode([output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})][-1])


def stamp(readme: str) -> str:
    """The README, up to date between `<!-- lessons -->` and `<!-- /lessons -->`; the same for `clone` and `issues`."""
    parts = {
        "lessons": table(),
        "clone": f"```\ngit clone {REPOSITORY}\ncd {NAME}\n```",
        "issues": f"<{REPOSITORY}/issues>",
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


def asked_for(folder: Path) -> list[tuple[Path, bool]]:
    """The texts in a folder that the command line asks for; and whether it names them, to be run in any case."""
    sources, named = sorted(folder.glob("*.py")), set(sys.argv[1:])
    if unknown := named - {source.stem for source in sources}:
        sys.exit(f"there is no {', '.join(sorted(unknown))}: name a file in {folder}, without .py")
    return [(source, source.stem in named) for source in sources if source.stem in named or not named]


if __name__ == "__main__":
    for source, run in asked_for(LESSONS / "src"):
        build(source, LESSONS / f"{source.stem}.ipynb", run=run)
    (LESSONS / "overview.png").write_bytes(overview())
    readme = ROOT / "README.md"
    readme.write_text(stamp(readme.read_text()))
    for name, text in printable().items():
        (LESSONS / name).write_text(text)
