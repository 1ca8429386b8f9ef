"""Pairs by name, and Riffusion's pictures of sound."""

import re
from pathlib import Path

import numpy as np
import pytest
import tiny_folders
import torch

import itskit
from itskit.export import scrub
from itskit.media import Sound
from itskit.models import registry, riffusion
from itskit.models.paper import Voice


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    there = tmp_path_factory.mktemp("hub")
    make = tiny_folders.stable_diffusion
    return make(there / "a", unet_seed=1), make(there / "b", unet_seed=2)


def test_riffusion_composes_with_a_picture_model(folders):
    pair = itskit.load_pair("riffusion", image=folders[0], sound=folders[1])
    assert pair.image.latent_shape == (4, 64, 64) and pair.crop_pixels == 0
    made = itskit.compose(pair, "a", "b", num_inference_steps=2, width=64, progress=False)
    assert made.picture().image.size == (64, 512)
    assert (made.sound().rate, made.sound().duration) == (44100, 0.64)


def test_another_model_in_a_known_pair(folders, tmp_path):
    """As in the docs: another Stable Diffusion 1 for the picture."""
    sound = tiny_folders.auffusion(tmp_path / "auffusion")
    pairs = [itskit.load_pair("paper", image=image, sound=sound) for image in folders]
    latent = torch.randn(1, 4, 4, 8)
    embeds = pairs[0].image.encode_prompt("a")
    noises = [p.image.predict_noise(latent, 9, embeds) for p in pairs]
    assert not torch.allclose(*noises)
    assert pairs[0].weights_hash != pairs[1].weights_hash


def test_an_entry_of_ones_own(folders, monkeypatch):
    """As in the docs: a voice that makes each column a click."""

    def clicks(folder, device):
        assert (folder, device.type) == (folders[1], "cpu")
        return Voice(
            render=lambda picture: Sound(picture.mean((0, 1)).repeat_interleave(100).numpy(), 8000),
            analyse=lambda sound: torch.zeros(1, 1, 64, 64),
            height=64,
            width=128,
        )

    entry = registry.Entry(*folders, voice=clicks, parts=registry.PARTS)
    monkeypatch.setitem(registry.PAIRS, "clicks", entry)
    pair = itskit.load_pair("clicks")
    assert (pair.name, pair.sound.latent_shape) == ("clicks", (4, 8, 16))
    made = itskit.compose(pair, "a", "b", num_inference_steps=1, image_start=0, progress=False)
    assert made.sound().duration == 1.6


def test_entries_name_repositories_and_a_way_to_play_their_pictures():
    table = (Path(registry.__file__).parents[2] / "docs/pairs.md").read_text(encoding="utf-8")
    for name, entry in registry.PAIRS.items():
        for model in (entry.image, entry.sound):
            assert re.fullmatch(r"[\w.-]+/[\w.-]+", model)
        assert (entry.voice is None) == ("vocoder" in entry.parts)
        assert set(registry.PARTS) <= set(entry.parts)
        assert f"\n| `{name}` |" in table


# --- Riffusion's pictures -----------------------------------------------------------------------


def _htk(hz):
    return 2595 * np.log10(1 + hz / 700)


def test_riffusion_knows_its_own_hertz_and_seconds(folders):
    """Pages and plots once took any picture of 512 rows for one of the pocket pair's kind."""
    from librosa import mel_frequencies

    pair = itskit.load_pair("riffusion", image=folders[0], sound=folders[1])
    truth = mel_frequencies(512 + 2, fmin=0, fmax=10000, htk=True)[-2:0:-1]
    assert pair.sound.axis.hertz == pytest.approx(truth, rel=1e-6)
    made = itskit.compose(pair, "a", "b", num_inference_steps=1, width=64, progress=False)
    facts = scrub.facts(made)
    assert facts["hertz"][20] == pytest.approx(8870, abs=1)  # not 7043
    assert (facts["rate"], facts["seconds"]) == (44100, made.sound().duration)
    import matplotlib

    matplotlib.use("Agg")
    ax = itskit.plots.picture(made)
    assert ax.get_xlim() == pytest.approx((0, 0.64))
    places = dict(zip([t.get_text() for t in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    assert truth[int(places["4k"]) + 1] < 4000 < truth[int(places["4k"]) - 1]


@pytest.mark.parametrize("hz", [200, 1000, 6000])
def test_a_tone_is_one_dark_line_at_its_pitch(hz):
    t = np.arange(44100 * 64 // 100) / 44100
    picture = riffusion.analyse(Sound(np.sin(2 * np.pi * hz * t).astype(np.float32), 44100))
    assert picture.shape == (1, 1, 512, 64)
    column = picture[0, 0, :, 32]
    row = 512 - 1 - int(column.argmin())
    expected = _htk(hz) / _htk(10000) * 513 - 1  # filter k is centred at (k + 1) of 513 steps
    assert abs(row - expected) <= 1
    assert column.min() < 0.05 and column.median() > 0.8


def test_a_sound_survives_being_painted():
    t = np.arange(44100 * 64 // 100) / 44100
    partials = [(220, 1), (930, 3), (2500, 5)]  # Hz, and how fast it fades
    y = sum(np.sin(2 * np.pi * hz * t) * np.exp(-fade * t) for hz, fade in partials) / 4
    picture = riffusion.analyse(Sound(y.astype(np.float32), 44100))[0]  # (1, 512, 64)
    sound = riffusion.render(picture, n_iter=8)
    again = riffusion.analyse(sound)[0]
    assert (again - picture).abs().mean() < 0.01 < picture.std()
    assert np.array_equal(sound.samples, riffusion.render(picture, n_iter=8).samples)
    fainter = riffusion.render(1 - (1 - picture) / 2, n_iter=8)  # the fourth root of the amplitude
    np.testing.assert_allclose(fainter.samples, sound.samples / 16, atol=1e-4)
    assert 0.1 < abs(sound.samples).max() < 2  # not far from full scale
