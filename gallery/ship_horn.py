"""A ship and its horn."""

from _make import Entry

entry = Entry(
    image="a ship",
    sound="a ship horn blowing",
    seed=5,
    remark=(
        "A horn is one long tone low on the canvas, its harmonics above it like decks above a hull."
    ),
)

if __name__ == "__main__":
    entry.make(__file__)
