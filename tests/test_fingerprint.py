"""One hash for the same code: it sees what changes a measurement, wherever that stands, and nothing else."""

import shutil

import pytest

from build import assemble
from run import LESSONS
from utils.fingerprint import ROOT, appearance, fingerprint


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("x = 1  # one", "x = 1", True),
        ('def f():\n    """One."""\n    return 1', 'def f():\n    "Two."\n    return (1)', True),
        ("x", "x;", True),
        ("x = 1", "x = 2", False),
        ("def f(): return None", "def f(): return", False),
        ("from utils.evaluation import Rate", "from utils.data import load", False),
        ("def f():\n    from utils import data", "def f():\n    from utils import evaluation", False),
    ],
)
def test_it_sees_code_and_nothing_else(before, after, same):
    assert (fingerprint([before]) == fingerprint([after])) is same


def test_how_things_are_shown_has_a_hash_of_its_own():
    assert appearance(["x"]) != appearance(["x;"])


def test_it_follows_imports(tmp_path):
    """Also those inside functions, of packages, and of names that are modules."""
    package = tmp_path / "utils" / "deep"
    package.mkdir(parents=True)
    (tmp_path / "utils" / "__init__.py").touch()
    (tmp_path / "utils" / "top.py").write_text("def f():\n    from utils.deep import attack")
    (package / "__init__.py").write_text("from . import bottom")
    seen = set()
    for value in range(3):
        (package / "bottom.py").write_text(f"attack = {value}")
        seen.add(fingerprint(["from utils import top"], tmp_path))
    assert len(seen) == 3


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project's code, to be changed."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("utils", "grader"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "constraints.txt", folder)
    return folder


def code(stem: str) -> list[str]:
    return [cell.source for cell in assemble(LESSONS / "src" / f"{stem}.py").cells if cell.cell_type == "code"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "before", "after", "measures", "shows"),
    [
        ("utils/attacks/gradient.py", "(2.5 * eps", "(0.01 * eps", True, False),  # PGD's step, crippled
        ("utils/attacks/gradient.py", '"""', '"""So: ', False, False),
        ("utils/plots.py", "0.55", "0.5", False, True),
        ("constraints.txt", "torch==", "torch==9", True, False),
        ("constraints.txt", "jupyterlab==", "jupyterlab==9", False, False),
    ],
    ids=["an attack's step", "a docstring", "a picture", "torch", "jupyterlab"],
)
def test_a_lesson_is_out_of_date_when_something_that_it_rests_on_has_changed(
    copy, file, before, after, measures, shows
):
    cells, text = code("03_adversarial_training"), (copy / file).read_text()
    was = fingerprint(cells, copy), appearance(cells, copy)
    assert before in text
    (copy / file).write_text(text.replace(before, after, 1))
    now = fingerprint(cells, copy), appearance(cells, copy)
    (copy / file).write_text(text)
    assert (was[0] != now[0], was[1] != now[1]) == (measures, shows)
