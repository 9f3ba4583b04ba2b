"""A batch of training clips on its way into the network, as augmentations see and change it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from asc_experiments.augment.impulse_response import DeviceImpulseResponses
    from asc_experiments.corpus.segments import Segments

Windows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""As :meth:`~asc_experiments.corpus.segments.Segments.windows` gives them."""


@dataclass(frozen=True, eq=False)
class AugmentationContext:
    """What a training has for its augmentations.

    Attributes:
        device: the device that trains.
        samples: a clip's length, at 32 kHz.
        fill: the log-mel that masks are filled with, as the frontend has it.
        responses: where a Recipe has DIR.
        segments: the recordings that the training clips were cut from, where a Recipe crops them anew.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    samples: int = 32_000
    fill: float = 0.0
    responses: DeviceImpulseResponses | None = None
    segments: Segments | None = None


@dataclass(eq=False)
class Batch:
    """See the module. What a later stage fills is not there before.

    Attributes:
        rows: ``(batch,)`` int64, the clips' rows of the corpus.
        is_reference: ``(batch,)`` bool, whether a clip was recorded with the reference device.
        fmax: the upper mel edge in Hz with which log-mels are computed, for the whole batch.
        context: of the training.
        windows: where to read from, three times ``(batch,)`` int64; None where every clip is read as it is.
        waveforms: ``(batch, samples)`` float, from stage ``waveforms`` on.
        features: ``(batch, 1, mels, frames)`` log-mels, from stage ``features`` on.
        mixture: the share ``(batch,)`` of each clip itself, and its partner's place ``(batch,)`` int64, by which the
            loss weighs labels and teachers' logits; None where nothing is mixed.
    """

    rows: np.ndarray
    is_reference: np.ndarray
    fmax: float
    context: AugmentationContext
    windows: Windows | None = None
    waveforms: Tensor = field(init=False)
    features: Tensor = field(init=False)
    mixture: tuple[Tensor, Tensor] | None = None

    def send(self, values: np.ndarray) -> Tensor:
        """Values of the host as a tensor on the device that trains, which nothing waits for."""
        return torch.from_numpy(values).to(self.context.device, non_blocking=True)
