"""Choosing: budgets, ties, the lesson's cells, and the board that shows it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from same_code import built, definitions
from utils.choice import Needs, Offer, choose, over, reached
from utils.duel import Defense, Side, Threat
from utils.evaluation import Rate
from utils.widgets.choice import ChoiceBoard

KINDS = ("gradient", "stand-in", "scores", "labels")


def offer(left=50, *, proved=0, accuracy=0.95, n=100, **more) -> Offer:
    """An offer of which `left` of n images stand against every attack at the customary budget and above."""
    rows = torch.stack([torch.arange(n) < (n if budget < 2 else left) for budget in range(4)])
    stood = {(norm, kind): rows for norm in ("linf", "l2") for kind in KINDS}
    sure = torch.stack([torch.arange(n) < proved] * 4)
    share = {key: rows.float() for key, rows in stood.items()}
    side = Side(Defense("x", nn.Identity()), stood, share, {"linf": sure, "l2": sure}, 1.0)
    return Offer(side, Rate(round(1000 * accuracy), 1000), **({"training": 1.0, "answer": 1.0} | more))


def test_the_best_is_chosen_and_a_budget_changes_the_choice():
    offers = {"plain": offer(5), "trained": offer(80, training=9.0), "voting": offer(70, answer=8.0, proved=60)}
    assert choose(offers, Needs()) == ["trained", "voting"]  # 80 and 70 of 100 are not clearly apart
    assert choose(offers, Needs(training=5)) == ["voting"]
    assert choose(offers, Needs(training=5, answer=5)) == ["plain"]
    assert choose(offers, Needs(goal="proved")) == ["voting"]
    assert choose(offers, Needs(accuracy=0.99)) == []
    assert choose({}, Needs()) == []
    assert choose(offers, Needs(goal="proved", answer=5)) == []  # nobody proves anything: the cheapest is no answer


def test_of_those_that_are_level_the_cheapest():
    offers = {"dear": offer(52, answer=8.0), "slow to train": offer(51, training=9.0), "cheap": offer(50)}
    assert choose(offers, Needs()) == ["cheap", "slow to train", "dear"]


def test_of_those_that_cost_the_same_the_one_that_reached_more():
    offers = {"less": offer(50), "more": offer(60), "dearer": offer(61, training=2.0)}
    assert choose(offers, Needs()) == ["more", "less", "dearer"]


def test_who_asks_for_proof_pays_for_it():
    offers = {"votes": offer(50, proved=50, answer=6.0, proof=1100.0), "one pass": offer(50, proved=45)}
    assert choose(offers, Needs(answer=10)) == ["one pass", "votes"]
    assert choose(offers, Needs(goal="proved")) == ["one pass", "votes"]
    assert choose(offers, Needs(goal="proved", answer=10)) == ["one pass"]
    assert over(offers["votes"], Needs(goal="proved", answer=10)) == "an answer costs 1100 times as much"


def test_at_a_small_budget_another_row_counts():
    assert reached(offer(5), Needs(at=1)) == 1 and reached(offer(5), Needs(at=2)) == 0.05
    assert reached(offer(5, accuracy=0.7), Needs(goal="accuracy")) == 0.7


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        (Needs(accuracy=0.97), "accuracy 95 %"),
        (Needs(training=0.5), "training costs 1 times as much"),
        (Needs(answer=0.5), "an answer costs 1 times as much"),
        (Needs(privacy_eps=5), "no epsilon is proved"),
        (Needs(), ""),
    ],
)
def test_why_an_offer_is_out(needs, why):
    assert over(offer(), needs) == why


def test_an_epsilon_that_is_too_high_is_named():
    assert over(offer(privacy_eps=12.0), Needs(privacy_eps=5)) == "epsilon 12 is proved"
    assert not over(offer(privacy_eps=3.0), Needs(privacy_eps=5))


def clearly_something(rate):
    return rate.clearly_above(Rate(0, rate.n))


def test_an_offer_that_keeps_no_more_than_luck_is_no_choice():
    assert choose({"nothing": offer(0), "luck": offer(2)}, Needs()) == []
    assert choose({"nothing": offer(0), "some": offer(40)}, Needs()) == ["some"]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from([1.0, 8.0]), st.sampled_from([1.0, 9.0])), max_size=6),
    st.sampled_from([1.0, 8.0, math.inf]),
)
def test_a_choice_keeps_the_budgets_and_nothing_within_them_is_clearly_better(rows, most):
    offers = {str(i): offer(left, answer=a, training=t) for i, (left, a, t) in enumerate(rows)}
    needs, level = Needs(answer=most), choose(offers, Needs(answer=most))
    assert bool(level) == any(o.answer <= most and clearly_something(reached(o, needs)) for o in offers.values())
    for name in level:
        assert not over(offers[name], needs)
        assert not any(
            reached(o, needs).clearly_above(reached(offers[name], needs))
            for o in offers.values()
            if not over(o, needs)
            and reached(o, needs) == max(reached(p, needs) for p in offers.values() if not over(p, needs))
        )


# The lesson.


@pytest.mark.parametrize("name", ["reached", "choose"])
def test_the_lesson_builds_what_utils_holds(name):
    assert definitions("notebooks/src/14_capstone.py")[name] == definitions("utils/choice.py")[name]


def test_lesson_14_names_what_is_level_for_each_client_for_whom_anything_is():
    common = built("14_capstone", "on_every_list")
    assert common([["a", "b", "c"], ["c", "b"], []]) == ["b", "c"]
    assert common([["a"], ["b"]]) == common([[], []]) == []


# The board.


@pytest.fixture
def board():
    return ChoiceBoard(
        {"plain": offer(5), "trained": offer(80, training=9.0), "voting": offer(40, answer=8.0, proved=60)}
    )


def test_the_board_shows_what_choose_says(board):
    assert board.still.text.startswith("fits → trained: 80/100")
    board.training.value = 5
    assert board.still.text.startswith("fits → voting: 40/100") and "voting: 40/100" in board.sentence.value
    board.answer.value = 2
    assert board.still.text.startswith("fits → plain")
    board.privacy.value = 5
    assert board.still.text == "fits → Nothing that was built fits these needs."
    assert not board.error.value


def test_every_control_changes_the_needs(board):
    seen = {board.needs}
    for control, value in [
        (board.norm, "l2"),
        (board.knows, "labels"),
        (board.budget, 1),
        (board.accuracy, 0.9),
        (board.training, 2),
        (board.answer, 2),
        (board.privacy, 20),
        (board.goal, "proved"),
    ]:
        control.value = value
        assert board.needs not in seen
        seen.add(board.needs)
    assert board.needs == Needs(Threat("l2", "labels"), "proved", 1, 0.9, 2, 2, 20)


def test_a_picture_that_moved_is_the_picture_drawn_from_nothing(board):
    offers = board.offers
    board.goal.value, board.answer.value = "proved", 10
    fresh = ChoiceBoard(offers)
    fresh.answer.value, fresh.goal.value = 10, "proved"
    assert board.picture.value == fresh.picture.value
    assert board.picture.value != ChoiceBoard(offers).picture.value


def test_what_stands_beside_a_bar_is_not_cut_off(board):
    for control, value in ((board.training, 2), (board.training, math.inf), (board.answer, 2), (board.privacy, 5)):
        control.value = value
        right = max(text.get_window_extent(board.still.canvas.get_renderer()).x1 for text in board.still.texts)
        assert right <= board.still.figure.bbox.width


def test_a_control_that_says_nothing_is_off(board):
    board.goal.value = "accuracy"
    assert board.knows.disabled and board.norm.disabled and board.budget.disabled
    board.goal.value = "left"
    assert not (board.knows.disabled or board.norm.disabled or board.budget.disabled)
