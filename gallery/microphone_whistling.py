"""A microphone that whistles."""

from _make import Entry

entry = Entry(
    image="a microphone",
    sound="somebody whistling",
    seed=1,
    remark="A whistle is one thin bright line; the microphones stand around it.",
)

if __name__ == "__main__":
    entry.make(__file__)
