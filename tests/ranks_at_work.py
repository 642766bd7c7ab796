"""What `torchrun` starts in tests/test_scale.py, `FOLDER WHAT`: a run of the course's own, `go`.

In `all`, two ranks first write what they train and count; in `die`, rank 1 dies on the way.
"""

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file

from utils import scale
from utils.adversarial import quickly_attacked
from utils.data import load
from utils.models import small_cnn
from utils.training import crop_and_flip, fit
from utils.training.ranks import my_rows, rank


def trained() -> dict[str, torch.Tensor]:
    """Weights in float64 of a training with all that draws random numbers, but for BatchNorm."""
    data = load("digits")
    torch.manual_seed(5)
    model = fit(
        small_cnn(data).double(),
        (data.train.x.double(), data.train.y),
        updates=20,
        batch_size=66,
        lr=0.05,
        transform=quickly_attacked(0.1),
        augment=partial(crop_and_flip, pad=1),
        optimizer=partial(torch.optim.SGD, momentum=0.9, nesterov=True, weight_decay=5e-4),
        average=0.9,
    )
    return model.state_dict()


def counted() -> dict[str, list[int]]:
    """The images of this rank, and a rate over all ranks."""
    data = load("digits")
    torch.manual_seed(0)
    rate = scale.left(small_cnn(data), data.test, scale.as_they_are, eps=0.1)
    few = scale.left(small_cnn(data), data.test.take(1), scale.as_they_are, eps=0.1)
    return {"mine": my_rows(torch.arange(397)).tolist(), "rate": [rate.k, rate.n], "one": [few.k, few.n]}


def trains_and_counts_before(folder: Path) -> None:
    """In the connection of the run: to start two processes for it costs more than all that they do here."""
    whole = scale.run

    def run(*given, **how):
        save_file(trained(), folder / f"{rank()}.safetensors")
        (folder / f"{rank()}.json").write_text(json.dumps(counted()))
        return whole(*given, **how)

    scale.run = run


def dies_in_the_third_epoch() -> None:
    """Rank 1 is killed in the middle of it, as for want of memory; `torchrun` ends rank 0 while it tells."""
    whole, read = scale.quickly_attacked, scale.read_epochs

    def counting(*given, **how):
        transform, calls = whole(*given, **how), []

        def dying(*batch):
            calls.append(0)
            if len(calls) == 100 and rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return transform(*batch)

        return dying

    def slowly(folder):
        if sys.exc_info()[0]:  # it is telling why it stopped
            time.sleep(0.5)
        return read(folder)

    scale.quickly_attacked, scale.read_epochs = counting, slowly


if __name__ == "__main__":
    folder, what = Path(sys.argv[1]), sys.argv[2]
    if what == "all":
        trains_and_counts_before(folder)
    if what == "die":
        dies_in_the_third_epoch()
    scale.main(["taste", "--dataset", "digits", "--folder", str(folder), "-n", "20"])
