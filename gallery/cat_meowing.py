"""A cat that meows."""

from _make import Entry

entry = Entry(
    image="a cat",
    sound="a cat meowing",
    seed=0,
    # a thin sound wins too easily
    remark="A meow is an arch of harmonics, rising and falling like the outline of a back.",
)

if __name__ == "__main__":
    entry.make(__file__)
