"""The doors of the project: `make help` lists them all, `make quick` leaves out the slow, work is spread by group."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from conftest import QUICK, SLOW, group
from run import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
NEEDS = re.compile(r"^\s*(?:from|import) (?:playwright|in_browser|in_kernel|small_env)\b|\"--nbval\"", re.MULTILINE)


def test_help_lists_each_target():
    said = subprocess.check_output(["make", "-C", ROOT, "--no-print-directory", "help"], text=True)
    assert [line.split()[0] for line in said.splitlines()] == re.search(r"\.PHONY: (.+)", MAKEFILE)[1].split()


def test_torch_without_cuda_is_one_argument():
    """Printed, not run: which indexes pip knows is the user's own."""
    recipe = ["make", "-C", ROOT, "-n", "--always-make", "--no-print-directory", ".venv/made"]
    plain, cpu = (subprocess.check_output([*recipe, *more], text=True) for more in ([], ["TORCH=cpu"]))
    version = re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
    assert "+cpu" not in plain and f" torch=={version}+cpu \\\n" in cpu


def test_bytecode_is_kept_also_where_a_machine_forbids_it():
    """Else each process compiles torch anew, which takes more than most of what it does then."""
    asked = ["make", "-C", ROOT, "--no-print-directory", "-f", "Makefile", "-f", "-", "kept"]
    rule, forbidden = 'kept:\n\t@echo "[$$PYTHONDONTWRITEBYTECODE]"\n', os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.check_output(asked, input=rule, text=True, env=forbidden)
    assert said == "[]\n"


def test_every_documented_start_has_the_course_as_its_root():
    """`jupyter lab notebooks/x.ipynb` would serve that folder alone, where no lab lies."""
    for page in ("README.md", "TEACHING.md", "CONTRIBUTING.md"):
        assert not re.search(r"jupyter.lab \S*/", (ROOT / page).read_text(encoding="utf-8")), page
    assert re.search(r"jupyter lab .*\$\(FIRST\)", MAKEFILE) and "default_url=/lab/tree/notebooks/" in MAKEFILE


def test_what_needs_a_browser_an_environment_or_a_notebooks_run_is_slow():
    files = {file.stem: file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py")}
    assert set(SLOW) | set(QUICK) <= set(files), "named, but not there"
    assert not set(SLOW) & set(QUICK)
    assert {stem for stem, text in files.items() if NEEDS.search(text)} - {"test_make"} <= set(SLOW)


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("tests/test_labs.py::test_metadata_is_nbgraders[03_adversarial_training]", "lab 03"),
        ("tests/test_labs.py::test_a_wrong_answer_fails_and_is_told_why[03 fgsm: a::b [x]]", "lab 03"),
        ("tests/test_labs.py::test_a_right_answer_written_otherwise_passes[7-03 fgsm: 2 steps]", "lab 03"),
        ("tests/test_labs.py::test_there_are_labs", "test_labs"),
        ("tests/test_notebooks.py::test_size[03_adversarial_training]", "03_adversarial_training"),
        ("notebooks/03_adversarial_training.ipynb::Cell 1", "03_adversarial_training"),
        ("tests/test_make.py::test_x[03]", "test_make"),
    ],
)
def test_a_lesson_a_lab_or_a_file_is_one_piece_of_work(test, name):
    assert group(test) == name
