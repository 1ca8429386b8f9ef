"""Lay the book's source out for Sphinx: lessons, guides, gallery, and pages of the reference."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from pathlib import Path

import nbformat
from execute import ROOT, executed
from stills import Stills

HERE = Path(__file__).parent
REPOSITORY = "https://github.com/itskit/itskit"
RAW = re.compile(
    r"https://(?:raw\.githubusercontent\.com/itskit/itskit|github\.com/itskit/itskit/raw)/main/"
)
BADGE = re.compile(r"\[!\[([^\]]+)\]\([^)]+\)\]\(([^)]+)\)")
PLAYABLE = re.compile(r"\[([^\]]+)\]\(([^)]+\.mp3)\)")
LINK = re.compile(r"(?<=\]\()([^)#\s]+)(#[^)]*)?(?=\))")


def lessons(only: str = "*") -> list[Path]:
    """The lessons, in their order; `only` is a pattern for their names."""
    return sorted((ROOT / "notebooks").glob(f"{only}.ipynb"))


def guides() -> list[Path]:
    """The pages that are for reading, without a kernel."""
    return sorted((ROOT / "docs").glob("*.md"))


def assemble(
    source: Path, extra: Path, cache: Path, chosen: list[Path], live: Path | None = None
) -> None:
    """Write all that the book is made of.

    Parameters
    ----------
    source : Path
        Of Sphinx; what was there before is removed.
    extra : Path
        Files that are copied beside the finished pages.
    cache : Path
        Where what the lessons showed is kept.
    chosen : list of Path
        The lessons.
    live : Path, optional
        Where the live page is, if it was made; the book takes it along if it is up to date.
    """
    for folder in (source, extra):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    pages = {f"notebooks/{path.name}" for path in chosen} | {f"docs/{p.name}" for p in guides()}
    stills = Stills(extra / "notebooks" / "media")
    (source / "notebooks").mkdir()
    for path in chosen:
        lesson = stills.notebook(executed(path, cache))
        for cell in lesson.cells:
            if cell.cell_type == "markdown":
                cell.source = in_book(cell.source, ROOT / "notebooks" / path.name, pages)
        nbformat.write(lesson, source / "notebooks" / path.name)
    (source / "docs").mkdir()
    for path in guides():
        text = in_book(path.read_text(encoding="utf-8"), path, pages)
        (source / "docs" / path.name).write_text(text, encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    changes = in_book(changes, ROOT / "CHANGELOG.md", pages)
    (source / "changelog.md").write_text(changes, encoding="utf-8")
    (source / "gallery.md").write_text(gallery(extra / "gallery"), encoding="utf-8")
    for picture in (extra / "gallery").glob("*/picture.png"):  # those that lessons show
        (source / "gallery" / picture.parent.name).mkdir(parents=True)
        shutil.copy(picture, source / "gallery" / picture.parent.name)
    shutil.copy(ROOT / "docs" / "scrubber.gif", source)
    contents(source, chosen, reference(source / "api"), has_live(live, extra))


def has_live(live: Path | None, extra: Path) -> bool:
    """Whether the live page is there and up to date; then it is copied to `extra`."""
    from itskit.live import is_current

    if live is None or not is_current(live):
        return False
    shutil.copytree(live, extra / "live")
    return True


LIVE = {
    True: '<a href="live/index.html">Compose in your browser</a>: the live page makes pictures and '
    "sounds of your own words, where this book lies on a web server.",
    False: "`itskit live` composes in your browser ([more](docs/live.md)).",
}


def contents(source: Path, chosen: list[Path], names: list[str], is_live: bool = False) -> None:
    """Write the first page, which lists all others; `names` are the pages of the reference,
    `is_live` says whether the live page is in the book."""
    index = (HERE / "index.txt").read_text(encoding="utf-8")
    listed = {"lessons": "\n".join(map(entry, chosen)), "reference": "\n".join(names)}
    listed["live"] = LIVE[is_live]
    listed["guides"] = "\n".join(f"docs/{p.stem}" for p in guides() if p.stem not in PLACED)
    for name, lines in listed.items():
        index = index.replace(f"@{name}@", lines)
    (source / "index.md").write_text(index, encoding="utf-8")


PLACED = ("teaching", "worksheets")  # these pages have a place of their own in the contents


def entry(path: Path) -> str:
    """A lesson in the contents: "00 Start <notebooks/00_start>"."""
    title = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].lstrip("# ")
    return f"{path.stem[:2]} {title.split(':')[0]} <notebooks/{path.stem}>"


# ---- prose ---------------------------------------------------------------------------------------


def in_book(text: str, path: Path, pages: set[str]) -> str:
    """Markdown of a file of the repository, as a page of the book: badges are links, files of the
    repository that are no pages are looked up in it, and sounds play where they are linked."""
    to_root = os.path.relpath(ROOT, path.parent)
    text = BADGE.sub(r"[\1](\2)", text)
    text = re.sub(r"\)\n\[Open in Binder\]", ") · [Open in Binder]", text)
    text = RAW.sub(f"{to_root}/", text)
    text = text.replace(f"({REPOSITORY}/tree/main/gallery)", f"({to_root}/gallery.md)")
    sounds = PLAYABLE.findall(text) if path.suffix == ".ipynb" else []  # elsewhere a link is enough
    players = [f'<audio controls preload="none" src="{at}"></audio>' for _, at in sounds]
    text = PLAYABLE.sub(r'<a href="\2">\1</a>', text)
    return "\n\n".join([LINK.sub(lambda found: address(found, path, pages), text), *players])


def address(found: re.Match, path: Path, pages: set[str]) -> str:
    """Where a link leads in the book."""
    link, part = found[1], found[2] or ""
    if "://" in link or link.startswith(("mailto:", "data:")):
        return link + part
    there = os.path.relpath(path.parent / link, ROOT).replace(os.sep, "/")
    if there in ("gallery/README.md", "gallery"):
        there = "gallery.md"
    if there == "README.md":
        there = "index.md"
    if there == "CHANGELOG.md":
        there = "changelog.md"
    is_page = there in pages | {"index.md", "gallery.md", "changelog.md"}
    if is_page or not (ROOT / there).exists():
        return os.path.relpath(ROOT / there, path.parent).replace(os.sep, "/") + part
    if re.match(r"gallery/.*\.(png|mp3|html)$", there) or there.startswith("docs/"):
        return link + part
    kind = "tree" if (ROOT / there).is_dir() else "blob"
    return f"{REPOSITORY}/{kind}/main/{there}{part}"


# ---- the gallery ---------------------------------------------------------------------------------

CARD = """<li class="its-card" id="{name}">
<h3>{title}</h3>
<a href="gallery/{name}/{page}"><img src="gallery/{name}/{picture}"
width="{width}" height="{height}"
alt="A picture made from the words “{image}” and “{sound}”." loading="lazy"></a>
<p>See <em>{image}</em>, hear <em>{sound}</em>.</p>
<audio controls preload="none" src="gallery/{name}/{track}" aria-label="{sound}"></audio>
<p class="its-note">{remark} <span>{seed}.</span> <a href="gallery/{name}/{page}">{look}</a></p>
</li>"""


def gallery(extra: Path) -> str:
    """The gallery's page, as Markdown; its files are copied to `extra`."""
    with on_path(ROOT / "gallery"):
        index, make = import_module("_index"), import_module("_make")
        choices = import_module("choose").read()
        made = [(m, make.recipe_in(ROOT / "gallery" / m.__name__)) for m in make.entries()]
    cards = {True: [], False: []}
    for module, recipe in made:
        if recipe is not None:
            facts = {k: escape(str(v)) for k, v in index.facts(module, recipe, choices).items()}
            cards[bool(module.entry.failure)].append(CARD.format(**facts))
            shutil.copytree(ROOT / "gallery" / module.__name__, extra / module.__name__)
    text = (HERE / "gallery.txt").read_text(encoding="utf-8")
    for name, which in (("pairings", False), ("failures", True)):
        listed = "\n".join(cards[which])
        text = text.replace(f"@{name}@", f'<ul class="its-gallery">\n{listed}\n</ul>')
    return text


@contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """Modules of a folder can be imported by their bare names."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


# ---- the reference -------------------------------------------------------------------------------


def reference(folder: Path) -> list[str]:
    """Write a page for the names behind the door, and one for each namespace; returns them."""
    import itskit

    folder.mkdir()
    top = [name for name in itskit.__all__ if name not in itskit._NAMESPACES]
    lines = [heading("The names a notebook types"), *(directive(itskit, name) for name in top)]
    (folder / "itskit.rst").write_text("\n".join(lines), encoding="utf-8")
    spaces = [name for name in itskit.__all__ if name in itskit._NAMESPACES]
    for space in spaces:
        module = getattr(itskit, space)
        lines = [heading(f"itskit.{space}"), f".. automodule:: itskit.{space}\n   :no-members:\n"]
        lines += [directive(module, name) for name in public(module)]
        (folder / f"{space}.rst").write_text("\n".join(lines), encoding="utf-8")
    return [f"api/{name}" for name in ["itskit", *spaces]]


def heading(words: str) -> str:
    return f"{words}\n{'=' * len(words)}\n"


def public(module) -> list[str]:
    """What a module offers: what it says itself, else what is defined in it."""
    said = getattr(module, "__all__", None)
    own = [n for n, v in vars(module).items() if is_own(module, v) and not n.startswith("_")]
    return list(own if said is None else said)


def is_own(module, value) -> bool:
    is_code = inspect.isfunction(value) or inspect.isclass(value)
    return is_code and value.__module__ == module.__name__


def directive(module, name: str) -> str:
    """A name as autodoc's directive."""
    value = getattr(module, name)
    full = f"{module.__name__}.{name}"
    if inspect.isclass(value):
        return f".. autoclass:: {full}\n   :members:\n"
    is_function = inspect.isfunction(value)
    return f".. autofunction:: {full}\n" if is_function else f".. py:data:: {full}\n"
