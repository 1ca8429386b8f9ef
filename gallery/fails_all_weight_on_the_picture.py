"""All the weight on the picture."""

from bee_buzzing import entry as bee

entry = bee.failing(
    remark=(
        "The sound model is not asked at all: the drawing alone is played, and its edges and "
        "surfaces are noise to the ear."
    ),
    image_weight=1.0,
    sound_weight=0.0,
)

if __name__ == "__main__":
    entry.make(__file__)
