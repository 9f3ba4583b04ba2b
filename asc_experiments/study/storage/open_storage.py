"""Where Optuna keeps a study: a journal file in the workspace, or a database that several hosts share."""

from __future__ import annotations

import logging
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage

from asc_experiments.base.errors import AscError, nearest, without_secrets
from asc_experiments.base.locks import FolderLocks, Locks, lock_path
from asc_experiments.base.outage import outage_of
from asc_experiments.study.storage.journal import JournalFile
from asc_experiments.study.storage.postgres import SharedStorage, open_database

JOURNAL = "optuna.journal"
_WITHOUT_GREENLET = "optuna._gp.batched_lbfgsb"
"""Warns that GP suggestions take longer without the package greenlet: fractions of a second, beside a training."""


def open_storage(workspace: Path, storage: str | None) -> BaseStorage:
    """Open the storage of studies.

    Args:
        workspace: its ``studies`` folder holds the journal by default.
        storage: the path of a journal file, or the URL of a database (``postgresql+psycopg://…``).

    Raises:
        AscError: if it cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger(_WITHOUT_GREENLET).setLevel(logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)
    warnings.filterwarnings("ignore", "Heartbeat of storage", UserWarning)  # ours beat without Study.optimize
    if storage and "://" in storage:
        shown = without_secrets(storage)
        try:
            return open_database(storage)
        except ImportError as error:
            raise AscError(shown, f"needs a database driver ({error})", "pip install it, say psycopg[binary]") from None
        except Exception as error:  # SQLAlchemy and every driver have their own
            logging.getLogger(__name__).debug("storage", exc_info=error)
            upgrade = f"run `optuna storage upgrade --storage {shown}`"
            if (outage := outage_of(error, shown, upgrade=upgrade)) is not None:
                raise outage from None
            what = f"cannot be opened ({type(error).__name__})"
            raise AscError(shown, what, "start the database, or give another --storage (ASC_STORAGE)") from None
    path = Path(storage) if storage else workspace / "studies" / JOURNAL
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalFile(path)
    except (ValueError, KeyError, TypeError):
        raise AscError(path, "is no journal of Optuna", "give another --storage") from None
    except OSError as error:
        raise AscError(path, f"cannot be written ({error.strerror})", "give another --workspace or --storage") from None


def locks_of(storage: BaseStorage) -> Locks | None:
    """Locks that all who use a storage wait for each other by, wherever they are; None where it cannot have any."""
    if isinstance(storage, SharedStorage | JournalFile):
        return storage.locks
    if isinstance(storage, RDBStorage):
        url = sqlalchemy.make_url(storage.url)
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            file = Path(url.database).resolve()
            return FolderLocks(file.with_name(file.name + ".locks"))
    return None


def study_lock(storage: BaseStorage, cache: Path, name: str) -> AbstractContextManager[Any]:
    """A lock that drivers of one storage wait for each other by.

    Args:
        storage: of the studies.
        cache: holds the locks where the storage cannot: for this host's drivers with this cache alone.
        name: what is locked.
    """
    locks = locks_of(storage)
    return FileLock(lock_path(cache, name)) if locks is None else locks(name)


def study_names(storage: BaseStorage) -> list[str]:
    """The names of all studies in a storage, sorted."""
    return sorted(optuna.get_all_study_names(storage))


def load_study(storage: BaseStorage, name: str) -> optuna.Study:
    """Load an existing study.

    Raises:
        AscError: if there is none of that name.
    """
    try:
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        names = study_names(storage)
        hint = nearest(name, names) if names else "run one with `asc study run`"
        raise AscError(f"study '{name}'", "does not exist here", hint) from None
