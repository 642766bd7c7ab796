"""A small environment has its own versions, and everything else from the course's."""

import subprocess
from importlib.metadata import version

import pytest

import small_env


def version_in(python, package: str) -> str:
    code = f"import importlib.metadata as m, {package}; print(m.version('{package}'))"
    return subprocess.check_output([python, "-c", code], text=True).strip()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "constraints.txt").touch()
    monkeypatch.setattr(small_env, "ROOT", tmp_path)


def test_its_packages_shadow_and_the_others_are_shared():
    python = small_env.small_env("test", ("wcwidth==0.2.12",))
    made = python.lstat().st_ctime_ns
    assert version_in(python, "wcwidth") == "0.2.12" != version("wcwidth")
    assert version_in(python, "filelock") == version("filelock")
    assert small_env.small_env("test", ("wcwidth==0.2.12",)).lstat().st_ctime_ns == made, "made twice"
    assert version_in(small_env.small_env("test", ("wcwidth==0.2.13",)), "wcwidth") == "0.2.13"


def test_what_cannot_be_installed_is_said_and_tried_again():
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"(?s)pip could not make .*wcwidth==99"):
            small_env.small_env("test", ("wcwidth==99",))
