"""Abstract words."""

from _make import Entry

entry = Entry(
    image="the meaning of life",
    sound="nostalgia",
    seed=0,
    remark=(
        "Meaning has no outline and nostalgia no spectrum: each model falls back on whatever "
        "it knows nearest to the words."
    ),
    failure=True,
)

if __name__ == "__main__":
    entry.make(__file__)
