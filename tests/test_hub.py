"""Downloads, with the real `huggingface_hub` and a hub on this machine that can fail."""

import errno
import shutil
from functools import partial
from types import SimpleNamespace

import huggingface_hub
import pytest
import safetensors.torch
import tiny_folders
import torch
from huggingface_hub import constants
from huggingface_hub.utils import LocalEntryNotFoundError, _http
from safetensors.torch import load_file, save_file
from tiny_hub import TinyHub

import itskit
from itskit.models import hub

UNET = "unet/diffusion_pytorch_model.safetensors"
HALF = "unet/diffusion_pytorch_model.fp16.safetensors"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    there = tmp_path_factory.mktemp("repositories")
    folders = {
        "some/sd": tiny_folders.stable_diffusion(there / "sd"),
        "some/auffusion": tiny_folders.auffusion(there / "auffusion"),
    }
    for name in ("safety_checker/model.safetensors", "sd-v1-5.ckpt"):  # gigabytes nobody needs
        (folders["some/sd"] / name).parent.mkdir(exist_ok=True)
        (folders["some/sd"] / name).write_bytes(b"large")
    return folders


@pytest.fixture
def tiny(folders, tmp_path, monkeypatch):
    """A hub of copies of the folders, and an empty cache."""
    repositories = {name: tmp_path / name for name in folders}
    for name, folder in folders.items():
        shutil.copytree(folder, repositories[name])
    with TinyHub(repositories) as tiny:
        here = {"endpoint": tiny.url, "cache_dir": tmp_path / "cache"}
        real = partial(huggingface_hub.snapshot_download, **here)
        asked = partial(huggingface_hub.HfApi, endpoint=tiny.url)
        monkeypatch.setattr(huggingface_hub, "HfApi", asked)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", real)
        _offline(monkeypatch, False)
        yield tiny


def _offline(monkeypatch, value):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", value)
    if hasattr(_http, "reset_sessions"):  # in versions before 1.0, which decide this only once
        _http.reset_sessions()


def _assert_whole(tiny, cache):
    """Whatever the cache shows is, byte for byte, what the hub has."""
    for snapshot in cache.glob("models--*/snapshots/*"):
        name = snapshot.parts[-3].removeprefix("models--").replace("--", "/")
        for path in (p for p in snapshot.rglob("*") if not p.is_dir()):
            whole = tiny.repositories[name] / path.relative_to(snapshot)
            assert path.read_bytes() == whole.read_bytes(), path


def test_a_pair_is_downloaded_once_and_then_needs_no_network(tiny, tmp_path, monkeypatch):
    models = {"image": "some/sd", "sound": "some/auffusion"}
    pair = itskit.load_pair("paper", **models)
    assert "safety_checker/model.safetensors" not in tiny.served
    assert "sd-v1-5.ckpt" not in tiny.served
    assert tiny.served.count(UNET) == 2 and "vocoder/vocoder.pt" in tiny.served
    _assert_whole(tiny, tmp_path / "cache")
    _offline(monkeypatch, True)
    again = itskit.load_pair("paper", **models)
    assert again.weights_hash == pair.weights_hash


def test_only_the_precision_that_is_used_is_downloaded(tiny):
    folder = tiny.repositories["some/sd"]
    halves = {name: value.half() for name, value in load_file(folder / UNET).items()}
    save_file(halves, folder / HALF)
    found = hub.find("some/sd", half=True)
    assert HALF in tiny.served and UNET not in tiny.served
    assert hub.weights_file(found, "unet", half=True) == found / HALF
    before = list(tiny.served)
    assert hub.find("some/sd", half=False) == found  # in float32 the halves will do
    assert tiny.served == before


def test_pickles_are_downloaded_only_where_there_is_nothing_else(tiny):
    folder = tiny.repositories["some/sd"]
    for part in ("unet", "vae"):
        weights = load_file(folder / part / "diffusion_pytorch_model.safetensors")
        torch.save(weights, folder / part / "diffusion_pytorch_model.bin")
    (folder / UNET).unlink()
    found = hub.find("some/sd")
    assert hub.weights_file(found, "unet", half=False).suffix == ".bin"
    assert "vae/diffusion_pytorch_model.bin" not in tiny.served


@pytest.mark.parametrize(
    ("half", "names", "best"),
    [
        (True, ["model.bin", "model.safetensors", "model.fp16.safetensors"], 2),
        (False, ["model.fp16.safetensors", "pytorch_model.bin", "model.safetensors"], 2),
        (False, ["pytorch_model.bin", "model.fp16.safetensors"], 1),  # half, but no pickle
        (True, ["pytorch_model.bin", "pytorch_model.fp16.bin"], 1),
        (False, ["model.non_ema.safetensors", "model.ckpt", "pytorch_model.bin"], 2),
    ],
)
def test_one_of_several_files_counts(tmp_path, half, names, best):
    for name in names:
        (tmp_path / "unet").mkdir(exist_ok=True)
        (tmp_path / "unet" / name).touch()
    assert hub.weights_file(tmp_path, "unet", half).name == names[best]


def test_a_download_that_breaks_off_is_resumed(tiny, tmp_path):
    tiny.cut = {UNET}
    with pytest.raises(ConnectionError, match=r"some/sd could not be downloaded.*call again"):
        hub.find("some/sd")
    _assert_whole(tiny, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob(f"models--*/snapshots/*/{UNET}"))
    tiny.cut, before = set(), list(tiny.served)
    folder = hub.find("some/sd")
    assert not hub.lacking(folder, hub.PARTS, half=False)
    _assert_whole(tiny, tmp_path / "cache")
    again = tiny.served[len(before) :]
    assert UNET in again and not set(before) & set(again)


def test_a_file_that_arrives_with_the_wrong_hash_is_refused_and_set_aside(tiny, tmp_path):
    tiny.spoiled = {UNET}
    with pytest.raises(ValueError, match=r"its SHA-256 is.*set aside as .*\.damaged: call again"):
        hub.find("some/sd")
    (aside,) = (tmp_path / "cache").rglob("*.damaged")
    assert aside.stat().st_size == (tiny.repositories["some/sd"] / UNET).stat().st_size
    _assert_whole(tiny, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob(f"models--*/snapshots/*/{UNET}"))
    tiny.spoiled = set()
    hub.find("some/sd")
    _assert_whole(tiny, tmp_path / "cache")


@pytest.mark.parametrize("name", [UNET, "text_encoder/model.safetensors", "vocoder/vocoder.pt"])
def test_a_file_that_decays_in_the_cache_is_named_and_once_deleted_fetched_again(name, tiny):
    models = {"image": "some/sd", "sound": "some/auffusion"}
    pair = itskit.load_pair("paper", **models)
    repository = "some/auffusion" if "vocoder" in name else "some/sd"
    stored = (hub.find(repository) / name).resolve()
    stored.write_bytes(stored.read_bytes()[:-100])
    short = stored.read_bytes()
    for _ in range(2):  # it says so as often as it is asked, and deletes nothing
        with pytest.raises(ValueError, match=rf"may be damaged.*delete {stored} and call again"):
            itskit.load_pair("paper", **models)
        assert stored.read_bytes() == short
    before = list(tiny.served)
    stored.unlink()
    assert itskit.load_pair("paper", **models).weights_hash == pair.weights_hash
    assert [file for file in tiny.served[len(before) :] if file.endswith((".pt", ".safetensors"))]


ALLOCATOR = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"
)


NOT_THE_FILES = [
    MemoryError(),
    RuntimeError(ALLOCATOR),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    PermissionError(errno.EACCES, "Permission denied"),
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
]


@pytest.mark.parametrize("name", [UNET, "text_encoder/model.safetensors", "vocoder/vocoder.pt"])
def test_too_little_memory_is_not_the_files_fault(name, tiny, tmp_path, monkeypatch):
    models = {"image": "some/sd", "sound": "some/auffusion"}
    itskit.load_pair("paper", **models)
    files = {p: p.read_bytes() for p in (tmp_path / "cache").rglob("*") if p.is_file()}
    before = list(tiny.served)

    def small(*given, **options):
        raise error

    if name == UNET:
        monkeypatch.setattr(safetensors.torch, "load_file", small)
    elif "vocoder" in name:
        monkeypatch.setattr(torch, "load", small)
    else:
        monkeypatch.setattr("transformers.CLIPTextModel.from_pretrained", small)
    for error in NOT_THE_FILES:
        with pytest.raises(type(error)) as caught:
            itskit.load_pair("paper", **models)
        assert caught.value is error
        cached = {p: p.read_bytes() for p in (tmp_path / "cache").rglob("*") if p.is_file()}
        assert cached == files
    assert tiny.served == before


def test_a_gated_repository_says_what_to_do(tiny):
    tiny.refused = {"some/sd": "GatedRepo"}
    with pytest.raises(PermissionError, match=r"gated: accept.*huggingface\.co/some/sd.*ungated"):
        hub.find("some/sd")


def test_a_repository_that_is_gone_says_so(tiny):
    with pytest.raises(FileNotFoundError, match="no repository 'some/moved' that you may read"):
        hub.find("some/moved")


def test_a_repository_of_another_layout_is_named(tiny):
    shutil.rmtree(tiny.repositories["some/sd"] / "vae")
    with pytest.raises(
        FileNotFoundError, match=r"some/sd lacks vae/config\.json, vae/\*\.safe.*expected Stable"
    ):
        hub.find("some/sd")


def test_without_a_network_nothing_is_waited_for(tmp_path, monkeypatch):
    real = partial(huggingface_hub.snapshot_download, cache_dir=tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", real)
    _offline(monkeypatch, True)
    with pytest.raises(ConnectionError, match=r"auffusion|stable.*HF_HUB_OFFLINE is not set"):
        itskit.load_pair("paper")


def test_a_full_disk_is_told_apart(tmp_path, monkeypatch):
    def full(*args, local_files_only=False, **options):
        if local_files_only:
            raise LocalEntryNotFoundError("nothing here")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", full)
    there = SimpleNamespace(siblings=[])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda api, repository: there)
    with pytest.raises(OSError, match=r"disk is full.*set HF_HOME") as caught:
        hub.find("some/sd")
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize("source", ["no/such/folder", "./nowhere", "/nowhere", "word"])
def test_what_is_neither_folder_nor_repository_is_refused(source):
    with pytest.raises(FileNotFoundError, match="is no folder here, nor a repository's id"):
        hub.find(source)
