"""One step only."""

from clock_ticking import entry as clock

entry = clock.failing(
    remark=(
        "The first guess from pure noise is an average of all that the words allow: a blur to "
        "the eye, a hiss to the ear."
    ),
    num_inference_steps=1,
)

if __name__ == "__main__":
    entry.make(__file__)
