# %% [markdown]
# # Lab 07 · Randomized smoothing
#
# Five exercises, 10 points, about 75 minutes after [lesson 07](../notebooks/07_randomized_smoothing.ipynb).
#
# Write your answer where a cell says `write me`, and run the check below it.
# A check tells you what is missing, but it does not see everything:
# **hidden checks with other data decide the grade.**
# Keep the names of the functions, and let each take all that it uses as arguments.
# Own cells, prints and pictures do no harm. `utils.smoothing` is not an answer.

# %%
import math

import numpy as np
import torch
from scipy import special, stats
from torch import nn

from utils import expect, plots
from utils.data import load
from utils.evaluation import accuracy
from utils.models import mlp, predict
from utils.training import fit

# %%
seed = 0  # the grader draws its data from another seed, which is yours alone
data = load("digits")
x, y = data.test
torch.manual_seed(0)
model = fit(mlp(data, width=64), data.train, updates=200)

# %%
accuracy(model, data.test)

# %% [markdown]
# ## 1 · Votes (2 points)
#
# A smoothed classifier asks the model about noisy copies, and counts.
# For each image of `x` (N, ...), draw `n` copies with Gaussian noise of standard deviation `sigma`,
# as they are, also outside [0, 1].
# Return how often each of the `classes` classes was predicted: integers, (N, classes), each row with the sum `n`.
#
# <details><summary>Hint 1</summary>Each copy has one vote, however sure the model is of it.</details>
# <details><summary>Hint 2</summary>A loop over <code>n</code>, all images at once,
# and <code>torch.zeros(len(x), classes)</code> to add to.</details>
# <details><summary>Hint 3</summary><code>F.one_hot(prediction, classes)</code> is one vote for each image.</details>


# %%
def votes(model, x, *, sigma, n, classes):
    """How often each class wins on n noisy copies of each image, (N, classes) int64."""
    ### BEGIN SOLUTION
    counts = torch.zeros(len(x), classes, dtype=torch.int64)
    for _ in range(n):
        with torch.no_grad():
            winner = model(x + sigma * torch.randn_like(x)).argmax(1)
        counts += nn.functional.one_hot(winner, classes)
    return counts
    ### END SOLUTION


# %%
# CHECK votes, 2 points
counts = expect.leaves_arguments(votes, model, x[:5], sigma=0.25, n=40, classes=10)
counts = expect.tensor(counts, like=torch.zeros(5, 10), what="votes")
expect.that((counts == counts.round()).all() and (counts >= 0).all(), "votes are whole numbers", got=counts[0])
expect.that(
    (counts.sum(1) == 40).all(),
    "each of the n copies of an image has one vote",
    expected="rows with the sum 40",
    got=counts.sum(1),
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
line = nn.Linear(1, 2)  # class 1 where x + noise > 0.3
line.weight.data, line.bias.data = torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, -0.3])
points = torch.tensor([[0.3], [0.5], [0.05], [0.95], [0.3]])
for sigma in (0.1, 0.5):
    counts = expect.tensor(votes(line, points, sigma=sigma, n=2000, classes=2), like=torch.zeros(5, 2), what="votes")
    share = torch.tensor(special.ndtr((points[:, 0].numpy() - 0.3) / sigma), dtype=torch.float32)
    expect.that((counts.sum(1) == 2000).all(), "each of the n copies of an image has one vote", got=counts.sum(1))
    expect.that(
        (counts[:, 1] / 2000 - share).abs().max() < 0.06,
        "another noise: Gaussian, of standard deviation sigma, not clamped, new for each copy; one vote a copy",
        expected=f"about {2000 * share} votes for class 1 at sigma = {sigma}",
        got=counts[:, 1],
    )
    same = points[:1].expand(60, 1)
    counts = expect.tensor(votes(line, same, sigma=sigma, n=20, classes=2), like=torch.zeros(60, 2), what="votes")
    expect.that(
        counts[:, 1].std() > 0.8, "all images of a batch get the same noise: draw it for each", got=counts[:, 1]
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · A bound on a share (2 points)
#
# Of `n` votes `k` were for a class. What is its share, *at least*?
# Return the one-sided lower bound of Clopper and Pearson, which is too high
# with probability at most `failure_prob`: a number in [0, 1], and 0 for `k = 0`.
#
# <details><summary>Hint 1</summary>It is the share at which <code>k</code> or more votes
# have the probability <code>failure_prob</code>.</details>
# <details><summary>Hint 2</summary>That is a quantile of a beta distribution: <code>stats.beta.ppf</code>.</details>
# <details><summary>Hint 3</summary>Its parameters are <code>k</code> and <code>n - k + 1</code>.
# All of <code>failure_prob</code> goes to one side.</details>


# %%
def lower_bound(k, n, *, failure_prob):
    """The one-sided lower bound of Clopper and Pearson for k of n, in [0, 1]."""
    ### BEGIN SOLUTION
    return float(stats.beta.ppf(failure_prob, k, n - k + 1)) if k > 0 else 0.0
    ### END SOLUTION


# %%
# CHECK lower_bound, 2 points
found = expect.number(lower_bound(90, 100, failure_prob=0.01))
expect.that(
    0 <= found < 0.9, "a lower bound lies below the share that was seen", expected="a number in [0, 0.9)", got=found
)
expect.that(
    expect.number(lower_bound(0, 10, failure_prob=0.01)) == 0, "without a vote the bound is 0", expected="0 for k = 0"
)
### BEGIN HIDDEN TESTS
for k, n, failure_prob in (
    (1, 1, 0.05),
    (10, 10, 0.001),
    (990, 1000, 0.001),
    (60, 100, 0.05),
    (1, 50, 0.1),
    (7, 9, 0.3),
):
    found = expect.number(lower_bound(k, n, failure_prob=failure_prob))
    expect.that(0 <= found < k / n, "a lower bound lies below the share that was seen", got=found)
    tail = float(special.bdtrc(k - 1, n, found))  # the probability of k or more
    expect.that(
        tail <= failure_prob * 1.01,
        "the bound is too high too often",
        expected=f"with this share, {k} or more of {n} have probability {failure_prob}",
        got=f"{tail:.3g}",
    )
    expect.that(
        tail >= failure_prob * 0.99,
        "the bound is lower than it need be: is all of failure_prob on one side?",
        expected=f"with this share, {k} or more of {n} have probability {failure_prob}",
        got=f"{tail:.3g}",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · The certificate (3 points)
#
# `chosen` (classes,) are the votes of a first, small sample, `counts` (classes,) those of a second one.
# The **first** says which class; the **second** says how sure that is.
# Return `(label, radius)`: the class and `sigma * Phi^-1(p)`, where `p` is the lower bound of its share.
# If `p` is not above 1/2, abstain: `(-1, 0.0)`.
#
# <details><summary>Hint 1</summary>Choosing and measuring on the same votes favours lucky classes.</details>
# <details><summary>Hint 2</summary>The label is <code>chosen.argmax()</code>,
# even if another class leads in <code>counts</code>.</details>
# <details><summary>Hint 3</summary><code>special.ndtri</code> is Phi^-1.</details>


# %%
def certificate(chosen, counts, *, sigma, failure_prob):
    """A label that is certain within a radius, or (-1, 0.0)."""
    ### BEGIN SOLUTION
    label = int(chosen.argmax())
    p = lower_bound(int(counts[label]), int(counts.sum()), failure_prob=failure_prob)
    return (label, float(sigma * special.ndtri(p))) if p > 0.5 else (-1, 0.0)
    ### END SOLUTION


# %%
# CHECK certificate, 2 points
label, radius = expect.parts(
    certificate(torch.tensor([1, 9]), torch.tensor([20, 980]), sigma=0.25, failure_prob=0.001), 2, "(label, radius)"
)
expect.that(expect.number(label) == 1, "another class: which one leads in the first sample?", expected="1", got=label)
expect.that(0 < expect.number(radius) < 0.52, "no possible radius", expected="between 0 and 0.52", got=radius)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
for sigma, failure_prob, n in ((0.25, 0.001, 1000), (1.0, 0.05, 200), (0.5, 0.001, 5000)):
    k = int(n * (0.8 + 0.19 * torch.rand(1).item()))
    other = torch.tensor([0, n - k, k])
    bound = float(stats.beta.ppf(failure_prob, k, n - k + 1))
    label, radius = expect.parts(
        certificate(torch.tensor([3, 2, 5]), other, sigma=sigma, failure_prob=failure_prob), 2, "(label, radius)"
    )
    expect.that(expect.number(label) == 2, "another class: which one leads in the first sample?", got=label)
    expect.that(
        abs(expect.number(radius) - sigma * special.ndtri(bound)) < 1e-3 * sigma,
        "another radius: from the lower bound of the class's share in the second sample, of all its votes, times sigma",
        expected=f"{sigma * special.ndtri(bound):.4f}",
        got=radius,
    )
label, _ = expect.parts(
    certificate(torch.tensor([9, 1]), torch.tensor([550, 450]), sigma=0.5, failure_prob=0.05), 2, "(label, radius)"
)
expect.that(expect.number(label) == 0, "it abstains although the bound is above 1/2", expected="0", got=label)
### END HIDDEN TESTS

# %%
# CHECK abstention, 1 point
label, radius = expect.parts(
    certificate(torch.tensor([9, 1]), torch.tensor([500, 500]), sigma=0.25, failure_prob=0.001), 2, "(label, radius)"
)
expect.that(
    expect.number(label) == -1 and expect.number(radius) == 0,
    "half of the votes are no majority: abstain",
    expected="(-1, 0.0)",
    got=(label, radius),
)
### BEGIN HIDDEN TESTS
for first, second, why in (
    ([6, 4], [520, 480], "52 of 100 votes are not enough to be sure of a majority"),
    (
        [5, 1, 4],
        [100, 300, 600],
        "the class of the first sample has no majority in the second: another one must not win",
    ),
    ([4, 3, 3], [450, 300, 250], "most votes are not a majority: the bound must be above 1/2"),
    ([1, 0], [0, 1000], "the class of the first sample has no vote in the second"),
):
    label, radius = expect.parts(
        certificate(torch.tensor(first), torch.tensor(second), sigma=0.25, failure_prob=0.001), 2, "(label, radius)"
    )
    expect.that(
        expect.number(label) == -1 and expect.number(radius) == 0, why, expected="(-1, 0.0)", got=(label, radius)
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Five statements (1 point)
#
# Answer with one word: `"right"`, `"attack"` (says what an attack found, not what is proved),
# `"ball"` (the certificate is of another ball), `"same"` (the votes that chose the class also measured it),
# `"noise"` (the model was never meant for this noise).
#
# - **A** "97 % of our images have an L2 radius of 0.5. So nobody can change an answer by moving each pixel by 0.4."
# - **B** "PGD finds no mistake within 0.5. So the certified accuracy at 0.5 is 100 %."
# - **C** "1,000 votes: 612 for 'cat'. The bound for 612 of 1,000 is above 1/2, and so 'cat' is certain."
# - **D** "With failure probability 0.001 for each image, about one certificate in a thousand may be wrong, or fewer."
# - **E** "Our usual model, smoothed with sigma 1, abstains on nearly every image. So smoothing is useless."

# %%
statements = {}
### BEGIN SOLUTION statements = {"A": "", "B": "", "C": "", "D": "", "E": ""}  # write me
statements = {"A": "ball", "B": "attack", "C": "same", "D": "right", "E": "noise"}
### END SOLUTION

# %%
# CHECK statements, 1 point
words = ("right", "attack", "ball", "same", "noise")
expect.that(
    isinstance(statements, dict)
    and set(statements) == set("ABCDE")
    and all(word in words for word in statements.values()),
    "statements needs one of the five words for each of A to E",
    expected=f"one of {', '.join(words)}",
    got=statements,
)
### BEGIN HIDDEN TESTS
questions = {
    "A": "how long is a change of 0.4 in each of 64 pixels?",
    "B": "who says that a stronger attack finds none?",
    "C": "how was 'cat' chosen?",
    "D": "what does a failure probability promise?",
    "E": "what did the model see in training?",
}
for letter, word in {"A": "ball", "B": "attack", "C": "same", "D": "right", "E": "noise"}.items():
    expect.that(statements[letter] == word, f"statement {letter}: {questions[letter]}", got=statements[letter])
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · A denoiser (2 points, open)
#
# A usual model reads noisy images badly, and so smooths badly.
# Put something before it: from noisy images `x` (N, 1, 8, 8), clean training images `x_train` and the noise's
# `sigma`, make images that the model reads better. With noise of 0.4 it should be right on at least **82 %**.
# It has 20 seconds for 400 images. The labels are not given, and the model is not asked.

# %%
torch.manual_seed(0)
noisy = x + 0.4 * torch.randn_like(x)

# %%
plots.rates({"clean": accuracy(model, (x, y)), "noise of 0.4": accuracy(model, (noisy, y))})

# %% [markdown]
# <details><summary>Hint 1</summary>You know what digits look like: here are 1,400 of them.</details>
# <details><summary>Hint 2</summary>Which training images could have become this one by noise?</details>
# <details><summary>Hint 3</summary>Average the training images with weights
# <code>exp(-distance² / (2 sigma²))</code>.</details>


# %%
def denoise(x, x_train, *, sigma):
    """Images like x with less noise, from clean images like it."""
    ### BEGIN SOLUTION
    distance = torch.cdist(x.flatten(1), x_train.flatten(1))
    weights = (-(distance**2) / (2 * sigma**2)).softmax(1)
    return (weights @ x_train.flatten(1)).view_as(x)
    ### END SOLUTION


# %%
# CHECK denoise, 2 points
cleaned = expect.leaves_arguments(denoise, noisy, data.train.x, sigma=0.4)
left = accuracy(model, (expect.tensor(cleaned, like=x), y))
expect.that(
    left.k >= 0.82 * left.n,
    "the model still reads too many of them wrong",
    expected=f"at least {math.ceil(0.82 * left.n)} of {left.n} right",
    got=f"{left.k} right",
)
### BEGIN HIDDEN TESTS
torch.manual_seed(seed)
again = x + 0.4 * torch.randn_like(x)
left = accuracy(model, (expect.tensor(denoise(again, data.train.x, sigma=0.4), like=x), y))
expect.that(
    left.k >= 0.8 * left.n,
    "the model reads too many of them wrong when the noise is drawn anew",
    expected=f"at least {math.ceil(0.8 * left.n)} of {left.n} right",
    got=f"{left.k} right",
)
few = expect.tensor(denoise(x[:20], data.train.x, sigma=0.01), like=x[:20])
expect.that(
    (predict(model, few) == y[:20]).sum() >= 17,
    "with hardly any noise it spoils the images: does it use sigma?",
    expected="at least 17 of 20 right at sigma = 0.01",
    got=f"{int((predict(model, few) == y[:20]).sum())} right",
)
### END HIDDEN TESTS
