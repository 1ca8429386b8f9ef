"""Canvases woven afresh for every step: a drawing and a sound at once, or either alone.

A model that meets each canvas only once learns what drawings and sounds have in common, not which
canvases there are; and processes beside the training can weave them (`--workers`).
"""

import json
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .canvas import quiet
from .captions import picture_caption, sound_caption
from .loop import half_precision
from .unet import clip_weights, concept_shares

ALONE = 1 / 3  # of all batches
KEPT = 0.35  # of the others repeat what came out right (`harvest`), if there is any
BROAD = 0.2  # of the sounds alone are any, the others of the classes and clips that are woven


class Batch(NamedTuple):
    """What the picture model and the sound model are shown, with captions: canvases (N, 128, 512)
    uint8, or latents (N, 4, 16, 64) float16; or a Recipe for both. If `woven`, both are shown the
    same.
    """

    pictures: "np.ndarray | Recipe"  # tensors, once they come from `batches`
    sounds: "np.ndarray | None"
    picture_captions: list[str]
    sound_captions: list[str]
    woven: bool


class Recipe(NamedTuple):
    """Which drawings and clips N canvases are to be woven of."""

    drawings: np.ndarray  # (N, 4) rows; tensors, too, from `batches`
    turned: np.ndarray  # (N, 4) whether to mirror it: 1, 0, or -1 if that is not known
    clips: np.ndarray  # (N,) rows
    rates: np.ndarray  # (N,) which of a clip's mel pictures

    def tensors(self):
        return Recipe(*map(torch.as_tensor, self))


class Loom(IterableDataset):
    """Batches without end. What is woven comes from `ground`, never an `excluded` (concept, class).

    Drawings alone, and some of the clips alone, are of all the training material: `drawings` are
    the rows of each concept, `played` those of the clips. `kept` are latents that came out right
    (`harvest`), of each (concept, class): a share `repeat` of what is woven repeats them, and what
    they have few of is woven more often. A share `alone` of all batches is not woven. With
    `recipes`, the canvases are left to a `weave.Weaver`.
    """

    def __init__(
        self, ground, records, clips, *, drawings, played, size, excluded=frozenset(), kept=None,
        repeat=0.0, alone=ALONE, recipes=False, seed=0,
    ):  # fmt: skip
        self.kept: dict[str, list] = {}  # class: its (concept, latents)
        for (concept, kind), latents in (kept or {}).items():
            self.kept.setdefault(kind, []).append((concept, latents))
        self.repeat, self.alone_share = repeat if kept else 0.0, alone
        if kept:
            ground.concept_odds = odds(list(ground.drawings), kept, 0)
            ground.kind_odds = odds(list(ground.clips), kept, 1)
        self.recipes = recipes
        self.ground, self.clips, self.size = ground, clips, size
        self.excluded, self.seed, self.played = excluded, seed, played
        shares = concept_shares(records)
        self.rows = {concept: rows for concept, rows in drawings.items() if shares[concept] > 0}
        weights = np.array([shares[concept] for concept in self.rows])
        self.concept_weights = weights / weights.sum()
        self.clip_weights = clip_weights(clips, played)

    def __iter__(self):
        worker = get_worker_info()
        rng = np.random.default_rng((self.seed, worker.id if worker else 0))
        while True:
            if rng.random() < self.alone_share:
                yield self.alone(rng)
            else:
                yield self.again(rng) if rng.random() < self.repeat else self.together(rng)

    def together(self, rng) -> Batch:
        if self.recipes:
            matches = [self.ground.match(rng, self.excluded) for _ in range(self.size)]
            concepts, clips = zip(*matches, strict=True)
            both, sounds = self.recipe(rng, concepts, clips), None
        else:
            made = [self.ground.pair(rng, self.excluded) for _ in range(self.size)]
            canvases, concepts, clips = zip(*made, strict=True)
            both = sounds = as_bytes(canvases)
        return Batch(both, sounds, *self.captions(rng, concepts, clips), woven=True)

    def recipe(self, rng, concepts, clips, rows=None) -> Recipe:
        """`rows` of a concept: other drawings than the ground's."""
        unknown = {None: -1, False: 0, True: 1}
        squares = [self.ground.row(rng, c, rows and rows[c]) for c in concepts]
        rates = [self.ground.rate(rng, clip) for clip in clips]
        return Recipe(
            np.array([[k for k, _ in row] for row in squares]),
            np.array([[unknown[turned] for _, turned in row] for row in squares]),
            np.array(clips), np.array(rates),
        )  # fmt: skip

    def again(self, rng) -> Batch:
        kinds = rng.choice(list(self.kept), self.size).tolist()  # each class alike
        chosen = [self.kept[kind][rng.integers(len(self.kept[kind]))] for kind in kinds]
        concepts = [concept for concept, _ in chosen]
        both = np.stack([some[rng.integers(len(some))] for _, some in chosen])
        clips = [self.ground.clip(rng, kind) for kind in kinds]
        return Batch(both, both, *self.captions(rng, concepts, clips), woven=True)

    def alone(self, rng) -> Batch:
        concepts = rng.choice(list(self.rows), self.size, p=self.concept_weights)
        clips = [self.clip(rng) for _ in range(self.size)]
        if self.recipes:
            pictures, sounds = self.recipe(rng, concepts, clips, self.rows), None
            return Batch(pictures, sounds, *self.captions(rng, concepts, clips), woven=False)
        pictures = [quiet(rng, self.ground.drawing(rng, c, self.rows[c])) for c in concepts]
        sounds = [self.ground.played(rng, clip) for clip in clips]
        told = self.captions(rng, concepts, clips)
        return Batch(as_bytes(pictures), as_bytes(sounds), *told, woven=False)

    def clip(self, rng) -> int:
        if rng.random() < BROAD:
            return int(rng.choice(self.played, p=self.clip_weights))
        return self.ground.clip(rng, self.ground.kind(rng))

    def captions(self, rng, concepts, clips):
        seen = [picture_caption(rng, concept, row=rng.random() < 0.5) for concept in concepts]
        return seen, [sound_caption(rng, self.clips[clip]) for clip in clips]


def odds(names, kept, place) -> np.ndarray:
    """How often to show each of the concepts (`place` 0) or classes (1) by how few of them are
    `kept`: four times as often as usual if none is, half as often if it is twice as many as usual.
    """
    found = np.array(
        [sum(len(some) for pair, some in kept.items() if pair[place] == name) for name in names]
    )
    weights = 1 / (0.3 + found / max(1e-9, found.mean()))
    return weights / weights.sum()


def as_bytes(canvases) -> np.ndarray:
    return (np.stack(canvases).clip(0, 1) * 255).round().astype(np.uint8)


def batches(loom, workers=0):
    """The loom's batches, woven by so many processes beside this one, or between its steps."""
    return iter(DataLoader(loom, batch_size=None, num_workers=workers))


@torch.no_grad()
def latents_of(vae, canvases, device):
    """Canvases (N, 128, 512), uint8 or float in [0, 1], or latents (N, 4, 16, 64) already → those,
    float32."""
    if canvases.ndim == 4:
        return canvases.to(device).float()
    pictures = canvases.to(device)[:, None].float()
    if not canvases.is_floating_point():
        pictures = pictures / 255
    with half_precision(device):
        return vae.encode(pictures).float()


def read_harvest(file) -> tuple[list[torch.Tensor], list[tuple[str, str]]]:
    """What `harvest` wrote: latents (4, 16, 64), float16, and the (concept, class) of each."""
    with safe_open(file, framework="pt") as stored:
        pairs = [tuple(pair) for pair in json.loads(stored.metadata()["pairs"])]
        # Copied: what is mapped from the file would change when `harvest` writes it again.
        return list(stored.get_tensor("latents").clone()), pairs


def harvested(folder) -> dict[tuple[str, str], list[np.ndarray]]:
    """{(concept, class): its latents (4, 16, 64)} of all the files of `harvest` in a folder."""
    kept: dict[tuple[str, str], list[np.ndarray]] = {}
    for file in sorted(folder.glob("harvest_*.safetensors")):
        for latent, pair in zip(*read_harvest(file), strict=True):
            kept.setdefault(pair, []).append(latent.numpy())
    return kept
