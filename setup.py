"""What pip installs are the tools, as the package `measured_defense`: a module named `utils` would meet the user's own.

In the course's folder, and where `pip install --editable` has linked to it, they are `utils`, and the grader is there.
"""

import re
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

EDITABLE = "editable_wheel" in sys.argv
NAME = "utils" if EDITABLE else "measured_defense"
TOOLS = [re.sub("^utils", NAME, package) for package in find_packages(include=["utils*"])]


class Tools(build_py):
    """Copies the modules; they import one another by the name that they have there."""

    def run(self):
        super().run()
        for file in [] if EDITABLE else Path(self.build_lib, NAME).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            text = re.sub(r"^(\s*(?:from|import) )utils\b", rf"\1{NAME}", text, flags=re.MULTILINE)
            file.write_text(text.replace('"utils.', f'"{NAME}.'), encoding="utf-8")


setup(
    packages=TOOLS + (find_packages(include=["grader*"]) if EDITABLE else []),
    package_dir={} if EDITABLE else {NAME: "utils"},
    package_data={"": ["*.csv", "*.schema.json", "templates/*.html"]},
    entry_points={"console_scripts": [f"measured-audit = {NAME}.audit.__main__:main"]},
    cmdclass={"build_py": Tools},
)
