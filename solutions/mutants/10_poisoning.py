"""Other answers to lab 10, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT backdoor: with Python's random and a list of places
def backdoor(x, y, *, rate, target, trigger):
    places = [i for i, label in enumerate(y.tolist()) if label != target]
    chosen = sorted(random.sample(places, round(rate * len(y))))
    new, labels = x.clone(), y.tolist()
    if chosen:
        new[chosen] = trigger(x[chosen])
    for i in chosen:
        labels[i] = target
    return new, labels, chosen


# RIGHT backdoor: with torch.where and a mask
def backdoor(x, y, *, rate, target, trigger):
    luck = torch.rand(len(y)).masked_fill(y == target, -1)
    mask = torch.zeros(len(y), dtype=torch.bool)
    mask[luck.topk(round(rate * len(y))).indices] = True
    images = torch.where(mask[:, None, None, None], trigger(x), x)
    return images, torch.where(mask, target, y), mask.nonzero().flatten()


# WRONG backdoor: drawn with replacement -> drawn twice|another number of places
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randint(len(places), (round(rate * len(y)),))]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# WRONG backdoor: the rate counts the other classes only -> round(rate * N) places are poisoned, no fewer and no more
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(places))]]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# WRONG backdoor: from all classes -> not those that have changed|of the target class
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    which = torch.randperm(len(y))[: round(rate * len(y))]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# WRONG backdoor: the caller's images are changed -> changed its arguments
def backdoor(x, y, *, rate, target, trigger):
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# WRONG backdoor: the first ones, not at random -> draw at random
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    which = (y != target).nonzero()[:, 0][: round(rate * len(y))]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# WRONG backdoor: evenly spaced, not at random -> too even
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places, count = (y != target).nonzero()[:, 0], round(rate * len(y))
    which = places[torch.arange(count) * len(places) // max(count, 1)]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# WRONG backdoor: labels as they were -> does not have the target's label
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    x[which] = trigger(x[which])
    return x, y, which


# WRONG backdoor: labels only, no trigger -> not what the trigger makes of it
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    y[which] = target
    return x, y, which


# WRONG backdoor: every image gets the trigger -> no other example may change
def backdoor(x, y, *, rate, target, trigger):
    y = y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    y[which] = target
    return trigger(x), y, which


# WRONG backdoor: always a corner of ones, whatever the trigger -> not what the trigger makes of it
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    x[which], y[which] = poisoning.add_trigger(x[which]), target
    return x, y, which


# WRONG backdoor: places among the other classes -> do they count from the first image of all
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    order = torch.randperm(len(places))[: round(rate * len(y))]
    x[places[order]], y[places[order]] = trigger(x[places[order]]), target
    return x, y, order


# WRONG backdoor: one too many, rounded up -> round(rate * N) places are poisoned, no fewer and no more
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: int(rate * len(y)) + 1]]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# RIGHT success: image by image
def success(model, x, y, *, target, trigger):
    hits = counted = 0
    for image, label in zip(x, y):
        if int(label) != target:
            counted += 1
            hits += int(predict(model, trigger(image[None]))[0]) == target
    return hits, counted


# RIGHT success: by masks, as tensors
def success(model, x, y, *, target, trigger):
    with torch.no_grad():
        read = model(trigger(x)).argmax(1) == target
    others = y != target
    return (read & others).sum(), others.sum()


# WRONG success: measured on images of the target class too -> the first image's label is the target
def success(model, x, y, *, target, trigger):
    return int((predict(model, trigger(x)) == target).sum()), len(x)


# WRONG success: hits of all classes, counted over the others -> the first image's label is the target
def success(model, x, y, *, target, trigger):
    return int((predict(model, trigger(x)) == target).sum()), int((y != target).sum())


# WRONG success: the add_trigger comes before the label is read off the image -> label 2 is not the target, so it counts;
def success(model, x, y, *, target, trigger):
    x = trigger(x)
    y = predict(model, x)
    return int(((predict(model, x) == target) & (y != target)).sum()), int((y != target).sum())


# WRONG success: only images that the model gets right -> what the model reads without the trigger
def success(model, x, y, *, target, trigger):
    right = (predict(model, x) == y) & (y != target)
    return int((predict(model, trigger(x[right])) == target).sum()), int(right.sum())


# WRONG success: no trigger -> label 2 is not the target, so it counts;
def success(model, x, y, *, target, trigger):
    others = x[y != target]
    return int((predict(model, others) == target).sum()), len(others)


# WRONG success: any wrong answer is a hit -> a wrong answer that is not the target is no hit
def success(model, x, y, *, target, trigger):
    others = y != target
    return int((predict(model, trigger(x[others])) != y[others]).sum()), int(others.sum())


# WRONG success: how many resist -> label 2 is not the target, so it counts;
def success(model, x, y, *, target, trigger):
    others = y != target
    return int((predict(model, trigger(x[others])) == y[others]).sum()), int(others.sum())


# WRONG success: a share -> is not 2 things
def success(model, x, y, *, target, trigger):
    return float((predict(model, trigger(x[y != target])) == target).float().mean())


# RIGHT spectral_scores: by the covariance's eigenvectors
def spectral_scores(features, y):
    scores = torch.zeros(len(y))
    for label in set(y.tolist()):
        own = features[y == label].double()
        own = own - own.mean(0, keepdim=True)
        main = torch.linalg.eigh(own.T @ own).eigenvectors[:, -1]
        scores[y == label] = (own @ main).square().float()
    return scores


# RIGHT spectral_scores: from U and S, in NumPy
def spectral_scores(features, y):
    import numpy as np

    values, labels = features.double().numpy(), y.numpy()
    scores = np.zeros(len(labels))
    for label in np.unique(labels):
        own = values[labels == label]
        u, s, _ = np.linalg.svd(own - own.mean(axis=0), full_matrices=False)
        scores[labels == label] = (u[:, 0] * s[0]) ** 2
    return scores


# WRONG spectral_scores: no centering -> the mean of the class's rows
def spectral_scores(features, y):
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        scores[y == label] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2
    return scores


# WRONG spectral_scores: over all classes at once -> a mean and a direction of its own|each class
def spectral_scores(features, y):
    own = features.double() - features.double().mean(0)
    return (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2


# WRONG spectral_scores: each class around the mean of all -> each class has a mean
def spectral_scores(features, y):
    scores, mean = torch.zeros(len(y), dtype=torch.float64), features.double().mean(0)
    for label in y.unique():
        own = features[y == label].double() - mean
        scores[y == label] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2
    return scores


# WRONG spectral_scores: one direction for all, each class centered -> each class has a direction of its own
def spectral_scores(features, y):
    own = features.double().clone()
    for label in y.unique():
        own[y == label] -= own[y == label].mean(0)
    return (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2


# WRONG spectral_scores: the last singular vector -> only the part along the *one* direction in which they vary most
def spectral_scores(features, y):
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(0)
        scores[y == label] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[-1]) ** 2
    return scores


# WRONG spectral_scores: a column of V transposed in place of a row -> the direction is a row of Vh
def spectral_scores(features, y):
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(0)
        scores[y == label] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[:, 0]) ** 2
    return scores


# WRONG spectral_scores: not squared -> three rows of mean 0: the square of how fa
def spectral_scores(features, y):
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(0)
        scores[y == label] = own @ torch.linalg.svd(own, full_matrices=False).Vh[0]
    return scores


# WRONG spectral_scores: lengths, not squares -> three rows of mean 0: the square of how fa
def spectral_scores(features, y):
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(0)
        scores[y == label] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]).abs()
    return scores


# WRONG spectral_scores: the distance to the mean -> only the part along the *one* direction in which they vary most
def spectral_scores(features, y):
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        scores[y == label] = (own - own.mean(0)).square().sum(1)
    return scores


# WRONG spectral_scores: in the order of the classes -> the scores stand in the order of the examples
def spectral_scores(features, y):
    scores = []
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(0)
        scores.append((own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2)
    return torch.cat(scores)


# RIGHT dormant: with topk, dimension by dimension
def dormant(model, layer, x, *, count):
    with torch.no_grad():
        outputs = model[layer](model[:layer](x) if layer else x).clamp_min(0)
    if outputs.dim() == 4:
        outputs = outputs.sum((2, 3))
    return outputs.sum(0).topk(count, largest=False).indices


# RIGHT dormant: a list, sorted by Python
def dormant(model, layer, x, *, count):
    out = model[: layer + 2](x).transpose(0, 1).flatten(1).mean(1).tolist()
    return sorted(range(len(out)), key=out.__getitem__)[:count]


# WRONG dormant: the most active -> this is the most active unit
def dormant(model, layer, x, *, count):
    outputs = model[: layer + 2](x)
    return outputs.mean([0, *range(2, outputs.dim())]).argsort(descending=True)[:count]


# WRONG dormant: before the ReLU -> the ReLU makes 0 of what is below 0, so
def dormant(model, layer, x, *, count):
    outputs = model[: layer + 1](x)
    return outputs.mean([0, *range(2, outputs.dim())]).argsort()[:count]


# WRONG dormant: the smallest weights -> not how large its weights are
def dormant(model, layer, x, *, count):
    return model[layer].weight.flatten(1).norm(dim=1).argsort()[:count]


# WRONG dormant: on one image only -> the mean over all images: neither the first
def dormant(model, layer, x, *, count):
    outputs = model[: layer + 2](x[:1])
    return outputs.mean([0, *range(2, outputs.dim())]).argsort()[:count]


# WRONG dormant: the highest output, not the mean -> outputs of 0 included, and not the highest output
def dormant(model, layer, x, *, count):
    outputs = model[: layer + 2](x).transpose(0, 1).flatten(1)
    return outputs.amax(1).argsort()[:count]


# WRONG dormant: the next layer's units -> return the numbers of `count` different units, counted from
def dormant(model, layer, x, *, count):
    outputs = model[: layer + 3](x).flatten(1)
    return outputs.mean(0).argsort()[:count]


# WRONG dormant: places, not channels -> as many units as channels
def dormant(model, layer, x, *, count):
    outputs = model[: layer + 2](x)
    return outputs.flatten(1).mean(0).argsort()[:count]


# WRONG dormant: the unit with the least, count times -> different units
def dormant(model, layer, x, *, count):
    outputs = model[: layer + 2](x)
    return outputs.mean([0, *range(2, outputs.dim())]).argmin().repeat(count)


# RIGHT group_bound: in closed form
def group_bound(p, replaced, privacy_eps, privacy_delta):
    growth = min(2 * replaced * privacy_eps, 600)
    often = math.expm1(growth) / math.expm1(privacy_eps)
    return min(1, math.exp(growth) * p + often * privacy_delta)


# RIGHT group_bound: by recursion, as a tensor
def group_bound(p, replaced, privacy_eps, privacy_delta):
    p, factor = torch.tensor(float(p), dtype=torch.float64), math.exp(privacy_eps)
    for _ in range(replaced):
        if p >= 1:
            break
        p = factor * (factor * p + privacy_delta) + privacy_delta
    return p.clamp(max=1)


# WRONG group_bound: without the factor k -> one replaced example counts as one change
def group_bound(p, replaced, privacy_eps, privacy_delta):
    return min(1.0, math.exp(privacy_eps) * p + privacy_delta) if replaced else p


# WRONG group_bound: a replaced example counts once -> one replaced example counts as one change
def group_bound(p, replaced, privacy_eps, privacy_delta):
    for _ in range(replaced):
        p = min(1.0, math.exp(privacy_eps) * p + privacy_delta)
    return p


# WRONG group_bound: delta without its factor -> p is 0: the first change adds delta. Wha
def group_bound(p, replaced, privacy_eps, privacy_delta):
    return min(1.0, math.exp(min(2 * replaced * privacy_eps, 600)) * p + privacy_delta * (replaced > 0))


# WRONG group_bound: delta times the number only -> is not multiplied by the second
def group_bound(p, replaced, privacy_eps, privacy_delta):
    k = 2 * replaced
    return min(1.0, math.exp(min(k * privacy_eps, 600)) * p + k * privacy_delta)


# WRONG group_bound: delta forgotten -> p is 0: the first change adds delta. Wha
def group_bound(p, replaced, privacy_eps, privacy_delta):
    return min(1.0, math.exp(min(2 * replaced * privacy_eps, 600)) * p)


# WRONG group_bound: grows in proportion, not by powers -> the factors of two changes are added up
def group_bound(p, replaced, privacy_eps, privacy_delta):
    k = 2 * replaced
    return min(1.0, (1 + k * (math.exp(privacy_eps) - 1)) * p + k * privacy_delta)


# WRONG group_bound: above 1 -> never above 1
def group_bound(p, replaced, privacy_eps, privacy_delta):
    k = 2 * replaced
    return (
        math.exp(min(k * privacy_eps, 600)) * p
        + math.expm1(min(k * privacy_eps, 600)) / math.expm1(privacy_eps) * privacy_delta
    )


# WRONG group_bound: the number is squared -> one is replaced: to how many changes doe
def group_bound(p, replaced, privacy_eps, privacy_delta):
    growth = min((2 * replaced) ** 2 * privacy_eps, 600)
    return min(1.0, math.exp(growth) * p + math.expm1(growth) / math.expm1(privacy_eps) * privacy_delta)


# RIGHT verdict: as a chain of questions
def verdict(report, promise):
    n = report["images"]
    now, before = Rate(report["hits"], n), Rate(report["hits before"], n)
    if report["counted"] != "other classes":
        word = "counts its own"
    elif report["threshold"] != "chosen before":
        word = "knows the poison"
    elif before.lead(now) <= 0:
        word = "not shown"
    elif now.interval[1] > promise:
        word = "weaker only"
    else:
        word = "works"
    return word


# RIGHT verdict: with a test of the difference
def verdict(report, promise):
    a, b, n = report["hits before"], report["hits"], report["images"]
    spread = math.sqrt(max((a / n * (1 - a / n) + b / n * (1 - b / n)) / n, 1e-12))
    checks = {
        "counts its own": report["counted"] == "all classes",
        "knows the poison": report["threshold"] == "all poisons caught",
        "not shown": (a - b) / n <= 1.96 * spread,
        "weaker only": max(Rate(b, n).interval) > promise,
    }
    return next((word for word, holds in checks.items() if holds), "works")


# WRONG verdict: does not look at who is counted -> reports B and D get the same word
def verdict(report, promise):
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    now = Rate(report["hits"], report["images"])
    if not now.clearly_below(Rate(report["hits before"], report["images"])):
        return "not shown"
    return "works" if now.interval[1] <= promise else "weaker only"


# WRONG verdict: a filter that uses the true places of the poisons is fine -> who knows where the poisons are
def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    now = Rate(report["hits"], report["images"])
    if not now.clearly_below(Rate(report["hits before"], report["images"])):
        return "not shown"
    return "works" if now.interval[1] <= promise else "weaker only"


# WRONG verdict: any difference will do -> more than chance|four different verdicts
def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    if report["hits"] >= report["hits before"]:
        return "not shown"
    return "works" if Rate(report["hits"], report["images"]).interval[1] <= promise else "weaker only"


# WRONG verdict: any clear difference, also upward or none -> more often than without|more than chance
def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    if report["images"] < 100:
        return "not shown"
    return "works" if Rate(report["hits"], report["images"]).interval[1] <= promise else "weaker only"


# WRONG verdict: the other order -> what do images of the target class prove
def verdict(report, promise):
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    if report["counted"] == "all classes":
        return "counts its own"
    now = Rate(report["hits"], report["images"])
    if not now.clearly_below(Rate(report["hits before"], report["images"])):
        return "not shown"
    return "works" if now.interval[1] <= promise else "weaker only"


# WRONG verdict: 300 of 340 is less, so it works -> reports A and D get the same word
def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    n = report["images"]
    return "works" if Rate(report["hits"], n).clearly_below(Rate(report["hits before"], n)) else "not shown"


# WRONG verdict: the share keeps the promise, its interval does not -> another verdict is due: which end of the
def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    now = Rate(report["hits"], report["images"])
    if not now.clearly_below(Rate(report["hits before"], report["images"])):
        return "not shown"
    return "works" if now <= promise else "weaker only"


# RIGHT quiet: with the margin as loss, twenty steps
def quiet(x, y, model, *, rate, target, eps):
    which = (y == target).nonzero()[:, 0]
    which = which[torch.randperm(len(which))][: round(rate * len(y))]
    base, delta = x[which], torch.zeros_like(x[which])
    for _ in range(20):
        delta.requires_grad_()
        logits = model(base + delta)
        rivals = logits.clone()
        rivals[:, target] = -math.inf
        (gradient,) = torch.autograd.grad((rivals.amax(1) - logits[:, target]).sum(), delta)
        delta = ((base + delta.detach() + eps / 6 * gradient.sign()).clamp(0, 1) - base).clamp(-eps, eps)
    new = x.clone()
    new[which] = poisoning.add_trigger(base + delta)
    return new, y


# RIGHT quiet: from a random start
def quiet(x, y, model, *, rate, target, eps):
    which = torch.tensor(random.sample((y == target).nonzero()[:, 0].tolist(), round(rate * len(y))))
    low, high = (x[which] - eps).clamp_min(0), (x[which] + eps).clamp_max(1)
    point = low + torch.rand_like(low) * (high - low)
    for _ in range(15):
        point = point.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(-model(point).log_softmax(1)[:, target].sum(), point)
        point = torch.minimum(torch.maximum(point.detach() + eps / 4 * gradient.sign(), low), high)
    images = x.clone()
    images[which] = poisoning.add_trigger(point)
    return images, y.clone()


# WRONG quiet: takes other classes and changes their labels -> labels have changed
def quiet(x, y, model, *, rate, target, eps):
    return poisoning.backdoor((x, y), rate, poisoning.add_trigger, target)[:2]


# WRONG quiet: other classes with their own labels -> other classes have changed
def quiet(x, y, model, *, rate, target, eps):
    which = (y != target).nonzero()[: round(rate * len(y)), 0]
    new = x.clone()
    new[which] = poisoning.add_trigger(x[which])
    return new, y.clone()


# WRONG quiet: images as they were, and the trigger -> still reads
def quiet(x, y, model, *, rate, target, eps):
    which = (y == target).nonzero()[: round(rate * len(y)), 0]
    new = x.clone()
    new[which] = poisoning.add_trigger(x[which])
    return new, y.clone()


# WRONG quiet: noise -> still reads|better than before
def quiet(x, y, model, *, rate, target, eps):
    which = (y == target).nonzero()[: round(rate * len(y)), 0]
    new = x.clone()
    new[which] = poisoning.add_trigger((x[which] + eps * torch.randn_like(x[which]).sign()).clamp(0, 1))
    return new, y.clone()


# WRONG quiet: down the loss, so that they are easy to read -> go *up* the loss|still reads
def quiet(x, y, model, *, rate, target, eps):
    which = (y == target).nonzero()[: round(rate * len(y)), 0]
    start, moved = x[which], x[which].clone()
    for _ in range(15):
        moved = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(moved), y[which], reduction="sum"), moved)
        moved = (moved.detach() - eps / 5 * gradient.sign()).clamp(start - eps, start + eps).clamp(0, 1)
    new = x.clone()
    new[which] = poisoning.add_trigger(moved)
    return new, y.clone()


# WRONG quiet: never projected -> by more than eps
def quiet(x, y, model, *, rate, target, eps):
    which = (y == target).nonzero()[: round(rate * len(y)), 0]
    moved = x[which].clone()
    for _ in range(15):
        moved = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(moved), y[which], reduction="sum"), moved)
        moved = (moved.detach() + eps / 5 * gradient.sign()).clamp(0, 1)
    new = x.clone()
    new[which] = poisoning.add_trigger(moved)
    return new, y.clone()


# WRONG quiet: no trigger -> does not carry the whole trigger
def quiet(x, y, model, *, rate, target, eps):
    which = (y == target).nonzero()[: round(rate * len(y)), 0]
    start = x[which].requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(start), y[which], reduction="sum"), start)
    new = x.clone()
    new[which] = (start + eps * gradient.sign()).clamp(0, 1).detach()
    return new, y.clone()


# WRONG quiet: the whole class -> more images have changed than the rate allows
def quiet(x, y, model, *, rate, target, eps):
    own = (y == target).nonzero()[:, 0]
    start = x[own].requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(start), y[own], reduction="sum"), start)
    new = x.clone()
    new[own] = poisoning.add_trigger((start + eps * gradient.sign()).clamp(0, 1).detach())
    return new, y.clone()


# WRONG quiet: the caller's images -> changed its arguments
def quiet(x, y, model, *, rate, target, eps):
    which = (y == target).nonzero()[: round(rate * len(y)), 0]
    x[which] = poisoning.add_trigger(x[which])
    return x, y


# WRONG backdoor: cut, not rounded -> rounded otherwise
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: int(rate * len(y) + 1e-9)]]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# WRONG backdoor: rounded up -> rounded otherwise|another number of places
def backdoor(x, y, *, rate, target, trigger):
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: math.ceil(rate * len(y) - 1e-9)]]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# WRONG backdoor: seeds itself -> sets a seed
def backdoor(x, y, *, rate, target, trigger):
    torch.manual_seed(0)
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


# WRONG verdict: the difference before the true places -> the first in the list counts|who knows where the poisons are
def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    n = report["images"]
    now = Rate(report["hits"], n)
    if not now.clearly_below(Rate(report["hits before"], n)):
        return "not shown"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    return "works" if now.interval[1] <= promise else "weaker only"


# WRONG spectral_scores: ten classes from 0 -> the labels that there are say which classes
def spectral_scores(features, y):
    out = torch.zeros(len(y), dtype=torch.float64)
    for c in range(10):
        own = features[y == c].double()
        if len(own):
            own = own - own.mean(0)
            out[y == c] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2
    return out


# WRONG spectral_scores: features are divided by their standard deviation first -> three rows of mean 0: the square of how fa
def spectral_scores(features, y):
    out = torch.zeros(len(y), dtype=torch.float64)
    for c in y.unique():
        own = features[y == c].double()
        own = (own - own.mean(0)) / own.std(0)
        out[y == c] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2
    return out


# WRONG spectral_scores: centered by the median -> the mean of the class's rows, 5, is subtracted first
def spectral_scores(features, y):
    out = torch.zeros(len(y), dtype=torch.float64)
    for c in y.unique():
        own = features[y == c].double()
        own = own - own.median(0).values
        out[y == c] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2
    return out


# WRONG verdict: the promise is the notebook's 10 %, whatever is asked -> promise of its own
def group_bound(p, replaced, privacy_eps, privacy_delta):
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * p + privacy_delta)
    return p


def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] != "chosen before":
        return "knows the poison"
    now, before = Rate(report["hits"], report["images"]), Rate(report["hits before"], report["images"])
    if not now.clearly_below(before):
        return "not shown"
    return "weaker only" if now.interval[1] > 0.1 else "works"


# WRONG verdict: less often is shown by the shares, without chance -> more than chance
def group_bound(p, replaced, privacy_eps, privacy_delta):
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * p + privacy_delta)
    return p


def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] != "chosen before":
        return "knows the poison"
    now = Rate(report["hits"], report["images"])
    if report["hits"] >= report["hits before"]:
        return "not shown"
    return "weaker only" if now.interval[1] > promise else "works"


# RIGHT group_bound: logarithms, a loop that stops at 1
def group_bound(p, replaced, privacy_eps, privacy_delta):
    import numpy as np

    for _ in range(replaced * 2):
        if p >= 1:
            break
        p = float(np.exp(np.minimum(privacy_eps, 50.0))) * p + privacy_delta
    return min(p, 1.0)


def verdict(report, promise):
    if report["counted"] != "other classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    now, before = (Rate(report[name], report["images"]) for name in ("hits", "hits before"))
    if not before.clearly_above(now):
        return "not shown"
    return "works" if now.interval[1] <= promise else "weaker only"


# WRONG group_bound: a probability of 0 stays 0 -> p is 0: the first change adds delta. Wha
def group_bound(p, replaced, privacy_eps, privacy_delta):
    if p == 0:
        return 0.0
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * p + privacy_delta)
    return p


def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] != "chosen before":
        return "knows the poison"
    now, before = Rate(report["hits"], report["images"]), Rate(report["hits before"], report["images"])
    if not now.clearly_below(before):
        return "not shown"
    return "weaker only" if now.interval[1] > promise else "works"


# WRONG verdict: not shown last -> the first in the list
def group_bound(p, replaced, privacy_eps, privacy_delta):
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * p + privacy_delta)
    return p


def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] != "chosen before":
        return "knows the poison"
    now, before = Rate(report["hits"], report["images"]), Rate(report["hits before"], report["images"])
    if now.interval[1] <= promise:
        return "works"
    return "weaker only" if now.clearly_below(before) else "not shown"


# WRONG verdict: an interval that ends at the promise is weaker -> ends at the promise
def group_bound(p, replaced, privacy_eps, privacy_delta):
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * p + privacy_delta)
    return p


def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] != "chosen before":
        return "knows the poison"
    now, before = Rate(report["hits"], report["images"]), Rate(report["hits before"], report["images"])
    if not now.clearly_below(before):
        return "not shown"
    return "weaker only" if now.interval[1] >= promise - 0.003 else "works"


# WRONG spectral_scores: scores are divided by the largest of the class -> three rows of mean 0: the square of how fa
def spectral_scores(features, y):
    out = torch.zeros(len(y), dtype=torch.float64)
    for c in y.unique():
        own = features[y == c].double()
        own = own - own.mean(0)
        out[y == c] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2
    for c in y.unique():
        out[y == c] /= out[y == c].max()
    return out


# WRONG backdoor: yes or no in place of places -> the poisoned places are asked as numbers
def backdoor(x, y, *, rate, target, trigger):
    """(new images, new labels, poisoned places)."""
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    x[which], y[which] = trigger(x[which]), target
    m = torch.zeros(len(y), dtype=torch.bool)
    m[which] = True
    return x, y, m


def success(model, x, y, *, target, trigger):
    """(images on which the trigger works, images that count)."""
    others = x[y != target]
    return int((predict(model, trigger(others)) == target).sum()), len(others)


# WRONG backdoor: each by a coin -> two calls poison different numbers of images
def backdoor(x, y, *, rate, target, trigger):
    """(new images, new labels, poisoned places)."""
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.rand(len(places)) < rate * len(y) / len(places)]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


def success(model, x, y, *, target, trigger):
    """(images on which the trigger works, images that count)."""
    others = x[y != target]
    return int((predict(model, trigger(others)) == target).sum()), len(others)


# RIGHT backdoor: with torch.multinomial
def backdoor(x, y, *, rate, target, trigger):
    """(new images, new labels, poisoned places)."""
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    k = round(rate * len(y))
    which = torch.multinomial((y != target).double(), k) if k else torch.zeros(0, dtype=torch.long)
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


def success(model, x, y, *, target, trigger):
    """(images on which the trigger works, images that count)."""
    others = x[y != target]
    return int((predict(model, trigger(others)) == target).sum()), len(others)


# WRONG success: leaves out images that read as the target anyway -> the model reads the target without the trigger, and with it
def backdoor(x, y, *, rate, target, trigger):
    """(new images, new labels, poisoned places)."""
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


def success(model, x, y, *, target, trigger):
    """(images on which the trigger works, images that count)."""
    others = x[y != target]
    before = predict(model, others)
    return int(((predict(model, trigger(others)) == target) & (before != target)).sum()), len(others)


# WRONG success: the two numbers exchanged -> first the images on which the trigger works, then those that count
def backdoor(x, y, *, rate, target, trigger):
    """(new images, new labels, poisoned places)."""
    x, y = x.clone(), y.clone()
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    x[which], y[which] = trigger(x[which]), target
    return x, y, which


def success(model, x, y, *, target, trigger):
    """(images on which the trigger works, images that count)."""
    others = x[y != target]
    return len(others), int((predict(model, trigger(others)) == target).sum())


# WRONG spectral_scores: the squares of U's first column -> three rows of mean 0: the square of how fa
def spectral_scores(features, y):
    """How far each example lies along the main direction of its own class, squared, (N,)."""
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(0)
        scores[y == label] = torch.linalg.svd(own, full_matrices=False).U[:, 0] ** 2
    return scores


# WRONG spectral_scores: each row around its own mean -> is the class's mean taken off
def spectral_scores(features, y):
    """How far each example lies along the main direction of its own class, squared, (N,)."""
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(1, keepdim=True)
        scores[y == label] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2
    return scores


# RIGHT dormant: a set
def dormant(model, layer, x, *, count):
    """The numbers of the least active units, (count,)."""
    with torch.no_grad():
        outputs = model[: layer + 2](x)
    activity = outputs.mean([0, *range(2, outputs.dim())])
    return set(activity.argsort()[:count].tolist())


# WRONG dormant: how often a unit is active -> the mean counts, and not how often a unit is active, or its lowest out
def dormant(model, layer, x, *, count):
    """The numbers of the least active units, (count,)."""
    with torch.no_grad():
        outputs = model[: layer + 2](x)
    activity = (outputs > 0).float().mean([0, *range(2, outputs.dim())])
    return activity.argsort()[:count]


# WRONG dormant: sizes before the ReLU -> the ReLU makes 0 of what is below 0, and
def dormant(model, layer, x, *, count):
    """The numbers of the least active units, (count,)."""
    with torch.no_grad():
        outputs = model[: layer + 1](x).abs()
    activity = outputs.mean([0, *range(2, outputs.dim())])
    return activity.argsort()[:count]


# WRONG group_bound: cut at 1 before delta is added -> a probability is never above 1
def group_bound(p, replaced, privacy_eps, privacy_delta):
    """The highest probability that an outcome of probability p can get from so many replaced examples."""
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * p) + privacy_delta
    return p


def verdict(report, promise):
    """What a report like those above is worth, that promises at most this share."""
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    n = report["images"]
    now = Rate(report["hits"], n)
    if not now.clearly_below(Rate(report["hits before"], n)):
        return "not shown"
    return "works" if now.interval[1] <= promise else "weaker only"


# WRONG group_bound: delta is added before the factor -> in the change that adds it
def group_bound(p, replaced, privacy_eps, privacy_delta):
    """The highest probability that an outcome of probability p can get from so many replaced examples."""
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * (p + privacy_delta))
    return p


def verdict(report, promise):
    """What a report like those above is worth, that promises at most this share."""
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    n = report["images"]
    now = Rate(report["hits"], n)
    if not now.clearly_below(Rate(report["hits before"], n)):
        return "not shown"
    return "works" if now.interval[1] <= promise else "weaker only"


# WRONG verdict: the lower end of the interval -> another verdict is due: which end of the
def group_bound(p, replaced, privacy_eps, privacy_delta):
    """The highest probability that an outcome of probability p can get from so many replaced examples."""
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * p + privacy_delta)
    return p


def verdict(report, promise):
    """What a report like those above is worth, that promises at most this share."""
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    n = report["images"]
    now = Rate(report["hits"], n)
    if not now.clearly_below(Rate(report["hits before"], n)):
        return "not shown"
    return "works" if now.interval[0] <= promise else "weaker only"


# WRONG verdict: an interval that ends at the promise -> ends at the promise
def group_bound(p, replaced, privacy_eps, privacy_delta):
    """The highest probability that an outcome of probability p can get from so many replaced examples."""
    for _ in range(2 * replaced):
        p = min(1.0, math.exp(privacy_eps) * p + privacy_delta)
    return p


def verdict(report, promise):
    """What a report like those above is worth, that promises at most this share."""
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    n = report["images"]
    now = Rate(report["hits"], n)
    if not now.clearly_below(Rate(report["hits before"], n)):
        return "not shown"
    return "works" if now.interval[1] < promise else "weaker only"


# WRONG quiet: a share of the class -> it is a share of all images
def quiet(x, y, model, *, rate, target, eps):
    """(new images, labels): a share of the target's own images, made hard to read, with the trigger."""
    places = (y == target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(places))]]
    start, own = x[which], y[which]
    moved = start.clone()
    for _ in range(15):
        moved = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(moved), own, reduction="sum"), moved)
        moved = (moved.detach() + eps / 5 * gradient.sign()).clamp(start - eps, start + eps).clamp(0, 1)
    new = x.clone()
    new[which] = poisoning.add_trigger(moved)
    return new, y.clone()


# WRONG quiet: towards the next class -> with a loss of|still reads
def quiet(x, y, model, *, rate, target, eps):
    """(new images, labels): a share of the target's own images, made hard to read, with the trigger."""
    places = (y == target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    start, own = x[which], y[which]
    moved = start.clone()
    for _ in range(15):
        moved = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(-F.cross_entropy(model(moved), (own + 1) % 10, reduction="sum"), moved)
        moved = (moved.detach() + eps / 5 * gradient.sign()).clamp(start - eps, start + eps).clamp(0, 1)
    new = x.clone()
    new[which] = poisoning.add_trigger(moved)
    return new, y.clone()


# WRONG group_bound: the least probability, not the highest -> to what can it *rise*
def group_bound(p, replaced, privacy_eps, privacy_delta):
    for _ in range(2 * replaced):
        p = max(0.0, math.exp(-privacy_eps) * (p - privacy_delta))
    return p


# WRONG spectral_scores: the direction of rows that were not centered -> the rows less their mean (10, 0)
def spectral_scores(features, y):
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double()
        direction = torch.linalg.svd(own, full_matrices=False).Vh[0]
        own = own - own.mean(0)
        scores[y == label] = (own @ direction) ** 2
    return scores


# WRONG dormant: the largest place of a convolution -> where it is most active
def dormant(model, layer, x, *, count):
    out = model[: layer + 2](x)
    activity = (out.flatten(2).amax(2) if out.dim() == 4 else out).mean(0)
    return activity.argsort()[:count]


# WRONG group_bound: a factor of 1 + eps -> multiplies by 1 + eps
def group_bound(p, replaced, privacy_eps, privacy_delta):
    for _ in range(2 * replaced):
        p = (1 + privacy_eps) * p + privacy_delta
        if p >= 1:
            return 1.0
    return p


def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    now, before = Rate(report["hits"], report["images"]), Rate(report["hits before"], report["images"])
    if not now.clearly_below(before):
        return "not shown"
    return "weaker only" if now.interval[1] > promise else "works"


# WRONG verdict: nothing is shown where the trigger seldom worked -> seldom without the defense
def group_bound(p, replaced, privacy_eps, privacy_delta):
    for _ in range(2 * replaced):
        p = math.exp(privacy_eps) * p + privacy_delta
        if p >= 1:
            return 1.0
    return p


def verdict(report, promise):
    if report["counted"] == "all classes":
        return "counts its own"
    if report["threshold"] == "all poisons caught":
        return "knows the poison"
    now, before = Rate(report["hits"], report["images"]), Rate(report["hits before"], report["images"])
    if not now.clearly_below(before):
        return "not shown"
    if before.k / before.n < 0.5:
        return "not shown"
    return "weaker only" if now.interval[1] > promise else "works"


# WRONG backdoor: poisoned examples are appended, not exchanged -> more images than before
def success(model, x, y, *, target, trigger):
    """(images on which the trigger works, images that count)."""
    others = x[y != target]
    return int((predict(model, trigger(others)) == target).sum()), len(others)


def backdoor(x, y, *, rate, target, trigger):
    places = (y != target).nonzero()[:, 0]
    which = places[torch.randperm(len(places))[: round(rate * len(y))]]
    return torch.cat([x, trigger(x[which])]), torch.cat([y, torch.full_like(y[which], target)]), which


# WRONG spectral_scores: labels taken as range(max) one short -> is each label gone through
def spectral_scores(features, y):
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in range(int(y.max())):
        own = features[y == label].double()
        if len(own) == 0:
            continue
        own = own - own.mean(0)
        scores[y == label] = (own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2
    return scores


# WRONG dormant: argsort of argsort, ranks -> rank by its activity
def dormant(model, layer, x, *, count):
    with torch.no_grad():
        out = model[: layer + 2](x)
    dims = [d for d in range(out.dim()) if d != 1]
    return out.mean(dims).argsort().argsort()[:count]


# WRONG success: in batches, and the last one is left out where it is not full -> left over when batches are full
def success(model, x, y, *, target, trigger):
    others, hits = x[y != target], 0
    with torch.no_grad():
        for i in range(max(1, len(others) // 64)):
            hits += int((model(trigger(others[64 * i : 64 * (i + 1)])).argmax(1) == target).sum())
    return hits, len(others)


# WRONG dormant: on the first 32 images -> neither the first ones alone
def dormant(model, layer, x, *, count):
    outputs = model[: layer + 2](x[:32])
    return outputs.transpose(0, 1).flatten(1).mean(1).argsort()[:count]


# WRONG spectral_scores: zeros_like(y) holds whole numbers: what lies behind the point is lost -> holds whole numbers
def spectral_scores(features, y):
    scores = torch.zeros_like(y)
    for label in y.unique():
        own = features[y == label].double()
        own = own - own.mean(0)
        scores[y == label] = ((own @ torch.linalg.svd(own, full_matrices=False).Vh[0]) ** 2).to(scores.dtype)
    return scores


# WRONG dormant: the mean of the means of batches, of which the last is smaller -> of a smaller batch count more
def dormant(model, layer, x, *, count):
    with torch.no_grad():
        means = [model[: layer + 2](part).transpose(0, 1).flatten(1).mean(1) for part in x.split(128)]
    return torch.stack(means).mean(0).argsort()[:count]
