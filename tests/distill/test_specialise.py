"""Students with a network for each device: what they are made of, what they answer, what is logged of both."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.corpus.synth import synthesise
from asc_experiments.distill import TrainingContext
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.specialise import Specialisation, specialised_identity
from asc_experiments.distill.standalone_student import train_single_student
from asc_experiments.distill.teacher import LOGITS
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import fetch_network
from asc_experiments.tracking.trials import DEVICES, GENERAL_RUN, MODEL_ID
from asc_experiments.training import Recipe, make_recipe
from asc_experiments.training.loop import predict_logits

Open = Callable[..., TrainingContext]
QUICK = Specialisation(devices=("s1", "b"), epochs=1, batch_size=16)
KNOWN = Specialisation()


@pytest.fixture(scope="session")
def corpus_of_devices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic corpus in which each training device has clips of every scene, but s3."""
    folder = tmp_path_factory.mktemp("devices") / "corpus"
    synthesise(folder, clips_per_scene=40, seed=0)
    listed = folder / "evaluation_setup" / "fold1_train.csv"
    rows = listed.read_text().splitlines(True)
    listed.write_text("".join(row for row in rows if not ("-s3.wav" in row and row.endswith("\ttram\n"))))
    return folder


@pytest.fixture
def bench(open_bench: Open, corpus_of_devices: Path) -> TrainingContext:
    return open_bench(ValidationSplit(), corpus_of_devices)


def student(**settings: object) -> Recipe:
    return make_recipe("cp_mobile", **({"base_channels": 8, "epochs": 1, "batch_size": 64} | settings))


def train(bench: TrainingContext, specialise: Specialisation | None = QUICK) -> tuple[str, dict[str, float]]:
    return train_single_student(lambda _: bench, bench.tracking, student(), (), {}, specialise=specialise)


def logits_of(bench: TrainingContext, run_id: str) -> np.ndarray:
    with bench.tracking.artifacts(run_id, LOGITS) as path:
        return LogitTable.load(path).of(bench.corpus.filenames, "")


def test_known_devices_are_those_with_training_clips_of_every_scene(
    bench: TrainingContext, capsys: pytest.CaptureFixture[str]
) -> None:
    assert KNOWN.devices_in(bench) == ("a", "b", "c", "s1", "s2")
    KNOWN.tell(bench)
    assert "device s3: keeps the general network, it has no training clip of tram" in capsys.readouterr().err


def test_clips_of_a_device_go_to_its_network_and_others_to_the_general_one(bench: TrainingContext) -> None:
    run_id, metrics = train(bench)
    run = bench.tracking.get(run_id)
    assert json.loads(run.tags[DEVICES]) == ["b", "s1"]
    network = fetch_network(bench.tracking, f"models:/{run.tags[MODEL_ID]}")
    said = logits_of(bench, run_id)
    for device in ("b", "s1", "a", "s4"):
        rows = np.flatnonzero(bench.corpus.device_of == device)
        expected = predict_logits(network.for_device(device), bench.clips, rows)
        np.testing.assert_allclose(said[rows], expected, atol=1e-4)
    assert network.for_device("s4") is network.for_device("a") is network.for_device(None) is network

    general = bench.tracking.get(run.tags[GENERAL_RUN])
    before = logits_of(bench, general.run_id)
    heard = np.isin(bench.corpus.device_of, ["b", "s1"])
    np.testing.assert_array_equal(said[~heard], before[~heard])
    assert (said[heard] != before[heard]).any(axis=1).all()
    for name in ("accuracy/overall", "accuracy/device/b", "accuracy/device/s4"):
        assert metrics[f"general/{name}"] == general.metrics[name]
        assert metrics[f"gain/{name}"] == pytest.approx(metrics[name] - general.metrics[name])
    assert metrics["gain/accuracy/device/s4"] == 0
    assert "gain/low/accuracy/device/s4" not in metrics, "every place does the same: no interval"
    assert {f"train/{device}/loss" for device in ("b", "s1")} <= run.metrics.keys()
    firsts = [next(iter(each.model.state_dict().values())) for each in (network, *network.of_devices.values())]
    assert not any(torch.equal(firsts[0], other) for other in firsts[1:])
    assert sum(p.numel() for p in network.model.parameters()) == sum(p.numel() for p in network.parameters())


def test_general_student_is_the_one_that_would_be_trained_alone(bench: TrainingContext) -> None:
    alone, _ = train(bench, None)
    run_id, _ = train(bench)
    assert bench.tracking.get(run_id).tags[GENERAL_RUN] == alone
    assert train(bench)[0] == run_id, "nothing is trained twice"
    other, _ = train(bench, QUICK.model_copy(update={"learning_rate": 1e-3}))
    assert other != run_id
    assert bench.tracking.get(other).tags[GENERAL_RUN] == alone


def test_interrupted_fine_tuning_resumes_at_its_device_and_ends_alike(
    bench: TrainingContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_database: Path
) -> None:
    whole, _ = train(replace(bench, cache=tmp_path / "one"))
    fresh = tmp_path / "other" / "mlruns"
    fresh.mkdir(parents=True)
    (fresh / "mlflow.db").write_bytes(new_database.read_bytes())
    again = replace(bench, cache=tmp_path / "two", tracking=Tracking.open(fresh.parent))
    trained: list[tuple[str, int]] = []

    def predict(network, clips, rows):  # type: ignore[no-untyped-def]
        if len(trained) == 0 and set(bench.corpus.device_of[rows].tolist()) == {"s1"}:
            trained.append(("s1", 0))
            raise KeyboardInterrupt
        return predict_logits(network, clips, rows)

    monkeypatch.setattr("asc_experiments.distill.specialise.predict_logits", predict)
    with pytest.raises(KeyboardInterrupt):
        train(again)
    kept = list((again.cache / "checkpoints").glob("*.ckpt"))
    assert len(kept) == 2, "of the devices b and s1"
    resumed, _ = train(again)
    np.testing.assert_array_equal(logits_of(bench, whole), logits_of(again, resumed))
    assert not list((again.cache / "checkpoints").glob("*.ckpt"))


def test_device_is_fine_tuned_without_what_makes_it_sound_like_others() -> None:
    recipe = Specialisation(epochs=20, learning_rate=1e-3).recipe_for(make_recipe("cp_mobile", "dirfms", roll=100))
    assert recipe.augment == "none"
    assert recipe.augmentation.roll == 100
    assert (recipe.optimisation.epochs, recipe.optimisation.learning_rate) == (20, 1e-3)
    assert (recipe.optimisation.warmup_epochs, recipe.optimisation.rampdown_epochs) == (2, 18)
    assert recipe.optimisation.batch_size == make_recipe("cp_mobile").optimisation.batch_size
    assert Specialisation(augment="fms").recipe_for(make_recipe("cp_mobile")).augment == "fms"


def test_identity_names_devices_and_settings(bench: TrainingContext) -> None:
    known = specialised_identity(bench, "student", KNOWN)
    named = KNOWN.model_copy(update={"devices": ("s2", "a", "b", "c", "s1")})
    assert specialised_identity(bench, "student", named) == known, "the same devices"
    others = (
        KNOWN.model_copy(update={"devices": ("a",)}), KNOWN.model_copy(update={"epochs": 3}),
        KNOWN.model_copy(update={"augment": "fms"}),
    )  # fmt: skip
    assert len({known, *(specialised_identity(bench, "student", each) for each in others)}) == 4
    assert specialised_identity(bench, "other", KNOWN) != known


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        (("a", "s4"), "'s4' is no device of the clips that are trained on"),
        (("s3",), "no device has training clips of every scene"),
    ],
)
def test_devices_without_training_clips_are_refused(
    bench: TrainingContext, devices: tuple[str, ...], said: str
) -> None:
    with pytest.raises(AscError, match=said):
        Specialisation(devices=devices).devices_in(bench)


def test_program_fine_tunes_and_predicts_by_device(
    asc: Callable, corpus_of_devices: Path, workspace: Path, tmp_path: Path
) -> None:
    options = ("--corpus", corpus_of_devices, "--workspace", workspace, "--epochs", 1, "--set", "base_channels=8")
    wrong = asc("student", "train", *options, "--set", "specialise.epochs=1")
    assert (wrong.code, "--set specialise.epochs: needs devices" in wrong.err) == (2, True)
    wrong = asc("student", "train", *options, "--specialise", "known", "--set", "specialise.epoch=1")
    assert (wrong.code, "did you mean 'epochs'" in wrong.err) == (2, True)
    made = asc(
        "student", "train", *options, "--specialise", "a,s1", "--set", "specialise.epochs=1",
        "--set", "specialise.batch_size=16", "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    run = Tracking.open(workspace).get(json.loads(made.out)["run_id"])
    assert json.loads(run.tags[DEVICES]) == ["a", "s1"]
    model = ("predict", f"models:/{run.tags[MODEL_ID]}", "--workspace", workspace, "--json")
    sounds = [*sorted((corpus_of_devices / "audio").glob("airport-*-a.wav"))[:1]]
    sounds += sorted((corpus_of_devices / "audio").glob("airport-*-s4.wav"))[:1]

    def probabilities(*options: object) -> list[float]:
        result = asc(*model, *sounds, *options)
        assert result.code == 0, result.err
        said.append(result.err)
        return [json.loads(line)["probability"] for line in result.out.splitlines()]

    said: list[str] = []
    general, by_name = probabilities(), probabilities("--device-from", r"-([^-]+)\.wav$")
    assert by_name[0] != general[0]
    assert by_name[1] == general[1]
    assert "1 of 2 files, of devices s4: the general network answered; the model has networks for a, s1" in said[-1]
    assert probabilities("--device", "a")[0] == by_name[0]
    assert "general" not in said[-1]
    assert probabilities("--device-from", r"-([^-]+)\.wav$", "--every", "1s") == by_name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "a", "--device-from", "(a)"), "are both given"),
        (("--device", "a"), "has one network for all devices"),
    ],
)
def test_devices_that_cannot_be_told_are_refused(
    asc: Callable, bench: TrainingContext, workspace: Path, options: tuple[str, ...], said: str
) -> None:
    run_id, _ = train(bench, None)
    model = bench.tracking.get(run_id).tags[MODEL_ID]
    sound = next((bench.corpus.root / "audio").glob("*.wav"))
    result = asc("predict", f"models:/{model}", sound, "--workspace", workspace, *options)
    assert result.code == 2
    assert said in result.err.splitlines()[-1]
