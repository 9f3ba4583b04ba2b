"""Pareto fronts: what no other beats in both of two values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asc_experiments.report.runs import StudyRuns, number_of
from asc_experiments.tracking import RunRecord

ACCURACY, MACS = "accuracy/overall", "complexity/macs"


@dataclass(frozen=True)
class Student:
    """One student among those of several studies.

    Attributes:
        study, trial: where it is from.
        taught_by: its teachers in short.
        macs: multiply-accumulate operations for one second of sound.
        accuracy: overall on the test fold, 0 to 1.
        is_on_front: whether no other is as small and better, or as good and smaller.
    """

    study: str
    trial: int
    taught_by: str
    macs: float
    accuracy: float
    is_on_front: bool


def non_dominated(points: Sequence[tuple[float, float]]) -> set[int]:
    """The places of the points that no other beats; smaller is better in both values."""

    def is_beaten(point: tuple[float, float]) -> bool:
        return any(o != point and o[0] <= point[0] and o[1] <= point[1] for o in points)

    return {place for place, point in enumerate(points) if not is_beaten(point)}


def accuracy_against_macs(studies: Sequence[StudyRuns]) -> list[Student]:
    """Every study's students, the cheapest first, with those that are on the front of all of them."""
    found = [
        (study, trial)
        for study in studies
        for trial in study.trials
        if ACCURACY in trial.metrics and MACS in trial.metrics
    ]
    front = non_dominated([(trial.metrics[MACS], -trial.metrics[ACCURACY]) for _, trial in found])
    students = [_student(study, trial, place in front) for place, (study, trial) in enumerate(found)]
    return sorted(students, key=lambda student: (student.macs, -student.accuracy))


def _student(study: StudyRuns, trial: RunRecord, is_on_front: bool) -> Student:
    macs, accuracy = trial.metrics[MACS], trial.metrics[ACCURACY]
    return Student(study.name, number_of(trial), study.taught_by(trial), macs, accuracy, is_on_front)
