"""What a study compares: two values of an attribute of its trials, or two trials; with how many students a side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.statistics.planning import Expected, Scatter, Side, expected
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.monitor.cost_estimate import Cell
from asc_experiments.study.search.search_space import TrialPlan

BEST = "the best trial"
"""What a study that searches compares; a grid compares values of its attributes."""
TEACHERS = "teachers"
"""The attribute that is the kind of a trial's teachers, in whatever settings they differ, as reports compare it."""
_SEED = "seed"
"""Teachers that differ by it alone are of one kind."""


@dataclass(frozen=True)
class Comparison:
    """One difference that a study is asked for.

    Attributes:
        attribute: whose values are compared, such as ``augment``; :data:`BEST` where trials are.
        values: how many trials have each value; none where trials are compared.
        pairs: the two sides of each difference, those that differ in their numbers once: without students, as parts of
            the students of a trial.
        comparisons: among how many differences the most striking one may be picked.
        teachers_freedom: teachers less kinds, over all values that have several teachers.
    """

    attribute: str
    values: Mapping[str, int]
    pairs: tuple[tuple[_Group, _Group], ...]
    comparisons: int
    teachers_freedom: int

    @property
    def is_of_teachers(self) -> bool:
        """Whether each value has several teachers, so that it is asked for others of its kind."""
        return self.teachers_freedom > 0

    def expected(self, scatter: Scatter, seeds: int) -> Expected:
        """How wide the widest of the intervals will be.

        Args:
            scatter: what blurs a difference.
            seeds: students of each trial.
        """
        sides = {(ours.side(seeds), theirs.side(seeds)) for ours, theirs in self.pairs}
        found = [expected(scatter, pair, self.comparisons, self.teachers_freedom or None) for pair in sorted(sides)]
        return max(found, key=lambda each: each.detects)


@dataclass(frozen=True)
class _Group:
    """The trials of one side, and their teachers where it is asked for others of their kind; 0 otherwise."""

    trials: int
    teachers: int

    def side(self, seeds: int) -> Side:
        return Side(self.trials * seeds, self.teachers)


def comparison_of(
    file: StudyFile, cells: Sequence[Cell], attribute: str | None, seeds: int, scatter: Scatter
) -> Comparison:
    """What a study compares, or was asked to.

    A grid compares the values of one attribute: by default the kinds of teachers, as reports do; where there is one
    kind, that with the widest interval, so that all others are told apart better. Where each value has two teachers or
    more, it is asked for others like them. A study that searches, or repeats its best trials, compares two trials.

    Args:
        file: the study.
        cells: its trials.
        attribute: the one that is asked for.
        seeds: students of each trial.
        scatter: what blurs a difference.

    Raises:
        AscError: if there is no such attribute, or nothing to compare.
    """
    if len(cells) < 2:
        raise AscError(
            f"study '{file.name}'",
            "has one trial, and nothing to compare it with",
            "raise trials, or give a setting a second value",
        )
    found = _of_attributes(cells) if file.sampler == "grid" else {}
    if attribute is not None:
        if attribute not in found:
            remedy = nearest(attribute, found) if found else "omit --compare: trials are compared, as this is no grid"
            raise AscError(f"--compare {attribute}", "is no attribute that the trials have several values of", remedy)
        return found[attribute]
    if not found or file.replicate is not None:
        return _of_trials(file, len(cells))
    widest = max(found.values(), key=lambda each: each.expected(scatter, max(2, seeds)).detects)
    return found.get(TEACHERS, widest)


def _of_trials(file: StudyFile, trials: int) -> Comparison:
    """The best trial beside another one: picked from all, or from those that are repeated with fresh seeds."""
    chose_on_test = file.objective.split == "test"
    among = trials if file.replicate is None or chose_on_test else min(trials, file.replicate.best + 1)
    one = _Group(1, 0)
    return Comparison(BEST, {}, ((one, one),), max(1, among - 1), 0)


def _of_attributes(cells: Sequence[Cell]) -> dict[str, Comparison]:
    """Every attribute that has several values over the trials."""
    found: dict[str, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        values: dict[str, set[str]] = defaultdict(set, {TEACHERS: {_kinds(cell[1])}})
        for name, value in cell[0].items():
            values[attribute_of(name)].add(str(value))
        for name, several in values.items():
            found[name][" + ".join(sorted(several))].append(cell)
    return {
        name: _between(name, by_value, len(cells))
        for name, by_value in found.items()
        if name != _SEED and len(by_value) > 1
    }


def attribute_of(parameter: str) -> str:
    """What an attribute is called that several kinds of teachers have: ``teachers.cpr.augment`` is ``augment``.

    Examples:
        >>> attribute_of("teachers.cpr.augment"), attribute_of("student.augment"), attribute_of("team")
        ('augment', 'student.augment', 'team')
    """
    head, _, rest = parameter.partition(".")
    is_of_teacher = head == "teachers" or head.startswith("teacher_")
    return rest.rpartition(".")[2] if is_of_teacher and rest else parameter


def _between(name: str, by_value: Mapping[str, Sequence[Cell]], trials: int) -> Comparison:
    """The differences between every two values of an attribute."""
    ensembles = {value: {(plan.teachers, plan.train_split) for _, plan in cells} for value, cells in by_value.items()}
    taught = {value: len([each for each, _ in several if each]) for value, several in ensembles.items()}
    are_other = len({frozenset(each) for each in ensembles.values()}) > 1  # else their luck is on both sides
    asks_kinds = are_other and any(taught.values()) and 1 not in taught.values()
    groups = {value: _Group(len(cells), taught[value] if asks_kinds else 0) for value, cells in by_value.items()}
    pairs = {
        tuple(sorted(pair, key=lambda group: (group.trials, group.teachers)))
        for pair in combinations(groups.values(), 2)
    }
    alone = all(group.trials == 1 for group in groups.values())
    comparisons = trials - 1 if alone else len(groups) * (len(groups) - 1) // 2
    freedom = sum(group.teachers - 1 for group in groups.values() if group.teachers)
    counts = {value: len(cells) for value, cells in by_value.items()}
    return Comparison(name, counts, tuple((ours, theirs) for ours, theirs in pairs), max(1, comparisons), freedom)


def _kinds(plan: TrialPlan) -> str:
    """The kinds of a trial's teachers, such as ``2 × cp_resnet-32-dirfms + passt-768x12-fms``."""
    kinds = Counter(each if isinstance(each, str) else each.name_but_seed for each in plan.teachers)
    return " + ".join(kind if n == 1 else f"{n} × {kind}" for kind, n in kinds.items()) or plan.teacher_names
