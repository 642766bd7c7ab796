"""Inversion: images from gradients, and what a class looks like to a network. Built in lesson 08."""

from collections.abc import Callable, Mapping, Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from utils.layerwise import as_weight, outer_factors, patches
from utils.training.optimizers import Adam

Gradients = Mapping[str, Tensor]


def gradients(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """What M clients send: the gradient of each one's mean loss, {weight's name: (M, *its shape)}.

    x, y  M batches of B images and labels, (M, B, ...) and (M, B)
    """
    quick = by_layers(model, x, y)
    return by_clients(model, x, y) if quick is None else quick


def by_clients(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """`gradients` of any network, as lesson 08 builds them."""
    weights = {name: weight.detach() for name, weight in model.named_parameters()}

    def loss(weights, x, y):
        return F.cross_entropy(functional_call(model, weights, (x,)), y)

    return vmap(grad(loss), (None, 0, 0))(weights, x, y)


def by_layers(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor] | None:
    """`gradients` in less time, where each is a product of two factors (`utils.layerwise`); None for other networks.

    Here `vmap` makes M groups of each convolution.
    """
    (clients, size), sent = y.shape, {}
    again = x.requires_grad and torch.is_grad_enabled()  # whether somebody will ask for the gradient of these
    for name, layer, g, a in outer_factors(model, x.flatten(0, 1), y.flatten(), again=again):
        a = patches(layer, a).mT
        g, a = (t.unflatten(0, (clients, size)).transpose(1, 2).flatten(2) for t in (g / size, a))
        sent[f"{name}weight"] = as_weight(layer, g @ a.mT)
        if layer.bias is not None:
            sent[f"{name}bias"] = g.sum(2)
    return sent or None


def linear_input(weight: Tensor, bias: Tensor) -> Tensor:
    """The input of a linear layer, from the gradients of its weight (..., out, in) and bias (..., out): (..., in).

    Exact for one input: row i of the weight's gradient is the input times the bias's gradient i. Taken from the row
    that rounding hurts least. Of a batch it is a mixture. NaN where the whole gradient is 0. Phong et al. 2017.
    """
    row = bias.abs().argmax(-1, keepdim=True)
    ours = weight.gather(-2, row[..., None].expand(*row.shape, weight.shape[-1]))
    return (ours / bias.gather(-1, row)[..., None])[..., 0, :]


def cosine(a: Gradients, b: Gradients) -> Tensor:
    """The cosine of the angle between M pairs of gradients, (M,)."""

    def dot(a, b):
        return sum((a[name] * b[name]).flatten(1).sum(1) for name in a)

    return dot(a, b) / (dot(a, a) * dot(b, b)).clamp_min(1e-24).sqrt()


def roughness(x: Tensor) -> Tensor:
    """Total variation: how much neighbouring pixels differ on average, for images (..., C, H, W) a number each."""
    return sum(x.diff(dim=side).abs().mean((-3, -2, -1)) for side in (-1, -2))


def invert_gradient(
    model: nn.Module,
    observed: Gradients,
    y: Tensor,
    shape: Sequence[int],
    *,
    as_sent: Callable[[Gradients], Gradients] = dict,
    steps: int = 100,
    lr: float = 0.1,
    smooth: float = 3e-3,
    seed: int = 0,
) -> Tensor:
    """Images (M, B, *shape) whose gradients point where M observed ones point. Geiping et al. 2020 (arXiv:2003.14053).

    observed  {weight's name: (M, *its shape)}, as `gradients` returns them
    y         the labels (M, B), which the attacker is taken to know
    shape     of one image, (C, H, W)
    as_sent   what the sender did to its gradients, as a function that has a gradient: an adapted attack does it, too
    smooth    weight of the total variation, which prefers images to noise

    Signed Adam from random images, with a falling step. The model's weights and the caller's random state stay as they
    were; the M groups do not touch each other. Pixels stay in [0, 1].
    """
    start = torch.rand(*y.shape, *shape, generator=torch.Generator().manual_seed(seed))
    x = start.to(y.device).requires_grad_()
    optimizer = Adam([x], lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        angle = 1 - cosine(as_sent(gradients(model, x, y)), observed)
        loss = (angle + smooth * roughness(x).mean(1)).sum()
        x.grad = torch.autograd.grad(loss, x)[0].sign()
        optimizer.step()
        schedule.step()
        x.data.clamp_(0, 1)
    return x.detach()


def most_likely(model: nn.Module, observed: Gradients, x: Tensor, y: Tensor, chunk: int = 256) -> Tensor:
    """Which of N candidates (x, y) each of M observed gradients is most likely of: M indices of candidates.

    The one whose gradient points most nearly as the observed one does. Under normal noise that is the likeliest where
    all candidates' gradients have one length, as after clipping. No search: an attacker with a good list needs none,
    and stands much more noise. Reconstruction with a prior: Balle et al. 2022 (arXiv:2201.04845), Hayes et al. 2023
    (arXiv:2302.07225). Gradients are held `chunk` candidates at a time.
    """

    def angles(x, y):
        own = gradients(model, x[:, None], y[:, None])
        length = sum(g.flatten(1).square().sum(1) for g in own.values()).sqrt().clamp_min(1e-12)
        return sum(observed[name].flatten(1) @ g.flatten(1).T for name, g in own.items()) / length

    parts = zip(x.split(chunk), y.split(chunk), strict=True)
    return torch.cat([angles(*part) for part in parts], 1).argmax(1)


def match(x: Tensor, found: Tensor) -> Tensor:
    """`found` (M, B, ...) with each group in the order that fits x best: a gradient does not tell the order."""
    error = (x[:, :, None] - found[:, None]).flatten(3).square().mean(3)  # (M, B, B)
    order = [linear_sum_assignment(group)[1].tolist() for group in error.cpu().numpy()]
    return torch.stack([group[i] for group, i in zip(found, order, strict=True)])


def psnr(x: Tensor, found: Tensor, dims: int = 3) -> Tensor:
    """Peak signal-to-noise ratio of each image (its last `dims` dimensions) in dB: 10 log10(1 / mean square error).

    20 dB: pixels are off by 0.1; 40 dB: by 0.01. Infinite where the two are equal.
    """
    return -10 * (x - found).square().flatten(-dims).mean(-1).log10()


# What a class looks like.


def exact_gradient(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of a loss (one number for each image) at images x, backwards through the model: white box."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(loss(x).sum(), x)[0]


def estimated_gradient(loss: Callable[[Tensor], Tensor], x: Tensor, *, pairs: int = 25, sigma: float = 0.1) -> Tensor:
    """An estimate of the same gradient from 2 * pairs answers an image, at random points around it; no gradients.

    Ilyas et al. 2018 (arXiv:1804.08598): steps in opposite directions, weighed by how the loss differs between them.
    """
    gradient = torch.zeros_like(x)
    for _ in range(pairs):
        u = torch.randn_like(x)
        rise = loss(x + sigma * u) - loss(x - sigma * u)
        gradient += rise.view(*rise.shape, *[1] * (x.dim() - rise.dim())) * u
    return gradient / (2 * sigma * pairs)


def portraits(
    model: nn.Module,
    y: Tensor,
    shape: Sequence[int],
    *,
    gradient: Callable = exact_gradient,
    steps: int = 60,
    smooth: float = 1.0,
) -> Tensor:
    """An image for each class in y, on which the model's confidence is as high as can be. Fredrikson et al. 2015.

    model     images (..., C, H, W) to logits (..., classes): a model, or `Networks`, for which y is (K, N)
    y         the classes
    gradient  gradient(loss, x): `exact_gradient` with the weights, `estimated_gradient` with confidences only
    smooth    weight of the total variation

    Adam from a black image, pixels kept in [0, 1]. It finds what the class looks like to the model, on the whole.
    """

    def loss(x):
        loss_of_class = F.cross_entropy(model(x).flatten(0, -2), y.flatten(), reduction="none").view(y.shape)
        return loss_of_class + smooth * roughness(x)

    x = torch.zeros(*y.shape, *shape, device=y.device, requires_grad=True)
    optimizer = Adam([x], lr=0.05)
    for _ in range(steps):
        x.grad = gradient(loss, x.detach())
        optimizer.step()
        x.data.clamp_(0, 1)
    return x.detach()
