"""A cloud that thunders."""

from _make import Entry

entry = Entry(
    image="a cloud",
    sound="thunder rumbling",
    seed=4,
    settings={"image_scale": 15.0},
    remark=(
        "Thunder rumbles along the bottom without an edge, so that a cloud may hang where it likes."
    ),
)

if __name__ == "__main__":
    entry.make(__file__)
