"""A guitar that is played."""

from _make import Entry

entry = Entry(
    image="a guitar",
    sound="guitar chords being strummed",
    seed=2,
    # a thin sound wins too easily
    remark="Chords begin with an edge and fade in level lines, as strings lie along a neck.",
)

if __name__ == "__main__":
    entry.make(__file__)
