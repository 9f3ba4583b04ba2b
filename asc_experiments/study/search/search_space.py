"""The search space of a study: from an Optuna trial to an Ensemble of Recipes, a student's Recipe, a loss."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from asc_experiments.base.errors import AscError, check_all, errors_of, nearest, together
from asc_experiments.corpus.train_split import WHOLE_FOLD
from asc_experiments.distill.specialise import Specialisation
from asc_experiments.models import ARCHITECTURES
from asc_experiments.study.definition.ensemble_space import Kind
from asc_experiments.study.definition.parameter_range import Range, Scalar, Searchable, Searchables, candidates
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.search.grid_subset import balanced_order
from asc_experiments.study.search.suggestions import Given, Suggests, every_cell, suggest, suggest_all
from asc_experiments.training import KL, DistillationLoss, Recipe, make_recipe
from asc_experiments.training.embedding import head_of
from asc_experiments.training.loop import check_learns_from_logits
from asc_experiments.training.losses import LOSS, LOSSES, PUBLISHED, parse_loss

SIZE, TEAM, RULE, TRAIN_SPLIT = "ensemble_size", "team", "ensemble_rule", "corpus.train_split"
_SIZES = {"size"}.union(*(each.settings.model_fields for each in ARCHITECTURES.values())) - {"arch"}
"""Settings that must fit each other; others are valid by themselves."""
_MOST_COMBINATIONS, _WIDEST, _MOST_STEPS = 20_000, 100_000, 1_000_000

FIRST_STUDENT_SEED = 1_000
"""The lowest seed of a student. Teachers begin at 0: a student must not begin as the same network, with the same
augmentation, as one of them."""
Wanted = Recipe | str
"""A teacher that a trial wants: by the Recipe it is trained by, or by the key it has in the bank."""


Queued = tuple[int, dict[str, Scalar]]
"""One of a study's own trials: its number among them, and the parameters that it is given."""


@dataclass(frozen=True)
class TrialPlan:
    """What one trial is: the teachers in a fixed order, how their logits combine, the student, the loss.

    No teachers at all make a student on labels alone.
    """

    teachers: tuple[Wanted, ...]
    rule: str
    student: Recipe
    distillation: DistillationLoss
    train_split: str = ""
    """The name of the list of clips that teachers and student are trained on; empty where that is the whole fold."""
    first_seed: int | None = None
    """The lowest seed of its students, where the study file says one; otherwise each cell has seeds of its own."""
    specialise: Specialisation | None = None
    """How each student is fine-tuned for devices; None where one network serves all."""

    @property
    def teacher_names(self) -> str:
        """The teachers' names, or keys where only those are known."""
        return " + ".join(_name(wanted) for wanted in self.teachers) or "labels alone"


class SearchSpace:
    """A study's search space.

    Parameters are called ``ensemble_size``, ``teacher_1`` (the kind), ``teacher_1.cp_resnet.base_channels`` where each
    member is drawn by itself; ``count.cp_resnet`` or ``team``, and ``teachers.cp_resnet.base_channels``, where kinds
    are counted; then ``ensemble_rule``, ``student.base_channels``, ``distillation.temperature``. Those of a kind exist
    only where that kind was chosen, and those of a loss where that loss was.

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
        train_split = self._train_split(trial)
        teachers = _apart(self._members(trial))
        rule = "mean_logits"
        if len(teachers) > 1:
            rule = str(suggest(trial, RULE, self.study.ensemble.rule))
        student = _student(suggest_all(trial, "student", self.study.student), "student")
        if teachers:
            check_learns_from_logits(student)
        distillation = self._distillation(trial) if teachers else KL()
        first_seed = student.seed if "seed" in self.study.student else None
        return TrialPlan(teachers, rule, student, distillation, train_split, first_seed, self.study.specialise)

    def _distillation(self, trial: Suggests) -> DistillationLoss:
        given = self.study.distillation
        name = str(suggest(trial, f"distillation.{LOSS}", given.get(LOSS, PUBLISHED)))
        return parse_loss(suggest_all(trial, "distillation", self._settings_of(name)) | {LOSS: name}, "distillation")

    @cached_property
    def losses(self) -> tuple[str, ...]:
        """The names of the losses that students may learn by."""
        return tuple(str(name) for name in candidates(self.study.distillation.get(LOSS, PUBLISHED)))

    @property
    def needs_embeddings(self) -> str:
        """The name of a loss that needs embeddings of teachers and student; empty where none does."""
        return next((name for name in self.losses if name in LOSSES and LOSSES[name].needs_embeddings), "")

    def _settings_of(self, loss: str) -> Searchables:
        """The settings of one of the losses, and those that none of them has: what is wrong is told where it is read.

        Args:
            loss: its name.
        """
        having = {
            name: {each for each in self.losses if each in LOSSES and name in LOSSES[each].model_fields}
            for name in self.study.distillation
        }
        return {
            name: value
            for name, value in self.study.distillation.items()
            if name != LOSS and (loss in having[name] or not having[name])
        }

    @cached_property
    def cells(self) -> list[tuple[dict[str, Scalar], TrialPlan]]:
        """Every trial of a grid: its parameters and its plan, each plan once."""
        where = f"study '{self.study.name}'"
        distinct: dict[TrialPlan, dict[str, Scalar]] = {}
        for params, plan in every_cell(self.plan, where):
            distinct.setdefault(plan, params)
        return [(params, plan) for plan, params in distinct.items()]

    def queue(self) -> tuple[list[Queued], int]:
        """The study's own trials as they are run, a grid's cells or those that the file lists; how many to run.

        A grid's cells are in :func:`balanced_order`; each keeps its number among all of them.
        """
        if self.study.sampler != "grid":
            return [(number, dict(params)) for number, params in enumerate(self.study.enqueue)], self.study.asked
        cells = [params for params, _ in self.cells]
        asked = min(self.study.trials or len(cells), len(cells))
        first = balanced_order(cells, asked)
        order = first + sorted(set(range(len(cells))) - set(first))
        return [(number, cells[number]) for number in order], asked

    @property
    def too_many(self) -> str:
        """That more trials are asked for than a grid has cells; empty where that is not so."""
        wanted = self.study.trials or 0
        if self.study.sampler != "grid" or wanted <= len(self.cells):
            return ""
        return (
            f"{wanted:,} trials were asked for, and the grid has {len(self.cells):,} cells, each of which is run once "
            "(seeds and replicate train more students)"
        )

    @cached_property
    def recipes(self) -> list[Recipe]:
        """A Recipe for every choice and both ends of every range: of the teachers, then of the student.

        Raises:
            AscError: naming the setting that no Recipe can be made of.
        """
        made = [recipe for name in self.kinds for recipe in self._recipes_of(name, "study")]
        return made + self._students("study")

    def _recipes_of(self, name: str, where: str) -> list[Recipe]:
        """Those of one kind of teachers; none of a kind that is in the bank."""
        kind = self.kinds[name]
        place = f"{where}: ensemble.pool, {name}"
        return [] if kind.keys else [_recipe(values, place) for values in _variants(kind.settings)]

    def _students(self, where: str) -> list[Recipe]:
        return [_student(values, f"{where}: student") for values in _variants(self.study.student)]

    def check(self, where: str) -> None:
        """Try every choice and both ends of every range.

        Args:
            where: the study file, for the error.

        Raises:
            AscError: naming every setting that no Recipe can be made of, and every trial and figure that is no part of
                the space.
        """
        study = self.study
        groups = (*(kind.settings for kind in self.kinds.values()), study.student, study.distillation)
        check_all([partial(_check_steps, settings, where) for settings in groups])
        wrong = errors_of(
            [partial(self._recipes_of, name, where) for name in self.kinds]
            + [partial(self._check_students, where), partial(self._check_distillations, where)]
            + [partial(self._check_embeddings, where)]
        )
        told = {each.what for each in wrong}
        given = [(values, "enqueue") for values in study.enqueue]
        given += [(figure.params, f"published '{figure.name}'") for figure in study.published]
        trials = errors_of(partial(self.plan_of, values, f"{where}: {place}") for values, place in given)
        if wrong:  # then no trial can be planned, and its names are not reached
            trials += errors_of(partial(_check_heads, values, f"{where}: {place}") for values, place in given)
        wrong += [each for each in trials if each.what not in told]  # a trial of a wrong setting says it once more
        if wrong:
            raise together(wrong)
        if study.sampler == "grid":
            _ = self.cells

    def _check_students(self, where: str) -> None:
        for student in self._students(where):
            check_learns_from_logits(student)
            if self.study.specialise is not None:
                self.study.specialise.recipe_for(student)

    def _check_distillations(self, where: str) -> None:
        place = f"{where}: distillation"
        for name in self.losses:
            LOSSES.find(name, place)
        for name in self.losses:
            for values in _variants(self._settings_of(name)):
                parse_loss(values | {LOSS: name}, place)

    def _check_embeddings(self, where: str) -> None:
        """Refuse networks without embeddings where a loss needs those.

        Raises:
            AscError: naming the architecture.
        """
        if self.needs_embeddings:
            for arch in sorted({recipe.arch for recipe in self.recipes}):
                head_of(arch, f"{where}: distillation.loss {self.needs_embeddings}")

    def plan_of(self, values: Mapping[str, Scalar], where: str) -> TrialPlan:
        """The plan of given parameters. (Optuna would drop unknown names and use values out of range.)

        Raises:
            AscError: if one is unknown or lies outside of the space.
        """
        asked = Given(values, where)
        plan = self.plan(asked)
        for name in values:
            if name not in asked.used:
                hint = nearest(name, asked.used) if asked.used else "remove it"
                raise AscError(where, f"'{name}' is no parameter of that trial", hint)
        return plan

    def _train_split(self, trial: Suggests) -> str:
        if self.study.corpus is None:
            return ""
        name = str(suggest(trial, TRAIN_SPLIT, self.study.corpus.names))
        return "" if name == WHOLE_FOLD else name

    def _members(self, trial: Suggests) -> list[Wanted]:
        ensemble = self.study.ensemble
        if ensemble.teams is not None:
            team = str(suggest(trial, TEAM, tuple(ensemble.teams)))
            return self._counted(trial, ensemble.teams[team])
        if ensemble.counts is not None:
            counts = {kind: int(suggest(trial, f"count.{kind}", n)) for kind, n in ensemble.counts.items()}
            return self._counted(trial, counts)
        size = int(suggest(trial, SIZE, 1 if ensemble.size is None else ensemble.size))
        return [self._drawn(trial, number) for number in range(1, size + 1)]

    def _counted(self, trial: Suggests, counts: Mapping[str, int]) -> list[Wanted]:
        members: list[Wanted] = []
        for name, count in counts.items():
            kind = self.kinds[name]
            if kind.keys:
                members += kind.keys[:count]
            elif count:
                members += [self._made(trial, f"teachers.{name}", name, kind)] * count
        return members

    def _drawn(self, trial: Suggests, number: int) -> Wanted:
        name = str(suggest(trial, f"teacher_{number}", tuple(self.kinds)))
        kind = self.kinds[name]
        if kind.keys:
            return str(suggest(trial, f"teacher_{number}.{name}.key", kind.keys))
        return self._made(trial, f"teacher_{number}.{name}", name, kind)

    def _made(self, trial: Suggests, prefix: str, name: str, kind: Kind) -> Recipe:
        return _recipe(suggest_all(trial, prefix, kind.settings), f"teacher {name}")


def _apart(members: list[Wanted]) -> tuple[Wanted, ...]:
    """The members in a fixed order: of equal Recipes each gets the next seed, of equal keys one is enough."""
    teachers: list[Wanted] = []
    for member in sorted(members, key=_sort_key):
        if isinstance(member, str):
            teachers += [] if member in teachers else [member]
            continue
        while member in teachers:
            member = member.model_copy(update={"seed": member.seed + 1})
        teachers.append(member)
    return tuple(teachers)


def _variants(settings: Searchables) -> list[dict[str, Scalar]]:
    """The first candidates of all settings, each other candidate of one in turn, and all combinations of sizes."""
    base = {key: candidates(setting)[0] for key, setting in settings.items()}
    others = [base | {key: value} for key, setting in settings.items() for value in candidates(setting)[1:]]
    sizes = {key: _all_values(setting) for key, setting in settings.items() if key in _SIZES}
    combinations = itertools.islice(itertools.product(*sizes.values()), _MOST_COMBINATIONS)
    return [base, *others, *(base | dict(zip(sizes, values, strict=True)) for values in combinations)]


def _check_heads(values: Mapping[str, Scalar], where: str) -> None:
    """Refuse parameters that no study has, by what their names begin with."""
    heads = [each.partition(".")[0] for each in (SIZE, TEAM, RULE, TRAIN_SPLIT)]
    heads += ["count", "teachers", "student", "distillation"]
    for name in values:
        head = name.partition(".")[0]
        if head not in heads and not re.fullmatch(r"teacher_\d+", head):
            raise AscError(where, f"'{name}' is no parameter of that trial", nearest(head, heads))


def _check_steps(settings: Searchables, where: str) -> None:
    """No range has so many steps that a grid cannot list them, or Optuna cannot count them."""
    ranges = {key: setting for key, setting in settings.items() if isinstance(setting, Range)}
    for key, setting in ranges.items():
        if setting.step is not None and (setting.high - setting.low) / setting.step > _MOST_STEPS:
            what = f"'{key}' has more than {_MOST_STEPS:,} steps"
            raise AscError(where, what, "make its step larger, or omit it")


def _all_values(setting: Searchable) -> Sequence[Scalar]:
    """Every value of a whole range; of others what :func:`candidates` gives."""
    if isinstance(setting, Range) and setting.is_whole and setting.high <= _WIDEST:
        return range(int(setting.low), int(setting.high) + 1, int(setting.step or 1))
    return candidates(setting)


def _recipe(values: Mapping[str, Any], where: str) -> Recipe:
    rest = {key: value for key, value in values.items() if key not in ("arch", "augment")}
    if "origin" in rest:
        raise AscError(where, "a recipe has no 'origin'", "remove it")
    return make_recipe(str(values.get("arch")), str(values.get("augment", "none")), origin=where, **rest)


def _student(values: Mapping[str, Any], where: str) -> Recipe:
    return _recipe({"arch": "cp_mobile", "augment": "dirfms", "seed": FIRST_STUDENT_SEED} | dict(values), where)


def _name(wanted: Wanted) -> str:
    return wanted if isinstance(wanted, str) else wanted.name


def _sort_key(wanted: Wanted) -> str:
    return wanted if isinstance(wanted, str) else wanted.model_dump_json()
