"""Latents prepared once, so that a training step costs one U-Net and nothing else."""

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from ..models.pocket.networks import LATENT_CHANNELS
from ..writing import written
from .canvas import (
    COLUMNS,
    ROWS,
    TYPICAL_SIZES,
    cut_out,
    fill_with_sound,
    place_drawing,
    placed,
    printed,
    quiet,
    tilted,
)
from .loop import half_precision

TYPICAL = 0.8  # of the rows of drawings show the most typical ones only (`curate`)
TYPICAL_CLIPS = 0.8  # of the clips: what they differ in is less than what drawings do


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
    return max(0, columns[0] // margin - 0), min(16, columns[-1] // margin + 1)


class Ground:
    """Canvases that both models are to know: drawings and sounds woven at random.

    Guidance adds what each prompt changes. The sum is a canvas that fits both prompts where both
    models have learned from canvases of one kind, and drawn the words of the other at random.
    `drawings` and `clips` are the rows of each concept and class; `typical` are those that are
    shown more often, drawings with whether to mirror them: {"drawings": …, "clips": …}.
    """

    def __init__(self, images, drawings, mels, clips, typical=None):
        self.images, self.mels, self.drawings, self.clips = images, mels, drawings, clips
        typical = typical or {"drawings": {}, "clips": {}}
        self.typical: dict[str, list[tuple[int, bool]]] = typical["drawings"]
        self.typical_clips: dict[str, list[int]] = typical["clips"]
        self.as_recorded = {k for some in self.typical_clips.values() for k in some}
        self.concept_odds = self.kind_odds = None  # each alike
        self.masses: dict[int, float] = {}

    def drawing(self, rng, concept=None, rows=None) -> np.ndarray:
        """A concept's drawings, by default any core one's, four in a row (128, 512)."""
        some = self.row(rng, concept or self.concept(rng), rows)
        return np.concatenate([self.square(rng, *one) for one in some], 1)

    def row(self, rng, concept, rows=None):
        """The drawings of each of four squares, as `square` takes them."""
        if concept in self.typical and rng.random() < TYPICAL:
            some = self.typical[concept]
        else:
            some = [(k, None) for k in rows or self.drawings[concept]]
        if rng.random() < 0.3:  # a row of the same
            some = [some[rng.integers(len(some))]]
        return [self.solid(rng, some) for _ in range(COLUMNS // ROWS)]

    def solid(self, rng, some):
        """Any of some drawings, rather those of surfaces than those of thin lines."""
        two = [some[rng.integers(len(some))] for _ in range(2)]
        return max(two, key=lambda drawing: self.mass(drawing[0]))

    def mass(self, k) -> float:
        if k not in self.masses:
            self.masses[k] = float(self.images[k].mean())
        return self.masses[k]

    def square(self, rng, k, turned=None) -> np.ndarray:
        """A drawing placed at random (128, 128); `turned` says whether to mirror it, if known."""
        if turned is None:
            return place_drawing(rng, self.images[k])
        image = cut_out(tilted(rng, self.images[k][:, ::-1] if turned else self.images[k]))
        if image is None:
            return np.zeros((ROWS, ROWS), np.float32)
        bright = max(1.0, float(np.percentile(image[image > 16], 90)))
        image = (image.astype(np.float32) * 255 / bright).clip(0, 255).astype(np.uint8)
        return placed(rng, image, rng.uniform(*TYPICAL_SIZES)) * np.float32(rng.uniform(0.8, 1.0))

    def sound(self, rng) -> np.ndarray:
        """A clip of any class on a canvas (128, 512)."""
        return self.played(rng, self.clip(rng, self.kind(rng)))

    def concept(self, rng) -> str:
        return str(rng.choice(list(self.drawings), p=self.concept_odds))

    def kind(self, rng) -> str:
        return str(rng.choice(list(self.clips), p=self.kind_odds))

    def clip(self, rng, kind) -> int:
        """The row of one of a class's clips."""
        typical = kind in self.typical_clips and rng.random() < TYPICAL_CLIPS
        return int(rng.choice(self.typical_clips[kind] if typical else self.clips[kind]))

    def played(self, rng, k, vary=None) -> np.ndarray:
        """A clip on a canvas (128, 512): a typical one as it was recorded, others at any rate."""
        mel = self.mels[k][self.rate(rng, k)]
        return fill_with_sound(rng, vary(rng, mel) if vary else mel)

    def rate(self, rng, k) -> int:
        """Which of a clip's mel pictures to play."""
        rates = len(self.mels[k])
        return rates // 2 if k in self.as_recorded else int(rng.integers(rates))

    def pair(self, rng, excluded=frozenset()):
        """(canvas, concept, clip): any drawings woven with any clip but the excluded."""
        concept, clip = self.match(rng, excluded)
        canvas = printed(rng, self.drawing(rng, concept), self.played(rng, clip))
        return canvas, concept, clip

    def match(self, rng, excluded=frozenset()):
        """(concept, clip): any but the excluded (concept, class)."""
        while True:
            concept, kind = self.concept(rng), self.kind(rng)
            if (concept, kind) not in excluded:
                return concept, self.clip(rng, kind)


def picture_bank(
    vae,
    ground,
    indices,
    out,
    *,
    variants=2,
    woven_variants=0,
    vary=None,
    seed=0,
):
    """Latents (N·all variants, 4, 16, 16), whose picture they show, and the columns they fill.

    The woven variants have the texture of any sound; `vary` alters each drawing first.
    """
    rng = np.random.default_rng(seed)
    spans, which = [], np.tile(np.array(indices, int), variants + woven_variants)

    def canvases():
        for n, k in enumerate(which):
            image = ground.images[k]
            canvas = place_drawing(rng, vary(rng, image) if vary else image)
            spans.append(filled_columns(canvas))
            if n >= variants * len(indices):
                left = ROWS * int(rng.integers(COLUMNS // ROWS))
                sound = ground.sound(rng)
                row = np.zeros_like(sound)
                row[:, left : left + ROWS] = canvas
                canvas = printed(rng, row, sound)[:, left : left + ROWS]
            else:
                canvas = quiet(rng, canvas)
            yield canvas

    latents = encode_all(vae, canvases(), len(which))
    found = {"latents": latents, "which": torch.tensor(which), "spans": torch.tensor(spans)}
    with written(out) as part:
        save_file(found, part)


def sound_bank(vae, ground, indices, out, *, variants=2, woven_variants=0, vary=None, seed=0):
    """Latents (N·all variants, 4, 16, 64) and whose clip they hold.

    The woven variants have the shape of any drawings, four of a kind in a row; `vary` alters each
    clip's mel picture first.
    """
    rng = np.random.default_rng(seed)
    which = np.tile(np.array(indices, int), variants + woven_variants)

    def canvases():
        for n, k in enumerate(which):
            canvas = ground.played(rng, k, vary)
            if n >= variants * len(indices):
                canvas = printed(rng, ground.drawing(rng), canvas)
            yield canvas

    latents = encode_all(vae, canvases(), len(which), size=16)
    with written(out) as part:
        save_file({"latents": latents, "which": torch.tensor(which)}, part)


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


def load_bank(path):
    return load_file(path)
