"""Silence and a lion."""

from _make import Entry

entry = Entry(
    image="a lion",
    sound="silence",
    seed=0,
    remark=(
        "Silence is a black canvas and a lion is not, and no recording called silence was "
        "ever shown to the sound model: something is heard all the same."
    ),
    failure=True,
)

if __name__ == "__main__":
    entry.make(__file__)
