"""The two scorers: a picture, or the mel picture of a sound, finds its words.

Trained like CLIP (Radford et al. 2021) against sentences that do not move: a latent learns to lie
nearest to a caption of its own class, among one caption for each class.
"""

import numpy as np
import torch
from torch.nn import functional as F

from ..models.pocket.networks import Scorer
from .loop import half_precision


def worn(rng, latents, others):
    """As generated latents are: a little noisy, mixed with a trace of the other modality."""
    share = torch.from_numpy(rng.uniform(-0.5, 0.4, len(latents))).clamp(min=0).to(latents)
    share = share[:, None, None, None]
    noise = torch.randn_like(latents) * float(rng.uniform(0, 0.3))
    moved = latents.roll(int(rng.integers(0, latents.shape[-1])), 3)
    return (1 - share) * moved + share * others + noise


def loss_function(net, source, other, texts, *, columns=1536, narrow=16, device="cpu", seed=0):
    """Cross-entropy over all classes of `source`; `columns` latent columns in a batch."""
    rng = np.random.default_rng(seed)
    captions = [[source.caption(rng, name) for _ in range(4)] for name in source.names]
    pool = torch.stack([texts(four)[:, 0] for four in captions])  # (classes, 4, 384)
    pool = F.normalize(pool, dim=2)

    def loss_of(step, progress):
        width = 64 if rng.random() < 0.3 else narrow
        size = max(1, columns // width)
        latents, _, labels = (x if isinstance(x, list) else x.to(device)
                              for x in source.batch(rng, size, width))  # fmt: skip
        others = other.batch(rng, size, width)[0].to(device)
        words = pool[np.arange(len(pool)), rng.integers(0, 4, len(pool))]
        with half_precision(device):
            ours = net(worn(rng, latents, others)).float()  # (B, 384)
        logits = net.log_temperature.exp().clamp(max=50) * ours @ words.T  # (B, classes)
        right = (logits.argmax(1) == labels).float().mean()
        return F.cross_entropy(logits, labels, label_smoothing=0.05), {"right": right}

    return loss_of


def likelihoods(net: Scorer, texts, captions: dict[str, list[str]]):
    """latents (B, 4, h, w) → log probability of each label (B, labels).

    A label lies among the sentences where the mean of its captions does.
    """
    means = torch.stack([texts(some)[:, 0].mean(0) for some in captions.values()])
    means = F.normalize(means, dim=1)  # (labels, 384)

    @torch.no_grad()
    def of(latents):
        temperature = net.log_temperature.exp().clamp(max=50)
        return (temperature * net(latents.float()) @ means.T).log_softmax(1)

    return of
