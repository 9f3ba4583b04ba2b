"""Sections about teaching: are better teachers better, what do they give, and how many should there be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from asc_experiments.report.charts import scores as draw
from asc_experiments.report.commands import CORPUS_FOLDER, RESPONSES_FOLDER, Command, labels_alone_command
from asc_experiments.report.document import (
    Block,
    Chart,
    Column,
    Commands,
    Section,
    Table,
    columns,
    points,
    text,
)
from asc_experiments.report.findings import Findings
from asc_experiments.report.gains import Gain, mean_gain
from asc_experiments.report.runs import number_of, spread
from asc_experiments.report.sections.scores import parts_of
from asc_experiments.report.words import (
    correlation_in_words,
    counted,
)
from asc_experiments.tracking.trials import keys_of
from asc_experiments.training.scorecard import DG


def teaching_section(findings: Findings) -> Section:
    """Is the better teacher the better teacher? The ensemble's accuracy against its student's."""
    blocks: list[Block] = []
    for part, devices in (("overall", ""), ("group/unseen", " on unseen devices")):
        trials, effect = findings.against_ensemble(part)
        if len(trials) < 2:
            continue
        ensemble = [trial.metrics[f"ensemble/accuracy/{part}"] for trial in trials]
        student = [trial.metrics[f"accuracy/{part}"] for trial in trials]
        figure = draw.against(
            [f"trial {number_of(trial)}" for trial in trials],
            ensemble,
            student,
            [spread(trial.metrics, f"accuracy/{part}") for trial in trials],
            [findings.runs.taught_by(trial) for trial in trials],
        )
        said = correlation_in_words(effect, f"the ensemble's accuracy{devices}", "its student's")
        above = sum(s > e for s, e in zip(student, ensemble, strict=True))
        said += f" {above} of {counted(len(trials), 'student')} did better than the ensemble it learned from."
        blocks += [Chart(f"Ensemble and student{devices}", figure, said, height=400)]
    if not blocks:
        blocks = ["Fewer than two trials have teachers. Two or more, of different teachers, show it."]
    return Section("teaching", "Is the better teacher the better teacher?", tuple(blocks))


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
    parts = [part for _, part in parts_of(runs) if f"accuracy/{part}" in best.gains]
    names = [heading for heading, part in parts_of(runs) if f"accuracy/{part}" in best.gains]
    figure = draw.gain_bars(
        names,
        [best.gains[f"accuracy/{part}"] for part in parts],
        [best.errors.get(f"accuracy/{part}") for part in parts],
        best.against,
    )
    chart_title = f"Gain of trial {best.trial} per group and device"
    said = f"{_gain_in_words(gains)} Bars: trial {best.trial}, taught by {best.taught_by}, less {best.against}."
    said += " Whiskers: standard error over seeds." if best.errors else ""
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


def _gain_in_words(gains: Sequence[Gain]) -> str:
    mean, unseen = mean_gain(gains, "accuracy/overall"), mean_gain(gains, "accuracy/group/unseen")
    helped = sum(gain.gains.get("accuracy/overall", 0.0) > 0 for gain in gains)
    said = f"Teachers helped {helped} of {counted(len(gains), 'student')}"
    said += "" if mean is None else f": {100 * mean:+.1f} points overall on average"
    said += "" if unseen is None else f", {100 * unseen:+.1f} on unseen devices"
    return f"{said}."


def _gain_table(findings: Findings) -> Table:
    parts = [*((heading, f"accuracy/{part}") for heading, part in parts_of(findings.runs)), ("DG", DG)]
    rows = [
        (
            text(f"trial {gain.trial}"),
            text(gain.taught_by),
            text(gain.against),
            *(points(gain.gains.get(name), gain.errors.get(name)) for _, name in parts),
        )
        for gain in findings.gains
    ]
    heads = columns("student", "taught by", "against", texts=("student", "taught by", "against"))
    caption = (
        "Gain over the same student on labels alone, in points; ± standard error over seeds; DG better if negative"
    )
    return Table(caption, (*heads, *(Column(heading) for heading, _ in parts)), tuple(rows))


def size_section(findings: Findings) -> Section:
    """Accuracy over the number of teachers."""
    title, runs = "How many teachers?", findings.runs
    series: dict[str, dict[int, list[tuple[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for trial in runs.trials:
        for name, metric in (
            ("student", "accuracy/overall"),
            ("student, unseen devices", "accuracy/group/unseen"),
            ("ensemble", "ensemble/accuracy/overall"),
        ):
            if metric in trial.metrics:
                series[name][len(keys_of(trial))].append((f"trial {number_of(trial)}", trial.metrics[metric]))
    sizes = sorted(series["student"])
    if len(sizes) < 2:
        only = f"Every trial has {counted(sizes[0], 'teacher')}" if sizes else "No trial has an accuracy"
        more = "A study whose ensembles differ in size (ensemble: size, counts or teams) shows how many to use."
        return Section("size", title, (f"{only}. {more}",))
    means = {size: [value for _, value in series["student"][size]] for size in sizes}
    told = [f"{size}: {100 * sum(v) / len(v):.1f} % ({counted(len(v), 'trial')})" for size, v in means.items()]
    said = f"Mean accuracy of students by number of teachers: {'; '.join(told)}. Trials also differ in other things."
    return Section("size", title, (Chart("Accuracy over ensemble size", draw.size_curve(series), said, height=400),))
