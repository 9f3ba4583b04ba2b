"""The conclusion of a trial: what its students of all seeds reached together, logged into the trial's run."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asc_experiments.base.errors import NotFiniteError
from asc_experiments.corpus.train_split import WHOLE_FOLD
from asc_experiments.distill import LogitTable, TrainingContext
from asc_experiments.distill.figures import bars_of, log_figures
from asc_experiments.distill.specialise import gain_metrics
from asc_experiments.distill.teacher import LOGITS
from asc_experiments.distill.train import log_corpus, train_split_params
from asc_experiments.metrics import ACCURACY, DG, ENSEMBLE, GAIN, GROUP, OVERALL_ACCURACY, STD, TARGETS
from asc_experiments.study.definition.study_file import Objective
from asc_experiments.study.executors.jobs import SeedResult
from asc_experiments.study.search.search_space import TRAIN_SPLIT, TrialPlan
from asc_experiments.tracking import Run
from asc_experiments.tracking.evidence import GENERAL_STUDENTS, log_evidence
from asc_experiments.tracking.trials import (
    AGAINST_VALUE,
    LABELS_ALONE,
    MODEL_ID,
    OBJECTIVE_VALUE,
    RECIPE,
    STUDENT_SEEDS,
    TRAINING_SECONDS,
    spread_of,
)

_NO_SCORE = ("train/", "time/", f"{GAIN}/")
_NO_SPREAD = ("complexity/", f"{TARGETS}/")


@dataclass(frozen=True)
class Conclusion:
    """Everything that is logged about a trial once its students are trained."""

    run_id: str
    experiment_id: str
    objectives: tuple[Objective, ...]
    plan: TrialPlan
    searched: Mapping[str, object]
    seeds: tuple[SeedResult, ...]


def conclude(bench: TrainingContext, conclusion: Conclusion) -> tuple[float, ...]:
    """Log the mean Scorecard over seeds under a teacher's metric names, the best seed's network, and figures.

    Returns:
        The value of each objective: the mean over seeds.

    Raises:
        NotFiniteError: if that is infinite or not a number.
    """
    plan, seeds = conclusion.plan, conclusion.seeds
    scores = _over_seeds(seeds)
    values = tuple(scores[objective.logged_name] for objective in conclusion.objectives)
    if not all(map(math.isfinite, values)):
        raise NotFiniteError(plan.student.name_but_seed, f"its objective is {values[0]}", "lower the learning_rate")
    run = bench.tracking.writer(conclusion.run_id, conclusion.experiment_id)
    log_corpus(bench, run)
    _log_answers(bench, run, conclusion, scores)
    best = _best(conclusion)
    run.log(
        params=_params(conclusion) | _trained_on(bench, conclusion),
        metrics=scores | dict(zip((OBJECTIVE_VALUE, AGAINST_VALUE), values, strict=False)),
        tags={
            MODEL_ID: best.model_id,
            RECIPE: plan.student.model_copy(update={"seed": best.seed}).model_dump_json(),
            STUDENT_SEEDS: json.dumps(sorted(seed.seed for seed in seeds)),
        },
        note=_note(plan, scores, len(seeds)),
    )
    return values


def every_logit(bench: TrainingContext, run_ids: Sequence[str]) -> list[np.ndarray]:
    """The logits that students' runs keep, by the corpus's rows; each ``(clips, scenes)`` float32.

    Raises:
        AscError: if they are gone.
    """
    found = []
    for run_id in run_ids:
        with bench.tracking.artifacts(run_id, LOGITS) as path:
            found.append(LogitTable.load(path).of(bench.corpus.filenames, f"run {run_id}"))
    return found


def _over_seeds(seeds: tuple[SeedResult, ...]) -> dict[str, float]:
    """The mean of every score, its standard deviation where there are several seeds, and the time of all trainings."""
    names = [name for name in names_of_all(seeds) if not name.startswith(_NO_SCORE)]
    scores = {name: statistics.fmean(seed.metrics[name] for seed in seeds) for name in names}
    scores[TRAINING_SECONDS] = round(sum(seed.metrics.get(TRAINING_SECONDS, 0.0) for seed in seeds), 3)
    if len(seeds) > 1:
        for name in names:
            if not name.startswith(_NO_SPREAD):
                scores[spread_of(name)] = statistics.stdev(seed.metrics[name] for seed in seeds)
    return scores


def names_of_all(seeds: Sequence[SeedResult]) -> list[str]:
    """The metrics that every student has: one that was found again may be of a version that measured others."""
    return [name for name in seeds[0].metrics if all(name in seed.metrics for seed in seeds)]


def _best(conclusion: Conclusion) -> SeedResult:
    objective = conclusion.objectives[0]
    sign = 1.0 if objective.direction == "maximize" else -1.0
    return max(conclusion.seeds, key=lambda seed: sign * seed.metrics[objective.logged_name])


def _log_answers(bench: TrainingContext, run: Run, conclusion: Conclusion, scores: Mapping[str, float]) -> None:
    """What the students answered by place; as figures, their mean beside their ensemble, and their confusions."""
    logits = every_logit(bench, [seed.run_id for seed in conclusion.seeds])
    evidence = bench.evidence(logits)
    log_evidence(run, evidence)
    if all(seed.general for seed in conclusion.seeds):
        general = bench.evidence(every_logit(bench, [seed.general for seed in conclusion.seeds]))
        log_evidence(run, general, GENERAL_STUDENTS)
        run.metrics(gain_metrics(evidence, general))
    several = len(conclusion.seeds) > 1
    name = f"student, mean of {len(conclusion.seeds)} seeds" if several else "student"
    bars = bars_of(name, scores, spread=STD if several else "")
    if conclusion.plan.teachers:
        bars += bars_of("its teachers", bench.tracking.get(run.run_id).metrics, ENSEMBLE)
    log_figures(bench, run, f"student of {conclusion.plan.teacher_names}", logits, bars)


def _params(conclusion: Conclusion) -> dict[str, object]:
    plan, student = conclusion.plan, conclusion.plan.student
    settings = student.flat() | {"size": student.size, "augment": student.augment}
    if plan.first_seed is None:  # each student has its own
        settings.pop("seed", None)
    # Under a teacher's names too: in a table or plot of both, it is the network that the metrics are of. (Where a run
    # lacks a parameter, MLflow's plot draws it above the highest value.) The seeds of its students are a tag.
    params = {key: value for key, value in settings.items() if key != "seed"}
    params |= {f"search.{key}": value for key, value in conclusion.searched.items()}
    params |= {f"student.{key}": value for key, value in settings.items()}
    return params | (plan.distillation.flat() if plan.teachers else LABELS_ALONE)


def _trained_on(bench: TrainingContext, conclusion: Conclusion) -> dict[str, object]:
    """The list of clips that the trial's networks were trained on; the whole fold counts where others have a list."""
    if TRAIN_SPLIT in conclusion.searched and bench.train_split is None:
        return {"train_split": WHOLE_FOLD, "training_clips": len(bench.rows[0])}
    return train_split_params(bench)


def _note(plan: TrialPlan, metrics: Mapping[str, float], seeds: int) -> str:
    members = "\n".join(f"- {name}" for name in plan.teacher_names.split(" + "))
    groups = sorted(ACCURACY.of(GROUP).members(metrics).items())
    scores = ", ".join(f"{group} {100 * metrics[name]:.1f} %" for group, name in groups)
    on = f", trained on {plan.train_split}" if plan.train_split else ""
    return (
        f"Student **{plan.student.name_but_seed}**{on} taught by\n{members}\n\n"
        f"Test fold: {100 * metrics[OVERALL_ACCURACY]:.1f} % overall ({scores}), "
        f"DG {100 * metrics[DG]:.1f}. Seeds: {seeds}."
    )
