"""What was odd about the trainings of a study, which its means do not tell: a sentence each."""

from __future__ import annotations

from asc_experiments.metrics import OVERALL_ACCURACY
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from asc_experiments.report.words import listed
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import keys_of

_FAR_BELOW = 0.1
"""Part of the test clips by which a student lies below the next one of its trial where its training failed: seeds of a
sound recipe differ by one or two points."""
_SHOWN = 4


def on_training(study: StudyRuns) -> list[str]:
    """Students that lie far below the others of their trial, and teachers below the student on labels alone."""
    return [*_failed_students(study), *_weak_teachers(study)]


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
    """Which teachers are no better than the student on labels alone; of many that not one is better."""
    alone = [t.metrics[OVERALL_ACCURACY] for t in study.trials if not keys_of(t) and OVERALL_ACCURACY in t.metrics]
    taught = {run.name: run.metrics[OVERALL_ACCURACY] for run in study.teachers.values() if _is_scored(run)}
    if not alone or not taught:
        return []
    reached, weak = max(alone), {name: value for name, value in taught.items() if value <= max(alone)}
    student = f"the student on labels alone in {100 * reached:.1f} % on average"
    if len(weak) == len(taught):
        return [
            f"No teacher here is better than the student on labels alone: the best is right in "
            f"{100 * max(taught.values()):.1f} % of the test clips, {student}. Train teachers for longer first."
        ]
    if not weak:
        return []
    told = [f"{name} ({100 * value:.1f} %)" for name, value in sorted(weak.items(), key=lambda each: each[1])]
    more = [f"{len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
    return [
        f"Some teachers are right less often than the student on labels alone ({100 * reached:.1f} % on average): "
        f"{listed(told[:_SHOWN] + more)}."
    ]


def _is_scored(run: RunRecord) -> bool:
    return OVERALL_ACCURACY in run.metrics
