"""Kept records beside each other: what is missing is said in a line, and the page of lesson 15 says it as long."""

import re

import nbformat
import pytest

import at_scale
import scale as scale_tool
from run import LESSONS, save
from utils import kept
from utils.rate import Rate, Trainings
from utils.records import value_of

EVERY = (*scale_tool.FOR["cpu"], *scale_tool.FOR["cuda"], *at_scale.NAMES["cpu"], *at_scale.NAMES["cuda"])


def figures(rows: dict) -> list[dict]:
    return [
        {"cell": "", "row": row, "column": column, "value": value_of(value)}
        for row, cells in rows.items()
        for column, value in cells.items()
    ]


def record_with(name: str, rows: dict, dataset: str = "cifar10", **more) -> dict:
    made = {"lesson": name, "dataset": dataset, "machine": "a card", "claims": [], "headline": {}}
    return made | {"figures": figures(rows)} | more


EPOCHS = {f"epoch {i}": {"seconds": 60.0 * i, "right": Rate(i, 10), "left": Rate(i - 1, 10)} for i in (1, 2, 3)}


def test_what_is_missing_is_said_with_the_command_that_measures_it(tmp_path):
    shown = kept.beside({"slim": "fast", "large": "resnet18"}, {"right": ("right", "")}, folder=tmp_path)
    assert shown == [] and shown.below == [
        'Not measured on a CPU yet: fast. To measure: make compare NAMES="fast"',
        'Not measured on a GPU yet: resnet18. To measure: make scale RECIPES="resnet18"',
    ]
    assert kept.not_yet(["fast", "masks_gpu", "pgd"], tmp_path) == [
        'Not measured on a CPU yet: fast, pgd. To measure: make compare NAMES="fast pgd"',
        'Not measured on a GPU yet: masks_gpu. To measure: make compare NAMES="masks_gpu"',
    ]
    assert "on a GPU yet: resnet18" in repr(shown) and "<p>Not measured on a GPU" in shown._repr_html_()
    save(record_with("resnet18", {"right": {"": Rate(3, 4)}, "note": {"": "from <JPEG>"}}), tmp_path)
    later = kept.beside(
        {"slim": "fast", "large": "resnet18"}, {"right": ("right", "")}, {"best": ("9", "x")}, folder=tmp_path
    )
    assert later == [["large", "3/4 = 75 % [30, 95]", "measured here: a card; from <JPEG>"], ["best", "9", "x"]]
    assert later.below == kept.not_yet(["fast"], tmp_path) != []
    assert "from &lt;JPEG&gt;" in later._repr_html_()


@pytest.mark.parametrize("name", EVERY)
def test_each_command_is_one_that_the_tools_know(name, tmp_path):
    (said,) = kept.not_yet([name], tmp_path)
    where = "GPU" if name in (*scale_tool.FOR["cuda"], *at_scale.NAMES["cuda"]) else "CPU"
    command = "make scale RECIPES" if name in scale_tool.scale.RECIPES else "make compare NAMES"
    assert f"on a {where} yet" in said and said.endswith(f'{command}="{name}"')


def test_a_figure_that_is_not_there_is_none():
    record = record_with("x", {"right": {"": Rate(1, 2)}, "note": {"": "none"}})
    assert kept.rate_at(record, "right") == Rate(1, 2)
    assert kept.rate_at(record, "left") is kept.rate_at(None, "right") is kept.rate_at(record, "note") is None
    assert kept.came_from(record) == "measured here: a card"
    by = [kept.came_from(record_with("x", {"ranks": {"": ranks}, "note": {"": "by day"}})) for ranks in (1, 4)]
    assert by == ["measured here: a card; by day", "measured here: a card, 4 ranks; by day"]


def test_epochs_come_back_in_order_with_both_rates(tmp_path):
    save(record_with("fast", EPOCHS | {"right": {"": Rate(1, 2)}}), tmp_path)
    assert kept.epochs_of("fast", tmp_path) == {60.0 * i: (Rate(i, 10), Rate(i - 1, 10)) for i in (1, 2, 3)}
    assert kept.epochs_of("pgd", tmp_path) == {}


def test_rates_are_compared_where_both_have_them_and_of_one_kind(tmp_path):
    several, one = Trainings([Rate(1, 10), Rate(2, 10)]), Rate(1, 10)
    tables = {"digits": {"a": {"x": several, "y": one}, "b": {"x": one}}, "mnist": {"a": {"x": several, "y": several}}}
    for dataset, table in tables.items():
        headline = {row: {c: value_of(v) for c, v in cells.items()} for row, cells in table.items()}
        claims = [{"text": "It works", "verdict": dataset, "cell": "c", "because": "x"}]
        claims += [{"text": "It is cheap", "verdict": "open", "cell": "c", "because": "a poor model"}]
        save(record_with("03_x", {}, dataset, headline=headline, claims=claims), tmp_path)
    assert [what for what, *_ in kept.rates_on_both("digits", "mnist", folder=tmp_path)] == ["03: a x"]
    assert kept.verdicts_on("mnist", folder=tmp_path) == {"It works": "mnist"}
    assert kept.verdicts_on("mnist", before="03", folder=tmp_path) == {}


@pytest.mark.parametrize("name", EVERY)
def test_the_page_says_not_yet_as_long_as_a_record_is_missing(name):
    """And no longer: then it shows what the record says."""
    cells = nbformat.read(LESSONS / "15_at_scale.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    said = "\n".join(output.get("data", {}).get("text/plain", "") for output in outputs)
    missing = " ".join(re.findall(r'make \w+ \w+="([^"]+)"', said)).split()
    assert (name in missing) == (kept.kept(name) is None), "out of date: run make notebooks"
