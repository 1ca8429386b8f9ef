"""The two U-Nets: text to picture, text to sound, each on its own cache of latents."""

from functools import partial

import numpy as np
import torch

from ...models.pocket.networks import UNETS, layout_loss, predict_v
from ...schedule import stable_diffusion_alpha_bar
from ..checkpoints import network, shipped_texts
from ..dataset.latent_cache import cached
from ..place import Place
from ..precision import half_precision
from .loop import train

DROPOUT = 0.12  # of the captions, for classifier-free guidance (Ho & Salimans 2022)
# Squares alone for pictures: pocket.TILE says how they make a canvas.
CROPS = {"image": {"narrow": 16, "wide": 0.0}, "sound": {"narrow": 32, "wide": 0.75}}


def fit_unet(
    place: Place, which, *, budget, batch=32, learning_rate=8e-4, device="cpu", seed=0, start="new",
    compile=False,
):  # fmt: skip
    """The U-Net for pictures ("image") or for sounds ("sound") → WORK/WHICH_unet.safetensors."""
    torch.manual_seed(seed)
    out = place.work / f"{which}_unet.safetensors"
    net = network(UNETS[which](), out.stem, place.work, start).train().to(device)
    loss = loss_function(
        velocity(net, device, compile=compile), cached(place, which), shipped_texts(device),
        **CROPS[which], columns=16 * batch, layout=partial(layout_loss, net), device=device,
        seed=seed,
    )  # fmt: skip
    train(net, loss, out, budget=budget, peak=learning_rate, seed=seed)


def velocity(net, device="cpu", tile=None, compile=False):
    """(latent, t, prompt_embeds) → v, in half precision."""
    run = torch.compile(net) if compile else net

    def call(latent, t, prompt_embeds):
        with half_precision(device):
            return predict_v(run, latent, t, prompt_embeds, tile).float()

    return call


def loss_function(
    unet_call,
    source,
    texts,
    *,
    narrow=16,
    wide=0.75,
    columns=512,
    layout=None,
    device="cpu",
    seed=0,
):
    """One step on narrow crops, or, more and more often up to a share of `wide`, whole canvases.

    `columns` is how many latent columns a batch holds in all, so that the work stays the same.
    `layout` (latents, prompt_embeds) → what else is to be learned of them, `layout_loss`.
    """
    rng = np.random.default_rng(seed)
    alpha_bar = stable_diffusion_alpha_bar().to(device)

    def loss_of(step, progress):
        width = 64 if rng.random() < wide * (1 + 2 * progress) / 3 else narrow
        latents, captions, _ = source.batch(rng, max(1, columns // width), width)
        words, latents = texts(dropped(rng, captions)).to(device), latents.to(device)
        loss = v_loss(unet_call, latents, words, alpha_bar)
        return (loss + layout(latents, words) if layout else loss), {}

    return loss_of


def noised(latents, alpha_bar, late=1.0):
    """(noisy latents, timesteps, the v that is to be predicted), every timestep alike.

    min-SNR weights (Hang et al. 2023) were tried first: they take the weight from the noisiest
    timesteps, where the words decide what is where, and shapes hardly followed the prompt.
    With `late` < 1 those are drawn more often: t = 1000 u ** late, u uniform.
    """
    t = (1000 * torch.rand(len(latents), device=latents.device) ** late).long().clamp(max=999)
    noise = torch.randn_like(latents)
    a = alpha_bar[t][:, None, None, None]  # (B, 1, 1, 1)
    noisy = a.sqrt() * latents + (1 - a).sqrt() * noise
    return noisy, t, a.sqrt() * noise - (1 - a).sqrt() * latents


def v_loss(unet_call, latents, prompt_embeds, alpha_bar, late=1.0):
    """Mean squared error of v (Salimans & Ho 2022)."""
    noisy, t, target = noised(latents, alpha_bar, late)
    return (unet_call(noisy, t, prompt_embeds) - target).square().mean()


def dropped(rng, captions):
    """Some left out, so that the model learns what no prompt predicts."""
    return ["" if rng.random() < DROPOUT else caption for caption in captions]
