"""Attempts at trials: what a killed or stopped driver left is settled, and re-queued."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from asc_experiments.base.ownership import is_elsewhere, this_process
from asc_experiments.study.executors.jobs import PRUNED_NOTE, TakenOver, has_ended, unless_taken_over
from asc_experiments.study.search.search_space import Queued
from asc_experiments.study.storage.postgres import silent_trials
from asc_experiments.study.storage.trial_status import (
    AGAIN_OF,
    INTERRUPTED,
    OWNER,
    SEEDS,
    counted,
    superseded,
    was_interrupted,
)
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import DRIVER, ERROR, KIND, PARENT
from asc_experiments.tracking.client.records import OWNER as RUN_OWNER
from asc_experiments.tracking.trials import AGAINST_VALUE, CELL, OBJECTIVE_VALUE, REPLICATE_KIND, TRIAL, TRIAL_KIND

_QUEUED_WITH = "fixed_params"
"""The system attribute under which Optuna keeps the parameters of a queued trial."""
NUMBER_IN_FILE = "asc.enqueued"
"""Which of the study file's own trials, or of a grid's cells, a trial is; the first is the baseline."""
_LOST = "its host is gone"
_VALUES = (OBJECTIVE_VALUE, AGAINST_VALUE)


def ask_as_owner(study: optuna.Study) -> Trial:
    """The next trial, which nobody ever sees RUNNING without this process as its owner.

    Optuna begins a trial and takes attributes after that: whoever looks in between sees one that nobody works on. So
    the trial is queued first, if none is, and owned while it waits.
    """
    if not (waiting := _waiting(study)):
        study.enqueue_trial({})
        waiting = _waiting(study)
    study._storage.set_trial_user_attr(waiting[0]._trial_id, OWNER, this_process())
    trial = study.ask()
    if trial.user_attrs.get(OWNER) != this_process():  # the lock that this is done under was lost
        trial.set_user_attr(OWNER, this_process())
    return trial


def _waiting(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.WAITING,))


def settle(study: optuna.Study, tracking: Tracking, experiment_id: str) -> tuple[int, int]:
    """Settle what killed drivers left: runs end as KILLED, trials are told or re-queued.

    Returns:
        How many trials and how many runs there were to settle.
    """
    swept = tracking.sweep()
    silent = silent_trials(study)
    trials = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.RUNNING]
    abandoned = [t for t in trials if was_interrupted(t) or (t._trial_id in silent and is_elsewhere(_owner(t)))]
    for driver in {_owner(t) for t in abandoned} - {_owner(t) for t in trials if t not in abandoned}:
        swept += tracking.end_runs_of(DRIVER, driver, _LOST)
    for frozen in abandoned:
        swept += _end_runs(tracking, experiment_id, frozen)
        with suppress(TakenOver):  # its driver has woken up meanwhile, and told it
            settle_trial(study, tracking, experiment_id, Trial(study, frozen._trial_id))
    return len(abandoned), swept


def settle_trial(study: optuna.Study, tracking: Tracking, experiment_id: str, trial: Trial) -> None:
    """End a trial that nobody works on any more: as its run ended, if it did; else it is re-queued.

    Raises:
        TakenOver: if it has ended by somebody else's doing.
    """
    run = None
    trials = study.get_trials(deepcopy=False)
    if trial.number not in superseded(trials):
        run = _ended_run(tracking, experiment_id, trials[trial.number])
    if run is None:
        requeue(study, trial)
    elif run.status == "FINISHED":  # stopped between the last line in MLflow and the first in Optuna
        tell(study, trial, [run.metrics[name] for name in _VALUES[: len(study.directions)]])
    else:
        tell(study, trial, state=TrialState.PRUNED)


def tell(
    study: optuna.Study, trial: Trial, values: Sequence[float] | None = None, state: TrialState | None = None
) -> None:
    """Tell how a trial ended.

    Raises:
        TakenOver: if somebody else has told that already.
    """
    with unless_taken_over(trial):
        study.tell(trial, values, state=state)


def withdraw(tracking: Tracking, experiment_id: str, trial: Trial) -> None:
    """Have the run of a trial that was taken over count no more where the trial was queued again: then another does.

    Where the one who took it over told it by this run, it stays.
    """
    frozen = trial.storage.get_trial(trial._trial_id)
    run = _ended_run(tracking, experiment_id, frozen) if frozen.state == TrialState.FAIL else None
    if run is not None and run.status == "FINISHED":
        tracking.writer(run.run_id, experiment_id).end("KILLED", str(TakenOver()))


def requeue(study: optuna.Study, trial: Trial) -> None:
    """Queue a trial's parameters again, those it was queued with and those it was given, and end it as interrupted.

    Queueing names the trial that it supersedes: killed in between, nothing is lost and nothing asked twice.

    Raises:
        TakenOver: if it has ended by somebody else's doing.
    """
    if has_ended(trial):
        raise TakenOver
    queue_again(study, trial.number)
    with unless_taken_over(trial):
        trial.set_user_attr(INTERRUPTED, True)
    tell(study, trial, state=TrialState.FAIL)


def ask_failed_again(study: optuna.Study) -> int:
    """Queue every failed trial once more; how many there were."""
    failed = [t for t in counted(study.get_trials(deepcopy=False)) if t.state == TrialState.FAIL]
    for trial in failed:
        queue_again(study, trial.number)
    return len(failed)


def queue_again(study: optuna.Study, number: int) -> None:
    """Queue a trial's parameters again, with its seeds; the new trial supersedes it, whatever its state is."""
    trials = study.get_trials(deepcopy=False)
    frozen = trials[number]
    params = dict(frozen.system_attrs.get(_QUEUED_WITH, {})) | dict(frozen.params)
    if number not in superseded(trials):
        kept = {key: value for key, value in frozen.user_attrs.items() if key in (NUMBER_IN_FILE, CELL, SEEDS)}
        study.enqueue_trial(params, user_attrs=kept | {AGAIN_OF: number})


def enqueue(study: optuna.Study, queue: Sequence[Queued], asked: int) -> None:
    """Queue a study's own trials, each once, also where an earlier driver was killed while it did.

    Args:
        study: in Optuna.
        queue: its own trials in the order they are run.
        asked: how many trials it runs in total.
    """
    queued = queued_numbers(study)
    for number, params in own_trials(queue, queued, asked):
        if number not in queued:
            study.enqueue_trial(dict(params), user_attrs={NUMBER_IN_FILE: number})


def queued_numbers(study: optuna.Study) -> set[int]:
    """The numbers of a study's own trials that were queued, whatever became of them."""
    attributes = [trial.user_attrs for trial in study.get_trials(deepcopy=False)]
    return {each[NUMBER_IN_FILE] for each in attributes if NUMBER_IN_FILE in each}


def own_trials(queue: Sequence[Queued], queued: Collection[int], asked: int) -> list[Queued]:
    """Those of a study's own trials that it runs: those that were queued already, then the next up to its total.

    (A study that an earlier version began may have queued others first.)
    """
    there = [each for each in queue if each[0] in queued]
    return (there + [each for each in queue if each[0] not in queued])[:asked]


def _ended_run(tracking: Tracking, experiment_id: str, trial: FrozenTrial) -> RunRecord | None:
    """The run of a trial that had finished, or been pruned, in the tracking server."""
    for record in tracking.search([experiment_id], where(_runs_of(trial))):
        pruned = record.status == "KILLED" and record.tags.get(ERROR, "").startswith(PRUNED_NOTE)
        if pruned or (record.status == "FINISHED" and OBJECTIVE_VALUE in record.metrics):
            return record
    return None


def _end_runs(tracking: Tracking, experiment_id: str, trial: FrozenTrial) -> int:
    """End as KILLED what an abandoned trial left RUNNING, its students too; how many runs that were.

    On this host a sweep has done so. Of another host's processes only the heartbeats of their trials tell.
    """
    begun = tracking.search([experiment_id], where(_runs_of(trial), status="RUNNING"))
    children = [
        child
        for run in begun
        for child in tracking.search([experiment_id], where({PARENT: run.run_id}, status="RUNNING"))
    ]
    for run in children + begun:
        tracking.writer(run.run_id, experiment_id).end("KILLED", _LOST)
    return len(children) + len(begun)


def end_lost_replicates(tracking: Tracking, experiment_id: str) -> int:
    """End as KILLED the replicates that a lost host left RUNNING; how many there were.

    No trial is RUNNING then whose heart would tell; but whoever trains replicates holds a lock, as the caller does now.
    """
    query = where({KIND: REPLICATE_KIND}, status="RUNNING")
    left = [run for run in tracking.search([experiment_id], query) if is_elsewhere(run.tags.get(RUN_OWNER))]
    for run in left:
        tracking.writer(run.run_id, experiment_id).end("KILLED", _LOST)
    return len(left)


def _owner(trial: FrozenTrial) -> str:
    return str(trial.user_attrs.get(OWNER, ""))


def _runs_of(trial: FrozenTrial) -> dict[str, str | None]:
    """Tags of a trial's run: begun by the trial's owner. (Older studies of that name have that number too.)"""
    return {KIND: TRIAL_KIND, TRIAL: str(trial.number), RUN_OWNER: trial.user_attrs.get(OWNER, "")}
