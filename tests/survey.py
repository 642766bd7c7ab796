"""How often the masking check-up errs: honest models that it flags, masks that it misses.

    PYTHONPATH=. python tests/survey.py [--images 100] [--seeds 0 1] [--kind masked] [--only WORDS] [--adapt] [--list]

Trains every model below for each seed, examines it, prints a line each and the two rates. About 20 minutes in one
thread for two seeds. No test runs it: `tests/test_checkup.py` holds a few of these cases to their verdicts.
"""

import argparse
import time
from copy import deepcopy
from functools import cache, partial
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from utils import masking
from utils.adversarial import attacked, trades
from utils.checkup import examine
from utils.data import load
from utils.evaluation import Rate
from utils.models import mlp, normalize, small_cnn
from utils.training import fit, mean_cross_entropy

# Honest models: each builds and trains one from the data.


def net(data, activation=nn.ReLU, *, width=100, between=nn.Identity, layers=2):
    """A network of `layers` hidden layers with any activation, and any module after each."""
    sizes = [data.train.x[0].numel()] + [width] * layers
    body = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), between(), activation())]
    return nn.Sequential(normalize(data), nn.Flatten(), *body, nn.Linear(sizes[-1], len(data.classes)))


def swap(model, activation):
    """`model` with another activation in the place of each ReLU."""
    return nn.Sequential(*[activation() if isinstance(m, nn.ReLU) else m for m in model])


def noisy(sigma):
    return lambda model, x, y: (x + sigma * torch.randn_like(x)).clamp(0, 1)


def mixup(model, x, y):
    share, other = torch.distributions.Beta(0.4, 0.4).sample(), torch.randperm(len(x))
    mixed = model(share * x + (1 - share) * x[other])
    return share * F.cross_entropy(mixed, y) + (1 - share) * F.cross_entropy(mixed, y[other])


def smoothed(model, x, y):
    return F.cross_entropy(model(x), y, label_smoothing=0.1)


def decayed(model, x, y):
    return mean_cross_entropy(model, x, y) + 1e-3 * sum((p**2).sum() for p in model.parameters())


def hinge(model, x, y):
    return F.multi_margin_loss(model(x), y, margin=10.0)


def flatter(model, x, y):
    """Cross-entropy, and the size of its gradient."""
    x = x.clone().requires_grad_()
    loss = mean_cross_entropy(model, x, y)
    (gradient,) = torch.autograd.grad(loss * len(x), x, create_graph=True)
    return loss + 0.05 * gradient.flatten(1).abs().sum(1).mean()


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.a, self.b = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(x + self.b(F.relu(self.norm(self.a(x)))))


def residual(data):
    stem = nn.Conv2d(1, 16, 3, padding=1)
    head = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(normalize(data), stem, Residual(16), nn.MaxPool2d(2), Residual(16), *head)


class Attention(nn.Module):
    """Rows of the image as words."""

    def __init__(self, data):
        super().__init__()
        self.norm, self.lift, self.place = normalize(data), nn.Linear(8, 32), nn.Parameter(torch.randn(8, 32) / 5)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
        self.head = nn.Linear(32 * 8, 10)

    def forward(self, x):
        return self.head(self.layer(self.lift(self.norm(x)[:, 0]) + self.place).flatten(1))


class Together(nn.Module):
    def __init__(self, *models):
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, x):
        return sum(model(x) for model in self.models) / len(self.models)


class Linear(nn.Module):
    """A fixed linear map of the input, shape kept: blur, projection."""

    def __init__(self, matrix, mean):
        super().__init__()
        self.register_buffer("matrix", matrix)
        self.register_buffer("mean", mean)

    def forward(self, x):
        return ((x.flatten(1) - self.mean) @ self.matrix + self.mean).view_as(x)


def projection(data, rank):
    flat = data.train.x.flatten(1)
    basis = torch.linalg.svd(flat - flat.mean(0), full_matrices=False).Vh[:rank]
    return Linear(basis.T @ basis, flat.mean(0))


def projected(data):
    return nn.Sequential(projection(data, 20), small_cnn(data))


def blurred(data):
    blur = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return nn.Sequential(blur, small_cnn(data))


def denoised(data):
    coder = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))
    )
    fit(coder, data.train, loss=lambda m, x, y: F.mse_loss(m(x + 0.2 * torch.randn_like(x)), x), updates=300)
    return nn.Sequential(coder.requires_grad_(False), small_cnn(data))


def at(eps, build=small_cnn, **how):
    return lambda data: fit(build(data), data.train, transform=attacked(eps, **how))


def plain(build=small_cnn, **how):
    return lambda data: fit(build(data), data.train, **how)


def training_mode(build):
    return lambda data: fit(build(data), data.train).train()


def float64(data):
    return plain()(data).double()


def scaled(scale):
    return lambda data: nn.Sequential(plain()(data), masking.Saturate(scale))


def together(data):
    return Together(*[plain(mlp)(data) for _ in range(3)]).eval()


def logged(data):
    return nn.Sequential(plain()(data), nn.LogSoftmax(1))


def from_teacher(temperature):
    def build(data):
        teacher = fit(small_cnn(data), data.train, loss=lambda m, x, y: F.cross_entropy(m(x) / temperature, y))

        def soft(model, x, y):
            with torch.no_grad():
                goal = (teacher(x) / temperature).softmax(1)
            return F.cross_entropy(model(x) / temperature, goal)

        return fit(small_cnn(data), data.train, loss=soft)

    return build


HONEST = {  # name: (data, eps, build)
    "undefended": ("digits", 0.15, plain()),
    "undefended, eps 0.05": ("digits", 0.05, plain()),
    "undefended, eps 0.3": ("digits", 0.3, plain()),
    "PGD-AT": ("digits", 0.15, at(0.15)),
    "PGD-AT, eps 0.08": ("digits", 0.08, at(0.08)),
    "PGD-AT, eps 0.3": ("digits", 0.3, at(0.3)),
    "PGD-AT, examined at twice its eps": ("digits", 0.3, at(0.15)),
    "PGD-AT, L2": ("digits", 0.15, at(1.0, norm="l2")),
    "PGD-AT, softplus": ("digits", 0.15, at(0.15, lambda d: swap(small_cnn(d), partial(nn.Softplus, 10)))),
    "PGD-AT, tanh": ("digits", 0.15, at(0.15, lambda d: net(d, nn.Tanh))),
    "fast AT": ("digits", 0.15, at(0.15, steps=1, reach=1.25)),
    "TRADES": ("digits", 0.15, lambda d: fit(small_cnn(d), d.train, loss=trades(0.15))),
    "TRADES, beta 1": ("digits", 0.15, lambda d: fit(small_cnn(d), d.train, loss=trades(0.15, 1.0))),
    "noise-trained": ("digits", 0.15, plain(transform=noisy(0.25))),
    "noise-trained, sigma 0.5": ("digits", 0.15, plain(transform=noisy(0.5))),
    "flat loss": ("digits", 0.15, plain(loss=flatter)),
    "MLP": ("digits", 0.15, plain(mlp)),
    "tanh": ("digits", 0.15, plain(lambda d: net(d, nn.Tanh))),
    "sigmoid": ("digits", 0.15, plain(lambda d: net(d, nn.Sigmoid))),
    "GELU": ("digits", 0.15, plain(lambda d: swap(small_cnn(d), nn.GELU))),
    "softplus": ("digits", 0.15, plain(lambda d: net(d, nn.Softplus))),
    "hardtanh": ("digits", 0.15, plain(lambda d: net(d, nn.Hardtanh))),
    "ReLU6, deep": ("digits", 0.15, plain(lambda d: net(d, nn.ReLU6, layers=5))),
    "dropout, training mode": ("digits", 0.15, training_mode(lambda d: net(d, between=nn.Dropout))),
    "batchnorm, training mode": ("digits", 0.15, training_mode(lambda d: net(d, between=partial(nn.BatchNorm1d, 100)))),
    "residual": ("digits", 0.15, plain(residual)),
    "attention": ("digits", 0.15, plain(Attention)),
    "weight decay": ("digits", 0.15, plain(loss=decayed)),
    "label smoothing": ("digits", 0.15, plain(loss=smoothed)),
    "mixup": ("digits", 0.15, plain(loss=mixup)),
    "hinge loss": ("digits", 0.15, plain(loss=hinge)),
    "overtrained": ("digits", 0.15, plain(updates=3000)),
    "overtrained, eps 0.05": ("digits", 0.05, plain(updates=3000)),
    "overtrained MLP, high rate": ("digits", 0.1, plain(mlp, updates=3000, lr=1e-2)),
    "hardly trained": ("digits", 0.15, plain(updates=40)),
    "linear": ("digits", 0.15, plain(lambda d: net(d, layers=0))),
    "linear, eps 0.05": ("digits", 0.05, plain(lambda d: net(d, layers=0))),
    "tiny": ("digits", 0.15, plain(lambda d: net(d, width=10))),
    "float64": ("digits", 0.15, float64),
    "log-probabilities": ("digits", 0.15, logged),
    "logits / 10": ("digits", 0.15, scaled(0.1)),
    "three together": ("digits", 0.15, together),
    "distilled at T = 1": ("digits", 0.15, from_teacher(1)),
    "blur": ("digits", 0.15, plain(blurred)),
    "projection": ("digits", 0.15, plain(projected)),
    "autoencoder": ("digits", 0.15, plain(denoised)),
    "tumors, MLP": ("tumors", 0.05, plain(mlp)),
    "tumors, MLP, eps 0.2": ("tumors", 0.2, plain(mlp)),
    "tumors, linear": ("tumors", 0.05, plain(lambda d: net(d, layers=0))),
    "tumors, PGD-AT": ("tumors", 0.05, at(0.05, mlp)),
    "tumors, overtrained": ("tumors", 0.05, plain(mlp, updates=3000)),
}


# Masks. Those behind or before a model wear the same undefended one.


class Front(nn.Module):
    """A function before a model, and one behind it."""

    def __init__(self, model, before=lambda x: x, after=lambda z: z):
        super().__init__()
        self.model, self.before, self.after = model, before, after

    def forward(self, x):
        return self.after(self.model(self.before(x)))


class Backward(torch.autograd.Function):
    """Forward: nothing. Backward: whatever `change` makes of the gradient."""

    @staticmethod
    def forward(ctx, x, change):
        ctx.change = change
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return ctx.change(gradient), None


def front(before=lambda x: x, after=lambda z: z):
    return lambda data, base: Front(base, before, after)


def with_backward(change):
    return front(lambda x: Backward.apply(x, change))


def trained(build):
    return lambda data, base: fit(build(data), data.train)


@cache
def eight(base):
    """The masks of lesson 04, all on one model."""
    torch.manual_seed(0)
    return masking.masked(base, load("digits"))


def masked(name):
    return lambda data, base: eight(base)[name]


def thermometer(data, base):
    """Each pixel as ten bits that autograd knows nothing of."""
    marks = torch.linspace(0.05, 0.95, 10).view(1, 10, 1, 1)

    def bits(x):
        return (x > marks).float()

    body = nn.Sequential(nn.Conv2d(10, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 10))
    return fit(Front(body, bits), data.train)


class Step(nn.Module):
    """A hard threshold with the gradient of a sigmoid while it learns, and its own, zero, afterwards."""

    def forward(self, x):
        soft = torch.sigmoid(4 * x)
        return (soft + ((x > 0).float() - soft).detach()) if self.training else (x > 0).float()


class Sign(nn.Module):
    """Signs, with the gradient of a clipped line while it learns."""

    def forward(self, x):
        return x.clamp(-1, 1) + (x.sign() - x.clamp(-1, 1)).detach() if self.training else x.sign()


class AlwaysDropout(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.4, training=True)


class AlwaysNoise(nn.Module):
    def forward(self, x):
        return x + 0.5 * x.std() * torch.randn_like(x)


def rotated(x):
    turn = (torch.rand(len(x)) - 0.5) * 1.2
    rows = [torch.stack([turn.cos(), -turn.sin(), 0 * turn], 1), torch.stack([turn.sin(), turn.cos(), 0 * turn], 1)]
    return F.grid_sample(
        x, F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False), align_corners=False
    )


def shuffled(x):
    return x.flatten(2)[..., torch.randperm(x[0, 0].numel())].view_as(x)


class OneOf(Together):
    """A network drawn anew at each call."""

    def forward(self, x):
        return self.models[int(torch.randint(len(self.models), ()))](x)


class Detector(nn.Module):
    """Gives no answer (all logits equal) to images that lie farther from the training images' plane than those do."""

    def __init__(self, model, data):
        super().__init__()
        self.model, self.plane = model, projection(data, 40)
        self.limit = self.away(data.train.x).quantile(0.99)

    def away(self, x):
        return (x - self.plane(x)).flatten(1).norm(dim=1)

    def forward(self, x):
        return self.model(x) * (self.away(x) < self.limit).float()[:, None]


class Lit(nn.Module):
    """The model, with a gradient only where the first pixel, which it ignores, is lit."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        lit = x[:, :1, :1, :1] > 0.1
        unlit = torch.cat([torch.zeros_like(x[..., :1, :1]), x[..., :1, 1:]], 3)
        x = torch.cat([unlit, x[..., 1:, :]], 2)
        return self.model(torch.where(lit, x, x.detach()))


class Hooked(nn.Module):
    """A model that meddles with its input's gradient by a hook."""

    def __init__(self, model, change):
        super().__init__()
        self.model, self.change = model, change

    def forward(self, x):
        x = x.clone()
        if x.requires_grad:
            x.register_hook(self.change)
        return self.model(x)


class Hidden(nn.Module):
    """The model, run where autograd cannot look."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    @torch.no_grad()
    def forward(self, x):
        return self.model(x)


def rounds(levels):
    return front(lambda x: (x * (levels - 1)).round() / (levels - 1))


def overfitted(eps):
    return lambda data, base: at(eps, steps=1, reach=1, start=False)(data)


def with_layer(layer):
    """The undefended network, further trained with `layer` after each ReLU."""

    def build(data, base):
        parts = [part for m in deepcopy(base) for part in ([m, layer()] if isinstance(m, nn.ReLU) else [m])]
        return fit(nn.Sequential(*parts), data.train, updates=200)

    return build


def noise_like(gradient):
    return torch.randn_like(gradient) * gradient.abs().amax()


MASKS = {  # name: (data, eps, build from data and an undefended model)
    **{f"lesson 04: {name}": ("digits", 0.15, masked(name)) for name in
       ("quantised", "median", "JPEG", "noise", "resized", "saturated", "k winners", "scrambled")},
    "distilled at T = 100": ("digits", 0.15, lambda data, base: from_teacher(100)(data)),
    "distilled at T = 40": ("digits", 0.15, lambda data, base: from_teacher(40)(data)),
    "FGSM-AT, eps 0.25": ("digits", 0.25, overfitted(0.25)),
    "FGSM-AT, eps 0.3": ("digits", 0.3, overfitted(0.3)),
    "thermometer": ("digits", 0.15, thermometer),
    "sign activations": ("digits", 0.15, trained(lambda d: net(d, Sign, width=200))),
    "hard step": ("digits", 0.15, trained(lambda d: net(d, Step, width=200, layers=1))),
    "softmax at 0.01": ("digits", 0.15, front(after=lambda z: (z / 0.01).softmax(1))),
    "softmax": ("digits", 0.15, front(after=lambda z: z.softmax(1))),
    "logits * 1000": ("digits", 0.15, front(after=lambda z: 1000 * z)),
    "logits * 30": ("digits", 0.15, front(after=lambda z: 30 * z)),
    "logits rounded": ("digits", 0.15, front(after=lambda z: (10 * z).round() / 10)),
    "one-hot": ("digits", 0.15, front(after=lambda z: F.one_hot(z.argmax(1), z.shape[1]))),
    "clipped logits": ("digits", 0.15, front(after=lambda z: z.clamp(-2, 2))),
    "noise on logits": ("digits", 0.15, front(after=lambda z: z + 2 * torch.randn_like(z))),
    "small noise on logits": ("digits", 0.15, front(after=lambda z: z + 0.05 * torch.randn_like(z))),
    "noise in hidden layers": ("digits", 0.15, with_layer(AlwaysNoise)),
    "dropout at test time": ("digits", 0.15, with_layer(AlwaysDropout)),
    "random rotation": ("digits", 0.15, front(rotated)),
    "random network of three": ("digits", 0.15, lambda d, base: OneOf(base, *[plain(mlp)(d) for _ in range(2)]).eval()),
    "random order of pixels": ("digits", 0.15, front(shuffled)),
    "partial leak": ("digits", 0.15, front(lambda x: x.detach() * 0.99 + x * 0.01)),
    "detached": ("digits", 0.15, front(lambda x: x.detach())),
    "no_grad": ("digits", 0.15, lambda d, base: Hidden(base)),
    "gradient noise": ("digits", 0.15, lambda d, base: Hooked(base, noise_like)),
    "gradient if a pixel is lit": ("digits", 0.15, lambda d, base: Lit(base)),
    "gradient 1e-20": ("digits", 0.15, with_backward(lambda g: g.clamp(-1e-20, 1e-20))),
    "gradient * 1e30": ("digits", 0.15, with_backward(lambda g: g * 1e30)),
    "gradient reversed": ("digits", 0.15, with_backward(lambda g: -g)),
    "gradient of other images": ("digits", 0.15, with_backward(lambda g: g.roll(1, 0))),
    "gradient's sign alone": ("digits", 0.15, with_backward(torch.sign)),
    "gradient half hidden": ("digits", 0.15, with_backward(lambda g: g * (torch.arange(8) % 2))),
    "square root at 0": ("digits", 0.15, front(lambda x: x.sqrt() ** 2)),
    "clamped square root": ("digits", 0.15, front(lambda x: (x - 0.001).clamp_min(0).sqrt() ** 2 + 0.001)),
    "two bits": ("digits", 0.15, rounds(4)),
    "eight bits": ("digits", 0.15, rounds(256)),
    "sixteen bits": ("digits", 0.15, rounds(65536)),
    "staircase, not quite flat": ("digits", 0.15, front(lambda x: (4 * x).round() / 4 + 0.01 * x)),
    "sawtooth": ("digits", 0.15, front(lambda x: x + 0.02 * torch.sin(400 * x))),
    "detector": ("digits", 0.15, lambda d, base: Detector(base, d)),
    "tumors, quantised": ("tumors", 0.05, rounds(20)),
    "tumors, saturated": ("tumors", 0.05, front(after=lambda z: 1000 * z)),
    "tumors, noise": ("tumors", 0.05, front(lambda x: x + 0.02 * torch.randn_like(x))),
}  # fmt: skip


@cache
def undefended(name: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    data = load(name)
    return fit(small_cnn(data) if data.train.x.dim() == 4 else mlp(data), data.train)


def make(name: str, seed: int):
    """The model `name`, trained from `seed`, its data and the budget to examine it at."""
    source, eps, build = HONEST[name] if name in HONEST else MASKS[name]
    data = load(source)
    base = undefended(source, seed) if name in MASKS else None
    torch.manual_seed(seed)
    return build(data, base) if name in MASKS else build(data), data, eps


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--images", type=int, default=100)
    words.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    words.add_argument("--only", nargs="+", default=[""], help="names that hold one of these words")
    words.add_argument("--kind", choices=["honest", "masked"], nargs="+", default=["honest", "masked"])
    words.add_argument("--adapt", action="store_true", help="run the recommended attacks too")
    words.add_argument("--list", action="store_true")
    asked = words.parse_args()
    tally = {"honest": [], "masked": []}
    for kind in asked.kind:
        models = HONEST if kind == "honest" else MASKS
        for name in [name for name in models if any(word in name for word in asked.only)]:
            for seed in [] if asked.list else asked.seeds:
                model, data, eps = make(name, seed)
                x, y = data.test.take(asked.images)
                began = time.process_time()
                report = examine(model, x, y, eps=eps, advise=asked.adapt)
                spent = time.process_time() - began
                tally[kind].append(bool(report.flags))
                wrong = "!!" if bool(report.flags) == (kind == "honest") else "  "
                counts = " ".join(f"{f.k:3d}{'*' if f.raised else ' '}" for f in report.findings)
                left = " ".join(f"{100 * float(rate):3.0f}" for rate in report.left.values())
                adapted = "  –" if report.adapted is None else f"{100 * float(report.adapted):3.0f}"
                print(f"{wrong} {name:34s} {seed} {spent:5.1f} s | {counts} | {left} | {adapted}", flush=True)
            if asked.list:
                print(kind, name)
    for kind, flagged in tally.items():
        if flagged:
            errors = sum(flagged) if kind == "honest" else len(flagged) - sum(flagged)
            print(f"{kind}: {'flagged' if kind == 'honest' else 'missed'} {Rate(errors, len(flagged))}")


if __name__ == "__main__":
    main()
