"""Proofs by bounds: intervals (IBP), lines (CROWN) and Lipschitz constants. Built in lesson 07b.

A proof is about the model as it runs, in float32. Bounds are computed in float64, and what rounding can do to the
model's own sums, in whatever order it adds them, is taken off (Higham 2002, section 3.1): a margin that is not above
it proves nothing. That covers sums of products, also fused ones, in float32. It does not cover a GPU's TF32, which
torch allows in convolutions unless `torch.backends.cudnn.allow_tf32` is False, nor fast convolutions (Winograd, FFT).
"""

import math
from collections.abc import Callable
from copy import deepcopy
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.arguments import number_in
from utils.attacks.parts import check_labels
from utils.data import Dataset
from utils.guard import check_input
from utils.models import Normalize

UNIT = 2.0**-24  # the relative error of one operation in float32
TINY = 2.0**-126  # the smallest normal float32: what may be lost where numbers underflow
CELLS = 2**20  # numbers in the largest table that `line_bounds` makes at a time: what a core keeps near is the fastest


# Training.


def interval(layer: nn.Module, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Where a layer's answers lie, for inputs between `low` and `high`, (N, ...) each. Gowal et al. 2018, eq. 6.

    For training: `layer` is not looked at, and `proved` is what proves. The bounds are true of a linear layer, of a
    convolution that pads by zeros and has neither dilation nor groups, and of what only rises: ReLU, reshaping, a
    normalisation by deviations above 0; not of GELU, say.
    """
    if not isinstance(layer, (nn.Linear, nn.Conv2d)):
        return layer(low), layer(high)  # it only rises: ReLU, normalisation, reshaping
    middle, radius = layer((low + high) / 2), (high - low) / 2
    size = layer.weight.abs()
    if isinstance(layer, nn.Linear):
        radius = F.linear(radius, size)
    else:
        radius = F.conv2d(radius, size, None, layer.stride, layer.padding)
    return middle - radius, middle + radius


def worst_lead(model: nn.Sequential, x: Tensor, y: Tensor, eps: float) -> Tensor:
    """By how much each logit may lead that of the label at most, anywhere within eps in L-infinity, (N, classes).

    The last layer is linear: the difference of two logits has bounds of its own, tighter than the two apart. It has a
    bias, and the layers before it are such as `interval` bounds.
    """
    low, high = (x - eps).clamp(0, 1), (x + eps).clamp(0, 1)
    for layer in model[:-1]:
        low, high = interval(layer, low, high)
    weight, bias = model[-1].weight, model[-1].bias
    lead = weight - weight[y][:, None]  # (N, classes, features): of each class before the label
    middle, radius = (low + high)[:, :, None] / 2, (high - low)[:, :, None] / 2
    return (lead @ middle + lead.abs() @ radius)[:, :, 0] + bias - bias[y][:, None]


def interval_training(eps: float, updates: int, share: float = 0.8) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """A loss for `fit` that learns what intervals can prove. Gowal et al. 2018 (arXiv:1810.12715).

    eps      in L-infinity; it grows to this over the first half of training, as does the share
    updates  as handed to `fit`
    share    of the cross-entropy of the worst leads; the rest is that of the answers

    The loss counts its calls: make one for each training. The model must be as `worst_lead` takes it.
    """
    calls = count(1)

    def loss(model, x, y):
        now = min(2 * next(calls) / updates, 1)
        worst = F.cross_entropy(worst_lead(model, x, y, now * eps), y)
        return (1 - now * share) * F.cross_entropy(model(x), y) + now * share * worst

    return loss


# A model as the steps of its computation.


class Affine(NamedTuple):
    """One layer as x -> weight @ x + bias, in float64; `terms` is the largest number of its products in one sum."""

    weight: Tensor
    bias: Tensor
    terms: int


class MaxMin(nn.Module):
    """The larger and the smaller of each two neighbours: it keeps lengths. Anil et al. 2019 (arXiv:1811.05381).

    Neighbours are features, or channels: (N, C, ...) to the same shape, ValueError for an odd C. Proofs take (N, C).
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] % 2:
            raise ValueError(f"MaxMin takes its neighbours in pairs: their number must be even, got {x.shape[1]}")
        a, b = x[:, ::2], x[:, 1::2]
        return torch.cat([torch.maximum(a, b), torch.minimum(a, b)], 1)


Steps = list[Affine | nn.Module]
WHERE = "proofs need a Sequential of linear, convolution, normalisation, flatten, ReLU and MaxMin layers in float32"


KNOWN = (nn.Linear, nn.Conv2d, Normalize, nn.Flatten, nn.ReLU, MaxMin, nn.Identity)


def layers_of(model: nn.Module) -> list[nn.Module]:
    """The layers in the order in which they run, one that runs twice twice. A subclass may run its own otherwise."""
    return [layer for part in model for layer in layers_of(part)] if type(model) is nn.Sequential else [model]


def as_its_class(layer: nn.Module) -> bool:
    """Whether it does what the layer does that it is called by: no forward of its own, and no hook."""
    known = next((kind for kind in (*KNOWN, nn.Sequential) if isinstance(layer, kind)), None)
    own = "forward" in vars(layer) or layer._forward_hooks or layer._forward_pre_hooks
    return known is not None and type(layer).forward is known.forward and not own


def as_it_runs(layer: nn.Module) -> nn.Module:
    """A copy with the weights as float32 has them, also those that a parametrization such as weight norm makes.

    In evaluation mode, in which the model answers: in training mode reading a spectral norm changes it.
    """
    copy = deepcopy(layer).eval()
    if made := {name: getattr(copy, name).detach().clone() for name in getattr(copy, "parametrizations", ())}:
        copy.__class__ = type(copy).__mro__[1]  # `remove_parametrizations` would take the weights of the original, too
        del copy.parametrizations
        for name, value in made.items():
            setattr(copy, name, nn.Parameter(value))
    return copy


def steps_of(model: nn.Module, x: Tensor) -> Steps:
    """The model as affine maps of flat rows, and ReLU or MaxMin between them. TypeError for what else it may hold,
    ValueError for answers that are no logits, weights that are no numbers, or a MaxMin of what is not flat.
    """
    shape, steps, layers = x.shape[1:], [], layers_of(model)
    if any(p.dtype != torch.float32 for p in model.parameters()) or not all(isinstance(m, KNOWN) for m in layers):
        raise TypeError(f"{WHERE}, got {type(model).__name__}: {', '.join(type(m).__name__ for m in layers)}")
    if other := [
        m for m in (*model.modules(), *layers) if isinstance(m, (*KNOWN, nn.Sequential)) and not as_its_class(m)
    ]:
        name = type(other[0]).__name__
        raise TypeError(
            f"{WHERE} as torch runs them, and {name} has a forward of its own or a hook: take it out (of weight norm "
            "and pruning, by torch.nn.utils.remove_weight_norm and prune.remove)"
        )
    if not all(t.isfinite().all() for t in (*model.parameters(), *model.buffers())):
        raise ValueError("model has weights that are NaN or infinite: nothing can be proved of it")
    for layer in layers:
        zero = torch.zeros(1, *shape, dtype=torch.float64, device=x.device)
        exact = as_it_runs(layer).double()
        if isinstance(layer, (nn.Linear, nn.Conv2d, Normalize)):
            bias = exact(zero).flatten()
            if isinstance(layer, Normalize):
                exact.mean.zero_()
            elif layer.bias is not None:
                exact.bias.detach().zero_()
            ones = torch.eye(zero.numel(), dtype=torch.float64, device=x.device).view(-1, *shape)
            weight = torch.cat([exact(few).flatten(1) for few in ones.split(512)]).T.detach().contiguous()
            steps.append(Affine(weight, bias.detach(), int((weight != 0).sum(1).max())))
        elif isinstance(layer, (nn.ReLU, MaxMin)):
            if isinstance(layer, MaxMin) and len(shape) != 1:  # its neighbours are channels, not those of a flat row
                given = ", ".join(map(str, ("N", *shape)))
                raise ValueError(f"proofs take MaxMin after Flatten only, and it is given ({given})")
            exact.inplace = False  # the bounds before it are needed as they were
            steps.append(exact)
        shape = exact(zero).shape[1:]
    if not (steps and isinstance(steps[-1], Affine) and len(shape) == 1 and shape[0] > 1):
        raise ValueError(
            f"model must end in a linear layer with a logit for each of two classes or more, and its answers have the "
            f"shape (N, {', '.join(map(str, shape))})"
        )
    return steps


def boxes(steps: Steps, low: Tensor, high: Tensor) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Bounds before each step and after the last, (N, features) each; and how far float32 may be off at the end.

    The bounds are those of exact arithmetic. An answer of the model in float32 lies no further from the exact one
    than the second tensor says, (N, classes), at every input between `low` and `high`.
    """
    bounds, off = [(low, high)], torch.zeros_like(low)
    for step in steps:
        if isinstance(step, Affine):
            size, largest = step.weight.abs(), torch.maximum(low.abs(), high.abs()) + off
            middle, radius = (low + high) / 2 @ step.weight.T + step.bias, (high - low) / 2 @ size.T
            low, high = middle - radius, middle + radius
            some = 1.001 * (step.terms + 4) * UNIT  # the thousandth is for our own sums in float64
            off = off @ size.T + some / (1 - some) * (largest @ size.T + step.bias.abs()) + step.terms * TINY
        else:
            low, high = step(low), step(high)
            off = torch.maximum(off[:, ::2], off[:, 1::2]).repeat(1, 2) if isinstance(step, MaxMin) else off
        bounds.append((low, high))
    return bounds, off


def ball(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The smallest and the largest value of each pixel within eps, flat and in float64; one float32 to spare.

    An attack that adds eps in float32 may round away from x.
    """
    ends = (x - eps, torch.tensor(-1.0)), (x + eps, torch.tensor(2.0))
    low, high = (torch.nextafter(end, out.to(end)).clamp(0, 1).flatten(1).double() for end, out in ends)
    return low, high


# Proofs: each gives the least lead of the label over any other class, (N, classes) with infinity at the label.


def spread(y: Tensor, classes: int) -> Tensor:
    """The rows that take a logit away from the label's, (N, classes, classes)."""
    check_labels(torch.empty(0, classes), y)
    one = torch.eye(classes, dtype=torch.float64, device=y.device)
    return one[y][:, None] - one


def by_intervals(steps: Steps, x: Tensor, y: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The least leads that intervals leave, and how far float32 may be off."""
    bounds, off = boxes(steps, *ball(x, eps))
    last, (low, high) = steps[-1], bounds[-2]
    lead = spread(y, len(last.bias)) @ last.weight
    middle, radius = (low + high)[:, :, None] / 2, (high - low)[:, :, None] / 2
    return (lead @ middle - lead.abs() @ radius)[:, :, 0] + (spread(y, len(last.bias)) @ last.bias), off


def line_bounds(steps: Steps, bounds: list[tuple[Tensor, Tensor]], rows: Tensor, constant: Tensor) -> Tensor:
    """A lower bound on `rows` (N, M, features) times what comes out of `steps`, plus `constant` (N, M).

    CROWN, Zhang et al. 2018 (arXiv:1811.00866): from the last step back to the input, each ReLU is held between two
    lines, and a row takes the one or the other by its sign.
    """
    for step, (low, high) in zip(reversed(steps), reversed(bounds[: len(steps)]), strict=True):
        if isinstance(step, Affine):
            constant, rows = constant + rows @ step.bias, rows @ step.weight
            continue
        open_ = (low < 0) & (high > 0)
        slope = torch.where(open_, high / (high - low).clamp_min(1e-300), (low >= 0).to(low))  # of the upper line
        lower = torch.where(open_, (high > -low).to(low), slope)
        down = rows.clamp_max(0)  # takes the upper line, which passes through (low, 0)
        constant = constant + (down @ (-slope * low * open_)[:, :, None])[:, :, 0]
        rows = down * slope[:, None] + rows.clamp_min(0) * lower[:, None]
    low, high = bounds[0]
    middle, radius = (low + high)[:, :, None] / 2, (high - low)[:, :, None] / 2
    return constant + (rows @ middle - rows.abs() @ radius)[:, :, 0]


def by_lines(steps: Steps, x: Tensor, y: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The least leads that lines leave, with lines for what enters each ReLU; and how far float32 may be off."""
    if any(isinstance(step, MaxMin) for step in steps):
        raise TypeError("lines hold ReLU only: prove a model with MaxMin by its Lipschitz constant")
    bounds, off = boxes(steps, *ball(x, eps))
    tight, many = bounds[:1], (len(x), -1, -1)
    for end, step in enumerate(steps[:-1]):
        low, high = bounds[end + 1]
        if not isinstance(step, Affine):
            low, high = tight[end][0].clamp_min(0), tight[end][1].clamp_min(0)
        elif end and isinstance(steps[end + 1], nn.ReLU):
            rows, constant = step.weight.expand(many), step.bias.expand(len(x), -1)
            low = torch.maximum(low, line_bounds(steps[:end], tight, rows, constant))
            high = torch.minimum(high, -line_bounds(steps[:end], tight, -rows, -constant))
        tight.append((low, high))
    apart, last = spread(y, len(steps[-1].bias)), steps[-1]
    least = line_bounds(steps[:-1], tight, apart @ last.weight, apart @ last.bias)
    return torch.maximum(least, by_intervals(steps, x, y, eps)[0]), off  # two lower bounds: the higher one counts


def proved(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, by: str = "lines") -> Tensor:
    """Whether no image within eps in L-infinity gets another answer than `y`, for certain, (N,) bool.

    model  a Sequential of linear, convolution, normalisation, flatten and ReLU layers in float32, to logits
    x, y   images (N, ...) in [0, 1] and labels (N,)
    by     "intervals" (Gowal et al. 2018) or "lines" (CROWN, Zhang et al. 2018), which prove more and take longer

    False says nothing: the answer may change, or the bounds are too wide. Raises ValueError or TypeError.
    """
    x, y, eps = check_input(model, x, y, eps=eps, norm="linf")
    with torch.no_grad():
        return sure(steps_of(model, x), x, y, eps, by)


def sure(steps: Steps, x: Tensor, y: Tensor, eps: float, by: str) -> Tensor:
    """`proved`, of a model's steps."""
    if by not in (ways := {"intervals": by_intervals, "lines": by_lines}):
        raise ValueError(f"by must be one of {tuple(ways)}, got {by!r}")
    widest = max(step.weight.shape[1] for step in steps if isinstance(step, Affine))
    few = max(CELLS // widest**2, 1) if by == "lines" else 250
    pieces = zip(x.split(few), y.split(few), strict=True)
    return torch.cat([positive(*ways[by](steps, *piece, eps), piece[1]) for piece in pieces])


def positive(lead: Tensor, off: Tensor, y: Tensor) -> Tensor:
    """Whether every lead (N, classes) but the label's own is above what rounding may take, (N,)."""
    sure = lead > off + off.gather(1, y[:, None])
    return sure.scatter(1, y[:, None], True).all(1)


def proved_radius(model: nn.Module, x: Tensor, y: Tensor, *, up_to: float, by: str = "intervals") -> Tensor:
    """The largest of 64 radii up to `up_to` in L-infinity within which each answer is `proved`, 0 if none, (N,)."""
    up_to = number_in("up_to", up_to, "[0, 1]")
    x, y, _ = check_input(model, x, y, eps=up_to, norm="linf")
    low = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    with torch.no_grad():
        steps = steps_of(model, x)
        for step in (32, 16, 8, 4, 2, 1, 1):  # halving: a proof for a ball is one for each smaller ball
            for share in (low + step).unique().tolist():
                asked = (low + step == share).nonzero()[:, 0]
                low[asked[sure(steps, x[asked], y[asked], share / 64 * up_to, by)]] = share
    return low / 64 * up_to


# Lipschitz constants: proofs in L2.


def cayley(free: Tensor) -> Tensor:
    """A matrix (P, Q), P >= Q, with orthonormal columns from any one of this shape. Trockman & Kolter 2021
    (arXiv:2104.07167), eq. 7."""
    top, rest = free[: free.shape[1]], free[free.shape[1] :]
    skew, one = top - top.T + rest.T @ rest, torch.eye(free.shape[1]).to(free)
    inverse = torch.linalg.inv(one + skew)
    return torch.cat([(one - skew) @ inverse, -2 * rest @ inverse])


class Isometry(nn.Module):
    """A linear layer that makes no difference between two inputs longer: its rows or its columns are orthonormal."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.free = nn.Parameter(torch.randn(max(inputs, outputs), min(inputs, outputs)) / math.sqrt(inputs))
        self.bias, self.wide = nn.Parameter(torch.zeros(outputs)), inputs > outputs

    def weight(self) -> Tensor:
        return cayley(self.free).T if self.wide else cayley(self.free)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight(), self.bias)


def lipschitz_net(data: Dataset, width: int = 128) -> nn.Sequential:
    """A network in which no two answers lie further apart, in L2, than their images do. Anil et al. 2019."""
    inputs = data.train.x[0].numel()
    hidden = [Isometry(inputs, width), MaxMin(), Isometry(width, width), MaxMin()]
    return nn.Sequential(nn.Flatten(), *hidden, Isometry(width, len(data.classes))).to(data.train.x.device)


def fixed(model: nn.Sequential) -> nn.Sequential:
    """The same network once it is trained: each `Isometry` as the linear layer that it amounts to."""

    def as_linear(layer: nn.Module) -> nn.Module:
        if not isinstance(layer, Isometry):
            return layer
        linear = nn.utils.skip_init(nn.Linear, layer.weight().shape[1], layer.weight().shape[0])
        linear.load_state_dict({"weight": layer.weight().detach(), "bias": layer.bias.detach()})
        return linear.to(layer.bias.device)

    return nn.Sequential(*map(as_linear, model)).requires_grad_(False).eval()


def lipschitz_radius(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The L2 radius within which each answer is certain to be y, 0 where it is not y, (N,) float64.

    No layer makes a difference longer than its largest singular value does, ReLU and MaxMin not at all. So the lead of
    the label falls no faster than the product of all, and the image must move as far as that takes (Szegedy et al.
    2013, arXiv:1312.6199, section 4.3). For a linear model this is exact; for others it is useful only if they were
    built for it, as `lipschitz_net` is.

    model  as for `proved`, and MaxMin besides; no other layer
    """
    x, y, _ = check_input(model, x, y, eps=1.0, norm="l2")
    with torch.no_grad():
        steps = steps_of(model, x)
        bounds, _ = boxes(steps, *[x.flatten(1).double()] * 2)  # at x itself
        nothing = torch.zeros_like(x[:1]).flatten(1).double()
        off = boxes(steps, nothing, nothing + 1)[1]  # at any image
        *maps, last = (step for step in steps if isinstance(step, Affine))
        longer = math.prod(float(torch.linalg.matrix_norm(step.weight, 2)) for step in maps)
        apart, label = spread(y, len(last.bias)), y[:, None]
        lead = (apart @ bounds[-1][0][:, :, None])[:, :, 0] - off - off.expand(len(x), -1).gather(1, label)
        reach = lead / (longer * (apart @ last.weight).norm(dim=2)).clamp_min(TINY)
        return reach.scatter(1, label, math.inf).amin(1).clamp_min(0) * (1 - 1e-9)  # norms are rounded too
