"""What changes in a study for every network to have fewer epochs, or every kind of teachers more networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asc_experiments.models import ARCHITECTURES
from asc_experiments.study.definition.parameter_range import Searchables, candidates
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.monitor.cost_estimate import Cell

_EPOCHS, _SEED = "epochs", "seed"
_SCHEDULE = ("warmup_epochs", "rampdown_start", "rampdown_epochs")
"""What is stretched with the epochs, and where a file says it has to be changed with them."""


def student_epochs(file: StudyFile) -> int:
    """The epochs of a study's students; the most, where they are searched for."""
    return max(_known_epochs(file.student, _student_arch(file)))


def with_part_of_epochs(file: StudyFile, part: float) -> dict[str, Any] | None:
    """The settings that give every network a part of its epochs, by dotted name as ``--set`` takes them.

    The schedule goes with the epochs where the file does not say one, and is shortened where it does. None where epochs
    or schedule are searched for, so that there is no one number to change.

    Args:
        file: the study.
        part: of its epochs, 0 to 1; 1 changes nothing.
    """
    if part == 1:
        return {}
    student = _shortened(file.student, _student_arch(file), part)
    teachers = _of_teachers(file, part)
    if student is None or teachers is None:
        return None
    return {f"student.{name}": value for name, value in student.items()} | teachers


def teachers_of_each_kind(file: StudyFile, cells: Sequence[Cell]) -> int:
    """How many teachers that differ by their seed alone a grid has of each kind; 0 where that is not one number.

    Only where each trial has one teacher at most: ensembles of the same kinds would share some of theirs.

    Args:
        file: the study.
        cells: its trials.
    """
    if file.sampler != "grid" or file.trials is not None or any(len(plan.teachers) > 1 for _, plan in cells):
        return 0
    numbers = {len(_seeds({**file.ensemble.common, **entry})) for entry in file.ensemble.pool}
    return numbers.pop() if len(numbers) == 1 else 0


def with_teachers_of_each_kind(file: StudyFile, number: int) -> dict[str, Any]:
    """The settings that give a grid so many teachers of each kind: those that it has, and the next seeds.

    Args:
        file: a study of which :func:`teachers_of_each_kind` says that it has some, and fewer.
        number: of teachers.
    """
    ensemble = file.ensemble
    if all(_SEED not in entry for entry in ensemble.pool):
        return {f"ensemble.common.{_SEED}": _more(_seeds(ensemble.common), number)}
    dumped = file.model_dump(mode="json")["ensemble"]["pool"]
    known = [_seeds({**ensemble.common, **entry}) for entry in ensemble.pool]
    return {"ensemble.pool": [e | {_SEED: _more(seeds, number)} for e, seeds in zip(dumped, known, strict=True)]}


def _more(seeds: Sequence[int], number: int) -> list[int]:
    """So many seeds: these, then the lowest others."""
    return [*seeds, *(seed for seed in range(number + len(seeds)) if seed not in seeds)][:number]


def _seeds(settings: Searchables) -> tuple[int, ...]:
    """The seeds of a kind of teachers where there are several to choose from; none otherwise."""
    value = settings.get(_SEED)
    return tuple(int(each) for each in value) if isinstance(value, tuple) else ()


def _of_teachers(file: StudyFile, part: float) -> dict[str, Any] | None:
    """The changes of the pool: of what all kinds have in common, where that is enough, else of each kind."""
    ensemble = file.ensemble
    made = [(entry, {**ensemble.common, **entry}) for entry in ensemble.pool if "keys" not in entry]
    each = [_shortened(whole, str(whole["arch"]), part) for _, whole in made]
    if any(changes is None for changes in each):
        return None
    own = any(name in entry for entry, _ in made for name in (_EPOCHS, *_SCHEDULE))
    if each and not own and all(changes == each[0] for changes in each):
        return {f"ensemble.common.{name}": value for name, value in (each[0] or {}).items()}
    changes = iter(each)
    dumped = file.model_dump(mode="json")["ensemble"]["pool"]
    pool = [entry if "keys" in entry else entry | (next(changes) or {}) for entry in dumped]
    return {"ensemble.pool": pool} if each else {}


def _shortened(settings: Searchables, arch: str, part: float) -> dict[str, int] | None:
    """A network's epochs and the schedule that its settings have; None where they are searched for."""
    epochs = _known_epochs(settings, arch)
    given: Mapping[str, Any] = {name: settings[name] for name in _SCHEDULE if name in settings}
    values = {name: candidates(value) for name, value in given.items()}
    if len(epochs) > 1 or any(len(each) > 1 for each in values.values()):
        return None
    least = {"warmup_epochs": 0, "rampdown_start": 0, "rampdown_epochs": 1}
    changed = {name: max(least[name], round(part * int(each[0]))) for name, each in values.items()}
    return {_EPOCHS: max(1, round(part * epochs[0]))} | changed


def _known_epochs(settings: Searchables, arch: str) -> tuple[int, ...]:
    """The epochs of a network, or those that are searched among; as published where they are not said."""
    value = settings.get(_EPOCHS, ARCHITECTURES[arch].published[_EPOCHS])
    return tuple(int(each) for each in candidates(value))


def _student_arch(file: StudyFile) -> str:
    return str(candidates(file.student.get("arch", "cp_mobile"))[0])
