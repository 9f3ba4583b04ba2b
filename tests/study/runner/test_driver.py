"""Studies reach their total whatever happens, and tell the truth about it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.executors.jobs import SeedJob, SeedResult
from asc_experiments.study.runner.cells import first_seed
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import load_study, open_storage
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import ERROR
from asc_experiments.tracking.trials import CELL, OBJECTIVE_VALUE, TRIAL, finished_trials

Open = Callable[..., TrainingContext]
Write = Callable[..., Path]


def runs(bench: TrainingContext, kind: str, study: str = "tiny") -> list[str]:
    query = f"tags.`asc.kind` = '{kind}'"
    return [record.status for record in bench.tracking.search([bench.tracking.experiment(study)], query)]


def test_study_reaches_its_total_and_trains_each_teacher_once(driver: Callable[..., Driver]) -> None:
    first = driver()
    status = first.run()
    assert (status.asked, status.finished, status.failed, status.running) == (3, 3, 0, 0)
    bench = first.bench
    trials = finished_trials(bench.tracking, "tiny")
    assert [record.tags[TRIAL] for record in trials] == ["0", "1", "2"]
    distinct = {key for record in trials for key in record.tags["asc.teachers"].split(",")}
    assert Counter(runs(bench, "teacher", "teachers")) == {"FINISHED": len(distinct)}
    for record in trials:
        assert record.metrics[OBJECTIVE_VALUE] == record.metrics["validation/accuracy/macro"]
        assert {
            "accuracy/device/s4",
            "ensemble/accuracy/overall",
            "complexity/macs",
            "complexity/macs_torchinfo",
        } <= record.metrics.keys()
    teacher = TeacherBank(bench.tracking).all()[0]
    shared = {name for name in teacher.metrics if name.startswith(("accuracy/", "loss/", "complexity/"))}
    assert shared <= trials[0].metrics.keys()
    assert driver().run() == status, "nothing is left to do the second time"


def test_total_can_be_raised_later(driver: Callable[..., Driver]) -> None:
    assert driver({"trials": 1}).run().finished == 1
    assert driver({"trials": 2}).run().finished == 2


def test_seeds_are_children_of_their_trial_and_averaged(driver: Callable[..., Driver]) -> None:
    made = driver({"trials": 1}, seeds="2")
    made.run()
    tracking = made.bench.tracking
    trial = finished_trials(tracking, "tiny")[0]
    children = tracking.search([trial.experiment_id], f"tags.`mlflow.parentRunId` = '{trial.run_id}'")
    first = first_seed(trial.tags[CELL])
    assert [child.name for child in children] == [f"seed {first}", f"seed {first + 1}"]
    mean = sum(child.metrics["accuracy/overall"] for child in children) / 2
    assert trial.metrics["accuracy/overall"] == pytest.approx(mean)
    assert "std/accuracy/overall" in trial.metrics


def test_enqueued_trials_come_first_and_once(driver: Callable[..., Driver]) -> None:
    enqueue = "[{ensemble_size: 1, teacher_1: cp_resnet}]"
    made = driver({"trials": 1}, enqueue=enqueue)
    made.run()
    driver({"trials": 2}, enqueue=enqueue).run()
    params = [trial.params for trial in made.study.get_trials()]
    assert params[0] == {"ensemble_size": 1, "teacher_1": "cp_resnet"}
    assert len(params) == 2


def test_failing_trial_is_failed_with_its_error_and_the_study_goes_on(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asc_experiments.study.executors import jobs as work_module

    real, calls = work_module.train_student, []

    def fails_once(*arguments: object) -> dict[str, float]:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("out of memory")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(work_module, "train_student", fails_once)
    made = driver()
    status = made.run()
    assert (status.finished, status.failed) == (2, 1)
    records = made.bench.tracking.search([made.context.experiment_id], "attributes.status = 'FAILED'")
    assert {record.tags["asc.kind"] for record in records} == {"trial", "seed"}
    assert all("out of memory" in record.tags[ERROR] for record in records)


def test_pruned_trial_is_killed_in_mlflow_and_counted(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda trial: trial.number == 1)
    made = driver(pruner="median")
    status = made.run()
    assert (status.finished, status.pruned, status.failed) == (2, 1, 0)
    assert Counter(runs(made.bench, "trial")) == {"FINISHED": 2, "KILLED": 1}
    assert "RUNNING" not in runs(made.bench, "seed")


def test_unknown_metric_is_refused_before_anything_is_written(driver: Callable[..., Driver], workspace: Path) -> None:
    with pytest.raises(AscError, match=r"unknown metric 'accuracy/device/s9' on the validation split"):
        driver(objective="{metric: accuracy/device/s9}")
    assert not Tracking.open(workspace).has_experiment("tiny")
    with pytest.raises(AscError, match="does not exist"):
        load_study(open_storage(workspace, None), "tiny")


def test_unseen_devices_can_be_an_objective_when_some_are_held_out(driver: Callable[..., Driver]) -> None:
    objective = "{metric: accuracy/group/unseen}"
    with pytest.raises(AscError, match="unknown metric"):
        driver(objective=objective)
    made = driver({"trials": 1}, objective=objective, validation="{fraction: 0.3, hold_out_devices: [s3]}")
    assert made.run().finished == 1
    assert "s3" not in made.bench.corpus.device_of[made.bench.rows[0]]


def test_resumed_study_draws_new_points(driver: Callable[..., Driver]) -> None:
    searched = {"student": "{base_channels: 8, epochs: 1, batch_size: 64, learning_rate: {low: 1e-4, high: 1e-2}}"}
    for total in (1, 2, 3):
        made = driver({"trials": total}, **searched)
        made.run()
    rates = [trial.params["student.learning_rate"] for trial in made.study.get_trials()]
    assert len(set(rates)) == 3


def test_changed_study_is_refused(driver: Callable[..., Driver]) -> None:
    driver({"trials": 1}).run()
    with pytest.raises(AscError) as caught:
        driver({"student.epochs": 1, "seeds": 2})
    assert caught.value.line() == (
        "study 'tiny': was begun with other settings (student.epochs was 2 and is 1, seeds was the default and is 2); "
        "give it another name: --set name=…; with --trials-of tiny, that begins with the trials of this one; or "
        "keep the seeds, and have more students of its best trials: replicate: {best: 3, seeds: 3}"
    )


TWENTY_TRIALS_OVER_SIX_TEACHERS = """
name: tiny
sampler: grid
validation: {fraction: 0.3}
ensemble:
  counts: {cpm: [1, 2], cpr: 2}
  common: {epochs: 1, batch_size: 64, base_channels: 8}
  pool: [{name: cpm, arch: cp_mobile, augment: [none, dirfms]}, {name: cpr, arch: cp_resnet}]
student: {base_channels: 8, epochs: 1}
distillation: {temperature: [1.0, 1.5, 2.0, 3.0, 4.0]}
"""


def test_twenty_trials_over_six_teachers_train_six_and_launched_again_none(
    open_bench: Open, tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def student(bench: TrainingContext, job: SeedJob) -> SeedResult:
        names = ["accuracy/overall", "device_generalization", "validation/accuracy/macro"]
        return SeedResult(job.parent, "m-0", job.student.seed, dict.fromkeys(names, 0.5))

    monkeypatch.setattr("asc_experiments.study.runner.trial_runner.train_seed", student)  # this is about teachers
    monkeypatch.setattr(
        "asc_experiments.study.runner.trial_result._log_answers", lambda *_: None
    )  # there are no logits
    (tmp_path / "six.yaml").write_text(TWENTY_TRIALS_OVER_SIX_TEACHERS)
    study = read_study(tmp_path / "six.yaml")
    for _ in range(2):
        bench = open_bench(study.validation)
        status = Driver(study, bench, open_storage(workspace, None)).run()
        assert (status.asked, status.finished) == (20, 20)
        assert Counter(runs(bench, "teacher", "teachers")) == {"FINISHED": 6}
