"""What a network is trained on, in words that people tell machines apart by."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

import torch

_CPU_FACTS = Path("/proc/cpuinfo")


def describe_machine(device: torch.device) -> str:
    """The machine, such as ``GPU: NVIDIA H100 PCIe`` or ``CPU: AMD EPYC 9R14, 2 threads``."""
    if device.type == "cuda":
        return f"GPU: {torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"{device.type.upper()}: {_processor()}, {threads} {'thread' if threads == 1 else 'threads'}"


def _processor() -> str:
    with suppress(OSError):  # only Linux has it
        for line in _CPU_FACTS.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
