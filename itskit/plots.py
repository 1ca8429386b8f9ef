"""The diagnosis of a run as matplotlib plots.

Each function draws on `ax`, or on axes of its own, and returns them. `item` is which of the batch.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from . import diagnose
from .audio.mel import MelSettings
from .media import Picture, read_picture
from .modality import Axis
from .trajectory import Trajectory
from .web import PALETTE

COLOURS = tuple(PALETTE["light"]["guides"])  # a guide's colour, as in the scrubber
INK = PALETTE["light"]["ink"]


def picture(
    what,
    step: int | None = None,
    *,
    axis: Axis | None = None,
    mel: MelSettings | None = None,
    ax=None,
):
    """Draw a picture with its axes as a sound: seconds to the right, hertz upwards.

    Parameters
    ----------
    what : Trajectory, Picture, PIL image or array (H, W)
        Arrays are floats in [0, 1], or whole numbers of 8 or 16 bits.
    step : int, optional
        Of a Trajectory; None is the result.
    axis : Axis, optional
        What rows and columns mean, such as `pair.sound.axis`. A Trajectory has its own. Without it
        the axes count pixels.
    mel : MelSettings, optional
        In place of `axis`, for a mel picture.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If the picture is not grey, or has other rows than its axis.
    """
    axis = axis or (Axis.of(mel) if mel else _axis_of(what))
    what = what.picture(step) if isinstance(what, Trajectory) else what
    if isinstance(what, (Picture, Image.Image)):
        what = read_picture(what).image.convert("L")
    pixels = np.asarray(what)  # (H, W)
    if pixels.ndim != 2:
        raise ValueError(f"the picture has shape {pixels.shape}: expected (H, W); make it grey")
    if pixels.dtype.kind != "f" or not 0 <= pixels.min() <= pixels.max() <= 1:
        pixels = np.asarray(read_picture(pixels).image)  # refuses what has no scale
    ax = ax or _axes((8, 2.4))
    if axis is None:
        _show(ax, pixels, aspect="auto", extent=(0, pixels.shape[1], len(pixels), 0))
        ax.set(xlabel="column", ylabel="row")
        return ax
    if len(axis.hertz) != len(pixels):
        raise ValueError(f"the picture has {len(pixels)} rows, its axis {len(axis.hertz)}")
    _show(ax, pixels, aspect="auto", extent=(0, pixels.shape[1] * axis.seconds, len(pixels), 0))
    hertz = np.array(axis.hertz)
    ticks = [f for f in (125, 500, 1000, 2000, 4000, 8000) if hertz[-1] <= f <= hertz[0]]
    places = np.interp(ticks, hertz[::-1], np.arange(len(hertz))[::-1] + 0.5)
    ax.set_yticks(places, [f"{f / 1000:g}k" if f >= 1000 else f"{f}" for f in ticks])
    ax.set(xlabel="seconds", ylabel="hertz")
    return ax


def _axis_of(what) -> Axis | None:
    return what.pair.sound.axis if isinstance(what, Trajectory) and what.pair else None


def agreement(trajectory: Trajectory, *, item: int = 0, ax=None):
    """Cosine between the two guides' noise estimates at every step."""
    ax = ax or _axes()
    ax.plot(diagnose.cosines(trajectory, item), color=INK)
    ax.axhline(0, color=INK, linewidth=0.5)
    ax.set(xlabel="step", ylabel="cosine", title="How far the two models agree")
    return ax


def norms(trajectory: Trajectory, *, item: int = 0, ax=None):
    """Root mean square of every guide's noise estimate at every step."""
    ax = ax or _axes()
    names, columns = diagnose.guide_names(trajectory), diagnose.norms(trajectory, item).T
    for name, values, colour in zip(names, columns, _colours(names), strict=True):
        ax.plot(values, color=colour, label=name)
    ax.set(xlabel="step", ylabel="root mean square", title="How strong each estimate is")
    ax.set_ylim(0, 1.1 * np.nanmax(columns, initial=1))
    ax.legend(frameon=False)
    return ax


def tug_of_war(trajectory: Trajectory, *, item: int = 0, ax=None):
    """Each guide's part in every update, one above the other; they fill the height together."""
    ax = ax or _axes()
    names, parts = diagnose.guide_names(trajectory), diagnose.shares(trajectory, item)
    parts = parts.clip(0, 1)
    parts = parts / parts.sum(1, keepdims=True).clip(1e-9)
    steps = range(len(trajectory))
    ax.stackplot(steps, parts.T, labels=names, colors=_colours(names), alpha=0.35)
    mixed_by = diagnose.mixed_by(trajectory)
    title = "" if mixed_by == "the weighted mean" else f"\nby {mixed_by}"
    title = f"Who moves the latent{title}"
    ax.set(xlabel="step", ylabel="share of the update", title=title)
    ax.set(xlim=(0, max(1, len(trajectory) - 1)), ylim=(0, 1))
    ax.legend(frameon=False, loc="upper right")
    return ax


def scores(trajectory: Trajectory, *, item: int = 0, ax=None):
    """How well the pair's own scorers recognise each prompt in every step's clean estimate.

    Raises
    ------
    ValueError
        If the pair has no scorers.
    """
    curves = diagnose.scores(trajectory, item)
    if not curves:
        raise ValueError("no scores: this trajectory's pair has no scorers for its prompts")
    ax = ax or _axes()
    for curve in curves:
        ax.plot(curve["values"], color=COLOURS[curve["guide"] % len(COLOURS)], label=curve["label"])
    ax.set(xlabel="step", ylabel="cosine with the prompt", title="What the scorers recognise")
    ax.legend(frameon=False)
    return ax


def diagnosis(trajectory: Trajectory, *, item: int = 0):
    """`tug_of_war`, `agreement` and `norms` under each other; returns their axes."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(3, 1, figsize=(8, 7.5), sharex=True, layout="constrained")
    for draw, ax in zip((tug_of_war, agreement, norms), axes, strict=True):
        draw(trajectory, item=item, ax=ax)
        ax.set_xlabel("step" if ax is axes[-1] else "")
    return axes


def steps(trajectory: Trajectory, count: int = 8, *, item: int = 0, columns: int = 2):
    """Draw steps of the clean estimate, from noise to result.

    Parameters
    ----------
    trajectory : Trajectory
    count : int
        How many steps, evenly spread.
    item : int
        Which of the batch.
    columns : int

    Returns
    -------
    array of matplotlib Axes
    """
    import matplotlib.pyplot as plt

    count = min(count, len(trajectory))
    chosen = np.linspace(0, len(trajectory) - 1, count).round().astype(int)
    rows = -(-count // columns)
    size = (4.4 * columns, 1.4 * rows)
    _, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, step in zip(axes.flat, chosen, strict=False):
        _show(ax, np.asarray(trajectory.picture(int(step), item).image))
        ax.set_title(f"step {step}, t = {trajectory.steps[step].t}", fontsize=9)
    return axes


def _show(ax, pixels: np.ndarray, **options) -> None:
    """Black is 0 and white is full scale, whatever the picture holds."""
    full = 255 if pixels.dtype == np.uint8 else 1
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=full, **options)


def _axes(size: tuple[float, float] = (8, 2.6)):
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def _colours(names: list[str]) -> list[str]:
    return [COLOURS[g % len(COLOURS)] for g in range(len(names))]
