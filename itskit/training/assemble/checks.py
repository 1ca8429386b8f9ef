"""Look a training set over before anything is trained on it, and say whose work it is."""

import hashlib
import io
import json
import tarfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from ..tables import read_rows

FILES = (
    "pictures.jsonl", "pictures_128.npz", "sounds_train.jsonl", "sounds_train.tar",
    "sounds_eval.jsonl", "sounds_eval.tar",
)  # fmt: skip
# Licences under which training material may come, so that the weights can be CC-BY-SA-4.0.
PICTURE_LICENCES = {
    "Apache-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC0-1.0", "ISC", "MIT", "OFL-1.1",
    "LicenseRef-PublicDomain", "LicenseRef-free-for-any-use",
}  # fmt: skip
SOUND_PARTS = ("train", "eval")
TRAINING_TIERS = {"P", "SA"}  # permissive, CC-BY-SA; sounds of tier G only measure
CREDITS = (
    "game-icons (CC-BY-3.0, some CC0): icons made by Lorc, Delapouite, John Colburn, Felbrigg, "
    "John Redman, Carl Olsen, Sbed, PriorBlue, Willdabeast, Viscious Speed, Lord Berandas, "
    "Irongamer, HeavenlyDog and contributors, game-icons.net. Open Clip Art: the author of each "
    "drawing stands in pictures.jsonl. Sounds: each package's copyright file names its authors."
)


def read_records(root, name: str) -> list[dict]:
    file = Path(root) / name
    if not file.exists():
        raise FileNotFoundError(
            f"{file} is missing. --data wants a folder with {', '.join(FILES)}; "
            "`python -m itskit.training data --data DIR --assemble` makes them."
        )
    with open(file, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


# ---- checks --------------------------------------------------------------------------------------


def check(root, parts=("pictures", "sounds")) -> list[str]:
    """Everything that is wrong with a set, in words; an empty list if nothing is."""
    root, problems = Path(root), []
    if "pictures" in parts:
        problems += check_pictures(root, read_records(root, "pictures.jsonl"))
    if "sounds" in parts:
        train, measured = (read_records(root, f"sounds_{part}.jsonl") for part in SOUND_PARTS)
        problems += check_sounds(root, "train", train, TRAINING_TIERS)
        problems += check_sounds(root, "eval", measured, {"P", "SA", "G"})
        problems += check_apart(train, measured)
    return problems


def check_pictures(root, records) -> list[str]:
    images = np.load(root / "pictures_128.npz")["images"]
    problems = repeated("pictures.jsonl", records)
    if images.dtype != np.uint8 or images.shape != (len(records), 128, 128):
        problems.append(
            f"pictures_128.npz holds {images.dtype} {images.shape}, where pictures.jsonl has "
            f"{len(records)} lines: uint8 ({len(records)}, 128, 128) is expected"
        )
    elif dark := int((images.reshape(len(images), -1).mean(1) < 2).sum()):
        problems.append(f"{dark} pictures are all but black")
    for licence, count in Counter(r["licence"] for r in records).items():
        if licence not in PICTURE_LICENCES:
            problems.append(f"{count} pictures under {licence!r}, which is not among those allowed")
    return problems


def check_sounds(root, part, records, tiers) -> list[str]:
    import soundfile

    problems = repeated(f"sounds_{part}.jsonl", records)
    with tarfile.open(root / f"sounds_{part}.tar") as tar:
        members = {m.name: m for m in tar.getmembers() if m.isfile()}
        for record in records:
            member = members.pop(record["file"], None)
            if member is None:
                problems.append(f"sounds_{part}.tar lacks {record['file']}")
                continue
            info = soundfile.info(io.BytesIO(tar.extractfile(member).read()))
            if (info.samplerate, info.channels) != (16000, 1):
                problems.append(
                    f"{record['file']} has {info.samplerate} Hz, {info.channels} channels, "
                    "where 16000 Hz mono is expected"
                )
            if abs(info.duration - record["duration"]) > 0.01:
                problems.append(
                    f"{record['file']} lasts {info.duration:.2f} s, "
                    f"its record says {record['duration']} s"
                )
    if members:
        problems.append(f"sounds_{part}.tar holds {len(members)} files without a record")
    for tier, count in Counter(r["tier"] for r in records).items():
        if tier not in tiers:
            problems.append(f"sounds_{part} holds {count} clips of tier {tier}")
    return problems


def check_apart(train, measured) -> list[str]:
    """No recording may both train and measure."""
    common = recordings(train) & recordings(measured)
    return [f"{len(common)} recordings both train and measure"] if common else []


def repeated(name, records) -> list[str]:
    twice = [k for k, count in Counter(r["id"] for r in records).items() if count > 1]
    return [f"{name}: {len(twice)} ids occur twice, such as {twice[0]}"] if twice else []


def recordings(records) -> set[str]:
    return {name for record in records for name in record["rec"].split("|")}


def hashes(root, parts=("pictures", "sounds")) -> list[str]:
    """Each file's SHA-256, and whether it is the one that the shipped weights were made from."""
    published, lines = dict(read_rows("prepared.tsv")), []
    for name in FILES:
        if not name.startswith(tuple(parts)):
            continue
        digest = sha256(Path(root) / name)
        same = "as the shipped weights' set" if digest == published[name] else "a set of its own"
        lines.append(f"{name:20} {digest[:16]}…  {same}")
    return lines


def sha256(path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


# ---- tables --------------------------------------------------------------------------------------


def report(root, parts=("pictures", "sounds")) -> str:
    """What a set holds: counts, classes, licences, hashes."""
    out = []
    if "pictures" in parts:
        pictures = read_records(root, "pictures.jsonl")
        concepts = {record["concept"] for record in pictures}
        out += [f"{len(pictures)} pictures of {len(concepts)} concepts", concept_table(pictures)]
        out += [licence_table(pictures, "licence")]
    for part in SOUND_PARTS if "sounds" in parts else ():
        clips = read_records(root, f"sounds_{part}.jsonl")
        hours = sum(clip["duration"] for clip in clips) / 3600
        names = {clip["class"] for clip in clips}
        out += [f"sounds_{part}: {len(clips)} clips, {hours:.1f} hours, {len(names)} classes"]
        if clips:
            out += [class_table(clips), licence_table(clips, "license")]
    return "\n\n".join([*out, "\n".join(hashes(root, parts))])


def licence_table(records, column) -> str:
    counts = Counter(record[column] for record in records)
    return "\n".join(f"{count:6}  {licence}" for licence, count in counts.most_common())


def class_table(records) -> str:
    """Sounds by class: clips, recordings, minutes, kinds; those with most recordings first."""
    classes = defaultdict(list)
    for record in records:
        classes[record["class"]].append(record)
    rows = ["class                  clips  recordings  minutes  kinds"]
    for name, clips in sorted(classes.items(), key=lambda item: -len(recordings(item[1]))):
        minutes = sum(clip["duration"] for clip in clips) / 60
        kinds = Counter(clip["kind"] for clip in clips)
        rows.append(
            f"{name:22} {len(clips):5}  {len(recordings(clips)):10}  {minutes:7.1f}  "
            + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        )
    return "\n".join(rows)


def concept_table(records) -> str:
    """Pictures by category: how many, of how many concepts, and the concepts with most of them."""
    categories = defaultdict(Counter)
    for record in records:
        categories[record["category"]][record["concept"]] += 1
    rows = ["category   pictures  concepts  with ten or more  most"]
    for name, concepts in sorted(categories.items(), key=lambda item: -item[1].total()):
        many = sum(count >= 10 for count in concepts.values())
        most = ", ".join(f"{concept} {count}" for concept, count in concepts.most_common(5))
        rows.append(f"{name:10} {concepts.total():8}  {len(concepts):8}  {many:16}  {most}")
    return "\n".join(rows)


def attribution(root) -> str:
    """Markdown for the model card: how many pictures and sounds of which package and licence."""
    pictures, train, measured = (
        read_records(root, f"{name}.jsonl") for name in ("pictures", "sounds_train", "sounds_eval")
    )
    collected = "LicenseRef-PublicDomain"  # many authors: each stands in pictures.jsonl
    for record in pictures:
        if record["licence"] == collected:
            record["author"] = "Open Clip Art Library contributors"
    return "\n\n".join(
        [
            f"### Pictures ({len(pictures)})",
            _counts(pictures, ("source", "licence", "author"), "pictures"),
            f"### Sounds trained on ({len(train)})",
            _counts([_with_version(r) for r in train], ("source", "license"), "clips"),
            f"### Sounds that only measured ({len(measured)})",
            _counts([_with_version(r) for r in measured], ("source", "license"), "clips"),
            CREDITS,
        ]
    )


def _with_version(record) -> dict:
    own = record["kind"] == "synthetic"
    return {**record, "source": record["source"] + ("" if own else f"@{record['version']}")}


def _counts(records, columns, unit) -> str:
    rows = Counter(tuple(record[column] for column in columns) for record in records)
    head = [*("licence" if c == "license" else c for c in columns), unit]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row, count in sorted(rows.items()):
        cells = [cell.replace("|", "\\|") for cell in row]
        lines.append("| " + " | ".join([*cells, str(count)]) + " |")
    return "\n".join(lines)
