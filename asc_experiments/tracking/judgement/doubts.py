"""What may be said of one trial: whether its students learned anything, from whom, and what is doubtful."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asc_experiments.metrics import MACRO_ACCURACY, TARGETS_ENTROPY, value_in_words
from asc_experiments.statistics import Learning
from asc_experiments.statistics.wording import counted
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import RunRecord
from asc_experiments.tracking.judgement.learned import (
    Learned,
    accuracy_by_scene,
    is_learning_near_chance,
    is_near_chance,
    what_was_learned,
)
from asc_experiments.tracking.trials import (
    SHARED_PLACES,
    SYNTHETIC,
    TEACHER_KEY,
    keys_of,
)

NEARLY_UNIFORM = 0.98
"""Part of the largest possible entropy from which on targets say next to nothing (of ten scenes, 16 % for one)."""
FAR_APART = 0.2
"""How far accuracies on held-out and on test clips lie apart where more than chance must be behind it."""
_SHOWN = 3


@dataclass(frozen=True)
class Judgement:
    """What may be said of a trial before anything else is.

    Attributes:
        on_test, on_validation: what its students learned, by test clips and by held-out ones; None where neither their
            answers nor their accuracies are kept.
        teachers_at_chance: the names of its teachers that are near chance.
        targets_uniform: whether its targets said next to nothing.
        doubts: what one must know before believing its figures, a sentence each; the gravest first.
    """

    on_test: Learned | None
    on_validation: Learned | None
    teachers_at_chance: tuple[str, ...]
    targets_uniform: bool
    doubts: tuple[str, ...]

    @property
    def learning(self) -> Learning | None:
        """Its students' accuracy in the test fold, beside chance."""
        return self.on_test.learning if self.on_test else None

    @property
    def has_learned(self) -> bool:
        """Whether its students do more than guess, by the test clips; where nothing is known of that, yes."""
        return self.on_test is None or not self.on_test.learning.is_at_chance


def judge_trial(tracking: Tracking, trial: RunRecord, teachers: Sequence[RunRecord]) -> Judgement:
    """What may be said of a finished trial.

    Args:
        tracking: the server.
        trial: the trial's run.
        teachers: the runs of its teachers, as far as they are in the bank.
    """
    on_test, on_validation = what_was_learned(tracking, trial), what_was_learned(tracking, trial, "validation")
    weak = {
        each.name: found for each in teachers if is_near_chance(found := what_was_learned(tracking, each)) and found
    }
    scenes = len(accuracy_by_scene(trial, ""))
    uniform = _is_uniform(trial, scenes)
    doubts = [
        *_on_learning(on_test, on_validation),
        *_on_corpus(trial),
        *_on_teachers(trial, weak),
        *_on_methods(trial, teachers),
        *([_on_targets(trial, scenes, is_told=bool(weak) and len(weak) == len(keys_of(trial)))] if uniform else []),
    ]
    return Judgement(on_test, on_validation, tuple(weak), uniform, tuple(doubts))


def teachers_of(tracking: Tracking, trial: RunRecord) -> tuple[RunRecord, ...]:
    """The runs of a trial's teachers that are still in the bank, in the order of the ensemble."""
    keys = keys_of(trial)
    if not keys or not tracking.has_experiment("teachers"):
        return ()
    bank = [tracking.experiment("teachers")]
    found = [tracking.search(bank, where({TEACHER_KEY: key}, status="FINISHED"), limit=1) for key in keys]
    return tuple(records[0] for records in found if records)


def _on_learning(on_test: Learned | None, on_validation: Learned | None) -> list[str]:
    """What is doubtful of what was learned."""
    if on_test is None:
        return ["Whether anything was learned is not known: its runs keep neither answers nor accuracies by scene."]
    if on_test.nothing:
        return [on_test.nothing, "Its DG and the accuracies of its devices then say nothing of devices."]
    found = []
    if on_validation is not None and abs(on_validation.learning.accuracy - on_test.learning.accuracy) > FAR_APART:
        reached = [value_in_words(MACRO_ACCURACY, each.learning.accuracy) for each in (on_validation, on_test)]
        found.append(
            f"{MACRO_ACCURACY} is {reached[0]} on held-out clips and {reached[1]} on test clips: these differ in more "
            "than chance, such as in their labels or their recordings."
        )
    if on_validation is not None and on_validation.learning.is_at_chance:
        found.append(f"The clips that chose it cannot tell it from guessing: {on_validation.reached}.")
    if not on_test.is_counted:
        found.append(f"Its answers by place are not kept: noise was reckoned from {on_test.clips} as if independent.")
    return found


def _on_corpus(trial: RunRecord) -> list[str]:
    """That sounds are made up, labels wrong on purpose, or places trained on and tested at, where it is so."""
    return [*_on_sounds(trial), *_on_places(trial)]


def _on_places(trial: RunRecord) -> list[str]:
    if SHARED_PLACES not in trial.tags:
        return []
    shared: Mapping[str, int] = json.loads(trial.tags[SHARED_PLACES])
    clips = f"{shared['clips']:,} of {counted(shared['of'], 'test clip')}"
    return [
        f"{clips} are from {counted(shared['places'], 'place')} that it was trained on too: its figures in the test "
        "fold are flattered, as a network may know the place rather than the scene."
    ]


def _on_sounds(trial: RunRecord) -> list[str]:
    if SYNTHETIC not in trial.tags:
        return []
    if not (noise := float(trial.tags[SYNTHETIC])):
        return ["The corpus is synthetic: what holds for its made-up sounds need not hold for recordings."]
    return [
        f"The corpus is synthetic, and about {100 * noise:.0f} % of its training and held-out clips carry a wrong "
        "label on purpose, of its test clips none: what teachers give is over such labels, and may be far less over "
        f"right ones. Targets that are always right agree with about {100 * (1 - noise):.0f} % of them."
    ]


def _on_methods(trial: RunRecord, teachers: Sequence[RunRecord]) -> list[str]:
    """That its students have no device generalisation of their own while teachers do: teaching then gives both."""
    methods = sorted({teacher.params.get("augment", "none") for teacher in teachers} - {"none", ""})
    if trial.params.get("student.augment") != "none" or not methods:
        return []
    return [
        f"Its teachers were trained with {' and '.join(methods)}, its students without device generalisation: part of "
        "what teaching gives may be had from the student's own augmentation."
    ]


def _on_teachers(trial: RunRecord, weak: Mapping[str, Learned]) -> list[str]:
    """What is doubtful of a trial's teachers."""
    if not weak:
        return []
    names, all_of_them = list(weak), len(keys_of(trial))
    best = max((found.learning for found in weak.values()), key=lambda learning: learning.accuracy)
    reached, chance = value_in_words(MACRO_ACCURACY, best.accuracy), value_in_words(MACRO_ACCURACY, best.chance)
    is_near = is_learning_near_chance(best)
    how = "near chance" if is_near else "told from guessing"
    is_, are = ("is", "are") if is_near else ("cannot be", "cannot be")
    source = _source(trial) if is_near else _taught(trial)
    if len(names) == all_of_them == 1:
        return [f"Its teacher {names[0]} {is_} {how} ({reached}, guessing gives {chance}): {source}."]
    beside = f"{how} (the best of them reaches {reached}, guessing gives {chance})"
    if len(names) == all_of_them:
        return [f"All {all_of_them} of its teachers {are} {beside}: {source}."]
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return [f"{len(names)} of its {all_of_them} teachers {are} {beside}: {shown}."]


def _on_targets(trial: RunRecord, scenes: int, is_told: bool) -> str:
    """That its targets say next to nothing, and, unless that is told already, what it learned from then."""
    entropy = f"{trial.metrics[TARGETS_ENTROPY]:.2f} of at most {math.log(scenes):.2f} nats"
    return f"Its targets are nearly uniform over the scenes ({entropy})" + ("." if is_told else f": {_source(trial)}.")


def _taught(trial: RunRecord) -> str:
    """What a student may have learned from, where its teachers' clips are too few to tell them from guessing."""
    if float(trial.params.get("label_weight", 1)) == 0:
        return "with label_weight 0 it had nothing else to learn from"
    return "the student may have learned from labels alone"


def _source(trial: RunRecord) -> str:
    """What a student has learned from, where its targets say nothing."""
    if float(trial.params.get("label_weight", 1)) == 0:
        return "with label_weight 0 it had nothing else to learn from"
    return "what the student knows it learned from labels"


def _is_uniform(trial: RunRecord, scenes: int) -> bool:
    entropy = trial.metrics.get(TARGETS_ENTROPY, 0)
    return bool(keys_of(trial)) and scenes > 1 and entropy >= NEARLY_UNIFORM * math.log(scenes)
