"""The paper's method on Stable Diffusion folders equals a loop written with diffusers alone."""

import json

import numpy as np
import pytest
import tiny_folders
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file
from test_hifigan import Reference
from tiny_folders import HOP, ROWS, VOCODER
from transformers import CLIPTextModel, CLIPTokenizer

import itskit
from itskit.composition import compose
from itskit.guidance import encode_prompt
from itskit.media import Sound
from itskit.models import paper, sd
from itskit.models.devices import Placement, choose_turns
from itskit.models.hub import load_network

IMAGE, SOUND = "a castle, grayscale", "bell ringing"
WIDTH = 128  # pixels; the real canvas is four times as wide as it is high, and so is this one
CROP = 32


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    there = tmp_path_factory.mktemp("hub")
    return tiny_folders.stable_diffusion(there / "sd"), tiny_folders.auffusion(there / "auffusion")


@pytest.fixture(scope="module")
def pair(folders):
    return itskit.load_pair("paper", image=folders[0], sound=folders[1])


class Diffusers:
    """One model of the paper's code, from diffusers' and transformers' own loaders."""

    def __init__(self, folder):
        self.unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet").eval()
        self.vae = AutoencoderKL.from_pretrained(folder, subfolder="vae").eval()
        self.encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")

    def embed(self, text):
        length = self.tokenizer.model_max_length
        ids = self.tokenizer(text, padding="max_length", max_length=length, return_tensors="pt")
        return self.encoder(ids.input_ids)[0]

    def noise(self, latents, t, embeds, scale):
        uncond, cond = self.unet(torch.cat([latents] * 2), t, embeds).sample.chunk(2)
        return uncond + scale * (cond - uncond)

    def decode(self, latents):
        return (self.vae.decode(latents / self.vae.config.scaling_factor).sample / 2 + 0.5).clamp(
            0, 1
        )


@torch.no_grad()
def papers_loop(folders, seed, height, width):
    """Latents, picture, mel picture and waveform of the paper's code, uncropped."""
    image, sound = (Diffusers(folder) for folder in folders)
    image_embeds = torch.cat([image.embed(""), image.embed(IMAGE)])
    sound_embeds = torch.cat([sound.embed(""), sound.embed(SOUND)])
    scheduler = DDIMScheduler.from_pretrained(folders[0], subfolder="scheduler")
    scheduler.set_timesteps(100)
    generator = torch.manual_seed(seed)
    latents = torch.randn((1, 4, height // 8, width // 8), generator=generator)
    for i, t in enumerate(scheduler.timesteps):
        noise = sound.noise(latents, t, sound_embeds, 10.0)
        if i >= 10:
            noise = 0.5 * image.noise(latents, t, image_embeds, 10.0) + 0.5 * noise
        latents = scheduler.step(noise, t, latents).prev_sample
    spec = sound.decode(latents)[0]  # (3, H, W)
    mel = torch.flip(spec, [1]).mean(0)
    log_mel = mel * (np.log(200) - np.log(1e-5)) + np.log(1e-5)
    weights = torch.load(folders[1] / "vocoder/vocoder.pt", weights_only=True)["generator"]
    wave = Reference(VOCODER, weights=weights)(log_mel[None])[0]
    return latents, image.decode(latents)[0], spec.mean(0), wave


@pytest.fixture(scope="module")
def expected(folders):
    return papers_loop(folders, 7, ROWS, WIDTH)


@pytest.fixture(scope="module")
def composed(pair):
    """Two seeds at once; the second is the one of the loop."""
    options = {"preset": "paper", "width": WIDTH, "progress": False}
    return compose(pair, IMAGE, SOUND, seeds=[6, 7], **options)


def _near(got, wanted, tolerance=1e-5):
    """Equal to `tolerance`, by the size of what is compared."""
    got, wanted = torch.as_tensor(got), torch.as_tensor(wanted)
    assert got.shape == wanted.shape
    assert wanted.std() > 0.01
    assert (got - wanted).abs().max() <= tolerance * wanted.abs().max().clamp_min(1)


def test_latents_are_the_papers(composed, expected):
    _near(composed.latent[1], expected[0][0])


def test_picture_mel_and_waveform_are_the_papers(composed, expected, pair):
    _, picture, mel, wave = expected
    kept = WIDTH - CROP
    pixels = np.asarray(composed.picture(item=1).image)
    rounded = (picture * 255).round().byte().permute(1, 2, 0)[:, :kept]
    assert pixels.shape == (ROWS, kept, 3)
    assert np.abs(pixels.astype(int) - rounded.numpy()).max() <= 1  # 1e-5 may cross a half
    _near(composed.mel_picture(item=1), mel[:, :kept])
    whole = itskit.decode(pair.sound, composed.latent[1:])
    assert whole.rate == 16000
    _near(whole.samples, wave)
    _near(composed.sound(item=1).samples, wave[: kept * HOP])  # heard whole, then cut


def test_a_seed_starts_from_the_papers_noise(pair):
    """Its code draws in half precision, which is ours, rounded."""
    generator = torch.manual_seed(1234)
    shape = (1, 4, ROWS // 8, WIDTH // 8)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float16)
    assert torch.equal(itskit.init_latent(pair, [1234]).half(), drawn)


def test_guidance_takes_one_call_a_model_and_step(folders):
    counted = itskit.load_pair("paper", image=folders[0], sound=folders[1])
    calls = {"image": [], "sound": []}
    for name in calls:
        modality = getattr(counted, name)
        predict = modality.predict_noise

        def counting(latent, t, embeds, name=name, predict=predict):
            calls[name].append(len(latent))
            return predict(latent, t, embeds)

        object.__setattr__(modality, "predict_noise", counting)
    options = {"preset": "paper", "num_inference_steps": 20, "width": 64, "progress": False}
    compose(counted, IMAGE, SOUND, seeds=[1, 2, 3], **options)
    assert calls == {"image": [6] * 18, "sound": [6] * 20}


# --- what is loaded -----------------------------------------------------------------------------


def test_the_canvas_is_the_papers(monkeypatch):
    """256 × 1024 pixels, 10.24 s at 16 kHz, for Auffusion's 256 mels and hop of 160."""
    config = {**VOCODER, "num_mels": 256, "upsample_rates": [10, 16]}
    config["upsample_kernel_sizes"] = [20, 32]
    voice = paper.vocoder_voice(paper.Generator(config))
    assert (voice.height, voice.width, voice.crop_pixels) == (256, 1024, 32)
    sound = voice.render(torch.rand(3, 256, 64))
    assert (sound.rate, sound.duration) == (16000, 0.64)


def test_the_axis_is_that_of_the_vocoders_mel(pair):
    from librosa import mel_frequencies

    rows = pair.sound.latent_shape[1] * pair.sound.vae_scale_factor
    truth = mel_frequencies(rows + 2, fmin=0, fmax=8000)[-2:0:-1]
    assert pair.sound.axis.hertz == pytest.approx(truth, rel=1e-5)
    sound = pair.sound.render(torch.zeros(1, rows, 8))
    assert (8 * pair.sound.axis.seconds, pair.sound.axis.rate) == (sound.duration, sound.rate)


def test_equal_weights_are_loaded_once(folders, pair):
    assert pair.image.encode_prompt is pair.sound.encode_prompt
    parts = [sd.load_parts(folder, torch.float32) for folder in folders]
    shared = sd.share(parts[1], parts[0])
    assert shared.vae is parts[0].vae and shared.encoder is parts[0].encoder
    assert shared.unet is not parts[0].unet


def test_another_text_encoder_is_kept(folders, tmp_path):
    other = tiny_folders.auffusion(tmp_path / "other", text_seed=3)
    mixed = itskit.load_pair("paper", image=folders[0], sound=other)
    prompts = [m.encode_prompt(IMAGE) for m in (mixed.image, mixed.sound)]
    assert prompts[0].shape == (1, tiny_folders.LENGTH, 16)
    assert not torch.allclose(*prompts)
    torch.testing.assert_close(prompts[1], Diffusers(other).embed(IMAGE), atol=1e-6, rtol=1e-5)


def test_a_prompt_is_encoded_once_and_a_long_one_is_cut_with_a_warning(folders):
    fresh = itskit.load_pair("paper", image=folders[0], sound=folders[1])
    assert fresh.image.encode_prompt(IMAGE) is fresh.sound.encode_prompt(IMAGE)
    with pytest.warns(UserWarning, match="too long, not read: “bell bell"):
        long = encode_prompt(fresh.image, "bell " * 40)
    assert long.cond.shape == (1, 32, 16)


def test_settings_and_hash(folders, pair, tmp_path):
    assert set(pair.presets) == {"paper", "fast"} and pair.crop_pixels == CROP
    assert len(pair.weights_hash) == 16
    other = tiny_folders.auffusion(tmp_path / "other", unet_seed=9)
    assert itskit.load_pair("paper", image=folders[0], sound=other).weights_hash != (
        pair.weights_hash
    )


def test_both_pairs_have_the_papers_settings(pair):
    from itskit.models import pocket

    settings = {"num_inference_steps": 100, "solver": "ddim", "spacing": "leading", "crop": True}
    settings |= {"image_scale": 10, "sound_scale": 10, "image_weight": 0.5, "sound_weight": 0.5}
    settings |= {"image_start": 0.1, "sound_start": 0}
    assert pair.presets["paper"] == pair.defaults == pocket.PRESETS["paper"] == settings


def test_v_prediction_is_turned_into_noise(folders, tmp_path, pair):
    folder = tiny_folders.copy(folders[0], tmp_path / "v")
    file = folder / "scheduler/scheduler_config.json"
    config = {**tiny_folders.SCHEDULER, "prediction_type": "v_prediction"}
    file.write_text(json.dumps(config), encoding="utf-8")
    other = itskit.load_pair("paper", image=folder, sound=folders[1])
    latent, embeds = torch.randn(1, 4, 4, 8), pair.image.encode_prompt(IMAGE)
    v = pair.image.predict_noise(latent, 500, embeds)  # the same network, taken at its word
    scheduler = DDIMScheduler.from_config(config)
    scheduler.set_timesteps(1000)
    clean = scheduler.step(v, 500, latent).pred_original_sample
    noise = other.image.predict_noise(latent, 500, embeds)
    a = scheduler.alphas_cumprod[500]
    torch.testing.assert_close(a.sqrt() * clean + (1 - a).sqrt() * noise, latent)


def test_encode_is_the_mean_of_the_posterior_and_has_a_gradient(folders, pair):
    vae = Diffusers(folders[0]).vae
    picture = torch.rand(2, 1, 32, 64, requires_grad=True)
    latent = pair.image.encode(picture)
    expected = vae.encode(picture.expand(-1, 3, -1, -1) * 2 - 1).latent_dist.mean * 0.18215
    torch.testing.assert_close(latent, expected, atol=1e-6, rtol=1e-5)
    latent.square().sum().backward()
    assert picture.grad.abs().min() > 0
    assert pair.image.decode(latent.detach()).shape == (2, 3, 32, 64)


def test_pictures_and_sounds_are_read(pair):
    grey = np.linspace(0, 1, 50 * 100).reshape(50, 100).astype(np.float32)
    for what in (grey, Image.fromarray((grey * 255).astype(np.uint8)).convert("RGB")):
        assert pair.image.analyse(what).shape == (1, 1, ROWS, 64)
    t = np.arange(128 * HOP) / 16000
    tone = np.sin(2 * np.pi * 4000 * t).astype(np.float32) * 0.01
    picture = pair.sound.analyse(Sound(tone, 16000))
    assert picture.shape == (1, 1, ROWS, 128)
    rows = itskit.spectrogram.row_frequencies(
        paper.replace(paper.PAPER_MEL, n_mels=ROWS, hop_length=HOP)
    )
    assert abs(rows[int(picture[0, 0, :, 64].argmax())] - 4000) < 300
    louder = pair.sound.analyse(Sound(tone * 50, 16000))
    torch.testing.assert_close(picture, louder, atol=1e-4, rtol=0)


def test_half_precision_stays_inside(folders):
    half = itskit.load_pair("paper", image=folders[0], sound=folders[1], dtype=torch.bfloat16)
    result = compose(
        half, IMAGE, SOUND, num_inference_steps=2, image_start=0.0, width=64, progress=False
    )
    step = result.steps[0]
    assert {x.dtype for x in (step.noisy, step.latent, step.clean, *step.noises)} == {torch.float32}
    assert half.image.encode_prompt(IMAGE).dtype == torch.float32
    assert result.sound().duration > 0


# --- old and odd files --------------------------------------------------------------------------


def test_a_vae_with_the_names_of_2022_is_read(folders, tmp_path, pair):
    folder = tiny_folders.copy(folders[0], tmp_path / "old")
    file = folder / "vae/diffusion_pytorch_model.safetensors"
    old = {}
    for name, value in load_file(file).items():
        for new, was in (
            ("to_q", "query"),
            ("to_k", "key"),
            ("to_v", "value"),
            ("to_out.0", "proj_attn"),
        ):
            name = name.replace(new, was)
        old[name] = value
    assert any("proj_attn" in name for name in old)
    save_file(old, file)
    again = itskit.load_pair("paper", image=folder, sound=folders[1])
    picture = torch.rand(1, 1, 32, 64)
    assert torch.equal(again.image.encode(picture), pair.image.encode(picture))


def test_pickled_weights_are_read_as_tensors_only(folders, tmp_path, pair):
    folder = tiny_folders.copy(folders[1], tmp_path / "pickled")
    for part, stem in (("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model")):
        safe = folder / part / f"{stem}.safetensors"
        torch.save(load_file(safe), folder / part / f"{stem}.bin")
        safe.unlink()
    again = itskit.load_pair("paper", image=folders[0], sound=folder)
    latent, embeds = torch.randn(1, 4, 4, 8), pair.sound.encode_prompt(SOUND)
    ours, theirs = (p.sound.predict_noise(latent, 3, embeds) for p in (again, pair))
    assert torch.equal(ours, theirs)


def test_half_precision_files_are_preferred_in_half_precision(folders, tmp_path):
    folder = tiny_folders.copy(folders[0], tmp_path / "both")
    full = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    marked = {name: (value * 0).half() for name, value in full.items()}
    save_file(marked, folder / "unet/diffusion_pytorch_model.fp16.safetensors")
    kind = UNet2DConditionModel
    assert load_network(kind, folder, "unet", torch.float32).conv_in.weight.abs().sum() > 0
    assert load_network(kind, folder, "unet", torch.float16).conv_in.weight.abs().sum() == 0


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_truncated_file_is_refused_and_left_alone(part, folders, tmp_path):
    folder = tiny_folders.copy(folders[0], tmp_path / "cut")
    (file,) = (folder / part).glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="may be damaged"):
        itskit.load_pair("paper", image=folder, sound=folders[1])
    assert file.exists()


@pytest.mark.parametrize(
    "missing",
    [
        "unet/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "scheduler/scheduler_config.json",
        "vocoder/vocoder.pt",
    ],
)
def test_a_missing_file_is_named(missing, folders, tmp_path):
    folder = tiny_folders.copy(folders[1], tmp_path / "gap")
    (folder / missing).unlink()
    with pytest.raises(FileNotFoundError, match=missing.split("/")[0] + "/.*" + missing[-6:]):
        itskit.load_pair("paper", image=folders[0], sound=folder)


def test_files_of_two_networks_are_refused(folders, tmp_path):
    folder = tiny_folders.copy(folders[0], tmp_path / "mixed")
    config = json.loads((folder / "unet/config.json").read_text(encoding="utf-8"))
    (folder / "unet/config.json").write_text(
        json.dumps({**config, "layers_per_block": 2}), encoding="utf-8"
    )
    with pytest.raises(ValueError, match=r"of another network than its config.*size mismatch"):
        itskit.load_pair("paper", image=folder, sound=folders[1])


@pytest.mark.parametrize(
    ("part", "file", "name"),
    [
        ("unet", "diffusion_pytorch_model", "conv_in.bias"),
        ("text_encoder", "model", "final_layer_norm.bias"),
    ],
)
def test_weights_that_a_file_lacks_are_not_left_to_chance(part, file, name, folders, tmp_path):
    folder = tiny_folders.copy(folders[0], tmp_path / "less")
    path = folder / part / f"{file}.safetensors"
    weights = load_file(path)
    (full,) = (key for key in weights if key.endswith(name))
    del weights[full]
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(ValueError, match=rf"it lacks [\w.]*{name} and 0 more"):
        itskit.load_pair("paper", image=folder, sound=folders[1])


# --- one latent space? --------------------------------------------------------------------------


def test_equal_vaes_are_no_distance_apart(pair):
    assert paper.latent_distance(pair.image, pair.sound) == (0.0, 0.0)


@pytest.mark.parametrize(
    "other",
    [{"vae_seed": 4}, {"scaling_factor": 0.13025}, {"latent_channels": 8}],
    ids=["weights", "scale", "channels"],
)
def test_another_latent_space_is_refused_with_its_distance(other, folders, tmp_path):
    sound = tiny_folders.auffusion(tmp_path / "other", **other)
    with pytest.raises(ValueError, match=r"different latent spaces.*differ by [\d.inf]+ of"):
        itskit.load_pair("paper", image=folders[0], sound=sound)


def test_a_vae_with_a_finer_decoder_is_accepted(folders, tmp_path):
    """As the fine-tuned decoders of Stable Diffusion are: the same encoder."""
    sound = tiny_folders.copy(folders[1], tmp_path / "finer")
    file = sound / "vae/diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights["decoder.conv_out.weight"] *= 1.05
    save_file(weights, file)
    mixed = itskit.load_pair("paper", image=folders[0], sound=sound)
    latent, pixel = paper.latent_distance(mixed.image, mixed.sound)
    assert latent == 0 and 0 < pixel < paper.MOST_PIXEL


# --- where networks run -------------------------------------------------------------------------


def test_networks_that_take_turns_are_copied_in_one_direction(folders):
    unets = [sd.load_parts(folder, torch.float32).unet for folder in folders]
    homes = [unet.conv_in.weight.data for unet in unets]
    before = homes[0].clone()
    placement = Placement("cpu", turns=True)
    assert placement.turn(unets[0]).conv_in.weight.data_ptr() != homes[0].data_ptr()
    assert unets[1].conv_in.weight.data_ptr() == homes[1].data_ptr()
    unets[0].conv_in.weight.data.zero_()  # what is on the device is a copy
    placement.turn(unets[1])
    assert [
        unet.conv_in.weight.data_ptr() == home.data_ptr()
        for unet, home in zip(unets, homes, strict=True)
    ] == [True, False]
    assert torch.equal(unets[0].conv_in.weight, before)
    assert torch.equal(placement.turn(unets[0]).conv_in.weight, before)


def test_compiling_is_asked_for_and_excludes_turns(folders, monkeypatch):
    asked = []
    monkeypatch.setattr(UNet2DConditionModel, "compile", lambda self, mode: asked.append(mode))
    models = {"image": folders[0], "sound": folders[1]}
    itskit.load_pair("paper", **models)
    assert asked == []
    itskit.load_pair("paper", **models, compile=True)
    assert asked == ["reduce-overhead"] * 2
    parts = [sd.load_parts(folder, torch.float32) for folder in folders]
    voice = paper.auffusion_voice(folders[1])
    with pytest.raises(ValueError, match="do not go together"):
        paper.build("x", *parts, Placement(turns=True), voice, compile=True)


def test_turns_change_nothing(folders, pair):
    parts = [sd.load_parts(folder, torch.float32) for folder in folders]
    voice = paper.auffusion_voice(folders[1])
    turning = paper.build("turning", *parts, Placement(turns=True), voice)
    options = {"num_inference_steps": 3, "image_start": 0.0, "width": 64, "progress": False}
    ours, theirs = (compose(p, IMAGE, SOUND, **options).latent for p in (turning, pair))
    assert torch.equal(ours, theirs)


def test_the_memory_plan_follows_from_what_is_free():
    real = {"image": 1.72e9, "sound": 1.72e9, "rest": 0.83e9}  # bytes in half precision
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert choose_turns(None, real, 15e9, gpu) is False  # a T4
    assert choose_turns(None, real, 7.5e9, gpu) is False  # a card of 8 GB
    assert choose_turns(None, real, 5.5e9, gpu) is True  # a card of 6 GB
    assert choose_turns("turns", real, 15e9, gpu) is True
    assert choose_turns(None, real, None, gpu) is False
    assert choose_turns("turns", real, 15e9, cpu) is False
    with pytest.raises(MemoryError, match=r"4\.0 GB are free.*'turns' needs 5\.0.*pocket"):
        choose_turns(None, real, 4e9, gpu)
    with pytest.raises(MemoryError, match=r"'all' needs 6\.8 GB\. Choose memory='turns'"):
        choose_turns("all", real, 6e9, gpu)
    with pytest.raises(MemoryError, match=r"on cpu.*'all' needs 6\.8 GB\. Close"):
        choose_turns(None, real, 6e9, cpu)
    with pytest.raises(ValueError, match="expected 'all', 'turns'"):
        choose_turns("some", real, 6e9, gpu)


def test_a_loaded_pair_asks_for_memory_first(folders, monkeypatch):
    monkeypatch.setattr(paper, "free_memory", lambda device: 10**6)
    with pytest.raises(MemoryError, match=r"0\.0 GB are free"):
        itskit.load_pair("paper", image=folders[0], sound=folders[1])


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match='"pocket", "paper", "riffusion"'):
        itskit.load_pair("papre")
