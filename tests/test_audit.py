"""The audit: its bound on epsilon, its verdicts, what it reads and refuses, its command, and the ids on its card."""

import copy
import html
import json
import math
import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file, save_model
from torch import nn

from run import LESSONS, ROOT
from utils.attacks import pgd
from utils.audit import (
    ROWS,
    audit_model,
    card_data,
    card_html,
    card_page,
    changes,
    read_claims,
    read_columns,
    read_data,
    read_model,
    remote,
)
from utils.audit.__main__ import main, parser
from utils.audit.against import read_card
from utils.audit.measure import as_json, compare, copied, judge_claims, members
from utils.audit.pace import pacer
from utils.audit.threats import LISTS
from utils.data import load
from utils.domains.rules import Column, Rules, box
from utils.evaluation import Rate
from utils.guard import lent
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
    done = audit_model(model, data.test, eps=claims["eps"], train=data.train, claims=claims, n=60)
    assert [claim.verdict for claim in done.claims] == ["holds", "refuted", "refuted"]
    assert done.checkup.flags and done.checkup.left["40 steps, cross-entropy"] > 0.8
    assert done.copied is None and "not measured" in card_page(done)
    assert re.search(r"square \d+ of \d+", done.decided["worst"]), "the attack that its mask does not stop"
    assert done.parameters == 64 * 96 + 96 + 96 * 10 + 10


def test_a_model_that_saw_none_of_the_data_is_not_accused(honest, digits):
    """Members and others from the same held-out half: a bound above 0 in at most 5 % of such audits, here none."""
    first, second = (type(digits.test)(digits.test.x[i::2], digits.test.y[i::2]) for i in (0, 1))
    done = audit_model(honest, first, eps=0.02, train=second, n=10)
    assert done.membership["privacy_eps"] == 0 and 0.4 < done.membership["auc"] < 0.6


def test_epsilon_is_refuted_only_where_chance_decided_what_was_trained_on(honest, digits, found):
    """The model saw neither side. One is harder, as newer data are, and so it is the one that it is unsure of."""
    easy, hard = (type(digits.test)(digits.test.x[i::2], digits.test.y[i::2]) for i in (0, 1))
    apart = members(honest, easy, (hard.x, (hard.y + 1) % 10), 1e-5)
    assert apart["privacy_eps"] > 1
    claims = {"privacy_eps": 1.0, "privacy_delta": 1e-5}
    verdicts = {}
    for more in ({}, {"random_split": False}, {"random_split": True}):
        [claim] = judge_claims(replace(found, membership=apart), claims | more)
        verdicts[more.get("random_split")] = claim.verdict
        assert ("claim random_split" in claim.because) == (claim.verdict == "open")
    assert verdicts == {None: "open", False: "open", True: "refuted"}
    few = members(honest, easy.take(40), hard.take(40), 1e-5)
    assert few["fpr"] == 1 / 40, "40 others cannot show one false accusation in a hundred"


def test_a_copy_sees_all_classes_in_whatever_order_they_stand(honest, digits):
    """Labels 0, 1, 2, …, over and over: every second one is even."""
    each = [digits.test.x[digits.test.y == k][:35] for k in range(10)]
    x = torch.stack(each, 1).flatten(0, 1)
    torch.manual_seed(0)
    assert copied(honest, mlp(digits), x, seed=0)["agreement"] > 0.75


@pytest.mark.parametrize(
    ("claims", "eps", "word"),
    [
        ({"random_split": 1}, 0.1, "must be true or false"),
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
    """What lesson 05b's check-up takes, the audit takes; the result is that of the plain model, but for rounding."""

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
    assert done.gradients == (kind != "no gradient")


def test_a_model_whose_answers_are_no_numbers(digits):
    class Broken(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10] / 0

    with pytest.raises(ValueError, match="NaN or infinity"):
        audit_model(Broken(), digits.test, eps=0.1)


@pytest.mark.parametrize("turn", [1, -1])
def test_features_beside_logits_are_not_taken_for_them(honest, digits, turn):
    """Two tables with a row for each input: which of them holds the logits, its owner must say."""

    class Two(nn.Module):
        def forward(self, x):
            return (honest[:-1](x).flatten(1), honest(x))[::turn]

    with pytest.raises(ValueError, match=r"got tuple of .*let its forward return the logits alone"):
        audit_model(Two(), digits.test, eps=0.1)


def test_a_model_whose_answers_depend_on_the_batch(honest, digits):
    class Left(nn.Module):
        def forward(self, x):
            return nn.functional.batch_norm(honest(x), None, None, training=True)

    with pytest.raises(ValueError, match=r"what else is in the batch.*evaluation mode"):
        audit_model(Left(), digits.test, eps=0.1)


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
    for field in LISTS:
        [file] = PINNED.glob(f"{field}*.txt")
        listed = {line for line in file.read_text().splitlines() if not line.startswith("#")}
        used = [name for row in ROWS for name in getattr(row, field)]
        assert used and set(used) <= listed, f"not in {file.name}: {set(used) - listed}"
    tops = {name.partition(" ")[0] for row in ROWS for name in row.owasp}
    assert tops == {f"ML{i:02}:2023" for i in range(1, 11)}, "what was not measured stands there, too"
    [drift] = [row for row in ROWS if row.measured == "monitor"]
    assert not drift.owasp, "OWASP's model skewing is poisoned feedback, no drift"


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
        assert all(html.escape(name) in people for name in row.ids)


def test_the_card_holds_no_markup_of_others_and_loads_nothing(found):
    people = card_page(found)
    assert "<b>it</b>" not in people and "&lt;b&gt;it&lt;/b&gt;" in people
    assert not re.search(r"<script|src=|href=|url\(", people)
    assert card_html(found) in people and len(people) < 40_000
    styled = re.findall(r"(?m)([^{}\n]+)\{", re.search(r"(?s)<style>(.*?)</style>", card_html(found))[1])
    outside = [rule for rule in styled if ".security-card" not in rule and "@media" not in rule]
    assert not outside, f"these rules would style the reader's notebook: {outside}"


def test_a_vendors_claim_is_a_claim_of_no_lesson():
    said = compare("accuracy 0.9", 0.9, Rate(50, 100))
    assert (said.lesson, said.verdict) == ("–", "refuted") and "refuted" in said._repr_html_()
    assert as_json(said) == {"text": "accuracy 0.9", "verdict": "refuted", "because": f"measured: {Rate(50, 100)}"}


@pytest.fixture(scope="module")
def one_child():
    """A process in which several models are made, one after another: to start one takes seconds."""
    link = remote.Link()
    yield link
    remote.end(link.process)


@pytest.fixture
def shared(one_child, monkeypatch):
    """Models are made in that process."""
    monkeypatch.setattr(remote, "Link", lambda: one_child)


@pytest.fixture
def build(shared, tmp_path):
    """build(code, weights) makes the model of a file model.py, {other files beside it}."""

    def made(code: str, weights: dict | None = None, function: str = "build", **files):
        (tmp_path / "weights.safetensors").unlink(missing_ok=True)
        for name, text in {"model": code, **files}.items():
            file = tmp_path / (name.replace("__", "/") + ".py")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        if weights is not None:
            save_file(weights, str(tmp_path / "weights.safetensors"))
        return read_model(
            f"{tmp_path}/model.py:{function}", None if weights is None else tmp_path / "weights.safetensors"
        )

    return made


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
        with pytest.raises(ValueError, match=r"pickle|no safetensors file"):
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
def test_a_model_that_cannot_be_read(shared, folder, spec, weights, word):
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
        ({"x_test": np.zeros((3, 0)), "y_test": np.zeros(3, int)}, "do not fit"),
        ({"x_test": np.ones((3, 2), np.uint8), "y_test": np.zeros(3, int)}, "nothing above 1: save them as float32"),
        ({"x_test": np.zeros((3, 2, 2), np.int64), "y_test": np.zeros(3, int)}, "floats"),
        ({"x_test": np.full((3, 2), 7), "y_test": np.zeros(3, int)}, "Save a table as"),
        ({"x_test": np.zeros((3, 2)), "y_test": np.zeros(3, int), "x_train": np.zeros((3, 2))}, "both or neither"),
        ({"x_test": np.zeros((3, 2)), "y_test": np.zeros(3, int), "y_train": np.zeros(3, int)}, "both or neither"),
    ],
)
def test_data_that_cannot_be_read(tmp_path, arrays, word):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ValueError, match=word):
        read_data(tmp_path / "data.npz")


@pytest.mark.parametrize("kind", [">f4", ">f8", "<f4", np.float16, np.longdouble])
def test_numbers_of_any_width_and_byte_order_are_read(tmp_path, kind):
    x = np.linspace(0, 1, 6).reshape(3, 2)
    np.savez(tmp_path / "data.npz", x_test=x.astype(kind), y_test=np.arange(3).astype(">i8"))
    read = read_data(tmp_path / "data.npz").test
    assert torch.allclose(read.x, torch.from_numpy(x).float(), atol=1e-3) and read.y.tolist() == [0, 1, 2]


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
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    save_model(model, str(tmp_path / "tied.safetensors"))
    again, x = read_model(f"{tmp_path}/tied.py:build", tmp_path / "tied.safetensors"), torch.rand(3, 4)
    assert torch.equal(again(x), model(x))


def test_bytes_are_divided_by_255(tmp_path):
    x, y = np.full((3, 2), 255, np.uint8), np.array([0, 1, 4])
    np.savez(tmp_path / "data.npz", x_test=x, y_test=y, x_train=x[:1], y_train=y[:1])
    data = read_data(tmp_path / "data.npz")
    assert data.test.x.max() == 1 and len(data.train.y) == 1 and len(data.classes) == 5


# A model in a process of its own.


LINEAR = "import torch\nfrom torch import nn\ndef build():\n    torch.manual_seed(0)\n    return {}\n"


def test_a_model_in_its_process_answers_as_it_would_here(build):
    """To the last bit: answers, gradients of all kinds, and those that are asked for twice."""
    code = LINEAR.format("nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))")
    there, here = build(code), {}
    exec(code, here)
    here = here["build"]()
    x, y = torch.rand(5, 2, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1])
    slopes = []
    for model in (there, here):
        free = x.clone().requires_grad_()
        said = model(free)
        loss = nn.functional.cross_entropy(said, y)
        first = torch.autograd.grad(loss, free, retain_graph=True)[0]
        per_class = [torch.autograd.grad(said[:, k].sum(), free, retain_graph=True)[0] for k in range(3)]
        twice = torch.autograd.grad((model(free) * model(2 * free)).sum(), free)[0]
        slopes.append(torch.stack([first, *per_class, twice]))
    assert torch.equal(there(x), here(x)) and torch.equal(*slopes)
    assert there(x[:0]).shape == (0, 3)
    assert not there(x).requires_grad and there(x.clone().requires_grad_()).requires_grad
    twin = copy.deepcopy(there).double()
    assert torch.equal(twin(x.double()), copy.deepcopy(here).double()(x.double()))
    assert there(x).dtype == torch.float32, "the copy's precision is its own"
    link, number = there.link, twin.number
    del twin
    assert link.given_back == [number] and there(x).shape == (5, 3) and link.given_back == link.dropped == []
    with torch.no_grad():
        assert not there(x.clone().requires_grad_()).requires_grad


@pytest.mark.parametrize(
    "source",
    ["torch.randn(1)", "np.random.randn()", "random.random()", "draw(self)", "torch.rand(1, generator=self.more[0])"],
)
def test_a_model_that_draws_numbers_draws_the_callers(build, source):
    code = "import random\nimport numpy as np\nimport torch\nfrom torch import nn\n"
    code += "def draw(self):\n    return torch.rand(1, generator=self.own)\n"
    code += "class Noisy(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    code += "        self.own = torch.Generator().manual_seed(3)\n"
    code += "        self.more = [torch.Generator().manual_seed(4)]\n"
    code += f"    def forward(self, x):\n        return x[:, :2] + {source}\n"
    model, x = build(code + "build = Noisy\n"), torch.zeros(1, 2)
    with lent(model, seed=5):
        first = torch.cat([model(x) for _ in range(3)])
    with lent(model, seed=5):
        again = torch.cat([model(x) for _ in range(3)])
    with lent(model, seed=6):
        other = torch.cat([model(x) for _ in range(3)])
    assert torch.equal(first, again) and not torch.equal(first, other) and len(first.unique()) == 3
    if source == "torch.randn(1)":
        torch.manual_seed(7)
        assert torch.equal(torch.cat([model(x)[0, :1] for _ in range(3)]), drawn_here(7))


def drawn_here(seed):
    torch.manual_seed(seed)
    return torch.cat([torch.randn(1) for _ in range(3)])


def test_buffers_are_as_new_whenever_a_model_is_lent(build):
    code = "import torch\nfrom torch import nn\nclass Counts(nn.Module):\n    def __init__(self):\n"
    code += "        super().__init__()\n        self.register_buffer('n', torch.zeros(1))\n"
    code += "    def forward(self, x):\n        self.n += 1\n        return x[:, :2] + self.n\n"
    model = build(code + "build = Counts\n")
    for _ in range(2):
        with lent(model):
            assert [model(torch.zeros(1, 2))[0, 0].item() for _ in range(2)] == [1, 2]


ANSWERS = "from collections import namedtuple\nfrom types import SimpleNamespace\nimport torch\nfrom torch import nn\n"
ANSWERS += "Pair = namedtuple('Pair', 'logits features')\n"
ANSWERS += "class Property:\n    def __init__(self, x):\n        self._x = x\n"
ANSWERS += "    logits = property(lambda self: self._x)\n"
ANSWERS += "class Slot:\n    __slots__ = ['logits']\n    def __init__(self, x):\n        self.logits = x\n"


@pytest.mark.parametrize(
    ("answer", "logits_of"),
    [
        ("(x, 2)", lambda a: a[0]),
        ("[x, None]", lambda a: a[0]),
        ("{'logits': x}", lambda a: a["logits"]),
        ("Pair(x, 2 * x)", lambda a: a.logits),
        ("SimpleNamespace(logits=x, loss=3)", lambda a: a.logits),
        ("x.detach().numpy()", lambda a: a),
        ("x.half()", lambda a: a.float()),
        ("x.to_sparse()", lambda a: a),
        ("Property(x)", lambda a: a.logits),
        ("Slot(x)", lambda a: a.logits),
        ("x > 0.5", lambda a: torch.tensor([[0.25, 0.75]])[:, a.int()[0].long()]),
    ],
)
def test_answers_of_any_kind_come_back_as_they_are(build, answer, logits_of):
    model = build(ANSWERS + f"def build():\n    return lambda x: {answer}\n")
    x = torch.tensor([[0.25, 0.75]])
    assert torch.equal(logits_of(model(x)), x)
    if answer in ("(x, 2)", "Pair(x, 2 * x)", "{'logits': x}"):
        free = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(logits_of(model(free)).sum(), free)
        assert torch.equal(gradient, torch.ones_like(x))


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("import utils\nassert utils.MINE", {"utils": "MINE = True\n"}),
        ("import sys\nsys.modules.pop('utils', 0)\nimport utils.mine", {"utils__mine": ""}),
        ("import grader", {"grader": "MINE = True\n"}),
        ("from .layers_a import depth\nassert depth == 3", {"layers_a": "from .layers_b import depth\n",
                                                              "layers_b": "depth = 3\n"}),
        ("import argparse\np = argparse.ArgumentParser()\np.add_argument('--depth', default=3)\np.parse_args()", {}),
        ("from pathlib import Path\nassert Path('model.py').exists()", {}),
        ("from dataclasses import dataclass\n@dataclass\nclass A:\n    b: 'int' = 3\nA()", {}),
        ("import sys\nassert sys.argv == [__file__]", {}),
    ],
)  # fmt: skip
def test_a_file_finds_its_own_surroundings(build, code, files):
    model = build(code + "\n" + LINEAR.format("nn.Linear(4, 3)"), **files)
    assert model(torch.rand(2, 4)).shape == (2, 3)


def test_a_package_is_imported_as_one(build, tmp_path):
    """With `__init__.py` the names are real, and `..` leads to the parent."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "outer" / "__init__.py").write_text("SIZE = 4\n")
    (tmp_path / "outer" / "parts.py").write_text("from . import SIZE\n")
    (inner / "__init__.py").write_text("")
    code = "from torch import nn\nfrom ..parts import SIZE\ndef build():\n    return nn.Linear(SIZE, 3)\n"
    (inner / "model.py").write_text(code)
    build(LINEAR.format("nn.Linear(4, 3)"))
    assert read_model(f"{inner}/model.py:build")(torch.rand(2, 4)).shape == (2, 3)
    (inner / "__init__.py").unlink()
    (tmp_path / "outer" / "__init__.py").unlink()
    (tmp_path / "outer" / "parts.py").write_text("SIZE = 5\n")
    assert read_model(f"{inner}/model.py:build")(torch.rand(2, 5)).shape == (2, 3)


STATE = {"0.weight": torch.eye(2), "0.bias": torch.tensor([1.0, 2.0])}


PREFIXES = ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "state_dict.model.net."]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_weights_that_were_saved_from_a_wrapper(build, prefix):
    code = LINEAR.format("nn.Sequential(nn.Linear(2, 2))")
    state = {prefix + name: value for name, value in STATE.items()} | {"n_averaged": torch.tensor(3)}
    x = torch.tensor([[3.0, 4.0]])
    assert torch.equal(build(code, state)(x), torch.tensor([[4.0, 6.0]]))
    inside = {name.replace("0.", f"0.{prefix}"): value for name, value in STATE.items()}
    if not prefix.endswith(("model.", "net.")):
        assert torch.equal(build(code, inside)(x), torch.tensor([[4.0, 6.0]])), "a layer was wrapped"


def test_weights_that_are_drawn_are_the_same_each_time(build):
    """The same command gave another accuracy, and so another verdict, at each call."""
    code, x = LINEAR.format("nn.Linear(2, 2)").replace("    torch.manual_seed(0)\n", ""), torch.rand(3, 2)
    assert torch.equal(build(code)(x), build(code)(x))


def test_weights_that_are_none_are_no_weights(build):
    """The model was measured as it began."""
    with pytest.raises(ValueError, match=r"weights\.safetensors holds no weights"):
        build(LINEAR.format("nn.Linear(2, 2)"), {})


@pytest.mark.parametrize(
    "name",
    ["net", "clf", "Net", "build()"],
    ids=["a model", "a classifier", "its class", "as it is called"],
)
def test_the_name_may_be_that_of_the_model(build, name):
    code = LINEAR.format("Net()") + "class Net(nn.Linear):\n    def __init__(self):\n        super().__init__(2, 3)\n"
    code += (
        "net = Net()\nfrom sklearn.dummy import DummyClassifier\nclf = DummyClassifier().fit([[0]] * 3, [0, 1, 2])\n"
    )
    assert build(code, function=name)(torch.rand(5, 2)).shape == (5, 3)


@pytest.mark.filterwarnings("ignore")
def test_a_model_whose_gradient_leads_nowhere_is_a_black_box(build):
    """A gradient of 0 was given for a quantized model's, and the card called that an attack with the weights."""
    code = "torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(2, 3)), {nn.Linear})"
    model, x = build(LINEAR.format(code)), torch.rand(30, 2)
    y = model(x).argmax(1)
    with pytest.raises(ValueError, match=r"^model has no gradient, as torch says"):
        pgd(model, x, y, eps=0.1)
    assert not audit_model(model, (x, y), eps=0.1, n=5, quick=True).gradients
    exported = "torch.export.export(nn.Linear(2, 3), (torch.rand(3, 2),), dynamic_shapes=({0: torch.export.Dim('n')},))"
    assert build(LINEAR.format(f"{exported}.module()"))(torch.rand(5, 2)).shape == (5, 3)


def test_what_is_missing_in_weights_is_said_briefly(build):
    code = LINEAR.format("nn.Sequential(*(nn.Linear(2, 2) for _ in range(50)), nn.BatchNorm1d(2))")
    state = {"0.weight": torch.eye(3), "0.bias": torch.zeros(2), "head.bias": torch.zeros(2)}
    with pytest.raises(ValueError, match="do not fit") as said:
        build(code, state)
    told = str(said.value).partition("do not fit")[2]
    assert "102 of the model's 105 tensors are not in it, such as 1.weight" in told and len(told) < 400
    assert "1 of its 3 are unknown to the model, such as head.bias" in told
    assert "1 have another shape, such as 0.weight: (3, 3), in the model (2, 2)" in told


def test_models_of_other_libraries_are_black_boxes(build, digits, tmp_path):
    """A tree of scikit-learn, and what looks like a session of onnxruntime: no gradient, and the card says so."""
    code = "from sklearn.datasets import load_digits\nfrom sklearn.tree import DecisionTreeClassifier\n"
    code += "def build():\n    x, y = load_digits(return_X_y=True)\n"
    code += "    return DecisionTreeClassifier(random_state=0).fit(x / 16, y)\n"
    tree = build(code)
    done = audit_model(tree, digits.test, eps=0.1, n=8, quick=True)
    assert done.accuracy > 0.9 and not done.gradients and done.worst < done.accuracy
    assert "measured as a black box" in card_page(done)
    session = "import numpy as np\nfrom types import SimpleNamespace\n"
    session += "class Session:\n    def get_inputs(self):\n"
    session += "        return [SimpleNamespace(name='input', type='tensor(float)', shape=['n', 2])]\n"
    session += (
        "    def get_outputs(self):\n        return [SimpleNamespace(name=name) for name in ('label', 'scores')]\n"
    )
    session += "    def run(self, outputs, given):\n        assert len(given['input']) == 2\n"
    session += "        return [given['input'].argmax(1), 2 * given['input']]\nbuild = Session\n"
    model, x = build(session.replace("'n', 2", "2, 2")), torch.arange(6.0).view(3, 2)
    assert torch.equal(model(x), 2 * x), "asked in batches of the size that it was exported for"
    boxes = build(
        session.replace("2 * given['input']]", "given['input'][:, 0], given['input']]")
        .replace("'scores'", "'score', 'boxes'")
        .replace("'n', 2", "2, 2")
    )
    with pytest.raises(ValueError, match=r"got dict of score: float32 \(20,\), boxes: float32 \(20, 2\): let its"):
        audit_model(boxes, (torch.rand(20, 2), torch.ones(20, dtype=torch.int64)), eps=0.1)
    file, x = tmp_path / "net.onnx", torch.arange(4.0).view(2, 2)
    file.touch()
    made = "class InferenceSession:\n    def __init__(self, file, providers):\n        open(file).close()\n"
    (tmp_path / "onnxruntime.py").write_text(session.replace("class Session:\n", made).replace("build = Session", ""))
    assert torch.equal(read_model(str(file))(x), 2 * x)
    with pytest.raises(ValueError, match=r"labels \['a', 'b'\]: train it on labels from 0"):
        build("class Svc:\n    classes_ = ['a', 'b']\n    predict_proba = None\nbuild = Svc\n")
    pairs = "from sklearn.svm import SVC\ndef build():\n    return SVC(decision_function_shape='ovo')\n"
    with pytest.raises(ValueError, match="scores pairs of classes: make it with decision_function_shape='ovr'"):
        build(pairs)
    strict = "import numpy as np\nclass Strict:\n    classes_ = [0, 1]\n"
    strict += "    def predict_proba(self, x):\n        return np.stack([1 - x[:, 0], x[:, 0]], 1)\n"
    strict += "    def predict(self, x):\n        return (x[:, 0] > 0.9).astype(int)\nbuild = Strict\n"
    x = torch.linspace(0, 1, 20)[:, None].repeat(1, 2)
    with pytest.raises(ValueError, match="predict names another class than its predict_proba does, for 8 of 20 inputs"):
        audit_model(build(strict), (x, (x[:, 0] > 0.9).long()), eps=0.1)
    with pytest.raises(ValueError, match="the classifier knows one class only, 0: train it on two or more"):
        build(strict.replace("[0, 1]", "[0]"))


def test_a_process_that_dies_is_one_sentence_and_ends_with_us(folder):
    code = "import os, signal\nfrom torch import nn\nclass Dies(nn.Module):\n    def forward(self, x):\n"
    code += "        if len(x) == 3:\n            print('lights out')\n"
    code += "            os.kill(os.getpid(), signal.SIGSEGV)\n"
    (folder / "model.py").write_text(code + "        return x\nbuild = Dies\n")
    model = read_model(f"{folder}/model.py:build")
    model(torch.rand(2, 2))
    said = r"^the model's process ended \(a segmentation fault\); it had printed:\nlights out$"
    for _ in range(2):
        with pytest.raises(ValueError, match=said):
            model(torch.rand(3, 2))
    link = read_model(f"{folder}/model.py:build").link
    process = link.process
    assert process.poll() is None
    del link
    assert process.poll() is not None
    (folder / "model.py").write_text("import os\nos._exit(3)")
    with pytest.raises(ValueError, match=r"^the model's process ended with exit code 3$"):
        read_model(f"{folder}/model.py:build")


def test_what_the_child_sends_is_never_trusted():
    """A reply is numbers and names: of wrong sizes and unknown types comes a sentence, never an object."""
    for header in (b"[1]", b"{", b'{"tensors": [["load", [1]]]}', b'{"tensors": [["float32", [-1]]]}',
                   b'{"tensors": [["float32", [99999999999]]]}', b'{"tensors": [["float32", ["a"]]]}'):  # fmt: skip
        down, up = os.pipe()
        os.write(up, remote.child.HEAD.pack(len(header)) + header)
        with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
            remote.child.hear(down)
        os.close(down), os.close(up)


# Tables.


SCALED = "name;low;high;cost;whole;rises\nage;18;98;inf;yes;\namount;0;1000;1;no;\nvisits;0;10;0,5;yes;yes\n"


def test_columns_are_lesson_11s_rules(tmp_path):
    rows = torch.tensor([[0.25, 0.1, 0.3], [0.5, 0.9, 1.0]])
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "columns.csv").write_text(SCALED, encoding=encoding)
        rules = read_columns(tmp_path / "columns.csv", (rows, torch.tensor([0, 1])))
    age, amount, visits = rules.columns
    assert (age.name, age.low, age.high, age.cost, age.whole) == ("age", 18, 98, math.inf, True)
    assert (amount.cost, visits.cost, visits.whole, visits.rises) == (1, 0.5, True, True)
    low, high = box(rows, rules, 0.2)
    assert torch.allclose(high - rows, torch.tensor([[0, 0.2, 0.4], [0, 0.1, 0.0]])) and torch.equal(
        low[:, 2], rows[:, 2]
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "must begin with a line"),
        ("column,cost\na,1", "must begin with a line"),
        ("name,price\na,1", "must begin with a line"),
        ("name,cost\na,1\nb,1", "has 2 columns, and the inputs"),
        ("name,cost\na,1\nb,dear\nc,1", "line 3: cannot read 'b,dear'"),
        ("name,cost\na,1\nb,1,1\nc,1", "line 3: cannot read"),
        ("name,log\na,maybe\nb,no\nc,no", "line 2: cannot read"),
        ("name,cost\na,1\nb,0\nc,1", "line 3: low must be below high"),
        ("name,low,high\na,0,1\nb,2,1\nc,,", "line 3: low must be below high"),
        ("name,low,high,log\na,0,1,yes\nb,,,\nc,,,", "line 2: low must be below high, above 0 on a log"),
        ("name,high,cost,whole\na,10,1,yes\nb,,,\nc,,,", "row 0 has 2.5 in 'a': it must be whole"),
        ("name,group,cost\na,g,1\nb,g,1\nc,,", "one of its group must be 1"),
    ],
)
def test_columns_that_cannot_be_read(tmp_path, text, word):
    (tmp_path / "columns.csv").write_text(text)
    with pytest.raises(ValueError, match=word):
        read_columns(tmp_path / "columns.csv", (torch.tensor([[0.25, 0.5, 0.5]]), torch.tensor([0])))


def test_a_table_is_attacked_in_the_columns_that_can_be_moved():
    """The model looks at the first column only, which nobody can move: nothing falls. By the second, all falls."""
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(60, 3, generator=draw)
    x = torch.where((x - 0.5).abs() < 0.02, 0.6, x)
    first = Rules((Column("age"), Column("amount", cost=0.1), Column("visits", cost=0.1)))
    second = Rules((Column("age", cost=0.1), Column("amount"), Column("visits")))
    model = nn.Linear(3, 2)
    model.weight.data, model.bias.data = torch.tensor([[-9.0, 0, 0], [9.0, 0, 0]]), torch.tensor([4.5, -4.5])
    y = (x[:, 0] > 0.5).long()
    stands, falls = (audit_model(model, (x, y), eps=0.1, rules=rules, n=40, quick=True) for rules in (first, second))
    assert stands.worst == 1 == min(stands.queries.values()) and stands.columns == ("amount", "visits")
    assert falls.worst == 0 == falls.queries["scores"] and falls.decided["worst"] == "climb 40 of 40"
    assert "a budget of 0.1 for 1 columns" in card_page(falls)


def test_a_raw_table_is_told_the_two_lines_that_scale_it(tmp_path):
    raw = np.array([[0, 3430.0, 7], [50, 10.0, 7], [20, 500.0, 7]], np.float32)  # the last column is constant
    np.savez(tmp_path / "data.npz", x_test=raw, y_test=np.arange(3))
    with pytest.raises(ValueError, match=r"got 0 to 3430\. Save a table as") as said:
        read_data(tmp_path / "data.npz")
    low, width = torch.tensor(raw).amin(0), torch.tensor(raw).amax(0) - torch.tensor(raw).amin(0)
    width[width == 0] = 1
    lines = [line.strip() for line in str(said.value).splitlines()[1:]]
    assert len(lines) == 2
    made = {"torch": torch, "nn": nn, "low": low, "width": width, "model": nn.Identity()}
    exec(f"def build():\n    {lines[0]}\n    {lines[1]}\n", made)
    scaled = (torch.tensor(raw) - low) / width
    assert torch.allclose(made["build"]()(scaled), torch.tensor(raw), atol=1e-3)


@pytest.mark.parametrize(
    ("cell", "value"), [("1,5", 1.5), ("1000", 1000), ('"1,000"', None), ('"1,000.5"', None), ("inf", None)]
)
def test_a_number_of_columns_csv_is_read_or_refused(cell, value, tmp_path):
    mark = ";" if cell == "1,5" else ","
    (tmp_path / "columns.csv").write_text(f"name{mark}high{mark}cost\namount{mark}{cell}{mark}1\n")
    data = torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64)
    if value is None:
        with pytest.raises(ValueError, match=r"line 2: (cannot read|low must be below high)"):
            read_columns(tmp_path / "columns.csv", data)
    else:
        assert read_columns(tmp_path / "columns.csv", data).columns[0].high == value


def test_inputs_are_moved_to_the_border_that_rounding_has_left(tmp_path):
    x = np.array([[-3e-8, 1.0000001], [0.5, 0.5]], np.float32)
    np.savez(tmp_path / "data.npz", x_test=x, y_test=np.arange(2))
    read = read_data(tmp_path / "data.npz")
    assert read.test.x.min() == 0 and read.test.x.max() == 1 and math.isnan(read.eps)
    np.savez(tmp_path / "data.npz", x_test=x + np.float32(1e-5), y_test=np.arange(2))
    with pytest.raises(ValueError, match=r"to 1\.00001"):
        read_data(tmp_path / "data.npz")


# Then and now.


def test_two_audits_are_compared(found):
    before = json.loads(json.dumps(card_data(found)))
    assert {change.verdict for change in changes(before, before)} == {"unclear"}
    after = copy.deepcopy(before)
    after["measured"]["accuracy"] = as_json(Rate(found.accuracy.k - 60, found.accuracy.n))
    after["measured"]["copied"]["agreement"] = as_json(Rate(0, found.copied["agreement"].n))
    after["measured"]["checkup"]["flags"] = ["vanishing gradients"]
    told = {change.what: change.verdict for change in changes(before, after)}
    assert told["right answers"] == "worse" and told["agreement of a copy"] == "better"
    assert told["flags of the check-up"] == "worse" and told["left under all attacks"] == "unclear"
    after["measured"]["accuracy"] = as_json(Rate(found.accuracy.k - 2, found.accuracy.n))
    assert {c.what: c.verdict for c in changes(before, after)}["right answers"] == "unclear", "two images are no proof"
    for other in ({"eps": 0.3}, {"quick": True}):
        told = {change.what: change.verdict for change in changes(before, after | other)}
        assert told["left under all attacks"].startswith("not compared, for")
    del after["measured"]["certified"]
    assert {c.what: c.verdict for c in changes(before, after)}["certified"] == "not compared"
    after = copy.deepcopy(before)
    after["measured"]["membership"]["found"] |= {"k": 300, "n": 300, "low": 0.0, "high": 1.0}
    verdicts = {c.what: c.verdict for c in changes(before, after)}
    assert verdicts["members found"] == "unclear", "its interval is that of the card"


def test_the_card_has_the_form_that_its_schema_says(found):
    schema = json.loads((Path(remote.__file__).parent / "card.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    card = json.loads(json.dumps(card_data(found)))
    check.validate(card)
    for broken in (card | {"format": 2}, card | {"more": 1}, {k: v for k, v in card.items() if k != "seconds"}):
        assert list(check.iter_errors(broken))
    rows = {row["threat"]: row for row in card["threats"]}
    queries = rows["inputs changed by somebody who sees scores or labels only"]
    assert (queries["n"], queries["decided by"]) == (30, "square, 1,000 queries; rays, 1,000 queries")
    assert rows["who was in the training data"]["n"] == 397 and rows["answers that are changed on their way to whom "
                                                                     "they are for"]["n"] is None  # fmt: skip
    assert set(card["versions"]) == {"measured-defense", "python", "torch", "numpy"} and card["seconds"] > 0
    people = card_page(found)
    assert f"torch {torch.__version__}" in people and "[by: square, 1,000 queries; rays" in people


def test_a_pace_tells_how_far_it_is():
    told = []
    pace = pacer({"a": 100, "b": 0, "c": 300}, lambda *words: told.append(words))
    pace.enter("a")
    pace.count(50)
    pace.enter("b")
    pace.enter("c")
    pace.count(400)
    pace.enter("b")
    stages, shares, left = zip(*told, strict=True)
    assert stages == ("c",) and shares == (0.25,) and left[0] > 0  # nothing is known at first; no work, no word
    assert set(pace.seconds()) == {"a", "c"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_claims_are_read_as_editors_save_them(tmp_path, encoding):
    (tmp_path / "claims.json").write_bytes('{"accuracy": 0.9, "name": "Zähler"}'.encode(encoding))
    assert read_claims(tmp_path / "claims.json") == {"accuracy": 0.9, "name": "Zähler"}


@pytest.mark.parametrize("text", ["0.03125", "8/256", "8 / 256"])
def test_a_budget_is_read_as_it_is_written(text):
    assert parser().parse_args(["model.py:build", "--data", "digits", "--eps", text]).eps == 0.03125


TWICE = b'{"accuracy": 0.1, "accuracy": 0.99}'


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00", b"\xff", b"[1", b"{'accuracy': 1}", b"[" * 100_000, TWICE])
def test_claims_that_cannot_be_read(tmp_path, raw):
    (tmp_path / "claims.json").write_bytes(raw)
    with pytest.raises(ValueError, match=r"is not JSON|is no text in UTF-8"):
        read_claims(tmp_path / "claims.json")


# The command.


def test_the_command_audits_a_model_of_ones_own(folder):
    """In a shell, from another folder, as the README says."""
    command = [sys.executable, "-m", "utils.audit", "model.py:build", "--weights", "right.safetensors"]
    command += ["--data", "data.npz", "--quick", "--images", "10", "--to", "out"]
    where = {"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"}  # no threads that wait for a busy core
    done = subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    assert re.search(r"(?m)^ *\d+% · worst case · about \d+ (s|min) left at most$", done.stderr), "it is silent"
    assert json.loads((folder / "out" / "card.json").read_text())["model"] == "model"
    assert "not measured: no training data" in (folder / "out" / "card.html").read_text()


@pytest.mark.parametrize(
    ("claims", "code"), [('{"accuracy": 0.99}', 1), ('{"accuracy": 0.0}', 0), ("[1]", 2), ("{", 2), ('{"oops": 1}', 2)]
)
def test_the_command_ends_with_what_it_found(shared, folder, claims, code, capsys):
    (folder / "claims.json").write_text(claims)
    words = [f"{folder}/model.py:build", "--data", f"{folder}/data.npz", "--claims", f"{folder}/claims.json"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--inputs", "5", "--to", f"{folder}/out"])
    assert end.value.code == code
    assert "Traceback" not in capsys.readouterr().err


def test_the_command_ends_with_1_if_something_became_clearly_worse(shared, folder, found, capsys, monkeypatch):
    monkeypatch.setattr("utils.audit.__main__.audit_model", lambda *given, **how: replace(found, claims=()))
    words = [f"{folder}/model.py:build", "--data", f"{folder}/data.npz", "--to", f"{folder}/out"]
    ends = []
    for accuracy in (Rate(397, 397), found.accuracy):
        (folder / "card.json").write_text(json.dumps(card_data(replace(found, accuracy=accuracy))))
        with pytest.raises(SystemExit) as end:
            main([*words, "--against", f"{folder}/card.json"])
        ends.append((end.value.code, "CLEARLY WORSE: right answers, 397/397" in capsys.readouterr().out))
    assert ends == [(1, True), (0, False)]
    card = json.loads(json.dumps(card_data(found)))
    wrong = [card | {"eps": "0.02"}]
    for fault in ({"low": math.nan}, {"low": 1.5}, {"low": 0.9, "high": 0.1}, {"k": 1.5}):
        wrong.append(copy.deepcopy(card))
        wrong[-1]["measured"]["accuracy"] |= fault
    for text in ("{", "[]", "{}", '{"measured": 3}', *map(json.dumps, wrong)):
        (folder / "card.json").write_text(text)
        with pytest.raises(SystemExit) as end:
            main([*words, "--against", f"{folder}/card.json"])
        assert end.value.code == 2 and "is no card.json of an audit" in capsys.readouterr().err
    (folder / "card.json").write_text(json.dumps(card | {"format": 2}))
    with pytest.raises(ValueError, match=r"is a card of format 2, and this audit"):
        read_card(folder / "card.json")


def test_a_table_needs_a_budget(shared, folder, capsys):
    np.savez(folder / "table.npz", x_test=np.zeros((30, 64), np.float32), y_test=np.arange(30) % 10)
    with pytest.raises(SystemExit) as end:
        main([f"{folder}/model.py:build", "--data", f"{folder}/table.npz", "--to", f"{folder}/out"])
    assert end.value.code == 2 and "a table has no customary budget: give --eps" in capsys.readouterr().err


@pytest.mark.parametrize("eps", ["1/0", "nan", "inf", "-1", "1/x", "8/255/2"])
def test_a_budget_that_is_none_is_no_verdict(eps, capsys):
    """A traceback ends with 1, which says that a claim is refuted."""
    with pytest.raises(SystemExit) as end:
        main(["model.py:build", "--data", "digits", f"--eps={eps}"])
    told = capsys.readouterr().err
    assert end.value.code == 2 and f"must be a number >= 0 such as 0.03 or 8/255, got '{eps}'" in told
    assert "Traceback" not in told and "customary" not in told


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
        ("print('lost:', 7)\nraise OSError('gone')", "OSError: gone (model.py:2); it had printed:\nlost: 7"),
        (THREE, "a label is 9, and the model knows 3 classes"),
        ("import sys\nsys.exit(0)", "model.py failed when it was run: SystemExit: 0 (model.py:2)"),
        ("def build():\n    raise SystemExit('usage')", "failed: SystemExit: usage (model.py:2)"),
        (LATER.format("raise SystemExit(0)"), "SystemExit: 0 (model.py:5)"),  # first under attack
        (LATER.format("raise ValueError('no gradient')"), "ValueError: no gradient (model.py:5)"),
    ],
)
def test_what_is_no_audit_does_not_look_like_a_verdict(shared, folder, code, said_of_it, capsys):
    """The model's own errors and exits, a model for other inputs, labels that it does not know: exit 2, one line."""
    (folder / "model.py").write_text(code)
    with pytest.raises(SystemExit) as end:
        main([f"{folder}/model.py:build", "--data", f"{folder}/data.npz", "--to", f"{folder}/out"])
    said = re.sub(r"(?m)^ *\d+% · .*\n", "", capsys.readouterr().err)  # how far it was
    assert end.value.code == 2 and said.startswith("no audit: ") and said.count("\n") <= 2, said
    assert said_of_it in said
    assert not (folder / "out" / "card.html").exists()


@pytest.mark.parametrize("name", ["data.npz", "data.npz/out"])
def test_a_folder_that_cannot_be_is_found_before_anything_is_measured(shared, folder, name, capsys, monkeypatch):
    monkeypatch.setattr("utils.audit.__main__.audit_model", lambda *given, **how: pytest.fail("it has measured"))
    with pytest.raises(SystemExit) as end:
        main([f"{folder}/model.py:build", "--data", f"{folder}/data.npz", "--to", f"{folder}/{name}"])
    assert end.value.code == 2 and f"cannot write to the folder {folder}/{name}" in capsys.readouterr().err


def test_a_class_that_the_data_do_not_show(shared, folder):
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
