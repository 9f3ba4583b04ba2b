"""The learning-rate schedule of the published systems."""

from __future__ import annotations

import math


def learning_rate_factor(
    epoch: int, warmup_epochs: int, rampdown_start: int, rampdown_epochs: int, last_factor: float
) -> float:
    """The factor on the learning rate: exponential warm-up, constant, linear ramp-down, constant.

    DCASE 2023 winner; the warm-up is that of Laine and Aila, "Temporal Ensembling" (arXiv 1610.02242), appendix A.

    Args:
        epoch: counted from 0.
        warmup_epochs: length of the warm-up.
        rampdown_start: the last epoch before the ramp-down.
        rampdown_epochs: length of the ramp-down.
        last_factor: the factor after it.
    """
    factor = 1.0
    if epoch < warmup_epochs:
        phase = 1.0 - max(epoch, 0.5) / warmup_epochs
        factor = math.exp(-5.0 * phase * phase)
    elapsed = epoch - rampdown_start
    if elapsed <= 0:
        return factor
    if elapsed < rampdown_epochs:
        return factor * (last_factor + (1.0 - last_factor) * (rampdown_epochs - elapsed) / rampdown_epochs)
    return factor * last_factor
