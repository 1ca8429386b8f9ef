"""How Sphinx makes the book; `build.py` runs it over a source that `assemble.py` lays out."""

import json
import re
import sys
from pathlib import Path

from latex2mathml.converter import convert

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

import itskit  # noqa: E402
from itskit import web  # noqa: E402

project, author, copyright = "itskit: images that sound", "The itskit authors", "the itskit authors"
version = release = itskit.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.githubpages"]
exclude_patterns, templates_path = [], []

# ---- lessons: run before, so that nothing is run here; nothing fetched by whoever reads them ----
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3
myst_update_mathjax = False
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

# ---- the reference ----
default_role = "code"  # docstrings write `name`
napoleon_google_docstring, napoleon_use_rtype = False, False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": False, "undoc-members": False}
add_module_names = False

# ---- the page ----
html_theme = "furo"
html_title = "itskit: images that sound"
html_static_path, html_css_files, html_js_files = ["static"], ["book.css"], ["book.js"]
html_show_search_summary = False  # pages on disk may not read each other
html_show_sphinx, html_copy_source, html_show_sourcelink = False, False, False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": web.PALETTE["light"]["guides"][1],
        "color-brand-content": web.PALETTE["light"]["guides"][1],
        "color-background-primary": web.PALETTE["light"]["card"],
        "color-background-secondary": web.PALETTE["light"]["well"],
    },
    "dark_css_variables": {
        "color-brand-primary": web.PALETTE["dark"]["guides"][1],
        "color-brand-content": web.PALETTE["dark"]["guides"][1],
        "color-background-primary": web.PALETTE["dark"]["page"],
        "color-background-secondary": web.PALETTE["dark"]["card"],
    },
}


def math_ml(self, node, display: str) -> None:
    """Formulas as MathML, which browsers draw by themselves: no script, no fonts to fetch."""
    self.body.append(convert(node.astext(), display=display))
    from docutils import nodes

    raise nodes.SkipNode


def as_blocks(lines) -> None:
    """Indent paragraphs in columns: two lines or more with several blanks in them."""
    start = 0
    for end in [k for k, line in enumerate(lines) if not line.strip()] + [len(lines)]:
        paragraph = lines[start:end]
        if sum(bool(re.match(r"[\w, ]+\w {2,}\S", line)) for line in paragraph) > 1:
            lines[start:end] = [f"    {line}" for line in paragraph]
        start = end + 1


def code_in_docstring(app, what, name, obj, options, lines) -> None:
    """What is indented before the first section of a docstring is code, and so is a table of words
    and what they mean; a bar is a bar."""
    lines[:] = [line if "`" in line else line.replace("|", r"\|") for line in lines]
    as_blocks(lines)
    underline = re.compile(r"^-{3,}$")
    end = next((k - 1 for k, line in enumerate(lines) if underline.match(line)), len(lines))
    for k in range(end - 1, 0, -1):
        begins = lines[k].startswith("    ") and not lines[k - 1].strip()
        before = next((line for line in reversed(lines[:k]) if line.strip()), "")
        if begins and before and not before.startswith(" "):
            lines[k:k] = ["::", ""]


def setup(app) -> None:
    app.add_html_math_renderer(
        "mathml",
        (lambda self, node: math_ml(self, node, "inline"), None),
        (lambda self, node: math_ml(self, node, "block"), None),
    )
    app.config.html_math_renderer = "mathml"
    app.connect("autodoc-process-docstring", code_in_docstring, priority=400)
    app.connect("html-page-context", living_questions)


def living_questions(app, pagename, templatename, context, doctree) -> None:
    """Pages with questions get the widget's own script, and what answers it without a kernel."""
    if "its-book-predict" in context.get("body", ""):
        script = web.script("predict.js") + (HERE / "predict_in_book.js").read_text("utf-8")
        style = json.dumps(web.style("predict.js")).replace("</", "<\\/")
        app.add_js_file(None, body=f"const STYLE = {style};\n{script}", type="module")
