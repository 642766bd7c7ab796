# %% [markdown]
# # Lab 10 · Poisoning and backdoors
#
# Five exercises, 10 points, about 75 minutes after [lesson 10](../notebooks/10_poisoning.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# Own cells, prints and pictures do no harm.
# `utils.poisoning` has a finished version of most of this: it is for afterwards, not an answer.

# %%
import math
import random

import torch
from torch import nn
from torch.nn import functional as F

from utils import expect, plots, poisoning
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.models import mlp, predict
from utils.training import fit

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = data.train


def learn(x, y, seed=0):
    """A small network trained on these images and labels."""
    torch.manual_seed(seed)
    return fit(mlp(data, width=64), (x, y), updates=200, lr=1e-2)


# %% [markdown]
# ## 1 · Plant it, and see whether it works (3 points)
#
# **`backdoor`** poisons a training set. `x` (N, C, H, W) are images, `y` (N,) their labels.
# Of the images that are *not* of class `target`, draw at random as many as `rate` says: `round(rate * N)`
# for N images in all, no image twice. They get the trigger, `trigger(images)`, and the label `target`.
# Return three things: the new images, the new labels, and which places (K,) were poisoned.
# Each call draws anew: set no seed.
# The caller's `x` and `y` stay as they were.
#
# **`success`** returns two whole numbers: on how many images the trigger works,
# and how many images count. An image counts if its label in `y` is another than `target`.
# The trigger works if the model then reads `target`.
#
# <details><summary>Hint 1</summary>Copy first: <code>x.clone()</code>. What does an image of the target class
# prove, with or without a trigger?</details>
# <details><summary>Hint 2</summary><code>(y != target).nonzero()[:, 0]</code> are the places
# that may be drawn.</details>
# <details><summary>Hint 3</summary>The first K of <code>torch.randperm(len(places))</code>
# are a draw without replacement.</details>


# %%
def backdoor(x, y, *, rate, target, trigger):
    """(new images, new labels, poisoned places)."""
    ### BEGIN SOLUTION
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which
    ### END SOLUTION


def success(model, x, y, *, target, trigger):
    """(images on which the trigger works, images that count)."""
    ### BEGIN SOLUTION
    others = x[y != target]
    return int((predict(model, trigger(others)) == target).sum()), len(others)
    ### END SOLUTION


# %%
torch.manual_seed(0)
owned = learn(
    *poisoning.backdoor((x, y), 0.04, poisoning.add_trigger, 7)[:2]
)  # a network with a backdoor, to try yours on

# %%
plots.rates(
    {
        "trigger works": Rate(*map(int, success(owned, *data.test, target=7, trigger=poisoning.add_trigger))),
        "accuracy": accuracy(owned, data.test),
    },
    x="images",
)


# %%
def numbers(value):
    """Places or units as int64, (K,): a tensor, an array, a list or a set of numbers."""
    return torch.as_tensor(list(value) if isinstance(value, (set, frozenset)) else value).flatten().cpu()


def three(found, x, y):
    """The three parts of a poisoned training set, as they should be."""
    images, labels, which = expect.parts(found, 3, "three things: images, labels, poisoned places")
    expect.that(
        len(images) <= len(x),
        "there are more images than before: a poison takes the place of the image that it was made from",
        expected=len(x),
        got=len(images),
    )
    images = expect.tensor(images, like=x, what="the images")
    labels = expect.tensor(labels, like=y, what="the labels")
    which = numbers(which)
    changed = int(((images != x).flatten(1).any(1) | (labels != y)).sum())
    expect.that(
        which.tolist() != [changed] or changed < 2,
        "this is how many images were poisoned: their places are asked",
        expected=f"{changed} places",
        got=which,
    )
    expect.that(
        which.dtype != torch.bool,
        "the poisoned places are asked as numbers, (K,): these are yes or no for each image",
        got=which[:10],
    )
    return images, labels, which.long()


def as_returned(images, labels, which, x, y):
    """Each place that is returned has changed, once, and no other image or label."""
    changed = ((images != x).flatten(1).any(1) | (labels != y)).nonzero()[:, 0].tolist()
    expect.that(
        len(which.unique()) == len(which),
        "an image was drawn twice: draw without replacement",
        expected="different places",
        got=f"{len(which)} places, {len(which.unique())} different",
    )
    more, fewer = set(changed) - set(which.tolist()), set(which.tolist()) - set(changed)
    expect.that(
        not more or fewer,
        f"images or labels have changed at {len(more)} places that you do not return: no other example may change",
        expected="all others as they were",
        got=f"{len(changed)} changed, {len(which)} places returned",
    )
    expect.that(
        not fewer,
        f"{len(fewer)} of the places that you return have neither another image nor another label: do they count from "
        "the first image of all, and did the copies change that you return?",
        expected="places in x, from 0 to N - 1",
        got=f"{len(changed)} changed, {len(which)} places returned",
    )


# %%
# CHECK backdoor, 2 points
torch.manual_seed(seed)
found = expect.leaves_arguments(backdoor, x, y, rate=0.1, target=3, trigger=poisoning.add_trigger)
images, labels, which = three(found, x, y)
again = three(backdoor(x, y, rate=0.1, target=3, trigger=poisoning.add_trigger), x, y)[2]
expect.that(
    len(again) == len(which),
    "two calls poison different numbers of images: exactly round(rate * N) are drawn. Is each drawn with a "
    "probability, or do some drop out after the draw, that are the target's or came twice?",
    expected=f"{round(0.1 * len(y))} places, always",
    got=f"{len(which)}, then {len(again)}",
)
expect.that(
    len(which) == round(0.1 * len(y)),
    f"round(rate * N) places are poisoned, no fewer and no more: N counts {len(y)} images, {int((y == 3).sum())} of "
    "which are the target's",
    expected=f"{round(0.1 * len(y))} places",
    got=len(which),
)
as_returned(images, labels, which, x, y)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for n, classes, rate in ((60, 3, 0.25), (45, 5, 0.5), (200, 2, 0.4), (30, 4, 0.0), (37, 3, 0.4)):
    some, names = torch.rand(n, 2, 4, 5) * 0.8 + 0.1, torch.randint(0, classes, (n,))
    names[:classes] = torch.arange(classes)
    target, count = classes - 1, round(rate * n)
    count = min(count, int((names != target).sum()))
    rate = count / n
    for trigger in (poisoning.add_trigger, F.softsign):
        how = {"rate": rate, "target": target, "trigger": trigger}
        nothing = "at rate 0 nothing is poisoned: there is nothing to put together, and nothing changes"
        found = expect.at_edge(nothing, expect.leaves_arguments, backdoor, some, names, **how)
        images, labels, which = three(found, some, names)
        about = f"{n} images of {classes} classes at rate {rate:.3f}"
        expect.that(
            len(which.unique()) == len(which),
            f"an image was drawn twice: draw without replacement ({about})",
            expected="different places",
            got=f"{len(which)} places, {len(which.unique())} different",
        )
        expect.that(
            len(which) == count,
            f"another number of places than round(rate * N), where N counts all images ({about})",
            expected=count,
            got=len(which),
        )
        expect.that(
            (names[which] != target).all(),
            "images of the target class were poisoned: they teach the model nothing new",
            expected=f"places of other classes than {target}",
            got=f"{int((names[which] == target).sum())} of the target class",
        )
        expect.that(
            (labels[which] == target).all(),
            "a poisoned image does not have the target's label",
            expected=f"label {target} at each poisoned place",
            got=labels[which][:10],
        )
        made, own = trigger(some[which]).flatten(1), images[which].flatten(1)
        moved = len(own) > 0 and float((own[:, None] - made).abs().amax(2).amin(1).max()) < 1e-6
        expect.that(
            torch.allclose(own, made) or not moved,
            "images with the trigger stand at each other's places: places and images are in two different orders",
        )
        expect.that(
            torch.allclose(images[which], trigger(some[which])),
            "a poisoned image is not what the trigger makes of it",
            expected="trigger(x) at each poisoned place",
        )
        as_returned(images, labels, which, some, names)
for n, rate in ((30, 0.09), (30, 0.12), (47, 0.2), (50, 0.05)):  # 2.7, 3.6, 9.4 and 2.5 images
    some, names = torch.rand(n, 1, 3, 3), torch.arange(n) % 4
    found = backdoor(some, names, rate=rate, target=0, trigger=poisoning.add_trigger)
    expect.that(
        len(three(found, some, names)[2]) == round(rate * n),
        f"the number of places is rounded otherwise than by round(rate * N): rate * N is {rate * n:g} here",
        expected=f"{round(rate * n)} places",
        got=len(three(found, some, names)[2]),
    )
many, names = torch.rand(3000, 1, 3, 3), torch.arange(3000) % 4
which = three(backdoor(many, names, rate=0.25, target=0, trigger=poisoning.add_trigger), many, names)[2]
early = int((which < 1500).sum())
expect.that(
    abs(early - 375) < 60,
    "not every image of another class is drawn as often as the next: draw at random",
    expected="about 375 of 750 places in the first half of 3,000 images",
    got=early,
)
gaps = which.sort().values.diff()
expect.that(
    int((gaps == 1).sum()) > 100 and int((gaps > 8).sum()) > 20,
    "the drawn places are too even: draw at random",
    expected="neighbours here, gaps there",
    got=f"gaps from {int(gaps.min())} to {int(gaps.max())}",
)
twice = torch.rand(400, 1, 3, 3), torch.arange(400) % 4
drawn = [three(backdoor(*twice, rate=0.25, target=0, trigger=poisoning.add_trigger), *twice)[2] for _ in range(2)]
expect.that(
    set(drawn[0].tolist()) != set(drawn[1].tolist()),
    "two calls drew the same images: the function sets a seed, and each call should draw anew",
)
### END HIDDEN TESTS

# %%
# CHECK success, 1 point
reads = nn.Sequential(nn.Flatten(), nn.Linear(1, 4))  # reads the number that is nearest to an image's one pixel
reads[1].weight.data, reads[1].bias.data = 2 * torch.arange(4.0)[:, None], -(torch.arange(4.0) ** 2)
how = {"target": 3, "trigger": torch.special.exp2}
four = torch.tensor([2.0, 2.0, 2.0, 2.4]).view(-1, 1, 1, 1), torch.zeros(4, dtype=torch.int64)
known = {
    "the largest of each class was looked for among the images: along which dimension do the classes lie?": 3.0,
    "of four images only the first, or one of them, was counted: does each get the trigger, and is each asked?": 1.0,
}
found, several = (
    expect.parts(success(reads, *(part.repeat_interleave(k, 0) for part in four), **how), 2, "two whole numbers")
    for k in (1, 64)
)
told = "of four images none counts, of 256 some: are those left out of which there are too few for a whole batch?"
expect.that(expect.number(found[1]) or not expect.number(several[1]), told, expected="4 that count", got=found)
found = found[0]
expect.none_of(expect.number(found), 4.0, known, expected="4 hits: with the trigger the model reads 3 on all four")
for told, pixels, names, due in (
    ("label 2 is not the target, so it counts; with the trigger the model reads 3, the target", [2], [2], [1, 1]),
    ("what the model reads without the trigger is not asked for", [2], [1], [1, 1]),
    ("a wrong answer that is not the target is no hit", [0], [0], [0, 1]),
    ("two images count, and on the first of them the trigger works", [2, 0], [2, 1], [1, 2]),
    ("the trigger is put on once: what the model then reads is 2 alone, and not the target", [1], [0], [0, 1]),
    ("the model reads the target without the trigger, and with it: that counts", [3], [0], [1, 1]),
    ("the first image's label is the target: it proves nothing, and does not count", [2, 0], [3, 0], [0, 1]),
):
    given = torch.tensor(pixels).view(-1, 1, 1, 1).float(), torch.tensor(names)
    found = expect.leaves_arguments(success, reads, *given, target=3, trigger=torch.special.exp2)
    found = [expect.number(part, "a count") for part in expect.parts(found, 2, "two whole numbers")]
    whole = all(part % 1 == 0 for part in found)
    expect.that(whole, "a share: how many images is asked, twice, as whole numbers", expected=due, got=found)
    order = "first the images on which the trigger works, then those that count: the two have changed places"
    expect.that(found == due or found != due[::-1], order, expected=due, got=found)
    expect.that(
        found == due,
        told,
        expected=f"{due} for images that read as {pixels}, labels {names}, target 3; the trigger makes 2 to the x",
        got=found,
    )
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for classes in (2, 4, 7):
    some, names = torch.rand(80, 1, 4, 4), torch.randint(0, classes, (80,))
    some[:, :, -1, -1] *= 0.5
    line = nn.Sequential(nn.Flatten(), nn.Linear(16, classes))
    for target, pull in ((0, 3.0), (classes - 1, -3.0), (classes - 1, 0.3)):
        weight = 0.7 * torch.randn(classes, 16)
        weight[target, -1] += pull
        line[1].weight.data = weight
        for trigger in (poisoning.add_trigger, F.softsign):
            triggered = predict(line, trigger(some))
            wanted = int(((triggered == target) & (names != target)).sum())
            given = line, some, names
            found = expect.leaves_arguments(success, *given, target=target, trigger=trigger)
            hits, counted = (expect.number(part, "a count") for part in expect.parts(found, 2, "two whole numbers"))
            expect.that(
                counted == int((names != target).sum()),
                "other images count than those whose label in y is not the target: "
                "the target's own prove nothing, and what the model says of an image does not matter",
                expected=int((names != target).sum()),
                got=counted,
            )
            sure = int(((line(trigger(some)).softmax(1)[:, target] > 0.5) & (names != target)).sum())
            known = {"only hits of a probability above one half count: the model reads its largest logit": float(sure)}
            expect.none_of(hits, float(wanted), known, expected=f"{wanted} hits")
            expect.that(
                hits == wanted,
                "right for one image and for four, and not for 80: how often does the model read the target on images "
                "of other classes that carry the trigger, those left over when batches are full, too?",
                expected=f"{wanted} hits of {counted}",
                got=hits,
            )
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · The spectral signature (2 points)
#
# `features` (N, d) are what the last layer of a network sees, `y` (N,) the labels *as they came*, poison and all.
# For each class by itself: subtract the class's mean, find the direction in which its features vary most
# (the first right singular vector), and score each example by its *squared* component along it.
# Return the scores, (N,), in the order of the examples.
#
# <details><summary>Hint 1</summary>Three steps for each label: take the rows, center them, project them.</details>
# <details><summary>Hint 2</summary><code>torch.linalg.svd(own, full_matrices=False).Vh[0]</code>
# is the direction, of length 1.</details>
# <details><summary>Hint 3</summary><code>scores[y == label] = (own @ direction) ** 2</code>. In float64 nothing is
# lost.</details>


# %%
def spectral_scores(features, y):
    """How far each example lies along the main direction of its own class, squared, (N,)."""
    ### BEGIN SOLUTION
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(0)
        scores[y == label] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2
    return scores
    ### END SOLUTION


# %%
def signatures(features, y):
    """The scores by another way: the covariance's first eigenvector, class by class."""
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(0)
        scores[y == label] = (own @ torch.linalg.eigh(own.T @ own).eigenvectors[:, -1]) ** 2
    return scores


def two_classes(seed, n=90, d=6):
    """Features of three classes that lie apart; a few of the last class lie aside of it."""
    torch.manual_seed(seed)
    y = torch.arange(n) % 3
    spread = torch.tensor([3.0, 1, 2, 1.5, 1, 1, 1, 1])[:d]
    features = torch.randn(n, d) * spread + 8 * torch.randn(3, d)[y]
    features[2:24:3] += 7 * F.one_hot(torch.tensor(1), d)
    return features, y


# %%
# CHECK spectral, 2 points
found = spectral_scores(torch.tensor([[-2.0], [2.0], [-2.0], [2.0]]), torch.tensor([0, 0, 1, 1]))
found = expect.tensor(found, like=torch.zeros(4).double(), what="the scores")
expect.that(
    found[:2].any() == found[2:].any(),
    "two classes have the same rows, and the scores of one of them are all 0: is each label gone through?",
    expected="[4, 4, 4, 4] for features [[-2], [2], [-2], [2]] of labels [0, 0, 1, 1]",
    got=found,
)
small = expect.tensor(spectral_scores(torch.tensor([[-0.5], [0.5]]), torch.tensor([0, 0])), like=found[:2])
told = "scores below 1 become 0: the tensor that they are put into holds whole numbers"
expect.that(small.any() or not found.any(), told, expected="[0.25, 0.25] for features [[-0.5], [0.5]]", got=small)
known = {
    "the one feature that varies most was taken, 4 here: the direction need not be an axis": 16.0,
    "the direction is a row of Vh, or a column of eigenvectors: this is the other way": 1.96,
}
found = spectral_scores(torch.tensor([[-3.0, -4.0], [3.0, 4.0]]), torch.tensor([0, 0]))
found = expect.tensor(found, like=torch.zeros(2).double())[0]
expect.none_of(found, 25.0, known, expected="25 for features [[-3, -4], [3, 4]] of one class", atol=1e-4)
roughly = "near what is asked, and not it: the direction is to be exact, and no estimate by a draw or by a few steps"
for told, given, names, due in (
    (
        "three rows of mean 0: the square of how far each lies along the way that they vary, divided by nothing",
        [[-2], [0], [2]],
        [0, 0, 0],
        [4, 0, 4],
    ),
    ("the mean of the class's rows, 5, is subtracted first", [[4], [6]], [0, 0], [1, 1]),
    ("the mean of 0, 0 and 6 is 2", [[0], [0], [6]], [0, 0, 0], [4, 4, 16]),
    (
        "only the part along the *one* direction in which they vary most",
        [[-3, 0], [3, 0], [0, 1], [0, -1]],
        [0] * 4,
        [9, 9, 0, 0],
    ),
    (
        "the direction is that of the rows less their mean (10, 0), too: they vary along the second number",
        [[10, -1], [10, 1]],
        [0, 0],
        [1, 1],
    ),
    ("the direction is (0.6, 0.8), of length 1", [[-3, -4], [3, 4]], [0, 0], [25, 25]),
    ("each class has a direction of its own", [[-1, 0], [1, 0], [0, -2], [0, 2]], [0, 0, 1, 1], [1, 1, 4, 4]),
    ("each class has a mean of its own", [[-1, 0], [1, 0], [6, 0], [10, 0]], [0, 0, 1, 1], [1, 1, 4, 4]),
    ("the labels that there are say which classes", [[-1, 0], [1, 0], [0, -2], [0, 2]], [4, 4, 17, 17], [1, 1, 4, 4]),
    ("the scores stand in the order of the examples", [[0, -2], [-1, 0], [0, 2], [1, 0]], [1, 0, 1, 0], [4, 1, 4, 1]),
):
    features, labels = torch.tensor(given).float(), torch.tensor(names)
    found = expect.leaves_arguments(spectral_scores, features, labels)
    found = expect.tensor(found, like=torch.zeros(len(due)).double(), what="the scores")
    at = f"{due} for features {given} of labels {names}"
    expect.that(
        found.any() or len(given) != 3 or given[0] != [-2],
        "all scores are 0: is the class's mean taken off, and is the direction that in which its own rows vary?",
        expected=at,
        got=found,
    )
    off = (found - torch.tensor(due)).abs().max()
    expect.that(not 1e-4 < off < 0.1, f"{roughly}: {told}", expected=at, got=found)
    expect.that(off < 1e-4, told, expected=at, got=found)
### BEGIN HIDDEN TESTS
for extra, d, n in ((1, 6, 90), (2, 3, 60), (3, 8, 33)):
    features, labels = two_classes(seed + extra, n, d)
    order = torch.randperm(n)
    features, labels = features[order], 7 * labels[order]  # labels need not be 0, 1, 2, or below 10
    rows, wanted = torch.zeros(n, dtype=torch.float64), signatures(features, labels)
    found = expect.tensor(spectral_scores(features, labels), like=rows, what="the scores")
    scale = wanted.max()
    alike = float(torch.corrcoef(torch.stack([found, wanted]))[0, 1])
    expect.equal(
        found / scale,
        wanted / scale,
        roughly
        if alike > 0.7
        else "not the squared components along each class's own main direction: is it a row of Vh, or a column of V or "
        "of the eigenvectors, the first by size, and are the rows those of the class?",
        expected=f"{expect.short(wanted[:5])} for the first five",
        atol=1e-3,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Who sleeps? (1 point)
#
# For fine-pruning: which `count` units of `model[layer]` are the *least* active on the images `x`?
# `model` is a `Sequential`, `model[layer]` a linear layer or a convolution, and a ReLU follows it.
# The activity of a unit is its mean output after the ReLU, over all images, and for a convolution over all places.
# Return the units' numbers (count,), in any order.
#
# <details><summary>Hint 1</summary><code>model[: layer + 2](x)</code> is what comes out of the ReLU.</details>
# <details><summary>Hint 2</summary>Of an output (N, units, H, W), all dimensions but the second are averaged.</details>
# <details><summary>Hint 3</summary><code>activity.argsort()</code> begins with the least.</details>


# %%
def dormant(model, layer, x, *, count):
    """The numbers of the least active units, (count,)."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        outputs = model[: layer + 2](x)
    activity = outputs.mean([0, *range(2, outputs.dim())])
    return activity.argsort()[:count]
    ### END SOLUTION


# %%
def sleepers(seed, conv):
    """A network with units of clearly different activity, the layer in question, and images."""
    torch.manual_seed(seed)
    if conv:
        model, layer = nn.Sequential(nn.Conv2d(1, 9, 3), nn.ReLU(), nn.Flatten(), nn.Linear(9 * 9, 3)), 0
    else:
        body = [nn.Flatten(), nn.Linear(25, 12), nn.ReLU(), nn.Linear(12, 11), nn.ReLU(), nn.Linear(11, 3)]
        model, layer = nn.Sequential(*body), 3
    units = model[layer].bias.shape[0]
    model[layer].bias.data = torch.randn(units)
    model[layer].weight.data *= (torch.rand(units) * 4).view(-1, *[1] * (model[layer].weight.dim() - 1))
    return model.requires_grad_(False).eval(), layer, torch.rand(40, 1, 5, 5)


# %%
# CHECK dormant, 1 point
model, layer, images = sleepers(seed, conv=False)
found = numbers(expect.leaves_arguments(dormant, model, layer, images, count=4))
expect.that(
    found.dtype != torch.bool, "yes or no for each unit: the numbers of the dormant ones are asked, (count,)", got=found
)
expect.that(
    (found == found.round()).all(), "these are no whole numbers: units' numbers are asked, not activities", got=found
)
expect.that(
    len(found) == len(found.unique()) == 4 and 0 <= found.min() and found.max() < 11,
    "return the numbers of `count` different units, counted from 0: those of model[layer], here 11",
    expected="4 different numbers from 0 to 10",
    got=found,
)
model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU()).requires_grad_(False)
model[0].weight.data = torch.tensor([[3.0, 9.0], [0.0, 1.0], [0.0, 4.0]])
expect.none_of(
    numbers(dormant(model, 0, torch.eye(2), count=1))[0],
    1,
    {
        "this is the most active unit: the least active are asked": 0,
        "this is a unit's rank by its activity: the numbers of the units are asked, the least active first": 2,
    },
    expected="[1]: on two images the units give [[3, 9], [0, 1], [0, 4]]",
)
model[0].weight.data = torch.tensor([[1.0, 9.0], [2.0, 0.0], [3.0, 3.0]])
expect.that(
    numbers(dormant(model, 0, torch.tensor([[1.0, 0.0], [0.0, 0.0]]), count=1)).tolist() != [1],
    "what a unit gives on these images counts, and not how large its weights are",
    expected="[0]: on two images the units give [[1, 0], [2, 0], [3, 0]], with weights [[1, 9], [2, 0], [3, 3]]",
    got=[1],
)
for told, outputs, due in (
    ("the least active unit is asked", [[3, 9], [0, 1], [0, 4]], [1]),
    ("two units are asked, in any order", [[3, 9], [0, 1], [0, 4]], [1, 2]),
    ("the mean over all images: neither the first ones alone, nor their median", [[2, 2], [1, 9], [8, 8]], [0]),
    ("the mean over all images is asked, and not the last alone", [[2, 2], [9, 1], [8, 8]], [0]),
    ("the mean counts, and not how often a unit is active, or its lowest output", [[1, 1], [0, 9], [8, 8]], [0]),
    ("the mean counts, and not how far outputs spread", [[0, 3], [4, 4], [5, 5]], [0]),
    ("the mean counts, outputs of 0 included, and not the highest output, or squares", [[0, 5], [3, 3], [6, 6]], [0]),
    ("the ReLU makes 0 of what is below 0, so that unit 0 has the mean 2", [[-9, 4], [1, 1], [3, 3]], [1]),
    ("the ReLU makes 0 of what is below 0, and not its size", [[-2, 1], [1, 1], [3, 3]], [0]),
):
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU()).requires_grad_(False)
    model[0].weight.data = torch.tensor(outputs).float()
    many = torch.eye(2).repeat_interleave(128, 0)
    found = sorted(numbers(dormant(model, 0, many, count=len(due))).tolist())
    expect.that(
        found == due, told, expected=f"{due}: on 128 images each the units give {outputs} before the ReLU", got=found
    )
for told, last, due in (
    ("each of 1,001 images counts: with the last one unit 1 is the more active, and not with a part", 1020.0, 0),
    ("images count alike: a mean of batches' means lets those of a smaller batch count more", 980.0, 1),
):
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU()).requires_grad_(False)
    model[0].weight.data = torch.tensor([[1.0, 1.0], [0.0, last]])
    found = numbers(dormant(model, 0, torch.eye(2)[[0] * 1000 + [1]], count=1)).tolist()
    at = f"[{due}]: on 1,000 images the two units give [1, 0], and on the last one [1, {last:g}]"
    expect.that(found == [due], told, expected=at, got=found)
model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 3, bias=False), nn.ReLU())
model[0].weight.data = torch.tensor([[0.0, 0.0], [0.0, 1.0]])  # nothing is left of the first image
model[2].weight.data = torch.tensor([[9.0, 3.0], [0.0, 2.0], [9.0, 1.0]])
found = numbers(dormant(model.requires_grad_(False), 2, torch.eye(2), count=1)).tolist()
expect.that(
    found == [2],
    "layer is 2: what comes out of all layers up to the ReLU behind it is asked, neither of those before nor by itself",
    expected="[2]: on two images the units of model[2] give [[0, 3], [0, 2], [0, 1]]",
    got=found,
)
model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU()).requires_grad_(False)
model[0].weight.data, model[0].bias.data = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1), torch.tensor([0.0, 1.0])
for told, image, due in (
    ("a convolution has as many units as channels: its places are no units of their own", [3.0, 2.0], 1),
    ("a convolution's mean is over all places: the first place alone says otherwise", [0.0, 4.0], 1),
    ("a convolution's mean is over all places: the last place alone says otherwise", [4.0, 0.0], 1),
    ("a convolution's mean is over all places: the place where it is most active says otherwise", [0.0, 1.5], 0),
):
    found = numbers(dormant(model, 0, torch.tensor(image).view(1, 1, 1, 2), count=1)).tolist()
    at = f"[{due}]: at two places the units give {image} and [1.0, 1.0]"
    expect.that(found == [due], told, expected=at, got=found)


### BEGIN HIDDEN TESTS
def averaged(outputs):
    """The mean of each unit, over images and places."""
    return outputs.mean([0, *range(2, outputs.dim())])


for extra in range(6):
    model, layer, images = sleepers(seed + 10 + extra, conv=extra % 2 == 0)
    outputs = model[: layer + 2](images)
    activity = averaged(outputs)
    for count in (1, 3, 5):
        found = numbers(dormant(model, layer, images, count=count)).long()
        expect.that(
            found.max() < len(activity),
            "there is no such unit: a layer has as many units as outputs, and a convolution as many as channels",
            expected=f"numbers from 0 to {len(activity) - 1}",
            got=found,
        )
        expect.that(
            len(found.unique()) == count == len(found) and 0 <= found.min(),
            "return the numbers of `count` different units",
            expected=f"{count} different numbers",
            got=found,
        )
        expect.that(
            activity[found].max() <= activity.sort().values[count - 1] + 1e-6,
            "these units are awake while others sleep: the least active are asked, by the mean after the ReLU, over "
            "images and places, and not by weights or biases",
            expected=f"activities up to {activity.sort().values[count - 1]:.4f}",
            got=activity[found],
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · What a proof says, and what a report says (2 points)
#
# **`group_bound`** A training is $(\varepsilon, \delta)$-private: one example *added or taken away* turns
# the probability $p$ of any outcome into at most $e^{\varepsilon} p + \delta$.
# An attacker *replaces* `replaced` examples.
# What does this inequality, used once for each change, allow an outcome's probability to rise to, from `p`?
# A probability is never above 1.
#
# **`verdict`** judges a report on a defense against a backdoor. Its entries:

# %%
reports = {
    "A": {"counted": "other classes", "threshold": "chosen before", "hits": 12, "images": 360, "hits before": 340},
    "B": {"counted": "all classes", "threshold": "chosen before", "hits": 48, "images": 400, "hits before": 380},
    "C": {"counted": "other classes", "threshold": "chosen before", "hits": 8, "images": 20, "hits before": 11},
    "D": {"counted": "other classes", "threshold": "chosen before", "hits": 300, "images": 360, "hits before": 340},
}
promise = 0.1  # each report says: with the defense the trigger works on at most 10 % of images

# %% [markdown]
# `"counted"` says which test images the trigger was tried on, `"threshold"` how the filter's cut was found:
# `"chosen before"`, or `"all poisons caught"`, if it was set where the known poisons end.
# The trigger works on `"hits"` of `"images"` with the defense, and on `"hits before"` without.
# The report promises that the trigger works on at most a share `promise` of all such images. Return a text:
#
# - `"counts its own"` if images of the target class were counted;
# - `"knows the poison"` if the cut was found with the poisons' true places, which no defender has;
# - `"not shown"` if the trigger does not work *clearly* less often with the defense
#   (`Rate(k, n).clearly_below(…)`, the course's comparison);
# - `"weaker only"` if it works less often, and yet, up to chance, on more images than promised:
#   Wilson's 95 % interval (`Rate(k, n).interval`) does not end at `promise` or below;
# - `"works"` otherwise.
#
# If several are true, the first in this list counts.
#
# <details><summary>Hint 1</summary>A replaced example is how many examples added or taken away?</details>
# <details><summary>Hint 2</summary>Put the step <code>p = exp(eps) * p + delta</code> in a loop.
# What if a number overflows?</details>
# <details><summary>Hint 3</summary><code>Rate(k, n).clearly_below(Rate(j, n))</code> knows about chance,
# and <code>Rate(k, n).interval</code> are the two ends of the interval.</details>


# %%
def group_bound(p, replaced, privacy_eps, privacy_delta):
    """The highest probability that an outcome of probability p can get from so many replaced examples."""
    ### BEGIN SOLUTION
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * p + privacy_delta)
    return p
    ### END SOLUTION


def verdict(report, promise):
    """What a report like those above is worth, that promises at most this share."""
    ### BEGIN SOLUTION
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    n = report["images"]
    now = Rate(report["hits"], n)
    if not now.clearly_below(Rate(report["hits before"], n)):
        return "not shown"
    return "works" if now.interval[1] <= promise else "weaker only"
    ### END SOLUTION


# %%
print("one, three and ten of them:", *map(group_bound, [0.01] * 3, [1, 3, 10], [0.5] * 3, [1e-5] * 3))
print(*(verdict(report, promise) for report in reports.values()), sep=", ")

# %%
# CHECK group_bound, 1 point
expect.that(
    abs(expect.number(group_bound(0.02, 0, 1.0, 1e-5)) - 0.02) < 1e-9,
    "without a replaced example nothing changes",
    expected="p itself",
    got=group_bound(0.02, 0, 1.0, 1e-5),
)
expect.that(
    expect.number(group_bound(0.02, 1, 1.0, 0.0)) >= 0.02,
    "the probability has fallen: to what can it *rise* at most?",
    expected="more than p",
    got=group_bound(0.02, 1, 1.0, 0.0),
)
expect.that(
    expect.number(group_bound(0.5, 50, 2.0, 1e-5)) == 1,
    "a probability is never above 1, after the last step either",
    expected="1",
    got=f"{expect.number(group_bound(0.5, 50, 2.0, 1e-5)):.8g}",
)
### BEGIN HIDDEN TESTS
chance = random.Random(seed)
known = {
    "one replaced example counts as one change: how many examples are taken away, and how many added?": 0.02,
    "a change multiplies by 1 + eps: its factor is e to the eps": [0.01 * (1 + math.log(2)) ** k for k in (1, 2)]
    + [0.01 * (1 + 2 * math.log(2))],
    "the factors of two changes are added up: each multiplies what the one before has left": [0.03, 0.05],
}
found = expect.number(group_bound(0.01, 1, math.log(2), 0.0), "the bound")
expect.none_of(found, 0.04, known, expected="0.04 from p = 0.01, 1 replaced, e to the eps = 2 and delta 0", atol=1e-9)
inside = {
    "delta is multiplied in the change that adds it: a change makes p into e to the eps times p, and adds": 0.006,
    "the delta of the first change is not multiplied by the second: each change works on all that is there": 0.002,
    "the delta of the last change is multiplied, too: no change comes after it": 0.004,
}
found = expect.number(group_bound(0.0, 1, math.log(2), 0.001), "the bound")
expect.none_of(found, 0.003, inside, expected="0.003 from p = 0, 1 replaced, e to the eps = 2, delta 0.001", atol=1e-9)
for told, p, replaced, delta, due in (
    ("one is replaced: to how many changes does that come, and is each factor e to the eps?", 0.01, 1, 0.0, 0.04),
    ("two are replaced: how many changes is that, and what does each make of p?", 0.01, 2, 0.0, 0.16),
    ("p is 0: the first change adds delta. What does the next make of that?", 0.0, 1, 0.001, 0.003),
    ("p and delta: what does each change make of what the ones before have left?", 0.01, 1, 0.001, 0.043),
    ("two are replaced, with delta: does each change add it, and the next multiply it?", 0.01, 2, 0.001, 0.175),
):
    found = expect.number(group_bound(p, replaced, math.log(2), delta), "the bound")
    at = f"{due:g} from p = {p:g}, {replaced} replaced, e to the eps = 2 and delta {delta:g}"
    expect.that(abs(found - due) < 1e-9, told, expected=at, got=f"{found:.6g}")
for _ in range(12):
    replaced, eps = chance.choice([1, 2, 3, 4]), chance.uniform(0.05, 0.4)
    p, delta = chance.uniform(1e-4, 0.02), chance.choice([0.0, 1e-4, 1e-3])
    found, due = expect.number(group_bound(p, replaced, eps, delta), "the bound"), p
    for _ in range(2 * replaced):
        due = math.exp(eps) * due + delta
    at = f"{due:.6g} from p = {p:.6g}, {replaced} replaced, eps {eps:.6g} and delta {delta:g}"
    if abs(found - due) < 1e-5:
        told = "nearly right: the bound is asked as it is, and not rounded"
    else:
        told = "right where e to the eps is 2, and not here: what is the factor of a change?"
    expect.that(abs(found - due) < 1e-9, told, expected=at, got=f"{found:.6g}")
found = expect.number(group_bound(0.0, 1, 0.5, 0.01), "the bound")
expect.that(
    abs(found - 0.01 * (1 + math.exp(0.5))) < 1e-9,
    "an outcome of probability 0 may become possible: delta is added, whatever p is",
    expected=f"{0.01 * (1 + math.exp(0.5)):.5f} from p = 0, 1 replaced, eps 0.5, delta 0.01",
    got=found,
)
told = "many poisons: the bound is 1, which says nothing, and a power of e that is no number need not be found"
found = expect.number(expect.at_edge(told, group_bound, 0.01, 40_000, 3.0, 1e-6), "the bound")
expect.that(found == 1, told, expected="1", got=found)
### END HIDDEN TESTS

# %%
# CHECK verdict, 1 point
words = ("counts its own", "knows the poison", "not shown", "weaker only", "works")
looks = {
    "A": "12 of 360 where a share of 0.1 is promised: does the interval keep it, and is it that of the 12?",
    "B": "on images of which classes was the trigger tried, and what do those prove?",
    "C": "8 of 20 after 11 of 20: is the fall more than chance, that is, clearly below? Of several words that are true "
    "the first in the list counts",
    "D": "300 of 360 after 340: is that more than chance, and are 300 of 360 at most the 10 % that were promised?",
}
expect.apart({name: verdict(report, promise) for name, report in reports.items()}, looks, words)
### BEGIN HIDDEN TESTS
chance, asked = random.Random(seed + 1), []
for kind in [*words, "barely", "more", "nearly"] * 4:
    n = chance.choice([360, 500, 900])
    before = int(n * chance.uniform(0.6, 0.95))
    promise = chance.choice([0.1, 0.2])
    report = {
        "counted": "other classes",
        "threshold": "chosen before",
        "hits": int(n * promise * chance.uniform(0, 0.5)),
    }
    report |= {"images": n, "hits before": before}
    wanted = kind
    if kind == "counts its own":
        report["counted"], report["threshold"] = "all classes", chance.choice(["chosen before", "all poisons caught"])
        question = "what do images of the target class prove?"
        if report["threshold"] == "all poisons caught":
            question += " Of several that are true the first in the list counts"
    elif kind == "knows the poison":
        report["threshold"], question = "all poisons caught", "who knows where the poisons are?"
        report["hits"] = chance.choice([report["hits"], before])
        if report["hits"] == before:
            question = "of several that are true the first in the list counts, and here two are"
    elif kind in ("not shown", "barely"):
        report |= {"images": 60, "hits before": 40, "hits": 40 - chance.randint(1, 5)}
        wanted, question = "not shown", "is the difference more than chance, with as many images?"
    elif kind == "weaker only":
        report["hits"] = int(before * chance.uniform(0.5, 0.8))
        question = "the trigger works less often, and does it keep what it promises?"
    elif kind == "nearly":
        report["hits"] = int(n * promise)
        wanted, question = "weaker only", "which end of the interval could be above the promise?"
    elif kind == "more":
        report["hits"] = min(n, before + chance.randint(1, n // 20))
        wanted, question = "not shown", "with the defense the trigger works more often than without"
    else:
        question = "what is wrong with it, and does it show a difference?"
    asked.append((report, promise, wanted, verdict(dict(report), promise), question))


def by_rule(report, promise, kept=None, fell=lambda now, before: now.clearly_below(before)):
    """The verdict that is due, if the promise were looked at otherwise, or the fall were."""
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    now, before = Rate(report["hits"], report["images"]), Rate(report["hits before"], report["images"])
    if not fell(now, before):
        return "not shown"
    return "works" if (kept(now, before, promise) if kept else now.interval[1] <= promise) else "weaker only"


for told, slip in {
    "the promise is held against how far the rate falls: it is about the rate that is left": {
        "kept": lambda now, before, promise: (before.k - now.k) / now.n >= promise
    },
    "the promise is compared as if it had been measured, too: it is a number, and only the hits have an interval": {
        "kept": lambda now, before, promise: now.clearly_below(Rate(round(promise * now.n), now.n))
    },
    "the promise is taken for a share of the hits before: it is one of all images": {
        "kept": lambda now, before, promise: now.interval[1] <= promise * before.k / before.n
    },
    "a trigger that works more often with the defense counts as weaker: which of the two is to be clearly below?": {
        "fell": lambda now, before: not before.clearly_below(now)
    },
}.items():
    same = all(by_rule(report, promise, **slip) == found for report, promise, _, found, _ in asked)
    right = all(wanted == found for _, _, wanted, found, _ in asked)
    expect.that(right or not same, told, got=[found for *_, found, _ in asked])
for report, promise, wanted, found, question in asked:
    about = f"a verdict on {report}, promised {promise:g}"
    expect.that(found == wanted, f"another verdict is due: {question}", expected=about, got=found)
for report, promise, wanted, question in (
    (
        {"hits": 3, "images": 360, "hits before": 5},
        0.1,
        "not shown",
        "the trigger seldom works, without the defense too: the first in the list counts",
    ),
    (
        {"hits": 20, "images": 900, "hits before": 150},
        0.1,
        "works",
        "the trigger works seldom without the defense, clearly less often with it, and on less than is promised of all "
        "images",
    ),
    (
        {"hits": 12, "images": 360, "hits before": 340},
        Rate(12, 360).interval[1],
        "works",
        "an interval that ends at the promise keeps it, which is a number and has no interval of its own",
    ),
    (
        {"hits": 12, "images": 50, "hits before": 25},
        0.1,
        "weaker only",
        "a difference is more than chance where *its* interval leaves out 0, though the rates' own intervals may meet",
    ),
):
    report |= {"counted": "other classes", "threshold": "chosen before"}
    found = verdict(dict(report), promise)
    about = f"a verdict on {report}, promised {promise:g}"
    expect.that(found == wanted, f"another verdict is due: {question}", expected=about, got=found)
for promise, share, wanted in ((0.3, 0.2, "works"), (0.02, 0.06, "weaker only"), (0.5, 0.35, "works")):
    report = {"counted": "other classes", "threshold": "chosen before", "images": 900, "hits before": 800}
    report["hits"] = round(share * 900)
    found = verdict(dict(report), promise)
    expect.that(
        found == wanted,
        "another verdict is due: each report has a promise of its own, the second argument",
        expected=f"a verdict on {report}, promised {promise:g}",
        got=found,
    )
for counted, threshold, before, after in (
    ("all classes", "all poisons caught", 300, 10),
    ("all classes", "chosen before", 300, 300),
    ("all classes", "all poisons caught", 300, 250),
    ("other classes", "all poisons caught", 300, 300),
    ("other classes", "all poisons caught", 300, 250),
    ("other classes", "chosen before", 300, 290),
):
    report = {"counted": counted, "threshold": threshold, "hits": after, "images": 360, "hits before": before}
    wanted = "counts its own" if counted == "all classes" else "not shown"
    wanted = "knows the poison" if counted != "all classes" and threshold != "chosen before" else wanted
    expect.that(
        verdict(dict(report), 0.1) == wanted,
        "another verdict is due: of several that are true the first in the list counts",
        expected=f"a verdict on {report}, promised 0.1",
        got=verdict(dict(report), 0.1),
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Without a wrong label (2 points, open)
#
# Write a poison whose labels are all right. `model` is a network of the attacker's own.
# Of class `target` take `round(rate * N)` images, N counting all images as in exercise 1, move each pixel
# by at most `eps`, keep them in [0, 1], and *then* put `poisoning.add_trigger` on them.
# Return new images and labels, (N, ...) and (N,), like `backdoor`'s first two.
# A network trained on the result must read the target on at least **35 %** of the other classes' test images
# with the trigger. With images that are not moved it does on about a tenth.
#
# <details><summary>Hint 1</summary>If the digit explains the label, nobody needs the trigger.
# Make it hard to read.</details>
# <details><summary>Hint 2</summary>Go <em>up</em> the model's loss for the image's own label: one step is too little,
# and random noise teaches nothing.</details>
# <details><summary>Hint 3</summary>Fifteen steps of <code>eps / 5</code> along the sign of the gradient, each followed
# by both clamps; then <code>poisoning.add_trigger</code>.</details>


# %%
def quiet(x, y, model, *, rate, target, eps):
    """(new images, labels): a share of the target's own images, made hard to read, with the trigger."""
    ### BEGIN SOLUTION
    places = (y == target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    start, own = x[which], y[which]
    moved = start.clone()
    for _ in range(15):
        moved = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(moved), own, reduction="sum"), moved)
        moved = (moved.detach() + eps / 5 * gradient.sign()).clamp(start - eps, start + eps).clamp(0, 1)
    new = x.clone()
    new[which] = poisoning.add_trigger(moved)
    return new, y.clone()
    ### END SOLUTION


# %%
def looked_at(found, x, y, rate, target, eps):
    """The images and labels of a quiet poison, after a look at what it may change."""
    images, labels = expect.parts(found, 2, "two things: images and labels")
    images = expect.tensor(images, like=x, what="the images")
    labels = expect.tensor(labels, like=y, what="the labels")
    expect.that(
        torch.equal(labels, y),
        "labels have changed, and none may",
        expected="the labels as they were",
        got=f"{int((labels != y).sum())} other labels",
    )
    change = (images - x).abs()
    changed = change.flatten(1).any(1)
    expect.that(
        (y[changed] == target).all(),
        "images of other classes have changed: with their own labels they teach the trigger nothing",
        expected=f"changes to images of class {target} only",
        got=f"{int((y[changed] != target).sum())} others",
    )
    expect.that(
        0 < int(changed.sum()) <= round(rate * len(y)),
        "more images have changed than the rate allows, or none",
        expected=f"at most {round(rate * len(y))}",
        got=int(changed.sum()),
    )
    expect.that(
        torch.equal(images[changed], poisoning.add_trigger(images[changed])),
        "a poison does not carry the whole trigger: add it last",
        expected="poisoning.add_trigger on each image that changes",
    )
    change[..., -2:, -2:] = 0
    expect.that(
        images.min() >= -1e-6 and images.max() <= 1 + 1e-6,
        "a pixel has left [0, 1]",
        expected="0 to 1",
        got=f"{float(images.min()):.3f} to {float(images.max()):.3f}",
    )
    expect.that(
        change.max() <= eps + 1e-5,
        "a pixel beside the trigger has moved by more than eps",
        expected=f"changes up to {eps:g}",
        got=f"{float(change.max()):.3f}",
    )
    return images, labels


def unread(own, images, labels, x, y, rate, eps=0.3):
    """Why a network does not follow the trigger of a quiet poison, in words."""
    changed = (images != x).flatten(1).any(1)
    many, may = int(changed.sum()), round(rate * len(y))
    if many < 0.9 * may:
        return f"{many} images carry the trigger, and the rate allows {may}: it is a share of all images"

    def loss(those):
        with torch.no_grad():
            return float(F.cross_entropy(own(those[changed]), y[changed]))

    if loss(images) < loss(poisoning.add_trigger(x)):
        return "the attacker's network reads the moved digits better than before: go *up* the loss of their own label"
    right = float((predict(own, images[changed]) == y[changed]).double().mean())
    moved = (images - x)[changed].abs()
    moved[..., -2:, -2:] = 0
    told = f"the attacker's network still reads {right:.0%} of the moved digits, whose pixels move by "
    told += f"{float(moved.mean()):.3f} on average, of eps = {eps:g}: "
    if right > 0.5 and float(moved.mean()) < 0.2 * eps:
        if float((moved > 0.9 * moved.max()).double().mean()) > 0.3:
            return told + "they move by one step alone. Does each step go on from where the one before has come to?"
        return told + "the steps are too short. Let only the sign of the gradient count, so that no pixel stays behind"
    if right > 0.5:
        return told + "they do not go up the loss of their own label. Which label's gradient do the steps follow?"
    ways = (images - x)[changed].sign()
    if float((ways.mean(0).abs() > 0.95).double().mean()) > 0.5:
        return "all of the moved digits move the same way: each should go up its own loss"
    return (
        f"the attacker's network reads {right:.0%} of the moved digits, with a loss of {loss(images):.1f}: how far up "
        "does the loss of their own label go within eps, with more steps?"
    )


attackers = learn(x, y, seed=100)  # a network of the attacker's own

# %%
# CHECK quiet, 2 points
torch.manual_seed(seed)
found = expect.leaves_arguments(quiet, x, y, attackers, rate=0.06, target=7, eps=0.3)
images, labels = looked_at(found, x, y, 0.06, 7, 0.3)
reached = poisoning.success(learn(images, labels), data.test, poisoning.add_trigger, 7)
if not reached >= 0.35:
    why = unread(attackers, images, labels, x, y, 0.06)
    raise expect.Unmet(
        f"a network trained on it does not follow the trigger often enough: {why}",
        expected="at least 35 %",
        got=str(reached),
    )
### BEGIN HIDDEN TESTS
looked_at(quiet(x, y, attackers, rate=0.02, target=4, eps=0.05), x, y, 0.02, 4, 0.05)
best = []
for extra in (1, 2):
    own = learn(x, y, seed=seed + 200 + extra)
    torch.manual_seed(seed + extra)
    images, labels = looked_at(quiet(x, y, own, rate=0.06, target=7, eps=0.3), x, y, 0.06, 7, 0.3)
    best.append(poisoning.success(learn(images, labels, seed + extra), data.test, poisoning.add_trigger, 7))
    if best[-1] >= 0.35:  # the better of two reaches it, whatever the other one does
        break
if not max(best) >= 0.35:
    raise expect.Unmet(
        "networks trained on it do not follow the trigger often enough, with another network of the attacker's: "
        f"{unread(own, images, labels, x, y, 0.06)}",
        expected="at least 35 % on the better of two",
        got=", ".join(map(str, best)),
    )
### END HIDDEN TESTS
