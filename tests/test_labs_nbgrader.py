"""nbgrader's own tools take the labs' notebooks as theirs, and make of a solution the same lab as our build."""

import nbformat
import pytest

from labs import LABS, students
from nbgrader_peer import STEMS, digests, written
from pin import pinned


@pytest.fixture(scope="module")
def nbgrader():
    return pinned("nbgrader")


def test_validate_finds_that_a_solution_passes(nbgrader):
    assert nbgrader["validates"]


@pytest.mark.parametrize("stem", STEMS)
def test_generate_assignment_makes_the_same_lab(stem, nbgrader):
    assert nbgrader["released"][stem] == digests(nbformat.read(LABS / f"{stem}.ipynb", as_version=4))


def test_a_written_exercise_is_graded_by_hand_there_too(nbgrader):
    theirs = nbgrader["with words"]
    assert theirs["validates"] and not theirs["shows the answer"]
    assert theirs["released"] == digests(students(written()))
    assert theirs["score"] == [2, 5], "two by the check; three wait for a person"
