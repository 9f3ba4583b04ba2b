"""Which recordings there are to import, as each layout tells: their scenes, places, devices and folds."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from asc_experiments.base.errors import AscError, Problem, nearest
from asc_experiments.base.hashing import digest_bytes
from asc_experiments.corpus.audio import is_sound
from asc_experiments.corpus.index import check_names, read_clips
from asc_experiments.corpus.reader import TEST, TRAIN, UNUSED, Clip, corpus_readers
from asc_experiments.corpus.readers.tau import in_a_name
from asc_experiments.corpus.tables import Row, check_unique, read_table

CLASS_FOLDERS, CSV = "class-folders", "csv"
LAYOUTS = "tau (or another reader's name), class-folders or csv"
KEEP = "keep"
_FILE, _SCENE, _FOLD = ("filename", "file", "path"), ("scene_label", "scene", "label", "class", "category"), "fold"
_DEFAULT_DEVICE, _DEFAULT_FRACTION = "a", 0.3
_LONGEST_PLACE = 60

Pick = Callable[[str, Row], str]
"""What a file's name, or its row, says; empty where it says nothing."""


@dataclass(frozen=True)
class Order:
    """What is wanted of an import.

    Attributes:
        source: a folder, or the table of ``csv``.
        folder: becomes the corpus.
        layout: of the source.
        clip_seconds: how long each clip is to be.
        device_from: a regular expression with one group, searched for in a file's path, or a column.
        place_from: the same for the place.
        split: ``keep`` takes the source's folds, a fraction draws so many places for the test fold, ``COLUMN=VALUE``
            tests the rows of a table that have it; by default ``keep`` where the source has folds, else 0.3.
        seed: decides which places are drawn.
    """

    source: Path
    folder: Path
    layout: str
    clip_seconds: float = 1.0
    device_from: str | None = None
    place_from: str | None = None
    split: str | None = None
    seed: int = 0

    @property
    def fraction(self) -> float | None:
        """The part of the clips that is drawn for the test fold; None where the source says its folds.

        Raises:
            AscError: if it is none that can be drawn.
        """
        text = self.split
        if text is None:
            return _DEFAULT_FRACTION if self.layout in (CLASS_FOLDERS, CSV) else None
        if text == KEEP or "=" in text:
            return None
        try:
            fraction = float(text)
        except ValueError:
            raise AscError(
                f"--split {text}", "is no split", "write keep, COLUMN=VALUE, or a part such as 0.3"
            ) from None
        if not 0 < fraction <= 0.5:
            raise AscError(f"--split {text}", "cannot be the part of the test fold", "give one above 0, up to 0.5")
        return fraction


@dataclass(frozen=True)
class Recording:
    """A sound file of the source.

    Attributes:
        file: inside the source's folder.
        scene, place, device: as the layout, or an option, says.
        fold: ``train``, ``test``, or empty: not used, or still to be drawn.
        recording, position: of what longer recording the file is a part already, where that is known.
    """

    file: str
    scene: str
    place: str
    device: str
    fold: str = UNUSED
    recording: str = ""
    position: int = 0


def find_recordings(order: Order, problems: list[Problem], left_out: Counter[str]) -> tuple[Path, list[Recording]]:
    """The recordings of a source, and the folder that their files are named from.

    Args:
        order: what is wanted.
        problems: takes what is wrong.
        left_out: counts what is not imported, by the reason.

    Raises:
        AscError: if the source, the layout or an option is none.
    """
    if not order.source.exists():
        raise AscError(order.source, "does not exist", "give a folder of recordings, or a table of them")
    if order.layout == CLASS_FOLDERS:
        root, found = order.source, _of_class_folders(order, problems, left_out)
    elif order.layout == CSV:
        root, found = _of_table(order, problems)
    elif order.layout in corpus_readers():
        root, found = order.source, _of_reader(order, problems)
    else:
        known = (*corpus_readers(), CLASS_FOLDERS, CSV)
        raise AscError(f"--layout {order.layout}", "is no layout", nearest(order.layout, known))
    check_names(str(order.source), "scene", (each.scene for each in found), problems)
    check_names(str(order.source), "device", (each.device for each in found), problems)
    return root, found


def _of_reader(order: Order, problems: list[Problem]) -> list[Recording]:
    _refuse_column(order)
    clips, wrong = read_clips(order.source, corpus_readers()[order.layout])
    problems += wrong
    device, place = _pick("--device-from", order.device_from), _pick("--place-from", order.place_from)
    return [
        Recording(
            clip.filename,
            clip.scene,
            _place(_asked(place, clip.filename, {}, "--place-from", problems) if place else clip.place),
            _asked(device, clip.filename, {}, "--device-from", problems) if device else clip.device,
            clip.fold,
            clip.recording.rpartition("/")[2] or _segment(clip),
            clip.position,
        )
        for clip in clips
    ]


def _segment(clip: Clip) -> str:
    """What stands in a file's name between scene and place and the device, as in TAU20; empty in another form."""
    name = clip.filename.rpartition("/")[2]
    begin, end = f"{in_a_name(clip.scene)}-{clip.place}-", f"-{clip.device}.wav"
    inner = name[len(begin) : -len(end)] if name.startswith(begin) and name.endswith(end) else ""
    return inner if inner.isalnum() else ""


def _of_class_folders(order: Order, problems: list[Problem], left_out: Counter[str]) -> list[Recording]:
    """Every sound file below a folder that has the name of its scene."""
    _refuse_column(order)
    if order.split == KEEP:
        raise AscError("--split keep", "folders of scenes have no folds", "give a part such as 0.3")
    if not order.source.is_dir():
        raise AscError(order.source, "is no folder", "give the folder that holds one folder per scene")
    device, place = _pick("--device-from", order.device_from), _pick("--place-from", order.place_from)
    found = []
    for file in _sounds(order.source):
        scene, separator, rest = file.partition("/")
        if not separator:
            left_out["files in no scene's folder"] += 1
            continue
        where = _asked(place, file, {}, "--place-from", problems) if place else os.path.splitext(rest)[0]
        what = _asked(device, file, {}, "--device-from", problems) if device else _DEFAULT_DEVICE
        found.append(Recording(file, scene, _place(where), what))
    return found


def _sounds(root: Path) -> Iterable[str]:
    """The sound files below a folder by name, hidden ones left out; each once, whatever links lead to it."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if is_sound(path):
                yield path.relative_to(root).as_posix()


def _of_table(order: Order, problems: list[Problem]) -> tuple[Path, list[Recording]]:
    """The rows of a table, each with the path of its file from the table's folder."""
    path = order.source.resolve()
    if path.is_dir():
        raise AscError(order.source, "is a folder", "give the table itself")
    columns, delimiter = _header(path)
    file, scene = _column(path, columns, _FILE, "files"), _column(path, columns, _SCENE, "scenes")
    name, _, tested = (order.split or "").partition("=")
    fold = _FOLD if order.split == KEEP else name if tested else ""
    if fold and fold not in columns:
        raise AscError(f"--split {order.split}", f"{path.name} has no column '{fold}'", nearest(fold, columns))
    device, place = _pick("--device-from", order.device_from, columns), _pick("--place-from", order.place_from, columns)
    rows = read_table(path.parent, path.name, (file, scene), problems, delimiter) or []
    check_unique(path.name, (row[file] for row in rows), problems)
    found = []
    for row in rows:
        if not row[file].isprintable():
            problems.append(Problem(path.name, f"{row[file]!r} holds control characters", "rename the file"))
            continue
        where = _asked(place, row[file], row, "--place-from", problems) if place else os.path.splitext(row[file])[0]
        what = _asked(device, row[file], row, "--device-from", problems) if device else _DEFAULT_DEVICE
        of = _fold(row, fold, tested, path.name, problems) if fold else UNUSED
        found.append(Recording(row[file], row[scene], _place(where), what, of))
    return path.parent, found


def _header(path: Path) -> tuple[list[str], str]:
    """The columns of a table, and what stands between them."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            line = file.readline(10_000)
    except (OSError, UnicodeDecodeError) as error:
        raise AscError(path, f"cannot be read ({error})", "save it as UTF-8 text") from None
    delimiter = max("\t,;", key=line.count)
    return next(csv.reader([line], delimiter=delimiter), []), delimiter


def _column(path: Path, columns: Collection[str], names: tuple[str, ...], what: str) -> str:
    found = next((name for name in names if name in columns), None)
    if found is None:
        raise AscError(path, f"has no column of {what}", f"call it {', '.join(names[:-1])} or {names[-1]}")
    return found


def _fold(row: Row, column: str, tested: str, where: str, problems: list[Problem]) -> str:
    value = row.get(column) or ""
    if tested:
        return TEST if value == tested else TRAIN
    if value not in (TRAIN, TEST, UNUSED):
        problems.append(
            Problem(where, f"fold '{value}' is none", "write train, test, or nothing; or --split fold=VALUE")
        )
    return value


def _refuse_column(order: Order) -> None:
    if order.split is not None and "=" in order.split:
        raise AscError(f"--split {order.split}", "names a column, which only a table has", "write keep, or a part")


def _pick(option: str, text: str | None, columns: Collection[str] = ()) -> Pick | None:
    """What an option takes from a file's path or row; None where it is not given.

    Raises:
        AscError: if it is neither a column nor a regular expression with one group.
    """
    if text is None:
        return None
    if text in columns:
        return lambda file, row: row.get(text) or ""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise AscError(f"{option} {text}", f"is no regular expression ({error})", "correct it") from None
    if pattern.groups != 1:
        remedy = r"put the part that names it in brackets, as in '-(\w+)\.wav$'"
        what = "is neither a column nor a regular expression with one group" if columns else "has not one group"
        raise AscError(f"{option} {text}", what, nearest(text, columns) if columns else remedy)
    return lambda file, row: found[1] or "" if (found := pattern.search(file)) else ""


def _asked(pick: Pick, file: str, row: Row, option: str, problems: list[Problem]) -> str:
    value = pick(file, row)
    if not value:
        problems.append(Problem(file, f"{option} finds nothing", "have it match every file, or take this one away"))
    return value or "?"


def _place(name: str) -> str:
    """A place as part of a file's name."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("_") or "_"
    return plain if len(plain) <= _LONGEST_PLACE else f"{plain[:_LONGEST_PLACE]}.{digest_bytes(name.encode(), 8)}"
