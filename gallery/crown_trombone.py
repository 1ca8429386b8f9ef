"""Crowns for a trombone."""

from _make import Entry

entry = Entry(
    image="a crown",
    sound="a trombone playing",
    seed=3,
    remark="A trombone's harmonics are level bands; each crown wears them as its hoop.",
)

if __name__ == "__main__":
    entry.make(__file__)
