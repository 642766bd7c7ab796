"""Remember me: who was in the training data of a hidden model? The score is how many members are found while 1 % of the
others are accused.
"""

import torch
from torch import Tensor

from grader.challenges.entry import Challenge, Entry, Judgement, code_entry, digest_of, play, score_of
from grader.oracle import Oracle
from utils.data import load
from utils.leakage import auc, fit_many, tpr_at
from utils.leakage.membership import Networks

POOL = 1400  # images, of which the model has seen half
WIDTH, UPDATES, WRONG = 64, 600, 0.15  # of the model; the share of labels that are drawn anew
ACCUSE_QUERIES = 20  # for each image
FALSE = 0.01  # of the others who may be accused
ACCUSE_SECONDS = 20  # of the call: enough to train shadows


def hide_members(seed: int) -> dict[str, Tensor]:
    """A pool with some wrong labels, which half of it was trained on, and the trained network."""
    random = torch.Generator().manual_seed(seed)
    x, y = (part.cpu() for part in load("digits").train)
    order = torch.randperm(len(y), generator=random)[:POOL]
    x, y = x[order], y[order].clone()
    wrong = torch.rand(POOL, generator=random) < WRONG
    y[wrong] = torch.randint(10, (int(wrong.sum()),), generator=random)
    members = torch.zeros(POOL, dtype=torch.bool)
    members[torch.randperm(POOL, generator=random)[: POOL // 2]] = True
    made = fit_many(x, y, members[None], width=WIDTH, updates=UPDATES, seed=seed)
    weights = {name: value.detach().clone() for name, value in made.state_dict().items()}
    return {"x": x, "y": y, "members": members} | weights


def judge_accuser(entry: Entry, hidden: dict[str, Tensor], seed: int) -> Judgement:
    """Run `accuse(model, x, y)`, twice in processes of their own, and count whom its scores (N,) find."""
    x, y, members = hidden["x"], hidden["y"], hidden["members"]
    network = Networks(x.shape[1:], WIDTH, 10, [0])
    network.load_state_dict({name: hidden[name] for name in network.state_dict()})
    model, scores, problems, against, isolation = network[0], [], [], [], []
    for _ in range(2):
        oracle = Oracle(model, tuple(x.shape[1:]), ACCUSE_QUERIES * len(x), seed)
        with play(entry, seed, call=ACCUSE_SECONDS) as played:
            scores.append(played.answer("accuse", oracle, oracle, x, y))
        problems, against, isolation = played.problems, against + oracle.notes, played.isolation
        if scores[0] is None:
            break
    if digest_of(scores[0]) != digest_of(scores[-1]):
        against.append("gave other scores when it was run again with the same seed")
    found = scores[0]
    if not (isinstance(found, Tensor) and found.shape == y.shape and found.isfinite().all()):
        if found is not None:
            problems.append(f"accuse must return a finite score for each of the {len(y)} images")
        found = torch.zeros(len(y))
    found = found.double()
    return {
        "score": score_of(tpr_at(found, members, FALSE)),
        "shown": {"area under the curve": f"{auc(found, members):.3f}"},
        "against": list(dict.fromkeys(against)),
        "problems": list(dict.fromkeys(problems)),
        "digest": digest_of(scores[0]),
        "isolation": isolation,
    }


ACCUSE_IMPORTS = (
    "import torch\nfrom utils.leakage import fit_many, lira\nfrom utils.leakage.membership import confidence"
)
OUR_ACCUSERS = {
    "luck": "def accuse(model, x, y):\n    return torch.rand(len(x))",
    "confidence": "def accuse(model, x, y):\n    return confidence(model(x), y)",
    "LiRA, 32 shadows": """\
def accuse(model, x, y):
    inside = torch.rand(32, len(x)).argsort(1) < len(x) // 2
    shadows = fit_many(x, y, inside, width=64, updates=600)
    return lira(confidence(model(x), y), confidence(shadows(x), y), inside, pooled=True)""",
}

REMEMBER_ME = Challenge(
    name="remember_me",
    title="Remember me",
    score="share of members found at 1 % false accusations",
    lower=False,
    takes=".ipynb",
    hide=hide_members,
    judge=judge_accuser,
    ours=lambda: {name: code_entry(ACCUSE_IMPORTS, source) for name, source in OUR_ACCUSERS.items()},
)
