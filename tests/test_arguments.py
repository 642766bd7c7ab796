"""Numbers as arguments: those of Python, NumPy and torch are taken, and whoever gives another is told which."""

import math

import numpy as np
import pytest
import torch

from utils.arguments import as_number


@pytest.mark.parametrize(
    "kind",
    [
        int,
        float,
        np.int8,
        np.float16,
        np.float64,
        np.array,
        torch.tensor,
        lambda v: torch.tensor([v]),
        lambda v: np.array([[v]]),
    ],
)
def test_a_number_is_a_number(kind):
    found = as_number("rate", kind(1), "(0, 1]")
    assert found == 1 and type(found) is float
    assert type(as_number("n", kind(1), whole=True)) is int


@pytest.mark.parametrize(
    "value",
    [
        True,
        np.bool_(True),
        torch.tensor(True),
        math.nan,
        np.nan,
        torch.tensor(math.nan),
        "1",
        None,
        [1],
        1j,
        np.array([1, 2]),
        torch.ones(2),
        torch.zeros(0),
        {},
    ],
)
def test_what_is_none_is_named(value):
    for how in ({}, {"whole": True}, {"within": "[-inf, inf]"}):
        with pytest.raises(ValueError, match=r"^eps must be a (whole )?number in [\[(]-inf, inf[\])], got "):
            as_number("eps", value, **how)


def test_ends_belong_to_it_as_on_paper():
    assert as_number("q", 0, "[0, 1)") == 0 and as_number("sigma", math.inf, "(0, inf]") == math.inf
    for value, within in (
        (0, "(0, 1]"),
        (1, "[0, 1)"),
        (math.inf, "[0, inf)"),
        (-math.inf, "(-inf, 0]"),
        (1.5, "[0, 1]"),
    ):
        with pytest.raises(ValueError, match=r"^q must be a number in "):
            as_number("q", value, within)
    for value in (2.5, math.inf):
        with pytest.raises(ValueError, match=r"^n must be a whole number in \[0, inf\], got "):
            as_number("n", value, "[0, inf]", whole=True)
    with pytest.raises(ValueError, match=r"got 64 \(a batch size\? divide it by N\)$"):
        as_number("rate", 64, "[0, 1]", hint="a batch size? divide it by N")
