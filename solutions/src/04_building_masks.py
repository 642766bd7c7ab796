# %% [markdown]
# # Lab 04 · Building masks
#
# Five exercises, 10 points, about 75 minutes after [lesson 04](../notebooks/04_building_masks.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# A function may call those that you wrote before it. Own cells, prints and pictures do no harm.
# Finished masks and attacks (`utils.masking`, `utils.attacks`, other libraries) are not an answer; the losses of
# `utils.attacks` may be used.

# %%
import copy
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, expect, masking, plots
from utils.attacks import margin
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.models import mlp, predict
from utils.training import fit

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = data.test.take(200)


@cache  # the same network each time: a check works on a copy
def trained(seed, updates=200):
    """A small network on the digits."""
    torch.manual_seed(seed)
    return fit(mlp(data, width=64), data.train, updates=updates)


model = trained(0)
masked = {
    "quantised": nn.Sequential(masking.Quantize(), *model),
    "saturated": nn.Sequential(*model, masking.Saturate()),
    "scrambled": nn.Sequential(masking.Scramble(), *model),
}


def asked(worth):
    """A table of the answers of `worth` (exercise 2) for the plain model and the masked ones."""
    table = {}
    for name, one in ({"plain": model} | masked).items():
        shares = worth(one, x, y, eps=0.04, draws=1)
        table[name] = {question: Rate(round(len(y) * float(share)), len(y)) for question, share in shares.items()}
    return plots.table(table)


# %%
pgd_left = {"plain": accuracy(model, (attacks.pgd(model, x, y, eps=0.15, early_stop=False), y))}
pgd_left |= {n: accuracy(m, (attacks.pgd(m, x, y, eps=0.15, early_stop=False), y)) for n, m in masked.items()}
plots.rates(pgd_left, x="left after PGD")

# %% [markdown]
# ## 1 · Three masks (3 points)
#
# One of each kind: a gradient that vanishes, one that lies, one that wanders.
#
# - `quantize(x, levels=...)`: each value of `x`, which lies in [0, 1], becomes the nearest of `levels` values
#   evenly spaced from 0 to 1, both ends among them.
# - `k_winners(x, share=...)`: of **all** units of an image, `x[i]`, those `max(1, round(share * units))` that are
#   largest keep their values, whatever their sign; the others become 0.
# - `place(x, room=...)`: images (N, C, H, W) on a black page (N, C, H + room, W + room), each image whole
#   and in a random place of its own, drawn anew at each call. All (room + 1)² places are equally likely.
#
# All three leave `x` as it is.
#
# <details><summary>Hint 1</summary>How many steps are there between five levels? In how many places can a row
# of 8 pixels lie on a page of 10?</details>
# <details><summary>Hint 2</summary>Work image by image: <code>x.flatten(1)</code> has one image in each row.
# <code>topk</code> gives values and their places.</details>
# <details><summary>Hint 3</summary><code>scatter</code> puts winners back where they were.
# How far can an image move down, and how far to the right? Draw both, for each image.</details>


# %%
def quantize(x, *, levels):
    """Each value rounded to the nearest of `levels` values from 0 to 1."""
    ### BEGIN SOLUTION
    return (x * (levels - 1)).round() / (levels - 1)
    ### END SOLUTION


def k_winners(x, *, share):
    """Of the units of each image the share that is largest, and 0 for the others."""
    ### BEGIN SOLUTION
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)
    ### END SOLUTION


def place(x, *, room):
    """Each image in a random place of its own on a larger black page."""
    ### BEGIN SOLUTION
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page
    ### END SOLUTION


# %%
plots.triptych(x, quantize(x, levels=5), model, y=y)

# %%
# CHECK quantize, 1 point
torch.manual_seed(seed)
some = torch.rand(20, 1, 6, 6)
found = expect.tensor(expect.leaves_arguments(quantize, some, levels=5), like=some)
expect.that(
    len(found.unique()) <= 5 and found.min() >= 0 and found.max() <= 1,
    "levels=5 should leave at most five values, in [0, 1]",
    expected="five values",
    got=f"{len(found.unique())} values from {float(found.min()):.3g} to {float(found.max()):.3g}",
)
### BEGIN HIDDEN TESTS
for levels, shape in ((2, (9, 4)), (3, (5, 3, 4, 4)), (5, (30, 1, 8, 8)), (16, (2, 1, 8, 8)), (256, (4, 50))):
    some = torch.rand(shape)
    found = expect.tensor(quantize(some, levels=levels), like=some)
    count = len((found * 1e4).round().unique())
    expect.that(count <= levels, f"levels={levels} leaves more values than that", expected=levels, got=count)
    grid = torch.linspace(0, 1, levels)
    gap = (found[..., None] - grid).abs().amin(-1).max()
    expect.that(
        gap < 1e-5,
        "values lie between the levels: they are evenly spaced, and 0 and 1 are among them",
        expected=f"steps of 1 / {levels - 1}",
        got=found.flatten()[:5],
    )
    far = float((found - some).abs().max())
    expect.that(
        far <= 0.5 / (levels - 1) + 1e-5,
        "a value goes to a level that is not the nearest",
        expected=f"no value moves by more than {0.5 / (levels - 1):.4g}",
        got=far,
    )
    alone = expect.tensor(quantize(some[:1] / 2, levels=levels), like=some[:1])
    expect.that((alone - some[:1] / 2).abs().max() <= 0.5 / (levels - 1) + 1e-5, "a dark image is stretched first")
### END HIDDEN TESTS

# %%
# CHECK k_winners, 1 point
torch.manual_seed(seed)
some = torch.randn(10, 4, 5, 5)
found = expect.tensor(expect.leaves_arguments(k_winners, some, share=0.1), like=some)
kept = found != 0
alike = kept.sum(-1).unique().numel() == 1 or kept.sum((2, 3)).unique().numel() == 1
expect.that(
    not alike or not kept.any() or kept.all(),
    "all rows, or all channels, have the same number of winners: all units of an image compete with one another",
    expected="10 in each image",
    got=kept.flatten(1).sum(1),
)
expect.that(
    (found.flatten(1).count_nonzero(1) == 10).all(),
    "of an image's 100 units a tenth should be left, in each image",
    expected="10 in each image",
    got=found.flatten(1).count_nonzero(1),
)
### BEGIN HIDDEN TESTS
for shape, share in (
    ((30, 40), 0.05),
    ((8, 6, 4, 4), 0.2),
    ((5, 7), 0.01),
    ((1, 50), 0.5),
    ((6, 3, 5), 1.0),
    ((4, 30), 0.09),
):
    for shift in (0.0, -5.0, float(torch.rand(()))):  # with -5 all units are negative
        some = torch.randn(shape) + shift
        some = some * (1 + torch.arange(len(some))).view(-1, *[1] * (some.dim() - 1))  # louder from image to image
        found = expect.tensor(k_winners(some, share=share), like=some)
        flat, kept = some.flatten(1), found.flatten(1) != 0
        wins = max(1, round(share * flat.shape[1]))
        expect.that(
            kept.any() or (some > 0).any(),
            "where all units are below 0 nothing is left: the largest of them win, and keep their values",
            expected=f"{wins} of {flat.shape[1]} in each image",
        )
        expect.that(
            (kept.sum(1) == wins).all(),
            "another number of winners: a share of all units of an image, rounded to the nearest, and at least one",
            expected=f"{wins} of {flat.shape[1]} in each image",
            got=kept.sum(1)[:8],
        )
        values = found.flatten(1)[kept].view(-1, wins).sort(dim=1).values
        expect.that(
            found.flatten(1)[kept].equal(flat[kept]) or not values.equal(flat.topk(wins).values.sort(dim=1).values),
            "the winners keep their values, and stand in other places: each stays where it was",
            expected="the values of x",
        )
        expect.equal(
            found.flatten(1)[kept],
            flat[kept],
            "a winner has another value: it keeps its own",
            expected="the values of x",
        )
        lowest = flat.masked_fill(~kept, 1e9).amin(1)
        expect.that(
            (lowest >= flat.masked_fill(kept, -1e9).amax(1)).all(),
            "a loser was larger than a winner: the largest win, and -1 is larger than -2",
            expected="the largest of each image",
        )
### END HIDDEN TESTS

# %%
# CHECK place, 1 point
torch.manual_seed(seed)
page = expect.tensor(expect.leaves_arguments(place, x[:20], room=4), like=torch.zeros(20, 1, 12, 12))
ink = page.flatten(1).sum(1)
expect.that(
    ink.max() - ink.min() > 1e-3 or ink.min() == 0,
    "all pages hold as much ink, and the images do not: each page shows an image of its own",
    expected="as much ink on the page as in the image",
)
expect.that(
    (page.flatten(1).sum(1) - x[:20].flatten(1).sum(1)).abs().max() < 1e-3,
    "some of an image is lost, or the page around it is not black",
    expected="as much ink on the page as in the image",
)
### BEGIN HIDDEN TESTS
for size, how in (((2, 1, 4, 1), "higher than wide"), ((2, 1, 1, 4), "wider than high"), ((2, 3, 2, 2), "in color")):
    page = torch.zeros(*size[:2], size[2] + 2, size[3] + 2)
    expect.tensor(place(torch.ones(size), room=2), like=page, what=f"where images are {how}, the result")
for channels, height, width, room in ((1, 4, 6, 2), (3, 5, 3, 1), (1, 3, 3, 3)):
    some = (0.1 + 0.9 * torch.rand(1, channels, height, width)).expand(800, -1, -1, -1).contiguous()
    page = torch.zeros(800, channels, height + room, width + room)
    found = expect.tensor(place(some, room=room), like=page)
    windows = found.unfold(2, height, 1).unfold(3, width, 1)  # (N, C, places, places, H, W)
    here = ((windows - some[:, :, None, None]).abs() < 1e-6).all(-1).all(-1).all(1).flatten(1)
    expect.that(
        (here.sum(1) == 1).all() and (found.count_nonzero((1, 2, 3)) == some[0].numel()).all(),
        "an image is not whole on its page, or the page around it is not black",
        expected="each image as it is, and zeros around it",
    )
    counts, each = here.sum(0), 800 / (room + 1) ** 2
    expect.that(
        counts.max() < 800,
        "all images lie in the same place: draw a place for each",
        expected=f"{(room + 1) ** 2} places",
    )
    rows, columns = counts.view(room + 1, room + 1).sum(1), counts.view(room + 1, room + 1).sum(0)
    for lines, way in ((rows, "down"), (columns, "to the right")):
        told = f"some of the {room + 1} distances {way} that an image may move never come up"
        expect.that(lines.min() > 0, told, expected=f"each of 0 to {room}", got=lines)
    expect.that(
        counts.min() > 0,
        "each row and each column comes up, but not each with each: draw an image's row and its column independently",
        expected=f"{(room + 1) ** 2} places",
        got=f"{int((counts > 0).sum())} places",
    )
    expect.that(
        counts.min() > 0.4 * each and counts.max() < 1.8 * each,
        "some places are likelier than others",
        expected=f"about {each:.0f} of 800 images in each",
        got=f"{int(counts.min())} to {int(counts.max())}",
    )
two = [expect.tensor(place(some, room=room), like=page) for _ in range(2)]
expect.that(
    not torch.equal(*two),
    "two calls put all images in the same places: draw new numbers at each call, and set no seed",
    expected="other places at each call",
)
alike = torch.ones(400, 1, 2, 2)
found = expect.tensor(place(alike, room=2), like=torch.zeros(400, 1, 4, 4)).flatten(1)
where = (found * torch.arange(16.0)).sum(1)  # a number for each of the nine places
expect.that(
    all(8 < int((where[gap:] == where[:-gap]).sum()) < 100 for gap in range(1, 30)),
    "one image's place tells that of another: draw each on its own; two images may have the same place",
    expected="two images in the same place about once in 9",
)
same = expect.tensor(place(x[:5], room=0), like=x[:5])
expect.equal(same, x[:5], "with room=0 there is one place, and the images stay as they are")
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · What is a gradient worth? (3 points)
#
# Ask the three questions of the lesson. `gradient` is that of each image's cross-entropy with its label in `y`,
# with respect to the image. Return a dictionary of three shares, numbers from 0 to 1:
#
# - `"not 0"`: the share of images whose gradient has an entry other than 0, however small;
# - `"same"`: the share of images whose gradient, asked for **twice**, points the same way:
#   the cosine of the two is above 0.9. A gradient of 0 points nowhere, and is not the same;
# - `"uphill"`: the share of images for which one step of `eps` along the *sign* of the first gradient, clamped
#   to [0, 1], makes the **margin** higher than it was (`margin(logits, y)`, imported above). A model may draw random
#   numbers, so both margins are means over `draws` calls.
#
# <details><summary>Hint 1</summary>Which masks make a second call of the model differ from the first?</details>
# <details><summary>Hint 2</summary>Gradients of 1e-20 have a direction too. What does
# <code>F.cosine_similarity</code> do with short vectors? Look at its <code>eps</code>.</details>
# <details><summary>Hint 3</summary>What is the square of 1e-25, as a float? Scale first.
# And what does a step on a staircase change? Nothing, which is not uphill.</details>


# %%
def worth(model, x, y, *, eps, draws):
    """Shares of images whose gradient is not 0, is the same again, and leads uphill, by these three names."""
    ### BEGIN SOLUTION
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) / draws for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}
    ### END SOLUTION


# %%
asked(worth)

# %%
# CHECK worth_gradient, 1 point
words = "a dictionary of three shares from 0 to 1: 'not 0', 'same', 'uphill'"
for name, m, wanted in (("plain", model, 1.0), ("quantised", masked["quantised"], 0.0)):
    found = expect.leaves_arguments(worth, m, x, y, eps=0.04, draws=1)
    expect.that(
        isinstance(found, dict) and {"not 0", "same"} <= set(found), "no such dictionary", expected=words, got=found
    )
    for question in ("not 0", "same"):
        share = expect.number(found[question], question)
        expect.that(0 <= share <= 1, f"{question} is no share", expected=words, got=share)
        expect.that(
            abs(share - wanted) < 0.01, f"{question}: another share for the {name} model", expected=wanted, got=share
        )
### BEGIN HIDDEN TESTS
fresh = copy.deepcopy(trained(1 + seed % 3, updates=150))  # a class needs three, not one for each student
torch.manual_seed(seed)
faint, blind = copy.deepcopy(fresh), nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
faint[-1].weight.data *= 1e-25
blind[1].weight.data[:, 32:] = 0  # sees the upper half only, and its gradients add up to 0
blind[1].weight.data[:, 1:32:2] = -blind[1].weight.data[:, 0:32:2]
shaky, loud = nn.Sequential(masking.Noise(0.3), *fresh), nn.Sequential(*fresh, masking.Saturate(25.0))
images = x.clone().requires_grad_()
(gradient,) = torch.autograd.grad(F.cross_entropy(loud(images), y, reduction="sum"), images)
some = float((gradient.flatten(1).abs().amax(1) > 0).float().mean())
cases = (
    ("not 0", faint, 1.0, "on a faint model gradients are tiny, and not 0, though their squares are, as floats"),
    (
        "not 0",
        blind,
        1.0,
        "a gradient is not 0 if any of its entries is not, also where others are, and where they add up to 0",
    ),
    (
        "not 0",
        loud,
        some,
        "on a saturated model the gradients of some images are 0: those of the cross-entropy, each image's own",
    ),
    ("same", faint, 1.0, "on a faint model gradients are tiny, and still point the same way twice"),
    ("same", loud, some, "a gradient of 0 points nowhere, and a tiny one somewhere: each image is asked on its own"),
)
wide = expect.number(worth(fresh, x, y, eps=0.9, draws=1)["same"], "same")
expect.that(
    wide > 0.99,
    "same: with a longer step fewer gradients are the same. Both are asked at the image itself, not after a step",
    expected="1, whatever eps is",
    got=wide,
)
share = expect.number(worth(loud.eval(), x, y, eps=0.04, draws=1)["same"], "same")
expect.that(
    share not in (0, 1) or some in (0, 1),
    "same: all images of a batch get one answer: each has a cosine of its own",
    expected=f"{some:.3f}",
    got=share,
)
for question, m, wanted, why in cases:
    share = expect.number(expect.leaves_arguments(worth, m.eval(), x, y, eps=0.04, draws=1)[question], question)
    near = 0.06 if m is loud else 0.011  # the smallest numbers of a float are a matter of rounding
    expect.that(abs(share - wanted) < near, f"{question}: {why}", expected=f"{wanted:.3f}", got=share)
wavy, many, labels = nn.Sequential(masking.Noise(0.05), *fresh).eval(), x.repeat(10, 1, 1, 1), y.repeat(10)
pair = []
for _ in range(2):
    images = many.clone().requires_grad_()
    loss = F.cross_entropy(wavy(images), labels, reduction="sum")
    pair.append(torch.autograd.grad(loss, images)[0].flatten(1) * 1e6)
signs = float(((pair[0].sign() == pair[1].sign()).float().mean(1) > 0.9).float().mean())
wanted = float((F.cosine_similarity(*pair) > 0.9).float().mean())
share = expect.number(worth(wavy, many, labels, eps=0.04, draws=1)["same"], "same")
above = {bar: float((F.cosine_similarity(*pair) > bar).float().mean()) for bar in (0.0, 0.5)}
expect.that(
    share < 0.98 * above[0.5] or above[0.5] < wanted + 0.1 or share == 1,
    "same: gradients count that differ by more than they may: the cosine is to be above 0.9",
    expected=f"about {wanted:.2f}; {above[0.5]:.2f} have a cosine above 0.5, and {above[0.0]:.2f} above 0",
    got=share,
)
expect.that(
    share < 1 or wanted > 0.9,
    "same: on a model that adds noise the gradient is another at each call. Was it asked twice?",
    expected=f"about {wanted:.2f}, as two gradients drawn here",
    got=share,
)
expect.that(
    abs(share - wanted) < 0.5 * abs(signs - wanted),  # tests/test_luck.py draws such shares
    "same: where noise is slight, the share is another: each image has a cosine of its own, of gradients and not of "
    "their signs, and it is to be above 0.9",
    expected=f"about {wanted:.2f}, as two gradients drawn here",
    got=share,
)
found = worth(shaky.eval(), x, y, eps=0.04, draws=1)
expect.that(found["not 0"] > 0.99, "not 0: a gradient that wanders is not 0", expected=1.0, got=found["not 0"])
expect.that(
    found["same"] < 0.5,
    "same: on a model that adds fresh noise the gradient is another at each call. Was it asked twice?",
    expected="few",
    got=found["same"],
)


class Turned(nn.Module):
    """Two classes; at each call, by chance, an image's gradient points one way or the other."""

    def forward(self, x):
        h = x.flatten(1).sum(1) * (2.0 * torch.randint(0, 2, (len(x),)) - 1)
        return torch.stack([-h, h], 1) / 10


share = expect.number(worth(Turned().eval(), x, torch.zeros_like(y), eps=0.04, draws=1)["same"], "same")
expect.that(
    0.3 < share < 0.7,
    "same: gradients that point in opposite ways are not the same: their cosine is -1",
    expected="about half, where each call turns an image's gradient around or not",
    got=share,
)
### END HIDDEN TESTS

# %%
# CHECK worth_uphill, 2 points
words = "a dictionary of three shares from 0 to 1: 'not 0', 'same', 'uphill'"
for name, m, wanted in (("plain", model, 1.0), ("quantised", masked["quantised"], 0.0)):
    found = expect.leaves_arguments(worth, m, x, y, eps=0.02, draws=1)
    expect.that(isinstance(found, dict) and "uphill" in found, "no such dictionary", expected=words, got=found)
    share = expect.number(found["uphill"], "uphill")
    expect.that(0 <= share <= 1, "uphill is no share", expected=words, got=share)
    expect.that(
        abs(share - wanted) < 0.03,
        f"uphill: another share for the {name} model: uphill is a higher margin after the step than before, "
        "and one as high has not risen",
        expected=wanted,
        got=share,
    )
### BEGIN HIDDEN TESTS
fresh = copy.deepcopy(trained(1 + seed % 3, updates=150))
torch.manual_seed(seed)
rough = masking.k_winners(fresh, 0.1)
lying, loud = nn.Sequential(masking.Scramble(), *fresh), nn.Sequential(*fresh, masking.Saturate(25.0))
given_labels = {"the true labels": y, "labels that the model denies": (y + 1 + torch.randint(9, y.shape)) % 10}


def slips(m, labels, eps):
    """The share that each of the mistakes below gives."""
    images = x.clone().requires_grad_()
    answers = m(images)
    said = answers.argmax(1)
    ways = [F.cross_entropy(answers, names, reduction="sum") for names in (labels, said)]
    gradient, own = (torch.autograd.grad(way, images, retain_graph=True)[0] for way in ways)
    length = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp_min(1e-30)
    with torch.no_grad():
        after = lambda step, names=labels: margin(m(step), names) > margin(m(x), names)  # noqa: E731
        ahead = (x + eps * gradient.sign()).clamp(0, 1)
        loss = [F.cross_entropy(m(some), labels, reduction="none") for some in (ahead, x)]
        found = (
            after((x + eps * gradient).clamp(0, 1)),
            loss[0] > loss[1],
            after(x + eps * gradient.sign()),
            after((x + eps * own.sign()).clamp(0, 1)),
            after((x - eps * gradient.sign()).clamp(0, 1)),
            after((x + eps * gradient / length).clamp(0, 1)),
            after(ahead, said),
            margin(m(ahead), labels) > 0,
            after((x + 0.04 * gradient.sign()).clamp(0, 1)),
        )
    return [float(slip.float().mean()) for slip in found]


named = (
    "uphill: the step follows the gradient as long as it is, and not its sign",
    "uphill: a higher loss is counted, and a higher margin is asked",
    "uphill: the images leave [0, 1] after the step: clamp them",
    "uphill: the gradient is that of the prediction's loss, and not that of y",
    "uphill: the step goes down the loss",
    "uphill: the step is eps times a gradient of length 1, and not eps times its sign",
    "uphill: the margin is that of the prediction, and not that of y",
    "uphill: images count that are wrong after the step, and a higher margin is asked, whether wrong or not",
    "uphill: the step is as long whatever eps is: take the eps that is given",
)
right, shares = [], []
for who, labels in given_labels.items():
    for kind, m in (("scrambled", lying), ("saturated", loud), ("k-winners", rough), ("plain", fresh)):
        for eps in (0.04, 0.3):
            images = x.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(F.cross_entropy(m(images), labels, reduction="sum"), images)
            with torch.no_grad():
                ahead = (x + eps * gradient.sign()).clamp(0, 1)
                wanted = float((margin(m(ahead), labels) > margin(m(x), labels)).float().mean())
            share = expect.number(worth(m.eval(), x, labels, eps=eps, draws=2)["uphill"], "uphill")
            right.append((wanted, share, kind, who, eps))
            if m is not loud:
                shares.append((share, wanted, (m, labels, eps)))
found, wanted = (torch.tensor(part) for part in list(zip(*shares, strict=True))[:2])
if (found - wanted).abs().max() > 0.011:
    told = torch.tensor([slips(*case) for *_, case in shares]).T
    expect.none_of(found, wanted, dict(zip(named, told, strict=True)), atol=0.011)
for wanted, share, kind, who, eps in right:
    expect.that(
        abs(share - wanted) < (0.06 if kind == "saturated" else 0.011),
        f"uphill: another share for a {kind} model, {who} and eps {eps}: does the step follow the sign of the "
        "gradient, end in [0, 1], and is the margin of the y that is given then higher than it was?",
        expected=f"{wanted:.3f}",
        got=share,
    )


class Torn(nn.Module):
    """Class 0 has rivals that draw apart: at each call one of the two, by chance, leads as far as the other trails."""

    def forward(self, x):
        h = x.flatten(1).sum(1)
        side = torch.where(torch.rand(len(x)) < 0.5, h, -h)
        return torch.stack([torch.zeros_like(h), side, -side], 1)


share = worth(Torn().eval(), x[:, :, :2, 2:4] + 0.01, torch.zeros_like(y), eps=0.04, draws=20)["uphill"]
expect.that(
    expect.number(share, "uphill") > 0.99,
    "uphill: where the best other class is another one at each call, the margin of the mean logits is not the mean of "
    "the margins",
    expected=1.0,
    got=share,
)
shaky = nn.Sequential(masking.Noise(0.3), *fresh).eval()
shares = {draws: expect.number(worth(shaky, x, y, eps=0.04, draws=draws)["uphill"], "uphill") for draws in (1, 200)}
expect.that(
    shares[200] > 0.85,
    "uphill: on a model that adds fresh noise the step is judged by luck. Are both margins means over the draws?",
    expected="nearly all, with 200 draws",
    got=shares[200],
)
expect.that(
    shares[1] < 0.85,
    "uphill: asked for one draw, the answer knows more than one draw can tell",
    expected="a margin from one call at each end",
    got=shares[1],
)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Square on a random mask (1 point)
#
# Square tries a change, keeps it if the margin rises, and remembers how high it was.
# On a random model that height may be the luck of one draw, and then it refuses every honest change that follows.
# Write the choice that remembers nothing: for each image, `x_adv[i]` or `proposal[i]`, whichever has the higher margin
# (with its label in `y`) as a mean over `draws` **new** calls of the model for each of the two.
# If they are equal, `x_adv[i]`. The answer is a batch of images like `x_adv`.
#
# <details><summary>Hint 1</summary>How many numbers do you compare for each image, and from how many calls?</details>
# <details><summary>Hint 2</summary>Bring the condition, (N,), into the shape of images.</details>
# <details><summary>Hint 3</summary><code>torch.where</code> takes a condition of shape (N, 1, 1, 1), if images have
# four dimensions. They may have two.</details>


# %%
def choose(model, x_adv, proposal, y, draws):
    """For each image the better of two: the higher mean margin over `draws` calls for each."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        before, after = (sum(margin(model(at), y) for _ in range(draws)) / draws for at in (x_adv, proposal))
    return torch.where((after > before).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)
    ### END SOLUTION


# %%
noisy = nn.Sequential(masking.Noise(0.3), *model).eval()


def search(choose, draws, calls=600):
    """A random search with squares on `noisy`; what is left on fresh draws, of 100 images."""
    torch.manual_seed(0)
    x_adv = x[:100]
    for _ in range(calls // (2 * draws)):
        side, change = 1 + int(torch.randint(3, ())), 0.15 * (2.0 * torch.randint(0, 2, (100, 1, 1, 1)) - 1)
        top, left = torch.randint(9 - side, (2,)).tolist()
        proposal = x_adv.clone()
        at = (..., slice(top, top + side), slice(left, left + side))
        proposal[at] = (x[:100][at] + change).clamp(0, 1)
        x_adv = choose(noisy, x_adv, proposal, y[:100], draws)
    right = torch.stack([predict(noisy, x_adv) == y[:100] for _ in range(50)]).float().mean()
    return Rate(round(100 * float(right)), 100)


# %%
plots.rates({f"600 calls, {draws} for each look": search(choose, draws) for draws in (1, 10)})

# %%
# CHECK choose, 1 point


class Shaky(nn.Module):
    """Two classes; the second leads by the sum of the pixels, and noise that is drawn at each call."""

    def forward(self, x):
        z = x.flatten(1).sum(1) + torch.randn(len(x))
        return torch.stack([-z / 2, z / 2], 1)


torch.manual_seed(seed)
some, other = torch.rand(40, 6), torch.rand(40, 6)
found = expect.tensor(
    expect.leaves_arguments(choose, Shaky(), some, other, torch.zeros(40, dtype=torch.int64), 5), like=some
)
expect.that(
    ((found == some).all(1) | (found == other).all(1)).all(),
    "an image is neither of the two: choose whole images",
    expected="x_adv[i] or proposal[i]",
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)


class Counted(Shaky):
    """The same, and counts how often each of two batches of images is asked."""

    def forward(self, x):
        lit = x.flatten(1)[:, 0] > 0.5
        self.asked = [count + int(this.sum()) for count, this in zip(self.asked, (~lit, lit), strict=True)]
        return super().forward(x)


dark, light = torch.full((10, 6), 0.4), torch.full((10, 6), 0.7)


hands = (  # two images whose pixels are the logits, and their label
    (
        "one image fools the model, and the other is taken: the higher margin counts, that of y",
        [9.0, 2, 0],
        [4.0, 5, 0],
        0,
    ),
    (
        "the margin is that of y, whatever the model says: it is higher where the model is wrong",
        [5.0, 4, 0],
        [0.0, 5, 0],
        0,
    ),
    (
        "the model is right on both: the higher margin is taken, though it is below 0, and not how often it is wrong",
        [9.0, 2, 0],
        [5.0, 2, 0],
        0,
    ),
    ("the model is wrong on both: here, too, the higher margin is taken", [1.0, 2, 0], [0.0, 5, 0], 0),
    ("with a y that the model denies: the margin is that of y, whatever the model says", [5.0, 2, 0], [9.0, 2, 0], 1),
    ("the image with the higher cross-entropy is taken, but its margin is lower", [5.0, 3, 3], [5.0, 3.5, -9], 0),
    ("the margin of the probabilities is compared, and that of the logits is asked", [0.0, 5, 0], [0.0, 6, 6], 0),
)
for draws, (words, low, high, label) in ((draws, hand) for draws in (1, 4) for hand in hands):
    for old, new in ((low, high), (high, low)):
        pair = torch.tensor([old]), torch.tensor([new])
        found = expect.tensor(choose(nn.Identity(), *pair, torch.tensor([label]), draws), like=pair[0])
        expect.that(
            found.tolist() == [high],
            words
            if draws == 1
            else "the model is not random, and with four draws another image is taken than with one: "
            "the means over the draws are compared, and each is over as many calls",
            expected=f"{high}, of x_adv {old} and proposal {new}, which are the logits as well",
            got=found,
        )


class Rare(nn.Module):
    """Where the first pixel is above 0.5 the margin is a little higher in most calls, and much lower in the others."""

    def forward(self, x):
        lit = x.flatten(1)[:, 0] > 0.5
        h = torch.where(lit, torch.where(torch.rand(len(x)) < 0.25, -8.0, 0.5), 0.0)
        return torch.stack([torch.zeros_like(h), h], 1)


for old, new in ((dark, light), (light, dark)):
    found = choose(Rare(), old.repeat(4, 1), new.repeat(4, 1), torch.zeros(40, dtype=torch.int64), 200)
    found = expect.tensor(found, like=old.repeat(4, 1))
    expect.that(
        found.min() == found.max(),
        "with 200 draws some of many equal images are chosen by luck: are both margins means over all the draws?",
        expected="the same choice for equal images",
    )
    expect.that(
        found.equal(dark.repeat(4, 1)),
        "an image wins that is higher in most calls and much lower in a few: means are compared, not votes, medians "
        "or the best draws",
        expected="the image of the higher mean margin",
    )
pair = [
    choose(Shaky(), torch.full((200, 6), 0.2), torch.full((200, 6), 0.25), torch.zeros(200).long(), 1) for _ in range(2)
]
first, second = (expect.tensor(one, like=torch.zeros(200, 6)) for one in pair)
expect.that(
    not first.equal(second) or first.unique().numel() == 1,
    "two choices by one draw are the same for 200 images: each call of the model draws anew, so no seed is set",
    expected="another choice from other draws",
)
for shape in ((300, 6), (300, 1, 2, 3)):
    labels = torch.randint(0, 2, (300,))
    x_old = torch.rand(shape) * 0.4
    better = torch.rand(300) < 0.5
    way = torch.where(better, 1.0, -1.0) * (1 - 2.0 * labels)  # up the margin of the label
    x_new = x_old + (0.1 * way).view(-1, *[1] * (len(shape) - 1))  # 0.6 in the sum
    for draws, least, most in ((400, 0.99, 1.0), (1, 0.5, 0.78))[len(shape) == 2 :]:
        found = expect.tensor(choose(Shaky(), x_old, x_new, labels, draws), like=x_old)
        took = (found == x_new).flatten(1).all(1)
        share = float((took == better).float().mean())
        expect.that(
            not (took.all() or not took.any()),
            "all images of a batch are taken from the same side: choose for each image on its own",
            expected="some of x_adv, and some of the proposal",
        )
        expect.that(
            share > 1 - least,
            "the lower margin is kept, not the higher; or the margin of another label than y",
            expected="the image on which the model is nearer to a mistake",
            got=f"{100 * share:.0f} % chosen well",
        )
        expect.that(
            share >= least,
            f"with {draws} draws some images are chosen by luck: are both margins means over all the draws?",
            expected=f"at least {100 * least:.0f} % chosen well",
            got=f"{100 * share:.0f} %",
        )
        expect.that(
            share <= most,
            "with one draw the choice is better than one draw can tell: does each call draw its own numbers, unseeded, "
            "and are there as many calls as you are told?",
            expected="a choice that errs now and then",
            got=f"{100 * share:.0f} % chosen well",
        )


class Torn(nn.Module):
    """The images whose first pixel is above 0.5 have two rivals of class 0: at each call one, by chance, leads."""

    def forward(self, x):
        h = x.flatten(1)[:, 0]
        side = torch.where((torch.rand(len(x)) < 0.5) & (h > 0.5), -h, h)
        return torch.stack([torch.zeros_like(h), side, torch.where(h > 0.5, -side, side)], 1)


found = expect.tensor(choose(Torn(), dark, light, torch.zeros(10, dtype=torch.int64), 60), like=dark)
expect.equal(
    found,
    light,
    "where the best other class is another one at each call, the lower margin is kept: take the mean of the margins, "
    "which is not the margin of the mean logits",
    expected="the images on which each call has the higher margin",
)


counted = Counted()
counted.asked = [0, 0]
dark, light = torch.full((10, 6), 0.2), torch.full((10, 6), 0.8)
choose(counted, dark, light, torch.zeros(10, dtype=torch.int64), 7)
expect.that(
    counted.asked == [70, 70],
    "the two are not asked equally often: each needs draws new calls",
    expected="7 calls for each of the two",
    got=f"{counted.asked[0] / 10:g} for x_adv, {counted.asked[1] / 10:g} for the proposal",
)


class Plain(nn.Module):
    """Nothing random: the second class leads by the sum of the pixels."""

    def forward(self, x):
        z = x.flatten(1).sum(1)
        return torch.stack([-z / 2, z / 2], 1)


old = torch.tensor([[0.25, 0.5], [0.5, 0.5]])
found = expect.tensor(choose(Plain(), old, old.flip(1) + 0.0, torch.tensor([0, 1]), 2), like=old)
expect.equal(
    found, old, "two images are equally good: then the old one stays", expected="x_adv[i] where margins are equal"
)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Three reports (1 point)
#
# Three groups have asked the questions of exercise 2 about their defenses, with counts as (yes, of).
# `"random"` is how often a step along *random* signs led uphill on the same model.
# `"left"` is what three attacks leave, as (right, of).
# Each group claims that what PGD leaves is what any attacker leaves.

# %%
reports = {
    "A": {
        "not 0": (200, 200),
        "same": (200, 200),
        "uphill": (163, 200),
        "random": (155, 200),
        "left": {"PGD": (195, 200), "Square": (37, 200), "transfer": (58, 200)},
    },
    "B": {
        "not 0": (5, 200),
        "same": (5, 200),
        "uphill": (5, 200),
        "random": (147, 200),
        "left": {"PGD": (192, 200), "Square": (37, 200), "transfer": (58, 200)},
    },
    "C": {
        "not 0": (200, 200),
        "same": (13, 200),
        "uphill": (191, 200),
        "random": (131, 200),
        "left": {"PGD": (71, 200), "Square": (154, 200), "transfer": (71, 200)},
    },
}

# %%
plots.table(
    {
        f"report {name}": {q: Rate(*pair) for q, pair in (report | report["left"]).items() if q != "left"}
        for name, report in reports.items()
    }
)

# %% [markdown]
# Write the diagnosis. It returns the **first** of these words that applies:
#
# - `"vanishes"`: clearly less than 90 % of the gradients are not 0;
# - `"wanders"`: clearly less than 90 % of the gradients are the same again;
# - `"lies"`: the gradient does not lead uphill clearly more often than random signs do;
# - `"stuck"`: the questions find nothing, and yet Square or transfer leaves clearly less than PGD;
# - `"honest"`: none of these.
#
# *Clearly less than 90 %* means that the whole 95 % interval, `Rate(yes, of).interval`, lies below 0.9.
# Two rates are compared by `clearly_above` or `clearly_below`. The grader has its own reports.
#
# <details><summary>Hint 1</summary>A gradient that vanishes is not the same again either: so order matters.</details>
# <details><summary>Hint 2</summary>80 % uphill looks good. What do random signs reach?</details>
# <details><summary>Hint 3</summary>A rate's <code>interval</code> is a pair.
# Which of its ends must lie below 0.9?</details>


# %%
def diagnose(report):
    """ "vanishes", "wanders", "lies", "stuck" or "honest"."""
    ### BEGIN SOLUTION
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"
    ### END SOLUTION


# %%
# CHECK diagnose, 1 point
kinds = ("vanishes", "wanders", "lies", "stuck", "honest")
questions = {
    "A": "does its gradient lead uphill clearly more often than random signs do?",
    "B": "what is left of its gradients at all?",
    "C": "what would a second look at its gradients show?",
}
not_so = {
    "vanishes": "at least 90 % of its gradients are not 0, up to chance",
    "wanders": "at least 90 % of its gradients are the same again, up to chance",
    "lies": "its gradient leads uphill clearly more often than random signs do",
    "stuck": "neither Square nor transfer leaves clearly less than PGD",
}
for name, word in (("A", kinds[2]), ("B", kinds[0]), ("C", kinds[1])):
    found = diagnose(reports[name])
    expect.that(isinstance(found, str) and found in kinds, "not one of the five words", got=found)
    if found != word and kinds.index(found) < kinds.index(word):
        expect.that(False, f"report {name}: {not_so[found]}", got=found)
    later = "" if found in (word, "honest") else "an earlier word of the list applies: "
    expect.that(found == word, f"report {name}: {later}{questions[name]}", got=found)
### BEGIN HIDDEN TESTS
draw = lambda low, high: float(torch.empty(()).uniform_(low, high))  # noqa: E731


def drawn(kind):
    """A report as it may be."""
    n = 100 * int(torch.randint(3, 9, ()))
    random, pgd = draw(0.5, 0.75), draw(0.3, 0.5)
    rates = {"not 0": 1.0, "same": draw(0.97, 1.0), "uphill": draw(0.93, 1.0), "random": random}
    rates |= {"PGD": pgd, "Square": pgd + draw(0.03, 0.3), "transfer": pgd + draw(0.05, 0.4)}
    if kind in ("vanishes", "most vanish"):
        share = draw(0.0, 0.2) if kind == "vanishes" else draw(0.6, 0.75)
        rates |= {"not 0": share, "same": share * draw(0.8, 1.0), "uphill": share, "PGD": 0.95}
    elif kind == "wanders":
        rates |= {"same": draw(0.0, 0.7), "uphill": draw(0.85, 1.0)}
    elif kind == "a few":  # not clearly less than 90 %
        n = 100
        rates |= {"not 0": 0.87, "same": 0.87, "uphill": 0.95}
    elif kind in ("lies", "high lie"):
        random = random if kind == "lies" else 0.9
        rates |= {"uphill": random + draw(-0.1, 0.01), "random": random, "PGD": draw(0.6, 0.9)}
    elif kind == "85 %":
        n = 2000
        rates |= {"not 0": 1.0, "same": 0.85}
    elif kind == "85 % vanish":
        n = 2000
        rates |= {"not 0": 0.85, "same": 0.85}
    elif kind == "wander and lie":
        rates |= {"same": 0.3, "uphill": random, "random": random}
    elif kind == "few above":
        n = 50
        rates |= {"not 0": 1.0, "same": 1.0, "random": 0.6, "uphill": 0.76}
    elif kind == "many above":
        n = 20_000
        rates |= {"random": random, "uphill": random + 0.04}
    elif kind == "low but honest":
        rates |= {"random": 0.3, "uphill": draw(0.55, 0.7)}
    elif kind in ("Square", "transfer"):
        rates |= {"PGD": pgd + 0.4, "Square": pgd + 0.45, "transfer": pgd + 0.45}
        rates[kind] = pgd
    elif kind == "chance":
        rates["Square"], n = pgd - 0.03, 100
    counts = {name: (round(rate * n), n) for name, rate in rates.items()}
    attacked = ("PGD", "Square", "transfer")
    return {name: pair for name, pair in counts.items() if name not in attacked} | {
        "left": {name: counts[name] for name in attacked}
    }


wanted = {
    "vanishes": ("vanishes", "nearly all of the gradients are 0"),
    "most vanish": ("vanishes", "clearly less than 90 % of the gradients are not 0"),
    "wanders": ("wanders", "the gradients are not 0, but clearly less than 90 % are the same again"),
    "a few": ("honest", "87 of 100 is not clearly less than 90 %"),
    "lies": ("lies", "random signs lead uphill as often"),
    "high lie": ("lies", "a high share uphill says nothing where random signs reach it as well"),
    "low but honest": ("honest", "the share uphill is low, but far above that of random signs"),
    "Square": ("stuck", "the gradients look fine, but Square leaves clearly less than PGD"),
    "transfer": ("stuck", "the gradients look fine, but transfer leaves clearly less than PGD"),
    "chance": ("honest", "a difference of 3 in 100 images is chance"),
    "fine": ("honest", "PGD leaves the least, and its gradients are what they say"),
    "85 %": ("wanders", "85 % of 2,000 are clearly less than 90 %"),
    "85 % vanish": ("vanishes", "85 % of 2,000 are clearly less than 90 %"),
    "wander and lie": ("wanders", "its gradients lie as well, but what comes first?"),
    "few above": ("lies", "38 of 50 uphill are not clearly more than 30 of 50"),
    "many above": ("honest", "4 % more than random signs are clear where 20,000 images were asked"),
}
torch.manual_seed(seed)
for _ in range(3):
    for kind, (word, why) in wanted.items():
        report = drawn(kind)
        found = diagnose(report)
        expect.that(isinstance(found, str) and found in kinds, "not one of the five words", got=found)
        if found == "stuck" and min(report["left"].values()) == report["left"]["PGD"]:
            why = wanted["fine"][1]
        if found in not_so and kinds.index(found) < kinds.index(word):
            why = not_so[found]
        elif found in not_so:
            why = f"an earlier word of the list applies, for {why}"
        expect.that(found == word, f"a report is misjudged: {why}", expected=f"a diagnosis of {report}", got=found)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · The hill is still there (2 points, open)
#
# `model` is masked, and you do not know how. `train_x`, `train_y` are labelled images of the same kind.
# Return images within `eps` of `x` in L∞ and in [0, 1], of which the masked model gets at most **half** right
# at `eps` = 0.15, whatever the mask. PGD on the masked models themselves left nearly all, as the bars at the top show.
# It has 20 seconds for 200 images and 1,400 to learn from.
#
# <details><summary>Hint 1</summary>Whose gradients could you follow, if not the model's?</details>
# <details><summary>Hint 2</summary>A network of your own, trained for a second on the images, has an honest gradient:
# <code>fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10)), (train_x, train_y))</code>.
# </details>
# <details><summary>Hint 3</summary>How far do your steps reach in all, and what brings an image back into the ball?
# Images that fool your network tend to fool the masked model too.</details>


# %%
def through(model, train_x, train_y, x, y, *, eps):
    """Images within eps of x and in [0, 1] that a masked model gets wrong."""
    ### BEGIN SOLUTION
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = fit(nn.Sequential(*layers), (train_x, train_y), lr=1e-2)
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv
    ### END SOLUTION


# %%
# CHECK through, 2 points
for name, m in (
    ("quantised and saturated", nn.Sequential(masking.Quantize(), *model, masking.Saturate())),
    ("scrambled", masked["scrambled"]),
):
    found = through(m, *data.train, x, y, eps=0.15)
    left = accuracy(m, (expect.images(found, x, 0.15), y))
    few = f"at most {left.n // 2} of {left.n} right"
    if left.k > 0.5 * left.n:
        reaches = (found - x).abs().flatten(1).amax(1)
        reach = float(reaches.median())
        bare = expect.images(through(model, *data.train, x, y, eps=0.15), x, 0.15)
        expect.that(
            accuracy(model, (bare, y)).k > 0.5 * left.n,
            f"too many answers of the {name} model are still right, and without a mask the same attack works: "
            "did you follow a gradient that the mask hides?",
            expected=few,
            got=left,
        )
        expect.that(
            (reaches > 0).float().mean() > 0.9 or reaches.max() < 0.12,
            "too many answers are still right, with and without a mask, and some images do not move at all: each "
            "takes every step, whatever your own network says about it",
            expected="every image moves",
            got=f"{int((reaches == 0).sum())} of {left.n} unmoved",
        )
        expect.that(
            reach >= 0.12,
            "too many answers are still right, with and without a mask, and "
            + (
                "some images stop on their way to the edge of the ball: one that fools your own network may not fool "
                "another, so go on"
                if reaches.max() >= 0.12
                else "the images do not use the ball that they may: how far do all steps go?"
            ),
            expected="pixels that move by up to 0.15",
            got=f"{reach:.3g} in half of the images",
        )
        with torch.no_grad():
            loss, before = (float(F.cross_entropy(model(images), y)) for images in (bare, x))
        expect.that(
            loss > before,
            "too many answers are still right, and for a model without a mask the loss of y fell: climb it",
            expected=f"above {before:.3g}",
            got=loss,
        )
        side = torch.where(torch.arange(64) % 8 < 4, -1.0, 1.0).view(1, 1, 8, 8)  # label 1 is bright to the right
        halves, copies = torch.arange(400) % 2, torch.arange(40) // 20
        taught = (0.5 + 0.2 * (2.0 * halves - 1).view(-1, 1, 1, 1) * side + 0.1 * torch.randn(400, 1, 8, 8)).clamp(0, 1)
        line = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        line[1].weight.data[:2], line[1].bias.data = torch.cat([-side, side]).flatten(1), torch.full((10,), -99.0)
        line[1].bias.data[:2] = 0.0
        seen = through(line, taught, halves, taught[copies], copies, eps=0.15)
        way = (expect.images(seen, taught[copies], 0.15) - taught[copies]).sign()
        up = (way * side).flatten(1).mean(1) * (1 - 2.0 * copies)
        expect.that(
            (up[:20].mean() - up[20:].mean()).abs() < 1,
            "too many answers are still right. Images of two classes move the same way, so that those of one climb the "
            "loss of y, and those of the other go down: each goes by a gradient of its own, for a label of its own",
            expected=few,
            got=left,
        )
        expect.that(
            (way[0] * way[1:20]).mean() > 0.5,
            "too many answers are still right. Equal images of one label move in different ways: "
            "is each step along the gradient of a loss, and its sign not drawn?",
            expected=few,
            got=left,
        )
        inner = ((x - 0.5).abs() < 0.35) & (reaches >= 0.12).view(-1, 1, 1, 1)
        expect.that(
            ((found - x).abs()[inner] > 0.12).float().mean() > 0.3,
            "too many answers are still right, and of most images a few pixels reach the edge of the ball, and the "
            "others hardly move: let only the sign of the gradient count",
            expected="pixels that move by up to 0.15",
            got=f"{float((found - x).abs()[inner].mean()):.3g} on the average",
        )
        expect.that(
            accuracy(model, (bare, y)).k > 0.85 * left.n,
            "too many answers are still right, and a model without a mask is fooled only at times: "
            "does each step climb the loss of y, on every image, and from where the last one ended?",
            expected=few,
            got=left,
        )
        expect.that(
            up.mean() > 0.7,
            "too many answers are still right. Where dark and bright sides tell two classes apart, many pixels move "
            "the wrong way: has the network whose gradient is followed learned from train_x, each with its own label "
            "of train_y, and for long enough?",
            expected=few,
            got=left,
        )
        expect.that(
            False,
            "too many answers are still right, and a model without a mask is not fooled either: whose gradient is "
            "followed in each step, and has this network learned from train_x and train_y?",
            expected=few,
            got=left,
        )
### BEGIN HIDDEN TESTS
fresh = copy.deepcopy(trained(1 + seed % 3))
fresh[-1].weight.data, fresh[-1].bias.data = (part.data.roll(3, 0) for part in (fresh[-1].weight, fresh[-1].bias))
m = nn.Sequential(masking.JPEG(), *fresh, masking.Saturate(1e4))
names = [(labels + 3) % 10 for labels in (data.train.y, y)]  # each digit has another name
found = through(m.eval(), data.train.x, names[0], x, names[1], eps=0.15)
left = accuracy(m, (expect.images(found, x, 0.15), names[1]))
expect.that(
    left.k <= 0.5 * left.n,
    "too many answers are still right on a model that was trained anew, wears other masks (JPEG, and loud logits), "
    "and has other names for the digits: is all that you follow learned from train_x and train_y?",
    expected=f"at most {left.n // 2} of {left.n} right",
    got=left,
)
### END HIDDEN TESTS
