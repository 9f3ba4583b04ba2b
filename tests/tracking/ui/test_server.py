"""The whole path through a real tracking server, and MLflow's pages on a workspace."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from asc_experiments.tracking.ui.server import HOST, server_command, server_environment


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(address: str) -> None:
    for _ in range(120):
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.5)
    raise TimeoutError(address)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [*server_command(port), "--artifacts-destination", str(tmp_path / "a")]
    environment = os.environ | server_environment(f"sqlite:///{tmp_path}/server.db", port)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
    try:
        wait_until_healthy(f"http://{HOST}:{port}")
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait()


def test_study_registration_and_prediction_through_a_server(
    asc: Callable, server: str, synth_corpus: Path, empty_workspace: Path, study_file: Callable
) -> None:
    where = ("--workspace", empty_workspace, "--tracking-uri", server)
    done = asc("study", "run", study_file(), "--corpus", synth_corpus, "--trials", 1, "--json", *where)
    assert done.code == 0, done.err
    assert json.loads(done.out)["finished"] == 1
    assert len(json.loads(asc("report", "tiny", "--json", *where).out)["rows"]) >= 2
    registered = asc("register", "tiny", "--allow-chance", "--json", *where)
    assert registered.code == 0, registered.err
    clip = next((synth_corpus / "audio").iterdir())
    predicted = asc("predict", "models:/asc-student@champion", clip, "--json", *where)
    assert predicted.code == 0, predicted.err
    assert json.loads(predicted.out)["file"] == str(clip)
    assert not (empty_workspace / "mlruns" / "mlflow.db").exists(), "everything went to the server"


def test_ui_serves_the_workspace_on_the_loopback_until_it_is_stopped(workspace: Path) -> None:
    port, optuna_port = free_port(), free_port()
    command = [sys.executable, "-m", "asc_experiments", "ui", "--port", str(port), "--optuna-port", str(optuna_port)]
    command += ["--workspace", str(workspace)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        wait_until_healthy(f"http://{HOST}:{port}")
        assert "<html" in requests.get(f"http://{HOST}:{optuna_port}/dashboard/", timeout=10).text
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, 143)
    finally:
        process.kill()
    assert process.stdout is not None
    told = process.stdout.read()
    for each in (port, optuna_port):
        assert f"http://{HOST}:{each}" in told
        with socket.socket() as probe:
            assert probe.connect_ex((HOST, each)) != 0, "the server is gone"


@pytest.mark.parametrize(("option", "other"), [("--port", "--optuna-port"), ("--optuna-port", "--port")])
def test_port_that_is_taken_is_one_line(asc: Callable, workspace: Path, option: str, other: str) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        result = asc("ui", option, taken.getsockname()[1], other, free_port(), "--workspace", workspace)
    assert result.code == 2
    assert "is in use" in result.err
