"""The words that the evaluation asks for. Training never sees these templates or synonyms.

A pair is (picture concept, sound class, the sound's words). The pictures and the sounds of a split
are also asked for alone, and are the candidates among which a result is named.
"""

from ..tables import between_bars, mapping, read_sections
from .captions import phrase

TEMPLATES = {  # split: (picture, sound); unlike any in tables/captions.txt
    "validation": ("an ink stamp of {a}", "one hears {}"),
    "test": ("a charcoal print of {a}", "you can hear {}"),
}
_table = read_sections("held_out.txt")
PAIRS, VALIDATION_PAIRS = (
    tuple(tuple(between_bars(line)) for line in _table[name]) for name in ("test", "validation")
)
# Words that occur in no training caption, and what they should look or sound like.
UNSEEN_PICTURES = mapping(_table["unseen pictures"])
UNSEEN_SOUNDS = mapping(_table["unseen sounds"])
# (concept, class) of both splits: no composite of these is ever trained on.
HELD_OUT = frozenset((concept, kind) for concept, kind, _ in PAIRS + VALIDATION_PAIRS)


def pairs(split: str):
    return PAIRS if split == "test" else VALIDATION_PAIRS


def picture_prompt(concept: str, split: str) -> str:
    return phrase(TEMPLATES[split][0], concept)


def sound_prompt(words: str, split: str) -> str:
    return TEMPLATES[split][1].format(words)
