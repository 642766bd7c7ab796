"""Ask the peers again and pin what they answer: `make peers`, or `python tests/pin.py [--stale] [PEER ...]`.

Each peer has a small environment of its own, which takes minutes to make. So its answers are kept in
`tests/pinned/peers/PEER.json`, and the tests compare ours, fresh in every run, with these. This program asks again,
writes the files, and runs these tests. With --stale it asks only those whose file is not of the present code.
"""

import argparse
import ast
import hashlib
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import bounds_peers
import monitoring_peers
import nbgrader_peer
import peers
import privacy_peers
from small_env import ROOT, small_env
from utils.fingerprint import fingerprint, skeleton

# Each of these modules says what it installs (ENVIRONMENTS), what it asks a peer (question) and how (answers), and
# which code of ours the answers judge (JUDGES).
TESTS = {
    peers: "test_peers.py",
    privacy_peers: "test_privacy_peers.py",
    monitoring_peers: "test_monitoring_peers.py",
    bounds_peers: "test_bounds_peers.py",
    nbgrader_peer: "test_labs_nbgrader.py",
}
PEERS = {peer: module for module in TESTS for peer in module.ENVIRONMENTS}
PINNED = ROOT / "tests" / "pinned" / "peers"
BESIDE = ("numpy", "scipy", "torch")  # what both sides compute with


def pinned(peer: str):
    """A peer's answers, from its file. Raises LookupError if the file is not the answer to what is asked today."""
    file, again = PINNED / f"{peer}.json", f"run `make peers PEERS={peer}`"
    if not file.exists():
        raise LookupError(f"{peer} has not been asked: {again}")
    told = json.loads(file.read_text())
    if told["asked"] != asked(peer):
        raise LookupError(f"{peer} would be asked something else, or in another version, than it was: {again}")
    if told["seal"] != seal(told):
        raise LookupError(f"{file.name} was not written by `make peers`: {again}")
    return told["answers"]


def asked(peer: str) -> str:
    """A hash of the peer's side: its requirements, the question, and the program that asks (comments do not count)."""
    module = PEERS[peer]
    program = skeleton(ast.parse(Path(module.__file__).read_text()))
    return digest([module.ENVIRONMENTS[peer], module.question(peer), repr(program)])


def judged(peer: str) -> str:
    """A hash of the code of ours that the answers judge, and of what both sides compute with."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return digest([fingerprint(PEERS[peer].JUDGES), [line for line in lines if line.partition("==")[0] in BESIDE]])


def seal(told: dict) -> str:
    return digest({name: value for name, value in told.items() if name != "seal"})


def digest(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def stale(peer: str) -> bool:
    """Whether the file is not of the present code, theirs or ours."""
    try:
        pinned(peer)
    except LookupError:
        return True
    return json.loads((PINNED / f"{peer}.json").read_text())["judged"] != judged(peer)


def pin(peer: str) -> None:
    """Ask a peer in its small environment, which is made if need be, and write its file."""
    module = PEERS[peer]
    python = small_env(peer, module.ENVIRONMENTS[peer])
    told = {"asked": asked(peer), "judged": judged(peer)}
    told["versions"] = [word for word in module.ENVIRONMENTS[peer] if not word.startswith("-")]
    brought = {word.partition("==")[0] for word in told["versions"]}
    told["beside"] = [f"{name}=={version(name)}" for name in BESIDE if name not in brought]
    told["answers"] = json.loads(json.dumps(module.answers(python, peer)))
    (PINNED / f"{peer}.json").write_text(as_text(told | {"seal": seal(told)}))
    print(f"{peer}: pinned", flush=True)


def as_text(told: dict) -> str:
    """JSON with its keys in order, and each list of numbers on one line."""
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)
    return re.sub(r"\[[^\[\]{}]*\]", lambda numbers: " ".join(numbers[0].split()), text) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stale", action="store_true", help="only those whose answers are not of the present code")
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"all, or some of {', '.join(PEERS)}")
    told = parser.parse_args()
    if unknown := set(told.peers) - PEERS.keys():
        parser.error(f"no such peer: {', '.join(unknown)}")
    names = [peer for peer in told.peers or PEERS if not told.stale or stale(peer)]
    if not names:
        print("The pinned answers of all peers are of the present code.")
        return 0
    if not [*PINNED.glob("*.safetensors")]:
        peers.train(PINNED)
    with ThreadPoolExecutor(2) as pool:
        [*pool.map(pin, names)]
    files = {ROOT / "tests" / TESTS[PEERS[peer]] for peer in names}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *sorted(files)], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
