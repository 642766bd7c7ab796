"""The autograder for Gradescope: its zip is unpacked as Gradescope does, and `run_autograder` is run there.

The course's environment stands for the one that setup.sh makes: that one needs apt and a network.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grader import gradescope
from tiny_lab import ALL, DOUBLE, LAB, answers, notebook, result_of

RIGHT = notebook(answers())
WRONG = notebook(answers(DOUBLE.replace("2 * x", "3 * x")))
PEEKS = """\
import os
def read(file):
    try:
        return open(file).read()
    except OSError:
        return ""
def double(x):
    return 3 * x if "the-hidden-secret" in read(WHERE) else 2 * x"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    (folder / "lab.ipynb").write_text(LAB)
    target = folder / "autograder.zip"
    gradescope.gradescope_main(["--lab", str(folder / "lab.ipynb"), "--to", str(target), "--key", "secret-key"])
    return target


def graded(packed: Path, folder: Path, files: dict[str, bytes]) -> tuple[dict | None, subprocess.CompletedProcess]:
    """results.json and the run, in a folder with the layout of Gradescope's /autograder."""
    with zipfile.ZipFile(packed) as content:
        content.extractall(folder / "source")
    script = folder / "run_autograder"
    script.write_bytes((folder / "source" / "run_autograder").read_bytes())
    script.chmod(0o755)
    (folder / "results").mkdir()
    (folder / "submission").mkdir()
    for name, content in files.items():
        (folder / "submission" / name).write_bytes(content)
    (folder / "submission_metadata.json").write_text(json.dumps({"id": 7, "users": [{"id": 42, "name": "Zoë"}]}))
    users = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    where = users | {"AUTOGRADER": str(folder), "GRADER_PYTHON": sys.executable, "GRADER_AS": ""}
    run = subprocess.run([script], cwd=folder, env=where, capture_output=True, text=True)
    results = folder / "results" / "results.json"
    return (json.loads(results.read_text()) if results.exists() else None), run


def points(results: dict) -> dict[str, float]:
    return {test["name"]: test["score"] for test in results["tests"]}


def test_a_right_answer_has_all_points_and_reads_no_hidden_check(packed, tmp_path):
    """It looks for the lab where it lies. It would answer wrongly if it had found it."""
    own = PEEKS.replace("WHERE", repr(f"{tmp_path}/source/lab.ipynb"))
    results, run = graded(packed, tmp_path, {"lab.ipynb": notebook(answers(own))})
    assert run.returncode == 0, run.stderr
    assert "the-hidden-secret" in (tmp_path / "source" / "lab.ipynb").read_text()
    assert points(results) == ALL and {test["status"] for test in results["tests"]} == {"passed"}, run.stdout
    assert "isolation: " in run.stdout and str(tmp_path) not in json.dumps(results)


def test_a_wrong_answer_is_told_why_and_a_better_one_counts(packed, tmp_path):
    results, run = graded(packed, tmp_path, {"a.ipynb": WRONG, "b.ipynb": notebook([])})
    assert points(results) == ALL | {"double": 0}, run.stderr
    (test,) = [test for test in results["tests"] if test["name"] == "double"]
    assert test["status"] == "failed" and "not the double" in test["output"] and test["max_score"] == 2
    assert "a.ipynb" in results["output"] and "Of 2 notebooks" in results["output"]


def test_no_notebook_is_said_to_the_student(packed, tmp_path):
    results, run = graded(packed, tmp_path, {"lab.pdf": b"%PDF"})
    assert run.returncode == 0 and results["score"] == 0 and "ends in .ipynb" in results["output"]


def test_a_lab_that_cannot_grade_costs_nobody_points(packed, tmp_path):
    """No results.json: Gradescope says that the autograder failed, and the submission can be graded again."""
    broken = tmp_path / "broken.zip"
    lab = json.loads(LAB)
    lab["cells"][1]["source"] += "\nraise RuntimeError('the teacher is wrong')"
    (tmp_path / "lab.ipynb").write_text(json.dumps(lab))
    gradescope.gradescope_main(["--lab", str(tmp_path / "lab.ipynb"), "--to", str(broken)])
    results, run = graded(broken, tmp_path / "autograder", {"lab.ipynb": RIGHT})
    assert results is None and run.returncode != 0 and "could not be graded" in run.stderr


# The form that https://gradescope-autograders.readthedocs.io/en/latest/specs/ gives.
FIELDS = {"score": (int, float), "max_score": (int, float), "status": str, "name": str, "output": str}
FIELDS |= {"output_format": str, "visibility": str}


@pytest.mark.parametrize("visibility", gradescope.VISIBILITY)
def test_the_report_has_gradescopes_form(visibility):
    result = result_of("Zoë", 0.0, state="not met", message="too\x1b[31m far", expected="near", got="far")
    told = gradescope.report(result, visibility)
    assert set(told) <= {"score", "execution_time", "output", "output_format", "stdout_visibility", "tests"}
    for test in told["tests"]:
        assert set(test) == set(FIELDS) and all(isinstance(test[name], kind) for name, kind in FIELDS.items())
        assert test["visibility"] == visibility in ("hidden", "after_due_date", "after_published", "visible")
        assert 0 <= test["score"] <= test["max_score"] and test["status"] in ("passed", "failed")
        assert test["output"] == "too far\nexpected: near\nyour value: far"
    json.dumps(told, allow_nan=False)


def test_the_zip_has_what_gradescope_asks_for_and_no_other_solution(packed):
    with zipfile.ZipFile(packed) as content:
        names = content.namelist()
        runs = {entry.filename for entry in content.infolist() if entry.external_attr >> 16 & 0o111}
    assert {"setup.sh", "run_autograder", "lab.ipynb", "grader/__main__.py", "utils/data.py"} <= set(names)
    assert runs >= {"setup.sh", "run_autograder"}
    assert not [name for name in names if re.match("solutions|labs|notebooks|tests", name) or "__pycache__" in name]
    for name in gradescope.SCRIPTS:
        assert subprocess.run(["bash", "-n", gradescope.HERE / name]).returncode == 0


def test_a_lab_that_is_not_there_is_said(capsys):
    with pytest.raises(SystemExit, match="no lab is called '99'"):
        gradescope.gradescope_main(["--lab", "99"])
    with pytest.raises(SystemExit):
        gradescope.gradescope_main([])
    assert "name a lab" in capsys.readouterr().err
