"""How classifiers that are no modules of torch are asked, scikit-learn's and ONNX Runtime's: arrays in, arrays out.

It needs NumPy and nothing of the course: the child of the audit (`utils.audit.child`) loads it where that is not.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy import ndarray

ONNX_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


def scorer(classifier) -> tuple[Callable[[ndarray], ndarray], bool] | None:
    """How a classifier of scikit-learn's manners is asked, (N, ...) -> (N, classes), and whether for probabilities.

    By `predict_proba`, or else by `decision_function`; None if it has neither. Raises ValueError for scores of pairs.
    """
    if hasattr(classifier, "predict_proba"):
        return partial(rows_asked, classifier, classifier.predict_proba), True
    if not hasattr(classifier, "decision_function"):
        return None
    chosen = classifier.get_params() if hasattr(classifier, "get_params") else {}  # with those of a pipeline's steps
    if any(name.endswith("decision_function_shape") and value == "ovo" for name, value in chosen.items()):
        raise ValueError("the classifier scores pairs of classes: make it with decision_function_shape='ovr'")
    return partial(rows_asked, classifier, classifier.decision_function), False


def rows_asked(classifier, method: Callable, x: ndarray) -> ndarray:
    """The answers of a scikit-learn method to inputs as rows, (N, classes): one score becomes two."""
    x = x.reshape(len(x), -1)
    if (names := getattr(classifier, "feature_names_in_", None)) is not None:  # fitted on a DataFrame: give it one
        from pandas import DataFrame  # who has one has pandas

        x = DataFrame(x, columns=names)
    answer = np.asarray(method(x))
    return np.stack([-answer / 2, answer / 2], 1) if answer.ndim == 1 else answer


def session_answers(session, x: ndarray) -> list[ndarray]:
    """The outputs of an onnxruntime session for inputs (N, ...), which it may take in batches of one size only."""
    entry = session.get_inputs()[0]
    x = x.reshape(len(x), -1) if len(entry.shape) == 2 else x
    size = entry.shape[0] if isinstance(entry.shape[0], int) else len(x)
    short = -len(x) % size
    padded = np.concatenate([x, x[-1:].repeat(short, 0)]) if short else x
    padded = np.ascontiguousarray(padded, ONNX_TYPES.get(entry.type, np.float32))
    pieces = [session.run(None, {entry.name: piece}) for piece in np.split(padded, len(padded) // size)]
    return [np.concatenate([plain_output(part) for part in parts])[: len(x)] for parts in zip(*pieces, strict=True)]


def plain_output(part) -> ndarray:
    """An output of ONNX as an array: scikit-learn's probabilities may come as a list of {class: probability}."""
    return np.array([list(row.values()) for row in part]) if isinstance(part, list) else np.asarray(part)
