"""Many drivers at once on the embedded stores: what `asc bench load` counts, and that it would count a loss."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.bench import load
from asc_experiments.study.runner.driver import Driver
from asc_experiments.tracking.study_identity import STUDY_ID
from asc_experiments.tracking.trials import SEARCHED, TRIAL, TRIAL_KIND, finished_trials

TIMES = ("load.seconds", "load.trials_per_s", "load.ms_")


def test_two_processes_lose_no_trial_and_no_metric(asc: Callable) -> None:
    result = asc("bench", "load", "--workers", 2, "--trials", 5, "--json")
    assert result.code == 0, result.out + result.err
    counts = json.loads(result.out)
    assert {name: count for name, count in counts.items() if not name.startswith(TIMES)} == {
        "load.workers": 2,
        "load.trials_asked": 10,
        "load.trials_finished_in_optuna": 10,
        "load.trials_finished_in_tracking": 10,
        "load.trials_done_again": 0,
        "load.lost_metrics": 0,
    }


@pytest.fixture
def done(workspace: Path, synth_corpus: Path) -> tuple[load.LoadedPlace, Driver]:
    """A study of three trials that is done and not yet counted."""
    (workspace / "corpus").symlink_to(synth_corpus)
    place = load.LoadedPlace(workspace, None, None, "load", 3)
    driver = place.driver()
    driver.run()
    return place, driver


def test_what_is_lost_or_done_again_is_counted(done: tuple[load.LoadedPlace, Driver]) -> None:
    place, driver = done
    tracking, client = driver.bench.tracking, driver.bench.tracking.client
    first, second, _ = finished_trials(tracking, "load")
    client.log_metric(first.run_id, "accuracy/overall", -1)
    client.delete_run(second.run_id)
    same = {tag: first.tags[tag] for tag in (TRIAL, SEARCHED, STUDY_ID)}
    with tracking.run(first.experiment_id, "once more", TRIAL_KIND, same) as run:
        run.metrics(first.metrics)
    facts = load.count(place, driver)
    assert not load.is_whole(facts)
    assert facts["load.trials_finished_in_optuna"] == 3
    assert facts["load.trials_finished_in_tracking"] == 2
    assert facts["load.trials_done_again"] == 1
    assert facts["load.lost_metrics"] == 1
    assert tracking.has_experiment("load"), "what was lost can be looked for"


def test_study_without_loss_is_deleted_again(done: tuple[load.LoadedPlace, Driver]) -> None:
    place, driver = done
    assert load.is_whole(load.count(place, driver))
    assert not driver.bench.tracking.has_experiment("load")
