"""Submissions to DCASE 2025: a package that keeps to the limits, and answers as the model that it is made of."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus
from asc_experiments.models.complexity import count_by_torchinfo
from asc_experiments.submission import LIMITS, Label, pack, write_package
from asc_experiments.submission.package import Limits
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.training import SceneNetwork, make_recipe
from asc_experiments.training.packed import PRECISIONS, PackedModel, parameter_bytes

SCENES = ("airport", "bus", "park")
LABEL = Label("Lastname_INST_task1", 2)


def network(arch: str = "cp_mobile_2024", scenes: tuple[str, ...] = SCENES, **settings: object) -> SceneNetwork:
    """With batch norms as trained ones are, so that folding them changes something."""
    made = SceneNetwork(make_recipe(arch, **settings), scenes).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return made


def of_devices(**settings: object) -> SceneNetwork:
    torch.manual_seed(0)
    general = network(**settings)
    general.of_devices = {device: network(**settings) for device in ("a", "s1")}
    return general


def test_finest_precision_that_fits_is_taken_and_norms_are_folded_only_where_that_is_needed() -> None:
    torch.manual_seed(0)
    ten = tuple("abcdefghij")
    baseline = pack(network(scenes=ten))
    assert (baseline.precision, baseline.bytes, baseline.macs) == ("float16", 122_296, 29_419_156)
    ours = pack(network("cp_mobile", ten))
    assert (ours.precision, ours.bytes) == ("int8, batch norms folded", 126_964)
    assert ours.macs <= LIMITS.macs
    assert pack(network(scenes=ten, base_channels=8)).precision == "float32"
    assert (
        count_by_torchinfo(PackedModel.of(network(scenes=ten), "float16", folded=True).for_device(""), 256, 65)
        > LIMITS.macs
    )


@pytest.mark.parametrize(("samples", "lasting"), [(16_000, "0.5 s"), (320_000, "10 s")])
def test_network_of_clips_of_another_length_than_the_challenges_is_refused(samples: int, lasting: str) -> None:
    other = SceneNetwork(make_recipe("cp_mobile", base_channels=8), SCENES, samples)
    with pytest.raises(AscError, match=f"hears clips of {lasting}, and the challenge's last 1 s"):
        pack(other)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("folded", [False, True])
def test_packed_networks_answer_nearly_alike_and_load_again(precision: str, folded: bool, tmp_path: Path) -> None:
    general = of_devices(base_channels=8)
    packed = PackedModel.of(general, precision, folded)  # type: ignore[arg-type]
    packed.save(tmp_path / "packed.pt")
    again = PackedModel.load(tmp_path / "packed.pt")
    features = general.frontend(torch.randn(2, 32_000) * 0.1)
    closeness = {"float32": 1e-5, "float16": 5e-3, "int8": 0.1}[precision]
    with torch.no_grad():
        for device in ("a", "s1", "s4", "unknown"):
            expected = general.for_device(device).model(features)
            found = packed.for_device(device)(features.to(packed.dtype))
            np.testing.assert_allclose(found.float(), expected, atol=closeness)
            assert torch.equal(again.for_device(device)(features.to(again.dtype)), found)
    sizes = {"float32": 4, "float16": 2, "int8": 1}
    counted = sum(each.numel() for each in packed.for_device("a").parameters())
    assert sizes[precision] * counted <= parameter_bytes(packed.for_device("a")) <= 1.5 * sizes[precision] * counted


def test_what_does_not_fit_is_told_with_its_cost() -> None:
    with pytest.raises(AscError) as caught:
        pack(network(base_channels=8), limits=Limits(macs=10, bytes=10))
    assert "does not fit into 10 bytes and 10 MACs: " in caught.value.line()
    assert "bytes and" in caught.value.line()
    with pytest.raises(AscError, match="omit --precision"):
        pack(network(base_channels=8), "float32", Limits(bytes=10))


@pytest.mark.parametrize(
    ("name", "index"), [("lastname_INST_task1", 1), ("L_I_task2", 1), ("L_I_task1", 5), ("a/b", 1)]
)
def test_labels_that_the_organisers_would_not_take_are_refused(name: str, index: int) -> None:
    with pytest.raises(AscError):
        Label(name, index)


def test_package_answers_in_a_program_that_knows_nothing_of_this_one(synth_corpus: Path, tmp_path: Path) -> None:
    corpus = Corpus.open(synth_corpus)
    general = of_devices(base_channels=8)
    write_package(pack(general, "float16"), LABEL, tmp_path / "package", "models:/m/1", corpus)
    inner = tmp_path / "package" / LABEL.name
    names = (inner / "resources" / "test.csv").read_text().splitlines()
    assert names[0] == "filename\tscene_label"
    assert len(names) == 1 + len(corpus.test_rows)
    sounds = [synth_corpus / clip.filename for clip in corpus.clips[:2]] + [inner / "resources" / "dummy.wav"]
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).normal(0, 0.1, 100_000), 44_100)
    program = f"""
import json, sys
from {LABEL.name}.{LABEL} import get_model_for_device, load_inputs, load_model, predict
import asc_experiments
assert asc_experiments.__file__.startswith({str(tmp_path)!r}), asc_experiments.__file__
files = {[str(sound) for sound in sounds] + [str(tmp_path / "long.wav")]!r}
logits, scenes = predict(file_paths=files, device_ids=["a", "s4", "s1", "a"], model_file_path=None, use_cuda=False)
model = load_model()
assert len(load_inputs(files, ["a"] * 4, model)) == 4
assert model.model.state_dict()
print(json.dumps([[each.tolist() for each in logits], scenes]))
"""
    env = {"PYTHONPATH": str(tmp_path / "package"), "PATH": "/usr/bin:/bin"}
    found = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    import json

    logits, scenes = json.loads(found.stdout)
    assert scenes == list(SCENES)
    from asc_experiments.corpus.audio import read_mono
    from asc_experiments.training.inference import heard

    for sound, device, told in zip(sounds, ("a", "s4", "s1"), logits, strict=False):
        waveform = torch.from_numpy(heard(*read_mono(sound.read_bytes())))[None]
        with torch.no_grad():
            expected = general.for_device(device)(waveform)[0]
        np.testing.assert_allclose(told, expected, atol=5e-3)
    assert len(logits) == 4


def test_packages_own_tests_pass(tmp_path: Path) -> None:
    write_package(pack(of_devices(base_channels=8)), LABEL, tmp_path / "package", "models:/m/1")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    env = {"PYTHONPATH": str(tmp_path / "package"), "PATH": "/usr/bin:/bin"}
    found = subprocess.run(command, cwd=tmp_path / "package", env=env, capture_output=True, text=True)
    assert "3 passed" in found.stdout, found.stdout + found.stderr


def test_program_writes_a_package_or_nothing(
    asc: Callable, workspace: Path, synth_corpus: Path, tmp_path: Path
) -> None:
    tracking = Tracking.open(workspace)
    with tracking.run(tracking.experiment("students"), "one", "student") as run:
        model = log_network(run, of_devices(base_channels=8))
    submit = ("submit", f"models:/{model}", "--workspace", workspace, "--name", "Lastname_INST_task1")
    made = asc(*submit, "-o", tmp_path / "package")
    assert made.code == 0, made.err
    assert "float32" in made.out
    assert f"next: pip install {tmp_path / 'package'}, and" in made.out
    assert (tmp_path / "package" / "Lastname_INST_task1" / "Lastname_INST_task1_1.py").is_file()
    again = asc(*submit, "-o", tmp_path / "package")
    assert (again.code, "is there already" in again.err) == (2, True)
    wrong = asc(*submit, "-o", tmp_path / "other", "--corpus", synth_corpus)
    assert (wrong.code, "has other scenes than the model" in wrong.err) == (2, True)
    wrong = asc(*submit, "-o", tmp_path / "other", "--eval", synth_corpus)
    assert (wrong.code, "--eval: is of dcase2024" in wrong.err) == (2, True)
    assert not (tmp_path / "other").exists()
