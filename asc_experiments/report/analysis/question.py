"""What most studies ask, in a line each: do teachers help, and does the kind of teacher matter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from asc_experiments.metrics import OVERALL_ACCURACY, UNSEEN_ACCURACY
from asc_experiments.report.analysis.distillation_gain import student_recipe
from asc_experiments.report.analysis.teacher_kinds import (
    KindResult,
    kind_differences,
    kind_level,
    results_of_kinds,
)
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from asc_experiments.statistics import Margin
from asc_experiments.statistics.wording import margin_in_words
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.decision import compare_standings
from asc_experiments.tracking.trials import keys_of

MOST_KINDS = 3
"""Of more kinds there are too many pairs for a terminal; the page and JSON have them."""


def kind_metrics(objective: str, results: Sequence[KindResult]) -> list[str]:
    """The metrics that kinds are compared in: the objective first."""
    wanted = dict.fromkeys((objective, OVERALL_ACCURACY, UNSEEN_ACCURACY))
    return [name for name in wanted if results[0].evidence.concerns(name)]


def best_less_labels_alone(study: StudyRuns) -> tuple[RunRecord, RunRecord, Margin] | None:
    """The best taught trial, the best with the same student on labels alone, and the margin between them.

    None where there is no such pair, or one of them keeps no answers.
    """
    if not study.keeps_evidence:
        return None
    best = next((trial for trial in study.compared if keys_of(trial)), None)
    if best is None:
        return None
    student = _student(study, best)
    alone = (trial for trial in study.compared if not keys_of(trial) and _student(study, trial) == student)
    if student is None or (reference := next(alone, None)) is None:
        return None
    found = compare_standings(study.standing(best), study.standing(reference))
    return None if found is None else (best, reference, found)


def answers_in_short(study: StudyRuns) -> list[str]:
    """The comparisons that answer a study's question, a line each; none where nothing is to be compared."""
    lines = []
    if (found := best_less_labels_alone(study)) is not None:
        best, reference, apart = found
        names = f"trial {number_of(best)} less trial {number_of(reference)}"
        lines.append(f"Best taught less labels alone ({names}), {apart.metric}: {margin_in_words(apart)}.")
    results = results_of_kinds(study)
    if 2 <= len(results) <= MOST_KINDS and (names_of := kind_metrics(study.objective, results)):
        differences = kind_differences(results, names_of[0])
        lines += [f"{pair}, {names_of[0]}: {margin_in_words(apart)}." for pair, apart in differences]
    return lines


def question_facts(study: StudyRuns) -> dict[str, Any]:
    """The same with everything that the page has of it, for JSON."""
    found, results = best_less_labels_alone(study), results_of_kinds(study)
    metrics = kind_metrics(study.objective, results) if results else []
    taught = None
    if found is not None:
        best, reference, apart = found
        taught = {"trial": number_of(best), "labels_alone": number_of(reference), "margin": asdict(apart)}
    return {
        "best_less_labels_alone": taught,
        "kinds": [
            {
                "kind": result.kind,
                "pieces": result.pieces,
                "levels": {name: asdict(kind_level(result, results, name)) for name in metrics},
            }
            for result in results
        ],
        "kind_differences": {
            name: [{"pair": pair, "margin": asdict(apart)} for pair, apart in kind_differences(results, name)]
            for name in metrics
        },
    }


def _student(study: StudyRuns, trial: RunRecord) -> str | None:
    """A trial's student but for its seed; None where it is not known."""
    recipe = student_recipe(study, trial)
    if recipe is None:
        return None
    return json.dumps({name: value for name, value in recipe.items() if name != "seed"}, sort_keys=True)
