"""A font for whatever script a person wrote a prompt in.

Pillow draws an empty box for what a font lacks and names no other font; matplotlib's finder goes by
a font's name. Which signs a font file has, matplotlib's FreeType says.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from unicodedata import category

from PIL import ImageFont


def legible(text: str, size: int) -> tuple[str, ImageFont.ImageFont]:
    """`text` as it can be written at `size` pixels, and the font to write it in: DejaVu Sans, or,
    where that lacks a sign, the font of this computer that has the most of them.

    Signs that it lacks become "�", and a warning names them.
    """
    face, missing = _choose(frozenset(text), size)
    if not missing:
        return text, face
    lost = "".join(dict.fromkeys(sign for sign in text if sign in missing))
    warnings.warn(
        f"no font of this computer has {lost}: the caption of {text[:60]!r} shows � instead. "
        "Install a font of that script, such as one of the Noto family",
        stacklevel=2,
    )
    return "".join("�" if sign in missing else sign for sign in text), face


@cache
def _choose(signs: frozenset[str], size: int) -> tuple[ImageFont.ImageFont, frozenset[str]]:
    """The font that lacks the fewest of the signs, and those that it lacks."""
    usual = _usual()
    lacks = {usual: _missing(usual, signs)}
    if lacks[usual]:
        for path in _others():
            lacks[path] = _missing(path, signs)
    # Sorting is stable: the usual one where none is better.
    for path in sorted(lacks, key=lambda path: len(lacks[path])):
        try:
            return ImageFont.truetype(path, size), lacks[path]
        except OSError:  # pictures of one size, as those of colour emoji
            continue
    return ImageFont.load_default(size), frozenset()


def font(size: int) -> ImageFont.ImageFont:
    """DejaVu Sans at `size` pixels."""
    return _choose(frozenset(), size)[0]


def _usual() -> str:
    """The file of DejaVu Sans, which comes with matplotlib and covers most alphabets."""
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def _others() -> list[str]:
    """The computer's own fonts, upright and of plain weight first."""
    from matplotlib.font_manager import findSystemFonts

    special = ("bold", "italic", "oblique", "black", "thin", "light")
    return sorted(findSystemFonts(), key=lambda p: (any(s in p.lower() for s in special), p))


def _missing(path: str, signs: frozenset[str]) -> frozenset[str]:
    """The signs that a font file has no glyph for. What takes no place on paper needs none."""
    from matplotlib.ft2font import FT2Font

    try:
        glyphs = FT2Font(path).get_charmap()
    except (OSError, RuntimeError):  # no font, or a damaged one
        return signs
    return frozenset(s for s in signs if ord(s) not in glyphs and category(s)[0] not in "CZ")
