"""How much two prompts, two models, or two piles of canvases have in common.

Of a run, from its recorded noises:

    overlap.disagreement(result).total, .curve, .map
    itskit.hunt(pair, "a castle", "bells", scorers=overlap.SCORERS)

Of two models, which look at the same latents:

    overlap.losses(pair.sound, drawings, [900, 500, 100])         # (N, 3)

Of grey pictures (N, H, W), one value or row for each:

    overlap.power(pictures), overlap.slope(pictures), overlap.anisotropy(pictures)
    overlap.orientations(pictures)

Of points (N, D), such as latents or features of pictures:

    overlap.dimension(points)
    overlap.nearness(made, real).precision, .recall, .density, .coverage
    overlap.separability(one, other)              # a classifier's held-out AUC
"""

from .losses import losses
from .piles import Dimension, Nearness, Separability, dimension, nearness, separability
from .runs import SCORERS, Disagreement, disagreement, lift
from .spectra import anisotropy, orientations, power, slope

__all__ = [
    "SCORERS", "Dimension", "Disagreement", "Nearness", "Separability", "anisotropy", "dimension",
    "disagreement", "lift", "losses", "nearness", "orientations", "power", "separability", "slope",
]  # fmt: skip
