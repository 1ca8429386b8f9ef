"""What the judge of sounds is asked about training canvases, with a judge that only counts."""

import json

import numpy as np
import torch

from itskit.training.dataset.held_out import VALIDATION_PAIRS
from itskit.training.evaluate import canvases
from itskit.training.place import Place


def test_every_class_is_asked_in_five_ways(monkeypatch, tmp_path):
    """Two held-out clips of one class: as recorded, alone and printed, before and after coding."""
    concept, kind, words = VALIDATION_PAIRS[0]
    images = np.zeros((3, 128, 128), np.uint8)
    images[:, 20:100, 30:90] = 200
    drawn = [{"concept": concept, "split": "train"}] * 3
    clips = [{"class": kind, "split": split} for split in ("test", "train", "validation")]
    y = np.sin(np.arange(32000) * 0.3).astype(np.float32) * 0.2
    monkeypatch.setattr(canvases, "read_pictures", lambda _: (images, drawn))
    monkeypatch.setattr(canvases, "read_sounds", lambda _: clips)
    monkeypatch.setattr(canvases, "read_clip", lambda _: y)
    monkeypatch.setattr(
        canvases, "mel_pictures", lambda clip, rates: [np.full((128, 600), 150, np.uint8)]
    )
    asked = []

    class Ear:
        def __init__(self, heard, encode, render):
            assert words in heard

        def __call__(self, canvases_asked, k):
            asked.append(canvases_asked)
            return np.array([True, False])

        def of_sounds(self, sounds, k):
            assert all(rate == 16000 and len(samples) == len(y) for samples, rate in sounds)
            return np.array([True, True])

    monkeypatch.setattr(canvases, "Ear", Ear)
    canvases.judge_canvases(Place(tmp_path, tmp_path), start="shipped")
    numbers = json.loads((tmp_path / "canvases_validation.json").read_text(encoding="utf-8"))
    assert {name: (mean, n) for name, (mean, _, n) in numbers.items()} == {
        "as recorded": (1.0, 1),
        "plain": (0.5, 1), "plain, coded": (0.5, 1),
        "printed": (0.5, 1), "printed, coded": (0.5, 1),
    }  # fmt: skip
    plain, coded, printed, _ = asked
    assert all(tuple(one.shape) == (2, 1, 128, 512) for one in asked)
    assert not torch.equal(plain, coded) and not torch.equal(plain, printed)
    assert (tmp_path / "canvases_validation_blind.png").exists()
