"""The door through which a corpus layout comes in: one class that says of each clip what the program asks.

A package elsewhere opens it with an entry point of the group ``asc_experiments.corpora`` that names its module::

    [project.entry-points."asc_experiments.corpora"]
    city_folders = "my_package.city_folders"

The TAU layout uses the same door.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from asc_experiments.base.entry_points import Registry, in_a_line
from asc_experiments.base.errors import AscError, Problem

GROUP = "asc_experiments.corpora"
"""The entry points that name modules of corpus readers."""
TRAIN, TEST, UNUSED = "train", "test", ""
"""The folds that a clip may be in."""
NOISE_FILE = "label_noise.txt"
"""A synthetic corpus says in this file what part of its training clips carries a wrong label on purpose."""
MADE_UP_FILE = "made_up.txt"
"""A corpus whose places are real ones' and whose sounds are made up has this file."""
SYNTHETIC_TOWN = "synthville-"
"""What the places of ``asc corpus synth`` begin with, and no others."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip, as a reader describes it.

    Attributes:
        filename: its file inside the corpus folder, with ``/`` between folders: the clip's id.
        scene: the label.
        place: where it was recorded, such as city and number; what TAU calls the identifier.
        device: what recorded it.
        fold: ``train``, ``test``, or empty where no experiment uses it.
        recording: names the longer recording that it was cut from, among those of its place and device; empty where
            none is known.
        position: which clip of the recording it is: consecutive numbers follow each other without a gap.
    """

    filename: str
    scene: str
    place: str
    device: str
    fold: str = UNUSED
    recording: str = ""
    position: int = 0

    @property
    def location(self) -> str:
        """The place with its scene; clips of one never lie on both sides of a validation split."""
        return f"{self.scene}/{self.place}"


class CorpusReader(ABC):
    """What the program asks of a corpus layout.

    What a reader says is part of the corpus digest, and so of every key: scene, place, device, fold, recording.

    Attributes:
        name: for messages, and for ``asc corpus import --layout``.
        layout: what a folder in this layout holds, in a few words, for whoever gives another one.
        table: the file in which a mistake is corrected, for messages.
        train_table: the same for the training fold; ``table`` where it is empty.
        test_table: the same for the test fold.

    Examples:
        >>> @register_corpus_reader
        ... class CityFolders(CorpusReader):
        ...     name = "city_folders"
        ...     layout = "clips.json and a folder of FLAC files per city"
        ...     table = "clips.json"
        ...
        ...     def claims(self, root: Path) -> bool:
        ...         return (root / "clips.json").is_file()
        ...
        ...     def read(self, root: Path, problems: list[Problem]) -> Iterable[Clip]:
        ...         for clip in json.loads((root / "clips.json").read_text()):
        ...             yield Clip(clip["file"], clip["scene"], clip["city"], clip["phone"], clip["fold"])
    """

    name: ClassVar[str]
    layout: ClassVar[str]
    table: ClassVar[str]
    train_table: ClassVar[str] = ""
    test_table: ClassVar[str] = ""

    @abstractmethod
    def claims(self, root: Path) -> bool:
        """Whether a folder is in this layout, as a look at a few names in it tells; no other reader may claim it too.

        Args:
            root: a folder that exists.
        """

    @abstractmethod
    def read(self, root: Path, problems: list[Problem]) -> Iterable[Clip]:
        """Every clip of the corpus, in an order that does not change: a clip's row follows from it.

        That names are inside the folder and unique, and that scenes are trained on, is checked for every layout.

        Args:
            root: the corpus folder, which this reader claims.
            problems: takes what is wrong; whatever is yielded beside it is used for finding further problems only.

        Raises:
            AscError: if it cannot be read at all.
        """


_READERS: Registry[CorpusReader] = Registry("corpus reader", GROUP)


def register_corpus_reader(kind: type[CorpusReader]) -> type[CorpusReader]:
    """Have a class be a corpus reader, under its ``name``.

    Raises:
        AscError: if there is another one of that name, or it lacks something.
    """
    where = f"corpus reader '{getattr(kind, 'name', kind.__name__)}'"
    for wanted in ("name", "layout", "table"):
        if not hasattr(kind, wanted):
            raise AscError(where, f"has no '{wanted}'", "see asc_experiments.corpus.CorpusReader")
    _READERS.add(kind.name, kind())
    return kind


def corpus_readers() -> Registry[CorpusReader]:
    """Every reader there is, by name, that of TAU first."""
    _load_outside()
    return _READERS


@functools.cache
def _load_outside() -> None:
    _READERS.load_outside()


def reader_of(root: Path) -> CorpusReader:
    """The reader of a folder's layout.

    Raises:
        AscError: if none claims it, with what each looks for, or several do.
    """
    readers = corpus_readers()
    claiming, failed = [], dict(_READERS.broken)
    for name, reader in readers.items():
        try:
            if reader.claims(root):
                claiming.append(reader)
        except Exception as error:  # a reader that fails on a folder must not stand in the way of the others
            failed[name] = in_a_line(error)
    if len(claiming) == 1:
        return claiming[0]
    if claiming:
        names = " and ".join(f"'{reader.name}'" for reader in claiming)
        raise AscError(root, f"is claimed by the corpus readers {names}", "uninstall one, or have it claim less")
    known = "; ".join(f"{reader.name}: {reader.layout}" for reader in readers.values())
    lost = "".join(f" (corpus reader '{name}' cannot be used: {reason})" for name, reason in failed.items())
    what = f"is in the layout of no corpus reader{lost}"
    raise AscError(root, what, f"give a folder in one of these ({known}), or make one of it: asc corpus import")
