"""Seconds of the check-up on 200 digits, also beside another build: `python tests/bench_checkup.py [--beside FOLDER]`.

Three models that it is asked about most: an undefended network, one trained on attacks, and one behind a mask. FOLDER
is a checkout of another build, which takes turns with this one. Each turn is a process of its own on one core, and the
seconds are of the processor, in `examine` alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import torch

from utils.adversarial import attacked
from utils.data import load
from utils.models import small_cnn
from utils.training import fit

HERE, ROUNDS, EPS = Path(__file__).resolve().parents[1], 3, 0.15

# What both builds run: of both they ask only these names.
TURN = """
import json, sys, time
import torch
from utils.checkup import examine
from utils.data import load
from utils.masking import Quantize
from utils.models import small_cnn
torch.set_num_threads(1)
x, y, plain, robust = torch.load(sys.argv[1], weights_only=True)
data, seconds = load("digits"), {}
for name, weights in (("undefended", plain), ("trained on attacks", robust), ("quantised", plain)):
    model = small_cnn(data).eval()
    model.load_state_dict(weights)
    model = torch.nn.Sequential(Quantize(5), model) if name == "quantised" else model
    began = time.process_time()
    flags = examine(model, x, y, eps=float(sys.argv[2])).flags
    seconds[name] = time.process_time() - began, list(flags)
print(json.dumps(seconds))
"""


def turn(build: Path, file: Path) -> dict:
    """{model: (processor seconds, raised flags)} of one turn of a build."""
    env = os.environ | {"PYTHONPATH": str(build), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", TURN, str(file), str(EPS)]
    return json.loads(subprocess.run(command, env=env, cwd=build, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--beside", type=Path, default=None)
    other = parser.parse_args().beside
    torch.manual_seed(0)
    data, weights = load("digits"), []
    for how in ({}, {"transform": attacked(eps=EPS)}):
        model = small_cnn(data)
        fit(model, data.train, updates=300, **how)
        weights.append(model.state_dict())
    builds = [HERE, *([other.resolve()] if other else [])]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "models.pt")
        torch.save((data.test.x[:200], data.test.y[:200], *weights), file)
        turns = {build: [] for build in builds}
        for _ in range(ROUNDS):
            for build in builds:
                turns[build].append(turn(build, file))
    for name in turns[HERE][0]:
        seconds = {build: median(found[name][0] for found in turns[build]) for build in builds}
        line = f"check-up, 200 digits, {name}: {seconds[HERE]:.1f} s"
        for build in builds[1:]:
            ratio = seconds[build] / seconds[HERE]
            line += f"; the other build {seconds[build]:.1f} s, {ratio:.1f} times as long"
        print(f"{line}; flags", *(turns[build][0][name][1] for build in builds))


if __name__ == "__main__":
    main()
