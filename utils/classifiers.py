"""How classifiers that are no modules of torch are asked, scikit-learn's and ONNX Runtime's: arrays in, arrays out.

It needs NumPy and nothing of the course: the child of the audit (`utils.audit.child`) loads it where that is not.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy import ndarray

ONNX_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


def scorer(classifier) -> tuple[Callable[[ndarray], ndarray], bool] | None:
    """How a classifier of scikit-learn's manners is asked, (N, ...) -> (N, classes), and whether for probabilities.

    By `predict_proba`, or else by `decision_function`; None if it has neither, or is no classifier yet but its class.
    Raises ValueError for scores of pairs.
    """
    if isinstance(classifier, type):
        return None
    if hasattr(classifier, "predict_proba"):
        return partial(rows_asked, classifier, classifier.predict_proba, True), True
    if not hasattr(classifier, "decision_function"):
        return None
    chosen = classifier.get_params() if hasattr(classifier, "get_params") else {}  # with those of a pipeline's steps
    if any(name.endswith("decision_function_shape") and value == "ovo" for name, value in chosen.items()):
        raise ValueError("the classifier scores pairs of classes: make it with decision_function_shape='ovr'")
    return partial(rows_asked, classifier, classifier.decision_function, False), False


def rows_asked(classifier, method: Callable, probabilities: bool, x: ndarray) -> ndarray:
    """The answers of a scikit-learn method to inputs as rows, (N, classes): one number becomes two."""
    x = x.reshape(len(x), -1)
    if (names := getattr(classifier, "feature_names_in_", None)) is not None:  # fitted on a DataFrame: give it one
        from pandas import DataFrame  # who has one has pandas

        x = DataFrame(x, columns=names)
    return of_two_classes(np.array(method(x)), probabilities)


def of_two_classes(answer: ndarray, probabilities: bool) -> ndarray:
    """One number for each input, the probability or the score of class 1, as two: (N, 2). All else as it is."""
    if answer.ndim not in (1, 2) or answer.size != len(answer):
        return answer
    one = answer.reshape(-1)
    return np.stack([1 - one, one] if probabilities else [-one / 2, one / 2], 1)


def onnx_session(file: Path):
    """An ONNX file as an onnxruntime session. Raises ImportError, FileNotFoundError or ValueError in one sentence."""
    try:
        import onnxruntime
    except ImportError:
        raise ImportError("to ask an ONNX file, install onnxruntime: pip install onnxruntime") from None
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    try:
        return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as problem:  # a damaged file, or parts that this version does not know
        why = " ".join(str(problem).split())[:200]
        raise ValueError(f"cannot use {file} as an ONNX model ({why})") from None


def session_asker(session) -> Callable[[ndarray], dict[str, ndarray]]:
    """How an onnxruntime session is asked: inputs (N, ...) -> its outputs by name, but no labels beside scores.

    It may take batches of one size only. Raises ValueError if its first scores name other classes than its labels do.
    """
    entry, names, looked = session.get_inputs()[0], [one.name for one in session.get_outputs()], False

    def answers(x: ndarray) -> dict[str, ndarray]:
        nonlocal looked
        x = x.reshape(len(x), -1) if len(entry.shape) == 2 else x
        size = entry.shape[0] if entry.shape and isinstance(entry.shape[0], int) else len(x)
        short = -len(x) % size
        padded = np.concatenate([x, x[-1:].repeat(short, 0)]) if short else x
        padded = np.ascontiguousarray(padded, ONNX_TYPES.get(entry.type, np.float32))
        pieces = [session.run(None, {entry.name: piece}) for piece in np.split(padded, len(padded) // size)]
        found = {name: list(parts) for name, parts in zip(names, zip(*pieces, strict=True), strict=True)}
        classes = next((list(parts[0][0]) for parts in found.values() if isinstance(parts[0], list)), None)
        outputs = {name: np.concatenate([*map(plain_output, parts)])[: len(x)] for name, parts in found.items()}
        if not looked:
            check_scores(list(outputs.values()), classes)
            looked = True
        scores = {name: output for name, output in outputs.items() if output.dtype.kind == "f"}
        return scores or outputs

    return answers


def plain_output(part) -> ndarray:
    """An output of ONNX as an array: scikit-learn's probabilities may come as a list of {class: probability}."""
    return np.array([list(row.values()) for row in part]) if isinstance(part, list) else np.asarray(part)


def check_scores(outputs: list[ndarray], classes: list | None) -> None:
    """Raise ValueError if most rows of scores are highest for another class than the labels beside them name.

    classes  of the columns, if the file says so; None: the labels in order, if there is one for each column
    """
    labels = [output for output in outputs if output.ndim == 1 and output.dtype.kind in "iuUSO"]
    tables = [output for output in outputs if output.ndim == 2 and output.shape[1] > 1 and output.dtype.kind == "f"]
    if len(labels) != 1 or len(tables) != 1:
        return
    [said], [scores] = labels, tables
    classes = classes or sorted(set(said.tolist()))
    if len(classes) != scores.shape[1]:
        return
    other = np.array(classes)[scores.argmax(1)] != said
    if other.sum() > len(said) / 2:
        raise ValueError(
            f"the file's scores name another class than its labels do, for {other.sum()} of {len(said)} inputs: its "
            "columns stand in another order. skl2onnx turns those of a binary SVC round: export it with "
            "options={'raw_scores': True}"
        )
