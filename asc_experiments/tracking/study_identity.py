"""Which of several studies of one name a run is of.

MLflow knows a study by its experiment's name, Optuna's storage by its own. A study that is deleted in Optuna and begun
again, or is begun in another storage, has the name and the experiment of the first, and trials of the same numbers. So
each has an identity, which its trials' runs and their students have as a tag. The experiment names the identity of the
study that was run last: report and registry read its runs alone.

A study that an earlier version began has no identity, and neither have its runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import PARENT, RunRecord

if TYPE_CHECKING:  # with it comes MLflow
    from asc_experiments.tracking.client.client import Tracking

STUDY_ID = "asc.study_id"
"""Of a study in Optuna, of its runs, and of its experiment. See :mod:`asc_experiments.tracking.study_identity`."""
_SET_ASIDE = "not in Optuna: "
"""What the identity of a run begins with whose trial its study does not have."""


def identity_of(run: RunRecord) -> str:
    """The identity of the study that a run is of; empty where an earlier version began it."""
    return run.tags.get(STUDY_ID, "")


def present_identity(tracking: Tracking, experiment_id: str) -> str:
    """The identity of the study that was last run in an experiment; empty where an earlier version began it."""
    return tracking.experiment_tag(experiment_id, STUDY_ID)


def make_present(tracking: Tracking, experiment_id: str, identity: str) -> bool:
    """Have report and registry read the runs of this study from now on; whether they read another one's before."""
    before = present_identity(tracking, experiment_id)
    if before != identity:
        tracking.set_experiment_tags(experiment_id, {STUDY_ID: identity})
    return before != identity


def only_of(identity: str, runs: Iterable[RunRecord]) -> list[RunRecord]:
    """Those of the runs that are this study's."""
    return [run for run in runs if identity_of(run) == identity]


def set_aside(tracking: Tracking, run: RunRecord) -> None:
    """Have a trial's run, and its students, count for their study no more; they stay as they are otherwise."""
    students = tracking.search([run.experiment_id], where({PARENT: run.run_id}))
    for each in (*students, run):
        tracking.writer(each.run_id, each.experiment_id).tags({STUDY_ID: f"{_SET_ASIDE}{identity_of(run)}"})
