"""A model that is lent comes back as it was, whatever was done to it and however it ended."""

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from utils.asking import check_answer
from utils.guard import guard, lent
from utils.models import logits, predict


class Restless(nn.Module):
    """Whatever a model may change while it answers: its buffers, by writing or by exchange, and four generators."""

    def __init__(self):
        super().__init__()
        self.layer, self.rest = nn.Linear(3, 2), nn.Dropout()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("last", torch.zeros(1))
        self.register_buffer("nothing", None)
        self.own = torch.Generator().manual_seed(5)

    def forward(self, x):
        self.calls += 1
        self.rest.train()  # as Monte Carlo dropout does
        self.last = x.detach().mean() + self.last
        drawn = random.random() + np.random.rand() + torch.rand(()) + torch.rand((), generator=self.own)
        return self.layer(x) + float(drawn)


def state(model: Restless) -> list:
    parts = {name: t.clone() for name, t in model.state_dict().items()}
    flags = [(p.requires_grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    modes = [module.training for module in model.modules()]
    hooks = [len(module._forward_hooks) for module in model.modules()]
    numbers = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    return [str(part) for part in (parts, flags, modes, hooks, numbers, model.own.get_state().tolist())]


@pytest.fixture
def model() -> Restless:
    model = Restless().train()
    model.layer.bias.requires_grad_(False)
    model(torch.rand(4, 3)).sum().backward()
    model.rest.eval()
    return model


@pytest.mark.parametrize("fails", [False, True])
def test_it_comes_back_as_it_was(model, fails):
    before, last, x = state(model), model.last, torch.full((4, 3), 0.5)
    try:
        with torch.no_grad(), lent(model, seed=3):
            assert torch.is_grad_enabled() and not any(m.training for m in model.modules())
            assert not any(p.requires_grad for p in model.parameters())
            model(x.requires_grad_()).sum().backward()
            assert state(model) != before and model.rest.training
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert state(model) == before and model.last is last
    assert x.grad is not None  # what the borrower asked for is not lost


def test_the_same_seed_gives_the_same_numbers_and_none_draws_the_callers(model):
    x = torch.full((4, 3), 0.5)

    def ask(**how):
        random.random(), np.random.rand(), torch.rand(()), torch.rand((), generator=model.own)  # the caller goes on
        with lent(model, **how):
            return model(x).tolist()

    assert ask(seed=1) == ask(seed=1) != ask(seed=2)
    assert ask() != ask()
    assert ask(seed=2**40)  # wider than NumPy's seeds


class Holds(nn.Module):
    """Adds one random number of its own source to all answers."""

    def __init__(self, held, draw):
        super().__init__()
        self.held, self.draw = held, draw

    def forward(self, x):
        return x + float(self.draw(self.held))


SOURCES = {
    "torch's in a list": lambda: Holds([torch.Generator()], lambda held: torch.rand((), generator=held[0])),
    "torch's in a dictionary": lambda: Holds({0: torch.Generator()}, lambda held: torch.rand((), generator=held[0])),
    "NumPy's": lambda: Holds(np.random.default_rng(0), lambda held: held.random()),
    "NumPy's, of another kind": lambda: Holds(np.random.Generator(np.random.MT19937(0)), lambda held: held.random()),
    "NumPy's, as it was": lambda: Holds((np.random.RandomState(0),), lambda held: held[0].rand()),
    "Python's": lambda: Holds(random.Random(0), lambda held: held.random()),
}


@pytest.mark.parametrize("source", SOURCES)
def test_generators_that_a_model_holds_begin_at_the_seed_and_end_where_they_were(source):
    model, twin, x = SOURCES[source](), SOURCES[source](), torch.full((1, 2), 0.5)

    def ask(seed):
        with lent(model, seed=seed):
            return [model(x).tolist() for _ in range(2)]

    assert ask(1) == ask(1) != ask(2)
    assert torch.equal(model(x), twin(x)), "as if nobody had asked it"


def test_logits_leaves_all_but_the_callers_numbers(model):
    before = state(model)
    first, second = logits(model, torch.full((4, 3), 0.5)), logits(model, torch.full((4, 3), 0.5))
    assert state(model)[:4] == before[:4] and state(model)[4:] != before[4:]
    assert not torch.equal(first, second) and not first.requires_grad


def test_a_model_made_in_inference_mode_can_be_lent():
    with torch.inference_mode():
        model, x = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)), torch.rand(4, 3)
        inside = predict(model, x)
    assert torch.equal(predict(model, x), inside)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (torch.zeros(4, 2), torch.zeros(4, 2)),
        torch.zeros(4),
        torch.zeros(4, 1),
        torch.zeros(3, 2),
        torch.zeros(4, 2).long(),
    ],
)
def test_an_answer_that_cannot_be_logits_is_named(answer):
    class Answers(nn.Module):
        def forward(self, x):
            return answer

    with pytest.raises(
        ValueError, match=r"^model must return logits of shape \(4, classes\), float, for 4 inputs, got"
    ):
        predict(Answers(), torch.rand(4, 3))
    assert check_answer(torch.zeros(0, 2), 0).shape == (0, 2)


def test_arguments_are_looked_at_before_the_model_is_touched(model):
    x, y = torch.rand(4, 3), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"^x must lie in \[0, 1\]"), guard(model, 2 + x, y, eps=0.1):
        raise AssertionError("lent all the same")
    with pytest.raises(TypeError, match=r"^model must be"), lent(lambda x: x):
        raise AssertionError("lent all the same")


@pytest.mark.parametrize(
    ("norm", "eps", "said"),
    [
        ("linf", 8, r"^eps must be at most 1, all of \[0, 1\] in linf, got 8; in steps of 1/255 say 8 / 255$"),
        ("linf", 300, r"^eps must be at most 1, all of \[0, 1\] in linf, got 300$"),
        ("l2", 2, r"^eps must be at most 1\.732, all of \[0, 1\] in l2, got 2"),
    ],
)
def test_a_budget_in_other_units_is_named(model, norm, eps, said):
    x, y = torch.rand(4, 3), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match=said), guard(model, x, y, eps=eps, norm=norm):
        raise AssertionError("lent all the same")
    with guard(model, x, y, eps=1, norm=norm), guard(model, x, y, eps=math.inf, norm=norm, unbounded=True):
        pass


def test_channels_that_come_last_are_named_beside_the_networks_own_words():
    network, x, y = nn.Conv2d(3, 2, 3), torch.rand(4, 8, 8, 3), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="channels") as caught, guard(network, x, y, eps=0.1) as (asked, *_):
        asked(x)
    assert caught.value.__notes__ == [
        "x has the shape (4, 8, 8, 3): if its channels come last, give x.permute(0, 3, 1, 2), (N, C, H, W)"
    ]
