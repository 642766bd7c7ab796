# %% [markdown]
# # 12 · Model monitoring
#
# > *"Monitoring prevents decay."* · *"Monitoring tells you when to retrain."*
#
# A model meets a world that goes on changing. A monitor compares what arrives now with what came before,
# and raises an alarm. What does it see, what not, and what is an alarm worth?
#
# **You will build** tests for two samples, detectors for streams that keep their promise while you look,
# an estimate of accuracy without labels, and a decision by cost.
# *About 65 minutes, after 07; the cells run in SECONDS s on two CPU cores.*

# %%
import math
from copy import deepcopy
from functools import cache

import torch
from scipy import stats
from torch.nn import functional as F

from utils import monitoring, plots, widgets
from utils.claims import claim
from utils.data import load
from utils.evaluation import Rate, Trainings, accuracy
from utils.larger import larger
from utils.models import logits
from utils.records import measured
from utils.training import fit
from utils.usual import undefended
from utils.widgets.console import MonitorConsole

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = undefended(data).requires_grad_(False)
pool = data.test  # what arrives is drawn from these, again and again
measured("right answers", accuracy(model, pool))

# %% [markdown]
# ## What may change
#
# | drift | what changes | here |
# |---|---|---|
# | **covariate** | $P(x)$ | images fade, a little or much, or blur |
# | **label** | $P(y)$ | two classes come eight times as often |
# | **concept** | $P(y \mid x)$ | what was a 7 counts as a 1 from now on |
# | **fault** | the pipeline | a column of pixels is stuck; another unit of brightness |
#
# Nobody attacks here. Lesson 13 adds somebody who does.


# %%
def draw(kind, n, seed):
    """Which of the pool's images arrive, (n,): drawn with replacement."""
    often = torch.ones(len(data.classes))
    often[:2] = 8 if kind == "other classes" else 1
    random = torch.Generator().manual_seed(seed)
    return often[pool.y.cpu()].multinomial(n, replacement=True, generator=random).to(pool.y.device)


# %%
DRIFTS = ["none", "a little fainter", "faded", "blurred"]
DRIFTS += ["other classes", "new meaning", "stuck column", "other unit"]


def drift(kind, x, y):
    """Images and true labels as a kind of drift changes them."""
    if kind in ("a little fainter", "faded", "other unit"):
        x = x * {"a little fainter": 0.95, "faded": 0.4, "other unit": 1 / 16}[kind]
    elif kind == "blurred":
        x = F.avg_pool2d(x, 3, stride=1, padding=1)
    elif kind == "stuck column":
        column = torch.arange(x.shape[-1], device=x.device) == x.shape[-1] // 2
        x = x.where(~column, 0.5)
    elif kind == "new meaning":
        y = y.where(y != 7, 1)
    return x, y


def arrive(kind, n, seed):
    """n arrivals under a kind of drift: images and true labels."""
    pick = draw(kind, n, seed)
    return drift(kind, pool.x[pick], pool.y[pick])


# %%
some, _ = arrive("none", 6, 0)
kinds = ("none", "a little fainter", "faded", "blurred", "stuck column", "other unit")
looks = {kind: drift(kind, some, None)[0] for kind in kinds}
plots.gallery(looks, {kind: [str(int(k)) for k in logits(model, x).argmax(1)] for kind, x in looks.items()})

# %% [markdown]
# Over each image: what the model reads. Under *none* stand the images as they were.

# %%
guess = widgets.ask("All 7s count as 1s now. How many looks at 100 new images raise an alarm?")
guess

# %% [markdown]
# ## Two samples
#
# Kolmogorov and Smirnov compare one feature: the largest gap between two cumulative shares.
# Its distribution without drift is known, and gives a **p-value**:
# the chance of a gap as large or larger if nothing has changed.


# %%
def ks(reference, now):
    """Statistic and p-value for each feature; inputs (n, features) and (m, features)."""
    n, m = len(reference), len(now)
    values, order = torch.cat([reference, now]).sort(dim=0)
    gap = torch.where(order < n, m, -n).cumsum(0)  # in whole numbers, times n m
    last = torch.ones_like(gap, dtype=torch.bool)
    last[:-1] = values[1:] != values[:-1]  # among equal values, look only after the last
    statistic = (gap.abs() * last).amax(0).double() / (n * m)
    gaps, which = statistic.cpu().unique(return_inverse=True)  # p takes long, and many features have the same gap
    return statistic, torch.from_numpy(stats.kstwo.sf(gaps.numpy(), round(n * m / (n + m))))[which]


# %%
torch.manual_seed(0)
a, b = torch.randn(80, 3).round(decimals=1), torch.randn(60, 3).round(decimals=1) + 0.2
statistic, p = ks(a, b)
peer = stats.ks_2samp(a.numpy(), b.numpy(), method="asymp")
for name, ours, theirs in (("statistic", statistic, peer.statistic), ("p-value", p, peer.pvalue)):
    measured(f"{name} of the first feature", {"here": ours[0], "by scipy": theirs[0]})
    print("all features agree:", torch.allclose(ours.cpu(), torch.from_numpy(theirs), atol=1e-6))

# %% [markdown]
# The **population stability index** is loved in banks. It has bins instead of a curve,
# and customary limits instead of a p-value: above 0.1 "watch", above 0.25 "act".
#
# $$\mathrm{PSI} = \sum_{\text{bins}} (q - p) \log \frac{q}{p}$$
#
# Let two samples come from the *same* distribution, and count how often it says "watch".


# %%
def shares(sample, edges):
    """The share of a sample in each bin, (bins, features); half an example more in each, so that none is 0."""
    place = (sample[:, None] > edges).sum(1)
    counts = torch.stack([(place == k).sum(0) for k in range(len(edges) + 1)]).double()
    return (counts + 0.5) / (counts + 0.5).sum(0)


def psi(reference, now, bins=10):
    """PSI of each feature, in bins that hold equal shares of the reference."""
    edges = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1].to(reference), dim=0)
    p, q = shares(reference, edges), shares(now, edges)
    return ((q - p) * (q / p).log()).sum(0)


# %%
torch.manual_seed(0)
too_high, allowed = {}, {}
for n in (100, 200, 400, 800, 1600):
    found = psi(torch.randn(n, 300), torch.randn(n, 300))  # 300 features, none has changed
    too_high[n] = Rate(int((found > 0.1).sum()), 300)
    limit = 2 / n * stats.chi2.isf(0.05, 9)  # what the same index may reach in 5 % of cases
    allowed[n] = Rate(int((found > limit).sum()), 300)
plots.lines(
    {"limit 0.1": too_high, "limit for this n": allowed}, x="examples in each sample", y="false alarms", log=True
)

# %% [markdown]
# A fixed limit means another thing at every sample size.
# Without drift the index is about $(1/n + 1/m)$ times a chi-square variable, so the right limit can be computed.
#
# ## Many features
#
# An image has many pixels. Test each at 5 %, and something always looks new.
# Holm's correction: the smallest p-value times the number of tests, the next times one less, …


# %%
def holm(p):
    """Adjusted p-values: any false alarm at all has at most the stated probability."""
    ordered, order = p.sort()
    adjusted = (ordered * torch.arange(len(p), 0, -1)).cummax(0).values.clamp_max(1)
    return torch.empty_like(adjusted).scatter_(0, order, adjusted)


# %%
looks, n, alarms = 60, 100, {"one feature": 0, "all, each at 5 %": 0, "all, corrected": 0}
for _ in range(looks):
    _, p = ks(torch.randn(n, 64), torch.randn(n, 64))
    alarms["one feature"] += int(p[0] <= 0.05)
    alarms["all, each at 5 %"] += int(p.min() <= 0.05)
    alarms["all, corrected"] += int(holm(p).min() <= 0.05)
plots.rates({name: Rate(k, looks) for name, k in alarms.items()}, x="looks with a false alarm")

# %% [markdown]
# ## The test that fits the column
#
# Kolmogorov and Smirnov count on values that differ. A column of categories, or one that is mostly 0, has few.
# For categories there is **chi-square**: compare each count with what both samples together make us expect.


# %%
def chi_square(reference, now):
    """Statistic and p-value for one feature of categories, whole numbers from 0; inputs (n,) and (m,)."""
    names = int(max(reference.max(), now.max())) + 1
    counts = torch.stack([sample.bincount(minlength=names) for sample in (reference, now)])
    counts = counts[:, counts.sum(0) > 0].double()
    expected = counts.sum(1, keepdim=True) * counts.sum(0) / counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    return statistic, torch.tensor(stats.chi2.sf(float(statistic), counts.shape[1] - 1), dtype=torch.float64)


# %%
def refunds(share, looks=300, n=200):
    """What is paid back of n orders in each look, (n, looks): mostly nothing."""
    return torch.rand(n, looks) * (torch.rand(n, looks) < share)


torch.manual_seed(0)
fits = {}
for change, share in (("nothing changed", 0.2), ("20 % became 30 %", 0.3)):
    paid_back = refunds(0.2), refunds(share)
    yes = [(sample > 0).long() for sample in paid_back]
    p_values = {
        "yes or no, KS": ks(*yes)[1],
        "yes or no, chi²": torch.stack([chi_square(*pair)[1] for pair in zip(yes[0].T, yes[1].T, strict=True)]),
        "amounts, KS": ks(*paid_back)[1],
        "amounts, PSI": monitoring.psi(*paid_back).p,
    }
    for name, p in p_values.items():
        fits.setdefault(name, {})[change] = Rate(int((p <= 0.05).sum()), len(p))
plots.table(fits)

# %% [markdown]
# Where many values are equal, the p-values of Kolmogorov and Smirnov are too large:
# fewer false alarms than the 5 % that we allow, and fewer true ones.
# PSI with a bin for each common value keeps its level, but its other nine bins make it no sharper.
# The question that fits, *how many are 0?*, sees most.
#
# Many pixels are such columns: tests of single pixels see less, below, than they could.

# %%
nothing = (pool.x.flatten(1) == 0).double().mean(0)
measured("pixels that are 0 in at least half of the images", Rate(int((nothing >= 0.5).sum()), len(nothing)))

# %% [markdown]
# ## A table before all else
#
# A test compares the values that are *there*. So whoever runs a model first looks at its table, column by column:
# what is missing, of another kind, out of range, or new? This costs next to nothing, and finds faults that no test of
# values sees. Six columns of orders, and five of them go wrong:


# %%
def orders(n, seed):
    """A table of n orders, {column: values}."""
    random = torch.Generator().manual_seed(seed)
    normal, uniform = torch.randn(3, n, generator=random), torch.rand(3, n, generator=random)
    return {
        "amount": (3 + normal[0]).exp(),
        "age": 40 + 12 * normal[1],
        "refund": (normal[2] - 1).clamp_min(0),  # mostly 0
        "items": (1 + 5 * uniform[0]).long(),
        "country": [("de", "fr", "it")[int(3 * u)] for u in uniform[1]],
        "paid": uniform[2] < 0.9,
    }


orders_before, orders_now = orders(10_000, 0), orders(10_000, 1)
orders_now["amount"][::2] = math.nan  # every second one has gone missing
orders_now["age"] += 1.2  # a tenth of a deviation
orders_now["refund"] *= 100  # cents in place of euros
orders_now["items"] = [str(int(number)) for number in orders_now["items"]]
orders_now["country"][:50] = ["es"] * 50

# %%
found = monitoring.columns(orders_before, orders_now)
for name, column in found.items():
    p = {key: "none" if math.isnan(p) else f"{p:.2g}" for key, p in zip(("p =", "p of missing"), column.p, strict=True)}
    effect = "none" if math.isnan(column.effect) else f"{column.effect:.2f}"
    measured(name, {"missing": column.missing[1]} | p | {"effect": effect, "and": "; ".join(column.says) or "no more"})
measured("columns that drifted, of 6", sum(column.drifted for column in found.values()))

# %% [markdown]
# The amounts that are left look as ever: only *missing* and its p tell. With so many orders, a tenth of a
# deviation has a tiny p-value. So read the **effect** beside it: p says whether something changed, the effect how much
# (the shift of a mean in deviations; for categories, the share that would have to move).
#
# Many tools raise an alarm when a certain *share of columns* has drifted.
# That says how broad a change is, not how bad: one broken column of a hundred is 1 %.
#
# ## All features at once
#
# Are examples nearer to their own sample than to the other? With a kernel $k$ as nearness,
# the **maximum mean discrepancy** is: mean within one, plus mean within the other, minus twice the mean across.
#
# Its p-value needs no theory: shuffle the labels "before" and "now", and see how often chance does as well.
# All shuffles are *one* matrix product.


# %%
def kernel(x):
    """How near all rows of x are to each other, (N, N): a bell as wide as the median distance."""
    squared = torch.cdist(x, x) ** 2
    away = torch.ones_like(squared, dtype=torch.bool).fill_diagonal_(False)
    return (-squared / squared[away].median()).exp()


def mmd(reference, now, permutations=200):
    """The unbiased estimate of MMD^2 and its permutation p-value. Gretton et al. 2012."""
    n, m = len(reference), len(now)
    k = kernel(torch.cat([reference, now]).double()).fill_diagonal_(0)
    z = torch.zeros(permutations + 1, n + m, dtype=k.dtype, device=k.device)
    z[0, :n] = 1  # as it is
    z[1:].scatter_(1, torch.rand(permutations, n + m).argsort(1)[:, :n].to(k.device), 1)  # shuffled
    product = z @ k
    within_a = (product * z).sum(1)
    across = product.sum(1) - within_a
    within_b = k.sum() - within_a - 2 * across
    values = within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * across / (n * m)
    return values[0], (1 + (values[1:] >= values[0]).sum()) / (1 + permutations)


# %%
torch.manual_seed(0)
k = kernel(torch.cat([a, b]).double())
by_hand = (k[:80, :80].sum() - 80) / (80 * 79) + (k[80:, 80:].sum() - 60) / (60 * 59) - 2 * k[:80, 80:].mean()
value, p = mmd(a, b)
measured("MMD", {"in one product": value, "by hand": by_hand, "p =": p})
print("the same:", torch.isclose(value, by_hand).item())

# %% [markdown]
# ## What sees what?
#
# Five tests, each with 100 arrivals from before and 100 from now, 20 looks at 5 %.
# Two look at the pixels one by one or at all of them; one trains a classifier to tell *before* from *now*;
# two look at what *our model* makes of the images: its probabilities, and its answers.


# %%
def answers(x):
    return logits(model, x).softmax(1)


def flat(x):
    return x.flatten(1)


TESTS = {
    "pixels, KS": lambda a, b, seed: monitoring.holm(monitoring.ks(flat(a), flat(b)).p).min(),
    "pixels, MMD": lambda a, b, seed: monitoring.mmd(flat(a), flat(b), permutations=200, seed=seed).p,
    "classifier": lambda a, b, seed: monitoring.classifier_test(flat(a), flat(b), seed=seed, updates=25).p,
    "outputs, KS": lambda a, b, seed: monitoring.holm(monitoring.ks(answers(a), answers(b)).p).min(),
    "classes, chi²": lambda a, b, seed: monitoring.chi_square(answers(a).argmax(1), answers(b).argmax(1)).p,
}

# %%
seen, p_of = {}, {}
for kind in DRIFTS:
    seen[kind], p_of[kind] = {"accuracy": accuracy(model, arrive(kind, 1000, 99))}, []
    for i in range(20):
        a, b = arrive("none", n, 2 * i)[0], arrive(kind, n, 2 * i + 1)[0]
        p_of[kind].append([float(test(a, b, i)) for test in TESTS.values()])
    for j, name in enumerate(TESTS):
        seen[kind][name] = Rate(sum(p[j] <= 0.05 for p in p_of[kind]), 20)
plots.table(seen)

# %% [markdown]
# Read the rows against the first column. A drift that costs nothing can raise an alarm at every look.
# And the *new meaning* costs accuracy, yet every test is as quiet as without drift:
# the images are the same as ever. No monitor of inputs or outputs can see it, at any sample size.
#
# The five tests look at the *same* images, so their alarms are not 100 looks but 20, and a monitor that runs
# all five has five chances in each. Corrected for that:

# %%
quiet = Rate(sum(float(holm(torch.tensor(p)).min()) <= 0.05 for p in p_of["new meaning"]), 20)
measured("alarms by the inputs alone", quiet)
measured("every p-value as without drift", p_of["new meaning"] == p_of["none"])
guess.reveal(quiet)

# %% [markdown]
# How many examples does a drift need until it is seen? Take the other classes:

# %%
sizes, kind = (25, 50, 100, 200, 400), "other classes"
power = {name: {} for name in ("pixels, KS", "pixels, MMD", "outputs, KS", "classes, chi²")}
for name, found in power.items():
    for size in sizes:
        pairs = [(arrive("none", size, 2 * i)[0], arrive(kind, size, 2 * i + 1)[0], i) for i in range(20)]
        found[size] = Rate(sum(float(TESTS[name](*pair)) <= 0.05 for pair in pairs), 20)
plots.lines(power, x="examples in each sample", y="looks with an alarm", log=True)

# %% [markdown]
# This drift shows soonest in the classes that the model names, and pixel by pixel it shows last.
# Test what the drift that you fear would move.

# %% [markdown]
# ## Looking all the time
#
# A monitor looks again and again, and each look is one more chance for a false alarm.
# So a stream is judged by two other numbers:
# the **run length**, how many arrivals pass on average until a false alarm,
# and the **delay**, how many until a true one.
#
# We watch one number for each arrival, for example the model's confidence in its answer.


# %%
@cache  # the pool is always the same
def confidence(kind):
    """The model's confidence in its answer to each image of the pool, (N,)."""
    return answers(drift(kind, *pool)[0]).amax(1).double()


@cache
def mistakes(kind):
    """1 where the model's answer to an image of the pool is wrong, else 0, (N,)."""
    x, y = drift(kind, *pool)
    return (answers(x).argmax(1) != y).double()


def streams(kind, watch, *, part=1.0, over=1, length=1000, change=500, runs=100, seed=0):
    """Streams of watched values, (runs, length): calm, and after `change` a part drifts, all of it `over` later."""
    calm, new = (watch(k)[draw(k, runs * length, seed)].view(runs, length) for k in ("none", kind))
    share = part * ((torch.arange(length) - change + 1) / over).clamp(0, 1)
    drifted = torch.rand(runs, length, generator=torch.Generator().manual_seed(seed)) < share
    return new.where(drifted.to(new.device), calm)


# %%
calm = streams("none", confidence)
usual = confidence("none")[draw("none", 400, 9)][:, None].expand(-1, len(calm))  # what the tests compare with
false, by_now = torch.zeros(len(calm), dtype=torch.bool), {}
for end in range(50, 1001, 50):
    false |= ks(usual, calm[:, end - 50 : end].T)[1] <= 0.05  # one feature for each stream
    by_now[end] = Rate(int(false.sum()), len(false))
plots.lines(by_now, x="arrivals, with a test of the last 50 after every 50", y="false alarm so far")

# %% [markdown]
# ## Two detectors that may look
#
# **CUSUM** (Page 1954) adds up how far values lie from the usual mean, less some slack, and never falls below 0.
# The threshold for an alarm is set on calm streams, for the run length that we can live with.


# %%
def cusum(x, *, mean, slack):
    """The height of two sums, up and down, at each time; x and the answer are (streams, time)."""
    up = down = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    heights = []
    for value in x.T:
        up = (up + value - mean - slack).clamp_min(0)
        down = (down - value + mean - slack).clamp_min(0)
        heights.append(torch.maximum(up, down))
    return torch.stack(heights, 1)


# %% [markdown]
# The other is a **gambler**, as in lesson 07, who bets that the mean has changed,
# and puts in one more coin at each arrival. While the mean is the old one,
# the game is fair: after $t$ arrivals the gambler holds $t$ coins on average. So
#
# $$\text{an alarm at } A \text{ coins comes after } A \text{ arrivals or more, on average}$$
#
# No threshold must be tuned, looking costs nothing, and the shape of the distribution does not matter.
# But the mean must be *known*, and it must be what to expect of the next value *whatever came before*.
# Days, weeks and any other memory break the promise.


# %%
UP = torch.tensor([0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75], dtype=torch.float64)  # of the coins, at risk
BETS = torch.cat([-UP.flip(0), UP])  # large bets win soon on large changes, small ones win in the end on small changes


def e_detector(x, *, mean):
    """The coins at each time, for values in [0, 1]. Shin, Ramdas & Rinaldo 2024."""
    bets = BETS.to(x.device)
    stake = torch.where(bets > 0, bets / mean, bets / (1 - mean))  # the worst value leaves 1 - |bet|
    coins = torch.zeros(len(x), len(bets), dtype=torch.float64, device=x.device)
    held = []
    for value in x.T:
        coins = (1 + coins) * (1 + stake * (value[:, None] - mean))
        coins = coins.clamp_max(1e300)
        held.append(coins.mean(1))
    return torch.stack(held, 1)


# %%
run_length = 2000  # arrivals
long = streams("none", confidence, runs=300, seed=5)
usually, slack = float(confidence("none").mean()), 0.25 * float(confidence("none").std())
threshold = monitoring.threshold_for(cusum(long, mean=usually, slack=slack), run_length)
lower = monitoring.threshold_for(cusum(long, mean=usually, slack=slack / 5), run_length)
coins = monitoring.threshold_for(e_detector(long, mean=usually), run_length)
detectors = {
    "CUSUM": lambda x: monitoring.first_alarm(cusum(x, mean=usually, slack=slack), threshold),
    "CUSUM, a fifth of the slack": lambda x: monitoring.first_alarm(cusum(x, mean=usually, slack=slack / 5), lower),
    "gambler": lambda x: monitoring.first_alarm(e_detector(x, mean=usually), run_length),
    "gambler, tuned": lambda x: monitoring.first_alarm(e_detector(x, mean=usually), coins),
}


def one_in(alarm, length):
    """Arrivals for each alarm, over streams of this length that end at their first one."""
    return (alarm + 1).clamp_max(length).sum() / (alarm < length).sum().clamp_min(1)


def after_change(alarm):
    """What is seen of a change at 500, in streams of 1,000 without a false alarm before."""
    late = alarm[alarm >= 500] - 500
    seen_in = Rate(int((late < 500).sum()), len(late))
    return {"seen in": seen_in, "median delay:": int(late.median()) if seen_in > 0.5 else "mostly not seen"}


fresh = streams("none", confidence, runs=300, seed=6)  # not those that set the thresholds
for name, detect in detectors.items():
    measured(f"{name}, arrivals for each false alarm", one_in(detect(fresh), 1000).round().int())

# %% [markdown]
# The gambler promises a run length of 2,000 *or more*, for any distribution; on these values it is several times as
# long. Sooner or later is a fair question at *equal* run length only. So the tuned one takes its threshold as CUSUM
# does, from calm streams, and gives the promise away.
# (Each figure is of 300 calm streams of 1,000 arrivals, each watched up to its first alarm: about a hundred alarms, and
# fewer for the gambler who is not tuned. From so few, a fifth or a third more or less may be chance.)

# %%
for kind in ("none", "faded", "stuck column", "new meaning"):
    x = streams(kind, confidence, part=0.2, runs=300, seed=20)  # one camera in five
    for name, detect in detectors.items():
        measured(f"{kind}, {name}", after_change(detect(x)))
spread = confidence("none").std()
moved = {kind: 0.2 * float((confidence(kind).mean() - usually) / spread) for kind in ("faded", "stuck column")}
measured("the mean moves, in deviations", moved)
print("CUSUM's slack, in deviations:", 0.25, "and", 0.25 / 5)

# %% [markdown]
# *Seen in* counts every alarm after the change, false ones too: *none* shows how many those are.
# With the new meaning it is as many, alarm by alarm.
#
# At equal run length (that of the gambler who is not tuned is longer) all are close where a drift is large.
# Where it is smaller, CUSUM's **slack** decides, which takes away what is smaller than itself:
# with the first slack it sees the stuck column less often than the tuned gambler, with a fifth of it as often.
# The small slack is later where the drift is large. So which is better depends on the change,
# and the gambler bets on many sizes at once. What the promise costs is the way from *tuned* to *gambler*.
#
# What is *watched* matters as well. The kernel of MMD gives another number for each arrival:
# how near is it to earlier images, on average? It lies from 0 to 1, so the gambler can watch it,
# and nobody waits for a batch.


# %%
earlier = flat(data.train.x[:400]).double()
width = (torch.cdist(earlier, earlier) ** 2).median()


@cache
def nearness(kind):
    """How near each image of the pool is to earlier ones, (N,): the mean of the kernel, from 0 to 1."""
    x = flat(drift(kind, *pool)[0]).double()
    return (-(torch.cdist(x, earlier) ** 2) / width).exp().mean(1)


for kind in ("none", "faded", "blurred", "stuck column"):
    for name, watch in {"confidence": confidence, "nearness": nearness}.items():
        x = streams(kind, watch, part=0.2, runs=100, seed=21)
        alarm = monitoring.first_alarm(e_detector(x, mean=float(watch("none").mean())), run_length)
        measured(f"{kind}, {name}", after_change(alarm))

# %% [markdown]
# Each sees what moves *it*. On the digits faded images are as near to the others as ever,
# and the model is less sure of them.
#
# And if a condition of the promise is not met? Take values that remember, with the right mean;
# the same values, shuffled; and a usual mean that is only the mean of a few arrivals.


# %%
def between(x, mean):
    """Arrivals for each false alarm of the gambler, over calm streams."""
    return one_in(monitoring.first_alarm(e_detector(x, mean=mean), run_length), x.shape[1])


random = torch.Generator().manual_seed(0)
now, past = torch.randn(100, generator=random).double(), []
for _ in range(1000):
    now = 0.95 * now + math.sqrt(1 - 0.95**2) * torch.randn(100, generator=random).double()
    past.append(torch.special.ndtr(now))  # its share below: any value from 0 to 1 is as likely
remembering = torch.stack(past, 1)
shuffled = remembering.flatten()[torch.randperm(remembering.numel(), generator=random)].view_as(remembering)
print(f"promised: one alarm in {run_length:,} arrivals, or in more")
measured("one alarm in, values that remember, mean 0.5", between(remembering, 0.5).round().int())
measured("one alarm in, the same values, shuffled", between(shuffled, 0.5).round().int())
measured("one alarm in, confidence, with its mean", between(long, usually).round().int())
for n in (100, 400, 1600):
    few = confidence("none")[draw("none", n * len(long), 8)].view(len(long), n).mean(1, keepdim=True)  # one each
    measured(f"one alarm in, confidence, with the mean of {n:,} arrivals", between(long, few).round().int())

# %% [markdown]
# (The first two are of 100 streams of 1,000 values, the others of the 300 streams that set the thresholds.)
# Memory takes nearly all of the promise away, and a mean from too few arrivals some of it:
# what the gambler wins then is the error. Take the usual mean from many arrivals,
# and watch what no longer remembers (an example comes below).
#
# Neither detector sees the new meaning in *confidence*: the images are the same.
# What would see it are the model's **mistakes**. But true labels come late. The delay is counted in labels after the
# change, and each label comes 100 arrivals after its image: so an alarm is heard 100 arrivals later than is printed.

# %%
late_by = 100  # arrivals until the true label is known
wrong = streams("new meaning", mistakes, seed=30)
share = max(float(mistakes("none").mean()), 0.01)
alarm = monitoring.first_alarm(e_detector(wrong, mean=share), run_length)
true = alarm[(alarm >= 500) & (alarm < 1000)] - 500
measured("false alarms before the change", Rate(int((alarm < 500).sum()), len(alarm)))
measured(
    "alarms after it",
    {"seen in": Rate(len(true), len(alarm)), f"median delay, labels + {late_by} arrivals:": int(true.median())},
)

# %% [markdown]
# **ADWIN** (Bifet & Gavaldà 2007) wants no usual mean. It keeps a window of the last values,
# and drops the older part when two parts of it have clearly different means:


# %%
def parts_differ(window, failure_prob):
    """Whether some older part of the window has another mean than the rest, beyond chance."""
    w = torch.tensor(window).double()
    n0 = torch.arange(1, len(w))
    n1 = len(w) - n0
    sums = w.cumsum(0)[:-1]
    gap = (sums / n0 - (w.sum() - sums) / n1).abs()
    m, surprise = 1 / (1 / n0 + 1 / n1), math.log(2 * len(w) / failure_prob)
    return bool((gap > (2 / m * w.var(correction=0) * surprise).sqrt() + 2 / (3 * m) * surprise).any())


# %%
values, window, sizes = streams("blurred", confidence, seed=40)[0].tolist(), [], {}
shared = monitoring.Adwin(0.002, each=10_000)  # nothing summed up: the same as here
for t, value in enumerate(values):
    window.append(value)
    shared.update(value)
    if (t + 1) % 32 == 0:
        while parts_differ(window, 0.002):
            window.pop(0)
        sizes[t + 1] = len(window)
measured("arrivals in the window at the end", {"here:": len(window), "by utils:": shared.size})
plots.curves({"one stream": sizes}, x="arrivals, a change at 500", y="arrivals in the window")

# %% [markdown]
# The window is cut at several looks after *one* change: each look drops what is already clearly old,
# and later ones, with more of the new, some more. (Old values may stay.) So count streams, and take the first cut
# as the alarm.


# %%
def adwin_alarm(x):
    """The first cut of each stream's window, (streams,); the length of the streams where there is none."""
    windows = [monitoring.Adwin(0.002) for _ in x]
    cuts = [[adwin.update(value) for value in row] for adwin, row in zip(windows, x.tolist(), strict=True)]
    return monitoring.first_alarm(torch.tensor(cuts).double(), 1.0)


def higher(x):
    """CUSUM's alarms at twice the threshold."""
    return monitoring.first_alarm(cusum(x, mean=usually, slack=slack), 2 * threshold)


three = {"ADWIN": adwin_alarm, "CUSUM": detectors["CUSUM"], "CUSUM at twice the threshold": higher}
for kind in ("none", "faded", "blurred"):
    x = streams(kind, confidence, runs=60, seed=41)
    for name, detect in three.items():
        alarm = detect(x)
        early, found = (Rate(int(((alarm >= t) & (alarm < t + 500)).sum()), 60) for t in (0, 500))
        delay = int(alarm[alarm >= 500].median()) - 500
        delay = delay if delay < 500 else "mostly not seen"
        measured(f"{kind}, first alarm of {name}", {"before 500:": early, "after:": found, "median delay:": delay})

# %% [markdown]
# ADWIN has no usual mean, so none that can be wrong, and it needs no calm streams to set a threshold.
# That its false alarms are rarer than those of the first CUSUM is no merit: the two do not run equally long.
# At twice the threshold CUSUM has next to none either, and sees these changes far sooner.
# (Here *all* images change at 500, and above it was one in five: so the faded ones are seen much sooner here.)
#
# This window holds every value. `utils` sums old values up in buckets of 2, 4, 8, …,
# so that a million values fit into about a hundred buckets.
#
# ## How good is the model now?
#
# Without labels there is one witness: the model's own confidence.
# First it must be *calibrated*: divide the logits by a temperature, so that answers of 90 % confidence
# are right in 90 % of cases.
# Then the mean confidence is an estimate of the accuracy. Tools call this **CBPE**,
# confidence-based performance estimation.
# **ATC** (average thresholded confidence, Garg et al. 2022) counts in place of adding:
# it takes the confidence that as many labelled answers exceed as were right, and counts how many exceed it now.

# %%
x_seen, y_seen = arrive("none", 400, 50)  # arrivals with labels
temperature = monitoring.calibrate(logits(model, x_seen), y_seen)
measured("temperature", temperature)
sure = (logits(model, x_seen) / temperature).softmax(1).amax(1)
limit = sure.quantile(1 - float(accuracy(model, (x_seen, y_seen))))
for kind in DRIFTS:
    x_now, y_now = arrive(kind, 1000, 99)
    said = logits(model, x_now)
    promised, (low, high) = monitoring.expected_accuracy(said, temperature)
    words = f"{100 * promised:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
    counted = Rate(int(((said / temperature).softmax(1).amax(1) > limit).sum()), len(said))
    measured(kind, {"promised": words, "by ATC": counted, "true": accuracy(model, (x_now, y_now))})

# %% [markdown]
# Compare each estimate with *true*, at the end of its line. Where images fade or blur they may follow the truth,
# and may miss it by far: calibrated on the old images, the model need not know how much it does not know
# of the new ones.
# The intervals cover the chance in the sample, not this. And of the new meaning both know nothing at all.
#
# With labels, one number for all may hide the worst. Look at **slices**: by what the model answered, say.

# %%
x_now, y_now = arrive("new meaning", 1000, 99)
said = logits(model, x_now).argmax(1)
slices = {"all": Rate(int((said == y_now).sum()), len(said))}
for i, name in enumerate(data.classes):
    if (said == i).any():
        slices[f"answered {name}"] = Rate(int((y_now[said == i] == i).sum()), int((said == i).sum()))
plots.rates(slices, x="right, when all 7s count as 1s")

# %% [markdown]
# Most slices are as before, and one is lost. A slice has fewer labels, and so a wider interval;
# and of many slices one looks odd by chance. Correct for their number, or name beforehand the one that you fear for.
#
# ## When to retrain
#
# An alarm is no reason to retrain, and a p-value no price. What does *keeping* the model cost?
# Wrong answers that it would not have given when it was new, times what each costs.
# From a few hundred labels we get an interval, and compare it with the price of retraining.
# This assumes that retraining brings the old accuracy back. Where it cannot, as where a blur has destroyed
# what was to be seen, put the accuracy that you expect of it in place of `new_model`.

# %%
answers_to_come, error_cost, price = 10_000, 1.0, 300.0
new_model = accuracy(model, arrive("none", 400, 60))
decided, truth = {}, {}
for kind in DRIFTS:
    now = arrive(kind, 400, 61)
    p = float(TESTS["pixels, KS"](arrive("none", 400, 60)[0], now[0], 0))
    low, high = monitoring.cost_of_waiting(
        new_model, accuracy(model, now), events=answers_to_come, error_cost=error_cost
    )
    decided[kind] = "retrain" if low > price else "keep" if high < price else "label more"
    more = mistakes(kind)[draw(kind, 100_000, 62)].mean() - mistakes("none").mean()  # what nobody has: all labels
    truth[kind] = answers_to_come * error_cost * float(more)
    costs = {"keeping it costs": f"{low:.0f} to {high:.0f}", "truly": f"{truth[kind]:.0f}"}
    measured(kind, {"p =": f"{p:.1e}"} | costs | {"so:": decided[kind]})
settled = [kind for kind, do in decided.items() if do != "label more"]
rightly = [kind for kind in settled if decided[kind] == ("retrain" if truth[kind] > price else "keep")]
measured("drifts in which it is decided", Rate(len(settled), len(decided)))
measured("and rightly, of these", f"{len(rightly)} of {len(settled)}")

# %% [markdown]
# The p-value does not tell the cost: the new meaning has a p of 1, and is worth retraining for.
# (A fault is mended, not learned: before you retrain on another unit, look for the cause.)
#
# ## An alarm, and a repair
#
# An alarm changes nothing in a model. Somebody must answer it. Let them have a repaired one 200 arrivals later:
# where the images fade or get a new meaning, the same network after 100 updates on 400 labelled images of the new kind,
# and where the unit is wrong, the right unit. How many of the first 1,000 answers after the change are right
# without a monitor, and with one? CUSUM watches the confidence. Or the gambler watches the mistakes,
# whose labels come late.


# %%
def mended(kind, seed):
    """1 where the repaired model's answer to an image of the pool is wrong, else 0, (N,)."""
    if kind == "other unit":
        return mistakes("none")
    torch.manual_seed(seed)
    labelled = drift(kind, *data.train.take(400))  # none of the pool's images
    repaired = fit(deepcopy(model).requires_grad_(True), labelled, updates=100, lr=1e-3).requires_grad_(False)
    x, y = drift(kind, *pool)
    return (logits(repaired, x).argmax(1) != y).double()


after, to_repair, again = 1000, 200, {}
for kind in ("faded", "new meaning", "other unit"):
    right = {"before": [], "no monitor": [], "confidence watched": [], "mistakes watched": []}
    for seed in range(3):  # each with a stream and a repair of its own
        calm_pick, pick = draw("none", after, 80 + seed), draw(kind, after, 90 + seed)
        wrong, better = mistakes(kind)[pick], mended(kind, seed)[pick]
        alarms = {
            "confidence watched": detectors["CUSUM"](confidence(kind)[pick][None]),
            "mistakes watched": monitoring.first_alarm(e_detector(wrong[None], mean=share), run_length) + late_by,
        }
        right["before"].append(1 - mistakes("none")[calm_pick])
        right["no monitor"].append(1 - wrong)
        for name, alarm in alarms.items():
            old = torch.arange(after, device=wrong.device) < int(alarm) + to_repair
            right[name].append(1 - wrong.where(old, better))
    again[kind] = {name: Trainings(Rate(int(run.sum()), after) for run in runs) for name, runs in right.items()}
    measured(f"{kind}, right", again[kind])

# %% [markdown]
# Where the alarm comes, the repair brings much back. What went wrong until then stays wrong:
# how much that is depends on the 200 arrivals, which are ours. Where the meaning changed, who watches
# the confidence can gain by a false alarm only. Who watches the mistakes gains in all three
# on the digits, and is later where the confidence shows the change: labels take their time.
# (On MNIST fading costs next to nothing, and a repair there made the model a little worse.)
#
# ## Two other streams
#
# A **forecast** of hourly demand has days and weeks in it. A detector that takes the mean for the usual
# raises alarms every day. What should be watched is what the forecast
# does *not* explain. Twelve weeks: the forecast is the mean of the same hour in the first four,
# and in the last four demand is higher by 0.1.


# %%
def alarms_of(x, *, mean, slack, threshold):
    """When CUSUM raises an alarm on one stream (T,), if it begins anew after each."""
    up, down, raised = 0.0, 0.0, []
    for t, value in enumerate(x.tolist()):
        up, down = max(up + value - mean - slack, 0.0), max(down - value + mean - slack, 0.0)
        if max(up, down) >= threshold:
            up, down = 0.0, 0.0
            raised.append(t)
    return raised


# %%
random, week = torch.Generator().manual_seed(0), 24 * 7
hours = torch.arange(12 * week)
season = 0.25 * (hours * 2 * math.pi / 24).sin() + 0.1 * (hours % week >= 24 * 5)
demand = 0.45 + season + 0.1 * (hours >= 8 * week) + 0.05 * torch.randn(len(hours), generator=random)
forecast = demand[: 4 * week].view(4, week).mean(0)
watched = {
    "demand": demand[4 * week :] - demand[: 4 * week].mean(),
    "demand less that of a week before": demand[4 * week :] - demand[3 * week : -week],
    "demand less the forecast": demand[4 * week :] - forecast.repeat(8),
}
for name, x in watched.items():
    raised = alarms_of(x, mean=0, slack=0.05, threshold=1.0)
    after = [t - 4 * week for t in raised if t >= 4 * week]
    days = len({t // 24 for t in raised if t < 4 * week})
    by_week = " ".join(str(sum(t // week == i for t in after)) for i in range(4))
    first = f"{after[0]} hours after the change" if after else "none"
    measured(name, {"days with a false alarm, of 28:": days, "first:": first, "alarms in each week after:": by_week})

# %% [markdown]
# The difference to last week has an alarm while last week is the old one. Then the new demand is compared with itself,
# and the change has gone from sight, though the forecast is as wrong as before. Watch what the *forecast* misses:
# it goes on until somebody mends the forecast. (One that learns anew each week hides a change like a difference.)
#
# A **recommender** sees what is bought. When more of one kind of customer come, the popular articles change,
# and each is still served well. When two kinds swap their tastes, the totals stay, and the recommender is wrong:


# %%
def shop(n, share, tastes, seed):
    """Kinds of customers (n,) and the articles that they buy, mostly the two that their kind likes."""
    random = torch.Generator().manual_seed(seed)
    kind = (torch.rand(n, generator=random) < share).long()
    liked = tastes[kind, torch.randint(2, (n,), generator=random)]
    other = torch.randint(6, (n,), generator=random)
    return kind, liked.where(torch.rand(n, generator=random) < 0.8, other)


tastes = torch.tensor([[0, 1], [2, 3]])
_, bought = shop(500, 0.5, tastes, 0)
for name, share, likes in (
    ("as before", 0.5, tastes),
    ("other customers", 0.8, tastes),
    ("swapped", 0.5, tastes[[1, 0]]),
):
    kind, now = shop(500, share, likes, 1)
    hits = Rate(int((tastes[kind] == now[:, None]).any(1).sum()), 500)  # one of the two recommended
    measured(name, {"chi-square p =": f"{float(monitoring.chi_square(bought, now).p):.1e}", "hits": hits})

# %% [markdown]
# ## Play
#
# Pick what changes, how fast, and who watches. The picture shows one stream; the numbers are of fifty.


# %%
def in_windows(x):
    """The first alarm of a KS test of the last 100 arrivals after every 100, at 5 %."""
    found = torch.zeros_like(x)
    for end in range(100, x.shape[1] + 1, 100):
        found[:, end - 1] = (ks(usual[:, : len(x)], x[:, end - 100 : end].T)[1] <= 0.05).double()
    return monitoring.first_alarm(found, 1.0)


speeds, two = {"at once": 1, "over 300": 300}, {name: detectors[name] for name in ("CUSUM", "gambler")}
shown = ("none", "faded", "other unit", "new meaning")
grid = {
    kind: {name: streams(kind, confidence, part=0.2, over=over, runs=50, seed=70) for name, over in speeds.items()}
    for kind in shown
}
MonitorConsole(grid, {"KS every 100": in_windows} | two, change=500, watched="the model's confidence")

# %% [markdown]
# **Try.** Is there a drift that the windows see sooner than the gambler?
# What do they say when nothing has changed?
#
# ## Verdict

# %%
watched = ("confidence watched", "mistakes watched")
costly = [kind for kind, right in again.items() if right["no monitor"].clearly_below(right["before"])]
gains = {name: [again[kind][name].clearly_above(again[kind]["no monitor"]) for kind in costly] for name in watched}
decays = {name: [again[kind][name].clearly_below(again[kind]["before"]) for kind in costly] for name in watched}
prevented = any(all(gains[name]) and not any(decays[name]) for name in watched)
useless = not any(map(any, gains.values())) and all(map(all, decays.values()))
claim(
    "Monitoring prevents decay",
    holds=(True if prevented else False if useless else None) if costly else None,
    because="a repair starts where an alarm comes, and what is lost until then stays lost. "
    f"Before a change {next(iter(again.values()))['before']} are right. Of the first answers after it: "
    + "; ".join(
        f"{kind}, {right['no monitor']}, with the better of two monitors {max(right[name] for name in watched)}"
        for kind, right in again.items()
    ),
    undefended=seen["none"]["accuracy"],
)

# %%
silent, loud = seen["new meaning"], seen["a little fainter"]
lost, costs = (now["accuracy"].clearly_below(seen["none"]["accuracy"]) for now in (silent, loud))
sure = sum(do != "label more" for do in decided.values())
usual = seen["none"]["pixels, KS"]
missed = lost and not silent["pixels, KS"].clearly_above(usual)  # something was lost, and no alarm said so
needless = not costs and loud["pixels, KS"].clearly_above(usual)  # alarms, and nothing was lost
claim(
    "Monitoring tells you when to retrain",
    holds=(None if sure > len(decided) / 2 else False) if missed or needless else True,
    because=f"monitors of inputs do not tell: images a little fainter gave "
    f"{loud['pixels, KS']} alarms and leave {loud['accuracy']}; the new meaning gave {silent['pixels, KS']} "
    f"and leaves {silent['accuracy']}. A sample of labels and a price decided {sure} of {len(decided)} cases",
    undefended=seen["none"]["accuracy"],
)

# %% [markdown]
# **To take to work.** Look at missing values, kinds, ranges and new categories first: faults are the cheapest drift
# to find. Choose the test by the column, correct for the number of tests, read the effect beside p.
# On a stream, state the run length, and compare at equal ones. Watch what a forecast misses.
# Buy a few labels at random, always, and look at slices: nothing else sees a new meaning.
#
# **What it costs.** Statistics: next to nothing. Labels: what a person takes for them.
# False alarms: the trust of those who answer them.
#
# ## The same in `utils`
#
# `monitoring.psi` gives a value that many examples share a bin of its own. Ours does not,
# so the two are compared where no two values are equal.

# %%
a, b = (flat(arrive(kind, 100, seed)[0]) for kind, seed in (("none", 0), ("blurred", 1)))
yes = [(sample[:, sample.shape[1] // 2] > 0).long() for sample in (a, b)]
x, smooth = streams("faded", confidence, part=0.2), (torch.randn(80, 3), torch.randn(60, 3))
same = {
    "ks": torch.equal(ks(a, b)[1], monitoring.ks(a, b).p),
    "psi": torch.allclose(psi(*smooth), monitoring.psi(*smooth).statistic, rtol=1e-4),
    "holm": torch.equal(holm(ks(a, b)[1]), monitoring.holm(ks(a, b)[1])),
    "chi_square": torch.isclose(chi_square(*yes)[1], monitoring.chi_square(*yes).p, rtol=1e-9),
    "mmd": torch.isclose(mmd(a, b)[0], monitoring.mmd(a, b).statistic, rtol=1e-6),
    "cusum": torch.equal(cusum(x, mean=0.9, slack=0.1), monitoring.cusum(x, mean=0.9, slack=0.1)),
    "e_detector": torch.equal(e_detector(x, mean=0.9), monitoring.e_detector(x, mean=0.9)),
}
print(*(f"{name}: {bool(equal)}" for name, equal in same.items()), sep=", ")

# %% [markdown]
# ## At a larger scale

# %%
headline = {
    kind: {name: rates[name] for name in ("accuracy", "pixels, KS", "outputs, KS")} for kind, rates in seen.items()
}
larger("12_model_monitoring", headline)

# %% [markdown]
# ## Further
#
# - Rabanser, Günnemann, Lipton 2019, [arXiv:1810.11953](https://arxiv.org/abs/1810.11953), Failing Loudly:
#   tests on a classifier's outputs find most, and one feature at a time does as well as all at once.
# - Gretton et al. 2012, [JMLR 13](https://jmlr.org/papers/v13/gretton12a.html): the kernel two-sample test.
# - Shin, Ramdas & Rinaldo 2024, [arXiv:2203.03532](https://arxiv.org/abs/2203.03532): the gambler.
# - Bifet & Gavaldà 2007, [doi:10.1137/1.9781611972771.42](https://doi.org/10.1137/1.9781611972771.42): ADWIN.
# - Guo et al. 2017, [arXiv:1706.04599](https://arxiv.org/abs/1706.04599): calibration by a temperature.
# - Garg et al. 2022, [arXiv:2201.04234](https://arxiv.org/abs/2201.04234): ATC, and that no estimate without labels
#   is right for every drift.
#
# Practise: [lab 12](../labs/12_model_monitoring.ipynb).
# Next: [13 · Security against monitoring](13_security_against_monitoring.ipynb)
