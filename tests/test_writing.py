"""Files are written whole or not at all: on a full disk, under Ctrl-C, over a good old file."""

import builtins
import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from a_run import run
from PIL import Image

from itskit import baselines, export, plots
from itskit.models.pocket.weights import save_weights
from itskit.training.checkpoints import save_weights as save_checkpoint
from itskit.trajectory import Trajectory
from itskit.writing import append_line, check_folder, read_lines, written

OLD = b"what was there before"


@pytest.fixture(scope="module")
def trajectory():
    return run(12)


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder on a disk of 64 KiB that is nearly full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or os.geteuid() or subprocess.run(mount).returncode:
        pytest.skip("a disk of its own can be mounted by root on Linux only")
    try:
        (folder / "ballast").write_bytes(bytes(56 * 1024))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def sds_step():
    state = {"noise": torch.randn(40_000)}
    canvas = baselines.Canvas(torch.zeros(1, 1, 2, 2), {"method": "sds"})
    return baselines.SDSStep(0, canvas, None, None, state)


# Every writer of the package, as (name of the file, function of the run and the path).
WRITERS = {
    "a.png": export.png,
    "a.wav": export.audio,
    "a.flac": export.audio,
    "a.ogg": export.audio,
    "a.mp3": export.audio,
    "a.gif": export.animation,
    "a.webp": export.animation,
    "sheet.png": export.contact_sheet,
    "a.mp4": export.video,
    "a.html": export.page,
    "plot.png": lambda r, path: export.figure(plots.diagnosis(r), r, path),
    "saved.html": lambda r, path: export.pages.Page("x" * 100_000).save(path),
    "picture.bmp": lambda r, path: r.picture().save(path),
    "sound.wav": lambda r, path: r.sound().save(path),
    "sound.ogg": lambda r, path: r.sound().save(path),
    "run.safetensors": lambda r, path: r.save(path),
    "sds.safetensors": lambda r, path: sds_step().save(path),
    "net.safetensors": lambda r, path: save_weights({"w": torch.randn(90_000)}, path),
    "trained.safetensors": lambda r, path: save_checkpoint({"w": torch.randn(90_000)}, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_keeps_the_old_file_and_names_the_new(tiny_disk, trajectory, name):
    path = tiny_disk / name
    path.write_bytes(OLD)
    before = sorted(tiny_disk.iterdir())
    # Small pictures may fit; fill what is left.
    filler = tiny_disk / "filler"
    with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(4096))
    with pytest.raises(OSError, match=rf"{name} could not be written: the disk is full") as caught:
        WRITERS[name](trajectory, path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == OLD
    assert sorted(tiny_disk.iterdir()) == sorted([*before, filler])  # and nothing half beside it


def test_a_disk_that_fills_up_half_way_says_so(tiny_disk, trajectory):
    """The head fits, the rest does not: where libraries leave a file cut off, or say nothing."""
    for name in ("a.wav", "a.ogg", "a.mp3", "a.gif", "a.mp4", "a.html", "run.safetensors"):
        path = tiny_disk / name
        with pytest.raises(OSError, match=rf"{name} could not be written: the disk is full"):
            WRITERS[name](trajectory, path)
        assert [p.name for p in tiny_disk.iterdir()] == ["ballast"]


@pytest.mark.parametrize("name", [n for n in WRITERS if not n.endswith((".mp4", ".safetensors"))])
def test_a_write_that_fails_keeps_the_old_file(tmp_path, trajectory, monkeypatch, name):
    """The same for whoever may not mount a disk: Python's own files fail after a kilobyte."""
    path = tmp_path / name
    path.write_bytes(OLD)
    real = builtins.open

    def full(file, mode="r", *args, **kwargs):
        opened = real(file, mode, *args, **kwargs)
        if "r" not in mode and Path(file).parent == tmp_path:
            opened.write("x" * 1000 if "b" not in mode else b"x" * 1000)
            opened.close()
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened

    monkeypatch.setattr(builtins, "open", full)
    monkeypatch.setattr("io.open", full)
    with pytest.raises(OSError, match=rf"{name} could not be written: the disk is full"):
        WRITERS[name](trajectory, path)
    monkeypatch.undo()
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_whoever_stops_leaves_nothing_half(tmp_path, stop):
    path = tmp_path / "a.txt"
    path.write_bytes(OLD)
    with pytest.raises(stop), written(path) as part:
        part.write_text("half", encoding="utf-8")
        raise stop
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_takes_the_place_of_the_old_file_and_keeps_its_rights(tmp_path):
    path, link = tmp_path / "a.txt", tmp_path / "link.txt"
    path.write_bytes(OLD)
    path.chmod(0o640)
    link.symlink_to(path)
    with written(link) as part:
        assert part.suffix == ".txt" and part.parent == tmp_path
        part.write_text("new", encoding="utf-8")
    assert link.is_symlink() and path.read_text(encoding="utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with written(tmp_path / "fresh.txt") as part:
        part.write_text("new", encoding="utf-8")
    (tmp_path / "plain.txt").touch()
    modes = [(tmp_path / f"{name}.txt").stat().st_mode for name in ("fresh", "plain")]
    assert modes[0] == modes[1]  # as the umask says


def test_errors_about_other_files_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, written(tmp_path / "a.txt"):
        (tmp_path / "missing").read_bytes()
    assert caught.value.filename == str(tmp_path / "missing")
    with pytest.raises(OSError, match=r"^cannot write mode F as PNG$"):
        from itskit.media import Picture

        Picture(Image.new("F", (2, 2))).save(tmp_path / "a.png")


def test_devices_and_file_objects_are_written_to_as_they_are(tmp_path, trajectory):
    trajectory.picture().save(os.devnull, format="PNG")
    assert not Path(os.devnull).is_file()
    with open(tmp_path / "a.png", "wb") as file:
        trajectory.picture().save(file, format="PNG")
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(trajectory.picture().image))


def test_a_folder_that_cannot_be_written_is_told_before(tmp_path, tiny_disk):
    check_folder(tmp_path / "new" / "deep")
    assert list((tmp_path / "new" / "deep").iterdir()) == []
    with pytest.raises(OSError, match=r"disk could not be written: the disk is full"):
        check_folder(tiny_disk)
    assert [p.name for p in tiny_disk.iterdir()] == ["ballast"]


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path):
    (tmp_path / "out").write_bytes(OLD)
    for folder in (tmp_path / "out", tmp_path / "out" / "deep"):
        with pytest.raises(NotADirectoryError, match="under a file: expected a folder"):
            check_folder(folder)


def test_a_saved_run_is_read_back(tmp_path, trajectory):
    trajectory.save(tmp_path / "run.safetensors")
    assert len(Trajectory.load(tmp_path / "run.safetensors")) == 12
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


# ---- lines that are added one by one ----


def test_lines_come_back_and_half_a_line_costs_no_other(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    assert read_lines(path) == []
    rows = [{"a": 1}, {"words": "grün \ud83d \n 🐯"}, {"b": [1.5, None]}]
    append_line(path, rows[0])
    with open(path, "ab") as file:  # a process that was killed while it wrote
        file.write(b'{"a": 2, "b')
    for row in rows[1:]:
        append_line(path, row)
    with open(path, "ab") as file:
        file.write(b'[1]\n3\n\xff\xfe\n{"a": ')
    assert read_lines(path) == rows
