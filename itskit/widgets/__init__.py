"""Instruments for notebooks. Nothing else in the package knows of widgets."""

from .composer import Composer
from .listening_test import ListeningTest
from .live import Live
from .predict import Predict
from .scrubber import Scrubber
from .weights import WeightCurve, WeightMap

__all__ = ["Composer", "ListeningTest", "Live", "Predict", "Scrubber", "WeightCurve", "WeightMap"]
