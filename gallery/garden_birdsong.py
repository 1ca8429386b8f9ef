"""A garden with birds."""

from _make import Entry

entry = Entry(
    image="a garden full of flowers",
    sound="birds singing",
    seed=2,
    remark="Birdsong is thin curls high on the canvas, and the rest is left to the flowers.",
)

if __name__ == "__main__":
    entry.make(__file__)
