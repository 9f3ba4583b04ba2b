"""Clips on the device that trains: the host's, whatever is asked of them; a GPU holds them all."""

import numpy as np
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.training import ClipSource
from asc_experiments.training import data as data_module
from tests.gpu.made import COUNT, SAMPLES, clips, waveforms
from tests.gpu.made_up_gpu import CUDA, made_up_gpu

ROWS = np.array([3, 0, 39, 3])


def test_waveforms_and_labels_are_those_of_the_corpus(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_module, "_CLIPS_PER_UPLOAD", 7)  # in pieces, of which the last is smaller
    source = clips(device)
    found = source.waveforms(ROWS)
    assert (found.device.type, found.dtype) == (device.type, torch.float32)
    np.testing.assert_array_equal(found.cpu().numpy(), waveforms()[ROWS] / np.float32(32_768))
    assert source.labels(ROWS).tolist() == [3, 0, 9, 3]


def test_windows_reach_from_one_clip_into_the_next(device: torch.device) -> None:
    offsets = np.array([0, 1, 15_999, 16_000])
    found = clips(device).windows(ROWS, np.array([4, 1, 0, 4]), offsets).cpu().numpy()
    both = np.concatenate((waveforms()[ROWS], waveforms()[[4, 1, 0, 4]]), axis=1) / np.float32(32_768)
    for window, pair, offset in zip(found, both, offsets, strict=True):
        np.testing.assert_array_equal(window, pair[offset : offset + SAMPLES])


def test_gpu_holds_every_clip_once_as_int16_and_the_processor_none(device: torch.device) -> None:
    held = torch.cuda.memory_allocated if device.type == "cuda" else lambda: 0
    before = held()
    source = clips(device, COUNT * 25)
    expected = COUNT * 25 * SAMPLES * 2 if device.type == "cuda" else 0
    assert held() - before == pytest.approx(expected, rel=0.02)
    assert source.samples == SAMPLES


def test_corpus_larger_than_the_memory_is_one_line(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    one_line = r"^the corpus \([\d,]+ clips, [\d.]+ GiB\): does not fit into the GPU's memory .*; lower batch_size, or "
    if device.type == "cpu":
        monkeypatch.setattr(data_module, "_upload", full)
        with made_up_gpu(monkeypatch), pytest.raises(AscError, match=one_line):
            clips(CUDA)
        return
    _, total = torch.cuda.mem_get_info()
    many = np.broadcast_to(np.zeros((1, SAMPLES), np.int16), (total // SAMPLES, SAMPLES))  # twice what there is
    with pytest.raises(AscError, match=one_line):
        ClipSource(many, np.arange(len(many)) % 10, np.zeros(len(many), bool), device)


def full(*_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 10.08 GiB. GPU 0 has a total capacity of")
