"""Store two or three pictures in each lesson, for those who read it on GitHub.

    python docs/book/store_pictures.py [LESSON ...]

They are what the lesson shows when it is run; a run that `make book` has kept is not repeated.
"""

from __future__ import annotations

import argparse
from base64 import b64decode, b64encode
from io import BytesIO

import nbformat
from execute import ROOT, executed
from PIL import Image

MOST = 3
WIDTH, TONES = 640, 48  # pixels and colours: about 40 kB a picture
CHECKED = "nbval-check-output"


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="such as 03_blending (all)")
    names = parser.parse_args(argv).lessons or ["*"]
    for path in sorted(p for name in names for p in (ROOT / "notebooks").glob(f"{name}.ipynb")):
        lesson = nbformat.read(path, as_version=4)
        shown = executed(path, ROOT / "build" / "book" / "cache")
        count = store(lesson, shown)
        nbformat.write(lesson, path)
        print(f"{path.name}: {count} pictures")


def store(lesson, shown) -> int:
    """Give cells of `lesson` the first picture of what they showed: of all that showed one the
    first, the last, and one in the middle. How many these are."""
    found = {}
    for cell, ran in zip(lesson.cells, shown.cells, strict=True):
        if cell.cell_type != "code" or CHECKED in cell.metadata.get("tags", []):
            continue
        cell.outputs, cell.execution_count = [], None
        pictures = [o.data["image/png"] for o in ran.outputs if "image/png" in o.get("data", {})]
        if pictures:
            found[len(found)] = cell, pictures[0]
    kept = {round(k * (len(found) - 1) / (MOST - 1)) for k in range(MOST)} & set(found)
    for cell, picture in (found[k] for k in kept):
        data = {"image/png": small(picture)}
        cell.outputs = [nbformat.v4.new_output("display_data", data)]
        cell.execution_count = 1  # nbval refuses what was shown by a cell that never ran
    return len(kept)


def small(picture: str) -> str:
    """A PNG in base64 → one of few colours, at most WIDTH pixels wide."""
    image = Image.open(BytesIO(b64decode(picture))).convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)))
    file = BytesIO()
    image.quantize(TONES, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return b64encode(file.getvalue()).decode("ascii")


if __name__ == "__main__":
    main()
