"""Sections about teaching: are better teachers better, what do they give, how many, and what makes one good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from asc_experiments.report.attributes import Attribute
from asc_experiments.report.charts import scores as draw
from asc_experiments.report.charts.attributes import effects
from asc_experiments.report.charts.base import rows_height
from asc_experiments.report.document import Block, Cell, Chart, Column, Section, Table, columns, number, points, text
from asc_experiments.report.effects import FEWEST, FEWEST_OF_A_KIND, Effect
from asc_experiments.report.findings import Findings
from asc_experiments.report.gains import Gain, mean_gain
from asc_experiments.report.runs import better_word, number_of, objective_name, spread
from asc_experiments.report.sections.scores import parts_of
from asc_experiments.report.words import (
    correlation_in_words,
    counted,
    difference_of,
    interval_of,
    is_part_of_one,
    listed,
)
from asc_experiments.tracking.trials import keys_of
from asc_experiments.training.scorecard import DG

_SHOWN = 12
"""Attributes in a chart; all are in the table."""
_ROOM_PX = 22


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
        blocks = ["Fewer than two trials have teachers with scores: there is nothing to compare."]
    return Section("teaching", "Is the better teacher the better teacher?", tuple(blocks))


def gain_section(findings: Findings) -> Section:
    """What teachers give a student over labels alone, per device."""
    title = "What teachers give over labels alone"
    gains = findings.gains
    if not gains:
        why = (
            "No student on labels alone is the same but for its teachers (same recipe, corpus and held-out clips), "
            "neither in this study nor among those of asc student train; so what the teachers give is not known here."
        )
        return Section("gain", title, (why,))
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
        return Section("size", title, (f"{only}: this study does not say how many to use.",))
    means = {size: [value for _, value in series["student"][size]] for size in sizes}
    told = [f"{size}: {100 * sum(v) / len(v):.1f} % ({counted(len(v), 'trial')})" for size, v in means.items()]
    said = f"Mean accuracy of students by number of teachers: {'; '.join(told)}. Trials also differ in other things."
    return Section("size", title, (Chart("Accuracy over ensemble size", draw.size_curve(series), said, height=400),))


def attributes_section(findings: Findings) -> Section:
    """What makes a good teacher here: attributes by their effect on the student."""
    title, found, runs = "What makes a good teacher here", findings.attributes, findings.runs
    if not found:
        why = "No attribute of the teachers varies over at least three finished trials: there is nothing to rank."
        return Section("attributes", title, (why,))
    objective = objective_name(runs.objective, runs.split)
    targets = (f"objective ({better_word(runs.objective)} is better)", "accuracy on unseen devices")
    blocks: list[Block] = [_attributes_in_words(found, runs.objective, objective)]
    is_sure = any(each.on_objective is not None and each.on_objective.low is not None for each in found)
    for is_category, what in ((False, "Numbers: rank correlations"), (True, "Kinds: differences of means")):
        shown = [each for each in found if each.is_category == is_category][:_SHOWN]
        if shown and is_sure and (not is_category or is_part_of_one(runs.objective)):
            figure = effects(shown, is_category, targets, 100.0)
            unit = ", in points" if is_category else ""
            alternative = "; ".join(
                f"{each.name} {_effect(each, runs.objective, each.on_objective)}" for each in shown[:5]
            )
            height = rows_height(len(shown)) + _ROOM_PX * len(shown)
            blocks.append(Chart(f"{what}{unit}", figure, f"Strongest first: {alternative}.", height))
    blocks.append(_attribute_table(found, runs.objective))
    cautions = (
        "Trials differ in many things at once, and a sampler tries good ones more often: these are associations over "
        "trials, not effects of a single change.",
        f"Of {len(found)} intervals about one in twenty misses by chance; below {FEWEST} trials "
        f"(or {FEWEST_OF_A_KIND} of a kind) none is given, because it would be invented.",
    )
    return Section("attributes", title, tuple(blocks), cautions)


def _attributes_in_words(found: Sequence[Attribute], metric: str, objective: str) -> str:
    clear = [each for each in found if each.on_objective and each.on_objective.is_clear]
    n = max(each.on_objective.n for each in found if each.on_objective)
    if clear:
        told = [f"{each.name} {_effect(each, metric, each.on_objective)}" for each in clear[:4]]
        return f"What goes with the student's {objective}, with intervals that leave out 0: {listed(told)}."
    if n < FEWEST:
        return f"With {counted(n, 'trial')} this is a description of what was tried, not evidence of what helps."
    return f"No interval leaves out 0: these {n} trials do not show what makes a good teacher for the {objective}."


def _effect(attribute: Attribute, metric: str, effect: Effect | None) -> str:
    if effect is None:
        return ""
    value = difference_of(metric, effect.value) if attribute.is_category else f"ρ = {effect.value:+.2f}"
    if effect.low is None or effect.high is None:
        return value
    interval = f"[{effect.low:+.2f}, {effect.high:+.2f}]"
    return f"{value} {interval_of(metric, effect.low, effect.high) if attribute.is_category else interval}"


def _attribute_table(found: Sequence[Attribute], metric: str) -> Table:
    rows = []
    for each in found:
        cells = [text(each.name), text("difference" if each.is_category else "ρ")]
        for effect, of in ((each.on_objective, metric), (each.on_unseen, "accuracy/group/unseen")):
            cells += _effect_cells(each, effect, of)
        rows.append(tuple(cells))
    heads = (
        Column("attribute", is_number=False),
        Column("measure", is_number=False),
        Column("objective"),
        Column("95 % interval", "objective", is_number=False),
        Column("n"),
        Column("unseen"),
        Column("95 % interval", "unseen", is_number=False),
        Column("n"),
    )
    caption = "Attributes of teachers, strongest first; differences of accuracies in points"
    return Table(caption, heads, tuple(rows))


def _effect_cells(attribute: Attribute, effect: Effect | None, metric: str) -> list[Cell]:
    if effect is None:
        return [Cell(""), Cell(""), Cell("")]
    in_points = attribute.is_category and is_part_of_one(metric)
    value = points(effect.value) if in_points else number(effect.value, "+.4f" if attribute.is_category else "+.2f")
    told = "too few trials"
    if effect.low is not None and effect.high is not None:
        interval = f"[{effect.low:+.2f}, {effect.high:+.2f}]"
        told = interval_of(metric, effect.low, effect.high) if attribute.is_category else interval
    n = str(effect.n) if effect.sizes is None else f"{effect.sizes[0]} / {effect.sizes[1]}"
    return [value, text(told), Cell(n, value=float(effect.n))]
