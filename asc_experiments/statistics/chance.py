"""Whether networks learned anything, and what a perfectly even network would show by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from asc_experiments.statistics.evidence import Evidence
from asc_experiments.statistics.margin import level

ONE_ANSWER = 0.995
"""Part of its answers from which on a network counts as saying one scene whatever it hears."""


@dataclass(frozen=True)
class Learning:
    """What there is to say of a recipe's students before anything else is said.

    Attributes:
        accuracy: their mean macro-average accuracy, 0 to 1.
        chance: what guessing gives: one over the number of scenes asked.
        low: the lower end of the accuracy's interval over places, for these very networks.
        one_answer: whether every one of them answers one scene to everything.
        favourite: the scene that is answered most, and its part of all answers.
    """

    accuracy: float
    chance: float
    low: float
    one_answer: bool
    favourite: tuple[str, float]

    @property
    def is_at_chance(self) -> bool:
        """Whether guessing could do as well, or nothing but one scene is answered: nothing was learned."""
        return self.one_answer or not self.low > self.chance


def learning_of(table: Evidence) -> Learning:
    """Whether a recipe's students do more than guess.

    Their macro-average accuracy is compared, which favours no frequent scene; the interval is over places, with the
    students as they are. From a single place nothing is known, and they count as at chance.
    """
    found = level(table, "accuracy/macro", fixed_students=True)
    shares = table.answers / table.answers.sum(axis=1, keepdims=True)
    favourite = int(table.answers.sum(axis=0).argmax())
    return Learning(
        accuracy=found.value,
        chance=1.0 / len(np.unique(table.scene_of)),
        low=found.low,
        one_answer=bool((shares.max(axis=1) >= ONE_ANSWER).all()),
        favourite=(table.scenes[favourite], float(shares[:, favourite].mean())),
    )


def dg_floor(table: Evidence) -> float:
    """The DG, in parts of one, that a network equally good on every device shows by the luck of its clips alone.

    The root of the mean variance over devices of so many clips of each that are answered independently with the
    students' mean accuracy. (Devices that heard the same seconds are alike in what they find hard, which lowers it.)
    """
    clips = table.clips.sum(axis=0)
    clips = clips[clips > 0]
    accuracy = float(table.measure("accuracy/overall").mean())
    variance = accuracy * (1 - accuracy) * float(np.mean(1 / clips))
    return math.sqrt(variance * (len(clips) - 1) / len(clips))
