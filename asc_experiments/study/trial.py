"""One trial: train the missing teachers, distil the student once per seed, log everything, return the objective."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asc_experiments.distill import Ensemble, TeacherBank, Workbench, train_student
from asc_experiments.distill.student import log_ensemble
from asc_experiments.distill.teacher import MODEL_ID, RECIPE
from asc_experiments.study.file import StudyFile
from asc_experiments.study.space import TrialPlan
from asc_experiments.tracking import Run
from asc_experiments.tracking.run import Stopped
from asc_experiments.tracking.trials import (
    DIRECTION,
    OBJECTIVE,
    OBJECTIVE_VALUE,
    SEED_KIND,
    SPLIT,
    STUDY,
    TRIAL,
    TRIAL_KIND,
)


class Pruned(Stopped):
    """The pruner stopped this trial."""


@dataclass(frozen=True, eq=False)
class TrialContext:
    """What every trial of a study shares."""

    study: StudyFile
    bench: Workbench
    bank: TeacherBank
    experiment_id: str


def run_trial(
    context: TrialContext,
    plan: TrialPlan,
    number: int,
    params: Mapping[str, object],
    report: Callable[[int, float], bool],
) -> float:
    """Run one trial as an MLflow run with a child run per seed.

    Args:
        context: the study, its corpus and its bank.
        plan: the ensemble, the student and the distillation.
        number: the trial's number in Optuna.
        params: the trial's parameters in Optuna, logged as they are.
        report: takes an epoch and the objective so far, for the first seed; True stops the trial.

    Returns:
        The objective: the mean over seeds.

    Raises:
        Pruned: if ``report`` said so.
    """
    study, bench = context.study, context.bench
    tags = {
        STUDY: study.name,
        TRIAL: str(number),
        OBJECTIVE: study.objective.metric,
        SPLIT: study.objective.split,
        DIRECTION: study.objective.direction,
    }
    with bench.tracking.run(context.experiment_id, f"trial {number}", TRIAL_KIND, tags) as run:
        run.params(_prefixed(params, "search"))
        ensemble = Ensemble(tuple(context.bank.get(recipe, bench) for recipe in plan.teachers))
        bench.log_corpus(run)
        log_ensemble(bench, run, ensemble)
        per_seed = [
            _one_seed(context, plan, ensemble, run, seed, report if seed == 0 else None) for seed in range(study.seeds)
        ]
        return _summarise(context, run, plan, per_seed)


def _one_seed(
    context: TrialContext,
    plan: TrialPlan,
    ensemble: Ensemble,
    parent: Run,
    seed: int,
    report: Callable[[int, float], bool] | None,
) -> tuple[str, dict[str, float]]:
    """Train one student in a child run; its run id and its Scorecards."""
    objective = context.study.objective
    recipe = plan.student.model_copy(update={"seed": plan.student.seed + seed})

    def on_validation(epoch: int, metrics: Mapping[str, float]) -> None:
        if report is not None and report(epoch, metrics[objective.logged_name]):
            raise Pruned(f"pruned after epoch {epoch + 1}")

    tracking = context.bench.tracking
    tags = {STUDY: context.study.name}
    with tracking.run(context.experiment_id, f"seed {recipe.seed}", SEED_KIND, tags, parent.run_id) as run:
        listens = objective.split == "validation"
        metrics = train_student(
            context.bench, recipe, run, ensemble, plan.distillation, on_validation if listens else None
        )
        return run.run_id, metrics


def _summarise(context: TrialContext, run: Run, plan: TrialPlan, per_seed: list[tuple[str, dict[str, float]]]) -> float:
    """Log the mean Scorecard over seeds under a teacher's metric names, and the best seed's network."""
    objective = context.study.objective
    first = context.bench.tracking.get(per_seed[0][0])
    names = per_seed[0][1].keys()
    mean = {name: statistics.fmean(metrics[name] for _, metrics in per_seed) for name in names}
    spread = {}
    if len(per_seed) > 1:
        spread = {f"{name}_std": statistics.stdev(metrics[name] for _, metrics in per_seed) for name in names}
    complexity = {name: value for name, value in first.metrics.items() if name.startswith("complexity/")}
    sign = 1.0 if objective.direction == "maximize" else -1.0
    best_id, _ = max(per_seed, key=lambda entry: sign * entry[1][objective.logged_name])
    best = context.bench.tracking.get(best_id)
    value = mean[objective.logged_name]
    run.params(
        _prefixed(plan.student.flat() | {"size": plan.student.size, "augment": plan.student.augment}, "student")
        | plan.distillation.model_dump()
    )
    run.metrics(mean | spread | complexity | {OBJECTIVE_VALUE: value})
    run.tags({MODEL_ID: best.tags[MODEL_ID], RECIPE: best.tags[RECIPE]})
    run.note(_note(context, plan, mean))
    return value


def _note(context: TrialContext, plan: TrialPlan, metrics: Mapping[str, float]) -> str:
    members = "\n".join(f"- {recipe.name}" for recipe in plan.teachers)
    groups = sorted(name for name in metrics if name.startswith("accuracy/group/"))
    scores = ", ".join(f"{name.rsplit('/', 1)[1]} {100 * metrics[name]:.1f} %" for name in groups)
    return (
        f"Student **{plan.student.name}** taught by\n{members}\n\n"
        f"Test fold: {100 * metrics['accuracy/overall']:.1f} % overall ({scores}), "
        f"DG {100 * metrics['device_generalization']:.1f}. Seeds: {context.study.seeds}."
    )


def _prefixed(values: Mapping[str, object], prefix: str) -> dict[str, object]:
    return {f"{prefix}.{key}": value for key, value in values.items()}
