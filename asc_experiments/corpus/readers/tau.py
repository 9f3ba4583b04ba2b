"""The layout of TAU Urban Acoustic Scenes 2022 Mobile (Zenodo record 6337421), and of its siblings.

::

    meta.csv                               filename  scene_label  identifier  source_label   (tab-separated)
    evaluation_setup/fold1_train.csv       filename  scene_label
    evaluation_setup/fold1_evaluate.csv    filename  scene_label
    audio/<clip>.wav

Clips of neither list are part of the corpus, but not of any experiment. In TAU22 every clip is one second of a
recording of ten, and its name says which: ``audio/<scene>-<city>-<location>-<segment>-<second>-<device>.wav``, where
``<city>-<location>`` is the identifier.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from asc_experiments.base.errors import Problem, nearest
from asc_experiments.corpus.clips import Clips, Column
from asc_experiments.corpus.reader import TEST, TRAIN, UNUSED, Clip, CorpusReader, register_corpus_reader
from asc_experiments.corpus.tables import check_unique, read_columns

META = "meta.csv"
TRAIN_FOLD = "evaluation_setup/fold1_train.csv"
TEST_FOLD = "evaluation_setup/fold1_evaluate.csv"
_TEST_NAMES = "evaluation_setup/fold1_test.csv"
META_COLUMNS = ("filename", "scene_label", "identifier", "source_label")
FOLD_COLUMNS = ("filename", "scene_label")
_SEGMENT_AND_SECOND = re.compile(r"(.+)-([0-9]{1,9})")


@register_corpus_reader
class TauReader(CorpusReader):
    """See the module."""

    name = "tau"
    layout = f"{META}, {TRAIN_FOLD}, {TEST_FOLD} and audio/"
    table = META
    train_table = TRAIN_FOLD
    test_table = TEST_FOLD

    def claims(self, root: Path) -> bool:
        """Whether the folder of the fold's lists is there: others may have a ``meta.csv``."""
        return (root / TRAIN_FOLD).parent.is_dir()

    def read(self, root: Path, problems: list[Problem]) -> Iterable[Clip]:
        """The rows of ``meta.csv``, each with the fold of the list that names it; none where a table is unreadable."""
        meta = read_columns(root, META, META_COLUMNS, problems)
        train = read_columns(root, TRAIN_FOLD, FOLD_COLUMNS, problems)
        test = read_columns(root, TEST_FOLD, FOLD_COLUMNS, problems)
        if meta is None or train is None or test is None:
            return []
        names, (scenes, places, devices) = meta
        rows = _Rows(dict(zip(names, range(len(names)), strict=True)), scenes)
        in_train = rows.of(TRAIN_FOLD, train[0], train[1][0], problems)
        in_test = rows.of(TEST_FOLD, test[0], test[1][0], problems)
        remedy = f"remove it from {TRAIN_FOLD} or {TEST_FOLD}"
        both = sorted(set(train[0]).intersection(test[0]))
        problems += [Problem(name, "the clip is in both folds", remedy) for name in both]
        folds = np.zeros(len(names), dtype=np.int32)
        folds[in_test], folds[in_train] = 1, 2
        return Clips(tuple(names), scenes, places, devices, Column((UNUSED, TEST, TRAIN), folds), recording_of)


@dataclass(frozen=True)
class _Rows:
    """The rows of ``meta.csv`` by their names, and the scene that it has of each."""

    by_name: dict[str, int]
    scenes: Column

    def of(self, name: str, listed: list[str], scenes: Column, problems: list[Problem]) -> np.ndarray:
        """The rows of a fold's clips, those that are there.

        Args:
            name: the fold's table.
            listed: its clips; those that it names otherwise are renamed here.
            scenes: the scene that it has of each.
            problems: takes what is wrong.
        """
        rows = self._found(listed)
        if (rows < 0).any():
            _rename(name, listed, self.by_name, problems)
            rows = self._found(listed)
        check_unique(name, listed, problems)
        code_of = {scene: code for code, scene in enumerate(self.scenes.names)}
        theirs = np.array([code_of.get(scene, -1) for scene in scenes.names], dtype=np.int32)[scenes.codes]
        in_meta = np.append(self.scenes.codes, -2)  # a row of -1 has the last one
        for at in np.flatnonzero(theirs != in_meta[rows]).tolist():
            known = self.scenes.names[self.scenes.codes[rows[at]]] if rows[at] >= 0 else None
            problems.append(_wrong_row(name, listed[at], scenes.names[scenes.codes[at]], known, code_of))
        return rows[rows >= 0]

    def _found(self, listed: list[str]) -> np.ndarray:
        """The row of each name, ``(listed,)`` int64; -1 where it is not known."""
        return np.fromiter(map(self.by_name.get, listed, repeat(-1)), np.int64, len(listed))


def recording_of(filename: str, scene: str, place: str, device: str) -> tuple[str, int]:
    """The recording that a name in TAU22's form tells, and which second of it; an empty one in another form."""
    folder, _, name = filename.rpartition("/")
    begin, end = f"{in_a_name(scene)}-{place}-", f"-{device}.wav"
    inner = name[len(begin) : -len(end)] if name.startswith(begin) and name.endswith(end) else ""
    match = _SEGMENT_AND_SECOND.fullmatch(inner)
    return (f"{folder}/{match[1]}", int(match[2])) if match else ("", 0)


def in_a_name(scene: str) -> str:
    """A scene as part of a file's name, which a ``/`` would end."""
    return scene.replace("/", "_")


def write_tables(folder: Path, clips: Sequence[Clip]) -> None:
    """Write the tables of a corpus in this layout.

    Args:
        folder: the corpus folder, which exists.
        clips: in the order of ``meta.csv``.
    """
    (folder / TRAIN_FOLD).parent.mkdir(exist_ok=True)
    train, test = ([(clip.filename, clip.scene) for clip in clips if clip.fold == fold] for fold in (TRAIN, TEST))
    write_table(folder / META, META_COLUMNS, [(clip.filename, clip.scene, clip.place, clip.device) for clip in clips])
    write_table(folder / TRAIN_FOLD, FOLD_COLUMNS, train)
    write_table(folder / TEST_FOLD, FOLD_COLUMNS, test)
    write_table(folder / _TEST_NAMES, ("filename",), [(name,) for name, _ in test])


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a tab-separated table with a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([columns, *rows])


def _wrong_row(name: str, filename: str, scene: str, known: str | None, scenes: Iterable[str]) -> Problem:
    """What is wrong with a row of a fold whose clip has another scene in ``meta.csv``, or is not there (None)."""
    if known is None:
        return Problem(name, f"{filename} is not in {META}", f"add it to {META} or remove the row")
    if scene not in scenes:
        return Problem(name, f"{filename} has the unknown scene '{scene}'", nearest(scene, scenes))
    return Problem(name, f"{filename} is '{scene}' here and '{known}' in {META}", "make them agree")


def _rename(name: str, listed: list[str], in_meta: Mapping[str, int], problems: list[Problem]) -> None:
    """Have a fold name its clips as the other table does; one problem for all it names by other folders or letters."""
    known = {_last(filename): filename for filename in in_meta}
    found = [at for at, filename in enumerate(listed) if filename not in in_meta and _last(filename) in known]
    if not found:
        return
    first = listed[found[0]]
    what = (
        f"names {len(found):,} of {len(listed):,} clips otherwise than {META}: {first} is {known[_last(first)]} there"
    )
    problems.append(Problem(name, what, "write each filename as there, with its folder and the same letters"))
    for at in found:
        listed[at] = known[_last(listed[at])]


def _last(filename: str) -> str:
    return filename.rpartition("/")[2].casefold()
