"""Records: what a lesson enters, how a run becomes a record, and how others find a figure in it."""

import json
import re
from html import unescape

import pytest
import torch
from nbval.plugin import get_sanitize_patterns

from run import ROOT, begin_cell, entered, record_of, save
from utils import plots, records
from utils.claims import claim
from utils.evaluation import Rate, Trainings
from utils.larger import Tables, as_text, larger, lines_of, missing
from utils.records import enter_table, find, in_lines, measured, number, shown, value_of

NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "t", "source": "# A title"},
        {"cell_type": "code", "id": "one", "source": "1"},
        {"cell_type": "markdown", "id": "m", "source": "text\n\n## A section"},
        {"cell_type": "code", "id": "two", "source": "2"},
    ]
}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The file of the record that is kept now."""
    monkeypatch.setenv("COURSE_RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("COURSE_LEDGER", str(tmp_path / "ledger"))
    return tmp_path / "record"


@pytest.mark.parametrize(
    ("value", "unit", "data", "text"),
    [
        (
            Trainings([Rate(80, 397), Rate(96, 397)]),
            "",
            {"trainings": [80, 96], "n": 397, "interval": [0.0, 0.4777]},
            "80, 96 of 397 = 22 % [0, 48]",
        ),
        (Rate(5, 9), "", {"k": 5, "n": 9, "interval": [0.2667, 0.8112]}, "5/9 = 56 % [27, 81]"),
        (2.345, "s", {"number": 2.345, "unit": "s"}, "2.35 s"),
        (9, "", {"number": 9, "unit": ""}, "9"),
        (12345, "", {"number": 12345, "unit": ""}, "12,345"),
        (256.4, "", {"number": 256.4, "unit": ""}, "256"),
        (torch.tensor(0.5), "", {"number": 0.5, "unit": ""}, "0.5"),
        (torch.tensor(True), "", {"text": "yes"}, "yes"),
        (["a", "b"], "", {"text": "a, b"}, "a, b"),
        ([], "", {"text": "none"}, "none"),
        (float("inf"), "", {"text": "inf"}, "inf"),
        ("it depends", "", {"text": "it depends"}, "it depends"),
    ],
)
def test_a_value_is_plain_data_and_prints_as_people_read_it(value, unit, data, text):
    assert value_of(value, unit) == data == json.loads(json.dumps(data))
    assert shown(value_of(value, unit)) == text


def test_what_is_no_value_is_refused():
    with pytest.raises(TypeError, match="not Module"):
        value_of(torch.nn.Module())


def test_a_value_is_a_number_to_a_band():
    assert number(value_of(Rate(1, 4))) == 0.25 and number(value_of(3)) == 3
    assert number(value_of(Trainings([Rate(80, 397), Rate(96, 397)]))) == pytest.approx(88 / 397)  # the mean
    with pytest.raises(ValueError, match="'none' is no number"):
        number(value_of([]))


def test_what_is_measured_is_printed_after_an_arrow_and_entered(kept, capsys):
    measured("left", Rate(5, 9))
    measured("PGD", {"passes": 9, "seconds": 2.5})
    assert capsys.readouterr().out == "left → 5/9 = 56 % [27, 81]\nPGD → passes 9, seconds 2.5\n"
    assert [(line["row"], line["column"]) for line in entered(kept)] == [
        ("left", ""),
        ("PGD", "passes"),
        ("PGD", "seconds"),
    ]


def test_what_is_longer_than_a_line_breaks_between_values(kept, capsys):
    measured("left", {"first trained": Rate(5, 397), "second trained": Rate(39, 397), "third trained": Rate(397, 397)})
    measured("classes", [f"class {n}" for n in range(20)])
    measured(
        "raised by the tests", {"in all": 2, "which:": ["the first of them, whose name is long", "the second of them"]}
    )
    measured("a name that takes nearly the whole of a line and is followed by what is long, too", Rate(100, 397))
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        "left → first trained 5/397 = 1 % [1, 3], second trained 39/397 = 10 % [7, 13],",
        "    → third trained 397/397 = 100 % [99, 100]",
    ]
    assert max(map(len, printed)) <= 96 and [line[:13] for line in printed[2:5]] == [
        "classes → cla",
        "    → class 9",
        "    → class 1",
    ]
    assert printed[5:] == [
        "raised by the tests → in all 2, which: the first of them, whose name is long,",
        "    → the second of them",
        "a name that takes nearly the whole of a line and is followed by what is long, too",
        "    → 100/397 = 25 % [21, 30]",
    ]


def test_no_number_of_lines_is_compared():
    """What was measured may need one line on a machine and two on another: nbval sees the same."""
    [(pattern, new)] = get_sanitize_patterns((ROOT / "tests" / "nbval_sanitize.cfg").read_text())
    one = in_lines("left", ["a 1", "b 2"]) + "\nnext\n    here"
    more = in_lines("left", ["a 1" * 27, "b 2" * 40]) + "\nnext\n    here"
    below = in_lines("left", ["a 1" * 40, "b 2" * 40]) + "\nnext\n    here"
    assert one.count("\n") < more.count("\n") < below.count("\n")
    assert {re.sub(pattern, new, text) for text in (one, more, below)} == {f"left{new}\nnext\n    here"}


def test_in_a_learners_own_run_nothing_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_RECORD", raising=False)
    monkeypatch.chdir(tmp_path)
    measured("left", Rate(5, 9))
    assert not [*tmp_path.iterdir()]


def test_pictures_and_claims_enter_what_they_show(kept):
    plots.rates({"a": Rate(1, 2)})
    plots.table({"b": {"clean": Rate(1, 2), "left": Rate(0, 2)}})
    plots.lines({"c": {0.1: Rate(1, 2)}}, x="eps")
    plots.curves({"d": {2: 0.5}}, x="n", y="bound")
    claim("My own claim", holds=True, because="1")
    lines = entered(kept)
    names = {(line["row"], line["column"]) for line in lines if "row" in line}
    assert names == {("a", ""), ("b", "clean"), ("b", "left"), ("c", "at 0.1"), ("d", "at 2")}
    assert [line["verdict"] for line in lines if "verdict" in line] == ["holds"]


def test_what_a_picture_says_of_a_measurement_stands_after_an_arrow():
    """nbval compares the rest, and so the rest may not depend on what was measured."""

    def compared(share):
        pictures = [
            plots.rates({"a": Rate(share, 2)}),
            plots.table({"b": {"clean": Rate(share, 2)}}),
            plots.lines({"c": {0.1: Rate(share, 2)}}, x="eps"),
            plots.curves({"d": {2: share}}, x="n", y="bound"),
            plots.gallery({"e": torch.rand(2, 1, 8, 8)}, {"e": [str(share), "x"]}),
        ]
        return [line.partition("→")[0] for picture in pictures for line in picture.text.splitlines()]

    assert compared(1) == compared(2)


def test_a_run_becomes_a_record_whose_lines_know_their_cells(kept):
    begin_cell(kept, "one")
    measured("left", Rate(1, 2))
    measured("left", Rate(2, 2))  # a cell that enters a figure twice means the second
    begin_cell(kept, "two")
    measured("left", Rate(0, 2))
    claim("My own claim", holds=None, because="1", undefended=Rate(97, 100))
    larger("99_none", {"row": Rate(1, 2)})
    records.enter(seconds=1.23)
    records.enter(seconds=4.56)
    record = record_of(NOTEBOOK, entered(kept), "99_small", "digits")
    figures = {(figure["cell"], figure["row"]): shown(figure["value"]) for figure in record["figures"]}
    assert figures == {("one", "left"): "2/2 = 100 % [34, 100]", ("two", "left"): "0/2 = 0 % [0, 66]"}
    assert record["sections"] == {"one": "A title", "two": "A section"}
    assert [(c["cell"], c["verdict"], c["undefended"]["k"]) for c in record["claims"]] == [("two", "it depends", 97)]
    assert record["headline"] == {"row": {"": value_of(Rate(1, 2))}}
    assert record["seconds"] == 4.6 and record["versions"]["torch"] == torch.__version__


def test_a_record_is_kept_with_a_line_for_each_figure(kept, tmp_path):
    begin_cell(kept, "one")
    enter_table({"a": Rate(1, 2), "b": {"x": 1, "y": "é"}})
    record = record_of(NOTEBOOK, entered(kept), "99_small", "digits")
    save(record, tmp_path)
    text = (tmp_path / "99_small.digits.json").read_text(encoding="utf-8")
    assert records.read("99_small", folder=tmp_path) == record
    assert sum('"row"' in line for line in text.splitlines()) == 3 == text.count('"row"')
    assert records.stem_of("99", tmp_path) == "99_small" and records.stem_of("98", tmp_path) == ""


def test_a_figure_is_found_by_its_names_and_only_if_it_is_the_one(kept):
    for cell in ("one", "two"):
        begin_cell(kept, cell)
        measured("left", {cell: 1, "both": 2})
    record = record_of(NOTEBOOK, entered(kept), "99_small", "digits")
    assert find(record, "left", "one")["cell"] == "one"
    assert find(record, "left", "both", "two")["cell"] == "two"
    with pytest.raises(LookupError, match="is shown by one, two"):
        find(record, "left", "both")
    with pytest.raises(LookupError, match="is shown by no cell"):
        find(record, "left")


def record_with(headline: dict) -> dict:
    table = {
        row: {c: value_of(v) for c, v in (cells if isinstance(cells, dict) else {"": cells}).items()}
        for row, cells in headline.items()
    }
    about = {"lesson": "03_x", "dataset": "mnist", "machine": "one core", "versions": {"torch": "2"}, "seconds": 61.4}
    return about | {"headline": table, "claims": [{"verdict": "holds", "text": "It works"}]}


def test_a_headline_of_rates_has_a_line_each():
    lines = as_text(record_with({"undefended": Rate(5, 400), "trained": 0.51234, "cost": "8 passes"})).splitlines()
    assert lines == [
        "python tools/build.py --on mnist 03_x",
        "one core, torch 2, 61 s",
        "",
        "undefended   5/400 = 1 % [1, 3]",
        "trained      0.512",
        "cost         8 passes",
        "",
        "holds: It works",
    ]


def test_a_table_of_older_code_says_so():
    record = record_with({"left": Rate(5, 400)}) | {"measured_by": "commit 7c8bbb1"}
    assert as_text(record).splitlines()[1] == "one core, torch 2, 61 s, measured by older code: commit 7c8bbb1"
    said = as_text(record | {"note": "decoded from JPEG"}).splitlines()[1]
    assert said == "one core, torch 2, 61 s, decoded from JPEG, measured by older code: commit 7c8bbb1"


def test_a_headline_with_columns_is_aligned_and_may_have_gaps():
    table = {"a": {"clean": Rate(1, 2), "left": 1.0}, "longer": {"left": Rate(0, 9)}}
    head, first, second = as_text(record_with(table)).splitlines()[3:6]
    assert head.split() == ["clean", "left"] and first.startswith("a ") and second.startswith("longer ")
    assert head.index("left") == first.rindex("1") == second.index("0/9")


def test_a_table_of_html_has_the_same_cells_and_no_markup_of_a_name():
    record = record_with({"a < b": {"clean": Rate(1, 2), "left": 1.0}, "longer": {"left": Rate(0, 9)}})
    page = Tables([record, missing("99_none", "mnist")])._repr_html_()
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in page.split("<tr>")[1:]]
    assert [list(map(unescape, row)) for row in cells] == lines_of(record)
    assert "a < b" not in page and "holds: It works" in page and "--on mnist 99_none" in page


def test_without_a_record_the_command_that_makes_it_is_named():
    assert "python tools/build.py --on mnist 99_none" in repr(larger("99_none", {"row": Rate(1, 2)}))
