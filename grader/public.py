"""The public checks of a lab from the command line: `python -m grader check lab.ipynb`. For the student.

The notebook runs here as it would in Jupyter, in this process: it is the student's own. The checks are those of the lab
as it was handed out, whatever the notebook has made of them.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from grader.inside.child import NoShell
from grader.ipython import as_python
from grader.lab import is_check
from grader.notebook import read_cells
from grader.result import details
from utils.expect import Unmet

LABS = Path(__file__).resolve().parents[1] / "labs"


def public_checks(notebook: Path, labs: Path = LABS) -> tuple[int, int]:
    """Run a notebook's cells, then its lab's public checks; print a line for each. Returns how many passed, and of how
    many.

    OSError; ValueError if it is no notebook, or of no lab in the folder `labs`.
    """
    cells = read_cells(notebook.read_bytes()).cells
    titles = {line.strip("# ") for cell in cells if cell["kind"] == "text" for line in cell["source"].splitlines()}
    given = next((code for title, code in map(handed_out_lab, sorted(labs.glob("*.ipynb"))) if title in titles), None)
    if given is None:
        raise ValueError(f"{notebook} has the title of no lab in {labs}: leave the lab's first cell as it was")
    checks = [source for source in given if is_check(source)]
    theirs = [cell["source"] for cell in cells if cell["kind"] == "code"]
    namespace = {"__name__": "__main__", "get_ipython": NoShell(), "display": lambda *args, **kwargs: None}
    for number, source in enumerate(as_python(theirs), 1):
        if not source.startswith("# CHECK"):
            problem = ran(source, f"cell {number}", namespace)
            if problem:
                print(f"  cell {number}: {problem}")
    passed = 0
    for source in checks:
        name, problem = is_check(source)[1], ran(source, "check", namespace)
        passed += not problem
        if problem:
            print(f"✗ {name}: {problem}")
    print(f"{passed} of {len(checks)} public checks passed; hidden checks decide the grade")
    return passed, len(checks)


def handed_out_lab(file: Path) -> tuple[str, list[str]]:
    """The title and the code cells of a lab as students get it."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    first = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return first.splitlines()[0].strip("# "), ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def ran(source: str, name: str, namespace: dict) -> str:
    """Run a cell; what went wrong in words, or ""."""
    try:
        exec(compile(source, name, "exec"), namespace)
    except Unmet as unmet:
        return "; ".join(details(str(unmet), unmet.expected, unmet.got))
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"
    return ""


def check_main(arguments: list[str]) -> None:
    """Exit status 0 if all public checks pass, else 1."""
    parser = argparse.ArgumentParser(prog="python -m grader check", description="Run a lab's public checks.")
    parser.add_argument("notebook", type=Path, help="your notebook of a lab")
    os.environ.setdefault("MPLBACKEND", "Agg")  # no window waits for somebody to close it
    try:
        passed, of = public_checks(parser.parse_args(arguments).notebook)
    except (OSError, ValueError) as problem:
        sys.exit(f"{problem}")
    sys.exit(passed < of)
