"""Sailing boats that croak."""

from _make import Entry

entry = Entry(
    image="a sailboat",
    sound="frogs croaking",
    seed=4,
    remark="Every croak is an upright column of bands, and stands where a boat can have its mast.",
)

if __name__ == "__main__":
    entry.make(__file__)
