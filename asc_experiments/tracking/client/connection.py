"""Connecting to a tracking server: whether it answers, and a workspace's own database made by one process at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from asc_experiments.base.errors import AscError, without_secrets
from asc_experiments.base.files import absolute
from asc_experiments.base.outage import outage_of

_PROBE_TIMEOUT_S = 5.0
_NO_DATABASE = re.compile(r'database "[^"]*" does not exist')
_URI_VARIABLE = "MLFLOW_TRACKING_URI"


_SERVERS, _DATABASES = ("http", "https"), ("sqlite", "postgresql", "mysql", "mssql")
_ADDRESS = re.compile(r"(?P<kind>[A-Za-z][A-Za-z0-9-]*)(?:\+\w+)?://.*")
_HOST = re.compile(r"[\w.-]+:\d+(/.*)?")
_WRITE = "http(s)://HOST:PORT, sqlite:///FILE or postgresql+psycopg://HOST/DATABASE"


def own_address(workspace: Path) -> str:
    """The address of the database in a workspace, whether or not it leads there."""
    return f"sqlite:///{absolute(workspace / 'mlruns' / 'mlflow.db')}"


def default_tracking_uri(workspace: Path) -> str:
    """The workspace's own SQLite database.

    Raises:
        AscError: if its address would lead elsewhere: a '?' ends a path there, and '%20' stands for a blank.
    """
    uri = own_address(workspace)
    path = uri.removeprefix("sqlite:///")
    if set("?%") & set(path):
        from sqlalchemy import make_url

        if make_url(uri).database != path:
            what = "has a '?', or a '%' with two digits, in its path, where the address of a database means another one"
            raise AscError(absolute(workspace), what, "rename the folder, or give another --workspace")
    return uri


def check_address(uri: str) -> None:
    """Refuse what is no address of a tracking server or database, or of a database that cannot be there.

    Raises:
        AscError: saying what it is.
    """
    shown = without_secrets(uri)
    found = _ADDRESS.fullmatch(uri)
    kind = found["kind"].lower() if found else ""
    if kind in _SERVERS:
        return
    if kind in _DATABASES:
        if kind == "sqlite":
            _check_folder_of(uri, shown)
        return
    if uri.startswith("databricks") or uri == "uc" or uri.startswith("uc:"):
        raise AscError(
            shown, "is a tracking server of Databricks, which this program does not know how to use", f"give {_WRITE}"
        )
    if kind not in ("", "file"):
        raise AscError(shown, f"'{kind}' is no kind of tracking server that this program knows", f"give {_WRITE}")
    if _HOST.fullmatch(uri):
        raise AscError(shown, "is a server without its protocol", f"give http://{uri}")
    if uri.lower().startswith(tuple(f"{kind}:" for kind in (*_SERVERS, *_DATABASES))):
        raise AscError(shown, "is not a whole address", f"give {_WRITE}")
    _refuse_path(uri, shown)


def _refuse_path(uri: str, shown: str) -> None:
    """Say which address is meant by a path."""
    folder = Path(uri.removeprefix("file:").removeprefix("//"))
    if folder.suffix in (".db", ".sqlite"):
        raise AscError(shown, "is the path of a database, not its address", f"give sqlite:///{folder.absolute()}")
    if (folder / "mlflow.db").is_file():
        raise AscError(shown, "is a folder, not an address", f"give sqlite:///{(folder / 'mlflow.db').absolute()}")
    what = "is a folder, and MLflow does not write into those any more"
    remedy = f"give sqlite:///{(folder / 'mlflow.db').absolute()}; `mlflow migrate-filestore` takes old runs along"
    raise AscError(shown, what, remedy)


def _check_folder_of(uri: str, shown: str) -> None:
    """MLflow would try for minutes to open a database in a folder that is not there."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        path = make_url(uri).database
    except ArgumentError:
        raise AscError(shown, "is no address of a database", "give sqlite:///FILE") from None
    if path and not path.startswith((":", "file:")) and not Path(path).parent.is_dir():
        raise AscError(Path(path).parent, "no such folder", "make it, or give another --tracking-uri")


def probe(uri: str) -> None:
    """Ask an HTTP server whether it is there, briefly: MLflow's own retries take minutes."""
    if not uri.startswith(("http://", "https://")):
        return
    import requests

    try:
        answer = requests.get(uri.rstrip("/") + "/health", timeout=_PROBE_TIMEOUT_S)
    except requests.RequestException as error:
        raise unreachable(uri, error) from None
    if answer.status_code >= 500:
        raise unreachable(uri, RuntimeError(f"status {answer.status_code}"))


def unreachable(uri: str, error: Exception) -> AscError:
    """The error of a server that cannot be worked with, whatever the library that noticed calls it."""
    shown = without_secrets(uri)
    if getattr(error, "error_code", "") == "UNAUTHENTICATED":  # MLflow's
        remedy = "give both as MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        return AscError(shown, "the tracking server refuses this user or password", remedy)
    if (found := outage_of(error, shown, upgrade=upgrade_of(uri))) is not None:
        return found
    remedy = "give another --tracking-uri (MLFLOW_TRACKING_URI)"
    if _NO_DATABASE.search(str(error)):
        return AscError(shown, "there is no database of that name", f"create it, or {remedy}")
    return AscError(shown, f"the tracking server does not answer ({type(error).__name__})", f"start it, or {remedy}")


def upgrade_of(uri: str) -> str:
    """The command that brings a tracking server's tables to the installed version of MLflow."""
    if uri.startswith(("http://", "https://")):
        return "run `mlflow db upgrade` where that server runs"
    return f"run `mlflow db upgrade {without_secrets(uri)}`"


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        AscError: if it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AscError(folder, f"cannot be written ({error.strerror})", "give another --workspace") from None


@contextmanager
def globally(uri: str) -> Iterator[None]:
    """Make a server MLflow's global one for a block, and leave no trace of it."""
    import mlflow

    before = os.environ.get(_URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        # Global again as it was; MLflow also writes the environment, and child processes would follow it.
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # as it is before anybody sets one
        os.environ.pop(_URI_VARIABLE, None)
        if before is not None:
            os.environ[_URI_VARIABLE] = before


@contextmanager
def initialising(workspace: Path | None) -> Iterator[None]:
    """Let one process at a time create the database: racing ones crash on each other's tables."""
    if workspace is None:
        yield
        return
    try:
        with FileLock(workspace / "mlruns" / ".initialising.lock"):
            yield
    except OSError as error:
        raise AscError(workspace, f"cannot be written ({error.strerror})", "give another --workspace") from None
