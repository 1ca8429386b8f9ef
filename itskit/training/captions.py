"""What pictures and sounds are called, and how often each is shown.

`CORE` are things that one pairs with a sound; they get most of the training. `HELD_OUT_*`
templates and every word in `words.py`'s synonym column never occur in a training caption.
"""

import inflect

PICTURE_TEMPLATES = (
    "{a}", "{one}", "{a} on a black background", "a drawing of {a}", "a painting of {a}, grayscale",
    "a picture of {a}", "an icon of {a}", "a sketch of {a}", "a lithograph of {a}",
)  # fmt: skip
ROW_TEMPLATES = (
    "{many}", "{many} in a row", "a painting of {many}, grayscale", "a drawing of {many}",
    "a row of {many}", "{one}", "{a}", "{many} on a black background",
)  # fmt: skip
SOUND_TEMPLATES = ("{}", "{}", "{}", "the sound of {}", "a recording of {}")

CORE = tuple(
    """castle, bell, church, tower, temple, mosque, house, factory, lighthouse, windmill, bridge,
    city skyline, barn, tiger, lion, cat, dog, horse, cow, pig, sheep, goat, rabbit, elephant, bear,
    wolf, fox, monkey, mouse animal, frog, turtle, snake, fish, whale, dolphin, shark, octopus,
    crab, bee, butterfly, spider, cricket insect, mosquito, bird, owl, eagle, duck, chicken,
    rooster, penguin, swan, crow, dragon, dinosaur, train, locomotive, tram, car, race car, bus,
    truck, motorcycle, bicycle, airplane, helicopter, rocket, ship, sailboat, boat, ambulance,
    fire engine, police car, tractor, tree, forest, pine tree, palm tree, flower, rose, tulip,
    sunflower, garden, mountain, volcano, wave, beach, fountain, waterfall, cloud, rain, thunder,
    snow, wind, sun, moon, star, fire, candle, camping, fireworks, guitar, piano, violin, drum,
    trumpet, saxophone, flute, harp, accordion, musical note, microphone, radio, speaker, telephone,
    clock, watch, hourglass, hammer, saw, axe, sword, gun, bomb, keyboard, typewriter, camel, deer,
    ghost, robot, heart, crown, anchor, siren, horn, megaphone, whistle, washing machine, vacuum,
    sewing machine, water drop, faucet, umbrella, wind chime, kitten, parrot, seagull, donkey,
    chicken, turkey bird, fan, drill, door, walking, laughing face, crying face, baby, singer
    """.replace("\n", " ").split(", ")
)
CORE = tuple(" ".join(word.split()) for word in CORE)

# Concept names of the prepared set that nobody would type.
SPOKEN = {"mouse animal": "mouse", "cricket insect": "cricket", "turkey bird": "turkey"}
PLURAL_ALREADY = set(
    "fireworks walking snow rain thunder wind camping headphones scissors stairs grass".split()
)
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
    """One of the clip's own captions, its class name, or a keyword, in a template."""
    draw = rng.random()
    if draw < 0.75:
        return record["captions"][rng.integers(len(record["captions"]))]
    text = record["class"].replace("_", " ")
    if draw > 0.88 and record["keywords"]:
        text = " ".join(record["keywords"][:2])
    return SOUND_TEMPLATES[rng.integers(len(SOUND_TEMPLATES))].format(text)


def concept_weight(concept: str, count: int) -> float:
    """How often a concept is shown: the core equally often, the rest for breadth."""
    if concept in CORE:
        return min(1.0, count / 6)
    return 0.1 if count >= 6 else 0.0


def class_weight(name: str, recordings: int, clips: int) -> float:
    """How often a sound class is shown: more for classes with many different recordings."""
    return min(1.0, 0.25 + recordings / 12) * min(1.0, 0.3 + clips / 30)
