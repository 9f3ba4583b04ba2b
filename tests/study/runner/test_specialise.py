"""Studies whose students have a network for each device."""

from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TrainingContext
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.loading import read_studies
from asc_experiments.report.render.formats import Format
from asc_experiments.report.writing import render
from asc_experiments.study.definition.study_file import StudyFile, read_study
from asc_experiments.study.monitor.cost_estimate import plan_study
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking.evidence import GENERAL_STUDENTS, STUDENTS, evidence_of
from asc_experiments.tracking.registry.network_store import fetch_network
from asc_experiments.tracking.registry.registration import register_best, stored_card
from asc_experiments.tracking.trials import GENERAL_KIND, MODEL_ID, finished_trials

STUDY = """
name: NAME
seeds: 2
trials: 1
objective: {metric: accuracy/macro, split: test}
validation: {fraction: 0}
ensemble: {size: 0, pool: [{arch: cp_mobile}]}
student: {base_channels: 8, augment: none, epochs: 1, batch_size: 64}
"""
SPECIALISE = "specialise: {devices: [a], epochs: 1, batch_size: 32}\n"


@pytest.fixture
def driver(open_bench: Callable[..., TrainingContext], workspace: Path, tmp_path: Path) -> Callable[..., Driver]:
    def make(name: str, more: str = "") -> Driver:
        (tmp_path / f"{name}.yaml").write_text(STUDY.replace("NAME", name) + more)
        file = read_study(tmp_path / f"{name}.yaml")
        return Driver(file, open_bench(file.validation), open_storage(workspace, None))

    return make


def test_students_of_another_study_are_fine_tuned_and_both_are_told(driver: Callable[..., Driver]) -> None:
    assert driver("plain").run().finished == 1
    study = driver("devices", SPECIALISE)
    planned = plan_study(study.file, study.bench, study.study._storage)
    assert [each.role for each in planned.trainings] == ["student", "by device"]
    assert study.run().finished == 1
    tracking = study.bench.tracking
    (plain,), (trial,) = finished_trials(tracking, "plain"), finished_trials(tracking, "devices")
    kinds = [run.tags["asc.kind"] for run in tracking.search([trial.experiment_id])]
    assert kinds.count("seed") == 2
    assert GENERAL_KIND not in kinds, "the other study trained the general students"
    for metric in ("accuracy/macro", "accuracy/device/a", "device_generalization"):
        assert trial.metrics[f"general/{metric}"] == pytest.approx(plain.metrics[metric])
    tables = [evidence_of(tracking, trial.run_id, name) for name in (GENERAL_STUDENTS, STUDENTS)]
    general, by_device = tables
    assert general["test"].students == by_device["test"].students == 2
    gain = by_device["test"].measure("accuracy/overall").mean() - general["test"].measure("accuracy/overall").mean()
    assert trial.metrics["gain/accuracy/overall"] == pytest.approx(gain)
    assert trial.metrics["gain/accuracy/device/s5"] == 0

    page = render([Findings(read_studies(tracking, ["devices"])[0])], Format.md)
    assert "Does it help to know the device?" in page
    assert "the same 2 students with one network for all devices" in page
    registered = register_best(tracking, "devices", allow_chance=True)
    assert registered.tags["devices"] == "a"
    assert list(fetch_network(tracking, registered.uri).of_devices) == ["a"]
    assert registered.tags[MODEL_ID] == trial.tags[MODEL_ID]
    card = stored_card(tracking, registered.uri)
    assert "## Devices" in card
    assert "one for each of a, fine-tuned" in card


def test_study_without_known_students_trains_general_ones_of_its_own(driver: Callable[..., Driver]) -> None:
    study = driver("devices", SPECIALISE)
    assert study.run().finished == 1
    (trial,) = finished_trials(study.bench.tracking, "devices")
    kinds = [run.tags["asc.kind"] for run in study.bench.tracking.search([trial.experiment_id])]
    assert (kinds.count("seed"), kinds.count(GENERAL_KIND)) == (2, 2)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "specialise: {devices: [s9]}",
            "'s9' is no device of the clips that are trained on; valid: a, b, c, s1, s2, s3",
        ),
        ("specialise: [s4]", "'s4' is no device of the clips that are trained on"),
        ("specialise: {epoch: 2}", "unknown key 'specialise.epoch'; did you mean 'epochs'"),
        ("specialise: {augment: dir}", "'specialise.augment' is 'dir'; valid: 'none' or 'fms'"),
    ],
)
def test_devices_that_cannot_have_networks_are_refused_before_anything_is_trained(
    driver: Callable[..., Driver], more: str, said: str
) -> None:
    with pytest.raises(AscError) as caught:
        driver("devices", more + "\n").run()
    assert said in caught.value.line()


def test_known_in_one_word_and_part_of_the_definition(tmp_path: Path) -> None:
    def read(more: str) -> StudyFile:
        (tmp_path / "s.yaml").write_text(STUDY + more)
        return read_study(tmp_path / "s.yaml")

    plain, known = read(""), read("specialise: known\n")
    assert "specialise" not in plain.definition()
    assert known.definition_digest() != plain.definition_digest()
    assert known.definition_digest() == read("specialise: {devices: known}\n").definition_digest()
