"""The pairs that itskit can load, by name or from a folder."""

from __future__ import annotations

from pathlib import Path

from ..modality import Pair


def load_pair(name: str | Path = "pocket", **options) -> Pair:
    """A pair of diffusion models over one latent.

    Parameters
    ----------
    name : str or path
        "pocket" is the small pair that ships with itskit; a folder with a `weights.json` is one
        that `python -m itskit.training` made. "paper" is Stable Diffusion 1.5 with Auffusion,
        downloaded when first used (some gigabytes). `models.registry` lists what else has a name.
    **options
        Of the pocket pair: `engine`, who computes, "onnxruntime" or "torch", and `change` of its
        weights, as in `models.pocket.load`. Of a downloaded pair: `image` and `sound` name other
        repositories or folders, the others (`device`, `dtype`, `memory`, `compile`) are those of
        `models.paper.load`.

    Returns
    -------
    Pair

    Raises
    ------
    FileNotFoundError, PermissionError, ConnectionError
        If weights are missing, gated or out of reach.
    ValueError
        If the name is unknown or a file is damaged.
    MemoryError
        If there is not enough memory.

    Examples
    --------
    >>> pair = itskit.load_pair("pocket")
    >>> paper = itskit.load_pair("paper", memory="turns")
    """
    if name == "pocket" or (Path(name) / "weights.json").exists():
        from . import pocket

        folder = pocket.FOLDER if name == "pocket" else Path(name)
        return pocket.load(folder, name=str(name), **options)
    from . import registry

    if str(name) in registry.PAIRS:
        return registry.load(str(name), **options)
    known = ", ".join(f'"{known}"' for known in ("pocket", *registry.PAIRS))
    raise ValueError(
        f"unknown pair {str(name)!r}: expected one of {known}, or a folder of pocket weights with "
        "a weights.json; folders of Stable Diffusion's layout are loaded by "
        'load_pair("paper", image=folder, sound=folder)'
    )
