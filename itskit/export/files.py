"""Pictures and sounds as files, each with its recipe inside."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..media.sounds import add_chunk, loop_chunk
from ..trajectory import Trajectory
from ..web import PALETTE
from ..writing import written
from .encode import within_full_scale
from .fonts import font, legible
from .names import digest, file_for, stem_of, tag_of, title_of
from .recipes import KEY, add_to_wav, as_text, picture_options, recipe_of
from .scrub import keyframes


def png(trajectory: Trajectory, path=None, *, item: int = 0, step: int | None = None) -> Path:
    """Write the picture of the result, or of a step, as PNG.

    Parameters
    ----------
    trajectory : Trajectory
        Or a `baselines.Canvas`, which has no steps.
    path : path, optional
        A file's name, or a folder, where the file is named after the prompts. Folders are made.
    item : int
        Which of the batch.
    step : int, optional
        None is the result.

    Returns
    -------
    Path
        Where it was written.
    """
    recipe = recipe_of(trajectory, item)
    path = file_for(path, stem_of(trajectory, item) + tag_of(step=step), ".png")
    image = trajectory.picture(item=item, **_at(step)).image
    with written(path) as part:
        image.save(part, format="PNG", **picture_options(recipe, ".png"))
    return path


def audio(trajectory: Trajectory, path=None, *, item: int = 0, step: int | None = None) -> Path:
    """Write the sound of the result, or of a step, at the toolkit's loudness.

    Parameters
    ----------
    trajectory : Trajectory
        Or a `baselines.Canvas`, which has no steps.
    path : path, optional
        A file's name, or a folder, where the file is named after the prompts. Folders are made.
        The suffix chooses WAV (16 bit; also without a path), FLAC, Ogg Vorbis or MP3.
    item : int
        Which of the batch.
    step : int, optional
        None is the result.

    Returns
    -------
    Path
        Where it was written.
    """
    import soundfile

    recipe = recipe_of(trajectory, item)
    kinds = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16")}
    kinds |= {".ogg": ("OGG", "VORBIS"), ".mp3": ("MP3", "MPEG_LAYER_III")}
    path = file_for(path, stem_of(trajectory, item) + tag_of(step=step), *kinds)
    container, coding = kinds[path.suffix.lower()]
    sound = trajectory.sound(item=item, **_at(step)).audible()
    samples = sound.samples
    if container in ("OGG", "MP3"):
        samples = within_full_scale(samples, sound.rate, format=container, subtype=coding)
    # In memory first: on a full disk libsndfile cuts an OGG or MP3 off and says nothing.
    data = BytesIO()
    with soundfile.SoundFile(data, "w", sound.rate, 1, coding, format=container) as file:
        if container != "WAV":
            file.title, file.comment = title_of(recipe), as_text(recipe)
        file.write(samples)
    if container == "WAV":
        add_to_wav(data, recipe)
        if sound.loop:
            add_chunk(data, b"smpl", loop_chunk(len(samples), sound.rate))
    with written(path) as part:
        part.write_bytes(data.getvalue())
    return path


def _at(step: int | None) -> dict:
    """For `picture` and `sound`; a Canvas has no step to be asked for."""
    return {} if step is None else {"step": step}


def animation(
    trajectory: Trajectory, path=None, *, item: int = 0, count: int | None = None, fps: float = 12
) -> Path:
    """Write the denoising as an animated GIF, or WebP if the path says so.

    The last step is held for a second and a half.

    Parameters
    ----------
    trajectory : Trajectory
    path : path, optional
        A file's name, or a folder, where the file is named after the prompts. Folders are made.
    item : int
        Which of the batch.
    count : int, optional
        How many steps, evenly spread; None is all.
    fps : float
        Steps a second.

    Returns
    -------
    Path
        Where it was written.
    """
    recipe = recipe_of(trajectory, item)
    tag = tag_of(count=count, fps=fps if fps != 12 else None)
    path = file_for(path, stem_of(trajectory, item) + tag, ".gif", ".webp")
    suffix = path.suffix.lower()
    chosen = keyframes(range(len(trajectory)), count or len(trajectory))
    pictures = [trajectory.picture(step, item).image.convert("RGB") for step in chosen]
    times = [round(1000 / fps)] * (len(pictures) - 1) + [1500]  # ms
    quality = {"quality": 80, "method": 4} if suffix == ".webp" else {}
    options = picture_options(recipe, suffix) | quality
    first, rest = pictures[0], pictures[1:]
    with written(path) as part:
        first.save(part, save_all=True, append_images=rest, duration=times, loop=0, **options)
    return path


def contact_sheet(
    trajectory: Trajectory, path=None, *, item: int = 0, count: int = 12, columns: int = 3
) -> Path:
    """Write steps beside each other as one PNG, with the prompts above them.

    Parameters
    ----------
    trajectory : Trajectory
    path : path, optional
        A file's name, or a folder, where the file is named after the prompts. Folders are made.
    item : int
        Which of the batch.
    count : int
        How many steps, evenly spread.
    columns : int

    Returns
    -------
    Path
        Where it was written.
    """
    recipe = recipe_of(trajectory, item)
    tag = tag_of(steps=count, columns=columns if columns != 3 else None)
    path = file_for(path, stem_of(trajectory, item) + tag, ".png")
    chosen = keyframes(range(len(trajectory)), count)
    tiles = [trajectory.picture(step, item).image.convert("RGB") for step in chosen]
    labels = [f"step {k}, t = {trajectory.steps[k].t}" for k in chosen]
    sheet = grid(tiles, labels, heading=title_of(recipe), columns=columns)
    with written(path) as part:
        sheet.save(part, format="PNG", **picture_options(recipe, ".png"))
    return path


def figure(axes, trajectory: Trajectory, path=None, *, item: int = 0) -> Path:
    """Write a plot as PNG, with the run's recipe.

    Parameters
    ----------
    axes : matplotlib Axes or array of them
        What `itskit.plots` returns.
    trajectory : Trajectory
    path : path, optional
        A file's name, or a folder, where the file is named after the prompts. Folders are made.
    item : int
        Which of the batch.

    Returns
    -------
    Path
        Where it was written.
    """
    recipe = recipe_of(trajectory, item)
    drawn = np.ravel(axes)[0].figure
    drawn.savefig(file := BytesIO(), format="png", dpi=150, metadata={KEY: as_text(recipe)})
    tag = f"--plot-{digest({}, file.getvalue())}"  # other curves, another name
    path = file_for(path, stem_of(trajectory, item) + tag, ".png")
    with written(path) as part:
        part.write_bytes(file.getvalue())
    return path


def grid(
    tiles: Sequence[Image.Image], labels: Sequence[str], *, heading: str = "", columns: int = 3
) -> Image.Image:
    """Equal pictures in rows, each with a line of text under it, `heading` above all."""
    gap, line = 20, 26  # px
    width, height = tiles[0].size
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    inner = columns * (width + gap) - gap
    heading, face = legible(heading, 22)
    title = wrap(heading, face, inner)
    top = gap + 30 * len(title) + (10 if title else 0)
    size = (inner + 2 * gap, top + rows * (height + line + gap))
    paper, ink, soft = (PALETTE["light"][name] for name in ("card", "ink", "soft"))
    sheet = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(sheet)
    for k, text in enumerate(title):
        draw.text((gap, gap + 30 * k), text, fill=ink, font=face)
    for k, (tile, label) in enumerate(zip(tiles, labels, strict=True)):
        x = gap + k % columns * (width + gap)
        y = top + k // columns * (height + line + gap)
        sheet.paste(tile, (x, y))
        draw.text((x, y + height + 5), label, fill=soft, font=font(14))
    return sheet


def wrap(text: str, face: ImageFont.ImageFont, width: float, limit: int = 3) -> list[str]:
    """`text` in lines no wider than `width` pixels; after `limit` lines an ellipsis."""
    lines, line = [], ""
    for word in " ".join(text.split()).split(" "):
        for piece in _pieces(word, face, width):
            joined = f"{line} {piece}".strip()
            if line and face.getlength(joined) > width:
                lines.append(line)
                line = piece
            else:
                line = joined
    lines = [*lines, line] if line else lines
    return [*lines[: limit - 1], lines[limit - 1][:-1] + "…"] if len(lines) > limit else lines


def _pieces(word: str, face: ImageFont.ImageFont, width: float) -> list[str]:
    """A word cut where it is wider than a whole line."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and face.getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces
