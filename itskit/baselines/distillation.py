"""Score distillation: a picture that both models pull at, step by step.

Poole et al. 2022, "DreamFusion", arXiv 2209.14988; with two models, as the baseline of "Images that
Sound" (Chen et al. 2024, arXiv 2405.12221).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .. import recipes, schedule
from ..checks import as_seed
from ..guidance import Guide, encode_prompt, estimate_noise
from ..modality import Pair
from ..sampling import init_latent
from ..writing import make_folder, written
from .canvas import Canvas


class FourierImage(nn.Module):
    """A grey picture (1, 1, H, W) in (0, 1) as a function of place: random waves over the canvas,
    then a small network at each pixel (Tancik et al. 2020, arXiv 2006.10739)."""

    def __init__(self, height: int, width: int, generator, *, features=128, hidden=256, scale=10.0):
        super().__init__()
        waves = torch.randn(2, features, generator=generator, dtype=torch.float32) * scale
        y, x = (torch.arange(n, dtype=torch.float32) / n for n in (height, width))
        places = torch.cartesian_prod(y, x)  # (H * W, 2), in [0, 1)
        angles = 2 * torch.pi * places @ waves  # (H * W, features)
        self.register_buffer("features", torch.cat([angles.sin(), angles.cos()], 1))
        sizes, layers = [2 * features, hidden, hidden, hidden], []
        for n_in, n_out in pairwise(sizes):
            norm = nn.BatchNorm1d(n_out, track_running_stats=False)
            layers += [nn.Linear(n_in, n_out), nn.ReLU(), norm]
        self.body = nn.Sequential(*layers, nn.Linear(hidden, 1), nn.Sigmoid())
        self.size = height, width
        self.float()  # whatever PyTorch's default is
        for layer in self.body:
            if isinstance(layer, nn.Linear):  # nothing is random but what the seed says
                bound = layer.in_features**-0.5
                for weights in (layer.weight, layer.bias):
                    nn.init.uniform_(weights, -bound, bound, generator=generator)

    def forward(self) -> Tensor:
        return self.body(self.features).view(1, 1, *self.size)


@dataclass(frozen=True, eq=False)
class SDSStep:
    """One step of `sds`: the picture before it, and the losses that moved it (None while silent).

    `canvas.pictures` (1, 1, H, W); `state` is all that is needed to go on after this step.
    """

    index: int
    canvas: Canvas
    image_loss: float | None
    sound_loss: float | None
    state: dict[str, Tensor]

    def save(self, path) -> None:
        """Write the state, with the recipe, for `sds(..., resume=path)`; safetensors."""
        about = {"recipe": json.dumps(self.canvas.recipe), "index": str(self.index)}
        make_folder(path)
        with written(path) as part:
            save_file(self.state, part, metadata=about)


def sds(
    pair: Pair,
    image_prompt: str,
    sound_prompt: str,
    *,
    seed: int = 0,
    num_steps: int = 40_000,
    image_scale: float = 80.0,
    sound_scale: float = 10.0,
    image_weight: float = 0.4,
    sound_weight: float = 1.0,
    image_start: float = 0.125,
    crops: int = 8,
    crop_size: int | None = None,
    learning_rate: float = 1e-4,
    hidden: int = 256,
    width: int | None = None,
    resume=None,
    device="cpu",
) -> Iterator[SDSStep]:
    """Score distillation (Poole et al. 2022, arXiv 2209.14988) with two models at once.

    A picture is moved, step by step, to where each model finds less noise to remove than was added.
    The sound model sees the whole canvas, the image model squares of it, as it does in the paper,
    where it is DeepFloyd IF; any will do here, of whatever latent space. The defaults are the
    paper's; the pocket pair shows something after some hundred steps with learning_rate=5e-3 and
    hidden=64.

    Parameters
    ----------
    pair : Pair
    image_prompt, sound_prompt : str
    seed : int
    num_steps : int
    image_scale, sound_scale : float
        Guidance scales.
    image_weight, sound_weight : float
        What each model's loss is multiplied by.
    image_start : float
        Fraction of the run at which the image model joins.
    crops : int
        How many squares the image model sees in each step.
    crop_size : int, optional
        Pixels to which the squares are resized for the image model, such as 512 for Stable
        Diffusion; None leaves them as they are.
    learning_rate : float
        Of AdamW.
    hidden : int
        Width of the small network that is the picture.
    width : int, optional
        Of the canvas, in pixels; None is the pair's own.
    resume : path, optional
        A file of `SDSStep.save`: goes on after that step, as if never stopped.
    device : torch.device or str
        Where the small network is computed.

    Yields
    ------
    SDSStep
        Pull as many as you like; the last one's `canvas` is the result.

    Raises
    ------
    ValueError
        If `resume` was saved by a run with other settings.
    """
    recipe = {
        "method": "sds",
        "pair": pair.name,
        "weights_hash": pair.weights_hash,
        "image_prompt": image_prompt,
        "sound_prompt": sound_prompt,
        "seeds": [as_seed(seed)],
        "num_steps": num_steps,
        "image_scale": image_scale,
        "sound_scale": sound_scale,
        "image_weight": image_weight,
        "sound_weight": sound_weight,
        "image_start": image_start,
        "crops": crops,
        "crop_size": crop_size,
        "learning_rate": learning_rate,
        "hidden": hidden,
        "width": width,
        "crop": True,
    }
    return _distil(pair, recipe, resume, device)


def _distil(pair: Pair, recipe: dict, resume, device) -> Iterator[SDSStep]:
    """The steps of a recipe, from the beginning or after the one that is in the file `resume`."""
    generator = torch.Generator("cpu").manual_seed(recipe["seeds"][0])
    latent = init_latent(pair.sound, recipe["seeds"], recipe["width"])  # for its shape alone
    size = [n * pair.sound.vae_scale_factor for n in latent.shape[-2:]]
    image = FourierImage(*size, generator, hidden=recipe["hidden"]).to(device)
    rate = recipe["learning_rate"]
    optimizer = torch.optim.AdamW(image.parameters(), lr=rate, weight_decay=1e-3)
    first = 0 if resume is None else _restore(resume, recipe, image, optimizer, generator) + 1
    look, listen = (
        Guide(modality, encode_prompt(modality, recipe[f"{name}_prompt"]), recipe[f"{name}_scale"])
        for name, modality in (("image", pair.image), ("sound", pair.sound))
    )
    joins = round(recipe["image_start"] * recipe["num_steps"])
    for index in range(first, recipe["num_steps"]):
        picture = image().cpu()  # (1, 1, H, W)
        sound_loss = distillation_loss(listen, picture, generator)
        loss, image_loss = recipe["sound_weight"] * sound_loss, None
        if index >= joins:
            squares = _random_squares(picture, recipe["crops"], recipe["crop_size"], generator)
            image_loss = distillation_loss(look, squares, generator)
            loss = loss + recipe["image_weight"] * image_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        canvas = Canvas(picture.detach(), recipe, pair)
        losses = [None if x is None else float(x.detach()) for x in (image_loss, sound_loss)]
        yield SDSStep(index, canvas, *losses, _state(image, optimizer, generator))


def distillation_loss(guide: Guide, picture: Tensor, generator, t: int | None = None) -> Tensor:
    """A loss whose gradient by the latent is (1 - alpha_bar) (eps - noise) / B (DreamFusion, 3).

    The picture is encoded and noised to one timestep; eps is what the guide then takes for noise.

    Parameters
    ----------
    guide : Guide
    picture : Tensor
        (B, 1, H, W) in [0, 1].
    generator : torch.Generator
        Of the noise and the timestep.
    t : int, optional
        The timestep; None draws one from 20 to 980.

    Returns
    -------
    Tensor
        A scalar.
    """
    modality = guide.modality
    latent = modality.encode(picture)  # (B, C, h, w)
    if t is None:
        t = int(torch.randint(20, 981, (), generator=generator))
    noise = torch.randn(latent.shape, generator=generator, dtype=latent.dtype)
    alpha_bar = modality.alpha_bar[t]
    noisy = schedule.add_noise(latent.detach(), noise, alpha_bar)
    gradient = (1 - alpha_bar) * (estimate_noise(guide, noisy, t) - noise)
    target = (latent - gradient).detach()
    return 0.5 * (latent - target).square().sum() / len(latent)


def _random_squares(picture: Tensor, count: int, size: int | None, generator) -> Tensor:
    """Squares of the canvas's height (count, 1, size, size), anywhere along it."""
    height, width = picture.shape[-2:]
    lefts = torch.randint(0, max(1, width - height + 1), (count,), generator=generator)
    squares = torch.cat([picture[..., left : left + height] for left in lefts.tolist()])
    if size is None or size == height:
        return squares
    return F.interpolate(squares, (size, size), mode="bilinear")


def _state(image: nn.Module, optimizer, generator) -> dict[str, Tensor]:
    """A copy of everything that a step changes."""
    names = [name for name, _ in image.named_parameters()]
    state = {f"image.{name}": value for name, value in image.named_parameters()}
    for k, moments in optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{names[k]}.{key}": value for key, value in moments.items()}
    state["generator"] = generator.get_state()
    return {name: value.detach().cpu().clone() for name, value in state.items()}


def _restore(path, recipe: dict, image: nn.Module, optimizer, generator) -> int:
    """Put what `SDSStep.save` wrote in place, and return the index of its step."""
    with safe_open(path, framework="pt") as file:
        saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = file.metadata() or {}
    before = recipes.read(json.loads(about.get("recipe", "{}")))
    recipe = recipes.read(recipe)
    differs = [name for name in recipe if before.get(name) != recipe[name]]
    if differs:
        name = differs[0]
        raise ValueError(
            f"{path} was saved with {name}={before.get(name)!r}, this run has {recipe[name]!r}: "
            "expected the same settings"
        )
    moments: dict[int, dict] = {}
    with torch.no_grad():
        for k, (name, weights) in enumerate(image.named_parameters()):
            weights.copy_(saved[f"image.{name}"])
            start = f"optimizer.{name}."
            kept = {key: value for key, value in saved.items() if key.startswith(start)}
            moments[k] = {key.removeprefix(start): value for key, value in kept.items()}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    generator.set_state(saved["generator"])
    return int(about["index"])
