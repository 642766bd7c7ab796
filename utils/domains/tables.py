"""A stream of card payments with a little fraud in it: synthetic, seeded, and built like the real thing. Lesson 11.

No bank gives its payments away, so these are drawn by a program. What it draws is stated here, and nothing measured on
it is a statement about a real bank. Its structure is what makes fraud detection hard: customers with habits, merchants
with prices, hours of the day, one fraud in a hundred payments, and labels that arrive weeks later.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from utils.data import Dataset, Split, device
from utils.domains.rules import Column, Rules, scale
from utils.models import logits

CHANNELS = ("chip", "contactless", "online", "phone")
KINDS = ("groceries", "fuel", "travel", "electronics", "gift cards", "games")
PRICES = (25.0, 45.0, 140.0, 110.0, 45.0, 20.0)  # euros, the middle of each kind
AMOUNT, RATIO, SPENT, COUNT, HOUR, DISTANCE, AGE = range(7)


def follow(new: Tensor, old: Tensor) -> Tensor:
    """What follows from a new amount: its ratio to the customer's usual one, and the sum of the last 24 hours.

    Earlier payments are as they were, so that neither their number nor what is usual may change.
    """
    amount, before = new[:, AMOUNT], old[:, AMOUNT]
    columns = list(new.unbind(1))
    columns[RATIO] = (amount * old[:, RATIO] / before).clamp(0.01, 100)
    columns[SPENT] = (old[:, SPENT] - before + amount).clamp_min(1)
    return torch.stack(columns, 1)


# What a thief with a copied card can do. Who has no PIN cannot use the chip; who wants money buys what can be sold.
RULES = Rules(
    (
        Column("amount", 1, 5000, log=True, cost=1.0, whole=True),  # euros
        Column("amount / usual", 0.01, 100, log=True, linked=True),  # usual: the mean of the customer's earlier ones
        Column("spent in 24 h", 1, 20_000, log=True, linked=True),  # euros, this payment included
        Column("payments in 24 h", 0, 20, whole=True),  # before this one; each more would change sum and ratio, too
        Column("hour", 0, 23, cost=0.1, whole=True),
        Column("distance", 1, 10_000, log=True, cost=0.5),  # km from home
        Column("age of account", 1, 4000, log=True, whole=True),  # days
        *(Column(c, cost=math.inf if c == "chip" else 0.1, group="channel") for c in CHANNELS),
        *(Column(k, cost=0.3 if k in ("groceries", "fuel") else 0.1, group="kind") for k in KINDS),
    ),
    follow,
)


class Transactions(NamedTuple):
    """Payments in the order of time.

    x         rows (N, 17) float32 in the units that `RULES` states; `rules.scale(x, RULES)` brings them to [0, 1]
    y         1 for fraud, else 0, (N,) int64
    time      days since the beginning, (N,) float64
    known     the day on which the label is known, (N,) float64: a fraud when the customer complains, after two weeks
              or so; an honest payment when 60 days have passed without a complaint
    customer  whose card it is, (N,) int64
    merchant  who was paid, (N,) int64
    """

    x: Tensor
    y: Tensor
    time: Tensor
    known: Tensor
    customer: Tensor
    merchant: Tensor


def transactions(
    n: int = 24_000, *, customers: int = 600, merchants: int = 120, days: int = 120, fraud: float = 0.01, seed: int = 0
) -> Transactions:
    """About `n` payments of `customers` at `merchants` in `days`, of which a share `fraud` are a thief's. Synthetic.

    An honest customer pays near home at hours of the day, mostly by chip, at a few kinds of merchants, amounts around
    a level of their own. A thief uses a copied card: one to five payments within hours, at any hour, without the chip,
    for what can be sold, often farther away, one and a half to eight times the customer's level; one in three begins
    with a payment of a few euros. Now and then an honest customer travels, or buys something large, and looks alike.

    The same seed gives the same payments.
    """
    if not (0 <= fraud <= 0.5 and n >= 1000):
        raise ValueError(f"n must be 1000 or more and fraud in [0, 0.5], got n = {n!r} and fraud = {fraud!r}")
    draw = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=draw, dtype=torch.float64)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    def pick(weights, count):
        return torch.as_tensor(weights, dtype=torch.float64).multinomial(count, replacement=True, generator=draw)

    kind_of = torch.cat([torch.arange(len(KINDS)), pick([6, 3, 2, 2, 1, 2], merchants - len(KINDS))])
    place = 60 * normal(merchants, 2)  # km on a map
    home = 60 * normal(customers, 2)
    level = (0.5 * normal(customers)).exp()  # how much they spend, against others
    opened = 4000 * uniform(customers) ** 2 + 1  # days before the stream begins
    active = (0.5 * normal(customers)).exp()

    # Honest payments.
    m = round(n * (1 - fraud))
    who, day = pick(active, m), uniform(m) * days
    hour = (14 + 4 * normal(m)).round().clamp(0, 23)
    near = (torch.cdist(home, place) / 40).neg().exp() + 1e-4  # customers go to merchants nearby
    where = near[who].multinomial(1, generator=draw)[:, 0]
    travels = uniform(m) < 0.03
    far = torch.where(travels, 1 + 3 * uniform(m), torch.zeros(m, dtype=torch.float64))  # powers of ten
    channel = pick([5, 4, 3, 0.5], m)
    large = torch.where(uniform(m) < 0.03, 1 + 5 * uniform(m), torch.ones(m, dtype=torch.float64))
    price = torch.tensor(PRICES, dtype=torch.float64)
    paid = price[kind_of[where]] * level[who] * (0.6 * normal(m)).exp() * large

    # Frauds, in bursts.
    bursts = max(round(n * fraud / 3), 1)
    size = pick([1, 1, 1, 1, 1], bursts) + 1
    burst = torch.arange(bursts).repeat_interleave(size)
    k = len(burst)
    order = torch.arange(k) - (size.cumsum(0) - size)[burst]  # within the burst
    victim = pick(torch.ones(customers), bursts)[burst]
    begin = (uniform(bursts) * (days - 1))[burst]
    stolen_day = begin + order * (0.5 + uniform(k)) / 24
    stolen_hour = ((24 * stolen_day) % 24).floor()
    wanted = torch.tensor([0.5, 0.5, 2, 4, 4, 2], dtype=torch.float64)[kind_of]
    thief = pick(wanted, k)
    stolen_far = torch.where(uniform(k) < 0.5, 1 + 3 * uniform(k), torch.zeros(k, dtype=torch.float64))
    probe = (order == 0) & (uniform(bursts) < 1 / 3)[burst]
    stolen = 60 * level[victim] * (1.5 + 6.5 * uniform(k) ** 2)
    stolen = torch.where(probe, 1 + 4 * uniform(k), stolen)

    customer, merchant = torch.cat([who, victim]), torch.cat([where, thief])
    time = torch.cat([day.floor() + (hour + uniform(m)) / 24, stolen_day])
    y = torch.cat([torch.zeros(m, dtype=torch.int64), torch.ones(k, dtype=torch.int64)])
    amount = torch.cat([paid, stolen]).round().clamp(1, 5000)
    away = torch.cat([far, stolen_far])
    distance = torch.where(away > 0, 10**away, (home[customer] - place[merchant]).norm(dim=1)).clamp(1, 10_000)
    hour = torch.cat([hour, stolen_hour])
    channel = torch.cat([channel, pick([0, 2, 5, 1], k)])
    complaint = torch.where(y == 1, 1 - 14 * uniform(m + k).clamp_min(1e-9).log(), torch.full_like(time, 60.0))

    sorted_by = time.argsort()
    customer, merchant, time, y, amount, distance, hour, channel, complaint = (
        t[sorted_by] for t in (customer, merchant, time, y, amount, distance, hour, channel, complaint)
    )
    usual, spent, count = history(customer, time, amount, price.mean())
    columns = [amount, (amount / usual).clamp(0.01, 100), (spent + amount).clamp(1, 20_000), count.clamp(0, 20)]
    columns += [hour, distance, (opened[customer] + time).round().clamp(1, 4000)]
    hot = [torch.nn.functional.one_hot(channel, len(CHANNELS)), torch.nn.functional.one_hot(kind_of[merchant])]
    x = torch.cat([torch.stack(columns, 1), *hot], 1).float()
    return Transactions(x, y, time, time + complaint, customer, merchant)


def history(customer: Tensor, time: Tensor, amount: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a bank knows before each payment: the mean of the customer's earlier amounts (`start` counts as one of
    them), the sum of those of the last 24 hours, and their number. All (N,), in the order of time."""
    key = customer * (time.max() + 10) + time
    order = key.argsort()
    key, paid = key[order], amount[order].double()
    total = torch.cat([torch.zeros(1, dtype=torch.float64), paid.cumsum(0)])
    here = torch.arange(len(key))
    first = torch.searchsorted(key, customer[order] * (time.max() + 10))
    day_ago = torch.searchsorted(key, key - 1)  # customers are ten days apart
    usual = (total[here] - total[first] + start) / (here - first + 1)
    back = torch.empty_like(order)
    back[order] = here
    return usual[back], (total[here] - total[day_ago])[back], (here - day_ago).double()[back]


def payments(stream: Transactions | None = None, *, eps: float = 0.1, name: str = "payments") -> Dataset:
    """A `Dataset` from a stream: what was known at half time to train on, what came later to test on; x in [0, 1].

    Training takes only labels that had arrived by then: recent frauds are missing from it, as in life.
    """
    stream = transactions() if stream is None else stream
    half = float(stream.time.max()) / 2
    complained = stream.known <= half  # by then; of the others the bank believes that they are honest
    x, there = scale(stream.x, RULES).clamp(0, 1), device()
    old, new = stream.time <= half, stream.time > half
    train = Split(x[old].to(there), (stream.y * complained)[old].to(there))
    return Dataset(name, train, Split(x[new].to(there), stream.y[new].to(there)), ("honest", "fraud"), eps)


def balanced(split: Split, *, seed: int = 0) -> Split:
    """As many examples as before, half of them of class 1, drawn with replacement: for training on rare things."""
    draw = torch.Generator().manual_seed(seed)
    picks = []
    for label in (0, 1):
        place = (split.y == label).nonzero()[:, 0]
        if not len(place):
            raise ValueError(f"the split has no example of class {label}: nothing to balance")
        picks.append(place[torch.randint(len(place), (len(split.y) // 2,), generator=draw).to(place.device)])
    index = torch.cat(picks)
    return Split(split.x[index], split.y[index])


class Threshold(nn.Module):
    """Logits (N, 2) with `threshold` added to the first: class 1 must be ahead by more. Goes behind a model."""

    def __init__(self, threshold: float):
        super().__init__()
        self.threshold = threshold

    def forward(self, logits: Tensor) -> Tensor:
        return torch.stack([logits[:, 0] + self.threshold, logits[:, 1]], 1)


def stopping(model: nn.Module, honest: Tensor, share: float = 0.01) -> nn.Sequential:
    """The model with a threshold such that it calls a `share` of the `honest` rows (N, columns) class 1."""
    answer = logits(model, honest)
    return nn.Sequential(model, Threshold(float((answer[:, 1] - answer[:, 0]).quantile(1 - share)))).eval()
