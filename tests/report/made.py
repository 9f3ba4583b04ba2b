"""Runs of made-up studies, as the tracking server would give them back, without hours of training."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_json
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.statistics import Evidence
from asc_experiments.statistics.evidence import to_bytes
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.judgement.doubts import judge_trial
from asc_experiments.training import Recipe, make_recipe

GROUP_OF = {"a": "real", "b": "real", "c": "real", "s1": "seen", "s2": "seen", "s4": "unseen", "s5": "unseen"}
HARDNESS = {"a": 0.0, "b": 0.03, "c": 0.02, "s1": 0.06, "s2": 0.08, "s4": 0.16, "s5": 0.2}
MACS = {8: 1.9e6, 16: 8.0e6, 32: 29e6}
PARAMETERS = {8: 13_942.0, 16: 39_868.0, 32: 126_952.0}
SPLIT = '{"fraction":0.2,"hold_out_devices":[],"seed":0}'
CORPUS = "c0ffee"
SCENES = ("airport", "bus", "park")
STUDENTS, REPLICATES = "evidence/students.npz", "evidence/replicates.npz"


def scorecard(
    rng: np.random.Generator,
    accuracy: float,
    prefix: str = "",
    group_of: dict[str, str] | None = None,
    lift: float = 0.0,
) -> dict[str, float]:
    """A Scorecard whose devices lie around an accuracy; ``lift`` is what unseen devices gain."""
    metrics: dict[str, float] = {}
    groups: dict[str, list[float]] = {}
    for number, (device, group) in enumerate((group_of or GROUP_OF).items()):
        hardness = list(HARDNESS.values())[number % len(HARDNESS)]
        value = accuracy + 0.06 - hardness + (lift if group == "unseen" else 0.0) + rng.normal(0, 0.01)
        metrics[f"accuracy/device/{device}"] = value = float(np.clip(value, 0.05, 1.0))
        metrics[f"ece/device/{device}"] = float(rng.uniform(0.02, 0.2))
        metrics[f"entropy/device/{device}"] = float(rng.uniform(0.2, 1.5))
        groups.setdefault(group, []).append(value)
    metrics |= {f"accuracy/group/{group}": float(np.mean(values)) for group, values in groups.items()}
    metrics |= {
        f"{what}/group/{group}": float(rng.uniform(0.02, 0.2)) for group in groups for what in ("ece", "entropy")
    }
    every = [value for values in groups.values() for value in values]
    metrics |= {"accuracy/overall": float(np.mean(every)), "accuracy/macro": float(np.mean(every))}
    metrics |= {"device_generalization": float(np.std(every)), "loss/overall": 1.0}
    metrics |= {"ece/overall": float(rng.uniform(0.02, 0.2)), "entropy/overall": float(rng.uniform(0.2, 1.5))}
    return {prefix + name: value for name, value in metrics.items()}


Answers = dict[tuple[str, str], dict[str, Evidence]]
"""What students answered, by run and file, then by split."""


def made_evidence(
    accuracies: Sequence[Mapping[str, float] | float],
    seed: int = 0,
    *,
    places: int = 24,
    clips: int = 1_000,
    spread: float = 0.01,
    group_of: Mapping[str, str] | None = None,
    one_answer: bool = False,
) -> Evidence:
    """What students answered, at places of three scenes, each with ``clips`` clips of every device.

    Args:
        accuracies: of each student, on every device or the same on all.
        seed: of what differs from place to place.
        places: how many.
        clips: of each place and device.
        spread: standard deviation of the accuracy over places.
        group_of: the devices and their groups.
        one_answer: whether all of them answer the first scene to everything.
    """
    groups = dict(group_of or GROUP_OF)
    scene = np.arange(places) % len(SCENES)
    effect = np.random.default_rng([seed, 11]).normal(0, spread, places)
    effect -= np.array([effect[scene == each].mean() for each in np.unique(scene)])[scene]
    per_device = np.array([[each if isinstance(each, float) else each[d] for d in groups] for each in accuracies])
    part = np.clip(per_device[:, None, :] + effect[None, :, None], 0, 1)
    answers = np.full((len(accuracies), len(SCENES)), places * clips * len(groups) // len(SCENES))
    if one_answer:
        part = np.broadcast_to(np.where(scene == 0, 1.0, 0.0)[None, :, None], part.shape)
        answers = answers * len(SCENES) * (np.arange(len(SCENES)) == 0)
    return Evidence(
        places=tuple(f"place{number}" for number in range(places)),
        scene_of=scene,
        scenes=SCENES,
        devices=tuple(groups),
        groups=groups,
        clips=np.full((places, len(groups)), clips),
        correct=np.rint(clips * part).astype(np.int64),
        loss=clips * (1 - part),
        answers=answers,
    )


def made_answers(trial: RunRecord, seeds: int, *, prefix: str = "", **more: Any) -> dict[str, Evidence]:
    """What a trial's students answered in the test fold: on each device what its run says, with the seeds' spread."""
    metrics = trial.metrics
    means = {
        name.removeprefix(f"{prefix}accuracy/device/"): value
        for name, value in metrics.items()
        if name.startswith(f"{prefix}accuracy/device/")
    }
    std = metrics.get(f"{prefix}std/accuracy/overall", 0.0)
    if (even := more.pop("even", None)) is not None:
        means = dict.fromkeys(means, even)
    shifts = std * scattered(seeds, int(trial.tags["asc.trial"]))
    group_of = more.pop("group_of", None) or {device: GROUP_OF[device] for device in means}
    students = [{device: value + float(shift) for device, value in means.items()} for shift in shifts]
    return {"test": made_evidence(students, int(trial.tags["asc.trial"]), group_of=group_of, **more)}


def scattered(n: int, seed: int) -> np.ndarray:
    """So many values with mean 0 and standard deviation 1."""
    if n < 2:
        return np.zeros(n)
    values = np.random.default_rng([seed, 13]).normal(size=n)
    return np.asarray((values - values.mean()) / values.std(ddof=1))


def run(
    run_id: str,
    name: str,
    kind: str,
    metrics: dict[str, float],
    tags: dict[str, str] | None = None,
    params: dict[str, object] | None = None,
    status: str = "FINISHED",
    start: int = 0,
) -> RunRecord:
    """One run that took a minute."""
    texts = {key: str(value) for key, value in (params or {}).items()}
    return RunRecord(
        run_id, "1", name, status, texts, metrics, {"asc.kind": kind, **(tags or {})}, start, start + 60_000
    )


def make_teacher(recipe: Recipe, rng: np.random.Generator, **more: Any) -> RunRecord:
    """A teacher's run: better where it is larger, and on unseen devices where it has DIR or FMS."""
    size = recipe.network.base_channels  # type: ignore[union-attr]
    robust = 0.06 if recipe.augment != "none" else 0.0
    accuracy = 0.5 + 0.05 * np.log2(size / 8) + rng.normal(0, 0.01)
    metrics = scorecard(rng, accuracy, lift=robust, group_of=more.get("group_of"))
    metrics |= {"complexity/parameters": PARAMETERS[size], "complexity/macs": MACS[size], "time/training_s": 90.0}
    key = digest_json(recipe.model_dump(mode="json"), length=16)
    tags = {"asc.teacher": key, "asc.recipe": recipe.model_dump_json(), "asc.split": SPLIT, "asc.corpus": CORPUS}
    params = recipe.flat() | {"augment": recipe.augment, "size": recipe.size}
    return run(f"t-{key}", more.get("name", recipe.name), "teacher", metrics, tags, params)


def make_study(
    name: str = "made",
    n_trials: int = 24,
    *,
    seed: int = 0,
    seeds: int = 2,
    n_pruned: int = 3,
    replicated: bool = False,
    split: str = "validation",
    group_of: dict[str, str] | None = None,
    teacher_name: str | None = None,
    labels_alone: bool = True,
) -> StudyRuns:
    """A study over sizes, augmentation and ensembles, in which accurate ensembles teach better."""
    rng = np.random.default_rng(seed)
    bank = _bank(rng, group_of, teacher_name)
    runs: list[RunRecord] = []
    for number in range(n_trials):
        n_teachers = 0 if labels_alone and number % 6 == 0 else int(rng.integers(1, 4))
        members = [bank[int(i)] for i in rng.choice(len(bank), n_teachers, replace=False)]
        runs += _trial(rng, name, number, members, seeds, split, group_of)
    for number in range(n_trials, n_trials + n_pruned):
        runs += _pruned(rng, name, number, split)
    tags = {
        "asc.device_groups": json.dumps(group_of or GROUP_OF),
        "asc.importances": json.dumps(
            {
                "trials": n_trials,
                "fanova": {"ensemble_size": 0.5, "student.base_channels": 0.3, "student.augment": 0.2},
                "ped_anova": {"ensemble_size": 0.6, "student.base_channels": 0.3, "student.augment": 0.1},
                "left_out": {"distillation.temperature": n_trials * 5 // 6},
            }
        ),
        "mlflow.note.content": "Which teachers make the best student?\n\nMore.",
        "asc.published": json.dumps(
            [{"name": "a paper", "params": {"ensemble_size": 0}, "metrics": {"accuracy/overall": 0.55}}]
        ),
    }
    study = StudyRuns(name, tags, tuple(runs), {teacher.tags["asc.teacher"]: teacher for teacher in bank})
    answers = {
        (trial.run_id, STUDENTS): made_answers(trial, seeds, group_of=group_of or GROUP_OF) for trial in study.trials
    }
    study = with_answers(study, answers)
    return _replicated(study, answers) if replicated else study


def with_answers(study: StudyRuns, answers: Answers) -> StudyRuns:
    """The same study, whose runs keep these answers and no others."""
    judge = partial(judge_trial, cast(Tracking, KeptAnswers(answers)))
    return replace(study, evidence=lambda run_id, name: answers.get((run_id, name), {}), judge=judge)


class KeptAnswers:
    """A tracking server of which runs keep their answers, and nothing else."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.client = SimpleNamespace(get_run=lambda run_id: SimpleNamespace(inputs=None))

    @contextmanager
    def artifacts(self, run_id: str, name: str) -> Iterator[Path]:
        if (run_id, name) not in self.answers:
            raise AscError(f"run {run_id}", "has no such file", "none")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answers.npz"
            path.write_bytes(to_bytes(self.answers[run_id, name]))
            yield path


def guessing_study(name: str = "guessing", n_trials: int = 6, seeds: int = 2, **more: Any) -> StudyRuns:
    """A study of too few epochs: every student, and every teacher, answers the first scene to everything."""
    study = make_study(name, n_trials, seeds=seeds, n_pruned=0, **more)
    third = 1 / len(SCENES)
    flat = {"accuracy/overall": third, "accuracy/macro": third, "device_generalization": 0.0, "objective": third}
    flat |= {f"accuracy/device/{device}": third for device in GROUP_OF}
    flat |= {f"accuracy/group/{group}": third for group in GROUP_OF.values()}
    flat |= {f"ensemble/{name}": value for name, value in flat.items()} | {"validation/accuracy/macro": third}

    def guess(run: RunRecord) -> RunRecord:
        metrics = {name: 0.0 if name.startswith("std/") else value for name, value in run.metrics.items()}
        return replace(run, metrics=metrics | {name: v for name, v in flat.items() if name in metrics})

    runs = tuple(map(guess, study.runs))
    bank = {key: guess(teacher) for key, teacher in study.bank.items()}
    always = {"test": made_evidence([third] * seeds, one_answer=True)}
    answers = {(run.run_id, STUDENTS): always for run in (*runs, *bank.values())}
    return with_answers(replace(study, runs=runs, bank=bank), answers)


def _bank(rng: np.random.Generator, group_of: dict[str, str] | None, name: str | None) -> list[RunRecord]:
    recipes = [
        make_recipe(arch, augment, base_channels=size, epochs=20, seed=0)
        for arch in ("cp_mobile", "cp_resnet")
        for size in (8, 16, 32)
        for augment in ("none", "dirfms")
    ]
    more = {"group_of": group_of} | ({} if name is None else {"name": name})
    return [make_teacher(recipe, rng, **more) for recipe in recipes]


def _trial(
    rng: np.random.Generator,
    study: str,
    number: int,
    members: Sequence[RunRecord],
    seeds: int,
    split: str,
    group_of: dict[str, str] | None,
) -> list[RunRecord]:
    size = (8, 16, 32)[number % 3]
    recipe = make_recipe("cp_mobile", "none", base_channels=size, epochs=20, seed=1_000)
    taught = float(np.mean([member.metrics["accuracy/overall"] for member in members])) if members else 0.45
    accuracy = 0.3 + 0.5 * taught + 0.03 * np.log2(size / 8) + rng.normal(0, 0.01)
    metrics = scorecard(rng, accuracy, group_of=group_of)
    metrics |= {f"std/{name}": 0.01 for name in metrics} if seeds > 1 else {}
    metrics["validation/accuracy/macro"] = accuracy + rng.normal(0, 0.01)
    objective = metrics["validation/accuracy/macro" if split == "validation" else "accuracy/macro"]
    metrics |= {"objective": objective, "complexity/macs": MACS[size], "complexity/parameters": PARAMETERS[size]}
    searched: dict[str, Any] = {"ensemble_size": len(members), "student.base_channels": size}
    params: dict[str, object] = {"student.size": size, "student.augment": "none", "ensemble_size": len(members)}
    params["student.seed"] = 1_000
    if members:
        metrics |= scorecard(rng, taught + 0.02, "ensemble/", group_of)
        metrics |= {"agreement/overall": 0.8, "targets/entropy": float(rng.uniform(0.1, 1)), "targets/accuracy": 0.99}
        searched["distillation.temperature"] = float(rng.choice([1.0, 2.0, 4.0]))
        params |= {
            "temperature": searched["distillation.temperature"],
            "label_weight": 0.02,
            "ensemble_rule": "mean_logits",
        }
    if len(members) > 1:
        metrics["ensemble/disagreement/overall"] = float(rng.uniform(0.1, 0.4))
    tags = _tags(study, number, split, searched) | {
        "asc.teachers": ",".join(member.tags["asc.teacher"] for member in members),
        "asc.recipe": recipe.model_dump_json(),
        "asc.model_id": f"m-{number}",
    }
    trial = run(f"{study}-{number}", f"trial {number}", "trial", metrics, tags, params, start=1_000 + number)
    trial = replace(trial, metrics={**metrics, "time/training_s": 30.0 * seeds})
    return [trial, *(_child(trial, "seed", 1_000 + place, recipe) for place in range(seeds))]


def _child(trial: RunRecord, kind: str, seed: int, recipe: Recipe, **more: Any) -> RunRecord:
    tags = {
        "mlflow.parentRunId": trial.run_id,
        "asc.seed": str(seed),
        "asc.corpus": CORPUS,
        "asc.recipe": recipe.model_copy(update={"seed": seed}).model_dump_json(),
    }
    metrics = {"time/training_s": 30.0, "validation/accuracy/macro": trial.metrics.get("objective", 0.2)}
    return run(f"{trial.run_id}-{kind}-{seed}", f"{kind} {seed}", kind, metrics, tags, start=2_000, **more)


def _pruned(rng: np.random.Generator, study: str, number: int, split: str) -> list[RunRecord]:
    recipe = make_recipe("cp_mobile", "none", base_channels=8, epochs=20, seed=1_000)
    tags = _tags(study, number, split, {"ensemble_size": 1, "student.base_channels": 8})
    tags["asc.error"] = "pruned after epoch 3"
    trial = run(f"{study}-{number}", f"trial {number}", "trial", {}, tags, status="KILLED", start=1_000 + number)
    return [trial, _child(trial, "seed", 1_000, recipe, status="KILLED")]


def _tags(study: str, number: int, split: str, searched: dict[str, Any]) -> dict[str, str]:
    return {
        "asc.study": study,
        "asc.trial": str(number),
        "asc.objective": "accuracy/macro",
        "asc.objective_split": split,
        "asc.direction": "maximize",
        "asc.searched": json.dumps(searched),
    }


def _replicated(study: StudyRuns, answers: Answers) -> StudyRuns:
    """The same study, of which the best two and trial 0, the baseline, were tried again with fresh seeds."""
    recipe = make_recipe("cp_mobile", "none", base_channels=32, epochs=20, seed=1_010)
    again = {trial.run_id for trial in (*study.best_first[:2], study.trials[0])}
    runs = []
    for each in study.runs:
        if each.run_id in again:
            fresh = {f"replicated/{name}": value - 0.01 for name, value in each.metrics.items() if "accuracy" in name}
            fresh |= {f"replicated/std/{name}": 0.012 for name in each.metrics if name.startswith("accuracy/")}
            fresh |= {"replicated/objective": each.metrics["objective"] - 0.01, "replicated/std/objective": 0.011}
            fresh |= {"replicated/count": 3.0}
            if each.run_id != study.trials[0].run_id:
                fresh |= {"difference/difference": 0.05, "difference/low": 0.02, "difference/high": 0.08}
                fresh |= {
                    "difference/test/difference": 0.04,
                    "difference/test/low": -0.01,
                    "difference/test/high": 0.09,
                }
            tags = {**each.tags, "asc.replicated_at": "7", "asc.baseline": "0"}
            each = replace(each, metrics={**each.metrics, **fresh}, tags=tags)
            answers[each.run_id, REPLICATES] = made_answers(each, 3, prefix="replicated/")
            runs += [_child(each, "replicate", 1_010 + place, recipe) for place in range(3)]
        runs.append(each)
    return replace(study, runs=tuple(runs))
