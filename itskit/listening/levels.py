"""One loudness for all sounds of a test: the louder of two is liked better, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence

from ..audio.loudness import integrated_loudness
from ..media import Sound

MOST = 15.0  # dB that a sound is lowered by; one that is quieter still is nearly silent


def levelled(sounds: Sequence[Sound]) -> list[Sound]:
    """The sounds as they are heard, all as loud as the quietest of them.

    `Sound.audible` brings sounds to one loudness, but for those whose peaks do not allow it: clicks
    stay up to 10 dB below. In a test all others are lowered to these; listeners turn up the volume.
    """
    heard = [sound.audible() for sound in sounds]
    levels = [integrated_loudness(sound.samples, sound.rate) for sound in heard]
    floor = max(min(levels), max(levels) - MOST)
    cuts = [min(0.0, floor - level) for level in levels]
    return [
        Sound(sound.samples * 10 ** (cut / 20), sound.rate)
        for sound, cut in zip(heard, cuts, strict=True)
    ]
