"""Weights as the part of an ONNX file that they are, without the package `onnx`.

An ONNX file is a Protocol Buffers message, and two such messages written one after the other are
read as one: their lists are joined. So a file of weights, and of what unpacks them, followed by a
graph that uses their names is a whole model. The numbers below are those of `onnx.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

GRAPH, NODE, INITIALIZER = 7, 1, 5  # fields of a model, and two of its graph
TYPES = {"float32": 1, "int8": 3, "int32": 6, "int64": 7, "float16": 10}


def weights_part(weights: dict[str, np.ndarray], tables: dict[str, str] | None = None) -> bytes:
    """The beginning of a model: its weights, as they are packed.

    Parameters
    ----------
    weights : dict
        Name -> array. int8 comes with the scale of each row under `NAME.scale` and is multiplied by
        it, float16 becomes float32; both in nodes with constant inputs, which onnxruntime works out
        once, when it loads the model.
    tables : dict, optional
        Name of a matrix -> name of the input that counts rows of it. Then NAME.rows is defined
        instead of the matrix: the rows at these places, unpacked when they are needed.

    Returns
    -------
    bytes
        To be followed by a graph that uses the names.
    """
    parts: list[bytes] = []
    for name, value in weights.items():
        if name.endswith(".scale") and name[:-6] in weights:
            continue
        scale, place = weights.get(f"{name}.scale"), (tables or {}).get(name)
        parts += (
            _unpacked(name, value, scale) if place is None else _rows(name, value, scale, place)
        )
    return _field(GRAPH, b"".join(parts))


def _unpacked(name: str, value, scale) -> Iterator[bytes]:
    """`name` in float32: as it is, or made of what is stored under other names."""
    if value.dtype in (np.float32, np.int32, np.int64):
        yield _tensor(name, value)
        return
    yield _tensor(f"{name}.packed", value)
    yield _cast(f"{name}.packed", name if scale is None else f"{name}.whole")
    if scale is not None:
        yield _tensor(f"{name}.scale", scale.reshape(-1, *[1] * (value.ndim - 1)))
        yield _node("Mul", [f"{name}.whole", f"{name}.scale"], name)


def _rows(name: str, value, scale, place: str) -> Iterator[bytes]:
    """`name.rows`: the rows of a matrix (V, D) that an input names, (*its shape, D)."""
    taken = f"{name}.rows" if value.dtype == np.float32 else f"{name}.taken"
    yield _tensor(f"{name}.packed", value)
    yield _node("Gather", [f"{name}.packed", place], taken)
    if taken.endswith(".taken"):
        yield _cast(taken, f"{name}.rows" if scale is None else f"{name}.whole")
    if scale is not None:
        yield _tensor(f"{name}.scale", scale.reshape(-1, 1))
        yield _node("Gather", [f"{name}.scale", place], f"{name}.scales")
        yield _node("Mul", [f"{name}.whole", f"{name}.scales"], f"{name}.rows")


def _tensor(name: str, value: np.ndarray) -> bytes:
    dims = b"".join(_field(1, size) for size in value.shape)
    data = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
    told = _field(2, TYPES[value.dtype.name]) + _field(8, name) + _field(9, data)
    return _field(INITIALIZER, dims + told)


def _cast(given: str, made: str) -> bytes:
    to = _field(1, "to") + _field(3, TYPES["float32"]) + _field(20, 2)  # a whole number
    return _node("Cast", [given], made, _field(5, to))


def _node(operator: str, given: list[str], made: str, attributes: bytes = b"") -> bytes:
    inputs = b"".join(_field(1, name) for name in given)
    return _field(NODE, inputs + _field(2, made) + _field(4, operator) + attributes)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
