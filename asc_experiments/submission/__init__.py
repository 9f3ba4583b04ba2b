"""Submissions to DCASE challenges: what the organisers ask for, made of a model and checked by their rules."""

from asc_experiments.submission.evaluation import EvaluationSet, write_output
from asc_experiments.submission.label import Label
from asc_experiments.submission.meta import Author, write_meta
from asc_experiments.submission.package import LIMITS, Packed, check_length, pack, write_package

__all__ = [
    "LIMITS",
    "Author",
    "EvaluationSet",
    "Label",
    "Packed",
    "check_length",
    "pack",
    "write_meta",
    "write_output",
    "write_package",
]
