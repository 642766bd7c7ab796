"""Other answers to lab 09, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT draws: NumPy's binomial, as 0 and 1
def draws(n, rate, updates):
    return np.random.default_rng().binomial(1, rate, (updates, n))


# RIGHT draws: update by update, in a list
def draws(n, rate, updates):
    return [torch.bernoulli(torch.full((n,), rate)).tolist() for _ in range(updates)]


# WRONG draws: sampling without replacement, of a fixed size -> same size|vary too little
def draws(n, rate, updates):
    batches = torch.zeros(updates, n, dtype=torch.bool)
    for row in batches:
        row[torch.randperm(n)[: round(rate * n)]] = True
    return batches


# WRONG draws: shuffled epochs, cut into batches -> same size|vary too little
def draws(n, rate, updates):
    size, batches, order = round(rate * n), torch.zeros(updates, n, dtype=torch.bool), []
    for row in batches:
        if len(order) < size:
            order = torch.randperm(n).tolist()
        row[order[:size]] = True
        order = order[size:]
    return batches


# WRONG draws: with replacement, so that some count once for twice -> with replacement
def draws(n, rate, updates):
    batches = torch.zeros(updates, n, dtype=torch.bool)
    for row in batches:
        row[torch.randint(n, (round(rate * n),))] = True
    return batches


# WRONG draws: the first batch again and again -> every update has the same batch
def draws(n, rate, updates):
    return (torch.rand(1, n) < rate).expand(updates, n)


# WRONG draws: one coin for a whole batch -> vary too much|rate * n
def draws(n, rate, updates):
    return (torch.rand(updates, 1) < rate).expand(updates, n)


# WRONG draws: who is left out is drawn -> those are drawn that should be left out
def draws(n, rate, updates):
    return torch.rand(updates, n) > rate


# WRONG draws: a size by chance, then the first so many -> many more batches
def draws(n, rate, updates):
    sizes = torch.from_numpy(np.random.default_rng().binomial(n, rate, updates))
    return torch.arange(n) < sizes[:, None]


# WRONG draws: a random size, and then rounds of the same shuffled order -> in a row|batch before
def draws(n, rate, updates):
    sizes = np.random.default_rng().binomial(n, rate, updates)
    batches, order, start = torch.zeros(updates, n, dtype=torch.bool), torch.randperm(n), 0
    for row, size in zip(batches, sizes):
        row[order[(start + torch.arange(size)) % n]] = True
        start += size
    return batches


# RIGHT private_mean: a loop over the examples
def private_mean(gradients, *, clip, noise_multiplier, size):
    total = torch.zeros(gradients.shape[1])
    for g in gradients:
        length = float(g.norm())
        total = total + (g if length <= clip else g * (clip / length))
    return (total + torch.normal(0.0, 1.0, total.shape) * noise_multiplier * clip) / size


# RIGHT private_mean: NumPy, in float64
def private_mean(gradients, *, clip, noise_multiplier, size):
    g = gradients.detach().numpy().astype(np.float64)
    g = g / np.maximum(1, np.linalg.norm(g, axis=1, keepdims=True) / clip)
    return g.sum(0) / size + np.random.default_rng().normal(0, 1, g.shape[1]) * noise_multiplier * clip / size


# WRONG private_mean: clipping after averaging -> each of two is shortened by its own length
def private_mean(gradients, *, clip, noise_multiplier, size):
    mean = gradients.sum(0) / max(len(gradients), 1)
    mean = mean * (clip / mean.norm().clamp_min(1e-12)).clamp(max=1) * len(gradients) / size
    return mean + noise_multiplier * clip * torch.randn_like(mean) / size


# WRONG private_mean: noise scaled by the batch, and not by the clip -> the noise has another size
def private_mean(gradients, *, clip, noise_multiplier, size):
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * len(gradients) * torch.randn_like(total)) / size


# WRONG private_mean: noise of size noise_multiplier, whatever the clip -> noise_multiplier * clip
def private_mean(gradients, *, clip, noise_multiplier, size):
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * torch.randn_like(total)) / size


# WRONG private_mean: averages by the drawn number -> one gradient is divided by size, too
def private_mean(gradients, *, clip, noise_multiplier, size):
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * torch.randn_like(total)) / max(len(gradients), 1)


# WRONG private_mean: every gradient gets the length clip -> its length is 0.5, and it stays as it is
def private_mean(gradients, *, clip, noise_multiplier, size):
    total = (gradients * clip / gradients.norm(dim=1, keepdim=True).clamp_min(1e-12)).sum(0)
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# WRONG private_mean: clips entry by entry -> each entry is cut by itself
def private_mean(gradients, *, clip, noise_multiplier, size):
    total = gradients.clamp(-clip, clip).sum(0)
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# WRONG private_mean: noise on each example -> the noise has another size
def private_mean(gradients, *, clip, noise_multiplier, size):
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    noisy = weight[:, None] * gradients + noise_multiplier * clip * torch.randn_like(gradients)
    return noisy.sum(0) / size


# WRONG private_mean: noise after the division -> noise of the wrong size|noise_multiplier * clip
def private_mean(gradients, *, clip, noise_multiplier, size):
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients / size
    return total + noise_multiplier * clip * torch.randn_like(total)


# WRONG private_mean: one random number for all entries -> every entry gets the same number
def private_mean(gradients, *, clip, noise_multiplier, size):
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * torch.randn(())) / size


# WRONG private_mean: neighbours share their noise -> share their noise
def private_mean(gradients, *, clip, noise_multiplier, size):
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    noise = torch.randn(len(total) // 2 + 1).repeat_interleave(2)[: len(total)]
    return (total + noise_multiplier * clip * noise) / size


# WRONG private_mean: a gradient of 0 gives NaN -> where a gradient is 0|not finite|NaN|nan
def private_mean(gradients, *, clip, noise_multiplier, size):
    lengths = gradients.norm(dim=1, keepdim=True)
    total = (gradients / lengths * lengths.clamp(max=clip)).sum(0)
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# WRONG private_mean: uniform noise of the right size -> not Gaussian
def private_mean(gradients, *, clip, noise_multiplier, size):
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * math.sqrt(12) * (torch.rand_like(total) - 0.5)) / size


# WRONG private_mean: no noise for an empty batch -> empty batch
def private_mean(gradients, *, clip, noise_multiplier, size):
    if not len(gradients):
        return torch.zeros(gradients.shape[1])
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# RIGHT epsilon: by quadrature
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    a, s = np.asarray(orders, float), noise_multiplier
    z = np.arange(-14 * s, a.max() + 14 * s, min(s, s * s) / 8)
    density = -(z**2) / (2 * s * s) - math.log(s * math.sqrt(2 * math.pi))
    with np.errstate(divide="ignore"):
        ratio = np.logaddexp(np.log1p(-rate), math.log(rate) + (2 * z - 1) / (2 * s * s))
    moments = np.array([special.logsumexp(one * ratio + density) for one in a]) + math.log(z[1] - z[0])
    eps = updates * moments / (a - 1) + np.log1p(-1 / a) - np.log(privacy_delta * a) / (a - 1)
    return float(max(eps.min(), 0))


# RIGHT epsilon: Python's own whole numbers and logarithms
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    found = []
    for a in orders:
        a = int(a)
        terms = [
            math.log(math.comb(a, k))
            + (k * math.log(rate) + ((a - k) * math.log1p(-rate) if rate < 1 else (0.0 if k == a else -math.inf)))
            + k * (k - 1) / (2 * noise_multiplier**2)
            for k in range(a + 1)
        ]
        top = max(terms)
        d = (top + math.log(sum(math.exp(t - top) for t in terms))) / (a - 1)
        found.append(updates * d + math.log((a - 1) / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1))
    return np.float64(max(0.0, min(found)))


# WRONG epsilon: delta ignored -> order 2 alone, a divergence of nearly 0
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        chances = special.xlogy(k, rate) + special.xlog1py(a - k, -rate)
        divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        best = min(best, updates * divergence)
    return max(best, 0.0)


# WRONG epsilon: rate forgotten -> order 2 alone, a divergence of nearly 0
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    a = np.asarray(orders, float)
    eps = updates * a / (2 * noise_multiplier**2) + np.log1p(-1 / a) - np.log(privacy_delta * a) / (a - 1)
    return max(float(eps.min()), 0.0)


# WRONG epsilon: converted at one order only, the first -> of two orders the smaller epsilon counts, here that of
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    a = int(orders[0])
    k = np.arange(a + 1)
    choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
    chances = special.xlogy(k, rate) + special.xlog1py(a - k, -rate)
    divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
    return max(updates * divergence + math.log1p(-1 / a) - math.log(privacy_delta * a) / (a - 1), 0.0)


# WRONG epsilon: one update only -> four updates add up to four divergences of
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        chances = special.xlogy(k, rate) + special.xlog1py(a - k, -rate)
        divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        best = min(best, divergence + math.log1p(-1 / a) - math.log(privacy_delta * a) / (a - 1))
    return max(best, 0.0)


# WRONG epsilon: without logarithms -> the least epsilon is 0: one below 0 prom
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        with np.errstate(all="ignore"):
            k = np.arange(a + 1.0)
            terms = (
                special.comb(a, k) * (1 - rate) ** (a - k) * rate**k * np.exp(k * (k - 1) / (2 * noise_multiplier**2))
            )
            divergence = np.log(terms.sum()) / (a - 1)
        best = min(best, updates * divergence + math.log1p(-1 / a) - math.log(privacy_delta * a) / (a - 1))
    return float(best)


# WRONG epsilon: an epsilon below 0 -> below 0
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        chances = special.xlogy(k, rate) + special.xlog1py(a - k, -rate)
        divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        best = min(best, updates * divergence + math.log1p(-1 / a) - math.log(privacy_delta * a) / (a - 1))
    return float(best)


# WRONG epsilon: the old conversion, without the order's part -> this is the older conversion
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        chances = special.xlogy(k, rate) + special.xlog1py(a - k, -rate)
        divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        best = min(best, updates * divergence - math.log(privacy_delta) / (a - 1))
    return float(best)


# WRONG epsilon: orders of its own -> order 2 alone, a divergence of nearly 0
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in range(2, 64):
        k = np.arange(a + 1)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        chances = special.xlogy(k, rate) + special.xlog1py(a - k, -rate)
        divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        best = min(best, updates * divergence + math.log1p(-1 / a) - math.log(privacy_delta * a) / (a - 1))
    return max(best, 0.0)


# WRONG epsilon: log of 0 at rate 1 -> rate 1 leaves the term k = 2: the diverg
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        with np.errstate(all="ignore"):
            chances = k * np.log(rate) + (a - k) * np.log(1 - rate)
        divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        best = min(best, updates * divergence + math.log1p(-1 / a) - math.log(privacy_delta * a) / (a - 1))
    return max(best, 0.0)


# RIGHT lower_bound: scipy's exact intervals
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    low = stats.binomtest(hits, n_in).proportion_ci(1 - failure_prob).low
    high = stats.binomtest(alarms, n_out).proportion_ci(1 - failure_prob).high
    return max(0.0, math.log((low - privacy_delta) / high)) if low > privacy_delta else 0


# RIGHT lower_bound: beta quantiles
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    p = failure_prob / 2
    low = stats.beta.ppf(p, hits, n_in - hits + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(1 - p, alarms + 1, n_out - alarms) if alarms < n_out else 1.0
    if low - privacy_delta <= high:
        return 0.0
    return float(np.log(low - privacy_delta) - np.log(high))


# WRONG lower_bound: without the interval -> both shares are taken as they were counted
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    alarm = max(alarms, 0.5) / n_out
    return max(0.0, math.log(max(hits / n_in - privacy_delta, 1e-12) / alarm))


# WRONG lower_bound: delta ignored -> delta 0.1 comes off the 0.9330 of the hi
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    low = stats.binomtest(hits, n_in).proportion_ci(1 - failure_prob).low
    high = stats.binomtest(alarms, n_out).proportion_ci(1 - failure_prob).high
    return max(0.0, math.log(low / high)) if low > 0 else 0


# WRONG lower_bound: the whole failure_prob on each bound -> each bound spends all of failure_prob
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    low = stats.binomtest(hits, n_in).proportion_ci(1 - 2 * failure_prob).low
    high = stats.binomtest(alarms, n_out).proportion_ci(1 - 2 * failure_prob).high
    return max(0.0, math.log((low - privacy_delta) / high)) if low > privacy_delta else 0


# WRONG lower_bound: normal intervals -> bounds by the normal distribution
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    z = stats.norm.isf(failure_prob / 2)
    p, q = hits / n_in, alarms / n_out
    low, high = p - z * math.sqrt(p * (1 - p) / n_in), q + z * math.sqrt(q * (1 - q) / n_out)
    return max(0.0, math.log((low - privacy_delta) / high)) if low > privacy_delta and high > 0 else 0


# WRONG lower_bound: the sides exchanged -> both bounds are on the side that flatters
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    high = stats.binomtest(hits, n_in).proportion_ci(1 - failure_prob).high
    low = stats.binomtest(alarms, n_out).proportion_ci(1 - failure_prob).low
    return max(0.0, math.log((high - privacy_delta) / max(low, 1e-6)))


# WRONG lower_bound: an interval for the hits only -> the share of alarms as counted
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    low = stats.binomtest(hits, n_in).proportion_ci(1 - failure_prob).low
    return max(0.0, math.log((low - privacy_delta) / (max(alarms, 0.5) / n_out))) if low > privacy_delta else 0


# WRONG lower_bound: negative where nothing is refuted -> below 0: where nothing
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    low = stats.binomtest(hits, n_in).proportion_ci(1 - failure_prob).low
    high = stats.binomtest(alarms, n_out).proportion_ci(1 - failure_prob).high
    return math.log(max(low - privacy_delta, 1e-9) / high)


# RIGHT verdict: all tests first, then a table
def verdict(report):
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], report["updates"], report["delta"])
    found = {
        "refuted": report["audited"] > report["claimed"],
        "leaks": report["scale"] != "constants",
        "unproved": report["sampling"] != "Poisson" or report["delta"] * report["examples"] >= 1,
        "overclaims": eps > report["claimed"],
        "sound": True,
    }
    return next(word for word, yes in found.items() if yes)


# RIGHT verdict: a chain of choices
def verdict(report):
    r = report
    bad_delta = r["delta"] >= 1 / r["examples"]
    return (
        "refuted"
        if r["claimed"] < r["audited"]
        else "leaks"
        if r["scale"] != "constants"
        else "unproved"
        if bad_delta or r["sampling"] != "Poisson"
        else "overclaims"
        if r["claimed"] < privacy_eps(r["noise"], r["batch"] / r["examples"], r["updates"], r["delta"])
        else "sound"
    )


# WRONG verdict: an audit below the claim proves it -> privacy_eps|deserve three
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    return "sound"


# WRONG verdict: shuffled batches count as Poisson -> which sampling does the accountant take for granted
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["delta"] >= 1 / report["examples"]:
        return "unproved"
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG verdict: any delta will do -> delta of 1 / examples
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson":
        return "unproved"
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG verdict: the data's scale is harmless -> where does the scale
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG verdict: the audit is not looked at -> what does the audit say
def verdict(report):
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG verdict: delta 1e-5 for everybody -> at this rate and delta|at this delta
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], report["updates"], 1e-5)
    return "overclaims" if eps > report["claimed"] else "sound"


# RIGHT plan: all examples in every update
def plan():
    return {"clip": 0.5, "noise_multiplier": 11.5, "rate": 1.0, "updates": 60, "lr": 3.0, "momentum": 0.0}


# RIGHT plan: small batches, many updates
def plan():
    return {"clip": 0.5, "noise_multiplier": 2.25, "rate": 0.1, "updates": 200, "lr": 1.0, "momentum": 0}


# WRONG plan: no noise -> epsilon is infinite
def plan():
    return {"clip": 0.5, "noise_multiplier": 0.0, "rate": 0.1, "updates": 200, "lr": 1.0, "momentum": 0.0}


# WRONG plan: too little noise -> not private enough
def plan():
    return {"clip": 0.5, "noise_multiplier": 1.1, "rate": 0.1, "updates": 200, "lr": 1.0, "momentum": 0.0}


# WRONG plan: the defaults of dp_sgd -> not private enough
def plan():
    return {"clip": 1.0, "noise_multiplier": 1.0, "rate": 0.1, "updates": 300, "lr": 0.5, "momentum": 0.0}


# WRONG plan: private, and noise drowns everything -> not accurate enough
def plan():
    return {"clip": 50.0, "noise_multiplier": 9.0, "rate": 0.8, "updates": 60, "lr": 4.0, "momentum": 0.0}


# WRONG plan: private, and hardly a step -> not accurate enough
def plan():
    return {"clip": 0.5, "noise_multiplier": 9.0, "rate": 0.8, "updates": 60, "lr": 0.01, "momentum": 0.0}


# WRONG plan: a batch size for a rate -> rate is a probability
def plan():
    return {"clip": 0.5, "noise_multiplier": 9.0, "rate": 128, "updates": 60, "lr": 4.0, "momentum": 0.0}


# WRONG plan: a thousand updates -> at most 400
def plan():
    return {"clip": 0.5, "noise_multiplier": 9.0, "rate": 0.1, "updates": 1000, "lr": 1.0, "momentum": 0.0}


# WRONG draws: seeds itself -> sets a seed
def draws(n, rate, updates):
    torch.manual_seed(0)
    return torch.rand(updates, n) < rate


# WRONG private_mean: the same noise in each call -> the same noise
def private_mean(gradients, *, clip, noise_multiplier, size):
    total = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1) @ gradients
    noise = torch.randn(total.shape, generator=torch.Generator().manual_seed(0))
    return (total + noise_multiplier * clip * noise) / size


# WRONG private_mean: the data choose the noise -> the same noise
def private_mean(gradients, *, clip, noise_multiplier, size):
    total = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1) @ gradients
    torch.manual_seed(int(abs(float(gradients.sum())) * 1e6))
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# WRONG private_mean: cuts the noise at three standard deviations -> the noise is cut
def private_mean(gradients, *, clip, noise_multiplier, size):
    total = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1) @ gradients
    return (total + noise_multiplier * clip * torch.randn_like(total).clamp(-3, 3)) / size


# WRONG lower_bound: the numbers of runs exchanged -> n_in is 9 and n_out 20: 9 of 9 hits is a
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    n_in, n_out = n_out, n_in

    def least(k, n):
        return float(special.betaincinv(k, n - k + 1, failure_prob / 2)) if k else 0.0

    hit, alarm = least(hits, n_in), 1 - least(n_out - alarms, n_out)
    return math.log(max((hit - privacy_delta) / alarm, 1.0))


# WRONG verdict: the scale before the audit -> the first in the list counts
def verdict(report):
    if report["scale"] != "constants":
        return "leaks"
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    rate = report["batch"] / report["examples"]
    eps = privacy_eps(report["noise"], rate, report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG verdict: the epsilon before the sampling -> the first in the list counts
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    rate = report["batch"] / report["examples"]
    if privacy_eps(report["noise"], rate, report["updates"], report["delta"]) > report["claimed"]:
        return "overclaims"
    return "unproved" if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"] else "sound"


# WRONG verdict: an audit that equals the claim refutes it -> another word is due: the audit has shown
def verdict(report):
    if report["audited"] >= report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG draws: sizes are right, but the batches are neighbours: a window at a random place -> come together more often
def draws(n, rate, updates):
    sizes = torch.distributions.Binomial(n, torch.tensor(float(rate))).sample((updates,)).long()
    out = torch.zeros(updates, n, dtype=torch.bool)
    for t, k in enumerate(sizes.tolist()):
        s = int(torch.randint(n, ()))
        out[t, (torch.arange(k) + s) % n] = True
    return out


def private_mean(gradients, *, clip, noise_multiplier, size):
    s = (clip / gradients.norm(dim=1).clamp(min=1e-12)).clamp(max=1)
    return ((gradients * s[:, None]).sum(0) + noise_multiplier * clip * torch.randn(gradients.shape[1])) / size


# WRONG draws: round(rate * n) draws with replacement: sizes differ, and yet the draws are not independent -> with replacement
def draws(n, rate, updates):
    out = torch.zeros(updates, n, dtype=torch.bool)
    picks = torch.randint(n, (updates, round(rate * n)))
    return out.scatter(1, picks, True)


def private_mean(gradients, *, clip, noise_multiplier, size):
    s = (clip / gradients.norm(dim=1).clamp(min=1e-12)).clamp(max=1)
    return ((gradients * s[:, None]).sum(0) + noise_multiplier * clip * torch.randn(gradients.shape[1])) / size


# WRONG private_mean: one number of noise for all entries -> every entry gets the same number
def draws(n, rate, updates):
    return torch.rand(updates, n) < rate


def private_mean(gradients, *, clip, noise_multiplier, size):
    s = (clip / gradients.norm(dim=1).clamp(min=1e-12)).clamp(max=1)
    return ((gradients * s[:, None]).sum(0) + noise_multiplier * clip * torch.randn(1)) / size


# WRONG epsilon: the orders are the notebook's, whatever is asked -> order 2 alone, a divergence of nearly 0
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in range(2, 64):
        k = np.arange(a + 1)
        logs = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        logs = logs + special.xlog1py(a - k, -rate) + special.xlogy(k, rate) + k * (k - 1) / (2 * noise_multiplier**2)
        d = special.logsumexp(logs) / (a - 1)
        best = min(best, updates * d + math.log((a - 1) / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1))
    return max(best, 0.0)


# WRONG epsilon: the older conversion, log(1 / delta) / (alpha - 1) -> this is the older conversion
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        logs = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        logs = logs + special.xlog1py(a - k, -rate) + special.xlogy(k, rate) + k * (k - 1) / (2 * noise_multiplier**2)
        d = special.logsumexp(logs) / (a - 1)
        best = min(best, updates * d - math.log(privacy_delta) / (a - 1))
    return max(best, 0.0)


# WRONG epsilon: the order is chosen by the divergence of one update, not by the epsilon -> of two orders the smaller epsilon counts, here that of
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    eps = []
    for a in map(int, orders):
        k = np.arange(a + 1)
        logs = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        logs = logs + special.xlog1py(a - k, -rate) + special.xlogy(k, rate) + k * (k - 1) / (2 * noise_multiplier**2)
        d = special.logsumexp(logs) / (a - 1)
        eps.append((d, updates * d + math.log((a - 1) / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1)))
    return max(min(eps)[1], 0.0)


# WRONG epsilon: the conversion is applied to each update, and the epsilons are added up -> epsilons of single updates are added up
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        logs = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        logs = logs + special.xlog1py(a - k, -rate) + special.xlogy(k, rate) + k * (k - 1) / (2 * noise_multiplier**2)
        d = special.logsumexp(logs) / (a - 1)
        best = min(best, updates * (d + math.log((a - 1) / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1)))
    return max(best, 0.0)


# RIGHT draws: a binomial size, and then so many examples at random
def draws(n, rate, updates):
    out = torch.zeros(updates, n, dtype=torch.bool)
    for row, k in zip(out, np.random.default_rng().binomial(n, rate, updates)):
        row[torch.randperm(n)[: int(k)]] = True
    return out


def private_mean(gradients, *, clip, noise_multiplier, size):
    total = torch.zeros(gradients.shape[1])
    for g in gradients:
        long = g.norm()
        total = total + (g * (clip / long) if long > clip else g)
    return (total + torch.normal(0.0, 1.0, total.shape) * clip * noise_multiplier) / size


# RIGHT lower_bound: scipy's own exact interval
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    low = stats.binomtest(int(hits), int(n_in), alternative="greater").proportion_ci(1 - failure_prob / 2).low
    high = stats.binomtest(int(alarms), int(n_out), alternative="less").proportion_ci(1 - failure_prob / 2).high
    return float(max(0.0, np.log((low - privacy_delta) / high))) if low > privacy_delta else 0


# WRONG draws: no batch is empty: a first example is put in -> no batch is empty
def draws(n, rate, updates):
    d = torch.rand(updates, n) < rate
    d[~d.any(1), 0] = True
    return d


def private_mean(gradients, *, clip, noise_multiplier, size):
    s = (clip / gradients.norm(dim=1).clamp(min=1e-12)).clamp(max=1)
    total = (gradients * s[:, None]).sum(0)
    return (total + noise_multiplier * clip * torch.randn(gradients.shape[1])) / size


# WRONG verdict: an audit below the claim makes it sound -> another word is due: privacy_eps, at thi
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["audited"] < report["claimed"] / 4:
        return "sound"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG verdict: overclaims where the accountant is at or above twice the claim -> by little
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], report["updates"], report["delta"])
    return "overclaims" if eps > 1.05 * report["claimed"] else "sound"


# WRONG epsilon: T divides by alpha -> the logarithm of the sum is divided by the order
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        logs = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        logs = logs + special.xlog1py(a - k, -rate) + special.xlogy(k, rate) + k * (k - 1) / (2 * noise_multiplier**2)
        d = special.logsumexp(logs) / a
        best = min(best, updates * d + math.log((a - 1) / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1))
    return max(best, 0.0)


# WRONG epsilon: the last order counts -> of two orders the smaller epsilon counts, here that of
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        logs = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        logs = logs + special.xlog1py(a - k, -rate) + special.xlogy(k, rate) + k * (k - 1) / (2 * noise_multiplier**2)
        d = special.logsumexp(logs) / (a - 1)
        best = min(math.inf, updates * d + math.log((a - 1) / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1))
    return max(best, 0.0)


# WRONG epsilon: without sampling: rate is ignored -> order 2 alone, a divergence of nearly 0
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best, rate = math.inf, 1.0
    for a in map(int, orders):
        k = np.arange(a + 1)
        logs = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        logs = logs + special.xlog1py(a - k, -rate) + special.xlogy(k, rate) + k * (k - 1) / (2 * noise_multiplier**2)
        d = special.logsumexp(logs) / (a - 1)
        best = min(best, updates * d + math.log((a - 1) / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1))
    return max(best, 0.0)


# WRONG lower_bound: delta is added to alarms -> delta 0.1 comes off the 0.9330 of the hi
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    low = special.betaincinv(hits, n_in - hits + 1, failure_prob / 2) if hits else 0.0
    out = n_out - alarms
    high = 1 - special.betaincinv(out, n_out - out + 1, failure_prob / 2) if out else 1.0
    return max(math.log(low / (high + privacy_delta)), 0.0) if low > privacy_delta else 0.0


# WRONG lower_bound: base 2 -> base 2
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    low = special.betaincinv(hits, n_in - hits + 1, failure_prob / 2) if hits else 0.0
    out = n_out - alarms
    high = 1 - special.betaincinv(out, n_out - out + 1, failure_prob / 2) if out else 1.0
    return max(math.log2((low - privacy_delta) / high), 0.0) if low > privacy_delta else 0.0


# WRONG draws: above the rate, not below -> those are drawn that should be left out
def draws(n, rate, updates):
    """Who is in each batch, (updates, n) bool."""
    return torch.rand(updates, n) > rate


def private_mean(gradients, *, clip, noise_multiplier, size):
    """A noisy mean of clipped gradients (B, D), of which size are expected: (D,)."""
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# WRONG draws: normal numbers below the rate -> normal numbers are compared with the rate
def draws(n, rate, updates):
    """Who is in each batch, (updates, n) bool."""
    return torch.randn(updates, n) < rate


def private_mean(gradients, *, clip, noise_multiplier, size):
    """A noisy mean of clipped gradients (B, D), of which size are expected: (D,)."""
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# WRONG private_mean: by the L1 length -> by its length in L1
def draws(n, rate, updates):
    """Who is in each batch, (updates, n) bool."""
    return torch.rand(updates, n) < rate


def private_mean(gradients, *, clip, noise_multiplier, size):
    """A noisy mean of clipped gradients (B, D), of which size are expected: (D,)."""
    weight = (clip / gradients.abs().sum(1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# WRONG private_mean: by the largest entry -> divided by its largest entry
def draws(n, rate, updates):
    """Who is in each batch, (updates, n) bool."""
    return torch.rand(updates, n) < rate


def private_mean(gradients, *, clip, noise_multiplier, size):
    """A noisy mean of clipped gradients (B, D), of which size are expected: (D,)."""
    weight = (clip / gradients.abs().amax(1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# RIGHT private_mean: with torch.renorm
def draws(n, rate, updates):
    """Who is in each batch, (updates, n) bool."""
    return torch.rand(updates, n) < rate


def private_mean(gradients, *, clip, noise_multiplier, size):
    """A noisy mean of clipped gradients (B, D), of which size are expected: (D,)."""
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = torch.renorm(gradients, 2, 0, clip).sum(0)
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


# WRONG epsilon: the sum begins at 1 -> order 2 alone, a divergence of nearly 0
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    """The smallest epsilon that the whole orders (M,) give for so many updates of DP-SGD."""
    best = math.inf
    for a in map(int, orders):
        k = np.arange(1, a + 1)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        chances = special.xlogy(k, rate) + special.xlog1py(a - k, -rate)
        divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        one = updates * divergence + math.log1p(-1 / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1)
        best = min(best, one)
    return max(best, 0.0)


# WRONG epsilon: the sum ends one term early -> the sum lacks its last term
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    """The smallest epsilon that the whole orders (M,) give for so many updates of DP-SGD."""
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        chances = special.xlogy(k, rate) + special.xlog1py(a - k, -rate)
        divergence = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        one = updates * divergence + math.log1p(-1 / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1)
        best = min(best, one)
    return max(best, 0.0)


# WRONG lower_bound: no bound on the alarms -> the share of alarms as counted
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    """The largest epsilon that the counts refute, surely but for failure_prob."""

    def least(k, n):
        return float(special.betaincinv(k, n - k + 1, failure_prob / 2)) if k else 0.0

    hit, alarm = least(hits, n_in), max(alarms, 1) / n_out
    return math.log(max((hit - privacy_delta) / alarm, 1.0))


# WRONG lower_bound: delta taken off the ratio -> delta 0.1 comes off the 0.9330 of the hi
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    """The largest epsilon that the counts refute, surely but for failure_prob."""

    def least(k, n):
        return float(special.betaincinv(k, n - k + 1, failure_prob / 2)) if k else 0.0

    hit, alarm = least(hits, n_in), 1 - least(n_out - alarms, n_out)
    return math.log(max(hit / alarm - privacy_delta, 1.0))


# RIGHT lower_bound: quantiles of the beta distribution, NumPy's logarithm
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    a = failure_prob / 2
    low = stats.beta.ppf(a, hits, n_in - hits + 1) if hits > 0 else 0
    high = stats.beta.ppf(1 - a, alarms + 1, n_out - alarms) if alarms < n_out else 1
    return np.log(np.maximum((low - privacy_delta) / high, 1))


# WRONG verdict: a delta of exactly 1 / examples is fine -> delta of 1 / examples
def verdict(report):
    """One word on a report like those above."""
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] > 1 / report["examples"]:
        return "unproved"
    rate = report["batch"] / report["examples"]
    eps = privacy_eps(report["noise"], rate, report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG verdict: always 60,000 examples -> privacy_eps is that of 60,000 examples
def verdict(report):
    """One word on a report like those above."""
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    rate = report["batch"] / 60000
    eps = privacy_eps(report["noise"], rate, report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG plan: six numbers without names -> return a dictionary with these six names
def plan():
    """How to train: clip, noise_multiplier, rate, updates, lr, momentum."""
    return (0.5, 9.0, 0.8, 60, 4.0, 0.0)


# WRONG plan: a momentum of 1 -> clip must be a number above 0
def plan():
    """How to train: clip, noise_multiplier, rate, updates, lr, momentum."""
    return {"clip": 0.5, "noise_multiplier": 9.0, "rate": 0.8, "updates": 60, "lr": 4.0, "momentum": 1.0}


# WRONG epsilon: rate and 1 - rate exchanged -> have changed places
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in map(int, orders):
        k = np.arange(a + 1)
        choose = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        chances = special.xlogy(a - k, rate) + special.xlog1py(k, -rate)
        d = special.logsumexp(choose + chances + k * (k - 1) / (2 * noise_multiplier**2)) / (a - 1)
        best = min(best, updates * d + math.log1p(-1 / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1))
    return max(best, 0.0)


# WRONG lower_bound: the ratio, without its logarithm -> epsilon is the logarithm of that
def lower_bound(hits, n_in, alarms, n_out, privacy_delta, failure_prob):
    a = failure_prob / 2
    hit = special.betaincinv(hits, n_in - hits + 1, a) if hits else 0.0
    alarm = 1 - special.betaincinv(n_out - alarms, alarms + 1, a) if alarms < n_out else 1.0
    return max((hit - privacy_delta) / alarm, 1.0)


# WRONG verdict: of one update -> privacy_eps is that of one update
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if report["scale"] != "constants":
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    eps = privacy_eps(report["noise"], report["batch"] / report["examples"], 1, report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG epsilon: the updates inside of the sum -> the updates stand within the sum
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in orders:
        a = int(a)
        k = np.arange(a + 1)
        logs = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        logs = logs + special.xlog1py(a - k, -rate) + special.xlogy(k, rate)
        logs = logs + updates * k * (k - 1) / (2 * noise_multiplier**2)
        d = special.logsumexp(logs) / (a - 1)
        e = d + math.log((a - 1) / a) - (math.log(privacy_delta) + math.log(a)) / (a - 1)
        best = min(best, e)
    return max(best, 0.0)


# WRONG verdict: delta is compared with 1e-5 -> below 1 / examples where they are few
def verdict(report):
    r = report
    if r["audited"] > r["claimed"]:
        return "refuted"
    if r["scale"] != "constants":
        return "leaks"
    if r["sampling"] != "Poisson" or r["delta"] > 1e-5:
        return "unproved"
    if privacy_eps(r["noise"], r["batch"] / r["examples"], r["updates"], r["delta"]) > r["claimed"]:
        return "overclaims"
    return "sound"


# WRONG draws: an epoch is shuffled and cut into batches -> nobody is in two batches in a row
def private_mean(gradients, *, clip, noise_multiplier, size):
    """A noisy mean of clipped gradients (B, D), of which size are expected: (D,)."""
    weight = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    total = weight @ gradients
    return (total + noise_multiplier * clip * torch.randn_like(total)) / size


def draws(n, rate, updates):
    per = round(1 / rate)
    out = torch.zeros(updates, n, dtype=torch.bool)
    for u in range(updates):
        if u % per == 0:
            which = torch.randint(per, (n,))
        out[u] = which == u % per
    return out


# WRONG private_mean: uniform noise of the same width -> the noise is not Gaussian
def draws(n, rate, updates):
    """Who is in each batch, (updates, n) bool."""
    return torch.rand(updates, n) < rate


def private_mean(gradients, *, clip, noise_multiplier, size):
    f = (clip / gradients.norm(dim=1).clamp_min(1e-12)).clamp(max=1)
    s = (gradients * f[:, None]).sum(0)
    return (s + noise_multiplier * clip * (2 * torch.rand_like(s) - 1)) / size


# WRONG epsilon: log(order) is added -> log(order) has the wrong sign
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    found = []
    for a in np.asarray(orders).tolist():
        k = np.arange(a + 1)
        terms = special.gammaln(a + 1) - special.gammaln(k + 1) - special.gammaln(a - k + 1)
        terms += special.xlog1py(a - k, -rate) + special.xlogy(k, rate) + k * (k - 1) / (2 * noise_multiplier**2)
        conversion = math.log((a - 1) / a) - (math.log(privacy_delta) - math.log(a)) / (a - 1)
        found.append(updates * special.logsumexp(terms) / (a - 1) + conversion)
    return max(min(found), 0.0)


# WRONG verdict: only a scale that is said to be of the data leaks -> Anything but constants
def verdict(report):
    if report["audited"] > report["claimed"]:
        return "refuted"
    if "data" in report["scale"]:
        return "leaks"
    if report["sampling"] != "Poisson" or report["delta"] >= 1 / report["examples"]:
        return "unproved"
    rate = report["batch"] / report["examples"]
    eps = privacy_eps(report["noise"], rate, report["updates"], report["delta"])
    return "overclaims" if eps > report["claimed"] else "sound"


# WRONG epsilon: gammaln(a) for the logarithm of the factorial of a -> each of the three needs 1 more
def epsilon(noise_multiplier, rate, updates, privacy_delta, orders):
    best = math.inf
    for a in (int(a) for a in orders):
        k = np.arange(a + 1)
        terms = special.gammaln(a) - special.gammaln(k) - special.gammaln(a - k)
        terms = terms + special.xlogy(k, rate) + special.xlog1py(a - k, -rate) + k * (k - 1) / (2 * noise_multiplier**2)
        divergence = updates * special.logsumexp(terms) / (a - 1)
        best = min(best, divergence + math.log((a - 1) / a) - math.log(privacy_delta * a) / (a - 1))
    return max(best, 0.0)


# WRONG private_mean: a list is stacked, which an empty batch does not allow -> nothing to stack
def draws(n, rate, updates):
    return torch.rand(updates, n) < rate


def private_mean(gradients, *, clip, noise_multiplier, size):
    clipped = [g * min(1.0, clip / max(float(g.norm()), 1e-12)) for g in gradients]
    total = torch.stack(clipped).sum(0)
    return (total + noise_multiplier * clip * torch.randn(len(total))) / size
