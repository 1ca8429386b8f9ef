"""Recipes inside files: written by every exporter, read back by `read_recipe`."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from pathlib import Path
from typing import BinaryIO

from PIL import Image, PngImagePlugin

from .. import recipes
from ..media.sounds import add_chunk
from ..trajectory import Trajectory
from .ffmpeg import as_file, ffmpeg

KEY = "itskit-recipe"
DESCRIPTION = 0x010E  # Exif's ImageDescription
PICTURES = {".png", ".gif", ".webp"}
SOUNDS = {".wav", ".flac", ".ogg", ".mp3"}


def recipe_of(trajectory: Trajectory, item: int = 0) -> dict:
    """The recipe of one item of a batch: the same with that item's seed alone; or, where the rule
    picks among the items, with all seeds, and which "item" it is."""
    recipe = trajectory.recipe
    if recipes.picks_among_items(recipe.get("rule")):
        return {**recipe, "item": item}
    seeds = recipe.get("seeds")
    alone = {"seeds": [seeds[item]]} if seeds else {}
    return {**recipe, **alone}


def as_text(recipe: dict) -> str:
    """A recipe as one line of ASCII, which every container can hold."""
    return json.dumps(recipe, separators=(",", ":"))


def picture_options(recipe: dict, suffix: str) -> dict:
    """Keyword arguments of PIL's `Image.save` that put the recipe into the file."""
    if suffix == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_text(KEY, as_text(recipe))
        return {"pnginfo": info}
    if suffix == ".gif":
        return {"comment": as_text(recipe).encode()}
    exif = Image.Exif()
    exif[DESCRIPTION] = as_text(recipe)
    return {"exif": exif.tobytes()}


def add_to_wav(file: BinaryIO, recipe: dict) -> None:
    """Append the recipe to an open WAV file as a comment (RIFF chunk LIST INFO ICMT).

    Ours, since libsndfile writes such comments too but reads only short ones back, and mutagen
    writes ID3 tags, which few readers of WAV look for.
    """
    text = as_text(recipe).encode() + b"\0"
    text += b"\0" * (len(text) % 2)
    add_chunk(file, b"LIST", b"INFOICMT" + struct.pack("<I", len(text)) + text)


def read_recipe(path) -> dict:
    """The recipe inside a file that this package wrote.

    Parameters
    ----------
    path : path
        A picture, sound, film, page, MIDI file or JSON.

    Returns
    -------
    dict
        What `recompose` takes.

    Raises
    ------
    ValueError
        If there is none in it.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    readers = {".html": _from_page, ".mp4": _from_film, ".mid": _from_notes}
    readers |= {".json": Path.read_bytes}
    readers |= dict.fromkeys(PICTURES, _from_picture) | dict.fromkeys(SOUNDS, _from_sound)
    if suffix not in readers:
        raise ValueError(f"{path.name}: expected one of {', '.join(sorted(readers))}")
    open(path, "rb").close()  # what is not there, or may not be read, is told by its own error
    try:
        found = json.loads(readers[suffix](path))  # of bytes, whatever Unicode they are in
    except Exception:  # of libraries, each of which has others for damaged files
        raise ValueError(
            f"{path.name} carries no recipe: expected a file written by itskit.export, not edited "
            "or re-encoded since"
        ) from None
    return recipes.read(found) if isinstance(found, dict) else found


def _from_picture(path: Path) -> str | None:
    with Image.open(path) as image:
        found = image.info.get(KEY) or image.info.get("comment")
        found = found or image.getexif().get(DESCRIPTION)
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found


def _from_sound(path: Path) -> str:
    import soundfile

    if path.suffix.lower() == ".wav":
        return _from_wav(path.read_bytes())
    with soundfile.SoundFile(path) as file:
        return file.comment


def _from_wav(data: bytes) -> str | None:
    at = 12  # behind RIFF, the size and WAVE
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"LIST" and data[at + 8 : at + 16] == b"INFOICMT":
            return data[at + 20 : at + 8 + size].rstrip(b"\0").decode("utf-8", "replace")
        at += 8 + size + size % 2
    return None


def _from_page(path: Path) -> str:
    return json.dumps(recipe_in(path.read_text(encoding="utf-8")))


def recipe_in(html: str) -> dict | None:
    """The recipe in the text of a page; None if there is none."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html)
    return json.loads(found[1]).get("recipe") if found else None


def _from_notes(path: Path) -> str | None:
    import mido

    try:
        messages = mido.MidiFile(path).tracks[0]
    except (OSError, EOFError, IndexError, KeyError):  # no MIDI file, or a broken one
        return None
    return next((message.text for message in messages if message.type == "text"), None)


def _from_film(path: Path) -> str | None:
    command = [ffmpeg(), "-v", "error", "-nostdin", "-i", as_file(path), "-f", "ffmetadata", "-"]
    told = subprocess.run(command, capture_output=True).stdout.decode("utf-8", "replace")
    found = re.search(r"^comment=(.*?)(?<!\\)$", told, re.M | re.S)
    return found and re.sub(r"\\(.)", r"\1", found[1], flags=re.S)
