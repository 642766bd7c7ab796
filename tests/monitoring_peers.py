"""Other libraries' monitors on given samples: `python monitoring_peers.py NAME FOLDER`, in small environments.

FOLDER holds the arrays of `samples` as one file; one line of JSON answers. NAME is a key of ENVIRONMENTS.
`tests/pin.py` pins the answers.
"""

import hashlib
import json
import math
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from small_env import ask
from utils import monitoring

ENVIRONMENTS = {  # what pip installs
    "drift": ("alibi-detect==0.13.0", "river==0.23.0"),
    "evidently": ("evidently==0.7.23", "pandas==2.3.3"),  # it asks pandas for a function that 3.0 has dropped
}
PERMUTATIONS = 1000
TIMES_AS_FAST = 30  # what our MMD must be, at least


def samples() -> dict[str, np.ndarray]:
    """500 against 500 examples of 32 features, a little shifted; a stream with one shift; 400 pairs without any."""
    random = np.random.default_rng(0)
    reference, now = random.normal(size=(500, 32)), random.normal(0.02, size=(500, 32))
    squared = torch.cdist(*[torch.from_numpy(np.concatenate([reference, now]))] * 2) ** 2
    away = ~torch.eye(1000, dtype=torch.bool)
    sigma = math.sqrt(float(squared[away].median()) / 2)  # theirs divides by twice its square
    stream = np.concatenate([random.random(5000) < 0.2, random.random(5000) < 0.5]).astype(float)
    numbers, categories = random.normal(size=(2, 100, 400)), random.integers(5, size=(2, 300, 400))
    given = {"reference": reference, "now": now, "sigma": np.float32(sigma), "stream": stream}
    return given | {"numbers": numbers, "categories": categories}


def timed(call, times=3) -> tuple[float, object]:
    """Seconds of processor time at best, and the last answer."""
    best = float("inf")
    for _ in range(times):
        begin = time.process_time()
        answer = call()
        best = min(best, time.process_time() - begin)
    return best, answer


def our_mmd(given) -> tuple:
    """Seconds, and the statistic with its p."""
    pair = [torch.from_numpy(given[name]) for name in ("reference", "now")]
    return timed(lambda: monitoring.mmd(*pair, permutations=PERMUTATIONS), times=20)


def by_alibi_and_river(given) -> dict:
    from alibi_detect.cd import KSDrift, MMDDrift
    from alibi_detect.utils.pytorch.kernels import GaussianRBF
    from river.drift import ADWIN

    reference, now = (given[name].astype(np.float32) for name in ("reference", "now"))
    how = {"backend": "pytorch", "n_permutations": PERMUTATIONS}
    same = MMDDrift(
        reference, sigma=given["sigma"].reshape(1), configure_kernel_from_x_ref=False, kernel=GaussianRBF, **how
    )
    torch.manual_seed(0)
    seconds, mmd = timed(lambda: same.predict(now)["data"])
    times = seconds / our_mmd(given)[0]
    print(f"MMD, {PERMUTATIONS} permutations: ours is {times:.0f} times as fast", file=sys.stderr)
    ks = KSDrift(reference, p_val=0.05).predict(now)["data"]
    adwin, cuts = ADWIN(delta=0.002), []
    for t, value in enumerate(given["stream"].tolist()):
        adwin.update(value)
        if adwin.drift_detected:
            cuts.append(t)
    return {
        "mmd": {"statistic": float(mmd["distance"]), "p": float(mmd["p_val"])},
        "ours is fast enough": times >= TIMES_AS_FAST,
        "ks": ks["p_val"].tolist(),
        "adwin": cuts,
    }


def by_evidently(given) -> dict:
    import pandas as pd
    from evidently.legacy.calculations.stattests import chi_stat_test, ks_stat_test, psi_stat_test
    from evidently.legacy.core import ColumnType

    def scores(test, kind, reference, now):
        """One score for each column: a p-value, or the index."""
        pairs = [(pd.Series(a), pd.Series(b)) for a, b in zip(reference.T, now.T, strict=True)]
        return [float(test(a, b, kind, None).drift_score) for a, b in pairs]

    pair = given["reference"], given["now"]
    return {
        "ks": scores(ks_stat_test, ColumnType.Numerical, *pair),
        "psi": scores(psi_stat_test, ColumnType.Numerical, *pair),
        "psi, alike": scores(psi_stat_test, ColumnType.Numerical, *given["numbers"]),
        "chi-square, alike": scores(chi_stat_test, ColumnType.Categorical, *given["categories"]),
    }


def main(name: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with np.load(folder / "samples.npz") as given:
        print(json.dumps({"drift": by_alibi_and_river, "evidently": by_evidently}[name](dict(given))))


# What tests/pin.py asks of each of such modules.

JUDGES = ["from utils import monitoring"]


def question(name: str) -> dict:
    """In float32, where it does not matter in whose mathematics library the last digit of a sample was rounded."""
    given = {name: array.astype(np.float32).tobytes() for name, array in samples().items() if name != "sigma"}
    return {name: hashlib.sha256(content).hexdigest()[:16] for name, content in given.items()}


def answers(python: Path, name: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder, "samples.npz"), **samples())
        return ask(python, __file__, name, folder, OMP_NUM_THREADS="1")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
