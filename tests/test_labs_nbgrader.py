"""nbgrader's own tools take the labs' notebooks as theirs. They live in a small environment of their own."""

import csv
import os
import shutil
import subprocess

import nbformat
import pytest

from labs import LABS, SOLUTIONS, instructors, students
from small_env import ROOT, small_env
from tiny_lab import WRITTEN_SOURCE

NBGRADER = ("nbgrader==0.9.6",)
STEMS = sorted(file.stem for file in SOLUTIONS.glob("*.ipynb"))


def nbgrader(*command, folder) -> str:
    python = small_env("nbgrader", NBGRADER)
    users = {name: value for name, value in os.environ.items() if not name.startswith("COURSE_")}
    path = f"{python.parent}{os.pathsep}{users['PATH']}"  # it calls a program of its environment by name
    here = {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(folder / "config")}
    run = [python, "-c", "from nbgrader.apps.nbgraderapp import main; main()", *command]
    done = subprocess.run(run, cwd=folder, env=users | here, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_validate_finds_that_a_solution_passes(tmp_path):
    """One is enough: it runs the cells, and tests/test_labs.py sees that all have been run."""
    shutil.copy(SOLUTIONS / f"{STEMS[0]}.ipynb", tmp_path)
    assert "Success! Your notebook passes all the tests" in nbgrader("validate", f"{STEMS[0]}.ipynb", folder=tmp_path)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """All labs as nbgrader makes them from the solutions, in one course."""
    folder = tmp_path_factory.mktemp("course")
    for stem in STEMS:
        (folder / "source" / stem).mkdir(parents=True)
        shutil.copy(SOLUTIONS / f"{stem}.ipynb", folder / "source" / stem)
    nbgrader("generate_assignment", "*", "--create", folder=folder)
    return folder / "release"


@pytest.mark.parametrize("stem", STEMS)
def test_generate_assignment_makes_the_same_lab(stem, released):
    same_lab(released / stem / f"{stem}.ipynb", nbformat.read(LABS / f"{stem}.ipynb", as_version=4))


def same_lab(made, lab):
    """But for its own words in the stubs, and our build's own in the metadata."""
    theirs = nbformat.read(made, as_version=4).cells
    assert [cell.id for cell in theirs] == [cell.id for cell in lab.cells]
    for their, our in zip(theirs, lab.cells, strict=True):
        if not our.metadata.get("nbgrader", {}).get("solution"):
            assert their.source.strip() == our.source.strip()
        told = {key: value for key, value in their.metadata.get("nbgrader", {}).items() if key != "checksum"}
        assert told == our.metadata.get("nbgrader", {})


def test_a_written_exercise_is_graded_by_hand_there_too(tmp_path):
    (tmp_path / "99_tiny.py").write_text(WRITTEN_SOURCE)
    solution = instructors(tmp_path / "99_tiny.py")
    (tmp_path / "source" / "99_tiny").mkdir(parents=True)
    nbformat.write(solution, tmp_path / "source" / "99_tiny" / "99_tiny.ipynb")
    assert "passes all the tests" in nbgrader("validate", "source/99_tiny/99_tiny.ipynb", folder=tmp_path)
    nbgrader("generate_assignment", "99_tiny", "--create", folder=tmp_path)
    made = tmp_path / "release" / "99_tiny" / "99_tiny.ipynb"
    same_lab(made, students(solution))
    assert "Take smoothing" not in made.read_text()
    (tmp_path / "submitted" / "ann" / "99_tiny").mkdir(parents=True)
    nbformat.write(solution, tmp_path / "submitted" / "ann" / "99_tiny" / "99_tiny.ipynb")
    nbgrader("autograde", "99_tiny", "--create", folder=tmp_path)
    exported = nbgrader("export", folder=tmp_path)
    assert "grades.csv" in exported
    (row,) = csv.DictReader((tmp_path / "grades.csv").open())
    assert (float(row["score"]), float(row["max_score"])) == (2, 5), "two by the check; three wait for a person"
