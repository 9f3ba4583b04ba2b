"""Connections that tell secondary loggers of their runs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asc_experiments.tracking import Tracking
from asc_experiments.tracking.loggers import RunLogger
from asc_experiments.tracking.loggers.logger import loggers


@pytest.fixture
def logging_to(workspace: Path) -> Callable[..., Tracking]:
    """Connect to the workspace's database with these loggers."""

    def connect(*names: str) -> Tracking:
        return Tracking.open(workspace, log_to=names)

    return connect


@pytest.fixture
def registered() -> Iterator[Callable[[type[RunLogger]], str]]:
    """Register a logger for one test; its name."""
    before = dict(loggers())

    def register(kind: type[RunLogger]) -> str:
        loggers().add(kind.name, kind)
        return kind.name

    yield register
    for name in loggers().keys() - before.keys():
        del loggers()[name]
