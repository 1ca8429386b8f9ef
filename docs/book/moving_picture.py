"""Film the scrubber of a gallery entry for the README: `python docs/book/moving_picture.py`.

It makes the run again, opens its page in Chromium, lets the noise become the picture, and lets the
playhead go over it. Writes docs/scrubber.gif.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gallery"), str(ROOT / "tests")]
TARGET = ROOT / "docs" / "scrubber.gif"
LIMIT = 1_500_000  # bytes: a README is read on telephones, too
WIDTH, COLOURS = 720, 96
PLAYED = 24  # pictures of the playhead's way
SCRUBBER = "document.querySelector('.its-scrubber').scrubber"


def run(name: str):
    """The run of a gallery entry."""
    from _make import entries

    import itskit
    from itskit.composition import composed

    (module,) = entries([name])
    entry = module.entry
    pair = itskit.load_pair("pocket")
    return composed(pair, entry.image, entry.sound, seed=entry.seed, **entry.settings)


def film(page) -> Iterator[tuple[Image.Image, int]]:
    """(picture, milliseconds): the noise, what it becomes, and the result being played."""
    count, seconds = page.evaluate(f"[{SCRUBBER}.data.count, {SCRUBBER}.data.seconds]")
    for step in range(count):
        page.evaluate(f"{SCRUBBER}.show({step}, 'noisy')")
        yield shot(page), 900 if step == 0 else 320
    page.evaluate(f"{SCRUBBER}.choose('clean'); {SCRUBBER}.show({count - 1})")
    yield shot(page), 900
    for k in range(PLAYED):
        page.evaluate(f"{SCRUBBER}.player.seek({seconds * k / PLAYED}); {SCRUBBER}.draw()")
        yield shot(page), 120
    page.evaluate(f"{SCRUBBER}.player.seek(0); {SCRUBBER}.draw()")
    yield shot(page), 1500


def shot(page) -> Image.Image:
    """The upper part of the scrubber, down to its slider."""
    page.wait_for_timeout(150)
    whole = page.locator(".its-scrubber").bounding_box()
    end = page.locator(".its-step").bounding_box()
    height = end["y"] + end["height"] + 20 - whole["y"]
    file = page.screenshot(clip={**whole, "height": height})
    return Image.open(BytesIO(file)).convert("RGB")


def save(frames: list[tuple[Image.Image, int]], path: Path) -> None:
    """A GIF that repeats, all in the same few colours, so that only what moves is stored."""
    from itskit.writing import written

    pictures, pauses = zip(*frames, strict=True)
    sample = Image.new("RGB", (pictures[0].width, 2 * pictures[0].height))
    for k, picture in enumerate((pictures[0], pictures[-1])):
        sample.paste(picture, (0, k * picture.height))
    palette = sample.quantize(COLOURS, dither=Image.Dither.NONE)
    drawn = [p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
    with written(path) as part:
        drawn[0].save(
            part, "GIF", save_all=True, append_images=drawn[1:], duration=list(pauses), loop=0
        )


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="palm_tree_birds", help="of the entry")
    name = parser.parse_args(argv).name
    from chromium import find_chromium
    from playwright.sync_api import sync_playwright

    from itskit import export

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = export.page(run(name), Path(folder) / "page.html")
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0  # cannot use its sandbox
        flags = ["--no-sandbox"] if as_root else []
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=flags)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": 900}, color_scheme="light", bypass_csp=True
        )
        page.goto(file.as_uri())
        page.wait_for_selector(".its-scrubber")
        page.wait_for_function(f"{SCRUBBER}?.complete", timeout=120_000)
        save(list(film(page)), TARGET)
        browser.close()
    size = TARGET.stat().st_size
    print(f"{TARGET}: {size / 1e6:.2f} MB")
    if size > LIMIT:
        raise SystemExit(f"That is more than {LIMIT / 1e6} MB: lower WIDTH, COLOURS or PLAYED.")


if __name__ == "__main__":
    main()
