"""The measurements as a table, and the costliest operations of an epoch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from rich.table import Table

from asc_experiments.bench.machine import Machine
from asc_experiments.bench.timing import Measured

_UNITS = {"clips_per_s": "clips/s", "ms": "ms", "s": "s", "percent": "%", "mib": "MiB"}
_COSTLIEST = 3


def heading(machine: Machine, device: torch.device) -> str:
    """What the machine does at best, in one line."""
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    return (
        f"{where}: {machine.bandwidth / 1e9:,.0f} GB/s copied, {machine.float32 / 1e9:,.0f} GFLOP/s in float32, "
        f"{machine.bfloat16 / 1e9:,.0f} in bfloat16"
    )


def table_of(lines: dict[str, Measured], title: str) -> Table:
    """One line per measurement."""
    table = Table(title=title, title_justify="left")
    table.add_column("work")
    for column in ("asc", "unit", "plain", "times better", "lowest–highest", "at best", "of that"):
        table.add_column(column, justify="left" if column == "unit" else "right")
    for name, line in lines.items():
        table.add_row(name.replace("_", " "), _number(line.value), _UNITS[line.unit], *_comparison(line), *_floor(line))
    return table


def costliest(epoch: Callable[[], object], device: torch.device) -> list[tuple[str, float]]:
    """The three operations that take most of an epoch's time, and their share of it."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    epoch()
    with torch.profiler.profile(activities=activities) as profile:
        epoch()
    times = {
        event.key: float(event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total)
        for event in profile.key_averages()
    }
    total = sum(times.values())
    most = sorted(times, key=times.__getitem__, reverse=True)[:_COSTLIEST]
    return [(name, times[name] / total) for name in most]


def _comparison(line: Measured) -> tuple[str, str, str]:
    if line.plain is None or line.ratio is None or line.ratios is None:
        return "", "", ""
    return _number(line.plain), f"{line.ratio:.1f}", f"{line.ratios[0]:.1f}–{line.ratios[1]:.1f}"


def _floor(line: Measured) -> tuple[str, str]:
    return ("", "") if line.floor is None else (_number(line.floor), f"{line.value / line.floor:.0%}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"
