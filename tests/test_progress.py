"""Progress stands where it does not look like an error: stdout in a notebook, else stderr."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import itskit

ROOT = Path(itskit.__file__).parent
COMPOSE = """
import sys
sys.path.insert(0, {tests!r})
from a_run import composing_pair
import itskit
from itskit import metrics
result = itskit.compose(composing_pair(), "a", "b", num_inference_steps=3)
scorers = {{"eye": metrics.Scorer("image", lambda *_: 1.0)}}
rows = metrics.compare(composing_pair(), [("a", "b")], [0], scorers=scorers, num_inference_steps=2)
"""


@pytest.fixture
def code():
    return COMPOSE.format(tests=str(Path(__file__).parent))


def test_a_kernel_shows_the_bar_as_plain_output(code):
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = {}
    for output in notebook.cells[0].outputs:
        assert output.output_type == "stream"
        shown[output.name] = shown.get(output.name, "") + output.text
    assert "3/3" in shown["stdout"] and "1/1" in shown["stdout"]
    assert "it/s" not in shown.get("stderr", "")


def test_a_script_keeps_stdout_for_results(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == "" and "3/3" in done.stderr


def test_all_of_the_toolkit_uses_it():
    plain = re.compile(r"^\s*(from|import) tqdm", re.M)
    files = [p for p in ROOT.rglob("*.py") if "training" not in p.parts and p.stem != "progress"]
    assert [p.name for p in files if plain.search(p.read_text(encoding="utf-8"))] == []
