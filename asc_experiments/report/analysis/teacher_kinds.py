"""Whether a study can tell a kind of teacher from the luck of its one network, and what that would cost."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from asc_experiments.report.analysis.compute_cost import seconds_of
from asc_experiments.report.analysis.distillation_gain import student_recipe
from asc_experiments.report.data.study_runs import StudyRuns, kind_of
from asc_experiments.report.words import counted, duration
from asc_experiments.statistics import Evidence, Margin, Part, as_one, level, margin, pooled
from asc_experiments.tracking.trials import TRAINING_CLIPS, keys_of
from asc_experiments.training.losses import loss_settings

WANTED = 3
"""Networks of each kind from which on a kind can be told from luck."""


@dataclass(frozen=True)
class Kinds:
    """The kinds of teachers that a study compares: of one kind are those that differ by their seed alone.

    Attributes:
        kinds: how many.
        alone: how many of them are a single network.
        seconds: what the missing teachers, and the students that they would teach, would take; None where not known.
    """

    kinds: int
    alone: int
    seconds: float | None

    @property
    def note(self) -> str:
        """What cannot be told, and what it would cost; empty where there is nothing to say."""
        if self.kinds < 2 or not self.alone:
            return ""
        which = "Every kind of teacher here" if self.alone == self.kinds else f"{self.alone} of {self.kinds} kinds here"
        time = "" if self.seconds is None else f", about {duration(self.seconds)} of training with their students"
        more = counted((WANTED - 1) * self.alone, "more teacher")
        return (
            f"{which} is a single network: whether the kind is good or its one network was lucky cannot be told, and "
            f"more students of that network do not help. {WANTED} networks a kind would take {more}{time}."
        )


def kinds_of(study: StudyRuns) -> Kinds:
    """How many networks each kind of a study's teachers has."""
    counts = Counter(kind_of(run) for run in study.teachers.values())
    alone = {kind for kind, count in counts.items() if count == 1}
    teachers = [seconds_of(run) for run in study.teachers.values() if kind_of(run) in alone]
    taught = [seconds_of(trial) for trial in study.trials if any(kind_of(run) in alone for run in study.members(trial))]
    known = [time for time in (*teachers, *taught) if time is not None]
    seconds = (WANTED - 1) * sum(known) if len(known) == len(teachers) + len(taught) else None
    return Kinds(len(counts), len(alone), seconds)


@dataclass(frozen=True)
class KindResult:
    """What the students of one kind of teachers reached.

    Attributes:
        kind: the teachers in short, or labels alone.
        pieces: how many pieces of evidence: teachers (or ensembles), whatever the number of their students; students
            where they had no teacher.
        evidence: of the pieces.
        tables: the students of each teacher (or ensemble); none where they had no teacher.
    """

    kind: str
    pieces: int
    evidence: Evidence
    tables: tuple[Evidence, ...]


def results_of_kinds(study: StudyRuns) -> list[KindResult]:
    """The students of each kind of teachers, where two kinds or more have several teachers, or several students alone.

    Students of one teacher share its luck, so that a teacher and its students are one piece of evidence. Empty where
    not every trial's answers are read, or trials differ in more than their teachers.
    """
    if not study.keeps_evidence or len(study.compared) < len(study.trials) or not _differ_by_teachers_alone(study):
        return []
    found: dict[str, dict[frozenset[str], Evidence]] = defaultdict(dict)
    for trial in study.compared:
        table = study.standing(trial).evidence
        if table is None:
            return []
        found[study.taught_by(trial)].setdefault(frozenset(keys_of(trial)), table)
    results = []
    for kind, tables in found.items():
        alone = frozenset() in tables
        each = [table if alone else as_one(table) for table in tables.values()]
        first = each[0]
        if all(table.is_of_the_same_clips(first) for table in each):
            together = pooled(each)
            results.append(KindResult(kind, together.students, together, () if alone else tuple(tables.values())))
    several = [result for result in results if result.pieces > 1]
    return several if len(several) > 1 else []


def _differ_by_teachers_alone(study: StudyRuns) -> bool:
    """Whether all students have one Recipe but for seeds, one training list, and all taught ones one distillation."""
    recipes, distillations = set(), set()
    for trial in study.compared:
        recipe = student_recipe(study, trial)
        settings = {key: value for key, value in (recipe or {}).items() if key != "seed"}
        recipes.add(json.dumps([settings, trial.tags.get(TRAINING_CLIPS)], sort_keys=True))
        if keys_of(trial):
            distillations.add(tuple(trial.params.get(name) for name in loss_settings()))
    return len(recipes) == 1 and len(distillations) <= 1


def kind_differences(results: Sequence[KindResult], metric: str) -> list[tuple[str, Margin]]:
    """The difference between every two kinds, with intervals that hold for all of them at once.

    A kind has two or three teachers. That two of them teach equally well is luck, not knowledge: a kind's own spread
    may be near 0 by chance, and the t of one degree of freedom is then what the interval is made of. So the spread of
    teachers is pooled over all kinds, which have as many degrees of freedom together, and is at least what the
    students' seeds alone explain: a teacher's value is a mean over a few students, whatever the teacher is worth.
    Students on labels alone have no teacher, and keep a spread of their own.
    """
    pairs = list(combinations(results, 2))
    spread = _spread_of_teachers(results, metric)
    found = []
    for ours, theirs in pairs:
        if ours.evidence.is_of_the_same_clips(theirs.evidence):
            parts = _parts(ours, theirs, metric, spread)
            apart = margin(ours.evidence, theirs.evidence, metric, len(pairs), of_students=parts)
            found.append((f"{ours.kind} less {theirs.kind}", apart))
    return found


def kind_level(result: KindResult, results: Sequence[KindResult], metric: str) -> Margin:
    """What the students of a kind reached; teachers spread as in :func:`kind_differences`.

    Args:
        result: the kind.
        results: all kinds of the study.
        metric: a Scorecard's metric.
    """
    spread = _spread_of_teachers(results, metric)
    parts = [Part(spread.variance / result.pieces, spread.freedom)] if result.tables else []
    return level(result.evidence, metric, of_students=parts)


def _spread_of_teachers(results: Sequence[KindResult], metric: str) -> Part:
    """The variance of teachers of one kind, over all kinds; at least the part of their students' seeds in it."""
    kinds = [result.evidence.measure(metric) for result in results if result.tables]
    of_teachers = _pooled([(float(each.var(ddof=1)), len(each) - 1) for each in kinds])
    measured = [table.measure(metric) for result in results for table in result.tables]
    several = [each for each in measured if len(each) > 1]
    of_seeds = _pooled([(float(each.var(ddof=1)) / len(each), len(each) - 1) for each in several])
    return Part(max(of_teachers.variance, of_seeds.variance), of_teachers.freedom)


def _pooled(spreads: Sequence[tuple[float, int]]) -> Part:
    """One variance of several estimates of it, each with its degrees of freedom."""
    freedom = sum(each for _, each in spreads)
    return Part(sum(variance * each for variance, each in spreads) / max(1, freedom), freedom)


def _parts(ours: KindResult, theirs: KindResult, metric: str, spread: Part) -> list[Part]:
    """The parts in the variance of a difference of two kinds that are not of places."""
    taught = sum(1 / each.pieces for each in (ours, theirs) if each.tables)
    alone = [each.evidence.measure(metric) for each in (ours, theirs) if not each.tables]
    return [
        *([Part(spread.variance * taught, spread.freedom)] if taught else []),
        *(Part(float(each.var(ddof=1)) / len(each), len(each) - 1) for each in alone),
    ]
