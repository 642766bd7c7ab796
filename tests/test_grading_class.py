"""Beside the grades of a class: answers that are alike, grading again when something changes, checks for a student."""

import pytest

from grader.alike import functions_of, shared_answers
from grader.reports import summary
from tiny_lab import GIVEN, graded, notebook, result_of

LONG = '''
def keep(model, x, y, eps):
    """Keep the best of some tries."""
    best = x
    # a comment
    for step in range(10):
        moved = x + eps * step / 10
        wrong = model(moved).argmax(1) != y
        best = moved.where(wrong[:, None], best)
        if wrong.all():
            break
        elif step > 5 and wrong.float().mean() > 0.5:
            eps = eps / 2
            best = best.clamp(0, 1)
    return best
'''
OTHERS = {
    "other names": LONG.replace("best", "champion").replace("step", "i").replace("moved", "z").replace("eps", "radius"),
    "other comments and layout": LONG.replace("# a comment", "# another\n\n").replace("the best of", "something of"),
    "with types": LONG.replace("(model, x, y, eps)", "(model: object, x, y, eps: float) -> object"),
}
DIFFERENT = {
    "another number": LONG.replace("0.5", "0.4"),
    "another order": LONG.replace("x + eps * step / 10", "eps * step / 10 + x"),
    "names that mean another thing": LONG.replace("eps = eps / 2", "best = eps / 2"),
    "another method": LONG.replace("argmax", "argmin"),
}


def shape(source: str) -> str:
    return functions_of([source])["keep"]


@pytest.mark.parametrize("what", OTHERS)
def test_renaming_and_layout_hide_nothing(what):
    assert shape(OTHERS[what]) == shape(LONG)


@pytest.mark.parametrize("what", DIFFERENT)
def test_another_answer_is_another(what):
    assert shape(DIFFERENT[what]) != shape(LONG)


def test_short_answers_and_what_is_no_python_have_no_shape():
    assert functions_of(["def double(x):\n    return 2 * x", "def (", "\0", "(" * 10_000]) == {}


def test_the_last_definition_counts():
    assert functions_of([DIFFERENT["another number"], LONG]) == functions_of([LONG])


def test_what_many_have_in_common_is_not_listed():
    two = {"ann": {"keep": "a"}, "ben": {"keep": "a"}, "chloe": {"keep": "b"}}
    assert shared_answers(two) == [("keep", ["ann", "ben"])]
    assert shared_answers({f"student {i}": {"keep": "a"} for i in range(4)}) == []
    class_of_50 = {f"student {i}": {"keep": "a" if i < 5 else str(i)} for i in range(50)}
    assert len(shared_answers(class_of_50)) == 1 and len(alike(class_of_50)[0][1]) == 5


def test_the_summary_lists_them_and_accuses_nobody():
    results = [
        result_of(name) | {"shapes": {"keep": shape}} for name, shape in (("ann", "a"), ("ben", "a"), ("eve", "b"))
    ]
    said = summary(results, [], "Lab")
    assert "  keep: ann, ben" in said and "nobody is accused" in said and "eve" not in said
    assert "nobody is accused" not in summary(results[1:], [], "Lab")


def test_a_graded_answer_has_its_shape_but_not_the_instructors_own():
    lab = notebook(
        [GIVEN, LONG.replace('tries."""', 'tries."""\n    ### BEGIN SOLUTION') + "    ### END SOLUTION", CHECK]
    )
    mine = graded(notebook([GIVEN, DIFFERENT["another number"]]), lab=lab.decode())
    ours = graded(notebook([GIVEN, OTHERS["other names"]]), lab=lab.decode())
    assert mine["shapes"] == functions_of([DIFFERENT["another number"]]) and ours["shapes"] == {}


CHECK = "# CHECK keep, 1 point\nkeep\nexpect.passed('keep', of=1)"
