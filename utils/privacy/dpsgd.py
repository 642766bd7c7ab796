"""DP-SGD: gradients example by example, clipped, summed and noised. Built in lesson 09.

Abadi et al. 2016 (arXiv:1607.00133). Any model is asked about one example at a time: whatever it does inside, what is
clipped is the gradient of one example's own loss. Where a model is a plain chain of layers that treat each row on its
own, "book-keeping" (Bu et al. 2023, arXiv:2210.00038) is quicker: one backward pass to the outputs of the layers; then
each layer's inputs and output gradients give the lengths of its per-example gradients, and, weighted, their sum.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from utils.arguments import number_in, whole
from utils.asking import logits_in
from utils.guard import check_counted_from_0, check_one_label_each, labels_noted, own_numbers, pair_of
from utils.layerwise import as_weight, outer_factors, patches
from utils.progress import progress
from utils.training.optimizers import SGD

IN_CACHE = 2**18  # numbers of patches that are made at a time
AT_ONCE = 2**26  # numbers of per-example gradients that are in memory at a time
NOT_FINITE = "an example whose gradient is not finite counts as 0: look for NaN, infinity or huge numbers in x"


def per_example_gradients(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The gradient of each example's own loss: for each parameter a tensor (N, *its shape)."""

    def loss(weights, x, y):
        return F.cross_entropy(logits_in(functional_call(model, weights, (x[None],)), x[None]), y[None])

    weights = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    with left_as_it_was(model):
        return vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")(weights, x, y)


def factor(lengths: Tensor, clip: float) -> Tensor:
    """By what each gradient is multiplied, so that none is longer than `clip`."""
    return (clip / lengths.clamp_min(1e-12)).clamp(max=1)


def clipped_sum(model: nn.Module, x: Tensor, y: Tensor, clip: float) -> tuple[dict[str, Tensor], Tensor]:
    """The sum of the clipped gradients of all examples, by parameter, and the lengths before clipping, (N,).

    One example more or less moves the sum by at most `clip` in L2, up to rounding. An example whose gradient is not
    finite, as that of NaN or of 1e20 may be, counts as 0, with a warning.

    Quick for an `nn.Sequential` of `Linear`, `Conv2d` and layers without parameters. Any other model is asked about
    each example alone, by `vmap`; and where that cannot (an LSTM, a gradient of one's own, a second way to a weight),
    one after another, which is right as well, and slower by about the number of examples.

    Raises ValueError for a model that mixes the examples of a batch, or remembers them: it leaves no example a gradient
    of its own. BatchNorm does; others are found by changing some examples and looking at the rest. And for an Embedding
    with sparse gradients.
    """
    clip = number_in("clip", clip, "(0, inf)")
    check_one_label_each(x, y)
    y, learning = y.long(), learning_of(model)
    if mixing := [type(m).__name__ for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]:
        raise ValueError(f"{mixing[0]} mixes examples, and no clipping bounds what one of them does: use GroupNorm")
    if any(getattr(m, "sparse", False) for m in model.modules() if isinstance(m, (nn.Embedding, nn.EmbeddingBag))):
        raise ValueError("sparse gradients cannot be clipped here: make the model's Embedding with sparse=False")
    if not len(x):
        return {name: torch.zeros_like(p) for name, p in learning.items()}, x.new_zeros(0)
    if len(learning) == len(list(model.parameters())) and (seen := outer_factors(model, quick(x), y)):
        return book_keeping(seen, clip)
    check_apart(model, x)
    return one_at_a_time(model, learning, x, y, clip)


def learning_of(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that require a gradient, by name. ValueError if there is none."""
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not learning:
        raise ValueError("model must have a parameter that requires a gradient, or there is nothing to train")
    return learning


# Any model.


def check_apart(model: nn.Module, x: Tensor) -> None:
    """Raise ValueError if what the model says of an example, or remembers, depends on other examples.

    Some of a few examples are changed, into others and into NaN, which no sum, mean or maximum hides. The rest must be
    answered as before, and so must whoever comes next; each example is once among the changed while any other is not.
    """
    x = (x if len(x) > 1 else torch.cat([x, x]))[:8]
    others = [x.roll(1, 0)]
    if x.is_floating_point():
        x = x.nan_to_num(0, 0, 0)
        others = [1 - x.roll(1, 0), torch.full_like(x, math.nan)]

    def asked(*batches):
        """The answers to the last of some batches, and the buffers then."""
        with left_as_it_was(model), own_numbers([*model.modules()], 0, x.device), torch.no_grad():
            said = [logits_in(model(batch.clone()), batch) for batch in batches][-1]
            return said, [buffer.clone() for buffer in model.buffers()]

    def depends(kept, before, *batches):
        try:
            said, buffers = asked(*batches)
        except Exception:  # it will not have such inputs, so it learns nothing from them
            return False
        return not (alike(said[kept], before[0][kept]) and all(map(alike, buffers, before[1])))

    once, twice, place = asked(x), asked(x, x), torch.arange(len(x), device=x.device)
    for other in others:
        found = depends(place >= 0, twice, other, x)
        for bit in range((len(x) - 1).bit_length()):
            for kept in (place >> bit & 1 == 0, place >> bit & 1 == 1):
                found = found or depends(kept, once, x.where(kept.view(-1, *[1] * (x.dim() - 1)), other))
        if found:
            raise ValueError(
                f"{type(model).__name__} mixes examples or remembers them, and no clipping bounds what one of them "
                "does: take out what goes along the first dimension, and what a pass leaves behind"
            )


def alike(a: Tensor, b: Tensor) -> bool:
    """Equal up to rounding, NaN at the same places."""
    return a.shape == b.shape and torch.allclose(a.float(), b.float(), rtol=1e-4, atol=1e-6, equal_nan=True)


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Afterwards the model's attributes, parameters and buffers are what they were.

    Parameters too: `functional_call` leaves its own in a module that has two names.
    """
    held = [(m, dict(vars(m)), dict(m._parameters), dict(m._buffers)) for m in model.modules()]
    values = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for m, attributes, parameters, buffers in held:
            for name in vars(m).keys() - attributes.keys():
                del vars(m)[name]
            vars(m).update(attributes)
            for now, kept in ((m._parameters, parameters), (m._buffers, buffers)):
                for name, value in kept.items():
                    now[name] = value  # `update` is not known to a compiled model's
        with torch.no_grad():
            for buffer, value in values:
                buffer.copy_(value)


def one_at_a_time(
    model: nn.Module, learning: dict[str, Tensor], x: Tensor, y: Tensor, clip: float
) -> tuple[dict[str, Tensor], Tensor]:
    """`clipped_sum` by its definition, in pieces that fit into memory."""
    total, lengths = {name: torch.zeros_like(p) for name, p in learning.items()}, []
    size = max(AT_ONCE // sum(p.numel() for p in learning.values()), 1)
    for piece in zip(x.split(size), y.split(size), strict=True):
        each = by_vmap(model, *piece) or by_loop(model, learning, *piece)
        wide = {name: g.reshape(len(g), -1).to(torch.promote_types(g.dtype, torch.float32)) for name, g in each.items()}
        length = sum(g.square().sum(1) for g in wide.values()).sqrt()
        finite = all_finite(length)
        weight = factor(length, clip).where(finite, 0)
        for name, g in wide.items():
            total[name] += (weight @ g.where(finite[:, None], 0)).view_as(total[name])
        lengths.append(length)
    with torch.no_grad():  # what each pass changes, as the vectors of a spectral norm: alike whatever the data
        model(torch.zeros_like(x[:1]))
    return total, torch.cat(lengths)


def all_finite(lengths: Tensor) -> Tensor:
    """Which lengths are finite, (N,) bool, with a warning if some are not."""
    finite = lengths.isfinite()
    if not finite.all():
        warnings.warn(NOT_FINITE, stacklevel=4)
    return finite


def by_vmap(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor] | None:
    """`per_example_gradients`; None where these cannot be had so."""
    try:
        with left_as_it_was(model), torch.enable_grad():
            fixed = {name: p.detach() for name, p in model.named_parameters()}
            if functional_call(model, fixed, (x[:1].clone(),)).requires_grad:
                return None  # it has another way to its weights, past those that vmap puts in their place
        return per_example_gradients(model, x, y)
    except Exception:  # what vmap cannot do has many names; if the model is at fault, the loop will say so
        return None


def by_loop(model: nn.Module, learning: dict[str, Tensor], x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """`per_example_gradients`, one pass for each example."""
    found = []
    for image, label in zip(x.split(1), y.split(1), strict=True):
        with left_as_it_was(model), torch.enable_grad():
            answer = logits_in(model(image.clone()), image)
            with labels_noted(y):
                loss = F.cross_entropy(answer, label)
            found.append(torch.autograd.grad(loss, list(learning.values()), materialize_grads=True))
    return dict(zip(learning, map(torch.stack, zip(*found, strict=True)), strict=True))


# Book-keeping.


def quick(x: Tensor) -> Tensor:
    """Images in the layout in which a processor convolves them sooner, and their patches are copied sooner."""
    return x.clone(memory_format=torch.channels_last) if x.dim() == 4 and x.device.type == "cpu" else x


def book_keeping(seen: list, clip: float) -> tuple[dict[str, Tensor], Tensor]:
    """`clipped_sum` from the factors: lengths by the cheaper of two ways, then one weighted sum a layer."""
    squares, parts, biases = 0, {}, {}  # parts: a layer's patches, or the gradients of its weights, (N, in * out)
    for name, m, g, a in seen:
        (_, out, places), inputs = g.shape, m.weight[0].numel()
        if places**2 * (out + inputs) < 16 * out * inputs:  # few places: from their products, without the gradient
            parts[name] = patches(m, a)
            squares = squares + products(g, parts[name])
        else:
            parts[name] = g.new_empty(len(g), inputs * out)
            few, own = max(IN_CACHE // (places * inputs), 1), []
            for into, *factors in zip(parts[name].split(few), g.split(few), a.split(few), strict=True):
                torch.bmm(patches(m, factors[1]).mT, factors[0].mT, out=into.view(-1, inputs, out))
                own.append(squared(into))
            squares = squares + torch.cat(own)
        if m.bias is not None:
            biases[name] = g.sum(2)
            squares = squares + squared(biases[name])
    lengths = squares.sqrt()
    finite = all_finite(lengths)
    weight, total = factor(lengths, clip).where(finite, 0), {}
    for name, m, g, _ in seen:
        part, bias = parts[name], biases.get(name, g)
        if not finite.all():  # without them, for 0 times NaN is NaN
            g, part, bias = (t.where(finite.view(-1, *[1] * (t.dim() - 1)), 0) for t in (g, part, bias))
        if part.dim() == 2:
            w = (weight @ part).view(-1, len(m.weight)).T
        else:  # over examples and places
            w = torch.tensordot(weight[:, None, None] * g, part, ([0, 2], [0, 1]))
        total[f"{name}weight"] = as_weight(m, w)
        if m.bias is not None:
            total[f"{name}bias"] = weight @ bias
    return total, lengths


def products(g: Tensor, a: Tensor) -> Tensor:
    """The squared lengths of the gradients g @ a, (N,), from the products of their places with each other."""
    if g.shape[2] == 1:
        return squared(g[:, :, 0]) * squared(a[:, 0])
    outer, inner = g.mT @ g, a @ a.mT  # (N, L, L)
    squares = (outer * inner).sum((1, 2))
    most = (outer.diagonal(0, 1, 2) * inner.diagonal(0, 1, 2)).sqrt().sum(1).square()
    unsure = squares < 1e-3 * most  # where the places cancel each other, what is left is rounding
    if unsure.any():  # there by the gradient itself
        squares[unsure] = squared((g[unsure] @ a[unsure]).flatten(1))
    return squares


def squared(vectors: Tensor) -> Tensor:
    """The squared lengths of N vectors, (N,)."""
    return torch.linalg.vector_norm(vectors, dim=1).square()


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

    Draws and weights follow torch's global seed: call `torch.manual_seed` first. Raises ValueError that names the
    argument at fault, and for models that mix examples (`clipped_sum`, which also says which models are quick).
    """
    x, y = pair_of(train)
    check_one_label_each(x, y)
    check_counted_from_0(y)
    if not len(x):
        raise ValueError("train must hold an example at least")
    clip = number_in("clip", clip, "(0, inf)")
    noise_multiplier = number_in("noise_multiplier", noise_multiplier, "[0, inf)")
    rate = number_in("rate", rate, "(0, 1]", hint="it is a probability; a batch size? divide it by N")
    updates = whole("updates", updates, 0)
    lr, momentum = number_in("lr", lr, "[0, inf)"), number_in("momentum", momentum, "[0, inf)")
    optimizer = SGD(learning_of(model).values(), lr=lr, momentum=momentum)
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
    model.eval()  # which in a user's own class may return nothing
    return model
