"""Whoever computes in float64 (`torch.set_default_dtype`) gets the very same results."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_folders
import torch
from toys import pair as toy_pair

import itskit
from itskit import baselines, clip_clap
from itskit.audio import griffin_lim, mel

SHORT = {"num_inference_steps": 2, "progress": False}


def _pocket(_):
    pair = itskit.load_pair("pocket")
    weight = np.linspace(0.2, 1, 64).reshape(8, 8)
    both = itskit.compose(pair, "a castle", "bells", sound_weight=weight, **SHORT)
    sound, picture = both.sound(), both.picture()
    alone = itskit.compose(pair, None, "bells", init=sound, solver="ddim", **SHORT)
    yield from (both.latent, alone.latent, both.mel_picture(), sound.samples)
    yield itskit.encode(pair.sound, sound)
    yield itskit.encode(pair.image, picture, width=256)
    for name in ("image", "sound"):
        yield pair.scorers[name](both.latent, "a castle")


def _paper(folders):
    image, sound = folders
    pair = itskit.load_pair("paper", image=image, sound=sound, device="cpu")
    result = itskit.compose(pair, "a castle", "bells", **SHORT)
    yield from (result.latent, result.mel_picture(), result.sound().samples)
    yield itskit.encode(pair.sound, result.sound())


def _baselines(_):
    with _default(torch.float32):
        toys = toy_pair()
        words = {text: toys.image.encode_prompt(text) for text in ("", "a", "b")}
    image, sound = (replace(m, encode_prompt=words.get) for m in (toys.image, toys.sound))
    toys = replace(toys, image=image, sound=sound)
    for step in baselines.sds(toys, "a", "b", num_steps=2, crops=2, hidden=16, seed=3):
        yield step.canvas.pictures.detach()
    yield clip_clap.clip_input(np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8))


class _default:
    """A default dtype, and none of the tables that were made with another."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __enter__(self):
        self.usual = torch.get_default_dtype()
        self._set(self.dtype)

    def __exit__(self, *_):
        self._set(self.usual)

    def _set(self, dtype):
        torch.set_default_dtype(dtype)
        for table in [*vars(mel).values(), *vars(griffin_lim).values()]:
            if hasattr(table, "cache_clear"):
                table.cache_clear()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    there = tmp_path_factory.mktemp("hub")
    return tiny_folders.stable_diffusion(there / "sd"), tiny_folders.auffusion(there / "auffusion")


@pytest.mark.parametrize("make", [_pocket, _paper, _baselines])
def test_results_do_not_depend_on_the_default_dtype(make, folders):
    expected = list(make(folders))
    with _default(torch.float64):
        got = list(make(folders))
    assert len(got) == len(expected) > 2
    for one, other in zip(got, expected, strict=True):
        one, other = torch.as_tensor(one), torch.as_tensor(other)
        assert one.dtype == other.dtype == torch.float32
        assert torch.equal(one, other)
