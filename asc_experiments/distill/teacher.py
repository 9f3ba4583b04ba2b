"""A Teacher: a network that was trained or imported, its key, and its logits on the clips of the fold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache, cached

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_file
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill.logits import LogitTable
from asc_experiments.models import ARCHITECTURES
from asc_experiments.tracking.client.records import RunRecord
from asc_experiments.tracking.trials import (
    HELD_OUT,
    IMPORTED,
    MODEL_ID,
    NUMBER_FORMAT,
    RECIPE,
    REFERENCE_DEVICE,
    TEACHER_KEY,
    TRAIN_SPLIT,
    TRAINING_CLIPS,
)
from asc_experiments.training import Recipe
from asc_experiments.training.recipe import check_augmentations

if TYPE_CHECKING:  # with it comes MLflow, which a list of teachers does not wait for
    from asc_experiments.tracking import Tracking

KEY, LOGITS_DIGEST = TEACHER_KEY, "asc.logits_digest"
RESPONSES = "asc.impulse_responses"
LOGITS = "logits/logits.npz"
_SOME_PACKAGE = "install the package that it is from"
_KEPT_BYTES = 256_000_000
"""Logits that a process keeps in memory: those of 27 teachers on all clips of TAU22."""


def name_on(name: str, train_split: str | None) -> str:
    """A network's name with that of the list of clips that alone it is trained on, as in ``passt-s-dir-s0@split5``."""
    return name if train_split is None else f"{name}@{train_split}"


def lock_of(key: str) -> str:
    """The name of the lock under which the Teacher of this key is made."""
    return f"teacher-{key}"


@dataclass(frozen=True, eq=False)
class TeacherRecord:
    """What the run of a Teacher says of it: everything but its logits and its network.

    Imported logits without a network have no Recipe and no logged model, and may lack the test clips.
    """

    key: str
    recipe: Recipe | None
    split: ValidationSplit
    record: RunRecord
    absent: str = ""
    """Its architecture, where that is of a package that is not installed: then it has no Recipe here."""

    @classmethod
    def read(
        cls,
        record: RunRecord,
        or_absent: bool = False,
        package_of: Callable[[RunRecord], str] = lambda _: _SOME_PACKAGE,
    ) -> TeacherRecord:
        """Read what a run says of its Teacher.

        Args:
            record: the run.
            or_absent: whether it is read, as far as can be, where its architecture is not installed.
            package_of: what to do about an architecture that is not installed.

        Raises:
            AscError: if the run's Recipe cannot be read by this version.
        """
        where = f"teacher {record.tags[KEY]}"
        arch = _stored_recipe(record).get("network", {}).get("arch", "")
        absent = arch if arch not in ARCHITECTURES else ""
        try:
            recipe = None
            if absent and or_absent:
                pass
            elif RECIPE in record.tags or IMPORTED not in record.tags:
                recipe = Recipe.model_validate_json(record.tags[RECIPE])
            split = ValidationSplit.model_validate_json(record.tags[HELD_OUT])
        except (KeyError, ValueError):
            check_augmentations(_stored_recipe(record), where)
            if absent:
                what = f"is of architecture '{absent}', which is not installed"
                raise AscError(where, what, package_of(record)) from None
            raise AscError(where, "was written by another version", "train it again") from None
        return TeacherRecord(record.tags[KEY], recipe, split, record, absent)

    @property
    def name(self) -> str:
        """A short name for people."""
        if self.recipe is None or self.source:
            return self.record.name
        return name_on(self.recipe.name, self.train_split)

    @property
    def source(self) -> str:
        """The name of the file it was imported from; empty for one that was trained here."""
        return self.record.tags.get(IMPORTED, "").partition(" ")[2]

    @property
    def number_format(self) -> str | None:
        """In which numbers it was trained; None where that is not known: imported, or trained by an earlier version."""
        return self.record.tags.get(NUMBER_FORMAT)

    @property
    def reference_device(self) -> str | None:
        """The device whose clips DIR augmented; None without DIR, or where that is not known."""
        return self.record.tags.get(REFERENCE_DEVICE)

    @property
    def train_split(self) -> str | None:
        """The name of the list of clips that alone it was trained on; None where there was none."""
        return self.record.tags.get(TRAIN_SPLIT)

    @property
    def training_clips(self) -> str | None:
        """The digest of that list; None where it was trained on the whole fold."""
        return self.record.tags.get(TRAINING_CLIPS)

    @property
    def is_of_earlier_version(self) -> bool:
        """Whether it has the key of a version that did not know in which numbers it trained."""
        return self.number_format is None and IMPORTED not in self.record.tags

    @property
    def model_id(self) -> str | None:
        """The id of its network among MLflow's logged models; None for imported logits."""
        return self.record.tags.get(MODEL_ID)

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its Scorecards."""
        return self.record.metrics


@dataclass(frozen=True, eq=False)
class Teacher(TeacherRecord):
    """A Teacher as it lies in the tracking server; its logits are fetched when they are first asked for."""

    tracking: Tracking = field(kw_only=True)

    @classmethod
    def from_record(cls, record: RunRecord, tracking: Tracking, or_absent: bool = False) -> Teacher:
        """Read a Teacher from its run.

        Args:
            record: the run.
            tracking: where it is.
            or_absent: whether it is read, as far as can be, where its architecture is not installed.

        Raises:
            AscError: if the run's Recipe cannot be read by this version.
        """
        read = TeacherRecord.read(record, or_absent, partial(_package_of, tracking=tracking))
        return cls(read.key, read.recipe, read.split, read.record, read.absent, tracking=tracking)

    @cached_property
    def logits(self) -> LogitTable:
        """Its logits on the clean clips, by clip id; read once per process, whoever asks.

        Raises:
            AscError: if the file is missing or damaged.
        """
        return _read_logits(self)


@cached(
    LRUCache(_KEPT_BYTES, getsizeof=lambda table: table.values.nbytes),
    key=lambda teacher: teacher.record.tags[LOGITS_DIGEST],
    lock=Lock(),
)
def _read_logits(teacher: Teacher) -> LogitTable:
    """A Teacher's logits; kept by their digest, as every student of every trial asks for those of the same few."""
    with teacher.tracking.artifacts(teacher.record.run_id, LOGITS) as path:
        if digest_file(path) != teacher.record.tags[LOGITS_DIGEST]:
            where = f"teacher {teacher.key}"
            raise AscError(where, "its logits are damaged", f"delete run {teacher.record.run_id} to train it again")
        return LogitTable.load(path)


def _package_of(record: RunRecord, tracking: Tracking) -> str:
    """Which package a teacher's architecture is from: its stored network knows."""
    if model_id := record.tags.get(MODEL_ID):
        from asc_experiments.tracking.registry.network_store import fetch_network

        try:
            fetch_network(tracking, f"models:/{model_id}")
        except AscError as error:
            if error.remedy.startswith("pip install "):
                return error.remedy
    return _SOME_PACKAGE


def _stored_recipe(record: RunRecord) -> dict[str, Any]:
    """A teacher's Recipe as it was written, whether or not this version can read it; empty where there is none."""
    try:
        stored = json.loads(record.tags[RECIPE])
    except (KeyError, ValueError):
        return {}
    return stored if isinstance(stored, dict) and isinstance(stored.get("network", {}), dict) else {}
