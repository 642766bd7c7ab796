"""Ours beside the peers on the same models, images and budget: at most one image in a hundred more is left standing."""

from copy import deepcopy

import pytest
import torch

import peers
from peers import ATTACKS, MODELS, ROWS, Row, here, measure, restored, weaker
from pin import pinned
from utils.data import load


def pinned_for(row: Row) -> dict[str, dict]:
    """{peer: its answer} of those that have the attack."""
    return {peer: answer for peer in ATTACKS for answer in pinned(peer) if answer["row"] == peers.name(row)}


@pytest.fixture
def measured():
    """Ours on one row, on one core, as the peers were."""
    threads, data = torch.get_num_threads(), load("digits")
    torch.set_num_threads(1)

    def run(row: Row) -> dict:
        model = restored(row.model, data, MODELS)
        return measure(row, {"ours": here()[row.attack]}, model, *data.test.take(row.images))["ours"]

    yield run
    torch.set_num_threads(threads)


@pytest.mark.parametrize("row", ROWS, ids=peers.name)
def test_no_attack_is_weaker(row, measured):
    ours, theirs = measured(row), pinned_for(row)
    assert theirs
    for peer, answer in theirs.items():
        assert not weaker(row, peer, ours, answer)


@pytest.mark.parametrize("peer", ATTACKS)
def test_each_attack_of_a_peer_is_compared(peer):
    assert {row.attack for row in peers.rows(peer)} == ATTACKS[peer]


@pytest.mark.parametrize(
    ("attack", "peer", "altered"),
    [
        ("fgsm", "art", lambda answer: answer["left"].__setitem__(0, answer["left"][0] - 4)),
        ("worst_case", "official", lambda answer: answer["left"].__setitem__(0, answer["left"][0] - 2)),
        ("cw_l2", "foolbox", lambda answer: answer["distance"].__setitem__(0, 0.99 * answer["distance"][0])),
        ("rays", "foolbox", lambda answer: answer["queries"].__setitem__(0, answer["queries"][0] - 1)),
        ("fgsm", "torchattacks", lambda answer: answer.update(apart=1e-17)),
    ],
)
def test_a_weaker_attack_is_found(attack, peer, altered):
    """Had the peer done a little better than ours, which does here as well as it, the comparison would say so."""
    row = next(row for row in reversed(ROWS) if row.attack == attack and row in peers.rows(peer))
    theirs = pinned_for(row)[peer]
    ours = deepcopy(theirs)
    assert not weaker(row, peer, ours, theirs)
    altered(theirs)
    assert weaker(row, peer, ours, theirs)
