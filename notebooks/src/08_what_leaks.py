# %% [markdown]
# # 08 · What leaks
#
# > *"Masked gradients keep training data from leaking."* ·
# > *"Machine-learning security includes data leakage and model inversion."*
#
# Until now somebody changed an image. Now somebody only looks:
# what does a model tell about the data that it was made from? Four leaks, and a count for each.
#
# **You will build** the likelihood-ratio attack, the inversion of a gradient, a sum that hides its parts, and a thief.
# *About 50 minutes, after 02; the cells run in SECONDS s on two CPU cores.*

# %%
from functools import partial

import torch
from scipy import stats
from sklearn import metrics
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from utils import attacks, leakage, plots, widgets
from utils.claims import claim
from utils.data import load
from utils.evaluation import Rate, Trainings, accuracy
from utils.larger import larger
from utils.leakage import auc, fit_many, roc_curve
from utils.masking import Quantize
from utils.models import logits, mlp, small_cnn
from utils.rate import RateWithin
from utils.records import measured
from utils.training import fit
from utils.widgets.membership import ShadowExplorer

data = load()  # the digits; load("mnist") runs the same cells
order = torch.randperm(len(data.train.y), generator=torch.Generator().manual_seed(0)).to(data.train.y.device)
size = min(600, len(order) // 2)
x, y = (part[order[:size]] for part in data.train)  # the pool: half of it is in a model's training set
elsewhere, their_labels = (
    part[order[size : size + 1000]] for part in data.train
)  # the same source, in nobody's training set
print(f"pool: {len(x)} images, of which a model sees {len(x) // 2}; others: {len(elsewhere)}")

# %% [markdown]
# ## Four attackers
#
# | | sees | wants | wins when |
# |---|---|---|---|
# | **membership** | confidences | who was trained on | right more often than chance, *when confident* |
# | **gradient inversion** | a gradient that a client sends | its images | nearer to them than any other image is |
# | **model inversion** | weights, or confidences | a training image | it is one |
# | **extraction** | answers to queries | the model | a copy answers alike |

# %%
guess = widgets.ask("A client shares one gradient, not its image. How many images can be read back?", unit="%")
guess

# %% [markdown]
# ## Who was there?
#
# A network is more confident of what it has seen. We measure confidence by $\phi = \log \frac{p_y}{1 - p_y}$,
# which, unlike $p_y$, does not pile up at 1.
#
# To learn what is usual we train *shadows*: 128 networks, each on its own random half of the pool,
# all in one program whose weights are stacks of 128 matrices (`fit_many`).


# %%
def confidence(logits, y):
    """The log-odds of the label y (N,), from logits (..., N, classes): (..., N)."""
    label = y.expand(logits.shape[:-1])[..., None]
    others = logits.scatter(-1, label, -torch.inf)
    return logits.gather(-1, label)[..., 0] - others.logsumexp(-1)


chance = torch.Generator().manual_seed(0)
inside = (torch.rand(128, len(x), generator=chance).argsort(1) < len(x) // 2).to(x.device)  # (K, N)
networks, single = fit_many(x, y, inside), fit_many(x, y, inside[5:6], seed=5)[0]
right = networks(x).argmax(-1) == y
learned = Rate(int(right[inside].sum()), int(inside.sum()))
measured("right, trained on", learned)
measured("right, held out", Rate(int(right[~inside].sum()), int((~inside).sum())))
measured("network 5 and the same one trained alone agree", leakage.agreement(networks[5], single, data.test.x))

# %% [markdown]
# The simple attack accuses whomever the target is confident of, above one threshold for all.
# How good is it? Not on average: an accuser must not accuse the innocent.
# So we ask how many members it finds while it accuses at most 1 % of the others.
# (Beside it stands an average over all thresholds, the *area under the curve* of members found against others accused.
# It is the chance that a member gets a higher score than one of the others: guessing gives 0.5.)
#
# All 16 networks that we attack judge the same 600 images, and the innocent among them set the threshold. So these are
# not thousands of independent trials: the interval comes from drawing networks *and* images again, with repetition.


# %%
def tpr_at(scores, members, fpr=0.01):
    """Members found at the lowest threshold that accuses at most a share fpr of the others."""
    others = scores[~members].sort(descending=True).values
    allowed = int(fpr * len(others) + 1e-9)
    found = scores[members] > others[allowed] if allowed < len(others) else members[members]
    return Rate(int(found.sum()), len(found))


def drawn_again(scores, members, draws=100):
    """The same of scores (K, N), with a 95 % interval for other networks, and other images, than these."""
    chance, (count, size) = torch.Generator().manual_seed(0), scores.shape
    found = torch.empty(draws)
    for draw in range(draws):
        some = torch.randint(count, (count, 1), generator=chance), torch.randint(size, (size,), generator=chance)
        found[draw] = float(tpr_at(scores[some], members[some]))
    rate, (low, high) = tpr_at(scores, members), found.quantile(torch.tensor([0.025, 0.975])).tolist()
    return RateWithin(rate.k, rate.n, min(low, float(rate)), max(high, float(rate)))


confidences, targets = confidence(networks(x), y), 16  # the first 16 networks are targets, one after another
members = inside[:targets]
measured("members found at 1 % false accusations, one threshold", drawn_again(confidences[:targets], members))
measured("area under the curve, one threshold", auc(confidences[:targets], members))
reference = metrics.roc_auc_score(members.flatten().cpu(), confidences[:targets].flatten().cpu())
measured("scikit-learn's", reference)
print("the same:", abs(reference - auc(confidences[:targets], members)) < 1e-6)

# %% [markdown]
# Hardly more than chance, and it would be easy to stop here: "no leak".
# But images differ. An easy one gets high confidence from every network, whether it was there or not.
# So ask for each image what the shadows say that saw it, and those that did not:
#
# $$\Lambda_i = \log \frac{\mathcal N(\phi_i;\ \mu_i^{\text{in}}, \sigma_i^{\text{in}})}
# {\mathcal N(\phi_i;\ \mu_i^{\text{out}}, \sigma_i^{\text{out}})}$$
#
# $\mathcal N$ is the density of a normal distribution; $\mu_i^{\text{in}}$ and $\sigma_i^{\text{in}}$ are mean and
# standard deviation of the confidences that the shadows *with* image $i$ have in it, $\mu_i^{\text{out}}$ and
# $\sigma_i^{\text{out}}$ of those that the shadows *without* it have.


# %%
def lira(target, shadows, inside, pooled=False):
    """How much likelier the target's confidences (N,) are if it saw the examples. Carlini et al. 2022."""

    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        variance = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)
        variance = variance.mean() if pooled else variance  # one for all examples
        return -((target - mean) ** 2) / (2 * variance) - variance.log() / 2

    return log_density(inside) - log_density(~inside)


def judged(confidences, inside, targets, pooled=False):
    """Scores of each target against all other networks, (targets, N)."""
    others = ~torch.eye(len(confidences), dtype=torch.bool, device=confidences.device)[:targets]
    return torch.stack([lira(confidences[k], confidences[o], inside[o], pooled) for k, o in enumerate(others)])


scores = judged(confidences, inside, targets)
measured("members found at 1 % false accusations, likelihood ratio", drawn_again(scores, members))
measured("area under the curve, likelihood ratio", auc(scores, members))
plots.roc({"one threshold": roc_curve(confidences[:targets], members), "likelihood ratio": roc_curve(scores, members)})

# %% [markdown]
# Same confidences, another question. At the right end the curves are close, and an average looks there.
# At the left end, where an accusation means something, they are far apart: look at both axes, they are logarithmic.
#
# Who is exposed? Those whom a network knows by heart or not at all:


# %%
def moments(confidences, side):
    """Mean and variance of each example's confidences on one side, (N,) each."""
    mean = torch.where(side, confidences, 0).sum(0) / side.sum(0)
    return mean, torch.where(side, (confidences - mean) ** 2, 0).sum(0) / side.sum(0)


(mean_in, var_in), (mean_out, var_out) = (moments(confidences, side) for side in (inside, ~inside))
gap = (mean_in - mean_out) / ((var_in + var_out) / 2).sqrt()  # in standard deviations
ranked = gap.argsort(descending=True)
most, least = ranked[:9], ranked[-9:]
named = {"most exposed": most, "least exposed": least}
captions = {name: [f"{gap[i]:.1f} sd" for i in who] for name, who in named.items()}
plots.gallery({name: x[who] for name, who in named.items()}, captions)

# %% [markdown]
# Above the odd ones: to get them right, a network must remember them. Below those that look like many others.
# Here is what the attack sees of each:

# %%
who = ranked[torch.linspace(0, len(ranked) - 1, 8).long()]  # from the most exposed to the least
ShadowExplorer(x[who], y[who], confidences[:, who], inside[:, who], scores[:6, who], scores[~members].quantile(0.99))

# %% [markdown]
# **Try.** Take the most exposed image and go through the networks: can you tell by eye which of them saw it?
# And of the least exposed one?
#
# ## With few shadows
#
# An attacker against a large model trains four networks, not 128: one on half of the pool, one on the other half, and
# two more on another split. So each image is in two of them. Two means may be had from that, two variances hardly.
# There are two ways out: *one* variance for all examples; or no variance at all. *RMIA* asks how much likelier the
# label is by the target than by other networks, on average, and how many examples that were in *nobody's*
# training set are outdone in that:
#
# $$\mathrm{RMIA}(x) = \Pr_z\left[\frac{p_\text{target}(x)}{\bar p(x)} \ge \frac{p_\text{target}(z)}{\bar p(z)}\right]$$


# %%
def rmia(target, shadows, target_z, shadows_z):
    """The share of other examples z that each example outdoes, (N,). Zarifzadeh et al. 2024."""

    def ratio(target, shadows):
        return target.double().sigmoid() / shadows.double().sigmoid().mean(0)

    theirs = ratio(target_z, shadows_z).sort().values
    return torch.searchsorted(theirs, ratio(target, shadows), right=True) / len(theirs)


half = torch.rand(32, len(x), generator=chance).argsort(1) < len(x) // 2
saw = torch.stack([half, ~half], 1).flatten(0, 1).to(x.device)  # (64, N): a half, its other half, and so on
shadows = fit_many(x, y, saw, seed=1000)  # the attacker's own: other networks than the targets
of_theirs, of_theirs_z = confidence(shadows(x), y), confidence(shadows(elsewhere), their_labels)
confidences_z = confidence(networks(elsewhere), their_labels)
by_count = {"a variance for each example": {}, "one variance for all": {}, "RMIA": {}}
for count in (4, 8, 16, 32, 64):
    own, shared, outdone = [], [], []
    for k in range(targets):
        own.append(lira(confidences[k], of_theirs[:count], saw[:count]))
        shared.append(lira(confidences[k], of_theirs[:count], saw[:count], pooled=True))
        outdone.append(rmia(confidences[k], of_theirs[:count], confidences_z[k], of_theirs_z[:count]))
    for curve, score in zip(by_count.values(), (own, shared, outdone), strict=True):
        curve[count] = drawn_again(torch.stack(score), members)
plots.lines(by_count, x="networks that the attacker trains", y="members found", log=True, zoom=True)

# %% [markdown]
# Again at 1 % false accusations. (n counts the 300 members of each of the 16 targets; the bands come from drawing
# networks and images again.) With few networks, a variance for each example is worse than none. With four, one for all
# finds about half of what it finds with 64, and RMIA most of it.
# So a model whose shadows are expensive to train is not safe for that.
#
# ## Do defenses change that?
#
# Hide the gradient behind a quantised input (lesson 04); but this attack asks for none.
# Or train on attacked images: does that leak more? The attacker may ask about attacked images, too.
#
# Other images might answer otherwise. So take five pools, each with 24 networks of its own, 8 of them targets,
# and let the pools be the sample.


# %%
def attacked(eps):
    """A transform for fit_many: FGSM from a random start (lesson 03), for all networks at once."""

    def transform(networks, x, y):
        start = (x + eps * (2 * torch.rand_like(x) - 1)).requires_grad_()
        loss = F.cross_entropy(networks(start).flatten(0, -2), y.flatten(), reduction="sum")
        (gradient,) = torch.autograd.grad(loss, start)
        return (start + eps * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1).detach()

    return transform


reach = min(data.eps, 0.15)  # networks as small as these learn nothing from 300 images at 0.3


# %%
def in_one_pool(seed, count=24, targets=8):
    """For each way to ask: members found, and the area; and right answers about images held out, and trained on."""
    torch.manual_seed(seed)
    rows = torch.randperm(len(data.train.y))[:size].to(data.train.y.device)
    x, y = (part[rows] for part in data.train)
    inside = (torch.rand(count, len(x)).argsort(1) < len(x) // 2).to(x.device)
    networks = fit_many(x, y, inside, seed=1000 * seed)
    robust = fit_many(x, y, inside, seed=1000 * seed, transform=attacked(reach))
    x_own = attacked(reach)(robust, x.expand(count, *x.shape), y.expand(count, -1))  # (K, N, ...)
    asked = {
        "as it is": networks(x),
        "behind a mask": networks(Quantize()(x)),
        "adversarially trained": robust(x),
        "the same, attacked images": robust(x_own),
    }
    scores = {n: judged(confidence(answer, y), inside, targets, pooled=True) for n, answer in asked.items()}
    scores["the same, both"] = scores["adversarially trained"] + scores["the same, attacked images"]
    found = {n: (tpr_at(score, inside[:targets]), 100 * auc(score, inside[:targets])) for n, score in scores.items()}
    right = {
        f"{side} images, {n}": Rate(int((answer.argmax(-1) == y)[rows].sum()), int(rows.sum()))
        for side, rows in {"held-out": ~inside, "training": inside}.items()
        for n, answer in asked.items()
    }
    return found, right


pools, right = zip(*(in_one_pool(seed) for seed in range(1, 6)), strict=True)
exposed = {name: Trainings(pool[name][0] for pool in pools) for name in pools[0]}
plots.rates(exposed, x="members found at 1 % false accusations", zoom=True)


# %%
about = {name: Trainings(rates[name] for rates in right) for name in right[0]}
for name, rates in about.items():
    measured(f"right about {name}", rates)
percent = {n: torch.tensor([[100 * float(pool[n][0]), pool[n][1]] for pool in pools]) for n in exposed}  # (pools, 2)
for name, each in percent.items():
    measured(f"area, {name}", each[:, 1].mean(), "%")
    if name != "as it is":
        change = stats.ttest_1samp((each - percent["as it is"]).numpy(), 0).confidence_interval(0.95)  # pool by pool
        for what, low, high in zip(("members found", "area"), change.low, change.high, strict=True):
            measured(f"    change of {what}, {name}", f"between {low:+.1f} and {high:+.1f} points")

# %% [markdown]
# Confidences go forwards, and masks stand in the way back: behind the mask the attack still works.
# Whether mask or training takes something from it, read from the intervals: where one contains 0,
# no difference was found. The five pools are drawn from the same training images, and share many of them.
#
# Training on attacked images shows that one number is not enough. On the digits, the *area* says that it leaks more
# to those who ask about attacked images; the members found at 1 % say that it leaks less, however one asks.
# Song et al. 2019 found on larger networks that adversarial training makes them leak *more*, also by attacked images:
# there it fits its training set much better than the rest.
#
# Look at the right answers, too. On MNIST (the table at the end) networks as small as ours, trained on attacked images,
# leak hardly more than luck would tell. But they are right on 44 % of held-out images, where the others are right on
# 83 %, and on only 37 % of the attacked images that they were trained on. Who has learned little leaks little:
# that is no defense.
#
# ## Images from a gradient
#
# In *federated learning* a client sends a gradient instead of its data. For one image $x$,
# a linear layer $z = Wx + b$ has $\partial \ell / \partial W_i = \delta_i\, x^\top$ and
# $\partial \ell / \partial b_i = \delta_i$. So divide one by the other.


# %%
def linear_input(weight, bias):
    """The input of a linear layer from its gradients, (..., out, in) and (..., out). Phong et al. 2017."""
    row = bias.abs().argmax(-1, keepdim=True)  # the one that rounding hurts least
    ours = weight.gather(-2, row[..., None].expand(*row.shape, weight.shape[-1]))
    return (ours / bias.gather(-1, row)[..., None])[..., 0, :]


def gradients(model, x, y):
    """What M clients send for their batches (M, B, ...): {weight's name: (M, *its shape)}."""
    weights = {name: weight.detach() for name, weight in model.named_parameters()}

    def loss(weights, x, y):
        return F.cross_entropy(functional_call(model, weights, (x,)), y)

    return vmap(grad(loss), (None, 0, 0))(weights, x, y)


private, labels = elsewhere[:16, None], data.train.y[order[size : size + 16], None]  # 16 clients, one image each
sent = gradients(networks[0], private, labels)
read = linear_input(sent["1.weight"], sent["1.bias"]).view_as(private)
measured("off by at most", f"{(read - private).abs().max():.1e}")
on = sent["1.bias"] != 0  # (16, 64): a ReLU that is off lets no gradient through
each_row = sent["1.weight"][on] / sent["1.bias"][on][:, None]
wanted = private.flatten(1).repeat_interleave(on.sum(1), 0)
measured("units that are on, of 64", {"fewest": on.sum(1).min(), "most": on.sum(1).max()})
measured("off by at most, from each row of a unit that is on", f"{(each_row - wanted).abs().max():.1e}")
known = sent["3.bias"].argmin(1) == labels[:, 0]  # p - 1 for the label, p for the others
measured("labels that the last bias tells", Rate(int(known.sum()), len(known)))

# %% [markdown]
# Exact, in one division, and scrambling the units is no help: the row of every unit that is on holds the image.
# A convolution adds up many places, and a batch many images. Then *search*:
# change a random image until *its* gradient points where the observed one points.
#
# $$\min_x\ 1 - \cos\left(\nabla_\theta \ell(x, y),\ g\right) + \lambda\, \mathrm{TV}(x)$$
#
# TV, the total variation, prefers images to noise. From here on we take the labels as known,
# and the gradients from `utils`: ours, layer by layer, in less time (compared at the end).


# %%
def invert_gradient(model, observed, y, shape, *, as_sent=dict, steps=100, lr=0.1, smooth=3e-3, seed=0):
    """Images (M, B, *shape) whose gradients point where M observed ones do. Geiping et al. 2020."""
    start = torch.rand(*y.shape, *shape, generator=torch.Generator().manual_seed(seed))
    x = start.to(y.device).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        angle = 1 - leakage.cosine(as_sent(leakage.gradients(model, x, y)), observed)
        loss = (angle + smooth * leakage.roughness(x).mean(1)).sum()
        x.grad = torch.autograd.grad(loss, x)[0].sign()
        optimizer.step()
        schedule.step()
        x.data.clamp_(0, 1)
    return x.detach()


# %%
torch.manual_seed(0)
cnn = small_cnn(data).requires_grad_(False)  # as it is at the start of training
sizes = {64: (16, 100), 784: (8, 400)}  # pixels: clients in the tables below, and steps of each search
few, steps = sizes.get(x[0].numel(), (4, 300))
shape, results = x.shape[1:], {"private": private[:, 0]}
for batch in (1, 4, 16):
    groups = private.view(-1, batch, *shape), labels.view(-1, batch)
    pictures = invert_gradient(cnn, gradients(cnn, *groups), groups[1], shape, steps=steps)
    results[f"batch of {batch}"] = leakage.match(groups[0], pictures).flatten(0, 1)  # a batch has no order
quality = {name: leakage.psnr(private[:, 0], found) for name, found in results.items() if name != "private"}
captions = {name: [f"{value:.0f} dB" for value in row.tolist()] for name, row in quality.items()}
plots.gallery({name: row[:9] for name, row in results.items()}, captions)

# %% [markdown]
# One image comes back nearly as it was (40 dB: pixels are off by 0.01; 30 dB: by 0.03; 20 dB: by 0.1).
# The more images share a gradient, the less is left of each.
# When is an image *recovered*? We say: when the result is nearer to it than any other image of the data set.
#
# ## Against it
#
# What a sender may do, and what an attacker who knows it does about it:
#
# - a **mask** hides the gradient to the input. What is sent is the gradient to the *weights*, or nobody could train:
#   leave the mask out of the search, which then finds the image behind the mask;
# - only **signs**, or the **largest 1 %**: do the same to your own gradient (`as_sent`);
# - **clip** to length 1 and add **noise** to every entry. There is nothing to undo; but whoever has a list of images
#   that it may be compares each one's gradient with what was sent, and needs no search (`most_likely`).


# %%
def of_each(change):
    """Apply a function to each client's gradient of each layer."""
    return lambda sent: {name: vmap(change)(g) for name, g in sent.items()}


def largest(g, share=0.01):
    """All but the largest entries set to 0."""
    bound = g.abs().flatten().topk(max(int(share * g.numel()), 1)).values[-1]
    return torch.where(g.abs() >= bound, g, 0)


def clipped_noisy(sent, clip, noise_multiplier):
    """Each client's gradient no longer than clip, with normal noise of noise_multiplier * clip."""
    length = sum(g.flatten(1).square().sum(1) for g in sent.values()).sqrt()
    short = {k: g * (clip / length).clamp_max(1).view(-1, *[1] * (g.dim() - 1)) for k, g in sent.items()}
    return {k: g + noise_multiplier * clip * torch.randn_like(g) for k, g in short.items()}


# %%
torch.manual_seed(0)
groups = private[:few], labels[:few]
plain, masked = gradients(cnn, *groups), torch.nn.Sequential(Quantize(), cnn)
signs, pruned = of_each(torch.sign)(plain), of_each(largest)(plain)
behind = gradients(masked, *groups)  # what is sent
noise = {f"noise {z:g}": clipped_noisy(plain, clip=1, noise_multiplier=z) for z in (0.01, 0.1, 0.3, 1)}


def same_places(observed):
    """Only those entries of one's own gradient that were sent."""
    return lambda own: {name: g * (observed[name] != 0) for name, g in own.items()}


naive = {
    "hidden gradient": (behind, masked, dict),
    "signs only": (signs, cnn, dict),
    "largest 1 %": (pruned, cnn, dict),
}
adapted = {
    "hidden gradient": (
        {name[2:]: g for name, g in behind.items()},
        cnn,
        dict,
    ),  # "1.3.weight" of both is "3.weight" of cnn
    "signs only": (signs, cnn, of_each(lambda g: torch.tanh(g / g.abs().mean()))),
    "largest 1 %": (pruned, cnn, same_places(pruned)),
}


# %%
def recovered(x, found, everything):
    """How many of x (N, ...) the result is nearer to than any other of the images `everything` is."""
    gaps = torch.cdist(x.flatten(1), everything.flatten(1))
    rival = gaps.where(gaps > 0.05, torch.inf).min(1).values  # not the image itself
    return Rate(int(((x - found).flatten(1).norm(dim=1) < rival).sum()), len(x))


def attack(observed, model, as_sent, *, x, y, steps, everything):
    found = invert_gradient(model, observed, y, x.shape[2:], as_sent=as_sent, steps=steps)
    return recovered(x[:, 0], found[:, 0], everything)


def most_likely(model, observed, x, y, chunk=256):
    """Which of N candidates (x, y) each of M gradients is most likely of, (M,): the one that points as it does."""

    def angles(x, y):
        own = gradients(model, x[:, None], y[:, None])
        length = sum(g.flatten(1).square().sum(1) for g in own.values()).sqrt().clamp_min(1e-12)
        return sum(observed[name].flatten(1) @ g.flatten(1).T for name, g in own.items()) / length

    parts = zip(x.split(chunk), y.split(chunk), strict=True)
    return torch.cat([angles(*part) for part in parts], 1).argmax(1)


# %%
everything = torch.cat([data.train.x, data.test.x])
alone = recovered(private[:few, 0], results["batch of 1"][:few], everything)
kept = {"nothing done": {"naive": alone, "adapted": alone}}
what = {"x": groups[0], "y": groups[1], "steps": steps, "everything": everything}
for name, case in naive.items():
    kept[name] = {"naive": attack(*case, **what), "adapted": attack(*adapted[name], **what)}
named, themselves = torch.cat([data.train.y, data.test.y]), order[size : size + few]  # where the private images stand
sent = {name: torch.cat([noisy[name] for noisy in noise.values()]) for name in plain}  # one search for all of them
searched = invert_gradient(cnn, sent, groups[1].repeat(len(noise), 1), shape, steps=steps)[:, 0].split(few)
chosen = most_likely(cnn, sent, everything, named).split(few)
for name, found, choice in zip(noise, searched, chosen, strict=True):
    hits = Rate(int((choice == themselves).sum()), few)
    kept[name] = {"adapted": recovered(groups[0][:, 0], found, everything), "with a list": hits}
kept["batch of 16"] = {"adapted": recovered(private[:, 0], results["batch of 16"], everything)}
what["steps"] = 3 * steps  # a trained network is harder to read
for updates in (20, 300):
    torch.manual_seed(0)
    trained = fit(small_cnn(data), (x, y), updates=updates).requires_grad_(False)
    kept[f"network after {updates} updates"] = {"adapted": attack(gradients(trained, *groups), trained, dict, **what)}
mean = torch.stack([x[y == c].mean(0) for c in range(len(data.classes))])
unread = recovered(private[:few, 0], mean[labels[:few, 0]], everything)  # what one "reads" without any gradient
measured("the mean of the label's class, taken for the image", unread)
plots.table(kept)

# %% [markdown]
# Compare the columns: what stops an attacker who has not looked may hardly slow down one who has.
# Noise stops the search long before it hides the image: compare "with a list". What else an attacker knows decides how
# much noise is needed, and a promise that holds for every attacker needs another argument: lesson 09 gives it, and
# says what it costs. The list here is all images of the data set with their labels, the private ones among them.
#
# All rows but the last two ask a network as it is *before* training. A trained one takes this search more steps: in
# the last two rows it has three times as many. With these, on the digits, it finds all images after 20 updates, as
# before training, and after 300 updates clearly fewer. A longer search, or a better one, may find more of them.
#
# ## A sum that hides its parts
#
# *Secure aggregation*: the server gets the sum of all updates. Each pair of clients shares secret random numbers;
# one adds them, the other subtracts them, modulo a prime $p$, so that every result is equally likely:
#
# $$u_i = x_i + \sum_{j > i} s_{ij} - \sum_{j < i} s_{ji} \pmod p$$
#
# Does one upload look like chance? A test by Kolmogorov and Smirnov (lesson 12 builds it) compares its numbers with
# uniform ones. What it prints as *p* is not the prime, but how often truly uniform numbers lie as far from that or
# farther. A tiny p would tell the two apart; any other shows no difference.


# %%
def masks(secrets, field=leakage.FIELD):
    """What each of n clients adds, (n, size), from the secrets (n, n, size) of pairs i < j. They sum to 0."""
    shared = secrets * torch.ones(secrets.shape[:2], dtype=torch.int64, device=secrets.device).triu(1)[..., None]
    return (shared.sum(1) - shared.sum(0)) % field


four = {name: g[:4] for name, g in plain.items()}  # the gradients of four clients
updates = torch.cat([g.flatten(1) for g in four.values()], 1)
torch.manual_seed(0)
secrets = torch.randint(leakage.FIELD, (4, *updates.shape)).to(x.device)
sent_masked = (leakage.to_field(updates) + masks(secrets)) % leakage.FIELD
total = leakage.from_field(sent_masked.sum(0) % leakage.FIELD)
measured("the sum is off by (rounding)", f"{(total - updates.double().sum(0)).abs().max():.0e}")
share = sent_masked[0].double().cpu() / leakage.FIELD
measured("one upload against uniform random numbers, p", stats.kstest(share.numpy(), "uniform").pvalue)


# %%
def as_gradients(rows, like):
    """Rows (M, size) of numbers, cut into the shapes of a network's gradients."""
    pieces = rows.float().split([g[0].numel() for g in like.values()], 1)
    return {name: piece.view(-1, *g.shape[1:]) for (name, g), piece in zip(like.items(), pieces, strict=True)}


def read_rows(rows, *, y, like, model, shape, steps):
    return invert_gradient(model, as_gradients(rows, like), y, shape, steps=steps)


read = partial(read_rows, like=four, model=cnn, shape=shape, steps=steps)
image, batch = private[:4, 0], labels[:4].view(1, 4)
insiders = leakage.from_field((sent_masked.sum(0) - leakage.to_field(updates[1:]).sum(0)) % leakage.FIELD)
views = {
    "one upload": read(leakage.from_field(sent_masked), y=labels[:4])[:, 0],
    "the sum": leakage.match(image[None], read(total[None], y=batch))[0],
    "sum less insiders'": read(insiders[None], y=labels[:1])[0],
}
for name, view in views.items():
    kept[name] = {"adapted": recovered(image[: len(view)], view, everything)}
    measured(name, kept[name])
plots.gallery({"private": image} | views)

# %% [markdown]
# One upload is noise. The sum is a batch, and gives away what a batch of that size does.
# If all clients but one belong to the attacker, the rest is the victim.
#
# ## What a class looks like
#
# *Model inversion* asks for an image on which the model's confidence is as high as can be.
# With the weights, follow the gradient. With confidences only, estimate it from answers at random points around.


# %%
def estimated_gradient(loss, x, *, pairs=25, sigma=0.1):
    """An estimate of the loss's gradient from 2 * pairs answers for each image."""
    gradient = torch.zeros_like(x)
    for _ in range(pairs):
        u = torch.randn_like(x)
        rise = loss(x + sigma * u) - loss(x - sigma * u)
        gradient += rise.view(*rise.shape, *[1] * (x.dim() - rise.dim())) * u
    return gradient / (2 * sigma * pairs)


torch.manual_seed(0)
classes = torch.arange(len(data.classes), device=x.device)
white = leakage.portraits(networks, classes.expand(len(networks), -1), shape)  # (K, classes, ...)
black = leakage.portraits(networks[0], classes, shape, gradient=estimated_gradient)
gaps = torch.cdist(white.flatten(2).flatten(0, 1), x.flatten(1)).view(*white.shape[:2], -1)  # (K, classes, N)
nearest = gaps.where(y == classes[:, None], torch.inf).argmin(2)
rows = {"with weights": white[0], "confidences only": black}
rows = {name: row / row.amax((1, 2, 3), keepdim=True) for name, row in rows.items()}  # at full contrast
rows |= {"nearest in the pool": x[nearest[0]], "mean of the class": mean}
plots.gallery({name: row[:10] for name, row in rows.items()})

# %%
lowest = [100 * logits(networks[0], p).softmax(1).diagonal().min() for p in (white[0], black)]
alike = networks(white.roll(1, 0)).argmax(-1) == classes  # each portrait, read by a network that did not draw it
read_as = Rate(int(alike.sum()), alike.numel())
members_near = inside.gather(1, nearest)
a_member = recovered(x[nearest[members_near]], white[members_near], everything)
not_a_member = recovered(x[nearest[~members_near]], white[~members_near], everything)  # what likeness alone gives
measured("confidence in the class, at least, in percent", {"with weights": lowest[0], "without": lowest[1]})
measured("another network reads the portrait as the class", read_as)
measured("the nearest image of the class in the pool is a member", Rate(int(members_near.sum()), members_near.numel()))
measured("where it is, the portrait is that member", a_member)
measured("where it is not, the portrait is that image", not_a_member)

# %% [markdown]
# The model is confident, and the portrait is nobody's: it shows what tells the class from others,
# also to a network that has never met the one that drew it.
# If it leans towards members, that is membership again, on average.
# Where a class is one person, a portrait may still show whom it is of. Whether it does is a question of *identity*,
# which our distance between images does not answer; we did not measure it. Fredrikson et al. 2015 asked people.
# (Other inversions, of networks trained in another way, do draw training images: Haim et al. 2022.)
#
# ## The model itself
#
# Every answer is a labelled example for a *copy*. The thief asks about images of the same kind, or about noise.
# A copy is also a map: what deceives it may deceive the victim (lesson 02).


# %%
def steal(victim, copy, queries, labels_only=False, updates=150):
    """Train copy to answer the queries as the victim does. Tramèr et al. 2016."""
    said = leakage.query(victim, queries, labels_only=labels_only)  # (N, classes)

    def loss(model, x, said):
        return -(said * model(x).log_softmax(1)).sum(1).mean()

    return fit(copy, (queries, said), loss=loss, updates=updates)


x_test, y_test = data.test.take(400)  # agreement is counted where nobody asked
victim, copies = networks[0], {}
curves = {"probabilities": {}, "labels only": {}, "labels only, noise": {}}
torch.manual_seed(0)
stranger = fit(mlp(data, 100), (elsewhere, their_labels), updates=150)  # never asked: somebody named the same images
for asks in (10, 30, 100, 300, len(elsewhere)):
    for name, curve in curves.items():
        torch.manual_seed(0)
        queries = torch.rand_like(elsewhere) if "noise" in name else elsewhere
        copies[name] = steal(victim, mlp(data, 100), queries[:asks], labels_only="labels" in name)
        curve[asks] = leakage.agreement(copies[name], victim, x_test)
right = {name: accuracy(copy, (x_test, y_test)) for name, copy in copies.items()}
measured("accuracy of the victim", accuracy(victim, (x_test, y_test)))
for name, rate in right.items():
    measured(f"of the copy, by {name}", rate)
agrees, copies["a stranger"] = leakage.agreement(stranger, victim, x_test), stranger
measured("a stranger, trained on the true labels of the same images, agrees", agrees)
taught = {"labels only": [], "probabilities": []}  # by noise alone, with four times the updates
for draw in range(5):
    torch.manual_seed(draw)
    queries = torch.rand_like(elsewhere)
    for name, rates in taught.items():
        torch.manual_seed(draw)
        copy = steal(victim, mlp(data, 100), queries, labels_only="labels" in name, updates=600)
        rates.append(leakage.agreement(copy, victim, x_test))
taught = {name: Trainings(rates) for name, rates in taught.items()}
for name, rates in taught.items():
    measured(f"noise alone, 600 updates, five draws, {name}: agrees", rates)
plots.lines(curves, x="queries", y="agreement", log=True)

# %%
budget = {"eps": data.eps, "steps": 20}
left = {"no attack": accuracy(victim, (x_test, y_test))}
for name, copy in copies.items():
    x_adv = attacks.transfer(victim, x_test, y_test, surrogate=copy, **budget)
    left[f"transfer, {name}"] = accuracy(victim, (x_adv, y_test))
left["white box"] = accuracy(victim, (attacks.pgd(victim, x_test, y_test, **budget), y_test))
plots.rates(left, x="accuracy of the victim")

# %% [markdown]
# Some hundred questions, and the copy answers like the victim and is as often right, without one label of the thief's
# own. Most of the agreement is the task's: on the digits a stranger who was never asked agrees nearly as often. (In
# the larger table the stranger agrees clearly less often.) Whether the copy also knows the victim's weak places
# better than the stranger does, read from the bars above: where their intervals overlap much, this run found no
# difference. One victim and one copy of each kind stand there. Labels for noise teach little. That is no law about
# noise: with 600 updates, and over five draws of it, a thief gets more out of the same queries where the answers are
# probabilities. How much turns with the draw, of the noise and of the copy's first weights.
#
# ## Verdict
#
# (`undefended` here: how often the networks were right about what they were trained on.
# Who has learned nothing leaks nothing.)

# %%
headline = {f"members, {name}": rate for name, rate in exposed.items()}
headline |= {f"images, {name}": rates["adapted"] for name, rates in kept.items()}
headline |= {"portraits read as their class": read_as, "portraits that are a training image": a_member}
headline |= {f"copy by {name}": curve[len(elsewhere)] for name, curve in curves.items()} | {"a stranger": agrees}
headline |= {f"copy by {name}, noise, 600 updates, five draws": rates for name, rates in taught.items()}
headline |= {f"right about {name}": rates for name, rates in about.items() if "mask" not in name}
n = exposed["as it is"].rates[0].n
accused = Trainings([Rate(n // 100, n)] * len(pools))  # of the others, 1 %
guess.reveal(kept["nothing done"]["adapted"])

# %%
channels = (  # without the mask, with it, and by luck
    (exposed["as it is"], exposed["behind a mask"], accused),
    (kept["nothing done"]["adapted"], kept["hidden gradient"]["adapted"], unread),
)
leaks = any(masked.clearly_above(luck) for _, masked, luck in channels)
stopped = all(bare.clearly_above(luck) and masked.clearly_below(bare) for bare, masked, luck in channels)
claim(
    "Masked gradients keep training data from leaking",
    holds=False if leaks else True if stopped else None,
    because=f"behind a mask, membership finds {exposed['behind a mask']} (without: {exposed['as it is']}) "
    f"at 1 % false accusations; and from the gradient that a client sends, {kept['hidden gradient']['naive']} images "
    f"are read by an attacker who trusts the mask, {kept['hidden gradient']['adapted']} by one who leaves it out",
    undefended=learned,
)

# %%
found, read = exposed["as it is"], kept["nothing done"]["adapted"]
leaks = found.clearly_above(accused) and read.clearly_above(unread)
nothing = found.interval[1] < 0.02 and read.interval[1] < 0.25  # surely no more than twice luck, and few images
claim(
    "Machine-learning security includes data leakage and model inversion",
    holds=False if nothing else True if leaks and a_member.clearly_above(not_a_member) else None,
    because=f"data leak: {exposed['as it is']} members found at 1 % false accusations, "
    f"{kept['nothing done']['adapted']} images read from gradients, a copy that agrees in "
    f"{curves['probabilities'][len(elsewhere)]} (a stranger in {agrees}). This model inversion draws a class "
    f"(another network reads it so in {read_as}); it is a training image in {a_member}, where likeness alone gives "
    f"{not_a_member}{'' if a_member.clearly_above(not_a_member) else ': it shows a class and no more'}",
    undefended=learned,
)

# %% [markdown]
# **To take to work.** Count leaks at few false accusations, with an interval, and by the most exposed.
# Give labels or rounded confidences only if that is all users need, and limit and log queries: it delays a thief.
# Let a server see sums over many clients only, with noise added (lesson 09).
#
# **What it costs.** The attacks: 128 small networks; hundreds of steps an image; a few hundred queries. All cheap.
#
# ## The same in `utils`, and at a larger scale

# %%
ours, theirs = (f(cnn, *groups).values() for f in (gradients, leakage.gradients))
pairs = {
    "gradients": [torch.cat([g.flatten() for g in each]) for each in (theirs, ours)],
    "log-odds": (leakage.confidence(networks(x), y), confidences),
    "likelihood ratio": (leakage.lira(confidences[0], confidences[1:], inside[1:]), scores[0].double()),
    "RMIA": (
        leakage.rmia(confidences[0], of_theirs, confidences_z[0], of_theirs_z),
        rmia(confidences[0], of_theirs, confidences_z[0], of_theirs_z),
    ),
    "members found": [torch.tensor(tpr(scores, members).k) for tpr in (leakage.tpr_at, tpr_at)],
    "inversion": (
        leakage.invert_gradient(cnn, plain, groups[1], shape, steps=steps)[:, 0],
        results["batch of 1"][:few],
    ),
}
for name, (shared, here) in pairs.items():
    measured(f"{name}, apart at most", f"{(shared - here).abs().max():.0e}")
larger("08_what_leaks", headline, "mnist", "olivetti")

# %% [markdown]
# ## Further
#
# - Carlini et al. 2022, [arXiv:2112.03570](https://arxiv.org/abs/2112.03570): the likelihood-ratio attack.
#   The authors' public demo, 16 shadows on CIFAR-10: area 0.668; at 0.1 % false accusations 1.7 % found,
#   with one variance for all images 5.9 %, by one threshold 0.09 %.
# - Zarifzadeh et al. 2024, [arXiv:2312.03262](https://arxiv.org/abs/2312.03262): RMIA, made for few shadows.
# - Choquette-Choo et al. 2021, [arXiv:2007.14321](https://arxiv.org/abs/2007.14321): membership from labels only.
# - Song et al. 2019, [arXiv:1905.10291](https://arxiv.org/abs/1905.10291): membership against robust models.
# - Balle et al. 2022, [arXiv:2201.04845](https://arxiv.org/abs/2201.04845), and Hayes et al. 2023,
#   [arXiv:2302.07225](https://arxiv.org/abs/2302.07225): reconstruction by attackers who know much beforehand.
# - Fowl et al. 2022, [arXiv:2110.13057](https://arxiv.org/abs/2110.13057): a *malicious* server
#   changes the model so that images of a large batch are read exactly.
# - Zhao et al. 2020, [arXiv:2001.02610](https://arxiv.org/abs/2001.02610): the label from the gradient's signs.
# - Geiping et al. 2020, [arXiv:2003.14053](https://arxiv.org/abs/2003.14053): gradients, inverted by their angle.
# - Haim et al. 2022, [arXiv:2206.07758](https://arxiv.org/abs/2206.07758): training images
#   from the weights of small networks.
# - Bonawitz et al. 2017, [eprint 2017/281](https://eprint.iacr.org/2017/281): secure sums, also when clients drop out.
#
# Practise: [lab 08](../labs/08_what_leaks.ipynb).
# Next: [09 · Differential privacy](09_differential_privacy.ipynb)
