"""The audit: its bound on epsilon, its verdicts, what it reads and refuses, its command, and the ids on its card."""

import copy
import json
import math
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_model
from torch import nn

from run import LESSONS, ROOT
from utils.audit import ROWS, audit_model, card_data, card_html, card_page, read_claims, read_data, read_model
from utils.audit.__main__ import main
from utils.audit.measure import compare, plain
from utils.data import load
from utils.evaluation import Rate
from utils.models import mlp
from utils.privacy import one_run_eps
from utils.training import fit

VENDOR = LESSONS / "vendor"
PINNED = Path(__file__).parent / "pinned"


# The bound on epsilon from one run.


@pytest.mark.parametrize("eps", [0.2, 1.0, 3.0])
def test_one_run_eps_stays_below_the_truth_as_often_as_promised(eps):
    """Randomised response is the tightest case: its answers are right with just the probability of the theorem."""
    right = np.random.default_rng(0).binomial(200, 1 / (1 + math.exp(-eps)), 2000)
    found = np.array([one_run_eps(int(k), 200, 400, 0.0) for k in range(201)])[right]
    wrong = Rate(int((found > eps).sum()), len(found))
    assert wrong.interval[0] <= 0.05, f"promised at most 5 %, wrong in {wrong}"
    assert found.mean() > 0.3 * eps - 0.1, "a straw man: it never says anything"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.data())
def test_one_run_eps_rises_with_right_guesses_and_falls_with_delta(guesses, data):
    right = data.draw(st.integers(1, guesses))
    here = one_run_eps(right, guesses, 2 * guesses, 1e-6)
    assert here >= one_run_eps(right - 1, guesses, 2 * guesses, 1e-6) - 1e-5
    assert here >= one_run_eps(right, guesses, 2 * guesses, 1e-3) - 1e-5
    assert here >= one_run_eps(right, guesses, 2 * guesses, 1e-6, failure_prob=0.01) - 1e-5


def test_one_run_eps_by_hand():
    """Without delta, 60 right of 60: the epsilon at which that has probability 5 %."""
    assert math.isclose(
        one_run_eps(60, 60, 100, 0.0), math.log(0.05 ** (1 / 60) / (1 - 0.05 ** (1 / 60))), rel_tol=1e-5
    )
    assert one_run_eps(30, 60, 100, 0.0) == 0
    with pytest.raises(ValueError, match="right <= guesses"):
        one_run_eps(5, 4, 10, 0.0)


# Verdicts.


@pytest.mark.parametrize(
    ("claimed", "rate", "attack", "verdict"),
    [
        (0.90, Rate(99, 100), False, "holds"),
        (0.99, Rate(99, 100), False, "open"),
        (0.99, Rate(90, 100), False, "refuted"),
        (0.50, Rate(99, 100), True, "open"),  # an attack proves nothing
        (0.50, Rate(10, 100), True, "refuted"),
    ],
)
def test_a_claimed_share_is_judged_by_the_interval(claimed, rate, attack, verdict):
    assert compare("x", claimed, rate, attack=attack).verdict == verdict


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def honest(digits):
    torch.manual_seed(0)
    return fit(mlp(digits, 64), digits.train, updates=150)


@pytest.fixture(scope="module")
def found(honest, digits):
    claims = {"accuracy": 0.5, "eps": 0.02, "robust_accuracy": 0.1, "certified_accuracy": 1.0, "sigma": 0.25}
    claims |= {"radius": 0.5, "privacy_eps": 50, "privacy_delta": 1e-5, "name": "<b>it</b>"}
    before = [p.clone() for p in honest.parameters()]
    torch.manual_seed(5)
    number = torch.rand(1)
    torch.manual_seed(5)
    how = {"eps": 0.02, "train": digits.train, "copy": mlp(digits), "claims": claims, "n": 30, "name": "<b>it</b>"}
    torch.manual_seed(5)
    done = audit_model(honest, digits.test, **how)
    assert torch.equal(torch.rand(1), number), "the caller's random numbers have moved"
    assert all(torch.equal(a, b) for a, b in zip(before, honest.parameters(), strict=True))
    assert not any(p.grad is not None for p in honest.parameters())
    return done


def test_an_honest_model_keeps_its_claims(found):
    verdicts = {claim.text: claim.verdict for claim in found.claims}
    assert list(verdicts.values()) == ["holds", "open", "open", "open"], verdicts
    assert found.refuted == []
    assert found.worst <= min(found.queries.values()) and found.worst.n == 30 and found.accuracy.n == 397


def test_the_vendors_model_is_caught(digits):
    """What lesson 14 finds: PGD alone believes the brochure, the audit refutes it."""
    claims, data = read_claims(VENDOR / "claims.json"), read_data(VENDOR / "data.npz")
    model = read_model(f"{VENDOR}/model.py:build", VENDOR / "model.safetensors")
    done = audit_model(model, data.test, eps=claims["eps"], train=data.train, claims=claims, n=100)
    assert [claim.verdict for claim in done.claims] == ["holds", "refuted", "refuted"]
    assert done.checkup.flags and done.checkup.left["40 steps, cross-entropy"] > 0.8
    assert done.copied is None and "not measured" in card_page(done)


def test_a_model_that_saw_none_of_the_data_is_not_accused(honest, digits):
    """Members and others from the same held-out half: a bound above 0 in at most 5 % of such audits, here none."""
    first, second = (type(digits.test)(digits.test.x[i::2], digits.test.y[i::2]) for i in (0, 1))
    done = audit_model(honest, first, eps=0.02, train=second, n=10)
    assert done.membership["privacy_eps"] == 0 and 0.4 < done.membership["auc"] < 0.6


@pytest.mark.parametrize(
    ("claims", "eps", "word"),
    [
        ({"accurracy": 0.9}, 0.1, "cannot judge"),
        ({"accuracy": "high"}, 0.1, "must be a number"),
        ({"accuracy": 95}, 0.1, "share between 0 and 1"),
        ({"accuracy": math.nan}, 0.1, "must be a number"),
        ({"accuracy": True}, 0.1, "must be a number"),
        ({"certified_accuracy": 0.5}, 0.1, "sigma and radius"),
        ({"robust_accuracy": 0.5, "eps": 0.3}, 0.1, "audit at that eps"),
        ({"robust_accuracy": 0.5}, 0.1, "needs eps"),
        ({"privacy_eps": 1.0}, 0.1, "needs privacy_delta"),
        ({"privacy_eps": 1.0, "privacy_delta": 3}, 0.1, "probability below 1"),
    ],
)
def test_claims_that_cannot_be_judged(honest, digits, claims, eps, word):
    with pytest.raises(ValueError, match=word):
        audit_model(honest, digits.test, eps=eps, claims=claims, n=10)


def test_a_certificate_refutes_nothing(digits):
    """A model that always says 3 is certain at any radius; so many votes cannot prove the one that is claimed."""

    class Three(nn.Module):
        def forward(self, x):
            return nn.functional.one_hot(torch.full((len(x),), 3), 10).float() + 0 * x.flatten(1)[:, :1]

    threes = type(digits.test)(digits.test.x[:40], torch.full((40,), 3))
    claims = {"certified_accuracy": 0.99, "sigma": 0.25, "radius": 0.7}
    done = audit_model(Three(), threes, eps=0.02, claims=claims, n=20)
    assert [claim.verdict for claim in done.claims] == ["open"] and done.certified["rate"] == 0
    near = audit_model(Three(), threes, eps=0.02, claims=claims | {"radius": 0.1, "certified_accuracy": 0.8}, n=20)
    assert [claim.verdict for claim in near.claims] == ["holds"]


@pytest.mark.parametrize("kind", ["no gradient", "probabilities", "a tuple", "float64"])
def test_models_of_other_habits_are_audited(honest, found, digits, kind):
    """What lesson 05's check-up takes, the audit takes; the result is that of the plain model, but for rounding."""

    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = copy.deepcopy(honest).double() if kind == "float64" else honest

        def forward(self, x):
            said = self.inner(x)
            return {"no gradient": said.detach(), "probabilities": said.softmax(1), "a tuple": (said, 1)}.get(
                kind, said
            )

    done = audit_model(Other(), digits.test, eps=0.05, n=20)
    assert done.accuracy.k - found.accuracy.k in (-1, 0, 1)
    assert done.worst <= done.accuracy and 0 < done.monitor["temperature"] < 10


def test_a_model_whose_answers_are_no_numbers(digits):
    class Broken(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10] / 0

    with pytest.raises(ValueError, match="NaN or infinity"):
        audit_model(Broken(), digits.test, eps=0.1)


def test_a_model_that_answers_with_labels(honest, digits):
    """What it lacks is said of it: it does not know two classes only."""

    class Labels(nn.Module):
        def forward(self, x):
            return honest(x).argmax(1)

    with pytest.raises(ValueError, match=r"one number for each input.*give logits \(N, classes\)"):
        audit_model(Labels(), digits.test, eps=0.1)


@pytest.mark.parametrize("fails", [lambda x: {}["layer7"], lambda x: x @ x.new_zeros(3, 3), lambda x: sys.exit(0)])
def test_a_model_that_fails_is_named_with_its_line_and_the_shape(digits, fails):
    class Failing(nn.Module):
        def forward(self, x):
            return fails(x)

    line = fails.__code__.co_firstlineno
    kind = r"(KeyError: 'layer7'|RuntimeError: .+|SystemExit: 0)"
    said = rf"model failed on inputs of shape \(N, 1, 8, 8\): {kind} \(test_audit.py:{line}\)$"
    with pytest.raises(ValueError, match=said) as problem:
        audit_model(Failing(), digits.test, eps=0.1)
    assert isinstance(problem.value.__cause__, (KeyError, RuntimeError, SystemExit))


def test_no_line_of_a_library_is_blamed(digits):
    """Three channels for one, in a model of torch's layers only: torch's words, and no file of torch."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(288, 10))
    with pytest.raises(ValueError, match=r"shape \(N, 1, 8, 8\): RuntimeError: Given groups=1.*instead$"):
        audit_model(model, digits.test, eps=0.1)


# The card.


def test_every_id_is_in_the_pinned_lists():
    for field in ("atlas", "nist", "owasp"):
        [file] = PINNED.glob(f"{field}*.txt")
        listed = {line for line in file.read_text().splitlines() if not line.startswith("#")}
        used = [name for row in ROWS for name in getattr(row, field)]
        assert used and set(used) <= listed, f"not in {file.name}: {set(used) - listed}"
    tops = {name.partition(" ")[0] for row in ROWS for name in row.owasp}
    assert tops == {f"ML{i:02}:2023" for i in (1, 2, 3, 4, 5, 6, 8, 10)}, "07 and 09 are no matter of one classifier"


def test_the_card_says_what_was_measured(found):
    machine = json.loads(json.dumps(card_data(found)))
    assert machine["measured"]["worst"]["k"] == found.worst.k and len(machine["threats"]) == len(ROWS)
    attacks = machine["measured"]["attacks"]
    names = ["pgd", "apgd", "square", "apgd_t", "square", "rays"]
    assert attacks and [one["attack"] for one in attacks] == names[: len(attacks)]
    assert attacks[0]["tried"] - sum(one["fallen"] for one in attacks) >= found.worst.k  # other attacks may find more
    people = card_page(found)
    assert str(found.worst) in people and str(found.certified["rate"]) in people
    for row in ROWS:
        assert all(name in people for name in (*row.atlas, *row.nist, *row.owasp))


def test_the_card_holds_no_markup_of_others_and_loads_nothing(found):
    people = card_page(found)
    assert "<b>it</b>" not in people and "&lt;b&gt;it&lt;/b&gt;" in people
    assert not re.search(r"<script|src=|href=|url\(", people)
    assert card_html(found) in people and len(people) < 30_000
    styled = re.findall(r"(?m)([^{}\n]+)\{", re.search(r"(?s)<style>(.*?)</style>", card_html(found))[1])
    outside = [rule for rule in styled if ".security-card" not in rule and "@media" not in rule]
    assert not outside, f"these rules would style the reader's notebook: {outside}"


def test_a_vendors_claim_is_a_claim_of_no_lesson():
    said = compare("accuracy 0.9", 0.9, Rate(50, 100))
    assert (said.lesson, said.verdict) == ("–", "refuted") and "refuted" in said._repr_html_()
    assert plain(said) == {"text": "accuracy 0.9", "verdict": "refuted", "because": f"measured: {Rate(50, 100)}"}


# What is read.


SMALL = "from torch import nn\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(63, 10))\n"
THREE = "from torch import nn\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))\n"


class Trap:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.fixture
def folder(tmp_path, honest):
    """A model of one's own, as a user would lay it out."""
    code = "from torch import nn\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    (tmp_path / "model.py").write_text(code + "def wrong():\n    return 3\n")
    save_model(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), str(tmp_path / "right.safetensors"))
    save_model(nn.Linear(3, 3), str(tmp_path / "other.safetensors"))
    x, y = np.random.default_rng(0).random((40, 8, 8), np.float32), np.arange(40) % 10
    np.savez(tmp_path / "data.npz", x_test=x, y_test=y)
    return tmp_path


def test_nothing_is_unpickled(folder):
    """A pickle is not opened under any name, nor an array of objects."""
    sprung = folder / "sprung"
    for name in ("weights.pt", "weights.pkl", "weights.safetensors", "weights.npz"):
        (folder / name).write_bytes(pickle.dumps(Trap(sprung)))
    objects = np.empty(1, object)
    objects[0] = Trap(sprung)
    np.savez(folder / "objects.npz", x_test=objects, y_test=np.zeros(1, int))
    for name in ("weights.pt", "weights.pkl", "weights.safetensors"):
        with pytest.raises(ValueError, match=r"pickle|do not fit"):
            read_model(f"{folder}/model.py:build", folder / name)
    for name in ("weights.npz", "objects.npz"):
        with pytest.raises(ValueError, match="cannot use"):
            read_data(folder / name)
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("spec", "weights", "word"),
    [
        ("model.py", None, "FILE.py:FUNCTION"),
        ("none.py:build", None, "there is no file"),
        ("model.py:missing", None, "no function"),
        ("model.py:wrong", None, "not an nn.Module"),
        ("model.py:build", "none.safetensors", "there is no file"),
        ("model.py:build", "other.safetensors", "do not fit"),
    ],
)
def test_a_model_that_cannot_be_read(folder, spec, weights, word):
    with pytest.raises((ValueError, FileNotFoundError), match=word):
        read_model(f"{folder}/{spec}", weights and folder / weights)


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"x": np.zeros(3)}, "must hold x_test"),
        ({"x_test": np.zeros((3, 2)), "y_test": np.zeros(2, int)}, "do not fit"),
        ({"x_test": np.zeros((3, 2)), "y_test": np.zeros(3)}, "do not fit"),
        ({"x_test": np.full((3, 2), 2.0), "y_test": np.zeros(3, int)}, r"lie in \[0, 1\]"),
        ({"x_test": np.full((3, 2), np.nan), "y_test": np.zeros(3, int)}, r"lie in \[0, 1\]"),
        ({"x_test": np.zeros((3, 2)), "y_test": -np.ones(3, int)}, "from 0"),
        ({"x_test": np.zeros((3, 2), np.int64), "y_test": np.zeros(3, int)}, "floats"),
        ({"x_test": np.zeros((3, 2)), "y_test": np.zeros(3, int), "x_train": np.zeros((3, 2))}, "both or neither"),
        ({"x_test": np.zeros((3, 2)), "y_test": np.zeros(3, int), "y_train": np.zeros(3, int)}, "both or neither"),
    ],
)
def test_data_that_cannot_be_read(tmp_path, arrays, word):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ValueError, match=word):
        read_data(tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((5, 7), (5, 7)),
        ((5, 8, 9), (5, 1, 8, 9)),
        ((5, 8, 9, 1), (5, 1, 8, 9)),
        ((5, 8, 9, 3), (5, 3, 8, 9)),
        ((5, 3, 8, 9), (5, 3, 8, 9)),
        ((5, 1, 8, 1), (5, 1, 8, 1)),
    ],
)
def test_images_become_channels_first(tmp_path, shape, wanted):
    np.savez(tmp_path / "data.npz", x_test=np.zeros(shape, np.uint8), y_test=np.arange(5))
    assert read_data(tmp_path / "data.npz").test.x.shape == wanted


def test_weights_that_are_tied_and_files_beside_the_model(tmp_path):
    (tmp_path / "layers.py").write_text("from torch import nn\ndef layer():\n    return nn.Linear(4, 4)\n")
    code = "from torch import nn\nfrom layers import layer\ndef build():\n    model = nn.Sequential(layer(), layer())\n"
    (tmp_path / "tied.py").write_text(code + "    model[1].weight = model[0].weight\n    return model\n")
    model = read_model(f"{tmp_path}/tied.py:build")
    save_model(model, str(tmp_path / "tied.safetensors"))
    again = read_model(f"{tmp_path}/tied.py:build", tmp_path / "tied.safetensors")
    assert again[0].weight is again[1].weight and torch.equal(again[0].weight, model[0].weight)


def test_bytes_are_divided_by_255(tmp_path):
    x, y = np.full((3, 2), 255, np.uint8), np.array([0, 1, 4])
    np.savez(tmp_path / "data.npz", x_test=x, y_test=y, x_train=x[:1], y_train=y[:1])
    data = read_data(tmp_path / "data.npz")
    assert data.test.x.max() == 1 and len(data.train.y) == 1 and len(data.classes) == 5


# The command.


def test_the_command_audits_a_model_of_ones_own(folder):
    """In a shell, from another folder, as the README says."""
    command = [sys.executable, "-m", "utils.audit", "model.py:build", "--weights", "right.safetensors"]
    command += ["--data", "data.npz", "--inputs", "20", "--to", "out"]
    where = {"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"}  # no threads that wait for a busy core
    done = subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    assert json.loads((folder / "out" / "card.json").read_text())["model"] == "model"
    assert "not measured: no training data" in (folder / "out" / "card.html").read_text()


@pytest.mark.parametrize(
    ("claims", "code"), [('{"accuracy": 0.99}', 1), ('{"accuracy": 0.0}', 0), ("[1]", 2), ("{", 2), ('{"oops": 1}', 2)]
)
def test_the_command_ends_with_what_it_found(folder, claims, code, capsys):
    (folder / "claims.json").write_text(claims)
    words = [f"{folder}/model.py:build", "--data", f"{folder}/data.npz", "--claims", f"{folder}/claims.json"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--inputs", "5", "--to", f"{folder}/out"])
    assert end.value.code == code
    assert "Traceback" not in capsys.readouterr().err


LATER = "from torch import nn\nclass Later(nn.Linear):\n    def forward(self, x):\n"
LATER += "        if x.requires_grad:\n            {}\n        return super().forward(x.flatten(1))\n"
LATER += "def build():\n    return Later(64, 10)"


@pytest.mark.parametrize(
    ("code", "said_of_it"),
    [
        ("def build(:", "model.py failed when it was run: SyntaxError: "),
        ("import no_such_package", "No module named 'no_such_package' (model.py:1)"),
        ("def build():\n    raise RuntimeError('no disk')", "failed: RuntimeError: no disk (model.py:2)"),
        ("def build():\n    raise ValueError('bad config')", "failed: ValueError: bad config (model.py:2)"),
        (SMALL, "the model failed on inputs of shape (N, 1, 8, 8): RuntimeError: "),
        (THREE, "a label is 9, and the model knows 3 classes"),
        ("import sys\nsys.exit(0)", "model.py failed when it was run: SystemExit: 0 (model.py:2)"),
        ("def build():\n    raise SystemExit('usage')", "failed: SystemExit: usage (model.py:2)"),
        (LATER.format("raise SystemExit(0)"), "SystemExit: 0 (model.py:5)"),  # first under attack
        (LATER.format("raise ValueError('no gradient')"), "ValueError: no gradient (model.py:5)"),
    ],
)
def test_what_is_no_audit_does_not_look_like_a_verdict(folder, code, said_of_it, capsys):
    """The model's own errors and exits, a model for other inputs, labels that it does not know: exit 2, one line."""
    (folder / "model.py").write_text(code)
    with pytest.raises(SystemExit) as end:
        main([f"{folder}/model.py:build", "--data", f"{folder}/data.npz", "--to", f"{folder}/out"])
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.startswith("no audit: ") and said.count("\n") <= 2, said
    assert said_of_it in said
    assert not (folder / "out" / "card.html").exists()


@pytest.mark.parametrize("name", ["data.npz", "data.npz/out"])
def test_a_folder_that_cannot_be_is_found_before_anything_is_measured(folder, name, capsys, monkeypatch):
    monkeypatch.setattr("utils.audit.__main__.audit_model", lambda *given, **how: pytest.fail("it has measured"))
    with pytest.raises(SystemExit) as end:
        main([f"{folder}/model.py:build", "--data", f"{folder}/data.npz", "--to", f"{folder}/{name}"])
    assert end.value.code == 2 and f"cannot write to the folder {folder}/{name}" in capsys.readouterr().err


def test_a_class_that_the_data_do_not_show(folder):
    """Three outputs, and labels 0 and 1 only: nothing is wrong with that."""
    (folder / "model.py").write_text(THREE)
    x = np.random.default_rng(0).random((40, 8, 8), np.float32)
    np.savez(folder / "data.npz", x_test=x, y_test=np.arange(40) % 2)
    with pytest.raises(SystemExit) as end:
        main([f"{folder}/model.py:build", "--data", f"{folder}/data.npz", "--inputs", "5", "--to", f"{folder}/out"])
    assert end.value.code == 0


def test_the_vendors_folder_is_what_its_tool_makes(tmp_path, monkeypatch):
    """Weights to rounding, data and claims to the letter."""
    import vendor

    (tmp_path / "model.py").write_bytes((VENDOR / "model.py").read_bytes())
    monkeypatch.setattr(vendor, "VENDOR", tmp_path)
    vendor.main()
    for name in ("claims.json",):
        assert (tmp_path / name).read_bytes() == (VENDOR / name).read_bytes()
    a, b = (read_data(place / "data.npz") for place in (tmp_path, VENDOR))
    assert torch.equal(a.train.x, b.train.x) and torch.equal(a.test.y, b.test.y)
    a, b = (read_model(f"{VENDOR}/model.py:build", place / "model.safetensors") for place in (tmp_path, VENDOR))
    x = load("digits").test.x
    assert (a(x).argmax(1) == b(x).argmax(1)).float().mean() > 0.97
