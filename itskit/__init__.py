"""itskit: compose two diffusion models over one shared latent into images that sound.

`import itskit` is instant: each name is imported when it is first used.
"""

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

_HOME = {
    "load_pair": "models",
    "encode_prompt": "guidance",
    "Guide": "guidance",
    "estimate_noise": "guidance",
    "blend": "guidance",
    "init_latent": "sampling",
    "denoise_step": "sampling",
    "sample": "sampling",
    "encode": "sampling",
    "decode": "sampling",
    "Trajectory": "sampling",
    "compose": "compose",
    "recompose": "compose",
    "guides": "compose",
    "evaluate": "metrics",
    "hunt": "hunt",
}
_NAMESPACES = (
    "schedule", "views", "baselines", "metrics", "diagnose", "plots", "export",
    "progress", "widgets",
)  # fmt: skip
__all__ = [*_HOME, *_NAMESPACES]


def __getattr__(name: str):
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _NAMESPACES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Door(ModuleType):
    """Importing `itskit.compose` sets a module over the function of that name: keep the function,
    so that `itskit.compose(...)` works whatever was imported before."""

    def __setattr__(self, name, value):
        if isinstance(value, ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Door
