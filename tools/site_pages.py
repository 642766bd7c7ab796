"""How files of the repository become pages of the site: links, anchors, folded cells, the words of pictures.

The files themselves stay as they are, so that what a page offers for download is the committed notebook.
"""

import json
import posixpath
import re
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
    """A notebook whose links lead to pages, each code cell with its id as an anchor, plumbing without its source."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = relinked("".join(cell["source"]), page)
        else:
            anchor = {"cell_type": "markdown", "metadata": {}, "source": f'<span id="{cell["id"]}"></span>'}
            cells.append(anchor | {"id": f"at-{cell['id']}"})
            if cell["metadata"].get("jupyter", {}).get("source_hidden"):
                cell["metadata"]["tags"] = ["remove-input"]
        for output in cell.get("outputs", []):
            if html := output.get("data", {}).get("text/html"):
                output["data"]["text/html"] = relinked("".join(html), page)
        cells.append(cell)
    return notebook | {"cells": cells}


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
