"""A package brings an augmentation, a metric and a loss: they are studied, reported, registered, used and exported."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.augment import augmentation
from asc_experiments.metrics import metric
from asc_experiments.training.losses import loss
from tests.extending.conftest import Outside

Open = Callable[..., Outside]
PACKAGE = {"hum": augmentation.GROUP, "brier": metric.GROUP_OF_ENTRY_POINTS, "soft_mse": loss.GROUP}
STUDY = """
name: outside
objective: {metric: brier/overall}
trials: 2
sampler: grid
validation: {fraction: 0.3}
ensemble:
  size: 1
  common: {base_channels: 8, batch_size: 64, epochs: 1}
  pool: [{arch: cp_mobile, augment: [fms, fms+hum]}]
student: {base_channels: 8, batch_size: 64, epochs: 1, augment: none, hum_level: 0.2}
distillation: {loss: soft_mse, mse_labels: 0.3}
"""


@pytest.mark.timeout(900)
def test_it_is_studied_reported_registered_used_and_exported(outside: Open, synth_corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(STUDY)
    here = outside(PACKAGE)
    plan = here.run("study", "plan", tmp_path / "outside.yaml", "--corpus", synth_corpus)
    assert "students learn by loss soft_mse" in plan
    here.run("study", "run", tmp_path / "outside.yaml", "--corpus", synth_corpus, "--workers", 2)
    report = here.run("report", "outside", "--format", "md")
    assert "cp_mobile-8-fms+hum-s0" in report
    assert "| Brier score |" in report
    assert "--set loss=soft_mse --set mse_labels=0.3" in report, "the command that makes the student again"
    assert "Brier score: the squared error of the probabilities, from 0 to 2; lower is better." in report
    asked = ("register", "outside", "--allow-chance", "--gate", "brier/overall=2", "--json")
    registered = json.loads(here.run(*asked))
    (gate,) = (each for each in registered["gates"] if each["limit"] is not None)
    assert (gate["name"], gate["option"], gate["passed"]) == ("Brier score", "max_brier/overall", True)
    assert gate["low"] < gate["value"] < gate["high"], "as of every mean over clips"
    assert "Brier score (the squared error" in here.run("model", "card", registered["uri"])
    recording = next((synth_corpus / "audio").glob("*.wav"))
    here.run("predict", registered["uri"], recording, "--json")
    here.run("export", registered["uri"], "-o", tmp_path / "student.onnx")
    assert (tmp_path / "student.onnx").stat().st_size > 1_000
    (requirements,) = {
        text for path in (tmp_path / "workspace").rglob("requirements.txt") if "hum" in (text := path.read_text())
    }
    assert "hum==1.2" in requirements.splitlines()

    without = here.without_package()
    needed = "needs augmentation 'hum', which is not installed; pip install hum==1.2"
    assert needed in without.run("predict", registered["uri"], recording, code=2)
    assert "--gate brier/overall=2: unknown metric 'brier'; valid: accuracy, " in without.run(*asked, code=2)
    assert "cp_mobile-8-fms+hum-s0" in without.run("report", "outside", "--format", "md"), "a report needs no package"
    said = without.run("study", "plan", tmp_path / "outside.yaml", "--corpus", synth_corpus, code=2)
    assert "loss 'soft_mse' is not installed; pip install hum==1.2" in said
    (with_hum,) = [each["key"] for each in json.loads(here.run("teacher", "list", "--json")) if "hum" in each["name"]]
    assert needed in without.run("teacher", "show", with_hum, code=2)
    (plain,) = json.loads(without.run("teacher", "list", "--json"))
    assert plain["name"] == "cp_mobile-8-fms-s0", "what is trained without it needs no package"
