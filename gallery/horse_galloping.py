"""A horse that gallops."""

from _make import Entry

entry = Entry(
    image="a horse",
    sound="a horse galloping",
    seed=5,
    # a thin sound wins too easily
    remark="Hoofbeats stand in a row of columns, and so do legs.",
)

if __name__ == "__main__":
    entry.make(__file__)
