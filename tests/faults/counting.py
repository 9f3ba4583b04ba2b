"""What must hold of a study that has reached its total, whatever happened on the way."""

from collections import Counter

from optuna.storages import BaseStorage
from optuna.trial import TrialState

from asc_experiments.study.storage.open_storage import load_study
from asc_experiments.study.storage.trial_status import study_status
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.records import KIND, PARENT
from asc_experiments.tracking.trials import SEED_KIND, TRIAL, finished_trials


def check_what_is_left(tracking: Tracking, storage: BaseStorage, asked: int, epochs: int = 0) -> None:
    """Count: nothing is lost, nothing is there twice, and nothing says RUNNING.

    Args:
        tracking: where the runs are.
        storage: where the trials are.
        asked: the total that the study "tiny" has reached.
        epochs: of its students, whose curves must be whole; 0 where that does not matter.
    """
    study = load_study(storage, "tiny")
    status = study_status(study)
    assert (status.finished, status.pruned, status.failed, status.running) == (asked, 0, 0, 0)
    assert not [trial for trial in study.get_trials() if trial.state in (TrialState.RUNNING, TrialState.WAITING)]
    experiments = [tracking.experiment("tiny"), tracking.experiment("teachers")]
    assert not tracking.search(experiments, "attributes.status = 'RUNNING'")
    trials = finished_trials(tracking, "tiny")
    numbers = Counter(record.tags[TRIAL] for record in trials)
    complete = {str(t.number) for t in study.get_trials() if t.state == TrialState.COMPLETE}
    assert set(numbers) == complete
    assert set(numbers.values()) == {1}, "no trial finished twice"
    keys = Counter(
        record.tags["asc.teacher"] for record in tracking.search(experiments[1:], "attributes.status = 'FINISHED'")
    )
    assert set(keys.values()) == {1}, "no teacher trained twice"
    for trial in trials if epochs else []:
        for student in students_of(tracking, trial):
            points = tracking.client.get_metric_history(student.run_id, "train/loss")
            assert sorted(point.step for point in points) == list(range(1, epochs + 1)), "every epoch once"


def students_of(tracking: Tracking, trial: RunRecord) -> list[RunRecord]:
    """The finished students of a trial; at least one."""
    query = f"attributes.status = 'FINISHED' AND tags.`{KIND}` = '{SEED_KIND}' AND tags.`{PARENT}` = '{trial.run_id}'"
    found = tracking.search([trial.experiment_id], query)
    assert found
    return found
