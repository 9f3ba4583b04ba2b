"""What was measured, as a file from which pages make their tables: with the machine, the versions and the day."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from asc_experiments import __version__
from asc_experiments.base.errors import AscError
from asc_experiments.bench.gpu import GOALS, GpuSuite
from asc_experiments.bench.timing import Measured
from asc_experiments.training.machine import describe_machine
from asc_experiments.training.precision import training_format

if TYPE_CHECKING:
    from asc_experiments.bench.suite import Suite

_TOLD = ("avx2", "avx512_bf16", "amx_bf16")
"""What a processor is able to do that decides how fast it trains."""


def write_record(path: Path, lines: Mapping[str, Measured], suite: Suite) -> None:
    """Write the lines of a run of ``asc bench``.

    Args:
        path: the file.
        lines: what was measured, by name.
        suite: that measured it.

    Raises:
        AscError: if the file cannot be written.
    """
    write(path, about(suite) | {"works": {name: line.facts() for name, line in lines.items()}})


def write_gpu_record(path: Path, suite: GpuSuite, minutes: float) -> None:
    """Write what ``asc bench gpu`` measured.

    Args:
        path: the file.
        suite: that measured it.
        minutes: that it had.

    Raises:
        AscError: if the file cannot be written.
    """
    record = {
        "machine": describe_machine(suite.device),
        **(_about_gpu(suite.device) if suite.device.type == "cuda" else {}),
        "host": describe_machine(torch.device("cpu")),
        **versions(),
        "numbers": training_format(suite.device),
        "clips": suite.clips,
        "students": suite.students,
        "minutes": minutes,
        "goals": GOALS,
        "works": {name: figures.facts() for name, figures in suite.done.items()},
    }
    write(path, record)


def _about_gpu(device: torch.device) -> dict[str, Any]:
    memory = torch.cuda.get_device_properties(device).total_memory
    return {
        "memory_gib": round(memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON.

    Raises:
        AscError: if the file cannot be written.
    """
    try:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise AscError(
            path, f"cannot be written ({error.strerror})", "give a file in a folder you may write to"
        ) from None


def about(suite: Suite) -> dict[str, Any]:
    """The machine, in words and as it was measured; versions; what was asked for; the day."""
    able = torch.cpu.get_capabilities()
    return {
        "machine": describe_machine(suite.device),
        "able_to": [name for name in _TOLD if able.get(name)],
        "at_best": {
            "copied_gb_per_s": round(suite.machine.bandwidth / 1e9, 1),
            "float32_gflops": round(suite.machine.float32 / 1e9),
            "bfloat16_gflops": round(suite.machine.bfloat16 / 1e9),
        },
        **versions(),
        "clips": suite.clips,
        "rounds": suite.rounds,
    }


def versions() -> dict[str, str]:
    """What was measured, and when."""
    return {
        "asc_experiments": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "day": datetime.now(UTC).date().isoformat(),
    }
