"""The course as a web site, from the committed notebooks, without a kernel or the network: `make site`.

It lies in build/site; `make site PORT=8000` serves it as well.
"""

import argparse
import functools
import http.server
import json
import re
import shutil
import sys
import time
from pathlib import Path

from sphinx.cmd.build import main as sphinx

from pages import ROOT
from site_pages import TEXTS, grids, grids_folder, relinked

SITE = ROOT / "build" / "site"


def build(to: Path) -> int:
    """Write the site into folder `to`. Returns Sphinx's exit status: a warning counts as an error."""
    sources = to.with_name(to.name + "-sources")
    shutil.rmtree(sources, ignore_errors=True)
    for folder in ("notebooks", "labs", "challenges"):
        (sources / folder).mkdir(parents=True)
        for notebook in sorted((ROOT / folder).glob("*.ipynb")):
            shutil.copy(notebook, sources / folder)
    (sources / "findings").mkdir()
    for text in TEXTS:
        shutil.copy(ROOT / text, sources / text)
    shutil.copy(ROOT / "site" / "index.md", sources)
    status = sphinx(["-q", "-W", "--keep-going", "-b", "html", "-c", str(ROOT / "site"), str(sources), str(to)])
    for page in ("field_guide.html", "ledger.html"):
        text = (ROOT / "notebooks" / page).read_text(encoding="utf-8")
        (to / "notebooks" / page).write_text(relinked(text, f"notebooks/{page}"), encoding="utf-8")
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        page = f"notebooks/{notebook.name}"
        for cell, grid in grids(page).items():  # a web server packs what it sends
            file = to / "notebooks" / grids_folder(page) / f"{cell}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(grid, ensure_ascii=False), encoding="utf-8")
    shutil.copytree(ROOT / "site" / "playground", to / "playground", dirs_exist_ok=True)
    for page in to.rglob("*.html"):  # the theme ships its icons twice: as fonts, and as a script of 1.5 MB
        text = page.read_text(encoding="utf-8")
        page.write_text(re.sub(r"<script[^>]*fontawesome\.js[^>]*></script>", "", text), encoding="utf-8")
    (to / ".nojekyll").touch()  # or GitHub Pages leaves out folders like _static
    return status


def serve(folder: Path, port: int) -> None:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/ (Ctrl+C ends it)", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--to", type=Path, default=SITE)
    parser.add_argument("--port", type=int, help="serve it at this port")
    given = parser.parse_args()
    start = time.perf_counter()
    if status := build(given.to):
        sys.exit(status)
    print(f"{given.to}: {time.perf_counter() - start:.0f} s")
    if given.port is not None:
        serve(given.to, given.port)
