"""The answer of a study: its best trial, what that is worth, what it costs, and how far to trust it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asc_experiments.report.costs import Costs, costs_of
from asc_experiments.report.gains import Gain
from asc_experiments.report.lead import Lead, Score, Worth, lead_of
from asc_experiments.report.runs import GROUPS, StudyRuns, number_of, spread
from asc_experiments.report.words import is_part_of_one, listed
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import (
    AGAINST,
    BASELINE,
    DIFFERENCE,
    MODEL_ID,
    REPLICATES,
    best_trial,
    keys_of,
    last_replicated,
    spread_of,
)
from asc_experiments.training.scorecard import DG

HEADLINE = ("accuracy/overall", *(f"accuracy/group/{group}" for group in GROUPS), DG)
CHAMPION = "models:/asc-student@champion"
_SHOWN = 4


@dataclass(frozen=True)
class Difference:
    """How much better the best trial is than the baseline, with fresh seeds of both.

    Attributes:
        baseline: the number of the baseline's trial.
        value, low, high: the objective's difference and its 95 % interval.
        on_test: the same on the test fold, where the objective is measured elsewhere.
    """

    baseline: int
    value: float
    low: float
    high: float
    on_test: tuple[float, float, float] | None = None


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
        parameters, macs: of the student; MACs for one second of sound.
        costs: of the study.
        model: MLflow's id of the network, to load it unregistered.
        caveats: what one must know before believing it, a sentence each.
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
    costs: Costs
    model: str
    caveats: tuple[str, ...]

    @property
    def number(self) -> int:
        """The best trial's number."""
        return number_of(self.trial)


def answer_of(study: StudyRuns, gains: Sequence[Gain] = ()) -> Answer | None:
    """The answer of a study; None where no trial has finished.

    Args:
        study: the runs.
        gains: of its taught trials over labels alone.
    """
    if not study.trials:
        return None
    best = best_trial(study.trials, study.name)
    metrics = best.metrics
    replicated = last_replicated(study.trials)
    fresh = _fresh(best) if best in replicated else {}
    lead = lead_of(study, best, gains)
    difference = _difference(best) if fresh else None
    is_baseline = bool(fresh) and best.tags.get(BASELINE) == str(number_of(best))
    return Answer(
        trial=best,
        taught_by=study.taught_by(best),
        keys=tuple(keys_of(best)),
        objective=lead.score,
        lead=lead,
        scores=_scores(study, best),
        fresh=fresh,
        difference=difference,
        is_baseline=is_baseline,
        devices={d: metrics[f"accuracy/device/{d}"] for d in study.devices if f"accuracy/device/{d}" in metrics},
        parameters=metrics.get("complexity/parameters"),
        macs=metrics.get("complexity/macs"),
        costs=costs_of([study], best),
        model=best.tags.get(MODEL_ID, ""),
        caveats=tuple(_caveats(study, lead, difference, is_baseline, bool(fresh))),
    )


def ship_commands(study: str) -> tuple[str, ...]:
    """From a study's name to predictions: a shell command, a line of Python, a shell command."""
    return (
        f"asc register {shlex.quote(study)}",
        f'import mlflow; model = mlflow.pyfunc.load_model("{CHAMPION}")',
        f"asc predict {CHAMPION} recordings/",
    )


def _scores(study: StudyRuns, trial: RunRecord) -> dict[str, Score]:
    found = {name: trial.metrics[name] for name in HEADLINE if name in trial.metrics}
    seeds = study.seeds
    return {name: Score(value, spread(trial.metrics, name), seeds) for name, value in found.items()}


def _fresh(trial: RunRecord) -> dict[str, Score]:
    """What the students with fresh seeds reached on the test fold."""
    metrics, n = trial.metrics, int(trial.metrics.get(REPLICATES, 1))
    return {
        name: Score(metrics[f"replicated/{name}"], metrics.get(f"replicated/{spread_of(name)}"), n)
        for name in HEADLINE
        if f"replicated/{name}" in metrics
    }


def _difference(trial: RunRecord) -> Difference | None:
    values = [trial.metrics.get(f"{DIFFERENCE}/{key}") for key in ("difference", "low", "high")]
    on_test = [trial.metrics.get(f"{DIFFERENCE}/test/{key}") for key in ("difference", "low", "high")]
    if None in values or not trial.tags.get(BASELINE, "").isdigit():
        return None
    value, low, high = (value for value in values if value is not None)
    test = tuple(value for value in on_test if value is not None)
    return Difference(
        int(trial.tags[BASELINE]), value, low, high, (test[0], test[1], test[2]) if len(test) == 3 else None
    )


def _caveats(study: StudyRuns, lead: Lead, difference: Difference | None, is_baseline: bool, again: bool) -> list[str]:
    n, objective = len(study.trials), lead.score
    found = []
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
    if n > 1 and not again:
        found.append(f"It was not tried again with fresh seeds: the best of {n} noisy trials is partly luck.")
    if difference is not None and difference.low <= 0 <= difference.high:
        found.append("The interval of its difference to the baseline holds 0: it may be no better than the baseline.")
    if is_baseline:
        found.append("The best trial is the baseline itself: nothing that the search found beat it with fresh seeds.")
    if lead.rivals:
        found.append(_rivals(study, lead))
    if lead.worth is Worth.NO_REFERENCE:
        found.append("Nobody here learned from labels alone, so whether teachers help at all is not known.")
    if objective.std is None:
        found.append("There is one student per trial, so how far its seed alone moves it is not known.")
    elif objective.n < 5:
        found.append(f"± is the standard deviation over {objective.n} seeds; from so few it is itself a rough figure.")
    if n == 1:
        found.append("One trial has finished: there is nothing to compare it with.")
    return found


def _rivals(study: StudyRuns, lead: Lead) -> str:
    """Which trials cannot be told apart from the best."""
    told = [
        f"trial {rival.number} ({rival.taught_by}; {_behind(study, rival.behind)})" for rival in lead.rivals[:_SHOWN]
    ]
    if len(lead.rivals) > _SHOWN:
        told.append(f"{len(lead.rivals) - _SHOWN} more")
    return f"Seeds alone could have put these in its place, so they cannot be told apart from it: {listed(told)}."


def _behind(study: StudyRuns, distance: float) -> str:
    """A distance in the objective: in percentage points where it is an accuracy."""
    side = "behind" if distance >= 0 else "ahead"
    if is_part_of_one(study.objective):
        return f"{100 * abs(distance):.1f} points {side}"
    return f"{abs(distance):.4f} {side}"
