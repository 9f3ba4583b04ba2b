"""The Ensemble: Teachers whose logits are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asc_experiments.distill.teacher import Teacher


@dataclass(frozen=True, eq=False)
class Ensemble:
    """An ordered set of Teachers whose logits are averaged."""

    teachers: tuple[Teacher, ...]

    def __post_init__(self) -> None:
        if not self.teachers:
            raise ValueError("an Ensemble needs at least one Teacher")

    @property
    def name(self) -> str:
        """The members' names."""
        return " + ".join(teacher.name for teacher in self.teachers)

    def logits(self, filenames: Sequence[str]) -> np.ndarray:
        """The mean of the members' logits on these clips; ``(clips, scenes)`` float32.

        Raises:
            AscError: if a member has no logits for one of them.
        """
        total = np.zeros((), dtype=np.float64)
        for teacher in self.teachers:
            total = total + teacher.logits.of(filenames, f"teacher {teacher.key} ({teacher.name})")
        return (total / len(self.teachers)).astype(np.float32)
