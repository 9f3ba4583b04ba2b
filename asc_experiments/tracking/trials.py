"""How a study's trials stand in the tracking server: the tags that report and registry read them by."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.tracking.client import Tracking
from asc_experiments.tracking.run import KIND, RunRecord

STUDY, TRIAL = "asc.study", "asc.trial"
OBJECTIVE, DIRECTION, SPLIT = "asc.objective", "asc.direction", "asc.objective_split"
OBJECTIVE_VALUE = "objective"
TRIAL_KIND, SEED_KIND = "trial", "seed"


def study_experiment(tracking: Tracking, study: str) -> str:
    """The experiment id of a study.

    Raises:
        AscError: if the tracking server knows no study of that name.
    """
    if not tracking.has_experiment(study):
        names = [experiment.name for experiment in tracking.client.search_experiments(max_results=1_000)]
        names = [name for name in names if name not in ("Default", "teachers", "students")]
        hint = nearest(study, names) if names else "run one with `asc study run`"
        raise AscError(f"study '{study}'", "is not in the tracking server", hint)
    return tracking.experiment(study)


def finished_trials(tracking: Tracking, study: str) -> list[RunRecord]:
    """The finished trials of a study, in the order of their numbers.

    Raises:
        AscError: if the tracking server knows no study of that name.
    """
    query = f"attributes.status = 'FINISHED' AND tags.`{KIND}` = '{TRIAL_KIND}'"
    records = tracking.search([study_experiment(tracking, study)], query)
    return sorted(records, key=lambda record: int(record.tags[TRIAL]))


def best_trial(records: Sequence[RunRecord], study: str) -> RunRecord:
    """The trial with the best objective; the earlier one of equals.

    Raises:
        AscError: if no trial has finished.
    """
    if not records:
        raise AscError(f"study '{study}'", "has no finished trial", f"run `asc study status {study}`")
    sign = 1.0 if records[0].tags[DIRECTION] == "maximize" else -1.0
    return max(records, key=lambda record: sign * record.metrics[OBJECTIVE_VALUE])
