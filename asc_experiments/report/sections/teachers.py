"""Sections about teaching: are better teachers better, what do they give, and how many should there be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from asc_experiments.metrics import DG, ENSEMBLE, ENSEMBLE_ACCURACY, OVERALL_ACCURACY, UNSEEN_ACCURACY
from asc_experiments.report.analysis.distillation_gain import Gain, mean_gain, probabilities_in_words
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.next_commands import CORPUS_FOLDER, RESPONSES_FOLDER, Command, labels_alone_command
from asc_experiments.report.charts import scores as draw
from asc_experiments.report.data.study_runs import number_of, spread
from asc_experiments.report.render.blocks import Block, Chart, Commands, Section
from asc_experiments.report.render.table import Cell, Column, Table, columns, points, text
from asc_experiments.report.sections.scores import parts_of
from asc_experiments.report.words import (
    correlation_in_words,
    counted,
)
from asc_experiments.tracking.trials import keys_of

_MOST_KINDS = 4


def teaching_section(findings: Findings) -> Section:
    """Is the more accurate ensemble the better teacher? The ensemble's accuracy against its student's."""
    blocks: list[Block] = []
    for metric, devices in ((OVERALL_ACCURACY, ""), (UNSEEN_ACCURACY, " on unseen devices")):
        trials, effect = findings.against_ensemble(metric)
        if len(trials) < 2:
            continue
        ensemble = [trial.metrics[f"{ENSEMBLE}/{metric}"] for trial in trials]
        student = [trial.metrics[metric] for trial in trials]
        figure = draw.against(
            [f"trial {number_of(trial)}" for trial in trials],
            ensemble,
            student,
            [spread(trial.metrics, metric) for trial in trials],
            [findings.runs.taught_by(trial) for trial in trials],
        )
        said = correlation_in_words(effect, f"the ensemble's accuracy{devices}", "its student's", findings.design.unit)
        said += f" {_above_in_words(ensemble, student)}"
        if any(spread(trial.metrics, metric) is not None for trial in trials):
            said += " Error bars: standard deviation over seeds."
        blocks += [Chart(f"Ensemble and student{devices}", figure, said, height=400)]
    if not blocks:
        blocks = ["Fewer than two trials have teachers. Two or more, of different teachers, show it."]
    return Section("teaching", "Is the more accurate ensemble the better teacher?", tuple(blocks))


def _above_in_words(ensemble: Sequence[float], student: Sequence[float]) -> str:
    """In how many trials students scored higher than their ensemble: a count, not a finding."""
    above = sum(s > e for s, e in zip(student, ensemble, strict=True))
    return (
        f"In {above} of {counted(len(student), 'trial')} the student scored higher, by whatever margin, than the "
        "ensemble that it learned from."
    )


def gain_section(findings: Findings) -> Section:
    """What teachers give a student over labels alone, per device."""
    title = "What teachers give over labels alone"
    gains = findings.gains
    if not gains:
        why = (
            "What the teachers give is not known here: no student learned from labels alone with otherwise the same "
            "settings, corpus and held-out clips, neither in this study nor by asc student train."
        )
        return Section("gain", title, (why, *_to_see_gains(findings)))
    runs, best = findings.runs, gains[0]
    parts = [(heading, str(key)) for heading, key in parts_of(runs) if str(key) in best.gains]
    intervals = [best.interval_of(name) for _, name in parts]
    figure = draw.gain_bars(
        [heading for heading, _ in parts],
        [best.gains[name] for _, name in parts],
        intervals,
        best.against,
    )
    chart_title = f"Gain of trial {best.trial} per group and device"
    said = f"{_gain_in_words(gains)} Bars: trial {best.trial}, taught by {best.taught_by}, less {best.against}."
    is_known = any(intervals)
    said += f" Whiskers: {_intervals_in_words(gains)}." if is_known else f" {_no_interval(best)}"
    said += "".join(f" {told}" for gain in gains[:_MOST_KINDS] if (told := probabilities_in_words(gain)))
    return Section("gain", title, (Chart(chart_title, figure, said, height=320), _gain_table(findings)))


def _to_see_gains(findings: Findings) -> tuple[Block, ...]:
    """The command that trains what is missing."""
    runs, answer = findings.runs, findings.answer
    taught = [trial for trial in runs.best_first if keys_of(trial)]
    if answer is None or not taught:
        return ("No trial has teachers.",)
    best = answer.trial if answer.keys else taught[0]
    command = labels_alone_command(runs, best)
    if not command.line:
        return (f"{command.note} A study whose ensembles may have no teacher shows it.",)
    said = f"To see it, train trial {number_of(best)}'s student without teachers, then write this report again. "
    said += f"({CORPUS_FOLDER} is the corpus's folder{_and_responses(command)}.) {command.note}"
    return (said.strip(), Commands((("shell", command.line),)))


def _and_responses(command: Command) -> str:
    return f", {RESPONSES_FOLDER} that of impulse responses" if "--dirs" in command.line else ""


def _no_interval(gain: Gain) -> str:
    """Why a gain has no interval."""
    if not gain.margins:
        return "How sure that is is not known: not every run keeps its answers by place."
    return f"How sure that is is {next(iter(gain.margins.values())).unknown}."


def _intervals_in_words(gains: Sequence[Gain]) -> str:
    """What the intervals of gains hold for together: rows are corrected for one another, columns are not."""
    known = sum(bool(gain.margins) for gain in gains)
    if known < 2:
        return "95 % intervals over places and students; columns are not corrected for one another"
    return (
        f"simultaneous 95 % intervals over places and students: widened for the {known} rows; columns are not "
        "corrected for one another"
    )


def _gain_in_words(gains: Sequence[Gain]) -> str:
    """In how many trials teachers helped by more than noise, and what each kind of them gave on average."""
    known = [gain.margins[OVERALL_ACCURACY] for gain in gains if gain.interval_of(OVERALL_ACCURACY) is not None]
    if known:
        better, worse = sum(each.is_better for each in known), sum(each.is_worse for each in known)
        recipes = counted(len(known), "taught recipe (trial)", "taught recipes (trials)")
        said = f"Of {recipes}, {better} did better than labels alone by more than noise, "
        said += f"{worse} worse, and {len(known) - better - worse} cannot be told apart from them"
    else:
        said = f"Whether teachers helped in any of {counted(len(gains), 'trial')} by more than noise is not known"
    return f"{said}.{_means_in_words(gains)}"


def _means_in_words(gains: Sequence[Gain]) -> str:
    """The mean gain of each kind of teachers: one over all kinds would be of what was tried; none where many are."""
    kinds = {gain.taught_by: [each for each in gains if each.taught_by == gain.taught_by] for gain in gains}
    if len(kinds) > _MOST_KINDS or len(kinds) == len(gains):
        return ""
    told = []
    for kind, own in kinds.items():
        overall, unseen = mean_gain(own, OVERALL_ACCURACY), mean_gain(own, UNSEEN_ACCURACY)
        if overall is not None:
            said = f"{kind} {100 * overall:+.1f} points overall"
            said += "" if unseen is None else f", {100 * unseen:+.1f} on unseen devices"
            told.append(f"{said} ({counted(len(own), 'trial')})")
    if not told:
        return ""
    return f" Mean gain by kind of teachers: {'; '.join(told)}. Trials share counterparts: no intervals are known here."


def _gain_table(findings: Findings) -> Table:
    parts = [*((heading, str(key)) for heading, key in parts_of(findings.runs)), ("DG", DG)]
    rows = [
        (
            text(f"trial {gain.trial}"),
            text(gain.taught_by),
            text(gain.against),
            *(_gain_cell(gain, name) for _, name in parts),
        )
        for gain in findings.gains
    ]
    heads = columns("student", "taught by", "against", texts=("student", "taught by", "against"))
    caption = "Gain over the same student on labels alone in the test fold, in points; DG better if negative"
    if any(gain.margins for gain in findings.gains):
        caption += f"; in brackets {_intervals_in_words(findings.gains)}"
    return Table(caption, (*heads, *(Column(heading) for heading, _ in parts)), tuple(rows))


def _gain_cell(gain: Gain, name: str) -> Cell:
    cell = points(gain.gains.get(name))
    if cell.value is None:
        return cell
    found = gain.interval_of(name)
    note = "not known" if found is None else f"[{100 * found[0]:+.1f}, {100 * found[1]:+.1f}]"
    return replace(cell, note=note)


def size_section(findings: Findings) -> Section:
    """Accuracy over the number of teachers."""
    title, runs = "How many teachers?", findings.runs
    series: dict[str, dict[int, list[tuple[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for trial in runs.trials:
        for name, metric in (
            ("student", OVERALL_ACCURACY),
            ("student, unseen devices", UNSEEN_ACCURACY),
            ("ensemble", ENSEMBLE_ACCURACY),
        ):
            if metric in trial.metrics:
                series[name][len(keys_of(trial))].append((f"trial {number_of(trial)}", trial.metrics[metric]))
    sizes = sorted(series["student"])
    taught = [size for size in sizes if size]
    if len(taught) < 2:
        only = "No trial with teachers has an accuracy"
        if taught:
            only = f"Every trial {'with teachers ' if 0 in sizes else ''}has {counted(taught[0], 'teacher')}"
        more = "A study whose ensembles differ in size (ensemble: size, counts or teams) shows how many to use."
        return Section("size", title, (f"{only}. {more}",))
    means = {size: [value for _, value in series["student"][size]] for size in sizes}
    told = [f"{size}: {100 * sum(v) / len(v):.1f} % ({counted(len(v), 'trial')})" for size, v in means.items()]
    said = f"Mean accuracy of students by number of teachers: {'; '.join(told)}. Trials also differ in other things."
    return Section("size", title, (Chart("Accuracy over ensemble size", draw.size_curve(series), said, height=400),))
