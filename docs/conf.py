"""What Sphinx makes the site of: ``make -C docs html``, where a warning is an error."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "site"))

import api
import benchmarks
import command_line
import docstrings
import drawings
import pages

from fastbp import __version__

project = "fastbp"
author = "The fastbp authors"
release = version = __version__
html_title = f"fastbp {release}"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "site"]
myst_enable_extensions = ["attrs_block", "deflist"]
myst_heading_anchors = 3
highlight_language = "text"  # blocks that don't say what they are: what a shell takes, and prints
smartquotes = False  # --label is an option, and no dash

autodoc_typehints = "none"  # docstrings say types in words, and what shape they have
autodoc_member_order = "bysource"
add_module_names = False
napoleon_google_docstring = False
napoleon_use_ivar = True  # attributes that are documented where they stand, too
napoleon_use_param = False
napoleon_use_rtype = False

for made in (api, benchmarks, command_line, drawings):
    made.make()


def setup(app):
    """Let the list of how-to pages name every page that lies beside it, and docstrings be read."""
    app.connect("source-read", pages.name_all)
    docstrings.connect(app)
