"""Clips on every processor at once: the same result, the caller's settings untouched, errors told."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import torch

from asc_experiments.models import LogMel
from asc_experiments.models.threads import for_each


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_item_is_done_once_on_as_many_threads(threads: int) -> None:
    done: list[int] = []
    here: set[tuple[int, int]] = set()
    all_there = threading.Barrier(threads)

    def work(item: int) -> None:
        all_there.wait(timeout=60)
        here.add((threading.get_ident(), torch.get_num_threads()))
        done.append(item)

    for_each(work, range(6))
    assert sorted(done) == list(range(6))
    assert len(here) == threads
    assert {number for _, number in here} == {1}, "each does its operations alone"
    assert torch.get_num_threads() == threads
    others: list[int] = []
    later = threading.Thread(target=lambda: others.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert others == [threads]


def test_first_error_is_raised_and_the_next_call_works(threads: int) -> None:
    def work(item: int) -> None:
        if item == 2:
            raise ValueError("the third")

    with pytest.raises(ValueError, match="the third"):
        for_each(work, range(5))
    done: list[int] = []
    for_each(done.append, range(3))
    assert sorted(done) == [0, 1, 2]


def test_a_fork_does_not_wait_for_threads_that_it_has_not() -> None:
    script = """
import os, torch
from asc_experiments.models.threads import for_each
torch.set_num_threads(2)
for_each(lambda item: None, range(3))
child = os.fork()
done = []
for_each(done.append, range(3))
assert sorted(done) == [0, 1, 2]
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    with subprocess.Popen([sys.executable, "-c", script], start_new_session=True) as process:
        try:
            assert process.wait(timeout=60) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_features_are_the_same_in_every_mode_and_on_every_number_of_threads(threads: int, mode: type) -> None:
    waveforms = torch.rand(5, 4_000, generator=torch.Generator().manual_seed(0)) - 0.5
    frontend = LogMel.for_arch("cp_mobile")
    with mode():
        features = frontend(waveforms)
    torch.set_num_threads(1)
    assert torch.equal(features, frontend(waveforms))
    assert not features.requires_grad
