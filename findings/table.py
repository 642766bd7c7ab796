"""Run all findings, print a table of them, and write README.md from their headers and what they printed.

`make findings`. Exits with 1 if one of them no longer holds (or could not be installed).
"""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
FIELDS = ("Guess", "What happens", "Who is hurt", "Versions", "Source")
INTRO = """# Findings

What real libraries, tools and formats of this field do that a good engineer would guess wrong, each seen on valid
input, without this project. Each script installs its pinned packages into a temporary folder, runs them, prints what
it saw, and fails when that has changed. The guess was written down before anything ran.

This page is made by `make findings`, which runs them all (some minutes each where PyTorch is installed). It is no part
of `make test`: a new release of somebody else's library breaks nothing here.

"""
ADDING = f"""## How to add a finding

1. Write down what you expect, before you run anything. If you were right, there is no finding.
2. Copy a script, `findings/NAME.sh`: first a title, then the fields {", ".join(FIELDS)},
   each a comment that may go on in lines indented by three spaces; then pinned packages, the program, and
   `holds: NAME` as its last line.
3. Keep it small, on valid input and the same on every machine: assert what the reader is told, with no tolerance wider
   than the text claims, and see it go red with the expectation turned round.
4. Run `make findings`, which writes this page, and commit both.

Keep a finding only if somebody who works in this field would be hurt by the wrong guess. Security holes, crashes and
what every project meets (encodings, languages, databases) do not belong here.
"""


def header(script):
    """The title and the fields of a script's leading comment, {field: text}. ValueError where one is missing."""
    lines = script.read_text().splitlines()[1:]
    comment = [line[2:] for line in lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]]
    found, field = {"title": comment[0]}, "title"
    for line in comment[1:]:
        if line.startswith("  "):
            found[field] += " " + line.strip()
        else:
            field, _, found[field] = line.partition(": ")
    if tuple(found) != ("title", *FIELDS):
        raise ValueError(f"{script.name} needs a title and {', '.join(FIELDS)}, and has {', '.join(found)}")
    return found


def run(script):
    """(holds, what it printed, seconds) of one script; its errors go to the terminal."""
    start = time.perf_counter()
    done = subprocess.run([script], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHON": sys.executable})
    said = done.stdout.splitlines()
    holds = done.returncode == 0 and said[-1:] == [f"holds: {script.stem}"]
    return holds, said[:-1] if holds else said, time.perf_counter() - start


def section(name, about, holds, said):
    """One finding's part of the page."""
    told = "\n\n".join(f"**{field}:** {about[field]}" for field in FIELDS[:3])
    seen = "\n".join(said)
    outcome = "" if holds else "**Changed: this no longer holds.**\n\n"
    return f"""## {about["title"]}

{outcome}{told}

```
{seen}
```

[{name}.sh]({name}.sh), with {about["Versions"]}. Source: {about["Source"]}.

"""


def main():
    scripts = sorted(HERE.glob("*.sh"))
    about = {script.stem: header(script) for script in scripts}
    rows, sections, red = [], [], 0
    for script in scripts:
        holds, said, seconds = run(script)
        red += not holds
        outcome, name, title = "holds" if holds else "CHANGED", script.stem, about[script.stem]["title"]
        print(f"{outcome:8} {seconds:4.0f} s  {name:26} {title}", flush=True)
        rows.append(f"| [{name}]({name}.sh) | {title} | {outcome} |\n")
        sections.append(section(name, about[name], holds, said))
    table = "| script | what it shows | today |\n|---|---|---|\n" + "".join(rows) + "\n"
    (HERE / "README.md").write_text(INTRO + table + "".join(sections) + ADDING)
    return int(red > 0)


if __name__ == "__main__":
    sys.exit(main())
