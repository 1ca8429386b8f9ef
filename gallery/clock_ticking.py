"""A clock that ticks."""

from _make import Entry

entry = Entry(
    image="a clock",
    sound="a clock ticking",
    seed=6,
    # a thin sound wins too easily
    remark="Ticks are thin upright lines; a round dial has to be hung on them.",
)

if __name__ == "__main__":
    entry.make(__file__)
