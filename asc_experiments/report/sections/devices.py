"""The section of devices: everyone on every device as a map, and who is best on which."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.report.charts import scores as draw
from asc_experiments.report.document import (
    Chart,
    Section,
    Table,
    columns,
    percent,
    text,
)
from asc_experiments.report.findings import Findings
from asc_experiments.report.runs import StudyRuns, number_of, spread
from asc_experiments.report.sections.scores import parts_of
from asc_experiments.report.words import counted
from asc_experiments.tracking import RunRecord
from asc_experiments.training.scorecard import DG

_MOST_IN_HEAT_MAP = 30


def devices_section(findings: Findings) -> Section:
    """Everyone on every device as a map, and who is best on which."""
    runs = findings.runs
    if not runs.devices:
        return Section("devices", "On which devices", ("No network was scored per device.",))
    students, teachers = runs.best_first[:_MOST_IN_HEAT_MAP], list(runs.teachers.values())[:_MOST_IN_HEAT_MAP]
    names = [f"student, trial {number_of(trial)}" for trial in students] + [run.name for run in teachers]
    shown = [*students, *teachers]
    values = [[run.metrics.get(f"accuracy/device/{device}") for device in runs.devices] for run in shown]
    figure = draw.heat_map(names, runs.devices, values, [run.metrics.get(DG) for run in shown])
    left_out = len(runs.trials) + len(runs.teachers) - len(shown)
    title = f"Accuracy per device: {len(students)} students, best first, then {len(teachers)} teachers"
    title += f" ({left_out} more in the tables)" if left_out else ""
    chart = Chart(title, figure, _map_in_words(runs), draw.heat_height(len(shown)), is_wide=True)
    winners = _best_where(runs)
    said = f"Each line is the highest of {counted(len(runs.trials), 'trial')}, so partly luck; read it beside the ±."
    return Section("devices", "On which devices", (chart, winners, said if len(runs.trials) > 1 else ""))


def _map_in_words(runs: StudyRuns) -> str:
    means = {d: _mean_over(runs.trials, f"accuracy/device/{d}") for d in runs.devices}
    known = {device: value for device, value in means.items() if value is not None}
    if not known:
        return "No student was scored per device."
    easy, hard = max(known, key=lambda d: known[d]), min(known, key=lambda d: known[d])
    return (
        f"Over all students, device {easy} is the easiest ({100 * known[easy]:.1f} % on average) and {hard} "
        f"the hardest ({100 * known[hard]:.1f} %). The numbers of each row are in the tables above."
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
