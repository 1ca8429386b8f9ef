"""Training on a set of a few drawings and tones: every stage runs, resumes, and does its sum."""

import json
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_set import CLASSES, CONCEPTS, write_pictures, write_sounds

import itskit
from itskit.audio.mel import POCKET_MEL, mel_picture
from itskit.composition import composed
from itskit.models.pocket.networks import (
    Autoencoder,
    LayoutUNet,
    layout_loss,
    predict_v,
    text_unet,
)
from itskit.schedule import stable_diffusion_alpha_bar
from itskit.training import checkpoints, naming
from itskit.training.__main__ import main
from itskit.training.dataset import canvas, captions, files, latent_cache, sampling_weights
from itskit.training.dataset import material as materials
from itskit.training.dataset.captions import ALIASES
from itskit.training.dataset.composites import (
    BROAD,
    Batch,
    Composites,
    Selection,
    all_accepted,
    batches,
    latents_of,
    read_accepted,
)
from itskit.training.dataset.compositor import PROTOTYPE_CLIPS, PROTOTYPES, Compositor
from itskit.training.dataset.held_out import PAIRS, UNSEEN_SOUNDS, VALIDATION_PAIRS
from itskit.training.evaluate import validation_loss
from itskit.training.fit import autoencoder, finetune, loop, self_training, unet
from itskit.training.precision import half_precision


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root, work = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("work")
    rng = np.random.default_rng(0)
    write_pictures(root, rng)
    write_sounds(root, rng)
    return ["--data", str(root), "--work", str(work)], work


def crops_of(*given):
    return torch.from_numpy(canvas.crops(*given))


def interrupt(step):
    raise KeyboardInterrupt


@pytest.mark.slow
def test_every_stage_makes_a_pair_that_composes(folders, tmp_path, capsys, monkeypatch):
    args, work = folders
    fit = [*args, "--device", "cpu"]
    main(["prepare", *args])
    main(["vae", *fit, "--steps", "2", "--batch", "4"])
    main(["latent-cache", *args, "--variants", "1"])
    for which in ("image", "sound"):
        main(["unet", which, *fit, "--steps", "50", "--batch", "1"])
    main(["unet", "image", *fit, "--steps", "100", "--batch", "1"])  # goes on where it stopped
    main(["augment", *args, "--variants", "1"])
    main(["scorers", *fit, "--steps", "60", "--batch", "8"])
    first = load_file(work / "vae.safetensors")
    main(["decoder", *fit, "--steps", "2", "--batch", "4"])
    sharper = load_file(work / "vae.safetensors")
    moved = {k for k in first if not torch.equal(first[k], sharper[k])}
    assert moved and all(k.startswith("decoder.") for k in moved)
    main(["grain", *fit, "--steps", "2", "--batch", "4"])
    grained = load_file(work / "vae.safetensors")
    moved = {k for k in sharper if not torch.equal(sharper[k], grained[k])}
    assert moved and all(k.startswith("grain.") for k in moved)
    main(["prototypes", *args])
    main(["finetune", "image", *fit, "--steps", "4", "--batch", "4"])
    main(["finetune", "sound", *fit, "--steps", "4", "--batch", "4"])
    main(["self-training", *args, "--steps", "2"])
    first, _ = read_accepted(work / "harvest_0.safetensors")
    main(["self-training", *args, "--steps", "2"])  # goes on
    latents, told = read_accepted(work / "harvest_0.safetensors")
    assert torch.equal(torch.stack(latents)[: len(first)], torch.stack(first))
    assert len(torch.unique(torch.stack(latents), dim=0)) == len(told) > len(first)
    monkeypatch.setattr(self_training, "composed", partial(composed, callback=interrupt))
    with pytest.raises(KeyboardInterrupt):
        main(["self-training", *args, "--steps", "2"])
    monkeypatch.undo()
    assert len(read_accepted(work / "harvest_0.safetensors")[0]) == len(told)
    accepted = all_accepted(work)
    assert set(accepted) <= {(c, k) for c in CONCEPTS for k in CLASSES} - {
        ("castle", "church_bell")
    }
    assert {latent.shape for some in accepted.values() for latent in some} == {(4, 16, 64)}
    assert 4 <= sum(map(len, accepted.values())) <= 8  # of eight
    before = load_file(work / "image_unet.safetensors")
    main(["finetune", "joint", *fit, "--steps", "4", "--batch", "4"])
    after = load_file(work / "image_unet.safetensors")
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[k], after[k]) for k in before)
    with pytest.raises(ValueError, match="clips of 0 classes for validation"):
        main(["validation-loss", *args])
    rows_in = materials.rows_in
    with monkeypatch.context() as patch:
        patch.setattr(materials, "rows_in", lambda records, split: rows_in(records, "train"))
        main(["validation-loss", *args, "--canvases", "2"])
    assert "over all timesteps: " in capsys.readouterr().out
    main(["solo", *fit, "--steps", "4", "--batch", "4"])
    unmoved = load_file(work / "image_unet.safetensors")
    assert all(torch.equal(after[k], unmoved[k]) for k in after)
    shifts = load_file(work / "solo.safetensors")
    assert {name: shift.shape for name, shift in shifts.items()} == dict.fromkeys(
        ("image", "sound"), (24, 384)
    )
    main(["pack", *args, "--weights", str(tmp_path / "pair")])

    coded = {m: load_file(work / f"{m}_train.safetensors") for m in ("image", "sound")}
    for one in coded.values():  # each alone, and in two composites
        assert set(torch.bincount(one["which"]).tolist()) <= {0, 3}
    varied = load_file(work / "sound_varied.safetensors")
    assert set(torch.bincount(varied["which"]).tolist()) <= {0, 2}  # one alone and one composite
    prototypes = json.loads((work / "typical.json").read_text(encoding="utf-8"))
    drawings, clips = prototypes["drawings"], prototypes["clips"]
    assert drawings.keys() == set(CONCEPTS) and all(1 <= len(x) <= 6 for x in drawings.values())
    assert clips.keys() == set(CLASSES) and all(1 <= len(x) <= 5 for x in clips.values())

    steps = [
        json.loads(x)["step"]
        for x in (work / "image_unet.log").read_text(encoding="utf-8").splitlines()
    ]
    assert steps == [50, 100]
    pair = itskit.load_pair(tmp_path / "pair")
    for modality in (pair.image, pair.sound):
        added = modality.encode_solo("rain") - modality.encode_prompt("rain")
        assert torch.allclose(added[0], shifts[modality.name], atol=1e-3) and added.any()
    result = itskit.compose(pair, "a castle", "rain", num_inference_steps=2, progress=False)
    assert result.latent.isfinite().all()
    assert pair.image.decode(torch.zeros(1, 4, 16, 16)).shape == (1, 1, 128, 128)


def test_a_missing_stage_or_set_is_named(folders, tmp_path):
    args = [*folders[0][:2], "--work", str(tmp_path), "--steps", "1"]
    joint = ["finetune", "joint", *args, "--from-shipped"]
    with pytest.raises(FileNotFoundError, match="prepare"):
        main(["vae", *args])
    with pytest.raises(FileNotFoundError, match="training latent-cache` first"):
        main(["scorers", *args])
    (tmp_path / "image_train.safetensors").touch()
    with pytest.raises(FileNotFoundError, match="training augment` first"):
        main(["scorers", *args])
    with pytest.raises(FileNotFoundError, match="training prototypes` first"):
        main(joint)
    (tmp_path / "typical.json").write_text('{"cat": [[1, false]]}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"'cat'.*itskit\.training prototypes` again"):
        main(joint)
    with pytest.raises(FileNotFoundError, match="training set"):
        main(["prepare", "--data", str(tmp_path), "--work", str(tmp_path)])


def test_a_tenth_is_held_out_and_groups_stay_together():
    splits = [files.split_of(f"castle|{k}") for k in range(4000)]
    assert splits.count("test") / 4000 == pytest.approx(0.10, abs=0.015)
    assert splits.count("validation") / 4000 == pytest.approx(0.05, abs=0.012)
    assert splits == [files.split_of(f"castle|{k}") for k in range(4000)]


def test_drawings_of_one_family_share_a_split(folders, tmp_path):
    write_pictures(tmp_path, np.random.default_rng(0))
    records = files.read_jsonl(tmp_path / "pictures.jsonl")
    for k, record in enumerate(records):
        record["source"] = f"npm:@set/noto-{k}@1.0"
    (tmp_path / "pictures.jsonl").write_text(
        "\n".join(json.dumps(r) for r in records), encoding="utf-8"
    )
    _, records = files.read_pictures(tmp_path)
    for concept in CONCEPTS:
        assert len({r["split"] for r in records if r["concept"] == concept}) == 1


@pytest.mark.parametrize("frames", [12, 90, 300, 512, 900])
def test_a_sound_of_any_length_fills_the_canvas(frames):
    mel = np.full((128, frames), 200, np.uint8)
    out = canvas.fill_with_sound(np.random.default_rng(1), mel)
    assert out.shape == (128, 512)
    assert out.min() >= 0
    assert out.max() <= 1
    quarters = out.reshape(128, 4, 128).mean((0, 2))
    assert (quarters > 0.05).all()


def test_sounds_are_levelled_by_at_most_20_db():
    rng = np.random.default_rng(0)
    for grey in (120, 180, 250):
        mel = np.full((128, 600), grey, np.uint8)
        mel[:64] = 0  # what is black stays black
        for _ in range(10):
            out = canvas.fill_with_sound(rng, mel)
            wanted = min(0.86, grey / 255 + 20 / canvas.DECIBELS)
            assert wanted - 1e-3 <= out.max() <= 1
            assert (out[:64] == 0).all()


def test_pauses_go_on_in_the_background_of_their_clip():
    mel = np.full((128, 60), 40, np.uint8)
    mel[:, :20] = 220  # a knock in a room that is not silent
    out = canvas.fill_with_sound(np.random.default_rng(0), mel)
    assert np.quantile(out, 0.01) > 0.5 * 40 / 255  # digital silence nowhere


def test_a_placed_drawing_keeps_its_shape(monkeypatch):
    monkeypatch.setattr(canvas, "TILT", 0.0)
    image = np.zeros((128, 128), np.uint8)
    image[10:110, 40:90] = 255  # twice as high as wide
    out = canvas.place_drawing(np.random.default_rng(3), image) > 0.2
    height, width = np.ptp(np.nonzero(out.any(1))) + 1, np.ptp(np.nonzero(out.any(0))) + 1
    assert height / width == pytest.approx(2, rel=0.05)


def test_drawings_are_tilted_by_a_few_degrees():
    image = np.zeros((128, 128), np.uint8)
    image[:, 60:68] = 255  # an upright line
    rng, found = np.random.default_rng(0), []
    for _ in range(300):
        rows, columns = np.nonzero(canvas.tilted(rng, image) > 128)
        found.append(np.degrees(np.arctan(np.polyfit(rows, columns, 1)[0])))
    assert np.std(found) == pytest.approx(canvas.TILT, rel=0.15)


def test_a_printed_canvas_lets_both_be_told():
    """In dB: quieter by `cut` where the drawing is dark, `level` below the loudest where it is."""
    rng = np.random.default_rng(0)
    drawing, sound = np.zeros((2, 128, 128), np.float32)
    drawing[30:90, 40:80] = 1
    sound[:, ::2] = 0.9  # clicks
    canvas_of = [canvas.printed(rng, drawing, sound) for _ in range(50)]
    for out in canvas_of:
        inside, outside = out[60, 50:60], out[10, 50:60]
        assert inside[::2] == pytest.approx(0.9)  # the clicks as loud as ever in the drawing
        cut = (0.9 - outside[::2]) * canvas.DECIBELS
        assert canvas.CUT[0] - 0.01 <= cut.min() and cut.max() <= canvas.CUT[1] + 0.01
        level = (0.9 - inside[1::2]) * canvas.DECIBELS
        assert canvas.LEVEL[0] - 0.01 <= level.min() and level.max() <= canvas.LEVEL[1] + 0.01
        assert (outside[1::2] == 0).all()


def test_both_models_learn_from_canvases_of_one_kind(monkeypatch, tmp_path):
    """A composite of the picture model is a square of a composite of the sound model."""
    monkeypatch.setattr(
        latent_cache, "encode_all", lambda vae, canvases, total, size=0: list(canvases)
    )
    saved = []

    def save_file(tensors, out):
        saved.append(tensors)
        out.touch()

    monkeypatch.setattr(latent_cache, "save_file", save_file)
    rng = np.random.default_rng(0)
    images = np.zeros((3, 128, 128), np.uint8)
    images[:, 20:100, 30:90] = rng.integers(120, 255, (3, 80, 60))
    mels = [[rng.integers(0, 200, (128, 600)).astype(np.uint8)] for _ in range(3)]
    compositor = Compositor(images, {"a": [0, 1], "b": [2]}, mels, {"hiss": [0, 1], "hum": [2]})
    latent_cache.save_picture_latents(
        None, compositor, [0, 1, 2], tmp_path / "image", alone=1, composites=60
    )
    latent_cache.save_sound_latents(
        None, compositor, [0, 1, 2], tmp_path / "sound", alone=1, composites=15
    )
    image, sound = saved
    squares, canvases = np.stack(image["latents"]), np.stack(sound["latents"])
    assert squares.shape == (183, 128, 128) and canvases.shape == (48, 128, 512)
    assert image["which"].tolist() == [0, 1, 2] * 61
    assert [int(n) for n in image["spans"].shape] == [183, 2]
    alone, composites = squares[:3], squares[3:]
    assert (alone == 0).mean() > 0.2 > 0.05 > (composites == 0).mean()  # black, or sound
    drawn, played = composites.mean(0), canvases[3:].reshape(-1, 128, 4, 128).mean((0, 2))
    assert np.abs(drawn - played).mean() < 0.1 * drawn.mean()


def test_no_more_than_so_many_of_each_class():
    records = [{"class": "rain"}] * 7 + [{"class": "wind"}] * 2
    assert latent_cache.thinned(list(range(9)), records, "class", None) == list(range(9))
    assert latent_cache.thinned(list(range(9)), records, "class", 3) == [0, 3, 6, 7, 8]
    assert latent_cache.thinned(list(range(9)), records, "class", 2) == [0, 4, 7, 8]


DRAWINGS = {"cat": [0, 1], "dog": [2, 3], "owl": [4]}
TWO = {"drawings": DRAWINGS, "played": range(3), "size": 2}


@pytest.fixture
def material():
    """(compositor, records of the drawings, records of the clips): a concept's drawings are of one
    grey, and so are the mel pictures of a class."""
    images = np.zeros((5, 128, 128), np.uint8)
    images[:, 20:100, 30:90] = np.array([200, 200, 120, 120, 60])[:, None, None]
    mels = [[np.full((128, 600), grey, np.uint8)] for grey in (90, 90, 180)]
    drawings, clips = {"cat": [0, 1], "dog": [2]}, {"rain": [0, 1], "wind": [2]}
    prototypes = {"cat": [[1, False]]}, {"rain": [1]}
    compositor = Compositor(images, drawings, mels, clips, *prototypes)
    records = [{"concept": c, "sounding": True} for c in ("cat", "cat", "dog", "dog", "owl")]
    sounds = [
        {"class": kind, "rec": str(k), "kind": "real", "captions": [f"{kind} {k}"], "keywords": []}
        for k, kind in enumerate(("rain", "rain", "wind"))
    ]
    return compositor, records, sounds


def test_composites_are_of_every_pair_but_those_excluded(material):
    compositor, records, sounds = material
    ways = {"drawings": DRAWINGS, "played": range(3), "size": 8}
    composites = Composites(compositor, records, sounds, **ways, excluded={("cat", "wind")})
    made = [batch for batch, _ in zip(batches(composites), range(60), strict=False)]
    both = [batch for batch in made if batch.composites]
    assert 25 < len(both) < 55  # two of three
    told = set()
    for batch in made:
        assert batch.pictures.dtype == batch.sounds.dtype == torch.uint8
        assert batch.pictures.shape == batch.sounds.shape == (8, 128, 512)
        assert torch.equal(batch.pictures, batch.sounds) == batch.composites
        pairs = zip(batch.picture_captions, batch.sound_captions, strict=True)
        if batch.composites:
            told |= {("cat" in seen, "wind" in heard) for seen, heard in pairs}
    assert told == {(True, False), (False, True), (False, False)}


def test_composites_begin_alike_for_one_seed_and_unlike_for_another(material):
    compositor, records, sounds = material

    def first(seed):
        composites = Composites(compositor, records, sounds, **TWO, seed=seed)
        return next(batches(composites)).pictures

    assert torch.equal(first(1), first(1)) and not torch.equal(first(1), first(2))


def test_every_worker_makes_something_else(material):
    compositor, records, sounds = material
    composites = Composites(compositor, records, sounds, **TWO)
    made = [
        batch.pictures for batch, _ in zip(batches(composites, workers=2), range(6), strict=False)
    ]
    assert not any(torch.equal(a, b) for k, a in enumerate(made) for b in made[:k])


def test_composites_may_leave_every_canvas_to_one_model(material):
    compositor, records, sounds = material
    composites = Composites(compositor, records, sounds, **TWO, alone=1.0)
    assert not any(
        batch.composites for batch, _ in zip(batches(composites), range(20), strict=False)
    )


@pytest.mark.parametrize("repeat", [0.0, 0.5])
def test_what_came_out_right_is_shown_again(material, tmp_path, repeat):
    compositor, records, sounds = material
    ones = torch.ones(3, 4, 16, 64).half() * torch.tensor([1, 2, 3]).half()[:, None, None, None]
    told = [("cat", "rain"), ("dog", "wind"), ("dog", "wind")]
    save_file({"latents": ones}, tmp_path / "harvest_7.safetensors", {"pairs": json.dumps(told)})
    accepted = all_accepted(tmp_path)
    assert {pair: len(some) for pair, some in accepted.items()} == {told[0]: 1, told[1]: 2}
    ways = {"drawings": DRAWINGS, "played": range(3), "size": 64}
    ways |= {"accepted": accepted, "repeat": repeat, "select_only": True}  # no pixels: quicker
    composites = Composites(compositor, records, sounds, **ways)
    levels = []
    for batch, _ in zip(batches(composites), range(90), strict=False):
        if isinstance(batch.pictures, Selection):
            continue
        assert batch.composites and torch.equal(batch.pictures, batch.sounds)
        latents = latents_of(None, batch.pictures, "cpu")
        assert latents.dtype == torch.float32 and latents.shape == (64, 4, 16, 64)
        pairs = zip(batch.picture_captions, batch.sound_captions, strict=True)
        for latent, (seen, heard) in zip(latents, pairs, strict=True):
            assert ("cat" in seen, "rain" in heard) == (bool(latent.max() == 1),) * 2
        levels += latents[:, 0, 0, 0].tolist()
    if not repeat:
        assert not levels
        return
    assert 15 < len(levels) / 64 < 45  # half of two in three
    assert np.mean([level == 1 for level in levels]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([level == 3 for level in levels]) == pytest.approx(0.25, abs=0.05)


def test_what_rarely_came_out_right_is_made_more_often(material):
    compositor, records, sounds = material
    latent = np.zeros((4, 16, 64), np.float16)
    accepted = {("cat", "rain"): [latent] * 3, ("dog", "rain"): [latent]}
    made = Composites(compositor, records, sounds, **TWO, accepted=accepted).compositor
    assert compositor.concept_odds is compositor.class_odds is None  # what was given is as it was
    # of 4, where 2 are usual: cat 3, dog 1, rain 4, wind none
    assert made.concept_odds * (1 / 1.8 + 1 / 0.8) == pytest.approx([1 / 1.8, 1 / 0.8])
    assert made.class_odds * (1 / 2.3 + 1 / 0.3) == pytest.approx([1 / 2.3, 1 / 0.3])
    rng = np.random.default_rng(0)
    pairs = [made.pair(rng)[1:] for _ in range(400)]
    cats = np.mean([concept == "cat" for concept, _ in pairs])
    windy = np.mean([clip == 2 for _, clip in pairs])
    assert cats == pytest.approx(0.8 / 2.6, abs=0.07)  # 3 errors
    assert windy == pytest.approx(2.3 / 2.6, abs=0.05)


def test_prototypes_are_shown_more_often(material):
    compositor, *_ = material
    compositor.images[0] = 0  # black; the other one is a prototype
    rng = np.random.default_rng(0)
    rows = [compositor.drawing(rng, "cat").reshape(128, 4, 128).max((0, 2)) > 0 for _ in range(400)]
    whole = np.mean([row.all() for row in rows])  # or four of two by chance
    assert whole == pytest.approx(PROTOTYPES + (1 - PROTOTYPES) / 16, abs=0.07)  # 3 errors


def test_prototype_clips_are_played_more_often(material):
    compositor, *_ = material
    rng = np.random.default_rng(0)
    second = np.mean([compositor.clip(rng, "rain") == 1 for _ in range(600)])
    expected = PROTOTYPE_CLIPS + (1 - PROTOTYPE_CLIPS) / 2
    assert second == pytest.approx(expected, abs=0.05)  # 3 errors
    assert {compositor.clip(rng, "wind") for _ in range(9)} == {2}  # there is no other


def test_prototype_clips_are_played_as_recorded_and_others_at_any_rate(material):
    compositor, *_ = material
    mels = [[np.full((128, 600), grey, np.uint8) for grey in (20, 120, 220)]] * 3
    compositor = replace(compositor, mels=mels)
    rng = np.random.default_rng(0)
    heard = {k: {int(compositor.played(rng, k).mean() * 3) for _ in range(40)} for k in (0, 1)}
    assert heard == {0: {0, 1, 2}, 1: {1}}  # thirds of white


def test_most_sounds_alone_are_of_the_clips_of_composites(material):
    compositor, records, sounds = material
    compositor = replace(compositor, clips={"rain": [0, 1]})
    composites = Composites(compositor, records, sounds, drawings=DRAWINGS, played=[2], size=2)
    rng = np.random.default_rng(0)
    other = np.mean([composites.clip(rng) == 2 for _ in range(600)])
    assert other == pytest.approx(BROAD, abs=0.05)  # 3 errors


def test_no_alias_is_one_that_the_evaluation_asks_for():
    asked = {words for _, _, words in PAIRS + VALIDATION_PAIRS} | set(UNSEEN_SOUNDS)
    aliases = {word for words in ALIASES.values() for word in words}
    assert not aliases & asked
    assert set(ALIASES) == {kind for _, kind, _ in PAIRS + VALIDATION_PAIRS}


def test_a_sound_is_called_by_its_clips_captions_aliases_and_class():
    record = {"class": "cow_moo", "captions": ["a bull bellowing"], "keywords": ["cow", "moo"]}
    rng = np.random.default_rng(0)
    told = [captions.sound_caption(rng, record) for _ in range(900)]
    own = np.mean(["a bull bellowing" in text for text in told])
    assert own == pytest.approx(0.4, abs=0.05)
    plain = np.mean([text == "a bull bellowing" for text in told])
    assert plain == pytest.approx(0.4 * captions.PLAIN, abs=0.05)
    aliases = [any(word in text for word in ALIASES["cow_moo"][:4]) for text in told]
    assert np.mean(aliases) > 0.3 and any(text.endswith("cow moo") for text in told)
    rare = {**record, "class": "yak_grunt"}
    some = [captions.sound_caption(rng, rare) for _ in range(900)]
    own = np.mean(["a bull bellowing" in text for text in some])
    assert own == pytest.approx(0.75, abs=0.05)
    twice = {**rare, "captions": ["the sound of a yak"]}
    some = [captions.sound_caption(rng, twice) for _ in range(200)]
    assert not any(text.count("sound") > 1 for text in some)


def test_the_evaluation_asks_in_a_way_that_no_caption_has():
    told = {
        word
        for template in (
            *captions.PICTURE_TEMPLATES, *captions.ROW_TEMPLATES, *captions.SOUND_TEMPLATES
        )
        for word in template.replace(",", "").split()
    }  # fmt: skip
    assert not told & {
        "stamp",
        "ink",
        "charcoal",
        "print",
        "hear",
        "hears",
    }
    for templates in (captions.PICTURE_TEMPLATES, captions.ROW_TEMPLATES, captions.SOUND_TEMPLATES):
        assert len(set(templates)) == len(templates) > 20


def test_texts_are_encoded_once_until_there_are_too_many():
    asked = []

    def encoder(texts):
        asked.extend(texts)
        return torch.tensor([[[float(len(text))]] for text in texts])

    texts = checkpoints.TextCache(encoder, limit=3)
    assert texts(["a", "bb", "a"]).flatten().tolist() == [1, 2, 1] and asked == ["a", "bb"]
    assert texts(["bb", "ccc"]).flatten().tolist() == [2, 3] and asked == ["a", "bb", "ccc"]
    assert texts(["a"]).flatten().tolist() == [1] and list(texts.rows) == ["a"]


def test_clips_are_played_by_class_and_recordings_before_synthesis():
    kinds = ["rain"] * 6 + ["wind"] * 2
    records = [
        {"class": c, "rec": str(k), "kind": "real" if k % 2 else "synth"}
        for k, c in enumerate(kinds)
    ]
    weights = sampling_weights.clip_weights(records, range(8))
    assert weights.sum() == pytest.approx(1)
    assert weights[1::2] / weights[::2] == pytest.approx([1.5] * 4)
    rain, wind = (sampling_weights.class_weight(*of) for of in (("rain", 6, 6), ("wind", 2, 2)))
    assert weights[:6].sum() / weights[6:].sum() == pytest.approx(rain / wind)


def layout_unet(columns):
    torch.manual_seed(0)
    return LayoutUNet(columns, hidden=16, block_out_channels=(32, 32, 32))


@pytest.mark.parametrize("columns", [16, 1])  # of a picture's squares, of a sound's spectrum
def test_the_layout_learns_the_mean_of_what_a_sentence_was_seen_with(columns):
    net = layout_unet(columns)
    words, rows = torch.randn(2, 24, 384), torch.randn(2, 4, 16, 48)
    parts = rows.split(columns, 3)
    by_hand = sum((part - net.usual(words[:, 0])).square().mean() for part in parts) / len(parts)
    assert layout_loss(net, rows, words).item() == pytest.approx(by_hand.item(), rel=1e-5)
    optimiser = torch.optim.Adam(net.layout.parameters(), 0.01)
    for _ in range(200):
        optimiser.zero_grad()
        layout_loss(net, rows, words).backward()
        optimiser.step()
    assert torch.allclose(net.usual(words[:, 0]), torch.stack(parts).mean(0), atol=0.05)


@pytest.mark.parametrize("columns", [16, 1])
def test_a_plain_unet_becomes_one_that_does_not_look_at_its_layout_yet(columns):
    net, plain = layout_unet(columns), text_unet((32, 32, 32))
    net.load_state_dict(plain.state_dict())
    latent, words, t = torch.randn(2, 4, 16, 32), torch.randn(2, 24, 384), torch.tensor([100, 800])
    torch.testing.assert_close(*(predict_v(n, latent, t, words, tile=16) for n in (plain, net)))
    assert not net.usual(words[:, 0]).any()
    again = layout_unet(columns)
    again.load_state_dict(net.state_dict())  # its own weights it takes as they are
    torch.testing.assert_close(again.state_dict(), net.state_dict())


def test_a_spectrum_is_told_in_every_column():
    net = layout_unet(columns=1)
    seen = []
    net.unet.conv_in.register_forward_hook(lambda module, given, found: seen.append(given[0]))
    torch.nn.init.normal_(net.layout[2].bias)
    latent, words = torch.randn(1, 4, 16, 8), torch.randn(1, 24, 384)
    net(latent, torch.tensor([500]), words, class_labels=words[:, 0])
    usual = net.usual(words[:, 0])  # (1, 4, 16, 1)
    torch.testing.assert_close(seen[0], torch.cat([latent, usual.expand(1, 4, 16, 8)], 1))


def test_denoising_does_not_teach_the_layout():
    net = layout_unet(16)
    torch.nn.init.ones_(net.layout[2].bias)
    latent, words = torch.randn(1, 4, 16, 32), torch.randn(1, 24, 384)
    predict_v(net, latent, torch.tensor([500]), words, tile=16).square().mean().backward()
    assert all(p.grad is None for p in net.layout.parameters())
    assert net.unet.conv_in.weight.grad[:, 4:].abs().sum() > 0  # but it is looked at


def test_likelihoods_are_a_softmax_of_cosines_at_the_scorers_temperature():
    class Net(torch.nn.Identity):
        log_temperature = torch.tensor(7.0).log()

    rng = torch.Generator().manual_seed(0)
    rows = {f"{a}{k}": torch.randn(24, 5, generator=rng) for a in "xyz" for k in range(3)}
    captions = {a: [f"{a}{k}" for k in range(3)] for a in "xyz"}
    of = naming.likelihoods(Net(), lambda some: torch.stack([rows[t] for t in some]), captions)
    means = {a: sum(rows[text][:1] for text in some) / 3 for a, some in captions.items()}
    latents = torch.nn.functional.normalize(torch.randn(9, 5, generator=rng), dim=1)
    found = of(latents)
    torch.testing.assert_close(found.exp().sum(1), torch.ones(9))
    cosines = torch.stack([torch.cosine_similarity(latents, mean) for mean in means.values()], 1)
    torch.testing.assert_close(found[:, 1:] - found[:, :1], 7 * (cosines[:, 1:] - cosines[:, :1]))


def test_both_losses_vanish_for_models_that_share_the_work():
    """If either prompt's change is known exactly, their sum is the composed canvas: v + a + b."""
    latents, a, b = torch.randn(3, 32, 4, 4, 4)
    table = stable_diffusion_alpha_bar()

    def model(change):
        def call(noisy, t, text):
            at = table[t][:, None, None, None]
            v = (at.sqrt() * noisy - latents) / (1 - at).sqrt()  # of the whole canvas
            return v - a - b + change * text.mean((1, 2))[:, None, None, None]

        return call

    told, empty = torch.ones(32, 24, 8), torch.zeros(1, 24, 8)
    composed, *alone = finetune.joint_loss(
        [model(a), model(b)], latents, [told, told], empty, table
    )
    assert composed < 1e-6
    for loss, other in zip(alone, (b, a), strict=True):
        assert float(loss) == pytest.approx(float(other.square().mean()), rel=1e-3)


def test_the_composed_loss_is_the_blend_at_guidance_two():
    torch.manual_seed(0)
    latents, told, empty = torch.randn(5, 4, 4, 4), torch.randn(2, 5, 3, 4), torch.randn(1, 3, 4)
    table = stable_diffusion_alpha_bar()
    calls = [lambda x, t, e, k=k: x.sin() * k + e.mean((1, 2))[:, None, None, None] for k in (1, 2)]
    torch.manual_seed(7)
    composed, _, _ = finetune.joint_loss(calls, latents, told, empty, table)
    torch.manual_seed(7)
    noisy, t, target = unet.noised(latents, table, late=0.5)
    guided = [
        call(noisy, t, empty) + 2 * (call(noisy, t, text) - call(noisy, t, empty))
        for call, text in zip(calls, told, strict=True)
    ]
    expected = ((guided[0] + guided[1]) / 2 - target).square().mean()
    assert float(composed) == pytest.approx(float(expected), rel=1e-5)


def test_errors_are_told_for_each_canvas_and_timestep():
    """Of models that know the truth and miss it by what the text says, those are its squares."""
    latents = torch.randn(3, 4, 16, 64, generator=torch.Generator().manual_seed(2))
    table = stable_diffusion_alpha_bar()
    misses = {"image": torch.tensor([0.0, 0.5, 1.0]), "sound": torch.tensor([0.0, 0.0, 2.0])}
    texts = [miss[:, None, None].expand(3, 24, 8) for miss in misses.values()]

    def call(noisy, t, text):
        a = table[t][:, None, None, None]
        noise = (noisy - a.sqrt() * latents) / (1 - a).sqrt()
        return a.sqrt() * noise - (1 - a).sqrt() * latents + text.mean((1, 2))[:, None, None, None]

    timesteps = torch.tensor([900, 500])
    found = validation_loss.losses_by_timestep(
        [call, call], latents, texts, torch.zeros(1, 24, 8), timesteps
    )
    assert found.shape == (2, 3, 3)
    image, sound = misses.values()
    expected = torch.stack([(image + sound).square(), image.square(), sound.square()])
    assert torch.allclose(found, expected.expand(2, 3, 3), atol=1e-3)

    lines = validation_loss.table_of_losses(found, found + 0.01, timesteps).splitlines()
    assert lines[0].split() == ["t", "900", "500"]
    assert lines[1].split()[2:] == ["3.0833", "3.0833"]  # (0 + 0.25 + 9) / 3
    assert lines[-1] == "over all timesteps: +0.0100 ± 0.0000"


def test_composites_teach_the_sum_and_others_each_model_alone():
    """Of models that predict nothing, each loss is the mean square of v: all of them are equal."""
    canvases = torch.full((2, 128, 512), 255, dtype=torch.uint8)
    shown = []

    def encode(pictures):
        shown.append(pictures)
        return pictures[:, None, ::32, ::32].float() / 255  # (2, 1, 4, 16)

    def loss(batch):
        torch.manual_seed(0)
        calls = [lambda x, t, e: torch.zeros_like(x)] * 2
        texts = lambda some: torch.zeros(len(some), 24, 8)  # noqa: E731
        layout = lambda latents, words: torch.tensor(0.5)  # noqa: E731
        layouts = [layout, layout]
        return finetune.joint_loss_function(calls, encode, iter([batch]), texts, layouts)(0, 0.0)

    total, parts = loss(Batch(canvases, canvases, ["a"] * 2, ["b"] * 2, composites=True))
    assert len(shown) == 1 and parts.keys() == {"composed", "image", "sound"}
    assert float(total) == pytest.approx(1.0 + 2 * float(parts["composed"]))
    assert len(set(map(float, parts.values()))) == 1
    other = canvases // 2
    total, parts = loss(Batch(canvases, other, ["a"] * 2, ["b"] * 2, composites=False))
    assert not parts and torch.equal(shown[1], canvases) and torch.equal(shown[2], other)
    assert 1.1 < float(total) < 5  # two losses of latents and noise of unit size


@pytest.mark.parametrize("columns", [16, 64])
def test_a_model_alone_is_taught_parts_of_canvases_each_with_its_caption(columns):
    rows = torch.arange(1.0, 4).view(3, 1, 1, 1).expand(3, 4, 16, 64)
    shown = []

    def layout(latents, words):
        shown.append((latents, words))
        return torch.tensor(0.25)

    texts = lambda some: torch.tensor([float(x or 0) for x in some]).view(-1, 1, 1)  # noqa: E731
    canvases = iter([(torch.zeros(3, 128, 512), ["1", "2", "3"])] * 60)
    loss_of = finetune.alone_loss_function(
        lambda x, t, e: torch.zeros_like(x),
        lambda _: rows,
        canvases,
        texts,
        layout,
        columns=columns,
    )
    losses = [float(loss_of(step, 0.0)[0]) for step in range(60)]
    told, each = 0, 64 // columns
    for latents, words in shown:
        assert latents.shape == (3 * each, 4, 16, columns)
        assert sorted(latents[:, 0, 0, 0].tolist()) == each * [1.0] + each * [2.0] + each * [3.0]
        kept = words[:, 0, 0] > 0  # the others' captions were dropped
        assert torch.equal(words[kept, 0, 0], latents[kept, 0, 0, 0])
        told += int(kept.sum())
    assert told / (60 * 3 * each) == pytest.approx(1 - unet.DROPOUT, abs=0.08)  # 3 errors
    assert min(losses) > 0.25 + 0.5  # of models that predict nothing: about 1 + the rows' squares


def test_late_draws_the_noisier_timesteps_more_often():
    """t = 1000 u ** late falls below 1000 q with probability q ** (1 / late)."""
    table, latents = stable_diffusion_alpha_bar(), torch.zeros(40_000, 1, 1, 1)
    for late in (1.0, 0.5):
        torch.manual_seed(0)
        _, t, _ = unet.noised(latents, table, late=late)
        assert t.min() >= 0 and t.max() <= 999
        for q in (0.1, 0.5, 0.9):
            share = float((t < 1000 * q).float().mean())
            assert share == pytest.approx(q ** (1 / late), abs=0.01)  # 4 standard errors


def test_half_precision_learns_the_same_lesson():
    """Where the machine has it, a gradient in bfloat16 points where the one in float32 does."""
    torch.manual_seed(0)
    net = text_unet((32, 64, 64))
    latent, words = torch.randn(2, 4, 16, 16), torch.randn(2, 24, 384)

    def gradient(context):
        net.zero_grad()
        with context:
            out = predict_v(net, latent, torch.tensor([100, 800]), words).float()
        (out - latent).square().mean().backward()
        return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])

    full, half = gradient(nullcontext()), gradient(half_precision())
    assert torch.cosine_similarity(full, half, dim=0) > 0.99
    assert half.norm() == pytest.approx(float(full.norm()), rel=0.05)


@pytest.mark.parametrize("strength", [0.0, 0.7])
def test_the_critic_pulls_with_its_share_of_the_reconstructions_strength(strength):
    """A decoder that returns its one parameter, whatever the latent: its gradient is the sum."""

    class Canvas(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.grey = torch.nn.Parameter(0.1 * torch.randn(1, 1, 128, 128))

        def forward(self, latent):
            return self.grey.expand(len(latent), -1, -1, -1)

    def gradient(strength, progress):
        torch.manual_seed(0)
        net = Autoencoder()
        net.decoder = Canvas()
        some = np.full((1, 128, 128), 200, np.uint8), [[np.full((128, 40), 99, np.uint8)]]
        crops = partial(crops_of, np.random.default_rng(0), *some, 1)
        loss_of = autoencoder.sharpening_loss_function(net, crops, strength=strength)
        loss_of(0, progress)[0].backward()
        return net.decoder.grey.grad

    alone = gradient(strength, progress=0.1)  # before the critic's time
    both = gradient(strength, progress=1.0)
    assert (both - alone).norm() == pytest.approx(strength * float(alone.norm()), rel=1e-3)


def test_the_critic_learns_to_tell_grain_from_grey():
    torch.manual_seed(0)
    critic = autoencoder.Critic(8)
    learner = torch.optim.Adam(critic.parameters(), 3e-3)
    for _ in range(40):
        real, made = torch.rand(4, 1, 32, 32), torch.full((4, 1, 32, 32), 0.5)
        loss = (1 - critic(real)).relu().mean() + (1 + critic(made)).relu().mean()
        learner.zero_grad()
        loss.backward()
        learner.step()
    assert (
        critic(torch.rand(4, 1, 32, 32)).mean()
        > critic(torch.full((4, 1, 32, 32), 0.5)).mean() + 0.5
    )
    assert critic(torch.rand(2, 1, 128, 256)).shape == (2, 1, 16, 32)


def test_the_spread_of_grain_that_was_put_in_is_what_is_found_missing():
    """Grey canvases with grain of a known spread in one half, painted as plain grey."""
    net = Autoencoder()
    spread = torch.zeros(1, 1, 128, 128)
    spread[..., 64:] = 0.03
    guess = torch.nn.Parameter(spread.clone())
    net.painted = lambda z: (torch.full((1, 1, 128, 128), 0.5), guess)
    loss_of = autoencoder.grain_loss_function(net, lambda: 0.5 + spread * net.texture[:, 128:256])
    right, parts = loss_of(0, 0.0)
    assert parts["wanted"] == pytest.approx(0.015, rel=0.15)
    for wrong in (0.5 * spread, 1.5 * spread, spread.flip(3), spread.mean().expand_as(spread)):
        guess.data = wrong
        assert loss_of(0, 0.0)[0] > 1.3 * right


def test_what_is_decoded_has_the_grain_of_white_noise_and_no_more_than_is_said():
    torch.manual_seed(0)
    net = Autoencoder().eval()
    torch.nn.init.zeros_(net.decoder[-2].weight)  # grey all over
    torch.nn.init.zeros_(net.grain[2].weight)
    torch.nn.init.constant_(net.grain[2].bias, float(np.log(np.expm1(0.4))))  # a spread of 0.04
    latent = torch.randn(1, 4, 16, 128)  # twice as wide as the texture
    with torch.no_grad():
        grain = net.decode(latent)[0, 0] - net.painted(latent)[0][0, 0]
    assert torch.allclose(grain.std(1), torch.full((128,), 0.04), rtol=0.02)
    noise = np.random.default_rng(7).standard_normal(512 * 160).astype(np.float32)
    noise = mel_picture(0.05 * noise, POCKET_MEL)
    for lag in (1, 2, 4):  # another noise has grains of the same length
        ours, theirs = (
            (x[..., lag:] - x[..., :-lag]).square().mean(1) / x.var(1) for x in (grain, noise)
        )
        assert ours.mean() == pytest.approx(float(theirs.mean()), rel=0.05)


def test_weights_from_before_the_grain_decode_as_they_did():
    torch.manual_seed(0)
    net, again = Autoencoder().eval(), Autoencoder().eval()
    older = {k: v for k, v in net.state_dict().items() if not k.startswith("grain.")}
    again.load_state_dict(older)
    latent = torch.randn(1, 4, 16, 16)
    with torch.no_grad():
        plain = (net.decoder(latent) / 2 + 0.5).clamp(0, 1)
        assert torch.allclose(again.decode(latent), plain, atol=1e-6)


def test_placing_latents_is_placing_pictures():
    """A row of coded tiles is the code of the row, away from the seams."""
    torch.manual_seed(0)
    net = Autoencoder()
    some = np.full((1, 128, 128), 90, np.uint8), [[np.zeros((128, 90), np.uint8)]]
    autoencoder.normalise_latents(net, partial(crops_of, np.random.default_rng(0), *some, 32))
    tile = np.zeros((128, 128), np.float32)
    tile[40:90, 48:80] = 1
    with torch.no_grad():
        coded = net.encode(torch.from_numpy(tile)[None, None])
        row = latent_cache.row_of_tiles(
            np.random.default_rng(0), coded, torch.tensor([[0, 16]]), 64
        )
    filled = (row.abs() > 1e-4).any(0).any(0).nonzero().flatten()
    first = int(filled[0]) * 8
    wide = np.zeros((128, 512), np.float32)
    offset = first - int((coded[0].abs() > 1e-4).any(0).any(0).nonzero()[0]) * 8
    wide[:, offset : offset + 128] = tile
    with torch.no_grad():
        whole = net.encode(torch.from_numpy(wide)[None, None])[0]
    columns = slice(offset // 8 + 4, offset // 8 + 12)  # where no neighbour reaches
    assert torch.allclose(row[..., columns], whole[..., columns], atol=1e-4)


def test_the_true_v_has_no_loss_and_others_have_theirs():
    latents = torch.randn(64, 4, 4, 4)
    table = stable_diffusion_alpha_bar()

    def oracle(noisy, t, _):
        a = table[t][:, None, None, None]
        noise = (noisy - a.sqrt() * latents) / (1 - a).sqrt()
        return a.sqrt() * noise - (1 - a).sqrt() * latents

    assert unet.v_loss(oracle, latents, None, table) < 1e-6
    loss = unet.v_loss(lambda *x: oracle(*x) + 0.5, latents, None, table)
    assert float(loss) == pytest.approx(0.25, rel=1e-3)


def test_the_average_follows_its_recurrence():
    net = torch.nn.Linear(1, 1, bias=False)
    average = loop.Average(net, decay=0.9)
    expected = float(net.weight.detach())
    for k in range(1, 200):
        with torch.no_grad():
            net.weight.fill_(float(k))
        average.update(net)
        decay = min(0.9, (1 + k) / (10 + k))
        expected = decay * expected + (1 - decay) * k
    assert float(average.state["weight"]) == pytest.approx(expected, rel=1e-5)


def test_muon_takes_the_nearest_rotation_of_what_is_wide_and_adamw_the_rest():
    """The orthogonal factor of a gradient is U V^T of its singular value decomposition."""
    torch.manual_seed(0)
    wide, narrow = torch.nn.Conv2d(64, 32, 3), torch.nn.Conv2d(3, 64, 3)
    net = torch.nn.Sequential(narrow, wide)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    net(torch.randn(2, 3, 8, 8)).square().sum().backward()
    gradients = {name: p.grad.clone() for name, p in net.named_parameters()}
    loop.Optimiser(list(net.parameters()), 1e-3, weight_decay=0.0, muon=True).step(1e-3)
    assert all(p.grad is None for p in net.parameters())
    moved = {name: before[name] - p.detach() for name, p in net.named_parameters()}

    for name in ("0.weight", "0.bias", "1.bias"):  # AdamW's first step goes by the signs alone
        assert torch.allclose(moved[name], 1e-3 * gradients[name].sign(), atol=2e-5)
    u, _, v = torch.linalg.svd(gradients["1.weight"].view(32, -1), full_matrices=False)
    rotation = u @ v  # (32, 576), an RMS of 1 / sqrt(576)
    step = moved["1.weight"].view(32, -1) / (1e-3 * 0.2 * 576**0.5)
    cosine = torch.nn.functional.cosine_similarity(step.flatten(), rotation.flatten(), 0)
    assert cosine > 0.95 and 0.7 < float(step.norm() / rotation.norm()) < 1.2


def test_muon_goes_on_where_it_stopped(tmp_path):
    def trained(*stops):
        torch.manual_seed(0)
        net = torch.nn.Linear(40, 40)
        out = tmp_path / f"{len(stops)}" / "net.safetensors"
        for steps in stops:

            def loss_of(step, progress):
                x = torch.randn(8, 40, generator=torch.Generator().manual_seed(step))
                return (net(x) - x.roll(1, 1)).square().mean(), {}

            class Stopped(loop.Budget):
                def begin(self):
                    clock = super().begin()
                    clock.progress = lambda step: step / 6 if step < self.steps else 1.0
                    return clock

            loop.train(net, loss_of, out, budget=Stopped(steps), muon=True)
        return net.weight.detach()

    assert torch.allclose(trained(6), trained(3, 6), atol=1e-6)


def test_a_state_of_another_optimiser_is_refused(tmp_path):
    out = tmp_path / "net.safetensors"
    net = torch.nn.Linear(40, 40)

    def loss_of(step, progress):
        return net.weight.square().mean(), {}

    loop.train(net, loss_of, out, budget=loop.Budget(1))
    with pytest.raises(ValueError, match=r"net\.state was begun by another optimiser"):
        loop.train(net, loss_of, out, budget=loop.Budget(2), muon=True)


def test_the_learning_rate_rises_stays_and_falls():
    assert loop.learning_rate(0.0, 0, 1.0) == pytest.approx(0.01)
    assert loop.learning_rate(0.2, 500, 1.0) == 1.0
    assert loop.learning_rate(0.7, 500, 1.0) == pytest.approx(0.51)
    assert loop.learning_rate(1.0, 500, 1.0) == pytest.approx(0.02)


def test_a_budget_ends_with_whichever_comes_first():
    budget = loop.Budget(steps=10, minutes=60).begin()
    assert budget.progress(5) == 0.5
    assert loop.Clock(steps=1000, minutes=1, spent=0.5).progress(1) == pytest.approx(0.5, abs=0.01)
