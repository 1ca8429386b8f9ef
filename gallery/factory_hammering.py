"""A factory at work."""

from _make import Entry

entry = Entry(
    image="a factory",
    sound="hammering",
    seed=3,
    remark="Each blow is a column over the whole height, as high as a chimney.",
)

if __name__ == "__main__":
    entry.make(__file__)
