"""The search space of a study: from an Optuna trial to an Ensemble of Recipes, a student's Recipe, a Distillation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.distill import Distillation
from asc_experiments.study.file import Range, Scalar, Searchable, Searchables, StudyFile, candidates
from asc_experiments.training import Recipe, make_recipe

_SIZE = "ensemble_size"
_SIZES = ("base_channels", "embed_dim", "num_heads", "depth")
"""Settings that must fit each other; others are valid by themselves."""
_MOST_COMBINATIONS = 20_000


class Suggests(Protocol):
    """The part of an Optuna trial that a search space uses."""

    def suggest_categorical(self, name: str, choices: Any, /) -> Any:
        """One of the choices."""

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        """A whole number."""

    def suggest_float(
        self, name: str, low: float, high: float, /, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number."""


@dataclass(frozen=True)
class TrialPlan:
    """What one trial is: the teachers' Recipes in a fixed order, the student's Recipe, and the Distillation."""

    teachers: tuple[Recipe, ...]
    student: Recipe
    distillation: Distillation


class SearchSpace:
    """A study's search space.

    Parameters are called ``ensemble_size``, ``teacher_1`` (the kind), ``teacher_1.cp_resnet.base_channels``,
    ``student.base_channels``, ``distillation.temperature``. Those of a kind exist only where that kind was chosen.

    Args:
        study: the study file.
    """

    def __init__(self, study: StudyFile) -> None:
        self.study = study
        self.kinds = study.ensemble.kinds()

    def plan(self, trial: Suggests) -> TrialPlan:
        """Ask a trial for a value of every parameter that it needs.

        Members of one cell (the same Recipe) get different seeds; the order in which a trial names its teachers does
        not matter.
        """
        size = int(_suggest(trial, _SIZE, self.study.ensemble.size))
        members = sorted((self._member(trial, number) for number in range(1, size + 1)), key=_sort_key)
        teachers: list[Recipe] = []
        for member in members:
            recipe = member
            while recipe in teachers:
                recipe = recipe.model_copy(update={"seed": recipe.seed + 1})
            teachers.append(recipe)
        student = _student(_suggest_all(trial, "student", self.study.student), "student")
        distillation = Distillation.parse(_suggest_all(trial, "distillation", self.study.distillation), "distillation")
        return TrialPlan(tuple(teachers), student, distillation)

    def recipes(self, where: str = "study") -> list[Recipe]:
        """A Recipe for every choice and both ends of every range: of the teachers, then of the student.

        Raises:
            AscError: naming the setting that no Recipe can be made of.
        """
        recipes = []
        for name, settings in self.kinds.items():
            recipes += [_recipe(values, f"{where}: ensemble.pool, {name}") for values in _variants(settings)]
        return recipes + [_student(values, f"{where}: student") for values in _variants(self.study.student)]

    def check(self, where: str) -> None:
        """Try every choice and both ends of every range.

        Args:
            where: the study file, for the error.

        Raises:
            AscError: naming the setting that no Recipe can be made of.
        """
        self.recipes(where)
        for values in _variants(self.study.distillation):
            Distillation.parse(values, f"{where}: distillation")
        for values in self.study.enqueue:
            self._check_enqueued(values, f"{where}: enqueue")

    def _check_enqueued(self, values: Mapping[str, Scalar], where: str) -> None:
        """Optuna would drop unknown names and use values out of range; both are mistakes."""
        asked = _Fixed(values, where)
        self.plan(asked)
        for name in values:
            if name not in asked.used:
                raise AscError(where, f"'{name}' is no parameter of that trial", nearest(name, asked.used))

    def _member(self, trial: Suggests, number: int) -> Recipe:
        kind = str(_suggest(trial, f"teacher_{number}", tuple(self.kinds)))
        return _recipe(_suggest_all(trial, f"teacher_{number}.{kind}", self.kinds[kind]), f"teacher {kind}")


class _Fixed:
    """Answers with given values, checking that they lie in the space; first choices where none is given."""

    def __init__(self, values: Mapping[str, Scalar], where: str) -> None:
        self.values, self.where, self.used = values, where, set[str]()

    def suggest_categorical(self, name: str, choices: Any, /) -> Any:
        self.used.add(name)
        value = self.values.get(name, choices[0])
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise AscError(self.where, f"{name} is {value!r}", "valid: " + ", ".join(map(str, choices)))
        return value

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        return int(self._within(name, low, high, whole=True))

    def suggest_float(
        self, name: str, low: float, high: float, /, *, step: float | None = None, log: bool = False
    ) -> float:
        return float(self._within(name, low, high))

    def _within(self, name: str, low: float, high: float, whole: bool = False) -> float:
        self.used.add(name)
        value = self.values.get(name, low)
        if isinstance(value, str | bool) or not low <= value <= high or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            raise AscError(self.where, f"{name} is {value!r}", f"give {kind} from {low} to {high}")
        return value


def _suggest(trial: Suggests, name: str, setting: Searchable) -> Scalar:
    """A fixed value as it is, else what the trial suggests."""
    if isinstance(setting, Range):
        if setting.is_whole:
            step = 1 if setting.step is None else int(setting.step)
            return trial.suggest_int(name, int(setting.low), int(setting.high), step=step, log=setting.log)
        return trial.suggest_float(name, setting.low, setting.high, step=setting.step, log=setting.log)
    if isinstance(setting, tuple):
        return setting[0] if len(setting) == 1 else trial.suggest_categorical(name, list(setting))
    return setting


def _suggest_all(trial: Suggests, prefix: str, settings: Searchables) -> dict[str, Scalar]:
    return {key: _suggest(trial, f"{prefix}.{key}", setting) for key, setting in settings.items()}


def _variants(settings: Searchables) -> list[dict[str, Scalar]]:
    """The first candidates of all settings, each other candidate of one in turn, and all combinations of sizes."""
    base = {key: candidates(setting)[0] for key, setting in settings.items()}
    others = [base | {key: value} for key, setting in settings.items() for value in candidates(setting)[1:]]
    sizes = {key: _all_values(setting) for key, setting in settings.items() if key in _SIZES}
    combinations = itertools.islice(itertools.product(*sizes.values()), _MOST_COMBINATIONS)
    return [base, *others, *(base | dict(zip(sizes, values, strict=True)) for values in combinations)]


def _all_values(setting: Searchable) -> tuple[Scalar, ...]:
    """Every value of a whole range; of others what :func:`candidates` gives."""
    if isinstance(setting, Range) and setting.is_whole:
        return tuple(range(int(setting.low), int(setting.high) + 1, int(setting.step or 1)))
    return candidates(setting)


def _recipe(values: Mapping[str, Any], where: str) -> Recipe:
    rest = {key: value for key, value in values.items() if key not in ("arch", "augment")}
    if "origin" in rest:
        raise AscError(where, "a recipe has no 'origin'", "remove it")
    return make_recipe(str(values.get("arch")), str(values.get("augment", "none")), origin=where, **rest)


def _student(values: Mapping[str, Any], where: str) -> Recipe:
    return _recipe({"arch": "cp_mobile", "augment": "dirfms"} | dict(values), where)


def _sort_key(recipe: Recipe) -> str:
    return recipe.model_dump_json()
