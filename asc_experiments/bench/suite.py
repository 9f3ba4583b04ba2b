"""All measurements in one run, on a synthetic corpus that is made for them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import hushed
from asc_experiments.bench import overheads
from asc_experiments.bench.driver import benchmark_driver
from asc_experiments.bench.machine import Machine
from asc_experiments.bench.memory import peak_memory
from asc_experiments.bench.side_by_side import side_by_side
from asc_experiments.bench.timing import Measured, compare
from asc_experiments.bench.workload import Materials, Workload
from asc_experiments.corpus import Corpus, WaveformStore
from asc_experiments.corpus.impulse_responses import load_impulse_responses
from asc_experiments.corpus.store import prepare
from asc_experiments.corpus.synth import synthesise
from asc_experiments.training import ClipSource, make_recipe
from asc_experiments.training.loop import best_device

T = TypeVar("T")

STUDENT, CP_RESNET, PASST = "student", "cp_resnet", "passt"
_ARCHES = {STUDENT: "cp_mobile", CP_RESNET: "cp_resnet", PASST: "passt"}
_CPU_BATCH, _GPU_BATCH = 64, 256
_CPU_PASST_CLIPS = 80
"""The published batch; all of an epoch's clips would take minutes."""
_DRIVER_TRIALS = 40
_CLIPS_TO_PREPARE = 20_000
"""So many that starting processes does not count; a tenth of TAU22."""
_EPOCHS, _SMALL_CLIPS = 40, 650
"""Of a trial of the shipped studies at ``--scale small``, on the corpus they were made for."""

Work = Callable[[], Measured]


class Suite:
    """Every line of the table by its name, each measured when it is called.

    Args:
        folder: for the corpus, its waveforms and a workspace.
        clips: of an epoch.
        rounds: how often each work is timed.
    """

    def __init__(self, folder: Path, clips: int, rounds: int) -> None:
        self.folder, self.clips, self.rounds = folder, clips, rounds
        self.device = best_device()
        self.done: dict[str, Measured] = {}
        self._workloads: dict[str, Workload] = {}

    @cached_property
    def machine(self) -> Machine:
        """What it can do at best, measured now."""
        return Machine.measure(self.device)

    @cached_property
    def corpus(self) -> Corpus:
        """A synthetic one, made now."""
        with hushed():
            synthesise(self.folder / "corpus", clips_per_scene=max(20, min(100, self.clips // 7)), seed=0)
        return Corpus.open(self.folder / "corpus")

    @cached_property
    def store(self) -> WaveformStore:
        """The corpus's waveforms, prepared now."""
        with hushed():
            return prepare(self.corpus, self.folder / "cache")

    def works(self) -> dict[str, Work]:
        """What can be measured, in the order of the table.

        The largest network comes last: a process that has held gigabytes gets memory faster afterwards, which makes the
        baseline, whose tensors are larger, a quarter faster than it is in a process of its own.
        """
        works: dict[str, Work] = {"preparing": self._preparing, "preparing_24_bits": self._preparing_24_bits}
        for name in _ARCHES:
            for part in ("frontend", "step", "training_epoch"):
                works[f"{name}_{part}"] = self._of(name, part)
            if name == STUDENT:
                works[f"{name}_distillation_epoch"] = lambda: self._workload(STUDENT).training_epoch(distilled=True)
            works[f"{name}_evaluation"] = self._of(name, "evaluation")
        works["students_side_by_side"] = self._side_by_side
        works["tracking_epoch"] = lambda: overheads.tracking_epoch(self.corpus)
        works["trial_conclusion"] = lambda: self._driver("driver.conclusion_ms_per_trial")
        works["driver_trial"] = lambda: self._driver("driver.ms_per_trial")
        works["tracking_share"] = self._tracking_share
        works["help"] = overheads.help_start
        works["student_training_memory"] = self._memory
        return works

    def distillation_epoch(self) -> Callable[[], object]:
        """A student's epoch, for a profile of it."""
        trainer = self._workload(STUDENT).trainer
        return lambda: trainer.train_epoch(self._workload(STUDENT).rows)

    def _of(self, name: str, part: str) -> Work:
        def measure() -> Measured:
            measured = getattr(self._workload(name), part)()
            assert isinstance(measured, Measured)
            return measured

        return measure

    def _workload(self, name: str) -> Workload:
        if name not in self._workloads:
            on_cpu = self.device.type == "cpu"
            few = _CPU_PASST_CLIPS if on_cpu and name == PASST else None
            batch = _GPU_BATCH if not on_cpu else few or _CPU_BATCH
            recipe = make_recipe(_ARCHES[name], "dirfms", epochs=1, batch_size=batch)
            self._workloads[name] = Workload(self._materials, recipe, few)
        return self._workloads[name]

    @cached_property
    def _materials(self) -> Materials:
        rows = np.resize(np.arange(self.corpus.n_train), self.clips)
        waveforms, labels = self.store.waveforms[rows], self.corpus.labels[rows]
        is_reference = (self.corpus.device_of == self.corpus.reference_device)[rows]
        clips = ClipSource(waveforms, labels, is_reference, self.device)
        dirs = load_impulse_responses(self.folder / "corpus" / "dirs").responses
        logits = np.random.default_rng(0).normal(size=(len(rows), len(self.corpus.scenes))).astype(np.float32)
        return Materials(clips, waveforms, labels, dirs, self.corpus.scenes, logits, self.machine, self.rounds)

    def _preparing_24_bits(self) -> Measured:
        """TAU22's clips have 24 bits, those of the synthetic corpus 16."""
        root = self.folder / "corpus24"
        for name in self.corpus.filenames:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            samples, rate = soundfile.read(self.corpus.root / name)
            soundfile.write(root / name, samples, rate, subtype="PCM_24")
        return self._preparing(root)

    def _preparing(self, root: Path | None = None) -> Measured:
        root, names = root or self.corpus.root, list(self.corpus.filenames)
        many = names * -(-_CLIPS_TO_PREPARE // len(names))
        return compare(
            lambda: overheads.preparing(root, many),
            lambda: overheads.preparing_plainly(root, names),
            len(many), self.rounds, torch.device("cpu"), plain_clips=len(names),
        )  # fmt: skip

    def _side_by_side(self) -> Measured:
        recipe = make_recipe("cp_mobile", epochs=1, batch_size=min(_CPU_BATCH, self.clips))
        return side_by_side(*_file_of(self.store), recipe, min(self.clips, len(self.store.waveforms)), self.rounds)

    def _memory(self) -> Measured:
        recipe, dirs = self._workload(STUDENT).recipe, self._materials.dirs
        return peak_memory(*_file_of(self.store), recipe, dirs, min(self.clips, len(self.store.waveforms)))

    def _driver(self, figure: str) -> Measured:
        if figure not in self.done:
            self.done |= {name: Measured(v, "ms") for name, v in benchmark_driver(_DRIVER_TRIALS).items()}
        return self.done[figure]

    def _tracking_share(self) -> Measured:
        """Tracking's part of a small trial: its epochs and its conclusion, beside the time of its training."""
        epoch = overheads.tracking_epoch(self.corpus).value
        conclusion = self._driver("driver.conclusion_ms_per_trial").value
        name = "student_distillation_epoch"
        if name not in self.done:
            self.done[name] = self.works()[name]()
        training = 1_000 * _EPOCHS * _SMALL_CLIPS / self.done[name].value
        tracking = _EPOCHS * epoch + conclusion
        return Measured(100 * tracking / (tracking + training), "percent")


def _file_of(store: WaveformStore) -> tuple[Path, tuple[int, int]]:
    """A store's file, and its clips and samples."""
    return store.path / "waveforms.int16", (int(store.waveforms.shape[0]), int(store.waveforms.shape[1]))


@contextmanager
def opened(clips: int, rounds: int) -> Iterator[Suite]:
    """A Suite in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="asc-bench-") as folder:
        yield Suite(Path(folder), clips, rounds)


def chosen(works: Mapping[str, T], only: Sequence[str]) -> dict[str, T]:
    """Those of the works that are asked for, all of them by default.

    Raises:
        AscError: if one is not known.
    """
    for name in only:
        if name not in works:
            raise AscError(f"--only {name}", "is not measured", f"valid: {', '.join(works)}")
    return {name: work for name, work in works.items() if not only or name in only}
