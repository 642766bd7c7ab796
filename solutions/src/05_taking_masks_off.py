# %% [markdown]
# # Lab 05 · Taking masks off
#
# Five exercises, 10 points, about 80 minutes after [lesson 05](../notebooks/05_taking_masks_off.ipynb),
# and for exercise 4 after [lesson 05b](../notebooks/05b_the_check_up.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# A function may call those that you wrote before it. Own cells, prints and pictures do no harm.
# Finished attacks of `utils.attacks` or other libraries are not an answer; the losses there may be used.

# %%
import copy
import math
from functools import cache
from statistics import NormalDist

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, expect, plots
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.masking import JPEG, Median, Noise, Quantize, Saturate, Scramble
from utils.models import mlp, predict
from utils.training import fit

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = data.test


@cache  # the same network each time: a check works on a copy
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
# <details><summary>Hint 3</summary>At which images should the gradient be taken, and with respect to what?
# And how does one image's gradient become independent of how many others there are?</details>


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
plainly = expect.tensor(gradient_through(nn.Identity(), net, few, labels), like=few)
expect.that(
    plainly.abs().sum() > 0,
    "no gradient came through, even where the mask changes nothing",
    expected="gradients that are not all 0",
)
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
other = copy.deepcopy(trained(1 + seed % 3))  # a class needs three, not one for each student
torch.manual_seed(seed)
masks = [nn.Identity(), Quantize(6), Quantize(2), Median(), JPEG(), Scramble(), nn.Sequential(JPEG(0.4), Quantize(9))]
for mask, judge in zip(masks, [net, net, other, net, other, net, other], strict=True):
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
    ends = (mask(images) == 0) | (mask(images) == 1)
    expect.that(
        found[ends].any() or not wanted[ends].any(),
        "pixels that the mask makes black or white have no gradient: nothing is clamped on the way back",
        expected="the gradient of the net, in every pixel",
    )
    none, due = (part.flatten(1).any(1).logical_not() for part in (found, wanted))
    expect.that(
        not (none & ~due).any(),
        "some images have no gradient: each has one, whether the model gives the answer in y or another",
        expected="a gradient for each image",
        got=f"none for {int((none & ~due).sum())} of 30",
    )
    alone = expect.tensor(gradient_through(mask, judge, images[3:4], labels[3:4]), like=images[:1])
    expect.that(
        (found[3:4] - alone).abs().max() <= 1e-3 * size,
        "an image's gradient depends on the others in the batch: each has a loss and a label of its own",
        expected="the gradient of the image's own loss",
    )
    twice = at(mask(mask(images)), labels)
    expect.that(
        close(wanted) or not close(twice),
        "the net sees what the mask makes of its own answer: the mask works once on the way forward",
        expected="the gradient of the net where the mask has put the image",
    )
    point = mask(images).requires_grad_()
    lead = torch.autograd.grad(attacks.margin(judge(point), labels).sum(), point)[0]
    likeness = lambda value, found=found: F.cosine_similarity(found.flatten(1), value.flatten(1))  # noqa: E731
    expect.that(
        close(wanted) or not likeness(lead).min() > 0.999,
        "this is the gradient of a difference of logits: the gradient of the cross-entropy is asked",
        expected="the gradient of the cross-entropy with y",
    )
    expect.that(
        close(wanted) or not close(at(mask(images), labels, nn.Sequential(judge, nn.Softmax(1)))),
        "the answers go through a softmax before the cross-entropy, which has one of its own",
        expected="the gradient of the cross-entropy of the net's logits as they are",
    )
    expect.that(
        close(wanted) or not close(2 * wanted),
        "twice the gradient: on the way back, the mask must count as the identity, and no gradient of its own is added",
        expected=f"entries of up to {size:.3g}",
        got=found,
    )
    expect.that(
        not isinstance(mask, nn.Identity)
        or close(wanted)
        or max((likeness(w) > 0.999).float().mean() for w in (wanted.sign(), wanted)) < 0.95,
        "each gradient points the right way and has another length, or only its signs are left: it is asked as it is, "
        "of the cross-entropy and not of a probability",
        expected=f"entries of up to {size:.3g}",
        got=found,
    )
    if isinstance(mask, nn.Identity):
        expect.equal(
            found / size,
            wanted / size,
            "with a mask that changes nothing, this is not the gradient of each image's cross-entropy with its label "
            "in y: of the net's logits as they are",
            expected=f"entries of up to {size:.3g}",
            atol=1e-3,
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
# over `draws` calls of the model. The loss of each call is its cross-entropy with `y`, and it should go up.
#
# The model below has a gentle gradient most of the time, and seldom a steep one the other way.
# On the average, the steep ones win.


# %%
def seldom(pixels, seed, chance=0.2):
    """A random model. At grey a pixel's gradient is 1 or -1, by `seed`; in a share `chance` of the draws -9 times that.

    Each pixel has two units. One always speaks. The other is ten times as steep, the other way, and speaks only where
    noise of 0.1 lifts the grey of 0.5 above a threshold, which it does with that chance.
    """
    threshold = NormalDist(0.5, 0.1).inv_cdf(1 - chance)
    way = 2.0 * torch.randint(0, 2, (pixels,), generator=torch.Generator().manual_seed(seed)) - 1
    first, last = nn.Linear(pixels, 2 * pixels), nn.Linear(2 * pixels, 2)
    first.weight.data = torch.cat([torch.eye(pixels), torch.eye(pixels)])
    first.bias.data = torch.cat([torch.full((pixels,), -threshold), torch.zeros(pixels)])
    last.weight.data = torch.stack([torch.zeros(2 * pixels), 0.01 * torch.cat([10 * way, -way])])
    last.bias.data = torch.zeros(2)
    return nn.Sequential(Noise(0.1), nn.Flatten(), first, nn.ReLU(), last)


grey = torch.full((6, 16), 0.5)
zeros_and_ones = torch.tensor([0, 0, 1, 0, 1, 1])

# %% [markdown]
# <details><summary>Hint 1</summary>The sign of a mean is not the mean of the signs.</details>
# <details><summary>Hint 2</summary>Add up the gradients of all draws, each from a call of its own.
# The sign comes last, and once.</details>
# <details><summary>Hint 3</summary>One call of the model, one backward pass, for each draw.
# What may be added up over the draws, and what may not?</details>


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
found = expect.images(expect.leaves_arguments(eot_step, model, grey, zeros_and_ones, eps=0.05, draws=150), grey, 0.05)
moved = (found - grey).abs()
expect.that(
    moved.min() >= 0.05 - 1e-4,
    "a pixel moved by less than eps: after averaging, only the sign counts",
    expected="every pixel moves by 0.05",
    got=float(moved.min()),
)
steady = expect.images(eot_step(net, x[:40], y[:40], eps=0.1, draws=2), x[:40], 0.1)
again = expect.images(eot_step(net, x[:40], y[:40], eps=0.1, draws=2), x[:40], 0.1)
expect.equal(
    steady,
    again,
    "on a model that is not random two calls give different steps: the model is asked about x as it is, "
    "for the draws are its own, and no noise is added",
    expected="the same step",
    share=0.99,
)
alone = [
    expect.images(eot_step(net, x[i : i + 1], y[i : i + 1], eps=0.1, draws=2), x[i : i + 1], 0.1) for i in range(9)
]
expect.equal(
    steady[:9],
    torch.cat(alone),
    "an image's step depends on the others in the batch: do the draws of one meet those of another?",
    expected="the same step, alone and in a batch",
    share=0.97,
)
expect.that(
    F.cross_entropy(net(steady), y[:40]) > F.cross_entropy(net(x[:40]), y[:40]),
    "on a model that is not random the loss fell: the step goes up the loss of y",
    expected="a higher loss",
)
due = attacks.fgsm(net, x[:40], y[:40], eps=0.1)
once = expect.images(eot_step(net, x[:40], y[:40], eps=0.1, draws=1), x[:40], 0.1)
expect.that(
    (once == due).float().mean() < 0.97 or (steady == due).float().mean() >= 0.97,
    "on a model that is not random the step is right for one draw, and another for two: "
    "each draw asks the model about x itself, and there is one step, after all of them",
    expected="the same step, whatever draws is",
)
expect.equal(
    steady,
    due,
    "on a model that is not random this is not one step of FGSM",
    expected="x + eps * sign(gradient), clamped to [0, 1]",
    share=0.97,
)
again = [expect.images(eot_step(model, grey, zeros_and_ones, eps=0.05, draws=1), grey, 0.05) for _ in range(2)]
expect.that(
    not again[0].equal(grey),
    "asked for one draw, nothing moves: is each of the draws made, also the first?",
    expected="a step from one call of the model",
)
expect.that(
    not again[0].equal(again[1]),
    "asked twice for a step from one draw, it is the same step: each call of the model has random numbers of its own, "
    "so no seed is set",
    expected="another step from another draw",
)
other = expect.images(eot_step(model, grey, zeros_and_ones, eps=0.05, draws=150), grey, 0.05)
expect.equal(
    found,
    other,
    "two steps from 150 draws each differ in many pixels: do all draws count?",
    expected="the sign of a mean over 150 draws, which is nearly always the same",
    share=0.9,
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
    model, middle = seldom(pixels, seed + pixels, chance), torch.full((9, pixels), 0.5)
    way = model[-1].weight[1, :pixels].detach().sign()
    if 10 * chance < 1:  # so seldom that the gentle ones win
        way = -way
    labels = torch.randint(0, 2, (9,))
    labels[:2] = torch.tensor([0, 1])
    up = way * (1 - 2.0 * labels[:, None])  # where the mean gradient leads
    found = expect.images(expect.leaves_arguments(eot_step, model, middle, labels, eps=eps, draws=150), middle, eps)
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
        expected="the sign of the mean gradient over 150 draws",
        got=f"{100 * float(right.mean()):.0f} % of the pixels move as the mean gradient says",
    )


class Torn(nn.Module):
    """At each call the model leads class 1, by chance, by one line in the height or by another: (start, slope) each."""

    def __init__(self, way, one, other):
        super().__init__()
        self.way, self.one, self.other = way, one, other

    def forward(self, x):
        height = (x.flatten(1) - 0.5) @ self.way
        one, other = (start + slope * height for start, slope in (self.one, self.other))
        lead = torch.where(torch.rand(len(x)) < 0.5, one, other)
        return torch.stack([torch.zeros_like(lead), lead], 1)


way, middle = 0.01 * (2.0 * torch.randint(0, 2, (20,)) - 1), torch.full((8, 20), 0.5)
ones = torch.ones(8, dtype=torch.int64)
pulled = Torn(way, (2, 10), (0, -1.2))
lower = expect.images(eot_step(pulled, middle[:1], ones[:1], eps=0.1, draws=250), middle[:1], 0.1)
expect.that(
    ((lower - middle[:1]).sign() == -way.sign()).float().mean() >= 0.97,
    "where the draws of a low loss have the longer gradients, the step follows those of a high loss: "
    "the gradients are added up as they are",
    expected="the mean of the gradients of 250 losses",
)
torn = Torn(way, (-4, -1), (0, 1))  # sure of class 0, or undecided, with opposite gradients
found = expect.images(eot_step(torn, middle, ones, eps=0.1, draws=250), middle, 0.1)
expect.that(
    ((found - middle).sign() == way.sign()).float().mean() >= 0.97,
    "where some draws are surer than others, this is not the way of the mean gradient: each draw has a loss of its "
    "own, which is not that of the mean answer, and its gradient counts as long as it is",
    expected="the mean of the gradients of 250 losses",
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
# <details><summary>Hint 3</summary>A stack of tries has two indices in front: the try's number and the image's.
# Both can be tensors of N numbers.</details>


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
    spread = 0.1 * 2**0.5  # of the difference between two pixels, each with noise of 0.1
    lead = -spread * torch.special.ndtri(torch.as_tensor(chances).double()).float()  # of the rival's pixel, (tries, N)
    tries = []
    for k, ahead in enumerate(lead, 1):
        images = torch.full((len(ahead), 6), 0.2)  # so dark that no other pixel wins
        images[:, 0], images[:, k] = 0.6 - ahead / 2, 0.6 + ahead / 2
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
said, like = predict(net, x[:5]), torch.zeros(5)
always, never = (expect.tensor(left_after(net, [x[:5]], y, 2), like=like) for y in (said, (said + 1) % 10))
expect.that(
    always.max() < 0.5 or never.max() < 0.5,
    "where the model never answers y, it is right on none of the draws: right is what is y, whatever else it says",
    expected="0 for each of five images",
    got=never,
)
alone = expect.tensor(left_after(model, tosses[:1], heads, 4), like=torch.zeros(500))
expect.that(
    0.44 < alone.mean() < 0.56,
    "with one try nothing is chosen, and the model is right on half of the draws: "
    "in how many of an image's draws is it right, as a share of all?",
    expected="0.5 on the average, up to chance",
    got=float(alone.mean()),
)
expect.that(
    found.mean() > 0.44 or not expect.tensor(left_after(model, tosses, heads, 4), like=found).equal(found),
    "on coin tosses the model is right less often than half, and two calls give the same shares: "
    "a seed makes the draws that judge those of the choice again",
    expected="0.5 on the average, from other draws",
    got=float(found.mean()),
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
_, alone = coins(chances[:1], seed)
single = expect.tensor(left_after(model, alone, labels, 110), like=wanted)
expect.that(
    (single + chances[0] - 1).abs().max() > 0.25,
    "this is how often the model is wrong: it is asked how often it is right",
    expected=f"about {chances[0, 0]:.2f} for the first image",
    got=single[0],
)
expect.that(
    single.min() < single.max(),
    "all images have the same number: each has a share of its own",
    expected="a share for each image",
    got=single[:5],
)
found = expect.tensor(left_after(model, tries, labels, 150), like=wanted)
expect.that(
    not ((found == 0) | (found == 1)).all(),
    "a share over many draws is a number between 0 and 1: all draws that judge an image count alike, and it is "
    "neither one of them that decides nor a vote",
    expected=f"{float(wanted[0]):.2f} for the first image, up to chance",
    got=found[:5],
)
expect.that(
    (found - chances.mean(0)).abs().max() > 0.15,
    "this is the mean over the tries: choose the try first on which the model is right least often, and judge that one",
    expected=f"{float(wanted.mean()):.2f} on the average",
    got=float(found.mean()),
)
for number, name in ((0, "first"), (3, "last")):
    best, off = chances.argmin(0) == number, found - wanted
    expect.that(
        not best.any() or best.all() or off[best].mean() < 0.15 or off[~best].abs().mean() > 0.1,
        f"the {name} try is never chosen, also where the model is right least often on it",
        expected="each of the tries where it is the worst",
    )
mean, usual, top = (float(part.mean()) for part in (found, chances.mean(0), chances.amax(0)))
expect.that(
    mean < (usual + top) / 2,
    "for many images the try is chosen on which the model is right most often: it is asked where it is least often",
    expected=f"{float(wanted.mean()):.2f} on the average",
    got=mean,
)
expect.that(
    mean < wanted.mean() + 0.1 or mean > usual - 0.05,
    "the tries that are chosen are better than most, and not the best: "
    "choose for each image, and do all draws have a part in the choice, or only one or a few?",
    expected=f"{float(wanted.mean()):.2f} on the average, with 150 draws",
    got=mean,
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
    "for some images this is not how often the model is right on their worst try, over as many draws as are told",
    expected=f"about {wanted[0]:.2f}, {wanted[20]:.2f}, {wanted[40]:.2f} for three of the images",
    got=found[[0, 20, 40]],
)
expect.that(
    (single - chances[0]).abs().max() < 0.25,
    "with one try, that is the one to judge",
    expected=f"about {chances[0, 0]:.2f} for the first image",
    got=single[0],
)


class Skewed(nn.Module):
    """Label 0 trails by a little in nine of ten draws where the first pixel is 1, and leads by far in the tenth.

    Where the pixel is 0 it is the other way round.
    """

    def forward(self, x):
        lead = torch.where(torch.rand(len(x)) < 0.1, 100.0, -0.1) * (2 * x[:, 0] - 1)
        return torch.stack([lead, torch.zeros_like(lead)], 1)


tries = [torch.full((40, 1), pixel) for pixel in (0.0, 1.0)]
found = expect.tensor(left_after(Skewed(), tries, torch.zeros(40, dtype=torch.int64), 50), like=torch.zeros(40))
expect.that(
    found.mean() < 0.5,
    "a try is chosen on which the model errs by more, but less often: it is not the margin or the loss that chooses, "
    "but how often the model is right",
    expected="0.1 on the average",
    got=float(found.mean()),
)


class Counted(nn.Sequential):
    """The same, and counts the images it is asked about."""

    asked = 0

    def forward(self, x):
        self.asked += len(x)
        return super().forward(x)


model, tries = coins([[0.5] * 400] * 2, seed)
counted = Counted(*model)
found = 6 * expect.tensor(left_after(counted, tries, torch.zeros(400, dtype=torch.int64), 6), like=torch.zeros(400))
expect.that(
    counted.asked >= 3 * 6 * 400 and (found - found.round()).abs().max() < 1e-3 and (found.round() % 2 == 1).any(),
    "asked for 6 draws, the shares rest on another number of calls: draws for each try, and as many to judge",
    expected="whole sixths, and 18 calls for two tries",
    got=f"{counted.asked / 400:g} calls, and shares such as {float(found[0]) / 6:.3g}",
)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Who tests the attack? (1 point)
#
# Plant an adversarial example. `body` turns images into features, (N, features). Around one image there are `inner`
# points (points, ...), the image among them, and one `corner` (1, ...) of its ball.
# Write the linear classifier on the features (the lesson's *line*) that calls the corner 1 and all inner points 0:
#
# - its weights `w`, (features,), are the corner's features less the **mean** of the inner points';
# - its bias `b`, a number, puts the border, where `features @ w + b` is 0, at 99.9 % of the way from the inner point
#   that is **nearest** to the corner along `w` to the corner itself.
#
# Return the pair `(w, b)`; or `None` if some inner point lies at least as far along `w` as the corner, so that nothing
# can be planted there.
#
# <details><summary>Hint 1</summary>What is <code>features @ w</code> of the corner, and of the nearest inner
# point?</details>
# <details><summary>Hint 2</summary>A point at 99.9 % of the way from one number to another is a mean of the two,
# weighed.</details>
# <details><summary>Hint 3</summary>At the border the sum is 0. So what must <code>b</code> be, if the border lies at
# some height?</details>


# %%
def line(body, inner, corner):
    """(w, b) of the line between an image's inner points and its corner, in the features; or None."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - within.mean(0)
    top, nearest = planted @ w, (within @ w).max()
    return (w, -(nearest + 0.999 * (top - nearest))) if top > nearest else None
    ### END SOLUTION


# %% [markdown]
# With it, attacks are tested: three of these five are at fault. How many planted examples does each find?


# %%
body, eps = net[:-1].eval(), 0.15


def twins(line, count=80):
    """(image, two-class network) for the images around which an example could be planted."""
    torch.manual_seed(0)
    found = []
    for image in x[:count]:
        noise = 2 * torch.rand(200, *image.shape) - 1
        noise[:100] = noise[:100].sign()
        inner = torch.cat([image[None], (image + 0.95 * eps * noise).clamp(0, 1)])
        corner = (image + eps * torch.randn(1, *image.shape).sign()).clamp(0, 1)
        if (pair := line(body, inner, corner)) is not None:
            last = nn.Linear(len(pair[0]), 2)
            last.weight.data = torch.stack([torch.zeros(len(pair[0])), torch.as_tensor(pair[0]).float()])
            last.bias.data = torch.tensor([0.0, float(pair[1])])
            found.append((image[None], nn.Sequential(body, last)))
    return found


def finds(planted, **how):
    """How many of the planted examples PGD finds, run as `how` says."""
    zero = torch.zeros(1, dtype=torch.int64)
    hits = [int(predict(twin, attacks.pgd(twin, image, zero, eps=eps, **how)) == 1) for image, twin in planted]
    return Rate(sum(hits), len(hits))


runs = {
    "40 steps": {},
    "10 steps": {"steps": 10},
    "the wrong sign": {"step": -eps / 16},
    "steps that are too short": {"step": eps / 1000},
    "a loss that is flat": {"loss": lambda logits, labels: 0 * logits.sum(1)},
}

# %%
plots.rates({name: finds(twins(line), **how) for name, how in runs.items()}, x="planted examples found")

# %%
# CHECK line, 1 point
torch.manual_seed(seed)
image = x[:1]
noise = 2 * torch.rand(60, *image.shape[1:]) - 1
inner = torch.cat([image, (image + 0.1 * noise).clamp(0, 1)])
corner = (image + 0.3 * torch.ones_like(image)).clamp(0, 1)
pair = expect.leaves_arguments(line, body, inner, corner)
expect.that(
    pair is not None,
    "the answer is None, although the corner lies farther along w than all inner points: which way does w point?",
    expected="a pair",
)
expect.that(isinstance(pair, (tuple, list)) and len(pair) == 2, "a pair is wanted: weights and bias", got=pair)
with torch.no_grad():
    low, high = body(inner), body(corner)[0]
w, b = expect.tensor(pair[0], like=low[0], what="w"), float(pair[1])
expect.that(
    not F.cosine_similarity(w, (corner - inner.mean(0)).flatten(), dim=0) > 0.999,
    "these are weights for pixels: the line lies in the features, which body gives",
    expected="a difference of features",
)
expect.that(
    not F.cosine_similarity(w, high - low.mean(0), dim=0) < -0.99,
    "w points from the corner to the inner points: it should point to the corner, which is called 1",
    expected="the other way round",
)
expect.that(
    not (float(high @ w) - b > 0 > float((low @ w).max()) - b) or float(high @ w) + b > 0,
    "the bias has the wrong sign: at the border, features @ w and b add up to 0",
    expected="a sum above 0 for the corner",
    got=float(high @ w) + b,
)
top, nearest = float(high @ w), float((low @ w).max())
border = f"{100 * (-b - nearest) / (top - nearest):.4g} % of the way from the nearest inner point to the corner"
expect.that(
    top + b > 0,
    "the corner is not called 1: where do features @ w and b add up to 0?",
    expected="a sum above 0, and the border at 99.9 % of the way",
    got=f"a sum of {top + b:.4g}, and the border at {border}",
)
expect.that(
    nearest + b < 0,
    "an inner point is called 1: the border must lie beyond the nearest of them",
    expected="sums below 0, and the border at 99.9 % of the way",
    got=f"a sum of {nearest + b:.4g}, and the border at {border}",
)
### BEGIN HIDDEN TESTS
other = copy.deepcopy(trained(1 + seed % 3))[:-1]
torch.manual_seed(seed)
flat = nn.Flatten()
for words, points, weight, border in (  # with the points as their own features, on a line, and the corner at 1
    ("all inner points lie at 0: the border lies at 99.9 % of the way from there", [0.0, 0.0], 1.0, 0.999),
    ("of inner points at 0.1 and 0.5, the border is measured from the nearest", [0.1, 0.5], 0.7, 0.9995),
    ("all inner points lie at -1: the way begins there, and not at 0", [-1.0, -1.0], 2.0, 0.998),
):
    pair = line(flat, torch.tensor(points)[:, None], torch.ones(1, 1))
    expect.that(pair is not None, f"the answer is None, and something can be planted: {words}", expected="a pair")
    w, b = (float(torch.as_tensor(part)) for part in pair)
    expect.that(
        abs(w - 1) > 1e-4 or weight == 1, "the weights have length 1: they are the difference of features as it is"
    )
    expect.that(
        abs(w - weight) < 1e-4,
        f"the weight is another for inner points at {points} and the corner at 1: the corner's features less the mean "
        "of those of all inner points",
        expected=weight,
        got=w,
    )
    expect.that(abs(-b / w - border) < 1e-5, words, expected=f"a border at {border}", got=f"{-b / w:.6g}")
expect.that(
    line(flat, torch.tensor([[0.0, 0.0], [0.9995, 0.0]]), torch.tensor([[1.0, 0.0]])) is not None,
    "an inner point lies nearly as far along w as the corner, and the answer is None: a border fits between the two",
    expected="a pair",
)
for body_of, shape in ((other, (1, 8, 8)), (flat, (7,)), (flat, (2, 3, 1))):
    for points in (2, 50):
        middle = torch.rand(1, *shape) * 0.4 + 0.3
        inner = torch.cat([middle, middle + 0.25 * (2 * torch.rand(points, *shape) - 1)])
        corner = middle + 0.3 * torch.randn(1, *shape).sign()
        pair = expect.leaves_arguments(line, body_of, inner, corner)
        expect.that(pair is not None, "something can be planted here, and the answer is None", expected="a pair")
        with torch.no_grad():
            low, high = body_of(inner), body_of(corner)[0]
        w, b = expect.tensor(pair[0], like=high, what="w"), float(pair[1])
        wanted = high - low.mean(0)
        expect.that(
            torch.allclose(w, wanted, rtol=1e-3) or not F.cosine_similarity(w, wanted, dim=0) > 0.9999,
            "the weights point the right way and have another length: they are the difference of features as it is, "
            "from the mean of the inner points alone",
            expected=f"a length of {float(wanted.norm()):.4g}",
            got=float(w.norm()),
        )
        expect.equal(
            w,
            wanted,
            "other weights than asked for: from the mean of the inner points' features to the corner's",
            expected="the corner's features less the mean of the inner points'",
            atol=1e-3 * float(wanted.abs().max()),
        )
        top, nearest = float(high @ w), float((low @ w).max())
        short = (top + b) / (top - nearest)
        expect.that(
            0.8e-3 < short < 1.2e-3,
            "the border lies elsewhere: at 99.9 % of the way from the nearest inner point to the corner",
            expected="0.1 % of the way are left to the corner",
            got=f"{100 * short:.3g} % are left",
        )
corner = torch.tensor([[1.0, 0.0]])
for inner, why in (
    ([[0.0, 0.0], [0.5, 2.0], [0.5, -2.0]], "the nearest *along w*, which need not be the nearest"),
    ([[0.5, 0.0], [0.0, 2.0], [0.0, -2.0]], "the image itself is among them, and here it is the nearest"),
):
    pair = line(flat, torch.tensor(inner), corner)
    expect.that(pair is not None, "something can be planted here, and the answer is None", expected="a pair")
    w, b = (torch.as_tensor(part).double() for part in pair)
    expect.that(
        abs(float((corner[0].double() @ w + b) / (0.5 * w[0])) - 1e-3) < 1e-4,
        f"the border is measured from another inner point: {why}",
        expected="0.1 % of the way from the point with the largest features @ w",
    )
corner = torch.full((1, 3), 0.5)
behind = torch.tensor([[0.0, 0.0, 0.0], [0.9, 0.9, 0.9], [0.1, 0.0, 0.0]])
expect.that(
    line(flat, behind, corner) is None,
    "an inner point lies further along w than the corner: no such line, so the answer is None",
    expected=None,
    got=line(flat, behind, corner),
)
level = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, -1.0]])
expect.that(
    line(flat, level, torch.tensor([[1.0, 0.0]])) is None,
    "an inner point lies at least as far along w as the corner: nothing can be planted, so the answer is None",
    expected=None,
    got=line(flat, level, torch.tensor([[1.0, 0.0]])),
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
# that does not saturate, or logits divided by a number that makes them as small as an ordinary network's.</details>
# <details><summary>Hint 3</summary>A loop like PGD's. Where is the gradient taken, of which loss,
# and what brings the images back into the ball and into [0, 1] after each step?</details>


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
unmasked = lambda net, x, y, eps: take_off(nn.Identity(), net, x, y, eps=eps)  # noqa: E731
found = expect.images(expect.leaves_arguments(take_off, Quantize(), loud, x, y, eps=0.2), x, 0.2)
left = accuracy(masked, (found, y))
if left.k > 0.2 * left.n:
    bare = accuracy(net, (expect.images(take_off(nn.Identity(), net, x, y, eps=0.2), x, 0.2), y))
    expect.few_left(
        bare,
        0.2 * bare.n,
        unmasked,
        x,
        "the attack does not get the net wrong even without mask and shouting: begin there",
    )
    quiet = nn.Sequential(Quantize(), net)
    quiet = accuracy(quiet, (expect.images(take_off(Quantize(), net, x, y, eps=0.2), x, 0.2), y))
    lift, step = nn.Linear(1, 1), nn.Linear(1, 2)  # this net is right about 0.5 where a mask adds 0.3, and not else
    lift.weight.data, lift.bias.data = torch.ones(1, 1), torch.tensor([0.3])
    step.weight.data, step.bias.data = torch.tensor([[0.0], [10.0]]), torch.tensor([6.5, 0.0])
    lifted = take_off(lift, step, torch.full((4, 1), 0.5), torch.ones(4, dtype=torch.int64), eps=0.2)
    expect.that(
        (expect.images(lifted, torch.full((4, 1), 0.5), 0.2) < 0.5).all(),
        "the mask is still in the way: images on which net(x) is wrong and net(mask(x)) is right stay as they are",
        expected="an attack that goes on until net(mask(x)) is wrong",
    )
    rounded = lambda net, x, y, eps: take_off(Quantize(), net, x, y, eps=eps)  # noqa: E731
    fault = "" if quiet.k <= 0.2 * quiet.n else expect.fault_of(rounded, x)
    expect.that(
        quiet.k <= 0.2 * quiet.n,
        "the mask is still in the way, even where the net does not shout"
        + (f". Behind a mask that rounds, {fault}" if fault else ""),
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
other = copy.deepcopy(trained(1 + seed % 3))
torch.manual_seed(seed)
inside = copy.deepcopy(other)  # as loud as the others, by its own weights
inside[-1].weight.data *= 1000
inside[-1].bias.data *= 1000
left = accuracy(
    nn.Sequential(Quantize(), inside), (expect.images(take_off(Quantize(), inside, x, y, eps=0.2), x, 0.2), y)
)
expect.that(
    left.k <= 0.2 * left.n,
    "too many answers are still right where no layer of its own makes the net loud, but its last weights: "
    "a net is asked as a whole, for how it is built is not known",
    expected=f"at most {int(0.2 * left.n)} of {left.n} right",
    got=f"{left.k} right",
)
for mask, scale, name in ((Quantize(4), 30_000.0, "rounds to four levels"), (JPEG(), 250.0, "compresses")):
    shouting = nn.Sequential(*other, Saturate(scale))
    found = expect.images(take_off(mask, shouting, x, y, eps=0.2), x, 0.2)
    left = accuracy(nn.Sequential(mask, shouting), (found, y))
    if left.k > 0.2 * left.n:
        bare = accuracy(shouting, (expect.images(unmasked(shouting, x, y, 0.2), x, 0.2), y))
        why = f"another net, {scale:g} times as loud, is right too often even where nothing is masked"
        expect.few_left(bare, 0.2 * bare.n, unmasked, x, why, loud=scale)
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
if right > 0.2:
    unmasked = lambda net, x, y, eps: take_off(nn.Identity(), net, x, y, eps=eps)  # noqa: E731
    bare = accuracy(loud, (expect.images(unmasked(loud, x[:200], y[:200], 0.2), x[:200], 0.2), y[:200]))
    expect.few_left(
        bare,
        0.2 * bare.n,
        unmasked,
        x,
        "the attack does not get the loud net wrong even where nothing is masked: begin there",
        loud=1000,
    )
expect.that(
    right <= 0.2,
    "behind noise too many answers are right on fresh draws: does the net see in each step what the mask shows?",
    expected="20 % on the average over fresh draws",
    got=f"{100 * float(right):.0f} %",
)
### BEGIN HIDDEN TESTS
shouting = nn.Sequential(*copy.deepcopy(trained(1 + (seed + 1) % 3)), Saturate(3_000.0))
torch.manual_seed(seed)
for sigma, most in ((0.15, 0.25), (0.05, 0.2)):  # a net and masks that nobody has seen, and the larger noise
    some = torch.randperm(len(x))[:200]
    images, labels, noisy = x[some], y[some], nn.Sequential(Noise(sigma), shouting)
    found = expect.images(take_off(Noise(sigma), shouting, images, labels, eps=0.2), images, 0.2)
    right = torch.stack([predict(noisy, found) == labels for _ in range(10)]).float().mean()
    if right > most:
        unmasked = lambda net, x, y, eps: take_off(nn.Identity(), net, x, y, eps=eps)  # noqa: E731
        bare = accuracy(shouting, (expect.images(unmasked(shouting, images, labels, 0.2), images, 0.2), labels))
        why = "another net, 3000 times as loud, is right too often even where nothing is masked"
        expect.few_left(bare, 0.2 * bare.n, unmasked, x, why, loud=3000)
    expect.that(
        right <= most,
        f"behind noise of {sigma} too many answers of another net are right on fresh draws",
        expected=f"at most {100 * most:.0f} % on the average over fresh draws",
        got=f"{100 * float(right):.0f} %",
    )
### END HIDDEN TESTS
