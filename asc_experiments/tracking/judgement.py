"""What may be said of a trial: whether its students learned anything, from whom, and whether it is the best.

A report's headline, a registration and a model card ask here before they praise anything, and use these sentences. What
counts as noise is decided in :mod:`asc_experiments.statistics`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asc_experiments.metrics import ACCURACY, MACRO, MACRO_ACCURACY, SCENE, TARGETS_ENTROPY, VALIDATION, value_in_words
from asc_experiments.statistics import Evidence, Learning, Margin, learning_of
from asc_experiments.statistics.chance import ONE_ANSWER
from asc_experiments.statistics.settling import settling_in_words, what_settles
from asc_experiments.statistics.wording import clips_in_words, counted, margin_in_words
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.run import RunRecord
from asc_experiments.tracking.decision import Standing, compare_standings, standing
from asc_experiments.tracking.evidence import evidence_of
from asc_experiments.tracking.trials import (
    CELL,
    DIRECTION,
    OBJECTIVE,
    OBJECTIVE_VALUE,
    SHARED_PLACES,
    SPLIT,
    SYNTHETIC,
    TEACHER_KEY,
    TRIAL,
    best_trial,
    distinct_trials,
    keys_of,
    last_replicated,
)

RUN_AGAIN = "run the study again under another name; older runs keep no answers by place"
NEAR_CHANCE = 0.1
"""Part of the way from guessing to no mistake, up to which a teacher's accuracy counts as near chance."""
NEARLY_UNIFORM = 0.98
"""Part of the largest possible entropy from which on targets say next to nothing (of ten scenes, 16 % for one)."""
FAR_APART = 0.2
"""How far accuracies on held-out and on test clips lie apart where more than chance must be behind it."""
MOST_RIVALS = 3
"""Trials that may be as good as the best one: where there is no need for all, so many are looked for."""
_QUANTILE = 1.96
_SHOWN = 3


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


@dataclass(frozen=True)
class Rival:
    """A trial that cannot be told apart from the best.

    Attributes:
        trial: its run.
        margin: of the best over it; None where one of them keeps no answers.
        settling: what would tell them apart.
    """

    trial: RunRecord
    margin: Margin | None
    settling: str


@dataclass(frozen=True)
class Winner:
    """Whether the best trial of a study is better than all others by more than noise.

    Attributes:
        trial: the best.
        others: how many others have finished.
        rivals: those that cannot be told apart from it, nearest in the objective first.
        clips: what they were compared on, in words.
        compared: with how many of the others it was compared.
    """

    trial: RunRecord
    others: int
    rivals: tuple[Rival, ...]
    clips: str
    compared: int

    @property
    def is_clear(self) -> bool:
        """Whether it is better than every other."""
        return self.others > 0 and not self.rivals

    @property
    def sentence(self) -> str:
        """Whether there is a winner; where there is none, why and what would settle it."""
        number = self.trial.tags.get(TRIAL, "?")
        if not self.others:
            return "No winner yet: one trial has finished, and there is nothing to compare it with."
        among = f"{counted(self.others, 'other trial')} in {self.clips}"
        if not self.rivals:
            return f"Trial {number} is better by more than noise than {among}."
        nearest = self.rivals[0]
        said = "no difference known" if nearest.margin is None else margin_in_words(nearest.margin)
        least = "at least " if self.compared < self.others else ""
        return (
            f"No winner yet: trial {number} cannot be told apart from {least}{len(self.rivals):,} of {among}. "
            f"Nearest is trial {nearest.trial.tags.get(TRIAL, '?')} ({said}). "
            f"{settling_in_words('To settle it', nearest.settling)}"
        )


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
    scenes = _scene_count(trial)
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
    return known.is_at_chance or _is_near_chance(known)


def winner_of(tracking: Tracking, best: RunRecord, trials: Sequence[RunRecord], most: int | None = None) -> Winner:
    """Whether the best trial is better than the others of its study by more than noise.

    All are compared in the objective on the test fold, whose clips chose none of them (unless the study did so).

    Args:
        tracking: the server.
        best: the best trial.
        trials: the trials that are compared (:func:`candidates_of`).
        most: stop once so many rivals are found; None looks at every trial.
    """
    others = [other for other in trials if other.run_id != best.run_id]
    others.sort(key=lambda other: abs(_reached(other) - _reached(best)))
    ours = standing(tracking, best, trials)
    rivals: list[Rival] = []
    compared = 0
    for other in others:
        if most is not None and len(rivals) >= most:
            break
        rivals += _rival_of(ours, standing(tracking, other, trials))
        compared += 1
    clips = best.tags.get(OBJECTIVE, "the objective")
    if ours.evidence is not None and not is_counted_exactly(best):
        clips = f"{ours.metric} on {clips_in_words(ours.evidence, ours.metric)}"
    return Winner(best, len(others), tuple(rivals), clips, compared)


@dataclass(frozen=True)
class OverLabels:
    """A taught trial beside the same student on labels alone.

    Attributes:
        reference: the trial on labels alone.
        margin: of the taught trial over it, in the objective on the test fold.
        clips: what that is measured on, in words.
    """

    reference: RunRecord
    margin: Margin
    clips: str

    @property
    def sentence(self) -> str:
        """What the teachers gave."""
        said = "better by more than noise" if self.margin.is_better else "worse by more than noise"
        if not self.margin.is_known:
            said = "not known to be better"
        elif self.margin.is_open:
            said = "not better by more than noise"
        return (
            f"It is {said} than the same student on labels alone (trial {self.reference.tags.get(TRIAL, '?')}): "
            f"{self.margin.metric} {margin_in_words(self.margin)}, on {self.clips}, over places and students of these "
            "very teachers."
        )


def over_labels(tracking: Tracking, trial: RunRecord, trials: Sequence[RunRecord]) -> OverLabels | None:
    """The margin of a taught trial over the best of its study that has the same student on labels alone.

    Args:
        tracking: the server.
        trial: the trial.
        trials: the trials of its study that are compared (:func:`candidates_of`).

    Returns:
        None where it had no teachers, no trial has that student on labels alone, or one of them keeps no answers.
    """
    references = [each for each in trials if not keys_of(each) and _student_of(each) == _student_of(trial)]
    if not references or not keys_of(trial) or is_counted_exactly(trial):
        return None
    sign = -1.0 if trial.tags.get(DIRECTION) == "minimize" else 1.0
    reference = max(references, key=lambda each: sign * _reached(each))
    ours, theirs = standing(tracking, trial, trials), standing(tracking, reference, trials)
    found = compare_standings(ours, theirs)
    if found is None or ours.evidence is None:
        return None
    return OverLabels(reference, found, clips_in_words(ours.evidence, found.metric))


def teaching_in_words(tracking: Tracking, trial: RunRecord, trials: Sequence[RunRecord]) -> str:
    """Whether a trial's teachers gave its students anything, in a sentence: the question that most studies ask.

    Args:
        tracking: the server.
        trial: the trial.
        trials: the trials of its study that are compared (:func:`candidates_of`).
    """
    if not keys_of(trial):
        taught = any(keys_of(other) for other in trials)
        return "It learned from labels alone" + (": teachers are not shown to help." if taught else ".")
    found = over_labels(tracking, trial, trials)
    if found is None:
        return "No trial here has the same student on labels alone: whether its teachers help is not known."
    return found.sentence


def _student_of(trial: RunRecord) -> dict[str, str]:
    """The settings of a trial's student, but for its seed."""
    names = (name for name in trial.params if name.startswith("student.") and name != "student.seed")
    return {name: trial.params[name] for name in names}


@dataclass(frozen=True)
class StudyVerdict:
    """What may be said of a study's best trial.

    Attributes:
        best: its run.
        judgement: of it.
        winner: whether it is better than the others.
        teaching: whether its teachers gave it anything, in a sentence.
    """

    best: RunRecord
    judgement: Judgement
    winner: Winner
    teaching: str = ""

    @property
    def has_learned(self) -> bool:
        """Whether its students do more than guess."""
        return self.judgement.has_learned

    @property
    def sentence(self) -> str:
        """All of it; where nothing was learned, only that."""
        if not self.has_learned:
            return self.judgement.doubts[0]
        on_test = "It was chosen on the test fold, which flatters it." if self.best.tags.get(SPLIT) == "test" else ""
        return " ".join(filter(None, [*self.judgement.doubts, on_test, self.winner.sentence, self.teaching]))


def verdict_on(tracking: Tracking, trials: Sequence[RunRecord], study: str) -> StudyVerdict:
    """What may be said of a study's best trial.

    Args:
        tracking: the server.
        trials: the finished trials of the study.
        study: its name.

    Raises:
        AscError: if there are none.
    """
    best, among = best_trial(trials, study), candidates_of(trials)
    judged = judge_trial(tracking, best, teachers_of(tracking, best))
    teaching = teaching_in_words(tracking, best, among) if len(among) > 1 else ""
    return StudyVerdict(best, judged, winner_of(tracking, best, among, MOST_RIVALS), teaching)


def candidates_of(trials: Sequence[RunRecord]) -> list[RunRecord]:
    """The trials of a study that are compared, one a cell: those tried again with fresh seeds, else the latest."""
    again = last_replicated(trials)
    cells = {trial.tags[CELL] for trial in again if CELL in trial.tags}
    others = [trial for trial in distinct_trials(trials) if trial not in again and trial.tags.get(CELL) not in cells]
    return [*again, *others]


def is_counted_exactly(trial: RunRecord) -> bool:
    """Whether a trial's objective is a complexity, which has no noise."""
    return trial.tags.get(OBJECTIVE, "").startswith("complexity/")


def _rival_of(best: Standing, other: Standing) -> list[Rival]:
    """The other trial as a rival, where it cannot be told apart from the best."""
    if is_counted_exactly(best.trial):
        is_equal = _reached(best.trial) == _reached(other.trial)
        return [Rival(other.trial, None, "another objective to trade it against")] if is_equal else []
    found = compare_standings(best, other)
    if found is None or best.evidence is None or other.evidence is None:
        return [Rival(other.trial, None, RUN_AGAIN)]
    return [] if found.is_better else [Rival(other.trial, found, what_settles(best.evidence, other.evidence, found))]


def _reached(trial: RunRecord) -> float:
    return trial.metrics.get(OBJECTIVE_VALUE, math.nan)


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
    is_near = _is_near_chance(best)
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


def _one_scene(favourites: Sequence[str]) -> str:
    """The scene that all networks answer; where each has its own, that it is one, and which there are."""
    if len(favourites) == 1:
        return f"'{favourites[0]}'"
    return f"one scene ({', '.join(favourites)})" if favourites else "one scene"


def _is_near_chance(found: Learning) -> bool:
    """Whether so little was learned that it does not matter whether it is more than chance."""
    return found.accuracy < found.chance + NEAR_CHANCE * (1 - found.chance)


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


def _scene_count(trial: RunRecord) -> int:
    return len(_scenes(trial, ""))


def _scenes(run: RunRecord, prefix: str) -> dict[str, float]:
    """The accuracy of each scene that was asked, as a run's metrics have it."""
    names = ACCURACY.of(SCENE).on(prefix).members(run.metrics)
    return {scene: run.metrics[name] for scene, name in names.items()}


def _by_accuracies(tracking: Tracking, run: RunRecord, split: str) -> Learned | None:
    """What a run's accuracies say of chance, as if its clips were independent; None where it has none of a split."""
    prefix = VALIDATION if split == "validation" else ""
    scenes, accuracy = _scenes(run, prefix), run.metrics.get(str(ACCURACY.of(MACRO).on(prefix)))
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
