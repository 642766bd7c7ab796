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
# <details><summary>Hint 2</summary>Middle and half width travel apart: one with the weights and the bias,
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


def one_layer(boxes):
    """A layer of two inputs and two outputs, by hand: for it the bounds are exact, and a mistake has a name."""
    layer = torch.tensor([[1.0, -2.0], [-3.0, 0.5]]), torch.tensor([0.25, -1.0])
    low, high = torch.tensor([[-1.0, 1.0]]), torch.tensor([[1.0, 3.0]])
    found = pair(expect.leaves_arguments(boxes, [layer], low, high), like=torch.zeros(1, 2))
    known = {  # lowest and highest values that come of it
        "the two ends have changed places: the lowest values come first": (-0.75, 3.5, -6.75, -3.5),
        "these are the middle and the half width: the two ends are asked": (-3.75, 0.0, 3.0, 3.5),
        "each end went through the layer by itself: a negative weight makes of a low input a high output": (
            *(-2.75, 2.5, -4.75, -2.5),
        ),
        "each end went through the layer by itself, and the two were sorted: other corners of the box give more": (
            *(-4.75, -2.5, -2.75, 2.5),
        ),
        "these are as far apart as twice the whole width: the radius of an input is half of high - low": (
            *(-9.75, -7.0, 2.25, 7.0),
        ),
        "the bias is left out": (-7.0, -2.5, -1.0, 4.5),
        "the bias widens the bounds: it moves both ends alike": (-7.0, -2.5, -0.5, 2.5),
        "a ReLU acted on the input: there is none before the first layer": (-5.75, -3.5, -0.75, 0.5),
        "the last layer's values are cut at 0: no ReLU stands after it": (0.0, 0.0, 0.0, 3.5),
        "the radius was multiplied by the L2 length of the weights: each input may lie at its own worst end": (
            *(-6.9123, -4.3012, -0.5877, 4.3012),
        ),
        "the radius went through the bias alone, or is 0: the input may be anywhere in its box": (
            *(-3.75, 0.0, -3.75, 0.0),
        ),
    }
    both = torch.cat([found[0][0], found[1][0]])
    wanted = torch.tensor([-6.75, -3.5, -0.75, 3.5])
    given = {words: torch.tensor(values) for words, values in known.items()}
    words = "lowest -6.75 and -3.5, highest -0.75 and 3.5, from the four corners"
    expect.none_of(both, wanted, given, expected=words, atol=1e-3)
    middle, half = (both[:2] + both[2:]) / 2, (both[2:] - both[:2]) / 2
    centered = (middle - torch.tensor([-3.75, 0.0])).abs().max() < 1e-4
    wide = (half - torch.tensor([3.0, 3.5])).abs().max() < 1e-4
    part = "the ends are wrong"
    if centered:
        part = f"the middle of each is right, and half of the way between them is {expect.short(half)}, not 3.0 and 3.5"
    elif wide:
        part = (
            f"they are as far apart as they should be, and their middles are {expect.short(middle)}, not -3.75 and 0.0"
        )
    told = f"for a single layer the bounds are exact, and these are not: {part}"
    expect.equal(both, wanted, told, expected=words, atol=1e-4)


def sample(low, high, many):
    """Points between low and high (1, inputs), (many, inputs), half of them corners."""
    share = torch.rand(many, low.shape[1])
    share[::2] = share[::2].round()
    return low + share * (high - low)


# %%
# CHECK boxes_hold, 2 points
one_layer(boxes)
layers = network(seed, (3, 8, 4))
low, high = torch.rand(1, 3) - 0.5, torch.rand(1, 3) + 0.5
found = pair(expect.leaves_arguments(boxes, layers, low, high), like=torch.zeros(1, 4))
expect.that((found[0] <= found[1]).all(), "a lowest value is above the highest", expected="low <= high", got=found)
given = answers(layers, sample(low, high, 4000))
expect.that(
    ((given >= found[0] - 1e-4) & (given <= found[1] + 1e-4)).all(),
    "an answer of a network of two layers lies outside of your bounds, though for one layer they are right: "
    "where does the ReLU stand, and on what does it act?",
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
            f"an answer of a network of sizes {sizes} lies outside of your bounds: "
            "what does a negative weight do to the two ends, and where is the ReLU?",
            expected="bounds that hold for every input of the box",
            got=found[0][i],
        )
### END HIDDEN TESTS

# %%
# CHECK boxes_tight, 1 point
one_layer(boxes)
### BEGIN HIDDEN TESTS


def by_intervals(layers, low, high, how=""):
    """Interval bounds by hand, in float64, and what a wrong answer comes to."""
    low, high = low.double(), high.double()
    if how == "one box":
        low, high = (low.amin(0) + 0 * low), (high.amax(0) + 0 * high)
    for i, (weight, bias) in enumerate(layers):
        if i and how == "middle":
            middle, half = (low + high).relu() / 2, (high - low) / 2
            low, high = middle - half, middle + half
        elif i and how == "sizes":
            low, high = torch.minimum(low.abs(), high.abs()), torch.maximum(low.abs(), high.abs())
        elif how == "none" or (how == "later" and i == 1) or (how == "earlier" and i == len(layers) - 1):
            pass
        elif i:
            low, high = low if how == "high only" else low.relu(), high if how == "low only" else high.relu()
        up, down = weight.double().clamp_min(0), weight.double().clamp_max(0)
        low, high = low @ up.T + high @ down.T + bias, high @ up.T + low @ down.T + bias
    return low, high


QUESTIONS = {
    "one box": "one box around the whole batch was taken for each of its rows: every row has a box of its own",
    "middle": "the ReLU acted on the middle, with the half width as it was: on what does it act?",
    "high only": "the ReLU acted on the upper ends only: it acts on both",
    "low only": "the ReLU acted on the lower ends only: it acts on both",
    "none": "there is no ReLU in these bounds: one stands between each two layers",
    "later": "there is no ReLU after the first layer: one stands between each two layers",
    "earlier": "there is no ReLU before the last layer: one stands between each two layers",
    "sizes": "a ReLU does not change a sign: what is below 0 becomes 0",
}
for trial, sizes in enumerate([(5, 4), (4, 6, 3), (3, 9, 9, 2), (2, 5, 5, 5, 3)] * 2):
    layers = network(seed + 50 + trial, sizes)
    start = torch.randn(3, sizes[0])
    for width in (torch.zeros(3, sizes[0]), torch.rand(3, sizes[0])):
        found = pair(boxes(layers, start, start + width), like=torch.zeros(3, sizes[-1]))
        both = by_intervals(layers, start, start + width)

        def far(other, found=found):
            return max(float((end - by_hand).abs().max()) for end, by_hand in zip(found, other, strict=True)) > 1e-3

        for how, question in QUESTIONS.items():
            expect.that(
                not far(both) or far(by_intervals(layers, start, start + width, how)),
                question,
                expected=f"{expect.short(both[0][0])} for the first box",
                got=found[0][0],
            )
        for end, wanted in zip(found, both, strict=True):
            expect.that(
                (end - wanted).abs().max() < 1e-3,
                f"wider (or other) bounds than intervals give, for a network of sizes {sizes}",
                expected=f"{expect.short(wanted[0])} for the first box",
                got=end[0],
            )
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
torch.manual_seed(0)
flat = x.flatten(1)
boxed = nn.Sequential(nn.Flatten(), nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 10))
fit(boxed, data.train, loss=bounds.interval_training(0.1, 300), updates=300, lr=1e-2).requires_grad_(False)
trained = [(layer.weight, layer.bias) for layer in boxed if isinstance(layer, nn.Linear)]

# %%
print("images proved at 0.05 in every pixel:", int(proved(trained, flat, y, 0.05).sum()), "of", len(y))

# %%
# CHECK proved_holds, 1 point
lowest = answers(trained, flat).argmin(1)
low = yes_or_no(expect.leaves_arguments(proved, trained, flat, lowest, 0.0), len(flat))
high = yes_or_no(proved(trained, flat, answers(trained, flat).argmax(1), 0.0), len(flat))
words = "with eps = 0 proofs for the label with the highest logit, and none for that with the lowest"
expect.that(
    high.any() or not low.any(),
    "proofs for the label with the *lowest* logit, and none for the highest: which logit is taken from which?",
    expected=words,
)
expect.that(
    not low.all() or not high.all(),
    "a proof whatever the label is: is it the label's logit that leads, or the one that the model gives itself?",
    expected=words,
)
expect.that(
    not low.any(),
    "proofs for the label with the *lowest* logit: which label is looked at, and which end of its lead?",
    expected=words,
)
found = yes_or_no(proved(trained, flat, y, 0.05), len(flat))
expect.that(not found.all(), "a proof for every image, at a budget at which some fall", expected="some not", got=found)
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
    for eps in (0.02, 0.2):
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
weight, bias = torch.tensor([[1.0, 2.0], [1.0, 2.0], [-9.0, 0.0]]), torch.zeros(3)  # the first two are always equal
found = proved([(weight, bias)], torch.full((2, 2), 0.5), torch.tensor([0, 1]), 0.1)
expect.that(
    not yes_or_no(found, 2).any(),
    "a proof where another class has the same logit: above is not as high as",
    expected="no proof",
    got=found,
)
### END HIDDEN TESTS

# %%
# CHECK proved_all, 2 points
at_zero = yes_or_no(proved(trained, flat, y, 0.0), len(flat))
expect.that(
    at_zero.any(),
    "with eps = 0 no image is proved, not even where the answer is right: is a lead the label's logit less another's, "
    "is the label not compared with itself, and has each image a box of its own?",
    expected="yes where the answer is right",
)
*first, (weight, bias) = trained
for words, other in (
    ("the bias is left out of the differences", 0 * bias),
    ("the bias has the other sign: it is subtracted as the weights are", -bias),
):
    expect.that(
        torch.equal(at_zero, answers(trained, flat).argmax(1) == y)
        or not torch.equal(at_zero, answers([*first, (weight, other)], flat).argmax(1) == y),
        words,
        expected="yes where the answer is right, with eps = 0",
    )
expect.that(
    torch.equal(at_zero, answers(trained, flat).argmax(1) == y),
    "with eps = 0 there is one image, and every right answer is proved",
    expected="yes where the answer is right",
    got=at_zero,
)
line = [(torch.tensor([[1.0, 1.0], [1.0, 0.5]]), torch.tensor([0.0, 0.0]))]
found = yes_or_no(proved(line, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), 0.2), 1)
expect.that(
    bool(found[0]),
    "the two logits move together, so their difference stays positive: bound the difference itself",
    expected="a proof",
    got=found,
)
### BEGIN HIDDEN TESTS


def box(points, eps, how):
    """The two ends of what the attacker may send, and what a wrong answer takes for it."""
    scale = {"half": 0.5, "twice": 2.0, "255ths": 1 / 255}.get(how, 1.0) * eps
    scale = scale * points if how == "relative" else scale
    low, high = points - scale * (how != "above"), points + scale * (how != "below")
    low, high = (
        low if how in ("no box", "not below") else low.clamp_min(0),
        high if how in (*("no box", "not above"),) else high.clamp_max(1),
    )
    return low.double(), high.double()


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


BOXES = {
    "half": "the box is half as wide as it should be: an input changes by eps, up and down",
    "twice": "the box is twice as wide as it should be: an input changes by eps, up and down",
    "255ths": "all right answers are proved, as if eps were 0 or 255 times smaller: how wide is the box, and which "
    "end of a lead counts?",
    "relative": "the box is a share of each input: it reaches eps up and down, whatever the input is",
    "above": "the box reaches up by eps, and not down",
    "below": "the box reaches down by eps, and not up",
    "no box": "the box leaves [0, 1], where no image lies: keep both ends in it",
    "not below": "the lower end of the box leaves [0, 1]: no image lies below 0",
    "not above": "the upper end of the box leaves [0, 1]: no image lies above 1",
}
same = dict.fromkeys(BOXES, True)  # whether all answers are those of a wrong box
right = True
for trial, sizes in enumerate([(3, 8, 3), (2, 6, 6, 4), (4, 10, 2), (5, 4), (3, 5, 5)] * 2):
    layers = network(seed + 200 + trial, sizes)
    points = (torch.rand(40, sizes[0]) * 1.6 - 0.3).clamp(0, 1)
    labels = answers(layers, points).argmax(1)
    for eps in (0.05, 0.15):
        found = yes_or_no(proved(layers, points, labels, eps), 40)
        for how in ("", *BOXES):
            least = least_lead(layers, labels, *box(points, eps, how))
            fits = bool(((found == (least > 0)) | (least.abs() <= 1e-4)).all())
            right, same = (right and fits, same) if not how else (right, same | {how: same[how] and fits})
for how, question in BOXES.items():
    expect.that(right or not same[how], question, expected="|x - point| <= eps in each input, and x in [0, 1]")
for trial, sizes in enumerate([(3, 8, 3), (2, 6, 6, 4), (4, 10, 2), (5, 4), (3, 5, 5)] * 3):
    layers = network(seed + 200 + trial, sizes)
    points = (torch.rand(40, sizes[0]) * 1.6 - 0.3).clamp(0, 1)
    labels = answers(layers, points).argmax(1)
    for eps in (0.01, 0.05, 0.15):
        least = least_lead(layers, labels, *box(points, eps, ""))
        found = yes_or_no(proved(layers, points, labels, eps), 40)
        clear = least.abs() > 1e-4
        expect.that(
            (found | (least < 0))[clear].all(),
            f"proofs are missing at eps = {eps:g}, for a network of sizes {sizes}: bound the differences of the last "
            "layer, and no image leaves [0, 1]",
            expected=f"{int((least > 0).sum())} of 40 images",
            got=f"{int(found.sum())}",
        )
        expect.that(
            (~found | (least > 0))[clear].all(),
            f"more proofs than interval bounds give at eps = {eps:g}, for a network of sizes {sizes}",
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
# Where it bends, walk along the rim of the ball. Stay a hair inside: float32 rounds.</details>


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

    def __init__(self, model, turned=False):
        super().__init__()
        self.model, self.turned, self.asked = model, turned, []

    def forward(self, points):
        self.asked.append(points.detach().double().reshape(-1, points.shape[-1]))
        logits = self.model(points)
        return logits.flip(1) if self.turned else logits


def search(refute, make, seed):
    """What a search did that has not refuted a false certificate, in words. It is watched once more."""
    model, point, distance = make(seed)
    found = []
    for turned in (False, True):
        watched = Watched(model, turned)
        there = expect.tensor(refute(watched, point, 1.1 * distance), like=point)
        found.append(int(model(there).argmax(1)) != int(model(point).argmax(1)))
        asked = torch.cat(watched.asked) if watched.asked else point.double()
    if found[0] != found[1]:
        return "of the two answers one is refuted, and the same certificate for the other is not: which is the point's?"
    label, asked = int(model(point).argmax(1)), asked.float()
    away = (asked.double() - point.double()).norm(dim=1)
    if bool((model(asked).argmax(1)[away < 1.1 * distance] != label).any()):
        return (
            "the search met a nearer point with another answer, and did not return it: look at every point on the way"
        )
    if float(away.max()) < 1.02 * distance:
        return f"the search went {float(away.max()) / distance / 1.1:.0%} of the radius, and no farther: go to the rim"
    lead = model(asked)[:, label] - model(asked)[:, 1 - label]
    if float(lead.min()) >= float(lead[0]) - 1e-6:
        return "the search went away from the boundary: which logit should grow?"
    if float(away.max()) > 1.11 * distance:
        return "the search looked at points outside of the ball, and came back to none on its rim with another answer"
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
expect.that(torch.equal(there, point), "this certificate is true: return the point itself", got=there)
### BEGIN HIDDEN TESTS
for make in (straight, bent):
    hits = 0
    for trial in range(30):
        model, point, distance = make(seed + 300 + trial)
        radius = distance * (1.02, 1.05, 1.3)[trial % 3]
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
        hits += int(model(there).argmax(1) != model(point).argmax(1))
        there = expect.tensor(refute(model, point, 0.95 * distance), like=point)
        expect.that(torch.equal(there, point), "for a true certificate, return the point itself", got=there)
    kind = "straight" if make is straight else "bent"
    expect.that(
        hits >= 27,
        f"false certificates stand whose boundary is {kind}: does the attack go to the rim of the ball, and along it, "
        "also where that is outside of [0, 1]?",
        expected="27 of 30 refuted",
        got=f"{hits} of 30",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · A radius that holds in float32 (2 points)
#
# A linear model computes `point @ weight + bias` in float32, for points in [0, 1], and answers whether that is above 0.
# `weight` (inputs,) and `point` (inputs,) are float32 tensors, `bias` is a float32 number as a tensor.
# Return a radius in L2, a Python number: no point in [0, 1] nearer than it (in exact arithmetic)
# may get another answer *from the model as it computes*. It should be at most 2 % shorter than the distance.
#
# The model's sum of $n$ products, plus the bias, is off by at most
# $\frac{(n + 2)\,u}{1 - (n + 2)\,u} \left(\sum_i |w_i x_i| + |b|\right)$ with $u = 2^{-24}$, in whatever order it adds.
#
# <details><summary>Hint 1</summary>In which precision should *your* sums be computed?</details>
# <details><summary>Hint 2</summary>The model is off at the *other* point, which you do not know.
# How large can the sum of |w x| be for any point in [0, 1]?</details>
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
weight, bias, point = near_boundary(seed, 200, 0.2)
found = expect.number(expect.leaves_arguments(sound_radius, weight, bias, point), "the radius")
exact = abs(float(weight.double() @ point.double() + bias.double())) / float(weight.double().norm())
lead, by = exact * float(weight.double().norm()), weight.double().norm()
known = {
    "the value was not divided by the length of the weights": lead,
    "the value was divided by the L1 length of the weights: the radius is one in L2": lead / float(weight.abs().sum()),
    "the value was divided by the square of the weights' length": lead / float(by) ** 2,
    "the value was divided by the largest weight: the radius is one in L2": lead / float(weight.abs().max()),
    "the value is that of the products alone: the bias is left out": abs(float(weight.double() @ point.double() / by)),
    "this is half of the distance": exact / 2,
    "the radius is negative": -exact,
}
for words, slip in known.items():
    expect.that(
        not math.isclose(found, slip, rel_tol=2e-3), words, expected=f"a little less than {exact:.5f}", got=found
    )
expect.that(
    found < exact * (1 + 1e-6),
    "longer than the distance to the boundary: what the sums may be off by is taken off, not added",
    expected=f"< {exact:.6f}",
    got=f"{found:.6f}",
)
expect.that(
    found < exact, "not shorter than the distance: float32 leaves no room", expected=f"< {exact:.6f}", got=found
)
expect.that(
    found >= 0.98 * exact,
    f"far shorter than it has to be: {found / exact:.2g} of the distance, which is the value over the L2 length of the "
    "weights, less what rounding needs",
    expected=f"{0.98 * exact:.5f} or more",
    got=found,
)
on_it = near_boundary(seed, 200, 0.0)
found = expect.number(sound_radius(*on_it), "the radius")
expect.that(found > -1e-12, "a radius below 0: where nothing is certain it is 0", expected="0", got=found)
expect.that(
    abs(found) < 1e-12,
    "on the boundary itself nothing is certain: is what the sums may be off by taken off, in full, with u = 2 ** -24?",
    expected="0",
    got=found,
)
### BEGIN HIDDEN TESTS


def lead_of(weight, bias, point):
    """How far the exact value of a linear model lies from 0."""
    return abs(float(weight.double() @ point.double() + bias.double()))


weight, bias, point = torch.tensor([1.0, -0.4 * 2**-25]), torch.tensor(0.0), torch.tensor([0.5, 1.0])
found = expect.number(sound_radius(weight, bias, point), "the radius")
sound = lead_of(weight, bias, point) - 4 * 2**-24 / (1 - 4 * 2**-24) * float(weight.double().abs().sum())
slips = {"your own sum has rounded, as the model's does: compute it in float64": sound + 0.4 * 2**-25}
expect.none_of(found, sound, slips, expected=f"at most {sound:.12g}", atol=4e-9)
for trial in range(60):
    inputs, distance = (64, 200, 784)[trial % 3], (0.05, 0.2, -0.3)[trial // 3 % 3]
    weight, bias, point = near_boundary(seed + 400 + trial, inputs, distance)
    weight, bias = (part * (1, 1000, 1e-3)[trial // 9 % 3] for part in (weight, bias))
    found = expect.number(expect.leaves_arguments(sound_radius, weight, bias, point), "the radius")
    exact = abs(float(weight.double() @ point.double() + bias.double())) / float(weight.double().norm())
    n = inputs + 2
    off = n * 2**-24 / (1 - n * 2**-24) * (float(weight.double().abs().sum()) + abs(float(bias)))
    sound = (exact * float(weight.double().norm()) - off) / float(weight.double().norm())
    room = (lead_of(weight, bias, point) - found * float(weight.double().norm())) / off
    rooms = {
        "no room is left for what the model's sums may be off by, or nearly none: u is 2 ** -24 in float32": 0,
        "half of what the sums may be off by was taken off: u is 2 ** -24 in float32": 0.5,
        "twice what the sums may be off by was taken off: u is 2 ** -24, and the model is off at the other point": 2,
        "n roundings are counted, of n products: the formula has two more": inputs / n,
        "n + 1 roundings are counted: the formula has one more": (inputs + 1) / n,
    }
    for words, slip in rooms.items():
        expect.that(
            inputs > 64 or abs(room - slip) > 2e-3,  # with many inputs two more roundings are next to nothing
            words,
            expected=f"a radius of {sound:.8g}, with {inputs} inputs",
            got=f"{found:.8g}",
        )
    expect.that(
        not counterexample(weight, bias, point, found),
        f"a point nearer than your radius gets another answer in float32, with {inputs} inputs",
        expected="room for what the model's sums may be off by",
        got=found,
    )
    length, side = float(weight.double().norm()), "above" if distance > 0 else "not above"
    expect.that(
        found > 0 or sound <= 0,
        f"a point whose value is {side} 0 gets no radius: each of the two answers has one",
        expected=f"about {sound:.6g}",
        got=found,
    )
    for slip, question in (
        (exact - off, "what the sums may be off by was taken off the radius: off what does it come?"),
        (
            exact - (off - n * 2**-24 / (1 - n * 2**-24) * abs(float(bias))) / length,
            "the room is that of the products alone: which term of the sum is left out?",
        ),
    ):
        expect.that(
            abs(found - slip) > 1e-8 * exact or abs(sound - slip) < 1e-7 * exact,
            question,
            expected=f"{sound:.8g}",
            got=f"{found:.8g}",
        )
    expect.that(
        found <= sound * (1 + 1e-9) or sound <= 0,
        f"the radius leaves {room:.4f} of the room that the model's sums may need, with {inputs} inputs: "
        "at which point are they off most, how large is |w x| there, and does your own sum round?",
        expected=f"at most {sound:.8g}",
        got=f"{found:.8g}",
    )
    expect.that(
        found >= sound - 0.015 * exact,
        f"the radius is far shorter than it has to be: it leaves {room:.2f} times the room that the model's sums "
        f"may need, with {inputs} inputs",
        expected=f"about {sound:.6g}",
        got=f"{found:.6g}",
    )
for trial in range(10):
    found = expect.number(sound_radius(*near_boundary(seed + 500 + trial, 784, 1e-9)), "the radius")
    expect.that(found == 0, "less than what rounding may take proves nothing", expected="0", got=found)
### END HIDDEN TESTS
