"""Clips as tensors on the device that trains."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from asc_experiments.training.memory import within_memory

_INT16_SCALE = 1.0 / 32768.0
_CLIPS_PER_UPLOAD = 4_096


class ClipSource:
    """The waveforms and labels of a corpus, fetched in batches by row.

    On a GPU all clips of the fold stay resident as int16 (TAU22: 11 GB); on the CPU they are read from the memory map.

    Args:
        waveforms: ``(clips, samples)`` int16, a memory map.
        labels: ``(clips,)`` int64.
        is_reference: ``(clips,)`` bool, whether a clip was recorded with the reference device.
        device: where batches are wanted.

    Raises:
        AscError: if they do not fit into the GPU's memory.
    """

    def __init__(
        self, waveforms: np.ndarray, labels: np.ndarray, is_reference: np.ndarray, device: torch.device
    ) -> None:
        self.device = device
        self.is_reference = is_reference
        self.samples = int(waveforms.shape[1])
        self._host = waveforms
        with within_memory(f"the corpus ({len(waveforms):,} clips, {waveforms.nbytes / 2**30:.1f} GiB)"):
            self._labels = torch.from_numpy(labels).to(device)
            self._resident = _upload(waveforms, device) if device.type == "cuda" else None

    def waveforms(self, rows: np.ndarray) -> Tensor:
        """The clips of these rows; ``(rows, samples)`` float32 in [-1, 1]."""
        return _as_float(self._clips(rows))

    def windows(self, rows: np.ndarray, then: np.ndarray, offsets: np.ndarray) -> Tensor:
        """Windows of a clip's length; ``(rows, samples)`` float32 in [-1, 1].

        Args:
            rows: ``(rows,)`` int64, the clips that the windows begin in.
            then: ``(rows,)`` int64, the clips that come next.
            offsets: ``(rows,)`` int64, how many samples of the first clips come before the windows.
        """
        both = torch.cat((self._clips(rows), self._clips(then)), dim=1)
        every_window = both.unfold(1, self.samples, 1)  # (rows, samples + 1, samples), a view
        return _as_float(every_window[torch.arange(len(rows), device=self.device), self._index(offsets)])

    def labels(self, rows: np.ndarray) -> Tensor:
        """The scenes of these rows; ``(rows,)`` int64."""
        return self._labels[self._index(rows)]

    def _clips(self, rows: np.ndarray) -> Tensor:
        """``(rows, samples)`` int16."""
        resident = self._resident
        return torch.from_numpy(self._host[rows]) if resident is None else resident[self._index(rows)]

    def _index(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(rows).to(self.device, non_blocking=True)


def _as_float(samples: Tensor) -> Tensor:
    return samples.to(torch.float32).mul_(_INT16_SCALE)


def _upload(waveforms: np.ndarray, device: torch.device) -> Tensor:
    """Copy a memory map to a GPU piece by piece, so that the host never holds it whole."""
    resident = torch.empty(waveforms.shape, dtype=torch.int16, device=device)
    for first in range(0, len(waveforms), _CLIPS_PER_UPLOAD):
        piece = np.array(waveforms[first : first + _CLIPS_PER_UPLOAD])
        resident[first : first + len(piece)].copy_(torch.from_numpy(piece))
    return resident
