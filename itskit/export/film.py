"""A film of the result: the playhead sweeps the picture while its sound plays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw

from .. import recipes
from ..trajectory import Trajectory
from ..web import PALETTE
from ..writing import written
from .ffmpeg import ffmpeg
from .files import audio, wrap
from .fonts import font, legible
from .names import file_for, stem_of, tag_of
from .recipes import recipe_of

SIZE = (1280, 720)
PAGE = 8  # times as wide as high, at most
PAPER, INK, SOFT = (PALETTE["dark"][name] for name in ("page", "ink", "soft"))


def video(
    trajectory: Trajectory, path=None, *, item: int = 0, step: int | None = None, fps: float = 25
) -> Path:
    """Write an MP4 (H.264, AAC, 1280 x 720) of the result, or of a step, with the prompts below.

    A canvas wider than `PAGE` times its height is shown in pages, one after the other.

    Parameters
    ----------
    trajectory : Trajectory
    path : path, optional
        A file's name, or a folder, where the file is named after the prompts. Folders are made.
    item : int
        Which of the batch.
    step : int, optional
        None is the result.
    fps : float
        Frames a second.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    FileNotFoundError
        If there is no ffmpeg; the package imageio-ffmpeg brings one.
    RuntimeError
        If ffmpeg fails; its own words are then on stderr.
    """
    tag = tag_of(step=step, fps=fps if fps != 25 else None)
    path = file_for(path, stem_of(trajectory, item) + tag, ".mp4")
    ffmpeg()  # or there is no need to begin
    picture = trajectory.picture(step, item).image.convert("RGB")
    seconds = trajectory.sound(step, item).duration
    heads = [k / fps / seconds for k in range(max(1, round(seconds * fps)))]
    with TemporaryDirectory() as folder:
        # ffmpeg reads the recipe out of a FLAC file: it may be too long for a command line.
        sound = audio(trajectory, Path(folder) / "sound.flac", item=item, step=step)
        with written(path) as part:
            try:
                frames = _frames(picture, recipe_of(trajectory, item), heads)
                _encode(frames, len(heads), sound, part, fps)
            except (OSError, RuntimeError) as error:
                raise RuntimeError(
                    f"ffmpeg could not write {path.name}: its own words are on stderr"
                ) from error
    return path


def _still(picture: Image.Image, recipe: dict) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Everything that stands still, and where the picture lies on it: left, top, width, height."""
    still = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(still)
    width = SIZE[0] - 2 * 64
    height = min(round(width * picture.height / picture.width), SIZE[1] - 300)
    width = round(height * picture.width / picture.height)
    left, top = (SIZE[0] - width) // 2, 84
    still.paste(picture.resize((width, height), Image.LANCZOS), (left, top))
    y = top + height + 40
    for guide in filter(lambda guide: guide["prompt"], recipes.guides(recipe)):
        draw.text((left, y + 6), recipes.sense(guide), fill=SOFT, font=font(18))
        words, face = legible(guide["prompt"], 26)
        for line in wrap(words, face, width - 80):
            draw.text((left + 80, y), line, fill=INK, font=face)
            y += 36
        y += 12
    return still, (left, top, width, height)


def _pages(picture: Image.Image, recipe: dict) -> Iterator[tuple]:
    """The stills of the picture's pages, at most `PAGE` times as wide as high, as (still, box, the
    pixel that it begins at, the pixel that the next follows at). The last laps over the one before.
    """
    width, most = picture.width, PAGE * picture.height
    for end in range(most, width + most, most):
        begin = max(0, min(end, width) - most)
        part = picture.crop((begin, 0, min(begin + most, width), picture.height))
        yield *_still(part, recipe), begin, end


def _frames(picture: Image.Image, recipe: dict, heads: list[float]) -> Iterator[bytes]:
    """Raw RGB frames: the still of a page, with a white line at so much of the picture's width."""
    pages, end = _pages(picture, recipe), 0
    for head in heads:
        at = head * picture.width  # px
        while at >= end:
            still, (left, top, width, height), begin, end = next(pages)
        frame = np.array(still)
        shown = min(PAGE * picture.height, picture.width)
        x = left + min(width - 3, round((at - begin) / shown * width))
        frame[top - 8 : top + height + 8, x : x + 3] = 255
        yield frame.tobytes()


def _encode(frames: Iterator[bytes], count: int, sound: Path, path: Path, fps: float) -> None:
    """Write the film of `count` frames, with title and comment of `sound`.

    Raises OSError or RuntimeError if ffmpeg fails; why, it says on stderr.
    """
    from imageio_ffmpeg import count_frames_and_secs, write_frames

    film = {"fps": fps, "codec": "libx264", "quality": None, "ffmpeg_log_level": "error"}
    tone = {"audio_path": str(sound), "audio_codec": "aac"}
    options = ["-crf", "18", "-preset", "veryfast", "-b:a", "160k", "-movflags", "+faststart"]
    options += ["-map_metadata", "1"]  # of the second input, the sound
    with closing(write_frames(str(path), SIZE, **film, **tone, output_params=options)) as writer:
        writer.send(None)
        for frame in frames:
            writer.send(frame)
    # `write_frames` asks for no exit code, and a full disk may show only at the end.
    if (arrived := count_frames_and_secs(str(path))[0]) != count:
        raise RuntimeError(f"{arrived} of {count} frames arrived")
