"""All the weight on the picture."""

from bee_buzzing import entry as bee

entry = bee.failing(
    remark=(
        "The sound model has no say: a drawing of a bee is played as it stands, and what a drawing "
        "sounds like is an accident."
    ),
    image_weight=1.0,
    sound_weight=0.0,
    image_start=0.0,
)

if __name__ == "__main__":
    entry.make(__file__)
