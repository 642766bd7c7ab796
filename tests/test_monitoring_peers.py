"""Our monitors beside those of alibi-detect, river and evidently on the same samples: statistics, p-values, speed."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from monitoring_peers import PERMUTATIONS, TIMES_AS_FAST, our_mmd, samples, timed
from pin import pinned
from utils import monitoring


@pytest.fixture(scope="module")
def given():
    return samples()


@pytest.fixture(scope="module")
def pair(given):
    return [torch.from_numpy(given[name]) for name in ("reference", "now")]


@pytest.fixture(scope="module")
def drift():
    return pinned("drift")


@pytest.fixture(scope="module")
def evidently():
    return pinned("evidently")


@pytest.fixture(scope="module")
def mmd(given):
    """(seconds on one core, answer)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield our_mmd(given)
    torch.set_num_threads(threads)


def test_the_same_mmd_and_p_value(mmd, drift):
    ours, theirs = mmd[1], drift["mmd"]
    assert math.isclose(ours.statistic, theirs["statistic"], rel_tol=1e-3, abs_tol=1e-6)  # theirs is in float32
    p = (float(ours.p) + theirs["p"]) / 2
    assert abs(float(ours.p) - theirs["p"]) <= 4 * math.sqrt(2 * p * (1 - p) / PERMUTATIONS) + 1 / PERMUTATIONS


def one_after_another(kernel, m, permutations):
    """How alibi-detect permutes: it sorts the kernel's rows and columns anew each time."""
    values = []
    for _ in range(permutations):
        order = torch.randperm(len(kernel))
        k = kernel[order][:, order]
        values.append(k[:-m, :-m].sum() + k[-m:, -m:].sum() - 2 * k[-m:, :-m].mean())
    return values


def test_mmd_is_thirty_times_as_fast(mmd, drift, pair, capsys):
    """As the peer, where the answer was pinned; here, as its loop alone, which it cannot beat."""
    assert drift["ours is fast enough"]
    both, some = torch.cat(pair).float(), 50
    kernel = (-torch.cdist(both, both)).exp()
    seconds = timed(lambda: one_after_another(kernel, len(pair[1]), some))[0] * PERMUTATIONS / some
    with capsys.disabled():
        print(f"\nMMD, {PERMUTATIONS} permutations: {mmd[0]:.3f} s, one after another {seconds:.2f} s")
    assert seconds / mmd[0] >= TIMES_AS_FAST


def test_the_same_ks(pair, drift):
    assert np.allclose(monitoring.ks(*pair).p, drift["ks"], rtol=1e-4)  # the usual approximation; theirs saw float32


def test_adwin_finds_the_shift_as_soon(given, drift):
    adwin = monitoring.Adwin(0.002)
    ours = [t for t, value in enumerate(given["stream"]) if adwin.update(value)]
    for cuts in (ours, drift["adwin"]):
        after = [t for t in cuts if t >= 5000]
        assert len(cuts) == len(after) and after[0] < 5200, cuts


def test_evidentlys_ks_is_the_exact_one(pair, evidently):
    """Theirs is scipy's default, exact at this size; ours is scipy's approximation, here off by less than 0.02."""
    a, b = (side.numpy() for side in pair)
    assert np.allclose(evidently["ks"], stats.ks_2samp(a, b).pvalue, rtol=1e-9)
    assert np.abs(monitoring.ks(*pair).p.numpy() - evidently["ks"]).max() < 0.02


def test_evidentlys_psi_has_other_bins_and_the_same_formula(pair, evidently):
    """Theirs are equally wide, over both samples, and an empty one counts as 0.0001; ours hold equal shares."""
    theirs = []
    for a, b in zip(*(side.T.numpy() for side in pair), strict=True):
        edges = np.histogram_bin_edges(np.concatenate([a, b]), bins="sturges")
        p, q = (np.histogram(x, edges)[0] / len(x) for x in (a, b))
        p, q = (np.where(x == 0, 1e-4, x) for x in (p, q))
        theirs.append(((q - p) * np.log(q / p)).sum())
    assert np.allclose(theirs, evidently["psi"], rtol=1e-9)
    ours = monitoring.psi(*pair).statistic
    assert not np.allclose(ours, theirs, rtol=0.1)


def rejected(p) -> int:
    return int((np.asarray(p) <= 0.05).sum())


def test_a_fixed_limit_of_psi_is_no_level(given, evidently):
    """100 against 100 without drift: theirs is mostly above its limit 0.1, our p below 0.05 in about a twentieth."""
    ours = rejected(monitoring.psi(*torch.from_numpy(given["numbers"])).p)
    assert sum(value >= 0.1 for value in evidently["psi, alike"]) > 200
    assert stats.binom.sf(ours - 1, 400, 0.05) > 1e-3, ours


def test_evidentlys_chi_square_takes_the_reference_for_the_truth(given, evidently, capsys):
    """300 against 300 without drift. It leaves out that the reference was drawn as well, so it rejects far too often.

    Its statistic is about twice ours: at level 0.05 it rejects as often as a chi-square exceeds half of its limit.
    """
    pairs = list(zip(*(side.T for side in torch.from_numpy(given["categories"])), strict=True))
    ours, theirs = rejected([float(monitoring.chi_square(*pair).p) for pair in pairs]), evidently["chi-square, alike"]
    often = stats.chi2.sf(stats.chi2.isf(0.05, 4) / 2, 4)
    with capsys.disabled():
        print(f"\nchi-square, 400 pairs alike, rejected at 0.05: ours {ours}, evidently {rejected(theirs)}")
    assert 1e-3 < stats.binom.cdf(rejected(theirs), 400, often) < 1 - 1e-3
    assert stats.binom.sf(ours - 1, 400, 0.05) > 1e-3
