"""Weights on disk: safetensors, matrices in int8 with one scale a row, hashes checked."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ...writing import written

FOLDER = Path(__file__).parent / "weights"
MANIFEST = "weights.json"  # file name → {"sha256", "parameters", "bytes", "trained"}


def quantise(state: dict, bits: int = 8) -> dict:
    """Matrices to int8 with the scale of each output row under `name.scale`; the rest to fp16."""
    out = {}
    for name, value in state.items():
        if not value.is_floating_point():
            out[name] = value
        elif bits == 8 and value.ndim >= 2 and value.numel() >= 4096:
            rows = value.float().flatten(1)  # (rows, entries)
            scale = rows.abs().amax(1).clamp(min=1e-12) / 127  # (rows,)
            out[name] = (rows / scale[:, None]).round().to(torch.int8).view(value.shape)
            out[name + ".scale"] = scale
        else:
            out[name] = value.half()
    return {name: value.contiguous() for name, value in out.items()}


def dequantise(state: dict) -> dict:
    """The inverse of `quantise`, in float32."""
    out = {}
    for name, value in state.items():
        if name.endswith(".scale") and name[:-6] in state:
            continue
        if value.dtype == torch.int8:
            scale = state[name + ".scale"].view(-1, *[1] * (value.ndim - 1))
            out[name] = value.float() * scale
        else:
            out[name] = value.float() if value.is_floating_point() else value
    return out


def sha256(path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digest(state: dict) -> str:
    """A short name for tensors, {name: tensor}: the hash of their names and values."""
    found = hashlib.sha256()
    for name in sorted(state):
        found.update(name.encode())
        found.update(state[name].detach().cpu().contiguous().float().numpy().tobytes())
    return found.hexdigest()[:8]


def save_weights(state: dict, path, *, bits: int = 8, trained: str = "") -> dict:
    """Write one network's weights and note them in the folder's manifest."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path) as part:
        save_file(quantise(state, bits), part, {"trained": trained})
    manifest = read_manifest(path.parent) if (path.parent / MANIFEST).exists() else {}
    manifest[path.name] = {
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "parameters": sum(v.numel() for v in state.values()),
        "trained": trained,
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    with written(path.parent / MANIFEST) as part:
        part.write_text(text, encoding="utf-8")
    return manifest[path.name]


def read_manifest(folder) -> dict:
    path = Path(folder) / MANIFEST
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: {folder} holds no pocket weights. Install itskit again "
            "(pip install --force-reinstall itskit), or name a folder made by "
            "`python -m itskit.training pack`."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def load_weights(folder, name: str) -> dict:
    """State dict (float32) of one network, with the errors of `load_packed`."""
    return dequantise(load_packed(folder, name))


def load_packed(folder, name: str) -> dict:
    """One network's weights as they are stored, {name: tensor}, as `quantise` made them.

    Raises FileNotFoundError if the file is missing, ValueError if its hash is not the manifest's.
    """
    path, entry = Path(folder) / name, read_manifest(folder).get(name)
    if entry is None or not path.exists():
        raise FileNotFoundError(
            f"{path} is missing. Expected the files {sorted(read_manifest(folder))}; install "
            "itskit again, or run `git checkout` on that file."
        )
    if (found := sha256(path)) != entry["sha256"]:
        raise ValueError(
            f"{path} has the SHA-256 {found[:16]}…, expected {entry['sha256'][:16]}…: the file is "
            "damaged or was changed. Install itskit again."
        )
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def weights_hash(folder) -> str:
    """One short name for all weights of a folder: the hash of their hashes."""
    hashes = sorted(entry["sha256"] for entry in read_manifest(folder).values())
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]
