"""What leaks from a model: who was in its training set, what its gradients and answers show, and the model itself.

membership   who was trained on: many networks at once, the likelihood-ratio attack, rates of accusers
inversion    images from gradients, and what a class looks like
aggregation  a sum of updates that hides each of them
extraction   a copy of a model from its answers
"""

from utils.leakage.aggregation import FIELD, decode, encode, masks, uploads
from utils.leakage.extraction import agreement, answers, steal
from utils.leakage.inversion import (
    climb,
    cosine,
    gradients,
    guess_slope,
    invert_gradient,
    linear_input,
    match,
    portraits,
    psnr,
    roughness,
)
from utils.leakage.membership import Networks, auc, confidence, fit_many, lira, roc, tpr_at

__all__ = [
    "FIELD",
    "Networks",
    "agreement",
    "answers",
    "auc",
    "climb",
    "confidence",
    "cosine",
    "decode",
    "encode",
    "fit_many",
    "gradients",
    "guess_slope",
    "invert_gradient",
    "linear_input",
    "lira",
    "masks",
    "match",
    "portraits",
    "psnr",
    "roc",
    "roughness",
    "steal",
    "tpr_at",
    "uploads",
]
