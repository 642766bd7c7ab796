# %% [markdown]
# # Lab 02 · Stronger attackers
#
# Five exercises, 10 points, about 75 minutes after [lesson 02](../notebooks/02_stronger_attackers.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# A function may call those that you wrote before it. Own cells, prints and pictures do no harm.
# Finished attacks and losses (`utils.attacks`, other libraries) are not an answer.

# %%
import copy
import math
from functools import cache

import torch
from torch.nn import functional as F

from utils import attacks, expect, plots
from utils.data import load
from utils.evaluation import accuracy
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


model = trained(0)

# %%
accuracy(model, data.test)

# %% [markdown]
# ## 1 · Back into the ball (3 points)
#
# Write the projection that a step ends with.
# It takes images `x_adv` and `x`, both (N, ...), and returns images of the same shape.
# First into the ball of radius `eps` around `x`, each image on its own, by the shortest way:
# for `norm="linf"` no pixel may differ by more than `eps`,
# for `norm="l2"` the change of an image, taken as one long vector, may be at most `eps` long.
# Then into [0, 1]. An image that is in the ball and in [0, 1] stays as it is.
#
# <details><summary>Hint 1</summary>For L∞, clamp pixel by pixel. For L2, look at <code>x_adv - x</code>.</details>
# <details><summary>Hint 2</summary>A change that is too long is scaled down to length <code>eps</code>.
# One that is short enough must not be scaled up.</details>
# <details><summary>Hint 3</summary>The length of each image's change:
# <code>delta.flatten(1).norm(dim=1)</code>. It may be 0, and dividing by 0 gives NaN.</details>


# %%
def project(x_adv, x, *, eps, norm):
    """The nearest image in the ball around x, then clamped to [0, 1]. norm is "linf" or "l2"."""
    ### BEGIN SOLUTION
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps).clamp(0, 1)
    delta = x_adv - x
    length = delta.flatten(1).norm(dim=1).clamp_min(1e-12)
    scale = (eps / length).clamp_max(1).view(-1, *[1] * (x.dim() - 1))
    return (x + scale * delta).clamp(0, 1)
    ### END SOLUTION


# %%
# CHECK project_linf, 1 point
torch.manual_seed(seed)
far = x[:50] + torch.randn_like(x[:50])
near = expect.tensor(expect.leaves_arguments(project, far, x[:50], eps=0.1, norm="linf"), like=far)
expect.that(
    (near != x[:50]).any(),
    "an image outside of the ball is put back to x: the nearest image of the ball is at its edge",
    expected="pixels that are moved to the edge",
)
expect.that(
    not (near.min() < -0.05 and near.abs().max() <= 0.1 + 1e-5),
    "this is a change of up to eps, and an image is asked: x and the change together",
    expected="images near x",
)
expect.images(near, x[:50], 0.1)
close = 0.3 + 0.4 * x[:9]  # in [0, 1], as 0.05 more of it is
inside = expect.tensor(project(close + 0.05, close, eps=0.1, norm="linf"), like=close)
expect.that(
    ((inside - close).flatten(1).norm(dim=1) - 0.1).abs().max() > 1e-4,
    'with norm="linf" the change of an image is made eps long, as for "l2": are the two exchanged?',
    expected="a change of 0.05 in each pixel, as before",
)
expect.equal(
    inside,
    close + 0.05,
    "an image that is in the ball and in [0, 1] has changed: it stays as it is",
    expected="the same image",
)
### BEGIN HIDDEN TESTS
for words, at, start, due in (
    ("a pixel that is too high goes down to the edge of the ball", 0.5, 0.8, 0.6),
    ("a pixel that is too low goes up to the edge of the ball", 0.5, 0.2, 0.4),
    ("a pixel that is lower than in x, and in the ball, stays", 0.5, 0.45, 0.45),
    ("the edge of the ball is above 1, and the pixel ends at 1", 0.95, 1.2, 1.0),
    ("the edge of the ball is below 0, and the pixel ends at 0", 0.05, -0.2, 0.0),
):
    found = expect.tensor(
        project(torch.tensor([[start]]), torch.tensor([[at]]), eps=0.1, norm="linf"), like=torch.zeros(1, 1)
    )
    told = f"{due:g}, for x {at:g}, x_adv {start:g} and eps 0.1"
    expect.that((found - due).abs() < 1e-5, words, expected=told, got=found)
for eps, shape in ((0.1, (20, 1, 8, 8)), (0.3, (7, 5)), (0.0, (3, 2, 2)), (0.05, (1, 3, 4, 4))):
    middle = torch.rand(shape).round(decimals=1)
    for size in (0.02, 0.2, 2.0):
        far = middle + size * torch.randn(shape)
        wanted = torch.minimum(torch.maximum(far, middle - eps), middle + eps).clamp(0, 1)
        found = expect.images(project(far, middle, eps=eps, norm="linf"), middle, eps)
        expect.equal(
            found,
            wanted,
            "another image of the ball is nearer: first move the pixels that are too far from x, and only to the edge, "
            "then clamp to [0, 1]",
            expected="each pixel at the nearest allowed value",
        )
### END HIDDEN TESTS

# %%
# CHECK project_l2, 2 points
torch.manual_seed(seed)
middle = torch.full((6, 1, 4, 4), 0.5)
far = middle + 0.1 * torch.randn_like(middle)
lengths = (far - middle).flatten(1).norm(dim=1)
radius = float(lengths.median())
found = expect.tensor(expect.leaves_arguments(project, far, middle, eps=radius, norm="l2"), like=middle)
change = (found - middle).flatten(1).norm(dim=1)
near = middle + 0.01 * radius * (far - middle)
expect.that(
    not (found < 0.2).all(),
    "this is a change, and an image is asked: x and the change together",
    expected="images near x, which is 0.5",
    got=found[0],
)
expect.equal(
    expect.tensor(project(near, middle, eps=radius, norm="l2"), like=middle),
    near,
    "an image that is in the ball and in [0, 1] has changed: it stays as it is",
    expected="the same image",
)
tight = expect.tensor(project(far, middle, eps=1e-3 * radius, norm="l2"), like=middle)
expect.that(
    not tight.equal(far.clamp(0, 1)),
    'with norm="l2" no change is shortened, however small eps is: is the text compared with "l2"?',
    expected=f"lengths of at most {1e-3 * radius:.3g}",
    got=(tight - middle).flatten(1).norm(dim=1),
)
expect.that(
    ((tight - middle).abs() - 1e-3 * radius).abs().max() > 1e-6,
    'with norm="l2" each pixel is limited by itself, as for "linf": the change as a whole may be eps long',
    expected=f"lengths of at most {1e-3 * radius:.3g}",
    got=(tight - middle).flatten(1).norm(dim=1),
)
expect.that(
    (tight != middle).any(),
    "an image outside of the ball is put back to x: the nearest image of the ball is at its edge",
    expected="changes that are shortened",
)
alone = [expect.tensor(project(far[i : i + 1], middle[:1], eps=radius, norm="l2"), like=middle[:1]) for i in range(6)]
expect.equal(
    found,
    torch.cat(alone),
    "an image's result depends on the others in the batch: the change of each has a length of its own",
    expected="the same image, alone and in a batch",
)
scaled = far * (radius / lengths).clamp_max(1).view(-1, 1, 1, 1)
expect.that(
    not torch.allclose(found, scaled.clamp(0, 1), atol=1e-4),
    "the images are scaled as they are: scale their change, x_adv - x, and add it to x",
    expected="images near x, which is 0.5",
    got=found[0],
)
expect.that(
    change.max() <= radius + 1e-5,
    "an image left the L2 ball: its change is too long, "
    "and its length is the root of the sum of the squares of all its pixels, over all their axes",
    expected=f"lengths of at most {radius:.3f}",
    got=change,
)
expect.that(
    (change - lengths)[lengths < 0.999 * radius].abs().max() <= 1e-5,
    "a change that was short enough has another length now: scale only those that are too long, "
    "by the root of the sum of the squares of all pixels, and leave the others",
    expected="lengths as before",
    got=change,
)
along = F.cosine_similarity((found - middle).flatten(1), (far - middle).flatten(1))
expect.that(
    along.min() > 0.999,
    "a change points another way than before: scale it as a whole, by one number for each image",
    expected="the direction of x_adv - x",
    got=along,
)
expect.that(
    (change[lengths > radius] - radius).abs().max() <= 1e-4,
    "a change that was too long is now shorter than eps: the nearest image of the ball is at its edge",
    expected=f"lengths of {radius:.3f} where they were above it",
    got=change,
)
### BEGIN HIDDEN TESTS
still = expect.tensor(project(middle, middle, eps=0.5, norm="l2"), like=middle, what="where x_adv is x, the result")
expect.equal(still, middle, "where x_adv is x, the result is not x")
for eps, shape in ((1.0, (20, 1, 8, 8)), (0.4, (9, 5)), (0.7, (1, 3, 4, 4)), (0.5, (4, 2, 3))):
    middle = torch.rand(shape).round(decimals=1)
    for size in (0.02, 0.3, 3.0):
        far = middle + size * torch.randn(shape)
        far[0] = middle[0]  # no change at all
        delta = far - middle
        found = expect.tensor(project(far, middle, eps=eps, norm="l2"), like=middle)
        expect.that(
            found.min() >= -1e-6 and found.max() <= 1 + 1e-6,
            "left [0, 1]: clamp after the ball",
            expected="pixels in [0, 1]",
            got=f"{float(found.min()):.3g} to {float(found.max()):.3g}",
        )
        change = (found - middle).flatten(1).norm(dim=1)
        expect.that(
            change.max() <= eps + 1e-5,
            "an image left the L2 ball: its change, as one vector, is too long",
            expected=f"lengths of at most {eps}",
            got=change,
        )
        shorter = (eps / delta.flatten(1).norm(dim=1).clamp_min(1e-12)).clamp_max(1)
        wanted = (middle + shorter.view(-1, *[1] * (len(shape) - 1)) * delta).clamp(0, 1)
        delta = far.clamp(0, 1) - middle
        shorter = (eps / delta.flatten(1).norm(dim=1).clamp_min(1e-12)).clamp_max(1)
        other = middle + shorter.view(-1, *[1] * (len(shape) - 1)) * delta
        expect.that(
            torch.allclose(found, wanted, atol=1e-4) or not torch.allclose(found, other, atol=1e-4),
            "clamped to [0, 1] before the ball: the other order, which is asked for, gives another image",
            expected="first into the ball, then into [0, 1]",
        )
        expect.equal(
            found,
            wanted,
            "another image of the ball is nearer: keep the direction of the change, and shorten it as little as needed",
            expected="x + change, shortened to eps where it is longer, then clamped to [0, 1]",
            atol=1e-4,
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · The margin (2 points)
#
# A loss that does not fall asleep: for each image, the largest logit of the *other* classes minus that of `y`.
# `logits` (N, classes), `y` (N,); the answer is (N,), positive where the prediction is wrong.
# Attacks climb it, so gradients must get through.
#
# <details><summary>Hint 1</summary>Take the label's logit with <code>gather</code>.</details>
# <details><summary>Hint 2</summary>For the best of the others, the label's own must be out of the race.</details>
# <details><summary>Hint 3</summary><code>scatter</code> gives a copy with one number of each row replaced.
# By which number, so that it can never be the largest?</details>


# %%
def margin(logits, y):
    """The best other logit minus the label's, (N,)."""
    ### BEGIN SOLUTION
    own = y[:, None]
    return logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
    ### END SOLUTION


# %%
# CHECK margin, 2 points
logits, labels = torch.tensor([[2.0, 5.0, 1.0], [2.0, 5.0, 1.0], [0.0, 0.0, 4.0]]), torch.tensor([1, 0, 2])
found = expect.tensor(expect.leaves_arguments(margin, logits, labels), like=logits[:, 0])
slips = {
    "a margin is the difference of two logits, and not how many times as large one is": torch.tensor([0.4, 2.5, 0.0]),
    "no margin is below 0, and positive means wrong: the largest of the others minus the label's own, whichever of "
    "them wins": torch.tensor([3.0, 3.0, 4.0]),
    "the largest of the other classes counts alone: no mean of them, no sum, and no soft maximum (logsumexp)": [
        torch.tensor([1.5 - 5, 3 - 2, 0 - 4]),
        torch.tensor([3.0 - 5, 6 - 2, 0 - 4]),
        torch.tensor([2.3133 - 5, 5.0181 - 2, 0.6931 - 4]),
    ],
}
expect.none_of(found, torch.tensor([-3.0, 3.0, -4.0]), slips, expected="negative, positive, negative", atol=1e-3)
expect.that(
    found[1] != 0,
    "a margin is 0 where the answer is wrong: there it is above 0, "
    "the largest logit of the other classes minus the label's own, and how far above counts",
    expected="negative, positive, negative",
    got=found,
)
expect.that(
    (found != 0).all(),
    "a margin is 0 where none should be: it is below 0 where the answer is right, for the label's own logit is out of "
    "the race, and how far below counts too",
    expected="negative, positive, negative",
    got=found,
)
expect.that(
    found.unique().numel() > 1,
    "all images have the same margin: each has one of its own",
    expected="negative, positive, negative",
    got=found,
)
expect.that(
    found.sign().tolist() == [-1, 1, -1],
    "positive means wrong: the largest logit of the other classes minus the label's own, whichever of them wins",
    expected="negative, positive, negative",
    got=found,
)
expect.that(
    found[0] != found[2],
    "of two right answers one is surer, and its margin is not lower: how far below 0 counts, and is not cut off",
    expected="margins that differ",
    got=found,
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
logits, labels = torch.randn(50, 10), torch.randint(0, 10, (50,))
quiet, loud = (expect.tensor(margin(size * logits, labels), like=logits[:, 0]) for size in (0.1, 1.0))
expect.equal(
    loud,
    10 * quiet,
    "logits ten times as large have another margin than ten times the first: it is a difference of logits as they are, "
    "not divided by others, and not of probabilities",
    expected="ten times the margin",
    atol=1e-3,
)
for classes, size in ((2, 1.0), (5, 1e6), (10, 100.0), (10, 1e-3)):
    logits, labels = size * torch.randn(50, classes) - 2 * size, torch.randint(0, classes, (50,))
    own = logits[torch.arange(50), labels]
    others = torch.stack([row[torch.arange(classes) != label].max() for row, label in zip(logits, labels, strict=True)])
    found = expect.tensor(margin(logits, labels), like=own)
    off = (found - (others - own)).abs() > 1e-4 * size
    best = (found + own)[off]  # the best of the others, where it is not
    expect.that(
        off.sum() < 5 or best.max() - best.min() > 1e-3 * size,
        "the best of the other classes is a number that none of them has: "
        "what stands in for the label's own logit can win, if all logits are lower",
        expected=f"the logit of another class, here from {float(logits.min()):.4g} to {float(logits.max()):.4g}",
        got=best[:5],
    )
    expect.that(
        off.sum() < 5 or found[off].max() >= 0 or found[off].max() - found[off].min() > 1e-3 * size,
        "a fixed number taken off the label's logit is not enough where logits are large: it must never be the largest",
        expected="the margin, however large the logits",
        got=found[off][:5],
    )
    expect.equal(
        found.sign(),
        (others - own).sign(),
        "positive means wrong: the largest of the other logits, one of them and not all, minus the label's own",
        expected="above 0 exactly where another class wins",
    )
    pair = logits.topk(2).values
    slip = "where the answer is wrong the second largest logit is taken off, and not the label's, which may be lower"
    expect.none_of(
        found, others - own, {slip: torch.where(others > own, -pair.diff()[:, 0], others - own)}, atol=1e-4 * size
    )
    expect.equal(
        found,
        others - own,
        "not the difference of two logits: take the logits themselves, and the largest of the other classes",
        expected="best other logit minus that of the label, image by image",
        atol=1e-4 * size,
    )
logits, labels = torch.randn(40, 6), torch.randint(0, 6, (40,))
found, rows = expect.slope(margin, logits, labels), torch.arange(40)
expect.that(
    found is not None,
    "no gradient gets through: what is returned must be computed from the logits as they are, without detach or item",
    expected="a margin that attacks can climb",
)
found = expect.tensor(found, like=logits, what="the gradient")
expect.that(
    (found[rows, labels] + 1).abs().max() < 1e-4,
    "the gradient does not get through the label's own logit: an attack could not lower it",
    expected="a slope of -1 for it",
    got=found[0],
)
expect.that(
    (found.sum(1).abs().max() < 1e-4) and found.count_nonzero() == 80,
    "the gradient does not get through the best of the other logits: an attack could not raise it",
    expected="a slope of 1 for it, and of 0 for the rest",
    got=found[0],
)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Keep the best (2 points)
#
# Restarts help only if the right image is kept.
# `tries` is a list of attacked images, each (N, ...) like `x`, one for each restart.
# Return one image for each of the N: the try on which **that image's** margin is highest.
# An image that fell in any restart has then fallen.
#
# <details><summary>Hint 1</summary>Which of the tries is best may differ from image to image.</details>
# <details><summary>Hint 2</summary>Keep the highest margin so far, (N,), and the images that gave it.</details>
# <details><summary>Hint 3</summary>A mask <code>higher</code> (N,) chooses images:
# <code>best[higher] = x_try[higher]</code>, on a copy.</details>


# %%
def keep_best(model, tries, y):
    """For each image the try on which the model's margin is highest, (N, ...)."""
    ### BEGIN SOLUTION
    best, highest = tries[0].clone(), torch.full((len(y),), -math.inf)
    for x_try in tries:
        lead = attacks.margin(model(x_try), y).detach()
        higher = lead > highest
        best[higher], highest[higher] = x_try[higher], lead[higher]
    return best
    ### END SOLUTION


# %%
# CHECK keep_best, 2 points
torch.manual_seed(seed)
tries = [(x[:100] + 0.1 * torch.randn_like(x[:100]).sign()).clamp(0, 1) for _ in range(4)]
found = expect.tensor(expect.leaves_arguments(keep_best, model, tries, y[:100]), like=tries[0])
same = torch.stack([(x_try == found).flatten(1).all(1) for x_try in tries])
expect.that(same.any(0).all(), "an image is none of the tries", expected="one of the tries, as it is")
with torch.no_grad():
    leads = torch.stack([attacks.margin(model(x_try), y[:100]) for x_try in tries])
    lead = attacks.margin(model(found), y[:100])
expect.that(
    not torch.allclose(lead, leads.amin(0)),
    "the lowest margin is kept: an attacker wants the highest",
    expected="the try on which the model is nearest to a mistake, or deepest in it",
)
expect.that(
    torch.allclose(lead, leads.amax(0)) or not torch.allclose(lead.abs(), leads.abs().amax(0)),
    "the margin that is farthest from 0 is kept: one far below 0 belongs to an answer that is right and sure",
    expected="the highest margin, with its sign",
)
expect.that(
    not same.all(1).any(),
    "one try is taken for all images: choose for each image on its own",
    expected="images from several tries",
)
stand = (leads[:, leads.argmax(0) == 0] < 0).all()  # no try fools the model on these images
expect.that(
    same[0].any(),
    "the first try is never chosen, also where it has the highest margin"
    + (" and no try fools the model: the highest counts there as well, though it is below 0" if stand else ""),
    expected="each of the tries where it is the best",
)
expect.that(
    same[:, leads.argmax(0) == len(tries) - 1][-1].any(),
    "the last try is never chosen, also where it has the highest margin",
    expected="each of the tries where it is the best",
)
fell = torch.stack([predict(model, x_try) != y[:100] for x_try in tries]).any(0)
left = predict(model, found) != y[:100]
expect.that(
    left.sum() >= fell.sum(),
    "an image that fell in one of the restarts is lost: compare each try with the best so far, for each image on its "
    "own, by the margin with its label in y",
    expected=f"{int(fell.sum())} images wrong",
    got=f"{int(left.sum())}",
)
### BEGIN HIDDEN TESTS
for words, low, high in (  # two tries for one image of label 0, whose pixels are the logits
    (
        "one try fools the model, and the other is kept: the margin is that of y, and the higher counts",
        [5.0, 4, 0],
        [0.0, 5, 0],
    ),
    ("both tries fool the model: of these, too, the one with the higher margin is kept", [1.0, 2, 0], [0.0, 5, 0]),
    ("no try fools the model: the one with the higher margin is kept, though it is below 0", [9.0, 2, 0], [5.0, 2, 0]),
    ("the try with the lower logit of y is kept, and its margin is lower, too", [2.0, 0, 0], [5.0, 4, 0]),
    ("the try with the higher best other logit is kept, but its margin is lower", [9.0, 4, 0], [5.0, 2, 0]),
    ("the try with the higher cross-entropy is kept, but its margin is lower", [5.0, 3, 3], [5.0, 3.5, -9]),
    ("the margin of the probabilities is compared, and that of the logits is asked", [0.0, 5, 0], [0.0, 6, 6]),
):
    for tries in ([low, high], [high, low]):
        found = keep_best(torch.nn.Identity(), [torch.tensor([one]) for one in tries], torch.tensor([0]))
        found = expect.tensor(found, like=torch.tensor([high]))
        told = f"{high}, of the tries {tries[0]} and {tries[1]}, which are the logits as well"
        expect.that(found.tolist() == [high], words, expected=told, got=found)
small = copy.deepcopy(trained(1 + seed % 3))  # a class needs three, not one for each student
torch.manual_seed(seed)
for judge, eps in ((small, 0.12), (model, 0.2)):
    some = torch.randperm(len(x))[:80]
    tries = [attacks.pgd(judge, x[some], y[some], eps=eps, steps=2, seed=i, early_stop=False) for i in range(3)]
    tries += [x[some], (x[some] + eps * torch.randn_like(x[some]).sign()).clamp(0, 1)]
    with torch.no_grad():
        leads = torch.stack([attacks.margin(judge(x_try), y[some]) for x_try in tries])
        found = expect.tensor(keep_best(judge, tries, y[some]), like=tries[0])
        lead = attacks.margin(judge(found), y[some])
    fell, left = (leads > 0).any(0), lead > 0
    expect.that(
        left[fell].all(),
        "an image that fell in one of the restarts is lost: compare each try with the best so far, for each image on "
        "its own, by the margin with its label in y",
        expected=f"{int(fell.sum())} images wrong",
        got=f"{int(left.sum())}",
    )
    highest = (lead - leads.amax(0)).abs() < 1e-4
    expect.that(
        highest.all() or not highest[fell].all(),
        "another try has a higher margin where no try fools the model: the highest counts there as well, "
        "though it is below 0",
        expected="the highest margin of all tries, image by image",
        got=f"{int(highest[fell].sum())} of {int(fell.sum())} that fell, {int(highest[~fell].sum())} of the others",
    )
    expect.equal(
        lead,
        leads.amax(0),
        "another try has a higher margin, also among those that fell or did not",
        expected="the highest margin of all tries, image by image",
        atol=1e-4,
    )
    same = torch.stack([(x_try == found).flatten(1).all(1) for x_try in tries]).any(0)
    expect.that(same.all(), "an image is none of the tries", expected="one of the tries, as it is")
one = expect.tensor(keep_best(model, tries[:1], y[some]), like=tries[0])
expect.equal(one, tries[0], "with one try, that is the answer")
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Five evaluations (1 point)
#
# Why is the robust accuracy in each too high, if it is? Answer with one word:
# `"sound"`, `"weak"` (the attack could not reach the edge of the ball), `"asleep"` (the attack's loss has hardly any
# gradient, and another loss would have one), `"mean"` (restarts are not put together as an attacker would),
# `"hidden"` (it comes from attacks that follow the model's own gradient, and there is none, whatever the loss).
#
# - **A** "PGD, 10 steps of 0.001, $\varepsilon$ = 0.1: 95 % are left. With 1,000 such steps it is 12 %."
# - **B** "The model rounds its inputs to five levels. PGD leaves 94 %, FGSM as well.
#   With images made for another model 31 % are left."
# - **C** "Five restarts of PGD leave 41, 40, 42, 41 and 41 %. So we report 41 %."
# - **D** "PGD, APGD and Square, five restarts each; an image counts if all fail: 38 % are left."
# - **E** "The largest probability is 1.0000 on nearly all images. PGD on the cross-entropy leaves 90 %,
#   on the margin 17 %."

# %%
evaluations = {}
### BEGIN SOLUTION evaluations = {"A": "", "B": "", "C": "", "D": "", "E": ""}  # write me
evaluations = {"A": "weak", "B": "hidden", "C": "mean", "D": "sound", "E": "asleep"}
### END SOLUTION

# %%
# CHECK evaluations, 1 point
expect.words(evaluations, ("sound", "weak", "asleep", "mean", "hidden"), what="evaluation")
### BEGIN HIDDEN TESTS
wanted = {
    "A": ("weak", "how far do ten such steps go?"),
    "B": ("hidden", "what does an attack see that follows the gradient of a staircase?"),
    "C": ("mean", "would an attacker who may try five times take the mean?"),
    "D": ("sound", "what else would you have done?"),
    "E": ("asleep", "what is the gradient of the loss where the answer is that sure?"),
}
expect.right_words(evaluations, wanted, what="evaluation")
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · A model that shouts (2 points, open)
#
# The same network, with logits 100 times as large. It answers as before, and PGD seems to fail:

# %%
loud = copy.deepcopy(model)
loud[-1].weight.data *= 100
loud[-1].bias.data *= 100

# %%
plots.rates(
    {
        "no attack": accuracy(loud, (x, y)),
        "PGD, cross-entropy": accuracy(loud, (attacks.pgd(loud, x, y, eps=0.15), y)),
    }
)

# %% [markdown]
# Write an attack that leaves at most **40 %** of its answers right, within 0.15 of `x` in L∞ and in [0, 1].
# It has 20 seconds for 400 images.
#
# <details><summary>Hint 1</summary>How large is the gradient of the cross-entropy on this model?</details>
# <details><summary>Hint 2</summary>You have written a loss whose gradient does not vanish when logits are large,
# and a projection.</details>
# <details><summary>Hint 3</summary>Put the two together as in PGD. How long must ten steps be
# to cross the ball, and what brings them back into it?</details>


# %%
def attack_loud(model, x, y, *, eps):
    """Images within eps of x in L-infinity and in [0, 1] that a model with huge logits gets wrong."""
    ### BEGIN SOLUTION
    x_adv = x.clone()
    for _ in range(10):
        x_adv = x_adv.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(x_adv), y).sum(), x_adv)
        x_adv = project(x_adv.detach() + eps / 4 * gradient.sign(), x, eps=eps, norm="linf")
    return x_adv
    ### END SOLUTION


# %%
# CHECK attack_loud, 2 points
found = expect.images(expect.leaves_arguments(attack_loud, loud, x, y, eps=0.15), x, 0.15)
left = accuracy(loud, (found, y))
expect.few_left(
    left,
    0.4 * left.n,
    attack_loud,
    x,
    "does the attack stop too early, or for all images at once, or return another image than its best?",
    loud=100,
    quiet=(
        "where it does not shout",
        lambda: accuracy(model, (expect.images(attack_loud(model, x, y, eps=0.15), x, 0.15), y)),
    ),
)
### BEGIN HIDDEN TESTS
other = copy.deepcopy(trained(1 + seed % 3))
other[-1].weight.data *= 10_000
other[-1].bias.data *= 10_000
left = accuracy(other, (expect.images(attack_loud(other, x, y, eps=0.15), x, 0.15), y))
expect.few_left(
    left,
    0.45 * left.n,  # on a network that nobody has seen an attack may leave a little more
    attack_loud,
    x,
    "the model was trained anew and shouts a hundred times as loud: does your loss mind how large logits are?",
    loud=10_000,
)
found = expect.images(attack_loud(model, x[:50], y[:50], eps=0.05), x[:50], 0.05)
### END HIDDEN TESTS
