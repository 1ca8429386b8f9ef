"""What pictures and sounds are called, and how often each is shown.

`CORE` and `CORE_SOUNDS` are things that one pairs; they get most of the training. `HELD_OUT_*`
templates and every word in `words.py`'s synonym column never occur in a training caption.
"""

import re
from functools import cache

import inflect

from .everyday import EVERYDAY

# People ask in many ways, and a style that no caption has weakens what is drawn.
PICTURE_TEMPLATES = (
    "{a}", "{one}", "{a} on a black background", "a drawing of {a}", "a painting of {a}, grayscale",
    "a picture of {a}", "an icon of {a}", "a sketch of {a}", "a lithograph of {a}",
    "a pencil drawing of {a}", "a woodcut of {a}", "an engraving of {a}", "an etching of {a}",
    "a silhouette of {a}", "a stencil of {a}", "a cartoon of {a}", "a watercolour of {a}",
    "an oil painting of {a}", "a chalk drawing of {a}", "a doodle of {a}", "a logo with {a}",
    "a sign with {a}", "a tattoo of {a}", "a poster of {a}", "a photograph of {a}",
    "a child's drawing of {a}", "a linocut of {a}", "a pastel of {a}", "an emblem of {a}",
    "a paper cutout of {a}", "a mosaic of {a}", "a sticker of {a}", "a symbol of {a}",
    "the shape of {a}", "the outline of {a}", "a neon {one}", "a white {one}", "one single {one}",
    "a big {one}", "a beautiful {one}", "an old {one}", "a simple {one}", "the {one}",
    "this is {a}", "here is {a}", "please draw {a}", "show me {a}", "{a} at night",
    "{a}, black and white", "{a}, high contrast", "{a}, minimalist", "{a} in the dark",
    "{a} seen from the side", "{one} drawing", "{one} icon", "{one} art", "{one}, vintage style",
    "detailed illustration of {a}", "clip art of {a}", "a portrait of {a}",
)  # fmt: skip
ROW_TEMPLATES = (
    "{many}", "{many} in a row", "a painting of {many}, grayscale", "a drawing of {many}",
    "a row of {many}", "{one}", "{a}", "{many} on a black background", "a pattern of {many}",
    "many {many}", "four {many}", "several {many}", "a frieze of {many}", "a woodcut of {many}",
    "a line of {many}", "some {many}", "a group of {many}", "silhouettes of {many}",
    "{many} side by side", "{many}, black and white", "a picture of {many}", "show me {many}",
    "a wallpaper of {many}", "a sketch of {many}", "an engraving of {many}",
)  # fmt: skip
SOUND_TEMPLATES = (
    "the sound of {}", "a recording of {}", "the noise of {}", "the sounds of {}", "{} sound",
    "listen to {}", "a clip of {}", "an audio recording of {}", "a field recording of {}",
    "a sound effect of {}", "{} in the distance", "{} nearby", "{} outside", "{} somewhere",
    "{} close up", "{} again and again", "loud {}", "there is {}", "this is {}", "{} at night",
    "{} in a quiet place", "a sample of {}", "a tape of {}", "play {}", "it sounds like {}",
    "{}, high quality", "{}, clear", "somewhere there is {}", "just {}", "{} and nothing else",
)  # fmt: skip
PLAIN = 0.4  # of the sounds' captions come without a template

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
    a, many = inflected(word)
    return template.format(one=word, a=a, many=many)


@cache  # asked for in every caption, and slow
def inflected(word: str) -> tuple[str, str]:
    """A noun with its article, and its plural."""
    if word in PLURAL_ALREADY:
        return word, word
    return _inflect.a(word), _inflect.plural(word)


def sound_caption(rng, record) -> str:
    """One of the clip's own captions, an everyday word for it, its class name, or keywords; mostly
    in a template."""
    draw, words = rng.random(), EVERYDAY.get(record["class"], ())
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


def concept_weight(record, count: int) -> float:
    """How often a concept is shown: the core equally often, other sounding things for breadth."""
    if record["concept"] in CORE:
        return min(1.0, count / 6)
    return 0.04 if count >= 6 and record["sounding"] else 0.0


def class_weight(name: str, recordings: int, clips: int) -> float:
    """How often a sound class is shown: more for classes with many different recordings."""
    breadth = 1.0 if name in CORE_SOUNDS else 0.15
    return breadth * min(1.0, 0.25 + recordings / 12) * min(1.0, 0.3 + clips / 30)


def vocabulary() -> dict:
    """What `models/pocket/vocabulary.json` holds: all that is named, for a pair without training's
    code to know what it has learned. `pack` writes it.

    {"image" and "sound": {"things": …, "words": … that are said of them}, "phrases": words of the
    templates}
    """
    everyday = [phrase for phrases in EVERYDAY.values() for phrase in phrases]
    return {
        "image": {"things": sorted(SPOKEN.get(concept, concept) for concept in CORE), "words": []},
        "sound": {
            "things": sorted(kind.replace("_", " ") for kind in CORE_SOUNDS),
            "words": _words(everyday),
        },
        "phrases": _words([*PICTURE_TEMPLATES, *ROW_TEMPLATES, *SOUND_TEMPLATES]),
    }


def _words(texts) -> list[str]:
    plain = [re.sub(r"\{\w*\}", " ", text.lower()) for text in texts]
    return sorted({word for text in plain for word in re.findall(r"[a-z]+(?:'[a-z]+)?", text)})
