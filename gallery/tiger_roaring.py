"""A tiger that roars."""

from _make import Entry

entry = Entry(
    image="a tiger",
    sound="a tiger roaring",
    seed=2,
    settings={"image_scale": 15.0},
    remark="A roar is a rough band low on the canvas; the tiger has the room above it.",
)

if __name__ == "__main__":
    entry.make(__file__)
