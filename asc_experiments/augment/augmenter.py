"""The augmentation of one training: what a Recipe says, drawn and applied batch by batch.

Every random number comes from one NumPy generator on the host, as small vectors of batch length, so that a run can be
reproduced, and so that nothing on a GPU has to be waited for.
"""

from __future__ import annotations

import numpy as np

from asc_experiments.augment.augmentation import STAGES, Stage
from asc_experiments.augment.batch import AugmentationContext, Batch
from asc_experiments.augment.settings import AugmentationSettings, switched_on

_CALLED = {"responses": "impulse responses", "segments": "segments"}


class Augmenter:
    """Draws and applies what :class:`~asc_experiments.augment.settings.AugmentationSettings` switch on.

    Args:
        settings: of all augmentations.
        rng: where the random numbers come from.
        context: what they need.
    """

    def __init__(self, settings: AugmentationSettings, rng: np.random.Generator, context: AugmentationContext) -> None:
        applied = switched_on(settings)
        for each in applied:
            for needed in each.needs:
                if getattr(context, needed) is None:
                    raise ValueError(f"{each.name} needs {_CALLED[needed]}")
        self.rng = rng
        self.context = context
        self._applied = {stage: [each for each in applied if each.stage == stage] for stage in STAGES}

    def batch(self, rows: np.ndarray, is_reference: np.ndarray, fmax: float) -> Batch:
        """A batch before its first stage.

        Args:
            rows: ``(batch,)`` int64, the clips' rows of the corpus.
            is_reference: ``(batch,)`` bool, whether a clip was recorded with the reference device.
            fmax: the frontend's upper mel edge, in Hz.
        """
        return Batch(rows, is_reference, fmax, self.context)

    def apply(self, stage: Stage, batch: Batch) -> None:
        """Have every augmentation of a stage change a batch, in their order."""
        for augmentation in self._applied[stage]:
            augmentation.apply(batch, self.rng)
