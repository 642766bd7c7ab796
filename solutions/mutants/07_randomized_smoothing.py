"""Other answers to lab 07, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT votes: all copies at once
def votes(model, x, *, sigma, n, classes):
    copies = x.repeat_interleave(n, 0)
    with torch.no_grad():
        winner = model(copies + sigma * torch.randn_like(copies)).argmax(1).view(len(x), n)
    return torch.stack([torch.bincount(row, minlength=classes) for row in winner])


# RIGHT votes: NumPy, a list
def votes(model, x, *, sigma, n, classes):
    counts = np.zeros((len(x), classes), dtype=int)
    for _ in range(n):
        noise = torch.from_numpy(np.random.normal(0, sigma, tuple(x.shape))).float()
        counts[np.arange(len(x)), predict(model, x + noise).numpy()] += 1
    return counts.tolist()


# WRONG votes: probabilities instead of votes -> whole numbers
def votes(model, x, *, sigma, n, classes):
    return sum(model(x + sigma * torch.randn_like(x)).softmax(1) for _ in range(n))


# WRONG votes: shares -> whole numbers|one vote
def votes(model, x, *, sigma, n, classes):
    counts = torch.zeros(len(x), classes)
    for _ in range(n):
        counts[torch.arange(len(x)), model(x + sigma * torch.randn_like(x)).argmax(1)] += 1
    return counts / n


# WRONG votes: uniform noise -> another noise
def votes(model, x, *, sigma, n, classes):
    counts = torch.zeros(len(x), classes)
    for _ in range(n):
        counts[torch.arange(len(x)), model(x + sigma * (2 * torch.rand_like(x) - 1)).argmax(1)] += 1
    return counts


# WRONG votes: sigma taken for a variance -> another noise
def votes(model, x, *, sigma, n, classes):
    counts = torch.zeros(len(x), classes)
    for _ in range(n):
        counts[torch.arange(len(x)), model(x + sigma**0.5 * torch.randn_like(x)).argmax(1)] += 1
    return counts


# WRONG votes: noise drawn once -> another noise
def votes(model, x, *, sigma, n, classes):
    counts, noise = torch.zeros(len(x), classes), torch.randn_like(x)
    for _ in range(n):
        counts[torch.arange(len(x)), model(x + sigma * noise).argmax(1)] += 1
    return counts


# WRONG votes: the same noise for all images of a batch -> for each
def votes(model, x, *, sigma, n, classes):
    counts = torch.zeros(len(x), classes)
    for _ in range(n):
        counts[torch.arange(len(x)), model(x + sigma * torch.randn_like(x[:1])).argmax(1)] += 1
    return counts


# WRONG votes: the noise adds up -> another noise
def votes(model, x, *, sigma, n, classes):
    counts = torch.zeros(len(x), classes)
    for _ in range(n):
        x = x + sigma * torch.randn_like(x)
        counts[torch.arange(len(x)), model(x).argmax(1)] += 1
    return counts


# WRONG votes: one copy too few -> one vote
def votes(model, x, *, sigma, n, classes):
    counts = torch.zeros(len(x), classes)
    for _ in range(1, n):
        counts[torch.arange(len(x)), model(x + sigma * torch.randn_like(x)).argmax(1)] += 1
    return counts


# RIGHT lower_bound: by bisection
def lower_bound(k, n, *, failure_prob):
    low, high = 0.0, k / n
    for _ in range(60):
        middle = (low + high) / 2
        if stats.binom.sf(k - 1, n, middle) > failure_prob:
            high = middle
        else:
            low = middle
    return low if k else 0.0


# RIGHT lower_bound: the inverse of the incomplete beta function
def lower_bound(k, n, *, failure_prob):
    return np.nan_to_num(special.betaincinv(float(k), n - k + 1.0, failure_prob)) if k else np.float64(0)


# WRONG lower_bound: two-sided -> lower than it need be
def lower_bound(k, n, *, failure_prob):
    return float(stats.beta.ppf(failure_prob / 2, k, n - k + 1)) if k else 0.0


# WRONG lower_bound: the upper bound -> lies below
def lower_bound(k, n, *, failure_prob):
    return float(stats.beta.ppf(1 - failure_prob, k + 1, n - k)) if k else 0.0


# WRONG lower_bound: the upper bound's parameters -> too high too often|lies below|lower than
def lower_bound(k, n, *, failure_prob):
    return float(stats.beta.ppf(failure_prob, k + 1, n - k)) if 0 < k < n else 0.0


# WRONG lower_bound: the normal approximation -> too high too often|lies below|lower than
def lower_bound(k, n, *, failure_prob):
    p = k / n
    return max(0.0, p - float(stats.norm.ppf(1 - failure_prob)) * math.sqrt(p * (1 - p) / n))


# WRONG lower_bound: Wilson's -> too high too often|lower than
def lower_bound(k, n, *, failure_prob):
    p, z = k / n, float(stats.norm.ppf(1 - failure_prob))
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)) if k else 0.0


# WRONG lower_bound: Hoeffding's, which is always true and too careful -> lower than it need be
def lower_bound(k, n, *, failure_prob):
    return max(0.0, k / n - math.sqrt(math.log(1 / failure_prob) / (2 * n)))


# WRONG lower_bound: NaN without a vote -> NaN
def lower_bound(k, n, *, failure_prob):
    return float(stats.beta.ppf(failure_prob, k, n - k + 1)) if k else math.nan


# WRONG lower_bound: the share that was seen -> lies below
def lower_bound(k, n, *, failure_prob):
    return k / n


# WRONG lower_bound: failure_prob taken for a confidence -> lies below|too high
def lower_bound(k, n, *, failure_prob):
    return float(stats.beta.ppf(1 - failure_prob, k, n - k + 1)) if k else 0.0


# RIGHT certificate: with lists and scipy's normal distribution
def certificate(chosen, counts, *, sigma, failure_prob):
    chosen, counts = chosen.tolist(), counts.tolist()
    label = chosen.index(max(chosen))
    k, n = counts[label], sum(counts)
    bound = stats.beta.ppf(failure_prob, k, n - k + 1) if k else 0
    return [label, sigma * stats.norm.ppf(bound)] if bound > 1 / 2 else [-1, 0]


# RIGHT certificate: by the sign of the radius, as tensors
def certificate(chosen, counts, *, sigma, failure_prob):
    label = torch.argmax(chosen)
    bound = lower_bound(counts[label].item(), counts.sum().item(), failure_prob=failure_prob)
    radius = sigma * torch.special.ndtri(torch.tensor(bound, dtype=torch.float64))
    return (label, radius) if radius > 0 else (torch.tensor(-1), torch.tensor(0.0))


# WRONG certificate: chosen by the second sample -> another class|another one must not win
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(counts.argmax())
    p = lower_bound(int(counts[label]), int(counts.sum()), failure_prob=failure_prob)
    return (label, float(sigma * special.ndtri(p))) if p > 0.5 else (-1, 0.0)


# WRONG certificate: measured on the first sample -> another class|radius|abstain
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    p = lower_bound(int(chosen[label]), int(chosen.sum()), failure_prob=failure_prob)
    return (label, float(sigma * special.ndtri(p))) if p > 0.5 else (-1, 0.0)


# WRONG certificate: both samples together -> another radius|another class
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    both = chosen + counts
    p = lower_bound(int(both[label]), int(both.sum()), failure_prob=failure_prob)
    return (label, float(sigma * special.ndtri(p))) if p > 0.5 else (-1, 0.0)


# WRONG certificate: never abstains -> abstain|not enough
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    p = lower_bound(int(counts[label]), int(counts.sum()), failure_prob=failure_prob)
    return label, max(0.0, float(sigma * special.ndtri(max(p, 1e-9))))


# WRONG certificate: the share that was seen instead of its bound -> another radius|no possible
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    p = float(counts[label] / counts.sum())
    return (label, float(sigma * special.ndtri(p))) if p > 0.5 else (-1, 0.0)


# WRONG certificate: abstains by the share that was seen -> not enough|abstain
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    p = lower_bound(int(counts[label]), int(counts.sum()), failure_prob=failure_prob)
    seen = float(counts[label] / counts.sum())
    return (label, float(sigma * special.ndtri(p))) if seen > 0.5 else (-1, 0.0)


# WRONG certificate: sigma forgotten -> no possible radius|another radius
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    p = lower_bound(int(counts[label]), int(counts.sum()), failure_prob=failure_prob)
    return (label, float(special.ndtri(p))) if p > 0.5 else (-1, 0.0)


# WRONG certificate: Phi instead of its inverse -> another radius
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    p = lower_bound(int(counts[label]), int(counts.sum()), failure_prob=failure_prob)
    return (label, float(sigma * special.ndtr(p))) if p > 0.5 else (-1, 0.0)


# WRONG certificate: abstains when the bound is not above 0.6 -> although the bound
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    p = lower_bound(int(counts[label]), int(counts.sum()), failure_prob=failure_prob)
    return (label, float(sigma * special.ndtri(p))) if p > 0.6 else (-1, 0.0)


# WRONG certificate: most votes are enough -> must be above 1/2|abstain|not enough
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    p = lower_bound(int(counts[label]), int(counts.sum()), failure_prob=failure_prob)
    return (label, max(0.0, float(sigma * special.ndtri(p)))) if counts.argmax() == label else (-1, 0.0)


# RIGHT statements: one by one
statements = {"A": "ball"}
for letter, word in (("B", "attack"), ("C", "same"), ("D", "right"), ("E", "noise")):
    statements[letter] = word

# RIGHT statements: from a list
statements = dict(zip("ABCDE", ["ball", "attack", "same", "right", "noise"]))


# WRONG certificate: the radius alone -> not 2 things
def certificate(chosen, counts, *, sigma, failure_prob):
    label = int(chosen.argmax())
    p = lower_bound(int(counts[label]), int(counts.sum()), failure_prob=failure_prob)
    return float(sigma * special.ndtri(p))


# WRONG statements: A is right -> statement A
statements = {"A": "right", "B": "attack", "C": "same", "D": "right", "E": "noise"}

# WRONG statements: B is right -> statement B
statements = {"A": "ball", "B": "right", "C": "same", "D": "right", "E": "noise"}

# WRONG statements: C is right -> statement C
statements = {"A": "ball", "B": "attack", "C": "right", "D": "right", "E": "noise"}

# WRONG statements: D is attack -> statement D
statements = {"A": "ball", "B": "attack", "C": "same", "D": "attack", "E": "noise"}

# WRONG statements: E is right -> statement E
statements = {"A": "ball", "B": "attack", "C": "same", "D": "right", "E": "right"}


# RIGHT denoise: the mean of the nearest ten, one if there is hardly any noise
def denoise(x, x_train, *, sigma):
    distance = torch.cdist(x.flatten(1), x_train.flatten(1))
    nearest = distance.topk(10 if sigma > 0.1 else 1, largest=False).indices
    return x_train[nearest].mean(1)


# RIGHT denoise: image by image, with a wider bandwidth
def denoise(x, x_train, *, sigma):
    cleaned = []
    for image in x:
        squares = (x_train - image).square().flatten(1).sum(1)
        weights = torch.exp(-(squares - squares.min()) / (3 * sigma**2))
        cleaned.append((weights.view(-1, 1, 1, 1) * x_train).sum(0) / weights.sum())
    return torch.stack(cleaned)


# WRONG denoise: clamps -> too many of them wrong
def denoise(x, x_train, *, sigma):
    return x.clamp(0, 1)


# WRONG denoise: blurs -> too many of them wrong
def denoise(x, x_train, *, sigma):
    return torch.nn.functional.avg_pool2d(x, 3, 1, 1)


# WRONG denoise: the mean of all training images -> too many of them wrong
def denoise(x, x_train, *, sigma):
    return x_train.mean(0, keepdim=True).expand_as(x)


# WRONG denoise: a bandwidth so wide that all weigh the same -> too many of them wrong
def denoise(x, x_train, *, sigma):
    distance = torch.cdist(x.flatten(1), x_train.flatten(1))
    weights = (-(distance**2) / 100).softmax(1)
    return (weights @ x_train.flatten(1)).view_as(x)


# WRONG denoise: the farthest instead of the nearest -> too many of them wrong
def denoise(x, x_train, *, sigma):
    distance = torch.cdist(x.flatten(1), x_train.flatten(1))
    return x_train[distance.argmax(1)]


# WRONG denoise: forgets the axes of the images -> another shape
def denoise(x, x_train, *, sigma):
    distance = torch.cdist(x.flatten(1), x_train.flatten(1))
    return (-(distance**2) / (2 * sigma**2)).softmax(1) @ x_train.flatten(1)


# WRONG denoise: shrinks towards the mean -> too many of them wrong
def denoise(x, x_train, *, sigma):
    return 0.5 * x + 0.5 * x_train.mean(0)
