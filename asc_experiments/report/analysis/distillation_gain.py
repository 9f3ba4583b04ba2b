"""What teachers give a student: its accuracy less that of the same student on labels alone.

The same student is one of the same Recipe but for its seed, on the same corpus, with the same clips held out. It is
looked for among the study's own trials without teachers, then among students of ``asc student train``. How sure a gain
is tells its margin over places and students in the test fold; of thousands of trials only the best ones have one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any

from asc_experiments.metrics import (
    ACCURACY,
    DEVICE,
    DG,
    GROUP,
    OVERALL_ACCURACY,
    OVERALL_ECE,
    OVERALL_LOSS,
    VALIDATION_ACCURACY,
)
from asc_experiments.report.data.study_runs import StudyRuns, number_of, recipe_of
from asc_experiments.statistics import Evidence, Margin, margin, pooled
from asc_experiments.statistics.wording import margin_in_words
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.client.records import KIND
from asc_experiments.tracking.evidence import STUDENTS
from asc_experiments.tracking.trials import CORPUS, HELD_OUT, SEED_KIND, TRAINING_CLIPS, TRIAL_KIND, keys_of

_TOLD = (
    OVERALL_ACCURACY, ACCURACY.of(GROUP).start, ACCURACY.of(DEVICE).start, DG, OVERALL_LOSS, OVERALL_ECE,
)  # fmt: skip
"""What the names begin with of metrics that a gain is told in."""


@dataclass(frozen=True)
class Gain:
    """A taught student beside the same on labels alone.

    Attributes:
        trial: its number.
        taught_by: its teachers in short.
        against: what it is compared with, for people.
        gains: by metric, accuracies as parts of one; a DG, loss or ECE that falls is negative.
        margins: the same with their intervals, where both keep what their students answered.
    """

    trial: int
    taught_by: str
    against: str
    gains: Mapping[str, float]
    margins: Mapping[str, Margin] = field(default_factory=dict)

    def interval_of(self, name: str) -> tuple[float, float] | None:
        """The interval of a gain; None where it is not known."""
        found = self.margins.get(name)
        return (found.low, found.high) if found is not None and found.is_known else None


@dataclass(frozen=True, eq=False)
class _Reference:
    """A student on labels alone: its mean metrics, and what students that are the same but for the seed answered."""

    name: str
    metrics: Mapping[str, float]
    study: StudyRuns
    runs: tuple[RunRecord, ...]

    @cached_property
    def evidence(self) -> Evidence | None:
        """What they answered in the test fold; None where that was not kept."""
        if self.runs[0].tags.get(KIND) == TRIAL_KIND:
            return self.study.standing(self.runs[0]).evidence
        tables = [self.study.evidence(run.run_id, STUDENTS).get("test") for run in self.runs]
        found = [table for table in tables if table is not None]
        try:
            return pooled(found)
        except ValueError:
            return None


def gains_of(study: StudyRuns) -> list[Gain]:
    """The gains of every taught trial that has such a counterpart, best trial first."""
    known: dict[str, _Reference | None] = dict(_own_references(study))
    found = []
    for trial in study.best_first:
        recipe = student_recipe(study, trial)
        if keys_of(trial) and recipe is not None:
            student = _student(recipe, trial)
            if student not in known:
                known[student] = _single(study, recipe, trial)
            if (reference := known[student]) is not None:
                found.append((trial, reference))
    compared = {trial.run_id for trial in study.compared} if study.keeps_evidence else set()
    among = sum(trial.run_id in compared for trial, _ in found)
    return [_gain(study, trial, reference, among * (trial.run_id in compared)) for trial, reference in found]


def student_recipe(study: StudyRuns, trial: RunRecord) -> Mapping[str, Any] | None:
    """The Recipe of a trial's student, with the seed of the network that it would ship."""
    for run in (trial, *study.of_kind(trial, SEED_KIND)):
        recipe = recipe_of(run)
        if recipe is not None:
            return recipe
    return None


def _own_references(study: StudyRuns) -> dict[str, _Reference]:
    """The study's trials without teachers, by their students' Recipe; the first of equals."""
    found: dict[str, _Reference] = {}
    for trial in study.trials:
        recipe = student_recipe(study, trial)
        if not keys_of(trial) and recipe is not None:
            reference = _Reference(f"trial {number_of(trial)}", trial.metrics, study, (trial,))
            found.setdefault(_student(recipe, trial), reference)
    return found


def _single(study: StudyRuns, recipe: Mapping[str, Any], trial: RunRecord) -> _Reference | None:
    """Students of ``asc student train`` that are the same, each seed once."""
    same = {}
    for run in study.singles:
        theirs = recipe_of(run)
        if keys_of(run) or theirs is None or run.tags.get(CORPUS) != study.corpus:
            continue
        if _same_split(run, study.held_out) and _student(theirs, run) == _student(recipe, trial):
            same[theirs.get("seed", 0)] = run
    if not same:
        return None
    runs = list(same.values())
    names = [name for name in _names(runs[0].metrics) if all(name in run.metrics for run in runs)]
    means = {name: fmean(run.metrics[name] for run in runs) for name in names}
    plural = "s" if len(runs) > 1 else ""
    return _Reference(f"{len(runs)} student{plural} of asc student train", means, study, tuple(runs))


def _same_split(run: RunRecord, split: Mapping[str, Any] | None) -> bool:
    """Whether a student held out the same clips; where its run does not say, only nothing held out is certain."""
    if split is None:
        return False
    if HELD_OUT in run.tags:
        return _canonical(json.loads(run.tags[HELD_OUT])) == _canonical(split)
    return not split.get("fraction") and VALIDATION_ACCURACY not in run.metrics


def _canonical(split: Mapping[str, Any]) -> tuple[float, tuple[str, ...], str, int]:
    fraction, devices = float(split.get("fraction", 0.0)), tuple(sorted(split.get("hold_out_devices", ())))
    return fraction, devices, split.get("held_out_device_clips", "some"), int(split.get("seed", 0)) if fraction else 0


def _student(recipe: Mapping[str, Any], run: RunRecord) -> str:
    """What makes students the same: their Recipe but for the seed, and which clips they were trained on."""
    settings = {key: value for key, value in recipe.items() if key != "seed"}
    return json.dumps([settings, run.tags.get(TRAINING_CLIPS)], sort_keys=True)


def _names(metrics: Mapping[str, float]) -> list[str]:
    return [name for name in metrics if name.startswith(_TOLD)]


def _gain(study: StudyRuns, trial: RunRecord, reference: _Reference, among: int) -> Gain:
    """The gain of a trial.

    Args:
        study: the runs.
        trial: one with teachers.
        reference: its counterpart.
        among: how many gains are told side by side, by so many the intervals are widened; 0 tells none of this one.
    """
    names = [name for name in _names(trial.metrics) if name in reference.metrics]
    gains = {name: trial.metrics[name] - reference.metrics[name] for name in names}
    ours = study.standing(trial).evidence if among else None
    margins = {}
    if ours is not None and reference.evidence is not None:
        margins = _margins(ours, reference.evidence, names, among)
    told = gains | {name: found.value for name, found in margins.items()}
    return Gain(number_of(trial), study.taught_by(trial), reference.name, told, margins)


def _margins(ours: Evidence, theirs: Evidence, names: Sequence[str], among: int) -> dict[str, Margin]:
    found = {}
    for name in names:
        try:
            found[name] = margin(ours, theirs, name, among)
        except ValueError:  # no clip counts for it in this table
            continue
    return found


def gain_in_words(gain: Gain, name: str) -> str:
    """A gain in a metric with its interval: ``+1.2 points, 95 % interval [-0.4, +2.8]``, or why there is none."""
    if name in gain.margins:
        return margin_in_words(gain.margins[name])
    return f"{100 * gain.gains[name]:+.1f} points, without an interval: not every run keeps its answers by place"


def probabilities_in_words(gain: Gain) -> str:
    """What teachers did to the probabilities of their student, in a sentence; empty where that was not measured.

    A student that is right more often may be surer than it should be, or less sure.
    """
    told = []
    if (loss := gain.margins.get(OVERALL_LOSS)) is not None:
        found = "better" if loss.is_better else "worse" if loss.is_worse else "not shown to differ"
        told.append(f"log loss in nats changes by {margin_in_words(loss)} ({found})")
    if (ece := gain.gains.get(OVERALL_ECE)) is not None:
        found = "better" if ece < 0 else "worse"
        told.append(f"the calibration error by {100 * ece:+.1f} points ({found}; its interval is not known)")
    who = f"Trial {gain.trial}'s probabilities beside those of {gain.against}"
    return f"{who}: {'; '.join(told)}." if told else ""


def mean_gain(gains: Sequence[Gain], name: str) -> float | None:
    """The mean over trials of the gain in a metric; None where no trial has it."""
    values = [gain.gains[name] for gain in gains if name in gain.gains]
    return fmean(values) if values else None
