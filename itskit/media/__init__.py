"""Picture and Sound, and the one reader of the pictures and recordings that people have.

    what --read_picture--> Picture --fit_picture--> Picture of the canvas's size
    what --read_sound----> Sound   --fit_sound----> Sound as long as the canvas

`what` is the path of a file, the bytes of one, an upload of ipywidgets, a Picture, a Sound, a PIL
image, an array or tensor, `(samples, rate)`, or whatever has `picture()` and `sound()`, such as a
Trajectory. Files are told by what is in them, not by their names. What cannot be read rightly is
refused in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from ..checks import is_number
from .pictures import FITS, Picture, fit_picture, nearest_size, picture_of_array, plain
from .sounds import (
    Sound,
    centred,
    fit_sound,
    gain,
    is_silent,
    loud_rms,
    mono,
    part,
    resample,
    whole_columns,
)

__all__ = [
    "Picture",
    "Sound",
    "read",
    "read_picture",
    "read_sound",
    "fit_picture",
    "fit_sound",
    "grey_canvas",
    "nearest_size",
    "samples_at",
    "FITS",
    "centred",
    "gain",
    "is_silent",
    "loud_rms",
    "part",
    "resample",
    "whole_columns",
]

# --- reading ------------------------------------------------------------------------------------


def read(what, *, background="white", sr: int | None = None) -> Picture | Sound | np.ndarray:
    """The picture or the recording that `what` is or holds, told by its content.

    Parameters
    ----------
    what : path, bytes, open file, upload, Picture, Sound, PIL image, array, Trajectory, ...
        An array (n,), or of two channels, is a recording. A Trajectory is read as a picture.
    background : colour
        What a transparent picture is laid on.
    sr : int, optional
        Hz of an array that comes without its rate.

    Returns
    -------
    Picture, Sound or ndarray
        Samples without a rate stay an array, (n,) float32, the mean of the channels.

    Raises
    ------
    ValueError
        For what is neither, is damaged, or has an unknown scale.
    FileNotFoundError

    Examples
    --------
    >>> itskit.media.read("bell.wav")
    Sound(2.50 s at 44100 Hz)
    """
    what = _unpacked(what)
    if isinstance(what, Sound):
        return what
    if isinstance(what, (Picture, Image.Image)):
        return plain(what, background)
    if isinstance(what, (bytes, str, PathLike)) or hasattr(what, "read"):
        return _from_file(what, background)
    if callable(getattr(what, "picture", None)):
        return plain(what.picture(), background)
    samples, rate = _with_rate(what, sr)
    sizes = sorted(samples.shape)
    if samples.ndim == 1 or (samples.ndim == 2 and sizes[0] <= 2 < sizes[1]):
        samples = mono(samples)
        return samples if rate is None else Sound(samples, rate)
    return picture_of_array(samples, background)


def read_picture(what, *, background="white") -> Picture:
    """The picture that `what` is or holds: upright, opaque, 8 bits, grey or RGB.

    Parameters
    ----------
    what
        As for `read`. Arrays are (H, W), (H, W, channels) or (channels, H, W): bool, uint8, uint16
        (scaled to 8 bits), or floats in [0, 1].
    background : colour
        What a transparent picture is laid on: "white", "#204060", (32, 64, 96).

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        For a recording, and for what `read` refuses.
    """
    what = _unpacked(what)
    if isinstance(what, np.ndarray):
        return picture_of_array(what, background)
    found = read(what, background=background)
    if not isinstance(found, Picture):
        raise ValueError(f"{_named(what)} is a recording: expected a picture; give it to the sound")
    return found


def read_sound(
    what, *, start: float = 0.0, duration: float | None = None, sr: int | None = None
) -> Sound:
    """The recording that `what` is or holds: the mean of its channels, at its own rate.

    Parameters
    ----------
    what
        As for `read`. Arrays are (n,), (n, channels) or (channels, n): floats, or whole numbers of
        16 or 32 bits.
    start, duration : float
        The seconds to use; without `duration` all from `start` on.
    sr : int, optional
        Hz of an array that comes without its rate.

    Returns
    -------
    Sound

    Raises
    ------
    ValueError
        For a picture, for seconds that there are not, and for what `read` refuses.
    """
    what = _unpacked(what)
    if callable(getattr(what, "sound", None)):
        what = what.sound()
    if isinstance(what, np.ndarray):
        what = mono(what) if sr is None else Sound(mono(what), sr)
    found = read(what, sr=sr)
    if isinstance(found, Picture):
        raise ValueError(f"{_named(what)} is a picture: expected a recording")
    if not isinstance(found, Sound):
        raise ValueError(f"{len(found)} samples without a rate: expected (samples, rate)")
    return part(found, start, duration)


def _unpacked(what):
    """Uploads and views as bytes, tensors and lists as arrays."""
    if isinstance(what, (tuple, list)) and len(what) == 1 and isinstance(what[0], Mapping):
        what = what[0]  # FileUpload.value of ipywidgets 8
    elif isinstance(what, Mapping) and len(what) == 1:
        what = next(iter(what.values()))  # of ipywidgets 7: {name: {"content": ...}}
    if isinstance(what, Mapping) and "content" in what:
        what = what["content"]
    if isinstance(what, (bytearray, memoryview)):
        return bytes(what)
    if isinstance(what, torch.Tensor):
        what = what.detach().cpu()
        return (what.float() if what.is_floating_point() else what).numpy()
    if isinstance(what, list) and not _is_pair(what):
        return _array(what)
    return what


def _is_pair(what) -> bool:
    """Whether this is (samples, rate) or, as scipy has it, (rate, samples)."""
    return (
        isinstance(what, (tuple, list))
        and len(what) == 2
        and sorted(np.ndim(part) > 0 for part in what) == [False, True]
    )


def _with_rate(what, sr: int | None) -> tuple[np.ndarray, int | None]:
    if not _is_pair(what):
        return _array(what), sr
    rate, samples = sorted(what, key=lambda part: np.ndim(part) > 0)
    if not (is_number(rate) and 0 < rate < 1e7 and rate == round(float(rate))):
        raise ValueError(f"(samples, rate) has rate {rate!r}: expected a whole number of Hz")
    samples = _array(_unpacked(samples))
    return (samples if samples.ndim == 1 else mono(samples)), int(rate)


def _array(what) -> np.ndarray:
    array = np.asarray(what) if isinstance(what, (np.ndarray, tuple, list)) else None
    if array is None or array.dtype.kind not in "biuf" or not array.size:
        shape = "" if array is None else f" of shape {array.shape} and type {array.dtype}"
        raise ValueError(
            f"given a {type(what).__name__}{shape}: expected a picture or a recording, as the path "
            "or bytes of a file, a PIL image, an array of numbers, or (samples, rate)"
        )
    return array


def _named(what) -> str:
    if isinstance(what, (str, PathLike)):
        return str(what)
    if hasattr(what, "read") and isinstance(getattr(what, "name", None), str):
        return what.name  # of an open file
    return "the upload" if isinstance(what, bytes) else f"this {type(what).__name__}"


# --- files --------------------------------------------------------------------------------------


def _from_file(what, background) -> Picture | Sound:
    """A file by its path, its bytes, or open."""
    import soundfile

    name = _named(what)
    if isinstance(what, (str, PathLike)):
        if Path(what).is_dir():
            raise IsADirectoryError(f"{name} is a folder: expected a picture or a recording in it")
        if not Path(what).exists():
            raise FileNotFoundError(f"{name}: no such file: expected a picture or a recording")
        with open(what, "rb") as file:
            return _from_file(file, background)
    file = BytesIO(what) if isinstance(what, bytes) else what
    file.seek(0)
    try:
        with Image.open(file) as image:
            return Picture(plain(image, background).image.convert("RGB"))
    except UnidentifiedImageError:
        file.seek(0)  # perhaps a recording
    except Exception as error:  # of many kinds, for a picture that is damaged
        raise ValueError(f"{name} cannot be read as a picture: {error}") from None
    try:
        with soundfile.SoundFile(file) as recording:
            blocks = recording.blocks(recording.samplerate, dtype="float32", always_2d=True)
            means = [block.mean(axis=1) for block in blocks]  # (n, channels) -> (n,) each
            return Sound(np.concatenate([*means, np.zeros(0, np.float32)]), recording.samplerate)
    except soundfile.LibsndfileError:
        raise ValueError(
            f"{name} is no file that can be read: expected a picture (PNG, JPEG, WebP, GIF, TIFF …)"
            " or a recording (WAV, FLAC, OGG, MP3, AIFF …); save it as one of these"
        ) from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


# --- onto a canvas ------------------------------------------------------------------------------


def grey_canvas(what, height: int, multiple: int) -> torch.Tensor:
    """Any picture as a grey canvas, padded if its proportions differ.

    Parameters
    ----------
    what
        As for `read_picture`.
    height : int
        Pixels.
    multiple : int
        The width is a multiple of so many pixels.

    Returns
    -------
    Tensor
        (1, 1, height, W) in [0, 1].
    """
    picture = Picture(read_picture(what).image.convert("L"))
    picture = fit_picture(picture, nearest_size(picture, height, multiple))
    return torch.from_numpy(np.asarray(picture.image, np.float32) / 255)[None, None]


def samples_at(what, sr: int) -> np.ndarray:
    """Any recording as samples (n,) at `sr` Hz, float32, without their mean."""
    sound = read_sound(what, sr=sr)
    return resample(centred(sound.samples), sound.rate, sr)
