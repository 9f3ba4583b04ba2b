"""An augmentation as another package would add it: this one file, and a line of the package's description."""

import math

import numpy as np
import torch
from pydantic import Field

from asc_experiments.augment import Augmentation, Batch, register_augmentation


@register_augmentation
class Hum(Augmentation):
    """Adds the hum of a power line; made up, for tests."""

    name = "hum"
    stage = "waveforms"
    label = "hum"
    in_words = "hum of power lines"
    switched_on = 0.1
    hum_level: float = Field(0.0, ge=0, le=1)
    hum_hertz: int = Field(50, ge=1, le=16_000)

    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """A sine of another loudness in each clip."""
        levels = batch.send(rng.uniform(0, self.hum_level, size=len(batch.rows)).astype(np.float32))
        time = torch.arange(batch.waveforms.shape[1], device=batch.waveforms.device) / 32_000
        batch.waveforms = batch.waveforms + levels.unsqueeze(1) * torch.sin(2 * math.pi * self.hum_hertz * time)
