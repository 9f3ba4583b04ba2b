"""What a run's networks learned beside guessing: by their answers, or by the accuracies of an older run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asc_experiments.metrics import ACCURACY, MACRO, MACRO_ACCURACY, SCENE, VALIDATION, value_in_words
from asc_experiments.statistics import Evidence, Learning, learning_of
from asc_experiments.statistics.chance import ONE_ANSWER
from asc_experiments.statistics.wording import clips_in_words, counted
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.records import RunRecord
from asc_experiments.tracking.evidence import evidence_of

NEAR_CHANCE = 0.1
"""Part of the way from guessing to no mistake, up to which a teacher's accuracy counts as near chance."""
_QUANTILE = 1.96


@dataclass(frozen=True)
class Learned:
    """What a run's networks learned, and how that is known.

    Attributes:
        learning: their accuracy beside chance.
        clips: what it is measured on, in words: ``729 test clips of 27 places``.
        networks: how many they are.
        is_counted: whether their answers by place were counted; else only the accuracy of an older run is known.
    """

    learning: Learning
    clips: str
    networks: int
    is_counted: bool

    @property
    def sentence(self) -> str:
        """What they reached beside guessing, whatever that was."""
        return self.nothing or f"{self.reached}."

    @property
    def reached(self) -> str:
        """Their accuracy, the lower end of its interval, what it is measured on, and what guessing gives."""
        found = self.learning
        is_silent = math.isinf(found.low) or found.one_answer
        least = "" if is_silent else f" (95 % interval from {value_in_words(MACRO_ACCURACY, found.low)})"
        return (
            f"{MACRO_ACCURACY} is {value_in_words(MACRO_ACCURACY, found.accuracy)}{least} on {self.clips}, "
            f"where guessing gives {value_in_words(MACRO_ACCURACY, found.chance)}"
        )

    @property
    def nothing(self) -> str:
        """That nothing was learned, in a sentence; empty where something was."""
        found = self.learning
        if not found.is_at_chance:
            return ""
        if found.one_answer:
            all_of_it = f"every one of {self.networks} networks" if self.networks > 1 else "the network"
            said = f"{all_of_it} answers {_one_scene(found.favourites)} to everything"
            return f"Nothing was learned: {said} ({self.reached})."
        return f"Nothing was learned that can be told from guessing: {self.reached}."


def what_was_learned(tracking: Tracking, run: RunRecord, split: str = "test") -> Learned | None:
    """What the networks of a run learned, by the clips of a split; None where it keeps nothing to tell that by.

    Args:
        tracking: the server.
        run: a trial, or a run of one network.
        split: ``test`` or ``validation``.
    """
    table = evidence_of(tracking, run.run_id).get(split)
    if table is not None:
        return learned_by(table, split)
    return _by_accuracies(tracking, run, split)


def learned_by(table: Evidence, split: str = "test") -> Learned:
    """What students learned, by their answers."""
    name = "held-out" if split == "validation" else split
    return Learned(learning_of(table), clips_in_words(table, MACRO_ACCURACY, name), table.students, True)


def is_near_chance(found: Learned | None) -> bool:
    """Whether networks guess, or do hardly more; False where nothing is known of them."""
    if found is None:
        return False
    known = found.learning
    return known.is_at_chance or is_learning_near_chance(known)


def is_learning_near_chance(found: Learning) -> bool:
    """Whether so little was learned that it does not matter whether it is more than chance."""
    return found.accuracy < found.chance + NEAR_CHANCE * (1 - found.chance)


def accuracy_by_scene(run: RunRecord, prefix: str) -> dict[str, float]:
    """The accuracy of each scene that was asked, as a run's metrics have it."""
    names = ACCURACY.of(SCENE).on(prefix).members(run.metrics)
    return {scene: run.metrics[name] for scene, name in names.items()}


def _one_scene(favourites: Sequence[str]) -> str:
    """The scene that all networks answer; where each has its own, that it is one, and which there are."""
    if len(favourites) == 1:
        return f"'{favourites[0]}'"
    return f"one scene ({', '.join(favourites)})" if favourites else "one scene"


def _by_accuracies(tracking: Tracking, run: RunRecord, split: str) -> Learned | None:
    """What a run's accuracies say of chance, as if its clips were independent; None where it has none of a split."""
    prefix = VALIDATION if split == "validation" else ""
    scenes, accuracy = accuracy_by_scene(run, prefix), run.metrics.get(str(ACCURACY.of(MACRO).on(prefix)))
    if accuracy is None or not scenes:
        return None
    clips = _clips(tracking, run, split)
    noise = _QUANTILE * math.sqrt(accuracy * (1 - accuracy) / clips) if clips else 0.0
    best = max(scenes, key=lambda scene: scenes[scene])
    one_answer = scenes[best] >= ONE_ANSWER and sum(scenes.values()) - scenes[best] <= 1 - ONE_ANSWER
    learning = Learning(accuracy, 1 / len(scenes), accuracy - noise, one_answer, (best,) if one_answer else ())
    name = "held-out" if split == "validation" else split
    asked = counted(clips, f"{name} clip") if clips else f"{name} clips whose number is not kept"
    return Learned(learning, asked, 1, False)


def _clips(tracking: Tracking, run: RunRecord, split: str) -> int | None:
    """How many clips of a split a run was asked, where that was logged."""
    inputs = tracking.client.get_run(run.run_id).inputs
    if not inputs or not inputs.dataset_inputs:
        return None
    counts: Mapping[str, int] = json.loads(inputs.dataset_inputs[0].dataset.profile or "{}")
    return counts.get(f"{split}_clips")
