"""The log-mel frontends of the published systems.

Pre-emphasis, centred STFT with a Hann window, power spectrum, mel filter bank, logarithm, and a fixed normalisation
(DCASE 2023 task 1 winner, CP-JKU; PaSST, Interspeech 2022); or, as torchaudio's MelSpectrogram, the same without
pre-emphasis and normalisation, with a periodic window and filters that are triangles over Hz (baseline of DCASE 2024
and 2025 task 1).

A spectrum of one second takes a megabyte, and reading and writing it takes longer than computing it. So a processor
does a few seconds at a time from beginning to end, which stay in its cache; a GPU does all at once.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from asc_experiments.models.architectures import ARCHITECTURES
from asc_experiments.models.frontend_shape import LOG_OFFSET, FrontendShape
from asc_experiments.models.mel import Block, dense, mel_bank, mel_blocks
from asc_experiments.models.threads import for_each

_SECONDS_AT_A_TIME = 4

FRONTENDS: dict[str, FrontendShape] = {name: each.frontend for name, each in ARCHITECTURES.items()}
"""The frontend of each architecture."""


class LogMel(nn.Module):
    """Waveforms to normalised log-mel features.

    Args:
        shape: STFT, mel and logarithm settings.
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
        self.register_buffer("window", torch.hann_window(shape.window, periodic=shape.periodic), persistent=False)
        self._blocks = self._mel_blocks(shape.fmin, shape.fmax)
        self.register_buffer("bank", dense(self._blocks, shape.n_fft), persistent=False)

    @classmethod
    def for_arch(cls, arch: str, sample_rate: int = 32_000) -> Self:
        """The published frontend of an architecture.

        Args:
            arch: ``cp_mobile``, ``cp_resnet``, ``passt``, or one of an installed package.
            sample_rate: of the waveforms, in Hz.

        Raises:
            ValueError: if the architecture is unknown.
        """
        if arch not in FRONTENDS:
            raise ValueError(f"unknown architecture '{arch}'; valid: {', '.join(FRONTENDS)}")
        return cls(FRONTENDS[arch], sample_rate)

    def frames(self, samples: int) -> int:
        """How many frames a waveform of that many samples gives."""
        return self.shape.frames(samples)

    def forward(self, waveforms: Tensor, fmin: float | None = None, fmax: float | None = None) -> Tensor:
        """Compute log-mel features.

        Args:
            waveforms: ``(batch, samples)`` float in [-1, 1].
            fmin: another lower mel edge in Hz for this batch.
            fmax: another upper mel edge in Hz for this batch (training jitters it).

        Returns:
            ``(batch, 1, mels, frames)``, roughly in [-1, 2] where it is normalised.
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            return self._forward(waveforms.float(), fmin, fmax)

    def _forward(self, waveforms: Tensor, fmin: float | None, fmax: float | None) -> Tensor:
        """In float32 whatever surrounds it: bfloat16 would lose the quiet bins."""
        moved = fmin is not None or fmax is not None
        edges = (self.shape.fmin if fmin is None else fmin, self.shape.fmax if fmax is None else fmax)
        if waveforms.device.type != "cpu" or waveforms.requires_grad or torch.compiler.is_compiling():
            bank = self._mel_bank(*edges, waveforms.device) if moved else self.bank
            mel = torch.matmul(bank, self._power(waveforms))
        else:
            mel = self._mel_in_pieces(waveforms, self._mel_blocks(*edges) if moved else self._blocks)
        log_mel = mel.add_(LOG_OFFSET).log_()
        if (self.shape.shift, self.shape.scale) != (0.0, 1.0):
            log_mel = log_mel.add_(self.shape.shift).div_(self.shape.scale)
        return log_mel.unsqueeze(1)

    def _mel_in_pieces(self, waveforms: Tensor, blocks: list[Block]) -> Tensor:
        """``(batch, mels, frames)``, a few clips at a time, without the places of the bank that are zero."""
        mel = waveforms.new_empty(len(waveforms), self.shape.mels, self.frames(waveforms.shape[1]))

        def compute(piece: tuple[Tensor, Tensor]) -> None:
            clips, into = piece
            power = self._power(clips)
            for block in blocks:
                mels, bins = block.weights.shape
                of_block = torch.matmul(block.weights, power[:, block.first_bin : block.first_bin + bins])
                into[:, block.first_mel : block.first_mel + mels] = of_block

        clips_at_a_time = max(1, _SECONDS_AT_A_TIME * self.sample_rate // waveforms.shape[1])
        for_each(compute, zip(waveforms.split(clips_at_a_time), mel.split(clips_at_a_time), strict=True))
        return mel

    def _power(self, waveforms: Tensor) -> Tensor:
        """``(batch, samples)`` to the power spectrum ``(batch, n_fft / 2 + 1, frames)``."""
        shape = self.shape
        if shape.pre_emphasis:
            waveforms = waveforms[:, 1:] - shape.pre_emphasis * waveforms[:, :-1]
        spectrum = torch.stft(waveforms, shape.n_fft, shape.hop, shape.window, self.window, return_complex=True)
        parts = torch.view_as_real(spectrum)
        return parts[..., 0].square().addcmul_(parts[..., 1], parts[..., 1])

    def _mel_blocks(self, fmin: float, fmax: float) -> list[Block]:
        shape = self.shape
        return mel_blocks(shape.mels, shape.n_fft, self.sample_rate, fmin, fmax, shape.triangles)

    def _mel_bank(self, fmin: float, fmax: float, device: torch.device) -> Tensor:
        shape = self.shape
        return mel_bank(shape.mels, shape.n_fft, self.sample_rate, fmin, fmax, shape.triangles, device)
