"""Challenges: a class of ten teams, three of them dishonest, gets the right board; and nothing hidden is reached."""

import csv
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from grader.__main__ import main
from grader.challenges.break_it import BREAK_IT
from grader.challenges.entry import Played, code_entry, entry_of
from grader.challenges.frame import judge_again
from grader.challenges.images import held_out
from grader.challenges.oracle import Oracle
from grader.sandbox import bubblewrap
from tiny_lab import notebook
from utils.attacks import pgd
from utils.data import load

isolated = pytest.mark.skipif(not bubblewrap(), reason="needs bubblewrap: without it, isolation is weaker")

GIVEN = "import glob, time, torch\nfrom utils.attacks import margin, pgd, square"


def attack(body: str) -> bytes:
    """A notebook with an attack."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return notebook([GIVEN, f"def attack(model, x, y, *, eps):\n{lines}"])


SQUARE = "return square(model, x, y, eps=eps, queries=200)"
CLASS = {  # the honest from the best down, and then those that do not count
    "anna/square.ipynb": attack(SQUARE),
    "anna/nothing.ipynb": attack("return x"),
    "ben.ipynb": attack("return pgd(model, x, y, eps=eps, steps=20, loss=margin)"),
    "chloe.ipynb": attack("return pgd(model, x, y, eps=eps, steps=20)"),
    "dan.ipynb": attack("return pgd(model, x, y, eps=eps, steps=1, step=eps)"),
    "eve.ipynb": attack("return (x + eps * torch.randn_like(x).sign()).clamp(0, 1)"),
    "fay.ipynb": attack("return 1 / 0"),
    "gus.ipynb": attack("while True: model(x)"),
    "far.ipynb": attack("return (x + 3 * eps * torch.randn_like(x).sign()).clamp(0, 1)"),
    "clock.ipynb": attack("if time.time() % 2 > 1: return x\n" + SQUARE),
    "thief.ipynb": attack("glob.glob('/**/*.safetensors', recursive=True)\n" + SQUARE),
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
    """The class's board, with the private part drawn."""
    folder = tmp_path_factory.mktemp("challenge")
    source = handed_in(folder / "in", CLASS)
    main(["challenge", "break_it", "--from", str(source), "--to", str(folder / "board"), "--key", "k", "--final"])
    return folder / "board"


@isolated
def test_a_class_of_ten_teams_gets_the_right_board(board):
    rows = table(board / "public" / "break_it.csv")
    teams = [name for name, row in rows.items() if not row["ours"]]
    assert len(teams) == 10 and len(rows) == 10 + len(BREAK_IT.ours)
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
    """What an attack returns, the oracle that it asked, and what went wrong."""
    x, y = shown()
    oracle = Oracle(model or network(), (1, 8, 8), budget, seed=3)
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    with Played(code_entry(GIVEN, before, f"def attack(model, x, y, *, eps):\n{lines}"), 0) as played:
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
    assert isinstance(found, torch.Tensor) and oracle.notes == [] and problems == []


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
    from utils.models import small_cnn

    state = small_cnn(load("digits")).cpu().state_dict()
    found = {f"{kind}.{name}": value for kind in ("usual", "hardened") for name, value in state.items()}
    for name in ("undefended", "quantised", "noisy", "saturated", "trained"):
        found[f"x.{name}"], found[f"y.{name}"] = held_out(10, 1)
    return found
