"""What a drawing's name means: names of files and emoji → concept, category and how sure.

`tables/lexicon.txt` lists what can be drawn and other words for it; `tables/words.txt` the words
that qualify, that mislead and that say too little.
"""

import re
import unicodedata

from ..tables import entries, read_sections

INTERFACE_NATURE = {"weather", "landscape", "plant", "space"}  # two of these in one icon: a scene
_PREPOSITIONS = r"\b(?:with|in|on|of|behind|under|for|from|at|over)\b"
_MAP_WORDS = r"\brpg map elements?\b|\bmap (elements?|symbols?)\b|\b(menu )?examples?\b"


def norm(text: str) -> str:
    """Lower-case ASCII words, single spaces."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", " ", ascii_text.lower()).strip()


def clean(name: str) -> str:
    """A file's name without separators and counters."""
    words = re.sub(r"\b0?\d{1,2}\b", " ", re.sub(r"[_\-]+", " ", name))
    return re.sub(r"\s+", " ", words).strip().lower()


def _pairs(lines: list[str]) -> dict[str, str]:
    return dict(entry.split("=") for entry in entries(lines))


def _read_lexicon():
    """(phrase → concept, concept → category)."""
    phrases, categories = {}, {}
    for category, lines in read_sections("lexicon.txt").items():
        for line in lines:
            concept, _, others = line.partition("=")
            concept = norm(concept)
            categories[concept] = category
            for phrase in [concept, *filter(None, map(norm, others.split("|")))]:
                phrases.setdefault(phrase, concept)
    return phrases, categories


_words = read_sections("words.txt")
PHRASES, CATEGORY = _read_lexicon()
PHRASES.update(_pairs(_words["bare words"]))
WHOLE_NAMES, ITALIAN = _pairs(_words["whole names"]), _pairs(_words["italian"])
GENERIC, QUALIFIERS = set(entries(_words["generic"])), set(entries(_words["qualifiers"]))
AMBIGUOUS, VAGUE = set(entries(_words["ambiguous"])), set(entries(_words["vague keywords"]))
SUBGROUPS_LEFT_OUT = set(map(int, entries(_words["emoji subgroups left out"])))
SUBGROUP_CATEGORY = {int(k): c for k, c in _pairs(_words["emoji subgroups"]).items()}
SOUNDING_CATEGORIES = set(entries(_words["sounding categories"]))
SOUNDING_CONCEPTS = set(entries(_words["sounding concepts"]))
LONGEST = max(len(phrase.split()) for phrase in PHRASES)


def find(text: str) -> list[tuple[str, str]]:
    """All (phrase, concept) in a text, the longest phrase first at each place."""
    words, start, found = norm(text).split(), 0, []
    while start < len(words):
        for length in range(min(LONGEST, len(words) - start), 0, -1):
            phrase = " ".join(words[start : start + length])
            if phrase in PHRASES:
                found.append((phrase, PHRASES[phrase]))
                start += length
                break
        else:
            start += 1
    return found


def concept_of(name: str) -> str | None:
    """The thing that a name names: its last specific concept before any preposition."""
    text = re.sub(_MAP_WORDS, " ", norm(name)).strip()
    if text in PHRASES or text in WHOLE_NAMES:
        return PHRASES.get(text) or WHOLE_NAMES[text]
    head = re.split(_PREPOSITIONS, text)[0]
    concepts = [c for _, c in find(head)] or [c for _, c in find(text)]
    specific = [c for c in concepts if c not in GENERIC]
    return (specific or concepts or [None])[-1]


def match_kind(name: str, concept: str) -> str:
    """exact: the name is the thing; qualified: all other words are known; loose: some are not."""
    text = norm(name)
    if concept not in CATEGORY:
        return "unlisted"
    if PHRASES.get(text) == concept or text == concept or text in WHOLE_NAMES:
        return "exact"
    return "qualified" if _only_qualifiers(text, find(text)) else "loose"


def is_interface_picture(name: str) -> bool:
    """Whether a user-interface icon shows a thing: all its words are things or qualifiers."""
    text, found = norm(name), find(name)
    concepts = {concept for _, concept in found}
    if not found or len(concepts) > 2 or text in AMBIGUOUS:
        return False
    if len(concepts) == 2 and not all(CATEGORY[c] in INTERFACE_NATURE for c in concepts):
        return False
    if any(phrase in AMBIGUOUS for phrase, _ in found):
        return False
    return _only_qualifiers(text, found)


def is_sounding(concept: str, category: str) -> bool:
    """Whether one pairs the thing with a sound."""
    return category in SOUNDING_CATEGORIES or concept in SOUNDING_CONCEPTS


def _only_qualifiers(text: str, found) -> bool:
    rest = f" {text} "
    for phrase, _ in found:
        rest = rest.replace(f" {phrase} ", "  ", 1)
    return all(word in QUALIFIERS or word.isdigit() for word in rest.split())
