"""An update of fast adversarial training, plainly and with what `fit` has for large networks: side by side in one run.

The network is `resnet` with 32 channels and one block a stage, on random images of 32 x 32. Processor seconds of one
thread, the median of rounds in which both take turns, so that a busy machine slows both alike.
"""

import time
from statistics import median

import torch

from utils import scale
from utils.adversarial import attacked
from utils.data import Dataset, Split
from utils.models import resnet
from utils.training import fit

ROUNDS, BATCH = 5, 128


def updates_of(data: Dataset, updates: int, **how) -> float:
    """Processor seconds of a training of so many updates."""
    torch.manual_seed(0)
    model, began = resnet(data, 32, (1, 1, 1, 1)), time.process_time()
    fit(model, data.train, updates=updates, batch_size=BATCH, **how)
    return time.process_time() - began


def main() -> None:
    torch.set_num_threads(1)
    x, y = torch.rand(4 * BATCH, 3, 32, 32), torch.randint(10, (4 * BATCH,))
    data = Dataset("random", Split(x, y), Split(x, y), tuple("0123456789"), 8 / 255)
    ours = scale.arguments(scale.RECIPES["ten_minutes"], data) | {"average": 0.0}
    ours.pop("batch_size")
    plans = {
        "plain": {"transform": attacked(data.eps, steps=1, reach=1.25, updates=1)},
        "float32": ours | {"precision": None, "channels_last": False},
        "all": ours,
    }
    found = {name: [] for name in plans}
    for _ in range(ROUNDS):
        for name, how in plans.items():
            found[name].append((updates_of(data, 3, **how) - updates_of(data, 1, **how)) / 2)
    seconds = {name: median(times) for name, times in found.items()}
    images = {name: BATCH / value for name, value in seconds.items()}
    print(f"fast adversarial training, {images['plain']:.0f} images a second with `attacked` in float32;")
    print(f"{images['float32']:.0f} with `quickly_attacked`, {seconds['float32'] / seconds['plain']:.2f} of the time;")
    kind = str(ours["precision"] or "float32, for this processor has no bfloat16").removeprefix("torch.")
    print(f"{images['all']:.0f} in channels-last and {kind} too, {seconds['all'] / seconds['plain']:.2f} of the time")


if __name__ == "__main__":
    main()
