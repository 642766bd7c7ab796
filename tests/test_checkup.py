"""The masking check-up: it flags masks and spares honest models, tells why, and leaves no trace."""

import json
import random
import time
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import survey
from utils.attacks import apgd, margin, pgd, square, transfer
from utils.checkup import Finding, Report, examine, plant, planted_found
from utils.checkup.adapt import opened
from utils.checkup.flags import FLAGS, SENTENCES, compared
from utils.checkup.lens import fitted, mixes
from utils.checkup.measurements import Measurements
from utils.data import load
from utils.evaluation import Rate, robust_accuracy
from utils.guard import lent
from utils.models import logits, predict


@cache
def model(name):
    return survey.make(name, 0)[0]


@cache
def report(name) -> Report:
    """Of 60 images. Those of ADAPTED with the attack that is recommended, which changes nothing else (tested below)."""
    source, eps, _ = survey.HONEST.get(name) or survey.MASKS[name]
    x, y = load(source).test.take(60)
    return examine(model(name), x, y, eps=eps, advise=name in ADAPTED)


ADAPTED = {  # the attack that fits, and how much it leaves at most
    "undefended": ("worst case", 0.25),
    "lesson 04: quantised": ("stand-in", 0.10),
    "lesson 04: scrambled": ("stand-in", 0.25),
    "lesson 04: k winners": ("without gradients", 0.10),
    "lesson 04: saturated": ("margin loss", 0.30),
    "lesson 04: noise": ("EOT", 0.75),
    "FGSM-AT, eps 0.3": ("PGD, many steps", 0.15),
}
HONEST = ["undefended", "PGD-AT", "TRADES", "noise-trained", "batchnorm, training mode", "tumors, linear"]
MASKS = {
    "lesson 04: quantised": "vanishing gradients",
    "lesson 04: median": "vanishing gradients",
    "lesson 04: noise": "random outputs",
    "lesson 04: resized": "random outputs",
    "lesson 04: saturated": "another loss beats cross-entropy",
    "lesson 04: k winners": "black box beats white box",
    "lesson 04: scrambled": "wrong gradients",
    "distilled at T = 100": "another loss beats cross-entropy",
    "FGSM-AT, eps 0.3": "gradients turn within the ball",
    "softmax": "probabilities",
    "partial leak": "wrong gradients",
    "gradient if a pixel is lit": "many more steps help",
    "sawtooth": "one step beats many",
    "detector": "no answer when attacked",
    "tumors, quantised": "vanishing gradients",
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_models_are_spared(name):
    assert report(name).flags == []


@pytest.mark.parametrize(("name", "flag"), MASKS.items())
def test_masks_are_flagged_for_what_they_are(name, flag):
    assert flag in report(name).flags


def test_every_flag_is_raised_by_some_mask():
    """So that a test that no longer tells anything is noticed."""
    raised = {flag for name in MASKS for flag in report(name).flags}
    assert raised == FLAGS.keys()


def digits(images):
    return load("digits").test.take(images)


# What is recommended, and run.


@pytest.mark.parametrize("name", ADAPTED)
def test_the_adaptive_attack_fits_and_is_run(name):
    (attack, most), found = ADAPTED[name], report(name)
    assert found.recommended.name == attack and found.adapted.n == 60
    assert found.adapted <= most
    others = [rate for way, rate in found.left.items() if way != "eps = 1"]
    assert attack == "EOT" or all(found.adapted <= rate for rate in others)


def test_the_adaptive_attack_is_run_where_it_is_asked_for_and_changes_nothing_else():
    x, y = digits(60)
    alone = examine(model("lesson 04: quantised"), x, y, eps=0.15, advise=False)
    assert alone.adapted is None and alone == replace(report("lesson 04: quantised"), adapted=None)


def test_the_stand_in_alone_opens_the_mask():
    """Not the searches that come after it."""
    x, y = digits(60)
    masked = model("lesson 04: quantised")
    stand_in, names = opened(Measurements(masked, x, y, eps=0.15, seed=0))
    assert names == ["Quantize"] and torch.equal(predict(stand_in, x), predict(masked, x))
    assert float(robust_accuracy(masked, (x, y), partial(transfer, surrogate=stand_in, loss=margin), eps=0.15)) < 0.1


def test_the_numbers_are_those_of_the_attacks():
    x, y = digits(60)
    left = report("PGD-AT").left
    both = Rate(int((~(fell(model("PGD-AT"), x, y) | fell(model("PGD-AT"), x, y, loss=margin))).sum()), 60)
    assert left["40 steps, cross-entropy"] == robust_accuracy(model("PGD-AT"), (x, y), pgd, eps=0.15)
    assert abs(float(left["... and margin"]) - float(both)) <= 0.02
    assert left["no attack"] == report("PGD-AT").findings[0].n / 60


def fell(net, x, y, **how):
    return logits(net, pgd(net, x, y, eps=0.15, **how)).argmax(1) != y


# Planting: a test of the attack.


def too_few(net, x, y, *, eps):
    return pgd(net, x, y, eps=eps, steps=3, step=eps / 15)


def wrong_sign(net, x, y, *, eps):
    return pgd(net, x, y, eps=eps, steps=40, step=-eps / 16)


def no_gradient(net, x, y, *, eps):
    class Blind(nn.Module):
        def forward(self, x):
            return net(x.detach()) + 0 * x.sum()

    return pgd(Blind(), x, y, eps=eps)


WORKING = {
    "PGD": pgd,
    "PGD on the margin": partial(pgd, loss=margin),
    "APGD": apgd,
    "Square": partial(square, queries=300),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["undefended", "PGD-AT", "tumors, linear"])
def test_what_was_planted_lies_in_the_ball_and_is_read_as_1(name, seed):
    source, eps, _ = survey.HONEST[name]
    x = load(source).test.take(60)[0]
    twin, which, corner = plant(model(name), x, eps=eps, seed=seed)
    assert len(which) >= 30 and (corner - x[which]).abs().max() <= eps + 1e-6
    assert corner.min() >= 0 and corner.max() <= 1
    assert predict(twin, corner).eq(1).all() and predict(twin, x[which]).eq(0).all()
    back = torch.arange(len(which) - 1, -1, -1)
    assert torch.allclose(twin(x[which])[back], twin(x[which][back]), atol=1e-3)  # each image has a line of its own
    around = x[which] + 0.9 * eps * (2 * torch.rand(20, *x[which].shape) - 1)
    inside = torch.stack([predict(twin, one.clamp(0, 1)) == 0 for one in around]).float().mean()
    assert inside > 0.99


def test_an_image_beside_another_is_left_out():
    """A row of the twin is answered by the line of the nearest image: it must not be another's."""
    x = digits(20)[0]
    _, which, _ = plant(model("undefended"), torch.cat([x, (x[:1] + 0.1).clamp(0, 1)]), eps=0.15)
    assert len(which) >= 10 and not {0, 20} & set(which.tolist())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["undefended", "PGD-AT"])
def test_working_attacks_find_what_was_planted_and_broken_ones_do_not(name, seed):
    x = digits(60)[0]
    for how, attack in WORKING.items():
        found = planted_found(attack, model(name), x, eps=0.15, seed=seed)
        assert float(found) >= 0.95, how
    for attack in (too_few, wrong_sign, no_gradient):
        found = planted_found(attack, model(name), x, eps=0.15, seed=seed)
        assert found.interval[1] < 0.95 and float(found) < 0.2, attack.__name__


def test_random_points_seldom_find_it():
    x = digits(60)[0]
    twin, which, _ = plant(model("undefended"), x, eps=0.15)
    down = torch.zeros_like(which, dtype=torch.bool)
    for _ in range(200):
        noise = 2 * torch.rand_like(x[which]) - 1
        down |= predict(twin, (x[which] + 0.15 * noise).clamp(0, 1)) == 1
    assert down.float().mean() < 0.2


@pytest.mark.parametrize("seed", range(3))
def test_the_flag_is_raised_for_the_attack_that_fails(seed):
    """The flag alone, as the report has it: at seed 0 it is the report's own."""
    name, (x, y) = "planted examples are missed", digits(60)
    share, seen = FLAGS[name]
    for masked in ("undefended", "lesson 04: quantised", "lesson 04: scrambled"):
        with lent(model(masked), seed=seed, device=x.device):
            flag = compared(
                name, seen(Measurements(model(masked), x, y, eps=0.15, seed=seed)), share, 0.01 / len(FLAGS)
            )
        assert flag.n >= 25 and flag.raised == (masked != "undefended")
        assert seed or flag == report(masked).findings[-1]


def test_a_model_in_which_nothing_can_be_planted_says_so():
    class Plain(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10]

    x, y = digits(20)
    with pytest.raises(ValueError, match="no linear layer"):
        plant(Plain(), x, eps=0.1)
    y = predict(Plain(), x)
    found = examine(Plain(), x, y, eps=0.1, advise=False)
    assert found.findings[-1].n == 0 and not found.findings[-1].raised
    assert "No adversarial example could be planted" in found.notes[-1]


# The test behind each flag.


@pytest.mark.parametrize("tolerance", [0.05, 0.25])
def test_a_flag_keeps_its_level(tolerance):
    """Models that show a sign on exactly the tolerated share are flagged no more often than the level says."""
    torch.manual_seed(0)
    shows = torch.rand(3000, 200) < tolerance
    raised = sum(compared("random outputs", row, tolerance, 0.05).raised for row in shows)
    assert raised <= 0.055 * 3000 + 20
    assert compared("random outputs", torch.ones(5, dtype=torch.bool), tolerance, 0.01).raised
    nothing = compared("random outputs", torch.zeros(5, dtype=torch.bool), tolerance, 0.01)
    assert not nothing.raised and nothing.p_value == 1
    some = compared("random outputs", shows[0], tolerance, 0.01)
    exact = stats.binomtest(some.k, 200, tolerance, alternative="greater").pvalue
    assert some.p_value == pytest.approx(exact) and some.statistic == some.k / 200


# Promises.


class Counter(nn.Module):
    """Keeps count in a buffer and draws from every generator there is."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.own = inner, torch.Generator()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        noise = torch.randn(x.shape, generator=self.own) + random.gauss(0, 1) + float(np.random.randn())
        return self.inner(x + 0.05 * noise.to(x) + 0.05 * torch.randn_like(x))


def test_the_model_and_all_random_states_are_left_as_they_were():
    net = Counter(model("batchnorm, training mode")).train()
    net.inner[0].eval()
    next(net.parameters()).requires_grad_(False)
    for p in list(net.parameters())[1:]:
        p.grad = torch.ones_like(p)
    x, y = (t.clone() for t in digits(40))

    def state():
        weights = [
            t.clone() for t in (*net.state_dict().values(), *[p.grad for p in net.parameters() if p.requires_grad])
        ]
        modes = [m.training for m in net.modules()], [p.requires_grad for p in net.parameters()]
        return (
            [*weights, torch.get_rng_state(), net.own.get_state(), x, y],
            modes,
            random.getstate(),
            np.random.get_state(),
        )

    before = state()
    first = examine(net, x, y, eps=0.15)
    after = state()
    assert all(torch.equal(a, b) for a, b in zip(before[0], after[0], strict=True))
    assert before[1:3] == after[1:3] and np.array_equal(before[3][1], after[3][1])
    assert "random outputs" in first.flags
    torch.rand(3), np.random.rand(3), random.random()  # the caller's states do not matter
    assert examine(net, x, y, eps=0.15) == first
    next(net.parameters()).requires_grad_(True)


def test_it_is_quick_and_silent(capfd, recwarn):
    net, (x, y) = model("lesson 04: quantised"), digits(200)
    capfd.readouterr()  # of training
    began = time.process_time()
    examine(net, x, y, eps=0.15)
    assert time.process_time() - began < 50  # the slowest kind, on one core
    assert capfd.readouterr() == ("", "")
    assert [str(warning.message) for warning in recwarn.list] == []


# Whatever a model may return.


class Returns(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: torch.zeros(len(x), 10), "answers to all 40 inputs are the same"),
        (lambda x: torch.full((len(x), 10), float("nan")), "40 of 40 answers hold NaN"),
        (lambda x: x.flatten(1)[:, :10] / 0, "hold NaN or infinity"),
        (lambda x: -1 - x.flatten(1)[:, [9, 8]].repeat(1, 5), "None of 40 inputs is classified right"),
    ],
)
def test_answers_that_cannot_be_used_give_a_sentence(answer, says):
    x, y = digits(40)
    found = examine(Returns(answer), x, torch.full_like(y, 9), eps=0.15)
    assert found.flags == ["unusable outputs"] and says in found.findings[0].sentence
    assert found.adapted is None and says in repr(found) and says in found._repr_html_()
    json.dumps(found.to_dict())
    found.figure().png()


def test_copies_of_one_input_are_no_fault_of_the_model():
    x, y = digits(1)
    with pytest.raises(ValueError, match=r"^x holds 40 copies of one input: the check-up needs different ones"):
        examine(model("undefended"), x.repeat(40, 1, 1, 1), y.repeat(40), eps=0.15)


class Company(nn.Module):
    """A network that subtracts or normalises by what else is in the batch, whatever its mode."""

    def __init__(self, kind):
        super().__init__()
        self.net, self.kind = model("undefended"), kind

    def forward(self, x):
        z = self.net(x)
        if self.kind == "centred":
            return z - z.mean(0)
        if self.kind == "noise":
            return z + torch.randn_like(z)
        return nn.functional.batch_norm(z, None, None, training=True)


@pytest.mark.parametrize("kind", ["centred", "batchnorm left on"])
def test_answers_that_depend_on_the_batch_are_no_answers(kind):
    """BatchNorm in training mode would even fail on the single inputs that attacks ask about."""
    found = examine(Company(kind), *digits(40), eps=0.15)
    assert found.flags == ["unusable outputs"] and "what else is in the batch" in found.findings[0].sentence
    assert found.adapted is None and "of 16 answers" in found.findings[0].sentence


@pytest.mark.parametrize("name", ["undefended", "batchnorm, training mode", "lesson 04: noise", "softmax"])
def test_models_that_answer_each_input_alone_are_not_said_to_mix(name):
    lens, _ = fitted(model(name), digits(40)[0])
    state = torch.get_rng_state()
    assert mixes(lens, digits(40)[0]) is None and torch.equal(state, torch.get_rng_state())


def test_noise_is_not_taken_for_the_batch():
    assert mixes(Company("noise"), digits(40)[0]) is None
    assert mixes(Company("centred"), digits(3)[0]) is None  # too few to tell


def test_probabilities_are_examined_through_their_logarithm():
    net = model("undefended")
    honest, soft = report("undefended"), report("softmax")
    assert soft.flags == ["probabilities"]
    x, y = digits(60)
    one_hot = examine(Returns(lambda x: nn.functional.one_hot(net(x).argmax(1), 10)), x, y, eps=0.15, advise=False)
    assert {"probabilities", "vanishing gradients"} <= set(one_hot.flags)
    gap = float(honest.left["... and margin"]) - float(soft.left["... and margin"])
    assert abs(gap) < 0.05


@pytest.mark.parametrize("kind", ["logit", "flat", "probability", "tuple", "object"])
def test_binary_models_with_one_column_and_wrapped_answers(kind):
    net = model("tumors, linear")
    x, y = load("tumors").test.take(60)

    class Answer:
        def __init__(self, value):
            self.logits = value

    def answer(x):
        z = net(x)
        one = (z[:, 1] - z[:, 0])[:, None]
        return {"logit": one, "flat": one[:, 0], "probability": one.sigmoid(), "tuple": (z, x), "object": Answer(z)}[
            kind
        ]

    found = examine(Returns(answer), x, y, eps=0.05, advise=False)
    assert found.flags == (["probabilities"] if kind == "probability" else [])
    assert found.left["no attack"] == Rate(int((net(x).argmax(1) == y).sum()), 60)


def test_float64_and_few_inputs():
    x, y = digits(20)
    assert examine(model("undefended").double(), x, y, eps=0.15, advise=False).flags == []
    model("undefended").float()
    assert examine(model("undefended"), x[:1], y[:1], eps=0.15, advise=False).flags == []
    assert "vanishing gradients" in examine(model("lesson 04: quantised"), x, y, eps=0.15, advise=False).flags


@pytest.mark.parametrize("eps", [0, -0.1, 1.5, float("nan"), "0.1", None])
def test_a_budget_that_is_none(eps):
    with pytest.raises(ValueError, match="eps must be a number in"):
        examine(model("undefended"), *digits(20), eps=eps)


def test_arguments_that_cannot_be_used():
    x, y = digits(20)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        examine(model("undefended"), x * 255, y, eps=0.15)
    with pytest.raises(ValueError, match="no inputs"):
        examine(model("undefended"), x[:0], y[:0], eps=0.15)
    with pytest.raises(ValueError, match="must return logits of shape"):
        examine(Returns(lambda x: x), x, y, eps=0.15)
    with pytest.raises(TypeError, match=r"must be an nn\.Module"):
        examine(lambda x: x, x, y, eps=0.15)


# How it looks.


def test_it_is_text_a_table_a_figure_and_a_dictionary():
    found = report("lesson 04: quantised")
    text, page = repr(found), found._repr_html_()
    assert len(found.findings) == len(FLAGS) >= 10 and FLAGS.keys() == SENTENCES.keys()
    for finding in found.findings:
        assert finding.name in text and finding.name in page and 0 <= finding.p_value <= 1
        assert f"{finding.k} of {finding.n}" in finding.sentence
    assert str(found.adapted) in text and str(found.adapted) in page
    data = json.loads(json.dumps(found.to_dict()))
    assert data["flags"] == found.flags and data["adapted"]["n"] == 60 and len(data["findings"]) == len(FLAGS)
    picture = found.figure()
    assert picture.png()[:4] == b"\x89PNG" and str(found.adapted) in picture.text
    width, height = picture.figure.get_size_inches()
    assert width <= 7 and height <= 3


def test_a_row_of_the_table_says_flag_where_one_is_raised():
    found = report("lesson 04: quantised")
    rows = found._repr_html_().split("<tr title=")[1:]
    assert [">flag</b>" in row for row in rows] == [finding.raised for finding in found.findings]
    assert [">ok</b>" in row for row in rows] == [not finding.raised for finding in found.findings]
    assert len({finding.raised for finding in found.findings}) == 2


def test_html_is_escaped():
    finding = Finding("<b>", True, 1, 2, 0.1, 0.5, "<script>alert(1)</script>")
    found = report("undefended")
    page = Report((finding,), {}, found.recommended, None, 0.1, 0.01, ("<i>",))._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page and "<i>" not in page
