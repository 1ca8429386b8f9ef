"""An owl that hoots."""

from _make import Entry

entry = Entry(
    image="an owl",
    sound="an owl hooting",
    seed=7,
    # a thin sound wins too easily
    remark="A hoot is one smooth tone low on the canvas; nearly all of the owl has to be silent.",
)

if __name__ == "__main__":
    entry.make(__file__)
