"""From Python the same stores, teachers, studies and models are reached as by the command line, and the same errors."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import asc_experiments as asc
from asc_experiments.api.tables import trials_table
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.training import SceneNetwork, make_recipe
from asc_experiments.training.inference import classify
from tests.report.made import make_study

TEACHER = {"augment": "dirfms", "base_channels": 8, "epochs": 1, "batch_size": 64, "learning_rate": 2e-5}
"""The teacher of the study of two trials."""


@pytest.fixture
def ws(studied: Path) -> asc.Workspace:
    return asc.workspace(studied)


@pytest.fixture(scope="module")
def network() -> SceneNetwork:
    torch.manual_seed(0)
    return SceneNetwork(make_recipe("cp_mobile", base_channels=8), ("bus", "park")).eval()


@pytest.fixture
def model(workspace: Path, network: SceneNetwork) -> asc.Model:
    tracking = Tracking.open(workspace)
    with tracking.run(tracking.experiment("runs"), "x", "student") as run:
        model_id = log_network(run, network)
    return asc.workspace(workspace).load(f"models:/{model_id}")


@pytest.fixture
def recordings(tmp_path: Path) -> dict[Path, np.ndarray]:
    """Sound files, and their samples."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    rng = np.random.default_rng(0)
    sounds = {folder / f"{name}.wav": 0.1 * rng.normal(size=32_000 * length) for name, length in (("a", 1), ("b", 3))}
    for path, samples in sounds.items():
        soundfile.write(path, samples, 32_000, subtype="FLOAT")
    return {path: samples.astype(np.float32) for path, samples in sounds.items()}


def test_trials_have_a_row_each_under_the_names_of_the_reports_csv(ws: asc.Workspace) -> None:
    study = ws.study("tiny")
    trials = study.trials()
    assert trials.index.name == "trial"
    assert list(trials.index) == [0, 1]
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(study.report("csv")))}
    for trial in trials.itertuples():
        row = rows[trial.name]
        assert (trial.run_id, trial.taught_by, trial.teachers) == (row["run_id"], row["taught_by"], row["teachers"])
    told = {name for name in rows["trial 0"] if name.startswith("params.") or "/" in name}
    assert told <= {*trials.columns, *study.teachers().columns}
    assert trials.loc[0, "accuracy/device/s4"] == float(rows["trial 0"]["accuracy/device/s4"])


def test_trials_say_what_stands_for_its_cell_which_is_best_and_what_to_doubt(ws: asc.Workspace) -> None:
    trials = ws.study("tiny").trials()
    assert trials["counts"].all()
    assert trials["best"].sum() == 1
    assert trials["cell"].nunique() == 2
    assert set(trials["note"]) == {"cannot be told from guessing"}
    assert (trials["status"] == "FINISHED").all()


def test_parameters_are_numbers_where_they_read_as_such(ws: asc.Workspace) -> None:
    trials = ws.study("tiny").trials()
    assert trials["params.search.ensemble_size"].tolist() == [1, 0]
    assert trials["params.search.ensemble_size"].dtype == "int64"
    assert trials["params.student.arch"].tolist() == ["cp_mobile", "cp_mobile"]
    assert pd.isna(trials.loc[1, "params.ensemble_rule"])


def test_pruned_trials_stand_in_the_table_only_where_they_are_asked_for() -> None:
    findings = Findings(make_study("made", 6, seed=3, seeds=1))
    finished, every = trials_table(findings), trials_table(findings, every=True)
    assert set(finished["status"]) == {"FINISHED"}
    assert len(every) == len(finished) + len(findings.runs.pruned) + len(findings.runs.failed)
    assert (every["status"] == "KILLED").sum() == len(findings.runs.pruned) > 0
    assert not every.loc[every["status"] == "KILLED", "counts"].any()


def test_teachers_of_a_study_and_of_the_bank_are_one_table(ws: asc.Workspace) -> None:
    teachers = ws.study("tiny").teachers()
    assert list(teachers.index) == ws.study("tiny").trials()["teachers"].tolist()[:1]
    assert teachers.index.name == "key"
    assert {"name", "imported", "params.arch", "accuracy/macro"} <= {*teachers.columns}
    pd.testing.assert_frame_equal(ws.bank.teachers().loc[teachers.index], teachers)


def test_teacher_of_a_study_is_found_by_its_key_and_by_its_settings(ws: asc.Workspace, synth_corpus: Path) -> None:
    key = ws.study("tiny").teachers().index[0]
    assert ws.bank.find(key[:6]).key == key
    found = ws.bank.train("cp_mobile", asc.corpus(synth_corpus), validation=0.3, **TEACHER)
    assert found.key == key
    assert found.logits.values.shape == (200, 10)


def test_logits_are_imported_once_with_what_they_were_trained_on(workspace: Path, synth_corpus: Path) -> None:
    bank, corpus = asc.workspace(workspace).bank, asc.corpus(synth_corpus)
    values = 4 * np.eye(len(corpus.scenes), dtype=np.float32)[corpus.labels]
    logits = pd.DataFrame(values, index=list(corpus.filenames), columns=list(corpus.scenes))
    trained_on = {"validation": 0.2, "hold_out_devices": ["s3"]}
    teacher = bank.import_logits(logits.sample(frac=1, random_state=0), corpus, name="right", **trained_on)
    assert bank.import_logits(logits, str(synth_corpus), name="right", **trained_on).key == teacher.key
    assert (teacher.metrics["accuracy/macro"], teacher.metrics["validation/accuracy/macro"]) == (1, 1)
    assert (teacher.split.fraction, teacher.split.hold_out_devices) == (0.2, ("s3",))
    assert bank.teachers()["imported"].tolist() == ["right"]
    with pytest.raises(asc.AscError, match="park"):
        bank.import_logits(logits.drop(columns="park"), corpus)


def test_study_that_is_done_is_found_done_and_planned_as_done(
    ws: asc.Workspace, synth_corpus: Path, studied: Path
) -> None:
    file = studied / "tiny.yaml"
    assert ws.plan(file, synth_corpus)["trainings"] == 0
    design = ws.plan(file, synth_corpus, within=24 * 3600.0, workers=2)["design"]
    assert (design["compares"], design["workers"]) == ("the best trial", 2)
    assert all(each["seconds"] <= 24 * 3600 for each in design["designs"])
    study = ws.run(file, synth_corpus)
    assert study.name == "tiny"
    assert study.status()["finished"] == 2


def test_changes_of_a_study_file_are_those_of_the_command_line(
    ws: asc.Workspace, synth_corpus: Path, studied: Path
) -> None:
    with pytest.raises(asc.AscError, match="did you mean 'epochs'"):
        ws.plan(studied / "tiny.yaml", synth_corpus, settings={"student.epoch": 2})
    with pytest.raises(asc.AscError, match="scale"):
        ws.plan(studied / "tiny.yaml", synth_corpus, scale="small")


def test_report_is_text_and_a_file_in_the_form_of_its_ending(ws: asc.Workspace, tmp_path: Path) -> None:
    study = ws.study("tiny")
    assert study.report().startswith("tiny: ")
    assert {row["kind"] for row in json.loads(study.report("json"))["rows"]} == {"student", "teacher"}
    text = study.report(output=tmp_path / "tiny.html")
    assert text == (tmp_path / "tiny.html").read_text()
    assert text.startswith("<!doctype html>")
    with pytest.raises(asc.AscError, match="did you mean 'html'"):
        study.report("htm")  # type: ignore[arg-type]


def test_student_at_chance_or_above_a_gate_is_not_registered(ws: asc.Workspace) -> None:
    study = ws.study("tiny")
    with pytest.raises(asc.AscError, match="nothing was registered"):
        study.register()
    with pytest.raises(asc.AscError):
        study.register(allow_chance=True, max_parameters=1, limits={"accuracy/overall": 0.0})
    with pytest.raises(asc.AscError, match="unknown metric"):
        study.register(limits={"accuracy/overal": 0.5})
    with pytest.raises(asc.AscError, match="no registered model"):
        ws.load("models:/asc-student@champion")


def test_files_arrays_and_tables_are_answered_alike(
    model: asc.Model, network: SceneNetwork, recordings: dict[Path, np.ndarray]
) -> None:
    expected = np.stack([classify(network, samples) for samples in recordings.values()])
    found = model.predict(next(iter(recordings)).parent)
    assert list(found["file"]) == [str(path) for path in recordings]
    assert list(found.columns) == ["file", "scene", "probability", "probability/bus", "probability/park"]
    np.testing.assert_allclose(found[["probability/bus", "probability/park"]], expected, atol=1e-5)
    table = pd.DataFrame({"waveform": list(recordings.values())}, index=["x", "y"])
    told = model.predict(table)
    assert list(told.index) == ["x", "y"]
    np.testing.assert_allclose(told["probability"], found["probability"], atol=1e-5)
    first = next(iter(recordings.values()))
    np.testing.assert_allclose(model.predict(first[None])["probability"], found["probability"][:1], atol=1e-5)
    assert (model.scenes, model.devices) == (("bus", "park"), ())


def test_long_recordings_are_answered_along_their_time(model: asc.Model, recordings: dict[Path, np.ndarray]) -> None:
    found = model.predict(list(recordings), every=1.0)
    assert found["begin"].tolist() == [0, 0, 1, 2]
    assert found["end"].tolist() == [1, 1, 2, 3]


def test_every_file_that_cannot_be_read_is_named(model: asc.Model, recordings: dict[Path, np.ndarray]) -> None:
    folder = next(iter(recordings)).parent
    for name in ("broken.wav", "torn.wav"):
        (folder / name).write_bytes(b"no sound")
    with pytest.raises(asc.AscError) as caught:
        model.predict(folder)
    assert [Path(error.where).name for error in caught.value.each()] == ["broken.wav", "torn.wav"]


def test_what_is_said_of_devices_in_vain_is_refused(model: asc.Model, recordings: dict[Path, np.ndarray]) -> None:
    with pytest.raises(asc.AscError, match="one network for all devices"):
        model.predict(list(recordings), device="a")
    with pytest.raises(asc.AscError, match="device: is said of sound files"):
        model.predict(np.zeros((1, 32_000), dtype=np.float32), device="a")


def test_default_workspace_is_that_of_the_environment(
    studied: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASC_WORKSPACE", str(studied))
    study = asc.study("tiny")
    assert (len(study.trials()), study.status()["finished"]) == (2, 2)
    monkeypatch.setenv("ASC_STORAGE", str(tmp_path / "other.journal"))
    with pytest.raises(asc.AscError, match="does not exist here"):
        asc.study("tiny").status()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", Tracking.open(workspace).uri)
    with pytest.raises(asc.AscError, match="is not in the tracking server"):
        asc.study("tiny").trials()


def test_workspace_and_corpus_stay_where_they_are_when_the_program_changes_its_folder(
    studied: Path, synth_corpus: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(studied.parent)
    ws = asc.workspace(studied.name)
    monkeypatch.chdir(synth_corpus.parent)
    corpus = asc.corpus("corpus")
    monkeypatch.chdir(tmp_path)
    assert len(ws.study("tiny").trials()) == 2
    assert (corpus.root / corpus.filenames[0]).is_file()


def test_study_that_does_not_exist_is_one_line(ws: asc.Workspace) -> None:
    with pytest.raises(asc.AscError) as caught:
        ws.study("tinny").trials()
    assert caught.value.line() == "study 'tinny': is not in the tracking server; did you mean 'tiny'?"
