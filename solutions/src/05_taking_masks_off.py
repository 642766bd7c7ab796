# %% [markdown]
# # Lab 05 · Taking masks off
#
# Five exercises, 10 points, about 80 minutes after [lesson 05](../notebooks/05_taking_masks_off.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# Own cells, prints and pictures do no harm. Libraries with finished attacks are not an answer.

# %%
import math
import random

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, expect, plots
from utils.data import load
from utils.evaluation import accuracy
from utils.masking import JPEG, Median, Noise, Quantize, Saturate, Scramble
from utils.models import mlp, predict
from utils.training import fit

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = data.test


def trained(seed):
    """A small network on the digits."""
    torch.manual_seed(seed)
    return fit(mlp(data, width=64), data.train, updates=200)


net = trained(0)

# %%
accuracy(net, data.test)

# %% [markdown]
# ## 1 · Backward as if it were not there (2 points)
#
# A masked model answers `net(mask(x))`. Write the gradient that BPDA uses:
# for each image the gradient, with respect to `x`, of its cross-entropy with `y`,
# where the mask works as usual on the way forward and counts as the identity on the way back.
# `mask` takes images and returns images of the same shape, and the same ones at each call.
# The answer is (N, ...) like `x`. An image's gradient is that of its own loss,
# whatever else is in the batch.
#
# <details><summary>Hint 1</summary>If the mask's gradient is 1, what is the gradient with respect to <code>x</code>,
# given the gradient with respect to <code>mask(x)</code>?</details>
# <details><summary>Hint 2</summary>The net must see what the mask shows. Autograd must not see the mask.
# <code>detach</code> hides what came before.</details>
# <details><summary>Hint 3</summary>Make <code>mask(x).detach().requires_grad_()</code>, and ask for the gradient
# of the <em>sum</em> of the losses there.</details>


# %%
def gradient_through(mask, net, x, y):
    """The gradient of each image's loss behind the mask, as if the mask's own gradient were 1."""
    ### BEGIN SOLUTION
    seen = mask(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(net(seen), y, reduction="sum"), seen)
    return gradient
    ### END SOLUTION


# %% [markdown]
# The mask shows five shades of grey, and the gradient goes through. One step along its sign:

# %%
plots.triptych(
    x, (x + 0.2 * gradient_through(Quantize(), net, x, y).sign()).clamp(0, 1), nn.Sequential(Quantize(), net), y=y
)

# %%
# CHECK gradient_through, 2 points
few, labels = x[:40], y[:40]
found = expect.tensor(expect.leaves_arguments(gradient_through, Quantize(), net, few, labels), like=few)
expect.that(
    found.abs().sum() > 0,
    "no gradient came through: on the way back the mask's own gradient is still there",
    expected="gradients that are not all 0",
)
twin = expect.tensor(gradient_through(Quantize(), net, Quantize()(few), labels), like=few)
expect.equal(
    found,
    twin,
    "two images that look the same behind the mask got different gradients: "
    "forward, the net must see what the mask shows",
    expected="the same gradient for x and for mask(x), where the mask rounds",
    atol=1e-4 * float(found.abs().max()),
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
other = trained(seed)
masks = [Quantize(2), Quantize(6), Median(), JPEG(), Scramble(), nn.Sequential(JPEG(0.4), Quantize(9))]
for mask, judge in zip(masks, [net, other] * 3, strict=True):
    some = torch.randperm(len(x))[:30]
    images, labels = x[some], torch.where(torch.rand(30) < 0.5, y[some], torch.randint(0, 10, (30,)))

    def at(point, labels, judge=judge):
        point = point.detach().clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(judge(point), labels, reduction="sum"), point)[0]

    found = expect.tensor(expect.leaves_arguments(gradient_through, mask, judge, images, labels), like=images)
    wanted = at(mask(images), labels)
    size = float(wanted.abs().max())
    close = lambda value, size=size, found=found: float((found - value).abs().max()) <= 1e-3 * size  # noqa: E731
    expect.that(
        found.abs().sum() > 0,
        "no gradient came through: on the way back the mask's own gradient is still there",
        expected="gradients that are not all 0",
    )
    expect.that(
        close(wanted) or not close(-wanted),
        "the loss falls along this gradient: it is that of minus the loss",
        expected="the gradient of the cross-entropy",
    )
    expect.that(
        close(wanted) or not close(wanted / 30),
        "an image's gradient depends on how many others there are: each image has a loss of its own",
        expected="the gradient of the image's own loss",
    )
    expect.that(
        close(wanted) or not close(at(mask(images), judge(mask(images)).argmax(1))),
        "this is the gradient for the labels that the model predicts: take those that are given",
        expected="the gradient of the cross-entropy with y",
    )
    expect.that(
        close(wanted) or not close(at(images, labels)),
        "this is the gradient without the mask: forward, the net must see what the mask shows",
        expected="the gradient of the net where the mask has put the image",
    )
    expect.equal(
        found / size,
        wanted / size,
        "another gradient than the net has behind the mask: on the way back, the mask must count as the identity",
        expected="the gradient of the net where the mask has put the image",
        atol=1e-3,
    )
table, one = nn.Sequential(nn.Linear(5, 3), nn.Tanh()), torch.rand(1, 5)  # a table, a single row
found = expect.tensor(gradient_through(Quantize(3), table, one, torch.tensor([1])), like=one)
expect.equal(found, at(Quantize(3)(one), torch.tensor([1]), table), "a single row of a table gets another gradient")
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Average, then the sign (2 points)
#
# `model` draws random numbers at every call. Write one step of EOT: images within `eps` of `x` and in [0, 1],
# in which every pixel moves by `eps` (if [0, 1] lets it) along the sign of the **mean** gradient
# over `draws` calls of the model. The loss is the cross-entropy with `y`, and it should go up.
#
# The model below has a gentle gradient most of the time, and seldom a steep one the other way.
# On the average, the steep ones win.


# %%
def seldom(pixels, seed):
    """A random model: four of five draws show a gradient of 1 in a pixel, the fifth of -9. `seed` says which sign."""
    way = 2.0 * torch.randint(0, 2, (pixels,), generator=torch.Generator().manual_seed(seed)) - 1
    first, last = nn.Linear(pixels, 2 * pixels), nn.Linear(2 * pixels, 2)
    first.weight.data = torch.cat([torch.eye(pixels), torch.eye(pixels)])
    first.bias.data = torch.cat([torch.full((pixels,), -0.5842), torch.zeros(pixels)])
    last.weight.data = torch.stack([torch.zeros(2 * pixels), 0.01 * torch.cat([10 * way, -way])])
    last.bias.data = torch.zeros(2)
    return nn.Sequential(Noise(0.1), nn.Flatten(), first, nn.ReLU(), last)


grey = torch.full((6, 16), 0.5)
zeros_and_ones = torch.tensor([0, 0, 1, 0, 1, 1])

# %% [markdown]
# <details><summary>Hint 1</summary>The sign of a mean is not the mean of the signs.</details>
# <details><summary>Hint 2</summary>Add up the gradients of all draws, each from a call of its own.
# The sign comes last, and once.</details>
# <details><summary>Hint 3</summary>In a loop over the draws,
# <code>total += torch.autograd.grad(loss, x)[0]</code>, and after it a step as in FGSM.</details>


# %%
def eot_step(model, x, y, *, eps, draws):
    """One step of size eps along the sign of the mean gradient over the draws of a random model."""
    ### BEGIN SOLUTION
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(draws):
        total += torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)[0]
    return (x + eps * total.sign()).clamp(0, 1).detach()
    ### END SOLUTION


# %%
# CHECK eot_step, 2 points
model = seldom(16, 0)
found = expect.images(expect.leaves_arguments(eot_step, model, grey, zeros_and_ones, eps=0.05, draws=400), grey, 0.05)
moved = (found - grey).abs()
expect.that(
    moved.min() >= 0.05 - 1e-4,
    "a pixel moved by less than eps: after averaging, only the sign counts",
    expected="every pixel moves by 0.05",
    got=float(moved.min()),
)
with torch.no_grad():
    before, after = (
        F.cross_entropy(model(images.repeat(500, 1)), zeros_and_ones.repeat(500)) for images in (grey, found)
    )
expect.that(
    after > before,
    "the mean loss over fresh draws fell: what most draws say is not what they say on the average",
    expected=f"a mean loss above {float(before):.3f}",
    got=float(after),
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for i in torch.randperm(len(x))[:4]:  # one image, nothing random
    one, denied = x[i : i + 1], (predict(net, x[i : i + 1]) + 1 + i % 9) % 10
    expect.equal(
        expect.images(eot_step(net, one, denied, eps=0.1, draws=2), one, 0.1),
        attacks.fgsm(net, one, denied, eps=0.1),
        "with a y that the model denies the step goes elsewhere: up the loss of the y that is given",
        expected="on a model that is not random, the step of FGSM",
        share=0.98,
    )
for pixels, eps, chance in ((16, 0.05, 0.2), (40, 0.02, 0.2), (30, 0.03, 0.05)):
    model, middle = seldom(pixels, seed + pixels), torch.full((9, pixels), 0.5)
    way = model[-1].weight[1, :pixels].detach().sign()
    if chance == 0.05:  # so seldom that the gentle ones win
        model[2].bias.data[:pixels] = -0.6645
        way = -way
    labels = torch.randint(0, 2, (9,))
    labels[:2] = torch.tensor([0, 1])
    up = way * (1 - 2.0 * labels[:, None])  # where the mean gradient leads
    found = expect.images(expect.leaves_arguments(eot_step, model, middle, labels, eps=eps, draws=400), middle, eps)
    moved = found - middle
    expect.that(
        moved.abs().min() >= eps - 1e-4,
        "a pixel moved by less than eps: after averaging, only the sign counts",
        expected=f"every pixel moves by {eps}",
        got=float(moved.abs().min()),
    )
    right = (moved.sign() == up).float().mean(1)
    expect.that(
        not (right[labels == 0].mean() < 0.05 and right[labels == 1].mean() < 0.05),
        "the step goes where most draws lead, or the steepest of them, and not their mean; or down the loss: "
        "average the gradients before the sign",
        expected="the sign of the mean gradient",
        got=f"{100 * float(right.mean()):.0f} % of the pixels move as the mean gradient says",
    )
    expect.that(
        right.min() > 0.5 or right.max() < 0.95,
        "some images move as their mean gradient says, and others the opposite way: do the draws of one image meet "
        "those of another, or another label?",
        expected="each image moved by its own draws",
    )
    expect.that(
        right.mean() >= 0.97,
        "the step is as noisy as that of a few draws, or one draw outvotes the others: each of the draws is a call of "
        "its own, and all count alike",
        expected="the sign of the mean gradient over 400 draws",
        got=f"{100 * float(right.mean()):.0f} % of the pixels move as the mean gradient says",
    )
model, middle = seldom(30, seed), torch.full((40, 30), 0.5)
labels, way = torch.zeros(40, dtype=torch.int64), model[-1].weight[1, :30].detach().sign()
moved = expect.images(eot_step(model, middle, labels, eps=0.1, draws=1), middle, 0.1) - middle
expect.that(
    (moved.sign() == way).float().mean() < 0.5,
    "asked for one draw, the step knows more than one draw can tell: does it make as many calls as it is told?",
    expected="a step from one call of the model",
)
some = torch.randperm(len(x))[:50]
for judge in (net, Saturate(0.5)):  # nothing random: one step of FGSM, also into the corners of [0, 1]
    images, labels = (x[some], y[some]) if judge is net else (torch.rand(50, 10).round(decimals=1), y[some])
    wanted = attacks.fgsm(judge, images, labels, eps=0.2)
    found = expect.images(eot_step(judge, images, labels, eps=0.2, draws=3), images, 0.2)
    expect.equal(
        found,
        wanted,
        "on a model that is not random this is not the step of eps up the loss of y",
        expected="the step of FGSM",
        share=0.99,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Fresh draws (2 points)
#
# A random model is judged. `tries` is a list of attacked images, each (N, ...) like the others.
# Choose for each of the N images the try on which the model is right least often, over `draws` calls.
# Then say how often the model is right on the *chosen* image: a number from 0 to 1 for each, (N,),
# over `draws` calls that had no part in the choice.
#
# <details><summary>Hint 1</summary>The lowest of several measured shares is low by skill or by luck.
# Luck does not repeat itself.</details>
# <details><summary>Hint 2</summary>A share for each try and image first, (tries, N), then a choice for each image,
# then new calls on the chosen images.</details>
# <details><summary>Hint 3</summary><code>torch.stack(tries)[chosen, torch.arange(len(y))]</code>
# are the chosen images, if <code>chosen</code> (N,) holds their numbers.</details>


# %%
def left_after(model, tries, y, draws):
    """How often a random model is right on each image's worst try, counted on fresh draws, (N,)."""

    ### BEGIN SOLUTION
    def share(images):
        return torch.stack([predict(model, images) == y for _ in range(draws)]).float().mean(0)

    chosen = torch.stack([share(images) for images in tries]).argmin(0)
    return share(torch.stack(tries)[chosen, torch.arange(len(y))])
    ### END SOLUTION


# %% [markdown]
# Four classes, and images so close to a boundary that each draw is a coin toss. No try is better than another.


# %%
def coins(chances, seed):
    """A random model, and tries on which it is right with given chances (tries, N). The true class is 0.

    In the k-th try the rival is class k, so that other draws decide.
    """
    gap = -0.2 * 2**0.5 * torch.special.ndtri(torch.as_tensor(chances).double()).float()
    tries = []
    for k, lead in enumerate(gap, 1):
        images = torch.full((len(lead), 6), 0.2)
        images[:, 0], images[:, k] = 0.6 - lead / 4, 0.6 + lead / 4
        tries.append(images)
    last = nn.Linear(6, 6)
    last.weight.data, last.bias.data = 10 * torch.eye(6), torch.zeros(6)
    return nn.Sequential(Noise(0.1), last), tries


model, tosses = coins([[0.5] * 500] * 3, seed)
heads = torch.zeros(500, dtype=torch.int64)

# %%
# CHECK left_after, 2 points
torch.manual_seed(seed)
found = expect.tensor(expect.leaves_arguments(left_after, model, tosses, heads, 4), like=torch.zeros(500))
expect.that(
    found.min() >= 0 and found.max() <= 1,
    "a share is a number from 0 to 1",
    expected="shares in [0, 1]",
    got=found,
)
expect.that(
    found.mean() > 0.44,
    "on coin tosses the model is right less often than half: lucky draws were counted",
    expected="0.5 on the average, up to chance",
    got=float(found.mean()),
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for count, draws in ((3, 3), (5, 6), (2, 2)):
    model, tries = coins([[0.5] * 800] * count, seed)
    labels = torch.zeros(800, dtype=torch.int64)
    found = expect.tensor(left_after(model, tries, labels, draws), like=torch.zeros(800))
    expect.that(
        found.mean() > 0.45,
        "on coin tosses the model is right less often than half: lucky draws were counted, "
        "so judge on draws that had no part in the choice",
        expected="0.5 on the average, up to chance",
        got=float(found.mean()),
    )
    expect.that(
        found.mean() < 0.55,
        "on coin tosses the model is right more often than half",
        expected="0.5 on the average, up to chance",
        got=float(found.mean()),
    )
levels = torch.tensor([0.08, 0.35, 0.6, 0.9])
chances = torch.stack([levels[torch.randperm(4)] for _ in range(60)], 1)  # (4, 60)
chances[:, :20] = torch.tensor([0.6, 0.85, 0.97, 0.99])[torch.stack([torch.randperm(4) for _ in range(20)], 1)]
chances[:, 20:40] = torch.tensor([0.36, 0.62, 0.85, 0.97])[torch.stack([torch.randperm(4) for _ in range(20)], 1)]
model, tries = coins(chances, seed)
labels, wanted = torch.zeros(60, dtype=torch.int64), chances.amin(0)
model[1].weight.data *= 0.1  # as right as before, and never sure
found = expect.tensor(left_after(model, tries, labels, 150), like=wanted)
expect.that(
    not ((found == 0) | (found == 1)).all(),
    "a share over many draws is a number between 0 and 1, and not a vote: how often is the model right?",
    expected=f"{float(wanted[0]):.2f} for the first image, up to chance",
    got=found[:5],
)
expect.that(
    (found - wanted).mean() < 0.1,
    "for many images another try is worse: choose for each image the try on which the model is right least often",
    expected=f"{float(wanted.mean()):.2f} on the average",
    got=float(found.mean()),
)
expect.that(
    (found - wanted).mean() > -0.1,
    "the model is right more often on these images than said: one wrong draw is not a fallen image, "
    "and to be right is not to be sure",
    expected=f"{float(wanted.mean()):.2f} on the average",
    got=float(found.mean()),
)
expect.that(
    (found - wanted).abs().max() < 0.25,
    "for some images this is not how often the model is right on their worst try",
    expected=f"about {wanted[0]:.2f}, {wanted[20]:.2f}, {wanted[40]:.2f} for three of the images",
    got=found[[0, 20, 40]],
)
_, wrong = coins(chances[:1], seed)
found = expect.tensor(left_after(model, wrong, labels, 150), like=wanted)
expect.that(
    (found - chances[0]).abs().max() < 0.25,
    "with one try, that is the one to judge",
    expected=f"about {chances[0, 0]:.2f} for the first image",
    got=found[0],
)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Three reports (1 point)
#
# Three evaluations under a budget `eps` in L∞. Numbers are percent right, of 1,000 images each;
# differences of less than 5 points are chance. `"pgd, eps = 1"` is PGD with a budget
# that turns any image into any other. `"claimed"` is what the abstract says is left at `eps`.
# Random models are judged on the draws that the attack has seen, or on fresh ones.

# %%
papers = {
    "A": {
        "eps": 0.15,
        "largest change": 0.15,
        "judged on": "fresh draws",
        "clean": 97,
        "pgd": 63,
        "pgd, eps = 1": 1,
        "square": 68,
        "transfer": 80,
        "claimed": 63,
    },
    "B": {
        "eps": 0.1,
        "largest change": 0.1,
        "judged on": "fresh draws",
        "clean": 95,
        "pgd": 81,
        "pgd, eps = 1": 2,
        "square": 24,
        "transfer": 90,
        "claimed": 81,
    },
    "C": {
        "eps": 0.2,
        "largest change": 0.2,
        "judged on": "fresh draws",
        "clean": 96,
        "pgd": 41,
        "pgd, eps = 1": 0,
        "square": 47,
        "transfer": 75,
        "claimed": 75,
    },
}

# %% [markdown]
# Write your judgement as a function, so that it can be tried on reports that you have not seen.
# It returns two texts, a verdict and the entry that shows it:
#
# - `"invalid"`: what was measured is not what the threat model allows, or not judged fairly;
# - `"masked"`: the attack that follows the gradient was misled, so its number says nothing;
# - `"overclaims"`: the measurements are in order, and the abstract says more than they do;
# - `"sound"`: nothing of this. The entry is `""`.
#
# If several are true, the first in this list counts.
#
# <details><summary>Hint 1</summary>Decide A, B and C by hand. Which numbers did you compare?</details>
# <details><summary>Hint 2</summary>For <em>masked</em>: what should a gradient be at least as good as?
# What should nothing survive?</details>
# <details><summary>Hint 3</summary>Two entries can make a report invalid, three can show a mask, one an overclaim.
# Rounding is no fault: 0.15000001 is 0.15.</details>


# %%
def verdict(report):
    """(verdict, entry that shows it) of a report like those above."""
    ### BEGIN SOLUTION
    if report["largest change"] > report["eps"] + 1e-4:
        return "invalid", "largest change"
    if report["judged on"] != "fresh draws":
        return "invalid", "judged on"
    for entry in ("square", "transfer"):
        if report[entry] <= report["pgd"] - 10:
            return "masked", entry
    if report["pgd, eps = 1"] > 10:
        return "masked", "pgd, eps = 1"
    if report["claimed"] > min(report[entry] for entry in ("pgd", "square", "transfer")) + 5:
        return "overclaims", "claimed"
    return "sound", ""
    ### END SOLUTION


# %%
list(map(verdict, papers.values()))

# %%
# CHECK verdict, 1 point
words = ("invalid", "masked", "overclaims", "sound")
seen = set()
for name, report in papers.items():
    found = verdict(dict(report))
    expect.that(
        isinstance(found, (tuple, list)) and len(found) == 2 and found[0] in words and found[1] in ("", *report),
        f"report {name}: return a verdict and the entry that shows it",
        expected=f"one of {', '.join(words)}, and an entry of the report or an empty text",
        got=found,
    )
    seen.add(found[0])
expect.that(len(seen) == 3, "the three reports deserve three different verdicts", got=sorted(seen))
### BEGIN HIDDEN TESTS
chance = random.Random(seed)
faults = {
    "": ("sound", "what is wrong with a report that claims its lowest number, up to chance?"),
    "largest change": ("invalid", "are these the images of the threat model, up to rounding?"),
    "judged on": ("invalid", "may the draws that an attack has seen be those that judge it?"),
    "square": ("masked", "can an attack that sees no gradient be far better than one that sees it?"),
    "transfer": ("masked", "can another model's gradient be far better than the model's own?"),
    "pgd, eps = 1": ("masked", "what should survive if any image may become any other?"),
    "claimed": ("overclaims", "is what is claimed left after every attack?"),
}
for entry, (word, question) in [*faults.items()] * 4:
    eps, pgd = chance.choice([0.03, 0.1, 0.15, 0.3]), chance.randint(30, 65)
    report = {"eps": eps, "largest change": eps + chance.choice([0, 2e-8]), "judged on": "fresh draws"}
    report |= {"clean": chance.randint(94, 99), "pgd": pgd, "pgd, eps = 1": chance.randint(0, 2)}
    report |= {"square": pgd + chance.randint(-2, 9), "transfer": pgd + chance.randint(-2, 25)}
    lowest = min(report[name] for name in ("pgd", "square", "transfer"))
    report["claimed"] = chance.choice([lowest, pgd])
    if entry == "largest change":
        report[entry] = round(eps * chance.uniform(1.2, 3), 3)
    elif entry == "judged on":
        report[entry] = "the attack's draws"
    elif entry == "pgd, eps = 1":
        report[entry] = chance.randint(18, pgd)
    elif entry == "claimed":
        report[entry] = chance.choice([lowest + chance.randint(12, 25), report["clean"]])
    elif entry:
        report[entry] = pgd - chance.randint(14, 28)
        report["claimed"] = chance.choice([pgd, report[entry]])
    found = verdict(dict(report))
    fits = isinstance(found, (tuple, list)) and len(found) == 2
    told = ", ".join(f"{name} {value}" for name, value in report.items())
    expect.that(fits, "return a verdict and the entry that shows it", expected="two texts", got=found)
    expect.that(found[0] == word, f"another verdict is due: {question}", expected=f"a verdict on: {told}", got=found)
    expect.that(
        found[1] == entry, f"{word} it is, but another entry shows it: {question}", expected=f"for: {told}", got=found
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Take it off (3 points, open)
#
# A model that hides twice: it rounds what it sees, and it shouts.

# %%
loud = nn.Sequential(*net, Saturate())
masked = nn.Sequential(Quantize(), loud)

# %%
plots.rates(
    {
        "no attack": accuracy(masked, (x, y)),
        "PGD, cross-entropy": accuracy(masked, (attacks.pgd(masked, x, y, eps=0.2), y)),
        "PGD, margin": accuracy(masked, (attacks.pgd(masked, x, y, eps=0.2, loss=attacks.margin), y)),
    }
)

# %% [markdown]
# Write an attack on `net(mask(x))` that leaves at most **20 %** of the answers right,
# within 0.2 of `x` in L∞ and in [0, 1]. It has 20 seconds for 400 images.
# The masks may be others, random ones too, and you do not know how loud the net is.
#
# <details><summary>Hint 1</summary>Two things are in the way. With which of them gone does the attack begin to work?
# Try <code>net</code> in place of <code>loud</code>, and <code>nn.Identity()</code> in place of the mask.</details>
# <details><summary>Hint 2</summary>Exercise 1 sees through a mask. For a net that shouts, you need a loss
# that does not saturate, or logits that are turned down by as much as they are too loud.</details>
# <details><summary>Hint 3</summary>Twenty steps of <code>eps / 5</code> along the sign of the gradient
# of the margin at <code>mask(x_adv)</code>, each followed by both clamps.</details>


# %%
def take_off(mask, net, x, y, *, eps):
    """Images within eps of x in L-infinity and in [0, 1] that net(mask(x)) gets wrong."""
    ### BEGIN SOLUTION
    x_adv, own = x.clone(), y[:, None]
    for _ in range(20):
        seen = mask(x_adv).detach().requires_grad_()
        logits = net(seen)
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), seen)
        x_adv = (x_adv + eps / 5 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv
    ### END SOLUTION


# %%
# CHECK take_off, 2 points
found = expect.images(expect.leaves_arguments(take_off, Quantize(), loud, x, y, eps=0.2), x, 0.2)
left = accuracy(masked, (found, y))
if left.k > 0.2 * left.n:
    bare = accuracy(net, (expect.images(take_off(nn.Identity(), net, x, y, eps=0.2), x, 0.2), y))
    expect.that(
        bare.k <= 0.2 * bare.n,
        "the attack does not get the net wrong even without mask and shouting: begin there",
        expected=f"at most {int(0.2 * left.n)} of {left.n} right",
        got=f"{left.k} right, and {bare.k} without mask and shouting",
    )
    quiet = nn.Sequential(Quantize(), net)
    quiet = accuracy(quiet, (expect.images(take_off(Quantize(), net, x, y, eps=0.2), x, 0.2), y))
    expect.that(
        quiet.k <= 0.2 * quiet.n,
        "the mask is still in the way, even where the net does not shout",
        expected=f"at most {int(0.2 * left.n)} of {left.n} right",
        got=f"{left.k} right, and {quiet.k} where the net does not shout",
    )
    expect.that(
        False,
        "the attack works on the same net when it does not shout: "
        "where the net is sure, does your loss have a gradient?",
        expected=f"at most {int(0.2 * left.n)} of {left.n} right",
        got=f"{left.k} right, and {quiet.k} where the net does not shout",
    )
### BEGIN HIDDEN TESTS
expect.images(take_off(Quantize(), loud, x[:1], y[:1], eps=0.05), x[:1], 0.05)
other = trained(seed)
for mask, scale, name in ((Quantize(4), 30_000.0, "rounds to four levels"), (JPEG(), 250.0, "compresses")):
    shouting = nn.Sequential(*other, Saturate(scale))
    found = expect.images(take_off(mask, shouting, x, y, eps=0.2), x, 0.2)
    left = accuracy(nn.Sequential(mask, shouting), (found, y))
    expect.that(
        left.k <= 0.2 * left.n,
        f"too many answers are still right on another net, {scale:g} times as loud, whose mask {name}",
        expected=f"at most {int(0.2 * left.n)} of {left.n} right",
        got=f"{left.k} right",
    )
### END HIDDEN TESTS

# %% [markdown]
# The same attack on a mask of noise, judged as exercise 3 says: on draws that it has not seen.

# %%
# CHECK take_off_noise, 1 point
torch.manual_seed(seed)
noisy = nn.Sequential(Noise(0.1), loud)
found = expect.images(expect.leaves_arguments(take_off, Noise(0.1), loud, x[:200], y[:200], eps=0.2), x[:200], 0.2)
right = torch.stack([predict(noisy, found) == y[:200] for _ in range(10)]).float().mean()
expect.that(
    right <= 0.2,
    "behind noise too many answers are right on fresh draws: does the net see in each step what the mask shows?",
    expected="20 % on the average over fresh draws",
    got=f"{100 * float(right):.0f} %",
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
shouting = nn.Sequential(*trained(seed + 1), Saturate(3_000.0))
for sigma, most in ((0.15, 0.2), (0.05, 0.2)):
    some = torch.randperm(len(x))[:200]
    images, labels, noisy = x[some], y[some], nn.Sequential(Noise(sigma), shouting)
    found = expect.images(take_off(Noise(sigma), shouting, images, labels, eps=0.2), images, 0.2)
    right = torch.stack([predict(noisy, found) == labels for _ in range(10)]).float().mean()
    expect.that(
        right <= most,
        f"behind noise of {sigma} too many answers of another net are right on fresh draws",
        expected=f"at most {100 * most:.0f} % on the average over fresh draws",
        got=f"{100 * float(right):.0f} %",
    )
### END HIDDEN TESTS
