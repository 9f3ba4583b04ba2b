"""The two test folds that are simulated: TAU22's with its true numbers, and a small one of 35 places."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

DEVICES = ("a", "b", "c", "s1", "s2", "s3", "s4", "s5", "s6")
GROUPS = dict(zip(DEVICES, ("real",) * 3 + ("seen",) * 3 + ("unseen",) * 3, strict=True))


@dataclass(frozen=True, eq=False)
class Fold:
    """Who recorded what, where: all that a simulated network has to answer.

    A *segment* is a stretch of time at a place, which several devices may have recorded at once; a *recording* is what
    one of them recorded of it.

    Attributes:
        name: in tables.
        scenes: names of the scenes.
        scene_of: the scene of each place, ``(places,)``.
        place_of: the place of each segment, ``(segments,)``.
        segment_of: the segment of each recording, ``(recordings,)``, ordered by place and device.
        device_of: its device, an index into :data:`DEVICES`.
        clips_each: how many clips a recording has.
    """

    name: str
    scenes: tuple[str, ...]
    scene_of: np.ndarray
    place_of: np.ndarray
    segment_of: np.ndarray
    device_of: np.ndarray
    clips_each: int

    @property
    def cell_of(self) -> np.ndarray:
        """The place and device of each recording as one number, ``(recordings,)``."""
        return self.place_of[self.segment_of] * len(DEVICES) + self.device_of

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Sums of recordings' values by place and device: ``(…, recordings)`` to ``(…, places, devices)``."""
        shape = (len(self.scene_of), len(DEVICES))
        cells, starts = np.unique(self.cell_of, return_index=True)
        sums = np.zeros((*values.shape[:-1], shape[0] * shape[1]), dtype=values.dtype)
        sums[..., cells] = np.add.reduceat(values, starts, axis=-1)
        return sums.reshape(*values.shape[:-1], *shape)


@functools.cache
def tau22() -> Fold:
    """TAU22's test fold: 146 places, 9 devices, 2,064 segments, 2,968 recordings of ten clips.

    How many recordings of each device and how many segments a place has are counted in the corpus's tables; which
    devices recorded a segment together is drawn, so that these numbers hold.
    """
    text = files(__package__).joinpath("tau22_test_fold.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    counts = np.array([[int(row[device]) for device in DEVICES] for row in rows])
    scenes = sorted({row["scene"] for row in rows})
    scene_of = np.array([scenes.index(row["scene"]) for row in rows])
    segments = np.array([int(row["segments"]) for row in rows])
    return _fold("TAU22, 146 places", scenes, scene_of, segments, counts, clips_each=10)


@functools.cache
def small(places: int = 35) -> Fold:
    """A small test fold of ten scenes; of each place 18 clips, two seconds on each of nine devices."""
    scenes = [f"scene{number}" for number in range(10)]
    counts = np.full((places, len(DEVICES)), 1)
    return _fold(f"{places} places", scenes, np.arange(places) % 10, np.full(places, 5), counts, clips_each=2)


def _fold(
    name: str, scenes: list[str], scene_of: np.ndarray, segments: np.ndarray, counts: np.ndarray, clips_each: int
) -> Fold:
    """Spread each place's recordings over its segments: every segment has one, no segment two of one device."""
    rng = np.random.default_rng(0)
    rows: list[tuple[int, int, int]] = []
    first = 0
    for place, number in enumerate(segments.tolist()):
        left = np.arange(first, first + number)
        empty = rng.permutation(left).tolist()
        for device in np.argsort(-counts[place], kind="stable").tolist():
            wanted = int(counts[place, device])
            chosen, empty = empty[:wanted], empty[wanted:]
            others = np.setdiff1d(left, [*chosen, *empty])
            chosen = [*chosen, *rng.permutation(others)[: wanted - len(chosen)].tolist()]
            rows += [(place, device, segment) for segment in chosen]
        first += number
    rows.sort()
    place_of = np.arange(len(segments)).repeat(segments)
    return Fold(
        name=name,
        scenes=tuple(scenes),
        scene_of=scene_of,
        place_of=place_of,
        segment_of=np.array([segment for _, _, segment in rows]),
        device_of=np.array([device for _, device, _ in rows]),
        clips_each=clips_each,
    )
