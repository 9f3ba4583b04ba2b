"""Where a model came from: the run that made it, which clips it was not trained on, and what it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import Ensemble, TeacherBank, TrainingContext
from asc_experiments.distill.student import soft_targets
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import PARENT
from asc_experiments.tracking.registry.candidate import Candidate
from asc_experiments.tracking.registry.network_store import find_version
from asc_experiments.tracking.trials import MODEL_ID, TRAIN_SPLIT, TRAINING_CLIPS, keys_of
from asc_experiments.training import SoftTargets
from asc_experiments.training.losses import logged_loss

_RULE = "ensemble_rule"


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a model came from.

    Attributes:
        tracking: the server.
        model_id: among MLflow's logged models.
        run: that made it; None where it was deleted.
        trial: that the run is a student of, else the run itself; None where it was deleted.
    """

    tracking: Tracking
    model_id: str
    run: RunRecord | None
    trial: RunRecord | None

    @classmethod
    def of(cls, tracking: Tracking, model_uri: str) -> Origin:
        """The origin of a model that ``fetch_network`` has found."""
        version = find_version(tracking, model_uri)
        if version is None:
            model_id = model_uri.removeprefix("models:/")
        else:
            model_id = version.tags.get(MODEL_ID) or str(version.source).rpartition("/")[2]
        run = _active(tracking, str(tracking.client.get_logged_model(model_id).source_run_id))
        trial = run
        if run is not None and PARENT in run.tags:
            trial = _active(tracking, run.tags[PARENT])
        return cls(tracking, model_id, run, trial)

    @cached_property
    def _known(self) -> Candidate | None:
        return None if self.run is None else Candidate(self.tracking, self.trial or self.run, self.run)

    @property
    def corpus(self) -> str | None:
        """The digest of the corpus that it was trained on; None where that is not known."""
        return None if self._known is None else self._known.data.digest

    @cached_property
    def split(self) -> ValidationSplit | None:
        """Which clips were held out of its training; None where that is not known."""
        if self._known is None:
            return None
        if self._known.held_out is not None:
            return ValidationSplit.parse(dict(self._known.held_out), f"run {self._known.own.run_id}")
        return ValidationSplit() if self._known.data.validation_clips == 0 else None

    @property
    def train_split(self) -> str | None:
        """The name of the list of clips that alone it was trained on; None where there was none."""
        return None if self.run is None else self.run.tags.get(TRAIN_SPLIT)

    @property
    def training_clips(self) -> str | None:
        """The digest of that list; None where it was trained on the whole fold, or that is not known."""
        return None if self.run is None else self.run.tags.get(TRAINING_CLIPS)

    def targets(self, bench: TrainingContext) -> SoftTargets | None:
        """The ensemble's logits that it learned from, by its loss; None: labels alone.

        Args:
            bench: its corpus and split.

        Raises:
            AscError: if a run that tells them, or a teacher, is gone.
        """
        where, remedy = f"models:/{self.model_id}", "leave --finetune out"
        if self.run is None or self.trial is None:
            raise AscError(where, "the run that tells what it learned from is gone", remedy)
        keys = keys_of(self.trial)
        if not keys:
            return None
        bank = TeacherBank(self.tracking)
        teachers = [bank.find(key) for key in keys]
        if None in teachers:
            gone = keys[teachers.index(None)]
            raise AscError(where, f"teacher {gone}, whose logits it learned from, is gone", remedy)
        ensemble = Ensemble(tuple(each for each in teachers if each), self.trial.params.get(_RULE, "mean_logits"))
        return soft_targets(bench, ensemble, logged_loss(self.run.params, f"run {self.run.run_id}"))


def _active(tracking: Tracking, run_id: str) -> RunRecord | None:
    found = tracking.search(list(tracking.experiments()), where(run_id=run_id), limit=1)
    return found[0] if found else None
