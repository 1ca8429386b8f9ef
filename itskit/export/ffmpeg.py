"""The ffmpeg program, which comes with the package imageio-ffmpeg."""

from __future__ import annotations

import os
import shutil


def ffmpeg() -> str:
    """Where the program is. Raises FileNotFoundError, saying what to do, if there is none."""
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        program = get_ffmpeg_exe()  # whatever IMAGEIO_FFMPEG_EXE says, unseen
    except RuntimeError:
        program = ""
    if program and shutil.which(program):
        return program
    named = os.environ.get("IMAGEIO_FFMPEG_EXE")
    where = f"IMAGEIO_FFMPEG_EXE names {named}, which cannot be run" if named else "none was found"
    raise FileNotFoundError(
        f"no ffmpeg for MP4s ({where}): install imageio-ffmpeg again, or let IMAGEIO_FFMPEG_EXE "
        "name the program"
    )


def as_file(path) -> str:
    """A path as ffmpeg reads it, which takes "take:1.mp4" for a protocol and "-x.mp4" for an
    option otherwise."""
    return f"file:{os.fspath(path)}"
