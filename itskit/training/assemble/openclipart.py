"""What the drawings of Open Clip Art show: their titles, file names and keywords disagree.

Titles were shuffled for some files, so one is believed only if it shares a word with the file
name or the keywords. Only drawings whose own metadata say "public domain" are read.
"""

import os
import re
from dataclasses import dataclass

from .lexicon import CATEGORY, GENERIC, ITALIAN, VAGUE, clean, concept_of, norm

FOLDERS_LEFT_OUT = re.compile(
    r"shapes|logos|buttons|special/(patterns|gradients)|unsorted/duplicates|"
    r"computer/(icons|folders|network|buttons|connectors|diagrams)|"
    r"signs_and_symbols/(flags|led|hazard|disability|money|awards)|"
    r"transportation/(roadsigns|aiga)|recreation/games/cards|geography/.*flag|people/smilies"
)
NAMELESS_LEFT_OUT = (
    "computer", "tools", "office", "unsorted", "signs_and_symbols", "decorations", "special",
    "education", "electronics", "geography",
)  # fmt: skip
FOLDER_CATEGORY = (
    ("animals/mammals", "animal"), ("animals/birds", "bird"), ("animals/bugs", "insect"),
    ("animals/fish", "sea"), ("animals", "animal"), ("buildings", "building"),
    ("plants", "plant"), ("food", "food"), ("transportation", "vehicle"),
    ("recreation/music", "music"), ("recreation/sports", "sport"), ("people", "person"),
    ("geography", "landscape"), ("signs_and_symbols/weather", "weather"),
    ("science/astronomy", "space"),
)  # fmt: skip
NOT_FOR_EVERYONE = re.compile(
    r"\b(road signs?|ukrainian map|nude|naked|sexy?|erotic|porn|nazi|swastika|hitler|playboy|"
    r"drugs?|cannabis|marijuana|cigarette|smoking|blueman|buddy\d*)",
    re.IGNORECASE,
)
NO_TITLE = re.compile(
    r"clipart by|part of|theme|aiga|simple arrows|gramastar|collection|symbol signs|connectors|"
    r"^card$|template|\.svg"
)


@dataclass(frozen=True)
class Entry:
    file: str
    name: str
    concept: str
    category: str
    keywords: list[str]
    author: str


def entries(root):
    """All usable drawings below a folder, in the order of their paths."""
    for folder, folders, files in sorted(os.walk(root)):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(folder, file)
            relative = os.path.relpath(path, root).replace(os.sep, "/")
            if file.endswith(".svg") and not FOLDERS_LEFT_OUT.match(relative):
                with open(path, encoding="utf-8", errors="replace") as text:
                    entry = read_entry(relative, text.read())
                if entry:
                    yield entry


def read_entry(file: str, svg: str) -> Entry | None:
    """What one drawing shows, or None if that is unclear or not free."""
    licences = re.findall(r'cc:license[^>]*rdf:resource="([^"]+)"', svg)
    if not licences or any("public" not in licence.lower() for licence in licences):
        return None
    author = _author(svg)
    keywords = _keywords(svg)
    stem, title = _stem(file, author), _title(svg)
    for italian, english in ITALIAN.items():
        stem = re.sub(rf"\b{italian}\d*\b", english, stem)
        title = re.sub(rf"\b{italian}\d*\b", english, title)
    title = _believed(title, stem, keywords).split(" - ")[0]
    concept, name = _meaning(title, stem, keywords)
    if NOT_FOR_EVERYONE.search(f"{name} {' '.join(keywords)} {file}"):
        return None
    if concept is None and file.startswith(NAMELESS_LEFT_OUT):
        return None
    folder = next((c for start, c in FOLDER_CATEGORY if file.startswith(start)), "object")
    category = CATEGORY.get(concept) or folder
    return Entry(file, name, concept or norm(name), category, keywords, author)


def _author(svg):
    found = re.search(r"<dc:creator>.*?<dc:title>\s*(.*?)\s*</dc:title>", svg, re.S)
    return re.sub(r"<[^>]+>|\s+", " ", found.group(1)).strip() if found else ""


def _title(svg):
    found = re.search(r"<dc:title>\s*(.*?)\s*</dc:title>", svg, re.S)
    title = clean(found.group(1)) if found else ""
    return "" if NO_TITLE.search(title) else title


def _stem(file, author):
    """The file's name without the parts of its author's name."""
    names = set(norm(author).split())
    return " ".join(
        word
        for word in clean(file.rsplit("/", 1)[-1][:-4]).split()
        if word not in names
        and not any(len(word) > 2 and name.startswith(word) for name in names)
        and word not in ("st", "r", "ganson", "bw")
    )


def _keywords(svg):
    found = [norm(word) for word in re.findall(r"<rdf:li>\s*(.*?)\s*</rdf:li>", svg, re.S)]
    useful = (w for w in found if w and not w.startswith("hash") and len(w) < 30)
    return list(dict.fromkeys(w for w in useful if w not in ("theme", "icon")))


def _believed(title, stem, keywords):
    known = [w for w in norm(stem).split() + norm(" ".join(keywords)).split() if len(w) > 2]
    own = [w for w in norm(title).split() if len(w) > 2]
    return title if any(a[:4] == b[:4] for a in own for b in known) else ""


def _meaning(title, stem, keywords):
    """(concept or None, name): a specific word in title or file name, else in the keywords."""
    of_title, of_stem = concept_of(title) if title else None, concept_of(stem)
    both = [c for c in (of_title, of_stem) if c and c not in GENERIC]
    concept = both[0] if both else of_title or of_stem
    if concept is None or concept in GENERIC:
        tagged = [concept_of(word) for word in keywords if word not in VAGUE]
        tagged = [c for c in tagged if c and c != "map"]
        fitting = (
            c
            for c in tagged
            if c not in GENERIC and (concept is None or CATEGORY[c] == CATEGORY[concept])
        )
        concept = next(fitting, concept or (tagged[0] if tagged else None))
    if of_title and of_title == concept:
        name = title
    elif of_stem and of_stem == concept:
        name = stem
    else:
        name = title or stem
    return concept, _completed(name, concept)


def _completed(name, concept):
    """A name that says nothing of its concept gets it added, or replaced by it."""
    if concept and concept != concept_of(name):
        vague = len(name) <= 2 or re.search(r"clip|icon|image", name)
        name = concept if vague else f"{name} {concept}"
    name = re.sub(r"\brpg map elements?\b|\b(bw|b and w|clip ?art)\b", " ", name)
    return re.sub(r"\s+", " ", name).strip()
