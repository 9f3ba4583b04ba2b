"""Networks as MLflow logged models: stored without pickle, loadable by mlflow.pyfunc and by this program."""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

import asc_experiments
from asc_experiments.base.errors import AscError
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.tracking.client import Tracking
from asc_experiments.tracking.run import Run
from asc_experiments.training import serving
from asc_experiments.training.network import SceneNetwork, load_network, save_network

_REQUIREMENTS = (
    "torch", "torchaudio", "numpy", "scipy", "pandas", "safetensors", "pydantic", "soundfile", "soxr", "filelock",
    "psutil", "rich", "mlflow",
)  # fmt: skip
# What the loader needs of this program; the rest stays out of the stored model.
_CODE = ("__init__.py", "base", "corpus", "models", "augment", "training")


def log_network(run: Run, network: SceneNetwork) -> str:
    """Store a network as the run's logged model, with its signature and its code.

    The signature takes one-second waveforms ``(batch, 32000)`` float32 at 32 kHz and gives one probability per scene.

    Returns:
        The id of the logged model.
    """
    client = run.client
    inputs = Schema([TensorSpec(np.dtype(np.float32), (-1, SAMPLE_RATE))])
    outputs = Schema([ColSpec("double", scene) for scene in network.scenes])
    model = client.create_logged_model(run.experiment_id, name="network", source_run_id=run.run_id)
    with tempfile.TemporaryDirectory(prefix="asc-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no input example: MLflow would store it as JSON
        data, stored = Path(folder, "data"), Path(folder, "model")
        data.mkdir()
        save_network(network, data)
        mlflow.pyfunc.save_model(
            path=str(stored),
            loader_module=serving.__name__,
            data_path=str(data),
            code_paths=[str(_code(Path(folder)))],
            signature=ModelSignature(inputs, outputs),
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIREMENTS],
            mlflow_model=Model(run_id=run.run_id, model_id=model.model_id, artifact_path=model.artifact_location),
        )
        client.log_model_artifacts(model.model_id, str(stored))
    client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_id)


def fetch_network(tracking: Tracking, model_uri: str) -> SceneNetwork:
    """Load a network from a model URI such as ``models:/asc-student@champion`` or ``models:/asc-student/3``.

    The files are copied out first, since MLflow would otherwise write into the store it reads from.

    Raises:
        AscError: if there is no such model, or it is none of ours.
    """
    with tempfile.TemporaryDirectory(prefix="asc-") as folder:
        try:
            files = _location(tracking, model_uri)
            path = Path(mlflow.artifacts.download_artifacts(files, dst_path=folder, tracking_uri=tracking.uri))
        except (MlflowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise AscError(model_uri, f"cannot be loaded ({reason})", "register one with `asc register`") from None
        found = sorted(path.rglob("network.json"))
        if not found:
            raise AscError(model_uri, "is not a model of asc_experiments", "register one with `asc register`")
        return load_network(found[0].parent)


def delete_network(tracking: Tracking, model_id: str) -> None:
    """Delete a logged model; one that is gone already is no error."""
    try:
        tracking.client.delete_logged_model(model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _location(tracking: Tracking, model_uri: str) -> str:
    """Where a model's files are; asked through the client, since MLflow resolves such URIs by global settings."""
    client = tracking.client
    found = re.fullmatch(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))?", model_uri)
    if not found:
        what = "cannot be loaded (no model URI)"
        raise AscError(model_uri, what, "write models:/NAME@ALIAS, models:/NAME/VERSION or models:/MODEL_ID")
    name, alias, version = found["name"], found["alias"], found["version"]
    if alias:
        version = str(client.get_model_version_by_alias(name, alias).version)
    if version:
        return str(client.get_model_version_download_uri(name, version))
    return str(client.get_logged_model(name).artifact_location)


def _code(folder: Path) -> Path:
    """A copy of the part of this package that a stored model carries."""
    source = Path(asc_experiments.__file__).parent
    target = folder / "code" / source.name
    target.mkdir(parents=True)
    for name in _CODE:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, target)
    return target
