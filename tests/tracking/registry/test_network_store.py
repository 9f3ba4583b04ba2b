"""Networks go into MLflow and come back the same, without pickle, with no more than they need."""

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
from asc_experiments.tracking.registry.network_store import fetch_network, log_network
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


@pytest.mark.parametrize("uri", ["models:/nobody@champion", "models:/nobody/1", "models:/m-0", "nonsense"])
def test_unknown_model_is_one_clear_error(tracking: Tracking, uri: str) -> None:
    with pytest.raises(AscError, match="cannot be loaded"):
        fetch_network(tracking, uri)


def test_model_stored_before_the_package_had_rooms_finds_its_loader(workspace: Path, model_id: str) -> None:
    description = stored_folder(workspace) / "MLmodel"
    new, old = "asc_experiments.tracking.registry.pyfunc_model", "asc_experiments.tracking.pyfunc"
    text = description.read_text()
    assert f"loader_module: {new}\n" in text
    description.write_text(text.replace(new, old))
    answer = mlflow.pyfunc.load_model(str(description.parent)).predict(pd.DataFrame({"waveform": [np.zeros(32_000)]}))
    assert answer["scene"][0] in SCENES
