"""Shifts in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from asc_experiments.augment.augmentation import Augmentation, register_augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from asc_experiments.augment.batch import Batch


@register_augmentation
class Roll(Augmentation):
    """Shifts each waveform in time.

    Attributes:
        roll: largest shift in time, in samples, either way.
    """

    name = "roll"
    stage = "waveforms"
    order = 20
    roll: int = Field(0, ge=0)

    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """Draw a shift for each clip."""
        shifts = rng.integers(-self.roll, self.roll, size=len(batch.rows), endpoint=True)
        batch.waveforms = roll(batch.waveforms, batch.send(shifts))


def roll(waveforms: Tensor, shifts: Tensor) -> Tensor:
    """Shift each waveform in time; what leaves at one end comes in at the other.

    Args:
        waveforms: ``(batch, samples)``.
        shifts: ``(batch,)`` int64, in samples; positive delays.
    """
    import torch

    samples = waveforms.shape[1]
    if waveforms.device.type == "cpu":  # whole pieces are copied in a tenth of the time of single samples
        rolled = torch.empty_like(waveforms)
        for each, into, shift in zip(waveforms, rolled, (shifts % samples).tolist(), strict=True):
            into[:shift] = each[samples - shift :]
            into[shift:] = each[: samples - shift]
        return rolled
    positions = torch.arange(samples, device=waveforms.device)
    return waveforms.gather(1, (positions - shifts.unsqueeze(1)) % samples)
