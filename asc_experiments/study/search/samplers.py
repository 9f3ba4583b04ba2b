"""How a study searches: Optuna's sampler and pruner for a study file."""

from __future__ import annotations

import optuna
from optuna.trial import Trial

from asc_experiments.base.hashing import digest_json
from asc_experiments.models.complexity import Complexity
from asc_experiments.study.definition.parameter_range import candidates
from asc_experiments.study.definition.study_file import StudyFile


def sampler(file: StudyFile, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial, seeded by the trial's number.

    With one sampler per process, a resumed or second driver would draw the same points again. A grid's cells are all
    queued; its sampler never draws.
    """
    seed = int(digest_json([file.sampler_seed, number], length=8), 16)
    if file.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    if file.sampler == "gp":
        return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)
    if file.sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=file.population)
    return optuna.samplers.RandomSampler(seed=seed)


def pruner(file: StudyFile) -> optuna.pruners.BasePruner:
    """The pruner; without a warm-up the median stops what only begins slowly."""
    epochs = int(max(candidates(file.student.get("epochs", 150))))
    if file.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, epochs // 3))
    if file.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=max(1, epochs // 9), max_resource=epochs)
    return optuna.pruners.NopPruner()


def set_constraints(file: StudyFile, trial: Trial, complexity: Complexity) -> None:
    """Tell Optuna how far a trial's student is above each limit; at or below 0 it is feasible."""
    for metric, limit in file.constraints.items():
        value = getattr(complexity, metric.removeprefix("complexity/"))
        trial.set_constraint(metric, value / limit - 1.0)
