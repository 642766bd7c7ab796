# %% [markdown]
# # 06 · Defensive distillation
#
# > *"Distillation makes a deep network robust without a change of its architecture."* ·
# > *"It works best combined with other techniques."*
#
# A second network learns the softened answers of a first.
# Its authors saw the success of one attack on digits, which changes few pixels, fall from 96 % to under 1 %.
# This lesson rebuilds the defense, watches it win, and changes one word of the attack.
#
# **You will build** soft labels, teacher and student, and the attack that sees through them.
# *About 35 minutes, after 05; the cells run in SECONDS s on two CPU cores.*

# %%
import math
import time
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from utils import plots, widgets
from utils.adversarial import attacked
from utils.attacks import apgd_t, cross_entropy, fgsm, margin, pgd, square, transfer, worst_case
from utils.claims import claim
from utils.data import load
from utils.duel import Defense
from utils.evaluation import Rate, Trainings, accuracy
from utils.masking import Cooled, Quantize, StraightThrough
from utils.models import logits
from utils.records import measured
from utils.training import fit
from utils.usual import settings, untrained

# %%
data = load()  # the digits; load("mnist") runs the same cells
x, y = data.test.take(150)
rounds = max(125, len(data.train.y) // 75)  # updates: more data, more of them
short = settings(data, updates=rounds, epochs=2, lr=1e-2)  # on photographs: epochs, of a larger network
fit(untrained(data), data.train, updates=2)  # the first call sets things up; the next is timed
torch.manual_seed(0)
start, seconds = time.perf_counter(), {}  # of training
undefended = fit(untrained(data), data.train, **short)
seconds["undefended"] = time.perf_counter() - start
clean = accuracy(undefended, (x, y))
on_all = accuracy(undefended, data.test)  # for the verdicts: is it worth a defense?
measured("right on test images", clean)

# %% [markdown]
# ## The threat model
#
# | | in this lesson |
# |---|---|
# | **who** | someone who may send images |
# | **knows** | the model, its weights and how it was trained (*white box*) |
# | **may change** | each pixel by at most $\varepsilon$ |
# | **wins when** | the predicted class is wrong |
#
# "How it was trained" is the new part: the attacker has read the paper.

# %%
guess = widgets.ask("What accuracy does defensive distillation leave after the strongest attack?")
guess

# %% [markdown]
# ## The idea
#
# A label says "7" and no more. A network says "7, a little like a 1, not at all like an 8".
# A *temperature* $T$ brings that out: divide the logits $z$ by it before the softmax,
#
# $$p_k = \frac{e^{z_k / T}}{\sum_j e^{z_j / T}}$$
#
# and let a second network learn these soft labels.
# The hope is a smoother function, on which small changes do little.


# %%
def soften(logits, temperature):
    """Class probabilities at a temperature: 1 as usual, the higher the more alike."""
    return (logits / temperature).softmax(1)


answer = logits(undefended, x[:1])
for temperature in (1, 3, 10, 100):
    measured(f"T = {temperature}", [f"{100 * p:.0f} %" for p in soften(answer, temperature)[0]])

# %% [markdown]
# One image, one network, four temperatures: the classes 0 to 9 from left to right.
# The order of the classes never changes, only how much they differ.
#
# ## Teacher
#
# The defense trains *at* $T$ from the start. The layer that divides the logits is an old acquaintance:
# `Cooled`, the stand-in of lesson 05. Here it is put on for training
# and taken off afterwards. Divided by 100, logits must grow large before they count:
# so whatever is trained at $T = 100$ gets three times the learning rate, in as many updates.

# %%
T = 100  # as in the paper
faster = short | {"lr": 3e-2}
torch.manual_seed(0)
start = time.perf_counter()
teacher = untrained(data)
fit(Cooled(teacher, T), data.train, **faster)  # new: logits / T
seconds["distilled"] = time.perf_counter() - start
measured("the teacher, used at T = 1", accuracy(teacher, (x, y)))

# %% [markdown]
# ## Student
#
# Its loss is the cross-entropy with the teacher's probabilities $p$ in place of one label. Its own are $q$, and both
# are taken at $T$:
#
# $$\ell = -\sum_k p_k \log q_k$$


# %%
def soft_loss(logits, soft):
    """Mean cross-entropy of the model's answers with soft labels, both (N, classes)."""
    return -(soft * logits.log_softmax(1)).sum(1).mean()


# %%
def imitate(teacher, disturb=None):
    """A loss for `fit`: answer as the teacher answers, whatever the labels say."""

    def loss(model, x, y):
        with torch.no_grad():
            soft = soften(teacher(x), 1)
        return soft_loss(model(x if disturb is None else disturb(model, x, y)), soft)

    return loss


# %% [markdown]
# `disturb` waits for the second half of the lesson, where the student sees worse images than the teacher.
#
# ## Is it right?
#
# Two facts to hold the loss against. With one-hot labels it is the usual cross-entropy,
# and with any labels it is the divergence $\mathrm{KL}(p \,\Vert\, q)$ plus a constant, the entropy of $p$.

# %%
torch.manual_seed(0)
z, v = torch.randn(2, 6, 10, dtype=torch.float64)  # logits of a student and of its teacher
p, labels = soften(v, 4), v.argmax(1)
one_hot = F.one_hot(labels, 10).double()
divergence = F.kl_div(z.log_softmax(1), p, reduction="batchmean")
entropy = -(p * p.log()).sum(1).mean()
print("one-hot labels:", torch.isclose(soft_loss(z, one_hot), F.cross_entropy(z, labels)).item())
print("KL + entropy:  ", torch.isclose(soft_loss(z, p), divergence + entropy).item())

# %% [markdown]
# And the limit of Hinton et al.: for high $T$ the gradient of the loss, times $T^2$,
# becomes $(z - v) / K$ for logits $z, v$ of mean 0 and $K$ classes.
# A hot student matches *logits*.

# %%
z, v = z - z.mean(1, keepdim=True), v - v.mean(1, keepdim=True)
for temperature in (1, 10, 100, 1000):
    z = z.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(len(z) * soft_loss(z / temperature, soften(v, temperature)), z)
    error = (temperature**2 * gradient - (z - v) / 10).abs().max().item()
    measured(f"T = {temperature}, off by at most", f"{error:.0e}")

# %% [markdown]
# Each tenfold temperature brings the two about ten times nearer. The loss is right; now the student.


# %%
def distill(teacher, student, data, temperature, disturb=None, **how):
    """Train `student` on the teacher's answers, both at `temperature`. Papernot et al. 2016."""
    loss = imitate(Cooled(teacher, temperature), disturb)
    fit(Cooled(student, temperature), data.train, loss=loss, **how)
    return student


torch.manual_seed(0)
start = time.perf_counter()
distilled = distill(teacher, untrained(data), data, T, **faster)
seconds["distilled"] += time.perf_counter() - start  # and the teacher's
measured("the student, used at T = 1", accuracy(distilled, (x, y)))

# %% [markdown]
# The same architecture, and about the accuracy of its teacher.
#
# ## The attacks that it was made for

# %%
naive = {"FGSM": fgsm, "PGD, 20 steps": partial(pgd, steps=20)}
looks = {}
for name, attack in naive.items():
    for kind, model in {"undefended": undefended, "distilled": distilled}.items():
        looks[f"{name}: {kind}"] = accuracy(model, (attack(model, x, y, eps=data.eps), y))
plots.rates(looks)

# %% [markdown]
# Such a picture made the defense famous: attacks that broke the undefended network
# hardly touch the distilled one, which costs nothing extra at run time.
# (Its authors measured JSMA, which changes a few pixels by much; these change all by a little.)
# Lesson 04 taught us to ask what the attacks had to work with.
#
# ## What the attacker sees


# %%
def asleep(model, x, y):
    """Which images have a cross-entropy whose gradient is exactly 0, (N,)."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(model(x), y).sum(), x)
    return (gradient == 0).flatten(1).all(1)


def share(which):
    return Rate(int(which.sum()), len(which))


models = {"undefended": undefended, "distilled": distilled}
plots.rates({name: share(asleep(m, x, y)) for name, m in models.items()}, x="gradient exactly 0")

# %% [markdown]
# Not small: *zero*, in every pixel. An attack that follows the gradient has nothing to follow.
# Where did the gradient go? Look at the logits: how far does the first class lead the second?


# %%
def lead(model, x):
    """By how much the highest logit leads the next, (N,)."""
    top = logits(model, x).topk(2).values
    return top[:, 0] - top[:, 1]


leads = {name: lead(model, x) for name, model in models.items()}
places = [3 * 10 ** (i / 4) for i in range(12)]
below = {name: {at: share(found < at) for at in places} for name, found in leads.items()}
edge = 150 * math.log(2)  # exp of minus this is below every float32
plots.lines(below, x="lead, in logits", y="images with less", log=True, mark=edge, mark_label="\ngradient = 0")

# %% [markdown]
# In training the student led by as much as any network does, *after* division by $T$.
# Take the division away, and every lead is $T$ times larger.
# From a lead of about 17 on, a float32 holds the softmax for 1 and the loss for 0, but the gradient is only small.
# Right of the dotted line the other classes' probabilities are below the smallest float:
# if the answer is right, the gradient is exactly 0 as well.
#
# Now put the division back, and walk along the gradient that appears:

# %%
plots.line_of_loss(Cooled(distilled, T), x, y, eps=data.eps)

# %% [markdown]
# The margin climbs as it did for the undefended network of lesson 01.
# The function is as steep as any. It was not smoothed; the window onto it was shut.
#
# ## Two ways to open it
#
# *Divide the logits by $T$ again* (Carlini & Wagner 2016): PGD on the stand-in `Cooled(distilled, T)`,
# judged on the model itself. Or *change the loss* (Carlini & Wagner 2017): the margin has no softmax that could round.

# %%
opened = {
    "cross-entropy": pgd(distilled, x, y, eps=data.eps, steps=20),
    "cross-entropy, logits / T": transfer(distilled, x, y, eps=data.eps, surrogate=Cooled(distilled, T), steps=20),
    "margin": pgd(distilled, x, y, eps=data.eps, steps=20, loss=margin),
}
opened = {name: accuracy(distilled, (x_adv, y)) for name, x_adv in opened.items()}
plots.rates(opened)

# %% [markdown]
# The same model, the same steps, the same ball. One word of the attack has changed.
# Now the worst case over three attacks on the stand-in and one that needs no gradient.
# Another training gives another network, so train five of each before comparing the two recipes:


# %%
def worst(model, x, y, *, eps, stand_in=None):
    """Accuracy left by the worst of several attacks, their gradients taken from `stand_in`."""
    seen = model if stand_in is None else stand_in
    follow = [pgd, partial(pgd, loss=margin), partial(apgd_t, rivals=2)]
    tried = [partial(transfer, surrogate=seen, attack=attack, steps=20) for attack in follow]
    tried.append(partial(square, queries=200, patience=4.0))
    return accuracy(model, (worst_case(model, x, y, eps=eps, attacks=tried), y))


several = {"undefended": [undefended], "teacher": [teacher], "distilled": [distilled]}
for seed in range(1, 5):
    torch.manual_seed(seed)
    several["undefended"].append(fit(untrained(data), data.train, **short))
    several["teacher"].append(untrained(data))
    fit(Cooled(several["teacher"][seed], T), data.train, **faster)
    several["distilled"].append(distill(several["teacher"][seed], untrained(data), data, T, **faster))

# %%
left = {
    "undefended": Trainings(worst(model, x, y, eps=data.eps) for model in several["undefended"]),
    "distilled": Trainings(
        worst(model, x, y, eps=data.eps, stand_in=Cooled(model, T)) for model in several["distilled"]
    ),
}
plots.rates(left)


# %%
measured("distilled is clearly above undefended", left["distilled"].clearly_above(left["undefended"]))
at_most = max(left["distilled"].lead_at_most(left["undefended"]), 0.0)  # the upper end of the difference's interval
measured("and may gain at most", 100 * at_most, "points")
guess.reveal(left["distilled"])

# %% [markdown]
# A "no" alone would prove little: with few trainings even a real gain can stay unclear. So look at the second line.
# (It stops at 0. A 0 would be a clear loss: the whole interval of the difference would lie below it.)
# Nearly all images were promised. If the five trainings leave room for less than a tenth of them,
# we call the promise refuted.
#
# ## How hot?
#
# One temperature may be a bad one. Train teacher and student at others:

# %%
by_heat = {"clean": {}, "PGD, cross-entropy": {}, "PGD, margin": {}, "gradient exactly 0": {}}
for temperature in (1, 10, T):
    torch.manual_seed(0)
    hot, student = untrained(data), untrained(data)
    if temperature < T:
        fit(Cooled(hot, temperature), data.train, **short)
        distill(hot, student, data, temperature, **short)
    student = distilled if temperature == T else student
    for name, loss in (("PGD, cross-entropy", cross_entropy), ("PGD, margin", margin)):
        x_adv = pgd(student, x, y, eps=data.eps, steps=20, loss=loss)
        by_heat[name][temperature] = accuracy(student, (x_adv, y))
    by_heat["clean"][temperature] = accuracy(student, (x, y))
    by_heat["gradient exactly 0"][temperature] = share(asleep(student, x, y))
plots.lines(by_heat, x="temperature", y="images", log=True)

# %% [markdown]
# Two curves climb together: the robustness that cross-entropy reports, and the images without a gradient.
# What the margin leaves stays low.
# The temperature turns the *measurement*, not the model.
#
# ## Combined with other techniques
#
# The partner that works is adversarial training (lesson 03). Train it alone,
# and then with the teacher's soft labels at $T$, the attacked image in place of the clean one;
# three times each, because a small difference may be the training's luck.
# The last row is the same once more, at the learning rate of adversarial training alone: 0.01 in place of 0.03.


# %%
def judge(models, x, y, *, eps, heat=1):
    """What a paper might report, and what is left, of several trainings."""
    sure = {
        "clean": lambda model: (x, y),
        "PGD, cross-entropy": lambda model: (pgd(model, x, y, eps=eps, steps=20), y),
    }
    found = {name: Trainings(accuracy(model, seen(model)) for model in models) for name, seen in sure.items()}
    hard = Trainings(worst(model, x, y, eps=eps, stand_in=Cooled(model, heat)) for model in models)
    return found | {"worst case": hard}


# %%
attack = {"eps": data.eps, "steps": 2, "updates": short["updates"]}
trained, trained_hot, slowly, start = [], [], [], time.perf_counter()
for seed in range(3):
    torch.manual_seed(seed)
    trained.append(fit(untrained(data), data.train, transform=attacked(**attack), **short))
seconds["adversarial training"] = (time.perf_counter() - start) / 3
for seed in range(3):
    for students, how in ((trained_hot, faster), (slowly, short)):
        torch.manual_seed(seed)
        students.append(distill(several["teacher"][seed], untrained(data), data, T, attacked(**attack), **how))
found = {
    "adversarial training": judge(trained, x, y, eps=data.eps),
    "the same, distilled": judge(trained_hot, x, y, eps=data.eps, heat=T),
    "distilled, learns slowly": judge(slowly, x, y, eps=data.eps, heat=T),
}
plots.table(found)

# %%
worst_alone, worst_with, worst_slow = (row["worst case"] for row in found.values())
looks_alone, looks_with, _ = (row["PGD, cross-entropy"] for row in found.values())
measured("with distillation, PGD with cross-entropy leaves clearly more", looks_with.clearly_above(looks_alone))
measured("the worst case, clearly more", worst_with.clearly_above(worst_alone))
at_most = max(worst_with.lead_at_most(worst_alone), 0.0)
measured("and may gain at most", 100 * at_most, "points")
measured("the one that learns slowly leaves clearly less", worst_slow.clearly_below(worst_alone))

# %% [markdown]
# Read the middle column first, as a report would give it, and then the right one.
# Defensive distillation on top of a defense that works gains much in the report. What it may gain in the model
# stands above; for less than 5 points we would not train a teacher. A 0 in that line is no draw: the line stops there,
# and the whole interval of the difference lies below it. Then clearly *less* is left with distillation.
#
# The last row is a warning to *us*. It seems to show that distillation does harm. It shows a student
# that has not learned enough: in as many updates, at another learning rate, most of the harm is gone.
# (What is left of it is clear where the line above says 0.)
# Before you call a defense worse, train it as well as its rival. (And all this is one number of updates,
# and one learning rate for adversarial training alone: others may move both.)
#
# And one combination is not all. Here the teacher had never met an attack. Of students whose *teacher* is robust
# Goldblum et al. 2020 and Zi et al. 2021 report more than of the same network, adversarially trained alone.
#
# ## What does help
#
# Can a teacher's robustness pass to a student? Take the adversarially trained networks as teachers.
# In *robust distillation* the student sees attacked images. The attack climbs away from the *teacher's* answer,
# so that no label is used. Goldblum et al. 2020 found that some robustness passes
# by clean images as well: try a warm teacher.


# %%
def by_answers(teacher, disturb):
    """`disturb`, with the teacher's answers in place of the labels."""
    return lambda model, x, y: disturb(model, x, logits(teacher, x).argmax(1))


# %%
pupils, start = {}, time.perf_counter()
for seed, robust_teacher in enumerate(trained):
    torch.manual_seed(seed)
    see = by_answers(robust_teacher, attacked(**attack))
    pupils.setdefault("pupil, attacked images", []).append(
        distill(robust_teacher, untrained(data), data, 1, see, **short)
    )
seconds["robust distillation"] = seconds["adversarial training"] + (time.perf_counter() - start) / 3
ways = {"pupil, clean, T = 1": 1, "pupil, clean, T = 20": 20}
for name, heat in ways.items():
    for seed, robust_teacher in enumerate(trained):
        torch.manual_seed(seed)
        pupils.setdefault(name, []).append(distill(robust_teacher, untrained(data), data, heat, **short))

# %%
robust = {"adversarial training": found["adversarial training"]}
for name, models in pupils.items():
    robust[name] = judge(models, x, y, eps=data.eps, heat=ways.get(name, 1))
plots.table(robust)

# %%
teachers, bare = found["adversarial training"]["worst case"], left["undefended"]
passed = {name: float(robust[name]["worst case"]) - float(bare) for name in pupils}
share_passed = {name: f"{100 * gain / (float(teachers) - float(bare)):.0f} %" for name, gain in passed.items()}
measured("of the teacher's gain in the worst case, the student has", share_passed)
warm, cold = (robust[f"pupil, clean, T = {heat}"]["worst case"] for heat in (20, 1))
measured("a warm teacher passes on clearly more than a cold one", warm.clearly_above(cold))

# %% [markdown]
# The student that met attacks is nearly as robust as its teacher, without one label:
# that is what robust distillation saves, not the adversarial training.
# How much robustness travels in answers to clean images is not one figure: it *depends* on the temperature
# (the last line), on the data (the larger table below), and it may depend on much that we have not varied.
#
# All worst cases of this lesson:

# %%
row = {"clean": clean, "PGD, cross-entropy": looks["PGD, 20 steps: undefended"], "worst case": left["undefended"]}
hot_row = {
    "clean": accuracy(distilled, (x, y)),
    "PGD, cross-entropy": opened["cross-entropy"],
    "worst case": left["distilled"],
}
headline = {"undefended": row, f"distilled at T = {T}": hot_row} | found | robust
plots.rates({name: values["worst case"] for name, values in headline.items()})

# %% [markdown]
# ## Head to head
#
# Distillation or masking, which should I pick? Beside the student stands the cheapest mask of lesson 04, rounding.
# Say who is ahead, under a threat model of your choice, before you see it.
# (Attackers who see scores or labels only ask 30 times about each image, which is few:
# with 500 calls they find more, as lesson 02 shows.)

# %%
masked = nn.Sequential(Quantize(), undefended)
student = Defense("distillation", distilled, Cooled(distilled, T), training=seconds["distilled"])
mask = Defense(
    "gradient masking", masked, nn.Sequential(StraightThrough(Quantize()), undefended), training=seconds["undefended"]
)
own = several["undefended"][1]  # who sees labels only trains a model of his own: not the one in the mask
widgets.Duel(student, mask, data, surrogate=own, images=60, queries=30)

# %% [markdown]
# **Try.** Let the attacker *not* adapt, then adapt.
# A lead of a few points is less than 60 images can show, and even a clear one would not speak of other trainings
# (lesson 00): these are one network of each kind. Look up at the five distilled and the five undefended networks,
# how far apart trainings of one recipe lie, before you call either of the two safer.

# %% [markdown]
# ## Verdict

# %%
alone, defended = left["undefended"], left["distilled"]
at_most = max(defended.lead_at_most(alone), 0.0)
claim(
    "Distillation defends deep networks without a change of architecture",
    holds=False if at_most < 0.1 else True if defended.clearly_above(alone) else None,  # unclear is not refuted
    because=f"PGD with cross-entropy leaves {opened['cross-entropy']}, the adapted worst case {defended}; "
    f"without the defense it is {alone}. The gain is at most {100 * at_most:.0f} points",
    undefended=on_all,
)

# %%
at_most = max(worst_with.lead_at_most(worst_alone), 0.0)
claim(
    "Distillation should be combined with other techniques",
    holds=False if at_most < 0.05 else True if worst_with.clearly_above(worst_alone) else None,
    because=f"after PGD with cross-entropy adversarial training leaves {looks_alone}, with defensive distillation "
    f"{looks_with}; in the worst case {worst_alone}, with it {worst_with}, at most "
    f"{100 * at_most:.0f} points more. Students of robust teachers are another matter, and not judged here",
    undefended=on_all,
)

# %% [markdown]
# **To take to work.** Before you believe that a model is robust, look at the scale of its logits,
# count the images whose gradient is 0, and attack with a loss that cannot saturate.
#
# **What it costs.** Defensive distillation: a second training, and patience or a higher learning rate.
# Robust distillation: a second *adversarial* training.

# %%
print("training, teacher included")
for name, spent in seconds.items():
    measured(name, spent, "s")

# %% [markdown]
# ## The same in `utils`

# %%
from utils import distillation

z, v = torch.randn(2, 6, 10)
print(torch.equal(distillation.soften(z, T), soften(z, T)))
print(torch.equal(distillation.soft_loss(z, soften(v, T)), soft_loss(z, soften(v, T))))
mine, shared = (f(trained[0])(distilled, x, y) for f in (imitate, distillation.imitate))
print(torch.equal(mine, shared))

# %% [markdown]
# ## At a larger scale
#
# On MNIST, too, what looked like harm was slow learning: at the lower learning rate one student of three withstands
# few of the attacks, and the others less than adversarial training alone; at the higher one all three stay near it.

# %%
from utils.larger import larger

larger("06_defensive_distillation", headline)

# %% [markdown]
# ## Further
#
# - Hinton, Vinyals, Dean 2015, [arXiv:1503.02531](https://arxiv.org/abs/1503.02531). To make models small.
# - Papernot et al. 2016, [arXiv:1511.04508](https://arxiv.org/abs/1511.04508). The defense: success of JSMA,
#   an attack on few pixels, from 95.9 % to 0.5 % on MNIST, from 87.9 % to 5.1 % on CIFAR-10.
# - Carlini & Wagner 2016, [arXiv:1607.04311](https://arxiv.org/abs/1607.04311). JSMA again, its logits divided;
#   and 2017, [arXiv:1608.04644](https://arxiv.org/abs/1608.04644). Other losses: 100 % success.
# - Goldblum et al. 2020, [arXiv:1905.09747](https://arxiv.org/abs/1905.09747). Adversarially robust distillation:
#   students of robust teachers, more robust than the same network adversarially trained.
# - Zi et al. 2021, [arXiv:2108.07969](https://arxiv.org/abs/2108.07969). The same with robust soft labels
#   in the attack as well.
#
# Practise: [lab 06](../labs/06_defensive_distillation.ipynb).
# Next: [07 · Randomized smoothing](07_randomized_smoothing.ipynb)
