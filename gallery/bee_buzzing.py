"""A bee that buzzes."""

from _make import Entry

entry = Entry(
    image="a bee",
    sound="a bee buzzing",
    seed=6,
    settings={"image_scale": 15.0},
    # a thin sound wins too easily
    remark="A buzz is a stack of level lines that never ends, and stripes are lines too.",
)

if __name__ == "__main__":
    entry.make(__file__)
