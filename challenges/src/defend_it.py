# %% [markdown]
# # Challenge · Defend it
#
# **Hand in a network that is right where others are attacked.** Your file holds weights, and no code of yours is run.
#
# The rules:
#
# - The network is what `small_cnn(data)` or `mlp(data)` of `utils.models` makes, in float32: no other width.
#   The wrapper is one of those listed below.
# - 200 images that nobody has seen: digits, a little turned and moved. The attacker may change each pixel by 0.15.
# - Three figures are taken: the clean accuracy, what the **worst case** over all attacks of the course leaves,
#   and what the **adaptive attack** of the check-up
#   ([lesson 05b](../notebooks/05b_the_check_up.ipynb)) leaves.
#   The lower of the last two is your score, and the check-up's flags, the signs of a mask, are shown on the board.
#
# So a wrapper that hides gradients is measured by attacks that do not follow them.

# %%
import torch
from safetensors.torch import save_file

from utils.adversarial import attacked, trades
from utils.data import load
from utils.models import mlp, small_cnn
from utils.training import fit

data = load("digits")

# %%
from grader.challenges.networks import WRAPPERS

print(*WRAPPERS, sep=", ")

# %% [markdown]
# ## Your defense

# %%
torch.manual_seed(0)
model = fit(small_cnn(data), data.train)  # how else could it learn?

about = {"network": "small_cnn", "wrapper": "none"}
save_file({name: value.cpu().contiguous() for name, value in model.state_dict().items()}, "defense.safetensors", about)

# %% [markdown]
# ## Rehearse
#
# The judge, on images of another seed than your course is judged with.

# %%
from grader.challenges.rehearse import rehearse

rehearse("defend_it", "defense.safetensors")

# %% [markdown]
# What do you pay in clean accuracy for what is left under attack? What does the check-up say of each wrapper?
#
# Hand in `defense.safetensors`, under a name with your team in it or in your team's folder.
