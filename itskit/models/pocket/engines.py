"""Who computes the pocket pair's networks: onnxruntime where it is installed, else PyTorch.

An engine is a dict of functions of tensors by the names of `graphs.NETWORKS`, which see for their
inputs and sizes. onnxruntime is quicker and starts in a fraction of the time, since diffusers and
transformers stay outside. PyTorch computes gradients, and can be looked into: whatever needs that
gets PyTorch's network, which is loaded when it is first needed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from threading import Lock

import torch
from torch import Tensor

from ... import threads
from .graphs import NETWORKS, model
from .weights import dequantise

ENGINES = ("onnxruntime", "torch")
VARIABLE = "ITSKIT_ENGINE"


def engine_of(name: str | None = None) -> str:
    """The engine's name: as given, else as the environment variable ITSKIT_ENGINE says, else
    "onnxruntime" if it can be imported.

    Raises ValueError for a name that is none, ImportError if onnxruntime is asked for in vain.
    """
    asked = name or os.environ.get(VARIABLE) or None
    if asked not in (None, *ENGINES):
        where = f"engine={name!r}" if name else f"{VARIABLE}={asked!r}"
        raise ValueError(f'{where}: expected "onnxruntime", "torch" or nothing')
    if asked == "torch":
        return asked
    try:
        import onnxruntime  # noqa: F401
    except ImportError as error:
        if asked is None:
            return "torch"
        raise ImportError(
            f'onnxruntime cannot be imported ({error}): pip install onnxruntime, or engine="torch"'
        ) from error
    return "onnxruntime"


def torch_engine(read: Callable[[str], dict]) -> dict[str, Callable]:
    """PyTorch's networks; `read` gives the weights of a file, {name: tensor}."""
    from .networks import UNETS, Autoencoder, ready
    from .text import bert_network

    def of_unet(net):
        return lambda latent, t, text: net(latent, t, text, class_labels=text[:, 0]).sample

    vae = ready(Autoencoder(), dequantise(read("vae.safetensors")))
    unets = {
        f"{name}_unet": of_unet(ready(make(), dequantise(read(f"{name}_unet.safetensors"))))
        for name, make in UNETS.items()
    }
    text = bert_network(dequantise(read("text_encoder.safetensors")))
    return {"text_encoder": text, **unets, "encoder": vae.encode, "decoder": vae.decode}


def onnx_engine(read: Callable[[str], dict]) -> dict[str, Callable]:
    """onnxruntime's, with PyTorch's behind them."""
    behind = _once(partial(torch_engine, read))
    names = list(NETWORKS)
    sessions = threads.together(partial(_session, name, read) for name in names)
    return {
        name: partial(_asked, session, lambda name=name: behind()[name])
        for name, session in zip(names, sessions, strict=True)
    }


def _session(name: str, read):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    # Whole calls are shared out over the CPUs (`threads`), no operation is split.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    data = model(name, read(NETWORKS[name][0]))
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _asked(session, behind, *given: Tensor) -> Tensor:
    """What a network says of tensors; `behind` gives PyTorch's network."""
    wanted = session.get_inputs()
    if not _is_plain(given) or not all(map(_fits, given, wanted)):
        return behind()(*given)
    kinds = {"tensor(float)": torch.float32, "tensor(int32)": torch.int32}
    feed = {
        one.name: tensor.detach().to(kinds[one.type]).contiguous().numpy()
        for one, tensor in zip(wanted, given, strict=True)
    }
    return torch.from_numpy(session.run(None, feed)[0])


def _is_plain(given) -> bool:
    """Whether nothing is asked that only PyTorch can do: gradients, other devices or types."""
    if torch.is_autocast_enabled("cpu"):
        return False
    return not any(
        one.device.type != "cpu"
        or (one.requires_grad and torch.is_grad_enabled())
        or (one.is_floating_point() and one.dtype != torch.float32)
        for one in given
    )


def _fits(tensor: Tensor, wanted) -> bool:
    """Whether a tensor has the fixed sizes of an input."""
    sizes = zip(tensor.shape, wanted.shape, strict=False)
    same = all(isinstance(size, str) or size == has for has, size in sizes)
    return same and tensor.ndim == len(wanted.shape) and tensor.numel() > 0


def _once(make: Callable) -> Callable:
    """`make`, called when it is first needed, and once for all threads."""
    made, lock = [], Lock()

    def get():
        with lock:
            if not made:
                made.append(make())
        return made[0]

    return get
