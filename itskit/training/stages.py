"""The stages of `python -m itskit.training`: each reads what the ones before it wrote."""

import time
from functools import lru_cache, partial

import numpy as np
import torch
from safetensors.torch import load_file

from ..models.pocket import TILE
from ..models.pocket.networks import (
    TEXT_ROWS,
    TEXT_WIDTH,
    UNETS,
    Autoencoder,
    Scorer,
    layout_loss,
    predict_v,
)
from ..models.pocket.text import TextEncoder
from ..models.pocket.weights import FOLDER
from ..models.pocket.weights import load_weights as read_weights
from ..writing import written
from . import bank as banks
from . import scorers as scorer_training
from . import unet as unet_training
from . import vae as vae_training
from .data import MELS, all_mel_pictures, read_pictures, read_sounds
from .loom import KEPT, latents_of
from .loop import Budget, half_precision, load_weights, save_weights, train
from .material import (
    Fresh,
    crops_of,
    ground_of,
    grouped,
    loom_of,
    prepared_sounds,
    rows_in,
    weaver_of,
    woven,
)
from .vary import redrawn, rerecorded


def prepare(args):
    """Mel pictures of every clip at every playback rate → WORK/mels.npz."""
    pictures = all_mel_pictures(read_sounds(args.data))
    arrays = {f"{k}_{r}": p for k, clip in enumerate(pictures) for r, p in enumerate(clip)}
    with written(args.work / MELS) as part:
        np.savez(part, **arrays)


def budget(args, runs=1):
    """Of a run that is the first of so many that a stage still has to do.

    A stage that must end at a time (`whole`) shares what is left of it; so what it took to begin
    counts, and one that goes on has that much more.
    """
    if (until := getattr(args, "until", None)) is None:
        return Budget(args.steps, args.minutes)
    minutes = (until - time.monotonic()) / 60 / runs
    return Budget(args.steps, max(0.001, minutes), further=True)


@lru_cache(1)  # the stages of a run share it
def text_bank(device="cpu"):
    """The shipped text encoder; `text` makes its file."""
    encoder = TextEncoder(FOLDER / "tokenizer.json")
    encoder.bert.load_state_dict(read_weights(FOLDER, "text_encoder.safetensors"))
    return unet_training.TextBank(encoder.to(device))


def decoder(args):
    """The decoder alone, further: the latents stay, so U-Nets that know them stay true."""
    out = args.work / "vae.safetensors"
    net = trained(Autoencoder(), "vae", args).train().to(args.device)
    net.encoder.requires_grad_(False)
    net.decoder = net.decoder.to(memory_format=torch.channels_last)  # faster on a CPU
    crops = partial(crops_of(args, args.seed + 1), args.batch or 8)
    loss = vae_training.sharpening_loss_function(net, crops, device=args.device, seed=args.seed + 1)
    run = args.work / "decoder.safetensors"
    state = train(net, loss, run, budget=budget(args), peak=args.learning_rate or 6e-4)
    save_weights(state, out)


def vae(args):
    crops = crops_of(args, args.seed)
    torch.manual_seed(args.seed)
    net = begun(Autoencoder(), "vae", args)
    net = net.to(args.device, memory_format=torch.channels_last)  # faster on a CPU
    loss = vae_training.loss_function(net, partial(crops, args.batch or 16), device=args.device)
    out = args.work / "vae.safetensors"
    state = train(net, loss, out, budget=budget(args), peak=args.learning_rate or 1e-3)
    net.load_state_dict(state)
    vae_training.normalise_latents(net, partial(crops, 32))
    save_weights(net.state_dict(), out)


def bank(args):
    """Latents for training and validation: WORK/{image,sound}_{train,validation}.safetensors."""
    for split in ("train", "validation"):
        _code(args, split, split, woven=2)


def vary(args):
    """The same by other hands and recorded elsewhere, for the scorers: WORK/..._varied."""
    _code(args, "train", "varied", woven=1, image=redrawn, sound=rerecorded)


def _code(args, split, name, woven, image=None, sound=None):
    """WORK/image_NAME and WORK/sound_NAME: for each plain canvas of the split so many woven ones,
    drawings and mel pictures altered first by `image` and `sound`."""
    net = trained(Autoencoder(), "vae", args)
    images, records = read_pictures(args.data)
    mels, sounds = prepared_sounds(args)
    shares = unet_training.concept_shares(records)
    drawn = [k for k in rows_in(records, split) if shares[records[k]["concept"]] > 0]
    drawn = at_most(args.most, drawn, records, "concept")
    heard = at_most(args.most, rows_in(sounds, split), sounds, "class")
    ground = ground_of(images, records, mels, sounds)
    some = {"variants": args.variants, "woven_variants": woven * args.variants, "seed": args.seed}
    for make, sense, rows, alter in (
        (banks.picture_bank, "image", drawn, image),
        (banks.sound_bank, "sound", heard, sound),
    ):
        make(net, ground, rows, args.work / f"{sense}_{name}.safetensors", vary=alter, **some)


def trained(net, name, args):
    """`net` with the package's weights (--from-shipped) or those in WORK."""
    if args.from_shipped:
        net.load_state_dict(read_weights(FOLDER, f"{name}.safetensors"))
        return net.eval()
    return load_weights(net, args.work / f"{name}.safetensors")


def begun(net, name, args):
    """`net` with the package's weights (--from-shipped), with those in WORK if it is one of several
    stages (`whole`), or as it is."""
    if getattr(args, "until", None) is not None:
        return load_weights(net, args.work / f"{name}.safetensors").train()
    if args.from_shipped:
        net.load_state_dict(read_weights(FOLDER, f"{name}.safetensors"))
    return net


def at_most(most, rows, records, key) -> list[int]:
    """The rows, of each concept or class no more than so many, evenly picked; all if it is None."""
    groups = grouped(rows, records, key).values()
    return [row for some in groups for row in some[:: max(1, -(-len(some) // (most or len(some))))]]


# Squares alone for pictures: pocket.TILE says how they make a canvas.
CROPS = {"image": {"narrow": 16, "wide": 0.0}, "sound": {"narrow": 32, "wide": 0.75}}


MADE_BY = {"train": "bank", "varied": "vary"}  # bank: stage


def source(args, name, *names):
    """The drawings ("image") or the clips ("sound") to train on, as latents with captions.

    They come from the banks WORK/NAME_..., by default from that of `bank` alone.
    """
    files = {which: args.work / f"{name}_{which}.safetensors" for which in names or ("train",)}
    for which, file in files.items():
        if not file.exists():
            made = MADE_BY[which]
            raise FileNotFoundError(
                f"{file} is missing: run `python -m itskit.training {made}` first"
            )
    parts = [load_file(file) for file in files.values()]
    latents = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    if name == "image":
        return unet_training.Pictures(latents, read_pictures(args.data)[1])
    return unet_training.Sounds(latents, read_sounds(args.data))


def image(args):
    _train_unet(args, "image")


def sound(args):
    _train_unet(args, "sound")


def _train_unet(args, name):
    torch.manual_seed(args.seed)
    out = args.work / f"{name}_unet.safetensors"
    net = begun(UNETS[name](), out.stem, args).to(args.device)
    loss = unet_training.loss_function(
        call_of(net, args), source(args, name), text_bank(args.device), **CROPS[name],
        columns=16 * (args.batch or 32), aside=partial(layout_loss, net), device=args.device,
        seed=args.seed,
    )  # fmt: skip
    train(net, loss, out, budget=budget(args), peak=args.learning_rate or 8e-4, seed=args.seed)


def call_of(net, args, tile=None):
    """(latent, t, prompt_embeds) → v, in half precision."""
    run = torch.compile(net) if args.compile else net

    def call(latent, t, prompt_embeds):
        with half_precision(args.device):
            return predict_v(run, latent, t, prompt_embeds, tile).float()

    return call


def together(args):
    """Both U-Nets further, on canvases woven afresh that are both, and as each model knows alone.

    What `harvest` found is repeated among them.
    """
    names = ("image", "sound")
    nets = {name: trained(UNETS[name](), f"{name}_unet", args).train() for name in names}
    both = torch.nn.ModuleDict(nets).to(args.device)
    coder = trained(Autoencoder(), "vae", args).to(args.device)
    calls = [call_of(nets["image"], args, TILE), call_of(nets["sound"], args)]
    loss = unet_training.together_loss_function(
        calls, partial(latents_of, coder, device=args.device),
        woven(args, repeat=KEPT), text_bank(args.device),
        [partial(layout_loss, nets[name]) for name in names], device=args.device, seed=args.seed,
    )  # fmt: skip
    out, peak = args.work / "together.safetensors", args.learning_rate or 2e-4
    state = train(both, loss, out, budget=budget(args), peak=peak, seed=args.seed, muon=True)
    for name in names:
        mine = {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}
        save_weights(mine, args.work / f"{name}_unet.safetensors")


SHOWN = {  # what of a batch a model that learns alone is shown
    "image": lambda batch: (batch.pictures, batch.picture_captions),
    "sound": lambda batch: (batch.sounds, batch.sound_captions),
}


def draw(args):
    """The picture U-Net further, alone, on canvases woven afresh: mostly the typical drawings."""
    _train_alone(args, "image", TILE)


def play(args):
    """The sound U-Net further, alone, on canvases woven afresh: mostly the typical clips."""
    _train_alone(args, "sound", 2 * TILE)


def solo(args):
    """What is added to the words of a U-Net that has the canvas to itself; nothing else changes.

    Both learned from canvases that they share and from others, under the same captions. This tells
    them which it is, as textual inversion tells of a style (Gal et al. 2022, arXiv 2208.01618).
    """
    shifts = _learn_solo(args, "image", TILE, runs=2) | _learn_solo(args, "sound", 2 * TILE)
    save_weights(shifts, args.work / "solo.safetensors")


def _learn_solo(args, name, columns, runs=1):
    """{name: (24, 384)}."""
    unet = trained(UNETS[name](), f"{name}_unet", args).requires_grad_(False).to(args.device)
    coder, texts = trained(Autoencoder(), "vae", args).to(args.device), text_bank(args.device)
    shift = torch.nn.ParameterDict({name: torch.zeros(TEXT_ROWS, TEXT_WIDTH)}).to(args.device)
    loss = unet_training.alone_loss_function(
        call_of(unet, args), partial(latents_of, coder, device=args.device),
        map(SHOWN[name], woven(args, alone=1.0)),
        lambda captions: texts(captions).to(args.device) + shift[name],
        columns=columns, device=args.device, seed=args.seed,
    )  # fmt: skip
    run, peak = args.work / f"{name}_solo.safetensors", args.learning_rate or 1e-2
    state = train(
        shift, loss, run, budget=budget(args, runs), peak=peak, weight_decay=0, seed=args.seed
    )
    return {key: value.cpu().contiguous() for key, value in state.items()}


def _train_alone(args, name, columns):
    out = args.work / f"{name}_unet.safetensors"
    net = trained(UNETS[name](), out.stem, args).train().to(args.device)
    coder = trained(Autoencoder(), "vae", args).to(args.device)
    loss = unet_training.alone_loss_function(
        call_of(net, args), partial(latents_of, coder, device=args.device),
        map(SHOWN[name], woven(args)), text_bank(args.device), partial(layout_loss, net),
        columns=columns, device=args.device, seed=args.seed,
    )  # fmt: skip
    run, peak = args.work / f"{name}_alone.safetensors", args.learning_rate or 6e-4
    state = train(net, loss, run, budget=budget(args), peak=peak, seed=args.seed, muon=True)
    save_weights(state, out)


def scorers(args):
    """Both scorers, on canvases as the U-Nets know them and on varied ones (`vary`)."""
    texts = text_bank(args.device)
    if args.weave_on_device:
        coder = trained(Autoencoder(), "vae", args).to(args.device)
        encode = partial(latents_of, coder, device=args.device)
        loom, weaver = loom_of(args, recipes=True), weaver_of(args, args.seed)
        given = {name: Fresh(loom, weaver, name, encode) for name in ("image", "sound")}
    else:
        given = {name: source(args, name, "train", "varied") for name in ("image", "sound")}
    for runs, name, other, narrow in ((2, "image", "sound", 16), (1, "sound", "image", 32)):
        torch.manual_seed(args.seed)
        net = begun(Scorer(), f"{name}_scorer", args).to(args.device)
        loss = scorer_training.loss_function(
            net, given[name], given[other], texts, columns=16 * (args.batch or 96), narrow=narrow,
            device=args.device, seed=args.seed,
        )  # fmt: skip
        out = args.work / f"{name}_scorer.safetensors"
        peak = args.learning_rate or 2e-3
        train(net, loss, out, budget=budget(args, runs), peak=peak, weight_decay=0.05)
