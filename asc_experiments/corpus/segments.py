"""Segments: the recordings of several seconds that a corpus's clips were cut from.

The corpus's reader says of each clip which recording it is of, and where in it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from asc_experiments.corpus.index import Corpus
from asc_experiments.corpus.reader import Clip


@dataclass(frozen=True, eq=False)
class Segments:
    """Runs of consecutive clips of one recording at one place by one device, as arrays to look batches up in.

    Attributes:
        order: ``(rows,)`` int64, the corpus's rows that were asked for: one run after the other, each in time.
        first: ``(clips,)`` int64, by the corpus's rows: where in ``order`` the clip's run begins.
        length: ``(clips,)`` int64, by the corpus's rows: how many clips its run has; 0 where it was not asked for.
    """

    order: np.ndarray
    first: np.ndarray
    length: np.ndarray

    def windows(self, rows: np.ndarray, starts: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where windows of a clip's length lie in the runs of these clips.

        Args:
            rows: ``(batch,)`` int64 rows of the corpus.
            starts: ``(batch,)`` int64, where each window begins in its run, in samples: at most ``length - 1`` clips.
            samples: a clip's length.

        Returns:
            Each ``(batch,)`` int64: the row of the clip that a window begins in; the row of the next clip, or the same
            where the window needs no other; and how many samples of the first one come before the window.
        """
        clip, offset = np.divmod(starts, samples)
        place = self.first[rows] + clip
        return self.order[place], self.order[place + (offset > 0)], offset


def find_segments(corpus: Corpus, rows: np.ndarray) -> Segments:
    """The runs among these rows, which need not be neighbours in the corpus.

    A missing clip ends a run; a clip whose recording is not known is a run by itself.

    Args:
        corpus: the corpus.
        rows: ``(rows,)`` int64, the only rows that a run may hold.
    """
    places = {row: _place_in_time(corpus.clips[row]) for row in rows.tolist()}
    by_time = sorted(places, key=lambda row: places[row] or ((), row))
    goes_on = [_goes_on(places[row], places[following]) for row, following in itertools.pairwise(by_time)]
    order = np.array(by_time, dtype=np.int64)
    begins = np.flatnonzero([True, *np.logical_not(goes_on)][: len(order)])
    lengths = np.diff(begins, append=len(order))
    first, length = np.zeros((2, len(corpus.clips)), dtype=np.int64)
    first[order] = np.repeat(begins, lengths)
    length[order] = np.repeat(lengths, lengths)
    return Segments(order, first, length)


_Place = tuple[tuple[str, ...], int]


def _place_in_time(clip: Clip) -> _Place | None:
    """What names a clip's recording, and which clip of it this is; None where that is not known."""
    if not clip.recording:
        return None
    return (clip.location, clip.device, clip.recording), clip.position


def _goes_on(place: _Place | None, following: _Place | None) -> bool:
    """Whether one clip is the one after the other."""
    return place is not None and following == (place[0], place[1] + 1)
