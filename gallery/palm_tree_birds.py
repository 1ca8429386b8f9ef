"""A palm tree full of birds."""

from _make import Entry

entry = Entry(
    image="a palm tree",
    sound="birds chirping",
    seed=2,
    remark="A chirp is a short, bent stroke high up; so is each frond.",
)

if __name__ == "__main__":
    entry.make(__file__)
