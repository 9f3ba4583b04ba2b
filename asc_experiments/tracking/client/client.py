"""Runs in an MLflow tracking server: FINISHED, FAILED with the error, or KILLED.

Everything goes through explicit run and experiment ids, so that several processes never write into each other's runs.
"""

from __future__ import annotations

import functools
import logging
import re
import shlex
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.entities import Experiment, ViewType
from mlflow.exceptions import MlflowException

from asc_experiments.base.errors import AscError, without_secrets
from asc_experiments.base.files import absolute
from asc_experiments.base.outage import Failure, failure_of
from asc_experiments.base.ownership import is_gone, this_driver, this_process
from asc_experiments.tracking.client.connection import (
    check_address,
    default_tracking_uri,
    globally,
    initialising,
    make_folder,
    own_address,
    probe,
    unreachable,
)
from asc_experiments.tracking.client.downloads import download_from, download_of_run, unreadable, upload_to
from asc_experiments.tracking.client.limits import EXPERIMENT_TAG, RUN_LOCATION, TAG, cut_at_line
from asc_experiments.tracking.client.links import page_of_run
from asc_experiments.tracking.client.long_values import split, whole
from asc_experiments.tracking.client.paging import PER_PAGE, every
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import DRIVER, KIND, NOTE, OWNER, PARENT, RunRecord, record_of
from asc_experiments.tracking.client.retry import patience, patient
from asc_experiments.tracking.client.run import Run, with_final_status
from asc_experiments.tracking.loggers.following import LogTo, place_of
from asc_experiments.tracking.loggers.logger import StartedRun

LOST_FILES = "if the workspace was moved: asc workspace relocate; else delete the run, so that it is made again"
_RUN_FOLDER = len(f"/{32 * '0'}/artifacts")
_ACTIVE = "active"
_SHARED = ("teachers", "students")
"""Experiments that are no study's."""
_OLDEST_FIRST = ["attributes.start_time ASC"]
_QUIET = ("alembic", "mlflow.store.db.utils", "mlflow.models", "mlflow.pyfunc", "mlflow.utils", "mlflow.tracking")


class Tracking:
    """A connection to a tracking server.

    Args:
        uri: the server's address or a database's URI.
        artifacts: folder for artifacts where no server keeps them, else None.
        log_to: who else is told of runs that this connection begins.
    """

    def __init__(self, uri: str, artifacts: Path | None, log_to: LogTo | None = None) -> None:
        self.uri = uri
        self._artifacts = artifacts
        self._log_to = log_to or LogTo()
        self._files: dict[str, str] = {}
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what they raise is told here, in a line
        self.now = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self.client = patient(self.now, uri)

    @classmethod
    def open(cls, workspace: Path, uri: str | None = None, log_to: Sequence[str] = ()) -> Tracking:
        """Connect, creating the workspace's own database where no other server is named.

        Args:
            workspace: the folder that holds ``mlruns``.
            uri: a server or database; the workspace's SQLite file by default.
            log_to: names of secondary loggers.

        Raises:
            AscError: if the server does not answer or the workspace cannot be written, or a logger is not there.
        """
        followed = LogTo.parse(log_to, absolute(workspace))
        local = uri is None or uri == own_address(workspace)
        uri = uri or default_tracking_uri(workspace)
        patience()  # refuse a setting that is none
        if not local:
            check_address(uri)
        probe(uri)  # others are waited for; whoever begins is told at once
        if local:
            make_folder(workspace / "mlruns")
        keeps_artifacts = uri.startswith(("http://", "https://"))
        artifacts = None if keeps_artifacts else absolute(workspace / "mlruns" / "artifacts")
        with initialising(workspace if local else None):
            try:
                tracking = cls(uri, artifacts, followed)
            except Exception as error:  # SQLAlchemy, requests, MLflow: all mean that nobody answers
                raise unreachable(uri, error) from None
            tracking.check_answers()
        return tracking

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker process makes a connection of its own, once."""
        return _reconnected, (self.uri, self._artifacts, self._log_to)

    def check_answers(self) -> None:
        """Ask the server for something small.

        Raises:
            AscError: if it does not answer.
        """
        probe(self.uri)
        try:
            self.now.search_experiments(max_results=1)
        except Exception as error:  # SQLAlchemy, requests, MLflow: all mean that nobody answers
            if failure_of(error) is Failure.BUSY:  # it answers
                return
            raise unreachable(self.uri, error) from None

    def current(self) -> AbstractContextManager[None]:
        """Make this server MLflow's global one for a block: parts of MLflow resolve ``models:/…`` by it."""
        return globally(self.uri)

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, created if need be.

        Raises:
            AscError: if it was deleted in the tracking server.
        """
        found = self.client.get_experiment_by_name(name)
        refuse_deleted(found, self.uri)
        if found is None:
            location = None
            if self._artifacts is not None:
                location = self._location(name)
            try:
                return str(self.client.create_experiment(name, artifact_location=location))
            except MlflowException:
                found = self.client.get_experiment_by_name(name)  # another process was quicker
                if found is None:
                    raise
        location = str(found.artifact_location)
        if self._artifacts and location.startswith("file:") and not _is_below(location, self._artifacts):
            raise AscError(name, f"its files are in {location}", "if the workspace was moved: asc workspace relocate")
        return str(found.experiment_id)

    def _location(self, name: str) -> str:
        """Where the files of an experiment go, where no server keeps them.

        Raises:
            AscError: if that is longer than the server's database takes.
        """
        assert self._artifacts is not None
        location = (self._artifacts / re.sub(r"[^\w.-]+|^\.+", "_", name)).as_uri()
        too_long = len(location) + _RUN_FOLDER - RUN_LOCATION
        if too_long > 0 and not self.uri.startswith("sqlite"):  # which takes any length
            what = f"is {too_long} characters too long a path for the files of '{name}' in that database"
            raise AscError(self._artifacts, what, "give a --workspace with a shorter path, or run an MLflow server")
        return location

    def experiments(self) -> dict[str, str]:
        """The names of all active experiments, by their ids."""
        return {str(found.experiment_id): found.name for found in self.all_experiments()}

    def all_experiments(self) -> Iterator[Experiment]:
        """All active experiments, newest first."""
        order = ["creation_time DESC", "experiment_id DESC"]
        search = self.client.search_experiments
        return every(lambda token: search(max_results=PER_PAGE, order_by=order, page_token=token))

    def delete(self, run_id: str) -> None:
        """Delete a run; it can be restored in MLflow until its `gc`."""
        self.client.delete_run(run_id)

    def describe(self, experiment_id: str, note: str, tags: Mapping[str, str]) -> None:
        """Set an experiment's description, Markdown, and tags; what stands there already is not written again."""
        self.set_experiment_tags(experiment_id, {NOTE: cut_at_line(note, EXPERIMENT_TAG)} | dict(tags))

    def set_experiment_tags(self, experiment_id: str, tags: Mapping[str, str], replace: bool = True) -> None:
        """Set an experiment's tags; what is too long for one is kept as a file, and read back as the tag.

        Args:
            experiment_id: the experiment's.
            tags: what stands there already is not written again.
            replace: whether those it has are replaced.
        """
        found = self.client.get_experiment(experiment_id)
        texts, long = split(tags, EXPERIMENT_TAG)
        for key, value in (texts | {key: value.tag for key, value in long.items()}).items():
            if found.tags.get(key) == value or (key in found.tags and not replace):
                continue
            if key in long:
                upload_to(str(found.artifact_location), self.uri, long[key].path, long[key].content)
            self.client.set_experiment_tag(experiment_id, key, value)

    def experiment_tags(self, experiment_id: str) -> Mapping[str, str]:
        """An experiment's tags."""
        found = self.client.get_experiment(experiment_id)
        return whole(dict(found.tags), partial(_content_at, self.uri, str(found.artifact_location)))

    def experiment_tag(self, experiment_id: str, key: str) -> str:
        """One tag of an experiment, which is not too long for one; empty where it does not have it."""
        return str(self.client.get_experiment(experiment_id).tags.get(key, ""))

    def tags_of_run(self, run_id: str, stored: Mapping[str, str]) -> Mapping[str, str]:
        """A run's tags as they were set, those too that are kept as files."""
        return whole(stored, partial(self._content, run_id))

    def _content(self, run_id: str, path: str) -> bytes:
        with self.artifacts(run_id, path) as found:
            return found.read_bytes()

    def has_experiment(self, name: str) -> bool:
        """Whether there is an active experiment of that name."""
        found = self.client.get_experiment_by_name(name)
        return found is not None and found.lifecycle_stage == _ACTIVE

    def refuse_deleted(self, name: str) -> None:
        """Refuse to use an experiment that was deleted, as long as it can be restored.

        Raises:
            AscError: if the experiment of that name was deleted.
        """
        refuse_deleted(self.client.get_experiment_by_name(name), self.uri)

    def check_experiment(self, experiment_id: str, name: str) -> None:
        """Look whether an experiment that is written into is still there.

        Raises:
            AscError: if it was deleted meanwhile.
        """
        try:
            refuse_deleted(self.client.get_experiment(experiment_id), self.uri)
        except MlflowException:
            what = "was deleted for good in the tracking server"
            raise AscError(f"experiment '{name}'", what, "the same command says how to continue") from None

    @contextmanager
    def run(
        self,
        experiment_id: str,
        name: str,
        kind: str,
        tags: Mapping[str, str] | None = None,
        parent: str | None = None,
        key: str = "",
    ) -> Iterator[Run]:
        """A new run around a block of work; how the block ends decides the run's status.

        Args:
            experiment_id: where.
            name: shown to people.
            kind: ``teacher``, ``student``, ``trial`` or ``seed``.
            tags: more tags.
            parent: run id of the run this one belongs to.
            key: of what is trained, where an attempt that resumes it has a run of its own and no parent.
        """
        all_tags = {KIND: kind, OWNER: this_process(), DRIVER: this_driver(), **(tags or {})}
        if parent:
            all_tags[PARENT] = parent
        short, long = split(all_tags, TAG)
        run_id = str(self.client.create_run(experiment_id, run_name=name, tags=short).info.run_id)
        with with_final_status(self.writer(run_id, experiment_id)) as run:
            if long:
                run.tags({name: all_tags[name] for name in long})
            if self._log_to.names:
                run.followers.begin(self._started(run, name, kind, short, parent, key), self._log_to.names)
            yield run

    def _started(
        self, run: Run, name: str, kind: str, tags: Mapping[str, str], parent: str | None, key: str
    ) -> StartedRun:
        """What secondary loggers are told of a run that begins."""
        experiment = str(self.client.get_experiment(run.experiment_id).name)
        above = (str(self.client.get_run(parent).info.run_name), parent) if parent else None
        group, place = place_of(experiment, name, key or run.run_id, above)
        server = without_secrets(self.uri).rstrip("/") + "/" if self.uri.startswith(("http://", "https://")) else ""
        page = f"{server}{page_of_run(run.experiment_id, run.run_id)}"
        return StartedRun(run.run_id, name, kind, experiment, group, place, page, tags, self._log_to.workspace)

    def writer(self, run_id: str, experiment_id: str) -> Run:
        """Write into a run that another part of the program, or another process, began and will end."""
        return Run(self.client, run_id, experiment_id, self.now, self.uri)

    def search(
        self, experiment_ids: Sequence[str], query: str = "", limit: int | None = None, order: Sequence[str] = ()
    ) -> list[RunRecord]:
        """The active runs that match an MLflow filter, in this order and then oldest first: all, or the first ones."""
        ids, by, size = list(experiment_ids), [*order, *_OLDEST_FIRST], min(PER_PAGE, limit or PER_PAGE)
        active, search = ViewType.ACTIVE_ONLY, self.client.search_runs
        found = every(lambda token: search(ids, query, active, size, by, token))
        runs = {run.info.run_id: run for run in islice(found, limit)}  # a page may repeat one that moved
        return [self._record(run) for run in runs.values()]

    def get(self, run_id: str) -> RunRecord:
        """Read one run."""
        return self._record(self.client.get_run(run_id))

    def curve(self, run_id: str, metric: str) -> dict[int, float]:
        """A metric of a run by step; of a step that was logged several times, as by attempts, the last value."""
        points = self.client.get_metric_history(run_id, metric)
        ordered = sorted(points, key=lambda point: (point.step, point.timestamp))
        return {int(point.step): float(point.value) for point in ordered}

    def _record(self, run: Any) -> RunRecord:
        record = record_of(run, self.tags_of_run(run.info.run_id, run.data.tags))
        self.remember_files((record,))
        return record

    def remember_files(self, runs: Iterable[RunRecord]) -> None:
        """Remember where the files of runs are: to ask for a trial takes ten times as long as its file."""
        self._files |= {run.run_id: run.files for run in runs if run.files}

    def sweep(self) -> int:
        """End, as KILLED, every RUNNING run of ours whose process is dead; returns how many there were."""
        swept = 0
        for record in self.search(list(self.experiments()), where(status="RUNNING")):
            if OWNER in record.tags and is_gone(record.tags[OWNER]):
                self.writer(record.run_id, record.experiment_id).end("KILLED", "its process was killed")
                swept += 1
        return swept

    def end_runs_of(self, tag: str, process: str, reason: str) -> int:
        """End as KILLED what a process that is lost left RUNNING, of whatever study, teachers too; how many there were.

        Args:
            tag: ``OWNER`` for the process's own runs, ``DRIVER`` for those of its workers too.
            process: its owner string.
            reason: why, for the runs.
        """
        query = where({tag: process}, status="RUNNING")
        left = self.search(list(self.experiments()), query)
        for run in left:
            self.writer(run.run_id, run.experiment_id).end("KILLED", reason)
        return len(left)

    @contextmanager
    def artifacts(self, run_id: str, path: str) -> Iterator[Path]:
        """A local copy of a run's artifact file or folder, for the time of a block.

        Raises:
            AscError: if the run has no such artifact.
            Outage: if it cannot be read for another reason, which says nothing of the run.
        """
        with tempfile.TemporaryDirectory(prefix="asc-") as folder:
            try:
                found = self._download(run_id, path, Path(folder))
            except (MlflowException, OSError) as error:
                raise unreadable(error, f"run {run_id}", f"artifact {path}", LOST_FILES) from None
            yield found

    def _download(self, run_id: str, path: str, folder: Path) -> Path:
        known = self._files.pop(run_id, None)
        if known is not None:
            with suppress(MlflowException, OSError):  # somebody may have moved them
                found = download_of_run(self.now, self.uri, run_id, path, folder, known)
                self._files[run_id] = known
                return found
        return download_of_run(self.now, self.uri, run_id, path, folder)


def refuse_deleted(experiment: Experiment | None, uri: str) -> None:
    """Refuse to use an experiment that was deleted.

    Args:
        experiment: it; None where there is none.
        uri: of its tracking server.

    Raises:
        AscError: if it was deleted; it says how to restore it.
    """
    if experiment is None or experiment.lifecycle_stage == _ACTIVE:
        return
    name, number = experiment.name, experiment.experiment_id
    remedy = "restore it with its runs: "
    remedy += f"MLFLOW_TRACKING_URI={shlex.quote(without_secrets(uri))} mlflow experiments restore -x {number}"
    remedy += "" if name in _SHARED else "; or give the study another name: --set name=…"
    raise AscError(f"experiment '{name}'", "was deleted in the tracking server", remedy)


def _is_below(location: str, folder: Path) -> bool:
    """Whether an address of files leads into a folder, by whatever links either is named."""
    if location.startswith(folder.as_uri()):
        return True
    return Path(unquote(urlsplit(location).path)).resolve().is_relative_to(folder.resolve())


def _content_at(uri: str, location: str, path: str) -> bytes:
    """The content of a file of an experiment."""
    with tempfile.TemporaryDirectory(prefix="asc-") as folder:
        try:
            return download_from(location, uri, Path(folder), path).read_bytes()
        except (MlflowException, OSError) as error:
            raise unreadable(error, location, path, "the next `asc study run` writes it again") from None


@functools.lru_cache(maxsize=8)
def _reconnected(uri: str, artifacts: Path | None, log_to: LogTo) -> Tracking:
    return Tracking(uri, artifacts, log_to)
