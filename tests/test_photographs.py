"""README's table of the lessons on photographs is what their records say, and it names those that are missing."""

import pytest

from photographs import COMMAND, on_photographs
from run import save
from utils.rate import Rate
from utils.records import value_of


@pytest.fixture
def lessons(tmp_path):
    """Three lessons: two read the images of one's choice, and one of these was run on photographs."""
    sources, results = tmp_path / "src", tmp_path / "results"
    sources.mkdir()
    for stem, code in (("01_x", "data = load()"), ("02_y", "data = load()"), ("11_z", "tumors = load('tumors')")):
        (sources / f"{stem}.py").write_text(code)

    def keep(dataset, *claims, code="present"):
        said = [
            {"cell": "c", "text": text, "verdict": verdict, "because": "b", "undefended": value_of(rate)}
            for text, verdict, rate in claims
        ]
        save({"lesson": "01_x", "dataset": dataset, "seconds": 1234.4, "fingerprint": code, "claims": said}, results)

    poor, good = Rate(43, 100), Rate(82, 100)
    keep("digits", ("A", "refuted", good), ("B", "refuted", good), ("C", "holds", good))
    keep("cifar10", ("A", "refuted", good), ("B", "holds", good), ("C", "open", poor))
    return results, sources, keep


def test_each_lesson_has_its_seconds_its_model_and_its_verdicts(lessons):
    row = on_photographs(*lessons[:2]).splitlines()[2]
    assert row == (
        "| 01 | 1,234 | 82/100 = 82 % [73, 88]; 43/100 = 43 % [34, 53] | "
        "A: *refuted*<br>B: *holds* (digits: refuted)<br>C: *open* |"
    )


def test_what_is_missing_is_said_with_its_command(lessons):
    results, sources, _ = lessons
    said = on_photographs(results, sources)
    assert f"Not measured yet: `{COMMAND} 02_y`" in said and "their own data: 11." in said
    (results / "01_x.cifar10.json").unlink()
    said = on_photographs(results, sources)
    assert f"`{COMMAND} 01_x 02_y`" in said and "| lesson" not in said


def test_a_record_of_older_code_is_named_as_one(lessons):
    results, sources, keep = lessons
    keep("cifar10", ("A", "refuted", Rate(82, 100)), code="older")
    assert "| 01 (older code) |" in on_photographs(results, sources)
