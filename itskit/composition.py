"""The whole method in one call, or as steps to pull."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from inspect import Parameter, signature

import torch

from . import __version__, beginning, lengths, rules, schedule, views
from .checks import as_seeds
from .guidance import Guide, as_guides, encode_prompt
from .modality import Pair
from .progress import tqdm
from .sampling import Step, init_latent, sample
from .settings import NAMES, PerStep, Settings, is_zero, recorded
from .trajectory import Trajectory


class Run:
    """A composition under way: an iterator of Steps, which keeps those that were pulled.

        for step in (run := itskit.composing(pair, "a castle", "bells")):
            ...                               # stop by leaving the loop
        run.trajectory                        # the steps so far

    steps   that were pulled so far
    recipe  of the whole run
    guides  who speaks in it
    """

    def __init__(
        self, steps: Iterator[Step], count: int, recipe: dict, pair: Pair,
        guides: Sequence[Guide] = (),
    ):  # fmt: skip
        self.steps: list[Step] = []
        self.recipe, self.pair, self.guides = recipe, pair, guides
        self._to_come, self._count = steps, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        self.steps.append(next(self._to_come))
        return self.steps[-1]

    @property
    def trajectory(self) -> Trajectory:
        """What was pulled so far; of a part of the run the recipe says "stopped" and after how many
        steps. Raises ValueError if that is nothing."""
        short = {} if len(self.steps) == len(self) else {"stopped": len(self.steps)}
        return Trajectory(tuple(self.steps), {**self.recipe, **short}, self.pair)

    def finish(self, callback: Callable[[Step], object] | None = None, progress=False):
        """Pull what is left, and call `callback` with each Step; the Trajectory of all."""
        with tqdm(self, disable=not progress) as bar:
            for step in bar:
                if callback is not None:
                    callback(step)
        return self.trajectory


def _show_settings(function: Callable) -> Callable:
    """Let help and completion see each setting where the signature has `**settings`."""
    shown = signature(function)
    own = [p for p in shown.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    settings = [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in NAMES]
    function.__signature__ = shown.replace(parameters=[*own, *settings])
    return function


@_show_settings
def compose(
    pair: Pair,
    image_prompt: str | Sequence | None,
    sound_prompt: str | Sequence | None,
    *,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    preset: str | None = None,
    init=None,
    extra: Sequence[Guide] = (),
    callback: Callable[[Step], object] | None = None,
    progress: bool = True,
    **settings,
) -> Trajectory:
    """Compose a picture that is also the spectrogram of a sound.

    The method is that of "Images that Sound" (Chen et al. 2024, arXiv 2405.12221). A setting that
    is None comes from the preset, else from the pair, else from `Settings`.

    Parameters
    ----------
    image_prompt, sound_prompt : str, list of (seconds, str), or None
        None leaves that model out: the other one works alone. A list changes along the time of the
        canvas: [(0, "a castle"), (30, "a palm tree")] turns from one into the other by second 30;
        a prompt that is said twice in a row holds in between.
    seed, seeds : int, sequence of int
        One item, or a batch of one item for each of the seeds.
    preset : str
        A named set of settings of this pair.
    init : path, Picture, Sound, PIL image, array, latent (B, C, h, w) or Trajectory
        What to begin with, as `encode` reads it.
    extra : sequence of Guide, or one
        More guides, beside the two that are made of the prompts.
    callback : callable
        Called with every Step. Ctrl-C keeps the steps so far, and the recipe says "stopped" and
        after how many.
    progress : bool
        Whether to show a bar.
    image_negative, sound_negative : str
        Words to keep away from; they count if the scale is not 1.
    num_inference_steps : int
        Denoising steps, 1 to 999.
    image_scale, sound_scale : float
        Classifier-free guidance; 1 takes the prompt as it is, more exaggerates it.
    image_weight, sound_weight : number, map (H, W), mask (Picture or PIL image) or callable
        Its say beside the other's; a function (index, num_inference_steps) -> one of these.
    image_start, sound_start, image_stop, sound_stop : float
        Fractions of the run between which this model speaks; alone, it begins.
    image_view, sound_view : str or view
        How it looks at the canvas: a name in `views.VIEWS`, or a view.
    solver, spacing : str
        As in `solvers.SOLVERS` and `schedule.timesteps`.
    rule : str, dict or rule
        How the noises become one: a name in `rules.RULES`, {"name": name, parameter: value}, or a
        rule of one's own. Rules that need one bring the solver "ddpm" along.
    width : int
        Of the canvas, in pixels.
    duration : float
        In place of `width`: seconds of sound, rounded up to what the networks can take.
    window : int
        Pixels that a model sees at once, of a canvas that is wider; the usual width if None. It
        looks through overlapping windows, and memory grows only by what the canvas itself is.
    loop : bool
        Let the end join the beginning, in the picture and in the sound.
    strength : float
        With `init`: how much of the run to do, in (0, 1]; 1 keeps hardly anything.
    init_fit, init_background, init_start, init_duration
        With `init`: the options of `encode`, fit and background of a picture, start and duration of
        a recording in seconds.
    crop : bool
        Cut off the right edge where the pair's networks are weak.

    Raises
    ------
    ValueError
        For an empty prompt and for settings that do not fit.
    FloatingPointError
        If a network answers with NaN.
    """
    run = composing(
        pair, image_prompt, sound_prompt, seed=seed, seeds=seeds, preset=preset, init=init,
        extra=extra, **settings,
    )  # fmt: skip
    try:
        return run.finish(callback, progress)
    except KeyboardInterrupt:
        if not run.steps:
            raise
        return run.trajectory


def composed(
    pair: Pair,
    image_prompt: str | Sequence | None,
    sound_prompt: str | Sequence | None,
    *,
    callback: Callable[[Step], object] | None = None,
    progress: bool = False,
    **options,
) -> Trajectory:
    """`compose` for whoever composes more than once: Ctrl-C ends it all, and no part is kept."""
    return composing(pair, image_prompt, sound_prompt, **options).finish(callback, progress)


@_show_settings
def composing(
    pair: Pair,
    image_prompt: str | Sequence | None,
    sound_prompt: str | Sequence | None,
    *,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    preset: str | None = None,
    init=None,
    extra: Sequence[Guide] = (),
    **settings,
) -> Run:
    """`compose` as an iterator of Steps: pull as many as you like, when you like.

    The parameters are those of `compose`, and so are the errors, all but FloatingPointError before
    the first step.
    """
    given, settings = settings, lengths.settled(pair, Settings.of(pair, preset, settings))
    timesteps = schedule.timesteps(settings.num_inference_steps, settings.spacing)
    seeds = as_seeds([seed] if seeds is None else _several(seeds))
    noise = init_latent(pair, seeds, settings.width)  # (B, C, h, w)
    grid, count = noise.shape[-2:], len(timesteps)
    settings = replace(
        settings,
        image_weight=recorded(settings.image_weight, grid, count),
        sound_weight=recorded(settings.sound_weight, grid, count),
    )
    extra = [
        replace(guide, weight=recorded(guide.weight, grid, count)) for guide in as_guides(extra)
    ]
    speaking = _guides(pair, image_prompt, sound_prompt, settings, given, extra)
    latent, first_step = noise, 0
    if init is not None:
        init = beginning.read(init, pair, settings)
        latent, first_step = beginning.begin_from(init, pair, noise, timesteps, settings)
    steps = sample(
        speaking, latent, num_inference_steps=count, solver=settings.solver,
        spacing=settings.spacing, first_step=first_step, seeds=seeds,
        rule=settings.rule,
    )  # fmt: skip
    recipe = _recipe(pair, speaking, settings) | {"seeds": seeds, "preset": preset}
    recipe["init"] = None if init is None else beginning.describe(init)
    return Run(steps, count - first_step, recipe, pair, speaking)


def _several(seeds) -> Sequence[int]:
    if hasattr(seeds, "__iter__"):
        return seeds
    raise ValueError(f"seeds={seeds!r}: expected several, such as [1, 2]; one is seed={seeds!r}")


def _recipe(pair: Pair, speaking: Sequence[Guide], settings: Settings) -> dict:
    """What made a run, in plain numbers and words."""
    said = {
        "itskit": __version__,
        "torch": str(torch.__version__),  # names the build, too: 2.13.0+cu130
        "diffusers": version("diffusers"),
        "pair": pair.name,
        "weights_hash": pair.weights_hash,
        "guides": [_entry(pair, guide) for guide in speaking],
        **{name: getattr(settings, name) for name in OF_THE_RUN},
        "rule": rules.describe(rules.as_rule(settings.rule)),
    }
    if lengths.is_windowed(settings):  # else there is nothing to say, and older recipes do not
        said |= {"window": settings.window, "loop": bool(settings.loop)}
    return json.loads(json.dumps(said, default=lambda number: number.item()))


# What a recipe says of the run; all else in Settings is said of its guides.
OF_THE_RUN = (
    "num_inference_steps", "rule", "solver", "spacing", "width", "strength", "init_fit",
    "init_background", "init_start", "init_duration", "crop",
)  # fmt: skip


@_show_settings
def guides(
    pair: Pair,
    image_prompt: str | Sequence | None,
    sound_prompt: str | Sequence | None,
    *,
    preset: str | None = None,
    extra: Sequence[Guide] = (),
    **settings,
) -> list[Guide]:
    """The guides that `compose` makes of these prompts and settings, for a loop of one's own.

        image, sound = itskit.guides(pair, "a castle", "bells", image_scale=5.0)
        steps = itskit.sample([image, sound], itskit.init_latent(pair, 7))
        result = itskit.Trajectory(steps, pair=pair)

    A prompt that is None gives no guide. Any setting of `compose` may be among the `settings`, so
    that one dict does for both; those that do not concern a guide do nothing here.
    """
    given, settings = settings, lengths.settled(pair, Settings.of(pair, preset, settings))
    return _guides(pair, image_prompt, sound_prompt, settings, given, as_guides(extra))


def _guides(pair, image_prompt, sound_prompt, settings: Settings, given, extra) -> list[Guide]:
    """The guides of the two prompts, and the `extra` ones under names of their own.

    A model that nobody else is heard beside is told so, and begins if no start was given.
    """
    if image_prompt is None and sound_prompt is None and not extra:
        raise ValueError("image_prompt and sound_prompt are None: expected words for one of them")
    seen = image_prompt is not None and not is_zero(settings.image_weight)
    heard = sound_prompt is not None and not is_zero(settings.sound_weight)
    solo = seen + heard + len(extra) == 1
    found = []
    if image_prompt is not None:
        begins = solo and seen and given.get("image_start") is None
        found.append(_guide("image", pair, pair.image, image_prompt, settings, solo, begins))
    if sound_prompt is not None:
        begins = solo and heard and given.get("sound_start") is None
        found.append(_guide("sound", pair, pair.sound, sound_prompt, settings, solo, begins))
    for guide in extra:
        name, taken = guide.name or guide.modality.name, {one.name for one in found}
        numbered = (f"{name} {number}" for number in itertools.count(2))
        name = name if name not in taken else next(new for new in numbered if new not in taken)
        looks = guide.windows
        if looks is None and guide.modality in (pair.image, pair.sound):
            looks = lengths.windows(pair, guide.modality, settings)
        found.append(replace(guide, name=name, windows=looks))
    return found


def _guide(name: str, pair: Pair, model, prompt, settings: Settings, solo, begins) -> Guide:
    """The guide "image" or "sound", of one of the prompts."""
    of_it = {key.removeprefix(f"{name}_"): value for key, value in vars(settings).items()}
    encoded = encode_prompt(model, prompt, of_it["negative"], solo=solo)
    return Guide(
        model,
        encoded,
        scale=of_it["scale"],
        weight=of_it["weight"],
        start=0.0 if begins else of_it["start"],
        stop=of_it["stop"],
        view=views.as_view(of_it["view"]),
        name=name,
        windows=lengths.windows(pair, model, settings, encoded.along),
    )


def _entry(pair: Pair, guide: Guide) -> dict:
    """What the recipe says of a guide."""
    own = {id(pair.image): "image", id(pair.sound): "sound"}
    along = guide.prompt.along
    return {
        "name": guide.name,
        "model": own.get(id(guide.modality), guide.modality.name),
        "prompt": guide.prompt.text,
        **({"prompts": along.said} if along else {}),
        "negative": guide.prompt.negative,
        "scale": guide.scale,
        "weight": asdict(guide.weight) if isinstance(guide.weight, PerStep) else guide.weight,
        "start": guide.start,
        "stop": guide.stop,
        "view": views.name_of(guide.view),
    }
