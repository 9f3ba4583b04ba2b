"""Networks as MLflow logged models: stored without pickle, loadable by mlflow.pyfunc and by this program."""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Schema, TensorSpec

import asc_experiments
from asc_experiments.base.errors import AscError, nearest
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.models import ARCHITECTURES
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.downloads import download_from, unreadable
from asc_experiments.tracking.client.paging import PER_PAGE, every
from asc_experiments.tracking.client.run import Run
from asc_experiments.tracking.registry import pyfunc_model as pyfunc
from asc_experiments.training.network import SceneNetwork, load_network, save_network
from asc_experiments.training.serving import DEVICE, PROBABILITY, SAMPLING_RATE, SCENE, WAVEFORM, distribution_columns

_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))?")
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_LATEST, _NAMED = "latest", 5
_IS_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_REQUIREMENTS = (
    "torch", "torchaudio", "numpy", "pandas", "safetensors", "pydantic", "soundfile", "soxr",
    "mlflow-skinny", "sqlalchemy", "alembic",
)  # fmt: skip
"""What loading, predicting and ``mlflow models serve`` import. The last two are for ``models:/…`` in a database."""
_CODE = (
    "__init__.py", "augment/__init__.py", "augment/augmentation.py", "augment/augmentations", "augment/batch.py",
    "augment/settings.py", "models", "base/__init__.py", "base/entry_points.py", "base/errors.py",
    "base/hashing.py", "base/lazy.py", "base/settings.py", "corpus/audio.py", "training/inference.py",
    "training/network.py", "training/recipe.py", "training/serving.py",
    "tracking/registry/pyfunc_model.py",
)  # fmt: skip
"""What the loader needs of this program; the rest stays out of the stored model, and so does what only that needs."""


def log_network(run: Run, network: SceneNetwork) -> str:
    """Store a network as the run's logged model, with its signature, the length of its clips and its code.

    The signature takes rows with a ``waveform`` of any length and, where that is not 32 kHz, its ``sampling_rate``; it
    gives each row's scene, its probability, and the whole distribution. A network with others for devices takes the
    ``device`` of each row, too.

    Returns:
        The id of the logged model.
    """
    client = run.client
    model = client.create_logged_model(run.experiment_id, name="network", source_run_id=run.run_id)
    with tempfile.TemporaryDirectory(prefix="asc-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no input example: MLflow would store it as JSON
        data, stored = Path(folder, "data"), Path(folder, "model")
        data.mkdir()
        save_network(network, data)
        mlflow.pyfunc.save_model(
            path=str(stored),
            loader_module=pyfunc.__name__,
            data_path=str(data),
            code_paths=[str(copy_code(Path(folder)))],
            signature=_signature(network),
            pip_requirements=_requirements(network),
            metadata={"clip_seconds": network.samples / SAMPLE_RATE},
            mlflow_model=Model(run_id=run.run_id, model_id=model.model_id, artifact_path=model.artifact_location),
        )
        client.log_model_artifacts(model.model_id, str(stored))
    client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_id)


def _requirements(network: SceneNetwork) -> list[str]:
    """What has to be installed where the network is loaded, pinned; also the packages that its Recipe names."""
    pinned = [f"{name}=={version(name).partition('+')[0]}" for name in _REQUIREMENTS]
    source = ARCHITECTURES[network.recipe.arch].source
    outside = {each.requirement for each in network.recipe.sources} | ({source.requirement} if source else set())
    return [*pinned, *sorted(outside)]


def fetch_network(tracking: Tracking, model_uri: str) -> SceneNetwork:
    """Load a network from a model URI such as ``models:/asc-student@champion`` or ``models:/asc-student/3``.

    The files are copied out first, since MLflow would otherwise write into the store it reads from.

    Raises:
        AscError: if there is no such model, or it is none of ours.
        Outage: if it cannot be read for another reason, which says nothing of the model.
    """
    remedy = "register one with `asc register`"
    with tempfile.TemporaryDirectory(prefix="asc-") as folder:
        try:
            files = _location(tracking, model_uri)
        except MlflowException as error:
            raise AscError(model_uri, f"cannot be loaded ({str(error).splitlines()[0]})", remedy) from None
        try:
            path = download_from(files, tracking.uri, Path(folder))
        except (MlflowException, OSError) as error:
            raise unreadable(error, model_uri, "its file", remedy) from None
        found = sorted(path.rglob("network.json"))
        if not found:
            raise AscError(model_uri, "is not a model of asc_experiments", remedy)
        return load_network(found[0].parent)


def measured_on_test(tracking: Tracking, model_uri: str, metric: str) -> float | None:
    """What a registered version's network reached in a metric on the test fold, as its tags say it.

    Args:
        tracking: where it is.
        model_uri: as :func:`fetch_network` takes it.
        metric: its name.

    Returns:
        The value; None where the URI names no version, or its tags do not say.
    """
    version = find_version(tracking, model_uri)
    try:
        return None if version is None else float(version.tags[metric])
    except (KeyError, ValueError):
        return None


def has_network(tracking: Tracking, model_id: str) -> bool:
    """Whether a logged model of this id is there, and was not deleted."""
    try:
        tracking.client.get_logged_model(model_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def delete_network(tracking: Tracking, model_id: str) -> None:
    """Delete a logged model; one that is gone already is no error."""
    try:
        tracking.client.delete_logged_model(model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def find_version(tracking: Tracking, model_uri: str) -> ModelVersion | None:
    """The registered version that a URI leads to; None where it names a logged model.

    Asked through the client, since MLflow resolves such URIs by global settings.

    Raises:
        AscError: if it is no model URI, or there is no such version.
        MlflowException: if it cannot be asked.
    """
    found = _URI.fullmatch(model_uri)
    if not found:
        what = "cannot be loaded (no model URI)"
        raise AscError(model_uri, what, "write models:/NAME@ALIAS, models:/NAME/VERSION or models:/MODEL_ID")
    name, alias, version = found["name"], found["alias"], found["version"]
    if not alias and not version and _MODEL_ID.fullmatch(name):
        return None
    try:
        if version == _LATEST:
            version = str(max(_versions(tracking, name), default=""))
        if alias:
            return tracking.client.get_model_version_by_alias(name, alias)
        if version:
            return tracking.client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code not in _IS_NOT_THERE:
            raise
    wanted = f"alias '{alias}'" if alias else f"version '{version}'" if version else ""
    raise AscError(model_uri, *_not_there(tracking, name, wanted))


def _versions(tracking: Tracking, name: str) -> list[int]:
    """The numbers of a registered model's versions."""
    if "'" in name:  # which MLflow's filters cannot hold
        return []
    search = tracking.client.search_model_versions
    found = every(lambda token: search(f"name = '{name}'", max_results=PER_PAGE, page_token=token))
    return [int(version.version) for version in found]


def _not_there(tracking: Tracking, name: str, wanted: str) -> tuple[str, str]:
    """What is wrong with a model's address, and what could be written instead.

    Args:
        tracking: the server.
        name: of the model that was asked for.
        wanted: which version of it; empty where the address says none.
    """
    search = tracking.client.search_registered_models
    models = {model.name: model for model in every(lambda token: search(max_results=PER_PAGE, page_token=token))}
    if name not in models:
        remedy = nearest(name, models) if models else "register one with `asc register`"
        return f"there is no registered model '{name}'", remedy
    names = [f"models:/{name}@{alias}" for alias in sorted(models[name].aliases)][:_NAMED]
    names += [f"models:/{name}/{max(versions)}"] if (versions := _versions(tracking, name)) else []
    what = f"'{name}' has no {wanted}" if wanted else "names a registered model, and none of its versions"
    return what, "write " + " or ".join(names) if names else "register one with `asc register`"


def _location(tracking: Tracking, model_uri: str) -> str:
    """Where a model's files are."""
    version = find_version(tracking, model_uri)
    if version is not None:
        return str(tracking.client.get_model_version_download_uri(version.name, str(version.version)))
    return str(tracking.client.get_logged_model(model_uri.removeprefix("models:/")).artifact_location)


def _signature(network: SceneNetwork) -> ModelSignature:
    """What goes in and comes out.

    The sampling rate is of any type, and checked by the predictor: MLflow takes no whole number for a double, and lets
    no row leave out one of a column of whole numbers.
    """
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(Array(DataType.double), WAVEFORM),
        ColSpec(AnyType(), SAMPLING_RATE, required=False),
    ]
    if network.of_devices:
        inputs.append(ColSpec("string", DEVICE, required=False))
    distribution = [ColSpec("double", column) for column in distribution_columns(network.scenes)]
    outputs = Schema([ColSpec("string", SCENE), ColSpec("double", PROBABILITY), *distribution])
    return ModelSignature(Schema(inputs), outputs)


def copy_code(folder: Path, more: Sequence[str] = ()) -> Path:
    """A copy of the part of this package that a stored model carries, or a submission.

    Packages that it has a part of export nothing.

    Args:
        folder: where it goes, into ``code``.
        more: files besides, such as ``training/packed.py``.
    """
    source = Path(asc_experiments.__file__).parent
    target = folder / "code" / source.name
    for name in (*_CODE, *more):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, target / name)
    for package in {parent for path in target.rglob("*.py") for parent in path.relative_to(target).parents}:
        (target / package / "__init__.py").touch()
    return target
