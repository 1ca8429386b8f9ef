"""Where a stage reads and writes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    data: Path  # the training set
    work: Path  # caches and checkpoints
