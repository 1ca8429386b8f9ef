"""Names and keywords of emoji, from the packages emojibase-data and emojilib."""

import json
import re

from .lexicon import CATEGORY, SUBGROUP_CATEGORY, SUBGROUPS_LEFT_OUT, concept_of, norm

GROUPS_LEFT_OUT = (2, 8, 9, None)  # skin tones and hair, symbols, flags
FACES_AND_PEOPLE = range(0, 11)  # subgroups of which only those that show a thing are kept
SIGN = re.compile(
    r"with slash|middle finger|underage|muted|no one under| suit$|speech|thought balloon|mahjong|"
    r"hair pick|with decorative cover|with pen$|motorized|white cane|: facing right|with arrow|"
    r"raised flag|lowered flag|keycap|: .*(hair|bald)"
)
HOUR = re.compile(r"o.clock|thirty$")
HOURS_KEPT = ("1F550", "1F554", "1F558")
VARIANT = re.compile(r"1F3F[B-F]|200D-(2640|2642)")  # skin tones, men's and women's forms


def key_of(code: str) -> str:
    """A code-point sequence (`1F431` or `2764-fe0f`) without variation selectors."""
    return re.sub(r"-?fe0f", "", code.lower()).strip("-")


class EmojiNames:
    """Each emoji's label, keywords and place among Unicode's groups.

    `by_code` gives None for skin tones. `keywords` of a concept serve drawings from elsewhere.
    """

    def __init__(self, data_file, keywords_file):
        more = json.loads(keywords_file.read_text(encoding="utf-8"))
        self.by_code, self.by_label, self.keywords = {}, {}, {}
        for entry in json.loads(data_file.read_text(encoding="utf-8")):
            plain = entry["emoji"].replace("\ufe0f", "")
            others = more.get(entry["emoji"], more.get(plain, []))
            tags = [*entry.get("tags", []), *(word.replace("_", " ") for word in others)]
            emoji = {
                "code": entry["hexcode"],
                "label": entry["label"],
                "tags": list(dict.fromkeys(tags)),
                "group": entry.get("group"),
                "subgroup": entry.get("subgroup"),
            }
            self.by_code[key_of(entry["hexcode"])] = emoji
            self.by_label.setdefault(norm(entry["label"]), emoji)
            for skin in entry.get("skins", []):
                self.by_code[key_of(skin["hexcode"])] = None
        for emoji in self.by_label.values():
            concept = concept_of(emoji["label"])
            if concept and (norm(emoji["label"]) == concept or concept not in self.keywords):
                self.keywords[concept] = emoji["tags"]

    def named(self, name: str, codes: list[str]) -> dict | None:
        """The emoji of a drawing, by its code points or by its name; None if there is none.

        Raises LookupError for a skin tone.
        """
        known = [self.by_code[code] for code in codes if code in self.by_code]
        if None in known:
            raise LookupError(f"{name} is a skin tone")
        if known:
            return known[-1]
        return self.by_label.get(norm(name)) or self.by_label.get(norm(without_counter(name)))


def without_counter(name: str) -> str:
    return re.sub(r"-\d+$", "", name)


def shows_a_thing(emoji: dict | None) -> bool:
    """Whether an emoji is a drawing of something, not a sign, a flag, a mood or a variant."""
    if not emoji or emoji["group"] in GROUPS_LEFT_OUT or emoji["subgroup"] in SUBGROUPS_LEFT_OUT:
        return False
    code, label = emoji["code"], emoji["label"]
    if SIGN.search(label) or VARIANT.search(code) or code.count("200D") > 2:
        return False
    if HOUR.search(label) and code not in HOURS_KEPT:
        return False
    concept = concept_of(label)
    if emoji["subgroup"] in FACES_AND_PEOPLE:
        return concept is not None and CATEGORY[concept] != "body" and concept != "face"
    return emoji["subgroup"] != 15 or concept is not None


def meaning(emoji: dict) -> tuple[str, str]:
    """(concept, category) of an emoji; a label that the lexicon lacks is its own concept."""
    concept = concept_of(emoji["label"]) or norm(emoji["label"])
    category = CATEGORY.get(concept) or SUBGROUP_CATEGORY.get(emoji["subgroup"], "object")
    return concept, category
