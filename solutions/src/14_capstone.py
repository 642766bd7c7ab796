# %% [markdown]
# # Lab 14 · Capstone
#
# Three exercises with checks and one that a person reads: 10 points,
# about 75 minutes after [lesson 14](../notebooks/14_capstone.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# Own cells, prints and pictures do no harm. Libraries with finished audits are not an answer.

# %%
import math

import torch
from scipy import stats

from utils import expect, plots
from utils.evaluation import Rate

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone

# %% [markdown]
# ## 1 · Epsilon from one model (2 points)
#
# Of each of `guesses` examples a fair coin of its own decided whether it came into the training data. Somebody who has
# seen the model guesses for each whether it did; `right` are right. If the training is $\varepsilon$-private,
# `right` **or more** are no more likely than from coins that fall right with probability
# $q = e^\varepsilon / (1 + e^\varepsilon)$ (Steinke et al. 2023, for $\delta = 0$).
#
# Return the largest $\varepsilon \ge 0$, to within 0.01, at which `right` **or more** have probability
# at most `failure_prob`. Return 0 if there is none.
#
# <details><summary>Hint 1</summary>Start from 0, and go up while so many right guesses would surprise you.</details>
# <details><summary>Hint 2</summary>The probability grows with ε, so you may search by steps or by halves.
# It can be large: up to 10 is asked.</details>
# <details><summary>Hint 3</summary><code>stats.binom.sf(k, n, q)</code> is the probability of <b>more</b>
# than k.</details>


# %%
def least_eps(right, guesses, failure_prob):
    """The largest epsilon that so many right guesses refute."""
    ### BEGIN SOLUTION
    low, high = 0.0, 40.0
    if stats.binom.sf(right - 1, guesses, 0.5) > failure_prob:
        return 0.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        if stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-middle))) > failure_prob:
            high = middle
        else:
            low = middle
    return low
    ### END SOLUTION


# %%
print(
    *(f"{right} of 100 right: epsilon is at least {least_eps(right, 100, 0.05):.2f}" for right in (50, 70, 90, 100)),
    sep="\n",
)

# %%
# CHECK least_eps, 2 points


def odds(share):
    """The epsilon whose coin falls right with this probability."""
    return math.log(share / (1 - share))


sure = float(stats.beta.ppf(0.08, 45, 16))  # the q at which 45 or more of 60 have probability 0.08
known = {
    "it refutes nothing where 45 of 60 are right, which surprises from coins of one half: is the probability that of "
    "so many right guesses *or more*, and is it to be small?": 0.0,
    "this is the end of an interval of Wilson's: the exact probability is asked": odds(Rate(45, 60).interval[0]),
    "this is the epsilon of the share itself: chance may have helped, so what is refuted is less": odds(45 / 60),
    "this is the end of a normal interval: the exact probability is asked": odds(
        0.75 - float(stats.norm.isf(0.08)) * math.sqrt(0.75 * 0.25 / 60)
    ),
    "so many or *more* may be right by chance: is `right` itself counted?": odds(float(stats.beta.ppf(0.08, 46, 15))),
    "half of failure_prob was used: the probability may be all of it": odds(float(stats.beta.ppf(0.04, 45, 16))),
    "failure_prob is divided by the guesses: all of them are one test": odds(float(stats.beta.ppf(0.08 / 60, 45, 16))),
    "0.05 was used, where failure_prob is 0.08": odds(float(stats.beta.ppf(0.05, 45, 16))),
    "this is what a bound or an approximation gives, Hoeffding's or a normal one: the exact probability is asked": [
        odds(0.75 - math.sqrt(-math.log(0.08) / 120)),
        odds(float(stats.binomtest(45, 60).proportion_ci(0.84, "wilson").low)),
    ],
    "the formula for the probability of a right guess is another than e^eps / (1 + e^eps)": [
        -math.log(2 * (1 - sure)),
        -math.log(1 - sure),
        2 * sure - 1,
        math.log(2 * sure),
        math.log((1 + sure) / (1 - sure)),
    ],
    "at this epsilon so *few* right guesses would be a surprise: the largest is asked at which so many are one": [
        odds(float(stats.beta.ppf(1 - 0.08, k, 61 - k))) for k in (45, 46)
    ],
}
found = expect.number(least_eps(45, 60, 0.08))
expect.none_of(found, 0.648, known, expected="0.648 for 45 of 60 right, failure_prob 0.08", atol=0.011)
expect.that(
    found < 4,
    "at so large an epsilon 45 of 60 or more are nearly certain, and no surprise: is the probability that of so many "
    "*or more*, and is the search to end where it reaches failure_prob?",
    got=found,
)
for right, guesses, failure_prob, wanted, words in (  # each asks for one thing more than the one before it
    (
        1,
        1,
        0.7,
        0.847,
        "one right guess of one has probability q itself, and that may be all of failure_prob, 0.7, and no more: "
        "e^eps / (1 + e^eps) is 0.7 at an epsilon of 0.847",
    ),
    (20, 20, 0.05, 1.823, "20 of 20 right have probability q ** 20: that is 0.05 where q is 0.861"),
    (
        1,
        3,
        0.973,
        0.847,
        "one of three, *or more*, is right with probability 1 - (1 - q) ** 3: neither more than one nor exactly one, "
        "and no other formula for a share. That is 0.973 where q is 0.7",
    ),
    (45, 60, 0.08, 0.648, "for one guess, and for three, all is right, and for 45 of 60 it is not"),
):
    found = expect.number(least_eps(right, guesses, failure_prob))
    told = f"{right} of {guesses} right, failure_prob {failure_prob:g}"
    expect.that(
        guesses > 1 or abs(found - 0.7) > 0.011,
        f"{told}: this is q, the probability of a right guess: its epsilon is asked",
        expected=f"{wanted}",
        got=found,
    )
    expect.that(
        guesses > 1 or found < 5 or abs(expect.number(least_eps(0, 1, 0.7)) - wanted) > 0.02,
        f"{told}: *more* than one of one is never right, and here any epsilon is refuted: is `right` itself counted?",
        expected=f"{wanted}",
        got=found,
    )
    expect.that(
        not 0.011 < abs(found - wanted) < 0.6 or (abs(found - round(found, 1)) > 1e-6 and abs(found - wanted) > 0.16),
        f"{told}: to within 0.01 is asked, and steps are too long, or end too early",
        expected=f"{wanted}",
        got=found,
    )
    expect.equal(found, wanted, f"{told}: {words}", expected=f"{wanted}", atol=0.011)
expect.that(
    expect.number(least_eps(10, 20, 0.05)) == 0,
    "half of the guesses right is no surprise at any epsilon: then 0 is asked, and nothing below it",
    expected="0",
    got=least_eps(10, 20, 0.05),
)
### BEGIN HIDDEN TESTS


def where(right, guesses, failure_prob):
    """The epsilon at which `right` or more have probability failure_prob: their q is a quantile of a beta law."""
    q = float(stats.beta.ppf(failure_prob, right, guesses - right + 1)) if right else 0.0
    return math.log(q / (1 - q)) if q > 0.5 else 0.0


random = torch.Generator().manual_seed(seed)
cases = [(0, 30, 0.05), (3, 30, 0.05), (16, 30, 0.05), (60, 60, 1e-4), (99_990, 100_000, 0.05)]
for guesses in (25, 60, 200):
    for share in (0.62, 0.75, 0.93):
        k = round(guesses * share) + int(torch.randint(0, 3, (), generator=random))
        cases += [(min(k, guesses), guesses, failure_prob) for failure_prob in (0.05, 0.01, 0.2)]
for right, guesses, failure_prob in cases:
    found = expect.number(least_eps(right, guesses, failure_prob), f"epsilon for {right} of {guesses} right")
    wanted = where(right, guesses, failure_prob)
    told = f"{right} of {guesses} right, failure_prob {failure_prob:g}"
    expect.that(found >= 0, f"{told}: epsilon is never below 0", expected=f"{wanted:.2f}", got=found)
    expect.that(
        wanted < 4 or found > wanted - 0.012 or abs(found - round(found)) > 0.012,
        f"{told}: the search ends too early: up to 10 is asked",
        expected=f"{wanted:.2f}",
        got=found,
    )
    if abs(found - wanted) > 0.012:
        share = right / guesses
        point = math.log(share / (1 - share)) if 0.5 < share < 1 else 0.0
        expect.that(
            abs(found - point) > 0.012 or right == guesses,
            f"{told}: this is the epsilon of the share itself; chance may have helped, so what is refuted is less",
            expected=f"{wanted:.2f}",
            got=found,
        )
        other = where(right, guesses, 0.05)
        expect.that(
            failure_prob == 0.05 or abs(found - other) > 0.012,
            f"{told}: this is the answer for a failure_prob of 0.05",
            expected=f"{wanted:.2f}",
            got=found,
        )
    expect.that(
        abs(found - wanted) <= 0.012,
        f"{told}: another epsilon than the largest that is refuted",
        expected=f"{wanted:.2f}",
        got=found,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · A vendor's claim (2 points)
#
# A vendor claims a share `claimed`. You measured `k` of `n`, with Wilson's 95 % interval (`Rate(k, n).interval`).
# Return
#
# - `"refuted"` if the whole interval lies below the claim,
# - `"holds"` if the whole interval lies at the claim or above it,
# - `"open"` otherwise.
#
# With `bound=True` the measured share is only an **upper bound** of the true one, as what an attack leaves is.
# What can it say then, and what never?
#
# <details><summary>Hint 1</summary>Which end of the interval speaks against the claim, which for it?</details>
# <details><summary>Hint 2</summary>If at most 40 % are left, can 30 % hold? Can it be refuted?</details>
# <details><summary>Hint 3</summary>An upper bound below the claim refutes it. No upper bound proves it.</details>


# %%
def judge(claimed, k, n, bound=False):
    """ "holds", "refuted" or "open"."""
    ### BEGIN SOLUTION
    low, high = Rate(k, n).interval
    if high < claimed:
        return "refuted"
    return "holds" if low >= claimed and not bound else "open"
    ### END SOLUTION


# %%
print({f"{k} of 200": judge(0.9, k, 200) for k in (150, 175, 185, 198)})

# %%
# CHECK judge, 2 points
words = ("holds", "refuted", "open")
expect.that(judge(0.5, 99, 100) in words, "one of three words was asked", expected=", ".join(words))
both = judge(0.9, 1, 100), judge(0.1, 99, 100)
words_for = "refuted for 1 of 100 and a claim of 0.9, holds for 99 of 100 and a claim of 0.1"
expect.that(
    both != ("holds", "refuted"),
    "of n the other part was taken, n - k, or two words have changed places",
    expected=words_for,
    got=both,
)
expect.that(both != ("holds", "holds"), "a claim is a share, from 0 to 1", expected=words_for, got=both)
expect.that(judge(0.9, 10, 100) == "refuted", "10 of 100 leave nothing of a claimed 0.9", got=judge(0.9, 10, 100))
expect.that(
    judge(0.5, 99, 100) != "open" or judge(0.5, 99, 100, bound=False) != "holds",
    "where `bound` is not given, the measured share is no mere bound: what is its default?",
    expected="holds",
    got="open",
)
expect.that(
    judge(0.5, 99, 100) == "holds", "99 of 100 are clearly above 0.5", expected="holds", got=judge(0.5, 99, 100)
)
### BEGIN HIDDEN TESTS


def by_interval(low, high, claimed, bound):
    """The rule, for any interval."""
    return "refuted" if high < claimed else "holds" if low >= claimed and not bound else "open"


def exact(k, n, level=0.95, method="exact"):
    interval = stats.binomtest(k, n).proportion_ci(level, method)
    return interval.low, interval.high


def normal(k, n, z=1.96):
    half = z * math.sqrt(k / n * (1 - k / n) / n)
    return k / n - half, k / n + half


base = 100 + seed % 50
draws = torch.Generator().manual_seed(seed)
edges = []
for n in (base, 5 * base):
    for k in (round(0.8 * n), round(0.35 * n), 2):
        for end in Rate(k, n).interval:
            for step in (-0.03, -0.012, -0.004, 0.004, 0.012, 0.03):
                if 0 < end + step < 1:
                    edges.append((end + step, k, n, bool(torch.rand((), generator=draws) < 0.3)))
drawn = [judge(claimed, k, n, bound=bound) for claimed, k, n, bound in edges]
strange = [word for word in drawn if word not in words]
expect.that(not strange, "another word than the three", expected=", ".join(words), got=strange)
right = [by_interval(*Rate(k, n).interval, claimed, bound) for claimed, k, n, bound in edges]
for what, rule in {
    "a 99 % interval: Wilson's 95 % is asked": lambda c, k, n, b: by_interval(*exact(k, n, 0.99, "wilson"), c, b),
    "an 80 % interval: Wilson's 95 % is asked": lambda c, k, n, b: by_interval(*exact(k, n, 0.8, "wilson"), c, b),
    "a 90 % interval: Wilson's 95 % is asked": lambda c, k, n, b: by_interval(*exact(k, n, 0.9, "wilson"), c, b),
    "the exact interval of Clopper and Pearson: Wilson's is asked": lambda c, k, n, b: by_interval(*exact(k, n), c, b),
    "a normal interval, share plus and minus 1.96 standard errors: Wilson's is asked": lambda c, k, n, b: by_interval(
        *normal(k, n), c, b
    ),
    "a normal interval of 99 %, share plus and minus 2.58 standard errors: Wilson's of 95 % is asked": (
        lambda c, k, n, b: by_interval(*normal(k, n, 2.576), c, b)
    ),
    "a comparison of two measured shares: a claim is a number, and only k of n has an interval": lambda c, k, n, b: (
        "refuted"
        if Rate(k, n).clearly_below(Rate(round(c * n), n))
        else "holds"
        if Rate(k, n).clearly_above(Rate(round(c * n), n)) and not b
        else "open"
    ),
    "the share alone: its interval decides": lambda c, k, n, b: by_interval(k / n, k / n, c, b),
    "the interval alone, whether the share is an upper bound or not": lambda c, k, n, b: by_interval(
        *Rate(k, n).interval, c, False
    ),
    "an upper bound's share where its interval should decide": lambda c, k, n, b: by_interval(
        *(Rate(k, n).interval if not b else (k / n, k / n)), c, b
    ),
    "the rule that an upper bound says nothing: one below the claim refutes it": lambda c, k, n, b: (
        "open" if b else by_interval(*Rate(k, n).interval, c, b)
    ),
}.items():
    same = all(word == rule(*case) for word, case in zip(drawn, edges, strict=True))
    expect.that(drawn == right or not same, f"these verdicts are those of {what}", got=drawn[:8])
for n in (base, 5 * base):
    k = round(0.8 * n)
    low, high = Rate(k, n).interval
    share = k / n
    cases = {
        (high + 0.004, False): ("refuted", "the whole interval lies below the claim"),
        ((share + high) / 2, False): ("open", "the measured share lies below the claim, its interval does not"),
        ((share + low) / 2, False): ("open", "the measured share lies above the claim, its interval not wholly"),
        (low - 0.004, False): ("holds", "the whole interval lies above the claim"),
        (low - 0.004, True): ("open", "an attack leaves at most so much: a stronger one may leave less"),
        (high + 0.004, True): ("refuted", "an upper bound below the claim is all that it takes"),
        ((share + high) / 2, True): ("open", "the interval of the upper bound reaches above the claim"),
        (0.0, True): ("open", "that 0 or more are left needs no proof, and this measurement gives none"),
    }
    for (claimed, bound), (wanted, why) in cases.items():
        found = judge(claimed, k, n, bound=bound)
        expect.that(
            found == wanted,
            f"claimed {claimed:.3f}, measured {k} of {n}" + (", an upper bound" if bound else "") + f": {why}",
            expected=wanted,
            got=found,
        )
expect.that(judge(0.98, 50, 50) == "open", "50 of 50 are no proof of 98 %", expected="open", got=judge(0.98, 50, 50))
for claimed, k, n, bound, wanted, why in (
    (0.0, 0, 50, True, "open", "0 of 50, an upper bound: that 0 or more are left is not refuted, and not shown"),
    (0.5, 50, 50, True, "open", "50 of 50, an upper bound: the attack may have been weak"),
):
    found = judge(claimed, k, n, bound=bound)
    expect.that(found == wanted, f"claimed {claimed:.3g}, {why}", expected=wanted, got=found)
many = range(20, 220, 10)  # an interval that was computed otherwise may end a hair beside 0 or 1, but not always
found = [judge(1.0, n, n) for n in many]
expect.that(
    "open" in found,
    "n of n, a claim of 1: the interval reaches up to the claim itself, and does not lie below it",
    expected="open",
    got=found[0],
)
found = [judge(0.0, 0, n) for n in many]
begins = "0 of n, a claim of 0: the interval begins at the claim itself, and so it lies at the claim or above"
expect.that("holds" in found, begins, expected="holds", got=found[0])
for word, due, (claimed, k, n, bound) in zip(drawn, right, edges, strict=True):
    low, high = Rate(k, n).interval
    expect.that(
        word == due,
        f"claimed {claimed:.3f}, measured {k} of {n}, whose interval is {low:.3f} to {high:.3f}"
        + (", an upper bound" if bound else "")
        + ": on which side of the claim does the interval lie, and what can an upper bound say?",
        expected=due,
        got=word,
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Choose (2 points)
#
# `offers` names defenses: `{name: {"left": {"weights": k, "scores": k, "labels": k}, "n": n, "accuracy": a,
# "training": t, "answer": c}}`. `left` counts the right answers that attackers leave, of n inputs; t and c are costs,
# in multiples of the undefended network's.
#
# An attacker who sees more can do all that others can: the weights give the scores, and the scores the labels.
# So what is left against `attacker` is the **least** of all counts that this attacker can reach.
#
# Drop offers with accuracy below `accuracy`, training above `training` or answer above `answer`.
# Of the rest keep each to which no other of the rest is clearly better (`Rate.clearly_above`).
# Return a list of their names, the cheapest answer first, and of equal ones the cheapest training.
#
# <details><summary>Hint 1</summary>The order weights, scores, labels: from where on may the attacker choose?</details>
# <details><summary>Hint 2</summary>What broke a budget must not beat anybody.</details>
# <details><summary>Hint 3</summary><code>any(b.clearly_above(a) for b in rates)</code>, and
# <code>sorted(names, key=lambda name: (…, …))</code>.</details>


# %%
def choose(offers, attacker, accuracy, training, answer):
    """The names of the offers within the budgets that no other is clearly better than, cheapest first."""
    ### BEGIN SOLUTION
    order = ["weights", "scores", "labels"]
    reach = order[order.index(attacker) :]
    rates = {
        name: Rate(min(offer["left"][who] for who in reach), offer["n"])
        for name, offer in offers.items()
        if offer["accuracy"] >= accuracy and offer["training"] <= training and offer["answer"] <= answer
    }
    level = [name for name, rate in rates.items() if not any(other.clearly_above(rate) for other in rates.values())]
    return sorted(level, key=lambda name: (offers[name]["answer"], offers[name]["training"]))
    ### END SOLUTION


# %%
board = {
    "undefended": {"left": {"weights": 9, "scores": 11, "labels": 12}, "accuracy": 0.98, "training": 1, "answer": 1},
    "trained": {"left": {"weights": 74, "scores": 79, "labels": 81}, "accuracy": 0.97, "training": 9, "answer": 1},
    "on noise": {"left": {"weights": 38, "scores": 57, "labels": 60}, "accuracy": 0.97, "training": 1, "answer": 1},
    "masked": {"left": {"weights": 96, "scores": 8, "labels": 10}, "accuracy": 0.98, "training": 1, "answer": 1},
    "smoothed": {"left": {"weights": 66, "scores": 70, "labels": 71}, "accuracy": 0.95, "training": 1, "answer": 8},
}
board = {name: offer | {"n": 100} for name, offer in board.items()}
any_price = {"accuracy": 0.0, "training": 100, "answer": 100}

# %%
print({attacker: choose(board, attacker, **any_price) for attacker in ("weights", "scores", "labels")})

# %%
# CHECK choose, 2 points
found = expect.leaves_arguments(choose, board, "weights", 0.0, 5, 5)
expect.that(isinstance(found, (list, tuple)), "a list of names was asked", expected="a list", got=found)
known = list(found)
expect.that(all(name in board for name in known), "a list of names of offers was asked", got=found)
over = [name for name in known if board[name]["training"] > 5 or board[name]["answer"] > 5]
expect.that(not over, f"{over} break a budget: training up to 5 and answers up to 5 were asked", got=found)
expect.that(
    "undefended" not in known,
    "another offer is clearly better than the undefended one, 38 of 100 than 9: one such within the budgets is "
    "enough to leave it out, be it dearer or less accurate",
    expected="['on noise']",
    got=found,
)
expect.that(
    "masked" not in known,
    "an attacker with the weights leaves 8 of the masked one's 100, for what weights give the scores give, too: "
    "of all that an attacker can reach the least counts",
    expected="['on noise']",
    got=found,
)
expect.that(
    known,
    "no offer is left, where one keeps the budgets: more accuracy and lower costs are no breach, and an offer that "
    "breaks a budget must not beat anybody",
    expected="['on noise']",
    got=found,
)
expect.that(known == ["on noise"], "each name once", expected="['on noise']", got=found)
expect.that(list(choose(board, "labels", 0.99, 100, 100)) == [], "nothing is as accurate as 0.99", expected="[]")
### BEGIN HIDDEN TESTS
ORDER = ("weights", "scores", "labels")


def within(offers, accuracy, training, answer):
    """The offers that keep the budgets."""
    return {
        name: o
        for name, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }


def least(offer, at):
    """What is left of an offer by an attacker who begins there in ORDER."""
    return Rate(min(offer["left"][who] for who in ORDER[at:]), offer["n"])


def together(offer, at):
    """The sum of what attackers leave, from there on in ORDER."""
    return Rate(sum(offer["left"][who] for who in ORDER[at:]), offer["n"] * len(ORDER[at:]))


def leading(offers, kept, reach, key, of=min):
    """The level offers of `kept`, in the order of `key`."""
    of = (lambda counts, of=of: of(list(counts))) if of is not min else min
    rates = {name: Rate(of(offers[name]["left"][who] for who in reach), offers[name]["n"]) for name in offers}
    level = [name for name in kept if not any(rates[other].clearly_above(rates[name]) for other in kept)]
    return sorted(level, key=lambda name: key(offers[name]))


def cheapest(offer):
    """The order that was asked."""
    return offer["answer"], offer["training"]


def drawn(number):
    """Offers that nobody has seen, some with a mask: more left by the weights than by the scores."""
    random = torch.Generator().manual_seed(seed + 31 * number)

    def pick(low, high):
        return int(torch.randint(low, high, (), generator=random))

    made = {}
    for name in "ABCDEF"[: pick(3, 7)]:
        n = (40, 200, 1000)[pick(0, 3)]
        left = sorted(pick(0, n + 1) for _ in range(3))
        made[name] = {
            "left": dict(zip(ORDER, left, strict=True)),
            "n": n,
            "accuracy": pick(88, 100) / 100,
            "training": pick(1, 12),
            "answer": pick(1, 12),
        }
        if pick(0, 3) == 0:
            made[name]["left"]["weights"] = round(0.95 * n)  # masked
    return made


slips = {
    "an attacker with the weights sees scores and labels too: take the least of what each leaves": lambda o, kept, at: (
        leading(o, kept, ORDER[at : at + 1], cheapest)
    ),
    "an attacker who sees only labels has no weights: take what can be reached": lambda o, kept, at: leading(
        o, kept, ORDER, cheapest
    ),
    "an offer over budget beat one within": lambda o, kept, at: [
        name for name in leading(o, o, ORDER[at:], cheapest) if name in kept
    ],
    "the order is by the answer's cost first, then by training's": lambda o, kept, at: leading(
        o, kept, ORDER[at:], lambda offer: (offer["training"], offer["answer"])
    ),
    "the best comes first only among the dearest: the order is by cost": lambda o, kept, at: sorted(
        leading(o, kept, ORDER[at:], cheapest), key=lambda name: -min(o[name]["left"][w] for w in ORDER[at:])
    ),
    "the dearest come first": lambda o, kept, at: leading(o, kept, ORDER[at:], cheapest)[::-1],
    "the names come in the order of offers, or of the alphabet: the cheapest answer comes first": lambda o, kept, at: (
        leading(o, kept, ORDER[at:], lambda offer: 0)
    ),
    "both costs are added up: the answer's decides, and only where it is the same the training's": lambda o, kept, at: (
        leading(o, kept, ORDER[at:], lambda offer: offer["answer"] + offer["training"])
    ),
    "the most accurate comes first: the order is by cost": lambda o, kept, at: leading(
        o, kept, ORDER[at:], lambda offer: (-offer["accuracy"], *cheapest(offer))
    ),
    "an attacker reaches what comes after in weights, scores, labels, and not what comes before": lambda o, kept, at: (
        leading(o, kept, ORDER[: at + 1], cheapest)
    ),
    "of all that an attacker reaches the *most* was taken: the least counts": lambda o, kept, at: leading(
        o, kept, ORDER[at:], cheapest, max
    ),
    "of all that an attacker reaches the mean was taken: the least counts": lambda o, kept, at: leading(
        o, kept, ORDER[at:], cheapest, lambda counts: sum(counts) // len(counts)
    ),
    "what is left by all that an attacker reaches was added up: the least counts": lambda o, kept, at: [
        name
        for name in sorted(kept, key=lambda name: cheapest(o[name]))
        if not any(together(o[other], at).clearly_above(together(o[name], at)) for other in kept)
    ],
    "the lowest shares are kept: left are right answers, of which more are better": lambda o, kept, at: leading(
        {name: offer | {"left": {w: offer["n"] - k for w, k in offer["left"].items()}} for name, offer in o.items()},
        kept,
        ORDER[at:],
        cheapest,
        max,
    ),
    "shares are compared without chance: `clearly_above` knows about it": lambda o, kept, at: [
        name
        for name in sorted(kept, key=lambda name: cheapest(o[name]))
        if not any(
            min(o[b]["left"][w] for w in ORDER[at:]) / o[b]["n"]
            > min(o[name]["left"][w] for w in ORDER[at:]) / o[name]["n"]
            for b in kept
        )
    ],
    "an offer stays here only if it is clearly better than some other: no other may be clearly better": (
        lambda o, kept, at: sorted(
            (name for name in kept if any(least(o[name], at).clearly_above(least(o[other], at)) for other in kept)),
            key=lambda name: cheapest(o[name]),
        )
    ),
    "an offer leaves here only if *all* others are clearly better: one is enough": lambda o, kept, at: sorted(
        (
            name
            for name in kept
            if len(kept) == 1
            or not all(least(o[other], at).clearly_above(least(o[name], at)) for other in kept if other != name)
        ),
        key=lambda name: cheapest(o[name]),
    ),
    "each rate's own interval has to end before the other's begins: `clearly_above` looks at their difference": (
        lambda o, kept, at: sorted(
            (
                name
                for name in kept
                if not any(least(o[b], at).interval[0] > least(o[name], at).interval[1] for b in kept)
            ),
            key=lambda name: cheapest(o[name]),
        )
    ),
    "all attackers are taken to know the scores and nothing else": lambda o, kept, at: leading(
        o, kept, ORDER[1:2], cheapest
    ),
    "nothing is left out for being clearly worse": lambda o, kept, at: sorted(kept, key=lambda name: cheapest(o[name])),
}
alike = {"accuracy": 0.97, "training": 1, "answer": 1}
turned = {"a": {"scores": 60, "labels": 60, "weights": 40}, "b": {"scores": 10, "labels": 60, "weights": 60}}
turned = choose({name: {"left": left, "n": 100} | alike for name, left in turned.items()}, "scores", **any_price)
by_name = "`left` names scores first and weights last here, and another offer is chosen: take the counts by their names"
expect.that(list(turned) != ["b"], by_name, expected=["a"], got=turned)
near = {name: {"left": dict.fromkeys(ORDER, k), "n": 100} | alike for name, k in {"a": 50, "b": 55}.items()}
found = sorted(choose(near, "weights", **any_price))
expect.that(
    found == ["a", "b"],
    "55 of 100 are more than 50 of 100, and by chance: both stay where neither is clearly better",
    expected="['a', 'b']",
    got=found,
)
few = {"a": (100, 200), "b": (45, 50)}
few = {name: {"left": dict.fromkeys(ORDER, k), "n": n} | alike for name, (k, n) in few.items()}
found = list(choose(few, "weights", **any_price))
expect.that(
    found == ["b"],
    "each offer has an n of its own: 45 of 50 are clearly more than 100 of 200",
    expected="['b']",
    got=found,
)
many = {"a": (19, 20), "b": (880, 1000), "c": (800, 1000)}  # a leads c, but not clearly; b does
many = {name: {"left": dict.fromkeys(ORDER, k), "n": n} | alike for name, (k, n) in many.items()}
found = list(choose(many, "weights", **any_price))
expect.that(
    "c" not in found,
    "any other offer may be clearly better, not only the one with the highest rate: few inputs make that one unsure",
    expected="19 of 20 and 880 of 1,000, of which the second is clearly above 800 of 1,000",
    got=found,
)
edge = {name: offer | {"n": 100} for name, offer in {"a": board["trained"], "b": board["smoothed"]}.items()}
within_it = list(choose(edge, "labels", 0.96, 9.5, 1.5)) == ["a"]
expect.that(
    not within_it or list(choose(edge, "labels", 0.97, 9, 1)) == ["a"],
    "what equals a budget keeps it",
    expected="['a']",
    got=choose(edge, "labels", 0.97, 9, 1),
)
cases = []
for number in range(60):
    offers, at = drawn(number), number % 3
    budgets = {"accuracy": 0.9, "training": 9, "answer": 9} if number % 4 else any_price
    kept = list(within(offers, **budgets))
    wanted = leading(offers, kept, ORDER[at:], cheapest)
    if len({cheapest(offers[name]) for name in wanted}) < len(wanted):
        continue  # two of the same price: either order is right
    found = choose(offers, ORDER[at], **budgets)
    expect.that(
        isinstance(found, (list, tuple)) and all(isinstance(name, str) and name in offers for name in found),
        "a list of names was asked",
        expected=wanted,
        got=found,
    )
    broken = [name for name in found if name not in kept]
    expect.that(not broken, "an offer that breaks a budget was chosen", expected=wanted, got=found)
    cases.append((offers, kept, at, wanted, list(found)))
for *_, wanted, found in cases:
    if found != wanted:
        for words, slip in slips.items():  # those that explain every answer
            same = all(answer == slip(offers, kept, at) for offers, kept, at, _, answer in cases)
            expect.that(not same, words, expected=wanted, got=found)
        expect.that(
            len(found) != 1 or found[0] not in wanted,
            "those that are not clearly worse than the best belong to the list",
            expected=wanted,
            got=found,
        )
        expect.that(
            sorted(found) != sorted(wanted),
            "the right names in another order: the cheapest answer first, and of equal ones the cheapest training",
            expected=wanted,
            got=found,
        )
        beaten = [name for name in found if name not in wanted]
        words = f"another offer within the budgets is clearly better than {beaten}, whatever it costs"
        expect.that(not beaten, words, expected=wanted, got=found)
    expect.that(
        found == wanted,
        "an offer is missing that no other within the budgets is clearly better than",
        expected=wanted,
        got=found,
    )
twins = {
    name: {"left": {"weights": 50, "scores": 60, "labels": 70}, "n": 100, "accuracy": 0.97} | cost
    for name, cost in {
        "c": {"training": 8, "answer": 2},
        "a": {"training": 3, "answer": 2},
        "d": {"training": 1, "answer": 5},
        "b": {"training": 5, "answer": 2},
    }.items()
}
expect.that(
    list(choose(twins, "weights", **any_price)) == ["a", "b", "c", "d"],
    "where answers cost the same, the cheapest training comes first",
    expected="['a', 'b', 'c', 'd'], from trainings 3, 5, 8 and 1, answers 2, 2, 2 and 5",
    got=choose(twins, "weights", **any_price),
)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · What do you tell the bank? (4 points, read by a person)
#
# A bank lets customers photograph cheques; your network reads the digits. It is trained anew every night on one GPU,
# answers within a tenth of a second on the customer's phone, and one wrong digit in thirty is what the staff can bear.
# The app, with the weights in it, can be taken apart by anybody. One person has two hours a week for the model.
#
# The board of exercise 3 was measured on their data. Recommend what to do, in at most 200 words.

# %%
plots.table(
    {name: {f"knows {who}": Rate(k, offer["n"]) for who, k in offer["left"].items()} for name, offer in board.items()}
)

# %%
for name, offer in board.items():
    right = f"{100 * offer['accuracy']:.0f} % of 2,000"
    print(f"{name:11} right: {right}, training {offer['training']} x, answer {offer['answer']} x")

# %% [markdown]
# RUBRIC advice, 4 points
#
# A person reads your answer:
# - threat, 1 point: says what the attacker knows (the weights, since they are in the app) and what counts as a win;
#   half a point for one of the two
# - choice, 1 point: names a defense that keeps the budgets, with its rate and interval against *that* attacker;
#   half a point if the rate is of another attacker, such as the mask's 96 of 100
# - price, 1 point: says what the choice costs, with the figure, and one thing that it does not protect;
#   half a point for one of the two
# - watch, 1 point: says what the person does in two hours a week, and which number would change the advice;
#   half a point for one of the two
#
# What stands after the 200th word is not read.

# %% [markdown]
# <!-- ANSWER advice -->
# ### BEGIN SOLUTION *Write your advice here, in at most 200 words.*
# The attacker takes the app apart and has the weights. They change pixels a little, and win when one digit is misread.
# So "knows weights" counts, and of each defense the least of the three: the mask's 96 of 100 are really 8 [4, 15].
#
# I recommend adversarial training: 74 of 100 [65, 82] are left, where the undefended network leaves 9 [5, 16].
# Smoothing, 66 [56, 75], is not clearly worse, but one digit in twenty is wrong, and an answer costs eight.
#
# The price: training costs nine times as much. If the night is too short, take training on noise, 38 [29, 48].
# Accuracy falls from 98 to 97 % of 2,000, [96, 98]: whether that is better than 29 in 30 is open.
# A quarter of the attacked digits are still misread, so large amounts need a second look.
# Nothing here protects against poisoned training images.
#
# Two hours a week: label 100 random cheques, keep the last four weeks together, answer alarms on the digits named.
# If the interval of these 400 lies below 29 in 30, or a new attack leaves fewer than half, the advice changes.
# ### END SOLUTION
