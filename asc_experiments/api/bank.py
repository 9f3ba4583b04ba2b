"""The teachers of a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from asc_experiments.api.workspace import Workspace
    from asc_experiments.corpus.index import Corpus
    from asc_experiments.distill import TrainingContext
    from asc_experiments.distill.teacher import Teacher


class Bank:
    """The teachers of a workspace: ``workspace().bank``."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def teachers(self) -> pd.DataFrame:
        """Every teacher, oldest first, under its ``key``: `asc teacher list`. The columns of `Study.teachers`."""
        from asc_experiments.api.tables import teachers_table
        from asc_experiments.distill import TeacherBank

        found = TeacherBank(self._workspace._tracking).all(or_absent=True)
        return teachers_table({teacher.key: teacher.record for teacher in found})

    def find(self, key: str) -> Teacher:
        """A teacher by its key, or the beginning of it: `asc teacher show`.

        Raises:
            AscError: if there is none, or more than one.
        """
        from asc_experiments.distill import TeacherBank

        return TeacherBank(self._workspace._tracking).named(key)

    def train(
        self,
        arch: str,
        corpus: str | Path | Corpus,
        *,
        augment: str = "none",
        validation: float = 0.0,
        hold_out_devices: Sequence[str] = (),
        train_split: str | Path | None = None,
        **settings: Any,
    ) -> Teacher:
        """Train a teacher, or find it if it was trained before: `asc teacher train`.

        Args:
            arch: ``cp_mobile``, ``cp_mobile_2024``, ``cp_resnet``, ``passt``, or one of an installed package.
            corpus: a corpus, or its folder.
            augment: device generalisation: ``none``, ``dir``, ``fms``, ``dirfms``.
            validation: part of the training fold to hold out by location.
            hold_out_devices: training devices to hold out, too.
            train_split: train only on the clips of a list.
            **settings: any [setting of a network](study-file.md#recipe): ``epochs``, ``seed``, ``size``, …

        Raises:
            AscError: if a setting or the corpus is not in order.
        """
        from asc_experiments.distill import TeacherBank
        from asc_experiments.training import make_recipe

        recipe = make_recipe(arch, augment, **settings)
        bench = self._open(corpus, validation, hold_out_devices, train_split)
        bench.responses_for(recipe)
        return TeacherBank(bench.tracking).get(recipe, bench)

    def import_logits(
        self,
        logits: pd.DataFrame | str | Path,
        corpus: str | Path | Corpus,
        *,
        name: str = "",
        probabilities: bool = False,
        clips: str | Path | None = None,
        validation: float = 0.0,
        hold_out_devices: Sequence[str] = (),
        train_split: str | Path | None = None,
    ) -> Teacher:
        """Make a teacher of logits that any model computed: `asc teacher import`. The same logits are imported once.

        Args:
            logits: a table with a column per scene and the clips' names in ``filename`` or in the index, rows and
                columns in any order; or a [file](../how-to/manage-teachers.md#import-logits-of-any-model).
            corpus: a corpus, or its folder.
            name: shown to people; a file's by default.
            probabilities: whether the numbers are probabilities; their logarithm is taken.
            clips: the clip name of each row, where a file names none.
            validation: part of the training fold, by location, that the model was not trained on.
            hold_out_devices: training devices that it was not trained on.
            train_split: a list of clips that alone it was trained on.

        Raises:
            AscError: if names or numbers do not fit the corpus; names what is wrong at once.
        """
        from asc_experiments.distill.external_teacher import import_logits

        bench = self._open(corpus, validation, hold_out_devices, train_split)
        source = Path(logits) if isinstance(logits, str | Path) else logits
        return import_logits(bench, source, name, probabilities, None if clips is None else Path(clips))

    def _open(
        self,
        corpus: str | Path | Corpus,
        validation: float,
        hold_out_devices: Sequence[str],
        train_split: str | Path | None,
    ) -> TrainingContext:
        from asc_experiments.api.workspace import folder_of
        from asc_experiments.corpus import ValidationSplit

        values = {"fraction": float(validation), "hold_out_devices": tuple(hold_out_devices)}
        split = ValidationSplit.parse(values, "validation").normalised()
        given = None if train_split is None else Path(train_split)
        workspace = self._workspace
        return workspace._environment.workbench_on(given, folder_of(corpus), split, workspace._tracking)
