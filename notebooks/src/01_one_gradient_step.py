# %% [markdown]
# # 01 · One gradient step
#
# > *"The model is right on 98 % of held-out data, so it is safe to ship."*
#
# Accuracy answers what happens on inputs that nobody chose.
# This lesson asks what happens when somebody chooses them,
# with the cheapest attack that works: one step along the sign of the gradient.
#
# **You will build** FGSM in five lines, and say what a *threat model* is.
# *About 20 minutes, after 00; the cells run in SECONDS s on two CPU cores.*

# %%
import itertools

import torch
from sklearn.datasets import load_sample_image
from torch import nn
from torch.nn import functional as F

from utils import evaluation, plots, widgets
from utils.attacks import margin
from utils.claims import claim
from utils.data import load
from utils.models import logits
from utils.records import measured
from utils.usual import undefended

# %%
data = load()  # the digits; load("mnist") runs the same cells
torch.manual_seed(0)
model = undefended(data)  # fit(small_cnn(data), data.train); on photographs a larger network, for longer
clean = evaluation.accuracy(model, data.test)
measured("right on test images", clean)

# %% [markdown]
# That is the number people quote: right answers out of all, and behind it the 95 % interval.
# The interval is part of the result.
# From a few hundred images nobody can tell 97 % from 98 %.
#
# ## The threat model
#
# | | in this lesson |
# |---|---|
# | **who** | someone who may send the model one image |
# | **knows** | the model and its weights (*white box*) |
# | **may change** | each pixel by at most $\varepsilon$, on a scale from 0 to 1 |
# | **wins when** | the predicted class is wrong |

# %% [markdown]
# The third row is a ball: all images $x'$ with $\lVert x' - x \rVert_\infty \le \varepsilon$,
# where $\lVert\cdot\rVert_\infty$ is the largest change of any pixel.
# Change a row of the table and you change the question, and maybe the answer.
#
# Each data set comes with its $\varepsilon$. For MNIST (0.3) and CIFAR-10 (8/255) it is the field's custom;
# 0.15 for the small digits is this course's own choice. Is that a *small* change? See for yourself:

# %%
print(f"{data.name}: eps = {data.eps:.3g}; {len(data.test.y)} test images")
photo = torch.tensor(load_sample_image("flower.jpg")).movedim(2, 0)[None] / 255  # comes with scikit-learn
photo = F.avg_pool2d(photo[..., :420, 150:570], 5)  # (1, 3, 84, 84)
torch.manual_seed(0)
shown = {}
for name, image in {"a test image": data.test.x[:1].cpu(), "a photograph": photo}.items():
    signs = torch.randint(0, 2, image.shape) * 2 - 1
    shown[name] = torch.cat([(image + eps * signs).clamp(0, 1) for eps in (0, 8 / 255, data.eps)])
plots.gallery(shown, {"a test image": ["as it is", "8/255", f"{data.eps:.3g}"]}, photos=False, largest=1.2)

# %% [markdown]
# Each pixel moved by $\varepsilon$, up or down by chance.
# At 8/255 you must look twice. At the larger budgets of digits everyone sees the change, and still reads the digit.
# So "too small to be seen" is no part of our threat model: *the right answer stays the same* is.

# %%
guess = widgets.ask("What accuracy is left after one gradient step?")
guess

# %% [markdown]
# ## The idea
#
# Training moves the weights *down* the loss $\ell$.
# An attacker cannot touch the weights of $f$,
# but the same backward pass also gives the gradient with respect to the *input*.
# Inside the box $\pm\varepsilon$ a linear function is largest at a corner,
# and the sign of the gradient says at which one:
#
# $$x' = x + \varepsilon \cdot \operatorname{sign}\left(\nabla_x\, \ell(f(x), y)\right)$$


# %%
def fgsm(model, x, y, *, eps):
    """One signed gradient step of size eps, kept inside [0, 1]. Goodfellow et al. 2015, section 4."""
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(model(x), y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return (x + eps * gradient.sign()).clamp(0, 1).detach()


# %% [markdown]
# `reduction="sum"` keeps the images apart: each gets its own gradient, however large the batch is.
# The clamp matters as much as the sign: a pixel of 1.1 is no image, and any input check would reject it.
#
# ## Is it right?
#
# On a *linear* model the formula promises the best corner of the box.
# With eight pixels there are 256 corners, few enough to try them all.

# %%
torch.manual_seed(0)
linear = nn.Linear(8, 2)
point, label = torch.full((1, 8), 0.5), torch.tensor([0])

corners = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=8)))  # (256, 8)
losses = F.cross_entropy(linear(point + 0.1 * corners), label.expand(256), reduction="none")
found = F.cross_entropy(linear(fgsm(linear, point, label, eps=0.1)), label)
print("FGSM finds the worst corner:", torch.isclose(found, losses.max()).item())

# %% [markdown]
# Out of 256 corners, one backward pass names the worst.
# A network is not linear. The next cells show how much that helps it.
#
# ## The attack

# %%
x, y = sample = data.test.take(1000)  # if there are so many
x_adv = fgsm(model, x, y, eps=data.eps)
plots.triptych(x, x_adv, model, y=y)

# %% [markdown]
# From left to right: the image, the change (orange adds, blue removes), and what the model receives.
# Beside the images stands what it reads, and with what confidence.
# A person still reads what was there before.
# The change looks like no class at all: it has no meaning to us, and much to the model.

# %%
attacked = evaluation.accuracy(model, (x_adv, y))
measured("left after one step", attacked)

# %%
guess.reveal(attacked)

# %% [markdown]
# Most answers were right before and are wrong now, for the price of one backward pass.
#
# Maybe any change of this size would do? The control is a change as large, with random signs.

# %%
torch.manual_seed(0)
signs = torch.randint(0, 2, x.shape, device=x.device) * 2 - 1
random = evaluation.accuracy(model, ((x + data.eps * signs).clamp(0, 1), y))
plots.rates({"as they are": clean, "random signs": random, "signs of the gradient": attacked})

# %% [markdown]
# Noise of the same size costs the model little.
# So the *size* of the change does not explain the fall, its *direction* does.
# A test set with noise added would have told us nothing.
# (The first bar counts all test images, the other two at most 1,000 of them: *n* stands behind each.)
#
# ## How large must the change be?

# %%
sweep = evaluation.sweep(model, fgsm, sample, eps=torch.linspace(0, 2 * data.eps, 13))
plots.accuracy_curve(sweep, mark=data.eps)

# %% [markdown]
# Accuracy falls steeply below the budget of our threat model, where everyone still reads the image.
# The band is the 95 % interval.
# A single number at a single $\varepsilon$ hides this curve: read results that give only one with care.
#
# ## Why one step is enough

# %%
plots.line_of_loss(model, x, y, eps=data.eps)

# %% [markdown]
# Each colour is one image on its way to its FGSM point.
# The height is the *margin*: the best wrong logit minus the right one; above 0 the answer is wrong.
# Dashed is what the gradient at the start foretells, solid what happens.
# Most pairs run close together for much of the way: between the kinks of its ReLUs the network *is* linear.


# %% [markdown]
# In a linear model with weights $w$ the step moves the output by $\varepsilon \lVert w \rVert_1$:
# a *sum* over pixels.
# Each pixel adds its small share, and an image has many.
# So a change that is small in every pixel can be large in sum.
# (Goodfellow et al. call this the linear explanation.)
# If it is a sum, then half of the pixels should do half of the work. The work is the rise of the margin;
# accuracy would only count who has crossed 0.

# %%
torch.manual_seed(0)
start = margin(logits(model, x), y)
whole = (margin(logits(model, x_adv), y) - start).mean()
done = {}
for share in (0.1, 0.25, 0.5, 0.75, 1.0):
    x_partly = torch.where(torch.rand_like(x) < share, x_adv, x)  # the others stay as they were
    done[share] = ((margin(logits(model, x_partly), y) - start).mean() / whole).item()
sums = {"measured": done, "if it were a sum": {share: share for share in done}}
plots.curves(sums, x="share of the pixels that are changed", y="share of the margin's rise")

# %% [markdown]
# On the small digits the mean margin rises much as a sum would: each pixel brings its share, nearly whichever others
# take part. (On larger images the first pixels bring more than their share.)
#
# ## Choosing the answer
#
# So far any wrong class counted. A *targeted* attacker wants one class $t$:
# a stop sign read as a speed limit, not as just anything.
# The same step, *down* the loss of the wanted label:
#
# $$x' = x - \varepsilon \cdot \operatorname{sign}\left(\nabla_x\, \ell(f(x), t)\right)$$


# %%
def fgsm_targeted(model, x, target, *, eps):
    """One signed step towards a class that the attacker wants."""
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(model(x), target, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return (x - eps * gradient.sign()).clamp(0, 1).detach()  # new: minus


# %%
target = (y + 1) % len(data.classes)  # 0 should be read as 1, 1 as 2, ... 9 as 0
x_target = fgsm_targeted(model, x, target, eps=data.eps)
plots.triptych(x, x_target, model, y=y, target=target)

# %%
plots.rates(
    {
        "target read, no attack": evaluation.accuracy(model, (x, target)),
        "target read, untargeted": evaluation.accuracy(model, (x_adv, target)),
        "target read, targeted": evaluation.accuracy(model, (x_target, target)),
    },
    x="images read as the target",
)

# %% [markdown]
# To get *the* wrong answer is harder than to get *a* wrong answer,
# and one step often falls short of it or beyond it.
# The next lesson takes many small steps instead of one large step.
#
# ## Play

# %%
widgets.AttackExplorer(model, data, attacks={"FGSM": fgsm}, sample=1000)  # all test images, if there are no more

# %% [markdown]
# **Try.** Find an image that survives at the budget that you start with.
# What do its logits have that the others' lack?
# Then raise $\varepsilon$ until it falls, and ask yourself whether you would still read it.
#
# ## Verdict
#
# A rule for every verdict of the course: what attacks do to a model that has learned little says nothing.
# A claim is settled only if the `undefended` model is right, without any attack, on clearly more than two images
# in three. Else it stays *open*: train longer, or take a larger network.

# %%
claim(
    "High test accuracy means that a model is safe to ship",
    holds=not attacked.clearly_below(clean),
    because=f"right on {clean}; after one gradient step of {data.eps:.3g}, on {attacked}",
    undefended=clean,
)

# %% [markdown]
# **To take to work.** Report accuracy *under a stated threat model*, or say that there is none.
# The attack costs one forward and one backward pass, so no project is too small to run it.
#
# **What this does not show:** that a model which survives FGSM is robust.
# That claim is next, and it does not live long.
#
# ## The same in `utils`
#
# From here on we import FGSM. The shared one checks its input and leaves the model as it was.

# %%
from utils import attacks

same = torch.equal(attacks.fgsm(model, x, y, eps=data.eps), x_adv)
same_target = torch.equal(attacks.fgsm(model, x, y, eps=data.eps, target=target), x_target)
print(same, same_target)

# %% [markdown]
# ## Further
#
# - Goodfellow, Shlens, Szegedy 2015, [arXiv:1412.6572](https://arxiv.org/abs/1412.6572).
#   FGSM at 0.25 on MNIST: error 99.9 % for a shallow softmax classifier, 89.4 % for a maxout network.
# - Szegedy et al. 2014, [arXiv:1312.6199](https://arxiv.org/abs/1312.6199). The discovery, with a slower attack.
# - Biggio et al. 2013, [arXiv:1708.06131](https://arxiv.org/abs/1708.06131). Gradient attacks on SVMs and
#   shallow networks, a year earlier.
#
# Practise: [lab 01](../labs/01_one_gradient_step.ipynb).
# Next: [02 · Stronger attackers](02_stronger_attackers.ipynb)
