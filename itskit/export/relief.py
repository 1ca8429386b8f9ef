"""A result to touch: its picture as a relief for 3-D printers."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

import numpy as np

from ..trajectory import Trajectory
from ..writing import written
from .names import file_for, stem_of, tag_of


def relief(
    trajectory: Trajectory,
    path=None,
    *,
    item: int = 0,
    step: int | None = None,
    width: float = 160.0,
    base: float = 2.0,
    height: float = 3.0,
) -> Path:
    """Write the picture of the result, or of a step, as a plate whose white is high: a binary STL
    in millimetres, closed, as 3-D printers want it. Needs numpy-stl
    (`pip install "itskit[lessons]"`).

    An STL has no room for a recipe. Its 80 bytes of heading say the prompts, the seed and the eight
    digits that the names of all other files of this result have.

    Parameters
    ----------
    trajectory : Trajectory
        Or a `baselines.Canvas`, which has no steps.
    path : path, optional
        A file's name, or a folder, where the file is named after the prompts. Folders are made.
    item : int
        Which of the batch.
    step : int, optional
        None is the result.
    width, base, height : float
        Millimetres: of the whole plate from left to right, of its thickness under black, and from
        black up to white.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    ImportError
        Without numpy-stl.
    ValueError
        For a size that is not above 0.
    """
    try:
        from stl.mesh import Mesh
    except ImportError:
        raise ImportError('a relief needs numpy-stl: pip install "itskit[lessons]"') from None
    sizes = {"width": width, "base": base, "height": height}
    if wrong := {name: mm for name, mm in sizes.items() if not (isfinite(mm) and mm > 0)}:
        raise ValueError(f"{wrong}: expected millimetres above 0")

    class Solid(Mesh):
        def get_header(self, name):  # the library's own holds the time: no two files are alike
            return name[:80].ljust(80)

    at = {} if step is None else {"step": step}
    image = trajectory.picture(item=item, **at).image.convert("L")
    triangles = closed_surface(np.asarray(image) / 255, width, base, height)
    data = np.zeros(len(triangles), Solid.dtype)
    data["vectors"] = triangles
    usual = {"width": 160.0, "base": 2.0, "height": 3.0}
    tag = tag_of(step=step, **{k: f"{v:g}" for k, v in sizes.items() if v != usual[k]})
    stem = stem_of(trajectory, item)
    path = file_for(path, stem + tag, ".stl")
    solid = Solid(data, name=f"itskit {stem[:50]}..{stem[-8:]}, mm")
    with written(path) as part:
        solid.save(part)
    return path


def closed_surface(grey: np.ndarray, width: float, base: float, height: float) -> np.ndarray:
    """The triangles (N, 3, 3) of a plate: `grey` (H, W) in [0, 1] above, flat below.

    Every edge belongs to two triangles, which go along it in opposite directions; seen from outside
    their corners go round against the clock.
    """
    rows, columns = grey.shape
    pixel = width / (columns - 1)  # mm
    x, y = np.meshgrid(np.arange(columns), np.arange(rows)[::-1])
    top = np.stack([x * pixel, y * pixel, base + height * grey], -1)  # (H, W, 3)
    a, b, c, d = top[:-1, :-1], top[:-1, 1:], top[1:, :-1], top[1:, 1:]  # ab over cd
    parts = [_triangles(a, c, d), _triangles(a, d, b)]

    # round the edge, against the clock as seen from above, beginning at the upper left
    left, below, right, above = top[:-1, 0], top[-1, :-1], top[:0:-1, -1], top[0, :0:-1]
    rim = np.concatenate([left, below, right, above])  # (2 (H + W) - 4, 3)
    foot = rim * (1, 1, 0)
    rim_next, foot_next = np.roll(rim, -1, 0), np.roll(foot, -1, 0)
    parts += [_triangles(foot, foot_next, rim_next), _triangles(foot, rim_next, rim)]
    middle = np.broadcast_to(foot.mean(0), foot.shape)
    parts.append(_triangles(middle, foot_next, foot))
    return np.concatenate(parts)


def _triangles(*corners: np.ndarray) -> np.ndarray:
    """Three arrays (..., 3) of corners -> (N, 3, 3)."""
    return np.stack(corners, -2).reshape(-1, 3, 3)
