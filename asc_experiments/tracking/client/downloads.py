"""Files that a tracking server keeps, copied to this machine: waited for, and only what is gone is called lost.

MLflow's own call for the files of a run says of whatever went wrong, a full disk here or a server that was away for a
second, that there is no such file. So the files are asked for where they lie.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import RESUMES, Outage, is_full
from asc_experiments.tracking.client.retry import patiently

_GONE = ("No such artifact", "No such file or directory", "404 Client Error", "NoSuchKey")
"""How a folder, MLflow's server and S3 say that there is no such file; they come without a code."""


def download_of_run(
    client: MlflowClient, uri: str, run_id: str, path: str, folder: Path, known: str | None = None
) -> Path:
    """Copy a file or folder of a run, ``""`` for all of it, into a folder.

    Args:
        client: one that does not wait.
        uri: the server's.
        run_id: of the run.
        path: of the file among the run's.
        folder: an empty one.
        known: where the run's files are; the server is asked for it by default.

    Returns:
        Where it is.

    Raises:
        Outage: if the server is not back within the set time, or no space is left in the folder.
        MlflowException, OSError: if it cannot be had; :func:`unreadable` says what that means.
    """

    def once() -> str:
        location = known or client.get_run(run_id).info.artifact_uri
        return str(get_artifact_repository(location, tracking_uri=uri).download_artifacts(path, str(folder)))

    return _patiently(once, uri, folder)


def download_from(location: str, uri: str, folder: Path, path: str = "") -> Path:
    """Copy what lies at an address, or below it, into a folder; raises as :func:`download_of_run` does."""
    if not path:
        return _patiently(
            lambda: mlflow.artifacts.download_artifacts(location, dst_path=str(folder), tracking_uri=uri), uri, folder
        )
    repository = get_artifact_repository(location, tracking_uri=uri)
    return _patiently(lambda: repository.download_artifacts(path, str(folder)), uri, folder)


def upload_to(location: str, uri: str, path: str, content: bytes) -> None:
    """Write a file below an address.

    Raises:
        Outage: if the server is not back within the set time.
    """
    repository = get_artifact_repository(location, tracking_uri=uri)
    with tempfile.TemporaryDirectory(prefix="asc-") as folder:
        file = Path(folder, Path(path).name)
        file.write_bytes(content)
        patiently(lambda: repository.log_artifact(str(file), Path(path).parent.as_posix()), uri)


def unreadable(error: Exception, where: str, what: str, remedy: str) -> AscError:
    """The error of files that cannot be had: lost only where they are gone, else an outage that says nothing of them.

    Args:
        error: what was raised.
        where: whose files.
        what: which.
        remedy: what to do where they are gone.
    """
    told = f"{what} cannot be read ({_first_line(error)})"
    if _is_gone(error):
        return AscError(where, told, remedy)
    return Outage(where, told, f"see that this user may read it; {RESUMES}")


def _patiently(call: Callable[[], Any], uri: str, folder: Path) -> Path:
    def once() -> Any:
        try:
            return call()
        except Exception as error:
            if is_full(error):
                remedy = f"free some, or set TMPDIR to another folder; {RESUMES}"
                raise Outage(folder.parent, "no space is left to write to", remedy) from None
            raise

    return Path(patiently(once, uri))


def _is_gone(error: Exception) -> bool:
    code = getattr(error, "error_code", "")
    return code == "RESOURCE_DOES_NOT_EXIST" or any(words in str(error) for words in _GONE)


def _first_line(error: Exception) -> str:
    """What went wrong; of several files, which MLflow tells of below a heading, the first one's."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("##### ")]
    return (lines[1] if lines[1:] and lines[0].endswith(":") else lines[0] if lines else type(error).__name__)[:200]
