"""Prototypes: the most typical drawings and clips of each thing, few and alike.

A small model that has seen every way to draw a cat draws a mixture of them. A short training on few
examples of one clear kind changes that ("quality tuning": Dai et al. 2023, arXiv 2309.15807).
"""

import json

import numpy as np
import torch
from PIL import Image, ImageFilter
from scipy import ndimage
from tqdm import tqdm

from ...models.pocket.networks import Autoencoder, Scorer
from ...writing import written
from ..checkpoints import network, shipped_texts
from ..naming import likelihoods
from ..place import Place
from ..tables import lists, mapping, read_sections
from . import material
from .canvas import ROWS, printed
from .captions import picture_caption, sound_caption
from .files import read_pictures

_table = read_sections("prototypes.txt")
MISTAKEN = frozenset(" ".join(_table["mistaken"]).split())
ONLY, NEVER, CHOSEN = (lists(_table[name]) for name in ("only", "never", "chosen"))
HEARD, SHOWN_AS = mapping(_table["heard"]), mapping(_table["shown as"])


def find_prototypes(place: Place, *, seed=0, start="work"):
    """Few typical drawings of each core concept, turned the same way, and few typical clips of each
    core class → WORK/typical.json: {"drawings": {concept: [[row, whether to mirror it], …]},
    "clips": {class: [row, …]}}."""
    vae = network(Autoencoder(), "vae", place.work, start)
    images, records = read_pictures(place.data)
    scorers = {
        sense: network(Scorer(), f"{sense}_scorer", place.work, start)
        for sense in ("image", "sound")
    }
    drawings = _drawings(vae, scorers["image"], images, records, np.random.default_rng(seed))
    mels, sounds = material.prepared_sounds(place)
    compositor = material.compositor_of(images, records, mels, sounds)
    clips = _clips(vae, scorers["sound"], compositor, sounds, np.random.default_rng(seed))
    with written(place.work / material.PROTOTYPES) as part:
        part.write_text(json.dumps({"drawings": drawings, "clips": clips}), encoding="utf-8")
    print(f"{sum(map(len, drawings.values()))} drawings of {len(drawings)} concepts")
    print(f"{sum(map(len, clips.values()))} clips of {len(clips)} classes")


def _drawings(vae, scorer, images, records, rng):
    """{concept: its prototypes}, (row, whether to mirror it) each."""
    rows = material.core_drawings(records)
    captions = {c: [picture_caption(rng, c, row=k % 2 == 0) for k in range(8)] for c in rows}
    named, labels = likelihoods(scorer, shipped_texts(), captions), list(rows)

    @torch.no_grad()
    def how_sure(row):
        canvas = centred(np.random.default_rng(0), images[row])  # (128, 128)
        latents = vae.encode(torch.from_numpy(np.stack([canvas, silhouette(canvas)])[:, None]))
        return named(latents)[:, labels.index(records[row]["concept"])].tolist()

    found = {
        c: prototype_drawings(some, images, records, how_sure) for c, some in tqdm(rows.items())
    }
    return found | {c: found[other] for c, other in SHOWN_AS.items() if other in found}


def _clips(vae, scorer, compositor, sounds, rng):
    """{class: the rows of its clips that are alike and that a scorer names through a drawing}."""
    captions = {
        kind: [sound_caption(rng, sounds[rng.choice(rows)]) for _ in range(8)]
        for kind, rows in compositor.clips.items()
    }
    named, labels = likelihoods(scorer, shipped_texts(), captions), list(captions)

    @torch.no_grad()
    def how_sure(row):
        made = (
            printed(rng, compositor.drawing(rng), compositor.played(rng, row)) for _ in range(6)
        )
        latents = vae.encode(torch.from_numpy(np.stack(list(made))[:, None]).float())
        return float(named(latents)[:, labels.index(sounds[row]["class"])].mean())

    def texture(row):
        return np.mean([texture_of(compositor.played(rng, row)) for _ in range(3)], 0)

    textures = {k: texture(k) for rows in compositor.clips.values() for k in rows}
    usual = np.mean(list(textures.values()), 0)

    def chosen(rows):
        some = np.stack([textures[k] for k in rows]) - usual
        return [rows[k] for k in prototype_clips(some, [how_sure(k) for k in rows])]

    right = {
        kind: [k for k in rows if sounds_right(sounds[k])] or rows
        for kind, rows in compositor.clips.items()
    }
    return {kind: chosen(rows) for kind, rows in tqdm(right.items())}


# ---- which are typical ---------------------------------------------------------------------------


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


def most_alike(likeness, named, each=6, enough=5, least=0.75, also=0.0) -> list[int]:
    """Places of the `each` that are alike and surely named, the one that the others resemble
    first.

    `likeness` (N, N) are cosines; `named` (N,) are the logarithms of how surely each is named, and
    `also` is what else speaks for it. Beyond `enough`, those with a cosine below `least` to the
    first are left out.
    """
    sure = 1 + np.clip(np.array(named) / 4, -1, 0)
    also = np.zeros(len(sure)) + also

    def around(k):
        nearest = np.argsort(-(likeness[k] + 0.3 * sure), kind="stable")[:each]
        return [int(j) for n, j in enumerate(nearest) if n < enough or likeness[k, j] >= least]

    def worth(k):
        some = around(k)
        return (likeness[k] + sure / 2)[some].mean() + also[k] + len(some) / 100

    first = max(range(len(sure)), key=worth)
    return sorted(around(first), key=lambda k: -likeness[first, k])


def alike(images, outlined, **limits) -> list[tuple[int, bool]]:
    """(place, mirrored?) of the drawings that are alike and named by their outlines.

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
    chosen = most_alike(np.maximum(same, turned), outlined, also=area / 4, **limits)
    return [(k, bool(turned[chosen[0], k] > same[chosen[0], k])) for k in chosen]


def prototype_drawings(rows, images, records, how_sure) -> list[tuple[int, bool]]:
    """(row, mirrored?) of those rows of a concept that are most alike and named by outline.

    `how_sure(row)` are the logarithms of how surely a scorer names the drawing and its silhouette;
    if eight drawings are named surely, they are the ones to choose from.
    """
    good = {row: how_sure(row) for row in rows if fits(records[row])}
    named = [row for row, (drawn, _) in good.items() if drawn > -1.5]
    some = named if len(named) >= 8 else list(good)
    chosen = alike([images[row] for row in some], [good[row][1] for row in some])
    return [(some[k], mirrored) for k, mirrored in chosen]


def texture_of(canvas: np.ndarray) -> np.ndarray:
    """What an ear keeps of a sound (128, 512), whenever it begins: for each of 32 bands how loud
    it is, and how much it beats at 0 to 6 Hz. (1056,)"""
    bands = canvas.reshape(32, -1, canvas.shape[1]).mean(1)
    return np.sqrt(np.abs(np.fft.rfft(bands, axis=1))[:, :33] / canvas.shape[1]).ravel()


def prototype_clips(textures, named) -> list[int]:
    """Places of those of a class's clips that are alike and still heard through a drawing.

    `textures` (N, 1056) are those of the clips less what all clips have on average; `named` (N,)
    are the logarithms of how surely each is named, drawn upon.
    """
    unit = textures / np.linalg.norm(textures, axis=1, keepdims=True).clip(1e-9)
    return most_alike(unit @ unit.T, named, each=5, enough=4, least=0.5)
