"""Composites: canvases that hold a drawing and a sound, chosen and made at random."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .canvas import (
    COLUMNS,
    PROTOTYPE_SIZES,
    ROWS,
    cut_out,
    fill_with_sound,
    place_drawing,
    placed,
    printed,
    tilted,
)

PROTOTYPES = 0.8  # of the rows of drawings show prototypes only
PROTOTYPE_CLIPS = 0.8  # of the clips: what they differ in is less than what drawings do


@dataclass(frozen=True)
class Compositor:
    """Makes canvases that both models are to know: drawings and sounds put together at random.

    Guidance adds what each prompt changes. The sum is a canvas that fits both prompts where both
    models have learned from canvases of one kind, and drawn the words of the other at random.
    """

    images: np.ndarray  # (N, 128, 128) uint8
    drawings: dict[str, list[int]]  # rows of `images` by concept
    mels: list[list[np.ndarray]]  # mel pictures (128, n) uint8 of each clip, at each of its rates
    clips: dict[str, list[int]]  # rows of `mels` by class
    # What is shown more often: drawings, with whether to mirror them, and clips.
    prototypes: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    prototype_clips: dict[str, list[int]] = field(default_factory=dict)
    concept_odds: np.ndarray | None = None  # how often each concept is drawn; None: each alike
    class_odds: np.ndarray | None = None
    _masses: dict[int, float] = field(default_factory=dict, repr=False)  # kept once computed

    def with_odds(self, concepts, classes):
        """The same, with other odds of the concepts and the classes."""
        return replace(self, concept_odds=concepts, class_odds=classes)

    def drawing(self, rng, concept=None, rows=None) -> np.ndarray:
        """A concept's drawings, by default any core one's, four in a row (128, 512)."""
        some = self.row(rng, concept or self.concept(rng), rows)
        return np.concatenate([self.square(rng, *one) for one in some], 1)

    def row(self, rng, concept, rows=None):
        """The drawings of each of four squares, as `square` takes them."""
        if concept in self.prototypes and rng.random() < PROTOTYPES:
            some = self.prototypes[concept]
        else:
            some = [(k, None) for k in rows or self.drawings[concept]]
        if rng.random() < 0.3:  # a row of the same
            some = [some[rng.integers(len(some))]]
        return [self._solid(rng, some) for _ in range(COLUMNS // ROWS)]

    def _solid(self, rng, some):
        """Any of some drawings, rather those of surfaces than those of thin lines."""
        two = [some[rng.integers(len(some))] for _ in range(2)]
        return max(two, key=lambda drawing: self._mass(drawing[0]))

    def _mass(self, k) -> float:
        if k not in self._masses:
            self._masses[k] = float(self.images[k].mean())
        return self._masses[k]

    def square(self, rng, k, turned=None) -> np.ndarray:
        """A drawing placed at random (128, 128); `turned` says whether to mirror it, if known."""
        if turned is None:
            return place_drawing(rng, self.images[k])
        image = cut_out(tilted(rng, self.images[k][:, ::-1] if turned else self.images[k]))
        if image is None:
            return np.zeros((ROWS, ROWS), np.float32)
        bright = max(1.0, float(np.percentile(image[image > 16], 90)))
        image = (image.astype(np.float32) * 255 / bright).clip(0, 255).astype(np.uint8)
        return placed(rng, image, rng.uniform(*PROTOTYPE_SIZES)) * np.float32(rng.uniform(0.8, 1.0))

    def sound(self, rng) -> np.ndarray:
        """A clip of any class on a canvas (128, 512)."""
        return self.played(rng, self.clip(rng, self.kind(rng)))

    def concept(self, rng) -> str:
        """Any concept."""
        return str(rng.choice(list(self.drawings), p=self.concept_odds))

    def kind(self, rng) -> str:
        """Any class of sounds."""
        return str(rng.choice(list(self.clips), p=self.class_odds))

    def clip(self, rng, kind) -> int:
        """The row of one of a class's clips."""
        prototype = kind in self.prototype_clips and rng.random() < PROTOTYPE_CLIPS
        return int(rng.choice(self.prototype_clips[kind] if prototype else self.clips[kind]))

    def played(self, rng, k, alter=None) -> np.ndarray:
        """A clip on a canvas (128, 512): a prototype as it was recorded, others at any rate.

        `alter` (rng, mel picture) changes it first.
        """
        mel = self.mels[k][self.rate(rng, k)]
        return fill_with_sound(rng, alter(rng, mel) if alter else mel)

    def rate(self, rng, k) -> int:
        """Which of a clip's mel pictures to play."""
        rates = len(self.mels[k])
        return rates // 2 if k in self._as_recorded else int(rng.integers(rates))

    @cached_property
    def _as_recorded(self) -> set[int]:
        return {k for rows in self.prototype_clips.values() for k in rows}

    def pair(self, rng, excluded=frozenset()):
        """(canvas, concept, clip): any drawings with any clip but the excluded."""
        concept, clip = self.match(rng, excluded)
        canvas = printed(rng, self.drawing(rng, concept), self.played(rng, clip))
        return canvas, concept, clip

    def match(self, rng, excluded=frozenset()):
        """(concept, clip): any but the excluded (concept, class)."""
        while True:
            concept, kind = self.concept(rng), self.kind(rng)
            if (concept, kind) not in excluded:
                return concept, self.clip(rng, kind)
