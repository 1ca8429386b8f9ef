"""Guides without a network: voices that know what they want exactly.

Each stands for latents that are Gaussian around something given, N(c, s**2), and answers with the
noise that the perfect model of these would find:

    noise = sqrt(1 - a) (x - sqrt(a) c) / (a s**2 + 1 - a),   s = 1 / firmness

They are guides like all others, so that they may have a weight, a start and a stop, and take part
in every rule:

    ring = itskit.analytic.picture(pair, "circle.png", firmness=4, weight=0.3)
    itskit.compose(pair, "a castle", "bells", extra=[ring])

A recipe says what they were made of, and `recompose` asks for them again. `firmness` is a number,
or a map (H, W) over the canvas or a mask, at least 0: with 0 a voice has no opinion there, and no
weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .codec import encode
from .guidance import Guide, Prompt, weight_map
from .modality import Modality, Pair


def latent(
    modality: Modality, centre: Tensor, *, firmness=4.0, name: str = "latent", text: str = "",
    **options,
) -> Guide:  # fmt: skip
    """A guide to the latent `centre` (1, C, h, w), in the space of `modality`.

    `text` is what recipes and pages say for it; `options` are those of `Guide`, such as weight.
    """
    grid = centre.shape[-2:]
    precision = weight_map(firmness, grid) ** 2  # (h, w)
    told = f"analytic.{name}(firmness={_said(firmness)}, sha256={_digest(centre)})"

    def predict_noise(x: Tensor, t: int, embeds: Tensor) -> Tensor:
        if x.shape[1:] != centre.shape[1:]:
            raise ValueError(
                f"the guide {name!r} was made for a latent {tuple(centre.shape[1:])} and asked "
                f"about {tuple(x.shape[1:])}: expected the same; pass width=... where it is made"
            )
        a, s = modality.alpha_bar[t].to(x), precision.to(x)
        return (1 - a) ** 0.5 * s * (x - a**0.5 * centre.to(x)) / (a + (1 - a) * s)

    own = replace(
        modality, name=told, predict_noise=predict_noise, encode_solo=None, check_prompt=None,
        encode_prompt=lambda _: torch.zeros(1, 1, 1),
    )  # fmt: skip
    nothing = torch.zeros(1, 1, 1)
    prompt = Prompt(text or name, "", nothing, nothing, nothing)
    weight = options.pop("weight", 1.0)
    if not (callable(weight) or precision.all()):  # no opinion is no reason to outvote the others
        weight = weight_map(weight, grid) * (precision > 0)
    return Guide(own, prompt, **{"scale": 1.0, "name": name, "weight": weight, **options})


def picture(
    pair: Pair, what, *, firmness=4.0, width: int | None = None, fit: str = "pad",
    name: str = "picture", **options,
) -> Guide:  # fmt: skip
    """A guide to a picture, as `encode` reads it: a path, Picture, PIL image or array."""
    text = str(what) if isinstance(what, str) or hasattr(what, "__fspath__") else name
    centre = encode(pair.image, what, _width(pair, width), fit=fit)
    return latent(pair.image, centre, firmness=firmness, name=name, text=text, **options)


def silence(pair: Pair, *, firmness=4.0, width: int | None = None, **options) -> Guide:
    """A guide to black: what is neither seen nor heard. With a map it keeps a place free."""
    grey = np.zeros(_size(pair, width), np.float32)
    return _grey(pair, grey, pair.sound, firmness, "silence", "silence", options)


def text(
    pair: Pair, words: str, *, firmness=4.0, width: int | None = None, height: float = 0.6,
    **options,
) -> Guide:  # fmt: skip
    """A guide to words in white on black, in the middle, `height` of the canvas tall where they
    fit."""
    if not words.strip():
        raise ValueError(f"words={words!r}: expected something to write")
    rows, columns = _size(pair, width)
    size = height * rows
    while True:
        face = ImageFont.load_default(size)
        left, top, right, bottom = face.getbbox(words)
        if right - left <= 0.96 * columns or size < 8:
            break
        size *= 0.9
    image = Image.new("L", (columns, rows))
    at = (columns - right - left) / 2, (rows - bottom - top) / 2
    ImageDraw.Draw(image).text(at, words, 255, font=face)
    grey = np.asarray(image, np.float32) / 255
    return _grey(pair, grey, pair.image, firmness, "text", words, options)


def piano_roll(
    pair: Pair, notes: Sequence[tuple[float, float, float]], *, firmness=4.0, partials: int = 3,
    width: int | None = None, **options,
) -> Guide:  # fmt: skip
    """A guide to notes (MIDI number, start, end in seconds): a bright line for each, and fainter
    ones at its `partials`, on black. 69 is 440 Hz. Raises ValueError without a known axis."""
    axis = pair.sound.axis
    if axis is None:
        raise ValueError(f"{pair.sound.name!r} has no axis: expected hertz of rows, to write notes")
    rows, columns = _size(pair, width)
    hertz = np.log(np.asarray(axis.hertz))  # (H,), highest first
    grey = np.zeros((rows, columns), np.float32)
    for number, start, end in notes:
        first, last = round(start / axis.seconds), round(end / axis.seconds)
        for partial in range(1, partials + 1):
            pitch = np.log(440 * 2 ** ((number - 69) / 12) * partial)
            if hertz.min() <= pitch <= hertz.max():
                row = int(np.abs(hertz - pitch).argmin())
                line = grey[max(0, row - 1) : row + 2, first:last]
                np.maximum(line, 1.0 - 0.15 * (partial - 1), out=line)
    told = ", ".join(f"{number:g}" for number, *_ in notes[:12])
    return _grey(pair, grey, pair.sound, firmness, "piano roll", f"notes {told}", options)


def qr(
    pair: Pair, words: str, *, firmness=8.0, weight=3.0, width: int | None = None, **options
) -> Guide:
    """A guide to a QR code of `words`, as tall as the canvas and at its left, black on white.

    Where nothing of it lies it has no opinion. With the firmness and weight that it begins with, a
    scanner reads a short code off a composition of the pocket pair. Needs segno
    (`pip install segno`).
    """
    try:
        import segno
    except ImportError:
        raise ImportError("a QR code needs segno: pip install segno") from None
    code = segno.make(words, error="l", micro=False)
    modules = np.array([list(row) for row in code.matrix_iter(border=2)])  # 1 is dark
    rows, columns = _size(pair, width)
    each = min(rows, columns) // len(modules)
    if each < 2:
        raise ValueError(
            f"{len(words)} signs make {len(modules)} modules on {rows} rows: expected fewer words"
        )
    side, grey = each * len(modules), np.zeros((rows, columns), np.float32)
    top = (rows - side) // 2
    place = slice(top, top + side), slice(0, side)
    grey[place] = 1 - np.kron(modules, np.ones((each, each)))
    where = np.zeros((rows, columns), np.float32)
    where[place] = 1
    full = weight_map(firmness, (rows, columns)).numpy()
    options = {"weight": weight, **options}
    return _grey(pair, grey, pair.image, full * where, "QR code", words, options)


def _grey(pair, grey, modality, firmness, name, text, options) -> Guide:
    """A guide to a grey picture (H, W) in [0, 1]."""
    with torch.no_grad():
        centre = modality.encode(torch.from_numpy(grey)[None, None])  # (1, C, h, w)
    options = {"name": name, **options}
    return latent(modality, centre, firmness=firmness, text=text, **options)


def _width(pair: Pair, width: int | None) -> int:
    return width or pair.image.latent_shape[2] * pair.image.vae_scale_factor


def _size(pair: Pair, width: int | None) -> tuple[int, int]:
    return pair.image.latent_shape[1] * pair.image.vae_scale_factor, _width(pair, width)


def _said(firmness) -> str:
    return f"{firmness:g}" if isinstance(firmness, (int, float)) else "map"


def _digest(centre: Tensor) -> str:
    return sha256(np.ascontiguousarray(centre.numpy())).hexdigest()[:12]
