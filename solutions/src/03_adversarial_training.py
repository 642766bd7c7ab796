# %% [markdown]
# # Lab 03 · Adversarial training
#
# Five exercises, 10 points, about 80 minutes after [lesson 03](../notebooks/03_adversarial_training.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# A function may call those that you wrote before it. Own cells, prints and pictures do no harm.
# Finished attacks and finished training on attacks (`utils.attacks`, `utils.adversarial`, other libraries)
# are not an answer.

# %%
import copy
import math
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, expect, plots
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.models import mlp
from utils.training import fit

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = data.test


def untrained(seed):
    """A small network for the digits that has learned nothing yet."""
    torch.manual_seed(seed)
    return mlp(data, width=64)


def left(model, x, y, eps):
    """What two attacks leave, each image at its worst: PGD on the margin, and Square, which sees scores only."""
    both = [partial(attacks.pgd, steps=20, loss=attacks.margin), partial(attacks.square, queries=100)]
    return accuracy(model, (attacks.worst_case(model, x, y, eps=eps, attacks=both), y))


plain = fit(untrained(0), data.train)

# %%
plots.rates({"no attack": accuracy(plain, (x, y)), "attacked with 0.15": left(plain, x, y, 0.15)})

# %% [markdown]
# ## 1 · The attack inside training (3 points)
#
# Write the attack that a training batch goes through. `x` (N, ...) in [0, 1] and `y` (N,) are the batch,
# `update` counts the updates of the weights from 1, and `updates` is how many there will be.
#
# - **Budget.** It grows evenly: `3 * update / updates` of `eps`, until it is all of `eps` after a third.
#   Call it *now*. The lengths below are multiples of it.
# - **Start.** A random image of the ball, another one at each call: each pixel moved by its own amount,
#   uniform in [−now, now].
# - **Climb.** `steps` steps of `reach * now / steps`, up the cross-entropy of `y`, along the *sign* of its gradient;
#   after each back into the ball of radius now around `x`, and into [0, 1].
#   Every image takes every step: the *loss* is wanted at its maximum, whether the answer is wrong already or not.
# - **Mode.** The model comes in training mode. Attack the network as it will be judged, in evaluation mode,
#   and leave weights, buffers and mode as they were.
#
# <details><summary>Hint 1</summary>It is PGD of lesson 02, with another budget at each call.
# What do Dropout and BatchNorm do in training mode?</details>
# <details><summary>Hint 2</summary>Remember <code>model.training</code>, call <code>model.eval()</code>,
# and in the end <code>model.train(was)</code>.</details>
# <details><summary>Hint 3</summary>Which of <code>backward()</code> and <code>torch.autograd.grad</code> adds nothing
# to the weights' gradients? And must the start be clamped to [0, 1] before the first step?</details>


# %%
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    """The batch x attacked by PGD within the budget of this update; the model stays as it was."""
    ### BEGIN SOLUTION
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv
    ### END SOLUTION


# %%
plots.triptych(x, attack_batch(plain, x, y, eps=0.15, update=100, updates=300), plain, y=y)

# %%
# CHECK batch_budget, 1 point
torch.manual_seed(seed)
linear, points = nn.Linear(16, 2), 0.4 + 0.2 * torch.rand(40, 16)
labels = torch.randint(0, 2, (40,))
for update, share in ((25, 0.25), (50, 0.5), (100, 1.0), (300, 1.0)):
    found = expect.tensor(attack_batch(linear, points, labels, eps=0.1, update=update, updates=300), like=points)
    moved = float((found - points).abs().max())
    expect.that(
        share < 1 or moved < 0.1 + 1e-4,
        f"at update {update} of 300 the budget is above eps: it grows until a third of the updates, and no more",
        expected="pixels that move by at most 0.1",
        got=f"{moved:.4g}",
    )
    if moved > 0.1 * share + 1e-4:
        start = attack_batch(linear, points, labels, eps=0.1, update=update, updates=300, reach=0.0)
        start = float((expect.tensor(start, like=points) - points).abs().max())
        expect.that(
            start > 0.1 * share + 1e-4 or start < 0.05 * share,
            f"at update {update} of 300 the start is within the budget of this update, and the steps lead out of it: "
            "the ball that they go back into has this radius, and its middle is x",
            expected=f"pixels that move by at most {0.1 * share:.4g}",
            got=f"{start:.4g} at the start, {moved:.4g} after the steps",
        )
    mean = float((found - points).abs().mean())
    expect.that(
        mean > 0.6 * moved or moved < 0.09 * share,
        f"at update {update} of 300 the images stay where they start at random: the steps climb, and on a linear model "
        "they end with each pixel at the edge of the ball",
        expected=f"a mean change of {0.1 * share:.4g}",
        got=f"{mean:.4g}",
    )
    words = f"at update {update} of 300 the budget is"
    slips = {
        f"{words} that of the update before: updates are counted from 1": 0.1 * (update - 1) / 100,
        f"{words} that of the update after: updates are counted from 1": 0.1 * (update + 1) / 100,
        f"{words} all of eps: 3 * update / updates is the share of eps that it is": 0.1,
        f"{words} not 3 * update / updates of eps, but update / updates": 0.1 * update / 300,
    }
    expect.none_of(moved, 0.1 * share, slips, atol=1e-4)
    expect.that(
        abs(moved - 0.1 * share) < 1e-4,
        f"at update {update} of 300 the budget is another: does it grow evenly, up to eps after a third, and no more?",
        expected=f"pixels of a linear model's images that move by {0.1 * share:.4g}",
        got=f"{moved:.4g}",
    )
    expect.images(found, points, 0.1)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for updates in (90, 240, 1000):
    for update in sorted({1, int(torch.randint(2, updates // 3, ())), updates // 3 + 1, updates - 1, updates}):
        eps = float(torch.empty(()).uniform_(0.02, 0.2))
        now = eps * min(3 * update / updates, 1)
        found = expect.tensor(
            attack_batch(linear, points, labels, eps=eps, update=update, updates=updates), like=points
        )
        moved = float((found - points).abs().max())
        expect.that(
            abs(moved - now) < 1e-4,
            f"at update {update} of {updates} the budget is another: "
            "it grows evenly from the first update on, up to eps after a third",
            expected=f"pixels of a linear model's images that move by {now:.4g}",
            got=f"{moved:.4g}",
        )
edge = torch.rand(20, 3, 4, 4).round(decimals=1)  # some pixels at 0 and at 1
small = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
for update in (10, 80):
    arguments = small, edge, torch.randint(0, 3, (20,))
    found = expect.leaves_arguments(attack_batch, *arguments, eps=0.2, update=update, updates=120, steps=2)
    expect.images(found, edge, 0.2 * min(update / 40, 1))
### END HIDDEN TESTS

# %%
# CHECK batch_mode, 1 point
torch.manual_seed(seed)
moody = nn.Sequential(nn.Dropout(0.6), nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2)).train()
some, answers = torch.rand(30, 16), torch.randint(0, 2, (30,))
whole = {"eps": 0.1, "update": 90, "updates": 90}
found = expect.leaves_arguments(attack_batch, moody, some, answers, **whole)
expect.images(found, some, 0.1)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
middle = 0.3 + 0.4 * torch.rand(60, 16)
dropping = nn.Sequential(nn.Dropout(0.7), nn.Linear(16, 2)).train()
answers = torch.randint(0, 2, (60,))
whole |= {"reach": 5.0}  # enough to reach the corner, wherever the start is
found = expect.images(expect.leaves_arguments(attack_batch, dropping, middle, answers, **whole, steps=4), middle, 0.1)
w = (dropping[1].weight[1] - dropping[1].weight[0]).detach()
wanted = middle + 0.1 * w.sign() * (1 - 2 * answers[:, None])
steady = expect.tensor(attack_batch(dropping.eval(), middle, answers, **whole, steps=4), like=middle)
other = expect.tensor(attack_batch(dropping.eval(), middle, 1 - answers, **whole, steps=4), like=middle)
words = (
    "with other labels y the images are the same: it is the loss of y that climbs, and not of the model's own answer"
)
expect.that(not torch.allclose(steady, other, atol=1e-3), words)
expect.equal(
    steady,
    wanted,
    "on a linear model that comes in evaluation mode, these are not the images of highest loss in the ball",
    expected="each pixel at the edge of the ball, on the side where the loss of y is higher",
    share=0.99,
)
expect.equal(
    found,
    wanted,
    "a model with Dropout was not attacked as it will be judged: in which mode is it while you look for the gradient?",
    expected="the images of highest loss in evaluation mode",
    share=0.99,
)
for training in (True, False):
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 3))
    model.train(training)
    labels = torch.randint(0, 3, (60,))
    found = expect.leaves_arguments(attack_batch, model, middle.view(60, 1, 4, 4), labels, **whole)
    expect.images(found, middle.view(60, 1, 4, 4), 0.1)
### END HIDDEN TESTS

# %%
# CHECK batch_strength, 1 point
torch.manual_seed(seed)
linear, points = nn.Linear(16, 2), 0.2 + 0.6 * torch.rand(300, 16)
labels = torch.randint(0, 2, (300,))
found = expect.images(attack_batch(linear, points, labels, eps=0.05, update=60, updates=90), points, 0.05)
before, after = (F.cross_entropy(linear(images), labels).item() for images in (points, found))
expect.that(after > before, "the loss of y fell: training should see images of *high* loss", expected=before, got=after)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed + 1)  # else the starts would be drawn from the numbers that the points and labels came from
linear = nn.Linear(16, 2)
w = linear.weight.diff(dim=0)[0].detach()
early = {"eps": 0.15, "update": 2, "updates": 9}  # the budget is 0.1 now
start = expect.tensor(attack_batch(linear, points, labels, **early, reach=0.0), like=points)
delta = (start - points) / 0.1
expect.that(
    (delta * w.sign() * (1 - 2 * labels[:, None])).mean() < 0.5,
    "with reach=0 no step goes anywhere, and yet the images have climbed: how long is a step, and does reach count?",
    expected="images where the attack starts",
)
expect.that(
    delta.abs().mean() > 0.05,
    "with reach=0 the images are where the attack starts, and that is x: it should be a random image of the ball",
    expected="changes of up to the budget of this update",
    got=f"a mean change of {0.1 * float(delta.abs().mean()):.3g}",
)
expect.that(
    delta.std(dim=0).min() > 0.2 and delta.std(dim=1).min() > 0.1,
    ("all images" if delta.std(dim=0).min() <= 0.2 else "the pixels of an image")
    + " start with the same change: draw one for each pixel of each image",
    expected="changes that differ",
)
expect.that(
    delta.min() < -0.5 and delta.max() > 0.5,
    "the start moves pixels up only, or down only, or not far: each goes up or down, by up to the budget now",
    expected="changes of -0.1 to 0.1",
    got=f"changes of {0.1 * float(delta.min()):.2g} to {0.1 * float(delta.max()):.2g}",
)
expect.that(
    0.45 < delta.abs().mean() < 0.55
    and delta.mean().abs() < 0.05
    and 0.15 < (delta > 0.5).float().mean() < 0.35
    and 0.2 < (delta.abs() > 0.75).float().mean() < 0.3,
    "the start is not uniform in the ball of this update",
    expected="a mean change of half the budget of this update, as often up as down",
    got=f"a mean change of {0.1 * float(delta.abs().mean()):.3g}",
)
again = expect.tensor(attack_batch(linear, points, labels, **early, reach=0.0), like=points)
expect.that(
    not torch.equal(start, again),
    "two calls start at the same images: draw new numbers at each call, and set no seed",
    expected="another start at each call",
)
half = attack_batch(linear, points, labels, **early, steps=4, reach=0.5)
along = (expect.images(half, points, 0.1) - points) * w.sign() * (1 - 2 * labels[:, None]) / 0.1
for eps, steps in ((0.05, 3), (0.1, 7), (0.08, 1)):
    linear = nn.Linear(16, 2)
    linear.bias.data = -0.5 * linear.weight.sum(1).detach()
    ahead, w = linear(points).diff(dim=1)[:, 0] * (2 * labels - 1), linear.weight.diff(dim=0)[0].detach()
    highest = F.softplus(eps * w.abs().sum() - ahead).detach()
    found = attack_batch(linear, points, labels, eps=eps, update=60, updates=90, steps=steps)
    found = expect.images(found, points, eps)
    loss = F.cross_entropy(linear(found), labels, reduction="none").detach()
    low, fell = loss < highest - 1e-3, linear(found).argmax(1) != labels
    expect.that(
        not low.any() or (low & ~fell).any(),
        "images stop climbing once the answer is wrong: in training the loss is wanted at its maximum, "
        "so every image takes every step",
        expected=f"a mean loss of {highest.mean():.4f} on a linear model",
        got=float(loss.mean()),
    )
    expect.that(
        along.mean(0).max() - along.mean(0).min() < 0.25,
        "pixels with a small gradient move less than others: each step follows the sign",
        expected="pixels that move alike, on the average over the images",
        got=0.1 * along.mean(0),
    )
    expect.that(
        (along.mean() - 0.4375).abs() < 0.03,
        "with reach=0.5 and steps=4 the four steps together should go half of the budget of this update, "
        "from the random start, each along the sign of the gradient",
        expected="a mean change of 0.0437 up the gradient, for a budget of 0.1",
        got=0.1 * float(along.mean()),
    )
    expect.that(
        not low.any(),
        f"on a linear model, where {steps} steps reach the corner of the ball, the loss could be higher: "
        "does each step follow the sign of the gradient, and do the steps together go reach * now?",
        expected=f"a mean loss of {highest.mean():.4f}",
        got=float(loss.mean()),
    )


class Turning(nn.Module):
    """Class 1 leads by a product: the first pixel's slope turns around once the second is beyond 0.62."""

    def forward(self, x):
        first, second = x[:, 0] - 0.5, x[:, 1] - 0.5
        lead = 20 * second + 50 * first * (0.12 - second)
        return torch.stack([torch.zeros_like(lead), lead], 1)


middle = torch.full((40, 2), 0.5)
arguments = {"eps": 0.1, "update": 9, "updates": 9, "steps": 20, "reach": 5.0}
found = attack_batch(Turning(), middle, torch.zeros(40, dtype=torch.int64), **arguments)
expect.equal(
    expect.images(found, middle, 0.1),
    middle + 0.1,
    "on the way the attack looks for gradients outside of the ball: after each step, not only after the last, "
    "it goes back into the ball",
    expected="the corner of the ball that is highest on the way inside of it",
    atol=1e-4,
)
other, rows = copy.deepcopy(plain), torch.randperm(len(x))[:100]
other[-1].weight.data, other[-1].bias.data = (part.data.roll(3, 0) for part in (other[-1].weight, other[-1].bias))
names = (y[rows] + 3) % 10
found = expect.images(attack_batch(other, x[rows], names, eps=0.15, update=9, updates=9, steps=7), x[rows], 0.15)
wanted = attacks.pgd(other, x[rows], names, eps=0.15, steps=7, early_stop=False)
loss, highest = (F.cross_entropy(other(images), names).item() for images in (found, wanted))
expect.that(
    loss > 0.93 * highest,
    "on a network that has other names for the digits the loss could be higher: "
    "is the gradient taken anew before each step?",
    expected=f"a loss near {highest:.3f}",
    got=loss,
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · TRADES' two terms (2 points)
#
# Given a batch `x`, `y` and attacked images `x_adv` of the same shape, the loss of TRADES is
#
# $$\frac1N \sum_i \ell(f(x_i), y_i) + \beta\, \frac1N \sum_i \mathrm{KL}\left(f(x_i)\,\Vert\,f(x^{adv}_i)\right),
# \qquad \mathrm{KL}(p\,\Vert\,q) = \sum_k p_k \log\frac{p_k}{q_k},$$
#
# where $\ell$ is the cross-entropy, and the divergence takes softmax probabilities.
# Return a pair: the loss, a number, and a list of its gradients with respect to `model.parameters()`, in their order.
# The gradient is that of the loss as it is written: weights act on both answers in the divergence.
# `model` stays as it is, in the mode that it comes in. Logits may be large: no NaN and no infinity, please.
#
# <details><summary>Hint 1</summary>The divergence is not symmetric: which answer gives the weights, and which is
# only inside the logarithm? Average over images, sum over classes.</details>
# <details><summary>Hint 2</summary>Take logarithms of probabilities by <code>log_softmax</code>:
# the logarithm of a softmax that has become 0 is infinite.</details>
# <details><summary>Hint 3</summary>Write the divergence as it stands in the formula, or look up which argument of
# <code>F.kl_div</code> is which. One call gives the gradients for a whole list of parameters.</details>


# %%
def trades(model, x, y, x_adv, *, beta):
    """The loss of TRADES, and its gradients with respect to the parameters: (number, list of tensors)."""
    ### BEGIN SOLUTION
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))
    ### END SOLUTION


# %%
# CHECK trades_loss, 1 point
torch.manual_seed(seed)
near = (x[:60] + 0.1 * torch.randn_like(x[:60])).clamp(0, 1)
settings = ((x[:60], 5.0), (near, 0.0), (near, 2.0))
pairs = [expect.leaves_arguments(trades, plain, x[:60], y[:60], images, beta=b) for images, b in settings]
for pair in pairs:
    expect.that(isinstance(pair, (tuple, list)) and len(pair) == 2, "a pair is wanted: loss and gradients", got=pair)
losses = [expect.number(pair[0], "the loss") for pair in pairs]
clean = F.cross_entropy(plain(x[:60]), y[:60]).item()
expect.that(
    abs(losses[0] - 60 * clean) > 1e-2,
    "the first term is a sum over the images, and should be their mean",
    expected=clean,
    got=losses[0],
)
for factor, how in ((5, "beta times its mean"), (-4, "1 - beta times its mean"), (1 / 6, "divided by 1 + beta")):
    expect.that(
        abs(losses[0] - factor * clean) > 1e-4,
        f"the first term is {how}: it has no factor, and beta stands before the second",
        expected=clean,
        got=losses[0],
    )
p = plain(x[:60]).detach().softmax(1)
slips = {
    f"the second term takes {what} where a logarithm is asked: F.kl_div wants its first argument from log_softmax": (
        clean + 5 * float((torch.special.xlogy(p, p) - p * inside).sum(1).mean())
    )
    for what, inside in (("probabilities", p), ("logits", plain(x[:60]).detach()))
}
expect.none_of(losses[0], clean, slips, atol=1e-3)
expect.equal(
    losses[0],
    clean,
    "where x_adv is x the answers agree, the second term is 0 whatever beta is, and the mean cross-entropy is left",
    expected=f"{clean:.4f}",
    atol=1e-4,
)
expect.that(
    abs(losses[1] - clean) < 1e-4, "at beta = 0 only the cross-entropy at x is left", expected=clean, got=losses[1]
)
expect.that(losses[2] > clean, "the second term is not positive: a divergence is", expected=clean, got=losses[2])


### BEGIN HIDDEN TESTS
def near_to(found, wanted):
    """Whether two numbers agree."""
    return abs(found - wanted) < 1e-4 * max(1, abs(wanted))


torch.manual_seed(seed)
for size, n, classes, beta in ((1.0, 12, 10, 1.0), (4.0, 30, 3, 6.0), (4.0, 1, 5, 0.5), (1000.0, 20, 10, 2.0)):
    network = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, classes))
    network[-1].weight.data *= size
    a, labels = torch.rand(n, 8), torch.randint(0, classes, (n,))
    b = (a + 0.3 * torch.randn_like(a)).clamp(0, 1)
    p, q = network(a).detach().double().log_softmax(1), network(b).detach().double().log_softmax(1)
    first = -p.gather(1, labels[:, None]).mean().item()
    term, turned = (p.exp() * (p - q)).sum(1).mean().item(), (q.exp() * (q - p)).sum(1).mean().item()
    what = "the loss of large logits (a softmax that has become 0 has no logarithm)" if size > 100 else "the loss"
    loss = expect.number(expect.leaves_arguments(trades, network, a, labels, b, beta=beta)[0], what)
    expect.that(math.isfinite(loss), "the loss is infinite where logits are large: take log_softmax", got=loss)
    words = f"{first + beta * term:.4f} = {first:.4f} + {beta:g} * {term:.4f}"
    expect.that(
        not near_to(loss, first + beta * turned) or near_to(loss, first + beta * term),
        "the divergence is the other way round: the logarithms are weighted by the probabilities at x",
        expected=words,
        got=loss,
    )
    expect.that(
        near_to(loss, first + beta * term) or not near_to((loss - first) / beta, (term + turned) / 2),
        "the divergence is the mean of both ways round: the logarithms are weighted by the probabilities at x",
        expected=words,
        got=loss,
    )
    for other, how in (
        (term / classes, "averaged over classes: sum over classes, average over images"),
        (term * n, "summed over images: sum over classes, average over images"),
        (term / n, "divided by the number of images twice: is it a mean already?"),
        (term / math.log(2), "taken to the base 2: the natural logarithm is asked"),
    ):
        expect.that(
            near_to(loss, first + beta * term) or abs((loss - first) / beta - other) > 0.02 * other,
            f"the divergence is {how}",
            expected=words,
            got=loss,
        )
    p, q = network(a).detach().double().log_softmax(0), network(b).detach().double().log_softmax(0)
    over_images = (p.exp() * (p - q)).sum().item()
    expect.that(
        near_to(loss, first + beta * term)
        or not any(near_to(loss, first + beta * over_images / count) for count in (n, classes)),
        "in the divergence the softmax goes over the images: it goes over the classes of each image",
        expected=words,
        got=loss,
    )
    expect.that(
        near_to(loss, first + beta * term) or size < 100,
        "where logits are large the loss is another: probabilities that are tiny have their logarithms, uncut",
        expected=words,
        got=loss,
    )
    if not near_to(loss, first + beta * term):
        even = nn.Linear(2, 2)
        even.weight.data, even.bias.data = torch.eye(2), torch.zeros(2)
        single = torch.zeros(1, 2), torch.tensor([0]), torch.tensor([[3.0, 1.0]]).log()
        loss, due = expect.number(trades(even, *single, beta=3.0)[0]), math.log(2) + 1.5 * math.log(4 / 3)
        slips = {
            "this is a squared difference of probabilities, and no divergence": [0.375, 0.1875],
            "of the divergence only the label's term is there: each class has a part": 1.5 * math.log(2 / 3),
            "this is a cross-entropy, which is a divergence plus the entropy at x": due + 2 * math.log(2),
            "beta is squared": 3 * due - 2 * math.log(2),
        }
        expect.none_of(loss - math.log(2), due - math.log(2), slips, atol=1e-4)
        expect.that(
            near_to(loss, due),
            "the answers of one image are (0.5, 0.5) at x and (0.75, 0.25) at x_adv, beta is 3, and another term "
            "is added than 3 times 0.5 log(0.5 / 0.75) + 0.5 log(0.5 / 0.25): each class has a part, and beta once",
            expected=f"{due:.4f} = log 2 + {due - math.log(2):.4f}",
            got=f"{loss:.4f} = log 2 + {loss - math.log(2):.4f}",
        )
        expect.that(
            False,
            "another loss, though that of one image with two classes is right: sum over classes, average over images",
            expected=words,
            got=loss,
        )
### END HIDDEN TESTS

# %%
# CHECK trades_gradient, 1 point
torch.manual_seed(seed)
near = (x[:60] + 0.1 * torch.randn_like(x[:60])).clamp(0, 1)
gradients = expect.leaves_arguments(trades, plain, x[:60], y[:60], near, beta=2.0)[1]
expect.that(
    isinstance(gradients, (tuple, list)) and len(gradients) == len(list(plain.parameters())),
    "one gradient for each parameter is wanted",
    expected=f"a list of {len(list(plain.parameters()))} tensors",
    got=f"{type(gradients).__name__}",
)
again = trades(plain, x[:60], y[:60], near, beta=2.0)[1]
for gradient, other, parameter in zip(gradients, again, plain.parameters(), strict=True):
    first, second = (expect.tensor(part, like=parameter, what="a gradient") for part in (gradient, other))
    expect.equal(
        first,
        second,
        "asked twice, the gradients are others: they were added to those that the model had before",
        expected="the same gradients",
    )


### BEGIN HIDDEN TESTS
def gradient_of(network, a, labels, b, beta, at_x=True, at_adv=True):
    """The gradient of the loss as one vector; through both answers of the divergence, or one."""
    p, q = network(a).log_softmax(1), network(b).log_softmax(1)
    p, q = p if at_x else p.detach(), q if at_adv else q.detach()
    loss = F.cross_entropy(network(a), labels) + beta * (p.exp() * (p - q)).sum(1).mean()
    return torch.cat([gradient.flatten() for gradient in torch.autograd.grad(loss, list(network.parameters()))])


for classes, n, beta in ((10, 20, 6.0), (3, 50, 1.0)):
    network = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, classes))
    network[-1].weight.data *= 4
    a, labels = torch.rand(n, 8), torch.randint(0, classes, (n,))
    b, weights = (a + 0.3 * torch.randn_like(a)).clamp(0, 1), list(network.parameters())

    pair = trades(network, a, labels, b, beta=beta)
    expect.that(
        isinstance(pair, (tuple, list)) and len(pair) == 2 and len(pair[1]) == len(weights),
        "one gradient for each parameter is wanted, behind the loss",
        expected=f"(loss, list of {len(weights)} tensors)",
    )
    gradients = [expect.tensor(s, like=w, what="a gradient") for s, w in zip(pair[1], weights, strict=True)]
    gradient, right = torch.cat([s.flatten() for s in gradients]), gradient_of(network, a, labels, b, beta)
    for stopped, where in (({"at_x": False}, "x"), ({"at_adv": False}, "x_adv")):
        expect.that(
            (gradient - gradient_of(network, a, labels, b, beta, **stopped)).norm() > 1e-3 * right.norm(),
            f"in the divergence no gradient comes through the answer at {where}: was it detached?",
            expected="the gradient of the loss as it is written, through both answers",
        )
    expect.that(
        (gradient + right).norm() > 1e-3 * right.norm(),
        "the gradients are those of minus this loss",
        expected="the way up the loss, for each parameter",
    )
    first = gradient_of(network, a, labels, b, 0.0)
    expect.none_of(
        gradient,
        right,
        {
            "the gradients are those of the first term alone: the second depends on the weights as well": first,
            "the gradients are those of the second term alone: the first depends on the weights as well": right - first,
            "in the gradients the second term counts once, whatever beta is": first + (right - first) / beta
            if beta != 1
            else first - right,
        },
        atol=1e-3 * float(right.norm()) / len(right) ** 0.5,
    )
    alike = [
        (s - due.view_as(s)).norm() < 1e-3 * right.norm()
        for s, due in zip(gradients, right.split([w.numel() for w in weights]), strict=True)
    ]
    expect.that(
        all(alike) or not any(alike),
        f"the gradients for {alike.count(False)} of {len(alike)} parameters are wrong, those of the others right: "
        "all of them, weights and biases, get theirs from the same loss",
        expected="right gradients of all parameters",
        got=f"right ones for those of the numbers {[at for at, right_one in enumerate(alike) if right_one]}",
    )
    expect.that(
        (gradient - right).norm() < 1e-3 * right.norm(),
        "the gradients are not those of this loss: is every term of it in them, as often as in the loss?",
        expected=f"a vector of length {right.norm():.4f}",
        got=f"one of length {gradient.norm():.4f}, {(gradient - right).norm():.4f} away",
    )
dull = nn.Sequential(nn.Linear(8, 16), nn.Dropout(1.0), nn.Linear(16, 3)).train()  # in training its inputs are lost
labels = torch.randint(0, 3, (20,))
for training in (True, False):
    wanted = F.cross_entropy(dull.train(training)(torch.full((20, 8), 0.3)), labels).item()
    loss = trades(dull, torch.full((20, 8), 0.3), labels, torch.full((20, 8), 0.6), beta=0.0)[0]
    expect.that(
        abs(expect.number(loss, "the loss") - wanted) < 1e-4,
        "the model was asked in another mode than it came in",
        expected=f"{wanted:.4f}, in {'training' if training else 'evaluation'} mode",
        got=loss,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Free: one pass, used twice (2 points)
#
# Train by free adversarial training. `batches` is a list of pairs `(x, y)`, all of the same size.
# The change `delta` starts at 0, in the shape of `x`. Each batch is replayed `replays` times; each replay is
#
# 1. one pass: the mean cross-entropy at $(x + \delta)$, clamped to [0, 1], and its gradients with respect to
#    the weights *and* to these images;
# 2. the weights take one step of plain gradient descent, `lr` times their gradient;
# 3. `delta` climbs by `eps` times the sign of the images' gradient, and is clamped to [−eps, eps].
#
# A new batch begins with the change of the old. Return a pair: `state_dict()` of the trained model, and `delta`.
# Train a copy (`copy.deepcopy`), in the mode that `model` comes in; `model` itself stays as it was.
#
# <details><summary>Hint 1</summary>How many times is the network asked in all?
# Once for each replay of each batch, not twice.</details>
# <details><summary>Hint 2</summary>Make the clamped images a tensor that requires a gradient, and ask for
# all gradients in one call.</details>
# <details><summary>Hint 3</summary>Weights are changed in place where no gradient is recorded.
# Where do you set <code>delta</code> to 0, before the batches or in each?</details>


# %%
def free(model, batches, *, eps, replays, lr):
    """A copy of the model trained on replayed batches, and the last change: (state_dict, tensor like x)."""
    ### BEGIN SOLUTION
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta
    ### END SOLUTION


# %%
# CHECK free_weights, 1 point
torch.manual_seed(seed)
network = nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 3)).train()
batches = [(0.3 + 0.4 * torch.rand(20, 12), torch.randint(0, 3, (20,))) for _ in range(4)]
pair = expect.leaves_arguments(free, network, batches, eps=0.1, replays=3, lr=0.1)
expect.that(isinstance(pair, (tuple, list)) and len(pair) == 2, "a pair is wanted: state_dict and delta", got=pair)
state = pair[0]
expect.that(
    isinstance(state, dict) and set(state) == set(network.state_dict()),
    "the first of the pair is not the state_dict() of the trained model",
    expected=", ".join(network.state_dict()),
    got=", ".join(map(str, state)) if isinstance(state, dict) else state,
)
expect.that(
    not torch.equal(expect.tensor(state["0.weight"], like=network[0].weight, what="0.weight"), network[0].weight),
    "these are the weights that the model came with: those of the trained copy are asked",
    expected="other weights than before",
)
passes = expect.number(state["1.num_batches_tracked"], "the number of passes")
expect.that(
    passes > 0,
    "the network was trained in evaluation mode: it is trained in the mode that it comes in",
    expected="12 passes in training mode",
    got=passes,
)
expect.that(
    passes == 12,
    "the network was asked another number of times in training: one pass for each replay gives both gradients",
    expected="12 passes for 4 batches of 3 replays",
    got=passes,
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)


def freely_trained(network, batches, replays, lr, how=""):
    """The weights, one after another, as the steps say, or with a mistake."""
    model, delta, sped = copy.deepcopy(network), torch.zeros(20, 1, 3, 4), [0.0] * 4
    rounds = batches * replays if how == "outside" else [pair for pair in batches for _ in range(replays)]
    for turn, (images, labels) in enumerate(rounds):
        delta = torch.zeros_like(delta) if how == "anew" and turn % replays == 0 else delta
        seen = (images.clone() if how == "unchanged" else images + delta).requires_grad_()
        answers = model(seen).softmax(1) if how == "softmax" else model(seen)
        loss = F.cross_entropy(answers, labels, reduction="sum" if how == "sum" else "mean")
        gradient, *down = torch.autograd.grad(loss, [seen, *model.parameters()])
        climb = 0.1 * (gradient if how == "long" else -gradient.sign() if how == "delta down" else gradient.sign())
        climb = 0.1 * gradient.mean(0, keepdim=True).sign().expand_as(climb) if how == "one" else climb
        climb *= {"shared": 1 / replays, "lr": lr / 0.1}.get(how, 1.0)
        delta = climb if how == "replaced" else (delta + climb).clamp(0 if how == "one side" else -0.1, 0.1)
        down = [way.sign() for way in down] if how == "signs" else down
        down = [way / replays for way in down] if how == "less" else down
        down = [0 * way for way in down] if how == "last" and turn % replays < replays - 1 else down
        down = [0 * way for way in down] if how == "first" and turn % replays else down
        keep = {"momentum": 0.9, "added up": 1.0}.get(how, 0.0)
        sped = [keep * old + new for old, new in zip(sped, down, strict=True)]
        for weight, step in zip(model.parameters(), sped, strict=True):
            weight.data += (lr if how == "up" else -lr) * step
    return torch.cat([weight.data.flatten() for weight in model.parameters()])


slips = {
    "anew": "a new batch begins with no change: it should begin with the change of the old",
    "one": "all images of a batch get one change: each has its own, by its own gradient",
    "outside": "all batches come in turn, and then again: each should be replayed before the next one comes",
    "unchanged": "the weights learn from the images as they are: each pass sees x + delta",
    "sum": "the step is that of a sum over the images: that of their mean is asked",
    "softmax": "the answers go through a softmax before the cross-entropy, which has one of its own",
    "long": "delta climbs by eps times the gradient itself, and not by eps times its sign",
    "lr": "delta climbs by lr: that is the weights' step, and eps is the change's",
    "delta down": "delta goes down the loss of y, and it should climb",
    "replaced": "delta is at eps or -eps after each replay, wherever it was before: it should climb from there, by eps",
    "shared": "delta climbs by eps divided by the number of replays: each replay takes a whole eps",
    "one side": "delta is never below 0: it is clamped to [-eps, eps]",
    "signs": "the weights follow the signs of their gradients: it is the gradients themselves, times lr",
    "less": "the weights' step is divided by the number of replays: each replay takes a whole one",
    "last": "the weights take a step in the last replay of a batch only: they take one in each",
    "first": "the weights take a step in the first replay of a batch only: they take one in each",
    "momentum": "each step goes on in the way of the steps before: plain gradient descent has no memory",
    "added up": "the gradients of earlier passes are still in the step: each begins with none",
    "up": "the weights go up the loss, and they should go down",
}
for count, replays, lr in ((3, 4, 0.15), (1, 1, 0.5), (1, 2, 0.5), (2, 1, 0.3)):
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 3)).train()
    batches = [(0.3 + 0.4 * torch.rand(20, 1, 3, 4), torch.randint(0, 3, (20,))) for _ in range(count)]
    trained, delta = copy.deepcopy(network), torch.zeros(20, 1, 3, 4)
    for images, labels in batches:
        for _ in range(replays):
            x_adv, weights = (images + delta).requires_grad_(), list(trained.parameters())
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(trained(x_adv), labels), [x_adv, *weights])
            delta = (delta + 0.1 * gradient.sign()).clamp(-0.1, 0.1)
            for weight, down in zip(weights, gradients, strict=True):
                weight.data -= lr * down
    pair = expect.leaves_arguments(free, network, batches, eps=0.1, replays=replays, lr=lr)
    what = f"{count} x {replays} replays"
    first = {
        (1, 1): "the first step sees the images as they are, since delta is 0: "
        "it should go lr times the gradient of the mean loss, down",
        (1, 2): "after one replay they were right. The second one sees x and delta as they are after the first",
        (2, 1): "a new batch should begin with the change of the old",
    }.get((count, replays), "are images, weights and delta replaced in each replay, all by gradients of the same pass?")
    states = [
        (expect.tensor(pair[0].get(name), like=due, what=name), due) for name, due in trained.state_dict().items()
    ]
    if count == 3:  # where each mistake gives weights of its own
        found, wanted = (torch.cat([state.flatten() for state in side]) for side in zip(*states, strict=True))
        if not torch.allclose(found, wanted, rtol=0, atol=2e-4):
            told = {said: freely_trained(network, batches, replays, lr, how) for how, said in slips.items()}
            expect.none_of(found, wanted, told, atol=2e-4)
        whole = (found, wanted, f"after {what} the weights are others: {first}")
        continue
    for found, wanted in states:
        expect.equal(
            found, wanted, f"after {what} the weights are others: {first}", expected="see the steps", atol=2e-4
        )
expect.equal(*whole, expected="see the steps", atol=2e-4)
### END HIDDEN TESTS

# %%
# CHECK free_change, 1 point
torch.manual_seed(seed)
network = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 3))
batches = [(0.3 + 0.4 * torch.rand(20, 12), torch.randint(0, 3, (20,))) for _ in range(3)]
delta = expect.leaves_arguments(free, network, batches, eps=0.1, replays=3, lr=0.1)[1]
delta = expect.tensor(delta, like=batches[0][0], what="delta")
expect.that(
    not ((delta > 0.15) & (delta < 0.85)).all(),
    "these are images, x and delta together, and the change alone is asked",
    expected="a change of at most 0.1",
    got=delta[0],
)
expect.that(
    float(delta.abs().max()) <= 0.1 + 1e-6,
    "delta left [-eps, eps]: clamp it after each step",
    expected="at most 0.1",
    got=float(delta.abs().max()),
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
said = {
    (1, 1): "after one replay delta is another: it follows the sign of the gradient of the loss at x",
    (1, 2): "delta is right after one replay, and not after a second one: this goes on from where delta was, "
    "by the gradient at x + delta, of the weights after their first step",
    (2, 1): "delta is right after one batch, and not after a second one: this begins with the change of the first, "
    "and sees its own images",
    (3, 3): "delta is right after two replays or two batches, and not after three of each: "
    "all replays of a batch come before the next batch, and each of them changes weights and delta",
}
for count, replays in said:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 3)).train()
    batches = [(0.3 + 0.4 * torch.rand(20, 1, 3, 4), torch.randint(0, 3, (20,))) for _ in range(count)]
    trained, wanted = copy.deepcopy(network), torch.zeros(20, 1, 3, 4)
    for images, labels in batches:
        for _ in range(replays):
            x_adv, weights = (images + wanted).requires_grad_(), list(trained.parameters())
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(trained(x_adv), labels), [x_adv, *weights])
            wanted = (wanted + 0.1 * gradient.sign()).clamp(-0.1, 0.1)
            for weight, down in zip(weights, gradients, strict=True):
                weight.data -= 0.5 * down
    delta = expect.tensor(free(network, batches, eps=0.1, replays=replays, lr=0.5)[1], like=wanted, what="delta")
    expect.that(
        float(delta.abs().max()) <= 0.1 + 1e-6,
        "delta left [-eps, eps]: clamp it after each step",
        expected="at most 0.1",
        got=float(delta.abs().max()),
    )
    if (count, replays) == (1, 1):
        expect.that(
            ((delta.abs() - 0.1).abs() < 1e-5).float().mean() > 0.98,
            "after one replay delta is not eps or -eps in each pixel: it begins at 0, and climbs by eps times a sign",
            expected="0.1 or -0.1",
            got=delta[0],
        )
        expect.that((delta * wanted > 0).float().mean() > 0.02, "delta goes down the loss of y, and it should climb")
        expect.that(
            not (delta == delta[:1]).all(),
            "after one replay all images have one change: each has its own, by its own gradient",
        )
    expect.equal(delta, wanted, said[count, replays], expected="see the steps", share=0.98)
edge = [(torch.rand(30, 12).round(), torch.randint(0, 3, (30,)))]  # every pixel is 0 or 1
network = nn.Sequential(nn.Linear(12, 3, bias=False))
start = network[0].weight.data.clone()
state, _ = free(network, edge, eps=0.3, replays=2, lr=1e-3)
one, two = copy.deepcopy(network), copy.deepcopy(network)
for model, top in ((one, 1.0), (two, math.inf)):
    delta = torch.zeros(30, 12)
    for _ in range(2):
        x_adv = (edge[0][0] + delta).clamp(1 - top, top).requires_grad_()
        gradient, down = torch.autograd.grad(F.cross_entropy(model(x_adv), edge[0][1]), [x_adv, model[0].weight])
        delta = 0.3 * gradient.sign()
        model[0].weight.data -= 1e-3 * down
found = expect.tensor(state["0.weight"], like=start, what="0.weight")
expect.that(
    (found - one[0].weight).norm() < (found - two[0].weight).norm(),
    "the weights learn from images outside of [0, 1]: clamp x + delta before the pass",
    expected="pixels in [0, 1]",
)


def change_at_the_edge(how):
    """delta after two replays of `edge`, whose long steps turn gradients around; for mistakes at its pixels."""
    model, delta = copy.deepcopy(network), torch.zeros(30, 12)
    for _ in range(2):
        far = (edge[0][0] + delta).requires_grad_()
        x_adv = far.clamp(0, 1)
        by = [far if how == "by delta" else x_adv, model[0].weight]
        gradient, down = torch.autograd.grad(F.cross_entropy(model(x_adv), edge[0][1]), by)
        delta = x_adv.detach() - edge[0][0] if how == "from what was seen" else delta
        delta = (delta + 0.3 * gradient.sign()).clamp(-0.3, 0.3)
        delta = (edge[0][0] + delta).clamp(0, 1) - edge[0][0] if how == "cut at once" else delta
        model[0].weight.data -= 20 * down
    return delta


found = expect.tensor(free(network, edge, eps=0.3, replays=2, lr=20.0)[1], like=edge[0][0], what="delta")
cut = "where x + delta is cut to [0, 1], delta is cut as well: it is kept in [-eps, eps] only, and goes on from there"
mistakes = {cut: [change_at_the_edge("from what was seen"), change_at_the_edge("cut at once")]}
expect.none_of(found, change_at_the_edge("as asked"), mistakes)
near = max(float((found == change_at_the_edge(how)).float().mean()) for how in ("as asked", "by delta"))  # both will do
expect.that(near > 0.98, "where x + delta is cut to [0, 1], delta is another", expected="see the steps", got=found)
network = nn.Sequential(nn.Linear(12, 16), nn.Dropout(1.0), nn.Linear(16, 3)).eval()
state, _ = free(network, edge, eps=0.1, replays=2, lr=0.5)
expect.that(
    not torch.equal(expect.tensor(state["0.weight"], like=network[0].weight, what="0.weight"), network[0].weight),
    "a network that comes in evaluation mode was trained in training mode: its Dropout should let all through",
    expected="weights in front of the Dropout that learn",
)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Three reports (1 point)
#
# Three groups report on networks that they have hardened. Each report is a dictionary:
#
# - `"eps"` the budget that it speaks of; `"moved"` how far the attacked pixels were moved at most;
# - `"images"` where the images of the evaluation come from: `"test"`, or `"train"` if the network learned from them;
# - `"left"` what each attack leaves, as (right, of): `"FGSM"` and `"PGD"` follow gradients of the network,
#   `"Square"` sees its scores only, `"transfer"` follows the gradients of another network;
# - `"claimed"` the share of right answers that it claims against **any** attacker within the budget.

# %%
reports = {
    "A": {
        "eps": 0.15,
        "moved": 0.15,
        "images": "test",
        "left": {"FGSM": (343, 400), "PGD": (331, 400), "Square": (148, 400), "transfer": (176, 400)},
        "claimed": 0.37,
    },
    "B": {
        "eps": 0.15,
        "moved": 0.15,
        "images": "test",
        "left": {"FGSM": (370, 400), "PGD": (164, 400), "Square": (231, 400), "transfer": (352, 400)},
        "claimed": 0.70,
    },
    "C": {
        "eps": 0.15,
        "moved": 0.15,
        "images": "train",
        "left": {"FGSM": (378, 400), "PGD": (366, 400), "Square": (371, 400), "transfer": (390, 400)},
        "claimed": 0.91,
    },
}

# %%
plots.table(
    {f"report {name}": {a: Rate(*pair) for a, pair in report["left"].items()} for name, report in reports.items()}
)

# %% [markdown]
# Write `verdict`. It returns the **first** of these words that applies:
#
# - `"invalid"`: the numbers are not those of the threat model, because pixels moved farther than `eps`
#   (by more than rounding, 1e-6), or because the network has seen the images in training;
# - `"masked"`: the network's own gradients mislead. Where they are of use, PGD leaves less than the other three
#   attacks. Say so if one of those leaves *clearly* less than PGD; chance alone makes small differences;
# - `"overclaims"`: an attack leaves less than is claimed, by more than rounding to whole per cent (0.005);
# - `"sound"`: none of these.
#
# The grader has its own reports. A rate `Rate(right, of)` knows `clearly_below`.
#
# <details><summary>Hint 1</summary>What if FGSM leaves <em>more</em> than PGD? That is how it should be.</details>
# <details><summary>Hint 2</summary>The claim is about any attacker: compare it with the lowest of all rates.</details>
# <details><summary>Hint 3</summary>Make a <code>Rate</code> of each pair first. In which order must the three questions
# be asked?</details>


# %%
def verdict(report):
    """ "invalid", "masked", "overclaims" or "sound"."""
    ### BEGIN SOLUTION
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"
    ### END SOLUTION


# %%
# CHECK verdict, 1 point
words = ("invalid", "masked", "overclaims", "sound")
questions = {
    "A": "which of its attacks do not need its gradients, and what do they find? One such attack is enough",
    "B": "what would you promise after the strongest of its attacks?",
    "C": "what does a rate on these images say about new ones?",
}
for name, word in (("B", words[2]), ("A", words[1]), ("C", words[0])):
    found = verdict(reports[name])
    expect.that(isinstance(found, str) and found in words, "not one of the four words", got=found)
    expect.that(
        found != words[0] or word == words[0],
        f"report {name}: its images are new ones, and to move pixels by exactly eps is within the budget",
        got=found,
    )
    expect.that(
        found != words[1] or word == words[1],
        f"report {name}: its gradients mislead only if another attack leaves clearly less than PGD, and none does",
        got=found,
    )
    expect.that(found == word, f"report {name}: {questions[name]}", got=found)
### BEGIN HIDDEN TESTS
draw = lambda low, high: float(torch.empty(()).uniform_(low, high))  # noqa: E731


def drawn(kind):
    """A report as it may be, with one flaw or none; and what is asked of whoever misses it."""
    n = 100 * int(torch.randint(4, 11, ()))
    eps, pgd = draw(0.05, 0.3), draw(0.45, 0.6)
    rates = {"FGSM": pgd + draw(0.1, 0.3), "PGD": pgd, "Square": pgd + draw(0.03, 0.1)}
    rates |= {"transfer": pgd + draw(0.15, 0.35)}
    moved, images, lift = eps, "test", 0.0
    if kind == "outside":
        moved = eps * draw(1.02, 2)
    elif kind == "a little outside":
        moved = eps + 1e-3
    elif kind == "rounding":
        moved = eps + 3e-7
    elif kind == "short":
        moved = eps * draw(0.5, 0.98)
    elif kind == "seen":
        images = "train"
    elif kind in ("Square", "transfer", "FGSM"):
        rates[kind] = pgd - draw(0.2, 0.35)
    elif kind in ("chance", "slim"):  # lower than PGD, but by chance
        rates["Square"], n = pgd - 0.03, 100
    elif kind == "high":
        lift = draw(0.03, 0.1)
    elif kind == "low":
        lift = -draw(0.02, 0.2)
    counts = {name: (round(rate * n), n) for name, rate in rates.items()}
    if kind == "fine":
        counts["PGD"] = (n // 100 * int(100 * pgd) + n // 100 - 1, n)  # just below whole per cent, and rounded up
        lift = 0.01
    if kind in (
        "uneven",
        "uneven, sound",
    ):  # Square saw a quarter of the images: the lowest number right, and a higher rate
        counts["Square"] = (round((pgd + 0.09) * n / 4), n // 4)
    claimed = math.floor(100 * min(k for k, _ in counts.values()) / n + 1e-9) / 100 + lift
    if kind in ("Square", "transfer", "FGSM") and torch.rand(()) < 0.5:
        claimed = counts["PGD"][0] / n + 0.05  # more than PGD leaves as well
    if kind == "slim":
        claimed = counts["PGD"][0] / n
    if kind == "uneven":
        claimed = pgd + 0.04
    if kind == "uneven, sound":
        claimed = math.floor(100 * counts["PGD"][0] / n + 1e-9) / 100
    if kind == "one step":  # it claims what one step leaves
        claimed = counts["FGSM"][0] / n
    if kind == "both":  # masked, if it were not for the images
        counts["Square"], images = (round(0.1 * n), n), "train"
    return {"eps": eps, "moved": moved, "images": images, "left": counts, "claimed": round(claimed, 2)}


wanted = {
    "outside": ("invalid", "the pixels moved farther than the budget"),
    "a little outside": ("invalid", "pixels that move by 0.001 too far leave the budget: rounding is a millionth"),
    "seen": ("invalid", "the images are those of the training"),
    "both": ("invalid", "it is masked as well, but what comes first?"),
    "Square": ("masked", "an attack that sees scores only leaves clearly less than PGD"),
    "transfer": ("masked", "images made for another network leave clearly less than PGD"),
    "FGSM": ("masked", "one step leaves clearly less than many"),
    "short": ("sound", "pixels that move less far than they may are within the budget"),
    "rounding": ("sound", "pixels that move by less than a millionth too far are rounding"),
    "chance": ("sound", "a difference of 3 in 100 images is chance"),
    "high": ("overclaims", "an attack leaves less than is claimed"),
    "one step": ("overclaims", "what one step leaves is not what any attacker leaves"),
    "slim": (
        "overclaims",
        "its own Square leaves less than is claimed, though not clearly less than PGD: a claim above the lowest rate, "
        "by more than 0.005, is too much, also by chance",
    ),
    "low": ("sound", "to claim less than was found is no flaw"),
    "fine": (
        "sound",
        "FGSM leaves more than PGD, as it should, and the claim is the lowest rate, rounded to whole per cent",
    ),
    "uneven, sound": (
        "sound",
        "the attacks saw different numbers of images: the lowest rate counts, and it is what is claimed",
    ),
    "uneven": (
        "overclaims",
        "PGD leaves less than is claimed. The attacks saw different numbers of images: the lowest rate counts, "
        "not the lowest number",
    ),
}
not_so = {
    "invalid": "its images are new ones, and pixels moved no farther than the budget, up to rounding",
    "masked": "no attack leaves clearly less than PGD",
    "overclaims": "no attack leaves less than is claimed, which is a share from 0 to 1, up to rounding",
}
spoken_of = {"short": "invalid", "rounding": "invalid", "chance": "masked"}  # by the sentence above
torch.manual_seed(seed)
for _ in range(3):
    for kind, (word, why) in wanted.items():
        report = drawn(kind)
        found = verdict(report)
        expect.that(isinstance(found, str) and found in words, "not one of the four words", got=found)
        if words.index(found) < words.index(word) and spoken_of.get(kind, "overclaims") != found:
            why = not_so[found]
        elif words.index(word) < words.index(found) < 3:
            why = f"an earlier word of the list applies, for {why}"
        expect.that(found == word, f"a report is misjudged: {why}", expected=f"a judgement of {report}", got=found)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Keep half (2 points, open)
#
# The bars at the top say how little plain training leaves this network at $\varepsilon$ = 0.15.
# Train `model`, which knows nothing yet, on the images `x`, `y`, and return its `state_dict()`.
# On other images it must answer at least **90 %** right as they are, and keep at least **50 %** of all answers
# when two attacks with `eps` try each image, and one success counts (the function `left` above).
# It has 20 seconds for 1,400 images; the lesson's recipes take one or two.
# The architecture stays, so no layer can be added that masks. Large logits would not help either:
# the two attacks use margins and scores.
#
# `fit(model, (x, y), updates=…, lr=…, transform=…)` is the lesson's training loop:
# `transform(model, x, y)` returns what replaces the images of a batch.
#
# <details><summary>Hint 1</summary>You have written all that is needed: exercise 1, or 2, or 3.</details>
# <details><summary>Hint 2</summary>The transform must know which update it is at:
# <code>itertools.count(1)</code>, or a list that grows by one at each call.</details>
# <details><summary>Hint 3</summary>A few hundred updates and a few steps of attack are enough; the learning rate of
# <code>fit</code> may be higher. What does <code>fit</code> return?</details>


# %%
def harden(model, x, y, *, eps):
    """The state_dict() of the model after a training that lets it withstand attacks of eps."""
    ### BEGIN SOLUTION
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    return fit(model, (x, y), updates=updates, lr=1e-2, transform=transform).state_dict()
    ### END SOLUTION


# %%
# CHECK harden, 2 points
torch.manual_seed(seed)  # the split is yours alone: what is hidden is the grader's seed
both = [torch.cat(pair) for pair in zip(data.train, data.test, strict=True)]
both[1] = (both[1] + 3) % 10  # other names for the digits
order = torch.randperm(len(both[1]))
train, test = ([part[some] for part in both] for some in (order[:1397], order[1397:]))
fresh = untrained(seed)
state = harden(copy.deepcopy(fresh), *train, eps=0.15)
expect.that(
    isinstance(state, dict) and set(state) == set(fresh.state_dict()),
    "not the state_dict() of this network",
    expected=", ".join(fresh.state_dict()),
    got=", ".join(map(str, state)) if isinstance(state, dict) else state,
)
state = {name: expect.tensor(state[name], like=like, what=name) for name, like in fresh.state_dict().items()}
expect.that(
    not all(torch.equal(state[name], value) for name, value in fresh.state_dict().items()),
    "these are the weights that the model came with: it is the trained one's state_dict() that is asked",
    expected="other weights than before",
)
far = max(float((state[name] - value).abs().max()) for name, value in fresh.state_dict().items())
fresh.load_state_dict(state)
fresh.eval()
expect.that(
    fresh(test[0]).isfinite().all(), "the trained network answers with NaN or infinity", expected="finite logits"
)
old_names = accuracy(fresh, (test[0], (test[1] - 3) % 10))
expect.that(
    old_names.k < 0.5 * old_names.n,
    "the network has learned other labels than those it was given: train it on x and y alone",
    expected="answers as in y, where each digit has another name",
    got=f"{old_names} right by the names of the notebook's data",
)
clean, robust = accuracy(fresh, test), left(fresh, *test, 0.15)
if clean.k < 0.9 * clean.n:
    learned, size = accuracy(fresh, train), max(float(weight.abs().max()) for weight in fresh.parameters())
    expect.that(
        size < 30,
        "too few answers are right without any attack, and weights are huge: is the learning rate too high?",
        expected="at least 90 %",
        got=f"{clean}, and weights of up to {size:.3g}",
    )
    expect.that(
        far > 0.05,
        "too few answers are right without any attack, for the weights are nearly where they began: is the learning "
        "rate large enough, and are there updates enough?",
        expected="at least 90 %",
        got=f"{clean}, and no weight moved by more than {far:.2g}",
    )
    expect.that(
        learned.k >= 0.2 * learned.n,
        "too few answers are right without any attack, and on those it learned from no more than by guessing: "
        "does each image have its own label in training, does the loss of this label fall, and do the images go "
        "no farther than eps?",
        expected="at least 90 % on new images",
        got=f"{clean}, and {learned} on those it learned from",
    )
    expect.that(
        learned.k >= 0.8 * learned.n,
        "too few answers are right without any attack, also on the images that it learned from: "
        + (
            "are there updates enough, and steps of a length at which the loss falls?"
            if far < 0.2
            else "do the images in training go farther than eps, or the steps too far for the loss to fall?"
        ),
        expected="at least 90 % on new images",
        got=f"{clean}, and {learned} on those it learned from",
    )
    expect.that(
        False,
        "too few answers are right without any attack: which images does it see in training? "
        "An attack there goes up the loss, and not farther than eps",
        expected="at least 90 %",
        got=clean,
    )
if robust.k < 0.5 * robust.n:
    enough = f"at least {math.ceil(0.5 * robust.n)} of {robust.n}"
    third, never = left(fresh, *test, 0.05), left(plain, x, y, 0.15)
    shorter, as_short = left(fresh, *test, 0.1), left(plain, x, y, 0.1)
    expect.that(
        robust.k > never.k + 0.2 * robust.n + (shorter.clearly_above(as_short) and 0.05 * robust.n),
        "hardly more answers are left after the attack than of the network above, which never saw an attacked image: "
        + (
            "with 0.1 in place of eps there are more, so the last images in training go less far than eps in each pixel"
            if shorter.clearly_above(as_short)
            else "do the images in training go up the loss, and not by chance, and as far as eps in the end?"
            if third.k > 0.6 * third.n and not shorter.clearly_below(as_short)
            else "are the images in training made anew at each update, by the gradient of the network as it is then?"
        ),
        expected=enough,
        got=f"{robust}, and {never} of the network above",
    )
    one = accuracy(fresh, (attacks.fgsm(fresh, *test, eps=0.15), test[1]))
    expect.that(
        one.k < 0.65 * one.n,
        "too few answers are left after many steps, though one step leaves enough: "
        "does it meet, in training, an attack that looks at the gradient more than once?",
        expected=enough,
        got=f"{robust}, and {one} after one step",
    )
    expect.that(
        False,
        "too few answers are left after the attack, though most withstand a third of eps: "
        "is the budget in training that of the test, and are there updates enough?",
        expected=enough,
        got=f"{robust}, and {third} at a third of eps",
    )
