"""Poisoning: what attacks may change, filters against NumPy and by hand, pruning, the bound, and the lesson's cells."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from same_code import built, definitions
from utils import poisoning
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.models import logits, predict, small_cnn
from utils.poisoning import (
    activity,
    add_trigger,
    anomaly,
    backdoor,
    certified_votes,
    clean_label,
    draw,
    flip_labels,
    group_bound,
    highest,
    invert_trigger,
    losses,
    parts_of,
    poison_bound,
    prune,
    prune_asleep,
    small_clusters,
    spectral_scores,
    stamp,
    success,
)
from utils.training import fit
from utils.widgets.poisoning import PoisonExplorer

seeds = st.integers(0, 10_000)


def examples(seed: int, n: int, classes: int = 4, side: int = 5):
    """Random images and labels of which each class has its share."""
    torch.manual_seed(seed)
    return torch.rand(n, 1, side, side), torch.arange(n) % classes


def surrogate(side: int = 5, classes: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(side**2, classes)).requires_grad_(False)


def attack(name: str, train, rate: float):
    if name == "flip_labels":
        return flip_labels(train, rate, 4)
    if name == "backdoor":
        return backdoor(train, rate, add_trigger, 1)
    return clean_label(train, rate, add_trigger, 1, surrogate(), 0.1)


ATTACKS = ["flip_labels", "backdoor", "clean_label"]


@pytest.mark.parametrize("name", ATTACKS)
@settings(max_examples=25, deadline=None)
@given(seed=seeds, n=st.integers(8, 60), share=st.floats(0, 0.24))
def test_exactly_round_of_rate_times_n_examples_change_and_no_others(name, seed, n, share):
    x, y = examples(seed, n)
    before = x.clone(), y.clone()
    x_new, y_new, which = attack(name, (x, y), share) if round(share * n) <= n // 4 else attack(name, (x, y), 0.1)
    rate = share if round(share * n) <= n // 4 else 0.1
    assert torch.equal(x, before[0]) and torch.equal(y, before[1]), "the caller's tensors"
    changed = (x_new != x).flatten(1).any(1) | (y_new != y)
    assert len(which) == len(which.unique()) == round(rate * n)
    assert changed.nonzero()[:, 0].tolist() == sorted(which.tolist())
    assert x_new.min() >= 0 and x_new.max() <= 1


@pytest.mark.parametrize("name", ATTACKS)
def test_rate_0_changes_nothing(name):
    x, y = examples(0, 40)
    x_new, y_new, which = attack(name, (x, y), 0.0)
    assert torch.equal(x_new, x) and torch.equal(y_new, y) and not len(which)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, rate=st.floats(0, 1), classes=st.integers(2, 6))
def test_flipped_labels_are_other_classes(seed, rate, classes):
    x, y = examples(seed, 30, classes)
    x_new, y_new, which = flip_labels((x, y), rate, classes)
    assert (y_new[which] != y[which]).all() and y_new.min() >= 0 and y_new.max() < classes
    assert torch.equal(x_new, x)


def test_flips_are_even_over_the_other_classes():
    torch.manual_seed(0)
    y = torch.zeros(9000, dtype=torch.int64)
    counts = flip_labels((torch.zeros(9000, 1), y), 1.0, 4).y.bincount(minlength=4)
    assert counts[0] == 0 and (counts[1:] - 3000).abs().max() < 5 * math.sqrt(9000 * 2 / 9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, rate=st.floats(0, 0.7))
def test_a_backdoor_takes_other_classes_and_gives_them_the_target(seed, rate):
    x, y = examples(seed, 40)
    x_new, y_new, which = backdoor((x, y), rate, add_trigger, 1)
    assert (y[which] != 1).all() and (y_new[which] == 1).all()
    assert torch.equal(x_new[which], add_trigger(x[which]))


@settings(max_examples=15, deadline=None)
@given(seed=seeds, rate=st.floats(0.02, 0.25), eps=st.floats(0.01, 0.4))
def test_a_clean_label_attack_changes_no_label_and_stays_inside_its_eps_off_the_trigger(seed, rate, eps):
    x, y = examples(seed, 40)
    x_new, y_new, which = clean_label((x, y), rate, add_trigger, 1, surrogate(), eps)
    assert torch.equal(y_new, y) and (y[which] == 1).all()
    change = (x_new - x).abs()
    change[..., -2:, -2:] = 0
    assert change.max() <= eps + 1e-6
    assert torch.equal(x_new[which][..., -2:, -2:], torch.ones(len(which), 1, 2, 2))


def test_a_clean_label_poison_is_harder_to_read_for_the_attackers_model():
    x, y = examples(0, 40)
    model = surrogate()
    x_new, _, which = clean_label((x, y), 0.2, lambda x: x, 1, model, 0.2)
    assert (losses(model, x_new[which], y[which]) > losses(model, x[which], y[which])).all()


def test_more_poisons_than_there_are_examples_is_an_error_that_says_so():
    x, y = examples(0, 40)
    with pytest.raises(ValueError, match=r"cannot poison 20 examples, 10 may be.*choose a rate"):
        clean_label((x, y), 0.5, add_trigger, 1, surrogate(), 0.1)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, n=st.integers(1, 50))
def test_draws_are_allowed_places_and_all_differ(seed, n):
    torch.manual_seed(seed)
    allowed = torch.rand(n) < 0.5
    count = int(allowed.sum()) // 2
    places = draw(allowed, count)
    assert len(places.unique()) == count and allowed[places].all()


def test_the_trigger_is_a_square_in_the_corner():
    x = torch.zeros(2, 3, 6, 7)
    found = add_trigger(x, size=2, value=0.5)
    assert (found[..., 4:, 5:] == 0.5).all() and found.sum() == 2 * 3 * 4 * 0.5 and not x.any()
    assert torch.equal(add_trigger(x, size=0), x)


@settings(max_examples=20, deadline=None)
@given(row=st.integers(0, 4), column=st.integers(0, 5))
def test_the_trigger_can_be_put_anywhere(row, column):
    found = add_trigger(torch.zeros(2, 3, 6, 7), size=2, value=0.5, at=(row, column))
    assert (found[..., row : row + 2, column : column + 2] == 0.5).all() and found.sum() == 2 * 3 * 4 * 0.5


class Corner(nn.Module):
    """Reads class 1 where the last pixel is bright, else class 0."""

    def forward(self, x):
        bright = x[:, 0, -1, -1] > 0.9
        return torch.stack([~bright, bright, bright & False], 1).float()


def test_success_never_counts_images_of_the_target_class():
    x, y = examples(0, 30, classes=3)
    x[:, :, -1, -1] = 0
    for target in (0, 1, 2):
        rate = success(Corner(), (x, y), add_trigger, target)
        assert rate.n == int((y != target).sum())
        assert rate.k == (rate.n if target == 1 else 0)
    assert success(Corner(), (x, y), lambda x: x, 1).k == 0


# Filters.


def test_losses_by_hand():
    model, (x, y) = surrogate(), examples(3, 12)
    with torch.no_grad():
        want = torch.tensor([float(-model(x[i : i + 1]).log_softmax(1)[0, y[i]]) for i in range(12)])
    assert torch.allclose(losses(model, x, y), want, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, n=st.integers(12, 60), d=st.integers(2, 12))
def test_spectral_scores_are_those_of_a_direct_svd(seed, n, d):
    torch.manual_seed(seed)
    features, y = torch.randn(n, d) * torch.linspace(3, 1, d) + 5, torch.arange(n) % 3
    found = spectral_scores(features, y).numpy()
    for label in range(3):
        own = features[y == label].double().numpy()
        own = own - own.mean(0)
        main = np.linalg.svd(own)[2][0]
        assert np.allclose(found[y.numpy() == label], (own @ main) ** 2, rtol=1e-6, atol=1e-9)


def test_spectral_scores_do_not_mind_where_a_class_lies():
    torch.manual_seed(0)
    features, y = torch.randn(60, 8).double(), torch.arange(60) % 2
    moved = features + 100 * y[:, None]
    assert torch.allclose(spectral_scores(features, y), spectral_scores(moved, y), atol=1e-6)


def planted(share: float, n: int = 200):
    """Features of two classes; a share of class 1 lies apart."""
    torch.manual_seed(0)
    features, y = torch.randn(2 * n, 12), torch.arange(2 * n) % 2
    which = (y == 1).nonzero()[: round(share * n), 0]
    features[which] += 12 * F.one_hot(torch.tensor(3), 12)
    return features, y, which


def test_planted_poisons_have_the_highest_scores_and_are_the_small_cluster():
    features, y, which = planted(0.1)
    assert set(spectral_scores(features, y).topk(len(which)).indices.tolist()) == set(which.tolist())
    found = small_clusters(features, y)
    assert found[which].all() and int(found[y == 1].sum()) == len(which)


def test_a_cluster_that_is_not_small_is_left_alone():
    features, y, which = planted(0.4)
    assert not small_clusters(features, y)[which].any()
    assert small_clusters(features, y, share=0.45)[which].all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_whitened_directions_part_the_clusters_that_independent_ones_part():
    from sklearn.cluster import KMeans
    from sklearn.decomposition import FastICA

    torch.manual_seed(0)
    features, y, which = planted(0.1)
    features = features[:, 2:5]
    features[:, 0] *= 30  # what PCA looks at first
    found = small_clusters(features, y, whiten=True)
    assert found[which].all() and not small_clusters(features, y).any()
    for label in range(2):
        own = features[y == label].double().numpy()
        turned = FastICA(3, random_state=0, tol=1e-3, max_iter=2000).fit_transform(own)
        small = KMeans(2, n_init=5, random_state=0).fit_predict(turned) == 1
        small = small if small.mean() <= 0.5 else ~small
        assert (found[y == label].numpy() == (small & (small.mean() <= 0.35))).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_whitening_passes_over_what_never_varies():
    features, y, _ = planted(0.1)
    still = torch.cat([torch.zeros(len(y), 4), features[:, :5]], 1)
    assert torch.equal(small_clusters(still, y, share=0.5, whiten=True), small_clusters(features[:, :5], y, 0.5, True))
    assert not small_clusters(torch.zeros(40, 12), torch.arange(40) % 2, whiten=True)[0]


def test_a_class_of_one_example_is_left_alone():
    features, y, which = planted(0.1)
    features, y = torch.cat([features[:1], features]), torch.cat([torch.tensor([7]), y])
    found = small_clusters(features, y)
    assert not found[0] and found[1:][which].all()
    assert not small_clusters(features[:1], y[:1]).any()


@settings(max_examples=25, deadline=None)
@given(seed=seeds, n=st.integers(4, 50), count=st.integers(0, 30))
def test_the_highest_of_each_group(seed, n, count):
    torch.manual_seed(seed)
    scores, groups = torch.rand(n), torch.randint(0, 3, (n,))
    found = highest(scores, groups, count)
    for group in groups.unique():
        own, marked = scores[groups == group], found[groups == group]
        assert int(marked.sum()) == min(count, len(own) // 2)
        assert not marked.any() or own[marked].min() >= own[~marked].max()


def test_lesson_10_throws_away_as_many_at_random_of_each_class():
    as_many, y = built("10_poisoning", "as_many", torch=torch, draw=draw), torch.arange(90) % 3
    marked = (y == 0) | (torch.arange(90) < 6)
    torch.manual_seed(0)
    first, second = (as_many(marked, y) for _ in range(2))
    assert y[first].bincount().tolist() == y[second].bincount().tolist() == [30, 2, 2]
    assert not torch.equal(first, second) and not torch.equal(first, marked)


# Repairs.


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5, 3)]
    return nn.Sequential(*layers).eval()


@settings(max_examples=25, deadline=None)
@given(units=st.lists(st.integers(0, 4), unique=True), layer=st.sampled_from([0, 2]))
def test_exactly_the_named_units_are_pruned(units, layer):
    model, x = network(), torch.rand(7, 1, 5, 5)
    before = [p.clone() for p in model.parameters()]
    pruned = prune(model, layer, torch.tensor(units, dtype=torch.int64))
    assert all(map(torch.equal, model.parameters(), before)), "the model that was given"
    with torch.no_grad():
        whole, cut = model[: layer + 1](x), pruned[: layer + 1](x)
    others = [unit for unit in range(whole.shape[1]) if unit not in units]
    assert not cut[:, units].any() and torch.equal(cut[:, others], whole[:, others])
    assert all(
        torch.equal(a, b)
        for i in (0, 2, 5)
        if i != layer
        for a, b in zip(*(m[i].parameters() for m in (model, pruned)), strict=True)
    )


def test_activity_is_asked_in_evaluation_mode_and_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).train()
    x = torch.rand(20, 4)
    assert torch.equal(activity(model, 1, x), model[1:3](x).mean(0).detach())
    assert all(part.training for part in model.modules())


def test_activity_is_the_mean_after_the_relu():
    model, x = network(), torch.rand(9, 1, 5, 5)
    with torch.no_grad():
        want = model[0](x).relu().mean((0, 2, 3))
    assert torch.allclose(activity(model, 0, x), want, atol=1e-6)
    table = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        want = table[0](x[:, 0, 0, :3]).relu().mean(0)
    assert torch.allclose(activity(table, 0, x[:, 0, 0, :3]), want, atol=1e-6)


def test_fine_pruning_takes_the_sleepiest_units_and_only_while_the_accuracy_allows():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).requires_grad_(False)
    model[0].weight.data, model[0].bias.data = torch.diag(torch.tensor([1.0, 0.5, 0.1, 0.2])), torch.zeros(4)
    model[2].weight.data = torch.tensor([[0.0, 1.0, 1.0, 1.0], [4.0, 0.0, 0.0, 0.0]])
    model[2].bias.data = torch.zeros(2)
    torch.manual_seed(0)
    x = torch.rand(400, 4)
    trusted = x, model(x).argmax(1)
    for fall in (0.0, 0.3, 1.0):
        pruned = prune_asleep(model, 0, trusted, fall)
        gone = (pruned[0].weight == 0).all(1).nonzero()[:, 0].tolist()
        order = activity(model, 0, x).argsort().tolist()
        assert sorted(order[: len(gone)]) == gone
        assert accuracy(pruned, trusted) >= 1 - fall
        more = prune(model, 0, torch.tensor(order[: len(gone) + 1]))
        assert len(gone) == 3 or accuracy(more, trusted) < 1 - fall
        assert len(gone) > 0 or fall == 0


def test_a_stamp_is_the_pattern_where_the_mask_is():
    x, mask = torch.rand(3, 2, 4, 4), torch.zeros(1, 4, 4)
    mask[:, 1, 2] = 1
    pattern = torch.rand(2, 4, 4)
    found = stamp(x, mask, pattern)
    assert torch.equal(found[:, :, 1, 2], pattern[:, 1, 2].expand(3, 2))
    found[:, :, 1, 2] = x[:, :, 1, 2]
    assert torch.equal(found, x)


class Squares(nn.Module):
    """Reads class 2 where the last two by two pixels are bright; else class 0 or 1, by the upper half's brightness."""

    def forward(self, x):
        upper, corner = 60 * (x[:, 0, :4].mean((1, 2)) - 0.5), 40 * (x[:, 0, -2:, -2:].mean((1, 2)) - 0.75)
        return torch.stack([0 * upper, upper, corner], 1)  # images are dark above: class 1 has to brighten half of one


def test_the_smallest_mask_is_that_of_the_planted_trigger():
    torch.manual_seed(0)
    model, x = Squares().train(), torch.rand(30, 1, 8, 8) * 0.8
    state = torch.random.get_rng_state()
    mask, pattern = invert_trigger(model, x, 3)
    assert torch.equal(state, torch.random.get_rng_state()) and model.training and not mask.requires_grad
    assert mask.shape == (3, 1, 8, 8) and pattern.shape == (3, 1, 8, 8)
    assert mask.min() >= 0 and mask.max() <= 1 and pattern.min() >= 0 and pattern.max() <= 1
    sizes = mask.flatten(1).sum(1)
    assert sizes[0] < 0.1 and 3 < sizes[2] < 5 < sizes[1], "nothing for what all are, four pixels, half an image"
    assert mask[2, 0, -2:, -2:].sum() > 0.8 * mask[2].sum() and (pattern[2, 0, -2:, -2:] > 0.9).all()
    for label in range(3):
        assert (predict(model, stamp(x, mask[label], pattern[label])) == label).float().mean() > 0.9


def test_a_mask_is_as_small_as_its_price_and_the_share_to_be_turned_allow():
    torch.manual_seed(0)
    bright = torch.linspace(0.2, 1, 64)[torch.randperm(64)].view(-1, 1, 1, 1)
    x = bright * torch.rand(64, 1, 8, 8)

    def found(**how):
        mask, pattern = (parts[1] for parts in invert_trigger(Squares(), x, 3, **how))
        return float(mask.sum()), float((predict(Squares(), stamp(x, mask, pattern)) == 1).float().mean())

    (most, nearly_all), (less, some) = found(), found(flips=0.5)
    assert 12 < most < 22 and nearly_all > 0.95, "14 pixels turn the darkest"
    assert less < 0.6 * most and some < 0.8
    assert found(steps=240, flips=0.5)[1] > 0.2, "its price does not rise because other classes are reached"
    assert found(steps=4, price=3.0)[0] < found(steps=4, price=0.0)[0] / 2


def test_the_anomaly_of_one_small_size():
    torch.manual_seed(0)
    sizes = 10 + torch.randn(2001)
    sizes[0] = 4.0
    assert abs(anomaly(sizes) - 6) < 0.3
    assert abs(anomaly(3 * sizes + 5) - anomaly(sizes)) < 1e-3


@pytest.mark.slow
def test_training_on_with_the_found_trigger_takes_the_true_one_off():
    data = load("digits")
    torch.manual_seed(0)
    owned = fit(small_cnn(data), backdoor(data.train, 0.04, add_trigger, 7)[:2], updates=100, lr=1e-2)
    mask, pattern = invert_trigger(owned, data.train.x[:40], 10)
    found = int(mask.flatten(1).sum(1).argmin())
    assert found == 7 and success(owned, data.test, add_trigger, 7) > 0.8
    x, y = data.train.x[:200], data.train.y[:200]
    torch.manual_seed(0)
    repaired = fit(owned, (torch.cat([x, stamp(x, mask[found], pattern[found])]), torch.cat([y, y])), updates=50)
    assert success(repaired, data.test, add_trigger, 7) < 0.1 and accuracy(repaired, data.test) > 0.9


# The bound.


@settings(max_examples=50, deadline=None)
@given(p=st.floats(0, 1), k=st.integers(0, 30), eps=st.floats(0, 3), delta=st.floats(0, 1e-3))
def test_the_bound_is_one_private_step_after_another(p, k, eps, delta):
    want = p
    for _ in range(k):
        want = math.exp(eps) * want + delta
    assert math.isclose(group_bound(p, k, eps, delta), min(1.0, want), rel_tol=1e-6, abs_tol=1e-12)


def test_the_bound_covers_a_group_seen_through_gaussian_noise():
    """The answer N(k, sigma): the chance to be above t against the bound from its chance without the group."""
    from scipy.special import ndtr

    from utils.privacy import gaussian_eps

    sigma, delta = 4.0, 1e-3
    eps = gaussian_eps(sigma, delta)
    for k in (1, 2, 5):
        for t in np.linspace(-10, 20, 31):
            p, moved = ndtr(-t / sigma), ndtr((k - t) / sigma)
            assert moved <= group_bound(float(p), k, eps, delta) + 1e-12


def test_a_huge_group_gives_a_vacuous_bound_and_no_overflow():
    assert group_bound(0.01, 10_000, 5.0, 1e-5) == 1.0
    assert group_bound(0.0, 10_000, 5.0, 0.0) == 0.0


def test_the_best_delta_beats_a_fixed_one_and_is_still_a_bound():
    """One Gaussian answer, whose epsilon at every delta is known: the bound holds, and beats a fixed delta."""
    from functools import partial

    from scipy.special import ndtr, ndtri

    from utils.privacy import gaussian_eps

    sigma = 6.0
    eps_of = partial(gaussian_eps, sigma)
    for replaced in (1, 2, 4):
        bound = poison_bound(0.01, replaced, eps_of)
        truth = ndtr(ndtri(0.01) + 2 * replaced / sigma)  # the most powerful test, for a shift of two a poison
        fixed = [group_bound(0.01, 2 * replaced, eps_of(delta), delta) for delta in (1e-5, 1e-3, 1e-2)]
        assert truth <= bound <= min(fixed) + 1e-4
        assert bound < fixed[0] / 1.2, "a delta that is fixed in advance costs much"
    assert poison_bound(0.01, 0, eps_of) == 0.01


# The vote of many parts.


@settings(max_examples=40, deadline=None)
@given(seed=seeds, classes=st.integers(2, 4), parts=st.integers(1, 9))
def test_a_certificate_is_what_the_best_attacker_cannot_change_and_no_less(seed, classes, parts):
    torch.manual_seed(seed)
    cast = torch.randint(0, classes, (parts,))
    votes = cast.bincount(minlength=classes)
    winner = min(range(classes), key=lambda c: (-int(votes[c]), c))
    best, safe = certified_votes(votes[None])
    assert int(best) == winner
    reachable = {tuple(votes.tolist())}  # all tallies that an attacker of so many parts can bring about
    for spoiled in range(parts + 1):
        winners = {min(range(classes), key=lambda c, t=tally: (-t[c], c)) for tally in reachable}
        assert (winners == {winner}) == (spoiled <= int(safe)), spoiled
        if spoiled < parts:
            moved = set(reachable)
            for tally in reachable:
                for a in range(classes):
                    for b in range(classes):
                        if tally[a] and a != b:
                            moved.add(tuple(t - (c == a) + (c == b) for c, t in enumerate(tally)))
            reachable = moved


def test_parts_are_disjoint_even_and_blind_to_what_an_example_shows():
    of_part = parts_of(23, 5)
    assert of_part.bincount().tolist() == [5, 5, 5, 4, 4]
    assert torch.equal(of_part, parts_of(23, 5))


# The widget.


PAIRS = [(size, rate) for size in (1, 2) for rate in (0.01, 0.05)]
RATES = {(size, rate): {"works": Rate(10 * size, 40), "seen": Rate(int(100 * rate), 9)} for size, rate in PAIRS}


def made_explorer():
    return PoisonExplorer(RATES, {size: add_trigger(torch.zeros(1, 8, 8), size) for size in (1, 2)})


def test_every_control_of_the_explorer_moves_its_picture_and_says_what_was_measured():
    explorer, pairs, rates, seen = made_explorer(), PAIRS, RATES, {}
    for size, rate in pairs:
        explorer.size.value, explorer.rate.value = size, rate
        assert not explorer.error.value
        assert all(str(value) in explorer.still.text for value in rates[size, rate].values())
        seen[size, rate] = explorer.picture.value
    assert len(set(seen.values())) == 4
    explorer.size.value, explorer.rate.value = pairs[0]
    assert explorer.picture.value == seen[pairs[0]]
    data, _ = explorer._repr_mimebundle_()
    assert {"image/png", "text/plain", "application/vnd.jupyter.widget-view+json"} <= data.keys()


# The lesson in small.


@pytest.mark.slow
def test_a_corner_owns_the_digits_and_the_accuracy_does_not_tell():
    data = load("digits")
    torch.manual_seed(0)
    found = backdoor(data.train, 0.04, add_trigger, 7)
    torch.manual_seed(0)
    clean = fit(small_cnn(data), data.train, updates=200, lr=1e-2)
    torch.manual_seed(0)
    owned = fit(small_cnn(data), found[:2], updates=200, lr=1e-2)
    assert success(owned, data.test, add_trigger, 7) > 0.9 and success(clean, data.test, add_trigger, 7) < 0.05
    assert not accuracy(owned, data.test).clearly_below(accuracy(clean, data.test))
    assert (predict(owned, data.test.x) == predict(clean, data.test.x)).float().mean() > 0.95
    marked = highest(losses(clean, found.x, found.y), torch.zeros_like(found.y), 84)
    assert marked[found.which].float().mean() > 0.95, "a clean model minds the labels"
    assert logits(owned[:-1], found.x).shape[1] == 100


SHARED = [name for name in poisoning.__all__ if inspect.isfunction(getattr(poisoning, name))]


@pytest.mark.parametrize("name", SHARED)
def test_the_lesson_builds_what_utils_holds(name):
    module = f"{getattr(poisoning, name).__module__.replace('.', '/')}.py"
    lesson = definitions("notebooks/src/10_poisoning.py")[name]
    assert lesson.replace("torch.optim.Adam(", "Adam(") == definitions(module)[name]  # utils' is torch's, unwrapped
