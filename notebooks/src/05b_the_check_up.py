# %% [markdown]
# # 05b · The check-up
#
# > *"Strong attacks find nothing, so the model is robust."*
#
# Or the attacks are broken. Lesson 05 took masks off that it knew. Here nobody tells us that a model is masked:
# we look for the signs, then we test the *attack*, and at last two defenses meet under one threat model.
#
# **You will build** a test that an attack must pass: examples that were planted, and that it has to find.
# *About 30 minutes, after 05; the cells run in SECONDS s on two CPU cores.*

# %%
from functools import partial
from time import perf_counter

import torch
from torch import nn

from utils import attacks, plots, widgets
from utils.checkup import examine, planted_found
from utils.claims import claim
from utils.data import load
from utils.duel import Defense
from utils.evaluation import Rate, accuracy
from utils.masking import JPEG, Averaged, Cooled, OpenMedian, Quantize, Saturate, StraightThrough, masked
from utils.models import predict
from utils.records import measured
from utils.usual import hardened, undefended

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = undefended(data)
fixed = ["quantised", "median", "JPEG", "saturated", "k winners", "scrambled"]  # those that draw no random numbers
models = {"undefended": model} | masked(model, data, names=fixed)
x, y = data.test.take(200)

# %% [markdown]
# ## The masking check-up
#
# Nobody tells you that a model is masked; often its owner does not know.
# But masks betray themselves: in lesson 05 by gradients of 0, by answers that change,
# by attacks without gradients that beat those with. `examine` asks all such questions of any classifier.

# %%
few = data.test.take(100)
report = examine(models["quantised"], *few, eps=data.eps)
report

# %% [markdown]
# Each flag is a comparison with a statistical test: how many inputs show the sign, against the share that honest models
# may show. *p* is the chance of so many or more at that share; a small one raises the flag. (The inputs are those that
# the model gets right.) The last line is what to do next, and what it leaves: here it found the layer that hides
# the gradient.

# %%
honest = examine(model, *few, eps=data.eps)
for name, said in {"quantised": report, "undefended": honest}.items():
    measured(f"flags of the {name} model", {"raised": len(said.flags), "which:": said.flags})
    measured(f"adaptive attack on the {name} model", {"is": said.recommended.name, "leaves": said.adapted})

# %% [markdown]
# No flag is *not* a proof of robustness: the undefended model raises none, and falls.
# It says only that the check-up saw no sign against this model's gradients.
#
# ## Who tests the attack?
#
# An attack that finds nothing may be at the end of the hill, or blind, or wrong in a line of code.
# So give it a task whose answer is known: **plant** an adversarial example, and see whether it is found.
# Zimmermann et al. 2022 did so with thirteen published evaluations. Eleven failed.
#
# The network's body stays, with its mask. Its last layer goes: in its place comes a line that calls
# the image and what lies around it 0, and one chosen corner of the ball 1.


# %%
def around(x, eps, count, corners):
    """`count` random points, or corners, of the ball of radius eps around one image (1, ...)."""
    noise = 2 * torch.rand(count, *x.shape[1:], device=x.device) - 1
    return (x + eps * (noise.sign() if corners else noise)).clamp(0, 1)


def line_between(inner, planted):
    """Weights and bias of a line with the features `inner` (points, features) below 0, and `planted` above, or None."""
    middle = inner.mean(0)
    spread = (inner - middle).T @ (inner - middle) / len(inner)
    spread += 3 * spread.diagonal().mean() * torch.eye(len(middle), device=inner.device)  # so that it has an inverse
    weight = torch.linalg.solve(spread, planted - middle)  # Fisher 1936
    top, nearest = float(planted @ weight), float((inner @ weight).max())
    bias = -(nearest + 0.999 * (top - nearest))  # as near to the planted one as can be
    scale = 10 / -float((inner @ weight).median() + bias)  # logits of the size that networks have
    return (scale * weight, scale * bias) if top > nearest else None


# %%
@torch.no_grad()
def plant(model, x, eps):
    """A two-class twin of `model` that calls the image x (1, ...) 0, and the corner that was planted; or None."""
    *body, last = model  # the last layer is linear
    body = nn.Sequential(*body)
    corner = around(x, eps, 1, corners=True)
    inner = torch.cat([x, around(x, 0.95 * eps, 150, corners=True), around(x, 0.95 * eps, 150, corners=False)])
    line = line_between(body(inner), body(corner)[0])
    if line is None:
        return None
    readout = nn.Linear(last.in_features, 2).to(x.device)
    readout.weight.copy_(torch.stack([0 * line[0], line[0]]))
    readout.bias.copy_(torch.tensor([0.0, line[1]]))
    return nn.Sequential(body, readout).eval(), corner


# %% [markdown]
# **Is it right?** In each twin the image is 0, its corner 1, and the corner lies in the ball.
# Now there *is* an adversarial example for each, within the budget. That is known, and the attack is not told where.

# %%
torch.manual_seed(0)
planted = [(x[i : i + 1], plant(model, x[i : i + 1], data.eps)) for i in range(60)]
planted = [(image, *both) for image, both in planted if both is not None]
kept = all(predict(twin, image) == 0 and predict(twin, corner) == 1 for image, twin, corner in planted)
inside = all(float((corner - image).abs().max()) <= data.eps + 1e-6 for image, _, corner in planted)
print("0 and 1 as planned:", kept, "· within the budget:", inside)
measured("planted", Rate(len(planted), 60))


# %%
def finds(attack):
    """How many of the planted examples an attack finds."""
    zero = torch.zeros(1, dtype=torch.int64, device=x.device)
    hits = [predict(twin, attack(twin, image, zero, eps=data.eps)).item() for image, twin, _ in planted]
    return Rate(sum(hits), len(hits))


def by_chance(model, x, y, *, eps):
    """The best of 200 random points and corners: what an attack must do better than."""
    tries = torch.cat([around(x, eps, 100, corners=True), around(x, eps, 100, corners=False)])
    return tries[predict(model, tries).argmax()][None]


# %%
torch.manual_seed(0)
steps = partial(attacks.pgd, steps=20)
plots.rates(
    {
        "PGD": finds(steps),
        "Square, 300 calls": finds(partial(attacks.square, queries=300)),
        "PGD, steps too short": finds(partial(attacks.pgd, steps=20, step=data.eps / 1000, start=False)),
        "PGD, wrong sign": finds(partial(attacks.pgd, steps=20, step=-data.eps / 8)),
        "random points": finds(by_chance),
    },
    x="planted examples found",
)

# %% [markdown]
# Two attacks that work, and two with a fault that no accuracy would have told: what they leave of a model looks like
# robustness. The last row says that the task is not trivial. The authors let an attack pass that finds 95 %.
#
# ## Attacks and masks
#
# A mask does to an attack what a fault does. `utils.checkup.planted_found` plants in any network with a linear last
# layer, for all images at once. Here for PGD on the masked model as it is, for the stand-in of lesson 05,
# and for Square with 200 calls. Beside each, what it leaves of the model itself. (Where no plane parts the corner from
# the points around an image, nothing is planted: *n* counts the others.)

# %%
stand_ins = {
    "quantised": nn.Sequential(StraightThrough(Quantize()), model),
    "median": nn.Sequential(OpenMedian(), models["median"][1]),
    "JPEG": nn.Sequential(StraightThrough(JPEG().to(x.device)), model),
    "saturated": Cooled(models["saturated"], Saturate().scale),
    "scrambled": model,
}
finds_in = partial(planted_found, x=x[:50], eps=data.eps)
pgd = partial(attacks.pgd, steps=20)
search = partial(attacks.square, queries=200)
headline = {}
for name, one in models.items():
    stand_in = stand_ins.get(name, one)
    headline[name] = {
        "left by PGD": accuracy(one, (pgd(one, x, y, eps=data.eps), y)),
        "PGD finds": finds_in(pgd, one),
        "stand-in leaves": accuracy(one, (pgd(stand_in, x, y, eps=data.eps), y)),
        "stand-in finds": finds_in(pgd, stand_in),
        "left by Square": accuracy(one, (search(one, x, y, eps=data.eps), y)),
        "Square finds": finds_in(search, one),
    }
plots.table(headline)

# %% [markdown]
# Read each row from left to right. What PGD leaves is high where it finds nothing that was planted: that number speaks
# of the attack, and not of the model. Forward, a stand-in is the masked model, so the same test can be given to it;
# *undefended* and *k winners* have none that is, and stand in for themselves.
#
# The test does not tell what is left of a model. An attack that passes may still be too weak for the real task, whose
# examples nobody planted. What a failing attack *leaves* is not to be believed. What it brings down is down (as
# Square does with *k winners* on the digits). Models that draw random numbers do not keep what was planted: for
# these, average first (lesson 05).
#
# `examine` asks this too: its last flag is *planted examples are missed*.
#
# ## Head to head
#
# Adversarial training (lesson 03) or masking, which should I pick? Beside a trained network stands one
# that adds fresh noise in use, a mask of lesson 04, whose stand-in is the mean of several draws.
# Say who is ahead, under a threat model of your choice, before you see it. (Attackers who see scores or labels only
# ask 20 times about each image: with so few questions they find little. Lesson 02 gave them 500.)

# %%
torch.manual_seed(1)  # another start than the model's above, from which the attacker transfers
start = perf_counter()
base = undefended(data)
noisy = masked(base, data, names=["noise"])["noise"]
cost_noisy = perf_counter() - start
start = perf_counter()
robust = hardened(data)  # the same network, trained on attacked images (lesson 03)
cost_robust = perf_counter() - start
measured("training", {"adversarial": cost_robust, "noise": cost_noisy}, "s")

# %%
trained_side = Defense("adversarial training", robust, training=cost_robust)
noisy_side = Defense("noise in use", noisy, Averaged(noisy, 10), training=cost_noisy)
widgets.Duel(trained_side, noisy_side, data, surrogate=model, images=200, queries=20)

# %% [markdown]
# **Try.** Look for a threat model under which the mask is ahead.
# What would you have to know about your attackers to rely on it?
#
# ## Verdict

# %%
stood = [name for name in models if headline[name]["left by PGD"].clearly_above(headline["undefended"]["left by PGD"])]
failed = []
for row in (headline[name] for name in stood):
    believed = row["PGD finds"].n < 20 or row["PGD finds"].interval[1] >= 0.95
    others = row["stand-in leaves"], row["left by Square"]
    if not believed and any(other.clearly_below(row["left by PGD"]) for other in others):
        failed.append(row)
claim(
    "A model on which strong attacks fail is robust",
    holds=False if len(failed) > len(stood) / 2 else None if failed else True,
    because=f"on {len(stood)} of {len(models)} models 20 steps of PGD leave clearly more than on the undefended one; "
    f"on {len(failed)} of these, of 20 or more planted examples, it finds clearly fewer than 95 %, "
    "and the same steps on a stand-in, or Square, leave clearly less",
    undefended=accuracy(model, (x, y)),
)

# %% [markdown]
# **To take to work.** Before you believe that an attack found nothing, let it find something that you hid.
# Run the check-up on your own model before you believe your own numbers.
#
# **What it costs.** The test costs the features of some three hundred points an image, and the attack once more.
#
# ## At a larger scale

# %%
from utils.larger import larger

larger("05b_the_check_up", headline)

# %% [markdown]
# ## Further
#
# - Zimmermann et al. 2022, [arXiv:2206.13991](https://arxiv.org/abs/2206.13991): the test by planting.
#   They fit the line by logistic regression, to 999 points; Fisher's discriminant has a closed form.
# - Carlini et al. 2019, [arXiv:1902.06705](https://arxiv.org/abs/1902.06705): how to evaluate robustness,
#   with the checks that the check-up automates.
# - Pintor et al. 2022, [arXiv:2106.09947](https://arxiv.org/abs/2106.09947): signs that an attack failed, and repairs.
#
# Practise: [lab 05](../labs/05_taking_masks_off.ipynb), exercise 4.
# Next: [06 · Defensive distillation](06_defensive_distillation.ipynb)
