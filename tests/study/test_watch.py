"""The live view tells what is under way, how far it is, and what was reused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.study.driver import Driver
from asc_experiments.study.status import StudyStatus
from asc_experiments.study.storage import load_study, open_storage
from asc_experiments.study.watch import StudyView, Training, view_study, watch_table
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.trials import EPOCH, EPOCH_SECONDS, STUDY, TRIAL
from tests.study.conftest import Answers


def shown(view: StudyView) -> str:
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    Console(file=out, width=160).print(watch_table(view))
    return out.getvalue()


@pytest.fixture
def half_done(driver: Callable[..., Driver], answers: Answers, tracking: Tracking) -> Driver:
    """A study of two trials, both finished, of four that are asked for."""
    started = driver({"trials": 2})
    started.run()
    return driver({"trials": 4})


def test_training_under_way_is_told_with_its_epoch_its_accuracy_and_the_time_it_still_takes(
    half_done: Driver, tracking: Tracking, workspace: Path
) -> None:
    study = load_study(open_storage(workspace, None), "tiny")
    tags = {STUDY: "tiny", TRIAL: "2"}
    own, bank = tracking.experiment("tiny"), tracking.experiment("teachers")
    with tracking.run(own, "seed 1000", "seed", tags) as run, tracking.run(bank, "cp_resnet-32", "teacher") as other:
        run.params({"epochs": 10, "arch": "cp_mobile"})
        run.metrics({EPOCH: 4.0, EPOCH_SECONDS: 5.0, "validation/accuracy/overall": 0.625}, step=4)
        other.params({"epochs": 7})
        view = view_study(study, tracking)
    assert set(view.trainings) == {
        Training("cp_mobile", "seed", 2, 4, 10, 0.625, 30.0),
        Training("cp_resnet-32", "teacher", None, 0, 7, None, None),
    }
    assert (view.status.done, view.status.asked) == (2, 4)
    assert view.seconds_left is not None
    told = shown(view)
    for part in ("2 of 4 trials done", "4 / 10", "62.5 %", "30 s"):
        assert part in told
    assert json.loads(json.dumps(view.facts()))["trainings"][0]["epochs"] in (7, 10)


def test_nothing_under_way_is_said(half_done: Driver, tracking: Tracking, workspace: Path) -> None:
    view = view_study(load_study(open_storage(workspace, None), "tiny"), tracking)
    assert view.trainings == ()
    assert "nothing is being trained" in shown(view)


def test_time_left_is_that_of_the_finished_trials_shared_by_those_under_way() -> None:
    status = StudyStatus("s", "m", 10, 4, 0, 0, 2, 0, 1, 0.5)
    view = StudyView(status, (), teachers=2, uses=7, found=1, seconds_left=5_400.0)
    told = shown(view)
    assert "about 1.5 h left" in told
    assert "teachers: 2, used 7 times; 1 were in the bank before" in told
    assert "best so far: trial 1, m 0.5000" in told


def test_watch_command_looks_once_and_tells_json(half_done: Driver, workspace: Path, asc: Callable) -> None:
    where = ("--workspace", workspace)
    assert "2 of 4 trials done" in asc("study", "watch", "tiny", "--once", *where).out
    facts = json.loads(asc("study", "watch", "tiny", "--json", *where).out)
    assert (facts["name"], facts["finished"], facts["trainings"]) == ("tiny", 2, [])


def test_watching_an_unknown_study_is_one_line(half_done: Driver, workspace: Path, asc: Callable) -> None:
    result = asc("study", "watch", "tinny", "--workspace", workspace)
    assert result.code == 2
    assert result.err == "error: study 'tinny': does not exist here; did you mean 'tiny'?\n"
