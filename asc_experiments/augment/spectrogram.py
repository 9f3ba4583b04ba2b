"""Augmentation of log-mel features ``(batch, 1, mels, frames)``."""

from __future__ import annotations

import torch
from torch import Tensor

_EPSILON = 1e-6


def freq_mixstyle(features: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
    """Freq-MixStyle (FMS): give each clip a mixture of its own and another clip's frequency statistics.

    F. Schmid et al., "CP-JKU Submission to DCASE22", section 2; here as the DCASE 2023 winner computes it: mean and
    unbiased variance per mel over channel and time.

    Args:
        features: ``(batch, 1, mels, frames)``.
        weight: ``(batch,)`` in [0, 1], how much of its own statistics a clip keeps.
        partner: ``(batch,)`` int64, the row of the other clip.
    """
    mean = features.mean(dim=(1, 3), keepdim=True)
    deviation = (features.var(dim=(1, 3), keepdim=True) + _EPSILON).sqrt()
    own = weight.view(-1, 1, 1, 1)
    mixed_mean = own * mean + (1 - own) * mean[partner]
    mixed_deviation = own * deviation + (1 - own) * deviation[partner]
    return (features - mean) / deviation * mixed_deviation + mixed_mean


def mask(features: Tensor, start: Tensor, width: Tensor, dim: int, value: float) -> Tensor:
    """Overwrite a band of each clip (SpecAugment, Interspeech 2019, section 2).

    Args:
        features: ``(batch, 1, mels, frames)``.
        start: ``(batch,)`` int64, first mel (``dim=2``) or frame (``dim=3``) of the band.
        width: ``(batch,)`` int64, how many it covers.
        dim: which dimension the band lies in.
        value: what the band is filled with.
    """
    shape = [1, 1, 1, 1]
    shape[dim] = -1
    positions = torch.arange(features.shape[dim], device=features.device).view(shape)
    first, last = start.view(-1, 1, 1, 1), (start + width).view(-1, 1, 1, 1)
    return features.masked_fill((positions >= first) & (positions < last), value)


def mix(features: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
    """Mixup (Zhang et al., ICLR 2018): blend each clip with another one.

    Args:
        features: ``(batch, 1, mels, frames)``.
        weight: ``(batch,)`` in [0, 1], the share of the clip itself.
        partner: ``(batch,)`` int64, the row of the other clip.
    """
    own = weight.view(-1, 1, 1, 1)
    return own * features + (1 - own) * features[partner]
