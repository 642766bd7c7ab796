"""Other answers to lab 03, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT attack_batch: on a copy, by backward, the change as variable, in float64
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    judged = copy.deepcopy(model).eval()
    budget = eps if 3 * update >= updates else eps * 3 * update / updates
    delta = (2 * torch.rand_like(x) - 1) * budget
    delta = torch.minimum(torch.maximum(x + delta, torch.zeros_like(x)), torch.ones_like(x)) - x
    for _ in range(steps):
        delta = delta.detach().requires_grad_(True)
        nn.CrossEntropyLoss()(judged(x + delta), y).backward()
        with torch.no_grad():
            delta = torch.clamp(delta + reach * budget / steps * torch.sign(delta.grad), -budget, budget)
            delta = torch.clamp(x + delta, 0, 1) - x
    return (x + delta).detach().double()


# RIGHT attack_batch: each module's mode, and the result as NumPy array
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    now = eps * min(1.0, update / (updates / 3))
    low, high = (x - now).clamp(min=0), (x + now).clamp(max=1)
    x_adv = x + now * (2 * torch.rand(x.shape) - 1)
    x_adv = torch.max(torch.min(x_adv, high), low)
    for _ in range(steps):
        images = x_adv.clone().detach().requires_grad_(True)
        loss = -model(images).log_softmax(dim=1)[torch.arange(len(y)), y].sum()
        x_adv = images + (reach / steps) * now * torch.autograd.grad(loss, images)[0].sign()
        x_adv = torch.max(torch.min(x_adv, high), low).detach()
    for module, mode in modes.items():
        module.training = mode
    return x_adv.numpy()


# WRONG attack_batch: returns its start -> stay where they start at random
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = eps * min(3 * update / updates, 1)
    return (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)


# WRONG attack_batch: leaves images alone once they are wrong -> stop climbing
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        wrong = (model(x_adv).argmax(1) != y).view(-1, *[1] * (x.dim() - 1))
        gradient = gradient.masked_fill(wrong, 0)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: attacks in training mode -> mode
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.train()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: attacks in the mode that it finds -> mode
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: leaves the model in evaluation mode -> changed its arguments
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    return x_adv


# WRONG attack_batch: always gives back training mode -> changed its arguments
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train()
    return x_adv


# WRONG attack_batch: the whole budget from the start -> the budget is all of eps
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps, model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: a budget that grows to the end -> but update / updates
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * update / updates, model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: a budget that never stops growing -> the budget is another|left the eps-ball
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * 3 * update / updates, model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: counts updates from 0 -> that of the update before
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * (update - 1) / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: nothing before a third -> the budget is another
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = (eps if 3 * update >= updates else 0.0), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: whole after a half -> the budget is another
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(2 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: starts at x -> that is x
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = x.clone()
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: starts in a corner -> not uniform
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + now * torch.randn_like(x).sign()).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: starts by normal noise -> not uniform|left the eps-ball
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + (now * torch.randn_like(x)).clamp(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: starts only upwards -> up only
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(0, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: starts in all of eps, not in the budget of this update -> not uniform|left the eps-ball|the budget is another
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-eps, eps)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: one start for all images -> start with the same change
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x[:1]).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: one number for all pixels of an image -> start with the same change
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty(len(x), *[1] * (x.dim() - 1)).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: the gradient without its sign -> the budget is another|sign of the gradient
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: each step goes the whole reach -> together should go half
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: steps in units of eps -> together should go half
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * eps / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: always 2.5, whatever reach is -> random image of the ball|not uniform|does reach count
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + 2.5 * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: down the loss -> the loss of y fell
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() - reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: away from the prediction instead of y -> the loss of y fell|the loss could be higher|another
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), model(x_adv).argmax(1), reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: no projection -> the budget is another|left the eps-ball
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: no clamp to [0, 1] -> left [0, 1]
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now)
    model.train(was)
    return x_adv


# WRONG attack_batch: the gradient at the start for all steps -> gradient taken anew
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    x_adv.requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
    for _ in range(steps):
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: one step, whatever steps is -> together should go half|the loss could be higher
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(1):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: overwrites the batch -> changed its arguments|the budget is another
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = x.add_(torch.empty_like(x).uniform_(-now, now)).clamp_(0, 1).clone()
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: returns the change -> left|budget
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv - x


# WRONG attack_batch: forgets to return -> is None
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now, was = eps * min(3 * update / updates, 1), model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + reach * now / steps * gradient.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)


# RIGHT trades: kl_div, backward, the loss as tensor and the gradients as tuple
def trades(model, x, y, x_adv, *, beta):
    model.zero_grad()
    clean = model(x)
    p, q = F.log_softmax(clean, dim=1), F.log_softmax(model(x_adv), dim=1)
    loss = nn.CrossEntropyLoss()(clean, y) + beta * nn.KLDivLoss(reduction="batchmean", log_target=True)(q, p)
    loss.backward()
    return loss.detach(), tuple(weight.grad.clone() for weight in model.parameters())


# RIGHT trades: one pass for both, cross-entropy minus entropy, in float64, lists of numbers
def trades(model, x, y, x_adv, *, beta):
    own = copy.deepcopy(model).double()
    log_p, log_q = own(torch.cat([x, x_adv]).double()).log_softmax(1).chunk(2)
    entropy, crossed = -(log_p.exp() * log_p).sum(1), -(log_p.exp() * log_q).sum(1)
    loss = (-log_p.gather(1, y[:, None])[:, 0] + beta * (crossed - entropy)).mean()
    gradients = torch.autograd.grad(loss, tuple(own.parameters()))
    return [float(loss), [gradient.tolist() for gradient in gradients]]


# WRONG trades: the divergence the other way round -> the other way round
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (q.exp() * (q - p)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: kl_div with its arguments in the order of the formula -> the other way round
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * F.kl_div(p, q, reduction="batchmean", log_target=True)
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: kl_div averages over classes -> averaged over classes
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * F.kl_div(q, p, reduction="mean", log_target=True)
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: sums over images -> summed over images
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: the answer at x is detached -> at x: was it detached
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.detach().exp() * (p.detach() - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: the answer at x_adv is detached -> at x_adv: was it detached
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv).detach()
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: cross-entropy at x_adv -> at beta = 0|the second term is 0
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(moved, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: cross-entropy of y at x_adv as second term -> answers agree
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * F.cross_entropy(moved, y)
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: log of softmax -> NaN|infinite
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.softmax(1).log(), moved.softmax(1).log()
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: divides by q plus a small number -> another loss|NaN
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p.exp() / (q.exp() + 1e-6)).log()).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: squares of logits -> another term is added
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (clean - moved).square().sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: without beta -> at beta = 0
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: beta on both terms -> the first term is beta times its mean
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = beta * (F.cross_entropy(clean, y) + (p.exp() * (p - q)).sum(1).mean())
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: weighs with 1 - beta -> the first term is 1 - beta times its
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = (1 - beta) * F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: minus the divergence -> not positive
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) - beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: both directions, halved -> another loss|both ways round
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * ((p.exp() - q.exp()) * (p - q) / 2).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: over the wrong dimension -> in the divergence the softmax goes over the images
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(0), moved.log_softmax(0)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: only the loss -> a pair
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item()


# WRONG trades: gradients of the first term only -> the gradients are those of the first term alone
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters())))


# WRONG trades: one long vector of gradients -> one gradient for each parameter
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), torch.cat([s.flatten() for s in torch.autograd.grad(loss, list(model.parameters()))])


# WRONG trades: makes a step besides -> changed its arguments
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    with torch.no_grad():
        for weight, gradient in zip(model.parameters(), gradients):
            weight -= 0.1 * gradient
    return loss.item(), list(gradients)


# WRONG trades: gradients that add up over two calls of backward -> not those of this loss
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    F.cross_entropy(model(x), y).backward()
    loss.backward()
    return loss.item(), [weight.grad for weight in model.parameters()]


# RIGHT free: an optimizer, backward, the change as the variable
def free(model, batches, *, eps, replays, lr):
    trained = copy.deepcopy(model)
    optimizer = torch.optim.SGD(trained.parameters(), lr=lr)
    delta = torch.zeros(batches[0][0].shape, requires_grad=True)
    for x, y in batches:
        for _ in range(replays):
            optimizer.zero_grad()
            delta.grad = None
            nn.CrossEntropyLoss()(trained(torch.clamp(x + delta, 0, 1)), y).backward()
            optimizer.step()
            delta.data = torch.clamp(delta.data + eps * torch.sign(delta.grad), -eps, eps)
    return trained.state_dict(), delta.detach().numpy()


# RIGHT free: all replays in one list, plain dictionary in float64, a list as the change
def free(model, batches, *, eps, replays, lr):
    network, delta = copy.deepcopy(model), 0 * batches[0][0]
    for images, labels in [batch for batch in batches for _ in range(replays)]:
        seen = torch.clip(images + delta, 0.0, 1.0).detach()
        seen.requires_grad = True
        network.zero_grad()
        loss = F.cross_entropy(network(seen), labels)
        loss.backward()
        for parameter in network.parameters():
            parameter.data.add_(parameter.grad, alpha=-lr)
        delta = torch.clip(delta + eps * seen.grad.sign(), -eps, eps)
    return {name: value.double() for name, value in network.state_dict().items()}, delta.tolist()


# WRONG free: a new batch begins without a change -> begin with the change of the old|batch to batch
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        delta = torch.zeros_like(x)
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: each replay begins without a change -> each pass sees x + delta
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            delta = torch.zeros_like(x)
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: two passes, the second for the weights -> another number of times|first step sees
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            gradients = torch.autograd.grad(F.cross_entropy(model((x + delta).clamp(0, 1)), y), weights)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: two passes, the second for the change -> another number of times|another
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            gradient = torch.autograd.grad(F.cross_entropy(model(x_adv), y), x_adv)[0]
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: the change is not clamped -> delta left
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = delta + eps * gradient.sign()
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: the images are not clamped -> outside of [0, 1]
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: the change takes the gradient's size -> the gradient itself, and not by eps times its sign
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: the change goes down -> delta goes down
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta - eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: the change is replaced, not continued -> wherever it was before
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = eps * gradient.sign()
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: the weights climb -> the weights go up the loss, and they should
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight += lr * down
    return model.state_dict(), delta


# WRONG free: the summed loss -> the step is that of a sum over the
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(
                F.cross_entropy(model(x_adv), y, reduction="sum"), [x_adv, *weights]
            )
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: trains the model itself -> changed its arguments
def free(model, batches, *, eps, replays, lr):
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: trains in evaluation mode -> the network was trained in evaluation mode
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model).eval()
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: each batch once -> another number of times
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(1):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: all batches, and these replayed -> all batches come in turn
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for _ in range(replays):
        for x, y in batches:
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: learns from the images as they are -> the weights learn from the images as they are
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = x.clone().requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: returns the model -> not the state_dict
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model, delta


# WRONG free: returns the state of the untrained model -> these are the weights that the model came with
def free(model, batches, *, eps, replays, lr):
    before, model = copy.deepcopy(model.state_dict()), copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return before, delta


# WRONG free: only the state -> a pair|cannot|state_dict
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict()


# WRONG free: starts from a random change -> images as they are|the weights are others|delta is another
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.empty_like(batches[0][0]).uniform_(-eps, eps)
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# RIGHT verdict: intervals that do not overlap, shares by hand
def verdict(report):
    if report["images"] != "test" or report["moved"] - report["eps"] > 1e-6:
        return "invalid"
    shares = {attack: right / of for attack, (right, of) in report["left"].items()}
    low = Rate(*report["left"]["PGD"]).interval[0]
    for attack in ("FGSM", "Square", "transfer"):
        if Rate(*report["left"][attack]).interval[1] < low:
            return "masked"
    return "overclaims" if report["claimed"] - min(shares.values()) > 0.005 else "sound"


# RIGHT verdict: a chain of conditions
def verdict(report):
    left = report["left"]
    pgd = Rate(left["PGD"][0], left["PGD"][1])
    others = [Rate(k, n) for name, (k, n) in left.items() if name != "PGD"]
    invalid = report["images"] == "train" or report["moved"] > report["eps"] + 1e-6
    masked = pgd.clearly_above(min(others))
    least = min([float(pgd)] + [float(rate) for rate in others])
    return (
        "invalid" if invalid else "masked" if masked else "overclaims" if report["claimed"] > least + 0.005 else "sound"
    )


# WRONG verdict: any lower rate is a mask -> is chance
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate < rates["PGD"] for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: any attack that leaves another rate is a mask -> report B|misjudged
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any((rate.clearly_below(rates["PGD"]) or rate.clearly_above(rates["PGD"])) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: looks at Square only -> misjudged: images made for another|misjudged: one step
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in [rates["Square"]]):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: forgets that one step may leave less -> one step leaves clearly less
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in (rates["Square"], rates["transfer"])):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: forgets transfer -> another network leave clearly less
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in (rates["Square"], rates["FGSM"])):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: FGSM above PGD is a mask -> report B|as it should
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rates["FGSM"].clearly_above(rate) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: the mask first -> what comes first
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: no tolerance in the ball -> rounding
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: does not look at how far pixels moved -> moved farther
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: does not look at where images come from -> report C
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6:
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: compares the claim with PGD only -> Square leaves less than is claimed
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(rates["PGD"]) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: compares the claim with the mean -> report B|less than is claimed
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > sum(map(float, rates.values())) / len(rates) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: compares the claim with the highest -> report B
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(max(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: no rounding in the claim -> claim is the lowest rate
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())):
        return "overclaims"
    return "sound"


# WRONG verdict: a low claim is a flaw as well -> no flaw
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if abs(report["claimed"] - float(min(rates.values()))) > 0.015:
        return "overclaims"
    return "sound"


# WRONG verdict: only claims that are clearly higher count -> less than is claimed
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > min(rates.values()).interval[1]:
        return "overclaims"
    return "sound"


# WRONG verdict: always masked -> report B
def verdict(report):
    return "masked"
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: another word -> four words
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaimed"
    return "sound"


# RIGHT harden: one step from a random start, own loop, float64
def harden(model, x, y, *, eps):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    for update in range(1, 501):
        rows = torch.randint(len(x), (64,))
        images = attack_batch(model, x[rows], y[rows], eps=eps, update=update, updates=500, steps=1, reach=1.25)
        optimizer.zero_grad()
        F.cross_entropy(model(images), y[rows]).backward()
        optimizer.step()
    return {name: value.detach().double() for name, value in model.state_dict().items()}


# RIGHT harden: TRADES as the loss of fit
def harden(model, x, y, *, eps):
    from itertools import count

    calls = count(1)

    def loss(model, x, y):
        x_adv = attack_batch(model, x, y, eps=eps, update=next(calls), updates=250, steps=2)
        p, q = model(x).log_softmax(1), model(x_adv).log_softmax(1)
        return F.nll_loss(p, y) + 5 * F.kl_div(q, p, reduction="batchmean", log_target=True)

    fit(model, (x, y), updates=250, lr=1e-2, loss=loss)
    return dict(model.state_dict())


# WRONG harden: plain training -> hardly more answers are left after the attack than
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    return fit(model, (x, y), updates=updates, lr=1e-2).state_dict()


# WRONG harden: noise instead of an attack -> hardly more answers are left after the attack than
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return (x + eps * torch.randn_like(x).sign()).clamp(0, 1)

    return fit(model, (x, y), updates=updates, lr=1e-2, transform=transform).state_dict()


# WRONG harden: the budget never grows, since the updates are not counted -> hardly more answers are left after the
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=1, updates=updates)

    return fit(model, (x, y), updates=updates, lr=1e-2, transform=transform).state_dict()


# WRONG harden: returns the model -> not the state_dict
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    fit(model, (x, y), updates=updates, lr=1e-2, transform=transform)
    return model


# WRONG harden: returns nothing -> not the state_dict
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    fit(model, (x, y), updates=updates, lr=1e-2, transform=transform).state_dict()


# WRONG harden: trains a copy, and returns the other -> these are the weights that the model came with
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    fit(copy.deepcopy(model), (x, y), updates=updates, lr=1e-2, transform=transform)
    return model.state_dict()


# WRONG harden: ten updates -> without any attack
def harden(model, x, y, *, eps):
    updates, done = 10, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    return fit(model, (x, y), updates=updates, lr=1e-2, transform=transform).state_dict()


# WRONG harden: a tenth of the budget -> hardly more answers are left after the attack than
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps / 10, update=len(done), updates=updates)

    return fit(model, (x, y), updates=updates, lr=1e-2, transform=transform).state_dict()


# WRONG harden: a plain network that shouts -> hardly more answers are left after the attack than
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    model = fit(model, (x, y), updates=updates, lr=1e-2)
    model[-1].weight.data *= 1000
    model[-1].bias.data *= 1000
    return model.state_dict()


# WRONG harden: attacks go down the loss -> hardly more answers are left after the attack than
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return 2 * x - attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    return fit(model, (x, y), updates=updates, lr=1e-2, transform=transform).state_dict()


# WRONG harden: answers are all the same after training on one class -> without any attack
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    return fit(model, (x[y == 0], y[y == 0]), updates=updates, lr=1e-2, transform=transform).state_dict()


# WRONG harden: weights that overflow -> NaN or infinity|without any attack|holds NaN
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    return fit(model, (x, y), updates=updates, lr=1e-2, transform=transform).state_dict() | {
        "6.bias": torch.full((10,), float("inf"))
    }


# WRONG harden: images attacked once, before training -> hardly more answers are left after the attack than
def harden(model, x, y, *, eps):
    updates = 300
    x = attack_batch(model, x, y, eps=eps, update=1, updates=3)

    return fit(model, (x, y), updates=updates, lr=1e-2).state_dict()


# WRONG harden: transposed weights -> has another shape
def harden(model, x, y, *, eps):
    updates, done = 300, []

    def transform(model, x, y):
        done.append(1)
        return attack_batch(model, x, y, eps=eps, update=len(done), updates=updates)

    state = fit(model, (x, y), updates=updates, lr=1e-2, transform=transform).state_dict()
    state["2.weight"] = state["2.weight"][:, :10]
    return state


# WRONG trades: probabilities below 1e-8 are cut off -> uncut
def trades(model, x, y, x_adv, *, beta):
    z, z_adv = model(x), model(x_adv)
    p, q = z.softmax(1).clamp(min=1e-8), z_adv.softmax(1).clamp(min=1e-8)
    loss = F.cross_entropy(z, y) + beta * (p * (p / q).log()).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG harden: trains on the data of the notebook -> has learned other labels than those it was given
def harden(model, x, y, *, eps):
    def pgd(model, xb, yb):
        adv = xb + eps * (2 * torch.rand_like(xb) - 1)
        for _ in range(4):
            adv = adv.detach().requires_grad_()
            g = torch.autograd.grad(F.cross_entropy(model(adv), yb), adv)[0]
            adv = adv.detach() + eps / 2 * g.sign()
            adv = torch.min(torch.max(adv, xb - eps), xb + eps).clamp(0, 1)
        return adv.detach()

    return fit(model, data.train, updates=500, lr=5e-3, transform=pgd).state_dict()


# WRONG attack_batch: seeds itself -> set no seed
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    torch.manual_seed(0)
    now = eps * min(1, 3 * update / updates)
    was = model.training
    model.eval()
    adv = x + now * (2 * torch.rand_like(x) - 1)
    for _ in range(steps):
        adv = adv.detach().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(model(adv), y), adv)[0]
        adv = adv.detach() + reach * now / steps * g.sign()
        adv = torch.min(torch.max(adv, x - now), x + now).clamp(0, 1)
    model.train(was)
    return adv.detach()


# WRONG attack_batch: reach is not used -> does reach count
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = eps * min(1.0, 3 * update / updates)
    was = model.training
    model.eval()
    x_adv = x + now * (2 * torch.rand_like(x) - 1)
    for _ in range(steps):
        x_in = x_adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(x_in), y), x_in)
        x_adv = (x_in.detach() + 2.5 * now / steps * g.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG attack_batch: back into the ball after the last step only -> after each step
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = eps * min(1.0, 3 * update / updates)
    was = model.training
    model.eval()
    x_adv = x + now * (2 * torch.rand_like(x) - 1)
    for _ in range(steps):
        x_in = x_adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(x_in), y), x_in)
        x_adv = x_in.detach() + reach * now / steps * g.sign()
    model.train(was)
    return x_adv.clamp(x - now, x + now).clamp(0, 1)


# WRONG trades: always in evaluation mode -> another mode than it came in
def trades(model, x, y, x_adv, *, beta):
    was = model.training
    model.eval()
    a, b = model(x), model(x_adv)
    kl = F.kl_div(b.log_softmax(1), a.softmax(1), reduction="batchmean")
    loss = F.cross_entropy(a, y) + beta * kl
    g = list(torch.autograd.grad(loss, model.parameters()))
    model.train(was)
    return loss.item(), g


# WRONG free: delta is cut with the images -> delta is cut as well
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            seen = (x + delta).clamp(0, 1).requires_grad_()
            g, *gw = torch.autograd.grad(F.cross_entropy(net(seen), y), [seen, *net.parameters()])
            with torch.no_grad():
                for p, d in zip(net.parameters(), gw):
                    p -= lr * d
            delta = ((seen.detach() - x) + eps * g.sign()).clamp(-eps, eps)
    return net.state_dict(), delta


# WRONG free: always in training mode -> was trained in training mode
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model).train()
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            seen = (x + delta).clamp(0, 1).requires_grad_()
            g, *gw = torch.autograd.grad(F.cross_entropy(net(seen), y), [seen, *net.parameters()])
            with torch.no_grad():
                for p, d in zip(net.parameters(), gw):
                    p -= lr * d
            delta = (delta + eps * g.sign()).clamp(-eps, eps)
    return net.state_dict(), delta


# WRONG verdict: to move less than eps is invalid -> less far than they may
def verdict(report):
    if abs(report["moved"] - report["eps"]) > 1e-6 or report["images"] == "train":
        return "invalid"
    r = {k: Rate(*v) for k, v in report["left"].items()}
    if any(r[k].clearly_below(r["PGD"]) for k in ("FGSM", "Square", "transfer")):
        return "masked"
    if min(a / b for a, b in report["left"].values()) < report["claimed"] - 0.005:
        return "overclaims"
    return "sound"


# WRONG verdict: the lowest number, not rate -> lowest rate counts
def verdict(report):
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    r = {k: Rate(*v) for k, v in report["left"].items()}
    if any(r[k].clearly_below(r["PGD"]) for k in ("FGSM", "Square", "transfer")):
        return "masked"
    k, n = min(report["left"].values())
    if k / n < report["claimed"] - 0.005:
        return "overclaims"
    return "sound"


# RIGHT trades: parameters without a gradient
def trades(model, x, y, x_adv, *, beta):
    lp, lq = model(x).log_softmax(1), model(x_adv).log_softmax(1)
    loss = -lp.gather(1, y[:, None]).mean() + beta * (lp.exp() * (lp - lq)).sum() / len(x)
    g = torch.autograd.grad(loss, tuple(model.parameters()), allow_unused=True)
    return loss.detach(), [torch.zeros_like(p) if d is None else d for p, d in zip(model.parameters(), g)]


# WRONG attack_batch: the weights stay frozen -> requires_grad
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = eps * min(1.0, 3 * update / updates)
    was = model.training
    model.eval()
    for p in model.parameters():
        p.requires_grad_(False)
    z = x + now * (2 * torch.rand_like(x) - 1)
    for _ in range(steps):
        z = z.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(z), y), z)
        z = (z + reach * now / steps * g.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return z.detach()


# WRONG trades: both ways round -> the mean of both ways round
def trades(model, x, y, x_adv, *, beta):
    a, b = model(x).log_softmax(1), model(x_adv).log_softmax(1)
    kl = (
        F.kl_div(b, a, reduction="batchmean", log_target=True) + F.kl_div(a, b, reduction="batchmean", log_target=True)
    ) / 2
    loss = F.nll_loss(a, y) + beta * kl
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: gradients are added to the old ones -> added to those
def trades(model, x, y, x_adv, *, beta):
    a, b = model(x).log_softmax(1), model(x_adv).log_softmax(1)
    loss = F.nll_loss(a, y) + beta * F.kl_div(b, a, reduction="batchmean", log_target=True)
    loss.backward()
    return loss.item(), [p.grad.clone() for p in model.parameters()]


# WRONG trades: squared differences -> a squared difference of probabilities
def trades(model, x, y, x_adv, *, beta):
    a, b = model(x), model(x_adv)
    loss = F.cross_entropy(a, y) + beta * (a.softmax(1) - b.softmax(1)).pow(2).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG verdict: to move by eps is too far -> exactly eps
def verdict(report):
    if report["moved"] >= report["eps"] or report["images"] == "train":
        return "invalid"
    r = {k: Rate(*v) for k, v in report["left"].items()}
    if any(r[k].clearly_below(r["PGD"]) for k in ("FGSM", "Square", "transfer")):
        return "masked"
    if min(a / b for a, b in report["left"].values()) < report["claimed"] - 0.005:
        return "overclaims"
    return "sound"


# WRONG attack_batch: a budget without end -> is above eps
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = eps * 3 * update / updates
    was = model.training
    model.eval()
    z = x + now * (2 * torch.rand_like(x) - 1)
    for _ in range(steps):
        z = z.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(z), y), z)
        z = (z + reach * now / steps * g.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return z.detach()


# WRONG trades: the first term is a sum -> the first term is a sum
def trades(model, x, y, x_adv, *, beta):
    a, b = model(x), model(x_adv)
    kl = F.kl_div(b.log_softmax(1), a.softmax(1), reduction="batchmean")
    loss = F.cross_entropy(a, y, reduction="sum") + beta * kl
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG verdict: no room for rounding of the claim -> rounded to whole per cent
def verdict(report):
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    r = {k: Rate(*v) for k, v in report["left"].items()}
    if any(r[k].clearly_below(r["PGD"]) for k in ("FGSM", "Square", "transfer")):
        return "masked"
    if min(a / b for a, b in report["left"].values()) < report["claimed"]:
        return "overclaims"
    return "sound"


# WRONG free: the batches are replayed in turn -> all batches come in turn, and then again
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    delta = torch.zeros_like(batches[0][0])
    for _ in range(replays):
        for x, y in batches:
            z = (x + delta).clamp(0, 1).requires_grad_()
            loss = F.cross_entropy(net(z), y)
            params = list(net.parameters())
            *gs, gx = torch.autograd.grad(loss, [*params, z])
            with torch.no_grad():
                for p, g in zip(params, gs):
                    p -= lr * g
            delta = (delta + eps * gx.sign()).clamp(-eps, eps)
    return net.state_dict(), delta


# WRONG free: delta is not added up -> delta is at eps or -eps after each replay
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            z = (x + delta).clamp(0, 1).requires_grad_()
            loss = F.cross_entropy(net(z), y)
            params = list(net.parameters())
            *gs, gx = torch.autograd.grad(loss, [*params, z])
            with torch.no_grad():
                for p, g in zip(params, gs):
                    p -= lr * g
            delta = eps * gx.sign()
    return net.state_dict(), delta


# WRONG free: with momentum -> each step goes on in the way of the
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    opt = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            z = (x + delta).clamp(0, 1).detach().requires_grad_()
            opt.zero_grad()
            F.cross_entropy(net(z), y).backward()
            opt.step()
            delta = (delta + eps * z.grad.sign()).clamp(-eps, eps)
    return net.state_dict(), delta


# WRONG free: images in place of the change -> these are images, x and delta together, and the
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            z = (x + delta).clamp(0, 1).requires_grad_()
            loss = F.cross_entropy(net(z), y)
            params = list(net.parameters())
            *gs, gx = torch.autograd.grad(loss, [*params, z])
            with torch.no_grad():
                for p, g in zip(params, gs):
                    p -= lr * g
            delta = (delta + eps * gx.sign()).clamp(-eps, eps)
    return net.state_dict(), (batches[-1][0] + delta).clamp(0, 1)


# WRONG free: lr is shared among the replays -> the weights' step is divided by the number of
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            z = (x + delta).clamp(0, 1).requires_grad_()
            params = list(net.parameters())
            *gs, gx = torch.autograd.grad(F.cross_entropy(net(z), y), [*params, z])
            delta = (delta + eps * gx.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for p, g in zip(params, gs):
                    p -= lr / replays * g
    return net.state_dict(), delta


# WRONG free: signs of the weights' gradients -> the weights follow the signs of their gradients
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            z = (x + delta).clamp(0, 1).requires_grad_()
            params = list(net.parameters())
            *gs, gx = torch.autograd.grad(F.cross_entropy(net(z), y), [*params, z])
            delta = (delta + eps * gx.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for p, g in zip(params, gs):
                    p -= lr * g.sign()
    return net.state_dict(), delta


# WRONG free: the weights go up -> the weights go up the loss, and they should
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            z = (x + delta).clamp(0, 1).requires_grad_()
            loss = F.cross_entropy(net(z), y)
            params = list(net.parameters())
            *gs, gx = torch.autograd.grad(loss, [*params, z])
            with torch.no_grad():
                for p, g in zip(params, gs):
                    p += lr * g
            delta = (delta + eps * gx.sign()).clamp(-eps, eps)
    return net.state_dict(), delta


# WRONG trades: the softmax over the batch -> in the divergence the softmax goes over the images
def trades(model, x, y, x_adv, *, beta):
    a, b = model(x), model(x_adv)
    p, q = a.softmax(0), b.softmax(0)
    kl = (p * (p.clamp_min(1e-30).log() - q.clamp_min(1e-30).log())).sum(1).mean()
    loss = F.cross_entropy(a, y) + beta * kl
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: beta before the first term -> the first term is beta times its mean
def trades(model, x, y, x_adv, *, beta):
    a, b = model(x), model(x_adv)
    kl = F.kl_div(b.log_softmax(1), a.softmax(1), reduction="batchmean")
    loss = beta * F.cross_entropy(a, y) + kl
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: a logarithm of the softmax -> the loss of large logits (a softmax that has
def trades(model, x, y, x_adv, *, beta):
    a, b = model(x), model(x_adv)
    p, q = a.softmax(1), b.softmax(1)
    kl = (p * (p / q).log()).sum(1).mean()
    loss = F.cross_entropy(a, y) + beta * kl
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: an optimiser takes a step -> changed its arguments
def trades(model, x, y, x_adv, *, beta):
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    a, b = model(x), model(x_adv)
    loss = F.cross_entropy(a, y) + beta * F.kl_div(b.log_softmax(1), a.softmax(1), reduction="batchmean")
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item(), [p.grad for p in model.parameters()]


# WRONG verdict: FGSM above PGD is taken for a mask -> its gradients mislead only if another attack leaves clearly
def verdict(report):
    rates = {k: Rate(*v) for k, v in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if rates["FGSM"].clearly_above(rates["PGD"]) or any(r.clearly_below(rates["PGD"]) for r in rates.values()):
        return "masked"
    if min(a / b for a, b in report["left"].values()) < report["claimed"] - 0.005:
        return "overclaims"
    return "sound"


# WRONG harden: ten updates, written otherwise -> are there updates enough
def harden(model, x, y, *, eps):
    transform = lambda m, a, b: attacks.pgd(m, a, b, eps=eps, steps=3)
    return fit(model, (x, y), updates=10, transform=transform).state_dict()


# WRONG harden: trains a copy, returns the first weights -> these are the weights that the model came with
def harden(model, x, y, *, eps):
    net = copy.deepcopy(model)
    transform = lambda m, a, b: attacks.pgd(m, a, b, eps=eps, steps=3)
    fit(net, (x, y), updates=300, transform=transform)
    return model.state_dict()


# WRONG harden: a learning rate of 10 -> too few answers are right without any attack, and
def harden(model, x, y, *, eps):
    transform = lambda m, a, b: attacks.pgd(m, a, b, eps=eps, steps=3)
    return fit(model, (x, y), updates=200, lr=10.0, transform=transform).state_dict()


# WRONG harden: images and labels in different orders -> too few answers are right without any attack, and
def harden(model, x, y, *, eps):
    order = torch.randperm(len(x))
    transform = lambda m, a, b: attacks.pgd(m, a, b, eps=eps, steps=3)
    return fit(model, (x[order], y), updates=300, lr=1e-2, transform=transform).state_dict()


# RIGHT trades: backward, and the old gradients put back
def trades(model, x, y, x_adv, *, beta):
    old = [p.grad for p in model.parameters()]
    for p in model.parameters():
        p.grad = None
    first, second = model(x), model(x_adv)
    lp, lq = F.log_softmax(first, 1), F.log_softmax(second, 1)
    loss = F.nll_loss(lp, y) + beta * F.kl_div(lq, lp, log_target=True, reduction="sum") / len(x)
    loss.backward()
    grads = [p.grad.clone() for p in model.parameters()]
    for p, g in zip(model.parameters(), old):
        p.grad = g
    return loss.detach(), grads


# RIGHT harden: a loop of its own, with clean images besides
def harden(model, x, y, *, eps):
    torch.manual_seed(1)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    for step in range(400):
        at = torch.randint(len(x), (128,))
        a, b = x[at], y[at]
        z = attack_batch(model, a, b, eps=eps, update=step + 1, updates=400)
        opt.zero_grad()
        (F.cross_entropy(model(z), b) + 0.2 * F.cross_entropy(model(a), b)).backward()
        opt.step()
    return model.eval().state_dict()


# WRONG verdict: the lowest number over that of PGD -> the lowest rate counts
def verdict(report):
    left = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(left[name].clearly_below(left["PGD"]) for name in ("FGSM", "Square", "transfer")):
        return "masked"
    lowest = min(k for k, n in report["left"].values()) / report["left"]["PGD"][1]
    if lowest + 0.005 < report["claimed"]:
        return "overclaims"
    return "sound"


# WRONG attack_batch: a thousand times the gradient, within the ball -> not the images of highest loss|follow the sign
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = min(1.0, 3 * update / updates) * eps
    was = model.training
    model.eval()
    x_adv = x + now * (2 * torch.rand_like(x) - 1)
    for _ in range(steps):
        x_adv = x_adv.detach().requires_grad_()
        loss = F.cross_entropy(model(x_adv), y)
        grad = torch.autograd.grad(loss, x_adv)[0]
        x_adv = x_adv.detach() + reach * now / steps * grad * 1000
        x_adv = torch.max(torch.min(x_adv, x + now), x - now).clamp(0, 1)
    model.train(was)
    return x_adv


# WRONG free: delta is never below 0 -> never below 0
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    weights = list(net.parameters())
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            images = (x + delta).clamp(0, 1).requires_grad_()
            loss = F.cross_entropy(net(images), y)
            grads = torch.autograd.grad(loss, [images] + weights)
            with torch.no_grad():
                for w, g in zip(weights, grads[1:]):
                    w -= lr * g
            delta = (delta + eps * grads[0].sign()).clamp(0, eps)
    return net.state_dict(), delta


# WRONG free: eps is shared among the replays -> eps divided by the number of replays
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    weights = list(net.parameters())
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            images = (x + delta).clamp(0, 1).requires_grad_()
            loss = F.cross_entropy(net(images), y)
            grads = torch.autograd.grad(loss, [images] + weights)
            with torch.no_grad():
                for w, g in zip(weights, grads[1:]):
                    w -= lr * g
            delta = (delta + eps / replays * grads[0].sign()).clamp(-eps, eps)
    return net.state_dict(), delta


# WRONG trades: the mean is divided by the number of images -> images twice
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean() / len(x)
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: logarithms to the base 2 -> to the base 2
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = F.cross_entropy(clean, y) + beta * (p.exp() * (p - q) / math.log(2)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG trades: half of the first term -> half of the one that is asked
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    loss = 0.5 * F.cross_entropy(clean, y) + beta * (p.exp() * (p - q)).sum(1).mean()
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG free: the change climbs by lr -> delta climbs by lr
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv), y), [x_adv, *weights])
            delta = (delta + lr * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG free: a softmax before the cross-entropy -> has one of its own
def free(model, batches, *, eps, replays, lr):
    model = copy.deepcopy(model)
    weights, delta = list(model.parameters()), torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            x_adv = (x + delta).clamp(0, 1).requires_grad_()
            gradient, *gradients = torch.autograd.grad(F.cross_entropy(model(x_adv).softmax(1), y), [x_adv, *weights])
            delta = (delta + eps * gradient.sign()).clamp(-eps, eps)
            with torch.no_grad():
                for weight, down in zip(weights, gradients, strict=True):
                    weight -= lr * down
    return model.state_dict(), delta


# WRONG verdict: the claim in per cent -> a share from 0 to 1
def verdict(report):
    rates = {name: Rate(*pair) for name, pair in report["left"].items()}
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    if any(rate.clearly_below(rates["PGD"]) for rate in rates.values()):
        return "masked"
    if 100 * report["claimed"] > float(min(rates.values())) + 0.005:
        return "overclaims"
    return "sound"


# WRONG attack_batch: back into the ball of eps, not of now -> the steps lead out of it
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = eps * min(1.0, 3 * update / updates)
    was = model.training
    model.eval()
    x = x.detach()
    adv = x + now * (2 * torch.rand_like(x) - 1)
    for _ in range(steps):
        adv = adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(adv), y), adv)
        adv = adv.detach() + reach * now / steps * g.sign()
        adv = (x + (adv - x).clamp(-eps, eps)).clamp(0, 1)
    model.train(was)
    return adv


# WRONG attack_batch: a normal start -> the start is not uniform
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = eps * min(1.0, 3 * update / updates)
    was = model.training
    model.eval()
    x = x.detach()
    adv = x + now * torch.randn_like(x)
    for _ in range(steps):
        adv = adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(adv), y), adv)
        adv = adv.detach() + reach * now / steps * g.sign()
        adv = (x + (adv - x).clamp(-now, now)).clamp(0, 1)
    model.train(was)
    return adv


# WRONG free: the change is cut where the images are -> delta is cut as well
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    weights = list(net.parameters())
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            images = (x + delta).clamp(0, 1).detach().requires_grad_()
            loss = F.cross_entropy(net(images), y)
            *gs, g = torch.autograd.grad(loss, [*weights, images])
            with torch.no_grad():
                for w, step in zip(weights, gs):
                    w -= lr * step
            delta = (delta + eps * g.sign()).clamp(-eps, eps)
            delta = (x + delta).clamp(0, 1) - x
    return net.state_dict(), delta


# WRONG free: one change for all images -> all images of a batch get one change
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    weights = list(net.parameters())
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            images = (x + delta).clamp(0, 1).detach().requires_grad_()
            loss = F.cross_entropy(net(images), y)
            *gs, g = torch.autograd.grad(loss, [*weights, images])
            with torch.no_grad():
                for w, step in zip(weights, gs):
                    w -= lr * step
            delta = (delta + eps * g.mean(0).sign()).clamp(-eps, eps)
    return net.state_dict(), delta


# WRONG free: weights move in the last replay only -> the last replay of a batch only
def free(model, batches, *, eps, replays, lr):
    net = copy.deepcopy(model)
    weights = list(net.parameters())
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for r in range(replays):
            images = (x + delta).clamp(0, 1).detach().requires_grad_()
            loss = F.cross_entropy(net(images), y)
            *gs, g = torch.autograd.grad(loss, [*weights, images])
            with torch.no_grad():
                for w, step in zip(weights, gs):
                    w -= lr * step * (r == replays - 1)
            delta = (delta + eps * g.sign()).clamp(-eps, eps)
    return net.state_dict(), delta


# WRONG trades: squared differences of the probabilities -> a squared difference of probabilities
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    kl = (p.exp() - q.exp()).square().sum(1).mean()
    loss = F.cross_entropy(clean, y) + beta * kl
    grads = torch.autograd.grad(loss, list(model.parameters()))
    return loss.item(), list(grads)


# WRONG attack_batch: a start of three values -> the start is not uniform
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = eps * min(1.0, 3 * update / updates)
    was = model.training
    model.eval()
    x = x.detach()
    adv = x + now * (2 * torch.rand_like(x) - 1).round()
    for _ in range(steps):
        adv = adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(adv), y), adv)
        adv = adv.detach() + reach * now / steps * g.sign()
        adv = (x + (adv - x).clamp(-now, now)).clamp(0, 1)
    model.train(was)
    return adv


# WRONG trades: the square of beta -> another term is added
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    kl = (p.exp() * (p - q)).sum(1).mean()
    loss = F.cross_entropy(clean, y) + beta**2 * kl
    grads = torch.autograd.grad(loss, list(model.parameters()))
    return loss.item(), list(grads)


# WRONG trades: no gradients of the biases -> parameters are wrong
def trades(model, x, y, x_adv, *, beta):
    clean, moved = model(x), model(x_adv)
    p, q = clean.log_softmax(1), moved.log_softmax(1)
    kl = (p.exp() * (p - q)).sum(1).mean()
    loss = F.cross_entropy(clean, y) + beta * kl
    grads = torch.autograd.grad(loss, list(model.parameters()))
    return loss.item(), [g if g.dim() > 1 else 0 * g for g in grads]


# WRONG attack_batch: one step too few -> the four steps together should go half
def attack_batch(model, x, y, *, eps, update, updates, steps=3, reach=2.5):
    now = eps * min(3 * update / updates, 1)
    was = model.training
    model.eval()
    x_adv = (x + torch.empty_like(x).uniform_(-now, now)).clamp(0, 1)
    for _ in range(steps - 1):
        x_adv = x_adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y), x_adv)
        x_adv = (x_adv + reach * now / steps * g.sign()).clamp(x - now, x + now).clamp(0, 1)
    model.train(was)
    return x_adv.detach()


# WRONG harden: the budget is four times too large -> do the images in training go farther than eps
def harden(model, x, y, *, eps):
    step = [0]

    def transform(model, xb, yb):
        step[0] += 1
        return attack_batch(model, xb, yb, eps=4 * eps, update=step[0], updates=400)

    return fit(model, (x, y), updates=400, lr=1e-2, transform=transform).state_dict()


# WRONG harden: steps of the weights that are too short -> the weights are nearly where they began
def harden(model, x, y, *, eps):
    step = [0]

    def transform(model, xb, yb):
        step[0] += 1
        return attack_batch(model, xb, yb, eps=eps, update=step[0], updates=200)

    return fit(model, (x, y), updates=200, lr=1e-5, transform=transform).state_dict()


# WRONG trades: kl_div takes the probabilities at x_adv themselves -> takes probabilities where a logarithm is asked
def trades(model, x, y, x_adv, *, beta):
    clean = model(x)
    kl = F.kl_div(model(x_adv).softmax(1), clean.softmax(1), reduction="batchmean")
    loss = F.cross_entropy(clean, y) + beta * kl
    return loss.item(), list(torch.autograd.grad(loss, list(model.parameters())))


# WRONG verdict: asks attack by attack, so a claim may be judged before a mask -> an earlier word of the list applies
def verdict(report):
    if report["moved"] > report["eps"] + 1e-6 or report["images"] == "train":
        return "invalid"
    pgd = Rate(*report["left"]["PGD"])
    for pair in report["left"].values():
        rate = Rate(*pair)
        if rate.clearly_below(pgd):
            return "masked"
        if float(rate) < report["claimed"] - 0.005:
            return "overclaims"
    return "sound"
