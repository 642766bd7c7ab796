# %% [markdown]
# # 00 · Start here
#
# > *"Which defense should I pick?"*
#
# Popular pages answer with a list: adversarial training, gradient masking, defensive distillation,
# randomized smoothing, differential privacy, model monitoring.
# They rank it by what is often recommended, and that is a measure of fame.
# Of nine defenses published at one conference in 2018, seven worked by hiding gradients;
# [six of these fell wholly, one in part](https://arxiv.org/abs/1802.00420), in the same year.
#
# **This course lets you find out.** You build each defense, attack it as hard as you can, and measure what is left.
# *About 10 minutes; the cells run in SECONDS s on two CPU cores.*

# %% [markdown]
# ## Is this machine ready?

# %%
from utils import environment

environment.check_environment()

# %% [markdown]
# Every lesson runs on a laptop's processor in seconds.
# A GPU is used if there is one, and lets you put larger data into the same cells.
#
# ## Why popularity can't answer
#
# Here is a defense in two lines. It rounds each pixel to one of five grey levels.
# Small changes vanish in the rounding, and so does the gradient that attacks follow.

# %%
import torch
from torch import nn

from utils import attacks, evaluation, plots, widgets
from utils.data import load
from utils.models import small_cnn
from utils.records import measured
from utils.training import fit

data = load()  # the digits, 8 x 8 pixels; load("mnist") runs the same cells
torch.manual_seed(0)
model = fit(small_cnn(data), data.train)


# %%
class FiveLevels(nn.Module):
    """Round each pixel to 0, 1/4, 1/2, 3/4 or 1."""

    def forward(self, x):
        return (4 * x).round() / 4


defended = nn.Sequential(FiveLevels(), model)

# %% [markdown]
# Now a standard attack, PGD (you build it in lesson 02), on both models.
# It may change each pixel by at most `eps`, on a scale from 0 to 1.

# %%
print(f"{data.name}: eps = {data.eps:.3g}")
x, y = data.test.take(200)
before = evaluation.robust_accuracy(model, (x, y), attacks.pgd, eps=data.eps)
after = evaluation.robust_accuracy(defended, (x, y), attacks.pgd, eps=data.eps)
clean = evaluation.accuracy(model, (x, y))
plots.rates({"undefended, no attack": clean, "undefended, PGD": before, "defended, PGD": after})

# %% [markdown]
# Numbers like these have been printed many times, with the sentence *"our defense restores the accuracy"*.
# Would you ship it?
#
# Before you go on, commit yourself.
# The next attack, Square, is not allowed gradients at all. It only asks the model for its scores.

# %%
guess = widgets.ask("What accuracy will be left to the defended model?")
guess

# %%
x_square = attacks.square(defended, x, y, eps=data.eps)
left = evaluation.accuracy(defended, (x_square, y))
guess.reveal(left)

# %%
without = evaluation.robust_accuracy(model, (x, y), attacks.square, eps=data.eps)
plots.rates(
    {"undefended, PGD": before, "defended, PGD": after, "undefended, Square": without, "defended, Square": left}
)

# %% [markdown]
# Read the bars in pairs. Under PGD the rounding seems to save the model.
# Under Square, the same attack for both, it saves nothing.
# The rounding had not stopped the *attack*. It had stopped the *measurement*: PGD had lost its compass.
#
# It can even do harm. A pixel halfway between two levels needs a small push to jump a whole level:

# %%
rounded = FiveLevels()
measured("a pixel was changed by up to", (x_square - x).abs().max())
measured("after the rounding, by up to", (rounded(x_square) - rounded(x)).abs().max())
measured("clearly less is left with the rounding than without", left.clearly_below(without))

# %% [markdown]
# To hide the gradient and leave the weakness is called **gradient masking**. Lessons 04 and 05 are about it.
#
# That is why the question is never "what do people use?", but:
# *what is left, against whom, at which price?*

# %% [markdown]
# ## How a lesson works
#
# 1. **Claim.** What people say, and the question that would settle it.
# 2. **Predict.** You commit to a number before you see one.
# 3. **Build** the attack or defense, in small cells of plain PyTorch.
# 4. **Measure** it, with the strongest attack built so far.
# 5. **Play**, in most lessons, with a widget that drives the real model.
# 6. **Verdict**, computed from what was measured.
#
# Then the lesson's function moves to `utils`, from where later lessons import it.
#
# What comes between a question and its answer is folded until you lock your prediction, or ask to see it without one.
# After a restart of the kernel, the names of earlier cells are gone: *Run All Above Selected Cell*, in the menu *Run*,
# brings them back. A dot in the tab of a lesson says that it is not saved: JupyterLab shows it as soon as a kernel has
# started, for it notes in the lesson which Python that is.
#
# From 01 on, a lesson ends with a link to its lab, to practise in.
# The [field guide](field_guide.html) explains the course's terms.

# %% [markdown]
# Four habits make the numbers worth something:
#
# - `left → 236/397 = 59 % [55, 64]` is how a rate is printed: after the arrow stands what *this run* measured,
#   as count, share, and 95 % interval (Wilson's): where the share of *all* such images may lie.
# - One rate is *clearly* above another if the 95 % interval of their difference (Newcombe's) leaves out 0.
#   This is a finer test than looking whether the two intervals overlap: they may, and the difference still be clear.
# - Neither knows of other *trainings*. The same recipe, trained again from another seed, gives another model.
#   Where recipes are compared, each is trained several times: `80, 96, 109 of 397 = 24 % [15, 33]` are the counts of
#   three trainings, their mean, and its 95 % interval (Student's t); two such means are compared by Welch's test.
#   These, in turn, don't know of other *images*: a narrow interval of three trainings says that trainings agree on
#   these images, not that as large a share of others would be left.
# - Images have pixels between 0 and 1, and so `eps` means the same everywhere.
# - Every random cell starts with its seed: you should see what we saw, up to an image or two.
#   What we saw stands in `notebooks/results`, a record for each lesson.

# %% [markdown]
# **Other data.** `load("mnist")`, `load("fashion")` and `load("cifar10")` download once.
# Set the environment variable `COURSE_DATASET=mnist` to run whole lessons on it,
# and `COURSE_DATA` to a folder of `NAME.npz` files to work offline.

# %% [markdown]
# ## The lessons
#
# You need the basics of PyTorch: tensors, a network, a training loop. *After* says what each builds on;
# the times are of a server's processor, without a GPU.
#
# <!-- lessons -->

# %% [markdown]
# ## The ledger
#
# These are the claims that the course puts to the test.
# All are open until you run the lesson that settles them; come back and run this cell again.

# %%
from utils.claims import ledger

ledger()

# %% [markdown]
# Next: [01 · One gradient step](01_one_gradient_step.ipynb)
