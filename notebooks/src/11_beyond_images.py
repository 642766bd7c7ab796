# %% [markdown]
# # 11 · Beyond images
#
# > *"The same defenses protect fraud detection, diagnosis and text."*
#
# All earlier lessons changed pixels a little. A thief cannot change a payment by 0.1 in each column,
# nobody moves a word by 0.1, and a sticker on a road sign changes few pixels very much.
# What is left of our attacks and defenses when the world says what may change?
#
# **You will build** attacks that respect what a person can do, on payments, messages, road signs and faces.
# *About 60 minutes, after 03, 06 and 07; the cells run in SECONDS s on two CPU cores.*

# %%
import math
from functools import partial

import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F

from utils import attacks, plots, smoothing, widgets
from utils.adversarial import attacked
from utils.attacks import margin
from utils.claims import claim
from utils.data import load
from utils.distillation import imitate
from utils.domains import faces, moves, rules, signs, stickers, swaps, tables, texts
from utils.domains.rules import box, follow_links
from utils.evaluation import Rate, accuracy
from utils.larger import larger
from utils.masking import Cooled, Quantize, StraightThrough
from utils.models import logits, mlp, predict, small_cnn
from utils.records import measured
from utils.training import fit
from utils.widgets.stickers import StickerExplorer

# %% [markdown]
# ## Four threat models
#
# | | who | may change | wins when |
# |---|---|---|---|
# | **payments** | a thief with a copied card | what a thief can choose, at a price | the fraud is not stopped |
# | **diagnoses** | whoever handles the measures | each measure, by 5 % of its range | the diagnosis is wrong |
# | **messages** | a sender of spam | one word in six | it is not called spam |
# | **road signs** | a passer-by with a sticker | a small square of the sign | a camera misreads it |
#
# All know the model and the defense.

# %%
guess = widgets.ask("A fraud detector, adversarially trained as in lesson 03. What share of frauds is still stopped?")
guess

# %% [markdown]
# ## Payments
#
# Real payments are published without their meaning (`load("credit")`: 28 of 30 columns are mixtures of what a bank
# knew), so nobody can say what a thief could change. These are drawn by a program (`utils/domains/tables.py` says how):
# customers with habits, merchants with prices, and one fraud in a hundred.
# A model may learn only from labels that have arrived; complaints take two weeks.

# %%
stream = tables.transactions()
payments, table = tables.payments(stream), tables.RULES
fraud, honest = (payments.test.x[payments.test.y == label] for label in (1, 0))
is_fraud = torch.ones(len(fraud), dtype=torch.int64, device=fraud.device)
known = payments.train.x[payments.train.y == 0]  # honest, as far as the bank knew at half time
print(payments)
for i, column in enumerate(table.columns[:7]):
    usual, stolen = (float(stream.x[stream.y == label, i].median()) for label in (0, 1))
    measured(f"{column.name}, median", {"honest": usual, "fraud": stolen})

# %% [markdown]
# Who calls everything honest is right in 99 % of cases, so accuracy says nothing here.
# What counts: what share of **frauds** is stopped, if one **honest** payment in a hundred may be stopped too?


# %%
detector = partial(tables.stopping, honest=known, share=0.01)  # a threshold that one honest payment in a hundred passes
table_net = partial(mlp, payments, width=64)
learn = partial(fit, train=tables.balanced(payments.train), updates=200)
torch.manual_seed(0)
plain = detector(learn(table_net()))
stopped = Rate(int(predict(plain, honest).sum()), len(honest))
measured("frauds stopped", accuracy(plain, (fraud, is_fraud)))
measured("honest payments stopped", stopped)

# %% [markdown]
# ## The attack that no thief can make
#
# PGD in the $L_\infty$ ball, as ever. Most frauds pass. But look at what it asks for:

# %%
steep = partial(attacks.pgd, loss=margin, early_stop=False)
naive = steep(plain, fraud, is_fraud, eps=payments.eps)
channel, wish = naive[:, table.groups()["channel"]], rules.units(naive, table)
possible = {
    "by exactly one channel": ((channel == 0) | (channel == 1)).all(1),
    "whole euros": wish[:, tables.AMOUNT] == wish[:, tables.AMOUNT].round(),
    "an account as old as it is": naive[:, tables.AGE] == fraud[:, tables.AGE],
}
measured("frauds stopped, if such rows could be", accuracy(plain, (naive, is_fraud)))
for name, yes in possible.items():
    measured(name, Rate(int(yes.sum()), len(fraud)))

# %% [markdown]
# The attack wins with payments that nobody can make: parts of a cent, a tenth by phone,
# from an account that is younger than it is.
#
# What a person can change is a property of each column: a **price** (infinite: never),
# whole numbers only, rising only (who has paid five times cannot have paid four times),
# one of a group, or **linked**: the sum of the day follows from the amount.
#
# ## Feasibility is a projection
#
# After each step, go to a row near by that can exist.
# The order matters: each step may spoil what came before, except for what the next one leaves alone.


# %%
def feasible(x_new, x, rules, *, eps):
    """A row that can exist and that `x` can become at a cost of at most `eps` in each column: near `x_new`."""
    low, high = box(x, rules, eps)  # the budget; [0, 1]; no price, no change; rising columns do not fall
    out = torch.minimum(torch.maximum(x_new, low), high)
    values, least, most = units(out, rules), units(low, rules), units(high, rules)
    inside = torch.minimum(torch.maximum(values.round(), (least - 1e-3).ceil()), (most + 1e-3).floor())
    whole = rules.where(lambda c: c.whole and c.cost < math.inf, x)
    out = torch.where(whole, scale(inside, rules), out)
    for places in rules.groups().values():
        price = torch.tensor([rules.columns[i].cost for i in places], device=x.device)
        wish = x_new[:, places].masked_fill((price > eps) & (x[:, places] < 0.5), -math.inf)
        out[:, places] = F.one_hot(wish.argmax(1), len(places)).to(out)
    return follow_links(out, x, rules)  # last: it follows from all the others


# %% [markdown]
# A number is rounded *inside* its budget, for rounding may step over its edge.
# Linked columns come last, or they would tell of an amount that is no more.
#
# Is it a projection? What is feasible must stay where it is, and two steps must be one.

# %%
scale, units = rules.scale, rules.units  # between units and [0, 1]
wild = torch.rand(1000, fraud.shape[1], generator=torch.Generator().manual_seed(0)).to(fraud)
start = payments.test.x[:1000]
real = feasible(wild, start, table, eps=payments.eps)
again, still = (feasible(x, start, table, eps=payments.eps) for x in (real, start))
print(
    "twice is once:",
    torch.allclose(again, real, atol=1e-5),
    "· a payment stays:",
    torch.allclose(still, start, atol=1e-5),
)
print("sum of the day follows:", torch.allclose(follow_links(real, start, table), real, atol=1e-5))

# %% [markdown]
# ## Two attacks that a thief can make
#
# The first follows the gradient, *through* the links, and projects.
# The second needs no gradient: it tries every single change, keeps the best, and tries again.


# %%
def climb(model, x, y, rules, *, eps, steps=20):
    """Up the margin's gradient, through the links; the worst row on the way that can exist."""
    low, high = box(x, rules, eps)
    free, best, highest = x, x, margin(logits(model, x), y)
    for _ in range(steps):
        free = free.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(follow_links(free, x, rules)), y).sum(), free)
        free = free.detach() + 1.25 / steps * (high - low) * gradient.sign()
        free = torch.minimum(torch.maximum(free, low), high)
        row = feasible(free, x, rules, eps=eps)
        value = margin(logits(model, row), y)
        best = torch.where((value > highest)[:, None], row, best)
        highest = torch.maximum(value, highest)
    return best


# %%
def search(model, x, y, rules, *, eps, rounds=3, choices=9):
    """Every change of one column, the best of them, and again `rounds` times; scores are enough."""
    low, high = box(x, rules, eps)
    best, each = x, torch.arange(len(x))
    for _ in range(rounds):
        tries = [best]
        for i, column in enumerate(rules.columns):
            if column.cost < math.inf:
                for share in [2.0] if column.group else torch.linspace(0, 1, choices).tolist():
                    one = best.clone()
                    one[:, i] = low[:, i] + share * (high[:, i] - low[:, i])  # 2: the largest of its group
                    tries.append(one)
        rows = feasible(torch.cat(tries), x.repeat(len(tries), 1), rules, eps=eps)
        values = margin(logits(model, rows), y.repeat(len(tries))).view(len(tries), -1)
        best = rows.view(len(tries), *x.shape)[values.argmax(0), each]
    return best


# %%
def standing(model, found, y):
    """How many are right under every attack: `found` are the inputs that the attacks found."""
    return Rate(int(torch.stack([predict(model, x) == y for x in found]).all(0).sum()), len(y))


budget = {"rules": table, "eps": payments.eps}
found = {"no attack": fraud, "PGD, impossible rows": naive}
found["the same, projected at the end"] = feasible(naive, fraud, table, eps=payments.eps)
found |= {attack.__name__: attack(plain, fraud, is_fraud, **budget) for attack in (climb, search)}
whole_loot = [c._replace(cost=math.inf) if c.name == "amount" else c for c in table.columns]
found["search, the amount as it is"] = search(
    plain, fraud, is_fraud, table._replace(columns=whole_loot), eps=payments.eps
)
plots.rates({name: accuracy(plain, (x, is_fraud)) for name, x in found.items()}, x="frauds stopped")

# %% [markdown]
# An attack that is projected only at its end loses much of its force: what it planned is not what is done.
# The two that plan with what is possible win. The last thief gives up no cent of the loot:
# the channel, the kind of shop, the hour and the distance are enough for most.
#
# ## The same defenses
#
# Four recipes from earlier lessons, for any kind of data. One is trained *as before*, in a ball;
# one is trained on *this threat*, by the attack that we have just built.


# %%
def recipes(make, learn, before, fitted):
    """Distilled, and twice adversarially trained: `before` and `fitted` are handed to `learn`."""
    torch.manual_seed(0)
    teacher = learn(Cooled(make(), 20))
    made = {"distilled": learn(Cooled(make(), 20), loss=imitate(teacher)).model}
    for name, how in {"trained as before": before, "trained on this threat": fitted}.items():
        torch.manual_seed(0)
        made[name] = learn(make(), **how)
    return made


def thieves(model, x, y, *, rules, eps):
    """A transform for `fit`: each fraud as a thief would make it."""
    moved, which = x.clone(), y == 1
    moved[which] = search(model, x[which], y[which], rules, eps=eps, rounds=2, choices=3)
    return moved


before = {"transform": attacked(payments.eps, steps=4, updates=200)}
made = recipes(table_net, learn, before, {"transform": partial(thieves, **budget)})
made["masked"] = nn.Sequential(Quantize(11), plain[0])
detectors = {"undefended": plain} | {name: detector(model) for name, model in made.items()}

# %%
board = {name: {} for name in ("undefended", "masked", "distilled", "trained as before", "trained on this threat")}
caught = {}
for name in board:
    model = detectors[name]
    slow, quick = (attack(model, fraud, is_fraud, **budget) for attack in (climb, search))
    board[name]["fraud"] = standing(model, [fraud, slow, quick], is_fraud)
    caught[name] = {"no attack": accuracy(model, (fraud, is_fraud)), "by gradient": accuracy(model, (slow, is_fraud))}
    caught[name]["by gradient and search"] = board[name]["fraud"]
plots.table(caught)

# %%
guess.reveal(board["trained as before"]["fraud"])

# %% [markdown]
# The mask stops the gradient and nothing else, as in lessons 04 and 05.
# Training in the ball was spent on changes that no thief can make. It pays for them before anybody attacks,
# with frauds that it no longer finds, and what it finds falls as before.
# Training on what thieves can do costs little, and helps. The idea carries over; the ball does not.

# %%
sigma = {"fraud": 0.1, "diagnosis": 0.25, "signs": 0.12}


def longest(sigma, n=1000):
    """The longest radius that n votes can prove, if all of them agree (lesson 07)."""
    return sigma * stats.norm.ppf(0.001 ** (1 / n))


torch.manual_seed(0)
voter = learn(table_net(), transform=smoothing.noisy(sigma["fraud"]))
copies = [logits(voter, known + sigma["fraud"] * torch.randn_like(known)) for _ in range(21)]
middle = torch.stack([answer[:, 1] - answer[:, 0] for answer in copies]).median(0).values
voter = nn.Sequential(voter, tables.Threshold(float(middle.quantile(0.99)))).eval()  # stops 1 % of honest payments
soft = smoothing.smoothed(voter, sigma["fraud"])
worst = search(soft, fraud, is_fraud, **budget)
answer = smoothing.majority(voter, worst, sigma=sigma["fraud"], n=200)
proof = smoothing.certify(voter, fraud, sigma=sigma["fraud"])
farthest = math.sqrt(2)  # the length in L2 of a change of channel
board["smoothed, attacked"] = {"fraud": Rate(int((answer == 1).sum()), len(fraud))}
proved = (proof.label == 1) & (proof.radius >= farthest)
board["smoothed, proved"] = {"fraud": Rate(int(proved.sum()), len(fraud))}
unharmed = smoothing.majority(voter, fraud, sigma=sigma["fraud"], n=200)
measured("frauds stopped by votes, no attack", Rate(int((unharmed == 1).sum()), len(fraud)))
measured("the way to another channel", farthest)
measured("the most that 1,000 votes can prove, fraud", longest(sigma["fraud"]))
measured("noise that could prove it, where a whole column is 1 wide", farthest / longest(1))

# %% [markdown]
# A certificate for a ball is worth nothing against a step out of it:
# to pay online instead of by phone is a step of length 1.41, and within the thief's budget.
# With noise that reaches so far, no payment looks like itself.
#
# ## Diagnoses
#
# Real ones: 30 measures of a tumor. Here the old ball fits the threat:
# each measure may be off by 5 % of its range, by mistake or by intent.

# %%
tumors = load("tumors")
x, y = tumors.test
tumor_net, learn = partial(mlp, tumors, width=64), partial(fit, train=tumors.train, updates=200)
before = {"transform": attacked(tumors.eps, steps=4, updates=200)}
models = recipes(tumor_net, learn, before, {"transform": smoothing.noisy(sigma["diagnosis"])})
voter, models["trained on this threat"] = models["trained on this threat"], models["trained as before"]
torch.manual_seed(0)
models["undefended"], mask = learn(tumor_net()), Quantize(9)
models["masked"], seen_through = (nn.Sequential(m, models["undefended"]) for m in (mask, StraightThrough(mask)))
for name in board.keys() & models.keys():
    looks = [attack(models[name], x, y, eps=tumors.eps) for attack in (attacks.apgd, steep)]
    looks.append(steep(seen_through if name == "masked" else models[name], x, y, eps=tumors.eps, seed=1))
    board[name]["diagnosis"] = standing(models[name], [x, *looks], y)

# %%
how = {"steps": 10, "loss": margin, "early_stop": False}
x_adv = attacks.pgd(smoothing.smoothed(voter, sigma["diagnosis"], 8), x, y, eps=tumors.eps, **how)
answer = smoothing.majority(voter, x_adv, sigma=sigma["diagnosis"], n=200)
proof = smoothing.certify(voter, x, sigma=sigma["diagnosis"])
needed = tumors.eps * math.sqrt(x.shape[1])  # the L2 ball that contains the box
board["smoothed, attacked"]["diagnosis"] = Rate(int((answer == y).sum()), len(y))
proved = (proof.label == y) & (proof.radius >= needed)
board["smoothed, proved"]["diagnosis"] = Rate(int(proved.sum()), len(y))
measured("needed", needed)
measured("the most that 1,000 votes can prove, diagnosis", longest(sigma["diagnosis"]))
plots.table({name: {"diagnoses right, under attack": cells["diagnosis"]} for name, cells in board.items()})

# %% [markdown]
# Where the threat is a box, what was built for a box works as it did on digits,
# and what failed there fails here. (Trained *as before* and *on this threat* are one model: the threats agree.)
# The box is small enough for a proof, too: of the diagnoses that votes under noise keep, nearly all are proved.
#
# ## Messages
#
# Ours are written for this course; `COURSE_TEXTS=sms_spam` reads real ones.
# The model has a vector for each word, and reads the mean of a message's vectors.
# A word has no neighbours at distance 0.1. It has words of like meaning, and misspellings.

# %%
mail = texts.load_texts()
spam = (mail.test.y == 1).nonzero()[:150, 0]  # to be disguised
(x, y), ham = (mail.test.x[spam], mail.test.y[spam]), mail.test.x[mail.test.y == 0]
many = round(float((x != 0).sum(1).float().mean()) / 6)  # words that may change: one in six
learn = partial(fit, train=tables.balanced(mail.train), lr=1e-2, updates=200)


def filtered(reader, ham, look=lambda x: x, copies=1):
    """The reader with a threshold of its own, at which it calls one honest message in twenty spam."""
    answer = logits(reader, look(ham.repeat(copies, 1)))
    ahead = (answer[:, 1] - answer[:, 0]).view(copies, -1).median(0).values
    reader.head.append(tables.Threshold(float(ahead.quantile(0.95))))
    return reader.eval()


torch.manual_seed(0)
reader = filtered(learn(texts.Reader(mail)), ham)
print(mail, f"attacker's words: {many}", sep="\n")
called = Rate(int(predict(reader, ham).sum()), len(ham))
measured("called spam, of spam", accuracy(reader, (x, y)))
measured("called spam, of honest messages", called)

# %% [markdown]
# Which word to change, and into what? The gradient at each word's vector tells, to first order,
# how much any other vector there would gain:
#
# $$\text{gain}(i \to w) \approx (e_w - e_{x_i}) \cdot \nabla_{e_{x_i}} \ell$$


# %%
def swap_by_gradient(model, x, y, choices, *, changes):
    """Replace `changes` words of each text, one at a time, as the gradient says. Ebrahimi et al. 2018."""
    each, now, allowed = torch.arange(len(x)), x.clone(), choices[x]  # allowed: (N, length, choices)
    for _ in range(changes):
        vectors = model.vectors(now).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model.read(vectors, now), y).sum(), vectors)
        gain = ((model.vectors(allowed) - vectors[:, :, None]) * gradient[:, :, None]).sum(-1)
        taken = (allowed == x[..., None]) | (now != x)[..., None]  # no change, or changed before
        best = gain.masked_fill(taken, -math.inf).flatten(1).argmax(1)
        place, which = best // choices.shape[1], best % choices.shape[1]
        now[each, place] = allowed[each, place, which]
    return now


def swap_by_search(model, x, y, choices, *, changes):
    """Replace up to `changes` words of each text, one at a time, by trying all; scores are enough."""
    each, now, length = torch.arange(len(x)), x, x.shape[1]
    for _ in range(changes):
        tries = now[:, None, None].repeat(1, length, choices.shape[1], 1)
        tries[:, range(length), :, range(length)] = choices[x].transpose(0, 1)
        tries = tries.flatten(1, 2)  # each place, each choice; also another one where a word has changed before
        value = margin(logits(model, tries.flatten(0, 1)), y.repeat_interleave(tries.shape[1])).view(len(x), -1)
        now = tries[each, value.argmax(1)]
    return now


# %%
swapped = swap_by_search(reader, x, y, mail.substitutes, changes=many)
fallen = ((predict(reader, x) == 1) & (predict(reader, swapped) == 0)).nonzero()[:2, 0]
said = [mail.said[i] for i in spam[fallen].tolist()]  # as it was written
changed = [texts.rewritten(swapped[i], x[i], words, mail.words) for i, words in zip(fallen, said, strict=True)]
plots.passages([(" ".join(words), text) for words, text in zip(said, changed, strict=True)])

# %% [markdown]
# A person reads the same offer. To the model a misspelt word is *unknown*: its evidence is gone.
#
# Three defenses for words: a mask (vectors rounded to a coarse grid),
# training with steps in the *vectors* (as before), training with *swapped words* (this threat).


# %%
class Rounded(nn.Module):
    """A reader whose vectors are rounded to multiples of a step: no gradient is left."""

    def __init__(self, reader, step=0.5):
        super().__init__()
        self.reader, self.vectors, self.step = reader, reader.vectors, step

    def read(self, vectors, x):
        return self.reader.read((vectors / self.step).round() * self.step, x)

    def forward(self, x):
        return self.read(self.vectors(x), x)


def in_vectors(eps):
    """A loss for `fit`: right at the words' vectors, and a step of length eps uphill from them. Miyato et al. 2017."""

    def loss(model, x, y):
        vectors = model.vectors(x)
        here = F.cross_entropy(model.read(vectors, x), y)
        (gradient,) = torch.autograd.grad(here, vectors, retain_graph=True)
        step = eps * gradient / gradient.flatten(1).norm(dim=1)[:, None, None].clamp_min(1e-12)
        return here + F.cross_entropy(model.read(vectors + step.detach(), x), y)

    return loss


# %%
words = {"choices": mail.substitutes, "changes": many}
fitted = {"transform": partial(swap_by_gradient, **words)}
readers = recipes(partial(texts.Reader, mail), learn, {"loss": in_vectors(3.0)}, fitted)
readers = {"undefended": reader} | {name: filtered(one, ham) for name, one in readers.items()}
readers["masked"], by_gradient = Rounded(reader), {}
for name in board.keys() & readers.keys():
    model = readers[name]
    slow, quick = (swap(model, x, y, **words) for swap in (swap_by_gradient, swap_by_search))
    by_gradient[name] = accuracy(model, (slow, y))
    board[name]["text"] = standing(model, [x, slow, quick], y)
shown = [name for name in board if name in readers]
plots.table({name: {"by gradient": by_gradient[name], "by gradient and search": board[name]["text"]} for name in shown})

# %% [markdown]
# The same picture as for payments: the mask stops the gradient, and a search that never asked for one walks through.
#
# ## A certificate for words
#
# Noise on a word means nothing, but *hiding* words does. Keep $k$ of a message's $L$ words at random,
# ask the model, repeat, and count votes. Who changes $r$ words is seen only if a changed word is kept:
#
# $$P(\text{seen}) = 1 - \binom{L-r}{k} \Big/ \binom{L}{k}$$
#
# A class whose share is surely above $\tfrac12 + P(\text{seen})$ wins, whatever the $r$ new words are.


# %%
def keep_some(x, keep):
    """Each text with `keep` of its words, drawn anew at each call; the others are absent (0)."""
    draw = torch.rand(x.shape, device=x.device) * (x != 0)
    last = draw.topk(keep, dim=1).values[:, -1:]
    return torch.where((draw >= last) & (x != 0), x, 0)


def seen(length, keep, changes):
    """The probability that one of `changes` words is among `keep` of `length`."""
    hidden = math.comb(max(length - changes, 0), keep)
    return 1 - hidden / math.comb(length, keep) if length > keep else float(changes > 0)


# %%
class Hidden(nn.Module):
    """The logarithm of a model's mean probabilities over (n of) all texts with `keep` of the words: a soft vote."""

    def __init__(self, model, keep, n=500):
        super().__init__()
        self.model, self.keep, self.n = model, keep, n

    def forward(self, x):
        shares, length = self.model(x[:, : self.keep]).softmax(1), (x != 0).sum(1).clamp_min(1)
        for words in length.unique().tolist():
            which = torch.combinations(torch.arange(words), min(self.keep, words))  # words stand at the left
            which = which[torch.randperm(len(which), generator=torch.Generator().manual_seed(0))[: self.n]]
            copies = x[length == words][:, which.to(x.device)]  # (texts, copies, keep): for all texts the same places
            answers = self.model(copies.flatten(0, 1)).softmax(1)
            shares[length == words] = answers.unflatten(0, copies.shape[:2]).mean(1)
        return shares.log()


def votes_for(model, x, label, keep, n=500):
    """How many of n texts with `keep` words are given the label, (N,)."""
    return sum((predict(model, keep_some(x, keep)) == label).int() for _ in range(n))


# %%
torch.manual_seed(0)
keep, n = 3, 500
voter = learn(texts.Reader(mail), transform=lambda model, x, y: keep_some(x, keep))
voter = filtered(voter, ham, look=partial(keep_some, keep=keep), copies=50)
worst = swap_by_search(Hidden(voter, keep), x, y, mail.substitutes, changes=many)
right = votes_for(voter, worst, 1, keep, n) > n / 2
board["smoothed, attacked"]["text"] = Rate(int(right.sum()), len(y))
share = smoothing.clopper_pearson_below(votes_for(voter, x, 1, keep, n).cpu().numpy(), n, 0.001)
lengths = (x != 0).sum(1).tolist()
proved_spam = {}
for changes in range(many + 2):
    margin_left = [p - seen(length, keep, changes) for p, length in zip(share, lengths, strict=True)]
    proved_spam[changes] = Rate(sum(left > 0.5 for left in margin_left), len(y))
board["smoothed, proved"]["text"] = proved_spam[many]
plots.lines(proved_spam, x="words that may change", y="proved to stay spam")

# %% [markdown]
# The search counts *all* texts that could be voted on (of a long message, the same 500), so that chance does not guide
# it: scores from a few random texts choose the word that was lucky, and make the defense look better than it is.
#
# Some votes hold against the search. What can be *proved* ends after a few words:
# in a short message, even one changed word is often among those that are kept.
# The proof knows nothing of synonyms. It holds for any words, also for those that nobody has thought of.
#
# ## Road signs
#
# Drawn signs, seen by cameras in many poses, lights and blurs. (`load("gtsrb")` has photographs of real ones,
# but nobody can stick anything on those.) Each step of the drawing has a gradient.
# A passer-by sticks a square on a sign, once, and does not know from where a camera will look.
# So the attack climbs the mean over poses: expectation over transformation, from lesson 05.


# %%
def stick(texture, paint, spot):
    """Signs (..., 4, 48, 48) with a square of `paint` (..., 3, side, side) on them, its corner at `spot`."""
    (top, left), side = spot, paint.shape[-1]
    worn = texture.clone()
    worn[..., :3, top : top + side, left : left + side] = paint
    return worn


# %%
SPOTS = ((17, 17), (8, 17), (26, 17), (17, 8), (17, 26))  # where a sticker may sit


def sticker(model, texture, y, *, side=14, spots=SPOTS, steps=20, poses=4, seed=0, fixed=None):
    """Each sign (N, 4, 48, 48) with the sticker, of all spots, that most new poses misread. Athalye et al. 2018."""
    n, p = len(texture), len(spots)
    paint, fooled = torch.full((p, n, 3, side, side), 0.5, device=y.device), torch.zeros(p, n, device=y.device)
    for i in range(steps):
        paint = paint.detach().requires_grad_()
        worn = torch.stack([stick(texture, paint[k], spots[k]) for k in range(p)])
        view = signs.scenes(p * n * poses, seed=1000 * seed + i) if fixed is None else fixed
        seen = signs.render(worn.repeat_interleave(poses, 1).flatten(0, 1), view)
        value = margin(model(seen), y.repeat_interleave(poses).repeat(p)).view(p, n, poses)
        (gradient,) = torch.autograd.grad(value.clamp_max(2).sum(), paint)
        fooled += (value > 0).float().mean(2).detach() * (i >= steps / 2)
        paint = (paint + 0.1 * (1 - i / steps) * gradient.sign()).clamp(0, 1)
    best = fooled.argmax(0)
    return torch.stack([stick(texture[j], paint[best[j], j], spots[best[j]]) for j in range(n)]).detach()


# %%
road = signs.road_signs(1600, 400)
flat = signs.textures().to(road.test.x.device)
which = torch.arange(len(flat), device=flat.device)
learn = partial(fit, train=road.train, updates=100)
torch.manual_seed(0)
driver = learn(small_cnn(road)).requires_grad_(False)
views = signs.scenes(25 * len(flat), seed=99)  # new to every attack
y_seen = which.repeat_interleave(25)


def photos(worn, views):
    """Each sign as its share of the cameras sees it, (cameras, 3, 24, 24)."""
    return signs.render(worn.repeat_interleave(len(views.pose) // len(worn), 0), views)


one_pose = sticker(driver, flat, which, spots=SPOTS[:1], poses=1, fixed=signs.scenes(len(flat), seed=5))
worn = {"no sticker": flat, "grey square": stick(flat, torch.full((3, 14, 14), 0.5), SPOTS[0])}
worn |= {"sticker for one pose": one_pose, "sticker for many poses": sticker(driver, flat, which)}
plots.rates(
    {name: accuracy(driver, (photos(x, views), y_seen)) for name, x in worn.items()}, x="cameras that read the sign"
)

# %%
white = {name: x[:, :3] * x[:, 3:] + 1 - x[:, 3:] for name, x in worn.items()}
cameras = photos(worn["sticker for many poses"], views)[::25]
said = [road.classes[label] for label in predict(driver, cameras)]
plots.gallery({"flat": white["sticker for many poses"], "a camera": cameras}, photos=True)

# %% [markdown]
# A sticker that was made for one view loses much of its power a step farther on.
# One that was made for *all* views keeps it.
#
# Train against it: paint a square on each training image, in a random place,
# as badly as two steps can (Wu et al. 2020).


# %%
def squares(model, x, y, side=5, steps=2):
    """A transform for `fit`: a square of each image is painted to raise the loss."""
    n, _, height, _ = x.shape
    corner = torch.randint(3, height - side - 2, (2, n, 1), device=x.device)
    line = torch.arange(height, device=x.device)
    rows, columns = ((line >= c) & (line < c + side) for c in corner)
    mask = (rows[:, :, None] & columns[:, None])[:, None].to(x)
    paint = torch.rand(n, 3, 1, 1, device=x.device).expand_as(x)
    for _ in range(steps):
        paint = paint.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(x + mask * (paint - x)), y).sum(), paint)
        paint = (paint.detach() + 0.4 * gradient.sign()).clamp(0, 1)
    return x + mask * (paint - x)


# %%
before = {"transform": attacked(road.eps, steps=2, updates=100)}
drivers = {"undefended": driver} | recipes(partial(small_cnn, road), learn, before, {"transform": squares})
mask = Quantize(6)
drivers["masked"], seen_through = (nn.Sequential(m, driver) for m in (mask, StraightThrough(mask)))
in_ball, worn = {}, {}
for name in board.keys() & drivers.keys():
    model = drivers[name]
    worn[name] = sticker(seen_through if name == "masked" else model, flat, which)
    board[name]["signs"] = accuracy(model, (photos(worn[name], views), y_seen))
    x, y = road.test.take(100)
    x_adv = attacks.pgd(seen_through if name == "masked" else model, x, y, eps=road.eps, steps=10)
    in_ball[name] = accuracy(model, (x_adv, y))
shown = [name for name in board if name in drivers]
rows = {n: {"no attack": accuracy(drivers[n], road.test), "in the ball": in_ball[n]} for n in shown}
plots.table({n: rows[n] | {"under a sticker": board[n]["signs"]} for n in shown})

# %% [markdown]
# Read the last two columns together. Training in the ball helps in the ball, and little or nothing against a sticker:
# a sticker changes few pixels by far more than `eps`, and leaves the others alone.
# Training on squares helps against stickers, costs accuracy, and need not help in the ball.

# %%
torch.manual_seed(0)
voter = learn(small_cnn(road), transform=smoothing.noisy(sigma["signs"])).requires_grad_(False)
stuck = sticker(smoothing.smoothed(voter, sigma["signs"], 2), flat, which)
answer = smoothing.majority(voter, photos(stuck, views), sigma=sigma["signs"], n=50)
board["smoothed, attacked"]["signs"] = Rate(int((answer == y_seen).sum()), len(y_seen))
length = (photos(stuck, views) - photos(flat, views)).flatten(1).norm(dim=1)
few = slice(0, len(y_seen), 5)
proof = smoothing.certify(voter, photos(flat, views)[few], sigma=sigma["signs"], n=300)
proved = (proof.label == y_seen[few]) & (proof.radius >= length[few])
board["smoothed, proved"]["signs"] = Rate(int(proved.sum()), len(proved))
measured("a sticker's length in L2, median", length.median())
measured("the most that 300 votes can prove, signs", longest(sigma["signs"], 300))
measured("noise that could prove it, where black is 0 and white is 1", length.median() / longest(1, 300))

# %% [markdown]
# ## Faces
#
# A face lock does not classify, it **verifies**: is this the person that it claims to be?
# A network turns an image into a direction; near the owner's, the lock opens.
# Two attackers: one wants to be taken for somebody (*impersonation*), one wants not to be found (*dodging*).
# Offline, digits stand in for people. The table at the end has real faces.


# %%
class Verifier(nn.Module):
    """How near each image is to each enrolled person: cosines (N, people), from a classifier's last hidden layer."""

    def __init__(self, classifier, enrolled):
        super().__init__()
        self.embed, (x, y) = classifier[:-1], enrolled
        directions = F.normalize(logits(self.embed, x), dim=1)
        people = torch.stack([directions[y == k].mean(0) for k in range(int(y.max()) + 1)])
        self.register_buffer("people", F.normalize(people, dim=1))

    def forward(self, x):
        return F.normalize(self.embed(x), dim=1) @ self.people.T


def nearness(cosines, claimed):
    """How near each image is to the person that it claims to be, (N,)."""
    return cosines.gather(1, claimed[:, None])[:, 0]


# %%
data = load()  # the digits; with COURSE_DATASET=olivetti, faces
(x, y), others = data.test.take(120), len(data.classes) - 1
claimed = (y + 1 + torch.randint(others, y.shape, generator=torch.Generator().manual_seed(0)).to(y.device)) % (
    others + 1
)
learn, locks = partial(fit, train=data.train, updates=150), {}
how = {"eps": data.eps, "steps": 20, "early_stop": False}

# %%
for name, transform in {"undefended": None, "trained as before": attacked(data.eps, steps=4, updates=150)}.items():
    torch.manual_seed(0)
    lock = Verifier(learn(small_cnn(data), transform=transform), data.train).eval()
    cosines = logits(lock, data.test.x)
    stranger = F.one_hot(data.test.y, others + 1) == 0
    threshold = cosines[stranger][:100_000].quantile(0.99)  # one stranger in a hundred gets in
    mask_on = attacks.pgd(lock, x, claimed, loss=nearness, **how)
    hood = attacks.pgd(lock, x, y, loss=lambda cosines, own: -nearness(cosines, own), **how)
    looks = {
        "owner let in": (x, y),
        "stranger": (x, claimed),
        "impersonation": (mask_on, claimed),
        "dodging": (hood, y),
    }
    opened = {what: nearness(logits(lock, image), who) >= threshold for what, (image, who) in looks.items()}
    opened |= {what: ~opened[what] for what in ("stranger", "impersonation")}
    names = ("owner let in", "stranger kept out", "impersonation kept out", "dodging found")
    locks[name] = {n: Rate(int(o.sum()), len(y)) for n, o in zip(names, opened.values(), strict=True)}
plots.table(locks)

# %% [markdown]
# To dodge, any direction away from oneself will do; to impersonate, one must arrive somewhere.
# So state which of the two is feared: a lock fears the first attacker, a watch list the second.
# The ball fits a photograph that is sent in. For glasses worn before a camera, think of stickers.
#
# ## The scoreboard
#
# Each cell is what the strongest attack leaves, adapted to the defense.
# *Smoothed* means votes: under noise for tables and signs, over hidden words for texts.

# %%
plots.table(board)

# %% [markdown]
# Read it by rows. The mask lifts no column. Training *as before* lifts the column whose threat is a ball,
# and neither frauds nor signs. What was trained on the threat lifts those.
# A proof in $L_2$ reaches a small box, not a change of channel and not a sticker; hiding words proves a little.
# (The text column has few messages: differences of a few points mean nothing there.)
#
# ## Play
#
# Choose a sign, a defense and a camera. The sticker was made against the defense that you chose.

# %%
readings = {}
for name in shown:
    images = photos(worn[name], signs.scenes(12 * len(flat), seed=123))
    readings[name] = images.unflatten(0, (-1, 12)), logits(drivers[name], images).softmax(1).unflatten(0, (-1, 12))
StickerExplorer(readings, road.classes)

# %% [markdown]
# **Try.** Find a sign that one defense reads from every camera and another from none.
# Does a nearer camera help?
#
# ## Verdict

# %%
kinds, bare = ("fraud", "diagnosis", "text"), board["undefended"]
helps = {name: {kind for kind in kinds if cells[kind].clearly_above(bare[kind])} for name, cells in board.items()}
unchanged = any(len(helps[name]) == len(kinds) for name in ("masked", "distilled", "trained as before"))
fitted = helps["trained on this threat"] | helps["smoothed, attacked"]
left = [f"{kind} {board['trained as before'][kind]} (undefended {bare[kind]})" for kind in kinds]
claim(
    "The same defenses protect fraud detection, diagnosis and text",
    holds=True if unchanged else None if fitted else False,
    because="fitted to what may change they can, unchanged they do not everywhere. Adversarial training as for images "
    f"leaves, under attack, {', '.join(left)}; trained on what a thief can do, fraud "
    f"{board['trained on this threat']['fraud']}; votes over hidden words, text {board['smoothed, attacked']['text']}",
)

# %% [markdown]
# **To take to work.** Begin with the list of what a person can change, at what price, and what follows from what.
# Make it a projection, test it, and use it in attack and training alike.
# Attack with a search as well: in tables and texts it is cheap, and no mask of the gradient stops it.
# (Hidden or rounded scores slow it; then attack a copy, lesson 08.)
#
# **What it costs.** Training on the threat takes a search in each batch, and accuracy for road signs.
# Votes over words take hundreds of answers for one.
#
# ## The same in `utils`

# %%
small, labels = fraud[:20], is_fraud[:20]
spam, spam_labels = mail.test.x[spam[:20]], mail.test.y[spam[:20]]
same = {
    "feasible": torch.equal(feasible(wild, start, table, eps=0.1), rules.feasible(wild, start, table, eps=0.1)),
    "climb": torch.equal(climb(plain, small, labels, **budget), moves.climb(plain, small, labels, **budget)),
    "search": torch.equal(search(plain, small, labels, **budget), moves.search(plain, small, labels, **budget)),
    "by gradient": torch.equal(
        swap_by_gradient(reader, spam, spam_labels, **words), swaps.swap_by_gradient(reader, spam, spam_labels, **words)
    ),
    "seen": seen(20, 3, 2) == swaps.seen(20, 3, 2),
    "sticker": torch.equal(sticker(driver, flat, which, steps=2), stickers.sticker(driver, flat, which, steps=2)),
    "Verifier": torch.equal(lock(x), faces.Verifier(nn.Sequential(*lock.embed, nn.Identity()), data.train)(x)),
}
print(same)

# %% [markdown]
# ## At a larger scale
#
# The same cells with MNIST for the lock; then with real messages (UCI's SMS collection) and real faces (Olivetti).
# Longer messages leave the sender of spam less, and prove more.

# %%
headline = {f"text, {name}": cells["text"] for name, cells in board.items()}
headline |= {f"lock {name}, {what}": rate for name, cells in locks.items() for what, rate in cells.items()}
larger("11_beyond_images", headline, "mnist", "olivetti+sms_spam")

# %% [markdown]
# ## Further
#
# - Ebrahimi et al. 2018, [arXiv:1712.06751](https://arxiv.org/abs/1712.06751): swapping by gradient.
# - Levine & Feizi 2020, [arXiv:1911.09272](https://arxiv.org/abs/1911.09272): certificates by hiding.
# - Athalye et al. 2018, [arXiv:1707.07397](https://arxiv.org/abs/1707.07397): objects that fool from all sides.
# - Wu et al. 2020, [arXiv:1909.09552](https://arxiv.org/abs/1909.09552): training on painted squares.
# - Miyato et al. 2017, [arXiv:1605.07725](https://arxiv.org/abs/1605.07725): steps in the vectors of words.
#
# Practise: [lab 11](../labs/11_beyond_images.ipynb).
# Next: [12 · Model monitoring](12_model_monitoring.ipynb)
