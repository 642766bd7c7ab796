"""Other answers to lab 01, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT fgsm: the gradient from backward(), the clamp as minimum and maximum
def fgsm(model, x, y, *, eps):
    images = x.clone().detach()
    images.requires_grad = True
    F.nll_loss(F.log_softmax(model(images), dim=1), y).backward()
    model.zero_grad()
    step = torch.sign(images.grad) * eps
    return torch.minimum(torch.maximum(images.detach() + step, torch.tensor(0.0)), torch.tensor(1.0))


# RIGHT fgsm: in float64 and back to a list
def fgsm(model, x, y, *, eps):
    answer = []
    for image, label in zip(x, y):
        image = image[None].detach().clone().requires_grad_(True)
        loss = -torch.log_softmax(model(image), 1)[0, label]
        loss.backward()
        moved = image.detach().double() + eps * torch.sign(image.grad).double()
        answer.append(moved[0].clamp(0, 1).tolist())
    for p in model.parameters():
        p.grad = None
    return answer


# RIGHT fgsm: a helper of its own, NumPy, and prints
def gradient_of(model, x, y):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(model(x), y), x)[0]


def fgsm(model, x, y, *, eps):
    print("working on", len(x), "images")
    return np.clip(x.numpy() + eps * np.sign(gradient_of(model, x, y).numpy()), 0, 1)


import numpy as np


# WRONG fgsm: no clamp to [0, 1] -> left [0, 1]
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return x + eps * gradient.sign()


# WRONG fgsm: the clamp before the step -> left [0, 1]
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return x.clamp(0, 1) + eps * gradient.sign()


# WRONG fgsm: the gradient itself instead of its sign -> no pixel moves by eps
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return (x + eps * gradient.clamp(-1, 1)).clamp(0, 1)


# WRONG fgsm: the gradient shortened to length 1 -> no pixel moves by eps
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    gradient = gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return (x + eps * gradient).clamp(0, 1)


# WRONG fgsm: down the gradient -> the loss of the label fell
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return (x - eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm: the prediction instead of the label -> not of the prediction
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    logits = model(x)
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, logits.argmax(1)), x)
    return (x + eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm: two steps of eps -> left the eps-ball
def fgsm(model, x, y, *, eps):
    for _ in range(2):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
        x = (x + eps * gradient.sign()).clamp(0, 1)
    return x


# WRONG fgsm: changes x in place -> changed its arguments
def fgsm(model, x, y, *, eps):
    copy = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(copy), y), copy)
    x += eps * gradient.sign()
    return x.clamp_(0, 1)


# WRONG fgsm: leaves the model in training mode -> changed its arguments
def fgsm(model, x, y, *, eps):
    model.train()
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return (x + eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm: random signs -> the loss of the label fell|every pixel should move by eps
def fgsm(model, x, y, *, eps):
    return (x + eps * torch.randn_like(x).sign()).clamp(0, 1)


# WRONG fgsm: the batch's common gradient -> pixels move by another amount|depends on the others
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return (x + eps * gradient.mean(0, keepdim=True).sign()).clamp(0, 1)


# WRONG fgsm: gradients below a threshold count as zero -> faint|another amount
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    gradient = torch.where(gradient.abs() < 1e-5, 0, gradient)
    return (x + eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm: the images as they are, as an array -> unmoved
def fgsm(model, x, y, *, eps):
    return x.detach().numpy()


# WRONG fgsm: returns the change -> this is a change of up to eps, and
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return eps * gradient.sign()


# WRONG fgsm: no return -> is None
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    x_adv = (x + eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm: softmax twice -> pixels move by another amount|faint|whose gradient is small
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy((10 * model(x)).softmax(1), y, reduction="sum"), x)
    return (x + eps * gradient.sign()).clamp(0, 1)


# RIGHT fgsm_targeted: up the log-probability
def fgsm_targeted(model, x, target, *, eps):
    x = x.clone().requires_grad_()
    gain = model(x).log_softmax(1).gather(1, target[:, None]).sum()
    (gradient,) = torch.autograd.grad(gain, x)
    return torch.clamp(x + eps * gradient.sign(), 0.0, 1.0)


# RIGHT fgsm_targeted: with backward, on the student's own copy
def fgsm_targeted(model, x, target, *, eps):
    x = torch.tensor(x.tolist(), requires_grad=True)
    (-F.cross_entropy(model(x), target)).backward()
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        return (x + eps * torch.sign(x.grad)).clip(0, 1)


# WRONG fgsm_targeted: up the loss of the target -> less likely
def fgsm_targeted(model, x, target, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), target), x)
    return (x + eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm_targeted: two minus signs -> less likely
def fgsm_targeted(model, x, target, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(-F.cross_entropy(model(x), target), x)
    return (x - eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm_targeted: away from the prediction instead of towards the target -> target
def fgsm_targeted(model, x, target, *, eps):
    x = x.detach().requires_grad_()
    logits = model(x)
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, logits.argmax(1)), x)
    return (x + eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm_targeted: no clamp -> left [0, 1]
def fgsm_targeted(model, x, target, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), target), x)
    return x - eps * gradient.sign()


# WRONG fgsm_targeted: the gradient without its sign -> towards the target|another amount than eps
def fgsm_targeted(model, x, target, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), target, reduction="sum"), x)
    return (x - eps * gradient.clamp(-1, 1)).clamp(0, 1)


# WRONG fgsm_targeted: half a step -> towards the target|another amount than eps
def fgsm_targeted(model, x, target, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), target), x)
    return (x - eps / 2 * gradient.sign()).clamp(0, 1)


# WRONG fgsm_targeted: the logit alone -> towards the target
def fgsm_targeted(model, x, target, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).gather(1, target[:, None]).sum(), x)
    return (x + eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm_targeted: two steps that leave the ball -> left the eps-ball
def fgsm_targeted(model, x, target, *, eps):
    for _ in range(2):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), target), x)
        x = (x - eps * gradient.sign()).clamp(0, 1)
    return x


# RIGHT smallest_eps: from the largest budget down
def smallest_eps(model, attack, x, y, grid):
    answer = [math.inf] * len(x)
    for eps in sorted(grid, reverse=True):
        fell = (model(attack(model, x, y, eps=eps)).argmax(1) != y).tolist()
        answer = [eps if f else a for f, a in zip(fell, answer)]
    wrong = (model(x).argmax(1) != y).tolist()
    return [0.0 if w else a for w, a in zip(wrong, answer)]


# RIGHT smallest_eps: a table of all, and argmax
def smallest_eps(model, attack, x, y, grid):
    with torch.no_grad():
        rows = [model(x).argmax(-1) != y] + [model(attack(model, x, y, eps=e)).argmax(-1) != y for e in grid]
    table = torch.stack(rows + [torch.ones_like(y, dtype=torch.bool)])
    budgets = torch.tensor([0.0, *grid, math.inf], dtype=torch.float64)
    return budgets[table.int().argmax(0)]


# WRONG smallest_eps: the last budget at which it falls -> the largest budgets at which images fall
def smallest_eps(model, attack, x, y, grid):
    smallest = torch.full((len(x),), math.inf)
    for eps in grid:
        smallest[model(attack(model, x, y, eps=eps)).argmax(1) != y] = eps
    smallest[model(x).argmax(1) != y] = 0
    return smallest


# WRONG smallest_eps: counts the budgets that it withstands, as if it never stood up again -> whatever comes later
def smallest_eps(model, attack, x, y, grid):
    stands = torch.stack([model(attack(model, x, y, eps=e)).argmax(1) == y for e in grid])
    budgets = torch.tensor([*grid, math.inf])
    smallest = budgets[stands.sum(0)]
    smallest[model(x).argmax(1) != y] = 0
    return smallest


# WRONG smallest_eps: halves the grid, as if it never stood up again -> whatever comes later
def smallest_eps(model, attack, x, y, grid):
    answer = []
    for image, label in zip(x.split(1), y.split(1)):
        low, high = 0, len(grid)
        while low < high:
            middle = (low + high) // 2
            if (model(attack(model, image, label, eps=grid[middle])).argmax(1) != label).item():
                high = middle
            else:
                low = middle + 1
        wrong = (model(image).argmax(1) != label).item()
        answer.append(0.0 if wrong else (grid[low] if low < len(grid) else math.inf))
    return torch.tensor(answer)


# WRONG smallest_eps: an image that is wrong as it is gets the first budget -> needs none
def smallest_eps(model, attack, x, y, grid):
    smallest = torch.full((len(x),), math.inf)
    for eps in grid:
        wrong = model(attack(model, x, y, eps=eps)).argmax(1) != y
        smallest[wrong & smallest.isinf()] = eps
    return smallest


# WRONG smallest_eps: the largest budget for those that withstand all -> another budget|inf is asked
def smallest_eps(model, attack, x, y, grid):
    smallest = torch.full((len(x),), grid[-1])
    for eps in reversed(grid):
        smallest[model(attack(model, x, y, eps=eps)).argmax(1) != y] = eps
    smallest[model(x).argmax(1) != y] = 0
    return smallest


# WRONG smallest_eps: a changed prediction counts, whatever the label -> needs none
def smallest_eps(model, attack, x, y, grid):
    before = model(x).argmax(1)
    smallest = torch.full((len(x),), math.inf)
    for eps in reversed(grid):
        smallest[model(attack(model, x, before, eps=eps)).argmax(1) != before] = eps
    return smallest


# WRONG smallest_eps: one number for all -> another shape
def smallest_eps(model, attack, x, y, grid):
    for eps in grid:
        if (model(attack(model, x, y, eps=eps)).argmax(1) != y).any():
            return torch.tensor(eps)


# WRONG smallest_eps: attacks the attacked images again -> another budget|not what the last attack returned
def smallest_eps(model, attack, x, y, grid):
    smallest = torch.full((len(x),), math.inf)
    smallest[model(x).argmax(1) != y] = 0
    for eps in grid:
        x = attack(model, x, y, eps=eps)
        wrong = model(x).argmax(1) != y
        smallest[wrong & smallest.isinf()] = eps
    return smallest


# RIGHT reports: written one by one
reports = dict(A="noise", B="scale")
reports["C"] = "few"
reports.update({"D": "sound", "E": "outside"})

# RIGHT reports: from a list
reports = dict(zip("ABCDE", ["noise", "scale", "few", "sound", "outside"]))

# WRONG reports: A is sound -> report A
reports = {"A": "sound", "B": "scale", "C": "few", "D": "sound", "E": "outside"}

# WRONG reports: B is sound -> report B
reports = {"A": "noise", "B": "sound", "C": "few", "D": "sound", "E": "outside"}

# WRONG reports: C is sound -> report C
reports = {"A": "noise", "B": "scale", "C": "sound", "D": "sound", "E": "outside"}

# WRONG reports: D has few -> report D
reports = {"A": "noise", "B": "scale", "C": "few", "D": "few", "E": "outside"}

# WRONG reports: E has the wrong scale -> report E
reports = {"A": "noise", "B": "scale", "C": "few", "D": "sound", "E": "scale"}

# WRONG reports: one is missing -> each of A to E
reports = {"A": "noise", "B": "scale", "C": "few", "D": "sound"}


# RIGHT stronger: a random start and the margin
def stronger(model, x, y, *, eps):
    x_adv = (x + torch.empty_like(x).uniform_(-eps, eps)).clamp(0, 1)
    for _ in range(20):
        x_adv = x_adv.detach().requires_grad_()
        logits = model(x_adv)
        own = logits.gather(1, y[:, None])[:, 0]
        best = logits.scatter(1, y[:, None], -1e9).max(1).values
        (gradient,) = torch.autograd.grad((best - own).sum(), x_adv)
        x_adv = torch.min(torch.max(x_adv + eps / 8 * gradient.sign(), x - eps), x + eps).clamp(0, 1)
    return x_adv.detach()


# RIGHT stronger: five steps, the change kept apart
def stronger(model, x, y, *, eps):
    delta = torch.zeros_like(x)
    for _ in range(5):
        delta.requires_grad_(True)
        loss = F.cross_entropy(model(x + delta), y)
        g = torch.autograd.grad(loss, delta)[0]
        delta = (delta.detach() + 0.4 * eps * g.sign()).clamp(-eps, eps)
        delta = (x + delta).clamp(0, 1) - x
    return x + delta


# WRONG stronger: one step -> where the loss falls again after a part of
def stronger(model, x, y, *, eps):
    return fgsm(model, x, y, eps=eps)


# WRONG stronger: steps that together do not cross the ball -> all steps together lead only 25 % of eps
def stronger(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y), x_adv)
        x_adv = (x_adv.detach() + eps / 40 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG stronger: the gradient is looked at once -> where the loss falls again after a part of
def stronger(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    x_adv = x.detach()
    for _ in range(10):
        x_adv = (x_adv + eps / 10 * gradient.sign()).clamp(0, 1)
    return x_adv


# WRONG stronger: no projection -> left the eps-ball
def stronger(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(0, 1)
    return x_adv


# WRONG stronger: projects before the last step -> left the eps-ball
def stronger(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv = x_adv.clamp(x - eps, x + eps).requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(0, 1)
    return x_adv


# WRONG stronger: the ball around the last image, which wanders off -> left the eps-ball
def stronger(model, x, y, *, eps):
    for _ in range(10):
        start = x.detach()
        x = start.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
        x = (x.detach() + eps / 4 * gradient.sign()).clamp(start - eps, start + eps).clamp(0, 1)
    return x


# WRONG stronger: many random tries, the last one kept -> on a network that is linear, pixels move against
def stronger(model, x, y, *, eps):
    for _ in range(50):
        x_adv = (x + eps * torch.randn_like(x).sign()).clamp(0, 1)
    return x_adv


# WRONG stronger: a budget of its own -> left the eps-ball
def stronger(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y), x_adv)
        x_adv = (x_adv.detach() + 0.05 * gradient.sign()).clamp(x - 0.2, x + 0.2).clamp(0, 1)
    return x_adv


# WRONG fgsm: clamps to the range of the batch -> not to the range of the batch
def fgsm(model, x, y, *, eps):
    x_in = x.clone().detach().requires_grad_(True)
    loss = F.cross_entropy(model(x_in), y)
    (g,) = torch.autograd.grad(loss, x_in)
    return (x + eps * g.sign()).clamp(float(x.min()), float(x.max())).detach()


# WRONG fgsm: no pixel goes down -> no pixel became darker
def fgsm(model, x, y, *, eps):
    x_in = x.detach().clone().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(model(x_in), y), x_in)[0]
    return x + (eps * g.sign()).clamp(0, 1) * (x + eps <= 1)


# WRONG fgsm: images that are wrong already stay -> every image takes the step
def fgsm(model, x, y, *, eps):
    x_in = x.detach().clone().requires_grad_()
    logits = model(x_in)
    g = torch.autograd.grad(F.cross_entropy(logits, y), x_in)[0]
    right = (logits.argmax(1) == y).float().view(-1, *[1] * (x.dim() - 1))
    return (x + eps * right * g.sign()).clamp(0, 1)


# WRONG fgsm: small gradients are none -> whose gradient is small|depends on the others
def fgsm(model, x, y, *, eps):
    x_in = x.detach().clone().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(model(x_in), y), x_in)[0]
    step = torch.where(g.abs() < 1e-5, torch.zeros_like(g), g.sign())
    return (x + eps * step).clamp(0, 1)


# WRONG fgsm: down the label's own logit -> which all logits have a part in
def fgsm(model, x, y, *, eps):
    x_in = x.detach().clone().requires_grad_()
    own = model(x_in).gather(1, y[:, None]).sum()
    g = torch.autograd.grad(-own, x_in)[0]
    return (x + eps * g.sign()).clamp(0, 1)


# WRONG fgsm_targeted: up the target's own logit -> which all logits have a part in
def fgsm_targeted(model, x, target, *, eps):
    x_in = x.detach().clone().requires_grad_()
    g = torch.autograd.grad(model(x_in).gather(1, target[:, None]).sum(), x_in)[0]
    return (x + eps * g.sign()).clamp(0, 1)


# WRONG fgsm_targeted: away from the prediction as well -> nothing besides it|another target, and the same images
def fgsm_targeted(model, x, target, *, eps):
    x_in = x.detach().clone().requires_grad_()
    logits = model(x_in)
    loss = F.cross_entropy(logits, logits.argmax(1)) - F.cross_entropy(logits, target)
    g = torch.autograd.grad(loss, x_in)[0]
    return (x + eps * g.sign()).clamp(0, 1)


# WRONG fgsm_targeted: the first target for all images -> a target of its own
def fgsm_targeted(model, x, target, *, eps):
    x_in = x.detach().clone().requires_grad_()
    loss = -torch.log_softmax(model(x_in), 1)[:, target[0]].mean()
    g = torch.autograd.grad(loss, x_in)[0]
    return (x - eps * g.sign()).clamp(0, 1)


# WRONG fgsm_targeted: images that are the target already stay -> takes for the target already
def fgsm_targeted(model, x, target, *, eps):
    x_in = x.detach().clone().requires_grad_()
    logits = model(x_in)
    g = torch.autograd.grad(F.cross_entropy(logits, target), x_in)[0]
    there = (logits.argmax(1) == target).view(-1, *[1] * (x.dim() - 1))
    return torch.where(there, x, (x - eps * g.sign()).clamp(0, 1))


# WRONG smallest_eps: each attack begins where the last one ended -> not what the last attack returned
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    out[model(x).argmax(1) != y] = 0
    now = x
    for eps in grid:
        now = attack(model, now, y, eps=eps)
        out[(model(now).argmax(1) != y) & out.isinf()] = eps
    return out


# WRONG smallest_eps: how far the image went -> no budget of the grid
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    out[model(x).argmax(1) != y] = 0
    for eps in grid:
        found = attack(model, x, y, eps=eps)
        new = (model(found).argmax(1) != y) & out.isinf()
        out[new] = (found - x).abs().flatten(1).amax(1)[new]
    return out


# WRONG smallest_eps: the last budget is not tried -> the last budget of the grid is never tried
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    out[model(x).argmax(1) != y] = 0
    for i in range(len(grid) - 1):
        out[(model(attack(model, x, y, eps=grid[i])).argmax(1) != y) & out.isinf()] = grid[i]
    return out


# WRONG stronger: follows the notebook's model -> on a network that is linear, pixels move against
def _grad(x, y):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(hardened_once(x), y), x)[0]


hardened_once = model


def stronger(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(20):
        x_adv = x_adv + eps / 8 * _grad(x_adv, y).sign()
        x_adv = x_adv.clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# RIGHT smallest_eps: only those that stand are attacked
def smallest_eps(model, attack, x, y, grid):
    out = [math.inf] * len(x)
    standing = []
    with torch.no_grad():
        for i, (a, b) in enumerate(zip(model(x).argmax(1), y)):
            if a == b:
                standing.append(i)
            else:
                out[i] = 0.0
    for eps in grid:
        if not standing:
            break
        k = torch.tensor(standing)
        hit = model(attack(model, x[k], y[k], eps=eps)).argmax(1) != y[k]
        for i, h in zip(standing, hit):
            if h:
                out[i] = eps
        standing = [i for i, h in zip(standing, hit) if not h]
    return torch.tensor(out)


# RIGHT stronger: with momentum
def stronger(model, x, y, *, eps):
    x_adv, m = x.clone(), torch.zeros_like(x)
    for _ in range(25):
        x_in = x_adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(x_in), y, reduction="sum"), x_in)
        m = 0.5 * m + g / g.flatten(1).abs().mean(1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
        x_adv = torch.min(torch.max(x_adv + eps / 8 * m.sign(), x - eps), x + eps).clamp(0, 1)
    return x_adv


# WRONG fgsm: one sign for each image -> all pixels of an image move the same way
def fgsm(model, x, y, *, eps):
    z = x.detach().clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(z), y), z)
    s = g.flatten(1).mean(1).sign().view(-1, *[1] * (x.dim() - 1))
    return (x + eps * s).clamp(0, 1)


# WRONG fgsm_targeted: images stay where the target is not reached -> whether it reaches the target
def fgsm_targeted(model, x, target, *, eps):
    z = x.detach().clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(z), target), z)
    found = (x - eps * g.sign()).clamp(0, 1)
    hit = (model(found).argmax(1) == target).view(-1, *[1] * (x.dim() - 1))
    return torch.where(hit, found, x)


# WRONG smallest_eps: the largest budget that is withstood -> the budgets that the images withstand
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    last = 0.0
    wrong0 = model(x).argmax(1) != y
    for eps in grid:
        fell = (model(attack(model, x, y, eps=eps)).argmax(1) != y) & out.isinf()
        out[fell] = last
        last = eps
    out[wrong0] = 0
    return out


# WRONG smallest_eps: wrong at first and put right later -> each attack puts it right
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    for eps in grid:
        out[(model(attack(model, x, y, eps=eps)).argmax(1) != y) & out.isinf()] = eps
    out[(model(x).argmax(1) != y) & ~out.isinf()] = 0
    return out


# RIGHT smallest_eps: a table of all budgets
def smallest_eps(model, attack, x, y, grid):
    with torch.no_grad():
        clean = model(x).argmax(1) != y
    table = torch.stack([clean] + [model(attack(model, x, y, eps=e)).argmax(1) != y for e in grid])
    budgets = torch.tensor([0.0, *grid, math.inf])
    ever = torch.cat([table, torch.ones(1, len(x), dtype=torch.bool)])
    return budgets[ever.int().argmax(0)]


# WRONG fgsm: the first label for all -> depends on the others
def fgsm(model, x, y, *, eps):
    z = x.detach().clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(z), y[:1].expand(len(x))), z)
    return (x + eps * g.sign()).clamp(0, 1)


# WRONG fgsm: the gradient at a noisy point -> nothing is random
def fgsm(model, x, y, *, eps):
    z = (x + eps / 2 * torch.randn_like(x)).detach().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(z), y), z)
    return (x + eps * g.sign()).clamp(0, 1)


# WRONG smallest_eps: 0 for the first budget as well -> 0 is for images that are wrong
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    out[model(x).argmax(1) != y] = 0
    for eps in grid:
        out[(model(attack(model, x, y, eps=eps)).argmax(1) != y) & out.isinf()] = eps if eps != grid[0] else 0
    return out


# WRONG smallest_eps: one budget for all -> depends on the others
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    out[model(x).argmax(1) != y] = 0
    for eps in grid:
        if (model(attack(model, x, y, eps=eps)).argmax(1) != y).float().mean() > 0.5:
            out[out.isinf()] = eps
            break
    return out


# WRONG stronger: down the loss of y -> the loss of y fell
def stronger(model, x, y, *, eps):
    now = x.clone()
    for _ in range(20):
        z = now.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad(-F.cross_entropy(model(z), y), z)
        now = (now + eps / 4 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return now


# WRONG stronger: away from what the model says now -> images that are wrong go back towards y
def stronger(model, x, y, *, eps):
    now = x.clone()
    for _ in range(10):
        z = now.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(z), model(z).argmax(1)), z)
        now = (now + eps / 4 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return now


# RIGHT stronger: the margin, from a random start
def stronger(model, x, y, *, eps):
    now = x + eps * (torch.rand_like(x) - 0.5)
    for _ in range(20):
        z = now.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad(attacks.margin(model(z), y).sum(), z)
        now = (now + eps / 6 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return now


# WRONG fgsm: a softmax of huge logits, which has no gradient -> these are the images of x, unmoved
def fgsm(model, x, y, *, eps):
    z = x.detach().clone().requires_grad_()
    loss = F.cross_entropy(F.softmax(1000 * model(z), dim=1), y)
    g = torch.autograd.grad(loss, z)[0]
    return torch.clamp(x + eps * g.sign(), 0, 1)


# WRONG fgsm: small gradients count as none -> an image's result depends on the others in the
def fgsm(model, x, y, *, eps):
    z = x.detach().clone().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(model(z), y), z)[0]
    return (x + eps * torch.where(g.abs() > 1e-3, g.sign(), 0.0)).clamp(0, 1)


# WRONG smallest_eps: ends where a budget brings nothing new -> an image's budget depends on the others in the
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    out[predict(model, x) != y] = 0
    for eps in grid:
        new = (predict(model, attack(model, x, y, eps=eps)) != y) & out.isinf()
        if not new.any():
            break
        out[new] = eps
    return out


# WRONG smallest_eps: a binary search, as if falling were for ever -> an image that fell at a small budget may
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    for i in range(len(x)):
        xi, yi = x[i : i + 1], y[i : i + 1]
        if predict(model, xi) != yi:
            out[i] = 0
            continue
        low, high = 0, len(grid)
        while low < high:
            mid = (low + high) // 2
            if predict(model, attack(model, xi, yi, eps=grid[mid])) != yi:
                high = mid
            else:
                low = mid + 1
        if low < len(grid):
            out[i] = grid[low]
    return out


# WRONG smallest_eps: -1 for those that withstand all -> images that withstand every budget of the grid have
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), -1.0)
    for eps in reversed(grid):
        out[predict(model, attack(model, x, y, eps=eps)) != y] = eps
    out[predict(model, x) != y] = 0
    return out


# WRONG smallest_eps: the last budget is never tried -> the last budget of the grid is never tried
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    for eps in reversed(grid[:-1]):
        out[predict(model, attack(model, x, y, eps=eps)) != y] = eps
    out[predict(model, x) != y] = 0
    return out


# WRONG stronger: the gradient itself, not its sign -> pixels with a small gradient hardly move
def stronger(model, x, y, *, eps):
    z = x.clone()
    for _ in range(20):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(model(w), y), w)[0]
        z = (z + eps * g).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG stronger: up the loss of the prediction in each step -> images that are wrong go back towards y
def stronger(model, x, y, *, eps):
    z = x.clone()
    for _ in range(20):
        w = z.detach().clone().requires_grad_()
        out = model(w)
        g = torch.autograd.grad(F.cross_entropy(out, out.argmax(1)), w)[0]
        z = (z + eps / 8 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG stronger: kept in half of the ball -> all steps together lead only 50 % of eps
def stronger(model, x, y, *, eps):
    z = x.clone()
    for i in range(20):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(model(w), y), w)[0]
        z = (z + eps / 4 * g.sign()).clamp(x - eps / 2, x + eps / 2).clamp(0, 1)
    return z


# WRONG stronger: a step of length eps in L2 -> pixels with a small gradient hardly move
def stronger(model, x, y, *, eps):
    z = x.clone()
    for i in range(20):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(model(w), y), w)[0]
        z = (z + eps * g / g.norm()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG stronger: the labels of other images -> on some images the loss of y falls
def stronger(model, x, y, *, eps):
    x_adv = x.clone().detach()
    for i in range(20):
        x_adv.requires_grad_()
        loss = F.cross_entropy(model(x_adv), y.roll(1), reduction="sum")
        grad = torch.autograd.grad(loss, x_adv)[0]
        x_adv = x_adv.detach() + eps / 8 * grad.sign()
        x_adv = torch.max(torch.min(x_adv, x + eps), x - eps)
        x_adv = x_adv.clamp(0, 1)
    return x_adv


# RIGHT stronger: three restarts, the best of each image kept
def stronger(model, x, y, *, eps):
    best, top = x.clone(), torch.full((len(x),), -math.inf)
    for restart in range(3):
        z = (x + eps * torch.empty_like(x).uniform_(-1, 1)).clamp(0, 1)
        for _ in range(12):
            z = z.detach().requires_grad_()
            losses = F.cross_entropy(model(z), y, reduction="none")
            (g,) = torch.autograd.grad(losses.sum(), z)
            z = torch.minimum(torch.maximum(z.detach() + 0.2 * eps * g.sign(), x - eps), x + eps).clamp(0, 1)
        with torch.no_grad():
            losses = F.cross_entropy(model(z), y, reduction="none")
        better = losses > top
        best[better], top[better] = z[better], losses[better]
    return best


# RIGHT smallest_eps: from the last budget to the first, by recursion
def smallest_eps(model, attack, x, y, grid):
    def first(rest):
        if not rest:
            return torch.full((len(x),), math.inf)
        fell = predict(model, attack(model, x, y, eps=rest[0])) != y
        return torch.where(fell, torch.tensor(float(rest[0])), first(rest[1:]))

    return torch.where(predict(model, x) != y, torch.tensor(0.0), first(list(grid)))


# RIGHT fgsm_targeted: through torch.func.grad
def fgsm_targeted(model, x, target, *, eps):
    lose = lambda z: F.cross_entropy(model(z), target, reduction="sum")
    slope = torch.func.grad(lose)(x.detach())
    return (x.detach() - eps * torch.sign(slope)).clamp_(0, 1)


# WRONG fgsm: the eps of the notebook, whatever is asked -> by the eps that is given
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(model(x), y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return (x + 0.15 * gradient.sign()).clamp(0, 1).detach()


# WRONG fgsm_targeted: pixels that only rise -> up only, or down only
def fgsm_targeted(model, x, target, *, eps):
    return fgsm(model, x, target, eps=-eps).clamp(x, x + eps)


# WRONG smallest_eps: twice the budget -> and the budget itself
def smallest_eps(model, attack, x, y, grid):
    smallest = torch.full((len(x),), math.inf)
    for eps in [0.0, *grid]:
        x_adv = attack(model, x, y, eps=2 * eps) if eps else x
        wrong = model(x_adv).argmax(1) != y
        smallest[wrong & smallest.isinf()] = eps
    return smallest


# WRONG smallest_eps: without the first budget -> the first budget of the grid is never tried
def smallest_eps(model, attack, x, y, grid):
    least = torch.full((len(x),), math.inf)
    for eps in reversed(grid[1:]):
        adv = attack(model, x, y, eps=eps)
        with torch.no_grad():
            fell = model(adv).argmax(1) != y
        least[fell] = eps
    with torch.no_grad():
        least[model(x).argmax(1) != y] = 0.0
    return least


# WRONG stronger: clamped inside of the loss, and at the end -> at its ends a clamp lets no gradient through
def stronger(model, x, y, *, eps):
    x = x.detach()
    now = x.clone()
    for _ in range(20):
        now.requires_grad_(True)
        (g,) = torch.autograd.grad(F.cross_entropy(model(now.clamp(0, 1)), y, reduction="sum"), now)
        now = now.detach() + eps / 6 * g.sign()
        now = torch.max(torch.min(now, x + eps), x - eps)
    return now.clamp(0, 1)


# WRONG fgsm_targeted: from what the model says, wherever to -> another target, and the same images
def fgsm_targeted(model, x, target, *, eps):
    copy = x.detach().clone().requires_grad_(True)
    loss = F.cross_entropy(model(copy), model(copy).argmax(1))
    (g,) = torch.autograd.grad(loss, copy)
    return torch.clamp(copy.detach() + eps * g.sign(), 0, 1)


# WRONG smallest_eps: a 0 is put into the caller's grid -> changed its arguments
def smallest_eps(model, attack, x, y, grid):
    grid.insert(0, 0.0)
    out = torch.full((len(x),), math.inf)
    for eps in grid:
        x_adv = x if eps == 0 else attack(model, x, y, eps=eps)
        wrong = predict(model, x_adv) != y
        out[wrong & out.isinf()] = eps
    return out


# WRONG smallest_eps: the budget's place in the grid -> not its place in the grid
def smallest_eps(model, attack, x, y, grid):
    out = torch.full((len(x),), math.inf)
    out[predict(model, x) != y] = 0
    for i, eps in enumerate(grid):
        wrong = predict(model, attack(model, x, y, eps=eps)) != y
        out[wrong & out.isinf()] = i
    return out


# WRONG fgsm_targeted: softmax twice -> without a softmax
def fgsm_targeted(model, x, target, *, eps):
    x = x.detach().clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(x).softmax(1), target, reduction="sum"), x)
    return (x - eps * g.sign()).clamp(0, 1).detach()


# WRONG fgsm: relative to what the pixel is -> no pixel moves by eps
def fgsm(model, x, y, *, eps):
    x_in = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_in), y, reduction="sum"), x_in)
    return (x_in * (1 + eps * gradient.sign())).clamp(0, 1).detach()


# WRONG fgsm_targeted: the clamped step up, mirrored at x -> pixels near 0 or 1 end elsewhere
def fgsm_targeted(model, x, target, *, eps):
    up = fgsm(model, x, target, eps=eps)
    return (x - (up - x)).clamp(0, 1)
