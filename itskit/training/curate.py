"""Few good drawings for a last lesson: the most typical ones of each thing, all placed alike.

A small model that has seen every way to draw a cat draws a mixture of them. A short training on few
examples of one clear kind changes that ("quality tuning": Dai et al. 2023, arXiv 2309.15807).
"""

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

from .canvas import ROWS

# What these show is another thing of the same name, or something else beside it.
MISTAKEN = frozenset(
    """ph/cricket-fill ph/cricket-duotone tabler/cricket maki/cricket mdi/cricket
    game-icons/desert-eagle game-icons/dragon-shield game-icons/drakkar-dragon game-icons/hydra
    icon-park/palm icon-park-solid/palm raphael/palm game-icons/open-palm game-icons/duck-palm
    icon-park/chicken icon-park-solid/chicken mingcute/chicken-fill mingcute/chicken-line
    game-icons/chicken-oven icon-park/cycle-one icon-park-solid/cycle-one game-icons/anvil
    lucide/anvil mdi/anvil hugeicons/anvil temaki/anvil.svg temaki/anvil_and_hammer.svg
    icon-park/hammer-and-anvil icon-park-solid/hammer-and-anvil material-symbols/electric-bike
    material-symbols/electric-bike-outline solar/plane-2-bold-duotone solar/plane-bold-duotone
    game-icons/viola lucide-lab/penguin mdi/radio-tower game-icons/radio-tower
    fa7-solid/broadcast-tower game-icons/turret game-icons/walking-turret meteocons/tide-high
    icon-park-solid/radio-two icon-park/radio-two carbon/radio game-icons/gun-rose
    game-icons/dagger-rose tabler/fish-bone tabler/fish-bone-filled game-icons/guitar-head
    game-icons/guitar-bass-head icon-park-solid/phone tabler/rosette tabler/rosette-filled
    noto/rosette noto-v1/rosette twemoji/rosette emojione/rosette emojione-mono/rosette
    fluent-emoji-hc/rosette fluent-emoji-flat/rosette noto-emoji-font/U+1F3F5 symbola/U+1F3F5
    streamline-ultimate/spaceship streamline-ultimate/spaceship-bold game-icons/spaceship
    fa7-solid/space-shuttle hugeicons/pendulum tabler/pendulum hugeicons/clock-02
    hugeicons/clock-03 hugeicons/clock-04 hugeicons/clock-05 tabler/clock-12 tabler/clock-24
    mdi/clock-in mdi/clock-fast mingcute/clock-2-fill mingcute/clock-2-line""".split()
)
# Of the alarms those that are no clocks, of the moons those that are no discs, of the trains those
# that are no arrows, of the castles those with battlements, of the hammers those that are alone.
ONLY = {"siren": ("siren", "light")}
NEVER = {
    "moon": ("full", "new", "face", "quarter", "gibbous", "half", "eclipse"),
    "castle": ("japanese",),
    "train": ("bullet", "speed", "light rail", "monorail"),
    "hammer": ("wrench", "gear"),
    "motorcycle": ("scooter", "moped", "vespa"),
}
# What the captions of typical clips say, where a class is wide: bees are no mosquitoes, hammers no
# pickaxes, and who asks for an organ thinks of a church.
HEARD = {
    "bee_buzz": "bee", "hammering": "hammer", "organ": "pipe organ", "fire_crackle": "crackling",
    "cricket_chirp": "cricket", "siren": "wailing", "horse_gallop": "galloping",
    "horse_neigh": "neighing", "trumpet": "a trumpet",
}  # fmt: skip

# By eye, where the rule below mixes kinds: steamers, monkeys with tails, whole animals, towers,
# hens, firs.
CHOSEN = {
    "ship": """noto/passenger-ship noto/ship noto-emoji-font/U+1F6F3 noto-emoji-font/U+1F6A2
    emojione/ship emojione-mono/ship noto-v1/ship""".split(),
    "monkey": """noto/monkey noto-v1/monkey fluent-emoji/monkey fluent-emoji-hc/monkey
    emojione/monkey emojione-mono/monkey noto-emoji-font/U+1F412""".split(),
    "tiger": """openclipart/animals/mammals/big_cats/tigre01_architetto_franc_01.svg
    openclipart/animals/mammals/big_cats/tigre03_architetto_franc_01.svg noto/tiger
    noto-v1/tiger twemoji/tiger streamline-emojis/tiger noto-emoji-font/U+1F405""".split(),
    "pig": """openclipart/animals/mammals/pig_marcelo_caiafa1.svg fluent-emoji/pig
    fluent-emoji-flat/pig fluent-emoji-hc/pig streamline-emojis/pig game-icons/pig
    healthicons/animal-pig""".split(),
    "windmill": """game-icons/windmill ph/windmill-duotone ph/windmill-fill maki/windmill
    streamline-pixel/ecology-windmill-1 temaki/windmill.svg""".split(),
    "eagle": """openclipart/animals/birds/eagle_01.svg noto/eagle noto-v1/eagle
    noto-emoji-font/U+1F985 symbola/U+1F985""".split(),
    "chicken": """openclipart/animals/birds/hen_01.svg healthicons/animal-chicken
    healthicons/animal-chicken-outline game-icons/chicken""".split(),
    "forest": """game-icons/forest material-symbols/forest-outline
    lucide-lab/trees-forest""".split(),
    "garden": "maki/garden guidance/garden temaki/garden_bed.svg".split(),
}
SHOWN_AS = {"kitten": "cat"}  # of a kitten there is a single drawing


def fits(record) -> bool:
    """Is this drawing what its concept says?"""
    concept, name = record["concept"], record["name"]
    return (
        record["id"] in CHOSEN.get(concept, (record["id"],))
        and record["id"] not in MISTAKEN
        and any(word in name for word in ONLY.get(concept, ("",)))
        and not any(word in name for word in NEVER.get(concept, ()))
    )


def sounds_right(record) -> bool:
    """Is this clip what one thinks of at the word of its class?"""
    return HEARD.get(record["class"], "") in record["captions"][0]


def centred(rng, image: np.ndarray, size=112) -> np.ndarray:
    """A drawing (128, 128) uint8 on a black square, about as bright and as large as all others."""
    seen = image > 16
    rows, columns = np.nonzero(seen.any(1))[0], np.nonzero(seen.any(0))[0]
    if len(rows) == 0:
        return np.zeros((ROWS, ROWS), np.float32)
    bright = np.percentile(image[seen], 90)
    image = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    scale = size / max(image.shape)
    height, width = (max(4, round(n * scale)) for n in image.shape)
    grey = Image.fromarray((image * 255 / bright).clip(0, 255).astype(np.uint8))
    canvas = np.zeros((ROWS, ROWS), np.float32)
    top, left = (ROWS - height) // 2, (ROWS - width) // 2
    small = np.asarray(grey.resize((width, height), Image.Resampling.LANCZOS), np.float32)
    canvas[top : top + height, left : left + width] = small / 255
    return canvas * rng.uniform(0.8, 1.0)


def shape_of(canvas: np.ndarray) -> np.ndarray:
    """What an eye sees from far away: a unit vector of the blurred, shrunk canvas."""
    far = Image.fromarray((canvas * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(4))
    vector = np.asarray(far.resize((32, 32)), np.float32).ravel()
    return vector / max(1e-9, float(np.linalg.norm(vector)))


def silhouette(canvas: np.ndarray) -> np.ndarray:
    """What is left of a drawing that a sound fills: black or white, small gaps and holes closed."""
    seen = np.pad(canvas > 0.1, 8)
    closed = ndimage.binary_closing(seen, iterations=3) | seen
    return ndimage.binary_fill_holes(closed)[8:-8, 8:-8].astype(np.float32)


def company(likeness, told, each=6, enough=5, least=0.75, also=0.0) -> list[int]:
    """Places of the `each` that are alike and told from other things, the one that the others
    resemble first.

    `likeness` (N, N) are cosines; `told` (N,) are the logarithms of how surely each is named, and
    `also` is what else speaks for it. Beyond `enough`, those with a cosine below `least` to the
    first are left out.
    """
    told = 1 + np.clip(np.array(told) / 4, -1, 0)
    also = np.zeros(len(told)) + also

    def around(k):
        nearest = np.argsort(-(likeness[k] + 0.3 * told), kind="stable")[:each]
        return [int(j) for n, j in enumerate(nearest) if n < enough or likeness[k, j] >= least]

    def worth(k):
        some = around(k)
        return (likeness[k] + told / 2)[some].mean() + also[k] + len(some) / 100

    first = max(range(len(told)), key=worth)
    return sorted(around(first), key=lambda k: -likeness[first, k])


def alike(images, outlined, **limits) -> list[tuple[int, bool]]:
    """(place, mirrored?) of the drawings that are alike and told by their outlines.

    Heads or whole animals, to the left or to the right: a model that is shown all of them draws
    something between. `outlined` are the logarithms of how surely each one's silhouette is named:
    without them heads would win, as all discs are alike, and what is inside a disc drowns in sound.
    """
    rng = np.random.default_rng(0)
    canvases = [centred(rng, image) for image in images]
    plain = np.stack([shape_of(canvas) for canvas in canvases])
    mirrored = np.stack([shape_of(canvas[:, ::-1]) for canvas in canvases])
    same, turned = plain @ plain.T, plain @ mirrored.T  # (N, N)
    area = np.array([min(canvas.mean(), 0.3) for canvas in canvases])  # sound fills a surface
    chosen = company(np.maximum(same, turned), outlined, also=area / 4, **limits)
    return [(k, bool(turned[chosen[0], k] > same[chosen[0], k])) for k in chosen]


def typical(rows, images, records, likelihoods) -> list[tuple[int, bool]]:
    """(row, mirrored?) of those of a concept's rows that are most alike and told by their outlines.

    `likelihoods(row)` are the logarithms of how surely a scorer names the drawing and its
    silhouette; if eight drawings are named surely, they are the ones to choose from.
    """
    good = {row: likelihoods(row) for row in rows if fits(records[row])}
    named = [row for row, (drawn, _) in good.items() if drawn > -1.5]
    some = named if len(named) >= 8 else list(good)
    chosen = alike([images[row] for row in some], [good[row][1] for row in some])
    return [(some[k], mirrored) for k, mirrored in chosen]


def texture_of(canvas: np.ndarray) -> np.ndarray:
    """What an ear keeps of a sound (128, 512), whenever it begins: for each of 32 bands how loud
    it is, and how much it beats at 0 to 6 Hz. (1056,)"""
    bands = canvas.reshape(32, -1, canvas.shape[1]).mean(1)
    return np.sqrt(np.abs(np.fft.rfft(bands, axis=1))[:, :33] / canvas.shape[1]).ravel()


def typical_clips(textures, named) -> list[int]:
    """Places of those of a class's clips that are alike and still heard through a drawing.

    `textures` (N, 1056) are those of the clips less what all clips have on average; `named` (N,)
    are the logarithms of how surely each is named, drawn upon.
    """
    unit = textures / np.linalg.norm(textures, axis=1, keepdims=True).clip(1e-9)
    return company(unit @ unit.T, named, each=5, enough=4, least=0.5)
