"""A telephone that rings."""

from _make import Entry

entry = Entry(
    image="a telephone",
    sound="a telephone ringing",
    seed=4,
    remark="Ringing comes in equal bursts with equal pauses, each wide enough for a telephone.",
)

if __name__ == "__main__":
    entry.make(__file__)
