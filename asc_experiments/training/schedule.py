"""The learning-rate schedules of the published systems."""

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


def cosine_factor(
    epoch: float, warmup_epochs: int, rampdown_start: int, rampdown_epochs: int, last_factor: float
) -> float:
    """The factor on the learning rate: linear warm-up from 0, constant, half a cosine down, constant.

    Baseline of DCASE 2024 and 2025 task 1, where the ramp-down follows the warm-up at once and ends with the training
    at 0.

    Args:
        epoch: counted from 0, with the part of it that is done.
        warmup_epochs: length of the warm-up.
        rampdown_start: when the ramp-down begins.
        rampdown_epochs: length of the ramp-down.
        last_factor: the factor after it.
    """
    warm = min(1.0, epoch / warmup_epochs) if warmup_epochs else 1.0
    down = min(1.0, max(0.0, (epoch - rampdown_start) / rampdown_epochs))
    return warm * (last_factor + (1.0 - last_factor) * 0.5 * (1.0 + math.cos(math.pi * down)))
