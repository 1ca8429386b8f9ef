"""A finished picture that is a spectrogram too, without steps to look back at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from torch import Tensor

from .. import recipes
from ..codec import render
from ..media import Picture, Sound
from ..modality import Pair


@dataclass(frozen=True, eq=False)
class Canvas:
    """Finished pictures (B, 1, H, W) in [0, 1] that are spectrograms too, and how they were made.

    It answers like a `Trajectory`: `picture`, `sound`, `mel_picture`, `recipe`, `pair`.
    """

    pictures: Tensor
    recipe: dict = field(default_factory=dict)
    pair: Pair | None = None

    def __post_init__(self):
        object.__setattr__(self, "recipe", recipes.read(self.recipe))

    def __len__(self) -> int:
        return len(self.pictures)

    def mel_picture(self, item: int = 0) -> np.ndarray:
        """What is seen and heard, (H, W) in [0, 1], without the edge that the pair crops."""
        return self.pictures[item, 0, :, : self.pictures.shape[-1] - self._crop].numpy()

    def picture(self, item: int = 0) -> Picture:
        return Picture(Image.fromarray((self.mel_picture(item) * 255).round().astype(np.uint8)))

    def sound(self, item: int = 0) -> Sound:
        return render(self.pair.sound, self.pictures[item], self._crop)

    @property
    def _crop(self) -> int:
        return self.pair.crop_pixels if self.recipe.get("crop") else 0
