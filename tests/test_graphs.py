"""The networks as ONNX: the same numbers as PyTorch's, from the same weights, and nothing twice."""

import shutil
from functools import cache, partial

import numpy as np
import pytest
import torch

from itskit.models.pocket import graphs
from itskit.models.pocket.engines import torch_engine
from itskit.models.pocket.text import TextEncoder
from itskit.models.pocket.weights import FOLDER, load_packed, load_weights

onnxruntime = pytest.importorskip("onnxruntime")

WORDS = ["a castle with towers", "", "Übermäßig 猫 🐈 " * 9]


@cache
def _networks():
    """PyTorch's, as functions of tensors in the order of the graphs' inputs."""
    return torch_engine(partial(load_packed, FOLDER))


@cache
def _tokenizer():
    return TextEncoder(FOLDER / "tokenizer.json", None).tokenizer


def _inputs(name, n, w):
    """Tensors for a batch of n, w latent columns wide, or w tokens long."""
    generator = torch.Generator().manual_seed(10 * n + w)
    latent = torch.randn(n, 4, 16, w, generator=generator)
    if name == "text_encoder":
        codes = _tokenizer().encode_batch((WORDS * n)[:n])
        kept = [(code.ids[:w], code.attention_mask[:w]) for code in codes]
        return [torch.tensor(part, dtype=torch.int32) for part in zip(*kept, strict=True)]
    if name == "encoder":
        return [torch.rand(n, 1, 128, 8 * w, generator=generator)]
    if name == "decoder":
        return [latent]
    text = 0.5 * torch.randn(n, 24, 384, generator=generator)
    return [latent, 999 * torch.rand(n, generator=generator).round(decimals=3), text]


def _feed(name, given):
    return {key: one.numpy() for key, one in zip(graphs.NETWORKS[name][1], given, strict=True)}


def _session(data):
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return graphs.write_onnx(tmp_path_factory.mktemp("onnx") / "new")


CASES = {
    "text_encoder": [(1, 23), (3, 23), (2, 3)],
    "image_unet": [(1, 16), (8, 16), (3, 32)],
    "sound_unet": [(1, 64), (2, 16), (3, 100)],
    "encoder": [(1, 64), (3, 20)],
    "decoder": [(1, 64), (2, 150)],
}


@pytest.mark.parametrize("name", list(CASES))
def test_onnx_files_say_what_the_networks_say(name, files):
    session = _session(str(files[name]))
    for n, w in CASES[name]:
        given = _inputs(name, n, w)
        with torch.no_grad():
            wanted = _networks()[name](*given).numpy()
        feed = _feed(name, given)
        (got,) = session.run([graphs.NETWORKS[name][2]], feed)
        assert got.shape == wanted.shape
        assert np.abs(wanted).max() > 0.1
        np.testing.assert_allclose(got, wanted, atol=1e-4, rtol=0)


def test_int8_files_are_small_and_say_what_float32_says(files, tmp_path):
    whole = graphs.write_onnx(tmp_path, quantised=False)
    sizes = {name: files[name].stat().st_size / 1e6 for name in files}
    assert sum(sizes.values()) < 52 and sizes["sound_unet"] < 12 and sizes["text_encoder"] < 23
    assert whole["sound_unet"].stat().st_size / 1e6 > 40
    given = _feed("sound_unet", _inputs("sound_unet", 2, 16))
    one, other = (_session(str(f["sound_unet"])).run(None, given)[0] for f in (files, whole))
    np.testing.assert_allclose(one, other, atol=1e-5, rtol=0)


def test_onnx_files_are_valid_and_use_operators_that_browsers_have(files):
    onnx = pytest.importorskip("onnx")
    for path in files.values():
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert {one.domain: one.version for one in model.opset_import} == {"": 18}
        used = {node.op_type for node in model.graph.node}
        assert not used & {"Loop", "If", "Scan", "SequenceAt", "SplitToSequence", "NonZero"}


@pytest.mark.parametrize("name", list(CASES))
def test_graphs_fit_the_architecture(name):
    """All weights of a network, of its own sizes; else `python -m itskit.training graphs`."""
    state = load_weights(FOLDER, graphs.NETWORKS[name][0])
    listed = graphs.read_graph(name)[1]["weights"]
    if name == "encoder":
        state = {
            key: value for key, value in state.items() if key[:7] in ("encoder", "shift", "scale")
        }
    if name == "decoder":
        state = {key: value for key, value in state.items() if not key.startswith("encoder")}
        state["texture"] = torch.empty(128, 512)
    assert listed == {key: "×".join(map(str, value.shape)) for key, value in state.items()}


@pytest.mark.slow
def test_the_command_makes_the_shipped_graphs(tmp_path):
    """They may differ in names and order with another PyTorch, but not in what they compute."""
    pytest.importorskip("onnxscript")
    from itskit.training.release.graphs import make_graphs

    make_graphs(out=tmp_path, which=["decoder", "text_encoder"])
    for name in ("decoder", "text_encoder"):
        entry, shipped = (graphs.read_graph(name, one)[1] for one in (tmp_path, graphs.FOLDER))
        assert (entry["weights"], entry["tables"]) == (shipped["weights"], shipped["tables"])
        packed = load_packed(FOLDER, graphs.NETWORKS[name][0])
        given = _inputs(name, 2, 20)
        feed = _feed(name, given)
        one, other = (
            _session(graphs.model(name, packed, folder)).run(None, feed)[0]
            for folder in (tmp_path, graphs.FOLDER)
        )
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=0)


def test_a_damaged_or_missing_graph_is_named(tmp_path, monkeypatch):
    folder = shutil.copytree(graphs.FOLDER, tmp_path / "graphs")
    path = folder / "decoder.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"decoder\.onnx has the SHA-256"):
        graphs.read_graph("decoder", folder)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"decoder\.onnx is missing"):
        graphs.read_graph("decoder", folder)
