"""The vocoder equals another implementation, written with PyTorch's own weight norm."""

import json
import pickle
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from itskit.models.hifigan import Generator, fold_weight_norm, load_vocoder

EVEN = {
    "num_mels": 6,
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "upsample_initial_channel": 16,
    "resblock": "1",
    "resblock_kernel_sizes": [3, 7],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]],
}
ODD = {**EVEN, "upsample_rates": [5, 4, 2], "upsample_kernel_sizes": [16, 16, 5]}
PLAIN = {**EVEN, "resblock": "2", "resblock_dilation_sizes": [[1, 3], [1, 3]]}


class Reference:
    """HiFi-GAN from its description: layers under weight norm, kept in a flat dict by name, and
    transposed convolutions written out as zeros put between the samples."""

    def __init__(self, config, seed=0, weights=None):
        self.config = config
        torch.manual_seed(seed)
        width = config["upsample_initial_channel"]
        self.layers = {"conv_pre": nn.Conv1d(config["num_mels"], width, 7)}
        pairs = zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True)
        for i, (rate, kernel) in enumerate(pairs):
            self.layers[f"ups.{i}"] = nn.ConvTranspose1d(width, width // 2, kernel, rate)
            width //= 2
            self._blocks(i, width)
        self.layers["conv_post"] = nn.Conv1d(width, 1, 7)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the old form is what checkpoints have
            for layer in self.layers.values():
                nn.utils.weight_norm(layer)
                layer.weight_g.data *= 1 + torch.rand_like(layer.weight_g)  # not |v| any more
        for name, layer in self.layers.items() if weights else ():
            layer.load_state_dict({key: weights[f"{name}.{key}"] for key in layer.state_dict()})

    def _blocks(self, i, width):
        sizes, spread = (self.config[f"resblock_{k}_sizes"] for k in ("kernel", "dilation"))
        names = ["convs1", "convs2"] if self.config["resblock"] == "1" else ["convs"]
        for j, (size, dilations) in enumerate(zip(sizes, spread, strict=True)):
            for name in names:
                for k, _ in enumerate(dilations):
                    where = f"resblocks.{i * len(sizes) + j}.{name}.{k}"
                    self.layers[where] = nn.Conv1d(width, width, size)

    def weights(self):
        return {
            f"{name}.{key}": value.detach()
            for name, layer in self.layers.items()
            for key, value in layer.state_dict().items()
        }

    def _convolve(self, name, x, dilation=1):
        layer = self.layers[name]
        layer(torch.zeros(1, layer.in_channels, 64))  # weight norm computes the weight in a call
        reach = dilation * (layer.kernel_size[0] - 1) // 2
        return F.conv1d(F.pad(x, (reach, reach)), layer.weight, layer.bias, dilation=dilation)

    def _stretch(self, i, x):
        rate, kernel = (self.config[f"upsample_{k}"][i] for k in ("rates", "kernel_sizes"))
        layer = self.layers[f"ups.{i}"]
        layer(torch.zeros(1, layer.in_channels, 4))
        spread = torch.zeros(*x.shape[:2], x.shape[2] * rate)
        spread[..., ::rate] = x
        # Where kernel - rate is odd, the cut in front is the longer by one sample.
        front = (kernel - rate) // 2 + (kernel - rate) % 2
        weight = layer.weight.transpose(0, 1).flip(2)
        padded = F.pad(spread, (kernel - 1 - front, front))
        return F.conv1d(padded, weight, layer.bias)[..., : spread.shape[2]]

    def __call__(self, x):
        sizes, spread = (self.config[f"resblock_{k}_sizes"] for k in ("kernel", "dilation"))
        x = self._convolve("conv_pre", x)
        for i in range(len(self.config["upsample_rates"])):
            x = self._stretch(i, torch.where(x > 0, x, 0.1 * x))
            outputs = []
            for j in range(len(sizes)):
                y, where = x, f"resblocks.{i * len(sizes) + j}"
                for k, dilation in enumerate(spread[j]):
                    z = torch.where(y > 0, y, 0.1 * y)
                    if self.config["resblock"] == "1":
                        z = self._convolve(f"{where}.convs1.{k}", z, dilation)
                        z = self._convolve(f"{where}.convs2.{k}", torch.where(z > 0, z, 0.1 * z))
                    else:
                        z = self._convolve(f"{where}.convs.{k}", z, dilation)
                    y = y + z
                outputs.append(y)
            x = torch.stack(outputs).mean(0)
        x = self._convolve("conv_post", torch.where(x > 0, x, 0.01 * x))
        return torch.tanh(x)[:, 0]


def _save(folder, config, weights):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.save({"generator": weights}, folder / "vocoder.pt")
    return folder


@pytest.mark.parametrize("config", [EVEN, ODD, PLAIN], ids=["even", "odd", "resblock 2"])
@torch.no_grad()
def test_equals_an_independent_implementation(config, tmp_path):
    reference = Reference(config)
    vocoder = load_vocoder(_save(tmp_path, config, reference.weights()))
    log_mel = torch.randn(2, 6, 11) * 3
    expected = reference(log_mel)
    assert expected.shape == (2, 11 * vocoder.hop) and expected.std() > 0.01
    torch.testing.assert_close(vocoder(log_mel), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("rate", [2, 5, 8])
@pytest.mark.parametrize("more", range(9))
def test_every_frame_becomes_exactly_one_hop(rate, more):
    kernel = rate + more
    config = {**EVEN, "upsample_rates": [rate], "upsample_kernel_sizes": [kernel]}
    assert Generator(config)(torch.randn(1, 6, 9)).shape == (1, 9 * rate)


def test_folding_is_what_pytorch_computes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = nn.utils.weight_norm(nn.ConvTranspose1d(3, 5, 4))
    layer.weight_g.data = torch.tensor([2.0, 0.5, -1.0]).view(3, 1, 1)
    folded = fold_weight_norm({f"x.{k}": v for k, v in layer.state_dict().items()})
    assert sorted(folded) == ["x.bias", "x.weight"]
    nn.utils.remove_weight_norm(layer)
    torch.testing.assert_close(folded["x.weight"], layer.weight.data)


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(EVEN), encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"vocoder\.pt is missing"):
        load_vocoder(tmp_path)


@pytest.mark.parametrize("keep", [0, 100, -500])
def test_a_truncated_checkpoint_is_refused(keep, tmp_path):
    _save(tmp_path, EVEN, Reference(EVEN).weights())
    whole = (tmp_path / "vocoder.pt").read_bytes()
    (tmp_path / "vocoder.pt").write_bytes(whole[:keep])
    with pytest.raises(ValueError, match=r"vocoder\.pt.* may be damaged.*download it again"):
        load_vocoder(tmp_path)


def test_weights_of_another_size_are_refused(tmp_path):
    _save(tmp_path, {**EVEN, "num_mels": 7}, Reference(EVEN).weights())
    with pytest.raises(ValueError, match="size mismatch"):
        load_vocoder(tmp_path)


class _Shout:
    def __reduce__(self):
        return print, ("unpickled!",)


def test_nothing_is_unpickled(tmp_path, capsys):
    _save(tmp_path, EVEN, {})
    shout = pickle.dumps({"generator": _Shout()}, protocol=2)
    (tmp_path / "vocoder.pt").write_bytes(shout)
    with pytest.raises(ValueError, match="may be damaged"):
        load_vocoder(tmp_path)
    assert "unpickled" not in capsys.readouterr().out
