"""Pinned answers: used only if they are the answer to today's question, and asked for again if our code has changed."""

import json

import pytest

import pin
import privacy_peers


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Reads and writes the pinned file of dp-accounting, a copy of it."""
    file = tmp_path / "dp-accounting.json"
    file.write_text((pin.PINNED / file.name).read_text())
    monkeypatch.setattr(pin, "PINNED", tmp_path)

    def change(**parts) -> None:
        file.write_text(pin.as_text(json.loads(file.read_text()) | parts))

    return change


def again():
    return pytest.raises(LookupError, match=r"run `make peers PEERS=dp-accounting`")


@pytest.mark.parametrize("peer", pin.PEERS)
def test_each_file_is_what_make_peers_writes(peer):
    text = (pin.PINNED / f"{peer}.json").read_text()
    assert pin.as_text(json.loads(text)) == text
    assert pin.pinned(peer)


def test_no_file_is_left_over():
    assert {file.stem for file in pin.PINNED.glob("*.json")} == pin.PEERS.keys()


def test_an_altered_answer_is_not_believed(kept):
    assert pin.pinned("dp-accounting")
    kept(answers={"epsilon": [{"pld": 1.0, "rdp": 1.0}]})
    with again():
        pin.pinned("dp-accounting")


def test_a_peer_of_another_version_has_not_answered(kept, monkeypatch):
    monkeypatch.setitem(privacy_peers.ENVIRONMENTS, "dp-accounting", ("dp-accounting==0.6.1",))
    with again():
        pin.pinned("dp-accounting")


def test_another_question_has_not_been_answered(kept, monkeypatch):
    monkeypatch.setattr(privacy_peers, "SETTINGS", privacy_peers.SETTINGS[1:])
    with again():
        pin.pinned("dp-accounting")


def test_who_was_never_asked(kept, monkeypatch, tmp_path):
    (tmp_path / "dp-accounting.json").unlink()
    with again():
        pin.pinned("dp-accounting")


def test_changed_code_of_ours_makes_it_stale_and_the_tests_still_compare(kept, monkeypatch):
    told = json.loads((pin.PINNED / "dp-accounting.json").read_text())
    kept(judged=(now := pin.judged("dp-accounting")), seal=pin.seal(told | {"judged": now}))
    assert not pin.stale("dp-accounting")
    monkeypatch.setattr(privacy_peers, "JUDGES", ["from utils import privacy, smoothing"])
    assert pin.stale("dp-accounting")
    assert pin.pinned("dp-accounting")
