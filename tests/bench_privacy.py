"""Seconds of an epoch of private training beside opacus and plain SGD: a table in the README. `make bench` runs it.

On 10,000 images of MNIST if COURSE_DATA names a folder that has it, else on digits. All take turns in one process, on
one core, with the same network, and without anybody's data loader. Seconds are of processor time.
"""

import os
from pathlib import Path

from bench import into_readme, today_here
from privacy_peers import ENVIRONMENTS, asked
from small_env import small_env

NAMES = {"hooks": "opacus, hooks", "functorch": "opacus, functorch", "ghost": "opacus, ghost clipping"}


def report(data: str, images: int, seconds: dict[str, float]) -> str:
    """The README's part: where it was measured, and the table."""
    rows = (
        f"| {NAMES.get(name, name)} | {s:.2f} | {s / seconds['plain SGD']:.1f} | {s / seconds['ours']:.1f} |"
        for name, s in seconds.items()
    )
    return "\n".join(
        [
            f"Measured by `make bench` on {images:,} images of {data}, batch 256, {today_here()}, "
            f"{ENVIRONMENTS['opacus'][1]}.",
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
    text = report(data, images, asked(small_env("opacus", ENVIRONMENTS["opacus"]), "epochs", job, OMP_NUM_THREADS="1"))
    print(text)
    into_readme("bench privacy", text)


if __name__ == "__main__":
    main()
