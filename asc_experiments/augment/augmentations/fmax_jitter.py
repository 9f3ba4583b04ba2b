"""Another mel bank for every batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from asc_experiments.augment.augmentation import Augmentation, register_augmentation

if TYPE_CHECKING:
    from asc_experiments.augment.batch import Batch


@register_augmentation
class FmaxJitter(Augmentation):
    """Moves the upper mel edge, at most up to half the sampling rate for the published frontends.

    Attributes:
        fmax_jitter: largest shift of the upper mel edge per batch, in Hz, either way.
    """

    name = "fmax_jitter"
    stage = "waveforms"
    order = 30
    fmax_jitter: int = Field(500, ge=0, le=500)

    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """Draw the edge of the batch."""
        batch.fmax = batch.fmax + self.fmax_jitter - float(rng.integers(2 * self.fmax_jitter))
