"""Other answers to lab 07, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT votes: a loop over the copies, counted in place
def votes(model, x, *, sigma, n):
    counts = 0
    with torch.no_grad():
        for _ in range(n):
            answers = model(x + torch.normal(0.0, sigma, x.shape, device=x.device))
            counts = counts + (answers == answers.amax(1, keepdim=True)).double()
    return counts


# RIGHT votes: image by image, with bincount, as a list
def votes(model, x, *, sigma, n):
    rows = []
    for image in x:
        copies = image.expand(n, *image.shape) + sigma * torch.randn(n, *image.shape, device=x.device)
        answers = model(copies).detach()
        rows.append(torch.bincount(answers.argmax(1), minlength=answers.shape[1]).tolist())
    return rows


# RIGHT votes: NumPy's noise, all copies as (n, N, ...)
def votes(model, x, *, sigma, n):
    noise = np.random.normal(scale=sigma, size=(n, *x.shape)).astype(np.float32)
    copies = x[None] + torch.from_numpy(noise).to(x.device)
    answers = model(copies.flatten(0, 1)).detach()
    winners = answers.argmax(1).view(n, len(x))
    return np.stack([(winners == c).sum(0).cpu().numpy() for c in range(answers.shape[1])], axis=1)


# WRONG votes: copies of all images are mixed up -> votes are counted in the rows of other images
def votes(model, x, *, sigma, n):
    copies = x.repeat(n, *[1] * (x.dim() - 1))
    answers = model(copies + sigma * torch.randn_like(copies))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: mean probabilities -> do not add up|one vote
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies + sigma * torch.randn_like(copies)).softmax(1)
    return answers.view(len(x), n, -1).sum(1).detach()


# WRONG votes: shares instead of counts -> do not add up
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies + sigma * torch.randn_like(copies))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).double().mean(1)


# WRONG votes: the same noise for all copies of an image -> vote together
def votes(model, x, *, sigma, n):
    copies = (x + sigma * torch.randn_like(x)).repeat_interleave(n, 0)
    answers = model(copies)
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: the same noise for all images -> too much alike
def votes(model, x, *, sigma, n):
    counts = 0
    for _ in range(n):
        answers = model(x + sigma * torch.randn_like(x[:1]))
        counts = counts + nn.functional.one_hot(answers.argmax(1), answers.shape[1])
    return counts


# WRONG votes: one number of noise for all pixels of a copy -> all pixels of a copy get the same noise
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    noise = torch.randn(len(copies), *[1] * (x.dim() - 1))
    answers = model(copies + sigma * noise)
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: sigma as a variance -> sigma is the standard deviation of the noise, and
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies + sigma**0.5 * torch.randn_like(copies))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: sigma squared -> the noise has a standard deviation of sigma squared
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies + sigma**2 * torch.randn_like(copies))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: uniform noise -> Gaussian
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies + sigma * (2 * torch.rand_like(copies) - 1))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: uniform noise of the right variance -> Gaussian
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies + 3**0.5 * sigma * (2 * torch.rand_like(copies) - 1))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: positive noise -> about half|Gaussian
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies + sigma * torch.rand_like(copies))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: clamps the copies -> of every copy|not clamped to
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model((copies + sigma * torch.randn_like(copies)).clamp(0, 1))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: the noise adds up from copy to copy -> Gaussian noise of standard deviation|vote together
def votes(model, x, *, sigma, n):
    counts = 0
    for _ in range(n):
        x = x + sigma * torch.randn_like(x)
        answers = model(x)
        counts = counts + nn.functional.one_hot(answers.argmax(1), answers.shape[1])
    return counts


# WRONG votes: in place -> changed its arguments
def votes(model, x, *, sigma, n):
    counts = 0
    for _ in range(n):
        x += sigma * torch.randn_like(x)
        answers = model(x)
        counts = counts + nn.functional.one_hot(answers.argmax(1), answers.shape[1])
    return counts


# WRONG votes: without noise -> on the boundary|too much alike|noise
def votes(model, x, *, sigma, n):
    answers = model(x)
    return n * nn.functional.one_hot(answers.argmax(1), answers.shape[1])


# WRONG votes: ten classes, always -> another shape
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies + sigma * torch.randn_like(copies))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), 10).sum(1)


# WRONG votes: half of the copies mirror the others -> too much alike
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    noise = torch.randn(len(x), n, *x.shape[1:])
    noise[:, n - n // 2 :] = -noise[:, : n // 2]
    answers = model(copies + sigma * noise.flatten(0, 1))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: in full batches of ten, without the rest -> do not add up
def votes(model, x, *, sigma, n):
    counts = 0
    for _ in range(n // 10):
        copies = x.repeat_interleave(10, 0)
        answers = model(copies + sigma * torch.randn_like(copies))
        counts = counts + nn.functional.one_hot(answers.argmax(1).view(len(x), 10), answers.shape[1]).sum(1)
    return counts


# WRONG votes: noise cut off at two sigma -> Gaussian noise of standard deviation
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies + sigma * torch.randn_like(copies).clamp(-2, 2))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: the clean image is one of the copies -> the image itself, without noise, is one of the
def votes(model, x, *, sigma, n):
    noise = sigma * torch.randn(len(x), n, *x.shape[1:])
    noise[:, 0] = 0
    answers = model(x.repeat_interleave(n, 0) + noise.flatten(0, 1))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: noise in proportion to the pixel -> pixels are multiplied by the noise
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    answers = model(copies * (1 + sigma * torch.randn_like(copies)))
    return nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)


# WRONG votes: each copy and its mirror, n of each -> do not add up
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    noise = sigma * torch.randn_like(copies)
    counts = 0
    for answers in (model(copies + noise), model(copies - noise)):
        counts = counts + nn.functional.one_hot(answers.argmax(1).view(len(x), n), answers.shape[1]).sum(1)
    return counts


# RIGHT certificate: bisection on the binomial tail, row by row, lists
def certificate(chosen, counts, *, sigma, failure_prob):
    labels, radii = [], []
    for c, row in zip(chosen.tolist(), counts.tolist()):
        k, n, low, high = row[c], sum(row), 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            if k > 0 and special.bdtrc(k - 1, n, middle) <= failure_prob:
                low = middle
            else:
                high = middle
        labels.append(c if low > 0.5 else -1)
        radii.append(sigma * special.ndtri(low) if low > 0.5 else 0.0)
    return labels, radii


def certify(model, x, *, sigma, n0, n, failure_prob):
    first, others = votes(model, x, sigma=sigma, n=n0), votes(model, x, sigma=sigma, n=n)
    return certificate(first.argmax(1), others, sigma=sigma, failure_prob=failure_prob)


# RIGHT certificate: SciPy's beta, both radii of Cohen, float32
def certificate(chosen, counts, *, sigma, failure_prob):
    from scipy.stats import beta, norm

    n = int(counts[0].sum())
    k = counts[torch.arange(len(counts)), chosen].numpy()
    bound = np.where(k == 0, 0.0, beta.ppf(failure_prob, np.maximum(k, 1), n - k + 1))
    radius = sigma / 2 * (norm.ppf(bound) - norm.ppf(1 - bound))
    label = chosen.clone()
    label[bound <= 0.5] = -1
    return label, torch.tensor(radius.clip(min=0), dtype=torch.float32)


def certify(model, x, *, sigma, n0, n, failure_prob):
    few, many = torch.as_tensor(votes(model, x, sigma=sigma, n=n0)), votes(model, x, sigma=sigma, n=n)
    return list(certificate(few.max(1).indices, many, sigma=sigma, failure_prob=failure_prob))


# RIGHT certify: one row of n0 + n copies, cut in two
def certify(model, x, *, sigma, n0, n, failure_prob):
    labels, radii = [], []
    for image in x:
        with torch.no_grad():
            answers = model(image + sigma * torch.randn(n0 + n, *image.shape)).argmax(1)
        choice = int(answers[:n0].mode().values)
        k = int((answers[n0:] == choice).sum())
        bound = float(special.betaincinv(k, n - k + 1, failure_prob)) if k else 0.0
        labels.append(choice if bound > 0.5 else -1)
        radii.append(sigma * float(special.ndtri(bound)) if bound > 0.5 else 0.0)
    return torch.tensor(labels), torch.tensor(radii)


certificate = lambda chosen, counts, *, sigma, failure_prob: None


# RIGHT certify: the numbers of votes from `votes`, written out
def certify(model, x, *, sigma, n0, n, failure_prob):
    choice = votes(model, x, sigma=sigma, n=n0).argmax(1)
    k = votes(model, x, sigma=sigma, n=n).gather(1, choice[:, None])[:, 0].double()
    bound = torch.from_numpy(special.betaincinv(k.numpy(), n - k.numpy() + 1, failure_prob)).nan_to_num(0)
    radius = sigma * torch.special.ndtri(bound)
    return torch.where(bound > 0.5, choice, -1), radius.where(bound > 0.5, 0.0)


certificate = lambda chosen, counts, *, sigma, failure_prob: None


# WRONG certificate: half of failure_prob, as for two sides -> half of failure_prob is not spent
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob / 2))
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: the share of the votes, no bound -> too far|another failure_prob
def certificate(chosen, counts, *, sigma, failure_prob):
    bound = (counts.gather(1, chosen[:, None])[:, 0] / counts.sum(1)).numpy().clip(0, 0.9999999)
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: the upper end -> too far
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k + 1.0, n - k, 1 - failure_prob), nan=1 - 1e-9).clip(0, 1 - 1e-9)
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: the lower end with the upper end's counts -> nearly the exact bound, and not it
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = special.betaincinv(k + 1.0, n - k + 1.0, failure_prob)
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: Wald's normal approximation -> the share of failure_prob that is spent differs from
def certificate(chosen, counts, *, sigma, failure_prob):
    n = counts.sum(1).numpy()
    p = counts.gather(1, chosen[:, None])[:, 0].numpy() / n
    bound = (p + special.ndtri(failure_prob) * np.sqrt(p * (1 - p) / n)).clip(0, 1 - 1e-9)
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: Wilson's approximation -> the share of failure_prob that is spent differs from
def certificate(chosen, counts, *, sigma, failure_prob):
    n, z = counts.sum(1).numpy(), -special.ndtri(failure_prob)
    p = counts.gather(1, chosen[:, None])[:, 0].numpy() / n
    bound = (p + z**2 / 2 / n - z * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)) / (1 + z**2 / n)
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: Hoeffding's bound, which is loose -> the share of failure_prob that is spent differs from
def certificate(chosen, counts, *, sigma, failure_prob):
    n = counts.sum(1).numpy()
    p = counts.gather(1, chosen[:, None])[:, 0].numpy() / n
    bound = p - np.sqrt(math.log(1 / failure_prob) / 2 / n)
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound.clip(0)), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: a failure probability of its own -> too far|prove more|another failure_prob
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, 0.001))
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: sigma forgotten -> too far|not twice the radius
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: half of sigma -> the bounds are right, and the radii are half
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma / 2 * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: the distribution instead of the quantile -> the bounds are right, and the radii do not
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtr(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: the votes choose again -> may not choose again
def certificate(chosen, counts, *, sigma, failure_prob):
    chosen = counts.argmax(1)
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: never abstains -> answers although
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return chosen, np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: abstains by the share of the votes -> answers although
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(k / n > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: the radius of an abstention is negative -> radius other than 0
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(bound > 0.5, chosen, -1), sigma * special.ndtri(bound)


certify = lambda *args, **kwargs: None


# WRONG certificate: a bound of NaN where there is no vote -> NaN
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].double().numpy(), counts.sum(1).numpy()
    bound = np.where(k > 0, special.betaincinv(k, n - k + 1.0, failure_prob), np.nan)
    return np.where(bound > 0.5, chosen, -1), np.where(bound <= 0.5, 0.0, sigma * special.ndtri(bound))


certify = lambda *args, **kwargs: None


# WRONG certificate: abstains where the bound is below 0.6 -> abstains although
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(bound > 0.6, chosen, -1), np.where(bound > 0.6, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: an abstention is class 0 -> answers although|neither the chosen class
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(bound > 0.5, chosen, 0), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: radii alone -> a pair|another shape|no tensor
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: a dictionary -> is a pair
def certificate(chosen, counts, *, sigma, failure_prob):
    return {"label": chosen, "radius": sigma * counts.double().amax(1)}


certify = lambda *args, **kwargs: None


# WRONG certificate: the votes of all images in one sum -> an image's radius depends on the others in the
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), int(counts.sum())
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: Bonferroni over the images -> an image's radius depends on the others in the
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob / len(k)))
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certificate: Jeffreys' interval -> the share of failure_prob that is spent differs from
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    bound = special.betaincinv(k + 0.5, n - k + 0.5, failure_prob)
    return np.where(bound > 0.5, chosen, -1), np.where(bound > 0.5, sigma * special.ndtri(bound), 0.0)


certify = lambda *args, **kwargs: None


# WRONG certify: no return -> is a pair
def certify(model, x, *, sigma, n0, n, failure_prob):
    votes(model, x, sigma=sigma, n=n0)


certificate = lambda *args, **kwargs: None


# WRONG certify: always abstains -> all copies vote for class 1, and the label
def certify(model, x, *, sigma, n0, n, failure_prob):
    return [-1] * len(x), [0.0] * len(x)


certificate = lambda *args, **kwargs: None


# WRONG certify: one choice for the whole batch -> images that are surely of different classes do not
def certify(model, x, *, sigma, n0, n, failure_prob):
    choice = votes(model, x, sigma=sigma, n=n0).sum(0).argmax().expand(len(x))
    counts = votes(model, x, sigma=sigma, n=n)
    return smoothing.certificates(choice, counts, sigma=sigma, failure_prob=failure_prob)[:2]


certificate = lambda *args, **kwargs: None


# WRONG certify: the counted copies choose -> others than those that are counted
def certify(model, x, *, sigma, n0, n, failure_prob):
    counts = votes(model, x, sigma=sigma, n=n)
    return smoothing.certificates(counts.argmax(1), counts, sigma=sigma, failure_prob=failure_prob)[:2]


certificate = lambda *args, **kwargs: None


# WRONG certify: the first n0 of the counted copies choose -> others than those that are counted
def certify(model, x, *, sigma, n0, n, failure_prob):
    first = votes(model, x, sigma=sigma, n=n0)
    counts = first + votes(model, x, sigma=sigma, n=max(n - n0, 0))
    if n0 > n:
        counts = votes(model, x, sigma=sigma, n=n)
    return smoothing.certificates(first.argmax(1), counts, sigma=sigma, failure_prob=failure_prob)[:2]


certificate = lambda *args, **kwargs: None


# WRONG certify: the same seed before both polls -> others than those that are counted
def certify(model, x, *, sigma, n0, n, failure_prob):
    torch.manual_seed(0)
    first = votes(model, x, sigma=sigma, n=n0)
    torch.manual_seed(0)
    counts = votes(model, x, sigma=sigma, n=n)
    return smoothing.certificates(first.argmax(1), counts, sigma=sigma, failure_prob=failure_prob)[:2]


certificate = lambda *args, **kwargs: None


# WRONG certify: those that choose are counted as well -> n0 + n copies are counted
def certify(model, x, *, sigma, n0, n, failure_prob):
    first = votes(model, x, sigma=sigma, n=n0)
    counts = first + votes(model, x, sigma=sigma, n=n)
    return smoothing.certificates(first.argmax(1), counts, sigma=sigma, failure_prob=failure_prob)[:2]


certificate = lambda *args, **kwargs: None


# WRONG certify: n0 and n the other way round -> n0 copies are counted, and n choose
def certify(model, x, *, sigma, n0, n, failure_prob):
    first = votes(model, x, sigma=sigma, n=n)
    counts = votes(model, x, sigma=sigma, n=n0)
    return smoothing.certificates(first.argmax(1), counts, sigma=sigma, failure_prob=failure_prob)[:2]


certificate = lambda *args, **kwargs: None


# WRONG certify: n in all, of which n0 choose -> n - n0 copies are counted
def certify(model, x, *, sigma, n0, n, failure_prob):
    n0 = min(n0, n // 2)
    first = votes(model, x, sigma=sigma, n=n0)
    counts = votes(model, x, sigma=sigma, n=n - n0)
    return smoothing.certificates(first.argmax(1), counts, sigma=sigma, failure_prob=failure_prob)[:2]


certificate = lambda *args, **kwargs: None


# WRONG certify: the model without noise chooses -> not for the copies'
def certify(model, x, *, sigma, n0, n, failure_prob):
    counts = votes(model, x, sigma=sigma, n=n)
    return smoothing.certificates(predict(model, x), counts, sigma=sigma, failure_prob=failure_prob)[:2]


certificate = lambda *args, **kwargs: None


# WRONG certify: asks until it need not abstain -> n0 copies choose, once
def certify(model, x, *, sigma, n0, n, failure_prob):
    label, radius = torch.full((len(x),), -1), torch.zeros(len(x), dtype=torch.float64)
    for _ in range(3):
        first, counts = votes(model, x, sigma=sigma, n=n0), votes(model, x, sigma=sigma, n=n)
        found = smoothing.certificates(first.argmax(1), counts, sigma=sigma, failure_prob=failure_prob)
        better = found.radius > radius
        label[better], radius[better] = found.label[better], found.radius[better]
    return label, radius


certificate = lambda *args, **kwargs: None


# WRONG certify: a sigma of its own for the noise -> have the same noise
def certify(model, x, *, sigma, n0, n, failure_prob):
    first, counts = votes(model, x, sigma=0.25, n=n0), votes(model, x, sigma=0.25, n=n)
    return smoothing.certificates(first.argmax(1), counts, sigma=sigma, failure_prob=failure_prob)[:2]


certificate = lambda *args, **kwargs: None


# RIGHT majority: SciPy's test, row by row
def majority(counts, *, failure_prob):
    from scipy.stats import binomtest

    answers = []
    for row in counts:
        (first, second), (best, _) = (part.tolist() for part in row.topk(2))
        clear = binomtest(first, first + second, 0.5).pvalue <= failure_prob
        answers.append(best if clear else -1)
    return answers


# RIGHT majority: the sum of binomial coefficients, float64
def majority(counts, *, failure_prob):
    answers = torch.full((len(counts),), -1.0, dtype=torch.float64)
    for i, row in enumerate(counts.tolist()):
        second, first = sorted(row)[-2:]
        n = first + second
        tail = sum(math.comb(n, j) for j in range(first, n + 1))
        if 2 * tail / 2**n <= failure_prob and first > second:
            answers[i] = row.index(first)
    return answers


# WRONG majority: one side only, although the leader was chosen by its lead -> the coin may give such a lead to either
def majority(counts, *, failure_prob):
    first, second = counts.topk(2).values.numpy().T
    clear = special.bdtr(second, first + second, 0.5) <= failure_prob
    return torch.where(torch.from_numpy(clear), counts.argmax(1), -1)


# WRONG majority: all votes are tosses, not those for the first two -> votes for third classes are no tosses of the
def majority(counts, *, failure_prob):
    first, second = counts.topk(2).values.numpy().T
    clear = 2 * special.bdtr(second, counts.sum(1).numpy(), 0.5) <= failure_prob
    return torch.where(torch.from_numpy(clear), counts.argmax(1), -1)


# WRONG majority: the leader against all others -> the first class is compared with all others together
def majority(counts, *, failure_prob):
    n, first = counts.sum(1).numpy(), counts.amax(1).numpy()
    clear = 2 * special.bdtr(n - first, n, 0.5) <= failure_prob
    return torch.where(torch.from_numpy(clear), counts.argmax(1), -1)


# WRONG majority: no abstention -> answers where the first two classes have equal votes
def majority(counts, *, failure_prob):
    return counts.argmax(1)


# WRONG majority: abstains only at a draw -> answers although|whatever failure_prob is
def majority(counts, *, failure_prob):
    two = counts.topk(2).values
    return torch.where(two[:, 0] > two[:, 1], counts.argmax(1), -1)


# WRONG majority: more than half of the votes -> answers although|abstains although|whatever failure_prob is
def majority(counts, *, failure_prob):
    return torch.where(2 * counts.amax(1) > counts.sum(1), counts.argmax(1), -1)


# WRONG majority: a larger lead instead of such a lead or a larger one -> an equal lead counts as luck as well
def majority(counts, *, failure_prob):
    first, second = counts.topk(2).values.numpy().T
    clear = 2 * special.bdtrc(first, first + second, 0.5) <= failure_prob
    return torch.where(torch.from_numpy(clear), counts.argmax(1), -1)


# WRONG majority: the test the wrong way round -> answers where|abstains although
def majority(counts, *, failure_prob):
    first, second = counts.topk(2).values.numpy().T
    clear = 2 * special.bdtr(second, first + second, 0.5) > failure_prob
    return torch.where(torch.from_numpy(clear), counts.argmax(1), -1)


# WRONG majority: the normal approximation -> this is a normal approximation of the coin's chances
def majority(counts, *, failure_prob):
    first, second = counts.topk(2).values.numpy().T
    clear = 2 * special.ndtr((second - first) / np.sqrt(first + second)) <= failure_prob
    return torch.where(torch.from_numpy(clear), counts.argmax(1), -1)


# WRONG majority: the normal approximation with a correction -> answers although|abstains although
def majority(counts, *, failure_prob):
    first, second = counts.topk(2).values.numpy().T
    clear = 2 * special.ndtr((second - first + 1) / np.sqrt(first + second)) <= failure_prob
    return torch.where(torch.from_numpy(clear), counts.argmax(1), -1)


# WRONG majority: the bound of the certificate -> the first class needs no half of all votes
def majority(counts, *, failure_prob):
    k, n = counts.amax(1).numpy(), counts.sum(1).numpy()
    clear = smoothing.clopper_pearson_below(k, n, failure_prob) > 0.5
    return torch.where(torch.from_numpy(clear), counts.argmax(1), -1)


# WRONG majority: the number of votes instead of the class -> not the class with most votes
def majority(counts, *, failure_prob):
    first, second = counts.topk(2).values.numpy().T
    clear = 2 * special.bdtr(second, first + second, 0.5) <= failure_prob
    return torch.where(torch.from_numpy(clear), counts.amax(1), -1)


# RIGHT verdict: the tail instead of the bound
def verdict(report):
    if report["asked"] != report["n"] + report["n0"]:
        return "same copies"
    if report["looks"] != 1:
        return "peeked"
    reach = report["radius"] * (report["pixels"] ** 0.5 if report["norm"] == "linf" else 1)
    if reach == 0:
        return "valid"
    share = special.ndtr(reach / report["sigma"])
    luck = special.bdtrc(report["hits"] - 1, report["n"], share)
    if luck <= report["failure_prob"]:
        return "valid"
    return "other norm" if report["norm"] == "linf" else "too far"


# RIGHT verdict: with utils' bound, numbers first
def verdict(report):
    sigma, norm, radius = report["sigma"], report["norm"], report["radius"]
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"])
    proved = sigma * special.ndtri(low) if low > 0.5 else 0
    in_cube = proved / math.sqrt(report["pixels"])
    word = "valid"
    if radius > proved:
        word = "too far"
    elif norm == "linf" and radius > in_cube:
        word = "other norm"
    if report["looks"] > 1:
        word = "peeked"
    if report["n0"] + report["n"] > report["asked"]:
        word = "same copies"
    return word


# WRONG verdict: all are valid -> how far from its middle are its corners
def verdict(report):
    return "valid"


# WRONG verdict: the three of the text by heart -> 100 hits of 100|a shorter radius|half the sigma
def verdict(report):
    if report["asked"] == 1000:
        return "same copies"
    return "other norm" if report["norm"] == "linf" else "valid"


# WRONG verdict: any cube is called the other norm -> a cube of so few pixels fits
def verdict(report):
    if report["asked"] < report["n0"] + report["n"]:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    if report["norm"] == "linf":
        return "other norm"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"])
    proved = report["sigma"] * special.ndtri(low) if low > 0.5 else 0
    return "too far" if report["radius"] > proved else "valid"


# WRONG verdict: divides by the pixels, not by their root -> times the root of the number of pixels
def verdict(report):
    if report["asked"] < report["n0"] + report["n"]:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"])
    proved = report["sigma"] * special.ndtri(low) if low > 0.5 else 0
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / report["pixels"] else "valid"
    return "too far" if report["radius"] > proved else "valid"


# WRONG verdict: the share of the hits, no bound -> the bound counts, not the share
def verdict(report):
    if report["asked"] < report["n0"] + report["n"]:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    share = report["hits"] / report["n"]
    proved = report["sigma"] * special.ndtri(share) if share > 0.5 else 0
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / math.sqrt(report["pixels"]) else "valid"
    return "too far" if report["radius"] > proved else "valid"


# WRONG verdict: the bound for two sides -> the bound has one side
def verdict(report):
    if report["asked"] < report["n0"] + report["n"]:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"] / 2)
    proved = report["sigma"] * special.ndtri(low) if low > 0.5 else 0
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / math.sqrt(report["pixels"]) else "valid"
    return "too far" if report["radius"] > proved else "valid"


# WRONG verdict: only the longest radius is right -> a shorter radius
def verdict(report):
    if report["asked"] < report["n0"] + report["n"]:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"])
    proved = report["sigma"] * special.ndtri(low) if low > 0.5 else 0
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / math.sqrt(report["pixels"]) else "valid"
    return "too far" if abs(report["radius"] - proved) > 0.05 * proved else "valid"


# WRONG verdict: peeking is no fault -> how many chances
def verdict(report):
    if report["asked"] < report["n0"] + report["n"]:
        return "same copies"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"])
    proved = report["sigma"] * special.ndtri(low) if low > 0.5 else 0
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / math.sqrt(report["pixels"]) else "valid"
    return "too far" if report["radius"] > proved else "valid"


# WRONG verdict: two looks are no peeking -> how many chances
def verdict(report):
    if report["asked"] < report["n0"] + report["n"]:
        return "same copies"
    if report["looks"] > 2:
        return "peeked"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"])
    proved = report["sigma"] * special.ndtri(low) if low > 0.5 else 0
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / math.sqrt(report["pixels"]) else "valid"
    return "too far" if report["radius"] > proved else "valid"


# WRONG verdict: copies may be used twice in part -> used for both
def verdict(report):
    if report["asked"] == report["n"]:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"])
    proved = report["sigma"] * special.ndtri(low) if low > 0.5 else 0
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / math.sqrt(report["pixels"]) else "valid"
    return "too far" if report["radius"] > proved else "valid"


# WRONG verdict: wants more copies for the choice -> in which no copy was used twice
def verdict(report):
    if report["asked"] < report["n0"] + report["n"] or report["n0"] < 100:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"])
    proved = report["sigma"] * special.ndtri(low) if low > 0.5 else 0
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / math.sqrt(report["pixels"]) else "valid"
    return "too far" if report["radius"] > proved else "valid"


# WRONG verdict: a failure probability of its own -> prove this radius|shorter radius|how far|a cube that fits
def verdict(report):
    if report["asked"] < report["n0"] + report["n"]:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], 0.001)
    proved = report["sigma"] * special.ndtri(low) if low > 0.5 else 0
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / math.sqrt(report["pixels"]) else "valid"
    return "too far" if report["radius"] > proved else "valid"


# WRONG verdict: a report of nothing is wrong, too -> a radius of 0
def verdict(report):
    if report["asked"] < report["n0"] + report["n"]:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    low = smoothing.clopper_pearson_below(report["hits"], report["n"], report["failure_prob"])
    proved = report["sigma"] * special.ndtri(low)
    if report["norm"] == "linf":
        return "other norm" if report["radius"] > proved / math.sqrt(report["pixels"]) else "valid"
    return "too far" if report["radius"] > proved else "valid"


# RIGHT enough: the mixture of lesson 07
def enough(k, n, p0, failure_prob):
    return smoothing.log_wealth(k.numpy(), n, p0) >= -math.log(failure_prob)


# RIGHT enough: a bound at each look, with its part of failure_prob
def enough(k, n, p0, failure_prob):
    look = n // 20
    part = failure_prob / (look * (look + 1))
    return [bool(special.betaincinv(float(hits), n - hits + 1.0, part) > p0) if hits else False for hits in k.tolist()]


# RIGHT enough: a bound at each look, with a hundredth of failure_prob
def enough(k, n, p0, failure_prob):
    return np.nan_to_num(special.betaincinv(k.numpy(), n - k.numpy() + 1.0, failure_prob / 100)) > p0


# RIGHT enough: two bets, each with half of the money
def enough(k, n, p0, failure_prob):
    k = k.double()
    bets = [p0 + (1 - p0) * share for share in (0.4, 0.75)]
    wealth = torch.stack([k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0)) for p in bets])
    return (wealth.logsumexp(0) - math.log(2)) >= math.log(1 / failure_prob)


# WRONG enough: the bound for a single look -> a hundred times|at each look
def enough(k, n, p0, failure_prob):
    return smoothing.clopper_pearson_below(k.numpy(), n, failure_prob) > p0


# WRONG enough: the bound for a single look, with half of failure_prob -> says yes too often where the share is only
def enough(k, n, p0, failure_prob):
    return smoothing.clopper_pearson_below(k.numpy(), n, failure_prob / 2) > p0


# WRONG enough: the share of the hits -> says yes too often where the share is only
def enough(k, n, p0, failure_prob):
    return k / n > p0


# WRONG enough: only at the end -> says no even where all of 140 votes are
def enough(k, n, p0, failure_prob):
    return (smoothing.clopper_pearson_below(k.numpy(), n, failure_prob) > p0) & (n >= 2000)


# WRONG enough: never -> do hits add up
def enough(k, n, p0, failure_prob):
    return torch.zeros(len(k), dtype=torch.bool)


# WRONG enough: a part of failure_prob for each vote instead of for each look -> too many votes
def enough(k, n, p0, failure_prob):
    return smoothing.clopper_pearson_below(k.numpy(), n, failure_prob / (n * (n + 1))) > p0


# WRONG enough: Hoeffding, with a part for each look -> as much above 0.84 as above 0.5
def enough(k, n, p0, failure_prob):
    return k / n - math.sqrt(math.log(100 / failure_prob) / 2 / n) > p0


# WRONG enough: the bet on a share that the hits choose afterwards -> says yes too often where the share is only
def enough(k, n, p0, failure_prob):
    p = (k.double() / n).clamp(p0, 1 - 1e-9)
    wealth = k * torch.log(p / p0) + (n - k) * torch.log((1 - p) / (1 - p0))
    return wealth >= -math.log(failure_prob)


# WRONG enough: the threshold is failure_prob itself -> says yes too often where the share is only
def enough(k, n, p0, failure_prob):
    p = (1 + p0) / 2
    wealth = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return wealth >= math.log(failure_prob)


# WRONG enough: a threshold of its own -> at each look|too many votes|a hundred times|does not look at failure_prob
def enough(k, n, p0, failure_prob):
    p = (1 + p0) / 2
    wealth = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return wealth >= math.log(20)


# WRONG enough: the probability of the hits alone, without the misses -> says yes at 1,000 hits of 2,000, though p0
def enough(k, n, p0, failure_prob):
    return k * math.log((1 + p0) / 2 / p0) >= -math.log(failure_prob)


# WRONG enough: the posterior probability of a share above p0 -> a hundred times|at each look
def enough(k, n, p0, failure_prob):
    return special.betaincc(k.numpy() + 1.0, n - k.numpy() + 1.0, p0) >= 1 - failure_prob


# WRONG enough: three looks are allowed for -> says yes too often where the share is only
def enough(k, n, p0, failure_prob):
    return smoothing.clopper_pearson_below(k.numpy(), n, failure_prob / 3) > p0


# WRONG enough: two standard errors above p0 -> says yes too often where the share is only
def enough(k, n, p0, failure_prob):
    return k / n - 2 * math.sqrt(p0 * (1 - p0) / n) > p0


# WRONG enough: looks only from the 500th vote on -> says no even where all of 140 votes are
def enough(k, n, p0, failure_prob):
    if n < 500:
        return k < 0
    return smoothing.log_wealth(k.numpy(), n, p0) >= -math.log(failure_prob)


# WRONG enough: bets on a share just above p0 -> says no even where all of 140 votes are
def enough(k, n, p0, failure_prob):
    p = p0 + 0.05 * (1 - p0)
    wealth = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return wealth >= -math.log(failure_prob)


# WRONG enough: one answer for all -> another shape
def enough(k, n, p0, failure_prob):
    return bool((k / n > p0).any())


# WRONG votes: seeds itself, so that all calls see the same noise -> set no seed
def votes(model, x, *, sigma, n):
    g = torch.Generator().manual_seed(0)
    copies = x.repeat_interleave(n, 0)
    with torch.no_grad():
        z = model(copies + sigma * torch.randn(copies.shape, generator=g))
    wins = z.argmax(1).view(len(x), n)
    return torch.stack([(wins == c).sum(1) for c in range(z.shape[1])], 1)


# WRONG enough: a bet on 0.93, whatever p0 is -> is a bet on a share above p0
def enough(k, n, p0, failure_prob):
    p = 0.93
    k = torch.as_tensor(k).double()
    wealth = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return wealth >= math.log(1 / failure_prob)


# RIGHT votes: a new generator from the system's clock, NumPy and counters
def votes(model, x, *, sigma, n):
    from collections import Counter

    rng = np.random.default_rng()
    rows = []
    with torch.no_grad():
        classes = model(x[:1]).shape[1]
        for image in x:
            noise = torch.from_numpy(rng.normal(0.0, sigma, size=(n, *image.shape)).astype("float32"))
            tally = Counter(model(image + noise).max(1).indices.tolist())
            rows.append([tally[c] for c in range(classes)])
    return torch.tensor(rows)


# WRONG votes: copies clamped to [0, 1] -> not clamped
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    z = model((copies + sigma * torch.randn_like(copies)).clamp(0, 1))
    said = z.argmax(1).view(len(x), n)
    return torch.stack([(said == k).sum(1) for k in range(z.shape[1])], 1)


# WRONG certificate: the normal curve's bound -> the share of failure_prob that is spent differs from
def certificate(chosen, counts, *, sigma, failure_prob):
    k = counts.gather(1, chosen[:, None])[:, 0].numpy()
    n = counts.sum(1).numpy()
    p = k / n
    low = p + special.ndtri(failure_prob) * np.sqrt(p * (1 - p) / n)
    ok = low > 0.5
    return torch.from_numpy(np.where(ok, chosen.numpy(), -1)), torch.from_numpy(
        np.where(ok, sigma * special.ndtri(np.where(ok, np.minimum(low, 1 - 1e-9), 0.5)), 0.0)
    )


def certify(model, x, *, sigma, n0, n, failure_prob):
    chosen = smoothing.votes(model, x, sigma=sigma, n=n0).argmax(1)
    return certificate(chosen, smoothing.votes(model, x, sigma=sigma, n=n), sigma=sigma, failure_prob=failure_prob)


# WRONG enough: against 0.84, whatever p0 is -> does not look at p0|whatever p0 is
def enough(k, n, p0, failure_prob):
    k = k.double()
    p = 0.93
    wealth = k * math.log(p / 0.84) + (n - k) * math.log((1 - p) / (1 - 0.84))
    return wealth >= math.log(1 / failure_prob)


# WRONG enough: wealth of 20, whatever failure_prob is -> does not look at failure_prob
def enough(k, n, p0, failure_prob):
    k = k.double()
    p = (1 + 1.4 * p0) / 2.4
    wealth = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return wealth >= math.log(20)


# RIGHT majority: by binomtest
def majority(counts, *, failure_prob):
    from scipy import stats

    out = []
    for row in counts:
        (a, b), (i, _) = (t.tolist() for t in row.sort(descending=True)[0:2] and row.topk(2))
        out.append(i if a + b > 0 and stats.binomtest(int(a), int(a + b), 0.5).pvalue <= failure_prob else -1)
    return torch.tensor(out)


# RIGHT enough: a mixture of three bets
def enough(k, n, p0, failure_prob):
    k = k.double()
    logs = []
    for t in (0.3, 0.6, 0.8):
        p = p0 + t * (1 - p0)
        logs.append(k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0)))
    return torch.logsumexp(torch.stack(logs), 0) - math.log(3) >= -math.log(failure_prob)


# WRONG votes: the smallest logit -> with the largest logit
def votes(model, x, *, sigma, n):
    out = 0
    for _ in range(n):
        z = model(x + sigma * torch.randn_like(x))
        out = out + torch.eye(z.shape[1], dtype=torch.int64)[z.argmin(1)]
    return out


# WRONG certificate: sigma squared -> not twice the radius
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    low = np.where(k > 0, special.betaincinv(np.maximum(k, 1), n - k + 1, failure_prob), 0)
    ok = low > 0.5
    return torch.from_numpy(np.where(ok, chosen.numpy(), -1)), torch.from_numpy(
        np.where(ok, sigma**2 * special.ndtri(np.where(ok, low, 0.5)), 0.0)
    )


def certify(model, x, *, sigma, n0, n, failure_prob):
    chosen = votes(model, x, sigma=sigma, n=n0).argmax(1)
    return certificate(chosen, votes(model, x, sigma=sigma, n=n), sigma=sigma, failure_prob=failure_prob)


# WRONG majority: exactly such a lead -> larger leads count as luck as well, and not
def majority(counts, *, failure_prob):
    top, at = counts.topk(2, dim=1)
    a, b = top[:, 0].numpy(), top[:, 1].numpy()
    p = np.minimum(1, 2 * special.binom((a + b).astype(float), b.astype(float)) * 0.5 ** (a + b).astype(float))
    return torch.where(torch.from_numpy(np.nan_to_num(p, nan=0.0) > failure_prob), torch.tensor(-1), at[:, 0])


# WRONG majority: failure_prob of 0.01 always -> whatever failure_prob is
def majority(counts, *, failure_prob):
    top, at = counts.topk(2, dim=1)
    a, b = top[:, 0].numpy(), top[:, 1].numpy()
    p = np.minimum(1, 2 * special.bdtr(b, a + b, 0.5))
    return torch.where(torch.from_numpy(p > 0.01), torch.tensor(-1), at[:, 0])


# WRONG verdict: failure_prob of 0.001 always -> a smaller failure_prob
def verdict(r):
    if r["asked"] < r["n0"] + r["n"]:
        return "same copies"
    if r["looks"] > 1:
        return "peeked"
    proved = (
        r["sigma"] * special.ndtri(special.betaincinv(r["hits"], r["n"] - r["hits"] + 1, 0.001)) if r["hits"] else 0
    )
    if r["radius"] == 0:
        return "valid"
    if r["norm"] == "linf":
        return (
            "valid"
            if r["radius"] * r["pixels"] ** 0.5 <= proved
            else "other norm"
            if r["radius"] <= proved
            else "too far"
        )
    return "valid" if r["radius"] <= proved else "too far"


# WRONG votes: noise that only brightens -> up as often as down
def votes(model, x, *, sigma, n):
    out = 0
    for _ in range(n):
        z = model(x + sigma * torch.rand_like(x))
        out = out + torch.eye(z.shape[1], dtype=torch.int64)[z.argmax(1)]
    return out


# WRONG votes: all votes for the mean's class -> the copies of an image vote together
def votes(model, x, *, sigma, n):
    z = sum(model(x + sigma * torch.randn_like(x)) for _ in range(n))
    return n * torch.eye(z.shape[1], dtype=torch.int64)[z.argmax(1)]


# WRONG certificate: failure_prob of 0.001 always -> another failure_prob
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    low = np.where(k > 0, special.betaincinv(np.maximum(k, 1), n - k + 1, 0.001), 0)
    ok = low > 0.5
    return torch.from_numpy(np.where(ok, chosen.numpy(), -1)), torch.from_numpy(
        np.where(ok, sigma * special.ndtri(np.where(ok, low, 0.5)), 0.0)
    )


def certify(model, x, *, sigma, n0, n, failure_prob):
    return certificate(
        votes(model, x, sigma=sigma, n=n0).argmax(1),
        votes(model, x, sigma=sigma, n=n),
        sigma=sigma,
        failure_prob=failure_prob,
    )


# WRONG certify: half of failure_prob -> at the whole of failure_prob
def certificate(chosen, counts, *, sigma, failure_prob):
    k, n = counts.gather(1, chosen[:, None])[:, 0].numpy(), counts.sum(1).numpy()
    low = np.where(k > 0, special.betaincinv(np.maximum(k, 1), n - k + 1, failure_prob), 0)
    ok = low > 0.5
    return torch.from_numpy(np.where(ok, chosen.numpy(), -1)), torch.from_numpy(
        np.where(ok, sigma * special.ndtri(np.where(ok, low, 0.5)), 0.0)
    )


def certify(model, x, *, sigma, n0, n, failure_prob):
    return certificate(
        votes(model, x, sigma=sigma, n=n0).argmax(1),
        votes(model, x, sigma=sigma, n=n),
        sigma=sigma,
        failure_prob=failure_prob / 2,
    )


# WRONG votes: rows and copies exchanged -> votes are counted in the rows of other images
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    with torch.no_grad():
        out = model(copies + sigma * torch.randn_like(copies))
    winners = out.argmax(1).view(n, len(x))
    return torch.stack([(winners == c).sum(0) for c in range(out.shape[1])], 1)


# WRONG votes: adds up probabilities -> the votes of an image do not add up
def votes(model, x, *, sigma, n):
    out = 0
    with torch.no_grad():
        for _ in range(n):
            out = out + model(x + sigma * torch.randn_like(x)).softmax(1)
    return out


# WRONG votes: uniform noise, written otherwise -> the noise is uniform between -sigma and sigma, and
def votes(model, x, *, sigma, n):
    out = 0
    with torch.no_grad():
        for _ in range(n):
            z = model(x + sigma * (2 * torch.rand_like(x) - 1))
            out = out + torch.nn.functional.one_hot(z.argmax(1), z.shape[1])
    return out


# WRONG votes: as many columns as winners -> a row with no votes for the last class
def votes(model, x, *, sigma, n):
    copies = x.repeat_interleave(n, 0)
    with torch.no_grad():
        winners = model(copies + sigma * torch.randn_like(copies)).argmax(1).view(len(x), n)
    top = int(winners.max()) + 1
    return torch.stack([torch.bincount(row, minlength=top) for row in winners])


# WRONG votes: the image itself votes, too -> the image itself, without noise, is one of the
def votes(model, x, *, sigma, n):
    with torch.no_grad():
        z = model(x)
        out = torch.nn.functional.one_hot(z.argmax(1), z.shape[1])
        for _ in range(n - 1):
            z = model(x + sigma * torch.randn_like(x))
            out = out + torch.nn.functional.one_hot(z.argmax(1), z.shape[1])
    return out


# WRONG certificate: the other end of the bound -> the bound is above the true share in nearly
def certificate(chosen, counts, *, sigma, failure_prob):
    n = counts.sum(1).double()
    k = counts.gather(1, chosen[:, None])[:, 0].double()
    p = torch.as_tensor(special.betaincinv(k.numpy().clip(1e-9), (n - k + 1).numpy(), 1 - failure_prob))
    sure = p > 0.5
    return torch.where(sure, chosen, -1), torch.where(sure, sigma * torch.special.ndtri(p.clamp_max(1 - 1e-12)), 0.0)


# WRONG certificate: radii before labels -> labels come first, and radii second
def certificate(chosen, counts, *, sigma, failure_prob):
    n = counts.sum(1).double()
    k = counts.gather(1, chosen[:, None])[:, 0].double()
    p = torch.as_tensor(special.betaincinv(k.numpy().clip(1e-9), (n - k + 1).numpy(), failure_prob))
    sure = p > 0.5
    return torch.where(sure, sigma * torch.special.ndtri(p), 0.0), torch.where(sure, chosen, -1)


# WRONG certificate: half of sigma, written otherwise -> the bounds are right, and the radii are half
def certificate(chosen, counts, *, sigma, failure_prob):
    n = counts.sum(1).double()
    k = counts.gather(1, chosen[:, None])[:, 0].double()
    p = torch.as_tensor(special.betaincinv(k.numpy().clip(1e-9), (n - k + 1).numpy(), failure_prob))
    sure = p > 0.5
    return torch.where(sure, chosen, -1), torch.where(sure, sigma / 2 * torch.special.ndtri(p), 0.0)


# WRONG certificate: the votes of whoever wins -> answers with the chosen class although nearly all votes
def certificate(chosen, counts, *, sigma, failure_prob):
    n = counts.sum(1).double()
    k = counts.amax(1).double()
    p = torch.as_tensor(special.betaincinv(k.numpy(), (n - k + 1).numpy(), failure_prob))
    sure = p > 0.5
    return torch.where(sure, chosen, -1), torch.where(sure, sigma * torch.special.ndtri(p), 0.0)


# WRONG certificate: one vote too many -> nearly the exact bound, and not it
def certificate(chosen, counts, *, sigma, failure_prob):
    n = counts.sum(1).double()
    k = counts.gather(1, chosen[:, None])[:, 0].double()
    p = torch.as_tensor(special.betaincinv((k + 1).numpy(), (n - k + 1).numpy(), failure_prob))
    sure = p > 0.5
    return torch.where(sure, chosen, -1), torch.where(sure, sigma * torch.special.ndtri(p), 0.0)


# WRONG certificate: the bound less a half, as a radius -> the bounds are right, and the radii do not
def certificate(chosen, counts, *, sigma, failure_prob):
    n = counts.sum(1)
    k = counts.gather(1, chosen[:, None])[:, 0]
    k, n = k.double().numpy(), n.double().numpy()
    low = special.betaincinv(np.maximum(k, 1e-9), n - k + 1, failure_prob)
    low = np.where(k == 0, 0.0, low)
    sure = torch.from_numpy(low > 0.5)
    radius = torch.from_numpy(sigma * np.maximum(low - 0.5, 0))
    return torch.where(sure, chosen, -1), radius


# WRONG majority: all votes are tosses of the coin -> votes for third classes are no tosses of the
def majority(counts, *, failure_prob):
    top = counts.topk(2, 1).values.double()
    p = 2 * torch.as_tensor(special.bdtr(top[:, 1].numpy(), counts.sum(1).numpy().astype(int), 0.5))
    return torch.where(p <= failure_prob, counts.argmax(1), -1)


# WRONG majority: twice failure_prob -> twice failure_prob is spent
def majority(counts, *, failure_prob):
    top = counts.topk(2, 1).values.double()
    p = torch.as_tensor(special.bdtr(top[:, 1].numpy(), top.sum(1).numpy().astype(int), 0.5))
    return torch.where(p <= 2 * failure_prob, counts.argmax(1), -1)


# WRONG majority: more than half of all votes -> the first class needs no half of all votes
def majority(counts, *, failure_prob):
    k, n = counts.amax(1).double().numpy(), counts.sum(1).double().numpy()
    low = special.betaincinv(k, n - k + 1, failure_prob)
    return torch.where(torch.as_tensor(low > 0.5), counts.argmax(1), -1)


# WRONG enough: any share above p0 -> says yes too often where the share is only
def enough(k, n, p0, failure_prob):
    return torch.as_tensor(k).double() / n > p0


# WRONG enough: p follows the votes -> says yes too often where the share is only
def enough(k, n, p0, failure_prob):
    k = torch.as_tensor(k).double()
    p = (k / n).clamp(1e-6, 1 - 1e-6)
    log = k * (p / p0).log() + (n - k) * ((1 - p) / (1 - p0)).log()
    return (log >= math.log(1 / failure_prob)) & (p > p0)


# WRONG enough: a wealth that is too small -> says yes too often where the share is only
def enough(k, n, p0, failure_prob):
    k = torch.as_tensor(k).double()
    p = p0 + 0.6 * (1 - p0)
    log = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return log >= 0.5 * math.log(1 / failure_prob)


# WRONG enough: misses cost nothing -> says yes at 1,000 hits of 2,000, though p0
def enough(k, n, p0, failure_prob):
    k = torch.as_tensor(k).double()
    p = (1 + p0) / 2
    return k * math.log(p / p0) >= math.log(1 / failure_prob)


# WRONG enough: a bet next to p0 -> says no even where all of 140 votes are
def enough(k, n, p0, failure_prob):
    k = torch.as_tensor(k).double()
    p = p0 + 0.05 * (1 - p0)
    log = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return log >= math.log(1 / failure_prob)


# WRONG verdict: all drawn copies were used -> one of the three reports states no more than
def verdict(report):
    if report["asked"] <= report["n0"] + report["n"]:
        return "same copies"
    if report["looks"] > 1:
        return "peeked"
    k, n = report["hits"], report["n"]
    low = special.betaincinv(k, n - k + 1, report["failure_prob"]) if k > 0 else 0.0
    proved = max(0.0, report["sigma"] * special.ndtri(low)) if low > 0 else 0.0
    if report["norm"] == "linf":
        if report["radius"] * math.sqrt(report["pixels"]) <= proved:
            return "valid"
        return "other norm" if report["radius"] <= proved else "too far"
    return "valid" if report["radius"] <= proved else "too far"


# RIGHT enough: a mixture of five bets
def enough(k, n, p0, failure_prob):
    k = torch.as_tensor(k).double()
    grid = torch.linspace(0.3, 0.9, 5, dtype=torch.float64) * (1 - p0) + p0
    logs = k[:, None] * torch.log(grid / p0) + (n - k)[:, None] * torch.log((1 - grid) / (1 - p0))
    return torch.logsumexp(logs, 1) - math.log(5) >= -math.log(failure_prob)


# RIGHT certificate: the bound by bisection
def certificate(chosen, counts, *, sigma, failure_prob):
    from scipy.optimize import brentq
    from scipy.stats import binom

    labels, radii = [], []
    for c, row in zip(chosen.tolist(), counts.tolist()):
        k, n = int(row[c]), int(sum(row))
        p = brentq(lambda q: binom.sf(k - 1, n, q) - failure_prob, 1e-12, 1 - 1e-15, xtol=1e-14) if k else 0.0
        labels.append(c if p > 0.5 else -1)
        radii.append(sigma * float(special.ndtri(p)) if p > 0.5 else 0.0)
    return torch.tensor(labels), torch.tensor(radii, dtype=torch.float64)


# RIGHT votes: all copies at once, class by class
def votes(model, x, *, sigma, n):
    copies = torch.cat([x] * n)
    with torch.no_grad():
        out = model(torch.normal(copies, sigma))
    winners = out.argmax(1).view(n, len(x)).T
    return torch.stack([(winners == c).sum(1) for c in range(out.shape[1])], 1)


# WRONG certify: a radius for sigma = 1 -> that of sigma = 1
def certificate(chosen, counts, *, sigma, failure_prob):
    k = counts.gather(1, chosen[:, None])[:, 0].cpu().numpy()
    bound = np.nan_to_num(special.betaincinv(k, counts.sum(1).cpu().numpy() - k + 1.0, failure_prob))
    proved = bound > 0.5
    radius = np.where(proved, sigma * special.ndtri(bound), 0.0)
    return torch.from_numpy(np.where(proved, chosen.cpu().numpy(), -1)), torch.from_numpy(radius)


def certify(model, x, *, sigma, n0, n, failure_prob):
    choice = votes(model, x, sigma=sigma, n=n0).argmax(1)
    return certificate(choice, votes(model, x, sigma=sigma, n=n), sigma=1.0, failure_prob=failure_prob)


# WRONG majority: yes and no exchanged -> which of the two may be luck
def majority(counts, *, failure_prob):
    first, second = counts.topk(2).values.cpu().numpy().T
    luck = 2 * special.bdtr(second, first + second, 0.5)
    return torch.where(torch.from_numpy(luck > failure_prob).to(counts.device), counts.argmax(1), -1)


# WRONG majority: the votes of all images in one test -> depends on the others in the batch
def majority(counts, *, failure_prob):
    first, second = counts.topk(2).values.cpu().numpy().T
    luck = 2 * special.bdtr(second.sum(), first.sum() + second.sum(), 0.5) + 0 * first
    return torch.where(torch.from_numpy(luck <= failure_prob).to(counts.device), counts.argmax(1), -1)


# WRONG enough: the wealth itself -> yes or no is asked
def enough(k, n, p0, failure_prob):
    p = (1 + p0) / 2
    wealth = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return wealth


# WRONG certify: its copies are clamped -> copies are not clamped
def certificate(chosen, counts, *, sigma, failure_prob):
    k = counts.gather(1, chosen[:, None])[:, 0].double()
    n = counts.sum(1).double()
    low = np.where(k.numpy() > 0, special.betaincinv(k.numpy().clip(1), (n - k + 1).numpy(), failure_prob), 0.0)
    radius = sigma * special.ndtri(low)
    sure = low > 0.5
    labels = torch.where(torch.from_numpy(sure), chosen, -1)
    return labels, torch.from_numpy(np.where(sure, radius, 0.0))


def certify(model, x, *, sigma, n0, n, failure_prob):
    def count(m):
        with torch.no_grad():
            classes = model(x[:1]).shape[1]
            return sum(
                nn.functional.one_hot(model((x + sigma * torch.randn_like(x)).clamp(0, 1)).argmax(1), classes)
                for _ in range(m)
            )

    chosen = count(n0).argmax(1)
    return certificate(chosen, count(n), sigma=sigma, failure_prob=failure_prob)


# WRONG certificate: n - k, and not one more -> off by one
def certificate(chosen, counts, *, sigma, failure_prob):
    k = counts.gather(1, chosen[:, None])[:, 0].double()
    n = counts.sum(1).double()
    low = np.where(
        k.numpy() > 0, special.betaincinv(k.numpy().clip(1), (n - k).clamp_min(0.5).numpy(), failure_prob), 0.0
    )
    radius = sigma * special.ndtri(low)
    sure = low > 0.5
    labels = torch.where(torch.from_numpy(sure), chosen, -1)
    return labels, torch.from_numpy(np.where(sure, radius, 0.0))


def certify(model, x, *, sigma, n0, n, failure_prob):
    def count(m):
        with torch.no_grad():
            classes = model(x[:1]).shape[1]
            return sum(
                nn.functional.one_hot(model(x + sigma * torch.randn_like(x)).argmax(1), classes) for _ in range(m)
            )

    chosen = count(n0).argmax(1)
    return certificate(chosen, count(n), sigma=sigma, failure_prob=failure_prob)


# WRONG enough: a bet that a miss ruins -> a miss takes away
def enough(k, n, p0, failure_prob):
    k = torch.as_tensor(k).double()
    p = 0.999
    wealth = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return wealth >= math.log(1 / failure_prob)


# WRONG enough: more than it began with -> one share of hits
def enough(k, n, p0, failure_prob):
    k = torch.as_tensor(k).double()
    p = p0 + 0.6 * (1 - p0)
    wealth = k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))
    return wealth >= 0


# WRONG verdict: without sigma -> half the sigma
def verdict(report):
    r = report
    if r["radius"] <= 0:
        return "valid"
    if r["asked"] < r["n0"] + r["n"]:
        return "same copies"
    if r["looks"] > 1:
        return "peeked"
    low = special.betaincinv(r["hits"], r["n"] - r["hits"] + 1, r["failure_prob"]) if r["hits"] else 0.0
    proved = special.ndtri(low) if low > 0.5 else 0.0
    if r["norm"] == "linf":
        return (
            "valid"
            if r["radius"] * r["pixels"] ** 0.5 <= proved
            else ("other norm" if r["radius"] <= proved else "too far")
        )
    return "valid" if r["radius"] <= proved else "too far"


# WRONG certify: chooses under twice the noise -> have the same noise
def certificate(chosen, counts, *, sigma, failure_prob):
    k = counts.gather(1, chosen[:, None])[:, 0].double()
    n = counts.sum(1).double()
    low = np.where(k.numpy() > 0, special.betaincinv(k.numpy().clip(1), (n - k + 1).numpy(), failure_prob), 0.0)
    radius = sigma * special.ndtri(low)
    sure = low > 0.5
    labels = torch.where(torch.from_numpy(sure), chosen, -1)
    return labels, torch.from_numpy(np.where(sure, radius, 0.0))


def certify(model, x, *, sigma, n0, n, failure_prob):
    def count(m):
        with torch.no_grad():
            classes = model(x[:1]).shape[1]
            return sum(
                nn.functional.one_hot(model(x + sigma * torch.randn_like(x)).argmax(1), classes) for _ in range(m)
            )

    keep, sigma = sigma, 2 * sigma
    chosen = count(n0).argmax(1)
    sigma = keep
    return certificate(chosen, count(n), sigma=sigma, failure_prob=failure_prob)


# WRONG majority: withheld at a chance of failure_prob itself -> only if the chance is above
def majority(counts, *, failure_prob):
    first, second = counts.topk(2, dim=1).values.numpy().T
    sure = 2 * special.bdtr(second, first + second, 0.5) < failure_prob
    return torch.where(torch.from_numpy(sure), counts.argmax(1), -1)


# WRONG verdict: no hit at all is valid, for nothing is larger than NaN -> no hit proves nothing
def verdict(report):
    hits, n, radius = report["hits"], report["n"], report["radius"]
    proved = report["sigma"] * special.ndtri(special.betaincinv(hits, n - hits + 1, report["failure_prob"]))
    if radius and report["asked"] < report["n0"] + n:
        return "same copies"
    if radius and report["looks"] > 1:
        return "peeked"
    if radius and radius > proved:
        return "too far"
    cube = radius * math.sqrt(report["pixels"]) > proved
    return "other norm" if radius and report["norm"] == "linf" and cube else "valid"


# WRONG enough: the hits of all images are pooled -> on the others in the batch
def enough(k, n, p0, failure_prob):
    p, mean = (p0 + 1) / 2, k.double().mean()
    wealth = mean * math.log(p / p0) + (n - mean) * math.log((1 - p) / (1 - p0))
    return torch.full(k.shape, bool(wealth >= -math.log(failure_prob)))


# WRONG certify: wants a majority of the n0 votes as well -> many abstain: with 2 of the n0 = 4 votes
def certificate(chosen, counts, *, sigma, failure_prob):
    labels, radii = [], []
    for c, row in zip(chosen.tolist(), counts.tolist()):
        k, n = int(row[c]), int(sum(row))
        low = special.betaincinv(k, n - k + 1, failure_prob) if k else 0.0
        yes = low > 0.5
        labels.append(c if yes else -1)
        radii.append(sigma / 2 * (special.ndtri(low) - special.ndtri(1 - low)) if yes else 0.0)
    return torch.tensor(labels), torch.tensor(radii, dtype=torch.float64)


def certify(model, x, *, sigma, n0, n, failure_prob):
    first = votes(model, x, sigma=sigma, n=n0)
    counts = votes(model, x, sigma=sigma, n=n)
    label, radius = certificate(first.argmax(1), counts, sigma=sigma, failure_prob=failure_prob)
    unsure = first.amax(1) <= n0 / 2
    return torch.where(unsure, -1, label), torch.where(unsure, 0.0, radius)


# WRONG enough: a share of failure_prob that falls as 1 / look -> all of them add up
def enough(k, n, p0, failure_prob):
    looks = n // 20
    k = np.asarray(k)
    low = np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob / looks))
    return torch.from_numpy(low > p0)
