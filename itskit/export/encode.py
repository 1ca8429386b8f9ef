"""Small files in memory: pictures as WebP, sounds as MP3. What every current browser decodes."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from ..media import Sound

PICTURE_TYPE = "image/webp"
MOST_WEBP = 16383  # pixels along a side
MOST_PEAK = 0.96  # of what a lossy coder makes of a sound
PROBE_AT = 0.25  # s, where the probe's click lies
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def sound_type() -> str:
    """The media type of `sound_bytes` here: MP3, which Safari decodes too, or WAV without it."""
    import soundfile

    return "audio/mpeg" if "MP3" in soundfile.available_formats() else "audio/wav"


def picture_bytes(image: Image.Image, quality: int = 90) -> bytes:
    """The WebP file of a picture; 2 to 30 kB for 512 x 128 grey pixels. PNG if it is too wide;
    browsers tell by the content."""
    file = BytesIO()
    if max(image.size) > MOST_WEBP:
        image.save(file, format="PNG")
        return file.getvalue()
    image.save(file, format="WEBP", quality=quality, method=2)
    return file.getvalue()


def sound_bytes(sound: Sound, *, level: float = 0.4) -> bytes:
    """The MP3 file of what is `audible` of a sound.

    3 to 7 kB a second at 16 kHz, at a variable bit rate; a higher `level` of compression, in
    [0, 1], gives smaller files. Uncompressed WAV where libsndfile was built without MP3, or the
    rate is none of MP3's; browsers tell by the content.
    """
    samples, coding = sound.audible().samples, _coding(sound.rate, level)
    file, peak = _encoded(samples, sound.rate, **coding)
    if peak > MOST_PEAK:  # seldom: few sounds pay for a second encoding
        file, _ = _encoded(samples * (MOST_PEAK / peak), sound.rate, **coding)
    return file


def lossless_bytes(sound: Sound) -> bytes:
    """The FLAC file of a sound as it is, at its own level, for whoever compares sounds: nothing is
    lost, and no peak makes it quieter than others. Every current browser decodes it."""
    import soundfile

    file = BytesIO()
    soundfile.write(file, sound.samples, sound.rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _coding(rate: int, level: float = 0.4) -> dict:
    if sound_type() != "audio/mpeg" or rate not in MP3_RATES:
        return {"format": "WAV", "subtype": "PCM_16"}
    mp3 = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": level}
    return mp3 | {"bitrate_mode": "VARIABLE"}


def within_full_scale(samples: np.ndarray, rate: int, **coding) -> np.ndarray:
    """`samples` (n,), as much quieter as keeps what comes out of a lossy coder within ±1.

    Such coders keep spectra, not peaks: after MP3, clicks and noise limited to -1 dBFS may reach
    above full scale, where a player clips them.
    """
    _, peak = _encoded(samples, rate, **coding)
    return samples * min(1, MOST_PEAK / max(peak, 1e-9))


def _encoded(samples: np.ndarray, rate: int, **coding) -> tuple[bytes, float]:
    """The file of `samples` (n,), and the peak of what comes out of it."""
    import soundfile

    file = BytesIO()
    soundfile.write(file, samples, rate, **coding)
    file.seek(0)
    return file.getvalue(), float(np.abs(soundfile.read(file)[0]).max(initial=0))


def probe(rate: int) -> bytes:
    """A half second of silence with one click at PROBE_AT seconds, encoded like every sound.

    An MP3 encoder puts about 1,100 samples of silence in front, and browsers disagree on whether
    to cut them off again; the scrubber decodes this file to see what its browser does.
    """
    at = np.arange(rate // 2) - round(PROBE_AT * rate)  # samples from the click
    click = np.sinc(at / 2) * np.exp(-((at / 40) ** 2))  # a click of half the bandwidth
    return _encoded(0.8 * click.astype(np.float32), rate, **_coding(rate))[0]
