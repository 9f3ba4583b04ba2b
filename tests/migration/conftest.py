"""A study that was really run and registered, its export, and a tracking server of its own to move it to."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from asc_experiments.migration.relocation import relocate
from tests.migration.made import HOME_STUDY, Facts, Home, command

HOST = "127.0.0.1"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, synth_corpus: Path, cache: Path) -> Home:
    folder = tmp_path_factory.mktemp("home")
    study = folder / "tiny.yaml"
    study.write_text(HOME_STUDY)
    where = ("--workspace", folder / "laptop")
    command("study", "run", study, "--corpus", synth_corpus, *where)
    command("register", "tiny", "--allow-chance", *where)
    return Home(folder / "laptop", synth_corpus, study)


@pytest.fixture(scope="session")
def archive(home: Home) -> Path:
    path = home.workspace.parent / "tiny.tar"
    command("workspace", "export", path, "--study", "tiny", "--workspace", home.workspace)
    return path


@pytest.fixture
def home_copy(home: Home, tmp_path: Path) -> Path:
    """A copy of the workspace that a test may change."""
    copy = Path(shutil.copytree(home.workspace, tmp_path / "copy"))
    relocate(copy)
    return copy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real tracking server with a database and files of its own."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    arguments = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    arguments += [
        "--backend-store-uri",
        f"sqlite:///{folder}/server.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(arguments, env=os.environ | quiet, stderr=log, stdout=log)
    try:
        for _ in range(240):
            try:
                if requests.get(f"http://{HOST}:{port}/health", timeout=2).ok:
                    break
            except requests.RequestException:
                time.sleep(0.25)
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def facts(asc: Callable) -> Facts:
    """Run a command with ``--json``; what it says."""

    def run(*arguments: object) -> dict:
        result = asc(*arguments, "--json")
        assert result.code == 0, result.err
        return json.loads(result.out)

    return run
