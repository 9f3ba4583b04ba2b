"""Attempts at trials: what a killed or stopped driver left is settled, and asked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from asc_experiments.study.searchable import Scalar
from asc_experiments.study.status import INTERRUPTED, was_interrupted
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.trials import AGAINST_VALUE, OBJECTIVE_VALUE, TRIAL, TRIAL_KIND

_QUEUED_WITH = "fixed_params"
"""The system attribute under which Optuna keeps the parameters of a queued trial."""
NUMBER_IN_FILE = "asc.enqueued"
"""Which of the study file's own trials, or of a grid's cells, a trial is; the first is the baseline."""
_AGAIN = "asc.asked_again"


def settle(study: optuna.Study, tracking: Tracking, experiment_id: str) -> tuple[int, int]:
    """Settle what killed drivers left: runs end as KILLED, trials are told or asked again.

    Returns:
        How many trials and how many runs there were to settle.
    """
    swept = tracking.sweep()
    abandoned = [t for t in study.get_trials(deepcopy=False) if _is_abandoned(t)]
    for frozen in abandoned:
        values = _logged_values(study, tracking, experiment_id, frozen.number)
        trial = Trial(study, frozen._trial_id)
        if values is None:
            ask_again(study, trial)
        else:  # killed between the last line in MLflow and the first in Optuna
            study.tell(trial, values)
    return len(abandoned), swept


def ask_again(study: optuna.Study, trial: Trial) -> None:
    """Queue a trial's parameters again, those it was queued with and those it was given, and end it as interrupted.

    Marked as interrupted last but for the end itself: killed in between, nothing is lost and nothing asked twice.
    """
    frozen = study.get_trials(deepcopy=False)[trial.number]
    params = dict(frozen.system_attrs.get(_QUEUED_WITH, {})) | dict(trial.params)
    if params and _AGAIN not in trial.user_attrs:
        number = frozen.user_attrs.get(NUMBER_IN_FILE)
        study.enqueue_trial(params, user_attrs={} if number is None else {NUMBER_IN_FILE: number})
        trial.set_user_attr(_AGAIN, True)
    trial.set_user_attr(INTERRUPTED, True)
    study.tell(trial, state=TrialState.FAIL)


def enqueue(study: optuna.Study, trials: Sequence[Mapping[str, Scalar]]) -> None:
    """Queue a study's own trials, each once, also where an earlier driver was killed while it did."""
    queued = {trial.user_attrs.get(NUMBER_IN_FILE) for trial in study.get_trials(deepcopy=False)}
    for number, params in enumerate(trials):
        if number not in queued:
            study.enqueue_trial(dict(params), user_attrs={NUMBER_IN_FILE: number})


def _logged_values(
    study: optuna.Study, tracking: Tracking, experiment_id: str, number: int
) -> tuple[float, ...] | None:
    """The objectives of a trial that had finished in the tracking server."""
    starts = [t.datetime_start for t in study.get_trials(deepcopy=False) if t.datetime_start]
    begun_ms = int(min(starts).timestamp() * 1_000)
    query = (
        f"attributes.status = 'FINISHED' AND tags.`asc.kind` = '{TRIAL_KIND}' AND tags.`{TRIAL}` = '{number}'"
        f" AND attributes.start_time >= {begun_ms}"  # not of an older study of that name
    )
    records = tracking.search([experiment_id], query, limit=1)
    if not records or OBJECTIVE_VALUE not in records[0].metrics:
        return None
    metrics = records[0].metrics
    return tuple(metrics[name] for name in (OBJECTIVE_VALUE, AGAINST_VALUE)[: len(study.directions)])


def _is_abandoned(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.RUNNING and was_interrupted(trial)
