"""Accuracy."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from asc_experiments.metrics.key import DEVICE, GROUP, MACRO, OVERALL, SCENE
from asc_experiments.metrics.metric import Metric, register_metric


@register_metric
class Accuracy(Metric):
    """The part of clips whose scene is named right."""

    name = "accuracy"
    meaning = "the part of clips whose scene is named right; macro is the mean over scenes, as DCASE ranks"
    higher_is_better = True
    unit = "%"
    parts: ClassVar[tuple[str, ...]] = (OVERALL, MACRO, DEVICE, GROUP, SCENE)

    def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """1 where the largest logit is the label's."""
        return np.asarray(logits.argmax(axis=1) == labels).astype(np.float64)
