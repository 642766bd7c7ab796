"""Slides of the lessons, from the committed notebooks and nothing else: `make slides`, or `make slides LESSON=03`.

They lie in build/slides and need no network: a page of reveal.js for each lesson. A heading begins a slide; a picture,
a table or a verdict has one of its own; each prediction is a stop. Other prose is in the speaker's notes (key S).
"""

import argparse
import posixpath
import re
import shutil
import sys
from html import escape
from importlib.metadata import distribution
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from pages import REPOSITORY, ROOT

SLIDES = ROOT / "build" / "slides"
LESSONS = ROOT / "notebooks"
SECTION = re.compile(r"^(?=#{1,3} )", re.MULTILINE)
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")  # a relative one
FURTHER = "## Further"  # to read at home


def question(cell: NotebookNode) -> str:
    """What a cell asks the learner to foretell, in the words of its picture; "" if it asks nothing."""
    pictures = [output.data for output in cell.outputs if "image/png" in output.get("data", {})]
    return pictures[-1]["text/plain"] if pictures and "widgets.ask(" in cell.source else ""


def shown(outputs: list[NotebookNode]) -> list[str]:
    """A cell's pictures, tables and verdicts as HTML, each picture with its words. Printed lines are left out."""
    found = []
    for output in outputs:
        data = output.get("data", {})
        if png := data.get("image/png"):
            about = output.metadata.get("image/png", {})
            words = escape(about.get("alt", ""), quote=True)
            found.append(f'<img alt="{words}" width="{about.get("width", "")}" src="data:image/png;base64,{png}">')
        elif html := re.sub(r"<!--.*?-->", "", data.get("text/html", ""), flags=re.DOTALL).strip():
            found.append(html)
    return found


def cuts(notebook: NotebookNode) -> list[NotebookNode]:
    """The slides of a lesson, as cells that nbconvert's reveal.js understands; between them the speaker's notes."""
    cells = []

    def add(cell: NotebookNode, kind: str) -> None:
        cell.metadata["slideshow"] = {"slide_type": kind}
        cells.append(cell)

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = LINK.sub(lambda found: f"]({address(found[1])})", cell.source)
            for part in filter(str.strip, SECTION.split(text)):
                is_slide = part.startswith("#") and not part.startswith(FURTHER)
                add(new_markdown_cell(part), "slide" if is_slide else "notes")
        elif text := question(cell):
            stop = f'<div class="stop"><h2>{escape(text)}</h2><p>Write down your guess, then go on.</p></div>'
            add(new_markdown_cell(stop), "slide")
        else:
            for html in shown(cell.outputs):
                output = new_output("display_data", {"text/html": html})
                add(new_code_cell("", outputs=[output]), "slide")
    return cells


def address(link: str) -> str:
    """Where a lesson's relative link leads from anywhere: the file as the code host shows it."""
    return f"{REPOSITORY}/blob/main/{posixpath.normpath(f'notebooks/{link}')}"


def slides(stem: str, to: Path) -> Path:
    """Write a lesson's slides into folder `to`, where `beside` has put reveal.js. Returns the page."""
    notebook = nbformat.read(LESSONS / f"{stem}.ipynb", as_version=4)
    title = SECTION.split(notebook.cells[0].source)[1].partition("\n")[0].strip("# ")
    notebook.cells = cuts(notebook)
    notebook.metadata["title"] = title
    exporter = SlidesExporter(
        template_name="slides",
        extra_template_basedirs=[str(Path(__file__).with_name("templates"))],
        exclude_input=True,
        exclude_output_prompt=True,
        reveal_url_prefix="reveal",
        reveal_theme="course",
    )
    page, _ = exporter.from_notebook_node(notebook)
    (to / f"{stem}.html").write_text(page, encoding="utf-8")
    return to / f"{stem}.html"


def beside(to: Path) -> None:
    """What the pages need beside them: reveal.js as it lies in `site/slides`, and the site's MathJax."""
    shutil.copytree(ROOT / "site" / "slides", to, dirs_exist_ok=True)
    mathjax = distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax/tex-svg.js")
    shutil.copy(mathjax, to)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("lessons", nargs="*", help="03, or 03_adversarial_training; all, if none is named")
    parser.add_argument("--to", type=Path, default=SLIDES)
    given = parser.parse_args()
    stems = [file.stem for file in sorted(LESSONS.glob("*.ipynb"))]
    wanted = [stem for stem in stems if not given.lessons or {stem, stem.partition("_")[0]} & set(given.lessons)]
    if len(wanted) < len(given.lessons):
        sys.exit(f"no lesson is called {' or '.join(given.lessons)}: choose of {', '.join(stems)}")
    beside(given.to)
    for stem in wanted:
        print(slides(stem, given.to))


if __name__ == "__main__":
    main()
