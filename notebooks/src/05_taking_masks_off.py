# %% [markdown]
# # 05 · Taking masks off
#
# > *"Gradient masking is not foolproof against sophisticated attackers."* ·
# > *"It may cost some accuracy."*
#
# True, says this lesson; but how far from foolproof? Each mask of lesson 04 meets the attack that fits it.
# All of these are one idea, and none needs more than a few lines.
#
# **You will build** the straight-through gradient (BPDA), the average over draws (EOT), and each mask's worst case.
# *About 40 minutes, after 04; the cells run in SECONDS s on two CPU cores.*

# %%
from copy import deepcopy
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, plots, widgets
from utils.attacks import margin
from utils.claims import claim
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.masking import JPEG, Median, Quantize, Saturate, masked
from utils.models import predict
from utils.records import measured
from utils.training import fit
from utils.usual import undefended

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = undefended(data)
models = {"undefended": model} | masked(model, data)  # the eight of lesson 04
x, y = data.test.take(200)

# %% [markdown]
# ## The threat model
#
# | | in this lesson |
# |---|---|
# | **who** | someone who may send images |
# | **knows** | the model, the weights and *the mask* |
# | **may change** | each pixel by at most $\varepsilon$ |
# | **wins when** | the predicted class is wrong |
#
# Assume that the defense is known (Kerckhoffs 1883 asked it of ciphers).
# A mask that works only while nobody looks at it is a secret, and not a defense.

# %%
guess = widgets.ask("The quantised model, attacked by someone who knows the mask. What is left?")
guess

# %% [markdown]
# ## What is left, and of what
#
# Two masks draw random numbers. What *is* the accuracy of such a model?
# Here: the chance that a **fresh** draw is right, averaged over images. The draws that an attacker saw don't count,
# and n counts images: fifty draws of one image are not fifty images.


# %%
def share_right(model, x, y, draws=50):
    """How often each image is classified right over fresh draws, (N,) between 0 and 1."""
    return torch.stack([predict(model, x) == y for _ in range(draws)]).float().mean(0)


def fresh_accuracy(model, x, y, draws=50):
    """`share_right` over all images, as a rate of len(y) images, rounded."""
    return Rate(round(share_right(model, x, y, draws).sum().item()), len(y))


# %% [markdown]
# Each attack of this page leaves its images here, so that in the end the worst of all counts for each image.

# %%
draws = dict.fromkeys(models, 1) | {"noise": 50, "resized": 50}
tried = {name: [] for name in models}


def left(name, x_adv):
    """What is left of the model `name` on attacked images, which are kept."""
    tried[name].append(x_adv)
    return fresh_accuracy(models[name], x_adv, y, draws[name])


# %%
torch.manual_seed(0)
pgd = partial(attacks.pgd, steps=20, early_stop=False)  # cross-entropy, random start
headline = {}
for name, one in models.items():
    headline[name] = {"clean": fresh_accuracy(one, x, y, draws[name])}
    headline[name]["FGSM"] = left(name, attacks.fgsm(one, x, y, eps=data.eps))
    headline[name]["PGD"] = left(name, pgd(one, x, y, eps=data.eps))
before = {name: row["PGD"] for name, row in headline.items()}
measured("left by PGD on the models as they are", before)

# %% [markdown]
# The masks on their best day, as in lesson 04.
#
# ## The idea: attack a stand-in
#
# The masked model $f$ has no useful gradient. So take a model $g$ that answers *nearly* the same and has one.
# Run an ordinary attack on $g$, and hand the result to $f$:
#
# $$x' \approx \arg\max_{\lVert x' - x\rVert_\infty \le \varepsilon} \ell(g(x'), y), \qquad
# \text{judged by } f(x')$$
#
# Every adaptive attack below is a choice of $g$. Judging is always done on the real model.


# %%
def adapted(name, stand_in, **how):
    """What is left of the model `name` on images that PGD made with the gradient of `stand_in`."""
    return left(name, pgd(stand_in, x, y, eps=data.eps, **how))


# %% [markdown]
# ## 1 · Rounding: look through the staircase
#
# From afar a staircase is a ramp: $m(x) \approx x$, so its gradient is nearly 1.
# Forward through the mask; backward as if it were not there:


# %%
class StraightThrough(nn.Module):
    """Forward: the mask. Backward: as if it were not there. BPDA, Athalye et al. 2018 (arXiv:1802.00420)."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, x):
        return self.mask(x).detach() + (x - x.detach())  # the bracket is 0 and has gradient 1


# %% [markdown]
# **Is it right?** The values must be the mask's, to the last bit; the gradient of the sum of all pixels must be 1.

# %%
probe = x[:8].clone().requires_grad_()
through = StraightThrough(Quantize())(probe)
(gradient,) = torch.autograd.grad(through.sum(), probe)
print("same values:", torch.equal(through, Quantize()(x[:8])), "· gradient 1:", bool((gradient == 1).all()))

# %% [markdown]
# Left in the picture, the hill for two images: the margin on the way along the signs of the stand-in's gradient, from
# the image in the middle (dot) to the edge of the ball. Numbers below 0 on the x axis lie the other way, against
# these signs. Above the thin line the model is wrong. Dashed: the slope that each of the two tells.
# Right, what is left before and after.

# %%
stand_ins = {"quantised": nn.Sequential(StraightThrough(Quantize()), model)}
after = {"quantised": adapted("quantised", stand_ins["quantised"])}
bars = {"before": before["quantised"], "straight through": after["quantised"]}
plots.hill(models["quantised"], stand_ins["quantised"], x, y, eps=data.eps, measured=bars)

# %%
guess.reveal(after["quantised"])

# %% [markdown]
# One line, and the mask is gone.
#
# On the digits five levels were bound to lose. Half a step between them is 0.125, less than the budget, so every pixel
# can be pushed across; and rounding then carries it on to the next level. With fewer levels there are pixels
# that no attacker can move. Here are PGD on the model as it is, and the worst of two attacks that fit it.
# (Where the gradient is 0, PGD is no more than its random start: it may even leave more than no attack.)

# %%
levels = {}
for count in (2, 3, 5):
    coarse = nn.Sequential(Quantize(count), model)
    open_one = nn.Sequential(StraightThrough(Quantize(count)), model)
    fitting = [partial(attacks.pgd, loss=margin, restarts=2), partial(attacks.square, queries=300)]
    found = attacks.worst_case(open_one, x, y, eps=data.eps, attacks=fitting)
    levels[f"{count} levels"] = {
        "clean": accuracy(coarse, (x, y)),
        "PGD": accuracy(coarse, (pgd(coarse, x, y, eps=data.eps), y)),
        "worst of two": accuracy(coarse, (found, y)),
    }
plots.table(levels)

# %% [markdown]
# The middle column is the mask, and the last is what the rounding itself does. Where pixels are nearly black or
# nearly white, as in pictures of digits, two levels take most of them out of the attacker's reach, whatever he knows:
# Xu et al. 2017 call it feature squeezing. The budget decides: a larger one crosses those steps as well.
#
# ## 2 · The median: give the gradient back
#
# If a mask has a gradient that was only thrown away, give it back.
# That is nearer to the truth than to pretend that it is 1:


# %%
class OpenMedian(nn.Module):
    """The same median with PyTorch's own gradient: it leads to the pixel whose value is the median."""

    def forward(self, x):
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4).median(4).values


# %%
used_to = models["median"][1]  # the network that was trained behind the median
stand_ins["median"] = nn.Sequential(OpenMedian(), used_to)
pretended = adapted("median", nn.Sequential(StraightThrough(Median()), used_to))
after["median"] = adapted("median", stand_ins["median"])
bars = {"before": before["median"], "straight through": pretended, "its own gradient": after["median"]}
plots.hill(models["median"], stand_ins["median"], x, y, eps=data.eps, measured=bars)

# %% [markdown]
# ## 3 · JPEG: through the rounding of waves
#
# What is rounded here is not a pixel but how much there is of a wave. From afar it is a ramp all the same.

# %%
stand_ins["JPEG"] = nn.Sequential(StraightThrough(JPEG().to(x.device)), model)
after["JPEG"] = adapted("JPEG", stand_ins["JPEG"])
bars = {"before": before["JPEG"], "straight through": after["JPEG"]}
plots.hill(models["JPEG"], stand_ins["JPEG"], x, y, eps=data.eps, measured=bars)

# %% [markdown]
# ## 4 · Saturation: turn it down
#
# Too loud logits? Logits $/\,T$ give the same predictions and a cross-entropy that is awake.
# Or keep them, and climb the margin, which never sleeps (lesson 02).


# %%
class Cooled(nn.Module):
    """The model with its logits divided by `temperature`, so that the loss does not saturate."""

    def __init__(self, model, temperature):
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, x):
        return self.model(x) / self.temperature


# %%
loud = models["saturated"]
stand_ins["saturated"] = Cooled(loud, Saturate().scale)
after["saturated"] = adapted("saturated", stand_ins["saturated"])
by_margin = adapted("saturated", loud, loss=margin)
bars = {"before": before["saturated"], "logits / T": after["saturated"], "the margin": by_margin}
plots.hill(loud, stand_ins["saturated"], x, y, eps=data.eps, measured=bars, loss=attacks.cross_entropy)

# %% [markdown]
# The loss of the loud model is flat, and then leaps by thousands. The stand-in's slope is too small to be seen beside
# them. But it is not 0, and of a gradient the attack uses no more than the signs.
#
# ## 5 · The liar: don't ask
#
# A backward pass that somebody else wrote need not be called. Leave the layer out; the forward pass is the same.

# %%
stand_ins["scrambled"] = models["scrambled"][1]
after["scrambled"] = adapted("scrambled", stand_ins["scrambled"])
bars = {"before": before["scrambled"], "its layer left out": after["scrambled"]}
plots.hill(models["scrambled"], stand_ins["scrambled"], x, y, eps=data.eps, measured=bars)

# %% [markdown]
# ## 6 · Random numbers: average
#
# The attacker wants the gradient of the *expected* answer, $\mathbb{E}_r\, f_r(x)$.
# A mean over draws estimates it:


# %%
class Averaged(nn.Module):
    """The mean of a random model's logits over `draws` calls. EOT, Athalye et al. 2018 (arXiv:1707.07397)."""

    def __init__(self, model, draws=10):
        super().__init__()
        self.model, self.draws = model, draws

    def forward(self, x):
        answers = self.model(x.repeat(self.draws, *[1] * (x.dim() - 1)))  # (draws * N, classes)
        return answers.unflatten(0, (self.draws, len(x))).mean(0)


# %%
torch.manual_seed(0)
for name in ("noise", "resized"):
    stand_ins[name] = Averaged(models[name], 10)
    after[name] = adapted(name, stand_ins[name])
bars = {"before": before["noise"], "mean of ten draws": after["noise"]}
plots.hill(models["noise"], Averaged(models["noise"], 30), x, y, eps=data.eps, measured=bars, draws=20)

# %% [markdown]
# Averaged over twenty draws, there is a hill; a single draw tells a slope of its own.
#
# How many draws are worth their price? A step on a mean of ten costs ten passes. So all have 60 passes:
# 60 steps of one draw, 20 of three, 6 of ten, 2 of thirty. A third random mask joins, which leaves most pixels out:


# %%
class Sieve(nn.Module):
    """Leave each pixel out with a chance of 1 - `keep`, drawn anew at every call."""

    def __init__(self, keep=0.3):
        super().__init__()
        self.keep = keep

    def forward(self, x):
        return x * (torch.rand_like(x) < self.keep)


# %%
torch.manual_seed(0)
random_ones = {name: models[name] for name in ("noise", "resized")}
random_ones["sieve"] = fit(nn.Sequential(Sieve(), deepcopy(model)), data.train, updates=200)
by_draws, moved = {name: {} for name in random_ones}, {}
for name, one in random_ones.items():
    for count in (1, 3, 10, 30):
        moved[name, count] = pgd(Averaged(one, count), x, y, eps=data.eps, steps=60 // count)
        by_draws[name][count] = fresh_accuracy(one, moved[name, count], y)
plots.lines(by_draws, x="draws that each step averages; 60 passes in all", log=True)

# %% [markdown]
# The bands are for new images. Two points of a line saw the same images, so compare them image by image:


# %%
def difference(a, b):
    """The mean of a - b over the same images, in points, with its 95 % interval."""
    gap = 100 * (a - b)
    half = 1.96 * gap.std() / len(gap) ** 0.5
    return {"difference": float(gap.mean()), "from": float(gap.mean() - half), "to": float(gap.mean() + half)}


# %%
torch.manual_seed(0)
judged = partial(share_right, random_ones["sieve"], y=y, draws=100)
few, many = judged(moved["sieve", 1]), judged(moved["sieve", 10])
long = judged(pgd(random_ones["sieve"], x, y, eps=data.eps, steps=60, step=data.eps / 6))
measured("sieve: 1 draw leaves more than 10", difference(few, many), "points")
measured("sieve: 1 draw with steps four times as long leaves more than 10", difference(long, many), "points")

# %% [markdown]
# One draw sees a few pixels only, and its steps cancel: many of them lead less far than a few good ones.
# Steps that are four times as long make up for most of that. So either average, or walk further; both cost one line.
#
# Is the noise only a mask, in front of a network that training has made sturdy?
# The control is the same network with the noise switched off.

# %%
torch.manual_seed(0)
for name in ("noise", "resized"):
    tried[name] += [moved[name, count] for count in (3, 10, 30)]
    tried[name].append(pgd(stand_ins[name], x, y, eps=data.eps, steps=40, loss=margin))
quiet = models["noise"][1]  # the same weights, the noise switched off: its gradients are honest
strong = [partial(attacks.apgd, steps=50), partial(attacks.apgd_t, steps=50, rivals=4)]
trained = accuracy(quiet, (attacks.worst_case(quiet, x, y, eps=data.eps, attacks=strong), y))
measured("left with the noise on, by the mean of ten draws", after["noise"])
measured("left with the noise off, by the worst of two", trained)

# %% [markdown]
# Random resizing falls most of the way to the undefended model. The noise is another case:
# where the first figure stays above the second, and so does the noise's row among the worst cases below (the first
# is of one attack only), it does something that no average takes away (more for some weights, and less for others).
# What an average finds is the best attack on the *mean answer*, and that mean is smoother than the network.
# So noise in use is no mask alone. How much of it can be proved, lesson 07 asks.
#
# ## 7 · When no stand-in fits
#
# *k winners* has a gradient, but it is true only in the smallest neighbourhood.
# Two stand-ins: its mean over small noise, and the undefended network. Then two attacks without any.


# %%
class Nearby(nn.Module):
    """The input, moved a little at random."""

    def forward(self, x):
        return x + 0.05 * torch.randn_like(x)


# %%
broken_glass = models["k winners"]
around = Averaged(nn.Sequential(Nearby(), broken_glass), 5)
ways = {
    "its own gradient": before["k winners"],
    "mean gradient nearby": adapted("k winners", around),
    "undefended network": adapted("k winners", model),
}
for how, attack in {"scores (Square)": attacks.square, "labels (RayS)": attacks.rays}.items():
    ways[how] = left("k winners", attack(broken_glass, x, y, eps=data.eps, queries=300))
after["k winners"] = min(ways.values())
plots.hill(broken_glass, broken_glass, x, y, eps=data.eps, measured=ways)

# %% [markdown]
# Where gradients help little, ask for none. This mask answers alike at each call, so it cannot hide its answers.
#
# ## The worst case
#
# One attack is not enough (lesson 02). For a fixed mask: PGD with three restarts,
# Auto-PGD towards one rival after another, and Square, on its stand-in, judged on the real model.
# Forward, the stand-in is the mask itself, so Square sees the real scores. *Saturated* and *scrambled* compute the
# same function as the undefended model, so what fools one fools all three.

# %%
white_box = [partial(attacks.pgd, steps=20, restarts=3, loss=margin), partial(attacks.apgd_t, steps=30, rivals=3)]
search = partial(attacks.square, patience=4.0)
rough = [partial(search, queries=1500), *white_box]  # where gradients mislead
for name in ("undefended", "quantised", "median", "JPEG", "k winners"):
    how = rough if name in ("JPEG", "k winners") else [*white_box, partial(search, queries=500)]
    tried[name].append(attacks.worst_case(stand_ins.get(name, models[name]), x, y, eps=data.eps, attacks=how))
for name in ("undefended", "saturated", "scrambled"):
    tried[name] = tried["undefended"] + tried["saturated"] + tried["scrambled"]

# %% [markdown]
# Then, for each image, the worst of all that were tried on this page. A random mask is wrong now and then by luck,
# so there the candidate counts on which the model is right least often, and is counted anew on fresh draws.


# %%
def worst_of(model, candidates, y, draws):
    """What is left after the worst of the candidates for each image, chosen on some draws and counted on others."""
    least = torch.stack([share_right(model, x_adv, y, draws) for x_adv in candidates]).argmin(0)  # (N,)
    x_worst = torch.stack(candidates)[least, torch.arange(len(y), device=y.device)]
    return fresh_accuracy(model, x_worst, y, draws)


# %%
torch.manual_seed(0)
after["undefended"] = before["undefended"]
for name, row in headline.items():
    row["adapted"] = after[name]
    row["worst case"] = min(after[name], worst_of(models[name], tried[name], y, draws[name]))
plots.table({name: {how: row[how] for how in row if how != "FGSM"} for name, row in headline.items()})

# %% [markdown]
# Read each row from left to right: the same model, attacked with more and more thought.
#
# ## How much robustness did a mask add?

# %%
worst = {name: row["worst case"] for name, row in headline.items()}
base = worst["undefended"]
adds = [name for name in worst if worst[name].clearly_above(base)]
weakens = [name for name in worst if worst[name].clearly_below(base)]
measured("clearly more than the undefended model", adds)
measured("clearly less", weakens)
for name in ("undefended", "resized", "noise"):
    measured(name, worst[name])
measured("noise, switched off", trained)

# %% [markdown]
# The last row is the control: the weights that were trained on noise, with the noise switched off.
# Lesson 03's adversarial training is the standard against which "more" is to be read.
# All of this is of one training; lesson 04 trained the best mask three times.
#
# ## Verdict

# %%
masks = [name for name in headline if name != "undefended"]
gained = [name for name in masks if before[name].clearly_above(before["undefended"])]
fallen = [name for name in gained if worst[name].clearly_below(before[name]) and name not in adds]
claim(
    "Masking is not foolproof against sophisticated attackers",
    holds=len(fallen) > len(gained) / 2 or (None if fallen else False),
    because=f"of {len(masks)} masks {len(gained)} keep clearly more than the undefended model under PGD; in the worst "
    f"case {len(fallen)} of these fall back to no more than its {base}",
    undefended=headline["undefended"]["clean"],
)

# %%
everywhere = {name: fresh_accuracy(one, *data.test, draws[name]) for name, one in models.items()}
pays = [name for name in masks if everywhere[name].clearly_below(everywhere["undefended"])]
claim(
    "Masking costs some accuracy",
    holds=None if 0 < len(pays) < len(masks) else bool(pays),
    because=f"{len(pays)} of {len(masks)} masked models ({', '.join(pays)}) are clearly less accurate than "
    f"{everywhere['undefended']}; for the others no loss shows on {len(data.test.y):,} images",
    undefended=headline["undefended"]["clean"],
)

# %% [markdown]
# **To take to work.** When you read about a defense, find the paragraph on *adaptive* attacks.
# If it has none, write the stand-in yourself: it is rarely longer than five lines.
#
# **What it costs.** A stand-in costs what the model costs; an average over $k$ draws, $k$ times as much a step.
#
# ## The same in `utils`

# %%
from utils import masking

same = torch.equal(masking.StraightThrough(Quantize())(x), StraightThrough(Quantize())(x))
answers = []
for average in (Averaged, masking.Averaged):
    torch.manual_seed(0)
    answers.append(average(models["noise"], 5)(x[:50]))
cooled = torch.equal(masking.Cooled(model, 10)(x), Cooled(model, 10)(x))
print("straight through, averaged, cooled:", same, torch.equal(*answers), cooled)

# %% [markdown]
# ## At a larger scale
#
# On MNIST, at a budget of 0.3, hardly an image is left to any mask in the worst case.
# What noise in use adds on the digits it does not add there.

# %%
from utils.larger import larger

larger("05_taking_masks_off", headline)

# %% [markdown]
# ## Further
#
# - Athalye, Carlini, Wagner 2018, [arXiv:1802.00420](https://arxiv.org/abs/1802.00420), BPDA: of 9 defenses
#   7 relied on obfuscated gradients; 6 fell wholly, 1 in part.
# - Athalye et al. 2018, [arXiv:1707.07397](https://arxiv.org/abs/1707.07397): expectation over transformation.
# - Xu et al. 2017, [arXiv:1704.01155](https://arxiv.org/abs/1704.01155): feature squeezing; and the attack on it,
#   He et al. 2017, [arXiv:1706.04701](https://arxiv.org/abs/1706.04701).
# - Carlini et al. 2019, [arXiv:1902.06705](https://arxiv.org/abs/1902.06705): how to evaluate robustness.
# - Tramèr et al. 2020, [arXiv:2002.08347](https://arxiv.org/abs/2002.08347): thirteen defenses, k winners among them,
#   each with the attack that fits.
#
# Practise: [lab 05](../labs/05_taking_masks_off.ipynb), exercises 1 to 3 and 5.
# Next: [05b · The check-up](05b_the_check_up.ipynb)
