"""The TrainingContext: everything a training needs besides its Recipe, opened once and shared by all trainings.

The corpus with its decoded clips, the validation split, impulse responses, published weights and the tracking server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from filelock import FileLock
from torch import Tensor

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.liveness import lock_folder
from asc_experiments.base.locks import Locks, lock_path
from asc_experiments.base.ownership import show_life_in
from asc_experiments.corpus import Corpus, ValidationSplit, WaveformStore, prepare, split_training_fold
from asc_experiments.corpus.audio import SAMPLE_RATE, in_seconds
from asc_experiments.corpus.impulse_responses import ImpulseResponses, load_impulse_responses
from asc_experiments.corpus.index import HELD_OUT_GROUP, REFERENCE_FILE
from asc_experiments.corpus.segments import Segments, find_segments
from asc_experiments.corpus.train_split import WHOLE_FOLD, TrainSplit, read_train_split
from asc_experiments.distill.keys import Conditions
from asc_experiments.metrics import METRICS, VALIDATION, measure
from asc_experiments.models import ARCHITECTURES
from asc_experiments.statistics import Evidence
from asc_experiments.tracking import Tracking
from asc_experiments.training import (
    ClipSource,
    Recipe,
    Scorecard,
    SoftTargets,
    Trainer,
    score,
)
from asc_experiments.training.loop import best_device
from asc_experiments.training.memory import within_memory
from asc_experiments.training.precision import training_format
from asc_experiments.training.pretrained import audioset_weights

CORPUS_DIRS = "dirs"
"""A corpus may bring its own impulse responses in this folder."""


def refuse_without_responses(recipe: str) -> NoReturn:
    """Refuse to train with DIR where no impulse responses are known; with the ways out.

    Raises:
        AscError: in any case.
    """
    remedy = (
        "give --dirs a folder of sound files with them (docs/tutorials/own-corpus.md says where there are some; `asc "
        "corpus synth` makes some for trying, in its folder dirs), or set augment to fms or none"
    )
    raise AscError(recipe, "DIR needs impulse responses", remedy)


@dataclass(frozen=True, eq=False)
class TrainingContext:
    """See the module. Attributes are what they are called."""

    corpus: Corpus
    store: WaveformStore
    split: ValidationSplit
    tracking: Tracking
    cache: Path
    dirs: Path | None
    locks: Locks | None = None
    """Locks that hold on other hosts too; without them, this host's alone are taken."""
    train_splits: tuple[TrainSplit, ...] = ()
    """The lists of training clips that :meth:`on` knows."""
    train_split: TrainSplit | None = None
    """The list of clips that alone are trained on; None trains on the whole fold."""
    base: TrainingContext | None = None
    """The same without a list, whose clips, impulse responses and weights it shares."""

    def __post_init__(self) -> None:
        """Show that this process lives to those that share the cache: what it trains says RUNNING."""
        show_life_in(lock_folder(self.cache))

    @classmethod
    def open(
        cls,
        corpus: Path | Corpus,
        tracking: Tracking,
        cache: Path,
        split: ValidationSplit,
        dirs: Path | None = None,
        train_splits: Sequence[str | Path] = (),
    ) -> TrainingContext:
        """Open a corpus for training.

        Args:
            corpus: its folder, in the TAU layout or one that has a reader; or what was read of it already.
            tracking: where runs are logged.
            cache: folder of decoded waveforms and locks.
            split: what is held out for validation.
            dirs: folder of impulse responses; ``dirs`` inside the corpus by default.
            train_splits: lists of training clips, of which :meth:`on` takes one; none is in force yet.

        Raises:
            AscError: if the corpus, the split, a list or the impulse responses are not in order.
        """
        corpus = corpus if isinstance(corpus, Corpus) else Corpus.open(corpus)
        split_training_fold(corpus, split)  # refuse before hours of decoding
        lists = tuple(read_train_split(path, corpus) for path in train_splits)
        if dirs is None and (corpus.root / CORPUS_DIRS).is_dir():
            dirs = corpus.root / CORPUS_DIRS
        return cls(corpus, prepare(corpus, cache), split, tracking, cache, dirs, train_splits=lists)

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker process opens the corpus by itself, once, and shares the store's memory map."""
        address = (self.corpus.root.absolute(), self.tracking, self.cache.absolute(), self.split, self.dirs)
        about = self.store.corpus_digest, self.corpus.reference_device, self.locks
        return _reopened, (*address, *about, self.train_split)

    def on(self, name: str) -> TrainingContext:
        """The same for trainings on a list of clips alone, by the name of one that was given when it was opened.

        Raises:
            AscError: if there was none of that name, or a scene would be left without training clips.
        """
        if name in ("", WHOLE_FOLD):
            return self.with_train_split(None)
        known = {each.name: each for each in self.train_splits}
        if name not in known:
            raise AscError(name, "is no list of training clips that was given", nearest(name, known) if known else "")
        return self.with_train_split(known[name])

    def with_train_split(self, train_split: TrainSplit | None) -> TrainingContext:
        """The same with another list of training clips, or none; each list once.

        Raises:
            AscError: if a scene would be left without training clips.
        """
        if self.base is not None:
            return self.base.with_train_split(train_split)
        if train_split is None:
            return self
        if train_split not in self._lists:
            made = replace(self, train_split=train_split, base=self)
            made._check_scenes_trained()
            self._lists[train_split] = made
        return self._lists[train_split]

    @cached_property
    def _lists(self) -> dict[TrainSplit, TrainingContext]:
        return {}

    def _check_scenes_trained(self) -> None:
        absent = set(range(len(self.corpus.scenes))) - set(self.corpus.labels[self.rows[0]].tolist())
        if absent and self.train_split is not None:
            what = f"scene '{self.corpus.scenes[min(absent)]}' would have no training clip"
            raise AscError(self.train_split.name, what, "give a longer list, or hold fewer clips out")

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Wait for whoever else holds the lock of this name, on this host or, where hosts share locks, on any."""
        with ExitStack() as held:
            held.enter_context(FileLock(lock_path(self.cache, name)))
            if self.locks is not None:
                held.enter_context(self.locks(name))
            yield

    @cached_property
    def clips(self) -> ClipSource:
        """The clips on the device that trains."""
        if self.base is not None:
            return self.base.clips
        is_reference = self.corpus.device_of == self.corpus.reference_device
        return ClipSource(self.store.waveforms, self.corpus.labels, is_reference, best_device())

    @cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Training rows and validation rows; what is held out does not depend on the list of training clips."""
        if self.base is None or self.train_split is None:
            return split_training_fold(self.corpus, self.split)
        training, validation = self.base.rows
        return self.train_split.of(training), validation

    @cached_property
    def held_out_clips(self) -> frozenset[str]:
        """The clips that nothing is trained on; a teacher may do without logits for them."""
        taught = set(self.rows[0].tolist())
        return frozenset(name for row, name in enumerate(self.corpus.filenames) if row not in taught)

    @cached_property
    def device_groups(self) -> dict[str, str]:
        """The group of each device in the test fold; a training device that is held out is neither seen nor unseen.

        It is that of the whole fold, whatever is listed: scores of networks of several lists are of the same devices.
        """
        return self.corpus.device_groups((self.base or self).rows[0])

    @cached_property
    def validation_groups(self) -> dict[str, str]:
        """The group of each device among the held-out clips, where held-out devices stand for the unseen ones."""
        return {d: "unseen" if g == HELD_OUT_GROUP else g for d, g in self.device_groups.items()}

    def groups_for(self, rows: np.ndarray) -> dict[str, str]:
        """The group of each device among these clips, which are all of the training fold or all of the test fold."""
        in_training = len(rows) and rows[0] < self.corpus.n_train
        return self.validation_groups if in_training else self.device_groups

    @cached_property
    def responses(self) -> ImpulseResponses | None:
        """The impulse responses, where a folder of them is known."""
        if self.base is not None:
            return self.base.responses
        return load_impulse_responses(self.dirs) if self.dirs else None

    def responses_for(self, recipe: Recipe) -> ImpulseResponses | None:
        """The impulse responses that a Recipe trains with, or None where it has no DIR.

        Raises:
            AscError: if it needs some and there are none, or an augmentation of it cannot act, or its network cannot
                take clips of this length.
        """
        self.check_length(recipe)
        self._check_augmentation(recipe)
        if not recipe.needs_impulse_responses:
            return None
        if self.responses is None:
            refuse_without_responses(recipe.name)
        return self.responses

    @property
    def clip_samples(self) -> int:
        """How long the corpus's clips are, at 32 kHz."""
        return int(self.store.waveforms.shape[1])

    @property
    def clip_seconds(self) -> float:
        """The same in seconds."""
        return self.clip_samples / SAMPLE_RATE

    def check_length(self, recipe: Recipe) -> None:
        """Refuse clips that are too short or too long for a network, before anything is trained.

        Raises:
            AscError: if they are.
        """
        if limit := ARCHITECTURES[recipe.arch].limit(self.clip_samples):
            lasting = f"those of {self.corpus.root} last {in_seconds(self.clip_samples)}"
            remedy = "cut them with asc corpus import, or take another architecture"
            raise AscError(recipe.name, f"{recipe.arch} takes clips of {limit}, and {lasting}", remedy)

    def _check_augmentation(self, recipe: Recipe) -> None:
        """Refuse an augmentation that would leave every clip as it is.

        Raises:
            AscError: if there is one.
        """
        reference = self.corpus.reference_device
        if recipe.augmentation.dir_probability > 0 and reference not in self.corpus.device_of[self.rows[0]]:
            what = f"DIR augments clips of the reference device '{reference}' only, and none is trained on"
            remedy = f"do not hold '{reference}' out, train without DIR, or name another device in {REFERENCE_FILE}"
            raise AscError(recipe.name, what, f"{remedy} in the corpus")
        if recipe.needs_segments and self._segments.length.max() < 2:
            what = "segment_crop finds no two training clips that follow each other in one recording"
            raise AscError(recipe.name, what, "set segment_crop to 0, or name clips as TAU22 does")

    @property
    def number_format(self) -> str:
        """In which numbers this process trains networks: ``float32`` or ``bfloat16``.

        Raises:
            AscError: if ``ASC_PRECISION`` is neither ``auto`` nor ``float32``.
        """
        return training_format(best_device())

    def conditions(self, recipe: Recipe) -> Conditions:
        """What a training of a Recipe by this process depends on besides corpus and split.

        Raises:
            AscError: if the Recipe cannot be trained here.
        """
        responses = self.responses_for(recipe)
        clips = self.train_split.digest if self.train_split else None
        if responses is None:
            return Conditions(self.number_format, training_clips=clips)
        return Conditions(self.number_format, responses.digest, self.corpus.reference_device, clips)

    @cached_property
    def _audioset_weights(self) -> Mapping[str, Tensor]:
        if self.base is not None:
            return self.base._audioset_weights
        return audioset_weights(self.cache)

    def weights_for(self, recipe: Recipe) -> Mapping[str, Tensor] | None:
        """The published weights that a Recipe starts from, or None where it starts from random ones.

        Raises:
            AscError: if it needs some and they can be neither found nor downloaded.
        """
        return self._audioset_weights if recipe.pretrained != "none" else None

    def scorecards(self, logits: np.ndarray) -> dict[str, float]:
        """Every metric of the test fold, and under ``validation/…`` those of the held-out clips.

        A split of which a clip has no logits (its row is NaN) gets no Scorecard.

        Args:
            logits: ``(clips, scenes)`` by the corpus's rows.
        """
        metrics: dict[str, float] = {}
        test_rows, validation_rows = self.corpus.test_rows, self.rows[1]
        if not np.isnan(logits[test_rows]).any():
            metrics |= self._measures(logits, test_rows)
        if len(validation_rows) and not np.isnan(logits[validation_rows]).any():
            validation = self._measures(logits, validation_rows)
            metrics |= {f"{VALIDATION}/{name}": value for name, value in validation.items()}
        return metrics

    def evidence(self, logits: Sequence[np.ndarray]) -> dict[str, Evidence]:
        """What networks answered by place and device: of the ``test`` fold, and of held-out clips (``validation``).

        A split of which a clip has no logits from one of them is left out.

        Args:
            logits: ``(clips, scenes)`` by the corpus's rows, of each network.
        """
        corpus, found = self.corpus, {}
        for split, rows in (("test", corpus.test_rows), ("validation", self.rows[1])):
            if len(rows) and not any(np.isnan(each[rows]).any() for each in logits):
                told = [each[rows] for each in logits]
                clips = corpus.labels[rows], corpus.device_of[rows], corpus.locations.take(rows).array()
                found[split] = Evidence.of(told, *clips, self.groups_for(rows), corpus.scenes)
        return found

    def _measures(self, logits: np.ndarray, rows: np.ndarray) -> dict[str, float]:
        labels, devices = self.corpus.labels[rows], self.corpus.device_of[rows]
        return measure(METRICS.values(), logits[rows], labels, devices, self.groups_for(rows), self.corpus.scenes)

    def trainer(
        self,
        recipe: Recipe,
        soft_targets: SoftTargets | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> Trainer:
        """What trains a Recipe on this corpus, before its first epoch; from given weights, or as the Recipe says."""
        responses = self.responses_for(recipe)
        weights = self.weights_for(recipe) if start is None else None
        bank = responses.responses if responses else None
        segments = self._segments if recipe.needs_segments else None
        clips = self.clips
        with within_memory(recipe.name):
            return Trainer(recipe, clips, self.corpus.scenes, bank, soft_targets, weights, segments, start)

    @cached_property
    def _segments(self) -> Segments:
        return find_segments(self.corpus, self.rows[0])

    def score(self, logits: np.ndarray, rows: np.ndarray) -> Scorecard:
        """Score logits ``(rows, scenes)`` of these rows."""
        labels, devices = self.corpus.labels[rows], self.corpus.device_of[rows]
        return score(logits, labels, devices, self.groups_for(rows), self.corpus.scenes)


def _reopened(*address: Any) -> TrainingContext:
    *base, train_split = address
    return _base_reopened(*base).with_train_split(train_split)


@lru_cache(maxsize=2)
def _base_reopened(
    root: Path,
    tracking: Tracking,
    cache: Path,
    split: ValidationSplit,
    dirs: Path | None,
    digest: str,
    reference_device: str,
    locks: Locks | None,
) -> TrainingContext:
    bench = TrainingContext.open(root, tracking, cache, split, dirs)
    if (bench.store.corpus_digest, bench.corpus.reference_device) != (digest, reference_device):
        raise AscError(root, "the corpus was changed while it was in use", "start again with the corpus as it is now")
    return replace(bench, locks=locks)
