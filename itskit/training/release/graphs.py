"""The pocket pair's networks as ONNX graphs: what they compute, without their weights."""

import json
import logging
import warnings
from functools import partial
from hashlib import sha256
from math import prod
from pathlib import Path

import torch
from torch import nn

from ...models.pocket.graphs import FOLDER, MANIFEST, NETWORKS
from ...models.pocket.networks import UNETS, Autoencoder, ChannelNorm
from ...models.pocket.text import bert, sentence_and_tokens
from ...writing import written

OPSET = 18  # what torch.onnx makes, and onnxruntime-web knows
LARGE = 1e6  # numbers in a matrix that is not unpacked for a few of its rows
# Sizes of all inputs and outputs; those with a name may change from call to call.
SIZES = {
    "ids": ("N", "L"), "mask": ("N", "L"), "t": ("N",), "v": ("N", 4, 16, "w"),
    "latent": ("N", 4, 16, "w"), "picture": ("N", 1, 128, "W"),
}  # fmt: skip
EXAMPLE = {"N": 2, "L": 7, "w": 32, "W": 256}


class _Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = bert()

    def forward(self, ids, mask):
        def net(input_ids, attention_mask):
            # As what is added to scores, which BERT takes as it is: without nodes that make it.
            added = (1 - attention_mask.float())[:, None, None] * -1e30  # (N, 1, 1, L)
            added = added.expand(-1, 1, added.shape[-1], -1)  # (N, 1, L, L)
            return self.net(input_ids, added, token_type_ids=torch.zeros_like(input_ids))

        return sentence_and_tokens(net, ids, mask)


class _UNet(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, latent, t, text):
        return self.net(latent, t, text, class_labels=text[:, 0]).sample


def _channel_norm(norm: ChannelNorm, x):
    """What a ChannelNorm says. The mean is a convolution: onnxruntime's own, over channels, takes
    longer than all else in the autoencoder that is none."""
    channels = x.shape[1]
    mean = nn.functional.conv2d(x.square(), torch.full((1, channels, 1, 1), 1 / channels))
    return x * torch.rsqrt(mean + 1e-6) * norm.weight[:, None, None]


class _Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Autoencoder()
        for part in self.net.modules():
            if isinstance(part, ChannelNorm):
                part.forward = partial(_channel_norm, part)

    def forward(self, picture):
        return self.net.encode(picture)


class _Decoder(_Encoder):
    def forward(self, latent):
        return self.net.decode(latent)


# Networks of random weights.
MAKE = {
    "text_encoder": _Text,
    "image_unet": lambda: _UNet(UNETS["image"]()),
    "sound_unet": lambda: _UNet(UNETS["sound"]()),
    "encoder": _Encoder,
    "decoder": _Decoder,
}


def make_graphs(*, out: Path = FOLDER, which=tuple(NETWORKS)):
    """The graphs of all networks, and the list of their weights, → `out`, by default the package.

    They depend on the architecture alone; new weights need no new graphs. `which` names some of
    them.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # of packages that nothing here needs
    out.mkdir(parents=True, exist_ok=True)
    listed = {}
    for name in which:
        data, weights, tables = graph_of(name)
        with written(out / f"{name}.onnx") as part:
            part.write_bytes(data)
        listed[name] = {"sha256": sha256(data).hexdigest(), "weights": weights, "tables": tables}
        print(f"{name}.onnx: {len(data) / 1e3:.0f} kB, {len(weights)} weights")
    with written(out / MANIFEST) as part:
        text = json.dumps(listed, indent=1, ensure_ascii=False) + "\n"
        part.write_text(text, encoding="utf-8")


def graph_of(name: str) -> tuple[bytes, dict[str, str], dict[str, str]]:
    """A network's graph; the sizes of the weights that it uses; and those of them that are tables,
    with the input that counts their rows."""
    _, inputs, output = NETWORKS[name]
    sizes = {key: SIZES.get(key) or ("N", 24, 384) for key in inputs}
    given, free = {}, {}
    for key, size in sizes.items():
        kind = torch.int32 if key in ("ids", "mask") else torch.float32
        given[key] = torch.ones([EXAMPLE.get(n, n) for n in size], dtype=kind)
        named = [k for k, n in enumerate(size) if isinstance(n, str)]
        free[key] = dict.fromkeys(named, torch.export.Dim.DYNAMIC)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own code
        program = torch.onnx.export(
            MAKE[name]().eval(), kwargs=given, dynamic_shapes=free, opset_version=OPSET,
            input_names=list(inputs), output_names=[output], dynamo=True, optimize=False,
            verbose=False,
        )  # fmt: skip
    return _without_weights(program.model, {**sizes, output: SIZES.get(output, ("N", "L+1", 384))})


def _without_weights(model, sizes):
    """Take the weights out of a model, and shorten what is left."""
    import onnx_ir
    from onnxscript import optimizer

    graph = model.graph
    # Whole numbers are no weights: they count positions.
    weights = [value for value in graph.initializers.values() if value.dtype.is_floating_point()]
    for value in weights:  # as inputs, so that nothing is worked out of them
        graph.initializers.pop(value.name)
        value.const_value = None
        graph.inputs.append(value)
    optimizer.optimize(model)
    used = [value for value in weights if value.uses()]
    for value in weights:
        graph.inputs.remove(value)
        value.name = value.name.removeprefix("net.")
    tables = _take_lookups_out(graph, used)
    shapes = {value.name: "×".join(map(str, value.shape)) for value in used}
    _forget_where_it_comes_from(model)
    for value in (*graph.inputs, *graph.outputs):
        value.shape = onnx_ir.Shape(sizes[value.name])
    return onnx_ir.to_proto(model).SerializeToString(deterministic=True), shapes, tables


def _take_lookups_out(graph, weights) -> dict[str, str]:
    """{matrix: the input that counts its rows}, of large ones. The rows, "NAME.rows", are made by
    whoever puts the weights in."""
    tables = {}
    for value in weights:
        node, at = value.uses()[0]
        looked_up = at == 0 and node.op_type == "Gather" and node.inputs[1] in graph.inputs
        if looked_up and len(value.uses()) == 1 and prod(value.shape.numpy()) > LARGE:
            tables[value.name] = node.inputs[1].name
            rows, new = node.outputs[0], f"{value.name}.rows"
            graph.remove(node)
            rows.name = new
    return tables


def _forget_where_it_comes_from(model) -> None:
    """Keep nodes and their names, and no traces of the code that they were made of."""
    graph = model.graph
    inside = [made for node in graph for made in node.outputs if made not in graph.outputs]
    for told in (model, graph, *graph, *graph.inputs, *graph.outputs, *inside):
        told.metadata_props.clear()
    for value in inside:  # found again by whoever reads the model
        value.shape = value.type = None
    for node in graph:
        node.doc_string = node.name = None
    model.producer_name, model.producer_version = "itskit", None
