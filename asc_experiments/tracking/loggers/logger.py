"""The door through which a secondary logger comes in: one class that is told what becomes of a run.

A package elsewhere opens it with an entry point of the group ``asc_experiments.loggers`` that names its module::

    [project.entry-points."asc_experiments.loggers"]
    csv_files = "my_package.csv_files"

TensorBoard and W&B use the same door. MLflow stays the system of record: nothing is ever read back from a logger.
"""

from __future__ import annotations

import functools
import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from asc_experiments.base.entry_points import Registry, in_a_line
from asc_experiments.base.errors import AscError

GROUP = "asc_experiments.loggers"
"""The entry points that name modules of loggers."""


@dataclass(frozen=True)
class StartedRun:
    """A run as it begins.

    Attributes:
        run_id: its id in MLflow.
        name: shown to people, such as ``seed 7``.
        kind: ``teacher``, ``student``, ``trial``, ``seed``, …
        experiment: the experiment's name: the study's, ``teachers`` or ``students``.
        group: of a run and those that belong to it, such as a trial and its seeds.
        place: where files of the run go, below a folder of the logger's own. An attempt that resumes a training that
            was killed has the same place, and tells all of its epochs again.
        page: the run's page in MLflow; without the server's address where a workspace's own database is used.
        tags: as they are known at the beginning.
        workspace: the folder that files are to be in.
    """

    run_id: str
    name: str
    kind: str
    experiment: str
    group: str
    place: PurePosixPath
    page: str
    tags: Mapping[str, str]
    workspace: Path


class RunLogger(ABC):
    """Is told what becomes of one run; there is a new one for each. Whatever it raises costs this run's log alone.

    All calls come from the process that owns the run, one after another, and training waits for each of them.

    Attributes:
        name: as ``--log-to`` has it.
        needs: the module without which it cannot log, empty where there is none.
        install: the command that brings it.
    """

    name: ClassVar[str]
    needs: ClassVar[str] = ""
    install: ClassVar[str] = ""

    @abstractmethod
    def start(self, run: StartedRun) -> None:
        """The run has begun."""

    @abstractmethod
    def scalars(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Metrics of the run, by the names that they have in MLflow.

        Args:
            step: the epoch, counted from 1, of what is a curve; as MLflow has it, mostly 0, of what is not.
            values: some may be infinite or not a number.
            seconds: when they were measured, since 1970.
        """

    @abstractmethod
    def finish(self, status: str, params: Mapping[str, float | str], tags: Mapping[str, str]) -> None:
        """The run has ended; nothing is called after this. Of a process that was killed, nobody calls it.

        Args:
            status: ``FINISHED``, ``KILLED`` (pruned, or stopped) or ``FAILED``.
            params: all there are; numbers and truth values as such.
            tags: all there are; ``asc.error`` says why it is not FINISHED.
        """


_LOGGERS: Registry[type[RunLogger]] = Registry("logger", GROUP)


def register_logger(kind: type[RunLogger]) -> type[RunLogger]:
    """Have a class be a logger, under its ``name``.

    Raises:
        AscError: if there is another one of that name, or it has none.
    """
    if not hasattr(kind, "name"):
        raise AscError(f"logger '{kind.__name__}'", "has no 'name'", "see asc_experiments.tracking.loggers.RunLogger")
    _LOGGERS.add(kind.name, kind)
    return kind


@functools.cache
def loggers() -> Registry[type[RunLogger]]:
    """Every logger there is, by name, those of the program first."""
    from asc_experiments.tracking.loggers import tensorboard, wandb  # noqa: F401 - importing registers them

    _LOGGERS.load_outside()
    return _LOGGERS


def logger_of(name: str) -> type[RunLogger]:
    """The logger of a name, whose module can be imported.

    Raises:
        AscError: if there is none, or what it needs is not installed.
    """
    where = f"--log-to {name}"
    kind = loggers().find(name, where)
    if kind.needs:
        try:
            importlib.import_module(kind.needs)
        except ImportError as error:
            is_missing = isinstance(error, ModuleNotFoundError) and error.name == kind.needs
            what = "is not installed" if is_missing else f"cannot be imported ({in_a_line(error)})"
            raise AscError(where, f"{kind.needs} {what}", kind.install) from None
    return kind
