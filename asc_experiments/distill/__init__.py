"""Teachers trained once and found again, ensembles of their logits, and the students that learn from them."""

from typing import TYPE_CHECKING

from asc_experiments.base.lazy import importing

if TYPE_CHECKING:
    from asc_experiments.distill.bank import TeacherBank
    from asc_experiments.distill.ensemble import Ensemble
    from asc_experiments.distill.logits import LogitTable
    from asc_experiments.distill.student import train_student
    from asc_experiments.distill.teacher import Teacher
    from asc_experiments.distill.training_context import TrainingContext

__all__ = ["Ensemble", "LogitTable", "Teacher", "TeacherBank", "TrainingContext", "train_student"]
__getattr__ = importing(
    __name__,
    {
        "Ensemble": "ensemble",
        "LogitTable": "logits",
        "Teacher": "teacher",
        "TeacherBank": "bank",
        "TrainingContext": "training_context",
        "train_student": "student",
    },
)
