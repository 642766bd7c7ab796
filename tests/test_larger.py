"""The tables at a larger scale: as text, and where there is none yet."""

from utils.evaluation import Rate
from utils.larger import as_text, larger


def test_a_headline_of_rates_has_a_line_each():
    assert as_text({"undefended": Rate(5, 400), "trained": 0.51234, "cost": "8 passes"}).splitlines() == [
        "undefended   5/400 = 1 % [1, 3]",
        "trained      0.512",
        "cost         8 passes",
    ]


def test_a_headline_with_columns_is_aligned_and_may_have_gaps():
    head, first, second = as_text(
        {"a": {"clean": Rate(1, 2), "left": 1.0}, "longer": {"left": Rate(0, 9)}}
    ).splitlines()
    assert head.split() == ["clean", "left"] and first.startswith("a ") and second.startswith("longer ")
    assert head.index("left") == first.rindex("1") == second.index("0/9")


def test_without_a_table_the_command_that_makes_it_is_named():
    assert "python tools/larger.py 99_none" in larger("99_none")
