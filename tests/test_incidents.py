"""What lesson 13 adds to monitoring: surprises, streams in which something happens, and the monitor of accounts."""

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from same_code import definitions
from utils import monitoring
from utils.rate import Rate

ROOT = Path(__file__).resolve().parents[1]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# How unusual a number is.


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=40), st.integers(-4, 4))
def test_a_surprise_is_the_share_at_least_as_extreme_counted_by_hand(usual, now):
    n = len(usual)
    as_far = min(sum(u <= now for u in usual), sum(u >= now for u in usual))
    share = min(max(2 * as_far, 1) / n, 1)
    found = monitoring.surprise(torch.tensor([usual]).double(), torch.tensor([[now]]).double())
    assert math.isclose(float(found), max(-math.log(share) / math.log(n), 0), abs_tol=1e-9)


def test_surprises_follow_one_law_whatever_the_numbers_are():
    """As many are above -log(p) / log(n) as p says, up to what chance allows: a uniform share has Exp(1) as -log."""
    x = torch.stack([normal(2, 20_000, seed=1).flatten(), normal(2, 20_000).exp().flatten()])
    found = monitoring.surprise(x[:, :20_000], x[:, 20_000:]) * math.log(20_000)
    for channel in found:
        assert stats.kstest(channel.numpy(), "expon").pvalue > 1e-3
    far = monitoring.surprise(x[:, :20_000], torch.tensor([[9.0, -9], [1e6, -1]]).double())
    assert (far == 1).all(), "beyond all of them, up or down"


# Streams in which something happens.


@settings(max_examples=20, deadline=None)
@given(share=st.integers(0, 20).map(lambda k: k / 20), change=st.integers(0, 200), seed=st.integers(0, 99))
def test_what_is_mixed_in_is_what_is_said(share, change, seed):
    calm, odd = normal(3, 50), 100 + normal(3, 7)
    streams, event = monitoring.mixed(calm, odd, share=share, change=change, runs=5, length=200, seed=seed)
    assert streams.shape == (3, 5, 200) and event.shape == (5, 200)
    assert (event[:, :change] == -1).all() and int(event.max()) < 7
    assert torch.equal(streams[0] > 50, event >= 0)
    there = event >= 0
    assert torch.equal(streams[:, there], odd[:, event[there]]), "each odd arrival is one example, in all channels"
    usual = streams[:, ~there].T
    assert all(any(torch.equal(row, one) for one in calm.T) for row in usual[:20])
    p = stats.binomtest(int(there.sum()), 5 * (200 - change), share).pvalue if change < 200 else 1
    assert p > 1e-4


def test_the_same_seed_gives_the_same_usual_arrivals_whatever_the_share():
    calm, odd, how = normal(1, 50), normal(1, 50), {"change": 10, "runs": 4, "length": 40, "seed": 3}
    few, which = monitoring.mixed(calm, odd, share=0.2, **how)
    none, _ = monitoring.mixed(calm, odd, share=0, **how)
    assert torch.equal(few[0][which < 0], none[0][which < 0])


# Accounts.


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 30), window=st.integers(1, 8), seed=st.integers(0, 99))
def test_nearest_is_the_nearest_of_the_last(n, window, seed):
    x = normal(n, 1, 2, 2, seed=seed)
    found = monitoring.nearest(x, window)
    for i in range(1, n):
        wanted = min(float((x[i] - x[j]).norm()) for j in range(max(0, i - window), i))
        assert math.isclose(found[i - 1], wanted, abs_tol=1e-6)


def test_closeness_is_one_sided():
    usual = torch.arange(1.0, 101)
    found = monitoring.closeness(usual, torch.tensor([0.0, 1.0, 10.0, 1000.0]))
    assert np.allclose(found, [1, 1, math.log(10) / math.log(100), 0])


def account(n, kind, seed):
    """Queries of 16 numbers: each somewhere else, or all near one place."""
    random = np.random.default_rng(seed)
    return random.normal(size=(n, 16)) if kind == "user" else random.normal(size=16) + random.normal(0, 0.1, (n, 16))


USUAL = torch.cat([monitoring.nearest(torch.from_numpy(account(60, "user", 1000 + i))) for i in range(30)])


def one_by_one(monitor, queries, name="a"):
    """The number of the first query with an alarm, or None."""
    return next((i + 1 for i, query in enumerate(queries) if monitor.update(name, query)), None)


@pytest.mark.parametrize("kind", ["user", "search"])
def test_one_query_at_a_time_is_the_same_as_all_at_once(kind):
    for seed in range(10):
        queries = account(80, kind, seed)
        near = monitoring.closeness(USUAL, monitoring.nearest(torch.from_numpy(queries)))
        coins = monitoring.e_detector(near, mean=float(monitoring.closeness(USUAL, USUAL).mean()))
        at_once = int(monitoring.first_alarm(coins, 1000))
        wanted = at_once + 2 if at_once < len(coins) else None
        assert one_by_one(monitoring.QueryMonitor(USUAL, run_length=1000), queries) == wanted


def test_the_same_where_distances_equal_usual_ones():
    usual, queries = torch.tensor([1.0, 2.0]).repeat(60), np.arange(80.0)[:, None]
    near = monitoring.closeness(usual, monitoring.nearest(torch.from_numpy(queries)))
    coins = monitoring.e_detector(near, mean=float(monitoring.closeness(usual, usual).mean()))
    found = one_by_one(monitoring.QueryMonitor(usual, run_length=1000), queries)
    assert found == int(monitoring.first_alarm(coins, 1000)) + 2


def test_a_search_is_seen_among_many_accounts_and_honest_ones_are_left_alone():
    monitor, told = monitoring.QueryMonitor(USUAL, run_length=10_000), []
    traffic = {f"user {i}": account(40, "user", i) for i in range(30)} | {"thief": account(40, "search", 99)}
    for t in range(40):
        told += [name for name, queries in traffic.items() if monitor.update(name, queries[t])]
    assert set(told) == {"thief"}


def test_honest_queries_run_as_long_as_promised():
    """At a threshold of 200, at most about one alarm in 200 queries; accounts are drawn anew."""
    monitor = monitoring.QueryMonitor(USUAL, run_length=200)
    told = sum(monitor.update(i, q) for i in range(200) for q in account(100, "user", 5000 + i))
    assert stats.poisson.sf(told - 1, 20_000 / 200) > 1e-3


def test_memory_is_bounded_and_the_silent_are_forgotten_first():
    monitor = monitoring.QueryMonitor(USUAL, run_length=100, accounts=3, window=4)
    query = np.zeros(16)
    for name in ("a", "b", "c", "a", "d"):
        monitor.update(name, query)
    assert list(monitor.memory) == ["c", "a", "d"]
    tracemalloc.start()
    sizes = []
    for i in range(4000):
        monitor.update(i % 50, np.full(16, float(i)))
        if i in (1000, 3999):
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 5000
    assert all(recent.shape == (4, 16) for recent, *_ in monitor.memory.values())


def test_a_query_that_is_overwritten_afterwards_was_remembered_as_it_was():
    monitor, place, told = monitoring.QueryMonitor(USUAL, run_length=1000), np.zeros(16), []
    for query in account(40, "user", 3):
        place[:] = query
        told.append(monitor.update("a", place))
    assert not any(told)


def test_too_few_usual_distances_are_turned_away():
    with pytest.raises(ValueError, match="100 usual distances"):
        monitoring.QueryMonitor(torch.rand(20), run_length=100)
    with pytest.raises(ValueError, match="all alike"):
        monitoring.QueryMonitor(torch.ones(200), run_length=100)


# The lesson.


@pytest.mark.parametrize(("module", "name"), [("incidents", "mixed")])
def test_the_lesson_and_utils_hold_the_same_cell(module, name):
    lesson = definitions("notebooks/src/13_security_against_monitoring.py")
    assert lesson[name] == definitions(f"utils/monitoring/{module}.py")[name]


def test_a_search_that_nobody_sees_is_not_stopped_although_its_image_stands():
    """An alarm counts before the image falls, or before the search ends; `len + 1` is no alarm."""
    names = {"math": math, "Rate": Rate, "searched": [torch.zeros(9)] * 4, "falls_at": [math.inf, math.inf, 5, 5]}
    exec(definitions("notebooks/src/13_security_against_monitoring.py")["seen_in_time"], names)
    assert names["seen_in_time"]([10, 9, 5, 4]).k == 2  # no alarm; at the last query; at the fall; before it


def test_in_the_lesson_an_account_that_asked_once_raises_no_alarm():
    """Its image was wrong from the start, as many photographs are; nothing is near to a single query."""
    names = {"monitoring": monitoring, "typical": lambda usual: 0.5, "nearest": monitoring.nearest}
    exec(definitions("notebooks/src/13_security_against_monitoring.py")["asks_again"], names)
    usual = torch.linspace(1, 2, 100, dtype=torch.float64)
    assert names["asks_again"](torch.rand(1, 1, 8, 8), usual) == 2
    assert names["asks_again"](torch.rand(30, 1, 8, 8), usual) <= 31
