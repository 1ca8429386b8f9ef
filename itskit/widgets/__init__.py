"""Instruments for notebooks. Nothing else in the package knows of widgets."""

from .composer import Composer
from .scrubber import Scrubber
from .weights import WeightCurve, WeightMap

__all__ = ["Composer", "Scrubber", "WeightCurve", "WeightMap"]
