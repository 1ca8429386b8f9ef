"""The stages of `python -m itskit.training`: each reads what the ones before it wrote."""

import json
from functools import partial

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
from .captions import CORE, CORE_SOUNDS
from .data import RATES, all_mel_pictures, read_pictures, read_sounds
from .loom import KEPT, Loom, batches, harvested, latents_of
from .loop import Budget, half_precision, load_weights, save_weights, train
from .vary import redrawn, rerecorded
from .words import PAIRS, VALIDATION_PAIRS


def prepare(args):
    """Mel pictures of every clip at every playback rate → WORK/mels.npz."""
    pictures = all_mel_pictures(read_sounds(args.data))
    arrays = {f"{k}_{r}": p for k, clip in enumerate(pictures) for r, p in enumerate(clip)}
    with written(args.work / "mels.npz") as part:
        np.savez(part, **arrays)


def prepared_sounds(args):
    """(mel pictures of each clip, its record), in the order of sounds_train.jsonl."""
    file = args.work / "mels.npz"
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing: run `python -m itskit.training prepare` first")
    records, arrays = read_sounds(args.data), np.load(file)
    return [[arrays[f"{k}_{r}"] for r in range(len(RATES))] for k in range(len(records))], records


def rows_in(records, split):
    return [k for k, record in enumerate(records) if record["split"] == split]


def budget(args):
    return Budget(args.steps, args.minutes)


def text_bank(device="cpu"):
    """The shipped text encoder; `text` makes its file."""
    encoder = TextEncoder(FOLDER / "tokenizer.json")
    encoder.bert.load_state_dict(read_weights(FOLDER, "text_encoder.safetensors"))
    return unet_training.TextBank(encoder.to(device))


def _canvas_material(args):
    """The drawings and the mel pictures that an autoencoder may learn from."""
    images, records = read_pictures(args.data)
    mels, sounds = prepared_sounds(args)
    mels = [mels[k] for k in rows_in(sounds, "train")]
    return images[rows_in(records, "train")], mels


def decoder(args):
    """The decoder alone, further: the latents stay, so U-Nets that know them stay true."""
    images, mels = _canvas_material(args)
    out = args.work / "vae.safetensors"
    net = trained(Autoencoder(), "vae", args).train()
    net.encoder.requires_grad_(False)
    net.decoder = net.decoder.to(memory_format=torch.channels_last)  # faster on a CPU
    size, seed = args.batch or 8, args.seed + 1
    loss = vae_training.sharpening_loss_function(net, images, mels, size=size, seed=seed)
    run = args.work / "decoder.safetensors"
    state = train(net, loss, run, budget=budget(args), peak=args.learning_rate or 6e-4)
    save_weights(state, out)


def vae(args):
    images, mels = _canvas_material(args)
    torch.manual_seed(args.seed)
    net = Autoencoder()
    if args.from_shipped:
        net.load_state_dict(read_weights(FOLDER, "vae.safetensors"))
    net = net.to(memory_format=torch.channels_last)  # faster on a CPU
    loss = vae_training.loss_function(net, images, mels, size=args.batch or 16, seed=args.seed)
    out = args.work / "vae.safetensors"
    state = train(net, loss, out, budget=budget(args), peak=args.learning_rate or 1e-3)
    net.load_state_dict(state)
    vae_training.normalise_latents(net, images, mels)
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


def ground_of(images, records, mels, sounds, typical=None):
    """What canvases are woven with comes from the training split, whatever the canvas is from."""
    clips = [k for k in rows_in(sounds, "train") if sounds[k]["class"] in CORE_SOUNDS]
    return banks.Ground(
        images, core_drawings(records), mels, grouped(clips, sounds, "class"), typical
    )


def core_drawings(records):
    """{concept: its rows in the training split}, of what one pairs."""
    rows = [k for k in rows_in(records, "train") if records[k]["concept"] in CORE]
    return grouped(rows, records, "concept")


def trained(net, name, args):
    """`net` with the package's weights (--from-shipped) or those in WORK."""
    if args.from_shipped:
        net.load_state_dict(read_weights(FOLDER, f"{name}.safetensors"))
        return net.eval()
    return load_weights(net, args.work / f"{name}.safetensors")


def grouped(rows, records, key) -> dict[str, list[int]]:
    """{concept or class: its rows}."""
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(records[row][key], []).append(row)
    return groups


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
    net, out = UNETS[name](), args.work / f"{name}_unet.safetensors"
    if args.from_shipped:
        net.load_state_dict(read_weights(FOLDER, out.name))
    net = net.to(args.device)
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
        _batches(args, repeat=KEPT), text_bank(args.device),
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
    shifts = _learn_solo(args, "image", TILE) | _learn_solo(args, "sound", 2 * TILE)
    save_weights(shifts, args.work / "solo.safetensors")


def _learn_solo(args, name, columns):
    """{name: (24, 384)}."""
    unet = trained(UNETS[name](), f"{name}_unet", args).requires_grad_(False).to(args.device)
    coder, texts = trained(Autoencoder(), "vae", args).to(args.device), text_bank(args.device)
    shift = torch.nn.ParameterDict({name: torch.zeros(TEXT_ROWS, TEXT_WIDTH)}).to(args.device)
    loss = unet_training.alone_loss_function(
        call_of(unet, args), partial(latents_of, coder, device=args.device),
        map(SHOWN[name], _batches(args, alone=1.0)),
        lambda captions: texts(captions).to(args.device) + shift[name],
        columns=columns, device=args.device, seed=args.seed,
    )  # fmt: skip
    run, peak = args.work / f"{name}_solo.safetensors", args.learning_rate or 1e-2
    state = train(shift, loss, run, budget=budget(args), peak=peak, weight_decay=0, seed=args.seed)
    return {key: value.cpu().contiguous() for key, value in state.items()}


def _train_alone(args, name, columns):
    out = args.work / f"{name}_unet.safetensors"
    net = trained(UNETS[name](), out.stem, args).train().to(args.device)
    coder = trained(Autoencoder(), "vae", args).to(args.device)
    loss = unet_training.alone_loss_function(
        call_of(net, args), partial(latents_of, coder, device=args.device),
        map(SHOWN[name], _batches(args)), text_bank(args.device), partial(layout_loss, net),
        columns=columns, device=args.device, seed=args.seed,
    )  # fmt: skip
    run, peak = args.work / f"{name}_alone.safetensors", args.learning_rate or 6e-4
    state = train(net, loss, run, budget=budget(args), peak=peak, seed=args.seed, muon=True)
    save_weights(state, out)


def _batches(args, **ways):
    return batches(loom_of(args, kept=harvested(args.work), **ways), args.workers)


def loom_of(args, **ways):
    """Batches of training material, in the `ways` that a Loom takes; the pairs that `evaluate` asks
    for are not among them."""
    file = args.work / "typical.json"
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing: run `python -m itskit.training curate` first")
    typical = json.loads(file.read_text(encoding="utf-8"))
    if set(typical) != {"drawings", "clips"}:
        raise ValueError(
            f"{file} holds {sorted(typical)[:3]}, as an earlier version wrote it: expected "
            "'drawings' and 'clips'; run `python -m itskit.training curate` again"
        )
    images, records = read_pictures(args.data)
    mels, sounds = prepared_sounds(args)
    ground = ground_of(images, records, mels, sounds, typical)
    asked = frozenset((concept, kind) for concept, kind, _ in PAIRS + VALIDATION_PAIRS)
    return Loom(
        ground, records, sounds, drawings=grouped(rows_in(records, "train"), records, "concept"),
        played=rows_in(sounds, "train"), size=max(1, (args.batch or 32) // 4), excluded=asked,
        seed=args.seed, **ways,
    )  # fmt: skip


def scorers(args):
    """Both scorers, on canvases as the U-Nets know them and on varied ones (`vary`)."""
    given = {name: source(args, name, "train", "varied") for name in ("image", "sound")}
    texts = text_bank()
    for name, other, narrow in (("image", "sound", 16), ("sound", "image", 32)):
        torch.manual_seed(args.seed)
        net = Scorer()
        if args.from_shipped:
            net.load_state_dict(read_weights(FOLDER, f"{name}_scorer.safetensors"))
        loss = scorer_training.loss_function(
            net, given[name], given[other], texts,
            columns=16 * (args.batch or 96), narrow=narrow, seed=args.seed,
        )  # fmt: skip
        out = args.work / f"{name}_scorer.safetensors"
        peak = args.learning_rate or 2e-3
        train(net, loss, out, budget=budget(args), peak=peak, weight_decay=0.05)
