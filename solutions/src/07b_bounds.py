# %% [markdown]
# # Lab 07b · Proofs by bounds
#
# Four exercises, 10 points, about 70 minutes after [lesson 07b](../notebooks/07b_bounds.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# A function may call those that you wrote before it. Own cells, prints and pictures do no harm.
# `utils.bounds` has a finished version of most of this: it is for afterwards, not an answer.

# %%
import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from utils import bounds, expect
from utils.data import load
from utils.training import fit

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = (part[:60] for part in data.test)


# %%
def network(seed, sizes):
    """A random network: a list of pairs (weight, bias), with ReLU between them."""
    torch.manual_seed(seed)
    pairs = pairwise(sizes)
    return [(torch.randn(b, a) / math.sqrt(a), 0.3 * torch.randn(b)) for a, b in pairs]


def answers(layers, points):
    """What such a network gives for points (N, inputs), before the last softmax: logits (N, classes)."""
    for weight, bias in layers[:-1]:
        points = (points @ weight.T + bias).relu()
    return points @ layers[-1][0].T + layers[-1][1]


# %% [markdown]
# ## 1 · Boxes (3 points)
#
# A network is a list of pairs `(weight, bias)`: weights (outputs, inputs) and biases (outputs,).
# Between two layers stands a ReLU; after the last stands none. Inputs lie between `low` and `high`, (N, inputs) each.
# Return a pair, the lowest and the highest value that interval bounds leave for each logit, (N, classes) each.
#
# <details><summary>Hint 1</summary>Which end of an input makes an output largest, if its weight is negative?</details>
# <details><summary>Hint 2</summary>Compute middle and half width separately: one with the weights and the bias,
# the other without a bias and with weights that cannot be negative.</details>
# <details><summary>Hint 3</summary>For one layer the bounds are exact: try all corners of a box of two inputs.
# And where exactly does the ReLU act on the two ends?</details>


# %%
def boxes(layers, low, high):
    """The lowest and highest logits by interval bounds, (N, classes) each."""
    ### BEGIN SOLUTION
    for i, (weight, bias) in enumerate(layers):
        if i:
            low, high = low.relu(), high.relu()
        middle, radius = (low + high) / 2 @ weight.T + bias, (high - low) / 2 @ weight.abs().T
        low, high = middle - radius, middle + radius
    return low, high
    ### END SOLUTION


# %%
def pair(found, like):
    """The two ends of an answer, for the checks below."""
    is_pair = hasattr(found, "__len__") and not isinstance(found, dict) and len(found) == 2
    expect.that(is_pair, "bounds are a pair: the lowest and the highest values", expected="low, high", got=found)
    return tuple(expect.tensor(part, like=like, what=what) for part, what in zip(found, ("low", "high"), strict=True))


def by_hand(boxes):
    """Networks so small that you can redo them by hand. Each differs from one before it in one thing.

    Behind a bar: what is said where only the high end is wrong.
    """
    same, minus, two = ([[1.0]], [0.0]), ([[-1.0]], [0.0]), ([[1.0], [-1.0]], [0.0, 0.0])
    for words, layers, low, high, lowest, highest in (
        (
            "the box is one point: both ends are its value, bias and all"
            " | the box is one point: behind its lowest value stands its highest, and no width",
            *([([[3.0]], [1.0])], [0.5], [0.5], [2.5], [2.5]),
        ),
        ("a row of weights makes an output, no column", [([[0, 1], [0, 0]], [0, 0])], [0, 1], [0, 1], [1, 0], [1, 0]),
        ("inputs may lie outside of [0, 1]", [same], [2], [2], [2], [2]),
        ("a box 2 wide, and a weight of 2: the ends are 4 apart", [([[2.0]], [0.0])], [1], [3], [2], [6]),
        ("the bias moves both ends alike", [([[2.0]], [5.0])], [1], [3], [7], [11]),
        ("no ReLU stands before the first layer, and none after the last", [same], [-3], [-1], [-3], [-1]),
        (
            "a negative weight makes of the highest input the lowest value"
            " | a negative weight makes of the lowest input the highest value: of what came in, not of the new end",
            *([minus], [1], [3], [-3], [-1]),
        ),
        ("each input may lie at its own worst end", [([[1.0, -2.0]], [0.0])], [0, 1], [1, 2], [-4], [-1]),
        ("each input has a width of its own, here 2 and 0", [([[1.0, 1.0]], [0.0])], [0, 1], [2, 1], [1], [3]),
        ("each output has a row of weights of its own", [two], [1], [3], [1, -3], [3, -1]),
        (
            "the ReLU between two layers cuts the low end at 0 | the ReLU leaves a high end of 2: it cuts at 0 only",
            *([same, same], [-1], [2], [0], [2]),
        ),
        ("the ReLU between two layers cuts both ends at 0", [same, same], [-3], [-1], [0], [0]),
        ("the ReLU leaves a high end above 0, be the middle below it", [same, same], [-3], [1], [0], [1]),
        ("a bias is added before the ReLU, which cuts", [([[1.0]], [-2.0]), same], [1], [3], [0], [1]),
        ("the last layer exchanges the ends that the ReLU has left", [same, minus], [-1], [2], [-2], [0]),
        ("a ReLU stands between the second and the third layer, too", [same, minus, same], [1], [2], [0], [0]),
        ("to intervals, x and -x are two inputs: bound layer by layer", [two, ([[1, 1]], [0])], [-1], [1], [0], [2]),
        (
            "in later layers, too, each input may lie at its own worst end",
            *([([[1.0], [1.0]], [0, 0]), ([[1, -1]], [0])], [0], [1], [-1], [1]),
        ),
    ):
        pairs = [(torch.tensor(weight).float(), torch.tensor(bias).float()) for weight, bias in layers]
        found = boxes(pairs, torch.tensor([low]).float(), torch.tensor([high]).float())
        found = [end[0].tolist() for end in pair(found, like=torch.tensor([lowest]).float())]
        low_is_right = np.allclose(found[0], lowest, rtol=0, atol=1e-4)
        expect.that(
            low_is_right and np.allclose(found[1], highest, rtol=0, atol=1e-4),
            words.split(" | ")[-1 if low_is_right else 0],
            expected=f"{lowest} and {highest} for inputs {low} to {high} and layers {layers}",
            got=f"{found[0]} and {found[1]}",
        )


def sample(low, high, many):
    """Points between low and high (1, inputs), (many, inputs), half of them corners."""
    share = torch.rand(many, low.shape[1])
    share[::2] = share[::2].round()
    return low + share * (high - low)


# %%
# CHECK boxes_hold, 2 points
by_hand(boxes)
layers = network(seed, (3, 8, 4))
low, high = torch.rand(1, 3) - 0.5, torch.rand(1, 3) + 0.5
found = pair(expect.leaves_arguments(boxes, layers, low, high), like=torch.zeros(1, 4))
expect.that((found[0] <= found[1]).all(), "a lowest value is above the highest", expected="low <= high", got=found)
given = answers(layers, sample(low, high, 4000))
expect.that(
    ((given >= found[0] - 1e-4) & (given <= found[1] + 1e-4)).all(),
    "an answer of a larger network lies outside of your bounds, though those of the smallest ones are right: "
    "does each layer take all of its inputs and the ends that the layer before it has left?",
    expected="bounds that hold for every input of the box",
    got=found,
)
### BEGIN HIDDEN TESTS
for trial, sizes in enumerate([(2, 5), (4, 6, 3), (3, 10, 10, 2), (6, 12, 8, 4), (1, 4, 4, 4, 3)] * 3):
    layers = network(seed + trial, sizes)
    many = 1 + trial % 3
    start, width = torch.randn(many, sizes[0]), 2 * torch.rand(many, sizes[0]) ** 2
    found = pair(expect.leaves_arguments(boxes, layers, start, start + width), like=torch.zeros(many, sizes[-1]))
    for i in range(many):
        given = answers(layers, sample(start[i : i + 1], start[i : i + 1] + width[i : i + 1], 3000))
        expect.that(
            ((given >= found[0][i] - 1e-4) & (given <= found[1][i] + 1e-4)).all(),
            f"an answer of a network of sizes {sizes} lies outside of your bounds: does it hold for any number of "
            "layers, units and rows?",
            expected="bounds that hold for every input of the box",
            got=found[0][i],
        )
### END HIDDEN TESTS

# %%
# CHECK boxes_tight, 1 point
by_hand(boxes)
### BEGIN HIDDEN TESTS


def by_intervals(layers, low, high):
    """Interval bounds by hand, in float64."""
    low, high = low.double(), high.double()
    for i, (weight, bias) in enumerate(layers):
        low, high = (low.relu(), high.relu()) if i else (low, high)
        up, down = weight.double().clamp_min(0), weight.double().clamp_max(0)
        low, high = low @ up.T + high @ down.T + bias, high @ up.T + low @ down.T + bias
    return low, high


for trial, sizes in enumerate([(5, 4), (4, 6, 3), (3, 9, 9, 2), (2, 5, 5, 5, 3)] * 2):
    layers = network(seed + 50 + trial, sizes)
    start = torch.randn(3, sizes[0])
    for width in (torch.zeros(3, sizes[0]), torch.rand(3, sizes[0])):
        found = pair(boxes(layers, start, start + width), like=torch.zeros(3, sizes[-1]))
        second = pair(boxes(layers, start[1:2], start[1:2] + width[1:2]), like=found[0][:1])
        for end, alone in zip(found, second, strict=True):
            expect.equal(end[1:2], alone, "the second of three boxes has other bounds than this box alone", atol=1e-4)
        for end, wanted in zip(found, by_intervals(layers, start, start + width), strict=True):
            words = f"wider (or other) bounds than intervals give, for three boxes and a network of sizes {sizes}"
            expect.equal(end, wanted, words, atol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Proved (3 points)
#
# For which images is the answer certain? `points` (N, inputs) lie in [0, 1], and so do all images
# that the attacker may send; no input changes by more than `eps`. `labels` (N,) are classes.
# Return booleans (N,): yes where interval bounds prove that the label's logit is above every other one, at every image.
#
# Bound the *differences* of the last layer's logits, not the logits apart:
# hidden checks ask for all that this proves.
#
# <details><summary>Hint 1</summary>Where do the inputs of the box begin and end, near 0 and near 1?</details>
# <details><summary>Hint 2</summary>The difference of two logits is a linear function of what enters the last layer.
# What are its weights?</details>
# <details><summary>Hint 3</summary>Exchange the last layer for one that computes all differences to the label,
# one image at a time, and ask <code>boxes</code>. A class's difference to itself is 0: leave it out.</details>


# %%
def proved(layers, points, labels, eps):
    """Whether each answer is certain within eps, (N,) bool."""
    ### BEGIN SOLUTION
    *first, (weight, bias) = layers
    sure = []
    for point, label in zip(points, labels.tolist(), strict=True):
        others = [c for c in range(len(bias)) if c != label]
        leads = [*first, (weight[label] - weight[others], bias[label] - bias[others])]
        low, _ = boxes(leads, (point[None] - eps).clamp(0, 1), (point[None] + eps).clamp(0, 1))
        sure.append(bool((low > 0).all()))
    return torch.tensor(sure)
    ### END SOLUTION


# %%
def yes_or_no(found, many):
    """An answer for each image as booleans, for the checks below."""
    expect.tensor(found, like=torch.zeros(many, dtype=torch.bool), what="the result")
    found = expect.tensor(found, like=torch.zeros(many, dtype=torch.float64), what="the result")
    expect.that(((found == 0) | (found == 1)).all(), "an image is proved or not: booleans are asked", got=found[:5])
    return found == 1


# %%
def small(proved, tried):
    """Layers so small that you can redo them by hand: one image, of label 1, and whether its answer is certain.

    Only those are tried whose answer is among `tried`.
    """
    same = [[1.0, 0.0], [0.0, 1.0]]  # each logit is an input, plus a bias
    below = [[1.0]], [-1.0]  # a first layer: x - 1, of which a ReLU leaves 0
    for words, weight, bias, point, eps, due, *first in (
        ("label 1 leads at eps = 0: it is compared with every class but itself", same, [0, 0], [0.3, 0.8], 0.0, True),
        ("class 0 leads, and the label is 1: the label has to lead", same, [0, 0], [0.8, 0.3], 0.0, False),
        ("the other logit is as high: the label's has to be above it", same, [0, 0], [0.5, 0.5], 0.0, False),
        ("label 1 leads by a hair", same, [0, 0], [0.5, 0.5001], 0.0, True),
        ("class 0 leads by its bias", same, [0.3, 0], [0.3, 0.5], 0.0, False),
        ("label 1 leads by its bias", same, [0, 0.3], [0.5, 0.3], 0.0, True),
        ("label 1 leads class 2, and not class 0", [*same, [0.0, 0.0]], [0, 0, 0], [0.8, 0.5], 0.0, False),
        ("class 3 leads, of four: each of them counts", 4 * [[0.0]], [0, 5, 0, 9], [0.5], 0.0, False),
        (
            "class 0 leads, and label 1 at best: the lowest lead in the box counts",
            same,
            [0, 0],
            [0.52, 0.5],
            0.1,
            False,
        ),
        ("one input falls by eps, the other rises by eps: that ends the lead", same, [0, 0], [0.35, 0.5], 0.1, False),
        ("one input falls by eps, the other rises by eps, and it leads", same, [0, 0], [0.25, 0.5], 0.1, True),
        ("no input falls below 0", same, [0, 0.15], [0.0, 0.02], 0.1, True),
        ("no input rises above 1", same, [0, 0.15], [0.98, 0.98], 0.1, True),
        ("class 2 is third here, and first within eps", [[0], [0], [9.0]], [0.4, 0.5, -4.5], [0.5], 0.1, False),
        ("both logits move together: bound their difference", [[1, 0.5], [1, 1]], [0, 0], [0.5, 0.5], 0.2, True),
        ("a ReLU stands before the last layer, and leaves 0", [[0.0], [-1.0]], [0.1, 0], [0.5], 0.1, False, below),
    ):
        layers = [(torch.tensor(w).float(), torch.tensor(b).float()) for w, b in [*first, (weight, bias)]]
        found = proved(layers, torch.tensor([point]), torch.tensor([1]), eps)
        expect.that(
            due not in tried or bool(yes_or_no(found, 1)[0]) == due,
            words,
            expected=f"{due} for the point {point}, label 1, eps {eps:g}, weights {weight}, bias {bias}",
            got=not due,
        )


# %%
torch.manual_seed(0)
flat = x.flatten(1)
boxed = nn.Sequential(nn.Flatten(), nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 10))
fit(boxed, data.train, loss=bounds.interval_training(0.1, 300), updates=300, lr=1e-2).requires_grad_(False)
trained = [(layer.weight, layer.bias) for layer in boxed if isinstance(layer, nn.Linear)]

# %%
print("images proved at 0.05 in every pixel:", int(proved(trained, flat, y, 0.05).sum()), "of", len(y))

# %%
# CHECK proved_holds, 1 point
small(proved, (False,))
found = yes_or_no(expect.leaves_arguments(proved, trained, flat, y, 0.05), len(flat))
wrong = answers(trained, flat).argmax(1) != y
expect.that(not found[wrong].any(), "a proof for an image that is read wrongly without any attack", got=found)
torch.manual_seed(seed)
for i in found.nonzero()[:5, 0]:
    low, high = (flat[i : i + 1] - 0.05).clamp(0, 1), (flat[i : i + 1] + 0.05).clamp(0, 1)
    fell = answers(trained, sample(low, high, 2000)).argmax(1) != y[i]
    expect.that(not fell.any(), "an image with a proof gets another answer", expected=f"{int(y[i])}, everywhere")
### BEGIN HIDDEN TESTS
for trial, sizes in enumerate([(3, 8, 3), (2, 6, 6, 4), (4, 10, 2), (5, 4)] * 3):
    layers = network(seed + 100 + trial, sizes)
    points = torch.rand(40, sizes[0]) * 1.4 - 0.2
    points = points.clamp(0, 1)
    for eps in ((0.02,), (0.2,), (0.02, 0.2))[trial // 4]:
        labels = answers(layers, points).argmax(1)
        labels[::5] = (labels[::5] + 1) % sizes[-1]
        found = yes_or_no(proved(layers, points, labels, eps), 40)
        for i in found.nonzero()[:, 0]:
            low, high = (points[i : i + 1] - eps).clamp(0, 1), (points[i : i + 1] + eps).clamp(0, 1)
            fell = answers(layers, sample(low, high, 1000)).argmax(1) != labels[i]
            expect.that(
                not fell.any(),
                f"an image with a proof gets another answer, in a network of sizes {sizes}: "
                "does the label lead every other class, at every image of the box?",
                expected="no other answer within eps",
                got=f"{int(fell.sum())} of 1,000 images of its ball",
            )
### END HIDDEN TESTS

# %%
# CHECK proved_all, 2 points
small(proved, (True, False))
### BEGIN HIDDEN TESTS


def least_lead(layers, labels, low, high):
    """The least lead of each label over any other class that interval bounds leave, (N,)."""
    for i, (weight, bias) in enumerate(layers[:-1]):
        low, high = (low.relu(), high.relu()) if i else (low, high)
        up, down = weight.double().clamp_min(0), weight.double().clamp_max(0)
        low, high = low @ up.T + high @ down.T + bias, high @ up.T + low @ down.T + bias
    low, high = (low.relu(), high.relu()) if len(layers) > 1 else (low, high)
    weight, bias = (part.double() for part in layers[-1])
    lead = weight[labels][:, None] - weight
    least = (lead.clamp_min(0) @ low[:, :, None] + lead.clamp_max(0) @ high[:, :, None])[:, :, 0]
    return (least + bias[labels][:, None] - bias).scatter(1, labels[:, None], math.inf).amin(1)


for trial, sizes in enumerate([(3, 8, 3), (2, 6, 6, 4), (4, 10, 2), (5, 4), (3, 5, 5)] * 3):
    layers = network(seed + 200 + trial, sizes)
    points = (torch.rand(40, sizes[0]) * 1.6 - 0.3).clamp(0, 1)
    labels = answers(layers, points).argmax(1)
    for eps in ((0.05, 0.15), (0.15, 0.01), (0.01, 0.05))[trial // 5]:
        least = least_lead(layers, labels, (points - eps).clamp_min(0).double(), (points + eps).clamp_max(1).double())
        found = yes_or_no(proved(layers, points, labels, eps), 40)
        clear = least.abs() > 1e-4
        for i in (clear & (found != (least > 0))).nonzero()[:1, 0].tolist():
            alone = yes_or_no(proved(layers, points[i : i + 1], labels[i : i + 1], eps), 1)
            expect.that(
                alone[0] == found[i],
                "an image gets another answer by itself than in a batch: each has a proof of its own, or none",
                expected=f"{bool(alone[0])}, as by itself",
                got=bool(found[i]),
            )
        for fine, words in (
            (
                found | (least < 0),
                "proofs are missing: are the ends of your boxes as near as interval bounds bring them",
            ),
            (~found | (least > 0), "more proofs than interval bounds give: do your boxes hold"),
        ):
            expect.that(
                fine[clear].all(),
                f"{words}, through {len(sizes) - 1} layers of sizes {sizes}, at eps = {eps:g}?",
                expected=f"{int((least > 0).sum())} of 40 images",
                got=f"{int(found.sum())}",
            )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Attack a certificate (2 points)
#
# Somebody states: "no image nearer than `radius` in L2 gets another answer than this one gets."
# Refute it. `model` gives logits (N, 2) for points (N, inputs), `point` is one of them, (1, inputs) in float32.
# Return a point of the same shape, nearer than `radius` (measured in float64) and with another answer;
# or `point` itself, if you find none. A point may lie outside of [0, 1].
# Hidden checks state radii that are too large by 2 % or more: refute nine of ten.
#
# <details><summary>Hint 1</summary>The gradient of the difference of the two logits says where
# the boundary is.</details>
# <details><summary>Hint 2</summary>Many small steps, each followed by a return into the ball,
# and look at every point on the way.</details>
# <details><summary>Hint 3</summary>Where the boundary is straight, the shortest way is the best one.
# Where it bends, walk along the rim of the ball. Stay a little inside: float32 rounds.</details>


# %%
def refute(model, point, radius):
    """A point nearer than the radius in L2 with another answer than `point`; `point` itself if none is found."""
    ### BEGIN SOLUTION
    label, best = int(model(point).argmax(1)), point
    there = point.clone()
    for step in range(60):
        there = there.detach().requires_grad_()
        z = model(there)[0]
        if int(z.argmax()) != label:
            best = there.detach()
            break
        (gradient,) = torch.autograd.grad(z[1 - label] - z[label], there)
        change = there.detach() + radius / (5 if step < 30 else 20) * gradient / gradient.norm() - point
        there = point + change * min(1, 0.99999 * radius / float(change.norm()))
    return best
    ### END SOLUTION


# %%
def straight(seed, inputs=20):
    """A linear model, a point, and the distance to its boundary."""
    torch.manual_seed(seed)
    model, point = nn.Linear(inputs, 2).requires_grad_(False), torch.rand(1, inputs)
    w = model.weight[1] - model.weight[0]
    model.bias[1] += 0.3 * w.norm() * torch.randn(()).sign() - (w @ point[0] + model.bias[1] - model.bias[0])
    return model, point, 0.3


def bent(seed, inputs=6):
    """A model whose answer is whether a point lies in a ball of radius 1, a point in it, and the way out."""
    torch.manual_seed(seed)

    class Ball(nn.Module):
        def forward(self, x):
            inside = 1 - (x - 0.5).square().sum(1)
            return torch.stack([inside, -inside], 1)

    away = torch.randn(1, inputs)
    away = away / away.norm() * (0.3 + 0.5 * torch.rand(()))
    return Ball(), 0.5 + away, 1 - float(away.norm())


class Watched(nn.Module):
    """A model that keeps all points it was asked about."""

    def __init__(self, model, turned=False, more=0.0):
        super().__init__()
        self.model, self.turned, self.more, self.asked = model, turned, more, []

    def forward(self, points):
        self.asked.append(points.detach().double().reshape(-1, points.shape[-1]))
        logits = self.model(points) + self.more
        return logits.flip(1) if self.turned else logits


def search(refute, make, seed, longer=1.1):
    """What a search did that has not refuted a false certificate, in words. It is watched once more."""
    model, point, distance = make(seed)
    found = []
    for turned in (False, True):
        watched = Watched(model, turned)
        there = expect.tensor(refute(watched, point, longer * distance), like=point)
        found.append(int(model(there).argmax(1)) != int(model(point).argmax(1)))
        asked = torch.cat(watched.asked) if watched.asked else point.double()
    if found[0] != found[1]:
        return "of the two answers one is refuted, and the same certificate for the other is not: which is the point's?"
    higher = Watched(model, turned=True, more=2.0)
    refute(higher, point, longer * distance)
    if not 0.5 <= (1 + sum(map(len, higher.asked))) / (1 + sum(map(len, watched.asked))) <= 2:
        return "the search ends sooner or later where both logits are higher by 2: the larger of the two is the answer"
    label, asked = int(model(point).argmax(1)), asked.float()
    away = (asked.double() - point.double()).norm(dim=1)
    if bool((model(asked).argmax(1)[away < longer * distance] != label).any()):
        return (
            "the search met a nearer point with another answer, and did not return it: look at every point on the way"
        )
    if bool(((asked >= 0) & (asked <= 1)).all()) and bool(((asked == 0) | (asked == 1)).any()):
        return "the search stays in [0, 1], and the nearest point with another answer may lie outside of it"
    if float(away.max()) < (0.8 + 0.2 * longer) * distance:
        went = float(away.max()) / distance / longer
        return f"the search went {went:.0%} of the radius, and no farther: go to the rim"
    lead = model(asked)[:, label] - model(asked)[:, 1 - label]
    if float(lead.min()) >= float(lead[0]) - 1e-6:
        return "the search went away from the boundary: which logit should grow?"
    if float(away.max()) > 1.01 * longer * distance:
        return "the search looked at points outside of the ball, and came back to none on its rim with another answer"
    here = point.clone().requires_grad_()
    one, other = (torch.autograd.grad(model(here)[0, which], here)[0] for which in (label, 1 - label))
    ways, gap = (asked - point)[away > 0], other - one
    along = lambda way: nn.functional.cosine_similarity(ways, way)  # noqa: E731
    for way, words in (
        (gap.sign(), "the sign of the gradient, the way in L-infinity: in L2 it is the gradient itself"),
        (-one, "the gradient of one logit: that of the difference leads to where the two are equal"),
        (other, "the gradient of one logit: that of the difference leads to where the two are equal"),
    ):
        if along(way)[-1] > 0.99 > along(gap)[-1]:
            return f"the search came to the rim, and not where the boundary is nearest: it went along {words}"
    if len(ways) > 20 and along(gap).mean().abs() < 0.1:
        return "the search tries directions by chance: the gradient tells where the boundary is nearest"
    if along(gap)[-1] > along(gap)[0] + 0.1:
        return "the search turns to where the boundary is nearest, and ends too early: more steps, or longer ones"
    return "the search came to the rim, and not where the boundary is nearest: which direction does the gradient give?"


# %%
# CHECK refute, 2 points
for make in (straight, bent):
    model, point, distance = make(seed)
    there = expect.leaves_arguments(refute, model, point, 1.1 * distance)
    expect.that(there is not None, "None where no point was found: return `point` itself then", expected="a point")
    there = expect.tensor(there, like=point)
    away = float((there.double() - point.double()).norm())
    expect.that(
        float(there.double().norm()) > 1.1 * distance or away < 1.1 * distance,
        "this is the change: the point itself is asked, which is `point` plus the change",
        got=there,
    )
    expect.that(
        away < 1.1 * distance,
        "the point is not nearer than the radius, in L2 and in float64",
        expected=f"< {1.1 * distance:.4f}",
        got=away,
    )
    if int(model(there).argmax(1)) == int(model(point).argmax(1)):
        words = f"the certificate is false, and your point does not refute it: {search(refute, make, seed)}"
        raise expect.Unmet(words, expected="a point with another answer", got=there)
model, point, distance = straight(seed)
there = refute(model, point, 0.9 * distance)
expect.that(there is not None, "None where no point was found: return `point` itself then", expected="`point`")
there = expect.tensor(there, like=point)
away = float((there.double() - point.double()).norm())
expect.that(away < 0.9 * distance, "the search left the ball: the point is not nearer than the radius", got=away)
expect.that(torch.equal(there, point), "this certificate is true: return the point itself", got=there)
### BEGIN HIDDEN TESTS
for make in (straight, bent):
    hits, stands = 0, None
    for trial in range(30):
        model, point, distance = make(seed + 300 + trial)
        longer = (1.02, 1.05, 1.3)[trial % 3]
        radius = longer * distance
        there = expect.tensor(expect.leaves_arguments(refute, model, point, radius), like=point)
        away = float((there.double() - point.double()).norm())
        expect.that(
            not radius <= away <= radius * (1 + 1e-6),
            "the point is not nearer than the radius: it lies on the rim, where float32 has rounded it out of the ball",
            expected=f"< {radius:.9f}",
            got=f"{away:.9f}",
        )
        expect.that(
            away < radius,
            "the point is not nearer than the radius, in L2 and in float64",
            expected=f"< {radius:.6f}",
            got=away,
        )
        hit = int(model(there).argmax(1) != model(point).argmax(1))
        hits, stands = hits + hit, stands if hit else (make, seed + 300 + trial, longer)
        if trial % 3 == 0:  # a search in vain takes the longest
            there = expect.tensor(refute(model, point, 0.95 * distance), like=point)
            expect.that(torch.equal(there, point), "for a true certificate, return the point itself", got=there)
    kind = "straight" if make is straight else "bent"
    expect.that(
        hits >= 27,
        f"false certificates stand whose boundary is {kind}: {search(refute, *stands) if hits < 27 else ''}",
        expected="27 of 30 refuted",
        got=f"{hits} of 30",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · A radius that holds in float32 (2 points)
#
# A linear model computes `point @ weight + bias` in float32, for points in [0, 1], and answers whether that is above 0.
# `weight` (inputs,) and `point` (inputs,) are float32 tensors, `bias` is a float32 number as a tensor.
# Return a radius in L2, a Python number: the exact distance from `point` to the boundary (where that lies
# outside of [0, 1], too), made shorter so that no point in [0, 1] nearer than the radius gets another answer
# *from the model as it computes*. It may be up to 1 % shorter than that; where nothing is left, it is 0.
#
# The model's sum of $n$ products, plus the bias, is off by at most
# $\frac{(n + 2)\,u}{1 - (n + 2)\,u} \left(\sum_i |w_i x_i| + |b|\right)$ with $u = 2^{-24}$, in whatever order it adds.
# Take the largest value that this bound has anywhere in [0, 1], not only near `point`.
#
# <details><summary>Hint 1</summary>In which precision should *your* sums be computed?</details>
# <details><summary>Hint 2</summary>The model is off at the *other* point, which you do not know.
# How large can the sum of |w x| become?</details>
# <details><summary>Hint 3</summary>At the boundary the exact value is not 0 but what the model may be off by.
# And a radius can't be negative.</details>


# %%
def sound_radius(weight, bias, point):
    """A radius in L2 within which the model, as it computes in float32, gives one answer."""
    ### BEGIN SOLUTION
    weight, bias, point = weight.double(), float(bias), point.double()
    n = len(weight) + 2
    off = n * 2**-24 / (1 - n * 2**-24) * (float(weight.abs().sum()) + abs(bias))
    lead = abs(float(weight @ point) + bias)
    return max((lead - 1.001 * off) / float(weight.norm()), 0.0) * (1 - 1e-9)
    ### END SOLUTION


# %%
def near_boundary(seed, inputs, distance):
    """A linear model and a point at about this distance from its boundary."""
    torch.manual_seed(seed)
    weight, point = torch.randn(inputs), 0.25 + 0.5 * torch.rand(inputs)
    return weight, -(weight @ point) + distance * weight.norm(), point


def counterexample(weight, bias, point, radius, tries=300):
    """Whether a search near the boundary finds a point nearer than the radius with another answer."""
    before = point @ weight + bias
    ahead = -before.sign().double() * weight.double() / weight.double().norm()
    there = point.double() + (1 - torch.logspace(-9, -5, tries, dtype=torch.float64)[:, None]) * radius * ahead
    there = (there + 6e-8 * (torch.rand(there.shape) - 0.5)).float().clamp(0, 1)
    nearer = (there.double() - point.double()).norm(dim=1) < radius
    return bool((nearer & ((there @ weight + bias > 0) != (before > 0))).any())


# %%
# CHECK sound_radius, 2 points
def lead_of(weight, bias, point):
    """How far the exact value of a linear model lies from 0."""
    return abs(float(weight.double() @ point.double() + bias.double()))


for words, bias, wanted in (
    ("the value w x + b is 3.5 - 2.5 = 1 here, and the L2 length of the weights alone is 5", -2.5, 0.2),
    ("the boundary lies outside of [0, 1] here, and the distance to it is asked all the same", 10.0, 2.7),
    ("the value is below 0 here, -1.5: that is an answer, too, and its radius is a length", -5.0, 0.3),
    ("the value is 0, on the boundary: nothing is certain, and no radius is below 0", -3.5, 0.0),
    ("the value is 0.0000002, and the model's sums may be off by ten times as much, no share of it", -3.4999998, 0.0),
):
    weight, point = torch.tensor([3.0, 4.0]), torch.tensor([0.5, 0.5])
    found = expect.number(expect.leaves_arguments(sound_radius, weight, torch.tensor(bias), point), "the radius")
    distance = lead_of(weight, torch.tensor(bias), point) / 5
    expect.that(
        not distance * (1 + 1e-6) + 1e-9 < found < distance + 1e-5,
        "the radius is a little longer than the distance: what the sums may be off by makes it shorter",
        expected=f"less than {distance:.8g}",
        got=f"{found:.8g}",
    )
    expect.that(
        0.98 * wanted <= found <= wanted * (1 + 1e-5),
        words,
        expected=f"{wanted:g}, or up to 1 % less, for weights (3, 4), bias {bias} and point (0.5, 0.5)",
        got=found,
    )
weight, bias, point = near_boundary(seed, 200, 0.2)
found = expect.number(sound_radius(weight, bias, point), "the radius")
exact = lead_of(weight, bias, point) / float(weight.double().norm())
expect.that(
    0.98 * exact <= found < exact,
    "the radius is to be less than the distance, by what the model's sums may be off by, and by no more than 1 %",
    expected=f"{0.99 * exact:.8g} to {exact:.8g}, with 200 inputs",
    got=f"{found:.8g}",
)
### BEGIN HIDDEN TESTS
halves = [0.5, 0.5]
pair_of = [torch.tensor([1.0, tiny]) for tiny in (0.0, -0.4 * 2**-25)]  # in float32 their sums are the same
apart = [expect.number(sound_radius(weight, torch.tensor(0.0), torch.tensor([0.5, 1]))) for weight in pair_of]
expect.that(
    apart[0] != apart[1],
    "your own sums are in float32, and round as the model's do: compute them in float64",
    expected="a shorter radius for weights (1, -1.2e-08) than for (1, 0), at the point (0.5, 1)",
    got=[f"{radius:.12g}" for radius in apart],
)
for words, weight, bias, point in (
    ("the formula counts n + 2 = 3 times u = 2 ** -24", [1], 0, [1]),
    ("it is the sum of all |w x| that counts, 2 here", [1, 1], 0, [1, 1]),
    ("the sum of |w x| is 1 at this point, and may be 2 at another: the model is off there", [1, 1], 0, halves),
    ("the bias is one of the numbers that are added", [1, 1], 4, halves),
    ("a bias below 0 counts by its size", [1, 1], -4, halves),
    ("a weight below 0 counts by its size", [4, -2], 0, [0.5, 0.25]),
    ("it comes off the value, before that is divided by the weights' length", [0.003, 0.004], 0, halves),
    ("a product of 0 counts among the n, too", [4] + 99 * [0], 0, 100 * [0.5]),
):
    weight, bias, point = (torch.tensor(part).float() for part in (weight, bias, point))
    found = expect.number(sound_radius(weight, bias, point), "the radius")
    n, size = len(weight) + 2, float(weight.double().abs().sum() + bias.abs())
    if found == float(torch.tensor(found)):
        words = "your own sums are in float32, and round as the model's do: compute them in float64"
    room = (lead_of(weight, bias, point) - found * float(weight.double().norm())) * 2**24
    expect.that(
        room >= n * size * (1 - 1e-3),
        f"too little room for what the model's sums may be off by: {words}",
        expected=f"{n} * {size:g} u for {n - 2} inputs, weights {weight[:2].tolist()} first, bias {bias:g}",
        got=f"{room:.4g} u",
    )
for trial in range(60):
    inputs, distance = (64, 200, 784)[trial % 3], (0.12, 0.2, -0.3)[trial // 3 % 3]
    weight, bias, point = near_boundary(seed + 400 + trial, inputs, distance)
    weight, bias = (part * (1, 1000, 1e-3)[trial // 9 % 3] for part in (weight, bias))
    found = expect.number(expect.leaves_arguments(sound_radius, weight, bias, point), "the radius")
    length, n = float(weight.double().norm()), inputs + 2
    exact = lead_of(weight, bias, point) / length
    off = n * 2**-24 / (1 - n * 2**-24) * (float(weight.double().abs().sum()) + abs(float(bias)))
    sound = exact - off / length
    expect.that(
        found <= sound * (1 + 1e-9) or not counterexample(weight, bias, point, found),
        f"a point nearer than your radius gets another answer in float32, with {inputs} inputs",
        expected="room for what the model's sums may be off by",
        got=found,
    )
    expect.that(
        sound - 0.015 * exact <= found <= sound * (1 + 1e-9) or sound <= 0,
        f"the radius leaves {(exact - found) * length / off:.4f} times the room that the model's sums may need, with "
        f"{inputs} inputs: is each sum in float64, and the room that of the formula?",
        expected=f"{sound:.8g}, or up to 1 % less",
        got=f"{found:.8g}",
    )
for trial in range(10):
    found = expect.number(sound_radius(*near_boundary(seed + 500 + trial, 784, 1e-9)), "the radius")
    expect.that(found == 0, "less than what rounding may take proves nothing", expected="0", got=found)
### END HIDDEN TESTS
