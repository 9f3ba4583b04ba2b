"""The live view tells what is active, how far it is, and what was reused."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.study.monitor import live_view
from asc_experiments.study.monitor.live_view import StudyView, Training, Watch, _seconds_left, view_study, watch_table
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import load_study, open_storage
from asc_experiments.study.storage.trial_status import VERDICT, StudyStatus
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client import bulk_read as many
from asc_experiments.tracking.study_identity import STUDY_ID, present_identity
from asc_experiments.tracking.trials import (
    EPOCH,
    EPOCH_SECONDS,
    SEED,
    STUDENTS,
    STUDENTS_TRAINED,
    STUDY,
    TEACHER_KEY,
    TEACHERS,
    TRAINING_SECONDS,
    TRIAL,
    finished_trials,
)
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


def test_training_active_is_told_with_its_epoch_its_accuracy_and_the_time_it_still_takes(
    half_done: Driver, tracking: Tracking, workspace: Path
) -> None:
    study = load_study(open_storage(workspace, None), "tiny")
    tags = {STUDY: "tiny", TRIAL: "2", SEED: "1000"}
    own, bank = tracking.experiment("tiny"), tracking.experiment("teachers")
    with tracking.run(own, "seed 1000", "seed", tags) as run, tracking.run(bank, "cp_resnet-32", "teacher") as other:
        run.params({"epochs": 10, "arch": "cp_mobile"})
        run.metrics({EPOCH: 4.0, EPOCH_SECONDS: 5.0, "validation/accuracy/overall": 0.625}, step=4)
        other.params({"epochs": 7})
        view = view_study(study, tracking)
    assert set(view.trainings) == {
        Training("cp_mobile", "seed", 2, 4, 10, 0.625, 30.0, 1000, "labels alone"),
        Training("cp_resnet-32", "teacher", None, 0, 7, None, None),
    }
    assert (view.status.done, view.status.asked) == (2, 4)
    assert view.seconds_left is not None
    told = shown(view)
    told_of = ("2 of 4 trials done", "4 / 10", "62.5 %", "30 s", "trial 2, seed 1000", "cp_mobile from labels alone")
    for part in (*told_of, "; 1 being trained"):
        assert part in " ".join(told.split())
    assert json.loads(json.dumps(view.facts()))["trainings"][0]["epochs"] in (7, 10)


def test_nothing_active_is_said(half_done: Driver, tracking: Tracking, workspace: Path) -> None:
    view = view_study(load_study(open_storage(workspace, None), "tiny"), tracking)
    assert view.trainings == ()
    assert "nothing is being trained" in shown(view)


def test_second_look_asks_only_for_what_has_changed(
    half_done: Driver, tracking: Tracking, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trials that are long finished, and the bank, are read at the first look, and without their metrics."""
    own = tracking.experiment("tiny")
    with tracking.run(tracking.experiment("teachers"), "cp_resnet", "teacher", {TEACHER_KEY: "k1"}):
        pass
    for number, trial in enumerate(finished_trials(tracking, "tiny")):
        tracking.writer(trial.run_id, own).tags({TEACHERS: f"k1,k{number + 2}"})
    with sqlite3.connect(workspace / "mlruns" / "mlflow.db") as connection:
        connection.execute("UPDATE runs SET start_time = start_time - 7200000, end_time = end_time - 7200000")
    watch = Watch(load_study(open_storage(workspace, None), "tiny"), tracking)
    tables, read = [], many._by_run
    monkeypatch.setattr(many, "_by_run", lambda *of: tables.append(str(of[1])) or read(*of))
    first = watch.look()
    assert (first.teachers, first.uses) == (3, 4)
    assert tables
    assert not any("metrics" in table or "params" in table for table in tables)
    tables.clear()
    answered: list[str] = []
    search = tracking.now.search_runs

    def note(*arguments: Any, **named: Any) -> Any:
        found = search(*arguments, **named)
        answered.extend(run.info.run_name for run in found)
        return found

    monkeypatch.setattr(tracking.now, "search_runs", note)
    assert watch.look() == first
    assert (tables, answered) == ([], [])
    tags = {STUDY: "tiny", STUDY_ID: present_identity(tracking, own), TRIAL: "2", TEACHERS: "k2,k3"}
    with tracking.run(own, "trial 2", "trial", tags):
        pass
    again = watch.look()
    assert (tables, answered) == ([], ["trial 2"])
    assert (again.teachers, again.uses, again.found) == (3, 6, first.found)


def test_time_left_is_that_of_the_finished_trials_shared_by_those_active() -> None:
    status = StudyStatus("s", "m", 10, 4, 0, 0, 0, 2, 0, 1, 0.5)
    view = StudyView(status, (), teachers=2, uses=7, found=1, seconds_left=5_400.0)
    told = shown(view)
    assert "about 1.5 h left" in told
    told = " ".join(told.split())
    assert "teachers of finished trials: 2, used 7 times; 1 was in the bank before the study began" in told
    assert "best so far: trial 1, m 0.5000" in told


def test_student_that_is_being_trained_is_told_with_its_teachers(
    half_done: Driver, tracking: Tracking, workspace: Path
) -> None:
    own, bank = tracking.experiment("tiny"), tracking.experiment("teachers")
    with tracking.run(bank, "cp_resnet-32-s0", "teacher", {TEACHER_KEY: "k1"}):
        pass
    with tracking.run(own, "seed 7", "seed", {STUDY: "tiny", TRIAL: "2", SEED: "7", TEACHERS: "k1,k9"}):
        (found,) = view_study(load_study(open_storage(workspace, None), "tiny"), tracking).trainings
    assert (found.seed, found.taught_by) == (7, "cp_resnet-32-s0 + k9")


def timed(seconds: float, **metrics: float) -> RunRecord:
    """A finished trial that took so long."""
    named = {{"students": STUDENTS, "trained": STUDENTS_TRAINED, "training": TRAINING_SECONDS}[k]: v
             for k, v in metrics.items()}  # fmt: skip
    return RunRecord("r", "1", "trial", "FINISHED", {}, named, {}, 0, int(1_000 * seconds))


def test_time_left_is_not_taken_from_trials_whose_students_were_found() -> None:
    status = StudyStatus("s", "m", 5, 1, 0, 0, 0, 0, 0, 1, 0.5)
    assert _seconds_left(status, [timed(3, students=3, trained=1)], []) is None
    assert _seconds_left(status, [timed(40, students=3, trained=2)], []) == pytest.approx(4 * 60)
    assert _seconds_left(status, [timed(40, students=3, trained=3)], []) == pytest.approx(4 * 40)
    resumed = timed(5, students=3, trained=3, training=150)
    assert _seconds_left(status, [resumed], []) == pytest.approx(4 * 50), "its run has its last attempt alone"


def test_watch_command_looks_once_and_tells_json(half_done: Driver, workspace: Path, asc: Callable) -> None:
    where = ("--workspace", workspace)
    assert "2 of 4 trials done" in asc("study", "watch", "tiny", "--once", *where).out
    facts = json.loads(asc("study", "watch", "tiny", "--json", *where).out)
    assert (facts["name"], facts["finished"], facts["trainings"]) == ("tiny", 2, [])


def test_watching_a_study_that_nobody_works_on_says_so_and_ends(
    half_done: Driver, workspace: Path, asc: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_view, "_IDLE_S", 0.5)
    result = asc("study", "watch", "tiny", "--every", 0.2, "--workspace", workspace)
    assert result.code == 0
    assert result.out.count("nothing is being trained") > 1, "it looked again: a driver may be between two trials"
    said = "nobody works on study tiny: 2 of 4 trials are done; the command that began it resumes: asc study run"
    assert result.out.splitlines()[-1] == said


def test_watching_a_finished_study_tells_its_verdict_and_ends(
    driver: Callable[..., Driver], answers: Answers, workspace: Path, asc: Callable
) -> None:
    (made := driver({"trials": 2})).run()
    made.study.set_user_attr(VERDICT, {"finished": 2, "has_learned": True, "sentence": "Use what you have."})
    result = asc("study", "watch", "tiny", "--workspace", workspace)
    assert result.code == 0
    assert result.out.count("2 of 2 trials done") == 1
    assert result.out.splitlines()[-2] == "study tiny is finished: Use what you have."


def test_study_whose_best_are_tried_again_has_not_ended(
    driver: Callable[..., Driver],
    answers: Answers,
    tracking: Tracking,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_view, "_IDLE_S", 0.0)
    driver({"trials": 2}).run()
    watch = Watch(load_study(open_storage(workspace, None), "tiny"), tracking)
    with tracking.run(tracking.experiment("tiny"), "replicate 2000", "replicate", {STUDY: "tiny", TRIAL: "1"}):
        assert watch.look().is_active
        assert not watch.has_ended
    assert not watch.look().is_active
    assert watch.has_ended


def test_watching_an_unknown_study_is_one_line(half_done: Driver, workspace: Path, asc: Callable) -> None:
    result = asc("study", "watch", "tinny", "--workspace", workspace)
    assert result.code == 2
    assert result.err == "error: study 'tinny': does not exist here; did you mean 'tiny'?\n"
