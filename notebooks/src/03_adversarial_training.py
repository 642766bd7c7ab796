# %% [markdown]
# # 03 · Adversarial training
#
# > *"Adversarial training is the most valuable defense for vision."* · *"It is essential in security-critical use."*
# > · *"It costs accuracy and time."*
#
# Show the model its own worst cases while it learns. The plainest of defenses is what all others are compared with.
# This lesson measures what it buys, what it does not buy, and the bill.
#
# **You will build** adversarial training with PGD, with one step, TRADES and the free variant.
# *About 50 minutes, after 02; the cells run in SECONDS s on two CPU cores.*

# %%
import itertools
import math
import time
from collections.abc import Callable
from functools import partial
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils import attacks, plots, widgets
from utils.attacks import pgd
from utils.claims import claim
from utils.data import chunks, load
from utils.evaluation import Rate, accuracy, robust_accuracy
from utils.models import logits, predict, small_cnn
from utils.records import measured
from utils.training import fit

# %%
data = load()  # the digits; load("mnist") runs the same cells
few = len(data.train.y) < 10_000
updates, lr = (200, 1e-2) if few else (600, 5e-3)  # updates of the weights, in each training
how = {"updates": updates, "lr": lr}
fit(small_cnn(data), data.train, updates=2)  # the first call sets things up; the next is timed
torch.manual_seed(0)
start = time.perf_counter()
undefended = fit(small_cnn(data), data.train, **how)
seconds = {"undefended": time.perf_counter() - start}
x, y = data.test.take(200)
clean = accuracy(undefended, (x, y))
measured("right on test images", clean)

# %% [markdown]
# ## The threat model
#
# | | in this lesson |
# |---|---|
# | **who** | someone who may send images |
# | **knows** | everything: weights, defense, training |
# | **may change** | each pixel by $\varepsilon$; towards the end more than that |
# | **wins when** | the predicted class is wrong |
#
# Each model is judged by the worst case over several attacks, as lesson 02 ended, and never by the attack
# that it was trained on.

# %%
strong = [
    partial(attacks.pgd, steps=20, loss=attacks.margin),
    partial(attacks.apgd, steps=30),
    partial(attacks.apgd_t, steps=20, rivals=2),
    partial(attacks.square, queries=300, patience=3.0),  # sees scores only: finds what gradients hide
]
worst = partial(attacks.worst_case, attacks=strong)
left = {"undefended": robust_accuracy(undefended, (x, y), worst, eps=data.eps)}
measured("left in the worst case", left["undefended"])
guess = widgets.ask("What accuracy can training bring the worst case up to?")
guess

# %% [markdown]
# ## The idea: a game inside training
#
# Training makes the loss small on the images as they are.
# Ask for more: make it small on the *worst image of each ball*.
#
# $$\min_\theta\; \mathbb{E}_{(x, y)} \max_{\lVert\delta\rVert_\infty \le \varepsilon} \ell(f_\theta(x + \delta), y)$$
#
# The inner maximum is an attack, the outer minimum is training as ever: each batch is attacked first.
# A fresh network learns nothing from attacks at full strength, so the budget grows during the first third.


# %%
def attacked(
    eps: float,
    *,
    steps: int = 7,
    reach: float = 2.5,
    start: bool = True,
    norm: str = "linf",
    updates: int = 300,
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """A transform for `fit`: each batch attacked by PGD, whose steps together reach so many eps."""
    calls = count(1)

    def transform(model, x, y):
        now = eps * min(3 * next(calls) / updates, 1)
        how = {"eps": now, "norm": norm, "steps": steps, "step": reach * now / steps, "start": start}
        return pgd(model, x, y, **how, early_stop=False, seed=int(torch.randint(2**31, ())))

    return transform


# %% [markdown]
# `early_stop=False`: the attack climbs on where the answer is wrong already, since the *loss* is wanted at its maximum.
#
# ## Is it right?
#
# For a linear model of two classes the inner maximum is known:
# the margin $m$ falls by $\varepsilon\lVert w\rVert_1$, so the worst loss is
# $\log(1 + e^{\varepsilon\lVert w\rVert_1 - m})$.

# %%
torch.manual_seed(0)
linear, points, labels = nn.Linear(16, 2), 0.4 + 0.2 * torch.rand(500, 16), torch.randint(0, 2, (500,))
answers, w = linear(points), linear.weight[1] - linear.weight[0]
m = (answers[:, 1] - answers[:, 0]) * (2 * labels - 1)  # how far the right answer is ahead
exact = F.softplus(0.1 * w.abs().sum() - m).mean()
found = F.cross_entropy(linear(attacked(0.1, updates=3)(linear, points, labels)), labels)
print("the inner maximum is found:", torch.isclose(found, exact).item())

# %% [markdown]
# ## Does it help?
#
# And would any change of the images help as much? The control is trained on noise of the same size.


# %%
def noisy(eps):
    """A transform for `fit`: each pixel moved by eps, up or down by chance."""
    return lambda model, x, y: (x + eps * (2.0 * torch.randint_like(x, 2) - 1)).clamp(0, 1)


def trained(data, transform=None, **how):
    """A model trained on transformed images, from the same seed each time, and the seconds that it took."""
    torch.manual_seed(0)
    start = time.perf_counter()
    return fit(small_cnn(data), data.train, transform=transform, **how), time.perf_counter() - start


# %%
models = {"undefended": undefended}
transforms = {"noise": noisy(data.eps), "PGD": attacked(data.eps, steps=3, updates=updates)}
for name, transform in transforms.items():
    models[name], seconds[name] = trained(data, transform, **how)
    left[name] = robust_accuracy(models[name], (x, y), worst, eps=data.eps)
for name, rate in left.items():
    measured(f"worst case, {name}", rate)
guess.reveal(left["PGD"])

# %% [markdown]
# The same network, the same number of updates: only the images differ. Random changes of the same size do little.
# The direction matters in training as it did in the attack.
#
# ## Break it: one step is not enough
#
# One step would be cheaper: train on FGSM.
# At a larger budget that goes wrong. We watch what is left after one step, and after many.


# %%
def watched(transform, every, look):
    """The transform, which also writes down look(model) each so many updates; and where it is written."""
    calls, seen = count(1), {}

    def and_look(model, x, y):
        if (update := next(calls)) % every == 0:
            seen[update] = look(model)
        return transform(model, x, y)

    return and_look, seen


def one_and_many(model, data, eps):
    """What is left after one step, and after ten."""
    many = partial(pgd, steps=10)
    return robust_accuracy(model, data, attacks.fgsm, eps=eps), robust_accuracy(model, data, many, eps=eps)


# %%
wide = min(2 * data.eps, 0.3)
kinds = {
    "FGSM": {"steps": 1, "reach": 1.0, "start": False},
    "random start": {"steps": 1, "reach": 1.25},  # Wong et al. 2020
    "two steps": {"steps": 2},
}
at_wide, seen, look = {}, {}, partial(one_and_many, data=data.test.take(100), eps=wide)
for name, kind in kinds.items():
    transform, seen[name] = watched(attacked(wide, **kind, updates=updates), updates // 4, look)
    at_wide[name], _ = trained(data, transform, **how)
curves = {"FGSM: one step": {update: one for update, (one, _) in seen["FGSM"].items()}}
for name in kinds:
    curves[f"{name}: 10 steps"] = {update: many for update, (_, many) in seen[name].items()}
plots.lines(curves, x="updates of the weights", y=f"left at eps {wide:.2g}")

# %% [markdown]
# Trained on FGSM, the model withstands FGSM, and ten steps bring it down: **catastrophic overfitting**.
# Wong et al. 2020 start at a *random* image of the ball; another cure is a second, smaller step, at twice the price.
# How much each brings back, the ends of the curves say.
#
# Why? One step finds the worst image if the loss is *linear* in the ball. Is it?


# %%
def gradient_of(model, x, y):
    """The gradient of each image's loss, flattened: (N, pixels)."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return gradient.flatten(1)


def linearity(model, x, y, eps):
    """The mean cosine between the gradients at x and at a random image of the ball: 1 if the loss is linear."""
    near = (x + torch.empty_like(x).uniform_(-eps, eps)).clamp(0, 1)
    return F.cosine_similarity(gradient_of(model, x, y), gradient_of(model, near, y)).mean().item()


torch.manual_seed(0)
for name, model in at_wide.items():
    near, far = (linearity(model, x, y, eps) for eps in (wide / 4, wide))
    measured(f"mean cosine, {name}", {"in a quarter of the ball": near, "in all of it": far})
table = {}
for name, model in at_wide.items():
    one, many = one_and_many(model, (x, y), wide)
    table[name] = {"one step": one, "10 steps": many}
    table[name]["worst case"] = robust_accuracy(model, (x, y), worst, eps=wide)
plots.table(table)

# %% [markdown]
# The farther from the image, the more the gradient has turned, and the less one look says about the ball.
# The last column is the judge of each cure.
#
# ## TRADES: one knob between two aims
#
# To be right, and to *give the same answer all over the ball*, are two aims. Zhang et al. 2019 weigh them:
#
# $$\ell(f(x), y) + \beta \max_{\lVert\delta\rVert_\infty \le \varepsilon}
# \mathrm{KL}\left(f(x)\,\Vert\,f(x + \delta)\right)$$


# %%
def kl(clean: Tensor, moved: Tensor) -> Tensor:
    """How far the answers `moved` are from `clean`: KL divergence of two batches of logits, (N,)."""
    return F.kl_div(moved.log_softmax(1), clean.log_softmax(1), reduction="none", log_target=True).sum(1)


def unlike(model: nn.Module, x: Tensor, y: Tensor, **how) -> Tensor:
    """Images of the ball whose answers are least like those at x; `how` is handed to `pgd`."""

    def search(x, y):
        clean = logits(model, x)
        return pgd(model, x, y, loss=lambda moved, _: kl(clean, moved), early_stop=False, **how)

    return torch.cat([search(*piece) for piece in chunks(x, y)])


def trades(
    eps: float,
    beta: float = 6.0,
    *,
    steps: int = 7,
    norm: str = "linf",
    updates: int = 300,
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """A loss for `fit`: cross-entropy, and how far the answer can be moved."""
    calls = count(1)

    def loss(model, x, y):
        now, seed = eps * min(3 * next(calls) / updates, 1), int(torch.randint(2**31, ()))
        x_adv, answer = unlike(model, x, y, eps=now, norm=norm, steps=steps, seed=seed), model(x)
        return F.cross_entropy(answer, y) + beta * kl(answer, model(x_adv)).mean()

    return loss


# %% [markdown]
# The inner attack is PGD with another loss, which needs no label.
# Two checks: the divergence against its definition $\sum_k p_k \log(p_k / q_k)$, and $\beta = 0$.

# %%
torch.manual_seed(0)
a, b = torch.randn(2, 5, 10, dtype=torch.float64)
p, q = a.exp() / a.exp().sum(1, keepdim=True), b.exp() / b.exp().sum(1, keepdim=True)
print("the divergence:", torch.allclose(kl(a, b), (p * (p / q).log()).sum(1)))
plain = F.cross_entropy(undefended(x), y)
print("at beta = 0 plain training:", torch.equal(trades(data.eps, beta=0.0)(undefended, x, y), plain))

# %%
betas = (1, 10)
knob = {"as they are": {0: clean}, "worst case": {0: left["undefended"]}}
for beta in betas:
    name, loss = f"TRADES {beta:g}", trades(data.eps, beta, steps=2, updates=updates)
    models[name], seconds[name] = trained(data, loss=loss, **how)
    left[name] = robust_accuracy(models[name], (x, y), worst, eps=data.eps)
    knob["as they are"][beta] = accuracy(models[name], (x, y))
    knob["worst case"][beta] = left[name]
plots.lines(knob, x="beta (0: plain training)")

# %% [markdown]
# The first weight on the second aim buys the most. Ten times the weight may buy more, and may cost clean accuracy:
# that is the trade.
#
# ## Free: one backward pass, used twice
#
# A backward pass gives the gradient for the weights *and* for the images.
# Shafahi et al. 2019 replay each batch a few times, and use both.


# %%
def replayed(eps, replays=4):
    """A loss for `fit`: each batch is kept for some updates, and its change climbs with them."""
    calls, batch, x_adv, delta = count(), None, None, 0.0

    def loss(model, x, y):
        nonlocal batch, x_adv, delta
        if x_adv is not None:  # fit's last backward pass left a gradient here
            delta = (delta + eps * x_adv.grad.sign()).clamp(-eps, eps)
        if next(calls) % replays == 0:
            batch = x, y  # a new batch begins with the change of the old
        x_adv = (batch[0] + delta).clamp(0, 1).requires_grad_()
        return F.cross_entropy(model(x_adv), batch[1])

    return loss


models["free"], seconds["free"] = trained(data, loss=replayed(data.eps), **how)
transform = attacked(data.eps, **kinds["random start"], updates=updates)
models["fast"], seconds["fast"] = trained(data, transform, **how)
for name in ("free", "fast"):
    left[name] = robust_accuracy(models[name], (x, y), worst, eps=data.eps)
plots.rates({f"worst case, {name}": left[name] for name in ("undefended", "free", "fast", "PGD")})

# %% [markdown]
# ## Training longer
#
# Plain training can run long without harm. Is robustness as patient?
# Few images make the question sharp. We watch the images it learns from, and others.


# %%
def on_each(model, splits, eps):
    """What ten steps leave of each split."""
    return [robust_accuracy(model, split, partial(pgd, steps=10), eps=eps) for split in splits]


some, held_out = data.train.take(200), data.test.take(200)
look = partial(on_each, splits=(some, held_out), eps=data.eps)
transform = attacked(data.eps, **kinds["two steps"], updates=updates)
transform, history = watched(transform, updates // 4, look)
torch.manual_seed(0)
fit(small_cnn(data), some, transform=transform, **how)
gap = {
    "images it learns from": {update: learned for update, (learned, _) in history.items()},
    "other images": {update: other for update, (_, other) in history.items()},
}
elsewhere = gap["other images"]
best, last = max(elsewhere.values()), elsewhere[max(elsewhere)]
measured("other images, at best", best)
measured("other images, at the end", last)
measured("stopping early would have gained clearly", best.clearly_above(last))
plots.lines(gap, x="updates of the weights", y="left after PGD")

# %% [markdown]
# Where the curves part, robustness is learned by heart, and does not carry over to other images.
# On large networks the lower curve even *falls* again (**robust overfitting**), and stopping early is the cure.
# Whether it would help here, the last line says.
#
# ## The bill
#
# Count the passes through the network, forward and backward, and the seconds.


# %%
def passes(data, *, updates=8, **defense):
    """Passes through the network, forward and backward, that an update takes."""
    model, counted = small_cnn(data), []
    model.register_forward_hook(lambda *_: counted.append("forward"))
    model[-1].register_full_backward_hook(lambda *_: counted.append("backward"))
    fit(model, data.train.take(64), updates=updates, **defense)
    return len(counted) / updates


defenses = {
    "undefended": {},
    "free": {"loss": replayed(data.eps)},
    "fast": {"transform": attacked(data.eps, **kinds["random start"])},
    "TRADES 1": {"loss": trades(data.eps, 1.0, steps=2)},
    "PGD": {"transform": attacked(data.eps, steps=3)},
}
bill = {name: passes(data, **defense) for name, defense in defenses.items()}
for name, number in bill.items():
    measured(name, {"passes an update": number, "seconds": seconds[name], "worst case": left[name]})

# %% [markdown]
# The price is paid once, in training: the defended model answers as fast as any.
#
# ## What it does not buy
#
# It was trained for one ball. What about twice the budget, another norm,
# or an attacker who turns the image a little and shifts it?
# That one tries a small grid of both and keeps what fools the model.


# %%
def turned(x, degrees, right, down):
    """The images turned, and shifted by shares of their size; what comes in from outside is background."""
    angle = math.radians(degrees)
    matrix = [[math.cos(angle), -math.sin(angle), 2 * right], [math.sin(angle), math.cos(angle), 2 * down]]
    matrix = torch.tensor(matrix, device=x.device).expand(len(x), 2, 3)
    places = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, places, align_corners=False).clamp(0, 1)


def worst_turn(model, x, y, *, degrees=(-15, 0, 15), shifts=(-0.0625, 0.0, 0.0625)):
    """For each image the first of a grid of turns and shifts that fools the model, or itself."""
    x_adv = x
    for turn in itertools.product(degrees, shifts, shifts):
        standing = (predict(model, x_adv) == y)[:, None, None, None]
        x_adv = torch.where(standing, turned(x, *turn), x_adv)
    return torch.where((predict(model, x_adv) == y)[:, None, None, None], x, x_adv)


plots.triptych(x, worst_turn(models["PGD"], x, y), models["PGD"], y=y)

# %% [markdown]
# A turn of 15 degrees and a shift of a sixteenth of the width: nobody would call that an attack.

# %%
shown = {name: models[name] for name in ("undefended", "PGD")}
pgd_margin = partial(pgd, steps=10, loss=attacks.margin)
radius = data.eps * math.sqrt(x[0].numel()) / 3
elsewhere = {
    f"twice the budget, {2 * data.eps:.2g}": lambda m, x, y, eps: pgd_margin(m, x, y, eps=2 * eps),
    f"another ball, L2 {radius:.2g}": lambda m, x, y, eps: pgd_margin(m, x, y, eps=radius, norm="l2"),
    "a turn and a shift": lambda m, x, y, eps: worst_turn(m, x, y),
}
kept = {name: {f"in the ball, {data.eps:.2g}": left[name]} for name in shown}
for name, model in shown.items():
    for row, attack in elsewhere.items():
        kept[name][row] = robust_accuracy(model, (x, y), attack, eps=data.eps)
plots.rates({f"{row}: {name}": kept[name][row] for row in kept["PGD"] for name in kept})

# %% [markdown]
# It helps in the other ball, because the two overlap.
# Against twice the budget, or a turn, which no small $L_\infty$ ball contains, much less is left.
# It is robust *to what it was trained on*.
#
# ## Compare

# %%
headline = {name: {"no attack": accuracy(model, (x, y))} for name, model in models.items()}
for name, rate in left.items():
    headline[name]["worst case"] = rate
plots.table(headline)

# %%
widgets.AttackExplorer(models["PGD"], data, attacks={"FGSM": attacks.fgsm, "PGD": attacks.pgd})

# %% [markdown]
# **Try.** Raise $\varepsilon$ beyond the budget: do the changes look like another digit now?
# On an undefended model (lesson 02) they looked like nothing.
#
# ## Verdict
#
# *Most valuable:* is what it keeps inside the ball also kept outside?
# *Essential:* does nothing hold without it, and is it enough?

# %%
base, pgd_kept = kept["undefended"], kept["PGD"]
inside, *others = pgd_kept
lost = [row for row in others if pgd_kept[row].clearly_below(pgd_kept[inside])]
helps = pgd_kept[inside].clearly_above(base[inside])
claim(
    "Adversarial training is the most valuable defense for vision",
    holds=None if helps and lost else helps,
    because=f"{inside}, it keeps {pgd_kept[inside]} where {base[inside]} were left; "
    + "; ".join(f"{row}, it keeps {pgd_kept[row]}" for row in others),
)

# %%
final = headline["PGD"]
needed = all(final["worst case"].clearly_above(left[name]) for name in ("undefended", "noise"))
enough = not final["worst case"].clearly_below(final["no attack"])
won = Rate(final["worst case"].n - final["worst case"].k, final["worst case"].n)
claim(
    "Adversarial training is essential in security-critical use",
    holds=needed and (enough or None),
    because=f"{left['undefended']} withstand the attacks without it, {left['noise']} after training on noise, "
    f"{final['worst case']} with it; inside the very ball the attacker still wins on {won}",
)

# %%
defended = [name for name in headline if name not in ("undefended", "noise")]
dearer = [name for name in defended if headline[name]["no attack"].clearly_below(clean)]
slower = bill["PGD"] / bill["undefended"]
claim(
    "Adversarial training costs accuracy and time",
    holds=True if len(dearer) == len(defended) else None if slower > 1 else bool(dearer),
    because=f"training takes {slower:g} times the passes; and {len(dearer)} of {len(defended)} defended models are "
    f"clearly less accurate than {clean} (with PGD: {final['no attack']})",
)

# %% [markdown]
# **To take to work.** Write down the ball first. Train in it with PGD or TRADES;
# fast training is a first try, to be watched.
# Judge by attacks that training did not use, also *beyond* the budget.
#
# **What it costs.** Several times the training, nothing afterwards; sometimes accuracy.
#
# ## The same in `utils`
#
# From here on `attacked` and `trades` are imported. They are these cells.

# %%
from utils import adversarial

weights = []
for module_attacked in (attacked, adversarial.attacked):
    transform = module_attacked(data.eps, steps=2, updates=20)
    few_updates, _ = trained(data, transform, updates=20)
    weights.append(few_updates[-1].weight)
print("the same weights:", torch.equal(*weights))

# %% [markdown]
# ## At a larger scale

# %%
from utils.larger import larger

larger("03_adversarial_training", headline)

# %% [markdown]
# ## Further
#
# - Madry et al. 2018, [arXiv:1706.06083](https://arxiv.org/abs/1706.06083). CIFAR-10 at 8/255: 87.14 % as they are,
#   47.04 % under 20 steps of PGD, 44.04 % under AutoAttack.
# - Zhang et al. 2019, [arXiv:1901.08573](https://arxiv.org/abs/1901.08573), TRADES. The same budget: 84.92 %,
#   and 53.08 % under AutoAttack.
# - Wong, Rice, Kolter 2020, [arXiv:2001.03994](https://arxiv.org/abs/2001.03994). Fast training in 12 minutes:
#   86.06 % and 46.06 %. Free training (Shafahi et al. 2019) took 785 minutes to 46.33 %, PGD 4,966 to 45.80 %.
# - Rice, Wong, Kolter 2020, [arXiv:2002.11569](https://arxiv.org/abs/2002.11569). Robust overfitting.
# - RobustBench, [robustbench.github.io](https://robustbench.github.io). In March 2025 the best model on CIFAR-10 kept
#   75.28 %, with 93.60 % as they are.
#
# Practise: [lab 03](../labs/03_adversarial_training.ipynb).
# Next: [04 · Building masks](04_building_masks.ipynb)
