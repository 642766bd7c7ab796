"""Model monitoring: tables, samples, streams, accuracy without labels (lesson 12); incidents and accounts (13)."""

from utils.monitoring.incidents import mixed, surprise
from utils.monitoring.performance import calibrate, cost_of_waiting, expected_accuracy
from utils.monitoring.queries import QueryMonitor, closeness, nearest
from utils.monitoring.samples import Test, chi_square, classifier_test, holm, ks, mmd, psi, sample_size
from utils.monitoring.streams import Adwin, cusum, e_detector, first_alarm, threshold_for
from utils.monitoring.tables import ColumnDrift, columns

__all__ = [
    "Adwin",
    "ColumnDrift",
    "QueryMonitor",
    "Test",
    "calibrate",
    "chi_square",
    "classifier_test",
    "closeness",
    "columns",
    "cost_of_waiting",
    "cusum",
    "e_detector",
    "expected_accuracy",
    "first_alarm",
    "holm",
    "ks",
    "mixed",
    "mmd",
    "nearest",
    "psi",
    "sample_size",
    "surprise",
    "threshold_for",
]
