"""Answers to questions about a run: what counts as one, how far it is from what the run says, and
the file that keeps them.

A kind of question is a frozen object with three functions. `read` makes plain JSON of an answer or
of what a run says, `tell` puts it into words, `compare` says how the one lies to the other.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .writing import make_folder


@dataclass(frozen=True)
class Verdict:
    """How an answer lies to what the run says; what a kind does not have is None."""

    right: bool | None
    distance: float | None
    words: str


@dataclass(frozen=True)
class Choice:
    """One of several words."""

    choices: tuple[str, ...]
    kind = "choice"

    def __post_init__(self):
        if len(set(self.choices)) < max(2, len(self.choices)):
            raise ValueError(f"choices={list(self.choices)}: expected two or more, all different")

    def read(self, value, is_truth: bool = False) -> str:
        if str(value) not in self.choices:
            raise ValueError(f"{value!r}: expected one of {', '.join(map(repr, self.choices))}")
        return str(value)

    def tell(self, value: str) -> str:
        return value

    def compare(self, answer: str, truth: str) -> Verdict:
        right = answer == truth
        return Verdict(right, None, "You were right." if right else "You were wrong.")


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`; what a run says may lie outside."""

    low: float
    high: float
    unit: str = ""
    kind = "number"

    def __post_init__(self):
        _finite(self.low), _finite(self.high)
        if not self.low < self.high:
            raise ValueError(f"number=({self.low}, {self.high}): expected the smaller one first")

    def read(self, value, is_truth: bool = False) -> float:
        number = _finite(value)
        if not is_truth and not self.low <= number <= self.high:
            raise ValueError(f"{value!r}: expected a number from {self.low} to {self.high}")
        return number

    def tell(self, value: float) -> str:
        digits = f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
        return f"{digits} {self.unit}".strip()

    def compare(self, answer: float, truth: float) -> Verdict:
        distance = abs(answer - truth)
        return Verdict(None, distance, f"You were off by {self.tell(distance)}.")


@dataclass(frozen=True)
class Step:
    """A step of a run of `steps`, counted from 0."""

    steps: int
    kind = "step"

    def __post_init__(self):
        if _whole(self.steps) < 2:
            raise ValueError(f"step={self.steps}: expected how many steps there are, 2 or more")

    def read(self, value, is_truth: bool = False) -> int:
        step = _whole(value)
        if not 0 <= step < self.steps:
            raise ValueError(f"{value!r}: expected a step from 0 to {self.steps - 1}")
        return step

    def tell(self, value: int) -> str:
        return f"step {value}"

    def compare(self, answer: int, truth: int) -> Verdict:
        off = abs(answer - truth)
        words = f"You were off by {off} step{'s' * (off > 1)}." if off else "You were right."
        return Verdict(off == 0, float(off), words)


@dataclass(frozen=True)
class Point:
    """A place on a canvas: (x, y), from 0 to 1 from the left and from the top.

    `aspect` is the canvas's height over its width. The distance is a share of the width.
    """

    aspect: float = 0.25
    kind = "point"

    def read(self, value, is_truth: bool = False) -> list[float]:
        return _places(value, 2, "(x, y)")

    def tell(self, value: list[float]) -> str:
        return f"{value[0]:.0%} from the left, {value[1]:.0%} from the top"

    def compare(self, answer: list[float], truth: list[float]) -> Verdict:
        distance = math.hypot(answer[0] - truth[0], (answer[1] - truth[1]) * self.aspect)
        return Verdict(None, distance, f"You were off by {distance:.0%} of the canvas's width.")


@dataclass(frozen=True)
class Region:
    """A box (x0, y0, x1, y1) on a canvas, from 0 to 1 from the left and from the top.

    What a run says is a box too, or a map (rows, columns) of how much of it is where. The distance
    is 1 minus the overlap: what box and map share, over what at least one of them has.
    """

    kind = "region"

    def read(self, value, is_truth: bool = False):
        if is_truth and np.ndim(value) == 2:
            return _as_map(value)
        box = _places(value, 4, "(x0, y0, x1, y1)")
        (x0, x1), (y0, y1) = sorted(box[::2]), sorted(box[1::2])
        box = [x0, y0, x1, y1]  # wherever the drag began
        if not (box[0] < box[2] and box[1] < box[3]):
            raise ValueError(f"{value!r}: expected a box that is not empty")
        return box

    def tell(self, value) -> str:
        x0, y0, x1, y1 = outline(value)
        return f"{x0:.0%} to {x1:.0%} from the left, {y0:.0%} to {y1:.0%} from the top"

    def compare(self, answer: list[float], truth) -> Verdict:
        there = truth if isinstance(truth, np.ndarray) else _coverage(truth, (256, 1024))
        mine = _coverage(answer, there.shape)
        held, area = float((mine * there).sum() / there.sum()), _area(answer)
        overlap = float(np.minimum(mine, there).sum() / np.maximum(mine, there).sum())
        words = f"Your box holds {held:.0%} of it, on {area:.0%} of the canvas."
        return Verdict(None, 1 - overlap, words)


def outline(value) -> list[float]:
    """A box as it is; of a map, the box that leaves out less than a twentieth at each side."""
    if not isinstance(value, np.ndarray):
        return list(value)
    (y0, y1), (x0, x1) = (_bulk(value.sum(axis)) for axis in (1, 0))
    return [x0, y0, x1, y1]


def _bulk(values: np.ndarray) -> tuple[float, float]:
    """Where the bulk of a row of values begins and ends, from 0 to 1."""
    parts = values / values.sum()
    first = np.flatnonzero(parts.cumsum() > 0.05)[0]
    last = np.flatnonzero(parts[::-1].cumsum()[::-1] > 0.05)[-1]
    return round(float(first / len(parts)), 4), round(float((last + 1) / len(parts)), 4)


# ---- the file ------------------------------------------------------------------------------------


def append(path, record: dict) -> None:
    """Add a record to a JSONL file, as one line; folders are made.

    A line that was cut off by a crash stays alone. Raises OSError if it cannot be written.
    """
    make_folder(path)
    line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, 2)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)


def read(path) -> list[dict]:
    """The records of a JSONL file, oldest first; none if there is no file. Lines that are no
    records (cut off, or changed by hand) are left out."""
    if not Path(path).exists():
        return []
    found = []
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


# ---- what is handed in ---------------------------------------------------------------------------


def _finite(value) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{value!r}: expected a number")
    return number


def _whole(value) -> int:
    number = _finite(value)
    if number != int(number):
        raise ValueError(f"{value!r}: expected a whole number")
    return int(number)


def _places(value, count: int, form: str) -> list[float]:
    try:
        places = [round(_finite(place), 4) for place in value]
    except TypeError:
        places = []
    if len(places) != count or not all(0 <= place <= 1 for place in places):
        raise ValueError(
            f"{value!r}: expected {form} from 0 to 1, counted from the left and from the top"
        )
    return places


def _as_map(value) -> np.ndarray:
    """A map as float64 (rows, columns), its greatest value 1."""
    there = np.asarray(value, dtype=np.float64)
    if not there.size or not np.isfinite(there).all() or there.min() < 0 or not there.any():
        raise ValueError(
            "a map for a region: expected numbers of at least 0, and more than that somewhere"
        )
    return there / there.max()


def _area(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _coverage(box: list[float], shape: tuple[int, int]) -> np.ndarray:
    """How much of each cell of a grid (rows, columns) a box covers, 0 to 1."""

    def along(low, high, count):
        edges = np.arange(count + 1) / count
        return np.diff(np.clip(edges, low, high)) * count

    return np.outer(along(box[1], box[3], shape[0]), along(box[0], box[2], shape[1]))
