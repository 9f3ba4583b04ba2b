"""Before a trial is praised: whether its students learned anything, from whom, and what is doubtful."""

from dataclasses import replace

import pytest

from asc_experiments.tracking import Tracking
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.judgement.doubts import judge_trial
from tests.tracking.judgement.conftest import SCENES, LogRun, answers


def test_students_that_do_more_than_guess_raise_no_doubt(tracking: Tracking, log_run: LogRun) -> None:
    judged = judge_trial(tracking, log_run(answers([0.6, 0.7])), ())
    assert judged.has_learned
    assert judged.doubts == ()
    assert judged.learning is not None
    assert judged.learning.accuracy == pytest.approx(0.65, abs=0.04)


def test_student_of_a_teacher_near_chance_learned_from_labels(tracking: Tracking, log_run: LogRun) -> None:
    weak, able = log_run(answers([0.38], 1), name="weak"), log_run(answers([0.7], 2), name="able")
    alone = judge_trial(tracking, log_run(answers([0.6]), teachers=["1f"]), [weak])
    assert alone.teachers_at_chance == ("weak",)
    assert "Its teacher weak is near chance (" in alone.doubts[0]
    assert "guessing gives 33.3 %): what the student knows it learned from labels." in alone.doubts[0]
    mixed = judge_trial(tracking, log_run(answers([0.6]), teachers=["1f", "2a"]), [weak, able])
    assert mixed.teachers_at_chance == ("weak",)
    assert "1 of its 2 teachers are near chance" in mixed.doubts[0]


@pytest.mark.parametrize(("entropy", "uniform"), [(1.09, True), (0.9, False)])
def test_nearly_uniform_targets_taught_nothing(
    tracking: Tracking, log_run: LogRun, entropy: float, uniform: bool
) -> None:
    metrics = {f"accuracy/scene/{scene}": 0.6 for scene in SCENES} | {"targets/entropy": entropy}
    table = answers([0.6])
    judged = judge_trial(tracking, log_run(table, teachers=["1f"], metrics=metrics), ())
    assert judged.targets_uniform == uniform
    assert ("nearly uniform over the scenes (1.09 of at most 1.10 nats)" in " ".join(judged.doubts)) == uniform
    without = log_run(table, teachers=["1f"], metrics=metrics, params={"label_weight": 0})
    assert ("it had nothing else to learn from" in " ".join(judge_trial(tracking, without, ()).doubts)) == uniform


def test_what_a_student_learned_from_is_told_once(tracking: Tracking, log_run: LogRun) -> None:
    metrics = {f"accuracy/scene/{scene}": 0.6 for scene in SCENES} | {"targets/entropy": 1.09}
    weak = log_run(answers([0.34], 1), name="weak")
    doubts = judge_trial(tracking, log_run(answers([0.6]), teachers=["1f"], metrics=metrics), [weak]).doubts
    assert len(doubts) == 2
    assert " ".join(doubts).count("it learned from labels") == 1


def test_clips_that_chose_a_trial_and_cannot_tell_it_from_guessing_are_doubtful(
    tracking: Tracking, log_run: LogRun
) -> None:
    trial = log_run(answers([0.6]))
    run = tracking.writer(trial.run_id, trial.experiment_id)
    log_evidence(run, {"test": answers([0.6]), "validation": answers([0.34], 3)})
    apart, doubt = judge_trial(tracking, trial, ()).doubts
    assert apart.startswith("accuracy/macro is 3")
    assert "these differ in more than chance" in apart
    assert doubt.startswith("The clips that chose it cannot tell it from guessing: accuracy/macro is 3")
    assert "on 600 held-out clips of 30 places, where guessing gives 33.3 %." in doubt


def test_made_up_corpus_and_wrong_labels_are_told_before_any_figure_is_believed(
    tracking: Tracking, log_run: LogRun
) -> None:
    run = log_run(answers([0.6, 0.7]))
    assert not judge_trial(tracking, run, ()).doubts
    (synthetic,) = judge_trial(tracking, replace(run, tags={**run.tags, "asc.synthetic": "0"}), ()).doubts
    assert synthetic.startswith("The corpus is synthetic: what holds")
    (noisy,) = judge_trial(tracking, replace(run, tags={**run.tags, "asc.synthetic": "0.3"}), ()).doubts
    assert (
        "about 30 % of its training and held-out clips carry a wrong label on purpose, of its test clips none" in noisy
    )
    assert "Targets that are always right agree with about 70 % of them." in noisy


def test_places_that_were_trained_on_and_tested_at_are_told(tracking: Tracking, log_run: LogRun) -> None:
    run = log_run(answers([0.6, 0.7]))
    shared = {"asc.shared_places": '{"places": 4, "clips": 63, "of": 540}'}
    (said,) = judge_trial(tracking, replace(run, tags={**run.tags, **shared}), ()).doubts
    assert said.startswith("63 of 540 test clips are from 4 places that it was trained on too: its figures in the test")


def test_method_that_teachers_have_and_students_lack_is_told(tracking: Tracking, log_run: LogRun) -> None:
    run, teacher = log_run(answers([0.6, 0.7])), log_run(answers([0.8]), name="able")
    plain = replace(run, params={**run.params, "student.augment": "none"})
    taught = replace(teacher, params={**teacher.params, "augment": "dirfms"})
    (said,) = judge_trial(tracking, plain, [taught]).doubts
    assert said.startswith("Its teachers were trained with dirfms, its students without device generalisation")
    assert not judge_trial(tracking, replace(run, params={"student.augment": "dirfms"}), [taught]).doubts
