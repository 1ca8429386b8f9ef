"""A composition again, from its recipe."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

from . import recipes, schedule, views
from .beginning import describe
from .composition import OF_THE_RUN, Run, compose, composing
from .guidance import Guide, encode_prompt
from .modality import Pair
from .rules import as_rule
from .sampling import init_latent, sample
from .settings import as_weight
from .solvers import as_solver
from .trajectory import Trajectory

TELLING = {"callback": None, "progress": True}


def recompose(pair: Pair, recipe: dict, **changes) -> Trajectory:
    """Compose again from a Trajectory's recipe; a run that was stopped is carried to its end.

    `changes` are keyword arguments of `compose` that replace the recipe's, such as `callback`, or
    `init` and `extra` guides of models that are not the pair's, which a recipe only describes.
    Warns if the networks, or `init`, are not the recipe's.
    """
    if _branch_of(recipe):
        told = {name: changes.pop(name, usual) for name, usual in TELLING.items()}
        return recomposing(pair, recipe, **changes).finish(**told)
    return compose(pair, **_arguments(pair, recipes.read(recipe), changes))


def recomposing(pair: Pair, recipe: dict, **changes) -> Run:
    """`recompose` as an iterator of Steps."""
    recipe = recipes.read(recipe)
    if began := _branch_of(recipe):
        beginning = {name: changes[name] for name in ("init", "extra") if name in changes}
        first = recompose(pair, began["of"], **beginning, progress=False)
        return _go_on(first, began["step"], pair, recipe, changes)
    return composing(pair, **_arguments(pair, recipe, changes))


def _branch_of(recipe: dict) -> dict:
    """What a recipe branched from, {} if it did not. Raises ValueError for what is no branch."""
    began = recipe.get("branch") or {}
    wanted = {"step": int, "of": dict}
    if began and not (
        isinstance(began, dict)
        and all(isinstance(began.get(key), kind) for key, kind in wanted.items())
    ):
        raise ValueError(
            f"the recipe's branch is {began!r}: expected {{'step': a number, 'of': a recipe}}"
        )
    return began


def branch(
    run: Trajectory, step: int, *, callback: Callable | None = None, progress: bool = True,
    **changes,
) -> Trajectory:  # fmt: skip
    """Go on from step `step` of a run, which is the first to be made anew, with `changes`: other
    words, scales, weights, guides, rule or solver, as keyword arguments of `compose`.

    With another `seed` the noise is another from there on; if the solver draws none, the clean
    latent so far is noised afresh. The recipe says what it branched from, and `recompose` makes
    both again. Raises ValueError for a step that is not in the run, and for changes of its length,
    width or beginning.
    """
    return branching(run, step, **changes).finish(callback, progress)


def branching(run: Trajectory, step: int, **changes) -> Run:
    """`branch` as an iterator of Steps: first those of `run`, then the new ones."""
    if run.pair is None:
        raise ValueError("the run has no pair: expected Trajectory.load(path, pair=...)")
    fixed = {"num_inference_steps", "spacing", "width", "duration", "init", "strength"}
    fixed &= changes.keys()
    if fixed:
        raise ValueError(f"{sorted(fixed)} cannot change within a run: expected a run of its own")
    return _go_on(run, step, run.pair, run.recipe, changes)


def _go_on(run: Trajectory, step: int, pair: Pair, recipe: dict, changes: dict) -> Run:
    """The steps of `run` before `step`, and then those of a recipe with changes."""
    places = [place for place, one in enumerate(run.steps) if one.index == step]
    if not places or places[0] == 0:
        raise ValueError(
            f"step={step}: expected one from {run.steps[0].index + 1} to {run.steps[-1].index}"
        )
    began = {"step": step, "of": dict(run.recipe)}
    plain = {key: value for key, value in recipe.items() if key not in ("branch", "stopped")}
    changes = {key: value for key, value in changes.items() if key != "init"}
    if "seed" in changes:
        changes["seeds"] = [changes.pop("seed")]
    asked = _arguments(pair, recipes.Recipe(plain | {"init": None}), changes)
    made = composing(pair, **asked)  # for its checks, its recipe and its guides
    said = made.recipe
    previous = run.steps[places[0] - 1]
    if said["rule"] is None or said["rule"] != run.recipe.get("rule", "mean"):
        previous = replace(previous, memory={})
    latent, solver = previous.latent, as_solver(said["solver"])
    if said["seeds"] != run.recipe.get("seeds") and not getattr(solver, "draws_noise", False):
        timesteps = schedule.timesteps(said["num_inference_steps"], said["spacing"])
        noise = init_latent(pair, said["seeds"], said["width"]).to(latent)
        latent = schedule.add_noise(previous.clean, noise, pair.image.alpha_bar[timesteps[step]])
    rest = sample(
        made.guides, latent, num_inference_steps=said["num_inference_steps"],
        solver=solver, spacing=said["spacing"], first_step=step, seeds=said["seeds"],
        previous=previous, rule=asked.get("rule") or "mean",
    )  # fmt: skip
    steps, count = run.steps[: places[0]], said["num_inference_steps"] - step
    said = said | {"init": run.recipe.get("init"), "branch": began}
    return Run(chain(steps, rest), len(steps) + count, said, pair, made.guides)


def _arguments(pair: Pair, recipe: recipes.Recipe, changes: dict) -> dict:
    """The arguments of `compose` that make it again."""
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
            stacklevel=4,
        )
    _compare_init(recipe, changes)
    # What older recipes do not name.
    kept = {"image_negative": "", "sound_negative": "", "init_fit": "stretch"}
    kept["window"] = recipe.get("width")  # without windows
    names = (*OF_THE_RUN, "window", "loop", "seeds", "preset")
    kept |= {name: recipe[name] for name in names if name in recipe}
    if changes.get("duration") is not None:
        kept["width"] = None
    kept |= recipes.arguments(recipe)
    if kept.get("preset") not in list(
        pair.presets
    ):  # the settings themselves are all in the recipe
        kept["preset"] = None
    for key in ("image_view", "sound_view"):
        if key in kept and kept[key] is None and key not in changes:
            raise ValueError(f"the recipe was made with a view of one's own: expected {key}=...")
    if kept.get("rule", "") is None and "rule" not in changes:
        raise ValueError("the recipe was made with a rule of one's own: expected rule=...")
    changed = as_rule(changes.get("rule") or "mean")
    if getattr(changed, "stochastic", False):
        kept["solver"] = None  # the rule brings its own, unless the changes do
    kept["extra"] = _extra_again(pair, recipe, changes.get("extra", ()))
    return kept | {name: value for name, value in changes.items() if name != "extra"}


def _extra_again(pair: Pair, recipe: recipes.Recipe, given: Sequence[Guide]) -> list[Guide]:
    """The guides of a recipe beside "image" and "sound": those `given` under their names, and those
    by the pair's own models made again."""
    by_name = {guide.name or guide.modality.name: guide for guide in given}
    found = []
    for entry in recipes.guides(recipe):
        if entry["name"] in recipes.ARGUMENTS:
            continue
        needed = {"model", "prompt", "negative", "scale", "weight", "start", "stop", "view"}
        if missing := sorted(needed - entry.keys()):
            raise ValueError(
                f"the recipe's guide {entry['name']!r} lacks {', '.join(missing)}: expected a "
                "recipe of `compose`"
            )
        guide = by_name.pop(entry["name"], None)
        model = {"image": pair.image, "sound": pair.sound}.get(entry["model"])
        if guide is None and (model is None or entry["view"] is None):
            raise ValueError(
                f"the recipe has a guide {entry['name']!r} of {entry['model']!r}, which is "
                f"not the pair's to make again: expected extra=[Guide(..., name="
                f"{entry['name']!r})]"
            )
        if guide is not None and model is None and guide.modality.name != entry["model"]:
            warnings.warn(
                f"the recipe has a guide {entry['name']!r} of {entry['model']!r}, this one is of "
                f"{guide.modality.name!r}: expect another result",
                stacklevel=5,
            )
        if guide is None:
            prompt = encode_prompt(model, recipes.words(entry), entry["negative"])
            guide = Guide(
                model, prompt, entry["scale"],
                as_weight(entry["weight"]), entry["start"], entry["stop"],
                views.as_view(entry["view"]), entry["name"],
            )  # fmt: skip
        found.append(guide)
    return [*found, *by_name.values()]


def _compare_init(recipe: recipes.Recipe, changes: dict) -> None:
    """Warn if `init` is not what the recipe began with; ValueError if it is missing."""
    if recipe.get("init") and "init" not in changes:
        raise ValueError(f"the recipe began with {recipe['init']}: expected the same as init=...")
    init, began = changes.get("init"), recipe.get("init") or "noise alone"
    given = None if init is None else describe(init, recipe.get("init_background", "white"))
    if given and (began == "noise alone" or given["sha256"] != began["sha256"]):
        warnings.warn(
            f"the recipe began with {began}, this init is {given}: expect another result",
            stacklevel=5,
        )
