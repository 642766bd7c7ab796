"""Gradients layer by layer: those of each example's loss, as products of two factors, from one backward pass.

For networks that are a plain chain of layers which treat each row of a batch on its own. A convolution is a linear
layer on patches of the image, so that `patches` of a layer's inputs and the loss's gradients by its outputs are all
that the gradients of its weights are made of. Private training needs their lengths and their sum, an eavesdropper those
of each client: neither needs a gradient for each example.
"""

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn import functional as F

from utils.guard import labels_noted
from utils.models import Normalize

ROW_BY_ROW = (  # what becomes of one row of a batch does not depend on the others
    *(nn.Identity, nn.Dropout, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Tanh, nn.Hardtanh, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d),
)


def steps(model: nn.Module) -> list[nn.Module]:
    """The layers of a chain, in their order."""
    return [step for part in model for step in steps(part)] if type(model) is nn.Sequential else [model]


def plain_chain(model: nn.Module, x: Tensor) -> list[nn.Module]:
    """The layers of a model of which it is sure that this way is right; none if there may be another.

    All parameters belong to a `Linear` or a plain `Conv2d` that is called once; no layer looks at two rows; no hook
    can change what goes through. The first layer may be the course's `Normalize`.
    """
    layers = steps(model)
    weighted = [m for m in layers if type(m) in (nn.Linear, nn.Conv2d)]
    held = [p for m in weighted for p in m.parameters()]
    once = {id(p) for p in held} == {id(p) for p in model.parameters()} and len(held) == len(list(model.parameters()))
    own = all(type(p) is nn.Parameter and p.dtype == x.dtype for p in held)
    convolutions = [m for m in weighted if isinstance(m, nn.Conv2d)]
    plain = all(m.groups == 1 and m.padding_mode == "zeros" and m.padding != "same" for m in convolutions)
    single = x.dtype in (torch.float32, torch.float64)  # squares of smaller types overflow
    return layers if once and own and plain and single and all(map(row_by_row, layers)) and unhooked(model) else []


def row_by_row(layer: nn.Module) -> bool:
    return type(layer) in (nn.Linear, nn.Conv2d, Normalize, *ROW_BY_ROW) or (
        type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1)
    )


def unhooked(model: nn.Module) -> bool:
    """Whether each module does what its class says, apart from plain forward hooks on layers: these may look on."""
    for m in model.modules():
        before = (m._forward_pre_hooks, m._backward_hooks, m._backward_pre_hooks, m._forward_hooks_with_kwargs)
        if any(before) or "forward" in vars(m) or (m._forward_hooks and type(m) is nn.Sequential):
            return False
    return not nn.modules.module._has_any_global_hook()


def as_channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def outer_factors(model: nn.Module, x: Tensor, y: Tensor, *, again: bool = False) -> list:
    """For each layer with weights: how their names begin, itself, the loss's gradients by its outputs (N, out, L), and
    its inputs. None at all where the model is no plain chain, or something on the way is not as expected.

    The loss is the sum of the cross-entropies of N examples. One example's gradient of the weights is the product of
    its factors, the second by way of `patches`. Gradients are taken at the edges of the graph: an output itself may be
    changed in place by the next layer. `again`: what comes has a gradient in x itself.
    """
    names, seen, h = {m: f"{name}." if name else "" for name, m in model.named_modules()}, [], x
    layers = plain_chain(model, x)
    with torch.enable_grad():
        for layer in layers:
            if isinstance(layer, Normalize) and (h is not x or max(layer.mean.dim(), layer.std.dim()) >= x.dim()):
                return []  # it could stretch the first dimension
            a, h = h, layer.forward(h)
            if h.dim() == 4 and h.requires_grad and h.is_contiguous(memory_format=torch.channels_last):
                h.register_hook(as_channels_last)  # Flatten's is not: a ReLU of two layouts takes ten times as long
            for hook in layer._forward_hooks.values():
                version = h._version
                if hook(layer, (a,), h) is not None or h._version != version:
                    return []
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                if h.dim() != (2 if isinstance(layer, nn.Linear) else 4) or len(h) != len(x) or h.dtype != x.dtype:
                    return []  # sequences, images without channels, mixed precision
                h = h if h.requires_grad else h.requires_grad_().clone()  # no weight learns; may be changed in place
                seen.append((names[layer], layer, get_gradient_edge(h), a if again else a.detach()))
        if not seen or h.dim() != 2 or h.shape[1] < 2:
            return []  # no logits: who asks will say so
        with labels_noted(y):
            loss = F.cross_entropy(h, y, reduction="sum")
        gradients = torch.autograd.grad(loss, [edge for _, _, edge, _ in seen], create_graph=again)
    return [
        (name, m, g.flatten(2) if g.dim() == 4 else g[:, :, None], a)
        for (name, m, _, a), g in zip(seen, gradients, strict=True)
    ]


def patches(layer: nn.Module, x: Tensor) -> Tensor:
    """What each output place of a layer sees, (N, L, in), in the order row, column, channel: `F.unfold`, but quick.

    A convolution is a linear layer on L patches. They are copied in the longer runs: of a patch's row, or of places.
    """
    if isinstance(layer, nn.Linear):
        return x[:, None]
    up, left = (0, 0) if layer.padding == "valid" else layer.padding
    x = F.pad(as_channels_last(x), (left, left, up, up)).movedim(1, -1).contiguous()
    n, *sides, c = x.shape  # (N, H, W, C)
    step, reach = layer.stride, [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    rows, columns = ((side - r - 1) // s + 1 for side, r, s in zip(sides, reach, step, strict=True))
    image, row, column, _ = x.stride()
    places, shifts = (rows, columns), (step[0] * row, step[1] * column)
    patch, moves = (*layer.kernel_size, c), (layer.dilation[0] * row, layer.dilation[1] * column, 1)
    if layer.kernel_size[1] * c < columns:
        return x.as_strided((n, *patch, *places), (image, *moves, *shifts)).reshape(n, -1, rows * columns).mT
    return x.as_strided((n, *places, *patch), (image, *shifts, *moves)).reshape(n, rows * columns, -1)


def as_weight(layer: nn.Module, numbers: Tensor) -> Tensor:
    """Numbers (..., out, in), in the order of `patches`, in the shape of the layer's weight."""
    if isinstance(layer, nn.Linear):
        return numbers
    return numbers.unflatten(-1, (*layer.kernel_size, layer.in_channels)).movedim(-1, -3)
