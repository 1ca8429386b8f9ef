"""From recordings to clips: read, trim, level, cut into windows; find the same recording again."""

import hashlib
import subprocess

import numpy as np
import soundfile

from ...export.ffmpeg import as_file, ffmpeg
from ...media import resample

RATE = 16000  # Hz
FRAME = 320  # samples of 20 ms over which loudness is taken
LONGEST = 10 * RATE
WINDOW = 6 * RATE


def read_recording(path) -> np.ndarray:
    """Mono float32 at 16 kHz; what libsndfile cannot read goes through ffmpeg."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        samples = samples.mean(1)
    except soundfile.LibsndfileError:
        samples, rate = _through_ffmpeg(path), 44100
    samples = np.nan_to_num(samples)
    if len(samples):
        samples = resample(samples, rate, RATE)
    return samples.astype(np.float32)


def _through_ffmpeg(path):
    command = [ffmpeg(), "-v", "error", "-nostdin", "-i", as_file(path)]
    command += ["-ac", "1", "-ar", "44100", "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True).stdout, "<f4").copy()


def loudness(samples) -> np.ndarray:
    """Root mean square of each 20 ms."""
    frames = max(1, len(samples) // FRAME)
    if len(samples) < FRAME:
        samples = np.pad(samples, (0, FRAME - len(samples)))
    squares = samples[: frames * FRAME].reshape(-1, FRAME) ** 2  # (frames, 320)
    return np.sqrt(squares.mean(1) + 1e-12)


def trim(samples, decibels=45.0) -> np.ndarray:
    """Without the silence around it: whatever is `decibels` below the loudest 20 ms."""
    samples = samples - samples.mean()
    level = loudness(samples)
    loud = np.where(level > max(level.max() * 10 ** (-decibels / 20), 1e-4))[0]
    if len(loud) == 0:
        return samples[:0]
    start = max(0, loud[0] * FRAME - 320)
    return samples[start : min(len(samples), (loud[-1] + 1) * FRAME + 480)]


def to_level(samples, target=-23.0, peak=-1.0) -> np.ndarray:
    """To `target` dBFS over its loud parts (those within 30 dB of the loudest), ends faded."""
    level = loudness(samples)
    active = level[level > level.max() * 10 ** (-30 / 20)]
    gain = 10 ** (target / 20) / np.sqrt((active**2).mean())
    gain = min(gain, 10 ** (peak / 20) / max(1e-9, np.abs(samples).max()))
    out = samples * gain
    fade = min(80, len(out) // 4)
    if fade:
        out[:fade] *= np.linspace(0, 1, fade)
        out[-fade:] *= np.linspace(1, 0, fade)
    return out


def at_least_half_a_second(samples) -> np.ndarray:
    return np.pad(samples, (0, max(0, RATE // 2 - len(samples))))


def windows(samples) -> list[tuple[float, np.ndarray]]:
    """(start in seconds, samples): all of it, or of a long recording the five loudest 6 s."""
    if len(samples) <= LONGEST:
        return [(0, samples)]
    starts = range(0, len(samples) - WINDOW + 1, WINDOW)
    levels = [np.sqrt((samples[s : s + WINDOW] ** 2).mean()) for s in starts]
    audible = [(level, s) for level, s in zip(levels, starts, strict=True)]
    audible = [item for item in sorted(audible, reverse=True) if item[0] > 0.1 * max(levels)][:5]
    return [(s / RATE, samples[s : s + WINDOW]) for s in sorted(s for _, s in audible)]


class SameRecording:
    """Remembers recordings, so that one shipped by several packages is taken once."""

    def __init__(self):
        self.hashes, self.by_class = set(), {}

    def seen(self, name: str, samples: np.ndarray) -> bool:
        start = np.round(samples[: RATE * 4] / np.abs(samples).max() * 200).astype(np.int16)
        digest = hashlib.sha256(start.tobytes()).digest()
        if digest in self.hashes:
            return True
        self.hashes.add(digest)
        if name == "speech":  # too many alike to compare, and none of them copies
            return False
        short = resample(samples[: RATE * 6], RATE, 4000)
        short = short - short.mean()
        known = self.by_class.setdefault(name, [])
        if any(similar(short, other) for other in known):
            return True
        known.append(short)
        return False


def similar(a, b) -> bool:
    """Nearly the same length, and correlated above 0.85 at some shift."""
    if abs(len(a) - len(b)) >= 0.12 * max(len(a), len(b)):
        return False
    size = 1 << int(np.ceil(np.log2(max(1, len(a) + len(b)))))
    product = np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size))
    correlation = np.abs(np.fft.irfft(product, size)).max()
    return correlation / np.sqrt((a @ a) * (b @ b) + 1e-12) > 0.85
