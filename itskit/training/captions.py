"""What pictures and sounds are called, and how often each is shown.

`CORE` and `CORE_SOUNDS` are things that one pairs; they get most of the training. `HELD_OUT_*`
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
CORE_SOUNDS = frozenset(
    """church_bell hand_bell organ ship_horn rain elephant_trumpet heartbeat dog_bark horse_gallop
    cow_moo pig_oink sheep_bleat trumpet footsteps frog_croak bubbles ocean_waves bird_song owl_hoot
    water_stream hen_cluck bee_buzz harp train_whistle car_engine diesel_engine motorcycle airplane
    helicopter explosion water_drip wind cricket_chirp thunder wind_chimes piano acoustic_guitar
    tom_drum clock_tick phone_ring hammering alarm fire_crackle steam_hiss race_car violin xylophone
    trombone waterfall typing sawing sword_clash saxophone choir splash gong siren steam_train train
    horse_neigh rooster_crow cuckoo_call applause speech flute cello electric_guitar door_creak
    glass_break gunshot fireworks music_box big_cat_roar cat_meow wolf_howl laughter singing jet
    car_horn morse_code whistle crow_caw hawk_screech accordion drum_kit""".split()
)

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
    """One of the clip's own captions, its class name, or a keyword, in a template."""
    draw = rng.random()
    if draw < 0.75:
        return record["captions"][rng.integers(len(record["captions"]))]
    text = record["class"].replace("_", " ")
    if draw > 0.88 and record["keywords"]:
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
