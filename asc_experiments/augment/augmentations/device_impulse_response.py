"""DIR: clips of the reference device, as other microphones would have recorded them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from asc_experiments.augment.augmentation import Augmentation, register_augmentation

if TYPE_CHECKING:
    from asc_experiments.augment.batch import Batch


@register_augmentation
class DeviceImpulseResponse(Augmentation):
    """Convolution of clips of the reference device with device impulse responses.

    Attributes:
        dir_probability: how often a clip of the reference device is convolved with an impulse response.
    """

    name = "dir"
    stage = "waveforms"
    order = 10
    label = "dir"
    in_words = "DIR: impulse responses of other microphones"
    needs = ("responses",)
    dir_probability: float = Field(0.0, ge=0, le=1)

    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """Convolve the clips that are drawn."""
        responses = batch.context.responses
        assert responses is not None
        chosen = np.flatnonzero(batch.is_reference & (rng.random(len(batch.is_reference)) < self.dir_probability))
        choice = rng.integers(len(responses), size=len(chosen))
        if len(chosen):
            rows = batch.send(chosen)
            convolved = responses(batch.waveforms[rows], batch.send(choice))
            batch.waveforms = batch.waveforms.index_copy(0, rows, convolved)
