"""Where Optuna keeps a study: a journal file in the workspace, or a database that several hosts share."""

from __future__ import annotations

import logging
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileOpenLock

from asc_experiments.base.errors import AscError, nearest, without_secrets
from asc_experiments.base.locks import lock_path
from asc_experiments.study.database import SharedStorage, open_database
from asc_experiments.study.journal import WholeLines

JOURNAL = "optuna.journal"
_REFUSED = ("password authentication failed", "no password supplied", "Access denied")


class _KernelLock(JournalFileOpenLock):
    """A lock that the kernel releases when its process dies; Optuna's own would be waited for half a minute."""

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal
        self._lock = FileLock(journal.with_name(journal.name + ".kernel-lock"))

    def __reduce__(self) -> tuple[Any, ...]:
        """Worker processes open the same journal under the same lock."""
        return type(self), (self._journal,)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def open_storage(workspace: Path, storage: str | None) -> BaseStorage:
    """Open the storage of studies.

    Args:
        workspace: its ``studies`` folder holds the journal by default.
        storage: the path of a journal file, or the URL of a database (``postgresql+psycopg://…``).

    Raises:
        AscError: if it cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
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
            if any(text in str(error) for text in _REFUSED):
                remedy = "name the user in --storage (ASC_STORAGE) and give the password as PGPASSWORD"
                raise AscError(shown, "the database refuses this user or password", remedy) from None
            what = f"cannot be opened ({type(error).__name__})"
            raise AscError(shown, what, "start the database, or give another --storage (ASC_STORAGE)") from None
    path = Path(storage) if storage else workspace / "studies" / JOURNAL
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(WholeLines(str(path), _KernelLock(path)))
    except (ValueError, KeyError, TypeError):
        raise AscError(path, "is no journal of Optuna", "give another --storage") from None
    except OSError as error:
        raise AscError(path, f"cannot be written ({error.strerror})", "give another --workspace or --storage") from None


def study_lock(storage: BaseStorage, cache: Path, name: str) -> AbstractContextManager[Any]:
    """A lock that drivers wait for each other by: in the database where hosts share one, else a file of this host's.

    Args:
        storage: of the studies.
        cache: the folder that holds locks of this host.
        name: what is locked.
    """
    if isinstance(storage, SharedStorage):
        return storage.locks(name)
    return FileLock(lock_path(cache, name))


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
