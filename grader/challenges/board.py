"""The board: who stands where, as a page, as a table, and the lines for the teacher."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from grader.challenges.entry import Challenge, rate_of
from grader.page import clean, fill_page
from grader.sheet import safe_text
from utils.rate import Rate


def write_board(
    challenge: Challenge, records: Sequence, teams: Sequence, finals: Sequence, lines: Sequence[str], target: Path
) -> str:
    """Write the public page and table, and the teacher's lines, which are returned.

    records  of all entries on the public part; teams: the best of each team; finals: the same on the private part
    lines    about files that are no entries
    """
    public = target / "public"
    public.mkdir(exist_ok=True)
    rows = board_rows(challenge, records, teams, finals)
    columns = list(dict.fromkeys(name for row in rows for name in row["shown"]))
    page = fill_page("board.html", challenge=challenge, rows=rows, columns=columns, final=bool(finals))
    (public / f"{challenge.name}.html").write_text(page, encoding="utf-8")
    with (public / f"{challenge.name}.csv").open("w", newline="", encoding="utf-8") as file:
        head = ["rank", "team", "ours", "counts", "score", "low", "high", "k", "n"]
        head += ["public score"] * bool(finals) + ["entries", *columns]
        table = [head]
        for row in rows:
            rate = row["rate"]
            numbers = [round(value, 4) for value in (float(rate), *rate.interval)] if row["counts"] else [0, "", ""]
            table.append(
                [row["rank"] or "", row["team"], "yes" if row["ours"] else "", "yes" if row["counts"] else "no"]
            )
            table[-1] += [*numbers, rate.k, rate.n, *([row["public"]] if finals else [])]
            table[-1] += [row["entries"], *(row["shown"].get(name, "") for name in columns)]
        csv.writer(file).writerows([[safe_text(value) for value in line] for line in table])
    text = teachers_lines(challenge, records, finals, rows, lines)
    (target / "private" / f"{challenge.name}.txt").write_text(text, encoding="utf-8")
    return text


def team_of(record: Mapping) -> tuple[str, str, bool]:
    """Whose an entry is: a name, a number if there is one, and whether it is one of ours."""
    return record["team"], record["id"], record["ours"]


def board_rows(challenge: Challenge, records: Sequence, teams: Sequence, finals: Sequence) -> list[dict]:
    """A row for each team, the best first. Teams that no interval tells apart have one rank."""
    decides = {team_of(record): record for record in finals or teams if record["judgement"]}
    entries = Counter(map(team_of, records))
    names = Counter(record["team"] for record in teams if not record["ours"])
    rows = []
    for record in teams:
        last = decides.get(team_of(record), record)
        name = f"{record['team']} ({record['id']})" if names[record["team"]] > 1 and record["id"] else record["team"]
        rows.append(
            {
                "team": " ".join(clean(name, 60).split()),
                "ours": record["ours"],
                "rate": rate_of(last["judgement"]["score"]),
                "public": repr(rate_of(record["judgement"]["score"])),
                "counts": not (record["judgement"]["against"] or last["judgement"]["against"]),
                "shown": last["judgement"]["shown"],
                "entries": entries[team_of(record)],
            }
        )
    for row in rows:
        row["rank"] = row["counts"] and 1 + sum(
            clearly_better(o["rate"], row["rate"], challenge) for o in rows if o["counts"]
        )
    return sorted(
        rows, key=lambda row: (not row["counts"], float(row["rate"]) * (1 if challenge.lower else -1), row["team"])
    )


def clearly_better(one: Rate, other: Rate, challenge: Challenge) -> bool:
    return one.clearly_below(other) if challenge.lower else one.clearly_above(other)


def teachers_lines(
    challenge: Challenge, records: Sequence, finals: Sequence, rows: Sequence[dict], lines: Sequence[str]
) -> str:
    """For the teacher alone: the board in words, what does not count and why, and what went wrong."""
    text = [f"{challenge.title}: {sum(not row['ours'] for row in rows)} teams, {challenge.score}"]
    text += ["The private part decides." if finals else "The public part; --final draws the private one.", ""]
    for row in rows:
        score = repr(row["rate"]) if row["counts"] else "0, does not count"
        text.append(f"{row['rank'] or '–':>4}  {row['team']}{' (ours)' * row['ours']}: {score}")
    sections = {
        "Entries that do not count, and why:": [
            (r, why) for r in [*records, *finals] if r["judgement"] for why in r["judgement"]["against"]
        ],
        "What went wrong in entries:": [
            (r, why) for r in [*records, *finals] if r["judgement"] for why in r["judgement"]["problems"]
        ],
        "COULD NOT BE JUDGED, the next run tries again:": [
            (r, r["failed"]) for r in [*records, *finals] if r["failed"]
        ],
    }
    for title, about in sections.items():
        said = dict.fromkeys(
            f"  {clean(r['team'], 60)} ({clean(r['file'] or 'ours', 80)}): {clean(why, 300)}" for r, why in about
        )
        text += ["", title, *said] if said else []
    text += ["", "Left out:", *(f"  {clean(line, 200)}" for line in lines)] if lines else []
    ways = Counter(
        ", ".join(r["judgement"]["isolation"]) for r in records if r["judgement"] and r["judgement"]["isolation"]
    )
    text += [""] * bool(ways) + [f"Kept apart by {way}: {count} of {len(records)}" for way, count in ways.items()]
    slow = sum(record["seconds"] for record in [*records, *finals])
    text += ["", f"{len(records) + len(finals)} judgings, {slow:.0f} s of them together"]
    return "\n".join(text) + "\n"
