"""Whose a notebook is, and what is read from folders and zips: exports of platforms, trees of teachers, damage."""

import csv
import io
import json
import os
import stat
import unicodedata
import zipfile

import pytest

from grader import batch, collect, reports
from grader.grade import FINISHED_ATTACK
from grader.whose import read_name, students_of
from run import ROOT
from tiny_lab import LAB, result_of

ZOE, BEN = "Zoë O'Neil_771_assignsubmission_file", "Ben Doe_772_assignsubmission_file"
BB, DAY, LATER = "Lab 01_", "_attempt_2026-01-30-15-00-00", "_attempt_2026-01-31-09-00-00"

# Each tree is a class: {path: (student, number)}. Where two have the same, a platform says that they are one student's.
CANVAS = {
    "oneilzoe_12345_678_01_lab.ipynb": ("oneilzoe", "12345"),
    "oneilzoe_12345_679_notes.ipynb": ("oneilzoe", "12345"),
    "doeben_LATE_12346_680_01_lab-1.ipynb": ("doeben", "12346"),
    "ümitcem_12347_681_homework_1_3_solution.ipynb": ("ümitcem", "12347"),
    "leeann_12348_682_project.zip/a.ipynb": ("leeann", "12348"),
    "leeann_12348_682_project.zip/deep/b.ipynb": ("leeann", "12348"),
    "anon_Xy3dE_683_lab.ipynb": ("anon_Xy3dE", ""),
}
MOODLE = {
    f"{ZOE}/01_lab.ipynb": ("Zoë O'Neil", "771"),
    f"{ZOE}/lab_2_4_b.ipynb": ("Zoë O'Neil", "771"),
    f"{ZOE}/homework_1_3_a.ipynb": ("Zoë O'Neil", "771"),
    f"{BEN}_homework_1_3_a.ipynb": ("Ben Doe", "772"),
    "Participant_773_assignsubmission_file_/lab.ipynb": ("Participant", "773"),
}
BLACKBOARD = {
    f"{BB}zoneil{DAY}_lab.ipynb": ("zoneil", ""),
    f"{BB}zoneil{LATER}_lab.ipynb": ("zoneil", ""),
    f"{BB}bdoe2{DAY}_my_homework_1_3_x.ipynb": ("bdoe2", ""),
    f"{BB}cumit_poging_2026-01-30-15-00-00_lab.zip/lab.ipynb": ("cumit", ""),
    f"{BB}a_lee{DAY}_lab.ipynb": ("Lab 01_a_lee", ""),
    f"{BB}b_lee{DAY}_lab.ipynb": ("Lab 01_b_lee", ""),
}
ILIAS = {
    "ONeil_Zoe_zoneil_4711/lab.ipynb": ("ONeil_Zoe_zoneil", "4711"),
    "ONeil_Zoe_zoneil_4711/lab (2).ipynb": ("ONeil_Zoe_zoneil", "4711"),
    "Doe_Ben_bdoe2_4712/homework_1_3_solution.ipynb": ("Doe_Ben_bdoe2", "4712"),
}
NBGRADER = {
    "zoneil+lab01+2026-01-30 15:00:00.123456 UTC+YWJj/lab01.ipynb": ("zoneil", ""),
    "zoneil+lab01+2026-01-31 15:00:00.123456 UTC+YWJk/lab01.ipynb": ("zoneil", ""),
    "bdoe+lab01+2026-01-30 15:00:00.123456 UTC+YWJl/lab01.ipynb": ("bdoe", ""),
}
TREES = {
    "canvas": CANVAS,
    "canvas, unzipped into a folder": {f"submissions/{path}": who for path, who in CANVAS.items()},
    "canvas, and a mail": CANVAS | {"carol.ipynb": ("carol", "")},
    "moodle": MOODLE,
    "moodle, a folder for each group": {f"A/{path}": who for path, who in MOODLE.items()}
    | {f"B/{i}_{i}_assignsubmission_file/x.ipynb": (f"{i}", f"{i}") for i in (1, 2)},
    "moodle, and a late one": MOODLE | {"late/Cem_774_assignsubmission_file/x.ipynb": ("Cem", "774")},
    "blackboard": BLACKBOARD,
    "blackboard, its zip with the unit and a date": {
        f"gradebook_x101_2026_Attempt_2026-02-10-17-30-10.zip/{path}": who
        for path, who in BLACKBOARD.items()
        if ".zip" not in path and "_lee" not in path
    },
    "ilias": {f"Lab_01/Abgaben/{path}": who for path, who in ILIAS.items()},
    "nbgrader's exchange": NBGRADER,
    "nbgrader's submitted": {f"submitted/{who}/lab01/lab01.ipynb": (who, "") for who in ("zoneil", "bdoe")},
    "github classroom": {f"lab-01-submissions/lab-01-{who}/lab.ipynb": (f"lab-01-{who}", "") for who in ("zoe", "ben")},
    "google classroom": {f"{who} - lab_01.ipynb": (f"{who} - lab_01", "") for who in ("Zoë O'Neil", "Ben Doe")},
    "folders of one student each": {f"{who}/homework_1_3_solution.ipynb": (who, "") for who in "abc"},
    "folders, files of another platform": {f"{who}/{ZOE}_lab.ipynb": (who, "") for who in "abc"},
    "folders, files as of blackboard": {f"{who}/{BB}zoneil{DAY}_lab.ipynb": (who, "") for who in "abc"},
    "one folder": {"ben/homework_1_3_solution.ipynb": ("ben", "")},
    "flat, a year": {f"lab_01_2024_{who}.ipynb": (f"lab_01_2024_{who}", "") for who in ("anna", "ben")},
    "flat, as of canvas": {f"lab_101_2024_{who}.ipynb": (f"lab_101_2024_{who}", "") for who in ("anna", "ben")},
    "flat, some as of canvas": {f"lab_101_2024_{who}.ipynb": (f"lab_101_2024_{who}", "") for who in ("anna", "ben")}
    | {"oneilzoe_7701_6001_lab.ipynb": ("oneilzoe", "7701")},
    "flat, exercises": {f"hw_101_20{i}_x.ipynb": (f"hw_101_20{i}_x", "") for i in (3, 4)},
    "flat, dates": {
        f"my_lab_final_2026-01-3{i}-15-00-00.ipynb": (f"my_lab_final_2026-01-3{i}-15-00-00", "") for i in (0, 1)
    },
    "flat, capitals": {f"HW_101_20{i}_x.ipynb": (f"HW_101_20{i}_x", "") for i in (3, 4)},
    "flat, a number with two names": {
        "hw_101_203_anna.ipynb": ("hw_101_203_anna", ""),
        "hw_101_204_ben.ipynb": ("hw_101_204_ben", ""),
        "lab_101_205_cem.ipynb": ("lab_101_205_cem", ""),
        "oneilzoe_7701_6001_lab.ipynb": ("oneilzoe", "7701"),
    },
    "flat, small numbers": {
        f"{name}.ipynb": (name, "") for name in ("hw_1_2_anna", "hw_1_3_ben", "lab_2_4_cy", "x_1_20240001_anna")
    },
    "sections": {
        "sec1/anna.ipynb": ("sec1/anna", ""),
        "sec1/ben/lab.ipynb": ("sec1/ben", ""),
        "sec2/lab.ipynb": ("sec2", ""),
    },
    "sections, named like ilias's": {
        "section_a_2025_101/x.ipynb": ("section_a_2025_101/x", ""),
        "section_a_2025_101/y.ipynb": ("section_a_2025_101/y", ""),
        "section_b_2025_102/z.ipynb": ("section_b_2025_102", ""),
    },
    "a folder of two": {
        "anna/lab.ipynb": ("anna/lab", ""),
        "anna/lab-Copy1.ipynb": ("anna/lab-Copy1", ""),
        "ben.zip/work/lab.ipynb": ("ben", ""),
    },
    "one name, a file, a folder and a zip": {
        "anna.ipynb": ("anna.ipynb", ""),
        "anna/lab.ipynb": ("anna", ""),
        "anna.zip/lab.ipynb": ("anna.zip", ""),
    },
    "around a class": {f"class/lab14/{who}.ipynb": (who, "") for who in ("anna", "ben")},
    "nobody": {},
}
TOLD = {  # where a teacher should look; elsewhere nothing is said
    "blackboard": "2 students would be called lee",
    "flat, as of canvas": "2 names look like a learning platform's, but contradict each other",
    "flat, some as of canvas": "2 names look like a learning platform's, but contradict each other",
    "flat, exercises": "2 names look like a learning platform's, but contradict each other",
    "flat, a number with two names": "3 names look like a learning platform's, but contradict each other",
    "sections": "sec1 holds 2 notebooks, and no learning platform says that they are one student's",
    "sections, named like ilias's": "section_a_2025_101 holds 2 notebooks",
    "a folder of two": "anna holds 2 notebooks",
    "one name, a file, a folder and a zip": "3 students would be called anna",
}


@pytest.mark.parametrize("tree", TREES)
def test_two_notebooks_are_one_students_only_if_a_platform_says_so(tree):
    people, doubts = students_of(list(TREES[tree]))
    assert dict(zip(TREES[tree], people, strict=True)) == TREES[tree]
    assert len(doubts) == (tree in TOLD) and TOLD.get(tree, "") in "".join(doubts)


@pytest.mark.parametrize("tree", [tree for tree in TREES if TREES[tree]])
@pytest.mark.parametrize("in_a_zip", [True, False])
def test_folders_and_zips_of_a_class_are_read_alike(tree, in_a_zip, tmp_path):
    members, own = {}, {}
    for path in TREES[tree]:
        outer, _, inner = path.partition(".zip/")
        if inner:
            own.setdefault(f"{outer}.zip", {})[inner] = path.encode()
        else:
            members[path] = path.encode()
    members |= {name: zipped(tmp_path / "own", inside).read_bytes() for name, inside in own.items()}
    source = tmp_path / "in"
    if in_a_zip:
        zipped(source, members)
    else:
        for name, content in members.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(content)
    found, left_out = collect.collect(source)
    assert {(each.student, each.id) for each in found} == set(TREES[tree].values())
    assert len(found) == len(TREES[tree]) and left_out == []
    if not tree.endswith("a date") or in_a_zip:  # a folder with nothing but the class's zip is that zip
        assert {each.file: each.read() for each in found} == {path: path.encode() for path in TREES[tree]}


def test_a_name_with_accents_is_one_name_however_a_mac_writes_it():
    apart = unicodedata.normalize("NFD", "oneilzoë_12345_678_lab.ipynb")
    people, _ = students_of([apart, "oneilzoë_12345_679_more.ipynb", "doeben_12346_680_lab.ipynb"])
    assert people[:2] == [("oneilzoë", "12345")] * 2


def test_files_of_one_name_in_a_zip_are_two(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for content in (b"1", b"2", b"3"):
            archive.writestr("lab/x.ipynb", content)
        archive.writestr("lab/x.ipynb (2)/y.ipynb", b"4")
    found, _ = collect.collect(tmp_path / "all.zip")
    assert sorted(each.read() for each in found) == [b"1", b"2", b"3", b"4"]
    assert len({each.student for each in found}) == 4


def test_names_as_long_and_deep_as_a_zip_allows():
    """Nothing takes the square of a length that a student chooses."""
    for name in ("a_1_" * 16_000, "_" * 65_000, "1_" * 32_000, f"a_{'1' * 65_500}_assignsubmission_x"):
        assert read_name(name, folder=True) is None
    deep = ["a/" * 32_000 + f"{i}/x.ipynb" for i in range(3)]
    assert len(set(students_of([*deep, *(f"{i}/x.ipynb" for i in range(20_000))])[0])) == 20_003


def test_a_name_of_a_zips_full_length_can_be_reported(tmp_path):
    """An LMS number has a few digits. With 65,000, the name of a file for Moodle would be too long for a zip."""
    ((name, number),), _ = students_of([f"a_{'1' * 65_500}_assignsubmission_x.ipynb"])
    reports.write_reports([result_of(name, id=number)], [], tmp_path, "Lab")
    rows = csv.reader(io.StringIO((tmp_path / "grades.csv").read_text(encoding="utf-8"), newline=""))
    assert number == "" and len([*rows]) == 2


def test_the_summary_says_how_notebooks_were_given_to_students():
    """Where a folder was taken for a student, or not, grades are lost if that was wrong."""

    def said(*files: str) -> str:
        people, _ = students_of(files)
        found = [result_of(who, id=number) | {"file": file} for (who, number), file in zip(people, files, strict=True)]
        return reports.summary(found, [], "Lab")

    sections = said(*(f"sec1/{i}.ipynb" for i in range(9)), "sec2/a.ipynb", "sec2/b.ipynb")
    assert sections.count("LOOK") == 2 and "11 students" in sections
    assert "sec1/0, sec1/1, sec1/2, sec1/3, sec1/4 …" in sections and "more than one notebook" not in sections
    assert "All notebooks are in the folder lab14/, so its name was not taken" in said("lab14/a.ipynb", "lab14/b.ipynb")
    for quiet in (said("anna.ipynb", "ben/a.ipynb"), said(*MOODLE), said(*CANVAS)):
        assert "LOOK" not in quiet
    assert said(*MOODLE).count("handed in more than one notebook; the one with most points counts") == 3
    many = said(*(f"{i}/{j}.ipynb" for i in range(40) for j in range(2)))
    assert many.count("LOOK") == 30 and "and 10 more to look at" in many


# Folders and zips.


def zipped(path, members: dict[str, bytes], links: dict[str, str] | None = None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for name, target in (links or {}).items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(member, target)
    return path


def marked(path, *, flags: int | None = None, method: int | None = None, only: str = "") -> bytes:
    """The bytes of a zip, with other flags or another method written for its files, or for `only` one."""
    content = bytearray(path.read_bytes())
    for signature, first, name in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        at = content.find(signature)
        while at >= 0:
            if content[at + name :].startswith(only.encode()):
                for value, place in ((flags, first), (method, first + 2)):
                    if value is not None:
                        content[at + place : at + place + 2] = value.to_bytes(2, "little")
            at = content.find(signature, at + 4)
    return bytes(content)


CANNOT = {"password": ({"flags": 1}, "it needs a password"), "deflate64": ({"method": 9}, "packed with deflate64")}


@pytest.mark.parametrize("why", CANNOT)
@pytest.mark.parametrize("only", ["", "zoe.ipynb", "own.zip"])
def test_a_class_that_cannot_be_unpacked_is_the_teachers_and_nobody_is_graded(why, only, tmp_path):
    change, said = CANNOT[why]
    own = zipped(tmp_path / "own", {"a.ipynb": b"own"}).read_bytes()
    source = zipped(tmp_path / "all.zip", {"ann.ipynb": b"ann", "zoe.ipynb": b"zoe", "own.zip": own, "x.txt": b""})
    source.write_bytes(marked(source, only=only, **change))
    (tmp_path / "99_tiny.ipynb").write_text(LAB)
    with pytest.raises(ValueError, match=said) as told:
        batch.grade_class(tmp_path / "99_tiny.ipynb", source, tmp_path / "out")
    assert "Nobody was graded. Unpack the zip yourself and give the folder" in str(told.value)
    assert not (tmp_path / "out").exists()


def test_a_class_with_a_damaged_file_in_its_zip_is_the_teachers(tmp_path):
    source = zipped(tmp_path / "all.zip", {"ann.ipynb": b"ann" * 99, "zoe.ipynb": bytes(range(256))})
    content = source.read_bytes()
    at = content.index(b"zoe.ipynb") + 40
    source.write_bytes(content[:at] + b"????" + content[at + 4 :])
    (tmp_path / "99_tiny.ipynb").write_text(LAB)
    with pytest.raises(ValueError, match=r"zoe.ipynb in the zip cannot be unpacked"):
        batch.grade_class(tmp_path / "99_tiny.ipynb", source, tmp_path / "out")
    assert not [*(tmp_path / "out").rglob("*.csv")] and not (tmp_path / "out" / "results").exists()


@pytest.mark.parametrize("why", CANNOT)
@pytest.mark.parametrize("in_a_zip", [True, False])
def test_a_students_own_zip_that_cannot_be_unpacked_is_no_zero(why, in_a_zip, tmp_path, monkeypatch):
    """The class goes on; the student has no grade, and the teacher knows why."""
    own = zipped(tmp_path / "own", {"a.ipynb": b"own"})
    members = {"ben_1200_3400_own.zip": marked(own, **CANNOT[why][0]), "zoe_5600_7800_lab.ipynb": b"zoe"}
    source = tmp_path / "in"
    if in_a_zip:
        zipped(source, members)
    else:
        source.mkdir()
        for name, content in members.items():
            (source / name).write_bytes(content)

    def grade_at_once(tasks, common, jobs, work):
        for file, submission in tasks.items():
            try:
                submission.read()
                yield file, result_of(submission.student, id=submission.id, lab=LAB)
            except OSError as problem:
                yield file, work.lost(submission, common, batch.unread(problem))

    monkeypatch.setattr(batch, "grade_on_cores", grade_at_once)
    (tmp_path / "99_tiny.ipynb").write_text(LAB)
    summary = batch.grade_class(tmp_path / "99_tiny.ipynb", source, tmp_path / "out")
    assert "COULD NOT BE GRADED: 1 submission;" in summary and CANNOT[why][1] in summary
    tables = {name: (tmp_path / "out" / f"{name}.csv").read_text() for name in ("grades", "canvas", "moodle")}
    assert "\nben,1200,ben_1200_3400_own.zip/a.ipynb,," in tables["grades"], "no total: 0 would be a grade"
    assert "ben" not in tables["canvas"] + tables["moodle"] and "zoe" in tables["canvas"]
    page = next((tmp_path / "out" / "feedback").glob("ben*.html")).read_text()
    assert "Not graded yet" in page and "0 of 4 points" not in page
    with zipfile.ZipFile(tmp_path / "out" / "moodle_feedback.zip") as archive:
        assert archive.namelist() == ["zoe_5600_assignsubmission_file/feedback.html"]


def test_names_in_a_zip_of_a_mac_and_of_an_old_pc(tmp_path):
    """macOS writes UTF-8 and does not say so; an old PC writes its own code page, which Python reads."""
    apart = unicodedata.normalize("NFD", "Zoë Ümit")
    source = zipped(tmp_path / "all.zip", {f"{apart}.ipynb": b"1", "陳大文/lab.ipynb": b"2", "ann.ipynb": b"3"})
    source.write_bytes(marked(source, flags=0))
    found, _ = collect.collect(source)
    assert {each.student: each.read() for each in found} == {"Zoë Ümit": b"1", "陳大文": b"2", "ann": b"3"}
    member = zipfile.ZipInfo("x")
    member.filename = "Zoë".encode("cp437").decode("cp437")
    assert collect.name_in_zip(member) == "Zoë"


@pytest.mark.parametrize("name", ["all.zip", "all.tar.gz", "all.7z", "grades.csv"])
def test_a_file_that_is_no_zip_and_no_notebook_is_told(name, tmp_path):
    """A download that was cut off is no zip any more; as a single notebook it would get 0 points."""
    whole = zipped(tmp_path / "whole", {"ann.ipynb": bytes(100), "zoe.ipynb": bytes(100)}).read_bytes()
    (tmp_path / name).write_bytes(whole[:100])
    with pytest.raises(ValueError, match="is no zip, or a damaged one: download it again"):
        collect.collect(tmp_path / name)


def test_a_folder_with_the_downloaded_zip_is_that_zip(tmp_path):
    """Not one student's own, of which 50 notebooks are graded."""
    (tmp_path / "in").mkdir()
    zipped(tmp_path / "in" / "submissions.zip", {f"s{i}_{1000 + i}_{2000 + i}_x.ipynb": b"" for i in range(60)})
    found, left_out = collect.collect(tmp_path / "in")
    assert len({each.id for each in found}) == 60 and left_out == []


def test_a_zip_is_read_whatever_it_says(tmp_path, monkeypatch):
    """Paths that lead out, links, rubbish, a zip in a zip, and a bomb."""
    monkeypatch.setattr(collect, "MOST_BYTES", 1000)
    inner = zipped(tmp_path / "inner.zip", {"deep.ipynb": b"inner"}).read_bytes()
    members = {
        "../../etc/passwd.ipynb": b"out",
        "/abs/olute.ipynb": b"absolute",
        "C:\\win\\dows.ipynb": b"windows",
        "carol_500_600_x.zip": inner,
        "bomb.ipynb": bytes(50_000_000),
        "__MACOSX/._alice.ipynb": b"",
        "bob/.ipynb_checkpoints/lab-checkpoint.ipynb": b"old",
        "notes.txt": b"",
        "broken.zip": b"PK nothing",
    }
    source = zipped(tmp_path / "all.zip", members, {"link.ipynb": "/etc/passwd"})
    found, left_out = collect.collect(source)
    contents = {submission.student: submission.read() for submission in found}
    assert contents.pop("bomb") == bytes(1001), "one byte too many, and no more"
    assert contents == {"etc": b"out", "abs": b"absolute", "C:": b"windows", "carol": b"inner"}
    assert sorted(line.partition(":")[0] for line in left_out) == ["broken.zip", "link.ipynb", "notes.txt"]
    assert {path.name for path in tmp_path.iterdir()} == {"all.zip", "inner.zip"}, "nothing is unpacked"


@pytest.mark.parametrize("in_a_zip", [True, False])
def test_a_students_own_zip_stops_no_one_else(tmp_path, in_a_zip, monkeypatch):
    """Somebody's whole project with its environment, and two who try to keep the grader busy."""
    whole = {f"project/env/{i}.py": b"" for i in range(1_000)} | {"project/lab.ipynb": b"whole"}
    monkeypatch.setattr(collect, "MOST_FILES", 900)
    monkeypatch.setattr(collect, "MOST_OWN_BYTES", 10_000)
    zips = {
        "ann_100_200_project.zip": zipped(tmp_path / "a", whole).read_bytes(),
        "bob_300_400_many.zip": zipped(tmp_path / "b", {f"{i}.ipynb": b"bob" for i in range(60)}).read_bytes(),
        "eve_500_600_large.zip": zipped(tmp_path / "c", {f"{i}.ipynb": bytes(6_000) for i in range(2)}).read_bytes(),
    }
    source = tmp_path / "in"
    if in_a_zip:
        zipped(source, zips | {"zoe.ipynb": b"zoe"})
    else:
        source.mkdir()
        for name, content in (zips | {"zoe.ipynb": b"zoe"}).items():
            (source / name).write_bytes(content)
    found, left_out = collect.collect(source)
    read = [(submission.student, submission.read()) for submission in found]
    assert read == [("ann", b"whole"), *[("bob", b"bob")] * collect.MOST_OWN, ("eve", bytes(6_000)), ("zoe", b"zoe")]
    assert len(left_out) == 3 and "1000 other files" in left_out[0]
    assert "first 50 are graded" in left_out[1] and "first 1 are graded" in left_out[2]


def test_a_folder_is_read_without_its_links(tmp_path):
    (tmp_path / "in" / "bob" / ".ipynb_checkpoints").mkdir(parents=True)
    (tmp_path / "in" / "bob" / "lab.ipynb").write_bytes(b"bob")
    (tmp_path / "in" / "bob" / ".ipynb_checkpoints" / "lab.ipynb").write_bytes(b"old")
    (tmp_path / "secret.ipynb").write_bytes(b"secret")
    (tmp_path / "in" / "link.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (tmp_path / "in" / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "in" / "pipe.ipynb")
    found, left_out = collect.collect(tmp_path / "in")
    assert [submission.read() for submission in found] == [b"bob"]
    assert len(left_out) == 2


END = b"PK\x05\x06" + bytes(4) + b"\1\0\1\0" + b"\xff\xff\0\0" + b"\0\0\xff\0" + bytes(2)


@pytest.mark.parametrize("in_a_zip", [True, False])
def test_a_students_damaged_zip_stops_no_one_else(tmp_path, in_a_zip):
    """It ends as a zip does, so that it looks like one; or a name in it is in no encoding."""
    named = zipped(tmp_path / "a", {"é.ipynb": b""}).read_bytes().replace("é".encode(), b"\xff\xff")
    members = {"ann.zip": END, "bob.zip": named, "eve.zip": b"PK", "zoe.ipynb": b"zoe"}
    source = tmp_path / "in"
    if in_a_zip:
        zipped(source, members)
    else:
        source.mkdir()
        for name, content in members.items():
            (source / name).write_bytes(content)
    found, left_out = collect.collect(source)
    assert [(submission.student, submission.read()) for submission in found] == [("zoe", b"zoe")]
    assert left_out == [f"{name}.zip: a zip that cannot be read" for name in ("ann", "bob", "eve")]


def test_a_class_in_a_damaged_zip_is_told(tmp_path):
    (tmp_path / "all.zip").write_bytes(END)
    with pytest.raises(ValueError, match="download it again"):
        collect.collect(tmp_path / "all.zip")


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder or zip"):
        collect.collect(tmp_path / "nothing")


def test_a_notebook_that_a_browser_saved_as_text_is_one(tmp_path):
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "lab.ipynb.txt").write_bytes(b"anna")
    (tmp_path / "ben.IPYNB.TXT").write_bytes(b"ben")
    (tmp_path / "notes.txt").write_bytes(b"none")
    found, left_out = collect.collect(tmp_path)
    assert [(each.student, each.read()) for each in found] == [("anna", b"anna"), ("ben", b"ben")]
    assert left_out == ["notes.txt: no notebook"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_hidden_notebook_is_named_and_a_systems_own_files_are_not(tmp_path, packed):
    names = ["ann.ipynb", "..dots.ipynb", "ben/.lab.ipynb", "._ann.ipynb", ".DS_Store", "__MACOSX/._ann.ipynb"]
    names += [".ipynb_checkpoints/ann-checkpoint.ipynb", "ben/.ipynb_checkpoints/lab-checkpoint.ipynb"]
    source = tmp_path / "in"
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"{}")
    if packed:
        with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
            for name in names:
                archive.write(source / name, name)
    found, left_out = collect.collect(tmp_path / "in.zip" if packed else source)
    assert [each.student for each in found] == ["ann"]
    assert sorted(left_out) == [f"..dots.ipynb: {collect.HIDDEN_ONE}", f"ben/.lab.ipynb: {collect.HIDDEN_ONE}"]


@pytest.mark.parametrize("solution", sorted((ROOT / "solutions").glob("*.ipynb")), ids=lambda file: file.stem)
def test_no_answer_of_ours_is_taken_for_a_finished_attack(solution):
    cells = ["".join(cell["source"]) for cell in json.loads(solution.read_text(encoding="utf-8"))["cells"]]
    assert not [cell for cell in cells if "### BEGIN SOLUTION" in cell and FINISHED_ATTACK.search(cell)]
    assert FINISHED_ATTACK.search("attacks.pgd(model, x, y)") and FINISHED_ATTACK.search(
        "from utils.attacks import pgd"
    )
