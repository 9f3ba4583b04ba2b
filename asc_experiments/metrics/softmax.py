"""Probabilities of logits."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities ``(clips, scenes)`` float64."""
    from scipy import special

    return np.asarray(special.softmax(logits.astype(np.float64), axis=1))
