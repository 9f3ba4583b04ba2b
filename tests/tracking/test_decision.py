"""Trials are compared on what chose none of them, and the best of many has to be better by more."""

import time
from dataclasses import replace

import numpy as np
import pytest

from asc_experiments.statistics import Evidence
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.decision import compare_standings, metric_on_test, standing
from asc_experiments.tracking.evidence import REPLICATES, STUDENTS, evidence_of, log_evidence

SCENES = ("airport", "bus")
GROUPS = {"a": "real", "s3": "held_out"}


def table(accuracies: list[float], seed: int) -> Evidence:
    rng = np.random.default_rng(seed)
    place = np.arange(20).repeat(20)
    labels = place % 2
    logits = [np.eye(2)[np.where(rng.random(400) < accuracy, labels, 1 - labels)] for accuracy in accuracies]
    places = [f"place{number}" for number in place]
    return Evidence.of(logits, labels, ["a", "s3"] * 200, places, GROUPS, SCENES)


@pytest.fixture
def trials(tracking: Tracking) -> list[RunRecord]:
    """Three finished trials whose students are right in 60, 70 and 80 % of clips; the last two were tried again."""
    experiment = tracking.experiment("study")
    found, when = [], str(time.time_ns())
    for number, accuracy in enumerate((0.6, 0.7, 0.8)):
        again = {"asc.replicated_at": when} if number else {}
        tags = {"asc.trial": str(number), "asc.objective": "accuracy/group/unseen", "asc.objective_split": "validation"}
        with tracking.run(experiment, f"trial {number}", "trial", tags | again) as run:
            run.metrics({"objective": accuracy} | ({"replicated/objective": accuracy} if number else {}))
            log_evidence(run, {"test": table([accuracy] * 3, number)})
            if number:
                log_evidence(run, {"test": table([accuracy] * 2, 10 + number)}, REPLICATES)
        found.append(tracking.get(run.run_id))
    return found


def test_students_with_fresh_seeds_are_compared_where_there_are_some(
    tracking: Tracking, trials: list[RunRecord]
) -> None:
    first, _, best = (standing(tracking, trial, trials) for trial in trials)
    assert (best.is_fresh, best.picked_from) == (True, 2)
    assert (first.is_fresh, first.picked_from) == (False, 3)
    found = compare_standings(best, first)
    assert found is not None
    assert found.students == (2, 3)
    assert found.comparisons == 1
    assert found.is_better


def test_best_of_many_that_was_not_tried_again_has_to_be_better_by_more(
    tracking: Tracking, trials: list[RunRecord]
) -> None:
    once = [replace(trial, tags={**trial.tags, "asc.replicated_at": "0"}) for trial in trials]
    few = compare_standings(*(standing(tracking, trial, once) for trial in (once[2], once[0])))
    many = compare_standings(*(standing(tracking, trial, once * 20) for trial in (once[2], once[0])))
    assert few is not None
    assert many is not None
    assert (few.comparisons, many.comparisons) == (2, 59)
    assert many.high - many.low > few.high - few.low


def test_fresh_seeds_do_not_undo_a_choice_on_the_test_fold(tracking: Tracking, trials: list[RunRecord]) -> None:
    on_test = [replace(trial, tags={**trial.tags, "asc.objective_split": "test"}) for trial in trials]
    best = standing(tracking, on_test[2], on_test)
    assert (best.is_fresh, best.picked_from) == (True, 3)


def test_trial_without_evidence_is_not_compared(tracking: Tracking, trials: list[RunRecord]) -> None:
    with tracking.run(trials[0].experiment_id, "older", "trial", {"asc.trial": "3"}) as run:
        pass
    older = standing(tracking, tracking.get(run.run_id), trials)
    assert older.evidence is None
    assert compare_standings(older, standing(tracking, trials[0], trials)) is None
    assert evidence_of(tracking, run.run_id, STUDENTS) == {}


def test_held_out_devices_stand_for_unseen_ones_where_the_test_fold_has_none() -> None:
    asked = table([0.5], 0)
    assert metric_on_test("accuracy/group/unseen", asked) == "accuracy/group/held_out"
    assert metric_on_test("accuracy/group/real", asked) == "accuracy/group/real"
    assert metric_on_test("accuracy/device/s9", asked) == "accuracy/macro"
