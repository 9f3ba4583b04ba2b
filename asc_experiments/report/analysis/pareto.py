"""Pareto fronts: what no other beats in both of two values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asc_experiments.metrics import ACCURACY, OVERALL_ACCURACY, VALIDATION, MetricKey
from asc_experiments.report.data.study_runs import StudyRuns, number_of, objective_name
from asc_experiments.tracking import RunRecord

MACS = "complexity/macs"


@dataclass(frozen=True)
class Student:
    """One student among those of several studies.

    Attributes:
        study, trial: where it is from.
        taught_by: its teachers in short.
        macs: multiply-accumulate operations for one clip.
        accuracy: on the clips that its study chose by, 0 to 1.
        test: in the test fold.
        is_on_front: whether no other is as small and better, or as good and smaller.
    """

    study: str
    trial: int
    taught_by: str
    macs: float
    accuracy: float
    test: float | None
    is_on_front: bool


def non_dominated(points: Sequence[tuple[float, float]]) -> set[int]:
    """The places of the points that no other beats; smaller is better in both values."""

    def is_beaten(point: tuple[float, float]) -> bool:
        return any(o != point and o[0] <= point[0] and o[1] <= point[1] for o in points)

    return {place for place, point in enumerate(points) if not is_beaten(point)}


def front_metric(studies: Sequence[StudyRuns]) -> str:
    """The accuracy that a front of these studies is of: what they were chosen by, where all share it.

    Studies that were chosen by something else, or by different clips, have the test fold in common.
    """
    kinds = {(study.objective, study.split, repr(study.held_out), study.corpus) for study in studies}
    chosen = objective_name(studies[0].objective, studies[0].split) if len(kinds) == 1 else OVERALL_ACCURACY
    if len(kinds) == 1 and MetricKey.parse(studies[0].objective).name != ACCURACY.name:
        chosen = objective_name(OVERALL_ACCURACY, studies[0].split)
    has_it = any(chosen in trial.metrics for study in studies for trial in study.trials)
    return chosen if has_it else OVERALL_ACCURACY


def accuracy_against_macs(studies: Sequence[StudyRuns]) -> list[Student]:
    """Every study's students, the cheapest first, with those that are on the front of all of them.

    The front is drawn on the clips that the studies chose by: one of the test fold would choose once more, on it.
    """
    name = front_metric(studies) if studies else OVERALL_ACCURACY
    found = [
        (study, trial) for study in studies for trial in study.trials if name in trial.metrics and MACS in trial.metrics
    ]
    front = non_dominated([(trial.metrics[MACS], -trial.metrics[name]) for _, trial in found])
    students = [_student(study, trial, name, place in front) for place, (study, trial) in enumerate(found)]
    return sorted(students, key=lambda student: (student.macs, -student.accuracy))


def _student(study: StudyRuns, trial: RunRecord, name: str, is_on_front: bool) -> Student:
    test = trial.metrics.get(name.removeprefix(f"{VALIDATION}/"))
    accuracy, taught_by = trial.metrics[name], study.taught_by(trial)
    return Student(study.name, number_of(trial), taught_by, trial.metrics[MACS], accuracy, test, is_on_front)
