"""What leaks from a model: who was in its training set, what its gradients and answers show, and the model itself.

membership   who was trained on: many networks at once, the likelihood-ratio attack, rates of accusers
"""

from utils.leakage.membership import Networks, auc, confidence, fit_many, lira, roc, tpr_at

__all__ = ["Networks", "auc", "confidence", "fit_many", "lira", "roc", "tpr_at"]
