"""The shared autoencoder: drawings, mel pictures, and both on one canvas."""

from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ...models.pocket.networks import Autoencoder
from ..checkpoints import network, save_weights
from ..dataset.canvas import DECIBELS
from ..dataset.material import random_crops
from ..place import Place
from ..precision import half_precision
from .loop import train


def fit_autoencoder(
    place: Place, *, budget, batch=16, learning_rate=1e-3, device="cpu", seed=0, start="new",
    on_device=False,
):  # fmt: skip
    """Encoder and decoder → WORK/vae.safetensors."""
    crops = random_crops(place, seed=seed, device=device, on_device=on_device)
    torch.manual_seed(seed)
    net = network(Autoencoder(), "vae", place.work, start).train()
    net = net.to(device, memory_format=torch.channels_last)  # faster on a CPU
    loss = loss_function(net, partial(crops, batch), device=device)
    out = place.work / "vae.safetensors"
    net.load_state_dict(train(net, loss, out, budget=budget, peak=learning_rate))
    normalise_latents(net, partial(crops, 32))
    save_weights(net.state_dict(), out)


def fit_decoder(
    place: Place, *, budget, batch=8, learning_rate=6e-4, device="cpu", seed=0, start="work",
    on_device=False,
):  # fmt: skip
    """The decoder alone, further: the latents stay, so U-Nets that know them stay true."""
    net = network(Autoencoder(), "vae", place.work, start).train().to(device)
    net.encoder.requires_grad_(False)
    net.decoder = net.decoder.to(memory_format=torch.channels_last)  # faster on a CPU
    crops = random_crops(place, seed=seed + 1, device=device, on_device=on_device)
    loss = sharpening_loss_function(net, partial(crops, batch), device=device, seed=seed + 1)
    run = place.work / "decoder.safetensors"
    state = train(net, loss, run, budget=budget, peak=learning_rate)
    save_weights(state, place.work / "vae.safetensors")


def fit_grain(
    place: Place, *, budget, batch=8, learning_rate=3e-3, device="cpu", seed=0, start="work",
    on_device=False,
):  # fmt: skip
    """How much grain the decoder leaves out where, from the beginning; all else stays as it is."""
    net = network(Autoencoder(), "vae", place.work, start).requires_grad_(False)
    torch.manual_seed(seed)
    net.grain = Autoencoder().grain
    crops = random_crops(place, seed=seed + 2, device=device, on_device=on_device)
    loss = grain_loss_function(net.to(device), partial(crops, batch), device=device)
    state = train(net, loss, place.work / "grain.safetensors", budget=budget, peak=learning_rate)
    save_weights(state, place.work / "vae.safetensors")


def grain_loss_function(net: Autoencoder, crops, *, device="cpu"):
    """L1 of the spread of the grain, which is to make what is decoded as uneven around each pixel
    as the canvas was."""
    textured = unevenness(net.texture[None, None]).mean()

    def loss_of(step, progress):
        picture = crops()
        with half_precision(device):
            smooth, amount = (x.float() for x in net.painted(net.moments(picture)[0]))
        missing = unevenness(picture).square() - unevenness(smooth).square()
        wanted = missing.clamp(min=0).sqrt() / textured
        # The mean of squares would put more grain in, and the judge of sounds names no more.
        return F.l1_loss(amount, wanted), {"wanted": wanted.mean()}

    return loss_of


def unevenness(picture):
    """Root mean square, over 9 × 9 pixels, of what a mean over 5 × 5 pixels takes away."""
    grain = picture - local_mean(picture, 5)
    return local_mean(grain.square(), 9).clamp(min=1e-12).sqrt()


def local_mean(picture, size):
    """The mean over size × size pixels around each; the edges go on."""
    padded = F.pad(picture, [size // 2] * 4, mode="replicate")
    return F.avg_pool2d(padded, size, 1)


def loudness(picture):
    """About how loud each pixel is to an ear (Stevens 1957): its amplitude to the power of 0.3."""
    return torch.exp(0.3 * DECIBELS * np.log(10) / 20 * (picture - 1))


def edges(picture):
    """Differences to the neighbour below and on the right: strokes and harmonics."""
    return picture[..., 1:, :] - picture[..., :-1, :], picture[..., 1:] - picture[..., :-1]


def lines(picture):
    """Means over 80 ms and over 8 bands: what a tone and an onset are, whatever the grain."""
    return F.avg_pool2d(picture, (1, 8), (1, 4)), F.avg_pool2d(picture, (8, 1), (4, 1))


def reconstruction_loss(output, picture):
    """L1 on grey levels and on loudness, of pixels, edges and lines.

    Grey levels are what an eye sees, of quiet and of loud alike. To an ear the loud ones count,
    and there level lines and onsets more than each grain of a noise.
    """
    loss = 0.0
    for see in (lambda x: x, loudness):
        ours, theirs = see(output), see(picture)
        loss = loss + F.l1_loss(ours, theirs)
        for parts in (edges, lines):
            for mine, wanted in zip(parts(ours), parts(theirs), strict=True):
                loss = loss + F.l1_loss(mine, wanted)
    return loss


def loss_function(net: Autoencoder, crops, *, kl_weight=2e-4, device="cpu"):
    """For the whole network, encoder and decoder; `crops()` is a batch as of `canvas.crops`."""

    def loss_of(step, progress):
        picture = crops()
        with half_precision(device):
            mean, logvar = (x.float() for x in net.moments(picture))
            latent = mean + torch.randn_like(mean) * (logvar / 2).exp()
            output = net.decoder(latent).float() / 2 + 0.5
        reconstruction = reconstruction_loss(output, picture)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        return reconstruction + kl_weight * kl, {
            "l1": F.l1_loss(output, picture).detach(),
            "loud": F.l1_loss(loudness(output), loudness(picture)).detach(),
            "kl": kl.detach(),
        }

    return loss_of


class Critic(nn.Module):
    """Tells pictures from decoded ones, patch by patch (Isola et al. 2017): real is above 1.

    Spectral norms (Miyato et al. 2018) keep its slope, and so its word, within bounds.
    """

    def __init__(self, channels=32):
        super().__init__()
        layers, n_in = [], 2
        for n in (channels, 2 * channels, 4 * channels):
            layers += [spectral_norm(nn.Conv2d(n_in, n, 4, 2, 1)), nn.LeakyReLU(0.2)]
            n_in = n
        self.body = nn.Sequential(*layers, spectral_norm(nn.Conv2d(n_in, 1, 3, 1, 1)))

    def forward(self, picture):
        """(B, 1, H, W) in [0, 1], of kinds in the order of `canvas.crops` → (B, 1, H/8, W/8)."""
        sound = torch.ones_like(picture)
        sound[1::4] = 0  # a drawing alone
        return self.body(torch.cat([picture * 2 - 1, sound], 1))


def sharpening_loss_function(
    net: Autoencoder, crops, *, strength=0.7, noise=0.15, device="cpu", seed=0
):
    """For the decoder alone, further; the latents stay, so what was trained on them stays true.

    What a latent does not say, the mean of all that it may mean fills in: grain becomes grey, and
    harmonics run into each other. A critic asks for one of these meanings instead (as in VQGAN,
    Esser et al. 2021): its gradient is `strength` times as long as that of the reconstruction. Up
    to `noise` is added to the latents, which generated ones have, too. Stopped and called again,
    the run goes on with a new critic.
    """
    rng, critic = np.random.default_rng(seed), LearningCritic(device)

    def decoded(picture):
        with torch.no_grad(), half_precision(device):
            latent = net.encode(picture).float()
            latent += noise * float(rng.random()) * torch.randn_like(latent)
        with half_precision(device):
            return net.decoder(latent * net.scale + net.shift).float() / 2 + 0.5

    def loss_of(step, progress):
        picture = crops()
        output = decoded(picture)
        reconstruction = reconstruction_loss(output, picture)
        parts = {"l1": F.l1_loss(output, picture).detach()}
        share = strength * min(1.0, max(0.0, (progress - 0.12) / 0.1))
        if share == 0:
            return reconstruction, parts
        parts["critic"] = critic.learn(picture, output.detach())
        blamed = torch.autograd.grad(reconstruction, output, retain_graph=True)[0]
        wished = critic.wish(output)
        weight = share * length(blamed) / length(wished).clamp(min=1e-9)  # (B, 1, 1, 1)
        pull = (output * weight * wished).sum()  # its gradient is what counts, not its value
        return reconstruction + pull - pull.detach(), parts

    return loss_of


class LearningCritic:
    """A critic that learns beside the decoder."""

    def __init__(self, device):
        self.device, self.critic = device, Critic().to(device)
        self.learner = torch.optim.AdamW(self.critic.parameters(), 1e-3, (0.5, 0.9), weight_decay=0)

    def learn(self, real, made):
        """One step on pictures (B, 1, H, W) and decoded ones; its loss."""
        with half_precision(self.device):
            said = F.relu(1 - self.critic(real)).mean() + F.relu(1 + self.critic(made)).mean()
        self.learner.zero_grad()
        said.backward()
        self.learner.step()
        return said.detach()

    def wish(self, made):
        """The gradient (B, 1, H, W) that makes the critic take it for real."""
        made = made.detach().requires_grad_()
        with half_precision(self.device):
            said = -self.critic(made).float().mean()
        return torch.autograd.grad(said, made)[0]


def length(gradient):
    """The norm of each item's, (B, 1, 1, 1)."""
    return gradient.flatten(1).norm(dim=1)[:, None, None, None]


@torch.no_grad()
def normalise_latents(net: Autoencoder, crops):
    """Set the shift so that black is zero and the scale so that the material has unit RMS."""
    net.shift.zero_()
    net.scale.fill_(1)
    black = net.encode(torch.zeros(1, 1, 128, 128, device=net.shift.device))  # (1, 4, 16, 16)
    net.shift.copy_(black.mean((2, 3), keepdim=True))
    latents = torch.cat([net.encode(crops()) for _ in range(16)])
    net.scale.copy_(latents.square().mean((0, 2, 3), keepdim=True).sqrt())
