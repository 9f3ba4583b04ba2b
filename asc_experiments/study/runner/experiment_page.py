"""What a study's experiment says of itself in the tracking server: its question, and what was found so far."""

from __future__ import annotations

import json
from collections.abc import Sequence

import optuna

from asc_experiments.distill import TrainingContext
from asc_experiments.metrics import DG, OVERALL_ACCURACY, UNSEEN_ACCURACY
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.runner.importances import parameter_importances
from asc_experiments.study.runner.stores import identity_in_optuna
from asc_experiments.study.runner.validation import objective_clips
from asc_experiments.study.storage.trial_status import VERDICT, StudyStatus, study_status
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.client.limits import EXPERIMENT_TAG, cut
from asc_experiments.tracking.client.links import page_of_run
from asc_experiments.tracking.client.records import ERROR
from asc_experiments.tracking.judgement.verdict import StudyVerdict, verdict_on
from asc_experiments.tracking.objective import ObjectiveClips
from asc_experiments.tracking.study_identity import STUDY_ID
from asc_experiments.tracking.trials import (
    DEVICE_GROUPS,
    DIFFERENCE,
    IMPORTANCES,
    OBJECTIVE_VALUE,
    PUBLISHED,
    QUESTION,
    REPLICATED,
    SAMPLER,
    TRIAL,
    TRIAL_KIND,
    finished_trials,
    last_replicated,
    spread_of,
)
from asc_experiments.tracking.ui.table_view import page_view

_SHOWN = 5
_PARAMS = ("teachers", "ensemble_size", "student.size", "student.augment", "temperature", "label_weight")


def describe_study(file: StudyFile, study: optuna.Study, bench: TrainingContext, experiment_id: str) -> None:
    """Write a study's description, published figures, importances and the columns of its page into its experiment."""
    tracking = bench.tracking
    identity = identity_in_optuna(study)
    records = finished_trials(tracking, file.name, identity)
    tested = sorted(set(bench.corpus.device_of[bench.corpus.test_rows].tolist()))
    leading = (OBJECTIVE_VALUE, spread_of(OVERALL_ACCURACY)) if file.seeds > 1 else (OBJECTIVE_VALUE,)
    lowest_first = file.objective.direction == "minimize"
    tags = page_view(TRIAL_KIND, _PARAMS, tested, OBJECTIVE_VALUE, leading, lowest_first)
    tags[DEVICE_GROUPS] = json.dumps({device: bench.device_groups[device] for device in tested})
    tags[SAMPLER], tags[STUDY_ID] = file.sampler, identity
    tags[QUESTION] = cut(" ".join((file.description or file.name).split()), EXPERIMENT_TAG)
    measured = [found for objective in file.objectives if (found := objective_clips(objective, bench))]
    tags |= measured[0].tags()
    if file.published:
        tags[PUBLISHED] = json.dumps([figure.model_dump(mode="json") for figure in file.published])
    if importances := parameter_importances(study):
        tags[IMPORTANCES] = importances.as_text(EXPERIMENT_TAG)
    verdict = verdict_on(tracking, records, file.name) if records else None
    if verdict is not None:
        judged = {"sentence": verdict.sentence, "has_learned": verdict.has_learned}
        study.set_user_attr(VERDICT, judged | {"finished": study_status(study).finished})
    tracking.describe(experiment_id, study_note(file, study, records, measured, verdict), tags)


def study_note(
    file: StudyFile,
    study: optuna.Study,
    records: Sequence[RunRecord],
    measured: Sequence[ObjectiveClips] = (),
    verdict: StudyVerdict | None = None,
) -> str:
    """The description, Markdown: the best so far, the question, trials, the citation.

    MLflow's list of experiments shows its beginning as it is written, so that its sentences are without marks.
    """
    parts = [] if verdict is None else [_winner(records, verdict)]
    parts.append(file.description or file.name)
    parts += [f"Objective: {each.note}." for each in measured]
    if file.objective.split == "test":
        parts.append("Chosen on the test fold, to reproduce a published table.")
    if records:
        status = study_status(study)
        counts = f"{status.finished} of {status.asked} trials finished, {status.pruned} pruned, {status.failed} failed"
        parts.append(f"So far: {counts}. {_signs(status)}{_open(verdict)}".rstrip())
        parts.append(_table(file, records))
    if file.citation:
        parts.append(file.citation)
    return "\n\n".join(parts)


def _winner(records: Sequence[RunRecord], verdict: StudyVerdict) -> str:
    """The best trial, and whether it is a winner; where nothing was learned, only that."""
    best, metrics = verdict.best, verdict.best.metrics
    if not verdict.has_learned:
        return verdict.sentence
    unseen = metrics.get(UNSEEN_ACCURACY)
    scores = f"{100 * metrics[OVERALL_ACCURACY]:.1f} % on the test fold"
    scores += "" if unseen is None else f", {100 * unseen:.1f} % on unseen devices"
    name = "Best" if verdict.winner.is_clear else "Best objective so far"
    text = f"{name}: trial {best.tags[TRIAL]}, {scores}, "
    text += f"taught by {best.params.get('teachers', 'labels alone')}."
    low, high = metrics.get(f"{DIFFERENCE}/low"), metrics.get(f"{DIFFERENCE}/high")
    if best in last_replicated(records):
        text += f" With fresh seeds its objective is {metrics[REPLICATED]:.4f}"
        text += "." if low is None else f", [{low:+.4f}, {high:+.4f}] from the baseline's (95 % interval)."
    elif len(records) > 1:
        text += f" It was not tried again with fresh seeds: the best of {len(records)} noisy trials is partly luck."
    return f"{text} {verdict.sentence}"


def _signs(status: StudyStatus) -> str:
    """What a red sign means in MLflow's table of runs; empty where there can be none."""
    if not status.pruned and not status.failed:
        return ""
    return f"In the table of runs a red sign marks what was pruned, failed or interrupted; tag {ERROR} says why. "


def _open(verdict: StudyVerdict | None) -> str:
    """A link to the best trial, where there is one."""
    if verdict is None or not verdict.has_learned:
        return ""
    best = verdict.best
    return f"The best one: [trial {best.tags[TRIAL]}]({page_of_run(best.experiment_id, best.run_id)})."


def _table(file: StudyFile, records: Sequence[RunRecord]) -> str:
    sign = -1.0 if file.objective.direction == "maximize" else 1.0
    chosen = sorted(records, key=lambda record: sign * record.metrics[OBJECTIVE_VALUE])[:_SHOWN]
    lines = [
        f"| trial | {file.objective.logged_name} | overall | unseen | DG | taught by |",
        "|---|---|---|---|---|---|",
    ]
    for record in chosen:
        metrics = record.metrics
        link = f"[{record.tags[TRIAL]}]({page_of_run(record.experiment_id, record.run_id)})"
        scores = [_percent(metrics.get(name)) for name in (OVERALL_ACCURACY, UNSEEN_ACCURACY, DG)]
        teachers = record.params.get("teachers", "")
        teachers = teachers if len(teachers) <= 150 else teachers[:147] + "…"
        lines.append(f"| {link} | {metrics[OBJECTIVE_VALUE]:.4f} | {' | '.join(scores)} | {teachers} |")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
