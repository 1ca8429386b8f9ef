"""Names that are safe as files, whatever a person typed as a prompt."""

from __future__ import annotations

import json
import re
import unicodedata
from hashlib import sha256
from os import sep
from pathlib import Path

from .. import recipes
from ..trajectory import Trajectory
from ..writing import make_folder
from .recipes import recipe_of

# Names that Windows keeps for devices, with any suffix.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10))}


def safe_name(text: str, limit: int = 60) -> str:
    """A file name (no suffix) made of a-z, 0-9 and single hyphens.

    Accents are dropped. A text whose letters cannot be kept at all (Arabic, emoji) gives a short
    hash of itself, so that different prompts keep different names.

    Parameters
    ----------
    text : str
    limit : int
        The most characters.

    Returns
    -------
    str
        1 to `limit` characters.
    """
    text = str(text)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain)[:limit].strip("-")
    if not name or name in _DEVICES:
        name = f"{name or 'prompt'}-{sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return name


def stem_for(recipe: dict, content: bytes = b"") -> str:
    """A file name for a result: its prompts, its seed, and eight digits that differ wherever
    anything else in the recipe does. `content` tells results apart of which the recipe says little.

    Made again from the same recipe, with the same weights and libraries, it keeps its name.
    """
    words = [safe_name(prompt, 40) for prompt in recipes.prompts(recipe)]
    seeds = recipe.get("seeds") or ([recipe["seed"]] if "seed" in recipe else [])
    seed = f"--seed{seeds[recipe.get('item', 0)]}" if seeds else ""
    return "--".join(words or ["itskit"]) + f"{seed}-{digest(recipe, content)}"


def stem_of(trajectory: Trajectory, item: int = 0) -> str:
    """`stem_for` an item of a result. Of a loop of one's own, the latent tells which it is; of a
    Canvas, its picture."""
    recipe = recipe_of(trajectory, item)
    if "weights_hash" in recipe:  # by `compose`: all that made it is there
        return stem_for(recipe)
    made = trajectory.latent if hasattr(trajectory, "latent") else trajectory.pictures
    return stem_for(recipe, made[item].float().cpu().numpy().tobytes())


def digest(recipe: dict, content: bytes = b"") -> str:
    """Eight hexadecimal digits of a recipe, in whatever order, and of bytes beside it."""
    text = json.dumps(recipe, sort_keys=True, default=str)
    return sha256(text.encode() + content).hexdigest()[:8]


def tag_of(**options) -> str:
    """What a name says of an exporter's options, such as "--step3"; None is not worth a word."""
    return "".join(f"--{key}{value}" for key, value in options.items() if value is not None)


def file_for(path, stem: str, *suffixes: str) -> Path:
    """`path`, which has to end in one of `suffixes`, or `stem` with the first of them: in the
    folder `path` if it is one or has no ending, else (None) in the working directory. The folders
    above it are made. Raises ValueError for another ending."""
    is_folder = str(path).endswith(("/", sep))
    path = Path("." if path is None else path)
    if is_folder or path.is_dir() or not path.suffix:
        path = path / (stem + suffixes[0])
    if path.suffix.lower() not in suffixes:
        raise ValueError(
            f"{path.name}: expected a name that ends in {' or '.join(suffixes)}, or a folder"
        )
    make_folder(path)
    return path


def title_of(recipe: dict) -> str:
    """One line for a window's title or a player's display."""
    return " ".join(" + ".join(recipes.prompts(recipe)).split()) or "An image that sounds"
