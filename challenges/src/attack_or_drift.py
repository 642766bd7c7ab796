# %% [markdown]
# # Challenge · Attack or drift?
#
# Streams of four signals of a monitor, as in [lesson 13](../notebooks/13_security_against_monitoring.ipynb):
# how unusual ink, roughness and confidence are (0 to 1), and the mistakes (0 or 1). In most of them something begins
# at a time that you do not know, and a share of the arrivals belongs to it. **Say when, and what.**
#
# The rules:
#
# - `attack_or_drift(calm, examples, streams)` gets `calm` (100, 4, 400), streams without any incident;
#   `examples` {name: (20, 4, 400)}, in which incidents of that name begin at time 200; and `streams` (n, 4, 400).
#   It returns the times of the alarms, −1 where there is none, and a name for each stream, `""` where there is none.
# - A stream is judged right if it is calm and has no alarm, or if its alarm comes within 60 arrivals of the beginning,
#   not before it, and has the right name. The share of streams judged right is the score.
# - An alarm may depend on nothing that comes after it, and its name on nothing more than 50 arrivals after it.
#   The judge changes the future and asks again: who knew it **does not count**.
# - 10 seconds for your function. How unusual each incident is differs from one judging to another,
#   so learn it from `examples`.
# - Your function runs twice with the same seed, and **must return the same answer** both times.
#   torch, NumPy and `random` are seeded for you.
# - No clock, no files but your own, no network: an entry that reaches for these **does not count**.
#
# Cells that you leave in the notebook run before each judging: each has 10 seconds, and cells and calls together 90.

# %%
import torch

from utils.monitoring import cusum, e_detector, first_alarm

# %% [markdown]
# ## Your monitor


# %%
def attack_or_drift(calm, examples, streams):
    """The times of the alarms (n,), or -1, and n names, or ""."""
    mistakes = streams[:, 3].unfold(1, 20, 1).mean(2)  # (n, 381): of each 20 arrivals
    there = mistakes > 0.3
    times = torch.where(there.any(1), there.int().argmax(1) + 19, -1)
    return times, ["evasion" if time >= 0 else "" for time in times.tolist()]


# %% [markdown]
# ## Rehearse
#
# The judge, on streams of another seed than your course is judged with.

# %%
from grader.challenges.rehearse import rehearse

rehearse("attack_or_drift", attack_or_drift)

# %% [markdown]
# Which incident makes hardly any mistakes? In which signals do the others differ?
#
# Hand in this notebook. A team may hand in several; the best counts.
