"""A database that drivers on several hosts share: their trials' heartbeats, and locks that hold across hosts.

Which process owns a trial tells nothing about a host that is gone: nobody else can look at its processes. So whoever
owns a trial lets its heart beat in the database, by the database's own clock, and a trial without one is taken over.
So with locks: the database takes one from a connection that has been silent for as long.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._heartbeat import BaseHeartbeat, is_heartbeat_enabled
from optuna.trial import TrialState
from sqlalchemy.pool import NullPool

from asc_experiments.study.storage.trial_status import OWNER

HEARTBEAT_S = 15
GRACE_S = 90
"""In seconds: how often a heart beats, and after how long without a beat its trial may be taken over."""
_WITH_TIMEOUTS = (14,)
"""The first PostgreSQL that ends a session which is silent for too long (``idle_session_timeout``)."""


class SharedStorage(RDBStorage):
    """A PostgreSQL database; keeps the hearts beating of all trials that this process owns.

    Args:
        url: SQLAlchemy's, such as ``postgresql+psycopg://user@host/database``.
    """

    def __init__(self, url: str) -> None:
        # A connection that died with the database's last restart is noticed and made anew.
        super().__init__(url, {"pool_pre_ping": True}, heartbeat_interval=HEARTBEAT_S, grace_period=GRACE_S)
        self._begin()

    def _begin(self) -> None:
        self._owned: set[int] = set()
        self._guard = threading.Lock()
        self._heart: threading.Thread | None = None

    def __getstate__(self) -> dict[Any, Any]:
        """A worker process opens the same database and owns no trial."""
        own = ("_owned", "_guard", "_heart")
        return {key: value for key, value in super().__getstate__().items() if key not in own}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._begin()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute; with the owner, the trial's heart begins to beat."""
        super().set_trial_user_attr(trial_id, key, value)
        if key == OWNER:
            self.record_heartbeat(trial_id)
            with self._guard:
                self._owned.add(trial_id)
                if self._heart is None:
                    self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
                    self._heart.start()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set a trial's state; at its end its heart stops."""
        if state.is_finished():
            with self._guard:
                self._owned.discard(trial_id)
        return super().set_trial_state_values(trial_id, state, values)

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(HEARTBEAT_S):
            with self._guard:
                owned = tuple(self._owned)
            for trial_id in owned:
                try:
                    self.record_heartbeat(trial_id)
                except Exception as error:  # the database is away: the next beat tries again
                    logging.getLogger(__name__).debug("heartbeat", exc_info=error)

    @property
    def locks(self) -> DatabaseLocks:
        """Locks that hosts wait for each other by."""
        return DatabaseLocks(self.url)


class DatabaseLock:
    """A lock in a PostgreSQL database, for ``with``, again and again.

    A process that dies lets go of it, and so does one that is silent for :data:`GRACE_S`, such as a stopped one or one
    of a laptop that was closed: what it did meanwhile, others do once more.

    Args:
        url: of the database.
        name: what is locked.
        grace_s: how long a holder may be silent.
    """

    def __init__(self, url: str, name: str, grace_s: float = GRACE_S) -> None:
        self._key = int.from_bytes(sha256(f"asc {name}".encode()).digest()[:8], signed=True)
        self._engine = sqlalchemy.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._grace_s = grace_s
        self._connection: sqlalchemy.Connection | None = None
        self._guard = threading.Lock()
        self._released = threading.Event()

    def __enter__(self) -> None:
        connection = self._engine.connect()
        try:
            connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_lock(self._key)))
            if (connection.dialect.server_version_info or (0,)) >= _WITH_TIMEOUTS:
                timeout = f"{int(1000 * self._grace_s)}ms"
                setting = sqlalchemy.func.set_config("idle_session_timeout", timeout, False)
                connection.execute(sqlalchemy.select(setting))
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._released = threading.Event()
        threading.Thread(target=self._beat, args=(connection, self._released), name="lock", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        assert self._connection is not None
        self._released.set()
        with self._guard:
            with suppress(Exception):  # a database that is gone, or took it for a lost one's, has let go by itself
                self._connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_unlock(self._key)))
            with suppress(Exception):
                self._connection.close()

    def _beat(self, connection: sqlalchemy.Connection, released: threading.Event) -> None:
        """Say something on the connection now and then, until the lock is released or the connection lost."""
        with suppress(sqlalchemy.exc.SQLAlchemyError):
            while not released.wait(self._grace_s * HEARTBEAT_S / GRACE_S):
                with self._guard:
                    if not released.is_set():
                        connection.execute(sqlalchemy.select(1))


@dataclass(frozen=True)
class DatabaseLocks:
    """Locks by their names, for those who do not know the database.

    Attributes:
        url: of the database.
    """

    url: str

    def __call__(self, name: str) -> DatabaseLock:
        """A lock that hosts wait for each other by."""
        return DatabaseLock(self.url, name)


def open_database(url: str) -> RDBStorage:
    """Open a database, creating Optuna's tables; of several processes that do, one at a time.

    Only PostgreSQL is for several hosts; of the others Optuna takes what SQLAlchemy does.
    """
    if sqlalchemy.make_url(url).get_backend_name() != "postgresql":
        return RDBStorage(url)
    with DatabaseLock(url, "tables"):
        return SharedStorage(url)


def silent_trials(study: optuna.Study) -> set[int]:
    """The ids of RUNNING trials whose heart has stopped; none where a storage has no heartbeats."""
    storage = study._storage
    if not isinstance(storage, BaseHeartbeat) or not is_heartbeat_enabled(storage):
        return set()
    return set(storage._get_stale_trial_ids(study._study_id))
