"""A palm tree full of birds."""

from _make import Entry

entry = Entry(
    image="a palm tree",
    sound="birds chirping",
    seed=7,
    remark="A chirp is a short, bright stroke; the palms stand in the quiet greys around it.",
)

if __name__ == "__main__":
    entry.make(__file__)
