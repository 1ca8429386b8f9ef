"""Sailing boats on the notes of a piano."""

from _make import Entry

entry = Entry(
    image="a sailboat",
    sound="a piano playing",
    seed=0,
    remark="Held notes are the water and the hulls; where one begins, a mast can stand.",
)

if __name__ == "__main__":
    entry.make(__file__)
