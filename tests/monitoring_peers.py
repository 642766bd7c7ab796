"""Other libraries' monitors on given samples: `python monitoring_peers.py FOLDER` in a small environment of theirs.

FOLDER holds samples.npz (reference, now, sigma) and stream.npy; one line of JSON answers.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

ENVIRONMENT = ("alibi-detect==0.13.0", "river==0.23.0")
PERMUTATIONS = 1000


def timed(call, times=3) -> tuple[float, object]:
    """Seconds of processor time at best, and the last answer."""
    best = float("inf")
    for _ in range(times):
        begin = time.process_time()
        answer = call()
        best = min(best, time.process_time() - begin)
    return best, answer


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
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
    print(
        json.dumps(
            {
                "mmd": {"statistic": float(answer["distance"]), "p": float(answer["p_val"]), "seconds": seconds},
                "ks": {"p": ks["p_val"].tolist(), "seconds": ks_seconds},
                "adwin": {"cuts": cuts, "seconds": adwin_seconds},
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
