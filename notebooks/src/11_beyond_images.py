# %% [markdown]
# # 11 · Beyond images
#
# > *"The same defenses protect fraud detection and diagnosis."*
#
# All earlier lessons changed pixels a little. A thief cannot change a payment by 0.1 in each column:
# a payment is by phone or it is not, and nobody makes an account older than it is.
# What is left of our attacks and defenses when the world says what may change?
#
# **You will build** attacks that respect what a person can do, and see which defenses survive the change of rules.
# *About 45 minutes, after 03, 06 and 07; the cells run in SECONDS s on two CPU cores.*

# %%
import math
from functools import partial

import torch
from scipy import special
from torch import nn
from torch.nn import functional as F

from utils import attacks, plots, smoothing, widgets
from utils.adversarial import attacked
from utils.attacks import margin
from utils.claims import claim
from utils.data import load
from utils.distillation import imitate
from utils.domains import moves, rules, tables
from utils.domains.rules import box, follow_links
from utils.evaluation import Rate, Trainings, accuracy
from utils.masking import Cooled, Quantize, StraightThrough
from utils.models import logits, mlp, predict
from utils.records import measured
from utils.training import fit

# %% [markdown]
# ## Two threat models
#
# | | who | may change | wins when |
# |---|---|---|---|
# | **payments** | a thief with a copied card | what a thief can choose, at a price | the fraud is not stopped |
# | **diagnoses** | whoever handles the measures | each measure, by 5 % of its range | the diagnosis is wrong |
#
# Both know the model and the defense.

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
# (Thieves use a card several times, and frauds with one card fall together. The intervals count frauds:
# for other cards they are too narrow.)


# %%
detector = partial(tables.stopping, honest=known, share=0.01)  # a threshold that one honest payment in a hundred passes
table_net = partial(mlp, payments, width=64)
learn = partial(fit, train=tables.balanced(payments.train), updates=200)
torch.manual_seed(0)
plain = detector(learn(table_net()))
stopped = Rate(int(predict(plain, honest).sum()), len(honest))
cards = stream.customer[stream.time > stream.time.max() / 2][payments.test.y.cpu() == 1].unique()
measured("frauds to be found, and the cards that they were paid with", {"frauds": len(fraud), "cards": len(cards)})
measured("frauds stopped", accuracy(plain, (fraud, is_fraud)))
measured("honest payments stopped", stopped)

# %% [markdown]
# ## The attack that no thief can make
#
# PGD in the $L_\infty$ ball, as ever. Most frauds pass. But look at what it asks for. (The model sees each column
# in [0, 1]; `rules.units` turns a row into what people say: euros, hours, kilometres.)

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
# from an account of another age than it has.
#
# What a person can change is a property of each column: a **price** (infinite: never; of its whole range, and
# each column has a purse of `eps` of its own: at 0.1, a price of 1 buys a tenth of the range, 0.1 all of it),
# whole numbers only, rising only (an account grows older and never younger, for those who can wait),
# one of a group, or **linked**: the sum of the day follows from the amount.
#
# What hangs together must move together. A thief can pay more often first, but each payment adds to the sum of the day.
# With a price for the number alone, a row could have four earlier payments on which nothing was spent.
# So nobody can change it here.
#
# ## Feasibility is a projection
#
# After each step, go to a row near by that can exist.
# The order matters: each step may spoil what came before, except for what the next one leaves alone.
# (`units` turns a row into euros, hours and kilometres, as above, and `scale` turns it back.)


# %%
scale, units = rules.scale, rules.units


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
# The second needs no gradient: it tries every single change, keeps the best, and tries again,
# once for each thing that has a price.


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
    best, each, reach = x, torch.arange(len(x)), high - low
    even, ways = torch.linspace(0, 1, choices).tolist(), []
    for i, column in enumerate(rules.columns):
        if column.cost < math.inf:
            ways += [(i, share) for share in ([2.0] if column.group else even)]  # 2: the largest of its group
    for _ in range(rounds):
        tries = best.repeat(1 + len(ways), 1, 1)  # the first changes nothing
        for one, (i, share) in zip(tries[1:], ways, strict=True):
            one[:, i] = low[:, i] + share * reach[:, i]
        rows = feasible(tries.flatten(0, 1), x.repeat(len(tries), 1), rules, eps=eps)
        values = margin(logits(model, rows), y.repeat(len(tries))).view(len(tries), -1)
        best = rows.view_as(tries)[values.argmax(0), each]
    return best


# %%
def standing(model, found, y):
    """How many are right under every attack: `found` are the inputs that the attacks found."""
    return Rate(int(torch.stack([predict(model, x) == y for x in found]).all(0).sum()), len(y))


budget = {"rules": table, "eps": payments.eps}
tireless = partial(search, rounds=5)  # amount, hour, distance, channel, kind of shop
found = {"no attack": fraud, "PGD, impossible rows": naive}
found["the same, projected at the end"] = feasible(naive, fraud, table, eps=payments.eps)
found |= {"climb": climb(plain, fraud, is_fraud, **budget), "search": tireless(plain, fraud, is_fraud, **budget)}
whole_loot = [c._replace(cost=math.inf) if c.name == "amount" else c for c in table.columns]
found["search, the amount as it is"] = tireless(
    plain, fraud, is_fraud, table._replace(columns=whole_loot), eps=payments.eps
)
plots.rates({name: accuracy(plain, (x, is_fraud)) for name, x in found.items()}, x="frauds stopped")

# %% [markdown]
# An attack that is projected only at its end loses much of its force: what it planned is not what is done.
# The two that plan with what is possible win. The last thief gives up no cent of the loot:
# the channel, the kind of shop, the hour and the distance are enough for most. What do such payments look like?


# %%
def told(row):
    """A payment in words."""
    value = {c.name: v for c, v in zip(table.columns, units(row[None], table)[0].tolist(), strict=True)}
    how, what = (max(group, key=value.get) for group in (tables.CHANNELS, tables.KINDS))
    return (
        f"{value['amount']:.0f} euros ({value['spent in 24 h']:.0f} in 24 h) for {what}, {how}, "
        f"at {value['hour']:.0f} h, {value['distance']:.0f} km from home"
    )


same_loot = found["search, the amount as it is"]
let_go = ((predict(plain, fraud) == 1) & (predict(plain, same_loot) == 0)).nonzero()[:3, 0].tolist()
plots.passages([(told(fraud[i]), told(same_loot[i])) for i in let_go], names=("stopped", "let pass"))

# %% [markdown]
# The same card, the same loot. Only what costs the thief little has changed.
#
# ## The same defenses
#
# Four recipes from earlier lessons, for any kind of data. One is trained *as before*, in a ball;
# one is trained on *this threat*, by the attack that we have just built.
# Each is trained five times (lesson 03): one training says nothing about others.


# %%
def recipes(make, learn, before, fitted, seed):
    """Networks from one start: undefended, distilled, and adversarially trained as `before` and as `fitted` say."""

    def trained(make, **how):
        torch.manual_seed(seed)
        return learn(make(), **how)

    teacher = trained(lambda: Cooled(make(), 20))
    return {
        "undefended": trained(make),
        "distilled": trained(lambda: Cooled(make(), 20), loss=imitate(teacher)).model,
        "trained as before": trained(make, **before),
        "trained on this threat": trained(make, **fitted),
    }


def thieves(model, x, y, *, rules, eps):
    """A transform for `fit`: each fraud as a thief would make it."""
    moved, which = x.clone(), y == 1
    moved[which] = search(model, x[which], y[which], rules, eps=eps, rounds=2, choices=3)
    return moved


SEEDS = range(5)
before, fitted = attacked(payments.eps, steps=4, updates=200), partial(thieves, **budget)
nets = [recipes(table_net, learn, {"transform": before}, {"transform": fitted}, seed) for seed in SEEDS]
for made in nets:
    made["masked"] = nn.Sequential(Quantize(11), made["undefended"])

# %%
board = {name: {} for name in ("undefended", "masked", "distilled", "trained as before", "trained on this threat")}
caught = {what: {} for what in ("no attack", "by gradient", "by gradient and search")}
for name in board:
    each = {what: [] for what in caught}
    for model in [detector(made[name]) for made in nets]:
        slow, quick = (attack(model, fraud, is_fraud, **budget) for attack in (climb, tireless))
        each["no attack"].append(accuracy(model, (fraud, is_fraud)))
        each["by gradient"].append(accuracy(model, (slow, is_fraud)))
        each["by gradient and search"].append(standing(model, [fraud, slow, quick], is_fraud))
    for what, rates in each.items():
        caught[what][name] = Trainings(rates)
    board[name]["fraud"] = caught["by gradient and search"][name]
plots.dots(caught)

# %%
guess.reveal(board["trained as before"]["fraud"])

# %% [markdown]
# The mask stops the gradient and nothing else, as in lessons 04 and 05.
# Training in the ball was spent on changes that no thief can make. It pays for them before anybody attacks,
# with frauds that it no longer finds, and what it finds falls as before.
# Training on what thieves can do costs little, and helps. The idea carries over; the ball does not.

# %%
sigma = {"fraud": 0.1, "diagnosis": 0.25}
farthest = math.sqrt(2)  # the length in L2 of a change of channel


def longest(sigma, n=1000):
    """The longest radius that n votes can prove, if all of them agree (lesson 07)."""
    return sigma * special.ndtri(0.001 ** (1 / n))


def median_vote(model, x, sigma, n=21):
    """By how much class 1 is ahead in the middle one of n noisy looks, (N,)."""
    answers = [logits(model, x + sigma * torch.randn_like(x)) for _ in range(n)]
    return torch.stack([answer[:, 1] - answer[:, 0] for answer in answers]).median(0).values


voted, also = {what: [] for what in ("no attack", "attacked", "proved")}, []
for seed in SEEDS:
    torch.manual_seed(seed)
    voter = learn(table_net(), transform=smoothing.noisy(sigma["fraud"]))
    threshold = tables.Threshold(float(median_vote(voter, known, sigma["fraud"]).quantile(0.99)))
    voter = nn.Sequential(voter, threshold).eval()  # about 1 % of honest payments lie above
    worst = tireless(smoothing.smoothed(voter, sigma["fraud"]), fraud, is_fraud, **budget)
    for what, rows in (("no attack", fraud), ("attacked", worst)):
        stopped = smoothing.majority(voter, rows, sigma=sigma["fraud"], n=200) == 1
        voted[what].append(Rate(int(stopped.sum()), len(fraud)))
    also.append(Rate(int(smoothing.majority(voter, honest[:2000], sigma=sigma["fraud"], n=200).eq(1).sum()), 2000))
    proof = smoothing.certify(voter, fraud, sigma=sigma["fraud"])
    voted["proved"].append(Rate(int(((proof.label == 1) & (proof.radius >= farthest)).sum()), len(fraud)))
board["smoothed, attacked"] = {"fraud": Trainings(voted["attacked"])}
board["smoothed, proved"] = {"fraud": Trainings(voted["proved"])}
measured("frauds stopped by votes", {what: Trainings(rates) for what, rates in voted.items()})
measured("honest payments stopped by votes", Trainings(also))
measured("the way to another channel", farthest)
measured("the most that 1,000 votes can prove, fraud", longest(sigma["fraud"]))
measured("noise that could prove it, where a whole column is 1 wide", farthest / longest(1))

# %% [markdown]
# A certificate for a ball is worth nothing against a step out of it:
# to pay online instead of by phone is a step of length 1.41, and within the thief's budget.
# With noise that reaches so far, no payment looks like itself.
# (Where no answer wins clearly, the payment passes: votes stop few honest ones.)
#
# ## Diagnoses
#
# Real ones: 30 measures of a tumor. Here the old ball fits the threat:
# each measure may be off by 5 % of its range, by mistake or by intent.
# Most tumors are benign. Who says so of all is often right, and no attack takes that away.

# %%
tumors = load("tumors")
x, y = tumors.test
tumor_net, learn = partial(mlp, tumors, width=64), partial(fit, train=tumors.train, updates=200)
before, fitted = attacked(tumors.eps, steps=4, updates=200), smoothing.noisy(sigma["diagnosis"])
mask, each, calm = Quantize(9), {name: [] for name in board}, {}
commoner = Rate(int(y.bincount().max()), len(y))
needed = tumors.eps * math.sqrt(x.shape[1])  # the L2 ball that contains the box
how = {"steps": 10, "loss": margin, "early_stop": False}
for seed in SEEDS:
    made = recipes(tumor_net, learn, {"transform": before}, {"transform": fitted}, seed)
    voter = made.pop("trained on this threat")
    made["masked"], stand_in = (nn.Sequential(m, made["undefended"]) for m in (mask, StraightThrough(mask)))
    for name, model in made.items():
        looks = [x, attacks.worst_case(model, x, y, eps=tumors.eps)]
        if name == "masked":
            looks.append(steep(stand_in, x, y, eps=tumors.eps))  # through the mask
        each[name].append(standing(model, looks, y))
        calm.setdefault(name, []).append(accuracy(model, (x, y)))
    x_adv = attacks.pgd(smoothing.smoothed(voter, sigma["diagnosis"], 8), x, y, eps=tumors.eps, **how)
    for rates, rows in ((calm.setdefault("smoothed", []), x), (each["smoothed, attacked"], x_adv)):
        answer = smoothing.majority(voter, rows, sigma=sigma["diagnosis"], n=200)
        rates.append(Rate(int((answer == y).sum()), len(y)))
    proof = smoothing.certify(voter, x, sigma=sigma["diagnosis"])
    each["smoothed, proved"].append(Rate(int(((proof.label == y) & (proof.radius >= needed)).sum()), len(y)))
each["trained on this threat"] = each["trained as before"]  # the threat is a box: one model
for name, rates in each.items():
    board[name]["diagnosis"] = Trainings(rates)
measured("right with the commoner diagnosis for all", commoner)
measured("needed", needed)
measured("the most that 1,000 votes can prove, diagnosis", longest(sigma["diagnosis"]))
attacked_too = {name: cells["diagnosis"] for name, cells in board.items()}
calm = {name: Trainings(rates) for name, rates in calm.items()}
plots.dots({"diagnoses right, under attack": attacked_too, "diagnoses right, no attack": calm})

# %% [markdown]
# Where the threat is a box, what was built for a box works as it did on digits, and costs hardly a diagnosis.
# The mask adds nothing. Distillation keeps a few more diagnoses than no defense, as many as the same answer for all.
# (Trained *as before* and *on this threat* are one model here: the threats agree.)
# The box is small enough for a proof, too: of the diagnoses that votes under noise keep, nearly all are proved.
# Votes have their price, on the right: they lose diagnoses before anybody attacks.
#
# ## The scoreboard
#
# Each cell is what the strongest attack of this lesson leaves, adapted to the defense.
# *Smoothed* means votes under noise.

# %%
plots.table(board)

# %% [markdown]
# Read it by rows. Mask and distillation move no column by more than a few points. Training *as before* lifts the column
# whose threat is a ball, and not the frauds. What was trained on the threat lifts both.
# A proof in $L_2$ reaches a small box, not a change of channel.
#
# ## Verdict

# %%
bare, same_for_all = board["undefended"], {"fraud": 0.01, "diagnosis": float(commoner)}  # alarms by lot; no look


def protected(name):
    """Where a defense keeps clearly more than no defense does, and more than who never looks."""
    return {k for k, rate in board[name].items() if rate.clearly_above(bare[k]) and rate.interval[0] > same_for_all[k]}


def idle(name):
    """Whether a defense was shown to add less than ten points somewhere."""
    return any(rate.lead_at_most(bare[kind]) < 0.1 for kind, rate in board[name].items())


as_for_images = ("masked", "distilled", "trained as before")
unchanged = any(len(protected(name)) == len(bare) for name in as_for_images)
fitted = protected("trained on this threat") | protected("smoothed, attacked")
nothing = not fitted and all(idle(name) for name in as_for_images)
left = [f"{kind} {rate} (undefended {bare[kind]})" for kind, rate in board["trained as before"].items()]
claim(
    "The same defenses protect fraud detection and diagnosis",
    holds=True if unchanged else False if nothing else None,
    because=f"adversarial training as for images leaves, under attack, {', '.join(left)}; trained on what a thief can "
    f"do, fraud {board['trained on this threat']['fraud']}; of five trainings each. With the same answer for all, "
    f"{commoner} diagnoses are right",
)

# %% [markdown]
# **To take to work.** Begin with the list of what a person can change, at what price, and what follows from what.
# Make it a projection, test it, and use it in attack and training alike.
# Attack with a search as well: in tables it is cheap, and no mask of the gradient stops it.
# (Hidden or rounded scores slow it; then attack a copy, lesson 08.)
# Beware of the thresholds: set them on rows that are not those you report.
#
# **What it costs.** Training on the threat takes a search in each batch.
#
# ## The same in `utils`

# %%
small, labels = fraud[:20], is_fraud[:20]
same = {
    "feasible": torch.equal(feasible(wild, start, table, eps=0.1), rules.feasible(wild, start, table, eps=0.1)),
    "climb": torch.equal(climb(plain, small, labels, **budget), moves.climb(plain, small, labels, **budget)),
    "search": torch.equal(search(plain, small, labels, **budget), moves.search(plain, small, labels, **budget)),
}
print(same)

# %% [markdown]
# ## Further
#
# - Simonetto et al. 2021, [arXiv:2112.01156](https://arxiv.org/abs/2112.01156): attacks and training with constraints
#   between columns, written as formulas.
# - Kireev et al. 2022, [arXiv:2208.13058](https://arxiv.org/abs/2208.13058): prices for each column, and training on
#   what an attacker can pay.
# - `load("credit")`: 284,807 real payments, 492 of them frauds (Dal Pozzolo et al. 2015), to train a detector on.
#
# Practise: [lab 11](../labs/11_beyond_images.ipynb), after 11b.
# Next: [11b · Words, stickers and faces](11b_words_stickers_faces.ipynb)
