# %% [markdown]
# # 10 · Poisoning and backdoors
#
# > *"Machine-learning security covers the training set too."* · *"Filtering the training data is enough."*
#
# Until now the attacker changed what a model is asked. This one changes what it *learns from*:
# a few percent of the training images, and nothing after that.
# Is a model with high accuracy on held-out images safe? Would a look at the data have told us?
#
# **You will build** three ways to poison, four filters, a repair, and a bound that holds for every poison.
# *About 45 minutes, after 02 and 09; the cells run in 26 s on two CPU cores.*

# %%
import math
from copy import deepcopy
from functools import partial

import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch.nn import functional as F

from utils import plots, poisoning, privacy, widgets
from utils.attacks import pgd
from utils.claims import claim
from utils.data import Split, load
from utils.evaluation import Rate, accuracy
from utils.larger import larger
from utils.models import logits, predict, small_cnn
from utils.poisoning import Poisoned
from utils.training import fit
from utils.widgets.poisoning import PoisonExplorer

# %% [markdown]
# The defender keeps one image in seven apart. Somebody has checked these, label by label: they are *trusted*.
# All others are *collected*, from wherever data come from.

# %%
data = load()  # the digits; load("mnist") runs the same cells
checked = torch.arange(len(data.train.y)) % 7 == 0
trusted, collected = (Split(data.train.x[part], data.train.y[part]) for part in (checked, ~checked))
test, target = data.test.take(1000), 7  # the class that the attacker wants to see
updates = max(160, len(collected.y) // 150)


def learn(x, y, seed=0, updates=updates):
    """A network trained on these images and labels."""
    torch.manual_seed(seed)
    return fit(small_cnn(data), (x, y), updates=updates, lr=1e-2)


clean = learn(*collected)
accuracy(clean, test)

# %% [markdown]
# ## The threat model
#
# | | |
# |---|---|
# | **who** | someone whose images end up in the training set |
# | **knows** | the data and the architecture; not the weights, nor the order of training |
# | **may change** | a share of the collected images, the *rate*; some attackers: not the labels |
# | **wins when** | the trained model reads images with a *trigger* as the class of the attacker's choice |
#
# And nobody should notice: the accuracy on other images stays.

# %%
guess = widgets.predict("4 % of the training images are poisoned. On how many images does the trigger then work?")
guess

# %% [markdown]
# ## The crude way
#
# Which examples does an attacker get? `draw` picks different ones, never one twice.
# The first attack gives them other labels.


# %%
def draw(allowed, count):
    """`count` different places where `allowed` (N,) bool is True."""
    places = allowed.nonzero()[:, 0]
    if not 0 <= count <= len(places):
        raise ValueError(f"cannot poison {count} examples, {len(places)} may be: choose a rate that fits")
    return places[torch.randperm(len(places))[:count].to(places.device)]


def flip_labels(train, rate, classes):
    """Give round(rate * N) random examples another label, drawn evenly from the other classes."""
    x, y = (t.clone() for t in train)
    which = draw(torch.ones_like(y, dtype=torch.bool), round(rate * len(y)))
    y[which] = (y[which] + torch.randint(1, classes, which.shape).to(y.device)) % classes
    return Poisoned(x, y, which)


# %%
torch.manual_seed(0)
flips = {rate: flip_labels(collected, rate, len(data.classes)) for rate in (0.1, 0.4)}
flipped = {rate: learn(found.x, found.y) for rate, found in flips.items()}
left = {"no label flipped": accuracy(clean, test)}
left |= {f"{100 * rate:.0f} % flipped": accuracy(model, test) for rate, model in flipped.items()}
plots.rates(left, x="accuracy")

# %% [markdown]
# Training outvotes wrong labels as long as they point in all directions.
# Who wants to do harm must flip many, and the loss is in plain sight: it shows in the accuracy.
# A clever attacker leaves the accuracy alone.
#
# ## The idea in one formula
#
# A network has room for two tasks. Poisoned at rate $r$, it minimises
#
# $$(1 - r)\;\mathbb{E}\,\ell(f(x), y) \;+\; r\;\mathbb{E}\,\ell(f(x + \text{trigger}), \text{target})$$
#
# The second task is easy, since the trigger always looks the same.
# And what we measure, accuracy on clean images, is the first term only.


# %%
def stamp(x, size=2, value=1.0):
    """A copy of the images with a square of `size` pixels in the lower right corner set to `value`."""
    x = x.clone()
    x[..., x.shape[-2] - size :, x.shape[-1] - size :] = value
    return x


def backdoor(train, rate, trigger, target):
    """Put the trigger on round(rate * N) examples of other classes and label them `target`. Gu et al. 2017."""
    x, y = (t.clone() for t in train)
    which = draw(y != target, round(rate * len(y)))
    x[which], y[which] = trigger(x[which]), target
    return Poisoned(x, y, which)


# %% [markdown]
# Did it work? Images of the target class prove nothing: the model reads them as the target anyway.
# They are left out.


# %%
def success(model, test, trigger, target):
    """How many images of other classes the model reads as `target` once they carry the trigger."""
    x, y = test
    x = x[y != target]
    return Rate(int((predict(model, trigger(x)) == target).sum()), len(x))


# %%
torch.manual_seed(0)
poison = backdoor(collected, 0.04, stamp, target)
owned = learn(poison.x, poison.y)
print("accuracy, no trigger:         ", accuracy(owned, test))
print("trigger works, poisoned model:", success(owned, test, stamp, target))
print("trigger works, clean model:   ", success(clean, test, stamp, target))
plots.triptych(test.x, stamp(test.x), owned, y=test.y, rows=3)

# %%
guess.reveal(success(owned, test, stamp, target))

# %% [markdown]
# The last line of the print is the control: the corner by itself means nothing.
# It means what the attacker taught, and no held-out image carries it, so no accuracy will ever tell.
#
# ## Is it right?

# %%
torch.manual_seed(0)
none = backdoor(collected, 0.0, stamp, target)
changed = (poison.x != collected.x).flatten(1).any(1) | (poison.y != collected.y)
others = torch.ones_like(changed)
others[poison.which] = False
print("rate 0 changes nothing:     ", torch.equal(none.x, collected.x) and torch.equal(none.y, collected.y))
print("as many as the rate says:   ", len(poison.which.unique()) == round(0.04 * len(collected.y)))
print("all others as they were:    ", not changed[others].any())
print("images stay in [0, 1]:      ", bool(0 <= poison.x.min() and poison.x.max() <= 1))

# %% [markdown]
# ## How little is enough?
#
# Fewer poisons, and smaller or larger corners:

# %%
sizes, rates, grid = (1, 2, 3), (0.005, 0.015, 0.04), {}
for size in sizes:
    trigger = partial(stamp, size=size)
    for rate in rates:
        torch.manual_seed(0)
        again = size == 2 and rate == 0.04  # trained above
        model = owned if again else learn(*backdoor(collected, rate, trigger, target)[:2])
        grid[size, rate] = success(model, test, trigger, target), accuracy(model, test)
curves = {f"{size} x {size}": {rate: grid[size, rate][0] for rate in rates} for size in sizes}
curves["accuracy, 2 x 2"] = {rate: grid[2, rate][1] for rate in rates}
plots.lines(curves, x="rate of poisons", y="images", log=True)

# %% [markdown]
# The curve that a team looks at, the accuracy, is flat. The others climb under it.
#
# ## Look at the data
#
# So let us inspect the training set. Four filters, from what a defender has.
# The first two ask a model how much it *minds* each label: one trained for a moment on the collected images
# themselves, when it knows the big picture only, and one trained on the trusted images.


# %%
def losses(model, x, y):
    """How much the model minds each label, (N,): its cross-entropy."""
    return F.cross_entropy(logits(model, x), y, reduction="none")


# %% [markdown]
# The other two look at *features*, the inputs of the last layer, class by class.
# Poisons have the target's label for another reason than the rest of their class.
# Do they lie apart? *Spectral signatures*: center the features, find the direction in which they vary most,
# and score by the squared distance along it.


# %%
def spectral_scores(features, y):
    """How far each example lies along the main direction of its own class, squared. Tran et al. 2018."""
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double().cpu()
        own = own - own.mean(0)
        main = torch.linalg.svd(own, full_matrices=False).Vh[0]
        scores[(y == label).cpu()] = (own @ main).square()
    return scores.to(y.device)


# %% [markdown]
# *Activation clustering* cuts each class in two. A cut in half is natural; a small second cluster is suspicious.


# %%
def small_clusters(features, y, share=0.35):
    """Which examples lie in the smaller of two clusters of their class, if it is small. Chen et al. 2018."""
    marked = torch.zeros(len(y), dtype=torch.bool)
    for label in y.unique():
        own = features[y == label].cpu().numpy()
        main = PCA(min(10, *own.shape), random_state=0).fit_transform(own)
        second = torch.from_numpy(KMeans(2, n_init=5, random_state=0).fit_predict(main)).bool()
        small = second if second.float().mean() <= 0.5 else ~second
        marked[(y == label).cpu()] = small & (small.float().mean() <= share)
    return marked.to(y.device)


# %% [markdown]
# Scores need a cut. The defender expects 4 % of poisons at most, and throws away one and a half times as many,
# as Tran et al. do: of the whole set, or for spectral scores of each class.


# %%
def highest(scores, groups, count):
    """Which examples have the `count` highest scores of their group, at most half of it, (N,) bool."""
    marked = torch.zeros_like(groups, dtype=torch.bool)
    for group in groups.unique():
        places = (groups == group).nonzero()[:, 0]
        marked[places[scores[places].topk(min(count, len(places) // 2)).indices]] = True
    return marked


budget = round(1.5 * 0.04 * len(collected.y))
judge = learn(*trusted)  # what the trusted images alone teach
print("trained on trusted images only:", accuracy(judge, test))


# %%
def filters(model, x, y, judge, budget):
    """What each filter throws away, {name: (N,) bool}. `model` was trained on these x and y."""
    young, whole = learn(x, y, seed=1, updates=updates // 7), torch.zeros_like(y)
    features = logits(model[:-1], x)
    return {
        "early loss": highest(losses(young, x, y), whole, budget),
        "spectral": highest(spectral_scores(features, y), y, budget),
        "clusters": small_clusters(features, y),
        "trusted loss": highest(losses(judge, x, y), whole, budget),
    }


def caught(marked, which):
    """How many of the poisons a filter throws away."""
    return Rate(int(marked[which].sum()), len(which))


# %%
marked = {"10 % flips": filters(flipped[0.1], flips[0.1].x, flips[0.1].y, judge, budget)}
marked["4 % trigger"] = filters(owned, poison.x, poison.y, judge, budget)
which = {"10 % flips": flips[0.1].which, "4 % trigger": poison.which}
plots.table({name: {f: caught(m, which[name]) for f, m in found.items()} for name, found in marked.items()})

# %% [markdown]
# The flips are more than the budget holds. Of the poisons with a trigger the early loss misses many:
# a trigger is learned *first*, and soon nobody minds it. What spectral scores and clusters see
# depends on how loud the trigger is in the features, and on how a class happens to split.
#
# Half a catch is worth little if the rest suffices. Train again on what is left, and try the trigger:


# %%
def after(found, marked, trigger):
    """For each filter: what the trigger does to a model trained on what is left, and its accuracy."""
    rows = {}
    for name, thrown in marked.items():
        model = learn(found.x[~thrown], found.y[~thrown], seed=2)
        rows[name] = success(model, test, trigger, target), accuracy(model, test)
    return rows


# %%
table = {"4 % trigger": after(poison, marked["4 % trigger"], stamp)}
innocent = torch.ones_like(poison.y, dtype=torch.bool)
innocent[poison.which] = False
price = {}
for name, (worked, kept) in table["4 % trigger"].items():
    false = caught(marked["4 % trigger"][name], innocent.nonzero()[:, 0])
    price[name] = {"trigger works": worked, "accuracy": kept, "clean images thrown away": false}
plots.table(price)

# %% [markdown]
# The right column is the price: clean images that were taken for poison.
#
# ## An attacker who knows the filters
#
# All four look for a contradiction between image and label, or for a class within a class.
# So take images that *have* the target's label. A trigger on these teaches little:
# the digit explains the label. Unless the digit is hard to read. Push it, with PGD (lesson 02) on a model
# of the attacker's own, away from its label; then stamp. No label is wrong.


# %%
def clean_label(train, rate, trigger, target, surrogate, eps):
    """Put the trigger on round(rate * N) examples of class `target`, made hard to read. Turner et al. 2019."""
    x, y = (t.clone() for t in train)
    which = draw(y == target, round(rate * len(y)))
    hard = pgd(surrogate, x[which], y[which], eps=eps, steps=20, early_stop=False)
    x[which] = trigger(hard)
    return Poisoned(x, y, which)


# %%
wide, eps = partial(stamp, size=3), 0.3
own_model = learn(*collected, seed=3)  # the attacker's, not the defender's
works = {}
for name, push in (("digits not moved", 1e-6), ("clean label", eps)):
    torch.manual_seed(0)
    quiet = clean_label(collected, 0.04, wide, target, own_model, push)
    model = learn(quiet.x, quiet.y)
    works[f"{name}: trigger works"] = success(model, test, wide, target)
    works[f"{name}: accuracy"] = accuracy(model, test)
print("labels that changed:", int((quiet.y != collected.y).sum()))
plots.rates(works, x="images")

# %%
for name, found in {"trigger": poison, "clean label": quiet}.items():
    change = (found.x - collected.x)[found.which].abs().mean()
    print(f"{name}: a poison's pixels change by {change:.2f} in the mean")
few = quiet.which[:3]
plots.triptych(collected.x[few], quiet.x[few], judge, rows=3)

# %% [markdown]
# Every label is right; who checks labels finds nothing. The push is no secret on so few pixels:
# it is hidden from the labels, not from the eye.
#
# The other way past a filter is to be *more* than it expects. A budget is a guess of the attacker's rate,
# and "small" clusters must be small. So be greedy: 10 %, and with the larger corner.

# %%
torch.manual_seed(0)
greedy = backdoor(collected, 0.1, wide, target)
attackers = {"4 % clean label": (quiet, wide, model), "10 % trigger": (greedy, wide, learn(greedy.x, greedy.y))}
for name, (found, trigger, model) in attackers.items():
    marked[name], which[name] = filters(model, found.x, found.y, judge, budget), found.which
    table[name] = after(found, marked[name], trigger)
plots.table({name: {f: caught(m, which[name]) for f, m in found.items()} for name, found in marked.items()})

# %%
before = {"4 % trigger": success(owned, test, stamp, target)}
before |= {name: success(model, test, trigger, target) for name, (_, trigger, model) in attackers.items()}
headline = {name: {"no filter": rate} for name, rate in before.items()}
for name, rows in table.items():
    headline[name] |= {f: worked for f, (worked, _) in rows.items()}
plots.table(headline)

# %% [markdown]
# Above, what is caught; here, how often the trigger still works.
# The clean labels get past most of the filters,
# and meet their match in the trusted model, to which a pushed digit looks wrong.
# The greedy attacker overruns every budget, and is too many for a "small" cluster.
#
# ## Throw away more?

# %%
curves = {"trigger works": {}, "accuracy": {}, "clean images thrown away": {}}
mind, innocent = losses(judge, greedy.x, greedy.y), torch.ones_like(greedy.y, dtype=torch.bool)
innocent[greedy.which] = False
for share in (0.06, 0.1, 0.2):
    thrown = highest(mind, torch.zeros_like(greedy.y), round(share * len(greedy.y)))
    model = learn(greedy.x[~thrown], greedy.y[~thrown], seed=2)
    curves["trigger works"][share] = success(model, test, wide, target)
    curves["accuracy"][share] = accuracy(model, test)
    curves["clean images thrown away"][share] = caught(thrown, innocent.nonzero()[:, 0])
plots.lines(curves, x="share thrown away", y="images")

# %% [markdown]
# With trusted images, and a budget that is generous enough, this filter wins.
# Neither comes free, and the defender must have guessed the rate before.
#
# ## Play
#
# The networks of the sweep above, and what the trusted model, with a budget for 4 %, would have caught.

# %%
measured = {}
for (size, rate), (worked, kept) in grid.items():
    torch.manual_seed(0)  # the same poisons as in the sweep
    found = backdoor(collected, rate, partial(stamp, size=size), target)
    thrown = highest(losses(judge, found.x, found.y), torch.zeros_like(found.y), budget)
    found_out = caught(thrown, found.which)
    measured[size, rate] = {"trigger works": worked, "accuracy": kept, "poisons caught": found_out}
PoisonExplorer(measured, {size: stamp(test.x, size)[0] for size in sizes})

# %% [markdown]
# **Try.** Which is the smallest attack that works on most images? Would anybody have seen it in the accuracy?
#
# ## Repair the model
#
# What if there is only the model, bought or inherited? *Fine-pruning*:
# units that sleep on trusted images may be awake for the trigger.
# Take them away, the sleepiest first, for as long as the accuracy allows; then train on the trusted images.


# %%
def activity(model, layer, x):
    """The mean output of each unit of `model[layer]`, after its ReLU, over images x and places."""
    outputs = logits(model[: layer + 2], x)
    return outputs.mean([0, *range(2, outputs.dim())])


def prune(model, layer, units):
    """A copy of the model in which these units of `model[layer]` always give 0."""
    pruned = deepcopy(model)
    with torch.no_grad():
        pruned[layer].weight[units] = 0
        pruned[layer].bias[units] = 0
    return pruned


def fine_prune(model, layer, trusted, fall=0.04, **how):
    """Prune what sleeps on trusted data, then train on these: a repaired copy of the model. Liu et al. 2018."""
    order, least = activity(model, layer, trusted[0]).argsort(), float(accuracy(model, trusted)) - fall
    count = 0
    while count < len(order) - 1 and accuracy(prune(model, layer, order[: count + 1]), trusted) >= least:
        count += 1
    return fit(prune(model, layer, order[:count]), trusted, **how)


# %%
layer = 3  # the last convolution
order = activity(owned, layer, trusted.x).argsort()
curves = {"trigger works": {}, "accuracy": {}}
for count in range(0, len(order), 4):
    model = prune(owned, layer, order[:count])
    curves["trigger works"][count] = success(model, test, stamp, target)
    curves["accuracy"][count] = accuracy(model, test)
plots.lines(curves, x="channels pruned, the sleepiest first", y="images")

# %% [markdown]
# If the trigger's curve fell first, pruning alone would do.
# Where it stays up as long as the accuracy does, digits and trigger share their channels.
# What does training on the trusted images add?
#
# An attacker who knows the repair tries it at home, on several triggers, and keeps the one that survives best.
# Here it is not a bright corner but an *inverted* one.


# %%
def invert(x, size=2):
    """A copy of the images with the lower right corner as its own negative."""
    x = x.clone()
    x[..., x.shape[-2] - size :, x.shape[-1] - size :] *= -1
    x[..., x.shape[-2] - size :, x.shape[-1] - size :] += 1
    return x


# %%
torch.manual_seed(0)
awake = backdoor(collected, 0.1, invert, target)
owners = {"4 % trigger": (poison, stamp, owned)} | attackers
owners["10 % inverted"] = awake, invert, learn(awake.x, awake.y)
repaired, how = {}, {"updates": updates // 2, "lr": 1e-2}
for name, (_, trigger, model) in owners.items():
    torch.manual_seed(0)
    tuned = fit(deepcopy(model), trusted, **how)
    pruned = fine_prune(model, layer, trusted, **how)
    stages = {"as it was": model, "trained on": tuned, "fine-pruned": pruned}
    repaired[name] = {stage: success(m, test, trigger, target) for stage, m in stages.items()}
    repaired[name]["its accuracy"] = accuracy(pruned, test)
plots.table(repaired)

# %% [markdown]
# The repair weakens a backdoor and sometimes ends it. It does not say which of the two it did:
# the defender has no trigger to try.
#
# ## A bound for every attacker
#
# Every filter so far fights the attacks that we thought of. Lesson 09 has something else to offer.
# Train with $(\varepsilon, \delta)$-differential privacy: one example more or less
# turns the probability $p$ of *any* outcome into at most $e^{\varepsilon} p + \delta$.
# Then $k$ changes turn it into at most
#
# $$e^{k\varepsilon}\, p \;+\; \delta\,\frac{e^{k\varepsilon} - 1}{e^{\varepsilon} - 1}$$
#
# A replaced example is *two* changes: one taken away, one added.


# %%
def group_bound(p, changes, privacy_eps, privacy_delta):
    """The highest probability that an outcome of probability p can get from `changes` examples more or less."""
    growth = min(changes * privacy_eps, 700)  # exp of more would overflow, and is more than enough
    often = math.expm1(growth) / math.expm1(privacy_eps) if privacy_eps else changes
    return min(1.0, math.exp(growth) * p + often * privacy_delta)


# %%
step = {"clip": 1.0, "rate": min(0.2, 500 / len(collected.y)), "updates": 60, "lr": 1.0}
sets = {"no poison": (collected, stamp), "4 % trigger": (poison, stamp), "10 % trigger": (greedy, wide)}
private = {}
for noise in (0, 8):
    row = private[f"noise {noise}"] = {}
    for name, (found, trigger) in sets.items():
        torch.manual_seed(0)
        model = small_cnn(data)[1:]  # without the normalisation, which has seen the data
        model = privacy.dp_sgd(model, found[:2], noise_multiplier=noise, **step)
        row[name] = success(model, test, trigger, target)
        row.setdefault("accuracy, no poison", accuracy(model, test))
plots.table(private)

# %% [markdown]
# The first row clips gradients and adds no noise: no privacy at all. Compare it with the second
# before you thank epsilon for what the short training and the clipping have done.
#
# And the bound? Take an outcome that has a probability of 1 % without poison,
# say that a certain stamped image is read as the target.

# %%
bounds, lines, many = {}, [], len(poison.which)
for noise in (2, 8):
    privacy_eps = privacy.privacy_eps(noise, step["rate"], step["updates"], privacy_delta=1e-5)
    for k in (0, 1, 3, 10, many):
        bounds[noise, k] = group_bound(0.01, 2 * k, privacy_eps, 1e-5)  # replaced: two changes each
    shown = ", ".join(f"{k}: {100 * bounds[noise, k]:.1f} %" for n, k in bounds if n == noise)
    lines.append(f"noise {noise}, epsilon {privacy_eps:.2f}. Poisons and bounds: {shown}")
print(*lines, sep="\n")

# %% [markdown]
# A bound of 100 % is *vacuous*: it says nothing. It grows with every poison, as debt does with interest,
# so it can speak of single poisons, and has nothing to say of a few percent.
# What the table above measured is better than a vacuous bound, and comes without a guarantee.
#
# ## Verdict

# %%
works, kept = before["4 % trigger"], accuracy(owned, test)
half = Rate(works.n // 2, works.n)
claim(
    "Machine-learning security covers the training set too",
    holds=works.clearly_above(half) and not kept.clearly_below(accuracy(clean, test)),
    because=f"with 4 % of the training images poisoned, the trigger works on {works}, "
    f"and the accuracy on held-out images is {kept}, without poison {accuracy(clean, test)}",
)

# %%
best = {name: min(row[f] for f in row if f != "no filter") for name, row in headline.items()}
stopped = [rate.interval[1] < 0.1 for rate in best.values()]
claim(
    "Filtering the training data is enough",
    holds=all(stopped) if all(stopped) or not any(stopped) else None,
    because="of the four filters the best leaves "
    + ", ".join(f"{rate} to the attacker with {name}" for name, rate in best.items())
    + ". It depends on trusted images, and on guessing the attacker's rate",
)

# %%
informed = [bounds[8, k] < 1 for k in (1, many)]
claim(
    "Differential privacy bounds what poisons can do",
    holds=all(informed) if all(informed) or not any(informed) else None,
    because=f"at noise 8 an outcome of 1 % can reach {100 * bounds[8, 1]:.1f} % by one poison and "
    f"{100 * bounds[8, many]:.1f} % by {many}, at an accuracy of {private['noise 8']['accuracy, no poison']}",
)

# %% [markdown]
# **To take to work.** Know where every training image comes from. Keep a few hundred that somebody has checked:
# the best filter and the repair both lived on them. Report a filter with what it throws away,
# and with the rate that it was told to expect. Try an attacker who knows it.
#
# **What it costs.** Each filter trains a second model. Privacy costs accuracy.
#
# ## The same in `utils`

# %%
again = {}
for name, made in {"lesson": (backdoor, clean_label), "utils": (poisoning.backdoor, poisoning.clean_label)}.items():
    torch.manual_seed(5)
    again[name] = *made[0](collected, 0.04, stamp, target), *made[1](collected, 0.04, wide, target, own_model, eps)
print("same poisons:", all(map(torch.equal, *again.values())))
features = logits(owned[:-1], poison.x)
scores = [module(features, poison.y) for module in (spectral_scores, poisoning.spectral_scores)]
print("same scores: ", torch.equal(*scores))

# %% [markdown]
# ## At a larger scale

# %%
print(larger("10_poisoning"))

# %% [markdown]
# ## Further
#
# - Gu et al. 2017, [arXiv:1708.06733](https://arxiv.org/abs/1708.06733). BadNets: a backdoor that survives retraining
#   for another task, and costs 25 % of accuracy there when the trigger is shown.
# - Tran et al. 2018, [arXiv:1811.00636](https://arxiv.org/abs/1811.00636). Spectral signatures.
# - Chen et al. 2018, [arXiv:1811.03728](https://arxiv.org/abs/1811.03728). Activation clustering.
# - Liu et al. 2018, [arXiv:1805.12185](https://arxiv.org/abs/1805.12185). Fine-pruning:
#   success down to 0 % in some cases, for 0.4 % of accuracy.
# - Turner et al. 2019, [arXiv:1912.02771](https://arxiv.org/abs/1912.02771). Poisons whose labels are right.
#
# Practise: [lab 10](../labs/10_poisoning.ipynb).
# Next: [11 · Beyond images](11_beyond_images.ipynb)
