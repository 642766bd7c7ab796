"""Seconds of an epoch of private training beside opacus and plain SGD: a table in the README. `make bench` runs it.

On 10,000 images of MNIST if COURSE_DATA names a folder that has it, else on digits. All take turns in one process, on
one core, with the same network, and without anybody's data loader. Seconds are of processor time.
"""

import datetime
import os
import platform
from pathlib import Path

import torch

from privacy_peers import ENVIRONMENTS, ask
from small_env import ROOT, small_env

README, MARKS = ROOT / "README.md", ("<!-- bench privacy -->\n", "<!-- /bench privacy -->\n")
NAMES = {"hooks": "opacus, hooks", "functorch": "opacus, functorch", "ghost": "opacus, ghost clipping"}


def report(data: str, images: int, seconds: dict[str, float]) -> str:
    """The README's part: where it was measured, and the table."""
    cpu = next((x.split(": ")[1] for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), "")
    rows = (
        f"| {NAMES.get(name, name)} | {s:.2f} | {s / seconds['plain SGD']:.1f} | {s / seconds['ours']:.1f} |"
        for name, s in seconds.items()
    )
    return "\n".join(
        [
            f"Measured by `make bench` on {images:,} images of {data}, batch 256, on {datetime.date.today()}, one core "
            f"of {cpu or platform.processor()}, torch {torch.__version__}, {ENVIRONMENTS['opacus'][1]}.",
            "",
            "| an epoch | seconds | × plain | × ours |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def main() -> None:
    data = "mnist" if Path(os.environ.get("COURSE_DATA", ""), "mnist.npz").is_file() else "digits"
    images = {"mnist": 10_000, "digits": 1400}[data]
    job = {"data": data, "images": images, "rounds": 5, "modes": list(NAMES)}
    text = report(data, images, ask(small_env("opacus", ENVIRONMENTS["opacus"]), "epochs", job, OMP_NUM_THREADS="1"))
    print(text)
    before, opened, rest = README.read_text().partition(MARKS[0])
    _, closed, after = rest.partition(MARKS[1])
    if opened and closed:
        README.write_text(before + opened + text + "\n" + closed + after)


if __name__ == "__main__":
    main()
