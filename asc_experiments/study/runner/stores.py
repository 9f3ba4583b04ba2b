"""A study's two stores held against each other: its trials in Optuna's storage, its runs in the tracking server.

In each of them something can be deleted, or an older copy restored, and the other one does not know. What is found
apart is refused, or settled and said, before a trial is run. Every pair of states and what is done about it stands in
docs/explanation/two-stores.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from asc_experiments.base.errors import AscError, without_secrets
from asc_experiments.base.progress import say
from asc_experiments.study.runner.recovery import queue_again
from asc_experiments.study.storage.open_storage import study_names
from asc_experiments.study.storage.trial_status import DELETED, OWNER, counted, finished_counted
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.bulk_read import runs_of_kinds
from asc_experiments.tracking.client.records import OWNER as RUN_OWNER
from asc_experiments.tracking.study_identity import STUDY_ID, identity_of, make_present, only_of, set_aside
from asc_experiments.tracking.trials import TRIAL, TRIAL_KIND


def identity_in_optuna(study: optuna.Study) -> str:
    """A study's identity; empty where an earlier version began it."""
    return str(study.user_attrs.get(STUDY_ID, ""))


def is_replaced(study: optuna.Study, identity: str) -> bool:
    """Whether a study was deleted since, or deleted and begun anew: SQLite gives the new one the old one's number."""
    try:
        return identity_in_optuna(study) != identity
    except KeyError:
        return True


@contextmanager
def unless_replaced(study: optuna.Study, identity: str) -> Iterator[None]:
    """Work on a study that may be deleted meanwhile.

    Raises:
        AscError: if the block raised anything else than one, and the study is not there any more.
    """
    try:
        yield
    except AscError:
        raise
    except Exception:
        with suppress(SQLAlchemyError, OSError):  # the storage is away: what the block raised says so
            refuse_replaced(study, identity)
        raise


def refuse_replaced(study: optuna.Study, identity: str) -> None:
    """Refuse to write into a study that was deleted.

    Raises:
        AscError: if it was.
    """
    if is_replaced(study, identity):
        remedy = "the same command begins it anew; students that had finished are found again"
        raise AscError(f"study '{study.study_name}'", "was deleted in Optuna while it ran", remedy)


def refuse_without_runs(name: str, storage: BaseStorage, tracking: Tracking, retry_deleted: bool = False) -> None:
    """Refuse to resume a study whose runs are not in the tracking server. Nothing is written.

    Args:
        name: the study's.
        storage: Optuna's.
        tracking: the server.
        retry_deleted: whether trials whose runs were deleted are to be run again.

    Raises:
        AscError: if its experiment was deleted, or trials have finished and none of them has its run.
    """
    tracking.refuse_deleted(name)
    if retry_deleted or name not in study_names(storage):
        return
    study = optuna.load_study(study_name=name, storage=storage)
    finished = finished_counted(study)
    if finished and not ({trial.number for trial in finished} & {_number(run) for run in _runs(study, tracking)}):
        what = f"{_trials(len(finished))} in Optuna, and no run of one in {without_secrets(tracking.uri)}"
        remedy = "give the --tracking-uri that has the runs; if they were deleted, --retry-deleted runs those trials "
        raise AscError(f"study '{name}'", what, f"{remedy}again, and --set name=… begins another study")


def take_over(study: optuna.Study, tracking: Tracking, experiment_id: str) -> None:
    """Have report and registry read this study's runs, and say so where they read those of another of its name."""
    identity = identity_in_optuna(study)
    if not make_present(tracking, experiment_id, identity):
        return
    if others := [run for run in _finished(tracking, experiment_id) if identity_of(run) != identity]:
        who = f"study {study.study_name}: another one of this name, deleted in Optuna or kept in another storage"
        say(f"{who}, has {_trials(len(others))} in the tracking server; report and register leave out what it has")


def settle_apart(study: optuna.Study, tracking: Tracking, experiment_id: str, retry_deleted: bool) -> None:
    """Set aside runs that no trial of the study stands for, and find finished trials whose runs were deleted.

    Args:
        study: in Optuna; nobody else begins a trial of it meanwhile.
        tracking: the server.
        experiment_id: the study's.
        retry_deleted: whether trials whose runs were deleted are queued again.
    """
    where = f"study {study.study_name}"
    trials = study.get_trials(deepcopy=False)  # before the runs: a run ends before its trial is told
    finished = finished_counted(study)
    runs = only_of(identity_in_optuna(study), _finished(tracking, experiment_id))
    if strays := _strays(trials, runs):
        for run in strays:
            set_aside(tracking, run)
        say(f"{where}: left out from now on, as not known to Optuna: {_trials(len(strays))} in the tracking server")
    deleted = sorted({trial.number for trial in finished} - {_number(run) for run in runs})
    if deleted and retry_deleted:
        for number in deleted:
            queue_again(study, number)
        say(f"{where}: {_trials(len(deleted))} whose runs were deleted once more; students that are left are found")
        deleted = []
    elif deleted:
        said = f"of {_trials(len(finished))}, the runs of {len(deleted)} were deleted in the tracking server"
        say(f"{where}: {said}: these do not count; --retry-deleted runs them again")
    if study.user_attrs.get(DELETED, []) != deleted:
        study.set_user_attr(DELETED, deleted)


def _strays(trials: Sequence[FrozenTrial], runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The finished runs that no trial stands for, and those that are a second run of one."""
    complete = {trial.number for trial in counted(trials) if trial.state == TrialState.COMPLETE}
    of_number = defaultdict(list)
    for run in runs:
        of_number[_number(run)].append(run)
    strays = []
    for number, found in of_number.items():
        trial = trials[number] if number < len(trials) else None
        owner = None if trial is None else trial.user_attrs.get(OWNER)
        own = [run for run in found if run.tags.get(RUN_OWNER) == owner]
        if number in complete:
            own = (own or found)[-1:]
        elif trial is None or trial.state != TrialState.RUNNING:
            own = []
        strays += [run for run in found if run not in own]
    return strays


def _runs(study: optuna.Study, tracking: Tracking) -> list[RunRecord]:
    name = study.study_name
    if not tracking.has_experiment(name):
        return []
    return only_of(identity_in_optuna(study), _finished(tracking, tracking.experiment(name)))


def _finished(tracking: Tracking, experiment_id: str) -> list[RunRecord]:
    """The finished trials' runs of an experiment, oldest first."""
    runs = runs_of_kinds(tracking, experiment_id, [TRIAL_KIND], tags_alone=True)
    return [run for run in runs if run.status == "FINISHED" and run.tags.get(TRIAL, "").isdigit()]


def _trials(number: int) -> str:
    return f"{number} finished trial" + ("" if number == 1 else "s")


def _number(run: RunRecord) -> int:
    return int(run.tags[TRIAL])
