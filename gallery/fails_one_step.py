"""One step only."""

from clock_ticking import entry as clock

entry = clock.failing(
    remark=(
        "The steps end where hardly any noise is left, and a single step is the last one: neither "
        "model takes much away, and the noise itself is seen and heard."
    ),
    num_inference_steps=1,
    spacing="leading",
)

if __name__ == "__main__":
    entry.make(__file__)
