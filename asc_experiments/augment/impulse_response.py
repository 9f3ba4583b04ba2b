"""DIR: convolution with device impulse responses.

T. Morocutti et al., "Device-Robust Acoustic Scene Classification via Impulse Response Augmentation", EUSIPCO 2023,
section III: the full convolution, cut to the clip's length.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class DeviceImpulseResponses(nn.Module):
    """A bank of impulse responses, kept as spectra for clips of one length.

    Args:
        responses: ``(responses, samples)`` float32, at the sampling rate of the clips.
        clip_samples: the length of the clips, in samples.
    """

    spectra: Tensor

    def __init__(self, responses: np.ndarray, clip_samples: int) -> None:
        super().__init__()
        from scipy.fft import next_fast_len

        self.clip_samples = clip_samples
        self.fft_length = next_fast_len(clip_samples + responses.shape[1] - 1, real=True)
        self.register_buffer("spectra", torch.fft.rfft(torch.from_numpy(responses), self.fft_length))

    def __len__(self) -> int:
        return self.spectra.shape[0]

    def forward(self, waveforms: Tensor, choice: Tensor) -> Tensor:
        """Convolve each waveform with the response chosen for it.

        Args:
            waveforms: ``(batch, samples)``.
            choice: ``(batch,)`` int64, rows of the bank.

        Returns:
            ``(batch, samples)``.
        """
        spectrum = torch.fft.rfft(waveforms, self.fft_length) * self.spectra[choice]
        return torch.fft.irfft(spectrum, self.fft_length)[:, : self.clip_samples]
