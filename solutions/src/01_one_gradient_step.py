# %% [markdown]
# # Lab 01 · One gradient step
#
# Five exercises, 10 points, about 60 minutes after [lesson 01](../notebooks/01_one_gradient_step.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# A function may call those that you wrote before it. Own cells, prints and pictures do no harm.
# Finished attacks of `utils.attacks` or other libraries are not an answer; the losses there may be used.

# %%
import math

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, expect, plots
from utils.adversarial import quickly_attacked
from utils.data import load
from utils.evaluation import accuracy
from utils.models import mlp, predict
from utils.training import fit

# %% [markdown]
# ## The model
#
# A small network on the digits. It was hardened a little: in training it saw attacked images (lesson 03 tells how).

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = data.test


def hardened(seed, updates=300):
    """A network that was trained on images attacked with 0.1."""
    torch.manual_seed(seed)
    one_step = quickly_attacked(0.1, start=0, reach=1)
    return fit(mlp(data, width=64), data.train, updates=updates, transform=one_step)


model = hardened(0)

# %%
accuracy(model, data.test)

# %% [markdown]
# ## 1 · The sign and the clamp (3 points)
#
# Write FGSM. It takes images `x` (N, ...) in [0, 1] and their labels `y` (N,),
# and returns images of the same shape, one step of size `eps` **up** the cross-entropy of `y`:
# within `eps` of `x` in every pixel, and in [0, 1].
# `x`, the model's weights and its mode stay as they were.
#
# <details><summary>Hint 1</summary>The gradient is that of the loss with respect to the <em>input</em>.</details>
# <details><summary>Hint 2</summary><code>torch.autograd.grad(loss, x)</code> gives it, if <code>x</code>
# requires a gradient. Ask a copy of <code>x</code> for it: <code>x.detach().requires_grad_()</code>.</details>
# <details><summary>Hint 3</summary>How far should a pixel move whose gradient is 0.001,
# and how far one whose gradient is 5? And where may both be afterwards?</details>


# %%
def fgsm(model, x, y, *, eps):
    """One signed step of size eps up the loss of y, kept in [0, 1]."""
    ### BEGIN SOLUTION
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(model(x), y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return (x + eps * gradient.sign()).clamp(0, 1).detach()
    ### END SOLUTION


# %%
plots.triptych(x, fgsm(model, x, y, eps=0.15), model, y=y)

# %%
# CHECK fgsm_ball, 1 point
for eps in (0.05, 0.3):
    found = expect.images(expect.leaves_arguments(fgsm, model, x[:50], y[:50], eps=eps), x[:50], eps)
    expect.that(
        (found != x[:50]).any(),
        "these are the images of x, unmoved: is there a gradient, of the cross-entropy of the logits as they are, "
        "and is the step along it returned?",
        expected="images one step away",
    )
### BEGIN HIDDEN TESTS
for eps in (0.0, 0.02, 0.13, 0.6):
    some = torch.randperm(len(x))[:40]
    expect.images(expect.leaves_arguments(fgsm, model, x[some], y[some], eps=eps), x[some], eps)
for shape in ((1, 5), (7, 3, 4, 4)):  # a single image, other shapes
    points = torch.rand(shape).round(decimals=1)  # some at the edge
    small = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape[1:]), 3))
    labels = torch.randint(0, 3, shape[:1])
    expect.images(expect.leaves_arguments(fgsm, small, points, labels, eps=0.2), points, 0.2)
### END HIDDEN TESTS

# %%
# CHECK fgsm_strength, 2 points
torch.manual_seed(seed)
linear, middle = nn.Linear(8, 2), torch.full((4, 8), 0.5)
for labels in (torch.zeros(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64)):
    found = expect.images(fgsm(linear, middle, labels, eps=0.1), middle, 0.1)
    loss = F.cross_entropy(linear(found), labels).item()
    away = linear.weight[1 - labels[0]] - linear.weight[labels[0]]
    highest = F.cross_entropy(linear(middle + 0.1 * away.sign()), labels).item()
    before = F.cross_entropy(linear(middle), labels).item()
    moved = (found - middle).abs()
    if not moved.any():
        others = expect.images(fgsm(linear, middle, 1 - labels, eps=0.1), middle, 0.1)
        expect.that(
            (others == middle).all(),
            "images of one label move, those of the other stay: every image takes the step, "
            "whether the model gets it right or wrong",
            expected="pixels that move by eps",
        )
        spread = torch.tensor([[0.2], [0.4], [0.6], [0.8]]).expand(4, 8).contiguous()
        expect.that(
            (expect.images(fgsm(linear, spread, labels, eps=0.1), spread, 0.1) == spread).all(),
            "where all pixels of a batch have the same grey, nothing moves: clamp to [0, 1], "
            "and not to the range of the batch",
            expected="pixels that move by eps",
        )
    expect.that(
        moved.any(),
        "nothing moves: is there a gradient, of the cross-entropy of the logits as they are, and is the step returned?",
        expected="pixels that move by eps",
    )
    expect.that(
        loss >= before,
        "the loss of the label fell: step up the loss of y, not down, and not of the prediction or of another label",
        expected=f"above {before:.3f}",
        got=loss,
    )
    expect.that(
        ((found - middle).amax(1) > (found - middle).amin(1)).any() or away.sign().unique().numel() == 1,
        "all pixels of an image move the same way: each follows the sign of its own gradient",
        expected="pixels that move by eps or by -eps",
    )
    expect.that(
        (found < middle).any() or (away > 0).all(),
        "no pixel became darker: a step goes up or down, as the sign says; the image is clamped, not its change",
        expected="pixels that move by eps or by -eps",
    )
    expect.equal(
        found,
        expect.images(fgsm(linear, middle, labels, eps=0.1), middle, 0.1),
        "two calls give different images: nothing is random in one step along the gradient at x",
    )
    expect.that(
        moved.max() > 0.1 - 1e-5,
        "no pixel moves by eps: each moves by all of it, whatever the pixel and whatever its gradient",
        expected="pixels that move by 0.1",
        got=moved[0],
    )
    expect.that(
        moved.min() >= 0.1 - 1e-5,
        "on a linear model a corner of the box has a higher loss: "
        "every pixel should move by eps, whatever its gradient",
        expected="pixels that move by 0.1",
        got=moved[0],
    )
    expect.that(
        loss >= highest - 1e-4,
        "every pixel moves by eps, but some the wrong way: "
        "is it the gradient of the loss, which all logits have a part in, that gives the sign?",
        expected=f"a loss of {highest:.3f}",
        got=loss,
    )
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
some = torch.randperm(len(x))[:100]
batch = expect.images(fgsm(model, x[some[:5]], y[some[:5]], eps=0.1), x[some[:5]], 0.1)
again = expect.images(fgsm(model, x[some[:5]], y[some[:5]], eps=0.1), x[some[:5]], 0.1)
expect.equal(batch, again, "two calls give different images: nothing is random in one step along the gradient at x")
alone = torch.cat(
    [expect.images(fgsm(model, x[i : i + 1], y[i : i + 1], eps=0.1), x[i : i + 1], 0.1) for i in some[:5]]
)
expect.equal(
    batch,
    alone,
    "an image's result depends on the others in the batch: each has a label of its own, "
    "and a gradient of which only the sign counts, however small it is",
    share=0.99,
)
for labels, who in ((y[some], "the true labels"), (torch.randint(0, 10, (100,)), "labels that the model denies")):
    for eps in (0.04, 0.2):
        wanted = attacks.fgsm(model, x[some], labels, eps=eps)
        found = expect.images(fgsm(model, x[some], labels, eps=eps), x[some], eps)
        before, after = (F.cross_entropy(model(images), labels).item() for images in (x[some], found))
        expect.that(
            after >= before,
            f"the loss of {who} fell: step up the loss of the y that is given, not of the prediction",
            expected=f"above {before:.3f}",
            got=after,
        )
        if (found == wanted).float().mean() < 0.98:
            leaf = x[some].requires_grad_()
            F.cross_entropy(model(leaf).softmax(1), labels).backward(inputs=[leaf])
            expect.that(
                (found == (x[some] + eps * leaf.grad.sign()).clamp(0, 1)).float().mean() < 0.98,
                "these are steps along the cross_entropy of probabilities: it takes the logits, without a softmax",
            )
        change, due = (images - x[some] for images in (found, wanted))
        still, due_to_move = (part.flatten(1).abs().amax(1) == 0 for part in (change, due))
        expect.that(
            not (still & ~due_to_move).any(),
            f"with {who}, some images stay as they are: every image takes the step, "
            "also one that is wrong already, or whose gradient is small",
            expected="every image one step away",
            got=f"{int((still & ~due_to_move).sum())} of 100 unmoved",
        )
        inner = (x[some] >= eps) & (x[some] <= 1 - eps)  # [0, 1] lets these move either way
        expect.equal(
            change[inner].abs(),
            due[inner].abs(),
            f"with {who}, pixels move by another amount than eps: only the sign of their gradient counts",
            expected="x + eps * sign(gradient), clamped to [0, 1]",
            share=0.99,
        )
        close = (found - wanted).abs() < 1e-5
        expect.that(
            close[inner].float().mean() < 0.99 or close[~inner].float().mean() > 0.98,
            f"with {who}, pixels near 0 or 1 end elsewhere: each goes eps along its sign, and is clamped after that",
        )
        expect.equal(
            found,
            wanted,
            f"with {who}, some pixels move the other way than the sign of the gradient of the cross-entropy of y says",
            expected="x + eps * sign(gradient), clamped to [0, 1]",
            share=0.99,
        )
faint = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
faint[1].weight.data *= 1e-6
wanted = attacks.fgsm(faint, x[some], y[some], eps=0.1)
found = expect.images(fgsm(faint, x[some], y[some], eps=0.1), x[some], 0.1)
expect.equal(found, wanted, "where the gradient is faint the step is shorter than eps: take its sign", share=0.99)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Choosing the answer (2 points)
#
# Now the attacker wants the class `target` (N,): one step of size `eps` **down** the cross-entropy of this class,
# in the same ball and in [0, 1].
#
# <details><summary>Hint 1</summary>Whose loss should fall now?</details>
# <details><summary>Hint 2</summary>The loss of <code>target</code>, and it should go <em>down</em>.</details>
# <details><summary>Hint 3</summary>Go through exercise 1 line by line: which lines does the target change?</details>


# %%
def fgsm_targeted(model, x, target, *, eps):
    """One signed step of size eps down the loss of target, kept in [0, 1]."""
    ### BEGIN SOLUTION
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(model(x), target, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return (x - eps * gradient.sign()).clamp(0, 1).detach()
    ### END SOLUTION


# %%
# CHECK fgsm_targeted, 2 points
target = (y + 1) % 10
found = expect.images(expect.leaves_arguments(fgsm_targeted, model, x, target, eps=0.1), x, 0.1)
before, after = (F.cross_entropy(model(images), target).item() for images in (x, found))
expect.that(
    after < before, "the target became less likely: go down its loss", expected=f"a loss below {before:.3f}", got=after
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
some = torch.randperm(len(x))[:100]
for eps in (0.03, 0.2):
    target = (y[some] + torch.randint(1, 10, (100,))) % 10
    target[:30] = predict(model, x[some[:30]])  # these are what is wanted already, and can be likelier still
    wanted = attacks.fgsm(model, x[some], y[some], eps=eps, target=target)
    found = expect.images(fgsm_targeted(model, x[some], target, eps=eps), x[some], eps)
    before, after = (F.cross_entropy(model(images), target).item() for images in (x[some], found))
    expect.that(
        after < before, "the target became less likely: go down its loss", expected=f"below {before:.3f}", got=after
    )
    if (found == wanted).float().mean() < 0.98:
        leaf = x[some].requires_grad_()
        F.cross_entropy(model(leaf).softmax(1), target).backward(inputs=[leaf])
        expect.that(
            (found == (x[some] - eps * leaf.grad.sign()).clamp(0, 1)).float().mean() < 0.98,
            "these are steps along the cross_entropy of probabilities: it takes the logits, without a softmax",
        )
    change, due = (images - x[some] for images in (found, wanted))
    still = (change == 0).flatten(1).all(1) & (due != 0).flatten(1).any(1)
    expect.that(
        still[30:].sum() <= 1,
        "some images stay as they are: the step is asked of every image, whether it reaches the target or not",
        expected="every image one step away",
        got=f"{int(still.sum())} of 100 unmoved",
    )
    inner = (x[some] >= eps) & (x[some] <= 1 - eps)
    expect.that(
        (change[inner] > 0).any() and (change[inner] < 0).any(),
        "pixels move up only, or down only: each follows the sign of its own gradient",
        expected="some pixels brighter, and some darker",
        got=change[inner],
    )
    expect.equal(
        change[30:][inner[30:]].abs(),
        due[30:][inner[30:]].abs(),
        "some pixels move by another amount than eps",
        expected="x - eps * sign(gradient of the target's loss), clamped to [0, 1]",
        share=0.99,
    )
    others = expect.images(fgsm_targeted(model, x[some], (target + 1) % 10, eps=eps), x[some], eps)
    expect.that(
        not others.equal(found),
        "another target, and the same images: the target says which way an image goes, not its prediction",
        expected="other images for other targets",
    )
    for i, one in zip(range(30, 36), some[30:36], strict=True):
        alone = expect.images(fgsm_targeted(model, x[one][None], target[i : i + 1], eps=eps), x[one][None], eps)
        expect.equal(
            found[i : i + 1],
            alone,
            "an image's result depends on the others in the batch: each goes to a target of its own",
            expected="the same image, alone and in a batch",
            share=0.95,
        )
    again = expect.images(fgsm_targeted(model, x[some], target, eps=eps), x[some], eps)
    expect.equal(found, again, "two calls give different images: nothing is random in one step along the gradient at x")
    alike = ((found - wanted).abs() < 1e-5)[30:]
    expect.that(
        alike[inner[30:]].float().mean() < 0.998 or alike[~inner[30:]].float().mean() > 0.99,
        "pixels near 0 or 1 end elsewhere: each goes eps along its sign, and is then clamped to [0, 1]",
        expected="x - eps * sign(gradient of the target's loss), clamped to [0, 1]",
    )
    expect.equal(
        found[30:],
        wanted[30:],
        "every pixel moves by eps, but some not towards the target: "
        "is it the target's loss that falls, which all logits have a part in, and nothing besides it?",
        expected="x - eps * sign(gradient of the target's loss), clamped to [0, 1]",
        share=0.998,
    )
    expect.that(
        change[:30].flatten(1).any(1).sum() >= 0.9 * due[:30].flatten(1).any(1).sum(),
        "an image that the model takes for the target already stays as it is: the step is asked of every image",
        expected="every image one step away",
    )
    expect.equal(
        found,
        wanted,
        "every pixel moves by eps, but some not towards a target that the model names already",
        expected="x - eps * sign(gradient of the target's loss), clamped to [0, 1]",
        share=0.99,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · How large must the change be? (2 points)
#
# For each image, the smallest budget of `grid` at which `attack` makes the model wrong.
# `attack(model, x, y, eps=...)` returns images; `grid` is a rising list of budgets.
# The answer is a tensor (N,): **0** for an image that is wrong before any attack,
# `math.inf` for one that withstands them all.
#
# <details><summary>Hint 1</summary>Does an image that falls at 0.05 always fall at 0.1?
# One step can go too far.</details>
# <details><summary>Hint 2</summary>Attack all images at each budget,
# and fill in those that fall for the first time.</details>
# <details><summary>Hint 3</summary>Begin with <code>torch.full((len(x),), math.inf)</code>, and use
# <code>torch.minimum</code> or a mask of those still standing.</details>


# %%
def smallest_eps(model, attack, x, y, grid):
    """The smallest budget of the grid at which each image falls, (N,): 0 if it is wrong as it is, inf if none."""
    ### BEGIN SOLUTION
    smallest = torch.full((len(x),), math.inf)
    for eps in [0.0, *grid]:
        x_adv = attack(model, x, y, eps=eps) if eps else x
        wrong = model(x_adv).argmax(1) != y
        smallest[wrong & smallest.isinf()] = eps
    return smallest
    ### END SOLUTION


# %%
# CHECK smallest_eps, 2 points
torch.manual_seed(seed)
linear, points = nn.Linear(6, 2), 0.4 + 0.2 * torch.rand(40, 6)
linear.bias.data = -0.5 * linear.weight.sum(1).detach()
w = (linear.weight[1] - linear.weight[0]).detach()
distance, labels = ((points - 0.5) @ w).abs() / w.abs().sum(), linear(points).argmax(1)
grid = [0.005, 0.01, 0.02, 0.04]
wanted = torch.tensor([next((eps for eps in grid if eps > d), math.inf) for d in distance])
found = expect.leaves_arguments(smallest_eps, linear, attacks.fgsm, points, labels, grid)
found = expect.tensor(found, like=wanted)
held = found[wanted.isinf()].unique()
expect.that(
    held.numel() != 1 or torch.isin(held, torch.tensor([0.0, math.inf, *grid])).all(),
    "images that withstand every budget of the grid have another number than is asked: for these it is inf",
    expected="inf for those that never fall",
    got=held,
)
expect.that(
    torch.isin(found, torch.tensor([0.0, math.inf, *grid])).all(),
    "an answer is no budget of the grid: it is asked how much the attack was allowed, "
    + ("not its place in the grid" if (found % 1)[found.isfinite()].sum() == 0 else "not how far the images went"),
    expected=f"0, one of {grid}, or inf",
    got=found[:5],
)
alone = [smallest_eps(linear, attacks.fgsm, points[i : i + 1], labels[i : i + 1], grid) for i in range(6)]
alone = torch.cat([expect.tensor(one, like=wanted[:1]) for one in alone])
expect.that(
    not (found[:6].isinf() & alone.isfinite()).any(),
    "an image that has a budget by itself has none in a batch: is every budget tried, "
    "and does each image that falls get its own, whatever others do?",
    expected=alone,
    got=found[:6],
)
expect.equal(found[:6], alone, "an image's budget depends on the others in the batch: each falls at one of its own")
before = torch.tensor([0.0, *grid])[torch.searchsorted(torch.tensor(grid), wanted.clamp_max(grid[-1]))]
expect.that(
    (found[wanted == grid[0]] == grid[0]).any()
    or ((found != before) & wanted.isfinite() & (wanted > grid[0])).sum() > 1,
    "these are the budgets that the images withstand: the smallest at which they fall is asked",
    expected="the first budget of the grid above the distance",
)
expect.that(
    not (found == 0).any(),
    "0 is for images that are wrong before any attack, and these are right",
    expected="the first budget of the grid above the distance",
    got=found[:5],
)
stand = wanted.isinf()
expect.that(
    found[stand].isinf().all() or (found != wanted)[~stand].sum() > 1,
    "images that withstand every budget of the grid have none: inf is asked",
    expected="inf for those that never fall",
)
expect.that(
    (found < wanted).sum() <= 1,
    "on a linear model, images fall at a smaller budget than their distance to the boundary allows: "
    "each attack is given x, not what the last attack returned, and the budget itself",
    expected="the first budget of the grid above the distance",
)
mistakes = {
    "images fall, and yet all have inf: is the budget at which they fall put into what is returned?": torch.full_like(
        wanted, math.inf
    ),
    "the first budget of the grid is never tried": torch.where(wanted == grid[0], grid[1], wanted),
    "the last budget of the grid is never tried": torch.where(wanted == grid[-1], math.inf, wanted),
    "each answer is the budget after the one at which the image falls": torch.where(
        wanted.isinf(),
        math.inf,
        torch.tensor([*grid[1:], grid[-1]])[torch.searchsorted(torch.tensor(grid), wanted) % 4],
    ),
    "these are the largest budgets at which images fall: the smallest is asked": wanted.clamp_min(grid[-1]),
}
for words, other in mistakes.items():  # up to rounding, for an image whose distance is a budget
    met = (found != wanted).sum() <= 1 or (found != other).sum() > 1
    expect.that(met, words, expected="the first budget of the grid above the distance")
expect.that(
    (found > wanted).sum() <= 1,
    "on a linear model, images fall at a larger budget than their distance to the boundary needs, or at none: "
    "is every budget of the grid tried, and is the smallest one kept?",
    expected="the first budget of the grid above the distance",
)
found = expect.tensor(smallest_eps(linear, attacks.fgsm, points, 1 - labels, grid), like=wanted)
expect.that(
    (found == 0).all(),
    "an image that is wrong before any attack needs none",
    expected="0 for an image that is wrong as it is",
    got=found[:5],
)
### BEGIN HIDDEN TESTS
bump = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2))  # wrong only between 0.55 and 0.63
bump[0].weight.data, bump[0].bias.data = torch.ones(2, 1), torch.tensor([-0.4, -0.6])
bump[2].weight.data, bump[2].bias.data = torch.tensor([[0.0, 0.0], [10.0, -30.0]]), torch.tensor([0.0, -1.5])
one, zero = torch.tensor([[0.5], [0.52]]), torch.tensor([0, 0])
found = expect.tensor(smallest_eps(bump, attacks.fgsm, one, zero, [0.02, 0.06, 0.2, 0.3, 0.4]), like=torch.zeros(2))
expect.equal(
    found,
    torch.tensor([0.06, 0.06]),
    "an image that fell at a small budget may withstand a larger one: the smallest counts, whatever comes later",
    expected="[0.06, 0.06], where attacks of 0.06 succeed and those from 0.2 on go too far",
)
wrong = expect.tensor(smallest_eps(bump, attacks.fgsm, torch.full((2, 1), 0.59), zero, [0.2, 0.3]), like=torch.zeros(2))
expect.that(
    (wrong == 0).all(),
    "an image that is wrong before any attack needs none, also where each attack puts it right",
    expected="0 for an image that is wrong as it is",
    got=wrong,
)
torch.manual_seed(seed)
some = torch.randperm(len(x))[:80]
grid = [round(eps, 3) for eps in torch.linspace(0.03, 0.24, 6).tolist()]
labels = torch.where(torch.rand(80) < 0.2, (y[some] + 1) % 10, y[some])  # some are wrong as they are
wanted = torch.full((80,), math.inf)
for eps in reversed(grid):
    wanted[predict(model, attacks.fgsm(model, x[some], labels, eps=eps)) != labels] = eps
wanted[predict(model, x[some]) != labels] = 0
found = expect.tensor(smallest_eps(model, attacks.fgsm, x[some], labels, grid), like=wanted)
expect.that(
    found.isinf().equal(wanted.isinf()),
    "not the images that withstand every budget are the ones with inf",
    expected=f"inf for {int(wanted.isinf().sum())} of 80 images",
    got=f"inf for {int(found.isinf().sum())}",
)
expect.equal(found, wanted, "some images fall at another budget", expected="as the attack says, image by image")
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Five reports (1 point)
#
# What is to be said of each? Answer with one word:
# `"sound"`, `"noise"` (no attacker chose the change), `"scale"` (the budget is in other units than the images),
# `"few"` (too few images to say so), `"outside"` (the images are not those of the threat model).
#
# - **A** "We added random noise of ±0.3 to the pixels of 10,000 images. Accuracy fell from 98.1 % to 96.5 %.
#   So the model is robust at 0.3."
# - **B** "Our model takes pixels from 0 to 255. FGSM with $\varepsilon$ = 0.03 leaves 9,381 of 10,000 right,
#   9,402 without attack. So 3 % of the range do not hurt it."
# - **C** "FGSM with $\varepsilon$ = 0.1 leaves 11 of 12 right. So at most a tenth of all images fall."
# - **D** "FGSM with $\varepsilon$ = 0.1 leaves 2,310 of 10,000 right, [22, 24] %. A stronger attack may leave fewer."
# - **E** "FGSM with $\varepsilon$ = 0.3 leaves 2 %. The attacked pixels lie between −0.3 and 1.3."

# %%
reports = {}
### BEGIN SOLUTION reports = {"A": "", "B": "", "C": "", "D": "", "E": ""}  # write me
reports = {"A": "noise", "B": "scale", "C": "few", "D": "sound", "E": "outside"}
### END SOLUTION

# %%
# CHECK reports, 1 point
expect.words(reports, ("sound", "noise", "scale", "few", "outside"))
### BEGIN HIDDEN TESTS
wanted = {
    "A": ("noise", "who chose the direction of this change?"),
    "B": ("scale", "how large is this budget beside a pixel of 255?"),
    "C": ("few", "what interval belongs to 11 of 12?"),
    "D": ("sound", "does it say more than it has measured?"),
    "E": ("outside", "could these pixels be sent to the model?"),
}
expect.right_words(reports, wanted)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Better than one step (2 points, open)
#
# Of this model's answers, one step of 0.2 leaves right:

# %%
accuracy(model, (attacks.fgsm(model, x, y, eps=0.2), y))

# %% [markdown]
# Write an attack, any attack, in the same ball and in [0, 1],
# that leaves at most **85 %** of what one step leaves, and at most **95 %** of it on a model that was trained anew.
# It has 20 seconds for 400 images.
#
# <details><summary>Hint 1</summary>After a part of the way, the gradient may point elsewhere.</details>
# <details><summary>Hint 2</summary>Take small steps, and look at the gradient again after each.</details>
# <details><summary>Hint 3</summary>Where may an image be after three steps of <code>eps / 2</code>?
# And can twenty steps of <code>eps / 100</code> reach the edge?</details>


# %%
def stronger(model, x, y, *, eps):
    """Images within eps of x and in [0, 1] that the model gets wrong more often than after one step."""
    ### BEGIN SOLUTION
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv
    ### END SOLUTION


# %%
# CHECK stronger, 2 points
one_step = accuracy(model, (attacks.fgsm(model, x, y, eps=0.2), y))
found = expect.images(expect.leaves_arguments(stronger, model, x, y, eps=0.2), x, 0.2)
left = accuracy(model, (found, y))
expect.that(
    F.cross_entropy(model(found), y) >= F.cross_entropy(model(x), y),
    "the loss of y fell: climb it",
    expected="a higher loss",
)
expect.few_left(
    left,
    0.85 * one_step.k,
    stronger,
    x,
    "each small step should look at the gradient anew, and the best of what was tried should be kept",
)
### BEGIN HIDDEN TESTS
other = hardened(seed, updates=60)
one_step = accuracy(other, (attacks.fgsm(other, x, y, eps=0.2), y))
left = accuracy(other, (expect.images(stronger(other, x, y, eps=0.2), x, 0.2), y))
expect.few_left(
    left,
    0.95 * one_step.k,
    stronger,
    x,
    "on a model that was trained anew the attack is not stronger than one step: does it know one model only?",
)
found = expect.images(stronger(model, x[:50], y[:50], eps=0.07), x[:50], 0.07)
### END HIDDEN TESTS
