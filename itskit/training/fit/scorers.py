"""The two scorers: a picture, or the mel picture of a sound, finds its words.

Trained like CLIP (Radford et al. 2021) against sentences that do not move: a latent learns to lie
nearest to a caption of its own class, among one caption for each class.
"""

from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from ...models.pocket.networks import Autoencoder, Scorer
from ..checkpoints import network, shipped_texts
from ..dataset.composites import latents_of
from ..dataset.latent_cache import cached
from ..dataset.material import FreshLatents, composites_of, device_compositor
from ..place import Place
from ..precision import half_precision
from .loop import train


def fit_scorers(
    place: Place, *, budget, batch=96, learning_rate=2e-3, device="cpu", seed=0, start="new",
    on_device=False,
):  # fmt: skip
    """Both scorers → WORK/{image,sound}_scorer.safetensors, on canvases as the U-Nets know them and
    on altered ones (`augment`)."""
    if on_device:
        whose = "shipped" if start == "shipped" else "work"
        vae = network(Autoencoder(), "vae", place.work, whose).to(device)
        encode = partial(latents_of, vae, device=device)
        composites = composites_of(place, select_only=True, batch=batch, seed=seed)
        compositor = device_compositor(place, device).seeded(seed)
        given = {
            sense: FreshLatents(composites, compositor, sense, encode)
            for sense in ("image", "sound")
        }
    else:
        given = {sense: cached(place, sense, "train", "varied") for sense in ("image", "sound")}
    for runs, sense, other, narrow in ((2, "image", "sound", 16), (1, "sound", "image", 32)):
        torch.manual_seed(seed)
        out = place.work / f"{sense}_scorer.safetensors"
        net = network(Scorer(), out.stem, place.work, start).train().to(device)
        loss = loss_function(
            net, given[sense], given[other], shipped_texts(device), columns=16 * batch,
            narrow=narrow, device=device, seed=seed,
        )  # fmt: skip
        some = budget.for_first_of(runs)
        train(net, loss, out, budget=some, peak=learning_rate, weight_decay=0.05)


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
