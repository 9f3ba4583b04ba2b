"""The index of a corpus in the TAU layout: clips, scenes, devices, device groups and the official fold.

Layout (TAU Urban Acoustic Scenes 2022 Mobile, Zenodo record 6337421)::

    meta.csv                               filename  scene_label  identifier  source_label   (tab-separated)
    evaluation_setup/fold1_train.csv       filename  scene_label
    evaluation_setup/fold1_evaluate.csv    filename  scene_label
    audio/<clip>.wav
    reference_device.txt                   not in TAU: names the device that most clips come from, where that is not so

Scenes and devices are whatever the files say. Only clips of the fold are used; the remaining rows of ``meta.csv`` are
part of the corpus but not of any experiment.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from asc_experiments.base.errors import Problem, ProblemsError, nearest
from asc_experiments.corpus.audio import unfit

META = "meta.csv"
TRAIN_FOLD = "evaluation_setup/fold1_train.csv"
TEST_FOLD = "evaluation_setup/fold1_evaluate.csv"
REAL_DEVICES = ("a", "b", "c")
"""The devices that TAU recorded with; its other devices are simulated."""
REFERENCE_FILE = "reference_device.txt"
"""A corpus may name its reference device in this file, on one line."""
HELD_OUT_GROUP = "held_out"
"""The group of training devices that a split holds out: heard nowhere in training, and yet chosen by."""

_META_COLUMNS = ("filename", "scene_label", "identifier", "source_label")
_FOLD_COLUMNS = ("filename", "scene_label")
_NAME = re.compile(r"\w[\w .:-]{0,63}")
_LONGEST_REFERENCE = 100


@dataclass(frozen=True)
class Clip:
    """One clip: ``filename`` is its id; a location is a scene at an ``identifier`` (city and place)."""

    filename: str
    scene: str
    identifier: str
    device: str

    @property
    def location(self) -> str:
        """The place a clip was recorded at; clips of one place never lie on both sides of a split."""
        return f"{self.scene}/{self.identifier}"


@dataclass(frozen=True, eq=False)
class Corpus:
    """The clips of the fold, training clips first, both in the order of ``meta.csv``.

    Attributes:
        root: the corpus folder.
        clips: every clip of the fold; a clip's row in this tuple is its row in every array and store.
        n_train: how many of them, from the first, are training clips; the rest are test clips.
        n_meta: how many rows ``meta.csv`` has.
        meta_rows: the row of each clip in ``meta.csv``, counted from 0 without the heading.
        named_reference: the reference device that the corpus names; empty where it names none.
    """

    root: Path
    clips: tuple[Clip, ...]
    n_train: int
    n_meta: int = field(default=0)
    meta_rows: tuple[int, ...] = field(default=())
    named_reference: str = field(default="")

    @classmethod
    def open(cls, root: Path) -> Corpus:
        """Read a corpus's tables (not its audio).

        Raises:
            ProblemsError: if a table is missing or wrong; names the first problem and counts the others.
        """
        corpus, problems = read_index(Path(root))
        if problems or corpus is None:
            raise ProblemsError(problems, f"asc corpus check {root}")
        return corpus

    @cached_property
    def filenames(self) -> tuple[str, ...]:
        """The clip ids, by row."""
        return tuple(clip.filename for clip in self.clips)

    @cached_property
    def scenes(self) -> tuple[str, ...]:
        """The scene names in alphabetical order: the order of a network's logits."""
        return tuple(sorted({clip.scene for clip in self.clips}))

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """The device names in alphabetical order."""
        return tuple(sorted({clip.device for clip in self.clips}))

    @cached_property
    def labels(self) -> np.ndarray:
        """The scene of each clip as an index into :attr:`scenes`; ``(clips,)`` int64."""
        number = {scene: i for i, scene in enumerate(self.scenes)}
        return np.array([number[clip.scene] for clip in self.clips], dtype=np.int64)

    @cached_property
    def device_of(self) -> np.ndarray:
        """The device name of each clip; ``(clips,)``."""
        return np.array([clip.device for clip in self.clips])

    @cached_property
    def reference_device(self) -> str:
        """The device whose clips DIR makes sound like other devices'; TAU's is ``a``.

        As the corpus names it, else the most frequent device of the training fold, the first by name of equals.
        """
        counts = Counter(clip.device for clip in self.clips[: self.n_train])
        return self.named_reference or min(counts, key=lambda device: (-counts[device], device), default="")

    @cached_property
    def place_of(self) -> np.ndarray:
        """The place of each clip, which no other scene shares; ``(clips,)``."""
        return np.array([clip.location for clip in self.clips])

    @property
    def train_rows(self) -> np.ndarray:
        """Rows of the training fold; ``(n_train,)`` int64."""
        return np.arange(self.n_train)

    @property
    def test_rows(self) -> np.ndarray:
        """Rows of the test fold; ``(n_test,)`` int64."""
        return np.arange(self.n_train, len(self.clips))

    def device_groups(self, train_rows: np.ndarray | None = None) -> dict[str, str]:
        """The group of each device.

        ``unseen`` if the training fold lacks it, ``held_out`` if the fold has it and the rows that are trained on do
        not, else ``real`` (a, b, c) or ``seen``.

        Args:
            train_rows: rows that are trained on; the whole training fold by default.
        """
        in_fold = set(self.device_of[self.train_rows].tolist())
        trained = in_fold if train_rows is None else set(self.device_of[train_rows].tolist())

        def group(device: str) -> str:
            if device not in trained:
                return HELD_OUT_GROUP if device in in_fold else "unseen"
            return "real" if device in REAL_DEVICES else "seen"

        return {device: group(device) for device in self.devices}


def read_index(root: Path) -> tuple[Corpus | None, list[Problem]]:
    """Read and validate the tables of a corpus, collecting every problem rather than stopping at the first.

    Returns:
        The corpus, or None where the tables could not be read at all, and the problems found.
    """
    problems: list[Problem] = []
    if not root.is_dir():
        return None, [Problem(str(root), "no such folder", "give the folder that holds meta.csv")]
    meta = _read_table(root, META, _META_COLUMNS, problems)
    train = _read_table(root, TRAIN_FOLD, _FOLD_COLUMNS, problems)
    test = _read_table(root, TEST_FOLD, _FOLD_COLUMNS, problems)
    if meta is None or train is None or test is None:
        return None, problems
    meta = _check_meta(meta, problems)
    clips = {row["filename"]: Clip(*(row[column] for column in _META_COLUMNS)) for row in meta}
    scenes = {clip.scene for clip in clips.values()}
    for name, fold in ((TRAIN_FOLD, train), (TEST_FOLD, test)):
        _check_fold(name, fold, clips, scenes, problems)
    in_train, in_test = ({row["filename"] for row in fold} for fold in (train, test))
    remedy = f"remove it from {TRAIN_FOLD} or {TEST_FOLD}"
    problems += [Problem(name, "the clip is in both folds", remedy) for name in sorted(in_train & in_test)]
    _check_scenes_trained(clips, in_train, in_test, problems)
    training = [clip for clip in clips.values() if clip.filename in in_train]
    testing = [clip for clip in clips.values() if clip.filename in in_test and clip.filename not in in_train]
    row_of = {filename: row for row, filename in enumerate(clips)}
    used = (*training, *testing)
    meta_rows = tuple(row_of[clip.filename] for clip in used)
    reference = _read_reference(root, {clip.device for clip in training}, problems)
    return Corpus(root, used, len(training), len(meta), meta_rows, reference), problems


def _read_reference(root: Path, trained: set[str], problems: list[Problem]) -> str:
    """The reference device that a corpus names; empty where it names none."""
    path = root / REFERENCE_FILE
    if not os.path.lexists(path):
        return ""
    if problem := unfit(root, REFERENCE_FILE):
        problems.append(problem)
        return ""
    try:
        with path.open(encoding="utf-8-sig") as file:
            name = file.read(_LONGEST_REFERENCE).strip()
    except (UnicodeDecodeError, OSError) as error:
        problems.append(Problem(REFERENCE_FILE, f"cannot be read ({error})", "write the name of one device into it"))
        return ""
    if name not in trained:
        what = f"names {name!r}, and no training clip is from such a device"
        problems.append(Problem(REFERENCE_FILE, what, nearest(name, trained)))
        return ""
    return name


def _read_table(
    root: Path, name: str, columns: tuple[str, ...], problems: list[Problem]
) -> list[dict[str, str]] | None:
    if problem := unfit(root, name):
        problems.append(problem)
        return None
    try:
        with (root / name).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter="\t", strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                what = f"column {', '.join(missing)} is missing"
                problems.append(Problem(name, what, "the table is tab-separated with a header: " + " ".join(columns)))
                return None
            rows = list(reader)
    except FileNotFoundError:
        problems.append(Problem(name, f"no such file in {root}", "give a folder in the TAU layout"))
        return None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        problems.append(Problem(name, f"cannot be read ({error})", "save it as a tab-separated UTF-8 text"))
        return None
    if not rows:
        problems.append(Problem(name, "has no rows", "list at least one clip"))
        return None
    whole: list[dict[str, str]] = []
    for line, row in enumerate(rows, start=2):
        if all(row.get(column) for column in columns):
            whole.append(row)
        else:
            problems.append(Problem(f"{name} line {line}", "a column is empty", "fill in " + " ".join(columns)))
    return whole


def _check_meta(meta: list[dict[str, str]], problems: list[Problem]) -> list[dict[str, str]]:
    """Check the rows of meta.csv; returns those whose files lie inside the corpus, so that no other is ever opened."""
    confined = []
    _check_unique(META, meta, problems)
    for row in meta:
        filename = row["filename"]
        path = PurePosixPath(filename)
        if path.is_absolute() or ".." in path.parts or "\\" in filename or "\0" in filename:
            problems.append(Problem(META, f"filename {filename!r} leaves the corpus folder", "use audio/<clip>.wav"))
        elif str(path) != filename:
            problems.append(Problem(META, f"filename {filename!r} is another spelling of {path}", f"write {path}"))
        elif not (filename + row["identifier"]).isprintable():
            problems.append(Problem(META, f"{filename!r} or its identifier holds control characters", "rename it"))
        else:
            confined.append(row)
    for column in ("scene_label", "source_label"):
        wrong = sorted({row[column] for row in meta if not _NAME.fullmatch(row[column])})
        remedy = "use letters, digits, blanks and . : _ -"  # they become parts of metric names
        problems += [Problem(META, f"{column} {name!r} is no name", remedy) for name in wrong]
    return confined


def _check_unique(name: str, rows: list[dict[str, str]], problems: list[Problem]) -> None:
    for filename, count in Counter(row["filename"] for row in rows).items():
        if count > 1:
            problems.append(Problem(name, f"{filename} stands {count} times", "keep one row"))


def _check_fold(
    name: str, fold: list[dict[str, str]], clips: dict[str, Clip], scenes: set[str], problems: list[Problem]
) -> None:
    _check_unique(name, fold, problems)
    for row in fold:
        filename, scene = row["filename"], row["scene_label"]
        clip = clips.get(filename)
        if clip is None:
            problems.append(Problem(name, f"{filename} is not in {META}", f"add it to {META} or remove the row"))
        elif scene not in scenes:
            problems.append(Problem(name, f"{filename} has the unknown scene '{scene}'", nearest(scene, scenes)))
        elif scene != clip.scene:
            what = f"{filename} is '{scene}' here and '{clip.scene}' in {META}"
            problems.append(Problem(name, what, "make them agree"))


def _check_scenes_trained(
    clips: dict[str, Clip], in_train: set[str], in_test: set[str], problems: list[Problem]
) -> None:
    trained = {clips[f].scene for f in in_train if f in clips}
    tested = {clips[f].scene for f in in_test if f in clips}
    remedy = "add some or drop its test clips"
    problems += [Problem(TRAIN_FOLD, f"scene '{s}' has no training clip", remedy) for s in sorted(tested - trained)]
