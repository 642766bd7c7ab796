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
# *About 55 minutes, after 07; the cells run in SECONDS s on two CPU cores.*

# %%
import math
from functools import cache

import torch
from scipy import stats
from torch.nn import functional as F

from utils import monitoring, plots, widgets
from utils.claims import claim
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.larger import larger
from utils.models import logits, small_cnn
from utils.records import measured
from utils.training import fit
from utils.widgets.console import MonitorConsole

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = fit(small_cnn(data), data.train).requires_grad_(False)
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
before, _ = arrive("none", 4, 0)
kinds = ("faded", "blurred", "stuck column", "other unit")
after = torch.cat([drift(kind, before[i : i + 1], None)[0] for i, kind in enumerate(kinds)])
plots.triptych(before, after, model, rows=4)

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
    return statistic, torch.from_numpy(stats.kstwo.sf(statistic.cpu().numpy(), round(n * m / (n + m))))


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
seen = {}
for kind in DRIFTS:
    seen[kind] = {"accuracy": accuracy(model, arrive(kind, 1000, 99))}
    for name, test in TESTS.items():
        p = [float(test(arrive("none", n, 2 * i)[0], arrive(kind, n, 2 * i + 1)[0], i)) for i in range(20)]
        seen[kind][name] = Rate(sum(value <= 0.05 for value in p), 20)
plots.table(seen)

# %% [markdown]
# Read the rows against the first column. A drift that costs nothing can raise an alarm at every look.
# And the *new meaning* costs accuracy, yet every test is as quiet as without drift:
# the images are the same as ever. No monitor of inputs or outputs can see it, at any sample size.

# %%
inputs_only = [seen["new meaning"][name] for name in TESTS]
quiet = Rate(sum(rate.k for rate in inputs_only), sum(rate.n for rate in inputs_only))
measured("alarms by the inputs alone", quiet)
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
detectors = {
    "CUSUM": lambda x: monitoring.first_alarm(cusum(x, mean=usually, slack=slack), threshold),
    "gambler": lambda x: monitoring.first_alarm(e_detector(x, mean=usually), run_length),
}
for kind in ("faded", "other unit", "new meaning"):
    for name, detect in detectors.items():
        alarm = detect(streams(kind, confidence, part=0.2, seed=20))  # one camera in five
        early, late = Rate(int((alarm < 500).sum()), len(alarm)), alarm[alarm >= 500] - 500
        seen_by_half = (late < 500).sum() > len(late) / 2
        delay = int(late.median()) if seen_by_half else "mostly not seen"
        measured(f"{kind}, {name}", {"false alarm before:": early, "median delay:": delay})

# %% [markdown]
# The threshold of CUSUM fits streams like those that set it. The gambler's needs none, and it waits a little longer.
#
# And if a condition of the promise is not met? Take values that remember, with the right mean;
# the same values, shuffled; and a usual mean that is only the mean of a few arrivals.


# %%
def between(x, mean):
    """Arrivals for each false alarm of the gambler, over calm streams that end at their first one."""
    alarm, length = monitoring.first_alarm(e_detector(x, mean=mean), run_length), x.shape[1]
    return (alarm + 1).clamp_max(length).sum() / (alarm < length).sum().clamp_min(1)


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
# Memory takes nearly all of the promise away, and a mean from too few arrivals some of it:
# what the gambler wins then is the error. Take the usual mean from many arrivals,
# and watch what no longer remembers (an example comes below).
#
# Neither detector sees the new meaning in *confidence*: the images are the same.
# What would see it are the model's **mistakes**. But true labels come late:

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
values, window, cuts = streams("other unit", confidence, part=0.5, seed=40)[0].tolist(), [], []
shared, shared_cuts = monitoring.Adwin(0.002, each=10_000), []  # nothing summed up: the same as here
for t, value in enumerate(values):
    window.append(value)
    if (t + 1) % 32 == 0 and parts_differ(window, 0.002):
        cuts.append(t + 1)
        while parts_differ(window, 0.002):
            window.pop(0)
    if shared.update(value):
        shared_cuts.append(t + 1)
measured("arrivals until the window was cut", {"here:": cuts, "by utils:": shared_cuts})
measured("mean of the window now", {"here:": sum(window) / len(window), "by utils:": shared.mean})

# %% [markdown]
# This window holds every value. `utils` sums old values up in buckets of 2, 4, 8, …,
# so that a million values fit into about a hundred buckets.
#
# ## How good is the model now?
#
# Without labels there is one witness: the model's own confidence.
# First it must be *calibrated*: divide the logits by a temperature, so that answers of 90 % confidence
# are right in 90 % of cases.
# Then the mean confidence is an estimate of the accuracy.

# %%
x_seen, y_seen = arrive("none", 400, 50)  # arrivals with labels
temperature = monitoring.calibrate(logits(model, x_seen), y_seen)
measured("temperature", temperature)
for kind in DRIFTS:
    x_now, y_now = arrive(kind, 1000, 99)
    promised, (low, high) = monitoring.expected_accuracy(logits(model, x_now), temperature)
    words = f"{100 * promised:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
    measured(kind, {"promised": words, "true": accuracy(model, (x_now, y_now))})

# %% [markdown]
# Compare the two columns. Where images fade or blur, the estimate follows the truth more or less, and sometimes not:
# calibrated on the old images, the model need not know how much it does not know of the new ones.
# And of the new meaning it knows nothing at all.
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
decided = {}
for kind in DRIFTS:
    now = arrive(kind, 400, 61)
    p = float(TESTS["pixels, KS"](arrive("none", 400, 60)[0], now[0], 0))
    low, high = monitoring.cost_of_waiting(
        new_model, accuracy(model, now), events=answers_to_come, error_cost=error_cost
    )
    decided[kind] = "retrain" if low > price else "keep" if high < price else "label more"
    measured(kind, {"p =": f"{p:.1e}", "keeping it costs": f"{low:.0f} to {high:.0f}", "so:": decided[kind]})
measured("drifts in which it is decided", Rate(sum(do != "label more" for do in decided.values()), len(decided)))

# %% [markdown]
# The smallest p-values need not stand beside the highest costs.
# (A fault is mended, not learned: before you retrain on another unit, look for the cause.)
#
# ## Two other streams
#
# A **forecast** of hourly demand has days and weeks in it. A detector that takes the mean for the usual
# raises alarms nearly every day, on most mornings and evenings. What should be watched is what the forecast
# does *not* explain. A quiet detector may be a dead one, so there is something to see:
# from the fifth week on, demand is higher by 0.1.

# %%
random, week = torch.Generator().manual_seed(0), 24 * 7
hours = torch.arange(8 * week)
season = 0.25 * (hours * 2 * math.pi / 24).sin() + 0.1 * (hours % week >= 24 * 5)
demand = 0.45 + season + 0.1 * (hours >= 4 * week) + 0.05 * torch.randn(len(hours), generator=random)
unexplained = demand[week:] - demand[:-week]  # against the same hour a week before
for name, x in (("demand", demand), ("unexplained", unexplained)):
    as_usual, mean, raised = len(x) - 4 * week, float(x[:week].mean()), []
    while (begin := raised[-1] + 1 if raised else 0) < as_usual:  # the detector begins anew after each alarm
        height = cusum(x[None, begin:], mean=mean, slack=0.05)[0]
        raised.append(begin + int(monitoring.first_alarm(height, 1.0)))
    early = [time for time in raised if time < as_usual]
    times = {(time // 24, time % 24 < 12) for time in early}  # on which days, before noon or after it
    before_noon, days = sum(morning for _, morning in times), as_usual // 24
    when = f"{raised[-1] - as_usual} hours after it" if raised[-1] < len(x) else "none"
    about = {"on mornings:": before_noon, "on evenings:": len(times) - before_noon}
    measured(f"{name}, {days} days", {"false alarms:": len(early)} | about | {"the first after the change:": when})

# %% [markdown]
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


speeds = {"at once": 1, "over 300": 300}
shown = ("none", "faded", "other unit", "new meaning")
grid = {
    kind: {name: streams(kind, confidence, part=0.2, over=over, runs=50, seed=70) for name, over in speeds.items()}
    for kind in shown
}
MonitorConsole(grid, {"KS every 100": in_windows} | detectors, change=500, watched="the model's confidence")

# %% [markdown]
# **Try.** Is there a drift that the windows see sooner than the gambler?
# What do they say when nothing has changed?
#
# ## Verdict

# %%
silent, loud, fault = seen["new meaning"], seen["a little fainter"], seen["other unit"]
lost, broken = (now["accuracy"].clearly_below(seen["none"]["accuracy"]) for now in (silent, fault))
claim(
    "Monitoring prevents decay",
    holds=False if lost or broken else None,
    because=f"it prevents nothing, it tells, and not of everything. Another unit raised alarms at "
    f"{fault['pixels, KS']} looks, and leaves {fault['accuracy']} all the same. Of the new meaning, "
    f"which leaves {silent['accuracy']}, the inputs showed {quiet} alarms; only late labels showed it",
)

# %%
costs = loud["accuracy"].clearly_below(seen["none"]["accuracy"])
sure = sum(do != "label more" for do in decided.values())
inputs_mislead = lost and not costs and loud["pixels, KS"].clearly_above(silent["pixels, KS"])
claim(
    "Monitoring tells you when to retrain",
    holds=(None if sure > len(decided) / 2 else False) if inputs_mislead else True,
    because=f"monitors of inputs do not tell: images a little fainter gave "
    f"{loud['pixels, KS']} alarms and leave {loud['accuracy']}; the new meaning gave {silent['pixels, KS']} "
    f"and leaves {silent['accuracy']}. A sample of labels and a price decided {sure} of {len(decided)} cases",
)

# %% [markdown]
# **To take to work.** Count missing values, ranges and units first: faults are the cheapest drift to find.
# Test what the model puts out, correct for the number of tests, and choose limits for *your* sample size.
# On a stream, state the run length. Buy a few labels at random, always: nothing else sees a new meaning.
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
x, smooth = streams("faded", confidence, part=0.2), (torch.randn(80, 3), torch.randn(60, 3))
same = {
    "ks": torch.equal(ks(a, b)[1], monitoring.ks(a, b).p),
    "psi": torch.allclose(psi(*smooth), monitoring.psi(*smooth).statistic, rtol=1e-4),
    "holm": torch.equal(holm(ks(a, b)[1]), monitoring.holm(ks(a, b)[1])),
    "mmd": torch.isclose(mmd(a, b)[0], monitoring.mmd(a, b).statistic, rtol=1e-6),
    "cusum": torch.equal(cusum(x, mean=0.9, slack=0.1), monitoring.cusum(x, mean=0.9, slack=0.1)),
    "e_detector": torch.equal(e_detector(x, mean=0.9), monitoring.e_detector(x, mean=0.9)),
}
print({name: bool(equal) for name, equal in same.items()})

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
#
# Practise: [lab 12](../labs/12_model_monitoring.ipynb).
# Next: [13 · Security against monitoring](13_security_against_monitoring.ipynb)
