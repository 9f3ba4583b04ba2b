"""The command behind every row really makes the row again."""

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.report.analysis.next_commands import student_command, teacher_command
from asc_experiments.report.data.loading import read_studies
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.training import KL, make_recipe
from tests.report.made import SPLIT, make_study, run


def banked(split: str = SPLIT, augment: str = "none", arch: str = "cp_mobile", **settings: Any) -> RunRecord:
    recipe = make_recipe(arch, augment, **settings)
    return run("r", recipe.name, "teacher", {}, {"asc.recipe": recipe.model_dump_json(), "asc.split": split})


def test_settings_as_published_are_not_repeated() -> None:
    assert teacher_command(banked('{"fraction":0.0}', "fms", seed=3)).line == (
        "asc teacher train --arch cp_mobile --corpus DIR --augment fms --epochs 150 --seed 3"
    )


def test_settings_that_differ_are_set() -> None:
    line = teacher_command(
        banked(SPLIT, "dirfms", "cp_resnet", epochs=20, learning_rate=1e-5, dir_probability=0.3)
    ).line
    assert line == (
        "asc teacher train --arch cp_resnet --corpus DIR --dirs IRS --augment dirfms --epochs 20 --seed 0 "
        "--validation 0.2 --set dir_probability=0.3 --set learning_rate=1e-05"
    )


def test_published_weights_are_asked_for() -> None:
    assert teacher_command(banked('{"fraction":0.0}', arch="passt", pretrained="audioset")).line.endswith(
        "--pretrained"
    )


@pytest.mark.parametrize(
    ("split", "why"),
    [
        ('{"fraction":0.2,"hold_out_devices":["s3"],"seed":0}', "Device s3 is held out"),
        ('{"fraction":0.2,"hold_out_devices":[],"seed":4}', "drawn with seed 4"),
    ],
)
def test_split_that_the_command_line_cannot_say_has_no_command(split: str, why: str) -> None:
    command = teacher_command(banked(split))
    assert command.line == ""
    assert why in command.note


def test_imported_teacher_says_where_it_came_from() -> None:
    imported = run("r", "r", "teacher", {}, {"asc.imported": "0f passt_dirfms_1.pt"})
    assert "passt_dirfms_1.pt" in teacher_command(imported).note


def test_recipe_of_another_version_has_no_command() -> None:
    assert "another version" in teacher_command(run("r", "r", "teacher", {}, {"asc.recipe": '{"network": 1}'})).note


def test_ensemble_that_only_a_study_combines_has_no_command(made: StudyRuns) -> None:
    trial = next(trial for trial in made.trials if "," in trial.tags["asc.teachers"])
    other = replace(trial, params={**trial.params, "ensemble_rule": "mean_probabilities"})
    assert student_command(made, trial).line
    assert "mean_probabilities" in student_command(made, other).note


def test_other_seeds_are_told() -> None:
    study = make_study(n_trials=2, seeds=3)
    trial = study.trials[1]
    assert student_command(study, trial).note == "", "an earlier version did not log which"
    known = replace(trial, tags={**trial.tags, "asc.student_seeds": "[1000, 2310, 2311]"})
    assert student_command(study, known).note == "The trial's other students: --seed 2310, 2311."


def test_usual_distillation_is_the_programs(made: StudyRuns) -> None:
    usual = {name: str(value) for name, value in KL().model_dump().items()}
    trial = next(trial for trial in made.trials if trial.tags["asc.teachers"])
    line = student_command(made, replace(trial, params={**trial.params, **usual})).line
    assert "temperature" not in line
    assert "label_weight" not in line


def test_commands_of_a_real_study_make_the_same_teacher_and_the_same_students(
    studied: Path, asc: Callable[..., Any], synth_corpus: Path, workspace: Path
) -> None:
    (study,) = read_studies(Tracking.open(studied), ["tiny"])
    (key,) = study.teachers
    again = typed(asc, teacher_command(study.teachers[key]).line, synth_corpus, workspace)
    assert again["key"] == key
    assert again["metrics"]["accuracy/overall"] == study.teachers[key].metrics["accuracy/overall"]
    taught, alone = study.trials
    assert student_command(study, taught).line.count(key) == 1
    for trial in (taught, alone):
        student = typed(asc, student_command(study, trial).line, synth_corpus, workspace)
        record = Tracking.open(workspace).get(student["run_id"])
        assert json.loads(record.tags["asc.recipe"]) == json.loads(trial.tags["asc.recipe"])
        assert record.tags.get("asc.teachers", "") == trial.tags.get("asc.teachers", "")
        assert record.params.get("temperature") == trial.params.get("temperature")
        assert student["metrics"]["accuracy/overall"] == trial.metrics["accuracy/overall"]
        assert student["metrics"]["validation/loss/overall"] == trial.metrics["validation/loss/overall"]


def typed(asc: Callable[..., Any], line: str, corpus: Path, workspace: Path) -> dict[str, Any]:
    """What a command of a report gives, with the folders that it leaves open."""
    folders = {"DIR": str(corpus), "IRS": str(corpus / "dirs")}
    words = [folders.get(word, word) for word in shlex.split(line)[1:]]
    result = asc(*words, "--workspace", workspace, "--json")
    assert result.code == 0, result.err
    return dict(json.loads(result.out))
