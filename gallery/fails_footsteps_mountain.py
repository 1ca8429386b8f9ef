"""Footsteps against a mountain."""

from _make import Entry

entry = Entry(
    image="a mountain",
    sound="footsteps",
    seed=0,
    remark=(
        "Footsteps are a few thin columns on black, a mountain is a broad bright surface: what it "
        "paints between the steps is heard as noise, or the steps leave nothing of it."
    ),
    failure=True,
)

if __name__ == "__main__":
    entry.make(__file__)
