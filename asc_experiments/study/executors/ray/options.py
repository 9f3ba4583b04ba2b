"""The options of a study that runs on Ray: refused where it does not, and the executor that they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TrainingContext
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.executors.local import InProcess, WorkerPool
from asc_experiments.study.storage.open_storage import JOURNAL


@dataclass(frozen=True)
class RayOptions:
    """What a person may say about Ray; None leaves it to the default.

    Attributes:
        address: the cluster's.
        cpus: processors of each training.
        gpus: GPUs of each training.
        ships_corpus: whether the corpus is sent to every node.
    """

    address: str | None = None
    cpus: int | None = None
    gpus: float | None = None
    ships_corpus: bool = False

    def refuse(self) -> None:
        """Refuse them for a study that does not run on Ray.

        Raises:
            AscError: if there is one.
        """
        given = {
            "--ray-address": self.address,
            "--cpus-per-training": self.cpus,
            "--gpus-per-training": self.gpus,
            "--ship-corpus": self.ships_corpus or None,
        }
        for option, value in given.items():
            if value is not None:
                raise AscError(option, "is an option of Ray", "give --executor ray too")

    def executor(
        self, bench: TrainingContext, workers: int | None, study: StudyFile, workspace: Path, storage: str | None
    ) -> WorkerPool:
        """Join the cluster.

        Args:
            bench: corpus, split and tracking server.
            workers: trainings at a time, or None for as many as there is room for.
            study: the study.
            workspace: its folders must be seen by all hosts where no server keeps what is in them.
            storage: the journal file or database of Optuna.

        Raises:
            AscError: as :class:`~.ray_executor.RayExecutor` does.
        """
        from asc_experiments.study.executors.ray.cluster import Needs
        from asc_experiments.study.executors.ray.executor import RayExecutor

        needs = Needs(self.cpus or 1, self.gpus or 0.0)
        shared = shared_folders(bench.tracking.uri, study, workspace, storage)
        return RayExecutor(bench, needs, workers, self.address, shared, self.ships_corpus)


def local_executor(workers: int | None) -> InProcess | WorkerPool:
    """What runs trainings on this machine."""
    return WorkerPool(workers) if workers and workers > 1 else InProcess()


def shared_folders(tracking_uri: str, study: StudyFile, workspace: Path, storage: str | None) -> list[Path]:
    """The folders that every host of a study must see, because no server keeps what is in them.

    Args:
        tracking_uri: of the tracking server; only one that is spoken to by HTTP keeps the artifacts.
        study: only where it prunes do trainings write into Optuna's storage.
        workspace: the workspace.
        storage: the journal file or database of Optuna; None for the workspace's journal.
    """
    folders = []
    if not tracking_uri.startswith(("http://", "https://")):
        folders.append(workspace / "mlruns")
    if study.pruner != "none" and not (storage and "://" in storage):
        folders.append((Path(storage) if storage else workspace / "studies" / JOURNAL).parent)
    return folders
