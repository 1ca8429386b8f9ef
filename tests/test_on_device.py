"""Canvases made on a device are those of `canvas.py`, given the same numbers; and in kind."""

from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from itskit.baselines import press_into, printing
from itskit.models.pocket.networks import (
    Autoencoder,
    LayoutUNet,
    Scorer,
    layout_loss,
    predict_v,
)
from itskit.training.dataset import augment, canvas, composites, on_device
from itskit.training.dataset.composites import Batch, Composites, Selection, batches
from itskit.training.dataset.compositor import Compositor
from itskit.training.dataset.material import FreshLatents
from itskit.training.fit import autoencoder, finetune, scorers


class Told:
    """A numpy Generator that says what it was told, in turn."""

    def __init__(self, **told):
        self.told = {kind: list(values) for kind, values in told.items()}

    def _next(self, kind):
        return self.told[kind].pop(0)

    def random(self):
        return self._next("random")

    def uniform(self, low, high):
        return low + (high - low) * self._next("uniform")

    def integers(self, low, high):
        return low + min(int(self._next("integers") * (high - low)), high - low - 1)

    def normal(self, mean, deviation, shape=None):
        value = self._next("normal")
        return mean + deviation * (value if shape is None else value[:, : shape[1]])

    def beta(self, *_):
        return self._next("beta")


def a_drawing(seed=0):
    """A filled shape and some strokes, with soft edges."""
    rng = np.random.default_rng(seed)
    image = np.zeros((128, 128), np.uint8)
    image[30:90, 40:75] = 230
    image[60:110, 70:100] = 140
    image[20:24, 30 : 60 + rng.integers(20)] = 255
    return np.asarray(Image.fromarray(image).resize((128, 128), Image.LANCZOS, (1, 2, 126, 127)))


PLACES = [  # normal (of the angle), mirrored, size, low, left, brightness: shares
    (0.0, False, 0.5, 0.3, 0.2, 1.0),
    (1.3, True, 0.0, 0.9, 0.7, 0.0),
    (-2.1, False, 1.0, 0.0, 0.999, 0.5),
    (0.4, True, 0.3, 1.0, 0.0, 0.25),
]


def test_a_drawing_is_placed_as_by_hand():
    image = a_drawing()
    by_hand = [
        canvas.place_drawing(
            Told(normal=[angle], random=[0.4 if mirrored else 0.6], uniform=[size, bright],
                 beta=[low], integers=[left]),
            image,
        )
        for angle, mirrored, size, low, left, bright in PLACES
    ]  # fmt: skip
    angle, mirrored, size, low, left, bright = map(torch.tensor, zip(*PLACES, strict=True))
    smallest, largest = canvas.SIZES
    how = on_device.Placing(angle * canvas.TILT, mirrored, smallest + (largest - smallest) * size,
                        low, left, 0.8 + 0.2 * bright)  # fmt: skip
    images = torch.from_numpy(image.copy()).float()[None].expand(len(PLACES), -1, -1) / 255
    made = on_device.placed(images, how).numpy()
    for ours, theirs in zip(made, by_hand, strict=True):
        # edges, and a rounded height or place, may differ by a pixel
        assert np.abs(ours - theirs).mean() < 0.02
        assert np.corrcoef(ours.flatten(), theirs.flatten())[0, 1] > 0.97
        assert ours.mean() == pytest.approx(theirs.mean(), rel=0.05)
        for side in (0, 1):
            seen, meant = (np.nonzero(x.max(side) > 0.1)[0] for x in (ours, theirs))
            assert np.abs(seen[[0, -1]] - meant[[0, -1]]).max() <= 2


def test_a_black_drawing_stays_black():
    how = on_device.Placing(*(torch.full((1,), x) for x in (3.0, True, 90.0, 0.5, 0.5, 1.0)))
    assert not on_device.placed(torch.zeros(1, 128, 128), how).any()


@pytest.mark.parametrize("frames", [13, 90, 300, 511, 512, 900])
@pytest.mark.parametrize("texture", [False, True])
def test_a_sound_fills_the_canvas_as_by_hand(frames, texture):
    rng = np.random.default_rng(frames)
    mel = rng.integers(20, 200, (128, frames)).astype(np.uint8)
    mel[100:] = 0
    if not texture:
        mel[:, frames // 2 :] //= 4
    clips = on_device.Clips([[mel]], "cpu")
    n = clips.repeats
    share = rng.random(3 + n).astype(np.float32).astype(float)
    noise = rng.standard_normal((128, 512))

    class Rng(Told):
        at = 0

        def normal(self, mean, deviation, shape):
            """The noise of the columns in which a pause stands."""
            out = deviation * noise[:, self.at : self.at + shape[1]]
            out = np.pad(out, ((0, 0), (0, shape[1] - out.shape[1])))
            self.at += shape[1] + frames
            return out

    goes_on = bool(clips.go_on[0])
    offset = int(share[1] * 40)
    gaps = [] if goes_on else list(share[3:])
    if frames >= 512:
        told = Rng(integers=[share[0]], uniform=[0.3])
    else:
        uniform = [] if goes_on else [share[2], *gaps]
        told = Rng(random=[0.9], integers=[share[1]], uniform=[*uniform, 0.3])
        enough = count_of_repeats(frames, offset, goes_on, share)
        told.told["uniform"] = [*uniform[: enough + 1], 0.3] if not goes_on else [0.3]
    by_hand = canvas.fill_with_sound(told, mel)
    one = lambda x: torch.tensor([float(x)])  # noqa: E731
    how = on_device.Filling(
        one(share[0]), torch.tensor([offset]), one(share[2]),
        torch.from_numpy(share[3:]).float()[None],
        torch.from_numpy(noise).float()[None], one(0.3),
    )  # fmt: skip
    made = on_device.filled(clips, torch.tensor([0]), how)[0].numpy()
    assert made.shape == by_hand.shape == (128, 512)
    np.testing.assert_allclose(made, by_hand, atol=2e-5)


def count_of_repeats(frames, offset, goes_on, share):
    """How many pauses `fill_with_sound` asks for."""
    pause, total, count = int(8 + share[2] * (22 + 0.6 * frames)), offset, 0
    while total < 512:
        total += frames + (0 if goes_on else int(pause * (0.8 + 0.45 * share[3 + count])))
        count += 1
    return count


def test_the_rule_is_the_same_for_each_item():
    torch.manual_seed(0)
    drawings, sounds = torch.rand(2, 5, 128, 512)
    level, cut = 40 + 20 * torch.rand(5, 1, 1), 10 + 8 * torch.rand(5, 1, 1)
    made = press_into(drawings, sounds, canvas.DECIBELS, level=level, cut=cut)
    for k in range(5):
        some = drawings[k], sounds[k], canvas.DECIBELS
        assert torch.equal(made[k], press_into(*some, level=level[k], cut=cut[k]))
        numbers = {"level": float(level[k]), "cut": float(cut[k])}
        torch.testing.assert_close(made[k], press_into(*some, **numbers), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (128, 128), (2, 128, 512)])
def test_the_loudest_is_the_quantile(shape):
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    expected = np.quantile(values.double().numpy().reshape(*shape[:-2], -1), 0.998, axis=-1)
    found = printing.loudest(values)
    assert found.shape == (*shape[:-2], 1, 1)
    np.testing.assert_allclose(found[..., 0, 0].numpy(), expected, atol=1e-6)


@pytest.fixture(scope="module")
def compositor():
    rng = np.random.default_rng(0)
    images = np.stack([a_drawing(k) for k in range(4)])
    mels = [[rng.integers(10, 220, (128, n)).astype(np.uint8)] for n in (60, 300, 700)]
    return Compositor(images, {"cat": [0, 1], "dog": [2, 3]}, mels,
                       {"rain": [0, 1], "wind": [2]},
                       {"cat": [[1, False]]}, {"rain": [1]})  # fmt: skip


def composites_of(compositor, **ways):
    records = [{"concept": c, "sounding": True} for c in ("cat", "cat", "dog", "dog")]
    sounds = [
        {"class": kind, "rec": str(k), "kind": "real", "captions": [kind], "keywords": []}
        for k, kind in enumerate(("rain", "rain", "wind"))
    ]
    return Composites(compositor, records, sounds, drawings={"cat": [0, 1], "dog": [2, 3]},
                played=range(3), size=8, **ways)  # fmt: skip


def selection_of(compositor, concepts, clips, seed=0):
    composites = composites_of(compositor, select_only=True)
    return composites.selection(np.random.default_rng(seed), concepts, clips)


@pytest.mark.parametrize("alone", [0.0, 1.0])
def test_canvases_made_either_way_are_of_one_kind(compositor, alone):
    """Grey levels and what is covered, on average over as many canvases."""
    device = on_device.DeviceCompositor(compositor.images, compositor.mels, seed=1)
    both = (
        composites_of(compositor, alone=alone),
        composites_of(compositor, alone=alone, select_only=True, seed=1),
    )
    by_hand = [b for b, _ in zip(batches(both[0]), range(12), strict=False)]
    made = [device.made(b) for b, _ in zip(batches(both[1]), range(12), strict=False)]
    for which in ("pictures", "sounds"):
        ours = torch.cat([getattr(b, which) for b in made])
        theirs = torch.cat([getattr(b, which) for b in by_hand]).float() / 255
        assert ours.shape == theirs.shape == (96, 128, 512)
        assert ours.min() >= 0 and ours.max() <= 1
        for number in (
            lambda x: x.mean((1, 2)), lambda x: (x > 0.1).float().mean((1, 2)),
            lambda x: x.amax((1, 2)), lambda x: x[:, :, ::7].diff(dim=1).abs().mean((1, 2)),
        ):  # fmt: skip
            mine, wanted = number(ours), number(theirs)
            error = ((mine.var() + wanted.var()) / 96).sqrt()
            assert abs(mine.mean() - wanted.mean()) < 4 * error + 0.005
        rows = ours.mean((0, 2)) - theirs.mean((0, 2))  # where things stand
        assert rows.abs().mean() < 0.03
    assert all(b.composites == (alone == 0) == (b.pictures is b.sounds) for b in made)


def test_one_seed_makes_the_same_and_another_does_not(compositor):
    selection = composites_of(compositor, select_only=True).selection(
        np.random.default_rng(0), ["cat", "dog"], [0, 2]
    )
    batch = Batch(selection.tensors(), None, ["", ""], ["", ""], True)

    def made(seed):
        return (
            on_device.DeviceCompositor(compositor.images, compositor.mels, seed=seed)
            .made(batch)
            .pictures
        )

    assert torch.equal(made(1), made(1)) and not torch.equal(made(1), made(2))
    other = on_device.DeviceCompositor(compositor.images, compositor.mels, seed=2)
    assert torch.equal(other.seeded(1).made(batch).pictures, made(1))
    assert torch.equal(other.made(batch).pictures, made(2))  # nothing was drawn from its generator


def test_a_row_is_four_drawings_and_latents_stay_what_they_are(compositor):
    device = on_device.DeviceCompositor(compositor.images, compositor.mels)
    for seed in range(8):
        selection = composites_of(compositor, select_only=True).selection(
            np.random.default_rng(seed), ["dog"], [0]
        )
        assert set(selection.drawings[0].tolist()) <= {2, 3} and selection.drawings.shape == (1, 4)
        seen = device.drawings(selection.tensors())[0].reshape(128, 4, 128).amax((0, 2)) > 0.1
        assert seen.all()
    latents = Batch(torch.zeros(1, 4, 16, 64), None, [""], [""], True)
    assert device.made(latents) is latents


def test_what_an_autoencoder_learns_is_in_the_order_of_its_batches(compositor):
    device = on_device.DeviceCompositor(compositor.images, compositor.mels)
    crops = device.crops(32, torch.arange(4), torch.arange(3))
    by_hand = canvas.crops(np.random.default_rng(0), compositor.images, compositor.mels, 32)
    by_hand = torch.from_numpy(by_hand)
    assert crops.shape == by_hand.shape == (32, 1, 128, 128)
    for k in range(4):
        ours, theirs = crops[k::4], by_hand[k::4]
        assert float(ours.mean()) == pytest.approx(float(theirs.mean()), abs=0.08)
        assert float((ours == 0).float().mean()) == pytest.approx(
            float((theirs == 0).float().mean()), abs=0.12
        )


def test_half_are_varied_and_stay_what_they_are(compositor):
    device = on_device.DeviceCompositor(compositor.images, compositor.mels)
    images = torch.from_numpy(compositor.images).float()[torch.arange(64) % 4] / 255
    made = augment.redrawn_some(device, images)
    same = [torch.equal(a, b) for a, b in zip(made, images, strict=True)]
    assert 16 < sum(same) < 48 and made.min() >= 0 and made.max() <= 1
    sounds = device.sounds(
        Selection(
            np.zeros((64, 4)), np.zeros((64, 4)), np.arange(64) % 3, np.zeros(64, int)
        ).tensors()
    )
    made = augment.rerecorded_some(device, sounds)
    same = [torch.equal(a, b) for a, b in zip(made, sounds, strict=True)]
    assert 16 < sum(same) < 48 and made.min() >= 0 and made.max() <= 1
    assert float(made.mean()) == pytest.approx(float(sounds.mean()), abs=0.1)


def test_echoes_fall_as_by_hand():
    sound = np.random.default_rng(0).uniform(0, 60, (128, 100))
    given, fall = torch.from_numpy(sound), 2.5
    ramp = torch.arange(100) * fall
    np.testing.assert_allclose(
        (given + ramp).cummax(1).values - ramp, augment.reverberant(sound, fall), atol=1e-9
    )


def test_everything_happens_on_the_device(compositor):
    """The device `meta` has shapes alone: what mixes it with the CPU, or reads a number, fails."""
    device = on_device.DeviceCompositor(compositor.images, compositor.mels, "meta")
    selection = composites_of(compositor, select_only=True).selection(
        np.random.default_rng(0), ["cat", "dog"], [0, 2]
    )
    for is_composite in (True, False):
        batch = device.made(Batch(selection.tensors(), None, [""] * 2, [""] * 2, is_composite))
        assert batch.pictures.shape == batch.sounds.shape == (2, 128, 512)
        assert batch.pictures.device.type == batch.sounds.device.type == "meta"
    rows = torch.arange(4, device="meta"), torch.arange(3, device="meta")
    assert device.crops(8, *rows).shape == (8, 1, 128, 128)
    assert device.varied(selection.tensors(), "image").device.type == "meta"
    assert device.varied(selection.tensors(), "sound").device.type == "meta"


@pytest.fixture
def on_meta(compositor, monkeypatch):
    """(device, (canvases) → latents, (texts) → states), of shapes alone."""
    for module in (composites, autoencoder, scorers):
        monkeypatch.setattr(module, "half_precision", lambda *_: nullcontext())
    device, coder = (
        on_device.DeviceCompositor(compositor.images, compositor.mels, "meta"),
        Autoencoder().to("meta"),
    )
    texts = lambda some: torch.zeros(len(some), 24, 384, device="meta")  # noqa: E731
    return device, partial(composites.latents_of, coder, device="meta"), texts


def learns(loss_of, net):
    """A step's gradients are there."""
    loss_of(0, 0.9)[0].backward()
    assert any(p.grad is not None for p in net.parameters())


def test_the_losses_of_both_unets_are_on_the_device(compositor, on_meta):
    device, encode, texts = on_meta
    options = {"hidden": 16, "block_out_channels": (32, 32, 32)}
    nets = [LayoutUNet(columns, **options).to("meta") for columns in (16, 1)]
    calls = [partial(predict_v, net, tile=tile) for net, tile in zip(nets, (16, None), strict=True)]
    layouts = [partial(layout_loss, net) for net in nets]
    for alone in (0.0, 1.0):
        of = composites_of(compositor, select_only=True, alone=alone)
        made = map(device.made, batches(of))
        learns(
            finetune.joint_loss_function(calls, encode, made, texts, layouts, device="meta"),
            nets[0],
        )
        shown = ((b.sounds, b.sound_captions) for b in map(device.made, batches(of)))
        learns(
            finetune.alone_loss_function(
                calls[1], encode, shown, texts, layouts[1], columns=32, device="meta"
            ),
            nets[1],
        )


def test_the_losses_of_the_autoencoder_are_on_the_device(on_meta):
    net, device = Autoencoder().to("meta"), on_meta[0]
    rows = torch.arange(4, device="meta"), torch.arange(3, device="meta")
    crops = partial(device.crops, 8, *rows)
    learns(autoencoder.loss_function(net, crops, device="meta"), net.encoder)
    learns(autoencoder.sharpening_loss_function(net, crops, device="meta"), net.decoder)
    autoencoder.normalise_latents(net, crops)


@pytest.mark.parametrize(("sense", "narrow"), [("image", 16), ("sound", 32)])
def test_the_losses_of_the_scorers_are_on_the_device(compositor, on_meta, sense, narrow):
    device, encode, texts = on_meta
    net, of = Scorer().to("meta"), composites_of(compositor, select_only=True)
    given = {name: FreshLatents(of, device, name, encode) for name in ("image", "sound")}
    other = given["sound" if sense == "image" else "image"]
    options = {"columns": 256, "narrow": narrow, "device": "meta"}
    learns(scorers.loss_function(net, given[sense], other, texts, **options), net)


@pytest.mark.parametrize(("sense", "columns"), [("image", 16), ("image", 64), ("sound", 32)])
def test_fresh_batches_name_what_they_show(compositor, sense, columns):
    """With latents that are mean grey levels, and drawings and sounds of unlike ones."""
    images = compositor.images.copy()
    images[2:] = images[2:] // 5
    bright = Compositor(images, compositor.drawings, compositor.mels, compositor.clips)
    device = on_device.DeviceCompositor(images, compositor.mels)
    fresh = FreshLatents(
        composites_of(bright, select_only=True), device, sense, lambda x: x[:, None, ::8, ::8]
    )
    latents, texts, labels = fresh.batch(np.random.default_rng(0), 30, columns)
    assert latents.shape == (30, 1, 16, columns) and len(texts) == len(labels) == 30
    word = {"cat": "cat", "dog": "dog", "rain": "rain", "wind": "wind"}
    for text, label in zip(texts, labels, strict=True):
        name = fresh.names[label]
        others = {word[other] for other in fresh.names} - {word[name]}
        assert not any(other in text for other in others)
    assert set(labels.tolist()) == {0, 1}
