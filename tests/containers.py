"""Containers for tests: process numbers of their own, and this host's name and folders."""

import subprocess

import psutil
import pytest

CONTAINER = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
"""What a command begins with that is run in one."""
CAN_BE_CONTAINERS = (
    psutil.LINUX and subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode == 0
)
needs_containers = pytest.mark.skipif(not CAN_BE_CONTAINERS, reason="namespaces of process numbers are not allowed")


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process, and the container that it may be."""
    everything = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    process.communicate()
    psutil.wait_procs(everything)
