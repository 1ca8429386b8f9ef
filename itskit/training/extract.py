"""`python -m itskit.training extract`: a small set that a machine far away can be trained on.

It holds the drawings and the mel pictures of the typical drawings and clips (WORK/typical.json),
as many other ones of the core concepts and classes as fit, and a few of what is beyond them, all of
the training split. It is a folder like --data that needs neither the recordings nor `prepare`, nor
soundfile nor librosa; WebP keeps the mel pictures to within 0.8 dB (RMS).
"""

import json

import numpy as np

from ..writing import written
from .captions import CORE, CORE_SOUNDS, concept_weight
from .data import MELS, compressed, joined, read_pictures
from .material import grouped, prepared_sounds, read_typical

DRAWINGS, OTHERS = 0.4, 0.15  # of all bytes; of these, what is beyond the core
QUALITY = {"drawings": 80, "clips": 90}  # of WebP, in percent
EACH = 8  # of the other drawings and clips of a kind: fewer than six are never shown
LONGEST = 1024  # frames: two canvases


def main(args):
    """--out: pictures_128.npz, pictures.jsonl, mels.npz, sounds_train.jsonl, typical.json."""
    images, records = read_pictures(args.data)
    mels, sounds = prepared_sounds(args)
    typical = read_typical(args)
    size = args.megabytes * 1e6
    heard = [rates[len(rates) // 2][:, :LONGEST] for rates in mels]  # as recorded
    pictures = chosen(
        [k for some in typical["drawings"].values() for k, _ in some], *of_drawings(records),
        lambda k: (compressed(images[k], QUALITY["drawings"]), line_of(records[k])),
        size * DRAWINGS, args.seed,
    )  # fmt: skip
    clips = chosen(
        [k for some in typical["clips"].values() for k in some], *of_clips(sounds),
        lambda k: (compressed(heard[k], QUALITY["clips"]), line_of(sounds[k])),
        size * (1 - DRAWINGS), args.seed,
    )  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out, "pictures_128.npz", "pictures.jsonl", pictures)
    write(args.out, MELS, "sounds_train.jsonl", clips)
    row_of = [{k: row for row, k in enumerate(some)} for some in (pictures, clips)]
    typical = {
        "drawings": {concept: [(row_of[0][k], turned) for k, turned in some]
                     for concept, some in typical["drawings"].items()},
        "clips": {kind: [row_of[1][k] for k in some] for kind, some in typical["clips"].items()},
    }  # fmt: skip
    with written(args.out / "typical.json") as part:
        part.write_text(json.dumps(typical), encoding="utf-8")
    files = sorted(args.out.iterdir())
    print(f"{len(pictures)} drawings, {len(clips)} clips: "
          f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB in {args.out}")  # fmt: skip


def of_drawings(records):
    """Rows of the training split by core concept, and by others that are ever shown."""
    rows = [k for k, record in enumerate(records) if record["split"] == "train"]
    groups = grouped(rows, records, "concept")
    core = {name: some for name, some in groups.items() if name in CORE}
    others = {
        name: some for name, some in groups.items()
        if name not in CORE and concept_weight(records[some[0]], len(some)) > 0
    }  # fmt: skip
    return core, others


def of_clips(sounds):
    """Rows of the training split by core class, and by other class."""
    rows = [k for k, record in enumerate(sounds) if record["split"] == "train"]
    groups = grouped(rows, sounds, "class")
    core = {name: some for name, some in groups.items() if name in CORE_SOUNDS}
    return core, {name: some for name, some in groups.items() if name not in CORE_SOUNDS}


def chosen(typical, core, others, pack, limit, seed) -> dict[int, tuple[bytes, bytes]]:
    """{row: its picture and its record, as `pack` makes them}: the typical ones whatever the limit
    in bytes, a few others, and core ones up to it."""
    rng, taken, used = np.random.default_rng(seed), {}, 0

    def take(rows, limit=np.inf):
        nonlocal used
        for row in rows:
            if used >= limit:
                return
            if row not in taken:
                taken[row] = pack(row)
                used += sum(map(len, taken[row]))

    take(typical)
    until = used + max(0, limit - used) * OTHERS
    for name in rng.permutation(sorted(others)):
        if used < until:
            take(others[name][:EACH])  # whole groups: of what there are few, none is shown
    take(in_turn(rng, core), limit)
    return taken


def in_turn(rng, groups):
    """The rows of all groups at random, one of each in turn."""
    shuffled = [rng.permutation(rows).tolist() for rows in groups.values()]
    for k in range(max(map(len, shuffled), default=0)):
        yield from (rows[k] for rows in shuffled if k < len(rows))


def line_of(record) -> bytes:
    kept = {key: value for key, value in record.items() if key != "ogg"}
    return json.dumps(kept, ensure_ascii=False).encode() + b"\n"


def write(folder, file, lines, taken):
    """The pictures taken, and their records, in their order."""
    with written(folder / file) as part:
        np.savez(part, **joined([picture for picture, _ in taken.values()]))
    with written(folder / lines) as part:
        part.write_bytes(b"".join(line for _, line in taken.values()))
