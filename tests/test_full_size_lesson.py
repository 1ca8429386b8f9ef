"""Lesson 09 needs a GPU and a network: here every cell of it runs with tiny models instead.

A hub on this machine serves random weights, in the layout and under the ids of the real
repositories, so that the cells run as they stand: from the download to the last widget.
"""

import ast
from functools import partial
from pathlib import Path

import huggingface_hub
import nbformat
import numpy as np
import pytest
import tiny_folders
from huggingface_hub import constants
from huggingface_hub.utils import _http
from IPython.core.formatters import DisplayFormatter
from PIL import Image
from tiny_hub import TinyHub

import itskit
from itskit.models import paper, registry

NOTEBOOK = Path(__file__).parent.parent / "notebooks/09_full_size.ipynb"
CELLS = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
STEPS = {"paper": 4, "fast": 2}
PAINTERS = ["stable-diffusion-v1-5/stable-diffusion-v1-5", "CompVis/stable-diffusion-v1-4"]
SINGER = "auffusion/auffusion-full-no-adapter"
ROWS, WIDTH, CROP = 32, 128, 32  # of the tiny models' canvas


class Page:
    """Runs cells in one namespace, and remembers what each would show."""

    def __init__(self):
        self.names = {"display": self.display}
        self.shown: list[list[set[str]]] = []  # for each cell, the formats of each thing shown

    def display(self, *things):
        self.shown[-1] += [set(DisplayFormatter().format(thing)[0]) for thing in things]

    def run(self, source: str):
        """A cell, as Jupyter runs it: a last line that is an expression is shown."""
        self.shown.append([])
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "a cell", "exec"), self.names)
        if last:
            value = eval(compile(ast.Expression(last.value), "its last line", "eval"), self.names)
            if value is not None:
                self.display(value)

    def shown_by(self, words: str) -> list[set[str]]:
        """What the one cell with these words showed."""
        (k,) = (k for k, source in enumerate(_sources()) if words in source)
        return self.shown[k]


def _sources() -> list[str]:
    return [cell.source for cell in CELLS if "%pip" not in cell.source]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Tiny models under the real ids; `huggingface_hub` asks this machine for them."""
    there = tmp_path_factory.mktemp("repositories")
    painters = {
        name: tiny_folders.stable_diffusion(there / str(seed), unet_seed=seed)
        for seed, name in enumerate(PAINTERS)
    }
    folders = {**painters, SINGER: tiny_folders.auffusion(there / "singer", unet_seed=7)}
    with pytest.MonkeyPatch.context() as patch, TinyHub(folders) as tiny:
        here = {"endpoint": tiny.url, "cache_dir": there / "cache"}
        real = partial(huggingface_hub.snapshot_download, **here)
        asked = partial(huggingface_hub.HfApi, endpoint=tiny.url)
        patch.setattr(huggingface_hub, "HfApi", asked)
        patch.setattr(huggingface_hub, "snapshot_download", real)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(registry, "PAIRS", dict(registry.PAIRS))
        for name, count in STEPS.items():
            patch.setitem(paper.PRESETS[name], "num_inference_steps", count)
        if hasattr(_http, "reset_sessions"):
            _http.reset_sessions()
        yield tiny
    if hasattr(_http, "reset_sessions"):
        _http.reset_sessions()


@pytest.fixture(scope="module")
def page(hub, tmp_path_factory):
    """The whole lesson, run from top to bottom in an empty folder."""
    lesson = Page()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("lesson"))
        for source in _sources():
            lesson.run(source.replace("ANYWAY = False", "ANYWAY = True"))  # there is no GPU here
        lesson.folder = Path.cwd()
        yield lesson


def test_all_that_is_left_out_is_the_installation():
    (setup,) = [cell.source for cell in CELLS if cell.source not in _sources()]
    assert setup == CELLS[0].source and 'find_spec("itskit") is None' in setup
    assert len(setup.splitlines()) == 4


def test_run_all_without_a_gpu_stops_before_anything_is_downloaded(hub, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    lesson, served = Page(), list(hub.served)
    with pytest.raises(RuntimeError, match="No GPU: stopped before a download of 5 GB"):
        for source in _sources():  # an error stops "Run all"
            lesson.run(source)
    assert "pair" not in lesson.names and hub.served == served
    assert len(lesson.shown) < len(_sources()) / 2
    # With a GPU the same cell lets pass.
    (guard,) = [source for source in _sources() if "ANYWAY" in source]
    lesson.names["gpu"] = "Tesla T4"
    lesson.run(guard)


def test_first_result_is_the_pair_that_it_promises(page, hub):
    result = page.names["result"]
    assert len(result) == STEPS["paper"] and result.recipe["preset"] == "paper"
    assert result.picture().image.size == (WIDTH - CROP, ROWS)
    assert result.sound().duration == (WIDTH - CROP) * tiny_folders.HOP / 16000
    assert page.shown_by("result = itskit.compose") == [
        {"text/plain", "image/png"},
        {"text/plain", "text/html"},
    ]
    # Both painters' and the singer's networks came over the wire; the vocoder is the singer's.
    assert hub.served.count("unet/diffusion_pytorch_model.safetensors") == 3
    assert hub.served.count("vocoder/vocoder.pt") == 1


def test_every_seed_of_the_batch_is_shown_and_differs(page):
    batch = page.names["batch"]
    assert len(page.shown_by("batch = itskit.compose")) == 2 * len(page.names["seeds"])
    pictures = {batch.picture(item=k).image.tobytes() for k in range(len(page.names["seeds"]))}
    assert len(pictures) == len(page.names["seeds"]) == len(batch.latent)


def test_files_carry_the_recipe_that_makes_the_picture_again(page):
    files = ["full.png", "full.wav", "full.html"]
    seeds = [page.names["seeds"][page.names["best"]]]
    for name in files:
        assert itskit.export.read_recipe(page.folder / "out" / name)["seeds"] == seeds
    with Image.open(page.folder / "out/full.png") as image:
        saved = np.asarray(image.convert("L"), float)
    again = np.asarray(page.names["again"].picture().image.convert("L"), float)
    assert np.abs(saved - again).max() <= 2 < saved.std()  # grey levels: alone, and in a batch


def test_goes_on_after_a_disconnect(page):
    """Of three runs one is lost, and one was cut off while it was written."""
    folder = page.folder / "out/seeds"
    paths = sorted(folder.iterdir())
    assert [path.name for path in paths] == [f"castle-{k}.safetensors" for k in range(3)]
    before = [path.read_bytes() for path in paths]
    when = paths[0].stat().st_mtime_ns
    paths[1].unlink()
    paths[2].rename(paths[2].with_suffix(".part")).write_bytes(b"half")
    (source,) = (source for source in _sources() if "runs = " in source)
    with pytest.MonkeyPatch.context() as patch:
        made, compose = [], itskit.compose
        patch.setattr(itskit, "compose", lambda *a, **k: made.append(k["seed"]) or compose(*a, **k))
        page.run(source)
    assert made == [1, 2]
    assert sorted(folder.iterdir()) == paths and paths[0].stat().st_mtime_ns == when
    assert [path.read_bytes() for path in paths] == before


def test_another_painter_changes_the_picture_and_not_the_canvas(page):
    older, pair = page.names["older"], page.names["pair"]
    assert older.name == "older" and older.weights_hash != pair.weights_hash
    assert older.image.latent_shape == pair.image.latent_shape
    assert len(page.shown_by("itskit.compose(older")) == 1


def test_colours_keep_the_light(page):
    grey = page.names["whole"].numpy() * 255  # (H, W), in grey levels
    colours = np.asarray(page.names["colours"].image, float)  # (H, W, 3)
    assert np.abs(colours.mean(2) - grey).max() <= 1.01  # both were rounded
    assert colours.std(2).max() > 2


def test_colab_gives_a_gpu_unasked():
    about = nbformat.read(NOTEBOOK, as_version=4).metadata
    assert about["accelerator"] == "GPU" and about["colab"]["gpuType"] == "T4"


def test_cells_without_gpu_and_network_are_left_to_nbval():
    """Everything that touches the large pair is skipped there; the rest runs in both."""
    kept = [source for source in _sources() if not source.startswith("# NBVAL_SKIP\n")]
    assert len(kept) >= 4
    assert [source for source in kept if "load_pair(" in source or "compose(" in source] == []
