"""Sounds inside the archives of some games: Qt resources, OpenTTD sets, OpenClonk groups, zips.

Each reader yields (path inside, bytes). Layouts are those of the programs that read them: Qt's
rcc, OpenTTD's .cat, OpenClonk's c4group, Doom's WAD.
"""

import io
import re
import struct
import wave
import zipfile
import zlib
from pathlib import Path

AUDIO = (".wav", ".mp3", ".au", ".aif", ".aiff", ".ogg", ".oga", ".flac", ".opus", ".snd")


def is_audio(name: str) -> bool:
    return name.lower().endswith(AUDIO)


def unpack(folder: Path):
    """Writes the sounds of each archive below a folder to FOLDER/_x/ARCHIVE/PATH, once."""
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder).parts
        if file.suffix.lower() not in READERS or "_x" in inside or not file.is_file():
            continue
        target = folder / "_x" / file.name
        if target.exists():
            continue
        try:
            for name, data in READERS[file.suffix.lower()](file):
                if is_audio(name):
                    write_inside(target, name.lstrip("/"), data)
        except (ValueError, struct.error, zlib.error, zipfile.BadZipFile) as error:
            print(f"{file.name} is no archive of the expected kind, and is left: {error}")


def write_inside(folder: Path, name: str, data: bytes):
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} leads out of the archive")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def read_zip(file):
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if is_audio(name):
                yield name, archive.read(name)


def read_rcc(file):
    """A Qt binary resource: a tree of nodes, names in UTF-16, data plain or deflated."""
    data = file.read_bytes()
    if data[:4] != b"qres":
        return
    version, tree, contents, names = struct.unpack(">IIII", data[4:20])
    node_size = 14 if version < 2 else 22
    todo = [(0, "")]
    while todo:
        index, folder = todo.pop()
        node = tree + index * node_size
        name_offset, flags = struct.unpack(">IH", data[node : node + 6])
        path = ""
        if index:
            start = names + name_offset
            length = struct.unpack(">H", data[start : start + 2])[0]
            path = f"{folder}/{data[start + 6 : start + 6 + 2 * length].decode('utf-16-be')}"
        if flags & 2:  # a folder
            count, first = struct.unpack(">II", data[node + 6 : node + 14])
            todo += [(first + k, path) for k in range(count)]
        elif is_audio(path):
            start = contents + struct.unpack(">I", data[node + 10 : node + 14])[0]
            size = struct.unpack(">I", data[start : start + 4])[0]
            content = data[start + 4 : start + 4 + size]
            yield path, zlib.decompress(content[4:]) if flags & 1 else content


def read_cat(file):
    """An OpenTTD sound set: WAVE files, each between its name and its description."""
    data = file.read_bytes()
    count = (struct.unpack("<I", data[:4])[0] & 0x7FFFFFFF) // 8
    for index in range(count):
        offset = struct.unpack("<I", data[index * 8 : index * 8 + 4])[0] & 0x7FFFFFFF
        riff = data.find(b"RIFF", offset, offset + 400)
        if riff < 0:
            continue
        end = riff + 8 + struct.unpack("<I", data[riff + 4 : riff + 8])[0]
        words = f"{index:02d}_{_pascal(data, offset)}_{_pascal(data, end)}"
        yield re.sub(r"[^A-Za-z0-9_. -]", "_", words)[:140] + ".wav", data[riff:end]


def _pascal(data, offset):
    """A string with its length before it and zeros behind."""
    length = data[offset] if offset < len(data) else 0
    return data[offset + 1 : offset + 1 + length].split(b"\0")[0].decode("latin1")


def read_c4group(file):
    yield from _c4group(file.read_bytes(), "")


def _c4group(data, folder):
    """An OpenClonk group: a gzip stream with its own signature, a scrambled head, entries."""
    if data[:2] in (b"\x1e\x8c", b"\x1f\x8b"):
        data = zlib.decompressobj(31).decompress(b"\x1f\x8b" + data[2:])
    head = bytearray(byte ^ 237 for byte in data[:204])
    for k in range(0, 202, 3):
        head[k], head[k + 2] = head[k + 2], head[k]
    if head[:24] != b"RedWolf Design GrpFolder":
        raise ValueError("not a c4group")
    count = struct.unpack("<I", head[36:40])[0]
    base = 204 + 316 * count
    for k in range(count):
        entry = data[204 + 316 * k : 204 + 316 * (k + 1)]
        name = folder + entry[:260].split(b"\0")[0].decode("latin1")
        _, is_group, size, _, offset = struct.unpack("<iiiii", entry[260:280])
        content = data[base + offset : base + offset + size]
        if is_group:
            yield from _c4group(content, f"{name}/")
        else:
            yield name, content


def read_wad(file):
    """The sounds (DS...) of a Doom WAD: 8 bit mono with a head and 16 bytes of padding."""
    data = file.read_bytes()
    count, directory = struct.unpack("<II", data[4:12])
    for k in range(count):
        entry = data[directory + 16 * k : directory + 16 * k + 16]
        offset, size, name = struct.unpack("<II8s", entry)
        if not name.startswith(b"DS") or size <= 16:
            continue
        kind, rate, samples, _ = struct.unpack("<HHHH", data[offset : offset + 8])
        if kind != 3:
            continue
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(1)
            out.setframerate(rate)
            out.writeframes(data[offset + 24 : offset + 8 + samples - 16])
        yield name.split(b"\0")[0].decode() + ".wav", buffer.getvalue()


READERS = {
    ".zip": read_zip,
    ".pk3": read_zip,
    ".wz": read_zip,
    ".rcc": read_rcc,
    ".cat": read_cat,
    ".ocg": read_c4group,
    ".ocd": read_c4group,
    ".wad": read_wad,
}
ARCHIVES = tuple(READERS)
