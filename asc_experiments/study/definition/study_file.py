"""Study files: strict YAML that says what is searched for, over which teachers, and how the choice is made."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from asc_experiments.base.errors import AscError, check_all, nearest
from asc_experiments.base.hashing import digest_json
from asc_experiments.base.settings import ONE_OR_MORE, Settings, place_of
from asc_experiments.base.yaml import read_yaml
from asc_experiments.corpus import ValidationSplit
from asc_experiments.corpus.train_split import WHOLE_FOLD, train_split_name
from asc_experiments.distill.keys import differing
from asc_experiments.distill.specialise import Specialisation
from asc_experiments.metrics import MACRO_ACCURACY, VALIDATION, is_better_higher
from asc_experiments.study.definition.bundled_studies import find_study
from asc_experiments.study.definition.ensemble_space import EnsembleSpace
from asc_experiments.study.definition.parameter_range import Scalar, Searchable, Searchables, candidates

RESERVED_NAMES = ("teachers", "students", "Default")
_NAME, _SHOWN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}"), 40
COMPLEXITIES = ("complexity/macs", "complexity/macs_torchinfo", "complexity/parameters")
"""What a student's size is measured by, and what can be limited."""


class Objective(Settings):
    """What makes a trial better: a Scorecard metric on a split, or the student's complexity.

    Attributes:
        metric: the metric's name, such as ``accuracy/macro``, ``accuracy/group/unseen`` or ``device_generalization``.
        split: the clips that it is measured on; ``test`` reproduces a published table, and the report says so.
    """

    metric: str = MACRO_ACCURACY
    split: Literal["validation", "test"] = "validation"

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Accuracies are maximised; losses, DG and complexity minimised."""
        return "maximize" if is_better_higher(self.metric) else "minimize"

    @property
    def is_complexity(self) -> bool:
        """Whether it is a property of the network rather than of its answers."""
        return self.metric in COMPLEXITIES

    @property
    def logged_name(self) -> str:
        """The metric's name in the tracking server."""
        on_validation = self.split == "validation" and not self.is_complexity
        return f"{VALIDATION}/{self.metric}" if on_validation else self.metric


_BY_METRIC = BeforeValidator(lambda value: {"metric": value} if isinstance(value, str) else value)


_KNOWN_DEVICES = BeforeValidator(lambda value: {"devices": value} if isinstance(value, str | list) else value)


class Replication(Settings):
    """How the best trials are tried again with fresh seeds before one of them is called the winner.

    Attributes:
        best: how many of the best trials, besides the baseline.
        seeds: students of each.
    """

    best: int = Field(3, ge=1, le=100)
    seeds: int = Field(3, ge=1, le=100)


class Published(Settings):
    """A published figure, to be read beside ours.

    Attributes:
        name: what was measured.
        params: the trial that stands for it, by parameter; empty where there is none.
        metrics: Scorecard metrics, accuracies as parts of one.
    """

    name: str
    params: dict[str, Scalar] = Field(default_factory=dict)
    metrics: dict[str, float]


class CorpusSpace(Settings):
    """Which clips of the training fold are trained on.

    Attributes:
        train_split: a list of them, or several to choose from: a file, from here or from the corpus's
            ``evaluation_setup``; ``none`` is the whole fold. A trial's teachers and students are trained on one list.
    """

    train_split: Searchable

    @field_validator("train_split")
    @classmethod
    def _are_lists(cls, value: Searchable) -> Searchable:
        if not all(isinstance(each, str) for each in candidates(value)):
            raise ValueError("a list of training clips is the name of a file")
        names = [each if each == WHOLE_FOLD else train_split_name(str(each)) for each in candidates(value)]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(f"two lists are called '{twice[0]}'")
        return value

    @property
    def files(self) -> tuple[str, ...]:
        """The lists, as the file has them."""
        return tuple(str(each) for each in candidates(self.train_split) if each != WHOLE_FOLD)

    @property
    def names(self) -> tuple[str, ...]:
        """What trials choose from."""
        return tuple(Path(str(each)).stem for each in candidates(self.train_split))


_FROZEN: dict[str, Any] = {
    "objective": {"metric": MACRO_ACCURACY, "split": "validation"},
    "seeds": 1,
    "sampler": "tpe",
    "population": 12,
    "validation": {"fraction": 0.2, "hold_out_devices": [], "seed": 0},
    "ensemble": {"size": None, "rule": "mean_logits"},
}
"""What a study file's settings are compared with for its digest, whatever the defaults in force are; never edited.
Settings that are not named here count where they are not off. See :mod:`asc_experiments.distill.keys`."""
_BY_SETTING = ("ensemble", "student", "distillation", "objective", "against")
"""Groups of which a wrong setting alone is left out to find further mistakes; of others the whole group is."""
_NOT_PART_OF_THE_DEFINITION = {"trials", "description", "citation", "published", "replicate", "scales"}


class StudyFile(Settings):
    """A study as its file describes it.

    Attributes:
        name: of the study, and of its experiment in MLflow.
        description: one sentence for people.
        citation: where the question comes from.
        published: published figures that are shown beside those of this study.
        objective: what makes a trial better.
        against: a second objective that the first is traded against.
        constraints: limits of the student's ``complexity/macs`` (as ptflops counts), ``complexity/macs_torchinfo``
            (DCASE's rule since 2024) and ``complexity/parameters``.
        trials: in total; without it, a grid asks for all of its cells.
        seeds: students per trial, whose Scorecards are averaged.
        sampler: what chooses the next trial.
        sampler_seed: seed of the sampler.
        population: trials per generation of ``nsga2``.
        pruner: what ends a trial early; needs one objective on the validation split.
        validation: which clips of the training fold are held out.
        corpus: which of the others are trained on, where that is not all of them.
        ensemble: which teachers a trial may take, how many, and how their logits combine.
        student: settings of the CP-Mobile student.
        distillation: ``temperature`` and ``label_weight``; another ``loss``, and its settings.
        specialise: how each student is fine-tuned for the devices that it was trained on, which test clips then tell;
            without it one network serves all devices.
        enqueue: trials to run first, by parameter; the first of them is the baseline.
        replicate: how the best trials and the baseline are repeated with fresh seeds.
        scales: named sets of changes by dotted key, for ``--scale``.
    """

    name: str
    description: str = ""
    citation: str = ""
    published: Annotated[tuple[Published, ...], Field(strict=False), ONE_OR_MORE] = ()
    objective: Annotated[Objective, _BY_METRIC] = Objective()
    against: Annotated[Objective | None, _BY_METRIC] = None
    constraints: dict[str, float] = Field(default_factory=dict)
    trials: int | None = Field(None, ge=1, le=100_000)
    seeds: int = Field(1, ge=1, le=100)
    sampler: Literal["tpe", "gp", "random", "grid", "nsga2"] = "tpe"
    sampler_seed: int = Field(0, ge=0)
    population: int = Field(12, ge=2, le=1_000)
    pruner: Literal["none", "median", "hyperband"] = "none"
    validation: ValidationSplit = ValidationSplit(fraction=0.2)
    corpus: CorpusSpace | None = None
    ensemble: EnsembleSpace
    student: Searchables = Field(default_factory=dict)
    distillation: Searchables = Field(default_factory=dict)
    specialise: Annotated[Specialisation | None, _KNOWN_DEVICES] = None
    enqueue: Annotated[tuple[dict[str, Scalar], ...], Field(strict=False), ONE_OR_MORE] = ()
    replicate: Replication | None = None
    scales: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The objective, and the one it is traded against."""
        return (self.objective,) if self.against is None else (self.objective, self.against)

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
            rule = "take at most 80 letters, digits, _, . and -, the first a letter or digit"
            raise ValueError(f"'{shown}' is no name for a study; {rule}")
        if name in RESERVED_NAMES:
            raise ValueError(f"the name '{name}' is taken by an experiment of its own; choose another")
        return name

    @field_validator("constraints")
    @classmethod
    def _limits_something(cls, constraints: dict[str, float]) -> dict[str, float]:
        for metric, limit in constraints.items():
            if metric not in COMPLEXITIES:
                raise ValueError(f"'{metric}' cannot be limited; {nearest(metric, COMPLEXITIES)}")
            if limit <= 0:
                raise ValueError(f"the limit of {metric} must be above 0, not {limit}")
        return constraints

    @model_validator(mode="after")
    def _objectives_can_be_measured(self) -> StudyFile:
        on_validation = any(o.split == "validation" and not o.is_complexity for o in self.objectives)
        if on_validation and self.validation.fraction == 0:
            raise ValueError("the objective is measured on a validation split; set validation.fraction above 0")
        if self.objective.is_complexity:
            raise ValueError("objective.metric is a complexity; make it the one to trade against: `against:`")
        if self.pruner != "none" and self.objective.split == "test":
            raise ValueError("pruning needs a validation split; set pruner to none or objective.split to validation")
        if "accuracy_weighted" in candidates(self.ensemble.rule) and self.validation.fraction == 0:
            raise ValueError("rule accuracy_weighted needs a validation split; set validation.fraction above 0")
        return self

    @model_validator(mode="after")
    def _search_fits(self) -> StudyFile:
        if self.against is not None and self.pruner != "none":
            raise ValueError("a study of two objectives cannot prune; set pruner to none")
        if self.against is not None and self.sampler == "gp":
            raise ValueError("sampler gp takes one objective here; use nsga2 or tpe")
        if self.against is not None and self.against.logged_name == self.objective.logged_name:
            raise ValueError("the two objectives are the same; trade against another metric")
        if self.sampler == "grid" and self.enqueue:
            raise ValueError("a grid runs every cell by itself; remove enqueue")
        return self

    @property
    def asked(self) -> int:
        """The number of trials in total; a grid of its own size asks for all of its cells instead."""
        return 10 if self.trials is None else self.trials

    def with_changes(self, changes: Mapping[str, Any]) -> StudyFile:
        """The same study with other settings, by dotted name, as ``--set`` changes them.

        Raises:
            AscError: if one of them is no setting, or not valid.
        """
        values = self.model_dump(mode="json")
        for key, value in changes.items():
            _set(values, key, value, self.name)
        return StudyFile.parse(values, self.name)

    def definition(self) -> dict[str, Any]:
        """The settings that must not change while a study continues, where they are not as by default."""
        settings = self.model_dump(mode="json", exclude=_NOT_PART_OF_THE_DEFINITION)
        if self.corpus is not None:
            settings["corpus"] = {"train_split": list(self.corpus.names)}  # wherever the files lie
        return differing(settings, _FROZEN)

    def definition_digest(self) -> str:
        """The digest of everything that must not change while a study continues; the number of trials may."""
        return digest_json(self.definition())


def read_study(path: Path, overrides: dict[str, Any] | None = None, scale: str | None = None) -> StudyFile:
    """Read a study file strictly.

    Args:
        path: the YAML file, or the name of a study that comes with the program, such as ``quickstart``.
        overrides: settings to replace, by dotted name such as ``student.epochs``.
        scale: one of the file's ``scales``, applied before the overrides; the study's name gets it as an ending.

    Raises:
        AscError: naming the file, each wrong key, the reason and the nearest valid name. Whether the settings make
            valid Recipes is checked by :func:`asc_experiments.study.search.whole_file.read_whole_study`.
    """
    return StudyFile.parse(study_values(path, overrides, scale), str(path))


def study_values(path: Path, overrides: dict[str, Any] | None = None, scale: str | None = None) -> dict[str, Any]:
    """What a study file says, as :func:`read_study` takes it, before it is known to be a study.

    Raises:
        AscError: if it cannot be read, or its scales are not valid.
    """
    values = read_yaml(find_study(path))
    if not isinstance(values, dict):
        raise AscError(path, "is not a study", "begin with `name:`; see studies/quickstart.yaml")
    scaled: dict[str, Any] = {}
    if values.get("scales"):
        names = StudyFile.parse(values, str(path)).scales
        check_all(partial(_scale_into, scaled, values, name, path) for name in names)
    if scale is not None:
        if scale not in scaled:
            raise AscError(f"--scale {scale}", f"is not a scale of {path}", nearest(scale, scaled) if scaled else "")
        values = scaled[scale]
    for key, value in (overrides or {}).items():
        _set(values, key, value, "--set")
    return values


def _scale_into(scaled: dict[str, Any], values: dict[str, Any], name: str, path: Path) -> None:
    scaled[name] = _at_scale(values, name, path)


def without_mistakes(values: dict[str, Any]) -> dict[str, Any]:
    """The values without those that are wrong in themselves, so that what is wrong with the others can be told too."""
    kept = copy.deepcopy(values)
    try:
        StudyFile.model_validate(values)
    except ValidationError as error:
        for entry in error.errors():
            _remove(kept, place_of(entry))
    kept.setdefault("name", "unnamed")
    if not isinstance(kept.get("ensemble"), dict) and isinstance(values.get("ensemble"), dict):
        kept["ensemble"] = _with_valid_names(values["ensemble"])
        if not _is_ensemble(kept["ensemble"]):  # what a trial may be called there cannot be told
            pool = kept["ensemble"].get("pool")
            entries = enumerate(pool if isinstance(pool, list) else [], 1)
            numbered = [each | {"name": f"entry_{n}"} if isinstance(each, dict) else each for n, each in entries]
            kept["ensemble"] = {"pool": numbered, "common": values["ensemble"].get("common") or {}}
            kept.pop("enqueue", None)
            kept.pop("published", None)
    return kept


def _with_valid_names(ensemble: dict[str, Any]) -> dict[str, Any]:
    """An ensemble whose kinds of teachers have names that they may have."""
    pool = ensemble.get("pool")
    if not isinstance(pool, list):
        return ensemble
    named = [
        entry | {"name": re.sub(r"[^A-Za-z0-9_-]", "_", str(entry["name"]))[:40] or "unnamed"}
        if isinstance(entry, dict) and "name" in entry
        else entry
        for entry in pool
    ]
    return ensemble | {"pool": named}


def _is_ensemble(values: dict[str, Any]) -> bool:
    try:
        EnsembleSpace.model_validate(values)
    except ValidationError:
        return False
    return True


def _remove(values: dict[str, Any], place: list[str]) -> None:
    """Remove a setting of teachers or students, or the whole group of others: its default is a whole one, too."""
    for key in place[:-1] if place[:1] in [[group] for group in _BY_SETTING] else []:
        inner = values.get(key)
        if not isinstance(inner, dict):
            values.pop(key, None)
            return
        values = inner
        place = place[1:]
    values.pop(place[0] if place else "", None)


def _at_scale(values: dict[str, Any], scale: str, path: Path) -> dict[str, Any]:
    """The file's values with what a scale changes; checked, so that a mistake does not wait for somebody to use it."""
    scaled = copy.deepcopy(values)
    scaled["name"] = f"{values['name']}-{scale}"
    where = f"{path}: scales.{scale}"
    for key, value in values["scales"][scale].items():
        _set(scaled, key, value, where)
    StudyFile.parse(scaled, where)
    return scaled


def _set(values: dict[str, Any], key: str, value: Any, where: str) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = values.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise AscError(
                f"{where} {key}", f"'{parent}' is not a group of settings", "name a setting of the study file"
            )
        values = inner
    values[last] = value
