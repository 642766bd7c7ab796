"""Other answers to lab 08, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT found_at: by scikit-learn's curve
def found_at(scores, members, fpr):
    false, true, _ = metrics.roc_curve(members.numpy(), scores.numpy(), drop_intermediate=False)
    return true[false <= fpr + 1e-12][-1]


# RIGHT found_at: tries every threshold
def found_at(scores, members, fpr):
    best = 0.0
    for threshold in [-math.inf, *scores.unique().tolist()]:
        accused = scores > threshold
        if float(accused[~members].double().mean()) <= fpr + 1e-12:
            best = max(best, float(accused[members].double().mean()))
    return best


# RIGHT found_at: NumPy
def found_at(scores, members, fpr):
    s, m = scores.numpy(), members.numpy().astype(bool)
    others = np.append(np.sort(s[~m])[::-1], -np.inf)
    return np.mean(s[m] > others[math.floor(round(fpr * (~m).sum(), 9))])


# WRONG found_at: the curve from the wrong end -> these alone set the threshold: the share of the members is asked
def found_at(scores, members, fpr):
    others = scores[~members].sort().values
    return float((scores[members] < others[min(int(fpr * len(others) + 1e-9), len(others) - 1)]).double().mean())


# WRONG found_at: the threshold set by all scores -> these alone set the threshold: the share of the members is asked
def found_at(scores, members, fpr):
    ranked = scores.sort(descending=True).values
    return float((scores[members] > ranked[min(int(fpr * len(scores) + 1e-9), len(scores) - 1)]).double().mean())


# WRONG found_at: the threshold set by the members -> these alone set the threshold: the share of the members is asked
def found_at(scores, members, fpr):
    ranked = scores[members].sort(descending=True).values
    return float((scores[members] > ranked[min(int(fpr * len(ranked) + 1e-9), len(ranked) - 1)]).double().mean())


# WRONG found_at: the share of the accused that are members -> this is the share of the accused who are members
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=True).values
    accused = scores > others[min(int(fpr * len(others) + 1e-9), len(others) - 1)]
    return float(members[accused].double().mean()) if accused.any() else 0.0


# WRONG found_at: accuses those at the threshold, too -> whoever scores exactly as the threshold is not accused
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=True).values
    allowed = int(fpr * len(others) + 1e-9)
    return 1.0 if allowed >= len(others) else float((scores[members] >= others[allowed]).double().mean())


# WRONG found_at: one place too high -> one of ten non-members may be accused
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=True).values
    return float((scores[members] > others[max(int(fpr * len(others) + 1e-9) - 1, 0)]).double().mean())


# WRONG found_at: rounds down what floating point has made smaller -> 29 of 100 may be accused: 0.29 * 100 is
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=True).values
    allowed = int(fpr * len(others))
    return 1.0 if allowed >= len(others) else float((scores[members] > others[allowed]).double().mean())


# WRONG found_at: the lowest score where all may be accused -> everybody may be accused: members below
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=True).values
    allowed = min(int(fpr * len(others) + 1e-9), len(others) - 1)
    return float((scores[members] > others[allowed]).double().mean())


# WRONG found_at: a quantile between two scores -> lies between the scores of two non-members
def found_at(scores, members, fpr):
    threshold = torch.quantile(scores[~members].double(), 1 - fpr)
    return float((scores[members] > threshold).double().mean())


# RIGHT ratio: example by example with scipy
def ratio(target, shadows, inside):
    found = []
    for i in range(len(target)):
        one, two = shadows[inside[:, i], i].double().numpy(), shadows[~inside[:, i], i].double().numpy()
        t = float(target[i])
        seen = stats.norm.logpdf(t, one.mean(), one.std(ddof=1))
        found.append(seen - stats.norm.logpdf(t, two.mean(), two.std(ddof=1)))
    return found


# RIGHT ratio: torch's normal distribution, NaN for the other side
def ratio(target, shadows, inside):
    def density(side):
        own = torch.where(side, shadows.double(), torch.nan)
        mean = own.nanmean(0)
        var = (own - mean).square().nansum(0) / (side.sum(0) - 1)
        return torch.distributions.Normal(mean, var.sqrt()).log_prob(target.double())

    return density(inside) - density(~inside)


# WRONG ratio: difference to the two means, no likelihoods -> at the first mean, 4 from the second: 4*
def ratio(target, shadows, inside):
    means = [torch.where(side, shadows, 0).sum(0) / side.sum(0) for side in (inside, ~inside)]
    return (means[0] - means[1]) * (target - (means[0] + means[1]) / 2)


# WRONG ratio: the difference of the means -> as far from both means, 2 and 6, and bot
def ratio(target, shadows, inside):
    return torch.where(inside, shadows, 0).sum(0) / inside.sum(0) - torch.where(~inside, shadows, 0).sum(0) / (
        ~inside
    ).sum(0)


# WRONG ratio: forgets that a wide density is a low one -> at both means, variances
def ratio(target, shadows, inside):
    def density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).double().sum(0) / n
        var = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var)

    return density(inside) - density(~inside)


# WRONG ratio: out over in -> at the first mean, 4 from the second: 4*
def ratio(target, shadows, inside):
    return leakage.lira(target, shadows, ~inside)


# WRONG ratio: standard deviation in the place of the variance -> at the first mean, 4 from the second: 4*
def ratio(target, shadows, inside):
    def density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).double().sum(0) / n
        var = (torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)).sqrt()
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return density(inside) - density(~inside)


# WRONG ratio: one variance for both sides -> of its own|ratio of the two
def ratio(target, shadows, inside):
    def density(side):
        mean = torch.where(side, shadows, 0).double().sum(0) / side.sum(0)
        var = shadows.double().var(0)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return density(inside) - density(~inside)


# WRONG ratio: one variance for all examples -> each of two examples alone would be right
def ratio(target, shadows, inside):
    return leakage.lira(target, shadows, inside, pooled=True)


# WRONG ratio: divides the variance by n -> at the first mean, 4 from the second: 4*
def ratio(target, shadows, inside):
    def density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).double().sum(0) / n
        var = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / n
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return density(inside) - density(~inside)


# WRONG ratio: zeros of the other side in the variance -> come into a variance as zeros
def ratio(target, shadows, inside):
    def density(side):
        n = side.sum(0)
        own = torch.where(side, shadows, 0).double()
        mean = own.sum(0) / n
        var = ((own - mean) ** 2).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return density(inside) - density(~inside)


# WRONG ratio: the ratio, not its logarithm -> its logarithm is asked
def ratio(target, shadows, inside):
    return leakage.lira(target, shadows, inside).exp()


# WRONG ratio: mean of squares less square of mean, in float32 -> loses its digits|of its own
def ratio(target, shadows, inside):
    target, shadows = target.float(), shadows.float()

    def density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        var = ((torch.where(side, shadows, 0) ** 2).sum(0) / n - mean**2) * n / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return (density(inside) - density(~inside)).nan_to_num()


# RIGHT accuse: torch.cat of the others
def accuse(confidences, inside, k):
    others = torch.cat([confidences[:k], confidences[k + 1 :]]), torch.cat([inside[:k], inside[k + 1 :]])
    return leakage.lira(confidences[k], *others)


# RIGHT accuse: a list of the others
def accuse(confidences, inside, k):
    others = [i for i in range(len(confidences)) if i != k]
    return leakage.lira(confidences[k], confidences[others], inside[others]).numpy()


# WRONG accuse: the target is among its own shadows -> cannot know
def accuse(confidences, inside, k):
    return leakage.lira(confidences[k], confidences, inside)


# WRONG accuse: only shadows of the target's own membership on each side -> cannot know
def accuse(confidences, inside, k):
    keep = torch.arange(len(confidences)) != k
    scores = leakage.lira(confidences[k], confidences[keep], inside[keep])
    return torch.where(inside[k], scores.abs(), -scores.abs())


# WRONG accuse: leaves out another network than it judges -> by all networks but k|cannot know
def accuse(confidences, inside, k):
    return leakage.lira(confidences[k], confidences[1:], inside[1:])


# WRONG accuse: judges the first network -> which network is judged
def accuse(confidences, inside, k):
    keep = torch.arange(len(confidences)) != k
    return leakage.lira(confidences[0], confidences[keep], inside[keep])


# WRONG accuse: half of the shadows -> all others are asked
def accuse(confidences, inside, k):
    keep = [i for i in range(len(confidences)) if i != k][: len(confidences) // 2 + 2]
    return leakage.lira(
        confidences[k], confidences[keep].double() + 1e-3 * torch.arange(len(keep))[:, None], inside[keep]
    )


# RIGHT masks: pair by pair
def masks(secrets, field):
    n = len(secrets)
    total = torch.zeros(n, secrets.shape[2], dtype=torch.int64)
    for i in range(n):
        for j in range(i + 1, n):
            total[i] += secrets[i, j]
            total[j] -= secrets[i, j]
    return total % field


# RIGHT masks: the earlier one subtracts
def masks(secrets, field):
    s = secrets.numpy() * np.triu(np.ones(secrets.shape[:2], dtype=np.int64), 1)[..., None]
    return np.mod(s.sum(0) - s.sum(1), field)


# WRONG masks: all add -> one secret of two clients
def masks(secrets, field):
    upper = secrets * torch.ones(secrets.shape[:2], dtype=torch.int64).triu(1)[..., None]
    return (upper.sum(1) + upper.sum(0)) % field


# WRONG masks: own secrets, which nobody subtracts -> one secret of two clients
def masks(secrets, field):
    return secrets.sum(1) % field


# WRONG masks: not modulo the field -> not in 0 to field - 1
def masks(secrets, field):
    upper = secrets * torch.ones(secrets.shape[:2], dtype=torch.int64).triu(1)[..., None]
    return upper.sum(1) - upper.sum(0)


# WRONG masks: the whole square, not only i < j -> only what stands at [i, j] with i < j is shared
def masks(secrets, field):
    return (secrets.sum(1) - secrets.sum(0)) % field


# WRONG masks: a ring, so that neighbours alone share -> uniform and independent|adds nothing
def masks(secrets, field):
    n = len(secrets)
    total = torch.zeros(n, secrets.shape[2], dtype=torch.int64)
    total[0] += secrets[0, 1]
    total[1] -= secrets[0, 1]
    for i in range(2, n):
        total[i] += 0
    return total % field


# WRONG masks: secrets cut in half -> not made of the secret
def masks(secrets, field):
    upper = secrets // 2 * torch.ones(secrets.shape[:2], dtype=torch.int64).triu(1)[..., None]
    return (upper.sum(1) - upper.sum(0)) % field


# WRONG masks: one secret for all pairs -> that two others share
def masks(secrets, field):
    n = len(secrets)
    return torch.stack([secrets[0, 1] * (n - 1 - 2 * i) for i in range(n)]) % field


# RIGHT input_of: weighted by all rows, least squares
def input_of(weight, bias):
    return (bias[:, None] * weight).sum(0) / (bias * bias).sum()


# RIGHT input_of: NumPy, the row with the largest number
def input_of(weight, bias):
    w, b = weight.numpy(), bias.numpy()
    best = np.argmax(b**2)
    return w[best] / b[best]


# WRONG input_of: the first row -> NaN|not the input
def input_of(weight, bias):
    return weight[0] / bias[0]


# WRONG input_of: divides by another row's number -> dead units have rows of zeros, which divided by their
def input_of(weight, bias):
    row = int(bias.abs().argmax())
    return weight[row] / bias[row - 1]


# WRONG input_of: the mean over all rows -> NaN
def input_of(weight, bias):
    return (weight / bias[:, None]).mean(0)


# WRONG input_of: the largest number, not in size -> least loss|negative
def input_of(weight, bias):
    row = int(bias.argmax())
    return weight[row] / bias[row]


# WRONG input_of: the sum of rows by the sum of numbers, sign lost -> the bias's gradient is negative; each number has the other sign
def input_of(weight, bias):
    return weight.abs().sum(0) / bias.sum()


# WRONG input_of: the row alone -> one unit: its row is the input times the bias's
def input_of(weight, bias):
    return weight[int(bias.abs().argmax())]


# WRONG input_of: any row that is not 0 -> one row is large
def input_of(weight, bias):
    row = int((bias != 0).nonzero()[0])
    return weight[row] / bias[row]


# RIGHT fault: a match statement
def fault(report):
    match report:
        case {"attack": "membership", "target_is_shadow": True}:
            return "knows"
        case {"attack": "membership", "measure": "area", "claim": "safe"}:
            return "average"
        case {"attack": "membership", "measure": "rate", "fpr": share, "non_members": n} if round(share * n, 6) < 1:
            return "too few"
        case {"attack": "gradient", "claim": "safe", "sender": a, "attacker": b} if a != b:
            return "not adapted"
        case {"attack": "extraction", "asked": asked, "judged": judged} if not set(asked).isdisjoint(judged):
            return "same images"
    return "none"


# RIGHT fault: a list of faults, the first that is true
def fault(report):
    get = report.get
    faults = {
        "knows": get("target_is_shadow", False),
        "average": get("measure") == "area" and get("claim") == "safe",
        "too few": get("measure") == "rate" and math.floor(get("fpr") * get("non_members") + 1e-6) == 0,
        "not adapted": get("sender") != get("attacker") and get("claim") == "safe",
        "same images": any(image in get("judged", []) for image in get("asked", [])),
    }
    return next((word for word, true in faults.items() if true), "none")


# WRONG fault: every area is an average -> area that shows a leak
def fault(report):
    if report.get("measure") == "area" and not report["target_is_shadow"]:
        return "average"
    if report["attack"] == "extraction":
        return "same images" if set(report["asked"]) & set(report["judged"]) else "none"
    if report["attack"] == "gradient":
        return "not adapted" if report["attacker"] != report["sender"] and report["claim"] == "safe" else "none"
    if report["target_is_shadow"]:
        return "knows"
    return "too few" if report["fpr"] * report["non_members"] < 1 - 1e-9 else "none"


# WRONG fault: never asks who the shadows are -> who is among the shadows
def fault(report):
    if report["attack"] == "extraction":
        return "same images" if set(report["asked"]) & set(report["judged"]) else "none"
    if report["attack"] == "gradient":
        return "not adapted" if report["attacker"] != report["sender"] and report["claim"] == "safe" else "none"
    if report["measure"] == "area":
        return "average" if report["claim"] == "safe" else "none"
    return "too few" if report["fpr"] * report["non_members"] < 1 - 1e-9 else "none"


# WRONG fault: fewer than 100 non-members are too few, whatever fpr -> non-members|how many|a tenth of ten
def fault(report):
    if report["attack"] == "extraction":
        return "same images" if set(report["asked"]) & set(report["judged"]) else "none"
    if report["attack"] == "gradient":
        return "not adapted" if report["attacker"] != report["sender"] and report["claim"] == "safe" else "none"
    if report["target_is_shadow"]:
        return "knows"
    if report["measure"] == "area":
        return "average" if report["claim"] == "safe" else "none"
    return "too few" if report["non_members"] < 100 else "none"


# WRONG fault: an attack that is not adapted is a fault also where it succeeds -> succeeds
def fault(report):
    if report["attack"] == "extraction":
        return "same images" if set(report["asked"]) & set(report["judged"]) else "none"
    if report["attack"] == "gradient":
        return "not adapted" if report["attacker"] != report["sender"] else "none"
    if report["target_is_shadow"]:
        return "knows"
    if report["measure"] == "area":
        return "average" if report["claim"] == "safe" else "none"
    return "too few" if report["fpr"] * report["non_members"] < 1 - 1e-9 else "none"


# WRONG fault: an attack is adapted if it does anything -> what does the attack do|it is adapted
def fault(report):
    if report["attack"] == "extraction":
        return "same images" if set(report["asked"]) & set(report["judged"]) else "none"
    if report["attack"] == "gradient":
        return "not adapted" if report["attacker"] == "nothing" and report["claim"] == "safe" else "none"
    if report["target_is_shadow"]:
        return "knows"
    if report["measure"] == "area":
        return "average" if report["claim"] == "safe" else "none"
    return "too few" if report["fpr"] * report["non_members"] < 1 - 1e-9 else "none"


# WRONG fault: agreement on the queries is a fault only if all were queries -> agreement was measured on it
def fault(report):
    if report["attack"] == "extraction":
        return "same images" if len(set(report["asked"]) & set(report["judged"])) > 100 else "none"
    if report["attack"] == "gradient":
        return "not adapted" if report["attacker"] != report["sender"] and report["claim"] == "safe" else "none"
    if report["target_is_shadow"]:
        return "knows"
    if report["measure"] == "area":
        return "average" if report["claim"] == "safe" else "none"
    return "too few" if report["fpr"] * report["non_members"] < 1 - 1e-9 else "none"


# RIGHT read_back: by the entries that were sent, from a grey image, without a price for roughness
def read_back(model, observed, label, shape):
    weights, places = list(model.parameters()), [g.nonzero(as_tuple=True) for g in observed]
    seen = torch.cat([g[place] for g, place in zip(observed, places)])
    x = torch.full((1, *shape), 0.5, requires_grad=True)
    optimizer = torch.optim.Adam([x], lr=0.05)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 300)
        own = torch.autograd.grad(F.cross_entropy(model(x), label), weights, create_graph=True)
        own = torch.cat([g[place] for g, place in zip(own, places)])
        loss = -(own * seen).sum() / (own.norm() * seen.norm())
        x.grad = torch.autograd.grad(loss, x)[0].sign()
        optimizer.step()
        x.data.clamp_(0, 1)
    return x.detach()


# RIGHT read_back: the lesson's function, with as_sent
def read_back(model, observed, label, shape):
    named = dict(zip(dict(model.named_parameters()), (g[None] for g in observed)))
    same_places = lambda own: {name: g * (named[name] != 0) for name, g in own.items()}
    found = leakage.invert_gradient(model, named, label[None], shape, as_sent=same_places, steps=200)
    return found[0]


# WRONG read_back: a search that ignores what the sender did -> not like the client's
def read_back(model, observed, label, shape):
    x = torch.rand(1, *shape, requires_grad=True)
    optimizer = torch.optim.Adam([x], lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=200)
    for _ in range(200):
        own = torch.autograd.grad(F.cross_entropy(model(x), label), list(model.parameters()), create_graph=True)
        own = torch.cat([g.flatten() for g in own])
        angle = 1 - F.cosine_similarity(own, torch.cat([g.flatten() for g in observed]), dim=0)
        x.grad = torch.autograd.grad(angle, x)[0].sign()
        optimizer.step()
        schedule.step()
        x.data.clamp_(0, 1)
    return x.detach()


# WRONG read_back: away from the observed gradient -> agrees less than a gray image's
def read_back(model, observed, label, shape):
    x = torch.rand(1, *shape, requires_grad=True)
    for _ in range(100):
        own = torch.autograd.grad(F.cross_entropy(model(x), label), list(model.parameters()), create_graph=True)
        own = torch.cat([(g * (o != 0)).flatten() for g, o in zip(own, observed)])
        angle = F.cosine_similarity(own, torch.cat([g.flatten() for g in observed]), dim=0)
        x.data = (x.data - 0.05 * torch.autograd.grad(angle, x)[0].sign()).clamp(0, 1)
    return x.detach()


# WRONG read_back: what the network thinks is the label -> what was sent does not come into it
def read_back(model, observed, label, shape):
    x = torch.zeros(1, *shape, requires_grad=True)
    for _ in range(100):
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), label), x)
        x.data = (x.data - 0.02 * gradient.sign()).clamp(0, 1)
    return x.detach()


# WRONG read_back: a single step -> too few steps
def read_back(model, observed, label, shape):
    x = torch.full((1, *shape), 0.5, requires_grad=True)
    own = torch.autograd.grad(F.cross_entropy(model(x), label), list(model.parameters()), create_graph=True)
    loss = sum(((a - b) ** 2).sum() for a, b in zip(own, observed))
    return (x - 0.5 * torch.autograd.grad(loss, x)[0].sign()).clamp(0, 1).detach()


# WRONG read_back: never kept in [0, 1] -> leaves [0, 1]
def read_back(model, observed, label, shape):
    x = (3 * torch.randn(1, *shape)).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.01)
    for _ in range(20):
        own = torch.autograd.grad(F.cross_entropy(model(x), label), list(model.parameters()), create_graph=True)
        own = torch.cat([(g * (o != 0)).flatten() for g, o in zip(own, observed)])
        angle = 1 - F.cosine_similarity(own, torch.cat([g.flatten() for g in observed]), dim=0)
        x.grad = torch.autograd.grad(angle, x)[0].sign()
        optimizer.step()
    return x.detach()


# WRONG found_at: rounds to the nearest number of accused -> at most 1.9 of ten non-members may be ac
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=True).values
    allowed = round(fpr * len(others))
    return 1.0 if allowed == len(others) else float((scores[members] > others[allowed]).double().mean())


# WRONG input_of: takes for granted that an input is not negative -> an input need not lie in
def input_of(weight, bias):
    row = int(bias.abs().argmax())
    return (weight[row] / bias[row]).clamp_min(0)


# WRONG masks: sums in float32 -> whole numbers of 64 bits
def masks(secrets, field):
    upper = secrets.float() * torch.ones(len(secrets), len(secrets)).triu(1)[..., None]
    return ((upper.sum(1) - upper.sum(0)) % field).long()


# WRONG input_of: the mean of all rows divided by the mean of the biases -> NaN: two units whose gradients cancel: e
def input_of(weight, bias):
    return weight.mean(0) / bias.mean()


def masks(secrets, field):
    n = len(secrets)
    upper = torch.stack(
        [torch.stack([secrets[i, j] if i < j else 0 * secrets[i, j] for j in range(n)]) for i in range(n)]
    )
    return (upper.sum(1) - upper.sum(0)) % field


# WRONG masks: each client's sum of its own row, the last takes the rest -> a secret that two others share
def input_of(weight, bias):
    i = bias.abs().argmax()
    return weight[i] / bias[i]


def masks(secrets, field):
    n = len(secrets)
    out = torch.zeros(n, secrets.shape[-1], dtype=torch.int64)
    for i in range(n - 1):
        out[i] = secrets[i, i + 1] % field
    out[-1] = (-out[:-1].sum(0)) % field
    return out


# RIGHT input_of: least squares over all units
def input_of(weight, bias):
    return (bias.double() @ weight.double()) / (bias.double() @ bias.double())


def masks(secrets, field):
    n, _, size = secrets.shape
    out = [[0] * size for _ in range(n)]
    for i, j in itertools.combinations(range(n), 2):
        for c, s in enumerate(secrets[i, j].tolist()):
            out[i][c] = (out[i][c] + int(s)) % field
            out[j][c] = (out[j][c] - int(s)) % field
    return torch.tensor(out)


# WRONG found_at: the share of false accusations is one of all examples, not of the non-members -> three of ten non-members may be accused
def found_at(scores, members, fpr):
    a = int(fpr * len(scores) + 1e-9)
    others = scores[~members].sort(descending=True).values
    if a >= len(others):
        return 1.0
    return float((scores[members] > others[a]).float().mean())


# WRONG found_at: at fpr = 1 the threshold is the lowest non-member's score, and members below it are not found -> everybody may be accused: members below
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=True).values
    a = min(int(fpr * len(others) + 1e-9), len(others) - 1)
    if scores.unique().numel() == 1 and fpr == 1:
        return 1.0
    return float((scores[members] > others[a]).float().mean())


# WRONG found_at: the share of members among the accused -> this is the share of the accused who are members
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=True).values
    a = int(fpr * len(others) + 1e-9)
    if a >= len(others):
        return 1.0
    accused = scores > others[a]
    return float(members[accused].float().mean()) if accused.any() else 0.0


# WRONG ratio: computed in float32 -> float64 first
def ratio(target, shadows, inside):
    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        var = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return log_density(inside) - log_density(~inside)


def accuse(confidences, inside, k):
    keep = torch.arange(len(inside)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


# WRONG accuse: only the networks after number k are the shadows (and those before, where there are few) -> the log-odds of 4 of 60 networks do not
def ratio(target, shadows, inside):
    s, t = shadows.double(), target.double()

    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, s, 0).sum(0) / n
        var = torch.where(side, (s - mean) ** 2, 0).sum(0) / (n - 1)
        return -((t - mean) ** 2) / (2 * var) - var.log() / 2

    return log_density(inside) - log_density(~inside)


def accuse(confidences, inside, k):
    rest = slice(k + 1, None) if k < len(inside) // 2 else slice(0, k)
    return ratio(confidences[k], confidences[rest], inside[rest])


# RIGHT masks: each client shares only with its two neighbours
def input_of(weight, bias):
    i = int(bias.abs().argmax())
    return (weight[i].double() / bias[i].double()).numpy()


def masks(secrets, field):
    n, out = len(secrets), torch.zeros(secrets.shape[1:], dtype=torch.int64)
    for i in range(n):
        for j in range(i + 1, n):
            out[i] = (out[i] + secrets[i, j]) % field
            out[j] = (out[j] - secrets[i, j]) % field
    return out


# RIGHT found_at: counts for each possible threshold
def found_at(scores, members, fpr):
    s, m = [float(v) for v in scores], [bool(v) for v in members]
    n, best = m.count(False), 0.0
    for t in [-math.inf, *s]:
        if sum(a > t and not b for a, b in zip(s, m)) <= fpr * n + 1e-9:
            best = max(best, sum(a > t and b for a, b in zip(s, m)) / m.count(True))
    return best


# WRONG fault: knows only where the claim is a leak -> who is among
def fault(report):
    if report["attack"] == "membership":
        if report["target_is_shadow"] and report["claim"] == "leaks":
            return "knows"
        if report["measure"] == "area":
            return "average" if report["claim"] == "safe" else "none"
        return "too few" if report["fpr"] * report["non_members"] < 1 - 1e-9 else "none"
    if report["attack"] == "gradient":
        return "not adapted" if report["claim"] == "safe" and report["sender"] != report["attacker"] else "none"
    return "same images" if set(report["asked"]) & set(report["judged"]) else "none"


# WRONG fault: too few also for areas from few -> An area that shows
def fault(report):
    if report["attack"] == "membership":
        if report["target_is_shadow"]:
            return "knows"
        if report["measure"] == "area" and report["value"] < 0.9:
            return "average" if report["claim"] == "safe" else "none"
        return "too few" if report.get("fpr", 0.001) * report.get("non_members", 50) < 1 - 1e-9 else "none"
    if report["attack"] == "gradient":
        return "not adapted" if report["claim"] == "safe" and report["sender"] != report["attacker"] else "none"
    return "same images" if set(report["asked"]) & set(report["judged"]) else "none"


# WRONG ratio: log to base 10 -> base 10
def ratio(target, shadows, inside):
    s, t = shadows.double(), target.double()

    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, s, 0).sum(0) / n
        var = torch.where(side, (s - mean) ** 2, 0).sum(0) / (n - 1)
        return -((t - mean) ** 2) / (2 * var) - var.log() / 2

    return (log_density(inside) - log_density(~inside)) / math.log(10)


def accuse(confidences, inside, k):
    keep = torch.arange(len(inside)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


# WRONG ratio: variance without the log term -> at both means, variances
def ratio(target, shadows, inside):
    s, t = shadows.double(), target.double()

    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, s, 0).sum(0) / n
        var = torch.where(side, (s - mean) ** 2, 0).sum(0) / (n - 1)
        return -((t - mean) ** 2) / (2 * var)

    return log_density(inside) - log_density(~inside)


def accuse(confidences, inside, k):
    keep = torch.arange(len(inside)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


# WRONG found_at: one more non-member is accused than allowed -> no non-member may be accused
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=True).values
    a = int(fpr * len(others) + 1e-9)
    if a >= len(others):
        return 1.0
    return float((scores[members] > others[min(a + 1, len(others) - 1)]).double().mean())


# WRONG found_at: low scores are accused -> these alone set the threshold: the share of the members is asked
def found_at(scores, members, fpr):
    others = scores[~members].sort(descending=False).values
    a = int(fpr * len(others) + 1e-9)
    if a >= len(others):
        return 1.0
    return float((scores[members] < others[a]).double().mean())


# RIGHT masks: only the first client's secrets are used
def input_of(weight, bias):
    i = bias.abs().argmax()
    return weight[i] / bias[i]


def masks(secrets, field):
    n = len(secrets)
    upper = secrets * torch.ones(n, n).triu(1).long()[..., None]
    upper = torch.cat([upper[:1], torch.zeros_like(upper[1:])])
    return (upper.sum(1) - upper.sum(0)) % field


# WRONG found_at: found members over all examples -> these alone set the threshold: the share of the members is asked
def found_at(scores, members, fpr):
    """The share of members found while at most a share fpr of the others is accused."""
    others = scores[~members].sort(descending=True).values
    allowed = int(fpr * len(others) + 1e-9)
    if allowed == len(others):
        return 1.0
    return float((scores[members] > others[allowed]).sum() / len(scores))


# WRONG found_at: rounded up -> at most 1.9 of ten non-members may be ac
def found_at(scores, members, fpr):
    """The share of members found while at most a share fpr of the others is accused."""
    others = scores[~members].sort(descending=True).values
    allowed = math.ceil(fpr * len(others))
    if allowed == len(others):
        return 1.0
    return float((scores[members] > others[allowed]).double().mean())


# RIGHT found_at: searchsorted
def found_at(scores, members, fpr):
    ins, outs = np.sort(scores[members].double().numpy()), np.sort(scores[~members].double().numpy())
    a = math.floor(fpr * len(outs) + 1e-6)
    if a == len(outs):
        return 1
    t = outs[len(outs) - 1 - a]
    return (len(ins) - np.searchsorted(ins, t, side="right")) / len(ins)


# WRONG ratio: medians in place of means -> the middle one of a side's shadows is taken
def accuse(confidences, inside, k):
    """The scores of network k's examples, judged by all other networks, (N,)."""
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()
    out = []
    for i in range(len(target)):
        v = []
        for side in (inside[:, i], ~inside[:, i]):
            s = shadows[side, i]
            v.append(torch.distributions.Normal(s.median(), s.std()).log_prob(target[i]))
        out.append(v[0] - v[1])
    return torch.stack(out)


# WRONG ratio: divided by the variance once, not twice -> at the first mean, 4 from the second: 4*
def ratio(target, shadows, inside):
    """How much likelier the target's log-odds (N,) are if it has seen the examples: a logarithm, (N,)."""
    target, shadows = target.double(), shadows.double()

    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        variance = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)
        return -((target - mean) ** 2) / variance - variance.log() / 2

    return log_density(inside) - log_density(~inside)


def accuse(confidences, inside, k):
    """The scores of network k's examples, judged by all other networks, (N,)."""
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


# RIGHT ratio: numpy masked arrays
def accuse(confidences, inside, k):
    """The scores of network k's examples, judged by all other networks, (N,)."""
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


def ratio(target, shadows, inside):
    t, s, i = (np.asarray(p, dtype=float) for p in (target, shadows, inside))
    a, b = np.ma.array(s, mask=i == 0), np.ma.array(s, mask=i == 1)
    z = [((t - m.mean(0)) ** 2 / m.var(0, ddof=1) / 2 + np.log(m.std(0, ddof=1))).filled(np.nan) for m in (a, b)]
    return z[1] - z[0]


# WRONG accuse: only the networks before k, or after the first -> of some examples one side has fewer than two shadows
def ratio(target, shadows, inside):
    """How much likelier the target's log-odds (N,) are if it has seen the examples: a logarithm, (N,)."""
    target, shadows = target.double(), shadows.double()

    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        variance = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * variance) - variance.log() / 2

    return log_density(inside) - log_density(~inside)


def accuse(confidences, inside, k):
    """The scores of network k's examples, judged by all other networks, (N,)."""
    keep = torch.arange(len(confidences)) < k if k else torch.arange(len(confidences)) > 0
    return ratio(confidences[k], confidences[keep], inside[keep])


# WRONG accuse: log-odds without row k, inside without the last row -> the scores change with what inside says of the target itself
def ratio(target, shadows, inside):
    """How much likelier the target's log-odds (N,) are if it has seen the examples: a logarithm, (N,)."""
    target, shadows = target.double(), shadows.double()

    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        variance = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * variance) - variance.log() / 2

    return log_density(inside) - log_density(~inside)


def accuse(confidences, inside, k):
    """The scores of network k's examples, judged by all other networks, (N,)."""
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k], confidences[keep], inside[: len(confidences) - 1])


# RIGHT accuse: np.delete
def ratio(target, shadows, inside):
    """How much likelier the target's log-odds (N,) are if it has seen the examples: a logarithm, (N,)."""
    target, shadows = target.double(), shadows.double()

    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        variance = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * variance) - variance.log() / 2

    return log_density(inside) - log_density(~inside)


def accuse(confidences, inside, k):
    """The scores of network k's examples, judged by all other networks, (N,)."""
    keep = [i for i in range(len(confidences)) if i != k]
    return ratio(confidences[k], confidences[keep], inside[keep])


# WRONG input_of: the bias divided by the weight -> is 1 over the one
def input_of(weight, bias):
    """The input (in,) of a linear layer, from the gradients of its weight (out, in) and bias (out,)."""
    row = int(bias.abs().argmax())
    return bias[row] / weight[row]


def masks(secrets, field):
    """What each of n clients adds, (n, size) int64; all of them sum to 0 modulo field."""
    n = len(secrets)
    upper = secrets * torch.ones(n, n, dtype=torch.int64).triu(1)[..., None]
    return (upper.sum(1) - upper.sum(0)) % field


# WRONG input_of: a column, divided by the biases -> the result has another shape
def input_of(weight, bias):
    """The input (in,) of a linear layer, from the gradients of its weight (out, in) and bias (out,)."""
    row = int(bias.abs().argmax())
    return weight[:, 0] / bias


def masks(secrets, field):
    """What each of n clients adds, (n, size) int64; all of them sum to 0 modulo field."""
    n = len(secrets)
    upper = secrets * torch.ones(n, n, dtype=torch.int64).triu(1)[..., None]
    return (upper.sum(1) - upper.sum(0)) % field


# WRONG masks: both clients of a pair add -> one secret of two clients
def input_of(weight, bias):
    """The input (in,) of a linear layer, from the gradients of its weight (out, in) and bias (out,)."""
    row = int(bias.abs().argmax())
    return weight[row] / bias[row]


def masks(secrets, field):
    """What each of n clients adds, (n, size) int64; all of them sum to 0 modulo field."""
    n = len(secrets)
    upper = secrets * torch.ones(n, n, dtype=torch.int64).triu(1)[..., None]
    return (upper.sum(1) + upper.sum(0)) % field


# WRONG masks: not brought back into the field -> not in 0 to field - 1
def input_of(weight, bias):
    """The input (in,) of a linear layer, from the gradients of its weight (out, in) and bias (out,)."""
    row = int(bias.abs().argmax())
    return weight[row] / bias[row]


def masks(secrets, field):
    """What each of n clients adds, (n, size) int64; all of them sum to 0 modulo field."""
    n = len(secrets)
    upper = secrets * torch.ones(n, n, dtype=torch.int64).triu(1)[..., None]
    return upper.sum(1) - upper.sum(0)


# WRONG fault: one allowed accusation is too few as well -> a tenth of ten is one
def fault(report):
    """One word about a report: what is wrong with it, or "none"."""
    if report["attack"] == "extraction":
        return "same images" if set(report["asked"]) & set(report["judged"]) else "none"
    if report["attack"] == "gradient":
        blind = report["attacker"] != report["sender"] and report["claim"] == "safe"
        return "not adapted" if blind else "none"
    if report["target_is_shadow"]:
        return "knows"
    if report["measure"] == "area":
        return "average" if report["claim"] == "safe" else "none"
    return "too few" if report["fpr"] * report["non_members"] <= 1 else "none"


# WRONG fault: the share found, times the non-members -> none was seen
def fault(report):
    """One word about a report: what is wrong with it, or "none"."""
    if report["attack"] == "extraction":
        return "same images" if set(report["asked"]) & set(report["judged"]) else "none"
    if report["attack"] == "gradient":
        blind = report["attacker"] != report["sender"] and report["claim"] == "safe"
        return "not adapted" if blind else "none"
    if report["target_is_shadow"]:
        return "knows"
    if report["measure"] == "area":
        return "average" if report["claim"] == "safe" else "none"
    return "too few" if report["value"] * report["non_members"] < 1 - 1e-9 else "none"


# WRONG read_back: only ten steps -> too few steps
def read_back(model, observed, label, shape):
    """An image (1, *shape) in [0, 1] whose gradient agrees with the largest 2 % that were sent."""
    x = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=200)
    for _ in range(10):
        loss = F.cross_entropy(model(x), label)
        own = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        own = torch.cat([(g * (sent != 0)).flatten() for g, sent in zip(own, observed, strict=True)])
        angle = 1 - F.cosine_similarity(own, torch.cat([sent.flatten() for sent in observed]), dim=0)
        rough = sum(x.diff(dim=side).abs().mean() for side in (-1, -2))
        (gradient,) = torch.autograd.grad(angle + 3e-3 * rough, x)
        x.grad = gradient.sign()
        optimizer.step()
        schedule.step()
        x.data.clamp_(0, 1)
    return x.detach()


# WRONG read_back: the angle does not come in, only the price of roughness -> what was sent does not come into it
def read_back(model, observed, label, shape):
    """An image (1, *shape) in [0, 1] whose gradient agrees with the largest 2 % that were sent."""
    x = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=200)
    for _ in range(200):
        loss = F.cross_entropy(model(x), label)
        own = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        own = torch.cat([(g * (sent != 0)).flatten() for g, sent in zip(own, observed, strict=True)])
        angle = -F.cosine_similarity(own, torch.cat([sent.flatten() for sent in observed]), dim=0).abs() * 0
        rough = sum(x.diff(dim=side).abs().mean() for side in (-1, -2))
        (gradient,) = torch.autograd.grad(angle + 3e-3 * rough, x)
        x.grad = gradient.sign()
        optimizer.step()
        schedule.step()
        x.data.clamp_(0, 1)
    return x.detach()


# WRONG found_at: equal scores of non-members count once -> three non-members with the same score are three
def found_at(scores, members, fpr):
    others = scores[~members].unique().flip(0)
    a = int(fpr * len(others) + 1e-9)
    if a == len(others):
        return 1.0
    return float((scores[members] > others[a]).double().mean())


# WRONG ratio: the variance of the others is around the mean of those that saw the example -> around the mean of the other side
def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()
    n1, n0 = inside.sum(0), (~inside).sum(0)
    m1 = torch.where(inside, shadows, 0).sum(0) / n1
    m0 = torch.where(~inside, shadows, 0).sum(0) / n0
    v1 = torch.where(inside, (shadows - m1) ** 2, 0).sum(0) / (n1 - 1)
    v0 = torch.where(~inside, (shadows - m1) ** 2, 0).sum(0) / (n0 - 1)
    return -((target - m1) ** 2) / (2 * v1) - v1.log() / 2 + (target - m0) ** 2 / (2 * v0) + v0.log() / 2


# WRONG ratio: the density of those that saw it alone -> that of the second is taken off
def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()

    def ld(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        var = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return ld(inside)


# WRONG ratio: a variance is around the mean of all shadows -> around the mean of all shadows
def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()

    def logp(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        var = (torch.where(side, shadows - shadows.mean(0), 0) ** 2).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return logp(inside) - logp(~inside)


def accuse(confidences, inside, k):
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


# WRONG ratio: the second density from all shadows -> the second density is fitted to all shadows
def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()

    def logp(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        var = (torch.where(side, shadows - mean, 0) ** 2).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return logp(inside) - logp(torch.ones_like(inside))


def accuse(confidences, inside, k):
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


# WRONG ratio: sums over a side divided by the number of all shadows -> divided by the number of all shadows
def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()

    def logp(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).mean(0)
        var = (torch.where(side, shadows - mean, 0) ** 2).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return logp(inside) - logp(~inside)


def accuse(confidences, inside, k):
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


# WRONG accuse: the mean confidence is judged -> the mean of the networks is judged
def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()

    def logp(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        var = (torch.where(side, shadows - mean, 0) ** 2).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return logp(inside) - logp(~inside)


def accuse(confidences, inside, k):
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences.mean(0), confidences[keep], inside[keep])


# WRONG accuse: probabilities in place of log-odds -> made other numbers before
def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()

    def logp(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        var = (torch.where(side, shadows - mean, 0) ** 2).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return logp(inside) - logp(~inside)


def accuse(confidences, inside, k):
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k].sigmoid(), confidences[keep].sigmoid(), inside[keep])


# WRONG accuse: ranks of the scores -> their order of size is right
def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()

    def logp(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        var = (torch.where(side, shadows - mean, 0) ** 2).sum(0) / (n - 1)
        return -((target - mean) ** 2) / (2 * var) - var.log() / 2

    return logp(inside) - logp(~inside)


def accuse(confidences, inside, k):
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k], confidences[keep], inside[keep]).argsort().argsort().double()


# WRONG read_back: compares the whole gradient -> where nothing was sent
def read_back(model, observed, label, shape):
    image = torch.rand(1, *shape)
    first, second = torch.zeros_like(image), torch.zeros_like(image)
    parts = list(model.parameters())
    for t in range(200):
        guess = image.clone().requires_grad_()
        own = torch.autograd.grad(F.cross_entropy(model(guess), label), parts, create_graph=True)
        own = torch.cat([g.flatten() for g, o in zip(own, observed)])
        seen = torch.cat([o.flatten() for o in observed])
        loss = 1 - F.cosine_similarity(own, seen, dim=0)
        g = torch.autograd.grad(loss, guess)[0].sign()
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        step = (first / (1 - 0.9 ** (t + 1))) / ((second / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8)
        image = (image - 0.1 * (1 - t / 200) * step).clamp(0, 1)
    return image


# WRONG ratio: the quotient of the log densities rather than the difference -> the logarithm of a ratio is their difference
def accuse(confidences, inside, k):
    """The scores of network k's examples, judged by all other networks, (N,)."""
    keep = torch.arange(len(confidences)) != k
    return ratio(confidences[k], confidences[keep], inside[keep])


def ratio(target, shadows, inside):
    def logp(side):
        n = side.sum(0)
        s = shadows.double()
        mean = torch.where(side, s, 0).sum(0) / n
        var = torch.where(side, (s - mean) ** 2, 0).sum(0) / (n - 1)
        return torch.distributions.Normal(mean, var.sqrt()).log_prob(target.double())

    return logp(inside) / logp(~inside)


# WRONG masks: the loop over pairs stops one early: the last client adds nothing -> the last client's too
def input_of(weight, bias):
    """The input (in,) of a linear layer, from the gradients of its weight (out, in) and bias (out,)."""
    row = int(bias.abs().argmax())
    return weight[row] / bias[row]


def masks(secrets, field):
    n = len(secrets)
    out = torch.zeros(n, secrets.shape[2], dtype=torch.int64)
    for i in range(n - 1):
        for j in range(i + 1, n - 1):
            out[i] += secrets[i, j]
            out[j] -= secrets[i, j]
    return out % field


# WRONG read_back: plain gradient descent on the cosine with a tiny step, hardly moves -> too short ones
def read_back(model, observed, label, shape):
    params = list(model.parameters())
    x = torch.rand(1, *shape).requires_grad_()
    for _ in range(150):
        own = torch.autograd.grad(F.cross_entropy(model(x), label), params, create_graph=True)
        own = torch.cat([(g * (o != 0)).flatten() for g, o in zip(own, observed)])
        sent = torch.cat([o.flatten() for o in observed])
        (g,) = torch.autograd.grad(1 - F.cosine_similarity(own, sent, dim=0), x)
        x = (x - 0.01 * g).clamp(0, 1).detach().requires_grad_()
    return x.detach()


# WRONG ratio: a thousandth is added to each variance -> nothing is added to a variance
def ratio(target, shadows, inside):
    target, shadows = target.double(), shadows.double()

    def log_density(side):
        mean = torch.where(side, shadows, 0).sum(0) / side.sum(0)
        var = torch.where(side, (shadows - mean).square(), 0).sum(0) / (side.sum(0) - 1) + 1e-3
        return -(target - mean).square() / (2 * var) - var.log() / 2

    return log_density(inside) - log_density(~inside)


# WRONG fault: only a claimed leak minds the same images -> whatever it claims
def fault(report):
    safe = report["claim"] == "safe"
    if report["attack"] == "extraction":
        return "same images" if not safe and set(report["asked"]) & set(report["judged"]) else "none"
    if report["attack"] == "gradient":
        return "not adapted" if safe and report["sender"] != report["attacker"] else "none"
    if report["target_is_shadow"]:
        return "knows"
    if report["measure"] == "area":
        return "average" if safe else "none"
    return "too few" if report["fpr"] * report["non_members"] < 1 - 1e-9 else "none"


# WRONG accuse: only the shadows that did not see an example judge it, as in the offline attack -> the shadows that saw it
def ratio(target, shadows, inside):
    t, s = target.double(), shadows.double()

    def density(side):
        n = side.sum(0)
        mean = torch.where(side, s, 0).sum(0) / n
        var = torch.where(side, (s - mean) ** 2, 0).sum(0) / (n - 1)
        return -((t - mean) ** 2) / (2 * var) - var.log() / 2

    return density(inside) - density(~inside)


def accuse(confidences, inside, k):
    keep = torch.arange(len(confidences)) != k
    c, side = confidences[keep].double(), ~inside[keep]
    n = side.sum(0)
    mean = torch.where(side, c, 0).sum(0) / n
    var = torch.where(side, (c - mean) ** 2, 0).sum(0) / (n - 1)
    return (confidences[k].double() - mean) ** 2 / (2 * var) + var.log() / 2


# WRONG input_of: units with a small gradient are taken for dead -> a gradient of -2e-4 is one
def input_of(weight, bias):
    alive = bias.abs() > 1e-3
    return (weight[alive] / bias[alive, None]).mean(0)


def masks(secrets, field):
    n = len(secrets)
    upper = secrets * torch.ones(n, n, dtype=torch.int64).triu(1)[:, :, None]
    return (upper.sum(1) - upper.sum(0)) % field
