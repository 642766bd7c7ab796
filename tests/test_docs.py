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
