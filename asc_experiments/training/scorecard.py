"""The Scorecard: how well a network does overall, per device, per device group, per scene, and how evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asc_experiments.metrics import METRICS, measure


@dataclass(frozen=True)
class Scorecard:
    """Accuracies (0 to 1), losses and other metrics under the names they have in the tracking server."""

    metrics: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.metrics[name]

    def prefixed(self, prefix: str) -> dict[str, float]:
        """The metrics under ``prefix/…``, for splits other than the test fold."""
        return {f"{prefix}/{name}": value for name, value in self.metrics.items()}


def score(
    logits: np.ndarray,
    labels: np.ndarray,
    devices: Sequence[str] | np.ndarray,
    groups: Mapping[str, str],
    scenes: Sequence[str],
) -> Scorecard:
    """Score a network's logits by every metric that is measured after each epoch.

    Args:
        logits: ``(clips, scenes)``.
        labels: ``(clips,)``, indices into ``scenes``.
        devices: ``(clips,)``, the name of each clip's device.
        groups: the group of each device.
        scenes: the scenes' names, in the order of the logits.

    Raises:
        ValueError: if there are no clips.
    """
    wanted = [metric for metric in METRICS.values() if metric.every_epoch]
    return Scorecard(measure(wanted, logits, labels, devices, groups, scenes))
