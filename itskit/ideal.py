"""Models without weights: the perfect denoisers of a few pictures and sounds.

A diffusion model learns E[clean | noisy] of its training data. For a handful of items that is a
formula, so that two "models" of thirty drawings and thirty sounds are exact, need no training, and
compose as any pair does:

    known = ideal.pair(pair, drawings, sounds)             # remembers: makes what it was shown
    known = ideal.pair(pair, drawings, sounds, size=5)     # knows patches: makes new things of old
    itskit.compose(known, "star", "bell")

What they do without a network is what any network could do by heart; what it does beyond that is
what it has learned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256

import torch
import torch.nn.functional as F
from torch import Tensor

from .codec import encode
from .modality import Modality, Pair

# Where a patch may be found again. For a sound, another row is another pitch.
MOVES = {
    "anywhere": ("ndhw,kdgv->nhwkgv", "nhwkgv,kcgv->nchw"),
    "in its row": ("ndhw,kdhv->nhwkv", "nhwkv,kchv->nchw"),
    "in its place": ("ndhw,kdhw->nhwk", "nhwk,kchw->nchw"),
}


def memory(modality: Modality, items: Mapping[str, object]) -> Modality:
    """The perfect denoiser of a finite set: it remembers, and makes nothing else.

    E[clean | x] is a mean of the items, each weighted by how likely x comes from it:
    softmax(-|x - sqrt(a) item|**2 / (2 (1 - a))).

    Parameters
    ----------
    modality : Modality
        In whose latent space; it draws or plays the result.
    items : {name: whatever `encode` reads}
        All of one size. Of items narrower than the canvas, such as squares, it remembers a row. A
        prompt stands for the items whose names have most words in common with it; a prompt that
        has none, and "", for all.

    Returns
    -------
    Modality

    Raises
    ------
    ValueError
        Without items, or for items of different sizes.
    """
    known = _encoded(modality, items)  # (K, C, h, w)
    flat, columns = known.flatten(1).double(), known.shape[3]  # (K, C h w)

    def clean(x: Tensor, a: float, shares: Tensor, t: int) -> Tensor:
        _check_size(x, known)
        row = torch.cat(x.split(columns, 3)).flatten(1).double()  # (squares N, C h w)
        alike = a**0.5 * row @ flat.T - a * (flat**2).sum(1) / 2  # (squares N, K)
        likely = torch.softmax(alike / (1 - a) + shares.repeat(len(row) // len(x), 1), 1)
        found = (likely @ flat).to(x).view(-1, *known.shape[1:])
        return torch.cat(found.split(len(x)), 3)

    return _modality(modality, f"memory of {len(known)}", list(items), clean)


def patches(
    modality: Modality, items: Mapping[str, object], *, size: int | Callable[[int], int] = 5,
    moves: str = "anywhere",
) -> Modality:  # fmt: skip
    """The perfect denoiser for whoever sees only a patch at a time.

    Each cell of the latent is guessed by itself, from the `size` x `size` cells around it, as the
    middle of the patches of all items, weighted as in `memory`: the equivariant local score of Kamb
    & Ganguli (2024, arXiv 2412.20292), who found that convolutional networks do much the same. Such
    a model agrees with the items in every patch, and with none of them as a whole.

    Parameters
    ----------
    modality, items
        As for `memory`. Items may be of any size where patches move anywhere.
    size : int, or function of the timestep
        Odd. Outside of the canvas all is 0, which is black and silent in the pocket pair.
    moves : {"anywhere", "in its row", "in its place"}
        Where a patch of the items may be used.

    Returns
    -------
    Modality
    """
    if moves not in MOVES:
        raise ValueError(f"moves={moves!r}: expected one of {list(MOVES)}")
    known, (match, mix) = _encoded(modality, items), MOVES[moves]  # known (K, C, H, W)
    sized = size if callable(size) else (lambda t: size)

    def clean(x: Tensor, a: float, shares: Tensor, t: int) -> Tensor:
        if moves != "anywhere":
            _check_size(x, known, is_whole=moves == "in its place")
        asked = shares.isfinite().any(0)  # the others need not be looked at
        items, shares = known[asked], shares[:, asked]  # (K', C, H, W), (N, K')
        parts = _around(items, sized(t))  # (K', D, H, W)
        norms = (parts**2).sum(1, keepdim=True)
        parts = torch.cat([a**0.5 * parts, -a / 2 * norms], 1)
        seen = F.pad(_around(x, sized(t)), (0, 0, 0, 0, 0, 1), value=1.0)  # (N, D + 1, h, w)
        alike = torch.einsum(match, seen, parts) / (1 - a)  # (N, h, w, K', ...)
        alike += shares.to(x).view(len(x), 1, 1, -1, *[1] * (alike.ndim - 4))
        likely = torch.softmax(alike.flatten(3), 3).view_as(alike)
        return torch.einsum(mix, likely, items)

    return _modality(modality, f"patches of {len(known)}", list(items), clean)


def pair(
    pair: Pair, drawings: Mapping[str, object], sounds: Mapping[str, object],
    size: int | Callable[[int], int] | None = None, **settings,
) -> Pair:  # fmt: skip
    """Two voices without weights, in the latent space of `pair`, as a pair to compose with.

    Parameters
    ----------
    pair : Pair
    drawings, sounds : {name: whatever `encode` reads}
    size : int, or function of the timestep, optional
        Of patches, which drawings may use anywhere and sounds at their own pitch; None is `memory`.
    **settings
        In place of the pair's `defaults`. Guidance is 1: exact models need no exaggeration.
    """
    ways = [memory, memory]
    if size is not None:
        ways = [partial(patches, size=size, moves=moves) for moves in ("anywhere", "in its row")]
    plain = {**pair.defaults, "image_scale": 1.0, "sound_scale": 1.0, **settings}
    image, sound = ways[0](pair.image, drawings), ways[1](pair.sound, sounds)
    told = f"{image.name}, {sound.name}".encode()
    return replace(
        pair, name="ideal", image=image, sound=sound, defaults=plain, presets={},
        weights_hash=sha256(told).hexdigest()[:8],
    )  # fmt: skip


def nearest(modality: Modality, items: Mapping[str, object], latent: Tensor):
    """Which items a latent (1, C, h, w) is nearest to, and how far off it is.

    Returns
    -------
    names : list of str
        One, or of items narrower than the canvas one for each part of the row.
    off : float
        |latent - items| / |items|, root mean squares. 0 is a copy, 1 is as far off as black.
    """
    known = _encoded(modality, items)
    _check_size(latent, known)
    row = torch.cat(latent.split(known.shape[3], 3)).flatten(1)  # (squares, C h w)
    flat = known.flatten(1)
    k = torch.cdist(row, flat).argmin(1)
    off = (row - flat[k]).norm() / flat[k].norm()
    return [list(items)[one] for one in k.tolist()], float(off)


def _encoded(modality: Modality, items: Mapping[str, object]) -> Tensor:
    """The items' latents (K, C, h, w), of a sound as long as the canvas."""
    if not items:
        raise ValueError("no items: expected {name: picture or sound}, one or more")
    factor, (_, _, columns) = modality.vae_scale_factor, modality.latent_shape
    width = columns * factor if modality.axis else None
    latents = [encode(modality, what, width) for what in items.values()]
    sizes = {tuple(one.shape) for one in latents}
    if len(sizes) > 1:
        raise ValueError(f"the items have latents of {sorted(sizes)}: expected one size")
    return torch.cat(latents)


def _check_size(x: Tensor, known: Tensor, is_whole: bool = False) -> None:
    rest = x.shape[3] - known.shape[3] if is_whole else x.shape[3] % known.shape[3]
    if x.shape[1:3] != known.shape[1:3] or rest:
        raise ValueError(
            f"the canvas has a latent {tuple(x.shape[1:])}, the items {tuple(known.shape[1:])}: "
            "expected items as wide as the canvas, or a whole part of it"
        )


def _around(x: Tensor, size: int) -> Tensor:
    """What is around each cell: (N, C, h, w) -> (N, C size**2, h, w)."""
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size={size}: expected an odd number of cells, such as 5")
    return F.unfold(x, size, padding=size // 2).unflatten(2, x.shape[2:])


def _modality(base: Modality, what: str, names: list[str], clean: Callable) -> Modality:
    """A modality around E[clean | x] as `clean(x, a, log shares of the items, t)`."""
    words = [set(re.findall(r"\w+", name.lower())) for name in names]

    def common(text: str) -> list[int]:
        asked = set(re.findall(r"\w+", text.lower()))
        return [len(asked & own) for own in words]

    def encode_prompt(text: str) -> Tensor:
        shared = torch.tensor(common(text))
        return (shared == shared.max()).float().log().view(1, 1, -1)  # (1, 1, K): 0 or -inf

    def check_prompt(text: str) -> list[str]:
        known = "" if any(common(text)) else f"not known: {text}; known: {', '.join(names[:12])}"
        return [known] if known else []

    def predict_noise(x: Tensor, t: int, shares: Tensor) -> Tensor:
        a = float(base.alpha_bar[t])
        return (x - a**0.5 * clean(x, a, shares[:, 0], t)) / (1 - a) ** 0.5

    told = sha256("/".join(names).encode()).hexdigest()[:8]
    return replace(
        base, name=f"{what} ({told})", encode_prompt=encode_prompt, predict_noise=predict_noise,
        check_prompt=check_prompt, encode_solo=None, width_multiple=1, tile=None,
    )  # fmt: skip
