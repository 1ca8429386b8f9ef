"""The pairs that itskit can load, by name or from a folder."""

from __future__ import annotations

from pathlib import Path

from ..modality import Pair


def load_pair(name: str | Path = "pocket", **options) -> Pair:
    """A pair of diffusion models over one latent.

    "pocket" is the small pair that ships with itskit; a folder with a `weights.json` is one that
    `python -m itskit.training` made. Raises ValueError for a name that is neither, and
    FileNotFoundError or ValueError if its weights are missing or damaged.
    """
    if name == "pocket" or (Path(name) / "weights.json").exists():
        from . import pocket

        folder = pocket.FOLDER if name == "pocket" else Path(name)
        return pocket.load(folder, name=str(name), **options)
    raise ValueError(
        f'unknown pair {str(name)!r}: expected "pocket", or a folder of pocket weights with a '
        "weights.json"
    )
