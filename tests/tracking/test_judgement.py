"""Before a trial is praised: whether its students learned anything, from whom, and whether it is better than others."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from asc_experiments.statistics import Evidence
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.judgement import judge_trial, what_was_learned, winner_of

SCENES = ("bus", "park", "tram")
LogRun = Callable[..., RunRecord]


def answers(accuracies: Sequence[float], seed: int = 0, favourite: int | None = None, places: int = 30) -> Evidence:
    """Students that are right in these parts of 600 clips, or answer one scene to everything."""
    rng = np.random.default_rng(seed)
    place = np.arange(600) % places
    labels = place % len(SCENES)
    logits = []
    for accuracy in accuracies:
        answered = np.where(rng.random(600) < accuracy, labels, (labels + 1 + rng.integers(0, 2, 600)) % len(SCENES))
        logits.append(np.eye(len(SCENES))[answered if favourite is None else np.full(600, favourite)])
    groups = {"a": "real", "s4": "unseen"}
    return Evidence.of(logits, labels, ["a"] * 300 + ["s4"] * 300, [f"place{n}" for n in place], groups, SCENES)


@pytest.fixture
def log_run(tracking: Tracking) -> LogRun:
    """Log a trial, or a teacher, with what its students answered in the test fold."""

    def log(
        table: Evidence | None,
        number: int = 0,
        name: str = "",
        teachers: Sequence[str] = (),
        metrics: dict[str, float] | None = None,
        params: dict[str, object] | None = None,
    ) -> RunRecord:
        tags = {
            "asc.trial": str(number), "asc.objective": "accuracy/macro", "asc.objective_split": "validation",
            "asc.direction": "maximize", "asc.teachers": ",".join(teachers),
        }  # fmt: skip
        with tracking.run(tracking.experiment("s"), name or f"trial {number}", "trial", tags) as run:
            value = {} if table is None else {"objective": float(table.measure("accuracy/macro").mean())}
            run.metrics(value | (metrics or {}))
            run.params(params or {})
            run.dataset("field", "c0ffee", "somewhere", '{"test_clips": 600}')
            log_evidence(run, {} if table is None else {"test": table})
        return tracking.get(run.run_id)

    return log


def test_students_that_do_more_than_guess_raise_no_doubt(tracking: Tracking, log_run: LogRun) -> None:
    judged = judge_trial(tracking, log_run(answers([0.6, 0.7])), ())
    assert judged.has_learned
    assert judged.doubts == ()
    assert judged.learning is not None
    assert judged.learning.accuracy == pytest.approx(0.65, abs=0.04)


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


def test_older_run_with_one_scene_right_and_all_others_wrong_answers_that_scene(
    tracking: Tracking, log_run: LogRun
) -> None:
    scenes = {"accuracy/scene/bus": 0.0, "accuracy/scene/park": 1.0, "accuracy/scene/tram": 0.0}
    found = what_was_learned(tracking, log_run(None, metrics={"accuracy/macro": 1 / 3} | scenes))
    assert found is not None
    assert "answers 'park' to everything" in found.nothing


def test_run_that_keeps_neither_is_not_judged(tracking: Tracking, log_run: LogRun) -> None:
    judged = judge_trial(tracking, log_run(None), ())
    assert judged.learning is None
    assert judged.has_learned
    assert "is not known" in judged.doubts[0]


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


def test_there_is_a_winner_only_where_the_best_is_better_by_more_than_noise(
    tracking: Tracking, log_run: LogRun
) -> None:
    trials = [
        log_run(answers([value, value + 0.01, value + 0.02], number), number)
        for number, value in enumerate((0.4, 0.6, 0.8))
    ]
    clear = winner_of(tracking, trials[2], trials)
    assert clear.is_clear
    expected = (
        "Trial 2 is better by more than noise than 2 other trials in accuracy/macro on 600 test clips of 30 places."
    )
    assert clear.sentence == expected
    close = [*trials, log_run(answers([0.79, 0.8, 0.81], 9), 3)]
    best = max(close, key=lambda trial: trial.metrics["objective"])
    open_ = winner_of(tracking, best, close)
    assert not open_.is_clear
    assert len(open_.rivals) == 1
    assert open_.sentence.startswith("No winner yet: trial ")
    assert "1 of 3 other trials" in open_.sentence
    assert "interval [" in open_.sentence
    assert open_.sentence.endswith("A difference smaller than its standard error: too imprecise to plan from.")


def test_what_would_settle_it_is_said_with_its_condition(tracking: Tracking, log_run: LogRun) -> None:
    trials = [log_run(answers([0.48, 0.58, 0.68], 1), 0), log_run(answers([0.6, 0.7, 0.8]), 1)]
    found = winner_of(tracking, trials[1], trials)
    assert "To settle it: about " in found.sentence
    assert found.sentence.endswith("if the true difference is as large as it looks, which flatters it.")


def test_one_student_a_trial_is_no_winner_and_two_would_settle_it(tracking: Tracking, log_run: LogRun) -> None:
    trials = [log_run(answers([value], number), number) for number, value in enumerate((0.4, 0.9))]
    found = winner_of(tracking, trials[1], trials)
    assert not found.is_clear
    assert "not known with one seed" in found.sentence
    assert "at least two students on each side" in found.sentence


def test_a_single_trial_is_no_winner(tracking: Tracking, log_run: LogRun) -> None:
    trial = log_run(answers([0.9, 0.8]))
    found = winner_of(tracking, trial, [trial])
    assert not found.is_clear
    assert "nothing to compare it with" in found.sentence


def test_trials_without_answers_are_no_winners_over_each_other(tracking: Tracking, log_run: LogRun) -> None:
    trials = [log_run(None, number, metrics={"objective": value}) for number, value in enumerate((0.1, 0.9))]
    found = winner_of(tracking, trials[1], trials)
    assert not found.is_clear
    assert "run the study again under another name" in found.sentence


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
