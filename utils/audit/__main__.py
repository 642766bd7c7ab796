"""`python -m utils.audit model.py:build --data data.npz --claims claims.json --to audit`"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch

from utils.audit import audit_model, card_data, card_page, read_claims, read_data, read_model
from utils.audit.fault import place, told
from utils.audit.measure import CLAIMABLE, Audit, through_lens
from utils.models import logits, mlp

NUMBERS = """\
Claims are a JSON object of numbers, such as {"accuracy": 0.98, "eps": 0.03, "robust_accuracy": 0.7}:
"""
ENDS = "Ends with 0 if no claim is refuted, with 1 if one is, with 2 if the audit could not be made."


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m utils.audit",
        description="Audit a PyTorch classifier from inputs in [0, 1] to logits, and write its security card. "
        "The file of the model is run, as Python runs any file that it imports: read a stranger's first. "
        "Weights and data are read as numbers, and nothing is unpickled.",
        epilog=NUMBERS + "".join(f"  {name}: {what}\n" for name, what in CLAIMABLE.items()) + ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="FILE.py:FUNCTION, a function without arguments that returns the nn.Module")
    parser.add_argument("--weights", help="its weights, a safetensors file")
    parser.add_argument(
        "--data",
        required=True,
        help="FILE.npz with x_test, y_test, and x_train, y_train if it was trained on these; or a set of the course",
    )
    parser.add_argument("--claims", help="what its vendor says, a JSON file")
    parser.add_argument("--eps", type=float, help="the L-infinity budget; default: that of the claims, or of the data")
    parser.add_argument("--inputs", type=int, default=200, help="how many inputs are attacked; default: 200")
    parser.add_argument("--to", default="audit", help="the folder for card.html and card.json; default: audit")
    given = parser.parse_args(arguments)
    try:
        found, files = audit_given(given)
    except (Exception, SystemExit) as problem:  # also of the model's own code: it must not look like a verdict
        ours = isinstance(problem, (OSError, ValueError)) and not place(problem)
        print(f"no audit: {problem if ours else told(problem)}", file=sys.stderr)
        sys.exit(2)
    print(found, f"written: {files}", sep="\n")
    sys.exit(1 if found.refuted else 0)


def audit_given(given: argparse.Namespace) -> tuple[Audit, str]:
    """Read what was given, measure it, and write the card; the audit, and where its card is."""
    if given.inputs < 1:
        raise ValueError(f"--inputs must be 1 or more, got {given.inputs}")
    model, data = read_model(given.model, given.weights), read_data(given.data)
    claims = read_claims(given.claims) if given.claims else {}
    eps = claims.get("eps", data.eps) if given.eps is None else given.eps
    name = str(claims.get("name") or Path(given.model.rpartition(":")[0]).stem)
    classes = logits(through_lens(model, *data.test), data.test.x[:1]).shape[1]  # some may be missing in the data
    torch.manual_seed(0)
    copy = mlp(data._replace(train=data.test, classes=tuple(map(str, range(classes)))))
    train = data.train if len(data.train.y) else None
    folder = writable(given.to)  # before all that takes time
    found = audit_model(model, data.test, eps=eps, train=train, copy=copy, claims=claims, n=given.inputs, name=name)
    (folder / "card.html").write_text(card_page(found), encoding="utf-8")
    (folder / "card.json").write_text(json.dumps(card_data(found), indent=1) + "\n", encoding="utf-8")
    return found, f"{folder / 'card.html'}, {folder / 'card.json'}"


def writable(name: str) -> Path:
    """The folder of that name, made if need be, in which files can be made. Else ValueError."""
    try:
        Path(name).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=name).close()
    except OSError as problem:
        raise ValueError(f"cannot write to the folder {name}, which --to names: {problem.strerror}") from None
    return Path(name)


if __name__ == "__main__":
    main()
