"""Training subsets: lists of clips of the training fold that alone are trained on, as in DCASE 2024 task 1.

A list has the columns of the training fold's own, ``filename`` and ``scene_label``. The clips that a validation split
holds out are those of the whole fold, whatever is listed: networks of different lists are measured on the same clips.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asc_experiments.base.errors import AscError, Problem, ProblemsError
from asc_experiments.base.hashing import digest_json
from asc_experiments.corpus.index import Corpus
from asc_experiments.corpus.readers.tau import FOLD_COLUMNS, TRAIN_FOLD
from asc_experiments.corpus.tables import check_unique, read_table

WHOLE_FOLD = "none"
"""The name of no list: everything in the training fold is trained on."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_LISTS = str(Path(TRAIN_FOLD).parent)


@dataclass(frozen=True)
class TrainSplit:
    """A list of training clips.

    Attributes:
        name: that of its file, without the ending.
        digest: of the listed clips' names, part of every key; None where the whole training fold is listed, which is
            the same as no list.
        listed: one bit for each row of the training fold, packed.
        clips: how many are listed.
    """

    name: str
    digest: str | None
    listed: bytes
    clips: int

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Those of these rows of the training fold that are listed."""
        is_listed = np.unpackbits(np.frombuffer(self.listed, dtype=np.uint8)).astype(bool)
        return rows[is_listed[rows]]


def train_split_name(path: str | Path) -> str:
    """What a list is called in labels and parameters.

    Raises:
        ValueError: if its file has a name that does not serve.
    """
    name = Path(path).stem
    if name == WHOLE_FOLD or not _NAME.fullmatch(name):
        raise ValueError(f"'{name}' is no name for a training list; use letters, digits and . _ -, at most 40")
    return name


def read_train_split(path: str | Path, corpus: Corpus) -> TrainSplit:
    """Read a list of training clips.

    Args:
        path: of the file, from here or from the corpus's ``evaluation_setup``.
        corpus: that the clips are of.

    Raises:
        AscError: if there is no such list, a name stands twice, or a clip is not in the training fold, or has another
            scene there.
    """
    try:
        name = train_split_name(path)
    except ValueError as error:
        raise AscError(path, str(error), "rename the file") from None
    file = next((each for each in (Path(path), corpus.root / _LISTS / path) if each.is_file()), None)
    if file is None:
        raise AscError(path, "no such list", f"give its path from here, or from {corpus.root / _LISTS}")
    file = file.resolve()
    problems: list[Problem] = []
    rows = read_table(file.parent, file.name, FOLD_COLUMNS, problems) or []
    check_unique(file.name, (row["filename"] for row in rows), problems)
    if problems:
        raise ProblemsError(problems, "correct that first")
    row_of = {name: row for row, name in enumerate(corpus.filenames[: corpus.n_train])}
    lost = [row["filename"] for row in rows if row["filename"] not in row_of]
    if lost:
        how_many = "all" if len(lost) == len(rows) else f"{len(lost):,} of"
        what = f"{how_many} its {len(rows):,} clips are not in the training fold of {corpus.root}, such as {lost[0]}"
        raise AscError(path, what, "give a list of this corpus")
    scenes = corpus.columns.scenes.texts()
    for row in rows:
        known = scenes[row_of[row["filename"]]]
        if row["scene_label"] != known:
            what = f"{row['filename']} is '{row['scene_label']}' here and '{known}' in the corpus"
            raise AscError(path, what, "make them agree")
    is_listed = np.zeros(corpus.n_train, dtype=bool)
    is_listed[[row_of[row["filename"]] for row in rows]] = True
    digest = None if is_listed.all() else digest_json(sorted(row["filename"] for row in rows))
    return TrainSplit(name, digest, np.packbits(is_listed).tobytes(), len(rows))
