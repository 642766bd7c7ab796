"""Model monitoring: two samples, streams, and accuracy without labels. Built in lesson 12."""

from utils.monitoring.performance import calibrate, cost_of_waiting, expected_accuracy
from utils.monitoring.samples import Test, chi_square, classifier_test, holm, ks, mmd, psi, sample_size
from utils.monitoring.streams import Adwin, bar_for, cusum, e_detector, first_alarm

__all__ = [
    "Adwin",
    "Test",
    "bar_for",
    "calibrate",
    "chi_square",
    "classifier_test",
    "cost_of_waiting",
    "cusum",
    "e_detector",
    "expected_accuracy",
    "first_alarm",
    "holm",
    "ks",
    "mmd",
    "psi",
    "sample_size",
]
