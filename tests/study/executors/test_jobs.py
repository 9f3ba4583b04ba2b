"""What a worker process is given arrives there whole."""

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from asc_experiments.distill import TrainingContext
from asc_experiments.study.executors.jobs import Pruned, Reporter, SeedJob
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.training import KL, make_recipe


def job(reporter: Reporter | None) -> SeedJob:
    student = make_recipe("cp_mobile", base_channels=8)
    return SeedJob("tiny", 0, "seed", "1", "r", ("1f",), "mean_logits", student, KL(), True, reporter)


def test_job_travels_with_its_reporter_which_tells_the_same_study(empty_workspace: Path) -> None:
    storage = open_storage(empty_workspace, None)
    study = optuna.create_study(study_name="tiny", storage=storage, pruner=optuna.pruners.ThresholdPruner(lower=0.5))
    trial = study.ask()
    sent = job(Reporter(trial, "validation/accuracy/macro"))
    arrived = pickle.loads(pickle.dumps(sent))
    assert (arrived.student, arrived.teachers) == (sent.student, sent.teachers)
    arrived.reporter(0, {"validation/accuracy/macro": 0.75})
    with pytest.raises(Pruned, match="pruned after epoch 2"):
        arrived.reporter(1, {"validation/accuracy/macro": 0.25})
    assert study.get_trials()[0].intermediate_values == {0: 0.75, 1: 0.25}


def test_epoch_that_was_reported_before_the_worker_was_killed_is_not_reported_again(empty_workspace: Path) -> None:
    study = optuna.create_study(study_name="tiny", storage=open_storage(empty_workspace, None))
    reporter = Reporter(study.ask(), "m")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for epoch, value in ((0, 0.1), (1, 0.2), (0, 0.1), (1, 0.2), (2, 0.3)):
            reporter(epoch, {"m": value})
    assert study.get_trials()[0].intermediate_values == {0: 0.1, 1: 0.2, 2: 0.3}


def test_workbench_is_opened_once_in_a_process_and_is_the_same(open_bench: Callable[..., TrainingContext]) -> None:
    bench = open_bench()
    one, two = (pickle.loads(pickle.dumps(bench)) for _ in range(2))
    assert one is two
    assert (one.corpus.filenames, one.split) == (bench.corpus.filenames, bench.split)
    assert one.tracking.uri == bench.tracking.uri
