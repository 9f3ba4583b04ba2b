"""The augmentation of one training: what a Recipe says, drawn and applied batch by batch.

Every random number comes from one NumPy generator on the host, as small vectors of batch length, so that a run can be
reproduced, and so that nothing on a GPU has to be waited for.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from asc_experiments.augment.impulse_response import DeviceImpulseResponses
from asc_experiments.augment.settings import Augmentation
from asc_experiments.augment.spectrogram import freq_mixstyle, mask, mix
from asc_experiments.augment.waveform import roll
from asc_experiments.corpus.segments import Segments


class Augmenter:
    """Draws and applies an :class:`Augmentation`.

    Args:
        settings: what to do.
        rng: where the random numbers come from.
        responses: needed if ``dir_probability`` is not zero.
        segments: needed if ``segment_crop`` is not zero.
    """

    def __init__(
        self,
        settings: Augmentation,
        rng: np.random.Generator,
        responses: DeviceImpulseResponses | None = None,
        segments: Segments | None = None,
    ) -> None:
        if settings.dir_probability > 0 and responses is None:
            raise ValueError("DIR needs impulse responses")
        if settings.segment_crop > 0 and segments is None:
            raise ValueError("segment_crop needs segments")
        self.settings = settings
        self.rng = rng
        self.responses = responses
        self.segments = segments

    def crop(self, rows: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Where to read the next batch from; None where every clip is read as it is.

        Args:
            rows: ``(batch,)`` int64, the clips' rows of the corpus.
            samples: a clip's length.

        Returns:
            Three times ``(batch,)`` int64, as :meth:`~asc_experiments.corpus.segments.Segments.windows` gives them.
        """
        if self.segments is None or self.settings.segment_crop == 0:
            return None
        chosen = self.rng.random(len(rows)) < self.settings.segment_crop
        starts = self.rng.integers((self.segments.length[rows] - 1) * samples, endpoint=True)
        first, then, offset = self.segments.windows(rows, starts, samples)
        return np.where(chosen, first, rows), np.where(chosen, then, rows), np.where(chosen, offset, 0)

    def waveforms(self, waveforms: Tensor, is_reference: np.ndarray) -> Tensor:
        """Apply DIR, then roll.

        Args:
            waveforms: ``(batch, samples)`` float; not modified.
            is_reference: ``(batch,)`` bool, whether the clip was recorded with the reference device.
        """
        batch = len(is_reference)
        if self.responses is not None and self.settings.dir_probability > 0:
            chosen = np.flatnonzero(is_reference & (self.rng.random(batch) < self.settings.dir_probability))
            choice = self.rng.integers(len(self.responses), size=len(chosen))
            if len(chosen):
                rows = self._send(chosen, waveforms)
                convolved = self.responses(waveforms[rows], self._send(choice, waveforms))
                waveforms = waveforms.index_copy(0, rows, convolved)
        if self.settings.roll:
            shifts = self.rng.integers(-self.settings.roll, self.settings.roll, size=batch, endpoint=True)
            waveforms = roll(waveforms, self._send(shifts, waveforms))
        return waveforms

    def upper_mel_edge(self, fmax: float) -> float:
        """The upper mel edge of the next batch in Hz, at most half the sampling rate for the published frontends."""
        jitter = self.settings.fmax_jitter
        return fmax + jitter - float(self.rng.integers(2 * jitter)) if jitter else fmax

    def features(self, features: Tensor, fill: float) -> Tensor:
        """Apply masks, then Freq-MixStyle, in the order of the published systems.

        Args:
            features: ``(batch, 1, mels, frames)``.
            fill: the value of masked places.
        """
        for dim, bound in ((2, self.settings.frequency_mask), (3, self.settings.time_mask)):
            if bound:
                features = self._mask(features, dim, bound, fill)
        if self.settings.fms_probability > 0 and self.rng.random() < self.settings.fms_probability:
            weight, partner = self._mixture(features, self.settings.fms_alpha)
            features = freq_mixstyle(features, weight, partner)
        return features

    def mixup(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
        """Mixed features, the share ``(batch,)`` of each clip itself, and its partner; None where mixup is off."""
        if self.settings.mixup_alpha == 0:
            return None
        weight, partner = self._mixture(features, self.settings.mixup_alpha)
        return mix(features, weight, partner), weight, partner

    def _mask(self, features: Tensor, dim: int, bound: int, fill: float) -> Tensor:
        """One band of each clip, 0 to ``bound - 1`` wide, as the published systems draw it."""
        batch, size = features.shape[0], features.shape[dim]
        width = self.rng.random(batch) * min(bound, size)
        start = self.rng.random(batch) * (size - width)
        first = start.astype(np.int64)
        return mask(features, self._send(first, features), self._send(width.astype(np.int64), features), dim, fill)

    def _mixture(self, features: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
        batch = features.shape[0]
        weight = self.rng.beta(alpha, alpha, size=batch).astype(np.float32)
        return self._send(weight, features), self._send(self.rng.permutation(batch), features)

    @staticmethod
    def _send(values: np.ndarray, like: Tensor) -> Tensor:
        return torch.from_numpy(values).to(like.device, non_blocking=True)
