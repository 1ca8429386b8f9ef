"""A helicopter that hovers."""

from _make import Entry

entry = Entry(
    image="a helicopter",
    sound="a helicopter hovering",
    seed=1,
    remark="The blades beat a fence of fine columns through the whole picture.",
)

if __name__ == "__main__":
    entry.make(__file__)
