"""How wide a canvas is, whether it is a loop, and through which windows a model looks at it."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, lcm

from .modality import Modality, Pair
from .sampling import MOST_WIDTH, check_width
from .settings import Settings
from .timeline import Along
from .windows import Windows

OVERLAP = 0.25  # of a window with the next
CANVASES = 4  # of the usual width in one call of a network


def settled(pair: Pair, settings: Settings) -> Settings:
    """`settings` with `width` and `window` in pixels, and with no `duration`; a loop is not
    cropped, since it has no edge.

    Raises ValueError for a duration that is none, or beside a width, and for a window that the
    networks cannot look through.
    """
    models = pair.image, pair.sound
    unit = lcm(*(m.width_multiple * m.vae_scale_factor for m in models))  # pixels
    width = window = pair.image.latent_shape[2] * pair.image.vae_scale_factor
    if settings.duration is not None:
        width = _width_of(pair, settings, unit)
    elif settings.width is not None:
        check_width(width := settings.width, *models)
    if settings.window is not None:
        check_width(window := settings.window, *models, name="window")
    crop = settings.crop and not settings.loop
    return replace(settings, width=int(width), duration=None, window=int(window), crop=crop)


def _width_of(pair: Pair, settings: Settings, unit: int) -> int:
    """The narrowest canvas that holds `duration`."""
    duration, axis = settings.duration, pair.sound.axis
    if settings.width is not None:
        raise ValueError(
            f"duration={duration}, width={settings.width}: expected one of them, since each tells "
            "the other"
        )
    if axis is None:
        raise ValueError(
            f"duration={duration}: the model {pair.sound.name!r} does not tell how long a column "
            "is; expected a width in pixels"
        )
    if duration <= 0:
        raise ValueError(f"duration={duration}: expected seconds, more than 0, such as 60")
    if duration > MOST_WIDTH * axis.seconds:
        raise ValueError(
            f"duration={duration:g}: expected at most {MOST_WIDTH * axis.seconds:g} seconds; "
            "compose it in parts"
        )
    return unit * ceil(round(duration / axis.seconds / unit, 6))


def is_windowed(settings: Settings) -> bool:
    """Whether the models look through windows at a canvas of such `settled` settings."""
    return settings.loop or settings.width > settings.window


def windows(
    pair: Pair, modality: Modality, settings: Settings, along: Along | None = None
) -> Windows | None:
    """The windows through which a model of the pair looks at the canvas of `settled` settings.

    One that draws squares, each by itself, keeps its squares, which need no overlap. None if all is
    seen at once.

    Parameters
    ----------
    pair : Pair
    modality : Modality
    settings : Settings
    along : Along, optional
        Its prompt, if that changes along time.

    Returns
    -------
    Windows or None

    Raises
    ------
    ValueError
        If the prompt changes, and one window sees all of it, or nobody knows the time.
    """
    width, window = (n // modality.vae_scale_factor for n in (settings.width, settings.window))
    unit, usual = modality.width_multiple, modality.latent_shape[2]
    size = modality.tile or min(window, width)
    stride = modality.tile or max(unit, int(size * (1 - OVERLAP)) // unit * unit)
    one_sees_all = width <= window if modality.tile else not is_windowed(settings)
    if along is not None:
        _check_along(pair, modality, settings, along, one_sees_all and not modality.tile)
    elif one_sees_all:
        return None
    axis = pair.sound.axis
    seconds = axis and axis.seconds * modality.vae_scale_factor
    at_a_time = max(1, CANVASES * usual // size)
    return Windows(size, stride, unit, bool(settings.loop), at_a_time, seconds)


def windows_again(
    pair: Pair, modality: Modality, recipe: dict, along: Along | None = None
) -> Windows | None:
    """The `windows` of a run, by its recipe."""
    given = {"width": recipe.get("width"), "loop": recipe.get("loop")}
    given["window"] = recipe.get("window", given["width"])  # without windows
    return windows(pair, modality, settled(pair, Settings.of(pair, given=given)), along)


def _check_along(pair: Pair, modality: Modality, settings: Settings, along: Along, one_sees_all):
    """Raise ValueError unless a prompt can change along this canvas, and has the time to."""
    if pair.sound.axis is None:
        raise ValueError(
            f"the prompt of {modality.name!r} changes along time, and the model "
            f"{pair.sound.name!r} does not tell how long a column is: expected plain words"
        )
    if one_sees_all:
        raise ValueError(
            f"the prompt of {modality.name!r} changes along time, and one window of "
            f"{settings.window} pixels sees the whole canvas: expected a wider canvas "
            "(duration=...), or a smaller window"
        )
    last, seconds = along.said[-1][0], settings.width * pair.sound.axis.seconds
    if last >= seconds:
        raise ValueError(
            f"the prompt of {modality.name!r} changes at second {last:g}: expected less than the "
            f"{seconds:g} seconds of this canvas, or a longer one (duration=...)"
        )
