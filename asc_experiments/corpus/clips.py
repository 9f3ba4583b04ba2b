"""Clips by columns: what many have in common is kept once, and an object is made of those that are asked for.

Of TAU22's 230,350 clips an object each, and their texts, take a hundred megabytes and two seconds in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np

from asc_experiments.corpus.reader import Clip

Tell = Callable[[str, str, str, str], tuple[str, int]]
"""Tells a clip's recording, and its position in it, from its file, scene, place and device."""


class Column:
    """A column of texts of which most stand many times.

    Attributes:
        names: the texts, each once, sorted; ``(names,)``.
        codes: which of them stands in each row; ``(rows,)`` int32.
    """

    __slots__ = ("codes", "names")

    def __init__(self, names: Sequence[str], codes: np.ndarray) -> None:
        """Of texts in any order, which need not all stand somewhere, and ``(rows,)`` indices into them."""
        stands = np.flatnonzero(np.bincount(codes, minlength=len(names))).tolist()
        order = sorted(stands, key=names.__getitem__)
        place = np.zeros(len(names), dtype=np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        self.names = tuple(names[code] for code in order)
        self.codes = place[codes]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Column:
        """Of the text in each row."""
        coder = Coder()
        coder.add(list(texts))
        return coder.column()

    def __len__(self) -> int:
        return len(self.codes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Column):
            return NotImplemented
        return self.names == other.names and bool(np.array_equal(self.codes, other.codes))

    __hash__ = None  # type: ignore[assignment]  # what is compared by its content is no key

    def take(self, rows: np.ndarray | slice) -> Column:
        """Some rows of it."""
        return Column(self.names, self.codes[rows])

    def texts(self) -> list[str]:
        """The text in each row: one object for all that are equal."""
        return [self.names[code] for code in self.codes.tolist()]

    def array(self) -> np.ndarray:
        """The same as an array, ``(rows,)``."""
        return np.array(self.names, dtype=str)[self.codes]

    def has(self, text: str) -> np.ndarray:
        """Whether a text stands in each row, ``(rows,)`` bool."""
        return np.asarray(self.codes == (self.names.index(text) if text in self.names else -1))

    def counts(self) -> np.ndarray:
        """In how many rows each name stands, ``(names,)``."""
        return np.bincount(self.codes, minlength=len(self.names))


class Coder:
    """Makes a :class:`Column` of texts that come piece by piece."""

    def __init__(self) -> None:
        self._code_of: dict[str, int] = {}
        self._pieces: list[np.ndarray] = []

    def add(self, texts: Sequence[str]) -> None:
        """Add the texts of some more rows."""
        code_of = self._code_of
        for text in set(texts) - code_of.keys():
            code_of[text] = len(code_of)
        self._pieces.append(np.fromiter(map(code_of.__getitem__, texts), np.int32, len(texts)))

    def column(self) -> Column:
        """All of them."""
        return Column(list(self._code_of), np.concatenate([np.empty(0, np.int32), *self._pieces]))


class Clips(Sequence[Clip]):
    """A sequence of clips, kept by columns.

    Attributes:
        filenames: the clip ids.
        scenes: the scene of each.
        places: the place of each.
        devices: the device of each.
        folds: the fold of each.
        tell: what tells recordings from names, where that is so; then they are kept nowhere.
    """

    def __init__(
        self,
        filenames: tuple[str, ...],
        scenes: Column,
        places: Column,
        devices: Column,
        folds: Column,
        recordings: tuple[Column, Sequence[int]] | Tell,
    ) -> None:
        """Of columns.

        Args:
            filenames: as the attribute.
            scenes: as the attribute.
            places: as the attribute.
            devices: as the attribute.
            folds: as the attribute.
            recordings: the recording of each and its position in it, or what tells them.
        """
        self.filenames, self.scenes, self.places = filenames, scenes, places
        self.devices, self.folds = devices, folds
        self._recordings = recordings

    @classmethod
    def of(cls, clips: Iterable[Clip]) -> Clips:
        """Of clips that are objects."""
        if isinstance(clips, Clips):
            return clips
        every = list(clips)
        return cls(
            tuple(clip.filename for clip in every),
            Column.of(clip.scene for clip in every),
            Column.of(clip.place for clip in every),
            Column.of(clip.device for clip in every),
            Column.of(clip.fold for clip in every),
            (Column.of(clip.recording for clip in every), [clip.position for clip in every]),
        )

    @property
    def tell(self) -> Tell | None:
        """What tells recordings from names; None where they are kept."""
        return None if isinstance(self._recordings, tuple) else self._recordings

    def __len__(self) -> int:
        return len(self.filenames)

    @overload
    def __getitem__(self, at: int) -> Clip: ...

    @overload
    def __getitem__(self, at: slice) -> Clips: ...

    def __getitem__(self, at: int | slice) -> Clip | Clips:
        if isinstance(at, slice):
            return self._part(self.filenames[at], at)
        scene, place, device, fold = (each.names[each.codes[at]] for each in (*self._said, self.folds))
        if isinstance(self._recordings, tuple):
            column, positions = self._recordings
            recording, position = column.names[column.codes[at]], positions[at]
        else:
            recording, position = self._recordings(self.filenames[at], scene, place, device)
        return Clip(self.filenames[at], scene, place, device, fold, recording, position)

    def __iter__(self) -> Iterator[Clip]:
        scenes, places, devices = (each.texts() for each in self._said)
        if isinstance(self._recordings, tuple):
            recordings, positions = self._recordings
            told: Iterable[tuple[str, int]] = zip(recordings.texts(), positions, strict=True)
        else:
            told = map(self._recordings, self.filenames, scenes, places, devices)
        said = zip(self.filenames, scenes, places, devices, self.folds.texts(), told, strict=True)
        return (Clip(name, scene, place, device, fold, *last) for name, scene, place, device, fold, last in said)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(ours == theirs for ours, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def take(self, rows: np.ndarray) -> Clips:
        """The clips of these rows, in their order."""
        return self._part(tuple(map(self.filenames.__getitem__, rows.tolist())), rows)

    @cached_property
    def locations(self) -> Column:
        """The scene and place of each, as :attr:`Clip.location` has them."""
        pairs = self.scenes.codes.astype(np.int64) * len(self.places.names) + self.places.codes
        found, codes = np.unique(pairs, return_inverse=True)
        of_scene, of_place = np.divmod(found, max(1, len(self.places.names)))
        names = [
            f"{self.scenes.names[scene]}/{self.places.names[place]}"
            for scene, place in zip(of_scene.tolist(), of_place.tolist(), strict=True)
        ]
        joined = Column.of(names)  # a/b and c are called as a and b/c are
        return Column(joined.names, joined.codes[codes])

    @property
    def _said(self) -> tuple[Column, Column, Column]:
        return self.scenes, self.places, self.devices

    def _part(self, filenames: tuple[str, ...], rows: np.ndarray | slice) -> Clips:
        scenes, places, devices = (each.take(rows) for each in self._said)
        recordings = self._recordings
        if isinstance(recordings, tuple):
            column, positions = recordings
            of_rows = range(len(self))[rows] if isinstance(rows, slice) else rows.tolist()
            recordings = column.take(rows), [positions[row] for row in of_rows]
        return Clips(filenames, scenes, places, devices, self.folds.take(rows), recordings)
