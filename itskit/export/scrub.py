"""What a scrubber needs of a Trajectory: its facts as JSON, and a picture and a sound per step.

The notebook's widget sends them as messages, the exported page holds them in itself; the same
JavaScript module (itskit/web/scrubber.js) shows them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from .. import diagnose, recipes, threads
from ..codec import paint, render
from ..media import Picture, Sound
from ..schedule import predict_clean
from ..trajectory import Trajectory
from . import again, encode
from .names import stem_of
from .recipes import recipe_of

# What was made of a trajectory, for whoever asks again.
_WHOLE = WeakKeyDictionary()  # trajectory -> {item: what `_whole` says}
_FRAMES = WeakKeyDictionary()  # trajectory -> {(item, track, step): Frame}


@dataclass(frozen=True)
class Frame:
    """One prepared step of one track: `picture` is a WebP file, `sound` an MP3 (or WAV) file."""

    track: str
    step: int
    picture: bytes
    sound: bytes

    def as_message(self) -> dict:
        """For a widget: the two files as bytes."""
        return dict(vars(self))

    def as_text(self) -> dict:
        """For JSON: the two files in base64."""
        return {
            "track": self.track,
            "step": self.step,
            "picture": b64encode(self.picture).decode(),
            "sound": b64encode(self.sound).decode(),
        }


def tracks(trajectory: Trajectory) -> list[dict]:
    """The tracks of a trajectory as {key, label, hint}: the clean estimate, the noisy canvas after
    each step (`timesteps`: how noisy), and what each guide alone believes, where its noises were
    kept."""
    found = [
        {"key": "clean", "label": "Result", "hint": "the clean result predicted at this step"},
        {
            "key": "noisy",
            "label": "Noisy",
            "hint": "the canvas after this step, noise and all",
        },
    ]
    found[1]["timesteps"] = [*(step.t for step in trajectory.steps[1:]), 0]
    for g, name in enumerate(diagnose.guide_names(trajectory)):
        if all(step.noises[g : g + 1] in ((), (None,)) for step in trajectory.steps):
            continue
        hint = f"what the {name} model alone believes at this step"
        found.append(
            {"key": f"guide-{g}", "label": f"{name[:1].upper()}{name[1:]} only", "hint": hint}
        )
    return found


def latents(trajectory: Trajectory, track: str, item: int = 0) -> dict[int, Tensor]:
    """{step: latent (1, C, h, w)} of a track; a guide has none where it was silent.

    Raises ValueError for an unknown track.
    """
    steps = trajectory.steps
    if track == "clean":
        return {i: step.clean[item][None] for i, step in enumerate(steps)}
    if track == "noisy":
        return {i: step.latent[item][None] for i, step in enumerate(steps)}
    keys = [one["key"] for one in tracks(trajectory)]
    if track not in keys:
        raise ValueError(f"track={track!r}: expected one of {', '.join(keys)}")
    g, table = int(track.removeprefix("guide-")), _pair(trajectory).image.alpha_bar
    return {
        i: predict_clean(step.noisy[item], step.noises[g][item], table[step.t])[None]
        for i, step in enumerate(steps)
        if len(step.noises) > g and step.noises[g] is not None
    }


def coarse_to_fine(steps: Sequence[int]) -> list[int]:
    """The steps in an order that spreads over all of them early: last, first, middles, quarters."""
    waiting = sorted(steps)
    if len(waiting) < 3:
        return waiting[::-1]
    order = [waiting[-1], waiting[0]]
    spans = [(0, len(waiting) - 1)]
    for low, high in spans:  # grows while it is walked: breadth first
        middle = (low + high) // 2
        if middle > low:
            order.append(waiting[middle])
            spans += [(low, middle), (middle, high)]
    return order


def keyframes(steps: Sequence[int], count: int) -> list[int]:
    """`count` of the steps, evenly spread, with the first and the last."""
    steps = sorted(steps)
    if count >= len(steps):
        return steps
    stride = (len(steps) - 1) / max(1, count - 1)
    return [steps[round(k * stride)] for k in range(count)]


def frames(
    trajectory: Trajectory,
    track: str = "clean",
    steps: Sequence[int] | None = None,
    *,
    item: int = 0,
    workers: int | None = None,
) -> Iterator[Frame]:
    """Prepare the steps of a track (all, or those named that it has), `workers` at a time.

    They come coarse to fine, so that a slider works over its whole length early on.
    """
    found = latents(trajectory, track, item)
    chosen = [step for step in found if steps is None or step in set(steps)]
    return prepare(trajectory, {track: chosen}, item=item, workers=workers)


def prepare(
    trajectory: Trajectory,
    chosen: dict[str, Sequence[int]],
    *,
    item: int = 0,
    workers: int | None = None,
) -> Iterator[Frame]:
    """Prepare {track: steps}, track after track, `workers` frames at a time (None: as many as
    `threads.budget` gives, up to 4), each with one thread of torch: together they are quicker so.
    What was prepared of this trajectory before is there at once.

    The last clean estimate sounds as `trajectory.sound` does; where the pair has a `render_near`,
    all else is rendered quickly, led by it.
    """
    jobs = []
    for track, steps in chosen.items():
        found = latents(trajectory, track, item)
        jobs += [(track, step, found[step]) for step in coarse_to_fine(steps)]
    if not jobs:
        return
    usual = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers or min(4, threads.budget()), initializer=_one_thread)
    try:
        whole = pool.submit(_whole, trajectory, item)
        yield from pool.map(lambda job: _frame(trajectory, item, whole, *job), jobs)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(usual)  # of MKL there is one count for the whole process


def _one_thread() -> None:
    torch.set_num_threads(1)


def _whole(trajectory: Trajectory, item: int) -> tuple[Tensor, Tensor, Sound]:
    """Of the last clean estimate the pictures (1 or 3, H, W) that are seen and heard, and the
    sound, uncropped: made once for all that asks."""
    kept = _WHOLE.setdefault(trajectory, {})
    if item not in kept:
        seen, heard = _decoded(trajectory, trajectory.steps[-1].clean[item][None])
        sound = render(_pair(trajectory).sound, heard, loop=trajectory.is_loop)
        kept[item] = seen, heard, sound
    return kept[item]


def _frame(trajectory, item: int, whole: Future, track: str, step: int, latent: Tensor) -> Frame:
    """The frame of a latent (1, C, h, w), made once; `whole` is what `_whole` will say."""
    known = _FRAMES.setdefault(trajectory, {})
    if (item, track, step) not in known:
        is_result = torch.equal(latent, trajectory.steps[-1].clean[item][None])
        known[item, track, step] = _made(trajectory, is_result, whole, track, step, latent)
    return known[item, track, step]


def _made(trajectory, is_result: bool, whole: Future, track: str, step: int, latent) -> Frame:
    pair, crop, loop = _pair(trajectory), _crop(trajectory), trajectory.is_loop
    model, near, how = pair.sound, pair.sound.render_near, None
    seen, heard = whole.result()[:2] if is_result else _decoded(trajectory, latent)
    if is_result:
        how = lambda picture: whole.result()[2]  # noqa: E731
    elif near is not None:
        how = lambda picture: near(picture, whole.result()[2])  # noqa: E731
    picture = encode.picture_bytes(render(pair.image, seen, crop).image)
    model = replace(model, render=how, render_loop=how) if how else model
    sound = render(model, heard, crop, loop)
    # Noise, and what a model believes, may be coarser: they are hard to compress.
    level = 0.4 if track == "clean" else 0.6
    return Frame(track, step, picture, encode.sound_bytes(sound, level=level))


def show(trajectory: Trajectory, latent: Tensor) -> tuple[Picture, Sound]:
    """The picture and the sound of any latent (1, C, h, w) on this trajectory's canvas."""
    pair, crop = _pair(trajectory), _crop(trajectory)
    seen, heard = _decoded(trajectory, latent)
    loop = trajectory.is_loop
    return render(pair.image, seen, crop, loop), render(pair.sound, heard, crop, loop)


@torch.no_grad()
def _decoded(trajectory: Trajectory, latent: Tensor) -> tuple[Tensor, Tensor]:
    """The pictures (1 or 3, H, W) that are seen and heard; one decoder for both works once."""
    pair = _pair(trajectory)
    seen = paint(pair.image, latent, trajectory.is_loop)[0]
    is_one = pair.image.decode == pair.sound.decode
    return seen, seen if is_one else paint(pair.sound, latent, trajectory.is_loop)[0]


def facts(
    trajectory: Trajectory,
    *,
    item: int = 0,
    scores: Sequence[dict] | None = None,
    start: str = "noise",
) -> dict:
    """All that a scrubber needs beside its frames, as a JSON-able dict.

    `scores` are curves to draw with the diagnosis: dicts of label, values (one a step, or None)
    and guide (whose colour); by default those of the pair's own scorers. Where the sound model has
    no axis no hertz are shown, and the result itself is asked how long it sounds. It begins with
    the "noise" or, by `start`, on the "result".
    """
    pair, latent = _pair(trajectory), trajectory.latent
    scores = diagnose.scores(trajectory, item) if scores is None else list(scores)
    factor = pair.image.vae_scale_factor
    height, width = latent.shape[-2] * factor, latent.shape[-1] * factor - _crop(trajectory)
    if (axis := pair.sound.axis) is not None:
        hertz, seconds, rate = [round(f, 1) for f in axis.hertz], width * axis.seconds, axis.rate
    else:
        sound = trajectory.sound(item=item)
        hertz, seconds, rate = None, sound.duration, sound.rate
    return {
        "format": 1,
        "name": stem_of(trajectory, item),
        "count": len(trajectory),
        "timesteps": [step.t for step in trajectory.steps],
        "size": [width, height],
        "seconds": seconds,
        "loop": trajectory.is_loop,
        "rate": rate,
        "hertz": hertz,
        "types": {"picture": encode.PICTURE_TYPE, "sound": encode.sound_type()},
        "probe": {"at": encode.PROBE_AT, "sound": b64encode(encode.probe(rate)).decode()},
        "tracks": tracks(trajectory),
        "start": _start(start, len(trajectory)),
        "prompts": prompts(trajectory.recipe),
        "recipe": recipe_of(trajectory, item),
        "again": again.lines(pair, recipe_of(trajectory, item)),
        "diagnosis": diagnose.summary(trajectory, item) | {"scores": scores},
    }


def score_steps(
    trajectory: Trajectory,
    label: str,
    judge: Callable[[Picture | Sound], float],
    *,
    guide: int,
    item: int = 0,
    count: int = 12,
) -> dict:
    """A curve for `page(scores=...)`: what a judge says of some steps, straight lines between.

    Parameters
    ----------
    trajectory : Trajectory
    label : str
        The curve's name.
    judge : callable
        (Picture of a step if `guide` is 0, else its Sound) -> float.
    guide : int
        In whose colour the curve is drawn.
    item : int
        Which of the batch.
    count : int
        How many steps are judged, evenly spread.

    Returns
    -------
    dict
        Its label, guide, and values, one a step.
    """
    import numpy as np

    at = keyframes(range(len(trajectory)), count)
    part = trajectory.picture if guide == 0 else trajectory.sound
    heard = [float(judge(part(step, item))) for step in at]
    values = np.interp(range(len(trajectory)), at, heard).round(4).tolist()
    return {"label": label, "guide": guide, "values": values}


def prompts(recipe: dict) -> list[dict]:
    """The prompts of a recipe as {sense, text, negative}, in the order of the guides."""
    return [
        {
            "sense": recipes.sense(guide),
            "text": str(guide["prompt"]),
            "negative": str(guide.get("negative") or ""),
        }
        for guide in recipes.guides(recipe)
        if guide["prompt"]
    ]


def _start(name: str, count: int) -> dict:
    """Where a scrubber of `count` steps begins, as {track, step}."""
    places = {"noise": ("noisy", 0), "result": ("clean", count - 1)}
    if name not in places:
        raise ValueError(f"start={name!r}: expected one of {', '.join(map(repr, places))}")
    track, step = places[name]
    return {"track": track, "step": step}


def _crop(trajectory: Trajectory) -> int:
    return _pair(trajectory).crop_pixels if trajectory.recipe.get("crop") else 0


def _pair(trajectory: Trajectory):
    if trajectory.pair is None:
        raise ValueError(
            "this Trajectory has no pair to decode with: load it with "
            "Trajectory.load(path, pair=itskit.load_pair(...))"
        )
    return trajectory.pair
