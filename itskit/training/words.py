"""The words that the evaluation asks for. Training never sees these templates or synonyms."""

from .captions import phrase

TEMPLATES = {  # split: (picture, sound); unlike any in captions.py
    "validation": ("an ink stamp of {a}", "one hears {}"),
    "test": ("a charcoal print of {a}", "you can hear {}"),
}

# 40 pairs (picture concept, sound class, its words): the 40 pictures and the 40 sounds are also
# asked for alone, and are the candidates among which a result is named.
PAIRS = (
    ("castle", "church_bell", "church bells ringing"),
    ("bell", "hand_bell", "a hand bell ringing"),
    ("church", "organ", "a pipe organ playing"),
    ("lighthouse", "ship_horn", "a ship horn"),
    ("house", "rain", "rain falling"),
    ("tiger", "elephant_trumpet", "an elephant trumpeting"),
    ("cat", "heartbeat", "a heart beating"),
    ("dog", "dog_bark", "a dog barking"),
    ("horse", "horse_gallop", "a horse galloping"),
    ("cow", "cow_moo", "a cow mooing"),
    ("pig", "pig_oink", "a pig oinking"),
    ("sheep", "sheep_bleat", "a sheep bleating"),
    ("elephant", "trumpet", "a trumpet playing"),
    ("rabbit", "footsteps", "footsteps"),
    ("frog", "frog_croak", "a frog croaking"),
    ("fish", "bubbles", "bubbles"),
    ("whale", "ocean_waves", "ocean waves"),
    ("bird", "bird_song", "a bird singing"),
    ("owl", "owl_hoot", "an owl hooting"),
    ("duck", "water_stream", "a stream of water"),
    ("rooster", "hen_cluck", "a hen clucking"),
    ("bee", "bee_buzz", "a bee buzzing"),
    ("butterfly", "harp", "a harp playing"),
    ("train", "train_whistle", "a train whistle"),
    ("car", "car_engine", "a car engine"),
    ("bus", "diesel_engine", "a diesel engine"),
    ("motorcycle", "motorcycle", "a motorcycle"),
    ("airplane", "airplane", "an airplane flying by"),
    ("helicopter", "helicopter", "a helicopter"),
    ("rocket", "explosion", "an explosion"),
    ("ship", "water_drip", "water dripping"),
    ("tree", "wind", "wind blowing"),
    ("flower", "cricket_chirp", "crickets chirping"),
    ("cloud", "thunder", "thunder"),
    ("moon", "wind_chimes", "wind chimes"),
    ("star", "piano", "a piano playing"),
    ("guitar", "acoustic_guitar", "an acoustic guitar"),
    ("drum", "tom_drum", "a tom drum"),
    ("clock", "clock_tick", "a clock ticking"),
    ("telephone", "phone_ring", "a telephone ringing"),
)

# For choices (guidance, steps, blend) only; disjoint from PAIRS.
VALIDATION_PAIRS = (
    ("factory", "hammering", "hammering"),
    ("tower", "alarm", "an alarm"),
    ("fire", "fire_crackle", "a fire crackling"),
    ("snowman", "steam_hiss", "hissing steam"),
    ("truck", "race_car", "a race car"),
    ("rose", "violin", "a violin playing"),
    ("mushroom", "xylophone", "a xylophone"),
    ("crown", "trombone", "a trombone playing"),
    ("sailboat", "waterfall", "a waterfall"),
    ("bicycle", "typing", "typing on a keyboard"),
    ("hammer", "sawing", "sawing wood"),
    ("sword", "sword_clash", "swords clashing"),
    ("piano", "saxophone", "a saxophone playing"),
    ("heart", "choir", "a choir singing"),
    ("crab", "splash", "a splash"),
    ("penguin", "gong", "a gong"),
    # Added with version 2: those above are easier to draw than the test's.
    ("lion", "horse_neigh", "a horse neighing"),
    ("bear", "rooster_crow", "a rooster crowing"),
    ("wolf", "cat_meow", "a cat meowing"),
    ("monkey", "wolf_howl", "a wolf howling"),
    ("snake", "laughter", "people laughing"),
    ("dolphin", "jet", "a jet"),
    ("eagle", "car_horn", "a car horn honking"),
    ("spider", "crow_caw", "a crow cawing"),
    ("dragon", "accordion", "an accordion playing"),
    ("locomotive", "drum_kit", "drums"),
    ("windmill", "steam_train", "a steam train"),
    ("bridge", "cuckoo_call", "a cuckoo calling"),
    ("palm tree", "applause", "applause"),
    ("sunflower", "flute", "a flute playing"),
    ("mountain", "cello", "a cello playing"),
    ("sun", "electric_guitar", "an electric guitar"),
    ("violin", "door_creak", "a door creaking"),
    ("trumpet", "glass_break", "glass breaking"),
    ("hourglass", "gunshot", "a gunshot"),
    ("umbrella", "fireworks", "fireworks"),
    ("robot", "music_box", "a music box"),
    ("ghost", "big_cat_roar", "a big cat roaring"),
    # Added with version 6: ticks, held tones and voices, of which the test has many.
    ("anchor", "morse_code", "morse code"),
    ("microphone", "whistle", "somebody whistling"),
    ("horn", "siren", "a siren"),
    ("pine tree", "hawk_screech", "a hawk screeching"),
    ("harp", "singing", "somebody singing"),
    ("radio", "train", "a train passing by"),
    ("kitten", "speech", "people talking"),
)

# Words that occur in no training caption, and what they should look or sound like.
UNSEEN_PICTURES = {
    "hound": "dog", "pony": "horse", "automobile": "car", "cottage": "house", "fortress": "castle",
    "steamboat": "ship", "chapel": "church", "jumbo jet": "airplane", "blossom": "flower",
    "oak": "tree", "lamb": "sheep", "piglet": "pig", "bunny": "rabbit", "toad": "frog",
    "trout": "fish", "railway engine": "train", "motorbike": "motorcycle", "bumblebee": "bee",
    "chime": "bell", "ukulele": "guitar",
}  # fmt: skip
UNSEEN_SOUNDS = {
    "a puppy yapping": "dog_bark", "a storm rumbling far away": "thunder",
    "drizzle on a roof": "rain", "songbirds at dawn": "bird_song", "surf": "ocean_waves",
    "a brook": "water_stream", "a chopper": "helicopter", "a jetliner": "airplane",
    "grasshoppers": "cricket_chirp", "a grandfather clock": "clock_tick",
    "cathedral chimes": "church_bell", "a foghorn": "ship_horn", "a blast": "explosion",
    "someone walking": "footsteps", "a mobile phone": "phone_ring", "a calf lowing": "cow_moo",
    "a lamb bawling": "sheep_bleat", "a toad": "frog_croak", "a bumblebee": "bee_buzz",
    "a pianist": "piano",
}  # fmt: skip


def pairs(split: str):
    return PAIRS if split == "test" else VALIDATION_PAIRS


def picture_prompt(concept: str, split: str) -> str:
    return phrase(TEMPLATES[split][0], concept)


def sound_prompt(words: str, split: str) -> str:
    return TEMPLATES[split][1].format(words)
