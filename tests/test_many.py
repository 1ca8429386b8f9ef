"""The benchmark of many compositions in one process reckons rightly."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

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
