"""nbgrader's own tools on the labs' notebooks, in a small environment. `tests/pin.py` pins what they make of them."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labs import SOLUTIONS, instructors
from small_env import ROOT
from tiny_lab import WRITTEN_SOURCE

ENVIRONMENTS = {"nbgrader": ("nbgrader==0.9.6",)}
STEMS = sorted(file.stem for file in SOLUTIONS.glob("*.ipynb"))


def digests(notebook: NotebookNode) -> dict[str, str]:
    """For each cell, by id, a hash of its text and of nbgrader's metadata.

    Without the text of an answer's stub, where the two say it in their own words, and without nbgrader's checksum.
    """
    made = {}
    for cell in notebook.cells:
        about = {name: value for name, value in cell.metadata.get("nbgrader", {}).items() if name != "checksum"}
        text = "" if about.get("solution") else cell.source.strip()
        made[cell.id] = digest([text, about])
    return made


def digest(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def solution(stem: str) -> NotebookNode:
    return nbformat.read(SOLUTIONS / f"{stem}.ipynb", as_version=4)


def written() -> NotebookNode:
    """The instructor's notebook of a lab with an exercise in words."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "99_tiny.py")
        source.write_text(WRITTEN_SOURCE)
        return instructors(source)


def run(python: Path, *command: str, folder: Path) -> str:
    """What `nbgrader COMMAND` prints in the course's folder. Raises RuntimeError with its last words."""
    users = {name: value for name, value in os.environ.items() if not name.startswith("COURSE_")}
    path = f"{python.parent}{os.pathsep}{users['PATH']}"  # it calls a program of its environment by name
    here = {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(folder / "config")}
    call = [python, "-c", "from nbgrader.apps.nbgraderapp import main; main()", *command]
    done = subprocess.run(call, cwd=folder, env=users | here, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"nbgrader {' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def validates(python: Path, notebook: Path) -> bool:
    said = run(python, "validate", notebook.name, folder=notebook.parent)
    return "Success! Your notebook passes all the tests" in said


def released(python: Path, course: Path, solutions: dict[str, NotebookNode]) -> dict[str, NotebookNode]:
    """What students would get: `generate_assignment` on each solution, by its stem."""
    for stem, notebook in solutions.items():
        (course / "source" / stem).mkdir(parents=True)
        nbformat.write(notebook, course / "source" / stem / f"{stem}.ipynb")
    run(python, "generate_assignment", "*", "--create", folder=course)
    return {stem: nbformat.read(course / "release" / stem / f"{stem}.ipynb", as_version=4) for stem in solutions}


def graded_by_hand(python: Path, course: Path) -> dict:
    """The lab with an exercise in words, released, and the solution handed in by Ann and graded as far as it goes."""
    made = released(python, course, {"99_tiny": written()})["99_tiny"]
    (course / "submitted" / "ann" / "99_tiny").mkdir(parents=True)
    source = shutil.copy(course / "source" / "99_tiny" / "99_tiny.ipynb", course / "submitted" / "ann" / "99_tiny")
    run(python, "autograde", "99_tiny", "--create", folder=course)
    run(python, "export", folder=course)
    (row,) = csv.DictReader((course / "grades.csv").open())
    return {
        "validates": validates(python, Path(source)),
        "released": digests(made),
        "shows the answer": "Take smoothing" in nbformat.writes(made),
        "score": [float(row["score"]), float(row["max_score"])],
    }


# What tests/pin.py asks of each of such modules.

JUDGES = [cell.source for cell in solution(STEMS[0]).cells if cell.cell_type == "code"]  # run; the others are read


def question(name: str) -> dict[str, str]:
    """The solutions: their cells, and not what a run of them printed."""
    solutions = {stem: solution(stem) for stem in STEMS} | {"99_tiny": written()}
    told = {stem: [(c.id, c.cell_type, c.source, c.metadata) for c in nb.cells] for stem, nb in solutions.items()}
    return {stem: digest(cells) for stem, cells in told.items()}


def answers(python: Path, name: str) -> dict:
    """`validate` is asked about one solution: it runs the cells, and tests/test_labs.py sees that all have been run."""
    with tempfile.TemporaryDirectory() as folder:
        one, all_labs, words = (Path(folder, name) for name in ("one", "all", "words"))
        one.mkdir()
        made = released(python, all_labs, {stem: solution(stem) for stem in STEMS})
        return {
            "validates": validates(python, Path(shutil.copy(SOLUTIONS / f"{STEMS[0]}.ipynb", one))),
            "released": {stem: digests(notebook) for stem, notebook in made.items()},
            "with words": graded_by_hand(python, words),
        }
