"""What leaks from a model: who was in its training set, what its gradients and answers show, and the model itself.

membership   who was trained on: many networks at once, attacks by shadows, rates of accusers
inversion    images from gradients, and what a class looks like
aggregation  a sum of updates that hides each of them
extraction   a copy of a model from its answers
"""

from utils.leakage.aggregation import FIELD, from_field, masks, to_field, uploads
from utils.leakage.extraction import agreement, query, steal
from utils.leakage.inversion import (
    cosine,
    estimated_gradient,
    exact_gradient,
    gradients,
    invert_gradient,
    linear_input,
    match,
    most_likely,
    portraits,
    psnr,
    roughness,
)
from utils.leakage.membership import Networks, auc, confidence, fit_many, lira, rmia, roc_curve, tpr_at

__all__ = [
    "FIELD",
    "Networks",
    "agreement",
    "auc",
    "confidence",
    "cosine",
    "estimated_gradient",
    "exact_gradient",
    "fit_many",
    "from_field",
    "gradients",
    "invert_gradient",
    "linear_input",
    "lira",
    "masks",
    "match",
    "most_likely",
    "portraits",
    "psnr",
    "query",
    "rmia",
    "roc_curve",
    "roughness",
    "steal",
    "to_field",
    "tpr_at",
    "uploads",
]
