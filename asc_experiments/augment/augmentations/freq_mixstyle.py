"""Freq-MixStyle (FMS): the frequency statistics of other clips, as other devices would have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from asc_experiments.augment.augmentation import Augmentation, register_augmentation

if TYPE_CHECKING:
    from torch import Tensor

    from asc_experiments.augment.batch import Batch

_EPSILON = 1e-6


@register_augmentation
class FreqMixStyle(Augmentation):
    """Gives each clip a mixture of its own and another clip's frequency statistics.

    Attributes:
        fms_probability: how often a batch goes through Freq-MixStyle.
        fms_alpha: mixing weights of Freq-MixStyle are Beta(alpha, alpha).
    """

    name = "fms"
    stage = "features"
    order = 30
    label = "fms"
    in_words = "FMS: Freq-MixStyle"
    fms_probability: float = Field(0.0, ge=0, le=1)
    fms_alpha: float = Field(0.3, gt=0)

    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """Draw whether this batch is mixed, then the weights and the partners."""
        if rng.random() < self.fms_probability:
            clips = len(batch.features)
            weight = rng.beta(self.fms_alpha, self.fms_alpha, size=clips).astype(np.float32)
            batch.features = freq_mixstyle(batch.features, batch.send(weight), batch.send(rng.permutation(clips)))


def freq_mixstyle(features: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
    """Give each clip a mixture of its own and another clip's frequency statistics.

    F. Schmid et al., "CP-JKU Submission to DCASE22", section 2; here as the DCASE 2023 winner computes it: mean and
    unbiased variance per mel over channel and time.

    Args:
        features: ``(batch, 1, mels, frames)``.
        weight: ``(batch,)`` in [0, 1], how much of its own statistics a clip keeps.
        partner: ``(batch,)`` int64, the row of the other clip.
    """
    import torch

    mean = features.mean(dim=(1, 3), keepdim=True)
    centred = features - mean
    numbers = features.shape[1] * features.shape[3]
    variance = centred.square().sum(dim=(1, 3), keepdim=True) / (numbers - 1)  # Tensor.var takes ten times as long
    deviation = (variance + _EPSILON).sqrt()
    own = weight.view(-1, 1, 1, 1)
    mixed_mean = own * mean + (1 - own) * mean[partner]
    mixed_deviation = own * deviation + (1 - own) * deviation[partner]
    return torch.addcmul(mixed_mean, centred, mixed_deviation / deviation)
