"""Monitors on what arrives in practice: missing values, ties, odd types and sizes, numbers far from 0."""

import datetime
import math
import sys
import time
import tracemalloc
import warnings
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import stats

from utils import monitoring
from utils.monitoring import samples, tables


def normal(*shape, shift=0.0, seed=0):
    return shift + torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def level_holds(alarms, runs):
    """At most a twentieth, as far as chance goes, and not none at all."""
    return stats.binom.sf(alarms - 1, runs, 0.05) > 1e-3 and stats.binom.cdf(alarms, runs, 0.05) > 1e-3


# PSI.


def mostly_zero(n, random, share=0.6):
    return np.where(random.random(n) < share, 0.0, random.normal(size=n) ** 2 + 0.1)


@pytest.mark.parametrize("share", [0.12, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("to", [-1.0, 50.0, 0.05])
def test_psi_sees_a_common_value_move_to_either_side(share, to):
    random = np.random.default_rng(0)
    before, after = (mostly_zero(400, random, share) for _ in range(2))
    assert float(monitoring.psi(before, after).p[0]) > 0.01
    assert float(monitoring.psi(before, np.where(after == 0, to, after)).p[0]) < 1e-6
    assert float(monitoring.psi(np.full(50, 0.5), np.full(50, 0.2)).p[0]) < 1e-6
    alike = monitoring.psi(np.full(50, 0.5), np.full(70, 0.5))
    assert (alike.statistic, alike.p) == (0, 1)


@pytest.mark.parametrize("kind", ["zeros", "few values", "rounded"])
def test_psi_keeps_its_level_where_values_are_equal(kind):
    random, alarms = np.random.default_rng(1), 0
    draw = {
        "zeros": lambda: mostly_zero(300, random),
        "few values": lambda: random.integers(0, 4, 300),
        "rounded": lambda: random.normal(size=300).round(1),
    }[kind]
    alarms = sum(float(monitoring.psi(draw(), draw()).p[0]) <= 0.05 for _ in range(400))
    assert level_holds(alarms, 400), alarms


def test_psi_of_continuous_numbers_has_the_customary_bins():
    """Equal shares of the reference, a value at an edge below it, one degree of freedom fewer than bins."""
    a, b = normal(300, 2).numpy(), normal(200, 2, shift=0.3, seed=1).numpy()
    found = monitoring.psi(a, b)
    edges = np.quantile(a, np.linspace(0, 1, 11)[1:-1], axis=0)
    for j in range(2):
        p, q = ((np.bincount(np.searchsorted(edges[:, j], x[:, j]), minlength=10) + 0.5) / (len(x) + 5) for x in (a, b))
        statistic = ((q - p) * np.log(q / p)).sum()
        assert math.isclose(found.statistic[j], statistic, rel_tol=1e-12)
        assert math.isclose(found.p[j], stats.chi2.sf(statistic / (1 / 300 + 1 / 200), 9), rel_tol=1e-9)


@pytest.mark.slow
def test_psi_of_many_millions():
    """torch's quantile ends at 16 millions."""
    a, b = np.arange(17_000_000, dtype=np.int32), 17_000 * np.random.default_rng(0).integers(0, 1000, 1000)
    assert 1e-3 < float(monitoring.psi(a, b).p[0])


# Odd input.

TWO = {
    "ks": monitoring.ks,
    "psi": monitoring.psi,
    "mmd": lambda a, b: monitoring.mmd(a, b, permutations=99),
    "classifier": lambda a, b: monitoring.classifier_test(a, b, updates=10),
}


@pytest.mark.parametrize("name", TWO)
def test_arrays_columns_and_whole_numbers_are_samples(name):
    test, a, b = TWO[name], normal(60, 1), normal(50, 1, shift=0.5, seed=1)
    want = test(a, b)
    for kind in (lambda x: x.numpy(), lambda x: x[:, 0], lambda x: x[:, 0].numpy(), lambda x: x.numpy()[::1]):
        found = test(kind(a), kind(b))
        assert torch.equal(found.statistic, want.statistic) and torch.equal(found.p, want.p)
        assert found.p.dtype == found.statistic.dtype == torch.float64
    ids = 2**61 + torch.arange(100)[:, None]
    assert float(test(ids, ids + 200).p) < 0.02 < float(test(ids[::2], ids[1::2]).p)
    assert float(test((ids[:50] > 0), (ids[:60] > 0)).p) > 0.1, "True and False are numbers, too"


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize(
    "wrong, word",
    [
        (np.empty((0, 1)), r"now must be \(examples, features\)"),
        (np.ones((3, 1, 1)), r"now must be \(examples, features\)"),
        (np.array([1.0, np.nan, 2.0]), r"now holds NaN or infinity, 1 of 3"),
        (np.array(["a", "b"]), r"now must hold numbers"),
        (np.array([1.0, None]), r"now holds NaN or infinity, 1 of 2"),
        (np.array([1 + 1j, 2.0]), r"now must hold numbers"),
        (np.array([0, 2**62]), r"2\^53 apart"),
        (np.ones((5, 2)), r"1 features, and now has 2"),
    ],
    ids=str,
)
def test_what_is_no_sample_is_named(name, wrong, word):
    with pytest.raises(ValueError, match=word):
        TWO[name](np.arange(5), wrong)


def test_numbers_of_tests_are_looked_at():
    a = normal(20, 1)
    for bins in (1, 0, -3, 2.5, True, math.nan, "10"):
        with pytest.raises(ValueError, match="bins must"):
            monitoring.psi(a, a, bins=bins)
    assert torch.equal(monitoring.psi(a, a, bins=np.int64(5)).p, torch.ones(1, dtype=torch.float64))
    with pytest.raises(ValueError, match="permutations must"):
        monitoring.mmd(a, a, permutations=0)
    with pytest.raises(ValueError, match="p must"):
        monitoring.holm(torch.tensor([0.5, math.nan]))
    for wrong in ({"shift": 0}, {"shift": math.nan}, {"shift": 1, "level": 1}, {"shift": 1, "power": True}):
        with pytest.raises(ValueError, match=f"{list(wrong)[-1]} must"):
            monitoring.sample_size(**wrong)


# Kolmogorov and Smirnov.


def test_the_same_prices_in_two_types_are_the_same():
    """In float64 none of the float32 prices equals any other: p was 1.7e-199."""
    prices = np.random.default_rng(0).choice([0.1, 0.99, 4.99, 9.95, 19.9], 2000)
    found = monitoring.ks(prices, prices.astype(np.float32))
    assert (found.statistic, found.p) == (0, 1)
    assert float(monitoring.psi(prices.astype(np.float32), prices).p) == 1


def test_the_statistic_is_a_whole_number_of_steps():
    a, b = np.arange(125.0), np.arange(125.0) + 32
    assert float(monitoring.ks(a, b).statistic) == 32 / 125  # 0.25600001 once


def test_ks_is_for_values_that_differ():
    """As its docstring says: on yes and no it sees little of what chi-square sees."""
    random, seen = np.random.default_rng(0), {"ks": 0, "chi_square": 0}
    for _ in range(200):
        a, b = random.random(200) < 0.5, random.random(200) < 0.6
        seen["ks"] += float(monitoring.ks(a, b).p[0]) <= 0.05
        seen["chi_square"] += float(monitoring.chi_square(a, b).p) <= 0.05
    assert seen["chi_square"] > 80 and seen["ks"] < 0.7 * seen["chi_square"], seen


# Categories.


def test_categories_are_numbers_from_anywhere_texts_or_yes_and_no():
    a, b = np.array([0, 1, 1, 2, 2, 2] * 5), np.array([0, 0, 1, 2, 2, 1] * 4)
    want = monitoring.chi_square(torch.tensor(a), torch.tensor(b))
    assert math.isclose(want.p, stats.chi2_contingency(np.stack([np.bincount(a), np.bincount(b)]), False).pvalue)
    for kind in (lambda x: x, lambda x: 10**15 * x - 5, lambda x: np.array(["a", "b", "c"])[x], lambda x: list(x)):
        found = monitoring.chi_square(kind(a), kind(b))
        assert found.statistic == want.statistic and found.p == want.p and found.p.dtype == torch.float64
    lone = monitoring.chi_square([True] * 3, [True] * 4)
    assert lone.p == 1 and lone.p.dtype == torch.float64
    gaps = monitoring.chi_square(np.array(["a", None] * 30, object), np.array(["a", "a", "a", None] * 15, object))
    assert float(gaps.p) < 0.01, "None is a category"
    for wrong in (([0.5], [1]), ([], [1]), ([[1]], [1]), (["a"], [1])):
        with pytest.raises(ValueError, match=r"categor"):
            monitoring.chi_square(*map(np.array, wrong))


def test_categories_in_arrays_of_objects_are_those_of_plain_ones():
    def objects(*values):
        return np.array(values * 20, object)

    plain = np.array([1, 2, 2] * 20)
    some = monitoring.chi_square(objects(1, 2, None), plain)
    assert some == monitoring.chi_square(np.array([1, 2, 3] * 20), plain) and float(some.p) < 1e-3
    for same in (
        objects(1.0, 2.0, 2),
        objects(True, 2, 2.0),
        objects(1, Fraction(2), np.float32(2)),
        objects(np.True_, 2, 2),
    ):
        assert monitoring.chi_square(same, plain).statistic == 0 == monitoring.chi_square(plain, same).statistic
    assert monitoring.chi_square(objects(1, None), objects(1.0, None)).statistic == 0
    for missing in (None, math.nan):
        assert monitoring.chi_square(objects(missing), objects("a", missing)).statistic > 0
    huge = np.array([2**63 + 1, 2**63 + 2] * 20, np.uint64)  # one float64
    assert float(monitoring.chi_square(huge, np.array([1, 2] * 20)).p) < 1e-6
    for texts in (np.array(["1", "2"]), objects("1", "2", None)):
        for numbers in (plain, objects(1, None), objects(1.5)):
            with pytest.raises(ValueError, match=r"not the same categories$"):
                monitoring.chi_square(texts, numbers)


def test_a_shift_too_small_to_square_needs_more_than_any_number():
    for shift in (1e-200, -1e-200, 0):
        with pytest.raises(ValueError, match=r"^shift must not be 0, or as near as"):
            monitoring.sample_size(shift)


def test_one_new_category_counts_for_one():
    a = np.array([0, 1] * 100)
    assert float(monitoring.chi_square(a, np.append(a, 7)).p) > 0.3
    assert float(monitoring.chi_square(a, np.append(a, [7] * 30)).p) < 1e-5


# Maximum mean discrepancy, a classifier.


@pytest.mark.parametrize("name", ["mmd", "classifier"])
@pytest.mark.parametrize("at, spread", [(1.7e9, 1.0), (0.0, 1e-9), (0.0, 1e9)])
def test_numbers_far_from_0_or_close_together_are_told_apart(name, at, spread):
    """Unix times: distances in float32 or from 0 saw nothing in 20 of 20 looks."""
    test = {"mmd": TWO["mmd"], "classifier": lambda a, b: monitoring.classifier_test(a, b, updates=60)}[name]
    seen = [
        float(test(at + spread * normal(120, 1, seed=2 * i), at + spread * normal(120, 1, shift=1.2, seed=2 * i + 1)).p)
        for i in range(5)
    ]
    assert max(seen) <= 0.05
    assert float(test(at + spread * normal(120, 1), at + spread * normal(120, 1, seed=1)).p) > 0.02


def test_most_rows_equal_are_no_reason_to_fail():
    a = torch.zeros(40, 2)
    assert float(monitoring.mmd(a, a, permutations=99).p) == 1
    b = a.clone()
    b[:15] = 1e-8
    assert float(monitoring.mmd(a, b, permutations=99).p) <= 0.02
    assert float(monitoring.classifier_test(a, a, updates=30).p) > 0.01
    with pytest.raises(ValueError, match="too large to square"):
        monitoring.mmd(1e200 * normal(5, 1), normal(5, 1))


@pytest.mark.slow
def test_mmd_of_twenty_thousand_takes_seconds_and_little_memory():
    resource = pytest.importorskip("resource")  # not on Windows
    a, b = normal(20_000, 4), normal(20_000, 4, shift=0.1, seed=1)
    held, before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert float(monitoring.mmd(a, b, permutations=200).p) == 1 / 201
    assert time.process_time() - before < 30, "5 s on a free core"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
    assert grown < (1e9 if sys.platform == "darwin" else 1e6), "1 GB more at most; all pairs at once take 12.8"


@pytest.mark.parametrize("n, m", [(40, 60), (200, 9), (7, 90)])
def test_in_blocks_mmd_keeps_its_level_and_its_power(monkeypatch, n, m):
    monkeypatch.setattr(samples, "TOGETHER", 30)
    monkeypatch.setattr(samples, "MOST", 120)

    def alarms(shift, runs):
        pairs = ((normal(n, 2, seed=2 * i), normal(m, 2, shift=shift, seed=2 * i + 1)) for i in range(runs))
        return sum(float(monitoring.mmd(*pair, permutations=59, seed=i).p) <= 0.05 for i, pair in enumerate(pairs))

    assert level_holds(alarms(0, 300), 300)
    assert alarms(2.5, 20) >= 18


def test_blocks_estimate_the_same_discrepancy(monkeypatch):
    a, b = normal(900, 2), normal(900, 2, shift=0.5, seed=1)
    whole = float(monitoring.mmd(a, b, permutations=9).statistic)
    monkeypatch.setattr(samples, "TOGETHER", 300)
    assert float(monitoring.mmd(a, b, permutations=9).statistic) == pytest.approx(whole, rel=0.15)


# Streams with gaps.


def coins(length, change=200, seed=0):
    random = torch.Generator().manual_seed(seed)
    return (torch.rand(length, generator=random) < torch.where(torch.arange(length) < change, 0.5, 0.98)).double()


DETECTORS = {
    "cusum": (lambda x: monitoring.cusum(x, mean=0.5, slack=0.25), 4.0),
    "e_detector": (lambda x: monitoring.e_detector(x, mean=0.5), 1000.0),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_missing_arrival_is_told_and_the_next_is_judged_right(name):
    detect, threshold = DETECTORS[name]
    x = coins(300)
    want = detect(x)
    gaps = torch.cat([x[:50], torch.tensor([math.nan]), x[50:120], torch.tensor([math.nan] * 3), x[120:]])
    with pytest.warns(UserWarning, match="4 of 304 arrivals are NaN"):
        found = detect(gaps)
    assert torch.equal(found[gaps.isfinite()], want) and torch.equal(found[50], want[49])
    assert int(monitoring.first_alarm(found, threshold)) == int(monitoring.first_alarm(want, threshold)) + 4
    beside = torch.stack([gaps, torch.cat([x, x[:4]])])
    with pytest.warns(UserWarning):
        assert torch.equal(detect(beside)[1], detect(torch.cat([x, x[:4]])))
    with pytest.raises(ValueError, match="without a single finite value"):
        detect(torch.full((10,), math.nan))


def test_an_infinite_value_is_missing_for_a_sum_and_wrong_for_a_share():
    x = coins(300)
    x[50] = math.inf
    with pytest.warns(UserWarning, match="infinite"):
        assert int(monitoring.first_alarm(monitoring.cusum(x, mean=0.5, slack=0.25), 4.0)) >= 200
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        monitoring.e_detector(x, mean=0.5)


def test_the_threshold_is_set_by_streams_and_not_by_their_gaps():
    x = torch.stack([coins(200, 500, seed) for seed in range(200)])
    want = monitoring.threshold_for(monitoring.cusum(x, mean=0.5, slack=0.25), 300)
    x[3, 7] = math.nan
    with pytest.warns(UserWarning):
        heights = monitoring.cusum(x, mean=0.5, slack=0.25)
    assert abs(monitoring.threshold_for(heights, 300) - want) <= 0.25
    with pytest.raises(ValueError, match="height must not be NaN"):
        monitoring.threshold_for(heights * math.nan, 300)
    with pytest.raises(ValueError, match="run_length 1e\\+06 is more than these 40,000 steps show"):
        monitoring.threshold_for(heights, 10**6)
    for few, longest, run_length in ((torch.tensor([0, 0, 0, 9.0] + [1.0] * 996), "4", 500), (heights[:1], "", 499)):
        with pytest.raises(ValueError, match=f"is more than .* steps show, {longest}.* at the highest threshold: use"):
            monitoring.threshold_for(few, run_length)


def test_adwin_passes_over_what_is_missing():
    values, adwin, plain = coins(600, 300).tolist(), monitoring.Adwin(), monitoring.Adwin()
    with pytest.warns(UserWarning, match="NaN"):
        assert adwin.update(math.nan) is False
    found = [(adwin.update(np.float32(v)), plain.update(v)) for v in values]
    assert all(a == b for a, b in found) and any(a for a, _ in found) and adwin.mean == plain.mean
    with pytest.raises(ValueError, match="scale them first"):
        adwin.update(2)


def test_numbers_with_a_gradient_are_numbers():
    x = coins(60)[None]
    given, usual = x.clone().requires_grad_(), torch.rand(200)
    for detector in (lambda x: monitoring.cusum(x, mean=0.5, slack=0.1), lambda x: monitoring.e_detector(x, mean=0.5)):
        assert torch.equal(detector(given), detector(x)) and not detector(given).requires_grad
    monitor = monitoring.QueryMonitor(usual.clone().requires_grad_(), run_length=100)
    assert monitor.mean == monitoring.QueryMonitor(usual, run_length=100).mean


@pytest.mark.parametrize(
    "call",
    [
        lambda wrong: monitoring.cusum(coins(5), mean=wrong, slack=0.1),
        lambda wrong: monitoring.cusum(coins(5), mean=0.5, slack=wrong),
        lambda wrong: monitoring.e_detector(coins(5), mean=wrong),
        lambda wrong: monitoring.first_alarm(coins(5), wrong),
        lambda wrong: monitoring.threshold_for(coins(5)[None], wrong),
        lambda wrong: monitoring.Adwin(wrong),
        lambda wrong: monitoring.Adwin(every=wrong),
        lambda wrong: monitoring.nearest(torch.rand(5, 2), wrong),
        lambda wrong: monitoring.QueryMonitor(torch.rand(200), run_length=wrong),
        lambda wrong: monitoring.QueryMonitor(torch.rand(200), run_length=9, window=wrong),
        lambda wrong: monitoring.expected_accuracy(torch.rand(5, 2), wrong),
        lambda wrong: monitoring.cost_of_waiting(None, None, events=wrong, error_cost=1),
    ],
)
@pytest.mark.parametrize("wrong", [math.nan, True, "1", None])
def test_numbers_of_streams_are_looked_at(call, wrong):
    with pytest.raises(ValueError, match=r"^\w+ must be a (whole )?number"):
        call(wrong)


def test_a_missing_answer_has_no_accuracy():
    said = torch.rand(5, 3)
    said[2, 1] = math.nan
    for estimate in (monitoring.expected_accuracy, lambda x: monitoring.calibrate(x, torch.zeros(5).long())):
        with pytest.raises(ValueError, match="1 values that are not finite"):
            estimate(said)


# Surprises and accounts.


def test_the_surprise_of_nothing_is_nothing():
    usual = normal(2, 500)
    found = monitoring.surprise(usual, torch.tensor([[0.0, math.nan], [9.0, math.inf]], dtype=torch.float64))
    assert found[0, 1].isnan() and found[1].tolist() == [1, 1] and float(found[0, 0]) < 0.2
    with pytest.raises(ValueError, match="usual must not hold NaN"):
        monitoring.surprise(usual * math.nan, usual)


@pytest.mark.parametrize("far", [0.0, 0.5, 1e4])
def test_near_queries_are_near_however_far_from_0(far):
    """By products of float32 numbers a true 0.001 was found as 0 to 0.011."""
    start = far + torch.rand(1, 784, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    queries = start + torch.arange(40)[:, None] * 0.001 / 28
    assert torch.allclose(monitoring.nearest(queries), torch.full((39,), 0.001, dtype=torch.float64), rtol=1e-6)
    if far <= 0.5:
        assert torch.allclose(monitoring.nearest(queries.float()), torch.tensor(0.001, dtype=torch.float64), rtol=0.05)


def test_a_long_account_takes_little_memory():
    tracemalloc.start()
    assert monitoring.nearest(torch.rand(30_000, 2)).shape == (29_999,)
    tracemalloc.stop()


def test_a_query_that_is_missing_is_passed_over():
    random = np.random.default_rng(0)
    usual = torch.cat([monitoring.nearest(random.normal(size=(60, 16))) for _ in range(30)])
    search = random.normal(size=16) + random.normal(0, 0.01, (80, 16))

    def alarm_at(queries):
        monitor = monitoring.QueryMonitor(usual, run_length=1000)
        return next(i for i, query in enumerate(queries) if monitor.update("a", query))

    want = alarm_at(search)
    for odd in (math.nan, math.inf):
        with pytest.warns(UserWarning, match="passed over"):
            assert alarm_at([*search[:2], np.full(16, odd), *search[2:]]) == want + 1
    assert alarm_at([*map(torch.tensor, search.reshape(80, 4, 4))]) == want
    gaps = np.insert(search, 2, math.nan, axis=0)
    found, plain = monitoring.nearest(gaps), monitoring.nearest(search)
    assert found[1].isnan() and torch.equal(found[~found.isnan()], plain)
    near = monitoring.closeness(usual, found)
    assert near[1].isnan() and not near[0].isnan()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coins = monitoring.e_detector(near, mean=float(monitoring.closeness(usual, usual).mean()))
    assert int(monitoring.first_alarm(coins, 1000)) + 1 == want + 1


# Tables.


def table(n, seed, **change):
    random = np.random.default_rng(seed)
    return {
        "amount": random.lognormal(size=n),
        "refund": mostly_zero(n, random),
        "country": random.choice(["de", "fr", "it"], n),
        "children": random.integers(0, 4, n),
        "new": random.random(n) < 0.3,
    } | change


def test_each_column_gets_the_test_that_fits_and_nothing_drifts_without_drift():
    found = monitoring.columns(table(500, 0), table(400, 1))
    tests = {name: column.test for name, column in found.items()}
    assert tests == {
        "amount": "ks",
        "refund": "psi",
        "country": "chi_square",
        "children": "chi_square",
        "new": "chi_square",
    }
    alarms = sum(
        any(c.drifted for c in monitoring.columns(table(200, 2 * i), table(200, 2 * i + 1)).values()) for i in range(60)
    )
    assert stats.binom.sf(alarms - 1, 60, 0.05) > 1e-3, alarms


@pytest.mark.parametrize(
    ("usual", "now", "span"),
    [
        (np.arange(1.7e9, 1.7e9 + 101), np.arange(1.8e9, 1.8e9 + 100), "1.7e+09 to 1.7000001e+09"),
        (np.arange(100.0) / 7, 20 + np.arange(100.0), "0 to 14.14"),
        (np.full(100, 1.7e9 + 0.5), 1.7e9 + np.arange(1, 101.0), "1700000000 to 1700000000"),
        (np.full(100, 0.5), np.full(100, np.nextafter(0.5, 1)), "0.5 to 0.5"),
    ],
)
def test_a_range_is_told_in_as_many_digits_as_it_takes(usual, now, span):
    """Of times it was "1.7e+09 to 1.7e+09"."""
    says = monitoring.columns({"time": usual + 0.0}, {"time": now})["time"].says
    assert says == (f"100 of 100 values lie outside of {span}",)


def test_rare_values_raise_no_more_false_alarms_than_the_level():
    """One missing value in 200 arrivals has a chi-square p of 5e-7: 27 % of 60 looks without drift had an alarm."""
    random, alarms = np.random.default_rng(0), 0
    for _ in range(60):
        before, now = ({str(i): random.random(n) < 1e-4 for i in range(20)} for n in (5000, 200))
        alarms += any(column.drifted for column in monitoring.columns(before, now).values())
    assert stats.binom.sf(alarms - 1, 60, 0.05) > 1e-3, alarms


def test_one_missing_value_is_no_drift():
    random = np.random.default_rng(0)
    usual, now = random.normal(size=5000), random.normal(size=200)
    now[0] = math.nan
    found = monitoring.columns({"a": usual}, {"a": now})["a"]
    assert not found.drifted and min(found.p) == pytest.approx(2 * 200 / 5200), "of two tests, by Holm"


def test_p_of_rare_categories_is_counted():
    p = tables.chance
    for a, b in (([30, 2], [15, 9]), ([5000, 1], [199, 1]), ([4990, 0], [190, 10]), ([4900, 100], [190, 10])):
        found = p(np.repeat([0, 1], a), np.repeat([0, 1], b))
        assert math.isclose(found, stats.fisher_exact([a, b]).pvalue, rel_tol=1e-9)
    a, b = np.repeat([0, 1, 2], [2, 2, 0]), np.repeat([0, 1, 2], [1, 1, 3])
    rows, ways = np.append(a, b), []
    for place in combinations(range(9), 4):
        ways.append(monitoring.chi_square(rows[list(place)], np.delete(rows, place)).statistic)
    share = float((torch.stack(ways) >= monitoring.chi_square(a, b).statistic - 1e-9).double().mean())
    assert abs(p(a, b) - share) < 0.02, "of all ways to deal the rows out"
    a, b = (np.random.default_rng(n).integers(0, 300, n) for n in (3000, 1000))
    order = np.argsort(-np.bincount(np.append(a, b)), kind="stable").argsort()
    some = [np.minimum(order[side], 99) for side in (a, b)]
    assert 0.01 < p(a, b) == p(*some) < 0.99, "all beyond the 99 most common are counted as one"
    a, b = np.repeat([0, 1], [400, 80]), np.repeat([0, 1], [300, 90])
    assert p(a, b) == float(monitoring.chi_square(a, b).p), "none is rare"


def test_what_changed_is_said():
    usual = table(500, 1)
    amount = usual["amount"].copy()
    amount[:300] = math.nan
    now = {
        "amount": amount,  # 60 % have gone missing, the others are as before
        "refund": 3 + usual["refund"],
        "country": np.where(np.arange(500) < 1, "es", usual["country"]),
        "children": usual["children"].astype(str),
        "colour": ["red"] * 500,
    }
    found = monitoring.columns(table(500, 0), now)
    assert {name for name, column in found.items() if column.drifted} == {
        "amount",
        "refund",
        "children",
        "new",
        "colour",
    }
    assert found["amount"].missing[1].k == 300 and found["amount"].p[1] < 1e-9 < 0.01 < found["amount"].p[0]
    assert found["refund"].effect > 2 and found["refund"].p[0] < 1e-9
    assert found["country"].says == ("1 new: es, in 1 of 500 values",)
    assert found["children"].says == ("had numbers, and now texts",)
    assert found["new"].says == ("has gone",) and found["colour"].says == ("is new",)


def test_values_that_are_missing_in_many_ways():
    values = [1.5, None, math.nan, math.inf, 2.5, 3.0]
    column = monitoring.columns({"a": values}, {"a": np.array([None] * 4, object)})["a"]
    assert [rate.k for rate in column.missing] == [3, 4] and column.test == "" and column.says
    one = monitoring.columns({"a": np.arange(50) / 7}, {"a": [99.5]})["a"]
    assert one.says == ("1 of 1 values lie outside of 0 to 7", "too few values to compare") and math.isnan(one.p[0])


def test_the_same_prices_in_two_precisions_are_the_same_column():
    prices = np.random.default_rng(0).choice([0.1, 0.2, 0.3], 300)
    found = monitoring.columns({"price": prices.astype(np.float32)}, {"price": prices})["price"]
    assert found.p[0] == 1 and not found.drifted and not found.says


def test_a_query_of_another_shape_costs_an_account_nothing():
    """It is refused, and what the account had sent before still counts."""
    usual = torch.rand(2000, generator=torch.Generator().manual_seed(0)).double()
    plain, disturbed = (monitoring.QueryMonitor(usual, run_length=100) for _ in range(2))
    alarms = [plain.update("eve", np.ones(3) + 1e-6 * i) for i in range(60)]
    for i in range(60):
        assert disturbed.update("eve", np.ones(3) + 1e-6 * i) is alarms[i]
        with pytest.raises(ValueError, match="a query has 4 numbers, and the account's earlier ones 3"):
            disturbed.update("eve", np.ones(4))
    assert any(alarms)


# Values as tables, data bases and clocks give them.

HOURS = np.datetime64("2026-01-01T00", "s") + 3600 * np.arange(400).astype("timedelta64[s]")
KINDS = {
    "NumPy's": lambda x: [np.float32(v) for v in x],
    "tensors": lambda x: [torch.tensor(v) for v in x],
    "decimals": lambda x: [Decimal(f"{v:.6f}") for v in x],
    "fractions": lambda x: [Fraction(v) for v in x],
    "objects": lambda x: np.array([*x[:-1], None], object),
    "turned round": lambda x: x[::-1],
    "of another byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "longer": lambda x: x.astype(np.longdouble),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_is_a_number_whoever_made_it(kind):
    a, b = (normal(300, seed=seed).numpy() for seed in range(2))
    same, moved = (monitoring.columns({"a": a}, {"a": KINDS[kind](x)})["a"] for x in (b, b + 1))
    assert same.test == "ks" and not same.drifted, "texts, once"
    assert moved.p[0] < 1e-9
    if kind != "objects":
        assert float(monitoring.ks(a, KINDS[kind](b)).p[0]) == pytest.approx(float(monitoring.ks(a, b).p[0]), abs=0.02)
        found = monitoring.cusum(KINDS[kind](b), mean=0, slack=0.1)
        want = monitoring.cusum(b[::-1].copy() if kind == "turned round" else b, mean=0, slack=0.1)
        assert torch.allclose(found, want, atol=1e-3)


@pytest.mark.parametrize(
    "when",
    [
        lambda t: t,
        lambda t: t.astype("datetime64[ns]"),
        lambda t: t.tolist(),
        lambda t: [v.replace(tzinfo=datetime.UTC) for v in t.tolist()],
        lambda t: t - t[0].astype("datetime64[Y]"),
    ],
    ids=["seconds", "nanoseconds", "Python's", "with a zone", "differences"],
)
def test_times_are_seconds_and_not_words(when):
    """As texts each time is a category of its own, and none was ever seen to move."""
    now = HOURS[:300] + np.timedelta64(90, "D")
    usual, same = (monitoring.columns({"at": when(HOURS)}, {"at": when(t)})["at"] for t in (now, HOURS))
    assert usual.drifted and usual.says[0].startswith("300 of 300 values lie outside of ")
    assert usual.p[0] < 1e-9 and same.p[0] == 1 and float(monitoring.ks(when(HOURS), when(now)).p[0]) < 1e-9
    days = [datetime.date(2026, 1, 1) + datetime.timedelta(i) for i in range(300)]
    assert monitoring.columns({"day": days[:100]}, {"day": days[200:]})["day"].p[0] < 1e-9
    gaps = np.append(HOURS[:60], [np.datetime64("NaT")] * 3)
    assert monitoring.columns({"at": HOURS}, {"at": gaps})["at"].missing[1].k == 3


class Frame:
    """What data frames of pandas and Polars have in common."""

    def __init__(self, **columns):
        self.held, self.columns = columns, list(columns)

    def __getitem__(self, name):
        return self.held[name]


def test_tables_of_other_kinds_are_read_or_named():
    a, b = normal(60).numpy(), normal(60, seed=1).numpy()
    want = monitoring.columns({"a": a}, {"a": b})
    records = [np.array([(v,) for v in x], dtype=[("a", float)]) for x in (a, b)]
    for pair in ((Frame(a=a), Frame(a=b)), records):
        assert monitoring.columns(*pair) == want
    for wrong in (np.stack([a, b], 1), [{"a": 1}], torch.rand(5, 2), "a"):
        with pytest.raises(TypeError, match=r"^now must be a dictionary \{name: values\} or a DataFrame, got"):
            monitoring.columns({"a": a}, wrong)
    twice = Frame(a=np.stack([a, b], 1))  # as pandas gives a name that two columns have: their names were compared
    with pytest.raises(ValueError, match=r"^now: column 'a' must hold one value for each row, got \(60, 2\)"):
        monitoring.columns({"a": a}, twice)
    for cells in ([[1, 2]] * 30, [[1], [2, 3]] * 15, [np.ones(2)] * 30):
        assert not monitoring.columns({"a": cells}, {"a": cells})["a"].drifted
    gaps = monitoring.columns({"a": ["x", math.nan] * 20}, {"a": ["x", None] * 20})["a"]
    assert [rate.k for rate in gaps.missing] == [20, 20] and not gaps.drifted


def test_numbers_beyond_what_the_coarser_type_holds_are_still_numbers():
    usual, now = np.linspace(0, 60_000, 60).astype(np.float16), np.linspace(70_000, 1e6, 60)
    for test in TWO.values():
        assert float(test(usual, now).p) <= 0.02
    found = monitoring.columns({"a": usual}, {"a": now})["a"]
    assert found.drifted and 10 < found.effect < 100


def test_categories_of_other_types_are_the_same_categories():
    labels = np.array([0, 1, 2] * 20)
    for other in (labels.astype(np.uint8), torch.tensor(labels, dtype=torch.uint8), labels.astype(object)):
        assert monitoring.chi_square(labels, other).p == 1
    assert monitoring.chi_square(labels > 0, (labels > 0).astype(np.uint16)).p == 1
    if hasattr(np.dtypes, "StringDType"):  # NumPy 2
        texts = np.array(["a", "b"] * 20)
        assert monitoring.chi_square(texts, texts.astype(np.dtypes.StringDType())).p == 1


def test_every_monitor_takes_arrays_and_lists():
    x = coins(200).numpy()
    heights = monitoring.cusum(x, mean=0.5, slack=0.1)
    for kind in (np.asarray, list):
        assert monitoring.first_alarm(kind(heights), 3) == monitoring.first_alarm(heights, 3)
        assert monitoring.threshold_for(kind(heights), 50) == monitoring.threshold_for(heights[None], 50)
        assert monitoring.surprise(kind(x), kind(x[:5])).shape == monitoring.closeness(kind(x), kind(x[:5])).shape
        said = [[0.0, 1.0], [3.0, 0.0], [0.5, 0.0]]
        assert monitoring.expected_accuracy(kind(said)) == monitoring.expected_accuracy(torch.tensor(said).double())
        for y in ([1, 0, 1], np.array([1, 0, 1], np.int32)):
            assert monitoring.calibrate(kind(said), y) == monitoring.calibrate(torch.tensor(said), torch.tensor(y))
    assert monitoring.first_alarm(torch.zeros(3, 0), 1).tolist() == [0, 0, 0]
    with pytest.warns(UserWarning, match="1 of 4 arrivals"):
        assert monitoring.cusum([1, None, 0, 1], mean=0.5, slack=0.1).shape == (4,)
    for wrong in (3.0, ["a", "b"]):
        with pytest.raises(ValueError, match=r"^x must hold"):
            monitoring.cusum(wrong, mean=0.5, slack=0.1)
    adwin = monitoring.Adwin()
    with pytest.warns(UserWarning, match="NaN"):
        assert adwin.update(None) is False
    for wrong in ("0.5", np.ones(2)):
        with pytest.raises(ValueError, match=r"^Adwin reads values in \[0, 1\], got"):
            adwin.update(wrong)
    monitor = monitoring.QueryMonitor(list(np.random.default_rng(0).random(200)), run_length=100)
    for query in (torch.ones(3, requires_grad=True), torch.ones(3, dtype=torch.bfloat16)):
        monitor.update("a", query)
    nobody = [monitor.update(float("nan"), np.ones(3) + 1e-9 * i) for i in range(60)]
    assert any(nobody), "who has no name is one account, and not each time another one"
    with pytest.raises(ValueError, match=r"^queries must be \(n, \.\.\.\)"):
        monitoring.nearest(torch.rand(5))


def test_what_is_usual_must_tell_something():
    for usual, word in ((torch.tensor([1.0, math.nan, 2.0]), "must not hold NaN"), (torch.ones(1), "two numbers")):
        for judge in (monitoring.closeness, monitoring.surprise):
            with pytest.raises(ValueError, match=word):
                judge(usual, torch.rand(3))
    prices = torch.tensor([0.1] * 90 + [0.2] * 10)
    assert float(monitoring.surprise(prices, torch.tensor([0.1], dtype=torch.float64))) == 0, "the same price"


def test_probabilities_are_no_logits_and_one_column_is_no_confidence():
    """0.54 was expected of a model that promises 0.92, and 1.0 of one column."""
    logits, y = 9 * normal(60, 3), torch.arange(60) % 3
    for estimate in (monitoring.expected_accuracy, lambda z: monitoring.calibrate(z, y)):
        with pytest.raises(ValueError, match=r"^logits hold probabilities"):
            estimate(logits.softmax(1))
        with pytest.raises(ValueError, match="two classes at least"):
            estimate(logits[:, :1])
    for wrong, word in ((y + 1, r"y must lie in 0\.\.2"), (y[:5], "one int64 label"), (y.double(), "one int64 label")):
        with pytest.raises(ValueError, match=word):
            monitoring.calibrate(logits, wrong)
    with pytest.raises(TypeError, match=r"^before must be a Rate"):
        monitoring.cost_of_waiting(0.9, 0.8, events=10, error_cost=1)
    with pytest.raises(ValueError, match=r"^power must be a number in \(0\.05, 1\)"):
        monitoring.sample_size(0.5, power=0.01)
