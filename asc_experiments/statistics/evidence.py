"""What networks answered, counted by place and device: all that any comparison of them needs.

A *place* is where recordings were made: a scene and the ``identifier`` of ``meta.csv``. Clips of one place, on whatever
device and in whatever second, are easy or hard together; networks are compared over places, not over clips.

A table for TAU22's test fold has 146 places and 9 devices: a few kilobytes a student, where its logits are megabytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from asc_experiments.metrics import ACCURACY, DEVICE, DG, GROUP, LOSS, MACRO, METRICS, OVERALL, SCENE, Metric, MetricKey
from asc_experiments.metrics.loss import losses_of


@dataclass(frozen=True, eq=False)
class Evidence:
    """The answers of a recipe's students on one split.

    Attributes:
        places: names of the places, ``(places,)``.
        scene_of: the scene of each place, ``(places,)`` int64 indices into ``scenes``.
        scenes: names of the scenes, in the order of a network's logits.
        devices: names of the devices.
        groups: the group of each device.
        clips: ``(places, devices)`` int64, how many clips.
        correct: ``(students, places, devices)``, how many of them were answered right.
        loss: ``(students, places, devices)`` float64, the sum of their cross entropies in nats.
        answers: ``(students, scenes)``, how often each scene was the answer.
        sums: of further metrics that are means over clips, by name: ``(students, places, devices)`` float64.
    """

    places: tuple[str, ...]
    scene_of: np.ndarray
    scenes: tuple[str, ...]
    devices: tuple[str, ...]
    groups: Mapping[str, str]
    clips: np.ndarray
    correct: np.ndarray
    loss: np.ndarray
    answers: np.ndarray
    sums: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        logits: Sequence[np.ndarray],
        labels: np.ndarray,
        devices: Sequence[str] | np.ndarray,
        places: Sequence[str] | np.ndarray,
        groups: Mapping[str, str],
        scenes: Sequence[str],
    ) -> Evidence:
        """Count what students answered.

        Args:
            logits: ``(clips, scenes)`` of each student.
            labels: ``(clips,)``, indices into ``scenes``.
            devices: ``(clips,)``, the name of each clip's device.
            places: ``(clips,)``, the name of each clip's place.
            groups: the group of each device.
            scenes: the scenes' names.

        Raises:
            ValueError: if there are no clips or no students.
        """
        if len(labels) == 0 or not logits:
            raise ValueError("evidence needs at least one clip and one student")
        names, place = np.unique(np.char.add(np.asarray(places, dtype=str), _endings(labels)), return_inverse=True)
        kinds, device = np.unique(np.asarray(devices, dtype=str), return_inverse=True)
        shape = (len(names), len(kinds))
        cell = place * shape[1] + device

        def summed(values: np.ndarray | None = None) -> np.ndarray:
            return np.bincount(cell, values, minlength=shape[0] * shape[1]).reshape(shape)

        chosen = [each.argmax(axis=1) for each in logits]
        return cls(
            places=tuple(name.rpartition("\n")[0] for name in names.tolist()),
            scene_of=np.array([int(name.rpartition("\n")[2]) for name in names.tolist()], dtype=np.int64),
            scenes=tuple(scenes),
            devices=tuple(kinds.tolist()),
            groups={name: groups[name] for name in kinds.tolist()},
            clips=summed(),
            correct=np.stack([summed((each == labels).astype(float)).astype(np.int64) for each in chosen]),
            loss=np.stack([summed(losses_of(each, labels)) for each in logits]),
            answers=np.stack([np.bincount(each, minlength=len(scenes)) for each in chosen]),
            sums={
                metric.name: np.stack([summed(metric.per_clip(each, labels)) for each in logits])
                for metric in _further_means()
            },
        )

    @property
    def students(self) -> int:
        """How many students there are."""
        return len(self.correct)

    def is_of_the_same_clips(self, other: Evidence) -> bool:
        """Whether another recipe's students were asked the same."""
        return (
            self.places == other.places
            and self.devices == other.devices
            and self.groups == other.groups
            and bool((self.scene_of == other.scene_of).all() and (self.clips == other.clips).all())
        )

    def concerns(self, metric: str) -> bool:
        """Whether any of the clips counts for a metric."""
        try:
            self._cells(metric)
        except ValueError:
            return False
        return True

    def counts(self, metric: str) -> tuple[int, int]:
        """How many clips, and how many places, a Scorecard's metric is measured on.

        Raises:
            ValueError: if it concerns none of them.
        """
        chosen = self.clips * (self._cells(metric) >= 0)
        return int(chosen.sum()), int((chosen.sum(axis=1) > 0).sum())

    def measure(self, metric: str) -> np.ndarray:
        """A Scorecard's metric of each student, ``(students,)``: what :func:`training.scorecard.score` gives too.

        Raises:
            ValueError: if it concerns no clip.
        """
        sums, clips = self.by_cell(metric)
        return combine(metric, sums.sum(axis=1), clips.sum(axis=0))

    def by_cell(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Sums and clips of each place in the cells that a metric combines.

        A metric is a function of the mean in each of its cells: the scenes for the macro average, the devices for DG,
        one cell for every other.

        Returns:
            Sums over the clips, ``(students, places, cells)``, and the clips, ``(places, cells)``.

        Raises:
            ValueError: if the metric concerns no clip.
        """
        if metric in self._known:
            return self._known[metric]
        cells = self._cells(metric)
        values = {LOSS.name: self.loss, **self.sums}.get(MetricKey.parse(metric).name, self.correct)
        belongs = cells[None] == np.arange(int(cells.max()) + 1)[:, None, None]
        found = np.einsum("spd,kpd->spk", values, belongs), np.einsum("pd,kpd->pk", self.clips, belongs)
        self._known[metric] = found
        return found

    @cached_property
    def _known(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """What was summed before: one table is compared with many others."""
        return {}

    def _cells(self, metric: str) -> np.ndarray:
        """The cell of each place and device, ``(places, devices)`` int64; -1 counts for nothing."""
        shape = self.clips.shape
        key = MetricKey.parse(metric)
        kind, name = key.part, key.member
        if metric == DG:
            cells = np.broadcast_to(np.arange(shape[1]), shape)
        elif kind == MACRO:
            cells = np.broadcast_to(np.unique(self.scene_of, return_inverse=True)[1][:, None], shape)
        else:
            in_scene = np.array([self.scenes[scene] == name for scene in self.scene_of])[:, None]
            of_devices = {
                OVERALL: [True] * shape[1],
                DEVICE: [device == name for device in self.devices],
                GROUP: [self.groups[device] == name for device in self.devices],
            }
            member = in_scene if kind == SCENE else np.array(of_devices.get(kind, [False] * shape[1]))[None]
            cells = np.where(np.broadcast_to(member, shape), 0, -1)
        cells = np.where(self.clips > 0, cells, -1)
        is_summed = key.name in (ACCURACY.name, LOSS.name) or (key.name in self.sums and key.name in METRICS)
        if (cells < 0).all() or not (metric == DG or is_summed):
            raise ValueError(f"no clip counts for {metric}")
        return cells


def pooled(tables: Sequence[Evidence]) -> Evidence:
    """The students of several tables as those of one recipe.

    Raises:
        ValueError: if there are none, or they are not of the same clips.
    """
    if not tables or not all(tables[0].is_of_the_same_clips(other) for other in tables[1:]):
        raise ValueError("only evidence of the same clips can be pooled")
    return replace(
        tables[0],
        correct=np.concatenate([table.correct for table in tables]),
        loss=np.concatenate([table.loss for table in tables]),
        answers=np.concatenate([table.answers for table in tables]),
        sums={
            name: np.concatenate([table.sums[name] for table in tables])
            for name in tables[0].sums
            if all(name in table.sums for table in tables)
        },
    )


def as_one(table: Evidence) -> Evidence:
    """The students of a table as one, that answers what they answer on average.

    Students of one teacher share its luck. Where kinds of teachers are compared, a teacher and its students are one
    piece of evidence: pool one such table a teacher.
    """
    means = {name: getattr(table, name).mean(axis=0, keepdims=True) for name in _PER_STUDENT}
    sums = {name: each.mean(axis=0, keepdims=True) for name, each in table.sums.items()}
    return replace(table, correct=means["correct"], loss=means["loss"], answers=means["answers"], sums=sums)


def combine(metric: str, sums: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """A metric from sums and clips in its cells, ``(…, cells)``: the deviation over cells for DG, else the mean."""
    means = np.divide(sums, clips, out=np.full(np.broadcast_shapes(sums.shape, clips.shape), np.nan), where=clips > 0)
    return np.asarray(np.nanstd(means, axis=-1) if metric == DG else np.nanmean(means, axis=-1))


_PER_STUDENT = ("correct", "loss", "answers")
_SUMS = "sums/"


def to_bytes(splits: Mapping[str, Evidence]) -> bytes:
    """The tables of several splits as one compressed file, without anything that runs code when it is read."""
    arrays: dict[str, np.ndarray] = {}
    for split, table in splits.items():
        names = {
            "places": table.places,
            "scenes": table.scenes,
            "devices": table.devices,
            "groups": [table.groups[device] for device in table.devices],
        }
        arrays[f"{split}/names"] = np.frombuffer(json.dumps(names).encode(), dtype=np.uint8)
        for name in ("scene_of", "clips", *_PER_STUDENT):
            arrays[f"{split}/{name}"] = getattr(table, name)
        arrays |= {f"{split}/{_SUMS}{name}": each for name, each in table.sums.items()}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stubs take the name of an option for an array's
    return file.getvalue()


def from_bytes(content: bytes) -> dict[str, Evidence]:
    """The tables of a file that :func:`to_bytes` made, by split.

    Raises:
        ValueError: if it is none, or damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        splits = [name.removesuffix("/names") for name in arrays if name.endswith("/names")]
        return {split: _table(arrays, split) for split in splits}
    except Exception as error:  # zipfile, zlib, struct, json: whatever damage looks like
        raise ValueError(f"is no table of evidence ({type(error).__name__})") from None


def _table(arrays: Mapping[str, np.ndarray], split: str) -> Evidence:
    names = json.loads(arrays[f"{split}/names"].tobytes())
    devices = tuple(names["devices"])
    return Evidence(
        places=tuple(names["places"]),
        scenes=tuple(names["scenes"]),
        devices=devices,
        groups=dict(zip(devices, names["groups"], strict=True)),
        **{name: arrays[f"{split}/{name}"] for name in ("scene_of", "clips", *_PER_STUDENT)},
        sums={
            name.removeprefix(f"{split}/{_SUMS}"): each
            for name, each in arrays.items()
            if name.startswith(f"{split}/{_SUMS}")
        },
    )


def _further_means() -> list[Metric]:
    """The metrics, besides those that every table has, that are means over clips."""
    return [
        metric
        for metric in METRICS.values()
        if metric.every_epoch and metric.is_mean and metric.name not in ("accuracy", "loss")
    ]


def _endings(labels: np.ndarray) -> np.ndarray:
    """What keeps scenes at one place apart: a place has one scene."""
    return np.char.add("\n", np.asarray(labels).astype(str))
