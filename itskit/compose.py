"""The whole method in one call, and again from its recipe."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor

from . import __version__, media, schedule
from .guidance import Guide, encode_prompt, weight_map
from .modality import Modality, Pair, Picture, Sound
from .progress import tqdm
from .sampling import Step, Trajectory, encode, init_latent, sample
from .schedule import as_seed

DEFAULTS = {
    "image_negative": "",
    "sound_negative": "",
    "num_inference_steps": 30,
    "image_scale": 7.5,
    "sound_scale": 7.5,
    "image_weight": 0.5,
    "sound_weight": 0.5,
    "image_start": 0.1,  # the paper's warm start: the sound alone lays the ground
    "sound_start": 0.0,
    "solver": "ddim",
    "spacing": "leading",
    "width": None,
    "strength": 0.7,
    "init_fit": "pad",
    "init_background": "white",
    "init_start": 0.0,
    "init_duration": None,
    "crop": True,
}


def compose(
    pair: Pair,
    image_prompt: str | None,
    sound_prompt: str | None,
    *,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    preset: str | None = None,
    image_negative: str | None = None,
    sound_negative: str | None = None,
    num_inference_steps: int | None = None,
    image_scale: float | None = None,
    sound_scale: float | None = None,
    image_weight=None,
    sound_weight=None,
    image_start: float | None = None,
    sound_start: float | None = None,
    solver: str | None = None,
    spacing: str | None = None,
    width: int | None = None,
    init=None,
    strength: float | None = None,
    init_fit: str | None = None,
    init_background=None,
    init_start: float | None = None,
    init_duration: float | None = None,
    crop: bool | None = None,
    callback: Callable[[Step], object] | None = None,
    progress: bool = True,
    **unknown,
) -> Trajectory:
    """Compose a picture that is also the spectrogram of a sound.

    The method is that of "Images that Sound" (Chen et al. 2024, arXiv 2405.12221). A setting that
    is None comes from the preset, else from the pair, else from `DEFAULTS`.

    image_prompt, sound_prompt  None leaves that model out: the other one works alone
    seed, seeds    one item, or a batch of one item for each of the seeds
    preset         a named set of settings of this pair
    *_negative     words to keep away from; they count if the scale is not 1
    *_scale        classifier-free guidance scale
    *_weight       a number, a map (H, W) over the canvas, a mask (Picture or PIL image), or a
                   function (index, num_inference_steps) -> one of these, as in `Guide`
    *_start        fraction of the run at which this model joins; alone, it begins
    width          of the canvas, in pixels
    init           a picture, a recording, a latent or a Trajectory to begin with, as `encode` reads
                   them: also the path of a file
    strength       with `init`: how much of the run to do, in (0, 1]; 1 keeps hardly anything
    init_*         with `init`: the options of `encode`: fit and background of a picture, start and
                   duration of a recording
    crop           cut off the right edge where the pair's networks are weak
    callback       called with every Step; Ctrl-C keeps the steps so far, and the recipe says
                   "stopped" and after how many

    Raises ValueError for an empty prompt and for settings that do not fit; FloatingPointError if a
    network answers with NaN.
    """
    # First of all, while the parameters are the only local names.
    given = {name: value for name, value in locals().items() if name in DEFAULTS} | unknown
    settings = _resolve(pair, (image_prompt, sound_prompt), preset, given)
    timesteps = schedule.timesteps(settings["num_inference_steps"], settings["spacing"])
    if seeds is not None and not hasattr(seeds, "__iter__"):
        raise ValueError(
            f"seeds={seeds!r}: expected several, such as [1, 2]; one is seed={seeds!r}"
        )
    seeds = [as_seed(one) for one in ([seed] if seeds is None else seeds)]
    noise = init_latent(pair, seeds, settings["width"])  # (B, C, h, w)
    settings["width"] = noise.shape[-1] * pair.image.vae_scale_factor
    for name in ("image_weight", "sound_weight"):
        settings[name] = _record_weight(settings[name], noise.shape[-2:], len(timesteps))
    speaking = guides(pair, image_prompt, sound_prompt, **settings)
    latent, first_step = noise, 0
    if init is not None:
        init = _read(init, pair, settings)
        latent, first_step = _begin_from(init, pair, noise, timesteps, settings)
    recipe = {
        "itskit": __version__,
        "torch": str(torch.__version__),  # names the build, too: 2.13.0+cu130
        "diffusers": version("diffusers"),
        "pair": pair.name,
        "weights_hash": pair.weights_hash,
        "image_prompt": image_prompt,
        "sound_prompt": sound_prompt,
        "seeds": seeds,
        "preset": preset,
        "init": None if init is None else _describe(init),
        **settings,
    }
    recipe = json.loads(json.dumps(recipe, default=lambda number: number.item()))  # plain numbers
    run = sample(
        speaking,
        latent,
        num_inference_steps=len(timesteps),
        solver=settings["solver"],
        spacing=settings["spacing"],
        first_step=first_step,
    )
    bar = tqdm(run, total=len(timesteps) - first_step, disable=not progress)
    steps, stopped = _pull(bar, callback)
    if stopped:
        recipe["stopped"] = len(steps)
    return Trajectory(tuple(steps), recipe, pair)


def guides(
    pair: Pair,
    image_prompt: str | None,
    sound_prompt: str | None,
    *,
    preset: str | None = None,
    **settings,
) -> list[Guide]:
    """The guides that `compose` makes of these prompts and settings, for a loop of one's own.

        image, sound = itskit.guides(pair, "a castle", "bells", image_scale=5.0)
        steps = itskit.sample([image, sound], itskit.init_latent(pair, 7))
        result = itskit.Trajectory(steps, pair=pair)

    A prompt that is None gives no guide. Any setting of `compose` may be among the `settings`, so
    that one dict does for both; those that do not concern a guide do nothing here.
    """
    prompts = {"image": image_prompt, "sound": sound_prompt}
    settings = _resolve(pair, tuple(prompts.values()), preset, settings)
    given = {name: prompt for name, prompt in prompts.items() if prompt is not None}
    solo = len(_heard(given, settings)) == 1
    return [
        _guide(getattr(pair, name), name, prompt, settings, solo) for name, prompt in given.items()
    ]


def recompose(pair: Pair, recipe: dict, **changes) -> Trajectory:
    """Compose again from a Trajectory's recipe; a run that was stopped is carried to its end.

    `changes` are keyword arguments of `compose` that replace the recipe's, such as `callback`, or
    `init`, which a recipe only describes. Warns if the networks, or `init`, are not the recipe's.
    """
    if method := recipe.get("method"):  # of `baselines`
        raise ValueError(
            f"the recipe is of a {method}, which was not composed: expected a recipe of `compose`; "
            "`itskit.baselines` makes the others"
        )
    made_with = recipe.get("pair"), recipe.get("weights_hash")
    if made_with != (pair.name, pair.weights_hash):
        warnings.warn(
            f"the recipe was made with pair {made_with}, this is {(pair.name, pair.weights_hash)}: "
            "expect another result",
            stacklevel=2,
        )
    if recipe.get("init") and "init" not in changes:
        raise ValueError(f"the recipe began with {recipe['init']}: expected the same as init=...")
    init, began = changes.get("init"), recipe.get("init") or "noise alone"
    given = None if init is None else _describe(init, recipe.get("init_background", "white"))
    if given and (began == "noise alone" or given["sha256"] != began["sha256"]):
        warnings.warn(
            f"the recipe began with {began}, this init is {given}: expect another result",
            stacklevel=2,
        )
    names = {*DEFAULTS, "image_prompt", "sound_prompt", "seeds", "preset"}
    # What older recipes do not name.
    kept = {"image_negative": "", "sound_negative": "", "init_fit": "stretch"}
    kept |= {name: recipe[name] for name in names & set(recipe)}
    if kept.get("preset") not in pair.presets:  # the settings themselves are all in the recipe
        kept["preset"] = None
    return compose(pair, **{**kept, **changes})


def whole(trajectory: Trajectory) -> Trajectory:
    """The same, for whoever composes more than once: raises KeyboardInterrupt if Ctrl-C stopped it,
    of which `compose` alone makes "enough"."""
    if "stopped" in trajectory.recipe:
        raise KeyboardInterrupt
    return trajectory


def _resolve(pair: Pair, prompts: tuple, preset: str | None, given: dict) -> dict:
    """The complete settings: what was given, else the preset's, else the pair's, else DEFAULTS."""
    speaking = [
        n for n, prompt in zip(("image", "sound"), prompts, strict=True) if prompt is not None
    ]
    if not speaking:
        raise ValueError("image_prompt and sound_prompt are None: expected words for one of them")
    named = {} if preset is None else schedule.lookup(pair.presets, preset, "preset")
    settings = dict(DEFAULTS)
    for layer in (pair.defaults, named, given):
        for name, value in layer.items():
            schedule.lookup(DEFAULTS, name, "setting")
            if value is not None:
                settings[name] = value
    heard = _heard(speaking, settings)
    if len(heard) == 1 and given.get(f"{heard[0]}_start") is None:
        settings[f"{heard[0]}_start"] = 0.0  # nobody else is there to begin
    return settings


def _heard(speaking, settings: dict) -> list[str]:
    """Who of those that have a prompt is heard at all. One of them is alone, whether the other has
    no prompt or no weight."""
    return [name for name in speaking if not _is_zero(settings[f"{name}_weight"])]


def _is_zero(weight) -> bool:
    """Whether a weight, as given or as recorded, is 0 everywhere, always. What a function will say
    is known only when `compose` has recorded it."""
    if isinstance(weight, dict):
        return all(map(_is_zero, weight["per_step"]))
    return not callable(weight) and not (np.asarray(weight) != 0).any()


def _guide(modality: Modality, name: str, prompt: str, settings: dict, solo: bool) -> Guide:
    """The guide of the "image" or "sound" settings."""
    scale, weight, start = (settings[f"{name}_{which}"] for which in ("scale", "weight", "start"))
    encoded = encode_prompt(modality, prompt, settings[f"{name}_negative"], solo=solo)
    return Guide(modality, encoded, scale=scale, weight=_replay_weight(weight), start=start)


def _pull(bar, callback) -> tuple[list[Step], bool]:
    """All steps, or those before Ctrl-C, and whether that was pressed."""
    steps = []
    with bar:
        try:
            for step in bar:
                steps.append(step)
                if callback is not None:
                    callback(step)
        except KeyboardInterrupt:
            if not steps:
                raise
            return steps, True
    return steps, False


def _record_weight(weight, grid: tuple[int, int], count: int):
    """A weight as JSON: a number, a map (h, w) on the latent grid, or {"per_step": [...]}."""
    if callable(weight):
        weight = {"per_step": [weight(index, count) for index in range(count)]}
    if isinstance(weight, dict):
        if len(weight["per_step"]) != count:
            raise ValueError(
                f"the weight is given for {len(weight['per_step'])} steps: expected {count}, as "
                "num_inference_steps"
            )
        return {"per_step": [_record_weight(w, grid, count) for w in weight["per_step"]]}
    values = weight_map(weight, grid)
    return values.tolist() if isinstance(weight, Picture) or np.ndim(weight) else float(weight)


def _replay_weight(recorded):
    """What `_record_weight` recorded, as a Guide takes it."""
    if not isinstance(recorded, dict):
        return recorded
    return lambda index, num_inference_steps: recorded["per_step"][index]


def _read(init, pair: Pair, settings: dict):
    """`init` as a Picture, a recording, a latent or a Trajectory."""
    if isinstance(init, Tensor) and init.ndim == 4:
        return init
    if not isinstance(init, Trajectory):
        rate = pair.sound.axis and pair.sound.axis.rate
        return media.read(init, background=settings["init_background"], sr=rate)
    if (made_with := init.recipe.get("weights_hash", pair.weights_hash)) != pair.weights_hash:
        raise ValueError(
            f"init is a run of weights {made_with}, this pair has {pair.weights_hash}, so that its "
            "latent means something else: expected init=run.picture() or init=run.sound()"
        )
    return init


def _begin_from(init, pair: Pair, noise: Tensor, timesteps: Tensor, settings: dict):
    """`init` noised to where `strength` lets the run begin (B, C, h, w), and that step's index."""
    strength = settings["strength"]
    if not 0 < strength <= 1:
        raise ValueError(f"strength={strength}: expected a fraction of the run, 0 < strength <= 1")
    is_sound = isinstance(init, (Sound, np.ndarray))  # samples whose rate nobody knows, too
    modality = pair.sound if is_sound else pair.image
    width = noise.shape[-1] * modality.vae_scale_factor
    names = "fit", "background", "start", "duration"
    options = {name: settings[f"init_{name}"] for name in names}
    clean = encode(modality, init, width, **options).to(noise)  # (1 or B, C, h, w)
    if clean.shape[0] not in (1, len(noise)) or clean.shape[1:] != noise.shape[1:]:
        raise ValueError(
            f"init is a latent {tuple(clean.shape)}: expected {tuple(noise.shape)}; pass width, "
            f"{modality.vae_scale_factor} pixels for each column, and a seed for each item"
        )
    first_step = len(timesteps) - max(1, round(strength * len(timesteps)))
    return schedule.add_noise(clean, noise, modality.alpha_bar[timesteps[first_step]]), first_step


def _describe(init, background="white") -> dict:
    """What a recipe keeps of `init`: enough to recognise it, not to make it. It is the same however
    it is handed in, as a file or as what is in it."""
    if isinstance(init, Trajectory) or (isinstance(init, Tensor) and init.ndim == 4):
        kind, content = type(init).__name__, getattr(init, "latent", init)
    else:
        init = media.read(init, background=background)
        kind = "Picture" if isinstance(init, Picture) else "Sound"
        content = init.image if kind == "Picture" else getattr(init, "samples", init)
    array = np.ascontiguousarray(content)
    return {"kind": kind, "shape": list(array.shape), "sha256": sha256(array).hexdigest()}
