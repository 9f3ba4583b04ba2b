"""Opening a study: everything that can be refused is refused here, before anything is written."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage

from asc_experiments.base.errors import AscError, check_all, nearest
from asc_experiments.base.progress import say
from asc_experiments.corpus import Corpus, ValidationSplit, split_training_fold
from asc_experiments.corpus.index import HELD_OUT_GROUP
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.distill.bank import check_learnable
from asc_experiments.distill.embeddings import check_has_embeddings
from asc_experiments.distill.keys import SCHEMA
from asc_experiments.distill.training_context import refuse_without_responses
from asc_experiments.metrics import METRICS, MetricKey, metric_names
from asc_experiments.models import ARCHITECTURES
from asc_experiments.study.definition.study_file import Objective, StudyFile
from asc_experiments.study.search.samplers import pruner
from asc_experiments.study.search.search_space import SearchSpace
from asc_experiments.study.storage.trial_status import (
    ASKED,
    CORPUS,
    DEFINITION,
    DIRS,
    KEY_SCHEMA,
    METRIC,
    PACKAGES,
    SETTINGS,
)
from asc_experiments.tracking.objective import ObjectiveClips, count_objective
from asc_experiments.tracking.study_identity import STUDY_ID
from asc_experiments.tracking.trials import IMPORTED, NUMBER_FORMAT, OBJECTIVE_CLIPS, REFERENCE_DEVICE, TRAINING_CLIPS
from asc_experiments.training.losses import LOSSES


def check_study(space: SearchSpace, bench: TrainingContext, bank: TeacherBank) -> None:
    """Check what a study needs of its corpus and its bank.

    Raises:
        AscError: if a metric does not exist, a Recipe needs what is not there, or a teacher is not in the bank.
    """
    names = space.study.corpus.names if space.study.corpus else ("",)
    for each in map(bench.on, names):
        measured = [objective for objective in space.study.objectives if not objective.is_complexity]
        checks: list[Callable[[], object]] = [partial(_check_metric, space.study, one, each) for one in measured]
        checks += [partial(each.responses_for, recipe) for recipe in space.recipes]
        if space.study.specialise is not None:
            checks.append(partial(space.study.specialise.devices_in, each))
        keys = [key for kind in space.kinds.values() for key in kind.keys]
        check_all([*checks, *(partial(_check_banked, key, space.study, each, bank) for key in keys)])


def check_corpus_for(study: StudyFile, corpus: Corpus, has_responses: bool) -> None:
    """Check what a study file asks of a corpus's clips, before anything is decoded or written: all of it at once.

    Args:
        study: the study.
        corpus: its corpus.
        has_responses: whether a folder of impulse responses is known.

    Raises:
        AscError: if the corpus lacks a held-out device, or what an objective is of, or DIR has no impulse responses.
    """
    measured = [objective for objective in study.objectives if not objective.is_complexity]
    checks: list[Callable[[], object]] = [partial(split_training_fold, corpus, study.validation)]
    checks += [partial(_check_metric_of, study, objective, corpus) for objective in measured]
    needing = [] if has_responses else [one for one in SearchSpace(study).recipes if one.needs_impulse_responses]
    check_all([*checks, *(partial(refuse_without_responses, recipe.name) for recipe in needing[:1])])


def _check_metric_of(study: StudyFile, objective: Objective, corpus: Corpus) -> None:
    """Refuse a metric of a device, a group or a scene of which the objective's fold has no clip."""
    _check_known(study.name, objective, _names_in_fold(study, objective, corpus))


def _names_in_fold(study: StudyFile, objective: Objective, corpus: Corpus) -> list[str]:
    """The metrics that an objective may be of, whichever of its fold's places are held out.

    Held-out devices are a group of their own in the test fold, and stand for the unseen ones among held-out clips: as
    :meth:`TrainingContext.groups_for` has them.
    """
    is_tested = objective.split == "test"
    devices = sorted(set(corpus.device_of[corpus.test_rows if is_tested else corpus.train_rows].tolist()))
    held_out = dict.fromkeys(study.validation.hold_out_devices, HELD_OUT_GROUP if is_tested else "unseen")
    groups = corpus.device_groups() | held_out
    return metric_names(devices, [groups[device] for device in devices], corpus.scenes)


def open_study(space: SearchSpace, asked: int, bench: TrainingContext, storage: BaseStorage) -> optuna.Study:
    """Create the study in Optuna's storage, or find it there.

    Raises:
        AscError: if a study of that name was begun with another definition, corpus or impulse responses, or by an
            earlier version.
    """
    file = space.study
    wanted = refuse_changed(space, bench, storage)
    study = optuna.create_study(
        study_name=file.name,
        storage=storage,
        pruner=pruner(file),
        directions=[objective.direction for objective in file.objectives],
        load_if_exists=True,
    )
    told = {ASKED: asked, METRIC: file.objective.logged_name, SETTINGS: file.definition()}
    if packages := _packages(space):
        told[PACKAGES] = packages
    if not study.get_trials(deepcopy=False):  # one that an earlier version began has none, and neither have its runs
        told[STUDY_ID] = study.user_attrs.get(STUDY_ID) or uuid4().hex
    told[NUMBER_FORMAT] = study.user_attrs.get(NUMBER_FORMAT, bench.number_format)
    if told[NUMBER_FORMAT] != bench.number_format:
        began = f"was begun in {told[NUMBER_FORMAT]} and resumes in {bench.number_format}"
        say(f"study {file.name}: {began}: its networks have other keys, and differ in more than their settings")
    if measured := objective_clips(file.objective, bench):
        told[OBJECTIVE_CLIPS] = measured.tags()
    for key, value in (wanted | told).items():
        if study.user_attrs.get(key) != value:
            study.set_user_attr(key, value)
    _name_values(study, [objective.logged_name for objective in file.objectives])
    return study


def _name_values(study: optuna.Study, names: list[str]) -> None:
    """Tell Optuna what its values are: its plots and optuna-dashboard write the names at their axes."""
    if study.metric_names == names:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(names)


def _packages(space: SearchSpace) -> dict[str, str]:
    """The packages of a study's architectures and losses that are no part of the program, for ``pip install``."""
    sources = {recipe.arch: ARCHITECTURES[recipe.arch].source for recipe in space.recipes}
    sources |= {name: LOSSES[name].source for name in space.losses}
    return {name: source.requirement for name, source in sources.items() if source is not None}


def refuse_changed(space: SearchSpace, bench: TrainingContext, storage: BaseStorage) -> dict[str, str]:
    """Refuse to resume a study that was begun as another one; what identifies this one.

    Raises:
        AscError: if a study of that name was begun with another definition, corpus or impulse responses, or by an
            earlier version.
    """
    file = space.study
    digests = {found.digest for recipe in space.recipes if (found := bench.responses_for(recipe))}
    wanted = {
        KEY_SCHEMA: str(SCHEMA),
        DEFINITION: file.definition_digest(),
        CORPUS: bench.store.corpus_digest,
        DIRS: next(iter(digests), "none"),
        REFERENCE_DEVICE: bench.corpus.reference_device if digests else "none",
        TRAINING_CLIPS: ",".join(f"{each.name} {each.digest}" for each in bench.train_splits) or "none",
    }
    if file.name in optuna.get_all_study_names(storage):
        known = optuna.load_study(study_name=file.name, storage=storage).user_attrs
        _refuse_other(file, known, wanted)
    return wanted


_CHANGES_SHOWN = 6
_WHAT = {
    DEFINITION: "settings",
    CORPUS: "corpus content",
    DIRS: "impulse responses",
    REFERENCE_DEVICE: "reference device",
    TRAINING_CLIPS: "lists of training clips",
}


def _refuse_other(file: StudyFile, known: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
    """Refuse what a study was begun with where it is not what is wanted."""
    where = f"study '{file.name}'"
    if DEFINITION in known and known.get(KEY_SCHEMA) != wanted[KEY_SCHEMA]:
        what = "was begun by another version, whose networks have other keys"
        raise AscError(where, what, "its report stays; begin it anew under another name: --set name=…")
    for key, what in _WHAT.items():
        if known.get(key, wanted[key]) != wanted[key]:
            changed = _changed(known[SETTINGS], file.definition()) if key == DEFINITION and SETTINGS in known else []
            shown = changed[:_CHANGES_SHOWN]
            shown += [f"{len(changed) - _CHANGES_SHOWN} more"] if len(changed) > _CHANGES_SHOWN else []
            told = f"was begun with other {what}" + (f" ({', '.join(shown)})" if shown else "")
            remedy = "give it another name: --set name=…"
            if key == DEFINITION and file.sampler != "grid":
                remedy += f"; with --trials-of {file.name}, that begins with the trials of this one"
            if any(change.startswith("seeds was ") for change in changed):
                remedy += (
                    "; or keep the seeds, and have more students of its best trials: replicate: {best: 3, seeds: 3}"
                )
            raise AscError(where, told, remedy)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings that differ, each with what it was and what it is."""
    old, new = dict(_flat("", before)), dict(_flat("", now))
    return [
        f"{name} was {old.get(name, 'the default')} and is {new.get(name, 'the default')}"
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Settings by their dotted names; the entries of a list of groups by their numbers, from 1."""
    if isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        value = {str(number): entry for number, entry in enumerate(value, 1)}
    if not isinstance(value, Mapping):
        yield prefix, value
        return
    for key, inner in value.items():
        yield from _flat(f"{prefix}.{key}" if prefix else key, inner)


def objective_clips(objective: Objective, bench: TrainingContext) -> ObjectiveClips | None:
    """What an objective is measured on; None where that is a complexity."""
    if objective.is_complexity:
        return None
    rows = _rows_of(objective, bench)
    return count_objective(objective.metric, objective.split, rows, bench.corpus, bench.groups_for(rows))


def _rows_of(objective: Objective, bench: TrainingContext) -> np.ndarray:
    return bench.rows[1] if objective.split == "validation" else bench.corpus.test_rows


def _check_metric(study: StudyFile, objective: Objective, bench: TrainingContext) -> None:
    rows = _rows_of(objective, bench)
    devices = sorted(set(bench.corpus.device_of[rows].tolist()))
    groups = [bench.groups_for(rows)[device] for device in devices]
    names = metric_names(devices, groups, bench.corpus.scenes)
    if objective.metric not in names and objective.metric in _names_in_fold(study, objective, bench.corpus):
        what = f"{objective.metric} would be of no clip: none of the {len(rows)} held-out ones is one of its own"
        remedy = "hold more out: --set validation.fraction=0.3"
        if study.validation.hold_out_devices:
            remedy += ", or --set validation.held_out_device_clips=most"
        remedy += "; or give --scale small, which is for small corpora" if "small" in study.scales else ""
        raise AscError(f"study '{study.name}': objective", what, remedy)
    _check_known(study.name, objective, names)


def _check_known(study: str, objective: Objective, names: Sequence[str]) -> None:
    if objective.metric not in names:
        METRICS.check_loaded(MetricKey.parse(objective.metric).name, f"study '{study}': objective")
        what = f"unknown metric '{objective.metric}' on the {objective.split} split"
        raise AscError(f"study '{study}': objective", what, nearest(objective.metric, names))


def _check_banked(key: str, study: StudyFile, bench: TrainingContext, bank: TeacherBank) -> None:
    teacher = bank.named(key)
    check_learnable(teacher, bench)
    if loss := SearchSpace(study).needs_embeddings:
        check_has_embeddings(teacher, loss)
    split = teacher.split.normalised()
    if IMPORTED in teacher.record.tags and split == ValidationSplit().normalised():
        say(f"teacher {key} was trained elsewhere, maybe on the clips held out here: validation scores may flatter it")
    elif split != study.validation.normalised():
        remedy = f"set validation of study '{study.name}' to its own, or give other keys"
        raise AscError(f"teacher {key}", "held out other clips than this study does", remedy)
