"""itskit: compose two diffusion models over one shared latent into images that sound.

`import itskit` is instant: each name is imported when it is first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "load_pair": "models",
    "Picture": "media",
    "Sound": "media",
    "encode_prompt": "guidance",
    "Guide": "guidance",
    "estimate_noise": "guidance",
    "blend": "guidance",
    "init_latent": "sampling",
    "denoise_step": "sampling",
    "sample": "sampling",
    "encode": "codec",
    "decode": "codec",
    "Trajectory": "trajectory",
    "compose": "composition",
    "composing": "composition",
    "guides": "composition",
    "recompose": "recomposition",
    "branch": "recomposition",
    "evaluate": "metrics",
    "hunt": "seed_search",
    "sweep": "sweeps",
}
_NAMESPACES = (
    "modality", "bridge", "schedule", "solvers", "views", "rules", "analytic", "ideal", "plane",
    "spectrogram", "baselines", "metrics", "diagnose", "suites", "overlap", "listening", "plots",
    "export", "progress", "widgets", "answers", "checks",
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
