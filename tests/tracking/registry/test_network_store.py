"""Networks go into MLflow and come back the same, without pickle, with no more than they need."""

import re
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import fetch_network, find_version, log_network
from asc_experiments.training import SceneNetwork, make_recipe

SCENES = ("bus", "park", "tram")


@pytest.fixture
def network() -> SceneNetwork:
    torch.manual_seed(0)
    return SceneNetwork(make_recipe("cp_mobile", base_channels=8), SCENES).eval()


@pytest.fixture
def model_id(tracking: Tracking, network: SceneNetwork) -> str:
    with tracking.run(tracking.experiment("runs"), "x", "student") as run:
        return log_network(run, network)


def stored_folder(workspace: Path) -> Path:
    (found,) = (workspace / "mlruns" / "artifacts").rglob("MLmodel")
    return found.parent


def test_network_comes_back_the_same(tracking: Tracking, network: SceneNetwork, model_id: str) -> None:
    fetched = fetch_network(tracking, f"models:/{model_id}")
    assert fetched.scenes == SCENES
    assert fetched.recipe == network.recipe
    waveforms = torch.randn(3, 32_000)
    with torch.no_grad():
        torch.testing.assert_close(fetched(waveforms), network(waveforms))


@pytest.mark.parametrize(("samples", "seconds"), [(16_000, 0.5), (32_000, 1.0), (320_000, 10.0)])
def test_stored_model_keeps_the_length_of_its_clips_and_tells_it(
    tracking: Tracking, workspace: Path, samples: int, seconds: float
) -> None:
    with tracking.run(tracking.experiment("runs"), "x", "student") as run:
        stored = log_network(run, SceneNetwork(make_recipe("cp_mobile", base_channels=8), SCENES, samples))
    assert fetch_network(tracking, f"models:/{stored}").samples == samples
    assert mlflow.models.Model.load(str(stored_folder(workspace))).metadata == {"clip_seconds": seconds}
    network = mlflow.pyfunc.load_model(str(stored_folder(workspace))).get_raw_model().network
    assert network.samples == samples


def test_stored_files_hold_no_pickle(workspace: Path, model_id: str) -> None:
    stored = [path for path in (workspace / "mlruns" / "artifacts").rglob("*") if path.is_file()]
    assert any(path.name == "weights.safetensors" for path in stored)
    assert not [path for path in stored if path.suffix in (".pkl", ".pickle", ".pt", ".pth", ".bin")]


def test_a_stored_model_carries_exactly_the_code_that_its_networks_import(workspace: Path, model_id: str) -> None:
    carried = stored_folder(workspace) / "code"
    program = (
        f"import sys; sys.path.insert(0, {str(carried)!r}); import asc_experiments.tracking.registry.pyfunc_model\n"
        "from asc_experiments.augment import Augmentation, Batch, register_augmentation  # as packages do\n"
        "from asc_experiments.models import ARCHITECTURES; [each.build(3) for each in ARCHITECTURES.values()]\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('asc_experiments')), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    there = {str(path) for path in carried.rglob("*.py")}
    assert there == set(done.stdout.split())


def test_requirements_are_pinned_to_what_can_be_installed(workspace: Path, model_id: str) -> None:
    lines = (stored_folder(workspace) / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if "==" not in line or "+" in line] == []
    assert {line.partition("==")[0] for line in lines} == {
        "torch", "torchaudio", "numpy", "pandas", "safetensors", "pydantic", "soundfile", "soxr",
        "mlflow-skinny", "sqlalchemy", "alembic",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("models:/nobody@champion", "there is no registered model 'nobody'; register one"),
        ("models:/nobody/1", "there is no registered model 'nobody'; register one"),
        ("models:/nobody/latest", "there is no registered model 'nobody'; register one"),
        ("models:/it's/latest", "there is no registered model 'it's'; register one"),
        ("models:/m-0", "there is no registered model 'm-0'; register one"),
        (f"models:/m-{'0' * 32}", "cannot be loaded"),
        ("nonsense", "cannot be loaded"),
    ],
)
def test_unknown_model_is_one_clear_error(tracking: Tracking, uri: str, words: str) -> None:
    with pytest.raises(AscError, match=words):
        fetch_network(tracking, uri)


def test_addresses_of_registered_models_lead_to_a_version_or_say_which_there_are(
    workspace: Path, model_id: str
) -> None:
    tracking = Tracking.open(workspace)
    client = tracking.client
    client.create_registered_model("asc-student")
    with tracking.current():
        for _ in range(2):
            client.create_model_version("asc-student", f"models:/{model_id}", model_id=model_id, await_creation_for=0)
    client.set_registered_model_alias("asc-student", "champion", "1")
    for uri, version in (("models:/asc-student/latest", "2"), ("models:/asc-student@champion", "1")):
        found = find_version(tracking, uri)
        assert found is not None
        assert str(found.version) == version
    assert fetch_network(tracking, "models:/asc-student/latest").scenes == SCENES
    there = "write models:/asc-student@champion or models:/asc-student/2"
    for uri, words in (
        ("models:/asc-student", f"names a registered model, and none of its versions; {there}"),
        ("models:/asc-student/7", f"'asc-student' has no version '7'; {there}"),
        ("models:/asc-student/Production", f"'asc-student' has no version 'Production'; {there}"),
        ("models:/asc-student@nobody", f"'asc-student' has no alias 'nobody'; {there}"),
        ("models:/asc-studnt@champion", "no registered model 'asc-studnt'; did you mean 'asc-student'?"),
    ):
        with pytest.raises(AscError, match=re.escape(words)):
            fetch_network(tracking, uri)


def test_model_stored_before_the_package_had_rooms_finds_its_loader(workspace: Path, model_id: str) -> None:
    description = stored_folder(workspace) / "MLmodel"
    new, old = "asc_experiments.tracking.registry.pyfunc_model", "asc_experiments.tracking.pyfunc"
    text = description.read_text()
    assert f"loader_module: {new}\n" in text
    description.write_text(text.replace(new, old))
    answer = mlflow.pyfunc.load_model(str(description.parent)).predict(pd.DataFrame({"waveform": [np.zeros(32_000)]}))
    assert answer["scene"][0] in SCENES
