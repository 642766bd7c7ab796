"""Our monitors beside alibi-detect's and river's on the same samples: same statistics, same p-values, and how fast."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from monitoring_peers import ENVIRONMENT, PERMUTATIONS, timed
from small_env import ask, small_env
from utils import monitoring

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(ours, theirs): 500 against 500 examples of 32 features, a little shifted, and a stream with one shift."""
    folder, random = tmp_path_factory.mktemp("samples"), np.random.default_rng(0)
    reference, now = random.normal(size=(500, 32)), random.normal(0.02, size=(500, 32))
    squared = torch.cdist(*[torch.from_numpy(np.concatenate([reference, now]))] * 2) ** 2
    away = ~torch.eye(1000, dtype=torch.bool)
    sigma = math.sqrt(float(squared[away].median()) / 2)  # theirs divides by twice its square
    np.savez(folder / "samples.npz", reference=reference, now=now, sigma=np.float32(sigma))
    stream = np.concatenate([random.random(5000) < 0.2, random.random(5000) < 0.5]).astype(float)
    np.save(folder / "stream.npy", stream)
    theirs = ask(small_env("drift", ENVIRONMENT), HERE / "monitoring_peers.py", folder, OMP_NUM_THREADS="1")
    a, b = torch.from_numpy(reference), torch.from_numpy(now)
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
    assert np.abs(ours - theirs).max() < 0.01  # theirs is exact, ours the usual approximation


def test_adwin_finds_the_shift_as_soon(both):
    for side in both:
        after = [t for t in side["adwin"]["cuts"] if t >= 5000]
        assert len(side["adwin"]["cuts"]) == len(after) and after[0] < 5200, side["adwin"]
