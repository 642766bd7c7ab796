"""Sphinx's configuration. `tools/site_build.py` runs Sphinx, and `tools/site_pages.py` turns files into pages."""

from pages import REPOSITORY, ROOT

project = "Measured Defense"
author = "The authors of Measured Defense"
html_title = project
extensions = ["myst_nb", "sphinx-mathjax-offline", "site_pages"]

nb_execution_mode = "off"  # the pages show the committed outputs
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
myst_all_links_external = True  # they are rewritten in site_pages; a test follows each of them

html_theme = "sphinx_book_theme"
html_static_path = [str(ROOT / "site" / "static")]
html_css_files = ["course.css"]
html_js_files = ["widgets.js"]
html_theme_options = {
    "repository_url": REPOSITORY,
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
html_show_sphinx = False
