"""Other answers to lab 14, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT least_eps: by steps
def least_eps(right, guesses, failure_prob):
    eps = 0.0
    while stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-(eps + 0.005)))) <= failure_prob:
        eps += 0.005
    return eps


# RIGHT least_eps: from the bound of Clopper and Pearson
def least_eps(right, guesses, failure_prob):
    if right == 0:
        return 0.0
    share = float(stats.beta.ppf(failure_prob, right, guesses - right + 1))
    return max(0.0, math.log(share / (1 - share)))


# WRONG least_eps: the share itself -> the epsilon of the share itself
def least_eps(right, guesses, failure_prob):
    share = min(right / guesses, 0.999)
    return max(0.0, math.log(share / (1 - share))) if share > 0.5 else 0.0


# WRONG least_eps: more than, not at least -> is `right` itself counted
def least_eps(right, guesses, failure_prob):
    eps = 0.0
    while eps < 12 and stats.binom.sf(right, guesses, 1 / (1 + math.exp(-(eps + 0.005)))) <= failure_prob:
        eps += 0.005
    return eps


# WRONG least_eps: exactly so many -> *or more*
def least_eps(right, guesses, failure_prob):
    eps = 0.0
    if right < guesses and right <= guesses / 2:
        return eps
    while eps < 12 and stats.binom.pmf(right, guesses, 1 / (1 + math.exp(-(eps + 0.005)))) <= failure_prob:
        eps += 0.005
    return eps


# WRONG least_eps: both ends -> half of failure_prob
def least_eps(right, guesses, failure_prob):
    eps = 0.0
    while 2 * stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-(eps + 0.005)))) <= failure_prob:
        eps += 0.005
    return eps


# WRONG least_eps: always at 5 % -> 0.05 was used
def least_eps(right, guesses, failure_prob):
    eps = 0.0
    while stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-(eps + 0.005)))) <= 0.05:
        eps += 0.005
    return eps


# WRONG least_eps: below 0 for few right guesses -> never below 0|half of the guesses
def least_eps(right, guesses, failure_prob):
    share = float(stats.beta.ppf(failure_prob, max(right, 1e-9), guesses - right + 1))
    share = min(max(share, 1e-6), 1 - 1e-6)
    eps = math.log(share / (1 - share))
    return eps if right != guesses / 2 else 0.0


# WRONG least_eps: the search ends at 3 -> ends too early
def least_eps(right, guesses, failure_prob):
    eps = 0.0
    while eps < 3 and stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-(eps + 0.005)))) <= failure_prob:
        eps += 0.005
    return eps


# WRONG least_eps: q is taken for exp(eps) / 2 -> e^eps / (1 + e^eps)
def least_eps(right, guesses, failure_prob):
    eps = 0.0
    while eps < 12 and stats.binom.sf(right - 1, guesses, min(math.exp(eps + 0.005) / 2, 1)) <= failure_prob:
        eps += 0.005
    return eps


# RIGHT judge: with comparisons in another order
def judge(claimed, k, n, bound=False):
    low, high = Rate(k, n).interval
    if bound:
        return "refuted" if high < claimed else "open"
    if claimed > high:
        return "refuted"
    if claimed <= low:
        return "holds"
    return "open"


# RIGHT judge: Wilson by hand
def judge(claimed, k, n, bound=False):
    z, p = 1.959964, k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    if min(middle + half, 1.0) < claimed:
        return "refuted"
    if not bound and max(middle - half, 0.0) >= claimed:
        return "holds"
    return "open"


# WRONG judge: by the share alone -> these verdicts are those of the share alone
def judge(claimed, k, n, bound=False):
    if k / n < claimed:
        return "refuted"
    return "open" if bound else "holds"


# WRONG judge: an attack proves robustness -> these verdicts are those of the interval alone
def judge(claimed, k, n, bound=False):
    low, high = Rate(k, n).interval
    return "refuted" if high < claimed else "holds" if low >= claimed else "open"


# WRONG judge: holds unless refuted -> not wholly|its interval does not
def judge(claimed, k, n, bound=False):
    if Rate(k, n).interval[1] < claimed:
        return "refuted"
    return "open" if bound else "holds"


# WRONG judge: refuted unless it holds -> its interval does not|its interval not wholly
def judge(claimed, k, n, bound=False):
    if Rate(k, n).interval[0] >= claimed:
        return "open" if bound else "holds"
    return "refuted"


# WRONG judge: the ends are mixed up -> its interval does not|the whole interval
def judge(claimed, k, n, bound=False):
    low, high = Rate(k, n).interval
    if low < claimed:
        return "refuted"
    return "holds" if high >= claimed and not bound else "open"


# WRONG judge: an upper bound says nothing at all -> these verdicts are those of the rule that an upper bound say
def judge(claimed, k, n, bound=False):
    if bound:
        return "open"
    low, high = Rate(k, n).interval
    return "refuted" if high < claimed else "holds" if low >= claimed else "open"


# WRONG judge: a fixed margin for an interval -> its interval|whole interval
def judge(claimed, k, n, bound=False):
    if k / n + 0.03 < claimed:
        return "refuted"
    return "holds" if k / n - 0.03 >= claimed and not bound else "open"


# RIGHT choose: one after the other
def choose(offers, attacker, accuracy, training, answer):
    reach = {"weights": ("weights", "scores", "labels"), "scores": ("scores", "labels"), "labels": ("labels",)}[
        attacker
    ]
    kept = []
    for name, offer in offers.items():
        if offer["accuracy"] < accuracy or offer["training"] > training or offer["answer"] > answer:
            continue
        kept.append((name, Rate(min(offer["left"][w] for w in reach), offer["n"])))
    chosen = []
    for name, rate in kept:
        beaten = False
        for _, other in kept:
            beaten = beaten or other.clearly_above(rate)
        if not beaten:
            chosen.append(name)
    chosen.sort(key=lambda name: offers[name]["training"])
    chosen.sort(key=lambda name: offers[name]["answer"])
    return chosen


# RIGHT choose: a tuple of names
def choose(offers, attacker, accuracy, training, answer):
    start = ("weights", "scores", "labels").index(attacker)

    def rate(name):
        return Rate(min([offers[name]["left"][w] for w in ("weights", "scores", "labels")][start:]), offers[name]["n"])

    kept = [
        n
        for n, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    ]
    level = [a for a in kept if not any(rate(b).clearly_above(rate(a)) for b in kept)]
    return tuple(sorted(level, key=lambda n: (offers[n]["answer"], offers[n]["training"])))


# WRONG choose: believes the mask -> give the scores give
def choose(offers, attacker, accuracy, training, answer):
    rates = {
        name: Rate(o["left"][attacker], o["n"])
        for name, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    level = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    return sorted(level, key=lambda n: (offers[n]["answer"], offers[n]["training"]))


# WRONG choose: every attacker has the weights -> has no weights
def choose(offers, attacker, accuracy, training, answer):
    rates = {
        name: Rate(min(o["left"].values()), o["n"])
        for name, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    level = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    return sorted(level, key=lambda n: (offers[n]["answer"], offers[n]["training"]))


# WRONG choose: budgets are looked at too late -> no offer is left
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    rates = {n: Rate(min(o["left"][w] for w in order[order.index(attacker) :]), o["n"]) for n, o in offers.items()}
    level = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    level = [n for n in level if offers[n]["accuracy"] >= accuracy and offers[n]["training"] <= training]
    level = [n for n in level if offers[n]["answer"] <= answer]
    return sorted(level, key=lambda n: (offers[n]["answer"], offers[n]["training"]))


# WRONG choose: one budget forgotten -> ['smoothed'] break a budget
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    rates = {
        name: Rate(min(o["left"][w] for w in order[order.index(attacker) :]), o["n"])
        for name, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training
    }
    level = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    return sorted(level, key=lambda n: (offers[n]["answer"], offers[n]["training"]))


# WRONG choose: training's cost first -> by the answer's cost first
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    rates = {
        name: Rate(min(o["left"][w] for w in order[order.index(attacker) :]), o["n"])
        for name, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    level = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    return sorted(level, key=lambda n: (offers[n]["training"], offers[n]["answer"]))


# WRONG choose: the best alone -> both stay where neither is clearly better
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    rates = {
        name: Rate(min(o["left"][w] for w in order[order.index(attacker) :]), o["n"])
        for name, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    return [max(rates, key=rates.get)] if rates else []


# WRONG choose: the best first -> in another order
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    rates = {
        name: Rate(min(o["left"][w] for w in order[order.index(attacker) :]), o["n"])
        for name, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    level = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    return sorted(level, key=lambda n: -float(rates[n]))


# WRONG choose: what equals a budget is out -> equals a budget|another list
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    rates = {
        name: Rate(min(o["left"][w] for w in order[order.index(attacker) :]), o["n"])
        for name, o in offers.items()
        if o["accuracy"] > accuracy and o["training"] < training and o["answer"] < answer
    }
    level = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    return sorted(level, key=lambda n: (offers[n]["answer"], offers[n]["training"]))


# WRONG choose: by the answer alone -> cheapest training comes first|another list
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    rates = {
        name: Rate(min(o["left"][w] for w in order[order.index(attacker) :]), o["n"])
        for name, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    level = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    return sorted(level, key=lambda n: offers[n]["answer"])


# WRONG choose: of equal answers the dearest training -> in another order
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    rates = {
        name: Rate(min(o["left"][w] for w in order[order.index(attacker) :]), o["n"])
        for name, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    level = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    return sorted(level, key=lambda n: (offers[n]["answer"], -offers[n]["training"]))


# WRONG judge: refuted also where the interval ends at the claim -> reaches up to the claim
def judge(claimed, k, n, bound=False):
    low, high = Rate(k, n).interval
    if high <= claimed:
        return "refuted"
    return "holds" if low >= claimed and not bound else "open"


# WRONG judge: an attack that fails wholly proves robustness -> may have been weak
def judge(claimed, k, n, bound=False):
    low, high = Rate(k, n).interval
    if high < claimed:
        return "refuted"
    return "holds" if low >= claimed and (not bound or k == n) else "open"


# WRONG least_eps: the search ends at 5 -> ends too early
def least_eps(right, guesses, failure_prob):
    eps = 0.0
    while eps < 5 and stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-(eps + 0.005)))) <= failure_prob:
        eps += 0.005
    return eps


# WRONG choose: all offers have the n of the first -> each offer has an n of its own
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    reach = order[order.index(attacker) :]
    kept = {
        k: o
        for k, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    if not kept:
        return []
    n = next(iter(kept.values()))["n"]
    rates = {k: Rate(min(o["left"][a] for a in reach), n) for k, o in kept.items()}
    names = [k for k in kept if not any(r.clearly_above(rates[k]) for r in rates.values())]
    return sorted(names, key=lambda k: (kept[k]["answer"], kept[k]["training"]))


# WRONG choose: compares with the highest rate only -> not only the one with the highest rate
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    reach = order[order.index(attacker) :]
    rates = {
        k: Rate(min(o["left"][a] for a in reach), o["n"])
        for k, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    if not rates:
        return []
    top = max(rates.values(), key=lambda r: r.k / r.n)
    names = [k for k in rates if not top.clearly_above(rates[k])]
    return sorted(names, key=lambda k: (offers[k]["answer"], offers[k]["training"]))


# RIGHT judge: Wilson's interval written out
def judge(claimed, k, n, bound=False):
    z = stats.norm.ppf(0.975)
    mid = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * (k * (n - k) / n + z**2 / 4) ** 0.5
    word = "refuted" if mid + half < claimed else "holds" if mid - half >= claimed else "open"
    return "open" if bound and word == "holds" else word


# RIGHT judge: Wilson's interval by SciPy
def judge(claimed, k, n, bound=False):
    ci = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    if ci.high < claimed:
        return "refuted"
    return "open" if bound or ci.low < claimed else "holds"


# WRONG least_eps: half of failure_prob, as for two sides -> half of failure_prob was used
def least_eps(right, guesses, failure_prob):
    p = stats.beta.ppf(failure_prob / 2, right, guesses - right + 1) if right else 0.0
    return max(0.0, math.log(p / (1 - p))) if p > 0 else 0.0


# WRONG least_eps: steps of a tenth -> too long
def least_eps(right, guesses, failure_prob):
    p = stats.beta.ppf(failure_prob, right, guesses - right + 1) if right else 0.0
    return math.floor(10 * max(0.0, math.log(p / (1 - p)))) / 10 if p > 0 else 0.0


# WRONG least_eps: 1 - e^-eps / 2 is taken for the coin -> e^eps / (1 + e^eps)
def least_eps(right, guesses, failure_prob):
    p = stats.beta.ppf(failure_prob, right, guesses - right + 1) if right else 0.0
    return max(0.0, -math.log(2 * (1 - p))) if p > 0.5 else 0.0


# WRONG choose: whoever sees the labels only can do all -> give the scores give
def choose(offers, attacker, accuracy, training, answer):
    names = ["weights", "scores", "labels"]
    can = names[: names.index(attacker) + 1]
    ok = {
        k: Rate(min(o["left"][c] for c in can), o["n"])
        for k, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    best = [k for k in ok if not any(b.clearly_above(ok[k]) for b in ok.values())]
    return sorted(best, key=lambda k: (offers[k]["answer"], offers[k]["training"]))


# RIGHT least_eps: the exact bound by the beta distribution
def least_eps(right, guesses, failure_prob):
    p = stats.beta.ppf(failure_prob, right, guesses - right + 1) if right else 0.0
    return max(0.0, math.log(p / (1 - p))) if p > 0 else 0.0


# RIGHT choose: loops
def choose(offers, attacker, accuracy, training, answer):
    can = {"weights": ("weights", "scores", "labels"), "scores": ("scores", "labels"), "labels": ("labels",)}[attacker]
    fit = [
        k
        for k in offers
        if offers[k]["accuracy"] >= accuracy and offers[k]["training"] <= training and offers[k]["answer"] <= answer
    ]
    rate = {k: Rate(min(offers[k]["left"][c] for c in can), offers[k]["n"]) for k in fit}
    out = []
    for k in fit:
        beaten = False
        for j in fit:
            beaten |= bool(rate[k].clearly_below(rate[j]))
        if not beaten:
            out.append(k)
    out.sort(key=lambda k: offers[k]["training"])
    out.sort(key=lambda k: offers[k]["answer"])
    return tuple(out)


# WRONG least_eps: failure_prob of 5 %, always -> 0.05 was used
def least_eps(right, guesses, failure_prob):
    p = stats.beta.ppf(0.05, right, guesses - right + 1) if right else 0.0
    return max(0.0, math.log(p / (1 - p))) if p > 0 else 0.0


# WRONG least_eps: the coin gets worse as epsilon grows -> nearly certain
def least_eps(right, guesses, failure_prob):
    """The largest epsilon that so many right guesses refute."""
    low, high = 0.0, 40.0
    if stats.binom.sf(right - 1, guesses, 0.5) > failure_prob:
        return 0.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        if stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(middle))) > failure_prob:
            high = middle
        else:
            low = middle
    return low


# WRONG least_eps: a logarithm to the base 2 -> base 2
def least_eps(right, guesses, failure_prob):
    """The largest epsilon that so many right guesses refute."""
    low, high = 0.0, 40.0
    if stats.binom.sf(right - 1, guesses, 0.5) > failure_prob:
        return 0.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        if stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-middle))) > failure_prob:
            high = middle
        else:
            low = middle
    return low / math.log(2)


# WRONG judge: n - k in place of k -> of n the other part was taken
def judge(claimed, k, n, bound=False):
    """ "holds", "refuted" or "open"."""
    low, high = Rate(n - k, n).interval
    if high < claimed:
        return "refuted"
    return "holds" if low >= claimed and not bound else "open"


# WRONG judge: an interval that begins at the claim is open -> begins at the claim itself
def judge(claimed, k, n, bound=False):
    """ "holds", "refuted" or "open"."""
    low, high = Rate(k, n).interval
    if high < claimed:
        return "refuted"
    return "holds" if low > claimed and not bound else "open"


# WRONG choose: the most of what an attacker leaves -> for what weights give the scores give
def choose(offers, attacker, accuracy, training, answer):
    """The names of the offers within the budgets that no other is clearly better than, cheapest first."""
    order = ["weights", "scores", "labels"]
    reach = order[order.index(attacker) :]
    rates = {
        name: Rate(max(offer["left"][who] for who in reach), offer["n"])
        for name, offer in offers.items()
        if offer["accuracy"] >= accuracy and offer["training"] <= training and offer["answer"] <= answer
    }
    level = [name for name, rate in rates.items() if not any(other.clearly_above(rate) for other in rates.values())]
    return sorted(level, key=lambda name: (offers[name]["answer"], offers[name]["training"]))


# WRONG choose: the mean of what an attacker leaves -> for what weights give the scores give
def choose(offers, attacker, accuracy, training, answer):
    """The names of the offers within the budgets that no other is clearly better than, cheapest first."""
    order = ["weights", "scores", "labels"]
    reach = order[order.index(attacker) :]
    rates = {
        name: Rate(sum(offer["left"][who] for who in reach) // len(reach), offer["n"])
        for name, offer in offers.items()
        if offer["accuracy"] >= accuracy and offer["training"] <= training and offer["answer"] <= answer
    }
    level = [name for name, rate in rates.items() if not any(other.clearly_above(rate) for other in rates.values())]
    return sorted(level, key=lambda name: (offers[name]["answer"], offers[name]["training"]))


# WRONG judge: an 80 % interval -> an 80 % interval
def judge(claimed, k, n, bound=False):
    low, high = stats.binomtest(k, n).proportion_ci(0.8, method="wilson")
    if high < claimed:
        return "refuted"
    return "holds" if low >= claimed and not bound else "open"


# WRONG least_eps: one right guess fewer counts, too -> has probability q itself
def least_eps(right, guesses, failure_prob):
    eps = 0.0
    while eps < 12 and stats.binom.sf(right - 2, guesses, 1 / (1 + math.exp(-eps - 0.005))) <= failure_prob:
        eps += 0.005
    return eps


# WRONG least_eps: a normal approximation of the binomial probability -> Hoeffding's or a normal one
def least_eps(right, guesses, failure_prob):
    def likely(eps):
        q = 1 / (1 + math.exp(-eps))
        return stats.norm.sf((right - guesses * q) / math.sqrt(guesses * q * (1 - q)))

    eps = 0.0
    while right == guesses and q_power(eps, guesses) <= failure_prob or right < guesses and likely(eps) <= failure_prob:
        eps += 0.005
    return eps


def q_power(eps, guesses):
    return (1 + math.exp(-eps - 0.005)) ** -guesses


# WRONG choose: an offer is beaten by cheaper ones only -> whatever it costs
def choose(offers, attacker, accuracy, training, answer):
    seen = ("weights", "scores", "labels")["weights scores labels".split().index(attacker) :]
    kept = {
        name: Rate(min(offer["left"][who] for who in seen), offer["n"])
        for name, offer in offers.items()
        if offer["accuracy"] >= accuracy and offer["training"] <= training and offer["answer"] <= answer
    }
    best = [
        name
        for name, rate in kept.items()
        if not any(
            kept[other].clearly_above(rate) and offers[other]["answer"] <= offers[name]["answer"] for other in kept
        )
    ]
    return sorted(best, key=lambda name: (offers[name]["answer"], offers[name]["training"]))


# WRONG least_eps: the upper end -> so *few* right guesses
def least_eps(right, guesses, failure_prob):
    q = float(stats.beta.ppf(1 - failure_prob, right + 1, guesses - right)) if right < guesses else 0.9999
    return max(0.0, math.log(q / (1 - q)))


# WRONG judge: the claim as a measured rate -> comparison of two measured shares
def judge(claimed, k, n, bound=False):
    r, c = Rate(k, n), Rate(round(claimed * n), n)
    if r.clearly_below(c):
        return "refuted"
    return "holds" if r.clearly_above(c) and not bound else "open"


# WRONG choose: what all attackers leave is added up -> was added up
def choose(offers, attacker, accuracy, training, answer):
    order = ["weights", "scores", "labels"]
    reach = order[order.index(attacker) :]
    rates = {
        n: Rate(sum(o["left"][w] for w in reach), o["n"] * len(reach))
        for n, o in offers.items()
        if o["accuracy"] >= accuracy and o["training"] <= training and o["answer"] <= answer
    }
    lev = [n for n, r in rates.items() if not any(b.clearly_above(r) for b in rates.values())]
    return sorted(lev, key=lambda n: (offers[n]["answer"], offers[n]["training"]))


# WRONG least_eps: q = exp(-eps) / 2-like: q = 1 - exp(-eps) / 2 (Laplace) -> the formula for the probability of a right guess
def least_eps(right, guesses, failure_prob):
    best = 0.0
    for i in range(0, 1001):
        q = 1 - math.exp(-i / 100) / 2
        if stats.binom.sf(right - 1, guesses, q) > failure_prob:
            break
        best = i / 100
    return best


# WRONG least_eps: normal approximation -> end of a normal interval
def least_eps(right, guesses, failure_prob):
    z = stats.norm.isf(failure_prob)
    p = right / guesses
    low = min(p - z * math.sqrt(p * (1 - p) / guesses), 1 - 1e-9)
    return max(0.0, math.log(low / (1 - low))) if low > 0.5 else 0.0


# WRONG least_eps: halves the range six times -> end too early
def least_eps(right, guesses, failure_prob):
    low, high = 0.0, 10.0
    for _ in range(6):
        middle = (low + high) / 2
        if stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-middle))) <= failure_prob:
            low = middle
        else:
            high = middle
    return low


# WRONG choose: the counts by their place in `left` -> take the counts by their names
def choose(offers, attacker, accuracy, training, answer):
    at = ("weights", "scores", "labels").index(attacker)
    rest = {
        name: Rate(min(list(offer["left"].values())[at:]), offer["n"])
        for name, offer in offers.items()
        if offer["accuracy"] >= accuracy and offer["training"] <= training and offer["answer"] <= answer
    }
    level = [name for name in rest if not any(other.clearly_above(rest[name]) for other in rest.values())]
    return sorted(level, key=lambda name: (offers[name]["answer"], offers[name]["training"]))
