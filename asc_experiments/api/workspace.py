"""A workspace: its teachers, its studies, its registered models."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asc_experiments.api.bank import Bank
from asc_experiments.api.model import Model
from asc_experiments.api.study import Study
from asc_experiments.distill.environment import VARIABLES, Environment

if TYPE_CHECKING:
    from asc_experiments.corpus.index import Corpus
    from asc_experiments.study.runner.inputs import StudyInputs
    from asc_experiments.tracking import Tracking


def workspace(
    folder: str | Path | None = None,
    *,
    tracking_uri: str | None = None,
    storage: str | Path | None = None,
    dirs: str | Path | None = None,
    log_to: str | Sequence[str] | None = None,
) -> Workspace:
    """The workspace in a folder; nothing is read or written before something is asked of it.

    What is not given is taken from the [environment variables](environment.md) that the command line reads, too.

    Args:
        folder: holds ``mlruns/`` and ``studies/``; the current folder by default.
        tracking_uri: MLflow server or database; the workspace's SQLite file by default.
        storage: Optuna journal file or database URL; ``studies/optuna.journal`` in the workspace by default.
        dirs: folder of device impulse responses for DIR; ``dirs/`` in the corpus by default.
        log_to: secondary loggers that are told of runs besides MLflow, such as ``"tensorboard"``.
    """
    given = {"workspace": folder, "tracking_uri": tracking_uri, "storage": storage, "dirs": dirs}
    said = {name: str(value or os.environ.get(VARIABLES[name]) or "") for name, value in given.items()}
    where = Path(said["workspace"] or ".").absolute(), said["tracking_uri"] or None, said["storage"] or None
    named = os.environ.get(VARIABLES["log_to"], "") if log_to is None else log_to
    loggers = (named,) if isinstance(named, str) else named
    return Workspace(Environment(*where, Path(said["dirs"]).absolute() if said["dirs"] else None, loggers))


def corpus(folder: str | Path) -> Corpus:
    """The corpus in a folder, in the TAU layout or one that has a reader.

    Raises:
        AscError: if its layout is unknown, or a table missing or wrong; ``asc corpus check`` lists every problem.
    """
    from asc_experiments.corpus.index import Corpus

    return Corpus.open(Path(folder).absolute())


def study(name: str) -> Study:
    """A study of the default workspace, by name: as ``workspace().study(name)``."""
    return workspace().study(name)


class Workspace:
    """A workspace, as `workspace` gives it.

    Attributes:
        bank: its teachers.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.bank = Bank(self)
        environment.look_for_processes()

    def __repr__(self) -> str:
        return f"Workspace({str(self._environment.workspace)!r})"

    @cached_property
    def _tracking(self) -> Tracking:
        return self._environment.tracking()

    def study(self, name: str) -> Study:
        """A study by name; whether there is one is seen when something is asked of it."""
        return Study(self, name)

    def load(self, uri: str) -> Model:
        """A network from the Model Registry, or that of a run, ready to predict: `asc predict`.

        Args:
            uri: ``models:/NAME@ALIAS``, ``models:/NAME/VERSION`` (or ``latest``) or ``models:/MODEL_ID``.

        Raises:
            AscError: if there is no such model, or it is none of this program.
        """
        from asc_experiments.tracking.registry.network_store import fetch_network

        return Model(uri, fetch_network(self._tracking, uri))

    def plan(
        self,
        file: str | Path,
        corpus: str | Path | Corpus,
        *,
        trials: int | None = None,
        scale: str | None = None,
        train_split: str | Path | None = None,
        trials_of: str | None = None,
        settings: Mapping[str, Any] | None = None,
        within: float | None = None,
        workers: int = 1,
        compare: str | None = None,
    ) -> dict[str, Any]:
        """What a study will cost on this machine, without training: the facts of `asc study plan --json`.

        Args:
            file: the study file, or the name of a study that comes with the program.
            corpus: a corpus, or its folder.
            trials: in total; as the file says by default.
            scale: one of the file's scales, such as ``small``.
            train_split: train only on the clips of a list.
            trials_of: begin with the trials of an earlier study.
            settings: more changes, by the file's keys with dots: ``{"student.epochs": 20}``.
            within: seconds that designs may take, which are then proposed under ``design``.
            workers: trainings at a time, for designs.
            compare: the attribute whose values designs compare, such as ``augment``.

        Raises:
            AscError: if file, corpus or a store is not in order, or no design fits.
        """
        from asc_experiments.study.monitor.cost_estimate import Clock, plan_study

        inputs = self._inputs(file, corpus, trials, scale, train_split, trials_of, settings)
        clock = Clock()
        facts = plan_study(inputs.file, inputs.bench, inputs.storage, clock).facts()
        if within is None:
            return facts
        from asc_experiments.study.monitor.design import propose

        asked = (inputs.file, inputs.bench, inputs.storage, within, workers, compare, clock)
        return facts | {"design": propose(*asked).facts()}

    def run(
        self,
        file: str | Path,
        corpus: str | Path | Corpus,
        *,
        trials: int | None = None,
        scale: str | None = None,
        train_split: str | Path | None = None,
        trials_of: str | None = None,
        settings: Mapping[str, Any] | None = None,
        workers: int = 1,
        timeout: float | None = None,
        retry_failed: bool = False,
        retry_deleted: bool = False,
    ) -> Study:
        """Run a study to its total of trials on this machine: `asc study run`. Stopped or killed, the same resumes.

        A trial that fails raises nothing; `Study.status` counts it. With several workers a script must keep what
        it does under ``if __name__ == "__main__":``, as Python's processes want it.

        Args:
            file: as for `plan`; so are corpus, trials, scale, train_split, trials_of and settings.
            corpus: a corpus, or its folder.
            trials: in total.
            scale: one of the file's.
            train_split: a list of training clips.
            trials_of: an earlier study.
            settings: more changes.
            workers: trainings at a time, each in a process of its own; one is trained in this process.
            timeout: in seconds; no trial begins after it.
            retry_failed: try trials that failed once more.
            retry_deleted: run trials again whose runs were deleted in the tracking server.

        Raises:
            AscError: if file, corpus or a store is not in order.
        """
        from asc_experiments.study.executors.ray.options import local_executor
        from asc_experiments.study.runner.driver import Driver

        inputs = self._inputs(file, corpus, trials, scale, train_split, trials_of, settings)
        pool = local_executor(workers)
        Driver(inputs.file, inputs.bench, inputs.storage, pool, retry_deleted).run(timeout, retry_failed)
        return self.study(inputs.file.name)

    def _inputs(
        self,
        file: str | Path,
        corpus: str | Path | Corpus,
        trials: int | None,
        scale: str | None,
        train_split: str | Path | None,
        trials_of: str | None,
        settings: Mapping[str, Any] | None,
    ) -> StudyInputs:
        from asc_experiments.study.runner.inputs import Changes, StudyInputs

        given = None if train_split is None else Path(train_split)
        changes = Changes(trials, scale, given, trials_of, settings or {})
        return StudyInputs.open(self._environment, Path(file), folder_of(corpus), changes)


def folder_of(corpus: str | Path | Corpus) -> Path:
    """The folder of a corpus."""
    return Path(corpus) if isinstance(corpus, str | Path) else corpus.root
