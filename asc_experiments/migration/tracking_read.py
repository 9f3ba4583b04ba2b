"""Reading what is moved out of a tracking server: whole runs, logged models and registered versions, with files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from mlflow.entities import LoggedModel, ViewType
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException

from asc_experiments.base.errors import AscError
from asc_experiments.base.ownership import is_gone
from asc_experiments.migration.records import (
    IMPORTED_FROM,
    DatasetEntry,
    ExperimentEntry,
    ModelEntry,
    ModelPoint,
    Point,
    RegisteredEntry,
    RunEntry,
    VersionEntry,
    without_import,
)
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.downloads import download_from, download_of_run, unreadable
from asc_experiments.tracking.client.paging import PER_PAGE, every
from asc_experiments.tracking.client.records import ERROR, OWNER

_MODEL_SOURCE = "models:/"
_OF_REGISTRY = "mlflow.modelVersions"
"""A logged model's tag that the registry writes by itself when a version is made."""
_CALLS_AT_A_TIME = 4
"""Of a server: a run has a call per metric, and each waits for the network."""


class SourceServer:
    """A tracking server that something is moved out of.

    Args:
        tracking: the server.
    """

    def __init__(self, tracking: Tracking) -> None:
        self.tracking, self.client = tracking, tracking.client
        remote = tracking.uri.startswith(("http://", "https://"))
        self._calls = ThreadPoolExecutor(_CALLS_AT_A_TIME if remote else 1)

    def experiment(self, name: str) -> ExperimentEntry:
        """An active experiment and its tags.

        Raises:
            AscError: if the files of a local one are not where the database says.
        """
        found = self.client.get_experiment(self.tracking.experiment(name))
        folder = _local(str(found.artifact_location))
        if folder is not None and not folder.is_dir() and self.client.search_runs([found.experiment_id], max_results=1):
            what = f"its files are not in {folder}"
            raise AscError(f"experiment '{name}'", what, "if the workspace was moved: asc workspace relocate")
        tags = self.tracking.experiment_tags(found.experiment_id)
        return ExperimentEntry(id=str(found.experiment_id), name=name, tags=dict(tags))

    def runs(self, experiment: ExperimentEntry) -> list[MlflowRun]:
        """The active runs of an experiment, oldest first."""
        active, order, search = ViewType.ACTIVE_ONLY, ["attributes.start_time ASC"], self.client.search_runs
        return list(every(lambda token: search([experiment.id], "", active, PER_PAGE, order, token)))

    def models(self, experiment: ExperimentEntry) -> list[LoggedModel]:
        """The logged models of an experiment."""
        return list(every(lambda token: self.client.search_logged_models([experiment.id], page_token=token)))

    def run_entry(self, run: MlflowRun, experiment: str) -> RunEntry:
        """A whole run. One whose process was killed is told as that: elsewhere nobody could know it."""
        info, data = run.info, run.data
        tags, status, end_time = without_import(data.tags), info.status, info.end_time
        if status not in ("FINISHED", "FAILED", "KILLED"):
            status, end_time = "KILLED", end_time or _last_time(run)
            tags.setdefault(ERROR, "its process was killed")
        whole = self.client.get_run(info.run_id)  # a search leaves lineage out
        inputs, outputs = whole.inputs, whole.outputs
        return RunEntry(
            id=info.run_id,
            origin=data.tags.get(IMPORTED_FROM, info.run_id),
            experiment=experiment,
            name=info.run_name or "",
            status=status,
            start_time=info.start_time or 0,
            end_time=end_time,
            params=dict(data.params),
            tags=tags,
            metrics=self._histories(info.run_id, sorted(data.metrics)),
            datasets=[_dataset(entry) for entry in inputs.dataset_inputs] if inputs else [],
            made_from=[each.model_id for each in inputs.model_inputs or ()] if inputs else [],
            made={each.model_id: int(each.step) for each in outputs.model_outputs or ()} if outputs else {},
        )

    def registered(self, models: Collection[str]) -> list[RegisteredEntry]:
        """The registered versions of these logged models, and the aliases that lead to them."""
        by_name: dict[str, list[VersionEntry]] = {}
        for version in self._versions():
            model = str(version.source).removeprefix(_MODEL_SOURCE)
            if model in models:
                entry = VersionEntry(
                    version=int(version.version),
                    model=model,
                    run=version.run_id or None,
                    description=version.description or "",
                    tags=without_import(version.tags),
                )
                by_name.setdefault(version.name, []).append(entry)
        return [self._registered(name, versions) for name, versions in sorted(by_name.items())]

    def fetch_run_files(self, run_id: str, folder: Path) -> Path | None:
        """Copy a run's files into a folder; where they are, None where it has none.

        Raises:
            AscError: if they cannot be read.
        """
        with _fetching(f"run {run_id}"):
            if not self.client.list_artifacts(run_id):
                return None
            return download_of_run(self.tracking.now, self.tracking.uri, run_id, "", folder)

    def fetch_model_files(self, model: LoggedModel, folder: Path) -> Path | None:
        """Copy a logged model's files into a folder; where they are, None where it has none.

        Raises:
            AscError: if they cannot be read.
        """
        with _fetching(f"logged model {model.model_id}"):
            if not self.client.list_logged_model_artifacts(model.model_id):
                return None
            return download_from(str(model.artifact_location), self.tracking.uri, folder)

    def _histories(self, run_id: str, keys: Sequence[str]) -> dict[str, list[Point]]:
        found = self._calls.map(lambda key: self.client.get_metric_history(run_id, key), keys)
        return {
            key: sorted(Point(float(each.value), int(each.timestamp), int(each.step)) for each in points)
            for key, points in zip(keys, found, strict=True)
        }

    def _versions(self) -> Iterator[Any]:
        search = self.client.search_model_versions
        return every(lambda token: search(max_results=PER_PAGE, page_token=token))

    def _registered(self, name: str, versions: list[VersionEntry]) -> RegisteredEntry:
        found = self.client.get_registered_model(name)
        moved = {version.version for version in versions}
        return RegisteredEntry(
            name=name,
            description=found.description or "",
            tags=dict(found.tags),
            versions=sorted(versions, key=lambda version: version.version),
            aliases={alias: int(number) for alias, number in found.aliases.items() if int(number) in moved},
        )


def is_active(run: MlflowRun) -> bool:
    """Whether a live process works on a run."""
    return run.info.status == "RUNNING" and OWNER in run.data.tags and not is_gone(run.data.tags[OWNER])


def model_entry(model: LoggedModel, experiment: str) -> ModelEntry:
    """A whole logged model."""
    points = [
        ModelPoint(
            run=str(each.run_id),
            key=each.key,
            point=Point(float(each.value), int(each.timestamp), int(each.step)),
            dataset_name=each.dataset_name,
            dataset_digest=each.dataset_digest,
        )
        for each in model.metrics or ()
    ]
    return ModelEntry(
        id=model.model_id,
        origin=(model.tags or {}).get(IMPORTED_FROM, model.model_id),
        experiment=experiment,
        run=str(model.source_run_id),
        name=model.name,
        model_type=model.model_type or None,
        status=str(model.status.value if hasattr(model.status, "value") else model.status),
        params=dict(model.params or {}),
        tags={key: value for key, value in without_import(model.tags or {}).items() if key != _OF_REGISTRY},
        metrics=sorted(points, key=lambda each: (each.run, each.key, each.point)),
    )


@contextmanager
def _fetching(where: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, OSError) as error:
        raise unreadable(
            error, where, "one of its files", "if the workspace was moved: asc workspace relocate"
        ) from None


def _local(location: str) -> Path | None:
    """The folder that an artifact location names on this machine; None where a server keeps the files."""
    parsed = urlparse(location)
    if parsed.scheme == "file":
        return Path(url2pathname(parsed.path))
    return Path(location) if not parsed.scheme and location.startswith("/") else None


def _dataset(entry: Any) -> DatasetEntry:
    data = entry.dataset
    return DatasetEntry(
        name=data.name,
        digest=data.digest,
        source_type=data.source_type,
        source=data.source,
        dataset_schema=data.schema or None,
        profile=data.profile or None,
        tags={tag.key: tag.value for tag in entry.tags or ()},
    )


def _last_time(run: MlflowRun) -> int:
    """When a killed run last logged something."""
    return max([run.info.start_time, *(metric.timestamp for metric in run.data._metric_objs)])
