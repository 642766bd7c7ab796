"""The curtain: in a kernel, Run All gives no prediction away, and a lock shows all in its place."""

import pytest

from in_kernel import kernel
from utils.widgets.curtain import FIRST_LINE, WAITING

ASK = """from utils import plots, widgets
from utils.rate import Rate
from utils.records import measured

guess = widgets.ask("What is left?")
guess"""
BETWEEN = [
    """measured("left", Rate(1, 2))\nplots.rates({"bars": Rate(1, 3)})""",
    "import warnings\nwarnings.warn('mind')\n5",
    "1 / 0",
]
REVEAL = ["print('one half')\nguess.reveal(Rate(1, 2))", "print('afterwards')\n6"]


@pytest.fixture(scope="module")
def run():
    """Run cells in a kernel; for each what it shows, as text."""
    with kernel() as outputs:
        yield lambda *cells: [list(map(as_text, shown)) for shown in outputs(*cells)]


def as_text(output) -> str:
    data = output.get("data", {})
    return output.get("ename") or output.get("text") or data["text/plain"] or data.get("text/html", "")


def test_run_all_gives_nothing_away(run):
    asked, bars, warned, failed, revealed, after = run(ASK, *BETWEEN, *REVEAL)
    assert asked == ["What is left?"] and bars == [WAITING, ""]
    assert any("mind" in text for text in warned) and "5" not in warned and WAITING in warned
    assert failed == ["ZeroDivisionError"]
    assert revealed[0] == WAITING and len(revealed) == 2  # the comparison itself waits for the lock
    assert after == ["afterwards\n", "6"]


@pytest.mark.parametrize("press", ["guess.lock()", "guess.show()"])
def test_all_appears_in_its_place(run, press):
    _, bars, _, _, revealed, *_ = run(ASK, *BETWEEN, *REVEAL, press)
    assert bars == ["left → 1/2 = 50 % [9, 91]", "bars → 1/3 = 33 % [6, 79]"]
    assert revealed == ["one half", "measured → 1/2 = 50 % [9, 91]"]


def test_after_the_lock_nothing_is_kept_back(run):
    *_, bars, _, _, revealed, _ = run(ASK, "guess.lock()\n4", *BETWEEN, *REVEAL)
    assert bars == ["left → 1/2 = 50 % [9, 91]\n", "bars → 1/3 = 33 % [6, 79]"] and revealed[0] == "one half\n"


def test_a_second_question_takes_the_place_of_the_first(run):
    _, first, again, second, last = run(ASK, "1", ASK.replace("guess", "other"), "2", "print('shown')\nother.lock()")
    assert first == [WAITING] and second == ["2"] and last == ["shown\n"]
    assert again == ["What is left?"] or again == [WAITING]


def test_a_run_that_keeps_a_record_shows_all(monkeypatch, tmp_path):
    """Below a first line that gives nothing away where JupyterLab folds the cell, and that no page shows."""
    monkeypatch.setenv("COURSE_RECORD", str(tmp_path / "record"))  # of a kernel of its own
    with kernel() as outputs:
        _, bars, *_, silent, revealed, after = [
            list(map(as_text, shown)) for shown in outputs(ASK, *BETWEEN, "a = 1", *REVEAL)
        ]
    assert bars == [FIRST_LINE, "left → 1/2 = 50 % [9, 91]\n", "bars → 1/3 = 33 % [6, 79]"]
    assert silent == [] and revealed[:2] == [FIRST_LINE, "one half\n"] and after == ["afterwards\n", "6"]
