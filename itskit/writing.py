"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# What to do about what the system says. Its own words do for the rest.
_ADVICE = {
    errno.ENOSPC: "the disk is full; make room, or choose a folder on another disk",
    errno.EDQUOT: "your share of the disk is used up; make room, or choose another folder",
    errno.EACCES: "you may not write there; choose another folder",
    errno.EPERM: "you may not write there; choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


@contextmanager
def written(path) -> Iterator:
    """A name beside `path` to write to; once that is done, the file takes the place of `path`.

        with written("castle.png") as part:
            image.save(part)

    Whoever fails or is stopped leaves what was there before, and nothing half. The name has the
    same suffix. A file object, or a device, is written to as it is.
    Raises OSError that names the file and says what to do; other errors pass unless the disk is
    full.
    """
    if not isinstance(path, (str, os.PathLike)) or _is_special(path):
        yield path
        return
    target = Path(os.path.realpath(path))  # a link stays one
    part = target.with_name(f".itskit-{os.getpid()}-{os.urandom(4).hex()}{target.suffix}")
    try:
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "write-protected", str(target))
        yield part
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(part), str(target)):
            raise  # it speaks of something else
        raise _named(path, error) from error
    except Exception as error:  # of libraries that write by themselves
        if not _is_full(target.parent, error):
            raise
        raise _named(path, OSError(errno.ENOSPC, "")) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def append_line(path, row: dict) -> None:
    """Add a dict to a JSONL file, on a line of its own even behind half of one. Once this returns,
    the line is on the disk."""
    make_folder(path)
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(row).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path) -> list[dict]:
    """The dicts in a JSONL file; [] if there is no file. What is no dict, such as half a line of a
    process that was killed, is passed over."""
    found = []
    if Path(path).exists():
        for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
    return [row for row in found if isinstance(row, dict)]


def make_folder(path) -> None:
    """Make the folders above a file that is to be written; a file object needs none.

    Raises IsADirectoryError or NotADirectoryError if a folder or a file is in the way.
    """
    if not isinstance(path, (str, os.PathLike)):
        return
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder: expected the name of a file in it")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(f"{path} lies under a file: expected a folder there") from None


def check_folder(folder) -> None:
    """Make `folder`, and see that a file can be written in it.

    Raises OSError that names the folder and says what to do.
    """
    trial = Path(folder) / f".itskit-{os.getpid()}"
    try:
        trial.parent.mkdir(parents=True, exist_ok=True)
        try:
            trial.write_bytes(bytes(2**16))
        finally:
            trial.unlink(missing_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(f"{folder} is or lies under a file: expected a folder") from None
    except OSError as error:
        raise _named(folder, error) from None


def _is_special(path) -> bool:
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _is_full(folder: Path, error: Exception) -> bool:
    if "No space left on device" in str(error):
        return True
    try:
        return shutil.disk_usage(folder).free < 2**16
    except OSError:
        return False


def _named(path, error: OSError) -> OSError:
    """The same error (PermissionError stays one), with the file and what to do about it."""
    why = _ADVICE.get(error.errno, error.strerror or str(error))
    return OSError(error.errno, f"{path} could not be written: {why}")
