"""What the pages for people name is there: each file, folder and `make` target of README, TEACHING and CONTRIBUTING."""

import re

import pytest

from run import ROOT

each_page = pytest.mark.parametrize("page", ["README.md", "TEACHING.md", "CONTRIBUTING.md", "tests/pinned/README.md"])
IN_GIT = ("notebooks", "labs", "challenges", "solutions", "utils", "grader", "tests", "tools", "findings")


@each_page
def test_files_that_a_page_names_are_there(page):
    """`STEM`, `NAME` and `NN_name` stand for any."""
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([\w./]+)[#)]", text)  # addresses have a colon
    named = re.findall(rf"`((?:{'|'.join(IN_GIT)})/[\w./*]*)`", text)
    wanted = {re.sub(r"\b(STEM|NAME|NN_name)\b", "*", name) for name in [*links, *named]}
    assert wanted and not {name for name in wanted if not [*ROOT.glob(name.rstrip("/"))]}


@each_page
def test_targets_that_a_page_names_are_there(page):
    targets = re.search(r"\.PHONY: (.+)", (ROOT / "Makefile").read_text(encoding="utf-8"))[1].split()
    text = (ROOT / page).read_text(encoding="utf-8")
    calls = re.findall(r"(?:^|`)make ((?:[a-z]+\b ?)+)(?=$|[`A-Z]| +#)", text, re.MULTILINE)
    assert {target for call in calls for target in call.split()} <= set(targets)


def test_the_contributors_page_says_what_each_target_does():
    commands = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The commands")[2]
    targets = re.search(r"\.PHONY: (.+)", (ROOT / "Makefile").read_text(encoding="utf-8"))[1].split()
    assert not [target for target in targets if target != "help" and f"`make {target}`" not in commands]


def test_what_the_readme_says_of_all_lessons():
    """The shortest and the longest, and which have nothing to play with."""
    sources = {
        file.stem.partition("_")[0]: file.read_text(encoding="utf-8") for file in ROOT.glob("notebooks/src/*.py")
    }
    minutes = sorted(int(re.search(r"About (\d+) min", text)[1]) for text in sources.values())
    *most, last = sorted(number for number, text in sources.items() if "**Try.**" not in text)
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"A lesson is {minutes[0]} to {minutes[-1]} minutes of reading." in readme
    assert f"All but {', '.join(most)} and {last} have a widget to play with" in readme
