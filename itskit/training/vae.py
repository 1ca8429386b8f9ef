"""The shared autoencoder: drawings and mel pictures, half and half."""

import numpy as np
import torch
from torch.nn import functional as F

from ..models.pocket.networks import Autoencoder
from .canvas import fill_with_sound, place_drawing


def batch_of(rng, images, mels, size):
    """(size, 1, 128, 128): half drawings, half windows of sounds."""
    out = []
    for k in range(size):
        if k % 2:
            out.append(place_drawing(rng, images[rng.integers(len(images))]))
        else:
            clip = mels[rng.integers(len(mels))]
            canvas = fill_with_sound(rng, clip[rng.integers(len(clip))])
            start = rng.integers(0, canvas.shape[1] - 127)
            out.append(canvas[:, start : start + 128])
    return torch.from_numpy(np.stack(out)[:, None])


def edges(picture):
    """Differences to the neighbour below and on the right: strokes and harmonics."""
    return picture[..., 1:, :] - picture[..., :-1, :], picture[..., 1:] - picture[..., :-1]


def reconstruction_loss(output, picture):
    """L1 on grey levels and on edges."""
    loss = F.l1_loss(output, picture)
    for ours, theirs in zip(edges(output), edges(picture), strict=True):
        loss = loss + F.l1_loss(ours, theirs)
    return loss


def loss_function(net: Autoencoder, images, mels, *, size=16, kl_weight=2e-4, seed=0):
    """For the whole network; with a frozen encoder only the decoder learns, and latents stay."""
    rng = np.random.default_rng(seed)

    def loss_of(step, progress):
        picture = batch_of(rng, images, mels, size)
        mean, logvar = net.moments(picture)
        latent = mean + torch.randn_like(mean) * (logvar / 2).exp()
        output = net.decoder(latent) / 2 + 0.5
        reconstruction = reconstruction_loss(output, picture)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        return reconstruction + kl_weight * kl, {
            "l1": F.l1_loss(output, picture).detach(),
            "kl": kl.detach(),
        }

    return loss_of


@torch.no_grad()
def normalise_latents(net: Autoencoder, images, mels, seed=0):
    """Set the shift so that black is zero and the scale so that the material has unit RMS."""
    net.shift.zero_()
    net.scale.fill_(1)
    black = net.encode(torch.zeros(1, 1, 128, 128))  # (1, 4, 16, 16)
    net.shift.copy_(black.mean((2, 3), keepdim=True))
    rng = np.random.default_rng(seed)
    latents = torch.cat([net.encode(batch_of(rng, images, mels, 32)) for _ in range(16)])
    net.scale.copy_(latents.square().mean((0, 2, 3), keepdim=True).sqrt())
