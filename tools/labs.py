"""Build the labs from their text: `python tools/labs.py [STEM ...]`.

Each `solutions/src/STEM.py` (jupytext's percent format, marked as `grader.lab` says) becomes
`solutions/STEM.ipynb`, the instructor's, executed; and `labs/STEM.ipynb`, the student's, with stubs in place of the
solutions, without hidden tests, not executed. Both carry nbgrader's metadata, schema 3.

Without STEM, each `challenges/src/NAME.py` becomes `challenges/NAME.ipynb` as well, from which a team begins.
"""

import re
import sys
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from build import asked_for, assemble, side_by_side, write
from grader import rubric
from grader.lab import bound, handed_out, is_check, is_exercise, read_lab
from utils.fingerprint import ROOT, fingerprint

CHALLENGES = ROOT / "challenges"
SOURCES, SOLUTIONS, LABS = ROOT / "solutions" / "src", ROOT / "solutions", ROOT / "labs"
# In JupyterLab a folded check keeps its first line, which names it. On Colab nothing would be left: there it is open.
FOLDED_CHECK = {"jupyter": {"source_hidden": True}}


def instructors(source: Path) -> NotebookNode:
    """The instructor's notebook of a text, not run yet. Each check says in the end how many have passed."""
    notebook = assemble(source, "labs")
    checks = [cell for cell in notebook.cells if cell.cell_type == "code" and is_check(cell.source)]
    rubrics = {head[1]: float(head[2]) for cell in notebook.cells if (head := rubric.is_rubric(cell.source))}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            if answer := rubric.ANSWER.search(cell.source):
                about = told(f"{answer[1]}_answer", points=rubrics.get(answer[1], 0))
                cell.metadata["nbgrader"] = about | {"solution": True, "locked": False, "cell_type": "markdown"}
        elif head := is_check(cell.source):
            public, mark, hidden = cell.source.partition("### BEGIN HIDDEN TESTS")
            cell.source = f'{public.rstrip()}\nexpect.passed("{head[1]}", of={len(checks)})\n{mark}{hidden}'.rstrip()
            cell.metadata["nbgrader"] = told(head[1], points=float(head[2]))
        elif is_exercise(cell.source):
            cell.metadata["nbgrader"] = told("_".join(bound(cell.source)) + "_answer")
    notebook.metadata.fingerprint = fingerprint([cell.source for cell in notebook.cells if cell.cell_type == "code"])
    read_lab(nbformat.writes(notebook))  # a mistake in the marks stops the build
    return notebook


def told(grade_id: str, points: float | None = None) -> dict:
    """nbgrader's metadata of a cell with an answer, or of a check with points."""
    check = points is not None
    about = {"grade": check, "solution": not check, "locked": check, "task": False, "schema_version": 3}
    about |= {"grade_id": grade_id, "cell_type": "code"}
    return about | ({"points": int(points) if points == int(points) else points} if check else {})


def students(notebook: NotebookNode) -> NotebookNode:
    """The student's notebook: the instructor's without answers, hidden tests and outputs."""
    notebook = deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, cell.outputs, cell.execution_count = handed_out(cell.source), [], None
            if is_check(cell.source):
                cell.metadata |= FOLDED_CHECK
        else:
            cell.source = rubric.text_handed_out(cell.source)
    del notebook.metadata["fingerprint"], notebook.metadata["appearance"]
    return notebook


def build(source: Path, run: bool) -> None:
    """Write both notebooks of a text; run the instructor's if asked to, or if its outputs are out of date."""
    notebook = instructors(source)
    LABS.mkdir(exist_ok=True)
    (LABS / f"{source.stem}.ipynb").write_text(nbformat.writes(students(notebook)) + "\n")
    write(notebook, SOLUTIONS / f"{source.stem}.ipynb", run=run)


def tries(stem: str) -> list[tuple[str, str, str, str]]:
    """Other answers to a lab's exercises, from `solutions/mutants/STEM.py`: (kind, exercise, what, source).

    Each begins with a line `# WRONG exercise: what is wrong with it` or `# RIGHT exercise: what is different`.
    Of a wrong one, `what` ends with `-> ` and a part of the message that must name the mistake.
    """
    text = (SOLUTIONS / "mutants" / f"{stem}.py").read_text()
    parts = re.split(r"^# (WRONG|RIGHT) (\w+): (.*)\n", text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True))


def starter(source: Path) -> NotebookNode:
    """The notebook from which a team begins, not executed."""
    notebook = assemble(source, "challenges")
    del notebook.metadata["fingerprint"], notebook.metadata["appearance"]
    return notebook


def build_starters() -> None:
    for source in sorted(CHALLENGES.glob("src/*.py")):
        (CHALLENGES / f"{source.stem}.ipynb").write_text(nbformat.writes(starter(source)) + "\n")


if __name__ == "__main__":
    side_by_side(build, asked_for(SOURCES, sys.argv[1:]))
    if not sys.argv[1:]:
        build_starters()
