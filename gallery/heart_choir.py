"""Hearts that sing."""

from _make import Entry

entry = Entry(
    image="a heart",
    sound="a choir singing",
    seed=4,
    remark="Voices are level harmonics that never break off, and a heart is broad enough for them.",
)

if __name__ == "__main__":
    entry.make(__file__)
