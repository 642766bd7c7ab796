# %% [markdown]
# # Challenge · Remember me
#
# A hidden model was trained on half of a pool of 1,400 digits. **Say which half.**
# [Lesson 08](../notebooks/08_what_leaks.ipynb) has the tools.
#
# The rules:
#
# - `accuse(model, x, y)` returns a tensor (N,), a score for each image of the pool:
#   the higher, the surer that it was trained on.
# - The threshold is then set so that at most 1 % of those who were *not* trained on are accused, by scores above it.
#   What counts is the share of the others who are found there: to be right often is not enough, be right when sure.
# - The model is one of `fit_many` with a hidden layer of 64 units after 600 updates.
#   15 % of the pool's labels were drawn anew, so some are wrong. The model was given these, and so are you.
# - `model(x)` asks for logits, and autograd for gradients: 20 queries for each image.
#   20 seconds for your part: enough to train shadows.
# - Your function runs twice with the same seed, and **must return the same scores** both times.
#   torch, NumPy and `random` are seeded for you.
# - No clock, no files but your own, no network: an entry that reaches for these **does not count**.
#
# Cells that you leave in the notebook run before each judging: each has 10 seconds, and cells and calls together 90.

# %%
import torch

from utils.leakage import fit_many, lira
from utils.leakage.membership import confidence

# %% [markdown]
# ## Your attack


# %%
def accuse(model, x, y):
    """How sure you are that each image was trained on, (N,)."""
    return confidence(model(x), y)


# %% [markdown]
# ## Rehearse
#
# The judge, on a pool and a model of another seed than your course is judged with.

# %%
from grader.challenges.rehearse import rehearse

rehearse("remember_me", accuse)

# %% [markdown]
# Which images does every network know, and which only one that has seen them?
#
# Hand in this notebook. A team may hand in several; the best counts.
