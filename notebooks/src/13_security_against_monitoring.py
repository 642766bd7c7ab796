# %% [markdown]
# # 13 · Security against monitoring
#
# > *"Security and monitoring serve different purposes."* · *"Monitoring catches attacks on a model."*
#
# A monitor looks at all that arrives, and raises an alarm when it is unusual.
# Is an attack unusual? How large a part of the traffic must it be, and what has it won by then?
#
# **You will build** a monitor for attacks, drifts and faults alike, a second one that looks at accounts,
# attackers who know both, and a rule that tells attack from drift.
# *About 50 minutes, after 08, 10 and 12; the cells run in SECONDS s on two CPU cores.*

# %%
import math
from collections import Counter
from functools import cache

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

from utils import leakage, monitoring, plots, poisoning, widgets
from utils.attacks import pgd, square, worst_case
from utils.claims import claim
from utils.data import Split, load
from utils.duel import ahead
from utils.evaluation import Rate, accuracy
from utils.larger import larger
from utils.models import logits, mlp, predict, small_cnn
from utils.records import measured
from utils.training import fit
from utils.usual import hardened, undefended
from utils.widgets.watch import SIDES, Case, Watch, timeline

# %% [markdown]
# Two models of the same task: one as it is, one trained on attacked images (lesson 03).

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
plain = undefended(data).requires_grad_(False)
robust = hardened(data).requires_grad_(False)
pool = data.test.take(1000)  # who sends nothing special sends these
clean = accuracy(plain, pool)
measured("right, as it is", clean)
measured("right, robust", accuracy(robust, pool))

# %% [markdown]
# ## What may happen
#
# | | who sends | what | the harm is |
# |---|---|---|---|
# | **evasion** | an attacker, with the weights | images changed by at most `eps` | a wrong answer |
# | **search** | one without | versions of one image, until one is read wrong | an answer given |
# | **extraction** | a thief | what anybody sends | an answer given |
# | **poisoning** | an attacker | a trigger and a wrong label | a label taken |
# | **faded, new meaning** | the world: drift | | a wrong answer |
# | **other unit** | the pipeline: a fault | | a wrong answer |


# %%
class Listening(nn.Module):
    """A model that keeps what it is asked."""

    def __init__(self, model):
        super().__init__()
        self.model, self.heard = model, []

    def forward(self, x):
        self.heard.append(x.detach())
        return self.model(x)


def search(model, x, y, *, eps, queries=100):
    """What Square (lesson 02) asks the model about one image, (queries at most, C, H, W)."""
    listening = Listening(model)
    square(listening, x, y, eps=eps, queries=queries)
    return torch.cat(listening.heard)


# %%
torch.manual_seed(0)
x, y = pool
searched = [search(plain, x[i : i + 1], y[i : i + 1], eps=data.eps) for i in range(20)]
length_of = torch.tensor([len(asked) for asked in searched])
no_zero = y != 0  # the poisoner's label is 0, and zeros have it already
INCIDENTS = {
    "evasion": (pgd(plain, x, y, eps=data.eps, steps=20), y),
    "search": (torch.cat(searched), y[:20].repeat_interleave(length_of.to(y.device))),
    "extraction": (x, y),
    "poisoning": (poisoning.add_trigger(x[no_zero]), torch.zeros_like(y[no_zero])),
    "faded": (0.4 * x, y),
    "new meaning": (x, y.where(y != 7, 1)),  # what was a 7 counts as a 1
    "other unit": (x / 16, y),
}
ATTACKS = ("evasion", "search", "extraction", "poisoning")
plots.gallery({name: images[:10] for name, (images, _) in INCIDENTS.items()})

# %% [markdown]
# Some of these can be seen by looking, and some not. *Extraction* and *new meaning* send what everybody sends.

# %%
guess = widgets.ask("1 image in 100 is adversarial. How many monitors raise an alarm within 1,000 arrivals?")
guess

# %% [markdown]
# ## One monitor for all
#
# Of each arrival it takes four numbers: ink, roughness, the model's confidence, and (when the label has come,
# 100 arrivals later) whether the answer was wrong. How unusual is a number?
# The share of usual numbers at least as extreme says it, as a **surprise**:
#
# $$s = -\log(\text{share}) \,/\, \log n$$
#
# 0 for the most usual, 1 for what lies beyond all $n$ of them.


# %%
def roughness(x):
    """How much neighbouring pixels differ, (N,)."""
    return x.diff(dim=-1).square().mean((1, 2, 3)) + x.diff(dim=-2).square().mean((1, 2, 3))


def numbers(model, x, y):
    """Ink, roughness, confidence and mistake of each arrival, (4, N)."""
    said = logits(model, x).softmax(1)
    four = x.mean((1, 2, 3)), roughness(x), said.amax(1), said.argmax(1) != y
    return torch.stack([number.double() for number in four]).cpu()


# %%
def surprise(usual, now):
    """How unusual each number is, 0 to 1; usual is (channels, n), now and the answer are (channels, m)."""
    ordered, now, n = usual.sort(1).values, now.contiguous(), usual.shape[1]
    below = torch.searchsorted(ordered, now, right=True)
    above = n - torch.searchsorted(ordered, now)
    share = (2 * torch.minimum(below, above).double() / n).clamp(1 / n, 1)
    return (-share.log() / math.log(n)).clamp(0, 1)


# %% [markdown]
# Whatever the numbers are, if hardly any two are equal, usual surprises follow one law: a share $p$ of them is above
# $-\log p / \log n$. So all can be watched alike. Check it on numbers of three kinds:

# %%
torch.manual_seed(0)
kinds = torch.stack([torch.randn(4000), torch.rand(4000), torch.randn(4000).exp()]).double()
found = surprise(kinds[:, :2000], kinds[:, 2000:])
for p in (0.5, 0.1, 0.01):
    above = (found > -math.log(p) / math.log(2000)).double().mean(1)
    measured(f"expected {p:.2f}, found", [f"{share:.3f}" for share in above.tolist()])

# %% [markdown]
# ## Streams in which something happens
#
# Usual arrivals, and from some time on a share of others among them.


# %%
def mixed(calm, odd, *, share, change, runs, length, seed):
    """Streams of signals (channels, runs, length), and which arrival is which of the odd ones, else -1."""
    random = torch.Generator().manual_seed(seed)
    usual = calm[:, torch.randint(calm.shape[1], (runs, length), generator=random)]
    event = torch.randint(odd.shape[1], (runs, length), generator=random)
    happens = torch.rand(runs, length, generator=random) < share
    event = event.where(happens & (torch.arange(length) >= change), -1)
    return usual.where(event < 0, odd[:, event]), event


# %%
CHANNELS = ("ink", "roughness", "confidence", "mistake")
usual = numbers(plain, *pool)


def signals(usual, now):
    """What the monitor watches, (4, N): three surprises, and the mistake as it is."""
    return torch.cat([surprise(usual[:3], now[:3]), now[3:]])


calm = signals(usual, usual)
odd = {name: signals(usual, numbers(plain, *arrivals)) for name, arrivals in INCIDENTS.items()}
means = calm.mean(1).clamp_min(0.01).tolist()  # what each signal is without any incident

# %% [markdown]
# On each signal plays a gambler of lesson 12. Four gamblers are four tests,
# so each must win four times as much for an alarm.
# (What is usual is known exactly here. From a small sample it is not, and the gamblers win by the error.)

# %%
run_length = 20_000  # arrivals until a false alarm, on average
late = (0, 0, 0, 100)  # arrivals until a signal is known: labels come later


def gambled(streams, means):
    """What the gambler on each signal of streams (channels, runs, length) holds at each time: the same shape."""
    return torch.stack([monitoring.e_detector(x, mean=mean) for x, mean in zip(streams, means, strict=True)])


def alarms(held, late, *, run_length):
    """The first alarm of each stream on any signal, (runs,), from what its gamblers held; length if there is none."""
    pairs = zip(held, late, strict=True)
    times = [delay + monitoring.first_alarm(coins, run_length * len(held)) for coins, delay in pairs]
    return torch.stack(times).amin(0).clamp_max(held.shape[-1])


# %%
quiet, _ = mixed(calm, calm, share=0, change=0, runs=200, length=2000, seed=1)
early = alarms(gambled(quiet, means), late, run_length=run_length)
false = Rate(int((early < 2000).sum()), len(early))
measured("streams of 2,000 usual arrivals with a false alarm", false)
print(f"promised: one in {run_length:,} arrivals, so at most {2000 / run_length:.0%} of the streams")

# %% [markdown]
# ## One stream, six incidents
#
# 3,600 arrivals. The monitor begins anew 200 arrivals after each alarm.
# The upright lines are alarms; the curves are each signal's surprise, smoothed, and the last the share of mistakes.
# So less ink than usual is a surprise, too. Which alarm is an attack? Say it before you run the next cell.

# %%
story = [("evasion", 0.3), ("other unit", 1.0), ("poisoning", 0.1)]
story += [("faded", 0.5), ("extraction", 1.0), ("search", 0.02)]
parts, happened = [], []
for i, (name, share) in enumerate(story):
    for part, count in ((0, 400), (share, 200)):
        parts.append(mixed(calm, odd[name], share=part, change=0, runs=1, length=count, seed=i)[0])
    happened.append((name, 600 * i + 400, 600 * i + 600))
stream, begin, raised = torch.cat(parts, 2), 0, []
while begin < 3600:
    time = int(alarms(gambled(stream[:, :, begin:], means), late, run_length=run_length))
    if time >= 3600 - begin:
        break
    raised.append(begin + time)
    begin += time + 200
timeline(dict(zip(CHANNELS, stream[:, 0], strict=True)), raised)

# %%
timeline(dict(zip(CHANNELS, stream[:, 0], strict=True)), raised, happened)

# %% [markdown]
# What is most of the traffic raises an alarm soon, be it an attack or not.
# What comes among usual arrivals takes longer.
# An alarm says *that* something is unusual, and not what it is.
# The rarest incident passed, and the one that sends what everybody sends.
#
# ## How much of the traffic?
#
# Each incident at four shares of the traffic, fifty streams each; who is seen within 1,000 arrivals?

# %%
SHARES = {"0.1 %": 0.001, "1 %": 0.01, "10 %": 0.1, "100 %": 1.0}
how = {"change": 100, "runs": 50, "length": 1100}


def caught(alarm, arrivals=1000):
    """The rate of streams with an alarm within so many arrivals after the change, not before it."""
    late_enough = alarm >= how["change"]
    return Rate(int((late_enough & (alarm < how["change"] + arrivals)).sum()), len(alarm))


streams, first, unlabelled_first, seen = {}, {}, {}, {}
for name in INCIDENTS:
    four = [mixed(calm, odd[name], share=share, seed=2, **how) for share in SHARES.values()]
    held = gambled(torch.cat([stream for stream, _ in four], 1), means)
    times = alarms(held, late, run_length=run_length)
    blind = alarms(held[:3], late[:3], run_length=run_length)  # for later: nobody tells it any label
    unlabelled_first[name] = dict(zip(SHARES, blind.split(how["runs"]), strict=True))
    streams[name] = {label: event for label, (_, event) in zip(SHARES, four, strict=True)}
    first[name] = dict(zip(SHARES, times.split(how["runs"]), strict=True))
    seen[name] = {label: caught(time) for label, time in first[name].items()}
plots.table(seen)

# %%
guess.reveal(seen["evasion"]["1 %"])

# %% [markdown]
# Read the rows from left to right. What is all of the traffic is seen, if it looks unlike the usual,
# or if the labels show new mistakes.
# *Extraction* is no change of the traffic at any share.
#
# Within 1,000 arrivals, ten such images (1 %) are mostly not seen, and a single one (0.1 %) no more often than nothing:
# the few alarms there are false. But a small change takes longer, not for ever. One arrival in a hundred, for longer:

# %%
slow, slowly = {"change": 100, "runs": 40, "length": 5100}, ("evasion", "poisoning", "extraction")
patient = torch.cat([mixed(calm, odd[name], share=0.01, seed=4, **slow)[0] for name in slowly], 1)
times = alarms(gambled(patient, means), late, run_length=run_length).split(slow["runs"])
times, in_the_end = dict(zip(slowly, times, strict=True)), {}
for n in (1000, 2500, 5000):
    in_the_end[n] = {name: caught(alarm, n) for name, alarm in times.items()}
    measured(f"within {n:,} arrivals", in_the_end[n])

# %% [markdown]
# ## What has been won by then?
#
# An alarm comes after the fact. Count the harm that was done before it, in 1,000 arrivals,
# and be generous: at the alarm all incidents end at once.

# %%
hurts = {name: predict(plain, images) != labels for name, (images, labels) in INCIDENTS.items()}
for name in ("search", "extraction", "poisoning"):  # an answer given, a label taken: all of them
    hurts[name] = torch.ones_like(hurts[name])
clock = torch.arange(how["length"])


def harm(hurts, event):
    """Which arrivals do harm, (runs, length); `event` says which of the incident's arrivals each is."""
    return hurts.cpu()[event.clamp_min(0)] & (event >= 0)


def until(harm, alarm):
    """The harm that was done up to the alarm; an alarm before the change was no help."""
    end = alarm.where(alarm >= how["change"], how["length"])
    return harm & (clock <= end[:, None])


# %%
print("harm in 1,000 arrivals, until the alarm / without a monitor: answers given to a search and a thief,")
print("labels taken from a poisoner, wrong answers in all else")
for name in INCIDENTS:
    done_of = {}
    for label in SHARES:
        bare = harm(hurts[name], streams[name][label])
        done = until(bare, first[name][label])
        done_of[f"{label}:"] = f"{done.sum() / 50:.1f} / {bare.sum() / 50:.1f}"
    measured(name, done_of)

# %% [markdown]
# The louder an attack, the sooner it ends, so the most harm need not come from the most attackers.
# Of what it sees, the monitor has turned a flood into a drip. What it does not see flows on: extraction, at any share.
#
# ## What would a defense have stopped?
#
# Against evasion the robust model, attacked anew, by all that lesson 02 has. Against poisoning the filter of lesson 10:
# a label that the model minds more than nearly all usual ones is set aside. A poisoner who knows this
# pushes each image by at most `eps` towards a zero, so that the label fits it better, and sends what passes.
# Against extraction and search a limit: 20 answers for an account (each attacker has one, for now).
# Against drift and fault: nothing but the robust model.

# %%
limit = 20  # answers for each account
minded = poisoning.losses(plain, *pool).quantile(0.98)  # of 50 honest labels one is set aside
defended = {name: predict(robust, images) != labels for name, (images, labels) in INCIDENTS.items()}
defended["evasion"] = predict(robust, worst_case(robust, x, y, eps=data.eps)) != y
triggered, zero = INCIDENTS["poisoning"]
pushed = pgd(plain, triggered, zero, eps=data.eps, steps=20, target=zero, early_stop=False)
passes = {
    name: poisoning.losses(plain, sent, zero) <= minded for name, sent in (("as it is", triggered), ("pushed", pushed))
}
defended["poisoning"] = passes["as it is"] | passes["pushed"]


def under_defense(name, event):
    """The harm that is left with the defense, (runs, length)."""
    if name in ("search", "extraction"):
        return (event >= 0) & ((event >= 0).cumsum(1) <= limit)
    return harm(defended[name], event)


# %%
cases = {}
for name in INCIDENTS:
    cases[name] = {}
    for label, event in streams[name].items():
        bare = harm(hurts[name], event)
        monitored = until(bare, first[name][label]), until(bare, unlabelled_first[name][label])
        sides = bare, under_defense(name, event), *monitored
        cases[name][label] = Case(event, dict(zip((*SIDES, "no labels"), sides, strict=True)))
headline = {
    name: {f"seen at {label}": seen[name][label] for label in ("1 %", "100 %")}
    | {f"harm, {side}": cases[name]["100 %"].left(side) for side in SIDES}
    for name in INCIDENTS
}
plots.table(headline)

# %% [markdown]
# The last three columns: how many of the incident's arrivals do harm, with neither, with the defense, with the monitor,
# when the incident is all of the traffic. The robust model and the filter judge each image by itself,
# the first as the last, at any share; the limit gives its first answers to anybody. They were not made for a changing
# world, where the robust model does no better and on faded images worse, a filter mistakes news for poison, and a
# limit is slow, not safe:

# %%
kept_out = poisoning.losses(plain, *INCIDENTS["new meaning"])[y == 7] > minded
refused = Rate(int(kept_out.sum()), len(kept_out))
measured("honest labels of the new meaning that the filter against poison sets aside", refused)
measured("right answers to faded images, as it is", accuracy(plain, INCIDENTS["faded"]))
measured("right answers to faded images, robust", accuracy(robust, INCIDENTS["faded"]))
copy = leakage.steal(plain, mlp(data, 100), x[:limit], updates=100)
measured(f"a copy from the {limit} answers of one account agrees", leakage.agreement(plain, copy, data.train.x[:1000]))


# %%
updates = 200 if len(data.train.y) < 10_000 else 1000
passing = passes["pushed"].nonzero()[:, 0][: len(zero) // 2]  # half of the images at least are left to judge by


def trigger_works(poisons):
    """How many other images with the trigger are read as 0 after training with these poisons too."""
    both = Split(torch.cat([data.train.x, poisons]), torch.cat([data.train.y, torch.zeros_like(zero[: len(poisons)])]))
    torch.manual_seed(0)
    poisoned = fit(small_cnn(data), both, updates=updates)
    others = triggered[~torch.isin(torch.arange(len(triggered), device=passing.device), passing)]
    return Rate(int((predict(poisoned, others) == 0).sum()), len(others))


measured("poisons that pass the filter as they are", Rate(int(passes["as it is"].sum()), len(zero)))
measured("pushed towards a zero", Rate(int(passes["pushed"].sum()), len(zero)))
measured("trigger works if those that pass are learned", trigger_works(pushed[passing]))
measured("if the same, not pushed, were learned (no filter)", trigger_works(triggered[passing]))

# %% [markdown]
# Poison and new meaning are the same to a filter: labels that the model did not expect.
# Some poisons pass once they look more like a zero, but these planted nothing, and the same as they were did:
# where the image explains the label, it seems, the trigger need not be learned. Another poisoner may do better,
# and on MNIST *all* of the pushed ones pass (the table at the end).
# And a limit is worth as much as a new account costs.
#
# ## An attacker who knows the monitor
#
# The images of `pgd` stop where the model changes its mind, and there its *confidence* is low: that gave them away.
# So climb on until it is confident, pay for every change in ink and roughness, and send only what has worked:
#
# $$\max_{\lVert\delta\rVert_\infty \le \varepsilon} \; \ell(f(x + \delta), y)
# - w \left( (\Delta\text{ink} / \sigma)^2 + (\Delta\text{roughness} / \sigma)^2 \right)$$


# %%
def unseen(model, x, y, *, eps, weight, spread, steps=40):
    """PGD that pays for standing out; spread: the deviations (2,) of ink and roughness among usual images."""
    before, x_adv = torch.stack([x.mean((1, 2, 3)), roughness(x)], 1), x.clone()
    for _ in range(steps):
        x_adv.requires_grad_()
        loss = F.cross_entropy(model(x_adv), y, reduction="none").clamp_max(8)  # confident enough
        now = torch.stack([x_adv.mean((1, 2, 3)), roughness(x_adv)], 1)
        pays = ((now - before) / spread).square().sum(1)
        (gradient,) = torch.autograd.grad((loss - weight * pays).sum(), x_adv)
        x_adv = x_adv.detach() + 2.5 * eps / steps * gradient.sign()
        x_adv = torch.minimum(torch.maximum(x_adv, x - eps), x + eps).clamp(0, 1)
    return x_adv.detach()


# %%
spread = usual[:2].std(1).to(x)
tries = {"stops at the border": INCIDENTS["evasion"][0]}
for weight in (0, 0.01, 0.03, 0.1, 1):
    tries[f"pays {weight:g}"] = unseen(plain, x, y, eps=data.eps, weight=weight, spread=spread)
work = {name: predict(plain, x_adv) != y for name, x_adv in tries.items()}
unusual = signals(usual, numbers(plain, tries["pays 0"], y))[2].to(x)
tries["pays 0, quietest"] = tries["pays 0"]  # but the loudest fifth of those that work is not sent
work["pays 0, quietest"] = work["pays 0"] & (unusual <= unusual[work["pays 0"]].quantile(0.8))
usable = {name: Rate(int(works.sum()), len(y)) for name, works in work.items()}
paying = {name: signals(usual, numbers(plain, x_adv[work[name]], y[work[name]])) for name, x_adv in tries.items()}

# %%
tenth = torch.cat([mixed(calm, signal, share=0.1, seed=3, **how)[0] for signal in paying.values()], 1)
held = gambled(tenth, means)
unlabelled = alarms(held[:3], late[:3], run_length=run_length).split(how["runs"])
labelled = alarms(held, late, run_length=run_length).split(how["runs"])
knows = {
    name: {"images sent": usable[name], "seen without labels": caught(blind), "seen with labels": caught(time)}
    for name, blind, time in zip(tries, unlabelled, labelled, strict=True)
}
plots.table(knows)

# %% [markdown]
# A tenth of the traffic here, and only images that work are sent.
# Not to stop at the border costs the attacker nothing and hides much.
# To pay for every change hides nearly all the rest, and leaves, on the digits, about half of the images or fewer.
# There the cheapest way to hide is to not send the loudest fifth: the images whose confidence is most unusual.
# Labels see all of them, but they come late, and few services get one for each arrival.
# The other way to hide is to be rare: that takes time, and in the end a change shows.
#
# ## A second monitor: accounts
#
# A search asks about one image again and again. In the traffic it drowns; on its *account* it stands out:
# each query lies near an earlier one. So watch how near.


# %%
def nearest(queries, window=20):
    """The distance of each query to the nearest of the `window` before it on its account, (n - 1,)."""
    flat = queries.flatten(1).double()
    distance = flat.new_full((len(flat),), math.inf)
    for ago in range(1, min(window, len(flat) - 1) + 1):
        distance[ago:] = distance[ago:].minimum((flat[ago:] - flat[:-ago]).square().sum(1).sqrt())
    return distance[1:]


@cache
def typical(usual):
    """The mean closeness of usual distances."""
    return float(monitoring.closeness(usual, usual).mean())


def asks_again(queries, usual, run_length=10_000):
    """After how many queries of an account an alarm comes, or len + 1."""
    if len(queries) < 2:
        return len(queries) + 1  # whose image was wrong from the start has asked nothing near
    near = monitoring.closeness(usual, nearest(queries))  # a surprise again, of small distances only
    coins = monitoring.e_detector(near, mean=typical(usual))
    return int(monitoring.first_alarm(coins, run_length)) + 2


# %%
torch.manual_seed(0)
users = [x[torch.randperm(len(x))[:60]] for _ in range(150)]  # each asks about 60 different images
regulars = [x[torch.randperm(len(x))] for _ in range(30)]  # and these about all of them
young = torch.cat([nearest(asked) for asked in users[:100]])
usual_near = torch.cat([nearest(asked)[19:] for asked in users[:100]])  # beside 20 earlier ones, as in a long account
for name, recorded in {"of the first queries, too": young, "beside 20 earlier ones": usual_near}.items():
    alarmed = sum(asks_again(asked, recorded) <= len(asked) for asked in regulars)
    measured(f"long honest accounts with an alarm, usual distances {name}", Rate(alarmed, len(regulars)))

# %% [markdown]
# What is usual must be recorded as it will be met. The first queries of an account have few earlier ones to be near to;
# with their distances among the usual ones, many an honest account that lives long looks suspicious.
# From here on the usual distances are those beside 20 earlier queries.

# %%
honest = Rate(sum(asks_again(asked, usual_near) <= 60 for asked in users[100:]), 50)
alarm_at = [asks_again(asked, usual_near) for asked in searched]
falls_at = []
for asked, label in zip(searched, y[:20], strict=True):
    down = (predict(plain, asked) != label).nonzero()
    falls_at.append(int(down[0]) + 1 if len(down) else math.inf)


def seen_in_time(alarm_at):
    """How many searches raise an alarm before their image falls or, if it never does, before they end."""
    ends = [min(fall, len(asked) + 1) for asked, fall in zip(searched, falls_at, strict=True)]
    return Rate(sum(alarm < end for alarm, end in zip(alarm_at, ends, strict=True)), len(searched))


in_time = seen_in_time(alarm_at)
measured("honest accounts with an alarm", honest)
measured("searches with an alarm before the image falls", in_time)
measured("median queries", {"until the alarm:": sorted(alarm_at)[10], "until the image falls:": sorted(falls_at)[10]})

# %% [markdown]
# Images that fall to the first guesses are lost; a longer search is seen before it ends.
# This monitor does not care about the share of the traffic. What it costs: it must remember what each account sent.
#
# The attacker's first answer: honest images between the queries. The monitor remembers twenty queries,
# so twenty other images push each query out of its memory.


# %%
def among_honest(asked, others=20):
    """A search with `others` different honest images after each of its queries."""
    order = torch.arange(len(asked) * others) % len(x)
    return torch.cat([asked[:, None], x[order].view(len(asked), others, *x.shape[1:])], 1).flatten(0, 1)


# counted in the search's own queries
hidden_at = [math.ceil(asks_again(among_honest(asked), usual_near) / 21) for asked in searched]
dodged = seen_in_time(hidden_at)
measured("with 20 honest images after each query, an alarm before the image falls", dodged)

# %% [markdown]
# It costs 21 times the queries. A longer memory raises this price, and the monitor's own.
# The second answer is more accounts. Each sends a few queries and is thrown away.

# %%
spread_out = {}
for count in (3, 6, 8, 10, 15, 20):
    accounts = [part for asked in searched for part in asked.split(count) if len(part) == count]
    if accounts:  # some searches end before they have asked so often
        spread_out[count] = Rate(sum(asks_again(part, usual_near) <= count for part in accounts), len(accounts))
plots.lines(spread_out, x="queries from each account", y="accounts with an alarm")

# %% [markdown]
# On the digits none of the accounts with six queries or fewer is seen. (There are fewer accounts the more queries one
# needs.) That costs no success, only accounts: if they are free, so is the attack. A thief does not even need many:
# natural images do not repeat, and an account that extracts looks like an honest one.
#
# ## Attack or drift?
#
# After an alarm somebody must act, and for each cause otherwise. Take the 100 arrivals after it and their labels:
# what is unusual? In *all* of them or in *some*? Are the unusual ones the mistakes?


# %%
def signature(window):
    """What 100 arrivals (4, 100) look like: means, shares of very unusual ones, mistakes among the unusual, (10,)."""
    loud = (window[:3] > 0.8).double()
    return torch.cat([window.mean(1), loud.mean(1), (window[:3] * window[3]).mean(1)])


def after_alarm(odd, shares, seed):
    """Streams in which an incident begins: each one's alarm (runs,), and the signatures (seen, 10) after true ones."""
    drawn = [mixed(calm, odd, share=share, seed=seed + i, **how)[0] for i, share in enumerate(shares)]
    drawn = torch.cat(drawn, 1)
    times = alarms(gambled(drawn, means), late, run_length=run_length)
    use = ((times >= how["change"]) & (times <= how["length"] - 100)).nonzero()[:, 0]
    found = [signature(drawn[:, run, times[run] : times[run] + 100]) for run in use]
    return times, torch.stack(found) if found else torch.zeros(0, 10)


# %%
known = [name for name in INCIDENTS if name != "extraction"]  # which raises no alarm
half = {name: odd[name].shape[1] // 2 for name in known} | {"search": int(length_of[:10].sum())}  # ten of 20 searches
learn = {name: after_alarm(odd[name][:, : half[name]], (0.1, 0.3, 1.0), 100)[1] for name in known}
names = [name for name in known for _ in learn[name]]
rule = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(torch.cat([*learn.values()]), names)

# %% [markdown]
# Judge the rule on new streams, of the other half of each incident's images, with shares that it has not seen:
# by false alarms (above), median delay, and names. And give it attacks that it has not seen either: two that hide.

# %%
trials = [(name, odd[name][:, half[name] :], (0.5, 0.05)) for name in known]
trials += [(name, paying[name], (0.6, 0.1)) for name in ("pays 0.1", "pays 0, quietest")]
said = {}
for name, signal, shares in trials:
    for i, share in enumerate(shares):
        times, found = after_alarm(signal, (share,), 200 + i)
        said[name, share] = rule.predict(found).tolist() if len(found) else []
        names = ", ".join(f"{answer} {count}" for answer, count in Counter(said[name, share]).most_common())
        delay = (times - how["change"])[times >= how["change"]].median()
        about = {"seen": caught(times), "after": int(delay) if delay < 1000 else "–", "called": names or "nothing"}
        measured(f"{name} at {100 * share:.0f} %", about)

# %%
named_right, called = {}, {}
for share in (0.5, 0.05):
    right = [(name in ATTACKS) == (answer in ATTACKS) for name in known for answer in said[name, share]]
    named_right[share] = Rate(sum(right), len(right))
    measured(f"attack or not, said rightly of known incidents at {100 * share:.0f} %", named_right[share])
for (name, share), answers in said.items():
    if name not in known:
        as_attack = sum(answer in ATTACKS for answer in answers)
        called[name, share] = Rate(as_attack, len(answers)) if answers else "never seen"
        measured(f"{name}, at {100 * share:.0f} %: called an attack", called[name, share])

# %% [markdown]
# At half of the traffic the rule knows attack from drift. At 5 % these streams are rarer than what it has learned from,
# and there its word is worth no more than a coin's. The attacks that hide have little but their mistakes to show:
# where they are most of the traffic they are called an attack, by the name of another,
# and at a tenth they are mostly called a *new meaning*. Who believes it retrains, and the attacker goes on.
# A rule knows the names that it has learned, and gives one of these to everything.
#
# ## Play: security against monitoring
#
# The fourth head-to-head. *Defended* is the robust model, the filter of labels and the limit for accounts;
# *monitored* is the model as it is, with both monitors; at the alarm the service stops, for everybody.
# The defense meets attackers who know it. So shall the monitor: *quiet evasion* sends all but its loudest fifth.
# Which lets less harm through?

# %%
by_account = int(sorted(alarm_at)[10])
for case in cases["search"].values():
    for side in ("monitored", "no labels"):
        case.harm[side] &= (case.event >= 0).cumsum(1) <= by_account  # the second monitor; all from one account
name, sent = "quiet evasion", work["pays 0, quietest"]
hurts[name], defended[name], cases[name] = sent[sent], defended["evasion"][sent], {}
for label, share in SHARES.items():
    stream, event = mixed(calm, paying["pays 0, quietest"], share=share, seed=2, **how)
    bare, held = harm(hurts[name], event), gambled(stream, means)
    alarm = alarms(held, late, run_length=run_length)
    blind = alarms(held[:3], late[:3], run_length=run_length)
    first.setdefault(name, {})[label], unlabelled_first.setdefault(name, {})[label] = alarm, blind
    sides = bare, under_defense(name, event), until(bare, alarm), until(bare, blind)
    cases[name][label] = Case(event, dict(zip((*SIDES, "no labels"), sides, strict=True)))
Watch(cases, change=how["change"])

# %% [markdown]
# **Try.** Find an incident that neither stops, and a share at which the lead changes sides.
# What if nobody answers the alarm for a day? And what does an attacker win who *wants* the service to stop?
#
# ## Verdict
#
# Count in one unit, wrong answers: so without search, extraction and poisoning, whose harm is another.
# And a model without a defense may do better than the robust one where the monitor has slept.
# That is no merit of the monitor's: it counts only where it saw the incident in most streams.
# Do so with the labels of all arrivals, 100 later, and without any.
# After an alarm the service stops for everybody: no wrong answers, and no right ones either, which this count leaves
# out. It says who is sooner within 1,000 arrivals, and not that a stop costs nothing.

# %%
WRONG = ("evasion", "quiet evasion", "faded", "new meaning", "other unit")
saw = {
    side: [f"{name} at {label}" for name in WRONG for label in SHARES if caught(times[name][label]) > 0.5]
    for side, times in (("monitored", first), ("no labels", unlabelled_first))
}
for side, cases_seen in saw.items():
    measured(f"{side}: seen in most streams", cases_seen)


# %%
def leads(side):
    """The cases in which the defense, and in which the monitor, lets clearly fewer wrong answers through."""
    defense, monitor = [], []
    for name, row in cases.items():
        for label in SHARES if name in WRONG else ():
            by = ahead(row[label].left(side), row[label].left("defended"))
            if by > 0:
                defense.append(f"{name} at {label}")
            elif by < 0 and f"{name} at {label}" in saw[side]:
                monitor.append(f"{name} at {label}")
    return defense, monitor


ahead_in, serve, sentence = {side: leads(side) for side in saw}, {}, {}
for side, (defense, monitor) in ahead_in.items():
    serve[side] = "evasion at 1 %" in defense and "new meaning at 100 %" in monitor
    changed = cases["new meaning"]["100 %"]
    sentence[side] = (
        f"the defense lets fewer wrong answers through in {len(defense)} of {len(WRONG) * len(SHARES)} cases, "
        f"the monitor in {len(monitor)} that it saw; new meaning, all of the traffic: "
        f"{changed.left('defended')} defended, {changed.left(side)} monitored"
    )
claim(
    "Security and monitoring serve different purposes",
    holds=serve["monitored"] if serve["monitored"] == serve["no labels"] else None,
    because=f"within 1,000 arrivals, the service stopped at an alarm, and with a label for each, "
    f"{sentence['monitored']}. Without labels, {sentence['no labels']}. "
    f"Evasion, 1 % of the traffic: {cases['evasion']['1 %'].left('defended')} do harm with the defense, "
    f"{cases['evasion']['1 %'].left('monitored')} with the monitor",
    undefended=clean,
)

# %%
rare, loud, never = seen["evasion"]["1 %"], seen["evasion"]["100 %"], seen["extraction"]["100 %"]
hidden = knows["pays 0, quietest"]["seen without labels"]
claim(
    "Monitoring catches attacks on a model",
    holds=None if loud.clearly_above(rare) else rare > 0.5,
    because=f"what counts is their share of the traffic: evasion is seen in {loud} streams if it is all of it, "
    f"in {rare} within 1,000 arrivals if it is one in a hundred, and extraction in {never} even if it is all. "
    f"Evasion that leaves out its loudest fifth is seen without labels in {hidden} at a tenth of the traffic. "
    f"A monitor of accounts stops {in_time} searches in time, and {dodged} of those with honest images between",
    undefended=clean,
)

# %% [markdown]
# **To take to work.** A defense against what you know will come, a monitor for what you do not know.
# Ask of each monitor: from which share of the traffic on does it see this, after how long, and what is lost by then?
# Watch accounts as well as inputs, and limit them. Buy labels. Plan what is done at an alarm, and by whom.
#
# **What it costs.** The defense: longer training, good labels set aside, honest users who meet the limit.
# The monitor: false alarms at the rate that you have chosen, and people who look.
#
# ## The same in `utils`

# %%
a, b = usual[:2], odd["faded"][:2]
monitor = monitoring.QueryMonitor(usual_near, run_length=10_000)
asked = max(searched, key=len)
told = [monitor.update("one account", query) for query in asked.flatten(1).double().cpu().numpy()]
same = {
    "surprise": torch.equal(surprise(a, b), monitoring.surprise(a, b)),
    "mixed": torch.equal(mixed(a, b, share=0.5, seed=0, **how)[0], monitoring.mixed(a, b, share=0.5, seed=0, **how)[0]),
    "nearest": torch.equal(nearest(users[0]), monitoring.nearest(users[0])),
    "one query at a time": told.index(True) + 1 == asks_again(asked, usual_near),
}
print(same)

# %% [markdown]
# ## At a larger scale
#
# On MNIST images fall to fewer questions, and fewer than half of the searches are seen in time. Who pays a little
# for each change hides better there than who leaves out the loudest, and sends more. On photographs an attack that is
# one arrival in a hundred does not show within 5,000 either, the rule calls hidden attacks attacks, and 13 of 30 long
# honest accounts raise an alarm: what is usual must be known better there.

# %%
larger("13_security_against_monitoring", headline, "mnist", "cifar10")

# %% [markdown]
# ## Further
#
# - Carlini & Wagner 2017, [arXiv:1705.07263](https://arxiv.org/abs/1705.07263):
#   ten detectors of adversarial examples, all ten bypassed by attackers who knew them.
# - Chen, Carlini & Wagner 2020, [arXiv:1907.05587](https://arxiv.org/abs/1907.05587): the monitor of accounts,
#   and attacks that hide their queries from it.
# - Juuti et al. 2019, [arXiv:1805.02628](https://arxiv.org/abs/1805.02628), PRADA: by how an account's queries are
#   spread, all extraction attacks of its time found, without a false alarm.
#
# Practise: [lab 13](../labs/13_security_against_monitoring.ipynb).
# Next: [14 · Capstone: audit, choose, report](14_capstone.ipynb)
