"""What earlier studies tell is read from their runs: the scatter of students, and their curves."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from asc_experiments.corpus import ValidationSplit
from asc_experiments.corpus.synth import synthesise
from asc_experiments.distill import TrainingContext
from asc_experiments.statistics.planning import Basis
from asc_experiments.study.monitor.earlier_runs import Curves, earlier_runs
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND
from asc_experiments.tracking.trials import SEED_KIND, finished_trials
from tests.study.monitor.conftest import CURVE, RATES, half_there

MACRO = "accuracy/macro"


def test_without_earlier_studies_everything_is_assumed(open_bench: Callable[..., TrainingContext]) -> None:
    known = earlier_runs(open_bench(), MACRO, 20)
    assert (known.basis, known.studies, known.curves) == (Basis(), (), None)
    assert 0.013 < math.sqrt(known.scatter.students) < 0.2
    assert (known.metric, known.places, known.clips) == (MACRO, *_counts(open_bench()))


def _counts(bench: TrainingContext) -> tuple[int, int]:
    rows = bench.corpus.test_rows
    return len(set(bench.corpus.place_of[rows].tolist())), len(rows)


def test_scatter_of_students_is_that_of_the_scores_in_the_tracking_server(earlier: TrainingContext) -> None:
    known = earlier_runs(earlier, MACRO, 4)
    trials = finished_trials(earlier.tracking, "earlier")
    spread = fmean(trial.metrics[f"std/{MACRO}"] ** 2 for trial in trials)
    assert known.scatter.students == pytest.approx(spread)
    assert known.basis == Basis(students=2 * len(RATES), pairs=math.comb(len(RATES), 2))
    assert (known.studies, known.epochs) == (("earlier",), 4)


def test_students_whose_epochs_are_nearest_are_asked(run_another: Callable[..., TrainingContext]) -> None:
    run_another()
    bench = run_another(name="longer", epochs=12)
    asked = {epochs: earlier_runs(bench, MACRO, epochs) for epochs in (3, 10, 150)}
    assert {epochs: (each.epochs, each.studies) for epochs, each in asked.items()} == {
        3: (4, ("earlier",)),
        10: (12, ("longer",)),
        150: (12, ("longer",)),
    }


def test_students_that_two_studies_share_count_once(run_another: Callable[..., TrainingContext]) -> None:
    alone = earlier_runs(run_another(rates=RATES[:3]), MACRO, 4)
    both = earlier_runs(run_another(rates=RATES[:3], seeds=4, name="more"), MACRO, 4)
    assert (alone.basis.students, both.basis.students) == (2 * 3, 3 * 3)
    assert both.studies == ("more",)
    assert both.curves is not None
    assert both.curves.students == 4 * 3, "those that were found have their curves where they were trained"


def test_curves_of_far_fewer_epochs_tell_nothing_of_many(earlier: TrainingContext) -> None:
    assert earlier_runs(earlier, MACRO, 8).curves is not None
    known = earlier_runs(earlier, MACRO, 9)
    assert known.curves is None
    assert known.basis.students > 0, "their scatter is still better known than a guess"


def test_students_that_guess_tell_nothing(run_another: Callable[..., TrainingContext]) -> None:
    assert earlier_runs(run_another(rates=[0.05, 0.08]), MACRO, 4).basis == Basis()


def test_students_of_another_corpus_tell_nothing(earlier: TrainingContext, tmp_path: Path, cache: Path) -> None:
    synthesise(tmp_path / "other", clips_per_scene=20, seed=5)
    elsewhere = TrainingContext.open(tmp_path / "other", earlier.tracking, cache, ValidationSplit(fraction=0.3))
    assert earlier_runs(elsewhere, MACRO, 4).basis == Basis()


def test_metric_that_only_students_tell_of_is_measured_and_else_the_macro_average_stands_for_it(
    earlier: TrainingContext, open_bench: Callable[..., TrainingContext]
) -> None:
    assert earlier_runs(open_bench(), "loss/overall", 4).metric == MACRO
    known = earlier_runs(earlier, "loss/overall", 4)
    assert known.metric == "loss/overall"
    assert known.basis.students == 2 * len(RATES)


def test_curves_are_those_of_the_trials_students(earlier: TrainingContext) -> None:
    curves = earlier_runs(earlier, MACRO, 4).curves
    assert curves is not None
    assert (curves.metric, curves.epochs, curves.students) == (MACRO, 4, 3 * len(RATES))
    (by_trial,) = curves.by_study
    half = [fmean(each[2] for each in of_trial) for of_trial in by_trial]
    assert sorted(half) == pytest.approx([half_there(rate, 2) for rate in RATES])
    cut = curves.cut(0.5)
    last = fmean(each[4] for of_trial in by_trial for each in of_trial)
    assert cut.below == pytest.approx(last - half_there(fmean(RATES), 2))
    assert cut.rank is not None
    assert cut.rank > 0.8


def test_where_nothing_is_held_out_there_are_no_curves(run_another: Callable[..., TrainingContext]) -> None:
    keys = {"validation": {"fraction": 0.0}, "objective": {"metric": MACRO, "split": "test"}}
    known = earlier_runs(run_another(None, **keys), MACRO, 4)
    assert known.basis.students > 0
    assert known.curves is None


def test_a_step_that_two_attempts_logged_counts_once_as_it_was_last(tracking: Tracking) -> None:
    with tracking.run(tracking.experiment("e"), "r", "seed") as run:
        for value in (0.25, 0.5):
            for epoch in (1, 2):
                run.curve({CURVE: value * epoch}, epoch, ended_ms(value, epoch))
        run.flush()
    assert tracking.curve(run.run_id, CURVE) == {1: 0.5, 2: 1.0}
    assert tracking.curve(run.run_id, "no/such") == {}


def ended_ms(value: float, epoch: int) -> int:
    return 1_700_000_000_000 + int(1_000 * value) + epoch


def test_curves_of_a_real_training_have_every_epoch(studied: Path) -> None:
    tracking = Tracking.open(studied)
    (child, *_) = tracking.search([tracking.experiment("tiny")], where({KIND: SEED_KIND}))
    assert list(tracking.curve(child.run_id, CURVE)) == [1]
    (teacher,) = tracking.search([tracking.experiment("teachers")])
    assert tracking.curve(teacher.run_id, CURVE)[1] == pytest.approx(teacher.metrics[CURVE])


def made(*trials: tuple[list[float], list[float]]) -> Curves:
    """Curves of two epochs: of each trial, its students' values at the first and the last."""
    by_trial = (tuple({1: one, 2: two} for one, two in zip(*each, strict=True)) for each in trials)
    return Curves(MACRO, 2, (tuple(by_trial),))


def test_order_of_trials_is_compared_by_ranks() -> None:
    last = [[0.1], [0.2], [0.3], [0.9]]
    half = made(*(([0.5 * value for value in each], each) for each in last)).cut(0.5)
    assert (half.rank, half.kept) == pytest.approx((1.0, 0.5)), "the same order, and differences half as large"
    lower = made(*(([value - 0.05 for value in each], each) for each in last)).cut(0.5)
    assert (lower.rank, lower.kept, lower.below) == pytest.approx((1.0, 1.0, 0.05))
    reversed_ = made(*(([1 - value for value in each], each) for each in last)).cut(0.5)
    assert (reversed_.rank, reversed_.kept) == pytest.approx((-1.0, 0.0))
    for unknown in (made(*(([0.5], each) for each in last)), made(*((each, each) for each in last[:3]))):
        cut = unknown.cut(0.5)
        assert (cut.rank, cut.kept) == (None, None), "nothing differed there; three trials have hardly an order"


def test_order_is_that_within_studies() -> None:
    weak, strong = ([[base + 0.01 * n] for n in range(4)] for base in (0.1, 0.8))
    studies = tuple(made(*zip(study[::-1], study, strict=True)).by_study[0] for study in (weak, strong))
    cut = Curves(MACRO, 2, studies).cut(0.5)
    assert cut.rank == pytest.approx(-1.0), "that one study was better than the other says nothing of its trials"


def test_how_much_farther_students_scattered_is_within_trials() -> None:
    last = [[0.50, 0.52, 0.54], [0.80, 0.82, 0.84]]
    twice = made(*(([2 * value for value in each], each) for each in last)).cut(0.5)
    assert twice.widening == pytest.approx(2.0)
    half = made(*(([value / 2 for value in each], each) for each in last)).cut(0.5)
    assert half.widening == 1.0, "never taken as less: shorter trainings are not known to scatter less"
    assert made(([0.1], [0.5]), ([0.9], [0.5])).cut(0.5).widening == 1.0


def test_a_loss_that_was_higher_was_worse() -> None:
    curves = Curves("loss/overall", 2, ((({1: 2.0, 2: 1.5},),),))
    assert curves.cut(0.5).below == pytest.approx(0.5)
    assert np.isclose(made(([0.4], [0.5])).cut(0.5).below, 0.1)
