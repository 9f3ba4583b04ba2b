"""Mixup (Zhang et al., ICLR 2018): clips and targets blended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from asc_experiments.augment.augmentation import Augmentation, register_augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from asc_experiments.augment.batch import Batch


@register_augmentation
class Mixup(Augmentation):
    """Blends each clip, and what it is to be answered with, with another one.

    Attributes:
        mixup_alpha: mixing weights of mixup are Beta(alpha, alpha); 0 turns it off.
    """

    name = "mixup"
    stage = "mixing"
    order = 10
    mixup_alpha: float = Field(0.0, ge=0)

    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """Draw the shares and the partners."""
        clips = len(batch.features)
        share = batch.send(rng.beta(self.mixup_alpha, self.mixup_alpha, size=clips).astype(np.float32))
        partner = batch.send(rng.permutation(clips))
        batch.features, batch.mixture = mix(batch.features, share, partner), (share, partner)


def mix(features: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
    """Blend each clip with another one.

    Args:
        features: ``(batch, 1, mels, frames)``.
        weight: ``(batch,)`` in [0, 1], the share of the clip itself.
        partner: ``(batch,)`` int64, the row of the other clip.
    """
    own = weight.view(-1, 1, 1, 1)
    return own * features + (1 - own) * features[partner]
