"""Study files: strict YAML that says what is searched for, over which teachers, and how the choice is made.

A setting is fixed (``epochs: 20``), a choice (``augment: [none, dirfms]``) or a range (``{low: 1, high: 4}``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_json
from asc_experiments.base.settings import Settings
from asc_experiments.base.yaml import read_yaml
from asc_experiments.corpus import ValidationSplit
from asc_experiments.training.scorecard import is_better_higher

Scalar = bool | int | float | str
RESERVED_NAMES = ("teachers", "students", "Default")


class Range(Settings):
    """A range of numbers, both ends included; whole numbers if both ends are."""

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"the range from {self.low} to {self.high} is empty; low must be below high")
        if self.step is not None and (self.step <= 0 or self.log):
            raise ValueError("step must be above 0 and cannot go with log")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic range must begin above 0")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))


def _shape(value: object) -> str:
    """Which of the three ways of writing a setting a value is, so that a mistake is explained as that one."""
    if isinstance(value, dict | Range):
        return "(range)"
    return "(choices)" if isinstance(value, list | tuple) else "(value)"


Choices = Annotated[tuple[Scalar, ...], Field(strict=False, min_length=1)]
Searchable = Annotated[
    Annotated[Scalar, Tag("(value)")] | Annotated[Range, Tag("(range)")] | Annotated[Choices, Tag("(choices)")],
    Discriminator(_shape),
]
Searchables = dict[str, Searchable]


class Objective(Settings):
    """What makes a trial better: a Scorecard metric on a split."""

    metric: str = "accuracy/macro"
    split: Literal["validation", "test"] = "validation"

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Accuracies are maximised, losses and DG minimised."""
        return "maximize" if is_better_higher(self.metric) else "minimize"

    @property
    def logged_name(self) -> str:
        """The metric's name in the tracking server."""
        return f"validation/{self.metric}" if self.split == "validation" else self.metric


class EnsembleSpace(Settings):
    """Which teachers a trial may take, and how many.

    Attributes:
        size: number of teachers.
        pool: kinds of teachers; each member of an ensemble is drawn from one of them.
        common: settings of every kind that does not say otherwise.
    """

    size: Searchable = 1
    pool: Annotated[tuple[Searchables, ...], Field(strict=False, min_length=1)]
    common: Searchables = Field(default_factory=dict)

    @field_validator("size")
    @classmethod
    def _positive(cls, size: Searchable) -> Searchable:
        for value in candidates(size):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 32:
                raise ValueError(f"an ensemble has 1 to 32 teachers, not {value}")
        if isinstance(size, Range) and not size.is_whole:
            raise ValueError("the number of teachers is whole; leave step away or make it whole")
        return size

    def kinds(self) -> dict[str, Searchables]:
        """The pool by name: an entry's own ``name``, else its architecture."""
        kinds: dict[str, Searchables] = {}
        for entry in self.pool:
            settings = dict(self.common) | dict(entry)
            name = str(settings.pop("name", settings.get("arch")))
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
                raise ValueError(f"'{name}' is no name for a kind of teachers; use letters, digits, _ and -")
            if name in kinds:
                raise ValueError(f"two kinds of teachers are called '{name}'; give each its own name")
            kinds[name] = settings
        return kinds

    @model_validator(mode="after")
    def _named_apart(self) -> EnsembleSpace:
        for number, entry in enumerate(self.pool, start=1):
            if not isinstance(entry.get("arch"), str):
                raise ValueError(f"entry {number} of the pool has no arch; say cp_mobile, cp_resnet or passt")
        self.kinds()
        return self


class StudyFile(Settings):
    """A study as its file describes it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")
    description: str = ""
    objective: Objective = Objective()
    trials: int = Field(10, ge=1, le=100_000)
    seeds: int = Field(1, ge=1, le=100)
    sampler: Literal["tpe", "random"] = "tpe"
    sampler_seed: int = Field(0, ge=0)
    pruner: Literal["none", "median", "hyperband"] = "none"
    validation: ValidationSplit = ValidationSplit(fraction=0.2)
    ensemble: EnsembleSpace
    student: Searchables = Field(default_factory=dict)
    distillation: Searchables = Field(default_factory=dict)
    enqueue: Annotated[tuple[dict[str, Scalar], ...], Field(strict=False)] = ()

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            raise ValueError(f"the name '{name}' is taken by an experiment of its own; choose another")
        return name

    @model_validator(mode="after")
    def _has_validation(self) -> StudyFile:
        if self.objective.split == "validation" and self.validation.fraction == 0:
            raise ValueError("the objective is measured on a validation split; set validation.fraction above 0")
        if self.objective.split == "test" and self.pruner != "none":
            raise ValueError("pruning needs a validation split; set pruner to none or objective.split to validation")
        return self

    def definition_digest(self) -> str:
        """The digest of everything that must not change while a study goes on; the number of trials may."""
        return digest_json(self.model_dump(mode="json", exclude={"trials", "description"}))


def candidates(value: Searchable) -> tuple[Scalar, ...]:
    """The values that stand for a setting when it is checked: itself, all choices, or both ends of a range."""
    if isinstance(value, Range):
        return (value.low, value.high)
    return value if isinstance(value, tuple) else (value,)


def read_study(path: Path, overrides: dict[str, Any] | None = None) -> StudyFile:
    """Read a study file strictly.

    Args:
        path: the YAML file.
        overrides: settings to replace, by dotted name such as ``student.epochs``.

    Raises:
        AscError: naming the file, the key, the reason and the nearest valid name. Whether the settings make valid
            Recipes is checked by :meth:`asc_experiments.study.space.SearchSpace.check`.
    """
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise AscError(path, "is not a study", "begin with `name:`; see studies/quickstart.yaml")
    for key, value in (overrides or {}).items():
        _set(values, key, value)
    return StudyFile.parse(values, str(path))


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = values.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise AscError(f"--set {key}", f"'{parent}' is not a group of settings", "name a setting of the study file")
        values = inner
    values[last] = value
