"""What the gradient with respect to the images costs in a first layer, as torch has it and as a lent model has it.

`PYTHONPATH=. python tests/bench_convolution.py`, on one core; both take turns, and the least time of each counts.
"""

import time

import torch
from torch import nn

from utils.convolution import quick_gradients

ROUNDS, CALLS = 9, 20
LAYERS = {  # name: (images, the layer's arguments)
    "digits, small_cnn": ((200, 1, 8, 8), (1, 16, 3, 2, 1)),
    "MNIST, small_cnn": ((128, 1, 28, 28), (1, 16, 3, 2, 1)),
    "MNIST, 5 × 5": ((64, 1, 28, 28), (1, 20, 5)),
    "CIFAR-10, small_cnn": ((64, 3, 32, 32), (3, 16, 3, 2, 1)),
    "CIFAR-10, 64 filters": ((32, 3, 32, 32), (3, 64, 3, 1, 1)),
}


def seconds(layer: nn.Module, x: torch.Tensor, above: torch.Tensor) -> float:
    """Processor seconds of `CALLS` gradients, without the passes forward."""
    out = layer(x)
    start = time.process_time()
    for _ in range(CALLS):
        torch.autograd.grad(out, x, above, retain_graph=True)
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for name, (shape, arguments) in LAYERS.items():
        layer, x = nn.Conv2d(*arguments).requires_grad_(False), torch.rand(shape).requires_grad_()
        above, usual, quick = torch.randn_like(layer(x)), [], []
        for _ in range(ROUNDS):
            usual.append(seconds(layer, x, above))
            with quick_gradients([layer]):
                quick.append(seconds(layer, x, above))
        ratio = min(usual) / min(quick)
        print(f"{name}: {1000 * min(usual) / CALLS:.2f} ms by torch, {ratio:.1f} times the lent layer's")


if __name__ == "__main__":
    main()
