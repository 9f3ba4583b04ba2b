"""Simulated students: how many clips of each recording they answer right, by a model whose truth is known.

Whether a clip is answered right is a probit model: the sum of independent normal effects decides, so that the expected
accuracy of any device is known exactly whatever the effects' sizes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

from asc_experiments.statistics.calibration.folds import DEVICES, GROUPS, Fold
from asc_experiments.statistics.evidence import Evidence

ACCURACY = (71.7, 61.3, 64.0, 62.0, 58.6, 63.3, 60.0, 57.9, 55.9)
"""What recipes are expected to reach on each device, in percent: published for CP-ResNet with FMS (EUSIPCO 2023)."""


@dataclass(frozen=True)
class World:
    """How far effects move the accuracy of a clip: standard deviations in points.

    Attributes:
        seed: of students of one recipe, over all clips alike: a student's luck.
        recipe_place: of one recipe at one place, all its students alike.
        seed_device: of a student on one device.
        place: of places, all students alike.
        segment: of segments within a place, all students and devices alike.
        seed_place: of a student at one place.
        seed_segment: of a student in one segment, on all devices: what a student gets wrong in one second, it gets
            wrong in the next.
    """

    seed: float = 1.3
    recipe_place: float = 0.0
    seed_device: float = 0.5
    place: float = 12.0
    segment: float = 10.0
    seed_place: float = 3.0
    seed_segment: float = 10.0


@dataclass(frozen=True, eq=False)
class Recipes:
    """Recipes drawn once: what is theirs at each place, whoever their students are.

    Attributes:
        fold: what they are asked.
        world: the sizes of effects.
        shifts: by how many points each recipe is truly better than :data:`ACCURACY`, ``(recipes,)``.
        shared: what all students of all recipes have in common in each recording, in probits, ``(recordings,)``.
        own: what a recipe's students have in common at each place, ``(recipes, places)``.
        probits: how many of them move the expected accuracy by a point.
    """

    fold: Fold
    world: World
    shifts: np.ndarray
    shared: np.ndarray
    own: np.ndarray
    probits: float

    @classmethod
    def draw(cls, fold: Fold, world: World, shifts: Sequence[float], rng: np.random.Generator) -> Recipes:
        """Draw places and segments, and the recipes' luck with them."""
        probits = _probits_a_point(world)
        place = rng.normal(0, world.place * probits, len(fold.scene_of))
        segment = rng.normal(0, world.segment * probits, len(fold.place_of)) + place[fold.place_of]
        own = rng.normal(0, world.recipe_place * probits, (len(shifts), len(fold.scene_of)))
        return cls(fold, world, np.asarray(shifts, dtype=float), segment[fold.segment_of], own, probits)

    def only(self, recipes: Sequence[int]) -> Recipes:
        """Some of them."""
        return replace(self, shifts=self.shifts[list(recipes)], own=self.own[list(recipes)])

    def answers(self, luck: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Train students and count their right answers, ``(recipes, students, recordings)``.

        Args:
            luck: of each student, in points, ``(recipes, students)``: :meth:`luck`.
            rng: everything else of these students.
        """
        fold, world = self.fold, self.world
        recipes, students = luck.shape

        def drawn(points: float, number: int) -> np.ndarray:
            return rng.normal(0, points * self.probits, (recipes, students, number))

        at_place = luck[..., None] * self.probits + self.own[:, None] + drawn(world.seed_place, len(fold.scene_of))
        segment = at_place[..., fold.place_of] + drawn(world.seed_segment, len(fold.place_of))
        device = drawn(world.seed_device, len(DEVICES))
        probit = segment[..., fold.segment_of] + device[..., fold.device_of] + self.shared + self._means()[:, None]
        return rng.binomial(fold.clips_each, _normal(probit))

    def luck(self, students: int, rng: np.random.Generator) -> np.ndarray:
        """The luck of so many students of each recipe, in points, ``(recipes, students)``."""
        return rng.normal(0, self.world.seed, (len(self.shifts), students))

    def _means(self) -> np.ndarray:
        """What makes the expected accuracies true, in probits, ``(recipes, recordings)``."""
        from scipy.special import ndtri

        expected = (np.array(ACCURACY) + self.shifts[:, None]) / 100
        return np.asarray(ndtri(expected) * np.sqrt(1 + _variance(self.world) * self.probits**2))[
            :, self.fold.device_of
        ]


def generator(fold: Fold, *setting: object) -> np.random.Generator:
    """The same chance for the same setting, wherever and in whatever order it is simulated."""
    return np.random.default_rng(zlib.crc32(repr((fold.name, *setting)).encode()))


def evidence(fold: Fold, right: np.ndarray) -> Evidence:
    """The table of a recipe's students, from the clips that they answered right: ``(students, recordings)``."""
    correct = fold.summed(right)
    clips = fold.summed(np.full(len(fold.device_of), fold.clips_each))
    return Evidence(
        places=tuple(f"place{number}" for number in range(len(fold.scene_of))),
        scene_of=fold.scene_of,
        scenes=fold.scenes,
        devices=DEVICES,
        groups=GROUPS,
        clips=clips,
        correct=correct,
        loss=np.zeros(correct.shape),
        answers=np.zeros((len(correct), len(fold.scenes)), dtype=np.int64),
    )


def _variance(world: World) -> float:
    """Of all effects together, in squared points."""
    return float(sum(size**2 for size in astuple(world)))


def _probits_a_point(world: World) -> float:
    """How many probits move the expected accuracy by a point: the effects themselves flatten the curve."""
    from scipy.special import ndtri

    middle = float(ndtri(np.mean(ACCURACY) / 100))
    height = float(np.exp(-(middle**2) / 2) / np.sqrt(2 * np.pi))
    return 1 / np.sqrt((100 * height) ** 2 - _variance(world))


def _normal(probit: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return np.asarray(ndtr(probit))
