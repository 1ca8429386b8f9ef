"""The two scorers: a picture, or the mel picture of a sound, finds its words.

Trained like CLIP (Radford et al. 2021) against sentences that do not move: the image side learns
to lie nearest to its own caption among one caption for each known class.
"""

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from .canvas import fill_with_sound, place_drawing
from .captions import class_weight, concept_weight, picture_caption, sound_caption


def picture_canvas(rng, images, rows, columns=256):
    """A row of drawings (64, 256), half size, of the things in `rows`, which share a concept."""
    canvas = np.zeros((64, columns), np.float32)
    at = int(rng.integers(0, 24))
    one = rng.random() < 0.6
    k = rows[rng.integers(len(rows))]
    while True:
        if not one:
            k = rows[rng.integers(len(rows))]
        tile = place_drawing(rng, images[k])[::2, ::2]
        filled = np.nonzero(tile.max(0) > 0.05)[0]
        tile = tile[:, filled[0] : filled[-1] + 1] if len(filled) else tile
        if at + tile.shape[1] > columns:
            return np.roll(canvas, int(rng.integers(0, max(1, columns - at))), 1)
        canvas[:, at : at + tile.shape[1]] = tile
        at += tile.shape[1] + int(rng.integers(0, 28))


def sound_canvas(rng, clips, rows, columns=256):
    """A sound's mel picture (64, 256), half size."""
    clip = clips[rows[rng.integers(len(rows))]]
    canvas = fill_with_sound(rng, clip[rng.integers(len(clip))])  # (128, 512)
    return canvas.reshape(64, 2, columns, 2).mean((1, 3))


def worn(rng, canvas, others):
    """As a generated canvas is: a little soft, a little noisy, a trace of the other modality."""
    if rng.random() < 0.7:
        canvas = np.maximum(canvas, canvas * 0 + others * rng.uniform(0, 0.45))
    if rng.random() < 0.5:
        canvas = canvas * (1 - (s := rng.uniform(0, 0.5))) + s * others
    return (canvas + rng.normal(0, rng.uniform(0, 0.05), canvas.shape)).clip(0, 1)


class Task:
    """Classes, how often each is shown, and a pool of canvases, made once, to draw from."""

    def __init__(self, make, rows_of, weights, caption, *, pool=6000, seed=0):
        self.names = [n for n in sorted(rows_of) if weights[n] > 0]
        self.caption = caption
        share = np.array([weights[n] for n in self.names]) ** 0.5
        rng = np.random.default_rng(seed)
        self.labels = rng.choice(len(self.names), pool, p=share / share.sum())
        self.canvases = np.stack(
            [
                (make(rng, rows_of[self.names[k]]) * 255).astype(np.uint8)
                for k in tqdm(self.labels, desc="canvases", mininterval=5)
            ]
        )  # (pool, 64, 256)

    def batch(self, rng, size, other):
        """Canvases (size, 1, 64, 256) in [0, 1], worn by the other task's, and their classes."""
        rows = rng.integers(0, len(self.labels), size)
        others = other.canvases[rng.integers(0, len(other.labels), size)]
        worn_out = [
            worn(rng, self.canvases[k] / 255, o / 255) for k, o in zip(rows, others, strict=True)
        ]
        return torch.from_numpy(np.stack(worn_out)[:, None]).float(), torch.from_numpy(
            self.labels[rows]
        )


def picture_task(images, records, split="train"):
    rows: dict[str, list[int]] = {}
    for k, record in enumerate(records):
        if record["split"] == split:
            rows.setdefault(record["concept"], []).append(k)
    weights = {name: concept_weight(name, len(r)) for name, r in rows.items()}
    return Task(
        lambda rng, r: picture_canvas(rng, images, r), rows, weights,
        lambda rng, name: picture_caption(rng, name, row=rng.random() < 0.5),
    )  # fmt: skip


def sound_task(mels, records, split="train"):
    rows: dict[str, list[int]] = {}
    for k, record in enumerate(records):
        if record["split"] == split:
            rows.setdefault(record["class"], []).append(k)
    weights = {
        name: class_weight(name, len({records[k]["rec"] for k in r}), len(r))
        for name, r in rows.items()
    }
    return Task(
        lambda rng, r: sound_canvas(rng, mels, r), rows, weights,
        lambda rng, name: sound_caption(rng, records[rows[name][rng.integers(len(rows[name]))]]),
    )  # fmt: skip


def loss_function(net, task, other, text_bank, *, size=32, seed=0):
    rng = np.random.default_rng(seed)
    pool = [text_bank([task.caption(rng, name) for _ in range(4)])[:, 0] for name in task.names]
    pool = F.normalize(torch.stack(pool), dim=2)  # (classes, 4, 384)

    def loss_of(step, progress):
        canvases, labels = task.batch(rng, size, other)
        texts = pool[torch.arange(len(pool)), torch.from_numpy(rng.integers(0, 4, len(pool)))]
        ours = net.features(canvases)  # (B, 384)
        logits = net.log_temperature.exp().clamp(max=50) * ours @ texts.T  # (B, classes)
        right = (logits.argmax(1) == labels).float().mean()
        return F.cross_entropy(logits, labels, label_smoothing=0.05), {"right": right}

    return loss_of
