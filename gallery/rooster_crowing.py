"""A rooster that crows."""

from _make import Entry

entry = Entry(
    image="a rooster",
    sound="a rooster crowing",
    seed=0,
    settings={"image_scale": 15.0},
    remark=(
        "A crow climbs and falls in bold bent harmonics, one above the other like tail feathers."
    ),
)

if __name__ == "__main__":
    entry.make(__file__)
