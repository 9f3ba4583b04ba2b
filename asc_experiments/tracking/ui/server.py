"""MLflow's own server on a workspace, for looking at it in a browser: on the loopback unless somebody asks for more.

The server has neither passwords nor encryption, so a wider address is said to be one. The database's address, which may
hold a password, goes through the environment: a command line is there for every user of the machine to read.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points

from asc_experiments.base.errors import AscError, without_secrets
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.ui.first_visit import APP

HOST = "127.0.0.1"
_LOCAL_NAMES = ("localhost", HOST, "[::1]")
"""By which the server may always be called; MLflow answers 403 to any other, unless it is told of it."""


@contextmanager
def serving(
    tracking: Tracking, port: int, host: str = HOST, names: Sequence[str] = ()
) -> Iterator[tuple[str, subprocess.Popen[bytes] | None]]:
    """Run MLflow's server for the time of a block; its address and its process.

    Args:
        tracking: whose database is served; a tracking server has its own pages, and no process is started.
        port: where it listens.
        host: the address that it listens on.
        names: names and addresses, besides the loopback's, by which browsers may call it.

    Raises:
        AscError: if there is no such address here, or the port is taken.
    """
    if tracking.uri.startswith(("http://", "https://")):
        yield without_secrets(tracking.uri).rstrip("/"), None
        return
    _check_free(host, port)
    environment = os.environ | server_environment(tracking.uri, port, names)
    server = subprocess.Popen(server_command(port, host), env=environment)
    try:
        yield f"http://{_callable_by(host, names)}:{port}", server
    finally:
        server.terminate()
        server.wait()


def server_command(port: int, host: str = HOST) -> list[str]:
    """The command that serves a database, with one worker: more make every call slower."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    return [*command, "--app-name", APP] if opens_at_tables() else command


def opens_at_tables() -> bool:
    """Whether MLflow finds our application; not where the program was installed before it had one."""
    return bool(entry_points(group="mlflow.app", name=APP))


def server_environment(uri: str, port: int = 5000, names: Sequence[str] = ()) -> dict[str, str]:
    """What the server is told: the database, who may call it, no telemetry, and no processes for jobs nobody has.

    Args:
        uri: of the database.
        port: where it listens.
        names: names and addresses, besides the loopback's, by which browsers may call it.
    """
    environment = {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    if names:
        names = [_in_link(name) for name in names]
        hosts = [f"{name}{end}" for name in (*_LOCAL_NAMES, *names) for end in ("", f":{port}")]
        origins = [
            f"{scheme}://{name}{end}" for scheme in ("http", "https") for name in names for end in ("", f":{port}")
        ]
        environment["MLFLOW_SERVER_ALLOWED_HOSTS"] = ",".join(hosts)
        environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(origins)
    return environment


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may mean any address


def _in_link(name: str) -> str:
    """A name or address as links have it."""
    return f"[{name}]" if ":" in name else name


def _callable_by(host: str, names: Sequence[str]) -> str:
    """The name to put into a link: what listens everywhere is called by a name."""
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104 - asked for, and warned of
    return _in_link((names[0] if names else HOST) if everywhere else host)


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise AscError(f"--host {host}", "is no address", "give one of this machine's, such as 127.0.0.1") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AscError(f"port {port}", "is in use", "give another: asc ui --port 5001") from None
        what = f"cannot be listened on at port {port} ({error.strerror})"
        raise AscError(f"--host {host}", what, "give an address of this machine") from None
