"""Random crops of the recordings that clips were cut from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from asc_experiments.augment.augmentation import Augmentation, register_augmentation

if TYPE_CHECKING:
    from asc_experiments.augment.batch import Batch


@register_augmentation
class SegmentCrop(Augmentation):
    """Reads windows of a clip's length from anywhere in recordings.

    Attributes:
        segment_crop: how often a clip gives way to a window of its length anywhere in the recording it was cut from.
    """

    name = "segment_crop"
    stage = "clips"
    order = 10
    needs = ("segments",)
    keeps_clips = False
    segment_crop: float = Field(0.0, ge=0, le=1)

    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """Say where the batch is read from."""
        rows, samples, segments = batch.rows, batch.context.samples, batch.context.segments
        assert segments is not None
        chosen = rng.random(len(rows)) < self.segment_crop
        starts = rng.integers((segments.length[rows] - 1) * samples, endpoint=True)
        first, then, offset = segments.windows(rows, starts, samples)
        batch.windows = np.where(chosen, first, rows), np.where(chosen, then, rows), np.where(chosen, offset, 0)
