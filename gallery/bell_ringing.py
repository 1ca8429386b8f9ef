"""A hand bell that rings."""

from _make import Entry

entry = Entry(
    image="a bell",
    sound="a hand bell ringing",
    seed=0,
    remark="A bell is struck and fades: a few level lines, brightest where each stroke begins.",
)

if __name__ == "__main__":
    entry.make(__file__)
