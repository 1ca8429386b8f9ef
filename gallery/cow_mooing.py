"""A cow that moos."""

from _make import Entry

entry = Entry(
    image="a cow",
    sound="a cow mooing",
    seed=4,
    settings={"image_scale": 15.0},
    remark="A moo bends slowly through many harmonics: a broad back is easily laid along them.",
)

if __name__ == "__main__":
    entry.make(__file__)
