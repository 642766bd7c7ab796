"""A first layer whose gradient with respect to the images takes a fraction of the usual time on a CPU.

Each step of an attack needs that gradient, and training never does. For a layer of one to four channels oneDNN takes
for it as long as for sixteen: measured on one core, 2 to 5 times as long as one product and a fold
(`PYTHONPATH=. python tests/bench_convolution.py`). So the guard lends a model with such a layer in that one's place.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEW = 4  # channels: with more, oneDNN is faster


class FewChannels(nn.Conv2d):
    """A Conv2d of few channels as it is while lent: the same answers, and the gradient of its input up to rounding."""

    def forward(self, x: Tensor) -> Tensor:
        fit = x.dim() == 4 and x.is_contiguous() and x.device.type == "cpu" and x.dtype == self.weight.dtype
        if not fit or self.weight.requires_grad or not x.requires_grad or torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        return Convolved.apply(x, self.weight, self.bias, self.stride, self.padding, self.dilation)


class Convolved(torch.autograd.Function):
    """`F.conv2d` with fixed weights, (N, C, H, W) -> (N, filters, rows, columns)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, weight, bias, stride, padding, dilation):
        return F.conv2d(x, weight, bias, stride, padding, dilation)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, _, ctx.stride, ctx.padding, ctx.dilation = inputs
        ctx.shape = x.shape[2:]
        ctx.save_for_backward(weight)

    @staticmethod
    def backward(ctx, gradient):
        (weight,) = ctx.saved_tensors
        patches = weight.flatten(1).T @ gradient.flatten(2)  # (N, C * kernel, places)
        x = F.fold(patches, ctx.shape, weight.shape[2:], ctx.dilation, ctx.padding, ctx.stride)
        return x, None, None, None, None, None


@contextmanager
def quick_gradients(modules: list[nn.Module]) -> Iterator[None]:
    """Inside, the modules that are plain convolutions of few channels are `FewChannels`; afterwards what they were."""
    compiled = any("_orig_mod" in module._modules for module in modules)  # would be compiled anew for the other class
    few = [] if compiled else [m for m in modules if type(m) is nn.Conv2d and m.in_channels <= FEW and m.groups == 1]
    few = [m for m in few if m.padding_mode == "zeros" and not isinstance(m.padding, str)]
    for layer in few:
        layer.__class__ = FewChannels
    try:
        yield
    finally:
        for layer in few:
            layer.__class__ = nn.Conv2d
