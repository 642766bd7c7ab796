"""White-box attacks that follow the gradient of a loss: FGSM, PGD and the step-size-free APGD."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from utils.arguments import number, whole
from utils.asking import Asked, gradient_of, predicted
from utils.attacks.parts import check_logits, cross_entropy, into_ball, margin, random_start, steepest, wrong
from utils.guard import guard, in_chunks

Loss = Callable[[Tensor, Tensor], Tensor]


def loss_gradient(
    model, x: Tensor, loss: Loss, labels: Tensor, first: bool = False, check: str = ""
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (N, classes), loss (N,) and the loss's gradient with respect to `x`, each image on its own.

    first  whether a search begins here
    check  to look at the logits, once in each attack: what the attack's user calls the labels

    Of a model that `guard` lends, the gradient holds numbers only (`Asked.gradient`); of another, what autograd gives.
    """
    look = partial(check_logits, name=check) if check else None
    if isinstance(model, Asked):
        return model.gradient(x, loss, labels, look, first)
    return gradient_of(model, x, loss, labels, look)


def fgsm(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, target: Tensor | None = None) -> Tensor:
    """One signed gradient step of size eps, kept inside [0, 1]. Goodfellow et al. 2015, eq. 2. Built in lesson 01.

    x       images (N, ...) in [0, 1]
    y       true labels (N,) int64
    eps     L-infinity budget, on the scale of x
    target  labels (N,) to be predicted instead; None: any label but y

    Returns images like x, within eps of it in L-infinity and in [0, 1].
    """

    def search(x, labels):
        _, _, gradient = loss_gradient(model, x, cross_entropy, labels, first=True, check=named(target))
        uphill = eps if target is None else -eps
        return into_ball(x + uphill * gradient.sign(), x, eps, "linf")

    with guard(model, x, y, eps=eps) as (model, x, y, eps):
        return in_chunks(model, search, x, y if target is None else labels_like(y, target))


def named(target: Tensor | None) -> str:
    """What the labels are called that an attack climbs away from, or down to."""
    return "y" if target is None else "target"


def labels_like(y: Tensor, target: Tensor) -> Tensor:
    """Target labels as int64, if there is one for each of y; else ValueError."""
    if not (isinstance(target, Tensor) and target.shape == y.shape and not target.is_floating_point()):
        got = f"{target.dtype} {tuple(target.shape)}" if isinstance(target, Tensor) else type(target).__name__
        raise ValueError(f"target must hold one label for each of the {len(y)} images in x, got {got}")
    return target.long()


def pgd(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    norm: str = "linf",
    steps: int = 40,
    step: float | None = None,
    restarts: int = 1,
    start: bool = True,
    loss: Loss = cross_entropy,
    target: Tensor | None = None,
    momentum: float = 0.0,
    early_stop: bool = True,
    patience: float = math.inf,
    at_once: int = 1,
    seed: int = 0,
) -> Tensor:
    """Projected gradient ascent on the loss. Madry et al. 2018 (arXiv:1706.06083). Built in lesson 02.

    x, y         images (N, ...) in [0, 1] and their true labels (N,) int64
    eps, norm    the ball: radius, and "linf" or "l2"
    steps, step  number and length of the steps; step=None: 2.5 * eps / steps, enough to cross the ball
    restarts     how often to begin again; an image on which all fail keeps the restart of highest loss
    start        begin at a random image of the ball; False: at x, and then one restart is enough
    loss         `cross_entropy`, `margin`, or any (logits, labels) -> (N,)
    target       labels (N,) to be predicted instead; None: any label but y
    momentum     how much of the direction of all earlier steps is kept at each, as in MI-FGSM (Dong et al. 2018,
                 arXiv:1710.06081, algorithm 1, who keep all: 1.0); 0: none
    early_stop   leave an image alone once it has fallen; False: climb on to the last step (for training, and for images
                 that are made for another model, see `transfer`)
    patience     with early_stop, give an image up when its margin still lacks more than `patience` times what the last
                 doubling of the steps won; asked after 2/5 and 4/5 of the first restart's steps, and at each doubling.
                 One that won nothing at all begins its next restart
    at_once      how many restarts to climb side by side, at most, once few images are left: they take the time of one

    Returns images like x, in the ball (up to rounding) and in [0, 1].
    """
    uphill = 1 if target is None else -1

    steps, restarts = whole("steps", steps, 0), whole("restarts", restarts)
    step = None if step is None else number("step", step, "be a finite number", math.isfinite)
    momentum = number("momentum", momentum, "be a number from 0 to 1", lambda v: 0 <= v <= 1)
    patience = number("patience", patience, "be a number >= 0", lambda v: v >= 0)
    at_once = whole("at_once", at_once)

    def fallen(logits, labels):
        return wrong(logits, labels) if target is None else predicted(logits) == labels

    def search(x, labels):
        length = uphill * (2.5 * eps / max(steps, 1) if step is None else step)
        best, highest = x.clone(), torch.full_like(x.flatten(1)[:, 0], -math.inf)
        lead, before, spent, mark = highest.clone(), highest.clone(), 0, max(steps // 5, 1)
        standing = torch.arange(len(x), device=x.device)
        check = named(target)
        if early_stop and start:  # an image that is wrong as it is needs no attack
            with torch.no_grad():
                standing = standing[~fallen(check_logits(model(x), labels, check), labels)]
            check = ""
        tried = 0
        while len(standing) and tried < restarts:
            tries = min(at_once, max(64 // len(standing), 1), restarts - tried)
            index, tried = standing.repeat(tries), tried + tries  # an image may stand in several rows
            x0, goal = x[index], labels[index]
            x_adv = random_start(x0, eps, norm) if start else x0.clone()
            velocity = torch.zeros_like(x0)
            for i in range(steps):
                logits, _, gradient = loss_gradient(model, x_adv, loss, goal, i == 0, check if i == 0 else "")
                if early_stop and (down := fallen(logits, goal)).any():
                    best[index[down]], highest[index[down]] = x_adv[down], math.inf
                    going, now = highest[index] < math.inf, (index, x0, goal, x_adv, gradient, velocity, logits)
                    index, x0, goal, x_adv, gradient, velocity, logits = (t[going] for t in now)
                if early_stop and patience < math.inf:
                    lead.scatter_reduce_(0, index, uphill * margin(logits, goal).to(lead), "amax")
                    spent += 1
                    if spent > mark:
                        slow = (-lead > patience * (lead - before))[index]
                        hopeless = slow & (lead > before)[index]  # what has not moved at all may do so from elsewhere
                        best[index[hopeless]], highest[index[hopeless]] = x_adv[hopeless], math.inf
                        now = (index, x0, goal, x_adv, gradient, velocity)
                        index, x0, goal, x_adv, gradient, velocity = (t[~slow] for t in now)
                        mark, before = 2 * mark, lead.clone()
                if not len(index):
                    break
                if momentum:
                    gradient = velocity = momentum * velocity + of_mean_one(gradient)
                x_adv = into_ball(x_adv.add_(steepest(gradient, norm), alpha=length), x0, eps, norm)
            with torch.no_grad():
                logits = model(x_adv)
            values = (uphill * loss(logits, goal)).to(x.dtype)
            if early_stop:
                values = values.masked_fill(fallen(logits, goal), math.inf)
            values = values.masked_fill(values.isnan(), -math.inf)
            higher = values > highest[index]
            highest.scatter_reduce_(0, index, values, "amax")
            higher &= values == highest[index]
            best[index[higher]] = x_adv[higher]
            if early_stop:
                standing = standing[highest[standing] < math.inf]
        return best

    with guard(model, x, y, eps=eps, norm=norm, seed=seed) as (model, x, y, eps):
        return in_chunks(model, search, x, y if target is None else labels_like(y, target))


def of_mean_one(gradient: Tensor) -> Tensor:
    """Each row divided by the mean of its absolute values, so that no step counts more than another; 0 stays 0."""
    mean = gradient.flatten(1).abs().mean(1).view(-1, *[1] * (gradient.dim() - 1))
    return gradient / mean.clamp_min(torch.finfo(gradient.dtype).tiny)


def checkpoints(steps: int) -> set[int]:
    """The steps at which APGD looks back: first after 22 % of the steps, then after ever shorter windows."""
    marks, now, window = set(), 0.22, 0.22
    while now < 1:
        marks.add(math.ceil(round(now * steps, 9)))  # 0.57 * 100 is 57.000000000000006 or so
        window = max(window - 0.03, 0.06)
        now += window
    return marks


def apgd_run(model, x, labels, x_adv, *, objective, fallen, eps, norm, steps) -> tuple[Tensor, Tensor]:
    """One run of APGD from `x_adv` on one chunk, dropping images as they fall. Croce & Hein 2020, algorithm 1.

    labels     what `objective` and `fallen` must know of each image, (N, ...)
    objective  (logits, labels) -> (N,), to be climbed
    fallen     (logits, labels) -> (N,) bool

    Returns for each image the first iterate that fell, else the one of highest objective; and which fell, (N,) bool.
    """
    result, done = x_adv.clone(), torch.zeros(len(x), dtype=torch.bool, device=x.device)
    index = torch.arange(len(x), device=x.device)
    each = (slice(None), *[None] * (x.dim() - 1))  # eta[each] multiplies images
    last = torch.full_like(x.flatten(1)[:, 0], -math.inf)
    highest, highest_before, rises, halved = last.clone(), last.clone(), torch.zeros_like(last), done.clone()
    eta, best, best_gradient, previous = torch.full_like(last, 2 * eps), x, torch.zeros_like(x), x_adv
    marks, mark = checkpoints(steps), 0
    for i in range(steps + 1):
        logits, values, gradient = loss_gradient(model, x_adv, objective, labels, first=i == 0)
        down = fallen(logits, labels)
        if down.any():
            result[index[down]], done[index[down]] = x_adv[down], True
            now = (index, x, labels, x_adv, values, gradient, previous, best, best_gradient)
            index, x, labels, x_adv, values, gradient, previous, best, best_gradient = (t[~down] for t in now)
            past = (last, highest, highest_before, rises, halved, eta)
            last, highest, highest_before, rises, halved, eta = (t[~down] for t in past)
        higher = values > highest
        highest = torch.where(higher, values, highest)
        best = torch.where(higher[each], x_adv, best)
        best_gradient = torch.where(higher[each], gradient, best_gradient)
        if i == steps or not len(index):
            break
        rises += (values > last) & (i > 0)
        last = values
        if i in marks:  # too few rises, or no better point at an unchanged step: halve it and go back to the best
            stuck = (rises <= 0.75 * (i - mark)) | (~halved & (highest_before >= highest))
            eta = torch.where(stuck, eta / 2, eta)
            x_adv, gradient = torch.where(stuck[each], best, x_adv), torch.where(stuck[each], best_gradient, gradient)
            highest_before, halved, mark, rises = highest, stuck, i, torch.zeros_like(rises)
        ahead = into_ball(x_adv + eta[each] * steepest(gradient, norm), x, eps, norm)
        if i > 0:  # three parts new direction, one part momentum
            ahead = into_ball(x_adv + 0.75 * (ahead - x_adv) + 0.25 * (x_adv - previous), x, eps, norm)
        previous, x_adv = x_adv, ahead
    result[index] = best
    return result, done


def apgd(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    norm: str = "linf",
    steps: int = 100,
    restarts: int = 1,
    loss: Loss = cross_entropy,
    seed: int = 0,
) -> Tensor:
    """Auto-PGD: PGD that finds its own step size. Croce & Hein 2020 (arXiv:2003.01690). Built in lesson 02.

    It begins with steps of 2 * eps, and halves an image's step when its loss has stopped rising.
    Arguments and result are those of `pgd`; an image is left alone once it is misclassified.
    """
    steps, restarts = whole("steps", steps, 0), whole("restarts", restarts)

    def search(x, y):
        best = x.clone()
        with torch.no_grad():
            standing = (~wrong(check_logits(model(x), y), y)).nonzero()[:, 0]
        for _ in range(restarts):
            if not len(standing):
                break
            x0, goal = x[standing], y[standing]
            begin = random_start(x0, eps, norm, rim=True)
            how = {"objective": loss, "fallen": wrong, "eps": eps, "norm": norm, "steps": steps}
            best[standing], done = apgd_run(model, x0, goal, begin, **how)
            standing = standing[~done]
        return best

    with guard(model, x, y, eps=eps, norm=norm, seed=seed) as (model, x, y, eps):
        return in_chunks(model, search, x, y)


def others(logits: Tensor, y: Tensor) -> Tensor:
    """The classes that are not the label, likeliest first, (N, classes - 1)."""
    return logits.scatter(1, y[:, None], -math.inf).argsort(1, descending=True)[:, : logits.shape[1] - 1]


def toward(logits: Tensor, labels: Tensor) -> Tensor:
    """The lead of a rival class over the true one; `labels` is (N, 2): true, rival."""
    lead = logits.gather(1, labels)
    return lead[:, 1] - lead[:, 0]


def by_rival(model, x: Tensor, y: Tensor, rivals: int, attempt: Callable) -> Tensor:
    """The classes that are not the label, likeliest first, each tried on the images that are still standing.

    attempt  (x, labels) -> images, done: what an attack towards one rival finds, and whether each image fell, (N,)
             bool. `labels` (N, 2) holds the true class and the rival
    """
    best = x.clone()
    with torch.no_grad():
        logits = check_logits(model(x), y)
    standing = (~wrong(logits, y)).nonzero()[:, 0]
    for rival in others(logits, y).T[:rivals]:
        if not len(standing):
            break
        best[standing], done = attempt(x[standing], torch.stack([y, rival], 1)[standing])
        standing = standing[~done]
    return best


def apgd_t(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    norm: str = "linf",
    steps: int = 100,
    rivals: int = 9,
    seed: int = 0,
) -> Tensor:
    """APGD towards one rival class after another, likeliest first: the attack that decides most evaluations.

    Croce & Hein 2020 divide the difference of logits by a third one; a step that looks only at the gradient's
    direction needs no such scale, so the plain difference is climbed here. `rivals` classes are tried, at most all.
    Arguments and result are otherwise those of `apgd`.
    """
    steps, rivals = whole("steps", steps, 0), whole("rivals", rivals)

    def attempt(x, labels):
        return apgd_run(model, x, labels, random_start(x, eps, norm, rim=True), **how)

    with guard(model, x, y, eps=eps, norm=norm, seed=seed) as (model, x, y, eps):
        how = {"objective": toward, "fallen": wrong, "eps": eps, "norm": norm, "steps": steps}
        return in_chunks(model, lambda x, y: by_rival(model, x, y, rivals, attempt), x, y)
