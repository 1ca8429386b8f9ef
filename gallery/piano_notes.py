"""A piano that is played."""

from _make import Entry

entry = Entry(
    image="a piano",
    sound="a grand piano playing a slow melody",
    seed=1,
    settings={"image_scale": 15.0},
    remark="Every note is an upright edge and a level line after it: keys and strings.",
)

if __name__ == "__main__":
    entry.make(__file__)
