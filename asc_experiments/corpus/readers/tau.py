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
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from sys import intern

from asc_experiments.base.errors import Problem, nearest
from asc_experiments.corpus.reader import TEST, TRAIN, UNUSED, Clip, CorpusReader, register_corpus_reader
from asc_experiments.corpus.tables import Row, check_unique, read_table

META = "meta.csv"
TRAIN_FOLD = "evaluation_setup/fold1_train.csv"
TEST_FOLD = "evaluation_setup/fold1_evaluate.csv"
_TEST_NAMES = "evaluation_setup/fold1_test.csv"
META_COLUMNS = ("filename", "scene_label", "identifier", "source_label")
FOLD_COLUMNS = ("filename", "scene_label")
_IN_META: Callable[[Row], tuple[str, str, str, str]] = operator.itemgetter(*META_COLUMNS)
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
        meta = read_table(root, META, META_COLUMNS, problems)
        train = read_table(root, TRAIN_FOLD, FOLD_COLUMNS, problems)
        test = read_table(root, TEST_FOLD, FOLD_COLUMNS, problems)
        if meta is None or train is None or test is None:
            return []
        scene_of = {row["filename"]: row["scene_label"] for row in meta}
        for name, fold in ((TRAIN_FOLD, train), (TEST_FOLD, test)):
            _rename(name, fold, scene_of, problems)
            _check_fold(name, fold, scene_of, problems)
        in_train, in_test = ({row["filename"] for row in fold} for fold in (train, test))
        remedy = f"remove it from {TRAIN_FOLD} or {TEST_FOLD}"
        problems += [Problem(name, "the clip is in both folds", remedy) for name in sorted(in_train & in_test)]
        fold_of = dict.fromkeys(in_test, TEST) | dict.fromkeys(in_train, TRAIN)
        return [_clip(row, fold_of) for row in meta]


def _clip(row: Row, fold_of: dict[str, str]) -> Clip:
    filename, scene, place, device = _IN_META(row)
    return tau_clip(filename, scene, place, device, fold_of.get(filename, UNUSED))


def tau_clip(filename: str, scene: str, place: str, device: str, fold: str = UNUSED) -> Clip:
    """A clip with the recording and the second that its name tells; without, where it does not say them.

    What clips have in common is one text for all of them.
    """
    recording, second = recording_of(filename, scene, place, device)
    return Clip(filename, intern(scene), intern(place), intern(device), fold, intern(recording), second)


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


def _check_fold(name: str, fold: list[Row], scene_of: dict[str, str], problems: list[Problem]) -> None:
    check_unique(name, [row["filename"] for row in fold], problems)
    scenes = set(scene_of.values())
    for row in fold:
        filename, scene = row["filename"], row["scene_label"]
        known = scene_of.get(filename)
        if known is None:
            problems.append(Problem(name, f"{filename} is not in {META}", f"add it to {META} or remove the row"))
        elif scene not in scenes:
            problems.append(Problem(name, f"{filename} has the unknown scene '{scene}'", nearest(scene, scenes)))
        elif scene != known:
            what = f"{filename} is '{scene}' here and '{known}' in {META}"
            problems.append(Problem(name, what, "make them agree"))


def _rename(name: str, fold: list[Row], scene_of: dict[str, str], problems: list[Problem]) -> None:
    """Have a fold name its clips as the other table does; one problem for all it names by other folders or letters."""
    unknown = [row for row in fold if row["filename"] not in scene_of]
    known = {_last(filename): filename for filename in scene_of} if unknown else {}
    found = [row for row in unknown if _last(row["filename"]) in known]
    if not found:
        return
    first = found[0]["filename"]
    what = f"names {len(found):,} of {len(fold):,} clips otherwise than {META}: {first} is {known[_last(first)]} there"
    problems.append(Problem(name, what, "write each filename as there, with its folder and the same letters"))
    for row in found:
        row["filename"] = known[_last(row["filename"])]


def _last(filename: str) -> str:
    return filename.rpartition("/")[2].casefold()
