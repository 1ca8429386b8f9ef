"""Fireworks."""

from _make import Entry

entry = Entry(
    image="fireworks",
    sound="fireworks exploding",
    seed=0,
    settings={"image_scale": 15.0},
    remark="A bang is a column, crackle is scattered dots: eye and ear want nearly the same.",
)

if __name__ == "__main__":
    entry.make(__file__)
