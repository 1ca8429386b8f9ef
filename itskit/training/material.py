"""What the stages train on: the set's drawings and clips, and what is woven of them."""

import json
from argparse import Namespace
from functools import lru_cache

import numpy as np
import torch

from . import bank as banks
from .captions import CORE, CORE_SOUNDS, picture_caption, sound_caption
from .data import MELS, RATES, read_pictures, read_sounds, uncompressed
from .loom import Loom, batches, harvested
from .vae import batch_of
from .weave import Weaver
from .words import PAIRS, VALIDATION_PAIRS


def prepared_sounds(args):
    """(mel pictures of each clip, its record), in the order of sounds_train.jsonl."""
    if (args.data / MELS).exists():  # a small set: one rate, compressed
        with np.load(args.data / MELS) as stored:
            return [[picture] for picture in uncompressed(stored)], read_sounds(args.data)
    file = args.work / MELS
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing: run `python -m itskit.training prepare` first")
    records, arrays = read_sounds(args.data), np.load(file)
    return [[arrays[f"{k}_{r}"] for r in range(len(RATES))] for k in range(len(records))], records


def rows_in(records, split):
    return [k for k, record in enumerate(records) if record["split"] == split]


def ground_of(images, records, mels, sounds, typical=None):
    """What canvases are woven with comes from the training split, whatever the canvas is from."""
    clips = [k for k in rows_in(sounds, "train") if sounds[k]["class"] in CORE_SOUNDS]
    return banks.Ground(
        images, core_drawings(records), mels, grouped(clips, sounds, "class"), typical
    )


def core_drawings(records):
    """{concept: its rows in the training split}, of what one pairs."""
    rows = [k for k in rows_in(records, "train") if records[k]["concept"] in CORE]
    return grouped(rows, records, "concept")


def grouped(rows, records, key) -> dict[str, list[int]]:
    """{concept or class: its rows}."""
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(records[row][key], []).append(row)
    return groups


def read_typical(args) -> dict[str, dict]:
    """What `curate` found: {"drawings": {concept: …}, "clips": {class: …}}, WORK's or a small
    set's own."""
    file = args.work / "typical.json"
    if (args.data / MELS).exists():  # the rows of a small set are its own
        file = args.data / file.name
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing: run `python -m itskit.training curate` first")
    typical = json.loads(file.read_text(encoding="utf-8"))
    if set(typical) != {"drawings", "clips"}:
        raise ValueError(
            f"{file} holds {sorted(typical)[:3]}, as an earlier version wrote it: expected "
            "'drawings' and 'clips'; run `python -m itskit.training curate` again"
        )
    return typical


def loom_of(args, **ways):
    """Batches of training material, in the `ways` that a Loom takes; the pairs that `evaluate` asks
    for are not among them."""
    typical = read_typical(args)
    images, records = read_pictures(args.data)
    mels, sounds = prepared_sounds(args)
    ground = ground_of(images, records, mels, sounds, typical)
    asked = frozenset((concept, kind) for concept, kind, _ in PAIRS + VALIDATION_PAIRS)
    return Loom(
        ground, records, sounds, drawings=grouped(rows_in(records, "train"), records, "concept"),
        played=rows_in(sounds, "train"), size=max(1, (args.batch or 32) // 4), excluded=asked,
        seed=args.seed, **ways,
    )  # fmt: skip


def woven(args, **ways):
    """Batches without end of canvases woven afresh, by processes beside this one or on the device.

    The latter are the same in kind, and enough for a GPU.
    """
    ways = {"kept": harvested(args.work), **ways}
    if not args.weave_on_device:
        return batches(loom_of(args, **ways), args.workers)
    weaver = weaver_of(args, args.seed)
    return map(weaver.woven, batches(loom_of(args, recipes=True, **ways), args.workers))


def weaver_of(args, seed) -> Weaver:
    """What weaves the set's drawings and clips on --device, which all stages of a run share."""
    weaver = _weaver(args.data, args.work, args.device)
    weaver.generator.manual_seed(seed)
    return weaver


@lru_cache(1)
def _weaver(data, work, device):
    args = Namespace(data=data, work=work)
    return Weaver(read_pictures(data)[0], prepared_sounds(args)[0], device)


def crops_of(args, seed):
    """size → (size, 1, 128, 128) on the device, as `vae.batch_of`: what an autoencoder learns."""
    images, records = read_pictures(args.data)
    mels, sounds = prepared_sounds(args)
    drawn, played = rows_in(records, "train"), rows_in(sounds, "train")
    if args.weave_on_device:
        weaver = weaver_of(args, seed)
        rows = [torch.tensor(some, device=args.device) for some in (drawn, played)]
        return lambda size: weaver.crops(size, *rows)
    images, mels = images[drawn], [mels[k] for k in played]
    rng = np.random.default_rng(seed)
    return lambda size: batch_of(rng, images, mels, size).to(args.device)


class Fresh:
    """Batches as `unet.Pictures` or `unet.Sounds` ("image", "sound") give them, woven and coded
    afresh on a device; `encode` makes latents of canvases (N, 128, 512)."""

    def __init__(self, loom, weaver, sense, encode):
        self.loom, self.weaver, self.sense, self.encode = loom, weaver, sense, encode
        self.names = list(loom.rows if sense == "image" else loom.ground.clips)
        self.weights = loom.concept_weights if sense == "image" else None

    def caption(self, rng, name):
        if self.sense == "image":
            return picture_caption(rng, name, row=rng.random() < 0.5)
        return sound_caption(rng, self.loom.clips[self.loom.ground.clip(rng, name)])

    def batch(self, rng, size, columns):
        """Latents (size, 4, 16, columns), their captions, and their places in `names`."""
        loom, ground, each = self.loom, self.loom.ground, 64 // columns  # parts of one canvas
        labels = rng.choice(len(self.names), -(-size // each), p=self.weights)
        names = [self.names[k] for k in labels]
        if self.sense == "image":
            clips = [ground.clip(rng, ground.kind(rng)) for _ in names]
            recipe = loom.recipe(rng, names, clips, loom.rows)
        else:
            clips = [ground.clip(rng, name) for name in names]
            recipe = loom.recipe(rng, [ground.concept(rng) for _ in names], clips)
        canvases = self.weaver.varied(recipe.tensors(), self.sense)
        latents = torch.cat(self.encode(canvases).split(columns, 3))[:size]
        texts = [self.caption(rng, name) for name in names * each][:size]
        return latents, texts, torch.from_numpy(labels).repeat(each)[:size]
