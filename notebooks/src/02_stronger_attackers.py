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
# *About 45 minutes; the cells run in 20 s on two CPU cores.*

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
from utils.training import fit

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = fit(small_cnn(data), data.train)
x, y = data.test.take(400)
clean = accuracy(model, (x, y))
clean

# %% [markdown]
# ## The threat model
#
# | | first half | second half |
# |---|---|---|
# | **who** | someone who may send images | the same |
# | **knows** | the model and its weights (*white box*) | only the scores, or only the label (*black box*) |
# | **may change** | each pixel by $\varepsilon$, or the image by $\varepsilon$ in length ($L_2$) | each pixel by $\varepsilon$ |
# | **wins when** | the predicted class is wrong | the same |
#
# ## The survivors
#
# Which images does one step leave standing?

# %%
x_all, y_all = data.test
right = predict(model, x_all) == y_all
standing = predict(model, attacks.fgsm(model, x_all, y_all, eps=data.eps)) == y_all
survived = standing & right
x_survived, y_survived = x_all[survived], y_all[survived]
print(f"{len(y_survived)} of {len(y_all)} images survive one step")

# %%
guess = widgets.predict("Of these survivors, how many survive many small steps as well?")
guess

# %% [markdown]
# Why did they survive? Here is the way from four of them to their FGSM points.

# %%
plots.line_of_loss(model, x_survived, y_survived, eps=data.eps)

# %% [markdown]
# Solid is what happens, dashed what the slope at the start foretells.
# Where the two part, the network bends: the corner that looked best from the start is not the best corner.
# An attacker who looks again on the way can turn.
#
# ## The idea: look again
#
# Take small steps, and after each go back to the nearest allowed image ($\Pi$ is that projection):
#
# $$x_{t+1} = \Pi\left(x_t + \alpha \operatorname{sign}\nabla_x\, \ell(f(x_t), y)\right)$$


# %%
def slope_of(loss, model, x, y):
    """The gradient of each image's own loss; loss is a function (logits, y) -> (N,)."""
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(loss(model(x), y).sum(), x)
    return slope


def project(x_adv, x, eps):
    """The nearest image to x_adv that is within eps of x in every pixel, and in [0, 1]."""
    return x_adv.clamp(x - eps, x + eps).clamp(0, 1)


# %%
cross_entropy = partial(F.cross_entropy, reduction="none")


def pgd(model, x, y, *, eps, steps=20, step=None, loss=cross_entropy):
    """Projected gradient ascent from a random start. Madry et al. 2018."""
    step = 2.5 * eps / steps if step is None else step  # enough to cross the ball
    x_adv = project(x + torch.empty_like(x).uniform_(-eps, eps), x, eps)
    for _ in range(steps):
        x_adv = project(x_adv + step * slope_of(loss, model, x_adv, y).sign(), x, eps)
    return x_adv


# %% [markdown]
# The order matters: step, *then* project. And the random start matters too:
# it lets a second try find what the first missed.
#
# ## Is it right?
#
# On a linear model with weights $w$ and bias $b$ we know the answer:
# an image can fall if and only if its distance $|w \cdot x + b| / \lVert w \rVert_1$ is at most $\varepsilon$.

# %%
torch.manual_seed(0)
linear = nn.Linear(16, 2)
points = 0.3 + 0.4 * torch.rand(500, 16)
labels = linear(points).argmax(1)
w, b = linear.weight[1] - linear.weight[0], linear.bias[1] - linear.bias[0]
distance = (points @ w + b).abs() / w.abs().sum()
eps = distance.quantile(0.6).item()  # three in five are within reach
fell = linear(pgd(linear, points, labels, eps=eps)).argmax(1) != labels
print(f"{int(fell.sum())} fell, {int((distance <= eps).sum())} could fall, the same ones:", fell.equal(distance <= eps))

# %% [markdown]
# ## The survivors again

# %%
torch.manual_seed(0)
left = accuracy(model, (pgd(model, x_survived, y_survived, eps=data.eps), y_survived))
guess.reveal(left)

# %% [markdown]
# A good part of what one step left standing falls to twenty small ones, in the same ball.
# "It survives FGSM" was a statement about FGSM.

# %%
grid = torch.linspace(0, 1.5 * data.eps, 7)
torch.manual_seed(0)
curves = {
    "one step (FGSM)": evaluation.sweep(model, attacks.fgsm, (x, y), eps=grid),
    "20 steps (PGD)": evaluation.sweep(model, pgd, (x, y), eps=grid),
}
plots.accuracy_curve(curves, mark=data.eps)

# %% [markdown]
# On a model without defense the gap is modest, since one step does most of the work.
# On a *defended* model it can be everything, as lessons 03 to 06 will show.
#
# ## How many steps, how long, how often?
#
# Three knobs. First the number of steps, then their length.

# %%
torch.manual_seed(0)
by_steps = {n: accuracy(model, (pgd(model, x, y, eps=data.eps, steps=n), y)) for n in (1, 2, 5, 10, 20, 40)}
plots.lines(by_steps, x="steps", log=True)

# %%
shares = (0.01, 0.025, 0.05, 0.125, 0.25, 0.5, 1.0)
torch.manual_seed(0)
by_length = {s: accuracy(model, (pgd(model, x, y, eps=data.eps, step=s * data.eps), y)) for s in shares}
plots.lines(by_length, x="length of a step, as a share of eps (20 steps)", log=True)

# %% [markdown]
# Too short, and twenty steps do not reach the edge. Too long, and they leap from corner to corner.
# Between the two lies a wide valley.
# A weak setting *looks like robustness*: the left end of this curve is a number that somebody could publish.


# %%
def auto_pgd(model, x, y, *, eps, steps=50):
    """PGD that halves an image's step when its loss has not risen for five steps, and goes back to its best."""
    x_adv, best, highest = x.clone(), x.clone(), torch.full_like(x[:, 0, 0, 0], -math.inf)
    step, waited = torch.full_like(highest, 2 * eps), torch.zeros_like(highest)
    for _ in range(steps):
        losses = cross_entropy(model(x_adv), y).detach()
        waited = torch.where(losses > highest, 0, waited + 1)
        best = torch.where((losses > highest)[:, None, None, None], x_adv, best)
        highest, stuck = torch.maximum(losses, highest), waited >= 5
        step, waited = torch.where(stuck, step / 2, step), torch.where(stuck, 0, waited)
        x_adv = torch.where(stuck[:, None, None, None], best, x_adv)
        x_adv = project(x_adv + step[:, None, None, None] * slope_of(cross_entropy, model, x_adv, y).sign(), x, eps)
    return best


# %%
torch.manual_seed(0)
plots.rates(
    {
        "PGD, step eps / 100": by_length[0.01],
        "PGD, step eps / 8": by_length[0.125],
        "PGD, step eps": by_length[1.0],
        "finds its own step": accuracy(model, (auto_pgd(model, x, y, eps=data.eps), y)),
    }
)

# %% [markdown]
# An attack without a knob cannot be set badly, and that is the point of Auto-PGD (Croce & Hein 2020).
# `utils.attacks.apgd` adds their momentum and their schedule.
#
# The third knob is the number of *restarts*. An image counts as robust only if **every** try fails:

# %%
torch.manual_seed(0)
still, by_restarts = torch.ones_like(y, dtype=torch.bool), {}
for restart in range(1, 9):
    still &= predict(model, pgd(model, x, y, eps=data.eps)) == y
    by_restarts[restart] = Rate(int(still.sum()), len(y))
plots.lines(by_restarts, x="restarts")

# %% [markdown]
# It can only go down. On an undefended model few restarts are enough;
# when more and more of them keep helping, the loss surface is rugged, which is itself a warning sign (lesson 05).
#
# ## Another ball
#
# $L_\infty$ allows a little everywhere. $L_2$ bounds the length of the change as a whole.
# Two lines change: the direction of a step, and the projection.


# %%
def length_of(delta):
    """The L2 length of each image's change, (N, 1, 1, 1)."""
    return delta.flatten(1).norm(dim=1)[:, None, None, None]


def pgd_l2(model, x, y, *, eps, steps=20, loss=cross_entropy):
    """Projected gradient ascent in the L2 ball, from x."""
    x_adv = x.clone()
    for _ in range(steps):
        slope = slope_of(loss, model, x_adv, y)
        x_adv = x_adv + 2.5 * eps / steps * slope / length_of(slope).clamp_min(1e-12)  # new: length 1, not signs
        delta = x_adv - x
        x_adv = (x + delta * (eps / length_of(delta).clamp_min(1e-12)).clamp_max(1)).clamp(0, 1)  # new: shorten
    return x_adv


# %%
radius = data.eps * math.sqrt(x[0].numel()) / 3  # a third of the length of a change by eps in every pixel
x_l2 = pgd_l2(model, x, y, eps=radius)
print(f"L2 budget {radius:.3g}:", accuracy(model, (x_l2, y)))
plots.triptych(x, x_l2, model, y=y)

# %% [markdown]
# The change now gathers on a few pixels that matter, and is strong there.
# Which ball is right? The one that your attacker has: robustness in one says little about the other,
# and lesson 03 measures how little.
#
# ## A loss that does not fall asleep
#
# Multiply all logits by 100. No prediction changes. Watch the attack.


# %%
def margin(logits, y):
    """The best other logit minus the label's: above 0 the answer is wrong. Carlini & Wagner 2017."""
    own = y[:, None]
    return logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]


class Loud(nn.Module):
    """The same classifier with logits 100 times as large."""

    def forward(self, logits):
        return 100 * logits


# %%
loud = nn.Sequential(model, Loud())
asleep = (slope_of(cross_entropy, loud, x, y).flatten(1).abs().amax(1) == 0) & (predict(loud, x) == y)
torch.manual_seed(0)
loudly = {
    "right answers": accuracy(loud, (x, y)),
    "left by PGD, cross-entropy": accuracy(loud, (pgd(loud, x, y, eps=data.eps), y)),
    "left by PGD, margin": accuracy(loud, (pgd(loud, x, y, eps=data.eps, loss=margin), y)),
}
print("right, and with a gradient of exactly 0:", Rate(int(asleep.sum()), len(y)))
plots.rates(loudly)

# %% [markdown]
# The model is as weak as before, and looks strong under cross-entropy.
# For a sure answer $\ell = -\log(1 - 10^{-40})$ rounds to 0, and so does its slope.
# The margin has no logarithm to saturate.
# Lesson 06 meets this again in a defense that was famous for it.
#
# ## How near is the nearest mistake?
#
# Instead of "is there a mistake within $\varepsilon$?" ask for the *nearest* one:
# minimise $\lVert\delta\rVert^2 - c \cdot \min(\text{margin}, 0)$, with $c$ raised while the answer is right.


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
print(f"median distance to the nearest mistake: {distances.median():.2f}")
radii = [radius * k / 3 for k in range(7)]
lengths = {
    "CW, one run": {r: Rate(int((distances > r).sum()), len(y)) for r in radii},
    "PGD, a run for each budget": {r: accuracy(model, (pgd_l2(model, x, y, eps=r), y)) for r in radii},
}
plots.lines(lengths, x="L2 budget", mark=radius, mark_label="as above")

# %% [markdown]
# One run of CW draws the whole curve, and two attacks that work in different ways agree.
# Such agreement is what trust in a robustness number is made of.
#
# ## Without gradients
#
# Now the second claim. The attacker no longer sees the weights.
# **First way:** train a model of one's own, attack *that*, and hope that the images transfer.

# %%
torch.manual_seed(1)
surrogate = fit(mlp(data), data.train)  # another architecture, other weights
transferred = accuracy(model, (attacks.transfer(model, x, y, eps=data.eps, surrogate=surrogate), y))
transferred

# %% [markdown]
# The model was never asked, and yet it errs on images made for a stranger.
#
# **Second way:** ask for scores. Try a random square of $\pm\varepsilon$; keep it if the margin rose.


# %%
def signs(*shape, like):
    """Random +1 and -1."""
    return torch.randint(0, 2, shape, device=like.device) * 2.0 - 1


@torch.no_grad()
def square(model, x, y, *, eps, queries=500):
    """Random search with ever smaller squares, and the calls that each image took. After Andriushchenko et al. 2020."""
    n, channels, height, width = x.shape
    x_adv = (x + eps * signs(n, channels, 1, width, like=x)).clamp(0, 1)  # vertical stripes
    lead, calls = margin(model(x_adv), y), torch.ones_like(y)
    for query in range(1, queries):
        calls += lead < 0
        side = max(1, round(height * math.sqrt(0.8 / 2 ** (8 * query / queries))))
        top, left = torch.randint(height - side + 1, (1,)).item(), torch.randint(width - side + 1, (1,)).item()
        part = (..., slice(top, top + side), slice(left, left + side))
        new = x_adv.clone()
        new[part] = (x[part] + eps * signs(n, channels, 1, 1, like=x)).clamp(0, 1)
        new_lead = margin(model(new), y)
        x_adv = torch.where((new_lead > lead)[:, None, None, None], new, x_adv)
        lead = torch.maximum(lead, new_lead)
    return x_adv, torch.where(lead > 0, calls, queries + 1)


# %% [markdown]
# **Third way:** see nothing but the label.
# Along a direction of signs, how far away is the mistake? Bisection finds out, from labels alone.
# Then flip the signs of a block of pixels, keep the flip if the mistake comes nearer, and take smaller blocks.


# %%
@torch.no_grad()
def rays(model, x, y, *, eps, queries=500):
    """The nearest mistake along signs, from labels alone, and the calls it took. After Chen & Gu 2020."""
    direction, radius, calls = torch.ones_like(x).flatten(1), torch.ones_like(x[:, 0, 0, 0]), torch.zeros_like(y)

    def wrong(rows, direction, radius):
        calls[rows] += 1
        delta = (radius[:, None] * direction).view(-1, *x.shape[1:])
        return model((x[rows] + delta).clamp(0, 1)).argmax(1) != y[rows]

    blocks, size = [], direction.shape[1]
    while len(rows := ((calls < queries) & (radius > eps)).nonzero()[:, 0]):
        if not blocks:  # halve the blocks
            blocks, size = list(torch.arange(direction.shape[1]).split(size)), max(size // 2, 1)
        flipped = direction[rows].clone()
        flipped[:, blocks.pop()] *= -1
        keep = wrong(rows, flipped, radius[rows])
        rows = rows[keep]
        direction[rows] = flipped[keep]
        low, high = torch.zeros_like(radius[rows]), radius[rows]
        for _ in range(10 if len(rows) else 0):
            over = wrong(rows, direction[rows], (low + high) / 2)
            low, high = torch.where(over, low, (low + high) / 2), torch.where(over, (low + high) / 2, high)
        radius[rows] = high
    x_adv = (x + (radius.clamp_max(eps)[:, None] * direction).view_as(x)).clamp(0, 1)
    return x_adv, torch.where(radius <= eps, calls, queries + 1)


# %%
torch.manual_seed(0)
x_square, calls_square = square(model, x, y, eps=data.eps)
x_rays, calls_rays = rays(model, x, y, eps=data.eps)
budgets = (1, 3, 10, 30, 100, 300, 500)
by_calls = {
    name: {q: Rate(int((calls > q).sum()), len(y)) for q in budgets}
    for name, calls in {"scores (Square)": calls_square, "labels (RayS)": calls_rays}.items()
}
plots.lines(by_calls, x="calls of the model for each image", log=True)

# %% [markdown]
# A few hundred calls do what gradients did, and nothing in the model was touched that a defense could hide.
# Labels alone cost more calls than scores. They do not save the model.
#
# ## The worst case
#
# Which of these numbers goes into the report? An image is robust if *no* attack moves it:


# %%
def worst_case(model, x, y, attacks, *, eps):
    """Each attack in turn on the images that still stand; each image keeps the first success."""
    x_worst = x.clone()
    for attack in attacks:
        rows = (predict(model, x_worst) == y).nonzero()[:, 0]
        x_adv = attack(model, x[rows], y[rows], eps=eps)
        won = predict(model, x_adv) != y[rows]
        x_worst[rows[won]] = x_adv[won]
    return x_worst


# %%
torch.manual_seed(0)
tried = [attacks.fgsm, pgd, partial(pgd, loss=margin), auto_pgd, lambda *a, **how: square(*a, **how)[0]]
worst = accuracy(model, (worst_case(model, x, y, tried, eps=data.eps), y))
table = {
    "no attack": clean,
    "FGSM": accuracy(model, (attacks.fgsm(model, x, y, eps=data.eps), y)),
    "PGD": by_steps[20],
    "PGD, 8 restarts": by_restarts[8],
    "transfer": transferred,
    "scores only": accuracy(model, (x_square, y)),
    "labels only": accuracy(model, (x_rays, y)),
    "worst case": worst,
}
plots.rates(table)

# %% [markdown]
# The last row is the honest one. It is still an *upper* bound: an attack that nobody has tried may do better.
# Only a certificate bounds it from below (lesson 07).
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
    because=f"right on {clean}; with 500 calls on {table['scores only']} from scores and {table['labels only']} from labels",
)

# %% [markdown]
# **To take to work.** Report the worst case over several *kinds* of attack, with steps, restarts and losses stated.
# If a number rises when you make the attack weaker, that is normal;
# if it rises when you make it *stronger*, the evaluation is broken.
#
# **What it costs.** For each image: one step of FGSM, 20 steps of PGD, hundreds of calls without gradients.
# Attacking only what still stands makes the worst case on a weak model cheap.
#
# ## The same in `utils`
#
# From here on these attacks are imported. The shared ones also check their input, leave alone what has fallen,
# and take the norm as an argument.

# %%
few = x[:200], y[:200]
torch.manual_seed(0)
mine = pgd(model, *few, eps=data.eps)
shared = attacks.pgd(model, *few, eps=data.eps, steps=20, early_stop=False, seed=0)
print("PGD, largest difference of a pixel:", f"{(mine - shared).abs().max():.0e}")

both = {
    "here": worst,
    "in utils": accuracy(model, (attacks.worst_case(model, x, y, eps=data.eps), y)),
}
plots.rates(both, x="accuracy left in the worst case")

# %% [markdown]
# ## Further
#
# - Madry et al. 2018, [arXiv:1706.06083](https://arxiv.org/abs/1706.06083), and their
#   [MNIST challenge](https://github.com/MadryLab/mnist_challenge): the same defended net keeps 92.5 % under 100 steps
#   of PGD, 89.6 % with 50 restarts, and 88.0 % under the best attack known.
# - Carlini & Wagner 2017, [arXiv:1608.04644](https://arxiv.org/abs/1608.04644): 100 % success on distilled networks.
# - Croce & Hein 2020, [arXiv:2003.01690](https://arxiv.org/abs/2003.01690): Auto-PGD and AutoAttack. The net of Madry et
#   al. on CIFAR-10: 47.0 % under PGD-20, 44.0 % under AutoAttack.
# - Andriushchenko et al. 2020, [arXiv:1912.00049](https://arxiv.org/abs/1912.00049): Square.
# - Chen & Gu 2020, [arXiv:2006.12792](https://arxiv.org/abs/2006.12792): RayS.
#
# Next: 03 · Adversarial training
