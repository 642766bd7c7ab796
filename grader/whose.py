"""Whose a notebook is, by where it lies and how it is called.

Two notebooks are one student's only if a learning platform says so, by a number or a name that it wrote itself. What a
student chose to call a file says nothing. Where it is not clear, each notebook counts by itself, and the teacher is
told.

Sources of the names: Canvas `lib/content_zipper.rb`, Moodle `mod/assign/locallib.php`, ILIAS
`ilExSubmission::getDirectoryNameFromUserData`, and for Blackboard and nbgrader the guide of `nbgrader zip_collect`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import PurePosixPath
from unicodedata import normalize

NUMBER = r"[1-9]\d{2,39}"  # as a site gives them; 1 or 12 is a student's own number for an exercise
ATTEMPT = "attempt|poging|versuch|intento|tentative|tentativa|tentativo|försök|forsøk|forsøg|deneme"  # by the site
ENDINGS = re.compile(r"(\.zip|\.ipynb(\.txt)?|\.safetensors)+$", re.IGNORECASE)
LISTED = 5  # of the notebooks of a folder, in a sentence


@dataclass(frozen=True)
class Platform:
    """How a platform names what a student handed in.

    pattern  its groups: student; number, by which the platform knows the student; upload, which no other file has
    sure     a student's own file does not happen to have such a name
    folder   only folders and zips are named so
    """

    name: str
    pattern: re.Pattern
    sure: bool = True
    folder: bool = False


PLATFORMS = (
    # Zoë O'Neil_771_assignsubmission_file, a folder or the beginning of a file's name
    Platform("Moodle", re.compile(r"(?P<student>.+)_(?P<number>\d{1,40})_assignsubmission_.*")),
    # Lab 01_zoneil_attempt_2026-01-30-15-00-00_lab.ipynb
    Platform(
        "Blackboard",
        re.compile(
            rf"(?P<key>(?:.*_)?(?P<student>[^_]+))_(?:{ATTEMPT})_\d{{4}}(?:-\d\d){{5}}(?:[_.].*)?", re.IGNORECASE
        ),
    ),
    # zoneil+lab01+2026-01-30 15:00:00.123456 UTC+…, a folder of nbgrader's exchange
    Platform("nbgrader", re.compile(r"(?P<student>[^+]+)\+[^+]+\+\d{4}-\d\d-\d\d .*"), folder=True),
    # oneilzoe_12345_678_lab.ipynb, oneilzoe_LATE_12345_678_lab.ipynb: lower case, no blank, no punctuation
    Platform(
        "Canvas",
        re.compile(rf"(?P<student>[^\W_A-Z]+)_(?:LATE_)?(?P<number>{NUMBER})_(?P<upload>{NUMBER})_.+"),
        sure=False,
    ),
    # anon_Xy3dE_678_lab.ipynb, where names are hidden
    Platform("Canvas", re.compile(rf"(?:LATE_)?(?P<student>anon_[A-Za-z0-9]+)_(?P<upload>{NUMBER})_.+"), sure=False),
    # ONeil_Zoe_zoneil_4711, a folder: last name, first name, login, number
    Platform(
        "ILIAS",
        re.compile(r"(?P<student>[^_]+(?:_[^_]+)+_(?=\d*[^\W\d_])[^_]+)_(?P<number>[1-9]\d{2,39})"),
        sure=False,
        folder=True,
    ),
)
LONGEST_NAME, DEEPEST = 255, 40  # characters of a name that a platform writes; folders that are told apart


@dataclass(frozen=True)
class Person:
    """Who a platform says that an entry of its export belongs to. key: the same for all that is this student's."""

    platform: Platform
    key: tuple[str, ...]
    student: str
    number: str
    upload: str


def read_name(entry: str, folder: bool) -> Person | None:
    """What the name of a file or folder says by itself, if it looks like a platform's."""
    for platform in PLATFORMS if len(entry) <= LONGEST_NAME else ():
        match = platform.pattern.fullmatch(entry) if folder or not platform.folder else None
        if match:
            found = match.groupdict(default="")
            student, number = found["student"], found.get("number", "")
            key = ("", found.get("key", student), number, platform.name if number else "")
            return Person(platform, key, student, number, found.get("upload", ""))
    return None


def folders_around(paths: Iterable[str]) -> str:
    """The folders around a whole class, "lab14/", as `zip -r` and Finder's "Compress" make them; "" if there are none.

    A folder that holds all notebooks names no student. A student's own zip, and a folder that only a platform can have
    named, do.
    """
    paths, shared = list(paths), ""
    for level in zip(*(PurePosixPath(path).parts[:-1] for path in paths), strict=False):
        person = read_name(normalize("NFC", level[0]), folder=True)
        own = level[0].lower().endswith(".zip") or (person and person.platform.sure)
        if len(paths) == 1 or len(set(level)) > 1 or own:
            break
        shared += f"{level[0]}/"
    return shared


def students_of(paths: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """(student, number) of each notebook of a class, from their paths, and sentences on what a teacher should check.

    The number is the platform's, or "". Two paths have the same student and number only if a platform says so.
    Otherwise a student has the name of the file, or of the topmost folder if it holds no other notebook.
    """
    shared = len(PurePosixPath(folders_around(paths)).parts)
    places = [PurePosixPath(normalize("NFC", path)).parts[shared:] or ("",) for path in paths]
    places, doubts = _different([(*place[:-1][:DEEPEST], place[-1]) for place in places])
    believed, more = _believed(places)
    doubts += more
    classes = {folder for folder, people in believed.items() if len(_sure_keys(people)) > 1} | {()}
    beginnings = Counter(place[:i] for place in places for i in range(1, len(place) + 1))
    keys, names, several = [], {}, defaultdict(list)
    for place in places:
        start = max(i for i in range(len(place)) if place[:i] in classes)
        people = [person for i in range(start, len(place)) if (person := believed.get(place[:i], {}).get(place[i]))]
        if people:
            key, name = people[0].key, (people[0].student, people[0].number)
        else:
            length = next((i for i in range(start + 1, len(place)) if beginnings[place[:i]] == 1), len(place))
            key = place[:length]
            name = ENDINGS.sub("", "/".join(key) if length > start + 1 else key[-1]), ""
            if length > start + 1:
                several["/".join(place[: start + 1])].append(name[0])
        keys.append(key)
        names[key] = name
    doubts += [_several(folder, members) for folder, members in several.items()]
    for name, many in Counter(names.values()).items():
        if many > 1:
            doubts.append(f"LOOK: {many} students would be called {name[0]}, so each has a longer name.")
            alike = [key for key in names if names[key] == name]
            others = {key: names[key] for key in names if names[key] != name}
            for key in alike:
                others[key] = _unused("/".join(filter(None, key)), others)
            names = others
    return [names[key] for key in keys], doubts


def _unused(name: str, names: dict) -> tuple[str, str]:
    """The name, or with a number behind it, as nobody else has it."""
    taken = {student for student, _ in names.values()}
    return next((other, "") for i in count(1) if (other := f"{name} ({i})" if i > 1 else name) not in taken)


def _several(folder: str, members: list[str]) -> str:
    return (
        f"LOOK: {folder} holds {len(members)} notebooks, and no learning platform says that they are one student's. "
        f"Each counts by itself: {_listed(members)}."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + " …" * (len(names) > LISTED)


def _different(places: list[tuple[str, ...]]) -> tuple[list[tuple[str, ...]], list[str]]:
    """The places, with a number behind the second file of one name, as a zip can hold it; and what to tell of it."""
    taken, last = set(places), Counter()
    made, doubts = [], []
    for place in places:
        last[place] += 1
        other = place
        while last[place] > 1 and other in taken:
            other = (*place[:-1], f"{place[-1]} ({last[place]})")
            last[place] += other in taken
        if other != place:
            doubts.append(f"LOOK: there are two files {'/'.join(place)}; the second counts as {'/'.join(other)}.")
            taken.add(other)
        made.append(other)
    return made, doubts


def _sure_keys(people: dict[str, Person]) -> set[tuple[str, ...]]:
    return {person.key for person in people.values() if person.platform.sure}


def _believed(places: list[tuple[str, ...]]) -> tuple[dict[tuple[str, ...], dict[str, Person]], list[str]]:
    """{folder: {entry: whose it is, by a platform}}, without what only looks so; and what a teacher should know.

    A platform names the entries of the class's folder. Further down, a name counts only if it is one that no student
    gives a file, and if there are several students' there, or this one's nowhere else.
    """
    found: dict[tuple[str, ...], dict[str, Person]] = defaultdict(dict)
    for place in places:
        for i, part in enumerate(place):
            folder = i < len(place) - 1 or part.lower().endswith(".zip")
            if person := read_name(part, folder):
                found[place[:i]][part] = person
    where = Counter(key for people in found.values() for key in {person.key for person in people.values()})
    believed, doubts = {}, []
    for folder, people in found.items():
        if not folder:
            wrong = _contradictions(people)
            believed[folder] = {entry: person for entry, person in people.items() if entry not in wrong}
            if wrong:
                doubts.append(
                    f"LOOK: {len(wrong)} names look like a learning platform's, but contradict each other, so each of "
                    f"these counts by its whole name: {_listed(sorted(wrong))}."
                )
        else:
            several = len(_sure_keys(people)) > 1
            believed[folder] = {
                entry: person
                for entry, person in people.items()
                if person.platform.sure and (several or where[person.key] == 1)
            }
    return believed, doubts


def _contradictions(people: dict[str, Person]) -> set[str]:
    """The entries of which no platform can have written all. Students' own names for files may look like a platform's.

    A number is one student's, an upload is in one file, and not all of a class have one name.
    """
    wrong = set()
    for platform in {person.platform.name for person in people.values() if not person.platform.sure}:
        those = {entry: person for entry, person in people.items() if person.platform.name == platform}
        names_of, uploads = defaultdict(set), Counter()
        for person in those.values():
            names_of[person.number].add(person.student)
            uploads[person.key, person.upload] += 1
        one_name = len(those) > 1 and len({person.student for person in those.values()}) == 1
        wrong |= {
            entry
            for entry, person in those.items()
            if one_name
            or (person.number and len(names_of[person.number]) > 1)
            or (person.upload and uploads[person.key, person.upload] > 1)
        }
    return wrong
