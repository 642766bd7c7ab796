"""A teacher's first evening: a class of five, each as the walk through it says."""

import csv

import pytest

import sample_class


def test_the_five_are_as_the_walk_says(tmp_path, capsys):
    folder = tmp_path / "class"
    sample_class.main(folder)
    rows = {row["student"]: row for row in csv.DictReader((folder / "grades" / "grades.csv").open(encoding="utf-8"))}
    points = {name: float(row["total"]) for name, row in rows.items()}
    assert sorted(points) == ["anna", "ben", "chloe", "dan", "eve"]
    assert [name for name in sample_class.submissions() if "_LATE_" in name] == ["ben_LATE_1002_502_lab.ipynb"]
    assert points["anna"] == points["eve"] == 10 and points["chloe"] == 0
    assert 0 < points["ben"] < 10 and 0 < points["dan"] < 10
    said = capsys.readouterr().out
    assert "ZeroDivisionError" in said and "instructor's notebook" not in said
    assert {file.name for file in (folder / "handout").iterdir()} == {f.name for f in sample_class.LABS.glob("*.ipynb")}
    for name in ("summary.txt", "canvas.csv", "moodle.csv", "feedback"):
        assert (folder / "grades" / name).exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    with pytest.raises(FileExistsError):
        sample_class.main(tmp_path)
    assert not [*tmp_path.iterdir()]
