"""Many compositions in one process: nothing of one is left when the next has begun."""

import gc
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import itskit

PATH = Path(itskit.__file__).parents[1] / "benchmarks" / "many.py"


@pytest.fixture(scope="module")
def many():
    module = ModuleType("many")
    exec(compile(PATH.read_text(encoding="utf-8"), PATH, "exec"), module.__dict__)
    return module


def test_growth_is_the_slope_behind_the_first_fifth(many):
    mib = np.concatenate([np.linspace(0, 500, 20), 500 + 0.25 * np.arange(80)])
    assert many.growth(mib) == pytest.approx(250)


def alive():
    """How many tensors there are, and the bytes that they hold, each storage counted once."""
    gc.collect()
    tensors = [one for one in gc.get_objects() if issubclass(type(one), torch.Tensor)]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return len(tensors), sum(storages.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compositions_leave_nothing_behind(many):
    """Each has words of its own: after the first few, tensors are added for these alone, 37 kB for
    each prompt, and the process takes no more of the system than these and a little play."""
    make = many.compositions(itskit.load_pair("pocket"), 1, width=128)
    many.watch(make, 3)
    tensors, held = alive()
    mib = many.watch(lambda k: make(k + 3), 6)
    more, holds = alive()
    assert more - tensors <= 2 * 6 and holds - held <= 2 * 6 * 24 * 384 * 4
    assert mib[-1] - mib[3] < 10


def test_prompts_are_kept_for_a_while_only():
    pair = itskit.load_pair("pocket")
    first = pair.image.encode_prompt("a castle")
    assert pair.image.encode_prompt("a castle") is first
    assert pair.image.encode_prompt.cache_info().maxsize < 1000
