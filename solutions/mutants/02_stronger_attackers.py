"""Other answers to lab 02, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT project: minimum and maximum, renorm
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        near = torch.max(torch.min(x_adv, x + eps), x - eps)
    else:
        near = x + torch.renorm(x_adv - x, p=2, dim=0, maxnorm=eps) if eps > 0 else x.clone()
    return near.clip(0.0, 1.0)


# RIGHT project: image by image, in float64
def project(x_adv, x, *, eps, norm):
    near = []
    for a, b in zip(x_adv.double(), x.double()):
        delta = a - b
        if norm == "linf":
            delta = delta.clamp(-eps, eps)
        elif delta.norm() > eps:
            delta = delta * eps / delta.norm()
        near.append((b + delta).clamp(0, 1))
    return torch.stack(near)


# WRONG project: L2 always scales, also what was short enough -> an image that is in the ball and in
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps).clamp(0, 1)
    delta = x_adv - x
    length = delta.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return (x + eps * delta / length).clamp(0, 1)


# WRONG project: one length for the whole batch -> scale only those that are too long|depends on the others in the batch
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps).clamp(0, 1)
    delta = x_adv - x
    return (x + delta * min(1, eps / max(float(delta.norm()), 1e-12))).clamp(0, 1)


# WRONG project: the box in both norms -> left the L2 ball
def project(x_adv, x, *, eps, norm):
    return x_adv.clamp(x - eps, x + eps).clamp(0, 1)


# WRONG project: divides by a length of 0 -> NaN
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps).clamp(0, 1)
    delta = x_adv - x
    length = delta.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))
    return (x + delta / length * length.clamp_max(eps)).clamp(0, 1)


# WRONG project: no clamp to [0, 1] -> left [0, 1]
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps)
    delta = x_adv - x
    length = delta.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return x + delta * (eps / length).clamp_max(1)


# WRONG project: clamps around 0 instead of around x -> this is a change of up to eps, and
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp(-eps, eps).clamp(0, 1)
    return x_adv.clamp(0, 1)


# WRONG project: the length of each row of pixels -> as one vector|over all their axes
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps).clamp(0, 1)
    delta = x_adv - x
    length = delta.norm(dim=-1, keepdim=True).clamp_min(1e-12)  # of each row of pixels
    return (x + delta * (eps / length).clamp_max(1)).clamp(0, 1)


# WRONG project: goes back to x where the image is too far -> put back to x
def project(x_adv, x, *, eps, norm):
    delta = x_adv - x
    if norm == "linf":
        return torch.where(delta.abs() > eps, x, x_adv).clamp(0, 1)
    length = delta.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))
    return torch.where(length > eps, x, x_adv).clamp(0, 1)


# WRONG project: the squared length -> another image of the ball is nearer|left the L2 ball|scale only
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps).clamp(0, 1)
    delta = x_adv - x
    length = delta.flatten(1).square().sum(1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return (x + delta * (eps / length).clamp_max(1)).clamp(0, 1)


# WRONG project: L1 length -> scale only|nearer
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps).clamp(0, 1)
    delta = x_adv - x
    length = delta.flatten(1).abs().sum(1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return (x + delta * (eps / length).clamp_max(1)).clamp(0, 1)


# WRONG project: changes x_adv in place -> changed its arguments
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp_(x - eps, x + eps).clamp_(0, 1)
    delta = x_adv.sub_(x)
    length = delta.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return (x + delta * (eps / length).clamp_max(1)).clamp(0, 1)


# RIGHT margin: a mask
def margin(logits, y):
    own = F.one_hot(y, logits.shape[1]).bool()
    return logits.masked_fill(own, -torch.inf).max(dim=1).values - logits[own]


# RIGHT margin: row by row, the two largest
def margin(logits, y):
    result = []
    for row, label in zip(logits, y):
        values, classes = row.topk(2)
        best = values[1] if classes[0] == label else values[0]
        result.append(best - row[label])
    return torch.stack(result)


# WRONG margin: the other way round -> positive means wrong
def margin(logits, y):
    own = y[:, None]
    return logits.gather(1, own)[:, 0] - logits.scatter(1, own, -math.inf).amax(1)


# WRONG margin: the label may win itself -> positive means wrong|largest of the other classes|out of the race
def margin(logits, y):
    return logits.amax(1) - logits.gather(1, y[:, None])[:, 0]


# WRONG margin: of probabilities -> not of probabilities
def margin(logits, y):
    p, own = logits.softmax(1), y[:, None]
    return p.scatter(1, own, -1.0).amax(1) - p.gather(1, own)[:, 0]


# WRONG margin: of log-probabilities, the second largest -> a margin is 0 where the answer is wrong
def margin(logits, y):
    two = logits.topk(2, dim=1).values
    return two[:, 1] - logits.gather(1, y[:, None])[:, 0]


# WRONG margin: first minus second -> positive means wrong|out of the race
def margin(logits, y):
    two = logits.topk(2, dim=1).values
    return two[:, 0] - two[:, 1]


# WRONG margin: the mean of the batch -> another shape
def margin(logits, y):
    own = y[:, None]
    return (logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]).mean()


# WRONG margin: overwrites the logits -> changed its arguments
def margin(logits, y):
    own = logits.gather(1, y[:, None])[:, 0]
    return logits.scatter_(1, y[:, None], -math.inf).amax(1) - own


# WRONG margin: 0 in the label's place -> none of them has
def margin(logits, y):
    own = y[:, None]
    return logits.scatter(1, own, 0.0).amax(1) - logits.gather(1, own)[:, 0]


# WRONG margin: a constant in the label's place that large logits fall below -> none of them has
def margin(logits, y):
    own = y[:, None]
    return logits.scatter(1, own, -1e3).amax(1) - logits.gather(1, own)[:, 0]


# WRONG margin: stops at 0 -> difference of two logits|positive means wrong|how far below counts too
def margin(logits, y):
    own = y[:, None]
    return (logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]).clamp_min(0)


# RIGHT keep_best: all margins in a table
def keep_best(model, tries, y):
    with torch.no_grad():
        leads = torch.stack([margin(model(x_try), y) for x_try in tries])
    return torch.stack(tries)[leads.argmax(0), torch.arange(len(y))]


# RIGHT keep_best: image by image
def keep_best(model, tries, y):
    kept = []
    for i in range(len(y)):
        scores = [margin(model(t[i : i + 1]), y[i : i + 1]).item() for t in tries]
        kept.append(tries[scores.index(max(scores))][i])
    return torch.stack(kept)


# WRONG keep_best: the last try -> is lost|one try is taken
def keep_best(model, tries, y):
    return tries[-1]


# WRONG keep_best: the try that is best for the batch -> is lost|one try is taken
def keep_best(model, tries, y):
    return max(tries, key=lambda x_try: (model(x_try).argmax(1) != y).sum().item())


# WRONG keep_best: the lowest margin -> is lost|the lowest margin is kept
def keep_best(model, tries, y):
    with torch.no_grad():
        leads = torch.stack([margin(model(x_try), y) for x_try in tries])
    return torch.stack(tries)[leads.argmin(0), torch.arange(len(y))]


# WRONG keep_best: the last success, or the first try -> higher margin
def keep_best(model, tries, y):
    best = tries[0].clone()
    for x_try in tries:
        fell = model(x_try).argmax(1) != y
        best[fell] = x_try[fell]
    return best


# WRONG keep_best: a later failure overwrites a success -> is lost|one try is taken
def keep_best(model, tries, y):
    best = tries[0].clone()
    for x_try in tries[1:]:
        stands = model(best).argmax(1) == y
        best[~stands] = x_try[~stands]
    return best


# WRONG keep_best: never raises the best margin -> is lost|higher margin
def keep_best(model, tries, y):
    best, highest = tries[0].clone(), margin(model(tries[0]), y)
    for x_try in tries[1:]:
        higher = margin(model(x_try), y) > highest
        best[higher] = x_try[higher]
    return best


# WRONG keep_best: the mean of all tries -> is lost|none of the tries
def keep_best(model, tries, y):
    return torch.stack(tries).mean(0)


# WRONG keep_best: by confidence, whatever the label -> is lost|higher margin
def keep_best(model, tries, y):
    with torch.no_grad():
        sure = torch.stack([model(x_try).softmax(1).amax(1) for x_try in tries])
    return torch.stack(tries)[sure.argmax(0), torch.arange(len(y))]


# WRONG keep_best: overwrites the first try -> changed its arguments|higher margin|is lost
def keep_best(model, tries, y):
    best, highest = tries[0], margin(model(tries[0]), y)
    for x_try in tries[1:]:
        lead = margin(model(x_try), y)
        higher = lead > highest
        best[higher] = x_try[higher]
    return best


# RIGHT evaluations: by update
evaluations = {"A": "weak", "B": "hidden"} | {"C": "mean"}
evaluations.update(D="sound", E="asleep")

# RIGHT evaluations: from a list
evaluations = dict(zip("ABCDE", ["weak", "hidden", "mean", "sound", "asleep"]))

# WRONG evaluations: A is asleep -> evaluation A
evaluations = {"A": "asleep", "B": "hidden", "C": "mean", "D": "sound", "E": "asleep"}

# WRONG evaluations: B is sound -> evaluation B
evaluations = {"A": "weak", "B": "sound", "C": "mean", "D": "sound", "E": "asleep"}

# WRONG evaluations: C is sound -> evaluation C
evaluations = {"A": "weak", "B": "hidden", "C": "sound", "D": "sound", "E": "asleep"}

# WRONG evaluations: D is mean -> evaluation D
evaluations = {"A": "weak", "B": "hidden", "C": "mean", "D": "mean", "E": "asleep"}

# WRONG evaluations: E is hidden -> evaluation E
evaluations = {"A": "weak", "B": "hidden", "C": "mean", "D": "sound", "E": "hidden"}


# RIGHT attack_loud: cross-entropy on logits made small
def attack_loud(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(20):
        x_adv.requires_grad_()
        logits = model(x_adv)
        logits = logits / logits.detach().abs().amax(1, keepdim=True)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 8 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# RIGHT attack_loud: towards the likeliest other class, with momentum
def attack_loud(model, x, y, *, eps):
    with torch.no_grad():
        rival = model(x).scatter(1, y[:, None], -math.inf).argmax(1)
    delta, momentum = torch.zeros_like(x), torch.zeros_like(x)
    for _ in range(15):
        delta.requires_grad_()
        logits = model(x + delta)
        gain = logits.gather(1, rival[:, None]) - logits.gather(1, y[:, None])
        (gradient,) = torch.autograd.grad(gain.sum(), delta)
        momentum = 0.8 * momentum + gradient / gradient.abs().mean()
        delta = (delta.detach() + eps / 5 * momentum.sign()).clamp(-eps, eps)
        delta = (x + delta).clamp(0, 1) - x
    return x + delta


# WRONG attack_loud: cross-entropy -> where it does not shout
def attack_loud(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG attack_loud: of probabilities -> where it does not shout
def attack_loud(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(-model(x_adv).softmax(1).gather(1, y[:, None]).sum(), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG attack_loud: no projection -> left the eps-ball
def attack_loud(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(x_adv), y).sum(), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(0, 1)
    return x_adv


# WRONG attack_loud: random signs -> still right
def attack_loud(model, x, y, *, eps):
    return (x + eps * torch.randn_like(x).sign()).clamp(0, 1)


# WRONG attack_loud: down the margin -> still right
def attack_loud(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(x_adv), y).sum(), x_adv)
        x_adv = (x_adv.detach() - eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG attack_loud: divides by 100, and so knows this one model -> with logits 10000 times as large no pixel moves
def attack_loud(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv) / 100, y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG attack_loud: makes the model quiet for good -> changed its arguments
def attack_loud(model, x, y, *, eps):
    model[-1].weight.data /= 100
    model[-1].bias.data /= 100
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG attack_loud: steps that do not reach the edge -> still right
def attack_loud(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(x_adv), y).sum(), x_adv)
        x_adv = (x_adv.detach() + eps / 50 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG project: first into [0, 1], then into the ball -> clamped to [0, 1] before the ball
def project(x_adv, x, *, eps, norm):
    d = x_adv.clamp(0, 1) - x
    if norm == "linf":
        return x + d.clamp(-eps, eps)
    size = d.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))
    return x + d * (eps / size.clamp(min=1e-12)).clamp(max=1)


# WRONG margin: -1000 for the label's own logit -> a number that none of them has
def margin(logits, y):
    own = logits.gather(1, y[:, None]).squeeze(1)
    other = logits.scatter(1, y[:, None], -1000.0).max(1).values
    return other - own


# RIGHT project: renorm
def project(x_adv, x, *, eps, norm):
    match norm:
        case "linf":
            inside = torch.maximum(torch.minimum(x_adv, x + eps), x - eps)
        case "l2":
            inside = x + torch.renorm((x_adv - x).reshape(len(x), -1), p=2, dim=0, maxnorm=eps).reshape(x.shape)
    return inside.clamp(min=0.0).clamp(max=1.0)


# RIGHT keep_best: image by image, with max and a key
def keep_best(model, tries, y):
    def m(i, k):
        z = model(tries[k][i : i + 1])[0].tolist()
        own = z.pop(int(y[i]))
        return max(z) - own

    return torch.stack([tries[max(range(len(tries)), key=lambda k: m(i, k))][i] for i in range(len(y))])


# WRONG project: one L2 length for the whole batch -> depends on the others in the batch
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        d = d.clamp(-eps, eps)
    else:
        d = d * min(1.0, eps / float(d.norm().clamp_min(1e-12)))
    return (x + d).clamp(0, 1)


# WRONG project: the squared length is compared -> root of the sum of the squares
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        return (x + d.clamp(-eps, eps)).clamp(0, 1)
    n = d.flatten(1).pow(2).sum(1).view(-1, *[1] * (x.dim() - 1))
    return torch.where(n > eps, x + d * eps / n.clamp_min(1e-12).sqrt(), x_adv).clamp(0, 1)


# WRONG project: shortened a little too much -> at its edge
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        return (x + d.clamp(-eps, eps)).clamp(0, 1)
    n = d.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))
    return torch.where(n > eps, x + d * eps / (n + 0.01), x_adv).clamp(0, 1)


# WRONG project: L2 pixel by pixel -> by one number for each image
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "l2":
        n = d.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))
        small = eps / math.sqrt(d[0].numel())
        return torch.where(n > eps, x + d.clamp(-small, small), x_adv).clamp(0, 1)
    return (x + d.clamp(-eps, eps)).clamp(0, 1)


# WRONG project: the L1 length -> root of the sum of the squares
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        return (x + d.clamp(-eps, eps)).clamp(0, 1)
    n = d.flatten(1).abs().sum(1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return (x + d * (eps / n).clamp(max=1)).clamp(0, 1)


# WRONG margin: no gradient through the label's logit -> label's own logit
def margin(logits, y):
    own = logits.detach().gather(1, y[:, None])[:, 0]
    return logits.scatter(1, y[:, None], -math.inf).amax(1) - own


# WRONG margin: no gradient through the rival's logit -> best of the other logits
def margin(logits, y):
    own = logits.gather(1, y[:, None])[:, 0]
    return logits.detach().scatter(1, y[:, None], -math.inf).amax(1) - own


# WRONG keep_best: changes the first try in place -> changed its arguments
def keep_best(model, tries, y):
    def m(x):
        z = model(x)
        return z.scatter(1, y[:, None], -math.inf).amax(1) - z.gather(1, y[:, None])[:, 0]

    with torch.no_grad():
        best = tries[0]
        high = m(best)
        for t in tries[1:]:
            now = m(t)
            best[now > high] = t[now > high]
            high = torch.maximum(high, now)
    return best


# WRONG keep_best: leaves the model in training mode -> changed its arguments
def keep_best(model, tries, y):
    model.train()
    z = torch.stack([model(t) for t in tries]).detach()
    k = (
        z.scatter(2, y.expand(len(tries), -1)[..., None], -math.inf).amax(2)
        - z.gather(2, y.expand(len(tries), -1)[..., None])[..., 0]
    ).argmax(0)
    return torch.stack(list(tries))[k, torch.arange(len(y))]


# RIGHT project: by renorm
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return torch.min(torch.max(x_adv, x - eps), x + eps).clamp(0, 1)
    d = (x_adv - x).reshape(len(x), -1)
    out = torch.renorm(d, 2, 0, eps)
    return (x + out.reshape(x.shape)).clamp(0, 1)


# WRONG project: a length for each channel -> as one vector
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        return (x + d.clamp(-eps, eps)).clamp(0, 1)
    if x.dim() > 2:
        n = d.flatten(2).norm(dim=2).clamp_min(1e-12).view(*x.shape[:2], *[1] * (x.dim() - 2))
    else:
        n = d.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return (x + d * (eps / n).clamp(max=1)).clamp(0, 1)


# WRONG project: the change, not the image -> an image is asked
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        return d.clamp(-eps, eps)
    n = d.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return d * (eps / n).clamp(max=1)


# WRONG margin: the mean of the other logits -> counts alone: no mean of them
def margin(logits, y):
    own = logits.gather(1, y[:, None])[:, 0]
    return (logits.sum(1) - own) / (logits.shape[1] - 1) - own


# WRONG margin: never below 0 -> how far below counts too
def margin(logits, y):
    own = logits.gather(1, y[:, None])[:, 0]
    return (logits.scatter(1, y[:, None], -math.inf).amax(1) - own).clamp(min=0)


# WRONG margin: under no_grad -> no gradient gets through
def margin(logits, y):
    with torch.no_grad():
        own = logits.gather(1, y[:, None])[:, 0]
        return logits.scatter(1, y[:, None], -math.inf).amax(1) - own


# WRONG keep_best: the mean of the tries -> none of the tries
def keep_best(model, tries, y):
    return torch.stack(list(tries)).mean(0)


# WRONG keep_best: the last try is left out -> the last try is never chosen
def keep_best(model, tries, y):
    with torch.no_grad():
        m = torch.stack([attacks.margin(model(t), y) for t in (tries[:-1] or tries)])
    return torch.stack(list(tries))[m.argmax(0), torch.arange(len(y))]


# WRONG keep_best: the lowest margin, by argmin -> the lowest margin is kept
def keep_best(model, tries, y):
    with torch.no_grad():
        m = torch.stack([attacks.margin(model(t), y) for t in tries])
    return torch.stack(list(tries))[m.argmin(0), torch.arange(len(y))]


# WRONG keep_best: the lowest logit of the label -> the lower logit of y
def keep_best(model, tries, y):
    with torch.no_grad():
        m = torch.stack([model(t).gather(1, y[:, None])[:, 0] for t in tries])
    return torch.stack(list(tries))[m.argmin(0), torch.arange(len(y))]


# WRONG attack_loud: steps that are too short -> all steps together lead only 10 % of eps
def attack_loud(model, x, y, *, eps):
    now = x.clone()
    for _ in range(10):
        z = now.detach().requires_grad_()
        (g,) = torch.autograd.grad(attacks.margin(model(z), y).sum(), z)
        now = (now + eps / 100 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return now


# WRONG project: shortened to a half -> at its edge
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        return (x + d.clamp(-eps, eps)).clamp(0, 1)
    n = d.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return torch.where(n >= eps, x + d * eps / (2 * n), x_adv).clamp(0, 1)


# WRONG margin: one margin for all -> all images have the same margin
def margin(logits, y):
    own = logits.gather(1, y[:, None])[:, 0]
    return (logits.scatter(1, y[:, None], -math.inf).amax(1) - own).mean().expand(len(y))


# WRONG keep_best: one try for all images -> one try is taken for all
def keep_best(model, tries, y):
    with torch.no_grad():
        m = torch.stack([attacks.margin(model(t), y) for t in tries])
    return tries[int(m.mean(1).argmax())]


# WRONG keep_best: the margin of the prediction -> the margin is that of y
def keep_best(model, tries, y):
    with torch.no_grad():
        said = model(tries[0]).argmax(1)
        m = torch.stack([attacks.margin(model(t), said) for t in tries])
    return torch.stack(list(tries))[m.argmax(0), torch.arange(len(y))]


# WRONG project: stretched to [0, 1] by its own extremes -> left the eps-ball by 0.067
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        d = d.clamp(-eps, eps)
    else:
        n = d.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
        d = d * (eps / n).clamp_max(1)
    z = x + d
    return (z - z.min()) / (z.max() - z.min())


# WRONG project: compares the norm with L2, in capitals -> with norm="l2" no change is shortened, however small eps
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "L2":
        n = d.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
        d = d * (eps / n).clamp_max(1)
    elif norm == "linf":
        d = d.clamp(-eps, eps)
    return (x + d).clamp(0, 1)


# WRONG project: works in place -> changed its arguments
def project(x_adv, x, *, eps, norm):
    x_adv -= x
    if norm == "linf":
        x_adv.clamp_(-eps, eps)
    else:
        n = x_adv.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
        x_adv *= (eps / n).clamp_max(1)
    return (x_adv + x).clamp(0, 1)


# WRONG project: put back to x if outside -> an image outside of the ball is put back
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        n = d.flatten(1).abs().amax(1)
    else:
        n = d.flatten(1).norm(dim=1)
    out = (n > eps).view(-1, *[1] * (x.dim() - 1))
    return torch.where(out, x, x_adv).clamp(0, 1)


# WRONG project: bounded above only -> pixels left the eps-ball, but only down
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return torch.minimum(x_adv, x + eps).clamp(0, 1)
    d = x_adv - x
    n = d.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return (x + d * (eps / n).clamp_max(1)).clamp(0, 1)


# WRONG project: the norms are exchanged -> with norm="linf" the change of an image is made
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "l2":
        return (x + d.clamp(-eps, eps)).clamp(0, 1)
    n = d.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return (x + d * (eps / n).clamp_max(1)).clamp(0, 1)


# WRONG project: the root of the mean of squares -> an image left the L2 ball
def project(x_adv, x, *, eps, norm):
    d = x_adv - x
    if norm == "linf":
        d = d.clamp(-eps, eps)
    else:
        n = (d**2).flatten(1).mean(1).sqrt().clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
        d = d * (eps / n).clamp_max(1)
    return (x + d).clamp(0, 1)


# WRONG margin: 10 less for the label's own -> a fixed number taken off
def margin(logits, y):
    own = logits.gather(1, y[:, None])[:, 0]
    other = (logits - 10 * F.one_hot(y, logits.shape[1])).amax(1)
    return other - own


# WRONG margin: never above 0 -> a margin is 0 where the answer is wrong
def margin(logits, y):
    own = logits.gather(1, y[:, None])[:, 0]
    return (logits.scatter(1, y[:, None], -math.inf).amax(1) - own).clamp(max=0)


# WRONG margin: a smooth maximum -> no soft maximum
def margin(logits, y):
    own = logits.gather(1, y[:, None])[:, 0]
    return logits.scatter(1, y[:, None], -math.inf).logsumexp(1) - own


# WRONG keep_best: the first try is not looked at -> the first try is never chosen, also where it
def keep_best(model, tries, y):
    with torch.no_grad():
        leads = torch.stack([attacks.margin(model(t), y) for t in tries[1:] or tries])
    return torch.stack(tries[1:] or tries)[leads.argmax(0), torch.arange(len(y))]


# WRONG keep_best: each try against the one before -> an image that fell in one of the restarts
def keep_best(model, tries, y):
    with torch.no_grad():
        leads = [attacks.margin(model(t), y) for t in tries]
    best = tries[0].clone()
    for i in range(1, len(tries)):
        higher = leads[i] > leads[i - 1]
        best[higher] = tries[i][higher]
    return best


# WRONG attack_loud: down the margin, written otherwise -> the images go down the loss of y, where
def attack_loud(model, x, y, *, eps):
    z = x.clone()
    for _ in range(20):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(margin(model(w), y).sum(), w)[0]
        z = (z - eps / 4 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG attack_loud: the margin of the prediction, written otherwise -> images that are wrong go back towards y
def attack_loud(model, x, y, *, eps):
    z = x.clone()
    for _ in range(20):
        w = z.detach().clone().requires_grad_()
        out = model(w)
        g = torch.autograd.grad(margin(out, out.argmax(1)).sum(), w)[0]
        z = (z + eps / 4 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG attack_loud: the gradient itself, not its sign -> pixels with a small gradient hardly move
def attack_loud(model, x, y, *, eps):
    z = x.clone()
    for _ in range(10):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(margin(model(w), y).mean(), w)[0]
        z = (z + eps / 1000 * g).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# RIGHT attack_loud: Adam climbs the margin
def attack_loud(model, x, y, *, eps):
    d = torch.zeros_like(x).uniform_(-eps / 2, eps / 2).requires_grad_()
    opt = torch.optim.Adam([d], lr=eps / 3)
    for _ in range(25):
        z = (x + d).clamp(0, 1)
        out = model(z)
        own = out.gather(1, y[:, None])[:, 0]
        loss = (own - out.scatter(1, y[:, None], -math.inf).amax(1)).sum()
        (d.grad,) = torch.autograd.grad(loss, [d])
        opt.step()
        with torch.no_grad():
            d.clamp_(-eps, eps)
    return (x + d.detach()).clamp(0, 1)


# RIGHT project: in NumPy, image by image
def project(x_adv, x, *, eps, norm):
    a, b = x_adv.numpy().astype("float64"), x.numpy().astype("float64")
    d = a - b
    if norm == "linf":
        d = d.clip(-eps, eps)
    else:
        for row in d:
            size = (row**2).sum() ** 0.5
            if size > eps:
                row *= eps / size
    return torch.from_numpy((b + d).clip(0, 1)).to(x.dtype)


# WRONG project: the image is shortened, not its change -> scaled as they are
def project(x_adv, x, *, eps, norm):
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps).clamp(0, 1)
    delta = x_adv - x
    length = delta.flatten(1).norm(dim=1).clamp_min(1e-12)
    scale = (eps / length).clamp_max(1).view(-1, *[1] * (x.dim() - 1))
    return (scale * x_adv).clamp(0, 1)


# WRONG margin: without its sign -> no margin is below 0
def margin(logits, y):
    own = y[:, None]
    return (logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]).abs()


# WRONG margin: a ratio of logits -> difference of two logits
def margin(logits, y):
    own = y[:, None]
    return logits.scatter(1, own, -math.inf).amax(1) / logits.gather(1, own)[:, 0]


# WRONG keep_best: only margins above 0 are compared -> no try fools the model
def keep_best(model, tries, y):
    best, highest = tries[0].clone(), torch.full((len(y),), 0.0)
    for x_try in tries:
        lead = attacks.margin(model(x_try), y).detach()
        higher = lead > highest
        best[higher], highest[higher] = x_try[higher], lead[higher]
    return best


# WRONG keep_best: the margin that is largest in size -> farthest from 0
def keep_best(model, tries, y):
    best, highest = tries[0].clone(), torch.full((len(y),), -math.inf)
    for x_try in tries:
        lead = attacks.margin(model(x_try), y).detach().abs()
        higher = lead > highest
        best[higher], highest[higher] = x_try[higher], lead[higher]
    return best


# WRONG attack_loud: the clamp stands in the loss -> at its ends a clamp lets no gradient through
def attack_loud(model, x, y, *, eps):
    x = x.detach()
    now = x.clone()
    for _ in range(20):
        now = now.detach().requires_grad_(True)
        z = model(now.clamp(0, 1))
        gap = z.scatter(1, y[:, None], -math.inf).amax(1) - z.gather(1, y[:, None])[:, 0]
        (g,) = torch.autograd.grad(gap.sum(), now)
        now = now.detach() + eps / 8 * g.sign()
        now = x + (now - x).clamp(-eps, eps)
    return now.clamp(0, 1)


# WRONG keep_best: the try of the highest cross-entropy -> the higher cross-entropy is kept
def keep_best(model, tries, y):
    def m(images):
        with torch.no_grad():
            z = model(images)
        return F.cross_entropy(z, y, reduction="none")

    best = tries[0].clone()
    high = m(best)
    for t in tries[1:]:
        now = m(t)
        better = now > high
        best[better] = t[better]
        high[better] = now[better]
    return best


# WRONG keep_best: the last that fools the model -> both tries fool the model
def keep_best(model, tries, y):
    def m(images):
        with torch.no_grad():
            z = model(images)
        own = z.gather(1, y[:, None])[:, 0]
        return z.scatter(1, y[:, None], -math.inf).amax(1) - own

    best = tries[0].clone()
    high = m(best)
    for t in tries[1:]:
        now = m(t)
        better = now > 0
        best[better] = t[better]
        high[better] = now[better]
    return best


# WRONG keep_best: the first try that fools the model, else the last -> no try fools the model: the highest counts there
def keep_best(model, tries, y):
    out = tries[-1].clone()
    done = torch.zeros(len(y), dtype=torch.bool)
    for t in tries:
        wrong = (model(t).argmax(1) != y) & ~done
        out[wrong] = t[wrong]
        done |= wrong
    return out


# WRONG attack_loud: the cross-entropy of loud logits, and x where no step succeeds -> where it does not shout
def attack_loud(model, x, y, *, eps):
    best = x.clone()
    x_adv = x.clone()
    for _ in range(40):
        x_adv = x_adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv + eps / 8 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
        now = predict(model, x_adv) != y
        best[now] = x_adv[now].detach()
    return best


# WRONG margin: the gap of the two largest where the answer is wrong -> the second largest logit is taken off
def margin(logits, y):
    top = logits.topk(2, dim=1)
    gap = top.values[:, 0] - top.values[:, 1]
    return torch.where(top.indices[:, 0] == y, -gap, gap)


# WRONG attack_loud: the largest margin of the batch is climbed -> some images of a batch move
def attack_loud(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(20):
        probe = x_adv.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(probe), y).max(), probe)
        x_adv = project(probe.detach() + eps / 8 * gradient.sign(), x, eps=eps, norm="linf")
    return x_adv
