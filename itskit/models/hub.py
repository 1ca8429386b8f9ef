"""Folders of weights: a local one, or a repository of the Hugging Face hub, downloaded once.

A folder has Stable Diffusion's layout, one subfolder for each part; "vocoder" is Auffusion's own.
Of several files of weights one counts: safetensors before pickles (of which tensors alone are
read), then the precision that will be computed in.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
WEIGHTS = re.compile(r"(diffusion_pytorch_|pytorch_)?model(\.fp16)?\.(safetensors|bin)|vocoder\.pt")
# Without one of these a part cannot be built; all others have a config.json.
CONFIGS = {"tokenizer": ("merges.txt", "tokenizer.json"), "scheduler": ("scheduler_config.json",)}


def _preferred(names: list[str], half: bool) -> str | None:
    """The one of a subfolder's files to take the weights from."""
    found = [name for name in names if WEIGHTS.fullmatch(name)]
    found.sort(key=lambda name: (not name.endswith(".safetensors"), (".fp16." in name) != half))
    return found[0] if found else None


def weights_file(folder: Path, part: str, half: bool) -> Path | None:
    """The file with the weights of `part`, None if there is none."""
    name = _preferred([p.name for p in (folder / part).glob("*") if p.is_file()], half)
    return folder / part / name if name else None


def lacking(folder: Path, parts, half: bool) -> list[str]:
    """What `folder` lacks of the layout, in words; empty if it is complete."""
    lacks = []
    for part in parts:
        configs = CONFIGS.get(part, ("config.json",))
        if not any((folder / part / name).is_file() for name in configs):
            lacks.append(f"{part}/{' or '.join(configs)}")
        if part not in CONFIGS and not weights_file(folder, part, half):
            lacks.append(f"{part}/" + ("vocoder.pt" if part == "vocoder" else "*.safetensors"))
    return lacks


def find(source: str | Path, parts=PARTS, half: bool = False) -> Path:
    """The folder of a model: `source` is a local folder or a repository's id, "owner/name".

    A repository is downloaded (with progress, resumable) unless the cache has it complete already,
    in whatever precision.

    Raises
    ------
    FileNotFoundError
        If the folder or repository is not there or has another layout.
    PermissionError
        If the repository is gated.
    ConnectionError
        If the hub cannot be reached.
    ValueError
        If what arrived is damaged.
    OSError
        If the disk is full.
    """
    folder, source = Path(source).expanduser(), str(source)
    if not folder.is_dir():
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", source) or source[0] in "./~":
            raise FileNotFoundError(
                f"{source!r} is no folder here, nor a repository's id: expected a path to a "
                'folder, or "owner/name"'
            )
        folder = _cached(source, parts, half) or _download(source, parts, half)
    if lacks := lacking(folder, parts, half):
        raise FileNotFoundError(
            f"{source} lacks {', '.join(lacks)}: expected Stable Diffusion's layout with the "
            f"subfolders {', '.join(parts)}; a single .ckpt or .safetensors file has to be "
            "converted first"
        )
    return folder


def _cached(repository: str, parts, half: bool) -> Path | None:
    """The folder in the hub's cache, if it is complete; asks no network."""
    try:
        folder = _snapshot(repository, parts, local_files_only=True)
    except FileNotFoundError:
        return None
    return None if lacking(folder, parts, half) else folder


def _snapshot(repository: str, parts, weights=(), **options) -> Path:
    from huggingface_hub import snapshot_download

    small = [f"{part}/{kind}" for part in parts for kind in ("*.json", "merges.txt")]
    return Path(snapshot_download(repository, allow_patterns=[*small, *weights], **options))


def _download(repository: str, parts, half: bool) -> Path:
    """Fetch the small files and the weights of each part."""
    from huggingface_hub import HfApi

    with _explained(repository):
        info = HfApi().model_info(repository)  # asked once; `list_repo_files` insists
        there = [file.rfilename.partition("/") for file in info.siblings]
        names = {part: [name for top, _, name in there if top == part] for part in parts}
        best = {part: _preferred(names[part], half) for part in parts}
        weights = [f"{part}/{name}" for part, name in best.items() if name]
        folder = _snapshot(repository, parts, weights)
    for name in weights:
        _verify(folder / name)
    return folder


@contextmanager
def _explained(repository: str) -> Iterator[None]:
    """The hub's errors, with what to do about them."""
    from huggingface_hub.utils import GatedRepoError, RepositoryNotFoundError

    try:
        yield
    except GatedRepoError as error:
        raise PermissionError(
            f"{repository} is gated: accept its licence at https://huggingface.co/{repository} and "
            "log in (`hf auth login`), or name an ungated copy"
        ) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"the hub has no repository {repository!r} that you may read: expected an id such as "
            '"stable-diffusion-v1-5/stable-diffusion-v1-5"; ids do move, look for a copy'
        ) from error
    except Exception as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            advice = "a model takes 2 to 5 GB; set HF_HOME to a larger disk"
            text = f"the disk is full while downloading {repository}: {advice}"
            raise OSError(errno.ENOSPC, text) from error
        raise ConnectionError(
            f"{repository} could not be downloaded ({type(error).__name__}: {error}). Complete "
            "files are kept, so call again when there is a network (and HF_HUB_OFFLINE is not "
            "set); or pass a folder that somebody downloaded"
        ) from error


def _verify(path: Path) -> None:
    """Compare a downloaded file with the SHA-256 that the cache has named it by: the hub's library
    compares sizes alone."""
    from huggingface_hub.utils.sha import sha_fileobj

    stored = path.resolve()
    if not re.fullmatch(r"[0-9a-f]{64}", stored.name):
        return  # a copy without symbolic links
    with stored.open("rb") as file:
        found = sha_fileobj(file).hex()
    if found != stored.name:
        # Set aside, not deleted; left there, it would be taken for whole next time.
        aside = stored.replace(stored.with_name(f"{stored.name}.damaged"))
        path.unlink()  # a link to nothing
        raise ValueError(
            f"{path} arrived damaged (its SHA-256 is {found[:12]}…) and was set aside as {aside}: "
            "call again to download it, and delete that file"
        )


def load_network(kind, folder: Path, part: str, dtype: torch.dtype) -> nn.Module:
    """A network of diffusers' or transformers' class `kind` from `folder / part`, in `dtype`.

    Raises ValueError if the file is damaged or holds another network.
    """
    path = weights_file(folder, part, dtype != torch.float32)
    options = {
        "torch_dtype": dtype,
        "use_safetensors": path.suffix == ".safetensors",  # of pickles both read tensors alone
        "variant": "fp16" if ".fp16." in path.name else None,
        "low_cpu_mem_usage": False,  # would ask for accelerate, and save neither time nor memory
        "output_loading_info": True,
    }
    with reading(path):
        network, told = kind.from_pretrained(folder / part, **options)
        if lacks := sorted(told["missing_keys"]):  # they would be random
            raise ValueError(f"it lacks {lacks[0]} and {len(lacks) - 1} more")
    return network.eval().requires_grad_(False)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What goes wrong within is an error of the file `path`, unless memory, disk or rights were to
    blame. Nothing is deleted: who knows whether the file is damaged.

    Raises ValueError that says what to do.
    """
    try:
        yield
    except Exception as error:  # each format has errors of its own
        cause = error
        while cause:  # libraries wrap the error that counts
            if _is_of_system(cause):
                raise cause from None
            cause = cause.__cause__ or cause.__context__
        what = "copy or download it again"
        if path.is_symlink() and "snapshots" in path.parts:
            what = f"delete {path.resolve()} and call again: that file alone is downloaded"
        words = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{path} cannot be read and may be damaged, or of another network than its config.json "
            f"({words}): if it is, {what}"
        ) from error


def _is_of_system(error: BaseException) -> bool:
    """Whether memory was short, for which PyTorch has no one class, or the system refused."""
    if isinstance(error, OSError):  # PyTorch seeks before the beginning of a cut-off file: EINVAL
        return error.errno not in (None, errno.EINVAL)
    words = ("allocate memory", "out of memory")
    return isinstance(error, MemoryError) or any(part in str(error) for part in words)
