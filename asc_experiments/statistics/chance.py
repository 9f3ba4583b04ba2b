"""Whether networks learned anything, and what a perfectly even network would show by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from asc_experiments.metrics import MACRO_ACCURACY, OVERALL_ACCURACY
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
        favourites: the scene that each of them answers most, each once, in the order of the networks.
    """

    accuracy: float
    chance: float
    low: float
    one_answer: bool
    favourites: tuple[str, ...]

    @property
    def is_at_chance(self) -> bool:
        """Whether guessing could do as well, or nothing but one scene is answered: nothing was learned."""
        return self.one_answer or not self.low > self.chance


def learning_of(table: Evidence) -> Learning:
    """Whether a recipe's students do more than guess.

    Their macro-average accuracy is compared, which favours no frequent scene; the interval is over places, with the
    students as they are. From a single place nothing is known, and they count as at chance.
    """
    found = level(table, MACRO_ACCURACY, fixed_students=True)
    shares = table.answers / table.answers.sum(axis=1, keepdims=True)
    favourites = dict.fromkeys(table.scenes[scene] for scene in table.answers.argmax(axis=1))
    return Learning(
        accuracy=found.value,
        chance=1.0 / len(np.unique(table.scene_of)),
        low=found.low,
        one_answer=bool((shares.max(axis=1) >= ONE_ANSWER).all()),
        favourites=tuple(favourites),
    )


def dg_floor(table: Evidence) -> float:
    """The DG, in parts of one, that a network equally good on every device shows by the luck of its clips alone.

    What is expected if, within each place, the devices that heard it changed their accuracies there at random: devices
    that heard the same places find the same things hard, so that they differ by far less than as many independent clips
    would have them. Where no place was heard by several devices, the clips count as independent.

    Source: the moments of a permutation of the devices within each place; the deviation's mean from its variance's by
    the usual factor, 1 - 1 / (4 (devices - 1)).
    """
    heard = table.clips > 0
    if not (heard.sum(axis=1) > 1).any():
        return _floor_of_independent_clips(table)
    present = heard.any(axis=0)
    heard, clips = heard[:, present], table.clips[:, present]
    devices = int(present.sum())
    weights = clips / clips.sum(axis=0)
    means = np.where(heard, table.correct[:, :, present] / np.maximum(clips, 1), 0.0)
    number = np.maximum(heard.sum(axis=1), 1)
    of_place = means.sum(axis=2) / number
    spread = np.where(heard, np.square(means - of_place[:, :, None]), 0.0).sum(axis=2) / number
    expected = of_place @ weights  # of each device, which heard these places and no others
    shared = spread / np.maximum(number - 1, 1)
    together = np.square(weights.sum(axis=1)) - np.square(weights).sum(axis=1)
    of_devices = (spread @ np.square(weights)).mean(axis=1)
    of_mean = (spread @ np.square(weights).sum(axis=1) - shared @ together) / devices**2
    variance = np.var(expected, axis=1) + of_devices - of_mean
    return float(np.sqrt(variance).mean()) * _mean_of_deviation(devices)


def _mean_of_deviation(number: int) -> float:
    """The expected standard deviation of so many values, as a part of the root of its expected square."""
    return 1 - 1 / (4 * (number - 1)) if number > 1 else 1.0


def _floor_of_independent_clips(table: Evidence) -> float:
    """The root of the mean variance over devices of so many clips of each, answered with the mean accuracy."""
    clips = table.clips.sum(axis=0)
    clips = clips[clips > 0]
    accuracy = float(table.measure(OVERALL_ACCURACY).mean())
    variance = accuracy * (1 - accuracy) * float(np.mean(1 / clips))
    return math.sqrt(variance * (len(clips) - 1) / len(clips)) * _mean_of_deviation(len(clips))
