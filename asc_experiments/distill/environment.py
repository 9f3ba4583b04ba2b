"""Where things are: the workspace, and what is kept elsewhere. Command line and Python API are told it alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asc_experiments.base.liveness import lock_folder, look_for_liveness_in

if TYPE_CHECKING:  # with them come PyTorch and MLflow, which a command's help does not wait for
    from asc_experiments.corpus import Corpus, ValidationSplit
    from asc_experiments.distill.training_context import TrainingContext
    from asc_experiments.tracking import Tracking

VARIABLES = {
    "workspace": "ASC_WORKSPACE",
    "tracking_uri": "MLFLOW_TRACKING_URI",
    "storage": "ASC_STORAGE",
    "dirs": "ASC_DIRS",
    "log_to": "ASC_LOGGERS",
}
"""The environment variable that stands in for each of them where it is not given."""


@dataclass(frozen=True)
class Environment:
    """Where things are.

    Attributes:
        workspace: the folder that holds ``mlruns`` and ``studies``.
        tracking_uri: an MLflow server or database; None for the workspace's SQLite file.
        storage: Optuna's journal file or database; None for the workspace's journal.
        dirs: the folder of impulse responses; None for that of the corpus, if it has one.
        log_to: secondary loggers that are told of runs, besides MLflow.
    """

    workspace: Path = Path(".")
    tracking_uri: str | None = None
    storage: str | None = None
    dirs: Path | None = None
    log_to: Sequence[str] = ()

    @property
    def cache(self) -> Path:
        """The folder of decoded waveforms and locks."""
        return Path(os.environ.get("ASC_CACHE") or self.workspace / ".asc")

    def look_for_processes(self) -> None:
        """Have the locks of this cache tell which processes live that this one cannot see."""
        look_for_liveness_in(lock_folder(self.cache))

    def tracking(self) -> Tracking:
        """Connect to the tracking server."""
        from asc_experiments.tracking import Tracking

        return Tracking.open(self.workspace, self.tracking_uri, self.log_to)

    def workbench(
        self,
        corpus: Path,
        split: ValidationSplit,
        tracking: Tracking | None = None,
        train_splits: Sequence[str | Path] = (),
        check: Callable[[Corpus, bool], None] | None = None,
    ) -> TrainingContext:
        """Open a corpus for training; the corpus is checked before the tracking server is touched.

        Args:
            corpus: its folder.
            split: which clips are held out.
            tracking: the server, where it is open already.
            train_splits: lists of training clips.
            check: what else is checked before; it is told whether a folder of impulse responses is known.
        """
        from asc_experiments.corpus import Corpus
        from asc_experiments.corpus.train_split import read_train_split
        from asc_experiments.distill.training_context import CORPUS_DIRS, TrainingContext

        opened = Corpus.open(corpus)
        for path in train_splits:
            read_train_split(path, opened)
        if check is not None:
            check(opened, self.dirs is not None or (corpus / CORPUS_DIRS).is_dir())
        return TrainingContext.open(opened, tracking or self.tracking(), self.cache, split, self.dirs, train_splits)

    def workbench_on(
        self, train_split: Path | None, corpus: Path, split: ValidationSplit, tracking: Tracking | None = None
    ) -> TrainingContext:
        """Open a corpus for training on a list of its clips alone, where one is given."""
        if train_split is None:
            return self.workbench(corpus, split, tracking)
        return self.workbench(corpus, split, tracking, [train_split]).on(train_split.stem)
