"""The script that names the sentences to read again: it moves every seed, and lists what moved beyond chance."""

import copy

import numpy as np
import torch

import seeds
from utils import records
from utils.rate import Rate, Trainings
from utils.records import value_of

STEM = "01_one_gradient_step"


def drawn():
    generator = torch.Generator()
    generator.manual_seed(3)
    torch.manual_seed(0)
    return [torch.rand(3), torch.rand(3, generator=generator), torch.tensor(np.random.default_rng(5).random(3))]


def test_every_seed_is_moved(monkeypatch):
    before = drawn()
    for module, name in ((torch, "manual_seed"), (torch, "Generator"), (np.random, "default_rng")):
        monkeypatch.setattr(module, name, getattr(module, name))  # what the text changes is put back afterwards
    exec(seeds.ELSEWHERE.format(by=1000), {})
    after, again = drawn(), drawn()
    assert not any(a.equal(b) for a, b in zip(before, after, strict=True))
    assert all(a.equal(b) for a, b in zip(after, again, strict=True))


def test_moved_is_beyond_chance():
    pairs = {
        (Rate(80, 397), Rate(109, 397)): True,
        (Rate(80, 397), Rate(85, 397)): False,
        (Trainings([Rate(1, 9), Rate(2, 9)]), Trainings([Rate(2, 9), Rate(1, 9)])): False,
        (Rate(80, 397), 0.2): True,
        (1.0, 1.2): False,
        (1.0, 1.5): True,
        ("a", "b"): True,
    }
    for (before, after), expected in pairs.items():
        assert seeds.moved(value_of(before), value_of(after)) == expected, (before, after)


def test_a_run_that_differs_is_reported_with_the_sentences_below_it():
    kept, cells = records.read(STEM), seeds.assemble(seeds.LESSONS / "src" / f"{STEM}.py").cells
    assert seeds.report(kept, kept, cells, "seed 1") == []
    run = copy.deepcopy(kept)
    run["claims"][0]["verdict"] = "holds"
    figure = next(f for f in run["figures"] if "k" in f["value"] and seeds.sentences_after(cells, f["cell"]))
    figure["value"] = value_of(Rate(0 if figure["value"]["k"] else 9, figure["value"]["n"]))
    text = "\n".join(seeds.report(kept, run, cells, "seed 1"))
    assert "refuted → holds" in text and f"`{figure['cell']}`" in text
    assert seeds.sentences_after(cells, figure["cell"]).splitlines()[0] in text
