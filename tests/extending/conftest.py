"""The program beside packages of others."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.extending.packages import install

GroupOf = Mapping[str, str]
"""The group of entry points that each module of a package belongs to."""


class Outside:
    """The program beside another package."""

    def __init__(self, site: Path, workspace: Path, cache: Path) -> None:
        path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.environment = os.environ | {"PYTHONPATH": path, "ASC_WORKSPACE": str(workspace), "ASC_CACHE": str(cache)}
        self._workspace, self._cache = workspace, cache

    def without_package(self) -> "Outside":
        """The same workspace where the package is not installed."""
        return Outside(self._workspace, self._workspace, self._cache)

    def run(self, *arguments: object, code: int = 0) -> str:
        """Run the program; what it wrote on standard output, or on standard error where it is to fail."""
        command = [sys.executable, "-m", "asc_experiments", *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr if code else done.stdout

    def python(self, program: str) -> str:
        """What a Python program prints there."""
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def outside(tmp_path: Path) -> Callable[..., Outside]:
    """Install a package of modules of this folder, and open a workspace beside it."""

    def make(groups: GroupOf, version: str = "1.2", texts: Mapping[str, str] | None = None) -> Outside:
        site = install(tmp_path / f"site of {version}", groups, version, texts or {})
        return Outside(site, tmp_path / "workspace", tmp_path / "cache")

    return make
