"""Weights drawn by hand: over the steps (a curve) and over the canvas (a map)."""

from __future__ import annotations

from io import BytesIO

import anywidget
import numpy as np
import traitlets
from PIL import Image

from .. import web
from ..export import encode
from ..guidance import weight_map
from ..media import read_picture
from .kept import Kept, figure

# Of picture and sound, as they are told apart on a black canvas.
TONES = [web.rgb(colour) for colour in web.PALETTE["dark"]["guides"][:2]]


def warm_start(index: int, num_inference_steps: int) -> float:
    """The paper's weights: the image is silent in the first tenth of the run, then one half."""
    return 0.0 if index / num_inference_steps < 0.1 else 0.5


def constant(index: int, num_inference_steps: int) -> float:
    """One half for each, all the way."""
    return 0.5


def alternate(index: int, num_inference_steps: int) -> float:
    """Step about: the sound alone, then the image alone."""
    return float(index % 2)


PRESETS = {"warm start": warm_start, "constant": constant, "alternate": alternate}


class WeightCurve(Kept, anywidget.AnyWidget):
    """Draw the image's weight over the run, left to right, with the mouse, a finger or the keys.

        curve = WeightCurve()
        curve                                                # draw
        itskit.compose(pair, ..., image_weight=curve, sound_weight=curve.rest)

    The curve is a function of the step, `curve(index, num_inference_steps)` in [0, 1], and `rest`
    is 1 minus it. A preset that was not drawn on is exact: "alternate" takes turns at every step,
    however many steps there are.

    Parameters
    ----------
    values : list of float or str, optional
        In [0, 1] at evenly spaced moments of the run, or a preset: "warm start" (the default),
        "constant" or "alternate".
    count : int
        Moments of the presets.
    **options
        Of the widget.

    Raises
    ------
    ValueError
        For an unknown preset.
    """

    _esm, _css = web.script("weight_curve.js"), web.style("weight_curve.js")

    values = traitlets.List(traitlets.Float(min=0, max=1)).tag(sync=True)
    presets = traitlets.Dict().tag(sync=True)
    label = traitlets.Unicode("image weight").tag(sync=True)

    def __init__(self, values=None, *, count: int = 50, **options):
        shapes = {name: [f(k, count) for k in range(count)] for name, f in PRESETS.items()}
        values = "warm start" if values is None else values
        if isinstance(values, str):
            if values not in shapes:
                raise ValueError(f"{values!r}: expected one of {', '.join(map(repr, shapes))}")
            values = shapes[values]
        values = [float(value) for value in values]
        super().__init__(values=values, presets=shapes, **options)
        self.observe(self._keep, "values")

    def __call__(self, index: int, num_inference_steps: int) -> float:
        """The weight at a step: the preset's, or that of the drawn moment at which it begins."""
        for name, shape in self.presets.items():
            if self.values == shape:
                return PRESETS[name](index, num_inference_steps)
        return self.values[index * len(self.values) // num_inference_steps]

    def rest(self, index: int, num_inference_steps: int) -> float:
        """What the curve leaves over: 1 - weight."""
        return 1.0 - self(index, num_inference_steps)

    def _kept_html(self) -> str:
        points = " ".join(f"{k},{100 - 100 * v:.0f}" for k, v in enumerate(self.values))
        size = f'viewBox="0 0 {max(1, len(self.values) - 1)} 100" preserveAspectRatio="none"'
        ink = web.PALETTE["light"]["guides"][0]
        line = f'fill="none" stroke="{ink}" stroke-width="2" vector-effect="non-scaling-stroke"'
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="130" {size}>'
        svg += f'<polyline points="{points}" {line}/></svg>'
        return figure(svg.encode(), f"{self.label} over the run, 0 to 1", kind="image/svg+xml")


class WeightMap(Kept, anywidget.AnyWidget):
    """Paint where the picture should win: a map over the canvas, 0 (sound) to 1 (image).

        map = WeightMap(result.picture())                    # or WeightMap() for an empty canvas
        itskit.compose(pair, ..., image_weight=map.map, sound_weight=map.rest)

    `map` and `rest` are float32 arrays (rows, columns), row 0 at the top; they add up to 1.

    Parameters
    ----------
    picture : optional
        What `media.read_picture` reads; it lies under the paint.
    start : float, array (H, W), Picture or PIL image
        The first map: one number in [0, 1], or a map or mask of any size, which is resized.
    rows, columns : int
        Size of the map.
    **options
        Of the widget.

    Raises
    ------
    ValueError
        If `start` is outside [0, 1].
    """

    _esm, _css = web.script("weight_map.js"), web.style("weight_map.js")

    pixels = traitlets.CBytes().tag(sync=True)
    size = traitlets.List(traitlets.Int()).tag(sync=True)
    ground = traitlets.Bytes().tag(sync=True)
    tones = traitlets.List(TONES, read_only=True).tag(sync=True)

    def __init__(self, picture=None, *, start=0.5, rows: int = 32, columns: int = 128, **options):
        first = weight_map(start, (rows, columns)).numpy()
        if first.max() > 1:
            raise ValueError(f"start={start!r}: expected numbers from 0 (sound) to 1 (image)")
        pixels = (first * 255).round().astype(np.uint8).tobytes()
        ground = b"" if picture is None else _png(read_picture(picture).image)
        super().__init__(pixels=pixels, size=[rows, columns], ground=ground, **options)
        self.observe(self._keep, ["pixels", "ground"])

    @property
    def map(self) -> np.ndarray:
        """The image's weight, float32 (rows, columns) in [0, 1]."""
        return np.frombuffer(bytes(self.pixels), np.uint8).reshape(self.size) / np.float32(255)

    @property
    def rest(self) -> np.ndarray:
        """The sound's weight, 1 - map."""
        return np.float32(1) - self.map

    def _kept_html(self) -> str:
        """The paint over the picture, as weight_map.js draws it."""
        lean = 2 * self.map - 1  # (rows, columns), -1 sound, 1 picture
        tones = np.where(lean[..., None] > 0, *TONES)  # (rows, columns, 3)
        alpha = np.abs(lean)[..., None] * 0.5 * 255
        paint = Image.fromarray(np.concatenate([tones, alpha], 2).astype(np.uint8), "RGBA")
        ground = Image.new("RGBA", (512, 128), "black")
        if self.ground:
            with Image.open(BytesIO(self.ground)) as picture:
                ground = picture.convert("RGBA")
        ground.alpha_composite(paint.resize(ground.size))
        words = "image weight over the canvas: amber where the picture wins, teal where the sound"
        return figure(encode.picture_bytes(ground.convert("RGB")), words)


def _png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()
