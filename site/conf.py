"""Settings of Sphinx. tools/build_site.py copies this file into the folder that it puts together, and builds that."""

import sys
from pathlib import Path

from kdcourse import __version__

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "kdcourse"
author = "The kdcourse authors"
copyright = author
release = version = __version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "course_site"]
exclude_patterns = ["_templates", "_extensions", "_static", ".doctrees"]
templates_path = ["_templates"]
nitpicky = False

# Notebooks are shown as they were executed. Their widgets are scripts of this site, not ipywidgets from elsewhere.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # a section of the README may begin below a skipped level

html_theme = "sphinx_book_theme"
html_title = "kdcourse"
html_short_title = "kdcourse"
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system has it
html_sidebars = {"**": ["course-logo.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_static_path = ["_static"]
html_css_files = ["icons.css", "course.css", "kdcourse/quiz.css", "kdcourse/explorer.css"]
html_js_files = [("course.js", {"type": "module"})]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it would fetch every page that was found, lessons too
html_use_index = False
html_domain_indices = False
html_theme_options = {
    "navbar_persistent": [],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "collapse_navbar": True,
    "toc_title": "On this page",
    "navigation_with_keys": False,
    "back_to_top_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_content_items": ["course-footer.html"],
}

autodoc_member_order = "bysource"
default_role = "literal"  # in a docstring `x` is code, as in Markdown
napoleon_google_docstring = False
napoleon_use_param = False  # or every word of a type would become a link, [n] among them
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
python_use_unqualified_type_names = True
