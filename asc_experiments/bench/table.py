"""The measurements as a table, and the costliest operations of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from rich.table import Table

from asc_experiments.bench.gpu import ALL_CLIPS_S, BUSY_PERCENT, GOALS, Figures
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
    return shares(profile.key_averages(), device.type == "cuda")


def shares(operations: Iterable[Any], on_gpu: bool) -> list[tuple[str, float]]:
    """The three operations that take most of a time, and their share of it.

    Args:
        operations: averages of PyTorch's profiler. A GPU's kernels are among them once more by themselves, as are named
            stretches of code: only operations count, with the kernels that they began.
        on_gpu: whether the GPU's time counts, else the processor's.
    """
    times = {
        event.key: float(event.self_device_time_total if on_gpu else event.self_cpu_time_total)
        for event in operations
        if event.device_type.name == "CPU"
    }
    total = sum(times.values())
    most = sorted(times, key=times.__getitem__, reverse=True)[:_COSTLIEST]
    return [(name, times[name] / total) for name in most]


def gpu_table(works: Mapping[str, Figures], title: str, with_goals: bool) -> Table:
    """What ``asc bench gpu`` measured, a line each.

    Args:
        works: what was measured, by name.
        title: of the table.
        with_goals: whether the goals are beside: they are for TAU22's number of clips.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("work")
    for column in ("all clips", "clips/s", "ms a batch", "busy", "nvidia-smi", "peak", "in use", "times one"):
        table.add_column(column, justify="right")
    table.add_column("goal")
    table.add_column("note", overflow="fold")
    for name, figures in works.items():
        goals = GOALS.get(name, {}) if with_goals else {}
        table.add_row(name.replace("_", " "), *gpu_cells(figures), gpu_goal(figures, goals), figures.note)
    return table


def gpu_cells(figures: Figures) -> list[str]:
    """The figures of one line; what is not known is empty."""
    units = {
        "all_clips_s": " s", "clips_per_s": "", "ms_per_batch": "", "busy_percent": " %", "nvidia_smi_percent": " %",
        "peak_mib": " MiB", "used_mib": " MiB", "times_one": "",
    }  # fmt: skip
    facts = figures.facts()
    return [_number(facts[name]) + unit if name in facts else "" for name, unit in units.items()]


def gpu_goal(figures: Figures, goals: Mapping[str, float]) -> str:
    """The goals of one line, and whether each is met, as far as that is known."""
    said = {ALL_CLIPS_S: "at most {:g} s", BUSY_PERCENT: "at least {:g} % busy"}
    met = figures.goals_met(goals)
    ends = {name: "" if name not in met else ": met" if met[name] else ": not met" for name in goals}
    return ", ".join(said[name].format(goal) + ends[name] for name, goal in goals.items())


def _comparison(line: Measured) -> tuple[str, str, str]:
    if line.plain is None or line.ratio is None or line.ratios is None:
        return "", "", ""
    return _number(line.plain), f"{line.ratio:.1f}", f"{line.ratios[0]:.1f}–{line.ratios[1]:.1f}"


def _floor(line: Measured) -> tuple[str, str]:
    return ("", "") if line.floor is None else (_number(line.floor), f"{line.value / line.floor:.0%}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"
