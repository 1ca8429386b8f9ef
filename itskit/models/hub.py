"""Folders of weights: a local one, or a repository of the Hugging Face hub, downloaded once.

A folder has Stable Diffusion's layout, one subfolder for each part; "vocoder" is Auffusion's own.
Of the files of weights, the first that is there counts: safetensors before pickles (read without
unpickling objects), half precision first where half precision will be computed in.
"""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")

# Without these a part cannot be built; a tokenizer comes as one file or as two.
CONFIGS = {
    "unet": [["config.json"]],
    "vae": [["config.json"]],
    "text_encoder": [["config.json"]],
    "tokenizer": [["vocab.json", "merges.txt"], ["tokenizer.json"]],
    "scheduler": [["scheduler_config.json"]],
    "vocoder": [["config.json"]],
}
STEMS = {  # of safetensors and of pickles
    "unet": ("diffusion_pytorch_model", "diffusion_pytorch_model"),
    "vae": ("diffusion_pytorch_model", "diffusion_pytorch_model"),
    "text_encoder": ("model", "pytorch_model"),
}


def candidates(part: str, half: bool) -> list[str]:
    """Names of files that may hold the weights of `part`, the preferred one first."""
    if part == "vocoder":
        return ["vocoder.pt"]
    if part not in STEMS:
        return []
    safe, pickled = STEMS[part]
    full = [f"{safe}.safetensors", f"{pickled}.bin"]
    small = [f"{safe}.fp16.safetensors", f"{pickled}.fp16.bin"]
    return [small[0], full[0], small[1], full[1]] if half else [*full, *small]


def weights_file(folder: Path, part: str, half: bool) -> Path | None:
    """The file with the weights of `part`, None if there is none."""
    paths = (folder / part / name for name in candidates(part, half))
    return next((path for path in paths if path.is_file()), None)


def lacking(folder: Path, parts, half: bool) -> list[str]:
    """What `folder` lacks of the layout, in words; empty if it is complete."""
    lacks = []
    for part in parts:
        wanted = CONFIGS[part]
        if not any(all((folder / part / n).is_file() for n in names) for names in wanted):
            lacks.append(f"{part}/" + " or ".join("+".join(names) for names in wanted))
        if candidates(part, half) and weights_file(folder, part, half) is None:
            lacks.append(f"{part}/{candidates(part, half=False)[0]}")
    return lacks


def find(source: str | Path, parts=PARTS, half: bool = False) -> Path:
    """The folder of a model: `source` is a local folder or a repository's id, "owner/name".

    A repository is downloaded (with progress, resumable) unless the cache has it complete already,
    in whatever precision.
    Raises FileNotFoundError for a folder or repository that is not there or has another layout,
    PermissionError for a gated one, ConnectionError if it cannot be reached, ValueError if what
    arrived is damaged; OSError if the disk is full.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        if lacks := lacking(folder, parts, half):
            raise FileNotFoundError(f"{folder} lacks {', '.join(lacks)}: {_layout(parts)}")
        return folder
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)) or str(source)[0] in "./~":
        raise FileNotFoundError(
            f"{str(source)!r} is no folder here, nor a repository's id: expected a path to a "
            'folder, or "owner/name"'
        )
    return _cached(str(source), parts, half) or _download(str(source), parts, half)


def _layout(parts) -> str:
    return (
        f"expected Stable Diffusion's layout with the subfolders {', '.join(parts)}"
        + (" (Auffusion's vocoder/config.json and vocoder/vocoder.pt)" * ("vocoder" in parts))
        + "; a single .ckpt or .safetensors file has to be converted first"
    )


def _cached(repository: str, parts, half: bool) -> Path | None:
    """The folder in the hub's cache, if it is complete; asks no network."""
    try:
        folder = _snapshot(repository, local_files_only=True, allow_patterns=_small_files(parts))
    except FileNotFoundError:
        return None
    return None if lacking(folder, parts, half) else folder


def _snapshot(repository: str, **options) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository, **options))


def _small_files(parts) -> list[str]:
    return [f"{part}/{kind}" for part in parts for kind in ("*.json", "merges.txt")]


def _download(repository: str, parts, half: bool) -> Path:
    """Fetch small files and the preferred weights; then, for parts that have none, the next."""
    folder = Path("nothing yet")
    for choice in range(4):
        names = [
            f"{part}/{candidates(part, half)[choice]}"
            for part in parts
            if choice < len(candidates(part, half)) and not weights_file(folder, part, half)
        ]
        if names:
            folder = _fetch(repository, _small_files(parts) + names)
    if lacks := lacking(folder, parts, half):
        raise FileNotFoundError(f"{repository} lacks {', '.join(lacks)}: {_layout(parts)}")
    for part in parts:
        if path := weights_file(folder, part, half):
            _verify(path)
    return folder


def _fetch(repository: str, patterns: list[str]) -> Path:
    """`snapshot_download`, with errors that say what to do."""
    from huggingface_hub.utils import GatedRepoError, RepositoryNotFoundError

    try:
        return _snapshot(repository, allow_patterns=patterns)
    except GatedRepoError as error:
        raise PermissionError(
            f"{repository} is gated: accept its licence at https://huggingface.co/{repository} and "
            "log in (`huggingface-cli login`), or name an ungated copy"
        ) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"the hub has no repository {repository!r} that you may read: expected an id such as "
            '"stable-diffusion-v1-5/stable-diffusion-v1-5"; ids do move, look for a copy'
        ) from error
    except Exception as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise OSError(
                errno.ENOSPC,
                f"the disk is full while downloading {repository}: a model takes 2 to 5 GB; set "
                "HF_HOME to a larger disk",
            ) from error
        raise ConnectionError(
            f"{repository} could not be downloaded ({type(error).__name__}: {error}). Complete "
            "files are kept, so call again when there is a network (and HF_HUB_OFFLINE is not "
            "set); or pass a folder that somebody downloaded"
        ) from error


def _verify(path: Path) -> None:
    """Compare a downloaded file with the hash that the hub's cache has named it by."""
    stored = path.resolve()
    if stored == path.absolute() or not re.fullmatch(r"[0-9a-f]{64}", stored.name):
        return  # a copy without symbolic links, or a small file that is not named by its SHA-256
    digest = sha256()
    with stored.open("rb") as file:
        while block := file.read(2**22):
            digest.update(block)
    if digest.hexdigest() != stored.name:
        # Set aside, not deleted: the hub's library would take it for whole next time.
        aside = stored.with_name(f"{stored.name}.damaged")
        stored.replace(aside)
        path.unlink()  # a link to nothing
        raise ValueError(
            f"{path} arrived damaged (its SHA-256 is {digest.hexdigest()[:12]}…) and was set aside "
            f"as {aside}: call again to download it, and delete that file"
        )


@contextmanager
def reading(path: Path):
    """What goes wrong within is an error of the file `path`, unless memory, disk or rights were to
    blame. Nothing is deleted: who knows whether the file is damaged.

    Raises ValueError that says what to do.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # each format has errors of its own
        # PyTorch seeks before the beginning of a cut-off file: EINVAL.
        of_system = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
        if of_system or _is_memory(error):
            raise
        if path.is_symlink() and "snapshots" in path.parts:
            what = (
                f"if it is, delete {path.resolve()} and call again: that file alone is downloaded"
            )
        else:
            what = "if it is, copy or download it again"
        raise ValueError(f"{path} cannot be read and may be damaged ({error}): {what}") from error


def _is_memory(error: Exception) -> bool:
    """Whether PyTorch means that there was too little memory, which it has no one class for."""
    return any(words in str(error) for words in ("allocate memory", "out of memory"))


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a pickle, of which nothing else is read.

    Raises ValueError if the file is damaged.
    """
    with reading(path):
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)


def fingerprint(paths) -> str:
    """A short hash of files of weights: of their sizes and of a megabyte at either end."""
    digest = sha256()
    for path in paths:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            digest.update(file.read(2**20))
            file.seek(max(0, size - 2**20))
            digest.update(file.read())
    return digest.hexdigest()[:16]
