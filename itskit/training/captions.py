"""What pictures and sounds are called, and how often each is shown.

`CORE` and `CORE_SOUNDS` are things that one pairs; they get most of the training. `HELD_OUT_*`
templates and every word in `words.py`'s synonym column never occur in a training caption.
"""

import inflect

from .everyday import EVERYDAY

PICTURE_TEMPLATES = (
    "{a}", "{one}", "{a} on a black background", "a drawing of {a}", "a painting of {a}, grayscale",
    "a picture of {a}", "an icon of {a}", "a sketch of {a}", "a lithograph of {a}",
)  # fmt: skip
ROW_TEMPLATES = (
    "{many}", "{many} in a row", "a painting of {many}, grayscale", "a drawing of {many}",
    "a row of {many}", "{one}", "{a}", "{many} on a black background",
)  # fmt: skip
SOUND_TEMPLATES = ("{}", "{}", "{}", "the sound of {}", "a recording of {}")

CORE = frozenset(
    " ".join(word.split())
    for word in """castle, bell, church, tower, lighthouse, house, factory, windmill, bridge, tiger,
    lion, cat, dog, horse, cow, pig, sheep, rabbit, elephant, bear, wolf, monkey, frog, snake, fish,
    whale, dolphin, bird, owl, eagle, duck, chicken, rooster, penguin, crab, bee, butterfly, spider,
    cricket insect, dragon, train, locomotive, car, race car, bus, truck, motorcycle, bicycle,
    airplane, helicopter, rocket, ship, sailboat, tree, forest, pine tree, palm tree, flower, rose,
    sunflower, mushroom, garden, mountain, volcano, wave, cloud, rain, thunder, moon, star, sun,
    fire, fireworks, snowman, guitar, piano, violin, drum, trumpet, saxophone, harp, musical note,
    microphone, radio, telephone, clock, hourglass, hammer, sword, siren, horn, crown, heart,
    anchor, umbrella, kitten, robot, ghost, baby""".split(",")
)
CORE_SOUNDS = frozenset(EVERYDAY)

# Concept names of the prepared set that nobody would type.
SPOKEN = {"mouse animal": "mouse", "cricket insect": "cricket", "turkey bird": "turkey"}
PLURAL_ALREADY = {
    "fireworks",
    "walking",
    "snow",
    "rain",
    "thunder",
    "wind",
    "camping",
    "headphones",
    "scissors",
    "stairs",
    "grass",
}
_inflect = inflect.engine()


def picture_caption(rng, concept: str, row: bool) -> str:
    """A caption for one drawing, or for a row of them."""
    word = SPOKEN.get(concept, concept)
    templates = ROW_TEMPLATES if row else PICTURE_TEMPLATES
    return phrase(templates[rng.integers(len(templates))], word)


def phrase(template: str, word: str) -> str:
    """Fill {one}, {a} and {many} with a noun, its article and its plural."""
    fixed = word in PLURAL_ALREADY
    a = word if fixed else _inflect.a(word)
    many = word if fixed else _inflect.plural(word)
    return template.format(one=word, a=a, many=many)


def sound_caption(rng, record) -> str:
    """One of the clip's own captions, an everyday word for it, its class name, or keywords, the
    latter three in a template."""
    draw, words = rng.random(), EVERYDAY.get(record["class"], ())
    if draw < (0.4 if words else 0.75):
        return record["captions"][rng.integers(len(record["captions"]))]
    text = record["class"].replace("_", " ")
    if words and draw < 0.8:
        text = words[rng.integers(len(words))]
    elif draw > 0.9 and record["keywords"]:
        text = " ".join(record["keywords"][:2])
    return SOUND_TEMPLATES[rng.integers(len(SOUND_TEMPLATES))].format(text)


def concept_weight(record, count: int) -> float:
    """How often a concept is shown: the core equally often, other sounding things for breadth."""
    if record["concept"] in CORE:
        return min(1.0, count / 6)
    return 0.04 if count >= 6 and record["sounding"] else 0.0


def class_weight(name: str, recordings: int, clips: int) -> float:
    """How often a sound class is shown: more for classes with many different recordings."""
    breadth = 1.0 if name in CORE_SOUNDS else 0.15
    return breadth * min(1.0, 0.25 + recordings / 12) * min(1.0, 0.3 + clips / 30)
