# %% [markdown]
# # 02 · Stronger attackers
#
# > *"Our model withstands FGSM, so it is robust."* · *"We hide the gradients. Without gradients there is no attack."*
#
# One step found many mistakes. It did not find all.
# This lesson takes more steps, then better losses, then gives up gradients altogether,
# and ends with the number that counts: what is left after *every* attack.
#
# **You will build** PGD, CW, transfer, Square, RayS and the worst case over them.
# *About 50 minutes, after 01; the cells run in SECONDS s on two CPU cores.*

# %%
import math
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, evaluation, plots, widgets
from utils.claims import claim
from utils.data import load
from utils.evaluation import Rate, Trainings, accuracy
from utils.models import mlp, predict, small_cnn
from utils.records import measured
from utils.training import fit
from utils.usual import undefended

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = undefended(data)
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
# | **has** | – | the training images and their labels, which are public |
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
# Many images that one step left standing fall to twenty small ones, in the same ball.
# "It survives FGSM" was a statement about FGSM.
#
# What did the extra looks find? At the end of the leap the gradient points elsewhere. Of all pixels of the survivors:

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
# On a model without defense one step already does most of the work.
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
def auto_pgd(model, x, y, *, eps, steps=20):
    """PGD that halves an image's step if its loss has not risen for three steps, and goes back to its best."""
    x_adv, best, highest = x.clone(), x.clone(), torch.full_like(x[:, 0, 0, 0], -math.inf)
    step, waited = torch.full_like(highest, 2 * eps), torch.zeros_like(highest)
    for _ in range(steps):
        losses = cross_entropy(model(x_adv), y).detach()
        higher = losses > highest
        best, highest = torch.where(higher[:, None, None, None], x_adv, best), torch.maximum(losses, highest)
        waited = torch.where(higher, 0, waited + 1)
        stuck = waited >= 3
        step, waited = torch.where(stuck, step / 2, step), torch.where(stuck, 0, waited)
        x_adv = torch.where(stuck[:, None, None, None], best, x_adv)
        gradient = gradient_of(cross_entropy, model, x_adv, y)
        x_adv = project(x_adv + step[:, None, None, None] * gradient.sign(), x, eps)
    return best


# %%
x_auto = auto_pgd(model, x, y, eps=data.eps)
for share, name in {0.01: "PGD, step eps / 100", 0.125: "PGD, step eps / 8", 1.0: "PGD, step eps"}.items():
    measured(name, by_length[share])
measured("finds its own", accuracy(model, (x_auto, y)))

# %% [markdown]
# This is the idea of Auto-PGD (Croce & Hein 2020). `utils.attacks.apgd` adds their momentum and their schedule.
#
# The second knob is the number of *restarts*: every run begins at another random image.
# An image counts as robust only if **every** run fails. A *pass* is once forward and once backward; a run has 20.

# %%
torch.manual_seed(0)
still, x_again, by_restarts = torch.ones_like(y, dtype=torch.bool), x.clone(), {}
for restart in range(1, 9):
    rows = still.nonzero()[:, 0]  # what has fallen is left alone
    x_adv = pgd(model, x[rows], y[rows], eps=data.eps)
    fell = predict(model, x_adv) != y[rows]
    x_again[rows[fell]], still[rows[fell]] = x_adv[fell], False
    by_restarts[20 * restart] = Rate(int(still.sum()), len(y))
for restarts in (1, 2, 4, 8):
    measured(f"left after {restarts} x 20 passes", by_restarts[20 * restarts])

# %% [markdown]
# The number can only go down. If more and more restarts keep helping,
# the loss surface is rugged, and that is a warning sign in itself (lesson 05b).
#
# ## Another ball
#
# $L_\infty$ allows a little everywhere. $L_2$ bounds the length of the change as a whole.
# Two lines differ: the direction of a step, and the projection. (And it starts at x.)


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
measured(f"left by 20 steps, L2 budget {radius:.3g}", accuracy(model, (x_l2, y)))
plots.triptych(x, x_l2, model, y=y)

# %% [markdown]
# The change is no longer the same everywhere: strong where it matters, faint elsewhere.
# Which ball is right? The one that your attacker has. Robustness in one need not carry over to the other
# (lesson 03 measures it).
#
# ## A loss that does not fall asleep
#
# Multiply all logits by 100, or by 1/100. No prediction changes. Does the attack?
# Two more losses: the *margin*, and the margin divided by a length that scales as it does.


# %%
def margin(logits, y):
    """The best other logit minus the label's; above 0 the answer is wrong. Carlini & Wagner 2017."""
    own = y[:, None]
    return logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]


def dlr(logits, y):
    """The margin as a share of the lead of the first logit over the third. Croce & Hein 2020, section 4."""
    first, _, third = logits.topk(3).values.unbind(1)
    return margin(logits, y) / (first - third)


class Scaled(nn.Module):
    """The same answers, louder or softer."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, logits):
        return self.factor * logits


# %%
by_scale = {"cross-entropy": {}, "margin": {}, "DLR": {}}
for factor in (0.01, 0.1, 1, 10, 100):
    scaled = nn.Sequential(model, Scaled(factor))
    for name, loss in zip(by_scale, (cross_entropy, margin, dlr), strict=True):
        torch.manual_seed(0)
        by_scale[name][factor] = accuracy(scaled, (pgd(scaled, x, y, eps=data.eps, loss=loss), y))
asleep = (gradient_of(cross_entropy, scaled, x, y).flatten(1).abs().amax(1) == 0) & (predict(scaled, x) == y)
measured("right at 100 times the logits, and with a gradient of exactly 0", Rate(int(asleep.sum()), len(y)))
plots.lines(by_scale, x="all logits times", log=True)

# %% [markdown]
# The model is as weak at the right end as in the middle, and looks strong under cross-entropy:
# its answers are so sure that the loss rounds to 0, and the gradient with it. Lesson 06 meets this again,
# in a famous defense. (At the left end it weighs all wrong classes alike, near ones and far ones.)
#
# The other two cannot saturate. A *signed* step forgets how long a gradient is, so the margin serves here.
# The DLR loss is free of scale in its *value* too. That counts wherever losses are compared or added up,
# over models or over draws of a random one.
#
# ## Rival by rival
#
# In the middle of the picture is the model as it is. Cross-entropy and margin may miss different images there. Why?


# %%
def rivals(model, x, y):
    """The wrong classes of each image, likeliest first, (classes - 1, N)."""
    with torch.no_grad():
        order = model(x).scatter(1, y[:, None], -math.inf).argsort(1, descending=True)
    return order.T[:-1]


first = rivals(model, x, y)
climbed = {}
for name, loss in {"cross-entropy": cross_entropy, "margin": margin}.items():
    torch.manual_seed(0)
    climbed[name] = pgd(model, x, y, eps=data.eps, loss=loss)
same = (rivals(model, climbed["margin"], y)[0] == first[0]) & (predict(model, x) == y)
measured("after the climb of the margin the nearest rival is the one from the start", Rate(int(same.sum()), len(y)))
reached = {name: predict(model, x_adv) for name, x_adv in climbed.items()}
only = (reached["cross-entropy"] != y) & (reached["margin"] == y)
elsewhere = only & (reached["cross-entropy"] != first[0])
counts = {"images": int(only.sum()), "to another rival": int(elsewhere.sum())}
measured("fell to cross-entropy and not to the margin", counts)

# %% [markdown]
# The margin sees one rival, the nearest, and mostly holds on to it.
# Cross-entropy sees all of them, weighs each by its probability, and may arrive at another.
# So give each rival a turn, and let an image fall if any turn brings it down:


# %%
def toward(rival):
    """A loss that climbs to one class each, whatever lies nearer."""
    return lambda logits, y: (logits.gather(1, rival[:, None]) - logits.gather(1, y[:, None]))[:, 0]


torch.manual_seed(0)
still, x_rivals, by_rival = torch.ones_like(y, dtype=torch.bool), x.clone(), {}
for passes, rival in zip(range(20, 161, 20), first, strict=False):
    rows = still.nonzero()[:, 0]
    x_adv = pgd(model, x[rows], y[rows], eps=data.eps, loss=toward(rival[rows]))
    fell = predict(model, x_adv) != y[rows]
    x_rivals[rows[fell]], still[rows[fell]] = x_adv[fell], False
    by_rival[passes] = Rate(int(still.sum()), len(y))
for passes in (20, 40, 80, 160):
    left_by = {"cross-entropy again": by_restarts[passes], "margin, next rival": by_rival[passes]}
    measured(f"left after {passes} passes", left_by)

# %% [markdown]
# The first turn is much like the margin's own run. Each further one is told of another class, where a restart is told
# the same thing from another side. Whether that finds more depends on the model, and on this one it does not:
# the rivals begin with more images left than the restarts, and end about level with them. APGD-T, the part of
# AutoAttack that decides most evaluations today, is made so (`utils.attacks.apgd_t`).
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
# One run of CW draws the whole curve, and the two nearly agree: neither is badly set. (The median is over the same
# *n* images as the curves; one that is misread from the start has a distance of 0.)
# That is no ground for trust. Both follow the same gradient, and what hides it from one hides it from the other
# (lesson 04). What counts is agreement between attacks that are *told different things*. So take the gradient away.
#
# ## Without gradients
#
# Now the second claim. The attacker no longer sees the weights.
# **First way:** train models of one's own, attack *these*, and hope that the images transfer.
# Two refinements: *momentum* keeps the direction of earlier steps, and a *committee* of several models
# is attacked through its mean logits.


# %%
class Committee(nn.Module):
    """Several models as one, through the mean of their logits. Dong et al. 2018, section 3.4."""

    def __init__(self, members):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x):
        return torch.stack([member(x) for member in self.members]).mean(0)


def climb(model, x, y, *, eps, steps, momentum=0.0):
    """PGD from x to its last step, with momentum as in Dong et al. 2018, algorithm 1."""
    x_adv, velocity = x.clone(), torch.zeros_like(x)
    for _ in range(steps):
        gradient = gradient_of(cross_entropy, model, x_adv, y)
        mean = gradient.flatten(1).abs().mean(1)[:, None, None, None].clamp_min(1e-30)
        velocity = momentum * velocity + gradient / mean  # no step counts more than another
        x_adv = project(x_adv + 2.5 * eps / steps * velocity.sign(), x, eps)
    return x_adv


# %%
torch.manual_seed(1)
strangers = {make.__name__: [fit(make(data), data.train) for _ in range(3)] for make in (mlp, small_cnn)}
everyone = Committee(strangers["mlp"] + strangers["small_cnn"])
ways = {
    "one step": lambda model, x, y, *, eps, steps: attacks.fgsm(model, x, y, eps=eps),
    "PGD, stops early": attacks.pgd,  # as soon as the model that it is shown errs
    "PGD, to the last step": climb,
    "PGD with momentum": partial(climb, momentum=1.0),
}
by_way = {way: {} for way in ways}
for way, attack in ways.items():
    for name, models in strangers.items():  # 24 passes through one model ...
        moved = [attack(stranger, x, y, eps=data.eps, steps=24) for stranger in models]
        by_way[way][f"one {name}"] = Trainings(accuracy(model, (x_adv, y)) for x_adv in moved)
    x_moved = attack(everyone, x, y, eps=data.eps, steps=4)  # ... or 4 through six
    by_way[way]["all six"] = accuracy(model, (x_moved, y))
plots.table(by_way)

# %% [markdown]
# Accuracy left to the model, which was never asked; under *one* the mean over three strangers, each on its own.
#
# The second row is a trap: an image that stops where the *stranger* first errs has often not gone far enough for
# another model. And what fools six at once fools this model more often: for as many passes, but in the row *one
# step*, where one becomes six. Momentum won a competition on large networks in 2017; the last two rows say what it
# does here.
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
        rows = (lead <= 0).nonzero()[:, 0]  # what has fallen is left alone
        calls[rows] += 1
        side = max(1, round(height * math.sqrt(0.8 / 2 ** (8 * query / queries))))
        top, left = (torch.randint(room - side + 1, (1,)).item() for room in (height, width))
        part = (..., slice(top, top + side), slice(left, left + side))
        new = x_adv[rows]
        new[part] = (x[rows][part] + eps * signs(len(rows), channels, 1, 1, like=x)).clamp(0, 1)
        new_lead = margin(model(new), y[rows])
        higher = new_lead > lead[rows]
        x_adv[rows[higher]], lead[rows[higher]] = new[higher], new_lead[higher]
    return x_adv, torch.where(lead > 0, calls, queries + 1)


# %% [markdown]
# **Third way:** see nothing but the label.
# Give each pixel a sign: how far along these signs is the first mistake? Bisection finds out, from labels alone.
# Flip the signs of a block of pixels, keep the flip if the mistake comes nearer, and go on with smaller blocks.


# %%
def errs(model, x, y, signs, radius):
    """Whether the model errs at this distance along the signs, (N,) bool: one call for each image."""
    return predict(model, (x + radius[:, None, None, None] * signs).clamp(0, 1)) != y


def bisect(model, x, y, signs, high):
    """The distance, at most `high`, from which on the model errs along the signs: ten calls for each image."""
    low = torch.zeros_like(high)
    for _ in range(10):
        over = errs(model, x, y, signs, (low + high) / 2)
        low, high = torch.where(over, low, (low + high) / 2), torch.where(over, (low + high) / 2, high)
    return high


def rays(model, x, y, *, eps, queries=500):
    """The signs with the nearest mistake, from labels alone; its distance; the calls. After Chen & Gu 2020."""
    signs, radius, calls = torch.ones_like(x), (predict(model, x) == y).float(), torch.ones_like(y)
    first, size = 0, x[0].numel()  # the block of pixels to flip next
    while len(rows := ((calls < queries) & (radius > eps)).nonzero()[:, 0]):
        flipped = signs[rows].flatten(1)
        flipped[:, first : first + size] *= -1
        flipped = flipped.view_as(x[rows])
        nearer = errs(model, x[rows], y[rows], flipped, radius[rows])
        calls[rows] += 1
        rows, flipped = rows[nearer], flipped[nearer]  # the others keep their signs
        signs[rows], radius[rows] = flipped, bisect(model, x[rows], y[rows], flipped, radius[rows])
        calls[rows] += 10
        first, size = (first + size, size) if first + size < x[0].numel() else (0, max(size // 2, 1))
    return signs, radius, calls


# %%
one = (predict(model, x) == y).nonzero()[:1, 0]  # an image that is right
search = {q: rays(model, x[one], y[one], eps=0.0, queries=q) for q in (15, 40, 100, 300)}
shown = {
    "signs": torch.cat([(1 + signs) / 2 for signs, _, _ in search.values()]),
    "nearest mistake": torch.cat([(x[one] + radius * signs).clamp(0, 1) for signs, radius, _ in search.values()]),
}
captions = {"signs": [f"{q} calls" for q in search]}
captions["nearest mistake"] = [f"at {radius.item():.2f}" for _, radius, _ in search.values()]
plots.gallery(shown, captions, largest=1.1)

# %% [markdown]
# Dark is plus, light is minus: first whole blocks, in the end single pixels.
# Below each pattern stands the first image along its signs that is misread, and how far each pixel had to move.
#
# How many calls does each kind of knowledge cost? The sizes of Square's squares depend on how many calls it may make:
# a run for 500, stopped at 100, is still putting down large squares. So it runs anew for each number of calls.
# For comparison: PGD with its restarts, a pass counted as a call.

# %%
budgets, by_scores = (1, 3, 10, 30, 100, 300, 500), {}
for queries in budgets:
    torch.manual_seed(0)
    x_square, calls_square = square(model, x, y, eps=data.eps, queries=queries)  # the last run is the longest
    by_scores[queries] = Rate(int((calls_square > queries).sum()), len(y))
signs_rays, radius, calls_rays = rays(model, x, y, eps=data.eps)
x_rays = (x + radius.clamp_max(data.eps)[:, None, None, None] * signs_rays).clamp(0, 1)
calls_rays = torch.where(radius > data.eps, 501, calls_rays)
by_labels = {queries: Rate(int((calls_rays > queries).sum()), len(y)) for queries in budgets}
by_calls = {"scores (Square)": by_scores, "labels (RayS)": by_labels}
one_step = accuracy(model, (attacks.fgsm(model, x, y, eps=data.eps), y))
plots.lines({"gradients (FGSM, then PGD)": {1: one_step} | by_restarts} | by_calls, x="calls or passes", log=True)

# %% [markdown]
# A gradient is worth much: the attacker who sees it is done first, by far. The others are slower, not stopped.
# Scores can be hidden, too: an interface may return the label alone. The label cannot. It is the answer.
#
# ## The worst case
#
# Which of all these numbers goes into the report? An image is robust only if *no* attack moves it:

# %%
found = {
    "FGSM, 1 pass": attacks.fgsm(model, x, y, eps=data.eps),
    "PGD, cross-entropy, 20 passes": climbed["cross-entropy"],
    "PGD, margin, 20 passes": climbed["margin"],
    "PGD, finds its own step, 20 passes": x_auto,
    "PGD, 8 restarts, 160 passes": x_again,
    "PGD, rival by rival, 160 passes": x_rivals,
    "transfer from six, no call": x_moved,
    "scores only, 500 calls": x_square,
    "labels only, 500 calls": x_rays,
    "all that utils has": attacks.worst_case(model, x, y, eps=data.eps),  # stronger versions, and more of them
}
stands = {name: predict(model, x_adv) == y for name, x_adv in found.items()}
stands["worst case"] = torch.stack(list(stands.values())).all(0)  # (N,): no attack moves it
table = {name: Rate(int(stand.sum()), len(y)) for name, stand in stands.items()}
plots.rates({"no attack": clean} | table)

# %% [markdown]
# The last row is the honest one: no row above it can be lower. It is still an *upper* bound.
# An attack that nobody has tried may do better;
# only a certificate bounds robustness from below (lesson 07).
#
# ## Play

# %%
widgets.AttackExplorer(model, data, attacks={"FGSM": attacks.fgsm, "PGD": attacks.pgd})

# %% [markdown]
# **Try.** Find an image that survives FGSM and falls to PGD. How many steps does it take?
# Then change the norm: which pixels does the $L_2$ attacker choose?
# (The widget counts 100 of the images above, so its rates differ from those above.)
#
# ## Verdict

# %%
claim(
    "Surviving FGSM means being robust",
    holds=not left.clearly_below(Rate(left.n, left.n)),
    because=f"of the images that survive FGSM, {left} survive 20 steps of PGD in the same ball",
    undefended=clean,
)

# %%
claim(
    "Without gradients there is no attack",
    holds=not min(by_calls["scores (Square)"][500], by_calls["labels (RayS)"][500]).clearly_below(clean),
    because=f"right on {clean}; after 500 calls, {by_calls['scores (Square)'][500]} from scores alone, "
    f"{by_calls['labels (RayS)'][500]} from labels alone",
    undefended=clean,
)

# %% [markdown]
# **To take to work.** Report the worst case over several *kinds* of attack, with steps, restarts and losses stated.
# More steps, more restarts or a larger budget should never leave clearly *more*: if they do, something in the
# evaluation is wrong. Another loss may leave more. It misses other images, and so an image counts as robust only if
# all fail.
#
# **What it costs.** For each image: one pass of FGSM, 20 of PGD, hundreds of calls without gradients.
# Attacking only what still stands makes the worst case of a weak model cheap.
#
# ## The same in `utils`
#
# From here on these attacks are imported. The shared ones check their input, take the norm as an argument,
# and, but for `transfer`, leave an image alone once it has fallen.

# %%
torch.manual_seed(0)
mine = pgd(model, x[:200], y[:200], eps=data.eps)
shared = attacks.pgd(model, x[:200], y[:200], eps=data.eps, steps=20, early_stop=False, seed=0)
print("PGD finds the same images:", torch.allclose(mine, shared))
how = {"eps": data.eps, "steps": 4, "momentum": 1.0}
mine, six = climb(everyone, x[:200], y[:200], **how), list(everyone.members)
shared = attacks.transfer(model, x[:200], y[:200], surrogate=six, start=False, **how)
print("transfer finds the same images:", torch.allclose(mine, shared))

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
#   Chen & Gu 2020, [arXiv:2006.12792](https://arxiv.org/abs/2006.12792): RayS.
# - Dong et al. 2018, [arXiv:1710.06081](https://arxiv.org/abs/1710.06081): momentum and committees, which won both
#   competitions of attacks at NIPS 2017.
#
# Practise: [lab 02](../labs/02_stronger_attackers.ipynb).
# Next: [03 · Adversarial training](03_adversarial_training.ipynb)
