"""What makes a good teacher here: which attributes of a trial's teachers go with a better student.

The trials of a study, one row each: attributes of its teachers, its objective, its accuracy on unseen devices. Trials
without teachers are left out; the attribute "any teacher" alone compares them with the rest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

from asc_experiments.report.effects import Effect, correlation, difference
from asc_experiments.report.runs import StudyRuns
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import OBJECTIVE_VALUE, RECIPE, keys_of
from asc_experiments.training.scorecard import DG

UNSEEN = "accuracy/group/unseen"
_OF_TRIAL = {
    "ensemble: accuracy": "ensemble/accuracy/overall",
    "ensemble: accuracy on unseen devices": "ensemble/accuracy/group/unseen",
    "ensemble: DG": f"ensemble/{DG}",
    "ensemble: calibration error (ECE)": "ensemble/ece/overall",
    "ensemble: entropy of its answers on the test fold": "ensemble/entropy/overall",
    "ensemble: disagreement of its members": "ensemble/disagreement/overall",
    "targets: entropy on the training clips": "targets/entropy",
    "targets: accuracy on the training clips": "targets/accuracy",
    "student agrees with its ensemble": "agreement/overall",
}
"""Attributes that a trial's run holds as a metric."""
_OF_MEMBERS = {
    "members: mean accuracy": "accuracy/overall",
    "members: mean accuracy on unseen devices": UNSEEN,
    "members: mean DG": DG,
    "members: mean size (parameters)": "complexity/parameters",
}
"""Attributes that are means over the members of a metric of theirs."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of teachers and what goes with it.

    Attributes:
        name: for people.
        is_category: whether its effects are differences of means, in parts of one; else rank correlations.
        on_objective, on_unseen: the effects; None where there is nothing to compare.
    """

    name: str
    is_category: bool
    on_objective: Effect | None
    on_unseen: Effect | None

    @property
    def strength(self) -> float:
        """What attributes are ranked by: the stronger one comes first."""
        return self.on_objective.strength if self.on_objective else -1.0


def rank_attributes(study: StudyRuns) -> list[Attribute]:
    """All attributes that vary over the study's trials, the strongest first."""
    taught = [trial for trial in study.trials if keys_of(trial)]
    found = [_number(name, values, taught) for name, values in _apart(_numbers(study, taught)).items()]
    found += [_category(name, values, taught) for name, values in _categories(study, taught).items()]
    if 0 < len(taught) < len(study.trials):
        found.append(_category("any teacher at all", [bool(keys_of(t)) for t in study.trials], study.trials))
    return sorted((each for each in found if each.on_objective), key=lambda each: (-each.strength, each.name))


def _number(name: str, values: Sequence[float | None], trials: Sequence[RunRecord]) -> Attribute:
    return _attribute(name, False, values, trials, correlation)


def _category(name: str, values: Sequence[bool | None], trials: Sequence[RunRecord]) -> Attribute:
    return _attribute(name, True, values, trials, difference)


def _attribute(
    name: str,
    is_category: bool,
    values: Sequence[Any],
    trials: Sequence[RunRecord],
    effect: Callable[[list[Any], list[float]], Effect | None],
) -> Attribute:
    def on(metric: str) -> Effect | None:
        pairs = [
            (value, trial.metrics[metric])
            for value, trial in zip(values, trials, strict=True)
            if value is not None and metric in trial.metrics
        ]
        return effect([value for value, _ in pairs], [y for _, y in pairs]) if pairs else None

    return Attribute(name, is_category, on(OBJECTIVE_VALUE), on(UNSEEN))


def _numbers(study: StudyRuns, taught: Sequence[RunRecord]) -> dict[str, list[float | None]]:
    """Every attribute that is a number, a value for each trial; None where it is not known."""
    found: dict[str, list[float | None]] = {"ensemble size": [float(len(keys_of(trial))) for trial in taught]}
    for name, metric in _OF_TRIAL.items():
        found[name] = [trial.metrics.get(metric) for trial in taught]
    for name, metric in _OF_MEMBERS.items():
        found[name] = [_mean(study, trial, metric) for trial in taught]
    for name in ("temperature", "label_weight"):
        found[f"distillation: {name.replace('_', ' ')}"] = [_as_number(trial.params.get(name)) for trial in taught]
    return found


def _mean(study: StudyRuns, trial: RunRecord, metric: str) -> float | None:
    """The mean of a metric over a trial's members; None where one of them is gone or was not measured."""
    members = study.members(trial)
    if len(members) < len(keys_of(trial)) or any(metric not in member.metrics for member in members):
        return None
    return fmean(member.metrics[metric] for member in members)


def _categories(study: StudyRuns, taught: Sequence[RunRecord]) -> dict[str, list[bool | None]]:
    """Every attribute that is one of few kinds, as whether a trial has it; None where that is not known."""
    recipes = {key: recipe_of(run) for key, run in study.teachers.items()}
    found: dict[str, list[bool | None]] = {}
    archs = sorted({recipe["network"]["arch"] for recipe in recipes.values() if recipe})
    for arch in archs if len(archs) > 1 else ():
        found[f"architecture: has {arch}"] = _any(recipes, taught, partial(_is, arch))
    if len(archs) > 1:
        found["architecture: more than one"] = [_is_mixed(recipes, trial) for trial in taught]
    for name, setting in (("DIR", "dir_probability"), ("FMS", "fms_probability")):
        has = partial(_has, setting)
        found[f"{name}: a member has it"] = _any(recipes, taught, has)
        found[f"{name}: every member has it"] = _every(recipes, taught, has)
    rules = sorted({trial.params.get("ensemble_rule", "") for trial in taught if len(keys_of(trial)) > 1} - {""})
    for rule in rules if len(rules) > 1 else ():
        found[f"combined by {rule}"] = [
            trial.params.get("ensemble_rule") == rule if len(keys_of(trial)) > 1 else None for trial in taught
        ]
    return _distinct(found)


def _apart(found: Mapping[str, list[float | None]]) -> dict[str, list[float | None]]:
    """Without numbers that are those of an earlier one: an ensemble of one member is that member."""
    kept: dict[str, list[float | None]] = {}
    for name, values in found.items():
        if not any(map(partial(_same, values), kept.values())):
            kept[name] = values
    return kept


def _same(ours: Sequence[float | None], theirs: Sequence[float | None]) -> bool:
    return all(
        a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9))
        for a, b in zip(ours, theirs, strict=True)
    )


def _distinct(found: Mapping[str, list[bool | None]]) -> dict[str, list[bool | None]]:
    """Without attributes that say the same of every trial as an earlier one: with one member each, any is every."""
    kept: dict[str, list[bool | None]] = {}
    for name, values in found.items():
        opposite = [None if value is None else not value for value in values]
        if values not in kept.values() and opposite not in kept.values():
            kept[name] = values
    return kept


Recipe = Mapping[str, Any]


def recipe_of(run: RunRecord) -> Recipe | None:
    """A network's Recipe as it was logged; None where there is none. (That of imported weights is what they are said
    to have been trained with.)
    """
    try:
        recipe = json.loads(run.tags[RECIPE])
        return recipe if {"network", "augmentation", "optimisation"} <= set(recipe) else None
    except (KeyError, ValueError, TypeError):
        return None


def _arch(recipe: Recipe) -> str:
    return str(recipe["network"]["arch"])


def _is(arch: str, recipe: Recipe) -> bool:
    return _arch(recipe) == arch


def _has(setting: str, recipe: Recipe) -> bool:
    return bool(recipe["augmentation"][setting] > 0)


def _of_trial(recipes: Mapping[str, Recipe | None], trial: RunRecord) -> list[Recipe] | None:
    """The Recipes of a trial's members; None where one is not known."""
    found = [recipes.get(key) for key in keys_of(trial)]
    known = [recipe for recipe in found if recipe is not None]
    return known if len(known) == len(found) else None


def _any(
    recipes: Mapping[str, Recipe | None], trials: Sequence[RunRecord], test: Callable[[Recipe], bool]
) -> list[bool | None]:
    members = [_of_trial(recipes, trial) for trial in trials]
    return [None if each is None else any(map(test, each)) for each in members]


def _every(
    recipes: Mapping[str, Recipe | None], trials: Sequence[RunRecord], test: Callable[[Recipe], bool]
) -> list[bool | None]:
    members = [_of_trial(recipes, trial) for trial in trials]
    return [None if each is None else all(map(test, each)) for each in members]


def _is_mixed(recipes: Mapping[str, Recipe | None], trial: RunRecord) -> bool | None:
    members = _of_trial(recipes, trial)
    return None if members is None else len(set(map(_arch, members))) > 1


def _as_number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
