"""The Ensemble: Teachers, and how their logits combine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from asc_experiments.base.errors import AscError
from asc_experiments.distill.teacher import Teacher
from asc_experiments.metrics import VALIDATION_ACCURACY
from asc_experiments.metrics.softmax import softmax
from asc_experiments.tracking.trials import IMPORTED

RULES = ("mean_logits", "mean_probabilities", "accuracy_weighted")
"""How an Ensemble's logits combine. The published systems use the first."""
WEIGHED_BY = VALIDATION_ACCURACY


@dataclass(frozen=True, eq=False)
class Ensemble:
    """An ordered set of Teachers and how their logits combine.

    Attributes:
        teachers: the members.
        rule: ``mean_logits``; ``mean_probabilities``, the logarithm of the members' mean probabilities, so that its
            softmax is that mean; or ``accuracy_weighted``, a mean of logits weighed by accuracy on the held-out clips.
    """

    teachers: tuple[Teacher, ...]
    rule: str = "mean_logits"

    def __post_init__(self) -> None:
        if not self.teachers:
            raise ValueError("an Ensemble needs at least one Teacher")
        if self.rule not in RULES:
            raise ValueError(f"unknown rule '{self.rule}'")

    @property
    def name(self) -> str:
        """The members' names."""
        return " + ".join(teacher.name for teacher in self.teachers)

    def logits(self, filenames: Sequence[str], optional: Collection[str] = ()) -> np.ndarray:
        """The combined logits on these clips; ``(clips, scenes)`` float32.

        Args:
            filenames: clip ids.
            optional: those that need no logits; where a member has none, the row is NaN.

        Raises:
            AscError: if a member has no logits for a clip that needs them, or no accuracy to be weighed by.
        """
        members = [member.astype(np.float64) for member in self.members(filenames, optional)]
        if self.rule == "mean_probabilities":
            combined = np.log(np.maximum(np.mean([softmax(member) for member in members], axis=0), 1e-12))
        else:
            weights = self._weights()
            combined = sum(weight * member for weight, member in zip(weights, members, strict=True)) / sum(weights)
        return np.asarray(combined, dtype=np.float32)

    def members(self, filenames: Sequence[str], optional: Collection[str] = ()) -> list[np.ndarray]:
        """The logits of each member; see :meth:`logits`."""
        return [
            teacher.logits.of(filenames, f"teacher {teacher.key} ({teacher.name})", optional)
            for teacher in self.teachers
        ]

    def _weights(self) -> list[float]:
        if self.rule == "mean_logits":
            return [1.0] * len(self.teachers)
        for teacher in self.teachers:
            if WEIGHED_BY not in teacher.metrics or IMPORTED in teacher.record.tags:  # who knows what those heard
                where = f"teacher {teacher.key} ({teacher.name})"
                raise AscError(where, "has no accuracy on held-out clips to be weighed by", "use rule: mean_logits")
        return [max(teacher.metrics[WEIGHED_BY], 1e-6) for teacher in self.teachers]
