"""The index of a corpus: clips, scenes, devices, device groups and the fold, whatever its layout.

A :class:`~asc_experiments.corpus.reader.CorpusReader` says what the clips are; what must hold of every corpus is
checked here. One file is read in every layout::

    reference_device.txt    names the device that most clips come from, where that is not so

Scenes and devices are whatever the reader says. Only clips of the fold are used.
"""

from __future__ import annotations

import csv
import functools
import gc
import json
import os
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from asc_experiments.base.errors import AscError, Problem, ProblemsError, nearest
from asc_experiments.corpus.audio import unfit
from asc_experiments.corpus.clips import Clips, Column
from asc_experiments.corpus.reader import (
    MADE_UP_FILE,
    NOISE_FILE,
    SYNTHETIC_TOWN,
    TEST,
    TRAIN,
    UNUSED,
    Clip,
    CorpusReader,
    reader_of,
)
from asc_experiments.corpus.readers.tau import TauReader
from asc_experiments.corpus.tables import check_unique

REAL_DEVICES = ("a", "b", "c")
"""The devices that TAU recorded with; its other devices are simulated."""
REFERENCE_FILE = "reference_device.txt"
"""A corpus may name its reference device in this file, on one line."""
HELD_OUT_GROUP = "held_out"
"""The group of training devices that a split holds out: heard nowhere in training, and yet chosen by."""

_NAME = re.compile(r"\w[\w .:-]{0,63}")
_SCENE_NAME = re.compile(r"(?=.{1,64}$)\w[\w .:-]*(/\w[\w .:-]*)*")
"""TUT's corpora have ``cafe/restaurant``."""
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
"""Nearly all names are of this form, which is fit without a closer look."""
_PLAIN_LETTERS = f"{string.ascii_letters}{string.digits}_-./".encode()
_LONGEST_REFERENCE = 100
_LOOKED_FOR = 8


@dataclass(frozen=True)
class Tables:
    """The files in which mistakes of a corpus are corrected, for messages: of clips, training fold and test fold."""

    clips: str
    train: str
    test: str

    @classmethod
    def of(cls, reader: type[CorpusReader] | CorpusReader) -> Tables:
        """Those of a layout."""
        return cls(reader.table, reader.train_table or reader.table, reader.test_table or reader.table)


_TAU = Tables.of(TauReader)


@dataclass(frozen=True)
class SharedPlaces:
    """Places of the test fold that are trained on too.

    Attributes:
        places: their names, sorted.
        clips: how many test clips are from them.
        of: how many test clips there are.
    """

    places: tuple[str, ...]
    clips: int
    of: int

    @property
    def note(self) -> str:
        """That scores on the test fold are flattered, in a line; empty where no place is shared."""
        if not self.places:
            return ""
        places = "1 place" if len(self.places) == 1 else f"{len(self.places):,} places"
        return (
            f"{self.clips:,} of {self.of:,} test clips are from {places} trained on too: scores on the test "
            "fold are flattered (asc corpus check names them)"
        )

    def to_tag(self) -> str:
        """For a run's tag: ``{"places": 4, "clips": 63, "of": 540}``."""
        return json.dumps({"places": len(self.places), "clips": self.clips, "of": self.of})


@dataclass(frozen=True, eq=False)
class Corpus:
    """The clips of the fold, training clips first, both in the order of the reader.

    Attributes:
        root: the corpus folder.
        clips: every clip of the fold; a clip's row in this sequence is its row in every array and store.
        n_train: how many of them, from the first, are training clips; the rest are test clips.
        n_meta: how many clips it has, those of no fold too: the rows of TAU's ``meta.csv``.
        meta_rows: the row of each clip among all of them, counted from 0; ``(clips,)`` int64.
        named_reference: the reference device that the corpus names; empty where it names none.
        tables: where its mistakes are corrected.
    """

    root: Path
    clips: Sequence[Clip]
    n_train: int
    n_meta: int = field(default=0)
    meta_rows: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    named_reference: str = field(default="")
    tables: Tables = _TAU

    @classmethod
    def open(cls, root: Path) -> Corpus:
        """Read what a corpus says of its clips (not their audio).

        Raises:
            ProblemsError: if its layout is unknown, or a table missing or wrong; names the first and counts the others.
        """
        corpus, problems = read_index(Path(root))
        if problems or corpus is None:
            raise ProblemsError(problems, f"asc corpus check {root}")
        return corpus

    @cached_property
    def columns(self) -> Clips:
        """The clips by columns: what is asked of all of them is asked here, and makes no object of each."""
        return Clips.of(self.clips)

    @property
    def filenames(self) -> tuple[str, ...]:
        """The clip ids, by row."""
        return self.columns.filenames

    @property
    def scenes(self) -> tuple[str, ...]:
        """The scene names in alphabetical order: the order of a network's logits."""
        return self.columns.scenes.names

    @property
    def devices(self) -> tuple[str, ...]:
        """The device names in alphabetical order."""
        return self.columns.devices.names

    @cached_property
    def labels(self) -> np.ndarray:
        """The scene of each clip as an index into :attr:`scenes`; ``(clips,)`` int64."""
        return self.columns.scenes.codes.astype(np.int64)

    @cached_property
    def device_of(self) -> np.ndarray:
        """The device name of each clip; ``(clips,)``."""
        return self.columns.devices.array()

    @cached_property
    def reference_device(self) -> str:
        """The device whose clips DIR makes sound like other devices'; TAU's is ``a``.

        As the corpus names it, else the most frequent device of the training fold, the first by name of equals.
        """
        trained = self.columns.devices.take(slice(self.n_train))
        counts = dict(zip(trained.names, trained.counts().tolist(), strict=True))
        return self.named_reference or min(counts, key=lambda device: (-counts[device], device), default="")

    @property
    def locations(self) -> Column:
        """The place of each clip, which no other scene shares."""
        return self.columns.locations

    @property
    def place_of(self) -> np.ndarray:
        """The same as an array of texts, ``(clips,)``: 20 MB of TAU22's, and made anew each time."""
        return self.locations.array()

    def shared_places(self, train_rows: np.ndarray | None = None) -> SharedPlaces:
        """The places of the test fold that are trained on too: there a network may know the place, not the scene.

        Args:
            train_rows: rows that are trained on or chosen by; the whole training fold by default.
        """
        trained = self.locations.take(self.train_rows if train_rows is None else train_rows)
        tested = self.locations.take(self.test_rows)
        counts = dict(zip(tested.names, tested.counts().tolist(), strict=True))
        shared = tuple(sorted(counts.keys() & set(trained.names)))
        return SharedPlaces(shared, sum(counts[place] for place in shared), len(tested))

    @cached_property
    def is_synthetic(self) -> bool:
        """Whether its sounds were made up: by ``asc corpus synth``, whose places are in no town that there is, or so
        that only its tables are real.
        """
        if (self.root / MADE_UP_FILE).exists():
            return True
        places = self.columns.places.names
        return bool(places) and all(place.startswith(SYNTHETIC_TOWN) for place in places)

    @cached_property
    def label_noise(self) -> float:
        """What part of its training clips carries a wrong label on purpose; 0 where no file of the corpus says so."""
        try:
            return float((self.root / NOISE_FILE).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0.0

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
        devices = self.columns.devices
        in_fold = set(devices.take(self.train_rows).names)
        trained = in_fold if train_rows is None else set(devices.take(train_rows).names)

        def group(device: str) -> str:
            if device not in trained:
                return HELD_OUT_GROUP if device in in_fold else "unseen"
            return "real" if device in REAL_DEVICES else "seen"

        return {device: group(device) for device in self.devices}


def read_index(root: Path) -> tuple[Corpus | None, list[Problem]]:
    """Read and validate what a corpus says of its clips, collecting every problem rather than stopping at the first.

    Returns:
        The corpus, or None where it could not be read at all, and the problems found.
    """
    if not root.is_dir():
        return None, [Problem(str(root), "no such folder", "give the folder of a corpus")]
    try:
        reader = reader_of(root)
    except AscError as error:
        return None, [Problem(error.where, error.what, error.remedy)]
    clips, problems = read_clips(root, reader)
    if not clips and problems:
        return None, problems
    tables = Tables.of(reader)
    in_training, in_testing = (np.flatnonzero(clips.folds.has(fold)) for fold in (TRAIN, TEST))
    trained, tested = (set(clips.scenes.take(rows).names) for rows in (in_training, in_testing))
    _check_folds(tables, trained, tested, problems)
    reference = _read_reference(root, set(clips.devices.take(in_training).names), problems)
    meta_rows = np.concatenate((in_training, in_testing))
    corpus = Corpus(root, clips.take(meta_rows), len(in_training), len(clips), meta_rows, reference, tables)
    if (elsewhere := misplaced(corpus)) is not None:
        problems.append(elsewhere)
    return corpus, problems


def misplaced(corpus: Corpus) -> Problem | None:
    """What is wrong where all clips are named in a way in which they do not lie there: without their folder, say.

    A few are looked for, and None is said where one of them is in its place or cannot be found in another.
    """
    names = corpus.filenames[:: max(1, len(corpus.filenames) // _LOOKED_FOR)]
    if not names or any(os.path.lexists(corpus.root / name) for name in names):
        return None
    found = [_lies_at(corpus.root, name) for name in names]
    name, there = names[0], found[0]
    if there is None or None in found:
        return None
    if there.endswith(f"/{name}"):
        remedy = f"write {there.removesuffix(name)} before each filename"
    elif name.endswith(f"/{there}"):
        remedy = f"write each filename without {name.removesuffix(there)}"
    else:
        remedy = f"write {there}, and the others alike: letters count as large or small"
    return Problem(corpus.tables.clips, f"no clip lies where it says: {name} is {there} in {corpus.root}", remedy)


def _lies_at(root: Path, name: str) -> str | None:
    """Where a file lies that is named without a folder, with one too many, or in other letters; None where nowhere."""
    folders = ("", *sorted(entry.name for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False)))
    for folder in folders:
        for rest in (name, name.rpartition("/")[2]):
            path = PurePosixPath(folder, rest)
            if (found := _in_any_letters(root, path.parts)) is not None:
                return found
    return None


def _in_any_letters(root: Path, parts: tuple[str, ...]) -> str | None:
    found: list[str] = []
    for part in parts:
        there = _names_in(root.absolute().joinpath(*found))
        if part.casefold() not in there:
            return None
        found.append(part if part in there.values() else there[part.casefold()])
    return "/".join(found)


@functools.lru_cache(maxsize=8)
def _names_in(folder: Path) -> dict[str, str]:
    """The files of a folder by their names in small letters."""
    try:
        return {name.casefold(): name for name in os.listdir(folder)}
    except OSError:
        return {}


def read_clips(root: Path, reader: CorpusReader) -> tuple[Clips, list[Problem]]:
    """What a reader says of every clip, those of no fold too; none where it cannot be read at all, and the problems."""
    said: list[Problem] = []
    try:
        with _without_collection():
            read = reader.read(root, said)
            clips = read if isinstance(read, Clips) and _are_in_order(read) else list(read)
    except AscError as error:
        return Clips.of(()), [*said, Problem(error.where, error.what, error.remedy)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return Clips.of(()), [*said, Problem(reader.table, f"cannot be read ({error})", "correct it")]
    problems: list[Problem] = []
    if isinstance(clips, Clips):
        check_names(reader.table, "scene", clips.scenes.names, problems)
        check_names(reader.table, "device", clips.devices.names, problems)
        return clips, problems + said
    return Clips.of(_check_clips(reader.table, clips, problems)), problems + said


def _are_in_order(clips: Clips) -> bool:
    """Whether nothing is wrong with clips by columns, their scenes' and devices' names aside.

    Else each is looked at. Of hundreds of thousands of names that are plain, one look at all of them together takes a
    tenth of the time.
    """
    said = (*clips.scenes.names, *clips.places.names, *clips.devices.names)
    return (
        all(said)
        and all(place.isprintable() for place in clips.places.names)
        and set(clips.folds.names) <= {TRAIN, TEST, UNUSED}
        and clips.tell is not None  # which tells of a name what is in the name
        and _are_plain(clips.filenames)
        and len(set(clips.filenames)) == len(clips)
    )


def _are_plain(names: Sequence[str]) -> bool:
    """Whether all names are :data:`_PLAIN_PATH`, which nearly all are."""
    try:
        text = "\n".join(("", *names, "")).encode("ascii")
    except UnicodeEncodeError:
        return False
    odd = (b"//", b"/.", b"\n/", b"\n.", b"/\n", b"\n\n")
    return text.translate(None, _PLAIN_LETTERS) == b"\n" * (len(names) + 1) and not any(each in text for each in odd)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Make objects without Python looking, again and again, which of all those made so far are no longer needed.

    Of TAU22's 230,350 rows that look is a quarter of the time, and finds nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


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


def _check_clips(table: str, clips: list[Clip], problems: list[Problem]) -> list[Clip]:
    """Check what a reader says; returns the clips whose files lie inside the corpus: no other is ever opened."""
    whole = [clip for clip in clips if _is_whole(clip)]
    if len(whole) < len(clips):
        wrong = next(clip for clip in clips if not _is_whole(clip))
        what = f"{len(clips) - len(whole)} clips are not fully described, such as {wrong!r}"
        problems.append(Problem(table, what[:300], "say file, scene, place, device and fold of each"))
    check_unique(table, (clip.filename for clip in whole), problems)
    confined = []
    for clip in {clip.filename: clip for clip in whole}.values():
        misnamed = None if _PLAIN_PATH.fullmatch(clip.filename) else _wrong_with_path(clip.filename)
        if misnamed is not None:
            problems.append(Problem(table, *misnamed))
        elif not (clip.filename + clip.place + clip.recording).isprintable():
            problems.append(Problem(table, f"{clip.filename!r} or its place holds control characters", "rename it"))
        else:
            confined.append(clip)
    check_names(table, "scene", (clip.scene for clip in whole), problems)
    check_names(table, "device", (clip.device for clip in whole), problems)
    return confined


def _wrong_with_path(filename: str) -> tuple[str, str] | None:
    """What keeps a name from being the one of a file inside the corpus, and the remedy; None where nothing does."""
    path = PurePosixPath(filename)
    if path.is_absolute() or ".." in path.parts or "\\" in filename or "\0" in filename:
        return f"filename {filename!r} leaves the corpus folder", "name a file inside it, such as audio/<clip>.wav"
    if str(path) != filename:
        return f"filename {filename!r} is another spelling of {path}", f"write {path}"
    return None


def check_names(where: str, kind: str, names: Iterable[str], problems: list[Problem]) -> None:
    """Add a problem for each name that cannot be part of a metric's."""
    rule, further = (_SCENE_NAME, " and / between words") if kind == "scene" else (_NAME, "")
    remedy = f"use letters, digits, blanks and . : _ -{further}"
    wrong = sorted({name for name in names if not rule.fullmatch(name)})
    problems += [Problem(where, f"{kind} {name!r} is no name", remedy) for name in wrong]


def _is_whole(clip: Clip) -> bool:
    """Whether everything is said of a clip, as types have it: a reader may be somebody else's."""
    if not isinstance(clip, Clip):
        return False
    said = (clip.filename, clip.scene, clip.place, clip.device)
    return (
        ({*map(type, said)} == {str} or all(isinstance(each, str) for each in said))  # the first is quick
        and all(said)
        and clip.fold in (TRAIN, TEST, UNUSED)
        and isinstance(clip.recording, str)
        and type(clip.position) is int
    )


def _check_folds(tables: Tables, trained: set[str], tested: set[str], problems: list[Problem]) -> None:
    """Check the scenes of both folds: what is tested is trained on, and neither fold is empty."""
    remedy = "add some or drop its test clips"
    problems += [Problem(tables.train, f"scene '{s}' has no training clip", remedy) for s in sorted(tested - trained)]
    for where, fold, scenes in ((tables.train, "training", trained), (tables.test, "test", tested)):
        if not scenes and not problems:
            problems.append(Problem(where, f"no clip is of the {fold} fold", "list at least one"))
