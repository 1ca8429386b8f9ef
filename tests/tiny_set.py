"""A training set of a few drawings and tones."""

import io
import json
import tarfile

import numpy as np
import soundfile

CONCEPTS, CLASSES = ("castle", "bell", "dog"), ("rain", "church_bell")


def write_pictures(root, rng):
    images, records = [], []
    for k in range(60):
        image = np.zeros((128, 128), np.uint8)
        top, left = rng.integers(8, 40, 2)
        image[top : top + 60, left : left + 30 + 10 * (k % 3)] = 220
        images.append(image)
        concept = CONCEPTS[k % 3]
        records.append(
            {"id": f"set-{k}/{concept}", "name": concept, "concept": concept, "source": f"set-{k}",
             "sounding": True, "licence": "MIT"}
        )  # fmt: skip
    np.savez(root / "pictures_128.npz", images=np.stack(images))
    lines = "\n".join(json.dumps(r) for r in records)
    (root / "pictures.jsonl").write_text(lines, encoding="utf-8")


def write_sounds(root, rng):
    records = []
    with tarfile.open(root / "sounds_train.tar", "w") as tar:
        for k in range(12):
            y = np.sin(2 * np.pi * (200 + 90 * k) * np.arange(12000) / 16000) * 0.1
            file = io.BytesIO()
            soundfile.write(file, y + 0.01 * rng.standard_normal(12000), 16000, format="OGG")
            info = tarfile.TarInfo(f"{k}.ogg")
            info.size = file.tell()
            file.seek(0)
            tar.addfile(info, file)
            records.append(
                {"file": f"{k}.ogg", "class": CLASSES[k % 2], "rec": f"take {k}", "kind": "real",
                 "captions": ["a sound"], "keywords": ["tone"]}
            )  # fmt: skip
    lines = "\n".join(json.dumps(r) for r in records)
    (root / "sounds_train.jsonl").write_text(lines, encoding="utf-8")
