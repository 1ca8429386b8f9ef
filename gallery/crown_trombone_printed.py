"""The crown printed into the trombone."""

from crown_trombone import entry as crown

entry = crown.made_by(
    "strong_imprint",
    remark=(
        "To be compared with the composition of the same words and seed: here each model worked "
        "alone, and the drawing lies 50 dB below the loudest sound, where only the eye finds it."
    ),
    level=50.0,
    cut=16.0,
)

if __name__ == "__main__":
    entry.make(__file__)
