# %% [markdown]
# # 02 · Stronger attackers
#
# > *"Our model withstands FGSM, so it is robust."* · *"We hide the gradients. Without gradients there is no attack."*
#
# One step found many mistakes. It did not find all.
# This lesson takes more steps, then better losses, then gives up gradients altogether,
# and ends with the number that counts: what is left after *every* attack.
#
# **You will build** PGD, CW, Square, RayS and the worst case over them.
# *About 45 minutes, after 01; the cells run in SECONDS s on two CPU cores.*

# %%
import math
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, evaluation, plots, widgets
from utils.claims import claim
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.models import mlp, predict, small_cnn
from utils.records import measured
from utils.training import fit

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = fit(small_cnn(data), data.train)
x, y = data.test.take(400)
clean = accuracy(model, (x, y))
measured("right on test images", clean)

# %% [markdown]
# ## The threat model
#
# | | first half | second half |
# |---|---|---|
# | **who** | someone who may send images | the same |
# | **knows** | the model and its weights (*white box*) | only the scores, or only the label (*black box*) |
# | **may change** | each pixel by $\varepsilon$, or $\varepsilon$ in length ($L_2$) | each pixel by $\varepsilon$ |
# | **wins when** | the predicted class is wrong | the same |
#
# ## The survivors
#
# Which images does one step leave standing?

# %%
x_all, y_all = data.test
right = predict(model, x_all) == y_all
standing = predict(model, attacks.fgsm(model, x_all, y_all, eps=data.eps)) == y_all
x_survived, y_survived = x_all[standing & right], y_all[standing & right]
measured("survive one step", Rate(len(y_survived), len(y_all)))
guess = widgets.ask("Of these survivors, how many survive many small steps as well?")
guess

# %% [markdown]
# ## The idea: look again
#
# FGSM looks once, from the start, and then leaps.
# Take small steps instead, look at the gradient again after each,
# and go back to the nearest allowed image ($\Pi$ is that projection):
#
# $$x_{t+1} = \Pi\left(x_t + \alpha \operatorname{sign}\nabla_x\, \ell(f(x_t), y)\right)$$


# %%
cross_entropy = partial(F.cross_entropy, reduction="none")  # (logits, y) -> (N,)


def gradient_of(loss, model, x, y):
    """The gradient of each image's own loss; loss is a function (logits, y) -> (N,)."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(model(x), y).sum(), x)
    return gradient


def project(x_adv, x, eps):
    """The nearest image to x_adv that is within eps of x in every pixel, and in [0, 1]."""
    return x_adv.clamp(x - eps, x + eps).clamp(0, 1)


def pgd(model, x, y, *, eps, steps=20, step=None, loss=cross_entropy):
    """Projected gradient ascent from a random start. Madry et al. 2018."""
    step = 2.5 * eps / steps if step is None else step  # enough to cross the ball
    x_adv = project(x + torch.empty_like(x).uniform_(-eps, eps), x, eps)
    for _ in range(steps):
        x_adv = project(x_adv + step * gradient_of(loss, model, x_adv, y).sign(), x, eps)
    return x_adv


# %% [markdown]
# The order matters: step, *then* project. And the random start matters too:
# it lets a second try find what the first missed.
#
# ## Is it right?
#
# On a linear model with weights $w$ and bias $b$ the answer is known:
# an image can fall if and only if its distance to the boundary,
# $|w \cdot x + b| / \lVert w \rVert_1$, is at most $\varepsilon$.

# %%
torch.manual_seed(0)
linear, points = nn.Linear(16, 2), 0.4 + 0.2 * torch.rand(500, 16)
w = linear.weight[1] - linear.weight[0]
linear.bias.data = -0.5 * linear.weight.sum(1)  # the boundary passes through the middle
labels, distance = linear(points).argmax(1), ((points - 0.5) @ w).abs() / w.abs().sum()
eps = distance.quantile(0.6).item()  # three in five are within reach
fell = linear(pgd(linear, points, labels, eps=eps)).argmax(1) != labels
reach = distance <= eps
measured("fell", {"of all": Rate(int(fell.sum()), len(fell)), "could fall:": Rate(int(reach.sum()), len(reach))})
print("the same ones:", fell.equal(reach))

# %% [markdown]
# ## The survivors again

# %%
torch.manual_seed(0)
left = accuracy(model, (pgd(model, x_survived, y_survived, eps=data.eps), y_survived))
measured("survive 20 small steps", left)
guess.reveal(left)

# %% [markdown]
# Part of what one step left standing falls to twenty small ones, in the same ball.
# "It survives FGSM" was a statement about FGSM.
#
# What did the extra looks find? At the end of the leap the gradient points elsewhere:

# %%
leap = attacks.fgsm(model, x_survived, y_survived, eps=data.eps)
before, after = (gradient_of(cross_entropy, model, at, y_survived).sign() for at in (x_survived, leap))
measured("pixels in which the gradient has turned", 100 * (before != after).float().mean(), "%")
grid = torch.linspace(0, 1.5 * data.eps, 7)
torch.manual_seed(0)
curves = {
    "one step (FGSM)": evaluation.sweep(model, attacks.fgsm, (x, y), eps=grid),
    "20 steps (PGD)": evaluation.sweep(model, pgd, (x, y), eps=grid),
}
plots.accuracy_curve(curves, mark=data.eps)

# %% [markdown]
# On a model without defense the gap is modest, because one step does most of the work.
# On a *defended* model it can be everything, as lessons 03 to 06 will show.
#
# ## How long, how often?
#
# PGD has knobs. First the length of a step, which is $2.5\,\varepsilon$ / steps if we say nothing:

# %%
shares = (0.01, 0.025, 0.05, 0.125, 0.25, 0.5, 1.0)
torch.manual_seed(0)
by_length = {}
for share in shares:
    x_adv = pgd(model, x, y, eps=data.eps, step=share * data.eps)
    by_length[share] = accuracy(model, (x_adv, y))
plots.lines(by_length, x="length of a step, as a share of eps (20 steps)", log=True)

# %% [markdown]
# With steps that are too short, twenty of them do not reach the edge of the ball.
# A weak setting *looks like robustness*: the left end of this curve is a number that somebody could publish.
#
# An attack without the knob cannot be set badly.
# Start with long steps, and halve them where the loss has stopped rising:


# %%
def auto_pgd(model, x, y, *, eps, steps=50):
    """PGD that halves an image's step if its loss has not risen for five steps, and goes back to its best."""
    x_adv, best, highest = x.clone(), x.clone(), torch.full_like(x[:, 0, 0, 0], -math.inf)
    step, waited = torch.full_like(highest, 2 * eps), torch.zeros_like(highest)
    for _ in range(steps):
        losses = cross_entropy(model(x_adv), y).detach()
        higher = losses > highest
        best, highest = torch.where(higher[:, None, None, None], x_adv, best), torch.maximum(losses, highest)
        waited = torch.where(higher, 0, waited + 1)
        stuck = waited >= 5
        step, waited = torch.where(stuck, step / 2, step), torch.where(stuck, 0, waited)
        x_adv = torch.where(stuck[:, None, None, None], best, x_adv)
        gradient = gradient_of(cross_entropy, model, x_adv, y)
        x_adv = project(x_adv + step[:, None, None, None] * gradient.sign(), x, eps)
    return best


# %%
x_auto = auto_pgd(model, x, y, eps=data.eps)
names = {0.01: "PGD, step eps / 100", 0.125: "PGD, step eps / 8", 1.0: "PGD, step eps"}
plots.rates({names[s]: by_length[s] for s in names} | {"finds its own step": accuracy(model, (x_auto, y))})

# %% [markdown]
# This is the idea of Auto-PGD (Croce & Hein 2020). `utils.attacks.apgd` adds their momentum and their schedule.
#
# The second knob is the number of *restarts*: every run begins at another random image.
# An image counts as robust only if **every** run fails.

# %%
torch.manual_seed(0)
still, x_again, by_restarts = torch.ones_like(y, dtype=torch.bool), x.clone(), {}
for restart in range(1, 9):
    x_adv = pgd(model, x, y, eps=data.eps)
    fell = still & (predict(model, x_adv) != y)
    x_again[fell], still = x_adv[fell], still & ~fell  # keep the first success
    by_restarts[restart] = Rate(int(still.sum()), len(y))
plots.lines(by_restarts, x="restarts")

# %% [markdown]
# It can only go down. If more and more restarts keep helping,
# the loss surface is rugged, and that is a warning sign in itself (lesson 05b).
#
# ## Another ball
#
# $L_\infty$ allows a little everywhere. $L_2$ bounds the length of the change as a whole.
# Two lines differ: the direction of a step, and the projection.


# %%
def length_of(delta):
    """The L2 length of each image's change, (N, 1, 1, 1)."""
    return delta.flatten(1).norm(dim=1)[:, None, None, None]


def pgd_l2(model, x, y, *, eps, steps=20, loss=cross_entropy):
    """Projected gradient ascent in the L2 ball, from x."""
    x_adv = x.clone()
    for _ in range(steps):
        gradient = gradient_of(loss, model, x_adv, y)
        gradient = gradient / length_of(gradient).clamp_min(1e-12)  # new: length 1 instead of signs
        delta = x_adv + 2.5 * eps / steps * gradient - x
        delta = delta * (eps / length_of(delta).clamp_min(1e-12)).clamp_max(1)  # new: shorten
        x_adv = (x + delta).clamp(0, 1)
    return x_adv


# %%
radius = data.eps * math.sqrt(x[0].numel()) / 3  # a third of the length of eps in every pixel
x_l2 = pgd_l2(model, x, y, eps=radius)
measured(f"left, L2 budget {radius:.3g}", accuracy(model, (x_l2, y)))
plots.triptych(x, x_l2, model, y=y)

# %% [markdown]
# The change is no longer the same everywhere: strong where it matters, faint elsewhere.
# Which ball is right? The one that your attacker has. Robustness in one need not carry over to the other
# (lesson 03 measures it).
#
# ## A loss that does not fall asleep
#
# Multiply all logits by 100. No prediction changes. Does the attack?


# %%
def margin(logits, y):
    """The best other logit minus the label's; above 0 the answer is wrong. Carlini & Wagner 2017."""
    own = y[:, None]
    return logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]


class Loud(nn.Module):
    """The same classifier with logits 100 times as large."""

    def forward(self, logits):
        return 100 * logits


# %%
loud = nn.Sequential(model, Loud())
asleep = (gradient_of(cross_entropy, loud, x, y).flatten(1).abs().amax(1) == 0) & (predict(loud, x) == y)
torch.manual_seed(0)
loudly = {
    "right answers": accuracy(loud, (x, y)),
    "left by PGD, cross-entropy": accuracy(loud, (pgd(loud, x, y, eps=data.eps), y)),
    "left by PGD, margin": accuracy(loud, (pgd(loud, x, y, eps=data.eps, loss=margin), y)),
}
measured("right, and with a gradient of exactly 0", Rate(int(asleep.sum()), len(y)))
plots.rates(loudly)

# %% [markdown]
# The model is as weak as before, and looks strong under cross-entropy:
# its answers are so sure that the loss rounds to 0, and the gradient with it.
# The margin cannot saturate. Lesson 06 meets this again, in a famous defense.
#
# ## How near is the nearest mistake?
#
# Instead of "is there a mistake within $\varepsilon$?" ask for the *nearest* one: minimise
# $\lVert\delta\rVert^2 - c \cdot \min(\text{margin}, 0)$, and raise $c$ while the answer is right.


# %%
def cw_l2(model, x, y, *, steps=100, lr=0.05):
    """The nearest mistake that gradient descent finds. After Carlini & Wagner 2017."""
    x_adv = x.clone().requires_grad_()
    nearest, shortest = x.clone(), torch.full((len(x), 1, 1, 1), math.inf, device=x.device)
    c, adam = torch.ones(len(x), device=x.device), torch.optim.Adam([x_adv], lr=lr)
    for _ in range(steps):
        lead, length = margin(model(x_adv), y), length_of(x_adv - x)
        adam.zero_grad()
        (length.square().flatten() - c * lead.clamp_max(0)).sum().backward(inputs=[x_adv])
        wrong = (lead > 0)[:, None, None, None]
        nearest = torch.where(wrong & (length < shortest), x_adv.detach(), nearest)
        shortest = torch.where(wrong, torch.minimum(length.detach(), shortest), shortest)
        c = torch.where(lead > 0, 0.95 * c, 1.05 * c)
        adam.step()
        x_adv.data.clamp_(0, 1)
    return nearest, shortest.flatten()


# %%
nearest, distances = cw_l2(model, x, y)
measured("distance to the nearest mistake, median", distances.median())
radii = [round(radius * k / 3, 2) for k in range(7)]
lengths = {
    "CW, one run": {r: Rate(int((distances > r).sum()), len(y)) for r in radii},
    "PGD, one run each": {r: accuracy(model, (pgd_l2(model, x, y, eps=r), y)) for r in radii},
}
plots.lines(lengths, x="L2 budget", mark=radius, mark_label="as above")

# %% [markdown]
# One run of CW draws the whole curve, and two attacks that work in different ways tell nearly the same.
# Trust in a robustness number is made of such agreement.
#
# ## Without gradients
#
# Now the second claim. The attacker no longer sees the weights.
# **First way:** train a model of one's own, attack *that*, and hope that the images transfer.

# %%
torch.manual_seed(1)
made_for = {"another architecture": mlp(data), "the same architecture": small_cnn(data)}
made_for = {name: fit(surrogate, data.train) for name, surrogate in made_for.items()}
moved = {}
for name, surrogate in made_for.items():
    moved[name] = attacks.transfer(model, x, y, eps=data.eps, surrogate=surrogate)
plots.rates({f"made for {name}": accuracy(model, (x_adv, y)) for name, x_adv in moved.items()})

# %% [markdown]
# The model was never asked, and yet it errs on some images that were made for a stranger.
# They are fewer than with its own gradient, and they cost not a single call.
#
# **Second way:** ask for scores. Put a square of $\pm\varepsilon$ somewhere; keep it if the margin rose.


# %%
def signs(*shape, like):
    """Random +1 and -1."""
    return torch.randint(0, 2, shape, device=like.device) * 2.0 - 1


@torch.no_grad()
def square(model, x, y, *, eps, queries=500):
    """Random search with ever smaller squares, and each image's calls. After Andriushchenko et al. 2020."""
    n, channels, height, width = x.shape
    x_adv = (x + eps * signs(n, channels, 1, width, like=x)).clamp(0, 1)  # vertical stripes
    lead, calls = margin(model(x_adv), y), torch.ones_like(y)
    for query in range(1, queries):
        calls += lead < 0
        side = max(1, round(height * math.sqrt(0.8 / 2 ** (8 * query / queries))))
        top, left = (torch.randint(room - side + 1, (1,)).item() for room in (height, width))
        part = (..., slice(top, top + side), slice(left, left + side))
        new = x_adv.clone()
        new[part] = (x[part] + eps * signs(n, channels, 1, 1, like=x)).clamp(0, 1)
        new_lead = margin(model(new), y)
        x_adv = torch.where((new_lead > lead)[:, None, None, None], new, x_adv)
        lead = torch.maximum(lead, new_lead)
    return x_adv, torch.where(lead > 0, calls, queries + 1)


# %% [markdown]
# **Third way:** see nothing but the label.
# Give each pixel a sign: how far along these signs is the first mistake? Bisection finds out, from labels alone.
# Flip the signs of a block of pixels, keep the flip if the mistake comes nearer, and go on with smaller blocks.


# %%
@torch.no_grad()
def rays(model, x, y, *, eps, queries=500):
    """The nearest mistake along signs, from labels alone, and each image's calls. After Chen & Gu 2020."""
    flat, blocks, size = x.flatten(1), [], x[0].numel()
    signs, radius, calls = torch.ones_like(flat), (predict(model, x) == y).float(), torch.zeros_like(y)

    def wrong(rows, signs, radius):
        calls[rows] += 1
        x_try = (flat[rows] + radius[:, None] * signs).clamp(0, 1)
        return predict(model, x_try.view_as(x[rows])) != y[rows]

    while len(rows := ((calls < queries) & (radius > eps)).nonzero()[:, 0]):
        if not blocks:  # begin again, with blocks half as large
            blocks, size = list(torch.arange(flat.shape[1]).split(size)), max(size // 2, 1)
        flipped = signs[rows]
        flipped[:, blocks.pop()] *= -1
        keep = wrong(rows, flipped, radius[rows])
        rows, flipped = rows[keep], flipped[keep]
        low, high = torch.zeros_like(radius[rows]), radius[rows]
        for _ in range(10 if len(rows) else 0):
            over = wrong(rows, flipped, (low + high) / 2)
            low, high = torch.where(over, low, (low + high) / 2), torch.where(over, (low + high) / 2, high)
        signs[rows], radius[rows] = flipped, high
    x_adv = (flat + radius.clamp_max(eps)[:, None] * signs).clamp(0, 1).view_as(x)
    return x_adv, torch.where(radius <= eps, calls, queries + 1)


# %%
torch.manual_seed(0)
x_square, calls_square = square(model, x, y, eps=data.eps)
x_rays, calls_rays = rays(model, x, y, eps=data.eps)
calls = {"scores (Square)": calls_square, "labels (RayS)": calls_rays}
by_calls = {
    name: {q: Rate(int((taken > q).sum()), len(y)) for q in (1, 3, 10, 30, 100, 300, 500)}
    for name, taken in calls.items()
}
plots.lines(by_calls, x="calls of the model for each image", log=True)

# %% [markdown]
# A few hundred calls do what gradients did, and they used nothing that a defense could have hidden.
#
# ## The worst case
#
# Which of all these numbers goes into the report? An image is robust only if *no* attack moves it:

# %%
torch.manual_seed(0)
found = {
    "FGSM": attacks.fgsm(model, x, y, eps=data.eps),
    "PGD, cross-entropy": pgd(model, x, y, eps=data.eps),
    "PGD, margin": pgd(model, x, y, eps=data.eps, loss=margin),
    "PGD, 8 restarts": x_again,
    "PGD, finds its own step": x_auto,
    "transfer": moved["the same architecture"],
    "scores only": x_square,
    "labels only": x_rays,
}
stands = {name: predict(model, x_adv) == y for name, x_adv in found.items()}
stands["worst case"] = torch.stack(list(stands.values())).all(0)  # (N,): no attack moves it
table = {name: Rate(int(stand.sum()), len(y)) for name, stand in stands.items()}
plots.rates({"no attack": clean} | table)

# %% [markdown]
# The last row is the honest one. No row above it can be lower, and where the attacks miss different images
# it is lower than all of them. It is still an *upper* bound. An attack that nobody has tried may do better;
# only a certificate bounds robustness from below (lesson 07).
#
# ## Play

# %%
widgets.AttackExplorer(model, data, attacks={"FGSM": attacks.fgsm, "PGD": attacks.pgd})

# %% [markdown]
# **Try.** Find an image that survives FGSM and falls to PGD. How many steps does it take?
# Then change the norm: which pixels does the $L_2$ attacker choose?
#
# ## Verdict

# %%
claim(
    "Surviving FGSM means being robust",
    holds=not left.clearly_below(Rate(left.n, left.n)),
    because=f"of the images that survive FGSM, {left} survive 20 steps of PGD in the same ball",
)

# %%
claim(
    "Without gradients there is no attack",
    holds=not min(table["scores only"], table["labels only"]).clearly_below(clean),
    because=f"right on {clean}; after 500 calls, {table['scores only']} from scores alone, "
    f"{table['labels only']} from labels alone",
)

# %% [markdown]
# **To take to work.** Report the worst case over several *kinds* of attack, with steps, restarts and losses stated.
# If a number rises when you make the attack weaker, that is normal;
# if it rises when you make it *stronger*, the evaluation is broken.
#
# **What it costs.** For each image: one step of FGSM, 20 steps of PGD, hundreds of calls without gradients.
# Attacking only what still stands makes the worst case of a weak model cheap.
#
# ## The same in `utils`
#
# From here on these attacks are imported. The shared ones check their input, take the norm as an argument,
# and leave an image alone once it has fallen.

# %%
torch.manual_seed(0)
mine = pgd(model, x[:200], y[:200], eps=data.eps)
shared = attacks.pgd(model, x[:200], y[:200], eps=data.eps, steps=20, early_stop=False, seed=0)
print("PGD finds the same images:", torch.allclose(mine, shared))
worst = accuracy(model, (attacks.worst_case(model, x, y, eps=data.eps), y))
plots.rates({"worst case, here": table["worst case"], "worst case, utils": worst})

# %% [markdown]
# ## Further
#
# - Madry et al. 2018, [arXiv:1706.06083](https://arxiv.org/abs/1706.06083), and their
#   [MNIST challenge](https://github.com/MadryLab/mnist_challenge): the same defended net keeps 92.5 % under 100 steps
#   of PGD, 89.6 % with 50 restarts, and 88.0 % under the best attack known.
# - Carlini & Wagner 2017, [arXiv:1608.04644](https://arxiv.org/abs/1608.04644): 100 % success on distilled networks.
# - Croce & Hein 2020, [arXiv:2003.01690](https://arxiv.org/abs/2003.01690): Auto-PGD and AutoAttack.
#   The net of Madry et al. on CIFAR-10: 47.0 % under PGD-20, 44.0 % under AutoAttack.
# - Andriushchenko et al. 2020, [arXiv:1912.00049](https://arxiv.org/abs/1912.00049): Square.
# - Chen & Gu 2020, [arXiv:2006.12792](https://arxiv.org/abs/2006.12792): RayS.
#
# Practise: [lab 02](../labs/02_stronger_attackers.ipynb).
# Next: [03 · Adversarial training](03_adversarial_training.ipynb)
