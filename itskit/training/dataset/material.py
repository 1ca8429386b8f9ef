"""What the stages train on: the set's drawings and clips, and canvases made of them."""

import json
from functools import lru_cache

import numpy as np
import torch

from ...writing import written
from ..place import Place
from .canvas import crops
from .captions import CORE, CORE_SOUNDS, picture_caption, sound_caption
from .composites import Composites, all_accepted, batches
from .compositor import Compositor
from .files import MELS, RATES, all_mel_pictures, read_pictures, read_sounds, uncompressed
from .held_out import HELD_OUT
from .on_device import DeviceCompositor

PROTOTYPES = "typical.json"  # in WORK, or in a small set


def prepare(place: Place):
    """Mel pictures of every clip at every playback rate → WORK/mels.npz."""
    pictures = all_mel_pictures(read_sounds(place.data))
    arrays = {f"{k}_{r}": p for k, clip in enumerate(pictures) for r, p in enumerate(clip)}
    with written(place.work / MELS) as part:
        np.savez(part, **arrays)


def prepared_sounds(place: Place):
    """(mel pictures of each clip, its record), in the order of sounds_train.jsonl."""
    if (place.data / MELS).exists():  # a small set: one rate, compressed
        with np.load(place.data / MELS) as stored:
            return [[picture] for picture in uncompressed(stored)], read_sounds(place.data)
    file = place.work / MELS
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing: run `python -m itskit.training prepare` first")
    records, arrays = read_sounds(place.data), np.load(file)
    return [[arrays[f"{k}_{r}"] for r in range(len(RATES))] for k in range(len(records))], records


def read_prototypes(place: Place) -> dict[str, dict]:
    """What `prototypes` found: {"drawings": {concept: …}, "clips": {class: …}}, WORK's or a small
    set's own."""
    small = (place.data / MELS).exists()  # its rows are its own
    file = (place.data if small else place.work) / PROTOTYPES
    if not file.exists():
        raise FileNotFoundError(
            f"{file} is missing: run `python -m itskit.training prototypes` first"
        )
    prototypes = json.loads(file.read_text(encoding="utf-8"))
    if set(prototypes) != {"drawings", "clips"}:
        raise ValueError(
            f"{file} holds {sorted(prototypes)[:3]}, as an earlier version wrote it: expected "
            "'drawings' and 'clips'; run `python -m itskit.training prototypes` again"
        )
    return prototypes


def rows_in(records, split):
    return [k for k, record in enumerate(records) if record["split"] == split]


def grouped(rows, records, key) -> dict[str, list[int]]:
    """{concept or class: its rows}."""
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(records[row][key], []).append(row)
    return groups


def core_drawings(records, split="train"):
    """{concept: its rows in the split}, of what one pairs."""
    rows = [k for k in rows_in(records, split) if records[k]["concept"] in CORE]
    return grouped(rows, records, "concept")


def core_clips(sounds, split="train"):
    """{class: its rows in the split}, of what one pairs."""
    rows = [k for k in rows_in(sounds, split) if sounds[k]["class"] in CORE_SOUNDS]
    return grouped(rows, sounds, "class")


def compositor_of(images, records, mels, sounds, prototypes=None) -> Compositor:
    """Composites are made of the training split, whatever the canvas is from."""
    prototypes = prototypes or {"drawings": {}, "clips": {}}
    return Compositor(
        images, core_drawings(records), mels, core_clips(sounds),
        prototypes["drawings"], prototypes["clips"],
    )  # fmt: skip


def composites_of(place: Place, *, batch=32, seed=0, **ways) -> Composites:
    """Batches of training material, in the `ways` that Composites take; the pairs that are held out
    are not among them. `batch` counts narrow crops: a canvas is four of them."""
    prototypes = read_prototypes(place)
    images, records = read_pictures(place.data)
    mels, sounds = prepared_sounds(place)
    return Composites(
        compositor_of(images, records, mels, sounds, prototypes), records, sounds,
        drawings=grouped(rows_in(records, "train"), records, "concept"),
        played=rows_in(sounds, "train"), size=max(1, batch // 4), excluded=HELD_OUT, seed=seed,
        **ways,
    )  # fmt: skip


def fresh_batches(
    place: Place, *, batch=32, seed=0, device="cpu", on_device=False, workers=0, **ways
):
    """Batches without end, made afresh by processes beside this one or on the device.

    The latter are the same in kind, and enough for a GPU.
    """
    ways = {"accepted": all_accepted(place.work), "batch": batch, "seed": seed, **ways}
    if not on_device:
        return batches(composites_of(place, **ways), workers)
    compositor = device_compositor(place, device).seeded(seed)
    return map(compositor.made, batches(composites_of(place, select_only=True, **ways), workers))


@lru_cache(1)
def device_compositor(place: Place, device) -> DeviceCompositor:
    """What makes canvases of the set's drawings and clips; all stages of a call share it."""
    return DeviceCompositor(read_pictures(place.data)[0], prepared_sounds(place)[0], device)


def random_crops(place: Place, *, seed=0, device="cpu", on_device=False):
    """size → (size, 1, 128, 128) on the device, as `canvas.crops`: what an autoencoder learns."""
    images, records = read_pictures(place.data)
    mels, sounds = prepared_sounds(place)
    drawn, played = rows_in(records, "train"), rows_in(sounds, "train")
    if on_device:
        compositor = device_compositor(place, device).seeded(seed)
        rows = [torch.tensor(some, device=device) for some in (drawn, played)]
        return lambda size: compositor.crops(size, *rows)
    images, mels = images[drawn], [mels[k] for k in played]
    rng = np.random.default_rng(seed)
    return lambda size: torch.from_numpy(crops(rng, images, mels, size)).to(device)


class FreshLatents:
    """Batches as `latent_cache.PictureLatents` or `SoundLatents` ("image", "sound") give them, made
    and encoded afresh on a device; `encode` makes latents of canvases (N, 128, 512)."""

    def __init__(self, composites, on_device: DeviceCompositor, sense, encode):
        self.composites, self.on_device = composites, on_device
        self.sense, self.encode = sense, encode
        self.names = list(composites.rows if sense == "image" else composites.compositor.clips)
        self.shares = composites.concept_shares if sense == "image" else None

    def caption(self, rng, name):
        if self.sense == "image":
            return picture_caption(rng, name, row=rng.random() < 0.5)
        return sound_caption(rng, self.composites.clips[self.composites.compositor.clip(rng, name)])

    def batch(self, rng, size, columns):
        """Latents (size, 4, 16, columns), their captions, and their places in `names`."""
        composites, made_of = self.composites, self.composites.compositor
        each = 64 // columns  # parts of one canvas
        labels = rng.choice(len(self.names), -(-size // each), p=self.shares)
        names = [self.names[k] for k in labels]
        if self.sense == "image":
            clips = [made_of.clip(rng, made_of.kind(rng)) for _ in names]
            selection = composites.selection(rng, names, clips, composites.rows)
        else:
            clips = [made_of.clip(rng, name) for name in names]
            selection = composites.selection(rng, [made_of.concept(rng) for _ in names], clips)
        canvases = self.on_device.varied(selection.tensors(), self.sense)
        latents = torch.cat(self.encode(canvases).split(columns, 3))[:size]
        texts = [self.caption(rng, name) for name in names * each][:size]
        return latents, texts, torch.from_numpy(labels).repeat(each)[:size]
