"""Other answers to lab 07b, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT boxes: positive and negative weights apart
def boxes(layers, low, high):
    for i, (weight, bias) in enumerate(layers):
        if i > 0:
            low, high = low.clamp(min=0), high.clamp(min=0)
        up, down = weight.clamp(min=0), weight.clamp(max=0)
        low, high = low @ up.T + high @ down.T + bias, high @ up.T + low @ down.T + bias
    return low, high


# RIGHT boxes: image by image, as a list of two tensors
def boxes(layers, low, high):
    ends = [], []
    for a, b in zip(low, high):
        for i, (weight, bias) in enumerate(layers):
            products = torch.stack([weight * a, weight * b])
            a, b = products.amin(0).sum(1) + bias, products.amax(0).sum(1) + bias
            if i < len(layers) - 1:
                a, b = torch.relu(a), torch.relu(b)
        ends[0].append(a)
        ends[1].append(b)
    return [torch.stack(end) for end in ends]


# WRONG boxes: the ends go through the layer as they are -> a negative weight makes of the highest input the lowest value
def boxes(layers, low, high):
    for i, (weight, bias) in enumerate(layers):
        if i:
            low, high = low.relu(), high.relu()
        low, high = low @ weight.T + bias, high @ weight.T + bias
    return low, high


# WRONG boxes: the same, sorted afterwards -> each input may lie at its own worst end
def boxes(layers, low, high):
    for i, (weight, bias) in enumerate(layers):
        if i:
            low, high = low.relu(), high.relu()
        a, b = low @ weight.T + bias, high @ weight.T + bias
        low, high = torch.minimum(a, b), torch.maximum(a, b)
    return low, high


# WRONG boxes: the bias is added to the half width as well -> the box is one point: both ends are its
def boxes(layers, low, high):
    for i, (weight, bias) in enumerate(layers):
        if i:
            low, high = low.relu(), high.relu()
        middle, radius = (low + high) / 2 @ weight.T + bias, (high - low) / 2 @ weight.abs().T + bias
        low, high = middle - radius, middle + radius
    return low, high


# WRONG boxes: the whole width instead of half -> a box 2 wide, and a weight of 2: the end
def boxes(layers, low, high):
    for i, (weight, bias) in enumerate(layers):
        if i:
            low, high = low.relu(), high.relu()
        middle, radius = (low + high) / 2 @ weight.T + bias, (high - low) @ weight.abs().T
        low, high = middle - radius, middle + radius
    return low, high


# WRONG boxes: a ReLU after the last layer as well -> no ReLU stands before the first layer, and none after the last
def boxes(layers, low, high):
    for weight, bias in layers:
        middle, radius = (low + high) / 2 @ weight.T + bias, (high - low) / 2 @ weight.abs().T
        low, high = (middle - radius).relu(), (middle + radius).relu()
    return low, high


# WRONG boxes: no ReLU at all -> the ReLU between two layers cuts the low end at
def boxes(layers, low, high):
    for weight, bias in layers:
        middle, radius = (low + high) / 2 @ weight.T + bias, (high - low) / 2 @ weight.abs().T
        low, high = middle - radius, middle + radius
    return low, high


# WRONG boxes: what a thousand samples show -> x and -x are two inputs
def boxes(layers, low, high):
    found = [answers(layers, sample(a[None], b[None], 1000)) for a, b in zip(low, high)]
    return torch.stack([z.amin(0) for z in found]), torch.stack([z.amax(0) for z in found])


# WRONG boxes: ReLU on the middle and the half width -> the ReLU between two layers cuts the low end at
def boxes(layers, low, high):
    middle, radius = (low + high) / 2, (high - low) / 2
    for i, (weight, bias) in enumerate(layers):
        if i:
            middle = middle.relu()
        middle, radius = middle @ weight.T + bias, radius @ weight.abs().T
    return middle - radius, middle + radius


# RIGHT proved: all images at once, positive and negative weights apart
def proved(layers, points, labels, eps):
    low, high = (points - eps).clamp(0, 1), (points + eps).clamp(0, 1)
    for weight, bias in layers[:-1]:
        up, down = weight.clamp(min=0), weight.clamp(max=0)
        low, high = (low @ up.T + high @ down.T + bias).relu(), (high @ up.T + low @ down.T + bias).relu()
    weight, bias = layers[-1]
    lead = weight[labels][:, None] - weight
    least = (lead.clamp(min=0) * low[:, None] + lead.clamp(max=0) * high[:, None]).sum(2)
    least = least + bias[labels][:, None] - bias
    least[torch.arange(len(labels)), labels] = 1
    return (least > 0).all(1)


# RIGHT proved: class by class, as a list
def proved(layers, points, labels, eps):
    yes = []
    for point, label in zip(points, labels):
        sure = True
        for other in range(len(layers[-1][1])):
            if other != int(label):
                weight, bias = layers[-1]
                one = (weight[int(label)] - weight[other])[None], (bias[int(label)] - bias[other])[None]
                box = torch.clamp(point[None] - eps, 0, 1), torch.clamp(point[None] + eps, 0, 1)
                low, high = boxes(layers[:-1] + [one], *box)
                sure = sure and bool(low[0, 0] > 0)
        yes.append(sure)
    return yes


# WRONG proved: the bounds of the logits apart -> both logits move together
def proved(layers, points, labels, eps):
    low, high = boxes(layers, (points - eps).clamp(0, 1), (points + eps).clamp(0, 1))
    own = low.gather(1, labels[:, None])
    return (high.scatter(1, labels[:, None], -math.inf) < own).all(1)


# WRONG proved: the box leaves [0, 1] -> no input falls below 0
def proved(layers, points, labels, eps):
    *first, (weight, bias) = layers
    sure = []
    for point, label in zip(points, labels.tolist()):
        others = [c for c in range(len(bias)) if c != label]
        leads = [*first, (weight[label] - weight[others], bias[label] - bias[others])]
        low, _ = boxes(leads, point[None] - eps, point[None] + eps)
        sure.append(bool((low > 0).all()))
    return torch.tensor(sure)


# WRONG proved: the label against the class that is second without attack only -> class 2 is third here, and first within
def proved(layers, points, labels, eps):
    *first, (weight, bias) = layers
    sure = []
    for point, label in zip(points, labels.tolist()):
        z = answers(layers, point[None])[0]
        z[label] = -math.inf
        other = [int(z.argmax())]
        leads = [*first, (weight[label] - weight[other], bias[label] - bias[other])]
        low, _ = boxes(leads, (point[None] - eps).clamp(0, 1), (point[None] + eps).clamp(0, 1))
        sure.append(bool((low > 0).all()))
    return torch.tensor(sure)


# WRONG proved: at least one other class is beaten, instead of each -> label 1 leads class 2, and not class 0
def proved(layers, points, labels, eps):
    *first, (weight, bias) = layers
    sure = []
    for point, label in zip(points, labels.tolist()):
        others = [c for c in range(len(bias)) if c != label]
        leads = [*first, (weight[label] - weight[others], bias[label] - bias[others])]
        low, _ = boxes(leads, (point[None] - eps).clamp(0, 1), (point[None] + eps).clamp(0, 1))
        sure.append(bool((low > 0).any()))
    return torch.tensor(sure)


# WRONG proved: the model's own answer in place of the label -> class 0 leads, and the label is 1: the l
def proved(layers, points, labels, eps):
    *first, (weight, bias) = layers
    sure = []
    for point in points:
        label = int(answers(layers, point[None]).argmax())
        others = [c for c in range(len(bias)) if c != label]
        leads = [*first, (weight[label] - weight[others], bias[label] - bias[others])]
        low, _ = boxes(leads, (point[None] - eps).clamp(0, 1), (point[None] + eps).clamp(0, 1))
        sure.append(bool((low > 0).all()))
    return torch.tensor(sure)


# WRONG proved: the bias is forgotten in the differences -> class 0 leads by its bias
def proved(layers, points, labels, eps):
    *first, (weight, bias) = layers
    sure = []
    for point, label in zip(points, labels.tolist()):
        others = [c for c in range(len(bias)) if c != label]
        leads = [*first, (weight[label] - weight[others], 0 * bias[others])]
        low, _ = boxes(leads, (point[None] - eps).clamp(0, 1), (point[None] + eps).clamp(0, 1))
        sure.append(bool((low > 0).all()))
    return torch.tensor(sure)


# WRONG proved: no corner of a few hundred falls -> more proofs|another answer
def proved(layers, points, labels, eps):
    sure = []
    for point, label in zip(points, labels.tolist()):
        low, high = (point[None] - eps).clamp(0, 1), (point[None] + eps).clamp(0, 1)
        sure.append(bool((answers(layers, sample(low, high, 300)).argmax(1) == label).all()))
    return torch.tensor(sure)


# RIGHT refute: many starts on the rim, then a search along the gradient
def refute(model, point, radius):
    label = int(model(point).argmax(1))
    change = torch.randn(50, point.shape[1])
    change = change / change.norm(dim=1, keepdim=True) * radius * 0.9999
    for _ in range(60):
        there = (point + change).detach().requires_grad_()
        z = model(there)
        other = (z.argmax(1) != label).nonzero()
        if len(other):
            return there.detach()[int(other[0])][None]
        (gradient,) = torch.autograd.grad((z[:, 1 - label] - z[:, label]).sum(), there)
        change = change + 0.3 * radius * gradient / gradient.norm(dim=1, keepdim=True)
        change = change / change.norm(dim=1, keepdim=True) * radius * 0.9999
    return point


# RIGHT refute: Newton's steps to the boundary, a little too far, then back to the rim
def refute(model, point, radius):
    label, there = int(model(point).argmax(1)), point.clone()
    for _ in range(30):
        there = there.detach().requires_grad_()
        lead = model(there)[0, label] - model(there)[0, 1 - label]
        (gradient,) = torch.autograd.grad(lead, there)
        move = (there - 1.02 * lead * gradient / gradient.square().sum() - point).detach()
        there = point + move * min(1.0, 0.9999 * radius / float(move.norm()))
        if int(model(there).argmax(1)) != label:
            return there.detach()
    return point


# WRONG refute: no search -> does not refute
def refute(model, point, radius):
    return point


# WRONG refute: one step of half the length -> does not refute
def refute(model, point, radius):
    there = point.clone().requires_grad_()
    z = model(there)[0]
    label = int(z.argmax())
    (gradient,) = torch.autograd.grad(z[1 - label] - z[label], there)
    found = point + 0.5 * radius * gradient / gradient.norm()
    return found if int(model(found).argmax(1)) != label else point


# WRONG refute: the box of this half side -> nearer than the radius
def refute(model, point, radius):
    there = point.clone().requires_grad_()
    z = model(there)[0]
    label = int(z.argmax())
    (gradient,) = torch.autograd.grad(z[1 - label] - z[label], there)
    found = point + radius * gradient.sign()
    return found if int(model(found).argmax(1)) != label else point


# WRONG refute: returns the end of the walk, whatever its answer -> return the point itself
def refute(model, point, radius):
    there = point.clone().requires_grad_()
    z = model(there)[0]
    label = int(z.argmax())
    (gradient,) = torch.autograd.grad(z[1 - label] - z[label], there)
    return point + 0.99999 * radius * gradient / gradient.norm()


# WRONG refute: walks downhill -> does not refute
def refute(model, point, radius):
    label, there = int(model(point).argmax(1)), point.clone()
    for _ in range(30):
        there = there.detach().requires_grad_()
        z = model(there)[0]
        if int(z.argmax()) != label:
            return there.detach()
        (gradient,) = torch.autograd.grad(z[label] - z[1 - label], there)
        change = there.detach() + radius / 5 * gradient / gradient.norm() - point
        there = point + change * min(1, 0.99999 * radius / float(change.norm()))
    return point


# WRONG refute: random points of the rim only -> does not refute|stand whose boundary
def refute(model, point, radius):
    label = int(model(point).argmax(1))
    change = torch.randn(2000, point.shape[1])
    there = point + 0.9999 * radius * change / change.norm(dim=1, keepdim=True)
    other = (model(there).argmax(1) != label).nonzero()
    return there[int(other[0])][None] if len(other) else point


# WRONG refute: it leaves the ball when it has to -> nearer than the radius|return the point itself
def refute(model, point, radius):
    label, there = int(model(point).argmax(1)), point.clone()
    for _ in range(200):
        there = there.detach().requires_grad_()
        z = model(there)[0]
        if int(z.argmax()) != label:
            return there.detach()
        (gradient,) = torch.autograd.grad(z[1 - label] - z[label], there)
        there = there + 0.05 * gradient / gradient.norm()
    return point


# RIGHT sound_radius: with NumPy
def sound_radius(weight, bias, point):
    w, p, b = weight.numpy().astype("float64"), point.numpy().astype("float64"), float(bias)
    g = (len(w) + 2) * 2.0**-24
    room = g / (1 - g) * (abs(w).sum() + abs(b)) * 1.0001
    length = (w * w).sum() ** 0.5
    return max((abs(w @ p + b) - room) / length * (1 - 1e-8), 0)


# RIGHT sound_radius: a little more room than needed
def sound_radius(weight, bias, point):
    weight, point = weight.double(), point.double()
    n = len(weight) + 10
    off = n * 2**-24 / (1 - n * 2**-24) * (weight.abs().sum() + bias.double().abs())
    return float(((weight @ point + bias.double()).abs() - off).clamp(min=0) / weight.norm()) * (1 - 1e-9)


# RIGHT sound_radius: twice the room, which is within the 2 %
def sound_radius(weight, bias, point):
    weight, point = weight.double(), point.double()
    off = 2 * (len(weight) + 2) * 2**-24 * (weight.abs().sum() + bias.double().abs())
    return float(((weight @ point + bias.double()).abs() - off).clamp(min=0) / weight.norm()) * (1 - 1e-9)


# WRONG sound_radius: the distance in float32 -> the value is 0.0000002, and the model's
def sound_radius(weight, bias, point):
    return float((weight @ point + bias).abs() / weight.norm())


# WRONG sound_radius: the distance in float64 -> the value is 0.0000002, and the model's
def sound_radius(weight, bias, point):
    return abs(float(weight.double() @ point.double() + bias.double())) / float(weight.double().norm())


# WRONG sound_radius: a hundredth off for safety, whatever the sums -> the value is 0.0000002, and the model's
def sound_radius(weight, bias, point):
    return 0.99 * abs(float(weight.double() @ point.double() + bias.double())) / float(weight.double().norm())


# WRONG sound_radius: room at the point itself only -> may be 2 at another: the model is off there
def sound_radius(weight, bias, point):
    weight, bias, point = weight.double(), float(bias), point.double()
    n = len(weight) + 2
    off = n * 2**-24 / (1 - n * 2**-24) * (float((weight * point).abs().sum()) + abs(bias))
    return max((abs(float(weight @ point) + bias) - off) / float(weight.norm()), 0.0) * (1 - 1e-9)


# WRONG sound_radius: the room is not divided by the length of the weights -> it comes off the value, before that
def sound_radius(weight, bias, point):
    weight, bias, point = weight.double(), float(bias), point.double()
    n = len(weight) + 2
    off = n * 2**-24 / (1 - n * 2**-24) * (float(weight.abs().sum()) + abs(bias))
    return max(abs(float(weight @ point) + bias) / float(weight.norm()) - off, 0.0) * (1 - 1e-9)


# WRONG sound_radius: the bias is forgotten in the room -> the bias is one of the numbers that are added
def sound_radius(weight, bias, point):
    weight, bias, point = weight.double(), float(bias), point.double()
    n = len(weight) + 2
    off = n * 2**-24 / (1 - n * 2**-24) * float(weight.abs().sum())
    return max((abs(float(weight @ point) + bias) - off) / float(weight.norm()), 0.0) * (1 - 1e-9)


# WRONG sound_radius: it may be negative -> the value is 0, on the boundary: nothing
def sound_radius(weight, bias, point):
    weight, bias, point = weight.double(), float(bias), point.double()
    n = len(weight) + 2
    off = 1.001 * n * 2**-24 / (1 - n * 2**-24) * (float(weight.abs().sum()) + abs(bias))
    return (abs(float(weight @ point) + bias) - off) / float(weight.norm()) * (1 - 1e-9)


# WRONG sound_radius: the longest way that no number of a cube exceeds -> the L2 length of the weights alone is 5
def sound_radius(weight, bias, point):
    weight, bias, point = weight.double(), float(bias), point.double()
    return 0.5 * abs(float(weight @ point) + bias) / float(weight.abs().sum())


# WRONG proved: equal logits are enough -> the other logit is as high
def proved(layers, points, labels, eps):
    answer = []
    for p, label in zip(points, labels):
        low, high = (p - eps).clamp(0, 1)[None], (p + eps).clamp(0, 1)[None]
        w, b = layers[-1]
        last = (w[label] - w, b[label] - b)
        answer.append(bool((boxes([*layers[:-1], last], low, high)[0] >= 0).all()))
    return torch.tensor(answer)


# WRONG refute: stays in [0, 1] -> outside of [0, 1]|may lie outside of it
def refute(model, point, radius):
    before = int(model(point).argmax(1))
    z = point.clone()
    for t in range(400):
        z = z.detach().requires_grad_()
        out = model(z)
        if int(out.argmax(1)) != before and (z.detach().double() - point.double()).norm() < radius:
            return z.detach()
        g = torch.autograd.grad(out[0, 1 - before] - out[0, before], z)[0]
        z = z.detach() + 0.05 * radius * g / g.norm().clamp(min=1e-12)
        d = z - point
        z = (point + d * min(1.0, 0.99999 * radius / max(float(d.norm()), 1e-12))).clamp(0, 1)
    return point


# WRONG boxes: one box around the whole batch is used for every row -> the second of three boxes has other bounds
def boxes(layers, low, high):
    low, high = low.amin(0, keepdim=True).expand_as(low), high.amax(0, keepdim=True).expand_as(high)
    for i, (w, b) in enumerate(layers):
        m, r = (low + high) / 2, (high - low) / 2
        m, r = m @ w.T + b, r @ w.abs().T
        low, high = m - r, m + r
        if i < len(layers) - 1:
            low, high = low.relu(), high.relu()
    return low, high


# WRONG refute: stays exactly on the rim, measured in float32 -> not nearer
def refute(model, point, radius):
    x = point.clone()
    c = int(model(point).argmax())
    for _ in range(200):
        x = x.detach().requires_grad_()
        z = model(x)
        (g,) = torch.autograd.grad(z[0, 1 - c] - z[0, c], x)
        x = (x + 0.05 * radius * g / g.norm()).detach()
        x = point + (x - point) * radius / (x - point).norm()
    return x if int(model(x).argmax()) != c else point.clone()


# WRONG sound_radius: without an absolute value, so that a point with the answer no gets the radius 0 -> the value is below 0 here, -1.5: that is
def sound_radius(weight, bias, point):
    w, b, p = weight.double(), bias.double(), point.double()
    n, u = len(w), 2.0**-24
    err = (n + 2) * u / (1 - (n + 2) * u) * float(w.abs().sum() + b.abs())
    return max(0.0, (float(w @ p + b) - err) / float(w.norm()))


# RIGHT boxes: in float64, positive and negative weights apart
def boxes(layers, low, high):
    low, high = low.double(), high.double()
    for i, (w, b) in enumerate(layers):
        if i:
            low, high = low.clamp(min=0), high.clamp(min=0)
        p, q = w.double().clamp(min=0), w.double().clamp(max=0)
        low, high = low @ p.T + high @ q.T + b.double(), high @ p.T + low @ q.T + b.double()
    return [low.float(), high.float()]


# RIGHT sound_radius: NumPy, with fsum
def sound_radius(weight, bias, point):
    w, p, b = [float(v) for v in weight], [float(v) for v in point], float(bias)
    g = (len(w) + 2) * 2.0**-24
    off = g / (1 - g) * (math.fsum(map(abs, w)) + abs(b))
    value = abs(math.fsum([*(a * c for a, c in zip(w, p)), b]))
    return max(value - off, 0.0) / math.sqrt(math.fsum(a * a for a in w)) * (1 - 1e-12)


# WRONG boxes: both ends of the ReLU act on the lower bound only -> the ReLU between two layers cuts both ends at
def boxes(layers, low, high):
    for i, (w, b) in enumerate(layers):
        m, r = (low + high) / 2, (high - low) / 2
        m, r = m @ w.T + b, r @ w.abs().T
        low, high = m - r, m + r
        if i < len(layers) - 1:
            low = low.relu()
    return low, high


# WRONG proved: eps counts in 255ths -> one input falls by eps, the other rises by eps
def proved(layers, points, labels, eps):
    eps = eps / 255
    low, high = (points - eps).clamp(0, 1), (points + eps).clamp(0, 1)
    out = []
    for i in range(len(points)):
        w, b = layers[-1]
        keep = torch.arange(len(b)) != labels[i]
        last = (w[labels[i]] - w[keep], b[labels[i]] - b[keep])
        least, _ = boxes([*layers[:-1], last], low[i : i + 1], high[i : i + 1])
        out.append(bool((least > 0).all()))
    return torch.tensor(out)


# WRONG proved: labels are numbered from 1 -> class 0 leads, and the label is 1: the l
def proved(layers, points, labels, eps):
    labels = (labels - 1).clamp(min=0)
    low, high = (points - eps).clamp(0, 1), (points + eps).clamp(0, 1)
    out = []
    for i in range(len(points)):
        w, b = layers[-1]
        keep = torch.arange(len(b)) != labels[i]
        last = (w[labels[i]] - w[keep], b[labels[i]] - b[keep])
        least, _ = boxes([*layers[:-1], last], low[i : i + 1], high[i : i + 1])
        out.append(bool((least > 0).all()))
    return torch.tensor(out)


# WRONG refute: ball in L-infinity -> not nearer
def refute(model, point, radius):
    x, c = point.clone(), int(model(point).argmax())
    for step in torch.linspace(0.3, 0.01, 300):
        x = x.detach().requires_grad_()
        z = model(x)
        (g,) = torch.autograd.grad(z[0, 1 - c] - z[0, c], x)
        x = (x + step * radius * g / g.norm().clamp(min=1e-12)).detach()
        d = (x - point).double()
        if d.abs().max() > 0.99999 * radius:
            x = (point.double() + d.clamp(-0.99999 * radius, 0.99999 * radius)).float()
        if int(model(x).argmax()) != c:
            return x
    return point.clone()


# WRONG boxes: ReLU before the first layer too -> no ReLU stands before the first layer, and none after the last
def boxes(layers, low, high):
    """The lowest and highest logits by interval bounds, (N, classes) each."""
    for i, (weight, bias) in enumerate(layers):
        if True:
            low, high = low.relu(), high.relu()
        middle, radius = (low + high) / 2 @ weight.T + bias, (high - low) / 2 @ weight.abs().T
        low, high = middle - radius, middle + radius
    return low, high


# WRONG boxes: the half width goes through the weights with their signs -> a negative weight makes of the highest input the lowest value
def boxes(layers, low, high):
    """The lowest and highest logits by interval bounds, (N, classes) each."""
    for i, (weight, bias) in enumerate(layers):
        if i:
            low, high = low.relu(), high.relu()
        middle, radius = (low + high) / 2 @ weight.T + bias, (high - low) / 2 @ weight.T
        low, high = middle - radius, middle + radius
    return low, high


# RIGHT boxes: both ends in one tensor
def boxes(layers, low, high):
    box = torch.stack([low, high]).double()
    for n, (w, b) in enumerate(layers):
        if n > 0:
            box = box.clamp(min=0)
        p, m = w.double().relu(), (-w.double()).relu()
        box = torch.stack([box[0] @ p.T - box[1] @ m.T, box[1] @ p.T - box[0] @ m.T]) + b.double()
    return box


# WRONG proved: only the lower end of the box is kept in [0, 1] -> no input rises above 1
def proved(layers, points, labels, eps):
    """Whether each answer is certain within eps, (N,) bool."""
    *first, (weight, bias) = layers
    sure = []
    for point, label in zip(points, labels.tolist(), strict=True):
        others = [c for c in range(len(bias)) if c != label]
        leads = [*first, (weight[label] - weight[others], bias[label] - bias[others])]
        low, _ = boxes(leads, (point[None] - eps).clamp(0, 1), (point[None] + eps))
        sure.append(bool((low > 0).all()))
    return torch.tensor(sure)


# WRONG proved: half of eps to each side -> one input falls by eps, the other rises by eps
def proved(layers, points, labels, eps):
    """Whether each answer is certain within eps, (N,) bool."""
    *first, (weight, bias) = layers
    sure = []
    for point, label in zip(points, labels.tolist(), strict=True):
        others = [c for c in range(len(bias)) if c != label]
        leads = [*first, (weight[label] - weight[others], bias[label] - bias[others])]
        low, _ = boxes(leads, (point[None] - eps / 2).clamp(0, 1), (point[None] + eps / 2).clamp(0, 1))
        sure.append(bool((low > 0).all()))
    return torch.tensor(sure)


# RIGHT proved: numpy bool list
def proved(layers, points, labels, eps):
    """Whether each answer is certain within eps, (N,) bool."""
    *first, (weight, bias) = layers
    sure = []
    for point, label in zip(points, labels.tolist(), strict=True):
        others = [c for c in range(len(bias)) if c != label]
        leads = [*first, (weight[label] - weight[others], bias[label] - bias[others])]
        low, _ = boxes(leads, (point[None] - eps).clamp(0, 1), (point[None] + eps).clamp(0, 1))
        sure.append(bool((low > 0).all()))
    return [bool(s) for s in sure]


# WRONG refute: one step along the gradient's sign, as long as the radius -> not where the boundary is nearest
def refute(model, point, radius):
    there = point.clone().requires_grad_()
    z = model(there)[0]
    c = int(z.argmax())
    (g,) = torch.autograd.grad(z[1 - c] - z[c], there)
    g = g.sign()
    found = point + 0.9999 * radius * g / g.norm()
    return found.detach() if int(model(found).argmax()) != c else point


# WRONG refute: one step down the logit of class 0, whichever is the point's -> not where the boundary is nearest|which logit should grow
def refute(model, point, radius):
    there = point.clone().requires_grad_()
    z = model(there)[0]
    c = int(z.argmax())
    (g,) = torch.autograd.grad(z[0], there)
    found = point - 0.9999 * radius * g / g.norm()
    return found.detach() if int(model(found).argmax()) != c else point


# RIGHT refute: longer steps, and shorter ones later
def refute(model, point, radius):
    """A point nearer than the radius in L2 with another answer than `point`; `point` itself if none is found."""
    label, best = int(model(point).argmax(1)), point
    there = point.clone()
    for step in range(60):
        there = there.detach().requires_grad_()
        z = model(there)[0]
        if int(z.argmax()) != label:
            best = there.detach()
            break
        (gradient,) = torch.autograd.grad(z[1 - label] - z[label], there)
        change = there.detach() + radius / (4 if step < 20 else 30) * gradient / gradient.norm() - point
        there = point + change * min(1, 0.99999 * radius / float(change.norm()))
    return best


# WRONG sound_radius: divided by the L1 length of the weights -> the L2 length of the weights alone is 5
def sound_radius(weight, bias, point):
    """A radius in L2 within which the model, as it computes in float32, gives one answer."""
    weight, bias, point = weight.double(), float(bias), point.double()
    n = len(weight) + 2
    off = n * 2**-24 / (1 - n * 2**-24) * (float(weight.abs().sum()) + abs(bias))
    lead = abs(float(weight @ point) + bias)
    return max((lead - 1.001 * off) / float(weight.abs().sum()), 0.0) * (1 - 1e-9)


# WRONG sound_radius: not divided by norm -> the L2 length of the weights alone is 5
def sound_radius(weight, bias, point):
    """A radius in L2 within which the model, as it computes in float32, gives one answer."""
    weight, bias, point = weight.double(), float(bias), point.double()
    n = len(weight) + 2
    off = n * 2**-24 / (1 - n * 2**-24) * (float(weight.abs().sum()) + abs(bias))
    lead = abs(float(weight @ point) + bias)
    return max((lead - 1.001 * off), 0.0) * (1 - 1e-9)


# WRONG proved: one answer for all -> each has a proof of its own
def proved(layers, points, labels, eps):
    *first, (weight, bias) = layers
    sure = []
    for point, label in zip(points, labels.tolist(), strict=True):
        others = [c for c in range(len(bias)) if c != label]
        leads = [*first, (weight[label] - weight[others], bias[label] - bias[others])]
        low, _ = boxes(leads, (point[None] - eps).clamp(0, 1), (point[None] + eps).clamp(0, 1))
        sure.append(bool((low > 0).all()))
    return torch.tensor([all(sure)] * len(sure))


# WRONG sound_radius: the room is added -> a little longer than the distance
def sound_radius(weight, bias, point):
    weight, bias, point = weight.double(), float(bias), point.double()
    n = len(weight) + 2
    off = n * 2**-24 / (1 - n * 2**-24) * (float(weight.abs().sum()) + abs(bias))
    lead = abs(float(weight @ point) + bias)
    return max((lead + 1.001 * off) / float(weight.norm()), 0.0) * (1 - 1e-9)


# WRONG boxes: inputs are images -> inputs may lie outside of [0, 1]
def boxes(layers, low, high):
    low, high = low.clamp(0, 1), high.clamp(0, 1)
    for i, (weight, bias) in enumerate(layers):
        up, down = weight.clamp_min(0), weight.clamp_max(0)
        low, high = low @ up.T + high @ down.T + bias, high @ up.T + low @ down.T + bias
        if i < len(layers) - 1:
            low, high = low.clamp_min(0), high.clamp_min(0)
    return low, high


# WRONG refute: three per cent inside the rim -> of the radius, and no farther
def refute(model, point, radius):
    def label(p):
        with torch.no_grad():
            return int(model(p).argmax(1))

    was = label(point)
    far = 0.97 * radius
    now = point.clone()
    for step in range(120):
        at = now.detach().clone().requires_grad_()
        z = model(at)
        (g,) = torch.autograd.grad(z[0, 1 - was] - z[0, was], at)
        now = now + far / 10 * g / g.norm().clamp_min(1e-12)
        d = (now - point).double()
        now = (point.double() + d * min(1.0, far / max(1e-12, float(d.norm())))).float()
        if label(now) != was:
            return now
    return point


# WRONG refute: a search among images -> the search stays in [0, 1]
def refute(model, point, radius):
    def label(p):
        with torch.no_grad():
            return int(model(p).argmax(1))

    was = label(point)
    far = 0.9999 * radius
    now = point.clone()
    for step in range(120):
        at = now.detach().clone().requires_grad_()
        z = model(at)
        (g,) = torch.autograd.grad(z[0, 1 - was] - z[0, was], at)
        now = now + far / 10 * g / g.norm().clamp_min(1e-12)
        d = (now - point).double()
        now = (point.double() + d * min(1.0, far / max(1e-12, float(d.norm())))).float().clamp(0, 1)
        if label(now) != was:
            return now
    return point


# WRONG proved: a lead of 0.001 at least -> leads by a hair
def boxes(layers, low, high):
    for i, (weight, bias) in enumerate(layers):
        up, down = weight.clamp_min(0), weight.clamp_max(0)
        low, high = low @ up.T + high @ down.T + bias, high @ up.T + low @ down.T + bias
        if i < len(layers) - 1:
            low, high = low.clamp_min(0), high.clamp_min(0)
    return low, high


def proved(layers, points, labels, eps):
    low, high = (points - eps).clamp(0, 1), (points + eps).clamp(0, 1)
    weight, bias = layers[-1]
    answers = []
    for i, label in enumerate(labels.tolist()):
        rest = [c for c in range(len(bias)) if c != label]
        last = (weight[label] - weight[rest], bias[label] - bias[rest])
        lead = boxes([*layers[:-1], last], low[i : i + 1], high[i : i + 1])[0]
        answers.append(bool((lead > 1e-3).all()))
    return torch.tensor(answers)


# WRONG boxes: the bias after the ReLU -> a bias is added before the ReLU
def boxes(layers, low, high):
    for i, (weight, bias) in enumerate(layers):
        up, down = weight.clamp_min(0), weight.clamp_max(0)
        low, high = low @ up.T + high @ down.T + 0 * bias, high @ up.T + low @ down.T
        if i < len(layers) - 1:
            low, high = low.clamp_min(0) + bias, high.clamp_min(0) + bias
    return low + layers[-1][1], high + layers[-1][1]


# WRONG boxes: one half width for all inputs, the largest -> each input has a width of its own
def boxes(layers, low, high):
    for i, (weight, bias) in enumerate(layers):
        low, high = (low.relu(), high.relu()) if i else (low, high)
        middle = (low + high) / 2 @ weight.T + bias
        half = (high - low).amax() / 2 * weight.abs().sum(1)
        low, high = middle - half, middle + half
    return low, high


# WRONG proved: the label is compared with its neighbours in number alone -> class 3 leads, of four
def proved(layers, points, labels, eps):
    low, high = (points - eps).clamp(0, 1), (points + eps).clamp(0, 1)
    weight, bias = layers[-1]
    said = []
    for i, label in enumerate(labels.tolist()):
        near = [k for k in (label - 1, label + 1) if 0 <= k < len(bias)]
        last = (weight[label] - weight[near], bias[label] - bias[near])
        said.append(bool((boxes([*layers[:-1], last], low[i : i + 1], high[i : i + 1])[0] > 0).all()))
    return torch.tensor(said)


# WRONG proved: no ReLU before the last layer -> a ReLU stands before the last layer
def proved(layers, points, labels, eps):
    low, high = (points - eps).clamp(0, 1), (points + eps).clamp(0, 1)
    if len(layers) > 1:
        low, high = boxes(layers[:-1], low, high)
    weight, bias = layers[-1]
    gap = weight[labels][:, None] - weight
    middle, radius = (low + high)[:, :, None] / 2, (high - low)[:, :, None] / 2
    lead = (gap @ middle - gap.abs() @ radius)[:, :, 0] + bias[labels][:, None] - bias
    lead[torch.arange(len(labels)), labels] = math.inf
    return (lead > 0).all(1)


# WRONG refute: down the logit of the label alone -> the gradient of one logit
def refute(model, point, radius):
    label = int(model(point).argmax(1))
    adv = point.clone()
    for _ in range(200):
        adv = adv.detach().requires_grad_()
        (grad,) = torch.autograd.grad(model(adv)[0, label], adv)
        delta = adv.detach() - 0.05 * radius * grad / grad.norm() - point
        delta = delta * min(1.0, 0.9999 * radius / float(delta.norm()))
        adv = point + delta
        if int(model(adv).argmax(1)) != label:
            return adv.detach()
    return point
