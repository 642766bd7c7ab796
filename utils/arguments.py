"""Numbers as people have them: Python's, NumPy's, a tensor's or a data frame's, looked at in one place."""

import datetime
import math
import numbers
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor


def plain(value) -> int | float | None:
    """The number as one of Python's: from a number or a NumPy array or tensor of no dimension; None: it is none."""
    if isinstance(value, (Tensor, np.ndarray)):
        value = value.item() if value.ndim == 0 else None
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (numbers.Real, Decimal)):
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


# Many numbers.


def floats(name: str, values) -> Tensor:
    """Values as a tensor in float64, NaN where one is missing: from a tensor, an array, a list or a column of a table.

    They are numbers that were measured: the tensor has no gradient. Raises ValueError if some are no numbers.
    """
    if isinstance(values, Tensor):
        return values.detach().double()
    found = array_of(values)
    if found.dtype.kind not in "buif":
        raise ValueError(f"{name} must hold numbers, got {found.dtype}")
    return torch.from_numpy(found.astype(float))


def array_of(values) -> ndarray:
    """Values as an array that torch takes, a copy: times as seconds (since 1970), objects that are all numbers or
    times as float64, with NaN for those that are missing (None, NaN, NA, NaT). Of other objects, an array of objects.
    """
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values  # NumPy has no such type
    found = np.asarray(values)
    if found.dtype.kind in "mM":
        seconds = found.astype(f"{found.dtype.kind}8[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(found), np.nan, seconds)
    if found.dtype.kind == "O":
        each = [as_float(one) for one in found.flat]
        return found if None in each else np.array(each, float).reshape(found.shape)
    wide = found.dtype.kind == "f" and found.dtype.itemsize > 8  # a long double
    return np.array(found, float if wide else found.dtype.newbyteorder("="))


def as_float(value) -> float | None:
    """A number, a truth or a time as a float, times in seconds; NaN if it is missing; None: it is nothing of these."""
    if not is_there(value):
        return math.nan
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.date):
        midnight = datetime.datetime.combine(value, datetime.time())
        when = value if isinstance(value, datetime.datetime) else midnight
        return (when if when.tzinfo else when.replace(tzinfo=datetime.UTC)).timestamp()
    found = bool(value) if isinstance(value, (bool, np.bool_)) else plain(value)
    try:
        return None if found is None else float(found)
    except OverflowError:
        return None


def is_there(value) -> bool:
    """Not None, and equal to itself, as NaN, NaT and NA of pandas are not."""
    try:
        return value is not None and bool(value == value)
    except TypeError:  # NA will not say
        return False
    except ValueError:  # an array in its place
        return True
