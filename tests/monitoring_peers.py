"""Other libraries' monitors on given samples: `python monitoring_peers.py NAME FOLDER`, in small environments.

FOLDER holds samples.npz (reference, now, sigma), stream.npy and alike.npz (numbers, categories: many pairs without
drift); one line of JSON answers. NAME is a key of ENVIRONMENTS.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

ENVIRONMENTS = {  # what pip installs
    "drift": ("alibi-detect==0.13.0", "river==0.23.0"),
    "evidently": ("evidently==0.7.23", "pandas==2.3.3"),  # it asks pandas for a function that 3.0 has dropped
}
PERMUTATIONS = 1000


def timed(call, times=3) -> tuple[float, object]:
    """Seconds of processor time at best, and the last answer."""
    best = float("inf")
    for _ in range(times):
        begin = time.process_time()
        answer = call()
        best = min(best, time.process_time() - begin)
    return best, answer


def by_alibi_and_river(folder: Path) -> dict:
    import torch
    from alibi_detect.cd import KSDrift, MMDDrift
    from alibi_detect.utils.pytorch.kernels import GaussianRBF
    from river.drift import ADWIN

    torch.set_num_threads(1)
    data = np.load(folder / "samples.npz")
    reference, now = (data[name].astype(np.float32) for name in ("reference", "now"))
    how = {"backend": "pytorch", "n_permutations": PERMUTATIONS}
    same = MMDDrift(
        reference, sigma=data["sigma"].reshape(1), configure_kernel_from_x_ref=False, kernel=GaussianRBF, **how
    )
    seconds, answer = timed(lambda: same.predict(now)["data"])
    ks_seconds, ks = timed(lambda: KSDrift(reference, p_val=0.05).predict(now)["data"])
    adwin, cuts = ADWIN(delta=0.002), []
    stream = np.load(folder / "stream.npy").tolist()
    begin = time.process_time()
    for t, value in enumerate(stream):
        adwin.update(value)
        if adwin.drift_detected:
            cuts.append(t)
    adwin_seconds = time.process_time() - begin
    return {
        "mmd": {"statistic": float(answer["distance"]), "p": float(answer["p_val"]), "seconds": seconds},
        "ks": {"p": ks["p_val"].tolist(), "seconds": ks_seconds},
        "adwin": {"cuts": cuts, "seconds": adwin_seconds},
    }


def by_evidently(folder: Path) -> dict:
    import pandas as pd
    from evidently.legacy.calculations.stattests import chi_stat_test, ks_stat_test, psi_stat_test
    from evidently.legacy.core import ColumnType

    def scores(test, kind, reference, now):
        """One score for each column: a p-value, or the index."""
        pairs = [(pd.Series(a), pd.Series(b)) for a, b in zip(reference.T, now.T, strict=True)]
        return [float(test(a, b, kind, None).drift_score) for a, b in pairs]

    samples, alike = np.load(folder / "samples.npz"), np.load(folder / "alike.npz")
    seconds, ks = timed(lambda: scores(ks_stat_test, ColumnType.Numerical, samples["reference"], samples["now"]))
    return {
        "ks": {"p": ks, "seconds": seconds},
        "psi": scores(psi_stat_test, ColumnType.Numerical, samples["reference"], samples["now"]),
        "psi, alike": scores(psi_stat_test, ColumnType.Numerical, *alike["numbers"]),
        "chi-square, alike": scores(chi_stat_test, ColumnType.Categorical, *alike["categories"]),
    }


def main(name: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    print(json.dumps({"drift": by_alibi_and_river, "evidently": by_evidently}[name](folder)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
