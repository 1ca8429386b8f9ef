"""Frogs that croak."""

from _make import Entry

entry = Entry(
    image="a frog",
    sound="frogs croaking",
    seed=3,
    remark="Croaks are short grainy bars that come again and again, with black between them.",
)

if __name__ == "__main__":
    entry.make(__file__)
