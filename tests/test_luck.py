"""Checks on measured targets leave room for chance: a right answer fails in fewer than 1 of 10,000 gradings."""

import re

import nbformat
import pytest
import torch
from scipy import stats

from grader.grade import given_names
from grader.lab import bound, is_exercise
from labs import SOURCES, instructors

STEM = "12_model_monitoring"


def lab_with_answers() -> dict:
    """The names of lab 12, with its own answers."""
    notebook = instructors(SOURCES / f"{STEM}.py")
    names = dict(given_names(nbformat.writes(notebook)))
    for cell in notebook.cells:
        if cell.cell_type == "code" and is_exercise(cell.source) and "detect" in bound(cell.source):
            exec(cell.source, names)
    return names


@pytest.mark.slow
def test_a_detector_at_its_target_is_not_refused_by_luck():
    """Delays of 4,000 streams, stretched until their median is the target of 50, and drawn again 300 at a time."""
    names = lab_with_answers()
    limit = int(re.search(r"late\.median\(\) <= (\d+),  # tests", (SOURCES / f"{STEM}.py").read_text())[1])
    calm = names["mistakes"](200, 0.05, 1)
    late = names["delays"](names["detect"](calm, names["mistakes"](4000, 0.2, 2)), names["changes"](4000, 2)).double()
    late *= 50 / late.median()
    random = torch.Generator().manual_seed(0)
    medians = torch.cat(
        [late[torch.randint(len(late), (1000, 300), generator=random)].median(1).values for _ in range(50)]
    )
    assert stats.norm.sf(limit, float(medians.mean()), float(medians.std())) < 1e-4
    assert float((medians > limit).double().mean()) < 1e-4
    for n in (40, 100, 150):
        assert stats.binom.sf(names["at_most"](0.08, n), n, 0.08) < 1e-4
