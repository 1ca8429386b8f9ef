"""The pocket pair: text → picture and text → sound over one latent, small enough to ship.

Trained by `itskit.training`; `MODEL_CARD.md` beside this file says on what, and how well it does.
Canvas 128 × 512, latent 4 × 16 × 64, 5.12 s of sound at 16 kHz.
"""

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace

import torch
from PIL import Image

from ... import media, threads
from ...audio.griffin_lim import reconstruct
from ...audio.mel import POCKET_MEL, mel_picture
from ...media import Picture, Sound
from ...modality import Axis, Modality, Pair
from ...schedule import stable_diffusion_alpha_bar
from ..presets import PAPER
from .engines import engine_of, onnx_engine, torch_engine
from .networks import UNETS, Scorer, predict_v, ready
from .text import TextEncoder
from .vocabulary import Vocabulary
from .weights import FOLDER, digest, load_packed, load_weights, read_manifest, weights_hash

LATENT_SHAPE = (4, 16, 64)
HEIGHT = 128
# The picture model draws squares, in a row: pixels, latent columns.
SQUARE, TILE = 128, 16
KEPT_PROMPTS = 256  # encoded ones, of 37 kB each
SLICE = 256  # latent columns that are decoded at once, a multiple of the usual canvas
LEVEL = 10 ** (-23 / 20)  # of sounds, as a root mean square

# Added to the encoded prompt of a model that composes alone; older weights have none.
SOLO = "solo.safetensors"

DEFAULTS = {
    "num_inference_steps": 8,  # 16 look and sound the same: EXPERIMENTS.md
    "solver": "dpmpp_2m",
    "spacing": "trailing",  # short runs need the noisiest timestep
    "image_scale": 10.0,
    "sound_scale": 4.0,
    "image_weight": 0.5,
    "sound_weight": 0.5,
    "image_start": 0.0,  # its layout is what the first step is for
    "sound_start": 0.0,
}
PRESETS = {"paper": PAPER}  # on the small networks


@threads.own_thread
def load(folder=FOLDER, name="pocket", *, change=None, engine: str | None = None) -> Pair:
    """The pair in `folder` (default: the one shipped in the package), float32 on the CPU.

    `change`, if given, is called with "image" or "sound" and the weights of that U-Net, {name:
    tensor}, and answers with those to use: to round, cut or disturb them.

    `engine` is who computes: "onnxruntime", the quicker one, or "torch", the same within 1e-4. By
    default it is what the environment variable ITSKIT_ENGINE names, else onnxruntime if that is
    installed. Where gradients are asked for, or another device, type or autocast, "onnxruntime"
    leaves it to PyTorch.

    Raises FileNotFoundError or ValueError if weights are missing or damaged or there is no such
    engine, ImportError if onnxruntime is asked for and cannot be imported.
    """
    folder, engine = Path(folder), engine_of(engine)
    read, told = _weights(folder, change)
    networks = (onnx_engine if engine == "onnxruntime" else torch_engine)(read)
    text = TextEncoder(folder / "tokenizer.json", networks["text_encoder"])
    shifts = load_weights(folder, SOLO) if SOLO in read_manifest(folder) else {}  # (24, 384) each
    # One for both models: what is seen is what is heard, and need be decoded only once.
    decode = threads.own_thread(_remembering(in_slices(networks["decoder"]), torch.clone))

    @lru_cache(maxsize=KEPT_PROMPTS)
    @threads.own_thread
    def encode_prompt(prompt: str):
        return text([prompt])  # (1, 24, 384)

    def modality(name, render, analyse, tile=None, **more):
        return Modality(
            name=name,
            encode_prompt=encode_prompt,
            encode_solo=(lambda prompt: encode_prompt(prompt) + shifts[name]) if shifts else None,
            predict_noise=threads.own_thread(
                _noise_from_v(_in_parts(networks[f"{name}_unet"]), tile)
            ),
            encode=threads.own_thread(networks["encoder"]),
            decode=decode,
            render=threads.own_thread(render),
            analyse=threads.own_thread(analyse),
            alpha_bar=stable_diffusion_alpha_bar(),
            latent_shape=LATENT_SHAPE,
            width_multiple=tile or 4,
            tile=tile,
            check_prompt=_check_with(text, Vocabulary(name, text.places, text.is_word)),
            **more,
        )

    image = modality("image", render_picture, analyse_picture, tile=TILE)
    play, loop = (_remembering(how, _copied) for how in (render_sound, render_sound_loop))
    hears = {"render_near": render_sound_near, "render_loop": loop, "axis": Axis.of(POCKET_MEL)}
    sound = modality("sound", play, analyse_sound, **hears)
    scorers = {key: _score_with(net, encode_prompt) for key, net in load_scorers(folder).items()}
    return Pair(name, image, sound, DEFAULTS, PRESETS, told, scorers=scorers)


def _weights(folder, change):
    """Who reads the weights of a file, with the `change` of a U-Net's; and a name for all weights
    of the folder and what became of them."""
    read, told = partial(load_packed, folder), [weights_hash(folder)]
    if change is None:
        return read, told[0]
    files = {f"{name}_unet.safetensors": name for name in UNETS}
    changed = {
        file: _changed(change, name, load_weights(folder, file)) for file, name in files.items()
    }
    told += [digest(state) for state in changed.values()]
    return (lambda file: changed[file] if file in changed else read(file)), "-".join(told)


def _changed(change, name: str, state: dict) -> dict:
    """What `change` makes of a U-Net's weights. Raises ValueError if it gives others back."""
    names = set(state)
    found = change(name, state)
    if not isinstance(found, dict) or (odd := names ^ set(found)):
        given = f"other names, among them {min(odd)!r}" if isinstance(found, dict) else repr(found)
        raise ValueError(
            f"change({name!r}, weights) gave {given}: expected the same names with other tensors"
        )
    return found


def load_scorers(folder=FOLDER) -> dict[str, Scorer]:
    """{"image": …, "sound": …}: each maps latents (B, 4, h, w) to unit vectors (B, 384) among the
    prompts' sentences, row 0 of `encode_prompt`."""
    files = {name: f"{name}_scorer.safetensors" for name in ("image", "sound")}
    return {name: _network(Scorer(), Path(folder), file) for name, file in files.items()}


def _score_with(scorer, encode_prompt):
    """(latent (B, 4, h, w), prompt) → cosine of the latent's place and the prompt's (B,)."""

    @threads.own_thread
    def score(latent, prompt):
        text = torch.nn.functional.normalize(encode_prompt(prompt)[:, 0], dim=1)  # (1, 384)
        return (scorer(latent) @ text.T)[:, 0]

    return score


def _check_with(text, vocabulary):
    """prompt → notes of what is cut off, what cannot be read, and what is far from all it knows."""

    @lru_cache(maxsize=KEPT_PROMPTS)
    def check_prompt(prompt):
        cut, signs = text.unread(prompt)
        notes = [f"too long, not read: “{cut}”"] if cut else []
        notes += [f"cannot be read: {' '.join(signs)}"] if signs else []
        read = prompt.rstrip().removesuffix(cut)
        for sign in signs:
            read = read.replace(sign, " ")
        unknown = vocabulary.unknown(read).items()
        return notes + [f"not known: {word}; nearest: {thing}" for word, thing in unknown]

    return check_prompt


def _network(net, folder, file):
    return ready(net, load_weights(folder, file))


def _in_parts(network):
    """A U-Net as `predict_v` asks for it, its batch shared out over the threads that may be had
    here."""

    def shared(x, t, text, class_labels):
        # Fewer than four at a time do not pay, and are rounded differently.
        count = max(1, min(threads.budget(), len(x) // 4))
        parts = zip(*(given.tensor_split(count) for given in (x, t, text)), strict=True)
        answers = threads.together(partial(network, *part) for part in parts)
        return SimpleNamespace(sample=torch.cat(answers))

    return shared


def _remembering(function, copied):
    """A function of a tensor that need not work twice in a row for what is shown and then played,
    or played and then put into a page. Whoever asks gets a copy, made by `copied`."""
    last = None

    def remembered(given):
        nonlocal last
        if torch.is_grad_enabled() and given.requires_grad:
            return function(given)
        known = last  # another thread may put another pair there
        if known is None or not _same(known[0], given):
            known = last = given.detach().clone(), function(given)
        return copied(known[1])

    return remembered


def _copied(sound: Sound) -> Sound:
    return replace(sound, samples=sound.samples.copy())


def _same(one, other) -> bool:
    kinds = ((x.shape, x.dtype, x.device) for x in (one, other))
    return len(set(kinds)) == 1 and torch.equal(one, other)


def _noise_from_v(unet, tile=None):
    """eps = sqrt(ᾱ)·v + sqrt(1 − ᾱ)·x, so that the core sees what every other model predicts."""
    alpha_bar = stable_diffusion_alpha_bar()

    def predict_noise(latent, t, prompt_embeds):
        v = predict_v(unet, latent, torch.full((len(latent),), int(t)), prompt_embeds, tile)
        return alpha_bar[t].sqrt() * v + (1 - alpha_bar[t]).sqrt() * latent

    return predict_noise


def in_slices(decode):
    """`decode` for canvases of any width, with memory for `SLICE` columns: the same, to rounding.

    Nothing in the decoder is averaged over the canvas, and what it looks across is far less than a
    usual canvas, which is as wide as its texture before that begins anew: so much is put around
    each slice, and cut off again.
    """
    around = LATENT_SHAPE[2]

    def decode_in_slices(latent):
        width = latent.shape[-1]
        if width <= SLICE + around:
            return decode(latent)
        parts = []
        for first in range(0, width, SLICE):
            begin, end = max(0, first - around), min(width, first + SLICE + around)
            last = min(width, first + SLICE)
            part = decode(latent[..., begin:end])  # (B, 1, H, 8 (end - begin))
            parts.append(part[..., 8 * (first - begin) : 8 * (last - begin)])
        return torch.cat(parts, -1)

    return decode_in_slices


def render_picture(picture) -> Picture:
    """(1, H, W) in [0, 1] → grey PIL image."""
    return Picture(Image.fromarray((picture[0] * 255).round().byte().numpy(), "L"))


def analyse_picture(what) -> torch.Tensor:
    """Any picture that `media` reads → (1, 1, 128, W) in [0, 1], grey, W a multiple of 128."""
    return media.grey_canvas(what, HEIGHT, SQUARE)


def render_sound(picture) -> Sound:
    """(1, 128, W) mel picture → the sound that it says."""
    return Sound(reconstruct(picture[0], POCKET_MEL), POCKET_MEL.sr)


def render_sound_loop(picture) -> Sound:
    """The same, the end of which leads to its beginning."""
    return Sound(reconstruct(picture[0], POCKET_MEL, loop=True), POCKET_MEL.sr, loop=True)


def render_sound_near(picture, near: Sound) -> Sound:
    """The same in a sixth of the time, led by the phase of a sound whose picture is much like it.

    Over the steps of a run of 16, led by its result, the spectral convergence is 0.135 (0.111
    alone) and the log-spectral distance 4.5 dB (4.0).
    """
    led_by = torch.from_numpy(near.samples)
    y = reconstruct(picture[0], POCKET_MEL, near=led_by, n_iter=4, loop=near.loop)
    return Sound(y, POCKET_MEL.sr, near.loop)


def analyse_sound(what) -> torch.Tensor:
    """Any recording that `media` reads, bare samples at 16 kHz → (1, 1, 128, W), W a multiple of
    128.

    What is no pause is brought to −23 dBFS, as the training sounds were; silence stays black.
    """
    y = media.samples_at(what, POCKET_MEL.sr)
    y = y * media.gain(y, POCKET_MEL.sr, LEVEL / max(1e-9, media.loud_rms(y, POCKET_MEL.sr)))
    y = media.whole_columns(y, POCKET_MEL.hop_length, SQUARE)
    return mel_picture(y, POCKET_MEL)[None, None]
