"""Thousands of runs at once: MLflow makes an object of every metric of every run, which takes 10 ms per trial.

Where the tracking server is a database, its four tables of runs are read as they are; a server that is asked over HTTP
is asked as always. Which of the two it was makes no difference but the time.

The tables are read in one transaction that sees none of what others write meanwhile: a live study writes all the time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, Select, bindparam, column, select, table
from sqlalchemy.pool import NullPool

from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, RunRecord
from asc_experiments.tracking.client.retry import patiently

_BACKENDS = ("sqlite", "postgresql")
_AT_ONCE = 20_000
_LOCKED_FOR_S = 20.0
"""How long a file that is being written to is waited for; as MLflow does."""
_NAME = "mlflow.runName"
_RUN_COLUMNS = ("run_uuid", "experiment_id", "name", "status", "lifecycle_stage", "start_time", "end_time")
_RUNS = table("runs", *map(column, _RUN_COLUMNS))
_COLUMNS: tuple[Any, ...] = (column("run_uuid"), column("key"), column("value"))
_KINDS = table("tags", *map(column, ("run_uuid", "key", "value")))
_TAGS, _PARAMS, _METRICS = (select(*_COLUMNS).select_from(table(name)) for name in ("tags", "params", "latest_metrics"))
_NANS = select(*_COLUMNS[:2]).select_from(table("latest_metrics")).where(column("is_nan").is_(sqlalchemy.true()))


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
    if tracking.uri.partition(":")[0].partition("+")[0] in _BACKENDS:
        read = partial(_read, tracking.uri, int(experiment_id), list(kinds), tags_alone)
        runs: list[RunRecord] = patiently(read, tracking.uri)
        return [replace(run, tags=tracking.tags_of_run(run.run_id, run.tags)) for run in runs]
    found = [run for kind in kinds for run in tracking.search([experiment_id], where({KIND: kind}))]
    return sorted(found, key=lambda run: run.start_time)


def _read(uri: str, experiment_id: int, kinds: list[str], tags_alone: bool) -> list[RunRecord]:
    wanted = (
        select(_RUNS)
        .join(_KINDS, _KINDS.c.run_uuid == _RUNS.c.run_uuid)
        .where(_RUNS.c.experiment_id == experiment_id, _RUNS.c.lifecycle_stage == "active")
        .where(_KINDS.c.key == KIND, _KINDS.c.value.in_(bindparam("kinds", kinds, expanding=True)))
    )
    with _snapshot(uri) as connection:
        runs = connection.execute(wanted.order_by(_RUNS.c.start_time, _RUNS.c.run_uuid)).all()
        ids = wanted.with_only_columns(_RUNS.c.run_uuid)
        tables = (_TAGS,) if tags_alone else (_TAGS, _PARAMS, _METRICS)
        tags, params, metrics = (*(_by_run(connection, each, ids) for each in tables), {}, {})[:3]
        for run_id, key in () if tags_alone else connection.execute(_of(_NANS, ids)):
            metrics.setdefault(run_id, {})[key] = float("nan")
    return [
        RunRecord(
            run.run_uuid, str(run.experiment_id), run.name or tags.get(run.run_uuid, {}).get(_NAME, ""), run.status,
            params.get(run.run_uuid, {}), metrics.get(run.run_uuid, {}), tags.get(run.run_uuid, {}),
            run.start_time, run.end_time,
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
