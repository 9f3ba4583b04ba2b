"""No student is trained twice: a cell that is re-queued trains new seeds, and others are found by their key."""

import shutil
import statistics
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import optuna
import pytest

from asc_experiments.distill import TrainingContext
from asc_experiments.distill.standalone_student import train_single_student
from asc_experiments.migration.workspace import export_workspace, import_workspace
from asc_experiments.study.executors import jobs as work
from asc_experiments.study.executors.jobs import Pruned
from asc_experiments.study.runner.cells import FIRST_FRESH, TrialSeeds, first_seed
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.replication import candidates
from asc_experiments.study.search.search_space import SearchSpace
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.study.storage.trial_status import study_status
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.trials import (
    CELL,
    MODEL_ID,
    OBJECTIVE_VALUE,
    ORIGINAL,
    REPLICATED,
    SEED,
    STUDENTS,
    STUDENTS_TRAINED,
    TRAINING_SECONDS,
    TRIAL,
    distinct_trials,
    finished_trials,
)
from asc_experiments.training import KL

Make = Callable[..., Driver]
FIRST = 1000
"""The first seed of every cell here, as if the study file said so."""
SCORE = "validation/accuracy/macro"


@pytest.fixture
def make(driver: Make, quick_students: Any) -> Make:
    """A driver of a study of students on labels alone with two learning rates: a space of two cells."""

    def made(name: str = "tiny", **overrides: Any) -> Driver:
        keys: dict[str, Any] = {
            "name": name,
            "trials": 5,
            "seeds": 2,
            "sampler": "random",
            "ensemble": {"size": 0, "pool": [{"arch": "cp_resnet"}]},
            "student": {"base_channels": 8, "epochs": 1, "learning_rate": [0.3, 0.9], "seed": FIRST},
        }
        return driver(keys | overrides)

    return made


def listed(*rates: float) -> dict[str, Any]:
    """A study of trials with these learning rates, in this order."""
    return {"trials": len(rates), "enqueue": [{"student.learning_rate": rate} for rate in rates]}


def trials(made: Driver) -> list[RunRecord]:
    return finished_trials(made.bench.tracking, made.file.name)


def children(made: Driver, parent: RunRecord, kind: str = "seed") -> list[RunRecord]:
    query = f"tags.`asc.kind` = '{kind}' AND tags.`mlflow.parentRunId` = '{parent.run_id}'"
    return made.bench.tracking.search([parent.experiment_id], query)


def test_every_student_of_a_small_space_is_new_and_pooled_with_the_earlier_ones(
    make: Make, quick_students: Any
) -> None:
    made = make()
    status = made.run()
    assert (status.finished, len(quick_students.trained)) == (5, 10)
    assert len(set(quick_students.trained)) == 10, "none is trained twice"
    records = trials(made)
    assert len({record.tags[CELL] for record in records}) == 2
    for cell in {record.tags[CELL] for record in records}:
        of_cell = [record for record in records if record.tags[CELL] == cell]
        scores: list[float] = []
        for turn, record in enumerate(of_cell):
            own = children(made, record)
            assert [int(child.tags[SEED]) for child in own] == [1000 + 2 * turn, 1001 + 2 * turn]
            scores += [child.metrics[SCORE] for child in own]
            assert (record.metrics[STUDENTS], record.metrics[STUDENTS_TRAINED]) == (2 * (turn + 1), 2)
            assert record.metrics[OBJECTIVE_VALUE] == pytest.approx(statistics.fmean(scores))
            assert record.metrics[f"std/{SCORE}"] == pytest.approx(statistics.stdev(scores))
            told = made.study.get_trials()[int(record.tags[TRIAL])].values
            assert told == [record.metrics[OBJECTIVE_VALUE]]
    standing = distinct_trials(records)
    assert sorted(record.metrics[STUDENTS] for record in standing) in ([4, 6], [2, 8])
    assert status.best_value == max(record.metrics[OBJECTIVE_VALUE] for record in standing)


def test_cells_have_seeds_of_their_own_and_the_same_in_every_study(make: Make, quick_students: Any) -> None:
    own = {"student": {"base_channels": 8, "epochs": 1, "learning_rate": [0.3, 0.9]}, "replicate": {"seeds": 2}}
    made = make(**listed(0.3, 0.9, 0.3), **own)
    made.run()
    seeds = {}
    for record in trials(made):
        students = children(made, record)
        seeds[int(record.tags[TRIAL])] = [int(child.tags[SEED]) for child in students]
        fresh = [int(child.tags[SEED]) for child in children(made, record, "replicate")]
        assert not fresh or min(fresh) == min(seeds[int(record.tags[TRIAL])]) + FIRST_FRESH
    first = seeds[0][0]
    assert first == first_seed(trials(made)[0].tags[CELL]) >= 1000
    assert (seeds[0], seeds[2]) == ([first, first + 1], [first + 2, first + 3])
    assert not set(seeds[1]) & {*seeds[0], *seeds[2]}
    before = len(quick_students.trained)
    make("other", **listed(0.3, 0.9), **own).run()
    assert len(quick_students.trained) == before + 2, "only the replicates of the first cell's first two seeds are new"


def test_seeds_of_cells_never_meet_those_of_teachers_or_replicates() -> None:
    for cell in ("0" * 16, "f" * 16, "00000000000185a3"):
        assert 1000 <= first_seed(cell) < first_seed(cell) + 9 < FIRST_FRESH


def test_network_of_a_pooled_trial_is_the_best_of_all_students_of_its_cell(make: Make) -> None:
    made = make(**listed(0.3, 0.3, 0.3), seeds=1)
    made.run()
    records = trials(made)
    students = [child for record in records for child in children(made, record)]
    best = max(students, key=lambda student: student.metrics[SCORE])
    assert records[-1].tags[MODEL_ID] == best.tags[MODEL_ID]


def test_interrupted_trial_of_a_cell_that_was_asked_for_before_has_its_own_seeds_again(
    make: Make, quick_students: Any
) -> None:
    def interrupt(recipe: Any) -> None:
        if recipe.seed == 1003:
            raise KeyboardInterrupt

    quick_students.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        make(**listed(0.3, 0.3)).run()
    quick_students.before = lambda recipe: None
    made = make(**listed(0.3, 0.3))
    status = made.run()
    assert (status.finished, status.interrupted) == (2, 1)
    assert quick_students.trained == [(0.3, seed) for seed in (1000, 1001, 1002, 1003)]
    assert [record.metrics[STUDENTS] for record in trials(made)] == [2, 4]


def test_failed_trial_that_is_tried_again_has_its_own_seeds_again(make: Make, quick_students: Any) -> None:
    def fail(recipe: Any) -> None:
        if recipe.seed == 1001:
            raise RuntimeError("out of memory")

    quick_students.before = fail
    made = make(**listed(0.3, 0.3))
    assert made.run().failed == 1
    quick_students.before = lambda recipe: None
    assert make(**listed(0.3, 0.3)).run(retry_failed=True).finished == 2
    assert sorted(quick_students.trained) == [(0.3, seed) for seed in (1000, 1001, 1002, 1003)]


def test_students_of_a_pruned_trial_do_not_count_and_its_seeds_are_free(make: Make, quick_students: Any) -> None:
    def prune_once(recipe: Any) -> None:
        quick_students.before = lambda recipe: None
        raise Pruned("pruned after epoch 1")

    made = make(**listed(0.3, 0.3), seeds=1)
    quick_students.before = prune_once
    status = made.run()
    assert (status.pruned, status.finished) == (1, 1)
    assert quick_students.trained == [(0.3, 1000)]
    assert [record.metrics[STUDENTS] for record in trials(made)] == [1]


def test_trials_of_one_cell_that_are_active_at_once_have_different_seeds() -> None:
    study = optuna.create_study()
    asked = [study.ask() for _ in range(3)]
    seeds = [TrialSeeds(study, trial, nullcontext, 2) for trial in asked]
    assert seeds[0].take("a", 1000) == [1000, 1001]
    assert seeds[1].take("a", 1000) == [1002, 1003]
    assert seeds[2].take("b", 1000) == [1000, 1001]
    assert seeds[1].take("a", 1000) == [1002, 1003], "asked twice"
    study.tell(asked[0], state=optuna.trial.TrialState.PRUNED)
    assert TrialSeeds(study, study.ask(), nullcontext, 2).take("a", 1000) == [1000, 1001]


def test_trial_that_waits_to_be_resumed_keeps_its_seeds() -> None:
    study = optuna.create_study()
    study.enqueue_trial({}, user_attrs={CELL: "a", "asc.seeds": [1000]})
    study.add_trial(optuna.trial.create_trial(value=1.0))
    waiting = study.ask()
    other = TrialSeeds(study, study.ask(), nullcontext, 2)
    assert other.take("a", 1000) == [1001, 1002]
    assert TrialSeeds(study, waiting, nullcontext, 1).take("a", 1000) == [1000]


def test_seed_that_the_study_searches_for_is_used_where_it_is_free() -> None:
    study = optuna.create_study()
    taken = [TrialSeeds(study, study.ask(), nullcontext, 1).take("a", first) for first in (1000, 1001, 1000)]
    assert taken == [[1000], [1001], [1002]]


def test_student_of_another_study_is_found_and_told_in_the_trial(
    make: Make, quick_students: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make(**listed(0.3))
    first.run()
    before = len(quick_students.trained)
    other = make("other", **listed(0.3, 0.9))
    other.run()
    assert quick_students.trained[before:] == [(0.9, 1000), (0.9, 1001)]
    assert "student cp_mobile-8-dirfms-s1000 was trained before, in run" in capsys.readouterr().err
    (trained,), found = trials(first), trials(other)[0]
    assert found.tags[CELL] == trained.tags[CELL]
    assert found.metrics[OBJECTIVE_VALUE] == trained.metrics[OBJECTIVE_VALUE]
    assert (found.metrics[STUDENTS], found.metrics[STUDENTS_TRAINED]) == (2, 0)
    assert found.metrics[TRAINING_SECONDS] == 0
    for original, told in zip(children(first, trained), children(other, found), strict=True):
        assert told.tags[ORIGINAL] == original.run_id
        assert (told.name, told.tags[SEED]) == (original.name, original.tags[SEED])
        assert told.tags[MODEL_ID] == original.tags[MODEL_ID]
        assert told.metrics == original.metrics | {TRAINING_SECONDS: 0.0}
        assert other.bench.tracking.client.list_artifacts(told.run_id) == [], "its logits are those of the original"


def test_student_whose_logits_were_lost_is_trained_again_and_counts_once(make: Make, quick_students: Any) -> None:
    first = make(**listed(0.3), seeds=1)
    first.run()
    (student,) = children(first, trials(first)[0])
    first.bench.tracking.delete(student.run_id)
    other = make("other", **listed(0.3, 0.3), seeds=1)
    other.run()
    assert quick_students.trained == [(0.3, 1000), (0.3, 1000), (0.3, 1001)]
    assert [record.metrics[STUDENTS] for record in trials(other)] == [1, 2]


def test_student_without_its_logits_does_not_count_for_a_cell(make: Make, quick_students: Any) -> None:
    made = make(**listed(0.3), seeds=1)
    made.run()
    (student,) = children(made, trials(made)[0])
    made.bench.tracking.writer(student.run_id, student.experiment_id).content(b"nothing", "logits/logits.npz")
    more = make(**(listed(0.3) | {"trials": 3}), seeds=1, sampler_seed=0)
    more.run()
    for record in trials(more)[1:]:
        of_cell = [each for each in trials(more)[1:] if each.tags[CELL] == record.tags[CELL]]
        assert max(each.metrics[STUDENTS] for each in of_cell) == len(of_cell)


def test_two_workers_that_want_the_same_student_at_once_train_it_once(
    make: Make, quick_students: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(**listed(0.3), seeds=1)
    real, both = work.student_identity, threading.Barrier(2)

    def together(*arguments: Any) -> str:
        both.wait(60)
        return real(*arguments)

    with made.bench.tracking.run(made.context.experiment_id, "trial 0", "trial") as one:
        job = work.SeedJob(
            "tiny", 0, "seed", made.context.experiment_id, one.run_id, (), "mean_logits",
            SearchSpace(made.file).plan_of({}, "test").student, KL(),
        )  # fmt: skip
        made.bench.responses, made.bench.clips  # noqa: B018 - opened once
        monkeypatch.setattr(work, "student_identity", together)
        results: list[work.SeedResult] = []
        threads = [threading.Thread(target=lambda: results.append(work.train_seed(made.bench, job))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(quick_students.trained) == 1
    assert results[0].run_id == results[1].run_id


def test_student_of_a_study_is_found_by_student_train(
    make: Make, open_bench: Callable[..., TrainingContext], tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(**listed(0.3), seeds=1)
    made.run()
    (student,) = children(made, trials(made)[0])

    def trained(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("asc_experiments.distill.standalone_student.train_student", trained)
    recipe = SearchSpace(made.file).plan_of({"student.learning_rate": 0.3}, "test").student
    results = [train_single_student(open_bench, tracking, recipe, [], {}, 0.3) for _ in range(2)]
    assert results[0] == results[1]
    told = tracking.get(results[0][0])
    assert told.tags[ORIGINAL] == student.run_id
    assert told.experiment_id == tracking.experiment("students")
    assert results[0][1]["accuracy/overall"] == student.metrics["accuracy/overall"]


def test_replicates_of_the_same_cell_are_found_too_and_have_seeds_of_their_own(make: Make, quick_students: Any) -> None:
    again = {"replicate": {"best": 1, "seeds": 2}}
    make(**listed(0.3, 0.9), **again).run()
    before = len(quick_students.trained)
    assert before == 4 + 4
    other = make("other", **listed(0.3, 0.9), **again)
    other.run()
    assert len(quick_students.trained) == before
    for record in trials(other):
        fresh = children(other, record, "replicate")
        assert sorted(int(child.tags[SEED]) for child in fresh) == [1000 + FIRST_FRESH, 1001 + FIRST_FRESH]
        assert record.metrics[REPLICATED] == pytest.approx(statistics.fmean(child.metrics[SCORE] for child in fresh))


def test_latest_trial_of_the_baselines_cell_is_the_baseline_and_each_cell_is_replicated_once(
    make: Make, quick_students: Any
) -> None:
    made = make(**listed(0.3, 0.9, 0.3, 0.9))
    made.run()
    assert [trial.number for trial in candidates(made.study, 3)] == [2, 3]
    assert study_status(made.study).best_trial == 3


def test_raised_total_goes_on_with_new_seeds(make: Make, quick_students: Any, workspace: Path) -> None:
    make(trials=2).run()
    make(trials=6).run()
    assert len(set(quick_students.trained)) == len(quick_students.trained) == 12


def test_study_that_moves_takes_the_students_along_that_it_found_in_another(
    make: Make, tmp_path: Path, new_database: Path
) -> None:
    for name in ("tiny", "other"):
        made = make(name, **listed(0.3), seeds=1)
        made.run()
    away = tmp_path / "away"
    (away / "mlruns").mkdir(parents=True)
    shutil.copy(new_database, away / "mlruns")
    for name in ("other", "tiny"):
        path, storage = tmp_path / f"{name}.tar", made.study._storage
        export_workspace(lambda: made.bench.tracking, storage, tmp_path / "cache", path, [name])
        import_workspace(lambda: Tracking.open(away), lambda: open_storage(away, None), tmp_path / "cache", path)
        tracking = Tracking.open(away)
        (told,) = tracking.search([tracking.experiment("other")], "tags.`asc.kind` = 'seed'")
        original = tracking.get(told.tags[ORIGINAL])
        assert original.experiment_id == tracking.experiment("tiny")
        assert original.metrics[SCORE] == told.metrics[SCORE]
        with tracking.artifacts(original.run_id, "logits/logits.npz") as file:
            assert file.stat().st_size > 0
    (trial,) = finished_trials(tracking, "tiny")
    assert original.tags["mlflow.parentRunId"] == trial.run_id, "its trial came along later"
