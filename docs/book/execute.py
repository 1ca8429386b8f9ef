"""Run a lesson as a reader would, and keep what it showed until the code changes."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from queue import Empty

import nbformat
from nbclient import NotebookClient

from itskit.writing import written

ROOT = Path(__file__).parent.parent.parent
SECONDS = 600  # for one cell, on a busy machine
SKIP, RAISES = "# NBVAL_SKIP", "# NBVAL_RAISES_EXCEPTION"  # what tests leave out, the book does too
# Whatever a lesson leaves to chance comes from one seed.
FIRST = "import random, numpy, torch; random.seed(0); numpy.random.seed(0); torch.manual_seed(0);"
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}


def executed(path: Path, cache: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of all its cells, and the state of its widgets.

    They come from `cache` if the same code was run by the same toolkit before; prose may change.
    Raises nbclient's CellExecutionError with the cell and the error if one fails.
    """
    notebook = nbformat.read(path, as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    file = cache / f"{path.stem}-{digest([*code, toolkit()])}.json"
    if file.exists():
        kept = json.loads(file.read_text(encoding="utf-8"))
    else:
        kept = run(notebook, path.name)
        cache.mkdir(parents=True, exist_ok=True)
        with written(file) as part:
            part.write_text(json.dumps(kept), encoding="utf-8")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, outputs in zip(cells, kept["outputs"], strict=True):
        cell.outputs = [nbformat.from_dict(output) for output in outputs]
        cell.execution_count = None
    notebook.metadata["widgets"] = kept["widgets"]
    return notebook


def run(notebook: nbformat.NotebookNode, name: str) -> dict:
    """The outputs of each code cell, and the widgets' state, after running a copy in a folder of
    its own, where `../gallery` and `../docs` are what they are beside the notebooks."""
    print(f"Running {name} ...", file=sys.stderr, flush=True)
    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    own = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in own:
        cell.outputs = []
    first = nbformat.v4.new_code_cell(FIRST)
    notebook.cells = [first, *(c for c in own if SKIP not in c.source.splitlines())]
    for cell in notebook.cells:
        if RAISES in cell.source.splitlines():
            cell.metadata.tags = [*cell.metadata.get("tags", []), "raises-exception"]
    with tempfile.TemporaryDirectory(prefix="itskit-book-") as folder:
        for beside in ("gallery", "docs"):
            (Path(folder) / beside).symlink_to(ROOT / beside)
        (Path(folder) / "notebooks").mkdir()
        client = Client(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            store_widget_state=True,
            resources={"metadata": {"path": f"{folder}/notebooks"}},
        )
        client.execute(env=environment())
    return {
        "outputs": [cell.outputs for cell in own],
        "widgets": notebook.metadata.get("widgets", {}),
    }


class Client(NotebookClient):
    """Looks for replies every second: one that comes while a widget's message is being sent wakes
    nobody, and `interact` would hang until the cell's time is up."""

    async def async_start_new_kernel_client(self):
        client = await super().async_start_new_kernel_client()
        patient = client.shell_channel.get_msg

        async def get_msg(timeout: float | None = None):
            for _ in range(math.ceil(SECONDS if timeout is None else timeout) or 1):
                try:
                    return await patient(timeout=1)
                except Empty:
                    continue
            raise Empty

        client.shell_channel.get_msg = get_msg
        return client


def environment() -> dict:
    """One thread, nothing from a model hub, and this toolkit whichever is installed."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}


def toolkit() -> str:
    """What the toolkit is made of: its code and the weights that come with it, as one number."""
    files = [p for p in (ROOT / "itskit").rglob("*") if p.is_file()]
    ours = [p for p in files if "training" not in p.parts and p.suffix not in (".pyc", ".md")]
    return digest(p.read_bytes() for p in sorted(ours))


def digest(parts: Iterable[str | bytes]) -> str:
    """A short number of several texts or files, in their order."""
    found = sha256()
    for part in parts:
        part = part.encode() if isinstance(part, str) else part
        found.update(sha256(part).digest())
    return found.hexdigest()[:16]
