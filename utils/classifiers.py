"""How classifiers that are no modules of torch are asked, scikit-learn's and ONNX Runtime's: arrays in, arrays out.

It needs NumPy and nothing of the course: the child of the audit (`utils.audit.child`) loads it where that is not.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy import ndarray

ENOUGH, TIES = 20, 0.01  # inputs on which labels and scores are compared, and the share that may differ
ONNX_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


def scorer(classifier) -> tuple[Callable[[ndarray], ndarray], bool] | None:
    """How a classifier of scikit-learn's manners is asked, (N, ...) -> (N, classes), and whether for probabilities.

    By `predict_proba`, or else by `decision_function`; None if it has neither, or is no classifier yet but its class.
    Raises ValueError for scores of pairs and for a classifier that knows one class only; so does asking it, if the
    class that its `predict` names is often another than that of its highest score.
    """
    if isinstance(classifier, type):
        return None
    check_two_classes(getattr(classifier, "classes_", None))
    if hasattr(classifier, "predict_proba"):
        return asker_by_rows(classifier, "predict_proba"), True
    if not hasattr(classifier, "decision_function"):
        return None
    chosen = classifier.get_params() if hasattr(classifier, "get_params") else {}  # with those of a pipeline's steps
    if any(name.endswith("decision_function_shape") and value == "ovo" for name, value in chosen.items()):
        raise ValueError("the classifier scores pairs of classes: make it with decision_function_shape='ovr'")
    return asker_by_rows(classifier, "decision_function"), False


def asker_by_rows(classifier, method: str) -> Callable[[ndarray], ndarray]:
    """How a method of scikit-learn is asked: inputs (N, ...), as rows -> (N, classes); one number becomes two."""
    compared = other = 0

    def answers(x: ndarray) -> ndarray:
        nonlocal compared, other
        x = x.reshape(len(x), -1)
        if (names := getattr(classifier, "feature_names_in_", None)) is not None:  # fitted on a DataFrame: give it one
            from pandas import DataFrame  # who has one has pandas

            x = DataFrame(x, columns=names)
        scores = of_two_classes(np.array(getattr(classifier, method)(x)), method == "predict_proba")
        if compared < ENOUGH and (said := labels_said(classifier, x, scores)) is not None:
            compared, other = compared + len(said), other + int((said != scores.argmax(1)).sum())
            if other > max(TIES * compared, 1):
                raise ValueError(
                    f"the classifier's predict names another class than its {method} does, for {other} of "
                    f"{compared} inputs: to measure predict, wrap the classifier c in an object whose predict_proba(x) "
                    f"is np.eye({scores.shape[1]})[np.searchsorted(c.classes_, c.predict(x))]"
                )
        return scores

    return answers


def labels_said(classifier, x, scores: ndarray) -> ndarray | None:
    """The columns of the classes that `predict` names, (N,); None if it has none, or names no classes."""
    if not (hasattr(classifier, "predict") and scores.ndim == 2):
        return None
    said = np.asarray(classifier.predict(x))
    classes = np.asarray(getattr(classifier, "classes_", range(scores.shape[1])))
    if said.shape != (len(scores),) or classes.shape != (scores.shape[1],):
        return None
    which = said[:, None] == classes
    return which.argmax(1) if which.any(1).all() else None


def check_two_classes(classes: Sequence | None) -> None:
    """Raise ValueError if a classifier was trained on one class: its only column is no probability of class 1."""
    if classes is not None and len(classes) == 1:
        raise ValueError(f"the classifier knows one class only, {classes[0]}: train it on two or more")


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

    It may take batches of one size only. Raises ValueError as `check_scores` does, of the first answers.
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
    """Raise ValueError if rows of scores are highest for another class than the labels beside them name: more than
    ties are. Or if there is one class only.

    classes  of the columns, if the file says so; None: the labels in order, if there is one for each column
    """
    check_two_classes(classes)
    labels = [output for output in outputs if output.ndim == 1 and output.dtype.kind in "iuUSO"]
    scores = [output for output in outputs if output.dtype.kind == "f"]
    if len(labels) == len(scores) == 1 and scores[0].size == len(labels[0]):
        sure_of_1, says_0 = (scores[0] == 1).all(), labels[0].dtype.kind in "iu" and not labels[0].any()
        check_two_classes([0] if sure_of_1 and says_0 else None)
    tables = [output for output in scores if output.ndim == 2 and output.shape[1] > 1]
    if len(labels) != 1 or len(tables) != 1:
        return
    [said], [scores] = labels, tables
    classes = classes or sorted(set(said.tolist()))
    if len(classes) != scores.shape[1]:
        return
    other = int((np.array(classes)[scores.argmax(1)] != said).sum())
    if other <= min(max(TIES * len(said), 1), len(said) / 2):
        return
    advice = (
        "its columns stand in another order. skl2onnx turns those of a binary SVC round: export it with "
        "options={'raw_scores': True}"
    )
    if other <= len(said) / 2:
        advice = f"to measure its labels, give an object whose predict_proba(x) is np.eye({len(classes)})[labels of x]"
    raise ValueError(
        f"the file's scores name another class than its labels do, for {other} of {len(said)} inputs: {advice}"
    )
