"""A train and its whistle."""

from _make import Entry

entry = Entry(
    image="a train",
    sound="a steam train whistle blowing",
    seed=1,
    settings={"image_scale": 15.0},
    remark="A whistle is a few level lines held for long, as long as roofs and rails.",
)

if __name__ == "__main__":
    entry.make(__file__)
