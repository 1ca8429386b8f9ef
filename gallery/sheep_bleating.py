"""A sheep that bleats."""

from _make import Entry

entry = Entry(
    image="a sheep",
    sound="a sheep bleating",
    seed=5,
    settings={"image_scale": 15.0},
    remark="A bleat trembles: its harmonics waver, and so does the edge of a fleece.",
)

if __name__ == "__main__":
    entry.make(__file__)
