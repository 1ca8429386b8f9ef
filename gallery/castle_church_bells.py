"""A castle and church bells."""

from _make import Entry

entry = Entry(
    image="a castle with towers",
    sound="church bells ringing",
    seed=2,
    # a thin sound wins too easily
    remark="Bells strike and fade in level lines, and walls can stand where they ring.",
)

if __name__ == "__main__":
    entry.make(__file__)
