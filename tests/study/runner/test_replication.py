"""The best trials and the baseline are tried again with fresh seeds; what was finished is not done again."""

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest

from asc_experiments.report.analysis.comparison import compare_study
from asc_experiments.report.render.formats import Format
from asc_experiments.report.writing import find, render
from asc_experiments.statistics import margin
from asc_experiments.study.runner.cells import FIRST_FRESH
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.recovery import NUMBER_IN_FILE
from asc_experiments.study.runner.replication import candidates
from asc_experiments.study.storage.trial_status import study_status
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.evidence import REPLICATES as REPLICATES_FILE
from asc_experiments.tracking.evidence import evidence_of
from asc_experiments.tracking.trials import (
    BASELINE,
    OBJECTIVE_VALUE,
    REPLICATED,
    REPLICATED_STD,
    REPLICATES,
    TRIAL,
    best_trial,
    finished_trials,
)

Make = Callable[..., Driver]
FRESH = 1_000 + FIRST_FRESH
RATES = (0.3, 0.9, 0.6)
"""Learning rates of the trials, which quick students are right as often as."""


@pytest.fixture
def make(driver: Make, quick_students: Any) -> Make:
    """A driver of a study of students on labels alone, that differ by their learning rate."""

    def made(**overrides: Any) -> Driver:
        keys: dict[str, Any] = {
            "trials": len(RATES),
            "seeds": 1,
            "ensemble": {"size": 0, "pool": [{"arch": "cp_resnet"}]},
            "student": {"base_channels": 8, "epochs": 1, "learning_rate": list(RATES), "seed": 1000},
            "enqueue": [{"student.learning_rate": rate} for rate in RATES],
        }
        return driver(keys | overrides)

    return made


def trials(made: Driver) -> list[RunRecord]:
    return finished_trials(made.bench.tracking, "tiny")


def children(made: Driver, parent: RunRecord, kind: str) -> list[RunRecord]:
    query = f"tags.`asc.kind` = '{kind}' AND tags.`mlflow.parentRunId` = '{parent.run_id}'"
    return made.bench.tracking.search([parent.experiment_id], query)


def finished_study(
    values: list[float], first_in_file: int | None, direction: str = "maximize", params: list[int] | None = None
) -> optuna.Study:
    study = optuna.create_study(direction=direction)
    among = optuna.distributions.IntDistribution(0, 9)
    for number, value in enumerate(values):
        param = number if params is None else params[number]
        attrs = {NUMBER_IN_FILE: 0} if number == first_in_file else {NUMBER_IN_FILE: number + 1}
        study.add_trial(
            optuna.trial.create_trial(value=value, user_attrs=attrs, params={"n": param}, distributions={"n": among})
        )
    return study


def test_baseline_is_the_first_of_the_file_and_the_best_others_follow() -> None:
    study = finished_study([0.4, 0.9, 0.1, 0.7, 0.8], first_in_file=2)
    assert [trial.number for trial in candidates(study, 2)] == [2, 1, 4]
    study = finished_study([0.4, 0.9, 0.1, 0.7, 0.8], first_in_file=2, direction="minimize")
    assert [trial.number for trial in candidates(study, 2)] == [2, 0, 3]


def test_first_finished_trial_is_the_baseline_where_the_file_has_none_and_it_may_be_the_best() -> None:
    study = finished_study([0.9, 0.4], first_in_file=None)
    assert [trial.number for trial in candidates(study, 5)] == [0, 1]
    assert candidates(optuna.create_study(), 3) == []


def test_trials_with_the_same_parameters_are_tried_again_once() -> None:
    study = finished_study([0.4, 0.9, 0.8, 0.7, 0.95], first_in_file=0, params=[1, 2, 2, 3, 1])
    assert [trial.number for trial in candidates(study, 2)] == [0, 1, 3]


def test_best_and_baseline_are_tried_again_with_fresh_seeds(make: Make, quick_students: Any) -> None:
    made = make(replicate={"best": 1, "seeds": 3})
    status = made.run()
    assert status.finished == 3
    own, fresh = [(rate, 1000) for rate in RATES], [(rate, FRESH + n) for rate in (0.3, 0.9) for n in range(3)]
    assert sorted(quick_students.trained) == sorted(own + fresh)
    replicated = [record for record in trials(made) if REPLICATED in record.metrics]
    assert [record.tags[TRIAL] for record in replicated] == ["0", "1"]
    for record in replicated:
        again = children(made, record, "replicate")
        assert sorted(child.name for child in again) == [f"replicate {FRESH + n}" for n in range(3)]
        values = [child.metrics["validation/accuracy/macro"] for child in again]
        assert record.metrics[REPLICATED] == pytest.approx(np.mean(values))
        assert record.metrics[REPLICATED_STD] == pytest.approx(np.std(values, ddof=1))
        assert record.metrics[REPLICATES] == 3
        overall = [child.metrics["accuracy/overall"] for child in again]
        assert record.metrics["replicated/accuracy/overall"] == pytest.approx(np.mean(overall))
        assert record.metrics["replicated/std/accuracy/overall"] == pytest.approx(np.std(overall, ddof=1))
        assert record.metrics[OBJECTIVE_VALUE] == record.metrics["validation/accuracy/macro"], "its own stays"
        assert record.tags[BASELINE] == "0"
        assert len(children(made, record, "seed")) == 1


def test_difference_to_the_baseline_has_an_interval(make: Make) -> None:
    made = make(replicate={"best": 2, "seeds": 3})
    made.run()
    baseline, best, other = trials(made)
    assert not [name for name in baseline.metrics if name.startswith("difference")]
    for record in (best, other):
        low, middle, high = (record.metrics[f"difference/{name}"] for name in ("low", "difference", "high"))
        assert low < middle < high
        assert middle == pytest.approx(record.metrics[REPLICATED] - baseline.metrics[REPLICATED])
        on_test = [record.metrics[f"difference/test/{name}"] for name in ("low", "difference", "high")]
        assert 0 < on_test[0] < on_test[1] < on_test[2]
        tables = [evidence_of(made.bench.tracking, run.run_id, REPLICATES_FILE)["test"] for run in (record, baseline)]
        again = margin(*tables, "accuracy/macro", comparisons=2)
        assert on_test == pytest.approx([again.low, again.value, again.high]), "one of two was picked by it"
    rows = {row["name"]: row["replicated"] for row in compare_study(made.bench.tracking, "tiny").rows}
    assert rows["trial 1"]["baseline"] == "trial 0"
    assert rows["trial 0"]["difference"] is None
    assert (rows["trial 0"]["std"], rows["trial 1"]["seeds"]) == (baseline.metrics[REPLICATED_STD], 3)
    assert "baseline" in render(find(made.bench.tracking, ["tiny"]), Format.table)


def test_noise_of_one_fresh_seed_is_not_known(make: Make) -> None:
    made = make(replicate={"best": 1, "seeds": 1})
    made.run()
    best = trials(made)[1]
    assert best.metrics["difference/difference"] > 0
    assert not {"difference/low", "difference/test/low", REPLICATED_STD} & set(best.metrics)
    rows = {row["name"]: row["replicated"] for row in compare_study(made.bench.tracking, "tiny").rows}
    assert (rows["trial 1"]["std"], rows["trial 1"]["low"]) == (None, None)
    assert "± 0.0" not in render(find(made.bench.tracking, ["tiny"]), Format.table)


def test_second_call_trains_nothing_and_changes_nothing(make: Make, quick_students: Any) -> None:
    made = make(replicate={"best": 1, "seeds": 2})
    status = made.run()
    before, metrics = len(quick_students.trained), [record.metrics for record in trials(made)]
    assert make(replicate={"best": 1, "seeds": 2}).run() == status
    assert len(quick_students.trained) == before
    assert [record.metrics for record in trials(made)] == metrics


def test_more_seeds_later_train_only_those(make: Make, quick_students: Any) -> None:
    make(replicate={"best": 1, "seeds": 1}).run()
    before = len(quick_students.trained)
    made = make(replicate={"best": 1, "seeds": 2})
    made.run()
    assert sorted(quick_students.trained[before:]) == [(0.3, FRESH + 1), (0.9, FRESH + 1)]
    assert [record.metrics.get(REPLICATES) for record in trials(made)] == [2, 2, None]


def test_interrupted_replication_goes_on(make: Make, quick_students: Any) -> None:
    def interrupt(recipe: Any) -> None:
        if recipe.seed == FRESH + 1:
            raise KeyboardInterrupt

    quick_students.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        make(replicate={"best": 1, "seeds": 2}).run()
    quick_students.before = lambda recipe: None
    before = len(quick_students.trained)
    made = make(replicate={"best": 1, "seeds": 2})
    status = made.run()
    assert (status.finished, status.interrupted) == (3, 0)
    assert quick_students.trained[before:] == [(0.3, FRESH + 1), (0.9, FRESH), (0.9, FRESH + 1)]
    statuses = [record.status for record in made.bench.tracking.search([made.context.experiment_id])]
    assert "RUNNING" not in statuses


def test_nothing_is_tried_again_before_the_total_is_reached(make: Make, quick_students: Any) -> None:
    made = make(replicate={"best": 1, "seeds": 2})
    made.run(timeout=0)
    assert (study_status(made.study).finished, quick_students.trained) == (0, [])


def test_winner_is_the_best_with_fresh_seeds(make: Make) -> None:
    made = make(replicate={"best": 1, "seeds": 1})
    made.run()
    assert best_trial(trials(made), "tiny").tags[TRIAL] == "1"
    lucky = trials(made)[1]
    made.bench.tracking.writer(lucky.run_id, lucky.experiment_id).metrics({REPLICATED: 0.1})
    assert best_trial(trials(made), "tiny").tags[TRIAL] == "0", "of those tried again, by what they reached then"


@pytest.mark.parametrize("objective", ["device_generalization", "accuracy/group/seen"])
def test_any_objective_can_be_replicated(make: Make, objective: str) -> None:
    made = make(objective={"metric": objective}, replicate={"best": 1, "seeds": 1})
    made.run()
    replicated = [record for record in trials(made) if REPLICATED in record.metrics]
    baseline, best = (record.metrics for record in replicated)
    assert best["difference/difference"] == pytest.approx(best[REPLICATED] - baseline[REPLICATED])


def interrupted_at_its_second_seed(make: Make, quick_students: Any) -> Driver:
    def interrupt(recipe: Any) -> None:
        if recipe.seed == 1001:
            raise KeyboardInterrupt

    made = make(trials=1, seeds=2)
    quick_students.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        made.run()
    quick_students.before = lambda recipe: None
    return made


def test_student_of_an_interrupted_trial_is_adopted_by_the_next_attempt(make: Make, quick_students: Any) -> None:
    interrupted_at_its_second_seed(make, quick_students)
    assert quick_students.trained == [(0.3, 1000)]
    made = make(trials=1, seeds=2)
    assert made.run().finished == 1
    assert quick_students.trained == [(0.3, 1000), (0.3, 1001)]
    (trial,) = trials(made)
    seeds = children(made, trial, "seed")
    assert sorted((seed.name, seed.status) for seed in seeds) == [
        ("seed 1000", "FINISHED"),
        ("seed 1001", "FINISHED"),
    ]
    assert trial.metrics["accuracy/overall"] == pytest.approx(np.mean([s.metrics["accuracy/overall"] for s in seeds]))
    records = made.bench.tracking.search([trial.experiment_id], "tags.`asc.kind` = 'seed'")
    assert len(records) == 3, "the two and the one that was interrupted"
