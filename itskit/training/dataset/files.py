"""The prepared training set: what it holds, how it is split, how its sounds become pictures.

A set is a folder with `pictures_128.npz`, `pictures.jsonl`, `sounds_train.tar`,
`sounds_train.jsonl` (and `sounds_eval.*`, for measuring only). The subcommand `data` documents
how such a folder is assembled. A small set (`extract`) is one, too: its pictures are compressed, it
has mel pictures in the place of recordings, and its records say their split.

Nothing is drawn at random here: an artwork's or a recording's split follows from a hash of its
name, so that every later run, on any machine, holds out the same things.
"""

import hashlib
import io
import json
import tarfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ...audio.mel import POCKET_MEL, mel_picture
from ...media import resample

# Sets by one publisher share drawings; they are held out together.
FAMILIES = ("noto", "fluent", "emojione", "twemoji", "icon-park", "streamline", "fa7", "carbon")
MELS = "mels.npz"  # in WORK, or in a small set
RATES = (Fraction(8, 9), Fraction(1), Fraction(9, 8))


def split_of(group: str) -> str:
    """'test' for 10%, 'validation' for 5% and 'train' for the rest of all groups."""
    number = int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") / 2**32
    return "test" if number < 0.10 else "validation" if number < 0.15 else "train"


def in_set(root, name) -> Path:
    """A file of the set; FileNotFoundError says how to get one."""
    path = Path(root) / name
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: --data must name a folder with a training set; "
            "`python -m itskit.training data --help` says how one is assembled"
        )
    return path


def read_jsonl(path) -> list[dict]:
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_pictures(root) -> tuple[np.ndarray, list[dict]]:
    """uint8 pictures (N, 128, 128), bright on black, and their records with a `split` each.

    The split is by concept and family of sources: nearly equal drawings stay together.
    """
    with np.load(in_set(root, "pictures_128.npz")) as stored:
        images = stored["images"] if "images" in stored else np.stack(uncompressed(stored))
    records = read_jsonl(in_set(root, "pictures.jsonl"))
    for record in records:
        if "split" in record:  # of a small set
            continue
        family = next((f for f in FAMILIES if f in record["source"]), record["source"])
        record["split"] = split_of(f"{record['concept']}|{family}")
    return images, records


def read_sounds(root, part="train") -> list[dict]:
    """Records of the sounds, each with a `split` by recording and its bytes under `ogg`; a small
    set has none of these.

    A class of fewer than four recordings has nothing to spare: it is trained on whole, and only
    the foreign `sounds_eval` measures it.
    """
    records = read_jsonl(in_set(root, f"sounds_{part}.jsonl"))
    if part == "train" and (Path(root) / MELS).exists():
        return records
    recordings: dict[str, set] = {}
    for record in records:
        recordings.setdefault(record["class"], set()).add(record["rec"])
    with tarfile.open(in_set(root, f"sounds_{part}.tar")) as tar:
        for record in records:
            few = len(recordings[record["class"]]) < 4
            split = "train" if few else split_of(record["rec"])
            record["split"] = "eval" if part == "eval" else split
            record["ogg"] = tar.extractfile(record["file"]).read()
    return records


def compressed(picture: np.ndarray, quality: int) -> bytes:
    """A uint8 picture (H, W) as a WebP file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=quality)
    return file.getvalue()


def joined(files) -> dict[str, np.ndarray]:
    """Files one after another, and where each ends: arrays to store, whatever the files' sizes."""
    ends = np.cumsum([len(file) for file in files], dtype=np.int64)
    return {"bytes": np.frombuffer(b"".join(files), np.uint8), "ends": ends}


def uncompressed(stored) -> list[np.ndarray]:
    """The pictures (H, W) uint8 that were `compressed` and `joined`, nearly."""
    parts = np.split(stored["bytes"], stored["ends"][:-1])
    return [np.asarray(Image.open(io.BytesIO(part.tobytes())).convert("L")) for part in parts]


def read_clip(record) -> np.ndarray:
    """Samples (n,) of one sound at 16 kHz, float32."""
    import soundfile

    y, rate = soundfile.read(io.BytesIO(record["ogg"]), dtype="float32")
    if rate != POCKET_MEL.sr or y.ndim != 1:
        raise ValueError(f"{record['file']} is {rate} Hz, {y.ndim}-d; mono at 16 kHz is expected.")
    return y


def mel_pictures(record, rates=RATES) -> list[np.ndarray]:
    """uint8 mel pictures (128, frames) of one clip, played at each of the rates."""
    y = read_clip(record)
    y = np.pad(y, (0, max(0, 12 * POCKET_MEL.hop_length - len(y))))
    out = []
    for rate in rates:
        played = y if rate == 1 else resample(y, rate.numerator, rate.denominator)
        picture = mel_picture(np.ascontiguousarray(played)).numpy()  # (128, frames)
        out.append((picture * 255).round().astype(np.uint8))
    return out


def all_mel_pictures(records, rates=RATES) -> list[list[np.ndarray]]:
    return [mel_pictures(r, rates) for r in tqdm(records, desc="mel pictures", mininterval=5)]
