"""A workspace that was moved or copied: MLflow's database has absolute paths in it, which are made right again.

Corpora that runs were trained on are history and stay. Optuna's journal and the cache hold no paths of the workspace.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import psutil

from asc_experiments.base.errors import AscError
from asc_experiments.base.files import absolute, whole_file
from asc_experiments.base.ownership import is_gone
from asc_experiments.tracking.client.records import OWNER

_PLACES = (
    (
        "experiments",
        "SELECT DISTINCT artifact_location FROM experiments",
        "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?",
    ),
    ("runs", "SELECT DISTINCT artifact_uri FROM runs", "UPDATE runs SET artifact_uri = ? WHERE artifact_uri = ?"),
    (
        "logged_models",
        "SELECT DISTINCT artifact_location FROM logged_models",
        "UPDATE logged_models SET artifact_location = ? WHERE artifact_location = ?",
    ),
    (
        "model_versions",
        "SELECT DISTINCT source FROM model_versions",
        "UPDATE model_versions SET source = ? WHERE source = ?",
    ),
    (
        "model_versions",
        "SELECT DISTINCT storage_location FROM model_versions",
        "UPDATE model_versions SET storage_location = ? WHERE storage_location = ?",
    ),
    (
        "trace_tags",
        "SELECT DISTINCT value FROM trace_tags WHERE key = 'mlflow.artifactLocation'",
        "UPDATE trace_tags SET value = ? WHERE value = ? AND key = 'mlflow.artifactLocation'",
    ),
)
"""Where the database says where files are: the table, how to read that, and how to replace it."""
_RUNNING = """
    SELECT runs.name, tags.value FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid
    WHERE runs.status = 'RUNNING' AND tags.key = ?
"""
_MODEL = "MLmodel"
_LOCATED = re.compile(rb"(?m)^artifact_path: file://.*/mlruns/artifacts/.*$")
_INSIDE = "/mlruns/artifacts"
_LOCKED_AFTER_S = 2.0


@dataclass(frozen=True)
class Relocated:
    """What was rewritten.

    Attributes:
        before: the folders that the workspace was in.
        after: the folder that it is in.
        counts: how many paths of each table of the database, and of the stored models' own descriptions.
    """

    before: tuple[str, ...]
    after: str
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """How many paths."""
        return sum(self.counts.values())


def relocate(workspace: Path, dry_run: bool = False) -> Relocated:
    """Make the paths in a workspace's database those of the folder that it is in now, in one transaction.

    Args:
        workspace: the folder.
        dry_run: only count.

    Raises:
        AscError: if there is no database, or something is using it.
    """
    database = absolute(workspace) / "mlruns" / "mlflow.db"
    if not database.is_file():
        raise AscError(database, "no such file", "give the workspace that was moved: --workspace DIR")
    refuse_used(database)
    try:
        with _transaction(database, dry_run) as connection:
            _refuse_running(connection, workspace)
            done = _rewrite(connection, absolute(workspace))
            files = _rewrite_models(database.parent, dry_run)
    except OSError as error:
        raise AscError(workspace, f"cannot be written ({error.strerror})", "give it back its permissions") from None
    except sqlite3.OperationalError as error:
        what = "is in use" if "locked" in str(error) else f"cannot be rewritten ({error})"
        raise AscError(database, what, "stop what is using it: asc ui, a server, a study") from None
    except sqlite3.DatabaseError as error:
        raise AscError(database, f"is no database of MLflow ({error})", "restore it") from None
    return replace(done, counts=done.counts | {_MODEL: files}) if files else done


def refuse_used(database: Path) -> None:
    """Refuse while a process that can be seen from here has the database open.

    Raises:
        AscError: if one has.
    """
    own, known = os.getpid(), database.stat()
    for process in psutil.process_iter(["pid", "name"]):
        if process.pid == own:
            continue
        try:
            paths = [file.path for file in process.open_files()]
        except (psutil.Error, OSError):  # another user's, or gone by now
            continue
        if any(_is_same(path, known) for path in paths):
            what = f"is in use by process {process.pid} ({process.info['name']})"
            raise AscError(database, what, "stop it: asc ui, a server or a study")


def _is_same(path: str, known: os.stat_result) -> bool:
    if not path.endswith("mlflow.db"):
        return False
    try:
        return os.path.samestat(os.stat(path), known)
    except OSError:
        return False


def _refuse_running(connection: sqlite3.Connection, workspace: Path) -> None:
    """Refuse while the process of a run lives: it has the old paths in its memory."""
    for name, owner in connection.execute(_RUNNING, (OWNER,)):
        if not is_gone(owner):
            raise AscError(workspace, f"run {name} is active in {owner}", "stop that study first")


@contextmanager
def _transaction(database: Path, dry_run: bool) -> Iterator[sqlite3.Connection]:
    """One transaction that nobody else writes or reads beside; undone where the block fails, or if asked."""
    with closing(sqlite3.connect(database, timeout=_LOCKED_AFTER_S, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("ROLLBACK" if dry_run else "COMMIT")


def _rewrite(connection: sqlite3.Connection, workspace: Path) -> Relocated:
    found = [
        (table, replacing, [value for (value,) in connection.execute(reading) if value])
        for table, reading, replacing in _PLACES
    ]
    roots = {root for _, _, values in found for value in values if (root := _root(value))} - {str(workspace)}
    counts: dict[str, int] = {}
    for table, replacing, values in found:
        for value in values:
            new = _moved(value, roots, workspace)
            if new is not None:
                counts[table] = counts.get(table, 0) + connection.execute(replacing, (new, value)).rowcount
    return Relocated(tuple(sorted(roots)), str(workspace), counts)


def _rewrite_models(mlruns: Path, dry_run: bool) -> int:
    """Have every stored model's description say where it lies; how many did not. (Nothing loads by it.)"""
    count = 0
    for path in sorted(mlruns.glob(f"artifacts/*/models/*/artifacts/{_MODEL}")):
        text, line = path.read_bytes(), f"artifact_path: {absolute(path.parent).as_uri()}".encode()
        new = _LOCATED.sub(line.replace(b"\\", b"\\\\"), text)
        if new == text:
            continue
        count += 1
        if not dry_run:
            with whole_file(path) as write:
                write(new)
    return count


def _root(value: str) -> str | None:
    """The workspace that a path leads into; None where it is none, or a server's."""
    path = _path(value)
    if path is None or f"{_INSIDE}/" not in f"{path}/":
        return None
    return path[: f"{path}/".rindex(f"{_INSIDE}/")]


def _moved(value: str, roots: set[str], workspace: Path) -> str | None:
    """A path as it is now; None where it stays."""
    path = _path(value)
    if path is None:
        return None
    for root in sorted(roots, key=len, reverse=True):
        if path.startswith(f"{root}/mlruns/"):
            new = workspace / path.removeprefix(f"{root}/")
            if not new.exists() and Path(path).exists():
                return None  # it never was in this workspace
            return new.as_uri() if value.startswith("file:") else str(new)
    return None


def _path(value: str) -> str | None:
    """The path of a URI or a plain path on this machine; None of anything else."""
    if value.startswith("/"):
        return value
    parsed = urlparse(value)
    return url2pathname(parsed.path) if parsed.scheme == "file" else None
