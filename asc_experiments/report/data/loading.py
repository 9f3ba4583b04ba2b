"""Reading studies from the tracking server, with a few searches per experiment, however many trials there are.

The students of finished trials are most of a study's runs, and their trial says what they reached together. Those of
the best trial are read; of all only where the trials, of an earlier version, do not say how long they took. What
students answered is read when it is asked for: of the best trials and those on labels alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

from asc_experiments.report.data.exports import FOLDER
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.bulk_read import runs_of_kinds
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, PARENT
from asc_experiments.tracking.evidence import evidence_of
from asc_experiments.tracking.judgement.doubts import judge_trial
from asc_experiments.tracking.registry.candidate import Candidate, Data
from asc_experiments.tracking.study_identity import STUDY_ID, only_of
from asc_experiments.tracking.trials import (
    CELL,
    OBJECTIVE_VALUE,
    ORIGINAL,
    RECIPE,
    REPLICATE_KIND,
    SEED_KIND,
    TEACHER_KEY,
    TRAINING_SECONDS,
    TRIAL_KIND,
    best_trial,
    study_experiment,
)

_TEACHERS, _STUDENTS = "teachers", "students"


def read_studies(tracking: Tracking, names: Sequence[str]) -> list[StudyRuns]:
    """Read studies from the tracking server.

    Raises:
        AscError: if it knows no study of a name.
    """
    experiments = [study_experiment(tracking, name) for name in dict.fromkeys(names)]
    bank = {run.tags[TEACHER_KEY]: run for run in reversed(_finished(tracking, _TEACHERS, TEACHER_KEY))}
    singles = tuple(_finished(tracking, _STUDENTS, RECIPE))
    evidence = cache(partial(evidence_of, tracking))
    studies = []
    for name, experiment in zip(dict.fromkeys(names), experiments, strict=True):
        tags = tracking.experiment_tags(experiment)
        runs, left_out = _runs(tracking, experiment, tags.get(STUDY_ID, ""))
        judge = partial(judge_trial, tracking)
        study = StudyRuns(name, tags, tuple(runs), bank, singles, evidence=evidence, judge=judge, left_out=left_out)
        studies.append(replace(study, data=_data(tracking, study)))
    return studies


def _runs(tracking: Tracking, experiment: str, identity: str) -> tuple[list[RunRecord], int]:
    """The runs of a study that a report needs, and how many finished trials are of others of its name."""
    found = runs_of_kinds(tracking, experiment, [TRIAL_KIND, REPLICATE_KIND])
    runs = only_of(identity, found)
    others = [run for run in found if run.tags[KIND] == TRIAL_KIND and run.status == "FINISHED"]
    left_out = len(others) - len(only_of(identity, others))
    seeds = {KIND: SEED_KIND, STUDY_ID: identity or None}
    runs += tracking.search([experiment], where(seeds, status="!FINISHED"))
    finished = [run for run in runs if run.status == "FINISHED" and run.tags.get(KIND) == TRIAL_KIND]
    finished = [run for run in finished if OBJECTIVE_VALUE in run.metrics]
    if finished and all(TRAINING_SECONDS in run.metrics for run in finished):
        best = best_trial(finished, experiment)
        seeds |= {CELL: best.tags[CELL]} if CELL in best.tags else {PARENT: best.run_id}
    query = where(seeds, status="FINISHED")
    return runs + [_with_exports(tracking, run) for run in tracking.search([experiment], query)], left_out


def _with_exports(tracking: Tracking, student: RunRecord) -> RunRecord:
    """A student; where it was found rather than trained, with what became of its network as a file since."""
    if ORIGINAL not in student.tags:
        return student
    exports = {k: v for k, v in tracking.get(student.tags[ORIGINAL]).metrics.items() if k.startswith(f"{FOLDER}/")}
    return replace(student, metrics=dict(student.metrics) | exports)


def _data(tracking: Tracking, study: StudyRuns) -> Data:
    """The corpus of the study's networks and how its clips were used, as the best trial's first student has it."""
    if not study.trials:
        return Data()
    best = best_trial(study.trials, study.name)
    students = study.students_of(best)
    return Candidate(tracking, best, students[0] if students else best).data


def _finished(tracking: Tracking, experiment: str, tag: str) -> list[RunRecord]:
    """The finished runs of an experiment that have a tag, oldest first; none where there is no such experiment."""
    if not tracking.has_experiment(experiment):
        return []
    runs = tracking.search([tracking.experiment(experiment)], where(status="FINISHED"))
    return [run for run in runs if tag in run.tags]
