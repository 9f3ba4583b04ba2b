"""MLflow's own server on a workspace, for looking at it in a browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from asc_experiments.base.errors import AscError, without_secrets
from asc_experiments.tracking.client import Tracking

HOST = "127.0.0.1"


@contextmanager
def serving(tracking: Tracking, port: int) -> Iterator[tuple[str, subprocess.Popen[bytes] | None]]:
    """Run MLflow's server for the time of a block; its address and its process.

    Args:
        tracking: whose database is served; a tracking server has its own pages, and no process is started.
        port: on the loopback.

    Raises:
        AscError: if the port is taken.
    """
    if tracking.uri.startswith(("http://", "https://")):
        yield without_secrets(tracking.uri).rstrip("/"), None
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise AscError(f"port {port}", "is in use", "give another: asc ui --port 5001") from None
    server = subprocess.Popen(server_command(tracking.uri, port), env=os.environ | server_environment())
    try:
        yield f"http://{HOST}:{port}", server
    finally:
        server.terminate()
        server.wait()


def server_command(uri: str, port: int) -> list[str]:
    """The command that serves a database, with one worker: more make every call slower."""
    return [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--host", HOST,
        "--port", str(port), "--workers", "1",
    ]  # fmt: skip


def server_environment() -> dict[str, str]:
    """No telemetry, and none of the processes for jobs that nothing here uses."""
    return {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
