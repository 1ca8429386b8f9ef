"""The paper's own pair: Stable Diffusion 1.5 for the picture, Auffusion for the sound.

"Images that Sound", Chen et al. 2024, arXiv 2405.12221; "Auffusion", Xue et al. 2024, arXiv
2401.01044. Canvas 256 × 1024, latent 4 × 32 × 128, 10.24 s of sound at 16 kHz. The same code loads
any two Stable Diffusion folders of one latent space (`registry.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import media
from ..audio.mel import PAPER_MEL, MelSettings, mel_picture
from ..media import Sound
from ..modality import Axis, Modality, Pair
from . import hub, sd
from .devices import Placement, choose_device, choose_turns, free_memory
from .hifigan import Generator, load_vocoder
from .presets import PAPER

# `benchmarks/full_size.py --fast` measures, with the real weights, how few steps stay as close to
# the paper's as half precision does. Until somebody has run it, 30 is a guess.
FAST = {**PAPER, "num_inference_steps": 30, "solver": "dpmpp_2m"}
PRESETS = {"paper": PAPER, "fast": FAST}

# A latent space counts as shared if either VAE puts a picture nearly where the other does (root
# mean square of the difference, by that of the latent), and shows the other's latent nearly as the
# other would (mean difference of pixels in [0, 1]). Where to draw the line is a judgement: decoders
# that were tuned on their own keep the first at 0, another scaling factor has it at 0.3 or more.
MOST_LATENT, MOST_PIXEL = 0.2, 0.1


@dataclass(frozen=True)
class Voice:
    """How a sound model's picture (1 or 3, height, W) is heard, and painted from a sound.

    `presets` are added to those of the pair; `crop_pixels` are cut from its right edge;
    `axis` says what rows and columns mean, if that is known.
    """

    render: Callable[[Tensor], Sound]
    analyse: Callable[..., Tensor]
    height: int
    width: int
    crop_pixels: int = 0
    axis: Axis | None = None


def load(
    image: str | Path,
    sound: str | Path,
    *,
    name: str = "paper",
    voice: Callable[[Path, torch.device], Voice] | None = None,
    parts: tuple[str, ...] = (*hub.PARTS, "vocoder"),
    device=None,
    dtype: torch.dtype | None = None,
    memory: str | None = None,
    compile: bool = False,
) -> Pair:
    """The pair of two Stable Diffusion folders or repositories, `image` and `sound`.

    Weights that both have are loaded once.

    Parameters
    ----------
    image, sound : str or path
    name : str
        Of the pair.
    voice : callable, optional
        (folder of the sound model, device) -> Voice; by default Auffusion's vocoder.
    parts : tuple of str
        Subfolders that the sound model must have.
    device : torch.device or str, optional
        Where the networks run; by default a GPU if there is one.
    dtype : torch.dtype, optional
        What they compute in; by default float16 on a GPU, float32 elsewhere.
    memory : {"all", "turns"}, optional
        "all" keeps everything on the device, "turns" one U-Net at a time (for a GPU); by default
        the first that fits.
    compile : bool
        Compile the U-Nets: the first step takes minutes, the others are faster.

    Raises
    ------
    FileNotFoundError, PermissionError, ConnectionError, OSError
        As `hub.find`.
    ValueError
        If a file is damaged, or the models have different latent spaces.
    MemoryError
        If there is not enough memory.
    """
    device, dtype = choose_device(device, dtype)
    half = dtype != torch.float32
    folders = hub.find(image, hub.PARTS, half), hub.find(sound, parts, half)
    turns = choose_turns(memory, _sizes(folders, dtype), free_memory(device), device)
    speaking = (voice or auffusion_voice)(folders[1], device)
    seeing, hearing = (sd.load_parts(folder, dtype) for folder in folders)
    return build(
        name,
        seeing,
        sd.share(hearing, seeing),
        Placement(device, dtype, turns),
        speaking,
        weights_hash=_weights_hash(folders, parts, half),
        compile=compile,
    )


def build(
    name: str,
    seeing: sd.Parts,
    hearing: sd.Parts,
    placement: Placement,
    voice: Voice,
    *,
    weights_hash: str = "",
    compile: bool = False,
) -> Pair:
    """The Pair of parts that are in memory. Raises ValueError if their latent spaces differ,
    or if compiled U-Nets should take turns."""
    encode_image = sd.text_encoding(seeing.encoder, seeing.tokenizer, placement)
    encode_sound = encode_image
    if hearing.encoder is not seeing.encoder:
        encode_sound = sd.text_encoding(hearing.encoder, hearing.tokenizer, placement)
    canvas = voice.height, voice.width
    unit = sd.pixels_per_cell(seeing.vae) * 8

    def analyse_picture(what) -> Tensor:
        return media.grey_canvas(what, voice.height, unit)

    look = {"render": sd.render_picture, "analyse": analyse_picture}
    hear = {"render": voice.render, "analyse": voice.analyse, "axis": voice.axis}
    image = sd.modality("image", seeing, placement, encode_image, *canvas, **look)
    sound = sd.modality("sound", hearing, placement, encode_sound, *canvas, **hear)
    if hearing.vae is not seeing.vae:
        check_latent_space(image, sound)
    if compile and placement.turns:
        raise ValueError(
            "compile=True and U-Nets that take turns do not go together, since compiled code holds "
            "on to the weights: expected memory='all', or compile=False"
        )
    for unet in (seeing.unet, hearing.unet) if not placement.turns else ():
        placement.place(unet)
        if compile:
            unet.compile(mode="reduce-overhead")
    return Pair(name, image, sound, PAPER, PRESETS, weights_hash, voice.crop_pixels)


# --- Auffusion's vocoder ------------------------------------------------------------------------


def auffusion_voice(folder: Path, device="cpu") -> Voice:
    """HiFi-GAN on `device`, in float32: it is small, and half precision would be heard."""
    return vocoder_voice(load_vocoder(folder / "vocoder"), device)


def vocoder_voice(vocoder: Generator, device="cpu") -> Voice:
    vocoder = vocoder.to(device)
    mel = replace(PAPER_MEL, n_mels=vocoder.num_mels, hop_length=vocoder.hop)

    @torch.no_grad()
    def render(picture: Tensor) -> Sound:
        """(1 or 3, n_mels, W) -> W * hop samples."""
        rows = picture.to(device, torch.float32).mean(0).flip(0)  # (n_mels, W), lowest first
        log_mel = rows * (mel.log_max - mel.log_min) + mel.log_min
        return Sound(vocoder(log_mel[None])[0].cpu().numpy(), mel.sr)

    def analyse(what) -> Tensor:
        return analyse_sound(what, mel)

    return Voice(render, analyse, mel.n_mels, 4 * mel.n_mels, crop_pixels=32, axis=Axis.of(mel))


def analyse_sound(what, mel: MelSettings, multiple: int = 64) -> Tensor:
    """Any recording that `media` reads, bare samples at `mel.sr` -> (1, 1, n_mels, W), W a multiple
    of `multiple` pixels.

    Peaks are brought to 0.95, as Auffusion's training sounds were; silence stays as it is.
    """
    y = media.samples_at(what, mel.sr)
    y = y * media.gain(y, mel.sr, 0.95 / max(1e-9, float(np.abs(y).max())))
    return mel_picture(media.whole_columns(y, mel.hop_length, multiple), mel)[None, None]


# --- do the two share a latent space? -----------------------------------------------------------


@torch.no_grad()
def latent_distance(image: Modality, sound: Modality) -> tuple[float, float]:
    """How far two VAEs are from one latent space: the distance of the latents that they give to a
    probe, relative to their size, and the mean difference of the pictures that they make of one
    latent. Both are 0 for equal VAEs."""
    probe = _probe()  # (1, 1, 64, 128)
    ours, theirs = image.encode(probe), sound.encode(probe)  # (1, C, h, w)
    if ours.shape != theirs.shape:
        return float("inf"), float("inf")
    size = torch.maximum(ours.square().mean(), theirs.square().mean()).sqrt()
    latent = (ours - theirs).square().mean().sqrt() / size
    pixel = (image.decode(ours).mean(1) - sound.decode(ours).mean(1)).abs().mean()
    return float(latent), float(pixel)


def check_latent_space(image: Modality, sound: Modality) -> None:
    """Raise ValueError unless both modalities mean the same by a latent: measured, not assumed."""
    latent, pixel = latent_distance(image, sound)
    if not (latent <= MOST_LATENT and pixel <= MOST_PIXEL):
        raise ValueError(
            f"{image.name!r} and {sound.name!r} have different latent spaces: encoding one probe, "
            f"their latents differ by {latent:.2f} of their size (at most {MOST_LATENT}); decoding "
            f"one latent, their pictures by {pixel:.3f} (at most {MOST_PIXEL}). Expected models "
            "with the same VAE, such as two fine-tunes of Stable Diffusion 1"
        )


def _probe() -> Tensor:
    """(1, 1, 64, 128) in [0, 1]: a disc over bars, and beside them partials that fade."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    disc = ((y - 32).square() + (x - 32).square() < 400).float() * (0.6 + x / 160)
    drawing = torch.where(y > 54, (x // 8) % 2, disc)
    partials = (torch.cos(y * 0.8) > 0.6) * torch.exp(-(x % 32) / 16) * (0.3 + y / 100)
    return torch.cat([drawing, partials], 1)[None, None].clamp(0, 1)


# --- sizes and names ----------------------------------------------------------------------------


def _sizes(folders, dtype: torch.dtype) -> dict[str, float]:
    """Bytes of the U-Nets and of all the rest in `dtype`, guessed from the files."""
    half = dtype != torch.float32

    def size(folder: Path, part: str) -> float:
        path = hub.weights_file(folder, part, half)
        return path.stat().st_size * dtype.itemsize / (2 if ".fp16." in path.name else 4)

    rest = sum(size(folder, part) for folder in folders for part in ("vae", "text_encoder"))
    return {"image": size(folders[0], "unet"), "sound": size(folders[1], "unet"), "rest": rest}


def _weights_hash(folders, parts, half: bool) -> str:
    """A short hash of the files of weights: of their sizes and of a megabyte at either end."""
    digest = sha256()
    for folder, wanted in zip(folders, (hub.PARTS, parts), strict=True):
        for path in filter(None, (hub.weights_file(folder, part, half) for part in wanted)):
            size = path.stat().st_size
            digest.update(str(size).encode())
            with path.open("rb") as file:
                digest.update(file.read(2**20))
                file.seek(max(0, size - 2**20))
                digest.update(file.read())
    return sha256(digest.hexdigest()[:16].encode()).hexdigest()[:16]  # as recipes have it
