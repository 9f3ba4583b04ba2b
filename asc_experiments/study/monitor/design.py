"""Designs for a study: epochs, seeds, teachers and trials that fit into a time, and what each of them would tell apart.

A design is measured by the smallest difference that it tells apart in four of five studies. Fewer epochs leave time for
more seeds, and may change the answer: only where earlier curves say that trials stand at a part of their epochs as at
the last are fewer epochs proposed before fewer trials.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import BaseStorage

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TeacherBank
from asc_experiments.report.words import counted, duration
from asc_experiments.statistics.planning import Expected
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.monitor.comparison import Comparison, comparison_of
from asc_experiments.study.monitor.cost_estimate import Cell, Clock, cells_anew, trainings_anew
from asc_experiments.study.monitor.design_settings import (
    student_epochs,
    teachers_of_each_kind,
    with_part_of_epochs,
    with_teachers_of_each_kind,
)
from asc_experiments.study.monitor.earlier_runs import Cut, Earlier, earlier_runs

if TYPE_CHECKING:  # with it comes PyTorch
    from asc_experiments.distill import TrainingContext

PARTS = (1.0, 2 / 3, 1 / 2, 1 / 3, 1 / 4)
"""Of the epochs that the file says."""
_TEACHERS = (4, 5, 6, 8, 10)
"""Of each kind, where a study compares kinds of several teachers: more of them tell more than more students of each."""
RANKED_ALIKE = 0.9
"""Rank correlation from which on trials count as standing at a part of their epochs as at the last."""
_LEAST, _MOST = 2, 100
"""Students of a trial: of one alone nothing is known of other seeds; more than so many a study file does not take."""
_LONGEST_NAME = 66
"""Characters of a study's name to which an ending can be added."""
_ROUNDED_UP = 1.05
"""What is told to fit has to, when its time is rounded and timed again."""
_ENOUGH = 1.05
"""A design whose difference is larger by no more than this is as good, and one with fewer seeds cheaper."""
_AS_GOOD = 1.1
"""The same of a design with more epochs, which changes the answer less."""


@dataclass(frozen=True)
class Design:
    """One way of asking a study's question.

    Attributes:
        part: of the epochs that the file says.
        epochs: of students.
        seeds: students of each trial; of each that is repeated, where the study has ``replicate``.
        teachers: of each kind, where kinds of several teachers are compared; 0 otherwise.
        trials: in total.
        of_trials: how many there are where none is left out.
        seconds: that it takes here with so many workers, at best.
        expected: the interval of the widest difference, and which difference it tells apart, as it would be at all
            epochs: where trials are known to differ less after fewer, only a larger one.
        cut: what earlier students' curves were at this part of their epochs; None where that is not known.
        settings: what changes in the study, by dotted name.
    """

    part: float
    epochs: int
    seeds: int
    teachers: int
    trials: int
    of_trials: int
    seconds: float
    expected: Expected
    cut: Cut | None
    settings: Mapping[str, Any]

    @property
    def is_whole(self) -> bool:
        """Whether no trial is left out."""
        return self.trials == self.of_trials

    @property
    def keeps_order(self) -> bool:
        """Whether trials are known to stand at these epochs as at all of them."""
        rank = None if self.cut is None else self.cut.rank
        return self.part == 1 or (rank is not None and rank >= RANKED_ALIKE)


@dataclass(frozen=True)
class Proposal:
    """Designs that fit into a time.

    Attributes:
        name: a name for the study, under which it does not resume another one.
        seconds, workers: the time, and trainings at once.
        designs: from most epochs to fewest.
        recommended: the place of one of them.
        comparison: what their intervals are of.
        earlier: what they were reckoned from.
    """

    name: str
    seconds: float
    workers: int
    designs: tuple[Design, ...]
    recommended: int
    comparison: Comparison
    earlier: Earlier

    @property
    def best(self) -> Design:
        """The one that is recommended."""
        return self.designs[self.recommended]

    @property
    def settings(self) -> dict[str, Any]:
        """What makes the study the one that is recommended, by dotted name as ``--set`` takes it."""
        changes = dict(self.best.settings)
        is_other = any(name != "trials" for name in changes)
        return ({"name": self.name} if is_other else {}) | changes

    def facts(self) -> dict[str, Any]:
        """For JSON; accuracies and their differences are parts of one."""
        earlier, scatter, curves = self.earlier, self.earlier.scatter, self.earlier.curves
        deviations = {name: math.sqrt(getattr(scatter, name)) for name in ("students", "teachers", "places")}
        return {
            "seconds": self.seconds,
            "workers": self.workers,
            "metric": earlier.metric,
            "clips": earlier.clips,
            "places": earlier.places,
            "compares": self.comparison.attribute,
            "values": dict(self.comparison.values),
            "of_other_teachers": self.comparison.is_of_teachers,
            "comparisons": self.comparison.comparisons,
            "deviations": deviations,
            "measured": earlier.basis._asdict(),
            "studies": list(earlier.studies),
            "epochs_measured": earlier.epochs,
            "curves": None if curves is None else {"metric": curves.metric, "students": curves.students},
            "designs": [_facts(each, each is self.best) for each in self.designs],
            "settings": self.settings,
        }


def _facts(design: Design, is_recommended: bool) -> dict[str, Any]:
    told = {name: getattr(design, name) for name in ("part", "epochs", "seeds", "teachers", "trials", "seconds")}
    return told | {
        "half_width": design.expected.half_width,
        "detects": design.expected.detects if math.isfinite(design.expected.detects) else None,
        "cut": None if design.cut is None else vars(design.cut),
        "recommended": is_recommended,
        "settings": dict(design.settings),
    }


def propose(
    file: StudyFile,
    bench: TrainingContext,
    storage: BaseStorage,
    seconds: float,
    workers: int = 1,
    compare: str | None = None,
    clock: Clock | None = None,
) -> Proposal:
    """Propose designs of a study that fit into a time.

    Args:
        file: the study.
        bench: its corpus and tracking server.
        storage: Optuna's: whose names are taken.
        seconds: that there are.
        workers: trainings at once.
        compare: the attribute whose values are compared; see
            :func:`~asc_experiments.study.monitor.comparison.comparison_of`.
        clock: knows what was timed before.

    Example:
        >>> propose(file, bench, storage, 24 * 3600, workers=2).best.seeds  # doctest: +SKIP
        5

    Raises:
        AscError: if none fits, naming the shortest time that one would, or there is nothing to compare.
    """
    earlier = earlier_runs(bench, file.objective.metric, student_epochs(file))
    if earlier.places < 2:
        raise AscError(
            f"study '{file.name}'",
            "is measured on test clips of one place, from which no interval is known",
            "test at more places",
        )
    cells = cells_anew(file)
    comparison = comparison_of(file, cells, compare, _seeds(file), earlier.scatter)
    search = _Search(file, bench, earlier, comparison, cells, workers, clock or Clock())
    fitting, smallest = search.designs(seconds)
    if not fitting:
        raise _too_short(min(smallest, key=lambda each: each.seconds))
    best = _recommended(fitting)
    shown = _shown(fitting, best)
    name = _free_name(file, storage)
    return Proposal(name, seconds, workers, tuple(shown), shown.index(best), comparison, earlier)


def _too_short(least: Design) -> AscError:
    """That no design fits, and what the smallest one takes."""
    shape = f"{counted(least.epochs, 'epoch')}, {least.seeds} seeds, {least.trials} trials"
    what = f"is too short: the smallest design takes {duration(_ROUNDED_UP * least.seconds)} ({shape})"
    return AscError("--within", what, "give it that, or more --workers")


def _seeds(file: StudyFile) -> int:
    """How many students are compared a trial."""
    return file.seeds if file.replicate is None else file.replicate.seeds


@dataclass(frozen=True)
class _Price:
    """Seconds that trainings take here one after another.

    Attributes:
        fixed: of all whose number does not depend on that of seeds.
        each: of one more seed of every trial.
        longest: of the longest training, below which no number of workers comes.
    """

    fixed: float
    each: float
    longest: float

    def seconds(self, seeds: int, workers: int) -> float:
        """Of a design with so many seeds, at best."""
        return max((self.fixed + self.each * seeds) / workers, self.longest)

    def most_seeds(self, seconds: float, workers: int) -> int:
        """How many seeds fit; fewer than a design has where none does."""
        if self.longest > seconds:
            return 0
        return _MOST if self.each <= 0 else min(_MOST, int((seconds * workers - self.fixed) / self.each))


@dataclass(frozen=True)
class _Variant:
    """The study with other settings, but for its number of seeds.

    Attributes:
        file: it.
        part: of the epochs.
        teachers: of each kind, where that is one number.
        of_trials: how many there would be if none were left out; 0 where none is.
        settings: what changed, by dotted name.
    """

    file: StudyFile
    part: float
    teachers: int
    of_trials: int
    settings: Mapping[str, Any]


class _Search:
    """Looks for designs.

    Args:
        file: the study.
        bench: its corpus and tracking server.
        earlier: what is known before.
        comparison: what is compared.
        cells: the trials that the file asks for.
        workers: trainings at once.
        clock: knows what was timed before.
    """

    def __init__(
        self,
        file: StudyFile,
        bench: TrainingContext,
        earlier: Earlier,
        comparison: Comparison,
        cells: Sequence[Cell],
        workers: int,
        clock: Clock,
    ) -> None:
        self._file, self._bench, self._earlier, self._comparison = file, bench, earlier, comparison
        self._trials, self._workers, self._clock = len(cells), workers, clock
        self._teachers = teachers_of_each_kind(file, cells) if comparison.is_of_teachers else 0
        self._in_bank = frozenset(teacher.key for teacher in TeacherBank(bench.tracking).all())
        self._lever = "seeds" if file.replicate is None else "replicate.seeds"

    def designs(self, seconds: float) -> tuple[list[Design], list[Design]]:
        """The best designs that fit, and the smallest ones, of every part of the epochs and number of trials."""
        fitting, smallest = [], []
        for variant in self._variants():
            cells = cells_anew(variant.file)
            if (comparison := self._still_compared(variant, cells)) is None:
                continue
            price = self._price(variant.file, cells)
            made = partial(self._design, variant, len(cells), comparison, price)
            smallest.append(made(_LEAST))
            if (most := price.most_seeds(seconds, self._workers)) >= _LEAST:
                fitting.append(_fewest_seeds(made, most))
        return fitting, smallest

    def _variants(self) -> Iterator[_Variant]:
        """The study with every part of the epochs: with all trials, of a grid with fewer, or with more teachers."""
        for changes, part in self._epochs():
            file = self._file.with_changes(changes)
            yield _Variant(file, part, self._teachers, self._trials, changes)
            for trials in self._numbers():
                few = {"trials": trials}
                yield _Variant(file.with_changes(few), part, 0, self._trials, changes | few)
            for number in _TEACHERS:
                if 1 < self._teachers < number:
                    more = with_teachers_of_each_kind(file, number)
                    yield _Variant(file.with_changes(more), part, number, 0, changes | more)

    def _epochs(self) -> Iterator[tuple[dict[str, Any], float]]:
        """The settings of each part of the epochs, those that are the same once."""
        seen: list[dict[str, Any]] = []
        for part in PARTS:
            changes = with_part_of_epochs(self._file, part)
            if changes is not None and changes not in seen:
                seen.append(changes)
                yield changes, part

    def _numbers(self) -> list[int]:
        """Fewer trials: of a grid half and a quarter of them."""
        if self._file.sampler != "grid":
            return []
        numbers = dict.fromkeys(max(2, math.ceil(self._trials / times)) for times in (2, 4))
        return [number for number in numbers if number < self._trials]

    def _still_compared(self, variant: _Variant, cells: Sequence[Cell]) -> Comparison | None:
        """What is compared by these trials; None where some of the values are left out."""
        wanted = self._comparison
        if not wanted.values or len(cells) == self._trials:
            return wanted
        try:
            found = comparison_of(variant.file, cells, wanted.attribute, _LEAST, self._earlier.scatter)
        except AscError:
            return None
        is_the_same = found.values.keys() == wanted.values.keys() and found.is_of_teachers == wanted.is_of_teachers
        return found if is_the_same else None

    def _price(self, file: StudyFile, cells: Sequence[Cell]) -> _Price:
        """What trials take, from what one and two seeds of each take."""
        changed = [file.with_changes({self._lever: seeds}) for seeds in (1, 2)]
        rows = [trainings_anew(each, cells, self._bench, self._in_bank, self._clock) for each in changed]
        one, two = (3600 * sum(row.hours for row in each) for each in rows)
        longest = max((row.seconds for row in rows[0] if row.distinct > row.in_bank), default=0.0)
        return _Price(2 * one - two, two - one, longest)

    def _design(self, variant: _Variant, trials: int, comparison: Comparison, price: _Price, seeds: int) -> Design:
        curves = self._earlier.curves
        cut = curves.cut(variant.part) if curves is not None and variant.part < 1 else None
        scatter = self._earlier.scatter if cut is None else self._earlier.scatter.widened(cut.widening)
        found = comparison.expected(scatter, seeds)
        if cut is not None and cut.kept is not None:
            found = replace(found, detects=found.detects / cut.kept if cut.kept > 0 else math.inf)
        return Design(
            part=variant.part,
            epochs=student_epochs(variant.file),
            seeds=seeds,
            teachers=variant.teachers,
            trials=trials,
            of_trials=variant.of_trials or trials,
            seconds=price.seconds(seeds, self._workers),
            expected=found,
            cut=cut,
            settings={**variant.settings, **({} if seeds == _seeds(self._file) else {self._lever: seeds})},
        )


def _fewest_seeds(made: Callable[[int], Design], most: int) -> Design:
    """The design with the fewest seeds that is as good as that with the most: of more seeds each tells no less."""
    limit = _ENOUGH * made(most).expected.detects
    seeds = range(_LEAST, most + 1)
    return made(seeds[bisect_left(seeds, True, key=lambda number: made(number).expected.detects <= limit)])


def _recommended(designs: Sequence[Design]) -> Design:
    """The design that tells the smallest difference apart, of those that change the question least.

    That is, of those whose epochs keep the order of trials as far as is known: with all trials, else with some. Where
    there are none, more epochs come first.
    """
    for kept in (
        [each for each in designs if each.keeps_order and each.is_whole],
        [d for d in designs if d.keeps_order],
    ):
        if kept:
            limit = _AS_GOOD * min(each.expected.detects for each in kept)
            good = [each for each in kept if each.expected.detects <= limit]
            return max(good, key=lambda each: (each.part, -each.expected.detects))
    return max(designs, key=lambda each: (each.is_whole, each.part, -each.expected.detects))


def _shown(designs: Sequence[Design], recommended: Design) -> list[Design]:
    """The designs that are worth a look: of each part of the epochs the best, and the study's own beside it.

    Trials are left out only where all of them do not fit.
    """
    shown = []
    for part in dict.fromkeys(each.part for each in designs):
        own = [each for each in designs if each.part == part]
        whole = [each for each in own if each.is_whole]
        most = max(own, key=lambda each: (each.is_whole, each.trials if not whole else -each.expected.detects))
        shown += [each for each in own if each in (most, recommended) or (part == 1 and each is own[0])]
    return shown


def _free_name(file: StudyFile, storage: BaseStorage) -> str:
    """A name for the study with other settings that no study has."""
    taken = set(optuna.get_all_study_names(storage))
    first = f"{file.name[:_LONGEST_NAME]}-design"
    names = itertools.chain([first], (f"{first}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)
