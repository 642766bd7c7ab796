"""Speed and strength of our attacks beside the peers': the table in the README. `make bench` takes ten minutes or so.

On MNIST if COURSE_DATA names a folder that has it, else on digits. Each peer runs in a process of its own, on one core,
and in turn with ours and with the floor, so that a busy machine slows all of them alike. Seconds are of processor time.
"""

import datetime
import itertools
import os
import platform
from functools import partial
from pathlib import Path
from statistics import median

import torch

from peers import ENVIRONMENTS, Row, compare, save
from small_env import ROOT, small_env
from utils.attacks import pgd
from utils.data import Dataset, load
from utils.models import small_cnn
from utils.training import fit

KEEP = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}
ATTACKS = {
    "foolbox": ("pgd", "cw_l2", "rays"),
    "torchattacks": ("pgd", "apgd", "cw_l2", "square", "worst_case"),
    "art": ("pgd", "apgd", "square"),
    "official": ("apgd", "square", "worst_case"),
}


def train(data: Dataset) -> Path:
    """Train the two models once; the folder of their weights.

    The second is trained on PGD-7 with a budget that grows over the first third: without that it learns nothing for a
    long time at MNIST's 0.3, and with one large step instead of seven small ones it only masks its gradients.
    """
    folder = ROOT / ".course" / "bench" / data.name
    if not (folder / "trained.safetensors").exists():
        updates, count = (4000, itertools.count(1)) if data.name == "mnist" else (600, itertools.count(1))

        def attacked(model, x, y):
            i = next(count)
            return pgd(model, x, y, eps=data.eps * min(1, 3 * i / updates), steps=7, early_stop=False, seed=i)

        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        on = partial(fit, train=data.train, batch_size=128)
        save({"undefended": on(small_cnn(data), updates=min(updates, 800), lr=3e-3)}, folder)
        save({"trained": on(small_cnn(data), transform=attacked, updates=updates, lr=1e-3)}, folder)
    return folder


def rows(data: Dataset) -> dict[str, Row]:
    linf, l2 = {"eps": data.eps}, {"eps": 2.0 if data.name == "mnist" else 1.0, "norm": "l2"}
    steps = linf | {"steps": 40, "step": data.eps / 30}
    return {
        "PGD, 40 steps, undefended": Row("pgd", "undefended", 500, steps, repeats=3),
        "PGD, 40 steps, adversarially trained": Row("pgd", "trained", 500, steps, repeats=3),
        "the same, no image left alone": Row("pgd", "trained", 500, steps | {"early_stop": False}, repeats=3),
        "PGD, 40 steps in L2": Row("pgd", "trained", 200, l2 | {"steps": 40, "step": l2["eps"] / 16}, repeats=3),
        "APGD, 100 steps": Row("apgd", "trained", 200, linf | {"steps": 100}, repeats=3),
        "CW in L2, 100 steps, undefended": Row("cw_l2", "undefended", 200, {"steps": 100}, repeats=3),
        "Square, 500 queries": Row("square", "trained", 200, linf | {"queries": 500}, repeats=3),
        "RayS; HopSkipJump, 500 queries": Row("rays", "trained", 200, linf | {"queries": 500}),
        "worst case; AutoAttack": Row("worst_case", "trained", 200, linf),
    }


def measured(data: Dataset, folder: Path, plan: dict[str, Row], **variables: str) -> dict[str, dict[str, dict]]:
    """{name of a row: {peer: what `peers.measure` returns}}."""
    table = {name: {} for name in plan}
    for peer, attacks in ATTACKS.items():
        names = [name for name, row in plan.items() if row.attack in attacks]
        if not names:
            continue
        python, wanted = small_env(peer, ENVIRONMENTS[peer]), [plan[name] for name in names]
        results = compare(python, peer, data.name, folder, wanted, beside=True, **variables)
        for name, result in zip(names, results, strict=True):
            table[name][peer] = result
    return table


def seconds(side: dict) -> float:
    return median(side["seconds"])


def ratios(measured: dict[str, dict], side: str) -> float:
    """The median, over peers, of the seconds of `side` beside ours, in the same process each."""
    return median(seconds(result[side]) / seconds(result["ours"]) for result in measured.values())


def line(name: str, row: Row, measured: dict[str, dict]) -> str:
    """One row of the table: ours, the floor, and each peer."""
    cw = row.attack == "cw_l2"

    def strength(side):
        return f"{side['distance'][0]:.2f} median L2" if cw else f"{median(side['left']):g}/{row.images} left"

    first = next(iter(measured.values()))
    rate = row.images / median(seconds(result["ours"]) for result in measured.values())
    floor = f"{ratios(measured, 'floor'):.2f}" if "floor" in first else ""
    cells = [name, f"{rate:.0f}", strength(first["ours"]), floor]
    for peer in ATTACKS:
        result = measured.get(peer)
        times = f"{seconds(result['theirs']) / seconds(result['ours']):.1f} ×, " if result else ""
        cells.append(times + strength(result["theirs"]) if result else "")
    return f"| {' | '.join(cells)} |"


def report(data: Dataset, plan: dict[str, Row], table: dict, again: dict) -> str:
    """The README's part: where it was measured, and the table."""
    memory = {name: ratios(again[name], "floor") / ratios(table[name], "floor") for name in again}
    head = ["", "images/s", "ours", "floor / ours", *ATTACKS]
    return "\n".join(
        [
            f"Measured by `make bench` on {data.name}, eps {data.eps:g}, {today_here()}.",
            "Floor: the attack's forward and backward passes alone, by torch's own layers, in our chunks, with frozen "
            "parameters. Above 1 comes who leaves images alone, or has the gradient of a first layer by a shorter way "
            "(`utils/convolution.py`). Then for each peer its time as a multiple of ours, and its result.",
            "",
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            *(line(name, plan[name], table[name]) for name in plan),
            "",
            'With glibc told to keep freed memory (`MALLOC_MMAP_THRESHOLD_`, `MALLOC_TRIM_THRESHOLD_`), "floor / ours" '
            "changes by the factors " + ", ".join(f"{factor:.2f} ({name})" for name, factor in memory.items()) + ".",
        ]
    )


def today_here() -> str:
    """When and where something was measured, in words."""
    cpu = next((x.split(": ")[1] for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), "")
    return f"on {datetime.date.today()}, one core of {cpu or platform.processor()}, torch {torch.__version__}"


def into_readme(name: str, text: str) -> None:
    """Put a text between the README's marks of that name, if it has them."""
    readme = ROOT / "README.md"
    before, opened, rest = readme.read_text().partition(f"<!-- {name} -->\n")
    _, closed, after = rest.partition(f"<!-- /{name} -->\n")
    if opened and closed:
        readme.write_text(before + opened + text + "\n" + closed + after)


def main() -> None:
    torch.set_num_threads(1)
    here = os.environ.get("COURSE_DATA", "")
    data = load("mnist" if Path(here, "mnist.npz").is_file() else "digits")
    plan, folder = rows(data), train(data)
    table = measured(data, folder, plan)
    again = {name: table[name] for name in plan if plan[name].attack == "pgd"}
    again = measured(data, folder, {name: plan[name] for name in again}, **KEEP)
    text = report(data, plan, table, again)
    print(text)
    into_readme("bench", text)


if __name__ == "__main__":
    main()
