"""The section of scores: students, ensembles and teachers under the same columns, published figures beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asc_experiments.metrics import (
    ACCURACY,
    DEVICE,
    DG,
    ENSEMBLE,
    GROUP,
    OVERALL_ACCURACY,
    UNSEEN_ACCURACY,
    MetricKey,
    further_metrics,
    is_part_of_one,
)
from asc_experiments.report.analysis.comparison import stands_for
from asc_experiments.report.analysis.confounders import Differences
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import GROUPS, StudyRuns, group_word, number_of, spread
from asc_experiments.report.render.blocks import Block, Section
from asc_experiments.report.render.table import (
    MOST_ROWS,
    Cell,
    Column,
    Table,
    columns,
    first_of,
    number,
    percent,
    points,
    score,
    text,
)
from asc_experiments.report.words import difference_of, interval_of, short_name
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import OBJECTIVE_VALUE, keys_of

Rows = tuple[tuple[Cell, ...], ...]
_STUDENTS = "What students differ in besides: two rows may be apart because of that"
_TEACHERS = "What teachers differ in besides architecture, size and method: two rows may be apart because of that"
_SAID_ONCE = ("epochs", "parameters", "MMACs")


def scores_section(findings: Findings) -> Section:
    """Students, ensembles and teachers under the same columns; published figures beside ours."""
    runs = findings.runs
    tables = [_students(findings), _again(findings), _published(findings)]
    further = [_teachers(runs), _ensembles(runs)]
    further.append(_also(findings.student_differences, "student", _STUDENTS))
    further.append(_also(findings.teacher_differences, "teachers", _TEACHERS))
    tables += [None if table is None else replace(table, folded=True) for table in further]
    counts = sorted({runs.count(trial) for trial in runs.trials} or {1})
    of = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    over = f"Each student is the mean of {of} seeds, ± their standard deviation. " if counts[-1] > 1 else ""
    if runs.pooled:
        over += f"Trials with the same settings are one row, of all their students: {runs.pooled} are told by another. "
    dg = f"DG is the standard deviation over devices, in points; lower is better{_dg_floor(findings)}."
    lead = f"Accuracy in % on the test fold. {over}{dg}"
    blocks: list[Block] = [lead, *(table for table in tables if table is not None), _glossary(runs)]
    if not findings.comparison.published:
        blocks.append("No published figures stand beside these: a study file may name some, under published.")
    return Section("scores", "Students and teachers", tuple(blocks))


def _dg_floor(findings: Findings) -> str:
    """What DG means in so small a fold, and where nothing was learned."""
    answer = findings.answer
    if answer is None or answer.dg_floor is None:
        return ""
    said = f", but equal devices would show about {100 * answer.dg_floor:.1f} by the luck of their clips alone if "
    said += "networks are as right as the best trial's, and more if less"
    return said + ("" if answer.has_learned else ", and of who guesses a low DG says nothing")


def _also(differences: Differences, who: str, caption: str) -> Table | None:
    """What rows of the table above differ in that it does not show."""
    if not differences.settings:
        return None
    rows = tuple((text(row), *map(_setting, values)) for row, values in differences.rows)
    return Table(caption, columns(who, *differences.settings, texts=(who,)), rows)


def _setting(value: str) -> Cell:
    try:
        return Cell(value, value=float(value))
    except ValueError:
        return text(value)


def _glossary(runs: StudyRuns) -> str:
    """What the names in the tables mean."""
    heard = "Devices: real and seen ones are heard in training, unseen ones are not"
    if "held_out" in runs.group_of.values():
        heard += "; held-out ones are in the training fold, but this study held them out of training"
    groups = {group: [device for device in runs.devices if runs.group_of.get(device) == group] for group in GROUPS}
    listed = "; ".join(f"{group_word(group)}: {', '.join(devices)}" for group, devices in groups.items() if devices)
    methods = (
        "dir is DIR, impulse responses of other microphones; fms is Freq-MixStyle; dirfms is both; none is neither"
    )
    further = further_metrics(runs.metric_names)
    return (
        f"{heard}{f' ({listed})' if listed else ''}. Names such as cp_resnet-32-dirfms-s0 say architecture, size, "
        + (f"device-generalisation method and seed: {methods}.")
        + "".join(f" {metric.sentence}" for metric in further)
    )


def parts_of(runs: StudyRuns) -> list[tuple[str, MetricKey]]:
    """The parts that scores are told for: headings and the accuracies of their clips."""
    groups = [(group_word(group), ACCURACY.of(GROUP, group)) for group in GROUPS]
    groups = [(heading, key) for heading, key in groups if str(key) in runs.metric_names]
    return [("overall", ACCURACY), *groups, *((device, ACCURACY.of(DEVICE, device)) for device in runs.devices)]


def _score_columns(runs: StudyRuns, parameters: str = "parameters") -> list[Column]:
    parts = parts_of(runs)
    groups = [Column(heading, "%") for heading, key in parts if key.part != DEVICE]
    devices = [
        Column(device, group_word(runs.group_of.get(device, "")), apart="the same per device")
        for device in runs.devices
    ]
    further = [Column(metric.title, metric.unit) for metric in further_metrics(runs.metric_names)]
    return [*groups, Column("DG", "points"), *further, *devices, Column(parameters), Column("MMACs")]


def _score_cells(runs: StudyRuns, metrics: Mapping[str, float], prefix: str = "") -> list[Cell]:
    def cell(name: str) -> Cell:
        return score(name, metrics.get(prefix + name), None if prefix else spread(metrics, name))

    keys = [key for _, key in parts_of(runs)]
    cells = [cell(str(key)) for key in keys if key.part != DEVICE] + [cell(DG)]
    cells += [cell(str(metric.key)) for metric in further_metrics(runs.metric_names)]
    cells += [cell(str(key)) for key in keys if key.part == DEVICE]
    macs = metrics.get("complexity/macs")
    costs = [number(metrics.get("complexity/parameters")), number(None if macs is None else macs / 1e6, ".1f")]
    return cells + (costs if not prefix else [Cell(""), Cell("")])


def _reached(runs: StudyRuns, trial: RunRecord) -> Cell:
    """What a trial was chosen by."""
    return score(runs.objective, trial.metrics[OBJECTIVE_VALUE])


def compared(findings: Findings) -> list[Table]:
    """Everybody side by side, what was tried again with fresh seeds, published figures: what a terminal shows."""
    tables = (everybody(findings), _again(findings), _published(findings))
    return [table for table in tables if table is not None]


def everybody(findings: Findings) -> Table:
    """The first students and the first teachers in one table, under the same columns."""
    runs, front = findings.runs, findings.comparison.front
    students, teachers = runs.best_first[:MOST_ROWS], list(runs.teachers.values())[:MOST_ROWS]
    heads = (
        Column("", is_number=False, spared=True),
        Column("student or teacher", is_number=False),
        Column("objective", "%" if is_part_of_one(runs.objective) else ""),
        *_score_columns(runs, "params"),
    )
    rows = []
    for trial in students:
        star = " *" if trial.run_id in front else ""
        about = text("student"), text(f"trial {number_of(trial)} ({_trained(trial)}){star}"), _reached(runs, trial)
        rows.append((*about, *_score_cells(runs, trial.metrics)))
    rows += [(text("teacher"), text(run.name), Cell(""), *_score_cells(runs, run.metrics)) for run in teachers]
    bare = (
        tuple(replace(cell, note="") if column.apart else cell for column, cell in zip(heads, row, strict=True))
        for row in rows
    )
    notes = (*map(_taught, students), *(metric.sentence for metric in further_metrics(runs.metric_names)))
    breaks = frozenset({len(students)})
    return Table(_how_chosen(findings), heads, tuple(bare), notes, breaks=breaks)


def _how_chosen(findings: Findings) -> str:
    """What the rows of everybody are and how they were chosen."""
    runs, comparison = findings.runs, findings.comparison
    chosen = f"chosen by {comparison.clips or f'{comparison.objective} on the {comparison.split} split'}"
    if comparison.against:
        chosen += f" against {comparison.against[0]}, * on the Pareto front"
    if comparison.pooled:
        chosen += f"; {comparison.pooled} more trials with the settings of another are pooled with it"
    chosen += f"; {first_of(len(runs.trials))}" if len(runs.trials) > MOST_ROWS else ""
    return f"{comparison.study}: accuracy in % on the test fold, best first, {chosen}"


def _taught(trial: RunRecord) -> str:
    """What a student learned from, teacher by teacher."""
    teachers = trial.params.get("teachers", "")
    how = f"taught by {teachers}" if teachers not in ("", "labels alone") else "on labels alone"
    return f"trial {number_of(trial)}: {how}"


def students_in_short(findings: Findings) -> Table:
    """The students, best first, with what they learned from: a row in few columns, for any terminal."""
    names = {"overall": OVERALL_ACCURACY, "unseen": UNSEEN_ACCURACY, "DG": DG}
    rows = [
        (
            text(f"trial {number_of(trial)}"),
            text(trial.params.get("teachers") or "labels alone"),
            *(score(name, trial.metrics.get(name), spread(trial.metrics, name)) for name in names.values()),
        )
        for trial in findings.runs.best_first[:MOST_ROWS]
    ]
    heads = columns("student", "taught by", *names, texts=("student", "taught by"))
    return Table("accuracy in % on the test fold, best first", heads, tuple(rows))


def _students(findings: Findings) -> Table:
    runs, best = findings.runs, findings.answer
    front = findings.comparison.front
    rows = []
    kinds = {_trained(trial) for trial in runs.best_first}
    varies = len(kinds) > 1
    for trial in runs.best_first:
        star = " *" if trial.run_id in front else ""
        about: tuple[Cell, ...] = (text(f"trial {number_of(trial)}{star}"), text(runs.taught_by(trial)))
        about += (text(_trained(trial)),) if varies else ()
        rows.append((*about, _reached(runs, trial), *_score_cells(runs, trial.metrics)))
    marked = [place for place, trial in enumerate(runs.best_first) if best is not None and trial == best.trial]
    names = ("student", "taught by", *(("size, augment",) if varies else ()))
    heads = [*columns(*names, texts=names)]
    caption = f"Students, best {findings.comparison.objective} on the {runs.split} split first"
    caption += ", * on the Pareto front" if front else ""
    caption += "" if varies else f"; size and augment of all: {kinds.pop()}"
    head = (
        *heads,
        Column("objective", f"{runs.split}{', %' if is_part_of_one(runs.objective) else ''}"),
        *_score_columns(runs),
    )
    return _without_constants(Table(caption, head, tuple(rows), marked=frozenset(marked), is_compared=True))


def _without_constants(table: Table) -> Table:
    """The same without columns that say the same of every row, which the caption says instead: tables are wide."""
    constant = {
        place: table.rows[0][place].plain
        for place, column in enumerate(table.columns)
        if column.heading in _SAID_ONCE and len({row[place].plain for row in table.rows}) == 1
    }
    if len(table.rows) < 2 or not constant:
        return table
    told = ", ".join(f"{value} {table.columns[place].heading}" for place, value in constant.items() if value)
    kept = table.of([place for place in range(len(table.columns)) if place not in constant])
    return replace(kept, caption=f"{table.caption}; each: {told}") if told else kept


def _trained(trial: RunRecord) -> str:
    return f"{trial.params.get('student.size', '?')}, {trial.params.get('student.augment', '?')}"


def _ensembles(runs: StudyRuns) -> Table | None:
    rows = [
        (
            text(f"of trial {number_of(trial)}"),
            text(runs.taught_by(trial)),
            *_score_cells(runs, trial.metrics, f"{ENSEMBLE}/"),
        )
        for trial in runs.best_first
        if len(keys_of(trial)) > 1
    ]
    heads = (*columns("ensemble", "members", texts=("ensemble", "members")), *_score_columns(runs)[:-2])
    trimmed: Rows = tuple(row[:-2] for row in rows)
    return Table("Ensembles of several teachers, as they answer together", heads, trimmed) if rows else None


def _teachers(runs: StudyRuns) -> Table | None:
    rows = [
        (
            text(run.name),
            text(f"{run.params.get('epochs', '')}"),
            *_score_cells(runs, run.metrics),
        )
        for run in runs.teachers.values()
    ]
    heads = (*columns("teacher", "epochs", texts=("teacher",)), *_score_columns(runs))
    return _without_constants(Table("Teachers", heads, tuple(rows), is_compared=True)) if rows else None


def _again(findings: Findings) -> Table | None:
    """The trials that were tried again with fresh seeds, best first; None if there are none."""
    comparison = findings.comparison
    tried = [row for row in comparison.rows if row.get("replicated")]
    on_test = comparison.split != "test"
    caption = "The best and the baseline, tried again with fresh seeds; differences are to the baseline"
    caption += ", and that in the test fold counts: no clip of it chose a trial" if on_test else ""
    headings = ["tried again", "fresh seeds", comparison.objective]
    on_split = f"difference on the {comparison.split} split"
    headings += ["difference in the test fold", "95 % interval", on_split, "95 % interval"] if on_test else [on_split]
    headings += [] if on_test else ["95 % interval"]
    heads = columns(*headings, texts=headings[:1])
    if on_test:  # an interval stays beside its difference where a terminal is narrow
        heads = (*heads[:-2], *(replace(column, apart=f"{on_split}, which chose them") for column in heads[-2:]))
    tried.sort(key=lambda row: row["replicated"]["objective"], reverse=comparison.direction == "maximize")
    rows = tuple(_again_row(comparison.objective, row["name"], row["replicated"], on_test) for row in tried)
    return Table(caption, heads, rows) if rows else None


def _again_row(metric: str, name: str, again: Mapping[str, Any], on_test: bool) -> tuple[Cell, ...]:
    reached = score(metric, again["objective"], again["std"])
    shown = [again["test"], again] if on_test else [again]
    differences = [cell for values in shown for cell in _difference(metric, values)]
    if again["difference"] is None:
        differences[0] = text("baseline")
    return (text(name), number(again["seeds"]), reached, *differences)


def _difference(metric: str, values: Mapping[str, float | None]) -> tuple[Cell, Cell]:
    """A difference in a metric and its interval; nothing where it was not measured."""
    value, low, high = values["difference"], values["low"], values["high"]
    if value is None:
        return Cell(""), Cell("")
    interval = "not known with one seed" if low is None or high is None else interval_of(metric, low, high)
    return Cell(difference_of(metric, value), value=value), text(interval)


def _published(findings: Findings) -> Table | None:
    rows = [
        row
        for figure in findings.comparison.published
        for metric in figure["metrics"]
        for row in [_published_row(findings.runs, figure, metric)]
    ]
    heads = ("published figure", "measured", "published", "ours", "difference", "ours is")
    units = {"published": "%", "ours": "%", "difference": "points"}
    texts = ("published figure", "measured", "ours is")
    return (
        Table("Published figures beside ours", columns(*heads, texts=texts, units=units), tuple(rows)) if rows else None
    )


def _published_row(runs: StudyRuns, figure: Mapping[str, Any], metric: str) -> tuple[Cell, ...]:
    theirs, ours = figure["metrics"][metric], figure.get("ours", {}).get(metric)
    trial = stands_for(figure, runs.trials)
    name = short_name(metric)
    difference = None if ours is None else ours - theirs
    where = "no trial stands for it" if trial is None else f"trial {number_of(trial)}"
    return (text(figure["name"]), text(name), percent(theirs), percent(ours), points(difference), text(where))
