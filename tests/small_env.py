"""Small environments for tests that need other versions than the course has (Colab's widgets, the peers)."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
COLAB = ("ipywidgets==7.7.1", "ipython==7.34.0", "ipykernel==6.17.1")  # what Google Colab brings


def small_env(name: str, requirements: tuple[str, ...]) -> Path:
    """The Python of `.venv-NAME`, where `requirements` (arguments of `pip install`) shadow the course's environment.

    Everything else, torch first of all, is imported from the environment that calls. The folder is made on the first
    call, made anew when the requirements or `constraints.txt` change, and safe to ask for from two processes at once.
    Raises RuntimeError with pip's last words if the packages cannot be installed.
    """
    folder = ROOT / f".venv-{name}"
    python, stamp = folder / "bin" / "python", folder / "made-from.txt"
    recipe = "\n".join([sys.version, sys.prefix, *requirements, (ROOT / "constraints.txt").read_text()])
    with FileLock(f"{folder}.lock"):
        if not stamp.exists() or stamp.read_text() != recipe:
            venv.create(folder, clear=True, symlinks=True)  # without pip: the one of the course's environment serves
            main, own = (sysconfig.get_path("purelib", vars=where) for where in ({}, {"base": str(folder)}))
            Path(own, "course.pth").write_text(f"import site; site.addsitedir({main!r})\n")  # comes last on the path
            pip = [python, "-m", "pip", "install", "--quiet", "--no-warn-conflicts", "--disable-pip-version-check"]
            made = subprocess.run([*pip, *requirements], capture_output=True, text=True)
            if made.returncode:
                raise RuntimeError(f"pip could not make {folder}:\n{made.stderr[-2000:]}")
            stamp.write_text(recipe)  # last, so that a folder that was interrupted is made anew
    return python


def ask(python: Path, script: str | Path, *words: str | Path, **variables: str):
    """What a script says in the environment of `python`: the last line that it prints, which is JSON.

    It can import `utils`; `variables` are added to its environment. Raises RuntimeError with its last words.
    """
    where = os.environ | {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"} | variables
    done = subprocess.run([python, script, *words], capture_output=True, text=True, env=where)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))[:200]} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])
