"""What the method is compared with, made of the same blocks; and colour for its pictures.

    imprint    a picture printed into a finished spectrogram
    strong_imprint  the same, where neither eye nor ear misses much; what composing has to beat
    press      a drawing of one's own into a recording of one's own, by the same rule; both as files
    sds        a picture that both models pull at, step by step (score distillation)
    colourise  colours for a grey picture that stays as it is, to whoever sees only its light

The first two are the baselines of "Images that Sound" (Chen et al. 2024, arXiv 2405.12221). Their
results are Canvases, which answer like a Trajectory: `picture()`, `sound()`, `mel_picture()`.
"""

from .canvas import Canvas
from .colour import colourise, keep_luminance
from .distillation import FourierImage, SDSStep, distillation_loss, sds
from .printing import (
    PAPER_IMPRINT,
    imprint,
    press,
    press_into,
    print_into,
    strong_imprint,
)

__all__ = [
    "imprint",
    "strong_imprint",
    "press",
    "print_into",
    "press_into",
    "PAPER_IMPRINT",
    "sds",
    "SDSStep",
    "FourierImage",
    "distillation_loss",
    "colourise",
    "keep_luminance",
    "Canvas",
]
