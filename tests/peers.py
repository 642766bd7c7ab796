"""Other libraries' attacks behind the signature of ours, and one comparison on the same models, images and budget.

No one environment holds all these libraries, so each has a small one of its own. There this file runs as a script:
`compare` below writes the job into a folder, and the script answers with one line of JSON for each row.
"""

import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from small_env import ask
from utils import attacks
from utils.attacks.parts import cross_entropy
from utils.data import chunks, load
from utils.models import predict, small_cnn

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


class Quantise(nn.Module):
    """Rounds each pixel to one of five levels: it has no slope anywhere, so that gradient attacks see nothing."""

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


def floor(model: nn.Module, x: Tensor, y: Tensor, calls: int, slope: bool) -> None:
    """What no attack of so many model calls can avoid: forward passes, and backward ones to the input if `slope`."""
    for _ in range(calls):
        if slope:
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
    slope = "steps" in row.budget

    def in_chunks():
        for piece in chunks(x, y):
            floor(model, *piece, calls, slope)

    return {"floor": in_chunks, "floor at once": lambda: floor(model, x, y, calls, slope)}


def measure(row: Row, ours: Callable, theirs: Callable, model: nn.Module, x: Tensor, y: Tensor, timed: bool) -> dict:
    """Run ours, the peer's and (if timed) the floors in turn, with the seeds 0, 1, ... `row.repeats` - 1.

    Returns for each of them the lists of `left` and `distance` (see `judged`), of model `queries` an image, and of
    `seconds` of processor time, which other programs disturb less than the clock's; and for "apart" how far apart the
    images of ours and theirs are.
    """
    model, x = (model.double(), x.double()) if row.double else (model, x)
    eps, norm = row.budget.get("eps", math.inf), row.budget.get("norm", "linf")
    attacks = {"ours": ours, "theirs": theirs}
    work = {side: partial(attack, model, x, y, **row.budget) for side, attack in attacks.items()}
    work |= floors(model, x, y, row) if timed else {}
    results = {side: {"left": [], "distance": [], "queries": [], "seconds": []} for side in work}
    images, seen = {}, []
    hook = model.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    for seed, side in itertools.product(range(row.repeats), work):
        model.requires_grad_(side in attacks)  # as a user's model comes; only the floor finds it frozen
        torch.manual_seed(seed)
        seen.clear()
        begin = time.process_time()
        images[side] = work[side]()
        results[side]["seconds"].append(time.process_time() - begin)
        results[side]["queries"].append(sum(seen) / len(x))
        model.zero_grad(set_to_none=True)  # foolbox leaves gradients there
        if side in attacks:
            left, distance = judged(model, x, y, images[side].detach(), eps, norm)
            results[side]["left"].append(left)
            results[side]["distance"].append(distance)
    hook.remove()
    return results | {"apart": float((images["ours"] - images["theirs"]).abs().max())}


def save(models: dict[str, nn.Module], folder: Path) -> None:
    for name, model in models.items():
        save_file(model.state_dict(), folder / f"{name}.safetensors")


def restored(name: str, data, folder: Path) -> nn.Module:
    if name == "quantised":
        return nn.Sequential(Quantise(), restored("undefended", data, folder)).eval()
    model = small_cnn(data)
    model.load_state_dict(load_file(folder / f"{name}.safetensors"))
    return model.eval()


def compare(
    python: Path, peer: str, data: str, folder: Path, rows: Sequence[Row], *, timed: bool = False, **variables: str
) -> list[dict]:
    """`measure` for each row, in the environment of `peer` and on one core.

    python, data, folder  the environment's interpreter, the name of a data set, where `save` put the weights
    timed                 measure the floors too
    variables             of the process's environment

    Raises RuntimeError with the last words of a process that fails.
    """
    job = {"peer": peer, "data": data, "folder": str(folder), "timed": timed, "rows": rows}
    return ask(python, __file__, json.dumps(job), **variables)


def main(job: str) -> None:
    torch.set_num_threads(1)
    peer, name, folder, timed, rows = json.loads(job).values()
    data, ours, theirs, measured = load(name), here(), LIBRARIES[peer](), []
    for row in map(Row._make, rows):
        x, y = data.test.take(row.images)
        model = restored(row.model, data, Path(folder))
        measured.append(measure(row, ours[row.attack], theirs[row.attack], model, x, y, timed))
    print(json.dumps(measured))


if __name__ == "__main__":
    main(sys.argv[1])
