"""Break it: an attack against five models that it cannot see. The score is what it leaves of their accuracy."""

import torch
from torch import Tensor, nn

from grader.challenges.entry import Challenge, Entry, Here, Judgement, Played, code_entry, digest_of, play, score_of
from grader.challenges.images import held_out
from grader.challenges.networks import WRAPPERS, trained_networks
from grader.oracle import Oracle
from utils.attacks.ensemble import check_ball
from utils.data import load
from utils.models import predict, small_cnn
from utils.rate import Rate

ATTACKED_IMAGES = 60  # images for each model
ATTACK_QUERIES = 300  # for each image
# As the board names them, and the mask that each wears.
MODELS = {"undefended": "none", "quantised": "quantised", "noisy": "noise", "saturated": "saturated", "trained": "none"}


def hide_models(seed: int) -> dict[str, Tensor]:
    """The weights of two networks, one trained as usual and one on attacked images, and images for each model."""
    found = {}
    for kind, network in zip(("usual", "hardened"), trained_networks(seed), strict=True):
        found |= {f"{kind}.{name}": value for name, value in network.state_dict().items()}
    for i, name in enumerate(MODELS):
        found[f"x.{name}"], found[f"y.{name}"] = held_out(ATTACKED_IMAGES, seed + 100 * (i + 1))
    return found


def hidden_models(hidden: dict[str, Tensor]) -> dict[str, nn.Module]:
    """The five models by name."""
    made = {}
    for name, mask in MODELS.items():
        network, kind = small_cnn(load("digits")).cpu(), "hardened" if name == "trained" else "usual"
        network.load_state_dict(
            {key.removeprefix(f"{kind}."): value for key, value in hidden.items() if key.startswith(f"{kind}.")}
        )
        made[name] = WRAPPERS[mask](network).eval().requires_grad_(False)
    return made


def judge_attack(entry: Entry, hidden: dict[str, Tensor], seed: int) -> Judgement:
    """Run `attack(model, x, y, eps=eps)` against each model, and one of them again in a process of its own.

    The order of the models is drawn from the seed. What leaves the ball, cannot be repeated, or reaches for a clock or
    for files does not count.
    """
    eps, models, names = load("digits").eps, hidden_models(hidden), list(MODELS)
    order = torch.randperm(len(MODELS), generator=torch.Generator().manual_seed(seed)).tolist()
    against, left, answers = [], {}, {}
    with play(entry, seed) as first:
        for i in order:
            name = names[i]
            found, notes = attacked_images(first, models[name], hidden[f"x.{name}"], hidden[f"y.{name}"], eps, seed + i)
            answers[name], against = found, against + notes
            left[name] = standing(models[name], found, hidden[f"x.{name}"], hidden[f"y.{name}"], eps, against, seed + i)
        problems, isolation = list(first.problems), first.isolation
    name = names[order[0]]
    if answers[name] is not None:
        with play(entry, seed) as again:
            x, y = hidden[f"x.{name}"], hidden[f"y.{name}"]
            found, _ = attacked_images(again, models[name], x, y, eps, seed + order[0])
        if digest_of(found) != digest_of(answers[name]):
            against.append("gave other images when it was run again with the same seed")
    total = Rate(sum(rate.k for rate in left.values()), sum(rate.n for rate in left.values()))
    return {
        "score": score_of(total),
        "shown": {name: f"{left[name]!r}" for name in MODELS},
        "against": list(dict.fromkeys(against)),
        "problems": list(dict.fromkeys(problems)),
        "digest": digest_of(answers),
        "isolation": isolation,
    }


def attacked_images(
    played: Played | Here, model: nn.Module, x: Tensor, y: Tensor, eps: float, seed: int
) -> tuple[Tensor | None, list[str]]:
    """What the entry makes of the images, None if nothing of their shape, and what it reached for meanwhile."""
    oracle = Oracle(model, tuple(x.shape[1:]), ATTACK_QUERIES * len(x), seed)
    found = played.answer("attack", oracle, oracle, x, y, eps=eps)
    if found is not None and not (isinstance(found, Tensor) and found.shape == x.shape):
        played.problems.append(f"attack must return images of the shape of x, {tuple(x.shape)}")
        found = None
    return found if found is None else found.float(), oracle.notes


def standing(
    model: nn.Module, found: Tensor | None, x: Tensor, y: Tensor, eps: float, against: list[str], seed: int
) -> Rate:
    """The rate of images that the model still gets right. Without an answer all are as they were."""
    found = x if found is None else found
    try:
        check_ball(break_it_attack, found, x, eps, "linf")
    except ValueError as problem:
        against.append(str(problem).replace("attacks: break_it_attack", "its attack"))
        found = x
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Rate(int((predict(model, found) == y).sum()), len(y))


def break_it_attack(model, x, y, *, eps):
    """A name for `check_ball` to say."""


ATTACK_IMPORTS = "import torch\nfrom utils.attacks import margin, pgd, square"
ATTACK_HEAD = "def attack(model, x, y, *, eps):\n    "
OUR_ATTACKS = {
    "nothing": ATTACK_HEAD + "return x",
    "noise": ATTACK_HEAD + "return (x + eps * torch.randn_like(x).sign()).clamp(0, 1)",
    "PGD": ATTACK_HEAD + "return pgd(model, x, y, eps=eps, steps=20)",
    "PGD on the margin": ATTACK_HEAD + "return pgd(model, x, y, eps=eps, steps=20, loss=margin)",
    "Square": ATTACK_HEAD + "return square(model, x, y, eps=eps, queries=250)",
}

BREAK_IT = Challenge(
    name="break_it",
    title="Break it",
    score="accuracy that the attack leaves",
    lower=True,
    takes=".ipynb",
    hide=hide_models,
    judge=judge_attack,
    ours=lambda: {name: code_entry(ATTACK_IMPORTS, source) for name, source in OUR_ATTACKS.items()},
)
