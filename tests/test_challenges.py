"""Challenges: a class of ten teams, three of them dishonest, gets the right board; and nothing hidden is reached."""

import base64
import csv
import importlib
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy
import pytest
import safetensors.torch
import torch
from torch import nn

from conftest import needs_browser, one_process
from grader.__main__ import main
from grader.challenges import break_it, defend_it, entry, frame, networks
from grader.challenges.attack_or_drift import ATTACK_OR_DRIFT
from grader.challenges.board import board_rows, write_board
from grader.challenges.break_it import BREAK_IT
from grader.challenges.defend_it import DEFEND_IT
from grader.challenges.entry import SECONDS, Played, code_entry, entry_of, rate_of, score_of
from grader.challenges.frame import best_of_teams, judge_again, run_challenge
from grader.challenges.images import held_out
from grader.challenges.rehearse import rehearse
from grader.challenges.remember_me import REMEMBER_ME
from grader.oracle import Oracle
from grader.sandbox import bubblewrap
from in_browser import barriers, chromium, served
from labs import starter
from run import ROOT
from tiny_lab import notebook
from utils.attacks import pgd
from utils.data import load
from utils.masking import Noise, Quantize, Saturate
from utils.models import small_cnn
from utils.rate import Rate

isolated = pytest.mark.skipif(not bubblewrap(), reason="needs bubblewrap: without it, isolation is weaker")

GIVEN = "import glob, time, torch\nfrom utils.attacks import margin, pgd, square"


def attack(body: str) -> bytes:
    """A notebook with an attack."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return notebook([GIVEN, f"def attack(model, x, y, *, eps):\n{lines}"])


SQUARE = "return square(model, x, y, eps=eps, queries=200)"
STEPS = "return pgd(model, x, y, eps=eps, steps=20)"
CLASS = {  # the honest from the best down, and then those that do not count
    "anna/square.ipynb": attack(SQUARE),
    "anna/nothing.ipynb": attack("return x"),
    "ben.ipynb": attack("return pgd(model, x, y, eps=eps, steps=20, loss=margin)"),
    "chloe.ipynb": attack(STEPS),
    "dan.ipynb": attack("return pgd(model, x, y, eps=eps, steps=1, step=eps)"),
    "eve.ipynb": attack("return (x + eps * torch.randn_like(x).sign()).clamp(0, 1)"),
    "fay.ipynb": attack("return 1 / 0"),
    "gus.ipynb": attack("many = x.repeat(10, 1, 1, 1)\nwhile True: model(many)"),
    "far.ipynb": attack("return (x + 3 * eps * torch.randn_like(x).sign()).clamp(0, 1)"),
    "clock.ipynb": attack("if time.time() % 2 > 1: return x\n" + STEPS),
    "thief.ipynb": attack("glob.glob('/*/*.safetensors')\n" + STEPS),
    "readme.txt": b"no entry",
}
AGAINST = {"far": "away from x", "clock": "reads the clock", "thief": "reads outside of its folder"}


def handed_in(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def table(file: Path) -> dict[str, dict]:
    with file.open(encoding="utf-8") as opened:
        return {row["team"]: row for row in csv.DictReader(opened)}


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> Path:
    """The class's board, with the private part drawn. Other tests judge in several processes."""
    folder = tmp_path_factory.mktemp("challenge")
    source = handed_in(folder / "in", CLASS)
    with one_process():
        main(["challenge", "break_it", "--from", str(source), "--to", str(folder / "board"), "--key", "k", "--final"])
    return folder / "board"


@isolated
def test_a_class_of_ten_teams_gets_the_right_board(board):
    rows = table(board / "public" / "break_it.csv")
    teams = [name for name, row in rows.items() if not row["ours"]]
    assert len(teams) == 10 and len(rows) == 10 + len(BREAK_IT.ours())
    assert teams[:5] == ["anna", "ben", "chloe", "dan", "eve"]
    assert set(teams[-3:]) == set(AGAINST) == {name for name in teams if rows[name]["counts"] == "no"}
    assert {rows[name]["score"] for name in AGAINST} == {"0"}
    assert rows["anna"]["rank"] == rows["Square"]["rank"] == "1" and rows["anna"]["entries"] == "2"
    assert float(rows["ben"]["low"]) > float(rows["anna"]["high"])
    assert rows["fay"]["rank"] == rows["gus"]["rank"] == rows["nothing"]["rank"], "no attack leaves what there was"


@isolated
def test_the_teacher_reads_why_an_entry_does_not_count_and_nobody_else_does(board):
    said = (board / "private" / "break_it.txt").read_text()
    for team, why in AGAINST.items():
        assert any(team in line and why in line for line in said.splitlines()), (team, said)
    assert "ZeroDivisionError" in said and "the budget of 18,000 queries is used up" in said and "readme.txt" in said
    shown = "".join(file.read_text() for file in (board / "public").iterdir())
    assert not any(why in shown for why in AGAINST.values())


@isolated
@pytest.mark.parametrize("part", ["public", "private"])
def test_an_entry_is_judged_again_from_its_record_alone(board, part, capsys):
    files = (board / "private" / "break_it").glob(f"{part}-*.json")
    record = next(file for file in sorted(files) if json.loads(file.read_text())["team"] == "chloe")
    with pytest.raises(SystemExit) as left:
        main(["challenge", "break_it", "--again", str(record)])
    assert left.value.code == 0 and "the same score" in capsys.readouterr().out
    other = json.loads(record.read_text())
    other["entry"]["cells"][-1] = other["entry"]["cells"][-1].replace("steps=20", "steps=1")
    record.with_suffix(".changed").write_text(json.dumps(other))
    same, words = judge_again(record.with_suffix(".changed"))
    assert not same and "another score" in words


@isolated
def test_the_private_part_is_another_one(board):
    hidden = sorted((board / "private" / "break_it").glob("hidden-*.safetensors"))
    assert len(hidden) == 2 and hidden[0].read_bytes() != hidden[1].read_bytes()
    rows = table(board / "public" / "break_it.csv")
    assert any(float(row["k"]) != float(row["public score"].split("/")[0]) for row in rows.values())


# From what teams begin.

STARTERS = sorted((ROOT / "challenges" / "src").glob("*.py"))


def test_each_challenge_has_a_notebook_to_begin_with():
    assert [file.stem for file in STARTERS] == sorted(frame.CHALLENGES)
    for source in STARTERS:
        built = nbformat.read(ROOT / "challenges" / f"{source.stem}.ipynb", as_version=4)
        assert built == starter(source), "out of date: run make labs"


RULES: dict[str, Callable] = {  # what a text says, from the judge's own settings
    "break_it": lambda m: (f"{m.ATTACKED_IMAGES} images", f"{m.ATTACK_QUERIES} queries", f"{SECONDS['call']} seconds"),
    "defend_it": lambda m: (f"{m.DEFENDED_IMAGES} images", f"by {load('digits').eps:g}"),
    "remember_me": lambda m: (
        f"{m.POOL:,}",
        f"{m.WIDTH} units",
        f"{m.UPDATES} updates",
        f"{100 * m.WRONG:g} %",
        *asks(m),
    ),
    "attack_or_drift": lambda m: (f"({m.CALM}, 4, {m.LENGTH})", f"({m.EXAMPLES}, 4, {m.LENGTH})", *waits(m)),
}


def asks(m) -> tuple[str, ...]:
    return f"{m.ACCUSE_QUERIES} queries", f"{m.ACCUSE_SECONDS} seconds", f"{100 * m.FALSE:g} %"


def waits(m) -> tuple[str, ...]:
    return f"within {m.SOON}", f"{m.NAMED_BY} arrivals", f"{m.WATCH_SECONDS} seconds"


@pytest.mark.parametrize("name", RULES)
def test_the_rules_that_teams_read_are_the_judges(name):
    text = (ROOT / "challenges" / "src" / f"{name}.py").read_text()
    rules = RULES[name](importlib.import_module(f"grader.challenges.{name}"))
    assert not [rule for rule in rules if rule not in text]


@isolated
@pytest.mark.parametrize("name", ["remember_me", "attack_or_drift"])
def test_a_notebook_to_begin_with_is_an_entry_as_it_stands(name):
    """With its rehearsal, which needs what the sandbox does not show, and so is passed over."""
    entry = entry_of((ROOT / "challenges" / f"{name}.ipynb").read_bytes(), ".ipynb")
    challenge = frame.CHALLENGES[name]
    made = challenge.judge(entry, challenge.hide(4), 5)
    assert made["against"] == made["problems"] == [] and made["score"][0] > 0


@isolated
def test_a_rehearsal_says_what_the_judge_would(capsys):
    source = REMEMBER_ME.ours()["confidence"]["cells"]
    names = {}
    exec("\n".join(source), names)
    rehearse("remember_me", names["accuse"], seed=4)
    said = capsys.readouterr().out
    judged_there = REMEMBER_ME.judge(code_entry(*source), REMEMBER_ME.hide(4), 4)
    assert repr(rate_of(judged_there["score"])) in said
    rehearse("attack_or_drift", lambda calm, examples, streams: 1 / 0)
    assert "ZeroDivisionError" in capsys.readouterr().out
    with pytest.raises(ValueError, match="there is no challenge 'brake_it'"):
        rehearse("brake_it", print)


def test_a_rehearsal_takes_what_the_sandbox_takes(capsys):
    """Arrays become tensors on their way out of the sandbox; and another shape is called that, not another answer."""
    rehearse("break_it", lambda model, x, y, *, eps: (x - eps).clamp(0, 1), seed=4)
    *wanted, _ = capsys.readouterr().out.splitlines()  # the last line says the seconds
    rehearse("break_it", lambda model, x, y, *, eps: (x - eps).clamp(0, 1).numpy(), seed=4)
    *found, _ = capsys.readouterr().out.splitlines()
    assert found == wanted
    rehearse("break_it", lambda model, x, y, *, eps: x[:1], seed=4)
    said = capsys.readouterr().out
    assert said.count("attack must return images of the shape of x, (60, 1, 8, 8)") == 1, "not once for each model"
    assert "other images" not in said


def test_a_rehearsal_begins_at_its_seed_and_leaves_the_teams_random_numbers_alone():
    def draws(model):
        return torch.rand(3).tolist() + numpy.random.rand(3).tolist() + [random.random()]

    before, oracle = torch.get_rng_state(), Oracle()
    first, again, other = (entry.play(draws, seed).answer("draws", oracle, oracle) for seed in (3, 3, 4))
    assert first == again != other and torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", break_it.MODELS)
def test_each_model_of_the_board_wears_the_mask_that_it_is_named_by(name):
    model = break_it.hidden_models(untrained_hidden())[name]
    worn = {"quantised": Quantize, "noisy": Noise, "saturated": Saturate}
    assert {mask for mask, kind in worn.items() if any(isinstance(m, kind) for m in model.modules())} == {name} & set(
        worn
    )


def untrained_hidden() -> dict[str, torch.Tensor]:
    weights = small_cnn(load("digits")).state_dict().items()
    return {f"{kind}.{name}": value for kind in ("usual", "hardened") for name, value in weights}


# What an entry may ask.


class Counting(nn.Module):
    """Answers with its input's mean, and a random number."""

    def forward(self, x):
        return torch.cat([x.flatten(1), torch.randn(len(x), 1)], 1)


def test_an_oracle_counts_answers_and_gradients_and_then_refuses():
    oracle, x = Oracle(nn.Flatten(), (2,), budget=10), torch.rand(4, 2)
    assert torch.equal(oracle({"do": "logits", "x": x})["logits"], x) and oracle.left == 6
    by = torch.rand(4, 2)
    assert torch.equal(oracle({"do": "gradient", "x": x, "by": by, "draw": 0})["gradient"], by) and oracle.left == 2
    assert "used up" in oracle({"do": "logits", "x": x})["refused"]
    assert "refused" in oracle({"do": "logits", "x": x[:1]}), "what is left is not kept for later"


@pytest.mark.parametrize(
    "question",
    [
        None,
        [],
        {"do": "logits"},
        {"do": "logits", "x": torch.rand(4, 3)},
        {"do": "logits", "x": torch.rand(4, 2).double()},
        {"do": "logits", "x": torch.rand(0, 2)},
        {"do": "logits", "x": torch.rand(30_000, 2)},
        {"do": "gradient", "x": torch.rand(4, 2), "by": torch.rand(3, 2), "draw": 0},
        {"do": "gradient", "x": torch.rand(4, 2), "by": torch.rand(4, 5), "draw": 0},
        {"do": "gradient", "x": torch.rand(4, 2), "by": torch.rand(4, 2), "draw": 5},
        {"do": "gradient", "x": torch.rand(4, 2), "by": torch.rand(4, 2), "draw": "0"},
        {"do": "weights", "x": torch.rand(4, 2)},
    ],
)
def test_an_oracle_refuses_whatever_is_no_question(question):
    oracle = Oracle(nn.Flatten(), (2,), budget=50_000)
    oracle({"do": "logits", "x": torch.rand(1, 2)})
    told = oracle(question)
    assert set(told) == {"refused", "left"}


def test_a_gradient_is_of_the_draw_that_was_answered_and_draws_are_the_same_again():
    x = torch.rand(3, 2)

    def drawn(seed):
        oracle = Oracle(Counting(), (2,), budget=100, seed=seed)
        return [oracle({"do": "logits", "x": x})["logits"][:, 2] for _ in range(2)]

    before = torch.get_rng_state()
    one, again, other = drawn(1), drawn(1), drawn(5)
    assert torch.equal(one[0], again[0]) and not torch.equal(one[0], one[1]) and not torch.equal(one[0], other[0])
    assert torch.equal(before, torch.get_rng_state())


def play(
    body: str, model=None, budget: int = 10_000, before: str = "", name: str = "attack"
) -> tuple[object, Oracle, list]:
    """What an attack returns, the oracle that it asked, and what went wrong. A busy machine is slow, not wrong."""
    x, y = shown()
    oracle = Oracle(model or network(), (1, 8, 8), budget, seed=3)
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    with Played(code_entry(GIVEN, before, f"def attack(model, x, y, *, eps):\n{lines}"), 0, call=60) as played:
        found = played.answer(name, oracle, oracle, x, y, eps=0.15)
        return found, oracle, played.problems


def shown() -> tuple[torch.Tensor, torch.Tensor]:
    """Images, and what the network says of them."""
    x, _ = held_out(8, 0)
    return x, network()(x).argmax(1)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.Tanh(), nn.Linear(30, 10)).eval()


@isolated
def test_the_courses_attacks_meet_a_hidden_model_as_any_other():
    found, oracle, problems = play("return pgd(model, x, y, eps=eps, steps=10, early_stop=False)")
    x, y = shown()
    assert problems == [] and oracle.notes == []
    assert torch.allclose(found, pgd(network(), x, y, eps=0.15, steps=10, early_stop=False), atol=1e-6)
    assert 8 * 10 <= oracle.asked <= 2 * 8 * 12


@isolated
def test_torch_func_meets_a_hidden_model_too():
    """In the sandbox; and in a rehearsal, where the judge's own gradient is taken inside of the team's."""
    body = "return torch.func.grad(lambda x: model(x).square().sum())(x)"
    found, oracle, problems = play(body)
    start = shown()[0].requires_grad_()
    (wanted,) = torch.autograd.grad(network()(start).square().sum(), start)
    assert problems == [] and torch.allclose(found, wanted, atol=1e-5) and oracle.asked == 2 * 8

    def attack(model, x, y, *, eps):
        return torch.func.grad(lambda x: model(x).square().sum())(x)

    oracle = Oracle(network(), (1, 8, 8), 100)
    found = entry.play(attack, 0).answer("attack", oracle, oracle, *shown(), eps=0.15)
    assert torch.allclose(found, wanted, atol=1e-5) and oracle.asked == 2 * 8


REACHES = {
    "clock": "time.time()\nreturn x",
    "clock taken before": "perf()\nreturn x",
    "clock of datetime": "import datetime\ndatetime.datetime.now()\nreturn x",
    "files": "import os\ntry: os.listdir('/')\nexcept OSError: pass\nreturn x",
    "a file": "try: open('/etc/passwd')\nexcept OSError: pass\nreturn x",
    "a path": "from pathlib import Path\nlist(Path('/proc').iterdir())\nreturn x",
    "memory": "try: open('/proc/self/mem', 'rb')\nexcept OSError: pass\nreturn x",
    "objects": "import gc\ngc.get_objects()\nreturn x",
    "a library": "import ctypes\nctypes.CDLL(None)\nreturn x",
    "a program": "import subprocess\ntry: subprocess.run(['ls'])\nexcept OSError: pass\nreturn x",
    "the network": "import socket\ntry: socket.socket().connect(('127.0.0.1', 9))\nexcept OSError: pass\nreturn x",
    "a function's function": "import os\ndef inner(): os.scandir('/')\ntry: inner()\nexcept OSError: pass\nreturn x",
}


@isolated
@pytest.mark.parametrize("what", REACHES)
def test_what_an_entry_reaches_for_is_told(what):
    found, oracle, _ = play(REACHES[what], before="from time import perf_counter as perf")
    assert isinstance(found, torch.Tensor) and len(oracle.notes) == 1, oracle.notes


HARMLESS = {
    "imports": "import scipy.optimize, sklearn.linear_model, json\nreturn x",
    "its own file": "open('mine.txt', 'w').write('5')\nassert open('mine.txt').read() == '5'\nreturn x",
    "a warning": "import warnings\nwarnings.warn('look')\nreturn x",
    "worst case": "from utils.attacks import worst_case\nreturn worst_case(model, x, y, eps=eps, attacks=[pgd])",
    "data": "from utils.data import load\nload('digits')\nreturn x",
    "training": "from utils.data import load\nfrom utils.models import small_cnn\nfrom utils.training import fit\n"
    "data = load('digits')\nfit(small_cnn(data), data.train, updates=3)\nreturn x",
    "random numbers": "import random, numpy\nrandom.random()\nnumpy.random.rand()\nreturn x",
    "a printed line": "print(model, model.left, list(model.parameters()))\nreturn x",
}


@isolated
@pytest.mark.parametrize("what", HARMLESS)
def test_what_honest_attacks_do_is_not_held_against_them(what):
    """Nor a clock in a cell that only tries something out."""
    found, oracle, problems = play(HARMLESS[what], before="begin = time.time()\nprint(time.time() - begin)")
    assert (problems, oracle.notes) == ([], []) and isinstance(found, torch.Tensor)


@isolated
def test_a_call_that_trains_waits_for_no_imports():
    """What torch loads at the first step takes a second or more, of the few that a call has."""
    begin, end = "import sys\nbefore = set(sys.modules)", "return torch.tensor(float(len(set(sys.modules) - before)))"
    trains = HARMLESS["training"].removesuffix("return x")
    found, _, problems = play("\n".join([begin, trains + end]))
    assert problems == [] and found < 20


STEALS = """
import gc, sys
found = 0
for thing in gc.get_objects():
    try: found += isinstance(thing, torch.nn.Module) and any(p.shape == (30, 64) for p in thing.parameters())
    except Exception: pass
frame = sys._getframe()
while frame:
    found += sum(isinstance(v, torch.nn.Module) and any(True for _ in v.parameters()) for v in frame.f_locals.values())
    frame = frame.f_back
wanted = bytes(value ^ 90 for value in HIDDEN)
with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as mem:
    for line in maps:
        low, high = (int(end, 16) for end in line.split()[0].split('-'))
        if 'rw' in line.split()[1]:
            mem.seek(low)
            found += mem.read(high - low).count(wanted)
return torch.tensor(float(found))
"""


@isolated
def test_the_hidden_weights_are_nowhere_in_the_entrys_process():
    """No module has them, and their bytes are found no more often than any others. Those of its images are."""

    def times(numbers: torch.Tensor) -> float:
        secret = [value ^ 90 for value in numbers.detach().numpy().tobytes()[:24]]  # not the bytes themselves
        found, _, problems = play(STEALS.replace("HIDDEN", str(secret)))
        assert problems == []
        return float(found)

    images = shown()[0].flatten()
    middle = int((images > 0).nonzero()[100])
    assert times(network()[1].weight[3]) == times(torch.rand(10)) < times(images[middle:])


@isolated
def test_forged_frames_win_no_queries_and_no_place():
    """Its code may write on the pipe whatever it likes: each question is counted, and a reply is only an answer."""
    body = (
        "from grader.inside import wire\n"
        "ask = model.ask\n"
        "for kind in ('logits', 'weights', 'labels', 'refill'):\n"
        "    ask({'do': kind, 'x': x, 'left': 10 ** 9, 'budget': 10 ** 9})\n"
        "model.left = 10 ** 9\n"
        "for _ in range(9): ask({'do': 'logits', 'x': x})\n"
        "return x"
    )
    _, oracle, problems = play(body, budget=40)
    assert oracle.left == 0 and oracle.asked <= 40 and oracle.draws == 5 and problems == []


@isolated
def test_an_answer_that_is_random_beyond_its_seed_does_not_count():
    body = "import os\ntorch.manual_seed(int.from_bytes(os.urandom(4), 'big'))\nreturn x - eps * x * torch.rand_like(x)"
    entry = entry_of(attack(body), ".ipynb")
    made = BREAK_IT.judge(entry, untrained(), 5)
    assert made["against"] == ["gave other images when it was run again with the same seed"]


def untrained():
    """As the challenge hides it, with untrained networks."""
    state = small_cnn(load("digits")).cpu().state_dict()
    found = {f"{kind}.{name}": value for kind in ("usual", "hardened") for name, value in state.items()}
    for name in ("undefended", "quantised", "noisy", "saturated", "trained"):
        found[f"x.{name}"], found[f"y.{name}"] = held_out(10, 1)
    return found


# The other challenges.


def judged(challenge, source: str, hidden=None, given: str = "import os, torch"):
    """The judgement of an entry with this code."""
    return challenge.judge(code_entry(given, source), hidden or challenge.hide(4), 5)


def ranked(challenge, names: list[str], hidden=None) -> list:
    """The scores of some of our own entries, each of which must be honest."""
    hidden, entries, found = hidden or challenge.hide(4), challenge.ours(), []
    for name in names:
        made = challenge.judge(entries[name], hidden, 5)
        assert made["against"] == made["problems"] == []
        found.append(rate_of(made["score"]))
    return found


@isolated
def test_remember_me_finds_members_by_shadows_and_not_by_luck():
    luck, confident, lira = ranked(REMEMBER_ME, ["luck", "confidence", "LiRA, 32 shadows"])
    assert luck.interval[0] < 0.01 < luck.interval[1]
    assert lira.clearly_above(confident)


ACCUSE = "def accuse(model, x, y):\n    "


@isolated
@pytest.mark.parametrize(
    "source, against, problem",
    [
        (
            ACCUSE + "return torch.rand(len(x), generator=torch.Generator().manual_seed(os.getrandom(1)[0]))",
            "again",
            "",
        ),
        (ACCUSE + "try: os.listdir('/proc/1')\n    except OSError: pass\n    return torch.rand(len(x))", "/proc/1", ""),
        (ACCUSE + "return torch.rand(5)", "", "a finite score for each"),
        (ACCUSE + "return torch.full((len(x),), torch.nan)", "", "a finite score for each"),
        (ACCUSE + "return {1: 5, 'a': print, (2,): [object()]}", "", "a finite score for each"),
        (ACCUSE + "return [1.0] * len(x)", "", "a finite score for each"),
        (ACCUSE + "for _ in range(30): model(x)", "", "budget of 28,000 queries"),
        ("def acuse(model, x, y):\n    return x", "", "accuse is not defined"),
    ],
)
def test_remember_me_takes_scores_and_nothing_else(source, against, problem, members):
    made = judged(REMEMBER_ME, source, members)
    assert against in " ".join(made["against"]) and problem in " ".join(made["problems"])
    assert bool(against) == bool(made["against"]) and bool(problem) == bool(made["problems"])
    assert made["score"][0] == 0 or against


@pytest.fixture(scope="module")
def members() -> dict:
    return REMEMBER_ME.hide(4)


@isolated
def test_attack_or_drift_wants_alarms_and_names():
    never, one, both = ranked(ATTACK_OR_DRIFT, list(ATTACK_OR_DRIFT.ours()))
    assert both.clearly_above(one) and one.clearly_above(never)


WATCH = "def attack_or_drift(calm, examples, streams):\n    "


@isolated
@pytest.mark.parametrize(
    "source, against, problem",
    [
        (WATCH + "t = streams.sum(1).argmax(1)\n    return t, ['evasion'] * len(t)", "the future", ""),
        (
            WATCH + "late = streams[:, 3, 350:].mean(1) > 0.1\n"
            "    return torch.full((len(late),), 100), ['evasion' if one else 'faded' for one in late]",
            "the future",
            "",
        ),
        (WATCH + "t = torch.full((len(streams),), os.getrandom(1)[0])\n    return t, ['faded'] * len(t)", "again", ""),
        (WATCH + "return [500] * len(streams), [''] * len(streams)", "", "a time from 0 to 399"),
        (WATCH + "return [-1], ['']", "", "a time from 0 to 399"),
        (WATCH + "return 5", "", "a time from 0 to 399"),
        (WATCH + "return [{}] * len(streams), [5] * len(streams)", "", "a time from 0 to 399"),
        (WATCH + "return [10 ** 30] * len(streams), [''] * len(streams)", "", "a time from 0 to 399"),
        (WATCH + "return {1: 5, 'a': print, (2,): [object()]}", "", "a time from 0 to 399"),
        (WATCH + "return 1 / 0", "", "ZeroDivisionError"),
    ],
)
def test_attack_or_drift_knows_no_future(source, against, problem):
    made = judged(ATTACK_OR_DRIFT, source)
    assert against in " ".join(made["against"]) and problem in " ".join(made["problems"])
    assert bool(against) == bool(made["against"]) and bool(problem) == bool(made["problems"])


def weights(network: str = "small_cnn", wrapper: str = "none", change=lambda state: state, **header) -> bytes:
    torch.manual_seed(0)
    state = defend_it.NETWORKS.get(network, defend_it.mlp)(load("digits")).cpu().state_dict()
    return safetensors.torch.save(change(dict(state)), {"network": network, "wrapper": wrapper} | header)


REFUSED = {
    "a pickle": (pickle.dumps({"a": 1}), "no safetensors file"),
    "nothing": (b"", "no safetensors file"),
    "half of a file": (weights()[:500], "no safetensors file"),
    "a header that is no JSON": ((8).to_bytes(8, "little") + b"{{{{{{{{", "no safetensors file"),
    "no header": (safetensors.torch.save({"a": torch.zeros(3)}), "must name a network"),
    "another network": (weights("resnet"), "must name a network"),
    "another wrapper": (weights(wrapper="__import__('os')"), "must name a network"),
    "other names": (weights(change=lambda state: state | {"more": torch.zeros(3)}), "not those of small_cnn"),
    "other shapes": (weights(change=lambda s: s | {"1.bias": torch.zeros(3)}), "not those of small_cnn"),
    "other numbers": (weights(change=lambda s: s | {"1.bias": s["1.bias"].half()}), "not those of small_cnn"),
    "NaN": (weights(change=lambda s: s | {"1.bias": s["1.bias"] * torch.nan}), "NaN"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_defend_it_opens_safetensors_of_its_networks_and_nothing_else(what):
    content, why = REFUSED[what]
    made = DEFEND_IT.judge(entry_of(content, ".safetensors"), {"x": torch.rand(4, 1, 8, 8), "y": torch.arange(4)}, 5)
    assert made["score"][0] == 0 and why in made["against"][0]


@pytest.mark.parametrize("wrapper", networks.WRAPPERS)
def test_each_wrapper_makes_a_model(wrapper):
    model, what = defend_it.defense_of(weights(wrapper=wrapper))
    assert model(torch.rand(3, 1, 8, 8)).shape == (3, 10) and wrapper in what


def test_defend_it_lets_training_win_and_shows_what_masks_hide(tmp_path, monkeypatch):
    """From files to the board, on fewer images."""
    monkeypatch.setattr(defend_it, "DEFENDED_IMAGES", 60)
    ours = DEFEND_IT.ours()
    files = {f"{name}/defense.safetensors": base64.b64decode(entry["weights"]) for name, entry in ours.items()}
    del files["noise/defense.safetensors"]  # which is nearly as good, and flagged
    source = handed_in(tmp_path / "in", files | {"gus/weights.safetensors": pickle.dumps(5), "gus/lab.ipynb": b"{}"})
    said = run_challenge(DEFEND_IT._replace(ours=dict), source, tmp_path / "board", key="k", jobs=2)
    rows = table(tmp_path / "board" / "public" / "defend_it.csv")
    assert next(iter(rows)) == "adversarial training" and list(rows)[-1] == "gus" and rows["gus"]["counts"] == "no"
    assert float(rows["adversarial training"]["low"]) > float(rows["undefended"]["high"])
    assert "vanishing gradients" in rows["quantised"]["check-up"] and rows["undefended"]["check-up"] == "no flag"
    assert "no safetensors file" in said and "lab.ipynb: does not end in .safetensors" in said


# The board.


def record(team: str, k: int, against: str = "", ours: bool = False, n: int = 100) -> dict:
    made = {"score": score_of(Rate(k, n)), "shown": {"<b>bold</b>": "<i>x</i>"}, "against": [against] * bool(against)}
    made |= {"problems": [], "digest": "", "isolation": []}
    return {"team": team, "id": "", "ours": ours, "judgement": made, "failed": "", "file": "f", "seconds": 1.0}


def test_two_teams_of_one_name_are_two():
    records = [record("anna", 90) | {"id": "7"}, record("anna", 60) | {"id": "9"}, record("anna", 50) | {"id": "9"}]
    rows = board_rows(DEFEND_IT, records, best_of_teams(records, DEFEND_IT), [])
    assert [(row["team"], row["rate"].k, row["entries"]) for row in rows] == [("anna (7)", 90, 1), ("anna (9)", 60, 2)]


def test_teams_that_no_interval_tells_apart_share_a_rank():
    records = [record(team, k) for team, k in (("a", 90), ("b", 88), ("c", 60), ("d", 58), ("e", 20))]
    for challenge, order in ((DEFEND_IT, "abcde"), (BREAK_IT, "edcba")):
        rows = board_rows(challenge, records, best_of_teams(records, challenge), [])
        assert "".join(row["team"] for row in rows) == order
    ranks = [row["rank"] for row in board_rows(DEFEND_IT, records, records, [])]
    assert ranks == [1, 1, 3, 3, 5]


def test_a_teams_best_entry_counts_and_one_that_does_not_count_is_none():
    records = [record("a", 70), record("a", 99, "cheats"), record("a", 80), record("b", 99, "cheats")]
    rows = board_rows(DEFEND_IT, records, best_of_teams(records, DEFEND_IT), [])
    assert [(row["team"], row["rate"].k, row["counts"]) for row in rows] == [("a", 80, True), ("b", 99, False)]
    assert not rows[1]["rank"] and rows[0]["entries"] == 3


def test_at_the_end_the_private_part_decides_for_the_entry_that_was_best_in_public():
    public = [record("a", 95), record("b", 70)]
    rows = board_rows(DEFEND_IT, public, public, [record("a", 40), record("b", 71)])
    assert [(row["team"], row["rate"].k) for row in rows] == [("b", 71), ("a", 40)]


def test_the_page_shows_what_teams_wrote_as_text_alone(tmp_path):
    """And says in words what else would be a colour; each cell has its heads, as a screen reader needs them."""
    records = [record("<script>alert(1)</script>", 90), record("=1+1", 10, "cheats")]
    (tmp_path / "private").mkdir()
    write_board(DEFEND_IT, records, records, [], [], tmp_path)
    page = (tmp_path / "public" / "defend_it.html").read_text()
    assert "<script" not in page and "<b>" not in page and "<i>" not in page and "does not count" in page
    assert 'lang="en"' in page and "<caption>" in page and page.count('scope="row"') == 2
    assert (
        page.count('scope="col"') == 5
        and "<title>" in page
        and "'=1+1" in (tmp_path / "public" / "defend_it.csv").read_text()
    )


def test_what_was_judged_is_kept_and_a_better_entry_of_before_still_counts(tmp_path, monkeypatch, in_this_process):
    """And what changes the judging has all judged again, from the records."""
    seen = []

    def judge(entry, hidden, seed):
        seen.append(entry["cells"][0])
        return record("x", int(entry["cells"][0]))["judgement"]

    challenge = BREAK_IT._replace(hide=lambda seed: {"x": torch.zeros(1)}, ours=dict, judge=judge)
    first, second = (
        handed_in(tmp_path / name, {"anna.ipynb": notebook([score])}) for name, score in (("1", "30"), ("2", "50"))
    )
    monkeypatch.setitem(frame.CHALLENGES, "break_it", challenge)
    run_challenge(challenge, first, tmp_path / "board", key="k")
    run_challenge(challenge, first, tmp_path / "board", key="k")
    assert seen == ["30"]
    run_challenge(challenge, second, tmp_path / "board", key="k")
    assert seen == ["30", "50"]
    row = table(tmp_path / "board" / "public" / "break_it.csv")["anna"]
    assert row["entries"] == "2" and row["k"] == "30", "less is better here, and the first file is gone"
    monkeypatch.setattr(frame, "what_judges", lambda challenge: "other code")
    run_challenge(challenge, second, tmp_path / "board", key="k")
    assert sorted(seen[2:]) == ["30", "50"]


def test_an_entry_that_could_not_be_judged_is_named_and_tried_again(tmp_path, monkeypatch, in_this_process):
    def judge(entry, hidden, seed):
        raise RuntimeError("our mistake")

    challenge = BREAK_IT._replace(hide=lambda seed: {"x": torch.zeros(1)}, ours=dict, judge=judge)
    monkeypatch.setitem(frame.CHALLENGES, "break_it", challenge)
    source = handed_in(tmp_path / "in", {"anna.ipynb": notebook(["5"]), "ben.ipynb": b"no JSON"})
    said = run_challenge(challenge, source, tmp_path / "board", key="k")
    assert "COULD NOT BE JUDGED" in said and "our mistake" in said and "ben.ipynb: the file is not a notebook" in said
    better = challenge._replace(judge=lambda entry, hidden, seed: record("x", 5)["judgement"])
    monkeypatch.setitem(frame.CHALLENGES, "break_it", better)
    assert "anna: 5/100" in run_challenge(better, source, tmp_path / "board", key="k")


def test_a_key_makes_all_that_is_hidden(tmp_path):
    """Another key, part or entry draws other seeds; the key itself is made once, for its owner's eyes."""
    hidden = [REMEMBER_ME.hide(seed)["members"] for seed in (1, 1, 2)]
    assert torch.equal(hidden[0], hidden[1]) and not torch.equal(hidden[0], hidden[2])
    streams = [ATTACK_OR_DRIFT.hide(seed)["begins"] for seed in (1, 1, 2)]
    assert torch.equal(streams[0], streams[1]) and not torch.equal(streams[0], streams[2])
    images = [DEFEND_IT.hide(seed)["x"] for seed in (1, 1, 2)]
    assert torch.equal(images[0], images[1]) and not torch.equal(images[0], images[2])


def test_no_image_that_is_judged_on_is_one_of_the_data():
    x, _ = held_out(397, 3)
    known = load("digits")
    assert all(float((image - split.x.cpu()).abs().amax((1, 2, 3)).min()) > 0 for image in x for split in known[1:3])


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["challenge", "break_it", "--from", "FOLDER", "--to", "BOARD"], "holds no entry"),
        (["challenge", "break_it", "--from", "NOWHERE", "--to", "BOARD"], "there is no folder or zip"),
        (["challenge", "break_it", "--again", "NOWHERE"], "no record of a challenge"),
        (["challenge", "break_it"], ""),
        (["challenge", "brake_it", "--from", "FOLDER", "--to", "BOARD"], ""),
    ],
)
def test_the_command_says_what_is_wrong(arguments, said, tmp_path, capsys):
    (tmp_path / "FOLDER").mkdir()
    places = [str(tmp_path / word) if word.isupper() else word for word in arguments]
    with pytest.raises(SystemExit) as left:
        main(places)
    assert said in str(left.value) and left.value.code not in (0, None)


@needs_browser
def test_axe_finds_no_barrier_on_the_board(tmp_path):
    """Against WCAG 2.1 AA, in Chromium; the final board, which has most columns."""
    records = [record(f"team {i}", 30 + i, ours=i % 3 == 0) for i in range(20)]
    (tmp_path / "private").mkdir()
    write_board(DEFEND_IT, records, records, records, [], tmp_path)
    with chromium() as browser, served(tmp_path / "public") as address:
        page = browser.new_page()
        page.goto(f"{address}defend_it.html")
        assert barriers(page) == []
