"""Writing what was moved into a tracking server, so that doing it again, after whatever interruption, adds nothing.

Everything is recognised by the id that it had where it was made. A run is RUNNING, and ours, until it is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    ViewType,
)
from mlflow.entities import Run as MlflowRun

from asc_experiments.base.ownership import this_process
from asc_experiments.migration.records import (
    IMPORT_DIGEST,
    IMPORTED_FROM,
    DatasetEntry,
    ModelEntry,
    ModelPoint,
    Point,
    RunEntry,
)
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.limits import METRICS_PER_CALL, in_calls
from asc_experiments.tracking.client.paging import PER_PAGE, every
from asc_experiments.tracking.client.records import ERROR, OWNER
from asc_experiments.tracking.client.run import Run

_ENDED = ("FINISHED", "FAILED", "KILLED")


class Target:
    """A tracking server that something is moved into.

    Args:
        tracking: the server.
    """

    def __init__(self, tracking: Tracking) -> None:
        self.tracking, self.client = tracking, tracking.client

    def runs(self, experiment_id: str) -> dict[str, MlflowRun]:
        """The active runs of an experiment, by the id that each had where it was made."""
        active, search = ViewType.ACTIVE_ONLY, self.client.search_runs
        runs = every(lambda token: search([experiment_id], "", active, PER_PAGE, None, token))
        return {run.data.tags.get(IMPORTED_FROM, run.info.run_id): run for run in runs}

    def models(self, experiment_id: str) -> dict[str, Any]:
        """The logged models of an experiment, by the id that each had where it was made."""
        models = every(lambda token: self.client.search_logged_models([experiment_id], page_token=token))
        return {(model.tags or {}).get(IMPORTED_FROM, model.model_id): model for model in models}

    def begin_run(self, entry: RunEntry, experiment_id: str) -> MlflowRun:
        """Make a run that is filled later; nothing but its name and its origin is known of it until then."""
        tags = {IMPORTED_FROM: entry.origin, OWNER: this_process()}
        return self.client.create_run(experiment_id, start_time=entry.start_time, tags=tags, run_name=entry.name)

    def begin_model(self, entry: ModelEntry, experiment_id: str, run_id: str) -> Any:
        """Make a logged model that is filled later."""
        return self.client.create_logged_model(
            experiment_id,
            name=entry.name,
            source_run_id=run_id,
            tags=entry.tags | {IMPORTED_FROM: entry.origin},
            params=entry.params,
            model_type=entry.model_type,
        )

    def fill_model(self, model_id: str, entry: ModelEntry, files: Path | None) -> None:
        """Give a logged model its files and its status."""
        if files is not None:
            self.client.log_model_artifacts(model_id, str(files))
        if entry.status in ("READY", "FAILED"):
            self.client.finalize_logged_model(model_id, LoggedModelStatus(entry.status))

    def fill_run(
        self,
        run: MlflowRun,
        entry: RunEntry,
        of_models: Sequence[tuple[str, ModelPoint]],
        files: Path | None,
        digest: str,
    ) -> None:
        """Give a run that was begun everything else, and end it as it ended; what is there already is not doubled.

        Args:
            run: it, as it was found or made.
            entry: what it shall be; its ids are those of this server.
            of_models: metrics that it logged for logged models of this server.
            files: a folder, or None.
            digest: of what it came as; set last, as the sign that it is whole.
        """
        run_id = run.info.run_id
        self._params(run_id, entry.params)
        self._relations(run_id, entry)
        if files is not None:
            self.client.log_artifacts(run_id, str(files))
        self._metrics(run_id, entry.metrics, of_models)
        self._tags(run_id, entry.tags)
        for key in (ERROR, OWNER):  # set by a sweep, after an import that was killed; set when it was begun
            if key not in entry.tags and (key == OWNER or key in run.data.tags):
                self.client.delete_tag(run_id, key)
        self.client.set_terminated(run_id, entry.status, entry.end_time)
        self._tags(run_id, {IMPORT_DIGEST: digest})

    def add_missing(
        self, run: MlflowRun, entry: RunEntry, of_models: Sequence[tuple[str, ModelPoint]], files: Path | None
    ) -> bool:
        """Add what a whole run lacks: metrics, tags, params and files that it got elsewhere. Nothing is replaced.

        Returns:
            Whether there was anything.
        """
        run_id, data = run.info.run_id, run.data
        metrics = {key: points for key, points in entry.metrics.items() if key not in data.metrics}
        params = {key: value for key, value in entry.params.items() if key not in data.params}
        tags = {key: value for key, value in entry.tags.items() if key not in data.tags}
        self._params(run_id, params)
        self._metrics(run_id, metrics, [each for each in of_models if each[1].key in metrics])
        self._tags(run_id, tags)
        added = self._missing_files(run_id, files) if files is not None else 0
        return bool(metrics or params or tags or added)

    def is_whole(self, run: MlflowRun) -> bool:
        """Whether a run was made here, or was imported to its end."""
        tags = run.data.tags
        return run.info.status in _ENDED and (IMPORTED_FROM not in tags or IMPORT_DIGEST in tags)

    def has_digest(self, run: MlflowRun, digest: str) -> bool:
        """Whether a run was imported from the very same."""
        return bool(run.data.tags.get(IMPORT_DIGEST) == digest)

    def describe(self, experiment_id: str, tags: Mapping[str, str], replace: bool) -> None:
        """Set an experiment's tags; those it has are replaced only if asked."""
        self.tracking.set_experiment_tags(experiment_id, tags, replace)

    def text(self, run_id: str, text: str, name: str) -> None:
        """Write a text into a run's files."""
        self.client.log_text(run_id, text, name)

    def _params(self, run_id: str, params: Mapping[str, str]) -> None:
        Run(self.client, run_id, "").params(params)

    def _tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        Run(self.client, run_id, "").tags(tags)

    def _metrics(
        self, run_id: str, metrics: Mapping[str, Sequence[Point]], of_models: Sequence[tuple[str, ModelPoint]]
    ) -> None:
        """Log every value of every metric with its own time and step; a server keeps the same value once."""
        models: dict[tuple[str, str], list[tuple[str | None, ModelPoint | None]]] = {}
        for model_id, each in of_models:
            models.setdefault((each.key, repr(each.point)), []).append((model_id, each))
        entries = []
        for key, points in metrics.items():
            for point in points:
                known = models.get((key, repr(point)))
                entries += (
                    [_metric(run_id, key, point, *each) for each in known] if known else [_metric(run_id, key, point)]
                )
        for batch in in_calls(entries, most=METRICS_PER_CALL):
            self.client.log_batch(run_id, metrics=batch)

    def _relations(self, run_id: str, entry: RunEntry) -> None:
        """Log datasets and lineage that the run does not have yet."""
        known = self.client.get_run(run_id)  # a search leaves lineage out
        inputs, outputs = known.inputs, known.outputs
        datasets = {(e.dataset.name, e.dataset.digest) for e in inputs.dataset_inputs} if inputs else set()
        made_from = {each.model_id for each in inputs.model_inputs or ()} if inputs else set()
        made = {each.model_id for each in outputs.model_outputs or ()} if outputs else set()
        data = [_dataset(each) for each in entry.datasets if (each.name, each.digest) not in datasets]
        models = [LoggedModelInput(model_id) for model_id in entry.made_from if model_id not in made_from]
        if data or models:
            self.client.log_inputs(run_id, datasets=data, models=models)
        new = [LoggedModelOutput(model_id, step=step) for model_id, step in entry.made.items() if model_id not in made]
        if new:
            self.client.log_outputs(run_id, new)

    def _missing_files(self, run_id: str, files: Path) -> int:
        known = set(self._files_of(run_id))
        missing = [
            path for path in files.rglob("*") if path.is_file() and path.relative_to(files).as_posix() not in known
        ]
        for path in missing:
            folder = path.relative_to(files).parent.as_posix()
            self.client.log_artifact(run_id, str(path), None if folder == "." else folder)
        return len(missing)

    def _files_of(self, run_id: str, folder: str | None = None) -> list[str]:
        names = []
        for each in self.client.list_artifacts(run_id, folder):
            names += self._files_of(run_id, each.path) if each.is_dir else [str(each.path)]
        return names


def _metric(run_id: str, key: str, point: Point, model_id: str | None = None, of: ModelPoint | None = None) -> Metric:
    return Metric(
        key,
        point.value,
        point.timestamp,
        point.step,
        model_id=model_id,
        run_id=run_id,
        dataset_name=of.dataset_name if of else None,
        dataset_digest=of.dataset_digest if of else None,
    )


def _dataset(entry: DatasetEntry) -> DatasetInput:
    data = Dataset(
        name=entry.name,
        digest=entry.digest,
        source_type=entry.source_type,
        source=entry.source,
        schema=entry.dataset_schema,
        profile=entry.profile,
    )
    return DatasetInput(data, [InputTag(key, value) for key, value in entry.tags.items()])
