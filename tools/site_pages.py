"""How files of the repository become pages of the site: links, anchors, folded cells, the words of pictures.

The files themselves stay as they are, so that what a page offers for download is the committed notebook.
"""

import gzip
import json
import posixpath
import re
from html import escape
from urllib.parse import unquote

from myst_nb.core.render import NbElementRenderer

from pages import REPOSITORY, ROOT, slug

BLOB = f"{REPOSITORY}/blob/main/"
LINK = re.compile(r"""(\]\(|href=["'])([^)"'\s]+)""")  # in Markdown and in HTML
TEXTS = ("TEACHING.md", "CONTRIBUTING.md", "findings/README.md")  # pages, besides notebooks and ready HTML


def address(link: str, page: str) -> str:
    """The address on the site, seen from `page`, of what a file of the repository links to.

    link  as it stands in the file: relative to it, or an address of the repository's files
    page  the file, e.g. "notebooks/00_start_here.ipynb"
    Returns files that are no pages as addresses of the repository.
    """
    if link.startswith("#") or (":" in link and not link.startswith(BLOB)):
        return link
    path, _, anchor = link.partition("#")
    file = path.removeprefix(BLOB) if path.startswith(BLOB) else posixpath.normpath(f"{posixpath.dirname(page)}/{path}")
    file = file.lstrip("/")
    if file in TEXTS or re.fullmatch(r"(notebooks|labs|challenges|playground)/\w+\.(ipynb|html)", file):
        there = re.sub(r"\.(ipynb|md)$", ".html", file)
        if file.endswith(".ipynb"):  # a cell, or a heading as JupyterLab and GitHub name it
            anchor = slug(unquote(anchor.removeprefix("cell-id=")))
        return posixpath.relpath(there, posixpath.dirname(page) or ".") + (f"#{anchor}" if anchor else "")
    return BLOB + file + (f"#{anchor}" if anchor else "")


def relinked(text: str, page: str) -> str:
    return LINK.sub(lambda found: found[1] + address(found[2], page), text)


def as_page(notebook: dict, page: str) -> dict:
    """A notebook whose links lead to pages, each code cell with its id as an anchor, plumbing without its source, a
    lab's checks behind a click, and widgets that answer from what the lesson's run kept of them."""
    cells, kept = [], grids(page)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = relinked("".join(cell["source"]), page)
        else:
            anchor = {"cell_type": "markdown", "metadata": {}, "source": f'<span id="{cell["id"]}"></span>'}
            cells.append(anchor | {"id": f"at-{cell['id']}"})
            hidden = cell["metadata"].get("jupyter", {})
            if hidden.get("source_hidden"):
                cell["metadata"]["tags"] = ["hide-input" if "nbgrader" in cell["metadata"] else "remove-input"]
            if hidden.get("outputs_hidden") and kept:  # until the reader has guessed, or opens it
                cell["metadata"]["tags"] = ["hide-output"]
        for output in cell.get("outputs", []):
            if html := output.get("data", {}).get("text/html"):
                output["data"]["text/html"] = relinked("".join(html), page)
            if (grid := kept.get(cell["id"])) and "image/png" in output.get("data", {}):
                output["data"]["text/html"] = widget(output, grid, f"{grids_folder(page)}/{cell['id']}.json")
        cells.append(cell)
    return notebook | {"cells": cells}


def grids(page: str) -> dict:
    """What the widgets of a notebook show at every setting, {cell id: grid}."""
    file = ROOT / posixpath.dirname(page) / f"{grids_folder(page)}.json.gz"
    return json.loads(gzip.decompress(file.read_bytes())) if file.exists() else {}


def grids_folder(page: str) -> str:
    """Where the site keeps these, one file for each, as a link from the page."""
    return f"grids/{posixpath.basename(page).removesuffix('.ipynb')}"


def widget(output: dict, grid: dict, file: str) -> str:
    """A place that `site/static/widgets.js` fills from the file. Without scripts it has the notebook's picture."""
    words = escape(output["metadata"]["image/png"]["alt"])
    picture = f'<img alt="{words}" src="data:image/png;base64,{"".join(output["data"]["image/png"]).strip()}">'
    kind, cell = "states" if "states" in grid else "words", posixpath.basename(file).removesuffix(".json")
    return f'<div class="widget" data-grid="{file}" data-kind="{kind}" data-cell="{cell}">{picture}</div>'


def lessons_table() -> str:
    """The README's table of lessons, less its column of badges: each page has its own button."""
    table = (ROOT / "README.md").read_text().partition("<!-- lessons -->")[2].partition("<!-- /lessons -->")[0]
    rows = [line.split("|") for line in table.strip().splitlines()]
    return "\n".join("|".join(row[:4] + row[5:]) for row in rows)


def on_source_read(app, name: str, content: list[str]) -> None:
    if name.startswith(("notebooks/", "labs/", "challenges/")):
        content[0] = json.dumps(as_page(json.loads(content[0]), f"{name}.ipynb"))
    else:
        content[0] = relinked(content[0].replace("<!-- lessons -->", lessons_table()), f"{name}.md")


def with_words(render):
    """myst-nb's renderer of pictures, with the words of the picture's metadata in place of a file's name."""

    def render_image(self, data):
        [node] = render(self, data)
        node["alt"] = data.output_metadata.get(data.mime_type, {}).get("alt", "")
        return [node]

    return render_image


def setup(app) -> None:
    NbElementRenderer.render_image = with_words(NbElementRenderer.render_image)
    app.connect("source-read", on_source_read)
