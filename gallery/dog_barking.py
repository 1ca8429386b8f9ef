"""A dog that barks."""

from _make import Entry

entry = Entry(
    image="a dog",
    sound="a dog barking",
    seed=5,
    remark=(
        "Barks are short columns with gaps between them, and the dog has to live in the columns."
    ),
)

if __name__ == "__main__":
    entry.make(__file__)
