"""What a student reads when a check is not met: a property, in words, without a stack trace."""

import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from grader.session import Raised
from run import ROOT
from small_env import COLAB, small_env
from utils import expect
from utils.expect import Unmet

X = torch.full((2, 1, 2, 2), 0.5)


@pytest.mark.parametrize(
    "value",
    [X.double(), X.numpy(), X.tolist(), X.half(), torch.stack([X, X], -1)[..., 0], X.clone().requires_grad_()],
    ids=["float64", "numpy", "list", "float16", "not contiguous", "wants a gradient"],
)
def test_any_kind_of_tensor_will_do(value):
    got = expect.tensor(value, like=X)
    assert torch.equal(got, X) and got.dtype == X.dtype and not got.requires_grad


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "is there a return"),
        (X[0], "another shape"),
        (X[:1].expand(3, 1, 2, 2), "another shape"),
        (X * math.nan, "NaN"),
        (X + 0j, "complex"),
        ("text", "no tensor"),
        (object(), "no tensor"),
        ([[1], [2, 3]], "no tensor"),
        ([10**400], "no tensor"),
    ],
)
def test_what_is_no_such_tensor_is_said(value, message):
    with pytest.raises(Unmet, match=message):
        expect.tensor(value, like=X)


def test_a_slope_is_that_of_the_sum_or_none():
    x = torch.arange(3.0)
    assert torch.equal(expect.slope(lambda x, n: n * x**2, x, n=3), 6 * x) and not x.requires_grad
    with torch.no_grad():
        assert torch.equal(expect.slope(torch.sin, x), x.cos())
    assert expect.slope(lambda x: x.detach(), x) is None and expect.slope(lambda x: 3.0, x) is None
    assert expect.slope(lambda x: torch.zeros(3, requires_grad=True), x) is None


def test_a_mistake_is_named_only_where_the_answer_is_wrong():
    one, two = torch.ones(2), torch.full((2,), 2.0)
    expect.none_of(one, one + 1e-7, {"the same here": one, "twice": two})
    expect.none_of(3 * one, one, {"twice": two})
    with pytest.raises(Unmet, match="twice"):
        expect.none_of(two, one, {"never": 5 * one, "twice": two})
    endless = torch.tensor([1.0, math.inf])
    expect.none_of(endless, endless, {"inf is inf": endless})
    with pytest.raises(Unmet, match="a half") as told:
        expect.none_of(0.5, 1, {"of another shape": two, "a half": 0.5}, expected="one")
    assert (told.value.expected, told.value.got) == ("one", "0.5")


def test_several_results_of_one_mistake_share_its_message():
    several = {"one of two": [4.0, 5.0, torch.ones(2)], "a pair": (1, 2), "nearer": 5.001}
    for value in (4, 5, torch.ones(2)):
        with pytest.raises(Unmet, match="one of two"):
            expect.none_of(value, torch.as_tensor(value) + 1, several, atol=0.01)
    with pytest.raises(Unmet, match="nearer"):
        expect.none_of(5.002, 3, several, atol=0.01)
    with pytest.raises(Unmet, match="a pair"):
        expect.none_of(torch.tensor([1.0, 2.0]), torch.zeros(2), several)
    expect.none_of(6, 3, several)


def test_reports_that_deserve_different_words_are_asked_about():
    looks = {"A": "who?", "B": "when?", "C": "where?"}
    expect.apart({"A": "x", "B": "y", "C": "z"}, looks, "xyz")
    with pytest.raises(Unmet, match=r"A and C get the same word.* A: who\? C: where\?"):
        expect.apart({"A": "x", "B": "y", "C": "x"}, looks, "xyz")
    with pytest.raises(Unmet, match="report B: another word"):
        expect.apart({"A": "x", "B": "w", "C": "x"}, looks, "xyz")


LINE = torch.tensor([0.3, -1.2, 2.5, 0.9])


@pytest.mark.parametrize(
    ("value", "wanted", "words"),
    [
        (-LINE, LINE, "each number has the other sign"),
        (LINE.abs(), LINE, "lost its sign"),
        (LINE**2, LINE, "the square of"),
        (2 * LINE, LINE, "twice"),
        (LINE / 7, LINE, "0.1429 times"),
        (LINE + 0.25, LINE, "off by 0.25"),
        ((LINE - LINE.min()) / 3.7, LINE, "normalised"),
        (LINE.flip(0), LINE, "another order"),
        (3.0, 2.0, "the number is 1 too large"),
        (1.0 / 2.5, 2.5, "1 over"),
        (2.5 / math.log(2), 2.5, "base 2"),
        (LINE.sin(), LINE, "^no$"),
        (LINE * math.nan, LINE, "^no$"),
        (1e8 + 1, 1e8, "^no$"),  # float32 has no such number
        (torch.full((4,), 0.7), torch.full((4,), 0.3), "1 less"),
        (torch.full((4,), 0.6), torch.full((4,), 0.4999), "^no$"),
    ],
)
def test_a_wrong_answer_is_told_how_it_comes_from_the_right_one(value, wanted, words):
    expect.equal(wanted, wanted, "no")
    with pytest.raises(Unmet, match=words):
        expect.equal(value, wanted, "no")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (X + 0.13, "left the eps-ball by 0.03: .* project after the last step"),
        (X - 0.7, r"left \[0, 1\]: clamp"),
        (X + math.inf, r"left \[0, 1\]"),
    ],
)
def test_adversarial_images_are_in_the_ball_and_in_the_cube(value, message):
    assert torch.equal(expect.images(X + 0.1, X, 0.1), X + 0.1)
    with pytest.raises(Unmet, match=message):
        expect.images(value, X, 0.1)


@pytest.mark.parametrize("value", [2, 2.0, np.float64(2), torch.tensor(2), torch.tensor([2.0]), True + 1, "2"])
def test_numbers(value):
    assert expect.number(value) == 2


@pytest.mark.parametrize("value", [None, [], "x", torch.ones(2), math.nan, object()])
def test_what_is_no_number(value):
    with pytest.raises(Unmet):
        expect.number(value)


def test_arguments_that_change_are_noticed():
    model = torch.nn.Linear(2, 2)
    expect.leaves_arguments(lambda m, x: m(x), model, torch.ones(2))
    for spoil in (lambda m, x: x.mul_(2), lambda m, x: m.eval(), lambda m, x: m.weight.data.zero_()):
        with pytest.raises(Unmet, match="changed its arguments"):
            expect.leaves_arguments(spoil, torch.nn.Linear(2, 2), torch.ones(2))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: rows["x"].add_(1),
        lambda rows: rows["many"][1].zero_(),
        lambda rows: rows["many"].pop(),
        lambda rows: rows["numbers"].sort(),
        lambda rows: rows["array"].fill(0),
        lambda rows: rows.update(more=1),
        lambda rows: rows["pair"][0].add_(1),
    ],
)
def test_what_lists_and_dictionaries_hold_must_stay_as_well(spoil):
    def rows():
        held = {
            "x": torch.ones(2),
            "many": [torch.ones(1), torch.ones(1)],
            "numbers": [3, 1, math.nan],
            "words": ["a", None],
        }
        return held | {"array": np.ones(2), "words": ["a", None], "pair": (torch.ones(1), 1)}

    expect.leaves_arguments(lambda rows, more: rows["x"] + 1, rows(), more=rows())
    with pytest.raises(Unmet, match="changed its arguments"):
        expect.leaves_arguments(spoil, rows())
    with pytest.raises(Unmet, match="changed its arguments"):
        expect.leaves_arguments(lambda rows: spoil(rows), rows=rows())


def test_parts():
    for value in ((1, 2), [1, 2], torch.tensor([1, 2])):
        assert [int(part) for part in expect.parts(value, 2, "two numbers")] == [1, 2]
    for value in (1, None, (1,), [1, 2, 3], "ab", torch.tensor([1])):
        with pytest.raises(Unmet, match="not 2 things"):
            expect.parts(value, 2, "two numbers")


def test_equal_knows_infinity_and_shares():
    value = torch.tensor([math.inf, 1.0, 2.0, 3.0])
    expect.equal(value, torch.tensor([math.inf, 1.0, 2.0, 4.0]), "differs", share=0.75)
    with pytest.raises(Unmet, match="differs"):
        expect.equal(value, torch.tensor([math.inf, 1.0, 2.0, 4.0]), "differs", share=0.8)
    with pytest.raises(Unmet):
        expect.equal(value * math.nan, value, "differs")


def test_values_are_shown_shortly():
    assert expect.short(torch.arange(3.0)) == "[0.0, 1.0, 2.0]"
    assert expect.short(torch.zeros(100, 2)) == "a tensor (100, 2) from 0 to 0"
    assert expect.short("a\nb") == "a b"
    assert len(expect.short("x" * 10_000)) == 200


SHOWN = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
shell.run_cell("from utils import expect\\nexpect.that(False, 'step up', expected='more', got=1.0)")
shell.run_cell("from utils import expect\\nexpect.passed('fgsm', of=4)")
"""


@pytest.mark.parametrize("where", ["here", "colab"])
def test_a_notebook_shows_the_message_and_no_stack_trace(where):
    python = sys.executable if where == "here" else small_env("colab", COLAB)
    done = subprocess.run([python, "-c", SHOWN], cwd=ROOT, capture_output=True, text=True)
    shown = done.stdout + done.stderr
    assert "✗ step up\n  expected: more\n  got: 1" in shown, shown
    assert "Traceback" not in shown and "raise " not in shown
    assert "✓ fgsm · public checks: 1 of 4; hidden checks decide the grade" in shown


def climb(step=0.25, steps=10, loss=F.cross_entropy, at_x=False, signs=True, together=False):
    """An attack in L-infinity, right or with a mistake."""

    def attack(model, x, y, eps):
        z = x
        for _ in range(steps):
            leaf = (x if at_x else z).clone().requires_grad_()
            (way,) = torch.autograd.grad(loss(model(leaf), y), leaf)
            way = way.mean(0, keepdim=True) if together else way
            z = (z + eps * step * (way.sign() if signs else 4 * way)).clamp(x - eps, x + eps).clamp(0, 1)
        return z

    return attack


def best_other(logits, y):
    own = logits.gather(1, y[:, None])[:, 0]
    return (logits.scatter(1, y[:, None], -float("inf")).amax(1) - own).sum()


def randn_like(x):
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(1))


def halfway(model, x, y, eps):
    """One step from a random start."""
    start = x + eps * randn_like(x).clamp(-1, 1)
    return climb(1.0, steps=1)(model, start, y, eps).clamp(x - eps, x + eps)


def stops(model, x, y, eps):
    """Gives back its images as soon as one of them is wrong."""
    return x if (model(x).argmax(1) != y).any() else climb()(model, x, y, eps)


FAULTS = {
    "go down the loss": climb(-0.25),
    "lead only 20 % of eps": climb(0.02),
    "only its sign count": climb(signs=False),
    "that of the prediction": climb(loss=lambda logits, y: F.cross_entropy(logits, logits.argmax(1))),
    "as often as along": lambda model, x, y, eps: x + eps * randn_like(x).sign(),
    "no pixel moves: has your loss": lambda model, x, y, eps: x,
    "stays where it is in a batch": climb(together=True, loss=best_other),
    "stay behind where others": stops,
    "look at the gradient anew": climb(at_x=True),
    "% of the way on the average": halfway,
}


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (3, 30)])
def test_an_attack_without_a_fault_has_none(shape):
    images = torch.rand(shape)
    for attack in (climb(loss=best_other), climb(0.1, steps=40, loss=best_other)):
        assert expect.fault_of(attack, images, loud=1e6) == ""
    assert expect.fault_of(climb(), images) == ""
    assert "1000 times as large" in expect.fault_of(climb(), images, loud=1000)


def test_more_left_than_may_be_says_why():
    left = SimpleNamespace(k=5, n=10)
    expect.few_left(left, 5, climb(), X, "nothing found")
    with pytest.raises(expect.Unmet, match="still right: nothing found"):
        expect.few_left(left, 4, climb(), X, "nothing found")
    with pytest.raises(expect.Unmet, match="still right: the images go down"):
        expect.few_left(left, 4, climb(-0.25), X, "nothing found")


@pytest.mark.parametrize(("there", "said"), [(4, "same network in the dark: where a network is sure"), (5, "go down")])
def test_an_attack_that_works_where_logits_are_small_is_told_so_first(there, said):
    left, quiet = SimpleNamespace(k=5, n=10), ("in the dark", lambda: SimpleNamespace(k=there))
    with pytest.raises(expect.Unmet, match=said) as told:
        expect.few_left(left, 4, climb(-0.25), X, "nothing found", quiet=quiet)
    assert told.value.expected == "at most 4 of 10 right"
    expect.few_left(left, 5, climb(), X, "nothing found", quiet=("never asked", None))


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_of_an_attack_is_named(fault):
    assert fault in expect.fault_of(FAULTS[fault], torch.rand(2, 1, 8, 8)), fault


def test_a_change_in_place_of_images_is_named():
    with pytest.raises(expect.Unmet, match="a change of up to eps"):
        expect.images(torch.full_like(X, -0.1), X, 0.1)
    odd = torch.arange(X.numel()).view(X.shape) % 2
    with pytest.raises(expect.Unmet, match="only down"):
        expect.images(X + 0.1 - 0.4 * odd, X, 0.1)


def test_a_mistake_of_another_shape_is_none_of_these():
    value, wanted = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1.0, 2.0, 3.0])
    expect.none_of(value, wanted, {"of another shape": torch.tensor([1.0, 2.0])})
    with pytest.raises(expect.Unmet, match="too large"):
        expect.none_of(value, wanted, {"of another shape": torch.ones(2), "the last is too large": value.clone()})


def test_one_number_in_place_of_several_is_told_as_that():
    several = torch.tensor([1.0, 2.0, 3.0])
    for one in (torch.tensor(2.0), torch.tensor([2.0]), 2.0):
        with pytest.raises(expect.Unmet, match="not these") as caught:
            expect.equal(one, several, "not these")
        assert "number 0 is 2, not 1" in caught.value.got


@pytest.mark.parametrize(
    ("alarms", "words"), [(1, "the threshold is higher than need be"), (5, "not what keeps them late")]
)
def test_why_alarms_are_late(alarms, words):
    times = torch.tensor([7] * alarms + [-1] * (100 - alarms))
    said = expect.why_late(times, 8, "a change")
    assert said.startswith(f"{alarms} of 100 streams without a change have an alarm") and words in said


@pytest.mark.parametrize(
    "call",
    [
        lambda: [][0],
        lambda: max([]),
        lambda: 1 / 0,
        lambda: math.log(0),
        lambda: math.exp(1e4),
        lambda: np.zeros(0).max(),
        lambda: torch.zeros(0).max(),
        lambda: torch.zeros(3)[5],
        lambda: torch.zeros(0, 4).max(0),
    ],
)
def test_an_error_at_an_edge_is_told_in_the_words_of_the_edge(call):
    with pytest.raises(expect.Unmet, match="nothing is in it"):
        expect.at_edge("nothing is in it", call)


@pytest.mark.parametrize("problem", [NameError("x"), TypeError("no"), ValueError("shapes"), expect.Unmet("empty")])
def test_another_error_at_an_edge_stays_as_it_is(problem):
    def call():
        raise problem

    with pytest.raises(type(problem)) as told:
        expect.at_edge("nothing is in it", call)
    assert told.value is problem


@pytest.mark.parametrize(("error", "edge"), [("NameError: y", False), ("IndexError: index 3 is out of bounds", True)])
def test_at_an_edge_the_line_of_an_answer_in_the_sandbox_is_not_read(error, edge):
    def call():
        raise Raised(f"f raised {error} (cell 2, line 3: out = torch.empty(3)[y])", error)

    with pytest.raises(Unmet if edge else Raised):
        expect.at_edge("nothing is in it", call)


def test_at_an_edge_a_result_is_returned():
    assert expect.at_edge("nothing is in it", divmod, 7, 2) == (3, 1)
