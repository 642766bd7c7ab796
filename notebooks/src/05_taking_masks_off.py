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
from functools import partial
from time import perf_counter

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, plots, widgets
from utils.adversarial import attacked
from utils.attacks import margin
from utils.claims import claim
from utils.data import load
from utils.duel import Defense
from utils.evaluation import Rate, accuracy
from utils.masking import JPEG, Median, Quantize, Saturate, masked
from utils.models import predict, small_cnn
from utils.records import measured
from utils.training import fit

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = fit(small_cnn(data), data.train)
models = {"undefended": model} | masked(model, data)  # the eight of lesson 04
x, y = data.test.take(150)

# %%
pgd = partial(attacks.pgd, steps=20, early_stop=False)
headline = {}
for name, one in models.items():
    headline[name] = {
        "clean": accuracy(one, (x, y)),
        "FGSM": accuracy(one, (attacks.fgsm(one, x, y, eps=data.eps), y)),
        "PGD": accuracy(one, (pgd(one, x, y, eps=data.eps), y)),
    }
plots.table(headline)

# %% [markdown]
# Lesson 04's table: the masks on their best day.
#
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
def adapted(model, stand_in, x, y, *, eps, **how):
    """What is left of `model` on images that PGD made with the gradient of `stand_in`."""
    x_adv = attacks.pgd(stand_in, x, y, eps=eps, **how)
    return accuracy(model, (x_adv, y))


# %% [markdown]
# ## Gradients that vanish: look through the staircase
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

# %%
stand_ins = {
    "quantised": nn.Sequential(StraightThrough(Quantize()), model),
    "median": nn.Sequential(StraightThrough(Median()), models["median"][1]),
    "JPEG": nn.Sequential(StraightThrough(JPEG().to(x.device)), model),
}
left = {name: adapted(models[name], g, x, y, eps=data.eps) for name, g in stand_ins.items()}
plots.rates({"undefended, PGD": headline["undefended"]["PGD"]} | left)

# %%
guess.reveal(left["quantised"])

# %% [markdown]
# One line, and the mask is gone. Rounding can even *help* the attacker: a step that crosses a threshold
# is rounded up to a larger one.
#
# If a mask has a gradient that was only thrown away, give it back, which is better than to pretend it is 1:


# %%
class OpenMedian(nn.Module):
    """The same median with PyTorch's own gradient: it leads to the pixel in the middle."""

    def forward(self, x):
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4).median(4).values


# %%
opened = nn.Sequential(OpenMedian(), models["median"][1])
pretended, left["median"] = left["median"], adapted(models["median"], opened, x, y, eps=data.eps)
stand_ins["median"] = opened
plots.rates({"median, gradient pretended": pretended, "median, its own gradient": left["median"]})

# %% [markdown]
# ## Gradients that vanish at the other end
#
# Too loud logits? Turn them down: logits $/\,T$ give the same predictions and a cross-entropy that is awake.
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
left["saturated"] = adapted(loud, stand_ins["saturated"], x, y, eps=data.eps)
by_margin = accuracy(loud, (pgd(loud, x, y, eps=data.eps, loss=margin), y))
plots.rates({"as it is": headline["saturated"]["PGD"], "logits / T": left["saturated"], "margin": by_margin})

# %% [markdown]
# ## Gradients that lie: don't ask the liar
#
# A backward pass that somebody else wrote need not be called. Leave the layer out; the forward pass is the same.

# %%
stand_ins["scrambled"] = models["scrambled"][1]
left["scrambled"] = adapted(models["scrambled"], stand_ins["scrambled"], x, y, eps=data.eps)
measured("scrambled, its layer left out", left["scrambled"])

# %% [markdown]
# ## Gradients that wander: average
#
# First, what *is* the accuracy of a model that draws random numbers?
# Here: the chance that a **fresh** draw is right, averaged over images. The draws that the attacker saw don't count.


# %%
def share_right(model, x, y, draws=20):
    """How often each image is classified right over fresh draws, (N,) between 0 and 1."""
    return torch.stack([predict(model, x) == y for _ in range(draws)]).float().mean(0)


def fresh_accuracy(model, x, y, draws=20):
    """`share_right` over all images, as a rate of len(y) images, rounded."""
    return Rate(round(share_right(model, x, y, draws).sum().item()), len(y))


# %% [markdown]
# The interval counts images, not draws: twenty draws of one image are not twenty images.
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
by_draws, moved = {"noise": {}, "resized": {}}, {}
for name, curve in by_draws.items():
    for draws in (1, 5):
        moved[name] = pgd(Averaged(models[name], draws), x, y, eps=data.eps)
        curve[draws] = fresh_accuracy(models[name], moved[name], y)
plots.lines(by_draws, x="draws that each of 20 steps averages")

# %%
stand_ins |= {name: Averaged(models[name], 5) for name in by_draws}
left |= {name: curve[5] for name, curve in by_draws.items()}
quiet = models["noise"][1]  # the same weights, the noise switched off: its gradients are honest
strong = [partial(attacks.apgd, steps=50), partial(attacks.apgd_t, steps=50, rivals=4)]
trained = accuracy(quiet, (attacks.worst_case(quiet, x, y, eps=data.eps, attacks=strong), y))
plots.rates({"noise on, 5 draws averaged": left["noise"], "noise off, worst of two": trained})

# %% [markdown]
# Random resizing falls to about where the undefended model is.
# If the noise leaves more than that, the second bar says what it is worth:
# the network *without* the noise, trained with it. What is left, training gave.
#
# ## When no stand-in fits
#
# *k winners* has a gradient, but it is true only in the smallest neighbourhood. Three stand-ins:
# the model itself, its mean over small noise, and the undefended network. Then two attacks without any.


# %%
class Nearby(nn.Module):
    """The input, moved a little at random."""

    def forward(self, x):
        return x + 0.05 * torch.randn_like(x)


# %%
broken_glass = models["k winners"]
around = Averaged(nn.Sequential(Nearby(), broken_glass), 5)
ways = {
    "its own gradient": adapted(broken_glass, broken_glass, x, y, eps=data.eps),
    "mean gradient nearby": adapted(broken_glass, around, x, y, eps=data.eps, steps=10),
    "undefended network": adapted(broken_glass, model, x, y, eps=data.eps, early_stop=False),
}
for name, attack in {"scores (Square)": attacks.square, "labels (RayS)": attacks.rays}.items():
    x_adv = attack(broken_glass, x, y, eps=data.eps, queries=300)
    ways[name] = accuracy(broken_glass, (x_adv, y))
left["k winners"] = min(ways.values())
plots.rates(ways)

# %% [markdown]
# Where every gradient misleads, ask for none. A mask can hide the gradient, but not the answers,
# since giving answers is what the model is for.
#
# ## The worst case
#
# One attack is not enough (lesson 02). For a fixed mask: PGD with three restarts,
# Auto-PGD towards one rival after another, and Square, on its stand-in, judged on the real model.
# Forward, the stand-in is the mask itself, so Square sees the real scores.

# %%
fixed = {"undefended": model, "k winners": broken_glass}
fixed |= {name: stand_ins[name] for name in ("quantised", "median", "JPEG")}
white_box = [partial(attacks.pgd, steps=20, restarts=3, loss=margin), partial(attacks.apgd_t, steps=30, rivals=3)]
search = partial(attacks.square, patience=4.0)
rough = [partial(search, queries=1500), *white_box]  # where gradients mislead
found = {}
for name, g in fixed.items():
    tries = rough if name in ("JPEG", "k winners") else [*white_box, partial(search, queries=500)]
    found[name] = attacks.worst_case(g, x, y, eps=data.eps, attacks=tries)
found |= dict.fromkeys(("saturated", "scrambled"), found["undefended"])  # the same function
worst = {name: accuracy(models[name], (x_adv, y)) for name, x_adv in found.items()}

# %% [markdown]
# With a random mask every further try would win some image by luck.
# So keep for each image the candidate on which the model is right least often, and then count on fresh draws.
# (New draws may differ from the last ones by an image or two.)


# %%
def worst_of(model, candidates, y):
    """What is left of a random model, on fresh draws, after the worst of the candidates for each image."""
    least = torch.stack([share_right(model, x_adv, y) for x_adv in candidates]).argmin(0)  # (N,)
    x_worst = torch.stack(candidates)[least, torch.arange(len(y), device=y.device)]
    return fresh_accuracy(model, x_worst, y)


# %%
torch.manual_seed(0)
for name in by_draws:
    climbed = pgd(stand_ins[name], x, y, eps=data.eps, loss=margin)
    worst[name] = worst_of(models[name], [moved[name], climbed, found["undefended"]], y)

# %%
left["undefended"] = headline["undefended"]["PGD"]
for name, row in headline.items():
    row["adapted"], row["worst case"] = left[name], worst[name]
plots.table(headline)

# %% [markdown]
# Read each row from left to right: the same model, attacked with more and more thought.
# *Saturated* and *scrambled* compute the same function as the undefended model,
# so they can be neither weaker nor stronger.
#
# ## How much robustness did a mask add?

# %%
base = headline["undefended"]["worst case"]
adds = [name for name in left if headline[name]["worst case"].clearly_above(base)]
weakens = [name for name in left if headline[name]["worst case"].clearly_below(base)]
measured("clearly more than the undefended model", adds)
measured("clearly less", weakens)
plots.rates({name: worst[name] for name in headline} | {"noise, switched off": trained})

# %% [markdown]
# The last row is the control: the weights that were trained on noise, with the noise switched off.
# Lesson 03's adversarial training is the standard against which "more" is to be read.
#
# ## The masking check-up
#
# Nobody tells you that a model is masked; often its owner does not know.
# But masks betray themselves: in this lesson by gradients of 0, by answers that change,
# by attacks without gradients that beat those with. `examine` asks all such questions of any classifier.

# %%
from utils.checkup import examine

few = data.test.take(100)
report = examine(models["quantised"], *few, eps=data.eps)
report

# %%
honest = examine(model, *few, eps=data.eps)
for name, said in {"quantised": report, "undefended": honest}.items():
    measured(f"flags of the {name} model", {"raised": len(said.flags), "which:": said.flags})

# %% [markdown]
# Each flag is a comparison that we have met, with a statistical test. No flag is *not* a proof of robustness:
# the undefended model raises none, and falls. It says that attacks tell the truth about this model.
#
# ## Head to head
#
# Adversarial training (lesson 03) or masking, which should I pick?
# Train the one, and of the other take the mask that kept most in the worst case.
# Say who is ahead, under a threat model of your choice, before you see it.

# %%
updates = 200 if len(data.train.y) < 10_000 else 1000
torch.manual_seed(0)
start = perf_counter()
transform = attacked(data.eps, steps=3, updates=updates)
robust = fit(small_cnn(data), data.train, transform=transform, updates=updates)
seconds = perf_counter() - start
sturdy = max(left.keys() - {"undefended"}, key=lambda name: (headline[name]["worst case"], name))
measured("the mask that kept most", sturdy)

# %%
trained_side = Defense("adversarial training", robust, training=seconds)
mask_side = Defense("masking", models[sturdy], stand_ins.get(sturdy, model))
widgets.Duel(trained_side, mask_side, data, surrogate=model, images=32, queries=30)

# %% [markdown]
# **Try.** Look for a threat model under which the mask is ahead.
# What would you have to know about your attackers to rely on it?

# %% [markdown]
# ## Verdict

# %%
masks = [name for name in headline if name != "undefended"]
fallen = [name for name in masks if headline[name]["worst case"].clearly_below(headline[name]["PGD"])]
best_day, worst_day = (sorted(headline[name][c] for name in masks)[4] for c in ("PGD", "worst case"))
claim(
    "Masking is not foolproof against sophisticated attackers",
    holds=bool(fallen),
    because=f"of {len(masks)} masks the fourth best keeps {best_day} under PGD and {worst_day} in the worst case, "
    f"the undefended model {base}; {len(adds)} of {len(masks)} masked models keep clearly more than that",
)

# %%
everywhere = {name: accuracy(one, data.test) for name, one in models.items()}
pays = [name for name in masks if everywhere[name].clearly_below(everywhere["undefended"])]
claim(
    "Masking costs some accuracy",
    holds=None if 0 < len(pays) < len(masks) else bool(pays),
    because=f"{len(pays)} of {len(masks)} masked models ({', '.join(pays)}) are clearly less accurate than "
    f"{everywhere['undefended']}; for the others no loss shows on {len(data.test.y):,} images",
)

# %% [markdown]
# **To take to work.** When you read about a defense, find the paragraph on *adaptive* attacks.
# If it has none, write the stand-in yourself: it is rarely longer than five lines.
# And run the check-up on your own model before you believe your own numbers.
#
# **What it costs.** A stand-in costs what the model costs; an average over $k$ draws, $k$ times as much.
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

# %%
from utils.larger import larger

larger("05_taking_masks_off", headline)

# %% [markdown]
# ## Further
#
# - Athalye, Carlini, Wagner 2018, [arXiv:1802.00420](https://arxiv.org/abs/1802.00420), BPDA: of 9 defenses
#   7 relied on obfuscated gradients; 6 fell wholly, 1 in part.
# - Athalye et al. 2018, [arXiv:1707.07397](https://arxiv.org/abs/1707.07397): expectation over transformation.
# - Carlini et al. 2019, [arXiv:1902.06705](https://arxiv.org/abs/1902.06705): how to evaluate robustness,
#   with the checks that the check-up automates.
# - Tramèr et al. 2020, [arXiv:2002.08347](https://arxiv.org/abs/2002.08347): thirteen defenses, k winners among them,
#   each with the attack that fits.
#
# Practise: [lab 05](../labs/05_taking_masks_off.ipynb).
# Next: [06 · Defensive distillation](06_defensive_distillation.ipynb)
