"""A name that the kernel does not know: its section is named, and a learner's own mistake is not covered."""

import nbformat
import pytest

from in_kernel import kernel
from utils.earlier import ROOT, made_by, section_of

LESSON = nbformat.read(ROOT / "notebooks" / "01_one_gradient_step.ipynb", 4)
CODE = [cell.source for cell in LESSON.cells if cell.cell_type == "code"]
USES_MODEL = next(source for source in CODE if source.startswith("plots.line_of_loss(model"))


@pytest.fixture(scope="module")
def last():
    """What the last of some cells shows, in a kernel that has run no others."""
    with kernel() as outputs:
        yield lambda *cells: [output.get("ename") or output.get("text", "") for output in outputs(*cells)[-1]]


def test_after_a_restart_the_section_is_named_below_the_error(last):
    error, advice = last("from utils import plots", USES_MODEL)
    assert error == "NameError" and "is made further up, in the section" in advice and "Run All Above" in advice


def test_a_typing_mistake_is_ones_own(last):
    assert last("from utils import attacks", "attcks.fgsm") == ["NameError"]


def test_a_name_that_is_there_is_not_looked_for(last):
    """What some function did not find is no name of the notebook's."""
    assert last(CODE[1], "model = 1", "exec('model', {})") == ["NameError"]


def test_a_cell_that_a_learner_has_changed_is_placed_by_those_that_ran(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert section_of("model", "my_own = model", CODE[:2])
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/01_one_gradient_step.ipynb")
    assert section_of("model", "my_own = model", []) and not section_of("modle", "my_own = modle", [])


def test_what_comes_later_is_no_help():
    first = CODE[1]
    later = made_by(CODE[-1]) | made_by(CODE[-2])
    assert not [name for name in later - made_by(first) if section_of(name, first, [first])]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a = b = 1", {"a", "b"}),
        ("for i in x:\n  y = i", {"i", "y"}),
        ("import a.b, c as d\nfrom e import f", {"a", "d", "f"}),
        ("def f(x):\n  z = 1", {"f"}),
        ("class C:\n  z = 1", {"C"}),
        ("[n for n in x]", set()),
        ("with open(x) as f, g: pass", {"f"}),
        ("(a, *b), c[0] = x", {"a", "b"}),
        ("!pip install x", set()),
        ("if (n := 3): pass", {"n"}),
    ],
)
def test_names_that_a_cell_makes(source, names):
    assert made_by(source) == names
