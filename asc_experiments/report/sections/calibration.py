"""The section of calibration: how well networks know what they do not know, and how far they agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from asc_experiments.metrics import (
    ACCURACY,
    AGREEMENT,
    DEVICE,
    DISAGREEMENT,
    ECE,
    ENSEMBLE,
    ENTROPY,
    OVERALL_ACCURACY,
    OVERALL_ECE,
    TARGETS_ACCURACY,
    TARGETS_ENTROPY,
    MetricKey,
)
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.study_setting import scenes_of
from asc_experiments.report.charts import scores as draw
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from asc_experiments.report.render.blocks import Block, Chart, Section
from asc_experiments.report.render.table import Cell, Column, Table, columns, number, percent, text
from asc_experiments.report.sections.scores import parts_of
from asc_experiments.statistics.calibration_floor import FEWEST_CLIPS, calibration_floor


def calibration_section(findings: Findings) -> Section:
    """How well the winner, its ensemble and its teachers know what they do not know, and how far they agree."""
    answer, runs = findings.answer, findings.runs
    assert answer is not None
    title = "Calibration and agreement"
    if OVERALL_ECE not in answer.trial.metrics:
        why = "These runs were logged by a version that did not measure it. The study run again, under another name, "
        return Section("calibration", title, (f"{why}shows it.",))
    students = runs.count(answer.trial)
    mean = f", mean of {students} students" if students > 1 else ""
    who = [(f"student, best trial{mean}", answer.trial.metrics, "")]
    if answer.keys:
        who.append(("its ensemble", answer.trial.metrics, ENSEMBLE))
        who += [(run.name, run.metrics, "") for run in runs.members(answer.trial)] if len(answer.keys) > 1 else []
    scenes = len(scenes_of(runs))
    most = f"at most ln {scenes} = {math.log(scenes):.3f}" if scenes > 1 else "at most the logarithm of the scenes"
    clips = _Clips.of(findings)
    lead = (
        "ECE, the expected calibration error over 15 bins, is the gap between how sure a network is and how often it "
        f"is right; lower is better. {clips.note} Entropy, in nats, is that of softmax(logits / 2), so that "
        f"networks of trials with different temperatures compare, {most}: a teacher near 0 says little more than the "
        "label, one near the most hardly prefers a scene."
    )
    blocks: list[Block] = [lead, *_calibration_chart(findings, clips)]
    caption = "Expected calibration error in %, lower is better"
    parts = parts_of(runs)
    calibrated = [(name, metrics, ECE.on(prefix)) for name, metrics, prefix in who]
    blocks.append(_measure_table([each for each in parts if clips.tell(each[1])], calibrated, caption, percent))
    unsure = [(name, metrics, ENTROPY.on(prefix)) for name, metrics, prefix in who]
    blocks.append(_measure_table(parts, unsure, f"Entropy in nats, {most}", _nats))
    agreed = [
        (f"student and its ensemble agree{mean}", answer.trial.metrics, AGREEMENT),
        ("two members disagree", answer.trial.metrics, DISAGREEMENT.on(ENSEMBLE)),
    ]
    if str(AGREEMENT) in answer.trial.metrics:
        known = [each for each in agreed if str(each[2]) in each[1]]
        blocks.append(_measure_table(parts, known, "Share of test clips in %", percent))
    blocks.append(_explaining(runs))
    return Section("calibration", title, tuple(blocks))


@dataclass(frozen=True)
class _Clips:
    """How many clips a calibration error is of, and what a calibrated network would show on so many.

    Attributes:
        counts: test clips of each accuracy that is told: overall, of groups and devices; empty where they were not
            counted.
        accuracy: of the best trial.
        scenes: how many it tells apart.
    """

    counts: Mapping[MetricKey, int]
    accuracy: float
    scenes: int

    @classmethod
    def of(cls, findings: Findings) -> _Clips:
        answer, runs = findings.answer, findings.runs
        assert answer is not None
        accuracy = answer.trial.metrics.get(OVERALL_ACCURACY, 0.0)
        table = runs.standing(answer.trial).evidence
        if table is None:
            return cls({}, accuracy, len(scenes_of(runs)))
        keys = [key for _, key in parts_of(runs) if table.concerns(str(key))]
        return cls({key: table.counts(str(key))[0] for key in keys}, accuracy, len(table.scenes))

    def tell(self, part: MetricKey) -> bool:
        """Whether a part's error is told: the whole fold's always, that of a group or device with clips enough."""
        return part == ACCURACY or self.counts.get(part, 0) >= FEWEST_CLIPS

    @property
    def note(self) -> str:
        """What a perfectly calibrated network would show, and why parts of the fold are left out."""
        said = "It is never 0 in a sample: "
        if not self.counts or self.scenes < 2:
            said += "by how much a perfectly calibrated network would miss it is not known, its clips were not counted."
        else:
            said += f"a perfectly calibrated network of this accuracy would show about {self._floor(ACCURACY)} on "
            said += f"{self.counts[ACCURACY]:,} clips, were they independent and its confidences spread evenly."
        few = [part for part in self.counts if not self.tell(part)]
        if few:
            least = min(few, key=lambda part: self.counts[part])
            said += f" Groups and devices with fewer than {FEWEST_CLIPS} clips are left out: on {self.counts[least]:,} "
            said += f"it would show about {self._floor(least)}."
        elif not self.counts:
            said += " So groups and devices are left out."
        return said

    def _floor(self, part: MetricKey) -> str:
        return f"{100 * calibration_floor(self.counts[part], self.accuracy, self.scenes):.1f} %"


def _calibration_chart(findings: Findings, clips: _Clips) -> list[Chart]:
    """The error on each device that has clips enough."""
    answer, runs = findings.answer, findings.runs
    assert answer is not None
    metrics = answer.trial.metrics
    devices = [device for device in runs.devices if clips.tell(ACCURACY.of(DEVICE, device))]
    series = {
        label: [metrics.get(str(error.of(DEVICE, device))) for device in devices]
        for label, error in (("student", ECE), ("its ensemble", ECE.on(ENSEMBLE)))
    }
    series = {label: values for label, values in series.items() if any(value is not None for value in values)}
    if not series:
        return []
    shown = {label: [None if v is None else 100 * v for v in values] for label, values in series.items()}
    figure = draw.grouped_bars(devices, shown, "ECE in %, lower is better", " %")
    said = "; ".join(
        f"{label} {100 * metrics[str(error)]:.1f} % overall"
        for label, error in (("student", ECE), ("ensemble", ECE.on(ENSEMBLE)))
        if str(error) in metrics
    )
    return [Chart("Calibration error per device of the best trial", figure, said, height=320)]


def _measure_table(
    parts: Sequence[tuple[str, MetricKey]],
    who: Sequence[tuple[str, Mapping[str, float], MetricKey]],
    caption: str,
    cell: Callable[[float | None], Cell],
) -> Table:
    """What was measured of some networks, each by its key, in parts of the fold."""
    rows = [
        (text(name), *(cell(metrics.get(str(key.of(of.part, of.member)))) for _, of in parts))
        for name, metrics, key in who
    ]
    return Table(caption, (Column("network", is_number=False), *(Column(heading) for heading, _ in parts)), tuple(rows))


def _explaining(runs: StudyRuns) -> Table:
    """Every trial's measures that explain its student, folded away."""
    measures = (
        ("student ECE", OVERALL_ECE, percent), ("ensemble ECE", str(ECE.on(ENSEMBLE)), percent),
        ("student entropy", str(ENTROPY), _nats), ("ensemble entropy", str(ENTROPY.on(ENSEMBLE)), _nats),
        ("targets' entropy, training", TARGETS_ENTROPY, _nats),
        ("targets' accuracy, training", TARGETS_ACCURACY, percent),
        ("agreement", str(AGREEMENT), percent), ("disagreement", str(DISAGREEMENT.on(ENSEMBLE)), percent),
    )  # fmt: skip
    rows = [
        (text(f"trial {number_of(trial)}"), *(cell(trial.metrics.get(name)) for _, name, cell in measures))
        for trial in runs.best_first
    ]
    units = {heading: "nats" if cell is _nats else "%" for heading, _, cell in measures}
    heads = columns("student", *(heading for heading, _, _ in measures), texts=("student",), units=units)
    caption = "The same of every trial, over all devices of the test fold"
    caption += "; targets: what it learned from, of the training clips, at the temperature that it was trained with"
    return Table(caption, heads, tuple(rows), folded=True)


def _nats(value: float | None) -> Cell:
    return number(value, ".3f")
