"""SVG and bitmap drawings → 128 × 128 grey pictures, bright on black, and what they look like."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
RESVG = "Drawing SVG needs the package resvg-py: pip install resvg-py"


def svg_to_image(svg: str | Path, pixels=512) -> Image.Image:
    """The text of a drawing, or its file → RGBA of about `pixels` on the longer side.

    A drawing with wide margins is drawn larger.
    """
    image = _draw_svg(svg, pixels)
    content = image.getchannel("A").getbbox()
    if content:
        fraction = max(content[2] - content[0], content[3] - content[1]) / max(image.size)
        if fraction < 0.5:
            image = _draw_svg(svg, int(min(4096, pixels / max(fraction, 0.05))))
    return image


def _draw_svg(svg, pixels):
    try:
        import resvg_py
    except ImportError:
        raise ImportError(RESVG) from None

    source = {"svg_path": str(svg)} if isinstance(svg, Path) else {"svg_string": svg}

    def draw(**size):
        data = resvg_py.svg_to_bytes(**source, dpi=96.0, skip_system_fonts=True, **size)
        return Image.open(io.BytesIO(bytes(data)))

    image = draw(width=pixels)
    if image.size[1] > 1.02 * pixels:
        image = draw(height=pixels)
    return image.convert("RGBA")


def open_bitmap(file, limit=2048) -> Image.Image:
    image = Image.open(file).convert("RGBA")
    if max(image.size) > limit:
        image.thumbnail((limit, limit), Image.LANCZOS)
    return image


def without_white_page(image: Image.Image) -> Image.Image:
    """An opaque drawing on a white page: the page becomes transparent, flooded from the border."""
    pixels = np.asarray(image).astype(np.float32)
    if (pixels[..., 3] < 250).mean() > 0.02:
        return image
    rgb = pixels[..., :3]
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    if (border.min(1) > 236).mean() < 0.8:
        return image
    white = Image.fromarray(((rgb.min(2) > 228) * 255).astype(np.uint8))
    padded = Image.new("L", (white.width + 2, white.height + 2), 255)
    padded.paste(white, (1, 1))
    ImageDraw.floodfill(padded, (0, 0), 128)
    page = np.asarray(padded)[1:-1, 1:-1] == 128
    alpha = Image.fromarray((~page * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))
    cut = image.copy()
    cut.putalpha(alpha)
    return cut


def white_shape(image: Image.Image) -> Image.Image:
    """A drawing in black (or in no colour) on nothing: its shape in white."""
    alpha = image.getchannel("A")
    white = Image.new("RGBA", image.size, (255, 255, 255, 0))
    white.putalpha(alpha)
    return white


def tone(image: Image.Image, one_colour: bool):
    """RGBA → (grey on black (H, W) in [0, 1], which way it was toned), or (None, "empty").

    "mono": one colour; "lum": luminance stretched to 0.2..1, or a colour channel if that alone
    varies; "flat": an even shape; "ink": dark lines, inverted.
    """
    pixels = np.asarray(image).astype(np.float32) / 255.0
    alpha, rgb = pixels[..., 3], pixels[..., :3]  # (H, W), (H, W, 3)
    if one_colour:
        return alpha * rgb.max(2), "mono"
    grey = rgb @ LUMA
    inside = alpha > 0.5
    if inside.sum() < 20:
        return None, "empty"
    low, high = np.percentile(grey[inside], [2, 98])
    if grey[inside].mean() < 0.25 and np.percentile(grey[inside], 88) < 0.5:
        return alpha * np.clip(1 - grey * 1.2, 0.25, 1), "ink"
    if high - low < 0.12:
        spans = [np.percentile(rgb[..., k][inside], [2, 98]) for k in range(3)]
        channel = int(np.argmax([b - a for a, b in spans]))
        low, high = spans[channel]
        if high - low < 0.12:
            return alpha * 0.92, "flat"
        grey = rgb[..., channel]
    stretched = np.clip((grey - low) / max(high - low, 0.3), 0, 1)
    return alpha * (0.20 + 0.80 * stretched), "lum"


def on_square(grey: np.ndarray, size=128, margin=1 / 16):
    """Cropped to what is drawn, fitted on a black square: (uint8 (size, size), width / height)."""
    inside = grey > 0.03
    if inside.sum() < 20:
        return None, 1.0
    rows, columns = np.where(inside.any(1))[0], np.where(inside.any(0))[0]
    grey = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = grey.shape
    scale = size * (1 - 2 * margin) / max(height, width)
    fitted = max(1, round(width * scale)), max(1, round(height * scale))
    method = Image.LANCZOS if scale < 1 else Image.BICUBIC
    small = Image.fromarray((grey * 255).astype(np.uint8)).resize(fitted, method)
    square = Image.new("L", (size, size), 0)
    square.paste(small, ((size - fitted[0]) // 2, (size - fitted[1]) // 2))
    return np.asarray(square), width / height


def measures(picture: np.ndarray) -> dict:
    """fill: share of bright pixels; detail: mean step between neighbours inside; solid: a blot."""
    bright = picture > 40
    inner = bright[1:-1, 1:-1] & bright[:-2, 1:-1] & bright[2:, 1:-1]
    inner &= bright[1:-1, :-2] & bright[1:-1, 2:]
    steps = np.abs(np.diff(picture.astype(np.float32), axis=1))[1:-1, :-1]
    detail = float(steps[inner].mean() / 255) if inner.sum() > 10 else 0.2
    fill = float(bright.mean())
    return {
        "fill": round(fill, 3),
        "detail": round(detail, 4),
        "solid": bool(detail < 0.012 and fill > 0.12),
    }
