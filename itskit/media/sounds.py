"""A Sound; recordings of any kind as one: the seconds, the rate and the level that are meant."""

from __future__ import annotations

import struct
import warnings
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from math import gcd
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..audio.loudness import normalise_loudness
from ..writing import make_folder, written

MOST_CHANNELS = 8  # an array of more of both is a picture
FRAME_SECONDS, PAUSE_DB = 0.02, 30.0  # frames so far below the loudest are pauses
# Root mean squares: BS.1770's gate, and what `normalise_loudness` brings to its -20 LUFS with the
# +30 dB that are its most.
SILENT, FAINT = 10 ** (-70 / 20), 10 ** (-50 / 20)
# What a plain audio element does when it begins: all other players pause (see sound.js).
ONE_AT_A_TIME = (
    "for (const one of document.querySelectorAll('audio')) if (one !== this) one.pause(); "
    "new BroadcastChannel('itskit').postMessage('play')"
)


@dataclass(frozen=True, eq=False)
class Sound:
    """Mono samples and their rate; a notebook shows a player.

    The samples are as they were recorded, or as a picture says: of any level, and beyond 1 where
    the picture is loud. Players and saved files hold the samples of `audible()`.

    Parameters
    ----------
    samples : array (n,)
        Kept as float32.
    rate : int
        Hz.
    loop : bool
        Whether its end leads to its beginning. Players then repeat it, and WAV files say so.

    Raises
    ------
    ValueError
        If the samples are not (n,) finite numbers.

    Examples
    --------
    >>> Sound(np.zeros(8000), 16000)
    Sound(0.50 s at 16000 Hz)
    """

    samples: np.ndarray
    rate: int
    loop: bool = False

    def __post_init__(self):
        samples = np.asarray(self.samples, dtype=np.float32)
        if samples.ndim != 1 or not samples.size or not np.isfinite(samples).all():
            raise ValueError(
                f"Sound was given samples of shape {samples.shape}: expected (n,) finite numbers, "
                "n > 0; average the channels, look for NaN"
            )
        object.__setattr__(self, "samples", samples)

    def __repr__(self) -> str:
        return f"Sound({self.duration:.2f} s at {self.rate} Hz{', a loop' if self.loop else ''})"

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate

    def audible(self) -> Sound:
        """The same at the loudness of all sounds, -20 LUFS, with no peak above -1 dB."""
        samples = normalise_loudness(self.samples, self.rate, loop=self.loop)
        return Sound(samples, self.rate, self.loop)

    def save(self, path, format: str | None = None) -> None:
        """Write it as a sound file, at the loudness of `audible`.

        Parameters
        ----------
        path : path or file object
            Its suffix says WAV, FLAC or OGG. Folders are made.
        format : str, optional
            The kind, for a file object: "WAV".
        """
        import soundfile

        make_folder(path)
        samples = self.audible().samples
        if not isinstance(path, (str, PathLike)):
            return soundfile.write(path, samples, self.rate, format=format)
        # In memory first: on a full disk libsndfile cuts an OGG or MP3 off and says nothing.
        file = BytesIO()
        kind = format or Path(path).suffix[1:]
        soundfile.write(file, samples, self.rate, format=kind)
        if self.loop and kind.upper() == "WAV":
            add_chunk(file, b"smpl", loop_chunk(len(samples), self.rate))
        with written(path) as part:
            Path(part).write_bytes(file.getvalue())

    def _repr_html_(self) -> str:
        # One data URI, emitted once: it plays in a saved notebook and on a static page too.
        file = BytesIO()
        self.save(file, format="WAV")
        data = b64encode(file.getvalue()).decode()
        source = f"data:audio/wav;base64,{data}"
        repeats = " loop" if self.loop else ""
        return f'<audio controls{repeats} src="{source}" onplay="{ONE_AT_A_TIME}"></audio>'


def add_chunk(file: BinaryIO, name: bytes, content: bytes) -> None:
    """Append a chunk to an open RIFF file, such as a WAV file."""
    file.seek(0, 2)
    file.write(name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2))
    size = file.tell() - 8
    file.seek(4)
    file.write(struct.pack("<I", size))


def loop_chunk(count: int, rate: int) -> bytes:
    """What a WAV file's "smpl" chunk says of `count` samples that are one loop, for samplers
    (Microsoft and IBM 1994, "New Multimedia Data Types and Data Techniques", "Sample Chunk")."""
    nanoseconds, middle_c, loops = round(1e9 / rate), 60, 1
    head = struct.pack("<9I", 0, 0, nanoseconds, middle_c, 0, 0, 0, loops, 0)
    return head + struct.pack("<6I", 0, 0, 0, count - 1, 0, 0)  # forward, endlessly


def mono(array: np.ndarray) -> np.ndarray:
    """The mean over the channels of samples (n,), (n, channels) or (channels, n): (n,) float32.

    Whole numbers are scaled by their depth. Raises ValueError for other shapes and types.
    """
    if array.ndim == 2 and min(array.shape) <= MOST_CHANNELS:
        array = _floats(array).mean(axis=int(np.argmin(array.shape)))  # (n,)
    if array.ndim != 1 or not array.size:
        raise ValueError(
            f"an array of shape {array.shape}: expected a recording (n,), (n, channels) or "
            f"(channels, n) of at most {MOST_CHANNELS} channels; a picture belongs to the image"
        )
    return _floats(array)


def _floats(samples: np.ndarray) -> np.ndarray:
    """Samples as float32, full scale at 1."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype in (np.int16, np.int32):
        return (samples / (np.iinfo(samples.dtype).max + 1)).astype(np.float32)
    raise ValueError(
        f"a recording of type {samples.dtype}: expected floats, int16, int32 or uint8; divide by "
        "full scale, 32768 for 16 bits"
    )


def part(sound: Sound, start: float = 0.0, duration: float | None = None) -> Sound:
    """A part of a recording.

    Parameters
    ----------
    sound : Sound
    start, duration : float
        Seconds; None or a too large `duration` is all from `start` on.

    Returns
    -------
    Sound

    Raises
    ------
    ValueError
        If there is nothing left.
    """
    if not 0 <= start < sound.duration or (duration is not None and not duration > 0):
        raise ValueError(
            f"start={start}, duration={duration}: expected seconds of a recording of "
            f"{sound.duration:.2f} s, 0 <= start < {sound.duration:.2f} and duration > 0"
        )
    if start == 0 and (duration is None or duration >= sound.duration):
        return sound
    first = round(start * sound.rate)
    count = len(sound.samples) if duration is None else max(1, round(duration * sound.rate))
    return Sound(sound.samples[first : first + count], sound.rate)


def fit_sound(
    sound: Sound,
    seconds: float | None = None,
    *,
    start: float = 0.0,
    duration: float | None = None,
) -> Sound:
    """A recording as long as a canvas.

    Parameters
    ----------
    sound : Sound
    seconds : float, optional
        It is cut to so many, or followed by silence, and its mean is taken out.
    start, duration : float
        The `part` to use.

    Returns
    -------
    Sound

    Warns
    -----
    UserWarning
        If it is silent.
    """
    sound = part(sound, start, duration)
    if seconds is not None:
        count = round(seconds * sound.rate)
        y = centred(sound.samples[:count])
        sound = Sound(np.pad(y, (0, count - len(y))), sound.rate)
    if is_silent(sound):
        warnings.warn(
            f"the recording is silent from {start:g} s on, as far as it is used: expected a sound; "
            "begin at another second (start)",
            stacklevel=3,
        )
    return sound


def centred(y: np.ndarray) -> np.ndarray:
    """Samples (n,) without their mean: a constant is no sound, but would count as level."""
    return y - y.mean()


def resample(y: np.ndarray, orig_sr: int, target_sr: int) -> np.ndarray:
    """Samples at another rate.

    The one resampler of the package, since librosa's first call costs seconds.

    Parameters
    ----------
    y : array (n,)
    orig_sr, target_sr : int
        Hz.

    Returns
    -------
    array, float32
        (ceil(n target_sr / orig_sr),). Up to 0.95 of the lower Nyquist frequency it changes by less
        than 1 dB; what is above the limit is 95 dB down.
    """
    if orig_sr == target_sr:
        return y
    from scipy.signal import firwin, resample_poly

    common = gcd(int(orig_sr), int(target_sr))
    up, down = int(target_sr) // common, int(orig_sr) // common
    longest = max(up, down)
    window = firwin(2 * 64 * longest + 1, 0.97 / longest, window=("kaiser", 9.0))
    return resample_poly(y, up, down, window=window).astype(np.float32)


def loud_rms(y: np.ndarray, sr: int) -> float:
    """Root mean square of samples (n,) at `sr` Hz without the pauses: over those frames of 20 ms
    that are within 30 dB of the loudest."""
    size = min(len(y), round(FRAME_SECONDS * sr))
    frames = y[: len(y) // size * size].reshape(-1, size).astype(np.float64)
    power = np.square(frames).mean(axis=1)  # (frames,)
    return float(np.sqrt(power[power >= power.max() * 10 ** (-PAUSE_DB / 10)].mean()))


def is_silent(sound: Sound) -> bool:
    """Whether there is nothing but noise of the last bit, or a constant."""
    return loud_rms(centred(sound.samples), sound.rate) < SILENT


def gain(y: np.ndarray, sr: int, wanted: float) -> float:
    """The factor that brings samples to a level.

    It is smaller for samples below -50 dBFS, and 1 for silence, so that noise stays quiet.

    Parameters
    ----------
    y : array (n,)
    sr : int
        Hz.
    wanted : float
        The factor for samples that are loud enough.

    Returns
    -------
    float
    """
    level = loud_rms(y, sr)
    if level < SILENT:
        return 1.0
    return wanted * min(1.0, level / FAINT)


def whole_columns(y: np.ndarray, hop_length: int, multiple: int) -> np.ndarray:
    """Samples (n,) followed by silence up to a multiple of so many columns of `hop_length`."""
    columns = max(1, -(-round(len(y) / hop_length) // multiple)) * multiple
    return np.pad(y, (0, max(0, columns * hop_length - len(y))))[: columns * hop_length]
