"""Every pair of states that a study's two stores can be in: what is said, what counts, and the way on."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from mlflow.entities import ViewType
from sqlalchemy.exc import OperationalError

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import Outage
from asc_experiments.distill import TrainingContext
from asc_experiments.migration.workspace import export_workspace, import_workspace
from asc_experiments.report.data.loading import read_studies
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.monitor.cost_estimate import plan_study
from asc_experiments.study.monitor.live_view import view_study
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.replication import candidates
from asc_experiments.study.runner.stores import identity_in_optuna
from asc_experiments.study.storage.open_storage import load_study, open_storage, study_names
from asc_experiments.study.storage.trial_status import study_status
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.registry.candidate import Candidate
from asc_experiments.tracking.study_identity import STUDY_ID, present_identity
from asc_experiments.tracking.trials import STUDENTS, TRIAL, best_finished_trial, finished_trials

Make = Callable[..., Driver]
STUDY: dict[str, Any] = {
    "seeds": 1,
    "ensemble": {"size": 0, "pool": [{"arch": "cp_resnet"}]},
    "student": {"base_channels": 8, "epochs": 1, "learning_rate": [0.3, 0.6, 0.9]},
    "enqueue": [{"student.learning_rate": rate} for rate in (0.3, 0.6, 0.9)],
}


@pytest.fixture
def make(
    open_bench: Callable[..., TrainingContext], study_file: Callable[..., Path], workspace: Path, quick_students: Any
) -> Make:
    """A driver of a study of three students on labels alone."""

    def made(storage: Path | None = None, retry_deleted: bool = False, **overrides: Any) -> Driver:
        study = read_study(study_file(), STUDY | overrides)
        kept = open_storage(workspace, None if storage is None else str(storage))
        return Driver(study, open_bench(study.validation), kept, retry_deleted=retry_deleted)

    return made


@contextmanager
def earlier_version() -> Iterator[None]:
    """Studies are begun without an identity, and nothing is held against the other store, as before there was any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asc_experiments.study.runner.validation.STUDY_ID", "asc.unknown")
        patch.setattr("asc_experiments.study.runner.driver.settle_apart", lambda *_: None)
        yield


def delete_in_optuna(made: Driver) -> None:
    optuna.delete_study(study_name="tiny", storage=made.study._storage)


def experiment_of(tracking: Tracking) -> str:
    return str(tracking.client.get_experiment_by_name("tiny").experiment_id)


def delete_experiment(tracking: Tracking) -> None:
    tracking.client.delete_experiment(experiment_of(tracking))


def delete_for_good(tracking: Tracking) -> None:
    """As `mlflow gc` does it, which begins a process of its own that takes seconds."""
    store = tracking.client._tracking_client.store
    for run in tracking.client.search_runs([experiment_of(tracking)], "", ViewType.ALL):
        store._hard_delete_run(run.info.run_id)
    delete_experiment(tracking)
    store._hard_delete_experiment(experiment_of(tracking))


def delete_runs(tracking: Tracking, *numbers: int, students: bool = False) -> None:
    kinds = ("trial", "seed") if students else ("trial",)
    for run in tracking.search([experiment_of(tracking)]):
        if run.tags["asc.kind"] in kinds and int(run.tags[TRIAL]) in numbers:
            tracking.delete(run.run_id)


def numbers(runs: list[RunRecord]) -> list[int]:
    return [int(run.tags[TRIAL]) for run in runs]


def counted(made: Driver) -> list[int]:
    return numbers(finished_trials(made.bench.tracking, "tiny"))


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_study_deleted_in_optuna_and_begun_again_is_another_one(
    make: Make, quick_students: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make()
    first.run()
    old = finished_trials(first.bench.tracking, "tiny")
    delete_in_optuna(first)
    again = make(trials=2, enqueue=STUDY["enqueue"][:2])
    tracking = again.bench.tracking
    assert "deleted in Optuna or kept in another storage, has 3 finished trials in the tracking" in said(capsys)
    assert finished_trials(tracking, "tiny") == [], "from its beginning on"
    assert again.run().finished == 2
    assert len(quick_students.trained) == 3, "students are found"
    new = finished_trials(tracking, "tiny")
    assert numbers(new) == [0, 1]
    assert {run.run_id for run in new}.isdisjoint(run.run_id for run in old)
    assert {run.tags[STUDY_ID] for run in new} == {identity_in_optuna(again.study)}
    assert best_finished_trial(tracking, "tiny").run_id == new[1].run_id, "the best of all was the deleted one's"
    (runs,) = read_studies(tracking, ["tiny"])
    assert (numbers(list(runs.trials)), runs.left_out) == ([0, 1], 3)
    assert view_study(again.study, tracking).status.finished == 2
    assert numbers(Candidate(tracking, old[2], old[2]).trials) == [0, 1, 2], "a champion is compared by its own study"
    assert make(trials=2, enqueue=STUDY["enqueue"][:2]).run().finished == 2
    assert "another one" not in said(capsys), "said once"


def test_students_of_a_deleted_study_are_not_pooled_with_those_of_the_next(make: Make) -> None:
    first = make(enqueue=STUDY["enqueue"][:1] * 3)
    first.run()
    assert [run.metrics[STUDENTS] for run in finished_trials(first.bench.tracking, "tiny")] == [1, 2, 3]
    delete_in_optuna(first)
    again = make(trials=1, enqueue=STUDY["enqueue"][:1])
    again.run()
    assert [run.metrics[STUDENTS] for run in finished_trials(again.bench.tracking, "tiny")] == [1]


def test_of_two_storages_the_study_that_was_run_last_is_reported(make: Make, tmp_path: Path) -> None:
    here = make(trials=2)
    here.run()
    there = make(tmp_path / "other.journal", trials=1)
    there.run()
    assert counted(there) == [0]
    resumed = make(trials=3)
    assert resumed.run().finished == 3
    assert counted(resumed) == [0, 1, 2]
    (runs,) = read_studies(resumed.bench.tracking, ["tiny"])
    assert runs.left_out == 1


def test_deleted_experiment_is_refused_before_anything_is_written_and_restored_as_it_was(make: Make) -> None:
    made = make()
    status = made.run()
    tracking = made.bench.tracking
    delete_experiment(tracking)
    restore = rf"experiment 'tiny': was deleted .* mlflow experiments restore -x {experiment_of(tracking)}"
    for command in (
        make,
        lambda: make(trials=9),
        lambda: read_studies(tracking, ["tiny"]),
        lambda: best_finished_trial(tracking, "tiny"),
        lambda: view_study(made.study, tracking),
        lambda: plan_study(made.file, made.bench, made.study._storage),
    ):
        with pytest.raises(AscError, match=restore):
            command()
    assert study_status(made.study).asked == 3
    tracking.client.restore_experiment(experiment_of(tracking))
    assert make().run() == status
    assert counted(made) == [0, 1, 2]


def test_deleted_experiment_of_a_study_that_is_not_in_optuna_begins_none(make: Make, workspace: Path) -> None:
    made = make()
    made.run()
    delete_in_optuna(made)
    delete_experiment(made.bench.tracking)
    with pytest.raises(AscError, match="experiments restore"):
        make()
    assert study_names(open_storage(workspace, None)) == []


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_finished_trials_without_any_run_are_refused_and_run_again_when_asked(
    make: Make, quick_students: Any, is_made_anew: bool
) -> None:
    made = make()
    made.run()
    tracking = made.bench.tracking
    delete_for_good(tracking)
    if is_made_anew:
        tracking.experiment("tiny")
    refused = "3 finished trials in Optuna, and no run of one in sqlite:.*--tracking-uri.*--retry-deleted.*--set name="
    for command in (make, lambda: plan_study(made.file, made.bench, made.study._storage)):
        with pytest.raises(AscError, match=refused):
            command()
    assert tracking.has_experiment("tiny") == is_made_anew, "nothing was written"
    status = study_status(made.study)
    assert (status.finished, status.asked) == (3, 3)
    status = make(retry_deleted=True).run()
    assert (status.finished, status.deleted, status.interrupted) == (3, 0, 3)
    assert counted(made) == [3, 4, 5]
    assert sorted(quick_students.trained[3:]) == sorted(quick_students.trained[:3]), "they were deleted as well"
    assert make().run() == status


def test_trials_whose_runs_were_deleted_do_not_count_and_are_run_again_when_asked(
    make: Make, quick_students: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make()
    assert made.run().best_trial == 2
    delete_runs(made.bench.tracking, 1, 2)
    status = make().run()
    assert "of 3 finished trials, the runs of 2 were deleted" in said(capsys)
    assert (status.finished, status.deleted, status.done, status.best_trial) == (1, 2, 3, 0)
    status = make(retry_deleted=True).run()
    assert "2 finished trials whose runs were deleted once more" in said(capsys)
    assert (status.finished, status.deleted, status.best_trial) == (3, 0, 4)
    assert counted(made) == [0, 3, 4]
    assert len(quick_students.trained) == 3, "students that are left are found"
    assert make(retry_deleted=True).run() == status


def test_runs_that_are_restored_count_again(make: Make) -> None:
    made = make()
    status = made.run()
    tracking = made.bench.tracking
    delete_runs(tracking, 1)
    assert make().run().deleted == 1
    for run in tracking.client.search_runs([experiment_of(tracking)], "", ViewType.DELETED_ONLY):
        tracking.client.restore_run(run.info.run_id)
    assert make().run() == status


def test_run_that_is_restored_after_its_trial_was_run_again_is_set_aside(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make()
    made.run()
    tracking = made.bench.tracking
    delete_runs(tracking, 1, students=True)
    make(retry_deleted=True).run()
    for run in tracking.client.search_runs([experiment_of(tracking)], "", ViewType.DELETED_ONLY):
        tracking.client.restore_run(run.info.run_id)
    assert make().run().finished == 3
    assert "left out from now on, as not known to Optuna: 1 finished trial in" in said(capsys)
    assert counted(made) == [0, 2, 3]
    (runs,) = read_studies(tracking, ["tiny"])
    assert runs.left_out == 1


def test_replicates_are_of_trials_that_have_runs(make: Make) -> None:
    made = make(seeds=2)
    made.run()
    delete_runs(made.bench.tracking, 2)
    make(seeds=2, retry_deleted=True).run()
    delete_runs(made.bench.tracking, 1)
    make(seeds=2).run()
    assert [trial.number for trial in candidates(made.study, 3)] == [0, 3]


def test_older_copy_of_the_storage_sets_aside_what_it_does_not_have(
    make: Make, workspace: Path, tmp_path: Path, quick_students: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    make(trials=2).run()
    journal = workspace / "studies" / "optuna.journal"
    shutil.copy(journal, tmp_path)
    make().run()
    shutil.copy(tmp_path / journal.name, journal)
    resumed = make()
    assert study_status(resumed.study).finished == 2
    assert resumed.run().finished == 3
    assert "left out from now on, as not known to Optuna: 1 finished trial in" in said(capsys)
    assert counted(resumed) == [0, 1, 2]
    assert len(quick_students.trained) == 3, "students are found"


def test_study_of_an_earlier_version_has_no_identity_and_goes_on(make: Make) -> None:
    with earlier_version():
        made = make(trials=2)
        made.run()
    tracking = made.bench.tracking
    tracking.client.delete_experiment_tag(experiment_of(tracking), STUDY_ID)
    assert STUDY_ID not in finished_trials(tracking, "tiny")[0].tags
    assert best_finished_trial(tracking, "tiny").tags[TRIAL] == "1"
    resumed = make()
    assert resumed.run().finished == 3
    assert (identity_in_optuna(resumed.study), present_identity(tracking, experiment_of(tracking))) == ("", "")
    assert counted(resumed) == [0, 1, 2]
    assert best_finished_trial(tracking, "tiny").tags[TRIAL] == "2"
    delete_in_optuna(resumed)
    again = make(trials=1)
    again.run()
    assert identity_in_optuna(again.study)
    assert counted(again) == [0]
    assert best_finished_trial(tracking, "tiny").tags[TRIAL] == "0"


def test_studies_that_an_earlier_version_mixed_are_told_apart(make: Make) -> None:
    with earlier_version():
        first = make()
        first.run()
        old = {run.run_id for run in finished_trials(first.bench.tracking, "tiny")}
        delete_in_optuna(first)
        make(trials=2).run()
    assert counted(first) == [0, 0, 1, 1, 2]
    made = make(trials=2)
    assert made.run().finished == 2
    assert counted(made) == [0, 1]
    assert old.isdisjoint(run.run_id for run in finished_trials(made.bench.tracking, "tiny"))


def test_experiment_that_is_deleted_meanwhile_stops_the_study_and_blames_no_trial(
    make: Make, quick_students: Any
) -> None:
    made = make()

    def delete(recipe: Any) -> None:
        if recipe.optimisation.learning_rate == 0.6:
            delete_experiment(made.bench.tracking)

    quick_students.before = delete
    with pytest.raises(AscError, match="experiments restore"):
        made.run()
    quick_students.before = lambda recipe: None
    status = study_status(made.study)
    assert (status.finished, status.failed, status.interrupted) == (1, 0, 1)
    made.bench.tracking.client.restore_experiment(experiment_of(made.bench.tracking))
    assert make().run().finished == 3


@pytest.mark.parametrize("is_begun_anew", [False, True])
@pytest.mark.parametrize("sqlite", [False, True])
def test_study_that_is_deleted_in_optuna_meanwhile_is_one_line_and_begins_anew(
    make: Make, quick_students: Any, tmp_path: Path, is_begun_anew: bool, sqlite: bool
) -> None:
    storage: Any = f"sqlite:///{tmp_path}/optuna.db" if sqlite else None
    made = make(storage)

    def delete(recipe: Any) -> None:
        quick_students.before = lambda recipe: None
        delete_in_optuna(made)
        if is_begun_anew:
            make(storage)

    quick_students.before = delete
    with pytest.raises(AscError, match="study 'tiny': was deleted in Optuna while it ran; the same command"):
        made.run()
    again = make(storage)
    assert again.run().finished == 3
    assert counted(again) == [0, 1, 2]


def test_import_is_refused_where_the_study_was_begun_anew_and_has_trials(make: Make, tmp_path: Path) -> None:
    made = make(trials=1)
    made.run()
    storage, tracking, cache = made.study._storage, made.bench.tracking, tmp_path / "cache"
    export_workspace(lambda: tracking, storage, cache, tmp_path / "a.tar", ["tiny"])
    delete_in_optuna(made)
    again = make(trials=1)
    again.run()
    with pytest.raises(AscError, match="begun anew: another study of that name"):
        import_workspace(lambda: tracking, lambda: storage, cache, tmp_path / "a.tar")
    delete_in_optuna(again)
    make(trials=1)
    import_workspace(lambda: tracking, lambda: storage, cache, tmp_path / "a.tar")
    (runs,) = read_studies(tracking, ["tiny"])
    before = identity_in_optuna(load_study(storage, "tiny"))
    assert {run.tags[STUDY_ID] for run in runs.trials} == {runs.tags[STUDY_ID]} == {before}


def test_study_that_moves_keeps_its_identity(make: Make, tmp_path: Path, new_database: Path) -> None:
    made = make()
    made.run()
    delete_in_optuna(made)
    made = make(trials=2)
    made.run()
    away, cache = tmp_path / "away", tmp_path / "cache"
    (away / "mlruns").mkdir(parents=True)
    shutil.copy(new_database, away / "mlruns")
    export_workspace(lambda: made.bench.tracking, made.study._storage, cache, tmp_path / "a.tar", ["tiny"])
    import_workspace(lambda: Tracking.open(away), lambda: open_storage(away, None), cache, tmp_path / "a.tar")
    (runs,) = read_studies(Tracking.open(away), ["tiny"])
    assert (numbers(list(runs.trials)), runs.left_out) == ([0, 1], 3)
    assert identity_in_optuna(load_study(open_storage(away, None), "tiny")) == runs.tags[STUDY_ID]


def test_storage_that_is_away_when_a_study_is_opened_is_one_line(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(storage: object) -> list[str]:
        raise OperationalError("SELECT", {}, Exception("the database is shutting down"))

    monkeypatch.setattr("asc_experiments.study.runner.stores.study_names", away)
    with pytest.raises(Outage, match="study 'tiny': its storage does not answer"):
        make()


def test_commands_say_what_was_deleted_in_a_line(
    make: Make, asc: Callable[..., Any], study_file: Callable[..., Path], synth_corpus: Path, workspace: Path
) -> None:
    made = make()
    made.run()
    file, here = study_file(), ("--workspace", workspace)
    file.write_text(yaml.safe_dump(made.file.model_dump(mode="json", exclude_unset=True)))
    run = ("study", "run", file, "--corpus", synth_corpus, *here)
    delete_runs(made.bench.tracking, 0, 1, 2)
    refused = asc(*run)
    assert (refused.code, refused.out) == (2, "")
    assert "3 finished trials in Optuna, and no run of one in" in refused.err
    shown = asc("report", "tiny", *here)
    assert "No trial has finished" in shown.out
    assert "chosen by" not in shown.out
    told = asc("register", "tiny", *here)
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert "no finished trial in the tracking server; `asc study run`" in told.err
    assert "as Optuna's storage has it" in asc("study", "status", "tiny", *here).out
    done = asc(*run, "--retry-deleted", "--json")
    assert done.code == 0
    assert '"finished": 3' in done.out
