"""Few good drawings for a last lesson: the most typical ones of each thing, all placed alike.

A small model that has seen every way to draw a cat draws a mixture of them. A short training on few
examples of one clear kind changes that ("quality tuning": Dai et al. 2023, arXiv 2309.15807).
"""

import numpy as np
from PIL import Image, ImageFilter

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
    game-icons/skull-sabertooth game-icons/saber-toothed-cat-head game-icons/viola
    lucide-lab/penguin game-icons/turbine mdi/radio-tower game-icons/radio-tower
    fa7-solid/broadcast-tower game-icons/turret game-icons/walking-turret meteocons/tide-high
    icon-park-solid/radio-two icon-park/radio-two carbon/radio game-icons/gun-rose
    game-icons/dagger-rose tabler/fish-bone tabler/fish-bone-filled game-icons/guitar-head
    game-icons/guitar-bass-head icon-park-solid/phone tabler/rosette tabler/rosette-filled
    noto/rosette noto-v1/rosette twemoji/rosette emojione/rosette emojione-mono/rosette
    fluent-emoji-hc/rosette fluent-emoji-flat/rosette noto-emoji-font/U+1F3F5 symbola/U+1F3F5
    streamline-ultimate/spaceship streamline-ultimate/spaceship-bold game-icons/spaceship
    fa7-solid/space-shuttle hugeicons/pendulum""".split()
)
# Of the alarms those that are no clocks, of the moons those that are no discs, of the trains those
# that are no arrows, of the castles those with battlements.
ONLY = {"siren": ("siren", "light")}
NEVER = {
    "moon": ("full", "new", "face", "quarter", "gibbous", "half", "eclipse"),
    "castle": ("japanese",),
    "train": ("bullet", "speed", "light rail", "monorail"),
}


def fits(record) -> bool:
    """Is this drawing what its concept says?"""
    concept, name = record["concept"], record["name"]
    return (
        record["id"] not in MISTAKEN
        and any(word in name for word in ONLY.get(concept, ("",)))
        and not any(word in name for word in NEVER.get(concept, ()))
    )


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


def alike(images, each=12, enough=5, least=0.75) -> list[tuple[int, bool]]:
    """(place, mirrored?) of the `each` that are most alike, the one that the others resemble first.

    Heads or whole animals, to the left or to the right: a model that is shown all of them draws
    something between. Beyond `enough`, those with a cosine below `least` to the first are left out.
    """
    rng = np.random.default_rng(0)
    canvases = [centred(rng, image) for image in images]
    plain = np.stack([shape_of(canvas) for canvas in canvases])
    mirrored = np.stack([shape_of(canvas[:, ::-1]) for canvas in canvases])
    same, turned = plain @ plain.T, plain @ mirrored.T  # (N, N)
    likeness = np.maximum(same, turned)
    area = np.array([min(canvas.mean(), 0.3) for canvas in canvases])  # sound fills a surface
    first = int((np.sort(likeness, 1)[:, -each:].mean(1) + area / 2).argmax())
    order = np.argsort(-likeness[first], kind="stable")[:each]
    return [
        (int(k), bool(turned[first, k] > same[first, k]))
        for n, k in enumerate(order)
        if n < enough or likeness[first, k] >= least
    ]


def typical(rows, images, records, likelihood) -> list[tuple[int, bool]]:
    """(row, mirrored?) of those of a concept's rows that are most alike.

    `likelihood(row)` is the logarithm of how surely a scorer names the drawing; if eight are named
    surely, they are the ones to choose from.
    """
    good = [row for row in rows if fits(records[row])]
    named = [row for row in good if likelihood(row) > -1.5]
    good = named if len(named) >= 8 else good
    return [(good[k], mirrored) for k, mirrored in alike([images[row] for row in good])]


def heard_through(rows, likelihood, each=16) -> list[int]:
    """The `each` of a class's rows with the highest `likelihood(row)`: what is still heard when
    somebody draws on it."""
    return sorted(rows, key=likelihood, reverse=True)[:each]
