"""What makes a good teacher here: which attributes of a trial's teachers go with a better student, beyond luck.

The trials of a study, one row each: attributes of its teachers, its objective, its accuracy on unseen devices. Trials
without teachers are left out; the attribute "any teacher" alone compares them with the rest. Attributes that part the
trials alike, or put them in the same order, cannot be told apart: they are one row with all their names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np

from asc_experiments.augment import AUGMENTATIONS, Augmentation
from asc_experiments.metrics import (
    AGREEMENT,
    DG,
    DISAGREEMENT,
    ECE,
    ENSEMBLE,
    ENSEMBLE_ACCURACY,
    ENTROPY,
    OVERALL_ACCURACY,
    TARGETS_ACCURACY,
    TARGETS_ENTROPY,
    UNSEEN_ACCURACY,
)
from asc_experiments.report.analysis.teacher_design import ORDER, Design
from asc_experiments.report.data.study_runs import recipe_of
from asc_experiments.statistics.luck import ranks
from asc_experiments.statistics.members import Aggregate, Floats
from asc_experiments.statistics.permutation import Effect, Row, Sort, judge
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import OBJECTIVE_VALUE, keys_of

_Recipe = Mapping[str, Any]
_OF_TRIAL = {
    "ensemble: accuracy": ENSEMBLE_ACCURACY,
    "ensemble: accuracy on unseen devices": f"{ENSEMBLE}/{UNSEEN_ACCURACY}",
    "ensemble: DG": f"{ENSEMBLE}/{DG}",
    "ensemble: calibration error (ECE)": str(ECE.on(ENSEMBLE)),
    "ensemble: entropy of its answers on the test fold": str(ENTROPY.on(ENSEMBLE)),
    "ensemble: disagreement of its members": str(DISAGREEMENT.on(ENSEMBLE)),
    "targets: entropy on the training clips": TARGETS_ENTROPY,
    "targets: accuracy on the training clips": TARGETS_ACCURACY,
    "student agrees with its ensemble": str(AGREEMENT),
}
"""Attributes that a trial's run holds as a metric."""
_OF_MEMBERS = {
    "members: mean accuracy": OVERALL_ACCURACY,
    "members: mean accuracy on unseen devices": UNSEEN_ACCURACY,
    "members: mean DG": DG,
    "members: mean size (parameters)": "complexity/parameters",
}
"""Attributes that are means over the members of a metric of theirs."""
_OPPOSITE = " (the other way round)"


@dataclass(frozen=True)
class Attribute:
    """Attributes of teachers that the trials cannot tell apart, mostly one, and what goes with them.

    Attributes:
        names: for people.
        is_category: whether its effects are differences of means, in parts of one; else rank correlations.
        on_objective, on_unseen: the effects; None where there is nothing to compare.
    """

    names: tuple[str, ...]
    is_category: bool
    on_objective: Effect | None
    on_unseen: Effect | None

    @property
    def name(self) -> str:
        """All names."""
        return " = ".join(self.names)

    @property
    def strength(self) -> float:
        """What attributes are ranked by: the stronger one comes first, and last those without a verdict."""
        return self.on_objective.strength if self.on_objective else -1.0


@dataclass(frozen=True, eq=False)
class _Candidate:
    """An attribute before anything is known of its effect; ``settings`` are those that it is itself."""

    name: str
    values: Floats
    sort: Sort
    is_category: bool = False
    of_units: Floats | None = None
    aggregate: Aggregate = "mean"
    settings: tuple[str, ...] = ()


def rank_attributes(design: Design) -> list[Attribute]:
    """All attributes that vary over a study's trials, the strongest first."""
    groups = _coinciding([*_of_members(design), *_of_ensembles(design)])
    rows = [(tuple(names), _row(design, first, settings)) for first, names, settings in groups]
    targets = [_metric(design.runs.trials, name) for name in (OBJECTIVE_VALUE, UNSEEN_ACCURACY)]
    effects = judge([row for _, row in rows], targets, design.members)
    found = [
        Attribute(names, row.is_category, *pair) for (names, row), pair in zip(rows, effects, strict=True) if pair[0]
    ]
    return sorted(found, key=lambda each: (-each.strength, each.name))


def teaching_effect(design: Design, metric: str) -> Effect | None:
    """How the ensemble's accuracy goes with its student's; None where there is nothing to compare.

    Args:
        design: of the study.
        metric: which accuracy: overall, or on unseen devices.
    """
    trials = design.runs.trials
    row = Row(_metric(trials, f"{ENSEMBLE}/{metric}"), "ensembles", held=design.held())
    return judge([row], [_metric(trials, metric)], design.members)[0][0]


def _row(design: Design, first: _Candidate, settings: Collection[str]) -> Row:
    without = {*settings, ORDER} if first.sort == "members" else settings
    held = design.held(taught=first.sort != "taught", without=without)
    return Row(first.values, first.sort, first.is_category, held, first.of_units, first.aggregate)


def _coinciding(found: Sequence[_Candidate]) -> list[tuple[_Candidate, list[str], set[str]]]:
    """Candidates that part the trials alike, or order them alike: the one to judge, all their names, their settings.

    A difference between two kinds is told rather than a correlation, properties of teachers rather than of ensembles.
    """
    groups: dict[bytes, list[tuple[_Candidate, bool]]] = {}
    for each in found:
        if (order := _order(each.values)) is not None:
            reverse = np.where(order < 0, order, order.max() - order)
            is_reverse = reverse.tobytes() < order.tobytes()
            groups.setdefault(min(order.tobytes(), reverse.tobytes()), []).append((each, is_reverse))
    told = []
    for group in groups.values():
        most = 2 * sum(is_reverse for _, is_reverse in group) > len(group)  # have this way round
        first, way = min(group, key=lambda e: (not e[0].is_category, e[0].sort != "members", e[1] != most))
        names = [each.name + ("" if is_reverse == way else _OPPOSITE) for each, is_reverse in group]
        names.sort(key=lambda name: (name != first.name, name.endswith(_OPPOSITE)))
        told.append((first, names, {setting for each, _ in group for setting in each.settings}))
    return told


def _order(values: Floats) -> np.ndarray | None:
    """The place of each value among the distinct ones, -1 where it is not known; None where they do not vary."""
    known = np.isfinite(values)
    if not known.any():
        return None
    _, places = np.unique(ranks(values[known][None])[0], return_inverse=True)
    order = np.full(len(values), -1, dtype=np.int64)
    order[known] = places
    return order if places.max() > 0 else None


def _metric(trials: Sequence[RunRecord], name: str) -> Floats:
    return np.array([trial.metrics.get(name, np.nan) for trial in trials], dtype=np.float64)


def _of_members(design: Design) -> list[_Candidate]:
    """Every attribute that a trial has of its members."""
    bank, found = design.runs.bank, []
    recipes = {key: recipe_of(bank[key]) if key in bank else None for key in design.unit_of}
    several = any(len(each) > 1 for each in design.keys)
    archs = sorted({_arch(recipe) for recipe in recipes.values() if recipe})
    found += [
        _category(design, f"architecture: has {arch}", recipes, partial(_is, arch), "any")
        for arch in (archs if len(archs) > 2 or several else archs[:1])
    ]
    if several:
        found.append(
            _category(design, "architecture: more than one", recipes, lambda r: archs.index(_arch(r)), "several")
        )
    for name, test in _augmentations(recipes.values()):
        found.append(_category(design, f"{name}: a member has it", recipes, test, "any"))
        if several:
            found.append(_category(design, f"{name}: every member has it", recipes, test, "every"))
    for name, metric in _OF_MEMBERS.items():
        values = {key: bank[key].metrics.get(metric) if key in bank else None for key in design.unit_of}
        found.append(_property(design, name, values, "mean", is_category=False))
    return found


def _category(
    design: Design,
    name: str,
    recipes: Mapping[str, Mapping[str, Any] | None],
    test: Callable[[Mapping[str, Any]], float],
    aggregate: Aggregate,
) -> _Candidate:
    values = {key: None if recipe is None else float(test(recipe)) for key, recipe in recipes.items()}
    return _property(design, name, values, aggregate, is_category=True)


def _property(
    design: Design, name: str, of_teachers: Mapping[str, float | None], aggregate: Aggregate, is_category: bool
) -> _Candidate:
    """An attribute that trials have of their members; not known where that of one member is not."""
    makes: dict[Aggregate, Callable[[list[float]], float]] = {
        "mean": fmean,
        "any": max,
        "every": min,
        "several": lambda values: float(len(set(values)) > 1),
    }
    values = np.full(len(design.keys), np.nan)
    for place, keys in enumerate(design.keys):
        known = [value for key in keys if (value := of_teachers[key]) is not None]
        if known and len(known) == len(keys):
            values[place] = makes[aggregate](known)
    in_unit: dict[int, list[float]] = {}
    for key, value in of_teachers.items():
        if value is not None:
            in_unit.setdefault(design.unit_of[key], []).append(value)
    of_units = np.full(1 + max(design.unit_of.values(), default=0), np.nan)
    of_units[list(in_unit)] = [fmean(each) for each in in_unit.values()]
    return _Candidate(name, values, "members", is_category, of_units, aggregate)


def _of_ensembles(design: Design) -> list[_Candidate]:
    """Every attribute that is of an ensemble as a whole, or a setting."""
    trials = design.runs.trials
    taught = np.array([len(each) > 0 for each in design.keys], dtype=bool)
    sizes = np.where(taught, [float(len(each)) for each in design.keys], np.nan)
    found = [_Candidate("ensemble size", sizes, "ensembles")]
    for name, metric in _OF_TRIAL.items():
        found.append(_Candidate(name, np.where(taught, _metric(trials, metric), np.nan), "ensembles"))
    for name in ("temperature", "label_weight"):
        values = np.array([_as_number(trial.params.get(name)) for trial in trials], dtype=np.float64)
        values[~taught] = np.nan
        told = f"distillation: {name.replace('_', ' ')}"
        found.append(_Candidate(told, values, "settings", settings=(f"distillation.{name}",)))
    clips = np.array([_as_number(trial.params.get("training_clips")) for trial in trials], dtype=np.float64)
    clips[~taught] = np.nan
    found.append(_Candidate("training clips (corpus.train_split)", clips, "settings", settings=("corpus.train_split",)))
    several = [trial.params.get("ensemble_rule", "") if len(keys_of(trial)) > 1 else "" for trial in trials]
    rules = sorted(set(several) - {""})
    for rule in rules if len(rules) > 2 else rules[1:]:
        values = np.array([np.nan if each == "" else float(each == rule) for each in several])
        found.append(_Candidate(f"combined by {rule}", values, "settings", is_category=True))
    found.append(_Candidate("any teacher at all", taught.astype(np.float64), "taught", is_category=True))
    return found


def _arch(recipe: Mapping[str, Any]) -> str:
    return str(recipe["network"]["arch"])


def _is(arch: str, recipe: Mapping[str, Any]) -> bool:
    return _arch(recipe) == arch


def _augmentations(recipes: Iterable[_Recipe | None]) -> list[tuple[str, Callable[[_Recipe], bool]]]:
    """The augmentations that are told apart, with whether a Recipe has each: DIR, FMS, and those of packages.

    The latter are found by what Recipes say of their sources: a report needs none of the packages.
    """
    own = [kind for kind in AUGMENTATIONS.values() if kind.label and kind.source is None]
    outside = sorted({name for recipe in recipes if recipe for name in _from_packages(recipe)})
    return [
        *((kind.label.upper(), partial(_switches_on, kind)) for kind in own),
        *((name, partial(_is_from_package, name)) for name in outside),
    ]


def _switches_on(kind: type[Augmentation], recipe: _Recipe) -> bool:
    return kind.is_on(recipe["augmentation"])


def _is_from_package(name: str, recipe: _Recipe) -> bool:
    return name in _from_packages(recipe)


def _from_packages(recipe: _Recipe) -> list[str]:
    return [source["name"] for source in recipe.get("sources", ())]


def _as_number(text: str | None) -> float:
    try:
        return np.nan if text is None else float(text)
    except ValueError:
        return np.nan
