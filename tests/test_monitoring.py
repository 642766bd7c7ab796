"""Monitors against scipy and against what they promise: how often they are wrong, how soon they are right."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from utils import monitoring
from utils.evaluation import Rate
from utils.monitoring import samples


def normal(n, d=1, shift=0.0, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 60), m=st.integers(2, 60), d=st.integers(1, 4), coarse=st.booleans(), seed=st.integers(0, 999))
def test_ks_is_scipys(n, m, d, coarse, seed):
    a, b = normal(n, d, seed=seed), normal(m, d, 0.3, seed + 1)
    if coarse:  # ties
        a, b = a.mul(2).round(), b.mul(2).round()
    ours, theirs = monitoring.ks(a, b), stats.ks_2samp(a.double().numpy(), b.double().numpy(), method="asymp")
    assert np.allclose(ours.statistic, theirs.statistic, atol=1e-12)
    assert np.allclose(ours.p, theirs.pvalue, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_chi_square_is_scipys(a, b):
    ours = monitoring.chi_square(torch.tensor(a), torch.tensor(b))
    table = np.stack([np.bincount(x, minlength=5) for x in (a, b)])
    table = table[:, table.sum(0) > 0]
    if table.shape[1] == 1:
        assert float(ours.p) == 1
    else:
        theirs = stats.chi2_contingency(table, correction=False)
        assert math.isclose(ours.statistic, theirs.statistic, abs_tol=1e-9)
        assert math.isclose(ours.p, theirs.pvalue, abs_tol=1e-9)


def test_psi_is_its_formula_and_empty_bins_are_finite():
    a, b = normal(200, 3), normal(90, 3, 5.0, 1)
    found = monitoring.psi(a, b, bins=4)
    assert found.statistic.isfinite().all()
    for j in range(3):
        edges = np.quantile(a[:, j].double().numpy(), [0.25, 0.5, 0.75])
        p, q = (
            (np.bincount(np.searchsorted(edges, x[:, j].double().numpy()), minlength=4) + 0.5) / (len(x) + 2)
            for x in (a, b)
        )
        assert math.isclose(found.statistic[j], ((q - p) * np.log(q / p)).sum(), rel_tol=1e-9)


def test_mmd_is_the_double_sum_and_its_permutations_are_whole():
    a, b = normal(7, 3), normal(5, 3, 0.5, 1)
    k = samples.kernel(torch.cat([a, b]).double())
    own = [[k[i, j] for i in r for j in r if i != j] for r in (range(7), range(7, 12))]
    across = [k[i, j] for i in range(7) for j in range(7, 12)]
    mean = lambda values: sum(map(float, values)) / len(values)  # noqa: E731
    found = monitoring.mmd(a, b, permutations=50)
    assert math.isclose(found.statistic, mean(own[0]) + mean(own[1]) - 2 * mean(across), abs_tol=1e-12)
    assert 1 / 51 <= found.p <= 1 and math.isclose(found.p * 51, round(float(found.p * 51)))


TESTS = {
    "ks": lambda a, b, seed: monitoring.ks(a[:, :1], b[:, :1]).p[0],
    "psi": lambda a, b, seed: monitoring.psi(a[:, :1], b[:, :1]).p[0],
    "mmd": lambda a, b, seed: monitoring.mmd(a, b, permutations=99, seed=seed).p,
    "holm": lambda a, b, seed: monitoring.holm(monitoring.ks(a, b).p).min(),
    "classifier": lambda a, b, seed: monitoring.classifier_test(a, b, seed=seed, updates=30).p,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TESTS)
def test_level_and_power(name):
    """Without drift at most a twentieth is below 0.05, up to what chance allows; with drift nearly all are."""
    runs = 60 if name == "classifier" else 300
    false = sum(
        float(TESTS[name](normal(80, 4, seed=2 * i), normal(60, 4, seed=2 * i + 1), i)) <= 0.05 for i in range(runs)
    )
    assert stats.binom.sf(false - 1, runs, 0.05) > 1e-3, f"{false} of {runs} are false alarms"
    found = [float(TESTS[name](normal(80, 4, seed=2 * i), normal(60, 4, 1.2, 2 * i + 1), i)) for i in range(20)]
    assert sum(p <= 0.05 for p in found) >= 18


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_lies_between_the_p_values_and_bonferroni(p):
    p = torch.tensor(p, dtype=torch.float64)
    adjusted = monitoring.holm(p)
    assert (adjusted >= p).all() and (adjusted <= (p * len(p)).clamp_max(1)).all()
    assert (adjusted[p.argsort()].diff() >= 0).all()


def test_the_sample_size_gives_the_power():
    n = monitoring.sample_size(0.4)
    rng = np.random.default_rng(0)
    found = stats.ttest_ind(rng.normal(size=(n, 2000)), rng.normal(0.4, size=(n, 2000))).pvalue < 0.05
    assert abs(found.mean() - 0.8) < 0.03


def test_a_bad_sample_is_named():
    good = normal(5, 2)
    for a, b, word in (
        (good, normal(5, 3), "features"),
        (good[:, 0], good, "reference"),
        (good, good * math.nan, "NaN"),
    ):
        with pytest.raises(ValueError, match=word):
            monitoring.ks(a, b)
    with pytest.raises(ValueError, match="whole numbers"):
        monitoring.chi_square(good[:, 0], good[:, 0])


# Streams.


def streams(runs, length, mean=0.5, seed=0):
    """Fair or loaded coins: (runs, length) of 0 and 1."""
    return (torch.rand(runs, length, generator=torch.Generator().manual_seed(seed)) < mean).double()


def test_cusum_is_its_recursion():
    x = streams(3, 50)
    high = low = 0.0
    for value, height in zip(x[1].tolist(), monitoring.cusum(x, mean=0.5, slack=0.1)[1].tolist(), strict=True):
        high, low = max(0.0, high + value - 0.6), max(0.0, low + 0.4 - value)
        assert math.isclose(height, max(high, low), abs_tol=1e-12)


def test_the_bar_gives_the_run_length():
    heights = monitoring.cusum(streams(2000, 400), mean=0.5, slack=0.1)
    threshold = monitoring.threshold_for(heights, 1000)
    fresh = monitoring.cusum(streams(2000, 400, seed=1), mean=0.5, slack=0.1)
    alarms = monitoring.first_alarm(fresh, threshold)
    false = int((alarms < 400).sum())
    assert 800 < float((alarms + 1).clamp_max(400).sum()) / false < 1600


def test_what_a_gambler_holds_stays_a_number_however_long_it_wins():
    """1.75 to the power of 3,000 is none."""
    held = monitoring.e_detector(torch.cat([torch.ones(3000), torch.zeros(20)]).double(), mean=0.5)
    assert held.isfinite().all() and held[2999] > 1e290


@pytest.mark.parametrize("mean", [0.05, 0.5, 0.9])
def test_the_e_detector_runs_as_long_as_it_promises(mean):
    """At least 200 steps on average to a false alarm at a threshold of 200, and it sees a change."""
    length = 4000
    alarms = monitoring.first_alarm(monitoring.e_detector(streams(500, length, mean), mean=mean), 200)
    assert float(alarms.double().mean()) + 1 >= 200  # streams without an alarm count as too short, on the safe side
    changed = streams(200, 500, min(mean + 0.3, 1.0) if mean < 0.7 else mean - 0.3, 1)
    assert float(monitoring.first_alarm(monitoring.e_detector(changed, mean=mean), 200).double().median()) < 120


def test_the_promise_is_of_values_without_memory():
    """Values of mean 0.5 that remember raise alarms far sooner than promised; the same values, shuffled, do not."""
    random, now, past = torch.Generator().manual_seed(0), torch.zeros(100), []
    for _ in range(1000):
        now = 0.95 * now + math.sqrt(1 - 0.95**2) * torch.randn(100, generator=random)
        past.append(torch.special.ndtr(now))
    remembering = torch.stack(past, 1)
    shuffled = remembering.flatten()[torch.randperm(remembering.numel(), generator=random)].view_as(remembering)
    after = [monitoring.first_alarm(monitoring.e_detector(x, mean=0.5), 1000) + 1 for x in (remembering, shuffled)]
    sooner, kept = (float(t.clamp_max(1000).sum() / (t <= 1000).sum()) for t in after)
    assert sooner < 200 and kept > 800


def test_small_changes_are_seen_in_the_end():
    """A mean that rises from 0.16 to 0.175: what one odd arrival in a hundred does to a surprise."""
    alarms = monitoring.first_alarm(monitoring.e_detector(streams(40, 8000, 0.175), mean=0.16), 20_000)
    assert int((alarms < 8000).sum()) > int((alarms < 1000).sum()) + 10


def test_a_detector_does_not_look_ahead():
    x = streams(1, 100)
    for detect in (lambda x: monitoring.e_detector(x, mean=0.5), lambda x: monitoring.cusum(x, mean=0.5, slack=0.1)):
        assert torch.equal(detect(x)[..., :60], detect(x[..., :60]))


def test_adwin_keeps_its_promise_sees_a_shift_and_stays_small():
    random = np.random.default_rng(0)
    cuts = looks = 0
    for _ in range(40):
        adwin = monitoring.Adwin(0.05)
        for value in random.random(2000):
            cuts += adwin.update(float(value))
        looks += 2000 // adwin.every
        assert sum(map(len, adwin.rows)) <= 5 * 12
    assert stats.binom.sf(cuts - 1, looks, 0.05) > 1e-3 and cuts / looks < 0.05
    adwin, alarms = monitoring.Adwin(), []
    values = [*(random.random(3000) < 0.2), *(random.random(1000) < 0.5)]
    for t, value in enumerate(values):
        if adwin.update(float(value)):
            alarms.append(t)
    assert alarms and 3000 <= alarms[0] < 3200 and abs(adwin.mean - 0.5) < 0.06


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=300))
def test_adwins_window_is_the_last_values(values):
    adwin = monitoring.Adwin(1e-6, every=7)
    for value in values:
        adwin.update(value)
    assert 0 < adwin.size <= len(values)
    assert math.isclose(adwin.mean, sum(values[-adwin.size :]) / adwin.size, abs_tol=1e-9)


# Accuracy without labels.


def test_calibration_finds_the_temperature_and_the_estimate_is_right():
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 5, generator=random)
    y = torch.multinomial(logits.softmax(1), 1, generator=random)[:, 0]
    temperature = monitoring.calibrate(3 * logits, y)
    assert math.isclose(temperature, 3, rel_tol=0.03)
    for scale in (1e-3, 100, 1e5):
        assert math.isclose(monitoring.calibrate(3 * scale * logits, y), scale * temperature, rel_tol=1e-4)
    mean, (low, high) = monitoring.expected_accuracy(3 * logits, temperature)
    assert low < float((logits.argmax(1) == y).double().mean()) < high and low < mean < high
    assert monitoring.expected_accuracy(3 * logits)[0] > mean + 0.1, "uncalibrated, it promises too much"


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_where_no_temperature_is_best_all_confidences_are_1_or_say_nothing(scale):
    logits = 2 * scale * torch.eye(4, dtype=torch.float64).repeat(5, 1) - 1e-9
    y = logits.argmax(1)
    for labels, confidence in ((y, 1), ((y + 1) % 4, 1 / 4)):
        temperature = monitoring.calibrate(logits, labels)
        assert math.isclose(monitoring.expected_accuracy(logits, temperature)[0], confidence, abs_tol=0.01)


def test_waiting_costs_what_is_lost():
    low, high = monitoring.cost_of_waiting(Rate(970, 1000), Rate(850, 1000), events=10_000, error_cost=2.0)
    assert low < 0.12 * 20_000 < high
    low, high = monitoring.cost_of_waiting(Rate(97, 100), Rate(96, 100), events=10_000, error_cost=2.0)
    assert low < 0 < high


def test_honest_accounts_that_live_long_keep_the_promise():
    """If the usual distances are those beside a full memory; with those of first queries among them, they do not."""
    random = torch.Generator().manual_seed(0)
    young = [torch.randn(60, 4, generator=random) for _ in range(100)]
    regulars = [torch.randn(600, 4, generator=random) for _ in range(20)]
    alarmed = {}
    for name, first in {"all": 0, "full": 19}.items():
        usual = torch.cat([monitoring.nearest(asked)[first:] for asked in young])
        monitor = monitoring.QueryMonitor(usual, run_length=10_000)
        alarmed[name] = sum(
            any(monitor.update((name, i), query) for query in asked.numpy()) for i, asked in enumerate(regulars)
        )
    assert alarmed["full"] <= 3 < alarmed["all"]  # 20 accounts of 600 queries: 1.2 alarms are allowed
