"""A film of the result: the playhead sweeps the picture while its sound plays."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw

from ..sampling import Trajectory
from ..writing import written
from .carry import as_text, recipe_of
from .ffmpeg import as_file, ffmpeg
from .files import audio, font, wrap
from .fonts import legible
from .names import file_for, stem_of, tag_of, title_of

SIZE = (1280, 720)
PAPER, INK, SOFT = "#101115", "#eceae4", "#a2a3a9"


def video(
    trajectory: Trajectory, path=None, *, item: int = 0, step: int | None = None, fps: int = 25
) -> Path:
    """Write an MP4 (H.264, AAC, 1280 x 720) of the result, or of a step, with the prompts below.

    The ffmpeg program comes with the package imageio-ffmpeg. Raises FileNotFoundError if it is not
    there, RuntimeError with its own words if it fails.
    """
    recipe = recipe_of(trajectory, item)
    tag = tag_of(step=step, fps=fps if fps != 25 else None)
    path = file_for(path, stem_of(trajectory, item) + tag, ".mp4")
    ffmpeg()  # or there is no need to begin
    stage, box = _stage(trajectory.picture(step, item).image.convert("RGB"), recipe)
    with TemporaryDirectory() as folder:
        sound = audio(trajectory, Path(folder) / "sound.wav", item=item, step=step)
        notes = Path(folder) / "notes.txt"
        notes.write_text(_notes(recipe), encoding="utf-8")
        frames = _frames(stage, box, trajectory.sound(step, item).duration, fps)
        with written(path) as part:
            if words := _encode(frames, sound, notes, part, fps):
                raise RuntimeError(f"ffmpeg could not write {path.name}: {words}")
    return path


def _stage(picture: Image.Image, recipe: dict) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Everything that stands still, and where the picture lies on it: left, top, width, height."""
    stage = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(stage)
    width = SIZE[0] - 2 * 64
    height = min(round(width * picture.height / picture.width), SIZE[1] - 300)
    width = round(height * picture.width / picture.height)
    left, top = (SIZE[0] - width) // 2, 84
    stage.paste(picture.resize((width, height), Image.LANCZOS), (left, top))
    y = top + height + 40
    for sense, name in (("see", "image"), ("hear", "sound")):
        if not recipe.get(f"{name}_prompt"):
            continue
        draw.text((left, y + 6), sense, fill=SOFT, font=font(18))
        words, face = legible(recipe[f"{name}_prompt"], 26)
        for line in wrap(words, face, width - 80):
            draw.text((left + 80, y), line, fill=INK, font=face)
            y += 36
        y += 12
    return stage, (left, top, width, height)


def _frames(stage: Image.Image, box, seconds: float, fps: int) -> Iterator[bytes]:
    """Raw RGB frames: the stage with a white line where the sound is."""
    left, top, width, height = box
    still = np.asarray(stage)
    for k in range(round(seconds * fps)):
        frame = still.copy()
        x = left + min(width - 3, round(k / fps / seconds * width))
        frame[top - 8 : top + height + 8, x : x + 3] = 255
        yield frame.tobytes()


def _encode(frames: Iterator[bytes], sound: Path, notes: Path, path: Path, fps: int) -> str:
    """Write the film; what ffmpeg says if it fails."""
    size = f"{SIZE[0]}x{SIZE[1]}"
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(fps), "-i", "-"]
    film = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p"]
    tone = ["-c:a", "aac", "-b:a", "160k"]
    kept = ["-map", "0:v", "-map", "1:a", "-map_metadata", "2", "-movflags", "+faststart"]
    command = [ffmpeg(), "-y", "-v", "error", *raw, "-i", as_file(sound), "-i", as_file(notes)]
    command += [*film, *tone, *kept, as_file(path)]
    with TemporaryDirectory() as folder, open(Path(folder) / "log", "w+b") as log:
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=log, stderr=log) as process:
            try:
                for frame in frames:
                    process.stdin.write(frame)
            except BrokenPipeError:
                pass  # ffmpeg gave up; its own words follow
        log.seek(0)
        words = log.read().decode("utf-8", "replace").strip()
    return (words or f"exit code {process.returncode}") if process.returncode else ""


def _notes(recipe: dict) -> str:
    """Title and recipe in ffmpeg's metadata format, its special characters escaped."""
    safe = str.maketrans({sign: f"\\{sign}" for sign in "=;#\\\n"})
    title = " ".join(title_of(recipe).split())
    return ";FFMETADATA1\n" + "".join(
        f"{name}={text.translate(safe)}\n"
        for name, text in (("title", title), ("comment", as_text(recipe)))
    )
