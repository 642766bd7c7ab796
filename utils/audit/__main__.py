"""`measured-audit model.py:build --data data.npz --claims claims.json --to audit`, or `python -m utils.audit …`"""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch

from utils.arguments import budget
from utils.audit import (
    audit_model,
    card_data,
    card_page,
    changes,
    read_claims,
    read_columns,
    read_data,
    read_model,
)
from utils.audit.against import Change, read_card
from utils.audit.child import Told, place, told
from utils.audit.given import file_of
from utils.audit.measure import CLAIMABLE, SETTINGS, Audit, Watched, through_lens
from utils.models import logits, mlp

NUMBERS = 'Claims are a JSON object, such as {"accuracy": 0.98, "eps": 0.03, "robust_accuracy": 0.7}:'
ENDS = """\
Ends with 0 if no claim is refuted and nothing became clearly worse than in --against, with 1 if so, and with 2 if the
audit could not be made."""


def parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(
        prog="measured-audit",
        description="Audit a classifier of inputs in [0, 1], and write its security card. The file of the model is "
        "run, in its folder and in a process of its own: read a stranger's first. Weights and data are read as "
        "numbers, and nothing is unpickled.",
        epilog="\n".join([NUMBERS, *(f"  {name}: {what}" for name, what in (CLAIMABLE | SETTINGS).items()), ENDS]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument(
        "model",
        help="FILE.py:FUNCTION, a function without arguments that returns the model: an nn.Module, a scikit-learn "
        "classifier or an onnxruntime session; FILE.py:NAME, the model itself; or FILE.onnx",
    )
    words.add_argument("--weights", help="its weights, a safetensors file")
    words.add_argument(
        "--data",
        required=True,
        help="FILE.npz with x_test, y_test, and x_train, y_train if it was trained on these; or a set of the course",
    )
    words.add_argument("--claims", help="what its vendor says, a JSON file")
    words.add_argument(
        "--columns", help="which columns of a table can be moved, a CSV file; default: columns.csv beside the model"
    )
    words.add_argument(
        "--eps", type=quotient, help="the L-infinity budget, such as 8/255; default: that of the claims, or of the data"
    )
    words.add_argument(
        "--images", "--inputs", type=int, metavar="N", help="how many inputs are attacked; default: 200, 50 if quick"
    )
    words.add_argument("--quick", action="store_true", help="fewer attacks and queries: seconds, and looser bounds")
    words.add_argument("--against", metavar="CARD", help="an earlier card.json: what became clearly worse since?")
    words.add_argument("--to", default="audit", help="the folder for card.html and card.json; default: audit")
    return words


def quotient(text: str) -> float:
    """A budget as it is written in this field, 0.03 or 8/255. What is none ends in argparse's sentence, and with 2."""
    above, _, below = text.partition("/")
    try:
        return budget("it", float(above) / float(below or 1))
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"must be a number >= 0 such as 0.03 or 8/255, got {text!r}") from None


def main(arguments: list[str] | None = None) -> None:
    for stream in (sys.stdout, sys.stderr):  # a console that knows no → shall not end the audit
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    given = parser().parse_args(arguments)
    try:
        found, since, files = audit_given(given)
        end_of_line()
    except (Exception, SystemExit) as problem:  # also of the model's own code: it must not look like a verdict
        end_of_line()
        ours = isinstance(problem, Told) or (isinstance(problem, (OSError, ValueError)) and not place(problem))
        print(f"no audit: {problem if ours else told(problem)}", file=sys.stderr)
        sys.exit(2)
    print(found, *since, f"written: {files}", sep="\n")
    sys.exit(1 if found.refuted or any(change.verdict == "worse" for change in since) else 0)


def audit_given(given: argparse.Namespace) -> tuple[Audit, list[Change], str]:
    """Read what was given, measure it, and write the card; the audit, what changed, and where its card is."""
    if given.images is not None and given.images < 1:
        raise ValueError(f"--images must be 1 or more, got {given.images}")
    file, _ = file_of(given.model)
    before = read_card(given.against) if given.against else None
    data, claims = read_data(given.data), read_claims(given.claims) if given.claims else {}
    beside = Path(file).with_name("columns.csv")
    columns = given.columns or (beside if beside.exists() and data.test.x.dim() == 2 else None)
    rules = read_columns(columns, data.test) if columns else None
    eps = claims.get("eps", data.eps) if given.eps is None else given.eps
    if eps != eps and "eps" not in claims:
        raise ValueError(
            "a table has no customary budget: give --eps, the share of its range by which each column can be moved "
            "(or the budget for columns.csv)"
        )
    folder = writable(given.to)  # before all that takes time
    watch = partial(show, told=[])
    watch("starting the model", 0.0, None)
    model = read_model(given.model, given.weights)
    seen = through_lens(Watched(model), *data.test)
    classes = logits(seen, data.test.x[:1]).shape[1]  # some may be missing in the data
    torch.manual_seed(0)
    copy = mlp(data._replace(train=data.test, classes=tuple(map(str, range(classes)))))
    found = audit_model(
        model,
        data.test,
        eps=eps,
        train=data.train if len(data.train.y) else None,
        copy=copy,
        claims=claims,
        rules=rules,
        n=given.images or (50 if given.quick else 200),
        quick=given.quick,
        name=str(claims.get("name") or Path(file).stem),
        watch=watch,
    )
    card = card_data(found)
    since = changes(before, card) if before else []
    (folder / "card.html").write_text(card_page(found), encoding="utf-8")
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return found, since, f"{folder / 'card.html'}, {folder / 'card.json'}"


def writable(name: str) -> Path:
    """The folder of that name, made if need be, in which files can be made. Else ValueError."""
    try:
        Path(name).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=name).close()
    except OSError as problem:
        raise ValueError(f"cannot write to the folder {name}, which --to names: {problem.strerror}") from None
    return Path(name)


def show(stage: str, share: float, left: float | None, told: list[str]) -> None:
    """How far it is, on standard error: in a terminal one line, redrawn; in a log a line for each stage."""
    line = f"{share:4.0%} · {stage}" + ("" if left is None else f" · about {left:.0f} s left at most")
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
    elif stage not in told:
        print(line, file=sys.stderr, flush=True)
    told[:] = {*told, stage}


def end_of_line() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
