"""Distillation: the losses against closed forms, who sees which image, and the cells of the lesson word by word."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from same_code import definitions
from utils.attacks import margin, pgd, transfer
from utils.data import load
from utils.distillation import imitate, soft_loss, soften
from utils.evaluation import accuracy
from utils.masking import Cooled
from utils.models import logits, mlp
from utils.training import fit


@pytest.fixture
def pair():
    """Logits of a student and of its teacher, (6, 5) in float64."""
    torch.manual_seed(0)
    return 3 * torch.randn(2, 6, 5, dtype=torch.float64)


def by_hand(row: list[float], temperature: float) -> list[float]:
    """The softmax of one row at a temperature, in plain Python."""
    powers = [math.exp(value / temperature) for value in row]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [0.5, 1, 7, 100])
def test_soft_labels_are_the_softmax_at_a_temperature(pair, temperature):
    want = [by_hand(row, temperature) for row in pair[0].tolist()]
    assert torch.allclose(soften(pair[0], temperature), torch.tensor(want, dtype=torch.float64), atol=1e-14)


def test_heat_makes_classes_alike_and_keeps_their_order(pair):
    hot = soften(pair[0], 1e6)
    assert (hot - 0.2).abs().max() < 1e-5
    assert hot.argsort(1).equal(pair[0].argsort(1))


@pytest.mark.parametrize("temperature", [1, 4, 100])
def test_soft_loss_by_hand(pair, temperature):
    """The mean over images of minus the sum over classes of p log q."""
    student, teacher = (rows.tolist() for rows in pair)
    want = sum(
        -sum(p * math.log(q) for p, q in zip(by_hand(v, temperature), by_hand(z, temperature), strict=True))
        for z, v in zip(student, teacher, strict=True)
    ) / len(student)
    assert math.isclose(soft_loss(pair[0] / temperature, soften(pair[1], temperature)), want, rel_tol=1e-12)


def test_with_one_hot_labels_it_is_cross_entropy(pair):
    y = pair[1].argmax(1)
    assert torch.isclose(soft_loss(pair[0], F.one_hot(y, 5).double()), F.cross_entropy(pair[0], y), rtol=1e-12)


@pytest.mark.parametrize("temperature", [1, 100])
def test_it_is_kl_up_to_a_constant_of_the_teacher(pair, temperature):
    student, soft = pair[0] / temperature, soften(pair[1], temperature)
    kl = F.kl_div(student.log_softmax(1), soft, reduction="batchmean")
    entropy = torch.distributions.Categorical(probs=soft).entropy().mean()
    assert torch.isclose(soft_loss(student, soft), kl + entropy, rtol=1e-12)


@pytest.mark.parametrize("temperature", [1, 4, 100])
def test_gradient_against_closed_form_and_finite_differences(pair, temperature):
    z, soft = pair[0].clone().requires_grad_(), soften(pair[1], temperature)
    (gradient,) = torch.autograd.grad(soft_loss(z / temperature, soft), z)
    closed = (soften(pair[0], temperature) - soft) / (temperature * len(z))
    assert torch.allclose(gradient, closed, atol=1e-14)
    for i, k in ((0, 0), (3, 2), (5, 4)):
        nudge = torch.zeros_like(pair[0])
        nudge[i, k] = 1e-5
        up, down = (soft_loss((pair[0] + way * nudge) / temperature, soft) for way in (1, -1))
        assert math.isclose((up - down) / 2e-5, gradient[i, k], rel_tol=1e-4, abs_tol=1e-10)


def test_a_hot_student_matches_logits(pair):
    """T² times the gradient tends to (z - v) / K for logits of mean 0; the error falls as 1 / T. Hinton et al. 2015."""
    z, v = (rows - rows.mean(1, keepdim=True) for rows in pair)
    errors = []
    for temperature in (1e2, 1e3, 1e4):
        hot = z.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(len(z) * soft_loss(hot / temperature, soften(v, temperature)), hot)
        errors.append((temperature**2 * gradient - (z - v) / 5).abs().max().item())
    assert errors[2] < 1e-3
    assert all(9 < before / after < 11 for before, after in pairwise(errors))


class Watched(nn.Module):
    """A network that keeps what it was shown."""

    def __init__(self):
        super().__init__()
        self.layer, self.seen = nn.Linear(4, 3), []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return self.layer(x)


def test_the_student_sees_the_disturbed_image_and_the_teacher_the_one_before():
    torch.manual_seed(0)
    teacher, student, x, y = Watched(), Watched(), torch.rand(6, 4), torch.zeros(6, dtype=torch.int64)
    given = []

    def brighten(model, x, y):
        given.append((model, x, y))
        return x + 1

    value = imitate(teacher, brighten)(student, x, y)
    assert torch.equal(teacher.seen[0], x) and torch.equal(student.seen[0], x + 1)
    assert given[0][0] is student and torch.equal(given[0][1], x) and torch.equal(given[0][2], y)
    assert torch.isclose(value, soft_loss(student.layer(x + 1), teacher.layer(x).softmax(1)))
    value.backward()
    assert student.layer.weight.grad is not None and teacher.layer.weight.grad is None
    assert torch.equal(imitate(teacher)(student, x, y), soft_loss(student.layer(x), teacher.layer(x).softmax(1)))


def test_labels_do_not_matter():
    torch.manual_seed(0)
    teacher, student, x = nn.Linear(4, 3), nn.Linear(4, 3), torch.rand(6, 4)
    a, b = (imitate(teacher)(student, x, torch.full((6,), label)) for label in (0, 2))
    assert torch.equal(a, b)


def test_a_student_learns_its_teachers_answers_and_only_looks_robust():
    """The lesson in small: at T = 100 cross-entropy finds no gradient; the margin and logits / T find it."""
    data = load("digits")
    torch.manual_seed(0)
    teacher, student = mlp(data), mlp(data)
    fit(Cooled(teacher, 100), data.train, updates=200)
    fit(Cooled(student, 100), data.train, loss=imitate(Cooled(teacher, 100)), updates=200)
    x, y = data.test.take(200)
    agree = (logits(student, x).argmax(1) == logits(teacher, x).argmax(1)).float().mean()
    assert agree > 0.93 and accuracy(student, (x, y)) > 0.9
    how = {"eps": data.eps, "steps": 20}
    looks = accuracy(student, (pgd(student, x, y, **how), y))
    through = accuracy(student, (transfer(student, x, y, surrogate=Cooled(student, 100), **how), y))
    assert looks > 0.7
    assert accuracy(student, (pgd(student, x, y, loss=margin, **how), y)) < 0.4 and through < 0.4


@pytest.mark.parametrize("name", ["soften", "soft_loss", "imitate"])
def test_the_lesson_builds_what_utils_holds(name):
    lesson, module = definitions("notebooks/src/06_defensive_distillation.py"), definitions("utils/distillation.py")
    assert lesson[name] == module[name]
