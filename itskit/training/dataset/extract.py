"""`python -m itskit.training extract`: a small set that a machine far away can be trained on.

It holds the drawings and mel pictures of the prototypes (WORK/typical.json), as many
other ones of the core concepts and classes as fit, and a few of what is beyond them, all of the
training split. It is a folder like --data that needs neither the recordings nor `prepare`, nor
soundfile nor librosa; WebP keeps the mel pictures to within 0.8 dB (RMS).
"""

import json
from pathlib import Path

import numpy as np

from ...writing import written
from ..place import Place
from .captions import CORE, CORE_SOUNDS
from .files import MELS, compressed, joined, read_pictures
from .material import PROTOTYPES, grouped, prepared_sounds, read_prototypes
from .sampling_weights import concept_weight

DRAWINGS, OTHERS = 0.4, 0.15  # of all bytes; of these, what is beyond the core
QUALITY = {"drawings": 80, "clips": 90}  # of WebP, in percent
EACH = 8  # of the other drawings and clips of a kind: fewer than six are never shown
LONGEST = 1024  # frames: two canvases


def extract(place: Place, *, out: Path = Path("out"), megabytes=24.0, seed=0):
    """OUT: pictures_128.npz, pictures.jsonl, mels.npz, sounds_train.jsonl, typical.json."""
    images, records = read_pictures(place.data)
    mels, sounds = prepared_sounds(place)
    prototypes = read_prototypes(place)
    size = megabytes * 1e6
    heard = [rates[len(rates) // 2][:, :LONGEST] for rates in mels]  # as recorded
    pictures = chosen(
        [k for some in prototypes["drawings"].values() for k, _ in some], *of_drawings(records),
        lambda k: (compressed(images[k], QUALITY["drawings"]), line_of(records[k])),
        size * DRAWINGS, seed,
    )  # fmt: skip
    clips = chosen(
        [k for some in prototypes["clips"].values() for k in some], *of_clips(sounds),
        lambda k: (compressed(heard[k], QUALITY["clips"]), line_of(sounds[k])),
        size * (1 - DRAWINGS), seed,
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    write(out, "pictures_128.npz", "pictures.jsonl", pictures)
    write(out, MELS, "sounds_train.jsonl", clips)
    with written(out / PROTOTYPES) as part:
        part.write_text(json.dumps(renumbered(prototypes, pictures, clips)), encoding="utf-8")
    files = sorted(out.iterdir())
    print(f"{len(pictures)} drawings, {len(clips)} clips: "
          f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB in {out}")  # fmt: skip


def renumbered(prototypes, pictures, clips) -> dict[str, dict]:
    """The prototypes by their rows among the pictures and clips that were taken."""
    drawing, clip = ({k: row for row, k in enumerate(taken)} for taken in (pictures, clips))
    return {
        "drawings": {concept: [(drawing[k], turned) for k, turned in some]
                     for concept, some in prototypes["drawings"].items()},
        "clips": {kind: [clip[k] for k in some] for kind, some in prototypes["clips"].items()},
    }  # fmt: skip


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


def chosen(prototypes, core, others, pack, limit, seed) -> dict[int, tuple[bytes, bytes]]:
    """{row: its picture and its record, as `pack` makes them}: the prototypes whatever the limit in
    bytes, a few others, and core ones up to it."""
    rng, taken, used = np.random.default_rng(seed), {}, 0

    def take(rows, limit=np.inf):
        nonlocal used
        for row in rows:
            if used >= limit:
                return
            if row not in taken:
                taken[row] = pack(row)
                used += sum(map(len, taken[row]))

    take(prototypes)
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
