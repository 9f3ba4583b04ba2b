"""Augmentation of waveforms."""

from __future__ import annotations

import torch
from torch import Tensor


def roll(waveforms: Tensor, shifts: Tensor) -> Tensor:
    """Shift each waveform in time; what leaves at one end comes in at the other.

    Args:
        waveforms: ``(batch, samples)``.
        shifts: ``(batch,)`` int64, in samples; positive delays.
    """
    samples = waveforms.shape[1]
    positions = torch.arange(samples, device=waveforms.device)
    return waveforms.gather(1, (positions - shifts.unsqueeze(1)) % samples)
