"""A guitar that is played."""

from _make import Entry

entry = Entry(
    image="a guitar",
    sound="guitar chords being strummed",
    seed=7,
    # a thin sound wins too easily
    settings={"image_scale": 14.0, "sound_scale": 8.0},
    remark="Chords begin with an edge and fade in level lines, as strings lie along a neck.",
)

if __name__ == "__main__":
    entry.make(__file__)
