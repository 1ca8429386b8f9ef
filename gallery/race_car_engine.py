"""A race car and its engine."""

from _make import Entry

entry = Entry(
    image="a race car",
    sound="a race car engine accelerating",
    seed=2,
    remark="An engine is a ladder of harmonics that bends upwards as it turns faster.",
)

if __name__ == "__main__":
    entry.make(__file__)
