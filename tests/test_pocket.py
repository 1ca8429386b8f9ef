"""The shipped pair: its files, its networks' laws, and what it says when something is wrong."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

import itskit
from itskit import spectrogram
from itskit.audio.mel import mel_magnitudes
from itskit.media import Sound
from itskit.models import pocket
from itskit.models.pocket.networks import Autoencoder
from itskit.models.pocket.weights import FOLDER, dequantise, load_weights, quantise


@pytest.fixture(scope="module")
def pair():
    return itskit.load_pair("pocket")


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(FOLDER, tmp_path / "weights")


def test_the_axis_places_a_tone_where_it_is_painted(pair):
    from librosa import mel_frequencies

    axis = pair.sound.axis
    assert axis.hertz == pytest.approx(mel_frequencies(130, fmin=0, fmax=8000)[-2:0:-1], rel=1e-5)
    assert (axis.seconds, axis.rate) == (0.01, 16000)
    tone = np.sin(2 * np.pi * 1000 * np.arange(20480) / 16000)
    row = int(pair.sound.analyse(Sound(tone, 16000))[0, 0, :, 64].argmax())
    assert axis.hertz[row + 1] < 1000 < axis.hertz[row - 1]


def test_samples_are_as_loud_as_the_picture_says(pair):
    picture = 0.9 * torch.rand(1, 128, 64, generator=torch.Generator().manual_seed(1)) ** 3
    louder = (picture + 0.05) * (picture > 0)  # decibels: 5% of the way from black to white
    loud, louder = (np.std(pair.sound.render(p).samples) for p in (picture, louder))
    assert 20 * np.log10(louder / loud) == pytest.approx(0.05 * pair.sound.axis.decibels, abs=0.5)


def test_sounds_on_the_way_are_nearly_as_good_as_the_result(pair):
    result = itskit.compose(pair, "a palm tree", "birds", seed=5, num_inference_steps=4)
    pictures = [torch.from_numpy(result.mel_picture(k))[None] for k in range(4)]
    near = pair.sound.render(pictures[-1])

    def off(picture, sound):  # spectral convergence
        heard = spectrogram.mel_picture(sound.samples)
        wanted, got = (mel_magnitudes(p, spectrogram.POCKET_MEL) for p in (picture[0], heard))
        got = got * (wanted * got).sum() / got.square().sum()  # at the level that suits it best
        return float((wanted - got).norm() / wanted.norm())

    led = np.mean([off(p, pair.sound.render_near(p, near)) for p in pictures[:-1]])
    alone = np.mean([off(p, pair.sound.render(p)) for p in pictures[:-1]])
    print(f"spectral convergence: {led:.3f} led, {alone:.3f} alone")
    assert led < alone + 0.05


def test_what_was_played_last_is_not_rendered_again(pair, monkeypatch):
    asked, usual = [], pocket.reconstruct
    monkeypatch.setattr(pocket, "reconstruct", lambda *a, **kw: asked.append(1) or usual(*a, **kw))
    picture = torch.rand(1, 128, 64, generator=torch.Generator().manual_seed(3))
    heard = pair.sound.render(picture)
    first = heard.samples.copy()
    heard.samples[:] = 0  # a caller's own
    assert np.array_equal(pair.sound.render(picture.clone()).samples, first) and len(asked) == 1
    picture *= 0.5  # what is remembered is what it was
    assert not np.array_equal(pair.sound.render(picture).samples, first) and len(asked) == 2


def test_int8_rows_are_off_by_at_most_half_a_step():
    weights = torch.randn(32, 16, 3, 3) * torch.logspace(-3, 1, 32)[:, None, None, None]
    back = dequantise(quantise({"conv.weight": weights}))["conv.weight"]
    step = weights.abs().amax((1, 2, 3)) / 127
    assert ((back - weights).abs().amax((1, 2, 3)) <= step / 2 * 1.001).all()


def test_small_tensors_and_integers_are_kept():
    state = {"bias": torch.linspace(-1, 1, 9), "count": torch.tensor(7)}
    back = dequantise(quantise(state))
    assert torch.allclose(back["bias"], state["bias"], atol=1e-3)
    assert back["count"] == 7


def test_all_weights_together_stay_below_64_mb():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 64e6


def test_a_changed_byte_is_noticed(copy):
    path = copy / "vae.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="SHA-256"):
        itskit.load_pair(copy)


def test_a_missing_file_is_named(copy):
    (copy / "sound_unet.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"sound_unet\.safetensors"):
        itskit.load_pair(copy)


def test_an_unknown_pair_is_refused(tmp_path):
    with pytest.raises(ValueError, match="pocket"):
        itskit.load_pair(tmp_path)


def test_the_hash_of_the_pair_follows_from_its_files(copy, pair):
    manifest = json.loads((copy / "weights.json").read_text(encoding="utf-8"))
    assert itskit.load_pair(copy).weights_hash == pair.weights_hash
    manifest["vae.safetensors"]["sha256"] = "0" * 64
    (copy / "weights.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert pocket.weights_hash(copy) != pair.weights_hash


def test_black_is_zero_and_zero_is_black(pair):
    for width in (128, 512, 1024):
        latent = pair.image.encode(torch.zeros(1, 1, 128, width))
        assert latent.shape == (1, 4, 16, width // 8)
        assert latent.abs().max() < 0.02  # the shift is stored in half precision
    assert pair.image.decode(torch.zeros(1, 4, 16, 64)).max() < 0.02


def test_a_wide_picture_is_coded_as_its_parts_are():
    torch.manual_seed(0)
    net = Autoencoder().eval()
    picture = torch.rand(1, 1, 128, 512)
    with torch.no_grad():
        whole, part = net.encode(picture), net.encode(picture[..., 128:384])
    # 8 cells from the cut its edge is out of the convolutions' reach
    assert torch.allclose(whole[..., 24:40], part[..., 8:24], atol=1e-5)


def test_noise_is_still_noise_after_the_autoencoder(pair):
    """What a latent has no room for is put back: as much unevenness, and none on black."""
    noise = np.random.default_rng(3).standard_normal(512 * 160).astype(np.float32)
    picture = pocket.analyse_sound(0.05 * noise)

    def unevenness(picture):
        return float((picture - ndimage.uniform_filter(picture, (0, 0, 5, 5))).std())

    back = pair.sound.decode(pair.sound.encode(picture)).numpy()
    assert unevenness(back) == pytest.approx(unevenness(picture.numpy()), rel=0.3)
    square = torch.zeros(1, 1, 128, 256)
    square[..., 32:96, 64:192] = 0.5
    back = pair.image.decode(pair.image.encode(square)).numpy()
    assert unevenness(back[..., :48]) < 0.2 * unevenness(picture.numpy())


def test_drawings_survive_the_autoencoder(pair):
    square = np.zeros((128, 256), np.uint8)
    square[32:96, 64:192] = 255
    picture = pocket.analyse_picture(Image.fromarray(square))
    back = pair.image.decode(pair.image.encode(picture))
    assert (back - picture).abs().mean() < 0.05


def test_the_two_modalities_share_the_autoencoder(pair):
    latent = torch.randn(1, 4, 16, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pair.image.decode(latent), pair.sound.decode(latent))


def test_text_is_one_tensor_with_the_sentence_first(pair):
    dog, hound, bell = (
        pair.image.encode_prompt(text) for text in ("a dog barking", "a hound", "a church bell")
    )
    assert dog.shape == (1, 24, 384)
    sentence = [torch.nn.functional.normalize(x[0, 0], dim=0) for x in (dog, hound, bell)]
    assert sentence[0].norm() == pytest.approx(1, abs=1e-5)
    assert sentence[0] @ sentence[1] > sentence[0] @ sentence[2]
    assert not dog[0, 10:].any()  # a short prompt ends in zeros


def test_solo_words_are_the_usual_ones_and_what_was_learned(pair, copy):
    shifts = load_weights(FOLDER, pocket.SOLO)
    for modality in (pair.image, pair.sound):
        added = modality.encode_solo("a bell") - modality.encode_prompt("a bell")
        assert added.any()
        torch.testing.assert_close(added[0], shifts[modality.name], atol=1e-5, rtol=0)
    manifest = json.loads((copy / "weights.json").read_text(encoding="utf-8"))
    del manifest[pocket.SOLO]  # as older weights are
    (copy / "weights.json").write_text(json.dumps(manifest), encoding="utf-8")
    older = itskit.load_pair(copy)
    assert older.image.encode_solo is None and older.sound.encode_solo is None


def test_sentences_are_those_of_the_original_encoder(pair):
    # golden cosines of all-MiniLM-L6-v2 in float32
    texts = ["a dog barking", "a hound", "a cat", "church bells ringing", "castle bell"]
    rows = torch.cat([pair.image.encode_prompt(text)[:, 0] for text in texts])
    cosines = torch.nn.functional.normalize(rows, dim=1) @ rows.T / 384**0.5
    expected = {(0, 1): 0.50, (0, 2): 0.35, (0, 3): 0.23, (1, 2): 0.37, (3, 4): 0.57}
    for (i, j), value in expected.items():
        assert float(cosines[i, j]) == pytest.approx(value, abs=0.03)


def test_noise_is_derived_from_the_predicted_v(pair):
    """eps and clean from v agree: x = sqrt(a)·clean + sqrt(1−a)·eps, v = sqrt(a)·eps − …·clean."""
    text = pair.sound.encode_prompt("rain").expand(2, -1, -1)
    x = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    a = pair.sound.alpha_bar[400]
    eps = pair.sound.predict_noise(x, 400, text)
    clean = (x - (1 - a).sqrt() * eps) / a.sqrt()
    net = pocket._network(pocket.UNETS["sound"](), FOLDER, "sound_unet.safetensors")
    v = pocket.predict_v(net, x, torch.full((2,), 400), text)
    assert torch.allclose(a.sqrt() * eps - (1 - a).sqrt() * clean, v, atol=1e-4)


def test_the_picture_model_looks_at_squares(pair):
    text = pair.image.encode_prompt("a bell").expand(1, -1, -1)
    x = torch.randn(1, 4, 16, 48, generator=torch.Generator().manual_seed(2))
    whole = pair.image.predict_noise(x, 300, text)
    for k in range(3):
        square = slice(16 * k, 16 * k + 16)
        alone = pair.image.predict_noise(x[..., square], 300, text)
        assert torch.allclose(whole[..., square], alone, atol=1e-4)


def test_scorers_answer_with_unit_vectors_for_any_width():
    for scorer in pocket.load_scorers().values():
        for width in (16, 64, 100):
            out = scorer(torch.randn(2, 4, 16, width))
            assert out.shape == (2, 384)
            assert torch.allclose(out.norm(dim=1), torch.ones(2), atol=1e-5)


def test_one_recording_becomes_a_canvas_at_any_rate():
    rate = 22050
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate).astype(np.float32)
    picture = pocket.analyse_sound(Sound(tone, rate))
    assert picture.shape[:3] == (1, 1, 128)
    assert picture.shape[3] % 32 == 0
    loudest = picture[0, 0].mean(1).argmax().item()
    frequencies = spectrogram.row_frequencies()
    assert frequencies[loudest] == pytest.approx(1000, rel=0.05)


# Of the training's words; asked in phrases that the training has.
SEEN = (
    "a crown, a palm tree, a horse, a cat, a house, a sailboat, a guitar, a tree, an umbrella, "
    "the moon, a rocket, a bicycle, a bell, a castle, a fish, a star, a heart, a mushroom, "
    "a snowman, a rabbit"
).split(", ")
HEARD = (
    "rain falling, a trombone playing, birds chirping, church bells ringing, a horse galloping, "
    "an organ playing, crickets chirping, a violin playing, typing on a keyboard, a helicopter, "
    "a siren, a piano playing, thunder, a rooster crowing, ocean waves, a dog barking, "
    "a cow mooing, a clock ticking, an alarm, applause"
).split(", ")


@pytest.mark.slow
@pytest.mark.parametrize(("sense", "words"), [("image", SEEN), ("sound", HEARD)])
def test_the_networks_have_learned_what_words_mean(pair, sense, words):
    """Of ten words for each model at least eight make what is nearest to them among twenty: with
    networks of noise it would be one in twenty."""
    hits = 0
    for asked in words[:10]:
        prompts = (asked, None) if sense == "image" else (None, asked)
        made = itskit.compose(pair, *prompts, seed=1, num_inference_steps=4, progress=False)
        scores = [float(pair.scorers[sense](made.latent, word)) for word in words]
        hits += words[int(np.argmax(scores))] == asked
    assert hits >= 8


def test_u_nets_may_be_loaded_changed_and_are_told_apart(pair):
    def silenced(name, state):
        if name == "sound":
            return {key: torch.zeros_like(value) for key, value in state.items()}
        return state

    changed = pocket.load(change=silenced)
    latent, embeds = itskit.init_latent(pair, 1, 128), pair.image.encode_prompt("a cat")
    one, other = (p.image.predict_noise(latent, 500, embeds) for p in (pair, changed))
    assert torch.equal(one, other)
    # A network of zeros says v = 0, so that the noise is sqrt(1 - a) of the latent.
    said = changed.sound.predict_noise(latent, 500, embeds)
    torch.testing.assert_close(said, (1 - pair.sound.alpha_bar[500]).sqrt() * latent)
    same = pocket.load(change=lambda name, state: state)
    assert len({pair.weights_hash, changed.weights_hash, same.weights_hash}) == 3
    assert changed.weights_hash.startswith(pair.weights_hash)
