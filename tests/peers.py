"""Other libraries' attacks behind the signature of ours, and one comparison on the same models, images and budget.

No one environment holds all these libraries, so each has a small one of its own. There this file runs as a script:
`compare` below hands it the job, and it answers with one line of JSON. `tests/pin.py` pins the answers to ROWS.
"""

import hashlib
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from small_env import ROOT, ask
from utils import attacks
from utils.attacks.parts import cross_entropy
from utils.data import Dataset, chunks, load
from utils.models import predict, small_cnn
from utils.training import fit

ENVIRONMENTS = {  # what pip installs; --no-deps where the course's environment has the rest
    "foolbox": ("foolbox==3.3.4",),
    "torchattacks": ("--no-deps", "torchattacks==3.5.1"),  # it asks for torchvision and does not use it
    "art": ("adversarial-robustness-toolbox==1.20.1",),
    "official": ("--no-deps", "pyautoattack==0.2.0"),  # AutoAttack's own code, packaged (MIT)
}


class Row(NamedTuple):
    """One comparison: an attack with the same budget here and there, on `images` test images."""

    attack: str  # a key of the dictionaries below
    model: str  # undefended, trained, or quantised
    images: int
    budget: dict  # what the attack takes: eps, norm, steps, step, queries
    repeats: int = 1  # how often, each time with another seed
    double: bool = False  # in float64, where rounding flips no sign


MODELS = ROOT / "tests" / "pinned" / "peers"  # where the weights of the models for ROWS are
EPS = 0.15
L2 = {"eps": 1.0, "norm": "l2"}
PGD = {"eps": EPS, "steps": 40, "step": 0.01}
PGD_L2 = L2 | {"steps": 40, "step": 0.05}
STILL = {"start": False, "early_stop": False}  # no random start: all libraries walk the same path to its end

ROWS = [
    *(Row("fgsm", model, 397, {"eps": EPS}) for model in ("undefended", "trained")),
    *(Row("pgd", model, 397, budget, repeats=3) for model in ("undefended", "trained") for budget in (PGD, PGD_L2)),
    *(Row("apgd", "trained", 397, budget | {"steps": 100}, repeats=3) for budget in ({"eps": EPS}, L2)),
    *(Row("square", "trained", 397, budget | {"queries": 500}) for budget in ({"eps": EPS}, L2)),
    Row("rays", "trained", 397, {"eps": EPS, "queries": 500}),
    Row("cw_l2", "undefended", 397, {"steps": 100}),
    *(Row("worst_case", model, 200, {"eps": EPS}) for model in ("undefended", "trained", "quantised")),
    Row("worst_case", "trained", 200, L2),
    # In float64, where each image can be compared.
    Row("fgsm", "undefended", 100, {"eps": EPS}, double=True),
    *(Row("pgd", "undefended", 100, budget | STILL, double=True) for budget in (PGD, PGD_L2)),
]
ATTACKS = {  # what each peer is asked for
    "official": {"apgd", "square", "worst_case"},
    "art": {"fgsm", "pgd", "apgd", "square"},
    "torchattacks": {"fgsm", "pgd", "apgd", "square", "cw_l2", "worst_case"},
    "foolbox": {"fgsm", "pgd", "rays", "cw_l2"},
}
EXACT = {
    "torchattacks": 0,
    "foolbox": 1e-15,
}  # who is asked in float64, and how far FGSM's images may be apart (it adds and subtracts x)


class Quantise(nn.Module):
    """Rounds each pixel to one of five levels: it has no gradient anywhere, so that gradient attacks see nothing."""

    def forward(self, x):
        return (x * 4).round() / 4


# The attacks of each library: (model, x, y, *, eps, ...) -> x_adv, with the arguments of ours. Their random numbers
# follow torch's (ART's NumPy's) global seed.


def here() -> dict[str, Callable]:
    def seeded(attack, model, x, y, **how):
        return attack(model, x, y, seed=torch.initial_seed(), **how)

    names = ("pgd", "apgd", "cw_l2", "square", "rays", "worst_case")
    return {"fgsm": attacks.fgsm} | {name: partial(seeded, getattr(attacks, name)) for name in names}


def foolbox() -> dict[str, Callable]:
    import foolbox as fb

    def run(attack, model, x, y, eps=None):
        return attack(fb.PyTorchModel(model, bounds=(0, 1)), x, y, epsilons=eps)[1]

    def fgsm(model, x, y, *, eps):
        return run(fb.attacks.LinfFastGradientAttack(), model, x, y, eps)

    def pgd(model, x, y, *, eps, steps, step, norm="linf", start=True, early_stop=False):
        kind = {"linf": fb.attacks.LinfPGD, "l2": fb.attacks.L2PGD}[norm]
        return run(kind(abs_stepsize=step, steps=steps, random_start=start), model, x, y, eps)

    def cw_l2(model, x, y, *, steps):
        # One search with all steps, and the constant and rate of the smallest median among those tried on MNIST.
        how = {"binary_search_steps": 1, "initial_const": 1.0, "stepsize": 0.1, "abort_early": False}
        found = run(fb.attacks.L2CarliniWagnerAttack(steps=steps, **how), model, x, y)
        black = (found == 0).flatten(1).all(1)[:, None, None, None]  # what it returns where it fails
        return torch.where(black, x, found)

    def rays(model, x, y, *, eps, queries):  # HopSkipJump; its rounds alone spend `queries`
        spent = itertools.accumulate(int(100 * math.sqrt(i)) for i in itertools.count(1))
        rounds = next(i for i, total in enumerate(spent, 1) if total >= queries)
        return run(fb.attacks.HopSkipJumpAttack(steps=rounds, constraint="linf"), model, x, y, eps)

    return {"fgsm": fgsm, "pgd": pgd, "cw_l2": cw_l2, "rays": rays}


def torchattacks() -> dict[str, Callable]:
    import torchattacks as ta

    def fgsm(model, x, y, *, eps):
        return ta.FGSM(model, eps=eps)(x, y)

    def pgd(model, x, y, *, eps, steps, step, norm="linf", start=True, early_stop=False):
        kind = {"linf": ta.PGD, "l2": ta.PGDL2}[norm]
        return kind(model, eps=eps, alpha=step, steps=steps, random_start=start)(x, y)

    def apgd(model, x, y, *, eps, steps, norm="linf"):
        return ta.APGD(model, norm=NORMS[norm], eps=eps, steps=steps, seed=torch.initial_seed())(x, y)

    def cw_l2(model, x, y, *, steps):
        return ta.CW(model, c=3, steps=steps, lr=0.1)(x, y)  # of those tried on MNIST, the best here

    def square(model, x, y, *, eps, queries, norm="linf"):
        return ta.Square(model, norm=NORMS[norm], eps=eps, n_queries=queries, seed=torch.initial_seed())(x, y)

    def worst_case(model, x, y, *, eps, norm="linf"):
        return ta.AutoAttack(model, norm=NORMS[norm], eps=eps, seed=torch.initial_seed())(x, y)

    return {"fgsm": fgsm, "pgd": pgd, "apgd": apgd, "cw_l2": cw_l2, "square": square, "worst_case": worst_case}


def art() -> dict[str, Callable]:
    import numpy as np
    from art.attacks import evasion
    from art.estimators.classification import PyTorchClassifier

    def run(kind, model, x, y, norm="linf", **how):
        shape, classes = tuple(x.shape[1:]), len(model(x[:1])[0])
        loss = nn.CrossEntropyLoss()
        known = PyTorchClassifier(model, loss, shape, classes, clip_values=(0, 1), device_type="cpu")
        how |= {} if norm is None else {"norm": {"linf": np.inf, "l2": 2}[norm]}
        np.random.seed(torch.initial_seed())
        return torch.from_numpy(kind(known, batch_size=250, **how).generate(x.numpy(), y.numpy()))

    def fgsm(model, x, y, *, eps):
        return run(evasion.FastGradientMethod, model, x, y, eps=eps)

    def pgd(model, x, y, *, eps, steps, step, norm="linf", early_stop=False):
        how = {"eps": eps, "eps_step": step, "max_iter": steps, "num_random_init": 1, "verbose": False}
        return run(evasion.ProjectedGradientDescent, model, x, y, norm, **how)

    def apgd(model, x, y, *, eps, steps, norm="linf"):
        how = {"eps": eps, "eps_step": 2 * eps, "max_iter": steps, "nb_random_init": 1, "verbose": False}
        kind = evasion.AutoProjectedGradientDescent
        return run(kind, model, x, y, norm, loss_type="cross_entropy", **how)

    def cw_l2(model, x, y, *, steps):
        how = {"binary_search_steps": 1, "initial_const": 1.0, "learning_rate": 0.1, "verbose": False}
        return run(evasion.CarliniL2Method, model, x, y, None, max_iter=steps, **how)

    def square(model, x, y, *, eps, queries, norm="linf"):
        return run(evasion.SquareAttack, model, x, y, norm, eps=eps, max_iter=queries, verbose=False)

    return {"fgsm": fgsm, "pgd": pgd, "apgd": apgd, "cw_l2": cw_l2, "square": square}


def official() -> dict[str, Callable]:
    from pyautoattack import AutoAttack
    from pyautoattack.autopgd_base import APGDAttack
    from pyautoattack.square import SquareAttack

    def apgd(model, x, y, *, eps, steps, norm="linf"):
        return APGDAttack(model, n_iter=steps, seed=torch.initial_seed(), norm=NORMS[norm], eps=eps).perturb(x, y)

    def square(model, x, y, *, eps, queries, norm="linf"):
        how = {"n_queries": queries, "eps": eps, "seed": torch.initial_seed()}
        return SquareAttack(model, norm=NORMS[norm], resc_schedule=True, **how).perturb(x, y)

    def worst_case(model, x, y, *, eps, norm="linf"):
        return AutoAttack(model, norm=NORMS[norm], eps=eps, seed=torch.initial_seed()).run_standard_evaluation(x, y)[0]

    return {"apgd": apgd, "square": square, "worst_case": worst_case}


NORMS = {"linf": "Linf", "l2": "L2"}
LIBRARIES = {"foolbox": foolbox, "torchattacks": torchattacks, "art": art, "official": official}


def judged(model: nn.Module, x: Tensor, y: Tensor, x_adv: Tensor, eps: float, norm: str) -> tuple[int, float]:
    """How many images are left (still classified right, or moved out of the ball), and the median L2 distance."""
    delta = (x_adv - x).flatten(1)
    away = delta.norm(dim=1, p={"linf": math.inf, "l2": 2}[norm])
    legal = (away <= eps + 1e-5 * (1 + eps)) & ((x_adv >= 0) & (x_adv <= 1)).flatten(1).all(1)
    fallen = (predict(model, x_adv) != y) & legal
    return int((~fallen).sum()), float(delta.norm(dim=1).masked_fill(~fallen, math.inf).median())


def floor(model: nn.Module, x: Tensor, y: Tensor, calls: int, gradient: bool) -> None:
    """What no attack of so many model calls can avoid: forward passes, and backward ones to the input if `gradient`."""
    for _ in range(calls):
        if gradient:
            x = x.detach().requires_grad_()  # the caller's x stays as it is
            torch.autograd.grad(cross_entropy(model(x), y).sum(), x)
        else:
            with torch.no_grad():
                model(x)


def floors(model: nn.Module, x: Tensor, y: Tensor, row: Row) -> dict[str, Callable]:
    """The floor in the chunks that our attacks use, and with all images at once; nothing for attacks of many kinds."""
    calls = row.budget.get("steps") or row.budget.get("queries")
    if calls is None:
        return {}
    gradient = "steps" in row.budget

    def in_chunks():
        for piece in chunks(x, y):
            floor(model, *piece, calls, gradient)

    return {"floor": in_chunks, "floor at once": lambda: floor(model, x, y, calls, gradient)}


def textbook(model: nn.Module, x: Tensor, y: Tensor, *, eps, norm="linf", steps=1, step=None, **still) -> Tensor:
    """FGSM, or PGD without a random start and to its end, as the papers print it: the path that all libraries walk."""
    x_adv = x
    for _ in range(steps):
        x_adv = x_adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        if norm == "linf":
            x_adv = (x_adv + (step or eps) * g.sign()).clamp(x - eps, x + eps)
        else:
            delta = x_adv + step * g / length(g).clamp_min(1e-300) - x
            x_adv = x + delta * (eps / length(delta)).clamp(max=1)
        x_adv = x_adv.clamp(0, 1)
    return x_adv.detach()


def length(delta: Tensor) -> Tensor:
    return delta.flatten(1).norm(dim=1)[:, None, None, None]


def measure(row: Row, sides: dict[str, Callable], model: nn.Module, x: Tensor, y: Tensor, timed: bool = False) -> dict:
    """Run the attacks of `sides` (and the floors, if timed) in turn, with the seeds 0, 1, ... `row.repeats` - 1.

    Returns for each of them the lists of `left` and `distance` (see `judged`), of model `queries` an image, and of
    `seconds` of processor time, which other programs disturb less than the clock's; and in float64 how far `apart` the
    images are from the textbook's.
    """
    model, x = (model.double(), x.double()) if row.double else (model, x)
    eps, norm = row.budget.get("eps", math.inf), row.budget.get("norm", "linf")
    work = {side: partial(attack, model, x, y, **row.budget) for side, attack in sides.items()}
    work |= floors(model, x, y, row) if timed else {}
    results = {side: {"left": [], "distance": [], "queries": [], "seconds": []} for side in work}
    seen = []
    hook = model.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    for seed, side in itertools.product(range(row.repeats), work):
        model.requires_grad_(side in sides)  # as a user's model comes; only the floor finds it frozen
        torch.manual_seed(seed)
        seen.clear()
        begin = time.process_time()
        x_adv = work[side]()
        results[side]["seconds"].append(time.process_time() - begin)
        results[side]["queries"].append(sum(seen) / len(x))
        model.zero_grad(set_to_none=True)  # foolbox leaves gradients there
        if side in sides:
            left, distance = judged(model, x, y, x_adv.detach(), eps, norm)
            results[side]["left"].append(left)
            results[side]["distance"].append(distance)
        if row.double:
            results[side]["apart"] = float((x_adv.detach() - textbook(model, x, y, **row.budget)).abs().max())
    hook.remove()
    return results


def weaker(row: Row, peer: str, ours: dict, theirs: dict) -> list[str]:
    """In what ways our attack does less than the peer's on the same row, in words; none if it is as good.

    At most one image in a hundred more may be left standing, and one by an ensemble. CW also finds nearer images, and
    nearly all; the attack that sees labels only asks no more often; in float64 the images are the same.
    """
    said = []
    left, most = mean(ours["left"]), mean(theirs["left"]) + (1 if row.attack == "worst_case" else row.images // 100)
    if left > most:
        said.append(f"{left:g} images left by ours, and at most {most:g} may be")
    if row.attack == "cw_l2" and ours["left"][0] > 0.02 * row.images:
        said.append(f"{ours['left'][0]} images left by ours")
    if row.attack == "cw_l2" and ours["distance"] > theirs["distance"]:
        said.append(f"our images are farther away: {ours['distance'][0]}, theirs {theirs['distance'][0]}")
    if row.attack == "rays" and ours["queries"] > theirs["queries"]:
        said.append(f"ours asks more often: {ours['queries'][0]}, theirs {theirs['queries'][0]}")
    # torchattacks adds 1e-10 to a gradient's length, and the gradient of a sure answer is as short.
    if row.double and (peer, row.budget.get("norm")) != ("torchattacks", "l2"):
        apart = ours["apart"] + theirs["apart"]
        if apart > (EXACT[peer] if row.attack == "fgsm" else 1e-6):
            said.append(f"the images are {apart} apart")
    return said


# The models and the data of a comparison.


def train(folder: Path) -> None:
    """Make the two models of ROWS. Their weights are pinned, so that no answer depends on a processor's training."""
    data = load("digits")
    torch.manual_seed(0)
    undefended = fit(small_cnn(data), data.train)
    trained = fit(small_cnn(data), data.train, transform=partial(attacks.pgd, eps=EPS, steps=5, early_stop=False))
    save({"undefended": undefended.half(), "trained": trained.half()}, folder)  # half as large, and as good a model


def save(models: dict[str, nn.Module], folder: Path) -> None:
    for name, model in models.items():
        save_file(model.state_dict(), folder / f"{name}.safetensors")


def restored(name: str, data: Dataset, folder: Path) -> nn.Module:
    if name == "quantised":
        return nn.Sequential(Quantise(), restored("undefended", data, folder)).eval()
    model = small_cnn(data)
    model.load_state_dict(load_file(folder / f"{name}.safetensors"))  # into float32
    return model.eval()


def compare(
    python: Path, peer: str, data: str, folder: Path, rows: Sequence[Row], *, beside: bool = False, **variables: str
) -> list[dict]:
    """`measure` for each row, in the environment of `peer` and on one core.

    python, data, folder  the environment's interpreter, the name of a data set, where `save` put the weights
    beside                ours and the floors take turns with theirs
    variables             of the process's environment

    Raises RuntimeError with the last words of a process that fails.
    """
    job = {"peer": peer, "data": data, "folder": str(folder), "beside": beside, "rows": rows}
    return ask(python, __file__, json.dumps(job), **variables)


def main(job: str) -> None:
    torch.set_num_threads(1)
    peer, name, folder, beside, rows = json.loads(job).values()
    data, ours, theirs, measured = load(name), here(), LIBRARIES[peer](), []
    for row in map(Row._make, rows):
        sides = ({"ours": ours[row.attack]} if beside else {}) | {"theirs": theirs[row.attack]}
        model = restored(row.model, data, Path(folder))
        measured.append(measure(row, sides, model, *data.test.take(row.images), timed=beside))
    print(json.dumps(measured))


# What tests/pin.py asks of each of such modules.

JUDGES = ["from utils import attacks"]


def name(row: Row) -> str:
    return "-".join([row.attack, row.model, row.budget.get("norm", "linf"), *["float64"] * row.double])


def rows(peer: str) -> list[Row]:
    return [row for row in ROWS if row.attack in ATTACKS[peer] and (not row.double or peer in EXACT)]


def question(peer: str) -> dict:
    models = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in MODELS.glob("*.safetensors")}
    return {"rows": rows(peer), "models": models}


def answers(python: Path, peer: str) -> list[dict]:
    asked = rows(peer)
    measured = compare(python, peer, "digits", MODELS, asked, OMP_NUM_THREADS="1")
    return [compared(row, sides["theirs"]) for row, sides in zip(asked, measured, strict=True)]


def compared(row: Row, theirs: dict) -> dict:
    """The row's name, and what `weaker` reads of an answer."""
    reads = ["left", *{"cw_l2": ["distance"], "rays": ["queries"]}.get(row.attack, []), *["apart"] * row.double]
    return {"row": name(row)} | {part: theirs[part] for part in reads}


if __name__ == "__main__":
    main(sys.argv[1])
