"""One run, one record: a notebook in a fresh kernel, and what it measured as `notebooks/results/STEM.DATASET.json`."""

import json
import os
import platform
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from nbclient import NotebookClient
from nbformat import NotebookNode

from utils.fingerprint import ROOT, digest, fingerprint, versions
from utils.records import RESULTS, Record

LESSONS = ROOT / "notebooks"
DATA = ("COURSE_DATA", "COURSE_CACHE")  # where the user's data lie


def environment(state: str) -> dict[str, str]:
    """A kernel's environment variables: the user's, less what would change a result. Its files go to folder `state`."""
    one_thread = {"OMP_NUM_THREADS": "1"}  # sums in the same order on every machine, and no waiting for a busy core
    users = {name: value for name, value in os.environ.items() if not name.startswith(("COURSE_", "MPLBACKEND"))}
    ours = {"COURSE_LEDGER": f"{state}/ledger", "COURSE_RECORD": f"{state}/record", "IPYTHONDIR": f"{state}/ipython"}
    return users | ours | one_thread | {"TQDM_DISABLE": "1", "PYTHONPATH": str(ROOT)}


def given(dataset: str) -> dict[str, str]:
    """The environment variables of a run on a data set, e.g. "mnist"; "olivetti+sms_spam" names the texts as well."""
    images, _, texts = dataset.partition("+")
    data = {name: os.environ[name] for name in DATA if name in os.environ}
    return data | {"COURSE_DATASET": images} | ({"COURSE_TEXTS": texts} if texts else {})


def execute(notebook: NotebookNode, **variables: str) -> list[dict]:
    """Run the code cells in a fresh kernel, in place, and keep of the outputs what is the same each time.

    variables  environment variables to set
    Returns the lines of the run's record.
    """
    where = {"metadata": {"path": str(LESSONS)}}
    with tempfile.TemporaryDirectory() as state:
        client = NotebookClient(
            notebook,
            resources=where,
            timeout=3600,
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,  # or timing would decide how many pieces a cell prints
            on_cell_execute=lambda cell, cell_index: begin_cell(Path(state, "record"), cell.id),
        )
        client.execute(env=environment(state) | variables)
        lines = entered(Path(state, "record"))
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    notebook.metadata.language_info = {"name": "python"}  # not the kernel's exact version
    return lines


def begin_cell(record: Path, cell: str) -> None:
    """What the kernel adds to its record from now on belongs to this cell."""
    with open(record, "a", encoding="utf-8") as lines:
        lines.write(json.dumps({"cell": cell}) + "\n")


def entered(record: Path) -> list[dict]:
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


def record_of(notebook: Mapping, lines: list[dict], stem: str, dataset: str) -> Record:
    """The record of a run of this notebook, from the lines that it entered."""
    sections, section, cell = {}, "", ""
    for one in notebook["cells"]:
        if one["cell_type"] == "markdown":
            section = (re.findall(r"^#+ (.+)", one["source"], re.MULTILINE) or [section])[-1]
        sections[one["id"]] = section
    claims, figures = {}, {}  # what a cell enters twice counts as it was entered last
    for line in lines:
        cell = line.get("cell", cell)
        if "verdict" in line:
            claims[line["text"]] = {"cell": cell} | line
        if "row" in line:
            figures[cell, line["row"], line["column"]] = {"cell": cell} | line
    aside = sum(entry.get("grid_seconds", 0.0) for entry in lines)  # no learner waits for these
    named = {entry["cell"] for entry in (*claims.values(), *figures.values())}
    return {
        "lesson": stem,
        "dataset": dataset,
        "fingerprint": fingerprint([cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]),
        "versions": versions() | {"torch": torch.__version__},
        "machine": machine(),
        "seconds": round(max((entry["seconds"] for entry in lines if "seconds" in entry), default=0.0) - aside, 1),
        "sections": {cell: section for cell, section in sections.items() if cell in named},
        "claims": list(claims.values()),
        "headline": next((entry["headline"] for entry in reversed(lines) if "headline" in entry), {}),
        "figures": list(figures.values()),
    }


def grids_of(lines: list[dict]) -> dict[str, dict]:
    """{cell id: what its widget shows at every setting}, from the lines that a run with COURSE_GRIDS entered."""
    grids, cell = {}, ""
    for line in lines:
        cell = line.get("cell", cell)
        if "grid" in line:
            grids[cell] = line["grid"]
    return grids


def values_of(record: Record) -> str:
    """A hash of all that a run measured, to the last digit, but for times: equal for code that computes the same."""
    figures = [
        (figure["row"], figure["column"], sorted(figure["value"].items()))
        for figure in record["figures"]
        if figure["column"] != "seconds" and figure["value"].get("unit") not in ("s", "ms")
    ]
    return digest(sorted(figures), sorted((claim["text"], claim["verdict"]) for claim in record["claims"]))


def save(record: Record, folder: Path = RESULTS) -> None:
    """Write a record with a line for each claim and figure, so that a changed figure is a changed line."""

    def text(value: object, depth: int) -> str:
        rows = isinstance(value, (dict, list)) and value and depth
        if not rows:
            return json.dumps(value, ensure_ascii=False)
        named = value.items() if isinstance(value, dict) else ((None, entry) for entry in value)
        lines = (
            ("" if name is None else f"{json.dumps(name, ensure_ascii=False)}: ") + text(entry, depth - 1)
            for name, entry in named
        )
        begin, end = "{}" if isinstance(value, dict) else "[]"
        return f"{begin}\n" + ",\n".join(lines) + f"\n{end}"

    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{record['lesson']}.{record['dataset']}.json").write_text(text(record, 2) + "\n", encoding="utf-8")


def machine() -> str:
    """The processor or GPU that this process computes on, and the instructions that torch uses."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(": ")[1] for line in names if line.startswith("model name")), platform.processor())
    return f"one core of {name or platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
