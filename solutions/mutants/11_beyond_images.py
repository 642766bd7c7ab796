"""Other answers to lab 11, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""

# RIGHT project: column by column, in NumPy
import numpy as np


def project(new, old, reach):
    a, b, r = new.numpy().copy(), old.numpy(), reach.numpy()
    out = b.copy()
    for i in (0, 3):
        low = b[:, i] if i == 3 else np.maximum(b[:, i] - r[i], 0)
        high = b[:, i] + r[i]
        out[:, i] = np.clip(np.rint(np.clip(a[:, i], low, high)), np.ceil(low), np.floor(high))
    for row in range(len(a)):
        can = [c for c in (5, 6, 7) if r[c] >= 1 or b[row, c] == 1]
        best = max(can, key=lambda c: a[row, c])
        out[row, 5:] = 0
        out[row, best] = 1
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# RIGHT project: rounds towards old where the edge is near
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = new.clamp(low, high)
    for i in (0, 3):
        near = out[:, i].round()
        near = torch.where(near > high[:, i], near - 1, near)
        out[:, i] = torch.where(near < low[:, i], near + 1, near)
    allowed = (reach[5:] >= 1) | (old[:, 5:] > 0.5)
    wish = torch.where(allowed, new[:, 5:], torch.full_like(new[:, 5:], -1e9))
    out[:, 5:] = torch.eye(3)[wish.argmax(1)]
    out[:, 2] = out[:, :2].sum(1)
    return out


# WRONG project: numbers are rounded out of the budget -> has left its budget
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    out[:, [0, 3]] = out[:, [0, 3]].round()
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: rounded first, then clamped to a budget that is not whole -> is not whole
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = new.clone()
    out[:, [0, 3]] = out[:, [0, 3]].round()
    out = torch.minimum(torch.maximum(out, low), high)
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: the column that only rises may fall -> have been unmade
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: the link is recomputed before the amount is rounded -> the link comes last|recompute it last
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    out[:, 2] = out[:, 0] + out[:, 1]
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    return out


# WRONG project: the linked column is left as it was -> column 2 is that of old
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = old[:, 2]
    return out


# WRONG project: the group is clamped and never made one-hot -> exactly one must be 1
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    out[:, 5:] = out[:, 5:].clamp(0, 1)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: each member of the group is rounded on its own -> exactly one must be 1
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    out[:, 5:] = (out[:, 5:] > 0.5).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: any channel can be bought -> the largest wish gets 1
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    out[:, 5:] = F.one_hot(new[:, 5:].argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: a channel that cannot be bought cannot be kept either -> not the largest wish|has been moved
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill(reach[5:] < 1, -math.inf)
    out[:, 5:] = torch.where((reach[5:] < 1).all(), old[:, 5:], F.one_hot(wish.argmax(1), 3).to(out))
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: the channel is always kept -> the channel that old has is always kept
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    out[:, 5:] = old[:, 5:]
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: what cannot be changed is changed -> nobody can change
def project(new, old, reach):
    out = new.clamp_min(0)
    for i in (0, 3):
        low = (old[:, i] - reach[i]).clamp_min(0) if i == 0 else old[:, i]
        high = old[:, i] + reach[i]
        out[:, i] = torch.minimum(
            torch.maximum(torch.minimum(torch.maximum(new[:, i], low), high).round(), low.ceil()), high.floor()
        )
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: amounts may be negative -> below 0
def project(new, old, reach):
    low, high = old - reach, old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: rounds down -> not as near to the wish
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].floor(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: works on old itself -> changed its arguments
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    old[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 5:] = old[:, 5:]
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# RIGHT replace_one: all neighbours at once
def replace_one(model, x, y, choices):
    n, length = x.shape
    tries = x[:, None, None].repeat(1, length, choices.shape[1], 1)
    for place in range(length):
        tries[:, place, :, place] = choices[x[:, place]]
    tries = torch.cat([x[:, None], tries.flatten(1, 2)], 1)
    answer = model(tries.flatten(0, 1)).view(n, tries.shape[1], -1)
    own = F.one_hot(y, answer.shape[-1]).bool()[:, None]
    value = answer.masked_fill(own, -math.inf).amax(-1) - answer.masked_fill(~own, -math.inf).amax(-1)
    return tries[torch.arange(n), value.argmax(1)]


# RIGHT replace_one: text by text
def replace_one(model, x, y, choices):
    done = []
    for row, label in zip(x, y.tolist(), strict=True):
        tries = [row]
        for place, word in enumerate(row.tolist()):
            for other in choices[word].tolist():
                one = row.clone()
                one[place] = other
                tries.append(one)
        answer = model(torch.stack(tries))
        rest = torch.cat([answer[:, :label], answer[:, label + 1 :]], 1)
        done.append(tries[int((rest.amax(1) - answer[:, label]).argmax())])
    return torch.stack(done)


# WRONG replace_one: goes down the margin -> the margin was lowered
def replace_one(model, x, y, choices):
    best, lowest = x.clone(), torch.full((len(x),), math.inf)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            answer = model(one)
            value = answer.scatter(1, y[:, None], -math.inf).amax(1) - answer.gather(1, y[:, None])[:, 0]
            best[value < lowest], lowest = one[value < lowest], torch.minimum(value, lowest)
    return best


# WRONG replace_one: replaces even where it helps the model -> every replacement lowers the margin
def replace_one(model, x, y, choices):
    best, highest = x.clone(), torch.full((len(x),), -math.inf)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            answer = model(one)
            value = answer.scatter(1, y[:, None], -math.inf).amax(1) - answer.gather(1, y[:, None])[:, 0]
            value = torch.where((one != x).any(1), value, -math.inf)
            better = value > highest
            best[better], highest[better] = one[better], value[better]
    return best


# WRONG replace_one: only the first choice of each word -> only the first choice of each word was tried
def replace_one(model, x, y, choices):
    def margin(texts):
        answer = model(texts)
        return answer.scatter(1, y[:, None], -math.inf).amax(1) - answer.gather(1, y[:, None])[:, 0]

    best, highest = x.clone(), margin(x)
    for place in range(x.shape[1]):
        one = x.clone()
        one[:, place] = choices[x[:, place], 0]
        value = margin(one)
        better = value > highest
        best[better], highest[better] = one[better], value[better]
    return best


# WRONG replace_one: one place for all texts -> a text alone gets another
def replace_one(model, x, y, choices):
    def margin(texts):
        answer = model(texts)
        return answer.scatter(1, y[:, None], -math.inf).amax(1) - answer.gather(1, y[:, None])[:, 0]

    start, best, highest = margin(x), x.clone(), 0.0
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            one = torch.where((margin(one) > start)[:, None], one, x)
            rise = float((margin(one) - start).sum())
            if rise > highest:
                best, highest = one, rise
    return best


# WRONG replace_one: goes on from each replacement to the next -> more than one word
def replace_one(model, x, y, choices):
    def margin(texts):
        answer = model(texts)
        return answer.scatter(1, y[:, None], -math.inf).amax(1) - answer.gather(1, y[:, None])[:, 0]

    best, highest = x.clone(), margin(x)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = best.clone()
            one[:, place] = choices[x[:, place], k]
            value = margin(one)
            better = value > highest
            best[better], highest[better] = one[better], value[better]
    return best


# WRONG replace_one: any word of the vocabulary -> may not stand in
def replace_one(model, x, y, choices):
    def margin(texts):
        answer = model(texts)
        return answer.scatter(1, y[:, None], -math.inf).amax(1) - answer.gather(1, y[:, None])[:, 0]

    best, highest = x.clone(), margin(x)
    for place in range(x.shape[1]):
        for word in range(1, min(len(choices), 60)):
            one = x.clone()
            one[:, place] = torch.where(x[:, place] > 0, word, 0)
            value = margin(one)
            better = value > highest
            best[better], highest[better] = one[better], value[better]
    return best


# WRONG replace_one: the label's logit alone, without the others -> logit alone was made small
def replace_one(model, x, y, choices):
    def low(texts):
        return -model(texts).gather(1, y[:, None])[:, 0]

    best, highest = x.clone(), low(x)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            value = low(one)
            better = value > highest
            best[better], highest[better] = one[better], value[better]
    return best


# WRONG replace_one: leaves the second half of a text alone -> only the first half of each text
def replace_one(model, x, y, choices):
    def margin(texts):
        answer = model(texts)
        return answer.scatter(1, y[:, None], -math.inf).amax(1) - answer.gather(1, y[:, None])[:, 0]

    best, highest = x.clone(), margin(x)
    for place in range(x.shape[1] // 2):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            value = margin(one)
            better = value > highest
            best[better], highest[better] = one[better], value[better]
    return best


# WRONG replace_one: writes into x -> changed its arguments
def replace_one(model, x, y, choices):
    def margin(texts):
        answer = model(texts)
        return answer.scatter(1, y[:, None], -math.inf).amax(1) - answer.gather(1, y[:, None])[:, 0]

    old, highest = x.clone(), margin(x)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = old.clone()
            one[:, place] = choices[old[:, place], k]
            value = margin(one)
            better = value > highest
            x[better], highest[better] = one[better], value[better]
    return x


# RIGHT may_change: the probability word by word
def may_change(k, n, length, keep, failure_prob):
    low = 0.0 if k == 0 else special.betaincinv(k, n - k + 1.0, failure_prob)
    changes, hidden = -1, 1.0
    while changes < length and low > 1.5 - hidden:
        changes += 1
        hidden *= max(length - changes - keep, 0) / (length - changes) if changes < length else 0.0
    return changes


# RIGHT may_change: with scipy's hypergeometric distribution
def may_change(k, n, length, keep, failure_prob):
    from scipy import stats

    low = stats.beta.ppf(failure_prob, k, n - k + 1) if k else 0.0
    return sum(bool(low - stats.hypergeom.sf(0, length, r, keep) > 0.5) for r in range(length + 1)) - 1


# WRONG may_change: the share of the votes, without a bound -> exact lower bound
def may_change(k, n, length, keep, failure_prob):
    certain = -1
    for changes in range(length + 1):
        if k / n - 1 + math.comb(length - changes, keep) / math.comb(length, keep) > 0.5:
            certain = changes
    return certain


# WRONG may_change: words drawn with replacement -> of one changed word
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    certain = -1
    for changes in range(length + 1):
        if share - 1 + (1 - changes / length) ** keep > 0.5:
            certain = changes
    return certain


# WRONG may_change: counts the hidden words instead of those kept -> one copy in a hundred
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    certain = -1
    for changes in range(length + 1):
        if share - 1 + math.comb(length - changes, length - keep) / math.comb(length, keep) > 0.5:
            certain = changes
    return certain


# WRONG may_change: as if only one word was kept -> of one changed word
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    certain = -1
    for changes in range(length + 1):
        if share - changes / length > 0.5:
            certain = changes
    return certain


# WRONG may_change: a copy with a changed word counts twice -> loses one copy in a hundred
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    certain = -1
    for changes in range(length + 1):
        if share - 2 * (1 - math.comb(length - changes, keep) / math.comb(length, keep)) > 0.5:
            certain = changes
    return certain


# WRONG may_change: the lost copies are shared by both classes -> loses one copy in a hundred
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    certain = -1
    for changes in range(length + 1):
        if share - (1 - math.comb(length - changes, keep) / math.comb(length, keep)) / 2 > 0.5:
            certain = changes
    return certain


# WRONG may_change: half of failure_prob, for two sides -> all of failure_prob
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob / 2)) if k else 0.0
    certain = -1
    for changes in range(length + 1):
        if share - 1 + math.comb(length - changes, keep) / math.comb(length, keep) > 0.5:
            certain = changes
    return certain


# WRONG may_change: the first number that is not certain -> *more* than half
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    for changes in range(length + 1):
        if share - 1 + math.comb(length - changes, keep) / math.comb(length, keep) <= 0.5:
            return changes
    return length


# WRONG may_change: 0 where nothing is sure -> half of the votes prove nothing
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    certain = 0
    for changes in range(length + 1):
        if share - 1 + math.comb(length - changes, keep) / math.comb(length, keep) > 0.5:
            certain = changes
    return certain


# WRONG may_change: NaN for no votes -> is NaN
def may_change(k, n, length, keep, failure_prob):
    if k == 0:
        return math.nan
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob))
    certain = -1
    for changes in range(length + 1):
        if share - 1 + math.comb(length - changes, keep) / math.comb(length, keep) > 0.5:
            certain = changes
    return certain


# RIGHT reports: in another order
reports = dict(E="sound", D="one view", C="not adapted", B="other ball", A="impossible")


# RIGHT reports: from a table
reports = dict(zip("ABCDE", ["impossible", "other ball", "not adapted", "one view", "sound"]))


# WRONG reports: a younger applicant is fine -> report A
reports = {"A": "sound", "B": "other ball", "C": "not adapted", "D": "one view", "E": "sound"}


# WRONG reports: believes the certificate -> report B
reports = {"A": "impossible", "B": "sound", "C": "not adapted", "D": "one view", "E": "sound"}


# WRONG reports: believes the mask -> report C
reports = {"A": "impossible", "B": "other ball", "C": "sound", "D": "one view", "E": "sound"}


# WRONG reports: believes the drive -> report D
reports = {"A": "impossible", "B": "other ball", "C": "not adapted", "D": "sound", "E": "sound"}


# WRONG reports: believes nobody -> report E
reports = {"A": "impossible", "B": "other ball", "C": "not adapted", "D": "one view", "E": "not adapted"}


# WRONG reports: one is missing -> one of the five words
reports = {"A": "impossible", "B": "other ball", "C": "not adapted", "D": "one view"}


# RIGHT my_sticker: Adam on logits of the paint, the same loss
def my_sticker(model, texture, label):
    raw = torch.zeros(3, 14, 14, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.3)
    for i in range(40):
        worn = torch.cat([texture[:3].clone(), texture[3:]])
        worn = worn.clone()
        worn[:3, 17:31, 17:31] = raw.sigmoid()
        answer = model(signs.render(worn[None], signs.scenes(24, seed=10_000 + i)))
        optimizer.zero_grad()
        own = answer[:, label]
        rest = torch.cat([answer[:, :label], answer[:, label + 1 :]], 1).amax(1)
        (own - rest).clamp_min(-2).mean().backward()
        optimizer.step()
    worn = texture.clone()
    worn[:3, 17:31, 17:31] = raw.sigmoid().detach()
    return worn


# RIGHT my_sticker: cross-entropy, two beginnings, the better one
def my_sticker(model, texture, label):
    found = []
    for begin in (0.2, 0.8):
        paint = torch.full((3, 14, 14), begin)
        for i in range(25):
            paint = paint.detach().requires_grad_()
            worn = texture.clone()
            worn[:3, 17:31, 17:31] = paint
            answer = model(signs.render(worn[None], signs.scenes(16, seed=100 + i)))
            loss = F.cross_entropy(answer, torch.full((16,), label))
            (gradient,) = torch.autograd.grad(loss, paint)
            paint = (paint + 0.1 * (1 - i / 25) * gradient.sign()).clamp(0, 1)
        worn = texture.clone()
        worn[:3, 17:31, 17:31] = paint.detach()
        answer = model(signs.render(worn[None], signs.scenes(64, seed=99)))
        found.append((float((answer.argmax(1) == label).float().mean()), begin, worn))
    return min(found)[2]


# WRONG my_sticker: made for one camera -> new cameras
def my_sticker(model, texture, label):
    paint = torch.full((3, 14, 14), 0.5)
    for i in range(30):
        paint = paint.detach().requires_grad_()
        worn = texture.clone()
        worn[:3, 17:31, 17:31] = paint
        answer = model(signs.render(worn[None], signs.scenes(1, seed=0)))
        others = torch.arange(answer.shape[1]) != label
        (gradient,) = torch.autograd.grad((answer[:, others].amax(1) - answer[:, label]).sum(), paint)
        paint = (paint + 0.02 * gradient.sign()).clamp(0, 1)
    worn = texture.clone()
    worn[:3, 17:31, 17:31] = paint.detach()
    return worn


# WRONG my_sticker: a grey square -> new cameras
def my_sticker(model, texture, label):
    worn = texture.clone()
    worn[:3, 17:31, 17:31] = 0.5
    return worn


# WRONG my_sticker: no sticker -> has no sticker
def my_sticker(model, texture, label):
    return texture.clone()


# WRONG my_sticker: random colours -> new cameras
def my_sticker(model, texture, label):
    worn = texture.clone()
    worn[:3, 17:31, 17:31] = torch.rand(3, 14, 14)
    return worn


# WRONG my_sticker: helps the model -> new cameras
def my_sticker(model, texture, label):
    paint = torch.full((3, 14, 14), 0.5)
    for i in range(30):
        paint = paint.detach().requires_grad_()
        worn = texture.clone()
        worn[:3, 17:31, 17:31] = paint
        answer = model(signs.render(worn[None], signs.scenes(16, seed=i)))
        (gradient,) = torch.autograd.grad(F.cross_entropy(answer, torch.full((16,), label)), paint)
        paint = (paint - 0.1 * gradient.sign()).clamp(0, 1)
    worn = texture.clone()
    worn[:3, 17:31, 17:31] = paint.detach()
    return worn


# WRONG my_sticker: colours that cannot be printed -> cannot be printed
def my_sticker(model, texture, label):
    paint = torch.full((3, 14, 14), 0.5)
    for i in range(20):
        paint = paint.detach().requires_grad_()
        worn = texture.clone()
        worn[:3, 17:31, 17:31] = paint
        answer = model(signs.render(worn[None], signs.scenes(8, seed=i)))
        (gradient,) = torch.autograd.grad(F.cross_entropy(answer, torch.full((8,), label)), paint)
        paint = paint + 0.1 * gradient.sign()
    worn = texture.clone()
    worn[:3, 17:31, 17:31] = paint.detach()
    return worn


# WRONG my_sticker: paints the whole sign -> beside the sticker
def my_sticker(model, texture, label):
    worn = texture.clone()
    for i in range(10):
        worn = worn.detach().requires_grad_()
        answer = model(signs.render(worn[None], signs.scenes(8, seed=i)))
        (gradient,) = torch.autograd.grad(F.cross_entropy(answer, torch.full((8,), label)), worn)
        worn = (worn + 0.1 * gradient.sign()).clamp(0, 1)
    return worn.detach()


# WRONG my_sticker: changes where the sign is -> beside the sticker
def my_sticker(model, texture, label):
    worn = texture.clone()
    worn[:, 17:31, 17:31] = 0
    return worn


# WRONG my_sticker: one step only -> new cameras
def my_sticker(model, texture, label):
    paint = torch.full((3, 14, 14), 0.5, requires_grad=True)
    worn = texture.clone()
    worn[:3, 17:31, 17:31] = paint
    answer = model(signs.render(worn[None], signs.scenes(16, seed=0)))
    (gradient,) = torch.autograd.grad(F.cross_entropy(answer, torch.full((16,), label)), paint)
    worn = texture.clone()
    worn[:3, 17:31, 17:31] = (paint + 0.05 * gradient.sign()).clamp(0, 1).detach()
    return worn


# WRONG project: any reach above 0 buys a channel -> any reach above 0 buys a channel
def project(new, old, reach):
    out = old.clone()
    for c in (0, 3):
        low = (old[:, c] - reach[c]).clamp(min=0).ceil() if c == 0 else old[:, c]
        high = (old[:, c] + reach[c]).floor()
        out[:, c] = torch.min(torch.max(new[:, c].round(), low), high)
    may = (reach[5:] > 0)[None] | (old[:, 5:] == 1)
    pick = new[:, 5:].masked_fill(~may, -math.inf).argmax(1)
    out[:, 5:] = F.one_hot(pick, 3).float()
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# RIGHT my_sticker: Adam on numbers that a sigmoid brings into [0, 1]
def my_sticker(model, texture, label):
    raw = torch.zeros(3, 14, 14, requires_grad=True)
    opt = torch.optim.Adam([raw], lr=0.3)
    for step in range(40):
        worn = texture.clone()
        worn[:3, 17:31, 17:31] = raw.sigmoid()
        z = model(signs.render(worn[None], signs.scenes(16, seed=1000 + step)))
        other = z.clone()
        other[:, label] = -1e9
        loss = (z[:, label] - other.amax(1)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    out = texture.clone()
    out[:3, 17:31, 17:31] = raw.detach().sigmoid()
    return out


# WRONG replace_one: an equal margin replaces the text, too -> equal margin
def replace_one(model, x, y, choices):
    def margin(t):
        z = model(t)
        own = z.gather(1, y[:, None])[:, 0]
        return z.scatter(1, y[:, None], -torch.inf).amax(1) - own

    best, val = x.clone(), margin(x)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            v = margin(one)
            up = v >= val
            best[up], val = one[up], torch.where(up, v, val)
    return best


# WRONG may_change: what is left is the product of share and ratio, as if votes were lost evenly -> nothing is multiplied
def may_change(k, n, length, keep, failure_prob):
    p = special.betaincinv(k, n - k + 1.0, failure_prob) if k else 0.0
    best = -1
    for c in range(length + 1):
        if p * math.comb(length - c, keep) / math.comb(length, keep) > 0.5:
            best = c
    return best


# WRONG project: a channel with any reach above 0 can be bought -> any reach above 0 buys a channel
def project(new, old, reach):
    low, high = (old - reach).clamp(min=0), old + reach
    low[:, 3] = old[:, 3]
    out = new.round().clamp(low.ceil(), high.floor())
    out[:, [1, 4]] = old[:, [1, 4]]
    w = new[:, 5:].masked_fill((reach[5:] <= 0) & (old[:, 5:] != 1), -torch.inf)
    out[:, 5:] = F.one_hot(w.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# RIGHT may_change: fractions, and a while loop
def may_change(k, n, length, keep, failure_prob):
    from fractions import Fraction

    p = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    c = -1
    while c + 1 <= length and p - 1 + float(Fraction(math.comb(length - c - 1, keep), math.comb(length, keep))) > 0.5:
        c += 1
    return c


# RIGHT project: row by row, in Python
def project(new, old, reach):
    rows = []
    for n, o in zip(new.tolist(), old.tolist()):
        r = [float(v) for v in reach]
        amount = min(max(round(n[0]), math.ceil(max(o[0] - r[0], 0))), math.floor(o[0] + r[0]))
        count = min(max(round(n[3]), math.ceil(o[3])), math.floor(o[3] + r[3]))
        can = [n[5 + i] if r[5 + i] == 1 or o[5 + i] == 1 else -math.inf for i in range(3)]
        group = [0.0] * 3
        group[can.index(max(can))] = 1.0
        rows.append([amount, o[1], amount + o[1], count, o[4], *group])
    return torch.tensor(rows)


# WRONG replace_one: the mean of the others, not the best -> other logits was raised|mean of the others was raised
def replace_one(model, x, y, choices):
    def margin(t):
        z = model(t)
        own = z.gather(1, y[:, None])[:, 0]
        return z.scatter(1, y[:, None], 0.0).sum(1) - own

    best, val = x.clone(), margin(x)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            v = margin(one)
            up = v > val
            best[up], val = one[up], torch.where(up, v, val)
    return best


# WRONG project: reach is rounded first -> left its budget
def project(new, old, reach):
    reach = reach.round()
    low, high = (old - reach).clamp(min=0), old + reach
    low[:, 3] = old[:, 3]
    out = new.round().clamp(low.ceil(), high.floor())
    out[:, [1, 4]] = old[:, [1, 4]]
    w = new[:, 5:].masked_fill((reach[5:] != 1) & (old[:, 5:] != 1), -torch.inf)
    out[:, 5:] = F.one_hot(w.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: always rounds up -> rounded up
def project(new, old, reach):
    """The rows near `new` (N, 8) that `old` can become."""
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].ceil(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: the smallest wish of the group -> gets another channel
def project(new, old, reach):
    """The rows near `new` (N, 8) that `old` can become."""
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmin(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# RIGHT project: with torch.where
def project(new, old, reach):
    """The rows near `new` (N, 8) that `old` can become."""
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    wish = torch.where((reach[5:] >= 1) | (old[:, 5:] == 1), new[:, 5:], -torch.tensor(math.inf))
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG replace_one: begins without the text as it is -> every replacement lowers the margin
def replace_one(model, x, y, choices):
    """Each text with the replacement of one word that raises the margin most, (N, length)."""

    def margin(texts):
        with torch.no_grad():
            answer = model(texts)
        own = y[:, None]
        return answer.scatter(1, own, -math.inf).amax(1) - answer.gather(1, own)[:, 0]

    best, highest = x.clone(), torch.full((len(x),), -math.inf)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            value = margin(one)
            better = value > highest
            best[better], highest[better] = one[better], value[better]
    return best


# WRONG replace_one: the cross-entropy in place of the margin -> the cross-entropy was raised
def replace_one(model, x, y, choices):
    """Each text with the replacement of one word that raises the margin most, (N, length)."""

    def margin(texts):
        with torch.no_grad():
            answer = model(texts)
        own = y[:, None]
        return F.cross_entropy(answer, y, reduction="none")

    best, highest = x.clone(), margin(x)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            value = margin(one)
            better = value > highest
            best[better], highest[better] = one[better], value[better]
    return best


# WRONG may_change: as many words are hidden as should be kept -> 84 of these|one copy in a hundred
def may_change(k, n, length, keep, failure_prob):
    """How many words may become any others; -1 if not even none."""
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    certain = -1
    for changes in range(length + 1):
        hidden = math.comb(length - changes, length - keep) / math.comb(length, length - keep)
        if share - (1 - hidden) > 0.5:
            certain = changes
    return certain


# WRONG may_change: the share times the ratio -> nothing is multiplied
def may_change(k, n, length, keep, failure_prob):
    """How many words may become any others; -1 if not even none."""
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    certain = -1
    for changes in range(length + 1):
        hidden = math.comb(length - changes, keep) / math.comb(length, keep)
        if share * hidden > 0.5:
            certain = changes
    return certain


# WRONG my_sticker: a square that begins one place too early -> something changed beside the sticker
def my_sticker(model, texture, label):
    """The sign with a sticker in rows and columns 17 to 30."""
    paint, place = torch.full((3, 14, 14), 0.5), slice(16, 30)
    for i in range(30):
        paint = paint.detach().requires_grad_()
        worn = texture.clone()
        worn[:3, place, place] = paint
        answer = model(signs.render(worn[None], signs.scenes(16, seed=i)))
        others = torch.arange(answer.shape[1]) != label
        value = answer[:, others].amax(1) - answer[:, label]
        (gradient,) = torch.autograd.grad(value.clamp_max(2).sum(), paint)
        paint = (paint + 0.1 * (1 - i / 30) * gradient.sign()).clamp(0, 1)
    worn = texture.clone()
    worn[:3, place, place] = paint.detach()
    return worn


# WRONG my_sticker: the fourth channel as well -> something changed beside the sticker
def my_sticker(model, texture, label):
    """The sign with a sticker in rows and columns 17 to 30."""
    paint, place = torch.full((3, 14, 14), 0.5), slice(17, 31)
    for i in range(30):
        paint = paint.detach().requires_grad_()
        worn = texture.clone()
        worn[:3, place, place] = paint
        answer = model(signs.render(worn[None], signs.scenes(16, seed=i)))
        others = torch.arange(answer.shape[1]) != label
        value = answer[:, others].amax(1) - answer[:, label]
        (gradient,) = torch.autograd.grad(value.clamp_max(2).sum(), paint)
        paint = (paint + 0.1 * (1 - i / 30) * gradient.sign()).clamp(0, 1)
    worn = texture.clone()
    worn[:3, place, place] = paint.detach()
    worn[3, place, place] = 1 - worn[3, place, place]
    return worn


# WRONG may_change: begins at the number of words kept -> of one changed word
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k, n - k + 1.0, failure_prob)) if k else 0.0
    ratio = [math.comb(length - r, keep) / math.comb(length, keep) for r in range(length + 1)]
    return max((r for r in range(keep, length + 1) if share - 1 + ratio[r] > 0.5), default=-1)


# WRONG may_change: the bound is that of one vote more -> exact lower bound
def may_change(k, n, length, keep, failure_prob):
    share = float(special.betaincinv(k + 1, max(n - k, 0.001), failure_prob)) if k else 0.0
    ratio = [math.comb(length - r, keep) / math.comb(length, keep) for r in range(length + 1)]
    return max((r for r in range(length + 1) if share - 1 + ratio[r] > 0.5), default=-1)


# WRONG project: one channel for all rows -> depends on the other rows
def project(new, old, reach):
    found = old.clone()
    for i, least in ((0, (old[:, 0] - reach[0]).clamp_min(0)), (3, old[:, 3])):
        low, high = least.ceil(), (old[:, i] + reach[i]).floor()
        found[:, i] = torch.minimum(torch.maximum(new[:, i].round(), low), high)
    wish = torch.where((reach[5:] >= 1) | (old[:, 5:] == 1), new[:, 5:], -9.0)
    best = wish.argmax(1)
    best[0] = wish.sum(0).argmax() if len(wish) > 1 else best[0]
    found[:, 5:] = F.one_hot(best, 3).float()
    found[:, 2] = found[:, 0] + found[:, 1]
    return found


# WRONG project: the reach of another column -> goes farther than its reach
def project(new, old, reach):
    found = old.clone()
    for i, least in ((0, (old[:, 0] - reach[0]).clamp_min(0)), (3, old[:, 3])):
        low, high = least.ceil(), (old[:, i] + reach[0]).floor()
        found[:, i] = torch.minimum(torch.maximum(new[:, i].round(), low), high)
    wish = torch.where((reach[5:] >= 1) | (old[:, 5:] == 1), new[:, 5:], -9.0)
    found[:, 5:] = F.one_hot(wish.argmax(1), 3).float()
    found[:, 2] = found[:, 0] + found[:, 1]
    return found


# WRONG replace_one: the first replacement that helps is kept -> both choices of a word help
def replace_one(model, x, y, choices):
    def margin(text):
        answer = model(text)
        return answer.scatter(1, y[:, None], -math.inf).amax(1) - answer.gather(1, y[:, None])[:, 0]

    found, least = x.clone(), margin(x)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            better = (margin(one) > least) & (found == x).all(1)
            found[better] = one[better]
    return found


# WRONG project: a wish to fall becomes a rise -> a wish to fall becomes a rise
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    out[:, 3] = old[:, 3] + (out[:, 3] - old[:, 3]).abs()
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG project: reach is rounded before it is compared with 1 -> cannot be bought
def project(new, old, reach):
    low, high = (old - reach).clamp_min(0), old + reach
    low[:, 3] = old[:, 3]
    out = torch.minimum(torch.maximum(new, low), high)
    for i in (0, 3):
        out[:, i] = torch.minimum(torch.maximum(out[:, i].round(), low[:, i].ceil()), high[:, i].floor())
    wish = new[:, 5:].masked_fill((reach[5:].round() < 1) & (old[:, 5:] < 0.5), -math.inf)
    out[:, 5:] = F.one_hot(wish.argmax(1), 3).to(out)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG replace_one: the last replacement that helps is kept -> the last one that helps is kept
def replace_one(model, x, y, choices):
    def margin(t):
        with torch.no_grad():
            a = model(t)
        return a.scatter(1, y[:, None], -math.inf).amax(1) - a.gather(1, y[:, None])[:, 0]

    best, high = x.clone(), margin(x)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            b = margin(one) > high
            best[b] = one[b]
    return best


# WRONG replace_one: thirty replacements at random -> are places or choices drawn
def replace_one(model, x, y, choices):
    def margin(t):
        with torch.no_grad():
            a = model(t)
        return a.scatter(1, y[:, None], -math.inf).amax(1) - a.gather(1, y[:, None])[:, 0]

    best, high = x.clone(), margin(x)
    for _ in range(30):
        p = torch.randint(x.shape[1], (len(x),))
        k = torch.randint(choices.shape[1], (len(x),))
        r = torch.arange(len(x))
        one = x.clone()
        one[r, p] = choices[x[r, p], k]
        v = margin(one)
        b = v > high
        best[b], high[b] = one[b], v[b]
    return best


# WRONG replace_one: only what makes the answer wrong is kept -> only a replacement that makes the answer wrong
def replace_one(model, x, y, choices):
    def margin(t):
        with torch.no_grad():
            a = model(t)
        return a.scatter(1, y[:, None], -math.inf).amax(1) - a.gather(1, y[:, None])[:, 0]

    best, high = x.clone(), margin(x)
    for place in range(x.shape[1]):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            v = margin(one)
            b = v > high
            best[b], high[b] = one[b], v[b]
    best[high <= 0] = x[high <= 0]
    return best


# WRONG replace_one: the first and the last place are left out -> the first and the last place were left out
def replace_one(model, x, y, choices):
    def margin(t):
        with torch.no_grad():
            a = model(t)
        return a.scatter(1, y[:, None], -math.inf).amax(1) - a.gather(1, y[:, None])[:, 0]

    best, high = x.clone(), margin(x)
    for place in range(1, x.shape[1] - 1):
        for k in range(choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            v = margin(one)
            b = v > high
            best[b], high[b] = one[b], v[b]
    return best


# WRONG my_sticker: a sticker of 4 x 4 -> is it small
def my_sticker(model, texture, label):
    paint, place = torch.full((3, 4, 4), 0.5), slice(22, 26)
    for i in range(30):
        paint = paint.detach().requires_grad_()
        worn = texture.clone()
        worn[:3, place, place] = paint
        a = model(signs.render(worn[None], signs.scenes(16, seed=i)))
        (g,) = torch.autograd.grad(F.cross_entropy(a, torch.full((16,), label)), paint)
        paint = (paint + 0.1 * (1 - i / 30) * g.sign()).clamp(0, 1)
    worn = texture.clone()
    worn[:3, place, place] = paint.detach()
    return worn


# WRONG my_sticker: climbs the loss of class 0, whatever the sign -> whose margin does the paint climb
def my_sticker(model, texture, label):
    paint, place = torch.full((3, 14, 14), 0.5), slice(17, 31)
    for i in range(30):
        paint = paint.detach().requires_grad_()
        worn = texture.clone()
        worn[:3, place, place] = paint
        a = model(signs.render(worn[None], signs.scenes(16, seed=i)))
        (g,) = torch.autograd.grad(F.cross_entropy(a, torch.full((16,), 0)), paint)
        paint = (paint + 0.1 * (1 - i / 30) * g.sign()).clamp(0, 1)
    worn = texture.clone()
    worn[:3, place, place] = paint.detach()
    return worn


# WRONG my_sticker: each step begins at grey again -> does each go on from the paint
def my_sticker(model, texture, label):
    place = slice(17, 31)
    for i in range(30):
        paint = torch.full((3, 14, 14), 0.5).requires_grad_()
        worn = texture.clone()
        worn[:3, place, place] = paint
        a = model(signs.render(worn[None], signs.scenes(16, seed=i)))
        (g,) = torch.autograd.grad(F.cross_entropy(a, torch.full((16,), label)), paint)
        paint = (paint + 0.1 * g.sign()).clamp(0, 1)
    worn = texture.clone()
    worn[:3, place, place] = paint.detach()
    return worn


# WRONG project: the largest change of a wish -> the largest *change* of a wish
def project(new, old, reach):
    low, high = (old - reach).clamp(min=0), old + reach
    low[:, 3] = old[:, 3]
    out = old.clone()
    for c in (0, 3):
        out[:, c] = new[:, c].round().clamp(low[:, c].ceil(), high[:, c].floor())
    may = (reach[5:] == 1) | (old[:, 5:] == 1)
    best = (new[:, 5:] - old[:, 5:]).masked_fill(~may, -torch.inf).argmax(1)
    out[:, 5:] = F.one_hot(best, 3).to(old.dtype)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG replace_one: the first choice of each word is left out -> by its first choice
def replace_one(model, x, y, choices):
    def margin(text):
        out = model(text)
        own = out.gather(1, y[:, None])[:, 0]
        rest = out.scatter(1, y[:, None], -torch.inf).amax(1)
        return rest - own

    best, kept = margin(x), x.clone()
    for place in range(x.shape[1]):
        for k in range(1, choices.shape[1]):
            one = x.clone()
            one[:, place] = choices[x[:, place], k]
            value = margin(one)
            better = value > best
            best = torch.where(better, value, best)
            kept[better] = one[better]
    return kept


# WRONG project: a wish to fall becomes a rise of the same size -> is not as near to the wish as may be
def project(new, old, reach):
    low, high = (old - reach).clamp(min=0), old + reach
    low[:, 3] = old[:, 3]
    out = old.clone()
    for c in (0, 3):
        out[:, c] = (old[:, c] + (new[:, c] - old[:, c]).abs()).round().clamp(low[:, c].ceil(), high[:, c].floor())
    may = (reach[5:] == 1) | (old[:, 5:] == 1)
    best = new[:, 5:].masked_fill(~may, -torch.inf).argmax(1)
    out[:, 5:] = F.one_hot(best, 3).to(old.dtype)
    out[:, 2] = out[:, 0] + out[:, 1]
    return out


# WRONG may_change: >= one half -> exactly one half is left
def may_change(k, n, length, keep, failure_prob):
    low = special.betaincinv(k, n - k + 1.0, failure_prob) if k else 0.0
    best = -1
    for c in range(length + 1):
        if low - (1 - math.comb(length - c, keep) / math.comb(length, keep)) >= 0.5:
            best = c
    return best


# WRONG may_change: k = 0 gives NaN, which no comparison stops -> no vote at all
def may_change(k, n, length, keep, failure_prob):
    low = special.betaincinv(k, n - k + 1.0, failure_prob)
    c = 0
    while not low - (1 - math.comb(length - c, keep) / math.comb(length, keep)) <= 0.5:
        c += 1
        if c > length:
            break
    return c - 1


# WRONG project: every channel with the largest wish -> several wishes are equally large
def project(new, old, reach):
    low, high = (old[:, 0] - reach[0]).clamp_min(0).ceil(), (old[:, 0] + reach[0]).floor()
    amount = new[:, 0].round().maximum(low).minimum(high)
    count = new[:, 3].round().maximum(old[:, 3]).minimum((old[:, 3] + reach[3]).floor())
    wish = new[:, 5:].masked_fill((reach[5:] < 1) & (old[:, 5:] != 1), -math.inf)
    channel = (wish == wish.amax(1, keepdim=True)).float()
    return torch.cat([torch.stack([amount, old[:, 1], amount + old[:, 1], count, old[:, 4]], 1), channel], 1)


# WRONG may_change: scipy's comb, which is a float and becomes infinite -> a whole one, or infinite
def may_change(k, n, length, keep, failure_prob):
    share = special.betaincinv(k, n - k + 1.0, failure_prob) if k else 0.0
    best = -1
    for changes in range(length + 1):
        left = special.comb(length - changes, keep) / special.comb(length, keep)
        if share + left - 1 > 0.5:
            best = changes
    return best
