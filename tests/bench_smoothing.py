"""What a certificate costs beside bare forward passes, and a decision beside a fixed n, on one core or the GPU.

python tests/bench_smoothing.py [digits|mnist]
Floor: the same passes in the pieces that suit the device, on noise drawn in place, their winners counted. Both sides
take turns, and the least time of each counts: other work on the machine can only add to it.
"""

import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from utils.data import load
from utils.models import small_cnn
from utils.smoothing import certify, decide, noisy
from utils.training import fit

ROUNDS = 9


def seconds(*works: Callable[[], object], cuda: bool) -> list[float]:
    """The least time of each piece of work, run in turns: processor time on a CPU, the clock's on a GPU."""
    clock, least = (time.perf_counter if cuda else time.process_time), [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for i, work in enumerate(works):
            start = clock()
            work()
            if cuda:
                torch.cuda.synchronize()
            least[i] = min(least[i], clock() - start)
    return least


@torch.no_grad()
def bare(model: nn.Module, image: Tensor, n: int, size: int, sigma: float | None) -> Tensor:
    """n passes of one image in pieces of `size`; with sigma, on noise drawn in place and with its winners counted."""
    batch = image.expand(size, *image.shape).contiguous()
    counts = torch.zeros(10, dtype=torch.int64, device=image.device)
    for start in range(0, n, size):
        rows = batch[: min(size, n - start)]
        if sigma is not None:
            rows.normal_(0, sigma).add_(image)
        winners = model(rows).argmax(1)
        if sigma is not None:
            counts.scatter_add_(0, winners, torch.ones_like(winners))
    return counts


def main(name: str) -> None:
    torch.set_num_threads(1)
    data, sigma, n0, n = load(name), 0.5 if name == "mnist" else 0.25, 100, 10_000
    torch.manual_seed(0)
    model = fit(small_cnn(data), data.train, transform=noisy(sigma)).requires_grad_(False)
    x, y = data.test.take(200)
    cuda = x.device.type == "cuda"
    size = max(2**22 // x[0].numel(), 1) if cuda else 250
    floor, passes, ours = seconds(
        lambda: bare(model, x[0], n0 + n, size, sigma),
        lambda: bare(model, x[0], n0 + n, size, None),
        lambda: certify(model, x[:1], sigma=sigma, n0=n0, n=n),
        cuda=cuda,
    )
    print(f"{data.name}, one image, n0 = {n0}, n = {n}, {'GPU' if cuda else 'one core'}")
    print(f"  forward passes alone  {passes:.3f} s")
    print(f"  floor, with noise     {floor:.3f} s")
    print(f"  certify               {ours:.3f} s   {ours / floor:.2f} of the floor")
    few, floor = seconds(
        lambda: certify(model, x[:40], sigma=sigma, n0=n0, n=250),
        lambda: [bare(model, image, n0 + 250, size, sigma) for image in x[:40]],
        cuda=cuda,
    )
    print(f"  40 images, n = 250    {few:.3f} s   {few / floor:.2f} of the floor")
    print(f"deciding a radius, 200 images, failure_prob 0.001, at most {n} copies, against n0 + n = {n0 + n}")
    fixed = certify(model, x, sigma=sigma, n0=n0, n=n)
    for share in (0.5, 1, 1.5, 2):
        made = decide(model, x, y, sigma=sigma, radius=share * sigma, n0=n0, n_max=n)
        yes, mean = (fixed.label == y) & (fixed.radius >= share * sigma), made.samples.double().mean().item()
        differ = int((yes != made.certified).sum())
        print(
            f"  radius {share * sigma:5.3f}: fixed n certifies {int(yes.sum())}, the bet {int(made.certified.sum())}, "
            f"{differ} differ; copies, mean {mean:.0f}, {(n0 + n) / mean:.1f} times fewer"
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "digits")
