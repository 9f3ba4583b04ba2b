"""What a study would ship: its best trial, the one network among that trial's students, and what is known of it.

A trial's metrics are means over its students; a gate and a model card need those of the network that is shipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow.exceptions import MlflowException

from asc_experiments.base.errors import AscError
from asc_experiments.statistics import Evidence
from asc_experiments.tracking.client.bulk_read import runs_of_kinds
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, PARENT, RunRecord
from asc_experiments.tracking.evidence import evidence_of
from asc_experiments.tracking.judgement.doubts import Judgement, judge_trial, teachers_of
from asc_experiments.tracking.judgement.learned import Learned, what_was_learned
from asc_experiments.tracking.judgement.teaching import over_labels, teaching_in_words
from asc_experiments.tracking.judgement.winner import MOST_RIVALS, Winner, candidates_of, is_counted_exactly, winner_of
from asc_experiments.tracking.study_identity import identity_of, only_of
from asc_experiments.tracking.study_progress import ASKED_TRIALS, progress_of
from asc_experiments.tracking.trials import (
    CORPUS,
    HELD_OUT,
    MODEL_ID,
    SEED_KIND,
    SPLIT,
    STUDENTS,
    STUDY,
    SYNTHETIC,
    TRIAL_KIND,
    best_finished_trial,
    finished_trials,
    spread_of,
)

if TYPE_CHECKING:  # a report reads candidates and needs no PyTorch, which takes seconds to import
    from asc_experiments.models import Complexity
    from asc_experiments.training import SceneNetwork

_LOGITS = "logits/logits.npz"


@dataclass(frozen=True)
class Data:
    """What a network was trained on and measured by; None where that was not logged."""

    name: str | None = None
    digest: str | None = None
    training_clips: int | None = None
    validation_clips: int | None = None
    test_clips: int | None = None
    label_noise: float | None = None
    """Of a synthetic corpus: what part of its training clips has a wrong label; None where its sounds are recordings,
    or an earlier version did not log it."""


def made_up_in_words(label_noise: float | None) -> str:
    """That a corpus is synthetic, in brackets, and how many labels are wrong; empty where its sounds are real."""
    if label_noise is None:
        return ""
    wrong = f", {100 * label_noise:.0f} % of its training labels wrong on purpose" if label_noise else ""
    return f" (synthetic{wrong})"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A finished trial and the network that it would ship.

    Attributes:
        tracking: the server.
        trial: the trial's run; its metrics are means over students.
        own: the run that trained the network: a seed of the trial, or of another one that it was found in.
    """

    tracking: Tracking
    trial: RunRecord
    own: RunRecord

    @classmethod
    def best_of(cls, tracking: Tracking, study: str) -> Candidate:
        """The best trial of a study.

        Raises:
            AscError: if the study has no finished trial, or its network is gone.
        """
        return cls.of(tracking, best_finished_trial(tracking, study))

    @classmethod
    def of(cls, tracking: Tracking, trial: RunRecord) -> Candidate:
        """A trial that was read before.

        Raises:
            AscError: if its network is gone.
        """
        try:
            source = tracking.client.get_logged_model(trial.tags[MODEL_ID]).source_run_id
            return cls(tracking, trial, tracking.get(str(source)))
        except (MlflowException, KeyError):
            raise AscError(trial.name, "its network is gone", "run the study again, under another name") from None

    @property
    def model_id(self) -> str:
        """The id of the network among MLflow's logged models."""
        return self.trial.tags[MODEL_ID]

    @cached_property
    def network(self) -> SceneNetwork:
        """The network, as it is stored.

        Raises:
            AscError: if it cannot be loaded.
        """
        from asc_experiments.tracking.registry.network_store import fetch_network

        return fetch_network(self.tracking, f"models:/{self.model_id}")

    @cached_property
    def complexity(self) -> Complexity:
        """Parameters, and MACs for one clip, counted on the network that is stored."""
        return self.network.complexity()

    @cached_property
    def teachers(self) -> tuple[RunRecord, ...]:
        """The runs of the teachers that are still in the bank, in the order of the ensemble."""
        return teachers_of(self.tracking, self.trial)

    @cached_property
    def trials(self) -> list[RunRecord]:
        """The finished trials of its study that are compared: one a cell."""
        return candidates_of(finished_trials(self.tracking, self.trial.tags[STUDY], identity_of(self.trial)))

    @cached_property
    def evidence(self) -> Evidence | None:
        """What the network itself answered in the test fold; None where its run does not keep that."""
        return evidence_of(self.tracking, self.own.run_id).get("test")

    @cached_property
    def learned(self) -> Learned | None:
        """What the network itself learned; None where nothing tells."""
        return what_was_learned(self.tracking, self.own)

    @cached_property
    def judgement(self) -> Judgement:
        """What may be said of the trial."""
        return judge_trial(self.tracking, self.trial, self.teachers)

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """What one must know before believing its figures, a sentence each: that its study is not over, first."""
        study = self.trial.tags[STUDY]
        of_study = runs_of_kinds(self.tracking, self.trial.experiment_id, [TRIAL_KIND], tags_alone=True)
        asked = self.tracking.experiment_tag(self.trial.experiment_id, ASKED_TRIALS)
        progress = progress_of(only_of(identity_of(self.trial), of_study), asked)
        unfinished = () if progress.is_over else (f"Its study is not over: {progress.sentence(study)}",)
        return (*unfinished, *self.judgement.doubts)

    @cached_property
    def unproven(self) -> str:
        """What the trial is not shown to be better than; empty where it is better than all that it was tried beside."""
        if not self.judgement.has_learned:
            return "guessing"
        found = ["the other trials of its study"] if self.winner.others and not self.winner.is_clear else []
        found += [] if self.winner.others else ["others (no other trial has finished)"]
        gain = over_labels(self.tracking, self.trial, self.trials)
        if gain is not None and not gain.margin.is_better:
            found.append("the same student on labels alone")
        return " or ".join(found)

    @cached_property
    def winner(self) -> Winner:
        """Whether the trial is better than the others of its study by more than noise."""
        return winner_of(self.tracking, self.trial, self.trials, MOST_RIVALS)

    @property
    def winner_in_words(self) -> str:
        """Whether the trial is the winner of its study; where nothing was learned, nothing is."""
        return self.winner.sentence if self.judgement.has_learned else "No winner: nothing was learned."

    @cached_property
    def teaching(self) -> str:
        """Whether its teachers gave it anything, in a sentence; empty where nothing was learned."""
        return teaching_in_words(self.tracking, self.trial, self.trials) if self.judgement.has_learned else ""

    @cached_property
    def picked_from(self) -> int:
        """From how many networks this one was picked by the very clips that its figures are of; 1 where others chose.

        In a study that chooses on the test fold these are all students of all its trials: the best trial was picked
        there, and the best of its students.
        """
        if self.trial.tags.get(SPLIT) != "test" or is_counted_exactly(self.trial):
            return 1
        return sum(int(trial.metrics.get(STUDENTS, 0)) or self.students() for trial in self.trials)

    @property
    def warning(self) -> str:
        """What must stand beside its figures where the clips that they are of chose it; empty where others did."""
        if self.trial.tags.get(SPLIT) != "test":
            return ""
        return "Chosen on the test fold itself: the figures below flatter it."

    @property
    def flattery(self) -> str:
        """From how many it was picked by the clips that its figures are of; empty where others chose."""
        if self.picked_from < 2:
            return ""
        return f"It was picked from {self.picked_from:,} networks by these very clips, which flatters it."

    @cached_property
    def data(self) -> Data:
        """The corpus, and how many of its clips were for what."""
        inputs = self.tracking.client.get_run(self.own.run_id).inputs
        if not inputs or not inputs.dataset_inputs:
            return Data(digest=self.own.tags.get(CORPUS))
        dataset = inputs.dataset_inputs[0].dataset
        counts = json.loads(dataset.profile or "{}")
        training, validation = counts.get("training_clips"), counts.get("validation_clips")
        test = counts.get("test_clips")
        if test is None and None not in (training, validation):
            test = self._clips_with_logits(training + validation)
        digest, noise = self.own.tags.get(CORPUS, dataset.digest), self.own.tags.get(SYNTHETIC)
        return Data(dataset.name, digest, training, validation, test, None if noise is None else float(noise))

    @cached_property
    def held_out(self) -> Mapping[str, Any] | None:
        """Which clips were held out of training; None where that is not known."""
        for record in (self.own, *self.teachers):
            if HELD_OUT in record.tags:
                return dict(json.loads(record.tags[HELD_OUT]))
        return None

    def students(self) -> int:
        """How many students the trial's means are of."""
        if STUDENTS in self.trial.metrics:
            return int(self.trial.metrics[STUDENTS])
        query = where({PARENT: self.trial.run_id}, status="FINISHED")
        kinds = [r.tags.get(KIND) for r in self.tracking.search([self.trial.experiment_id], query)]
        return max(1, kinds.count(SEED_KIND))

    def spread(self, name: str) -> float | None:
        """The standard deviation of a metric over the trial's students; None where there is one student."""
        return self.trial.metrics.get(spread_of(name))

    def _clips_with_logits(self, others: int) -> int | None:
        """The test clips by the network's table of logits: those of the fold that are not for training."""
        try:
            with (
                self.tracking.artifacts(self.own.run_id, _LOGITS) as path,
                np.load(path, allow_pickle=False) as archive,
            ):
                return len(archive["filenames"]) - others
        except (AscError, OSError, ValueError, KeyError):
            return None
