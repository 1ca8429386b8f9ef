"""A Picture; pictures of any kind as one: upright, opaque, of 8 bits; and how it fits a canvas."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from ..writing import make_folder, written

FITS = ("pad", "crop", "stretch")
HALF_A_GREY = 0.5 / 255  # how far from [0, 1] rounding alone may take a picture
ORIENTATION = 0x0112  # Exif's


@dataclass(frozen=True)
class Picture:
    """A picture; a notebook shows it by itself."""

    image: Image.Image

    def __repr__(self) -> str:
        return f"Picture({self.image.width} x {self.image.height} px, {self.image.mode})"

    def save(self, path, format: str | None = None) -> None:
        """Write it as an image file.

        Parameters
        ----------
        path : path or file object
            Its suffix says which kind. Folders are made.
        format : str, optional
            The kind, for a file object: "PNG".
        """
        make_folder(path)
        with written(path) as part:
            self.image.save(part, format=format)

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.save(file, format="PNG")
        return file.getvalue()


def plain(what: Picture | Image.Image, background="white") -> Picture:
    """Upright, opaque, 8 bits, L or RGB; a picture that is all that stays itself."""
    image = what.image if isinstance(what, Picture) else what
    if not (image.width and image.height):
        raise ValueError(f"a picture of {image.width} x {image.height} pixels: expected some")
    kind, clear = image.format, image.info.get("transparency")
    upright = image.getexif().get(ORIENTATION, 1) == 1
    if isinstance(what, Picture) and image.mode in ("L", "RGB") and clear is None and upright:
        return what
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and kind in ("PNG", "PPM")):
        deep = np.asarray(image)
        image = Image.fromarray((deep / 257).round().astype(np.uint8))
        if isinstance(clear, int):
            image.putalpha(Image.fromarray((deep != clear).astype(np.uint8) * 255))
    elif image.mode in ("I", "F"):  # whatever depth it has
        return picture_of_array(np.asarray(image), background)
    elif clear is not None:
        image = image.convert("RGBA")
    if {"A", "a"} & set(image.getbands()):
        image = _laid_on(image.convert("RGBA"), background)
    if image.mode == "1":
        image = image.convert("L")
    return Picture(image if image.mode in ("L", "RGB") else image.convert("RGB"))


def _laid_on(image: Image.Image, background) -> Image.Image:
    """An RGBA picture on a background of one colour."""
    colour = tuple(background) if isinstance(background, list) else background
    try:
        below = Image.new("RGBA", image.size, colour)
    except (ValueError, TypeError):
        raise ValueError(
            f"background={background!r}: expected a colour, such as 'white', '#204060' or "
            "(32, 64, 96)"
        ) from None
    laid = Image.alpha_composite(below, image).convert("RGB")
    clear, most = image.getchannel("A").getextrema()
    if clear < most and all(low == high for low, high in laid.getextrema()):
        warnings.warn(
            f"nothing is to be seen of the transparent picture on {background}: expected another "
            "background",
            stacklevel=2,
        )
    return laid


def picture_of_array(array: np.ndarray, background="white") -> Picture:
    shape = array.shape
    while array.ndim > 3 and len(array) == 1:
        array = array[0]  # (1, channels, H, W) -> (channels, H, W)
    if array.ndim == 3 and not 1 <= array.shape[2] <= 4:
        array = np.moveaxis(array, 0, 2)  # (channels, H, W) -> (H, W, channels)
    if array.ndim not in (2, 3) or not array.size or not (array.ndim == 2 or array.shape[2] <= 4):
        raise ValueError(
            f"an array of shape {shape}: expected a picture (H, W), (H, W, channels) or "
            "(channels, H, W); an array (n,) is a recording and belongs to the sound"
        )
    eight = _eight_bits(array)
    if eight.ndim == 3 and eight.shape[2] == 1:
        eight = eight[..., 0]
    return plain(Image.fromarray(np.ascontiguousarray(eight)), background)


def _eight_bits(array: np.ndarray) -> np.ndarray:
    """Levels as uint8, scaled by the depth that the type says; ValueError if it says none."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint16:
        return (array / 257).round().astype(np.uint8)
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind == "f" and -HALF_A_GREY <= low <= high <= 1 + HALF_A_GREY:
        return (array.clip(0, 1) * 255).round().astype(np.uint8)
    raise ValueError(
        f"a picture of type {array.dtype} with values from {low:g} to {high:g}: expected floats in "
        "[0, 1], uint8 up to 255 or uint16 up to 65535; divide by the largest that there can be"
    )


def fit_picture(picture: Picture, size: tuple[int, int], fit: str = "pad") -> Picture:
    """A picture on a canvas of another size; one that has the size stays itself.

    Parameters
    ----------
    picture : Picture
    size : tuple of int
        (width, height) in pixels.
    fit : {"pad", "crop", "stretch"}
        "pad" keeps the whole picture and its proportions, and fills what is left at two sides with
        the colour of the picture's edge (the median of its outermost pixels). "crop" keeps the
        proportions and fills the canvas with the middle. "stretch" changes the proportions.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        For another `fit`.
    """
    if fit not in FITS:
        raise ValueError(f"fit={fit!r}: expected one of {', '.join(map(repr, FITS))}")
    image, how = picture.image, Image.Resampling.LANCZOS
    if image.size == tuple(size):
        return picture
    if fit == "stretch":
        return Picture(image.resize(size, how))
    if fit == "crop":
        return Picture(ImageOps.fit(image, size, how))
    pixels = np.asarray(image)
    edge = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]  # (W or H, ...) each
    colour = np.median(np.concatenate(edge), axis=0).round().astype(int)
    return Picture(ImageOps.pad(image, size, how, color=tuple(np.atleast_1d(colour).tolist())))


def nearest_size(
    picture: Picture, height: int, multiple: int, width: int | None = None
) -> tuple[int, int]:
    """The canvas that suits a picture.

    Parameters
    ----------
    picture : Picture
    height, multiple : int
        Pixels. The width is the multiple nearest to the picture's proportions.
    width : int, optional
        This one instead.

    Returns
    -------
    tuple of int
        (width, height) in pixels.
    """
    wide = picture.image.width * height / picture.image.height
    return width or max(1, round(wide / multiple)) * multiple, height
