"""Other answers to lab 12, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT psi: with searchsorted
def psi(reference, now, bins):
    cuts = torch.quantile(reference.double(), torch.arange(1, bins).double() / bins)
    p, q = (
        torch.bincount(torch.searchsorted(cuts, s.double().contiguous()), minlength=bins).double() + 0.5
        for s in (reference, now)
    )
    p, q = p / (len(reference) + bins / 2), q / (len(now) + bins / 2)
    return float(((q - p) * torch.log(q / p)).sum())


# RIGHT psi: bin by bin
def psi(reference, now, bins):
    cuts = [-math.inf, *reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1]).tolist(), math.inf]
    total = 0.0
    for low, high in zip(cuts, cuts[1:]):
        p, q = ((float(((s > low) & (s <= high)).sum()) + 0.5) / (len(s) + 0.5 * bins) for s in (reference, now))
        total += (q - p) * math.log(q / p)
    return total


# WRONG psi: bins from the new sample -> meet in the middle
def psi(reference, now, bins):
    cuts = now.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: bins from both -> meet in the middle
def psi(reference, now, bins):
    cuts = torch.cat([reference, now]).quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: bins of equal width -> meet in the middle
def psi(reference, now, bins):
    cuts = torch.linspace(float(reference.min()), float(reference.max()), bins + 1)[1:-1]
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: nothing added -> half an example in both
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) / len(s) for s in (reference, now))
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: a whole example added -> half an example in both
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 1 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: empty bins only -> half an example in both
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) / len(s) for s in (reference, now))
    p, q = p.clamp_min(1e-4), q.clamp_min(1e-4)
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: counts, not shares -> the shares 1/2 and 1/2
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: the shares do not add up to 1 -> 2.5 / 3
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = ((torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5) / len(s) for s in (reference, now))
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: the divergence of one from the other -> the sum is
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return (q * (q / p).log()).sum()


# WRONG psi: the other sign -> the number has the other sign
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (p / q).log()).sum()


# WRONG psi: logarithm to the base 2 -> base 2
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log2()).sum()


# WRONG psi: a mean over the bins -> half of the one
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).mean()


# WRONG psi: a value that equals a cut lies above it -> equals a cut lies below
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] >= cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: one bin too few -> a cut between them
def psi(reference, now, bins):
    cuts = reference.quantile(torch.linspace(0, 1, bins)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins - 1) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: sorts its argument in place -> changed its arguments
def psi(reference, now, bins):
    reference.copy_(reference.sort().values)
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# RIGHT permutation_p: one shuffle after another
def permutation_p(a, b, permutations):
    pile, observed, count = torch.cat([a, b]), abs(float(a.mean() - b.mean())), 1
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += abs(float(pile[: len(a)].mean() - pile[len(a) :].mean())) >= observed - 1e-6
    return count / (1 + permutations)


# RIGHT permutation_p: sums of one group, from ranks of random numbers
def permutation_p(a, b, permutations):
    pile, n, m = torch.cat([a, b]).double(), len(a), len(b)
    z = torch.zeros(permutations, n + m, dtype=torch.float64)
    z.scatter_(1, torch.rand(permutations, n + m).argsort(1)[:, :n], 1)
    sums = z @ pile
    distance = (sums / n - (pile.sum() - sums) / m).abs()
    observed = (pile[:n].mean() - pile[n:].mean()).abs()
    return torch.tensor([(1 + int((distance > observed - 1e-9).sum())) / (1 + permutations)])


# RIGHT permutation_p: with Python's own shuffling
def permutation_p(a, b, permutations):
    import random

    pile, observed, as_large = [*a.tolist(), *b.tolist()], abs(float(a.mean() - b.mean())), 0
    for _ in range(permutations):
        random.shuffle(pile)
        one, other = pile[: len(a)], pile[len(a) :]
        as_large += abs(sum(one) / len(one) - sum(other) / len(other)) >= observed - 1e-6
    return (1 + as_large) / (1 + permutations)


# WRONG permutation_p: can be 0 -> p is 0
def permutation_p(a, b, permutations):
    pile, observed, count = torch.cat([a, b]), abs(float(a.mean() - b.mean())), 0
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += abs(float(pile[: len(a)].mean() - pile[len(a) :].mean())) >= observed - 1e-6
    return count / permutations


# WRONG permutation_p: one more above, not below -> above the line, and below it
def permutation_p(a, b, permutations):
    pile, observed, count = torch.cat([a, b]), abs(float(a.mean() - b.mean())), 1
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += abs(float(pile[: len(a)].mean() - pile[len(a) :].mean())) >= observed - 1e-6
    return count / permutations


# WRONG permutation_p: each sample shuffled for itself, not pooled -> every split counts here as at least as far apart as a and b
def permutation_p(a, b, permutations):
    observed, count = abs(float(a.mean() - b.mean())), 1
    for _ in range(permutations):
        one, other = a[torch.randperm(len(a))], b[torch.randperm(len(b))]
        count += abs(float(one.mean() - other.mean())) >= observed - 1e-6
    return count / (1 + permutations)


# WRONG permutation_p: draws with replacement from each -> each group is drawn anew from its own sample
def permutation_p(a, b, permutations):
    observed, count = abs(float(a.mean() - b.mean())), 1
    for _ in range(permutations):
        one, other = a[torch.randint(len(a), (len(a),))], b[torch.randint(len(b), (len(b),))]
        count += abs(float(one.mean() - other.mean())) >= observed - 1e-6
    return count / (1 + permutations)


# WRONG permutation_p: one side only -> a distance has no sign
def permutation_p(a, b, permutations):
    pile, observed, count = torch.cat([a, b]), float(b.mean() - a.mean()), 1
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += float(pile[len(a) :].mean() - pile[: len(a)].mean()) >= observed - 1e-6
    return count / (1 + permutations)


# WRONG permutation_p: halves, whatever the sizes -> halves of the pile|small too often|large too often
def permutation_p(a, b, permutations):
    pile, observed, count = torch.cat([a, b]), abs(float(a.mean() - b.mean())), 1
    half = len(pile) // 2
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += abs(float(pile[:half].mean() - pile[half:].mean())) >= observed - 1e-6
    return count / (1 + permutations)


# WRONG permutation_p: as small, not as large -> every split counts here as at least as far apart as a and b
def permutation_p(a, b, permutations):
    pile, observed, count = torch.cat([a, b]), abs(float(a.mean() - b.mean())), 1
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += abs(float(pile[: len(a)].mean() - pile[len(a) :].mean())) <= observed + 1e-6
    return count / (1 + permutations)


# WRONG permutation_p: strictly larger only -> each split is as far apart
def permutation_p(a, b, permutations):
    pile, observed, count = torch.cat([a, b]), abs(float(a.mean() - b.mean())), 1
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += abs(float(pile[: len(a)].mean() - pile[len(a) :].mean())) > observed + 1e-6
    return count / (1 + permutations)


# WRONG permutation_p: the same shuffle each time -> of 2,000 drawn splits all are as far apart as a an
def permutation_p(a, b, permutations):
    pile, observed = torch.cat([a, b]), abs(float(a.mean() - b.mean()))
    pile = pile[torch.randperm(len(pile))]
    as_large = abs(float(pile[: len(a)].mean() - pile[len(a) :].mean())) >= observed - 1e-6
    return (1 + permutations * as_large) / (1 + permutations)


# WRONG permutation_p: the p-value of a normal distribution -> no formula for p is asked
def permutation_p(a, b, permutations):
    z = float((a.mean() - b.mean()).abs() / (a.var() / len(a) + b.var() / len(b) + 1e-12).sqrt())
    return math.erfc(z / math.sqrt(2))


# RIGHT alarms: step by step
def alarms(p, level):
    answer = torch.zeros(len(p), dtype=torch.bool)
    for j, i in enumerate(p.argsort()):
        if p[i] > level / (len(p) - j):
            break
        answer[i] = True
    return answer


# RIGHT alarms: by adjusted p-values, as a list
def alarms(p, level):
    ordered, order = p.double().sort()
    adjusted = (ordered * torch.arange(len(p), 0, -1)).cummax(0).values
    answer = [False] * len(p)
    for i, value in zip(order.tolist(), adjusted.tolist()):
        answer[i] = value <= level + 1e-12
    return answer


# WRONG alarms: no correction -> the alarm was too early|tests counted|order
def alarms(p, level):
    return p <= level


# WRONG alarms: Bonferroni -> one less each time
def alarms(p, level):
    return p <= level / len(p)


# WRONG alarms: Benjamini and Hochberg, which bounds another rate -> stops the rule
def alarms(p, level):
    k = len(p)
    ordered, order = p.sort()
    passes = ordered <= level * torch.arange(1, k + 1) / k
    last = int(passes.nonzero().max()) + 1 if passes.any() else 0
    answer = torch.zeros(k, dtype=torch.bool)
    answer[order[:last]] = True
    return answer


# WRONG alarms: Hochberg's, which goes down from the largest -> stops the rule
def alarms(p, level):
    k = len(p)
    ordered, order = p.sort()
    passes = ordered <= level / torch.arange(k, 0, -1)
    last = int(passes.nonzero().max()) + 1 if passes.any() else 0
    answer = torch.zeros(k, dtype=torch.bool)
    answer[order[:last]] = True
    return answer


# WRONG alarms: does not stop -> stops the rule
def alarms(p, level):
    ordered, order = p.sort()
    answer = torch.zeros(len(p), dtype=torch.bool)
    answer[order] = ordered <= level / torch.arange(len(p), 0, -1)
    return answer


# WRONG alarms: in the sorted order -> in the order of the p-values given
def alarms(p, level):
    ordered, _ = p.sort()
    return (ordered <= level / torch.arange(len(p), 0, -1)).int().cumprod(0).bool()


# WRONG alarms: put back by the order, not by its inverse -> in the order|the order
def alarms(p, level):
    ordered, order = p.sort()
    return (ordered <= level / torch.arange(len(p), 0, -1)).int().cumprod(0).bool()[order]


# WRONG alarms: one test too few at the start -> stands alone|tests counted|too early|other alarms
def alarms(p, level):
    ordered, order = p.sort()
    answer = torch.zeros(len(p), dtype=torch.bool)
    answer[order] = (ordered <= level / torch.arange(len(p) - 1, -1, -1)).int().cumprod(0).bool()
    return answer


# WRONG alarms: from the largest down -> where does the rule begin
def alarms(p, level):
    ordered, order = p.sort(descending=True)
    answer = torch.zeros(len(p), dtype=torch.bool)
    answer[order] = (ordered <= level / torch.arange(len(p), 0, -1)).int().cumprod(0).bool()
    return answer


# WRONG alarms: below the limit only -> equal their limit
def alarms(p, level):
    ordered, order = p.sort()
    answer = torch.zeros(len(p), dtype=torch.bool)
    answer[order] = (ordered < level / torch.arange(len(p), 0, -1)).int().cumprod(0).bool()
    return answer


# RIGHT reports: made from pairs
reports = dict(zip("ABCDE", ["peeking", "blind", "sound", "tuned", "future"]))


# RIGHT reports: letter by letter
reports = {"E": "future"}
reports.update(A="peeking", B="blind")
reports |= {"C": "sound", "D": "tuned"}


# WRONG reports: trusts an alarm -> report A
reports = {"A": "sound", "B": "blind", "C": "sound", "D": "tuned", "E": "future"}


# WRONG reports: trusts silence -> report B
reports = {"A": "peeking", "B": "sound", "C": "sound", "D": "tuned", "E": "future"}


# WRONG reports: trusts nobody -> report C
reports = {"A": "peeking", "B": "blind", "C": "tuned", "D": "tuned", "E": "future"}


# WRONG reports: trusts a threshold that fits -> report D
reports = {"A": "peeking", "B": "blind", "C": "sound", "D": "sound", "E": "future"}


# WRONG reports: trusts a replay -> report E
reports = {"A": "peeking", "B": "blind", "C": "sound", "D": "tuned", "E": "sound"}


# WRONG reports: two exchanged -> report D|report E
reports = {"A": "peeking", "B": "blind", "C": "sound", "D": "future", "E": "tuned"}


# WRONG reports: a word of its own -> one of the five words
reports = {"A": "wrong", "B": "blind", "C": "sound", "D": "tuned", "E": "future"}


# RIGHT detect: a likelihood ratio for three times the rate, in plain Python
def detect(calm, streams):
    rate = max(float(calm.mean()), 0.01)
    new = min(3 * rate, 0.6)

    def heights(x):
        up, found = 0.0, []
        for value in x.tolist():
            up = max(0.0, up + (math.log(new / rate) if value else math.log((1 - new) / (1 - rate))))
            found.append(up)
        return found

    threshold = sorted(max(heights(row)) for row in calm)[int(0.97 * len(calm))]
    return [next((t for t, height in enumerate(heights(row)) if height > threshold), -1) for row in streams]


# RIGHT detect: mistakes among the last 60
def detect(calm, streams):
    def counts(x):
        return torch.nn.functional.conv1d(torch.nn.functional.pad(x[:, None], (59, 0)), torch.ones(1, 1, 60))[:, 0]

    threshold = counts(calm).amax(1).sort().values[int(0.96 * len(calm))] + 0.5
    there = counts(streams) > threshold
    return torch.where(there.any(1), there.int().argmax(1), torch.tensor(-1))


# WRONG detect: the threshold is set on the stream itself -> knew the future
def detect(calm, streams):
    up, heights = torch.zeros(len(streams)), []
    for value in streams.T:
        up = (up + value - calm.mean() - 0.06).clamp_min(0)
        heights.append(up)
    heights = torch.stack(heights, 1)
    top = heights.amax(1, keepdim=True)
    there = (heights > 0.5 * top) & (top > 3)
    return torch.where(there.any(1), there.int().argmax(1), -1)


# WRONG detect: the mean of the whole stream is known from the start -> knew the future
def detect(calm, streams):
    times = []
    for stream in streams:
        up, time = 0.0, -1
        for t, value in enumerate(stream.tolist()):
            up = max(0.0, up + value - float(stream.mean()) - 0.01)
            if up > 3 and time < 0:
                time = t
        times.append(time)
    return torch.tensor(times)


# WRONG detect: the mean of all streams is known -> the other streams|knew the future
def detect(calm, streams):
    rate, times = float(streams.mean()), []
    for stream in streams:
        up, time = 0.0, -1
        for t, value in enumerate(stream.tolist()):
            up = max(0.0, up + value - rate)
            if up > 3.5 and time < 0:
                time = t
        times.append(time)
    return torch.tensor(times)


# WRONG detect: the last alarm, not the first -> knew the future
def detect(calm, streams):
    times = []
    for stream in streams:
        up, time = 0.0, -1
        for t, value in enumerate(stream.tolist()):
            up = max(0.0, up + value - 0.11)
            time = t if up > 3.5 else time
        times.append(time)
    return torch.tensor(times)


# WRONG detect: the place of the highest sum -> knew the future
def detect(calm, streams):
    up, heights = torch.zeros(len(streams)), []
    for value in streams.T:
        up = (up + value - calm.mean() - 0.06).clamp_min(0)
        heights.append(up)
    heights = torch.stack(heights, 1)
    return torch.where(heights.amax(1) > 3.5, heights.argmax(1), -1)


# WRONG detect: the first mistake -> too many
def detect(calm, streams):
    return torch.where((streams > 0).any(1), (streams > 0).int().argmax(1), -1)


# WRONG detect: half of the calm streams reach the threshold -> too many
def detect(calm, streams):
    def heights(x):
        up, found = torch.zeros(len(x)), []
        for value in x.T:
            up = (up + value - calm.mean() - 0.06).clamp_min(0)
            found.append(up)
        return torch.stack(found, 1)

    there = heights(streams) > heights(calm).amax(1).median()
    return torch.where(there.any(1), there.int().argmax(1), -1)


# WRONG detect: a usual rate and a threshold that are written down -> calm streams say
def detect(calm, streams):
    up, heights = torch.zeros(len(streams)), []
    for value in streams.T:
        up = (up + value - 0.11).clamp_min(0)
        heights.append(up)
    there = torch.stack(heights, 1) > 4.1
    return torch.where(there.any(1), there.int().argmax(1), -1)


# WRONG detect: no slack, so the sum wanders up -> too many
def detect(calm, streams):
    up, heights = torch.zeros(len(streams)), []
    for value in streams.T:
        up = (up + value - calm.mean()).clamp_min(0)
        heights.append(up)
    there = torch.stack(heights, 1) > 3.5
    return torch.where(there.any(1), there.int().argmax(1), -1)


# WRONG detect: never forgets -> too late|seldom seen
def detect(calm, streams):
    there = (streams - calm.mean() - 0.06).cumsum(1) > 3.5
    return torch.where(there.any(1), there.int().argmax(1), -1)


# WRONG detect: a threshold that is reached late -> too late|seldom|there is no alarm
def detect(calm, streams):
    up, heights = torch.zeros(len(streams)), []
    for value in streams.T:
        up = (up + value - calm.mean() - 0.06).clamp_min(0)
        heights.append(up)
    there = torch.stack(heights, 1) > 12
    return torch.where(there.any(1), there.int().argmax(1), -1)


# WRONG detect: never an alarm -> there is no alarm
def detect(calm, streams):
    return torch.full((len(streams),), -1)


# WRONG detect: always at the same time -> without a single mistake
def detect(calm, streams):
    return torch.full((len(streams),), 260)


# WRONG detect: the stream read backwards -> from 0 to 499|knew the future|too many
def detect(calm, streams):
    up, heights = torch.zeros(len(streams)), []
    for value in streams.T.flip(0):
        up = (up + value - calm.mean() - 0.06).clamp_min(0)
        heights.append(up)
    there = torch.stack(heights, 1) > 3.5
    return torch.where(there.any(1), 500 - there.int().argmax(1), -1)


# RIGHT permutation_p: choice without replacement by NumPy
def permutation_p(a, b, permutations):
    pile, n = torch.cat([a, b]).double().numpy(), len(a)
    import numpy as np

    draw = np.random.default_rng()
    observed = abs(pile[:n].mean() - pile[n:].mean())
    d = [draw.permutation(pile) for _ in range(permutations)]
    return (1 + sum(abs(x[:n].mean() - x[n:].mean()) >= observed - 1e-9 for x in d)) / (1 + permutations)


# WRONG permutation_p: bootstrap of the pile -> with replacement
def permutation_p(a, b, permutations):
    pile, observed, count = torch.cat([a, b]), abs(float(a.mean() - b.mean())), 1
    for _ in range(permutations):
        s = pile[torch.randint(len(pile), (len(pile),))]
        count += abs(float(s[: len(a)].mean() - s[len(a) :].mean())) >= observed - 1e-6
    return count / (1 + permutations)


# RIGHT permutation_p: Student's t
def permutation_p(a, b, permutations):
    def t(u, v):
        n, m = len(u), len(v)
        s = (((u - u.mean()) ** 2).sum() + ((v - v.mean()) ** 2).sum()) / (n + m - 2)
        return abs(float((u.mean() - v.mean()) / (s * (1 / n + 1 / m) + 1e-12).sqrt()))

    pile, observed, count = torch.cat([a, b]), t(a, b), 1
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += t(pile[: len(a)], pile[len(a) :]) >= observed - 1e-6
    return count / (1 + permutations)


# WRONG permutation_p: Welch's t -> what each drawn group varies
def permutation_p(a, b, permutations):
    def t(u, v):
        return abs(float((u.mean() - v.mean()) / (u.var() / len(u) + v.var() / len(v) + 1e-12).sqrt()))

    pile, observed, count = torch.cat([a, b]), t(a, b), 1
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += t(pile[: len(a)], pile[len(a) :]) >= observed - 1e-6
    return count / (1 + permutations)


# WRONG permutation_p: medians -> medians are compared
def permutation_p(a, b, permutations):
    t = lambda u, v: abs(float(u.median() - v.median()))
    pile, observed, count = torch.cat([a, b]), t(a, b), 1
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += t(pile[: len(a)], pile[len(a) :]) >= observed - 1e-6
    return count / (1 + permutations)


# WRONG permutation_p: seeds itself -> the function sets a seed
def permutation_p(a, b, permutations):
    torch.manual_seed(0)
    pile, observed, count = torch.cat([a, b]), abs(float(a.mean() - b.mean())), 1
    for _ in range(permutations):
        pile = pile[torch.randperm(len(pile))]
        count += abs(float(pile[: len(a)].mean() - pile[len(a) :].mean())) >= observed - 1e-6
    return count / (1 + permutations)


# WRONG psi: a histogram that drops outliers -> beyond all of the reference's
def psi(reference, now, bins):
    import numpy as np

    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)).numpy()
    p, q = (torch.tensor(np.histogram(s.numpy(), cuts)[0]).float() + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# WRONG alarms: Šidák's limits, for independent tests -> no formula for independent
def alarms(p, level):
    ordered, order = p.sort()
    k = len(p)
    passes = (ordered <= 1 - (1 - level) ** (1 / torch.arange(k, 0, -1))).int().cumprod(0).bool()
    answer = torch.zeros(k, dtype=torch.bool)
    answer[order] = passes
    return answer


# WRONG detect: begins at a time at which it expects the change -> a hundred later
def detect(calm, streams):
    out = []
    for s in streams:
        u, t0 = 0.0, -1
        for t, v in enumerate(s.tolist()):
            if t < 250:
                continue
            u = max(0, u + v - float(calm.mean()) - 0.06)
            if u > 2.0 and t0 < 0:
                t0 = t
        out.append(t0)
    return torch.tensor(out)


# WRONG permutation_p: not more than 200 splits are drawn -> p is no whole number of splits over 1 + permutations
def permutation_p(a, b, permutations):
    pile, n = torch.cat([a, b]).double(), len(a)
    seen = abs(a.double().mean() - b.double().mean())
    hits, draws = 0, min(permutations, 200)
    for _ in range(draws):
        s = pile[torch.randperm(len(pile))]
        hits += abs(s[:n].mean() - s[n:].mean()) >= seen - 1e-6
    return float((1 + hits) / (1 + draws))


# WRONG permutation_p: compares without room for rounding, in float32 -> last digit
def permutation_p(a, b, permutations):
    pile, n = torch.cat([a, b]), len(a)
    seen = abs(pile[:n].mean() - pile[n:].mean())
    hits = 0
    for _ in range(permutations):
        s = pile[torch.randperm(len(pile))]
        hits += abs(s[:n].mean() - s[n:].mean()) >= seen
    return float((1 + hits) / (1 + permutations))


# WRONG permutation_p: the sums of the groups are compared, not their means -> medians|sums of the groups
def permutation_p(a, b, permutations):
    pile, n = torch.cat([a, b]).double(), len(a)
    seen = abs(a.double().sum() - b.double().sum())
    hits = 0
    for _ in range(permutations):
        s = pile[torch.randperm(len(pile))]
        hits += abs(s[:n].sum() - s[n:].sum()) >= seen - 1e-6
    return float((1 + hits) / (1 + permutations))


# WRONG permutation_p: the second group is drawn anew, and may share values with the first -> the second group is drawn anew
def permutation_p(a, b, permutations):
    pile, n, m = torch.cat([a, b]).double(), len(a), len(b)
    seen = abs(a.double().mean() - b.double().mean())
    hits = 0
    for _ in range(permutations):
        one, two = pile[torch.randperm(n + m)[:n]], pile[torch.randperm(n + m)[:m]]
        hits += abs(one.mean() - two.mean()) >= seen - 1e-6
    return float((1 + hits) / (1 + permutations))


# RIGHT psi: NumPy's searchsorted
def psi(reference, now, bins):
    import numpy as np

    cuts = torch.quantile(reference, torch.arange(1, bins) / bins).numpy()
    p, q = (np.bincount(np.searchsorted(cuts, v.numpy(), side="left"), minlength=bins) + 0.5 for v in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return np.sum((q - p) * np.log(q / p))


# RIGHT alarms: a plain loop
def alarms(p, level):
    values = [float(v) for v in p]
    out, left = [False] * len(values), len(values)
    for i in sorted(range(len(values)), key=values.__getitem__):
        if values[i] > level / left:
            break
        out[i], left = True, left - 1
    return out


# WRONG alarms: the test that stops it rings, too -> no alarm itself
def alarms(p, level):
    k = len(p)
    order = p.argsort()
    ok = (p[order].double() <= level / (k - torch.arange(k)) + 1e-12).long().cumprod(0).bool()
    ok = torch.cat([torch.ones(1).bool(), ok[:-1]])
    out = torch.zeros(k, dtype=torch.bool)
    out[order] = ok
    return out


# WRONG alarms: sorted order -> order of the p-values
def alarms(p, level):
    k = len(p)
    order = p.argsort()
    ok = (p[order].double() <= level / (k - torch.arange(k)) + 1e-12).long().cumprod(0).bool()
    out = torch.zeros(k, dtype=torch.bool)
    out = ok
    return out


# RIGHT permutation_p: the groups change sizes
def permutation_p(a, b, permutations):
    pile, n = torch.cat([a, b]).double(), len(a)
    seen = abs(pile[:n].mean() - pile[n:].mean())
    hits = 0
    for _ in range(permutations):
        s = pile[torch.randperm(len(pile))]
        hits += abs(s[: len(s) - n].mean() - s[len(s) - n :].mean()) >= seen - 1e-6
    return float((1 + hits) / (1 + permutations))


# WRONG psi: one cut too many -> as many bins as asked
def psi(reference, now, bins):
    """Population stability index of one feature, in bins of equal shares of the reference."""
    cuts = reference.quantile(torch.linspace(0, 1, bins + 2)[1:-1].to(reference))
    shares = []
    for sample in (reference, now):
        counts = torch.bincount((sample[:, None] > cuts).sum(1), minlength=bins + 1) + 0.5
        shares.append(counts / counts.sum())
    p, q = shares
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: a thousandth in place of a half -> half an example in both
def psi(reference, now, bins):
    """Population stability index of one feature, in bins of equal shares of the reference."""
    cuts = reference.quantile(torch.linspace(0, 1, bins + 1)[1:-1].to(reference))
    shares = []
    for sample in (reference, now):
        counts = torch.bincount((sample[:, None] > cuts).sum(1), minlength=bins) + 1e-3
        shares.append(counts / counts.sum())
    p, q = shares
    return ((q - p) * (q / p).log()).sum()


# WRONG permutation_p: a count over the permutations -> and no drawing can show that
def permutation_p(a, b, permutations):
    """The p-value of the distance of the means."""
    pile, n = torch.cat([a, b]).double(), len(a)
    observed = (a.double().mean() - b.double().mean()).abs()
    shuffled = torch.stack([pile[torch.randperm(len(pile))] for _ in range(permutations)])
    distance = (shuffled[:, :n].mean(1) - shuffled[:, n:].mean(1)).abs()
    return float((distance >= observed - 1e-9).sum() / permutations)


# WRONG permutation_p: twice the share -> p is twice what it should be
def permutation_p(a, b, permutations):
    """The p-value of the distance of the means."""
    pile, n = torch.cat([a, b]).double(), len(a)
    observed = (a.double().mean() - b.double().mean()).abs()
    shuffled = torch.stack([pile[torch.randperm(len(pile))] for _ in range(permutations)])
    distance = (shuffled[:, :n].mean(1) - shuffled[:, n:].mean(1)).abs()
    return float(2 * (1 + (distance >= observed - 1e-9).sum()) / (1 + permutations))


# WRONG alarms: the limits of one test more -> the two tests share the whole level
def alarms(p, level):
    """Which tests raise an alarm by Holm's rule, (k,) bool."""
    ordered, order = p.sort()
    passes = (ordered <= level / torch.arange(len(p) + 1, 1, -1)).int().cumprod(0).bool()
    answer = torch.zeros(len(p), dtype=torch.bool)
    answer[order] = passes
    return answer


# WRONG alarms: limits that grow with those before -> the level is divided by their number
def alarms(p, level):
    """Which tests raise an alarm by Holm's rule, (k,) bool."""
    ordered, order = p.sort()
    passes = (ordered <= level * torch.arange(1, len(p) + 1) / len(p)).int().cumprod(0).bool()
    answer = torch.zeros(len(p), dtype=torch.bool)
    answer[order] = passes
    return answer


# WRONG detect: never above 0 -> after its change every answer of a stream is wrong
def detect(calm, streams):
    """The time of each stream's alarm, (n,), or -1."""
    rate, slack = float(calm.mean()), 0.06

    def heights(x):
        now, found = torch.zeros(len(x)), []
        for value in x.T:
            now = (now + value - rate - slack).clamp_max(0)
            found.append(now)
        return torch.stack(found, 1)

    there = heights(streams) > heights(calm).amax(1).quantile(0.97)
    return torch.where(there.any(1), there.int().argmax(1), -1)


# WRONG detect: the slack is added, not taken off -> is more than the usual rate taken off
def detect(calm, streams):
    """The time of each stream's alarm, (n,), or -1."""
    rate, slack = float(calm.mean()), 0.06

    def heights(x):
        now, found = torch.zeros(len(x)), []
        for value in x.T:
            now = (now + value - rate + slack).clamp_min(0)
            found.append(now)
        return torch.stack(found, 1)

    there = heights(streams) > heights(calm).amax(1).quantile(0.97)
    return torch.where(there.any(1), there.int().argmax(1), -1)


# WRONG psi: one term of the sum is lost -> the sum is 1/4 log(3/2)
def psi(reference, now, bins):
    cuts = torch.quantile(reference, torch.linspace(0, 1, bins + 1)[1:-1])
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log())[:-1].sum()


# WRONG psi: cuts at values of the reference -> meet in the middle
def psi(reference, now, bins):
    cuts = reference.sort().values[torch.arange(1, bins) * len(reference) // bins]
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=bins) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# WRONG psi: the reference's shares are taken for equal -> not taken for equal
def psi(reference, now, bins):
    cuts = torch.quantile(reference, torch.linspace(0, 1, bins + 1)[1:-1])
    q = torch.bincount((now[:, None] > cuts).sum(1), minlength=bins) + 0.5
    p, q = torch.full((bins,), 1 / bins), q / q.sum()
    return ((q - p) * (q / p).log()).sum()


# WRONG permutation_p: only the first group is drawn anew -> one split of four
def permutation_p(a, b, permutations):
    pile, n, count = torch.cat([a, b]), len(a), 1
    observed = (a.mean() - b.mean()).abs()
    for _ in range(permutations):
        pile[:n] = a[torch.randint(n, (n,))]
        count += int((pile[:n].mean() - pile[n:].mean()).abs() >= observed - 1e-6)
    return count / (1 + permutations)


# WRONG alarms: the level is written down -> the level is the one that is given
def alarms(p, level):
    ordered, order = p.sort()
    passes = (ordered <= 0.05 / torch.arange(len(p), 0, -1)).int().cumprod(0).bool()
    return torch.zeros(len(p), dtype=torch.bool).scatter(0, order, passes)


# WRONG alarms: true where there is none -> True is an alarm
def alarms(p, level):
    ordered, order = p.sort()
    passes = (ordered <= level / torch.arange(len(p), 0, -1)).int().cumprod(0).bool()
    return ~torch.zeros(len(p), dtype=torch.bool).scatter(0, order, passes)


# WRONG permutation_p: one pair of values changes places -> one pair of values changes places
def permutation_p(a, b, permutations):
    obs = (a.double().mean() - b.double().mean()).abs()
    c = 0
    for _ in range(permutations):
        u, v = a.double().clone(), b.double().clone()
        i, j = int(torch.randint(len(a), ())), int(torch.randint(len(b), ()))
        u[i], v[j] = v[j].clone(), u[i].clone()
        c += int((u.mean() - v.mean()).abs() >= obs - 1e-9)
    return (1 + c) / (1 + permutations)


# WRONG alarms: the numbers of the tests -> True or False is asked for each
def alarms(p, level):
    o, order = p.sort()
    ok = (o <= level / torch.arange(len(p), 0, -1)).int().cumprod(0).bool()
    return order[ok]


# WRONG alarms: half of the level -> share the whole level
def alarms(p, level):
    o, order = p.sort()
    ok = (o <= level / 2 / torch.arange(len(p), 0, -1)).int().cumprod(0).bool()
    a = torch.zeros(len(p), dtype=torch.bool)
    a[order] = ok
    return a


# WRONG permutation_p: one group is drawn, the other stays -> only one of the two groups drawn
def permutation_p(a, b, permutations):
    pile = torch.cat([a, b]).double()
    observed = abs(a.double().mean() - b.double().mean())
    count = 0
    for _ in range(permutations):
        mixed = pile[torch.randperm(len(pile))]
        distance = abs(mixed[: len(a)].mean() - b.double().mean())
        count += int(distance >= observed - 1e-6)
    return (1 + count) / (1 + permutations)


# WRONG alarms: put back by the order itself -> where they stand
def alarms(p, level):
    k = len(p)
    order = p.argsort()
    below = p[order] <= level / (k - torch.arange(k))
    answer = torch.zeros(k, dtype=torch.bool)
    answer = below.int().cumprod(0).bool()[order]
    return answer


# WRONG permutation_p: a distance 0.1 shorter is as far -> splits that are nearer than a and b count
def permutation_p(a, b, permutations):
    pile = torch.cat([a, b]).double()
    observed = abs(a.double().mean() - b.double().mean())
    count = 0
    for _ in range(permutations):
        mixed = pile[torch.randperm(len(pile))]
        distance = abs(mixed[: len(a)].mean() - mixed[len(a) :].mean())
        count += int(distance >= observed - 0.1)
    return (1 + count) / (1 + permutations)


# WRONG permutation_p: each sample is centred before they are pooled -> own mean is taken off before they are pooled
def permutation_p(a, b, permutations):
    centred = torch.cat([a - a.mean(), b - b.mean()])
    n = len(a)
    seen = (a.mean() - b.mean()).abs()
    hits = 0
    for _ in range(permutations):
        m = centred[torch.randperm(len(centred))]
        hits += int((m[:n].mean() - m[n:].mean()).abs() >= seen - 1e-6)
    return (1 + hits) / (1 + permutations)


# WRONG detect: looks for fewer mistakes (sign) -> more mistakes than usual
def detect(calm, streams):
    rate = float(calm.mean())

    def sums(s):
        g, out = torch.zeros(len(s)), []
        for t in range(s.shape[1]):
            g = (g + rate - s[:, t] - 0.01).clamp(min=0)
            out.append(g)
        return torch.stack(out, 1)

    bound = torch.quantile(sums(calm).amax(1), 0.97)
    over = sums(streams) > bound
    return torch.where(over.any(1), over.int().argmax(1), -1)


# WRONG psi: equal cuts are taken once, so that there are fewer bins -> between two equal cuts
def psi(reference, now, bins):
    cuts = torch.quantile(reference, torch.linspace(0, 1, bins + 1)[1:-1]).unique()
    p, q = (torch.bincount((s[:, None] > cuts).sum(1), minlength=len(cuts) + 1) + 0.5 for s in (reference, now))
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * (q / p).log()).sum())


# WRONG detect: does not look at the first 100 arrivals -> soon after the start
def detect(calm, streams):
    def heights(those):
        excess, height = those - calm.mean() - 0.075, [torch.zeros(len(those))]
        for t in range(100, those.shape[1]):
            height.append((height[-1] + excess[:, t]).clamp_min(0))
        return torch.stack(height[:1] * 100 + height[1:], 1)

    over = heights(streams) > heights(calm).amax(1).quantile(0.96)
    return torch.where(over.any(1), over.int().argmax(1), -1)
