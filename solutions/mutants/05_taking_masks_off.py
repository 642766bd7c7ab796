"""Other answers to lab 05, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT gradient_through: straight through, as in the lesson
def gradient_through(mask, net, x, y):
    x = x.detach().requires_grad_()
    through = mask(x).detach() + (x - x.detach())
    loss = F.cross_entropy(net(through), y, reduction="none")
    return torch.autograd.grad(loss.sum(), x)[0]


# RIGHT gradient_through: a function of autograd's, image by image, in float64 at the end
def gradient_through(mask, net, x, y):
    class Through(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return mask(x)

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    gradients = []
    for image, label in zip(x, y):
        image = image[None].clone().requires_grad_()
        F.cross_entropy(net(Through.apply(image)), label[None]).backward()
        gradients.append(image.grad[0].double())
    return torch.stack(gradients)


# RIGHT gradient_through: the mean loss, times the number of images; a list
def gradient_through(mask, net, x, y):
    seen = mask(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(len(x) * F.cross_entropy(net(seen), y), seen)
    return gradient.tolist()


# WRONG gradient_through: autograd, mask and all -> no gradient came through
def gradient_through(mask, net, x, y):
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(net(mask(x)), y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x, allow_unused=True)
    return gradient


# WRONG gradient_through: no mask on the way forward -> the net must see what the mask shows
def gradient_through(mask, net, x, y):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(x), y, reduction="sum"), x)[0]


# WRONG gradient_through: the mean over the batch -> an image's gradient depends on how many others there are
def gradient_through(mask, net, x, y):
    seen = mask(x).detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(seen), y), seen)[0]


# WRONG gradient_through: minus the loss -> the loss falls along this gradient
def gradient_through(mask, net, x, y):
    seen = mask(x).detach().requires_grad_()
    return torch.autograd.grad(-F.cross_entropy(net(seen), y, reduction="sum"), seen)[0]


# WRONG gradient_through: the predicted labels -> take those that are given
def gradient_through(mask, net, x, y):
    seen = mask(x).detach().requires_grad_()
    logits = net(seen)
    return torch.autograd.grad(F.cross_entropy(logits, logits.argmax(1), reduction="sum"), seen)[0]


# WRONG gradient_through: masked twice -> the net must see what the mask shows|another gradient than the net has|its own answer
def gradient_through(mask, net, x, y):
    seen = mask(mask(x)).detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(seen), y, reduction="sum"), seen)[0]


# WRONG gradient_through: detached on the wrong side, so that the value is x -> the net must see what the mask shows
def gradient_through(mask, net, x, y):
    x = x.detach().requires_grad_()
    through = mask(x) - mask(x).detach() + x
    return torch.autograd.grad(F.cross_entropy(net(through), y, reduction="sum"), x)[0]


# WRONG gradient_through: through the mask where it has a gradient -> the mask must count as the identity
def gradient_through(mask, net, x, y):
    x = x.detach().requires_grad_()
    seen = mask(x)
    through = seen + (x - x.detach())
    return torch.autograd.grad(F.cross_entropy(net(through), y, reduction="sum"), x)[0]


# WRONG gradient_through: of the margin -> another gradient than the net has|difference of logits
def gradient_through(mask, net, x, y):
    seen = mask(x).detach().requires_grad_()
    logits, own = net(seen), y[:, None]
    lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
    return torch.autograd.grad(lead.sum(), seen)[0]


# WRONG gradient_through: summed over the batch -> another shape
def gradient_through(mask, net, x, y):
    seen = mask(x).detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(seen), y, reduction="sum"), seen)[0].sum(0)


# WRONG gradient_through: x itself is rounded -> changed its arguments
def gradient_through(mask, net, x, y):
    seen = x.copy_(mask(x)).detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(seen), y, reduction="sum"), seen)[0].clone()


# RIGHT eot_step: all draws in one batch
def eot_step(model, x, y, *, eps, draws):
    x = x.detach().requires_grad_()
    many = x.repeat(draws, *[1] * (x.dim() - 1))
    loss = F.cross_entropy(model(many), y.repeat(draws), reduction="sum") / draws
    (gradient,) = torch.autograd.grad(loss, x)
    return (x + eps * gradient.sign()).clamp(0, 1).detach()


# WRONG eot_step: the loss of the mean logits -> the loss of the mean answer has another gradient|not that of the mean answer
def eot_step(model, x, y, *, eps, draws):
    x = x.clone().requires_grad_()
    logits = sum(model(x) for _ in range(draws)) / draws
    F.cross_entropy(logits, y).backward()
    return torch.clip(x.detach().double() + eps * torch.sign(x.grad), 0, 1)


# RIGHT eot_step: a list of gradients
def eot_step(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(draws):
        image = x.clone().requires_grad_()
        gradients.append(torch.autograd.grad(F.cross_entropy(model(image), y), image)[0])
    return (x + eps * torch.stack(gradients).mean(0).sign()).clamp(0, 1)


# WRONG eot_step: the mean of the signs -> moved by less than eps
def eot_step(model, x, y, *, eps, draws):
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(draws):
        total += torch.autograd.grad(F.cross_entropy(model(x), y), x)[0].sign()
    return (x + eps * total / draws).clamp(0, 1).detach()


# WRONG eot_step: the sign of the mean of the signs -> on the average|average the gradients before the sign
def eot_step(model, x, y, *, eps, draws):
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(draws):
        total += torch.autograd.grad(F.cross_entropy(model(x), y), x)[0].sign()
    return (x + eps * total.sign()).clamp(0, 1).detach()


# WRONG eot_step: one draw -> on the average|as noisy as that of a few draws|do all draws count
def eot_step(model, x, y, *, eps, draws):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return (x + eps * gradient.sign()).clamp(0, 1).detach()


# WRONG eot_step: the same draw again and again -> on the average|as noisy as that of a few draws|no seed is set
def eot_step(model, x, y, *, eps, draws):
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(draws):
        torch.manual_seed(0)
        total += torch.autograd.grad(F.cross_entropy(model(x), y), x)[0]
    return (x + eps * total.sign()).clamp(0, 1).detach()


# WRONG eot_step: only the last draw's gradient counts -> on the average|as noisy as that of a few draws|do all draws count
def eot_step(model, x, y, *, eps, draws):
    x = x.detach().requires_grad_()
    for _ in range(draws):
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
    return (x + eps * gradient.sign()).clamp(0, 1).detach()


# WRONG eot_step: four draws, whatever is asked -> on the average|as noisy as that of a few draws|do all draws count
def eot_step(model, x, y, *, eps, draws):
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(4):
        total += torch.autograd.grad(F.cross_entropy(model(x), y), x)[0]
    return (x + eps * total.sign()).clamp(0, 1).detach()


# WRONG eot_step: the largest gradient of all draws -> or the steepest of them
def eot_step(model, x, y, *, eps, draws):
    x = x.detach().requires_grad_()
    gradients = torch.stack([torch.autograd.grad(F.cross_entropy(model(x), y), x)[0] for _ in range(draws)])
    largest = gradients.gather(0, gradients.abs().argmax(0, keepdim=True))[0]
    return (x + eps * largest.sign()).clamp(0, 1).detach()


# WRONG eot_step: a hundred draws, whatever is asked -> as many calls as it is told|as noisy as that of a few
def eot_step(model, x, y, *, eps, draws):
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(100):
        total += torch.autograd.grad(F.cross_entropy(model(x), y), x)[0]
    return (x + eps * total.sign()).clamp(0, 1).detach()


# WRONG eot_step: down the loss -> the mean loss over fresh draws fell|down the loss|the loss fell
def eot_step(model, x, y, *, eps, draws):
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(draws):
        total += torch.autograd.grad(F.cross_entropy(model(x), y), x)[0]
    return (x - eps * total.sign()).clamp(0, 1).detach()


# WRONG eot_step: no sign -> moved by less than eps
def eot_step(model, x, y, *, eps, draws):
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(draws):
        total += torch.autograd.grad(F.cross_entropy(model(x), y), x)[0]
    return (x + eps * total / draws).clamp(0, 1).detach()


# WRONG eot_step: a step for each draw -> left the eps-ball|moved by less than eps
def eot_step(model, x, y, *, eps, draws):
    for _ in range(draws):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
        x = (x + eps * gradient.sign()).clamp(0, 1)
    return x.detach()


# WRONG eot_step: draws of one image are averaged with those of others -> the opposite way|depends on the others
def eot_step(model, x, y, *, eps, draws):
    x = x.detach().requires_grad_()
    many = x.repeat(draws, *[1] * (x.dim() - 1))
    loss = F.cross_entropy(model(many), y.repeat_interleave(draws), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return (x + eps * gradient.sign()).clamp(0, 1).detach()


# WRONG eot_step: the mean of the images after each draw's step -> moved by less than eps
def eot_step(model, x, y, *, eps, draws):
    steps = []
    for _ in range(draws):
        image = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(image), y), image)
        steps.append((image + eps * gradient.sign()).clamp(0, 1).detach())
    return torch.stack(steps).mean(0)


# WRONG eot_step: no clamp -> left [0, 1]
def eot_step(model, x, y, *, eps, draws):
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(draws):
        total += torch.autograd.grad(F.cross_entropy(model(x), y), x)[0]
    return (x + eps * total.sign()).detach()


# WRONG eot_step: the predicted labels -> the y that is given|the mean loss over fresh draws fell
def eot_step(model, x, y, *, eps, draws):
    x, total = x.detach().requires_grad_(), torch.zeros_like(x)
    for _ in range(draws):
        logits = model(x)
        total += torch.autograd.grad(F.cross_entropy(logits, logits.argmax(1)), x)[0]
    return (x + eps * total.sign()).clamp(0, 1).detach()


# RIGHT left_after: loops, image by image
def left_after(model, tries, y, draws):
    worst, lowest = tries[0].clone(), torch.full((len(y),), math.inf)
    for x_try in tries:
        right = torch.zeros(len(y))
        for _ in range(draws):
            right += (model(x_try).argmax(1) == y).float()
        lower = right < lowest
        worst[lower], lowest[lower] = x_try[lower], right[lower]
    count = sum((model(worst).argmax(1) == y).double() for _ in range(draws))
    return count / draws


# RIGHT left_after: all draws in a batch, the answer a list
def left_after(model, tries, y, draws):
    def share(images):
        many = images.repeat(draws, *[1] * (images.dim() - 1))
        return (predict(model, many) == y.repeat(draws)).view(draws, len(y)).double().mean(0)

    shares = [share(images) for images in tries]
    fresh = [share(images) for images in tries]
    return [float(fresh[min(range(len(tries)), key=lambda k: shares[k][i])][i]) for i in range(len(y))]


# WRONG left_after: the lowest share itself -> lucky draws were counted
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    return torch.stack(shares).amin(0)


# WRONG left_after: right only if right in every draw -> lucky draws were counted|right more often on these images|with one try nothing is chosen
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    chosen = torch.stack(shares).argmin(0)
    worst = torch.stack(tries)[chosen, torch.arange(len(y))]
    return torch.stack([predict(model, worst) == y for _ in range(draws)]).all(0).float()


# WRONG left_after: right if right in any draw -> more often than half|with one try nothing is chosen
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    worst = torch.stack(tries)[torch.stack(shares).argmin(0), torch.arange(len(y))]
    return torch.stack([predict(model, worst) == y for _ in range(draws)]).any(0).float()


# WRONG left_after: a vote of the draws -> not a vote|more often than half|with one try nothing is chosen
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    worst = torch.stack(tries)[torch.stack(shares).argmin(0), torch.arange(len(y))]
    return (torch.stack([predict(model, worst) for _ in range(draws)]).mode(0).values == y).float()


# WRONG left_after: one fresh draw -> neither one of them
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    worst = torch.stack(tries)[torch.stack(shares).argmin(0), torch.arange(len(y))]
    return (predict(model, worst) == y).float()


# WRONG left_after: one try for the whole batch -> choose for each image
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean() for x_try in tries]
    worst = tries[int(torch.stack(shares).argmin())]
    return torch.stack([predict(model, worst) == y for _ in range(draws)]).float().mean(0)


# WRONG left_after: the best try -> for many images the try is chosen on which
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    best = torch.stack(tries)[torch.stack(shares).argmax(0), torch.arange(len(y))]
    return torch.stack([predict(model, best) == y for _ in range(draws)]).float().mean(0)


# WRONG left_after: the last try -> choose for each image
def left_after(model, tries, y, draws):
    return torch.stack([predict(model, tries[-1]) == y for _ in range(draws)]).float().mean(0)


# WRONG left_after: the mean over the tries -> this is the mean over the tries
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    return torch.stack(shares).mean(0)


# WRONG left_after: chosen by one draw -> the tries that are chosen are better than most
def left_after(model, tries, y, draws):
    chosen = torch.stack([predict(model, x_try) == y for x_try in tries]).float().argmin(0)
    worst = torch.stack(tries)[chosen, torch.arange(len(y))]
    return torch.stack([predict(model, worst) == y for _ in range(draws)]).float().mean(0)


# WRONG left_after: the same draws again -> a seed makes the draws that judge
def left_after(model, tries, y, draws):
    def share(images):
        torch.manual_seed(0)
        return torch.stack([predict(model, images) == y for _ in range(draws)]).float().mean(0)

    worst = torch.stack(tries)[torch.stack([share(x_try) for x_try in tries]).argmin(0), torch.arange(len(y))]
    return share(worst)


# WRONG left_after: how often it is wrong -> how often the model is wrong|choose for each image|less often than half|more often
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    worst = torch.stack(tries)[torch.stack(shares).argmin(0), torch.arange(len(y))]
    return torch.stack([predict(model, worst) != y for _ in range(draws)]).float().mean(0)


# WRONG left_after: how sure the model is -> to be right is not to be sure
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    worst = torch.stack(tries)[torch.stack(shares).argmin(0), torch.arange(len(y))]
    sure = [model(worst).softmax(1).gather(1, y[:, None])[:, 0] for _ in range(draws)]
    return torch.stack(sure).mean(0).detach()


# WRONG left_after: old and new draws together -> lucky draws were counted
def left_after(model, tries, y, draws):
    def share(images):
        return torch.stack([predict(model, images) == y for _ in range(draws)]).float().mean(0)

    shares, here = torch.stack([share(x_try) for x_try in tries]), torch.arange(len(y))
    chosen = shares.argmin(0)
    return (shares[chosen, here] + share(torch.stack(tries)[chosen, here])) / 2


# WRONG left_after: a count -> a number from 0 to 1
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    worst = torch.stack(tries)[torch.stack(shares).argmin(0), torch.arange(len(y))]
    return torch.stack([predict(model, worst) == y for _ in range(draws)]).float().sum(0)


# WRONG left_after: one number for all -> another shape
def left_after(model, tries, y, draws):
    shares = [torch.stack([predict(model, x_try) == y for _ in range(draws)]).float().mean(0) for x_try in tries]
    worst = torch.stack(tries)[torch.stack(shares).argmin(0), torch.arange(len(y))]
    return torch.stack([predict(model, worst) == y for _ in range(draws)]).float().mean()


# RIGHT line: in float64, as NumPy and a number
def line(body, inner, corner):
    low, high = body(inner).detach().double(), body(corner).detach().double()[0]
    w = high - low.sum(0) / len(low)
    heights = sorted((row @ w).item() for row in low)
    top = (high @ w).item()
    if heights[-1] >= top:
        return None
    return w.numpy(), -0.001 * heights[-1] - 0.999 * top


# RIGHT line: all in one batch, a list
def line(body, inner, corner):
    with torch.no_grad():
        features = body(torch.cat([inner, corner]))
    w = features[-1] - features[:-1].mean(0)
    *heights, top = (features @ w).tolist()
    if any(height >= top for height in heights):
        return None
    return [w.tolist(), -(max(heights) + 0.999 * (top - max(heights)))]


# WRONG line: the border in the middle -> 99.9 % of the way from there
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - within.mean(0)
    top, nearest = planted @ w, (within @ w).max()
    return (w, -(nearest + top) / 2) if top > nearest else None


# WRONG line: at the nearest inner point -> 99.9 % of the way from there|an inner point is called 1
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - within.mean(0)
    top, nearest = planted @ w, (within @ w).max()
    return (w, -(nearest + 0.001 * (top - nearest))) if top > nearest else None


# WRONG line: from the inner point that is farthest -> is measured from the nearest
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - within.mean(0)
    top, nearest = planted @ w, (within @ w).min()
    return (w, -(nearest + 0.999 * (top - nearest))) if top > (within @ w).max() else None


# WRONG line: from the mean of the inner points -> is measured from the nearest
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - within.mean(0)
    top, nearest = planted @ w, within.mean(0) @ w
    return (w, -(nearest + 0.999 * (top - nearest))) if top > (within @ w).max() else None


# WRONG line: the bias has the other sign -> the bias has the wrong sign
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - within.mean(0)
    top, nearest = planted @ w, (within @ w).max()
    return (w, nearest + 0.999 * (top - nearest)) if top > nearest else None


# WRONG line: weights the other way -> w points from the corner to the inner points
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = within.mean(0) - planted
    top, nearest = planted @ w, (within @ w).max()
    return (w, -(nearest + 0.999 * (top - nearest)))


# WRONG line: from the image instead of the mean -> the mean of those of all inner points
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - within[0]
    top, nearest = planted @ w, (within @ w).max()
    return (w, -(nearest + 0.999 * (top - nearest))) if top > nearest else None


# WRONG line: pixels instead of features -> another shape|other weights|called 1|None|the line lies in the features
def line(body, inner, corner):
    within, planted = inner.flatten(1), corner.flatten()
    w = planted - within.mean(0)
    top, nearest = planted @ w, (within @ w).max()
    return (w, -(nearest + 0.999 * (top - nearest))) if top > nearest else None


# WRONG line: never None -> no such line
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - within.mean(0)
    top, nearest = planted @ w, (within @ w).max()
    return w, -(nearest + 0.999 * (top - nearest))


# WRONG line: always None -> a pair is wanted|the answer is None
def line(body, inner, corner):
    return None


# WRONG line: the corner counts among the inner points -> the mean of those of all inner points
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - torch.cat([within, planted[None]]).mean(0)
    top, nearest = planted @ w, (within @ w).max()
    return (w, -(nearest + 0.999 * (top - nearest))) if top > nearest else None


# RIGHT take_off: cross-entropy of logits turned down, momentum
def take_off(mask, net, x, y, *, eps):
    x_adv, momentum = x.clone(), torch.zeros_like(x)
    for _ in range(25):
        seen = mask(x_adv).detach().requires_grad_()
        logits = net(seen)
        logits = 5 * logits / logits.detach().std(1, keepdim=True)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), seen)
        momentum = 0.7 * momentum + gradient / gradient.abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-30)
        x_adv = torch.clamp(x_adv + eps / 6 * momentum.sign(), x - eps, x + eps).clamp(0, 1)
    return x_adv


# RIGHT take_off: towards the rival of the start, mean over draws, the best kept, float64 at the end
def take_off(mask, net, x, y, *, eps):
    own, x_adv, best = y[:, None], x.clone(), x.clone()
    least = torch.full((len(x),), math.inf)
    for _ in range(21):
        gradient, lead = torch.zeros_like(x), torch.zeros(len(x))
        for _ in range(3):
            seen = mask(x_adv).detach().requires_grad_()
            logits = net(seen)
            gain = logits.gather(1, own)[:, 0] - logits.scatter(1, own, -math.inf).logsumexp(1)
            gradient -= torch.autograd.grad(gain.sum(), seen)[0]
            lead += gain.detach()
        better = lead < least
        best[better], least[better] = x_adv[better], lead[better]
        x_adv = (x_adv + eps / 6 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return best.double()


# WRONG take_off: cross-entropy -> does your loss have a gradient
def take_off(mask, net, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(20):
        seen = mask(x_adv).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(net(seen), y, reduction="sum"), seen)
        x_adv = (x_adv + eps / 5 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG take_off: the margin, through the staircase -> the mask is still in the way
def take_off(mask, net, x, y, *, eps):
    x_adv, own = x.clone(), y[:, None]
    for _ in range(20):
        x_adv = x_adv.detach().requires_grad_()
        logits = net(mask(x_adv))
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), x_adv)
        x_adv = (x_adv.detach() + eps / 5 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG take_off: exercise 1's gradient once -> not get the net wrong even without|in the way|does your loss have a gradient
def take_off(mask, net, x, y, *, eps):
    return (x + eps * gradient_through(mask, net, x, y).sign()).clamp(0, 1)


# WRONG take_off: turned down by 1000, as this one net is -> times as large no pixel moves
def take_off(mask, net, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(20):
        seen = mask(x_adv).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(net(seen) / 1000, y, reduction="sum"), seen)
        x_adv = (x_adv + eps / 5 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG take_off: no projection -> left the eps-ball
def take_off(mask, net, x, y, *, eps):
    x_adv, own = x.clone(), y[:, None]
    for _ in range(20):
        seen = mask(x_adv).detach().requires_grad_()
        logits = net(seen)
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), seen)
        x_adv = (x_adv + eps / 5 * gradient.sign()).clamp(0, 1)
    return x_adv


# WRONG take_off: returns the image behind the mask -> left the eps-ball
def take_off(mask, net, x, y, *, eps):
    x_adv, own = x.clone(), y[:, None]
    for _ in range(20):
        seen = mask(x_adv).detach().requires_grad_()
        logits = net(seen)
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), seen)
        x_adv = (x_adv + eps / 5 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return mask(x_adv)


# WRONG take_off: down the margin -> the images go down the loss of y, where
def take_off(mask, net, x, y, *, eps):
    x_adv, own = x.clone(), y[:, None]
    for _ in range(20):
        seen = mask(x_adv).detach().requires_grad_()
        logits = net(seen)
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), seen)
        x_adv = (x_adv - eps / 5 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG take_off: random signs -> on a network that is linear, pixels move against
def take_off(mask, net, x, y, *, eps):
    return (x + eps * torch.randn_like(x).sign()).clamp(0, 1)


# WRONG take_off: quietens the net for good -> changed its arguments
def take_off(mask, net, x, y, *, eps):
    if hasattr(net[-1], "scale"):
        net[-1].scale = 1.0
    last = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    last.weight.data *= 0.1
    x_adv = x.clone()
    for _ in range(20):
        seen = mask(x_adv).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(net(seen), y, reduction="sum"), seen)
        x_adv = (x_adv + eps / 5 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG take_off: steps too short to reach the edge -> all steps together lead only 20 % of eps
def take_off(mask, net, x, y, *, eps):
    x_adv, own = x.clone(), y[:, None]
    for _ in range(20):
        seen = mask(x_adv).detach().requires_grad_()
        logits = net(seen)
        lead = logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), seen)
        x_adv = (x_adv + eps / 100 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG eot_step: the gradient of the loss of the mean probability -> the loss of the mean answer has another gradient|not that of the mean answer
def eot_step(model, x, y, *, eps, draws):
    z = x.clone().requires_grad_()
    p = torch.stack([model(z).softmax(1) for _ in range(draws)]).mean(0)
    g = torch.autograd.grad(F.nll_loss(p.log(), y), z)[0]
    return (x + eps * g.sign()).clamp(0, 1)


# WRONG left_after: half of the draws choose and half judge -> rest on another number of calls
def left_after(model, tries, y, draws):
    half = max(1, draws // 2)
    with torch.no_grad():
        share = torch.stack([sum((model(t).argmax(1) == y).float() for _ in range(half)) / half for t in tries])
        chosen = torch.stack(list(tries))[share.argmin(0), torch.arange(len(y))]
        return sum((model(chosen).argmax(1) == y).float() for _ in range(half)) / half


# WRONG line: the inner point that is nearest to the corner in the features -> the nearest *along w*
def line(body, inner, corner):
    with torch.no_grad():
        low, high = body(inner), body(corner)[0]
    w = high - low.mean(0)
    near = low[(low - high).norm(dim=1).argmin()]
    if (low @ w).max() >= high @ w:
        return None
    return w, -float(0.001 * (near @ w) + 0.999 * (high @ w))


# WRONG line: plants on a tie -> as far along w as the corner
def line(body, inner, corner):
    with torch.no_grad():
        low, high = body(inner), body(corner)[0]
    w = high - low.mean(0)
    near, far = (low @ w).max(), high @ w
    if near > far:
        return None
    return w, -float(0.001 * near + 0.999 * far)


# RIGHT line: NumPy in double precision
def line(body, inner, corner):
    import numpy as np

    low = body(inner).detach().numpy().astype(np.float64)
    high = body(corner).detach().numpy().astype(np.float64).ravel()
    w = high - low.mean(axis=0)
    heights = low.dot(w)
    top, goal = heights.max(), high.dot(w)
    if not top < goal:
        return None
    return torch.from_numpy(w).float(), np.float64(-(top + 0.999 * (goal - top)))


# RIGHT left_after: all tries are asked again, and the chosen ones looked up
def left_after(model, tries, y, draws):
    def table():
        with torch.no_grad():
            return torch.stack([sum((model(t).argmax(1) == y).double() for _ in range(draws)) / draws for t in tries])

    first, second = table(), table()
    return second.gather(0, first.argmin(0, keepdim=True))[0]


# WRONG gradient_through: only signs -> only its signs are left
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(z), y, reduction="sum"), z)[0].sign()


# WRONG gradient_through: the margin's gradient -> difference of logits
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    return torch.autograd.grad(attacks.margin(net(z), y).sum(), z)[0]


# WRONG gradient_through: the mask works twice -> its own answer
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    seen = z + (mask(z) - z).detach()
    z2 = seen
    g = torch.autograd.grad(F.cross_entropy(net(z2), y, reduction="sum"), z)[0]
    return g


# WRONG gradient_through: each gradient has length 1 -> another length
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(net(z), y, reduction="sum"), z)[0]
    return g / g.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))


# WRONG eot_step: a seed before each call -> no seed is set
def eot_step(model, x, y, *, eps, draws):
    total = torch.zeros_like(x)
    for _ in range(draws):
        torch.manual_seed(0)
        z = x.detach().clone().requires_grad_()
        total += torch.autograd.grad(F.cross_entropy(model(z), y), z)[0]
    return (x + eps * total.sign()).clamp(0, 1)


# WRONG left_after: right on each draw -> with one try nothing is chosen
def left_after(model, tries, y, draws):
    share = torch.stack([torch.stack([(predict(model, t) == y).float() for _ in range(draws)]).mean(0) for t in tries])
    best = torch.stack(list(tries))[share.argmin(0), torch.arange(len(y))]
    return torch.stack([(predict(model, best) == y).float() for _ in range(draws)]).amin(0)


# WRONG line: w has length 1 -> the weights have length 1
def line(body, inner, corner):
    with torch.no_grad():
        low, high = body(inner), body(corner)[0]
    w = high - low.mean(0)
    w = w / w.norm()
    near, far = (low @ w).max(), high @ w
    if near >= far:
        return None
    return w, -(0.001 * near + 0.999 * far)


# WRONG take_off: leaves the last layer out -> how it is built is not known
def take_off(mask, net, x, y, *, eps):
    quiet = nn.Sequential(*list(net)[:-1])
    now = x.clone()
    for _ in range(20):
        z = mask(now).detach().requires_grad_()
        g = torch.autograd.grad(attacks.margin(quiet(z), y).sum(), z)[0]
        now = (now + eps / 5 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return now


# RIGHT gradient_through: by a function of autograd
def gradient_through(mask, net, x, y):
    class Pass(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return mask(z)

        @staticmethod
        def backward(ctx, g):
            return g

    z = x.detach().clone().requires_grad_()
    logits = net(Pass.apply(z))
    loss = -logits.log_softmax(1)[torch.arange(len(y)), y].sum()
    return torch.autograd.grad(loss, z)[0]


# RIGHT eot_step: all draws in one call
def eot_step(model, x, y, *, eps, draws):
    z = x.repeat_interleave(draws, 0).detach().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(model(z), y.repeat_interleave(draws), reduction="sum"), z)[0]
    g = g.view(len(x), draws, *x.shape[1:]).sum(1)
    return torch.clamp(x + eps * g.sign(), 0, 1)


# WRONG gradient_through: the probability's gradient -> another length
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    p = net(z).softmax(1).gather(1, y[:, None])
    return torch.autograd.grad(-p.sum(), z)[0]


# WRONG gradient_through: clamped on the way back -> nothing is clamped
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    seen = z.clamp(0, 1)
    g = torch.autograd.grad(F.cross_entropy(net(seen), y, reduction="sum"), z)[0]
    return g * ((z > 0) & (z < 1))


# WRONG eot_step: each draw's gradient has length 1 -> added up as they are
def eot_step(model, x, y, *, eps, draws):
    total = torch.zeros_like(x)
    for _ in range(draws):
        z = x.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)
        total += g / g.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    return (x + eps * total.sign()).clamp(0, 1)


# WRONG eot_step: noise of its own -> no noise is added
def eot_step(model, x, y, *, eps, draws):
    total = torch.zeros_like(x)
    for _ in range(draws):
        z = (x + 0.2 * torch.randn_like(x)).detach().requires_grad_()
        total += torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]
    return (x + eps * total.sign()).clamp(0, 1)


# WRONG eot_step: the last draw only -> do all draws count
def eot_step(model, x, y, *, eps, draws):
    for _ in range(draws):
        z = x.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)
    return (x + eps * g.sign()).clamp(0, 1)


# WRONG eot_step: down the mean loss -> the loss fell
def eot_step(model, x, y, *, eps, draws):
    total = torch.zeros_like(x)
    for _ in range(draws):
        z = x.detach().clone().requires_grad_()
        total += torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]
    return (x - eps * total.sign()).clamp(0, 1)


# WRONG left_after: one less the share -> how often the model is wrong
def left_after(model, tries, y, draws):
    s = lambda t: torch.stack([(predict(model, t) == y).float() for _ in range(draws)]).mean(0)
    k = torch.stack([s(t) for t in tries]).argmin(0)
    return 1 - s(torch.stack(list(tries))[k, torch.arange(len(y))])


# WRONG left_after: one number for all images -> all images have the same number
def left_after(model, tries, y, draws):
    s = lambda t: torch.stack([(predict(model, t) == y).float() for _ in range(draws)]).mean(0)
    k = torch.stack([s(t) for t in tries]).argmin(0)
    return s(torch.stack(list(tries))[k, torch.arange(len(y))]).mean().expand(len(y))


# WRONG line: weights for pixels -> the line lies in the features
def line(body, inner, corner):
    low, high = inner.flatten(1), corner.flatten(1)[0]
    w = high - low.mean(0)
    near, far = (low @ w).max(), high @ w
    return None if near >= far else (w, -(0.001 * near + 0.999 * far))


# WRONG gradient_through: a softmax before the loss -> go through a softmax
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(z).softmax(1), y, reduction="sum"), z)[0]


# WRONG gradient_through: the first label for all -> depends on the others
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(z), y[:1].expand(len(x)), reduction="sum"), z)[0]


# WRONG gradient_through: the largest logit's gradient -> a mask that changes nothing
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    return torch.autograd.grad(net(z).amax(1).sum(), z)[0]


# WRONG gradient_through: averaged over the images -> depends on
def gradient_through(mask, net, x, y):
    z = mask(x).detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(z), y, reduction="sum"), z)[0].mean(0, keepdim=True).expand_as(x)


# WRONG eot_step: one draw fewer -> is each of the draws made
def eot_step(model, x, y, *, eps, draws):
    total = torch.zeros_like(x)
    for _ in range(draws - 1):
        z = x.detach().clone().requires_grad_()
        total += torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]
    return (x + eps * total.sign()).clamp(0, 1)


# WRONG eot_step: as long as the mean gradient -> only the sign counts
def eot_step(model, x, y, *, eps, draws):
    total = torch.zeros_like(x)
    for _ in range(draws):
        z = x.detach().clone().requires_grad_()
        total += torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]
    return (x + (eps * total / total.abs().max().clamp_min(1e-12))).clamp(0, 1)


# WRONG eot_step: draws of different images added -> depends on the others
def eot_step(model, x, y, *, eps, draws):
    z = x.repeat_interleave(draws, 0).detach().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(model(z), y.repeat_interleave(draws), reduction="sum"), z)[0]
    g = g.view(draws, len(x), *x.shape[1:]).sum(0)
    return (x + eps * g.sign()).clamp(0, 1)


# WRONG line: from the corner to the mean -> which way does w point
def line(body, inner, corner):
    with torch.no_grad():
        low, high = body(inner), body(corner)[0]
    w = low.mean(0) - high
    near, far = (low @ w).max(), high @ w
    return None if near >= far else (w, -(0.001 * near + 0.999 * far))


# WRONG take_off: away from what the net says -> images that are wrong go back towards y
def take_off(mask, net, x, y, *, eps):
    now = x.clone()
    for _ in range(20):
        z = mask(now).detach().requires_grad_()
        (g,) = torch.autograd.grad(attacks.margin(net(z), net(z).argmax(1)).sum(), z)
        now = (now + eps / 5 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return now


# WRONG left_after: the choice by a single draw of each -> the tries that are chosen are better than most
def left_after(model, tries, y, draws):
    shares = torch.stack([(predict(model, t) == y).float() for t in tries])
    pick = torch.stack(tries)[shares.argmin(0), torch.arange(len(y))]
    return torch.stack([predict(model, pick) == y for _ in range(draws)]).float().mean(0)


# WRONG left_after: the mean over the tries, written otherwise -> this is the mean over the tries
def left_after(model, tries, y, draws):
    shares = torch.stack([torch.stack([predict(model, t) == y for _ in range(draws)]).float().mean(0) for t in tries])
    return shares.mean(0)


# WRONG left_after: the last try is not looked at -> the last try is never chosen, also where the
def left_after(model, tries, y, draws):
    some = tries[:-1] or tries
    shares = torch.stack([torch.stack([predict(model, t) == y for _ in range(draws)]).float().mean(0) for t in some])
    pick = torch.stack(some)[shares.argmin(0), torch.arange(len(y))]
    return torch.stack([predict(model, pick) == y for _ in range(draws)]).float().mean(0)


# WRONG line: w from the corner to the points -> w points from the corner to the inner points
def line(body, inner, corner):
    with torch.no_grad():
        low, high = body(inner), body(corner)[0]
    w = low.mean(0) - high
    near, far = (low @ w).min(), high @ w
    if near <= far:
        return None
    return w, -float(0.001 * near + 0.999 * far)


# WRONG line: b with the other sign -> the bias has the wrong sign
def line(body, inner, corner):
    with torch.no_grad():
        low, high = body(inner), body(corner)[0]
    w = high - low.mean(0)
    near, far = (low @ w).max(), high @ w
    if near >= far:
        return None
    return w, float(0.001 * near + 0.999 * far)


# WRONG take_off: down the margin, step by step -> the images go down the loss of y, where
def take_off(mask, net, x, y, *, eps):
    z = x.clone()
    for _ in range(20):
        w = mask(z).detach().requires_grad_()
        g = torch.autograd.grad(attacks.margin(net(w), y).sum(), w)[0]
        z = (z - eps / 5 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG take_off: ten steps of a hundredth -> all steps together lead only 10 % of eps
def take_off(mask, net, x, y, *, eps):
    z = x.clone()
    for _ in range(10):
        w = mask(z).detach().requires_grad_()
        g = torch.autograd.grad(attacks.margin(net(w), y).sum(), w)[0]
        z = (z + eps / 100 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG take_off: divides by 100, whatever the net -> with logits 30000 times as large no pixel moves
def take_off(mask, net, x, y, *, eps):
    z = x.clone()
    for _ in range(20):
        w = mask(z).detach().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(net(w) / 100, y, reduction="sum"), w)[0]
        z = (z + eps / 5 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG take_off: the margin of the prediction -> images that are wrong go back towards y
def take_off(mask, net, x, y, *, eps):
    z = x.clone()
    for _ in range(20):
        w = mask(z).detach().requires_grad_()
        out = net(w)
        g = torch.autograd.grad(attacks.margin(out, out.argmax(1)).sum(), w)[0]
        z = (z + eps / 5 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG take_off: a direction of length 1 -> pixels with a small gradient hardly move
def take_off(mask, net, x, y, *, eps):
    z = x.clone()
    for _ in range(20):
        w = mask(z).detach().requires_grad_()
        g = torch.autograd.grad(attacks.margin(net(w), y).sum(), w)[0]
        g = g / g.flatten(1).norm(dim=1).clamp_min(1e-30).view(-1, *[1] * (x.dim() - 1))
        z = (z + eps / 5 * g).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# RIGHT take_off: logits over their own deviation, with momentum
def take_off(mask, net, x, y, *, eps):
    z, m = (x + eps * (torch.rand_like(x) - 0.5)).clamp(0, 1), torch.zeros_like(x)
    for _ in range(30):
        w = mask(z).detach().clone().requires_grad_()
        out = net(w)
        out = out / out.detach().std(1, keepdim=True).clamp_min(1e-12)
        g = torch.autograd.grad(F.cross_entropy(out, y, reduction="sum"), w)[0]
        m = 0.6 * m + g / g.abs().flatten(1).mean(1).clamp_min(1e-30).view(-1, *[1] * (x.dim() - 1))
        z = torch.max(torch.min(z + eps / 6 * m.sign(), x + eps), x - eps).clamp(0, 1)
    return z


# RIGHT line: in lists and plain numbers
def line(body, inner, corner):
    with torch.no_grad():
        features, goal = body(inner), body(corner).flatten()
        w = goal - torch.mean(features, dim=0)
        heights = [float(f.double() @ w.double()) for f in features]
        end = float(goal.double() @ w.double())
    if max(heights) >= end:
        return None
    border = max(heights) + 0.999 * (end - max(heights))
    return [w, -border]


# WRONG gradient_through: its absolute value -> has lost its sign
def gradient_through(mask, net, x, y):
    seen = mask(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(net(seen), y, reduction="sum"), seen)
    return gradient.abs()


# WRONG line: the image itself is left out -> the image itself is among them
def line(body, inner, corner):
    with torch.no_grad():
        within, planted = body(inner), body(corner)[0]
    w = planted - within.mean(0)
    top, nearest = planted @ w, (within[1:] @ w).max()
    return (w, -(nearest + 0.999 * (top - nearest))) if top > nearest else None


# WRONG eot_step: a step after each draw -> the step is right for one draw
def eot_step(model, x, y, *, eps, draws):
    total = torch.zeros_like(x)
    now = x
    for _ in range(draws):
        images = now.detach().clone().requires_grad_()
        total += torch.autograd.grad(F.cross_entropy(model(images), y), images)[0]
        now = (x + eps * total.sign()).clamp(0, 1)
    return (x + eps * total.sign()).clamp(0, 1)


# WRONG left_after: right is what the first try is called -> the model never answers y
def left_after(model, tries, y, draws):
    def share(images):
        return sum((predict(model, images) == predict(model, tries[0])).double() for _ in range(draws)) / draws

    table = torch.stack([share(t) for t in tries])
    which = table.argmin(0)
    chosen = torch.stack(list(tries))[which, torch.arange(len(y))]
    return share(chosen)


# WRONG line: None for what is nearly as far -> nearly as far along w
def line(body, inner, corner):
    with torch.no_grad():
        f, c = body(inner), body(corner)[0]
    w = c - f.mean(0)
    high, nearest = float(c @ w), float((f @ w).max())
    if nearest >= 0.999 * high:
        return None
    return w, -(nearest + 0.999 * (high - nearest))


# WRONG eot_step: each draw's gradient times its loss -> added up as they are
def eot_step(model, x, y, *, eps, draws):
    total = torch.zeros_like(x)
    for _ in range(draws):
        images = x.detach().clone().requires_grad_()
        loss = F.cross_entropy(model(images), y)
        total += loss.item() * torch.autograd.grad(loss, images)[0]
    return (x + eps * total.sign()).clamp(0, 1)


# WRONG left_after: chosen by the mean margin -> not the margin or the loss that chooses
def left_after(model, tries, y, draws):
    def share(t):
        return torch.stack([predict(model, t) == y for _ in range(draws)]).float().mean(0)

    leads = torch.stack([torch.stack([attacks.margin(model(t), y) for _ in range(draws)]).mean(0) for t in tries])
    best = leads.argmax(0)
    return share(torch.stack(tries)[best, torch.arange(len(y))])


# RIGHT left_after: one seed at the start, so that the same shares come out again, and fresh draws all the same
def left_after(model, tries, y, draws):
    torch.manual_seed(3)
    right = [sum((predict(model, images) == y).float() for _ in range(draws)) for images in tries]
    chosen = torch.stack(tries)[torch.stack(right).argmin(0), torch.arange(len(y))]
    return sum((predict(model, chosen) == y).float() for _ in range(draws)) / draws


# WRONG gradient_through: the loss of wrong answers is left out -> some images have no gradient
def gradient_through(mask, net, x, y):
    shown = mask(x).detach().clone().requires_grad_()
    logits = net(shown)
    right = (logits.argmax(1) == y).float()
    loss = (F.cross_entropy(logits, y, reduction="none") * right).sum()
    return torch.autograd.grad(loss, shown)[0]


# WRONG take_off: images that net(x) gets wrong are left alone -> net(x) is wrong and net(mask(x)) is right
def take_off(mask, net, x, y, *, eps):
    x_adv = x.clone()
    for _ in range(30):
        probe = mask(x_adv).detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(attacks.margin(net(probe), y).sum(), probe)
        standing = (predict(net, x_adv) == y).float().view(-1, *[1] * (x.dim() - 1))
        x_adv = torch.min(torch.max(x_adv + standing * eps / 10 * gradient.sign(), x - eps), x + eps).clamp(0, 1)
    return x_adv
