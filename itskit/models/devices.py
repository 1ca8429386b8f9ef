"""Where networks run: all of them on one device, or the U-Nets in turns.

Two full-size U-Nets, a VAE and a text encoder are 4.2 GB in half precision. Where that is too much,
the U-Nets take turns: the one that is needed is on the device, the other waits in the
computer's memory. Weights never change, so they are copied in one direction only.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

# Beside the weights, for one canvas of 256 × 1024 pixels: what U-Net and VAE compute in.
WORKING = 2.5e9  # bytes


class Placement:
    """Where networks lie: on `device`, their weights in `dtype`.

    diffusers' `enable_model_cpu_offload` needs accelerate and a pipeline, and copies weights back.

    Parameters
    ----------
    device : torch.device or str
    dtype : torch.dtype
        What the weights are in already.
    turns : bool
        Whether the networks given to `turn` are on the device one at a time.
    """

    def __init__(self, device="cpu", dtype=torch.float32, turns: bool = False):
        self.device, self.dtype, self.turns = torch.device(device), dtype, turns
        self._here: set[nn.Module] = set()
        self._homes: dict[nn.Module, list[Tensor]] = {}
        self.on: nn.Module | None = None  # whose turn it is

    def place(self, network: nn.Module) -> nn.Module:
        """The network, on the device to stay."""
        if network not in self._here:
            self._here.add(network.to(self.device))
        return network

    def turn(self, network: nn.Module) -> nn.Module:
        """The network, on the device until another has its turn."""
        if not self.turns:
            return self.place(network)
        if network is not self.on:
            self._leave()
            self._enter(network)
        return network

    def bring(self, tensor: Tensor) -> Tensor:
        """A tensor as the networks take it."""
        return tensor.to(self.device, self.dtype)

    def _enter(self, network: nn.Module) -> None:
        if network not in self._homes:
            network.to("cpu")
            if self.device.type == "cuda":  # page-locked memory is copied twice as fast
                for tensor in _tensors(network):
                    tensor.data = tensor.data.pin_memory()
            self._homes[network] = [tensor.data for tensor in _tensors(network)]
        for tensor, home in zip(_tensors(network), self._homes[network], strict=True):
            tensor.data = home.to(self.device, non_blocking=True, copy=True)
        self.on = network

    def _leave(self) -> None:
        if self.on is not None:
            for tensor, home in zip(_tensors(self.on), self._homes[self.on], strict=True):
                tensor.data = home
        self.on = None


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def choose_device(device=None, dtype=None) -> tuple[torch.device, torch.dtype]:
    """A GPU in half precision if there is one, else the CPU in float32, unless told otherwise."""
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return device, dtype or (torch.float16 if device.type == "cuda" else torch.float32)


def choose_turns(
    memory: str | None, sizes: dict[str, float], free: float | None, device: torch.device
) -> bool:
    """Whether the U-Nets have to take turns in the `free` bytes of `device` (None: not known).

    `sizes` are the bytes of the "image" U-Net, the "sound" U-Net and the "rest"; `memory` is "all",
    "turns", or None for the first that fits. Raises MemoryError if neither does.
    """
    if memory not in (None, "all", "turns"):
        raise ValueError(f"memory={memory!r}: expected 'all', 'turns', or None to choose by size")
    unets = sizes["image"], sizes["sound"]
    beside = sizes["rest"] + WORKING
    needed = {"all": beside + sum(unets), "turns": beside + max(unets)}
    if device.type == "cpu":  # where they would wait is where they run
        memory = "all"
    plans = [memory] if memory else ["all", "turns"]
    for plan in plans:
        if free is None or needed[plan] <= free:
            return plan == "turns"
    advice = "Close other programs (in a notebook: restart the runtime)"
    if memory == "all" and device.type != "cpu":
        advice = "Choose memory='turns', in which one U-Net at a time lies on the GPU"
    raise MemoryError(
        f"{free / 1e9:.1f} GB are free on {device.type}, and memory={plans[-1]!r} needs "
        f"{needed[plans[-1]] / 1e9:.1f} GB. {advice}; or load in half precision "
        '(dtype=torch.bfloat16); or take itskit.load_pair("pocket"), which is small'
    )


def free_memory(device: torch.device) -> int | None:
    """Free bytes on `device`; None where that cannot be asked."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    amounts = dict(line.split(":") for line in lines)
    return int(amounts["MemAvailable"].split()[0]) * 1024
