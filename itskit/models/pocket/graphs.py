"""The pocket pair's networks for onnxruntime: graphs without weights, and weights to put in.

`graphs/NAME.onnx` says what a network computes and calls its weights by the names that they have in
the safetensors; `python -m itskit.training graphs` makes these files. The weights are those that
PyTorch gets, so nothing is stored twice, and new weights of the same shapes need no new graphs.
"""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from ...writing import written
from .onnx_file import weights_part
from .weights import FOLDER as WEIGHTS
from .weights import dequantise, load_packed, quantise

FOLDER = Path(__file__).parent / "graphs"
MANIFEST = "graphs.json"  # network → {"sha256", "weights": {name: "64×4×3×3"}, "tables"}

# network: the file of its weights, its inputs, its output
NETWORKS = {
    "text_encoder": ("text_encoder.safetensors", ("ids", "mask"), "text"),
    "image_unet": ("image_unet.safetensors", ("latent", "t", "text"), "v"),
    "sound_unet": ("sound_unet.safetensors", ("latent", "t", "text"), "v"),
    "encoder": ("vae.safetensors", ("picture",), "latent"),
    "decoder": ("vae.safetensors", ("latent",), "picture"),
}


def write_onnx(out, folder=WEIGHTS, quantised: bool = True) -> dict[str, Path]:
    """Write each network as an ONNX file that holds its weights, for onnxruntime anywhere.

    ====================  ==============================================  =======================
    file                  inputs                                          output
    ====================  ==============================================  =======================
    `text_encoder.onnx`   `ids` int32 (N, L), `mask` int32 (N, L)         `text` (N, L + 1, 384)
    `image_unet.onnx`     `latent` (N, 4, 16, 16), `t` (N,),              `v` (N, 4, 16, 16)
                          `text` (N, 24, 384)
    `sound_unet.onnx`     `latent` (N, 4, 16, w), `t` (N,),               `v` (N, 4, 16, w)
                          `text` (N, 24, 384)
    `encoder.onnx`        `picture` (N, 1, 128, W)                        `latent` (N, 4, 16, W/8)
    `decoder.onnx`        `latent` (N, 4, 16, w)                          `picture` (N, 1, 128, 8w)
    ====================  ==============================================  =======================

    All other tensors are float32. L = 23 for the U-Nets: the tokens of `tokenizer.json`, cut and
    padded to it with zeros; `mask` is 1 for a token and 0 for padding. Row 0 of `text` is the
    sentence. `t` is the timestep, 0 to 999, as a number. The picture U-Net looks at a canvas in
    squares of 16 latent columns, each an item of its own, as `networks.predict_v` cuts it; the
    sound U-Net takes any w that is a multiple of 4. The noise is sqrt(alpha_bar[t]) v +
    sqrt(1 - alpha_bar[t]) latent. Pictures are in [0, 1], row 0 at the top.

    Parameters
    ----------
    out : path
        A folder; it is made. Files of these names in it are replaced.
    folder : path
        The packed weights, by default those of the package.
    quantised : bool
        Whether weights stay int8 with one scale a row (float16 for the autoencoder), as they are in
        `folder`: a quarter of the size and the same results, for they are unpacked to float32 when
        the file is loaded. False writes float32.

    Returns
    -------
    dict
        Network -> path.

    Raises
    ------
    FileNotFoundError, ValueError
        If weights or graphs are missing, damaged or do not fit each other.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    paths = {name: out / f"{name}.onnx" for name in NETWORKS}
    for name, path in paths.items():
        packed = load_packed(folder, NETWORKS[name][0])
        with written(path) as part:
            Path(part).write_bytes(model(name, packed if quantised else dequantise(packed)))
    return paths


def model(name: str, state: dict, folder=FOLDER) -> bytes:
    """A network as an ONNX model with these weights.

    Parameters
    ----------
    name : str
        One of `NETWORKS`.
    state : dict
        Name -> tensor, packed as in the safetensors or float32. Those that the network does not use
        are left out; those of older networks are brought up to date.
    folder : path
        Where the graphs are.

    Returns
    -------
    bytes

    Raises
    ------
    FileNotFoundError, ValueError
        If the graph is missing or damaged.
    RuntimeError
        If the weights are those of another network.
    """
    graph, entry = read_graph(name, folder)
    if name == "decoder":
        state = state | {"texture": _texture()}
    if not _fits(state, entry["weights"]):
        state = _brought_up_to_date(name, state)
    used = {key for key in state if key.removesuffix(".scale") in entry["weights"]}
    arrays = {key: _as_array(state[key]) for key in sorted(used)}
    return weights_part(arrays, entry["tables"]) + graph


def read_graph(name: str, folder=FOLDER) -> tuple[bytes, dict]:
    """A graph, and its entry in the manifest.

    Raises FileNotFoundError if the file is missing, ValueError if its hash is not the manifest's.
    """
    path, listed = Path(folder) / f"{name}.onnx", Path(folder) / MANIFEST
    for file in (listed, path):
        if not file.exists():
            raise FileNotFoundError(
                f"{file} is missing: without it onnxruntime cannot compute the pocket pair. "
                'Install itskit again, or use PyTorch: load_pair("pocket", engine="torch").'
            )
    entry, data = json.loads(listed.read_text(encoding="utf-8"))[name], path.read_bytes()
    if (found := sha256(data).hexdigest()) != entry["sha256"]:
        raise ValueError(
            f"{path} has the SHA-256 {found[:16]}…, expected {entry['sha256'][:16]}…: the file is "
            'damaged or was changed. Install itskit again, or use PyTorch: load_pair("pocket", '
            'engine="torch").'
        )
    return data, entry


def _as_array(value: torch.Tensor) -> np.ndarray:
    """A weight as one of the types of an ONNX file: int8 and float16 as packed, or float32."""
    kept = value.dtype in (torch.int8, torch.float16)
    return (value if kept else value.float()).detach().cpu().numpy()


def _fits(state: dict, shapes: dict) -> bool:
    """Whether all of these weights are there, in these shapes."""
    found = {name: "×".join(map(str, state[name].shape)) for name in shapes if name in state}
    return found == shapes


def _brought_up_to_date(name: str, state: dict) -> dict:
    """Weights of an older network as those of today's that does the same, packed if they were.

    PyTorch's network knows how (`networks._deepen`, `_no_grain`, `_widen`), and complains of
    weights that are none of its own.
    """
    from .networks import UNETS, Autoencoder, ready
    from .text import bert

    make = {"text_encoder": bert, "encoder": Autoencoder, "decoder": Autoencoder}
    make |= {f"{sense}_unet": make_unet for sense, make_unet in UNETS.items()}
    packed = any(key.endswith(".scale") and key[:-6] in state for key in state)
    texture = {"texture": state["texture"]} if "texture" in state else {}
    state = {key: value for key, value in state.items() if key != "texture"}
    state = ready(make[name](), dequantise(state)).state_dict()
    return (quantise(state) if packed else state) | texture


@cache
def _texture():
    from .networks import white_noise

    return white_noise()
