"""The answer of a study: its best trial, what that is worth, what it costs, and how far to trust it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from asc_experiments.metrics import DEVICE, DG, GROUP, OVERALL_ACCURACY, REPLICATION, accuracy_of, is_part_of_one
from asc_experiments.report.analysis.compute_cost import Costs, costs_of
from asc_experiments.report.analysis.distillation_gain import Gain
from asc_experiments.report.analysis.runner_up_margin import Lead, Rival, Score, Worth, lead_of
from asc_experiments.report.analysis.teacher_kinds import kinds_of
from asc_experiments.report.analysis.training_doubts import on_training
from asc_experiments.report.data.study_runs import GROUPS, StudyRuns, number_of, spread
from asc_experiments.report.words import counted, listed
from asc_experiments.statistics import dg_floor, learning_of
from asc_experiments.statistics.margin import ONE_SEED
from asc_experiments.statistics.settling import NO_SIGN
from asc_experiments.statistics.wording import margin_in_words
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.judgement.doubts import Judgement
from asc_experiments.tracking.objective import ObjectiveClips
from asc_experiments.tracking.trials import (
    AGAINST,
    BASELINE,
    DIFFERENCE,
    DIRECTION,
    MODEL_ID,
    OBJECTIVE,
    REPLICATES,
    SPLIT,
    best_trial,
    keys_of,
    spread_of,
)

HEADLINE = (OVERALL_ACCURACY, *(accuracy_of(GROUP, group) for group in GROUPS), DG)
CHAMPION = "models:/asc-student@champion"
_SHOWN = 4
_FEW_SEEDS = 10
_SHARED_SEEDS = (
    "Students of different trials have seeds in common, and intervals take them for independent: where a seed does "
    "badly in all trials alike, they are wider than they need be."
)


@dataclass(frozen=True)
class Guessing:
    """The trials whose answers were looked at, and those that the test fold cannot tell from guessing.

    Attributes:
        looked_at: how many.
        guessing: how many of them cannot be told from guessing.
        one_answer: how many answer one scene always.
        numbers: which cannot be told from guessing.
        alone: the trial on labels alone that gains are taken against; None where there is none.
    """

    looked_at: int = 0
    guessing: int = 0
    one_answer: int = 0
    numbers: tuple[int, ...] = ()
    alone: int | None = None


@dataclass(frozen=True)
class Interval:
    """A difference with its 95 % interval; without ends where one seed, or no answers by place, tell none."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether it has ends."""
        return self.low is not None and self.high is not None

    @property
    def leaves_out_zero(self) -> bool:
        """Whether the difference is more than noise."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


@dataclass(frozen=True)
class Difference:
    """How much better the best trial is than the baseline, with fresh seeds of both.

    Attributes:
        baseline: the number of the baseline's trial.
        on_choosing: on the clips that chose the best; which flatters it.
        on_test: in the test fold, where that chose none of them: the one that counts.
    """

    baseline: int
    on_choosing: Interval
    on_test: Interval | None = None

    @property
    def counts(self) -> Interval:
        """The one that decides."""
        return self.on_choosing if self.on_test is None else self.on_test


@dataclass(frozen=True, eq=False)
class Answer:
    """What a study found.

    Attributes:
        trial: the best one.
        taught_by: its teachers in short.
        keys: their keys in the bank.
        objective: what it reached, of fresh seeds where it was tried again.
        lead: how far it is ahead of the others.
        scores: on the test fold, by metric, of the students that it was chosen by.
        fresh: the same of students with fresh seeds; empty where it was not tried again.
        difference: to the baseline; None where there is none, or the best trial is the baseline.
        is_baseline: whether the best trial is the baseline.
        devices: accuracy on each device.
        parameters, macs, macs_torchinfo: of the student; MACs for one clip, as ptflops and torchinfo count; None
            where an earlier version did not.
        costs: of the study.
        model: MLflow's id of the network, to load it unregistered.
        caveats: what one must know before believing it, a sentence each.
        judgement: whether its students learned anything, and from whom.
        guessing: how many of the study's trials do no more than guess.
        clips: what the objective is measured on; None where an earlier version did not count.
        only_teachers: whether every other trial learned from labels alone.
        dg_floor: the DG that a network equally good on every device would show; None where it is not known.
    """

    trial: RunRecord
    taught_by: str
    keys: tuple[str, ...]
    objective: Score
    lead: Lead
    scores: Mapping[str, Score]
    fresh: Mapping[str, Score]
    difference: Difference | None
    is_baseline: bool
    devices: Mapping[str, float]
    parameters: float | None
    macs: float | None
    macs_torchinfo: float | None
    costs: Costs
    model: str
    caveats: tuple[str, ...]
    judgement: Judgement
    guessing: Guessing
    clips: ObjectiveClips | None
    dg_floor: float | None
    only_teachers: bool = False
    is_over: bool = True
    """Whether no more trials are to come: only then is it known what was not tried."""

    @property
    def has_learned(self) -> bool:
        """Whether its students do more than guess; where that is not known, yes."""
        return self.judgement.has_learned

    @property
    def taught_nothing(self) -> bool:
        """Whether its students had no more from their teachers than labels: these are near chance, or say nothing."""
        judged = self.judgement
        return judged.targets_uniform or (bool(self.keys) and len(judged.teachers_at_chance) == len(self.keys))

    @property
    def number(self) -> int:
        """The best trial's number."""
        return number_of(self.trial)

    @property
    def highest(self) -> str:
        """At which end of what the best trial is: ``highest in accuracy/macro on the validation split``."""
        tags = self.trial.tags
        end = "lowest" if tags.get(DIRECTION) == "minimize" else "highest"
        metric, split = tags.get(OBJECTIVE), tags.get(SPLIT)
        return f"{end} in {metric} on the {split} split" if metric and split else end


def answer_of(study: StudyRuns, gains: Sequence[Gain] = ()) -> Answer | None:
    """The answer of a study; None where no trial has finished.

    Args:
        study: the runs.
        gains: of its taught trials over labels alone.
    """
    if not study.trials:
        return None
    best = best_trial(study.trials, study.name)
    fresh = _fresh(best) if best in study.again else {}
    lead = lead_of(study, best, gains)
    difference = _difference(best) if fresh else None
    judgement = study.judge(best, study.members(best))
    answer = Answer(
        trial=best,
        taught_by=study.taught_by(best),
        keys=tuple(keys_of(best)),
        objective=lead.score,
        lead=lead,
        scores=_scores(study, best),
        fresh=fresh,
        difference=difference,
        is_baseline=bool(fresh) and best.tags.get(BASELINE) == str(number_of(best)),
        devices=_devices(study, best),
        parameters=best.metrics.get("complexity/parameters"),
        macs=best.metrics.get("complexity/macs"),
        macs_torchinfo=best.metrics.get("complexity/macs_torchinfo"),
        costs=costs_of([study], best),
        model=best.tags.get(MODEL_ID, ""),
        caveats=(),
        judgement=judgement,
        guessing=_guessing(study),
        clips=ObjectiveClips.from_tags(study.first),
        dg_floor=_dg_floor(study, best),
        only_teachers=bool(keys_of(best)) and not any(keys_of(trial) for trial in study.trials if trial != best),
        is_over=study.progress.is_over,
    )
    return replace(answer, caveats=tuple(_caveats(study, answer)))


def _devices(study: StudyRuns, best: RunRecord) -> dict[str, float]:
    names = {device: accuracy_of(DEVICE, device) for device in study.devices}
    return {device: best.metrics[name] for device, name in names.items() if name in best.metrics}


def _guessing(study: StudyRuns) -> Guessing:
    """Of the trials whose answers are read, how many do no more than guess."""
    if not study.keeps_evidence:
        return Guessing()
    tables = [table for trial in study.compared if (table := study.standing(trial).evidence) is not None]
    found = [learning_of(table) for table in tables]
    guessing, one_answer = ([f.is_at_chance for f in found], [f.one_answer for f in found])
    looked = [trial for trial in study.compared if study.standing(trial).evidence is not None]
    numbers = tuple(sorted(number_of(trial) for trial, at_chance in zip(looked, guessing, strict=True) if at_chance))
    alone = next((number_of(trial) for trial in looked if not keys_of(trial)), None)
    return Guessing(len(found), int(sum(guessing)), int(sum(one_answer)), numbers, alone)


def _dg_floor(study: StudyRuns, best: RunRecord) -> float | None:
    table = study.standing(best).evidence
    return None if table is None else dg_floor(table)


def ship_commands(study: str) -> tuple[str, ...]:
    """From a study's name to predictions: a shell command, a line of Python, a shell command."""
    return (
        f"asc register {shlex.quote(study)}",
        f'import mlflow; model = mlflow.pyfunc.load_model("{CHAMPION}")',
        f"asc predict {CHAMPION} recordings/",
    )


def _scores(study: StudyRuns, trial: RunRecord) -> dict[str, Score]:
    found = {name: trial.metrics[name] for name in HEADLINE if name in trial.metrics}
    seeds = study.count(trial)
    return {name: Score(value, spread(trial.metrics, name), seeds) for name, value in found.items()}


def _fresh(trial: RunRecord) -> dict[str, Score]:
    """What the students with fresh seeds reached on the test fold."""
    metrics, n = trial.metrics, int(trial.metrics.get(REPLICATES, 1))
    return {
        name: Score(metrics[f"{REPLICATION}/{name}"], metrics.get(f"{REPLICATION}/{spread_of(name)}"), n)
        for name in HEADLINE
        if f"{REPLICATION}/{name}" in metrics
    }


def _difference(trial: RunRecord) -> Difference | None:
    if not trial.tags.get(BASELINE, "").isdigit():
        return None
    found = [_interval(trial, prefix) for prefix in (DIFFERENCE, f"{DIFFERENCE}/test")]
    return None if found[0] is None else Difference(int(trial.tags[BASELINE]), found[0], found[1])


def _interval(trial: RunRecord, prefix: str) -> Interval | None:
    value, low, high = (trial.metrics.get(f"{prefix}/{key}") for key in ("difference", "low", "high"))
    return None if value is None else Interval(value, low, high)


def _caveats(study: StudyRuns, answer: Answer) -> list[str]:
    """What one must know, the gravest first."""
    n, lead, objective = len(study.trials), answer.lead, answer.objective
    found = list(answer.judgement.doubts)
    if answer.clips is not None and answer.clips.warning:
        found.append(f"It was chosen by {answer.clips.note}.")
    if not answer.has_learned:
        return found + _on_guessing(answer)
    if AGAINST in study.first:
        other = study.first[AGAINST]
        found.append(
            f"The study trades two objectives, and this is the best by the first; students on the front with {other} "
            "have a * in the table."
        )
    if study.split == "test":
        found.append(
            "It was chosen on the test fold, so its accuracy there flatters it. "
            "Use such a study to reproduce a published table, not to promise an accuracy."
        )
    if n > 1 and not answer.fresh:
        found.append(f"It was not tried again with fresh seeds: the best of {n} noisy trials is partly luck.")
    found += _on_others_that_guess(answer)
    found += [*_on_baseline(answer), *on_training(study)]
    if lead.rivals:
        found += _rivals(study, answer)
    if lead.left_out:
        found.append(_left_out(answer))
    if note := kinds_of(study).note:
        found.append(note)
    if lead.worth is Worth.NO_REFERENCE:
        found.append("Nobody here learned from labels alone, so whether teachers help at all is not known.")
    if objective.n < 2:
        found.append("There is one student per trial, so how far its seed alone moves it is not known.")
    elif objective.std is not None and objective.n < _FEW_SEEDS:
        found.append(f"± is the standard deviation over {objective.n} seeds; from so few it is itself a rough figure.")
    if objective.n > 1 and n > 1 and study.shares_seeds:
        found.append(_SHARED_SEEDS)
    if n == 1:
        yet = "" if answer.is_over else " yet"
        found.append(f"One trial has finished: there is nothing to compare it with{yet}.")
    return found


def _on_guessing(answer: Answer) -> list[str]:
    """How many of the trials cannot be told from guessing; what else may be said of noise does not matter then."""
    found = answer.guessing
    if found.looked_at < 2:
        return []
    return [f"Of {found.looked_at} trials whose answers were looked at, {found.guessing} cannot be told from guessing."]


def _on_others_that_guess(answer: Answer) -> list[str]:
    """Which other trials the test fold cannot tell from guessing: what is compared with them may be nothing."""
    found = answer.guessing
    if not found.numbers:
        return []
    alone = " (labels alone, which gains are taken against)"
    which = listed([f"trial {number}{alone if number == found.alone else ''}" for number in found.numbers])
    return [f"The test fold cannot tell these from guessing: {which}. That they only guess is not shown either."]


def _on_baseline(answer: Answer) -> list[str]:
    if answer.is_baseline:
        return ["The best trial is the baseline itself: nothing that the search found beat it with fresh seeds."]
    if answer.difference is None or answer.difference.counts.leaves_out_zero:
        return []
    if not answer.difference.counts.is_known:
        return [f"Whether it is better than the baseline is {ONE_SEED}."]
    return ["The interval of its difference to the baseline holds 0: it may be no better than the baseline."]


def _left_out(answer: Answer) -> str:
    lead = answer.lead
    what = "that were not tried again" if answer.fresh else "that are further behind in the objective"
    return f"It was compared with {counted(lead.others, 'trial')}; {lead.left_out:,} more {what} were not looked at."


def _rivals(study: StudyRuns, answer: Answer) -> list[str]:
    """Which trials cannot be told apart from the best, and what would settle it."""
    lead = answer.lead
    if not lead.is_measured:
        return [f"How much of its margin over the others is noise is {lead.unknown}.", *_settled(lead)]
    told = [f"trial {rival.number} ({rival.taught_by}; {_behind(study, rival)})" for rival in lead.rivals[:_SHOWN]]
    if len(lead.rivals) > _SHOWN:
        told.append(f"{len(lead.rivals) - _SHOWN} more")
    where = f"by {lead.metric} in the test fold"
    return [f"These cannot be told apart from it {where}: {listed(told)}.", *_settled(lead)]


def _settled(lead: Lead) -> list[str]:
    """What would tell the best from its nearest rival: from one of other teachers, where there is any."""
    told = [rival for rival in lead.rivals if rival.settling]
    nearest = min(told, key=lambda rival: (rival.has_same_kinds, rival.has_same_teachers), default=None)
    if nearest is None:
        return []
    if nearest.settling == NO_SIGN:
        return [f"Between it and trial {nearest.number} there is {NO_SIGN}."]
    return [f"What would tell it from trial {nearest.number}: {nearest.settling}."]


def _behind(study: StudyRuns, rival: Rival) -> str:
    """How far a rival is behind: in the test fold where that is known, else in the objective."""
    if rival.margin is not None:
        return f"the best less it: {margin_in_words(rival.margin)}"
    side = "behind" if rival.behind >= 0 else "ahead"
    if is_part_of_one(study.objective):
        return f"{100 * abs(rival.behind):.1f} points {side} in the objective"
    return f"{abs(rival.behind):.4f} {side} in the objective"
