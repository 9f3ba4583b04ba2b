"""What a frontend computes, without computing it: STFT, mel and logarithm settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

LOG_OFFSET = 1e-5
"""What is added to a mel's power before the logarithm."""


@dataclass(frozen=True)
class FrontendShape:
    """STFT, mel and logarithm settings: lengths in samples, frequencies in Hz.

    The defaults are those of the DCASE 2023 winner (CP-JKU) and of PaSST.

    Attributes:
        n_fft: length of the Fourier transform.
        window: length of the Hann window.
        hop: from frame to frame.
        mels: number of mel filters.
        fmin: lower edge of the first filter.
        fmax: upper edge of the last filter; at most half the sampling rate.
        pre_emphasis: ``c`` of ``y[t] = x[t + 1] - c x[t]``, which is one sample shorter; 0 for none.
        periodic: whether the Hann window is periodic, as torchaudio's by default, or symmetric.
        triangles: whether filters are triangles over mels (``kaldi``) or over Hz (``htk``, as ``torchaudio.transforms``
            and librosa have them); the scale of mels is the same.
        shift, scale: of the normalisation ``(log_mel + shift) / scale``; 0 and 1 for none.
        masks: what masks set to 0 in training: the ``log`` of mels, or their ``power`` before the logarithm.
    """

    n_fft: int
    window: int
    hop: int
    mels: int
    fmin: float = 0.0
    fmax: float = 15_500.0
    pre_emphasis: float = 0.97
    periodic: bool = False
    triangles: Literal["kaldi", "htk"] = "kaldi"
    shift: float = 4.5
    scale: float = 5.0
    masks: Literal["log", "power"] = "log"

    @property
    def least_samples(self) -> int:
        """The shortest waveform that it takes: the STFT reflects half a transform at each end of it."""
        return self.n_fft // 2 + 1 + self._lost

    @property
    def masked(self) -> float:
        """The value, after normalisation, that masks are filled with."""
        return ((0.0 if self.masks == "log" else math.log(LOG_OFFSET)) + self.shift) / self.scale

    def frames(self, samples: int) -> int:
        """How many frames a waveform of that many samples gives."""
        return (samples - self._lost) // self.hop + 1

    def samples(self, frames: int) -> int:
        """The shortest waveform that gives so many frames."""
        return (frames - 1) * self.hop + self._lost

    @property
    def _lost(self) -> int:
        """Samples that pre-emphasis takes off."""
        return 1 if self.pre_emphasis else 0
