"""Numbers as arguments: those of Python, NumPy and torch are taken, and whoever gives another is told which."""

import math

import numpy as np
import pytest
import torch

from utils.arguments import number, number_in, whole


@pytest.mark.parametrize("kind", [int, float, np.int8, np.float16, np.float64, np.array, torch.tensor])
def test_a_number_is_a_number(kind):
    found = number_in("rate", kind(1), "(0, 1]")
    assert found == 1 and type(found) is float
    assert type(whole("n", kind(1))) is int


@pytest.mark.parametrize(
    "value", [True, np.bool_(True), torch.tensor(True), math.nan, torch.tensor(math.nan), "1", None]
)
def test_what_is_none_is_named(value):
    with pytest.raises(ValueError, match=r"^eps must be a number in \[-inf, inf\], got "):
        number_in("eps", value, "[-inf, inf]")
    with pytest.raises(ValueError, match=r"^n must be a whole number >= 1, got "):
        whole("n", value)


def test_nan_is_no_number_whatever_may_be_asked_of_it():
    with pytest.raises(ValueError, match=r"^x must be anything, got nan$"):
        number("x", math.nan, "be anything", lambda v: True)


def test_ends_belong_to_it_as_on_paper():
    assert number_in("q", 0, "[0, 1)") == 0 and number_in("sigma", math.inf, "(0, inf]") == math.inf
    outside = ((0, "(0, 1]"), (1, "[0, 1)"), (math.inf, "[0, inf)"), (-math.inf, "(-inf, 0]"), (1.5, "[0, 1]"))
    for value, interval in outside:
        with pytest.raises(ValueError, match=r"^q must be a number in "):
            number_in("q", value, interval)
    with pytest.raises(ValueError, match=r"in \[0, 1\] \(a batch size\? divide it by N\), got 64$"):
        number_in("rate", 64, "[0, 1]", hint="a batch size? divide it by N")
