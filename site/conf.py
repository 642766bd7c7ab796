"""Sphinx's configuration of the site. `tools/site.py` runs Sphinx, and `tools/site_pages.py` turns files into pages."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import site_pages  # noqa: E402

project = "Measured Defense"
author = "The authors of Measured Defense"
html_title = project
extensions = ["myst_nb", "sphinx-mathjax-offline"]
include_patterns = [
    "index.md",
    "findings/index.md",
    "notebooks/*.ipynb",
    "labs/*.ipynb",
    "TEACHING.md",
    "CONTRIBUTING.md",
]

nb_execution_mode = "off"  # the pages show the committed outputs
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
myst_all_links_external = True  # they are rewritten in site_pages; a test follows each of them

html_theme = "sphinx_book_theme"
html_static_path = [str(ROOT / "site" / "static")]
html_css_files = ["course.css"]
html_theme_options = {
    "repository_url": site_pages.REPOSITORY,
    "repository_branch": "main",
    "use_repository_button": True,
    "use_download_button": True,
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
}
html_copy_source = True
html_show_sphinx = False
html_last_updated_fmt = None


def setup(app):
    site_pages.setup(app)
