"""MLflow's own server on a workspace, for looking at it in a browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable

from asc_experiments.base.errors import AscError, without_secrets
from asc_experiments.tracking.client import Tracking

HOST = "127.0.0.1"


def serve_ui(tracking: Tracking, port: int, say: Callable[[str], None]) -> int:
    """Run MLflow's server until it is stopped.

    Args:
        tracking: whose database is served; a tracking server already has its own pages.
        port: on the loopback.
        say: told where to look.

    Returns:
        The exit status.

    Raises:
        AscError: if the port is taken.
    """
    if tracking.uri.startswith(("http://", "https://")):
        say(f"open {without_secrets(tracking.uri)}")
        return 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise AscError(f"port {port}", "is in use", "give another: asc ui --port 5001") from None
    say(f"open http://{HOST}:{port} (Ctrl-C stops it)")
    server = subprocess.Popen(server_command(tracking.uri, port), env=os.environ | server_environment())
    try:
        return server.wait()
    except (KeyboardInterrupt, SystemExit):
        return 0
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
