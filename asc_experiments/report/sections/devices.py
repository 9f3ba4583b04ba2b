"""The section of devices: everyone on every device as a map, and who is best on which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from asc_experiments.report.document import Cell, Column, Scale, Section, Table, columns, percent, text
from asc_experiments.report.findings import Findings
from asc_experiments.report.runs import StudyRuns, number_of, spread
from asc_experiments.report.sections.scores import parts_of
from asc_experiments.report.shades import CIVIDIS, ORANGES, ink_on, shade
from asc_experiments.report.words import counted
from asc_experiments.tracking import RunRecord
from asc_experiments.training.scorecard import DG

_MOST_IN_MAP = 30


def devices_section(findings: Findings) -> Section:
    """Everyone on every device as a map, and who is best on which."""
    runs = findings.runs
    if not runs.devices:
        return Section("devices", "On which devices", ("No network was scored per device.",))
    winners = _best_where(runs)
    said = f"Each line is the highest of {counted(len(runs.trials), 'trial')}, so partly luck; read it beside the ±."
    blocks = (_map_in_words(runs), _map(runs), winners, said if len(runs.trials) > 1 else "")
    return Section("devices", "On which devices", blocks)


def _map(runs: StudyRuns) -> Table:
    """Everyone on every device, a colour for each number; DG beside it, on a scale of its own."""
    students, teachers = runs.best_first[:_MOST_IN_MAP], list(runs.teachers.values())[:_MOST_IN_MAP]
    names = [f"trial {number_of(trial)}" for trial in students] + [run.name for run in teachers]
    shown = [*students, *teachers]
    accuracies = [[run.metrics.get(f"accuracy/device/{device}") for device in runs.devices] for run in shown]
    dgs = [run.metrics.get(DG) for run in shown]
    accuracy, spread_ = _ends([value for row in accuracies for value in row]), _ends(dgs)
    rows = tuple(
        (text(name), *(_coloured(value, accuracy, CIVIDIS) for value in row), _coloured(dg, spread_, ORANGES))
        for name, row, dg in zip(names, accuracies, dgs, strict=True)
    )
    devices = (Column(device, runs.group_of.get(device, "")) for device in runs.devices)
    heads = (Column("who", is_number=False), *devices, Column("DG", "points"))
    left_out = len(runs.trials) + len(runs.teachers) - len(shown)
    title = f"Accuracy per device in %: {counted(len(students), 'student')}, best first, then "
    title += counted(len(teachers), "teacher") + (f" ({left_out} more in the tables above)" if left_out else "")
    scales = (
        _scale("accuracy in %, higher is better", accuracy, CIVIDIS),
        _scale("DG in points, lower is better", spread_, ORANGES),
    )
    return Table(title, heads, rows, scales=scales)


def _ends(values: Sequence[float | None]) -> tuple[float, float]:
    """The lowest and the highest of the values that are known."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return min(known, default=0.0), max(known, default=0.0)


def _coloured(value: float | None, ends: tuple[float, float], colours: Sequence[str]) -> Cell:
    cell = percent(value)
    if cell.value is None:
        return cell
    fill = shade(cell.value, *ends, colours)
    return replace(cell, fill=fill, ink=ink_on(fill))


def _scale(what: str, ends: tuple[float, float], colours: Sequence[str]) -> Scale:
    low, high = (f"{100 * end:.1f}" for end in ends)
    return Scale(what, low, high, tuple(colours))


def _map_in_words(runs: StudyRuns) -> str:
    means = {d: _mean_over(runs.trials, f"accuracy/device/{d}") for d in runs.devices}
    known = {device: value for device, value in means.items() if value is not None}
    if not known:
        return "No student was scored per device."
    easy, hard = max(known, key=lambda d: known[d]), min(known, key=lambda d: known[d])
    return (
        f"Over all students, device {easy} is the easiest ({100 * known[easy]:.1f} % on average) and {hard} "
        f"the hardest ({100 * known[hard]:.1f} %)."
    )


def _mean_over(trials: Sequence[RunRecord], name: str) -> float | None:
    values = [trial.metrics[name] for trial in trials if name in trial.metrics]
    return sum(values) / len(values) if values else None


def _best_where(runs: StudyRuns) -> Table:
    rows = []
    for heading, part in parts_of(runs):
        name = f"accuracy/{part}"
        scored = [trial for trial in runs.trials if name in trial.metrics]
        if scored:
            best = max(scored, key=lambda trial: trial.metrics[name])
            where = f"device {heading}" if part.startswith("device/") else heading
            value = percent(best.metrics[name], spread(best.metrics, name))
            rows.append((text(where), value, text(f"trial {number_of(best)}"), text(runs.taught_by(best))))
    heads = columns("where", "accuracy", "best student", "taught by", texts=("where", "best student", "taught by"))
    return Table("The best student for each group and device", heads, tuple(rows))
