"""Runs that are told to secondary loggers: which ones, and what happens when one of them fails."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from asc_experiments.base.entry_points import in_a_line
from asc_experiments.base.progress import say
from asc_experiments.tracking.loggers.logger import RunLogger, StartedRun, logger_of

_LONGEST_NAME = 120
_SHOWN = 200


@dataclass(frozen=True)
class LogTo:
    """Which secondary loggers runs are told to. It travels with the connection to every process.

    Attributes:
        names: the loggers'.
        workspace: the folder that their files are to be in.
    """

    names: tuple[str, ...] = ()
    workspace: Path = Path(".")

    @classmethod
    def parse(cls, said: Iterable[str], workspace: Path) -> LogTo:
        """The loggers that options and ``ASC_LOGGERS`` name, several behind commas or one at a time.

        Raises:
            AscError: if there is no such logger, or what it needs is not installed.
        """
        names = tuple(dict.fromkeys(name.strip() for each in said for name in each.split(",") if name.strip()))
        for name in names:
            logger_of(name)
        return cls(names, workspace)


class Followers:
    """The loggers that are told of one run. What one raises is said once; the run then continues without it."""

    def __init__(self) -> None:
        self._name = ""
        self._loggers: dict[str, RunLogger] = {}
        self._told: set[str] = set()

    def begin(self, run: StartedRun, names: Iterable[str]) -> None:
        """Tell these loggers that the run has begun; where it is stopped meanwhile, those before are told its end."""
        self._name = run.name
        for name in names:
            with suppress(_Failed):
                self._loggers[name] = self._guarded(name, partial(_started, name, run))

    def scalars(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Tell some metrics."""
        self._told.update(values)
        self._each(lambda logger: logger.scalars(step, values, seconds))

    def finish(self, status: str, read: Callable[[], Any], seconds: float) -> None:
        """Tell how the run ended, with what other processes logged into it meanwhile.

        Args:
            status: as it ended.
            read: gives MLflow's run.
            seconds: when, since 1970.
        """
        if not self._loggers:
            return
        try:
            data = read().data
            params, metrics, tags = dict(data.params), dict(data.metrics), dict(data.tags)
        except Exception as error:  # the server is away: what was told before is not lost
            say(f"{self._name}: its parameters are told to no logger ({in_a_line(error)[:_SHOWN]})")
            params, metrics, tags = {}, {}, {}
        untold = {name: value for name, value in metrics.items() if name not in self._told}
        if untold:
            self.scalars(0, untold, seconds)
        settings = {name: _scalar(text) for name, text in params.items()}
        self._each(lambda logger: logger.finish(status, settings, tags))
        self._loggers = {}

    def _each(self, call: Callable[[RunLogger], None]) -> None:
        for name, logger in list(self._loggers.items()):
            try:
                self._guarded(name, partial(call, logger))
            except _Failed:
                del self._loggers[name]

    def _guarded(self, name: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            what = f"{self._name}: not logged to {name} any more ({in_a_line(error)[:_SHOWN]})"
            say(f"{what}; the training continues, MLflow has all of it")
            raise _Failed from None


class _Failed(Exception):  # noqa: N818 - it was told already
    """A logger failed."""


def _started(name: str, run: StartedRun) -> RunLogger:
    logger = logger_of(name)()
    logger.start(run)
    return logger


def place_of(experiment: str, name: str, mark: str, parent: tuple[str, str] | None) -> tuple[str, PurePosixPath]:
    """The group of a run, and where its files go: ``quickstart/trial 3-1f3a77c2/seed 7``.

    Args:
        experiment: the experiment's name.
        name: the run's.
        mark: what tells it from others of that name, and is the same for an attempt that resumes it.
        parent: name and id of the run that it belongs to, whose runs all have names of their own.
    """
    group = _part(f"{parent[0]}-{parent[1][:8]}" if parent else f"{name}-{mark[:8]}")
    place = PurePosixPath(_part(experiment), group)
    return group, place / _part(name) if parent else place


def _part(name: str) -> str:
    """A name as part of a path."""
    return re.sub(r"[^\w .()+=,-]|^\.+", "_", name)[-_LONGEST_NAME:]


def _scalar(text: str) -> float | str:
    """A parameter as it was before MLflow made it a text."""
    with suppress(ValueError, SyntaxError):
        value = ast.literal_eval(text)
        if isinstance(value, int | float):
            return value
    return text
