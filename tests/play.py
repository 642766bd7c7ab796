"""Play another machine: `python -I -S play.py colab|offline NOTEBOOK FOLDER ...` runs a notebook's code in one IPython.

Only the FOLDERs and the standard library can be imported from: no installed course, nothing from the user.
The code may not use the network from Python, nor pip. On Colab there is a `google.colab` and somebody else's `utils`,
and the first cell is run twice, as a learner might.
"""

import json
import sys
import types
from pathlib import Path

machine, notebook, *folders = sys.argv[1:]
sys.path += folders


def forbid(event, args):
    words = str(args[:2]).lower()
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn") and "pip" in words:
        raise AssertionError(f"the notebook calls pip: {words}")
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise AssertionError(f"the notebook asks for the network: {args}")


from IPython.core.interactiveshell import InteractiveShell  # noqa: E402

cells = [cell for cell in json.loads(Path(notebook).read_text())["cells"] if cell["cell_type"] == "code"]
if machine == "colab":
    sys.modules["google.colab"] = types.ModuleType("google.colab")
    sys.modules["utils"] = types.ModuleType("utils")
    cells.insert(0, cells[0])
sys.addaudithook(forbid)
shell = InteractiveShell.instance()
for cell in cells:
    shell.run_cell("".join(cell["source"]), store_history=True).raise_error()
print("played", len(cells), "cells")
