"""The pairs of downloaded models that itskit knows by name. `docs/pairs.md` adds one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..modality import Pair
from .hub import PARTS


@dataclass(frozen=True)
class Entry:
    """Two Stable Diffusion repositories or folders of one latent space, and how the second sounds.

    Attributes
    ----------
    image, sound : str or path
    voice : callable, optional
        (folder of the sound model, device) -> Voice (`paper.py`); None is Auffusion's vocoder.
    parts : tuple of str
        Subfolders that the sound model has to have.
    """

    image: str | Path
    sound: str | Path
    voice: Callable | None = None
    parts: tuple[str, ...] = (*PARTS, "vocoder")


def _riffusion_voice(folder: Path, device):
    from .riffusion import voice

    return voice(folder, device)


STABLE_DIFFUSION = "stable-diffusion-v1-5/stable-diffusion-v1-5"

PAIRS = {
    "paper": Entry(STABLE_DIFFUSION, "auffusion/auffusion-full-no-adapter"),
    "riffusion": Entry(STABLE_DIFFUSION, "riffusion/riffusion-model-v1", _riffusion_voice, PARTS),
}


def load(name: str, *, image=None, sound=None, **options) -> Pair:
    """The pair of that name.

    Parameters
    ----------
    name : str
        A key of `PAIRS`.
    image, sound : str or path, optional
        Another model, as a repository's id or a folder.
    **options
        Those of `paper.load`.
    """
    from . import paper

    entry = PAIRS[name]
    models = image or entry.image, sound or entry.sound
    options = {"voice": entry.voice, "parts": entry.parts, **options}
    return paper.load(*models, name=name, **options)
