"""Thousands of runs at once: MLflow makes an object of every metric of every run, which takes 10 ms per trial.

Where the tracking server is a database, its tables of runs are read as they are; a server that is asked over HTTP is
asked as always. Which of the two it was makes no difference but the time. MLflow takes more than a second to import, so
that a command that only reads can do without it.

The tables are read in one transaction that sees none of what others write meanwhile: a live study writes all the time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Connection, Engine, Select, bindparam, column, make_url, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from asc_experiments.tracking.client.long_values import is_whole
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, RunRecord

if TYPE_CHECKING:
    from asc_experiments.tracking.client.client import Tracking

_BACKENDS = ("sqlite", "postgresql")
_AT_ONCE = 20_000
_LOCKED_FOR_S = 20.0
"""How long a file that is being written to is waited for; as MLflow does."""
_NAME = "mlflow.runName"
_RUN_COLUMNS = (
    "run_uuid",
    "experiment_id",
    "name",
    "status",
    "lifecycle_stage",
    "start_time",
    "end_time",
    "artifact_uri",
)
_RUNS = table("runs", *map(column, _RUN_COLUMNS))
_EXPERIMENTS = table("experiments", *map(column, ("experiment_id", "name", "lifecycle_stage")))
_ACTIVE, _FINISHED = "active", "FINISHED"
_COLUMNS: tuple[Any, ...] = (column("run_uuid"), column("key"), column("value"))
_KINDS = table("tags", *map(column, ("run_uuid", "key", "value")))
_TAGS, _PARAMS, _METRICS = (select(*_COLUMNS).select_from(table(name)) for name in ("tags", "params", "latest_metrics"))
_NANS = select(*_COLUMNS[:2]).select_from(table("latest_metrics")).where(column("is_nan").is_(sqlalchemy.true()))


@dataclass(frozen=True)
class _Wanted:
    """Which active runs of an experiment are read, and what of them.

    Attributes:
        kinds: of runs; none is every kind.
        status: of runs; empty for any.
        tags_alone: whether nobody asks for their metrics and parameters, which a database is not read for then.
    """

    kinds: tuple[str, ...] = ()
    status: str = ""
    tags_alone: bool = False


def runs_of_kinds(
    tracking: Tracking, experiment_id: str, kinds: Sequence[str], tags_alone: bool = False
) -> list[RunRecord]:
    """The active runs of an experiment that are of these kinds, of any status, oldest first.

    Args:
        tracking: the server.
        experiment_id: the experiment's.
        kinds: of runs.
        tags_alone: whether nobody asks for their metrics and parameters, which a database is not read for then.
    """
    if _is_database(tracking.uri):
        return _patiently(tracking, experiment_id, _Wanted(tuple(kinds), tags_alone=tags_alone))
    found = [run for kind in kinds for run in tracking.search([experiment_id], where({KIND: kind}))]
    return sorted(found, key=lambda run: run.start_time)


def finished_runs(tracking: Tracking, experiment_id: str) -> list[RunRecord]:
    """The active runs of an experiment that have finished, of every kind, oldest first."""
    if _is_database(tracking.uri):
        return _patiently(tracking, experiment_id, _Wanted(status=_FINISHED))
    return tracking.search([experiment_id], where(status=_FINISHED))


def finished_runs_in_database(uri: str, experiment: str) -> list[RunRecord] | None:
    """The same of an experiment of this name, without MLflow.

    Args:
        uri: of the tracking server.
        experiment: its name.

    Returns:
        The runs; None where MLflow has to be asked, and says what the matter is: the server is no database that is read
        here or does not answer, there is no such experiment, it was deleted, or tags of a run are kept as files.
    """
    try:
        if not _is_database(uri) or not _is_there(uri):
            return None
        with _snapshot(uri) as connection:
            named = select(_EXPERIMENTS).where(_EXPERIMENTS.c.name == experiment)
            found = connection.execute(named).all()
            if [each.lifecycle_stage for each in found] != [_ACTIVE]:
                return None
            runs = _read(connection, found[0].experiment_id, _Wanted(status=_FINISHED))
            return runs if all(is_whole(run.tags) for run in runs) else None
    except (SQLAlchemyError, ImportError):  # the latter where its driver is not installed
        return None


def _is_database(uri: str) -> bool:
    return uri.partition(":")[0].partition("+")[0] in _BACKENDS


def _is_there(uri: str) -> bool:
    """Whether a database is worth asking: SQLite would make an empty one of a file that is not there."""
    address = make_url(uri)
    return address.get_backend_name() != "sqlite" or Path(address.database or "").is_file()


def _patiently(tracking: Tracking, experiment_id: str, wanted: _Wanted) -> list[RunRecord]:
    """Read runs from the server's database, again and again while it is away; their tags as they were set."""
    from asc_experiments.tracking.client.retry import patiently

    def read() -> list[RunRecord]:
        with _snapshot(tracking.uri) as connection:
            return _read(connection, int(experiment_id), wanted)

    runs: list[RunRecord] = patiently(read, tracking.uri)
    tracking.remember_files(runs)
    return [replace(run, tags=tracking.tags_of_run(run.run_id, run.tags)) for run in runs]


def _read(connection: Connection, experiment_id: int, wanted: _Wanted) -> list[RunRecord]:
    chosen = select(_RUNS).where(_RUNS.c.experiment_id == experiment_id, _RUNS.c.lifecycle_stage == _ACTIVE)
    if wanted.status:
        chosen = chosen.where(_RUNS.c.status == wanted.status)
    if wanted.kinds:
        kinds = _KINDS.c.value.in_(bindparam("kinds", list(wanted.kinds), expanding=True))
        chosen = chosen.join(_KINDS, _KINDS.c.run_uuid == _RUNS.c.run_uuid).where(_KINDS.c.key == KIND, kinds)
    runs = connection.execute(chosen.order_by(_RUNS.c.start_time, _RUNS.c.run_uuid)).all()
    ids = chosen.with_only_columns(_RUNS.c.run_uuid)
    tables = (_TAGS,) if wanted.tags_alone else (_TAGS, _PARAMS, _METRICS)
    tags, params, metrics = (*(_by_run(connection, each, ids) for each in tables), {}, {})[:3]
    for run_id, key in () if wanted.tags_alone else connection.execute(_of(_NANS, ids)):
        metrics.setdefault(run_id, {})[key] = float("nan")
    return [
        RunRecord(
            run.run_uuid, str(run.experiment_id), run.name or tags.get(run.run_uuid, {}).get(_NAME, ""), run.status,
            params.get(run.run_uuid, {}), metrics.get(run.run_uuid, {}), tags.get(run.run_uuid, {}),
            run.start_time, run.end_time, run.artifact_uri or "",
        )
        for run in runs
    ]  # fmt: skip


@contextmanager
def _snapshot(uri: str) -> Iterator[Connection]:
    """A connection that reads the database as it is when its first question is asked."""
    engine = _engine(uri)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":  # Python's driver begins no transaction for questions by itself
            connection.exec_driver_sql("BEGIN")
        yield connection
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("ROLLBACK")


def _engine(uri: str) -> Engine:
    if uri.startswith("sqlite"):
        waits = {"timeout": _LOCKED_FOR_S}
        return sqlalchemy.create_engine(uri, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=waits)
    options = {"postgresql_readonly": True}
    return sqlalchemy.create_engine(
        uri, poolclass=NullPool, isolation_level="REPEATABLE READ", execution_options=options
    )


def _by_run(connection: Connection, of: Select[Any], ids: Select[Any]) -> dict[str, dict[str, Any]]:
    """What a table says of each of the runs; names are kept once, however many runs have them."""
    found: dict[str, dict[str, Any]] = {}
    for rows in connection.execute(_of(of, ids)).partitions(_AT_ONCE):
        for run_id, key, value in rows:
            found.setdefault(run_id, {})[sys.intern(key)] = value
    return found


def _of(rows: Select[Any], ids: Select[Any]) -> Select[Any]:
    """Those of the rows that belong to these runs."""
    return rows.where(column("run_uuid").in_(ids))
