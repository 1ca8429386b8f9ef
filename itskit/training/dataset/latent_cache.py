"""Latents prepared once, so that a training step costs one U-Net and nothing else."""

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from ...models.pocket.networks import LATENT_CHANNELS, Autoencoder
from ...writing import written
from ..checkpoints import network
from ..place import Place
from ..precision import half_precision
from .augment import redrawn, rerecorded
from .canvas import COLUMNS, ROWS, place_drawing, printed, quiet
from .captions import picture_caption, sound_caption
from .files import read_pictures, read_sounds
from .material import compositor_of, grouped, prepared_sounds, rows_in
from .sampling_weights import clip_weights, concept_weights


def cache_latents(place: Place, *, variants=2, at_most=None, seed=0, start="work"):
    """Latents for training and validation: WORK/{image,sound}_{train,validation}.safetensors.

    Of each drawing or clip there are `variants` alone and twice as many composites; of each concept
    or class, `at_most` so many drawings or clips.
    """
    for split in ("train", "validation"):
        _cache(place, split, split, variants, 2 * variants, at_most, seed, start)


def augment(place: Place, *, variants=2, at_most=None, seed=0, start="work"):
    """The same by other hands and recorded elsewhere, for the scorers: WORK/..._varied; `variants`
    alone and as many composites."""
    alter = {"image": redrawn, "sound": rerecorded}
    _cache(place, "train", "varied", variants, variants, at_most, seed, start, alter)


def _cache(place, split, name, alone, composites, at_most, seed, start, alter=None):
    """WORK/image_NAME and WORK/sound_NAME: for each drawing and clip of the split so many canvases,
    altered first by the functions `alter`."""
    vae = network(Autoencoder(), "vae", place.work, start)
    images, records = read_pictures(place.data)
    mels, sounds = prepared_sounds(place)
    weights = concept_weights(records)
    drawn = [k for k in rows_in(records, split) if weights[records[k]["concept"]] > 0]
    drawn = thinned(drawn, records, "concept", at_most)
    heard = thinned(rows_in(sounds, split), sounds, "class", at_most)
    compositor = compositor_of(images, records, mels, sounds)
    for save, sense, rows in (
        (save_picture_latents, "image", drawn),
        (save_sound_latents, "sound", heard),
    ):
        file = place.work / f"{sense}_{name}.safetensors"
        save(vae, compositor, rows, file, alone=alone, composites=composites,
             alter=(alter or {}).get(sense), seed=seed)  # fmt: skip


def thinned(rows, records, key, at_most) -> list[int]:
    """The rows, of each concept or class no more than so many, evenly picked; all if it is None."""
    groups = grouped(rows, records, key).values()
    return [
        row for some in groups for row in some[:: max(1, -(-len(some) // (at_most or len(some))))]
    ]


@torch.no_grad()
def encode_all(vae, canvases, total=None, size=64):
    """Latents (N, 4, h, w) in half precision of a stream of canvases (128, W)."""
    out, batch = [], []

    def encode():
        pictures = torch.from_numpy(np.stack(batch)[:, None]).float()  # (n, 1, 128, W)
        with half_precision():
            return vae.encode(pictures).half()

    for canvas in tqdm(canvases, total=total, desc="latents", mininterval=5, disable=not total):
        batch.append(canvas)
        if len(batch) == size:
            out.append(encode())
            batch = []
    if batch:
        out.append(encode())
    return torch.cat(out) if out else torch.empty(0, LATENT_CHANNELS, 16, 16).half()


def filled_columns(canvas, margin=8):
    """First and last+1 latent column that a drawing touches."""
    columns = np.nonzero(canvas.max(0) > 0.06)[0]
    if len(columns) == 0:
        return 0, 16
    return max(0, columns[0] // margin), min(16, columns[-1] // margin + 1)


def save_picture_latents(vae, compositor, rows, out, *, alone=2, composites=0, alter=None, seed=0):
    """Latents (N·all canvases, 4, 16, 16), whose picture they show, and the columns they fill.

    Composites have the texture of any sound; `alter` changes each drawing first.
    """
    rng = np.random.default_rng(seed)
    spans, which = [], np.tile(np.array(rows, int), alone + composites)

    def canvases():
        for n, k in enumerate(which):
            image = compositor.images[k]
            canvas = place_drawing(rng, alter(rng, image) if alter else image)
            spans.append(filled_columns(canvas))
            if n < alone * len(rows):
                yield quiet(rng, canvas)
                continue
            left = ROWS * int(rng.integers(COLUMNS // ROWS))
            sound = compositor.sound(rng)
            row = np.zeros_like(sound)
            row[:, left : left + ROWS] = canvas
            yield printed(rng, row, sound)[:, left : left + ROWS]

    latents = encode_all(vae, canvases(), len(which))
    found = {"latents": latents, "which": torch.tensor(which), "spans": torch.tensor(spans)}
    with written(out) as part:
        save_file(found, part)


def save_sound_latents(vae, compositor, rows, out, *, alone=2, composites=0, alter=None, seed=0):
    """Latents (N·all canvases, 4, 16, 64) and whose clip they hold.

    Composites have the shape of any drawings, four of a kind in a row; `alter` changes each clip's
    mel picture first.
    """
    rng = np.random.default_rng(seed)
    which = np.tile(np.array(rows, int), alone + composites)

    def canvases():
        for n, k in enumerate(which):
            canvas = compositor.played(rng, k, alter)
            if n >= alone * len(rows):
                canvas = printed(rng, compositor.drawing(rng), canvas)
            yield canvas

    latents = encode_all(vae, canvases(), len(which), size=16)
    with written(out) as part:
        save_file({"latents": latents, "which": torch.tensor(which)}, part)


MADE_BY = {"train": "latent-cache", "varied": "augment"}  # command


def cached(place: Place, sense, *names):
    """The drawings ("image") or the clips ("sound") to train on, as latents with captions, of the
    caches WORK/SENSE_..., by default that of the training split alone."""
    files = {which: place.work / f"{sense}_{which}.safetensors" for which in names or ("train",)}
    for which, file in files.items():
        if not file.exists():
            raise FileNotFoundError(
                f"{file} is missing: run `python -m itskit.training {MADE_BY[which]}` first"
            )
    parts = [load_file(file) for file in files.values()]
    latents = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    if sense == "image":
        return PictureLatents(latents, read_pictures(place.data)[1])
    return SoundLatents(latents, read_sounds(place.data))


class PictureLatents:
    """Batches of picture latents and captions; `wide` ones are whole canvases."""

    def __init__(self, cache, records):
        self.latents, self.spans = cache["latents"], cache["spans"]
        weights, which = concept_weights(records), cache["which"].tolist()
        self.rows_of: dict[str, list[int]] = {}
        for row, k in enumerate(which):
            if weights[records[k]["concept"]] > 0:
                self.rows_of.setdefault(records[k]["concept"], []).append(row)
        self.names = sorted(self.rows_of)
        shares = [weights[name] for name in self.names]
        self.shares = np.array(shares) / sum(shares)

    @staticmethod
    def caption(rng, concept):
        return picture_caption(rng, concept, row=rng.random() < 0.5)

    def batch(self, rng, size, columns):
        """Latents (size, 4, 16, columns), their captions, and their places in `names`."""
        latents, texts = [], []
        labels = rng.choice(len(self.names), size, p=self.shares)
        for label in labels:
            rows = self.rows_of[self.names[label]]
            if columns == 16:
                latents.append(self.latents[rows[rng.integers(len(rows))]].float())
            else:
                # mostly one drawing repeated, sometimes a mixed crowd
                some = rng.choice(rows, 1 if rng.random() < 0.6 else 4)
                latents.append(
                    row_of_tiles(rng, self.latents[some].float(), self.spans[some], columns)
                )
            texts.append(picture_caption(rng, self.names[label], row=columns > 16))
        return torch.stack(latents), texts, torch.from_numpy(labels)


class SoundLatents:
    """Batches of sound latents and captions; narrow ones are windows of whole canvases."""

    def __init__(self, cache, records):
        self.latents, self.records = cache["latents"], records
        self.which = cache["which"].tolist()
        names = [records[k]["class"] for k in self.which]
        self.names = sorted(set(names))
        self.clips = {name: [] for name in self.names}
        for k in sorted(set(self.which)):
            self.clips[records[k]["class"]].append(k)
        self.labels = torch.tensor([self.names.index(name) for name in names])
        self.shares = clip_weights(records, self.which)

    def caption(self, rng, name):
        clips = self.clips[name]
        return sound_caption(rng, self.records[clips[rng.integers(len(clips))]])

    def batch(self, rng, size, columns):
        """Latents (size, 4, 16, columns), their captions, and their places in `names`."""
        rows = rng.choice(len(self.which), size, p=self.shares)
        latents = []
        for row in rows:
            start = rng.integers(0, 64 - columns + 1)
            latents.append(self.latents[row, :, :, start : start + columns].float())
        texts = [sound_caption(rng, self.records[self.which[row]]) for row in rows]
        return torch.stack(latents), texts, self.labels[rows]


def row_of_tiles(rng, latents, spans, columns=64):
    """Drawings side by side on one canvas of latents (4, 16, columns), with random gaps.

    Black is zero and the code is local, so placing latents is placing pictures.
    """
    canvas = torch.zeros(4, 16, columns)
    at = int(rng.integers(0, 5))
    order = rng.integers(0, len(latents), 16)
    for k in order:
        first, last = (int(n) for n in spans[k])
        if at + last - first > columns:
            break
        canvas[:, :, at : at + last - first] = latents[k, :, :, first:last]
        at += last - first + int(rng.integers(0, 7))
    shift = int(rng.integers(0, max(1, columns - at + 1)))
    return canvas.roll(shift, 2)
