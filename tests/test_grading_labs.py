"""The labs themselves in the real sandbox: what their checks send goes down, and what ours answer has all points."""

import pytest

from grader import grade
from run import ROOT
from tiny_lab import MODULES, graded


@pytest.mark.parametrize("solution", sorted((ROOT / "solutions").glob("*.ipynb")), ids=lambda file: file.stem)
def test_our_own_answers_have_all_points(solution, monkeypatch):
    """A check that sends what cannot be sent would leave the whole class without a grade."""
    monkeypatch.setattr(grade, "modules_imported", lambda cells: MODULES)  # one pristine process for all labs
    content = solution.read_bytes()
    seconds = {"cell": 60, "call": 30, "all": 300, "cpu": 180, "memory": 6_000_000_000}
    result = graded(content, lab=content.decode(), **seconds)
    assert not [check for check in result["checks"] if check["state"] != "passed"]
