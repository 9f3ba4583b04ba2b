"""The section of calibration: how well networks know what they do not know, and how far they agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.study_setting import scenes_of
from asc_experiments.report.charts import scores as draw
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from asc_experiments.report.render.blocks import (
    Block,
    Cell,
    Chart,
    Column,
    Section,
    Table,
    columns,
    number,
    percent,
    text,
)
from asc_experiments.report.sections.scores import parts_of
from asc_experiments.tracking import RunRecord


def calibration_section(findings: Findings) -> Section:
    """How well the winner, its ensemble and its teachers know what they do not know, and how far they agree."""
    answer, runs = findings.answer, findings.runs
    assert answer is not None
    title = "Calibration and agreement"
    if "ece/overall" not in answer.trial.metrics:
        why = "These runs were logged by a version that did not measure it. The study run again, under another name, "
        return Section("calibration", title, (f"{why}shows it.",))
    who = [("student, best trial", answer.trial.metrics, "")]
    if answer.keys:
        who.append(("its ensemble", answer.trial.metrics, "ensemble/"))
        who += [(run.name, run.metrics, "") for run in runs.members(answer.trial)] if len(answer.keys) > 1 else []
    scenes = len(scenes_of(runs))
    most = f"at most ln {scenes} = {math.log(scenes):.3f}" if scenes > 1 else "at most the logarithm of the scenes"
    lead = (
        "ECE, the expected calibration error over 15 bins, is the gap between how sure a network is and how often it "
        "is right; lower is better, 0 is perfect. Entropy, in nats, is that of softmax(logits / 2), "
        f"{most}: a teacher near 0 says little more than the label, one near the most hardly prefers a scene."
    )
    blocks: list[Block] = [lead, *_calibration_chart(findings)]
    blocks.append(_measure_table(runs, who, "ece", "Expected calibration error in %, lower is better", percent))
    blocks.append(_measure_table(runs, who, "entropy", f"Entropy in nats, {most}", lambda value: number(value, ".3f")))
    agreed = [
        ("student and its ensemble agree", answer.trial.metrics, ""),
        ("two members disagree", _disagreement(answer.trial), ""),
    ]
    if "agreement/overall" in answer.trial.metrics:
        known = [each for each in agreed if "agreement/overall" in each[1]]
        blocks.append(_measure_table(runs, known, "agreement", "Share of test clips in %", percent))
    blocks.append(_explaining(runs))
    return Section("calibration", title, tuple(blocks))


def _disagreement(trial: RunRecord) -> dict[str, float]:
    prefix = "ensemble/disagreement/"
    found = {name.removeprefix(prefix): value for name, value in trial.metrics.items() if name.startswith(prefix)}
    return {f"agreement/{name}": value for name, value in found.items()}


def _calibration_chart(findings: Findings) -> list[Chart]:
    answer, runs = findings.answer, findings.runs
    assert answer is not None
    metrics = answer.trial.metrics
    series = {
        label: [metrics.get(f"{prefix}ece/device/{device}") for device in runs.devices]
        for label, prefix in (("student", ""), ("its ensemble", "ensemble/"))
    }
    series = {label: values for label, values in series.items() if any(value is not None for value in values)}
    if not series:
        return []
    shown = {label: [None if v is None else 100 * v for v in values] for label, values in series.items()}
    figure = draw.grouped_bars(runs.devices, shown, "ECE in %, lower is better", " %")
    said = "; ".join(
        f"{label} {100 * metrics[f'{prefix}ece/overall']:.1f} % overall"
        for label, prefix in (("student", ""), ("ensemble", "ensemble/"))
        if f"{prefix}ece/overall" in metrics
    )
    return [Chart("Calibration error per device of the best trial", figure, said, height=320)]


def _measure_table(
    runs: StudyRuns,
    who: Sequence[tuple[str, Mapping[str, float], str]],
    measure: str,
    caption: str,
    cell: Callable[[float | None], Cell],
) -> Table:
    parts = parts_of(runs)
    rows = [
        (text(name), *(cell(metrics.get(f"{prefix}{measure}/{part}")) for _, part in parts))
        for name, metrics, prefix in who
    ]
    return Table(caption, (Column("network", is_number=False), *(Column(heading) for heading, _ in parts)), tuple(rows))


def _explaining(runs: StudyRuns) -> Table:
    """Every trial's measures that explain its student, folded away."""
    measures = (
        ("student ECE", "ece/overall", percent), ("ensemble ECE", "ensemble/ece/overall", percent),
        ("student entropy", "entropy/overall", _nats), ("ensemble entropy", "ensemble/entropy/overall", _nats),
        ("targets' entropy", "targets/entropy", _nats), ("targets' accuracy", "targets/accuracy", percent),
        ("agreement", "agreement/overall", percent), ("disagreement", "ensemble/disagreement/overall", percent),
    )  # fmt: skip
    rows = [
        (text(f"trial {number_of(trial)}"), *(cell(trial.metrics.get(name)) for _, name, cell in measures))
        for trial in runs.best_first
    ]
    units = {heading: "nats" if cell is _nats else "%" for heading, _, cell in measures}
    heads = columns("student", *(heading for heading, _, _ in measures), texts=("student",), units=units)
    return Table("The same of every trial, over all devices", heads, tuple(rows), folded=True)


def _nats(value: float | None) -> Cell:
    return number(value, ".3f")
