"""Numbers as arguments: whoever gives one that makes no sense is told which, in a sentence. It needs no torch."""

from numbers import Real


def as_number(name: str, value: object, within: str = "(-inf, inf)", *, whole: bool = False, hint: str = "") -> float:
    """`value` as a plain number of Python, if it is one that lies `within` an interval.

    value   a number of Python, NumPy or torch; an array or tensor of one element counts as one
    within  as on paper: "[0, 1)" holds 0 and not 1, "(0, inf]" holds infinity
    whole   only whole numbers, and the answer is an int
    hint    what else to tell somebody who is wrong

    Raises ValueError that names the argument for all else: True and False, NaN, texts, numbers outside.
    """
    low, high = (float(end) for end in within[1:-1].split(","))
    found = value
    if hasattr(value, "tolist"):  # of NumPy or torch
        found = value.tolist()
        while isinstance(found, list) and len(found) == 1:
            found = found[0]
    fits = isinstance(found, Real) and not isinstance(found, bool)
    fits = fits and (low < found or (within[0] == "[" and low == found))  # NaN is neither
    fits = fits and (found < high or (within[-1] == "]" and found == high))
    if not fits or (whole and found != found // 1):  # infinity // 1 is NaN
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"{name} must be {kind} in {within}, got {value!r}" + (f" ({hint})" if hint else ""))
    return int(found) if whole else float(found)
