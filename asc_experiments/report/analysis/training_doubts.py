"""What was odd about the trainings of a study, which its means do not tell: a sentence each."""

from __future__ import annotations

from asc_experiments.metrics import OVERALL_ACCURACY
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from asc_experiments.report.words import listed
from asc_experiments.tracking.trials import keys_of

_FAR_BELOW = 0.1
"""Part of the test clips by which a student lies below the next one of its trial where its training failed: seeds of a
sound recipe differ by one or two points."""
_SHOWN = 4


def on_training(study: StudyRuns) -> list[str]:
    """Students that lie far below the others of their trial, teachers below labels alone, students without a method."""
    return [*_failed_students(study), *_weak_teachers(study), *_plain_students(study)]


def _failed_students(study: StudyRuns) -> list[str]:
    """Trials that have a student far below its next: its mean and its spread are of another kind than they look."""
    if not study.keeps_evidence:
        return []
    told = []
    for trial in study.compared:
        table = study.standing(trial).evidence
        values = [] if table is None else sorted(table.measure(OVERALL_ACCURACY).tolist())
        if len(values) > 1 and values[1] - values[0] >= _FAR_BELOW:
            reached = f"{100 * values[0]:.1f} % where the next reaches {100 * values[1]:.1f} %"
            told.append(f"trial {number_of(trial)} ({reached})")
    if not told:
        return []
    more = [f"{len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
    return [
        f"One student lies far below the others of its trial: {listed(told[:_SHOWN] + more)}. Such a training failed "
        "rather than varied, and it widens every interval of its trial: more epochs or a lower learning rate help."
    ]


def _weak_teachers(study: StudyRuns) -> list[str]:
    """That no teacher is as good as the student on labels alone, where it is so."""
    alone = [t.metrics[OVERALL_ACCURACY] for t in study.trials if not keys_of(t) and OVERALL_ACCURACY in t.metrics]
    taught = [run.metrics[OVERALL_ACCURACY] for run in study.teachers.values() if OVERALL_ACCURACY in run.metrics]
    if not alone or not taught or max(taught) > max(alone):
        return []
    return [
        f"No teacher here is better than the student on labels alone: the best is right in {100 * max(taught):.1f} % "
        f"of the test clips, that student in {100 * max(alone):.1f} % on average. Train teachers for longer first."
    ]


def _plain_students(study: StudyRuns) -> list[str]:
    """That students have no device generalisation of their own while teachers do: teaching then gives both."""
    students = {trial.params.get("student.augment") for trial in study.trials}
    methods = {run.params.get("augment", "none") for run in study.teachers.values()} - {"none", ""}
    if students != {"none"} or not methods:
        return []
    return [
        f"Teachers were trained with {listed(sorted(methods))}, students without device generalisation: part of what "
        "teaching gives may be had from the student's own augmentation, which no trial here tries."
    ]
