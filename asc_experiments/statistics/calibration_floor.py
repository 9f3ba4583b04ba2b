"""The calibration error that a perfectly calibrated network shows in so many clips.

The expected calibration error (ECE) adds up absolute gaps between confidence and accuracy, bin by bin. In a sample such
a gap is never 0, whatever the network: of n clips in a bin whose answers are right with probability p, the number of
right ones deviates by sqrt(2 n p (1 - p) / pi) on average. So ECE is too large in small samples, of a network of any
calibration, and by how much depends on the number of clips and on how many bins they fall into.

Which bins they fall into is not kept with a run, but its accuracy is, and a calibrated network is as sure as it is
right. So its confidences are taken to lie evenly around its accuracy, as far as the range from guessing to certainty
allows on both sides. A network whose confidences are closer together falls into fewer bins, and shows less: with all of
them in one bin, at 8 scenes and an accuracy of a third, two fifths of this.
"""

from __future__ import annotations

import math

import numpy as np

from asc_experiments.metrics.ece import BINS

FEWEST_CLIPS = 500
"""Clips from which on a calibration error is told: below, most of it is the luck of so few."""
_NARROWEST = 1e-3


def calibration_floor(clips: int, accuracy: float, scenes: int) -> float:
    """The ECE that a perfectly calibrated network of this accuracy is expected to show, 0 to 1.

    Args:
        clips: that it is asked; taken as independent, so that clips of few places show more.
        accuracy: of the network.
        scenes: that it tells apart.
    """
    low, high = _confidences(accuracy, scenes)
    edges = np.clip(np.arange(BINS + 1) / BINS, low, high)
    first, last = edges[:-1], edges[1:]
    # the integral of p (1 - p) over each bin's part of the confidences: its share of the clips times their variance
    variance = ((last**2 - first**2) / 2 - (last**3 - first**3) / 3) / (high - low)
    return float(np.sqrt(2 * clips * np.maximum(0.0, variance) / math.pi).sum() / clips)


def _confidences(accuracy: float, scenes: int) -> tuple[float, float]:
    """The range of confidences evenly around an accuracy, from guessing to certainty at most."""
    guessing = 1 / scenes
    reach = max(_NARROWEST, min(accuracy - guessing, 1 - accuracy))
    middle = min(max(accuracy, guessing + reach), 1 - reach)
    return middle - reach, middle + reach
