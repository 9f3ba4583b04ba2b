"""The log-mel frontends of the published systems.

Pre-emphasis, centred STFT with a symmetric Hann window, power spectrum, Kaldi mel filter bank, logarithm, and a fixed
normalisation (DCASE 2023 task 1 winner, CP-JKU; PaSST, Interspeech 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

_PRE_EMPHASIS = 0.97
_LOG_OFFSET = 1e-5
_SHIFT, _SCALE = 4.5, 5.0
SILENT_LOG_MEL = _SHIFT / _SCALE
"""What a log-mel value of zero is after normalisation: the value that masks are filled with."""


@dataclass(frozen=True)
class FrontendShape:
    """STFT and mel settings: lengths in samples, frequencies in Hz."""

    n_fft: int
    window: int
    hop: int
    mels: int
    fmin: float = 0.0
    fmax: float = 15_500.0


FRONTENDS = {
    "cp_mobile": FrontendShape(n_fft=4096, window=3072, hop=500, mels=256),
    "cp_resnet": FrontendShape(n_fft=4096, window=3072, hop=750, mels=256),
    "passt": FrontendShape(n_fft=1024, window=800, hop=320, mels=128),
}
"""The published frontend of each architecture."""


class LogMel(nn.Module):
    """Waveforms to normalised log-mel features.

    Args:
        shape: STFT and mel settings.
        sample_rate: of the waveforms, in Hz.

    Raises:
        ValueError: if the upper mel edge lies above half the sampling rate.
    """

    window: Tensor
    bank: Tensor

    def __init__(self, shape: FrontendShape, sample_rate: int = 32_000) -> None:
        super().__init__()
        if shape.fmax > sample_rate / 2:
            raise ValueError(f"fmax {shape.fmax:g} Hz lies above half the sampling rate of {sample_rate} Hz")
        self.shape = shape
        self.sample_rate = sample_rate
        self.register_buffer("window", torch.hann_window(shape.window, periodic=False), persistent=False)
        self.register_buffer("bank", self._mel_bank(shape.fmin, shape.fmax), persistent=False)

    @classmethod
    def for_arch(cls, arch: str, sample_rate: int = 32_000) -> Self:
        """The published frontend of an architecture.

        Args:
            arch: ``cp_mobile``, ``cp_resnet`` or ``passt``.
            sample_rate: of the waveforms, in Hz.

        Raises:
            ValueError: if the architecture is unknown.
        """
        if arch not in FRONTENDS:
            raise ValueError(f"unknown architecture '{arch}'; valid: {', '.join(FRONTENDS)}")
        return cls(FRONTENDS[arch], sample_rate)

    def frames(self, samples: int) -> int:
        """How many frames a waveform of that many samples gives."""
        return (samples - 1) // self.shape.hop + 1

    def forward(self, waveforms: Tensor, fmin: float | None = None, fmax: float | None = None) -> Tensor:
        """Compute log-mel features.

        Args:
            waveforms: ``(batch, samples)`` float in [-1, 1].
            fmin: another lower mel edge in Hz for this batch.
            fmax: another upper mel edge in Hz for this batch (training jitters it).

        Returns:
            ``(batch, 1, mels, frames)``, roughly in [-1, 2].
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            return self._forward(waveforms.float(), fmin, fmax)

    def _forward(self, waveforms: Tensor, fmin: float | None, fmax: float | None) -> Tensor:
        """In float32 whatever surrounds it: bfloat16 would lose the quiet bins."""
        emphasised = waveforms[:, 1:] - _PRE_EMPHASIS * waveforms[:, :-1]
        spectrum = torch.stft(
            emphasised, self.shape.n_fft, self.shape.hop, self.shape.window, self.window, return_complex=True
        )
        power = torch.view_as_real(spectrum).square().sum(dim=-1)
        bank = self.bank
        if fmin is not None or fmax is not None:
            edges = (self.shape.fmin if fmin is None else fmin, self.shape.fmax if fmax is None else fmax)
            bank = self._mel_bank(*edges).to(power.device, non_blocking=True)
        mel = torch.matmul(bank, power)
        return mel.add_(_LOG_OFFSET).log_().add_(_SHIFT).div_(_SCALE).unsqueeze(1)

    def _mel_bank(self, fmin: float, fmax: float) -> Tensor:
        """The Kaldi filter bank ``(mels, n_fft / 2 + 1)``; Kaldi leaves the Nyquist bin out, hence the padding."""
        from torchaudio.compliance.kaldi import get_mel_banks

        bank, _ = get_mel_banks(
            self.shape.mels, self.shape.n_fft, float(self.sample_rate), fmin, fmax,
            vtln_low=100.0, vtln_high=-500.0, vtln_warp_factor=1.0,
        )  # fmt: skip
        return nn.functional.pad(bank, (0, 1))
