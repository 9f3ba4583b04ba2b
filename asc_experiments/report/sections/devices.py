"""The section of devices: everyone on every device as a map, and who is best on which."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from asc_experiments.metrics import DEVICE, DG, accuracy_of
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns, group_word, number_of
from asc_experiments.report.render.blocks import Section
from asc_experiments.report.render.shades import CIVIDIS, ORANGES, ink_on, shade
from asc_experiments.report.render.table import Cell, Column, Scale, Table, columns, percent, text
from asc_experiments.report.sections.scores import parts_of
from asc_experiments.report.words import counted
from asc_experiments.statistics import Evidence, margin, pooled
from asc_experiments.statistics.devices import extremes, shares_places
from asc_experiments.statistics.wording import margin_in_words, unseen_in_words
from asc_experiments.tracking import RunRecord

_MOST_IN_MAP = 30


def devices_section(findings: Findings) -> Section:
    """Everyone on every device as a map, and who is highest on which."""
    runs, answer = findings.runs, findings.answer
    if answer is not None and not answer.has_learned:
        said = "Nothing can be said of devices: the student of the best trial cannot be told from guessing."
        return Section("devices", "On which devices", (said, _map(findings)))
    if not runs.devices:
        return Section("devices", "On which devices", ("No network was scored per device.",))
    blocks = (_map_in_words(runs), _map(findings), _best_where(runs))
    return Section("devices", "On which devices", tuple(block for block in blocks if block is not None))


def _map(findings: Findings) -> Table:
    """Everyone on every device, a colour for each number; DG beside it, on a scale of its own where it tells any."""
    runs = findings.runs
    students, teachers = runs.best_first[:_MOST_IN_MAP], list(runs.teachers.values())[:_MOST_IN_MAP]
    names = [f"trial {number_of(trial)}" for trial in students] + [run.name for run in teachers]
    shown = [*students, *teachers]
    accuracies = [[run.metrics.get(accuracy_of(DEVICE, device)) for device in runs.devices] for run in shown]
    dgs = [run.metrics.get(DG) for run in shown]
    accuracy, spread_ = _ends([value for row in accuracies for value in row]), _ends(dgs)
    is_told = _dg_differs(runs)
    rows = tuple(
        (
            text(name),
            *(_coloured(value, accuracy, CIVIDIS) for value in row),
            _coloured(dg, spread_, ORANGES) if is_told else percent(dg),
        )
        for name, row, dg in zip(names, accuracies, dgs, strict=True)
    )
    devices = (Column(device, group_word(runs.group_of.get(device, ""))) for device in runs.devices)
    heads = (Column("who", is_number=False), *devices, Column("DG", "points"))
    left_out = len(runs.trials) + len(runs.teachers) - len(shown)
    title = f"Accuracy per device in %: {counted(len(students), 'student')}, best first, then "
    title += counted(len(teachers), "teacher") + (f" ({left_out} more in the tables above)" if left_out else "")
    scales: tuple[Scale, ...] = (_scale("accuracy in %, higher is better", accuracy, CIVIDIS),)
    if is_told:
        scales += (_scale("DG in points, lower is better", spread_, ORANGES),)
    else:
        title += "; DG has no colours: no two students are shown to differ in it"
    return Table(title, heads, rows, scales=scales)


def _dg_differs(runs: StudyRuns) -> bool:
    """Whether the students with the highest and the lowest DG differ in it by more than noise, picked from all."""
    tables = list(_tables(runs).values())
    if len(tables) < 2:
        return False
    ordered = sorted(tables, key=lambda table: float(table.measure(DG).mean()))
    return not margin(ordered[-1], ordered[0], DG, len(tables) * (len(tables) - 1) // 2).is_open


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
    """Which devices are easy and which hard for the students that were compared, where the clips can tell."""
    tables = _tables(runs)
    first = next(iter(tables.values()), None)
    if first is None:
        return "Whether devices differ by more than noise is not known: these runs keep no answers by place."
    everyone = pooled([table for table in tables.values() if table.is_of_the_same_clips(first)])
    found, unseen = extremes(everyone), unseen_in_words(everyone)
    if found is None:
        return "The test fold has one device."
    high, low, apart = found
    widest = f"{margin_in_words(apart)}, of these very students{without_common_place(everyone, high, low)}"
    if apart.is_better:
        said = f"Device {high} is easier than {low}: {widest}."
    else:
        said = (
            f"No device is shown to be easier than another: the widest apart are {high} and {low}, {widest}; "
            "differences within that are not ruled out."
        )
    return " ".join(filter(None, ("Over the students of these trials together.", unseen, said)))


def without_common_place(table: Evidence, first: str, second: str) -> str:
    """A clause that says that two devices recorded no place together; empty where they did."""
    return "" if shares_places(table, first, second) else " (no place was recorded by both: it may be the places)"


def _tables(runs: StudyRuns) -> dict[str, Evidence]:
    """What the students of the trials that are compared answered in the test fold, by run."""
    if not runs.keeps_evidence:
        return {}
    found = {trial.run_id: runs.standing(trial).evidence for trial in runs.compared}
    return {run_id: table for run_id, table in found.items() if table is not None}


def _best_where(runs: StudyRuns) -> Table | None:
    """The highest accuracy in each group and on each device, and how many students cannot be told apart from it."""
    tables = _tables(runs)
    trials = [trial for trial in runs.compared if trial.run_id in tables]
    if len(trials) < 2:
        return None
    rows = []
    for heading, key in parts_of(runs):
        name = str(key)
        try:
            reached = {trial.run_id: float(tables[trial.run_id].measure(name).mean()) for trial in trials}
        except ValueError:  # no clip counts for it in the test fold
            continue
        highest = max(reached.values())
        best, *as_high = (trial for trial in trials if reached[trial.run_id] == highest)
        near = _not_apart(best, trials, tables, name)
        where = f"device {heading}" if key.part == DEVICE else heading
        shown = (
            percent(reached[best.run_id]),
            text(_also(f"trial {number_of(best)}", as_high)),
            text(runs.taught_by(best)),
        )
        rows.append((text(where), *shown, text(f"{near} of {len(trials) - 1} others")))
    names = ("where", "accuracy", "highest", "taught by", "not told apart from it")
    heads = columns(*names, texts=("where", "highest", "taught by", "not told apart from it"), units={"accuracy": "%"})
    caption = "The highest of each group and device, and how many students cannot be told apart from it"
    caption += "; rows are not corrected for one another"
    return Table(caption, heads, tuple(rows))


def _also(name: str, as_high: Sequence[RunRecord]) -> str:
    """A trial, and that others are as high."""
    return f"{name} and {', '.join(str(number_of(trial)) for trial in as_high)}" if as_high else name


def _not_apart(best: RunRecord, trials: Sequence[RunRecord], tables: Mapping[str, Evidence], name: str) -> int:
    """How many trials the highest one is not better than by more than noise, picked as it is from all of them."""
    ours = tables[best.run_id]
    others = [tables[trial.run_id] for trial in trials if trial != best]
    return sum(not margin(ours, other, name, len(others)).is_better for other in others)
