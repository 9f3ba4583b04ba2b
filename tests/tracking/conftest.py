"""Finished trials without a training: their students' scores are given, the best one's network is stored.

What they answered is made up to fit, on 540 clips of 27 places.
"""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import torch

from asc_experiments.statistics import Evidence, pooled
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.evidence import REPLICATES, log_evidence
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.training import SceneNetwork, make_recipe

SCENES = ("bus", "park", "tram")
LogTrial = Callable[..., RunRecord]


def answers_of(reached: Sequence[float], seed: int = 0) -> Evidence:
    """Students that are right in just these parts of 540 clips of 27 places and two devices; which ones is chance."""
    rng = np.random.default_rng(seed)
    place = np.arange(540) % 27
    labels = place % len(SCENES)
    logits = []
    for value in reached:
        right = rng.permutation(540) < round(540 * min(1.0, value))
        wrong = (labels + 1 + rng.integers(0, 2, 540)) % len(SCENES)
        logits.append(3.0 * np.eye(len(SCENES))[np.where(right, labels, wrong)])
    devices = ["a", "s4"] * 270
    return Evidence.of(logits, labels, devices, [f"place{n}" for n in place], {"a": "real", "s4": "unseen"}, SCENES)


@pytest.fixture
def log_trial(tracking: Tracking) -> LogTrial:
    """Log a trial of study ``s`` whose students reached these accuracies."""

    def log(
        number: int,
        reached: Sequence[float],
        *,
        study: str = "s",
        split: str = "test",
        objective: str = "accuracy/overall",
        direction: str = "maximize",
        corpus: str = "c0ffee",
        held_out: Mapping[str, object] | None = None,
        clips: Mapping[str, int] | None = None,
        again: Sequence[float] = (),
        teachers: Sequence[str] = (),
        metrics: Mapping[str, float] | None = None,
        scenes: tuple[str, ...] = SCENES,
        keeps_answers: bool = True,
        samples: int = 32_000,
    ) -> RunRecord:
        right = [1 - value if direction == "minimize" else value for value in (*reached, *again)]
        answers = [answers_of([value], 100 * number + seed) for seed, value in enumerate(right)]
        experiment = tracking.experiment(study)
        tags = {
            "asc.study": study, "asc.trial": str(number), "asc.direction": direction, "asc.objective": objective,
            "asc.objective_split": split, "asc.teachers": ",".join(teachers),
        }  # fmt: skip
        name = objective if split == "test" else f"validation/{objective}"
        profile = {"training_clips": 650, "validation_clips": 100, "test_clips": 540} | dict(clips or {})
        with tracking.run(experiment, f"trial {number}", "trial", tags) as run:
            best = max(reached) if direction == "maximize" else min(reached)
            for seed, value in enumerate(reached):
                own = {"asc.corpus": corpus} | ({} if held_out is None else {"asc.split": json.dumps(held_out)})
                with tracking.run(experiment, f"seed {seed}", "seed", own, run.run_id) as student:
                    student.metrics({"accuracy/overall": value, name: value} | dict(metrics or {}))
                    if keeps_answers:
                        log_evidence(student, {"test": answers[seed]})
                    student.dataset("field", corpus, "somewhere", json.dumps(profile))
                    if seed == list(reached).index(best):
                        torch.manual_seed(number)
                        recipe = make_recipe("cp_mobile", base_channels=8, seed=seed)
                        network = SceneNetwork(recipe, scenes, samples)
                        model_id = log_network(student, network)
            run.tags({"asc.model_id": model_id})
            if keeps_answers:
                log_evidence(run, {"test": pooled(answers[: len(reached)])})
                if again:
                    log_evidence(run, {"test": pooled(answers[len(reached) :])}, REPLICATES)
            run.params({"teachers": " + ".join(teachers) or "labels alone"})
            mean = {"accuracy/overall": statistics.fmean(reached), "objective": statistics.fmean(reached)}
            spread = {f"std/{name}": statistics.stdev(reached)} if len(reached) > 1 else {}
            fresh = {}
            if again:
                fresh = {"replicated/objective": statistics.fmean(again), "replicated/count": float(len(again))}
                fresh["replicated/std/objective"] = statistics.stdev(again) if len(again) > 1 else 0.0
                run.tags({"asc.replicated_at": str(number + 1)})
            run.metrics(mean | spread | fresh | dict(metrics or {}))
        return tracking.get(run.run_id)

    return log
