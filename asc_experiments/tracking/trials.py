"""How a study's trials stand in the tracking server: the tags that report and registry read them by.

A trial's run has a child run per seed, and, if it was among the best, one per replicate: a student with a fresh seed.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.metrics import STD
from asc_experiments.tracking.client.bulk_read import runs_of_kinds
from asc_experiments.tracking.client.queries import ANY, highest, lowest, where
from asc_experiments.tracking.client.records import KIND, PARENT, RunRecord
from asc_experiments.tracking.study_identity import STUDY_ID, only_of, present_identity

if TYPE_CHECKING:  # with it comes MLflow
    from asc_experiments.tracking.client.client import Tracking

STUDY, TRIAL = "asc.study", "asc.trial"
TEACHER_KEY, TEACHERS, MODEL_ID = "asc.teacher", "asc.teachers", "asc.model_id"
"""A teacher's key; the keys of the teachers that a run learned from; the network that a run made."""
CORPUS, HELD_OUT = "asc.corpus", "asc.split"
"""What a network was trained on: the digest of the corpus, and which clips were held out, as JSON."""
RECIPE, IMPORTED = "asc.recipe", "asc.imported"
"""What a network is, as JSON; of one that was not trained here, the digest of what was imported and the file's name."""
NUMBER_FORMAT, REFERENCE_DEVICE = "asc.number_format", "asc.reference_device"
"""In which numbers a network computed while it was trained; the device whose clips DIR augmented. Both are part of its
key; networks of versions before them, and imported ones, do not say."""
LOSS_PACKAGE = "asc.loss_package"
"""The package of the loss by which a student learned from its teachers, as ``pip install`` takes it."""
TRAIN_SPLIT, TRAINING_CLIPS = "asc.train_split", "asc.training_clips"
"""The name of the list of clips that alone a network was trained on, and the digest of what it lists, where there is
one; of a trial, of its teachers and its students alike."""
OBJECTIVE, DIRECTION, SPLIT = "asc.objective", "asc.direction", "asc.objective_split"
AGAINST, PUBLISHED = "asc.against", "asc.published"
OBJECTIVE_VALUE, AGAINST_VALUE = "objective", "objective_against"
REPLICATED, REPLICATED_STD = "replicated/objective", "replicated/std/objective"
"""The objective's mean and standard deviation over students with fresh seeds: what a winner is chosen by."""
REPLICATES, DIFFERENCE, BASELINE = "replicated/count", "difference", "asc.baseline"
"""How many fresh seeds; the objective's difference to the baseline (``difference/low``, …); which trial that is."""
REPLICATED_AT = "asc.replicated_at"
"""The same for all trials that were tried again together; only those compare."""
TRAINING_SECONDS = "time/training_s"
"""The seconds that a training took, those of interrupted attempts too; a trial's are those of its students together."""
EPOCH, EPOCH_SECONDS = "train/epoch", "time/epoch_s"
"""Curves of every training: how many epochs are done, and how long the last one took."""
MACHINE, SAMPLER = "asc.machine", "asc.sampler"
"""What a run was trained on, such as ``CPU: EPYC, 2 threads``; how a study's trials are chosen, such as ``grid``."""
SYNTHETIC = "asc.synthetic"
"""Of a run on a corpus of made-up sounds: what part of its training clips carries a wrong label on purpose."""
CLIP_SECONDS = "asc.clip_seconds"
"""How long the corpus's clips are, which the run's MACs are counted for; runs of versions before it do not say, and
counted one second."""
SHARED_PLACES = "asc.shared_places"
"""Of a run some of whose test clips are from places that it was trained on: how many places, and clips of how many, as
JSON; runs of versions before it do not say."""
DEVICE_GROUPS = "asc.device_groups"
"""A study's tag: the group of each device of the test fold, as JSON."""
QUESTION = "asc.question"
"""A study's tag: its own description, on one line; the experiment's begins with what was found."""
IMPORTANCES = "asc.importances"
"""A study's tag: how much each parameter decides the objective, by two methods, as JSON."""
SEED, IDENTITY, SEARCHED = "asc.seed", "asc.identity", "asc.searched"
"""A student's seed; its key, which says everything that decides how it comes out; a trial's parameters, as JSON."""
STUDENT_SEEDS = "asc.student_seeds"
"""The seeds of the students that a trial's scores are means over, as JSON."""
CELL = "asc.cell"
"""What a trial is but for its students' seeds: a digest of its teachers, rule, student, distillation, corpus and split.

Trials of one study with the same cell are one candidate: see :func:`distinct_trials`. Its students have the tag too."""
AGAIN_OF = "asc.again_of"
"""Of a trial that was queued in place of one that was interrupted or failed: the number of that one."""
ORIGINAL = "asc.original"
"""Of a student that was found rather than trained: the run that trained it, which has its network and its logits."""
STUDENTS, STUDENTS_TRAINED = "students/count", "students/trained"
"""How many students a trial's means are over, and how many of them were trained for this trial rather than found."""
OBJECTIVE_CLIPS, OBJECTIVE_PLACES = "asc.objective_clips", "asc.objective_places"
OBJECTIVE_DEVICES, OBJECTIVE_POINT = "asc.objective_devices", "asc.objective_point"
"""How many clips the objective is measured on, at how many places, of which devices, and how many points of an accuracy
one clip is; of a study and of its trials. See :class:`asc_experiments.tracking.objective.ObjectiveClips`."""
TRIAL_KIND, SEED_KIND, REPLICATE_KIND, GENERAL_KIND = "trial", "seed", "replicate", "general"
"""The last is of a student that others were made of for a device each; those count for their trial in its place."""
GENERAL_RUN, DEVICES = "asc.general", "asc.devices"
"""Of a student with networks for devices: the run of the student for all devices that they were made of; their names,
as JSON."""
_SEARCHED = "search."
"""What the names of a trial's parameters begin with that are Optuna's."""
_EQUALS = 20
"""How many of the best trials are looked at for the earliest of equals."""
LABELS_ALONE = {"teachers": "labels alone", "ensemble_size": 0}


def clip_seconds(run: RunRecord) -> float:
    """How long the clips are that a run's MACs were counted for."""
    return float(run.tags.get(CLIP_SECONDS, 1))


def spread_of(name: str) -> str:
    """The name of a metric's standard deviation over seeds; MLflow's pages show these together, after the means."""
    return f"{STD}/{name}"


def keys_of(run: RunRecord) -> list[str]:
    """The keys of the teachers that a run learned from."""
    return [key for key in run.tags.get(TEACHERS, "").split(",") if key]


def searched_of(run: RunRecord) -> dict[str, Any]:
    """The parameters that a trial was given in Optuna.

    Where an earlier version's tag was cut by a server, they are read from the run's parameters, where they stand too.
    """
    try:
        return dict(json.loads(run.tags.get(SEARCHED, "{}")))
    except ValueError:
        logged = {key.removeprefix(_SEARCHED): value for key, value in run.params.items() if key.startswith(_SEARCHED)}
        return {key: _scalar(value) for key, value in logged.items()}


def _scalar(text: str) -> object:
    """A number or truth value as Python writes it; else the text."""
    with suppress(ValueError, SyntaxError):
        return ast.literal_eval(text)
    return text


def study_experiment(tracking: Tracking, study: str) -> str:
    """The experiment id of a study.

    Raises:
        AscError: if the tracking server knows no study of that name, or its experiment was deleted there.
    """
    tracking.refuse_deleted(study)
    if not tracking.has_experiment(study):
        names = [name for name in tracking.experiments().values() if name not in ("Default", "teachers", "students")]
        hint = nearest(study, names) if names else "run one with `asc study run`"
        raise AscError(f"study '{study}'", "is not in the tracking server", hint)
    return tracking.experiment(study)


def finished_trials(tracking: Tracking, study: str, identity: str | None = None) -> list[RunRecord]:
    """The finished trials of a study, in the order of their numbers.

    Args:
        tracking: the server.
        study: the study's name.
        identity: which of the studies of that name; the one that was run last by default.

    Raises:
        AscError: if the tracking server knows no study of that name.
    """
    experiment = study_experiment(tracking, study)
    identity = present_identity(tracking, experiment) if identity is None else identity
    records = only_of(identity, runs_of_kinds(tracking, experiment, [TRIAL_KIND]))
    return sorted((record for record in records if record.status == "FINISHED"), key=_number)


def best_finished_trial(tracking: Tracking, study: str) -> RunRecord:
    """The best of a study's finished trials, as :func:`best_trial` has it; the server sorts them.

    Raises:
        AscError: if the tracking server knows no study of that name, or no trial has finished.
    """
    experiment = study_experiment(tracking, study)
    own = {KIND: TRIAL_KIND, STUDY_ID: present_identity(tracking, experiment) or None}
    candidates = tracking.search([experiment], where(own | {REPLICATED_AT: ANY}, status="FINISHED"))
    if not candidates and (some := tracking.search([experiment], where(own, status="FINISHED"), limit=1)):
        order = highest if some[0].tags[DIRECTION] == "maximize" else lowest
        candidates = _best_distinct(tracking, experiment, own, order(OBJECTIVE_VALUE))
    return best_trial(sorted(candidates, key=_number), study)


def _best_distinct(tracking: Tracking, experiment: str, own: Mapping[str, str | None], order: str) -> list[RunRecord]:
    """The best of the trials that stand for their cells, best first: so many that no better one is left out.

    A trial for which a later one of its cell stands may be the best of all, by luck.

    Args:
        tracking: the server.
        experiment: the study's.
        own: tags of the study's trials.
        order: of them, best first.
    """
    limit = _EQUALS
    while True:
        found = tracking.search([experiment], where(own, status="FINISHED"), limit, [order])
        cells = {record.tags[CELL] for record in found if CELL in record.tags}
        queries = [where({**own, CELL: cell}, status="FINISHED") for cell in cells]
        standing = distinct_trials([trial for query in queries for trial in tracking.search([experiment], query)])
        stands = {trial.run_id for trial in standing}
        best = [record for record in found if CELL not in record.tags or record.run_id in stands]
        if best or len(found) < limit:
            return best
        limit *= _EQUALS


def distinct_trials(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The finished trials that stand for their cells: of those of one cell the latest, which has the most students.

    Where a study asks for a cell again, the new trial trains students with new seeds and its scores are means over all
    students of that cell. A trial of an earlier version, which does not say its cell, stands for itself.

    Args:
        records: runs of trials, of any status; those that did not finish are left out.

    Returns:
        The trials, in the order of the records.
    """
    finished = [record for record in records if record.status == "FINISHED"]
    latest: dict[tuple[str, str], RunRecord] = {}
    for record in sorted(finished, key=_lateness):
        latest[record.experiment_id, record.tags.get(CELL, record.run_id)] = record
    stands = {record.run_id for record in latest.values()}
    return [record for record in finished if record.run_id in stands]


def _lateness(trial: RunRecord) -> tuple[float, int, int]:
    """Of two trials of a cell that were active at once, the one that ended last knows the students of both."""
    return trial.metrics.get(STUDENTS, 0.0), trial.end_time or 0, int(trial.tags.get(TRIAL, 0))


def best_trial(records: Sequence[RunRecord], study: str) -> RunRecord:
    """The trial with the best objective among :func:`distinct_trials`; the earlier one of equals.

    Where the best were tried again with fresh seeds, the best of those by what they reached then: the highest of many
    noisy values is partly luck.

    Raises:
        AscError: if no trial has finished.
    """
    if not records:
        what = "has no finished trial in the tracking server"
        raise AscError(f"study '{study}'", what, "`asc study run` resumes it, and says whether runs were deleted")
    sign = 1.0 if records[0].tags[DIRECTION] == "maximize" else -1.0
    replicated = last_replicated(records)
    value = REPLICATED if replicated else OBJECTIVE_VALUE
    return max(replicated or distinct_trials(records), key=lambda record: sign * record.metrics[value])


def last_replicated(records: Sequence[RunRecord]) -> list[RunRecord]:
    """The trials that were tried again with fresh seeds the last time that any were."""
    last = max((int(record.tags.get(REPLICATED_AT, 0)) for record in records), default=0)
    return [record for record in records if last and int(record.tags.get(REPLICATED_AT, 0)) == last]


def adopt_student(tracking: Tracking, student: RunRecord, parent: str, tags: Mapping[str, str]) -> bool:
    """Make the run of a student that an interrupted attempt had finished a child of the attempt that resumes it.

    Args:
        tracking: the server.
        student: its run.
        parent: run id of the attempt that resumes.
        tags: what the student says of that attempt.

    Returns:
        Whether it is one. A student of a trial that has finished, or is active, stays where it is.
    """
    before = student.tags.get(PARENT, "")
    if not before or tracking.get(before).status not in ("KILLED", "FAILED"):
        return False
    tracking.writer(student.run_id, student.experiment_id).tags(dict(tags) | {PARENT: parent})
    return True


def students_of_cell(tracking: Tracking, experiment_id: str, cell: str, identity: str) -> list[RunRecord]:
    """The finished students of a cell in a study, of whichever trial, each seed once, by seed."""
    query = where({KIND: SEED_KIND, CELL: cell, STUDY_ID: identity or None}, status="FINISHED")
    found: dict[int, RunRecord] = {}
    for record in tracking.search([experiment_id], query):
        seed = int(record.tags[SEED])
        if seed not in found or ORIGINAL in found[seed].tags:
            found[seed] = record
    return [record for _, record in sorted(found.items())]


def _number(trial: RunRecord) -> int:
    return int(trial.tags[TRIAL])
