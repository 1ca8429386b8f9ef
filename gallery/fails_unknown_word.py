"""A word that no model has seen."""

from _make import Entry

entry = Entry(
    image="a theremin",
    sound="a theremin playing",
    seed=0,
    remark=(
        "Neither model was shown a theremin: the text encoder puts the word near others, and "
        "what those mean is painted and played instead."
    ),
    failure=True,
)

if __name__ == "__main__":
    entry.make(__file__)
