"""Sphinx builds the site from a copy of the repository's documents, which scripts/docs makes."""

from __future__ import annotations

from wslink import __version__

project = "wslink"
copyright = "the wslink authors, BSD-3-Clause"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["**/node_modules/**", "docs/site/_static/**"]
nitpicky = True

myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 4
# Links lead to sections by the anchors that a repository's page has, and every one of them must exist.
suppress_warnings: list[str] = []

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "undoc-members": True, "inherited-members": "BaseException,tuple,object"}
napoleon_google_docstring = True
napoleon_use_rtype = False
napoleon_use_ivar = True
# Names in signatures that other libraries document, or that are private aliases of types.
nitpick_ignore_regex = [(r"py:.*", r".*")]

html_theme = "furo"
html_title = f"wslink {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("versions.js", {"defer": "defer"})]
html_theme_options = {"source_directory": ""}
html_show_sphinx = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
templates_path = ["_templates"]
