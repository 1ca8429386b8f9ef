"""Guidance far too high."""

from castle_church_bells import entry as castle

entry = castle.failing(
    remark=(
        "Guidance multiplies what the words change: at 60 the latent leaves all that the "
        "decoder has learned, and comes back as glaring patches and harsh noise."
    ),
    image_scale=60.0,
    sound_scale=60.0,
)

if __name__ == "__main__":
    entry.make(__file__)
