"""The exact command that makes a row of a report again, from the Recipe that its run keeps."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from asc_experiments.report.analysis.distillation_gain import student_recipe
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import HELD_OUT, IMPORTED, RECIPE, STUDENT_SEEDS, TRAIN_SPLIT, keys_of
from asc_experiments.training.losses import LOSS, LOSSES, PUBLISHED, logged_loss

if TYPE_CHECKING:  # with it comes PyTorch, which a table does not wait for
    from asc_experiments.training import Recipe

CORPUS_FOLDER, RESPONSES_FOLDER = "DIR", "IRS"
"""What stands for the corpus's folder and that of impulse responses, which differ from machine to machine."""
_STUDENT_ARCH = "cp_mobile"


@dataclass(frozen=True)
class Command:
    """How to make something again.

    Attributes:
        line: to be typed into a shell; empty where no command does it.
        note: what the command does not say, or why there is none.
    """

    line: str
    note: str = ""


def teacher_command(run: RunRecord) -> Command:
    """The command that trains a teacher, under the same key."""
    if IMPORTED in run.tags:
        file = run.tags[IMPORTED].partition(" ")[2]
        return Command("", f"Imported from {file}; `asc teacher import` takes it in again.")
    recipe = _recipe(run.tags.get(RECIPE))
    if recipe is None:
        return Command("", "Written by another version, whose settings this one does not know.")
    split = json.loads(run.tags.get(HELD_OUT, "{}"))
    if why := _not_to_be_given(split):
        return Command("", why)
    words = ["asc", "teacher", "train", "--arch", recipe.arch, *_shared(recipe, run), *_validation(split)]
    return Command(_line(words + (["--pretrained"] if recipe.pretrained != "none" else []) + _settings(recipe)))


def student_command(study: StudyRuns, trial: RunRecord) -> Command:
    """The command that trains the student that a trial would ship; it holds out what its teachers did."""
    values = student_recipe(study, trial)
    recipe = _recipe(json.dumps(values)) if values else None
    if recipe is None:
        return Command("", "Written by another version, whose settings this one does not know.")
    keys, split = keys_of(trial), study.held_out
    if len(keys) > 1 and trial.params.get("ensemble_rule", "mean_logits") != "mean_logits":
        rule = trial.params["ensemble_rule"]
        return Command("", f"Its teachers are combined by {rule}, which only a study does: run the study again.")
    if not keys and split is None:
        return Command("", "Which clips it held out is not known: run the study again.")
    if not keys and (why := _not_to_be_given(split or {})):
        return Command("", why)
    words = ["asc", "student", "train", *_shared(recipe, trial)]
    words += ["--teachers", ",".join(keys)] if keys else _validation(split or {})
    changed = {} if recipe.arch == _STUDENT_ARCH else {"arch": recipe.arch}
    line = _line(words + _assign(changed) + _settings(recipe) + (_distillation(trial) if keys else []))
    return Command(line, _other_seeds(trial, recipe.seed))


def labels_alone_command(study: StudyRuns, trial: RunRecord) -> Command:
    """The command that trains a trial's student without its teachers: what its gain is measured against."""
    values, split = student_recipe(study, trial), study.held_out
    recipe = _recipe(json.dumps(values)) if values else None
    if recipe is None:
        return Command("", "It was written by another version, whose settings this one does not know.")
    if split is None:
        return Command("", "Which clips it held out is not known.")
    if why := _not_to_be_given(split):
        return Command("", why)
    changed = {} if recipe.arch == _STUDENT_ARCH else {"arch": recipe.arch}
    words = ["asc", "student", "train", *_shared(recipe, trial), *_validation(split)]
    words += _assign(changed) + _settings(recipe)
    return Command(_line(words), _other_seeds(trial, recipe.seed))


def _recipe(text: str | None) -> Recipe | None:
    from asc_experiments.training import Recipe

    try:
        return Recipe.model_validate_json(text or "")
    except ValidationError:
        return None


def _shared(recipe: Recipe, run: RunRecord) -> list[str]:
    """The options that teachers and students have both."""
    words = ["--corpus", CORPUS_FOLDER]
    words += ["--train-split", f"{run.tags[TRAIN_SPLIT]}.csv"] if TRAIN_SPLIT in run.tags else []
    words += ["--dirs", RESPONSES_FOLDER] if recipe.needs_impulse_responses else []
    return [
        *words,
        "--augment",
        recipe.augment,
        "--epochs",
        str(recipe.optimisation.epochs),
        "--seed",
        str(recipe.seed),
    ]


def _validation(split: Mapping[str, Any]) -> list[str]:
    return ["--validation", repr(split["fraction"])] if split.get("fraction") else []


def _not_to_be_given(split: Mapping[str, Any]) -> str:
    """Why a split cannot be given on the command line; empty where it can."""
    if split.get("hold_out_devices"):
        devices = ", ".join(split["hold_out_devices"])
        return f"Device {devices} is held out from training, which only a study file can say: run the study again."
    if split.get("fraction") and split.get("seed"):
        return f"Its held-out clips were drawn with seed {split['seed']}, which only a study file can say."
    return ""


def _settings(recipe: Recipe) -> list[str]:
    """What differs from the published settings of this architecture, at so many epochs."""
    from asc_experiments.training import make_recipe

    published = make_recipe(recipe.arch, recipe.augment, epochs=recipe.optimisation.epochs, seed=recipe.seed).flat()
    given = ("arch", "pretrained") if recipe.pretrained != "none" else ("arch",)
    return _assign(
        {key: value for key, value in recipe.flat().items() if key not in given and value != published.get(key)}
    )


def _distillation(trial: RunRecord) -> list[str]:
    """The loss where it is not the published one, and its settings that differ from its defaults."""
    kind, params = LOSSES.get(trial.params.get(LOSS, PUBLISHED)), trial.params
    named = {LOSS: params[LOSS]} if LOSS in params else {}
    if kind is None:
        return _assign(named)
    defaults = kind().model_dump()
    given = logged_loss(params, "trial").model_dump()
    return _assign(named | {name: value for name, value in given.items() if value != defaults[name]})


def _other_seeds(trial: RunRecord, seed: int) -> str:
    """Which other seeds the trial's students have; empty where an earlier version did not log it."""
    others = [str(other) for other in json.loads(trial.tags.get(STUDENT_SEEDS, "[]")) if other != seed]
    return f"The trial's other students: --seed {', '.join(others)}." if others else ""


def _assign(settings: Mapping[str, Any]) -> list[str]:
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def _line(words: list[str]) -> str:
    return shlex.join(words)
