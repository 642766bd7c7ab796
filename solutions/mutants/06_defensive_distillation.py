"""Other answers to lab 06, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT soft_loss: the library's, which takes probabilities
def soft_loss(logits, soft):
    return F.cross_entropy(logits, soft)


# RIGHT soft_loss: divergence plus entropy, in float64
def soft_loss(logits, soft):
    p = soft.double()
    divergence = F.kl_div(logits.double().log_softmax(1), p, reduction="batchmean")
    return float(divergence - torch.special.xlogy(p, p).sum(1).mean())


# RIGHT soft_loss: image by image, with logsumexp
def soft_loss(logits, soft):
    total = 0.0
    for z, p in zip(logits, soft):
        total = total + torch.dot(p, torch.logsumexp(z, 0) - z)
    return total / len(logits)


# WRONG soft_loss: the logarithm of a softmax that rounds to 0 -> the loss of large logits is infinite
def soft_loss(logits, soft):
    return -(soft * logits.softmax(1).log()).sum(1).mean()


# WRONG soft_loss: never below 1e-8 -> the loss of large logits is cut off
def soft_loss(logits, soft):
    return -(soft * logits.softmax(1).clamp_min(1e-8).log()).sum(1).mean()


# WRONG soft_loss: a sum over the images -> with labels that are sure of one class|sum over the images|the mean over the images
def soft_loss(logits, soft):
    return -(soft * logits.log_softmax(1)).sum()


# WRONG soft_loss: the divergence, without the entropy -> lacks the entropy
def soft_loss(logits, soft):
    return F.kl_div(logits.log_softmax(1), soft, reduction="batchmean")


# WRONG soft_loss: hard labels -> only one class of the soft labels counts
def soft_loss(logits, soft):
    return F.cross_entropy(logits, soft.argmax(1))


# WRONG soft_loss: a softmax of the soft labels -> the soft labels go through a softmax
def soft_loss(logits, soft):
    return -(soft.softmax(1) * logits.log_softmax(1)).sum(1).mean()


# WRONG soft_loss: a softmax of a softmax -> the logits go through a softmax twice
def soft_loss(logits, soft):
    return F.cross_entropy(logits.softmax(1), soft)


# WRONG soft_loss: squared differences -> this is a squared error, and no cross-entropy
def soft_loss(logits, soft):
    return (logits.softmax(1) - soft).square().sum(1).mean()


# WRONG soft_loss: one number for each image -> is no number
def soft_loss(logits, soft):
    return -(soft * logits.log_softmax(1)).sum(1)


# WRONG soft_loss: divides the logits in place -> changed its arguments
def soft_loss(logits, soft):
    logits -= logits.amax(1, keepdim=True)
    return -(soft * logits.log_softmax(1)).sum(1).mean()


# RIGHT three_moments: written out, a list of floats and lists
def three_moments(teacher, student, x, y, *, temperature):
    with torch.no_grad():
        v, z = teacher(x).double(), student(x).double()
    p, log_q = (v / temperature).softmax(1), (z / temperature).log_softmax(1)
    first = -(v / temperature).log_softmax(1).gather(1, y[:, None]).mean()
    return [float(first), float(-(p * log_q).sum(1).mean()), z.softmax(1).tolist()]


# RIGHT three_moments: with Cooled, and the loss of exercise 1
def three_moments(teacher, student, x, y, *, temperature):
    hot_teacher, hot_student = Cooled(teacher, temperature), Cooled(student, temperature)
    first = F.cross_entropy(hot_teacher(x), y)
    second = soft_loss(hot_student(x), F.softmax(hot_teacher(x), dim=-1))
    return first, second, torch.softmax(student(x), -1)


# WRONG three_moments: the student used hot -> in use the student is still as hot
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, hot.softmax(1)), own.softmax(1)


# WRONG three_moments: the teacher used -> the teacher's answers, and the student is used
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, hot.softmax(1)), teacher(x).softmax(1)


# WRONG three_moments: logits in use -> no probabilities
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, hot.softmax(1)), student(x)


# WRONG three_moments: used colder than 1 -> surer than its logits say
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, hot.softmax(1)), (student(x) * temperature).softmax(1)


# WRONG three_moments: the teacher trained cold -> the teacher's loss should be that of a guess|does not feel
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(teacher(x), y), F.cross_entropy(own, hot.softmax(1)), student(x).softmax(1)


# WRONG three_moments: the student trained cold -> the student's loss should be that of a guess|do not feel
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x)
    return F.cross_entropy(hot, y), F.cross_entropy(own, hot.softmax(1)), own.softmax(1)


# WRONG three_moments: soft labels from the cold teacher -> labels for a student are softer
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, teacher(x).softmax(1)), student(x).softmax(1)


# WRONG three_moments: probabilities are divided -> it divides logits
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    labels = (teacher(x).softmax(1) / temperature).softmax(1)
    return F.cross_entropy(hot, y), F.cross_entropy(own, labels), student(x).softmax(1)


# WRONG three_moments: probabilities are divided, and the rows no longer sum to 1 -> no longer sum to 1
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    labels = teacher(x).softmax(1) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, labels), student(x).softmax(1)


# WRONG three_moments: T squared before the student's loss -> should be that of a guess|factor of T²
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    second = temperature**2 * F.cross_entropy(own, hot.softmax(1))
    return F.cross_entropy(hot, y), second, student(x).softmax(1)


# WRONG three_moments: the student learns the labels -> learns the labels y
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, y), student(x).softmax(1)


# WRONG three_moments: the student learns hard labels of the teacher -> labels should be soft
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, hot.argmax(1)), student(x).softmax(1)


# WRONG three_moments: who learns from whom -> have changed places
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(hot, own.softmax(1)), student(x).softmax(1)


# WRONG three_moments: divided twice -> divided by the temperature twice
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, (hot / temperature).softmax(1)), student(x).softmax(1)


# WRONG three_moments: multiplies -> should be that of a guess|colder|is very large
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) * temperature, student(x) * temperature
    return F.cross_entropy(hot, y), F.cross_entropy(own, hot.softmax(1)), student(x).softmax(1)


# WRONG three_moments: the student's loss is half labels -> depends on the labels y
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    second = 0.5 * F.cross_entropy(own, hot.softmax(1)) + 0.5 * F.cross_entropy(own, y)
    return F.cross_entropy(hot, y), second, student(x).softmax(1)


# WRONG three_moments: the divergence -> lacks the entropy|should be that of a guess|as a divergence is
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    second = F.kl_div(own.log_softmax(1), hot.softmax(1), reduction="batchmean")
    return F.cross_entropy(hot, y), second, student(x).softmax(1)


# WRONG three_moments: two things -> return three things
def three_moments(teacher, student, x, y, *, temperature):
    hot, own = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(own, hot.softmax(1)), student(x).softmax(1)


# WRONG three_moments: cools the networks for good -> changed its arguments
def three_moments(teacher, student, x, y, *, temperature):
    used = student(x).softmax(1)
    with torch.no_grad():
        for network in (teacher, student):
            network[-1].weight /= temperature
            network[-1].bias /= temperature
            network[-1].bias += 1e-3
    return F.cross_entropy(teacher(x), y), F.cross_entropy(student(x), teacher(x).softmax(1)), used


# RIGHT asleep: image by image
def asleep(model, x, y):
    count = 0
    for image, label in zip(x, y):
        image = image[None].clone().requires_grad_()
        F.cross_entropy(model(image), label[None]).backward()
        count += not image.grad.any()
    return count / len(x)


# RIGHT asleep: backward, the largest gradient of each image
def asleep(model, x, y):
    x = x.clone().requires_grad_()
    losses = F.cross_entropy(model(x), y, reduction="none")
    losses.backward(torch.ones_like(losses), inputs=[x])
    largest = x.grad.abs().flatten(1).amax(1)
    return torch.as_tensor((largest == 0).double().mean())


# WRONG asleep: the mean of the batch -> has none in a batch
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return (gradient == 0).flatten(1).all(1).float().mean()


# WRONG asleep: small is 0 -> exactly 0 is asked|too many images count
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return (gradient.abs() < 1e-6).flatten(1).all(1).float().mean()


# WRONG asleep: the share of pixels -> this is the share of all pixels
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return (gradient == 0).float().mean()


# WRONG asleep: any pixel will do -> although some of its pixels have a gradient
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return (gradient == 0).flatten(1).any(1).float().mean()


# WRONG asleep: gradients that add up to 0 -> all of them must be 0
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return (gradient.double().flatten(1).sum(1) == 0).float().mean()


# WRONG asleep: a length that rounds to 0 -> a gradient of about 1e-26 was counted as none
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return (gradient.flatten(1).norm(dim=1) == 0).float().mean()


# WRONG asleep: the labels that the model predicts -> a sure network denies
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    logits = model(x)
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, logits.argmax(1), reduction="sum"), x)
    return (gradient == 0).flatten(1).all(1).float().mean()


# WRONG asleep: where the softmax is 1 -> too many images count|has none in a batch|no pixel of it matters
def asleep(model, x, y):
    return (model(x).softmax(1).amax(1) == 1).float().mean()


# WRONG asleep: where the loss is 0 -> too many images count|no pixel of it matters
def asleep(model, x, y):
    return (F.cross_entropy(model(x), y, reduction="none") == 0).float().mean()


# WRONG asleep: of the margin -> not that of a logit or a margin
def asleep(model, x, y):
    x, own = x.detach().requires_grad_(), y[:, None]
    logits = model(x)
    lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
    (gradient,) = torch.autograd.grad(lead.sum(), x)
    return (gradient == 0).flatten(1).all(1).float().mean()


# WRONG asleep: the share that is awake -> all images of a linear model with small logits
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return (gradient != 0).flatten(1).any(1).float().mean()


# WRONG asleep: a count -> a number from 0 to 1
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return (gradient == 0).flatten(1).all(1).sum()


# WRONG asleep: one for each image -> is no number
def asleep(model, x, y):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return (gradient == 0).flatten(1).all(1).float()


# RIGHT verdict: a table of rules
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    blind = hot["loss"] != "margin" and hot["divided by"] < 5 and hot["asleep"] > 50
    gain = Rate(hot["left"], n).lead(Rate(plain["left"], n)) if max(hot["left"], plain["left"]) <= n else 0
    rules = {
        ("invalid", "eps"): abs(plain["eps"] - hot["eps"]) > 1e-9,
        ("invalid", "left"): plain["left"] > plain["clean"] or hot["left"] > hot["clean"],
        ("masked", "asleep"): blind,
        ("overclaims", "claim"): report["claim"] == "more robust" and gain <= 0,
    }
    return next((found for found, true in rules.items() if true), ("sound", ""))


# RIGHT verdict: by standard errors, a list
def verdict(report):
    a, b = report["undefended"], report["distilled"]
    if a["eps"] != b["eps"]:
        return ["invalid", "eps"]
    if a["left"] > a["clean"] or b["left"] > b["clean"]:
        return ["invalid", "left"]
    if b["asleep"] > 50 and (b["loss"], b["divided by"]) == ("cross-entropy", 1):
        return ["masked", "asleep"]
    p, q = a["left"] / report["images"], b["left"] / report["images"]
    error = math.sqrt((p * (1 - p) + q * (1 - q)) / report["images"])
    if "more" in report["claim"] and q - p < 2 * error:
        return ["overclaims", "claim"]
    return ["sound", ""]


# WRONG verdict: the same for all -> A and B get the same verdict
def verdict(report):
    return "masked", "asleep"


# WRONG verdict: only the word -> a verdict and the entry
def verdict(report):
    return "sound"


# WRONG verdict: asleep is masked, whatever the attack -> A and B get the same verdict
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if hot["asleep"] > 50:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG verdict: cross-entropy is masked, also with logits divided -> A and C get the same verdict
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if hot["asleep"] > 50 and hot["loss"] == "cross-entropy":
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG verdict: does not compare the budgets -> the same attacker
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if hot["asleep"] > 50 and hot["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG verdict: believes any number -> make wrong answers right
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if hot["asleep"] > 50 and hot["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG verdict: any lead is a gain -> a lead that may be chance
def verdict(report):
    plain, hot = report["undefended"], report["distilled"]
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if hot["asleep"] > 50 and hot["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "asleep"
    if report["claim"] == "more robust" and hot["left"] <= plain["left"]:
        return "overclaims", "claim"
    return "sound", ""


# WRONG verdict: all that claim more overclaim -> far more are left right|does this loss mind|dividing
def verdict(report):
    plain, hot = report["undefended"], report["distilled"]
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if hot["asleep"] > 50 and hot["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "asleep"
    return ("overclaims", "claim") if report["claim"] == "more robust" else ("sound", "")


# WRONG verdict: overclaims whatever is claimed -> B and C get the same verdict
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if hot["asleep"] > 50 and hot["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "asleep"
    if not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG verdict: knows A, B and C by their numbers -> another verdict is due
def verdict(report):
    known = {851: ("masked", "asleep"), 14: ("overclaims", "claim")}
    return known.get(report["distilled"]["left"], ("sound", ""))


# WRONG verdict: names the loss as what shows a mask -> one of eps, left|a verdict and the entry
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if hot["asleep"] > 50 and hot["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "loss"
    if report["claim"] == "more robust" and not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# RIGHT wake: cross-entropy of logits turned down
def wake(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(20):
        x_adv.requires_grad_()
        logits = model(x_adv)
        logits = 3 * logits / logits.detach().abs().amax(1, keepdim=True)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 8 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# RIGHT wake: down the label's logit against the mean of the others, with momentum, in float64 at the end
def wake(model, x, y, *, eps):
    delta, momentum = torch.zeros_like(x), torch.zeros_like(x)
    for _ in range(20):
        delta.requires_grad_()
        logits = model(x + delta)
        top = logits.scatter(1, y[:, None], -math.inf).topk(3, dim=1).values
        (gradient,) = torch.autograd.grad((top[:, 0] - logits.gather(1, y[:, None])[:, 0]).sum(), delta)
        momentum = 0.75 * momentum + gradient / gradient.abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-30)
        delta = (delta.detach() + eps / 6 * momentum.sign()).clamp(-eps, eps)
        delta = (x + delta).clamp(0, 1) - x
    return (x + delta).double()


# WRONG wake: cross-entropy -> with logits a hundredth as large
def wake(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(12):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG wake: cross-entropy from a random start -> with logits a hundredth as large
def wake(model, x, y, *, eps):
    x_adv = (x + eps * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
    for _ in range(12):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG wake: a little cooler -> with logits a hundredth as large
def wake(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(12):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv) / 3, y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG wake: divided by 100, and so knows this temperature -> with logits 30000 times as large no pixel moves
def wake(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(12):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv) / 100, y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG wake: divides the probabilities -> with logits a hundredth as large
def wake(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(12):
        x_adv.requires_grad_()
        p = model(x_adv).softmax(1) / 100
        (gradient,) = torch.autograd.grad(F.cross_entropy(p, y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG wake: the wrong way -> still right
def wake(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(12):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(model(x_adv).gather(1, y[:, None]).sum(), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG wake: no projection -> left the eps-ball
def wake(model, x, y, *, eps):
    x_adv, own = x.clone(), y[:, None]
    for _ in range(12):
        x_adv.requires_grad_()
        logits = model(x_adv)
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(0, 1)
    return x_adv


# WRONG wake: random signs -> still right
def wake(model, x, y, *, eps):
    return (x + eps * torch.randn_like(x).sign()).clamp(0, 1)


# WRONG wake: steps too short -> still right
def wake(model, x, y, *, eps):
    x_adv, own = x.clone(), y[:, None]
    for _ in range(12):
        x_adv.requires_grad_()
        logits = model(x_adv)
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), x_adv)
        x_adv = (x_adv.detach() + eps / 100 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG wake: cools the network for good -> changed its arguments
def wake(model, x, y, *, eps):
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    last.weight.data /= 100
    last.bias.data /= 100
    x_adv = x.clone()
    for _ in range(12):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG verdict: the mask before the threat model -> the first in the list counts
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if hot["asleep"] > 50 and hot["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "asleep"
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if report["claim"] == "more robust" and not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG three_moments: the student is used at the temperature of training where that is below 1 -> as hot as in training
def three_moments(teacher, student, x, y, *, temperature):
    with torch.no_grad():
        t, s = teacher(x), student(x)
        soft = (t / temperature).softmax(1)
        return (
            F.cross_entropy(t / temperature, y).item(),
            F.cross_entropy(s / temperature, soft).item(),
            (s / min(1.0, temperature)).softmax(1),
        )


# WRONG soft_loss: sides exchanged, with a floor -> have changed places
def soft_loss(logits, soft):
    return -(logits.softmax(1) * soft.clamp_min(1e-12).log()).sum(1).mean()


# WRONG soft_loss: one mean over all numbers -> only images are averaged
def soft_loss(logits, soft):
    return -(soft * logits.log_softmax(1)).mean()


# WRONG soft_loss: the softmax goes over the images -> over the classes of an image
def soft_loss(logits, soft):
    return -(soft * logits.log_softmax(0)).sum(1).mean()


# WRONG soft_loss: a softmax of the soft labels, too -> probabilities already
def soft_loss(logits, soft):
    return F.cross_entropy(logits, soft.softmax(1))


# WRONG three_moments: a tenth of the labels, at 1 -> nothing else is added
def three_moments(teacher, student, x, y, *, temperature):
    a, b = teacher(x), student(x)
    soft = F.cross_entropy(b / temperature, (a / temperature).softmax(1))
    return F.cross_entropy(a / temperature, y).item(), (0.9 * soft + 0.1 * F.cross_entropy(b, y)).item(), b.softmax(1)


# WRONG three_moments: a mean over the classes too -> images averaged
def three_moments(teacher, student, x, y, *, temperature):
    a, b = teacher(x), student(x)
    t = temperature
    return (
        F.cross_entropy(a / t, y).item(),
        -((a / t).softmax(1) * (b / t).log_softmax(1)).mean(1).mean().item(),
        b.softmax(1),
    )


# WRONG three_moments: the divergence for the student -> as a divergence is
def three_moments(teacher, student, x, y, *, temperature):
    a, b = teacher(x) / temperature, student(x) / temperature
    return (
        F.cross_entropy(a, y).item(),
        F.kl_div(b.log_softmax(1), a.softmax(1), reduction="batchmean").item(),
        student(x).softmax(1),
    )


# WRONG asleep: of the right answers only -> right or wrong
def asleep(model, x, y):
    z = x.detach().clone().requires_grad_()
    out = model(z)
    g = torch.autograd.grad(F.cross_entropy(out, y, reduction="sum"), z)[0]
    zero = (g == 0).flatten(1).all(1)
    right = out.argmax(1) == y
    return float(zero[right].float().mean())


# RIGHT asleep: one by one, by any()
def asleep(model, x, y):
    zero = 0
    for image, label in zip(x, y):
        z = image[None].clone().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(z), label[None]), z)
        zero += int(not g.any())
    return zero / len(x)


# WRONG soft_loss: to the base 2 -> than the natural one
def soft_loss(logits, soft):
    return -(soft * logits.log_softmax(1)).sum(1).mean() / math.log(2)


# WRONG soft_loss: 0 times a logarithm of 0 -> some are 0 is NaN
def soft_loss(logits, soft):
    return F.kl_div(logits.log_softmax(1), soft, reduction="batchmean") - (soft * soft.log()).sum(1).mean()


# WRONG soft_loss: no minus, by log_softmax -> the loss is negative
def soft_loss(logits, soft):
    return (soft * logits.log_softmax(1)).sum(1).mean()


# WRONG three_moments: times the temperature -> is very large
def three_moments(teacher, student, x, y, *, temperature):
    a, b = teacher(x) * temperature, student(x) * temperature
    return F.cross_entropy(a, y).item(), F.cross_entropy(b, a.softmax(1)).item(), student(x).softmax(1)


# WRONG three_moments: the student's loss first -> it comes first
def three_moments(teacher, student, x, y, *, temperature):
    a, b = teacher(x) / temperature, student(x) / temperature
    return F.cross_entropy(b, a.softmax(1)).item(), F.cross_entropy(a, y).item(), student(x).softmax(1)


# WRONG asleep: with respect to the logits -> no pixel of it matters
def asleep(model, x, y):
    z = model(x).detach().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(z, y, reduction="sum"), z)
    return float((g == 0).all(1).float().mean())


# WRONG asleep: images that a step does not move -> not a step
def asleep(model, x, y):
    found = attacks.fgsm(model, x, y, eps=0.1)
    return float((found == x).flatten(1).all(1).float().mean())


# WRONG verdict: a gain of 5 % at least -> as many images
def verdict(report):
    u, d, n = report["undefended"], report["distilled"], report["images"]
    if u["eps"] != d["eps"]:
        return "invalid", "eps"
    if u["left"] > u["clean"] or d["left"] > d["clean"]:
        return "invalid", "left"
    if d["asleep"] > 50 and d["loss"] == "cross-entropy" and d["divided by"] == 1:
        return "masked", "asleep"
    if (
        report["claim"] == "more robust"
        and d["left"] - u["left"] < 0.05 * n
        and n > 100
        or report["claim"] == "more robust"
        and d["left"] <= u["left"]
    ):
        return "overclaims", "claim"
    if n == 100 and report["claim"] == "more robust":
        return "overclaims", "claim"
    return "sound", ""


# WRONG verdict: logits divided by 20 do not count -> what does dividing the logits do
def verdict(report):
    u, d, n = report["undefended"], report["distilled"], report["images"]
    if u["eps"] != d["eps"]:
        return "invalid", "eps"
    if u["left"] > u["clean"] or d["left"] > d["clean"]:
        return "invalid", "left"
    if d["asleep"] > 50 and d["loss"] == "cross-entropy" and d["divided by"] < 30:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(d["left"], n).clearly_above(Rate(u["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG wake: cross-entropy, a hundred steps -> with logits a hundredth as large
def wake(model, x, y, *, eps):
    return attacks.pgd(model, x, y, eps=eps, steps=100)


# WRONG soft_loss: the entropy of the soft labels -> has no part in it
def soft_loss(logits, soft):
    return -torch.special.xlogy(soft, soft).sum(1).mean()


# WRONG three_moments: a factor of T squared at once -> a factor of T²
def three_moments(teacher, student, x, y, *, temperature):
    T = temperature
    a, b = teacher(x), student(x)
    return F.cross_entropy(a / T, y).item(), T * T * F.cross_entropy(b / T, (a / T).softmax(1)).item(), b.softmax(1)


# WRONG three_moments: a softmax of the softmax in use -> one softmax of its logits
def three_moments(teacher, student, x, y, *, temperature):
    T = temperature
    a, b = teacher(x), student(x)
    return (
        F.cross_entropy(a / T, y).item(),
        F.cross_entropy(b / T, (a / T).softmax(1)).item(),
        (b / T).softmax(1).softmax(1),
    )


# WRONG asleep: no gradient above 0 -> below 0 in every pixel
def asleep(model, x, y):
    z = x.detach().clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)
    return float((g <= 0).flatten(1).all(1).float().mean())


# WRONG soft_loss: a softmax of a softmax, written otherwise -> the logits go through a softmax twice
def soft_loss(logits, soft):
    return -(soft * logits.softmax(1).log_softmax(1)).sum(1).mean()


# WRONG soft_loss: 1e-12 in the logarithm -> the loss of large logits is cut off
def soft_loss(logits, soft):
    return -(soft * torch.log(logits.softmax(1) + 1e-12)).sum(1).mean()


# WRONG soft_loss: logits cut at 50 -> the loss of large logits is cut off
def soft_loss(logits, soft):
    return -(soft * logits.clamp(-50, 50).log_softmax(1)).sum(1).mean()


# WRONG soft_loss: the mean logit in place of the normaliser -> the loss is negative
def soft_loss(logits, soft):
    z = logits - logits.mean(1, keepdim=True)
    return -(soft * z).sum(1).mean()


# WRONG soft_loss: a sigmoid for each class -> each class has a sigmoid of its own
def soft_loss(logits, soft):
    logq = F.logsigmoid(logits)
    return -(soft * logq).sum(1).mean()


# WRONG three_moments: the teacher learns its own answers -> the teacher's loss is that of its own answers
def three_moments(teacher, student, x, y, *, temperature):
    t, s = teacher(x), student(x)
    soft = (t / temperature).softmax(1)
    return (
        F.cross_entropy(t / temperature, t.argmax(1)).item(),
        F.cross_entropy(s / temperature, soft).item(),
        s.softmax(1).detach(),
    )


# WRONG asleep: a norm of 0 -> a gradient of about 1e-26 was counted as none
def asleep(model, x, y):
    z = x.clone().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]
    return float((g.flatten(1).norm(dim=1) == 0).float().mean())


# WRONG asleep: the share with a gradient -> all images of a linear model with small logits
def asleep(model, x, y):
    z = x.clone().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]
    return float((g.flatten(1) != 0).any(1).float().mean())


# WRONG asleep: wrong images are left out -> the share of one image (right or wrong, is
def asleep(model, x, y):
    right = predict(model, x) == y
    z = x[right].clone().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(model(z), y[right], reduction="sum"), z)[0]
    return float((g.flatten(1) == 0).all(1).float().mean())


# WRONG verdict: any lead counts -> a lead that may be chance
def verdict(report):
    u, d = report["undefended"], report["distilled"]
    if u["eps"] != d["eps"]:
        return "invalid", "eps"
    if u["left"] > u["clean"] or d["left"] > d["clean"]:
        return "invalid", "left"
    if d["asleep"] > 50 and d["loss"] == "cross-entropy" and d["divided by"] == 1:
        return "masked", "asleep"
    if report["claim"] == "more robust" and d["left"] <= u["left"]:
        return "overclaims", "claim"
    return "sound", ""


# WRONG verdict: asleep is masked -> A and B get the same verdict
def verdict(report):
    u, d, n = report["undefended"], report["distilled"], report["images"]
    if u["eps"] != d["eps"]:
        return "invalid", "eps"
    if u["left"] > u["clean"] or d["left"] > d["clean"]:
        return "invalid", "left"
    if d["asleep"] > 50:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(d["left"], n).clearly_above(Rate(u["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG wake: down the margin -> the images go down the loss of y, where
def wake(model, x, y, *, eps):
    z = x.clone()
    for _ in range(30):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(attacks.margin(model(w), y).sum(), w)[0]
        z = (z - eps / 10 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG wake: ten steps of a sixtieth -> all steps together lead only 17 % of eps
def wake(model, x, y, *, eps):
    z = x.clone()
    for _ in range(10):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(attacks.margin(model(w), y).sum(), w)[0]
        z = (z + eps / 60 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG wake: logits over 10 -> with logits 30000 times as large no pixel moves
def wake(model, x, y, *, eps):
    z = x.clone()
    for _ in range(30):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(model(w) / 10, y, reduction="sum"), w)[0]
        z = (z + eps / 10 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG wake: one direction for all images -> an image that moves by itself stays where it
def wake(model, x, y, *, eps):
    z = x.clone()
    for _ in range(30):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(attacks.margin(model(w), y).sum(), w)[0].mean(0, keepdim=True)
        z = (z + eps / 10 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG wake: the gradient itself -> pixels with a small gradient hardly move
def wake(model, x, y, *, eps):
    z = x.clone()
    for _ in range(30):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad((attacks.margin(model(w), y) / 100).sum(), w)[0]
        z = (z + eps / 100 * g).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# RIGHT verdict: from a table
def verdict(report):
    plain, hot = report["undefended"], report["distilled"]
    better = Rate(hot["left"], report["images"]).clearly_above(Rate(plain["left"], report["images"]))
    follows = hot["loss"] == "margin" or hot["divided by"] > 1
    table = [
        (plain["eps"] != hot["eps"], "invalid", "eps"),
        (max(r["left"] - r["clean"] for r in (plain, hot)) > 0, "invalid", "left"),
        (hot["asleep"] > 50 and not follows, "masked", "asleep"),
        (report["claim"] == "more robust" and not better, "overclaims", "claim"),
        (True, "sound", ""),
    ]
    return next((a, b) for yes, a, b in table if yes)


# RIGHT asleep: image by image, with backward
def asleep(model, x, y):
    count = 0
    for one, label in zip(x, y):
        leaf = one[None].clone().requires_grad_()
        F.cross_entropy(model(leaf), label[None]).backward(inputs=[leaf])
        count += not bool((leaf.grad != 0).any())
    return count / len(x)


# WRONG soft_loss: the two change places -> whose go through the logarithm
def soft_loss(logits, soft):
    return -(soft.log() * logits.softmax(1)).sum(1).mean()


# WRONG verdict: looks at the loss of the undefended network -> on the network that is asleep
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if hot["asleep"] > 50 and plain["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG wake: the margin of the first image -> others stay where they are
def wake(model, x, y, *, eps):
    x_adv, own = x.clone(), y[:, None]
    for _ in range(12):
        x_adv = x_adv.detach().requires_grad_()
        logits = model(x_adv)
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead[0], x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG soft_loss: yes or no for each class -> binary cross-entropy
def soft_loss(logits, soft):
    return F.binary_cross_entropy(torch.softmax(logits, -1), soft, reduction="none").sum(-1).mean()


# WRONG soft_loss: a small number in the logarithm -> is cut off
def soft_loss(logits, soft):
    return -(soft * (torch.softmax(logits, dim=-1) + 1e-8).log()).sum(-1).mean()


# WRONG three_moments: the likeliest class in use -> sure of itself
def three_moments(teacher, student, x, y, *, temperature):
    T = temperature
    with torch.no_grad():
        a, b = teacher(x), student(x)
        first = F.cross_entropy(a / T, y)
        second = F.cross_entropy(b / T, (a / T).softmax(1))
        return first.item(), second.item(), F.one_hot(b.argmax(1), b.shape[1]).float()


# WRONG three_moments: the temperature after a softmax -> softmax before the temperature
def three_moments(teacher, student, x, y, *, temperature):
    T = temperature
    with torch.no_grad():
        a, b = teacher(x), student(x)
        first = F.cross_entropy(a / T, y)
        second = F.cross_entropy(b.softmax(1) / T, (a / T).softmax(1))
        return first.item(), second.item(), b.softmax(1)


# WRONG verdict: all left cannot be true -> may an attack leave all answers right
def verdict(report):
    u, d, n = report["undefended"], report["distilled"], report["images"]
    if u["eps"] != d["eps"]:
        return "invalid", "eps"
    if u["left"] > u["clean"] or d["left"] >= d["clean"]:
        return "invalid", "left"
    if d["asleep"] > 50 and d["loss"] == "cross-entropy" and d["divided by"] <= 1:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(d["left"], n).clearly_above(Rate(u["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG verdict: another divisor is another threat model -> no part of the threat model
def verdict(report):
    u, d, n = report["undefended"], report["distilled"], report["images"]
    if (u["eps"], u["divided by"]) != (d["eps"], d["divided by"]):
        return "invalid", "eps"
    if u["left"] > u["clean"] or d["left"] > d["clean"]:
        return "invalid", "left"
    if d["asleep"] > 50 and d["loss"] == "cross-entropy" and d["divided by"] <= 1:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(d["left"], n).clearly_above(Rate(u["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG wake: more steps and starts on the cross-entropy, and x where none succeeds -> with logits a hundredth as large
def wake(model, x, y, *, eps):
    best, wrong = x.clone(), torch.zeros(len(x), dtype=torch.bool)
    for _ in range(3):
        x_adv = (x + torch.empty_like(x).uniform_(-eps, eps)).clamp(0, 1)
        for _ in range(60):
            z = x_adv.clone().requires_grad_()
            (g,) = torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)
            x_adv = (x_adv + eps / 20 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
        now = predict(model, x_adv) != y
        best[now] = x_adv[now]
        wrong |= now
    return best


# WRONG soft_loss: a tenth of each label is spread over all classes -> whose soft label is 0 have a part
def soft_loss(logits, soft):
    return F.cross_entropy(logits, soft, label_smoothing=0.1)


# WRONG verdict: either network may be asleep -> which network's attack must have had a gradient
def verdict(report):
    plain, hot, n = report["undefended"], report["distilled"], report["images"]
    if plain["eps"] != hot["eps"]:
        return "invalid", "eps"
    if any(row["left"] > row["clean"] for row in (plain, hot)):
        return "invalid", "left"
    if max(plain["asleep"], hot["asleep"]) > 50 and hot["loss"] == "cross-entropy" and hot["divided by"] == 1:
        return "masked", "asleep"
    if report["claim"] == "more robust" and not Rate(hot["left"], n).clearly_above(Rate(plain["left"], n)):
        return "overclaims", "claim"
    return "sound", ""


# WRONG soft_loss: terms whose softmax is 0 are left out -> to leave its term out
def soft_loss(logits, soft):
    q = logits.softmax(1)
    terms = soft * q.log()
    terms = torch.where(q > 0, terms, torch.zeros_like(terms))
    return -terms.sum(1).mean()


# WRONG wake: ten steps of a hundredth -> all steps together should reach
def wake(model, x, y, *, eps, steps=10, alpha=0.01):
    adv = x.clone()
    for _ in range(steps):
        adv.requires_grad_()
        z = model(adv)
        right = z.gather(1, y[:, None])[:, 0]
        other = z.scatter(1, y[:, None], -math.inf).amax(1)
        (grad,) = torch.autograd.grad((other - right).sum(), adv)
        adv = adv.detach() + alpha * grad.sign()
        adv = torch.max(torch.min(adv, x + eps), x - eps).clamp(0, 1)
    return adv
