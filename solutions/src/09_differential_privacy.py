# %% [markdown]
# # Lab 09 · Differential privacy
#
# Five exercises, 10 points, about 80 minutes after [lesson 09](../notebooks/09_differential_privacy.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# A function may call those that you wrote before it. Own cells, prints and pictures do no harm.
# `utils.privacy` has a finished version of most of this: it is for afterwards, not an answer to 1, 2 and 3.

# %%
import itertools
import math
import random

import numpy as np
import torch
from scipy import special, stats

from utils import expect, plots
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.models import Normalize, mlp
from utils.privacy import dp_sgd, per_example_gradients, privacy_eps, rdp_eps

# %% [markdown]
# ## The gradients
#
# A small network on the digits, a little trained.
# `gradients` (N, D) has the gradient of each example, all weights in a row.

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
torch.manual_seed(0)
model = dp_sgd(mlp(data, width=16), data.train, noise_multiplier=0.0, updates=60)
each = per_example_gradients(model, *data.train.take(200))
gradients = torch.cat([g.flatten(1) for g in each.values()], 1).detach()
lengths = gradients.norm(dim=1)
print(f"{len(gradients)} gradients; length, median: {lengths.median():.2f}, mean: {lengths.mean():.2f}")

# %% [markdown]
# ## 1 · One private update (4 points)
#
# Two functions. **`draws`** says who is in the batch of each update: `(updates, n)` booleans.
# Each of the `n` examples is in each batch with probability `rate`, whatever the others do (Poisson sampling).
#
# **`private_mean`** makes of the gradients of one batch, `(B, D)`, what may be shown, `(D,)`:
#
# - each gradient that is longer than `clip` (in L2) is shortened to `clip`, the others stay as they are;
# - they are summed, and every entry gets Gaussian noise of standard deviation `noise_multiplier * clip`;
# - the sum is divided by `size`, the *expected* number of examples.
#
# The batch may be empty: then only noise is left. The gradients stay as they were.
# Each call of both functions draws anew: set no seed.
#
# <details><summary>Hint 1</summary>How many examples a batch has is itself random.
# The accountant counts on that.</details>
# <details><summary>Hint 2</summary><code>(clip / gradients.norm(dim=1)).clamp(max=1)</code> is what each gradient is
# multiplied by. A length of 0 needs care.</details>
# <details><summary>Hint 3</summary>Noise comes after the sum and before the division, and its size knows nothing of
# the batch: <code>noise_multiplier * clip * torch.randn(D)</code>.</details>


# %%
def draws(n, rate, updates):
    """Who is in each batch, (updates, n) bool."""
    ### BEGIN SOLUTION
    return torch.rand(updates, n) < rate
    ### END SOLUTION


def private_mean(gradients, *, clip, noise_multiplier, size):
    """A noisy mean of clipped gradients (B, D), of which size are expected: (D,)."""
    ### BEGIN SOLUTION
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size
    ### END SOLUTION


# %%
print("sizes of some batches:", *torch.as_tensor(draws(200, 0.2, 12)).sum(1).tolist())
print("length of a private mean of all:", private_mean(gradients, clip=0.5, noise_multiplier=0.5, size=200).norm())

# %%
# CHECK draws, 1 point
found = expect.tensor(draws(200, 0.2, 400), like=torch.zeros(400, 200, dtype=torch.float64))
expect.that(((found == 0) | (found == 1)).all(), "an example is in a batch or not: booleans", got=found[0][:10])
sizes = found.sum(1)
expect.that(
    (found != found[0]).any(),
    "every update has the same batch: who is in it is drawn anew for each",
    got=sizes[:10],
)
expect.that(
    float(sizes.std()) > 0,
    "every batch has the same size: then an example's place depends on the others', and that is not Poisson sampling",
    expected="sizes that differ by chance",
    got=sizes[:10],
)
for share, words in (
    (0.8, "those are drawn that should be left out"),
    (1 / 6, "who was in the last batch is left out of the next: each batch is drawn from all"),
    (
        0.5793,
        "normal numbers are compared with the rate: a number is below it with probability `rate` if it is uniform",
    ),
):
    expect.that(abs(float(sizes.mean()) - 200 * share) > 2, words, expected="about 40 of 200", got=float(sizes.mean()))
expect.that(
    abs(float(sizes.mean()) - 36.3) > 0.6,  # 200 (1 - (1 - 1/200)^40)
    "the batches hold as many as 40 draws with replacement give: ask for each example whether it is in",
    expected="about 40 of 200 at a rate of 0.2",
    got=float(sizes.mean()),
)
expect.that(
    abs(float(sizes.mean()) - 40) < 3,
    "a batch should hold rate * n examples on average",
    expected="about 40 of 200 at a rate of 0.2",
    got=float(sizes.mean()),
)
### BEGIN HIDDEN TESTS
few = expect.tensor(draws(3, 0.1, 200), like=torch.zeros(200, 3, dtype=torch.float64))
expect.that(
    not few.any(1).all(),
    "no batch is empty: of 3 examples at a rate of 0.1 none is in most batches",
    expected="a share of 0.9 ** 3 = 0.73 without any",
    got=int((few.sum(1) == 0).sum()),
)
first, second = expect.tensor(draws(200, 0.5, 2), like=torch.zeros(2, 200, dtype=torch.float64))
expect.that(
    (first * second).any(),
    "nobody is in two batches in a row: each batch is drawn from all, and no epoch hands them out in turn",
    expected="about 50 of 200 in both at a rate of 0.5",
)
totals = []
for n, rate, updates in ((50, 0.3, 3000), (400, 0.02, 2000), (30, 0.7, 3000), (120, 0.5, 1000)):
    found = expect.tensor(draws(n, rate, updates), like=torch.zeros(updates, n, dtype=torch.float64))
    expect.that(((found == 0) | (found == 1)).all(), "an example is in a batch or not: booleans", got=found[0][:10])
    sizes, spread = found.sum(1), n * rate * (1 - rate)
    expect.that(
        abs(float(sizes.mean()) - n * rate) < 6 * math.sqrt(spread / updates),
        "a batch should hold rate * n examples on average, also where 1 / rate is no whole number",
        expected=f"{n * rate:g} of {n}",
        got=float(sizes.mean()),
    )
    ratio = float(sizes.var()) / spread
    expect.that(
        ratio > 1 - 6 * math.sqrt(2 / updates),
        "the sizes of the batches vary too little: each example should be drawn whatever the others do",
        expected=f"a variance of n rate (1 - rate) = {spread:g}",
        got=float(sizes.var()),
    )
    expect.that(
        ratio < 1 + 6 * math.sqrt(2 / updates) or abs(ratio * (1 - rate) - 1) > 6 * math.sqrt(2 / updates),
        "the sizes of the batches vary as Poisson's numbers do, which have no largest: ask for each example whether it "
        "is in",
        expected=f"a variance of n rate (1 - rate) = {spread:g}",
        got=float(sizes.var()),
    )
    expect.that(
        ratio < 1 + 6 * math.sqrt(2 / updates),
        "the sizes of the batches vary too much: the examples are drawn together",
        expected=f"a variance of n rate (1 - rate) = {spread:g}",
        got=float(sizes.var()),
    )
    often = float(((found.sum(0) - updates * rate) ** 2).sum() / (updates * rate * (1 - rate)))
    low, high = stats.chi2.ppf([1e-8, 1 - 1e-8], n)
    expect.that(
        often < high,
        "some examples are in many more batches than others",
        expected=f"each in about {updates * rate:g} of {updates}",
        got=found.sum(0)[:10],
    )
    second = expect.tensor(draws(n, rate, updates), like=found)
    totals.append(bool(found.sum() == second.sum()))
    expect.that(
        not torch.equal(second, found),
        "two calls drew the same batches: the function sets a seed, and each call should draw anew",
    )
    again = (found[1:] * found[:-1]).mean()
    expect.that(
        abs(float(again) - rate**2) < 6 * rate / math.sqrt(updates * n),
        "who is in one batch depends on who was in the batch before",
        expected=f"a share of rate² = {rate**2:.4f} in both",
        got=float(again),
    )
    if updates * rate**2 > 100:  # else the counts of pairs are too small to be compared
        alone = (found - rate) / math.sqrt(rate * (1 - rate) * math.sqrt(updates))
        pairs = (alone.T @ alone)[*torch.triu_indices(n, n, 1)].square()
        expect.that(
            (pairs.mean() - 1) * math.sqrt(len(pairs)) < 12,  # 8 standard deviations
            "some pairs of examples come together more often than chance brings about, and others less: "
            "whether one is drawn must not depend on any other",
            expected="each pair in about rate² of the batches",
            got=f"{float(pairs.mean()):.2f} times the spread of independent draws",
        )
    expect.that(
        often > low,
        "every example is in too nearly the same number of batches: do rounds or epochs hand them out in turn?",
        expected="numbers that differ as independent draws do",
        got=found.sum(0)[:10],
    )
told = "all batches together always hold the same number: no total is fixed, where each example is drawn by itself"
expect.that(not all(totals), told)
### END HIDDEN TESTS

# %%
# CHECK private_mean_clip, 1 point
found = private_mean(torch.tensor([[3.0, 4.0]]), clip=1.0, noise_multiplier=0.0, size=1)
known = {
    "a gradient is divided by the square of its length: the length in L2 is the root of the sum of squares": (
        0.12,
        0.16,
    ),
    "a gradient is divided by its length in L1, the sum of sizes: that in L2 is asked": (3 / 7, 4 / 7),
    "a gradient is divided by its largest entry: by its length in L2 is asked": (0.75, 1.0),
    "each entry is cut by itself: the whole gradient is shortened, and keeps its direction": (1.0, 1.0),
}
found = expect.tensor(found, like=torch.zeros(2))
expect.none_of(found, (0.6, 0.8), known, expected="[0.6, 0.8] from [[3, 4]] with clip 1, size 1, no noise")
for words, given, clip, size, wanted in (
    ("its length is 0.5, and it stays as it is", [[0.3, 0.4]], 1.0, 1, [0.3, 0.4]),
    ("its length, 5 in L2, becomes 1, and its direction stays", [[3.0, 4.0]], 1.0, 1, [0.6, 0.8]),
    ("its length, 5 in L2, becomes clip", [[3.0, 4.0]], 2.0, 1, [1.2, 1.6]),
    ("one gradient is divided by size, too", [[0.3, 0.4]], 1.0, 4, [0.075, 0.1]),
    ("two gradients are summed, and divided by size alone", [[0.3, 0.4], [0.1, 0.0]], 1.0, 1, [0.4, 0.4]),
    ("both are below clip and stay, though their sum is above it", [[0.6, 0.6], [0.6, 0.3]], 1.0, 1, [1.2, 0.9]),
    ("each of two is shortened by its own length, 5 and 2", [[3.0, 4.0], [0.0, -2.0]], 1.0, 1, [0.6, -0.2]),
    ("the first is shortened, the second stays", [[3.0, 4.0], [0.3, 0.4]], 1.0, 1, [0.9, 1.2]),
    ("the first has no length to divide by, and stays 0", [[0.0, 0.0], [0.3, 0.4]], 1.0, 1, [0.3, 0.4]),
):
    some = torch.tensor(given)
    found = expect.leaves_arguments(private_mean, some, clip=clip, noise_multiplier=0.0, size=size)
    found = expect.tensor(found, like=some[0], what=f"{words}: the result").tolist()
    expect.that(
        np.allclose(found, wanted, rtol=0, atol=1e-5),
        words,
        expected=f"{wanted} from {given} with clip {clip:g}, size {size} and no noise",
        got=found,
    )
found = expect.leaves_arguments(private_mean, gradients, clip=0.5, noise_multiplier=0.0, size=200)
found = expect.tensor(found, like=gradients[0])
one = expect.tensor(private_mean(gradients[:1] * 1e3, clip=0.5, noise_multiplier=0.0, size=1), like=gradients[0])
expect.that(
    float(one.norm()) <= 0.5 * (1 + 1e-4),
    "one example's gradient shows longer than clip: shorten each on its own, by its length over all entries",
    expected="a length of at most clip = 0.5",
    got=float(one.norm()),
)
short = gradients[:1] / gradients[:1].norm() / 10
one = expect.tensor(private_mean(short, clip=0.5, noise_multiplier=0.0, size=1), like=gradients[0])
expect.equal(one, short[0], "a gradient that is shorter than clip should stay as it is")
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for batch, d, clip in ((1, 3, 0.1), (7, 40, 1.0), (64, 11, 3.0), (30, 5, 0.02), (12, 200, 10.0)):
    some = torch.randn(batch, d) * torch.rand(batch, 1) * 3 * clip / math.sqrt(d)
    wanted = sum(g * min(1.0, clip / float(g.norm())) for g in some) / 20
    found = expect.tensor(private_mean(some, clip=clip, noise_multiplier=0.0, size=20), like=wanted)
    expect.equal(
        found,
        wanted,
        f"without noise, not the sum of the {batch} gradients, each shortened to clip at most, divided by size",
        expected=f"clip = {clip:g}, size = 20",
        atol=1e-4 * clip,
    )
    with_one = torch.cat([some, 1e4 * torch.randn(1, d)])
    moved = expect.tensor(private_mean(with_one, clip=clip, noise_multiplier=0.0, size=20), like=wanted) - found
    expect.that(
        float(moved.norm()) <= clip / 20 * (1 + 1e-3),
        "one more example moves the result by more than clip / size",
        expected=f"at most {clip / 20:g}",
        got=float(moved.norm()),
    )
some = torch.cat([torch.zeros(2, 6), torch.randn(2, 6) * 1e-3])
found = expect.tensor(private_mean(some, clip=1.0, noise_multiplier=0.0, size=4), like=some[0])
expect.equal(found, some.sum(0) / 4, "wrong where a gradient is 0, or very short: it stays as it is", atol=1e-7)
### END HIDDEN TESTS

# %%
# CHECK private_mean_noise, 1 point
torch.manual_seed(seed)
for words, batch, clip, noise, size in (
    ("it is noise_multiplier * clip on the sum, and is not shortened", 1, 1.0, 1.0, 1),
    ("three times noise_multiplier makes three times the noise", 1, 1.0, 3.0, 1),
    ("half of clip makes half of the noise", 1, 0.5, 1.0, 1),
    ("the noise is divided by size, as the sum is", 1, 1.0, 1.0, 5),
    ("seven gradients get as much noise as one: it is added once", 7, 1.0, 1.0, 1),
):
    found = private_mean(torch.zeros(batch, 50_000), clip=clip, noise_multiplier=noise, size=size)
    found = expect.tensor(found, like=torch.zeros(50_000))
    expect.that(found.any(), "there is no noise: all entries are 0, as the gradients are", got=found[:5])
    expect.that(len(found.unique()) > 1, "every entry gets the same number: each needs one of its own", got=found[:5])
    expect.that(abs(float(found.mean() / found.std())) < 0.03, "the noise is not around 0", got=float(found.mean()))
    fourth = float((found / found.std()).pow(4).mean())
    expect.that(abs(fourth - 3) < 0.3, "the noise is not Gaussian", expected="a fourth moment of 3", got=fourth)
    expect.that(
        abs(float(found.std()) / (noise * clip / size) - 1) < 0.02,
        f"the noise has another size: {words}",
        expected=f"a standard deviation of {noise * clip / size:g}, for {batch} gradients of 0, clip {clip:g}, "
        f"noise_multiplier {noise:g} and size {size}",
        got=float(found.std()),
    )
### BEGIN HIDDEN TESTS
torch.manual_seed(seed + 1)
for batch, clip, noise, size in ((1, 0.1, 1.0, 1), (50, 0.1, 1.0, 1), (8, 3.0, 0.5, 10), (40, 2.0, 4.0, 40)):
    wide = torch.randn(batch, 40_000) * 0.01
    plain = expect.tensor(private_mean(wide, clip=clip, noise_multiplier=0.0, size=size), like=wide[0])
    found = expect.tensor(private_mean(wide, clip=clip, noise_multiplier=noise, size=size), like=wide[0])
    first = found - plain
    wanted = noise * clip / size
    expect.that(
        abs(float(first.std()) / wanted - 1) < 0.025,
        f"noise of the wrong size, for {batch} gradients: its standard deviation on the sum is "
        "noise_multiplier * clip, however many gradients there are; then everything is divided by size",
        expected=f"{wanted:g} with clip = {clip:g}, noise_multiplier = {noise:g}, size = {size}",
        got=float(first.std()),
    )
    expect.that(
        abs(float(first.mean())) < 6 * wanted / 200 and abs(float((first**4).mean()) / wanted**4 - 3) < 0.4,
        "the noise is not Gaussian around 0",
        expected="mean 0, and fourth moment 3",
        got=f"{float(first.mean()) / wanted:.3f}, and {float((first**4).mean()) / wanted**4:.2f}",
    )
    expect.that(
        first.abs().max() > 3.3 * wanted,
        "the noise is cut: of 40,000 Gaussian numbers some lie beyond 3.3 standard deviations",
        expected=f"a largest of about {4.3 * wanted:.3g}",
        got=float(first.abs().max()),
    )
    second = private_mean(wide, clip=clip, noise_multiplier=noise, size=size)
    second = expect.tensor(second, like=wide[0]) - plain
    expect.that(
        abs(float((first * second).mean())) / wanted**2 < 0.05,
        "two calls add the same noise: whoever sees both can take it off. Set no seed, and let no data choose it",
        expected="no correlation between the noise of two calls",
        got=float((first * second).mean()) / wanted**2,
    )
    together = float((first[1:] * first[:-1]).mean()) / wanted**2
    expect.that(
        abs(together) < 0.05,
        "entries share their noise: each needs its own",
        expected="no correlation of neighbours",
        got=f"{together:.2f}",
    )
### END HIDDEN TESTS

# %%
# CHECK private_mean_size, 1 point
half = expect.tensor(private_mean(gradients[:100], clip=0.5, noise_multiplier=0.0, size=50), like=gradients[0])
whole = expect.tensor(private_mean(gradients[:100], clip=0.5, noise_multiplier=0.0, size=100), like=gradients[0])
expect.that(
    not torch.equal(half, whole) or not half.any(),
    "the result is the same whatever size is: the sum should be divided by it",
    expected="twice as much where size is half",
)
expect.equal(half, 2 * whole, "the sum should be divided by size, the expected number, and not by the number drawn")
### BEGIN HIDDEN TESTS
torch.manual_seed(seed + 2)
some = torch.randn(9, 30)
for size in (1, 4, 9, 12.5):
    total = expect.tensor(private_mean(some, clip=1.0, noise_multiplier=0.0, size=1), like=some[0])
    found = expect.tensor(private_mean(some, clip=1.0, noise_multiplier=0.0, size=size), like=some[0])
    expect.equal(found, total / size, "the sum should be divided by size, and not by the number drawn", atol=1e-5)
none = torch.zeros(0, 20_000)
told = "a batch may be empty: then there is nothing to stack, to loop over or to take the largest of, and noise is due"
found = expect.at_edge(told, private_mean, none, clip=2.0, noise_multiplier=1.0, size=5)
found = expect.tensor(found, like=none.sum(0))
expect.that(
    not found.isfinite().all() or not found.any() or abs(float(found.std()) - 0.4) < 0.03,
    "the noise has another size where a batch is empty: it is noise_multiplier * clip / size, whatever is in the batch",
    expected="a standard deviation of 1 * 2 / 5",
    got=float(found.std()),
)
expect.that(
    bool(found.isfinite().all()) and abs(float(found.std()) - 0.4) < 0.03,
    "an empty batch should give noise and nothing else: whether it is empty is a secret, too",
    expected="a standard deviation of 1 * 2 / 5",
    got=float(found.std()),
)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · The accountant (2 points)
#
# The epsilon of `updates` updates at `noise_multiplier` $\sigma$ and sampling `rate` $q$, by Rényi divergences
# of the whole `orders` $\alpha \ge 2$ (M,). One update has, at a whole order,
#
# $$D_\alpha = \frac{1}{\alpha - 1} \log \sum_{k=0}^{\alpha} \binom{\alpha}{k} (1 - q)^{\alpha - k} q^k
# \exp\left(\frac{k (k - 1)}{2 \sigma^2}\right)$$
#
# and they add up over the $T$ updates. Each order gives an epsilon, of which the smallest counts,
# and no epsilon is below 0:
#
# $$\varepsilon = T D_\alpha + \log\frac{\alpha - 1}{\alpha} - \frac{\log \delta + \log \alpha}{\alpha - 1}$$
#
# It must hold for `rate` = 1 and for orders of a hundred, where the exponential alone is no number any more.
#
# <details><summary>Hint 1</summary>Every term of the sum is positive: keep its logarithm.</details>
# <details><summary>Hint 2</summary><code>special.logsumexp</code> adds numbers of which you have the logarithms, and
# <code>special.gammaln(a + 1)</code> is that of a factorial.</details>
# <details><summary>Hint 3</summary><code>special.xlogy(k, q)</code> and <code>special.xlog1py(a - k, -q)</code>
# are right where <code>q</code> is 1, too. Loop over the orders.</details>


# %%
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    """The smallest epsilon that the whole orders (M,) give for so many updates of DP-SGD."""
    ### BEGIN SOLUTION
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        chances = special.xlogy(k, rate) + special.xlog1py(a - k, -rate)
        divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        one = updates * divergence + math.log1p(-1 / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1)
        best = min(best, one)
    return max(best, 0.0)
    ### END SOLUTION


# %%
def by_noise(account, noises=(0.7, 1.0, 2.0, 4.0), orders=range(2, 64)):
    """What an accountant says for several noises and numbers of updates, at rate 0.02."""
    rows = (100, 1000, 5000)
    return {f"{t} updates": {s: float(account(s, 0.02, t, 1e-5, np.array(orders))) for s in noises} for t in rows}


# %%
plots.curves(by_noise(epsilon), x="noise multiplier, rate 0.02", y="epsilon", log=(True, True))

# %%
# CHECK epsilon_known, 1 point
found, wanted = expect.number(epsilon(1, 0.25, 1, 1 / 800, np.array([2]))), math.log((15 + math.e) * 12.5)
known = {
    "the rate and 1 less the rate have changed places": math.log((7 + 9 * math.e) * 12.5),
    "the noise and the rate have changed places": math.log(200) + 16,
    "the sum lacks its terms of k = 0 and 1": math.log(math.e * 12.5),
    "gammaln(n) is the logarithm of the factorial of n - 1: each of the three needs 1 more": math.log(37.5),
    "the sum lacks its last term, of k = order": math.log(15 * 12.5),
    "the binomial coefficient is left out of the sum": math.log((12 + math.e) * 12.5),
    "this is an approximation for small rates: the sum is asked": [math.log(200) + d for d in (1 / 32, 1 / 16, 1 / 8)],
    "the logarithm of the sum is divided by the order, and by the order less 1 is asked": (
        math.log((15 + math.e) / 16) / 2 + math.log(200)
    ),
    "k (k - 1) stands in the exponential: k squared, or k (k + 1), is another number": [
        math.log((9 + 6 * math.exp(a) + math.exp(b)) * 12.5) for a, b in ((0.5, 2), (1, 3))
    ],
    "the exponential lacks the factor 2 below: it is k (k - 1) / (2 noise**2)": math.log((15 + math.e**2) * 12.5),
}
expect.none_of(found, wanted, known, expected=f"{wanted:.4f} for order 2, noise 1, rate 1/4, 1 update, delta 1/800")
found = expect.number(epsilon(1, 1e-9, 1, 1 / 300, np.array([3])))
two, three, delta = np.log([2, 3, 1 / 300])
known = {
    "this is the older conversion, log(1 / delta) / (order - 1): two terms with the order are missing": -delta / 2,
    "log(order) has the wrong sign: log(delta) and it are added, and both taken off": two - three - (delta - three) / 2,
    "in the first logarithm the order and the order less 1 have changed places": three - two - (delta + three) / 2,
    "the first logarithm is missing, that of (order - 1) / order": -(delta + three) / 2,
    "the last term is divided by the order, and by the order less 1 is asked": two - three - (delta + three) / 3,
}
wanted = two - three - (delta + three) / 2
expect.none_of(found, wanted, known, expected=f"{wanted:.4f} for order 3, no divergence and delta 1/300")
one, half = math.log((3 + math.e) / 4), math.log(2)
known = {
    "epsilons of single updates are added up: the divergences are, and then converted once": 4 * (half + one),
    "delta is divided by the updates: it is one of all of them together": half + 4 * one + math.log(4),
    "the updates stand within the sum: its logarithm is multiplied": half + math.log((3 + math.exp(4)) / 4),
}
at = f"{half + 4 * one:.4f} for order 2, noise 1, rate 1/2, 4 updates, delta 1/8"
expect.none_of(expect.number(epsilon(1, 0.5, 4, 1 / 8, np.array([2]))), half + 4 * one, known, expected=at)
for words, orders, noise, rate, updates, delta, wanted in (
    ("order 2 alone, a divergence of nearly 0: log(1/2) - log(2 / 8) / 1", [2], 1, 1e-9, 1, 1 / 8, math.log(2)),
    ("a delta ten times smaller adds log(10) / (2 - 1)", [2], 1, 1e-9, 1, 1 / 80, math.log(20)),
    ("order 3, and no divergence: log(2/3) - (log(1/300) + log(3)) / 2", [3], 1, 1e-9, 1, 1 / 300, math.log(20 / 3)),
    ("rate 1 leaves the term k = 2: the divergence is 2 * 1 / 2 = 1", [2], 1, 1.0, 1, 1 / 8, math.log(2) + 1),
    ("rate 1, and twice the noise: the divergence is 2 * 1 / 8", [2], 2, 1.0, 1, 1 / 8, math.log(2) + 1 / 4),
    ("four updates add up to four divergences of 1", [2], 1, 1.0, 4, 1 / 8, math.log(2) + 4),
    ("order 3, rate 1: the divergence is (3 * 2 / 2) / (3 - 1)", [3], 1, 1.0, 1, 1 / 300, math.log(20 / 3) + 3 / 2),
    ("rate 1/2: the sum is (1 + 2 + e) / 4", [2], 1, 0.5, 1, 1 / 8, math.log((3 + math.e) / 2)),
    ("rate 1/4: the sum is (9 + 2 * 3 + e) / 16", [2], 1, 0.25, 1, 1 / 8, math.log((15 + math.e) / 8)),
    ("at rate 1/2, too, four updates have four divergences", [2], 1, 0.5, 4, 1 / 8, math.log((3 + math.e) ** 4 / 128)),
    ("order 3, rate 1/2: the sum is (1 + 3 + 3 e + e**3) / 8", [3], 1, 0.5, 1, 1 / 300, 2.594009),
    ("of two orders the smaller epsilon counts, here that of 2", [2, 3], 0.5, 1.0, 1, 1 / 8, math.log(2) + 4),
    ("of two orders the smaller epsilon counts, here that of 3", [2, 3], 1, 1.0, 1, 1 / 300, math.log(20 / 3) + 3 / 2),
    ("what the conversion adds may be below 0: epsilon alone is held there", [2], 1, 1.0, 1, 1 / 2, 1 - math.log(2)),
    ("all orders are tried, whatever epsilon did before", [2, 12, 3], 1, 1.0, 1, 1 / 300, math.log(20 / 3) + 3 / 2),
):
    found = expect.leaves_arguments(epsilon, noise, rate, updates, delta, np.array(orders))
    expect.equal(
        expect.number(found, f"epsilon at rate {rate:g}"),
        wanted,
        words,
        expected=f"{wanted:.4f}, orders {orders}, noise {noise}, rate {rate:g}, {updates} updates, delta {delta:.3g}",
    )
for (noise, rate, updates), wanted in {(1.1, 256 / 10_000, 585): 3.615, (1.1, 256 / 60_000, 3515): 1.281}.items():
    told = "at order 63 the exponential alone is no number: keep the logarithm of each term"
    expect.equal(
        expect.number(expect.at_edge(told, epsilon, noise, rate, updates, 1e-5, np.arange(2, 64))),
        wanted,
        "each part is right by itself, and not the epsilon that two libraries agree on: are all orders tried?",
        expected=f"{wanted} at noise {noise:g}, rate {rate:.4f}, {updates} updates, orders 2 to 63",
        atol=2e-3,
    )
### BEGIN HIDDEN TESTS
chance, orders = random.Random(seed), np.arange(2, 100)
for _ in range(6):
    sigma, rate, delta = chance.uniform(0.8, 4), chance.uniform(0.002, 0.2), 10 ** chance.uniform(-8, -3)
    updates = chance.choice([1, 30, 400, 3000])
    told = f"at noise {sigma:.2f}, rate {rate:.4f}, {updates} updates, delta {delta:.1e}"
    wanted = rdp_eps(sigma, rate, updates, delta, orders)
    found = expect.number(epsilon(sigma, rate, updates, delta, orders))
    expect.that(
        abs(found - wanted) <= 1e-4 * wanted + 1e-6,
        "too small: such an epsilon promises too much" if found < wanted else "larger than the best order's",
        expected=f"{wanted:.4f} {told}",
        got=found,
    )
### END HIDDEN TESTS

# %%
# CHECK epsilon_edges, 1 point
for words, orders, noise, rate, delta, wanted in (
    ("the least epsilon is 0: one below 0 promises what nobody can", [2], 50.0, 0.001, 0.9, 0.0),
    ("order 400 alone: e to 400 * 399 / 2 is no number, and its logarithm is one", [400], 1.0, 1.0, 1e-5, 200.01131),
):
    found = expect.number(expect.at_edge(words, epsilon, noise, rate, 1, delta, np.array(orders)))
    at = f"{wanted:.4f} for orders {orders}, noise {noise:g}, rate {rate:g}, 1 update, delta {delta:g}"
    expect.that(abs(found - wanted) < 1e-3, words, expected=at, got=found)
### BEGIN HIDDEN TESTS
many = np.arange(2, 400, 3)  # a third of the orders takes a third of the time, and 398 is as high
for sigma, rate, updates, delta in (
    (0.5, 1.0, 3, 1e-5),
    (0.4, 0.01, 50, 1e-6),
    (6.0, 0.001, 10, 1e-5),
    (9.0, 1.0, 7, 0.01),
):
    wanted = rdp_eps(sigma, rate, updates, delta, many)
    found = expect.number(epsilon(sigma, rate, updates, delta, many))
    expect.that(
        math.isfinite(found),
        "no finite epsilon: at high orders the terms are too large for a number, their logarithms are not",
        expected=f"{wanted:.4f} at noise {sigma:g}, rate {rate:g}, orders 2, 5, ... 398",
        got=found,
    )
    expect.that(
        abs(found - wanted) <= 1e-4 * wanted + 1e-6,
        "not the epsilon at rate 1: only the term k = order is left"
        if rate == 1
        else "not the epsilon of the orders 2, 5, ... 398: all that are given are to be tried, and no others, and a "
        "small epsilon stays as it is",
        expected=f"{wanted:.4f} at noise {sigma:g}, rate {rate:g}, {updates} updates, delta {delta:g}",
        got=found,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Epsilon from below (2 points)
#
# A test says "in" or "out" of a run of some training. It said "in" in `hits` of `n_in` runs with a canary,
# and in `alarms` of `n_out` runs without. Under $(\varepsilon, \delta)$-privacy,
# $P(\text{hit}) \le e^{\varepsilon} P(\text{alarm}) + \delta$.
#
# Return the largest epsilon that these counts refute, *surely*: a number ≥ 0 that is above the true epsilon with
# probability at most `failure_prob`. The shares are not known, only counted. So bound each from its count, exactly
# (Clopper & Pearson), and spend one half of `failure_prob` on each bound.
#
# <details><summary>Hint 1</summary>On which side of the share of hits is the bound that cannot flatter you?
# And of the share of alarms?</details>
# <details><summary>Hint 2</summary>A share is at least <code>special.betaincinv(k, n - k + 1, p)</code>, surely but for
# <code>p</code>; that is NaN for k = 0, where the bound is 0.</details>
# <details><summary>Hint 3</summary>The share of alarms is at most 1 minus the least share of "out" among the
# <code>n_out</code> runs. If the hits do not exceed <code>privacy_delta</code>, nothing is refuted.</details>


# %%
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    """The largest epsilon that the counts refute, surely but for failure_prob."""
    ### BEGIN SOLUTION

    def least(k, n):
        return float(special.betaincinv(k, n - k + 1, failure_prob / 2)) if k else 0.0

    hit, alarm = least(hits, n_in), 1 - least(n_out - alarms, n_out)
    return math.log(max((hit - privacy_delta) / alarm, 1.0))
    ### END SOLUTION


# %%
def by_runs(bound):
    """What a bound says if half of the runs hit and there is no alarm, for several numbers of runs."""
    return {n: round(float(bound(n // 2, n, 0, n, 1e-5, 0.05)), 2) for n in (10, 100, 1000, 10_000)}


# %%
print("epsilon is at least, by the number of runs:", by_runs(lower_bound))

# %%
# CHECK lower_bound_value, 1 point
all_and_none = expect.number(expect.leaves_arguments(lower_bound, 20, 20, 0, 20, 0.0, 0.5))
known = {
    "this is how many times as likely a hit is: epsilon is the logarithm of that": math.exp(2.6342),
    "each bound spends all of failure_prob: it is half for each": 3.3449,
    "each bound spends a quarter of failure_prob: it is half for each": 2.2104,
    "each bound is the end of an interval of Wilson's at 95 %: exact bounds are asked, at failure_prob": math.log(
        Rate(20, 20).interval[0] / Rate(0, 20).interval[1]
    ),
}
several = expect.number(lower_bound(18, 20, 2, 20, 0.0, 0.5))  # at least 0.8133 are hits, at most 0.1867 alarms
slips = {
    "the share of hits as counted stands for its bound": 1.5726,
    "the share of alarms as counted, or smoothed, stands for its bound": [2.0959, 1.7392, 1.7858],
    "both shares are taken as they were counted: each is to be bounded": 2.1972,
    "the bound of the hits is on the side that flatters: the least share that they may have is asked": 1.6287,
    "the bound of the alarms is on the side that flatters: the largest share that they may have is asked": 2.8273,
    "both bounds are on the side that flatters": 2.9847,
    "the bound of the hits is that for one hit more, or less, than was counted": [1.5398, 1.4008],
    "the bound of the alarms is that for one alarm more, or less, than was counted": [1.8408, 1.2117],
    "these are Hoeffding's bounds: exact ones are asked": 0.9141,
    "these are bounds by the normal distribution: exact ones are asked": 1.7724,
    "this is the difference of the two bounds: the logarithm of their ratio is asked": 0.6265,
    "1 is taken off the ratio of the two bounds: its logarithm is asked": 3.3548,
    "18 hits of 20 and 2 alarms refute something: have hits and alarms changed places?": 0.0,
    "failure_prob is 0.05, whatever is given": 0.7677,
    "these are Jeffreys' bounds, with half a hit and half a miss more: exact ones are asked": 1.6712,
    "these are quantiles of shares that were alike beforehand (Bayes): exact bounds are asked": 1.5281,
    "each bound fails with 1 - sqrt(1 - failure_prob): half of failure_prob is asked": 1.5483,
    "the distribution is Beta(k, n - k): the exact bound has 1 more, Beta(k, n - k + 1)": [1.8528, 1.5323, 1.7918],
}
many = {"the share of alarms is at most 1 less the least share of *out*, and not of alarms": 1.6087}
expect.none_of(expect.number(lower_bound(20, 20, 18, 20, 0.0, 0.5)), 0.0, many, expected="0", atol=2e-4)
expect.none_of(several, 1.4713, slips, expected="1.4713 for 18 hits of 20, 2 alarms of 20, with p = 0.25", atol=2e-4)
known |= {
    "where there is no alarm, 3 / n (or -log(p) / n) bounds the share: the exact bound is asked": [1.8278, 2.5998]
}
known |= {"nothing, or everything, is refuted where there is no alarm: 0 of 20 bounds the share, too": [0.0, math.inf]}
expect.none_of(all_and_none, 2.6342, known, expected="2.6342 for 20 hits of 20, 0 alarms of 20", atol=2e-3)
for words, given, wanted, less in (
    (
        "10 of 20 hits is at least 0.4018, 20 of 20 at least 0.9330 = p ** (1/20)",
        (10, 20, 0, 20, 0.0, 0.5),
        0.8424,
        True,
    ),
    (
        "1 of 20 alarms is at most 0.1290, 0 of 20 at most 0.0670 = 1 - p ** (1/20)",
        (20, 20, 1, 20, 0.0, 0.5),
        0.6560,
        True,
    ),
    ("it is the logarithm of 0.9330 / 0.0670", (20, 20, 0, 20, 0.0, 0.5), 2.6342, False),
    ("delta 0.1 comes off the 0.9330 of the hits, and nowhere else", (20, 20, 0, 20, 0.1, 0.5), 2.5209, False),
    (
        "n_in is 9 and n_out 20: 9 of 9 hits is at least p ** (1/9), 0 of 20 alarms as before",
        (9, 9, 0, 20, 0.0, 0.5),
        2.5495,
        False,
    ),
    (
        "n_out is 9 and n_in 20: 0 of 9 alarms is at most 1 - p ** (1/9), 20 of 20 hits as before",
        (20, 20, 0, 9, 0.0, 0.5),
        1.8773,
        False,
    ),
    (
        "9 of 9 hits are a larger share than 12 of 200 alarms, of which there are more: shares count",
        (9, 9, 12, 200, 0.0, 0.5),
        2.4300,
        False,
    ),
    ("p is half of failure_prob, 0.01 here", (20, 20, 0, 20, 0.0, 0.02), 1.3512, False),
):
    found = expect.number(lower_bound(*given))
    expect.that(
        given[2] != 1 or abs(all_and_none - found - 0.0689) > 2e-4,
        "the runs in which the test said out are a second attack here, and the better of the two counts: hits and "
        "alarms alone are asked",
        got=found,
    )
    asked = "{} hits of {}, {} alarms of {}, delta {:g}, failure_prob {:g}".format(*given)
    expect.equal(
        all_and_none - found if less else found,
        wanted,
        f"{words}, with p = {given[-1] / 2:g}",
        expected=f"{wanted}" + (" more for 20 of 20 hits and 0 of 20 alarms than" if less else "") + f" for {asked}",
        atol=2e-4,
    )
### BEGIN HIDDEN TESTS
draw = np.random.default_rng(seed)
for n_in, n_out, delta, a in (
    (100, 100, 1e-5, 0.05),
    (1000, 400, 0.01, 0.05),
    (50, 2000, 1e-3, 0.01),
    (5000, 5000, 0.05, 0.2),
):
    for _ in range(4):
        hits, alarms = int(draw.integers(n_in // 2, n_in + 1)), int(draw.integers(0, max(n_out // 20, 2)))
        low = stats.binomtest(hits, n_in).proportion_ci(1 - a).low
        high = stats.binomtest(alarms, n_out).proportion_ci(1 - a).high
        wanted = math.log(max((low - delta) / high, 1))
        found = expect.number(lower_bound(hits, n_in, alarms, n_out, delta, a))
        told = f"{hits} hits of {n_in}, {alarms} alarms of {n_out}, delta {delta:g}, failure_prob {a:g}"
        expect.that(
            found <= wanted + 1e-4,
            "refutes more than the counts surely do: is each share bounded, exactly, on the side that cannot flatter?",
            expected=f"{wanted:.4f} for {told}",
            got=found,
        )
        expect.that(
            found >= wanted - 1e-4, "refutes less than the counts do", expected=f"{wanted:.4f} for {told}", got=found
        )
### END HIDDEN TESTS

# %%
# CHECK lower_bound_sure, 1 point
found = expect.number(lower_bound(50, 100, 50, 100, 1e-5, 0.05))
expect.that(found >= 0, "below 0: where nothing is refuted, the answer is 0", expected="0", got=found)
expect.that(found == 0, "hits and alarms are equally frequent, and it refutes something", expected="0", got=found)
for hits, alarms in ((100, 0), (0, 100), (0, 0)):
    told = "a count of 0, or of all, proves neither nothing nor everything"
    found = expect.at_edge(told, lower_bound, hits, 100, alarms, 100, 1e-5, 0.05)
    found = expect.number(found, f"the bound for {hits} hits and {alarms} alarms")
    expect.that(
        math.isfinite(found) and found >= 0,
        told,
        expected=f"a number >= 0 for {hits} hits and {alarms} alarms of 100",
        got=found,
    )
### BEGIN HIDDEN TESTS
draw = np.random.default_rng(seed + 1)
for p, n, delta, a in ((0.01, 300, 0.0, 0.05), (0.2, 60, 0.01, 0.1), (0.05, 100, 1e-3, 0.2)):
    for true in (0.5, 1.5):
        hit = min(p * math.exp(true) + delta, 1.0)
        counts = zip(draw.binomial(n, hit, 400).tolist(), draw.binomial(n, p, 400).tolist(), strict=True)
        memory = {}
        wrong = 0
        for pair in counts:
            if pair not in memory:
                memory[pair] = expect.number(lower_bound(pair[0], n, pair[1], n, delta, a))
            wrong += memory[pair] > true
        expect.that(
            wrong <= 400 * a + 5 * math.sqrt(400 * a),
            f"above the true epsilon too often: in {wrong} of 400 audits of a mechanism with epsilon {true:g}",
            expected=f"in at most {a:.0%}",
            got=f"{wrong / 400:.0%}",
        )
for hits, n_in, alarms, n_out in ((0, 7, 0, 9), (7, 7, 0, 9), (7, 7, 9, 9), (0, 7, 9, 9), (3, 10_000, 0, 10_000)):
    found = expect.number(
        lower_bound(hits, n_in, alarms, n_out, 1e-3, 0.05), f"the bound for {hits} hits and {alarms} alarms"
    )
    expect.that(
        math.isfinite(found) and found >= 0,
        "a count of 0, or of all, proves neither nothing nor everything",
        expected=f"a number >= 0 for {hits} of {n_in} and {alarms} of {n_out}",
        got=found,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Three reports (1 point)
#
# Each report is of one private training on `"examples"` examples, as its authors state it: batches were drawn by
# `"sampling"`, the inputs scaled by `"scale"`, and `"audited"` is what an audit of the code refuted, surely.

# %%
reports = {
    "A": {"noise": 1.0, "batch": 128, "examples": 60_000, "updates": 3000, "delta": 1e-6, "claimed": 1.0},
    "B": {"noise": 1.1, "batch": 256, "examples": 10_000, "updates": 585, "delta": 1e-5, "claimed": 2.0},
    "C": {"noise": 2.0, "batch": 64, "examples": 4000, "updates": 500, "delta": 1e-5, "claimed": 1.0},
}
reports["A"] |= {"sampling": "Poisson", "scale": "constants", "audited": 0.4}
reports["B"] |= {"sampling": "Poisson", "scale": "constants", "audited": 0.9}
reports["C"] |= {"sampling": "shuffled", "scale": "constants", "audited": 0.3}

# %% [markdown]
# Write your judgement as a function, so that it can be tried on reports that you have not seen.
# It returns one word, of these the first that is true:
#
# - `"refuted"`: the audit has shown more than was claimed;
# - `"leaks"`: something besides the gradients comes from the data (`"scale"` is not `"constants"`);
# - `"unproved"`: the accountant's analysis does not fit the `"sampling"` (anything but `"Poisson"`),
#   or `"delta"` is not below 1 / examples, so that a whole example could be given away;
# - `"overclaims"`: `privacy_eps` of these numbers is above `"claimed"`;
# - `"sound"`: nothing of this.
#
# <details><summary>Hint 1</summary>Is an audit below the claim a proof of it? Does it refute anything?</details>
# <details><summary>Hint 2</summary>The rate is a probability: batch over examples.</details>
# <details><summary>Hint 3</summary><code>privacy_eps(noise, batch / examples, updates, delta)</code>.</details>


# %%
def verdict(report):
    """One word on a report like those above."""
    ### BEGIN SOLUTION
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    rate = report["batch"] / report["examples"]
    eps = privacy_eps(report["noise"], rate, report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"
    ### END SOLUTION


# %%
list(map(verdict, reports.values()))

# %%
# CHECK verdict, 1 point
### BEGIN HIDDEN TESTS
words_in_order = ("refuted", "leaks", "unproved", "overclaims")
chance = random.Random(seed)
questions = {
    "sound, large delta": "this delta is large for 60,000 examples, and below 1 / examples where they are few",
    "sound": "privacy_eps at the rate of batch over examples is below the claim, and so is the audit",
    "sound, high audit": "the audit has shown less than was claimed: with what is it compared?",
    "sound, just so": "the audit has shown as much as was claimed: is that more?",
    "refuted": "what does the audit say?",
    "refuted, shuffled": "what does the audit say? The first word that is true counts",
    "leaks": "where does the scale come from?",
    "leaks, largest": "where does the scale come from? Anything but constants comes from the data",
    "shuffled": "which sampling does the accountant take for granted?",
    "without replacement": "which sampling does the accountant take for granted?",
    "delta": "what does a delta of 1 / examples or more allow?",
    "delta, many examples": "this delta is small, and is it below 1 / examples?",
    "delta, exactly": "what does a delta of 1 / examples or more allow? This one is exactly so",
    "overclaims, quiet audit": "privacy_eps, at this delta, is above the claim, and a low audit proves nothing",
    "overclaims": "what is privacy_eps of these numbers?",
    "overclaims, delta": "what is privacy_eps of these numbers, at this delta?",
    "overclaims, nearly": "is privacy_eps above the claim, if by little?",
    "overclaims, rounded": "privacy_eps and the claim are near each other: they are compared as they are, not rounded",
    "overclaims, batch": "what is privacy_eps of these numbers? The rate is batch over examples",
    "overclaims, one update": "what is privacy_eps of one update with all examples?",
    "sound, one update": "what is privacy_eps of one update with all examples?",
}
trainings = []  # of four, since each needs an epsilon of its own, and that takes its time
for n in (2000, 10_000, 60_000, 10_000):
    batch, noise, updates = chance.choice([64, 128, 256]), chance.choice([0.8, 1.0, 1.5]), chance.choice([200, 600])
    delta = 1e-4 if n == 2000 else chance.choice([1e-5, 1e-6])
    trainings.append((n, batch, noise, updates, delta, privacy_eps(noise, batch / n, updates, delta)))
asked = []
for kind, question in questions.items():
    n, batch, noise, updates, delta, eps = trainings[0] if "large delta" in kind else chance.choice(trainings)
    if "one update" in kind:
        batch, updates, eps = n, 1, privacy_eps(noise, 1.0, 1, delta)
    report = {"noise": noise, "batch": batch, "examples": n, "updates": updates, "delta": delta}
    report |= {"sampling": "Poisson", "scale": "constants"}
    report["claimed"] = round(eps * chance.uniform(1.02, 1.2) + 0.01, 3)
    report["audited"] = round(eps * chance.uniform(0.1, 0.7), 3)
    word = kind.partition(",")[0]
    if kind == "sound, just so":
        report["audited"] = report["claimed"]
    elif kind == "sound, high audit":
        report["audited"] = (eps + report["claimed"]) / 2
    elif word == "refuted":
        report["audited"] = round(report["claimed"] * chance.uniform(1.1, 2), 3)
        report["sampling"] = "shuffled" if "shuffled" in kind else "Poisson"
    elif word == "leaks":
        report["scale"] = "largest pixel of all images" if "largest" in kind else "mean of the data"
    elif word in ("shuffled", "without replacement"):
        report["sampling"], word = word, "unproved"
    elif word == "delta":
        n = report["examples"] = 1_000_000 if "many" in kind else n
        report["delta"], word = (1 if "exactly" in kind else 3) / n, "unproved"
    elif word == "overclaims":
        report["claimed"] = round(eps * chance.uniform(0.75, 0.95), 4)
        report["audited"] = round(eps * 0.3, 4)
        if "nearly" in kind:
            report["claimed"] = 0.99 * eps
        if "rounded" in kind:
            report["claimed"] = (eps + round(eps, 1)) / 2
            word = word if eps > report["claimed"] else "sound"
        if "quiet" in kind:
            report["audited"] = 0.0
        if "delta" in kind:
            report["claimed"] = round(privacy_eps(noise, batch / n, report["updates"], 0.3 / n) * 1.001, 4)
            report["delta"] = 1e-9
    asked.append((report, word, verdict(dict(report)), question, eps))


def by_rule(report, above=lambda eps, claimed: eps > claimed, **other):
    """The word that is due, if privacy_eps got other numbers than the report's, or were compared otherwise."""
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    r = report | other
    r["updates"] *= r["examples"] // r["batch"] if "rounds" in r else 1
    eps = privacy_eps(r["noise"], min(r["batch"] / r["examples"], 1.0), r["updates"], r["delta"])
    return "overclaims" if above(eps, r["claimed"]) else "sound"


if any(found != word for _, word, found, *_ in asked):
    for words, slip in {
        "privacy_eps is that of one update: a training has as many as its report says": {"updates": 1},
        "the updates are taken for rounds through all examples: each draws one batch": {"rounds": True},
        "privacy_eps is that of a delta of 1e-5: at this delta, which the report states, it is another": {
            "delta": 1e-5
        },
        "privacy_eps is that of 60,000 examples: each report has a number of its own": {"examples": 60_000},
        "claims above privacy_eps are called too high, and those below it sound": {
            "above": lambda eps, claimed: eps < claimed
        },
    }.items():
        same = all(by_rule(report, **slip) == found for report, _, found, *_ in asked)
        expect.that(not same, words, got=[found for _, _, found, *_ in asked])
for report, word, found, question, eps in asked:
    expect.that(
        found == word, f"another word is due: {question}", got=f"{found}, where privacy_eps is {eps:.3f}, for {report}"
    )
n, batch, noise, updates, delta, eps = trainings[1]
for true in itertools.product((True, False), repeat=4):  # which of the first four words are true
    report = {"noise": noise, "batch": batch, "examples": n, "updates": updates, "delta": delta}
    report["claimed"] = round(eps * (0.8 if true[3] else 1.2), 3)
    report["audited"] = round(report["claimed"] * (1.2 if true[0] else 0.5), 3)
    report["scale"] = "mean of the data" if true[1] else "constants"
    report["sampling"] = "shuffled" if true[2] else "Poisson"
    word = next((w for w, is_true in zip(words_in_order, true, strict=True) if is_true), "sound")
    found = verdict(report)
    expect.that(
        found == word,
        f"another word is due: of several that are true ({sum(true)} here) the first in the list counts",
        got=f"{found} for {report}",
    )
### END HIDDEN TESTS
looks = {
    "A": "what is privacy_eps of all its updates, at the rate of batch over examples, and is it above the claim?",
    "B": "what is privacy_eps of all its updates, at the rate of batch over examples, and is it above the claim?",
    "C": "how were its batches drawn, and does the accountant's analysis fit?",
}
said = {name: verdict(report) for name, report in reports.items()}
expect.apart(said, looks, ("refuted", "leaks", "unproved", "overclaims", "sound"))

# %% [markdown]
# ## 5 · Nearly nine in ten, for three (1 point, open)
#
# Train on the digits with epsilon at most **3** at delta 1e-5, and get at least **88 %** of the test images right.
# `dp_sgd` of `utils.privacy` trains a small network. You choose how: return `clip`, `noise_multiplier`, `rate`,
# `updates`, `lr` and `momentum`, in a dictionary. At most 400 updates, so that the check is quick.
# (With private data each try would spend a budget of its own, and test images by which settings were chosen
# test nothing any more.)
#
# <details><summary>Hint 1</summary>First make it private, then accurate: find the noise at which
# <code>privacy_eps</code> is just below 3 for a given rate and number of updates.</details>
# <details><summary>Hint 2</summary>A large batch with much noise often beats a small one with little:
# noise is added once for each update, however many examples are in it.</details>
# <details><summary>Hint 3</summary>Compare a rate of 0.1 with 0.5 or more, each with as much noise as it needs.
# What counts for the length of a step is the learning rate times clip.</details>


# %%
def plan():
    """How to train: clip, noise_multiplier, rate, updates, lr, momentum."""
    ### BEGIN SOLUTION
    return {"clip": 0.5, "noise_multiplier": 9.0, "rate": 0.8, "updates": 60, "lr": 4.0, "momentum": 0.0}
    ### END SOLUTION


# %%
def trained(how, seed):
    """A network trained by a plan, and its epsilon at delta 1e-5."""
    torch.manual_seed(seed)
    network, half = mlp(data, width=64), torch.tensor(0.5)
    network[0] = Normalize(half, half)  # constants: the data's own scale would leak
    network = dp_sgd(network, data.train, **how)
    return network, privacy_eps(how["noise_multiplier"], how["rate"], how["updates"], 1e-5)


def too_little(how, seed):
    """Why a private plan learns too little, in words: it is tried without noise, by shorter and longer steps."""
    calm = how | {"noise_multiplier": 0.0}
    reached = {}
    for factor in (1, 0.01, 0.1, 10, 100):
        right = accuracy(dp_sgd(mlp(data, width=64), data.train, **calm | {"lr": factor * how["lr"]}), data.test)
        reached[factor] = right.k / right.n
    if reached[1] >= 0.88:
        return (
            f"without its noise this plan reaches {reached[1]:.0%}: the noise drowns it. Each update adds "
            "noise_multiplier * clip, however many examples are in it"
            + (f", and momentum {how['momentum']:g} adds up many of these" if how["momentum"] > 0.9 else "")
        )
    best = max(reached, key=reached.get)
    if reached[best] < reached[1] + 0.02:
        return f"without its noise, too, this plan reaches {reached[1]:.0%}: are there updates enough?"
    words = "long" if best < 1 else "short"
    return (
        f"its steps are too {words}: without noise it reaches {reached[1]:.0%}, and {reached[best]:.0%} with {best:g} "
        "times the learning rate. A step's length comes from lr times clip"
        + (". And are there updates enough?" if reached[best] < 0.88 else "")
    )


# %%
print("epsilon", round(trained(plan(), 0)[1], 2))
accuracy(trained(plan(), 0)[0], data.test)

# %%
# CHECK plan, 1 point
how = plan()
names = ("clip", "noise_multiplier", "rate", "updates", "lr", "momentum")
expect.that(
    isinstance(how, dict) and set(how) == set(names),
    "return a dictionary with these six names, and no others",
    expected=", ".join(names),
    got=sorted(how) if isinstance(how, dict) else how,
)
how = {name: expect.number(value, name) for name, value in how.items()}
expect.that(
    how["updates"] == int(how["updates"]) and 1 <= how["updates"] <= 400,
    "the number of updates is a whole one, of at most 400",
    got=how["updates"],
)
how["updates"] = int(how["updates"])
expect.that(
    0 < how["rate"] <= 1, "the rate is a probability: batch over examples", expected="above 0, up to 1", got=how["rate"]
)
expect.that(how["noise_multiplier"] > 0, "without noise, epsilon is infinite", got=how["noise_multiplier"])
expect.that(
    how["clip"] > 0 and math.isfinite(how["clip"]) and 0 <= how["momentum"] < 1,
    "clip must be a number above 0, and momentum lie in [0, 1)",
    got=f"clip {how['clip']}, momentum {how['momentum']}",
)
eps = privacy_eps(how["noise_multiplier"], how["rate"], how["updates"], 1e-5)
expect.that(
    eps <= 3, "not private enough: more noise, fewer updates or a smaller rate", expected="epsilon up to 3", got=eps
)
network, _ = trained(how, seed)
found = accuracy(network, data.test)
if not found >= 0.83:  # a plan that reaches 88 % on average falls below in 1 of 10,000 trainings
    raise expect.Unmet(
        f"private, and not accurate enough yet: {too_little(how, seed)}",
        expected="at least 88 % of the test images on average, 83 % in each training",
        got=found,
    )
### BEGIN HIDDEN TESTS
left = [found]
if not found >= 0.88:  # else one training is enough: of plans that reach 85.3 % on average 1 of 80 gets there
    left += [accuracy(trained(how, seed + more)[0], data.test) for more in (1, 2)]
mean = Rate(sum(rate.k for rate in left), sum(rate.n for rate in left))
if not mean >= 0.853:  # 4 standard deviations below 88 %, of 1.2 % in each training
    raise expect.Unmet(
        f"private, and on average of three draws of batches and noise not accurate enough: {too_little(how, seed)}",
        expected="at least 88 %, less 2.7 % for chance",
        got=mean,
    )
### END HIDDEN TESTS
