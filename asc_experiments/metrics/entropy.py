"""How soft a network's answers are."""

from __future__ import annotations

import numpy as np

from asc_experiments.metrics.key import DEVICE, GROUP, OVERALL
from asc_experiments.metrics.metric import Metric, register_metric
from asc_experiments.metrics.softmax import softmax

ENTROPY_TEMPERATURE = 2.0
"""The published T. One for all, so that entropies of any two networks compare."""


@register_metric
class Entropy(Metric):
    """The entropy of softened answers."""

    name = "entropy"
    meaning = f"the entropy of the softened answers in nats, at T = {ENTROPY_TEMPERATURE:g}"
    higher_is_better = False
    unit = "nats"
    parts = (OVERALL, DEVICE, GROUP)
    every_epoch = False

    def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The entropy of each clip's probabilities."""
        return entropy(logits, ENTROPY_TEMPERATURE)


def entropy(logits: np.ndarray, temperature: float) -> np.ndarray:
    """The entropy of each clip's softened probabilities in nats; ``(clips,)`` float64.

    Args:
        logits: ``(clips, scenes)``.
        temperature: T, which the logits are divided by.
    """
    from scipy import special

    return np.asarray(special.entr(softmax(logits / temperature)).sum(axis=1))
