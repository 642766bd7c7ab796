# %% [markdown]
# # Lab 15 · At scale
#
# Five exercises, 10 points, about 80 minutes after [lesson 15](../notebooks/15_at_scale.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# Own cells, prints and pictures do no harm. All of it runs on a processor: no graphics card is needed.
# Finished training and finished scaling of the loss (`utils.adversarial`, `utils.training`, `torch.amp`)
# are not an answer.

# %%
import copy

import torch
from torch import nn
from torch.nn import functional as F

from utils import expect, plots
from utils.data import load
from utils.rate import Rate

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = data.test


def things(found, count, what, name="the result"):
    """An answer of `count` things as a list, for the checks below."""
    try:
        listed = [] if isinstance(found, (dict, str)) else list(found)
    except TypeError:
        listed = []
    expect.that(len(listed) == count, f"{name} is not {count} things", expected=what, got=found)
    return listed


def whole(found, least, what):
    """An answer that is a whole number from `least` on, for the checks below."""
    expect.that(found is not None, f"{what} is None", expected="a whole number", got="None")
    number = expect.number(found, what)
    expect.that(number >= least, f"{what} is below {least}", expected=f"{least} or more", got=found)
    expect.that(least <= number < 1e9 and number == int(number), f"{what} is no whole number", got=found)
    return int(number)


def two_epochs(found):
    """The two epochs of an answer, for the checks below."""
    both = things(found, 2, "the epoch of the alarm, and the epoch to go back to")
    return [whole(epoch, -1, "an epoch (-1 where there is none)") for epoch in both]


# %% [markdown]
# ## 1 · A collapse alarm (2 points)
#
# One-step adversarial training can lose its robustness from one epoch to the next. So after each epoch some held-out
# images are attacked. `withstood` is a list: how many of `n` such images the network withstood after each epoch so far.
# The first is epoch **0**. Return two epochs.
#
# - **When the alarm rings**: at the first epoch whose rate is *at most half* of that of the epoch before,
#   and *clearly below* it too: `Rate(k, n).clearly_below(Rate(other, n))`, the course's comparison, leaves chance out.
#   −1 where it does not ring. (`fit` compares with the best epoch so far; this alarm is for a sudden fall.)
#   A rate that loses a little in each epoch is no collapse, and neither is one that falls within its interval.
# - **Where to go back to**: the epoch whose weights withstood most, and of equal ones the latest.
#   Training ends when the alarm rings: what comes after is not known. If it does not ring, all epochs so far count.
#   −1 where there is no epoch yet.
#
# <details><summary>Hint 1</summary>Two conditions for the alarm: 400 of 1,000 after 600 is clearly below and no
# collapse; 2 of 20 after 4 is half and may be chance.</details>
# <details><summary>Hint 2</summary>Which epochs does the second answer look at, once you know the first?</details>
# <details><summary>Hint 3</summary><code>max</code> and <code>argmax</code> give one of several equal values: which?
# And what do they say of an empty list?</details>


# %%
def collapse(withstood, n):
    """The epoch at which the alarm rings, or -1, and the epoch to go back to, or -1."""
    ### BEGIN SOLUTION
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)
    ### END SOLUTION


# %%
story = [40, 95, 118, 131, 127, 12, 3, 5]  # made up: epoch by epoch, of 300 images kept aside

# %%
print("rings at epoch {}, back to epoch {}".format(*collapse(story, 300)))
plots.lines({epoch: Rate(k, 300) for epoch, k in enumerate(story)}, x="epoch", y="withstood")

# %%
# CHECK ring, 1 point
for withstood, n, words in (
    ([80, 90, 100, 20], 200, "from 100 of 200 to 20, at most half of the epoch before, and clearly below it"),
    ([80, 90, 100, 98, 97], 200, "nothing falls by half"),
    (
        [80, 60, 50],
        200,
        "60 of 200 is more than half of 80, and so is 50 of 60: half of the epoch before is what counts",
    ),
    ([90], 200, "there is one epoch, and none before it"),
):
    rings, back = two_epochs(collapse(list(withstood), n))
    wanted = 3 if withstood[-1] == 20 else -1
    expect.that(
        (rings, back) != (2, 3),
        "the two epochs have changed places: that of the alarm comes first",
        expected="3, then 2",
        got=(rings, back),
    )
    expect.that(
        rings != 2 or wanted != 3,
        "the alarm rings at the epoch that fell, and not at the one before it; the first epoch is 0",
        expected=f"3, for {withstood}",
        got=rings,
    )
    later = wanted == 3 and rings == -1 and two_epochs(collapse([*withstood, 21], n))[0] == 3
    told = "the fall is seen only if one more epoch comes after it: is the latest epoch looked at?"
    expect.that(not later, told, expected=f"{wanted}, for {withstood}", got=rings)
    expect.that(rings == wanted, f"{words}: does the alarm ring?", expected=f"{wanted}, for {withstood}", got=rings)
### BEGIN HIDDEN TESTS
random = torch.Generator().manual_seed(seed)


def draw(low, high):
    """A whole number from low to high."""
    return int(torch.randint(low, high + 1, (), generator=random))


def rings_at(withstood, n, wanted, question):
    """The alarm rings at the wanted epoch, or a question says what was not seen."""
    given = list(withstood)
    rings, _ = two_epochs(collapse(given, n))
    expect.that(given == withstood, "the list of rates was changed: work on a copy")
    expect.that(rings != 0, "the alarm rings at epoch 0, which has none before it: is that compared with the last one?")
    expect.that(rings == wanted, question, expected=f"{wanted}, for {withstood} of {n}", got=rings)


def slow(n, begin, share, least):
    """Rates that lose this share of themselves in each epoch, down to `least`."""
    found = [begin]
    while found[-1] * (1 - share) > least:
        found.append(round(found[-1] * (1 - share)))
    return found


for n in (draw(300, 500), draw(800, 1200)):
    up = [n // 10, n // 5, n // 3, n // 2 + draw(0, 9)]
    question = "the rate doubles and more, and the alarm rings: in which direction is a collapse?"
    rings_at([n // 20, n // 5, n // 2, n - 5], n, -1, question)
    question = "the alarm rings when a rate falls, not while it is low"
    rings_at([n // 20, n // 21, n // 20], n, -1, question)
    rings_at([*up, n // 20, n // 21, n // 20], n, 4, question)
    rings_at(
        [*up, n // 20], n, 4, "a collapse in the last epoch is not seen, or at another epoch: the first is epoch 0"
    )
    rings_at([up[-1], n // 30], n, 1, "a collapse from epoch 0 to epoch 1 is not seen")
    again = [*up, n // 20, n // 3, n // 2, n // 25]
    rings_at(again, n, 4, "after a collapse the rate recovers and falls again: the alarm rings at the first")
    many = 10 * n
    question = "a fall that is clear, and leaves more than half, rings: a collapse takes at least half"
    rings_at([many // 3, many // 2, int(0.4 * many), int(0.41 * many)], many, -1, question)
    question = "from a half to a fifth is a collapse, however low rates were before: the epoch just before counts"
    rings_at([n // 20, n // 20, n // 2, n // 5], n, 3, question)
    question = "a rate that loses a little in each epoch is no collapse: with which epoch is the latest one compared?"
    rings_at(slow(n, up[-1], 0.2, 12), n, -1, question)
    rings_at([*up, n // 3, n // 4], n, -1, question)
question = "a fall by half that chance explains rings: is it *clearly* below as well?"
rings_at([3, 4, 2, 4, 3], 20, -1, question)
rings_at([1, 2, 1, 0, 0, 1], draw(40, 90), -1, question)
rings_at([5, 7, 3, 6, 6, 3], draw(90, 200), -1, question)
exact = 2 * draw(60, 100)
question = "a rate of exactly half of the one before rings too: at most half"
rings_at([exact - 9, exact, exact // 2, exact // 2], 500, 2, question)
question = "a fall is overlooked whose interval of the difference leaves out 0: which comparison leaves chance out?"
for before, now in ((draw(24, 25), 12), (draw(5, 7), 0)):  # each rate's own interval meets the other's
    rings_at([before - 1, before, now], 50 if now else 100, 2, question)
question = "the alarm rings for 7 of 125 after 15, whose rate has chance in it, too: compare with the other's `Rate`"
rings_at([15, 7], 125, -1, question)
rings_at([5, 10, 5], 10, 2, "from 10 of 10 to 5: the rates are those of `n` images, here 10")
rings_at([20, 30, 0], 100, 2, "from 30 of 100 to none at all is at most half, and clearly below")
rings_at([0, 0, 0], 100, -1, "a network that never withstood anything cannot lose it")
rings_at([], 100, -1, "before the first epoch there is nothing to ring for")
for _ in range(30):
    n = draw(40, 400)
    rates = torch.rand(draw(2, 9), generator=random) * torch.rand((), generator=random)
    withstood = torch.poisson(rates * n, generator=random).clamp(max=n).int().tolist()
    pairs = [withstood[i - 1 : i + 1] for i in range(1, len(withstood))]
    fell = [2 * b <= a and Rate(b, n).clearly_below(Rate(a, n)) for a, b in pairs]
    rings_at(
        withstood,
        n,
        1 + fell.index(True) if True in fell else -1,
        "on other rates the alarm rings otherwise: is each k of n?",
    )
### END HIDDEN TESTS

# %%
# CHECK back, 1 point
rings, back = two_epochs(collapse([30, 100, 90, 92, 5], 200))
expect.that(
    (rings, back) != (1, 4), "the two epochs have changed places: that of the alarm comes first", expected="4, then 1"
)
expect.that(back not in (100, 92), "this is how many it withstood: the epoch is asked", expected="an epoch", got=back)
expect.that(back != 2, "epochs are counted from 0", expected="the epoch that withstood 100 of 200", got=back)
expect.that(
    back != 3, "the epoch before the alarm is not the one that withstood most", expected="one epoch before", got=back
)
expect.that(0 <= back < 4, "the epoch to go back to comes before the alarm", expected="an epoch from 0 to 3", got=back)
### BEGIN HIDDEN TESTS
random = torch.Generator().manual_seed(seed)


def draw(low, high):
    """A whole number from low to high."""
    return int(torch.randint(low, high + 1, (), generator=random))


def back_to(withstood, n, wanted, question):
    """The epoch to go back to is the wanted one, or a question says what was not seen."""
    rings, back = two_epochs(collapse(list(withstood), n))
    expect.that(
        back != -1 or wanted == -1,
        "-1 where there is an epoch to go back to: epoch 0 is one, and without an alarm all epochs so far count",
        expected=f"{wanted}, for {withstood} of {n}",
        got=back,
    )
    if 0 <= back < rings and question.startswith("an epoch after"):
        question = "another epoch before the alarm withstood more: go back to that one"
    told = f"{back}, where your alarm {f'rings at {rings}' if rings >= 0 else 'does not ring'}"
    expect.that(back == wanted, question, expected=f"{wanted}, for {withstood} of {n}", got=told)


for n in (draw(300, 500), draw(800, 1200)):
    a, b, best = n // 4 + draw(0, 9), n // 3 + draw(0, 9), n // 2 + draw(0, 9)
    back_to([a, best, b, b + 1, n // 30], n, 1, "another epoch before the alarm withstood more: go back to that one")
    question = "an epoch after the alarm is chosen: training has ended there, and nobody knows what would have come"
    back_to([a, b, best, n // 30, best + 20, a], n, 2, question)
    back_to([best, n // 30, best, best], n, 0, question)
    back_to([a, best, b, a], n, 1, "there is no alarm, and the epoch that withstood most is not the one chosen")
    question = "of epochs that withstood equally many the latest is wanted"
    back_to([a, best, b, best, b], n, 3, question)
    back_to([a, best, best, n // 30, n // 30], n, 2, question)
    back_to([a, b, best], n, 2, "the latest epoch withstood most")
    back_to([best, b, a], n, 0, "epoch 0 withstood most: is it looked at, and are epochs counted from 0?")
for withstood, wanted, question in (
    ([0, 0, 0], 2, "of epochs that withstood equally many, here none at all, the latest is wanted"),
    ([7], 0, "there is one epoch so far"),
    ([], -1, "before the first epoch there is nothing to go back to"),
):
    back_to(withstood, 100, wanted, question)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Whose statistics? (2 points)
#
# Write one whole update of one-step adversarial training, for a network with BatchNorm. `model` comes in training
# mode; `x` (N, ...) in [0, 1], `y` (N,) and `start` (N, ...), a random change of each pixel within ±`eps`.
#
# - **Attack.** One step: the gradient, with respect to the image, of the cross-entropy of `y` at `x + start` in [0, 1];
#   the change is `start` plus `1.25 * eps` along the gradient's *sign*, kept within ±`eps`;
#   the attacked image is `x` plus this change, kept in [0, 1].
# - **Update.** The weights less `lr` times the gradient of the *mean* cross-entropy of `y` at the attacked images.
# - **Mode.** The weights learn from the loss under the statistics of the *batch*, so that is the loss to climb:
#   the network computes in training mode in the attack as well as in the update.
# - **Statistics.** A pass in training mode moves BatchNorm's running statistics. The pass at the attacked images must
#   do so, once. What the attack tries on the way is not what the network learns from, and must leave no trace in them.
#
# Return a dictionary: the `state_dict()` of the updated network, weights and statistics.
# The network that you are given and the batch stay as they are: work on `copy.deepcopy(model)`.
#
# <details><summary>Hint 1</summary>Print the <code>state_dict</code> of a small network before and after one call in
# training mode. Which three entries of a BatchNorm layer have moved?</details>
# <details><summary>Hint 2</summary>How could the attack ask a network that is like yours, but is not yours?</details>
# <details><summary>Hint 3</summary>With <code>torch.autograd.grad</code> nothing is added to the weights'
# <code>.grad</code>; with <code>backward()</code> the attack's gradient stays there until somebody clears it.</details>


# %%
def adversarial_update(model, x, y, start, *, eps, lr):
    """The state of the network after one update on attacked images, {name: tensor}."""
    ### BEGIN SOLUTION
    asked, model = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (uphill,) = torch.autograd.grad(F.cross_entropy(asked(there), y), there)
    x_adv = (x + (start + 1.25 * eps * uphill.sign()).clamp(-eps, eps)).clamp(0, 1)
    weights = list(model.parameters())
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), weights)
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= lr * gradient
    return model.state_dict()
    ### END SOLUTION


# %%
def normalised(seed, momentum=0.1):
    """A small network with BatchNorm, in training mode and in float64, for images (N, 1, 6, 6) of three classes."""
    torch.manual_seed(seed)
    first = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, momentum=momentum), nn.Tanh(), nn.Flatten()]
    return nn.Sequential(
        *first, nn.Linear(64, 8), nn.BatchNorm1d(8, momentum=momentum), nn.Tanh(), nn.Linear(8, 3)
    ).double()


def a_batch(many, seed, eps, shape=(1, 6, 6)):
    """Images, labels of three classes, and a start for the attack."""
    torch.manual_seed(seed)
    images = torch.rand(many, *shape).double()
    return images, torch.randint(0, 3, (many,)), eps * (2 * torch.rand_like(images) - 1)


def state_like(found, model):
    """A returned state with the names, shapes and types of the model's, for the checks below."""
    state = model.state_dict()
    expect.that(
        isinstance(found, dict) and set(found) == set(state),
        "what is returned is no dictionary with the names of model.state_dict()",
        expected=", ".join(state),
        got=sorted(map(str, found)) if isinstance(found, dict) else found,
    )
    return {name: expect.tensor(found[name], like=state[name], what=name) for name in state}


# %%
# CHECK statistics, 1 point
network = normalised(seed)
batch = a_batch(12, seed, 0.1)
found = state_like(expect.leaves_arguments(adversarial_update, network, *batch, eps=0.1, lr=0.5), network)
for part in ("weight", "running_mean"):
    moved = any(not torch.equal(found[name], old) for name, old in network.state_dict().items() if part in name)
    expect.that(moved, f"no {part} has moved: an update changes weights, and in training mode statistics too")
### BEGIN HIDDEN TESTS
for trial, (many, momentum) in enumerate(((12, 0.1), (30, 0.5), (9, None), (17, 0.02))):
    network, (images, labels, start) = normalised(seed + trial, momentum), a_batch(many, seed + trial, 0.2)
    for _ in range(trial):  # statistics that have begun
        network(a_batch(20, seed + 50 + trial, 0.2)[0])
    once, twice, tried = (copy.deepcopy(network) for _ in range(3))
    once(images)  # with eps = 0 the attacked image is the image
    tried((images + start).clamp(0, 1))
    twice((images + start).clamp(0, 1))
    twice(images)
    given = network, images.transpose(2, 3).contiguous().transpose(2, 3), labels, start
    found = state_like(expect.leaves_arguments(adversarial_update, *given, eps=0.0, lr=0.3), network)
    before = network.state_dict()
    names = [name for name in before if "running" in name]
    others = {"still": network, "leaking": twice, "elsewhere": tried, "right": once}
    close = {
        kind: all(torch.allclose(found[name], other.state_dict()[name], atol=1e-9) for name in names)
        for kind, other in others.items()
    }
    question = "the running statistics have not moved: in which mode does the network compute in the update?"
    expect.that(not close["still"], question, expected="statistics that take in the attacked batch")
    question = "what the attack tried is in the running statistics: its pass must leave no trace in them"
    expect.that(not close["leaking"], question, expected="statistics that took in one batch, the attacked one")
    question = "the running statistics took in x + start, and not the attacked images: with eps = 0 these are x itself"
    expect.that(not close["elsewhere"], question, expected="statistics that took in one batch, the attacked one")
    question = (
        "the running statistics are not those of one pass at the attacked images: with eps = 0 these are x itself, "
    )
    question += "and there is one update"
    expect.that(close["right"], question, expected="statistics that took in one batch, the attacked one")
    for name in (name for name in before if "tracked" in name):
        passes = int(found[name] - before[name])
        question = (
            "BatchNorm's own count of batches says otherwise than one batch an update: the attack is to leave no trace"
        )
        expect.that(passes == 1, question, expected=f"{name} that grows by 1", got=f"by {passes}")
### END HIDDEN TESTS

# %%
# CHECK attacked_weights, 1 point
network = normalised(seed + 1)
images, labels, start = a_batch(20, seed + 1, 0.1)
state = state_like(adversarial_update(network, images, labels, start, eps=0.1, lr=0.0), network)
for name, weight in network.named_parameters():
    expect.that(torch.equal(state[name], weight), f"with lr = 0 {name} has moved", expected="weights as they were")
### BEGIN HIDDEN TESTS


def in_steps(model, x, y, start, eps, lr, how):
    """The update by hand, and with one thing done otherwise: what a wrong answer comes to."""
    asked, learns = copy.deepcopy(model), copy.deepcopy(model)
    asked.train(how not in ("asked in eval", "all in eval"))
    learns.train(how not in ("learns in eval", "all in eval"))
    inside = x + start if how in ("outside", "through") else (x + start).clamp(0, 1)
    there = (x if how in ("no start", "gradient at x") else inside).clone().requires_grad_()
    answers = asked(there.clamp(0, 1) if how == "through" else there)
    loss = F.cross_entropy(answers, answers.argmax(1) if how == "own labels" else y)
    (uphill,) = torch.autograd.grad(loss, there, retain_graph=True)
    first = torch.autograd.grad(loss, list(asked.parameters()))
    lengths = {
        "downhill": -1.25,
        "long as eps": 1.0,
        "no step": 0.0,
        "twice as long": 2.5,
        "short": 0.5,
        "very short": 0.25,
    }
    step = lengths.get(how, 1.25) * eps
    smooth = {"smooth": 0.1}.get(how, 0.0)
    begun = {"no start": 0 * start, "cut start": (x + start).clamp(0, 1) - x}.get(how, start)
    start = {"half start": start.clamp(-eps / 2, eps / 2), "other start": -start}.get(how, start)
    begun = start if how in ("half start", "other start") else begun
    long = {"largest": uphill / uphill.abs().max(), "no sign": uphill, "length": uphill / uphill.norm()}
    long["each length"] = uphill / uphill.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1)).clamp_min(1e-12)
    change = begun + step * long.get(how, uphill.sign())
    ball = {"half ball": eps / 2, "wide ball": 2 * eps, "long ball": 1.25 * eps}.get(how, eps)
    x_adv = x + (change if how == "no ball" else change.clamp(-ball, ball))
    if how == "from there":
        x_adv = inside + step * uphill.sign()
    if how == "ball around there":
        x_adv = inside + (step * uphill.sign()).clamp(-eps, eps)
    if how == "twice":
        there = x_adv.clamp(0, 1).detach().requires_grad_()
        (uphill,) = torch.autograd.grad(F.cross_entropy(asked(there), y), there)
        x_adv = x + ((x_adv - x) + step * uphill.sign()).clamp(-eps, eps)
    if how == "twice from start":
        there = x_adv.clamp(0, 1).detach().requires_grad_()
        (uphill,) = torch.autograd.grad(F.cross_entropy(asked(there), y), there)
        x_adv = x + (start + step * uphill.sign()).clamp(-eps, eps)
    if how == "image cut":
        x_adv = (x + change).clamp(0, 1).clamp(-eps, eps)
    x_adv = x if how == "clean" else x_adv if how == "no box" else x_adv.clamp(-1 if how == "wide box" else 0, 1)
    if how == "one batch":
        x_adv, y = torch.cat([x, x_adv]), torch.cat([y, y])
    answers, weights = learns(x_adv), list(learns.parameters())
    loss = F.cross_entropy(answers, y, reduction="sum" if how == "sum" else "mean", label_smoothing=smooth)
    if how == "kl":
        log, first_answers = answers.log_softmax(1), copy.deepcopy(model).train()(x).softmax(1).detach()
        loss = F.kl_div(log, first_answers, reduction="batchmean")
    if how == "half loss":
        loss = loss / 2
    if how == "softmax":
        loss = F.cross_entropy(answers.softmax(1), y)
    loss = (loss + F.cross_entropy(learns(x), y)) / 2 if how == "clean too" else loss
    gradients = torch.autograd.grad(loss, weights)
    if how == "both":
        gradients = [a + b for a, b in zip(gradients, first, strict=True)]
    up = {"uphill": -lr, "lr eps": lr * eps, "no lr": 1.0, "tenth": lr / 10}.get(how, lr)
    decay = {"decay": 5e-4, "decay more": 1e-4, "decay most": 1e-2}.get(how, 0.0)
    if how == "signs":
        gradients = [g.sign() for g in gradients]
    moved = [w.detach() - up * (g + decay * w.detach()) for w, g in zip(weights, gradients, strict=True)]
    if how == "two updates":
        for w, new in zip(weights, moved, strict=True):
            w.data = new
        again = torch.autograd.grad(F.cross_entropy(learns(x_adv), y), weights)
        moved = [w.detach() - up * g for w, g in zip(weights, again, strict=True)]
    return moved


QUESTIONS = {
    "asked in eval": "the attack climbed the loss under the running statistics: under whose do the weights learn?",
    "learns in eval": "the update used the running statistics: in which mode does a network learn?",
    "all in eval": "attack and update used the running statistics: in which mode does a network learn?",
    "clean": "the weights learned from the batch as it came: at which images is the update's loss taken?",
    "clean too": "the weights learned from the batch as it came as well: the attacked images alone are wanted",
    "one batch": "the weights learned from one batch of clean and attacked images: the attacked alone are wanted",
    "no step": "the weights learned from the images where the attack begins: it has taken no step",
    "own labels": "the attack climbs the loss of the network's own answer, and not of y",
    "both": "the attack's own gradient has reached the weights: the update's alone should move them",
    "uphill": "the weights went up the loss: they should go down it, where the images went up",
    "downhill": "the attack's step goes down the loss",
    "long as eps": "the attack's step has another length than 1.25 * eps",
    "no start": "the attack does not begin at x + start",
    "gradient at x": "the attack's gradient is taken at another image than the one where the attack begins",
    "cut start": "where x + start leaves [0, 1] less than the start was kept: the change is all of it, plus the step",
    "outside": "the attack's gradient is taken at an image outside of [0, 1]",
    "through": "the gradient went back through the clamp, where it is 0: take it with respect to the image in [0, 1]",
    "no sign": "the attack follows the gradient, and not its sign",
    "largest": "the attack follows the gradient divided by its largest number, and not its sign",
    "half start": "the start was cut before the step: all of it counts",
    "other start": "the start has the other sign in the change",
    "twice as long": "each pixel changes by all of eps: is the step 1.25 * eps long, and does start come in?",
    "short": "the attack's step is half of eps long: 1.25 * eps is asked",
    "very short": "the attack's step is a quarter of eps long: 1.25 * eps is asked",
    "kl": "the loss compares with the answers on the clean images, and not with y",
    "half loss": "the gradient is half of what it should be: is the attacked batch's loss one of several?",
    "length": "the attack follows the gradient divided by its length, and not its sign",
    "each length": "the attack follows each image's gradient divided by its length, and not its sign",
    "from there": "the step goes on from x + start in [0, 1], and its end is not kept within eps of x",
    "ball around there": "the change is kept within eps of x + start: keep it within eps of x",
    "image cut": "the attacked images themselves are kept within eps of 0: it is their change from x that is small",
    "half ball": "the change is kept within half of eps",
    "wide ball": "the change is kept within twice eps",
    "long ball": "the change is kept within 1.25 * eps: the step is as long, and the ball is eps",
    "twice": "the attack takes two steps: one is asked",
    "twice from start": "the attack takes two steps: one is asked",
    "smooth": "the labels are smoothed in the update's loss: it is the plain cross-entropy",
    "softmax": "softmax was applied before the cross-entropy, which applies it itself",
    "lr eps": "the learning rate is multiplied by eps",
    "no lr": "the learning rate does not come in",
    "tenth": "a tenth of the learning rate was used",
    "decay": "the weights shrink as well, by weight decay: the step is lr times the gradient alone",
    "decay more": "the weights shrink as well, by weight decay: the step is lr times the gradient alone",
    "decay most": "the weights shrink as well, by weight decay: the step is lr times the gradient alone",
    "signs": "the weights take the sign of their gradient: only images move by a sign",
    "no ball": "the attacked images leave the ball: keep the change within eps",
    "no box": "the attacked images leave [0, 1]",
    "wide box": "the attacked images are kept in [-1, 1]: an image lies in [0, 1]",
    "two updates": "the weights take two steps, where one update is asked",
    "sum": "the gradient is that of the sum over the batch: how would the step change with a larger batch?",
}
for trial, (many, eps, lr) in enumerate(((14, 0.15, 0.4), (33, 0.05, 1.0), (10, 0.3, 0.05), (1, 0.1, 0.3))):
    network, (images, labels, start) = normalised(seed + 10 + trial), a_batch(many, seed + 10 + trial, eps)
    if many == 1:  # a single image has statistics of its pixels
        network = nn.Sequential(*network[:4], nn.Linear(64, 3).double())
    network(a_batch(40, seed + 60 + trial, eps)[0].square())
    given = network, images, labels, start
    found = state_like(expect.leaves_arguments(adversarial_update, *given, eps=eps, lr=lr), network)
    weights = [found[name] for name, _ in network.named_parameters()]
    wanted = in_steps(*given, eps, lr, "")
    again = state_like(adversarial_update(*given, eps=eps, lr=lr), network)
    expect.that(
        all(torch.allclose(found[name], again[name]) for name in found),
        "two calls with the same arguments come to two networks: all that is random comes as `start`",
        expected="the same numbers",
    )
    for (name, old), new, other in zip(network.named_parameters(), weights, wanted, strict=True):
        moves = not name.endswith("bias") and not torch.equal(old, other)  # before BatchNorm a bias has no effect
        still = moves and torch.equal(old, new)
        expect.that(not still, f"{name} has not moved: all weights take the step, those of BatchNorm too")

    def same(other, weights=weights, lr=lr):
        return all(torch.allclose(a, b, rtol=1e-5, atol=1e-6 * lr) for a, b in zip(weights, other, strict=True))

    for how, question in QUESTIONS.items():
        expect.that(
            same(wanted) or not same(in_steps(*given, eps, lr, how)),
            question,
            expected="the weights after one update as the text has it",
        )
    if not same(wanted):
        olds = [weight.detach() for _, weight in network.named_parameters()]
        step, due = (
            torch.cat([(old - new).flatten() for old, new in zip(olds, those, strict=True)])
            for those in (weights, wanted)
        )
        factor = float(step @ due / (due @ due))
        expect.that(
            not torch.allclose(step, factor * due, rtol=1e-4, atol=1e-6 * lr) or factor < 1e-3,
            f"the weights step {factor:.3g} times as far as lr times the gradient: what else is it multiplied by?",
            expected="the learning rate times the gradient, and nothing more",
        )
        long = step[due.abs() > 1e-4 * due.abs().max()].abs()
        expect.that(
            float(long.min()) < 0.99 * float(long.max()),
            "all weights step equally far, whatever their gradients are: the step is lr times the gradient",
            expected="longer steps where the gradient is larger",
        )
        middle, zero = 0.4 + 0.2 * images, 0 * start
        for x_, start_, eps_, part in (  # each asks for one thing more than the one before it
            (images, zero, 0.0, "with eps = 0, where images stay as they are, too: mode, loss or learning rate"),
            (middle, zero, 0.1, "from start = 0 too: of which loss is the gradient, which way goes its sign?"),
            (middle, start * 0.1 / eps, 0.1, "only where start is not 0: start plus the step is kept within eps"),
            (images, start, eps, "only where images come near 0 or 1: what is kept in [0, 1], and when?"),
        ):
            part_of = state_like(adversarial_update(network, x_, labels, start_, eps=eps_, lr=lr), network)
            part_of = [part_of[name] for name, _ in network.named_parameters()]
            expect.that(
                same(in_steps(network, x_, labels, start_, eps_, lr, ""), part_of),
                f"the weights after the update are others than by hand; {part}",
                expected=expect.short(wanted[-1]),
                got=weights[-1],
            )
    expect.that(
        same(wanted),
        "the weights after the update are others than by hand: which images, which mode, which loss, which step?",
        expected=expect.short(wanted[-1]),
        got=weights[-1],
    )
    inside = copy.deepcopy(network)
    asked = (images + start).clamp(0, 1).requires_grad_()
    (uphill,) = torch.autograd.grad(F.cross_entropy(copy.deepcopy(network)(asked), labels), asked)
    inside((images + (start + 1.25 * eps * uphill.sign()).clamp(-eps, eps)).clamp(0, 1))
    for name, statistic in inside.named_buffers():
        expect.that(
            "running" not in name or torch.allclose(found[name], statistic, atol=1e-7),
            "the weights are right, and the running statistics took in other images than those they learned from",
            expected="statistics of the attacked batch",
        )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Shared by ranks (2 points)
#
# Several processes, called *ranks*, train one network. Each holds the same weights and the whole batch, `x` (N, ...)
# and `y` (N,), and computes with its share of it. What the ranks compute is then added up, number by number.
# Write what rank `rank` of `ranks` (0, 1, ..., `ranks` − 1) puts into these sums. Return three things:
#
# - a list of gradients, in the order of `model.parameters()`;
# - how many images its share has;
# - how many of them the model answers rightly.
#
# Afterwards each rank divides the summed gradients by the summed number of images. That must be the gradient of the
# **mean** cross-entropy over the whole batch. So:
#
# - each image belongs to exactly one rank, also where `ranks` does not divide N.
#   Ranks cannot ask one another: each knows its share from N, its own number and `ranks`.
# - shares differ by one image at most. With more ranks than images some ranks have none: their gradients are 0.
# - counts are whole numbers. Ask the model in the mode in which it comes; it and the batch stay as they are.
#
# <details><summary>Hint 1</summary>Deal the images out like cards, or cut the batch in pieces: both will do.
# Try 10 images and 4 ranks on paper.</details>
# <details><summary>Hint 2</summary>The mean of means is the mean only if all shares are equally large.
# What can be added up?</details>
# <details><summary>Hint 3</summary>What is the mean cross-entropy of no image at all, and what is the sum?</details>


# %%
def contribution(model, x, y, rank, ranks):
    """What this rank adds: gradients, the number of its images, and how many of them are answered rightly."""
    ### BEGIN SOLUTION
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    gradients = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(gradients), len(y), int((logits.argmax(1) == y).sum())
    ### END SOLUTION


# %%
def from_ranks(contribution, model, x, y, ranks):
    """What each rank of `ranks` adds, as the exercise has it, for the checks below: a list of (gradients, n, right)."""
    found = []
    for rank in range(ranks):
        words = f"rank {rank} of {ranks}, with {len(y)} images in the batch"
        answer = expect.leaves_arguments(contribution, copy.deepcopy(model), x, y, rank, ranks)
        gradients, n, right = things(answer, 3, "gradients, the number of images, the number of right answers")
        weights = list(model.parameters())
        none = n == 0 or any(part is None for part in gradients if not isinstance(part, torch.Tensor))
        expect.that(
            not none or (len(gradients) and all(part is not None for part in gradients)),
            "no gradients, or None in their place: where a rank has no image they are 0, one for each parameter",
            got=words,
        )
        gradients = things(gradients, len(weights), "one for each of model.parameters()", "the list of gradients")
        shapes = [tuple(getattr(part, "shape", ())) for part in gradients]
        expected = [tuple(weight.shape) for weight in weights]
        expect.that(
            shapes == expected or sorted(shapes) != sorted(expected),
            "the gradients come in another order than model.parameters()",
            expected=expected,
            got=shapes,
        )
        pairs = zip(gradients, weights, strict=True)
        gradients = [expect.tensor(g, like=w.detach(), what=f"a gradient of {words},").clone() for g, w in pairs]
        n, right = (whole(count, 0, f"a count of {words},") for count in (n, right))
        found.append((gradients, n, right))
    return found


# %%
torch.manual_seed(0)
little = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

# %%
[contribution(little, x[:10], y[:10], rank, 4)[1:] for rank in range(4)]

# %%
# CHECK shares, 1 point
added = from_ranks(contribution, little, x[:10], y[:10], 4)
counts = [n for _, n, _ in added]
expect.that(
    sum(counts) == 10 or sum(right for *_, right in added) != 10 or max(counts) > 3,
    "the number of images and that of right answers have changed places: images come first",
    got=[answer[1:] for answer in added],
)
expect.that(
    set(counts) != {10},
    "each rank states the number of the whole batch: its own share is asked",
    expected="2 or 3",
    got=counts,
)
expect.that(sum(counts) != 40, "each rank states four times its share: how many images has it?", got=counts)
expect.that(
    sum(counts) != 8 or len(set(counts)) > 1,
    "what does not divide is left out: each image belongs to one rank",
    got=counts,
)
expect.that(counts[0] or sum(counts) >= 10, "rank 0 has no image: are ranks counted from 0?", got=counts)
expect.that(sum(counts) == 10, "ranks 0 to 3 share 10 images, and their numbers do not add up to 10", got=counts)
expect.that(max(counts) - min(counts) <= 1, "shares differ by more than one image", got=counts)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
sizes = [(8, 2), (10, 4), (7, 3), (7, 6), (3, 5), (1, 2), (6, 1), (12, 5), (9, 8)]
sizes += [(int(torch.randint(20, 40, ())), int(torch.randint(3, 9, ()))) for _ in range(3)]
for n, ranks in sizes:
    words = f"of {n} images on {ranks} ranks"
    linear = nn.Linear(n, 3, bias=False)
    labels = torch.randint(0, 3, (n,))
    added = from_ranks(contribution, linear, torch.eye(n), labels, ranks)  # image i acts on weight i alone
    has = torch.stack([gradients[0].abs().sum(0) > 1e-9 for gradients, _, _ in added])  # (ranks, images)
    lost, twice = int((has.sum(0) == 0).sum()), int((has.sum(0) > 1).sum())
    question = "do all ranks agree, without a word between them, on whose it is?"
    expect.that(not lost, f"{lost} {words} belong to no rank: {question}", expected="each image on one rank")
    expect.that(not twice, f"{twice} {words} belong to two ranks: {question}", expected="each image on one rank")
    own, counts = has.sum(1).tolist(), [count for _, count, _ in added]
    expect.that(
        max(own) - min(own) <= 1, f"shares {words} differ by more than one image", expected="even shares", got=own
    )
    expect.that(own == counts, f"a rank's number of images is not that of its share, {words}", expected=own, got=counts)
### END HIDDEN TESTS

# %%
# CHECK sums, 1 point
added = from_ranks(contribution, little, x[:12], y[:12], 3)
model, again = copy.deepcopy(little), []
for _ in range(2):
    gradients = things(contribution(model, x[:12], y[:12], 1, 3)[0], 2, "one for each of model.parameters()")
    again.append(torch.cat([torch.as_tensor(part).detach().flatten().clone() for part in gradients]))
expect.that(
    torch.allclose(*again),
    "a second call with the same model adds its gradients to the first one's: the model stays as it is, its .grad too",
    expected="the same gradients twice",
)
kept = [weight.grad for weight in model.parameters() if weight.grad is not None and weight.grad.any()]
expect.that(not kept, "gradients are left in the model's .grad: the model stays as it is", expected="none there")
right = [right for _, _, right in added]
share = [n for _, n, _ in added]
expect.that(
    sum(right) != 12 or share == right,
    "the number of images and that of right answers have changed places: images come first",
    got=[answer[1:] for answer in added],
)
sure = little(x[:12]).argmax(1)
each = [answer[1:] for answer in from_ranks(contribution, little, x[:12], sure, 3)]
known = {
    "where all 12 answers are right none is counted: are these the wrong ones, or is the likeliest class asked?": 0.0,
    "each rank counts the right answers of the whole batch": 36.0,
}
counted = float(sum(right for _, right in each))
expect.none_of(counted, 12.0, known, expected="as many as images, from each rank")
expect.that(
    counted == 12,
    "where all 12 answers are right another number is counted: does each image meet its own label, and is the "
    "answer the class of the largest logit?",
    expected="as many as images, from each rank",
    got=each,
)
wanted = int((little(x[:12]).argmax(1) == y[:12]).sum())
expect.that(sum(right) == wanted, "the right answers do not add up to those of the batch", expected=wanted, got=right)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for trial, (n, ranks) in enumerate(((10, 4), (7, 3), (12, 3), (23, 5), (2, 4), (1, 1))):
    words = f"of {n} images on {ranks} ranks"
    deep = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 5)).double()
    deep.train(trial % 2 == 0)
    images, labels = torch.randn(2 * n, 4, 4, 2).double().permute(0, 3, 1, 2)[::2], torch.randint(0, 5, (n,))
    weights = list(deep.parameters())

    def gradient(rows, deep=deep, weights=weights, images=images, labels=labels):
        """Of the mean cross-entropy of these images."""
        return torch.autograd.grad(F.cross_entropy(deep(images[rows]), labels[rows]), weights)

    def near(found, wanted, by=1.0):
        return all(torch.allclose(a, by * b, atol=1e-6) for a, b in zip(found, wanted, strict=True))

    drops = nn.Sequential(nn.Flatten(), nn.Dropout(1.0), nn.Linear(32, 5)).double()  # all, in training mode
    for mode in (True, False):
        drops.train(mode)
        asked = from_ranks(contribution, drops, images, labels, ranks)
        due, counted = int((drops(images).argmax(1) == labels).sum()), sum(right for *_, right in asked)
        told = "right answers are counted in another mode than that in which the model comes"
        expect.that(counted == due or sum(n for _, n, _ in asked) != n, told, expected=due, got=counted)
        expect.that(
            bool(sum(gradients[0] for gradients, _, _ in asked).any()) != mode,
            "the model was asked in another mode than that in which it comes",
            expected="training mode" if mode else "evaluation mode",
        )
    sure = deep(images).argmax(1)  # all answers are right
    each = [(count, right) for _, count, right in from_ranks(contribution, deep, images, sure, ranks)]
    expect.that(
        all(count == right for count, right in each),
        "each rank counts the right answers of its own share, each held against its own label: "
        "where all are right, as many as its images",
        expected="the number of images, from each rank",
        got=each,
    )
    added = from_ranks(contribution, deep, images, labels, ranks)
    summed = [sum(parts) for parts in zip(*(gradients for gradients, _, _ in added), strict=True)]
    wanted = gradient(torch.arange(n))
    counts = torch.tensor([count for _, count, _ in added])
    expect.that(
        ranks == 1 or n == 1 or not near(summed, wanted),
        f"the sums {words} are divided twice: they are divided by the number of all images afterwards",
        expected="sums over the images of each rank",
    )
    expect.that(
        ranks == 1 or not near(summed, wanted, n * ranks),
        f"the sums {words} are multiplied by the number of ranks: nothing divides them by it afterwards",
        expected="sums over the images of each rank",
    )
    expect.that(
        ranks == 1 or not near(summed, wanted, n / ranks),
        f"the sums {words} are divided by the number of ranks: what is added up is divided by the images afterwards",
        expected="sums over the images of each rank",
    )

    def of(loss, deep=deep, weights=weights, images=images, labels=labels):
        return torch.autograd.grad(loss(deep(images), labels), weights)

    for other, loss in {
        "the log of the softmax is missing before the negative log-likelihood": lambda z, y: F.nll_loss(
            z, y, reduction="sum"
        ),
        "softmax was applied before the cross-entropy, which applies it itself": lambda z, y: F.cross_entropy(
            z.softmax(1), y, reduction="sum"
        ),
        "the labels are smoothed: it is the plain cross-entropy": lambda z, y: F.cross_entropy(
            z, y, reduction="sum", label_smoothing=0.1
        ),
        "a mean over the classes too: they are of the cross-entropy, added up over images": lambda z, y: (
            F.cross_entropy(z, y, reduction="sum") / z.shape[1]
        ),
        "squared distances of probabilities: it is the cross-entropy": lambda z, y: (
            (z.softmax(1) - F.one_hot(y, z.shape[1])).square().sum()
        ),
        "of images that are answered rightly alone, or of the others: all of a share count": lambda z, y: (
            F.cross_entropy(z, y, reduction="none") * (z.argmax(1) == y)
        ).sum(),
        "the model's own answers stand in place of the labels": lambda z, y: F.cross_entropy(
            z, z.argmax(1), reduction="sum"
        ),
    }.items():
        expect.that(
            near(summed, wanted, n) or not near(summed, of(loss)), f"the gradients are of another loss: {other}"
        )
    expect.that(
        not near(summed, wanted, -n),
        f"the sums {words} have the other sign: the gradient of the loss is wanted, which the update subtracts",
        expected="sums over the images of each rank",
    )
    if ranks > 1 and counts.sum() == n:
        own = [
            g for rows in (torch.arange(n)[rank::ranks] for rank in range(ranks)) if len(rows) for g in [gradient(rows)]
        ]
        ends = counts.cumsum(0).tolist()
        cut = [gradient(torch.arange(end - c, min(end, n))) for end, c in zip(ends, counts.tolist(), strict=True) if c]
        for means in (own, cut):
            of_means = [sum(parts) for parts in zip(*means, strict=True)]
            expect.that(
                not any(near(summed, of_means, by) for by in (1, 1 / ranks, n / ranks)) or near(summed, wanted, n),
                f"each rank gives the mean over its share {words}: what is added up here must be sums over images, "
                "for an image of a small share would weigh more",
                expected="the gradient of the mean over the whole batch, after the division",
            )
    expect.that(
        near(summed, wanted, n),
        f"the summed gradients, divided by the number {words}, are not the gradient of the mean cross-entropy: is what "
        "each rank adds a sum over the images of its share, none of which weighs more or less than another?",
        expected=expect.short(wanted[-1]),
        got=summed[-1] / n,
    )
    right = int((deep(images).argmax(1) == labels).sum())
    found = sum(count for *_, count in added)
    expect.that(found == right, f"right answers {words} do not add up", expected=right, got=found)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Too large for sixteen bits (3 points)
#
# The largest number of float16 is 65,504, and what is smaller than 0.00000003 is 0 in it. Gradients are often that
# small. So the loss is multiplied by a `scale` before the backward pass, and all gradients with it. If the scale is too
# large, gradients *overflow*: they become infinite, or NaN. Write the update that watches for this.
#
# - `weights` (P,), float32: all weights of a network in one row. They stay in float32.
# - `gradients` (P,), float16: those of the loss times `scale`.
# - `fine`: how many updates in a row there were before this one without an overflow.
#
# **Overflow**: one gradient that is infinite or NaN is enough. The update is left out, for all weights.
# The scale is halved, and `fine` becomes 0.
#
# **Else** the weights become `weights - lr * gradients / scale`, computed in *float32*, and `fine` grows by 1.
# When it has reached `grow`, the scale is doubled for the *next* update, and `fine` becomes 0.
#
# Return three things: weights, scale and fine, as they are afterwards. The arguments stay as they are.
#
# <details><summary>Hint 1</summary>There are an infinity above, one below, and NaN:
# <code>torch.isfinite</code> knows all three. Don't add gradients up to look at them: a sum can overflow too.</details>
# <details><summary>Hint 2</summary>What is 0.0001 / 65536 in float16? What is 1 − 0.0001 there?</details>
# <details><summary>Hint 3</summary>Which scale do the gradients at hand carry: the old or the new one?</details>


# %%
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    """Weights (P,), scale, and updates in a row without an overflow, after this update."""
    ### BEGIN SOLUTION
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)
    ### END SOLUTION


# %%
def updated(update, weights, gradients, scale, fine, **how):
    """The weights, the scale and the count after an update, as tensor and numbers, for the checks below."""
    found = expect.leaves_arguments(update, weights, gradients, scale, fine, **how)
    row, after, count = things(found, 3, "weights, scale, fine")
    expect.that(
        not gradients.isnan().any() or not (isinstance(row, torch.Tensor) and row.isnan().any()),
        "a gradient is NaN, and the update was made, so that weights are NaN, too: it should be left out",
        expected="weights as they were",
    )
    halves = [value for value in (scale / 2, scale, 2 * scale) if value not in (0, fine, fine + 1)]
    expect.that(
        not (torch.as_tensor(count).numel() == 1 and expect.number(count) in halves and after in (0, fine, fine + 1)),
        "the scale comes before the count: the two have changed places",
        expected="weights, scale, fine",
        got=(after, count),
    )
    scale, fine = after, count
    row = expect.tensor(row, like=weights, what="the row of weights")
    return row, expect.number(scale, "the scale"), whole(fine, 0, "the count fine")


# %%
def train_in_half(update, x, y, *, scale, updates=60, lr=0.5, grow=15):
    """Train a linear model in float16 by such updates: its weights (650,), and the scale after each update."""
    weights, fine, scales = torch.zeros(650), 0, {0: scale}
    for number in range(1, updates + 1):
        half = weights.half().requires_grad_()
        logits = x.flatten(1).half() @ half[:640].view(10, 64).T + half[640:]
        (gradients,) = torch.autograd.grad(F.cross_entropy(logits.float(), y) * scale, half)
        weights, scale, fine = updated(update, weights, gradients, scale, fine, lr=lr, grow=grow)
        scales[number] = scale
    return weights, scales


# %%
plots.curves(
    {
        f"begun at {begin:,.0f}": train_in_half(scaled_update, *data.train, scale=begin)[1]
        for begin in (2.0**24, 2.0**12)
    },
    x="update",
    y="scale of the loss",
    log=(False, True),
)


# %%
# CHECK overflow, 1 point
weights, gradients = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([3.0, torch.inf, 1.0]).half()
given = weights, gradients, 1024.0, 3
row, scale, fine = updated(scaled_update, *given, lr=0.1, grow=10)
expect.that(row.isfinite().all(), "an overflow has reached the weights", got=row)
expect.that(scale < 1024, "a gradient is infinite, and the scale has not come down", got=scale)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for trial, (bad, scale) in enumerate(
    (
        (torch.inf, 65536.0),
        (-torch.inf, 3.0),
        (torch.nan, 2.0**20),
        (torch.nan, 0.5),
        (-torch.inf, 1.0),
        (torch.inf, 640.0),
    )
):
    name = {torch.inf: "infinite", -torch.inf: "infinite below 0"}.get(bad, "NaN")
    many = int(torch.randint(2, 40, ()))
    weights, gradients = torch.randn(many), (50 * torch.randn(many)).half()
    where = int(torch.randint(many, ()))
    gradients[where] = bad
    row, after, fine = updated(scaled_update, weights, gradients, scale, trial, lr=0.1, grow=9)
    kept = row == weights
    expect.that(
        kept.all() or not torch.equal(row, weights.half().float()),
        "the weights come back in float16, where they lose digits",
        expected="float32, as they were",
        got=row,
    )
    expect.that(
        kept[where],
        f"a gradient is {name}, and the update was made: it should be left out",
        expected="weights as they were",
        got=row,
    )
    expect.that(
        kept.all(),
        f"a gradient is {name}, and a part of the weights has moved: the whole update is left out, or none of it",
        expected="weights as they were",
        got=f"{int(kept.sum())} of {many} stayed",
    )
    expect.that(
        after == scale / 2,
        f"a gradient is {name}: the scale afterwards is another than half",
        expected=scale / 2,
        got=after,
    )
    expect.that(fine == 0, "after an overflow the updates in a row begin anew", expected="fine = 0", got=fine)
for gradients, given, lr in (
    (torch.full((40,), 60000.0), 1024.0, 0.1),
    (torch.tensor([65504.0, -65504.0, 1.0]), 1024.0, 0.1),
    (torch.tensor([-65504.0]), 1024.0, 0.1),
    (torch.tensor([60000.0, 1.0]), 0.5, 4.0),
    (torch.zeros(3), 1024.0, 0.1),
):
    weights = torch.zeros(len(gradients))
    row, after, fine = updated(scaled_update, weights, gradients.half(), given, 0, lr=lr, grow=9)
    moves = gradients != 0
    grown = (
        "the scale has grown after the first update of nine: only `grow` updates in a row without an overflow double it"
    )
    expect.that(after <= given, grown, expected=f"{given:g}", got=after)
    expect.that(
        after == given and (row[moves] != 0).all(),
        "all gradients are finite, if large or 0, and it was taken for an overflow: what exactly is looked at? Each "
        "gradient as it comes is, and no sum, no step and no new weights",
        expected="an update, and the scale as it was",
        got=f"scale {after:g}, fine {fine:g}, {expect.short(row)}",
    )
### END HIDDEN TESTS

# %%
# CHECK in_float32, 1 point
weights, gradients = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([32.0, 0.0, -128.0]).half()
row, scale, fine = updated(scaled_update, weights, gradients, 64.0, 0, lr=0.25, grow=10)
wanted = torch.tensor([0.875, -2.0, 1.0])
known = {
    "the gradients still carry the scale: the weights should not": (-7.0, -2.0, 32.5),
    "the gradients are multiplied by the scale once more: divide by it": (-511.0, -2.0, 2048.5),
    "the gradients are divided by the scale twice": (0.998046875, -2.0, 0.5078125),
    "the weights went up the loss": (1.125, -2.0, 0.0),
    "the learning rate does not come in": (0.5, -2.0, 2.5),
    "the learning rate comes in twice": (0.96875, -2.0, 0.625),
    "divided by the learning rate: multiply by it": (-1.0, -2.0, 8.5),
    "divided by the number of weights as well": (0.958333, -2.0, 0.666667),
    "divided by twice the scale: these gradients carry the one that was given": (0.9375, -2.0, 0.75),
    "divided by half of the scale: these gradients carry the one that was given": (0.75, -2.0, 1.5),
    "the sign of the gradient was taken": [(0.75, -2.0, 0.75), (0.99609375, -2.0, 0.50390625)],
    "gradients above 1 were made 1": (0.875, -2.0, 0.75),
    "the learning rate is divided by grow": (0.9875, -2.0, 0.55),
    "the weights have not moved": (1.0, -2.0, 0.5),
    "this is the step, and not the weights after it": [(0.125, 0.0, -0.5), (-0.125, 0.0, 0.5)],
}
expect.none_of(row, wanted, known, expected=expect.short(wanted), atol=1e-5)
expect.equal(row, wanted, "the update differs from the one by hand", expected=f"{expect.short(wanted)}")
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
weights, gradients = torch.ones(50), (torch.rand(50) + 1).half()
row, _, _ = updated(scaled_update, weights, gradients, 4096.0, 0, lr=0.1, grow=9)
expect.that(
    (row != weights).all(),
    "weights of 1 should move by less than 0.0001, and don't: in which type are they while you subtract?",
    expected="weights and the difference in float32",
    got=row,
)
weights, gradients = torch.zeros(50), (1e-4 * (torch.rand(50) + 1)).half()
row, _, _ = updated(scaled_update, weights, gradients, 2.0**20, 0, lr=0.1, grow=9)
expect.that(
    (row != 0).all(),
    "small gradients are lost when they are divided by the scale: in which type is that computed?",
    expected="changes of about 0.00000000001",
    got=row,
)
for many, scale, lr, grow in ((1, 2.0**16, 0.1, 5), (30, 3.0, 1.0, 1), (64, 0.5, 0.003, 7), (200, 2.0**24, 4.0, 2)):
    for fine in (0, grow - 1):
        weights, gradients = torch.randn(2 * many)[::2], torch.randn(2 * many).half()[1::2]
        weights[:: 1 + many % 3] = 0
        given = weights, gradients, scale, fine
        row, _, _ = updated(scaled_update, *given, lr=lr, grow=grow)

        def by_hand(scale, lr, weights=weights, gradients=gradients):
            return weights.double() - lr * gradients.double() / scale

        def near(wanted, row=row, weights=weights):
            return bool(((row - wanted).abs() <= 2e-6 * (wanted - weights).abs() + 2e-7 * weights.abs() + 1e-30).all())

        wanted = by_hand(scale, lr)
        for other, question in (
            (by_hand(1.0, lr), "the gradients still carry the scale: the weights should not"),
            (by_hand(2 * scale, lr), "divided by another scale than the one that these gradients carry"),
            (by_hand(scale / 2, lr), "divided by another scale than the one that these gradients carry"),
            (by_hand(1 / scale, lr), "the gradients are multiplied by the scale once more"),
            (by_hand(scale, -lr), "the weights went up the loss"),
            (by_hand(scale, 1.0), "another learning rate than lr"),
            (weights.double() - (lr * gradients).double() / scale, "lr times a gradient is computed in float16"),
        ):
            expect.that(near(wanted) or not near(other), question, expected=expect.short(wanted.float()), got=row)
        expect.that(
            near(wanted),
            "the weights after the update are others than by hand, or less exact than float32 has them",
            expected=expect.short(wanted.float()),
            got=row,
        )
### END HIDDEN TESTS

# %%
# CHECK growth, 1 point
weights, gradients = torch.zeros(2), torch.ones(2).half()
_, scale, fine = updated(scaled_update, weights, gradients, 8.0, 0, lr=0.1, grow=10)
expect.that(
    scale == 8 and fine == 1,
    "the first update of ten without an overflow: the scale stays, and fine counts it",
    expected="scale 8, fine 1",
    got=f"scale {scale:g}, fine {fine:g}",
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for grow, scale in ((2, 4.0), (5, 1000.0), (9, 0.25), (2000, 65536.0)):
    _, after, fine = updated(scaled_update, weights, gradients, scale, grow - 2, lr=0.1, grow=grow)
    expect.that(
        after == scale,
        f"with grow = {grow} the scale changes at update {grow - 1} of a row: one too early",
        expected=scale,
        got=after,
    )
    expect.that(fine == grow - 1, "an update without an overflow counts one", expected=f"fine = {grow - 1}", got=fine)
    _, after, fine = updated(scaled_update, weights, gradients, scale, grow - 1, lr=0.1, grow=grow)
    expect.that(
        after == 2 * scale,
        f"with grow = {grow} there were {grow} updates in a row, and the scale afterwards is not doubled",
        expected=2 * scale,
        got=after,
    )
    expect.that(fine == 0, "once the scale was doubled the updates in a row begin anew", expected="fine = 0", got=fine)
_, after, fine = updated(scaled_update, weights, gradients, 8.0, 0, lr=0.1, grow=1)
expect.that(
    after == 16 and fine == 0,
    "with grow = 1 each update without an overflow doubles the scale",
    expected="scale 16, fine 0",
    got=f"scale {after:g}, fine {fine:g}",
)
for grow in (1, 3, 4):
    scale = wanted = 2.0**10
    fine = row = 0
    bad = (torch.rand(40) < 0.2).tolist()
    for i, overflows in enumerate(bad):
        step = torch.tensor([torch.inf if overflows else 1.0, 2.0]).half()
        _, scale, fine = updated(scaled_update, weights, step, scale, fine, lr=0.1, grow=grow)
        row = 0 if overflows else row + 1
        wanted = wanted / 2 if overflows else 2 * wanted if row == grow else wanted
        row = 0 if row == grow else row
        expect.that(
            scale == wanted and fine == row,
            f"after {i + 1} updates, some with an overflow, the scale or the count is another than by hand: "
            "what begins a new row?",
            expected=f"scale {wanted:g}, fine {row}",
            got=f"scale {scale:g}, fine {fine:g}",
        )
images, labels = (part[:200] for part in data.train)
for begin in (2.0**10, 2.0**24):
    found, _ = train_in_half(scaled_update, images, labels, scale=begin, updates=40)
    found = expect.tensor(found, like=torch.zeros(650), what="the row of weights")
    right = Rate(int(((images.flatten(1) @ found[:640].view(10, 64).T + found[640:]).argmax(1) == labels).sum()), 200)
    expect.that(
        right >= 0.7,
        f"a training in float16 whose scale begins at {begin:g} does not learn",
        expected="at least 70 % of 200 digits",
        got=right,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Six reports (1 point)
#
# Five of these reports, all made up, have a mistake, each of another kind; one has none.
# Answer with one word for each:
# `"none"` (nothing is wrong with it), `"chosen"` (the weights were chosen on the images that judge them),
# `"mode"` (BatchNorm was in training mode while the network was judged), `"dropped"` (images are missing),
# `"rounded"` (float16 has changed the attack), `"unlike"` (seconds are compared that cannot be).
#
# - **A** "Evaluated in batches of 256 from CIFAR-10's 10,000 test images, in evaluation mode. The worst of four attacks
#   in float32 left 4,702 of 9,984 images."
# - **B** "After each of 40 epochs we attacked 1,000 images that we had set aside from the 50,000 for training, and kept
#   the weights of the best epoch. These were judged once: in 79 batches, the last of 16 images, in evaluation mode,
#   the worst of four attacks in float32 left 4,655 of the 10,000 test images."
# - **C** "To save memory the evaluation keeps images and changes in float16. PGD with 400 careful steps of 0.0001
#   at 8/255 leaves 81 %: more steps than anyone has tried on this network."
# - **D** "PGD with 50 steps, after each of 30 epochs, on the 10,000 test images: the network reached
#   49.6 % in epoch 24. We publish the weights of that epoch."
# - **E** "Our one-step training took 70 seconds on one H100. Training with PGD took its authors 5 hours on one
#   GTX 1080 Ti. So one step instead of ten makes training 257 times faster."
# - **F** "Shown 100 photographs of all classes at a time, the network is right on 84 %; shown 100 photographs of
#   one class at a time, on 31 %. We state 84 %, because in practice the classes come mixed."
#
# <details><summary>Hint 1</summary>Multiply and divide the numbers that a report states.</details>
# <details><summary>Hint 2</summary>Try the arithmetic of a report in a cell of your own:
# one line with <code>torch.tensor(0.6).half()</code>.</details>

# %%
reports = {}
### BEGIN SOLUTION reports = {"A": "", "B": "", "C": "", "D": "", "E": "", "F": ""}  # write me
reports = {"A": "dropped", "B": "none", "C": "rounded", "D": "chosen", "E": "unlike", "F": "mode"}
### END SOLUTION

# %%
# CHECK reports, 1 point
expect.words(reports, ("none", "chosen", "mode", "dropped", "rounded", "unlike"), texts="ABCDEF")
### BEGIN HIDDEN TESTS
wanted = {
    "A": ("dropped", "how many images are there, and how many batches of 256 do they fill?"),
    "B": ("none", "on which images were the weights chosen, on how many were they judged, and in which mode?"),
    "C": ("rounded", "what is 0.6 + 0.0001 in float16?"),
    "D": ("chosen", "would the weights of epoch 24 be the best of 30 on other images too?"),
    "E": ("unlike", "what else differs between the two trainings, besides the number of steps?"),
    "F": ("mode", "when does the answer for an image depend on the images beside it?"),
}
expect.right_words(reports, wanted)
### END HIDDEN TESTS
