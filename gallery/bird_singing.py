"""A bird that sings."""

from _make import Entry

entry = Entry(
    image="a bird",
    sound="a songbird singing",
    seed=3,
    remark="Each syllable is a small curl, far above where the bird would like to sit.",
)

if __name__ == "__main__":
    entry.make(__file__)
