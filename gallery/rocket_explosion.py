"""A rocket and an explosion."""

from _make import Entry

entry = Entry(
    image="a rocket",
    sound="an explosion",
    seed=4,
    settings={"image_scale": 15.0},
    remark=(
        "An explosion is a wall of noise that fades to the right; the rocket is what the "
        "smoke leaves."
    ),
)

if __name__ == "__main__":
    entry.make(__file__)
