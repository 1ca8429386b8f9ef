"""Names that are safe as files, whatever a person typed as a prompt."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from os import sep
from pathlib import Path

from ..modality import make_folder

# Names that Windows keeps for devices, with any suffix.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10))}


def safe_name(text: str, limit: int = 60) -> str:
    """A file name (no suffix) made of a-z, 0-9 and single hyphens, 1 to `limit` characters.

    Accents are dropped. A text whose letters cannot be kept at all (Arabic, emoji) gives a short
    hash of itself, so that different prompts keep different names.
    """
    text = str(text)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain)[:limit].strip("-")
    if not name or name in _DEVICES:
        name = f"{name or 'prompt'}-{sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return name


def stem_for(recipe: dict) -> str:
    """A file name for a result: its prompts and its seed."""
    words = [safe_name(recipe[k], 40) for k in ("image_prompt", "sound_prompt") if recipe.get(k)]
    seeds = recipe.get("seeds") or ([recipe["seed"]] if "seed" in recipe else [])
    return "--".join(words or ["itskit"]) + (f"--seed{seeds[0]}" if seeds else "")


def file_for(path, recipe: dict, *suffixes: str, tag: str = "") -> Path:
    """`path`, which has to end in one of `suffixes`, or a name of its own for the recipe and the
    first of them: in the folder `path` if it is one or has no ending, else (None) in the working
    directory. The folders above it are made. Raises ValueError for another ending."""
    is_folder = str(path).endswith(("/", sep))
    path = Path("." if path is None else path)
    if is_folder or path.is_dir() or not path.suffix:
        path = path / (stem_for(recipe) + tag + suffixes[0])
    if path.suffix.lower() not in suffixes:
        raise ValueError(
            f"{path.name}: expected a name that ends in {' or '.join(suffixes)}, or a folder"
        )
    make_folder(path)
    return path


def title_of(recipe: dict) -> str:
    """One line for a window's title or a player's display."""
    words = [recipe[k] for k in ("image_prompt", "sound_prompt") if recipe.get(k)]
    return " + ".join(words) or "An image that sounds"
