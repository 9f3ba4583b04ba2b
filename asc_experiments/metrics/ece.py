"""The expected calibration error (Guo et al., ICML 2017, equation 5)."""

from __future__ import annotations

import numpy as np

from asc_experiments.metrics.key import DEVICE, GROUP, OVERALL
from asc_experiments.metrics.metric import Metric, register_metric
from asc_experiments.metrics.softmax import softmax

BINS = 15


@register_metric
class ExpectedCalibrationError(Metric):
    """How far a network's confidence is from its accuracy."""

    name = "ece"
    meaning = f"the expected calibration error over {BINS} bins of equal width, 0 to 1"
    higher_is_better = False
    parts = (OVERALL, DEVICE, GROUP)
    heading = "ECE"
    every_epoch = False

    def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The probability of the chosen scene, and whether that is the label; ``(clips, 2)``."""
        probabilities = softmax(logits)
        return np.stack([probabilities.max(axis=1), probabilities.argmax(axis=1) == labels], axis=1)

    def aggregate(self, values: np.ndarray, devices: np.ndarray) -> float:
        """See :func:`ece`."""
        return ece(values[:, 0], values[:, 1])


def ece(confidence: np.ndarray, correct: np.ndarray) -> float:
    """The expected calibration error over 15 bins of equal width.

    Args:
        confidence: ``(clips,)``, the probability of each clip's chosen scene.
        correct: ``(clips,)``, whether that is the label.
    """
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    weight = np.bincount(bins, minlength=BINS)
    surplus = np.bincount(bins, confidence - correct, minlength=BINS)  # of confidence over accuracy, in clips
    return float(np.abs(surplus).sum() / weight.sum())
