"""Mel filter banks, kept as the blocks of them that are not zero.

S. Young et al., "The HTK Book", section 5.4, which is read in two ways: filters are triangles over mels in the bank of
``torchaudio.compliance.kaldi.get_mel_banks``, and triangles over Hz in that of ``torchaudio.functional``, whose name
for the scale is HTK. The published systems use one or the other. A filter of 256 covers a few of 2,049 bins:
multiplying neighbours by the bins that they share takes an eighth of the whole product. Training moves the upper edge
with every batch, so that a bank must also be quick to make; torchaudio's takes twenty times as long. A GPU multiplies
by the whole matrix, and makes it itself: two megabytes from the host would have every step wait.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

_MELS_PER_BLOCK = 32


@dataclass(frozen=True, eq=False)
class Block:
    """The filters of neighbouring mels on the bins from ``first_bin``; ``weights`` is ``(mels, bins)`` float32."""

    first_mel: int
    first_bin: int
    weights: Tensor


def mel_blocks(
    mels: int, n_fft: int, sample_rate: int, fmin: float, fmax: float, triangles: Literal["kaldi", "htk"] = "kaldi"
) -> list[Block]:
    """The filter bank in blocks of neighbouring mels.

    Args:
        mels: number of filters.
        n_fft: length of the Fourier transform, in samples.
        sample_rate: in Hz.
        fmin: lower edge of the first filter, in Hz.
        fmax: upper edge of the last filter, in Hz.
        triangles: over mels (``kaldi``) or over Hz (``htk``).
    """
    places = _over_mels if triangles == "kaldi" else _over_hz
    edges, bins = places(mels, n_fft, sample_rate, fmin, fmax)
    firsts = torch.searchsorted(bins, edges, right=True).tolist()
    blocks = []
    for first_mel in range(0, mels, _MELS_PER_BLOCK):
        last_mel = min(first_mel + _MELS_PER_BLOCK, mels)
        first_bin, last_bin = firsts[first_mel], max(firsts[last_mel + 1], firsts[first_mel] + 1)
        left, centre, right = (edges[first_mel + side : last_mel + side, None] for side in range(3))
        here = bins[None, first_bin:last_bin]
        weights = torch.minimum((here - left) / (centre - left), (right - here) / (right - centre)).clamp_(min=0)
        blocks.append(Block(first_mel, first_bin, weights))
    return blocks


def mel_bank(
    mels: int,
    n_fft: int,
    sample_rate: int,
    fmin: float,
    fmax: float,
    triangles: Literal["kaldi", "htk"] = "kaldi",
    device: torch.device | None = None,
) -> Tensor:
    """The filter bank as one matrix ``(mels, n_fft / 2 + 1)`` float32, made on the device that needs it.

    On the CPU it is what :func:`dense` makes of :func:`mel_blocks`, bit for bit.

    Args:
        mels: number of filters.
        n_fft: length of the Fourier transform, in samples.
        sample_rate: in Hz.
        fmin: lower edge of the first filter, in Hz.
        fmax: upper edge of the last filter, in Hz.
        triangles: over mels (``kaldi``) or over Hz (``htk``).
        device: where it is wanted; the CPU by default.
    """
    places = _over_mels if triangles == "kaldi" else _over_hz
    edges, bins = places(mels, n_fft, sample_rate, fmin, fmax, device)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = torch.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)).clamp_(min=0)
    return nn.functional.pad(bank, (0, n_fft // 2 + 1 - len(bins)))


def _over_mels(
    mels: int, n_fft: int, sample_rate: int, fmin: float, fmax: float, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Edges of filters ``(mels + 2,)`` and places of bins ``(bins,)``, in mels."""
    low, high = (1127.0 * math.log(1.0 + edge / 700.0) for edge in (fmin, fmax))
    edges = low + torch.arange(mels + 2, device=device) * ((high - low) / (mels + 1))
    # Kaldi leaves the bin of half the sampling rate out.
    bins = sample_rate / n_fft * torch.arange(n_fft // 2, device=device)
    return edges, mel_of_hz(bins)


def _over_hz(
    mels: int, n_fft: int, sample_rate: int, fmin: float, fmax: float, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Edges of filters ``(mels + 2,)`` and places of bins ``(bins,)``, in Hz."""
    low, high = (2595.0 * math.log10(1.0 + edge / 700.0) for edge in (fmin, fmax))
    edges = 700.0 * (10.0 ** (torch.linspace(low, high, mels + 2, device=device) / 2595.0) - 1.0)
    return edges, torch.linspace(0, sample_rate // 2, n_fft // 2 + 1, device=device)


def dense(blocks: list[Block], n_fft: int) -> Tensor:
    """The bank as one matrix ``(mels, n_fft / 2 + 1)``."""
    last = blocks[-1]
    bank = torch.zeros(last.first_mel + len(last.weights), n_fft // 2 + 1)
    for block in blocks:
        mels, bins = block.weights.shape
        bank[block.first_mel : block.first_mel + mels, block.first_bin : block.first_bin + bins] = block.weights
    return bank


def mel_of_hz(frequency: Tensor) -> Tensor:
    """Frequencies in Hz on Kaldi's mel scale."""
    return 1127.0 * (1.0 + frequency / 700.0).log()  # not log1p: the same digits as torchaudio's
