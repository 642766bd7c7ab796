"""`python -m utils.audit model.py:build --data digits --claims claims.json --to audit`"""

import argparse
import json
import sys
from pathlib import Path

import torch

from utils.audit import audit, card, page, read_claims, read_data, read_model
from utils.models import mlp

ENDS = "Ends with 0 if no claim is refuted, 1 if one is, 2 if the audit could not be made."


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m utils.audit",
        description="Audit a PyTorch classifier from inputs in [0, 1] to logits, and write its security card. "
        "The file of the model is run, as Python runs any file that it imports: read a stranger's first. "
        "Weights and data are read as numbers, and nothing is unpickled.",
        epilog=ENDS,
    )
    parser.add_argument("model", help="FILE.py:FUNCTION, a function without arguments that returns the nn.Module")
    parser.add_argument("--weights", help="its weights, a safetensors file")
    parser.add_argument("--data", default="digits", help="a set of the course, or FILE.npz with x_test, y_test, and "
                        "x_train, y_train to ask who was trained on")  # fmt: skip
    parser.add_argument("--claims", help="what its vendor says, a JSON file: " + '{"accuracy": 0.98, ...}')
    parser.add_argument("--eps", type=float, help="the L-infinity budget; default: that of the claims, or of the data")
    parser.add_argument("--inputs", type=int, default=200, help="how many inputs are attacked; default: 200")
    parser.add_argument("--to", default="audit", help="the folder for card.html and card.json; default: audit")
    given = parser.parse_args(arguments)
    try:
        model, data = read_model(given.model, given.weights), read_data(given.data)
        claims = read_claims(given.claims) if given.claims else {}
        eps = given.eps or claims.get("eps") or data.eps
        train = data.train if len(data.train.y) else None
        torch.manual_seed(0)
        copy = mlp(data if train else data._replace(train=data.test))
        name = str(claims.get("name") or Path(given.model.rpartition(":")[0]).stem)
        found = audit(model, data.test, eps=eps, train=train, copy=copy, claims=claims, n=given.inputs, name=name)
        folder = Path(given.to)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "card.html").write_text(page(found), encoding="utf-8")
        (folder / "card.json").write_text(json.dumps(card(found), indent=1) + "\n", encoding="utf-8")
    except (OSError, ValueError, TypeError) as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
    print(found)
    print(f"written: {folder / 'card.html'}, {folder / 'card.json'}")
    sys.exit(1 if found.refuted else 0)


if __name__ == "__main__":
    main()
