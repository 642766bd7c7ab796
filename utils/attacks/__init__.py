"""Attacks: `attack(model, x, y, *, eps, ...) -> x_adv`. All take and return images in [0, 1] and keep one promise.

The result lies in the ball and in [0, 1]. The model's parameters, mode and gradients and the caller's random state
are as before. The same seed gives the same result. What is wrong with an argument is said in one sentence.

    gradient  FGSM, PGD, APGD                 white box
    minimal   Carlini & Wagner, FAB, funnel   white box, nearest image; from outside the ball
    blackbox  Square, RayS, transfer          scores only, labels only, gradients of other models
    ensemble  the worst case over all
    parts     what they are made of: losses, balls; `utils.guard` lends them the model
"""

from utils.attacks.blackbox import rays, square, transfer
from utils.attacks.ensemble import Attempt, standard, worst_case
from utils.attacks.gradient import apgd, apgd_t, fgsm, pgd
from utils.attacks.minimal import cw_l2, fab, funnel
from utils.attacks.parts import cross_entropy, margin

__all__ = [
    "Attempt",
    "apgd",
    "apgd_t",
    "cross_entropy",
    "cw_l2",
    "fab",
    "fgsm",
    "funnel",
    "margin",
    "pgd",
    "rays",
    "square",
    "standard",
    "transfer",
    "worst_case",
]
