"""Settings for unit tests and notebooks alike (a notebook's kernel inherits the environment)."""

import os

# Two tests run side by side: one thread each is faster than two threads fighting over two cores,
# and makes results independent of the machine's size. Must be set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")
# Nothing may ask a model hub: whatever tests need is in the repository.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_collectstart(collector):
    """nbval: pictures, players and progress bars may differ between machines; text may not."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html", "image/png", "image/svg+xml", "stderr")
