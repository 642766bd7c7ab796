"""The monitor of accounts: does one and the same sender ask for nearly the same thing again? Built in lesson 13."""

import math
import warnings
from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor

from utils.arguments import floats, is_there, number_in, whole
from utils.monitoring.incidents import check_usual
from utils.monitoring.streams import BETS


def nearest(queries: Tensor, window: int = 20) -> Tensor:
    """The distance (L2) of each query to the nearest of the `window` before it, (n - 1,) float64: the first has none.

    Built in lesson 13, after Chen, Carlini & Wagner 2020 (arXiv:1907.05587). From differences in float64, so that near
    ones are told apart however far from 0 they lie. A query that is not finite is left out as if it had not come: its
    distance is NaN, as that of the first one.

    queries  of one account, in their order, (n, ...)
    """
    queries = floats("queries", queries)
    if queries.dim() < 2:
        raise ValueError(f"queries must be (n, ...), one after another, got {tuple(queries.shape)}")
    flat = queries.flatten(1)
    finite = flat.isfinite().all(1)
    come, found = flat[finite], flat.new_full((len(flat),), math.nan)
    distance = come.new_full((len(come),), math.inf)
    for ago in range(1, min(whole("window", window), len(come) - 1) + 1):
        distance[ago:] = distance[ago:].minimum((come[ago:] - come[:-ago]).square().sum(1).sqrt())
    found[finite] = distance.where(distance < math.inf, math.nan)
    return found[1:]


def closeness(usual: Tensor, distance: Tensor) -> Tensor:
    """How unusually near a query is to an earlier one, 0 to 1, (...) float64: -log(share of usual as near) / log(n).

    usual  (n,) distances of accounts that are trusted, two at least, without NaN; the closeness of NaN is NaN
    """
    usual, distance = check_usual(usual, distance)
    n = len(usual)
    below = torch.searchsorted(usual.sort().values, distance.contiguous(), right=True)
    near = (-(below.double() / n).clamp_min(1 / n).log() / math.log(n)).clamp(0, 1)
    return near.where(~distance.isnan(), math.nan)


class QueryMonitor:
    """Reads one query at a time and says which account asks again and again for nearly the same thing.

    On each account the gambler of `e_detector` watches the closeness of its queries. While the next one's expected
    closeness, given all before it, is the mean of the usual ones, an alarm on an account comes after `run_length`
    queries of it or more, on average. Honest accounts that dwell on one thing for a while break this: try such ones
    first. Memory holds at most `accounts` accounts with `window` queries each: whoever has been silent longest is
    forgotten first.

    A query that is not finite is passed over, with a warning, as if it had not come.

    usual  (n,) distances of accounts that are trusted, as `nearest` finds them; NaN is left out. Leave out the first
           `window` - 1 of each account: with few earlier queries distances are large, and beside those many an account
           that lives long looks suspicious
    """

    def __init__(self, usual: Tensor, *, run_length: float, window: int = 20, accounts: int = 1000):
        run_length = number_in("run_length", run_length, "(0, inf)")
        window = whole("window", window)
        accounts = whole("accounts", accounts)
        usual = floats("usual", usual)
        usual = usual[~usual.isnan()]
        if len(usual) < 100:
            raise ValueError(f"QueryMonitor needs 100 usual distances at least, got {len(usual)}: record more accounts")
        if usual.min() == usual.max():
            raise ValueError("the usual distances are all alike, so none can be unusual: record real accounts")
        self.usual, self.mean = np.sort(usual.double().cpu().numpy()), float(closeness(usual, usual).mean())
        self.run_length, self.window, self.most = run_length, window, accounts
        bets = np.array(BETS)
        self.stake = np.where(bets > 0, bets / self.mean, bets / (1 - self.mean))
        # of each account the last queries, how many it has sent, and what the gambler holds for each bet
        self.memory: OrderedDict[object, tuple[np.ndarray, int, np.ndarray]] = OrderedDict()

    def update(self, account, query: np.ndarray) -> bool:
        """Read a query, an array; True if its account raises an alarm, which then begins anew.

        Whoever asks without a name (None, NaN) is one account.
        """
        query = query.detach().double().cpu() if isinstance(query, Tensor) else query
        query, nothing = np.asarray(query, float).reshape(-1), np.zeros(len(BETS))
        account = account if is_there(account) else None
        if not np.isfinite(query).all():
            warnings.warn("a query is NaN or infinite: it is passed over", stacklevel=2)
            return False
        recent, seen, coins = self.memory.get(account) or (np.empty((self.window, len(query))), 0, nothing)
        if recent.shape[1] != len(query):
            raise ValueError(f"a query has {len(query)} numbers, and the account's earlier ones {recent.shape[1]}")
        alarm = False
        if seen:
            away = recent[:seen] - query  # the first rows, until all are filled
            distance = math.sqrt(np.einsum("ij,ij->i", away, away).min())
            share = max(self.usual.searchsorted(distance, side="right"), 1) / len(self.usual)
            x = -math.log(share) / math.log(len(self.usual))
            coins = np.minimum((1 + coins) * (1 + self.stake * (x - self.mean)), 1e300)
            alarm = coins.mean() >= self.run_length
        recent[seen % self.window] = query
        self.memory[account] = recent, seen + 1, nothing if alarm else coins
        self.memory.move_to_end(account)  # who was seen last is forgotten last
        if len(self.memory) > self.most:
            self.memory.popitem(last=False)
        return bool(alarm)
