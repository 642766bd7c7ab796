# %% [markdown]
# # Lab 06 · Defensive distillation
#
# Five exercises, 10 points, about 70 minutes after [lesson 06](../notebooks/06_defensive_distillation.ipynb).
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
import random
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, expect, plots
from utils.data import load
from utils.distillation import imitate
from utils.evaluation import Rate, accuracy
from utils.masking import Cooled, Saturate
from utils.models import mlp, predict
from utils.training import fit

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = data.test

# %% [markdown]
# ## 1 · Soft labels (2 points)
#
# Write the cross-entropy with soft labels. `logits` (N, classes) are a network's answers,
# `soft` (N, classes) probabilities, whose rows sum to 1. The answer is one number,
# the mean over the images of $-\sum_k p_k \log q_k$, where $q$ is the softmax of the logits.
# Logits may be in the thousands, and probabilities exactly 0.
#
# <details><summary>Hint 1</summary>Which of <code>p</code> and <code>q</code> stands in the logarithm?</details>
# <details><summary>Hint 2</summary>A softmax that has rounded to 0 has no logarithm.
# Is there a function that takes both at once?</details>
# <details><summary>Hint 3</summary>Try one image by hand, with logits 0 and 3000: is your answer finite?
# Then two images: which direction is added up, and which is averaged?</details>


# %%
def soft_loss(logits, soft):
    """Mean cross-entropy of a network's answers with soft labels."""
    ### BEGIN SOLUTION
    return -(soft * logits.log_softmax(1)).sum(1).mean()
    ### END SOLUTION


# %%
# CHECK soft_loss, 2 points
torch.manual_seed(seed)
logits, hard = 3 * torch.randn(40, 6), torch.randint(0, 6, (40,))
found = expect.leaves_arguments(soft_loss, logits, F.one_hot(hard, 6).float())
found = expect.number(found, "the loss with soft labels of which some are 0")
expect.that(
    math.isfinite(found),
    "the loss is infinite where a soft label is 0: whose probabilities weigh, and whose go through the logarithm?",
    expected="a number",
    got=found,
)
usual = float(F.cross_entropy(logits, hard))
alone = [expect.number(soft_loss(logits[i : i + 1], F.one_hot(hard[i : i + 1], 6).float())) for i in range(40)]
expect.that(
    abs(found) > 1e-6,
    "the loss is 0, though the network is wrong at times: what it answers has no part in it",
    expected=f"{usual:.4f}",
    got=found,
)
expect.that(
    found > 0,
    "the loss is negative: minus the logarithm of a probability is not. It should be high where the network is wrong",
    expected=f"{usual:.4f}",
    got=found,
)
expect.that(
    abs(sum(alone) / 40 - found) < 1e-4,
    "the loss of a batch is not the mean of its images' losses: "
    "the softmax goes over the classes of an image, and the mean over the images",
    expected=f"{sum(alone) / 40:.4f}, as one by one",
    got=found,
)
expect.that(
    abs(6 * found - usual) > 1e-3,
    "a sixth of the usual cross-entropy, with six classes: classes are added up, and only images are averaged",
    expected=f"{usual:.4f}",
    got=found,
)
expect.that(
    abs(found * math.log(2) - usual) > 1e-3 and abs(found * math.log(10) - usual) > 1e-3,
    "another logarithm than the natural one",
    expected=f"{usual:.4f}",
    got=found,
)
named = {
    "the logits go through a softmax twice": F.cross_entropy(logits.softmax(1), hard),
    "each class has a sigmoid of its own: a softmax over the classes is asked": -F.logsigmoid(logits)[
        range(40), hard
    ].mean(),
    "the soft labels go through a softmax, though they are probabilities already": (
        -(F.one_hot(hard, 6).float().softmax(1) * logits.log_softmax(1)).sum(1).mean()
    ),
    "the logits are divided by 2 first": F.cross_entropy(logits / 2, hard),
    "the logits are multiplied by 2 first": F.cross_entropy(2 * logits, hard),
    "this is a squared error, and no cross-entropy": (logits.softmax(1) - F.one_hot(hard, 6)).square().sum(1).mean(),
}
expect.none_of(torch.tensor(found), torch.tensor(usual), named, atol=1e-4)
unsure, lean = torch.tensor([[0.2, 0.8]]), torch.tensor([[3.0, 1.0]]).log()
hand, due = expect.number(soft_loss(lean, unsure)), -0.2 * math.log(0.75) - 0.8 * math.log(0.25)
turned, entropy = -0.75 * math.log(0.2) - 0.25 * math.log(0.8), -0.2 * math.log(0.2) - 0.8 * math.log(0.8)
slips = {
    "the two have changed places: the soft labels weigh, and the network's answers are in the logarithm": turned,
    "this is the mean of two cross-entropies, of which one has its sides exchanged": (due + turned) / 2,
    "this is the divergence, which lacks the entropy of the soft labels": due - entropy,
    "only one class of the soft labels counts: the others are what a student is to learn": [
        -math.log(0.75),
        math.log(4),
        0.8 * math.log(4),
    ],
    "the largest logit, which was taken off before the exponentials, is not put back": due - math.log(3),
    "this is a binary cross-entropy for each class: add up -p log q alone, without (1 - p) log(1 - q)": 2 * due,
    "half of it, with two classes: their terms are added up, and only images are averaged": due / 2,
    "the soft labels are squared: each weighs its class once, as it is": -(
        0.04 * math.log(0.75) + 0.64 * math.log(0.25)
    ),
    "the image is weighed by its largest soft label as well: all images count alike": 0.8 * due,
}
expect.none_of(hand, due, slips, atol=1e-4)
both = [
    expect.number(soft_loss(torch.tensor([q]).log(), torch.tensor([[1.0, 0, 0]])))
    for q in ([0.5, 0.25, 0.25], [0.5, 0.49, 0.01])
]
expect.that(
    abs(both[0] - both[1]) < 1e-4,
    "classes whose soft label is 0 have a part in the loss, as if a little of the label were theirs",
    expected="log 2, however the other half of the softmax is shared out",
    got=both,
)
expect.that(
    abs(hand - due) < 1e-4,
    "for one image with the soft labels (0.2, 0.8), and logits whose softmax is (0.75, 0.25), "
    "the sum -0.2 log 0.75 - 0.8 log 0.25 is asked: one softmax, and one term for each class",
    expected=f"{due:.4f}",
    got=hand,
)
expect.that(
    abs(found - usual) < 1e-4,
    "with labels that are sure of one class this is not the usual cross-entropy: the logits go through one softmax, "
    "which stands in the logarithm, and the soft labels are probabilities already",
    expected=f"{usual:.4f}",
    got=found,
)
soft = logits.softmax(1)
expect.that(
    expect.number(soft_loss(logits, soft)) < expect.number(soft_loss(logits + 0.5 * torch.randn(40, 6), soft)),
    "the loss is not lowest where the network answers as the soft labels say",
    expected="the lowest loss where softmax(logits) is soft",
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for classes, size, heat in ((10, 2000.0, 300), (10, 4.0, 1), (3, 1.0, 2), (7, 0.01, 1), (10, 3000.0, 0.5)):
    logits, teacher = size * torch.randn(30, classes), size * torch.randn(30, classes)
    soft = (teacher / heat).softmax(1)
    wanted = float(-(soft.double() * logits.double().log_softmax(1)).sum(1).mean())
    found = expect.number(soft_loss(logits, soft), "the loss for large logits" if size > 100 else "the loss")
    near = lambda value, found=found: abs(found - value) <= 2e-4 * max(abs(float(value)), 1e-3)  # noqa: E731
    cut = lambda a, b: expect.number(soft_loss(torch.tensor([[a, b]]), torch.tensor([[1.0, 0.0]])))  # noqa: E731
    expect.that(
        near(wanted) or size < 1000 or not 0 < found < 0.5 * wanted,
        "the loss of large logits is cut off: a softmax that has become 0 has no logarithm, and "
        + (
            "to leave its term out is to leave out the largest"
            if cut(0.0, 3000.0) < 1e-3
            else "to limit the logits is not what is asked"
            if cut(2000.0, 2003.0) < 3
            else "a floor under it is not what is asked"
        ),
        expected=f"{wanted:.4f} for {classes} classes and logits of about {size:g}",
        got=found,
    )
    expect.that(
        abs(found) < 1e30,
        "the loss of large logits is infinite: a softmax that has become 0 has no logarithm, and a sum of exponentials "
        "is a number only after each image's own largest logit is taken off",
        expected=f"{wanted:.4f} for {classes} classes and logits of about {size:g}",
        got=found,
    )
    expect.that(
        near(wanted),
        "right for labels that are sure of one class, and another number where they are unsure: each class weighs by "
        "its soft label, be it ever so small, and by nothing else",
        expected=f"{wanted:.4f} for {classes} classes and logits of about {size:g}",
        got=found,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Where the temperature goes (3 points)
#
# Defensive distillation has three moments: the teacher is trained, the student is trained, the student is used.
# Write down what each computes. `teacher` and `student` are networks from `x` (N, ...) to logits,
# `y` (N,) are labels. Return three things:
#
# 1. the loss that the **teacher** is trained with, on the labels `y`: a number, the mean over the images;
# 2. the loss that the **student** is trained with, on the teacher's answers: a number, the mean over the images;
# 3. the class probabilities that the student gives **in use**, (N, classes).
#
# Both losses are cross-entropies, as in exercise 1. No factor of $T^2$ stands before a loss:
# the lesson and Papernot et al. have none.
#
# <details><summary>Hint 1</summary>The temperature is put on for training, and taken off afterwards.</details>
# <details><summary>Hint 2</summary>It divides logits, never probabilities. In the student's training
# it divides those of two networks.</details>
# <details><summary>Hint 3</summary><code>F.cross_entropy</code> takes labels, or probabilities in their place,
# if your exercise 1 is not finished.</details>


# %%
def three_moments(teacher, student, x, y, *, temperature):
    """(the teacher's training loss, the student's training loss, the student's probabilities in use)."""
    ### BEGIN SOLUTION
    hot = teacher(x) / temperature
    labels = hot.softmax(1).detach()
    return F.cross_entropy(hot, y), F.cross_entropy(student(x) / temperature, labels), student(x).softmax(1)
    ### END SOLUTION


# %%
def networks(seed, inputs=12, classes=5):
    """Two networks with logits of about 5."""
    torch.manual_seed(seed)
    pair = [nn.Sequential(nn.Linear(inputs, 30), nn.Tanh(), nn.Linear(30, classes)) for _ in range(2)]
    for network in pair:
        network[2].weight.data *= 20
    return pair


# %%
# CHECK heat_in_training, 2 points
teacher, student = networks(seed)
points, labels = torch.randn(50, 12), torch.randint(0, 5, (50,))
found = expect.leaves_arguments(three_moments, teacher, student, points, labels, temperature=1)
expect.that(
    isinstance(found, (tuple, list)) and len(found) == 3,
    "return three things: two losses and the probabilities",
    expected="(number, number, a tensor (N, classes))",
    got=found,
)
if expect.number(found[0], "the teacher's loss") != expect.number(found[1], "the student's loss"):
    turned = abs(expect.number(found[1]) - F.cross_entropy(teacher(points), labels).item()) < 1e-3
    expect.that(not turned, "the second loss is the teacher's: it comes first, and the student's second")
cold = [expect.number(loss, f"the {who}'s loss") for loss, who in zip(found, ("teacher", "student"), strict=False)]
with torch.no_grad():
    usual = float(F.cross_entropy(teacher(points), labels))
expect.that(
    abs(cold[0] - usual) < 1e-3
    or abs(cold[0] - float(F.cross_entropy(teacher(points), teacher(points).argmax(1)))) > 1e-3,
    "the teacher's loss is that of its own answers: it is trained on y",
    expected=f"{usual:.4f}",
    got=cold[0],
)
expect.that(
    abs(cold[0] - usual) < 1e-3,
    "at temperature 1 the teacher's loss is not the usual cross-entropy",
    expected=f"{usual:.4f}",
    got=cold[0],
)
again = three_moments(teacher, student, points, labels, temperature=10_000)
for who, loss in zip(("teacher", "student"), again, strict=False):
    loss = expect.number(loss, f"the {who}'s loss")
    for factor, words in (
        (10_000**2, "has a factor of T², which this exercise leaves out"),
        (10_000, "has a factor of T, which this exercise leaves out"),
        (5, "is five times that of a guess, with five classes: its soft labels should sum to 1 for each image"),
        (1 / 5, "is a fifth of that of a guess, with five classes: classes are added up, images averaged"),
        (50, "is summed over the 50 images, and its mean is asked"),
        (
            1 / 10_000,
            "is divided by the temperature, or its labels are, and no longer sum to 1: the temperature divides logits",
        ),
    ):
        expect.that(
            abs(loss / factor - math.log(5)) > 0.05,
            f"the {who}'s loss {words}",
            expected=f"log 5 = {math.log(5):.4f}",
            got=loss,
        )
    expect.that(
        loss < 100,
        f"at a very high temperature the {who}'s loss is very large: a higher temperature makes answers less sure",
        expected=f"log 5 = {math.log(5):.4f}",
        got=loss,
    )
    expect.that(
        abs(loss) > 0.05,
        f"the {who}'s loss is 0 where all answers are alike, as a divergence is: a cross-entropy is not",
        expected=f"log 5 = {math.log(5):.4f}",
        got=loss,
    )
    expect.that(
        abs(loss - math.log(5)) < 0.01,
        f"at a very high temperature all classes are alike, and the {who}'s loss should be that of a guess: "
        "each logit in it feels the temperature, and nothing else is added",
        expected=f"log 5 = {math.log(5):.4f}",
        got=loss,
    )
### BEGIN HIDDEN TESTS
for classes, heat in ((10, 4), (5, 9.0), (3, 25)):
    teacher, student = networks(seed + classes, classes=classes)
    points, labels = torch.randn(60, 12), torch.randint(0, classes, (60,))
    with torch.no_grad():
        v, z = teacher(points), student(points)
    found = expect.leaves_arguments(three_moments, teacher, student, points, labels, temperature=heat)
    first, second = expect.number(found[0], "the teacher's loss"), expect.number(found[1], "the student's loss")
    near = lambda a, b: abs(a - float(b)) <= 1e-3 * max(abs(float(b)), 0.01)  # noqa: E731
    cross = lambda logits, target: float(F.cross_entropy(logits, target))  # noqa: E731
    wanted = cross(v / heat, labels)
    slips = (
        (cross(v, labels), "the teacher's loss does not feel the temperature: it is trained hot as well"),
        (cross(v * heat, labels), "the teacher's loss is colder at a high temperature, and should be hotter"),
        (60 * wanted, "the teacher's loss is a sum over the images, and should be a mean"),
        (heat**2 * wanted, "the teacher's loss has a factor of T²"),
        (cross(z / heat, labels), "this is the student's loss on the labels, where the teacher's is asked"),
    )
    value, words = min(slips, key=lambda slip: abs(float(slip[0]) - first))
    expect.that(near(first, wanted) or not near(first, value), words, expected=f"{wanted:.4f}", got=first)
    expect.that(
        near(first, wanted),
        "another loss for the teacher: it learns the labels, at the temperature, and nothing else",
        expected=f"{wanted:.4f}",
        got=first,
    )
    hot, hotter = (v / heat).softmax(1), (z / heat).softmax(1)
    wanted = cross(z / heat, hot)
    slips = (
        (cross(z, v.softmax(1)), "the student's loss does not feel the temperature, on either side"),
        (cross(z / heat, v.softmax(1)), "the teacher's answers are as sure as in use: labels for a student are softer"),
        (
            cross(z.softmax(1) / heat, hot),
            "the student's answers go through a softmax before the temperature, and again",
        ),
        (cross(z, hot), "the student's own answers in training do not feel the temperature"),
        (cross(v / heat, hotter), "teacher and student have changed places: who learns from whom?"),
        (cross(z / heat, labels), "the student learns the labels y, and not the teacher's answers"),
        (cross(z / heat, v.argmax(1)), "the student learns only the teacher's likeliest class: labels should be soft"),
        (cross(z / heat, (v.softmax(1) / heat).softmax(1)), "the temperature divides probabilities: it divides logits"),
        (cross(z / heat, (v / heat**2).softmax(1)), "the teacher's answers are divided by the temperature twice"),
        (heat**2 * wanted, "the student's loss has a factor of T², which this exercise leaves out"),
        (60 * wanted, "the student's loss is a sum over the images, and should be a mean"),
        (wanted + torch.special.xlogy(hot, hot).sum(1).mean(), "the student's loss lacks the entropy of the labels"),
    )
    value, words = min(slips, key=lambda slip: abs(float(slip[0]) - second))
    expect.that(near(second, wanted) or not near(second, value), words, expected=f"{wanted:.4f}", got=second)
    expect.that(
        near(second, wanted) or not near(second, cross(z / heat, hotter)),
        "the student learns its own answers: the labels are the teacher's",
        expected=f"{wanted:.4f}",
        got=second,
    )
    if not near(second, wanted):  # whose side is it? A teacher that cannot decide is the same at any temperature
        other = three_moments(teacher, student, points, (labels + 1) % classes, temperature=heat)
        expect.that(
            expect.number(other[1]) == second,
            "the student's loss depends on the labels y: it learns the teacher's answers alone",
            expected=f"{wanted:.4f}",
            got=second,
        )
        flat = Cooled(teacher, 1e9).eval()
        other = expect.number(three_moments(flat, student, points, labels, temperature=heat)[1])
        whose = (
            "the teacher's" if near(other, cross(z / heat, torch.full_like(v, 1 / classes))) else "the student's own"
        )
        raise expect.Unmet(
            f"another loss for the student: in it, {whose} answers are not one softmax of logits / T",
            expected=f"{wanted:.4f}",
            got=second,
        )
### END HIDDEN TESTS

# %%
# CHECK heat_in_use, 1 point
teacher, student = networks(seed)
points, labels = torch.randn(50, 12), torch.randint(0, 5, (50,))
found = three_moments(teacher, student, points, labels, temperature=2)
expect.that(
    isinstance(found, (tuple, list)) and len(found) == 3,
    "return three things: two losses and the probabilities",
    expected="(number, number, a tensor (N, classes))",
    got=found,
)
cool = expect.tensor(found[2], like=torch.zeros(50, 5), what="the third")
expect.that(
    (cool.sum(1) - 1).abs().max() < 1e-4 and cool.min() >= 0,
    "these are no probabilities: each row should sum to 1",
    expected="rows that sum to 1",
    got=cool[0],
)
### BEGIN HIDDEN TESTS
for classes, heat in ((5, 20.0), (8, 3), (4, 0.5)):
    teacher, student = networks(seed + classes, classes=classes)
    points, labels = torch.randn(60, 12), torch.randint(0, classes, (60,))
    with torch.no_grad():
        v, z = teacher(points), student(points)
    used = three_moments(teacher, student, points, labels, temperature=heat)[2]
    used = expect.tensor(used, like=z, what="the third")
    near = lambda value, used=used: float((used - value).abs().max()) < 1e-3  # noqa: E731
    expect.that(
        not near((z / heat).softmax(1)),
        "in use the student is still as hot as in training: what is taken off afterwards?",
        expected="the probabilities of the deployed student",
        got=used[0],
    )
    expect.that(
        not near((z * heat).softmax(1)) or heat < 1,
        "in use the student is surer than its logits say: the temperature is taken off, and does not multiply",
        got=used[0],
    )
    expect.that(
        not ((used == 0) | (used == 1)).all(),
        "in use each image has one class, sure of itself: the student's probabilities are asked",
        got=used[0],
    )
    expect.that(not near(v.softmax(1)), "these are the teacher's answers, and the student is used", got=used[0])
    expect.that(
        near(z.softmax(1)),
        "not the probabilities that the deployed student gives: one softmax of its logits, over all classes",
        expected=f"{expect.short(z.softmax(1)[0])} for the first image",
        got=used[0],
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Asleep (2 points)
#
# For which share of the images does cross-entropy have a gradient of *exactly* 0, in every pixel, in float32,
# as the model computes? Return it as a number from 0 to 1. The gradient is that of each image's own loss
# with its label in `y`, with respect to the image. However small it is: if it is not 0,
# an attack that takes its sign can use it.
#
# Here is a student distilled at $T = 100$, as the paper does it, and used at 1.


# %%
@cache  # the same network each time: a check works on a copy
def distilled(seed, temperature):
    """A small network on the digits: teacher and student at the temperature, the student used at 1."""
    torch.manual_seed(seed)
    teacher, student = mlp(data, width=64), mlp(data, width=64)
    fit(Cooled(teacher, temperature), data.train, updates=200, lr=1e-2)
    loss = imitate(Cooled(teacher, temperature))
    fit(Cooled(student, temperature), data.train, loss=loss, updates=200, lr=1e-2)
    return student


model = distilled(0, 100)

# %% [markdown]
# <details><summary>Hint 1</summary>The gradient with respect to the <em>images</em>, (N, ...): a row of zeros
# is what you look for.</details>
# <details><summary>Hint 2</summary>The mean over a batch divides each gradient by N, and what is tiny becomes 0.
# Take the sum.</details>
# <details><summary>Hint 3</summary>Compare every pixel with 0 first, and only then join the pixels of an image:
# a sum or a norm of the gradient can be 0 for another reason.</details>


# %%
def asleep(model, x, y):
    """The share of images whose cross-entropy has a gradient of exactly 0 in every pixel."""
    ### BEGIN SOLUTION
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return (gradient == 0).flatten(1).all(1).float().mean()
    ### END SOLUTION


# %%
# CHECK asleep, 2 points
found = expect.number(expect.leaves_arguments(asleep, model, x, y), "the share")
expect.that(0 <= found <= 1, "a share is a number from 0 to 1", expected="0 to 1", got=found)
torch.manual_seed(seed)
honest = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
share = expect.number(asleep(honest, x, y), "the share")
expect.that(
    share < 1,
    "all images of a linear model with small logits count: "
    "each has a gradient, and the share of those that have none is asked",
    expected="a share of 0",
    got=share,
)
expect.that(
    share == 0,
    "a linear model with small logits has a gradient at every image: is each pixel compared with 0, and not their sum?",
    expected="a share of 0",
    got=share,
)
half = copy.deepcopy(distilled(0, 20))
alone = (
    sum(
        expect.number(
            asleep(half, x[i : i + 1], y[i : i + 1]), "the share of one image (right or wrong, is any left out?)"
        )
        for i in range(60)
    )
    / 60
)
together, again = (expect.number(asleep(half, x[:60], y[:60]), "the share") for _ in range(2))
expect.that(
    together == again,
    "the same images have another share when asked again: the gradient at x itself is asked, and nothing is drawn",
    expected=f"{together:.3f}, as before",
    got=again,
)
expect.that(
    abs(alone - together) < 0.01,
    "an image that has a gradient by itself has none in a batch, or the other way round: "
    "each image has a loss of its own",
    expected=f"{alone:.3f}, as one by one",
    got=together,
)
### BEGIN HIDDEN TESTS
warm = copy.deepcopy(distilled(1 + seed % 3, 30))  # a class needs three, not one for each student
torch.manual_seed(seed)
faint = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
faint[1].weight.data *= 1e-12
blind = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
blind[1].weight.data[:, :40] = 0  # does not look at most pixels
blind[1].weight.data[:, 52:] = -blind[1].weight.data[:, 40:52]  # and its gradients add up to 0
relu = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
relu[1].bias.data -= 100  # no unit ever speaks
expect.that(
    expect.number(asleep(relu, x, y), "the share") == 1,
    "an image counts as awake although no pixel of it matters: the gradient with respect to the image is asked",
    expected="a share of 1 for a network that answers the same whatever it sees",
    got=expect.number(asleep(relu, x, y), "the share"),
)
sure = copy.deepcopy(honest)
sure[1].weight.data *= 1e5
denied = expect.number(asleep(sure, x, (predict(sure, x) + 1) % 10), "the share of images whose label is denied")
expect.that(
    denied == 0,
    "images count whose label a sure network denies: the loss is that of the label in y, and there it is high",
    expected="a share of 0 for labels that a sure network denies",
    got=denied,
)
sure[1].weight.data *= 1e3
believed = expect.number(asleep(sure, x, predict(sure, x)), "the share of images of which a network is utterly sure")
expect.that(
    believed > 0.9,
    "images are missing whose label a network is utterly sure of: the gradient of the cross-entropy is asked, and not "
    "that of a logit or a margin",
    expected="a share of nearly 1",
    got=believed,
)
bright = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
bright[1].weight.data = torch.stack([torch.full((64,), 0.1), torch.zeros(64)])  # a black image could only be darker
share = expect.number(asleep(bright, torch.zeros(20, 1, 8, 8), torch.zeros(20, dtype=torch.int64)), "the share")
expect.that(
    share == 0,
    "images count whose gradient is below 0 in every pixel: exactly 0 is asked, and not a step that [0, 1] allows",
    expected="a share of 0 for black images that are wanted darker",
    got=share,
)
expect.that(
    expect.number(asleep(faint, x, y)) == 0,
    "a faint gradient was counted as none: exactly 0 is asked",
    expected="a share of 0 where gradients are about 1e-12",
    got=expect.number(asleep(faint, x, y)),
)
fainter = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
fainter[1].weight.data *= 1e-25
expect.that(
    expect.number(asleep(fainter, x, y)) == 0,
    "a gradient of about 1e-26 was counted as none: its squares and products are 0 as floats, and so is its norm, "
    "but it is not",
    expected="a share of 0",
    got=expect.number(asleep(fainter, x, y)),
)
pixels = "this is the share of all pixels: an image counts once, where each of its own has a gradient of 0"
expect.none_of(expect.number(asleep(blind, x, y)), 0, {pixels: 40 / 64}, atol=0.01)
expect.that(
    expect.number(asleep(blind, x, y)) == 0,
    "an image counts although some of its pixels have a gradient: all of them must be 0",
    expected="a share of 0 for a network that looks at some pixels only",
    got=expect.number(asleep(blind, x, y)),
)
for judge, name in ((warm, "distilled at 30"), (model, "distilled at 100")):
    wrong = (predict(judge, x) + 1) % 10
    mixed = torch.where(torch.arange(len(y)) % 3 == 0, wrong, y)  # for a third of the images the model denies y
    for labels in (y, mixed, wrong):
        point = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(judge(point), labels, reduction="sum"), point)
        wanted = float((gradient == 0).flatten(1).all(1).double().mean())
        who = "the true labels" if labels is y else "some labels that the model denies"
        found = expect.number(asleep(judge, x, labels), f"the share of all images, right or wrong, with {who},")
        expect.that(found < 1.5 or abs(found - len(x) * wanted) > 1, "this is a count, and a share is asked", got=found)
        expect.that(
            found <= wanted + 0.015,
            f"too many images count for a network {name} and {who}: is the gradient of the loss of y itself 0, "
            "and not only small, or that of another label?",
            expected=f"{wanted:.3f}",
            got=found,
        )
        point, exact = point.detach().double().requires_grad_(), copy.deepcopy(judge).double()
        (gradient,) = torch.autograd.grad(F.cross_entropy(exact(point), labels, reduction="sum"), point)
        share = float((gradient == 0).flatten(1).all(1).double().mean())
        words = (
            "this is the share in float64, where fewer gradients are 0: it is asked in float32, as the model computes"
        )
        expect.that(found >= wanted - 0.015 or abs(found - share) > 0.005, words, expected=f"{wanted:.3f}", got=found)
        expect.that(
            found >= wanted - 0.015,
            f"images without a gradient are missing for a network {name} and {who}: the cross-entropy of the logits as "
            "they are is asked, in float32, in which the model computes: float64 rounds less to 0",
            expected=f"{wanted:.3f}",
            got=found,
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Three reports (1 point)
#
# Each report compares a distilled network with an undefended one, each on `images` images.
# `"left"` is how many of them each still has right after the attack, `"clean"` how many before.
# `"asleep"` is the share of images, in percent, on which the cross-entropy of the model *as it is used*
# has a gradient of 0.
# The attack is PGD on the `"loss"`, with the logits `"divided by"` a number.

# %%
papers = {
    "A": {
        "undefended": {"eps": 0.15, "loss": "cross-entropy", "divided by": 1, "asleep": 0, "clean": 972, "left": 104},
        "distilled": {"eps": 0.15, "loss": "cross-entropy", "divided by": 1, "asleep": 86, "clean": 948, "left": 851},
        "images": 1000,
        "claim": "more robust",
    },
    "B": {
        "undefended": {"eps": 0.15, "loss": "margin", "divided by": 1, "asleep": 0, "clean": 97, "left": 11},
        "distilled": {"eps": 0.15, "loss": "margin", "divided by": 1, "asleep": 79, "clean": 95, "left": 14},
        "images": 100,
        "claim": "more robust",
    },
    "C": {
        "undefended": {"eps": 0.1, "loss": "cross-entropy", "divided by": 1, "asleep": 1, "clean": 965, "left": 231},
        "distilled": {"eps": 0.1, "loss": "cross-entropy", "divided by": 40, "asleep": 71, "clean": 951, "left": 238},
        "images": 1000,
        "claim": "no gain seen",
    },
}

# %% [markdown]
# Write your judgement as a function, so that it can be tried on reports that you have not seen.
# It returns two texts, a verdict and the entry that shows it:
#
# - `"invalid"`: the two are not measured under the same threat model (`"eps"`),
#   or a number cannot be true (`"left"`);
# - `"masked"`: on more than half of the images the attack on the distilled network had no gradient to follow
#   (`"asleep"`);
# - `"overclaims"`: the claim `"more robust"` says more than the numbers, up to chance (`"claim"`);
# - `"sound"`: nothing of this. The entry is `""`.
#
# If several are true, the first in this list counts.
#
# <details><summary>Hint 1</summary>Which attacks work even where a network's cross-entropy has no gradient?</details>
# <details><summary>Hint 2</summary>An attack can only make right answers wrong.</details>
# <details><summary>Hint 3</summary><code>Rate(k, n).clearly_above(Rate(j, n))</code>, from lesson 01,
# knows about chance.</details>


# %%
def verdict(report):
    """(verdict, entry that shows it) of a report like those above."""
    ### BEGIN SOLUTION
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if hot["asleep"] > 50 and hot["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""
    ### END SOLUTION


# %%
list(map(verdict, papers.values()))

# %%
# CHECK verdict, 1 point
words, entries = ("invalid", "masked", "overclaims", "sound"), ("eps", "left", "asleep", "claim", "")
seen = {}
for name, report in papers.items():
    found = verdict(report)
    expect.that(
        isinstance(found, (tuple, list)) and len(found) == 2 and found[0] in words and found[1] in entries,
        f"report {name}: return a verdict and the entry that shows it",
        expected=f"one of {', '.join(words)}, and one of {', '.join(entries[:4])} or an empty text",
        got=found,
    )
    expect.that(
        found[0] != "invalid",
        f"report {name}: both networks had the same eps, and no number is impossible. How an attack finds its way is "
        "no part of the threat model",
        got=found,
    )
    seen[name] = found[0]
differ = {
    "AB": "A and B get the same verdict: on which loss was each attacked, and has this one a gradient on a network "
    "that is sure?",
    "AC": "A and C get the same verdict: what does it do to the gradient to divide the logits first?",
    "BC": "B and C get the same verdict: which of them claims more than its numbers say, up to chance?",
}
if seen["A"] == seen["C"] != "masked":
    differ["AC"] = "A and C get the same verdict: in which of them had the attack on the distilled network no gradient?"
if seen["B"] == seen["C"] == "sound":
    differ["BC"] = "B and C are both sound: is a lead that may be chance enough for the claim of each?"
for one, other in differ:
    expect.that(seen[one] != seen[other], differ[one + other], got=seen)
expect.that(
    len(set(seen.values())) == 3,
    "the three reports deserve three different verdicts: what can the attack on the distilled network follow, "
    "what does the report claim, and do its numbers say so, up to chance?",
    got=seen,
)
### BEGIN HIDDEN TESTS
chance = random.Random(seed)
kinds = {
    "smaller eps": ("invalid", "eps", "had both networks the same attacker?"),
    "larger eps": ("invalid", "eps", "had both networks the same attacker?"),
    "left above clean": ("invalid", "left", "can an attack make wrong answers right, on either network?"),
    "awake": (
        "sound",
        "",
        "the attack had a gradient on most images, and far more are left right: what is wrong with it?",
    ),
    "half": ("sound", "", "the attack had no gradient on exactly half of the images: is that more than half?"),
    "other asleep": ("sound", "", "which network's attack must have had a gradient to follow?"),
    "asleep": ("masked", "asleep", "what did the attack on the distilled network follow?"),
    "asleep, other loss": ("masked", "asleep", "what did the attack follow on the network that is asleep?"),
    "few": ("overclaims", "claim", "is the difference more than chance, with as many images?"),
    "less": ("overclaims", "claim", "which of the two has more left?"),
    "awake, margin": ("sound", "", "does this loss mind that cross-entropy has no gradient?"),
    "awake, cooled": ("sound", "", "what does dividing the logits do to the gradient?"),
    "many": ("sound", "", "is a small difference chance, with as many images?"),
    "no claim": ("sound", "", "does it claim more than it has seen?"),
    "gain, no claim": ("sound", "", "does it claim more than it has seen?"),
    "none fell": ("sound", "", "may an attack leave all answers right that were right?"),
}
for kind, (word, entry, question) in [*kinds.items()] * 3:
    n, eps = chance.choice([1000, 2000, 5000]), chance.choice([0.05, 0.1, 0.15])
    clean, left = int(n * chance.uniform(0.93, 0.98)), int(n * chance.uniform(0.1, 0.3))
    plain = {"eps": eps, "loss": "cross-entropy", "divided by": 1, "asleep": chance.randint(0, 1), "clean": clean}
    plain["left"] = left
    hot = plain | {"asleep": chance.randint(51, 95), "clean": clean - chance.randint(0, n // 50)}
    claim = "more robust"
    if kind in ("awake, margin", "few", "less", "none fell") or (kind == "no claim" and chance.random() < 0.5):
        plain["loss"] = hot["loss"] = "margin"
    else:
        hot["divided by"] = chance.choice([20, 50, 100])
    hot["left"] = left + int(n * chance.uniform(0.12, 0.3))
    if "eps" in kind:
        hot["eps"] = round(eps * (1.2 if kind == "larger eps" else chance.choice([0.5, 0.8])), 4)
        hot["asleep"] = chance.choice([0, hot["asleep"]])
    elif kind == "left above clean":
        row = chance.choice([plain, hot])
        row["left"] = row["clean"] + chance.randint(1, n - row["clean"])
    elif kind == "none fell":
        hot["left"] = hot["clean"]
    elif kind == "asleep":
        hot["divided by"] = 1
        claim = chance.choice(["more robust", "no gain seen"])
    elif kind == "asleep, other loss":
        plain["loss"], hot["divided by"] = "margin", 1
    elif kind == "few":
        n = 100
        plain["clean"], hot["clean"], plain["left"] = 96, 95, chance.randint(15, 25)
        hot["left"] = plain["left"] + chance.randint(2, 6)
    elif kind == "many":
        n = 50_000
        plain |= {"clean": 47_500, "left": 10_000}
        hot |= {"clean": 47_000, "left": 10_900}
    elif kind == "less":
        hot["left"] = left - chance.randint(1, n // 20)
    elif kind in ("awake", "half", "other asleep"):
        hot["divided by"], hot["asleep"] = 1, 50 if kind == "half" else chance.randint(2, 49)
        plain["asleep"] = chance.randint(51, 95) if kind == "other asleep" else 0
    elif "no claim" in kind:
        claim, hot["left"] = "no gain seen", left + (n // 5 if "gain" in kind else chance.randint(-5, 5))
    found = verdict({"undefended": plain, "distilled": hot, "images": n, "claim": claim})
    told = f"undefended {plain}, distilled {hot}, {n} images, claim: {claim}"
    fits = isinstance(found, (tuple, list)) and len(found) == 2
    if fits and found[0] == "masked" and hot["divided by"] > 1:
        question = kinds["awake, cooled"][2]
    if fits and found[0] == "masked" and kind == "awake":
        question = f"{hot['asleep']} percent of the images are not more than half"
    if fits and found[0] == "invalid" != word and kind != "none fell":
        question = "both had the same eps, and no number is impossible. What an attack follows is no part of the threat"
    expect.that(fits, "return a verdict and the entry that shows it", expected="two texts", got=found)
    expect.that(found[0] == word, f"another verdict is due: {question}", expected=f"a verdict on {told}", got=found)
    expect.that(
        found[1] == entry,
        f"the verdict fits, but another entry shows it: {question if entry else 'no entry does, in a sound report'}",
        expected=f"for {told}",
        got=found,
    )
for eps_differ, above, sleeps in ((1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (0, 0, 1)):  # each overclaims as well
    plain = {"eps": 0.1, "loss": "cross-entropy", "divided by": 1, "asleep": 0, "clean": 950, "left": 300}
    hot = plain | {"asleep": 80 * sleeps, "left": 290} | ({"eps": 0.05} if eps_differ else {})
    plain |= {"left": 980} if above else {}
    word, entry = ("invalid", "eps") if eps_differ else ("invalid", "left") if above else ("masked", "asleep")
    found = verdict({"undefended": plain, "distilled": hot, "images": 1000, "claim": "more robust"})
    expect.that(
        isinstance(found, (tuple, list)) and found[0] == word and (found[1] == entry or word == "invalid"),
        "another verdict is due: of several that are true the first in the list counts",
        expected=f"a verdict on undefended {plain}, distilled {hot}, claim: more robust",
        got=found,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Wake it (2 points, open)
#
# The distilled network, under two attacks that follow its cross-entropy:

# %%
plots.rates(
    {
        "no attack": accuracy(model, (x, y)),
        "FGSM": accuracy(model, (attacks.fgsm(model, x, y, eps=0.2), y)),
        "PGD, 20 steps": accuracy(model, (attacks.pgd(model, x, y, eps=0.2, steps=20), y)),
    }
)

# %% [markdown]
# Write an attack that leaves at most **20 %** of its answers right, within 0.2 of `x` in L∞ and in [0, 1].
# It has 20 seconds for 400 images. Nobody tells you the temperature that a network was distilled at.
#
# <details><summary>Hint 1</summary>Exercise 3 says why the attacks above fail.</details>
# <details><summary>Hint 2</summary>Two ways: a loss without a softmax, or logits divided by a number
# that makes them small. The logits themselves tell how large it must be.</details>
# <details><summary>Hint 3</summary>It is the PGD of lesson 02 with one line changed. Look after the first step:
# on how many images has the sign of your gradient a value other than 0?</details>


# %%
def wake(model, x, y, *, eps):
    """Images within eps of x in L-infinity and in [0, 1] that a distilled network gets wrong."""
    ### BEGIN SOLUTION
    x_adv, own = x.clone(), y[:, None]
    for _ in range(12):
        x_adv = x_adv.detach().requires_grad_()
        logits = model(x_adv)
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv
    ### END SOLUTION


# %%
# CHECK wake, 2 points
found = expect.images(expect.leaves_arguments(wake, model, x, y, eps=0.2), x, 0.2)
left = accuracy(model, (found, y))
far, quiet = float((found - x).abs().max()), Cooled(model, 100.0).eval()
expect.few_left(
    left,
    0.2 * left.n,
    wake,
    x,
    "does the attack go up the loss, and on every image?"
    if far > 0.18
    else f"no pixel moves by more than {far:.2g}, and all steps together should reach 0.2",
    loud=100,
    quiet=(
        "with logits a hundredth as large",
        lambda: accuracy(quiet, (expect.images(wake(quiet, x, y, eps=0.2), x, 0.2), y)),
    ),
)
### BEGIN HIDDEN TESTS
expect.images(wake(model, x[:1], y[:1], eps=0.05), x[:1], 0.05)
for temperature, more in ((40, 1), (100, 1), (100, 300)):
    other = copy.deepcopy(distilled(1 + seed % 3, temperature))
    if more > 1:
        other = nn.Sequential(*other, Saturate(float(more)))
    left = accuracy(other, (expect.images(wake(other, x, y, eps=0.2), x, 0.2), y))
    expect.few_left(
        left,
        0.2 * left.n,
        wake,
        x,
        f"the network was distilled anew, at T = {temperature * more}: does the attack know one temperature only?",
        loud=100 * more,
    )
### END HIDDEN TESTS
