"""nbgrader's own tools take the labs' notebooks as theirs. They live in a small environment of their own."""

import os
import shutil
import subprocess

import nbformat
import pytest

from labs import LABS, SOLUTIONS
from small_env import ROOT, small_env

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


@pytest.mark.parametrize("stem", STEMS)
def test_validate_finds_that_the_solution_passes(stem, tmp_path):
    shutil.copy(SOLUTIONS / f"{stem}.ipynb", tmp_path)
    assert "Success! Your notebook passes all the tests" in nbgrader("validate", f"{stem}.ipynb", folder=tmp_path)


@pytest.mark.parametrize("stem", STEMS)
def test_generate_assignment_makes_the_same_lab(stem, tmp_path):
    """But for its own words in the stubs, and our build's own in the metadata."""
    (tmp_path / "source" / "lab").mkdir(parents=True)
    shutil.copy(SOLUTIONS / f"{stem}.ipynb", tmp_path / "source" / "lab")
    nbgrader("generate_assignment", "lab", "--create", folder=tmp_path)
    theirs = nbformat.read(tmp_path / "release" / "lab" / f"{stem}.ipynb", as_version=4).cells
    ours = nbformat.read(LABS / f"{stem}.ipynb", as_version=4).cells
    assert [cell.id for cell in theirs] == [cell.id for cell in ours]
    for their, our in zip(theirs, ours, strict=True):
        if not our.metadata.get("nbgrader", {}).get("solution"):
            assert their.source.strip() == our.source.strip()
        told = {key: value for key, value in their.metadata.get("nbgrader", {}).items() if key != "checksum"}
        assert told == our.metadata.get("nbgrader", {})
