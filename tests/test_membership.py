"""Membership inference: networks side by side are as alone, scores are the formula, rates are scikit-learn's."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from torch.nn import functional as F

from same_code import built
from utils import records
from utils.data import load
from utils.evaluation import Rate
from utils.leakage import Networks, auc, confidence, fit_many, lira, rmia, roc_curve, tpr_at
from utils.leakage.membership import plan
from utils.models import logits
from utils.rate import RateWithin
from utils.widgets.membership import ShadowExplorer


def pool(n: int = 40, features: int = 6, networks: int = 5, seed: int = 0):
    """Inputs, labels and a random choice of rows for each network; float64, so that rounding hides nothing."""
    chance = torch.Generator().manual_seed(seed)
    x = torch.rand(n, features, generator=chance, dtype=torch.float64)
    y = torch.randint(3, (n,), generator=chance)
    y[:3] = torch.arange(3)
    return x, y, torch.rand(networks, n, generator=chance) < 0.5


# Many networks at once.


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(st.integers(2, 5), st.integers(0, 99), st.integers(1, 9), st.integers(1, 40))
def test_side_by_side_each_network_becomes_what_it_becomes_alone(count, seed, batch_size, updates):
    x, y, inside = pool(networks=count, seed=seed)
    how = {"width": 5, "updates": updates, "batch_size": batch_size}
    together = fit_many(x, y, inside, seed=seed, **how)(x)
    for k in range(count):
        alone = fit_many(x, y, inside[k : k + 1], seed=seed + k, **how)(x)[0]
        torch.testing.assert_close(together[k], alone, rtol=1e-8, atol=1e-8)


def test_each_network_becomes_what_plain_torch_makes_of_its_rows():
    """Independent of the batched matrices: an nn.Sequential, its own Adam, its own rows, one after another."""
    x, y, inside = pool()
    how = {"updates": 60, "batch_size": 8}
    networks = fit_many(x, y, inside, width=7, seed=3, lr=0.01, **how)
    untrained = Networks(x.shape[1:], 7, 3, range(3, 8)).to(x)
    for k in range(len(inside)):
        model = untrained[k].requires_grad_()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=60)
        for batch in plan(inside[k].nonzero()[:, 0], seed=3 + k, **how):
            optimizer.zero_grad()
            F.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
        torch.testing.assert_close(networks(x)[k], model(x).detach(), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(networks[k](x), model(x).detach(), rtol=1e-9, atol=1e-9)


def test_in_float32_too_but_for_rounding():
    x, y, inside = pool()
    x = x.float()
    together = fit_many(x, y, inside, updates=20)(x)
    alone = torch.cat([fit_many(x, y, inside[k : k + 1], updates=20, seed=k)(x) for k in range(len(inside))])
    assert together.dtype == torch.float32
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


def test_a_network_knows_nothing_of_the_rows_outside():
    """Every row outside becomes another one: bit for bit the same network. One row inside: another network."""
    x, y, inside = pool()
    for k in range(len(inside)):
        one = inside[k : k + 1]
        kept = fit_many(x, y, one, updates=30)(x)
        others = torch.where(one[0, :, None], x, 1 - x), torch.where(one[0], y, 2 - y)
        assert torch.equal(fit_many(*others, one, updates=30)(x), kept)
        changed = x.clone()
        changed[one[0].nonzero()[0]] += 0.1
        assert not torch.equal(fit_many(changed, y, one, updates=30)(x), kept)


def test_every_row_inside_is_seen_equally_often_and_no_other():
    rows = torch.tensor([2, 3, 5, 7, 11])
    seen = plan(rows, updates=20, batch_size=4, seed=0)
    assert seen.shape == (20, 4)
    assert seen.flatten().bincount(minlength=12).tolist() == [16 if i in rows else 0 for i in range(12)]
    assert not torch.equal(seen[:5], seen[5:10])  # reshuffled
    assert not torch.equal(seen, plan(rows, updates=20, batch_size=4, seed=1))


def test_shared_inputs_and_own_inputs_mean_the_same():
    networks = Networks((1, 4, 4), 5, 3, range(3))
    x = torch.rand(7, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    own = x.expand(3, *x.shape)
    torch.testing.assert_close(networks(x), networks(own))
    torch.testing.assert_close(networks(own[:, :1]), networks(x)[:, :1])  # one image each
    assert networks(x).shape == (3, 7, 3)


def test_one_network_is_an_ordinary_model_of_its_own():
    networks = Networks((1, 4, 4), 5, 3, range(3))
    before, x = torch.get_rng_state(), torch.rand(7, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    models = [networks[k] for k in range(len(networks))]
    assert torch.equal(torch.get_rng_state(), before)
    for k, model in enumerate(models):
        torch.testing.assert_close(model(x), networks(x)[k])
        torch.testing.assert_close(logits(model, x), networks(x)[k])
        with torch.no_grad():
            for weight in model.parameters():
                weight.zero_()
    assert networks(x).abs().sum() > 0
    with pytest.raises(IndexError):
        networks[3]


def test_weights_start_as_wide_as_their_inputs_allow():
    """He et al. 2015: variance 2 / inputs, so that what goes through keeps its size."""
    networks = Networks((1, 20, 20), 300, 10, range(4))
    assert networks.w1.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.01)
    assert networks.w2.std().item() == pytest.approx((2 / 300) ** 0.5, rel=0.03)
    assert not networks.b1.any() and not networks.b2.any()


def test_seeds_decide_and_the_callers_random_numbers_are_left_alone():
    x, y, inside = pool()
    before = torch.get_rng_state()
    first, same, other = (fit_many(x, y, inside, updates=10, seed=s)(x) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, same) and not torch.allclose(first, other)


def test_a_transform_sees_every_batch_and_replaces_its_inputs():
    x, y, inside = pool()
    shapes = []

    def blank(networks, x, y):
        shapes.append((tuple(x.shape), tuple(y.shape), tuple(networks(x).shape)))
        return torch.zeros_like(x)

    fitted = fit_many(x, y, inside, updates=6, batch_size=4, transform=blank)
    assert shapes == [((5, 4, 6), (5, 4), (5, 4, 3))] * 6
    zeros = fit_many(torch.zeros_like(x), y, inside, updates=6, batch_size=4)
    assert torch.equal(fitted(x), zeros(x)) and not any(p.requires_grad for p in fitted.parameters())


# The attack.


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.floats(0.1, 8))
def test_confidence_is_the_logarithm_of_the_odds(seed, scale):
    chance = torch.Generator().manual_seed(seed)
    z = scale * torch.randn(4, 6, 5, generator=chance, dtype=torch.float64)
    y = torch.randint(5, (6,), generator=chance)
    p, own = z.softmax(-1), F.one_hot(y, 5).bool()
    odds = (p * own).sum(-1) / (p * ~own).sum(-1)  # 1 - p would round where p is near 1
    torch.testing.assert_close(confidence(z, y), odds.log())
    assert torch.equal(confidence(z[0], y), confidence(z, y)[0])


def test_confidence_stays_finite_and_exact_where_float32_rounds_p_to_1():
    z = torch.tensor([[200.0, 0, 0], [-200, 0, 0], [1e4, -1e4, 0]])
    assert confidence(z, torch.zeros(3, dtype=torch.int64)).tolist() == pytest.approx(
        [200 - np.log(2), -200 - np.log(2), 1e4]
    )


def confidences(k: int = 12, n: int = 30, seed: int = 0):
    chance = torch.Generator().manual_seed(seed)
    shadows = 3 * torch.randn(k, n, generator=chance, dtype=torch.float64)
    inside = torch.rand(k, n, generator=chance).argsort(0) < k // 2
    return torch.randn(n, generator=chance, dtype=torch.float64), shadows + 2 * inside, inside


@pytest.mark.parametrize("pooled", [False, True])
def test_the_attack_is_its_formula_written_with_scipy(pooled):
    target, shadows, inside = (t.numpy() for t in confidences())
    sides = [[shadows[side[:, i], i] for i in range(30)] for side in (inside, ~inside)]
    means, spreads = (
        np.array([[f(part) for part in side] for side in sides]) for f in (np.mean, lambda a: a.std(ddof=1))
    )
    if pooled:
        spreads = np.sqrt((spreads**2).mean(1, keepdims=True))
    seen, unseen = stats.norm.logpdf(target, means, spreads)
    np.testing.assert_allclose(lira(*confidences(), pooled=pooled), seen - unseen, rtol=1e-9)


def test_the_attack_keeps_the_symmetries_of_a_ratio():
    target, shadows, inside = confidences()
    score = lira(target, shadows, inside)
    torch.testing.assert_close(lira(target, shadows, ~inside), -score)  # the other question, the other sign
    torch.testing.assert_close(lira(5 * target - 2, 5 * shadows - 2, inside), score)  # the unit does not matter
    order = torch.randperm(len(shadows), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lira(target, shadows[order], inside[order]), score)
    torch.testing.assert_close(lira(torch.stack([target, target]), shadows, inside), torch.stack([score, score]))
    torch.testing.assert_close(lira(target[:3], shadows[:, :3], inside[:, :3]), score[:3])  # each example on its own


def test_with_known_distributions_it_is_as_good_as_theory_allows():
    """Confidences N(1, 1) inside and N(0, 1) outside: the best possible AUC is Φ(1 / √2) = 0.760."""
    chance = torch.Generator().manual_seed(0)
    inside = torch.rand(201, 4000, generator=chance) < 0.5
    seen = torch.randn(201, 4000, generator=chance, dtype=torch.float64) + inside.double()
    score = lira(seen[0], seen[1:], inside[1:])
    assert auc(score, inside[0]) == pytest.approx(stats.norm.cdf(1 / np.sqrt(2)), abs=0.015)


# How well it does.


def judged(draw):
    """Scores with ties, members of both kinds."""
    members = torch.tensor([True, False, *draw(st.lists(st.booleans(), min_size=1, max_size=40))])
    n = len(members)
    values = draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))
    return torch.tensor(values, dtype=torch.float64) / 3, members


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_curve_area_and_rate_are_those_of_scikit_learn(data):
    scores, members = judged(data.draw)
    fpr, tpr, _ = metrics.roc_curve(members, scores, drop_intermediate=False)
    np.testing.assert_allclose(torch.stack(roc_curve(scores, members)), [fpr, tpr], atol=1e-12)
    assert auc(scores, members) == pytest.approx(metrics.roc_auc_score(members, scores), abs=1e-12)
    for share in (0.0, 0.01, 0.1, 0.5, 1.0):
        if 0 < share < 1 / int((~members).sum()):
            with pytest.raises(ValueError, match="smallest share"):
                tpr_at(scores, members, share)
            continue
        rate = tpr_at(scores, members, share)
        assert rate.low <= float(rate) <= rate.high
        assert float(rate) == pytest.approx(tpr[fpr <= share + 1e-12].max()) and rate.n == int(members.sum())


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_only_the_order_of_scores_counts_and_turning_it_turns_the_area(data):
    scores, members = judged(data.draw)
    assert auc(scores.exp() * 7 - 3, members) == auc(scores, members)
    assert auc(-scores, members) == pytest.approx(1 - auc(scores, members))
    assert auc(scores.view(1, -1), members.view(1, -1)) == auc(scores, members)


def test_low_rates_by_hand():
    """100 others, and 2 % of them accused may be two: the threshold lies at the third highest."""
    others = torch.arange(100.0)
    scores, members = torch.cat([others, torch.tensor([99.5, 98.5, 97.5, 97.0])]), torch.arange(104) >= 100
    found = [tpr_at(scores, members, share).k for share in (0, 0.01, 0.02, 0.03, 1)]
    assert found == [1, 2, 3, 4, 4] and tpr_at(scores, members).n == 4
    scores = torch.cat([others, others + 0.5])
    assert tpr_at(scores, torch.arange(200) >= 100, 0.29).k == 30  # 0.29 * 100 is 28.999999999999996
    assert tpr_at(members.float(), members).k == 4 and tpr_at(torch.zeros(104), members).k == 0


@pytest.mark.parametrize(
    "others, fpr, away", [(1000, 0.01, 1.0), (1000, 0.01, 0.0), (200, 0.01, 1.0), (100, 0.01, 2.0)]
)
def test_the_interval_holds_the_truth_as_often_as_promised(others, fpr, away):
    """An interval that takes the threshold as known does so in 58 % of the first setting."""
    random, truth, held = torch.Generator().manual_seed(0), stats.norm.sf(stats.norm.isf(fpr) - away), 0
    members = torch.arange(others + 1000) >= others
    for _ in range(400):
        scores = torch.randn(others + 1000, generator=random) + away * members
        low, high = tpr_at(scores, members, fpr).interval
        held += low <= truth <= high
    assert stats.binom.cdf(held, 400, 0.95) > 1e-3, f"held {held} of 400"


def test_the_interval_is_no_wider_than_needed_and_the_same_each_time():
    """1,000 on each side at 1 %: a literal bootstrap of both sides is as wide."""
    random = np.random.default_rng(0)
    members = torch.arange(2000) >= 1000
    scores = torch.from_numpy(random.normal(size=2000)) + members
    found = []
    for _ in range(2000):
        ours, others = (scores[side].numpy()[random.integers(1000, size=1000)] for side in (members, ~members))
        found.append((ours > np.sort(others)[-11]).mean())
    low, high = np.quantile(found, [0.025, 0.975])
    interval = tpr_at(scores, members).interval
    assert interval == tpr_at(scores, members).interval
    assert 0.7 < (interval[1] - interval[0]) / (high - low) < 1.3


def test_too_few_others_for_a_share_are_told_which_they_can_show():
    members = torch.arange(200) >= 100
    with pytest.raises(ValueError, match=r"fpr 0.001 needs 1,000 non-members at least, got 100: .* 0.01"):
        tpr_at(torch.rand(200), members, 0.001)
    assert tpr_at(torch.rand(200), members, 0).low < 0.02, "none accused here: which share of all that is, is unknown"
    for wrong in (-0.1, 2, float("nan"), True):
        with pytest.raises(ValueError, match=r"^fpr must"):
            tpr_at(torch.rand(200), members, wrong)
    assert tpr_at(np.arange(200.0), members.numpy(), np.float32(0.25)).k == 100


def test_a_figure_shows_the_interval_that_it_was_given():
    scores, members = torch.cat([torch.arange(100.0), torch.arange(100.0) + 20]), torch.arange(200) >= 100
    rate = tpr_at(scores, members, 0.05)
    assert records.shown(records.value_of(rate)) == repr(rate) and "[" in repr(rate)
    assert repr(rate) != repr(Rate(rate.k, rate.n)) and rate == Rate(rate.k, rate.n)


def test_lesson_08_takes_an_interval_over_networks_and_images():
    drawn_again = built("08_what_leaks", "drawn_again", torch=torch, tpr_at=tpr_at, RateWithin=RateWithin)
    members = torch.arange(200).repeat(16, 1) % 2 == 0
    leaky = torch.arange(16)[:, None] < 8  # half of the networks tell of all members, and the others of none
    rate = drawn_again(torch.where(leaky & members, 1.0, 0.0), members)
    assert rate == tpr_at(torch.where(leaky & members, 1.0, 0.0), members) == 0.5
    networks, images = (np.array(stats.binom.interval(0.95, n, 0.5)) / n for n in (16, 100))
    assert rate.interval == pytest.approx(networks, abs=1 / 16), "of 16 networks, not of 1,600 answers"
    told = torch.arange(200) < 100  # each network tells of the same half of the members
    assert drawn_again((told & members).double(), members).interval == pytest.approx(images, abs=0.01)


def test_rmia_compares_chances_too_small_for_a_float64():
    """0 / 0 outdid everybody."""
    shadows = torch.tensor([[-800.0, 0, 1], [-790, 0, 1]])
    assert torch.allclose(rmia(shadows[0], shadows), torch.tensor([1 / 3, 1, 1]))
    random = torch.Generator().manual_seed(0)
    target, shadows = 4 * torch.randn(200, generator=random), 4 * torch.randn(7, 200, generator=random)
    ratio = target.double().sigmoid() / shadows.double().sigmoid().mean(0)
    assert torch.equal(rmia(target, shadows), (ratio[:, None] >= ratio).sum(1) / 200)


@pytest.mark.parametrize("wrong", [torch.inf, -torch.inf, torch.nan])
def test_a_confidence_that_is_not_finite_is_named(wrong):
    good, inside = torch.randn(4, 3), torch.tensor([[True], [True], [False], [False]]).expand(4, 3)
    bad = good.clone()
    bad[0, 1] = wrong
    for attack in (rmia, lambda target, shadows: lira(target, shadows, inside)):
        for name, target, shadows in (("target", bad[0], good), ("shadows", good[1], bad)):
            with pytest.raises(ValueError, match=f"^{name} must hold finite confidences"):
                attack(target, shadows)


def test_scores_that_say_yes_or_no_are_scores():
    scores, members = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    assert auc(scores, members) == auc(scores.double(), members) == 0.5
    for fpr in (0, 0.5):
        assert tpr_at(scores, members, fpr) == tpr_at(scores.double(), members, fpr)


def test_rmia_counts_whom_an_example_outdoes():
    random = torch.Generator().manual_seed(0)
    target, shadows = torch.randn(7, generator=random), torch.randn(3, 7, generator=random)
    shadows[:, 1], target[1] = shadows[:, 2], target[2]  # equals outdo each other
    target_z, shadows_z = torch.randn(5, generator=random), torch.randn(3, 5, generator=random)

    def ratios(target, shadows):
        return [
            float(1 / (1 + np.exp(-t)) / (1 / (1 + np.exp(-s))).mean()) for t, s in zip(target, shadows, strict=True)
        ]

    ours, theirs = (
        ratios(t.double().numpy(), s.double().T.numpy()) for t, s in ((target, shadows), (target_z, shadows_z))
    )
    for found, others in ((rmia(target, shadows), ours), (rmia(target, shadows, target_z, shadows_z), theirs)):
        assert found.tolist() == pytest.approx([np.mean([r + 1e-12 >= other for other in others]) for r in ours])
    for wrong in (
        (target, shadows[:, 1:]),
        (target, shadows[0]),
        (target, shadows, target_z),
        (target, shadows, target, shadows_z),
    ):
        with pytest.raises(ValueError, match=r"^(shadows|target_z)"):
            rmia(*wrong)


def test_the_explorer_shows_the_score_and_who_was_there():
    random = torch.Generator().manual_seed(0)
    inside = torch.rand(20, 3, generator=random).argsort(0) < 10
    odds = torch.randn(20, 3, generator=random) + 3 * inside
    scores = torch.stack([lira(odds[k], odds[torch.arange(20) != k], inside[torch.arange(20) != k]) for k in range(2)])
    explorer = ShadowExplorer(torch.rand(3, 1, 8, 8), torch.tensor([4, 0, 9]), odds, inside, scores, 0.5)
    texts, pictures = set(), set()
    for example, target in itertools.product((1, 2, 3), (1, 2)):
        explorer.example.value, explorer.target.value = example, target
        i, k = example - 1, target - 1
        was = "trained on it" if inside[k, i] else "not trained on it"
        says = "accused" if scores[k, i] > 0.5 else "not accused"
        assert (
            f"network {target}: {was} " in explorer.still.text
            and f" {scores[k, i]:.1f}, {says} " in explorer.still.text
        )
        others = torch.arange(20) != k
        for saw in (True, False):
            seen = odds[others & (inside[:, i] == saw), i].double().numpy()
            shares, normal = explorer.shares[saw].get_data().values, explorer.normals[saw]
            assert shares == pytest.approx(
                np.histogram(seen, explorer.edges)[0] / len(seen)
            ) and shares.sum() == pytest.approx(1)
            assert normal.get_xdata()[normal.get_ydata().argmax()] == pytest.approx(seen.mean(), abs=0.05)
        assert explorer.error.value == "" and explorer.here.get_xdata()[0] == pytest.approx(float(odds[k, i]))
        assert explorer.sentence.value == explorer.still.text
        texts.add(explorer.still.text)
        pictures.add(explorer.picture.value)
    assert explorer.error.value == "" and len(texts) == len(pictures) == 6


# The lesson in small.


@pytest.mark.slow
def test_the_ratio_finds_what_the_threshold_cannot():
    data = load("digits")
    x, y = data.train.take(300)
    inside = torch.rand(33, 300, generator=torch.Generator().manual_seed(0)).argsort(1) < 150
    odds = confidence(fit_many(x, y, inside)(x), y)
    ratio = torch.stack([lira(odds[k], odds[9:], inside[9:], pooled=True) for k in range(9)])
    assert auc(ratio, inside[:9]) > auc(odds[:9], inside[:9]) + 0.05
    assert tpr_at(ratio, inside[:9]).clearly_above(tpr_at(odds[:9], inside[:9]))


# What is wrong is said.


def test_a_wrong_argument_is_named():
    x, y, inside = pool()
    for wrong in ((x, y[:-1], inside), (x, y.double(), inside)):
        with pytest.raises(ValueError, match=r"^y must"):
            fit_many(*wrong)
    none = inside.clone()
    none[1] = False
    for wrong in (inside[:, 1:], inside[0], inside.long(), none):
        with pytest.raises(ValueError, match=r"^inside must"):
            fit_many(x, y, wrong)
    target, shadows, inside = confidences()
    for wrong in (inside[1:], inside.long(), inside | True):
        with pytest.raises(ValueError, match=r"^inside must"):
            lira(target, shadows, wrong)
    with pytest.raises(ValueError, match=r"^target must"):
        lira(target[1:], shadows, inside)
    scores, members = torch.zeros(4), torch.tensor([True, False, True, False])
    for judge, wrong in itertools.product((roc_curve, auc, tpr_at), (members[1:], members.long(), members | True)):
        with pytest.raises(ValueError, match=r"^members must"):
            judge(scores, wrong)
    with pytest.raises(ValueError, match=r"^scores must"):
        auc(scores / 0, members)
