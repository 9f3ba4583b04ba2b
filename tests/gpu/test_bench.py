"""What is said of a device's use is so: work keeps it busier than sleep, and what is held is counted."""

import time

import torch

from asc_experiments.bench.device_use import busy_share, forget_peak, peak_mib
from asc_experiments.bench.machine import wait_for


def test_work_keeps_a_device_busy_and_sleep_does_not(device: torch.device) -> None:
    matrix = torch.ones(1_024, 1_024, device=device)

    def multiply() -> None:
        for _ in range(20):
            matrix @ matrix
        wait_for(device)

    multiply()
    before = time.perf_counter()
    multiply()
    working = busy_share(multiply, time.perf_counter() - before, device)
    sleeping = busy_share(lambda: time.sleep(0.2), 0.2, device)
    assert 0 <= sleeping < working
    assert sleeping < 0.2


def test_peak_is_of_what_was_held_since(device: torch.device) -> None:
    forget_peak(device)
    before = peak_mib(device)
    held = torch.ones(64, 2**18, device=device)
    assert held.numel() * held.element_size() == 64 * 2**20
    assert peak_mib(device) >= before + (64 if device.type == "cuda" else 0)
    del held
    if device.type == "cuda":
        forget_peak(device)
        assert peak_mib(device) < before + 64
