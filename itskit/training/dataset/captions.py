"""What pictures and sounds are called.

`CORE` and `CORE_SOUNDS` are things that one pairs; they get most of the training. The templates and
the unseen words of `held_out` never occur in a training caption.
"""

import re
from functools import cache

import inflect

from ..tables import entries, mapping, read_rows, read_sections

_table = read_sections("captions.txt")
PICTURE_TEMPLATES, ROW_TEMPLATES, SOUND_TEMPLATES = (
    tuple(_table[name]) for name in ("picture", "row", "sound")
)
PLAIN = 0.4  # of the sounds' captions come without a template
# What people say who ask for a sound of a class.
ALIASES = {kind: tuple(words.split(", ")) for kind, words in read_rows("aliases.tsv")}
CORE, CORE_SOUNDS = frozenset(entries(_table["core concepts"])), frozenset(ALIASES)
SPOKEN = mapping(_table["spoken"])
PLURAL_ALREADY = frozenset(entries(_table["plural already"]))
_inflect = inflect.engine()


def picture_caption(rng, concept: str, row: bool) -> str:
    """A caption for one drawing, or for a row of them."""
    word = SPOKEN.get(concept, concept)
    templates = ROW_TEMPLATES if row else PICTURE_TEMPLATES
    return phrase(templates[rng.integers(len(templates))], word)


def phrase(template: str, word: str) -> str:
    """Fill {one}, {a} and {many} with a noun, its article and its plural."""
    a, many = inflected(word)
    return template.format(one=word, a=a, many=many)


@cache  # asked for in every caption, and slow
def inflected(word: str) -> tuple[str, str]:
    """A noun with its article, and its plural."""
    if word in PLURAL_ALREADY:
        return word, word
    return _inflect.a(word), _inflect.plural(word)


def sound_caption(rng, record) -> str:
    """One of the clip's own captions, an alias of its class, its class name, or keywords; mostly in
    a template."""
    draw, words = rng.random(), ALIASES.get(record["class"], ())
    text = record["class"].replace("_", " ")
    if draw < (0.4 if words else 0.75):
        text = record["captions"][rng.integers(len(record["captions"]))]
        text = text.removeprefix("the sound of ").removeprefix("a recording of ")
    elif words and draw < 0.8:
        text = words[rng.integers(len(words))]
    elif draw > 0.9 and record["keywords"]:
        text = " ".join(record["keywords"][:2])
    if rng.random() < PLAIN:
        return text
    return SOUND_TEMPLATES[rng.integers(len(SOUND_TEMPLATES))].format(text)


def vocabulary() -> dict:
    """What `models/pocket/vocabulary.json` holds: all that is named, for a pair without training's
    code to know what it has learned. `pack` writes it.

    {"image" and "sound": {"things": …, "words": … that are said of them}, "phrases": words of the
    templates}
    """
    aliases = [phrase for phrases in ALIASES.values() for phrase in phrases]
    return {
        "image": {"things": sorted(SPOKEN.get(concept, concept) for concept in CORE), "words": []},
        "sound": {
            "things": sorted(kind.replace("_", " ") for kind in CORE_SOUNDS),
            "words": _words(aliases),
        },
        "phrases": _words([*PICTURE_TEMPLATES, *ROW_TEMPLATES, *SOUND_TEMPLATES]),
    }


def _words(texts) -> list[str]:
    plain = [re.sub(r"\{\w*\}", " ", text.lower()) for text in texts]
    return sorted({word for text in plain for word in re.findall(r"[a-z]+(?:'[a-z]+)?", text)})
