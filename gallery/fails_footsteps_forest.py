"""Footsteps against a forest."""

from _make import Entry

entry = Entry(
    image="a forest",
    sound="footsteps",
    seed=0,
    remark=(
        "Footsteps are a few thin columns on black and a forest fills the canvas: what the "
        "trees paint between the steps is heard as noise, or the steps leave no forest."
    ),
    failure=True,
)

if __name__ == "__main__":
    entry.make(__file__)
