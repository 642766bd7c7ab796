"""Rates against the exact binomial and published values; accuracy and sweeps on models whose answers are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from utils.evaluation import Rate, Sweep, Trainings, accuracy, robust_accuracy, sweep
from utils.rate import RateWithin

counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_the_interval_is_wilsons(kn):
    k, n = kn
    low, high = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert Rate(k, n).interval == pytest.approx((low, high), abs=1e-6)
    assert low <= k / n <= high


def test_it_prints_as_the_course_does():
    assert repr(Rate(236, 397)) == "236/397 = 59 % [55, 64]"
    assert repr(Rate(0, 10)) == "0/10 = 0 % [0, 28]"


def test_it_compares_like_a_number():
    assert Rate(1, 2) == Rate(5, 10) == 0.5 and Rate(1, 3) < 0.5 < Rate(2, 3) and Rate(1, 2) <= Rate(1, 2)
    assert float(Rate(1, 4)) == 0.25 and len({Rate(1, 2), Rate(2, 4)}) == 1
    assert Rate(1, 2) != "half"


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    # Newcombe 1998, table II: intervals of the difference by method 10.
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((5, 56), (0, 29), -0.0381, 0.1926)],
)
def test_clearly_apart_is_newcombes_method_10(a, b, low, high):
    a, b = Rate(*a), Rate(*b)
    difference = float(a) - float(b)
    down = math.hypot(float(a) - a.interval[0], b.interval[1] - float(b))
    up = math.hypot(a.interval[1] - float(a), float(b) - b.interval[0])
    assert (difference - down, difference + up) == pytest.approx((low, high), abs=2e-4)
    assert b.clearly_below(a) == a.clearly_above(b) == (low > 0)
    assert not a.clearly_below(b)


def test_the_test_keeps_its_level():
    """Two equal rates are called apart in about 5 % of pairs or fewer: 2,000 pairs, one-sided 2.5 % each."""
    generator = torch.Generator().manual_seed(0)
    k = torch.binomial(torch.full((2000, 2), 397.0), torch.full((2000, 2), 0.6), generator=generator).long().tolist()
    apart = sum(Rate(a, 397).clearly_below(Rate(b, 397)) or Rate(b, 397).clearly_below(Rate(a, 397)) for a, b in k)
    assert 0.03 * 2000 < apart < 0.07 * 2000


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(k, n):
    with pytest.raises(ValueError, match="a rate needs"):
        Rate(k, n)


@pytest.mark.parametrize("kind", [torch.tensor, np.int64, np.array, np.float32, float])
def test_counts_of_any_kind_become_whole_numbers(kind):
    for rate in (Rate(kind(3), kind(4)), RateWithin(kind(3), kind(4), 0.5, 0.9)):
        assert repr(rate).startswith("3/4 = 75 %") and type(rate.k) is type(rate.n) is int and float(rate) == 0.75


@pytest.mark.parametrize(
    "k", [2.5, True, np.True_, torch.tensor(True), torch.tensor([1, 1]), math.nan, math.inf, "2", None]
)
def test_what_is_no_count_is_refused(k):
    with pytest.raises(ValueError, match=r"^a rate needs whole numbers k and n, got k = "):
        Rate(k, 10)


def of(n, *ks):
    return Trainings(Rate(k, n) for k in ks)


def test_several_trainings_print_each_and_the_interval_of_their_mean():
    fgsm = of(397, 80, 96, 109)
    assert repr(fgsm) == "80, 96, 109 of 397 = 24 % [15, 33]" and float(fgsm) == pytest.approx(285 / 1191)
    low, high = stats.t.interval(0.95, 2, float(fgsm), stats.sem([80 / 397, 96 / 397, 109 / 397]))
    assert fgsm.interval == pytest.approx((low, high))


@pytest.mark.parametrize("a, b", [(Rate(80, 100), Rate(60, 100)), (of(397, 100, 96, 109), of(397, 60, 61, 70))])
def test_the_lead_at_most_is_the_other_end_of_the_same_interval(a, b):
    gap = float(a) - float(b)
    assert a.lead(b) < gap < a.lead_at_most(b) and b.lead_at_most(a) == -a.lead(b)
    assert b.lead_at_most(a) < 0, "it is surely lower"
    if isinstance(a, Trainings):
        shares = [[rate.k / rate.n for rate in side.rates] for side in (a, b)]
        high = stats.ttest_ind(*shares, equal_var=False).confidence_interval().high
        assert a.lead_at_most(b) == pytest.approx(high, abs=1e-9)


def test_equal_trainings_are_taken_as_if_one_had_had_one_image_more():
    """An interval of no width said that no training ever differs."""
    low, high = of(60, 35, 35, 35).interval
    assert high - low == pytest.approx(2 * stats.t.isf(0.025, 2) * stats.sem([35, 35, 36]) / 60)
    assert low + high == pytest.approx(2 * 35 / 60)
    assert of(60, 0, 0, 0).interval[0] == 0 and of(60, 60, 60, 60).interval[1] == 1
    assert of(60, 0, 0, 0).interval[1] > 0.01
    assert not of(60, 35, 35).clearly_above(of(60, 34, 34)) and of(60, 35, 35).clearly_above(of(60, 29, 29))


@given(*[st.lists(st.integers(0, 200), min_size=2, max_size=6)] * 2)
def test_trainings_are_compared_as_welch_does(a, b):
    first, second = of(200, *a), of(200, *b)
    about = []
    for ks in (a, b):
        spread = stats.tstd(ks) if len(set(ks)) > 1 else stats.tstd([*ks[1:], ks[0] + 1])
        about += [sum(ks) / len(ks) / 200, spread / 200, len(ks)]
    t, p = stats.ttest_ind_from_stats(*about, equal_var=False)
    assert (first.lead(second) > 0) == (t > 0 and p < 0.05) or p == pytest.approx(0.05)
    if len(set(a)) > 1 and len(set(b)) > 1:
        low = stats.ttest_ind([k / 200 for k in a], [k / 200 for k in b], equal_var=False).confidence_interval().low
        assert first.lead(second) == pytest.approx(low, abs=1e-9)
    assert second.clearly_below(first) == first.clearly_above(second)


def test_equal_recipes_are_rarely_called_apart():
    """Two recipes whose trainings differ alike by chance: 2,000 pairs of five trainings, one-sided 2.5 % each."""
    generator = torch.Generator().manual_seed(0)
    ks = (140 + 12 * torch.randn(2000, 2, 5, generator=generator)).round().long().tolist()
    pairs = [(of(397, *a), of(397, *b)) for a, b in ks]
    apart = sum(a.clearly_below(b) or b.clearly_below(a) for a, b in pairs)
    assert 0.03 * 2000 < apart < 0.07 * 2000


@pytest.mark.parametrize("rates", [[], [Rate(1, 2)], [Rate(1, 2), Rate(1, 3)]])
def test_trainings_need_several_on_the_same_images(rates):
    with pytest.raises(ValueError, match="at least two trainings"):
        Trainings(rates)


@pytest.mark.parametrize("compare", ["clearly_above", "clearly_below"])
@pytest.mark.parametrize("order", [1, -1])
def test_one_training_is_no_law(compare, order):
    first, second = (of(9, 1, 2), Rate(8, 9))[::order]
    with pytest.raises(TypeError, match="one training"):
        getattr(first, compare)(second)


class Threshold(nn.Module):
    """Class 1 if the first pixel is above one half."""

    def forward(self, x):
        lead = x.flatten(1)[:, 0] - 0.5
        return torch.stack([-lead, lead], 1)


def shift(model, x, y, *, eps):
    """An attack that moves every pixel against its label."""
    return (x + eps * (1 - 2 * y.view(-1, 1, 1, 1))).clamp(0, 1)


def test_accuracy_counts_and_leaves_the_mode_alone():
    x = torch.linspace(0.001, 0.999, 600).view(-1, 1, 1, 1)
    y = (x.flatten() > 0.25).long()
    model = Threshold().train()
    assert accuracy(model, (x, y)) == Rate(450, 600) and model.training


def test_sweep_measures_each_budget():
    x = torch.linspace(0.001, 0.999, 600).view(-1, 1, 1, 1)
    data = x, (x.flatten() > 0.5).long()
    curve = sweep(Threshold(), shift, data, eps=torch.tensor([0.0, 0.1, 0.5]))
    assert isinstance(curve, Sweep) and [rate.k for rate in curve.rates] == [600, 480, 0]
    assert curve.at(0.1) == robust_accuracy(Threshold(), data, shift, eps=0.1) == Rate(480, 600)


@pytest.mark.parametrize(
    "y, says",
    [
        (torch.tensor([0, 1, 7]), "y must lie in 0..2"),
        (torch.tensor([0, -1, 2]), "y must lie in 0..2"),
        (torch.tensor([0.0, 1.0, 2.0]), "one int64 label for each of the 3 images in x, got torch.float32"),
        (torch.eye(3, dtype=torch.int64), r"got torch.int64 of shape \(3, 3\)"),
        (torch.tensor([0, 1]), r"got torch.int64 of shape \(2,\)"),
        ([0, 1, 2], "got list"),
    ],
)
def test_labels_that_are_none_are_no_wrong_answers(y, says):
    with pytest.raises(ValueError, match=says):
        accuracy(nn.Flatten(), (torch.rand(3, 3), y))


def test_accuracy_says_that_colours_may_come_last():
    with pytest.raises(RuntimeError) as told:
        accuracy(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), (torch.rand(2, 8, 8, 3), torch.zeros(2).long()))
    assert "x.permute(0, 3, 1, 2)" in told.value.__notes__[0]
