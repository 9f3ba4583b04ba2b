"""A training never has the host wait for the GPU within an epoch: work is always queued there."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from tests.gpu.made import ARCHES, COUNT, SCENES, clips, trainer
from tests.gpu.made_up_gpu import CUDA, MadeUpGpu, made_up_gpu

AT_ONCE = 64 * 1024
"""In bytes: up to so many are copied from pageable memory without a wait (CUDA C++ Programming Guide, "Concurrent
execution between host and device"); for more the driver may wait for all that is queued."""


@contextmanager
def watched(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[torch.device, MadeUpGpu | None]]:
    """A GPU on which a wait raises: the real one, or where the test is of the processor one that is made up."""
    if device.type == "cpu":
        with made_up_gpu(monkeypatch) as made:
            yield CUDA, made
    else:
        yield device, None


@contextmanager
def waits_raise(made: MadeUpGpu | None) -> Iterator[None]:
    """Have what waits for the GPU raise in this block, or fail after it."""
    if made is None:
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return
    made.copies.clear()
    yield
    assert [copy for copy in made.copies if copy.waits or copy.to == "cpu"] == []
    assert max(copy.size for copy in made.copies) <= AT_ONCE


@pytest.mark.parametrize("learns_from", ["labels", "kl", "features"])
@pytest.mark.parametrize("arch", ARCHES)
def test_step_waits_for_nothing(
    device: torch.device, monkeypatch: pytest.MonkeyPatch, arch: str, learns_from: str
) -> None:
    with watched(device, monkeypatch) as (gpu, made):
        training = trainer(clips(gpu), arch, learns_from)
        network = training.network.train()
        if made is not None:
            made.parameters = [*network.parameters(), *training.heads.parameters()]
        training._step(np.arange(20))  # the first one compiles and looks for room
        with waits_raise(made):
            for first in (0, 20):
                loss = training._step(np.arange(first, first + 20))
        assert loss.device.type == "cuda"
        assert loss.dtype == torch.float32
        assert all(value.device.type == "cuda" for value in network.state_dict().values())


@pytest.mark.parametrize("arch", ARCHES)
def test_logits_wait_for_nothing(device: torch.device, monkeypatch: pytest.MonkeyPatch, arch: str) -> None:
    with watched(device, monkeypatch) as (gpu, made):
        source = clips(gpu)
        logits_of = trainer(source, arch).network.eval().folded()
        with torch.no_grad(), waits_raise(made):
            logits = logits_of(source.waveforms(np.arange(COUNT)))
        assert logits.device.type == "cuda"
        assert logits.shape == (COUNT, len(SCENES))


def test_wait_in_an_augmentation_would_be_seen(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of both kinds: a value that the host wants to know, and a copy that it waits for."""
    with watched(device, monkeypatch) as (gpu, made):
        values = torch.zeros(3, device=gpu)
        with pytest.raises((RuntimeError, AssertionError)), waits_raise(made):
            values.nonzero()
        with pytest.raises((RuntimeError, AssertionError)), waits_raise(made):
            values + torch.ones(3).to(gpu)
