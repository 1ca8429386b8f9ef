"""Guides without a network against the denoiser of a Gaussian, and what two prompts share."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from toys import SHAPE, gaussian, gaussian_pair, pair

import itskit
from itskit import analytic, overlap
from itskit.codec import encode
from itskit.composition import compose
from itskit.guidance import Guide, encode_prompt, estimate_noise
from itskit.modality import Axis
from itskit.recomposition import recompose
from itskit.sampling import init_latent, sample
from itskit.seed_search import hunt
from itskit.trajectory import Trajectory

FAST = {"num_inference_steps": 4, "progress": False}
TOYS = gaussian_pair(1.0, 2.0, 0.5)


def _circle():
    x, y = np.meshgrid(np.linspace(-2, 2, 128), np.linspace(-1, 1, 64))
    return Image.fromarray((255 * (np.hypot(x, y) < 0.8)).astype(np.uint8))


def test_a_voice_is_the_denoiser_of_its_gaussian():
    centre = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    voice = analytic.latent(TOYS.image, centre, firmness=4.0)
    known = gaussian("known", {"a": centre[0]}, std=1 / 4)
    noisy = init_latent(TOYS, [1, 2])
    for t in (1, 500, 999):
        expected = estimate_noise(Guide(known, encode_prompt(known, "a"), scale=1), noisy, t)
        torch.testing.assert_close(estimate_noise(voice, noisy, t), expected, atol=1e-4, rtol=1e-4)


def test_firmness_may_be_a_map_and_nowhere_is_no_opinion():
    firmness = torch.zeros(64, 128)
    firmness[:, :64] = 20.0
    voice = analytic.silence(TOYS, firmness=firmness)
    noise = estimate_noise(voice, init_latent(TOYS, 1), 500)
    assert noise[..., 8:].abs().max() == 0 and noise[..., :8].std() > 0.5


def test_where_a_voice_has_no_opinion_the_others_are_not_outvoted():
    firmness = torch.zeros(64, 128)
    firmness[:, :64] = 20.0
    voice = analytic.silence(TOYS, firmness=firmness, weight=3.0)
    words = Guide(TOYS.image, encode_prompt(TOYS.image, "a"), scale=1)
    latent = init_latent(TOYS, 1)
    step = next(sample([words, voice], latent, num_inference_steps=4))
    alone = next(sample([words], latent, num_inference_steps=4))
    assert torch.equal(step.latent[..., 8:], alone.latent[..., 8:])
    assert not torch.allclose(step.latent[..., :8], alone.latent[..., :8])


def test_with_another_gaussian_it_makes_their_exact_product():
    """Of equal spreads, the weighted mean reaches the product of powers: its mean and spread."""
    centre, std = torch.full((1, *SHAPE), -1.0), 0.5
    voice = analytic.latent(TOYS.image, centre, firmness=1 / std, weight=0.25)
    words = Guide(TOYS.image, encode_prompt(TOYS.image, "a"), scale=1, weight=0.75)
    seeds, settings = range(30), {"num_inference_steps": 100, "solver": "ddpm"}
    *_, last = sample([words, voice], init_latent(TOYS, seeds), **settings, seeds=seeds)
    assert last.latent.mean() == pytest.approx(0.75 * 1.0 - 0.25 * 1.0, abs=0.02)
    assert last.latent.std() == pytest.approx(std, abs=0.05)


def test_pictures_and_silence_are_what_encode_reads():
    with_map = analytic.picture(TOYS, _circle(), firmness=1000.0)
    *_, last = sample([with_map], init_latent(TOYS, 1), solver="dpmpp_2m")
    expected = encode(TOYS.image, _circle(), width=128)
    torch.testing.assert_close(last.latent, expected, atol=1e-3, rtol=1e-3)
    *_, last = sample([analytic.silence(TOYS, firmness=1000.0)], init_latent(TOYS, 1))
    assert last.clean[:, 0].max() < -0.99  # black


def _grey(guide):
    """What a voice without doubt paints, in blocks of 8 x 8 pixels, (8, 16)."""
    *_, last = sample([replace(guide, weight=1.0)], init_latent(TOYS, 1), solver="dpmpp_2m")
    return last.latent[0, 0] / 2 + 0.5


def test_words_are_written_in_the_middle():
    grey = _grey(analytic.text(TOYS, "HI", firmness=1000.0))
    rows, columns = (grey > 0.3).nonzero().T
    assert rows.min() >= 1 and rows.max() <= 6
    assert abs(float(columns.float().mean()) - 7.5) < 1.5
    wide = _grey(analytic.text(TOYS, "A LONG SENTENCE", firmness=1000.0))
    assert wide.mean() > 0.02 and wide[:, 0].max() < 0.3
    with pytest.raises(ValueError, match="expected something to write"):
        analytic.text(TOYS, " ")


def test_notes_are_lines_at_their_hertz():
    hertz = tuple(np.geomspace(2000, 100, 64).tolist())
    sound = replace(TOYS.sound, axis=Axis(hertz, 0.01, 800))
    toys = replace(TOYS, sound=sound)
    grey = _grey(analytic.piano_roll(toys, [(69, 0.0, 0.64)], firmness=1000.0, partials=1))
    row = int(np.abs(np.log(np.array(hertz) / 440)).argmin()) // 8
    assert grey[row, :8].min() > 0.1 and grey[:, 8:].max() < 0.01
    assert grey[[r for r in range(8) if abs(r - row) > 1]].max() < 0.01
    with pytest.raises(ValueError, match="'sound' has no axis"):
        analytic.piano_roll(TOYS, [(69, 0, 1)])


def test_a_qr_code_has_its_modules():
    segno = pytest.importorskip("segno")
    guide = analytic.qr(TOYS, "hi", firmness=100.0)
    grey = _grey(guide)
    code = np.array(
        [list(row) for row in segno.make("hi", error="l", micro=False).matrix_iter(border=2)]
    )
    each = 64 // len(code)
    pixels = np.kron(1 - code, np.ones((each, each)))
    top = (64 - len(pixels)) // 2
    whole = np.zeros((64, 128))
    whole[top : top + len(pixels), : len(pixels)] = pixels
    blocks = whole.reshape(8, 8, 16, 8).mean((1, 3))
    np.testing.assert_allclose(grey[1:7, :6], blocks[1:7, :6], atol=0.01)
    with pytest.raises(ValueError, match=r"300 signs make .* modules on 64 rows: expected fewer"):
        analytic.qr(TOYS, "x" * 300)


def test_recipes_describe_voices_and_ask_for_them_again():
    toys = pair()
    ring = analytic.picture(toys, _circle(), firmness=2.0, weight=0.3)
    made = compose(toys, "a castle", "bells", extra=[ring], rule="and", **FAST)
    entry = made.recipe["guides"][2]
    assert entry["name"] == entry["prompt"] == "picture"
    assert entry["model"].startswith("analytic.picture(firmness=2, sha256=")
    with pytest.raises(ValueError, match=r"a guide 'picture' of 'analytic.picture\(firmness=2"):
        recompose(toys, made.recipe)
    again = recompose(toys, made.recipe, extra=[ring], progress=False)
    assert torch.equal(again.latent, made.latent)
    other = analytic.picture(toys, _circle(), firmness=3.0)
    with pytest.warns(UserWarning, match=r"this one is of 'analytic.picture\(firmness=3"):
        recompose(toys, made.recipe, extra=[other], progress=False)
    with pytest.raises(ValueError, match=r"pass width=\.\.\. where it is made"):
        compose(toys, "a castle", "bells", extra=[ring], width=64, **FAST)


# ---- what two prompts have in common -------------------------------------------------------------


def test_disagreement_is_the_bhattacharyya_distance_of_gaussians():
    """Of equal variances it is the same for every path: |c1 - c2|**2 / (8 s**2)."""
    std, centres = 0.5, torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1)) / 10
    guides = [
        Guide(m := gaussian(name, {"a": c}, std), encode_prompt(m, "a"), scale=1)
        for name, c in zip(("image", "sound"), centres, strict=True)
    ]
    settings = {"num_inference_steps": 300, "solver": "ddpm", "seeds": 1}
    run = Trajectory(sample(guides, init_latent(guides[0].modality, 1), **settings))
    found, apart = overlap.disagreement(run), ((centres[0] - centres[1]) ** 2).double()
    assert found.total == pytest.approx(float(apart.sum()) / (8 * std**2), rel=0.05)
    np.testing.assert_allclose(found.map, apart.sum(0) / (8 * std**2), rtol=0.05)
    assert found.curve.shape == (300,) and found.curve.sum() == pytest.approx(found.map.sum())
    third = overlap.disagreement(run, weight=0.25).total
    assert third == pytest.approx(0.75 * found.total)


def test_steps_of_one_voice_alone_add_nothing():
    made = compose(pair(), "a castle", "bells", image_start=0.5, **FAST)
    curve = overlap.disagreement(made).curve
    assert (curve[:2] == 0).all() and (curve[2:] > 0).all()
    alone = compose(pair(), "a castle", None, **FAST)
    assert overlap.disagreement(alone).total == 0


def test_lift_is_above_zero_where_a_prompt_helps():
    """Closed form: a (1 - a) / v**2 (|z|**2 - |z - c|**2) for each number, v = a s**2 + 1 - a."""
    made = compose(TOYS, "a", "a", seeds=[1, 2], **FAST)
    latent = torch.stack([torch.full(SHAPE, 0.9), torch.full(SHAPE, -0.2)])
    result = Trajectory((replace(made.steps[-1], latent=latent),), made.recipe, TOYS)
    found = overlap.lift(result, t=600, draws=64)
    a = float(TOYS.image.alpha_bar[600])
    v = a * 0.5**2 + 1 - a
    for name, mean in (("image", 1.0), ("sound", 2.0)):
        expected = [a * (1 - a) / v**2 * (z**2 - (z - mean) ** 2) for z in (0.9, -0.2)]
        np.testing.assert_allclose(found[name], expected, atol=0.02)
    assert found["image"][0] > 0 > found["image"][1]


def test_hunts_may_go_by_them():
    found = hunt(TOYS, "a", "a", seeds=5, keep=2, scorers=overlap.SCORERS, **FAST)
    _, scores, best = found[0]
    assert set(scores) == {"agreement", "image lift", "sound lift"}
    assert scores["agreement"] == pytest.approx(-overlap.disagreement(best).total, rel=1e-3)
    assert scores["image lift"] == pytest.approx(float(overlap.lift(best)["image"][0]), abs=1e-5)


@pytest.mark.slow
def test_one_canvas_is_seen_heard_and_scanned():
    """A decoder that knows nothing of itskit reads the QR code of a third voice; the rest of
    the canvas is what the two others make of it."""
    zxingcpp = pytest.importorskip("zxingcpp")
    pytest.importorskip("segno")
    shipped = itskit.load_pair("pocket")
    words = "a crown", "a trombone playing"
    made = itskit.compose(
        shipped, *words, seed=2, extra=[analytic.qr(shipped, "HI")], progress=False
    )
    image = made.picture().image.convert("L")
    large = image.resize((4 * image.width, 4 * image.height))
    assert [code.text for code in zxingcpp.read_barcodes(np.asarray(large))] == ["HI"]
    plain = itskit.compose(shipped, *words, seed=2, progress=False)
    far = made.latent[..., 32:], plain.latent[..., 32:]
    assert torch.nn.functional.cosine_similarity(*(one.flatten() for one in far), dim=0) > 0.8


@pytest.mark.slow
def test_most_codes_are_read_from_the_sound_alone():
    """Picture -> sound -> spectrogram of the sound -> the same decoder, at three sizes."""
    zxingcpp = pytest.importorskip("zxingcpp")
    pytest.importorskip("segno")
    shipped = itskit.load_pair("pocket")
    code, words = analytic.qr(shipped, "HI"), ("a palm tree", "birds chirping")
    made = itskit.compose(shipped, *words, seeds=[1, 2, 3, 4], extra=[code], progress=False)

    def is_read(heard):
        image = Image.fromarray((heard.numpy() * 255).astype(np.uint8))
        sizes = (image.resize((k * image.width, k * image.height)) for k in (2, 3, 4))
        found = [one.text for size in sizes for one in zxingcpp.read_barcodes(np.asarray(size))]
        assert set(found) <= {"HI"}
        return bool(found)

    heard = [shipped.sound.analyse(made.sound(item=item))[0, 0] for item in range(4)]
    assert sum(map(is_read, heard)) >= 2
    plain = itskit.compose(shipped, *words, seed=1, progress=False)
    assert not is_read(shipped.sound.analyse(plain.sound())[0, 0])
