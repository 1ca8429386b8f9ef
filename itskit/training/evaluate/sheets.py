"""Sheets of composed canvases, for a person to look at or to name."""

import json

import numpy as np
from PIL import Image, ImageDraw

from ...models import pocket
from ...writing import written


def contact_sheet(sheet, path, columns=4, size=(256, 64)):
    """Composed canvases (H, W) with their prompts under one another, for a person to look at."""
    wide, high = size[0] + 10, size[1] + 18
    page = Image.new("L", (columns * wide, -(-len(sheet) // columns) * high), 40)
    draw = ImageDraw.Draw(page)
    for k, (words, canvas) in enumerate(sheet):
        left, top = (k % columns) * wide + 5, (k // columns) * high + 15
        draw.text((left, top - 13), words, fill=255)
        page.paste(Image.fromarray(canvas).resize(size, Image.Resampling.LANCZOS), (left, top))
    with written(path) as part:
        page.save(part)


def blind_sheet(sheet, path, seed=0):
    """The canvases in random order under numbers, for a person who must name them; beside it, in
    JSON, what each number was asked to be."""
    order = np.random.default_rng(seed).permutation(len(sheet))
    numbered = {f"#{n}": sheet[k] for n, k in enumerate(order, 1)}
    contact_sheet([(n, canvas) for n, (_, canvas) in numbered.items()], path, 3, (512, 128))
    words = {n: words for n, (words, _) in numbered.items()}
    with written(path.with_suffix(".json")) as part:
        part.write_text(json.dumps(words, indent=1) + "\n", encoding="utf-8")


def first_seeds(todo, folder, count=64):
    """(words, canvas) of the first seed of every pair, then of the second, up to `count`."""
    sheets = {q: folder / f"{k:02d}.png" for k, q in enumerate(todo)}
    stacks = {q: np.asarray(Image.open(file)) for q, file in sheets.items() if file.exists()}
    seeds = max((len(stack) // pocket.HEIGHT for stack in stacks.values()), default=0)
    every = [
        (question, stack[seed * pocket.HEIGHT : (seed + 1) * pocket.HEIGHT])
        for seed in range(seeds)
        for question, stack in stacks.items()
    ]
    return every[:count]
