"""A dog that barks."""

from _make import Entry

entry = Entry(
    image="a dog",
    sound="a dog barking",
    seed=6,
    remark="Barks are short bright columns; the dog stands in the grey between and behind them.",
)

if __name__ == "__main__":
    entry.make(__file__)
