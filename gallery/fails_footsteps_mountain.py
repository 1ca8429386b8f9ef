"""Footsteps against a mountain."""

from _make import Entry

entry = Entry(
    image="a mountain",
    sound="footsteps",
    seed=0,
    remark=(
        "Footsteps are a few broad columns, and where they stand nothing is seen of a mountain: "
        "one of the two is cut into strips."
    ),
    failure=True,
)

if __name__ == "__main__":
    entry.make(__file__)
