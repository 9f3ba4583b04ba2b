"""Servers that a test may kill at any moment and start again: MLflow's, and PostgreSQL."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import requests

HOST = "127.0.0.1"
_DEADLINE_S = 900.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a process and everything that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        for each in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait()


class MlflowServer:
    """MLflow's own server, its artifacts proxied, with one worker."""

    def __init__(self, folder: Path, backend: str | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.database = folder / "server.db"
        self.backend = backend or f"sqlite:///{self.database}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it answers a few seconds later."""
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", self.backend, "--host", HOST]
        command += ["--port", str(self.port), "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.url}/health", timeout=2).ok:
                    return
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2_000:]
            time.sleep(0.1)
        raise TimeoutError(self.url)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            kill_all(self._process)
            self._process = None


class Postgres:
    """PostgreSQL in a folder of its own. (It refuses to run as root; then it runs as the user nobody.)"""

    def __init__(self) -> None:
        self.folder, self.port = Path(tempfile.mkdtemp(prefix="asc-pg-")), free_port()
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "asc", "-A", "trust", "--no-sync")

    @staticmethod
    def is_here() -> bool:
        """Whether its programs are installed."""
        return bool(_program("initdb"))

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql+psycopg://asc@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers; what a killed one left is waited for too."""
        deadline = time.monotonic() + _DEADLINE_S
        while self._process is None or self._process.poll() is not None:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2_000:]
            command = [_program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), "-h", HOST]
            command += ["-k", str(self.folder), "-c", "fsync=off"]  # a kill, other than a power cut, loses no write
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self._user, cwd=self.folder)
            while self._process.poll() is None and not self._answers():
                time.sleep(0.1)

    def create(self, database: str) -> None:
        """Create a database."""
        self._run("createdb", "-h", HOST, "-p", str(self.port), "-U", "asc", database)

    def kill(self) -> None:
        """kill -9, of all of its processes."""
        if self._process is not None:
            kill_all(self._process)
            self._process = None

    def stop(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        command = [_program("pg_isready"), "-q", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [_program(program), *arguments], check=True, capture_output=True, user=self._user, cwd=self.folder
        )


def _program(name: str) -> str:
    """The path of one of PostgreSQL's programs; Debian keeps them off the path."""
    found = shutil.which(name)
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return found or (str(beside[-1]) if beside else "")
