"""onnxruntime and PyTorch say the same; who is asked when; and what happens without one of them."""

import os
import shutil
import subprocess
import sys

import pytest
import torch

import itskit
from itskit import cli
from itskit.models import pocket
from itskit.models.pocket import engines, graphs
from itskit.models.pocket.weights import FOLDER, load_weights, save_weights

pytest.importorskip("onnxruntime")
PROMPTS = "a castle with towers", "church bells ringing"


@pytest.fixture(scope="module")
def pairs():
    return {engine: itskit.load_pair("pocket", engine=engine) for engine in engines.ENGINES}


@pytest.fixture
def counted(monkeypatch):
    """How often PyTorch's networks were loaded behind onnxruntime's."""
    loads, usual = [], engines.torch_engine
    monkeypatch.setattr(engines, "torch_engine", lambda read: loads.append(1) or usual(read))
    return loads


def _both(pairs, ask):
    return [ask(pairs[engine]) for engine in engines.ENGINES]


# ---- the same numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "width"), [(1, 512), (3, 256)])
def test_compositions_are_the_same(pairs, count, width):
    settings = {"seeds": range(count), "width": width, "num_inference_steps": 3}
    one, other = _both(pairs, lambda p: itskit.compose(p, *PROMPTS, progress=False, **settings))
    assert one.latent.std() > 0.5
    torch.testing.assert_close(one.latent, other.latent, atol=2e-3, rtol=0)
    assert one.recipe == other.recipe
    seen, wanted = (torch.from_numpy(run.mel_picture()) for run in (one, other))
    torch.testing.assert_close(seen, wanted, atol=2e-3, rtol=0)


def test_each_network_is_the_same_to_a_ten_thousandth(pairs):
    latent = itskit.init_latent(pairs["torch"], [1, 2], width=256)
    picture = torch.rand(2, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    for ask in (
        lambda p: p.image.encode_prompt("a cat on a very long, long roof"),
        lambda p: p.image.predict_noise(latent, 500, p.image.encode_prompt("").repeat(2, 1, 1)),
        lambda p: p.sound.predict_noise(latent, 500, p.sound.encode_prompt("").repeat(2, 1, 1)),
        lambda p: p.image.decode(latent),
        lambda p: p.sound.encode(picture),
        lambda p: p.scorers["image"](latent, "a cat"),
    ):
        one, other = _both(pairs, ask)
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_words_are_known_and_unknown_to_both(pairs):
    said = _both(pairs, lambda p: p.image.check_prompt("a theremin beside a xylotheque 🐈"))
    assert said[0] == said[1] and any("theremin" in note for note in said[0])


def test_an_item_of_a_batch_is_what_it_is_alone(pairs):
    pair = pairs["onnxruntime"]
    run = lambda seeds: itskit.compose(  # noqa: E731
        pair, *PROMPTS, seeds=seeds, num_inference_steps=2, progress=False
    )
    alone, among = run([5]).latent[0], run([4, 5, 6]).latent[1]
    torch.testing.assert_close(alone, among, atol=1e-4, rtol=0)


def test_changed_weights_are_used_by_both(pairs):
    def halved(name, state):
        return {key: value / 2 if name == "sound" else value for key, value in state.items()}

    changed = {e: pocket.load(change=halved, engine=e) for e in engines.ENGINES}
    assert len({pair.weights_hash for pair in changed.values()}) == 1
    latent = itskit.init_latent(changed["torch"], 3, 128)
    for name in ("image", "sound"):
        usual = getattr(pairs["torch"], name)
        words = usual.encode_prompt("rain")
        ask = lambda p, name=name, words=words: getattr(p, name).predict_noise(latent, 500, words)  # noqa: E731
        one, other = _both(changed, ask)
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
        same = torch.allclose(one, usual.predict_noise(latent, 500, words), atol=1e-4)
        assert same == (name == "image")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_changed_weights_may_be_of_any_type(dtype):
    state = load_weights(FOLDER, "vae.safetensors")
    given = {key: value.to(dtype) for key, value in state.items()}
    wanted = {key: value.float() for key, value in given.items()}
    latent = torch.randn(1, 4, 16, 8, generator=torch.Generator().manual_seed(1))
    one, other = (engines._session("decoder", lambda _, s=s: s) for s in (given, wanted))
    assert (
        one.run(None, {"latent": latent.numpy()})[0]
        == other.run(None, {"latent": latent.numpy()})[0]
    ).all()


def test_a_change_that_loses_weights_is_refused():
    with pytest.raises(ValueError, match=r"change\('image', weights\) gave other names.*conv_in"):
        pocket.load(
            change=lambda name, state: {k: v for k, v in state.items() if "conv_in" not in k}
        )
    with pytest.raises(ValueError, match="gave None: expected"):
        pocket.load(change=lambda name, state: None)


def test_weights_of_older_networks_do_in_both(tmp_path, pairs):
    """Without grain, and with one residual block where there are two now."""
    folder = shutil.copytree(FOLDER, tmp_path / "old")
    state = load_weights(FOLDER, "vae.safetensors")
    old = {k: v for k, v in state.items() if not k.startswith("grain") and ".more." not in k}
    assert len(old) < len(state)
    save_weights(old, folder / "vae.safetensors", bits=16)
    latent = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    pair = {engine: itskit.load_pair(folder, engine=engine) for engine in engines.ENGINES}
    one, other = _both(pair, lambda p: p.image.decode(latent))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    assert not torch.allclose(one, pairs["torch"].image.decode(latent), atol=1e-2)


def test_weights_of_another_network_are_refused(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "odd")
    save_weights({"decoder.0.weight": torch.zeros(8, 4, 3, 3)}, folder / "vae.safetensors")
    for engine in engines.ENGINES:
        with pytest.raises(RuntimeError, match=r"decoder\.0"):
            itskit.load_pair(folder, engine=engine)


# ---- who is asked --------------------------------------------------------------------------------


def test_gradients_are_pytorchs(pairs, counted):
    pair = itskit.load_pair("pocket", engine="onnxruntime")
    words = pair.image.encode_prompt("a cat")
    latent = itskit.init_latent(pair, 2, 128)
    pair.image.predict_noise(latent, 500, words)
    pair.image.decode(latent)
    assert not counted

    def slope(pair):
        z = latent.clone().requires_grad_()
        (
            pair.image.predict_noise(z, 500, words).square().sum() + pair.image.decode(z).sum()
        ).backward()
        return z.grad

    torch.testing.assert_close(slope(pair), slope(pairs["torch"]))
    slope(pair)
    assert counted == [1]  # loaded once
    with torch.no_grad():  # nobody will ask for any
        assert not pair.image.decode(latent.clone().requires_grad_()).requires_grad
    assert not pair.image.decode(latent).requires_grad


def test_what_onnxruntime_cannot_take_is_left_to_pytorch(pairs, counted):
    pair = itskit.load_pair("pocket", engine="onnxruntime")
    words = pair.sound.encode_prompt("rain")
    latent = itskit.init_latent(pair, 2, 128)
    tall = torch.rand(1, 1, 256, 128)
    assert pair.image.encode(tall).shape == (1, 4, 32, 16)
    assert counted == [1]
    with torch.autocast("cpu", torch.bfloat16):
        one, other = (p.sound.predict_noise(latent, 500, words) for p in (pair, pairs["torch"]))
    assert torch.equal(one, other)
    for wrong in (latent.double(), latent[0], latent[:, :3]):
        with pytest.raises((RuntimeError, ValueError)):
            pair.sound.predict_noise(wrong, 500, words)


def test_the_batch_is_shared_out_and_no_session_has_threads_of_its_own(monkeypatch):
    import onnxruntime

    made, usual = [], onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda data, options, **more: made.append(options) or usual(data, options, **more),
    )
    itskit.load_pair("pocket", engine="onnxruntime")
    assert len(made) == 5 and {options.intra_op_num_threads for options in made} == {1}


def test_what_was_decoded_last_is_not_decoded_again(monkeypatch):
    asked, usual = [], pocket.onnx_engine

    def counting(read):
        networks = usual(read)
        decoder = networks["decoder"]
        return networks | {"decoder": lambda z: asked.append(1) or decoder(z)}

    monkeypatch.setattr(pocket, "onnx_engine", counting)
    pair = pocket.load(engine="onnxruntime")
    latent, other = (itskit.init_latent(pair, seed, 128) for seed in (1, 2))
    seen = pair.image.decode(latent)
    first = seen.clone()
    seen.zero_()  # a caller's own
    assert torch.equal(pair.sound.decode(latent.clone()), first) and len(asked) == 1
    latent *= 0.5  # what is remembered is what it was
    assert not torch.equal(pair.image.decode(latent), first) and len(asked) == 2
    assert pair.image.decode(torch.cat([latent, other])).shape[0] == 2 and len(asked) == 3


# ---- which engine --------------------------------------------------------------------------------


def test_the_engine_is_chosen_by_argument_then_variable(monkeypatch):
    monkeypatch.delenv("ITSKIT_ENGINE", raising=False)
    assert engines.engine_of() == "onnxruntime"
    monkeypatch.setenv("ITSKIT_ENGINE", "torch")
    assert engines.engine_of() == "torch"
    assert engines.engine_of("onnxruntime") == "onnxruntime"
    monkeypatch.setenv("ITSKIT_ENGINE", "")
    assert engines.engine_of() == "onnxruntime"
    monkeypatch.setenv("ITSKIT_ENGINE", "tensorrt")
    with pytest.raises(ValueError, match=r"ITSKIT_ENGINE='tensorrt': expected \"onnxruntime\""):
        itskit.load_pair("pocket")
    with pytest.raises(ValueError, match=r"engine='jax': expected"):
        itskit.load_pair("pocket", engine="jax")


def test_without_onnxruntime_pytorch_computes(monkeypatch, pairs):
    monkeypatch.delenv("ITSKIT_ENGINE", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    pair = itskit.load_pair("pocket")
    latent = itskit.init_latent(pair, 2, 128)
    assert torch.equal(pair.image.decode(latent), pairs["torch"].image.decode(latent))
    with pytest.raises(ImportError, match="pip install onnxruntime"):
        itskit.load_pair("pocket", engine="onnxruntime")


def test_damaged_graphs_are_named_and_the_other_engine_works(tmp_path, monkeypatch):
    folder = shutil.copytree(graphs.FOLDER, tmp_path / "graphs")
    path = folder / "sound_unet.onnx"
    path.write_bytes(path.read_bytes().replace(b"Conv", b"Conf", 1))
    monkeypatch.setattr(graphs.read_graph, "__defaults__", (folder,))
    monkeypatch.setattr(graphs.model, "__defaults__", (folder,))
    with pytest.raises(ValueError, match=r"sound_unet\.onnx has the SHA-256 .* engine=\"torch\""):
        itskit.load_pair("pocket", engine="onnxruntime")
    itskit.load_pair("pocket", engine="torch")


def test_the_command_line_says_who_computes(capsys):
    cli.main(["info"])
    assert "onnxruntime" in capsys.readouterr().out


# ---- a light process -----------------------------------------------------------------------------

LIGHT = """
import sys, itskit
pair = itskit.load_pair("pocket", engine="onnxruntime")
run = itskit.compose(pair, "a theremin", "church bells ringing", num_inference_steps=1)
run.picture(), run.sound().audible(), pair.scorers["image"](run.latent, "a theremin")
itskit.encode(pair.sound, run.sound())
heavy = {"diffusers", "transformers", "librosa", "numba", "sklearn", "matplotlib", "onnx", "pandas",
         "scipy.signal", "pyloudnorm", "torch._dynamo", "sympy", "IPython", "ipywidgets"}
print(sorted(heavy & set(sys.modules)))
"""


def test_a_composing_process_imports_nothing_heavy():
    environment = os.environ | {"PYTHONPATH": str(FOLDER.parents[3])}
    run = [sys.executable, "-W", "ignore", "-c", LIGHT]
    done = subprocess.run(run, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
