"""Batches of composites made afresh for every step: a drawing and a sound at once, or either alone.

A model that meets each canvas only once learns what drawings and sounds have in common, not which
canvases there are; and processes beside the training can make them (`--workers`).
"""

import json
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ..precision import half_precision
from .canvas import quiet
from .captions import picture_caption, sound_caption
from .compositor import Compositor
from .sampling_weights import clip_weights, concept_weights

ALONE = 1 / 3  # of all batches
BROAD = 0.2  # of the sounds alone are any, the others of the classes and clips of composites


class Selection(NamedTuple):
    """Which drawings and clips N canvases are to be made of."""

    drawings: np.ndarray  # (N, 4) rows; tensors, too, from `batches`
    turned: np.ndarray  # (N, 4) whether to mirror it: 1, 0, or -1 if that is not known
    clips: np.ndarray  # (N,) rows
    rates: np.ndarray  # (N,) which of a clip's mel pictures

    def tensors(self):
        return Selection(*map(torch.as_tensor, self))


class Batch(NamedTuple):
    """What the picture model and the sound model are shown, with captions: canvases (N, 128, 512)
    uint8, or latents (N, 4, 16, 64) float16; or a Selection for both. If they are `composites`,
    both are shown the same.
    """

    pictures: "np.ndarray | Selection"  # tensors, once they come from `batches`
    sounds: "np.ndarray | None"
    picture_captions: list[str]
    sound_captions: list[str]
    composites: bool


class Composites(IterableDataset):
    """Batches without end, made by `compositor`, never of an `excluded` (concept, class).

    Drawings alone, and some of the clips alone, are of all the training material: `drawings` are
    the rows of each concept, `played` those of the clips. `accepted` are latents that came out
    right (`self_training`), of each (concept, class): a share `repeat` of the composites repeats
    them, and what they have few of is made more often. A share `alone` of all batches are no
    composites. With `select_only`, the canvases are left to a `DeviceCompositor`.
    """

    def __init__(
        self, compositor: Compositor, records, clips, *, drawings, played, size,
        excluded=frozenset(), accepted=None, repeat=0.0, alone=ALONE, select_only=False, seed=0,
    ):  # fmt: skip
        self.accepted: dict[str, list] = {}  # class: its (concept, latents)
        for (concept, kind), latents in (accepted or {}).items():
            self.accepted.setdefault(kind, []).append((concept, latents))
        self.repeat, self.alone_share = repeat if accepted else 0.0, alone
        if accepted:
            compositor = compositor.with_odds(
                odds(list(compositor.drawings), accepted, 0),
                odds(list(compositor.clips), accepted, 1),
            )
        self.compositor, self.select_only = compositor, select_only
        self.clips, self.size = clips, size
        self.excluded, self.seed, self.played = excluded, seed, played
        weights = concept_weights(records)
        self.rows = {concept: rows for concept, rows in drawings.items() if weights[concept] > 0}
        shares = np.array([weights[concept] for concept in self.rows])
        self.concept_shares = shares / shares.sum()
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
        """Composites of any drawings with any clips."""
        if self.select_only:
            matches = [self.compositor.match(rng, self.excluded) for _ in range(self.size)]
            concepts, clips = zip(*matches, strict=True)
            both, sounds = self.selection(rng, concepts, clips), None
        else:
            made = [self.compositor.pair(rng, self.excluded) for _ in range(self.size)]
            canvases, concepts, clips = zip(*made, strict=True)
            both = sounds = as_bytes(canvases)
        return Batch(both, sounds, *self.captions(rng, concepts, clips), composites=True)

    def selection(self, rng, concepts, clips, rows=None) -> Selection:
        """`rows` of a concept: other drawings than the compositor's."""
        unknown = {None: -1, False: 0, True: 1}
        squares = [self.compositor.row(rng, c, rows and rows[c]) for c in concepts]
        rates = [self.compositor.rate(rng, clip) for clip in clips]
        return Selection(
            np.array([[k for k, _ in row] for row in squares]),
            np.array([[unknown[turned] for _, turned in row] for row in squares]),
            np.array(clips), np.array(rates),
        )  # fmt: skip

    def again(self, rng) -> Batch:
        """Composites that came out right before."""
        kinds = rng.choice(list(self.accepted), self.size).tolist()  # each class alike
        chosen = [self.accepted[kind][rng.integers(len(self.accepted[kind]))] for kind in kinds]
        concepts = [concept for concept, _ in chosen]
        both = np.stack([some[rng.integers(len(some))] for _, some in chosen])
        clips = [self.compositor.clip(rng, kind) for kind in kinds]
        return Batch(both, both, *self.captions(rng, concepts, clips), composites=True)

    def alone(self, rng) -> Batch:
        """Drawings for the picture model, and other sounds for the sound model."""
        concepts = rng.choice(list(self.rows), self.size, p=self.concept_shares)
        clips = [self.clip(rng) for _ in range(self.size)]
        if self.select_only:
            pictures, sounds = self.selection(rng, concepts, clips, self.rows), None
            return Batch(pictures, sounds, *self.captions(rng, concepts, clips), composites=False)
        pictures = [quiet(rng, self.compositor.drawing(rng, c, self.rows[c])) for c in concepts]
        sounds = [self.compositor.played(rng, clip) for clip in clips]
        captions = self.captions(rng, concepts, clips)
        return Batch(as_bytes(pictures), as_bytes(sounds), *captions, composites=False)

    def clip(self, rng) -> int:
        """The row of a clip that is to be heard alone."""
        if rng.random() < BROAD:
            return int(rng.choice(self.played, p=self.clip_weights))
        return self.compositor.clip(rng, self.compositor.kind(rng))

    def captions(self, rng, concepts, clips):
        seen = [picture_caption(rng, concept, row=rng.random() < 0.5) for concept in concepts]
        return seen, [sound_caption(rng, self.clips[clip]) for clip in clips]


def odds(names, accepted, place) -> np.ndarray:
    """How often to show each of the concepts (`place` 0) or classes (1) by how few of them are
    `accepted`: four times as often as usual if none is, half as often if it is twice as many as
    usual.
    """
    found = np.array(
        [sum(len(some) for pair, some in accepted.items() if pair[place] == name) for name in names]
    )
    weights = 1 / (0.3 + found / max(1e-9, found.mean()))
    return weights / weights.sum()


def as_bytes(canvases) -> np.ndarray:
    return (np.stack(canvases).clip(0, 1) * 255).round().astype(np.uint8)


def batches(composites, workers=0):
    """The batches, made by so many processes beside this one, or between its steps."""
    return iter(DataLoader(composites, batch_size=None, num_workers=workers))


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


def read_accepted(file) -> tuple[list[torch.Tensor], list[tuple[str, str]]]:
    """What `self_training` wrote: latents (4, 16, 64), float16, and their (concept, class)
    each."""
    with safe_open(file, framework="pt") as stored:
        pairs = [tuple(pair) for pair in json.loads(stored.metadata()["pairs"])]
        # Copied: what is mapped from the file would change when it is written again.
        return list(stored.get_tensor("latents").clone()), pairs


def all_accepted(folder) -> dict[tuple[str, str], list[np.ndarray]]:
    """{(concept, class): its latents (4, 16, 64)} of all files of `self_training` in a
    folder."""
    accepted: dict[tuple[str, str], list[np.ndarray]] = {}
    for file in sorted(folder.glob("harvest_*.safetensors")):
        for latent, pair in zip(*read_accepted(file), strict=True):
            accepted.setdefault(pair, []).append(latent.numpy())
    return accepted
