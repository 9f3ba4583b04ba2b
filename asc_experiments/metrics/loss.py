"""Cross entropy."""

from __future__ import annotations

import numpy as np

from asc_experiments.metrics.metric import Metric, register_metric


@register_metric
class Loss(Metric):
    """The cross entropy of the label."""

    name = "loss"
    meaning = "the cross entropy in nats"
    higher_is_better = False
    unit = "nats"

    def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The cross entropy of each clip."""
        return losses_of(logits, labels)


def losses_of(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The cross entropy of each clip; ``(clips,)`` float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels])
