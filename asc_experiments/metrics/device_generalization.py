"""DG (EUSIPCO 2023, section IV)."""

from __future__ import annotations

import numpy as np

from asc_experiments.metrics.accuracy import Accuracy
from asc_experiments.metrics.key import DG
from asc_experiments.metrics.metric import register_metric


@register_metric
class DeviceGeneralization(Accuracy):
    """How unevenly devices are heard."""

    name = DG
    meaning = "DG: the standard deviation of the devices' accuracies"
    higher_is_better = False
    parts = ("",)
    heading = "DG"

    def aggregate(self, values: np.ndarray, devices: np.ndarray) -> float:
        """The standard deviation of the devices' means."""
        return float(np.std([float(values[devices == device].mean()) for device in np.unique(devices)]))
