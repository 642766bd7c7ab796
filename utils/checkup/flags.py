"""The check-up itself: measure, judge each flag, choose the adaptive attack and run it."""

import warnings

import torch
from scipy.stats import binom
from torch import Tensor, nn

from utils.arguments import number_in, whole
from utils.attacks.parts import check_labels
from utils.checkup.adapt import adapt
from utils.checkup.lens import mixes
from utils.checkup.measurements import Measurements
from utils.checkup.report import Advice, Finding, Report
from utils.evaluation import Rate
from utils.guard import check_input, lent

# name: (share of images that honest models may show it on, (measured) -> (where it happened, what was seen))
FLAGS = {
    "probabilities": (0.05, lambda m: torch.full_like(m.changed, m.model.log)),
    "random outputs": (0.05, lambda m: m.changed),
    "no answer when attacked": (0.05, lambda m: m.silent),
    "vanishing gradients": (0.05, lambda m: m.dead),
    "wrong gradients": (0.05, lambda m: m.lying),
    "gradients no better than chance": (0.25, lambda m: m.blind),
    "gradients turn within the ball": (0.12, lambda m: m.turned),
    "one step beats many": (0.05, lambda m: m.one_step & ~m.cross_entropy),
    "another loss beats cross-entropy": (0.20, lambda m: (m.margin | m.cooled) & ~m.cross_entropy),
    "random search beats gradients": (0.05, lambda m: m.random_search & ~m.white),
    "black box beats white box": (0.08, lambda m: m.black_box & ~m.white),
    "many more steps help": (0.10, lambda m: m.longer & ~m.white),
    "an unbounded attack fails": (0.05, lambda m: ~m.unbounded),
    "planted examples are missed": (0.05, lambda m: m.missed),
}
SENTENCES = {
    "probabilities": "{count} answers are probabilities, not logits; attacks see their logarithm.",
    "random outputs": "{count} answers or gradients change between two calls with the same inputs.",
    "no answer when attacked": "{count} inputs, moved by one step or at random, get the same logit for every class.",
    "vanishing gradients": "{count} gradients are zero, not finite, or too small to matter anywhere in [0, 1].",
    "wrong gradients": "{count} gradients disagree with finite differences by over 30 %, whatever their step.",
    "gradients no better than chance": "On {count} inputs a step along the gradient raises a rival's lead no more "
    "than the best of nine random steps of the same size.",
    "gradients turn within the ball": "{count} inputs withstand one step and fall to 40, and on the way of that step "
    "the gradient turns by over 45 degrees.",
    "one step beats many": "{count} inputs fall to one step and stand after 40 that follow the cross-entropy.",
    "another loss beats cross-entropy": "{count} inputs stand after 40 steps on the cross-entropy and fall to as many "
    "on the margin or on scaled logits.",
    "random search beats gradients": "{count} inputs stand after two gradient attacks and fall to one of up to 200 "
    "random corners of the box.",
    "black box beats white box": "{count} inputs stand after two gradient attacks and fall to Square or RayS, which "
    "see no gradient.",
    "many more steps help": "{count} inputs stand after two attacks of 40 steps and fall to up to 4 restarts of 100.",
    "an unbounded attack fails": "{count} inputs stand after gradient attacks that may change everything (eps = 1).",
    "planted examples are missed": "{count} adversarial examples that were planted are not found by two gradient "
    "attacks of 40 steps: the attacks fail, whatever they leave of the model.",
}


def compared(name: str, happened: Tensor, tolerance: float, alpha: float) -> Finding:
    """Count where it happened and test the count against the share that honest models may show."""
    k, n = int(happened.sum()), len(happened)
    p = float(binom.sf(k - 1, n, tolerance))
    sentence = SENTENCES[name].format(count=f"{k} of {n}") + f" Honest models: at most {100 * tolerance:.0f} %."
    return Finding(name, p < alpha, k, n, tolerance, p, sentence)


def examine(
    model: nn.Module, x: Tensor, y: Tensor, *, eps: float, level: float = 0.01, advise: bool = True, seed: int = 0
) -> Report:
    """Look for signs that a classifier hides its gradients instead of being robust. Shown in lesson 05b.

    model   any module from inputs in [0, 1] to logits (N, classes), on its own device; also to probabilities, to one
            column for two classes, or to an object that has `.logits`
    x, y    inputs (N, ...) in [0, 1] and labels (N,) int64, best 100 to 500: images, tables, anything
    eps     the L-infinity budget that robustness is claimed for, in (0, 1]
    level   the probability of one or more false flags, if an honest model shows each sign on no more than its
            tolerance; Bonferroni: a flag is raised at p < level / number of flags
    advise  whether to run the adaptive attack that is recommended
    seed    of everything drawn at random

    Every flag is a comparison on the inputs that the model gets right: how many of them show the sign, against the
    share that honest models may show (chosen above what `tests/survey.py` measured), by an exact binomial test. The
    comparisons are paired: a "better" attack is tried on exactly those inputs that the other one left standing.

    Parameters, buffers, modes, gradients and random states are left as they were; the same seed gives the same
    report. Answers that no attack could use (all NaN, constant, never right, or other ones in another batch) give a
    report that says so; of a model without gradients, and of answers that are NaN here and there, a note tells. Raises
    ValueError or TypeError in one sentence for arguments that cannot be used.
    """
    eps = number_in("eps", eps, "(0, 1]", hint="in steps of 1/255? divide it by 255")
    level = number_in("level", level, "(0, 1)")
    x, y, _ = check_input(model, x, y, eps=eps, norm="linf")
    where = next((t.device for t in (*model.parameters(), *model.buffers())), x.device)
    weights = [p.dtype for p in model.parameters() if p.dtype in (torch.float32, torch.float64)]
    x, y = x.detach().to(where, weights[0] if weights else x.dtype), y.detach().to(where)
    if not len(x):
        raise ValueError("x holds no inputs: the check-up needs some, best 100 to 500")
    if len(x) > 1 and bool((x == x[0]).all()):
        raise ValueError(f"x holds {len(x)} copies of one input: the check-up needs different ones, best 100 to 500")
    with warnings.catch_warnings(), lent(model, seed=seed, device=x.device):
        warnings.simplefilter("ignore")
        x, y = (t.clone() if t.is_inference() else t for t in (x, y))  # autograd refuses inference tensors
        measured = Measurements(model, x, y, eps=eps, seed=whole("seed", seed, None))
        check_labels(measured.answer, y)
        if (problem := unusable(measured)) is not None:
            finding = Finding("unusable outputs", True, len(y), len(y), 0.0, None, problem)
            advice = Advice("none", "Mend the model first: there is nothing that an attack could tell.")
            return Report((finding,), {}, advice, None, eps, level)
        findings = tuple(
            compared(name, seen(measured), share, level / len(FLAGS)) for name, (share, seen) in FLAGS.items()
        )
        left = {
            "no attack": ~torch.zeros_like(measured.white),
            "one step": ~measured.one_step,
            "40 steps, cross-entropy": ~measured.cross_entropy,
            "... and margin": ~measured.white,
            "... and more steps": ~(measured.white | measured.longer),
            "... and without gradients": ~measured.all,
            "eps = 1": ~measured.unbounded,
        }
        left = {name: Rate(int(stand.sum()), measured.total) for name, stand in left.items()}
        advice, adapted = adapt(measured, {f.name for f in findings if f.raised}, run=advise)
    return Report(findings, left, advice, adapted, eps, level, tuple(notes(measured)))


def notes(measured: Measurements) -> list[str]:
    """What else a reader should know of how the model was measured."""
    said, lost = [], int((~measured.answered).sum())
    if lost:
        said.append(f"{lost} of {len(measured.answered)} answers hold NaN or infinity, and count as wrong.")
    if (why := measured.model.raw.cut_off) is not None:
        said.append(f"The model has no gradient, {why}: only attacks without gradients could find anything.")
    if not len(measured.missed):
        said.append("No adversarial example could be planted: that flag is not tested.")
    return said


def unusable(measured: Measurements) -> str | None:
    """Why the model's answers cannot be examined, in a sentence; None if they can."""
    answer = measured.answer
    if not measured.answered.any():
        return f"{len(answer)} of {len(answer)} answers hold NaN or infinity."
    if len(answer) > 1 and (answer == answer[0]).all():
        return f"The answers to all {len(answer)} inputs are the same."
    if not measured.right.any():
        return f"None of {len(answer)} inputs is classified right, so there is nothing to attack."
    mixed = mixes(measured.model, measured.x)
    return f"{mixed}." if mixed else None
