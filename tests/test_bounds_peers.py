"""Our bounds beside auto_LiRPA's, whose answers are pinned: the same leads, and so the same proofs."""

import math

import pytest
import torch

import bounds_peers
import pin
from utils import bounds

WAYS = {"intervals": bounds.by_intervals, "lines": bounds.by_lines}
NAMES = ["-".join(map(str, row)) for row in bounds_peers.ROWS]


@pytest.mark.parametrize("at", range(len(NAMES)), ids=NAMES)
def test_the_least_leads_are_those_of_auto_lirpa(at):
    """To 2e-4 of leads that reach 100: our ball is one float32 wider, and the pinned answers have six digits."""
    name, eps, by = bounds_peers.ROWS[at]
    theirs = torch.tensor(pin.pinned("auto-lirpa")[at], dtype=torch.float64)
    model, x, y = bounds_peers.asked_of(name)
    with torch.no_grad():
        ours, _ = WAYS[by](bounds.steps_of(model, x), x, y, eps)
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=2e-4)
    proofs = (theirs.scatter(1, y[:, None], math.inf) > 0).all(1)
    assert torch.equal(bounds.proved(model, x, y, eps=eps, by=by), proofs)
