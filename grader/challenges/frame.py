"""A challenge of a class: entries in, a board out. What all challenges share.

`--to FOLDER` holds two folders. `public` has the board, and may be shown to everybody. `private` has the key, what the
challenge hides, a record of each judging, and the lines for the teacher: show it to nobody.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TypedDict

import safetensors.torch
import torch
from torch import Tensor

from grader.batch import Work, read_or_make_key, results_of, versions_here
from grader.challenges.attack_or_drift import ATTACK_OR_DRIFT
from grader.challenges.board import team_of, write_board
from grader.challenges.break_it import BREAK_IT
from grader.challenges.defend_it import DEFEND_IT
from grader.challenges.entry import Challenge, Entry, Judgement, digest_of, entry_of
from grader.challenges.remember_me import REMEMBER_ME
from grader.collect import collect
from grader.grade import seed_of
from grader.notebook import Unreadable
from grader.result import write_whole
from utils.fingerprint import fingerprint
from utils.progress import progress

CHALLENGES = {challenge.name: challenge for challenge in (BREAK_IT, DEFEND_IT, REMEMBER_ME, ATTACK_OR_DRIFT)}
PARTS = ("public", "private")
MOST_ENTRIES = 20  # of a team in one run


class EntryRecord(TypedDict):
    """One judging of one entry: all that is needed to judge it again, and what it came to.

    team, id   whose it is; file: where it was; ours: whether it is one of our own
    hidden     the seed of what the challenge hid; seed: of the judging
    decides    a hash of the code that judges; versions: of what computes
    judgement  None where it could not be judged, and `failed` says why: the next run tries again
    """

    challenge: str
    part: str
    team: str
    id: str
    file: str
    ours: bool
    entry: Entry
    hidden: int
    seed: int
    decides: str
    versions: dict[str, str]
    judgement: Judgement | None
    failed: str
    seconds: float


def run_challenge(
    challenge: Challenge,
    source: Path,
    target: Path,
    *,
    final: bool = False,
    jobs: int = 0,
    scheduler: str = "",
    key: str = "",
) -> str:
    """Judge what teams handed in, write the board to `target`, and return the lines for the teacher.

    source     a folder or zip of entries, as for a lab. A folder is a team; all in it are its entries
    final      judge each team's best entry on the private part too, which then decides
    jobs       entries at a time; 0: one for each core
    scheduler  address of a Dask scheduler whose workers shall judge
    key        the secret that everything hidden is drawn from; "": the one in `target`, made once

    What was judged before by the same code is not judged again. OSError, ValueError.
    """
    private = target / "private"
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    (private / challenge.name).mkdir(exist_ok=True)
    key = key or read_or_make_key(private)
    found, lines = entries_of(challenge, source)
    decides = what_judges(challenge)
    known = earlier(private / challenge.name, challenge)
    entries = {
        identity(*who): who for who in [*our_entries(challenge, private / challenge.name, decides), *known, *found]
    }
    how = {"private": private, "key": key, "decides": decides, "jobs": jobs, "scheduler": scheduler}
    records = judged(challenge, list(entries.values()), "public", **how)
    teams = best_of_teams(records, challenge)
    finals = []
    if final:
        chosen = [(r["team"], r["id"], r["file"], r["ours"], r["entry"]) for r in teams]
        finals = judged(challenge, chosen, "private", **how)
    return write_board(challenge, records, teams, finals, lines, target)


Who = tuple[str, str, str, bool, Entry]  # team, id, file, ours, entry


def our_entries(challenge: Challenge, folder: Path, decides: str) -> list[Who]:
    """Our own entries. Some must be trained, so they are kept."""
    file = folder / f"ours-{decides}.json"
    if not file.exists():
        file.write_text(json.dumps(challenge.ours()), encoding="utf-8")
    return [(name, "", "", True, entry) for name, entry in json.loads(file.read_text(encoding="utf-8")).items()]


def entries_of(challenge: Challenge, source: Path) -> tuple[list[Who], list[str]]:
    """The entries in a folder or zip, and lines about what is none."""
    submissions, lines = collect(source, challenge.takes)
    found: list[Who] = []
    for submission in submissions:
        team = submission.student if submission.id else PurePosixPath(submission.student).parts[0]
        if sum(other[:2] == (team, submission.id) for other in found) == MOST_ENTRIES:
            lines.append(f"{submission.file}: more than {MOST_ENTRIES} entries of one team")
            continue
        try:
            entry = entry_of(submission.read(), challenge.takes)
        except (Unreadable, OSError) as problem:
            lines.append(f"{submission.file}: {problem}")
            continue
        found.append((team, submission.id, submission.file, False, entry))
    if not submissions:
        raise ValueError(f"{source} holds no entry (a file that ends in {challenge.takes}): nobody was judged")
    return found, lines


def identity(team: str, id: str, file: str, is_ours: bool, entry: Entry) -> str:
    """The same for the same entry of the same team, whatever its file is called."""
    return digest_of([team, id, is_ours, entry])


def what_judges(challenge: Challenge) -> str:
    """A hash of the code that judges, and of the installed versions of what computes."""
    code = fingerprint([f"import grader.challenges.{challenge.name}, grader.inside.pristine"])
    return digest_of([code, versions_here()])


def earlier(folder: Path, challenge: Challenge) -> list[Who]:
    """The teams' entries of earlier runs, from their records: a better one may have been handed in before."""
    records = filter(None, map(read_entry_record, sorted(folder.glob("public-*.json"))))
    return [(r["team"], r["id"], r["file"], False, r["entry"]) for r in records if not r["ours"]]


def judged(
    challenge: Challenge,
    entries: Sequence[Who],
    part: str,
    *,
    private: Path,
    key: str,
    decides: str,
    jobs: int,
    scheduler: str,
) -> list[EntryRecord]:
    """The records of these entries on a part, those that lack made now."""
    seed = seed_of(key, part, challenge.name)
    hidden = hidden_file(challenge, private / challenge.name, part, seed, decides)
    files, tasks = [], {}
    for who in entries:
        file = private / challenge.name / f"{part}-{digest_of([decides, seed, identity(*who)])}.json"
        kept = read_entry_record(file)
        files.append(file)
        if not kept or kept["failed"]:
            tasks[file] = new_record(challenge, part, who, seed, seed_of(key, identity(*who), part), decides)
    run = results_of(tasks, {"hidden": hidden.read_bytes()}, JUDGING, jobs, scheduler)
    for file, record in progress(run, total=len(tasks), desc="judging", delay=0.5):
        write_entry_record(file, record)
    return [read_entry_record(file) for file in files]


def hidden_file(challenge: Challenge, folder: Path, part: str, seed: int, decides: str) -> Path:
    """The file with what the challenge hides in this part, made if it is not there."""
    file = folder / f"hidden-{part}-{digest_of([decides, seed])}.safetensors"
    if not file.exists():
        draft = file.with_suffix(f".{os.getpid()}.draft")
        safetensors.torch.save_file(challenge.hide(seed), draft)
        draft.chmod(0o600)
        draft.replace(file)
    return file


def new_record(challenge: Challenge, part: str, who: Who, hidden: int, seed: int, decides: str) -> EntryRecord:
    team, id, file, is_ours, entry = who
    return {
        "challenge": challenge.name,
        "part": part,
        "team": team,
        "id": id,
        "file": file,
        "ours": is_ours,
        "entry": entry,
        "hidden": hidden,
        "seed": seed,
        "decides": decides,
        "versions": versions_here(),
        "judgement": None,
        "failed": "not judged yet",
        "seconds": 0.0,
    }


def judge_one(task: tuple[EntryRecord, dict]) -> EntryRecord:
    """Judge one entry, in a worker. A mistake of ours becomes the reason why it could not be judged."""
    torch.set_num_threads(1)
    record, common = task
    return judge_with(record, safetensors.torch.load(common["hidden"]))


def judge_with(record: EntryRecord, hidden: dict[str, Tensor]) -> EntryRecord:
    begin = time.monotonic()
    try:
        made = CHALLENGES[record["challenge"]].judge(record["entry"], hidden, record["seed"])
        about = {"judgement": made, "failed": ""}
    except Exception as problem:
        about = {"judgement": None, "failed": f"the grader failed ({type(problem).__name__}: {problem})"[:1000]}
    return record | about | {"seconds": round(time.monotonic() - begin, 2)}


def with_what_is_hidden(record: EntryRecord, common: dict) -> tuple[EntryRecord, dict]:
    """What a worker is sent, on this machine or another, where the file with it is not."""
    return record, common


def lost(record: EntryRecord, common: dict, reason: str) -> EntryRecord:
    return record | {"failed": reason}


JUDGING = Work(judge_one, with_what_is_hidden, lost)


def judge_again(file: Path) -> tuple[bool, str]:
    """Judge the entry of a record again, from the record alone: whether it came to the same, and in words."""
    record = read_entry_record(file)
    if not record or record["challenge"] not in CHALLENGES:
        raise ValueError(f"{file} is no record of a challenge")
    challenge = CHALLENGES[record["challenge"]]
    kept = hidden_file(challenge, file.parent, record["part"], record["hidden"], what_judges(challenge))
    again = judge_with(record, safetensors.torch.load_file(kept))
    if again["failed"]:
        return False, again["failed"]
    if again["judgement"] == record["judgement"]:
        return True, "the same score, and the same answers"
    notes = ["another score, or other answers"]
    notes += ["the code that judges has changed since"] * (record["decides"] != what_judges(challenge))
    notes += [
        f"{name} was {old} and is {versions_here()[name]}"
        for name, old in record["versions"].items()
        if versions_here().get(name) != old
    ]
    return False, "; ".join(notes)


def best_of_teams(records: Sequence[EntryRecord], challenge: Challenge) -> list[EntryRecord]:
    """One record a team: of its entries that count the best, else any. On the public part alone."""
    best: dict[tuple, EntryRecord] = {}
    for record in records:
        team = team_of(record)
        if record["judgement"] and (
            team not in best or standing_of(record, challenge) > standing_of(best[team], challenge)
        ):
            best[team] = record
    return list(best.values())


def standing_of(record: EntryRecord, challenge: Challenge) -> tuple[bool, float]:
    k, n, *_ = record["judgement"]["score"]
    return not record["judgement"]["against"], -k / n if challenge.lower else k / n


def read_entry_record(file: Path) -> EntryRecord | None:
    """A record from its file; None if there is none, or it is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and EntryRecord.__annotations__.keys() <= found.keys() else None


def write_entry_record(file: Path, record: EntryRecord) -> None:
    """Whole or not at all."""
    write_whole(file, json.dumps(record, allow_nan=False))
