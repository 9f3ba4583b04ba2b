"""``asc export``: what it writes, logs and prints, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch

from asc_experiments.corpus import Corpus
from asc_experiments.corpus.importing import Order, import_corpus
from asc_experiments.corpus.synth import synthesise
from asc_experiments.edge.running import OnnxNetwork
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import fetch_network, log_network
from asc_experiments.tracking.trials import MODEL_ID
from asc_experiments.training import SceneNetwork, make_recipe
from tests.edge.conftest import Student, scrambled, sounds, tiny

Asc = Callable[..., object]


def metrics_of(student: Student) -> dict[str, float]:
    return dict(student.tracking.get(student.run_id).metrics)


def test_float_file_needs_no_corpus(asc: Asc, student: Student, tmp_path: Path) -> None:
    file = tmp_path / "student.onnx"
    result = asc("export", student.uri, "--frontend", "-o", file, "--workspace", student.workspace, "--json")
    assert result.code == 0, result.err
    facts = json.loads(result.out)
    network = fetch_network(student.tracking, student.uri)
    with torch.inference_mode():
        expected = network(sounds()).numpy()
    assert np.abs(OnnxNetwork(onnx.load(file)).logits(sounds().numpy()) - expected).max() < 1e-4
    assert facts["format"] == "onnx_float"
    assert facts["file_bytes"] == file.stat().st_size
    assert facts["compared"]["difference"]["onnx_float"] < 1e-4
    assert facts["compared"]["scorecards"] == {}
    assert facts["complexity"]["parameters"] == sum(each.numel() for each in network.model.parameters())
    with student.tracking.artifacts(student.run_id, "export/student.onnx") as logged:
        assert logged.read_bytes() == file.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["student.onnx"]


def test_network_of_a_device_is_exported_for_that_device_and_logged_to_no_run(
    asc: Asc, student: Student, tmp_path: Path
) -> None:
    with student.tracking.run(student.tracking.experiment("students"), "by device", "student") as run:
        model = fetch_network(student.tracking, student.uri)
        torch.manual_seed(3)
        model.of_devices["s1"] = SceneNetwork(model.recipe, model.scenes).eval()
        uri = f"models:/{log_network(run, model)}"
    wanted = ("export", uri, "--frontend", "-o", tmp_path / "x.onnx", "--workspace", student.workspace)
    general = asc(*wanted)
    assert "exported is the network for any device; --device takes one of those for s1" in general.err
    for device, network in (("", model), ("s1", model.of_devices["s1"])):
        result = asc(*wanted, *(("--device", device) if device else ()))
        assert result.code == 0, result.err
        with torch.inference_mode():
            expected = network(sounds()).numpy()
        assert np.abs(OnnxNetwork(onnx.load(tmp_path / "x.onnx")).logits(sounds().numpy()) - expected).max() < 1e-4
    logged = [item.path for item in student.tracking.client.list_artifacts(run.run_id, "export")]
    assert logged == ["export/x.onnx"], "of the general network alone"
    other = asc(*wanted, "--device", "s2")
    assert (other.code, "has no network for it" in other.err) == (2, True)


def test_int8_file_is_measured_beside_the_float_model(
    asc: Asc, student: Student, synth_corpus: Path, tmp_path: Path
) -> None:
    wanted = ("export", student.uri, "--int8", "--corpus", synth_corpus, "--workspace", student.workspace)
    result = asc(*wanted, "-o", tmp_path / "a.onnx", "--json")
    assert result.code == 0, result.err
    facts = json.loads(result.out)
    cards = facts["compared"]["scorecards"]
    assert set(cards) == {"pytorch", "onnx_int8"}
    stored = metrics_of(student)
    for name in ("accuracy/overall", "accuracy/device/s5", "accuracy/group/unseen", "device_generalization"):
        assert cards["pytorch"][name] == pytest.approx(stored[name], abs=1e-6)
        assert stored[f"export/onnx_int8/{name}"] == pytest.approx(cards["onnx_int8"][name])
    assert abs(cards["onnx_int8"]["accuracy/overall"] - cards["pytorch"]["accuracy/overall"]) <= 0.05
    assert stored["export/onnx_int8/file_bytes"] == (tmp_path / "a.onnx").stat().st_size
    assert stored["export/onnx_int8/latency_ms"] > 0
    shown = asc(*wanted, "-o", tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    for part in ("int8, quantised after training", "float32, PyTorch", "one thread, batch 1", "unseen", "s6", "MACs"):
        assert part in shown.out


def test_int8_takes_its_ranges_from_training_clips_alone(
    asc: Asc, student: Student, synth_corpus: Path, corpus_copy: Path, tmp_path: Path
) -> None:
    rate = soundfile.info(corpus_copy / Corpus.open(corpus_copy).filenames[0]).samplerate
    for row in Corpus.open(corpus_copy).test_rows:
        loud = np.random.default_rng(row).uniform(-1, 1, rate)
        soundfile.write(corpus_copy / Corpus.open(corpus_copy).filenames[row], loud, rate)
    for corpus, name in ((synth_corpus, "a"), (corpus_copy, "b")):
        file = tmp_path / f"{name}.onnx"
        wanted = ("export", student.uri, "--int8", "--corpus", corpus, "--workspace", student.workspace)
        result = asc(*wanted, "-o", file)
        assert result.code == 0, result.err
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert "another corpus" in result.err


def test_fine_tuning_tells_what_int8_reaches_with_and_without(
    asc: Asc, student: Student, synth_corpus: Path, tmp_path: Path
) -> None:
    wanted = ("--int8", "--finetune", 1, "--frontend", "--corpus", synth_corpus, "--workspace", student.workspace)
    result = asc("export", student.uri, *wanted, "-o", tmp_path / "a.onnx", "--json")
    assert result.code == 0, result.err
    facts = json.loads(result.out)
    assert facts["format"] == "onnx_int8_finetuned"
    assert list(facts["compared"]["scorecards"]) == ["pytorch", "onnx_int8", "onnx_int8_finetuned"]
    assert {"export/onnx_int8/accuracy/overall", "export/onnx_int8_finetuned/accuracy/overall"} <= set(
        metrics_of(student)
    )
    assert OnnxNetwork(onnx.load(tmp_path / "a.onnx")).logits(sounds(2).numpy()).shape == (2, 10)


def test_model_whose_run_was_deleted_is_exported_and_not_logged(asc: Asc, workspace: Path, tmp_path: Path) -> None:
    from asc_experiments.tracking import Tracking

    tracking = Tracking.open(workspace)
    with tracking.run(tracking.experiment("students"), "student", "student") as run:
        model_id = log_network(run, scrambled(tiny()))
    tracking.delete(run.run_id)
    result = asc("export", f"models:/{model_id}", "-o", tmp_path / "a.onnx", "--workspace", workspace)
    assert result.code == 0, result.err
    assert "nothing is logged" in result.err
    assert (tmp_path / "a.onnx").stat().st_size > 10_000


REFUSED = {
    "format": (["--format", "onx"], "did you mean 'onnx'?"),
    "int8 alone": (["--int8"], "give --corpus DIR"),
    "finetune alone": (["--finetune", "3"], "give --int8 too"),
    "no corpus": (["--corpus", "nowhere"], "no such folder"),
    "no folder": (["-o", "nowhere/student.onnx"], "nowhere: no such folder"),
    "a folder": (["-o", "."], "is a folder"),
    "no model": (["models:/absent/1"], "models:/absent/1: there is no registered model 'absent'"),
    "no URI": (["student"], "no model URI"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_one_line_and_leaves_nothing(
    asc: Asc, student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    options, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    model = [] if not options[0].startswith("-") else [student.uri]
    before = metrics_of(student)
    result = asc("export", "-o", "student.onnx", *model, *options, "--workspace", student.workspace)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert message in result.err
    assert list(tmp_path.iterdir()) == []
    assert metrics_of(student) == before


def test_corpus_of_other_scenes_is_refused(asc: Asc, student: Student, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    synthesise(corpus, clips_per_scene=20, seed=0)
    for table in [corpus / "meta.csv", *(corpus / "evaluation_setup").glob("*.csv")]:
        table.write_text(table.read_text().replace("\tairport", "\tharbour"))
    file = tmp_path / "a.onnx"
    result = asc("export", student.uri, "--int8", "--corpus", corpus, "-o", file, "--workspace", student.workspace)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "has other scenes than the model: the model has 'airport'" in result.err
    assert not file.exists()


def test_corpus_of_clips_of_another_length_is_refused(
    asc: Asc, student: Student, synth_corpus: Path, tmp_path: Path
) -> None:
    order = Order(synth_corpus, tmp_path / "corpus", "tau", clip_seconds=0.5)
    import_corpus(order)
    wanted = ("--int8", "--corpus", order.folder, "-o", tmp_path / "a.onnx", "--workspace", student.workspace)
    result = asc("export", student.uri, *wanted)
    assert (result.code, result.err.count("error: ")) == (2, 1)
    assert f"{order.folder}: has clips of 0.5 s, and the model hears 1 s; give a corpus of that length" in result.err
    assert not (tmp_path / "a.onnx").exists()


def test_transformer_is_not_quantised(asc: Asc, workspace: Path, synth_corpus: Path, tmp_path: Path) -> None:
    from asc_experiments.tracking import Tracking

    tracking = Tracking.open(workspace)
    recipe = make_recipe("passt", embed_dim=24, depth=1, num_heads=2)
    with tracking.run(tracking.experiment("teachers"), "teacher", "teacher") as run:
        model_id = log_network(run, SceneNetwork(recipe, Corpus.open(synth_corpus).scenes))
        run.tags({MODEL_ID: model_id})
    wanted = ("--int8", "--corpus", synth_corpus, "-o", tmp_path / "a.onnx", "--workspace", workspace)
    result = asc("export", f"models:/{model_id}", *wanted)
    assert result.code == 2
    assert "--int8: is for cp_mobile, cp_mobile_2024, cp_resnet, and the model is a passt" in result.err


def test_teacher_that_is_gone_is_refused_before_anything_is_trained(
    asc: Asc, student: Student, synth_corpus: Path, tmp_path: Path
) -> None:
    from asc_experiments.distill import TeacherBank

    bank = TeacherBank(student.tracking)
    run_id = bank.named(student.teacher).record.run_id
    student.tracking.delete(run_id)
    try:
        wanted = ("--int8", "--finetune", 1, "--corpus", synth_corpus, "--workspace", student.workspace)
        result = asc("export", student.uri, *wanted, "-o", tmp_path / "a.onnx")
    finally:
        student.tracking.client.restore_run(run_id)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert f"teacher {student.teacher}, whose logits it learned from, is gone" in result.err
    assert list(tmp_path.iterdir()) == []


def test_model_of_a_list_of_clips_is_quantised_on_that_list_alone(
    asc: Asc, synth_corpus: Path, workspace: Path, tmp_path: Path
) -> None:
    options = ("--corpus", synth_corpus, "--workspace", workspace)
    small = ("--set", "base_channels=8", "--epochs", 1, "--augment", "none")
    trained = asc("student", "train", *options, *small, "--train-split", "split25.csv", "--json")
    assert trained.code == 0, trained.err
    uri = f"models:/{Tracking.open(workspace).get(json.loads(trained.out)['run_id']).tags[MODEL_ID]}"
    export = ("export", uri, "--int8", *options, "-o", tmp_path / "student.onnx")
    refused = asc(*export)
    assert refused.code == 2
    assert "--train-split: the model was trained on split25" in refused.err
    assert not (tmp_path / "student.onnx").exists()
    made = asc(*export, "--train-split", "split25.csv")
    assert made.code == 0, made.err
