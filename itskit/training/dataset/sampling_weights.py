"""How often each concept and each clip is shown."""

import numpy as np

from .captions import CORE, CORE_SOUNDS


def concept_weights(records) -> dict[str, float]:
    """concept → how often it is shown, 0 if never; a weight, not a share."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record["concept"]] = counts.get(record["concept"], 0) + 1
    return {r["concept"]: concept_weight(r, counts[r["concept"]]) for r in records}


def clip_weights(records, which) -> np.ndarray:
    """How often each of the clips `which` is played; the weights' sum is 1.

    A class counts by how much there is of it (`class_weight`), what was recorded more than what was
    synthesised.
    """
    recordings: dict[str, set] = {}
    clips: dict[str, set] = {}
    for k in which:
        recordings.setdefault(records[k]["class"], set()).add(records[k]["rec"])
        clips.setdefault(records[k]["class"], set()).add(k)
    names = [records[k]["class"] for k in which]
    weights = np.array([1.5 if records[k]["kind"] == "real" else 1.0 for k in which])
    totals: dict[str, float] = {}
    for name, weight in zip(names, weights, strict=True):
        totals[name] = totals.get(name, 0.0) + weight
    for row, name in enumerate(names):
        weights[row] *= class_weight(name, len(recordings[name]), len(clips[name])) / totals[name]
    return weights / weights.sum()


def concept_weight(record, count: int) -> float:
    """How often a concept is shown: the core equally often, other sounding things for breadth."""
    if record["concept"] in CORE:
        return min(1.0, count / 6)
    return 0.04 if count >= 6 and record["sounding"] else 0.0


def class_weight(name: str, recordings: int, clips: int) -> float:
    """How often a sound class is shown: more for classes with many different recordings."""
    breadth = 1.0 if name in CORE_SOUNDS else 0.15
    return breadth * min(1.0, 0.25 + recordings / 12) * min(1.0, 0.3 + clips / 30)
