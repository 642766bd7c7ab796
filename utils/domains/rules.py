"""What a person can change in a row of a table, and the nearest row that can exist. Built in lesson 11."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Column(NamedTuple):
    """One column of a table: its units, and what changing it costs whom it describes.

    name       as it is to be shown
    low, high  the values that become 0 and 1, not the same; on a logarithmic scale if `log`, and then above 0
    cost       of moving it through its whole range, or of choosing this member of a group; inf: it cannot be changed
    whole      whole numbers only
    rises      it can be made larger and never smaller
    group      of the columns with the same group, one is 1 and the others are 0
    linked     it follows from other columns, by a rule of the table
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    cost: float = math.inf
    whole: bool = False
    rises: bool = False
    group: str = ""
    linked: bool = False


class Rules(NamedTuple):
    """The columns of a table, and link(new, old) -> new, which recomputes linked columns; in units, (N, columns)."""

    columns: Sequence[Column]
    link: Callable[[Tensor, Tensor], Tensor] = lambda new, old: new

    def groups(self) -> dict[str, list[int]]:
        """The places of the columns of each one-hot group."""
        found: dict[str, list[int]] = {}
        for place, column in enumerate(self.columns):
            if column.group:
                found.setdefault(column.group, []).append(place)
        return found

    def where(self, test: Callable[[Column], bool], like: Tensor) -> Tensor:
        """Which columns pass a test, (columns,) bool."""
        return torch.tensor([bool(test(column)) for column in self.columns], device=like.device)


def spans(rules: Rules, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Low and high end of each column (columns,), as logarithms where it is logarithmic, and the places of these.

    ValueError for a column without a range.
    """
    for c in rules.columns:
        if c.low == c.high or (c.log and min(c.low, c.high) <= 0):
            must = "be above 0, as the column is logarithmic" if c.log and c.low != c.high else "differ"
            raise ValueError(f"low and high of the column {c.name!r} must {must}, got {c.low:g} and {c.high:g}")
    ends = [(math.log(c.low), math.log(c.high)) if c.log else (c.low, c.high) for c in rules.columns]
    low, high = torch.tensor(ends, dtype=like.dtype, device=like.device).T
    return low, high, rules.where(lambda c: c.log, like).nonzero()[:, 0]


def scale(raw: Tensor, rules: Rules) -> Tensor:
    """From units to [0, 1], (N, columns)."""
    low, high, log = spans(rules, raw)
    value = raw.index_copy(1, log, raw.index_select(1, log).clamp_min(1e-12).log())
    return (value - low) / (high - low)


def units(x: Tensor, rules: Rules) -> Tensor:
    """From [0, 1] back to units, (N, columns)."""
    low, high, log = spans(rules, x)
    value = low + x * (high - low)
    return value.index_copy(1, log, value.index_select(1, log).exp())


def follow_links(x_new: Tensor, x: Tensor, rules: Rules) -> Tensor:
    """`x_new` with the columns that follow from others; it has a gradient, as an attack should know. (N, columns)."""
    follows = rules.where(lambda c: c.linked, x).nonzero()[:, 0]
    if not len(follows):
        return x_new
    new = scale(rules.link(units(x_new, rules), units(x, rules)), rules).clamp(0, 1)
    return x_new.index_copy(1, follows, new.index_select(1, follows))


def box(x: Tensor, rules: Rules, eps: float) -> tuple[Tensor, Tensor]:
    """The least and largest value of each column that cost no more than `eps`, both (N, columns)."""
    cost = torch.tensor([c.cost for c in rules.columns], device=x.device).to(x)
    reach = torch.where(cost > 0, eps / cost, math.inf)  # 0 where the cost is infinite
    low, high = (x - reach).clamp_min(0), (x + reach).clamp_max(1)
    return torch.where(rules.where(lambda c: c.rises, x), x, low), high


def feasible(x_new: Tensor, x: Tensor, rules: Rules, *, eps: float) -> Tensor:
    """A row that can exist and that `x` can become at a cost of at most `eps` in each column: near `x_new`.

    x_new, x  rows (N, columns) in [0, 1]; `x` is a row of the table
    eps       budget: moving a column by d costs d times its cost

    Guarantee: columns without a price are as in `x`; rising ones are no smaller; whole numbers are whole and within
    the budget; each group has exactly one 1, the largest that the budget can buy; linked columns are recomputed last.
    A row that is feasible stays as it is, up to rounding.
    """
    low, high = box(x, rules, eps)
    out = torch.minimum(torch.maximum(x_new, low), high)
    values, least, most = units(out, rules), units(low, rules), units(high, rules)
    inside = torch.minimum(torch.maximum(values.round(), (least - 1e-3).ceil()), (most + 1e-3).floor())
    whole = rules.where(lambda c: c.whole and c.cost < math.inf, x)
    out = torch.where(whole, scale(inside, rules), out)
    for places in rules.groups().values():
        price = torch.tensor([rules.columns[i].cost for i in places], device=x.device)
        wish = x_new[:, places].masked_fill((price > eps) & (x[:, places] < 0.5), -math.inf)
        out[:, places] = F.one_hot(wish.argmax(1), len(places)).to(out)
    return follow_links(out, x, rules)
