"""The import as a whole: recordings are found, given folds and cut; the corpus appears when it is whole."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asc_experiments.base.errors import AscError, Problem, ProblemsError
from asc_experiments.base.processors import processors
from asc_experiments.base.progress import progress
from asc_experiments.corpus.importing.cutting import Cut, Sound, cut, look_at
from asc_experiments.corpus.importing.sources import Order, Recording, find_recordings
from asc_experiments.corpus.index import REFERENCE_FILE, Corpus, read_index
from asc_experiments.corpus.new_folder import new_folder
from asc_experiments.corpus.reader import TEST, TRAIN, UNUSED, Clip
from asc_experiments.corpus.readers.tau import in_a_name, write_tables
from asc_experiments.corpus.splits import ValidationSplit, split_training_fold

_SHORTEST_S = 0.05
_SEE_ALL = "asc corpus import lists them"


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        recordings: how many files were cut.
        clips: those that were written.
        clip_seconds: how long each is.
        left_out: how many of what were not, by the reason.
    """

    recordings: int
    clips: tuple[Clip, ...]
    clip_seconds: float
    left_out: Counter[str]

    def facts(self) -> dict[str, Any]:
        """Counts of clips by scene, device and fold, for a table or JSON."""
        places = {fold: {clip.location for clip in self.clips if clip.fold == fold} for fold in (TRAIN, TEST)}
        return {
            "recordings": self.recordings,
            "clips": len(self.clips),
            "clip_seconds": self.clip_seconds,
            "places": {"training": len(places[TRAIN]), "test": len(places[TEST])},
            "folds": _by_fold(self.clips),
            "scenes": {scene: _by_fold(clips) for scene, clips in _grouped(self.clips, "scene").items()},
            "devices": {device: _by_fold(clips) for device, clips in _grouped(self.clips, "device").items()},
            "left_out": dict(self.left_out),
        }


def import_corpus(order: Order) -> Imported:
    """Write a corpus in the TAU layout from recordings in another one.

    Raises:
        AscError: if an option is none, or the folder in use.
        ProblemsError: with every recording that cannot be imported as it is; nothing is written then.
    """
    if order.clip_seconds < _SHORTEST_S:
        what = f"is less than {_SHORTEST_S:g} s, of which no network here hears anything"
        raise AscError(f"--clip {order.clip_seconds:g}s", what, "give, for example, 1s")
    source, folder = order.source.resolve(), order.folder.resolve()
    if folder.is_relative_to(source):
        raise AscError(order.folder, "lies in the source", "give a folder elsewhere")
    problems: list[Problem] = []
    left_out: Counter[str] = Counter()
    fraction = order.fraction
    with new_folder(order.folder) as partial:
        root, found = find_recordings(order, problems, left_out)
        if fraction is None:
            left_out["recordings in neither fold"] += sum(each.fold == UNUSED for each in found)
            found = [each for each in found if each.fold != UNUSED]
        sounds = _looked_at(root, found, order.clip_seconds, problems, left_out)
        found = [each for each in found if each.file in sounds]
        if fraction is None:
            problems += _places_in_both(found)
        elif not problems:
            found = _with_folds(found, sounds, fraction, order, problems)
        _refuse(problems, order, found)
        clips = _cut_all(root, found, sounds, partial, problems, left_out)
        _refuse(problems, order, clips)
        write_tables(partial, clips)
        if (root / REFERENCE_FILE).is_file() and order.device_from is None:
            shutil.copyfile(root / REFERENCE_FILE, partial / REFERENCE_FILE)
        _refuse(read_index(partial)[1], order, clips)
    return Imported(len(found), tuple(clips), order.clip_seconds, +left_out)


def _refuse(problems: Sequence[Problem], order: Order, left: Sequence[object]) -> None:
    if problems:
        raise ProblemsError(problems, _SEE_ALL)
    if not left:
        what = f"has no recording to import that lasts {order.clip_seconds:g} s"
        raise AscError(order.source, what, "look at --layout, --split and --clip")


def _looked_at(
    root: Path, found: Sequence[Recording], seconds: float, problems: list[Problem], left_out: Counter[str]
) -> dict[str, Sound]:
    """What the headers say of the recordings that hold a clip or more, by file."""
    sounds = {}
    with progress(len(found), "looking at", "recordings") as advance, ThreadPoolExecutor(processors()) as pool:
        for recording, looked in zip(found, pool.map(lambda r: look_at(root, r.file, seconds), found), strict=True):
            if isinstance(looked, Problem):
                problems.append(looked)
            elif looked.clips:
                sounds[recording.file] = looked
            else:
                left_out["recordings shorter than a clip"] += 1
            advance()
    return sounds


def _location(recording: Recording) -> str:
    return f"{recording.scene}/{recording.place}"


def _places_in_both(found: Sequence[Recording]) -> list[Problem]:
    folds = defaultdict(set)
    for each in found:
        folds[_location(each)].add(each.fold)
    remedy = "keep it in one fold, or have whole places drawn: --split 0.3"
    return [Problem(place, "the place is in both folds", remedy) for place, of in folds.items() if len(of) > 1]


def _with_folds(
    found: Sequence[Recording], sounds: dict[str, Sound], fraction: float, order: Order, problems: list[Problem]
) -> list[Recording]:
    """The recordings with folds: whole places are drawn for the test fold, of each scene about the same part."""
    places = defaultdict(set)
    for each in found:
        places[each.scene].add(each.place)
    remedy = "record another place of it, or leave its recordings away"
    few = [scene for scene, of in places.items() if len(of) < 2]
    if few or not found:
        problems += [Problem(scene, "the scene has one place, and needs one in each fold", remedy) for scene in few]
        return list(found)
    of = [row for row, each in enumerate(found) for _ in range(sounds[each.file].clips)]
    clips = tuple(Clip(str(n), found[row].scene, found[row].place, "") for n, row in enumerate(of))
    split = ValidationSplit(fraction=fraction, seed=order.seed)
    _, tested = split_training_fold(Corpus(order.source, clips, len(clips)), split)
    rows = {of[row] for row in tested.tolist()}
    return [replace(each, fold=TEST if row in rows else TRAIN) for row, each in enumerate(found)]


def _cut_all(
    root: Path,
    found: Sequence[Recording],
    sounds: dict[str, Sound],
    partial: Path,
    problems: list[Problem],
    left_out: Counter[str],
) -> list[Clip]:
    (partial / "audio").mkdir()
    names = _names(found, sounds)

    def work(each: tuple[Recording, list[str]]) -> Cut:
        return cut(root, each[0], sounds[each[0].file], each[1], partial)

    clips: list[Clip] = []
    pool = ThreadPoolExecutor(processors())
    try:
        with progress(len(found), "cutting", "recordings") as advance:
            for done in pool.map(work, zip(found, names, strict=True)):
                clips += done.clips
                left_out.update(done.left_out)
                problems += [done.problem] if done.problem else []
                advance()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return clips


def _names(found: Sequence[Recording], sounds: dict[str, Sound]) -> list[list[str]]:
    """The files of each recording's clips, named as TAU22 does: a recording's clips follow each other by their names.

    Files that are parts of one longer recording, equally many whole clips long, keep their places in that.
    """
    parts = defaultdict(set)
    for each in found:
        sound = sounds[each.file]
        parts[_whole(each)].add((sound.clips, sound.has_rest))
    taken: set[str] = set()
    names = []
    for number, each in enumerate(found):
        count = sounds[each.file].clips
        follows = parts[_whole(each)] == {(count, False)}
        made = _named(each, each.recording or str(number), each.position * count if follows else 0, count)
        if not taken.isdisjoint(made):
            made = _named(each, f"{each.recording}.{number}", 0, count)
        taken.update(made)
        names.append(made)
    return names


def _whole(recording: Recording) -> tuple[str, ...]:
    return recording.scene, recording.place, recording.device, recording.recording


def _named(recording: Recording, segment: str, first: int, count: int) -> list[str]:
    begin = f"audio/{in_a_name(recording.scene)}-{recording.place}-{segment}"
    return [f"{begin}-{position}-{recording.device}.wav" for position in range(first, first + count)]


def _grouped(clips: Sequence[Clip], by: str) -> dict[str, list[Clip]]:
    groups = defaultdict(list)
    for clip in clips:
        groups[getattr(clip, by)].append(clip)
    return dict(sorted(groups.items()))


def _by_fold(clips: Sequence[Clip]) -> dict[str, int]:
    counts = Counter(clip.fold for clip in clips)
    return {"training": counts[TRAIN], "test": counts[TEST]}
