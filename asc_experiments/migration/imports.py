"""Taking studies out of an archive into a tracking server; again, or after a kill, only what is not there yet.

First everything is begun, so that every id is known; then it is filled, teachers first; then it is registered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import progress, say
from asc_experiments.migration.export import FILES, MODELS, RECORD, RUNS, TEACHERS_EXPERIMENT, TRACKING
from asc_experiments.migration.ids import Ids, NewRun, map_files
from asc_experiments.migration.records import ModelEntry, ModelPoint, RunEntry, TrackingEntry, VersionEntry
from asc_experiments.migration.registered_models import write_registered
from asc_experiments.migration.tracking_write import Target
from asc_experiments.migration.unpacking import Archive
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import KIND
from asc_experiments.tracking.trials import MODEL_ID, TEACHER_KEY, TRIAL_KIND


@dataclass
class Imported:
    """What an import added, and what was there already."""

    runs: int = 0
    runs_completed: int = 0
    runs_there: int = 0
    teachers_there: int = 0
    models: int = 0
    versions: int = 0
    aliases_kept: dict[str, int] = field(default_factory=dict)


class Import:
    """An archive on its way into a tracking server. Everything in it is read before anything is written.

    Args:
        archive: unpacked and found whole.
        tracking: the server.

    Raises:
        AscError: if a record is none.
    """

    def __init__(self, archive: Archive, tracking: Tracking) -> None:
        self._archive, self._tracking, self._target = archive, tracking, Target(tracking)
        self._entry = TrackingEntry.read(archive.read(TRACKING), f"{archive.path}: {TRACKING}")
        self._runs = [self._read(RunEntry, name) for name in archive.names(f"{RUNS}/", f"/{RECORD}")]
        self._models = [self._read(ModelEntry, name) for name in archive.names(f"{MODELS}/", f"/{RECORD}")]
        self._runs.sort(key=lambda run: (run.experiment != TEACHERS_EXPERIMENT, run.start_time, run.id))
        self._check()
        self._ids = Ids()
        self._new_experiments: dict[str, str] = {}
        self._here: dict[str, Any] = {}
        self._models_here: dict[str, Any] = {}
        self.done = Imported()

    def _check(self) -> None:
        """Refuse records that name what is not there.

        Raises:
            AscError: if one does.
        """
        experiments = {entry.name for entry in self._entry.experiments}
        runs = {run.id for run in self._runs}
        for entry in (*self._runs, *self._models):
            if entry.experiment not in experiments:
                raise AscError(self._archive.path, f"lacks the experiment of {entry.id}", "export it again")
        for model in self._models:
            if model.run not in runs:
                raise AscError(self._archive.path, f"lacks the run that made {model.id}", "export it again")

    def strangers(self, study: str) -> int:
        """How many trials the study's experiment has here that are none of the archive's."""
        if not self._tracking.has_experiment(study):
            return 0
        ours = {run.origin for run in self._runs}
        known = self._target.runs(self._tracking.experiment(study))
        return sum(run.data.tags.get(KIND) == TRIAL_KIND for origin, run in known.items() if origin not in ours)

    def carry_out(self) -> Imported:
        """Write what is not there yet."""
        for entry in self._entry.experiments:
            self._new_experiments[entry.name] = self._tracking.experiment(entry.name)
        waiting = self._begin()
        for entry in self._entry.experiments:
            added = any(run.experiment == entry.name for run in waiting)
            replace = added and entry.name != TEACHERS_EXPERIMENT
            self._target.describe(self._new_experiments[entry.name], self._ids.texts(entry.tags), replace)
        self._fill(waiting)
        self._register()
        return self.done

    def _begin(self) -> list[RunEntry]:
        """Find or begin every run and every logged model, so that all ids are known; the runs to be looked at."""
        known: dict[str, Any] = {}
        known_models: dict[str, Any] = {}
        for experiment_id in self._new_experiments.values():
            known |= self._target.runs(experiment_id)
            known_models |= self._target.models(experiment_id)
        bank = _bank(known.values())
        waiting = []
        with progress(len(self._runs) + len(self._models), "looking up", "runs and models") as advance:
            for entry in self._runs:
                run, experiment_id = known.get(entry.origin), self._new_experiments[entry.experiment]
                there = bank.get(entry.tags.get(TEACHER_KEY, "")) if entry.experiment == TEACHERS_EXPERIMENT else None
                if there is not None and not self._is_unfinished(run):
                    self._take(entry, there)
                    self.done.teachers_there += 1
                else:
                    run = run or self._target.begin_run(entry, experiment_id)
                    self._here[entry.id] = run
                    waiting.append(entry)
                    there = run
                self._ids.runs[entry.id] = NewRun(there.info.run_id, there.info.experiment_id)
                advance()
            for model in self._models:
                if model.id not in self._ids.models and model.run in self._here:
                    self._begin_model(model, known_models.get(model.origin))
                advance()
        return waiting

    def _begin_model(self, entry: ModelEntry, known: Any) -> None:
        if known is None:
            mapped = entry.model_copy(update={"tags": self._ids.texts(entry.tags)})
            run = self._ids.runs[entry.run]
            known = self._target.begin_model(mapped, self._new_experiments[entry.experiment], run.id)
            self.done.models += 1
        self._models_here[entry.id] = known
        self._ids.models[entry.id] = known.model_id

    def _is_unfinished(self, run: Any) -> bool:
        return run is not None and not self._target.is_whole(run)

    def _take(self, entry: RunEntry, there: Any) -> None:
        """Have a teacher of the bank here stand for the archive's, and its network for that one's."""
        old, new = entry.tags.get(MODEL_ID), there.data.tags.get(MODEL_ID)
        if old and new:
            self._ids.models[old] = new

    def _fill(self, waiting: list[RunEntry]) -> None:
        of_run: dict[str, list[ModelEntry]] = {}
        for model in self._models:
            if model.id in self._models_here:
                of_run.setdefault(model.run, []).append(model)
        with progress(len(waiting), "importing", "runs") as advance:
            for entry in waiting:
                self._fill_run(entry, of_run.get(entry.id, []))
                advance(note=entry.name)

    def _fill_run(self, entry: RunEntry, models: list[ModelEntry]) -> None:
        run, digest = self._here[entry.id], self._archive.digest(f"{RUNS}/{entry.id}/")
        if self._target.is_whole(run) and self._target.has_digest(run, digest):
            self.done.runs_there += 1
            return
        for model in models:
            self._fill_model(model)
        mapped, files = self._mapped(entry), self._files(f"{RUNS}/{entry.id}")
        if self._target.is_whole(run):
            added = self._target.add_missing(run, mapped, self._points_of[entry.id], files)
            self.done.runs_completed += added
            self.done.runs_there += not added
            return
        self._target.fill_run(run, mapped, self._points_of[entry.id], files, digest)
        self.done.runs += 1

    def _fill_model(self, entry: ModelEntry) -> None:
        here = self._models_here[entry.id]
        if str(here.status) not in ("READY", "FAILED"):
            files = self._files(f"{MODELS}/{entry.id}", here.artifact_location)
            self._target.fill_model(here.model_id, entry, files)

    def _register(self) -> None:
        for entry in self._entry.registered:
            written = write_registered(self._tracking, entry, self._ids.models, self._version_mapper(entry.name))
            self.done.versions += written.added
            for alias, number in written.kept.items():
                say(f"alias {alias} of {entry.name} leads to version {number} here, and stays there")
                self.done.aliases_kept[f"{entry.name}@{alias}"] = number
            moved = {old: new for old, new in written.numbers.items() if new != old}
            if moved and written.added:
                self._renumber(entry.name, moved, {v.run for v in entry.versions if v.version in moved and v.run})

    def _version_mapper(self, name: str) -> Any:
        def mapped(version: VersionEntry, number: int) -> VersionEntry:
            ids = Ids(self._ids.runs, self._ids.models, {(name, version.version): number})
            run = self._ids.runs.get(version.run or "")
            return version.model_copy(
                update={
                    "run": run.id if run else version.run,
                    "description": ids.text(version.description),
                    "tags": ids.texts(version.tags),
                }
            )

        return mapped

    def _renumber(self, name: str, moved: Mapping[int, int], runs: Collection[str]) -> None:
        """Write model cards among the files again where versions have another number here."""
        ids = Ids(self._ids.runs, self._ids.models, {(name, old): new for old, new in moved.items()})
        for run in runs:
            for file in self._archive.names(f"{RUNS}/{run}/{FILES}/", ".md"):
                text = ids.text(self._archive.read(file).decode(errors="replace"))
                self._target.text(self._ids.runs[run].id, text, file.removeprefix(f"{RUNS}/{run}/{FILES}/"))

    @cached_property
    def _points_of(self) -> dict[str, list[tuple[str, ModelPoint]]]:
        """The metrics that each run logged for logged models, with the ids that those have here."""
        found: dict[str, list[tuple[str, ModelPoint]]] = {run.id: [] for run in self._runs}
        for model in self._models:
            for each in model.metrics if model.id in self._models_here else ():
                found.setdefault(each.run, []).append((self._ids.models[model.id], each))
        return found

    def _mapped(self, entry: RunEntry) -> RunEntry:
        """A run with the ids that everything has here; what was not moved is left out of its lineage."""
        models = self._ids.models
        return entry.model_copy(
            update={
                "tags": self._ids.texts(entry.tags),
                "made_from": [models[model] for model in entry.made_from if model in models],
                "made": {models[model]: step for model, step in entry.made.items() if model in models},
            }
        )

    def _files(self, name: str, location: str | None = None) -> Path | None:
        """The unpacked files of a run or a logged model, with the ids of here in them; None where it has none."""
        folder = self._archive.folder / name / FILES
        if not folder.is_dir():
            return None
        map_files(folder, self._ids, location)
        return folder

    def _read(self, record: Any, name: str) -> Any:
        return record.read(self._archive.read(name), f"{self._archive.path}: {name}")


def _bank(runs: Any) -> dict[str, Any]:
    """The finished teachers here by key, the oldest of each."""
    found: dict[str, Any] = {}
    for run in sorted(runs, key=lambda run: -run.info.start_time):
        if run.info.status == "FINISHED" and TEACHER_KEY in run.data.tags:
            found[run.data.tags[TEACHER_KEY]] = run
    return found
