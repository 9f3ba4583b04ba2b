"""Settings in which networks that are compared differ although no column of the comparison says so.

A teacher of another architecture is mostly a teacher of another learning rate too: a reader must know before taking
the one for the cause.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asc_experiments.augment import AUGMENTATIONS
from asc_experiments.augment.augmentations import acting
from asc_experiments.report.analysis.distillation_gain import student_recipe
from asc_experiments.report.data.study_runs import StudyRuns, kind_of, number_of, recipe_of
from asc_experiments.tracking.trials import IMPORTED, NUMBER_FORMAT, TRAIN_SPLIT, keys_of
from asc_experiments.training.losses import LOSS, PUBLISHED, loss_settings

Settings = Mapping[str, Any]
_SAID_BY = {
    **{name: "augment" for kind in AUGMENTATIONS.values() if kind.label for name in kind.model_fields},
    "base_channels": "size", "embed_dim": "size", "depth": "size", "num_heads": "size",
}  # fmt: skip
"""Settings that another one, which is shown, may tell: where each of its values goes with a single one of theirs."""
_DISTILLATION = (*loss_settings(), "ensemble_rule")


@dataclass(frozen=True)
class Differences:
    """Settings that differ among rows.

    Attributes:
        settings: their names in a Recipe.
        rows: each with the value of every setting as text; empty where it has none, several where rows share a name.
    """

    settings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]

    def facts(self) -> dict[str, dict[str, str]]:
        """For JSON."""
        return {row: dict(zip(self.settings, values, strict=True)) for row, values in self.rows}


def teacher_differences(study: StudyRuns) -> Differences:
    """What a study's teachers differ in besides architecture, size, method, epochs and seed."""
    rows = []
    for run in study.teachers.values():
        recipe = recipe_of(run)
        if recipe is not None and IMPORTED not in run.tags:
            computed = {"number_format": run.tags.get(NUMBER_FORMAT), "train_split": run.tags.get(TRAIN_SPLIT)}
            rows.append((kind_of(run), _flat(recipe, run.params) | computed))
    return hidden_differences(rows, ("arch", "size", "augment", "epochs", "seed"))


def student_differences(study: StudyRuns) -> Differences:
    """What a study's students differ in besides teachers, size, method and seed: of their Recipe and distillation."""
    rows = []
    for trial in study.best_first:
        recipe = student_recipe(study, trial)
        if recipe is not None:
            shown = {name.removeprefix("student."): value for name, value in trial.params.items()}
            taught = {LOSS: PUBLISHED, **trial.params}
            distillation = {name: taught.get(name) for name in _DISTILLATION if len(keys_of(trial)) > 0}
            on = {"train_split": trial.tags.get(TRAIN_SPLIT)}
            rows.append((f"trial {number_of(trial)}", _flat(recipe, shown) | distillation | on))
    return hidden_differences(rows, ("size", "augment", "seed"))


def hidden_differences(rows: Sequence[tuple[str, Settings]], shown: Sequence[str]) -> Differences:
    """The settings that vary over rows and that none of the shown ones tells.

    Args:
        rows: each with its name and its settings; one that a network does not have is left out, or None.
        shown: names of settings that a reader sees.
    """
    found = []
    for name in dict.fromkeys(name for _, settings in rows for name in settings):
        having = [settings for _, settings in rows if settings.get(name) is not None]
        values = {_text(settings[name]) for settings in having}
        if name not in shown and len(values) > 1 and not _is_told(having, name, shown):
            found.append(name)
    by_row: dict[str, list[Settings]] = defaultdict(list)
    for row, settings in rows:
        by_row[row].append(settings)
    told = [(row, tuple(_values(each, name) for name in found)) for row, each in by_row.items()]
    return Differences(tuple(found), tuple(told) if found else ())


def _values(rows: Sequence[Settings], name: str) -> str:
    values = [settings[name] for settings in rows if settings.get(name) is not None]
    return ", ".join(dict.fromkeys(map(_text, values)))


def _is_told(rows: Sequence[Settings], name: str, shown: Sequence[str]) -> bool:
    by = _SAID_BY.get(name)
    if by is None or by not in shown:
        return False
    told = defaultdict(set)
    for settings in rows:
        told[settings.get(by)].add(settings[name])
    return all(len(values) == 1 for values in told.values())


def _flat(recipe: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """A Recipe's settings by their own names; how FMS mixes counts only where it is used."""
    settings = {**recipe["network"], **acting(recipe["augmentation"]), **recipe["optimisation"]}
    return settings | {name: shown.get(name) for name in ("size", "augment")}


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
