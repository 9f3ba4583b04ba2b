"""What a study cost in hours of training: its teachers, each once, its students, and those that were tried again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.client.records import KIND
from asc_experiments.tracking.trials import (
    CELL,
    IMPORTED,
    ORIGINAL,
    REPLICATE_KIND,
    SEED_KIND,
    STUDENTS_TRAINED,
    TRAINING_SECONDS,
)


@dataclass(frozen=True)
class Cost:
    """Trainings of one sort.

    Attributes:
        what: which.
        trainings: how many.
        seconds: what those whose time is known took together.
        unknown: how many took a time that is not known: imported, or interrupted for good.
    """

    what: str
    trainings: int
    seconds: float
    unknown: int = 0


@dataclass(frozen=True)
class Costs:
    """What a study, or several, cost.

    Attributes:
        parts: by sort.
        found: how many of the teachers were in the bank before the study's first trial began.
        winner: seconds of the best trial alone: its teachers and its students.
    """

    parts: tuple[Cost, ...]
    found: int = 0
    winner: float | None = None

    @property
    def seconds(self) -> float:
        """Everything together."""
        return sum(part.seconds for part in self.parts)


def seconds_of(run: RunRecord) -> float | None:
    """How long a training took, with interrupted attempts where that was measured; None where it is not known."""
    if IMPORTED in run.tags:
        return None
    if TRAINING_SECONDS in run.metrics:
        return run.metrics[TRAINING_SECONDS]
    return None if run.end_time is None else (run.end_time - run.start_time) / 1000


def costs_of(studies: Sequence[StudyRuns], winner: RunRecord | None = None) -> Costs:
    """What studies cost together; a teacher that several of them use counts once.

    Args:
        studies: which.
        winner: the best trial of the first of them, where its own cost is of interest.
    """
    teachers = {key: run for study in studies for key, run in study.trained_for.items()}
    parts = [
        _sum("teachers, each once", teachers.values()),
        _students(studies),
        _sum("students with fresh seeds", _children(studies, REPLICATE_KIND)),
        _sum("trials that were pruned or failed", _given_up(studies)),
    ]
    began = min((run.start_time for study in studies for run in study.attempts), default=0)
    found = sum(run.start_time < began for run in teachers.values())
    return Costs(tuple(part for part in parts if part.trainings), found, _winner(studies[0], winner))


def _students(studies: Sequence[StudyRuns]) -> Cost:
    """The students of finished trials; a trial's run says what its students took together."""
    times = [(_trained(study, trial), _student_seconds(study, trial)) for study in studies for trial in study.finished]
    known = [seconds for _, seconds in times if seconds is not None]
    unknown = sum(seeds for seeds, seconds in times if seconds is None)
    return Cost("students of finished trials", sum(seeds for seeds, _ in times), sum(known), unknown)


def _trained(study: StudyRuns, trial: RunRecord) -> int:
    """How many students were trained for a trial; others were found, or are an earlier trial's of its settings."""
    return int(trial.metrics.get(STUDENTS_TRAINED, study.seeds))


def _student_seconds(study: StudyRuns, trial: RunRecord) -> float | None:
    """The seconds of a trial's students together; None where those of one are not known."""
    if TRAINING_SECONDS in trial.metrics:
        return trial.metrics[TRAINING_SECONDS]
    times = [seconds_of(run) for run in study.of_kind(trial, SEED_KIND)]
    known = [time for time in times if time is not None]
    return sum(known) if times and len(known) == len(times) else None


def _children(studies: Sequence[StudyRuns], kind: str) -> list[RunRecord]:
    found = [run for study in studies for trial in study.finished for run in study.of_kind(trial, kind)]
    return [run for run in found if ORIGINAL not in run.tags]


def _given_up(studies: Sequence[StudyRuns]) -> list[RunRecord]:
    """The students of trials that came to no conclusion; those that an interrupted attempt left are counted in it."""
    return [
        run
        for study in studies
        for trial in (*study.pruned, *study.failed)
        for run in study.children.get(trial.run_id, ())
        if run.tags.get(KIND) in (SEED_KIND, REPLICATE_KIND) and ORIGINAL not in run.tags
    ]


def _winner(study: StudyRuns, trial: RunRecord | None) -> float | None:
    """The seconds of a trial's teachers and students; None where one of them is not known."""
    if trial is None:
        return None
    of_cell = [each for each in study.finished if _cell(each) == _cell(trial)]
    times = [*map(seconds_of, study.members(trial)), *(_student_seconds(study, each) for each in of_cell)]
    known = [time for time in times if time is not None]
    return sum(known) if len(known) == len(times) else None


def _cell(trial: RunRecord) -> str:
    """What a trial shares its students with."""
    return trial.tags.get(CELL, trial.run_id)


def _sum(what: str, runs: Iterable[RunRecord]) -> Cost:
    times = [seconds_of(run) for run in runs]
    known = [time for time in times if time is not None]
    return Cost(what, len(times), sum(known), len(times) - len(known))
