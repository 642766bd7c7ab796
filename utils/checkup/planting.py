"""A test of an attack: it must find adversarial examples that were planted. Built in lesson 05b.

After Zimmermann et al. 2022 (arXiv:2206.13991), who found that the evaluations of 11 of 13 published defenses fail it.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from utils.attacks.parts import into_ball
from utils.evaluation import Rate
from utils.models import logits, predict


class Readout(nn.Module):
    """In the place of a network's last layer: two classes, 0 and 1, told apart by another line for each image.

    weight, bias  (images, features) and (images,)
    which         the image's number for each row of the batch that comes next, (N,)
    """

    def __init__(self, weight: Tensor, bias: Tensor):
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.which = torch.arange(len(bias), device=bias.device)

    def forward(self, features):
        z = (features * self.weight[self.which]).sum(1) + self.bias[self.which]
        return torch.stack([-z, z], 1) / 2


class Planted(nn.Module):
    """A model's twin with two classes: 0 around each of the `centres`, and 1 where an adversarial example was planted.

    Each row is answered by the line of the centre that is nearest in L-infinity, so that attacks may leave images out,
    repeat them, or change their order.
    """

    def __init__(self, twin: nn.Module, readout: Readout, centres: Tensor):
        super().__init__()
        self.twin, self.readout = twin, readout
        self.register_buffer("centres", centres)

    def forward(self, x):
        with torch.no_grad():
            apart = torch.cdist(x.flatten(1).float(), self.centres.flatten(1).float(), p=float("inf"))
            self.readout.which = apart.argmin(1)
        return self.twin(x)


def last_linear(model: nn.Module, x: Tensor) -> str | None:
    """The name of the linear layer that runs last; None if there is none."""
    names, ran = {module: name for name, module in model.named_modules() if isinstance(module, nn.Linear)}, []
    hooks = [module.register_forward_hook(lambda module, *_: ran.append(module)) for module in names]
    try:
        logits(model, x)
    finally:
        for hook in hooks:
            hook.remove()
    return names[ran[-1]] if ran else None


def with_last(model: nn.Module, name: str, layer: nn.Module) -> nn.Module:
    """A copy of `model` with `layer` in the place of its module `name`."""
    if not name:  # the layer is all there is
        return layer
    twin = deepcopy(model)
    parent, _, last = name.rpartition(".")
    setattr(twin.get_submodule(parent), last, layer)
    return twin


def features_of(model: nn.Module, name: str, x: Tensor) -> Tensor:
    """What the module `name` is given for each input, (N, features)."""
    seen = []
    hook = model.get_submodule(name).register_forward_hook(lambda _, given, __: seen.append(given[0].detach()))
    try:
        logits(model, x)
    finally:
        hook.remove()
    return torch.cat(seen)


def plant(
    model: nn.Module, x: Tensor, *, eps: float, inner: int = 300, closeness: float = 0.999, seed: int = 0
) -> tuple[Planted, Tensor, Tensor]:
    """A twin of `model` in which every image has an adversarial example that is known to exist.

    x          images (N, ...) in [0, 1]
    eps        the L-infinity budget
    inner      how many points around each image the twin calls 0, as it calls the image: random ones and random
               corners, all within 0.95 eps
    closeness  where the line lies: from the inner point that is nearest to the planted one (0) to the planted one (1)
    seed       of the points

    For each image a corner of its ball is drawn, and a line in the features, the input of the last linear layer, that
    tells this corner from the inner points. The line takes that layer's place, scaled so that logits are as far apart
    as the model's own; whatever comes before and behind it stays. The authors fit the line by logistic regression to
    999 inner points; here it is Fisher's discriminant, shrunk, which has a closed form.

    Returns (the twin, which images were planted (M,), the planted images (M, ...)). An image is left out if its corner
    is not on the other side of the line from all inner points, or if another image lies within 2 eps of it.
    Raises ValueError if the model has no linear layer that sees one row of features for each image.
    """
    name = last_linear(model, x[:1])
    if name is None:
        raise ValueError("the model has no linear layer that could be replaced")
    draw = torch.Generator().manual_seed(seed)

    def noise(count: int, corners: bool) -> Tensor:
        around = 2 * torch.rand((count, *x.shape), generator=draw).to(x) - 1
        return eps * (around.sign() if corners else around)

    (corner,) = into_ball(x + noise(1, True), x, eps, "linf")
    moves = torch.cat([0 * x[None], 0.95 * noise(inner // 2, True), 0.95 * noise(inner - inner // 2, False)])
    inside = (x + moves).clamp(0, 1)  # (inner + 1, N, ...), the image itself among them
    seen = features_of(model, name, torch.cat([inside.flatten(0, 1), corner]))
    if seen.dim() != 2 or len(seen) != (len(inside) + 1) * len(x):
        raise ValueError(f"the linear layer {name} does not see one row of features for each image")
    within, planted = seen[: -len(x)].unflatten(0, inside.shape[:2]).transpose(0, 1).double(), seen[-len(x) :].double()
    middle = within.mean(1)
    spread = (within - middle[:, None]).mT @ (within - middle[:, None]) / len(inside)  # (N, features, features)
    shrunk = 3 * spread.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12)[:, None, None]
    weight = torch.linalg.solve(spread + shrunk * torch.eye(planted.shape[1]).to(planted), planted - middle)
    height = (within * weight[:, None]).sum(2)  # (N, inner + 1)
    top, nearest = (planted * weight).sum(1), height.amax(1)
    line = nearest + closeness * (top - nearest)
    scale = gap(model.get_submodule(name), seen[: len(x)]) / (line - height.median(1).values).clamp_min(1e-30)

    apart = torch.cdist(x.flatten(1).float(), x.flatten(1).float(), p=float("inf")).fill_diagonal_(float("inf"))
    chosen = ((top > nearest) & (apart.amin(1) > 2 * eps)).nonzero()[:, 0]

    def twin_of(rows: Tensor) -> Planted:
        readout = Readout((scale[:, None] * weight)[rows].to(seen), (-scale * line)[rows].to(seen))
        return Planted(with_last(model, name, readout), readout, x[rows]).eval()

    if len(chosen):  # without those that rounding, or a fresh draw of a random model, took back
        first = twin_of(chosen)
        chosen = chosen[(predict(first, corner[chosen]) == 1) & (predict(first, x[chosen]) == 0)]
    return twin_of(chosen), chosen, corner[chosen]


def gap(layer: nn.Linear, features: Tensor) -> float:
    """How far the two largest outputs of the layer are apart, half of the images more, half less."""
    with torch.no_grad():
        top = layer(features.to(layer.weight)).topk(min(2, layer.out_features), dim=1).values
    return float((top[:, 0] - top[:, 1] if layer.out_features > 1 else top[:, 0].abs()).median())


def planted_found(attack: Callable, model: nn.Module, x: Tensor, *, eps: float, **how) -> Rate:
    """How many planted adversarial examples an attack finds: `Rate(those found, those planted)`.

    attack  attack(model, x, y, *, eps) -> images, as in `utils.attacks`
    how     the further arguments of `plant`

    Raises ValueError if none could be planted.
    """
    twin, which, _ = plant(model, x, eps=eps, **how)
    if not len(which):
        raise ValueError(f"no adversarial example could be planted around any of the {len(x)} images")
    x_adv = attack(twin, x[which], torch.zeros_like(which), eps=eps)
    return Rate(int((predict(twin, x_adv) == 1).sum()), len(which))
