"""The public name of `itskit.audio`: sound to mel picture, mel picture to sound, and loudness."""

from .audio.griffin_lim import reconstruct
from .audio.loudness import integrated_loudness, normalise_loudness
from .audio.mel import (
    PAPER_MEL,
    POCKET_MEL,
    MelSettings,
    column_seconds,
    mel_picture,
    row_frequencies,
)

__all__ = [
    "MelSettings",
    "POCKET_MEL",
    "PAPER_MEL",
    "mel_picture",
    "row_frequencies",
    "column_seconds",
    "reconstruct",
    "integrated_loudness",
    "normalise_loudness",
]
