"""Masks in frequency and time (SpecAugment, Interspeech 2019, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from asc_experiments.augment.augmentation import Augmentation, register_augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from asc_experiments.augment.batch import Batch


@register_augmentation
class FrequencyMask(Augmentation):
    """Overwrites one band of mels in each clip.

    Attributes:
        frequency_mask: masks are narrower than this, in mels: 48 draws widths of 0 to 47, and 1 masks nothing;
            0 turns them off.
    """

    name = "frequency_mask"
    stage = "features"
    order = 10
    frequency_mask: int = Field(48, ge=0)

    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """Draw a band for each clip."""
        _mask_one_band(batch, rng, 2, self.frequency_mask)


@register_augmentation
class TimeMask(Augmentation):
    """Overwrites one stretch of frames in each clip.

    Attributes:
        time_mask: masks are narrower than this, in frames: 20 draws widths of 0 to 19, and 1 masks nothing;
            0 turns them off.
    """

    name = "time_mask"
    stage = "features"
    order = 20
    time_mask: int = Field(0, ge=0)

    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """Draw a stretch for each clip."""
        _mask_one_band(batch, rng, 3, self.time_mask)


def _mask_one_band(batch: Batch, rng: np.random.Generator, dim: int, bound: int) -> None:
    """One band of each clip, 0 to ``bound - 1`` wide, as the published systems draw it."""
    clips, size = batch.features.shape[0], batch.features.shape[dim]
    width = rng.random(clips) * min(bound, size)
    first = (rng.random(clips) * (size - width)).astype(np.int64)
    bands = batch.send(first), batch.send(width.astype(np.int64))
    batch.features = mask(batch.features, *bands, dim, batch.context.fill)


def mask(features: Tensor, start: Tensor, width: Tensor, dim: int, value: float) -> Tensor:
    """Overwrite a band of each clip.

    Args:
        features: ``(batch, 1, mels, frames)``.
        start: ``(batch,)`` int64, first mel (``dim=2``) or frame (``dim=3``) of the band.
        width: ``(batch,)`` int64, how many it covers.
        dim: which dimension the band lies in.
        value: what the band is filled with.
    """
    import torch

    shape = [1, 1, 1, 1]
    shape[dim] = -1
    positions = torch.arange(features.shape[dim], device=features.device).view(shape)
    first, last = start.view(-1, 1, 1, 1), (start + width).view(-1, 1, 1, 1)
    return features.masked_fill((positions >= first) & (positions < last), value)
