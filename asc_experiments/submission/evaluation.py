"""An evaluation set without labels, as challenges hand them out, and what a model says of it in their format."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from asc_experiments.base.errors import AscError
from asc_experiments.base.files import whole_file
from asc_experiments.training.inference import Prediction

TABLE = Path("evaluation_setup", "fold1_test.csv")
_DEVICE = "device_id"
_DIGITS = 6


@dataclass(frozen=True)
class EvaluationSet:
    """Recordings to be answered for.

    Attributes:
        root: its folder.
        filenames: as its table has them, in that order.
        devices: which recorded each; None where its table does not say.
    """

    root: Path
    filenames: tuple[str, ...]
    devices: tuple[str | None, ...]

    @classmethod
    def open(cls, root: Path) -> EvaluationSet:
        """Read ``evaluation_setup/fold1_test.csv``: the column ``filename``, and ``device_id`` where there is one.

        Raises:
            AscError: if there is none, it lists nothing or a name twice, or a file is missing.
        """
        path = root / TABLE
        if not path.is_file():
            raise AscError(
                path, "no such table", "give the folder of an evaluation set, or sound files with --format csv"
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        if not rows or "filename" not in rows[0]:
            raise AscError(path, "lists no files", "write a column filename, with tabs between columns")
        names = [str(row["filename"]) for row in rows]
        if twice := next((name for name, count in Counter(names).items() if count > 1), None):
            raise AscError(path, f"lists {twice} twice", "list each once")
        missing = [name for name in names if not (root / name).is_file()]
        if missing:
            more = f" and {len(missing) - 1:,} more" if missing[1:] else ""
            raise AscError(path, f"lists {missing[0]}{more}, which is not there", "unpack the whole set")
        return cls(root, tuple(names), tuple(row.get(_DEVICE) or None for row in rows))

    @property
    def paths(self) -> list[Path]:
        """The files, in the order of the table."""
        return [self.root / name for name in self.filenames]

    def device_of(self, path: Path) -> str | None:
        """The device that recorded a file; None where that is not known."""
        return self._by_path.get(path)

    @cached_property
    def _by_path(self) -> dict[Path, str | None]:
        return dict(zip(self.paths, self.devices, strict=True))


def write_output(
    output: Path, evaluation: EvaluationSet, scenes: Sequence[str], predictions: Iterable[Prediction]
) -> None:
    """Write the table that DCASE takes: file name, scene, and a probability per scene, with tabs between.

    Args:
        output: the file, which appears whole or not at all.
        evaluation: the set that is answered for.
        scenes: in the order of the columns.
        predictions: one per file, in the set's order.

    Raises:
        AscError: if a file cannot be read: the challenge takes no table with a gap.
    """
    with whole_file(output) as write:
        write(("\t".join(["filename", "scene_label", *scenes]) + "\n").encode())
        for name, found in zip(evaluation.filenames, predictions, strict=True):
            if found.error or found.distribution is None:
                raise AscError(
                    evaluation.root / name, found.error, "replace it: the challenge wants an answer for each"
                )
            numbers = [f"{found.distribution[scene]:.{_DIGITS}f}" for scene in scenes]
            write(("\t".join([name, found.scene, *numbers]) + "\n").encode())
