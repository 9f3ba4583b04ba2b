"""What teachers give a student: its accuracy less that of the same student on labels alone.

The same student is one of the same Recipe but for its seed, on the same corpus, with the same clips held out. It is
looked for among the study's own trials without teachers, then among students of ``asc student train``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from asc_experiments.report.attributes import recipe_of
from asc_experiments.report.runs import StudyRuns, number_of, spread
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import CORPUS, HELD_OUT, SEED_KIND, keys_of
from asc_experiments.training.scorecard import DG


@dataclass(frozen=True)
class Gain:
    """A taught student beside the same on labels alone.

    Attributes:
        trial: its number.
        taught_by: its teachers in short.
        against: what it is compared with, for people.
        gains: by metric, accuracies as parts of one; a DG that falls is negative.
        errors: standard errors of the gains over seeds, where both have several students.
    """

    trial: int
    taught_by: str
    against: str
    gains: Mapping[str, float]
    errors: Mapping[str, float]


@dataclass(frozen=True)
class _Reference:
    """A student on labels alone: its mean metrics, their spread over ``n`` students."""

    name: str
    n: int
    metrics: Mapping[str, float]
    stds: Mapping[str, float]


def gains_of(study: StudyRuns) -> list[Gain]:
    """The gains of every taught trial that has such a counterpart, best trial first."""
    own = _own_references(study)
    found = []
    for trial in study.best_first:
        recipe = student_recipe(study, trial)
        if keys_of(trial) and recipe is not None:
            reference = own.get(_without_seed(recipe)) or _single(study, recipe)
            if reference is not None:
                found.append(_gain(study, trial, reference))
    return found


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
            names = _names(trial.metrics)
            stds = {name: std for name in names if (std := spread(trial.metrics, name)) is not None}
            reference = _Reference(f"trial {number_of(trial)}", study.seeds, trial.metrics, stds)
            found.setdefault(_without_seed(recipe), reference)
    return found


def _single(study: StudyRuns, recipe: Mapping[str, Any]) -> _Reference | None:
    """Students of ``asc student train`` that are the same, each seed once."""
    same = {}
    for run in study.singles:
        theirs = recipe_of(run)
        if keys_of(run) or theirs is None or run.tags.get(CORPUS) != study.corpus:
            continue
        if _same_split(run, study.held_out) and _without_seed(theirs) == _without_seed(recipe):
            same[theirs.get("seed", 0)] = run
    if not same:
        return None
    runs = list(same.values())
    names = [name for name in _names(runs[0].metrics) if all(name in run.metrics for run in runs)]
    means = {name: fmean(run.metrics[name] for run in runs) for name in names}
    stds = {name: stdev([run.metrics[name] for run in runs]) for name in names} if len(runs) > 1 else {}
    plural = "s" if len(runs) > 1 else ""
    return _Reference(f"{len(runs)} student{plural} of asc student train", len(runs), means, stds)


def _same_split(run: RunRecord, split: Mapping[str, Any] | None) -> bool:
    """Whether a student held out the same clips; where its run does not say, only nothing held out is certain."""
    if split is None:
        return False
    if HELD_OUT in run.tags:
        return _canonical(json.loads(run.tags[HELD_OUT])) == _canonical(split)
    return not split.get("fraction") and "validation/accuracy/overall" not in run.metrics


def _canonical(split: Mapping[str, Any]) -> tuple[float, tuple[str, ...], int]:
    fraction = float(split.get("fraction", 0.0))
    return fraction, tuple(sorted(split.get("hold_out_devices", ()))), int(split.get("seed", 0)) if fraction else 0


def _without_seed(recipe: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in recipe.items() if key != "seed"}, sort_keys=True)


def _names(metrics: Mapping[str, float]) -> list[str]:
    wanted = ("accuracy/overall", "accuracy/group/", "accuracy/device/", DG)
    return [name for name in metrics if name.startswith(wanted)]


def _gain(study: StudyRuns, trial: RunRecord, reference: _Reference) -> Gain:
    names = [name for name in _names(trial.metrics) if name in reference.metrics]
    gains = {name: trial.metrics[name] - reference.metrics[name] for name in names}
    errors = {}
    for name in names:
        ours, theirs = spread(trial.metrics, name), reference.stds.get(name)
        if ours is not None and theirs is not None:
            errors[name] = math.sqrt(ours**2 / study.seeds + theirs**2 / reference.n)
    return Gain(number_of(trial), study.taught_by(trial), reference.name, gains, errors)


def mean_gain(gains: Sequence[Gain], name: str) -> float | None:
    """The mean over trials of the gain in a metric; None where no trial has it."""
    values = [gain.gains[name] for gain in gains if name in gain.gains]
    return fmean(values) if values else None
