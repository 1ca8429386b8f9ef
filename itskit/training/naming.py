"""Naming canvases by the pocket scorers: among labels with captions, or among words."""

import torch
from torch.nn import functional as F

from ..models.pocket.networks import Scorer


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


class Namer:
    """Names canvases among candidate words with one pocket scorer."""

    def __init__(self, scorer, modality, words):
        self.scorer, self.encode = scorer, modality.encode
        text = torch.cat([modality.encode_prompt(word)[:, 0] for word in words])  # (words, 384)
        self.text = F.normalize(text, dim=1)

    @torch.no_grad()
    def __call__(self, canvases):
        """(B, 1, H, W) → cosine to each word (B, words)."""
        return self.scorer(self.encode(canvases)) @ self.text.T
