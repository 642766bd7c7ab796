"""Checks on measured targets leave room for chance: a right answer fails in fewer than 1 of 10,000 gradings."""

import re

import nbformat
import pytest
import torch
from scipy import stats

from grader.grade import given_names
from grader.lab import bound, is_exercise
from labs import SOURCES, instructors

STEM = "12_model_monitoring"


def names_of(stem: str) -> dict:
    """The names that a lab gives."""
    return dict(given_names(nbformat.writes(instructors(SOURCES / f"{stem}.py"))))


def lab_with_answers() -> dict:
    """The names of lab 12, with its own answers."""
    notebook = instructors(SOURCES / f"{STEM}.py")
    names = dict(given_names(nbformat.writes(notebook)))
    for cell in notebook.cells:
        if cell.cell_type == "code" and is_exercise(cell.source) and "detect" in bound(cell.source):
            exec(cell.source, names)
    return names


@pytest.mark.slow
def test_a_detector_at_its_target_is_not_refused_by_luck():
    """Delays of 4,000 streams, stretched until their median is the target of 50, and drawn again 300 at a time."""
    names = lab_with_answers()
    limit = int(re.search(r"late\.median\(\) <= (\d+)\W*# tests", (SOURCES / f"{STEM}.py").read_text())[1])
    calm = names["mistakes"](200, 0.05, 1)
    late = names["delays"](names["detect"](calm, names["mistakes"](4000, 0.2, 2)), names["changes"](4000, 2)).double()
    late *= 50 / late.median()
    random = torch.Generator().manual_seed(0)
    medians = torch.cat(
        [late[torch.randint(len(late), (1000, 300), generator=random)].median(1).values for _ in range(50)]
    )
    assert stats.norm.sf(limit, float(medians.mean()), float(medians.std())) < 1e-4
    assert float((medians > limit).double().mean()) < 1e-4
    for n in (40, 100, 150):
        assert stats.binom.sf(names["at_most"](0.08, n), n, 0.08) < 1e-4


def test_shares_of_draws_stay_within_what_the_checks_of_labs_04_and_05_allow():
    """Two-sided chances that a right answer leaves its bounds, all looks of a check together."""
    outside = lambda n, p, low, high: stats.binom.cdf(low, n, p) + stats.binom.sf(high - 1, n, p)  # noqa: E731
    assert 29 * outside(371, 1 / 9, 8, 100) < 1e-4, "place: images in the same place, at 29 distances"
    assert outside(2000, 0.5, 880, 1120) < 1e-4, "left_after: 500 coins, tossed four times each"
    assert stats.binom.cdf(100, 1000, float(stats.norm.sf(0.4))) < 1e-4, "votes: copies beyond 1"
    mean, spread = 0.75 * 0.5 - 0.25 * 8, 8.5 * (0.25 * 0.75 / 200) ** 0.5
    assert 10 * stats.norm.cdf(mean / spread) < 1e-4, "choose: ten means over 200 calls"


def test_the_share_of_gradients_that_are_the_same_is_not_missed_by_luck():
    """As lab 04 draws it, for networks of three students."""
    names = names_of("04_building_masks")
    many, labels = names["x"].repeat(10, 1, 1, 1), names["y"].repeat(10)
    for seed in (1, 2, 3):
        fresh = names["trained"](seed, updates=150)
        wavy = torch.nn.Sequential(names["masking"].Noise(0.05), *fresh).eval()
        shares, signs = [], []
        for _ in range(12):
            pair = []
            for _ in range(2):
                images = many.clone().requires_grad_()
                loss = torch.nn.functional.cross_entropy(wavy(images), labels, reduction="sum")
                pair.append(torch.autograd.grad(loss, images)[0].flatten(1) * 1e6)
            shares.append(float((torch.nn.functional.cosine_similarity(*pair) > 0.9).float().mean()))
            signs.append(float(((pair[0].sign() == pair[1].sign()).float().mean(1) > 0.9).float().mean()))
        shares, room = torch.tensor(shares), 0.5 * abs(sum(signs) / 12 - sum(shares) / 12)
        assert 2 * stats.norm.sf(float(room / (2**0.5 * shares.std()))) < 1e-4, seed
