"""What a study runs on, or is planned for: its file with the changes that were asked for, the corpus, the storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage

from asc_experiments.base.errors import AscError
from asc_experiments.distill.environment import Environment
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.runner.earlier_trials import with_trials_of
from asc_experiments.study.runner.validation import check_corpus_for
from asc_experiments.study.search.whole_file import read_whole_study
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.study.storage.packages import naming_packages

if TYPE_CHECKING:  # with it comes PyTorch, which a mistake in a study file does not wait for
    from asc_experiments.distill import TrainingContext


@dataclass(frozen=True)
class Changes:
    """What is asked for beside a study file; None, or nothing, leaves it as the file says.

    Attributes:
        trials: in total.
        scale: one of the file's.
        train_split: a list of training clips.
        trials_of: an earlier study, whose trials are run first.
        settings: more, by the file's keys with dots, such as ``student.epochs``.
    """

    trials: int | None = None
    scale: str | None = None
    train_split: Path | None = None
    trials_of: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def overrides(self) -> dict[str, Any]:
        """Those that are keys of the file."""
        given = {"trials": self.trials, "corpus.train_split": self.train_split and str(self.train_split)}
        return dict(self.settings) | {key: value for key, value in given.items() if value}


@dataclass(frozen=True, eq=False)
class StudyInputs:
    """See the module. Attributes are what they are called."""

    file: StudyFile
    bench: TrainingContext
    storage: BaseStorage

    @classmethod
    def open(cls, environment: Environment, path: Path, corpus: Path, changes: Changes) -> StudyInputs:
        """Read the file, then the corpus; only then are the stores touched.

        Args:
            environment: where the stores are.
            path: the study file, or the name of a study that comes with the program.
            corpus: its folder.
            changes: what is asked for beside the file.

        Raises:
            AscError: if one of them is not in order.
        """
        try:
            study = read_whole_study(path, changes.overrides(), changes.scale)
        except AscError as error:
            raise naming_packages(error, environment.workspace, environment.storage) from None
        lists = study.corpus.files if study.corpus else ()
        check = partial(check_corpus_for, study)  # what the file asks of the corpus, all at once
        bench = environment.workbench(corpus, study.validation, train_splits=lists, check=check)
        storage = open_storage(environment.workspace, environment.storage)
        return cls(with_trials_of(study, storage, changes.trials_of), bench, storage)
