"""Servers listen on the loopback; more is asked for, and said to be more."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from asc_experiments.tracking.ui.server import HOST, is_loopback, server_command, server_environment
from tests.tracking.ui.test_server import free_port, wait_until_healthy

NAME = "asc.example.org"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "", "localhost.example.org"])
def test_what_others_can_reach_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0"])
def test_wider_address_is_warned_of_before_anything_listens(asc: Callable, workspace: Path, host: str) -> None:
    """The port is taken, so that this test lets nobody in either."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = asc("ui", "--host", host, "--port", port, "--optuna-port", free_port(), "--workspace", workspace)
    warning, *rest = result.err.splitlines()
    assert warning.startswith(f"warning: --host {host}: whoever reaches port {port}")
    assert "no password and no encryption" in warning
    if host == "0.0.0.0":
        assert result.code == 2
        assert "is in use" in rest[-1]


def test_loopback_is_not_warned_of(asc: Callable, workspace: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        result = asc("ui", "--port", taken.getsockname()[1], "--optuna-port", free_port(), "--workspace", workspace)
    assert result.code == 2
    assert "warning" not in result.err


@pytest.mark.parametrize("host", ["nobody.invalid", "203.0.113.7"])
def test_address_that_is_none_of_this_machine_is_one_line(asc: Callable, workspace: Path, host: str) -> None:
    result = asc("ui", "--host", host, "--port", free_port(), "--workspace", workspace)
    assert result.code == 2
    error = result.err.splitlines()[-1]
    assert error.startswith(f"error: --host {host}: ")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow as `asc ui --allowed-host asc.example.org` starts it."""
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    environment = os.environ | server_environment(f"sqlite:///{folder}/server.db", port, [NAME])
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(server_command(port), env=environment, stdout=log, stderr=log)
    try:
        wait_until_healthy(f"http://{HOST}:{port}")
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        (None, None, 200),
        (NAME, f"https://{NAME}", 200),  # behind a proxy that encrypts
        (f"{NAME}:{{port}}", f"http://{NAME}:{{port}}", 200),
        ("evil.example.org", None, 403),  # a name that was made to lead here: DNS rebinding
        (NAME, "https://evil.example.org", 403),  # a page that posts to here
        (f"x{NAME}", None, 403),
    ],
)
def test_browsers_call_it_by_the_names_that_were_allowed(
    address: str, host: str | None, origin: str | None, status: int
) -> None:
    port = address.rpartition(":")[2]
    headers = {"Host": host, "Origin": origin}
    headers = {name: value.format(port=port) for name, value in headers.items() if value}
    url = f"{address}/api/2.0/mlflow/experiments/search"
    answer = requests.post(url, json={"max_results": 1}, headers=headers, timeout=30)
    assert answer.status_code == status, answer.text
