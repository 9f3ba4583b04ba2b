"""A new study file from a few answers: small enough to be read at once, with a word on each line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from asc_experiments.base.errors import AscError
from asc_experiments.metrics import MACRO_ACCURACY
from asc_experiments.training.losses import KL

_COMMENTS_AT = 58
"""In characters: where what is said of a line begins, if the line is not longer."""
_SIZES = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class Questions:
    """What is asked of who begins a study.

    Attributes:
        name: of the study.
        teachers: the architectures of teachers.
        augment: the teachers' methods of device generalisation.
        size: how many teachers a trial has: ``2``, or ``0-3``.
        trials: in total.
        seeds: students of each trial.
        epochs: of teachers and students.
        student_augment: the students' own method.
        metric: what makes a trial better.
        hold_out: training devices that nobody is trained on.
    """

    name: str
    teachers: tuple[str, ...] = ("cp_mobile", "cp_resnet")
    augment: tuple[str, ...] = ("none", "dirfms")
    size: str = "0-2"
    trials: int = 12
    seeds: int = 3
    epochs: int = 20
    student_augment: str = "none"
    metric: str = MACRO_ACCURACY
    hold_out: tuple[str, ...] = ()


def new_study(asked: Questions) -> str:
    """The text of a study file.

    Raises:
        AscError: if the number of teachers is none. Other answers are checked where the file is read.
    """
    low, high = _sizes(asked.size)
    size = low if low == high else {"low": low, "high": high}
    augment = asked.augment[0] if len(asked.augment) == 1 else list(asked.augment)
    validation: dict[str, Any] = {"fraction": 0.2}
    validation |= {"hold_out_devices": list(asked.hold_out)} if asked.hold_out else {}
    distillation = KL().model_dump()
    first = "the baseline, on labels alone" if low == 0 else "the baseline"
    lines = [
        ("# Which of these teachers make the best student? studies/README.md says what else a file can hold.", ""),
        (f"name: {_flow(asked.name)}", "of the study, and of its experiment in MLflow"),
        (f"trials: {asked.trials}", "in total; raised later, the same command resumes"),
        (f"seeds: {asked.seeds}", "students of each trial; one alone says nothing of luck"),
        (f"objective: {_flow({'metric': asked.metric, 'split': 'validation'})}", "what makes a trial better"),
        (f"validation: {_flow(validation)}", "places of the training fold to choose by"),
        ("ensemble:", ""),
        (f"  size: {_flow(size)}", "teachers of a trial: a number, a range, or a choice"),
        (f"  common: {_flow({'epochs': asked.epochs, 'augment': augment})}", "of every teacher; [a, b] is a choice"),
        ("  pool:", "the kinds of teachers"),
        *((f"    - {_flow({'arch': arch})}", "") for arch in asked.teachers),
        (
            f"student: {_flow({'epochs': asked.epochs, 'augment': asked.student_augment})}",
            "CP-Mobile; its own augment can hide its teachers'",
        ),
        (f"distillation: {_flow(distillation)}", "as published"),
        (f"enqueue: {_flow([{'ensemble_size': low}])}", f"run first: {first}"),
    ]
    kept = lines[:-1] if low == high else lines
    return "".join(f"{text:<{_COMMENTS_AT}}  # {said}\n" if said else f"{text}\n" for text, said in kept)


def _sizes(size: str) -> tuple[int, int]:
    found = _SIZES.fullmatch(size.strip())
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, -1)
    if high < low:
        raise AscError(f"--size {size}", "is no number of teachers", "give one such as 2, or a range such as 0-3")
    return low, high


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("...\n").strip()
