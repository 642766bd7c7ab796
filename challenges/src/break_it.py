# %% [markdown]
# # Challenge · Break it
#
# Five models that you cannot see: one undefended, three behind masks
# ([lesson 04](../notebooks/04_building_masks.ipynb)), one trained on attacked images
# ([lesson 03](../notebooks/03_adversarial_training.ipynb)).
# **Write one attack that leaves as little of their accuracy as it can.** Lessons 02 and 05 are the tools.
#
# The rules:
#
# - `attack(model, x, y, eps=eps)` returns a tensor of images in the ball:
#   no pixel moves by more than `eps`, and all stay in [0, 1].
# - Your code does not get the model. `model(x)` asks it for logits, and autograd for gradients.
#   Each image of an answer is a query, and each image of a gradient is one. `model.left` says how many are left.
# - 60 images for each model, 300 queries for each image, and 5 seconds for your part of each attack.
#   The time in which the model answers is not yours.
# - Your function runs twice with the same seed, and **must return the same images** both times.
#   torch, NumPy and `random` are seeded for you.
# - No clock, no files but your own, no network. An entry that leaves the ball or reaches for these **does not count**.
#
# Cells that you leave in the notebook run before each judging: each has 10 seconds, and cells and calls together 90.

# %%
import torch

from utils.attacks import apgd, margin, pgd, square, transfer
from utils.data import load

# %% [markdown]
# ## Your attack


# %%
def attack(model, x, y, *, eps):
    """Images (N, 1, 8, 8) in the ball around x that the model gets wrong."""
    return pgd(model, x, y, eps=eps, steps=10)


# %% [markdown]
# ## Rehearse
#
# The judge, on models and images of another seed than your course is judged with.
# The first call trains them, which takes seconds.

# %%
from grader.challenges.rehearse import rehearse

rehearse("break_it", attack)

# %% [markdown]
# Which of the five does it not break, and why? Does a gradient lead anywhere there? What else may you ask?
#
# Hand in this notebook. A team may hand in several; the best counts.
