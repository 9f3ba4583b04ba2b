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
