"""Teachers trained once and found again, ensembles of their logits, and the students that learn from them."""

from asc_experiments.distill.bank import TeacherBank
from asc_experiments.distill.ensemble import Ensemble
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.student import Distillation, train_student
from asc_experiments.distill.teacher import Teacher
from asc_experiments.distill.training_context import TrainingContext

__all__ = ["Distillation", "Ensemble", "LogitTable", "Teacher", "TeacherBank", "TrainingContext", "train_student"]
