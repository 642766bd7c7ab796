"""Our monitors beside those of alibi-detect, river and evidently on the same samples: statistics, p-values, speed."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from monitoring_peers import ENVIRONMENTS, PERMUTATIONS, timed
from small_env import ask, small_env
from utils import monitoring

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """500 against 500 examples of 32 features, a little shifted; a stream with one shift; 400 pairs without any."""
    folder, random = tmp_path_factory.mktemp("samples"), np.random.default_rng(0)
    reference, now = random.normal(size=(500, 32)), random.normal(0.02, size=(500, 32))
    squared = torch.cdist(*[torch.from_numpy(np.concatenate([reference, now]))] * 2) ** 2
    away = ~torch.eye(1000, dtype=torch.bool)
    sigma = math.sqrt(float(squared[away].median()) / 2)  # theirs divides by twice its square
    np.savez(folder / "samples.npz", reference=reference, now=now, sigma=np.float32(sigma))
    stream = np.concatenate([random.random(5000) < 0.2, random.random(5000) < 0.5]).astype(float)
    np.save(folder / "stream.npy", stream)
    numbers, categories = random.normal(size=(2, 100, 400)), random.integers(5, size=(2, 300, 400))
    np.savez(folder / "alike.npz", numbers=numbers, categories=categories)
    return folder


def asked(name, folder):
    """What the libraries of one environment say."""
    return ask(small_env(name, ENVIRONMENTS[name]), HERE / "monitoring_peers.py", name, folder, OMP_NUM_THREADS="1")


@pytest.fixture(scope="module")
def samples(folder):
    return {name: torch.from_numpy(array) for name, array in np.load(folder / "samples.npz").items()}


@pytest.fixture(scope="module")
def both(folder, samples):
    """(ours, theirs)."""
    theirs, a, b, stream = asked("drift", folder), samples["reference"], samples["now"], np.load(folder / "stream.npy")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    mmd_seconds, mmd = timed(lambda: monitoring.mmd(a, b, permutations=PERMUTATIONS), times=20)
    torch.set_num_threads(threads)
    ks_seconds, ks = timed(lambda: monitoring.ks(a, b))
    adwin = monitoring.Adwin(0.002)
    adwin_seconds, cuts = timed(lambda: [t for t, value in enumerate(stream) if adwin.update(value)], times=1)
    ours = {
        "mmd": {"statistic": float(mmd.statistic), "p": float(mmd.p), "seconds": mmd_seconds},
        "ks": {"p": ks.p.tolist(), "seconds": ks_seconds},
        "adwin": {"cuts": cuts, "seconds": adwin_seconds},
    }
    return ours, theirs


def test_the_same_mmd_and_p_value(both):
    ours, theirs = (side["mmd"] for side in both)
    assert math.isclose(ours["statistic"], theirs["statistic"], rel_tol=1e-3, abs_tol=1e-6)  # theirs is in float32
    p = (ours["p"] + theirs["p"]) / 2
    assert abs(ours["p"] - theirs["p"]) <= 4 * math.sqrt(2 * p * (1 - p) / PERMUTATIONS) + 1 / PERMUTATIONS


def test_mmd_is_thirty_times_as_fast(both, capsys):
    ours, theirs = (side["mmd"]["seconds"] for side in both)
    with capsys.disabled():
        print(
            f"\nMMD, {PERMUTATIONS} permutations: {ours:.3f} s, alibi-detect {theirs:.2f} s, {theirs / ours:.0f} times"
        )
    assert theirs / ours >= 30


def test_the_same_ks(both):
    ours, theirs = (np.array(side["ks"]["p"]) for side in both)
    assert np.allclose(ours, theirs, rtol=1e-4)  # both the usual approximation; theirs saw float32


def test_adwin_finds_the_shift_as_soon(both):
    for side in both:
        after = [t for t in side["adwin"]["cuts"] if t >= 5000]
        assert len(side["adwin"]["cuts"]) == len(after) and after[0] < 5200, side["adwin"]


@pytest.fixture(scope="module")
def evidently(folder):
    return asked("evidently", folder)


def test_evidentlys_ks_is_the_exact_one(samples, evidently, capsys):
    """Theirs is scipy's default, exact at this size; ours is scipy's approximation, here off by less than 0.02."""
    a, b = samples["reference"], samples["now"]
    assert np.allclose(evidently["ks"]["p"], stats.ks_2samp(a.numpy(), b.numpy()).pvalue, rtol=1e-9)
    seconds, ks = timed(lambda: monitoring.ks(a, b))
    assert np.abs(ks.p.numpy() - evidently["ks"]["p"]).max() < 0.02
    with capsys.disabled():
        print(f"\nKS, 32 features: {seconds:.4f} s, evidently {evidently['ks']['seconds']:.4f} s")


def test_evidentlys_psi_has_other_bins_and_the_same_formula(samples, evidently):
    """Theirs are equally wide, over both samples, and an empty one counts as 0.0001; ours hold equal shares."""
    theirs = []
    for a, b in zip(samples["reference"].T.numpy(), samples["now"].T.numpy(), strict=True):
        edges = np.histogram_bin_edges(np.concatenate([a, b]), bins="sturges")
        p, q = (np.histogram(x, edges)[0] / len(x) for x in (a, b))
        p, q = (np.where(x == 0, 1e-4, x) for x in (p, q))
        theirs.append(((q - p) * np.log(q / p)).sum())
    assert np.allclose(theirs, evidently["psi"], rtol=1e-9)
    ours = monitoring.psi(samples["reference"], samples["now"]).statistic
    assert not np.allclose(ours, theirs, rtol=0.1)


def rejected(p) -> int:
    return int((np.asarray(p) <= 0.05).sum())


def test_a_fixed_limit_of_psi_is_no_level(folder, evidently):
    """100 against 100 without drift: theirs is mostly above its limit 0.1, our p below 0.05 in about a twentieth."""
    a, b = np.load(folder / "alike.npz")["numbers"]
    ours = rejected(monitoring.psi(torch.from_numpy(a), torch.from_numpy(b)).p)
    assert sum(value >= 0.1 for value in evidently["psi, alike"]) > 200
    assert stats.binom.sf(ours - 1, 400, 0.05) > 1e-3, ours


def test_evidentlys_chi_square_takes_the_reference_for_the_truth(folder, evidently, capsys):
    """300 against 300 without drift. It leaves out that the reference was drawn as well, so it rejects far too often.

    Its statistic is about twice ours: at level 0.05 it rejects as often as a chi-square exceeds half of its limit.
    """
    a, b = np.load(folder / "alike.npz")["categories"]
    pairs = list(zip(torch.from_numpy(a).T, torch.from_numpy(b).T, strict=True))
    ours, theirs = rejected([float(monitoring.chi_square(*pair).p) for pair in pairs]), evidently["chi-square, alike"]
    often = stats.chi2.sf(stats.chi2.isf(0.05, 4) / 2, 4)
    with capsys.disabled():
        print(f"\nchi-square, 400 pairs alike, rejected at 0.05: ours {ours}, evidently {rejected(theirs)}")
    assert 1e-3 < stats.binom.cdf(rejected(theirs), 400, often) < 1 - 1e-3
    assert stats.binom.sf(ours - 1, 400, 0.05) > 1e-3
