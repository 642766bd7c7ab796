# %% [markdown]
# # 14 · Capstone: audit, choose, report
#
# > *"Pick adversarial training."* · *"Pick masking."* · *"Pick smoothing."*
#
# A stranger's model comes with a brochure. Is it as good as they say?
# And five clients ask which defense to pick. What do you answer, and what do you write down?
#
# **You will build** an audit, a bound on epsilon from a single model, a scoreboard of all that the course has built,
# and a security card.
# *About 60 minutes, after all others; the cells run in SECONDS s on two CPU cores.*

# %%
import math
import pickle
from functools import partial

import torch
from IPython.display import HTML
from scipy import stats
from torch import nn
from torch.nn import functional as F

from utils import (
    adversarial,
    attacks,
    audit,
    bounds,
    checkup,
    choice,
    distillation,
    duel,
    evidence,
    plots,
    privacy,
    smoothing,
    widgets,
)
from utils.choice import Needs, Offer, over, price
from utils.claims import claim
from utils.data import load
from utils.evaluation import Rate, accuracy, robust_accuracy
from utils.guide import guide
from utils.larger import larger
from utils.leakage import agreement, confidence, steal
from utils.masking import Quantize, StraightThrough
from utils.models import Normalize, logits, mlp, predict, small_cnn
from utils.records import measured
from utils.training import fit
from utils.widgets.choice import ChoiceBoard

# %% [markdown]
# ## A stranger's model
#
# The vendor of *ClearRead* sends a folder: the code of a network, its weights, some data, and claims.

# %%
claims = audit.read_claims("vendor/claims.json")
claims

# %% [markdown]
# First, the file. Many models travel as pickles, and opening a pickle **runs** what its author put in:


# %%
class Trap:
    def __reduce__(self):
        return print, ("this line was printed by opening a file",)


letter = pickle.dumps(Trap())  # bytes, as they would come by mail
_ = pickle.loads(letter)  # nobody has called anything yet

# %% [markdown]
# So weights come as *safetensors*: numbers, with names and shapes, and nothing that could run.
# The code of the network you read before you import it. It is short:

# %%
with open("vendor/model.py") as file:
    print(file.read())

# %%
vendor = audit.read_model("vendor/model.py:build", "vendor/model.safetensors")
given = audit.read_data("vendor/data.npz")
eps = claims["eps"]
sample = given.test.take(200)
right = accuracy(vendor, given.test)
tested = robust_accuracy(vendor, sample, attacks.pgd, eps=eps)
measured("right answers", right)
measured("left by PGD", tested)

# %% [markdown]
# Both are as good as the brochure says: the vendor has not lied about what they measured.
# Would you sign?

# %%
guess = widgets.ask("What is left when the attack fits the model?")
guess

# %% [markdown]
# ## Does it hide its gradients?
#
# Lesson 05b's check-up asks fourteen questions, and names the attack that fits.

# %%
report = checkup.examine(vendor, *sample, eps=eps)
measured("check-up", report.summary)
measured("what fits", report.recommended.sentence)
measured("left under it", report.adapted)

# %%
worst = robust_accuracy(vendor, sample, attacks.worst_case, eps=eps)
guess.reveal(min(worst, report.adapted))

# %%
for name, found in {"no attack": right, "PGD, as the vendor tested": tested, "worst case": worst}.items():
    measured(name, found)

# %% [markdown]
# ## Who was in its training data?
#
# The vendor claims an epsilon. Lesson 09 audited by running an update thousands of times. Here there is *one* model.
#
# But it had many examples, each in or out by a fair coin of its own. We guess for some of them.
# If the training was $\varepsilon$-private, our guesses are no better than coins that fall right
# with probability $e^\varepsilon / (1 + e^\varepsilon)$, however they depend on each other (Steinke et al. 2023).


# %%
def least_eps(right, guesses, failure_prob=0.05):
    """The largest epsilon that so many right guesses refute (without delta)."""
    for hundredths in range(1, 1000):
        share = 1 / (1 + math.exp(-hundredths / 100))
        if stats.binom.sf(right - 1, guesses, share) > failure_prob:  # this epsilon could explain them
            return (hundredths - 1) / 100
    return 9.99


print("of 60 guesses right:", {right: least_eps(right, 60) for right in (30, 36, 45, 57)})

# %% [markdown]
# Which guesses? A model knows by heart what it has seen. So of what it is least confident of, we say: *not in there*.
# The rule is fixed before we look: the tenth with the lowest confidence.
# (It needs chance to have decided who is in: the vendor says so by `random_split`.
# If the held-out examples are newer, or harder, they give themselves away, and nothing is shown.)

# %%
count = len(given.train.y)  # as many others as members
inside = torch.arange(2 * count) < count
sides = given.train, given.test.take(count)
confidences = torch.cat([confidence(logits(vendor, x), y) for x, y in sides])
lowest = confidences.argsort()[: 2 * count // 10]
caught = Rate(int((~inside[lowest]).sum()), len(lowest))
least = least_eps(caught.k, caught.n)
measured("right guesses", caught)
measured("so epsilon is at least", least)
print(f"claimed: {claims['privacy_eps']:g}")

# %% [markdown]
# ## A copy, and a plan
#
# How many questions until somebody else has this model (lesson 08)?
# And what will its owner watch, from which starting values (lesson 12)?

# %%
torch.manual_seed(0)
ask, keep = given.test.x[torch.randperm(len(given.test.y))].tensor_split(2)  # in whatever order a vendor sends them
copy = mlp(given)
torch.manual_seed(0)
steal(vendor, copy, ask)
measured(f"a copy agrees after {len(ask)} questions", agreement(vendor, copy, keep))
for what, value in audit.monitor(vendor, given.test).items():
    measured(what, value)

# %% [markdown]
# ## In one call
#
# `utils.audit` does all of this, and holds the claims against it. A claimed share is
# **refuted** if the whole interval of the measured one lies below it.
# An attack gives an upper bound only, so it can refute robustness and never prove it: then the claim stays **open**.

# %%
torch.manual_seed(0)
found = audit.audit_model(
    vendor, given.test, eps=eps, train=given.train, copy=mlp(given), claims=claims, name=claims["name"]
)
found

# %%
HTML(audit.card_html(found))

# %% [markdown]
# This is a **security card**: one page, made from the measurements, in the words of four public lists.
# What was *not* measured stands there too.
#
# ## Five clients
#
# | client | fears | cannot afford |
# |---|---|---|
# | **car** | somebody who has the weights | slow answers |
# | **bank** | somebody who sees decisions | long training: it trains each night; slow answers |
# | **clinic** | that patients are found in its model | – |
# | **post** | faint changes all over an image, of bounded length (L2): it wants proof | – |
# | **face lock** | a sticker (lesson 11b) | – |
#
# (At least 90 % of answers must be right, for the clinic 80 %.)
#
# What the course has built for any network, on one data set; and from lesson 07b a training and a network
# that are made for their proof.
# For a real client, put their data into `data`:
# lessons 11 and 11b have shown that what holds for images need not hold for tables and texts.

# %%
data = load()  # the digits; load("mnist") runs the same cells


def fresh():
    """An untrained network, always with the same weights."""
    torch.manual_seed(0)
    return small_cnn(data)


def private(model):
    """The same with a scale that knows nothing of the data, trained with privacy (lesson 09)."""
    half = torch.tensor(0.5).to(data.train.x)
    model[0] = Normalize(half, half)
    return privacy.dp_sgd(model, data.train, noise_multiplier=noise_multiplier, rate=rate, updates=updates, lr=0.7)


def passes(network, work):
    """How many inputs pass through a network while work() runs: a cost that is the same on every machine."""
    passed = []
    handle = network[-1].register_forward_hook(lambda layer, inputs, output: passed.append(len(output)))
    work()
    handle.remove()
    return sum(passed)


# %%
names = "undefended", "adversarial training", "trained on noise", "distilled", "private", "interval training"
net = {name: fresh() for name in names} | {"cannot stretch": bounds.lipschitz_net(data)}
sigma, temperature, noise_multiplier, rate, updates = 0.25, 20.0, 2.0, 0.1, 300


def soft(model, x, y):
    """Defensive distillation's loss: the teacher's answers at a high temperature."""
    return distillation.soft_loss(model(x) / temperature, distillation.soften(net["undefended"](x), temperature))


def lead_of_one(model, x, y):
    """The loss of the network that cannot stretch: its lead is its radius."""
    return F.multi_margin_loss(model(x), y, margin=1.0)


# %%
learn = partial(fit, train=data.train, updates=200)
training = {
    "undefended": learn,
    "adversarial training": partial(learn, transform=adversarial.attacked(data.eps, updates=200)),
    "trained on noise": partial(learn, transform=smoothing.noisy(sigma)),
    "distilled": partial(learn, loss=soft),
    "private": private,
    "interval training": partial(learn, updates=600, lr=1e-2, loss=bounds.interval_training(data.eps, 600)),
    "cannot stretch": partial(learn, lr=1e-2, loss=lead_of_one),
}
spent = {}
for name, train in training.items():
    torch.manual_seed(0)
    spent[name] = passes(net[name], lambda train=train, model=net[name]: train(model))
spent["distilled"] += spent["undefended"]  # its teacher
spent["interval training"] *= 3  # the middles and the half widths of boxes pass too
net["cannot stretch"] = bounds.fixed(net["cannot stretch"])
for network in net.values():
    network.requires_grad_(False)
for name, passed in spent.items():
    measured(f"training, in passes, {name}", passed / spent["undefended"], "x")
torch.manual_seed(1)
stranger = learn(small_cnn(data)).requires_grad_(False)  # an attacker's own model: of the same task, and none of ours

# %% [markdown]
# Two more need no training of their own: the five grey levels in front of the undefended network,
# and votes under noise on the one that was trained on noise (lesson 07).
# Each is attacked as in the earlier duels: by its own gradient, by the stand-in that fits it, by scores, by labels,
# and by what fools a model of the attacker's own.
# (Scores and labels are asked 50 times about each image: no more than a first look. The votes answer by six;
# a proof takes 1,100 of them. A proof by boxes takes the answer, the middles and the half widths.)


# %%
def proved_radius(x, y):
    """The certified radius of each image, 0 where the answer is wrong or withheld, (N,)."""
    certified = smoothing.certify(net["trained on noise"], x, sigma=sigma)
    return torch.where(certified.label == y, certified.radius, 0)


proofs = {
    "interval training": lambda x, y: bounds.proved_radius(net["interval training"], x, y, up_to=2 * data.eps),
    "cannot stretch": lambda x, y: bounds.lipschitz_radius(net["cannot stretch"], x, y),
}
in_norm = {"interval training": "linf"}
defenses = [
    duel.Defense(name, network, certified=proofs.get(name), proof=in_norm.get(name, "l2"))
    for name, network in net.items()
]
masked = nn.Sequential(Quantize(), net["undefended"])
defenses.append(duel.Defense("masked", masked, nn.Sequential(StraightThrough(Quantize()), net["undefended"])))
votes = {n: smoothing.smoothed(net["trained on noise"], sigma, n=n) for n in (6, 12)}
defenses.append(duel.Defense("smoothed", votes[6], votes[12], proved_radius))

# %%
spent |= {"masked": spent["undefended"], "smoothed": spent["trained on noise"]}
privacy_eps = {"private": privacy.privacy_eps(noise_multiplier, rate, updates, 1e-5)}
measured("epsilon of private training", privacy_eps["private"])
offers = {}
for defense in defenses:
    side = duel.measure(defense, data.test.take(50), eps=data.eps, surrogate=stranger, queries=50)
    offers[defense.name] = Offer(
        side,
        accuracy(defense.model, data.test),
        training=spent[defense.name] / spent["undefended"],
        answer=6.0 if defense.name == "smoothed" else 1.0,
        privacy_eps=privacy_eps.get(defense.name, math.inf),
        proof={"smoothed": 1100.0, "interval training": 3.0}.get(defense.name),
    )

# %% [markdown]
# The scoreboard: what is left at the customary budget, by attacker, and what is proved.
# One budget a norm: each pixel by at most this much in $L_\infty$; all of them together, as a length, in $L_2$.

# %%
budgets = duel.budgets(data.eps, data.test.x[0].numel())
CUSTOMARY = duel.SHARES.index(1)
print(f"knows …: {budgets['linf'][CUSTOMARY]:.3g} (L-infinity); proved in L2: {budgets['l2'][CUSTOMARY]:.3g}")
attackers = {knows: duel.Threat(knows=knows) for knows in ("weights", "scores", "labels")}
attacked = {
    name: {"no attack": offer.accuracy}
    | {f"knows {knows}": offer.side.left(threat)[CUSTOMARY] for knows, threat in attackers.items()}
    for name, offer in offers.items()
}
plots.table(attacked)

# %% [markdown]
# And what is proved, of the three that prove anything:

# %%
balls = {"proved in Linf": duel.Threat("linf"), "proved in L2": duel.Threat("l2")}
proved = {
    name: {ball: offer.side.left(threat, certificate=True)[CUSTOMARY] for ball, threat in balls.items()}
    for name, offer in offers.items()
}
board = {name: attacked[name] | proved[name] for name in offers}
plots.table({defense.name: proved[defense.name] for defense in defenses if defense.certified})

# %% [markdown]
# Read the columns. A proof holds in its own ball: what is proved in one norm is proved in the other for few or none.
# Where proof and attack nearly meet, we *know* what is left; elsewhere only what these attacks could not do.
# Where nobody attacks, the undefended model is as good as any.
#
# ## A choice that follows from numbers
#
# A client names an attacker, a goal and budgets. What breaks a budget is out.
# Of the rest, those that no other is *clearly* better than are level. The cheapest of them is the choice,
# and of those that cost the same, the one that reached more.
# If even the best does not clearly reach more than nothing, nothing is chosen.


# %%
def reached(offer, needs):
    """What an offer reaches of the client's goal."""
    if needs.goal == "accuracy":
        return offer.accuracy
    return offer.side.left(needs.threat, certificate=needs.goal == "proved")[needs.at]


# %%
def choose(offers, needs):
    """The offers within the budgets that no other is clearly better than: the first of them is the choice."""
    within = {name: offer for name, offer in offers.items() if not over(offer, needs)}
    best = max((reached(offer, needs) for offer in within.values()), default=None)
    if best is None or not best.clearly_above(Rate(0, best.n)):
        return []
    level = [name for name, offer in within.items() if not best.clearly_above(reached(offer, needs))]

    def dearer(name):
        offer = within[name]
        return price(offer, needs), offer.training, -float(reached(offer, needs))

    return sorted(level, key=dearer)


# %%
clients = {
    "car": Needs(duel.Threat(knows="weights"), answer=2, accuracy=0.9),
    "bank": Needs(duel.Threat(knows="labels"), training=2, answer=2, accuracy=0.9),
    "clinic": Needs(goal="accuracy", privacy_eps=5, accuracy=0.8),
    "post": Needs(duel.Threat("l2"), goal="proved", at=1, accuracy=0.9),
}
picks = {client: choose(offers, needs) for client, needs in clients.items()}
for client, needs in clients.items():
    norm, at = needs.threat.norm, budgets[needs.threat.norm][needs.at]
    nobody = needs.goal == "accuracy"
    print("\nright answers" if nobody else f"\n{needs.goal} within {at:.3g} ({norm})")
    rates = [f"{name}, {reached(offers[name], needs)}" for name in picks[client]]
    measured(client, "; level, and no cheaper: ".join(rates) or "nothing that was built")
    measured("    not", [f"{name} ({why})" for name in offers if (why := over(offers[name], needs))])


def on_every_list(lists):
    """What is level for each client for whom anything is."""
    levels = [set(level) for level in lists if level]
    return sorted(set.intersection(*levels)) if levels else []


print()
measured("level for all clients", on_every_list(picks.values()) or ["none"])
others = [level for client, level in picks.items() if client != "clinic"]
measured("level for all but the clinic", on_every_list(others) or ["none"])

# %% [markdown]
# The bank's attacker saw labels, and asked 50 times an image. A thief has more patience.
# Before the bank signs, ask 500 times for its choice, and for those that were level:

# %%
x, y = data.test.take(50)
after = []
for name in picks["bank"]:
    side = offers[name].side
    x_adv = attacks.rays(side.defense.model, x, y, eps=data.eps, queries=500)
    stands = side.stood["linf", "labels"][CUSTOMARY].to(y.device) & (predict(side.defense.model, x_adv) == y)
    after.append(f"{name}, {Rate(int(stands.sum()), len(y))}")
measured("after 500 calls", after or ["nothing was chosen"])

# %% [markdown]
# What 50 calls had left was partly the search's weakness. A number of calls belongs to every black-box result.
#
# The face lock is told that nothing here is for it. A sticker changes few pixels by as much as it likes:
# no ball on this board holds it, so neither what is left nor what is proved says anything of it.
#
# None of these picks is final. *Level* does not mean alike: 50 images cannot tell the two, though the car's lie
# some points apart. The intervals take them for measured on different images, which is cautious,
# and each was trained once: another seed may turn the order.
#
# The budgets are ours, and they decide a part by themselves. Only *private* has an epsilon,
# so the clinic can have nothing else, and a wish for 90 % puts *private* out elsewhere.
# And **nobody combined two**: a private training on attacks, say, was not on offer. One might serve two clients.
#
# The attacks are those of this course, too. But each pick can be defended, line by line,
# and it changes when the numbers change.
#
# ## Staff
#
# Every client also needs somebody who answers alarms (lesson 12) and buys labels. How many hours is that,
# of 100,000 arrivals a week?


# %%
def hours(arrivals, run_length, labels, *, alarm=0.5, label=1 / 60):
    """Hours a week for false alarms and labels: half an hour an alarm, a minute a label (replace these by your own)."""
    return arrivals / run_length * alarm + labels * label


plan = audit.monitor(net["undefended"], data.test)
labels = plan["labels to buy for an accuracy within 5 points"]
for run_length in (1_000, 10_000, 100_000):
    print(f"one false alarm in {run_length:7,} arrivals: {hours(100_000, run_length, labels):5.1f} hours a week")

# %% [markdown]
# ## Play
#
# Be the client. Name an attacker and what you can pay. What breaks a budget turns grey, and the choice is orange.

# %%
ChoiceBoard(offers)

# %% [markdown]
# **Try.** Find needs that nothing fulfils. Which single budget changes the choice most often?
# Can you make *masked* the choice? The board's attackers all adapt. Ask for one who does not:
# `choose(offers, Needs(duel.Threat(adapts=False)))`. Who would such an attacker be?
#
# ## Verdict

# %%
fits = [level for level in picks.values() if level]  # a client for whom nothing was built has no say
common = set.intersection(*map(set, fits)) if fits else set()
alone = len(fits) > 1 and all(len(level) == 1 for level in fits)  # else 50 images can't tell: that settles nothing
claim(
    "There is one defense to pick",
    holds=False if fits and not common else alone or None,
    because="; ".join(f"for the {client}: {' or '.join(level) or 'nothing'}" for client, level in picks.items())
    + f". On every list: {', '.join(sorted(common)) or 'none of those on offer'}. Which one depends on the attacker, "
    "the goal and the budgets, and the budgets are the author's; two defenses in one were not on offer",
    undefended=offers["undefended"].accuracy,
)

# %% [markdown]
# **To take to work.** Ask a vendor which attack they tested with, and run the one that fits. Never open a pickle.
# Write the threat model down before you compare. Publish what you did *not* measure.
#
# **What it costs.** An audit costs what its attacks cost: seconds for a small network. A certificate costs votes,
# adversarial training many passes, privacy accuracy and passes: the lines above have the figures.
#
# ## Your own model
#
# A file `model.py` with a function that returns your `nn.Module`, and your data as `data.npz`:
#
# ```
# .venv/bin/python -m utils.audit model.py:build --weights model.safetensors --data data.npz --claims claims.json
# ```
#
# (With conda: `python`.) It writes `card.html` and `card.json`, and ends with 1 if a claim is refuted
# and with 2 if the audit could not be made, so that CI can ask it.

# %% [markdown]
# ## The ledger
#
# What people say, and what the lessons measured before this one: the claim above and those of 15 stand *open* here.
# (Lesson 00 shows the verdicts of *your* runs.) It is a page to print, too: [ledger.html](ledger.html).

# %%
evidence.verdicts(before="14")

# %% [markdown]
# ## The field guide
#
# Every term of the course: what it is, how to say it to a child, what people ask about it and what was measured,
# where it comes from. Click on a term; to print, open [field_guide.html](field_guide.html).

# %%
guide()

# %% [markdown]
# ## The same in `utils`

# %%
one = privacy.one_run_eps(caught.k, caught.n, 2 * count, claims["privacy_delta"])
same = {
    "choose": all(choose(offers, needs) == choice.choose(offers, needs) for needs in clients.values()),
    "least_eps": abs(one - least_eps(caught.k, caught.n)) < 0.02,
    "audit": (found.accuracy, found.membership["least_confident"]) == (right, caught),
}
print(same)

# %% [markdown]
# ## At a larger scale
#
# MNIST's customary budgets are longer: this noise proves nothing that far, and votes under it help nobody there.

# %%
headline = board
larger("14_capstone", headline)

# %% [markdown]
# ## Further
#
# - Steinke, Nasr & Jagielski 2023, [arXiv:2305.08846](https://arxiv.org/abs/2305.08846): the audit of one run.
# - Mitchell et al. 2019, [arXiv:1810.03993](https://arxiv.org/abs/1810.03993): model cards, of which ours is a cousin.
# - [MITRE ATLAS](https://atlas.mitre.org), [NIST AI 100-2 E2025](https://doi.org/10.6028/NIST.AI.100-2e2025),
#   [OWASP Machine Learning Security Top Ten](https://owasp.org/www-project-machine-learning-security-top-10/),
#   [OWASP AISVS](https://github.com/OWASP/AISVS):
#   the lists whose ids the card names.
#
# Practise: [lab 14](../labs/14_capstone.ipynb).
# Next: [15 · At scale](15_at_scale.ipynb)
