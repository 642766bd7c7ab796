"""The check of lesson 00: right where all is well, and a fix in words for each thing that can be wrong."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from utils import environment


def test_this_machine_is_ready():
    report = environment.check_environment()
    assert report.ready, report
    assert "Ready" in repr(report) and "Ready" in report._repr_html_()
    assert {"python", "torch", "numpy", "device", "data"} <= {row.what for row in report}


@pytest.mark.parametrize(("package", "found"), [("torch", "1.13.1"), ("scipy", "missing"), ("ipywidgets", "7.6.0")])
def test_a_missing_or_old_package_is_named_with_its_fix(package, found, monkeypatch):
    version_of = environment.version_of
    monkeypatch.setattr(environment, "version_of", lambda name: found if name == package else version_of(name))
    report = environment.check_environment()
    (row,) = [row for row in report if row.fix]
    assert not report.ready and row.what == package and row.fix.startswith(f'run: pip install "{package}>=')
    assert f"Not ready: {package}." in report.verdict and "pip install" in report._repr_html_()


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(environment, "sys", SimpleNamespace(version_info=(3, 10, 4, "final", 0)))
    row = environment.check_environment()[0]
    assert row.what == "python" and "install Python >=3.11" in row.fix


def test_data_that_cannot_be_read_are_named(monkeypatch):
    monkeypatch.setenv("COURSE_DATASET", "mnits")
    report = environment.check_environment()
    assert not report.ready and report[-1].what == "data" and "mnits" in report[-1].fix


def test_it_needs_no_torch_to_say_that_torch_is_broken(tmp_path):
    """A package that is there and does not import; the table must still appear."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
    code += "from utils import environment; print(environment.check_environment())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=environment.ROOT)
    assert done.returncode == 0, done.stderr
    assert "Not ready: device, data" in done.stdout
