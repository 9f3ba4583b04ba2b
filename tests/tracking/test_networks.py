"""Networks go into MLflow and come back the same, without pickle."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.networks import fetch_network, log_network
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


def waveforms() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (3, 32_000)).astype(np.float32)


def test_network_comes_back_the_same(tracking: Tracking, network: SceneNetwork, model_id: str) -> None:
    fetched = fetch_network(tracking, f"models:/{model_id}")
    assert fetched.scenes == SCENES
    assert fetched.recipe == network.recipe
    with torch.no_grad():
        torch.testing.assert_close(fetched(torch.from_numpy(waveforms())), network(torch.from_numpy(waveforms())))


def test_pyfunc_gives_scene_probabilities_under_its_signature(
    tracking: Tracking, network: SceneNetwork, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    model = mlflow.pyfunc.load_model(f"models:/{model_id}")
    table = model.predict(waveforms())
    assert list(table.columns) == list(SCENES)
    np.testing.assert_allclose(table.sum(axis=1), 1.0, atol=1e-6)
    with torch.no_grad():
        expected = network(torch.from_numpy(waveforms())).softmax(-1).numpy()
    np.testing.assert_allclose(table.to_numpy(), expected, atol=1e-6)
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 32_000)


def test_pyfunc_loads_in_another_process_where_pickle_is_forbidden(workspace: Path, model_id: str) -> None:
    code = (
        f"import mlflow, numpy as np; mlflow.set_tracking_uri('sqlite:///{workspace}/mlruns/mlflow.db')\n"
        f"print(mlflow.pyfunc.load_model('models:/{model_id}').predict(np.zeros((1, 32000), np.float32)).shape)"
    )
    environment = os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(1, 3)", done.stderr


def test_stored_files_hold_no_pickle(workspace: Path, model_id: str) -> None:
    stored = [path for path in (workspace / "mlruns" / "artifacts").rglob("*") if path.is_file()]
    assert any(path.name == "weights.safetensors" for path in stored)
    assert not [path for path in stored if path.suffix in (".pkl", ".pickle", ".pt", ".pth", ".bin")]


@pytest.mark.parametrize("uri", ["models:/nobody@champion", "models:/nobody/1", "models:/m-0", "nonsense"])
def test_unknown_model_is_one_clear_error(tracking: Tracking, uri: str) -> None:
    with pytest.raises(AscError, match="cannot be loaded"):
        fetch_network(tracking, uri)
