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


# WRONG fgsm: the gradient itself instead of its sign -> every pixel should move by eps
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return (x + eps * gradient.clamp(-1, 1)).clamp(0, 1)


# WRONG fgsm: the gradient shortened to length 1 -> every pixel should move by eps
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


# WRONG fgsm: returns the change -> left the eps-ball|left [0, 1]
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return eps * gradient.sign()


# WRONG fgsm: no return -> is None
def fgsm(model, x, y, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    x_adv = (x + eps * gradient.sign()).clamp(0, 1)


# WRONG fgsm: softmax twice -> pixels move by another amount|faint
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


# WRONG fgsm_targeted: the gradient without its sign -> towards the target
def fgsm_targeted(model, x, target, *, eps):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), target, reduction="sum"), x)
    return (x - eps * gradient.clamp(-1, 1)).clamp(0, 1)


# WRONG fgsm_targeted: half a step -> towards the target
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


# WRONG smallest_eps: the last budget at which it falls -> another budget|whatever comes later
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


# WRONG smallest_eps: the largest budget for those that withstand all -> another budget
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


# WRONG smallest_eps: attacks the attacked images again -> another budget
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


# WRONG stronger: one step -> not strong enough
def stronger(model, x, y, *, eps):
    return fgsm(model, x, y, eps=eps)


# WRONG stronger: steps that together do not cross the ball -> not strong enough
def stronger(model, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y), x_adv)
        x_adv = (x_adv.detach() + eps / 40 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG stronger: the gradient is looked at once -> not strong enough
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


# WRONG stronger: many random tries, the last one kept -> not strong enough
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


# WRONG fgsm: clamps to the range of the batch -> the range is [0, 1], whatever values a batch holds
def fgsm(model, x, y, *, eps):
    x_in = x.clone().detach().requires_grad_(True)
    loss = F.cross_entropy(model(x_in), y)
    (g,) = torch.autograd.grad(loss, x_in)
    return (x + eps * g.sign()).clamp(float(x.min()), float(x.max())).detach()
