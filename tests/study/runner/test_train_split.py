"""Studies over lists of training clips: a trial's networks are trained on one list, and the report says which."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TrainingContext
from asc_experiments.report.analysis.distillation_gain import gains_of
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.next_commands import student_command
from asc_experiments.report.analysis.study_setting import setting_in_words, setting_of
from asc_experiments.report.data.loading import read_studies
from asc_experiments.report.render.formats import Format
from asc_experiments.report.writing import render
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.monitor.cost_estimate import plan_study
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking.trials import CELL, TRAIN_SPLIT, finished_trials

STUDY = """
name: lists
sampler: grid
validation: {fraction: 0.15}
corpus: {train_split: LISTS}
ensemble: {size: [0, 1], common: {epochs: 1, batch_size: 64}, pool: [{arch: cp_mobile, base_channels: 8}]}
student: {base_channels: 8, augment: none, epochs: 1, batch_size: 64}
"""
Make = Callable[..., Driver]


@pytest.fixture
def driver(open_bench: Callable[..., TrainingContext], workspace: Path, tmp_path: Path) -> Make:
    def make(lists: str, overrides: dict[str, Any] | None = None) -> Driver:
        (tmp_path / "lists.yaml").write_text(STUDY.replace("LISTS", lists))
        file = read_study(tmp_path / "lists.yaml", overrides)
        bench = open_bench(file.validation, train_splits=file.corpus.files if file.corpus else ())
        return Driver(file, bench, open_storage(workspace, None))

    return make


def test_each_list_has_its_own_networks_and_the_report_tells_them_apart(driver: Make) -> None:
    study = driver("[split5.csv, split25.csv, none]")
    planned = plan_study(study.file, study.bench, study.study._storage)
    names = ["cp_mobile-8-none", "cp_mobile-8-none@split25", "cp_mobile-8-none@split5"]
    assert [each.name for each in planned.trainings] == 2 * names
    assert study.run().finished == 6
    bank = study.context.bank.all()
    assert sorted(each.name for each in bank) == [
        "cp_mobile-8-none-s0", "cp_mobile-8-none-s0@split25", "cp_mobile-8-none-s0@split5",
    ]  # fmt: skip
    trials = finished_trials(study.bench.tracking, "lists")
    assert len({trial.tags[CELL] for trial in trials}) == 6
    assert [trial.tags.get(TRAIN_SPLIT) for trial in trials].count("split5") == 2
    clips = {trial.params.get("train_split"): trial.params.get("training_clips") for trial in trials}
    assert 0 < int(clips["split5"]) < int(clips["split25"]) < int(clips["none"])

    (runs,) = read_studies(study.bench.tracking, ["lists"])
    page = render([Findings(runs)], Format.md)
    assert "corpus.train_split" in page
    told = dict(setting_in_words(setting_of(runs)))["Training lists"]
    assert told == "split5, split25 and none; the clips above are those of the best trial"
    assert "--train-split split5.csv" in student_command(runs, trials[0]).line
    on = {f"trial {trial.tags['asc.trial']}": trial.tags.get(TRAIN_SPLIT) for trial in trials}
    gains = gains_of(runs)
    assert len(gains) == 3
    assert all(on[gain.against] == on[f"trial {gain.trial}"] for gain in gains), "each by the labels of its own list"
    assert "cp_mobile-8-none-s0@split5" in page
    assert "labels alone@split5" in page
    assert "train_split" in Findings(runs).student_differences.settings


def test_searched_lists_are_parameters_by_the_names_of_their_files(driver: Make, answers: object) -> None:
    study = driver("[split5.csv, split100.csv]")
    study.run()
    assert {trial.params["corpus.train_split"] for trial in study.study.get_trials()} == {"split5", "split100"}


def test_fixed_list_is_no_parameter(driver: Make, answers: object) -> None:
    study = driver("split5.csv")
    study.run()
    assert all("corpus.train_split" not in trial.params for trial in study.study.get_trials())
    assert {run.params["train_split"] for run in finished_trials(study.bench.tracking, "lists")} == {"split5"}


def test_study_resumes_wherever_its_lists_lie_and_not_with_others(
    driver: Make, answers: object, synth_corpus: Path, tmp_path: Path
) -> None:
    driver("split5.csv").run()
    moved = tmp_path / "split5.csv"
    text = (synth_corpus / "evaluation_setup" / "split5.csv").read_text()
    moved.write_text(text)
    assert driver(str(moved)).run().finished == 2
    (kept, *_) = text.rpartition("audio/")
    moved.write_text(kept)
    with pytest.raises(AscError, match="begun with other lists of training clips"):
        driver(str(moved))


def test_banked_teacher_of_another_list_is_refused(driver: Make) -> None:
    study = driver("split25.csv")
    study.run()
    key = study.context.bank.all()[0].key
    pool = {"ensemble": {"size": 1, "pool": [{"name": "known", "keys": [key]}]}, "name": "second"}
    with pytest.raises(AscError, match="was trained on split25, not on split5"):
        driver("split5.csv", pool)
    assert driver("split25.csv", pool).file.name == "second"


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ("[a/split5.csv, b/split5.csv]", "two lists are called 'split5'"),
        ("3", "a list of training clips is the name of a file"),
        ("{low: 1, high: 3}", "a list of training clips is the name of a file"),
        ("['a b.csv']", "is no name for a training list"),
        ("nowhere.csv", "nowhere.csv: no such list"),
    ],
)
def test_lists_that_cannot_be_told_apart_or_read_are_refused(driver: Make, lists: str, said: str) -> None:
    with pytest.raises(AscError) as caught:
        driver(lists)
    assert said in caught.value.line()
    assert len(caught.value.line().splitlines()) == 1


def test_study_without_lists_has_the_definition_it_had(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(STUDY.replace("corpus: {train_split: LISTS}\n", ""))
    assert read_study(tmp_path / "plain.yaml").definition_digest() == "40f3c35bc2e7129eea8b89c6e613e493"
