"""An exercise without an answer: one calm line, the next cell runs, and whatever counts errors still counts one."""

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from labs import LABS
from utils import expect
from utils.unanswered import STUB

STUBS = """import utils
def fgsm(x):
    raise NotImplementedError("write me")
class Mask:
    def forward(self, x):
        raise NotImplementedError("write me")
reports = {"A": "", "B": ""}"""
ASKED = ["fgsm(1)", "Mask().forward(1)", "from utils import expect\nexpect.words(reports, ['sound'])", "1 + 1"]


@pytest.fixture(scope="module")
def shown() -> list:
    """What each cell of ASKED shows, of a run that ends at the first error; then what an own error shows."""
    cells = [nbformat.v4.new_code_cell(source) for source in (STUBS, *ASKED)]
    own = nbformat.v4.new_code_cell("raise NotImplementedError('no such norm')")
    notebook = nbformat.v4.new_notebook(cells=[*cells, own])
    with pytest.raises(CellExecutionError, match="no such norm"):  # the last cell's, which is the student's own
        NotebookClient(notebook).execute()
    return [cell.outputs for cell in notebook.cells[1:]]


def test_run_all_goes_on_to_the_end(shown):
    assert shown[3][0]["data"]["text/plain"] == "2"


@pytest.mark.parametrize("cell, who", [(0, "fgsm"), (1, "Mask.forward"), (2, "This exercise")])
def test_one_line_names_what_is_missing_and_is_still_an_error(shown, cell, who):
    (output,) = shown[cell]
    assert output["output_type"] == "error" and output["ename"] == "NotImplementedError"
    (line,) = output["traceback"]
    assert line.startswith(f"– {who} is not answered yet: ") and "write me" in line


def test_a_students_own_error_is_shown_as_ever(shown):
    (output,) = shown[4]
    assert "Traceback" in "".join(output["traceback"]) and "no such norm" in output["traceback"][-1]


def test_words_are_missing_only_if_there_are_none():
    with pytest.raises(NotImplementedError, match="write me"):
        expect.words(dict.fromkeys("ABCDE", ""), ["sound"])
    for wrong in ({}, dict.fromkeys("ABCDE", "") | {"A": "sound"}, {"A": "other"}):
        with pytest.raises(expect.Unmet, match="needs one of the five words"):
            expect.words(wrong, ["sound"])


@pytest.mark.parametrize("lab", sorted(LABS.glob("*.ipynb")), ids=lambda lab: lab.stem)
def test_a_lab_without_answers_has_no_other_error(lab, monkeypatch):
    """So "Run All" comes to its end, and a student who has answered one exercise sees the check of each."""
    monkeypatch.chdir(LABS)
    namespace, missing = {"__name__": "__main__", "display": str}, 0
    for cell in nbformat.read(lab, 4).cells:
        if cell.cell_type == "code":
            try:
                exec(cell.source, namespace)
            except NotImplementedError as error:
                assert error.args == STUB
                missing += 1
    assert missing >= 3
