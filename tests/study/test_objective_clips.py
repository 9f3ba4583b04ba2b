"""What a study is chosen on is counted, and told wherever a study speaks."""

import json
from collections.abc import Callable

import pytest

from asc_experiments.study.monitor.cost_estimate import plan_study
from asc_experiments.study.monitor.live_view import view_study, watch_table
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.study.storage.trial_status import study_status
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import NOTE
from asc_experiments.tracking.objective import ObjectiveClips
from asc_experiments.tracking.trials import finished_trials
from tests.study.conftest import Answers

UNSEEN = {
    "trials": 2,
    "objective": {"metric": "accuracy/group/unseen"},
    "validation": {"fraction": 0.3, "hold_out_devices": ["s3"]},
}


@pytest.fixture
def finished(driver: Callable[..., Driver], answers: Answers) -> Driver:
    """A study that is chosen on the few clips of a held-out device."""
    made = driver(UNSEEN)
    made.run()
    return made


def held_out_clips(driver: Driver) -> int:
    return int((driver.bench.corpus.device_of[driver.bench.rows[1]] == "s3").sum())


def test_run_says_what_it_is_chosen_on_with_a_warning_where_that_is_few(
    finished: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    finished.run()
    clips = held_out_clips(finished)
    assert 0 < clips < 100
    said = capsys.readouterr().err
    assert f"study tiny: accuracy/group/unseen on {clips} held-out clips of s3 at " in said
    assert f"one clip is {100 / clips:.1f} points (fewer than 100 clips: most differences between trials" in said


def test_every_trial_done_is_said_with_how_few_clips_the_best_is_of(
    driver: Callable[..., Driver], answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    made = driver(UNSEEN)
    made.run()
    assert f" on only {held_out_clips(made)} clips\n" in capsys.readouterr().err


def test_runs_and_experiment_have_the_counts_as_tags(finished: Driver, tracking: Tracking) -> None:
    clips = held_out_clips(finished)
    experiment = tracking.experiment_tags(tracking.experiment("tiny"))
    for tags in (experiment, *(trial.tags for trial in finished_trials(tracking, "tiny"))):
        assert tags["asc.objective_clips"] == str(clips)
        assert int(tags["asc.objective_places"]) >= 1
        found = ObjectiveClips.from_tags(tags)
        assert found is not None
        assert (found.metric, found.split, found.clips, found.devices) == (
            "accuracy/group/unseen", "validation", clips, ("s3",),
        )  # fmt: skip
    assert f"Objective: accuracy/group/unseen on {clips} held-out clips of s3" in experiment[NOTE]


def test_status_and_watch_tell_the_clips_without_the_corpus(
    finished: Driver, tracking: Tracking, workspace: object, asc: Callable
) -> None:
    clips = held_out_clips(finished)
    facts = json.loads(asc("study", "status", "tiny", "--json", "--workspace", workspace).out)
    assert facts["objective_clips"] == clips
    assert facts["objective_note"].startswith(f"accuracy/group/unseen on {clips} held-out clips of s3")
    caption = str(watch_table(view_study(finished.study, tracking)).caption)
    assert caption.startswith(f"objective: accuracy/group/unseen on {clips} held-out clips of s3")


def test_study_of_an_earlier_version_has_a_status_without_the_clips(finished: Driver) -> None:
    finished.study.set_user_attr("asc.objective_clips", {})
    assert "objective_clips" not in study_status(finished.study).facts()


def test_plan_tells_the_clips_of_both_objectives(
    driver: Callable[..., Driver], workspace: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asc_experiments.study.monitor.cost_estimate.Clock.seconds", lambda *_: 1.0)
    made = driver(UNSEEN | {"against": {"metric": "device_generalization"}, "sampler": "nsga2"})
    plan = plan_study(made.file, made.bench, open_storage(workspace, None))  # type: ignore[arg-type]
    first, second = plan.facts()["objectives"]
    assert first["note"].startswith(f"accuracy/group/unseen on {held_out_clips(made)} held-out clips of s3 at ")
    assert second["clips"] == len(made.bench.rows[1])
