"""A table before all else: what is missing, new, out of range or of another kind, and which columns have drifted."""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import torch
from scipy import stats

from utils.arguments import array_of, is_there, number_in
from utils.monitoring.samples import as_precise, chi_square, holm, ks, p_of, psi
from utils.rate import Rate

FEW = 10  # different values up to which numbers are taken as categories
RARE = 20  # examples expected of a category, below which the tail of chi-square is not good enough for many columns
SHUFFLES = 9999  # permutations in its place
MANY = 100  # categories that these tell apart


class ColumnDrift(NamedTuple):
    """What `columns` says of one column.

    missing  the rates of values that are None, NaN or infinite, in the reference and now; None where there is no column
    test     what compared the values that are there: "ks", "psi", "chi_square", or "" where none could
    p        of that test, and of a chi-square for the missing ones: Holm's correction over all columns is in both.
             Where a category is rare it is counted (`chance`)
    effect   how large the change is, in the sample: for numbers the shift of the mean in deviations of the reference,
             for categories the share that would have to move (total variation)
    drifted  whether a p is at most the level, or the column has gone, come, or changed its kind
    says     sentences: new categories, values out of range, a changed kind
    """

    missing: tuple[Rate | None, Rate | None]
    test: str
    p: tuple[float, float]
    effect: float
    drifted: bool
    says: tuple[str, ...]


def columns(
    reference: Mapping[str, Iterable], now: Mapping[str, Iterable], *, level: float = 0.05
) -> dict[str, ColumnDrift]:
    """What a monitor should look at first, for each column of two tables: {name: ColumnDrift}.

    reference, now  {name: values}, as a dictionary of arrays or lists, or a DataFrame; numbers and times, or texts and
                    True and False as categories. Whole numbers with at most FEW different values are categories, too
    level           the chance of any false alarm by p among all columns, at most

    The test fits the column: chi-square for categories; for numbers PSI where one value fills half of its bin, as zeros
    do, else Kolmogorov and Smirnov. A value that is missing is counted, and the others are tested without it. Of rare
    categories, and rare missing values, p is counted (`chance`). Times are seconds since 1970.
    """
    level = number_in("level", level, "(0, 1)")
    reference, now = by_name("reference", reference), by_name("now", now)
    names = dict.fromkeys([*reference, *now])
    found = {name: side_by_side(reference.get(name), now.get(name)) for name in names}
    p = np.array([column.p for column in found.values()])
    tested = ~np.isnan(p)
    p[tested] = holm(p[tested]).numpy()
    return {
        name: column._replace(p=(float(row[0]), float(row[1])), drifted=column.drifted or bool((row <= level).any()))
        for (name, column), row in zip(found.items(), p, strict=True)
    }


def by_name(side: str, table) -> dict:
    """A table as {name: values}. Raises TypeError for what has no names, ValueError for more than one value in a row.

    Data frames of pandas and Polars have `columns`, tables of Arrow `column_names`, NumPy's records `dtype.names`.
    """
    if not isinstance(table, Mapping):
        kind = getattr(table, "dtype", None)
        places = (table, "columns"), (table, "column_names"), (kind, "names")
        names = next((found for owner, name in places if (found := getattr(owner, name, None)) is not None), None)
        if names is None or callable(names):
            raise TypeError(f"{side} must be a dictionary {{name: values}} or a DataFrame, got {type(table).__name__}")
        table = {name: table[name] for name in names}
    for name, values in table.items():
        if getattr(values, "ndim", 1) != 1:  # also a DataFrame, where two columns have one name
            raise ValueError(f"{side}: column {name!r} must hold one value for each row, got {tuple(values.shape)}")
    return dict(table)


def side_by_side(reference: Iterable | None, now: Iterable | None) -> ColumnDrift:
    """A column on its own; its p not corrected."""
    sides = [None if side is None else present(side) for side in (reference, now)]
    missing = tuple(None if side is None or not side[1] else Rate(side[1] - len(side[0]), side[1]) for side in sides)
    if None in sides:
        return ColumnDrift(
            missing, "", (math.nan, math.nan), math.nan, True, ("is new" if sides[0] is None else "has gone",)
        )
    (a, n), (b, m) = sides
    gone = [np.arange(size) >= len(values) for values, size in sides]
    p_missing = chance(*gone) if n and m else math.nan
    if not len(a) or not len(b):
        return ColumnDrift(missing, "", (math.nan, p_missing), math.nan, False, ("too few values to compare",))
    if (a.dtype.kind == "U") != (b.dtype.kind == "U"):
        kinds = ["texts" if side.dtype.kind == "U" else "numbers" for side in (a, b)]
        return ColumnDrift(missing, "", (math.nan, p_missing), math.nan, True, (f"had {kinds[0]}, and now {kinds[1]}",))
    if a.dtype.kind == "f":  # as precise as the coarser holds them: a price of 0.1 is the same price
        a, b = (side.numpy() for side in as_precise(torch.from_numpy(a), torch.from_numpy(b)))
    if a.dtype.kind == "U" or (len(np.unique(a)) <= FEW and (a == np.round(a)).all()):
        test, p, effect, says = categories(a, b)
    else:
        test, p, effect, says = amounts(a, b)
    return ColumnDrift(missing, test, (p, p_missing), effect, False, says)


def present(values: Iterable) -> tuple[np.ndarray, int]:
    """The values that are there, as floats (of their own type) or texts, and how many there should be."""
    found = array_of(values if hasattr(values, "dtype") else as_column(list(values)))
    if found.dtype.kind in "buif":
        there = found[np.isfinite(found)]
        return there if found.dtype.kind == "f" else there.astype(float), len(found)
    return np.array([str(value) for value in found.tolist() if is_there(value)]), len(found)


def as_column(values: list) -> np.ndarray:
    """A list as an array: of numbers or times if it holds these alone, else of objects, as NaN is no text."""
    with suppress(ValueError):  # lists of different lengths
        if (found := np.asarray(values)).ndim == 1 and found.dtype.kind in "buifmM":
            return found
    return np.fromiter(values, object, len(values))


def categories(a: np.ndarray, b: np.ndarray) -> tuple[str, float, float, tuple[str, ...]]:
    names, which = np.unique(np.concatenate([a, b]), return_inverse=True)
    before, after = (np.bincount(part, minlength=len(names)) for part in np.split(which, [len(a)]))
    effect = float(abs(before / len(a) - after / len(b)).sum() / 2)
    new, says = (before == 0).nonzero()[0], ()
    if len(new):
        shown = ", ".join(str(names[i]) for i in new[:3]) + (", ..." if len(new) > 3 else "")
        says = (f"{len(new)} new: {shown}, in {after[new].sum()} of {len(b)} values",)
    return "chi_square", chance(*np.split(which, [len(a)])), effect, says


def chance(reference: np.ndarray, now: np.ndarray) -> float:
    """The p of `chi_square` for categories 0, 1, ..., (n,) and (m,); counted where one is RARE: one example of it among
    few arrivals would look like a drift. Fisher's of two categories; of more, by permutations, 1 / (1 + SHUFFLES) at
    least, and beyond the MANY most common the others are counted as one.
    """
    n, m, names = len(reference), len(now), int(max(reference.max(), now.max())) + 1
    after = np.bincount(now, minlength=names)
    both = np.bincount(reference, minlength=names) + after
    both, after = both[both > 0], after[both > 0]
    if len(both) < 2 or both.min() * min(n, m) >= RARE * (n + m):
        return float(chi_square(reference, now).p)

    if len(both) > MANY:
        common = np.argsort(-both, kind="stable")[: MANY - 1]
        both, after = (np.append(counts[common], counts.sum() - counts[common].sum()) for counts in (both, after))

    def away(counts: np.ndarray) -> np.ndarray:
        """The statistic, but for a factor."""
        return ((counts - both * m / (n + m)) ** 2 / both).sum(-1)

    if len(both) == 2:
        one = np.arange(max(0, m - both[1]), min(m, both[0]) + 1)  # all that can be drawn of the first
        as_far = away(np.stack([one, m - one], 1)) >= away(after) * (1 - 1e-12)
        return min(float(stats.hypergeom.pmf(one[as_far], n + m, both[0], m).sum()), 1.0)
    drawn = np.random.default_rng(0).multivariate_hypergeometric(both, m, SHUFFLES, method="marginals")
    return float(p_of(torch.tensor(away(after)), torch.from_numpy(away(drawn))))


def amounts(a: np.ndarray, b: np.ndarray) -> tuple[str, float, float, tuple[str, ...]]:
    spread, shift = a.std(), b.mean() - a.mean()
    effect = float(shift / spread) if spread else math.copysign(math.inf, shift) if shift else 0.0
    outside = b[(b < a.min()) | (b > a.max())]
    says = (f"{len(outside)} of {len(b)} values lie outside of {span(a, outside)}",) if len(outside) else ()
    if min(len(a), len(b)) < 2:
        return "", math.nan, effect, (*says, "too few values to compare")
    most = np.unique(np.concatenate([a, b]), return_counts=True)[1].max() / (len(a) + len(b))
    name, test = ("psi", psi) if most >= 0.05 and min(len(a), len(b)) >= 50 else ("ks", ks)
    return name, float(test(a, b).p[0]), effect, says


def span(a: np.ndarray, outside: np.ndarray) -> str:
    """The ends of a, in as many digits as tell them apart; or, where they are one, from what is nearest outside."""
    low, high = float(a.min()), float(a.max())
    other = high if low < high else float(outside[abs(outside - low).argmin()])
    digits = next(n for n in range(4, 18) if f"{low:.{n}g}" != f"{other:.{n}g}")  # 17 tell any two
    return f"{low:.{digits}g} to {high:.{digits}g}"
