"""A church in which an organ plays."""

from _make import Entry

entry = Entry(
    image="a church",
    sound="a pipe organ playing",
    seed=3,
    settings={"image_scale": 15.0},
    remark="An organ holds its harmonics, level and long; towers stand on them as on storeys.",
)

if __name__ == "__main__":
    entry.make(__file__)
