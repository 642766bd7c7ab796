"""Other answers to lab 15, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT collapse: with lists and a reversed search
def collapse(withstood, n):
    rates = [Rate(k, n) for k in withstood]
    falls = [
        i for i in range(1, len(rates)) if withstood[i] <= withstood[i - 1] / 2 and rates[i - 1].clearly_above(rates[i])
    ]
    rings = falls[0] if falls else -1
    known = list(withstood[:rings]) if falls else list(withstood)
    if not known:
        return [rings, -1]
    return [rings, len(known) - 1 - known[::-1].index(max(known))]


# RIGHT collapse: with NumPy
def collapse(withstood, n):
    import numpy as np

    k = np.array(withstood, dtype=float)
    rings = -1
    for i in range(len(k) - 1):
        if k[i + 1] / n <= 0.5 * (k[i] / n) and Rate(int(k[i + 1]), n).lead(Rate(int(k[i]), n)) < 0:
            if Rate(int(k[i + 1]), n).clearly_below(Rate(int(k[i]), n)):
                rings = i + 1
                break
    k = k[:rings] if rings >= 0 else k
    back = np.flatnonzero(k == k.max())[-1] if len(k) else -1
    return np.array([rings, back])


# RIGHT collapse: as it goes, epoch by epoch
def collapse(withstood, n):
    best, back, before = -1, -1, None
    for epoch, k in enumerate(withstood):
        if before is not None and k * 2 <= before and Rate(k, n).clearly_below(Rate(before, n)):
            return epoch, back
        if k >= best:
            best, back = k, epoch
        before = k
    return -1, back


# RIGHT collapse: with tensors
def collapse(withstood, n):
    k = torch.tensor(withstood)
    rings = torch.tensor(-1)
    for epoch in range(len(k) - 1, 0, -1):
        now, before = Rate(int(k[epoch]), n), Rate(int(k[epoch - 1]), n)
        if float(now) <= float(before) / 2 and now.clearly_below(before):
            rings = torch.tensor(epoch)
    k = k if rings < 0 else k[:rings]
    if len(k) == 0:
        return torch.tensor([-1, -1])
    return torch.stack([rings, (k == k.max()).nonzero().max()])


# WRONG collapse: compares with the best so far -> loses a little in each epoch
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        best, now = max(withstood[:epoch]), withstood[epoch]
        if 2 * now <= best and Rate(now, n).clearly_below(Rate(best, n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: rings at any clear fall -> more than half of 80
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        if Rate(withstood[epoch], n).clearly_below(Rate(withstood[epoch - 1], n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: rings at any fall by half -> chance explains
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        if 2 * withstood[epoch] <= withstood[epoch - 1]:
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: less than half, and not exactly half -> exactly half
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now < before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: each rate's own interval has to end before the other's begins -> which comparison leaves chance out
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = Rate(withstood[epoch - 1], n), Rate(withstood[epoch], n)
        if 2 * now.k <= before.k and now.interval[1] < before.interval[0]:
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: below the lower end of the other's interval -> chance explains
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = Rate(withstood[epoch - 1], n), Rate(withstood[epoch], n)
        if 2 * now.k <= before.k and float(now) < before.interval[0]:
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: the last alarm instead of the first -> rings at the first
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: epochs are counted from 1 -> does the alarm ring|before the alarm
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch + 1
            break
    known = range(len(withstood) if rings < 0 else rings - 1)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-2) + 1


# WRONG collapse: the epoch before the fall as the time of the alarm -> the alarm rings at the epoch that fell
def collapse(withstood, n):
    rings = -1
    for epoch in range(len(withstood) - 1):
        before, now = withstood[epoch], withstood[epoch + 1]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings + 1)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: goes back to the epoch before the alarm -> is not the one that withstood most
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            return epoch, epoch - 1
    return -1, max(range(len(withstood)), key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: without an alarm the last epoch -> the epoch that withstood most is not the one
def collapse(withstood, n):
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            return epoch, max(range(epoch), key=lambda epoch: (withstood[epoch], epoch))
    return -1, len(withstood) - 1


# WRONG collapse: without an alarm nothing to go back to -> -1 where there is an epoch to go back to
def collapse(withstood, n):
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            return epoch, max(range(epoch), key=lambda epoch: (withstood[epoch], epoch))
    return -1, -1


# WRONG collapse: the best of all epochs, those after the alarm too -> an epoch after the alarm
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
            break
    return rings, max(range(len(withstood)), key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: of equal ones the first -> withstood equally many the latest
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
            break
    known = list(withstood) if rings < 0 else list(withstood[:rings])
    return rings, known.index(max(known)) if known else -1


# WRONG collapse: an empty list ends in an error -> raised|IndexError|ValueError|cannot be judged
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch))


# WRONG collapse: a change in either direction -> in which direction
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        a, b = sorted([withstood[epoch - 1], withstood[epoch]])
        if 2 * a <= b and Rate(a, n).clearly_below(Rate(b, n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: a rate below a tenth is a collapse -> does the alarm ring|falls, not while
def collapse(withstood, n):
    rings = next((epoch for epoch, k in enumerate(withstood) if epoch and k < 0.11 * n), -1)
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: sorts the list that it was given -> work on a copy|does the alarm ring
def collapse(withstood, n):
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[epoch - 1], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    back = max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)
    withstood.sort()
    return rings, back


# RIGHT adversarial_update: the statistics switched off during the attack
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model)
    layers = [m for m in model.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    for layer in layers:
        layer.track_running_stats = False
    there = torch.clamp(x + start, 0, 1).requires_grad_()
    F.cross_entropy(model(there), y).backward()
    for layer in layers:
        layer.track_running_stats = True
    delta = torch.clamp(start + 1.25 * eps * there.grad.sign(), -eps, eps)
    model.zero_grad()
    F.cross_entropy(model(torch.clamp(x + delta, 0, 1)), y).backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= lr * p.grad
    return model.state_dict()


# RIGHT adversarial_update: the statistics saved and put back, the step by an optimizer
def adversarial_update(model, x, y, start, *, eps, lr):
    net = copy.deepcopy(model)
    before = {name: value.clone() for name, value in net.named_buffers()}
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(net(there), y, reduction="sum"), there)
    for name, value in net.named_buffers():
        value.copy_(before[name])
    x_adv = torch.minimum(torch.maximum(x + start + 1.25 * eps * g.sign(), x - eps), x + eps).clamp(0, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    optimizer.zero_grad()
    F.cross_entropy(net(x_adv), y).backward()
    optimizer.step()
    return {name: value.detach().numpy() for name, value in net.state_dict().items()}


# RIGHT adversarial_update: as functions of weights and buffers
def adversarial_update(model, x, y, start, *, eps, lr):
    weights = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    spare = {name: b.clone() for name, b in model.named_buffers()}
    there = (x + start).clamp(0, 1).requires_grad_()
    loss = F.cross_entropy(torch.func.functional_call(model, (weights, spare), (there,)), y)
    (g,) = torch.autograd.grad(loss, there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    loss = F.cross_entropy(torch.func.functional_call(model, (weights, buffers), (x_adv,)), y)
    gradients = torch.autograd.grad(loss, list(weights.values()))
    new = {name: w - lr * g for (name, w), g in zip(weights.items(), gradients)}
    return new | buffers


# RIGHT adversarial_update: sets training mode itself, and takes the mean by hand
def adversarial_update(model, x, y, start, *, eps, lr):
    net, spare = copy.deepcopy(model).train(), copy.deepcopy(model).train()
    begin = (x + start).clip(0, 1).detach().clone()
    begin.requires_grad = True
    nn.CrossEntropyLoss()(spare(begin), y).backward()
    x_adv = (x + (start + 1.25 * eps * torch.sign(begin.grad)).clip(-eps, eps)).clip(0, 1).detach()
    (-net(x_adv).log_softmax(1)[torch.arange(len(y)), y]).mean().backward()
    for p in net.parameters():
        p.data.add_(p.grad, alpha=-lr)
    return dict(net.state_dict())


# WRONG adversarial_update: the attack's pass moves the statistics too -> what the attack tried
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(there), y), there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: the attack in evaluation mode, as at test time -> under whose do the weights learn
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model)
    model.eval()
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(there), y), there)
    model.train()
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: all in evaluation mode -> have not moved|statistics too|in which mode does a network learn
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model).eval()
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(there), y), there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: the statistics are put back after the update as well -> statistics too|have not moved
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model)
    before = {name: b.clone() for name, b in model.named_buffers()}
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(there), y), there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    for name, b in model.named_buffers():
        b.copy_(before[name])
    return model.state_dict()


# WRONG adversarial_update: a momentum of 0 in the attack, and the count goes on -> own count of batches
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model)
    layers = [m for m in model.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(there), y), there)
    for layer, momentum in zip(layers, kept):
        layer.momentum = momentum
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: mean and variance put back, the count not -> own count of batches|not those of one pass
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model)
    before = {name: b.clone() for name, b in model.named_buffers() if "running" in name}
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(there), y), there)
    for name, b in model.named_buffers():
        if name in before:
            b.copy_(before[name])
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: only BatchNorm2d is told to leave its statistics -> what the attack tried|not those of one pass
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model)
    layers = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for layer in layers:
        layer.track_running_stats = False
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(there), y), there)
    for layer in layers:
        layer.track_running_stats = True
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: the attack's gradient is not cleared -> the attack's own gradient
def adversarial_update(model, x, y, start, *, eps, lr):
    model, spare = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    F.cross_entropy(spare(there), y).backward()
    x_adv = (x + (start + 1.25 * eps * there.grad.sign()).clamp(-eps, eps)).clamp(0, 1)
    F.cross_entropy(model(x_adv), y).backward()
    with torch.no_grad():
        for p, q in zip(model.parameters(), spare.parameters()):
            p -= lr * (p.grad + q.grad)
    return model.state_dict()


# WRONG adversarial_update: learns from the clean batch -> at which images
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model)
    gradients = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: learns from the random start, without a step -> it has taken no step
def adversarial_update(model, x, y, start, *, eps, lr):
    model = copy.deepcopy(model)
    x_adv = (x + start.clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: no start -> does not begin at x + start
def adversarial_update(model, x, y, start, *, eps, lr):
    model, spare = copy.deepcopy(model), copy.deepcopy(model)
    there = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(there), y), there)
    x_adv = (x + (1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: the gradient at x, though the step begins at the start -> taken at another image
def adversarial_update(model, x, y, start, *, eps, lr):
    model, spare = copy.deepcopy(model), copy.deepcopy(model)
    there = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(there), y), there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: the change is not kept within eps -> leave the ball
def adversarial_update(model, x, y, start, *, eps, lr):
    model, spare = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(there), y), there)
    x_adv = (x + start + 1.25 * eps * g.sign()).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: the images leave the unit box -> leave [0, 1]
def adversarial_update(model, x, y, start, *, eps, lr):
    model, spare = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(there), y), there)
    x_adv = x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: down the loss in the attack -> down the loss
def adversarial_update(model, x, y, start, *, eps, lr):
    model, spare = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(there), y), there)
    x_adv = (x + (start - 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: the sum of the losses -> with a larger batch
def adversarial_update(model, x, y, start, *, eps, lr):
    model, spare = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(there), y), there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: works on the network that it was given -> changed its arguments
def adversarial_update(model, x, y, start, *, eps, lr):
    spare = copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(there), y), there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model.state_dict()


# WRONG adversarial_update: the attack on the network that it was given, the update on a copy -> changed its arguments
def adversarial_update(model, x, y, start, *, eps, lr):
    net = copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(model(there), y), there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(net(x_adv), y), list(net.parameters()))
    with torch.no_grad():
        for p, g in zip(net.parameters(), gradients):
            p -= lr * g
    return net.state_dict()


# WRONG adversarial_update: the network itself -> no dictionary
def adversarial_update(model, x, y, start, *, eps, lr):
    model, spare = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(there), y), there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
    return model


# WRONG adversarial_update: a second pass at the attacked images, to be sure -> not those of one pass|own count of batches
def adversarial_update(model, x, y, start, *, eps, lr):
    model, spare = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(there), y), there)
    x_adv = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            p -= lr * g
        model(x_adv)
    return model.state_dict()


# RIGHT contribution: contiguous pieces
def contribution(model, x, y, rank, ranks):
    piece_x, piece_y = x.tensor_split(ranks)[rank], y.tensor_split(ranks)[rank]
    logits = model(piece_x)
    g = torch.autograd.grad(F.cross_entropy(logits, piece_y, reduction="sum"), tuple(model.parameters()))
    return g, torch.tensor(len(piece_x)), (logits.argmax(dim=1) == piece_y).sum()


# RIGHT contribution: image by image, with backward on a copy
def contribution(model, x, y, rank, ranks):
    net = copy.deepcopy(model)
    net.zero_grad()
    right = n = 0
    for i in range(len(x)):
        if i % ranks == rank:
            z = net(x[i : i + 1])
            F.cross_entropy(z, y[i : i + 1]).backward()
            right += int(z.argmax()) == int(y[i])
            n += 1
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in net.parameters()], n, right


# RIGHT contribution: means times their number, and zeros without an image
def contribution(model, x, y, rank, ranks):
    n = len(x)
    begin, end = rank * n // ranks, (rank + 1) * n // ranks
    if begin == end:
        return [torch.zeros_like(p) for p in model.parameters()], 0, 0
    z = model(x[begin:end])
    g = torch.autograd.grad(F.cross_entropy(z, y[begin:end]), list(model.parameters()))
    return [(end - begin) * part for part in g], end - begin, float((z.argmax(1) == y[begin:end]).sum())


# RIGHT contribution: arrays, dealt out from the last image
def contribution(model, x, y, rank, ranks):
    mine = [i for i in range(len(y) - 1, -1, -1) if (len(y) - 1 - i) % ranks == rank]
    z = model(x[mine])
    loss = (z.logsumexp(1) - z.gather(1, y[mine][:, None])[:, 0]).sum()
    g = torch.autograd.grad(loss, list(model.parameters()))
    return [part.numpy() for part in g], len(mine), sum(int(a) == int(b) for a, b in zip(z.argmax(1), y[mine]))


# WRONG contribution: what does not divide is left out -> what does not divide is left out
def contribution(model, x, y, rank, ranks):
    n = len(x) // ranks
    x, y = x[rank * n : (rank + 1) * n], y[rank * n : (rank + 1) * n]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: the last rank takes the rest -> more than one image
def contribution(model, x, y, rank, ranks):
    n = len(x) // ranks
    end = len(x) if rank == ranks - 1 else (rank + 1) * n
    x, y = x[rank * n : end], y[rank * n : end]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: pieces of the rounded-up size -> more than one image
def contribution(model, x, y, rank, ranks):
    n = -(-len(x) // ranks)
    x, y = x[rank * n : (rank + 1) * n], y[rank * n : (rank + 1) * n]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: filled up with the first images until it divides -> belong to two ranks|do not add up to 10
def contribution(model, x, y, rank, ranks):
    rows = list(range(len(x)))
    while len(rows) % ranks:
        rows.append(rows[len(rows) - len(x)])
    mine = rows[rank::ranks]
    x, y = x[mine], y[mine]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: a shuffle of its own in each rank -> belong to no rank
def contribution(model, x, y, rank, ranks):
    mine = torch.randperm(len(x))[rank::ranks]
    x, y = x[mine], y[mine]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: ranks counted from 1 -> are ranks counted from 0
def contribution(model, x, y, rank, ranks):
    x, y = x[rank - 1 :: ranks] if rank else x[:0], y[rank - 1 :: ranks] if rank else y[:0]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: every rank has everything -> each rank states the number of the whole batch
def contribution(model, x, y, rank, ranks):
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: rank 0 does it all -> more than one image
def contribution(model, x, y, rank, ranks):
    x, y = (x, y) if rank == 0 else (x[:0], y[:0])
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: the mean over its share -> holds NaN|must be sums
def contribution(model, x, y, rank, ranks):
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: the mean over its share, and zeros without an image -> must be sums
def contribution(model, x, y, rank, ranks):
    x, y = x[rank::ranks], y[rank::ranks]
    if len(y) == 0:
        return [torch.zeros_like(p) for p in model.parameters()], 0, 0
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: the mean over its share, divided by the ranks -> must be sums
def contribution(model, x, y, rank, ranks):
    x, y = x.tensor_split(ranks)[rank], y.tensor_split(ranks)[rank]
    if len(y) == 0:
        return [torch.zeros_like(p) for p in model.parameters()], 0, 0
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y) / ranks, list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: divided by the whole batch already -> divided twice
def contribution(model, x, y, rank, ranks):
    n = len(y)
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum") / n, list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: a mean times the whole batch -> holds NaN|gradient of the mean|must be sums
def contribution(model, x, y, rank, ranks):
    n = len(y)
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y) * n, list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: the share of right answers -> no whole number|do not add up
def contribution(model, x, y, rank, ranks):
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), float((logits.argmax(1) == y).double().mean()) if len(y) else 0.0


# WRONG contribution: the number of the whole batch -> each rank states the number of the whole batch
def contribution(model, x, y, rank, ranks):
    n = len(y)
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), n, int((logits.argmax(1) == y).sum())


# WRONG contribution: counts the wrong answers -> where all 12 answers are right
def contribution(model, x, y, rank, ranks):
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) != y).sum())


# WRONG contribution: ends in an error where there is no image -> raised|Error|cannot be judged
def contribution(model, x, y, rank, ranks):
    x, y = torch.chunk(x, ranks)[rank], torch.chunk(y, ranks)[rank]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: puts the network into evaluation mode and leaves it there -> changed its arguments
def contribution(model, x, y, rank, ranks):
    model.eval()
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# WRONG contribution: images and labels of different rows -> its own label
def contribution(model, x, y, rank, ranks):
    x, y = x[rank::ranks], y.tensor_split(ranks)[rank]
    logits = model(x[: len(y)])
    y = y[: len(x)]
    g = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(g), len(y), int((logits.argmax(1) == y).sum())


# RIGHT scaled_update: in float64, with tensors for numbers
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if torch.isnan(gradients).any() or torch.isinf(gradients).any():
        return weights.clone(), torch.tensor(scale * 0.5), torch.tensor(0)
    new = weights.double() - lr * (gradients.double() / scale)
    fine = fine + 1
    if fine >= grow:
        scale, fine = scale * 2, 0
    return new, torch.tensor(scale), torch.tensor(fine)


# RIGHT scaled_update: with NumPy
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    import numpy as np

    w, g = weights.numpy().copy(), gradients.numpy().astype("float32")
    if not np.isfinite(g).all():
        return [w, scale / 2, 0]
    w = w - np.float32(lr) * (g / np.float32(scale))
    return [w, scale * 2 if (fine + 1) % grow == 0 else scale, (fine + 1) % grow]


# RIGHT scaled_update: number by number, as a list
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if any(g != g or abs(g) > 65504 for g in gradients.tolist()):
        return weights.tolist(), scale / 2, 0
    new = [w - lr * g / scale for w, g in zip(weights.tolist(), gradients.tolist())]
    if fine == grow - 1:
        return new, 2 * scale, 0
    return new, scale, fine + 1


# RIGHT scaled_update: the learning rate is divided by the scale
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    g = gradients.to(torch.float32)
    if torch.isfinite(g.sum()):
        weights = torch.add(weights, g, alpha=-lr / scale)
        fine += 1
        scale, fine = (2 * scale, 0) if fine == grow else (scale, fine)
    else:
        scale, fine = scale / 2, 0
    return weights, scale, fine


# WRONG scaled_update: does not look for an overflow -> holds NaN|has reached the weights
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: looks for NaN only -> has reached the weights
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if gradients.isnan().any():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: looks for infinity only -> the update was made
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if gradients.isinf().any():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: the infinity above 0 only -> is infinite below 0|holds NaN
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if gradients.max() == torch.inf or gradients.isnan().any():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: all of the gradients have to overflow -> has reached the weights|holds NaN|the update was made
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().any():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: leaves out the weights whose gradients overflow, and moves the others -> a part of the weights
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    ok = gradients.isfinite()
    new = torch.where(ok, weights - lr * gradients.float() / scale, weights)
    if not ok.all():
        return new, scale / 2, 0
    return (new, scale * 2, 0) if fine + 1 == grow else (new, scale, fine + 1)


# WRONG scaled_update: NaN becomes 0 and infinity the largest number -> the update was made|a part of the weights
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    ok = bool(gradients.isfinite().all())
    weights = weights - lr * gradients.nan_to_num().float() / scale
    if not ok:
        return weights, scale / 2, 0
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: looks at the sum in float16 -> taken for an overflow
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.sum().isfinite():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: the largest finite number counts as an overflow -> taken for an overflow
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if gradients.isnan().any() or (gradients.abs() >= 65504).any():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: the scale is left as it was after an overflow -> has not come down
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: a tenth instead of half -> another than half
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 10, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: whole numbers, and never below 1 -> another than half
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, max(scale // 2, 1), 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: divides in float16 -> small gradients are lost
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = weights - lr * (gradients / scale).float()
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: subtracts in float16 -> in which type are they while you subtract
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = (weights.half() - lr * gradients.float() / scale).half().float()
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: the product with lr in float16 -> small gradients are lost|less exact
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = weights - (lr / scale * gradients).float()
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: forgets to divide -> differs from the one by hand|still carry the scale
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float()
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: divides by the scale that comes next -> another scale than the one
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    fine += 1
    if fine == grow:
        scale, fine = 2 * scale, 0
    return weights - lr * gradients.float() / scale, scale, fine


# WRONG scaled_update: up the loss -> differs from the one by hand|went up the loss
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = weights + lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: in the weights that it was given -> changed its arguments
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights -= lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: never grows -> is not doubled
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    return weights - lr * gradients.float() / scale, scale, fine + 1


# WRONG scaled_update: doubles one update too late -> is not doubled
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine == grow else (weights, scale, fine + 1)


# WRONG scaled_update: doubles one update too early -> one too early
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 2 >= grow else (weights, scale, fine + 1)


# WRONG scaled_update: goes on counting once it has doubled -> begin anew
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights, fine = weights - lr * gradients.float() / scale, fine + 1
    return weights, scale * 2 if fine % grow == 0 else scale, fine


# WRONG scaled_update: the row begins anew with the update that doubled -> begin anew
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 1) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: never more than 65536 -> is not doubled|than by hand
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not gradients.isfinite().all():
        return weights, scale / 2, 0
    weights = weights - lr * gradients.float() / scale
    return (weights, min(scale * 2, 65536.0), 0) if fine + 1 == grow else (weights, scale, fine + 1)


# RIGHT reports: made from pairs
reports = dict(zip("ABCDEF", ["dropped", "none", "rounded", "chosen", "unlike", "mode"]))


# RIGHT reports: letter by letter
reports = {"B": "none"}
reports.update(A="dropped", D="chosen")
reports |= {"F": "mode", "C": "rounded", "E": "unlike"}


# RIGHT reports: as keywords
reports = dict(A="dropped", B="none", C="rounded", D="chosen", E="unlike", F="mode")


# RIGHT reports: from the words to the letters
reports = {
    letter: word for word, letter in dict(dropped="A", none="B", rounded="C", chosen="D", unlike="E", mode="F").items()
}


# WRONG reports: does not multiply -> report A
reports = {"A": "none", "B": "dropped", "C": "rounded", "D": "chosen", "E": "unlike", "F": "mode"}


# WRONG reports: the last batch looks incomplete -> report B
reports = {"A": "dropped", "B": "dropped", "C": "rounded", "D": "chosen", "E": "unlike", "F": "mode"}


# WRONG reports: takes held-out images for test images -> report B
reports = {"A": "dropped", "B": "chosen", "C": "rounded", "D": "none", "E": "unlike", "F": "mode"}


# WRONG reports: trusts many small steps -> report C
reports = {"A": "dropped", "B": "none", "C": "none", "D": "chosen", "E": "unlike", "F": "mode"}


# WRONG reports: trusts an early stop -> report D
reports = {"A": "dropped", "B": "none", "C": "rounded", "D": "none", "E": "unlike", "F": "mode"}


# WRONG reports: trusts seconds -> report E
reports = {"A": "dropped", "B": "none", "C": "rounded", "D": "chosen", "E": "none", "F": "mode"}


# WRONG reports: takes other batches for missing images -> report F
reports = {"A": "dropped", "B": "none", "C": "rounded", "D": "chosen", "E": "unlike", "F": "dropped"}


# WRONG reports: a word of its own -> one of the six words
reports = {"A": "last batch", "B": "none", "C": "rounded", "D": "chosen", "E": "unlike", "F": "mode"}


# WRONG reports: one is missing -> one of the six words
reports = {"A": "dropped", "B": "none", "C": "rounded", "D": "chosen", "E": "unlike"}


# WRONG reports: None in place of a word -> one of the six words
reports = {"A": "dropped", "B": None, "C": "rounded", "D": "chosen", "E": "unlike", "F": "mode"}


# WRONG adversarial_update: the start is cut to [0, 1] and only what is left of it is kept in the change -> less than the start
def adversarial_update(model, x, y, start, *, eps, lr):
    spy, net = copy.deepcopy(model), copy.deepcopy(model)
    p = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spy(p), y), p)
    d = (p.detach() - x + 1.25 * eps * g.sign()).clamp(-eps, eps)
    a = (x + d).clamp(0, 1)
    grads = torch.autograd.grad(F.cross_entropy(net(a), y), list(net.parameters()))
    with torch.no_grad():
        for w, h in zip(net.parameters(), grads):
            w -= lr * h
    return net.state_dict()


# WRONG adversarial_update: the gradient is taken outside of [0, 1] -> outside of [0, 1]
def adversarial_update(model, x, y, start, *, eps, lr):
    spy, net = copy.deepcopy(model), copy.deepcopy(model)
    p = (x + start).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spy(p), y), p)
    a = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    grads = torch.autograd.grad(F.cross_entropy(net(a), y), list(net.parameters()))
    with torch.no_grad():
        for w, h in zip(net.parameters(), grads):
            w -= lr * h
    return net.state_dict()


# WRONG adversarial_update: the gradient goes through the clamp, so that it is 0 where the start leaves [0, 1] -> back through the clamp
def adversarial_update(model, x, y, start, *, eps, lr):
    spy, net = copy.deepcopy(model), copy.deepcopy(model)
    p = (x + start).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spy(p.clamp(0, 1)), y), p)
    a = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    grads = torch.autograd.grad(F.cross_entropy(net(a), y), list(net.parameters()))
    with torch.no_grad():
        for w, h in zip(net.parameters(), grads):
            w -= lr * h
    return net.state_dict()


# WRONG contribution: the model is put into evaluation mode -> in another mode
def contribution(model, x, y, rank, ranks):
    xs, ys = x[rank::ranks], y[rank::ranks]
    mode = model.training
    model.eval()
    z = model(xs)
    g = torch.autograd.grad(F.cross_entropy(z, ys, reduction="sum"), list(model.parameters()))
    model.train(mode)
    return list(g), len(ys), int((z.argmax(1) == ys).sum())


# RIGHT contribution: tensor_split
def contribution(model, x, y, rank, ranks):
    xs, ys = x.tensor_split(ranks)[rank], y.tensor_split(ranks)[rank]
    z = model(xs)
    g = torch.autograd.grad(F.cross_entropy(z, ys, reduction="sum"), list(model.parameters()))
    return tuple(g), len(ys), (z.argmax(1) == ys).sum()


# RIGHT scaled_update: NumPy, and the scale as an integer's power
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    import numpy as np

    w, g = weights.numpy(), gradients.numpy().astype(np.float32)
    if not np.isfinite(g).all():
        return w.copy(), scale / 2, 0
    w = w - np.float32(lr) * (g / np.float32(scale))
    return w, (scale * 2 if fine + 1 >= grow else scale), (0 if fine + 1 >= grow else fine + 1)


# WRONG contribution: rank 0 counts all right answers -> of its own share
def contribution(model, x, y, rank, ranks):
    xs, ys = x[rank::ranks], y[rank::ranks]
    z = model(xs)
    g = torch.autograd.grad(F.cross_entropy(z, ys, reduction="sum"), list(model.parameters()))
    return list(g), len(ys), int((model(x).argmax(1) == y).sum()) if rank == 0 else 0


# WRONG collapse: only the last epoch is looked at -> while it is low
def collapse(withstood, n):
    ring = next(
        (
            t
            for t in range(max(len(withstood) - 1, 1), len(withstood))
            if 2 * withstood[t] <= withstood[t - 1] and Rate(withstood[t], n).clearly_below(Rate(withstood[t - 1], n))
        ),
        -1,
    )
    known = withstood[:ring] if ring >= 0 else withstood
    return ring, max(range(len(known)), key=lambda i: (known[i], i), default=-1)


# WRONG collapse: compares with the mean so far -> the epoch just before counts
def collapse(withstood, n):
    """The epoch at which the alarm rings, or -1, and the epoch to go back to, or -1."""
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = sum(withstood[:epoch]) / epoch, withstood[epoch]
        before = round(before)
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG collapse: compares with the epoch before the last -> the epoch just before counts
def collapse(withstood, n):
    """The epoch at which the alarm rings, or -1, and the epoch to go back to, or -1."""
    rings = -1
    for epoch in range(1, len(withstood)):
        before, now = withstood[max(epoch - 2, 0)], withstood[epoch]
        if 2 * now <= before and Rate(now, n).clearly_below(Rate(before, n)):
            rings = epoch
            break
    known = range(len(withstood) if rings < 0 else rings)
    return rings, max(known, key=lambda epoch: (withstood[epoch], epoch), default=-1)


# WRONG adversarial_update: the step goes on from the start inside [0, 1] -> the step goes on from x + start
def adversarial_update(model, x, y, start, *, eps, lr):
    """The state of the network after one update on attacked images, {name: tensor}."""
    asked, model = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (uphill,) = torch.autograd.grad(F.cross_entropy(asked(there), y), there)
    x_adv = (there.detach() + 1.25 * eps * uphill.sign()).clamp(0, 1)
    weights = list(model.parameters())
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), weights)
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= lr * gradient
    return model.state_dict()


# WRONG adversarial_update: the step follows the gradient over its length -> the attack follows the gradient divided by its length
def adversarial_update(model, x, y, start, *, eps, lr):
    """The state of the network after one update on attacked images, {name: tensor}."""
    asked, model = copy.deepcopy(model), copy.deepcopy(model)
    there = (x + start).clamp(0, 1).requires_grad_()
    (uphill,) = torch.autograd.grad(F.cross_entropy(asked(there), y), there)
    x_adv = (x + (start + 1.25 * eps * uphill / uphill.norm()).clamp(-eps, eps)).clamp(0, 1)
    weights = list(model.parameters())
    gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), weights)
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= lr * gradient
    return model.state_dict()


# WRONG contribution: the number of images times the ranks -> each rank states four times its share
def contribution(model, x, y, rank, ranks):
    """What this rank adds: gradients, the number of its images, and how many of them are answered rightly."""
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    gradients = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(gradients), len(x) * ranks, int((logits.argmax(1) == y).sum())


# WRONG contribution: the share of right answers, as a float -> is no whole number
def contribution(model, x, y, rank, ranks):
    """What this rank adds: gradients, the number of its images, and how many of them are answered rightly."""
    x, y = x[rank::ranks], y[rank::ranks]
    logits = model(x)
    gradients = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), list(model.parameters()))
    return list(gradients), len(y), float((logits.argmax(1) == y).double().mean())


# WRONG scaled_update: never below a scale of 1 -> the scale afterwards is another than half
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    """Weights (P,), scale, and updates in a row without an overflow, after this update."""
    if not gradients.isfinite().all():
        return weights, max(scale / 2, 1.0), 0
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG scaled_update: the count goes on after an overflow -> after an overflow the updates in a row begin anew
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    """Weights (P,), scale, and updates in a row without an overflow, after this update."""
    if not gradients.isfinite().all():
        return weights, scale / 2, fine
    weights = weights - lr * gradients.float() / scale
    return (weights, scale * 2, 0) if fine + 1 == grow else (weights, scale, fine + 1)


# WRONG adversarial_update: the attack's loss is that of the model's own answers -> of which loss is the gradient
def adversarial_update(model, x, y, start, *, eps, lr):
    tried, network = copy.deepcopy(model), copy.deepcopy(model)
    begin = (x + start).clamp(0, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(tried(begin), copy.deepcopy(model)(x).argmax(1)), begin)
    change = (start + 1.25 * eps * gradient.sign()).clamp(-eps, eps)
    loss = F.cross_entropy(network((x + change).clamp(0, 1)), y)
    for weight, part in zip(network.parameters(), torch.autograd.grad(loss, list(network.parameters())), strict=True):
        weight.data -= lr * part
    return network.state_dict()


# WRONG adversarial_update: the step is kept within eps, and then added to start -> only where start is not 0
def adversarial_update(model, x, y, start, *, eps, lr):
    tried, network = copy.deepcopy(model), copy.deepcopy(model)
    begin = (x + start).clamp(0, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(tried(begin), y), begin)
    change = start + (1.25 * eps * gradient.sign()).clamp(-eps, eps)
    loss = F.cross_entropy(network((x + change).clamp(0, 1)), y)
    for weight, part in zip(network.parameters(), torch.autograd.grad(loss, list(network.parameters())), strict=True):
        weight.data -= lr * part
    return network.state_dict()


# WRONG collapse: the number of images is written down -> those of `n` images
def collapse(withstood, n):
    rates = [Rate(k, max(1000, k)) for k in withstood]
    rings = [
        i for i in range(1, len(rates)) if withstood[i] <= withstood[i - 1] / 2 and rates[i].clearly_below(rates[i - 1])
    ]
    known = withstood[: rings[0]] if rings else withstood
    return rings[0] if rings else -1, max(range(len(known)), key=lambda i: (known[i], i), default=-1)


# WRONG collapse: half of all images, not of the epoch before -> half of the epoch before is what counts
def collapse(withstood, n):
    rates = [Rate(k, n) for k in withstood]
    rings = [i for i in range(1, len(rates)) if withstood[i] <= n / 2 and rates[i].clearly_below(rates[i - 1])]
    known = withstood[: rings[0]] if rings else withstood
    return rings[0] if rings else -1, max(range(len(known)), key=lambda i: (known[i], i), default=-1)


# WRONG adversarial_update: Nesterov's momentum in one step -> times as far as lr times the gradient
def adversarial_update(model, x, y, start, *, eps, lr):
    asked, model = copy.deepcopy(model), copy.deepcopy(model)
    x0 = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(asked(x0), y), x0)
    xa = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True)
    F.cross_entropy(model(xa), y).backward()
    opt.step()
    return model.state_dict()


# WRONG adversarial_update: Adam -> all weights step equally far
def adversarial_update(model, x, y, start, *, eps, lr):
    asked, model = copy.deepcopy(model), copy.deepcopy(model)
    x0 = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(asked(x0), y), x0)
    xa = (x + (start + 1.25 * eps * g.sign()).clamp(-eps, eps)).clamp(0, 1)
    opt = torch.optim.Adam(model.parameters(), lr=lr)
    F.cross_entropy(model(xa), y).backward()
    opt.step()
    return model.state_dict()


# WRONG contribution: gradients from the last layer to the first -> in another order than model.parameters()
def contribution(model, x, y, rank, ranks):
    x, y = x[rank::ranks], y[rank::ranks]
    z = model(x)
    g = torch.autograd.grad(F.cross_entropy(z, y, reduction="sum"), list(model.parameters()))
    return list(g)[::-1], len(y), int((z.argmax(1) == y).sum())


# WRONG contribution: the squared distance of probabilities -> squared distances of probabilities
def contribution(model, x, y, rank, ranks):
    x, y = x[rank::ranks], y[rank::ranks]
    z = model(x)
    l = ((z.softmax(1) - F.one_hot(y, z.shape[1])) ** 2).sum()
    g = torch.autograd.grad(l, list(model.parameters()))
    return list(g), len(y), int((z.argmax(1) == y).sum())


# WRONG adversarial_update: the start is not in the change -> does start come in
def adversarial_update(model, x, y, start, *, eps, lr):
    spy, own = copy.deepcopy(model), copy.deepcopy(model)
    seen = (x + start).clamp(0, 1).detach().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(spy(seen), y), seen)[0]
    change = (1.25 * eps * g.sign()).clamp(-eps, eps)
    attacked = (x + change).clamp(0, 1).detach()
    grads = torch.autograd.grad(F.cross_entropy(own(attacked), y), list(own.parameters()))
    with torch.no_grad():
        for w, d in zip(own.parameters(), grads):
            w -= lr * d
    return own.state_dict()


# WRONG contribution: ranks counted from 1 -> ranks 0 to 3 share 10 images
def contribution(model, x, y, rank, ranks):
    own_x, own_y = x[max(rank - 1, 0) :: ranks], y[max(rank - 1, 0) :: ranks]
    weights = list(model.parameters())
    if len(own_y) == 0:
        return [torch.zeros_like(w) for w in weights], 0, 0
    out = model(own_x)
    grads = torch.autograd.grad(F.cross_entropy(out, own_y, reduction="sum"), weights)
    return list(grads), len(own_y), int((out.argmax(1) == own_y).sum())


# WRONG contribution: an empty list where there is no image -> no gradients, or None in their place
def contribution(model, x, y, rank, ranks):
    own_x, own_y = x[rank::ranks], y[rank::ranks]
    weights = list(model.parameters())
    if len(own_y) == 0:
        return [], 0, 0
    out = model(own_x)
    grads = torch.autograd.grad(F.cross_entropy(out, own_y, reduction="sum"), weights)
    return list(grads), len(own_y), int((out.argmax(1) == own_y).sum())


# WRONG collapse: the first epoch is compared with the last one (index -1) -> which has none before it
def collapse(withstood, n):
    ring = -1
    for e in range(len(withstood)):
        if withstood[e] <= withstood[e - 1] / 2 and Rate(withstood[e], n).clearly_below(Rate(withstood[e - 1], n)):
            ring = e
            break
    seen = withstood[: ring + 1] if ring >= 0 else withstood
    return ring, max(range(len(seen)), key=lambda e: (seen[e], e), default=-1)


# WRONG scaled_update: lr * gradients in float16 first, then float32 -> computed in float16
def scaled_update(weights, gradients, scale, fine, *, lr, grow):
    if not torch.isfinite(gradients).all():
        return weights.clone(), scale / 2, 0
    fine += 1
    new = weights - (lr * gradients).float() / scale
    return (new, scale * 2, 0) if fine == grow else (new, scale, fine)


# WRONG adversarial_update: trained on clean and attacked together -> one batch of clean and attacked images
def adversarial_update(model, x, y, start, *, eps, lr):
    own, spare = copy.deepcopy(model), copy.deepcopy(model)
    at = (x + start).clamp(0, 1).requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(spare(at), y), at)
    d = (start + 1.25 * eps * g.sign()).clamp(-eps, eps)
    both = torch.cat([x, (x + d).clamp(0, 1)])
    gs = torch.autograd.grad(F.cross_entropy(own(both), torch.cat([y, y])), list(own.parameters()))
    with torch.no_grad():
        for p, g in zip(own.parameters(), gs):
            p -= lr * g
    return own.state_dict()


# WRONG collapse: the loop ends before the latest epoch -> is the latest epoch looked at
def collapse(withstood, n):
    rings = -1
    for i in range(1, len(withstood) - 1):
        now, before = Rate(withstood[i], n), Rate(withstood[i - 1], n)
        if 2 * now.k <= before.k and now.clearly_below(before):
            rings = i
            break
    known = withstood if rings < 0 else withstood[:rings]
    return rings, max(range(len(known)), key=lambda i: (known[i], i), default=-1)


# WRONG contribution: right answers are those of a copy in evaluation mode -> counted in another mode
def contribution(model, x, y, rank, ranks):
    x, y, copied = x[rank::ranks], y[rank::ranks], copy.deepcopy(model)
    loss = F.cross_entropy(copied(x), y, reduction="sum")
    gradients = list(torch.autograd.grad(loss, list(copied.parameters())))
    return gradients, len(x), int((copied.eval()(x).argmax(1) == y).sum())
