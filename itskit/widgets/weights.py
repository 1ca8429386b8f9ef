"""Weights drawn by hand: over the steps (a curve) and over the canvas (a map)."""

from __future__ import annotations

from io import BytesIO

import anywidget
import numpy as np
import traitlets
from PIL import Image

from ..export.scrub import STATIC
from ..guidance import weight_map
from ..modality import Picture


def _read(*names: str) -> str:
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


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


class WeightCurve(anywidget.AnyWidget):
    """Draw the image's weight over the run, left to right, with the mouse, a finger or the keys.

        curve = WeightCurve()
        curve                                                # draw
        itskit.compose(pair, ..., image_weight=curve, sound_weight=curve.rest)

    It is itself a weight: `curve(index, num_inference_steps)` in [0, 1]. `rest` is what is left
    for the other guide. `values` are the heights at evenly spaced moments of the run. A preset
    that nobody has drawn on is the rule itself: "alternate" takes turns step by step, however
    many steps there are.
    """

    _esm = _read("chart.js", "curve.js")
    _css = _read("scrubber.css", "weights.css")

    values = traitlets.List(traitlets.Float(min=0, max=1)).tag(sync=True)
    presets = traitlets.Dict().tag(sync=True)
    label = traitlets.Unicode("image weight").tag(sync=True)

    def __init__(self, values=None, *, count: int = 50, **options):
        """`values` in [0, 1] for evenly spaced moments, or a preset's name: "warm start"
        (default), "constant" or "alternate"."""
        shapes = {name: [f(k, count) for k in range(count)] for name, f in PRESETS.items()}
        values = "warm start" if values is None else values
        if isinstance(values, str):
            if values not in shapes:
                raise ValueError(f"{values!r}: expected one of {', '.join(map(repr, shapes))}")
            values = shapes[values]
        values = [float(value) for value in values]
        super().__init__(values=values, presets=shapes, **options)

    def __call__(self, index: int, num_inference_steps: int) -> float:
        """The weight at a step: the preset's, or that of the drawn moment at which it begins."""
        for name, shape in self.presets.items():
            if self.values == shape:
                return PRESETS[name](index, num_inference_steps)
        return self.values[index * len(self.values) // num_inference_steps]

    def rest(self, index: int, num_inference_steps: int) -> float:
        """What the curve leaves over: 1 - weight."""
        return 1.0 - self(index, num_inference_steps)


class WeightMap(anywidget.AnyWidget):
    """Paint where the picture should win: a map over the canvas, 0 (sound) to 1 (image).

        map = WeightMap(result.picture())                    # or WeightMap() for an empty canvas
        itskit.compose(pair, ..., image_weight=map.map, sound_weight=map.rest)

    `map` and `rest` are float32 arrays (rows, columns), row 0 at the top; they add up to 1.
    """

    _esm = _read("chart.js", "map.js")
    _css = _read("scrubber.css", "weights.css")

    pixels = traitlets.CBytes().tag(sync=True)
    size = traitlets.List(traitlets.Int()).tag(sync=True)
    ground = traitlets.Bytes().tag(sync=True)

    def __init__(self, picture=None, *, start=0.5, rows: int = 32, columns: int = 128, **options):
        """`picture` (Picture or PIL image) lies under the paint. `start` is a number in [0, 1] to
        begin with, or a map (H, W) of any size, stretched over the canvas like a guide's weight."""
        first = weight_map(start, (rows, columns)).numpy()
        if first.max() > 1:
            raise ValueError(f"start={start!r}: expected numbers from 0 (sound) to 1 (image)")
        pixels = (first * 255).round().astype(np.uint8).tobytes()
        image = picture.image if isinstance(picture, Picture) else picture
        ground = _png(image) if isinstance(image, Image.Image) else b""
        super().__init__(pixels=pixels, size=[rows, columns], ground=ground, **options)

    @property
    def map(self) -> np.ndarray:
        """The image's weight, float32 (rows, columns) in [0, 1]."""
        return np.frombuffer(bytes(self.pixels), np.uint8).reshape(self.size) / np.float32(255)

    @property
    def rest(self) -> np.ndarray:
        """The sound's weight, 1 - map."""
        return np.float32(1) - self.map


def _png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()
