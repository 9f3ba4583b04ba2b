"""A Ray cluster for tests: a head and hosts, started as a person starts them, each a host of its own where that can be.

A host is a namespace with a name and mounts of its own (``unshare``), so that it neither knows the others' processes by
name nor sees folders that are hidden from it. Where namespaces are not allowed, all nodes are one host.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

_RAY = str(Path(sys.executable).with_name("ray"))
_PATIENCE_S = 300.0
_OWN_HOST = ["unshare", "--user", "--map-root-user", "--uts", "--mount"]
CAN_BE_HOSTS = (
    shutil.which("unshare") is not None
    and subprocess.run([*_OWN_HOST, "hostname", "another"], capture_output=True, check=False).returncode == 0
)
"""Whether this system lets nodes be hosts of their own."""


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read_token_settings() -> None:
    """Have Ray read its settings again, such as those of its token: it does so once, when it is imported."""
    from ray._private.authentication_test_utils import reset_auth_token_state

    reset_auth_token_state()


class RayNodes:
    """A head with one processor and, as they are added, hosts with one processor each.

    Args:
        folder: for logs and the token without which nobody joins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        token = folder / "token"
        token.write_text(secrets.token_hex(24))
        self.settings = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_health_check_period_ms": "1000",  # a killed node is known to be dead sooner
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._starts: dict[str, tuple[Sequence[str], Sequence[str]]] = {}
        self._start("head", ["--head", "--port", str(self.port), "--include-dashboard=false"], [])
        wait_until(lambda: self._is_up("head"))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that may join."""
        return os.environ | self.settings

    def add(self, name: str, hidden: Sequence[Path] = ()) -> None:
        """Add a host from which some folders are hidden, and wait until it is up."""
        prefix: list[str] = []
        if CAN_BE_HOSTS:
            steps = [f"hostname {name}", *(f"mount -t tmpfs none '{folder}'" for folder in hidden), 'exec "$@"']
            prefix = [*_OWN_HOST, "sh", "-ec", "\n".join(steps), "sh"]
        self._start(name, ["--address", self.address], prefix)
        wait_until(lambda: self._is_up(name))

    def kill(self, name: str) -> None:
        """Kill a host's node manager, as the loss of the host would."""
        for process in psutil.Process(self._processes[name].pid).children(recursive=True):
            if process.name() == "raylet":
                process.send_signal(signal.SIGKILL)
                return
        raise AssertionError(f"no node manager on {name}")

    def kill_all(self) -> None:
        """Kill everything at once, as the loss of the head's machine would."""
        for each in self._processes.values():
            for process in [*psutil.Process(each.pid).children(recursive=True), each]:
                process.kill()

    def close(self) -> None:
        for process in reversed(self._processes.values()):
            everything = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            process.terminate()
            psutil.wait_procs(everything, timeout=5)
            for left in everything:
                if left.is_running():
                    left.kill()
            process.kill()
            process.wait()

    def _start(self, name: str, arguments: Sequence[str], prefix: Sequence[str]) -> None:
        command = [*prefix, _RAY, "start", *arguments, "--num-cpus=1", "--object-store-memory=100000000", "--block"]
        self._starts[name] = (arguments, prefix)
        with (self.folder / f"{name}.log").open("wb") as log:
            environment = self.environment | {"NODE_OF_TEST": name}
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def _is_up(self, name: str) -> bool:
        """Whether a node is up. Ray gives up starting one after half a minute; on a busy machine it is tried again."""
        said = (self.folder / f"{name}.log").read_text()
        if self._processes[name].poll() is not None:
            assert "timed out during startup" in said, said
            self._start(name, *self._starts[name])
        return "Ray runtime started" in said
