"""What networks learned beside guessing."""

import pytest

from asc_experiments.tracking import Tracking
from asc_experiments.tracking.judgement.doubts import judge_trial
from asc_experiments.tracking.judgement.learned import what_was_learned
from tests.tracking.judgement.conftest import SCENES, LogRun, answers


def test_guessing_is_nothing_learned_and_says_how_well_chance_does(tracking: Tracking, log_run: LogRun) -> None:
    judged = judge_trial(tracking, log_run(answers([0.34])), ())
    assert not judged.has_learned
    assert judged.doubts[0].startswith("Nothing was learned that can be told from guessing: ")
    assert "on 600 test clips of 30 places, where guessing gives 33.3 %." in judged.doubts[0]
    assert "(95 % interval from " in judged.doubts[0]
    assert "DG" in judged.doubts[1]


def test_one_answer_for_everything_is_nothing_learned_and_names_it(tracking: Tracking, log_run: LogRun) -> None:
    judged = judge_trial(tracking, log_run(answers([0, 0], favourite=1)), ())
    assert not judged.has_learned
    assert "every one of 2 networks answers 'park' to everything (accuracy/macro is 33.3 % on 600" in judged.doubts[0]


def test_clips_of_one_place_show_nothing_learned(tracking: Tracking, log_run: LogRun) -> None:
    judged = judge_trial(tracking, log_run(answers([0.9], places=1)), ())
    assert not judged.has_learned
    assert "of 1 place, where" in judged.doubts[0]


@pytest.mark.parametrize(("accuracy", "learned"), [(0.36, False), (0.45, True)])
def test_older_run_is_judged_by_its_accuracy_and_its_number_of_clips(
    tracking: Tracking, log_run: LogRun, accuracy: float, learned: bool
) -> None:
    scenes = {f"accuracy/scene/{scene}": accuracy for scene in SCENES}
    judged = judge_trial(tracking, log_run(None, metrics={"accuracy/macro": accuracy} | scenes), ())
    assert judged.has_learned == learned
    assert "600 test clips" in judged.doubts[0]
    assert judged.on_test is not None
    assert not judged.on_test.is_counted


def test_run_that_keeps_neither_is_not_judged(tracking: Tracking, log_run: LogRun) -> None:
    judged = judge_trial(tracking, log_run(None), ())
    assert judged.learning is None
    assert judged.has_learned
    assert "is not known" in judged.doubts[0]


def test_older_run_with_one_scene_right_and_all_others_wrong_answers_that_scene(
    tracking: Tracking, log_run: LogRun
) -> None:
    scenes = {"accuracy/scene/bus": 0.0, "accuracy/scene/park": 1.0, "accuracy/scene/tram": 0.0}
    found = what_was_learned(tracking, log_run(None, metrics={"accuracy/macro": 1 / 3} | scenes))
    assert found is not None
    assert "answers 'park' to everything" in found.nothing
