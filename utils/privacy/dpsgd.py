"""DP-SGD: gradients example by example, clipped, summed and noised. Built in lesson 09.

Abadi et al. 2016 (arXiv:1607.00133). The quick way to the clipped sum is "book-keeping" (Bu et al. 2023,
arXiv:2210.00038): one backward pass to the outputs of the layers; then each layer's inputs and output gradients give
the lengths of its per-example gradients, and, weighted, their sum.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from utils.progress import progress


def per_example_gradients(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The gradient of each example's own loss: for each parameter a tensor (N, *its shape)."""

    def loss(weights, x, y):
        return F.cross_entropy(functional_call(model, weights, (x[None],)), y[None])

    weights = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    return vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")(weights, x, y)


def factor(lengths: Tensor, clip: float) -> Tensor:
    """By what each gradient is multiplied, so that none is longer than `clip`."""
    return (clip / lengths.clamp_min(1e-12)).clamp(max=1)


def clipped_sum(model: nn.Module, x: Tensor, y: Tensor, clip: float) -> tuple[dict[str, Tensor], Tensor]:
    """The sum of the clipped gradients of all examples, by parameter, and the lengths before clipping, (N,).

    Quick where every parameter belongs to a plain `Linear` or `Conv2d` that is called once; by `vmap` elsewhere.
    Raises ValueError for a layer that mixes the examples of a batch: it leaves no example a gradient of its own.
    """
    if mixing := [type(m).__name__ for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]:
        raise ValueError(f"{mixing[0]} mixes examples, and no clipping bounds what one of them does: use GroupNorm")
    if not len(x):
        return {name: torch.zeros_like(p) for name, p in model.named_parameters() if p.requires_grad}, x.new_zeros(0)
    if (layers := plain_layers(model)) and (seen := outer_factors(model, layers, x, y)):
        return book_keeping(seen, clip)
    grads = per_example_gradients(model, x, y)
    lengths = sum(g.flatten(1).square().sum(1) for g in grads.values()).sqrt()
    weight = factor(lengths, clip)
    return {name: torch.tensordot(weight, g, 1) for name, g in grads.items()}, lengths


# Book-keeping.


def plain_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The Linear and Conv2d layers by name; none if they do not hold all parameters, or not in the plain way."""
    layers = {name: m for name, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    held = [p for m in layers.values() for p in m.parameters()]
    once = {id(p) for p in held} == {id(p) for p in model.parameters()} and len(held) == len(list(model.parameters()))
    convolutions = [m for m in layers.values() if isinstance(m, nn.Conv2d)]
    plain = all(m.groups == 1 and m.padding_mode == "zeros" and m.padding != "same" for m in convolutions)
    return layers if once and plain and all(p.requires_grad for p in held) else {}


def outer_factors(model: nn.Module, layers: dict[str, nn.Module], x: Tensor, y: Tensor) -> list:
    """For each layer: name, module, the loss's gradients by its outputs (N, out, L), and its inputs (N, L, in).

    One example's gradient of the weights is their product. A convolution is a linear layer on L patches.
    """
    seen = []
    hooks = [
        layer.register_forward_hook(partial(lambda name, m, args, out: seen.append((name, m, args[0], out)), name))
        for name, layer in layers.items()
    ]
    try:
        loss = F.cross_entropy(model(x), y, reduction="sum")
    finally:
        for hook in hooks:
            hook.remove()
    if sorted(name for name, *_ in seen) != sorted(layers) or any(out.dim() not in (2, 4) for *_, out in seen):
        return []  # a layer that is called twice or never, or on sequences
    gradients = torch.autograd.grad(loss, [out for *_, out in seen])
    return [
        (name, m, g.flatten(2) if g.dim() == 4 else g[:, :, None], patches(m, a.detach()))
        for (name, m, a, _), g in zip(seen, gradients, strict=True)
    ]


def patches(layer: nn.Module, x: Tensor) -> Tensor:
    """What each output place of a layer sees, (N, L, in), in the order row, column, channel: `F.unfold`, but quick."""
    if isinstance(layer, nn.Linear):
        return x[:, None]
    up, left = (0, 0) if layer.padding == "valid" else layer.padding
    x = F.pad(x, (left, left, up, up)).movedim(1, -1).contiguous()  # (N, H, W, C)
    n, *sides, c = x.shape
    step, reach = layer.stride, [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    rows, columns = ((side - r - 1) // s + 1 for side, r, s in zip(sides, reach, step, strict=True))
    image, row, column, _ = x.stride()
    moves = (step[0] * row, step[1] * column, layer.dilation[0] * row, layer.dilation[1] * column)
    return x.as_strided((n, rows, columns, *layer.kernel_size, c), (image, *moves, 1)).reshape(n, rows * columns, -1)


def book_keeping(seen: list, clip: float) -> tuple[dict[str, Tensor], Tensor]:
    """`clipped_sum` from the factors: lengths by the cheaper of two ways, then one weighted sum a layer."""
    squares, whole = 0, {}
    for name, m, g, a in seen:
        if 2 * a.shape[1] ** 2 < g.shape[1] * a.shape[2]:  # few places: from their products, without the gradient
            squares = squares + ((g.mT @ g) * (a @ a.mT)).sum((1, 2))
        else:
            whole[name] = (g @ a).flatten(1)
            squares = squares + whole[name].square().sum(1)
        if m.bias is not None:
            squares = squares + g.sum(2).square().sum(1)
    lengths = squares.sqrt()
    weight, total = factor(lengths, clip), {}
    for name, m, g, a in seen:
        sum_over = ([0, 2], [0, 1])  # examples and places
        w = weight @ whole[name] if name in whole else torch.tensordot(weight[:, None, None] * g, a, sum_over)
        if isinstance(m, nn.Conv2d):
            w = w.view(m.out_channels, *m.kernel_size, m.in_channels).movedim(-1, 1)
        total[f"{name}.weight"] = w
        if m.bias is not None:
            total[f"{name}.bias"] = weight @ g.sum(2)
    return total, lengths


# Training.


def dp_sgd(
    model: nn.Module,
    train: tuple[Tensor, Tensor],
    *,
    clip: float = 1.0,
    noise_multiplier: float = 1.0,
    rate: float = 0.1,
    updates: int = 300,
    lr: float = 0.5,
    momentum: float = 0.0,
) -> nn.Module:
    """Train `model` in place with differential privacy, and return it in evaluation mode.

    Abadi et al. 2016. Its privacy is `privacy_eps(noise_multiplier, rate, updates, privacy_delta)`, for all of the
    weights on the way as well, provided that nothing else of the model comes from the data (a normalisation does).

    train             (x, y): inputs (N, ...) in [0, 1] and labels (N,), on the model's device
    clip              the length in L2 that no example's gradient exceeds
    noise_multiplier  standard deviation of the noise on the sum, in units of `clip`
    rate              the probability with which each example is in a batch, independently
    updates           weight updates of stochastic gradient descent, with learning rate `lr` and `momentum`

    Draws and weights follow torch's global seed: call `torch.manual_seed` first.
    """
    x, y = train
    if not 0 < clip < math.inf:
        raise ValueError(f"clip must be a number > 0, got {clip!r}")
    if not 0 <= noise_multiplier < math.inf:
        raise ValueError(f"noise_multiplier must be a number >= 0, got {noise_multiplier!r}")
    if not 0 < rate <= 1:
        raise ValueError(f"rate must lie in (0, 1], it is a probability: got {rate!r} (a batch size? divide it by N)")
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr, momentum=momentum)
    model.train()
    for _ in progress(range(updates), desc="private training"):
        batch = (torch.rand(len(x)) < rate).nonzero()[:, 0].to(x.device)
        total, _ = clipped_sum(model, x[batch], y[batch], clip)
        for name, p in model.named_parameters():
            if p.requires_grad:
                noise = noise_multiplier * clip * torch.randn_like(p)
                p.grad = (total[name] + noise) / (rate * len(x))  # the expected size: the drawn one is private
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return model.eval()
