# %% [markdown]
# # 04 · Building masks
#
# > *"Gradient masking prevents attackers from using gradients."* ·
# > *"It is essential in the defense toolkit."*
#
# The quickest attacks so far followed a gradient. So take it away: round the input, add noise, saturate the output.
# This lesson builds eight such masks, gives each its best day,
# and then asks attackers who follow no gradient of the masked model.
#
# **You will build** eight gradient masks, and a test of what a gradient is worth.
# *About 40 minutes, after 02; the cells run in SECONDS s on two CPU cores.*

# %%
import math
from copy import deepcopy
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from utils import attacks, plots, widgets
from utils.adversarial import attacked
from utils.attacks import cross_entropy, margin
from utils.claims import claim
from utils.data import load
from utils.evaluation import Rate, Trainings
from utils.models import logits, predict
from utils.records import measured
from utils.training import fit
from utils.usual import undefended

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = undefended(data)
x, y = data.test.take(200)
pgd = partial(attacks.pgd, steps=20, early_stop=False)  # cross-entropy, random start


# %%
def left(model, x, y, draws=1):
    """How many of the images the model gets right, as a mean over fresh draws: a rate of len(y) images, rounded."""
    right = torch.stack([predict(model, x) == y for _ in range(draws)]).float().mean(0)
    return Rate(round(right.sum().item()), len(y))


bare = left(model, pgd(model, x, y, eps=data.eps), y)
measured("undefended, after 20 steps of PGD", bare)

# %% [markdown]
# ## The threat model
#
# | | first half | second half |
# |---|---|---|
# | **who** | someone who may send images | the same |
# | **knows** | the masked model, and calls `backward()` on it | data of the same kind, or only the scores |
# | **may change** | each pixel by $\varepsilon$ | the same |
# | **wins when** | the predicted class is wrong | the same |
#
# The first attacker runs an attack library as it comes. Many reports of a masked model's robustness stop here.

# %%
guess = widgets.ask("Round each pixel to one of five values. What is left under the same PGD?")
guess

# %% [markdown]
# ## The idea
#
# With a mask $m$ before the network $f$, the gradient passes through both:
#
# $$\nabla_x\, \ell\big(f(m(x)), y\big) = J_m(x)^\top \, \nabla_m\, \ell\big(f(m), y\big)$$
#
# The last factor is the network's own, and as useful as before. The first, the mask's gradient $J_m$,
# can be made to **vanish**, to **wander** from call to call, or to **lie**.
#
# ## Gradients that vanish
#
# A staircase is flat almost everywhere. Rounding is one:


# %%
class Quantize(nn.Module):
    """Round each pixel to one of `levels` values between 0 and 1."""

    def __init__(self, levels=5):
        super().__init__()
        self.steps = levels - 1

    def forward(self, x):
        return (x * self.steps).round() / self.steps


# %% [markdown]
# Next, a filter that removes what is small and odd.
# Popular pages take it from an image library, outside of PyTorch, where no gradient can follow:


# %%
class Median(nn.Module):
    """The median of each pixel's 3 x 3 neighbourhood, by a library that knows no gradients."""

    def forward(self, x):
        padded = F.pad(x.detach(), (1, 1, 1, 1), mode="replicate")
        windows = padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4)  # (N, C, H, W, 9)
        return windows.median(4).values + 0 * x  # autograd sees only the 0


# %% [markdown]
# JPEG writes blocks of the image as sums of cosine waves, and rounds how much it takes of each.
# A convolution with stride 4 takes the blocks apart, its transpose puts them together.


# %%
class JPEG(nn.Module):
    """Round the cosine coefficients of each 4 x 4 block to multiples of `step`, as JPEG does with 8 x 8."""

    def __init__(self, step=0.25):
        super().__init__()
        k = torch.arange(4.0)
        wave = torch.cos(math.pi / 4 * (k + 0.5) * k[:, None]) / 2**0.5  # (frequency, place)
        wave[0] /= 2**0.5
        self.register_buffer("basis", torch.einsum("ax,by->abxy", wave, wave).reshape(16, 1, 4, 4))
        self.step = step

    def forward(self, x):
        blocks = F.conv2d(x.flatten(0, 1)[:, None], self.basis, stride=4)  # (N * C, 16, H / 4, W / 4)
        rounded = (blocks / self.step).round() * self.step
        return F.conv_transpose2d(rounded, self.basis, stride=4).view_as(x).clamp(0, 1)


# %% [markdown]
# The gradient can vanish at the other end, too. Lesson 02 multiplied the logits;
# with a softmax of exactly 0 and 1, cross-entropy is 0 and flat.


# %%
class Saturate(nn.Module):
    """Multiply logits, so that the softmax is 0 or 1 as far as a float can tell. Goes behind a model."""

    def __init__(self, scale=1000.0):
        super().__init__()
        self.scale = scale

    def forward(self, logits):
        return self.scale * logits


# %% [markdown]
# ## Gradients that wander
#
# Draw new random numbers at every call, and the attacker climbs a hill that moves.


# %%
class Noise(nn.Module):
    """Add fresh normal noise to every image at every call."""

    def __init__(self, sigma=0.3):
        super().__init__()
        self.sigma = sigma

    def forward(self, x):
        return (x + self.sigma * torch.randn_like(x)).clamp(0, 1)


# %%
class ResizeAndPad(nn.Module):
    """Shrink every image to a random size, at least `smallest` of it, and put it in a random place. Xie et al. 2018."""

    def __init__(self, smallest=0.6):
        super().__init__()
        self.smallest = smallest

    def forward(self, x):
        size = self.smallest + (1 - self.smallest) * torch.rand(len(x), 1, 1, device=x.device)
        shift = (2 * torch.rand(len(x), 2, 1, device=x.device) - 1) * (1 - size)  # stays on the page
        zoom = torch.eye(2, device=x.device).expand(len(x), 2, 2)
        grid = F.affine_grid(torch.cat([zoom, shift], 2) / size, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False).clamp(0, 1)


# %% [markdown]
# ## Gradients that lie
#
# *k winners take all*: in each layer only the few largest units speak.
# A small step changes who wins, and with it the gradient: what it says here may be wrong a little further on.


# %%
class KWinners(nn.Module):
    """An activation: of all its units an image keeps the `share` that are largest. Xiao et al. 2020."""

    def __init__(self, share=0.05):
        super().__init__()
        self.share = share

    def forward(self, x):
        flat = x.flatten(1)
        top = flat.topk(max(1, round(self.share * flat.shape[1])), dim=1)
        return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def k_winners(model, share=0.05):
    """A copy of `model` in which every ReLU has become a `KWinners(share)`. To be trained further."""
    copy = deepcopy(model)
    for parent in list(copy.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ReLU):
                setattr(parent, name, KWinners(share))
    return copy


# %% [markdown]
# And the plain lie. PyTorch lets us write any backward pass that we like:


# %%
class ScrambledGradient(torch.autograd.Function):
    """Forward: nothing. Backward: the gradient's entries change places and signs."""

    @staticmethod
    def forward(x):
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx, inputs, output):  # nothing to keep; with it torch.func takes the mask too
        pass

    @staticmethod
    def backward(ctx, gradient):
        flat = gradient.flatten(1)
        key = torch.Generator().manual_seed(0)  # the same scramble each time
        places = torch.randperm(flat.shape[1], generator=key).to(flat.device)
        signs = torch.randint(0, 2, (flat.shape[1],), generator=key).to(flat) * 2 - 1
        return (flat[:, places] * signs).view_as(gradient)


class Scramble(nn.Module):
    """Change no input and no output, only the gradient."""

    def forward(self, x):
        return ScrambledGradient.apply(x)


# %% [markdown]
# ## Do they do what they say?
#
# Each mask has a property that can be checked without any network.

# %%
from scipy.ndimage import median_filter

wave, filtered = JPEG().basis.flatten(1), median_filter(x[:, 0].cpu(), size=(1, 3, 3), mode="nearest")
winners = KWinners(0.05)(torch.rand(8, 400)).count_nonzero(1)
print("rounding twice is rounding once:", torch.equal(Quantize()(x), Quantize()(Quantize()(x))))
print("the waves are orthonormal:", torch.allclose(wave @ wave.T, torch.eye(16), atol=1e-6))
print("the median is SciPy's:", Median()(x)[:, 0].cpu().equal(torch.tensor(filtered)))
print("5 % of 400 units win:", winners.tolist())
print("two calls of the noise differ:", not torch.equal(Noise()(x), Noise()(x)))
print("scrambling changes no logit:", torch.equal(model(Scramble()(x[:8])), model(x[:8])))

# %%
in_front = (nn.Identity(), Quantize(), Median(), JPEG().to(x.device), Noise(), ResizeAndPad())
names = ("image", "quantised", "median", "JPEG", "noise", "resized")
torch.manual_seed(0)
picture = plots.Picture(7, 1.4, "an image as it is and behind five masks")
with plots.house_style():
    for axes, name, mask in zip(picture.figure.subplots(1, len(names)), names, in_front, strict=True):
        axes.set_title(name)
        plots.show_image(axes, mask(x[:1])[0])
picture

# %% [markdown]
# This is what the network sees. The other three masks change no image.
#
# ## Putting them on
#
# Some masks fit a trained network as they are. The others would cost it too much accuracy,
# so these networks may get used to their mask, in a short second training.


# %%
def masked(model, data, updates=200, names=None):
    """Eight masked models by name, or those of `names`, all from one undefended `model`, which stays as it is."""

    def used_to(masked):
        return fit(deepcopy(masked), data.train, updates=updates)

    wear = {
        "quantised": lambda: nn.Sequential(Quantize(), model),
        "median": lambda: used_to(nn.Sequential(Median(), model)),
        "JPEG": lambda: nn.Sequential(JPEG().to(data.train.x.device), model),
        "noise": lambda: used_to(nn.Sequential(Noise(), model)),
        "resized": lambda: used_to(nn.Sequential(ResizeAndPad(), model)),
        "saturated": lambda: nn.Sequential(model, Saturate()),
        "k winners": lambda: used_to(k_winners(model)),
        "scrambled": lambda: nn.Sequential(Scramble(), model),
    }
    return {name: wear[name]().eval() for name in names or wear}


# %%
torch.manual_seed(0)
models = {"undefended": model} | masked(model, data)

# %% [markdown]
# ## The mask's best day
#
# The same two attacks on each: one step, and twenty steps, both up the cross-entropy of the model as it is.
# Two masks answer anew at each call. They are judged by the mean of twenty fresh draws, none of which the attack has
# seen; n counts images, for twenty draws of one image are not twenty images.

# %%
torch.manual_seed(0)
draws = dict.fromkeys(models, 1) | {"noise": 20, "resized": 20}
headline = {}
for name, one in models.items():
    found = {
        "clean": x,
        "FGSM": attacks.fgsm(one, x, y, eps=data.eps),
        "PGD, 20 steps": pgd(one, x, y, eps=data.eps),
    }
    headline[name] = {attack: left(one, x_adv, y, draws[name]) for attack, x_adv in found.items()}
plots.table(headline)

# %%
guess.reveal(headline["quantised"]["PGD, 20 steps"])

# %%
gain = {name: row for name, row in headline.items() if row["PGD, 20 steps"].clearly_above(bare)}
measured("masks clearly above the undefended model after PGD", Rate(len(gain), len(models) - 1))
measured("not above it", [name for name in list(models)[1:] if name not in gain])

# %% [markdown]
# A robust model for one line of code: many would stop here, and publish.
# Mind the two random masks. They do better against one step than against twenty. So does the undefended model;
# here there is another reason: each step draws anew, and over many steps the wandering averages out.
#
# ## What is such a gradient worth?
#
# Four questions about a gradient, and a yardstick, none of which is whether the attack succeeds.


# %%
def gradient_of(model, x, y):
    """The gradient of each image's cross-entropy, as attacks use it: (N, pixels)."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(model(x), y).sum(), x)
    return gradient.flatten(1)


@torch.no_grad()
def height(model, x, y, draws):
    """Each image's margin, the mean over draws, (N,): below 0 the model is right."""
    return torch.stack([margin(logits(model, x), y) for _ in range(draws)]).mean(0)


def rise(model, x, y, direction, eps, draws):
    """By how much a step of eps along the direction's sign raises the mean margin, (N,)."""
    ahead = (x + eps * direction.sign().view_as(x)).clamp(0, 1)
    return height(model, ahead, y, draws) - height(model, x, y, draws)


# %% [markdown]
# Of a random mask both ends of the step are averaged over many draws: between two single draws it is luck that decides.
# And on each model the same step is taken along random signs, for comparison.

# %%
torch.manual_seed(0)
worth = {}
for name, one in models.items():
    first, second = gradient_of(one, x, y), gradient_of(one, x, y)
    same = torch.cosine_similarity(first, second, eps=1e-30) > 0.9  # these gradients may be tiny
    step = partial(rise, one, x, y, eps=data.eps / 4, draws=60 if draws[name] > 1 else 1)
    up, luck = step(direction=first), step(direction=torch.randn_like(first))
    answers = {
        "is not 0": first.abs().amax(1) > 0,
        "is the same again": same,
        "leads uphill": up > 0,
        "random signs do": luck > 0,
        "leads higher": (up > luck) & (up > 0),
    }
    worth[name] = {question: Rate(int(a.sum()), len(a)) for question, a in answers.items()}
plots.table(worth)

# %%
of_use = [name for name, row in worth.items() if row["leads higher"].interval[0] > 0.5]
measured("leads higher than random signs on clearly more than half of the images", of_use)
measured("does not", [name for name in models if name not in of_use])

# %% [markdown]
# An honest gradient says yes in each column but the fourth, as in the first row.
# A *no* in the first column is a gradient that vanishes; in the second, one that wanders, or vanishes.
# "Uphill" needs a yardstick, the fourth column: from a point in a valley, random signs often lead up as well.
# The last asks which of the two steps leads higher; random signs against others would win on half of the images.
# A gradient that is there, is the same again, and does no better than that, is one that *lies*.
#
# A gradient that wanders can lead uphill all the same: noisy each time, and right on the average.
# And one that leads uphill for a quarter of the budget need not do so for the whole of it.
#
# ## The ground itself
#
# All landscapes below are drawn around one image, the circle in the middle, in the same two directions:
# to the right the undefended model's gradient, upwards random signs. One colour means one height in all of them.


# %%
def surfaces(models, x, y, *, along, eps, side=21):
    """The cross-entropy of each model around one image, (1, C, H, W), on one scale of colours."""
    steps = torch.linspace(-eps, eps, side, device=x.device)
    v, u = (t.reshape(-1, 1, 1, 1) for t in torch.meshgrid(steps, steps, indexing="ij"))
    across = torch.randint(0, 2, x.shape, device=x.device) * 2.0 - 1
    around = (x + u * along.sign().view_as(x) + v * across).clamp(0, 1)
    picture = plots.Picture(7, 3, f"the loss around one image, for {len(models)} models")
    with plots.house_style():
        grid = picture.figure.subplots(2, 5, sharex=True, sharey=True)
        for axes in grid.flat[len(models) :]:
            axes.set_axis_off()
        for axes, (name, one) in zip(grid.flat, models.items(), strict=False):
            losses = cross_entropy(logits(one, around), y.expand(len(around)))
            height = losses.clamp(1e-3, 10).log10().view(side, side)  # what is low and what is high, in one picture
            box = (-eps, eps, -eps, eps)
            shown = axes.imshow(height.cpu(), origin="lower", cmap="cividis", vmin=-3, vmax=1, extent=box)
            axes.plot(0, 0, "o", color="white", markersize=3)
            axes.set(xticks=(-eps, eps), yticks=(-eps, eps))
            axes.set_title(name)
        for axes in grid[0, len(models) - 5 :]:
            axes.tick_params(labelbottom=True)  # no panel stands below this one
        bar = picture.figure.colorbar(shown, ax=grid, aspect=30, label="cross-entropy")
        bar.set_ticks([-3, -2, -1, 0, 1], labels=["≤ 0.001", "0.01", "0.1", "1", "≥ 10"])
        picture.figure.supxlabel("along the undefended model's gradient", size=9)
        picture.figure.supylabel("along random signs", size=9)
    return picture


# %%
torch.manual_seed(0)
surfaces(models, x[:1], y[:1], along=gradient_of(model, x[:1], y[:1]), eps=data.eps)

# %% [markdown]
# *Quantised* makes terraces, *noise* a fog, *saturated* a table mountain, *k winners* broken glass.
# Under *scrambled* the old ground is untouched: that mask changes no loss, only what we are told about it.
# In nearly every picture there is high ground to the right.
# **The mask has hidden the way up. The hill is still there.**
#
# ## An attacker who asks for no gradient
#
# First, someone who trains a network of his own on such data, and follows *its* gradients.
# Second, someone who sees only scores: Square, from lesson 02.

# %%
torch.manual_seed(1)
surrogate = undefended(data)
x_moved = pgd(surrogate, x, y, eps=data.eps)
for name, one in models.items():
    found = attacks.square(one, x, y, eps=data.eps, queries=300)
    headline[name]["transfer"] = left(one, x_moved, y, draws[name])
    headline[name]["Square, 300 calls"] = left(one, found, y, draws[name])
plots.table({name: {how: row[how] for how in list(row)[2:]} for name, row in headline.items()})

# %% [markdown]
# The transferred images were made once, for a stranger, without a look at any mask.
# Where a mask answers alike at each call, it cannot hide its answers: Square needs nothing else.
#
# Not so in the two rows of random masks. A search tries a change and keeps it if the score rises;
# where the score is drawn anew each time, it keeps what was lucky, and ends on a draw that happened to be wrong.
# **A random mask hides scores as well as gradients** (Qin et al. 2021, Byun et al. 2021).
# To ask several times and go by the mean is the natural answer. At equal calls, six hundred for each image:


# %%
class MeanOf(nn.Module):
    """The mean of a random model's logits over `draws` calls."""

    def __init__(self, model, draws=10):
        super().__init__()
        self.model, self.draws = model, draws

    def forward(self, x):
        return sum(self.model(x) for _ in range(self.draws)) / self.draws


# %%
torch.manual_seed(0)
searched = {}
for name in ("noise", "resized"):
    one, search = models[name], partial(attacks.square, eps=data.eps)
    found = {
        "600 changes, each seen once": search(one, x, y, queries=600),
        "60 changes, each the mean of 10": search(MeanOf(one), x, y, queries=60),
    }
    searched[name] = {how: left(one, x_adv, y, draws[name]) for how, x_adv in found.items()}
    searched[name]["PGD, 20 steps"] = headline[name]["PGD, 20 steps"]
plots.table(searched)

# %% [markdown]
# The search has thirty times as many calls as PGD has passes. But a call tells it one noisy number,
# and a pass one for each pixel: a mean over draws is dear for those who see only scores.
#
# So no single kind of attack is enough. One mask hides its gradient, another its scores: believe the lowest of several.
#
# ## Does the mask add anything?
#
# Some rows keep more than the first. Is it the mask, or the second training?
# Take the mask off, *keep the weights*, and attack again.
# Where the gradient wanders, PGD now takes 100 steps, or steps along the mean of ten draws, so that it can average out.


# %%
def strongest(model, x, y, *, eps, moved, draws=1):
    """What the strongest attack leaves, and its images: PGD with 100 steps, transfer (`moved`), Square, and of a
    model that draws, PGD on the mean of ten draws."""
    long = partial(attacks.pgd, steps=100, early_stop=False)
    search = partial(attacks.square, queries=300)
    found = [moved, long(model, x, y, eps=eps), search(model, x, y, eps=eps)]
    if draws > 1:
        found.append(pgd(MeanOf(model), x, y, eps=eps))
    return min(((left(model, x_adv, y, draws), x_adv) for x_adv in found), key=lambda pair: pair[0])


# %%
torch.manual_seed(0)
attacked_by = partial(strongest, x=x, y=y, eps=data.eps, moved=x_moved)
off = {"undefended": model} | {name: models[name][1] for name in ("median", "noise", "resized")}
off = {name: attacked_by(one) for name, one in off.items()}
on = {name: min(rate for column, rate in row.items() if column != "clean") for name, row in headline.items()}
again = {name: attacked_by(models[name], draws=draws[name]) for name in ("noise", "resized")}
on |= {name: rate for name, (rate, _) in again.items()}
del on["undefended"]
plots.table({name: {"mask on": on[name], "mask off": off.get(name, off["undefended"])[0]} for name in on})

# %% [markdown]
# Each cell is the *best single attack*, on the same weights with the mask and without.
# (For *k winners* there are no such weights; its partner is the undefended model.)
#
# For the noise, the two cells are close enough to ask twice. The same images, each judged in both states:


# %%
def right_per_image(model, x, y, draws=100):
    """How often each image is classified right, (N,) between 0 and 1."""
    return torch.stack([predict(model, x) == y for _ in range(draws)]).float().mean(0)


def difference(a, b):
    """The mean of a - b over the same images, in points, with its 95 % interval."""
    gap = 100 * (a - b)
    half = 1.96 * gap.std() / len(gap) ** 0.5
    return {"difference": float(gap.mean()), "from": float(gap.mean() - half), "to": float(gap.mean() + half)}


noisy, quiet = models["noise"], models["noise"][1]
with_noise = right_per_image(noisy, again["noise"][1], y)
without = right_per_image(quiet, off["noise"][1], y, draws=1)
measured("right with the noise on, less right with it off", difference(with_noise, without), "points")

# %% [markdown]
# An interval above 0: under these attacks the noise in use keeps images right that the same weights without it lose.
# So not all of it was in the training. Other trainings gain more from it, or less; lesson 05 asks again.
# Averaging over many draws then brings the attacker to the mean of the noisy answers, and no further.
# That mean is smoother than the network, and lesson 07 makes a proof of it.
# Its price is accuracy: see the column *clean* of *The mask's best day*.
#
# So spend the second training on lesson 03 instead: no mask, but attacked images.
# An update takes one pass through the network, and four where three steps attack the images first.
# For about equal cost the mask's training gets four times as many updates, if it has a training.
# One training says little about the next, so the best mask and its rival are each trained three times.

# %%
best = max(on, key=on.get)
measured("the best mask is", best)
rivals = {"best mask": [], "trained on attacks": []}
for seed in range(3):
    torch.manual_seed(seed)
    base = undefended(data) if seed else model
    attacks_to_learn = attacked(data.eps, steps=3, updates=200)
    hardened = fit(deepcopy(base), data.train, transform=attacks_to_learn, updates=200)
    wearing = masked(base, data, updates=800, names=[best])[best]
    rivals["best mask"].append(attacked_by(wearing, draws=draws[best])[0])
    rivals["trained on attacks"].append(attacked_by(hardened)[0])
rivals = {name: Trainings(rates) for name, rates in rivals.items()}
plots.rates({"undefended": off["undefended"][0]} | rivals)

# %% [markdown]
# The strongest single attack on each, from the same three starts. The best of eight masks was chosen on these images,
# which favours it. The brackets of three trainings cover other trainings, on these images; those of the undefended
# network cover other images. What was trained on attacks wears no mask; lesson 05b asks whether its gradients can be
# believed. Whether a mask adds something *to* adversarial training is another question, which we did not ask.
#
# ## Play

# %%
stranger = partial(attacks.transfer, surrogate=surrogate)
widgets.AttackExplorer(models["quantised"], data, attacks={"PGD": pgd, "transfer": stranger}, sample=100)

# %% [markdown]
# **Try.** Let PGD have the largest budget that the slider has. Is there an image whose class it changes,
# and is that the gradient's work, or the random start's?
#
# ## Verdict

# %%
fell = [name for name in gain if headline[name]["transfer"].clearly_below(headline[name]["PGD, 20 steps"])]
claim(
    "Masking prevents attackers from using gradients",
    holds=bool(gain) and len(fell) <= len(gain) / 2,
    because=f"under PGD {len(gain)} of {len(models) - 1} masks keep clearly more than the undefended model; on "
    f"{len(fell)} of these the gradients of another network leave clearly less than PGD does",
    undefended=headline["undefended"]["clean"],
)

# %%
sturdy, worn = rivals["trained on attacks"], rivals["best mask"]
holds = True if worn.clearly_above(sturdy) else False if sturdy.clearly_above(worn) else None
level = "" if holds is not None else "; three trainings of each show no difference on these images"
claim(
    "Masking is essential in the defense toolkit",
    holds=holds,
    because=f"under the strongest single attack, the best of {len(on)} masks ({best}) keeps {worn}; "
    f"as many passes spent on adversarial training, without a mask, keep {sturdy}{level}",
    undefended=headline["undefended"]["clean"],
)

# %% [markdown]
# **To take to work.** If a defense works against PGD and you cannot say *why* the loss can't be raised,
# ask whether it can't be raised, or can't be *found*. Attack it with gradients that are not its own, with scores,
# and if it draws random numbers with means over many draws. Believe the lowest number.
#
# **What it costs.** Little, which is the trouble: a line of code, some accuracy,
# and your own ability to measure how robust you are.
#
# ## The same in `utils`
#
# The masks live in `utils.masking`, line by line as here.

# %%
from utils import masking

pairs = [(Quantize(), masking.Quantize()), (Median(), masking.Median()), (Noise(), masking.Noise())]
pairs += [(ResizeAndPad(), masking.ResizeAndPad()), (JPEG(), masking.JPEG())]
for mine, shared in pairs:
    answers = []
    for mask in (mine, shared):
        torch.manual_seed(0)
        answers.append(mask.to(x.device)(x))
    print(type(mine).__name__, torch.equal(*answers))

# %% [markdown]
# ## At a larger scale
#
# On MNIST, at a budget of 0.3, PGD goes through both random masks as they are, and Square still leaves many:
# which attack a mask hides from depends on the data, too. CIFAR-10's budget is 8/255, and its network a residual one.

# %%
from utils.larger import larger

larger("04_building_masks", headline, "mnist", "cifar10")

# %% [markdown]
# ## Further
#
# - Athalye, Carlini, Wagner 2018, [arXiv:1802.00420](https://arxiv.org/abs/1802.00420):
#   7 of 9 published defenses relied on obfuscated gradients.
# - Xie et al. 2018, [arXiv:1711.01991](https://arxiv.org/abs/1711.01991): random resizing and padding.
# - Xiao et al. 2020, [arXiv:1905.10510](https://arxiv.org/abs/1905.10510): k winners take all.
# - Qin et al. 2021, [arXiv:2104.11470](https://arxiv.org/abs/2104.11470), and Byun et al. 2021,
#   [arXiv:2101.04829](https://arxiv.org/abs/2101.04829): a little noise disturbs attacks that see only scores.
# - Papernot et al. 2017, [arXiv:1602.02697](https://arxiv.org/abs/1602.02697): attacks through a model of
#   one's own, and the name *gradient masking*.
#
# Practise: [lab 04](../labs/04_building_masks.ipynb).
# Next: [05 · Taking masks off](05_taking_masks_off.ipynb)
