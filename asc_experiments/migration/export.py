"""Putting studies into an archive: their runs, teachers, logged models and registered versions, with all files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import progress
from asc_experiments.migration.archive import ArchiveWriter
from asc_experiments.migration.records import ExperimentEntry, TrackingEntry
from asc_experiments.migration.tracking_read import SourceServer, is_active, model_entry
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.queries import ANY, where
from asc_experiments.tracking.client.records import KIND, PARENT
from asc_experiments.tracking.trials import CORPUS, ORIGINAL, TEACHER_KEY, TEACHERS

TEACHERS_EXPERIMENT, STUDENTS_EXPERIMENT = "teachers", "students"
RUNS, MODELS, TRACKING = "runs", "models", "tracking.json"
RECORD, FILES = "record.json", "files"


@dataclass(frozen=True)
class Exported:
    """How much was put into an archive; ``size`` is that of the files, in bytes."""

    runs: int
    teachers: int
    models: int
    versions: int
    size: int


class Export:
    """What is to be exported, looked up and found at rest.

    Args:
        tracking: the server.
        studies: names of studies that it knows.
        everything: whether to take every teacher and the single students as well.

    Raises:
        AscError: if a run is active, or files are not where the database says.
    """

    def __init__(self, tracking: Tracking, studies: Sequence[str], everything: bool) -> None:
        self._tracking, self._source = tracking, SourceServer(tracking)
        names = [*studies, *([STUDENTS_EXPERIMENT] if everything else [])]
        self._experiments = [self._source.experiment(name) for name in names if tracking.has_experiment(name)]
        self._runs: list[tuple[ExperimentEntry, Any]] = []
        for experiment in self._experiments:
            self._runs += [(experiment, run) for run in self._source.runs(experiment)]
        for experiment, run in self._runs:
            if is_active(run):
                what = f"{run.info.run_name} is active in another process"
                raise AscError(
                    f"study '{experiment.name}'", what, "stop it with Ctrl-C, or wait; it resumes after that"
                )
        self._guests = self._originals()
        self._runs += self._guests
        self._teachers = self._chosen_teachers(everything) if tracking.has_experiment(TEACHERS_EXPERIMENT) else []
        if self._teachers:
            self._experiments.insert(0, self._teachers[0][0])

    def write(self, archive: ArchiveWriter, folder: Path) -> Exported:
        """Write everything into an archive.

        Args:
            archive: to write into.
            folder: an empty one, for one run's files at a time.
        """
        runs = self._teachers + self._runs
        chosen = {run.info.run_id for _, run in runs}
        models = [
            (experiment, model)
            for experiment in self._experiments
            for model in self._source.models(experiment)
            if model.source_run_id in chosen
        ]
        registered = self._source.registered({model.model_id for _, model in models})
        archive.text(TRACKING, TrackingEntry(experiments=self._experiments, registered=registered).text())
        size = 0
        with progress(len(runs) + len(models), "exporting", "runs and models") as advance:
            for experiment, run in runs:
                size += self._write_run(archive, folder, experiment, run)
                advance(note=run.info.run_name)
            for experiment, model in models:
                name = f"{MODELS}/{model.model_id}"
                archive.text(f"{name}/{RECORD}", model_entry(model, experiment.name).text())
                fetch = partial(self._source.fetch_model_files, model, folder)
                size += _with_files(archive, name, folder, fetch)
                advance(note=model.model_id)
        versions = sum(len(each.versions) for each in registered)
        return Exported(len(runs), len(self._teachers), len(models), versions, size)

    def _write_run(self, archive: ArchiveWriter, folder: Path, experiment: ExperimentEntry, run: Any) -> int:
        run_id = run.info.run_id
        name = f"{RUNS}/{run_id}"
        entry = self._source.run_entry(run, experiment.name)
        if any(run is guest for _, guest in self._guests):  # its trial stays behind: it is given when that comes along
            entry = entry.model_copy(update={"tags": {key: v for key, v in entry.tags.items() if key != PARENT}})
        archive.text(f"{name}/{RECORD}", entry.text())
        size = _with_files(archive, name, folder, partial(self._source.fetch_run_files, run_id, folder))
        if not size and run.data.tags.get(KIND) == "teacher":
            remedy = "if the workspace was moved: asc workspace relocate; else `asc teacher prune` it"
            raise AscError(f"teacher {run.data.tags.get(TEACHER_KEY, run_id)}", "its files are gone", remedy)
        return size

    def _originals(self) -> list[tuple[ExperimentEntry, Any]]:
        """The runs of other studies that trained what was found here: they have the networks and the logits."""
        chosen = {run.info.run_id for _, run in self._runs}
        wanted = {run.data.tags[ORIGINAL] for _, run in self._runs if ORIGINAL in run.data.tags} - chosen
        entries = {experiment.id: experiment for experiment in self._experiments}
        found = []
        for run_id in sorted(wanted):
            run = self._source.client.get_run(run_id)
            if run.info.lifecycle_stage == "active":
                entry = entries.get(run.info.experiment_id)
                if entry is None:
                    name = self._source.client.get_experiment(run.info.experiment_id).name
                    entry = ExperimentEntry(id=run.info.experiment_id, name=name, tags={})  # it is described by its own
                    entries[entry.id] = entry
                    self._experiments.append(entry)
                found.append((entry, run))
        return found

    def _chosen_teachers(self, everything: bool) -> list[tuple[ExperimentEntry, Any]]:
        """The finished teachers, each key once, that the runs learned from or may learn from when they resume.

        Of a trial that was interrupted, nobody knows the teachers before its ensemble is logged: so teachers of the
        same corpus that nobody has learned from yet come along.
        """
        experiment = self._source.experiment(TEACHERS_EXPERIMENT)
        finished: dict[str, Any] = {}
        for run in self._source.runs(experiment):  # oldest first, as the bank finds them
            if run.info.status == "FINISHED" and TEACHER_KEY in run.data.tags:
                finished.setdefault(run.data.tags[TEACHER_KEY], run)
        if everything:
            return [(experiment, run) for run in finished.values()]
        tags = [self._tracking.tags_of_run(run.info.run_id, run.data.tags) for _, run in self._runs]
        wanted = {key for of_run in tags for key in _keys(of_run)}
        corpora = {run.data.tags[CORPUS] for _, run in self._runs if CORPUS in run.data.tags}
        learners = self._tracking.search(list(self._tracking.experiments()), where({TEACHERS: ANY}))
        used = {key for record in learners for key in _keys(record.tags)}
        return [
            (experiment, run)
            for key, run in finished.items()
            if key in wanted or (key not in used and run.data.tags.get(CORPUS) in corpora)
        ]


def _keys(tags: Any) -> list[str]:
    return [key for key in tags.get(TEACHERS, "").split(",") if key]


def _with_files(archive: ArchiveWriter, name: str, folder: Path, fetch: Callable[[], Path | None]) -> int:
    """Add the files that are fetched into a folder, and empty the folder; how many bytes there were."""
    folder.mkdir(parents=True)
    try:
        return archive.folder(f"{name}/{FILES}", fetch())
    finally:
        shutil.rmtree(folder)
