"""A metric as another package would add it: this one file, and a line of the package's description."""

import numpy as np
from scipy.special import softmax

from asc_experiments.metrics import Metric, register_metric


@register_metric
class Brier(Metric):
    """The Brier score over all scenes (G. W. Brier, Monthly Weather Review 1950)."""

    name = "brier"
    heading = "Brier score"
    meaning = "the squared error of the probabilities, from 0 to 2"
    higher_is_better = False

    def per_clip(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The squared distance of the probabilities from the truth."""
        truth = np.eye(logits.shape[1])[labels]
        return ((softmax(logits.astype(np.float64), axis=1) - truth) ** 2).sum(axis=1)
