"""Other answers to lab 13, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT judged: stream by stream
def judged(alarms, changes, length):
    false, delays = 0, []
    for alarm, change in zip(alarms.tolist(), changes.tolist()):
        if alarm < change:
            false += 1
        elif alarm < length:
            delays.append(alarm - change)
    return [false, len(delays), sorted(delays)[len(delays) // 2] if delays else float("inf")]


# RIGHT judged: with NumPy
def judged(alarms, changes, length):
    import numpy as np

    a, c = alarms.numpy(), changes.numpy()
    true = (a >= c) & (a != length)
    return np.sum(a < c), np.sum(true), np.median((a - c)[true]) if true.any() else np.inf


# WRONG judged: the delay counts from 0 -> from the beginning of the stream
def judged(alarms, changes, length):
    caught = (alarms >= changes) & (alarms < length)
    delay = float(alarms[caught].double().median()) if caught.any() else math.inf
    return int((alarms < changes).sum()), int(caught.sum()), delay


# WRONG judged: every alarm is a detection -> no catch: how many are caught
def judged(alarms, changes, length):
    caught = alarms < length
    delay = float((alarms - changes)[caught].double().median()) if caught.any() else math.inf
    return int((alarms < changes).sum()), int(caught.sum()), delay


# WRONG judged: early alarms count as caught at once -> is false, and no catch: how many are false
def judged(alarms, changes, length):
    caught = alarms < length
    delay = float((alarms - changes).clamp_min(0)[caught].double().median()) if caught.any() else math.inf
    return 0, int(caught.sum()), delay


# WRONG judged: an alarm at the change is false -> very time of the change
def judged(alarms, changes, length):
    caught = (alarms > changes) & (alarms < length)
    delay = float((alarms - changes)[caught].double().median()) if caught.any() else math.inf
    return int((alarms <= changes).sum()), int(caught.sum()), delay


# WRONG judged: streams without a change are left out -> every alarm is false
def judged(alarms, changes, length):
    there = changes < length
    caught = there & (alarms >= changes) & (alarms < length)
    delay = float((alarms - changes)[caught].double().median()) if caught.any() else math.inf
    return int((there & (alarms < changes)).sum()), int(caught.sum()), delay


# WRONG judged: no alarm counts as one at the end -> at `length` there is none|no success|neither false nor caught
def judged(alarms, changes, length):
    caught = alarms >= changes
    delay = float((alarms - changes)[caught].double().median()) if caught.any() else math.inf
    return int((alarms < changes).sum()), int(caught.sum()), delay


# WRONG judged: the mean delay -> their median delay
def judged(alarms, changes, length):
    caught = (alarms >= changes) & (alarms < length)
    delay = float((alarms - changes)[caught].double().mean()) if caught.any() else math.inf
    return int((alarms < changes).sum()), int(caught.sum()), delay


# WRONG judged: the first change for all streams -> change of its own
def judged(alarms, changes, length):
    caught = (alarms >= changes) & (alarms < length)
    delay = float((alarms - changes[0])[caught].double().median()) if caught.any() else math.inf
    return int((alarms < changes).sum()), int(caught.sum()), delay


# WRONG judged: missed changes count with the longest delay -> have no delay
def judged(alarms, changes, length):
    caught = (alarms >= changes) & (alarms < length)
    late = (alarms - changes)[(alarms >= changes)]
    return int((alarms < changes).sum()), int(caught.sum()), float(late.double().median()) if caught.any() else math.inf


# RIGHT first_look: look by look
def first_look(p, level):
    k, m = p.shape
    for t in range(m):
        if float(p[:, t].min()) * k * m <= level + 1e-15:
            return t
    return -1


# RIGHT first_look: as a tensor
def first_look(p, level):
    looks = (p.min(dim=0).values <= level / (p.shape[0] * p.shape[1])).nonzero()
    return looks[0, 0] if len(looks) else torch.tensor(-1)


# WRONG first_look: no correction -> are signals and looks counted|all p-values are 0.5
def first_look(p, level):
    there = (p <= level).any(0)
    return int(there.int().argmax()) if there.any() else -1


# WRONG first_look: corrected for signals only -> at 50 looks of 2 signals|are signals and looks
def first_look(p, level):
    there = (p <= level / p.shape[0]).any(0)
    return int(there.int().argmax()) if there.any() else -1


# WRONG first_look: corrected for looks only -> at 50 looks of 2 signals|at 2 looks of 50 signals
def first_look(p, level):
    there = (p <= level / p.shape[1]).any(0)
    return int(there.int().argmax()) if there.any() else -1


# WRONG first_look: corrected for the looks so far -> first look may take no more|at 50 looks of 2 signals
def first_look(p, level):
    so_far = torch.arange(1, p.shape[1] + 1)
    there = (p <= level / (p.shape[0] * so_far)).any(0)
    return int(there.int().argmax()) if there.any() else -1


# WRONG first_look: Holm over all looks, those to come too -> no Holm
def first_look(p, level):
    ordered, order = p.flatten().sort()
    passes = (ordered <= level / torch.arange(p.numel(), 0, -1)).int().cumprod(0).bool()
    there = torch.zeros(p.numel(), dtype=torch.bool)
    there[order] = passes
    there = there.view(p.shape).any(0)
    return int(there.int().argmax()) if there.any() else -1


# WRONG first_look: the clearest look -> the clearest
def first_look(p, level):
    low = p.min(0).values
    return int(low.argmin()) if low.min() <= level / p.numel() else -1


# WRONG first_look: the last alarm -> the last
def first_look(p, level):
    looks = (p <= level / p.numel()).any(0).nonzero()
    return int(looks[-1]) if len(looks) else -1


# WRONG first_look: the place in the flat table -> a place in the table's numbers
def first_look(p, level):
    there = (p <= level / p.numel()).flatten()
    return int(there.int().argmax()) if there.any() else -1


# WRONG first_look: below the limit only -> equals its limit
def first_look(p, level):
    there = (p < level / p.numel()).any(0)
    return int(there.int().argmax()) if there.any() else -1


# WRONG first_look: all signals must agree -> one signal is enough
def first_look(p, level):
    there = (p <= level / p.shape[1]).all(0)
    return int(there.int().argmax()) if there.any() else -1


# WRONG first_look: 0 where there is none -> 0 where there is no alarm
def first_look(p, level):
    return int((p <= level / p.numel()).any(0).int().argmax())


# RIGHT own_nearest: all distances at once
def own_nearest(senders, queries, window):
    n, away = len(senders), torch.cdist(queries.double(), queries.double(), compute_mode="donot_use_mm_for_euclid_dist")
    same = senders[:, None] == senders
    rank = torch.zeros(n, dtype=torch.long)
    for s in senders.unique():
        own = senders == s
        rank[own] = torch.arange(int(own.sum()))
    ago = rank[:, None] - rank
    return away.where(same & (ago > 0) & (ago <= window), torch.inf).amin(1)


# RIGHT own_nearest: with deques, as a list
def own_nearest(senders, queries, window):
    from collections import defaultdict, deque

    sent = defaultdict(lambda: deque(maxlen=window))
    answer = []
    for s, q in zip(senders.tolist(), queries.numpy()):
        answer.append(min((float(((q - old) ** 2).sum() ** 0.5) for old in sent[s]), default=math.inf))
        sent[s].append(q)
    return answer


# WRONG own_nearest: among all senders -> has none before it|another sender's
def own_nearest(senders, queries, window):
    answer = []
    for i in range(len(senders)):
        last = queries[max(0, i - window) : i]
        answer.append(float((last - queries[i]).norm(dim=1).min()) if i else math.inf)
    return torch.tensor(answer)


# WRONG own_nearest: the window counts everybody's queries -> push none out|with a window
def own_nearest(senders, queries, window):
    answer = []
    for i in range(len(senders)):
        own = [j for j in range(max(0, i - window), i) if senders[j] == senders[i]]
        answer.append(float((queries[own] - queries[i]).norm(dim=1).min()) if own else math.inf)
    return torch.tensor(answer)


# WRONG own_nearest: no window at all -> all earlier queries were looked at
def own_nearest(senders, queries, window):
    answer = []
    for i in range(len(senders)):
        own = [j for j in range(i) if senders[j] == senders[i]]
        answer.append(float((queries[own] - queries[i]).norm(dim=1).min()) if own else math.inf)
    return torch.tensor(answer)


# WRONG own_nearest: the first of the sender's queries, not the last -> the first `window` queries were looked at
def own_nearest(senders, queries, window):
    answer = []
    for i in range(len(senders)):
        own = [j for j in range(i) if senders[j] == senders[i]][:window]
        answer.append(float((queries[own] - queries[i]).norm(dim=1).min()) if own else math.inf)
    return torch.tensor(answer)


# WRONG own_nearest: a query is its own neighbour -> no neighbour of itself
def own_nearest(senders, queries, window):
    answer = []
    for i in range(len(senders)):
        own = [j for j in range(i + 1) if senders[j] == senders[i]][-window:]
        answer.append(float((queries[own] - queries[i]).norm(dim=1).min()))
    return torch.tensor(answer)


# WRONG own_nearest: later queries too -> none before it|none that comes later
def own_nearest(senders, queries, window):
    answer = []
    for i in range(len(senders)):
        own = [j for j in range(len(senders)) if senders[j] == senders[i] and j != i and abs(j - i) <= window]
        answer.append(float((queries[own] - queries[i]).norm(dim=1).min()) if own else math.inf)
    return torch.tensor(answer)


# WRONG own_nearest: 0 for a first query -> infinite
def own_nearest(senders, queries, window):
    answer = []
    for i in range(len(senders)):
        own = [j for j in range(i) if senders[j] == senders[i]][-window:]
        answer.append(float((queries[own] - queries[i]).norm(dim=1).min()) if own else 0.0)
    return torch.tensor(answer)


# WRONG own_nearest: squared -> this is the square of the distance
def own_nearest(senders, queries, window):
    answer = []
    for i in range(len(senders)):
        own = [j for j in range(i) if senders[j] == senders[i]][-window:]
        answer.append(float(((queries[own] - queries[i]) ** 2).sum(1).min()) if own else math.inf)
    return torch.tensor(answer)


# WRONG own_nearest: the farthest -> farthest
def own_nearest(senders, queries, window):
    answer = []
    for i in range(len(senders)):
        own = [j for j in range(i) if senders[j] == senders[i]][-window:]
        answer.append(float((queries[own] - queries[i]).norm(dim=1).max()) if own else math.inf)
    return torch.tensor(answer)


# WRONG own_nearest: the last one only -> the query just before
def own_nearest(senders, queries, window):
    last, answer = {}, []
    for s, q in zip(senders.tolist(), queries):
        answer.append(float((last[s] - q).norm()) if s in last else math.inf)
        last[s] = q
    return torch.tensor(answer)


# RIGHT hidden_among: as one table
def hidden_among(queries, honest, window):
    n, d = queries.shape
    turns = torch.arange((n - 1) * window) % len(honest)
    between = honest[turns].reshape(n - 1, window, d)
    return torch.cat([torch.cat([queries[:-1, None], between], 1).reshape(-1, d), queries[-1:]])


# RIGHT hidden_among: with an iterator, the honest ones backwards
def hidden_among(queries, honest, window):
    from itertools import cycle, islice

    others, sent = cycle(honest.flip(0)), []
    for query in queries:
        sent += [*islice(others, window if sent else 0), query]
    return torch.stack(sent)


# WRONG hidden_among: one honest row too few -> one honest row between two queries
def hidden_among(queries, honest, window):
    sent, turn = [queries[0]], 0
    for query in queries[1:]:
        for _ in range(window - 1):
            sent.append(honest[turn % len(honest)])
            turn += 1
        sent.append(query)
    return torch.stack(sent)


# WRONG hidden_among: honest rows after the last query too -> more rows than needed
def hidden_among(queries, honest, window):
    sent, turn = [], 0
    for query in queries:
        sent.append(query)
        for _ in range(window):
            sent.append(honest[turn % len(honest)])
            turn += 1
    return torch.stack(sent)


# WRONG hidden_among: always the same honest row -> comes again within the window
def hidden_among(queries, honest, window):
    sent = [queries[0]]
    for query in queries[1:]:
        sent += [honest[0]] * window + [query]
    return torch.stack(sent)


# WRONG hidden_among: honest rows drawn at random, with repeats -> comes again within the window
def hidden_among(queries, honest, window):
    sent = [queries[0]]
    for query in queries[1:]:
        sent += [*honest[torch.randint(len(honest), (window,))], query]
    return torch.stack(sent)


# WRONG hidden_among: the same order, from another honest row each time -> comes again within the window
def hidden_among(queries, honest, window):
    sent = [queries[0]]
    for i, query in enumerate(queries[1:]):
        sent += [honest[(i * (window - 1) + j) % len(honest)] for j in range(window)] + [query]
    return torch.stack(sent)


# WRONG hidden_among: backwards -> in their order
def hidden_among(queries, honest, window):
    queries, turn = queries.flip(0), 0
    sent = [queries[0]]
    for query in queries[1:]:
        for _ in range(window):
            sent.append(honest[turn % len(honest)])
            turn += 1
        sent.append(query)
    return torch.stack(sent)


# WRONG hidden_among: noise in place of honest rows -> rows of honest|row of honest
def hidden_among(queries, honest, window):
    sent = [queries[0]]
    for query in queries[1:]:
        sent += [*(10 + torch.rand(window, queries.shape[1])), query]
    return torch.stack(sent)


# WRONG hidden_among: all queries first -> 2 others between
def hidden_among(queries, honest, window):
    turns = torch.arange((len(queries) - 1) * window) % len(honest)
    return torch.cat([queries, honest[turns]])


# RIGHT reports: made from pairs
reports = dict(zip("ABCDE", ["tuned", "rare", "cause", "future", "sound"]))


# RIGHT reports: letter by letter
reports = {"E": "sound"}
reports.update(A="tuned", B="rare")
reports |= {"C": "cause", "D": "future"}


# WRONG reports: trusts a threshold that fits -> report A
reports = {"A": "sound", "B": "rare", "C": "cause", "D": "future", "E": "sound"}


# WRONG reports: trusts a flood -> report B
reports = {"A": "tuned", "B": "sound", "C": "cause", "D": "future", "E": "sound"}


# WRONG reports: takes a fall for an attack -> report C
reports = {"A": "tuned", "B": "rare", "C": "sound", "D": "future", "E": "sound"}


# WRONG reports: trusts a replay -> report D
reports = {"A": "tuned", "B": "rare", "C": "cause", "D": "sound", "E": "sound"}


# WRONG reports: trusts nobody -> report E
reports = {"A": "tuned", "B": "rare", "C": "cause", "D": "future", "E": "rare"}


# WRONG reports: a word of its own -> one of the five words
reports = {"A": "wrong", "B": "rare", "C": "cause", "D": "future", "E": "sound"}


# RIGHT attack_or_drift: gamblers' odds in windows, and the nearest example by logistic regression
def attack_or_drift(calm, examples, streams):
    from sklearn.linear_model import LogisticRegression

    mean, std = calm.mean((0, 2)).double()[:, None], calm.std((0, 2)).double()[:, None]

    def last(x, width=25):
        sums = torch.nn.functional.pad(((x.double() - mean) / std).cumsum(2), (1, 0))
        found = torch.full_like(x, -9.0, dtype=torch.float64)
        found[..., width - 1 :] = sums[..., width:] - sums[..., :-width]
        return found

    reached = last(calm).amax(2)
    scale = reached.mean(0)[:, None]
    threshold = float((last(calm) / scale).amax((1, 2)).quantile(0.96))
    high = (last(streams) / scale).amax(1) > threshold
    times = [int(row.int().argmax()) if row.any() else -1 for row in high]

    def look(x, t):
        v = ((x[:, t : t + 50].double() - mean) / std).mean(1)
        return (v / v.norm().clamp_min(1e-9)).numpy()

    xs = [look(x, t) for name in examples for x in examples[name] for t in (200, 220, 260)]
    rule = LogisticRegression(C=30.0, max_iter=2000).fit(xs, [n for n in examples for _ in range(3 * len(examples[n]))])
    return times, ["" if t < 0 else str(rule.predict([look(x, t)])[0]) for x, t in zip(streams, times)]


# RIGHT attack_or_drift: one sum over the four signals' own sums, names by the example that looks most alike
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2), keepdim=True), calm.std((0, 2), keepdim=True)

    def heights(x):
        z, up, found = (x - mean) / std, torch.zeros(len(x), 4), []
        for t in range(x.shape[2]):
            up = (up + z[:, :, t] - 0.3).clamp_min(0)
            found.append(up)
        return torch.stack(found, 2)

    h = heights(calm).amax(2)
    thresholds = h.mean(0) + 1.0 * h.std(0)
    extra = ((h - thresholds) / h.std(0)).amax(1).quantile(0.96)
    thresholds = (thresholds + extra * h.std(0))[:, None]
    over = (heights(streams) > thresholds).any(1)
    times = torch.where(over.any(1), over.int().argmax(1), torch.tensor(-1))

    def look(x):
        v = ((x - mean[0]) / std[0]).mean(1)
        return v / v.norm().clamp_min(1e-9)

    known = {name: torch.stack([look(x[:, 200:]) for x in group]).mean(0) for name, group in examples.items()}
    names = []
    for x, t in zip(streams, times.tolist()):
        here = look(x[:, t : t + 50]) if t >= 0 else None
        names.append(min(known, key=lambda name: float((known[name] - here).norm())) if t >= 0 else "")
    return times, names


# WRONG attack_or_drift: names by the mistakes alone -> another name|right names
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    reached = heights(calm).amax(2)
    scale = reached.mean(0)
    threshold = (reached / scale).amax(1).quantile(0.97)
    there = (heights(streams) / scale[:, None]).amax(1) > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    rates = {name: float(x[:, 3, 200:].mean()) for name, x in examples.items()}
    said = []
    for stream, time in zip(streams, times.tolist()):
        here = float(stream[3, time : time + 50].mean())
        said.append("" if time < 0 else min(rates, key=lambda name: abs(rates[name] - here)))
    return times, said


# WRONG attack_or_drift: names by the mean of all four signals -> another name|right names
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    reached = heights(calm).amax(2)
    scale = reached.mean(0)
    threshold = (reached / scale).amax(1).quantile(0.97)
    there = (heights(streams) / scale[:, None]).amax(1) > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    rates = {name: float(x[:, :, 200:].mean()) for name, x in examples.items()}
    said = []
    for stream, time in zip(streams, times.tolist()):
        here = float(stream[:, time : time + 50].mean())
        said.append("" if time < 0 else min(rates, key=lambda name: abs(rates[name] - here)))
    return times, said


# WRONG attack_or_drift: always the same name -> get one name
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    reached = heights(calm).amax(2)
    scale = reached.mean(0)
    threshold = (reached / scale).amax(1).quantile(0.97)
    there = (heights(streams) / scale[:, None]).amax(1) > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    return times, ["" if time < 0 else "evasion" for time in times.tolist()]


# WRONG attack_or_drift: the name looks at the rest of the stream -> names changed
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    reached = heights(calm).amax(2)
    scale = reached.mean(0)
    threshold = (reached / scale).amax(1).quantile(0.97)
    there = (heights(streams) / scale[:, None]).amax(1) > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)

    def direction(window):
        away = (window.mean(-1) - mean) / std
        return away / away.norm(dim=-1, keepdim=True).clamp_min(1e-9)

    names = list(examples)
    known = torch.stack([direction(examples[name][..., 200:]).mean(0) for name in names])
    said = []
    for stream, time in zip(streams, times.tolist()):
        said.append("" if time < 0 else names[int((known @ direction(stream[:, time:])).argmax())])
    return times, said


# WRONG attack_or_drift: the threshold is set on five calm streams -> too many false alarms|without an incident|more is usual
def attack_or_drift(calm, examples, streams):
    calm = calm[:5]
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    scale = heights(calm).amax(2).mean(0)
    threshold = 1.0
    there = (heights(streams) / scale[:, None]).amax(1) > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    known = {name: (x[..., 200:].mean((0, 2)) - mean) / std for name, x in examples.items()}
    said = []
    for stream, time in zip(streams, times.tolist()):
        here = (stream[:, time : time + 50].mean(1) - mean) / std
        near = lambda name: -float(torch.cosine_similarity(known[name], here, dim=0))
        said.append("" if time < 0 else min(known, key=near))
    return times, said


# WRONG attack_or_drift: each signal has a threshold of its own at 10 %, and four chances -> without an incident|set together
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    thresholds = heights(calm).amax(2).quantile(0.9, dim=0)
    there = (heights(streams) > thresholds[:, None]).any(1)
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    known = {name: (x[..., 200:].mean((0, 2)) - mean) / std for name, x in examples.items()}
    said = []
    for stream, time in zip(streams, times.tolist()):
        here = (stream[:, time : time + 50].mean(1) - mean) / std
        near = lambda name: -float(torch.cosine_similarity(known[name], here, dim=0))
        said.append("" if time < 0 else min(known, key=near))
    return times, said


# WRONG attack_or_drift: the threshold is set on the streams that are judged -> other streams|knew the future
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    scale = heights(calm).amax(2).mean(0)
    high = (heights(streams) / scale[:, None]).amax(1)
    threshold = high[:, :200].amax(1).quantile(0.97).clamp_min(1.0)
    there = high > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    known = {name: (x[..., 200:].mean((0, 2)) - mean) / std for name, x in examples.items()}
    said = []
    for stream, time in zip(streams, times.tolist()):
        here = (stream[:, time : time + 50].mean(1) - mean) / std
        near = lambda name: -float(torch.cosine_similarity(known[name], here, dim=0))
        said.append("" if time < 0 else min(known, key=near))
    return times, said


# WRONG attack_or_drift: the place of the highest sum -> knew the future
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    reached = heights(calm).amax(2)
    scale = reached.mean(0)
    threshold = (reached / scale).amax(1).quantile(0.97)
    high = (heights(streams) / scale[:, None]).amax(1)
    times = torch.where(high.amax(1) > threshold, high.argmax(1), -1)
    return times, ["" if time < 0 else "other unit" for time in times.tolist()]


# WRONG attack_or_drift: watches the mistakes alone -> are all four signals watched
def attack_or_drift(calm, examples, streams):
    rate = float(calm[:, 3].mean())

    def heights(x):
        now, found = torch.zeros(len(x)), []
        for value in x[:, 3].unbind(1):
            now = (now + value - rate - 0.08).clamp_min(0)
            found.append(now)
        return torch.stack(found, 1)

    threshold = heights(calm).amax(1).quantile(0.97)
    there = heights(streams) > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    mean, std = calm.mean((0, 2)), calm.std((0, 2))
    known = {name: (x[..., 200:].mean((0, 2)) - mean) / std for name, x in examples.items()}
    said = []
    for stream, time in zip(streams, times.tolist()):
        here = (stream[:, time : time + 50].mean(1) - mean) / std
        near = lambda name: -float(torch.cosine_similarity(known[name], here, dim=0))
        said.append("" if time < 0 else min(known, key=near))
    return times, said


# WRONG attack_or_drift: thresholds that are written down -> calm streams say
def attack_or_drift(calm, examples, streams):
    usual = torch.tensor([1 / 6, 1 / 6, 1 / 6, 0.05])
    spread = torch.tensor([0.16, 0.16, 0.16, 0.22])

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - usual) / spread - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    there = (heights(streams) > torch.tensor([12.0, 12, 12, 22])[:, None]).any(1)
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    known = {name: (x[..., 200:].mean((0, 2)) - usual) / spread for name, x in examples.items()}
    said = []
    for stream, time in zip(streams, times.tolist()):
        here = (stream[:, time : time + 50].mean(1) - usual) / spread
        near = lambda name: -float(torch.cosine_similarity(known[name], here, dim=0))
        said.append("" if time < 0 else min(known, key=near))
    return times, said


# WRONG attack_or_drift: the first unusual arrival -> without an incident|too many
def attack_or_drift(calm, examples, streams):
    there = (streams[:, :3] > 0.9).any(1)
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    mean, std = calm.mean((0, 2)), calm.std((0, 2))
    known = {name: (x[..., 200:].mean((0, 2)) - mean) / std for name, x in examples.items()}
    said = []
    for stream, time in zip(streams, times.tolist()):
        here = (stream[:, time : time + 50].mean(1) - mean) / std
        near = lambda name: -float(torch.cosine_similarity(known[name], here, dim=0))
        said.append("" if time < 0 else min(known, key=near))
    return times, said


# WRONG attack_or_drift: never an alarm -> and no alarm
def attack_or_drift(calm, examples, streams):
    return torch.full((len(streams),), -1), [""] * len(streams)


# WRONG attack_or_drift: always at the time of the examples -> nothing is unusual at all
def attack_or_drift(calm, examples, streams):
    return torch.full((len(streams),), 205), ["evasion"] * len(streams)


# WRONG attack_or_drift: a name without an alarm -> needs a name
def attack_or_drift(calm, examples, streams):
    there = streams[:, :3].mean(1) > 0.9
    return torch.where(there.any(1), there.int().argmax(1), -1), ["evasion"] * len(streams)


# WRONG judged: an alarm at the last arrival is none -> at the last arrival
def judged(alarms, changes, length):
    false = int((alarms < changes).sum())
    caught = (alarms >= changes) & (alarms < length - 1)
    delay = float((alarms - changes)[caught].double().median()) if caught.any() else math.inf
    return false, int(caught.sum()), delay


# WRONG first_look: Šidák's limit, for independent tests -> no formula for independent tests
def first_look(p, level):
    there = (p <= 1 - (1 - level) ** (1 / p.numel())).any(0)
    return int(there.int().argmax()) if there.any() else -1


# WRONG attack_or_drift: looks from the time on at which the examples change -> only those of the examples begin there
def attack_or_drift(calm, examples, streams):
    """The times of the alarms (n,), or -1, and n names, or ""."""
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        """A sum that never falls below 0, for each signal, (n, 4, T)."""
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    reached = heights(calm).amax(2)  # (runs, 4)
    scale = reached.mean(0)
    threshold = (reached / scale).amax(1).quantile(0.97)
    there = (heights(streams) / scale[:, None]).amax(1) > threshold
    there[:, :200] = False
    times = torch.where(there.any(1), there.int().argmax(1), -1)

    def direction(window):
        away = (window.mean(-1) - mean) / std
        return away / away.norm(dim=-1, keepdim=True).clamp_min(1e-9)

    names = list(examples)
    known = torch.stack([direction(examples[name][..., 200:]).mean(0) for name in names])
    said = []
    for stream, time in zip(streams, times.tolist(), strict=True):
        place = direction(stream[:, time : time + 50]) if time >= 0 else None
        said.append("" if time < 0 else names[int((known @ place).argmax())])
    return times, said


# WRONG first_look: the first signal that rings decides, not the first look -> at which *any* signal rings
def first_look(p, level):
    places = (p <= level / p.numel()).nonzero()
    return int(places[0, 1]) if len(places) else -1


# RIGHT hidden_among: the same window of honest rows in each gap
def own_nearest(senders, queries, window):
    d = torch.cdist(queries.double(), queries.double(), compute_mode="donot_use_mm_for_euclid_dist")
    out = torch.full((len(queries),), math.inf, dtype=torch.float64)
    for i in range(len(queries)):
        before = (senders[:i] == senders[i]).nonzero()[:, 0][-window:]
        if len(before):
            out[i] = d[i, before].min()
    return out


def hidden_among(queries, honest, window):
    rows = [queries[:1]]
    for q in queries[1:]:
        rows += [honest[:window], q[None]]
    return torch.cat(rows)


# WRONG judged: a change at time 0 is no change -> change at time 0
def judged(alarms, changes, length):
    hit = (changes > 0) & (alarms >= changes) & (alarms < length)
    d = sorted((alarms - changes)[hit].tolist())
    mid = len(d) // 2
    med = math.inf if not d else d[mid] if len(d) % 2 else (d[mid - 1] + d[mid]) / 2
    return int((alarms < changes).sum()), int(hit.sum()), med


# WRONG judged: 0 where nothing is caught -> their median delay
def judged(alarms, changes, length):
    hit = (alarms >= changes) & (alarms < length)
    d = sorted((alarms - changes)[hit].tolist())
    mid = len(d) // 2
    med = 0.0 if not d else d[mid] if len(d) % 2 else (d[mid - 1] + d[mid]) / 2
    return int((alarms < changes).sum()), int(hit.sum()), med


# WRONG first_look: all signals must ring -> one signal is enough
def first_look(p, level):
    hit = (p.double() <= level / p.numel() * (1 + 1e-9)).all(0)
    return int(hit.long().argmax()) if hit.any() else -1


# WRONG first_look: the signal's number -> signal's number
def first_look(p, level):
    hit = (p.double() <= level / p.numel() * (1 + 1e-9)).any(1)
    return int(hit.long().argmax()) if hit.any() else -1


# WRONG first_look: 0.05 whatever the level -> that is given
def first_look(p, level):
    hit = (p.double() <= 0.05 / p.numel() * (1 + 1e-9)).any(0)
    return int(hit.long().argmax()) if hit.any() else -1


# WRONG own_nearest: memory outlives the call -> empty memory
def own_nearest(senders, queries, window):
    memory, out = own_nearest.__dict__.setdefault("kept", {}), []
    for s, q in zip(senders.tolist(), queries):
        seen = memory.setdefault(s, [])
        out.append(min((float((q - v).norm()) for v in seen[-window:]), default=math.inf))
        seen.append(q)
    return torch.tensor(out)


def hidden_among(queries, honest, window):
    rows, j = [], 0
    for i, q in enumerate(queries):
        if i:
            for _ in range(window):
                rows.append(honest[j % len(honest)])
                j += 1
        rows.append(q)
    return torch.stack(rows)


# WRONG own_nearest: zero distances are skipped -> distance of 0
def own_nearest(senders, queries, window):
    memory, out = {}, []
    for s, q in zip(senders.tolist(), queries):
        seen = memory.setdefault(s, [])
        out.append(min((float((q - v).norm()) for v in seen[-window:] if not torch.equal(q, v)), default=math.inf))
        seen.append(q)
    return torch.tensor(out)


def hidden_among(queries, honest, window):
    rows, j = [], 0
    for i, q in enumerate(queries):
        if i:
            for _ in range(window):
                rows.append(honest[j % len(honest)])
                j += 1
        rows.append(q)
    return torch.stack(rows)


# WRONG judged: no false alarm where nothing changed -> where nothing changed every alarm is false
def judged(alarms, changes, length):
    """False alarms, changes caught, and the median delay of those caught."""
    false = int(((alarms < changes) & (changes < length)).sum())
    caught = (alarms >= changes) & (alarms < length)
    delay = float((alarms - changes)[caught].double().median()) if caught.any() else math.inf
    return false, int(caught.sum()), delay


# WRONG judged: an alarm at the change is false, too -> an alarm at the very time of the change is no false one
def judged(alarms, changes, length):
    """False alarms, changes caught, and the median delay of those caught."""
    false = int((alarms <= changes).sum())
    caught = (alarms >= changes) & (alarms < length)
    delay = float((alarms - changes)[caught].double().median()) if caught.any() else math.inf
    return false, int(caught.sum()), delay


# WRONG first_look: the mean p-value of the signals -> the others need not be unusual
def first_look(p, level):
    """The first look (0 to m - 1) with an alarm on any signal, or -1; p is (k, m)."""
    there = p.mean(0) <= level / p.numel()
    return int(there.int().argmax()) if there.any() else -1


# WRONG first_look: the first signal with an alarm -> this is the signal's number
def first_look(p, level):
    """The first look (0 to m - 1) with an alarm on any signal, or -1; p is (k, m)."""
    there = (p <= level / p.numel()).any(1)
    return int(there.int().argmax()) if there.any() else -1


# WRONG own_nearest: a window of one more -> the window is larger by one than it should be
def own_nearest(senders, queries, window):
    """The distance of each query to the nearest of its sender's last `window` before it, (n,)."""
    sent, distances = {}, []
    for sender, query in zip(senders.tolist(), queries, strict=True):
        before = sent.setdefault(sender, [])
        last = before[-window - 1 :]
        distances.append(float((torch.stack(last) - query).norm(dim=1).min()) if last else math.inf)
        before.append(query)
    return torch.tensor(distances)


def hidden_among(queries, honest, window):
    """What the sender of a search sends so that its queries are far apart, (m, d)."""
    sent, turn = [queries[0]], 0
    for query in queries[1:]:
        for _ in range(window):
            sent.append(honest[turn % len(honest)])
            turn += 1
        sent.append(query)
    return torch.stack(sent)


# WRONG own_nearest: a window of one less -> the window is smaller by one than it should be
def own_nearest(senders, queries, window):
    """The distance of each query to the nearest of its sender's last `window` before it, (n,)."""
    sent, distances = {}, []
    for sender, query in zip(senders.tolist(), queries, strict=True):
        before = sent.setdefault(sender, [])
        last = before[-(window - 1) :] if window > 1 else []
        distances.append(float((torch.stack(last) - query).norm(dim=1).min()) if last else math.inf)
        before.append(query)
    return torch.tensor(distances)


def hidden_among(queries, honest, window):
    """What the sender of a search sends so that its queries are far apart, (m, d)."""
    sent, turn = [queries[0]], 0
    for query in queries[1:]:
        for _ in range(window):
            sent.append(honest[turn % len(honest)])
            turn += 1
        sent.append(query)
    return torch.stack(sent)


# WRONG hidden_among: one honest row more in each gap -> more rows than needed
def own_nearest(senders, queries, window):
    """The distance of each query to the nearest of its sender's last `window` before it, (n,)."""
    sent, distances = {}, []
    for sender, query in zip(senders.tolist(), queries, strict=True):
        before = sent.setdefault(sender, [])
        last = before[-window:]
        distances.append(float((torch.stack(last) - query).norm(dim=1).min()) if last else math.inf)
        before.append(query)
    return torch.tensor(distances)


def hidden_among(queries, honest, window):
    """What the sender of a search sends so that its queries are far apart, (m, d)."""
    sent, turn = [queries[0]], 0
    for query in queries[1:]:
        for _ in range(window + 1):
            sent.append(honest[turn % len(honest)])
            turn += 1
        sent.append(query)
    return torch.stack(sent)


# WRONG hidden_among: honest rows before the first query -> before the search's first query
def own_nearest(senders, queries, window):
    """The distance of each query to the nearest of its sender's last `window` before it, (n,)."""
    sent, distances = {}, []
    for sender, query in zip(senders.tolist(), queries, strict=True):
        before = sent.setdefault(sender, [])
        last = before[-window:]
        distances.append(float((torch.stack(last) - query).norm(dim=1).min()) if last else math.inf)
        before.append(query)
    return torch.tensor(distances)


def hidden_among(queries, honest, window):
    """What the sender of a search sends so that its queries are far apart, (m, d)."""
    sent, turn = [*honest[:window], queries[0]], 0
    for query in queries[1:]:
        for _ in range(window):
            sent.append(honest[turn % len(honest)])
            turn += 1
        sent.append(query)
    return torch.stack(sent)


# WRONG attack_or_drift: names, then times -> times come first
def attack_or_drift(calm, examples, streams):
    """The times of the alarms (n,), or -1, and n names, or ""."""
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        """A sum that never falls below 0, for each signal, (n, 4, T)."""
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    reached = heights(calm).amax(2)  # (runs, 4)
    scale = reached.mean(0)
    threshold = (reached / scale).amax(1).quantile(0.97)
    there = (heights(streams) / scale[:, None]).amax(1) > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)

    def direction(window):
        away = (window.mean(-1) - mean) / std
        return away / away.norm(dim=-1, keepdim=True).clamp_min(1e-9)

    names = list(examples)
    known = torch.stack([direction(examples[name][..., 200:]).mean(0) for name in names])
    said = []
    for stream, time in zip(streams, times.tolist(), strict=True):
        place = direction(stream[:, time : time + 50]) if time >= 0 else None
        said.append("" if time < 0 else names[int((known @ place).argmax())])
    return said, times


# WRONG attack_or_drift: numbers in place of names -> an alarm needs a name of the examples
def attack_or_drift(calm, examples, streams):
    """The times of the alarms (n,), or -1, and n names, or ""."""
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        """A sum that never falls below 0, for each signal, (n, 4, T)."""
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    reached = heights(calm).amax(2)  # (runs, 4)
    scale = reached.mean(0)
    threshold = (reached / scale).amax(1).quantile(0.97)
    there = (heights(streams) / scale[:, None]).amax(1) > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)

    def direction(window):
        away = (window.mean(-1) - mean) / std
        return away / away.norm(dim=-1, keepdim=True).clamp_min(1e-9)

    names = list(examples)
    known = torch.stack([direction(examples[name][..., 200:]).mean(0) for name in names])
    said = []
    for stream, time in zip(streams, times.tolist(), strict=True):
        place = direction(stream[:, time : time + 50]) if time >= 0 else None
        said.append("" if time < 0 else int((known @ place).argmax()))
    return times, said


# WRONG own_nearest: the memory is emptied when it is full -> emptied when it is full
def own_nearest(senders, queries, window):
    sent, out = {}, []
    for s, q in zip(senders.tolist(), queries):
        m = sent.setdefault(s, [])
        out.append(min((float((e - q).norm()) for e in m), default=math.inf))
        m.append(q)
        if len(m) == window:
            m.clear()
    return torch.tensor(out)


# WRONG attack_or_drift: five arrivals after the alarm say the name -> few of the 50 arrivals
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, f = torch.zeros(x.shape[:2]), []
        for v in x.unbind(2):
            now = (now + (v - mean) / std - 0.4).clamp_min(0)
            f.append(now)
        return torch.stack(f, 2)

    r = heights(calm).amax(2)
    sc = r.mean(0)
    thr = (r / sc).amax(1).quantile(0.97)
    there = (heights(streams) / sc[:, None]).amax(1) > thr
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    d = lambda w: (lambda a: a / a.norm(dim=-1, keepdim=True).clamp_min(1e-9))((w.mean(-1) - mean) / std)
    names = list(examples)
    known = torch.stack([d(examples[n][..., 200:]).mean(0) for n in names])
    said = ["" if t < 0 else names[int((known @ d(s[:, t : t + 5])).argmax())] for s, t in zip(streams, times.tolist())]
    return times, said


# WRONG attack_or_drift: names sorted, examples as they came -> the names are exchanged
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, f = torch.zeros(x.shape[:2]), []
        for v in x.unbind(2):
            now = (now + (v - mean) / std - 0.4).clamp_min(0)
            f.append(now)
        return torch.stack(f, 2)

    r = heights(calm).amax(2)
    sc = r.mean(0)
    thr = (r / sc).amax(1).quantile(0.97)
    there = (heights(streams) / sc[:, None]).amax(1) > thr
    times = torch.where(there.any(1), there.int().argmax(1), -1)
    d = lambda w: (lambda a: a / a.norm(dim=-1, keepdim=True).clamp_min(1e-9))((w.mean(-1) - mean) / std)
    names = sorted(examples)
    known = torch.stack([d(examples[n][..., 200:]).mean(0) for n in examples])
    said = [
        "" if t < 0 else names[int((known @ d(s[:, t : t + 50])).argmax())] for s, t in zip(streams, times.tolist())
    ]
    return times, said


# WRONG own_nearest: the distances sorted by sender -> in another order: each stands where its query stands
def own_nearest(senders, queries, window):
    memory, out = {}, []
    for who, what in zip(senders.tolist(), queries):
        past = memory.setdefault(who, [])
        out.append(min((float((what - q).norm()) for q in past[-window:]), default=math.inf))
        past.append(what)
    return torch.tensor(out)[senders.argsort(stable=True)]


def hidden_among(queries, honest, window):
    sent, j = [], 0
    for i, q in enumerate(queries):
        sent.append(q)
        if i + 1 < len(queries):
            for _ in range(window):
                sent.append(honest[j % len(honest)])
                j += 1
    return torch.stack(sent)


# WRONG attack_or_drift: the name from what came before the alarm -> never look at what comes after the alarm
def attack_or_drift(calm, examples, streams):
    mean, slack = calm.mean((0, 2)), 0.05

    def heights(s):
        h, rows = torch.zeros(s.shape[:2]), []
        for t in range(s.shape[2]):
            h = (h + s[:, :, t] - mean - slack).clamp(min=0)
            rows.append(h)
        return torch.stack(rows, 2)

    unit = heights(calm).amax(2).quantile(0.9, dim=0)

    def score(s):
        return (heights(s) / unit[:, None]).amax(1)

    line = score(calm).amax(1).quantile(0.95)

    def shape(s, t):
        return s[:, t : t + 50].mean(1) - mean

    kinds = {}
    for name, part in examples.items():
        kinds[name] = torch.stack([shape(s, 205) for s in part]).mean(0)
    above = score(streams) > line
    times = torch.where(above.any(1), above.int().argmax(1), -1)
    names = []
    for s, t in zip(streams, times.tolist()):
        if t < 0:
            names.append("")
        else:
            own = shape(s, max(t - 50, 0))
            names.append(max(kinds, key=lambda n: float(torch.nn.functional.cosine_similarity(own, kinds[n], dim=0))))
    return times, names


# WRONG attack_or_drift: the examples' means from time 0 on -> before time 200, where their incident begins
def attack_or_drift(calm, examples, streams):
    mean, slack = calm.mean((0, 2)), 0.05

    def heights(s):
        h, rows = torch.zeros(s.shape[:2]), []
        for t in range(s.shape[2]):
            h = (h + s[:, :, t] - mean - slack).clamp(min=0)
            rows.append(h)
        return torch.stack(rows, 2)

    unit = heights(calm).amax(2).quantile(0.9, dim=0)

    def score(s):
        return (heights(s) / unit[:, None]).amax(1)

    line = score(calm).amax(1).quantile(0.95)

    def shape(s, t):
        return s[:, t : t + 50].mean(1) - mean

    kinds = {}
    for name, part in examples.items():
        kinds[name] = torch.stack([shape(s, 0) for s in part]).mean(0)
    above = score(streams) > line
    times = torch.where(above.any(1), above.int().argmax(1), -1)
    names = []
    for s, t in zip(streams, times.tolist()):
        if t < 0:
            names.append("")
        else:
            own = shape(s, t)
            names.append(max(kinds, key=lambda n: float(torch.nn.functional.cosine_similarity(own, kinds[n], dim=0))))
    return times, names


# WRONG own_nearest: the difference of lengths -> the lengths of two queries are compared
def own_nearest(senders, queries, window):
    memory, out = {}, []
    for who, what in zip(senders.tolist(), queries):
        past = memory.setdefault(who, [])
        out.append(min((float(abs(what.norm() - q.norm())) for q in past[-window:]), default=math.inf))
        past.append(what)
    return torch.tensor(out)


def hidden_among(queries, honest, window):
    sent, j = [], 0
    for i, q in enumerate(queries):
        sent.append(q)
        if i + 1 < len(queries):
            for _ in range(window):
                sent.append(honest[j % len(honest)])
                j += 1
    return torch.stack(sent)


# WRONG hidden_among: all honest rows first, then all queries -> before the search's first query
def own_nearest(senders, queries, window):
    """The distance of each query to the nearest of its sender's last `window` before it, (n,)."""
    sent, distances = {}, []
    for sender, query in zip(senders.tolist(), queries, strict=True):
        before = sent.setdefault(sender, [])
        last = before[-window:]
        distances.append(float((torch.stack(last) - query).norm(dim=1).min()) if last else math.inf)
        before.append(query)
    return torch.tensor(distances)


def hidden_among(queries, honest, window):
    return torch.cat([honest[:window], queries])


# WRONG judged: the length is that of the latest alarm -> are judged alike in streams of 200 and of 500
def judged(alarms, changes, length):
    length = alarms.max()
    caught = (alarms >= changes) & (alarms < length)
    delay = float((alarms - changes)[caught].double().median()) if caught.any() else math.inf
    return int((alarms < changes).sum()), int(caught.sum()), delay


# WRONG own_nearest: by squares and products, which are rounded -> take it before you square
def own_nearest(senders, queries, window):
    nearest, sent = torch.full((len(queries),), math.inf), {}
    for i, (who, query) in enumerate(zip(senders.tolist(), queries, strict=True)):
        past = sent.setdefault(who, [])
        if past:
            last = torch.stack(past[-window:])
            squared = last.square().sum(1) + query.square().sum() - 2 * last @ query
            nearest[i] = squared.clamp_min(0).sqrt().min()
        past.append(query)
    return nearest


# WRONG own_nearest: the way back ends at the first query of another sender -> go on past those
def own_nearest(senders, queries, window):
    out = torch.full((len(queries),), math.inf)
    for i in range(len(queries)):
        j = i - 1
        while j >= max(0, i - window) and senders[j] == senders[i]:
            out[i] = min(out[i], (queries[i] - queries[j]).norm())
            j -= 1
    return out


def hidden_among(queries, honest, window):
    out = []
    for i, query in enumerate(queries):
        if i:
            out += [honest[((i - 1) * window + j) % len(honest)] for j in range(window)]
        out.append(query)
    return torch.stack(out)


# WRONG judged: the median is cut to a whole number -> cut or rounded to a whole number
def judged(alarms, changes, length):
    caught = (alarms >= changes) & (alarms < length)
    late = (alarms - changes)[caught].double()
    return int((alarms < changes).sum()), int(caught.sum()), int(late.quantile(0.5)) if caught.any() else math.inf
