"""The U-Nets further, on composites made afresh: each alone, both together; and the shift of the
prompt that each gets when it composes alone."""

from functools import partial

import numpy as np
import torch

from ...models.pocket import TILE
from ...models.pocket.networks import TEXT_ROWS, TEXT_WIDTH, UNETS, Autoencoder, layout_loss
from ...schedule import stable_diffusion_alpha_bar
from ..checkpoints import network, save_weights, shipped_texts
from ..dataset.composites import latents_of
from ..dataset.material import fresh_batches
from ..place import Place
from .loop import train
from .unet import dropped, noised, v_loss, velocity

REPEAT = 0.35  # of the composites repeat what came out right (`self_training`), if there is any
COLUMNS = {"image": TILE, "sound": 2 * TILE}  # of the parts of canvases that one model is shown
SHOWN = {  # what of a batch a model that learns alone is shown
    "image": lambda batch: (batch.pictures, batch.picture_captions),
    "sound": lambda batch: (batch.sounds, batch.sound_captions),
}


def finetune(place: Place, which, **options):
    """The U-Net for pictures ("image"), for sounds ("sound"), or both as they are composed
    ("joint"), further; the options are those of `finetune_one` and `finetune_joint`."""
    if which == "joint":
        return finetune_joint(place, **options)
    return finetune_one(place, which, **options)


def finetune_one(
    place: Place, which, *, budget, batch=32, learning_rate=6e-4, device="cpu", seed=0,
    start="work", workers=0, on_device=False, compile=False,
):  # fmt: skip
    """One U-Net, alone, on canvases that hold mostly prototypes."""
    net = network(UNETS[which](), f"{which}_unet", place.work, start).train().to(device)
    vae = network(Autoencoder(), "vae", place.work, start).to(device)
    batches = fresh_batches(
        place, batch=batch, seed=seed, device=device, on_device=on_device, workers=workers
    )
    loss = alone_loss_function(
        velocity(net, device, compile=compile), partial(latents_of, vae, device=device),
        map(SHOWN[which], batches), shipped_texts(device), partial(layout_loss, net),
        columns=COLUMNS[which], device=device, seed=seed,
    )  # fmt: skip
    run = place.work / f"{which}_alone.safetensors"
    state = train(net, loss, run, budget=budget, peak=learning_rate, seed=seed, muon=True)
    save_weights(state, place.work / f"{which}_unet.safetensors")


def finetune_joint(
    place: Place, *, budget, batch=32, learning_rate=2e-4, device="cpu", seed=0, start="work",
    workers=0, on_device=False, compile=False,
):  # fmt: skip
    """Both U-Nets, on composites and as each model knows canvases alone.

    What `self_training` accepted is repeated among them.
    """
    nets = {
        name: network(make(), f"{name}_unet", place.work, start).train()
        for name, make in UNETS.items()
    }
    both = torch.nn.ModuleDict(nets).to(device)
    vae = network(Autoencoder(), "vae", place.work, start).to(device)
    batches = fresh_batches(
        place, batch=batch, seed=seed, device=device, on_device=on_device, workers=workers,
        repeat=REPEAT,
    )  # fmt: skip
    calls = [
        velocity(nets["image"], device, TILE, compile),
        velocity(nets["sound"], device, compile=compile),
    ]
    loss = joint_loss_function(
        calls, partial(latents_of, vae, device=device), batches, shipped_texts(device),
        [partial(layout_loss, net) for net in nets.values()], device=device, seed=seed,
    )  # fmt: skip
    out = place.work / "together.safetensors"
    state = train(both, loss, out, budget=budget, peak=learning_rate, seed=seed, muon=True)
    for name in nets:
        mine = {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}
        save_weights(mine, place.work / f"{name}_unet.safetensors")


def fit_solo(place: Place, *, budget, **options):
    """What is added to the prompt of a U-Net that composes alone; the U-Nets stay as they are.

    Both learned from composites and from other canvases under the same captions. This shift says
    that the canvas is no composite, as textual inversion says a style (Gal et al. 2022, arXiv
    2208.01618).
    → WORK/solo.safetensors; the options are those of `learn_shift`.
    """
    shifts = {
        "image": learn_shift(place, "image", budget=budget.for_first_of(2), **options),
        "sound": learn_shift(place, "sound", budget=budget, **options),
    }
    save_weights(shifts, place.work / "solo.safetensors")


def learn_shift(
    place, which, *, budget, batch=32, learning_rate=1e-2, device="cpu", seed=0, start="work",
    workers=0, on_device=False, compile=False,
):  # fmt: skip
    """What is added to the states of words for one U-Net alone (24, 384)."""
    unet = network(UNETS[which](), f"{which}_unet", place.work, start)
    unet = unet.requires_grad_(False).to(device)
    vae = network(Autoencoder(), "vae", place.work, start).to(device)
    texts = shipped_texts(device)
    shift = torch.nn.ParameterDict({which: torch.zeros(TEXT_ROWS, TEXT_WIDTH)}).to(device)
    batches = fresh_batches(
        place, batch=batch, seed=seed, device=device, on_device=on_device, workers=workers,
        alone=1.0,
    )  # fmt: skip
    loss = alone_loss_function(
        velocity(unet, device, compile=compile), partial(latents_of, vae, device=device),
        map(SHOWN[which], batches), lambda some: texts(some).to(device) + shift[which],
        columns=COLUMNS[which], device=device, seed=seed,
    )  # fmt: skip
    run = place.work / f"{which}_solo.safetensors"
    state = train(shift, loss, run, budget=budget, peak=learning_rate, weight_decay=0, seed=seed)
    return state[which].cpu()


def alone_loss_function(
    call, encode, canvases, texts, layout=None, *, columns=64, device="cpu", seed=0
):
    """Each step one model alone, on the next of `canvases`: (N, 128, 512) and their captions.

    It is shown them in parts of so many latent `columns`, each with its own noise.
    """
    rng = np.random.default_rng(seed)
    alpha_bar = stable_diffusion_alpha_bar().to(device)

    def loss_of(step, progress):
        pixels, captions = next(canvases)
        parts = encode(pixels).split(columns, 3)  # each (N, 4, 16, columns)
        latents, captions = torch.cat(parts), captions * len(parts)
        words = texts(dropped(rng, captions)).to(device)
        loss = v_loss(call, latents, words, alpha_bar, late=0.7)
        if layout is None:
            return loss, {}
        beside = layout(latents, words)
        return loss + beside, {"layout": beside.detach()}

    return loss_of


def joint_loss_function(calls, encode, batches, texts, layouts, *, device="cpu", seed=0):
    """Each step on the next of `batches` (`composites.Batch`): composites, or canvases as each
    model alone knows them. `layouts`, (latents, prompt_embeds) → what else each learns of them."""
    rng = np.random.default_rng(seed)
    alpha_bar = stable_diffusion_alpha_bar().to(device)
    empty = texts([""]).to(device)

    def loss_of(step, progress):
        batch = next(batches)
        pictures = encode(batch.pictures)
        latents = (pictures, pictures if batch.composites else encode(batch.sounds))
        captions = (batch.picture_captions, batch.sound_captions)
        words = [texts(dropped(rng, some)).to(device) for some in captions]
        beside = sum(learn(x, w) for learn, x, w in zip(layouts, latents, words, strict=True))
        if batch.composites:
            composed, *alone = joint_loss(calls, pictures, words, empty, alpha_bar)
            parts = dict(zip(("composed", "image", "sound"), (composed, *alone), strict=True))
            return composed + sum(alone) / 2 + beside, {k: v.detach() for k, v in parts.items()}
        given = zip(calls, latents, words, strict=True)
        return sum(v_loss(c, x, w, alpha_bar, late=0.7) for c, x, w in given) + beside, {}

    return loss_of


def joint_loss(calls, latents, texts, empty, alpha_bar):
    """Mean squared errors of v for canvases that fit both prompts: (composed, image, sound).

    The composed v adds to what no prompt predicts all that either prompt changes, which is the
    blend of equal halves at guidance 2. What two models, each trained alone, get wrong in that sum
    (both claim the same strokes, neither lets the other's be) is what this teaches them.
    `texts` are two batches of states (B, 24, 384), `empty` is that of no prompt.
    """
    noisy, t, target = noised(latents, alpha_bar, late=0.5)  # it is decided early in a run
    return [error.mean() for error in composed_errors(calls, noisy, t, texts, empty, target)]


def composed_errors(calls, noisy, t, texts, empty, target):
    """What `joint_loss` is the mean of: squared errors like `target`, of which only those of
    the predictions with prompts have gradients."""
    prompted = [call(noisy, t, text) for call, text in zip(calls, texts, strict=True)]
    with torch.no_grad():
        unprompted = [call(noisy, t, empty.expand(len(noisy), -1, -1)) for call in calls]
    composed = sum(prompted) - sum(unprompted) / 2
    return [(v - target).square() for v in (composed, *prompted)]
