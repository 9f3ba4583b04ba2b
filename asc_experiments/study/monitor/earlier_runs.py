"""What earlier studies on a corpus tell a new one: how far students scatter, and what fewer epochs would cost them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asc_experiments.metrics import MACRO_ACCURACY, VALIDATION, is_better_higher
from asc_experiments.report.analysis.teacher_kinds import results_of_kinds
from asc_experiments.report.data.loading import read_studies
from asc_experiments.report.data.study_runs import StudyRuns, recipe_of
from asc_experiments.statistics import Evidence, learning_of
from asc_experiments.statistics.luck import ranks
from asc_experiments.statistics.planning import LEAST_FREEDOM, Basis, Scatter, assumed, measured
from asc_experiments.study.definition.study_file import RESERVED_NAMES
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, PARENT
from asc_experiments.tracking.decision import metric_on_test
from asc_experiments.tracking.evidence import STUDENTS
from asc_experiments.tracking.study_identity import STUDY_ID
from asc_experiments.tracking.trials import CELL, ORIGINAL, SEED_KIND

if TYPE_CHECKING:  # with it comes PyTorch
    from asc_experiments.distill import TrainingContext

_FEWEST_RANKED = 4
"""Trials whose order can be compared at all."""
_FAR = 2.0
"""By which factor of epochs curves may be longer or shorter: ten epochs say nothing of a hundred cut in half."""
_MOST_CURVES = 200
"""Of a study: each is a question to the tracking server."""

Curve = Mapping[int, float]
"""A metric by epoch, counted from 1."""


@dataclass(frozen=True)
class Cut:
    """What students' curves were at a part of their epochs, beside their last.

    A training of so few epochs has a schedule of its own, whose learning rate has come down by then: it is no worse
    than the cut one looks, and mostly better.

    Attributes:
        below: by how much they were worse, on average, in the metric's own unit.
        rank: Spearman's correlation of the trials' means there with those at the last epoch, the mean over studies;
            None where none has enough trials.
        kept: which part of the differences between the trials of a study was there, from none to all; None as above.
        widening: how much farther the students of a trial scattered there, as a factor of their deviation.
    """

    below: float
    rank: float | None
    kept: float | None
    widening: float


@dataclass(frozen=True)
class Curves:
    """Curves of students on held-out clips.

    Attributes:
        metric: what they are of.
        epochs: how many each has.
        by_study: of each study and each of its trials, those of its students.
    """

    metric: str
    epochs: int
    by_study: tuple[tuple[tuple[Curve, ...], ...], ...]

    @property
    def students(self) -> int:
        """How many curves there are."""
        return sum(len(curves) for trials in self.by_study for curves in trials)

    def cut(self, part: float) -> Cut:
        """What they were at a part of their epochs."""
        there = self._at(max(1, round(part * self.epochs)))
        last = self._at(self.epochs)
        every = [np.concatenate([values for trials in each for values in trials]) for each in (there, last)]
        below = float(every[1].mean() - every[0].mean())
        rank, kept = _order([(_means(ours), _means(theirs)) for ours, theirs in zip(there, last, strict=True)])
        return Cut(below if is_better_higher(self.metric) else -below, rank, kept, _widening(there, last))

    def _at(self, epoch: int) -> _Values:
        """The values at an epoch, counted from 1."""
        return [[np.array([each[epoch] for each in curves]) for curves in trials] for trials in self.by_study]


_Values = list[list[np.ndarray]]
"""Of each study and each of its trials, a value of each of its students."""


def _means(trials: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([values.mean() for values in trials])


def _order(studies: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float | None, float | None]:
    """How trials stood at an epoch beside the last: their rank correlation, and which part of their differences."""
    told = [each for each in studies if len(each[0]) >= _FEWEST_RANKED and all(np.ptp(means) > 0 for means in each)]
    if not told:
        return None, None
    trials = [len(last) for _, last in told]
    correlations = [np.corrcoef(ranks(there[None])[0], ranks(last[None])[0])[0, 1] for there, last in told]
    apart = [(there - there.mean(), last - last.mean()) for there, last in told]
    kept = sum(there @ last for there, last in apart) / sum(last @ last for _, last in apart)
    return float(np.average(correlations, weights=trials)), float(np.clip(kept, 0.0, 1.0))


@dataclass(frozen=True)
class Earlier:
    """What is known before a study is begun.

    Attributes:
        metric: what is compared on test clips.
        scatter: what blurs a difference.
        basis: what that was measured from; zeros where it is assumed.
        studies: the names of the studies that told, best known first.
        epochs: of their students.
        curves: of these students; None where there are none, as in studies that held no clips out, or of far fewer or
            more epochs than is asked for.
        places, clips: how many the metric is measured on.
    """

    metric: str
    scatter: Scatter
    basis: Basis
    studies: tuple[str, ...]
    epochs: int
    curves: Curves | None
    places: int
    clips: int


def earlier_runs(bench: TrainingContext, objective: str, epochs: int) -> Earlier:
    """Read what earlier studies on this corpus tell of a comparison; what they do not tell is assumed.

    Students of the number of epochs that is nearest are asked, of whatever architecture and teachers.

    Args:
        bench: the corpus and the tracking server.
        objective: what the study chooses by.
        epochs: of its students.
    """
    table = bench.evidence([np.zeros((len(bench.corpus.clips), len(bench.corpus.scenes)), dtype=np.float32)])["test"]
    metric = metric_on_test(objective, table)
    found = _of_nearest(_on_corpus(bench), epochs)
    tables = [[each for _, each in trials if each.concerns(metric)] for _, trials in found]
    kept_whole = [study for study, trials in found if len(trials) == len(study.trials)]
    kinds = [result.tables for study in kept_whole for result in results_of_kinds(study) if result.tables]
    known = measured(tables, kinds, metric, assumed(table, metric))
    if known is None:  # of no accuracy, and of no student
        metric = MACRO_ACCURACY
        known = measured(tables, kinds, metric, assumed(table, metric))
    assert known is not None  # of an accuracy something is always assumed
    scatter, basis = known
    names = tuple(study.name for study, _ in found) if basis.students else ()
    of_students = _epochs(found[0][1][0][0]) if found else 0
    clips, places = table.counts(metric)
    tells_of_curves = found and 1 / _FAR <= of_students / epochs <= _FAR
    curves = _curves(bench.tracking, found, objective, of_students) if tells_of_curves else None
    return Earlier(metric, scatter, basis, names, of_students, curves, places, clips)


_Found = list[tuple[StudyRuns, list[tuple[RunRecord, Evidence]]]]
"""Studies, each with its trials of several students and what these answered in the test fold."""


def _on_corpus(bench: TrainingContext) -> _Found:
    """The studies of this corpus, without trials whose students only guess: those scatter as networks never do.

    Studies may share students, which are found rather than trained again: of trials of one cell the one with the most
    students tells.
    """
    tracking = bench.tracking
    names = [name for name in tracking.experiments().values() if name not in RESERVED_NAMES]
    studies = [study for study in read_studies(tracking, names) if study.corpus == bench.store.corpus_digest]
    told: dict[str, tuple[StudyRuns, RunRecord, Evidence]] = {}
    for study in studies:
        for trial in study.compared:
            table = study.evidence(trial.run_id, STUDENTS).get("test")
            if table is not None and _tells(trial, table):
                cell = trial.tags.get(CELL, trial.run_id)
                if cell not in told or told[cell][2].students < table.students:
                    told[cell] = study, trial, table
    found = [(study, [(trial, table) for of, trial, table in told.values() if of is study]) for study in studies]
    return [(study, trials) for study, trials in found if trials]


def _tells(trial: RunRecord, table: Evidence) -> bool:
    return _epochs(trial) > 0 and not learning_of(table).is_at_chance


def _of_nearest(found: _Found, epochs: int) -> _Found:
    """The trials whose students have the number of epochs that is nearest to this one, of those with several."""
    several = Counter(_epochs(trial) for _, trials in found for trial, table in trials if table.students > 1)
    if not several:
        return []
    nearest = min(several, key=lambda each: (abs(math.log(each / epochs)), -several[each]))
    kept = [(study, [each for each in trials if _epochs(each[0]) == nearest]) for study, trials in found]
    return sorted(((study, trials) for study, trials in kept if trials), key=lambda each: -len(each[1]))


def _epochs(trial: RunRecord) -> int:
    """The epochs of a trial's students; 0 where that is not known."""
    recipe = recipe_of(trial)
    return int(recipe["optimisation"].get("epochs", 0)) if recipe else 0


def _curves(tracking: Tracking, found: _Found, objective: str, epochs: int) -> Curves | None:
    """The curves of these trials' students, in the objective, else in the macro average."""
    students = [_students(tracking, study, trials) for study, trials in found]
    for metric in dict.fromkeys((objective, MACRO_ACCURACY)):
        name = f"{VALIDATION}/{metric}"
        whole = [[_whole([tracking.curve(run, name) for run in runs], epochs) for runs in each] for each in students]
        told = [tuple(curves for curves in trials if curves) for trials in whole]
        if kept := tuple(trials for trials in told if trials):
            return Curves(metric, epochs, kept)
    return None


def _students(tracking: Tracking, study: StudyRuns, trials: Sequence[tuple[RunRecord, Evidence]]) -> list[list[str]]:
    """The runs that trained the students of each of a study's trials, a limited number of them."""
    runs: dict[str, list[str]] = {trial.run_id: [] for trial, _ in trials[: max(1, _MOST_CURVES // study.seeds)]}
    query = where({KIND: SEED_KIND, STUDY_ID: study.tags.get(STUDY_ID) or None}, status="FINISHED")
    for run in tracking.search([trials[0][0].experiment_id], query):
        if run.tags.get(PARENT) in runs:
            runs[run.tags[PARENT]].append(run.tags.get(ORIGINAL, run.run_id))
    return list(runs.values())


def _whole(curves: Sequence[Curve], epochs: int) -> tuple[Curve, ...]:
    """Those that have a finite value at every epoch."""
    return tuple(
        each for each in curves if all(math.isfinite(each.get(epoch, math.nan)) for epoch in range(1, epochs + 1))
    )


def _widening(there: _Values, last: _Values) -> float:
    """The ratio of the deviations of students within their trials; 1 where too few tell, or they scattered less."""
    freedom = sum(len(values) - 1 for trials in last for values in trials)
    ours, theirs = (
        sum(len(values) * float(values.var()) for trials in each for values in trials) for each in (there, last)
    )
    if freedom < LEAST_FREEDOM or theirs <= 0:
        return 1.0
    return max(1.0, math.sqrt(ours / theirs))
