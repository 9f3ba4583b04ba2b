"""There is a winner only where the best is better by more than noise, and else what would settle it."""

from asc_experiments.tracking import Tracking
from asc_experiments.tracking.judgement.winner import winner_of
from tests.tracking.judgement.conftest import LogRun, answers


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
