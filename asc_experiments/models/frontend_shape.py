"""What a frontend computes, without computing it: STFT and mel settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrontendShape:
    """STFT and mel settings: lengths in samples, frequencies in Hz."""

    n_fft: int
    window: int
    hop: int
    mels: int
    fmin: float = 0.0
    fmax: float = 15_500.0

    @property
    def least_samples(self) -> int:
        """The shortest waveform that it takes: the STFT reflects half a transform at each end of it."""
        return self.n_fft // 2 + 2

    def frames(self, samples: int) -> int:
        """How many frames a waveform of that many samples gives."""
        return (samples - 1) // self.hop + 1
