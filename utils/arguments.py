"""Numbers as people have them: Python's, NumPy's or a tensor's, looked at in one place."""

import numbers
from collections.abc import Callable

import numpy as np
from torch import Tensor


def plain(value) -> int | float | None:
    """The number as one of Python's: from a number or a NumPy array or tensor of no dimension; None: it is none."""
    if isinstance(value, (Tensor, np.ndarray)):
        value = value.item() if value.ndim == 0 else None
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        return None
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def number(name: str, value, must: str, holds: Callable[[float], bool]) -> float:
    """`value` as a float if it `holds`; else ValueError `NAME must MUST, got VALUE`. True is no number, NaN none."""
    found = plain(value)
    if found is None or found != found or not holds(found):
        raise ValueError(f"{name} must {must}, got {value!r}")
    return float(found)


def budget(name: str, value) -> float:
    """A radius: a finite number >= 0."""
    return number(name, value, "be a number >= 0 and finite", lambda v: 0 <= v < float("inf"))


def whole(name: str, value, least: int | None = 1) -> int:
    """`value` as an int if it is whole (1000, 1e3, np.int64(1000)) and not below `least`; else ValueError."""
    found = plain(value)
    if found is None or found - found != 0 or found != int(found) or (least is not None and found < least):
        raise ValueError(f"{name} must be a whole number{'' if least is None else f' >= {least}'}, got {value!r}")
    return int(found)


def probability(name: str, value) -> float:
    return number(name, value, "lie between 0 and 1", lambda v: 0 < v < 1)


def number_in(name: str, value, interval: str = "(-inf, inf)", hint: str = "") -> float:
    """`value` as a float if it lies in an interval as on paper, "[0, 1)" or "(0, inf]". `hint`: what else to say."""
    low, high = (float(end) for end in interval[1:-1].split(","))

    def holds(v: float) -> bool:
        return low < v < high or (v == low and interval[0] == "[") or (v == high and interval[-1] == "]")

    return number(name, value, f"be a number in {interval}{f' ({hint})' if hint else ''}", holds)
